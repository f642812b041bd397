/* rules: [{match: step.completed, metrics: [{counter: step.completed}, …]}, …] */
#include "base/decimal.h"
#include "settings/fault.h"
#include "settings/scalar.h"
#include "settings/source.h"
#include "settings/value.h"

static const char *const unit_names[] = {"s", "ms", "us", "ns", NULL};
static const char *const alert_names[] = {"error", "warning", "info", "success", NULL};
static const char *const priority_names[] = {"normal", "low", NULL};
static const char *const status_names[] = {"ok", "warning", "critical", "unknown", NULL};

/* What each kind takes beside when, any and tags. */
enum { VALUE_TAKES = 1, VALUE_NEEDS = 2, UNIT_TAKES = 4, UNIT_NEEDS = 8, RATE_TAKES = 16 };

static const unsigned kind_takes[METRIC_KIND_COUNT] = {
	[METRIC_COUNTER] = VALUE_TAKES | RATE_TAKES,
	[METRIC_TIMER] = VALUE_TAKES | VALUE_NEEDS | UNIT_TAKES | UNIT_NEEDS | RATE_TAKES,
	[METRIC_GAUGE] = VALUE_TAKES | VALUE_NEEDS,
	[METRIC_HISTOGRAM] = VALUE_TAKES | VALUE_NEEDS | UNIT_TAKES | RATE_TAKES,
	[METRIC_DISTRIBUTION] = VALUE_TAKES | VALUE_NEEDS | UNIT_TAKES | RATE_TAKES,
	[METRIC_SET] = VALUE_TAKES | VALUE_NEEDS,
};

/* The keys that name a kind are read first, by metric_kind_read(). */
static void read_kind(struct reader *reader, const struct node *node, void *target)
{
	(void)reader;
	(void)node;
	(void)target;
}

#define KIND(name, words)                                                                               \
	{                                                                                               \
		.key = (name), .type = SETTING_OWN, .read = read_kind, .takes = "template", .help = (words) \
	}

static const struct setting metric_settings[] = {
	KIND("counter", "counts: the name of the counter"),
	KIND("timer", "measures a duration, goes out in milliseconds: the name of the timer"),
	KIND("gauge", "says how much there is: the name of the gauge"),
	KIND("histogram", "a distribution of values, computed by the Agent: its name"),
	KIND("distribution", "a distribution of values, computed by the server: its name"),
	KIND("set", "counts different values: the name of the set"),
	KIND("relay", "sends what a StatsD line brought again, with its type, value, rate and tags: its new name"),
	{.key = "event", .type = SETTING_OWN, .read = read_kind, .takes = "map",
	 .help = "an event in Datadog's stream"},
	{.key = "service_check", .type = SETTING_OWN, .read = read_kind, .takes = "map",
	 .help = "a Datadog service check"},
	{.key = "value", .type = SETTING_TEXT, .offset = offsetof(struct metric_model, value),
	 .shown = "1 for a counter, else required", .help = "a field's name, or a number"},
	{.key = "unit", .type = SETTING_CHOICE, .offset = offsetof(struct metric_model, unit), .min = UNIT_S,
	 .choices = unit_names, .shown = "required on timers, else none",
	 .help = "of the value, which goes out in milliseconds; histogram and distribution without one: as it is"},
	{.key = "when", .type = SETTING_TEXTS, .offset = offsetof(struct metric_model, when.all),
	 .takes = "list of conditions", .help = "conditions, all of which must hold"},
	{.key = "any", .type = SETTING_TEXTS, .offset = offsetof(struct metric_model, when.any),
	 .takes = "list of conditions", .help = "conditions, one of which must hold"},
	{.key = "tags", .type = SETTING_TEMPLATE_TAGS, .offset = offsetof(struct metric_model, tags),
	 .help = "tags of this metric; they come first"},
	{.key = "sample_rate", .type = SETTING_TEXT, .offset = offsetof(struct metric_model, sample_rate),
	 .takes = "number", .shown = "1",
	 .help = "the share that is sent, above 0 and at most 1; not for gauges and sets"},
};

