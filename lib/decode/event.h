/* A lifecycle event as a line gives it: the values of the places that the configuration names, borrowed from the line. An
 * event is filled by a decoder, used, and reset; its memory is set aside once. */
#ifndef STATSIDECAR_DECODE_EVENT_H
#define STATSIDECAR_DECODE_EVENT_H

#include "decode/fieldset.h"

enum value_type {
	VALUE_STRING, /* JSON text, or anything logfmt writes */
	VALUE_NUMBER, /* a JSON number, as written */
	VALUE_TRUE,
	VALUE_FALSE,
	VALUE_OBJECT, /* its text is not kept */
	VALUE_ARRAY,
};

enum value_escapes { ESCAPES_NONE, ESCAPES_JSON, ESCAPES_LOGFMT };

struct value {
	const char *at;
	uint32_t len;
	uint8_t type;
	uint8_t escapes;
};

/* What stood between two values of the last events: `,"step_name":` or `, "step_name": `, up to the next value. Producers write the
 * same keys in the same order again and again, so that one comparison mostly tells the key. */
struct key_guess {
	char bytes[32];
	const void *level; /* what kind of object it stood in; NULL: nothing is known */
	uint32_t beyond;   /* a bit for each of the bytes that is not part of it */
	uint16_t location;
	uint16_t len;
};

enum { KEY_GUESSES = 32 };

/* Presence is forgotten so many locations at a time. */
enum { PRESENT_BLOCK = 64 };

struct lifecycle_event {
	const struct fieldset *fields;
	struct value *values;  /* by location; valid where the presence bit is set */
	uint8_t *present;      /* by location: given and not null */
	uint32_t present_size; /* whole blocks of PRESENT_BLOCK */
	struct value bare;     /* logfmt: the bare word that may identify; len 0: none */
	bool is_bare_first;    /* it was the line's first word */
	struct span tags;      /* StatsD: what stands behind `|#` */
	char *unescaped;       /* where texts with escapes are written out; as large as the longest line */
	uint32_t unescaped_len;
	uint32_t unescaped_size;
	struct key_guess guesses[KEY_GUESSES]; /* by number of the key in its event */
};

int lifecycle_event_init(struct lifecycle_event *event, const struct fieldset *fields, uint32_t line_max)
	__attribute__((warn_unused_result));
void lifecycle_event_fini(struct lifecycle_event *event);

static inline void event_reset(struct lifecycle_event *event)
{
	memset(event->present, 0, PRESENT_BLOCK);
	for (uint32_t at = PRESENT_BLOCK; at < event->present_size; at += PRESENT_BLOCK)
		memset(event->present + at, 0, PRESENT_BLOCK);
	event->bare.len = 0;
	event->tags.len = 0;
	event->unescaped_len = 0;
}

static inline bool event_has(const struct lifecycle_event *event, uint16_t location)
{
	return event->present[location];
}

static inline void event_set(struct lifecycle_event *event, uint16_t location, struct value value)
{
	event->values[location] = value;
	event->present[location] = true;
}

static inline void event_clear(struct lifecycle_event *event, uint16_t location)
{
	event->present[location] = false;
}

/* Forgets what was kept below a location: its key came again. */
void event_clear_below(struct lifecycle_event *event, const struct fieldset_node *node);

/* The value's text with its escapes resolved, once. */
struct span event_text_resolve(struct lifecycle_event *event, struct value *value);

static inline struct span event_text(struct lifecycle_event *event, struct value *value)
{
	if (value->escapes != ESCAPES_NONE)
		return event_text_resolve(event, value);
	return (struct span){value->at, value->len};
}

/* Null, objects and arrays have no text: absent wherever a text or number is asked for. */
static inline bool value_is_scalar(const struct value *value)
{
	return value->type < VALUE_OBJECT;
}

#endif
