#include <stdio.h>
#include <stdlib.h>

#include "expect.h"
#include "translate/plan.h"

Suite *plan_suite(void);

#define OUTPUT(...)             OUTPUTS({.label = T("out"), __VA_ARGS__})
#define FILE_WITH(prefix_, ...) FILES(FILE_OF(.prefix = T(prefix_), RULES(RULE(MATCH("**"), METRICS(__VA_ARGS__)))))

#define TEN     "abcdefghij"
#define FIFTY   TEN TEN TEN TEN TEN
#define HUNDRED FIFTY FIFTY

static const struct row names[] = {
	{"the output's prefix, the file's, the name",
         {FILE_WITH("f.", COUNTER("n")), OUTPUT(.prefix = T("o."))},
         "x",
         "o.f.n:1|c\n"},
	{"each file has its own prefix",
         {FILES(FILE_OF(.prefix = T("a."), RULES(RULE(MATCH("**"), METRICS(COUNTER("n"))))),
                FILE_OF(RULES(RULE(MATCH("**"), METRICS(COUNTER("n"))))))},
         "x",
         "a.n:1|c\nn:1|c\n"},
	{"prefixes are made safe",
         {FILE_WITH("f:|.", COUNTER("n")), OUTPUT(.prefix = T("o\n;."))},
         "x",
         "o__.f__.n:1|c\n"},
	{"a prefix with a templated name",
         {FILE_WITH("f.", COUNTER("n.{a}")), OUTPUT(.prefix = T("o."))},
         "x a=1\nx a=2",
         "o.f.n.1:1|c\no.f.n.2:1|c\n"},
	{"a name of the event", {FILE_WITH("", COUNTER("{event}"))}, "a.b\na/c:d-e", "a.b:1|c\na_c_d-e:1|c\n"},
	{"a name of 200 bytes", {FILE_WITH("", COUNTER(HUNDRED HUNDRED))}, "x", HUNDRED HUNDRED ":1|c\n"},
	{"a longer one is cut", {FILE_WITH("", COUNTER(HUNDRED HUNDRED "k"))}, "x", HUNDRED HUNDRED ":1|c\n"},
	{"cut with the file's prefix",
         {FILE_WITH("abcdefghi.", COUNTER(HUNDRED HUNDRED))},
         "x",
         "abcdefghi." HUNDRED FIFTY TEN TEN TEN TEN ":1|c\n"},
	{"cut with both prefixes",
         {FILE_WITH(FIFTY, COUNTER(HUNDRED)), OUTPUT(.prefix = T(HUNDRED))},
         "x",
         HUNDRED FIFTY FIFTY ":1|c\n"},
	{"a templated one is cut",
         {FILE_WITH(FIFTY, COUNTER("{a}")), OUTPUT(.prefix = T(HUNDRED))},
         "x a=" HUNDRED,
         HUNDRED FIFTY FIFTY ":1|c\n"},
	{"prefixes alone fill it",
         {FILE_WITH(HUNDRED, COUNTER("n.{a}")), OUTPUT(.prefix = T(HUNDRED HUNDRED))},
         "x a=1",
         HUNDRED HUNDRED ":1|c\n"},
};

START_TEST(name)
{
	expect_row(&names[_i]);
}
END_TEST

#define FILTERED(...)                                                  \
	FILE_WITH("f.", COUNTER("a.b"), COUNTER("a.c"), COUNTER("b")), \
		OUTPUT(.prefix = T("o."), .filter = TEXTS(__VA_ARGS__))

