/* What a dialect's lines are made of, for one output: everything about them that no event changes.
 *
 *     dogstatsd   name:value|type|@rate|#key:value,key:value|c:…
 *     statsd      name:value|type|@rate
 *     graphite    name;key=value;key=value:value|type|@rate
 *     influxdb    name,key=value,key=value:value|type|@rate
 *     librato     name#key=value,key=value:value|type|@rate
 *     signalfx    name[key=value,key=value]:value|type|@rate
 *
 * All its texts hang in an arena, so that they may be copied in whole vectors. Tags are written as `,key:value` each; the first
 * separator is replaced where the dialect opens its tags otherwise. */
#ifndef STATSIDECAR_EMIT_WIRE_H
#define STATSIDECAR_EMIT_WIRE_H

#include "emit/guard.h"
#include "map/mapping.h"

struct sanitiser;

enum tag_step_kind {
	TAG_STEP_CONSTANT, /* the head is all of it */
	TAG_STEP_PAYLOAD,  /* one field of the payload */
	TAG_STEP_FIELD,    /* any other one field's text */
	TAG_STEP_TEMPLATE,
};

/* How one tag of the mapping is written in a dialect. */
struct tag_step {
	const char *head; /* `,key:`, the same bytes for all tags of that key; of a constant tag `,key:value` */
	const struct tag *tag;
	uint32_t head_len;
	struct reference field;
	uint16_t location; /* TAG_STEP_PAYLOAD: where the field mostly is */
	uint16_t key;
	uint8_t kind;     /* enum tag_step_kind */
	bool is_repeat;
};

struct wire {
	const struct output_form *form;
	const struct tag_step *steps;        /* by tag id */
	const struct sanitiser *values;      /* for those of tags */
	struct guard *guards;                /* by tag key; shared by all outputs of the dialect */
	struct span prefix;                  /* the output's, as it is sent */
	struct span suffix;                  /* the output's, behind everything */
	char open[2];                        /* before the first tag, instead of its separator */
	uint8_t open_len;
	char close;                          /* behind the last tag; 0: nothing */
	char separator;                      /* before each tag */
	char assign;                         /* between its key and value */
	bool has_tags_before_value;
	bool has_tags_after_value;
	bool has_tags_in_name;
	bool has_signed_gauges; /* a sign is a change there: a negative gauge goes out as two lines */
	struct span type[METRIC_KIND_COUNT]; /* `|c`; at == NULL: the dialect has no such metric */
	struct span relayed[METRIC_KIND_COUNT]; /* of relayed metrics, whose kind is the line's own */
};

/* One for each output of the mapping, in arena. */
struct wire *wires_new(const struct mapping *mapping, struct arena *arena);

/* Whether the output's filter takes a metric of that name. */
bool wire_takes(const struct wire *wire, struct span name);

#endif
