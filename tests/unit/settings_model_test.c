/* What configurations come to. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "settings_support.h"

Suite *settings_model_suite(void);

#define SECOND INT64_C(1000000000)
#define assert_span(span, want) \
	ck_assert_msg(span_is(span, want), "got `%.*s`, want `%s`", (int)(span).len, (span).at ? (span).at : "", want)

/* [a,b] */
static const char *texts_write(const struct texts *texts)
{
	static char out[512];
	size_t len = (size_t)snprintf(out, sizeof(out), "[");
	for (size_t i = 0; i < texts->count; i++)
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%.*s", i ? "," : "",
		                        SPAN_ARG(texts->items[i].span));
	snprintf(out + len, sizeof(out) - len, "]");
	return out;
}

static const char *tags_write(const struct tags_model *tags)
{
	static char out[512];
	size_t len = 0;
	out[0] = 0;
	for (size_t i = 0; i < tags->count; i++)
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%.*s:%.*s", i ? "," : "",
		                        SPAN_ARG(tags->items[i].key.span), SPAN_ARG(tags->items[i].value.span));
	return out;
}

START_TEST(defaults)
{
	struct settings *settings = support_settings("");
	const struct model *model = &settings->model;
	ck_assert_uint_eq(settings->input_count, 2);
	ck_assert_uint_eq(model->input_count, 2);
	ck_assert_str_eq(settings->inputs[0].label, "udp://127.0.0.1:8127");
	ck_assert_uint_eq(settings->inputs[0].endpoint.port, 8127);
	ck_assert_uint_eq(settings->inputs[0].receive_buffer, 4 << 20);
	ck_assert(settings->inputs[0].is_default && settings->inputs[1].is_default);
	ck_assert_str_eq(settings->inputs[1].endpoint.path, "/run/statsidecar/events");
	ck_assert_uint_eq(settings->inputs[1].mode, 0620);
	ck_assert_ptr_null(settings->inputs[1].group);
	ck_assert_int_eq(model->inputs[0].format, FORMAT_AUTO);
	ck_assert_ptr_null(model->inputs[0].event.span.at);
	ck_assert(!model->inputs[0].unnamed_ignore);

	ck_assert_uint_eq(settings->output_count, 1);
	ck_assert_uint_eq(model->output_count, 1);
	ck_assert_str_eq(settings->outputs[0].label, "udp://127.0.0.1:8125");
	ck_assert(settings->outputs[0].is_default);
	ck_assert_int_eq(settings->outputs[0].when_full, WHEN_FULL_DROP);
	ck_assert_uint_eq(settings->outputs[0].max_datagram, 1432);
	ck_assert_int_eq(settings->outputs[0].resolve_interval_ns, 30 * SECOND);
	ck_assert_int_eq(settings->outputs[0].reopen_interval_ns, 60 * SECOND);
	ck_assert_int_eq(settings->outputs[0].origin, ORIGIN_OFF);
	ck_assert_int_eq(model->outputs[0].dialect, DIALECT_DOGSTATSD);
	ck_assert_int_eq(model->outputs[0].timers, TIMERS_MS);
	ck_assert_uint_eq(model->outputs[0].max_datagram, 1432);
	ck_assert_str_eq(texts_write(&model->outputs[0].filter), "[**]");
	assert_span(model->outputs[0].suffix, "");
	ck_assert_uint_eq(model->outputs[0].tags.count, 0);

	ck_assert_str_eq(texts_write(&model->identify.fields), "[event,event_name,type]");
	ck_assert_str_eq(texts_write(&model->identify.payload), "[payload,data]");
	ck_assert_uint_eq(model->identify.strip.count, 0);
	ck_assert_uint_eq(model->limits.line, 64 << 10);
	ck_assert_uint_eq(model->limits.names, 2000);
	ck_assert_uint_eq(model->limits.tag_values, 1000);
	ck_assert_uint_eq(model->limits.tag_length, 200);
	ck_assert_uint_eq(model->file_count, 1);
	ck_assert_uint_eq(model->files[0].rule_count, 0);

	ck_assert(settings->admin_enabled && settings->admin_is_default && settings->admin_api == ADMIN_API_AUTO);
	ck_assert_str_eq(settings->admin_host, "127.0.0.1");
	ck_assert_uint_eq(settings->admin_port, 8128);
	ck_assert(settings->telemetry_enabled && settings->telemetry_metrics == TELEMETRY_MINIMAL);
	ck_assert_int_eq(settings->telemetry_interval_ns, 10 * SECOND);
	ck_assert_str_eq(settings->telemetry_prefix, "statsidecar.");
	ck_assert(settings->log_level == LOG_LEVEL_INFO && settings->log_format == LOG_FORMAT_TEXT);
	ck_assert_uint_eq(settings->log_quote, 120);
	ck_assert(settings->sandbox);
	ck_assert_int_eq(settings->shutdown_grace_ns, 5 * SECOND);
	settings_free(settings);
}
END_TEST

