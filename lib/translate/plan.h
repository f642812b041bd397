/* A plan is what an identifier leads to, worked out once: canonical name, the rules that match, what each star caught, names ready
 * for each output. Plans are kept in bounded memory, found by the identifier as events write it, and forgotten all at
 * once when the memory is full: working one out again is all that it costs. */
#ifndef STATSIDECAR_TRANSLATE_PLAN_H
#define STATSIDECAR_TRANSLATE_PLAN_H

#include "base/vector.h"
#include "emit/render.h"
#include "map/catalogue.h"
#include "map/lifecycle.h"
#include "map/match.h"
#include "translate/tally.h"

enum plan_name {
	PLAN_NAME_READY,     /* a literal name, or one made of the identifier that is counted against limits.names */
	PLAN_NAME_UNCOUNTED, /* made of the identifier; not yet counted */
	PLAN_NAME_BY_EVENT,  /* has fields: rendered for each event */
	PLAN_NAME_NONE,      /* nothing comes of its template: never emitted */
	PLAN_NAME_TITLE,     /* a DogStatsD event has none, but a title */
};

struct plan_head {
	char *at;
	size_t len;
};

struct plan_metric {
	const struct metric *metric;
	uint32_t filtered; /* one bit an output: it is not sent there */
	uint8_t name;      /* enum plan_name */
	bool is_special;   /* it takes the long way of make.c */
	struct plan_head *heads; /* by output: prefixes and name */
};

struct plan_rule {
	struct plan_metric *metrics;
	struct span *captures;
	const struct rule *rule;
	uint32_t account; /* the rule's */
	uint32_t metric_count;
};

struct plan {
	struct span text; /* the identifier as written */
	struct identity identity;
	const struct known_event *known; /* NULL: not in the catalogue */
	struct plan_rule *rules;
	uint32_t rule_count;
	bool is_dropped;
	bool is_fallback;
	const uint8_t *variants; /* by standard field: the variant that applies, from 1 */
	uint8_t *enters;   /* by lifecycle: the state that is entered, or STATE_NONE; NULL: it moves nothing */
	struct tally_place seen;
};

/* Plans that a core's own cache holds, more or less. */
enum { PLANS_NEAR = 500 };

struct plan_slot {
	uint32_t hash; /* half of it */
	uint32_t at;   /* the plan's place in memory, counted in PLAN_ALIGNMENT; 0: none */
	const struct metric *metrics; /* its first rule's */
};

struct plans {
	const struct mapping *mapping;
	struct renderer *renderer;
	struct plan_slot *slots;
	uint32_t slot_mask;
	uint32_t count;
	char *block;
	char *memory; /* in block; a plan and all that it has stand together: few lines of the cache for an identifier */
	size_t size;
	size_t used;
	struct plan *last;       /* that was asked for; NULL: forgotten */
	const uint8_t *variants; /* those of the plan before, which most plans share */
	struct match *matches; /* room for every rule */
	uint64_t resets;
};

int plans_init(struct plans *plans, const struct mapping *mapping, struct renderer *renderer) __attribute__((warn_unused_result));
void plans_fini(struct plans *plans);
/* Bytes that plans of this mapping take at most. */
size_t plans_memory(const struct mapping *mapping);

/* Begins to fetch the plan of an identifier that will be asked for soon; text as below. Worth it where there are many plans. */
void plans_foresee(struct plans *plans, struct span text);
static inline bool plans_are_many(const struct plans *plans)
{
	return plans->count > PLANS_NEAR;
}

/* Both texts have SCAN_PAD bytes behind them. */
static inline bool plan_is_of(const struct plan *plan, struct span text)
{
	if (plan->text.len != text.len)
		return false;
	if (text.len > 32)
		return span_equal(plan->text, text);
	return (vector_equal(plan->text.at, text.at) | (uint32_t)(UINT64_MAX << text.len)) == UINT32_MAX;
}

/* The slow part of the next one. */
struct plan *plans_find_by_hash(struct plans *plans, struct span text);

/* The plan of an identifier, or NULL where text, which has SCAN_PAD bytes behind it, is none. Valid until the next call. Events of
 * one kind often follow each other. */
static inline struct plan *plans_find(struct plans *plans, struct span text)
{
	return plans->last && plan_is_of(plans->last, text) ? plans->last : plans_find_by_hash(plans, text);
}

/* A metric of no rule's, for good: its heads hang in arena. */
void plan_metric_init(struct plan_metric *plan, const struct metric *metric, struct renderer *renderer, struct arena *arena);

/* Writes prefixes and name for each output into heads, which have room for them or for NAME_MAX_LEN, and says which outputs do not
 * take it. */
uint32_t plan_write_heads(const struct renderer *renderer, const struct metric *metric, struct span name,
                          struct plan_head *heads);

#endif