const struct table metric_table = {"a metric", "rules[].metrics[]", metric_settings, ARRAY_LEN(metric_settings)};

static const struct setting event_settings[] = {
	{.key = "title", .type = SETTING_TEMPLATE, .flags = SETTING_REQUIRED,
	 .offset = offsetof(struct metric_model, name), .help = "the event's title"},
	{.key = "text", .type = SETTING_TEMPLATE, .flags = SETTING_REQUIRED,
	 .offset = offsetof(struct metric_model, text), .help = "the event's text"},
	{.key = "alert", .type = SETTING_TEXT, .offset = offsetof(struct metric_model, alert), .shown = "info",
	 .takes = "error, warning, info or success",
	 .help = "how it is shown"},
	{.key = "key", .type = SETTING_TEMPLATE, .offset = offsetof(struct metric_model, key),
	 .help = "events of one key are shown as one"},
	{.key = "priority", .type = SETTING_TEXT, .offset = offsetof(struct metric_model, priority), .shown = "normal",
	 .takes = "normal or low", .help = "whether it is shown at all times"},
	{.key = "source", .type = SETTING_TEMPLATE, .offset = offsetof(struct metric_model, source),
	 .help = "the name of the source type"},
};

const struct table event_table = {"an event", "rules[].metrics[].event", event_settings, ARRAY_LEN(event_settings)};

static const struct setting service_check_settings[] = {
	{.key = "name", .type = SETTING_TEMPLATE, .flags = SETTING_REQUIRED,
	 .offset = offsetof(struct metric_model, name), .help = "the name of the check; prefixes come before it"},
	{.key = "status", .type = SETTING_TEXT, .flags = SETTING_REQUIRED,
	 .offset = offsetof(struct metric_model, status), .takes = "ok, warning, critical or unknown",
	 .help = "the status"},
	{.key = "message", .type = SETTING_TEMPLATE, .offset = offsetof(struct metric_model, text),
	 .help = "what the check says"},
};

const struct table service_check_table = {"a service check", "rules[].metrics[].service_check", service_check_settings,
                                          ARRAY_LEN(service_check_settings)};

static bool has_choice(struct reader *reader, const char *name, const struct text *text, const char *const *choices)
{
	return !text->span.at || value_choice_text(reader, name, text, choices) >= 0;
}

static bool metric_map_read(struct reader *reader, const struct table *table, const struct node *node,
                            struct metric_model *metric)
{
	if (!value_is_map(reader, metric_kind_names[metric->kind], node)) {
		if (node_is_nothing(node))
			fault(reader->problems, node->mark, "%s needs `%s`", table->what, table->settings[0].key);
		return false;
	}
	(void)table_read(reader, table, node, metric);
	bool is_well = has_choice(reader, "alert", &metric->alert, alert_names);
	is_well = has_choice(reader, "priority", &metric->priority, priority_names) && is_well;
	is_well = has_choice(reader, "status", &metric->status, status_names) && is_well;
	return is_well && metric->name.span.at;
}

/* The kind and the name; false where there is none that can be used. */
static bool metric_kind_read(struct reader *reader, const struct node *node, struct metric_model *metric)
{
	const struct node_entry *found = NULL;
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		for (int kind = 0; kind < METRIC_KIND_COUNT; kind++) {
			if (!span_is(entry->key->raw, metric_kind_names[kind]))
				continue;
			if (found && !span_equal(found->key->raw, entry->key->raw)) {
				fault(reader->problems, entry->key->mark,
				      "a metric is of one kind: `%.*s` stands here already; begin a new one with -",
				      FAULT_ARG(found->key->raw));
				return false;
			}
			found = entry;
			metric->kind = (enum metric_kind)kind;
		}
	}
	if (!found) {
		bool is_misspelt = false; /* said by table_read() */
		for (size_t i = 0; i < node->count; i++)
			is_misspelt |= !table_find(&metric_table, node->entries[i].key->raw);
		if (!node->is_cut && !is_misspelt)
			fault(reader->problems, node->mark,
			      "a metric needs its kind and name: counter, timer, gauge, histogram, distribution, set, "
			      "relay, event or "
			      "service_check");
		return false;
	}
	if (metric->kind == METRIC_EVENT)
		return metric_map_read(reader, &event_table, found->value, metric);
	if (metric->kind == METRIC_SERVICE_CHECK)
		return metric_map_read(reader, &service_check_table, found->value, metric);
	return value_template(reader, metric_kind_names[metric->kind], found->value, &metric->name);
}

