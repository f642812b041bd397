#include "mixed.h"

#include <stdio.h>

static struct metric_model step_metrics[] = {
	COUNTER("step", .tags = TAGS(TAG("step", "{step_name}"))),
	TIMER("step.duration", "duration", UNIT_S, .tags = TAGS(TAG("error", "{error_type}"))),
	GAUGE("temperature", "temperature"),
	METRIC_OF(METRIC_SET, "users", .value = T("user")),
	METRIC_OF(METRIC_EVENT, "{step_name} done", .text = T("{note}"), .key = T("{step_name}")),
	METRIC_OF(METRIC_SERVICE_CHECK, "step", .text = T("{note}"), .status = T("ok")),
	COUNTER("sampled.{event.1}", .sample_rate = T("0.5")),
	COUNTER("retries", WHEN(T("attempt > 1"))),
};

static struct rule_model own_rules[] = {
	RULE(MATCH("order.*"), METRICS(COUNTER("orders.{1}", .tags = TAGS(TAG("kind", "{kind}")))),
             .is_continue = true),
	RULE(MATCH("debug.**"), .is_drop = true),
	RULE(MATCH("quiet.*"), METRICS(GAUGE("quiet", "v")), .is_replace = true),
	RULE(MATCH("relayed.**"),
             METRICS({.kind = METRIC_RELAY, .name = T("{event}"), .mark = {"test.yaml", __LINE__, 1}})),
};

static struct rule_model pack_rules[] = {
	RULE(MATCH("step.completed"), .metrics = step_metrics, .metric_count = ARRAY_LEN(step_metrics),
             .tags = TAGS(TAG("task", "{task}"), TAG("step", "{task}"))),
	RULE(MATCH("order.*"), METRICS(COUNTER("o"))),
	RULE(MATCH("quiet.**"), METRICS(COUNTER("never"))),
	RULE(MATCH("custom.**"), METRICS(COUNTER("{event}")), .is_fallback = true),
};

static struct file_model files[] = {
	FILE_OF(.prefix = T("own."), .rules = own_rules, .rule_count = ARRAY_LEN(own_rules)),
	FILE_OF(.prefix = T("pack."), .rules = pack_rules, .rule_count = ARRAY_LEN(pack_rules)),
};

static struct field_variant_model duration[] = {
	{.from = TEXTS(T("duration"), T("took")), .between = {T("started_at"), T("completed_at")}}};
static struct field_variant_model attempt[] = {{.from = TEXTS(T("attempt")), .default_value = T("1")}};
static struct classify_pattern_model classes[] = {{.find = TEXTS(T("Timeout")), .is = T("timeout")}};
static struct field_variant_model error_type[] = {{.classify = T("class"),
                                                   .patterns = classes,
                                                   .pattern_count = 1,
                                                   .default_value = T("other"),
                                                   .missing = T("unknown")}};
static struct field_model fields[] = {
	{.name = T("duration"), .variants = duration, .variant_count = 1},
	{.name = T("attempt"), .variants = attempt, .variant_count = 1},
	{.name = T("error_type"), .variants = error_type, .variant_count = 1},
};

static struct catalogue_model catalogue[] = {
	{.name = T("step.completed"),
         .legacy = TEXTS(T("Steps::COMPLETE")),
         .expects = TEXTS(T("step_name"), T("duration"))},
	{.name = T("order.created"), .aliases = TEXTS(T("Order::CREATED"))},
};

static struct input_model inputs[] = {
	{.label = T("in"), .tags = TAGS(TAG("via", "in"))},
	{.label = T("statsd"), .format = FORMAT_STATSD},
};

static struct output_model outputs[MIXED_OUTPUTS] = {
	{.label = T("a"), .dialect = DIALECT_DOGSTATSD, .prefix = T("x.")},
	{.label = T("b"), .dialect = DIALECT_STATSD, .tags_in_name = true, .max_datagram = 512},
	{.label = T("c"), .dialect = DIALECT_GRAPHITE, .filter = TEXTS(T("**"), T("!own.**"), T("own.orders.created"))},
	{.label = T("d"), .dialect = DIALECT_DOGSTATSD, .max_datagram = 8192},
};

static struct text strip[] = {T("app.")};