START_TEST(inputs)
{
	struct settings *settings =
		support_settings("inputs:\n"
	                         "  - fifo:///run/a\n"
	                         "  - {url: \"udp://0.0.0.0\", name: lan, format: json, allow_from: [10.0.0.0/8, "
	                         "\"fd00::/8\"], tags: {via: udp, x: \"\"},\n"
	                         "     receive_buffer: 64KiB, event: app.line, unnamed: ignore}\n"
	                         "  - {url: \"tcp://[::]:9000\", allow_from: any, max_connections: 3, format: statsd}\n"
	                         "  - {url: \"unix:///run/b\", mode: \"0666\", format: logfmt}\n"
	                         "  - {url: \"fifo:///run/c\", mode: 660, group: adm}\n");
	const struct input_settings *input = settings->inputs;
	const struct input_model *model = settings->model.inputs;
	ck_assert_uint_eq(settings->input_count, 5);
	ck_assert_str_eq(input[0].label, "fifo:///run/a");
	ck_assert(!input[0].is_default);
	ck_assert_str_eq(input[1].label, "lan");
	assert_span(model[1].label.span, "lan");
	ck_assert_uint_eq(model[1].label.mark.line, 3);
	ck_assert_uint_eq(input[1].endpoint.port, 8127);
	ck_assert_uint_eq(input[1].allow_from_count, 2);
	ck_assert_uint_eq(input[1].allow_from[0].bits, 8);
	ck_assert_uint_eq(input[1].allow_from[1].family_v6, 1);
	ck_assert_uint_eq(input[1].receive_buffer, 65536);
	ck_assert_int_eq(model[1].format, FORMAT_JSON);
	assert_span(model[1].event.span, "app.line");
	ck_assert(model[1].unnamed_ignore);
	ck_assert_str_eq(tags_write(&model[1].tags), "via:udp,x:");
	ck_assert(input[2].allow_from_any);
	ck_assert_uint_eq(input[2].max_connections, 3);
	ck_assert_str_eq(input[2].endpoint.host, "::");
	ck_assert_int_eq(model[2].format, FORMAT_STATSD);
	ck_assert_uint_eq(input[3].mode, 0666);
	ck_assert_int_eq(model[3].format, FORMAT_LOGFMT);
	ck_assert_uint_eq(input[4].mode, 0660);
	ck_assert_str_eq(input[4].group, "adm");
	settings_free(settings);
}
END_TEST

START_TEST(outputs)
{
	struct settings *settings = support_settings(
		"outputs:\n"
		"  - {url: \"unix:///run/dsd\", name: agent, timers: distribution, origin: off, cardinality: low}\n"
		"  - {url: \"stdout:\"}\n"
		"  - {url: \"udp://graphite\", dialect: graphite, prefix: \"a.\", filter: [\"**\", \"!debug.**\"], "
	        "max_datagram: 512,\n"
		"     when_full: block, resolve_interval: 1m, reopen_interval: off}\n"
		"  - {url: \"tcp://b:1\", dialect: statsd, tags_in_name: yes, filter: x}\n"
		"  - {url: \"unixstream:///c\", max_datagram: 4KiB}\n");
	const struct output_settings *output = settings->outputs;
	const struct output_model *model = settings->model.outputs;
	ck_assert_uint_eq(settings->output_count, 5);
	ck_assert_str_eq(output[0].label, "agent");
	ck_assert_uint_eq(output[0].max_datagram, 8192);
	ck_assert_int_eq(model[0].timers, TIMERS_DISTRIBUTION);
	assert_span(model[0].suffix, "|card:low");
	ck_assert_int_eq(output[1].when_full, WHEN_FULL_BLOCK);
	ck_assert_uint_eq(model[1].max_datagram, 8192);
	ck_assert_int_eq(output[2].when_full, WHEN_FULL_BLOCK);
	ck_assert_uint_eq(output[2].max_datagram, 512);
	ck_assert_uint_eq(model[2].max_datagram, 512);
	ck_assert_int_eq(output[2].resolve_interval_ns, 60 * SECOND);
	ck_assert_int_eq(output[2].reopen_interval_ns, 0);
	assert_span(model[2].prefix.span, "a.");
	ck_assert_str_eq(texts_write(&model[2].filter), "[**,!debug.**]");
	ck_assert_uint_eq(output[2].endpoint.port, 8125);
	ck_assert(model[3].tags_in_name);
	ck_assert_str_eq(texts_write(&model[3].filter), "[x]");
	ck_assert_uint_eq(output[4].max_datagram, 4096);
	settings_free(settings);
}
END_TEST

