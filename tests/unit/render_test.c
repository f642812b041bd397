#include <stdio.h>
#include <stdlib.h>

#include "expect.h"

Suite *render_suite(void);

/* ---- the table of SPEC section 4, to the byte ---- */

#define OUTPUT(dialect_, ...) OUTPUTS({.label = T("out"), .dialect = DIALECT_##dialect_, ##__VA_ARGS__})

/* The contract's example: a step that took 1.25 s, of a task, in an environment. */
#define STEP                                                                                                      \
	ONE_RULE(MATCH("step.completed"),                                                                         \
	         METRICS(TIMER("tasker.step.duration", "duration", UNIT_S, .tags = TAGS(TAG("step", "{step}")))), \
	         .tags = TAGS(TAG("task", "{task}"))),                                                            \
		.tags = TAGS(TAG("env", "prod"))
#define STEP_EVENT "step.completed duration=1.25 step=fetch task=nightly"

/* One metric without tags. */
#define PLAIN(...) ONE_RULE(MATCH("**"), METRICS(__VA_ARGS__))

static const struct row dialects[] = {
	{"dogstatsd",
         {STEP, OUTPUT(DOGSTATSD)},
         STEP_EVENT,
         "tasker.step.duration:1250|ms|#step:fetch,task:nightly,env:prod\n"},
	{"statsd", {STEP, OUTPUT(STATSD)}, STEP_EVENT, "tasker.step.duration:1250|ms\n"},
	{"statsd with tags in the name",
         {STEP, OUTPUT(STATSD, .tags_in_name = true)},
         STEP_EVENT,
         "tasker.step.duration.fetch.nightly:1250|ms\n"},
	{"graphite",
         {STEP, OUTPUT(GRAPHITE)},
         STEP_EVENT,
         "tasker.step.duration;step=fetch;task=nightly;env=prod:1250|ms\n"},
	{"influxdb",
         {STEP, OUTPUT(INFLUXDB)},
         STEP_EVENT,
         "tasker.step.duration,step=fetch,task=nightly,env=prod:1250|ms\n"},
	{"librato",
         {STEP, OUTPUT(LIBRATO)},
         STEP_EVENT,
         "tasker.step.duration#step=fetch,task=nightly,env=prod:1250|ms\n"},
	{"signalfx",
         {STEP, OUTPUT(SIGNALFX)},
         STEP_EVENT,
         "tasker.step.duration[step=fetch,task=nightly,env=prod]:1250|ms\n"},
};

/* Every kind, in every dialect, without tags and with a rate where it may have one. */
#define KINDS                                                                                                         \
	PLAIN(COUNTER("c"), COUNTER("c5", .value = T("5")), COUNTER("cf", .value = T("v"), .sample_rate = T("0.50")), \
	      TIMER("t", "v", UNIT_MS, .sample_rate = T("0.1")), GAUGE("g", "v"), GAUGE("g-", "n"),                   \
	      METRIC_OF(METRIC_HISTOGRAM, "h", .value = T("v")),                                                      \
	      METRIC_OF(METRIC_HISTOGRAM, "hs", .value = T("v"), .unit = UNIT_S),                                     \
	      METRIC_OF(METRIC_DISTRIBUTION, "d", .value = T("v"), .sample_rate = T("1")),                            \
	      METRIC_OF(METRIC_SET, "s", .value = T("u")), METRIC_OF(METRIC_HISTOGRAM, "h-", .value = T("n")),        \
	      METRIC_OF(METRIC_EVENT, "title", .text = T("text")),                                                    \
	      METRIC_OF(METRIC_SERVICE_CHECK, "sc", .status = T("warning")))
#define KINDS_EVENT "x v=2.5 n=-5 u=me"
#define PLAIN_KINDS                                                                                                    \
	"c:1|c\nc5:5|c\ncf:2.5|c|@0.5\nt:2.5|ms|@0.1\ng:2.5|g\ng-:0|g\ng-:-5|g\nh:2.5|ms\nhs:2500|ms\nd:2.5|ms\ns:me|" \
	"s\n"

