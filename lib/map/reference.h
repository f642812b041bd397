/* What a configuration calls a field -> where to find it when an event comes. Standard fields come before the payload's own;
 * `event` and `event.N` are the canonical identifier and its segments.
 *
 * A payload field is looked for as the page of the contract says: the name as one literal key, at the top and then in each
 * payload object; then, where it has dots, as a path, whose first key is taken from the first of these that has it. */
#ifndef STATSIDECAR_MAP_REFERENCE_H
#define STATSIDECAR_MAP_REFERENCE_H

#include "decode/event.h"

enum reference_kind {
	REFERENCE_PAYLOAD,  /* index: into mapping->payload */
	REFERENCE_STANDARD, /* index: into mapping->fields */
	REFERENCE_EVENT,
	REFERENCE_SEGMENT, /* index: the segment's number from 0 */
	REFERENCE_CAPTURE, /* index: from 0; templates only */
	REFERENCE_STATE_FROM,
	REFERENCE_STATE_TO,
	REFERENCE_STATE_DURATION,
};

struct reference {
	uint8_t kind;
	uint16_t index;
};

/* The objects whose fields read as if they stood at the top, and the top itself; a dotted name gives two. */
enum { PLACES_MAX = 1 + 2 * PAYLOAD_MAX };

struct payload_reference {
	struct span name;
	uint16_t literal[PLACES_MAX];
	uint16_t head[PLACES_MAX]; /* the path's first key */
	uint16_t leaf[PLACES_MAX];
	uint8_t literal_count;
	uint8_t path_count;
};

/* The value, scalar or not, or NULL where the payload has none (null counts as none). */
struct value *payload_get_slowly(struct lifecycle_event *event, const struct payload_reference *reference);

static inline struct value *payload_get(struct lifecycle_event *event, const struct payload_reference *reference)
{
	/* Most fields are at the top. */
	if (event_has(event, reference->literal[0]))
		return &event->values[reference->literal[0]];
	return payload_get_slowly(event, reference);
}

/* Enters name into fields, for every place: a path of keys each, the top being the empty one. 0, or -1 where LOCATIONS_MAX is
 * reached. */
struct place {
	struct span keys[8];
	uint8_t depth;
};
int payload_reference_init(struct payload_reference *reference, struct span name, struct fieldset *fields,
                           const struct place *places, size_t place_count) __attribute__((warn_unused_result));

/* Takes a dotted path apart; the number of keys, or 0 where there are more than max or one is empty. */
size_t path_split(struct span path, struct span *keys, size_t max);

#endif