static const struct row filters[] = {
	{"all", {FILTERED(T("**"))}, "x", "o.f.a.b:1|c\no.f.a.c:1|c\no.f.b:1|c\n"},
	{"some", {FILTERED(T("f.a.*"))}, "x", "o.f.a.b:1|c\no.f.a.c:1|c\n"},
	{"the output's prefix is not looked at", {FILTERED(T("o.**"))}, "x", ""},
	{"but one", {FILTERED(T("**"), T("!f.a.b"))}, "x", "o.f.a.c:1|c\no.f.b:1|c\n"},
	{"the last match decides", {FILTERED(T("**"), T("!f.a.*"), T("f.a.c"))}, "x", "o.f.a.c:1|c\no.f.b:1|c\n"},
	{"the last match decides, excluding",
         {FILTERED(T("f.a.c"), T("!f.a.*"), T("**.b"))},
         "x",
         "o.f.a.b:1|c\no.f.b:1|c\n"},
	{"an exclusion alone leaves all the rest", {FILTERED(T("!f.a.b"))}, "x", "o.f.a.c:1|c\no.f.b:1|c\n"},
	{"nothing but one", {FILTERED(T("!**"), T("f.b"))}, "x", "o.f.b:1|c\n"},
	{"what matches nothing goes nowhere", {FILTERED(T("f.b"))}, "x", "o.f.b:1|c\n"},
	{"templated names one by one",
         {FILE_WITH("", COUNTER("n.{a}")), OUTPUT(.filter = TEXTS(T("n.1"), T("n.3")))},
         "x a=1\nx a=2\nx a=3\nx a=2\nx a=1",
         "n.1:1|c\nn.3:1|c\nn.1:1|c\n"},
	{"names of the event",
         {FILE_WITH("", COUNTER("{event}")), OUTPUT(.filter = TEXTS(T("**"), T("!b")))},
         "a\nb\na\nb",
         "a:1|c\na:1|c\n"},
	{"an event is called event",
         {FILE_WITH("f.", METRIC_OF(METRIC_EVENT, "t", .text = T("m")),
                    METRIC_OF(METRIC_SERVICE_CHECK, "s", .status = T("ok")), COUNTER("c")),
          OUTPUT(.filter = TEXTS(T("**"), T("!event")))},
         "x",
         "_sc|f.s|0\nf.c:1|c\n"},
	{"only events",
         {FILE_WITH("f.", METRIC_OF(METRIC_EVENT, "t", .text = T("m")), COUNTER("c")),
          OUTPUT(.filter = TEXTS(T("event")))},
         "x",
         "_e{1,1}:t|m\n"},
	{"a service check by its name",
         {FILE_WITH("f.", METRIC_OF(METRIC_SERVICE_CHECK, "s", .status = T("ok")), COUNTER("c")),
          OUTPUT(.filter = TEXTS(T("f.s")))},
         "x",
         "_sc|f.s|0\n"},
};

START_TEST(filter)
{
	expect_row(&filters[_i]);
}
END_TEST

/* Each output has filter, prefix and dialect of its own. */
START_TEST(several_outputs)
{
	static struct rig rig;
	struct output_model outputs[] = {
		{.label = T("a"), .prefix = T("a.")},
		{.label = T("b"), .dialect = DIALECT_GRAPHITE, .filter = TEXTS(T("**"), T("!n"))},
		{.label = T("c"), .dialect = DIALECT_STATSD, .prefix = T("c."), .filter = TEXTS(T("n"))}};
	struct metric_model metrics[] = {COUNTER("n", .tags = TAGS(TAG("k", "{k}"))), GAUGE("g.{k}", "v"),
	                                 METRIC_OF(METRIC_EVENT, "t", .text = T("m"))};
	struct rule_model rule = RULE(MATCH("**"), .metrics = metrics, .metric_count = ARRAY_LEN(metrics));
	struct file_model file = FILE_OF(.rules = &rule, .rule_count = 1);
	const struct model model = {
		.files = &file, .file_count = 1, .outputs = outputs, .output_count = ARRAY_LEN(outputs)};
	rig_init(&rig, &model);
	rig_run(&rig, "x k=1 v=-2\nx\n");
	ck_assert_str_eq(rig_output(&rig, 0), "a.n:1|c|#k:1\na.g.1:-2|g\n_e{1,1}:t|m\na.n:1|c\n_e{1,1}:t|m\n");
	ck_assert_str_eq(rig_output(&rig, 1), "g.1:0|g\ng.1:-2|g\n");
	ck_assert_str_eq(rig_output(&rig, 2), "c.n:1|c\nc.n:1|c\n");
	static const uint64_t filtered[] = {0, 4, 3};
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(rig.accounts.outputs[i].made, 5);
		ck_assert_uint_eq(rig.accounts.outputs[i].filtered, filtered[i]);
		ck_assert_uint_eq(rig.accounts.outputs[i].sent, 5 - filtered[i]);
	}
	rig_fini(&rig);
}
END_TEST

/* ---- limits.names and limits.tag_values ---- */