static const struct row kinds[] = {
	{"dogstatsd",
         {KINDS, OUTPUT(DOGSTATSD)},
         KINDS_EVENT,
         "c:1|c\nc5:5|c\ncf:2.5|c|@0.5\nt:2.5|ms|@0.1\ng:2.5|g\ng-:-5|g\nh:2.5|h\nhs:2500|h\nd:2.5|d\ns:me|s\nh-:-5|"
         "h\n_e{5,4}:title|text\n_sc|sc|1\n"},
	{"dogstatsd, timers as histograms",
         {PLAIN(TIMER("t", "v", UNIT_S)), OUTPUT(DOGSTATSD, .timers = TIMERS_HISTOGRAM)},
         KINDS_EVENT,
         "t:2500|h\n"},
	{"dogstatsd, timers as distributions",
         {PLAIN(TIMER("t", "v", UNIT_S)), OUTPUT(DOGSTATSD, .timers = TIMERS_DISTRIBUTION)},
         KINDS_EVENT,
         "t:2500|d\n"},
	{"statsd", {KINDS, OUTPUT(STATSD)}, KINDS_EVENT, PLAIN_KINDS},
	{"graphite", {KINDS, OUTPUT(GRAPHITE)}, KINDS_EVENT, PLAIN_KINDS},
	{"influxdb", {KINDS, OUTPUT(INFLUXDB)}, KINDS_EVENT, PLAIN_KINDS},
	{"librato", {KINDS, OUTPUT(LIBRATO)}, KINDS_EVENT, PLAIN_KINDS},
	{"signalfx", {KINDS, OUTPUT(SIGNALFX)}, KINDS_EVENT, PLAIN_KINDS},
};

/* ---- a negative gauge is a pair, tags included, where a sign means a change ---- */

#define NEGATIVE PLAIN(GAUGE("g", "v", .tags = TAGS(TAG("k", "{k}"))))

static const struct row pairs[] = {
	{"dogstatsd: no pair", {NEGATIVE, OUTPUT(DOGSTATSD)}, "x v=-5 k=a", "g:-5|g|#k:a\n"},
	{"statsd", {NEGATIVE, OUTPUT(STATSD)}, "x v=-5 k=a", "g:0|g\ng:-5|g\n"},
	{"graphite", {NEGATIVE, OUTPUT(GRAPHITE)}, "x v=-5 k=a", "g;k=a:0|g\ng;k=a:-5|g\n"},
	{"signalfx", {NEGATIVE, OUTPUT(SIGNALFX)}, "x v=-5.50e-1 k=a", "g[k=a]:0|g\ng[k=a]:-0.55|g\n"},
	{"-0 is 0 and no pair", {NEGATIVE, OUTPUT(STATSD)}, "x v=-0.00", "g:0|g\n"},
	{"a constant", {PLAIN(GAUGE("g", "-2.50")), OUTPUT(STATSD)}, "x", "g:0|g\ng:-2.5|g\n"},
	{"a counter is none", {PLAIN(COUNTER("c", .value = T("v"))), OUTPUT(STATSD)}, "x v=-5", "c:-5|c\n"},
};

/* ---- tags: order, repeats, absence ---- */

#define WITH_TAGS(metric_tags, rule_tags) \
	ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = metric_tags)), .tags = rule_tags)
#define IN(...)  INPUTS({.label = T("in"), .tags = TAGS(__VA_ARGS__)})
#define OUT(...) OUTPUT(DOGSTATSD, .tags = TAGS(__VA_ARGS__))