static void metric_check_key(struct reader *reader, const struct node *node, const char *key, unsigned takes)
{
	static const char *const articles[METRIC_KIND_COUNT] = {
		"a counter", "a timer", "a gauge",  "a histogram",     "a distribution",
		"a set",     "a relay", "an event", "a service check",
	};
	const struct node_entry *entry = node_find(node, key);
	if (!entry)
		return;
	char kinds[160] = "";
	size_t len = 0;
	for (int kind = 0; kind < METRIC_KIND_COUNT; kind++)
		if (kind_takes[kind] & takes)
			len += (size_t)snprintf(kinds + len, sizeof(kinds) - len, "%s%s", len ? ", " : "",
			                        articles[kind]);
	fault(reader->problems, entry->key->mark, "`%s` has no meaning here: it belongs to %s", key, kinds);
}

/* Whether the metric has what its kind needs; what it must not have is reported. */
static bool metric_check(struct reader *reader, const struct node *node, const struct metric_model *metric)
{
	unsigned takes = kind_takes[metric->kind];
	const char *kind = metric_kind_names[metric->kind];
	bool is_well = true;
	if (!(takes & VALUE_TAKES))
		metric_check_key(reader, node, "value", VALUE_TAKES);
	if (!(takes & UNIT_TAKES))
		metric_check_key(reader, node, "unit", UNIT_TAKES);
	if (!(takes & RATE_TAKES))
		metric_check_key(reader, node, "sample_rate", RATE_TAKES);
	if (takes & VALUE_NEEDS && !node_find(node, "value")) {
		is_well = false;
		if (!node->is_cut)
			fault(reader->problems, node->mark, "a %s needs `value`: a field's name or a number", kind);
	}
	if (takes & UNIT_NEEDS && !node_find(node, "unit") && !node->is_cut)
		fault(reader->problems, node->mark, "a timer needs `unit`, that of its value: s, ms, us or ns");
	if (takes & VALUE_NEEDS && !metric->value.span.at)
		is_well = false;
	return is_well;
}

static void metric_check_rate(struct reader *reader, struct metric_model *metric)
{
	struct decimal rate, one;
	const struct text *text = &metric->sample_rate;
	if (!text->span.at)
		return;
	if (decimal_parse(&one, SPAN("1")) == 0 && decimal_parse(&rate, text->span) == 0 && !rate.negative &&
	    !decimal_is_zero(&rate) && decimal_compare(&rate, &one) <= 0)
		return;
	fault(reader->problems, text->mark, "`sample_rate: %.*s`: write a number above 0 and at most 1, such as 0.1",
	      FAULT_ARG(text->span));
	metric->sample_rate = (struct text){0};
}

static bool read_metric(struct reader *reader, const struct node *node, struct metric_model *metric)
{
	metric->mark = node->mark;
	bool has_kind = metric_kind_read(reader, node, metric);
	(void)table_read(reader, &metric_table, node, metric);
	metric_check_rate(reader, metric);
	return has_kind && metric_check(reader, node, metric) && !node->is_cut;
}

static void read_metrics(struct reader *reader, const struct node *node, void *target)
{
	struct rule_model *rule = target;
	if (!value_is_list(reader, "metrics", node))
		return;
	rule->metrics = arena_array(reader->arena, node->count + 1, sizeof(*rule->metrics));
	rule->metric_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		struct metric_model metric = {.kind = METRIC_COUNTER};
		const struct node *item = node->items[i];
		if (item->kind != NODE_MAP && !item->is_faulty)
			fault(reader->problems, item->mark, "a metric is a map, such as {counter: NAME}, not %s",
			      value_kind(item));
		else if (item->kind == NODE_MAP && read_metric(reader, item, &metric))
			rule->metrics[rule->metric_count++] = metric;
	}
}