static const struct row guards[] = {
	{"names beyond the limit: what their templates put in",
         {FILE_WITH("", COUNTER("n.{a}")), .limits.names = 2},
         "x a=1\nx a=2\nx a=3\nx a=1\nx a=4",
         "n.1:1|c\nn.2:1|c\nn.__other__:1|c\nn.1:1|c\nn.__other__:1|c\n"},
	{"each part of the template",
         {FILE_WITH("f.", COUNTER("n.{a}.b.{event.0}")), .limits.names = 1},
         "x a=1\ny a=1",
         "f.n.1.b.x:1|c\nf.n.__other__.b.__other__:1|c\n"},
	{"literal names are not counted",
         {FILE_WITH("", COUNTER("a"), COUNTER("b"), COUNTER("n.{a}")), .limits.names = 1},
         "x a=1",
         "a:1|c\nb:1|c\nn.1:1|c\n"},
	{"names of the event are",
         {FILE_WITH("", COUNTER("{event}")), .limits.names = 2},
         "a\nb\nc\na\nd\nc",
         "a:1|c\nb:1|c\n__other__:1|c\na:1|c\n__other__:1|c\n__other__:1|c\n"},
	{"one name of two metrics counts once",
         {FILE_WITH("", COUNTER("n.{a}"), GAUGE("n.{a}", "v")), .limits.names = 1},
         "x a=1 v=2",
         "n.1:1|c\nn.1:2|g\n"},
	{"the filter sees the other name",
         {FILE_WITH("", COUNTER("n.{a}")), OUTPUT(.filter = TEXTS(T("n.1"), T("n.3"))), .limits.names = 1},
         "x a=1\nx a=3\nx a=1",
         "n.1:1|c\nn.1:1|c\n"},

	{"values beyond the limit",
         {FILE_WITH("", COUNTER("m", .tags = TAGS(TAG("k", "{a}")))), .limits.tag_values = 2},
         "x a=1\nx a=2\nx a=3\nx a=1\nx",
         "m:1|c|#k:1\nm:1|c|#k:2\nm:1|c|#k:__other__\nm:1|c|#k:1\nm:1|c\n"},
	{"each key has its own",
         {FILE_WITH("", COUNTER("m", .tags = TAGS(TAG("k", "{a}"), TAG("l", "{a}")))), .limits.tag_values = 1},
         "x a=1\nx a=2",
         "m:1|c|#k:1,l:1\nm:1|c|#k:__other__,l:__other__\n"},
	{"one key of two metrics counts once",
         {FILE_WITH("", COUNTER("m", .tags = TAGS(TAG("k", "{a}"))), COUNTER("n", .tags = TAGS(TAG("k", "{b}")))),
          .limits.tag_values = 2},
         "x a=1 b=2\nx a=2 b=1\nx a=3 b=1",
         "m:1|c|#k:1\nn:1|c|#k:2\nm:1|c|#k:2\nn:1|c|#k:1\nm:1|c|#k:__other__\nn:1|c|#k:1\n"},
	{"constants and global ones are not counted",
         {FILE_WITH("", COUNTER("m", .tags = TAGS(TAG("k", "c1"))), COUNTER("n", .tags = TAGS(TAG("k", "{a}")))),
          .tags = TAGS(TAG("g", "1")), .limits.tag_values = 1},
         "x a=1\nx a=1",
         "m:1|c|#k:c1,g:1\nn:1|c|#k:1,g:1\nm:1|c|#k:c1,g:1\nn:1|c|#k:1,g:1\n"},
	{"values are told apart as they are sent",
         {FILE_WITH("", COUNTER("m", .tags = TAGS(TAG("k", "{a}")))), .limits = {.tag_values = 1, .tag_length = 3}},
         "x a=abc1\nx a=abc2\nx a=abd",
         "m:1|c|#k:abc\nm:1|c|#k:abc\nm:1|c|#k:__other__\n"},
	{"a key with a limit of its own",
         {FILE_WITH("", COUNTER("m", .tags = TAGS(TAG("k", "{a}"), TAG("l", "{a}")))),
          .limits = {.tag_values = 1,
                     .tag_value_limits = (struct tag_limit_model[]){{T("l"), 2}},
                     .tag_value_limit_count = 1}},
         "x a=1\nx a=2\nx a=3",
         "m:1|c|#k:1,l:1\nm:1|c|#k:__other__,l:2\nm:1|c|#k:__other__,l:__other__\n"},
	{"values in names are guarded too",
         {FILE_WITH("", COUNTER("m", .tags = TAGS(TAG("k", "{a}")))),
          OUTPUT(.dialect = DIALECT_STATSD, .tags_in_name = true), .limits.tag_values = 1},
         "x a=1\nx a=2\nx",
         "m.1:1|c\nm.__other__:1|c\nm.none:1|c\n"},
};

START_TEST(guard)
{
	expect_row(&guards[_i]);
}
END_TEST