static const struct row tags[] = {
	{"the metric's, the rule's, the input's, the global ones, the output's",
         {WITH_TAGS(TAGS(TAG("b", "1"), TAG("a", "2")), TAGS(TAG("d", "3"), TAG("c", "4"))), IN(TAG("e", "5")),
          OUT(TAG("g", "7")), .tags = TAGS(TAG("f", "6"))},
         "x",
         "m:1|c|#b:1,a:2,d:3,c:4,e:5,f:6,g:7\n"},
	{"of one key the first counts",
         {WITH_TAGS(TAGS(TAG("k", "{a}")), TAGS(TAG("k", "{b}"))), IN(TAG("k", "in")), .tags = TAGS(TAG("k", "all"))},
         "x a=1 b=2",
         "m:1|c|#k:1\n"},
	{"where the first is absent the next counts",
         {WITH_TAGS(TAGS(TAG("k", "{a}")), TAGS(TAG("k", "{b}"))), IN(TAG("k", "in")), OUT(TAG("k", "out")),
          .tags = TAGS(TAG("k", "all"))},
         "x b=2\nx\nx a=",
         "m:1|c|#k:2\nm:1|c|#k:in\nm:1|c|#k:in\n"},
	{"the input's before the global one",
         {WITH_TAGS({0}, {0}), IN(TAG("k", "in")), OUT(TAG("k", "out")), .tags = TAGS(TAG("k", "all"), TAG("z", "1"))},
         "x",
         "m:1|c|#k:in,z:1\n"},
	{"the global before the output's",
         {WITH_TAGS({0}, {0}), OUT(TAG("k", "out"), TAG("o", "1")), .tags = TAGS(TAG("k", "all"))},
         "x",
         "m:1|c|#k:all,o:1\n"},
	{"the rule's counts again for a metric without that key",
         {ONE_RULE(MATCH("**"),
                   METRICS(COUNTER("m", .tags = TAGS(TAG("k", "1"))), COUNTER("n"),
                           COUNTER("o", .tags = TAGS(TAG("l", "2")))),
                   .tags = TAGS(TAG("k", "{b}"), TAG("l", "{b}")))},
         "x b=9",
         "m:1|c|#k:1,l:9\nn:1|c|#k:9,l:9\no:1|c|#l:2,k:9\n"},
	{"the rule's tags are those of the event",
         {WITH_TAGS({0}, TAGS(TAG("k", "{b}")))},
         "x b=1\nx\nx b=2",
         "m:1|c|#k:1\nm:1|c\nm:1|c|#k:2\n"},
	{"two rules' tags on one event",
         {FILES(FILE_OF(RULES(RULE(MATCH("**"), METRICS(COUNTER("m")), .tags = TAGS(TAG("k", "{b}"))))),
                FILE_OF(RULES(RULE(MATCH("**"), METRICS(COUNTER("n")), .tags = TAGS(TAG("l", "{b}"))))))},
         "x b=1",
         "m:1|c|#k:1\nn:1|c|#l:1\n"},
	{"no empty |#", {WITH_TAGS(TAGS(TAG("k", "{a}")), {0})}, "x", "m:1|c\n"},
	{"no empty brackets", {WITH_TAGS(TAGS(TAG("k", "{a}")), {0}), OUTPUT(SIGNALFX)}, "x", "m:1|c\n"},
	{"an empty constant is no tag",
         {WITH_TAGS(TAGS(TAG("k", "")), {0}), .tags = TAGS(TAG("e", ""))},
         "x",
         "m:1|c\n"},
	{"an empty constant leaves its key to the next",
         {WITH_TAGS({0}, {0}), IN(TAG("k", "")), .tags = TAGS(TAG("k", "all"))},
         "x",
         "m:1|c|#k:all\n"},
	{"a template of several parts, one of them absent",
         {WITH_TAGS(TAGS(TAG("k", "{a}-{b}")), {0})},
         "x a=1\nx a=1 b=2",
         "m:1|c\nm:1|c|#k:1-2\n"},
	{"a template of several parts, one of them empty",
         {WITH_TAGS(TAGS(TAG("k", "{a}-{b}")), {0})},
         "x a=1 b=",
         "m:1|c|#k:1-\n"},
	{"null, objects and arrays are absent",
         {WITH_TAGS(TAGS(TAG("a", "{a}"), TAG("b", "{b}"), TAG("c", "{c}")), {0})},
         "{\"event\":\"x\",\"a\":null,\"b\":{},\"c\":[1]}",
         "m:1|c\n"},
	{"booleans and numbers as written",
         {WITH_TAGS(TAGS(TAG("a", "{a}"), TAG("b", "{b}")), {0})},
         "{\"event\":\"x\",\"a\":true,\"b\":1.50E+2}",
         "m:1|c|#a:true,b:1.50E+2\n"},
	{"keys are made safe", {WITH_TAGS(TAGS(TAG("a:b,c|d", "1")), {0})}, "x", "m:1|c|#a_b_c_d:1\n"},
	{"constants are made safe",
         {WITH_TAGS(TAGS(TAG("k", "a:b,c|d")), {0}), .tags = TAGS(TAG("l", "a:b,c|d"))},
         "x",
         "m:1|c|#k:a:b_c_d,l:a:b_c_d\n"},
	{"values are cut",
         {WITH_TAGS(TAGS(TAG("k", "{a}")), {0}), .limits.tag_length = 4},
         "x a=abcdef\nx a=abc\xc3\xa9",
         "m:1|c|#k:abcd\nm:1|c|#k:abc\n"},
	{"nothing is put behind a cut",
         {WITH_TAGS(TAGS(TAG("k", "{a}{b}")), {0}), .limits.tag_length = 4},
         "x a=abc\xc3\xa9 b=z",
         "m:1|c|#k:abc\n"},
	{"an absent field behind a cut is still absent",
         {WITH_TAGS(TAGS(TAG("k", "{a}{b}")), {0}), .limits.tag_length = 4},
         "x a=abcdef",
         "m:1|c\n"},
	{"constants are cut",
         {WITH_TAGS(TAGS(TAG("k", "abcdef")), {0}), .limits.tag_length = 4},
         "x",
         "m:1|c|#k:abcd\n"},
	{"host as a constant", {WITH_TAGS(TAGS(TAG("host", "web1")), {0})}, "x", "m:1|c|#host:web1\n"},
	{"the suffix stands last",
         {WITH_TAGS(TAGS(TAG("k", "1")), {0}), OUTPUT(DOGSTATSD, .suffix = {"|c:ci-1|e:it-false|card:low", 27})},
         "x",
         "m:1|c|#k:1|c:ci-1|e:it-false|card:low\n"},
	{"the suffix without tags",
         {WITH_TAGS({0}, {0}), OUTPUT(DOGSTATSD, .suffix = {"|c:ci-1", 7})},
         "x",
         "m:1|c|c:ci-1\n"},
};

