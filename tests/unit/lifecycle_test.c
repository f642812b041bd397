#include <stdio.h>
#include <stdlib.h>

#include "expect.h"
#include "map/lifecycle.h"

Suite *lifecycle_suite(void);

/* The machine of most rows: begun (active) -> done or failed (final); failed -> begun. Times come in by lines `@MS`. */
static struct text key[] = {T("task"), T("id")};
static struct lifecycle_enter_model enter[] = {
	{T("begin"), T("begun")}, {T("end"), T("done")}, {T("fail.*"), T("failed")}};
static struct lifecycle_transition_model transitions[] = {
	{T("begun"), TEXTS(T("done"), T("failed"))}, {T("failed"), TEXTS(T("begun"))}, {T("done"), {0}}};
static struct text active[] = {T("begun")};
static struct text final[] = {T("done"), T("failed")};

#define MACHINE(...)                                                                                             \
	{                                                                                                        \
		.name = T("job"), .key = {key, 2}, .enter = enter, .enter_count = 3, .transitions = transitions, \
		.transition_count = 3, .active = {active, 1}, .final = {final, 2}, .max_entities = 100,          \
		.linger_ns = 10 * SECOND, .expire_ns = 60 * SECOND, .mark = {"test.yaml", 1, 1}, ##__VA_ARGS__   \
	}
#define SECOND INT64_C(1000000000)
#define LIFECYCLES(...)                                        \
	.lifecycles = (struct lifecycle_model[]){__VA_ARGS__}, \
	.lifecycle_count = sizeof((struct lifecycle_model[]){__VA_ARGS__}) / sizeof(struct lifecycle_model)

/* What an event moved: its states and the time in the one it left. */
#define MOVES                                                                                                         \
	RULE(MATCH("lifecycle.*"),                                                                                    \
	     METRICS(COUNTER("{event}", .tags = TAGS(TAG("l", "{lifecycle}"), TAG("e", "{entity}"),                   \
	                                             TAG("f", "{from}"), TAG("t", "{to}"), TAG("s", "{state}"))))),   \
		RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("f", "{state.from}"), TAG("t", "{state.to}"), \
	                                                            TAG("d", "{state.duration}")))))
#define FOLLOWED(...)                                                          \
	{                                                                      \
		FILES(FILE_OF(RULES(MOVES))), LIFECYCLES(MACHINE(__VA_ARGS__)) \
	}

#define FIELD_D                                                                                  \
	FIELDS({.name = T("took"),                                                               \
	        .variants = (struct field_variant_model[]){{.from = TEXTS(T("took"))}},          \
	        .variant_count = 1},                                                             \
	       {.name = T("at"),                                                                 \
	        .variants = (struct field_variant_model[]){{.from = TEXTS(T("at"), T("time"))}}, \
	        .variant_count = 1})