START_TEST(agent)
{
	struct settings *settings =
		support_settings("limits: {line: 1MiB, names: 5, tag_values: {default: 7, step: 9}, tag_length: 80}\n"
	                         "admin: {listen: \"[::1]:9\", api: off}\n"
	                         "telemetry: {interval: 1m, prefix: \"\", metrics: all}\n"
	                         "log: {level: debug, format: json, quote: 0}\n"
	                         "sandbox: off\nshutdown_grace: 0s\n");
	ck_assert_uint_eq(settings->model.limits.line, 1 << 20);
	ck_assert_uint_eq(settings->model.limits.names, 5);
	ck_assert_uint_eq(settings->model.limits.tag_values, 7);
	ck_assert_uint_eq(settings->model.limits.tag_value_limit_count, 1);
	assert_span(settings->model.limits.tag_value_limits[0].key.span, "step");
	ck_assert_uint_eq(settings->model.limits.tag_value_limits[0].limit, 9);
	ck_assert_uint_eq(settings->model.limits.tag_length, 80);
	ck_assert(settings->admin_enabled && !settings->admin_is_default && settings->admin_api == ADMIN_API_OFF);
	ck_assert_str_eq(settings->admin_host, "::1");
	ck_assert_uint_eq(settings->admin_port, 9);
	ck_assert(settings->telemetry_metrics == TELEMETRY_ALL && settings->telemetry_interval_ns == 60 * SECOND);
	ck_assert_str_eq(settings->telemetry_prefix, "");
	ck_assert(settings->log_level == LOG_LEVEL_DEBUG && settings->log_format == LOG_FORMAT_JSON &&
	          !settings->log_quote);
	ck_assert(!settings->sandbox && settings->shutdown_grace_ns == 0);
	settings_free(settings);
	settings = support_settings("admin: off\ntelemetry: \"no\"\nlimits: {tag_values: 3}\n");
	ck_assert(!settings->admin_enabled && !settings->telemetry_enabled);
	ck_assert_uint_eq(settings->model.limits.tag_values, 3);
	settings_free(settings);
	settings = support_settings("admin: {api: on}\n");
	ck_assert(settings->admin_enabled && settings->admin_is_default && settings->admin_api == ADMIN_API_ON);
	settings_free(settings);
}
END_TEST