/* ---- tags_in_name ---- */

#define NAMED(metric_tags, rule_tags)                                                         \
	ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = metric_tags)), .tags = rule_tags), \
		OUTPUT(STATSD, .tags_in_name = true), .tags = TAGS(TAG("env", "prod"))

static const struct row in_names[] = {
	{"in their order, never the global ones",
         {NAMED(TAGS(TAG("b", "{b}"), TAG("a", "{a}")), TAGS(TAG("c", "{c}")))},
         "x a=1 b=2 c=3",
         "m.2.1.3:1|c\n"},
	{"an absent one is none",
         {NAMED(TAGS(TAG("b", "{b}"), TAG("a", "{a}")), {0})},
         "x a=1\nx\nx b= a=1",
         "m.none.1:1|c\nm.none.none:1|c\nm.none.1:1|c\n"},
	{"a value keeps letters, digits, _ and -",
         {NAMED(TAGS(TAG("a", "{a}")), {0})},
         "x a=\"a.b c_d-e/\xc3\xa9\"",
         "m.a_b_c_d-e___:1|c\n"},
	{"a constant", {NAMED(TAGS(TAG("a", "q.r")), {0})}, "x", "m.q_r:1|c\n"},
	{"of one key one segment, the first's",
         {NAMED(TAGS(TAG("a", "{a}")), TAGS(TAG("a", "{b}"), TAG("c", "z")))},
         "x a=1 b=2",
         "m.1.z:1|c\n"},
	{"of one key one segment, the next's where the first is absent",
         {NAMED(TAGS(TAG("a", "{a}")), TAGS(TAG("a", "{b}"), TAG("c", "z")))},
         "x b=2\nx",
         "m.2.z:1|c\nm.none.z:1|c\n"},
	{"cut at 200 bytes",
         {NAMED(TAGS(TAG("a", "{a}")), {0}), .limits.tag_length = 300},
         "x a=aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb"
         "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb",
         "m.aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb"
         "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbb:1|c\n"},
	{"both lines of a pair",
         {ONE_RULE(MATCH("**"), METRICS(GAUGE("g", "v", .tags = TAGS(TAG("a", "{a}"))))),
          OUTPUT(STATSD, .tags_in_name = true)},
         "x v=-1 a=q",
         "g.q:0|g\ng.q:-1|g\n"},
	{"the rate stands behind the type",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .sample_rate = T("0.5"), .tags = TAGS(TAG("a", "{a}"))))),
          OUTPUT(STATSD, .tags_in_name = true)},
         "x a=q",
         "m.q:1|c|@0.5\n"},
};

