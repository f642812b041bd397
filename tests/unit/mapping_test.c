#include <stdio.h>

#include "expect.h"

Suite *mapping_suite(void);

#define ONE_METRIC(...)                                      \
	{                                                    \
		ONE_RULE(MATCH("a.*"), METRICS(__VA_ARGS__)) \
	}
#define NAME_OF(name)      ONE_METRIC(COUNTER(name))
#define TAG_OF(key, value) ONE_METRIC(COUNTER("m", .tags = TAGS(TAG(key, value))))
#define RATE(rate)         ONE_METRIC(COUNTER("m", .sample_rate = T(rate)))

/* What a configuration cannot mean, beside what match_test and subject_test have of rules and conditions. */
static const struct refusal refusals[] = {
	{"a byte that no name has", NAME_OF("a b"), "`a b` has another byte"},
	{"a colon in a name", NAME_OF("a:b"), "a metric's name takes A-Za-z0-9_.- only"},
	{"a byte between templates", NAME_OF("{x}/{y}"), "`/` has another byte"},
	{"an open brace", NAME_OF("a.{x"), "a `{` is not closed"},
	{"an open brace before another", NAME_OF("a.{x{y}"), "a `{` is not closed"},
	{"a closing brace alone", NAME_OF("a}"), "a `}` stands alone"},
	{"empty braces", NAME_OF("a.{}"), "{} names no field"},
	{"an empty name", NAME_OF(""), "the metric's name is empty"},
	{"an open brace in a tag", TAG_OF("k", "{x"), "a `{` is not closed"},
	{"an open brace in a text", ONE_METRIC(METRIC_OF(METRIC_EVENT, "t", .text = T("{"))), "a `{` is not closed"},
	{"an open brace in a title", ONE_METRIC(METRIC_OF(METRIC_EVENT, "{", .text = T("m"))), "a `{` is not closed"},
	{"a star too few for an event's key",
         ONE_METRIC(METRIC_OF(METRIC_EVENT, "t", .text = T("m"), .key = T("{2}"))),
         "`a.*` has 1 star, but the rule uses {2}"},
	{"a star too few for an event's source",
         ONE_METRIC(METRIC_OF(METRIC_EVENT, "t", .text = T("m"), .source = T("x-{3}"))),
         "`a.*` has 1 star, but the rule uses {3}"},
	{"a key without text", TAG_OF("", "v"), "a tag's key is empty"},
	{"host from an event", TAG_OF("host", "{h}"), "the Datadog Agent takes the tag `host` for itself"},
	{"host from an event, in a rule",
         {ONE_RULE(MATCH("a"), METRICS(COUNTER("m")), .tags = TAGS(TAG("host", "x{event}")))},
         "`host` for itself"},
	{"dd.internal from an event", TAG_OF("dd.internal.entity_id", "{h}"), "`dd.internal.entity_id` for itself"},
	{"a value in braces", ONE_METRIC(GAUGE("g", "{v}")), "a value is a field's name, without braces"},
	{"a value that nothing can be", ONE_METRIC(GAUGE("g", "1e64")), "no metric can have the value `1e64`"},
	{"a negative timer", ONE_METRIC(TIMER("t", "-1", UNIT_S)), "no metric can have the value `-1`"},
	{"a rate of 0", RATE("0"), "a sample rate is a number above 0 and at most 1"},
	{"a rate of 0.0", RATE("0.0"), "a sample rate"},
	{"a negative rate", RATE("-0.5"), "a sample rate"},
	{"a rate above 1", RATE("1.01"), "a sample rate"},
	{"a rate of 10", RATE("10"), "a sample rate"},
	{"a rate that is none", RATE("half"), "a sample rate"},
	{"an identifier that is none", {CATALOGUE({.name = T("9a")})}, "`9a` is no identifier"},
	{"an alias that is none", {CATALOGUE({.name = T("a"), .aliases = TEXTS(T("a b"))})}, "`a b` is no identifier"},
	{"an alias of two events",
         {CATALOGUE({.name = T("a"), .aliases = TEXTS(T("x"))}, {.name = T("b"), .legacy = TEXTS(T("x"))})},
         "`x` already names"},
	{"an alias that is an event",
         {CATALOGUE({.name = T("a"), .aliases = TEXTS(T("b"))}, {.name = T("b")})},
         "`b` already names"},
	{"an alias twice", {CATALOGUE({.name = T("a"), .aliases = TEXTS(T("x"), T("x"))})}, "`x` already names `a`"},
	{"an input's event that is none", {INPUTS({.label = T("in"), .event = T("a b")})}, "`a b` is no identifier"},
	{"no pattern in a filter",
         {OUTPUTS({.label = T("out"), .filter = TEXTS(T("!a.**b"))})},
         "`a.**b` is no pattern"},
	{"five payload objects",
         {.identify.payload = TEXTS(T("a"), T("b"), T("c"), T("d"), T("e"))},
         "identify.payload names 4 objects at most"},
	{"17 fields of the identifier",
         {.identify.fields = TEXTS(T("a"), T("b"), T("c"), T("d"), T("e"), T("f"), T("g"), T("h"), T("i"), T("j"), T("k"), T("l"),
                                   T("m"), T("n"), T("o"), T("p"), T("q"))},
         "identify.fields names 16 fields at most"},
	{"a payload object without name", {.identify.payload = TEXTS(T("a..b"))}, "`a..b` names no object"},
	{"nine tags of 4096 bytes",
         {ONE_RULE(MATCH("a"),
                   METRICS(COUNTER("m", .tags = TAGS(TAG("a", "1"), TAG("b", "1"), TAG("c", "1"), TAG("d", "1"),
                                                     TAG("e", "1")))),
                   .tags = TAGS(TAG("f", "1"), TAG("g", "1"), TAG("h", "1"), TAG("i", "1"))),
          .limits.tag_length = 4096},
         "9 tags of up to 4096 bytes"},
};

