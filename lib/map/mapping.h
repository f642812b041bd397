/* The mapping: one configuration, compiled. Immutable once built; a reload builds another. Everything hangs in one arena.
 *
 *     catalogue   identifier as written -> canonical one            map/catalogue.h
 *     fields      standard payload                                  map/field.h
 *     rules       canonical identifier -> rules that match          map/match.h
 *     metrics     what a rule makes: name, value, tags, conditions
 *
 * The index of a rule, expectation, legacy name or tag key is also its place in the accounts. */
#ifndef STATSIDECAR_MAP_MAPPING_H
#define STATSIDECAR_MAP_MAPPING_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/pattern.h"
#include "base/problem.h"
#include "map/condition.h"
#include "map/model.h"
#include "map/template.h"

struct catalogue;
struct matcher;
struct lifecycle;

/* The fields of the events that lifecycles make: lifecycle.invalid_transition, lifecycle.stuck. */
enum derived { DERIVED_LIFECYCLE, DERIVED_ENTITY, DERIVED_FROM, DERIVED_TO, DERIVED_STATE, DERIVED_COUNT };

struct tag {
	uint32_t id;      /* counts all tags of the mapping; those of a list follow each other */
	uint16_t key;     /* index into tag_keys */
	bool is_repeat;   /* a tag before it, in some list it can meet, has this key too: of one key the first counts */
	bool is_constant; /* else its values come from events: counted against limits.tag_values */
	struct template value;
	struct span constant;
};

/* Whether the Datadog Agent takes a tag of this key for itself: no event may set it there. */
bool tag_key_is_reserved(struct span key);

struct tag_list {
	struct tag *items;
	uint32_t first; /* its id */
	uint16_t count;
};

/* A list by the ids of its tags. */
struct tag_range {
	uint32_t first;
	uint16_t count;
};

static inline struct tag_range tag_range(const struct tag_list *list)
{
	return (struct tag_range){list->first, list->count};
}

struct metric_value {
	struct span constant; /* a number, as it goes out */
	struct reference field;
	bool is_constant;
};

struct rule;

struct metric {
	/* What every event asks for, in one line of the cache; the rule is none of it. */
	struct rule *rule;
	struct metric_value value;
	struct tag_list tags; /* its own */
	uint8_t kind;         /* enum metric_kind */
	int8_t shift;         /* the unit: value * 10^shift is what goes out */
	bool is_sampled;
	bool shares_tail; /* none of its own tags has a key of the tags behind them */
	bool has_conditions;
	bool is_negative; /* a constant below 0 */
	struct tag_range rule_tags;
	/* What few ask for. */
	struct span sample_text;   /* `|@0.5` */
	uint32_t sample_threshold; /* of 2^32: below it the metric is emitted */
	uint8_t status;            /* 0 ok, 1 warning, 2 critical, 3 unknown */
	bool has_text, has_aggregation_key, has_source;
	struct template name;
	struct conditions when;
	struct span alert;    /* as DogStatsD writes it; len 0: not given */
	struct span priority; /* likewise */
	struct template text;
	struct template aggregation_key;
	struct template source;
	struct mark mark;
} __attribute__((aligned(64)));

struct rule {
	uint32_t index;
	uint32_t account; /* the first rule of this label: what is told of them is told as one */
	uint32_t file; /* index into files */
	struct span label;
	const struct rule_model *model;
	struct pattern *patterns;
	uint16_t pattern_count;
	bool is_continue, is_drop, is_replace, is_fallback;
	struct tag_list tags; /* the rule's; input's and global ones follow from the mapping */
	struct metric *metrics;
	uint32_t metric_count;
};

/* How a value of a standard field is found, for one of the field's variants. */
struct classify_pattern {
	struct span *find;
	uint16_t find_count;
	struct conditions when;
	struct span is;
};

struct field_variant {
	struct pattern *events;
	uint16_t event_count; /* 0: every event */
	uint16_t *from;       /* payload references */
	uint16_t from_count;
	bool has_between, has_classify, has_default, has_missing;
	uint16_t between[2];
	struct reference classify;
	struct classify_pattern *patterns;
	uint16_t pattern_count;
	struct span default_value;
	struct span missing;
};

struct field {
	struct span name;
	struct field_variant *variants;
	uint16_t variant_count;
	uint16_t own; /* payload reference of its own name: what it means where no variant applies */
};

/* One `expects` of one event: what satisfies it. */
struct expectation {
	uint32_t index; /* in the accounts */
	struct span event;
	struct span field;
	uint16_t *any; /* payload references */
	uint16_t any_count;
};

struct legacy_name {
	struct span alias;
	struct span event;
};

/* What an output takes, and in which words (emit/wire.h makes the bytes). */
struct output_form {
	struct span label;
	uint8_t dialect;
	struct span prefix;
	struct pattern *filter;
	bool *filter_excludes;
	uint16_t filter_count;
	uint8_t timers; /* enum timers_as */
	bool tags_in_name;
	struct tag_list tags; /* behind all others */
	struct span suffix;
	uint32_t max_datagram;
};

struct input_form {
	struct span label;
	uint8_t format;
	struct span event;
	bool unnamed_ignore;
	struct tag_list tags;
};

struct mapping {
	struct arena *arena;
	const struct model *model;
	struct fieldset fieldset;
	struct payload_reference *payload;
	uint16_t payload_count;
	uint16_t identify[16]; /* locations of identify.fields */
	uint16_t identify_count;
	struct span *strip;
	uint16_t strip_count;
	struct catalogue *catalogue;
	struct field *fields;
	uint16_t field_count;
	struct rule *rules;
	uint32_t rule_count;
	struct matcher *matcher;
	struct matcher *fallbacks;
	struct tag_list tags; /* global */
	struct input_form *inputs;
	uint16_t input_count;
	struct output_form *outputs;
	uint16_t output_count;
	struct span *tag_keys;
	uint32_t *tag_limits;
	uint16_t tag_key_count;
	uint32_t tag_count;
	struct expectation *expectations;
	uint32_t expectation_count;
	struct legacy_name *legacy;
	uint32_t legacy_count;
	uint32_t metric_count;
	struct lifecycle *lifecycles;
	uint16_t lifecycle_count;
	uint16_t derived[DERIVED_COUNT]; /* their locations; only where there are lifecycles */
	struct limits_model limits;
	bool has_relay;              /* some metric relays StatsD lines; then: */
	uint16_t relay_key;          /* the tag key under which limits of relayed tags are counted */
	struct reference relay_type; /* the fields `type` and `rate` of a StatsD line */
	struct reference relay_rate;
	struct hash_key hash_key;
};

/* NULL where a fault was found; all faults are added to problems. The model (and its arena) is borrowed and must live as
 * long as the mapping. */
struct mapping *mapping_compile(const struct model *model, const struct hash_key *key, struct problems *problems);
void mapping_free(struct mapping *mapping);

#endif