START_TEST(rules)
{
	struct settings *settings =
		support_settings("prefix: shop.\n"
	                         "rules:\n"
	                         "  - match: n\n"
	                         "    name: 12:30\n"
	                         "    tags: {step: \"{step_name}\", \"no\": NO}\n"
	                         "    metrics:\n"
	                         "      - counter: a.$$1\n"
	                         "      - {timer: b, value: took, unit: us, sample_rate: 0.5, when: x > 1, any: [y, "
	                         "\"not z\"], tags: {k: v}}\n"
	                         "      - event: {title: t, text: u, alert: error, key: k, priority: low, source: s}\n"
	                         "      - {service_check: {name: c, status: critical, message: m}}\n"
	                         "  - {match: [\"debug.**\", e], drop: yes}\n"
	                         "  - {match: \"**\", fallback: on, continue: true, replace: \"true\"}\n");
	const struct file_model *file = &settings->model.files[0];
	assert_span(file->prefix.span, "shop.");
	ck_assert_uint_eq(file->rule_count, 3);
	const struct rule_model *rule = &file->rules[0];
	ck_assert_str_eq(texts_write(&rule->match), "[n]");
	assert_span(rule->name.span, "12:30");
	ck_assert_str_eq(tags_write(&rule->tags), "step:{step_name},no:NO");
	ck_assert_uint_eq(rule->mark.line, 3);
	ck_assert_uint_eq(rule->mark.column, 5);
	ck_assert_uint_eq(rule->metric_count, 4);
	const struct metric_model *metric = rule->metrics;
	ck_assert_int_eq(metric[0].kind, METRIC_COUNTER);
	assert_span(metric[0].name.span, "a.$1");
	ck_assert_int_eq(metric[0].unit, UNIT_NONE);
	ck_assert_ptr_null(metric[0].value.span.at);
	ck_assert_int_eq(metric[1].kind, METRIC_TIMER);
	assert_span(metric[1].value.span, "took");
	ck_assert_int_eq(metric[1].unit, UNIT_US);
	assert_span(metric[1].sample_rate.span, "0.5");
	ck_assert_str_eq(texts_write(&metric[1].when.all), "[x > 1]");
	ck_assert_str_eq(texts_write(&metric[1].when.any), "[y,not z]");
	ck_assert_str_eq(tags_write(&metric[1].tags), "k:v");
	ck_assert_uint_eq(metric[1].mark.line, 8);
	ck_assert_int_eq(metric[2].kind, METRIC_EVENT);
	assert_span(metric[2].name.span, "t");
	assert_span(metric[2].text.span, "u");
	assert_span(metric[2].alert.span, "error");
	assert_span(metric[2].key.span, "k");
	assert_span(metric[2].priority.span, "low");
	assert_span(metric[2].source.span, "s");
	ck_assert_int_eq(metric[3].kind, METRIC_SERVICE_CHECK);
	assert_span(metric[3].name.span, "c");
	assert_span(metric[3].status.span, "critical");
	assert_span(metric[3].text.span, "m");
	ck_assert(file->rules[1].is_drop && !file->rules[1].is_continue);
	ck_assert_str_eq(texts_write(&file->rules[1].match), "[debug.**,e]");
	ck_assert(file->rules[2].is_fallback && file->rules[2].is_continue && file->rules[2].is_replace);
	settings_free(settings);
}
END_TEST

START_TEST(every_kind_and_unit)
{
	struct settings *settings = support_settings(
		"rules:\n  - match: a\n    metrics:\n"
		"      - {counter: a}\n      - {timer: b, value: 1, unit: s}\n      - {gauge: c, value: 1}\n"
		"      - {histogram: d, value: 1, unit: ms}\n      - {distribution: e, value: 1, unit: ns}\n"
		"      - {set: f, value: u}\n      - {relay: g}\n      - {event: {title: h, text: i}}\n"
		"      - {service_check: {name: j, status: ok}}\n");
	const struct rule_model *rule = &settings->model.files[0].rules[0];
	ck_assert_uint_eq(rule->metric_count, METRIC_KIND_COUNT);
	for (size_t i = 0; i < METRIC_KIND_COUNT; i++)
		ck_assert_int_eq(rule->metrics[i].kind, (int)i);
	ck_assert_int_eq(rule->metrics[METRIC_TIMER].unit, UNIT_S);
	ck_assert_int_eq(rule->metrics[METRIC_HISTOGRAM].unit, UNIT_MS);
	ck_assert_int_eq(rule->metrics[METRIC_DISTRIBUTION].unit, UNIT_NS);
	settings_free(settings);
}
END_TEST