/* ---- sets, events, service checks ---- */

#define EVENT(title, ...)         PLAIN(METRIC_OF(METRIC_EVENT, title, __VA_ARGS__))
#define CHECK(name, status_, ...) PLAIN(METRIC_OF(METRIC_SERVICE_CHECK, name, .status = T(status_), ##__VA_ARGS__))

static const struct row texts[] = {
	{"a set takes text",
         {PLAIN(METRIC_OF(METRIC_SET, "s", .value = T("u")))},
         "x u=\"me and you\"",
         "s:me and you|s\n"},
	{"a set's value is made safe",
         {PLAIN(METRIC_OF(METRIC_SET, "s", .value = T("u")))},
         "{\"event\":\"x\",\"u\":\"a|b:c,d\\ne\"}",
         "s:a_b_c_d_e|s\n"},
	{"a set takes numbers and booleans as written",
         {PLAIN(METRIC_OF(METRIC_SET, "s", .value = T("u")))},
         "{\"event\":\"x\",\"u\":1.50}\n{\"event\":\"x\",\"u\":false}",
         "s:1.50|s\ns:false|s\n"},
	{"a set takes no empty text", {PLAIN(METRIC_OF(METRIC_SET, "s", .value = T("u")))}, "x u=\nx", ""},

	{"an event of title and text",
         {EVENT("{t} failed", .text = T("{m}"))},
         "x t=job m=why",
         "_e{10,3}:job failed|why\n"},
	{"lengths are bytes",
         {EVENT("{t}", .text = T("{m}"))},
         "x t=\xc3\xa9 m=\xe2\x82\xac",
         "_e{2,3}:\xc3\xa9|\xe2\x82\xac\n"},
	{"newlines in both",
         {EVENT("{t}", .text = T("{m}"))},
         "x t=\"a\\nb\" m=\"c\\nd\\n\"",
         "_e{4,6}:a\\nb|c\\nd\\n\n"},
	{"bars stay in an event's texts", {EVENT("{t}", .text = T("{m}"))}, "x t=a|b m=c|d", "_e{3,3}:a|b|c|d\n"},
	{"all options in their order",
         {ONE_RULE(MATCH("**"),
                   METRICS(METRIC_OF(METRIC_EVENT, "t", .text = T("m"), .alert = T("error"), .priority = T("low"),
                                     .source = T("s{k}"), .key = T("{k}"), .tags = TAGS(TAG("a", "1"))))),
          OUTPUT(DOGSTATSD, .suffix = {"|c:ci-1", 7})},
         "x k=q",
         "_e{1,1}:t|m|k:q|p:low|s:sq|t:error|#a:1|c:ci-1\n"},
	{"an option of nothing is left out",
         {EVENT("t", .text = T("m"), .source = T("{s}"), .key = T("{k}"))},
         "x",
         "_e{1,1}:t|m\n"},
	{"an option is made safe",
         {EVENT("t", .text = T("m"), .key = T("{k}"))},
         "x k=a|b,c\xff",
         "_e{1,1}:t|m|k:a_b_c_\n"},
	{"an event without text", {EVENT("t", .key = T("k"))}, "x", "_e{1,0}:t||k:k\n"},
	{"a field that is absent leaves nothing in a text",
         {EVENT("{t} failed", .text = T("because {m}"))},
         "x",
         "_e{7,8}: failed|because \n"},
	{"no event without a title", {EVENT("{t}", .text = T("m"))}, "x\nx t=", ""},
	{"an event takes no prefix",
         {FILES(FILE_OF(.prefix = T("p."),
                        RULES(RULE(MATCH("**"), METRICS(METRIC_OF(METRIC_EVENT, "t", .text = T("m"))))))),
          OUTPUT(DOGSTATSD, .prefix = T("o."))},
         "x",
         "_e{1,1}:t|m\n"},

	{"a service check", {CHECK("up", "ok")}, "x", "_sc|up|0\n"},
	{"each status",
         {PLAIN(METRIC_OF(METRIC_SERVICE_CHECK, "a", .status = T("ok")),
                METRIC_OF(METRIC_SERVICE_CHECK, "b", .status = T("warning")),
                METRIC_OF(METRIC_SERVICE_CHECK, "c", .status = T("critical")),
                METRIC_OF(METRIC_SERVICE_CHECK, "d", .status = T("unknown")))},
         "x",
         "_sc|a|0\n_sc|b|1\n_sc|c|2\n_sc|d|3\n"},
	{"the message stands last",
         {ONE_RULE(MATCH("**"), METRICS(METRIC_OF(METRIC_SERVICE_CHECK, "up", .status = T("critical"), .text = T("{m}"),
                                                  .tags = TAGS(TAG("a", "1"))))),
          OUTPUT(DOGSTATSD, .suffix = {"|c:ci-1", 7})},
         "x m=why",
         "_sc|up|2|#a:1|c:ci-1|m:why\n"},
	{"a message is made safe",
         {CHECK("up", "ok", .text = T("{m}"))},
         "x m=\"a|b\\nm:c\xff\"",
         "_sc|up|0|m:a_b\\nm\\:c_\n"},
	{"m: of two parts", {CHECK("up", "ok", .text = T("{m}{n}"))}, "x m=m n=:x", "_sc|up|0|m:m\\:x\n"},
	{"a message of nothing is left out", {CHECK("up", "ok", .text = T("{m}"))}, "x", "_sc|up|0\n"},
	{"a check's name takes the prefixes",
         {FILES(FILE_OF(.prefix = T("p."), RULES(RULE(MATCH("**"), METRICS(METRIC_OF(METRIC_SERVICE_CHECK, "up.{w}",
                                                                                     .status = T("ok"))))))),
          OUTPUT(DOGSTATSD, .prefix = T("o."))},
         "x w=a.b",
         "_sc|o.p.up.a_b|0\n"},
};

