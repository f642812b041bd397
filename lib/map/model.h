/* The model: what a configuration says, as plain data, before it is compiled. agent/settings fills it from YAML; tests
 * fill it by hand; mapping_compile() (map/mapping.h) turns it into the immutable object that events run through and
 * reports everything that cannot mean anything.
 *
 * Ownership: everything hangs in one arena; spans and arrays live as long as it does. A `struct text` with at == NULL was
 * not given. Arrays are pointer + count; lists that were not given have count 0. */
#ifndef STATSIDECAR_MAP_MODEL_H
#define STATSIDECAR_MAP_MODEL_H

#include <stdint.h>

#include "base/problem.h"
#include "base/span.h"

/* A text and where the configuration says it. */
struct text {
	struct span span;
	struct mark mark;
};

struct texts {
	struct text *items;
	size_t count;
};

/* tags: {step: "{step_name}"}; the value is a template, in rules and metrics; elsewhere a constant. An empty constant is
 * no tag. */
struct tag_model {
	struct text key;
	struct text value;
};

struct tags_model {
	struct tag_model *items;
	size_t count;
};

/* when: all must hold; any: one must. Each text is a condition (map/condition.h). */
struct conditions_model {
	struct texts all;
	struct texts any;
};

enum metric_kind {
	METRIC_COUNTER,
	METRIC_TIMER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
	METRIC_DISTRIBUTION,
	METRIC_SET,
	METRIC_RELAY,
	METRIC_EVENT,
	METRIC_SERVICE_CHECK,
	METRIC_KIND_COUNT,
};

enum unit { UNIT_NONE, UNIT_S, UNIT_MS, UNIT_US, UNIT_NS };

struct metric_model {
	enum metric_kind kind;
	struct text name;  /* template; for METRIC_EVENT the title, for METRIC_SERVICE_CHECK the check's name */
	struct text value; /* a field's name or a number */
	enum unit unit;
	struct text sample_rate; /* a number in (0, 1] */
	struct conditions_model when;
	struct tags_model tags;
	/* event: {title, text, alert, key, priority, source}; service_check: {name, status, message}. */
	struct text text;     /* the event's text, the service check's message: templates */
	struct text alert;    /* error | warning | info | success */
	struct text key;      /* template: aggregation key */
	struct text priority; /* normal | low */
	struct text source;   /* template: source type name */
	struct text status;   /* ok | warning | critical | unknown */
	struct mark mark;
};

struct rule_model {
	struct texts match; /* globs */
	struct text name;   /* label; not given: FILE:LINE of mark */
	struct tags_model tags;
	struct metric_model *metrics;
	size_t metric_count;
	bool is_continue;
	bool is_drop;
	bool is_replace;
	bool is_fallback;
	struct mark mark;
};

/* One file of rules: the own file first, then its includes depth first. */
struct file_model {
	const char *path; /* as users see it: FILE in FILE:LINE */
	struct text prefix;
	struct rule_model *rules;
	size_t rule_count;
};

struct catalogue_model {
	struct text name; /* canonical identifier */
	struct texts aliases;
	struct texts legacy; /* aliases whose use is counted */
	struct texts expects;
};

struct classify_pattern_model {
	struct texts find; /* any of these is found, any case */
	struct conditions_model when;
	struct text is;
	struct mark mark;
};

/* One entry of a standard field's list. */
struct field_variant_model {
	struct texts events; /* globs over canonical identifiers; none: every event */
	struct texts from;
	struct text between[2]; /* not given: at == NULL */
	struct text classify;   /* the field that is classified */
	struct classify_pattern_model *patterns;
	size_t pattern_count;
	struct text default_value;
	struct text missing;
	struct mark mark;
};

struct field_model {
	struct text name;
	struct field_variant_model *variants;
	size_t variant_count;
};

struct lifecycle_enter_model {
	struct text match; /* identifier or glob */
	struct text state;
};

struct lifecycle_transition_model {
	struct text from;
	struct texts to;
};

