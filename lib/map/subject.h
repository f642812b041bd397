/* A subject is one event as the rules see it: canonical identifier, standard payload, what its lifecycle says, and the payload
 * as it came. Standard fields are worked out when they are first asked for, once an event. */
#ifndef STATSIDECAR_MAP_SUBJECT_H
#define STATSIDECAR_MAP_SUBJECT_H

#include "base/inline.h"
#include "base/timestamp.h"
#include "map/mapping.h"

/* Where a standard field came from, for explain. */
enum standard_origin {
	STANDARD_ABSENT,
	STANDARD_PAYLOAD,    /* source: the reference of `from`, or the field's own name */
	STANDARD_BETWEEN,
	STANDARD_LIFECYCLE,
	STANDARD_CLASSIFIED, /* a pattern holds */
	STANDARD_MISSING,    /* what was to be classified is absent */
	STANDARD_DEFAULT,
};

/* A standard field of the present event. */
struct standard {
	uint32_t epoch; /* of the event that `value` belongs to */
	bool is_present;
	uint8_t origin;  /* enum standard_origin */
	uint16_t source; /* index into mapping->payload */
	struct value value;
	char text[TIMESTAMP_SECONDS_MAX]; /* what `between` gave */
};

/* A standard field that a lifecycle fills where the payload does not. */
struct fill {
	uint16_t field;
	uint8_t len;
	char text[TIMESTAMP_SECONDS_MAX];
};

struct subject {
	const struct mapping *mapping;
	struct lifecycle_event *event;
	struct span identifier;        /* canonical */
	const uint8_t *variants;       /* by standard field: the variant that applies, from 1; 0: none */
	const struct span *captures;   /* of the rule that is acting */
	struct standard *standards;    /* one for each standard field, owned */
	uint32_t epoch;
	struct value part;             /* what a reference to the identifier gave last */
	struct value state_from, state_to, state_duration; /* len 0: the event moved nothing */
	struct fill fills[LIFECYCLES_MAX];
	uint8_t fill_count;
};

int subject_init(struct subject *subject, const struct mapping *mapping, struct lifecycle_event *event)
	__attribute__((warn_unused_result));
void subject_fini(struct subject *subject);

/* After 2^32 events: makes the old marks invalid. */
void subject_epoch_wrapped(struct subject *subject);

/* Standard fields are worked out anew: something has changed that they depend on. */
static inline void subject_forget(struct subject *subject)
{
	if (unlikely(++subject->epoch == 0))
		subject_epoch_wrapped(subject);
}

/* The next event: forgets the standard fields of the last one. */
static inline void subject_begin(struct subject *subject, struct span identifier, const uint8_t *variants)
{
	subject->identifier = identifier;
	subject->variants = variants;
	subject->fill_count = 0;
	subject->state_from.len = subject->state_to.len = subject->state_duration.len = 0;
	subject_forget(subject);
}

/* The value, scalar or not, or NULL where it is absent. Valid until the next event. */
struct value *subject_value(struct subject *subject, struct reference reference);

/* The text of a scalar: false where it is absent, an object or an array. */
static inline bool subject_text(struct subject *subject, struct reference reference, struct span *text)
{
	struct value *value = reference.kind == REFERENCE_PAYLOAD
	                          ? payload_get(subject->event, &subject->mapping->payload[reference.index])
	                          : subject_value(subject, reference);
	if (!value || !value_is_scalar(value))
		return false;
	*text = event_text(subject->event, value);
	return true;
}

/* NULL where the conditions hold, else one that does not (of `any`: the last). */
const struct condition *subject_fails(struct subject *subject, const struct conditions *conditions);

/* Segment number of a dotted identifier; false where it has fewer. */
bool identifier_segment(struct span identifier, unsigned number, struct span *segment);

/* Whether any of the places is there: not null, not an empty text. */
bool subject_meets(struct subject *subject, const struct expectation *expectation);

#endif