#define ROWS(table)                     \
	START_TEST(table##_row)         \
	{                               \
		expect_row(&table[_i]); \
	}                               \
	END_TEST

ROWS(dialects)
ROWS(kinds)
ROWS(pairs)
ROWS(tags)
ROWS(in_names)
ROWS(texts)

/* ---- what is too long ---- */

static char *repeated(char c, size_t count)
{
	char *text = malloc(count + 1);
	ck_assert(text != NULL);
	memset(text, c, count);
	text[count] = '\0';
	return text;
}

static const struct model long_tags = {
	ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("a", "{a}"), TAG("b", "{a}")))),
                 .tags = TAGS(TAG("c", "{c}"))),
	.limits = {.tag_length = 4096, .line = 65536},
};

/* `m:1|c|#a:AAA,b:AAA,c:CCC`: 15 bytes and the values. */
START_TEST(up_to_8192_bytes)
{
	static struct rig rig;
	const size_t c_len = _i ? 8192 - 15 - 2 * 4000 : 8192 - 15 - 2 * 4000 + 1;
	char *a = repeated('a', 4000);
	char *c = repeated('c', c_len);
	char line[16384];
	rig_init(&rig, &long_tags);
	const size_t overhead = strlen("m:1|c|#a:,b:,c:");
	ck_assert_uint_eq(overhead, 15);
	snprintf(line, sizeof(line), "x a=%s c=%s\ny", a, c);
	const char *got = rig_run(&rig, line);
	const bool fits = _i == 1;
	ck_assert_uint_eq(strlen(got), fits ? 8192 + 1 + strlen("m:1|c\n") : strlen("m:1|c\n"));
	ck_assert_uint_eq(rig.accounts.outputs[0].dropped, !fits);
	ck_assert_uint_eq(rig.accounts.outputs[0].errors[OUTPUT_ERROR_TOO_LONG], !fits);
	ck_assert_uint_eq(rig.accounts.outputs[0].sent, 1 + fits);
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_MAPPED], 2);
	rig_fini(&rig);
	free(a);
	free(c);
}
END_TEST

static const struct model long_texts = {
	PLAIN(METRIC_OF(METRIC_EVENT, "{t}", .text = T("{m}"), .key = T("k"), .tags = TAGS(TAG("a", "1"))),
              METRIC_OF(METRIC_SERVICE_CHECK, "up", .status = T("ok"), .text = T("{m}"), .tags = TAGS(TAG("a", "1")))),
};

