/* What the agent says of itself, in every dialect. */
#include <stdlib.h>

#include "emit/own.h"
#include "expect.h"

Suite *own_suite(void);

static struct rig rig;

static const struct own_metric counter = {.name = SPAN("statsidecar.metrics"),
                                          .kind = METRIC_COUNTER,
                                          .value = SPAN("12"),
                                          .tags = {{SPAN("output"), SPAN("udp://h:1|x")}, {SPAN("outcome"), SPAN("sent")}},
                                          .tag_count = 2};
static const struct own_metric gauge = {.name = SPAN("statsidecar.output_up"),
                                        .kind = METRIC_GAUGE,
                                        .value = SPAN("1"),
                                        .tags = {{SPAN("output"), SPAN("main")}},
                                        .tag_count = 1};
static const struct own_metric plain = {.name = SPAN("statsidecar.unknown_events"), .kind = METRIC_COUNTER, .value = SPAN("3")};

static const struct {
	const char *name;
	struct output_model output;
	const char *want;
} rows[] = {
	{"dogstatsd: own tags, global ones, the output's, then its suffix",
	 {.tags = TAGS(TAG("pod", "p")), .suffix = SPAN("|c:abc")},
	 "statsidecar.metrics:12|c|#output:udp://h:1_x,outcome:sent,env:prod,pod:p|c:abc\n"
	 "statsidecar.output_up:1|g|#output:main,env:prod,pod:p|c:abc\n"
	 "statsidecar.unknown_events:3|c|#env:prod,pod:p|c:abc\n"},
	{"of one key the first counts",
	 {.tags = TAGS(TAG("outcome", "p"), TAG("env", "q"))},
	 "statsidecar.metrics:12|c|#output:udp://h:1_x,outcome:sent,env:prod\n"
	 "statsidecar.output_up:1|g|#output:main,env:prod,outcome:p\n"
	 "statsidecar.unknown_events:3|c|#env:prod,outcome:p\n"},
	{"the output's prefix stands before it",
	 {.prefix = T("my app.")},
	 "my_app.statsidecar.metrics:12|c|#output:udp://h:1_x,outcome:sent,env:prod\n"
	 "my_app.statsidecar.output_up:1|g|#output:main,env:prod\n"
	 "my_app.statsidecar.unknown_events:3|c|#env:prod\n"},
	{"filters see the name without that prefix",
	 {.prefix = T("x."), .filter = TEXTS(T("**"), T("!statsidecar.metrics"))},
	 "x.statsidecar.output_up:1|g|#output:main,env:prod\nx.statsidecar.unknown_events:3|c|#env:prod\n"},
	{"plain statsd: no gauges that only tags tell apart",
	 {.dialect = DIALECT_STATSD},
	 "statsidecar.metrics:12|c\nstatsidecar.unknown_events:3|c\n"},
	{"statsd with tags in names: never the global ones",
	 {.dialect = DIALECT_STATSD, .tags_in_name = true},
	 "statsidecar.metrics.udp___h_1_x.sent:12|c\nstatsidecar.output_up.main:1|g\nstatsidecar.unknown_events:3|c\n"},
	{"graphite",
	 {.dialect = DIALECT_GRAPHITE},
	 "statsidecar.metrics;output=udp_//h_1_x;outcome=sent;env=prod:12|c\n"
	 "statsidecar.output_up;output=main;env=prod:1|g\nstatsidecar.unknown_events;env=prod:3|c\n"},
	{"signalfx",
	 {.dialect = DIALECT_SIGNALFX},
	 "statsidecar.metrics[output=udp_//h_1_x,outcome=sent,env=prod]:12|c\n"
	 "statsidecar.output_up[output=main,env=prod]:1|g\nstatsidecar.unknown_events[env=prod]:3|c\n"},
};

static void make_all(uint32_t outputs)
{
	translator_make_own(rig.translator, &counter, outputs);
	translator_make_own(rig.translator, &gauge, outputs);
	translator_make_own(rig.translator, &plain, outputs);
}

static void check_balance(const char *name)
{
	char why[256];
	if (rig_check_balance(&rig, why, sizeof(why)) < 0)
		ck_abort_msg("%s: %s", name, why);
}

START_TEST(lines)
{
	struct output_model output = rows[_i].output;
	output.label = (struct text)T("out");
	const struct model model = {ONE_RULE(MATCH("**"), METRICS(COUNTER("n"))),
	                            .tags = TAGS(TAG("env", "prod")),
	                            .outputs = &output,
	                            .output_count = 1};
	rig_init(&rig, &model);
	make_all(1);
	expect_text(rows[_i].name, rig_output(&rig, 0), rows[_i].want);
	ck_assert_uint_eq(rig.accounts.outputs[0].made, 3);
	check_balance(rows[_i].name);
	rig_fini(&rig);
}
END_TEST

START_TEST(only_for_the_outputs_named)
{
	struct output_model outputs[] = {{.label = T("a")}, {.label = T("b")}};
	const struct model model = {ONE_RULE(MATCH("**"), METRICS(COUNTER("n"))), .outputs = outputs, .output_count = 2};
	rig_init(&rig, &model);
	make_all(2);
	ck_assert_str_eq(rig_output(&rig, 0), "");
	ck_assert_uint_eq(rig.accounts.outputs[0].made, 0);
	ck_assert_uint_eq(rig.accounts.outputs[1].made, 3);
	check_balance("two outputs");
	rig_fini(&rig);
}
END_TEST

/* What an output that blocks holds already is an event's: there is no room for more. */
START_TEST(dropped_where_an_output_blocks)
{
	struct output_model output = {.label = T("a"), .max_datagram = 16};
	const struct model model = {ONE_RULE(MATCH("**"), METRICS(COUNTER("n"))), .outputs = &output, .output_count = 1};
	rig_init(&rig, &model);
	rig.packers[0].keep = 1;
	rig.sinks[0].room = 0;
	for (int i = 0; i < 5; i++)
		make_all(1);
	ck_assert_uint_eq(rig.accounts.outputs[0].made, 15);
	ck_assert_uint_gt(rig.accounts.outputs[0].dropped, 10);
	ck_assert_uint_eq(rig.accounts.outputs[0].dropped, rig.accounts.outputs[0].errors[OUTPUT_ERROR_FULL]);
	rig.accounts.outputs[0].pending = packer_pending(&rig.packers[0]);
	check_balance("blocked");
	rig_fini(&rig);
}
END_TEST

Suite *own_suite(void)
{
	Suite *suite = suite_create("own");
	TCase *all = tcase_create("own");
	tcase_add_loop_test(all, lines, 0, (int)ARRAY_LEN(rows));
	tcase_add_test(all, only_for_the_outputs_named);
	tcase_add_test(all, dropped_where_an_output_blocks);
	suite_add_tcase(suite, all);
	return suite;
}