START_TEST(catalogue_and_fields)
{
	struct settings *settings = support_settings(
		"identify: {strip: [\"app.\", \"App::\"], payload: []}\n"
		"catalogue:\n  step.completed: {aliases: [\"A::B\"], legacy: step.complete, expects: [x, y]}\n  "
	        "other.event:\n"
		"fields:\n"
		"  n: {from: [n, m], default: 1}\n"
		"  d: {from: d, between: [a, b]}\n"
		"  e:\n"
		"    - {events: \"step.*\", from: [e], default: Unknown error}\n"
		"    - {events: [a, b], default: \"\"}\n"
		"  t:\n"
		"    classify: c\n"
		"    patterns: [{find: [Timeout, Late], is: timeout}, {when: [\"rc >= 8\"], any: [a, b], is: severe}]\n"
		"    default: other\n"
		"    missing: unknown\n");
	const struct model *model = &settings->model;
	ck_assert_str_eq(texts_write(&model->identify.strip), "[app.,App::]");
	ck_assert_str_eq(texts_write(&model->identify.fields), "[event,event_name,type]");
	ck_assert_uint_eq(model->identify.payload.count, 0);
	ck_assert_uint_eq(model->catalogue_count, 2);
	assert_span(model->catalogue[0].name.span, "step.completed");
	ck_assert_uint_eq(model->catalogue[0].name.mark.line, 3);
	ck_assert_str_eq(texts_write(&model->catalogue[0].aliases), "[A::B]");
	ck_assert_str_eq(texts_write(&model->catalogue[0].legacy), "[step.complete]");
	ck_assert_str_eq(texts_write(&model->catalogue[0].expects), "[x,y]");
	assert_span(model->catalogue[1].name.span, "other.event");
	ck_assert_uint_eq(model->field_count, 4);
	assert_span(model->fields[0].name.span, "n");
	ck_assert_str_eq(texts_write(&model->fields[0].variants[0].from), "[n,m]");
	assert_span(model->fields[0].variants[0].default_value.span, "1");
	ck_assert_ptr_null(model->fields[0].variants[0].missing.span.at);
	ck_assert_ptr_null(model->fields[0].variants[0].between[0].span.at);
	assert_span(model->fields[1].variants[0].between[0].span, "a");
	assert_span(model->fields[1].variants[0].between[1].span, "b");
	ck_assert_uint_eq(model->fields[2].variant_count, 2);
	ck_assert_str_eq(texts_write(&model->fields[2].variants[0].events), "[step.*]");
	ck_assert_str_eq(texts_write(&model->fields[2].variants[1].events), "[a,b]");
	ck_assert_ptr_nonnull(model->fields[2].variants[1].default_value.span.at);
	const struct field_variant_model *classified = &model->fields[3].variants[0];
	assert_span(classified->classify.span, "c");
	ck_assert_uint_eq(classified->pattern_count, 2);
	ck_assert_str_eq(texts_write(&classified->patterns[0].find), "[Timeout,Late]");
	assert_span(classified->patterns[0].is.span, "timeout");
	ck_assert_str_eq(texts_write(&classified->patterns[1].when.all), "[rc >= 8]");
	ck_assert_str_eq(texts_write(&classified->patterns[1].when.any), "[a,b]");
	assert_span(classified->missing.span, "unknown");
	settings_free(settings);
}
END_TEST

START_TEST(lifecycles)
{
	struct settings *settings = support_settings("prefix: shop.\n"
	                                             "lifecycles:\n"
	                                             "  order:\n"
	                                             "    key: [id]\n"
	                                             "    enter: {order.placed: open, \"order.*.paid\": paid}\n"
	                                             "    transitions: {open: [paid], paid: []}\n"
	                                             "    active: open\n    final: [paid]\n"
	                                             "    duration: {field: took, state: open}\n    timestamp: at\n"
	                                             "    max_entities: 10\n    linger: 0s\n    expire: 2h\n    "
	                                             "in_flight: orders.open\n    stuck_after: 30m\n"
	                                             "  plain: {key: [a, b], enter: {c: d}}\n");
	const struct lifecycle_model *order = &settings->model.lifecycles[0], *plain = &settings->model.lifecycles[1];
	ck_assert_uint_eq(settings->model.lifecycle_count, 2);
	assert_span(order->name.span, "order");
	ck_assert_str_eq(order->prefix, "shop.");
	ck_assert_uint_eq(order->enter_count, 2);
	assert_span(order->enter[1].match.span, "order.*.paid");
	assert_span(order->enter[1].state.span, "paid");
	ck_assert_uint_eq(order->transition_count, 2);
	assert_span(order->transitions[0].from.span, "open");
	ck_assert_str_eq(texts_write(&order->transitions[0].to), "[paid]");
	ck_assert_uint_eq(order->transitions[1].to.count, 0);
	ck_assert_str_eq(texts_write(&order->active), "[open]");
	ck_assert_str_eq(texts_write(&order->final), "[paid]");
	assert_span(order->duration_field.span, "took");
	assert_span(order->duration_state.span, "open");
	assert_span(order->timestamp.span, "at");
	assert_span(order->in_flight.span, "orders.open");
	ck_assert_uint_eq(order->max_entities, 10);
	ck_assert_int_eq(order->linger_ns, 0);
	ck_assert_int_eq(order->expire_ns, 7200 * SECOND);
	ck_assert_int_eq(order->stuck_after_ns, 1800 * SECOND);
	ck_assert_str_eq(texts_write(&plain->key), "[a,b]");
	ck_assert_uint_eq(plain->max_entities, 8192);
	ck_assert_int_eq(plain->linger_ns, 300 * SECOND);
	ck_assert_int_eq(plain->expire_ns, 3600 * SECOND);
	ck_assert_int_eq(plain->stuck_after_ns, 0);
	ck_assert_ptr_null(plain->duration_field.span.at);
	ck_assert_ptr_null(plain->in_flight.span.at);
	settings_free(settings);
}
END_TEST

