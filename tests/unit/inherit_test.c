#include <stdio.h>

#include "expect.h"

Suite *inherit_suite(void);

/* A reload: what one translator knew, the next one knows. */

static struct rig before, after;

static void reload(const struct model *model)
{
	rig_init(&after, model);
	translator_inherit(after.translator, before.translator);
	accounts_inherit(&after.accounts, after.mapping, &before.accounts, before.mapping);
}

static void end(void)
{
	rig_fini(&before);
	rig_fini(&after);
}

#define COUNTERS(...) ONE_RULE(MATCH("**"), METRICS(__VA_ARGS__))

#define STATSD  INPUTS({.label = T("in"), .format = FORMAT_STATSD})
#define RELAYED COUNTERS({.kind = METRIC_RELAY, .name = T("{event}"), .mark = {"test.yaml", __LINE__, 1}}), STATSD

static const struct {
	const char *name;
	struct model before;
	const char *events_before;
	struct model after;
	const char *events_after;
	const char *want;
} guards[] = {
	{"names that were admitted are, others are not",
         {COUNTERS(COUNTER("n.{a}")), .limits.names = 2},
         "x a=1\nx a=2",
         {COUNTERS(COUNTER("n.{a}")), .limits.names = 2},
         "x a=3\nx a=1",
         "n.__other__:1|c\nn.1:1|c\n"},
	{"a higher limit admits more",
         {COUNTERS(COUNTER("n.{a}")), .limits.names = 1},
         "x a=1",
         {COUNTERS(COUNTER("n.{a}")), .limits.names = 2},
         "x a=3\nx a=1\nx a=4",
         "n.3:1|c\nn.1:1|c\nn.__other__:1|c\n"},
	{"a lower limit admits no more",
         {COUNTERS(COUNTER("n.{a}")), .limits.names = 5},
         "x a=1\nx a=2\nx a=3",
         {COUNTERS(COUNTER("n.{a}")), .limits.names = 1},
         "x a=4",
         "n.__other__:1|c\n"},
	{"values of a key that has another number now",
         {COUNTERS(COUNTER("m", .tags = TAGS(TAG("k", "{a}"), TAG("l", "{b}")))), .limits.tag_values = 1},
         "x a=1 b=2",
         {COUNTERS(COUNTER("m", .tags = TAGS(TAG("new", "{c}"), TAG("l", "{b}"), TAG("k", "{a}")))),
          .limits.tag_values = 1},
         "x a=1 b=2 c=3\nx a=4 b=5 c=6",
         "m:1|c|#new:3,l:2,k:1\nm:1|c|#new:__other__,l:__other__,k:__other__\n"},
	{"a dialect that was not used starts anew",
         {COUNTERS(COUNTER("m", .tags = TAGS(TAG("k", "{a}")))), .limits.tag_values = 1},
         "x a=1",
         {COUNTERS(COUNTER("m", .tags = TAGS(TAG("k", "{a}")))),
          OUTPUTS({.label = T("out"), .dialect = DIALECT_GRAPHITE}), .limits.tag_values = 1},
         "x a=2\nx a=1",
         "m;k=2:1|c\nm;k=__other__:1|c\n"},
	{"values of relayed tags",
         {RELAYED, .limits.tag_values = 1},
         "a:1|c|#k:1",
         {RELAYED, .limits.tag_values = 1},
         "a:1|c|#k:2\na:1|c|#l:2\na:1|c|#k:1",
         "a:1|c|#k:__other__\na:1|c|#l:2\na:1|c|#k:1\n"},
	{"values of tags that were not relayed before",
         {COUNTERS(COUNTER("m", .tags = TAGS(TAG("k", "{k}")))), STATSD, .limits.tag_values = 1},
         "a:1|c|#k:1",
         {RELAYED, .limits.tag_values = 1},
         "a:1|c|#k:2",
         "a:1|c|#k:2\n"},
};

START_TEST(guard)
{
	rig_init(&before, &guards[_i].before);
	rig_run(&before, guards[_i].events_before);
	reload(&guards[_i].after);
	expect_text(guards[_i].name, rig_run(&after, guards[_i].events_after), guards[_i].want);
	end();
}
END_TEST

static struct text key[] = {T("id")};
static struct text other_key[] = {T("nothing")};
static struct text final[] = {T("done")};
static struct lifecycle_enter_model enter[] = {{T("begin"), T("begun")}, {T("end"), T("done")}};
static struct lifecycle_enter_model enter_more[] = {
	{T("begin"), T("begun")}, {T("end"), T("done")}, {T("fail"), T("failed")}};