START_TEST(guards_are_counted_and_told_once)
{
	static struct rig rig;
	struct metric_model metrics[] = {COUNTER("n.{a}", .tags = TAGS(TAG("k", "{a}"), TAG("l", "{b}")))};
	struct rule_model rule = RULE(MATCH("**"), .metrics = metrics, .metric_count = 1);
	struct file_model file = FILE_OF(.rules = &rule, .rule_count = 1);
	const struct model model = {.files = &file, .file_count = 1, .limits = {.names = 3, .tag_values = 2}};
	rig_init(&rig, &model);
	rig_run(&rig, "x a=1 b=1\nx a=2 b=1\nx a=3 b=1\nx a=4 b=1\nx a=5 b=1\nx a=1 b=1\n");
	ck_assert_str_eq(rig.limited, "k 2\n 3\n");
	ck_assert_uint_eq(rig.accounts.names_limited, 2);
	for (uint16_t i = 0; i < rig.mapping->tag_key_count; i++)
		ck_assert_uint_eq(rig.accounts.values_limited[i], span_is(rig.mapping->tag_keys[i], "k") ? 3 : 0);
	rig_fini(&rig);
}
END_TEST

/* ---- the memory of plans: bounded, and forgotten as a whole ---- */

/* More identifiers than there is room for, with long names behind long prefixes: nothing is forgotten that counts. */
START_TEST(more_identifiers_than_room)
{
	static struct rig rig;
	enum { METRIC_COUNT = 60, EVENTS = 12000 };
	struct metric_model metrics[METRIC_COUNT];
	struct output_model outputs[6];
	struct text only_x[] = {T("x.*")};
	for (int i = 0; i < METRIC_COUNT; i++)
		metrics[i] = (struct metric_model)COUNTER(HUNDRED HUNDRED);
	metrics[0] = (struct metric_model)COUNTER("{event}");
	for (int i = 0; i < 6; i++)
		outputs[i] =
			(struct output_model){.label = T("o"), .prefix = T(HUNDRED HUNDRED), .filter = {only_x, 1}};
	outputs[0].prefix = (struct text){0};
	struct rule_model rules[] = {RULE(MATCH("y.**"), .metrics = metrics, .metric_count = METRIC_COUNT),
	                             RULE(MATCH("x.**"), .metrics = metrics, .metric_count = 1)};
	struct file_model file = FILE_OF(.prefix = T(""), .rules = rules, .rule_count = ARRAY_LEN(rules));
	const struct model model = {
		.files = &file, .file_count = 1, .outputs = outputs, .output_count = _i ? 6 : 1, .limits.names = 5};
	rig_init(&rig, &model);
	uint64_t seed = 1;
	char line[256];
	for (int i = 0; i < EVENTS; i++) {
		const uint32_t number = i < 10 ? (uint32_t)i : random_below(&seed, 6000);
		sprintf(line, "%s.n%u%.*s\n", i % 7 ? "x" : "y", number, (int)random_below(&seed, 190),
		        HUNDRED HUNDRED);
		rig_read(&rig, 0, span_of(line), 1000);
		rig_output(&rig, 0);
	}
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_MAPPED], EVENTS);
	/* The first names are in the guard whatever happened to their plans. */
	rig.sinks[0].len = 0;
	rig_read(&rig, 0, SPAN("x.unheard\n"), 1000);
	ck_assert_str_eq(rig_output(&rig, 0), "");
	rig_fini(&rig);
}
END_TEST

START_TEST(resets)
{
	static struct rig rig;
	struct metric_model metrics[] = {COUNTER("n.{event.1}", .tags = TAGS(TAG("e", "{event}")))};
	struct rule_model rule = RULE(MATCH("**"), .metrics = metrics, .metric_count = 1);
	struct file_model file = FILE_OF(.rules = &rule, .rule_count = 1);
	const struct model model = {.files = &file, .file_count = 1, .limits = {.names = 100000, .tag_values = 100000}};
	rig_init(&rig, &model);
	for (int i = 0; i < 30000; i++) {
		char line[64], want[64];
		sprintf(line, "e.i%d\n", i / 3);
		sprintf(want, "n.i%d:1|c|#e:e.i%d\n", i / 3, i / 3);
		rig.sinks[0].len = 0;
		rig_read(&rig, 0, span_of(line), 64);
		ck_assert_str_eq(rig_output(&rig, 0), want);
	}
	rig_fini(&rig);
}
END_TEST

Suite *plan_suite(void)
{
	Suite *suite = suite_create("plan");
	TCase *all = tcase_create("plan");
	tcase_add_loop_test(all, name, 0, ARRAY_LEN(names));
	tcase_add_loop_test(all, filter, 0, ARRAY_LEN(filters));
	tcase_add_test(all, several_outputs);
	tcase_add_loop_test(all, guard, 0, ARRAY_LEN(guards));
	tcase_add_test(all, guards_are_counted_and_told_once);
	tcase_add_loop_test(all, more_identifiers_than_room, 0, 2);
	tcase_add_test(all, resets);
	suite_add_tcase(suite, all);
	return suite;
}