static const struct {
	const char *name;
	const char *yaml; /* behind `event: ` */
	const char *want;
} events[] = {
	{"a map", "{event: a.b, n: 1, t: x}", "{\"event\":\"a.b\",\"n\":1,\"t\":\"x\"}"},
	{"numbers as JSON has them", "{a: -1.50e3, b: 0, c: 12:30, d: 007, e: .5, f: 0x1f, g: 1_000}",
         "{\"a\":-1.50e3,\"b\":0,\"c\":\"12:30\",\"d\":\"007\",\"e\":\".5\",\"f\":\"0x1f\",\"g\":\"1_000\"}"},
	{"true, false and null", "{a: true, b: false, c: null, d: ~, e: , f: yes, g: True}",
         "{\"a\":true,\"b\":false,\"c\":null,\"d\":null,\"e\":null,\"f\":\"yes\",\"g\":\"True\"}"},
	{"quotes make texts", "{a: \"1\", b: 'true', c: \"~\", d: ''}",
         "{\"a\":\"1\",\"b\":\"true\",\"c\":\"~\",\"d\":\"\"}"},
	{"what JSON escapes", "{\"a\\\"b\": \"\\\\ \\n \\t \\x01 \\x7f é\"}",
         "{\"a\\\"b\":\"\\\\ \\n \\u0009 \\u0001 \x7f é\"}"},
	{"maps and lists in it", "{a: {b: [1, {c: d}, []], e: {}}}", "{\"a\":{\"b\":[1,{\"c\":\"d\"},[]],\"e\":{}}}"},
	{"a batch", "[{event: a}, {event: b}]", "[{\"event\":\"a\"},{\"event\":\"b\"}]"},
	{"a line", "step.completed took=1", "step.completed took=1"},
	{"a JSON line", "'{\"event\": \"a\"}'", "{\"event\": \"a\"}"},
	{"a variable that is quoted", "{a: \"${N:-1}\"}", "{\"a\":\"1\"}"},
};

START_TEST(test_events)
{
	char yaml[512];
	snprintf(yaml, sizeof(yaml), "tests:\n  - event: %s\n    expect: unmapped\n", events[_i].yaml);
	struct settings *settings = support_settings(yaml);
	const struct test_model *test = &settings->model.tests[0];
	ck_assert_uint_eq(test->events.count, 1);
	ck_assert_msg(span_is(test->events.items[0].span, events[_i].want), "%s: got %.*s, want %s", events[_i].name,
	              SPAN_ARG(test->events.items[0].span), events[_i].want);
	assert_span(test->outcome.span, "unmapped");
	settings_free(settings);
}
END_TEST

START_TEST(tests)
{
	struct settings *settings = support_settings("tests:\n"
	                                             "  - {name: one, event: a, expect: [\"a:1|c\", \"b:2|g\"]}\n"
	                                             "  - {events: [a b=1, {event: c}], expect: []}\n"
	                                             "  - {event: a, expect: \"a:1|c\"}\n");
	const struct test_model *test = settings->model.tests;
	ck_assert_uint_eq(settings->model.test_count, 3);
	assert_span(test[0].name.span, "one");
	ck_assert_uint_eq(test[0].mark.line, 2);
	ck_assert_str_eq(texts_write(&test[0].expect), "[a:1|c,b:2|g]");
	ck_assert_ptr_null(test[0].outcome.span.at);
	ck_assert_msg(strstr(test[1].name.span.at, "c.yaml:3") != NULL, "%s", test[1].name.span.at);
	ck_assert_str_eq(texts_write(&test[1].events), "[a b=1,{\"event\":\"c\"}]");
	ck_assert_uint_eq(test[1].expect.count, 0);
	ck_assert_ptr_null(test[1].outcome.span.at);
	ck_assert_str_eq(texts_write(&test[2].expect), "[a:1|c]");
	settings_free(settings);
}
END_TEST