static struct lifecycle_enter_model enter_wider[] = {{T("begin"), T("begun")}, {T("end*"), T("done")}};
static struct lifecycle_enter_model enter_renamed[] = {{T("begin"), T("started")}, {T("end"), T("done")}};
static struct lifecycle_enter_model enter_swapped[] = {{T("begin"), T("done")}, {T("end"), T("begun")}};
static struct text extra_key[] = {T("id"), T("x")};
static struct text x_key[] = {T("x")};
static struct text begun[] = {T("begun")};
static struct text to_done[] = {T("done")};
static struct lifecycle_transition_model transitions[] = {{.from = T("begun"), .to = {to_done, 1}}};

#define MACHINE_OF(name_, key_, enter_, enter_count_, max)                                                             \
	{                                                                                                              \
		.name = T(name_), .key = {key_, 1}, .enter = enter_, .enter_count = enter_count_, .final = {final, 1}, \
		.max_entities = max, .linger_ns = 1000000000, .expire_ns = 1000000000, .mark = {                       \
			"test.yaml",                                                                                   \
			1,                                                                                             \
			1                                                                                              \
		}                                                                                                      \
	}
#define MACHINE(name_) MACHINE_OF(name_, key, enter, 2, 10)
/* Of so many keys, which linger so many seconds, with what else is said. */
#define MACHINE_WITH(keys, key_count_, linger_s, ...)                                                            \
	{                                                                                                        \
		.name = T("job"), .key = {keys, key_count_}, .enter = enter, .enter_count = 2,                   \
		.final = {final, 1}, .max_entities = 10, .linger_ns = (linger_s) * INT64_C(1000000000),          \
		.expire_ns = 1000000000, .mark = {"test.yaml", 1, 1}, __VA_ARGS__                                \
	}
#define MOVES          COUNTERS(COUNTER("m", .tags = TAGS(TAG("f", "{state.from}"), TAG("t", "{state.to}"))))
#define LIFECYCLES(...)                                        \
	.lifecycles = (struct lifecycle_model[]){__VA_ARGS__}, \
	.lifecycle_count = sizeof((struct lifecycle_model[]){__VA_ARGS__}) / sizeof(struct lifecycle_model)

static const struct {
	const char *name;
	struct model after;
	const char *want;
} lifecycles[] = {
	{"one that stays the same keeps its entities", {MOVES, LIFECYCLES(MACHINE("job"))}, "m:1|c|#f:begun,t:done\n"},
	{"also where another came before it",
         {MOVES, LIFECYCLES(MACHINE_OF("new", other_key, enter, 2, 10), MACHINE("job"))},
         "m:1|c|#f:begun,t:done\n"},
	{"one of another name starts anew", {MOVES, LIFECYCLES(MACHINE("work"))}, "m:1|c|#t:done\n"},
	{"one that was changed starts anew",
         {MOVES, LIFECYCLES(MACHINE_OF("job", key, enter, 2, 11))},
         "m:1|c|#t:done\n"},
	{"one with another state starts anew",
         {MOVES, LIFECYCLES(MACHINE_OF("job", key, enter_more, 3, 10))},
         "m:1|c|#t:done\n"},
	{"one of another key starts anew", {MOVES, LIFECYCLES(MACHINE_OF("job", x_key, enter, 2, 10))}, "m:1|c|#t:done\n"},
	{"one with one more key starts anew", {MOVES, LIFECYCLES(MACHINE_WITH(extra_key, 2, 1))}, "m:1|c|#t:done\n"},
	{"one that other events move starts anew",
         {MOVES, LIFECYCLES(MACHINE_OF("job", key, enter_wider, 2, 10))},
         "m:1|c|#t:done\n"},
	{"one that the same events move elsewhere starts anew",
         {MOVES, LIFECYCLES(MACHINE_OF("job", key, enter_swapped, 2, 10))},
         "m:1|c|#t:begun\n"},
	{"one with a state of another name starts anew",
         {MOVES, LIFECYCLES(MACHINE_OF("job", key, enter_renamed, 2, 10))},
         "m:1|c|#t:done\n"},
	{"one with other transitions starts anew",
         {MOVES, LIFECYCLES(MACHINE_WITH(key, 1, 1, .transitions = transitions, .transition_count = 1))},
         "m:1|c|#t:done\n"},
	{"one that takes its times from a field starts anew",
         {MOVES, LIFECYCLES(MACHINE_WITH(key, 1, 1, .timestamp = T("at")))},
         "m:1|c|#t:done\n"},
	{"one whose entities linger longer starts anew",
         {MOVES, LIFECYCLES(MACHINE_WITH(key, 1, 2))},
         "m:1|c|#t:done\n"},
};