/* An event's text and a check's message are cut so that the line fits, a character is not split. */
START_TEST(texts_are_cut)
{
	static struct rig rig;
	static char line[65536];
	size_t len = (size_t)sprintf(line, "x t=%s m=", _i ? "title" : "\xc3\xa9");
	for (int i = 0; i < 10000; i++)
		len += (size_t)sprintf(line + len, "%s", _i ? "\xe2\x82\xac" : "z");
	rig_init(&rig, &long_texts);
	char *got = strdup(rig_run(&rig, line));
	char *second = strchr(got, '\n') + 1;
	const size_t event_len = (size_t)(second - got) - 1;
	const size_t check_len = strlen(second) - 1;
	ck_assert_msg(event_len <= 8192 && event_len > 8192 - 16, "event: %zu", event_len);
	ck_assert_msg(check_len <= 8192 && check_len > 8192 - 4, "check: %zu", check_len);
	ck_assert(memcmp(second - strlen("|k:k|#a:1\n"), "|k:k|#a:1\n", 10) == 0);
	unsigned title, text;
	ck_assert_int_eq(sscanf(got, "_e{%u,%u}:", &title, &text), 2);
	ck_assert_uint_eq(title, _i ? 5 : 2);
	ck_assert_uint_eq((size_t)(strchr(got, ':') - got) + 1 + title + 1 + text + strlen("|k:k|#a:1"), event_len);
	ck_assert_uint_eq(text % (_i ? 3 : 1), 0);
	free(got);
	rig_fini(&rig);
}
END_TEST

/* As many tags as may be, as long as they may be, and a pair of lines: never beyond the buffers, which the sanitizers
 * watch. */
START_TEST(the_longest_of_all)
{
	static struct rig rig;
	enum { TAG_COUNT = 60, VALUE_LEN = 300 };
	static struct tag_model items[TAG_COUNT];
	static char keys[TAG_COUNT][NAME_MAX_LEN];
	char *value = repeated('v', 4096);
	char *name = repeated('n', 250);
	for (unsigned i = 0; i < TAG_COUNT; i++) {
		memset(keys[i], 'k', NAME_MAX_LEN);
		keys[i][0] = (char)('A' + i);
		items[i] = (struct tag_model){.key.span = {keys[i], NAME_MAX_LEN}, .value = T("{v}")};
	}
	struct metric_model metrics[] = {GAUGE("{n}", "g")};
	struct rule_model rule = RULE(MATCH("**"), .metrics = metrics, .metric_count = 1);
	struct file_model file = FILE_OF(.rules = &rule, .rule_count = 1);
	struct output_model outputs[] = {{.label = T("a"), .dialect = DIALECT_GRAPHITE, .max_datagram = 8192},
	                                 {.label = T("b"), .dialect = DIALECT_SIGNALFX, .max_datagram = 8192},
	                                 {.label = T("c"), .dialect = DIALECT_DOGSTATSD, .max_datagram = 8192}};
	struct model model = {.files = &file, .file_count = 1, .outputs = outputs, .output_count = ARRAY_LEN(outputs)};
	/* The most tags and the longest values that are let through together. */
	uint32_t length = 4096;
	char problems[4096] = "x";
	metrics[0].tags = (struct tags_model){items, (size_t)_i};
	for (; problems[0]; length--) {
		model.limits = (struct limits_model){.tag_length = length, .line = 65536};
		rig_problems(&model, problems, sizeof(problems));
	}
	rig_init(&rig, &model);
	char *line = malloc(65536);
	snprintf(line, 65536, "x g=-1234567890123456789012345678901234567890 n=%s v=%s", name, value);
	/* Whatever stands before it in the packer's buffer. */
	for (int i = 0; i < 400; i++) {
		rig_datagram(&rig, 0, SPAN("x g=-1 n=q v=123456789"));
		rig_datagram(&rig, 0, span_of(line));
	}
	for (uint16_t i = 0; i < ARRAY_LEN(outputs); i++)
		ck_assert_uint_eq(rig.accounts.outputs[i].made, 2 * 400);
	rig_fini(&rig);
	free(line);
	free(name);
	free(value);
}
END_TEST