#define TOOK(...)                                                                                                     \
	{                                                                                                             \
		FILES(FILE_OF(RULES(RULE(MATCH("**"), METRICS(TIMER("took", "took", UNIT_S)))))), FIELD_D,            \
			LIFECYCLES(MACHINE(.duration_field = T("took"), .duration_state = T("begun"), ##__VA_ARGS__)) \
	}
#define DATED .timestamp = T("at")

static const struct row rows[] = {
	{"from no state every state may be entered", FOLLOWED(), "end task=a id=1\nfail.x task=a id=2",
         "m:1|c|#t:done\nm:1|c|#t:failed\n"},
	{"a transition, and how long the state lasted", FOLLOWED(), "begin task=a id=1\n@1500\nend task=a id=1",
         "m:1|c|#t:begun\nm:1|c|#f:begun,t:done,d:1.5\n"},
	{"entities are told apart by the whole key", FOLLOWED(), "begin task=a id=1\nend task=a id=2\nend task=b id=1",
         "m:1|c|#t:begun\nm:1|c|#t:done\nm:1|c|#t:done\n"},
	{"and by where its parts end", FOLLOWED(), "begin task=a/b id=c\nend task=a id=b/c",
         "m:1|c|#t:begun\nm:1|c|#t:done\n"},
	{"without the whole key nothing moves", FOLLOWED(),
         "begin task=a\nbegin id=1\nbegin task= id=1\n{\"event\":\"begin\",\"task\":{},\"id\":1}",
         "m:1|c\nm:1|c\nm:1|c\nm:1|c\n"},
	{"other events move nothing", FOLLOWED(), "begin task=a id=1\nother task=a id=1\nend task=a id=1",
         "m:1|c|#t:begun\nm:1|c\nm:1|c|#f:begun,t:done,d:0\n"},
	{"a repeat is no transition and keeps the entry time", FOLLOWED(),
         "begin task=a id=1\n@1000\nbegin task=a id=1\n@3000\nend task=a id=1",
         "m:1|c|#t:begun\nm:1|c\nm:1|c|#f:begun,t:done,d:3\n"},
	{"numbers and texts are one key", FOLLOWED(),
         "{\"event\":\"begin\",\"task\":\"a\",\"id\":1}\n{\"event\":\"end\",\"task\":\"a\",\"id\":\"1\"}",
         "m:1|c|#t:begun\nm:1|c|#f:begun,t:done,d:0\n"},
	{"an illegal transition is taken, and told behind the event", FOLLOWED(),
         "end task=a id=1\nbegin task=a id=1\nend task=a id=1",
         "m:1|c|#t:done\nm:1|c|#f:done,t:begun,d:0\nlifecycle.invalid_transition:1|c|#l:job,e:a/"
         "1,f:done,t:begun\nm:1|c|#f:begun,t:done,d:0\n"},
	{"what is told takes no input's tags of the line, but the global ones",
         {FILES(FILE_OF(RULES(RULE(MATCH("lifecycle.*"), METRICS(COUNTER("i", .tags = TAGS(TAG("task", "{task}")))))))),
          LIFECYCLES(MACHINE()), .tags = TAGS(TAG("env", "x"))},
         "end task=a id=1\nbegin task=a id=1",
         "i:1|c|#env:x\n"},

	{"a final state is forgotten after linger", FOLLOWED(), "end task=a id=1\n@10001\nbegin task=a id=1",
         "m:1|c|#t:done\nm:1|c|#t:begun\n"},
	{"but not before", FOLLOWED(), "end task=a id=1\n@9990\nfail.x task=a id=1",
         "m:1|c|#t:done\nm:1|c|#f:done,t:failed,d:9.99\nlifecycle.invalid_transition:1|c|#l:job,e:a/"
         "1,f:done,t:failed\n"},
	{"another is forgotten after expire", FOLLOWED(), "begin task=a id=1\n@60001\nend task=a id=1",
         "m:1|c|#t:begun\nm:1|c|#t:done\n"},
	{"which counts from the last event", FOLLOWED(),
         "begin task=a id=1\n@50000\nbegin task=a id=1\n@100000\nend task=a id=1",
         "m:1|c|#t:begun\nm:1|c\nm:1|c|#f:begun,t:done,d:100\n"},

	{"a duration from receive times", TOOK(), "begin task=a id=1\n@2500\nend task=a id=1", "took:2500|ms\n"},
	{"the payload's own goes first", TOOK(), "begin task=a id=1\n@2500\nend task=a id=1 took=7", "took:7000|ms\n"},
	{"null is none", TOOK(), "begin task=a id=1\n@2500\n{\"event\":\"end\",\"task\":\"a\",\"id\":1,\"took\":null}",
         "took:2500|ms\n"},
	{"only when that state is left", TOOK(),
         "fail.x task=a id=1\n@2500\nbegin task=a id=1\n@2600\nbegin task=a id=1", ""},
	{"not of one seen for the first time", TOOK(), "end task=a id=1", ""},
	{"from the events' own times", TOOK(DATED),
         "begin task=a id=1 time=2024-05-01T12:00:00Z\n@10\nend task=a id=1 time=2024-05-01T12:00:01.25Z",
         "took:1250|ms\n"},
	{"from receive times where one has none", TOOK(DATED),
         "begin task=a id=1 time=2024-05-01T12:00:00Z\n@10\nend task=a id=1", "took:10|ms\n"},
	{"to the millisecond, rounded once", TOOK(DATED),
         "begin task=a id=1 time=2024-05-01T12:00:00.100900Z\nend task=a id=1 time=2024-05-01T12:00:01.200100Z\n"
         "begin task=b id=1 time=5.0009\nend task=b id=1 time=5.0014",
         "took:1099|ms\ntook:1|ms\n"},
	{"not of less than a millisecond backwards", TOOK(DATED),
         "begin task=a id=1 time=5.0004\nend task=a id=1 time=5.0003", ""},
	{"a negative difference fills nothing", TOOK(DATED),
         "begin task=a id=1 time=2024-05-01T12:00:01Z\n@10\nend task=a id=1 time=2024-05-01T12:00:00Z", ""},
	{"before a default",
         {FILES(FILE_OF(RULES(RULE(MATCH("**"), METRICS(TIMER("took", "took", UNIT_S)))))),
          FIELDS({.name = T("took"),
                  .variants = (struct field_variant_model[]){{.from = TEXTS(T("took")), .default_value = T("9")}},
                  .variant_count = 1}),
          LIFECYCLES(MACHINE(.duration_field = T("took"), .duration_state = T("begun")))},
         "begin task=a id=1\n@2500\nend task=a id=1",
         "took:9000|ms\ntook:2500|ms\n"},
	{"behind between",
         {FILES(FILE_OF(RULES(RULE(MATCH("end"), METRICS(TIMER("took", "took", UNIT_S)))))),
          FIELDS({.name = T("took"),
                  .variants = (struct field_variant_model[]){{.from = TEXTS(T("took")), .between = {T("a"), T("b")}}},
                  .variant_count = 1}),
          LIFECYCLES(MACHINE(.duration_field = T("took"), .duration_state = T("begun")))},
         "begin task=a id=1\n@2500\nend task=a id=1 a=1 b=2",
         "took:1000|ms\n"},

	{"a field that `fields` does not define",
         {FILES(FILE_OF(RULES(RULE(MATCH("end"), METRICS(TIMER("took", "took", UNIT_S)))))),
          LIFECYCLES(MACHINE(.duration_field = T("took"), .duration_state = T("begun")))},
         "begin task=a id=1\n@2500\nend task=a id=1\nbegin task=a id=1\nend task=a id=1 took=3",
         "took:2500|ms\ntook:3000|ms\n"},

	{"in flight at each change",
         {FILES(FILE_OF(.prefix = T("p."), RULES(RULE(MATCH("nothing"), METRICS(COUNTER("n"))))), ),
          LIFECYCLES(MACHINE(.in_flight = T("flying"), .prefix = "p."))},
         "begin task=a id=1\nbegin task=a id=2\nbegin task=a id=2\nend task=a id=1\nother task=a id=2\nend task=a id=2",
         "p.flying:1|g\np.flying:2|g\np.flying:1|g\np.flying:0|g\n"},
	{"in flight when one is forgotten",
         {FILES(FILE_OF(RULES(RULE(MATCH("nothing"), METRICS(COUNTER("n")))))),
          LIFECYCLES(MACHINE(.in_flight = T("flying")))},
         "begin task=a id=1\n@61000",
         "flying:1|g\nflying:0|g\n"},

	{"stuck once a stay", FOLLOWED(.stuck_after_ns = 5 * SECOND),
         "begin task=a id=1\n@4999\n@5000\n@20000\nbegin task=a id=1\n@30000\nend task=a id=1\n@30001\nfail.x task=a "
         "id=1\nbegin task=a id=1\n@35001\n@50000",
         "m:1|c|#t:begun\nlifecycle.stuck:1|c|#l:job,e:a/1,s:begun\nm:1|c\nm:1|c|#f:begun,t:done,d:30\n"
         "m:1|c|#f:done,t:failed,d:0.001\nlifecycle.invalid_transition:1|c|#l:job,e:a/"
         "1,f:done,t:failed\nm:1|c|#f:failed,t:begun,d:0\n"
         "lifecycle.stuck:1|c|#l:job,e:a/1,s:begun\n"},
	{"what is not active is not stuck", FOLLOWED(.stuck_after_ns = 5 * SECOND), "fail.x task=a id=1\n@9000",
         "m:1|c|#t:failed\n"},

	{"two lifecycles, each with its own entities",
         {FILES(FILE_OF(RULES(MOVES))), LIFECYCLES(MACHINE(), {.name = T("other"),
                                                               .key = {key, 1},
                                                               .enter = enter,
                                                               .enter_count = 3,
                                                               .transitions = transitions,
                                                               .transition_count = 3,
                                                               .active = {active, 1},
                                                               .final = {final, 2},
                                                               .max_entities = 9,
                                                               .linger_ns = SECOND,
                                                               .expire_ns = SECOND})},
         "end task=a id=1\nend task=a id=2\nbegin task=a id=3",
         "m:1|c|#t:done\nm:1|c|#t:done\nm:1|c|#t:begun\nlifecycle.invalid_transition:1|c|#l:other,e:a,f:done,t:"
         "begun\n"},
};

/* rig_run(), but that `@MS` is what the clock says from there on; timers run whenever they are due. */
static const char *run(struct rig *rig, const char *events)
{
	int64_t now_ms = 0;
	translator_set_time(rig->translator, (struct moment){0, 0});
	while (*events) {
		const size_t len = strcspn(events, "\n");
		if (*events == '@') {
			const int64_t end_ms = atoll(events + 1);
			int64_t wait;
			while ((wait = translator_timer_ms(rig->translator)) >= 0 && now_ms + wait <= end_ms) {
				now_ms += wait;
				translator_set_time(rig->translator,
				                    (struct moment){now_ms * 1000000, now_ms * 1000000});
				translator_run_timers(rig->translator);
			}
			now_ms = end_ms;
			translator_set_time(rig->translator, (struct moment){now_ms * 1000000, now_ms * 1000000});
		} else {
			rig_read(rig, 0, (struct span){events, len}, READ_SIZE);
			rig_end(rig, 0);
		}
		events += len + (events[len] == '\n');
	}
	return rig_output(rig, 0);
}

START_TEST(row)
{
	static struct rig rig;
	char why[256];
	rig_init(&rig, &rows[_i].model);
	expect_text(rows[_i].name, run(&rig, rows[_i].events), rows[_i].want);
	/* What lifecycles tell is nobody's line. */
	ck_assert_msg(rig_check_balance(&rig, why, sizeof(why)) == 0, "%s: %s", rows[_i].name, why);
	rig_fini(&rig);
}
END_TEST

static void check_flights(const char *name, const char *events, const char *want)
{
	static struct rig rig;
	struct model model = {FILES(FILE_OF(RULES(RULE(MATCH("nothing"), METRICS(COUNTER("n")))))),
	                      LIFECYCLES(MACHINE(.in_flight = T("flying")))};
	model.lifecycles->max_entities = 2;
	rig_init(&rig, &model);
	expect_text(name, run(&rig, events), want);
	rig_fini(&rig);
}

START_TEST(in_flight_where_one_makes_room)
{
	check_flights("evicted", "begin task=a id=1\nbegin task=a id=2\nend task=a id=3\nend task=a id=4",
	              "flying:1|g\nflying:2|g\nflying:1|g\nflying:0|g\n");
	check_flights("as many as before", "begin task=a id=1\nbegin task=a id=2\nbegin task=a id=3", "flying:1|g\nflying:2|g\n");
}
END_TEST

/* A tick of 366 days is 482520 ms: begun a second ago, its second tick has begun. */
START_TEST(the_oldest_makes_room_whatever_its_ticks)
{
	static struct rig rig;
	struct model model = FOLLOWED();
	model.lifecycles->max_entities = 2;
	model.lifecycles->linger_ns = 300 * SECOND;
	model.lifecycles->expire_ns = 366 * 24 * 3600 * SECOND;
	rig_init(&rig, &model);
	expect_text("evicted",
	            run(&rig, "@400000\nend task=a id=1\n@482000\nbegin task=a id=2\n@483000\nbegin task=a id=3\nend task=a id=2"),
	            "m:1|c|#t:done\nm:1|c|#t:begun\nm:1|c|#t:begun\nm:1|c|#f:begun,t:done,d:1\n");
	rig_fini(&rig);
}
END_TEST

START_TEST(accounts)
{
	static struct rig rig;
	struct model model = rows[0].model;
	struct lifecycle_model machine = model.lifecycles[0];
	machine.max_entities = 3;
	model.lifecycles = &machine;
	rig_init(&rig, &model);
	run(&rig, "begin task=a id=1\nbegin task=a id=2\nend task=a id=3\nbegin task=a id=3\nbegin task=a id=4\nend "
	          "task=a id=4\n@20000\n@70000\nend task=a id=9");
	translator_refresh(rig.translator);
	const struct lifecycle_accounts *account = &rig.accounts.lifecycles[0];
	ck_assert_uint_eq(account->invalid_transitions, 1);
	ck_assert_uint_eq(account->evicted, 1);
	ck_assert_uint_eq(account->expired, 2);
	/* transitions' order: begun, failed, done */
	ck_assert_uint_eq(account->entities[0], 0);
	ck_assert_uint_eq(account->entities[1], 0);
	ck_assert_uint_eq(account->entities[2], 1);
	rig_fini(&rig);
}
END_TEST

/* Each of several lifecycles fills its own field. */
START_TEST(two_durations)
{
	static struct rig rig;
	struct lifecycle_model machines[] = {MACHINE(.duration_field = T("first"), .duration_state = T("begun")),
	                                     MACHINE(.duration_field = T("second"), .duration_state = T("failed"))};
	struct metric_model metrics[] = {TIMER("one", "first", UNIT_S), TIMER("two", "second", UNIT_S)};
	struct rule_model rule = RULE(MATCH("**"), .metrics = metrics, .metric_count = 2);
	struct file_model file = FILE_OF(.rules = &rule, .rule_count = 1);
	const struct model model = {.files = &file, .file_count = 1, .lifecycles = machines, .lifecycle_count = 2};
	machines[1].name = (struct text)T("another");
	rig_init(&rig, &model);
	expect_text(
		"durations",
		run(&rig,
	            "begin task=a id=1\n@1000\nfail.x task=a id=1\n@3000\nbegin task=a id=1\n@6000\nend task=a id=1"),
		"one:1000|ms\ntwo:2000|ms\none:3000|ms\n");
	rig_fini(&rig);
}
END_TEST

#define BROKEN(...)                     \
	{                               \
		LIFECYCLES(__VA_ARGS__) \
	}
#define BASE .name = T("job"), .key = {key, 2}, .enter = enter, .enter_count = 3, .max_entities = 10

static const struct refusal refusals[] = {
	{"a state that nothing enters", BROKEN({BASE, .active = TEXTS(T("begum"))}), "did you mean `begun`?"},
	{"a transition to such a state",
         BROKEN({BASE, .transitions = (struct lifecycle_transition_model[]){{T("begun"), TEXTS(T("nowhere"))}},
                 .transition_count = 1}),
         "the state `nowhere`"},
	{"no key", BROKEN({.name = T("job"), .enter = enter, .enter_count = 3, .max_entities = 10}), "has no `key`"},
	{"no enter", BROKEN({.name = T("job"), .key = {key, 2}, .max_entities = 10}), "has no `enter`"},
	{"no room", BROKEN({.name = T("job"), .key = {key, 2}, .enter = enter, .enter_count = 3}),
         "`max_entities` is 1 to"},
	{"no pattern",
         BROKEN({.name = T("job"),
                 .key = {key, 2},
                 .enter = (struct lifecycle_enter_model[]){{T("a.**b"), T("x")}},
                 .enter_count = 1,
                 .max_entities = 10}),
         "`a.**b` is no pattern"},
	{"a templated gauge", BROKEN({BASE, .in_flight = T("x.{task}")}),
         "`in_flight` takes a metric's name without fields"},
};

START_TEST(refuse)
{
	expect_refusal(&refusals[_i]);
}
END_TEST

/* As many as there is room for, and one more. */
START_TEST(states_at_most)
{
	struct lifecycle_enter_model many[ENTITY_STATES_MAX + 1];
	struct lifecycle_model lifecycle = {.name = T("job"), .key = {key, 2}, .enter = many, .max_entities = 10};
	const struct model model = {.lifecycles = &lifecycle, .lifecycle_count = 1};
	char names[ARRAY_LEN(many)][8], got[512];
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		snprintf(names[i], sizeof(names[i]), "s%zu", i);
		many[i] = (struct lifecycle_enter_model){{span_of(names[i]), {"test.yaml", 1, 1}}, {span_of(names[i]), {"test.yaml", 1, 1}}};
	}
	lifecycle.enter_count = ENTITY_STATES_MAX;
	rig_problems(&model, got, sizeof(got));
	expect_text("31 states", got, "");
	lifecycle.enter_count = ENTITY_STATES_MAX + 1;
	rig_problems(&model, got, sizeof(got));
	ck_assert_msg(strstr(got, "a lifecycle has 31 states at most"), "32 states: got %s", got);
}
END_TEST

START_TEST(lifecycles_at_most)
{
	struct lifecycle_model many[LIFECYCLES_MAX + 1];
	struct model model = {.lifecycles = many, .lifecycle_count = LIFECYCLES_MAX};
	char names[ARRAY_LEN(many)][8], got[512];
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		snprintf(names[i], sizeof(names[i]), "job%zu", i);
		many[i] = (struct lifecycle_model){BASE};
		many[i].name.span = span_of(names[i]);
	}
	rig_problems(&model, got, sizeof(got));
	expect_text("16 lifecycles", got, "");
	model.lifecycle_count++;
	rig_problems(&model, got, sizeof(got));
	ck_assert_msg(strstr(got, "16 lifecycles at most"), "17 lifecycles: got %s", got);
}
END_TEST

Suite *lifecycle_suite(void)
{
	Suite *suite = suite_create("lifecycle");
	TCase *all = tcase_create("lifecycle");
	tcase_add_loop_test(all, row, 0, ARRAY_LEN(rows));
	tcase_add_test(all, accounts);
	tcase_add_test(all, in_flight_where_one_makes_room);
	tcase_add_test(all, the_oldest_makes_room_whatever_its_ticks);
	tcase_add_test(all, two_durations);
	tcase_add_loop_test(all, refuse, 0, ARRAY_LEN(refusals));
	tcase_add_test(all, states_at_most);
	tcase_add_test(all, lifecycles_at_most);
	suite_add_tcase(suite, all);
	return suite;
}
