/* A metric and an event -> the bytes of one line in an output's dialect. Everything is written where the packer wants it;
 * sizes were bounded when the mapping was compiled (RENDER_MAX). */
#ifndef STATSIDECAR_EMIT_RENDER_H
#define STATSIDECAR_EMIT_RENDER_H

#include "emit/guard.h"
#include "emit/relay.h"
#include "base/arena.h"
#include "emit/wire.h"
#include "map/subject.h"

/* What was worked out of a metric once, for all outputs. */
struct reading {
	const struct metric *metric;
	struct span value;     /* ready for the wire */
	bool is_negative;
	uint8_t relayed;       /* enum metric_kind: of a metric that is relayed the line's own */
	struct span rate;      /* `|@0.5` or empty */
};

/* The tags behind a metric's own, written once an event, list of a rule's and output. */
struct tail {
	struct tag_range rule_tags; /* first UINT32_MAX: nothing is written yet */
	uint32_t epoch;             /* the event's; 0: before any, where timers tell gauges */
	size_t len;
	char *text;
};

struct renderer {
	struct subject *subject;
	const struct mapping *mapping;
	struct wire *wires;
	struct hash_key hash_key;                /* the mapping's */
	uint32_t tag_length;                     /* limits.tag_length */
	struct tail *tails;                      /* one for each output */
	struct guard *tag_guards[DIALECT_COUNT]; /* by tag key; NULL where no output uses the dialect */
	struct guard name_guard;
	struct relay relay;                      /* only where the mapping relays */
	const struct tag_list *input_tags;       /* of the input that gave the present event */
	uint64_t *values_limited;                /* by tag key: counts */
	uint64_t *names_limited;
	/* The first time that a key, or names (tag.at == NULL), go beyond their limit. */
	void (*limited)(void *context, struct span tag, uint32_t limit);
	void *context;
	char *text;    /* where an event's text and its options are put together */
	char *options;
	struct arena *arena;
};

/* -1 without memory; nothing of mapping, subject and counts is owned. */
int renderer_init(struct renderer *renderer, const struct mapping *mapping, struct subject *subject, uint64_t *values_limited,
                  uint64_t *names_limited) __attribute__((warn_unused_result));
void renderer_fini(struct renderer *renderer);

/* The name of a metric without the output's prefix. 0 where the template has an absent field or gives
 * nothing. NAME_AS_OTHER: what fields and identifier put in is `__other__`. out has room for NAME_MAX_LEN. */
enum name_use { NAME_AS_IT_IS, NAME_AS_OTHER };
size_t render_name(struct renderer *renderer, const struct metric *metric, char *out, enum name_use use);
/* Counts a templated name; false where there are too many. */
bool render_admits_name(struct renderer *renderer, struct span name);

/* `|ms`: how an output says the reading's type; at == NULL where it cannot. */
struct span render_type(const struct wire *wire, const struct reading *reading);

/* Whether anything comes of a DogStatsD event's title. */
bool render_has_title(struct renderer *renderer, const struct metric *metric);

/* Bytes that a renderer of this mapping takes at most: the guards and its buffers. */
size_t renderer_memory(const struct mapping *mapping);

/* Whether anything stands behind a rule's tags: those of the input, the configuration, the output. */
static inline bool render_has_common(const struct renderer *renderer, const struct wire *wire)
{
	return renderer->input_tags->count || renderer->mapping->tags.count || wire->form->tags.count;
}

/* tags.c: the metric's own tags, and where they may have keys of those behind them, these too; returns the end. */
char *render_own_tags(struct renderer *renderer, uint16_t output, const struct metric *metric, char *out);
/* Those behind them, into the output's tail. */
void render_tail(struct renderer *renderer, uint16_t output, struct tag_range rule_tags);
/* All tags of a line, with what opens and closes them: line_put_tags() of line.h, where it need not be inlined. */
char *render_tags(struct renderer *renderer, uint16_t output, const struct metric *metric, char *out);
/* tags_in_name: `.fetch.nightly`, absent ones as none: one segment for each key, at the place of the first tag that has it. The
 * name begins at `name`, and is cut where it becomes too long. */
char *render_name_tags(struct renderer *renderer, const struct metric *metric, char *name, char *out);

/* A whole line into out; its length, which may exceed LINE_OUT_MAX: then it cannot be sent. head: prefixes and name. */
size_t render_line(struct renderer *renderer, uint16_t output, const struct reading *reading, struct span head, char *out);

#endif