/* TAGS_MAX of them are let through, one more is not. */
START_TEST(as_many_tags_as_may_be)
{
	static struct rig rig;
	static struct tag_model items[TAGS_MAX + 1];
	static char keys[TAGS_MAX + 1][8];
	char problems[512];
	for (unsigned i = 0; i <= TAGS_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%u", i);
		items[i] = (struct tag_model){.key.span = span_of(keys[i]), .value = T("{event}")};
	}
	struct metric_model metrics[] = {COUNTER("m", .tags = {items, TAGS_MAX / 2})};
	struct rule_model rule =
		RULE(MATCH("**"), .metrics = metrics, .metric_count = 1, .tags = {items + TAGS_MAX / 2, TAGS_MAX / 2});
	struct file_model file = FILE_OF(.rules = &rule, .rule_count = 1);
	const struct model model = {.files = &file, .file_count = 1};
	rig_init(&rig, &model);
	const char *got = rig_run(&rig, "x");
	unsigned count = 0;
	for (; (got = strstr(got, ":x")); got++)
		count++;
	ck_assert_uint_eq(count, TAGS_MAX);
	rig_fini(&rig);
	rule.tags.count++;
	rig_problems(&model, problems, sizeof(problems));
	ck_assert_msg(strstr(problems, "65 tags of up to 200 bytes") != NULL, "got %s", problems);
}
END_TEST

static const struct model relay = {
	ONE_RULE(MATCH("**"),
                 METRICS({.kind = METRIC_RELAY,
                          .name = T("{event}"),
                          .mark = {"test.yaml", __LINE__, 1},
                          .tags = TAGS(TAG("own", "1"))}),
                 .tags = TAGS(TAG("r", "2"), TAG("k3", "rule"))),
	INPUTS({.label = T("in"), .format = FORMAT_STATSD}),
	.tags = TAGS(TAG("env", "prod"), TAG("own", "global")),
};

/* More tags than a line may have: the first ones, and all of the configuration's. */
START_TEST(a_relayed_line_of_many_tags)
{
	static struct rig rig;
	char line[4096];
	int len = sprintf(line, "x:1|c|#k0:v");
	for (int i = 1; i < 200; i++)
		len += sprintf(line + len, ",k%d:v", i);
	rig_init(&rig, &relay);
	const char *got = rig_run(&rig, line);
	ck_assert_msg(strstr(got, "x:1|c|#own:1,k0:v,k1:v,k2:v,k3:v,") == got, "got %s", got);
	const char *end = strstr(got, ",r:2,env:prod\n");
	ck_assert_msg(end && end[14] == '\0', "got %s", got);
	/* Of 64 half are beyond the keys that have a guard; and once, that further ones were left out. */
	ck_assert_uint_eq(rig.accounts.values_limited[rig.mapping->relay_key], 32 + 1);
	*strstr(line, ",k64:") = '\0';
	rig_run(&rig, line);
	ck_assert_uint_eq(rig.accounts.values_limited[rig.mapping->relay_key], 2 * 32 + 1);
	rig_fini(&rig);
}
END_TEST

Suite *render_suite(void)
{
	Suite *suite = suite_create("render");
	TCase *all = tcase_create("render");
	tcase_add_loop_test(all, dialects_row, 0, ARRAY_LEN(dialects));
	tcase_add_loop_test(all, kinds_row, 0, ARRAY_LEN(kinds));
	tcase_add_loop_test(all, pairs_row, 0, ARRAY_LEN(pairs));
	tcase_add_loop_test(all, tags_row, 0, ARRAY_LEN(tags));
	tcase_add_loop_test(all, in_names_row, 0, ARRAY_LEN(in_names));
	tcase_add_loop_test(all, texts_row, 0, ARRAY_LEN(texts));
	tcase_add_loop_test(all, up_to_8192_bytes, 0, 2);
	tcase_add_loop_test(all, texts_are_cut, 0, 2);
	tcase_add_test(all, as_many_tags_as_may_be);
	tcase_add_test(all, a_relayed_line_of_many_tags);
	tcase_add_loop_test(all, the_longest_of_all, 7, 9);
	tcase_add_loop_test(all, the_longest_of_all, 58, 60);
	suite_add_tcase(suite, all);
	return suite;
}