START_TEST(lifecycle)
{
	const struct model model = {MOVES, LIFECYCLES(MACHINE("job"))};
	rig_init(&before, &model);
	rig_run(&before, "begin id=1 x=1\n");
	reload(&lifecycles[_i].after);
	expect_text(lifecycles[_i].name, rig_run(&after, "end id=1 x=1\n"), lifecycles[_i].want);
	end();
}
END_TEST

/* Whether or not the entities stay. */
START_TEST(lifecycle_counts)
{
	const struct model model = {MOVES, LIFECYCLES(MACHINE_OF("job", key, enter, 2, 2))};
	const struct model changed = {MOVES, LIFECYCLES(MACHINE_OF("job", key, enter, 2, (uint32_t)(2 + _i)))};
	rig_init(&before, &model);
	rig_run(&before, "begin id=1\nbegin id=2\nbegin id=3\nend id=4\nbegin id=4\n");
	translator_refresh(before.translator);
	ck_assert_uint_eq(before.accounts.lifecycles[0].evicted, 2);
	reload(&changed);
	translator_refresh(after.translator);
	ck_assert_uint_eq(after.accounts.lifecycles[0].evicted, 2);
	ck_assert_uint_eq(after.accounts.lifecycles[0].expired, before.accounts.lifecycles[0].expired);
	ck_assert_uint_eq(after.accounts.lifecycles[0].entities[0], _i == 0 ? 2 : 0);
	end();
}
END_TEST

/* The first that a translator says may be no event's. */
START_TEST(lifecycle_expires_at_once)
{
	const struct model model = {MOVES, LIFECYCLES(MACHINE_WITH(key, 1, 1, .active = {begun, 1}, .in_flight = T("g"))),
	                            .tags = TAGS(TAG("env", "prod"))};
	rig_init(&before, &model);
	rig_run(&before, "begin id=1\n");
	reload(&model);
	translator_set_time(after.translator, (struct moment){.monotonic_ns = INT64_C(3600000000000)});
	translator_run_timers(after.translator);
	expect_text("a gauge before any event", rig_output(&after, 0), "g:0|g|#env:prod\n");
	end();
}
END_TEST

/* The second reload comes before the timer that the first one has set. */
START_TEST(a_gauge_that_is_owed_outlives_another_reload)
{
	const struct model model = {MOVES, LIFECYCLES(MACHINE_WITH(key, 1, 1, .active = {begun, 1}, .in_flight = T("g")))};
	const struct model changed = {MOVES, LIFECYCLES(MACHINE_WITH(key, 1, 2, .active = {begun, 1}, .in_flight = T("g")))};
	struct rig last;
	rig_init(&before, &model);
	rig_run(&before, "begin id=1\n");
	reload(&changed);
	rig_init(&last, _i == 0 ? &changed : &model);
	translator_inherit(last.translator, after.translator);
	ck_assert_int_eq(translator_timer_ms(last.translator), 1);
	translator_run_timers(last.translator);
	expect_text("the gauge", rig_output(&last, 0), "g:0|g\n");
	rig_fini(&last);
	end();
}
END_TEST

/* Its entities are forgotten, and receivers would go on with what the gauge said last. */
START_TEST(lifecycle_that_begins_anew_tells_its_gauge)
{
	const struct model model = {MOVES, LIFECYCLES(MACHINE_WITH(key, 1, 1, .active = {begun, 1}, .in_flight = T("g")))};
	const struct model changed = {MOVES, LIFECYCLES(MACHINE_WITH(key, 1, 2, .active = {begun, 1}, .in_flight = T("g")))};
	rig_init(&before, &model);
	rig_run(&before, _i == 0 ? "begin id=1\n" : "end id=1\n");
	ck_assert_int_gt(translator_timer_ms(before.translator), 1);
	reload(&changed);
	ck_assert_int_eq(translator_timer_ms(after.translator), _i == 0 ? 1 : -1);
	translator_run_timers(after.translator);
	expect_text("the gauge", rig_output(&after, 0), _i == 0 ? "g:0|g\n" : "");
	ck_assert_int_eq(translator_timer_ms(after.translator), -1);
	end();
}
END_TEST

#define LABELLED(label, glob) \
	RULE(.name = T(label), MATCH(glob), METRICS(COUNTER("m", .tags = TAGS(TAG(label, "{x}")))))

static const struct model counted_before = {
	FILES(FILE_OF(RULES(LABELLED("first", "a"), LABELLED("second", "b.*"), LABELLED("third", "c")))),
	CATALOGUE({.name = T("a"), .legacy = TEXTS(T("old_a"), T("older_a")), .expects = TEXTS(T("x"), T("y"))},
                  {.name = T("c"), .expects = TEXTS(T("x"))}),
	.limits.tag_values = 1,
};
static const struct model counted_after = {
	FILES(FILE_OF(RULES(LABELLED("new", "n"), LABELLED("third", "c"), LABELLED("first", "a")))),
	CATALOGUE({.name = T("c"), .expects = TEXTS(T("z"), T("x"))},
                  {.name = T("a"), .legacy = TEXTS(T("older_a")), .expects = TEXTS(T("y"))}),
	.limits.tag_values = 1,
};