const struct model mixed_model = {
	.files = files,
	.file_count = ARRAY_LEN(files),
	.fields = fields,
	.field_count = ARRAY_LEN(fields),
	.catalogue = catalogue,
	.catalogue_count = ARRAY_LEN(catalogue),
	.inputs = inputs,
	.input_count = ARRAY_LEN(inputs),
	.outputs = outputs,
	.output_count = ARRAY_LEN(outputs),
	.identify.strip = {strip, 1},
	.tags = TAGS(TAG("env", "test")),
	/* Few enough that the guards fill up. */
	.limits = {.line = MIXED_LINE_MAX, .names = 500, .tag_values = 100},
};

/* ---- events: JSON objects that can stand in batches too ---- */

static void count(struct mixed *mixed, enum outcome outcome, unsigned made)
{
	mixed->events++;
	mixed->outcomes[outcome]++;
	mixed->made += made;
}

static int write_step(struct mixed *mixed, char *out)
{
	const uint32_t number = random_below(&mixed->seed, 200);
	count(mixed, OUTCOME_MAPPED, 8);
	mixed->sampled++;
	return sprintf(out,
	               "{\"event\":\"app.step.completed\",\"payload\":{\"step_name\":\"fetch "
	               "%u\\n\\u00e9\",\"task\":\"t%u\",\"duration\":%u.%u,"
	               "\"class\":\"Net::Timeout\",\"temperature\":-%u.5,\"user\":\"u|%u\",\"note\":\"it \\\"took\\\" "
	               "long\",\"attempt\":2}}",
	               number, number % 7, number, number, number, number);
}

static int write_between(struct mixed *mixed, char *out)
{
	count(mixed, OUTCOME_MAPPED, 5);
	mixed->sampled++;
	return sprintf(out, "{\"event\":\"Steps::COMPLETE\",\"step_name\":\"s\",\"started_at\":\"2024-05-01T12:00:"
	                    "00Z\",\"completed_at\":\"2024-05-01T12:00:01.5Z\","
	                    "\"ignored\":{\"deep\":[1,2,{\"deeper\":null}]}}");
}

static int write_order(struct mixed *mixed, char *out)
{
	count(mixed, OUTCOME_MAPPED, 2);
	return sprintf(out, "{\"type\":\"Order::CREATED\",\"specversion\":\"1.0\",\"data\":{\"kind\":\"k%u\"}}",
	               random_below(&mixed->seed, 300));
}

static int write_debug(struct mixed *mixed, char *out)
{
	count(mixed, OUTCOME_DROPPED, 0);
	return sprintf(out, "{ \"event\" : \"debug.a.b\" }");
}

static int write_quiet(struct mixed *mixed, char *out)
{
	count(mixed, OUTCOME_MAPPED, 1);
	return sprintf(out, "{\"event\":\"quiet.a\",\"v\":\"-%u\"}", random_below(&mixed->seed, 1000));
}

static int write_empty(struct mixed *mixed, char *out)
{
	static const char *const values[] = {"null", "{}", "\"x\"", "true"};
	count(mixed, OUTCOME_EMPTY, 0);
	return sprintf(out, "{\"event\":\"quiet.a\",\"v\":%s}", values[random_below(&mixed->seed, ARRAY_LEN(values))]);
}

static int write_custom(struct mixed *mixed, char *out)
{
	count(mixed, OUTCOME_FALLBACK, 1);
	return sprintf(out, "{\"event\":\"custom.n%u\"}", random_below(&mixed->seed, 20000));
}

static int write_other(struct mixed *mixed, char *out)
{
	count(mixed, OUTCOME_UNMAPPED, 0);
	return sprintf(out, "{\"event\":\"other.n%u\"}", random_below(&mixed->seed, 20000));
}

static int write_unnamed(struct mixed *mixed, char *out)
{
	static const char *const objects[] = {"{}", "{\"event\":\"9\"}", "{\"event\":5,\"x\":{\"event\":\"a\"}}",
	                                      "{\"event\":\"a b\"}"};
	count(mixed, OUTCOME_UNNAMED, 0);
	return sprintf(out, "%s", objects[random_below(&mixed->seed, ARRAY_LEN(objects))]);
}

typedef int write_function(struct mixed *mixed, char *out);
static write_function *const objects[] = {write_step,  write_step,  write_between, write_order, write_debug,
                                          write_quiet, write_empty, write_custom,  write_other, write_unnamed};

static int write_object(struct mixed *mixed, char *out)
{
	return objects[random_below(&mixed->seed, ARRAY_LEN(objects))](mixed, out);
}

/* ---- lines ---- */