static const struct setting rule_settings[] = {
	{.key = "match", .type = SETTING_TEXTS, .flags = SETTING_REQUIRED,
	 .offset = offsetof(struct rule_model, match), .takes = "list of globs",
	 .help = "an identifier, a glob, or a list of them"},
	{.key = "name", .type = SETTING_TEXT, .offset = offsetof(struct rule_model, name), .shown = "FILE:LINE",
	 .help = "the rule's label"},
	{.key = "tags", .type = SETTING_TEMPLATE_TAGS, .offset = offsetof(struct rule_model, tags),
	 .help = "tags of all metrics of this rule"},
	{.key = "metrics", .type = SETTING_OWN, .read = read_metrics, .takes = "list of maps",
	 .help = "what goes out for an event that matches"},
	{.key = "continue", .type = SETTING_BOOL, .offset = offsetof(struct rule_model, is_continue),
	 .fallback = "false", .help = "later rules of the file are asked too"},
	{.key = "drop", .type = SETTING_BOOL, .offset = offsetof(struct rule_model, is_drop), .fallback = "false",
	 .help = "the event ends here, for all files"},
	{.key = "replace", .type = SETTING_BOOL, .offset = offsetof(struct rule_model, is_replace),
	 .fallback = "false", .help = "later files are not asked"},
	{.key = "fallback", .type = SETTING_BOOL, .offset = offsetof(struct rule_model, is_fallback),
	 .fallback = "false", .help = "acts only where no other rule of any file matched"},
};

const struct table rule_table = {"a rule", "rules[]", rule_settings, ARRAY_LEN(rule_settings)};

static void rule_check(struct reader *reader, const struct node *node, const struct rule_model *rule)
{
	const struct node_entry *match = node_find(node, "match");
	if (match && match->value->kind == NODE_LIST && match->value->count == 0 && !node->is_cut)
		fault(reader->problems, match->value->mark,
		      "`match` needs an identifier or a glob; \"**\" matches every event");
	if (!rule->is_drop)
		return;
	const struct node_entry *metrics = node_find(node, "metrics"), *more = node_find(node, "continue");
	if (metrics)
		fault(reader->problems, metrics->key->mark,
		      "`drop: true` ends the event, so that these metrics never go out: remove one of the two");
	if (more && rule->is_continue)
		fault(reader->problems, more->key->mark, "`drop: true` ends the event: remove it, or `continue`");
}

/* Whether later rules are reached depends on a flag that cannot be read. */
static bool is_doubtful(const struct node *node, const char *key)
{
	const struct node_entry *entry = node_find(node, key);
	const char *why;
	bool flag;
	return entry && (entry->value->kind != NODE_SCALAR || scalar_bool(&flag, entry->value->text, &why) < 0);
}

void read_rules(struct reader *reader, const struct node *node, void *target)
{
	struct source *source = target;
	if (!value_is_list(reader, "rules", node))
		return;
	source->rules = arena_array(reader->arena, node->count + 1, sizeof(*source->rules));
	source->rule_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		const struct node *item = node->items[i];
		struct rule_model rule = {.mark = item->mark};
		if (item->kind != NODE_MAP) {
			if (!item->is_faulty)
				fault(reader->problems, item->mark,
				      "a rule is a map, such as {match: GLOB, metrics: […]}, not %s", value_kind(item));
			continue;
		}
		(void)table_read(reader, &rule_table, item, &rule);
		rule_check(reader, item, &rule);
		if (rule.match.count && !item->is_cut && !is_doubtful(item, "continue") &&
		    !is_doubtful(item, "fallback"))
			source->rules[source->rule_count++] = rule;
	}
}