/* Several rules of one label are told as one: what was counted of them stays, however many they are. */
static const struct model twice_before = {
	FILES(FILE_OF(RULES(LABELLED("one", "a"), LABELLED("twice", "b"), LABELLED("twice", "c")))), .limits.tag_values = 1};
static const struct model twice_after = {
	FILES(FILE_OF(RULES(LABELLED("twice", "c"), LABELLED("one", "a"), LABELLED("twice", "b"), LABELLED("twice", "d")))),
	.limits.tag_values = 1};

static uint64_t rule_matches(const struct rig *rig, const char *label)
{
	for (uint32_t i = 0; i < rig->mapping->rule_count; i++)
		if (span_is(rig->mapping->rules[i].label, label))
			return rig->accounts.rule_matches[i];
	return UINT64_MAX;
}

static uint64_t missing(const struct rig *rig, const char *event, const char *field)
{
	for (uint32_t i = 0; i < rig->mapping->expectation_count; i++)
		if (span_is(rig->mapping->expectations[i].event, event) &&
		    span_is(rig->mapping->expectations[i].field, field))
			return rig->accounts.payload_missing[i];
	return UINT64_MAX;
}

START_TEST(counts)
{
	rig_init(&before, &counted_before);
	rig_run(&before, "a x=1\na x=2\na x=3\nb.1\nb.2\nc\nc\nold_a\nolder_a\nunknown\n{\n");
	reload(&counted_after);
	ck_assert_uint_eq(rule_matches(&after, "first"), 5);
	ck_assert_uint_eq(rule_matches(&after, "third"), 2);
	ck_assert_uint_eq(rule_matches(&after, "new"), 0);
	ck_assert_uint_eq(missing(&after, "a", "y"), 5);
	ck_assert_uint_eq(missing(&after, "c", "x"), 2);
	ck_assert_uint_eq(missing(&after, "c", "z"), 0);
	ck_assert_uint_eq(after.mapping->legacy_count, 1);
	ck_assert_uint_eq(after.accounts.legacy[0], 1);
	ck_assert_uint_eq(after.accounts.unknown, 3);
	ck_assert_uint_eq(after.accounts.outcomes[OUTCOME_MAPPED], before.accounts.outcomes[OUTCOME_MAPPED]);
	ck_assert_uint_eq(after.accounts.outcomes[OUTCOME_MALFORMED], 1);
	for (uint16_t i = 0; i < after.mapping->tag_key_count; i++)
		ck_assert_uint_eq(after.accounts.values_limited[i],
		                  span_is(after.mapping->tag_keys[i], "first") ? 2 : 0);
	end();
}
END_TEST

START_TEST(counts_of_one_label)
{
	rig_init(&before, &twice_before);
	rig_run(&before, "a\nb\nb\nc\nc\nc\n");
	ck_assert_uint_eq(rule_matches(&before, "one"), 1);
	ck_assert_uint_eq(rule_matches(&before, "twice"), 5);
	reload(&twice_after);
	ck_assert_uint_eq(rule_matches(&after, "one"), 1);
	ck_assert_uint_eq(rule_matches(&after, "twice"), 5);
	rig_run(&after, "b\nc\nd\n");
	ck_assert_uint_eq(rule_matches(&after, "twice"), 8);
	for (uint32_t i = 0; i < after.mapping->rule_count; i++)
		ck_assert_uint_eq(after.accounts.rule_matches[i], i == 0 ? 8 : i == 1 ? 1 : 0);
	end();
}
END_TEST

Suite *inherit_suite(void)
{
	Suite *suite = suite_create("inherit");
	TCase *all = tcase_create("inherit");
	tcase_add_loop_test(all, guard, 0, ARRAY_LEN(guards));
	tcase_add_loop_test(all, lifecycle, 0, ARRAY_LEN(lifecycles));
	tcase_add_loop_test(all, lifecycle_counts, 0, 2);
	tcase_add_loop_test(all, lifecycle_that_begins_anew_tells_its_gauge, 0, 2);
	tcase_add_loop_test(all, a_gauge_that_is_owed_outlives_another_reload, 0, 2);
	tcase_add_test(all, lifecycle_expires_at_once);
	tcase_add_test(all, counts);
	tcase_add_test(all, counts_of_one_label);
	suite_add_tcase(suite, all);
	return suite;
}