struct lifecycle_model {
	struct text name;
	struct texts key;
	struct lifecycle_enter_model *enter;
	size_t enter_count;
	struct lifecycle_transition_model *transitions;
	size_t transition_count;
	struct texts active;
	struct texts final;
	struct text duration_field; /* not given: no duration */
	struct text duration_state;
	struct text timestamp; /* a field; not given: receive times only */
	struct text in_flight; /* a gauge's name; not given: none */
	const char *prefix;    /* the prefix of the file that declares it: for in_flight */
	uint32_t max_entities;
	int64_t linger_ns;
	int64_t expire_ns;
	int64_t stuck_after_ns; /* 0: off */
	struct mark mark;
};

struct identify_model {
	struct texts fields;
	struct texts payload;
	struct texts strip;
};

enum input_format { FORMAT_AUTO, FORMAT_JSON, FORMAT_LOGFMT, FORMAT_STATSD };

/* What translation needs to know of an input. */
struct input_model {
	struct text label;
	enum input_format format;
	struct text event; /* the identifier of lines without one */
	bool unnamed_ignore;
	struct tags_model tags;
};

enum dialect {
	DIALECT_DOGSTATSD,
	DIALECT_STATSD,
	DIALECT_GRAPHITE,
	DIALECT_INFLUXDB,
	DIALECT_LIBRATO,
	DIALECT_SIGNALFX,
	DIALECT_COUNT,
};

enum timers_as { TIMERS_MS, TIMERS_HISTOGRAM, TIMERS_DISTRIBUTION };

/* What translation needs to know of an output. */
struct output_model {
	struct text label;
	enum dialect dialect;
	struct text prefix;
	struct texts filter; /* globs; "!glob" excludes; the last match decides; none: everything */
	enum timers_as timers;
	bool tags_in_name;
	struct tags_model tags; /* constants behind all others, where no other tag has their key (DD_ENV …, origin) */
	struct span suffix;     /* dogstatsd: "|c:…|e:…|card:…", ready for the wire; may be empty */
	uint32_t max_datagram;  /* bytes */
	bool is_imagined;       /* nobody reads it: an event's field may give the tags that the Datadog Agent takes for itself */
	struct mark mark;
};

struct tag_limit_model {
	struct text key;
	uint32_t limit;
};

struct limits_model {
	uint32_t line;       /* bytes, without the newline */
	uint32_t names;      /* different templated names */
	uint32_t tag_values; /* different values of one key, where tag_value_limits has none of its own */
	struct tag_limit_model *tag_value_limits;
	size_t tag_value_limit_count;
	uint32_t tag_length; /* bytes */
};

enum outcome {
	OUTCOME_MAPPED,
	OUTCOME_FALLBACK,
	OUTCOME_DROPPED,
	OUTCOME_EMPTY,
	OUTCOME_UNMAPPED,
	OUTCOME_UNNAMED,
	OUTCOME_MALFORMED,
	OUTCOME_OVERSIZE,
	OUTCOME_COUNT,
};

/* tests: each runs on its own, from fresh lifecycles. */
struct test_model {
	struct text name;
	struct texts events; /* lines, JSON or logfmt */
	struct texts expect; /* metric lines; empty where an outcome is expected */
	struct text outcome; /* `unmapped`, `dropped`, …: the outcome of every event; not given: lines are expected */
	int64_t wait_ns;     /* passes behind each event */
	struct mark mark;
};

struct model {
	struct file_model *files; /* the order in which they are asked */
	size_t file_count;
	struct identify_model identify;
	struct catalogue_model *catalogue;
	size_t catalogue_count;
	struct field_model *fields;
	size_t field_count;
	struct lifecycle_model *lifecycles;
	size_t lifecycle_count;
	struct tags_model tags; /* global, constants */
	struct input_model *inputs;
	size_t input_count;
	struct output_model *outputs;
	size_t output_count;
	struct test_model *tests;
	size_t test_count;
	struct limits_model limits;
};

/* Names as users write them; index by the enum. */
extern const char *const metric_kind_names[METRIC_KIND_COUNT];
extern const char *const dialect_names[DIALECT_COUNT];
extern const char *const outcome_names[OUTCOME_COUNT];

#endif