START_TEST(refuse)
{
	expect_refusal(&refusals[_i]);
}
END_TEST

static const struct row accepted[] = {
	{"host as a constant", TAG_OF("host", "web"), "a.b", "m:1|c|#host:web\n"},
	{"host from an event where no output is dogstatsd",
         {ONE_RULE(MATCH("a.*"), METRICS(COUNTER("m", .tags = TAGS(TAG("host", "{h}"))))),
          OUTPUTS({.label = T("out"), .dialect = DIALECT_GRAPHITE})},
         "a.b h=x",
         "m;host=x:1|c\n"},
	{"a key that begins like a reserved one", TAG_OF("hostname", "{h}"), "a.b h=x", "m:1|c|#hostname:x\n"},
	{"a rate of 1", RATE("1"), "a.b", "m:1|c\n"},
	{"a rate of 1.0", RATE("1.0"), "a.b", "m:1|c\n"},
	{"a rate without its zeros", RATE("0.250"), "a.b", "m:1|c|@0.25\n"},
	{"a rate with an exponent", RATE("25e-2"), "a.b", "m:1|c|@0.25\n"},
};

START_TEST(accept)
{
	expect_row(&accepted[_i]);
}
END_TEST

/* Of how many draws in 2^32 a metric is emitted. */
static const struct {
	const char *name;
	struct model model;
	uint32_t threshold;
} shares[] = {
	{"half", RATE("0.5"), UINT32_C(1) << 31},
	{"a tenth", RATE("0.1"), 429496729},
	{"next to all, in as many digits as there may be",
         RATE("0.99999999999999999999999999999999999999999999999999999999999999"), UINT32_MAX},
	{"next to nothing", RATE("1e-30"), 0},
};

START_TEST(share)
{
	static struct rig rig;
	rig_init(&rig, &shares[_i].model);
	const struct metric *metric = &rig.mapping->rules[0].metrics[0];
	ck_assert_msg(metric->is_sampled && metric->sample_threshold == shares[_i].threshold, "%s: got %u, want %u",
	              shares[_i].name, metric->sample_threshold, shares[_i].threshold);
	rig_fini(&rig);
}
END_TEST

/* All of them are told, with their places. */
START_TEST(every_fault_is_told)
{
	char got[4096];
	struct metric_model metrics[] = {
		{.name = {SPAN("a b"), {"x.yaml", 7, 3}}},
		{.name = {SPAN("{"), {"x.yaml", 8, 5}}},
		{.name = {SPAN("ok"), {"x.yaml", 9, 5}}, .sample_rate = {SPAN("2"), {"x.yaml", 10, 9}}}};
	struct rule_model rule = {
		.match = TEXTS({SPAN("a.***"), {"x.yaml", 6, 2}}), .metrics = metrics, .metric_count = 3};
	struct file_model file = {.path = "x.yaml", .rules = &rule, .rule_count = 1};
	const struct model model = {.files = &file, .file_count = 1};
	rig_problems(&model, got, sizeof(got));
	for (int line = 6; line <= 10; line++) {
		char start[8];
		sprintf(start, "%d: ", line);
		if (line != 9)
			ck_assert_msg(strstr(got, start) != NULL, "line %d is missing in %s", line, got);
	}
	ck_assert(strstr(got, "9: ") == NULL);
}
END_TEST

/* More payload fields than an event has bits for. */
START_TEST(too_many_fields)
{
	enum { COUNT = LOCATIONS_MAX };
	static char names[COUNT][16];
	static struct text items[COUNT];
	static struct field_variant_model variant;
	static struct field_model field;
	char got[512];
	for (int i = 0; i < COUNT; i++) {
		sprintf(names[i], "f%d", i);
		items[i] = (struct text){span_of(names[i]), {"x.yaml", (uint32_t)i, 1}};
	}
	variant.from = (struct texts){items, COUNT};
	field = (struct field_model){.name = T("f"), .variants = &variant, .variant_count = 1};
	const struct model model = {.fields = &field, .field_count = 1};
	rig_problems(&model, got, sizeof(got));
	ck_assert_msg(strstr(got, "too many different payload fields") != NULL && strchr(got, '\n')[1] == '\0',
	              "got %s", got);
	/* Each is kept at three places: at the top, and in both payload objects. */
	variant.from.count = LOCATIONS_MAX / 3 - 10;
	rig_problems(&model, got, sizeof(got));
	ck_assert_str_eq(got, "");
}
END_TEST

Suite *mapping_suite(void)
{
	Suite *suite = suite_create("mapping");
	TCase *all = tcase_create("mapping");
	tcase_add_loop_test(all, refuse, 0, ARRAY_LEN(refusals));
	tcase_add_loop_test(all, accept, 0, ARRAY_LEN(accepted));
	tcase_add_loop_test(all, share, 0, ARRAY_LEN(shares));
	tcase_add_test(all, every_fault_is_told);
	tcase_add_test(all, too_many_fields);
	suite_add_tcase(suite, all);
	return suite;
}