START_TEST(command_line)
{
	static const char *const urls[] = {"stdin:", "udp://[::1]:0"}, *const to[] = {"stdout:"};
	const struct settings_request request = {NULL, urls, 2, to, 1, "graphite"};
	const struct support_file files[] = {
		{"c.yaml", "inputs: [\"fifo:///a\"]\noutputs: [\"udp://b\", {url: \"udp://c\", dialect: statsd}]\n"},
		{NULL, NULL}};
	struct settings *settings;
	support_load(files, &request, &settings, NULL);
	ck_assert_uint_eq(settings->input_count, 2);
	ck_assert_uint_eq(settings->model.input_count, 2);
	ck_assert_str_eq(settings->inputs[0].label, "stdin:");
	ck_assert(!settings->inputs[0].is_default);
	ck_assert_uint_eq(settings->output_count, 1);
	ck_assert_str_eq(settings->outputs[0].label, "stdout:");
	ck_assert_int_eq(settings->outputs[0].when_full, WHEN_FULL_BLOCK);
	ck_assert_int_eq(settings->model.outputs[0].dialect, DIALECT_GRAPHITE);
	settings_free(settings);

	const struct settings_request dialect = {.dialect = "influxdb"};
	support_load(files, &dialect, &settings, NULL);
	ck_assert_uint_eq(settings->output_count, 2);
	ck_assert_int_eq(settings->model.outputs[0].dialect, DIALECT_INFLUXDB);
	ck_assert_int_eq(settings->model.outputs[1].dialect, DIALECT_INFLUXDB);
	settings_free(settings);
}
END_TEST

/* What can be read is there for mapping_compile(); what cannot is left out, so that it makes no faults of its own. */
START_TEST(faulty_settings_hold_the_rest)
{
	const struct support_file files[] = {
		{"c.yaml",
	         "rules:\n  - {mach: a}\n  - {match: b, metrics: [{countr: c}, {counter: d}]}\n  - {match: **}\n"
	         "  - {match: e, continue: ture}\n  - {match: f}\n"},
		{NULL, NULL}};
	struct settings *settings;
	char *faults;
	support_load(files, NULL, &settings, &faults);
	ck_assert(*faults != 0);
	const struct file_model *file = &settings->model.files[0];
	ck_assert_uint_eq(file->rule_count, 2);
	ck_assert_str_eq(texts_write(&file->rules[0].match), "[b]");
	ck_assert_uint_eq(file->rules[0].metric_count, 1);
	ck_assert_str_eq(texts_write(&file->rules[1].match), "[f]");
	free(faults);
	settings_free(settings);
}
END_TEST

START_TEST(file_names_are_kept_once)
{
	struct settings *first = support_settings("rules: [{match: a}]\n");
	struct settings *second = support_settings("rules: [{match: a}]\n");
	ck_assert_ptr_eq(first->origin, first->model.files[0].path);
	settings_free(first);
	/* Another temporary folder, hence another name; this one is still there when its settings are gone. */
	const char *path = second->model.files[0].path;
	settings_free(second);
	ck_assert_ptr_nonnull(strstr(path, "/c.yaml"));
	settings_names_free();
	settings_names_free();
}
END_TEST

static void clear(void)
{
	support_clear_environment();
}

Suite *settings_model_suite(void)
{
	Suite *suite = suite_create("settings_model");
	TCase *model = tcase_create("model");
	tcase_add_checked_fixture(model, clear, NULL);
	tcase_add_test(model, defaults);
	tcase_add_test(model, inputs);
	tcase_add_test(model, outputs);
	tcase_add_test(model, agent);
	tcase_add_test(model, rules);
	tcase_add_test(model, every_kind_and_unit);
	tcase_add_test(model, catalogue_and_fields);
	tcase_add_test(model, lifecycles);
	tcase_add_loop_test(model, test_events, 0, ARRAY_LEN(events));
	tcase_add_test(model, tests);
	tcase_add_test(model, command_line);
	tcase_add_test(model, faulty_settings_hold_the_rest);
	tcase_add_test(model, file_names_are_kept_once);
	suite_add_tcase(suite, model);
	return suite;
}