static int write_logfmt(struct mixed *mixed, char *out)
{
	const uint32_t number = random_below(&mixed->seed, 1000);
	count(mixed, OUTCOME_MAPPED, 5);
	mixed->sampled++;
	return sprintf(out, "step.completed step_name=\"page \\\"%u\\\"\" took=%u final", number, number);
}

static int write_negative(struct mixed *mixed, char *out)
{
	count(mixed, OUTCOME_MAPPED, 4); /* the timer is skipped */
	mixed->sampled++;
	return sprintf(out, "event=step.completed step_name=x duration=-%u", 1 + random_below(&mixed->seed, 9));
}

static int write_malformed(struct mixed *mixed, char *out)
{
	static const char *const lines[] = {"{\"event\":",
	                                    "x=\"",
	                                    "{\"event\":\"step.completed\",}",
	                                    "[{\"event\":\"order.created\"},1]",
	                                    "[{},",
	                                    "=",
	                                    "{\"event\":\"order.created\"} x",
	                                    "[{\"event\":\"order.created\"}]]",
	                                    "{\"a\":\"\x01\"}"};
	count(mixed, OUTCOME_MALFORMED, 0);
	return sprintf(out, "%s", lines[random_below(&mixed->seed, ARRAY_LEN(lines))]);
}

static int write_oversize(struct mixed *mixed, char *out)
{
	const int len = MIXED_LINE_MAX + 1 + (int)random_below(&mixed->seed, MIXED_LINE_MAX / 2);
	count(mixed, OUTCOME_OVERSIZE, 0);
	memset(out, 'x', (size_t)len);
	return len;
}

static int write_blank(struct mixed *mixed, char *out)
{
	static const char *const lines[] = {"", " ", "\t\r", "[]", " [ ] "};
	return sprintf(out, "%s", lines[random_below(&mixed->seed, ARRAY_LEN(lines))]);
}

static int write_batch(struct mixed *mixed, char *out)
{
	int len = sprintf(out, "[");
	for (uint32_t i = 1 + random_below(&mixed->seed, 8); i > 0; i--) {
		len += write_object(mixed, out + len);
		len += sprintf(out + len, i > 1 ? " ," : "]");
	}
	return len;
}

/* A line that is a whole line of text in one of its metrics: cut there, and too long as a counter's tags nowhere. */
static int write_long_text(struct mixed *mixed, char *out)
{
	count(mixed, OUTCOME_MAPPED, 5);
	mixed->sampled++;
	int len = sprintf(out, "{\"event\":\"step.completed\",\"step_name\":\"s\",\"duration\":1,\"note\":\"");
	while (len < MIXED_LINE_MAX - 100)
		len += sprintf(out + len, "0123456789 \\n \\u20ac ");
	return len + sprintf(out + len, "\"}");
}

size_t mixed_line(struct mixed *mixed, char *out)
{
	static write_function *const lines[] = {write_object,   write_object,    write_object, write_logfmt,
	                                        write_negative, write_malformed, write_batch,  write_oversize,
	                                        write_blank,    write_long_text};
	static const unsigned weights[] = {100, 100, 100, 60, 20, 30, 30, 1, 5, 1};
	uint32_t pick = random_below(&mixed->seed, 447);
	size_t kind = 0;
	while (pick >= weights[kind])
		pick -= weights[kind++];
	mixed->kinds[kind]++;
	int len = lines[kind](mixed, out);
	len += sprintf(out + len, random_below(&mixed->seed, 5) ? "\n" : "\r\n");
	return (size_t)len;
}

size_t mixed_statsd_line(struct mixed *mixed, char *out)
{
	const uint32_t number = random_below(&mixed->seed, 100);
	switch (random_below(&mixed->seed, 5)) {
	case 0:
		count(mixed, OUTCOME_MAPPED, 1);
		return (size_t)sprintf(out, "relayed.a:%u|c|@0.5|#kind:k%u,x\n", number, number);
	case 1:
		count(mixed, OUTCOME_MAPPED, 1);
		return (size_t)sprintf(out, "relayed.b:-%u|g\n", number);
	case 2:
		count(mixed, OUTCOME_MAPPED, 1);
		count(mixed, OUTCOME_MAPPED, 1);
		return (size_t)sprintf(out, "relayed.c:%u:1.50|ms\n", number);
	case 3:
		count(mixed, OUTCOME_MALFORMED, 0);
		return (size_t)sprintf(out, "relayed.d|c\n");
	default:
		count(mixed, OUTCOME_FALLBACK, 1);
		return (size_t)sprintf(out, "custom.s:%u|c\n", number);
	}
}
