#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "expect.h"

Suite *translate_suite(void);

/* What names an event, as the tag e; x, where it is there, as the tag x. */
#define SEEN        ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("e", "{event}"), TAG("x", "{x}")))))
#define TAGGED(e)   "m:1|c|#e:" e "\n"
#define FIELD(e, x) "m:1|c|#e:" e ",x:" x "\n"
#define INPUT(...)  INPUTS({.label = T("in"), __VA_ARGS__})

static const struct row identities[] = {
	{"the first of identify.fields", {SEEN}, "{\"type\":\"c\",\"event_name\":\"b\",\"event\":\"a\"}", TAGGED("a")},
	{"the next where the first is absent", {SEEN}, "{\"type\":\"c\",\"event_name\":\"b\"}", TAGGED("b")},
	{"the next where the first is no text",
         {SEEN},
         "{\"event\":5,\"type\":\"c\"}\n{\"event\":{\"event\":\"x\"},\"type\":\"c\"}\n{\"event\":true,\"type\":\"c\"}",
         TAGGED("c") TAGGED("c") TAGGED("c")},
	{"the next where the first is empty or null",
         {SEEN},
         "{\"event\":\"\",\"type\":\"c\"}\n{\"event\":null,\"type\":\"c\"}",
         TAGGED("c") TAGGED("c")},
	{"an invalid one is not passed over", {SEEN}, "{\"event\":\"9\",\"type\":\"c\"}", ""},
	{"only at the top", {SEEN}, "{\"payload\":{\"event\":\"a\"},\"o\":{\"event\":\"b\"}}", ""},
	{"the last of a repeated key", {SEEN}, "{\"event\":\"a\",\"event\":\"b\"}", TAGGED("b")},
	{"with escapes", {SEEN}, "{\"event\":\"\\u0061.\\u0062\\/c\"}", TAGGED("a.b/c")},
	{"every byte that it may have", {SEEN}, "{\"event\":\"aZ09_.:/-\"}", TAGGED("aZ09_.:/-")},
	{"other bytes",
         {SEEN},
         "{\"event\":\"a "
         "b\"}\n{\"event\":\"a\\u0000\"}\n{\"event\":\"\xc3\xa9\"}\n{\"event\":\"a,b\"}\n{\"event\":\"_a\"}\n{"
         "\"event\":\".a\"}",
         ""},
	{"a dotted field of identify is one key",
         {SEEN, .identify.fields = TEXTS(T("a.b"))},
         "{\"a.b\":\"x\",\"a\":{\"b\":\"y\"}}\n{\"a\":{\"b\":\"y\"}}",
         TAGGED("x")},

	{"logfmt: the first bare word", {SEEN}, "a.b x=1", FIELD("a.b", "1")},
	{"logfmt: the first bare word before event=", {SEEN}, "a.b event=c", TAGGED("a.b")},
	{"logfmt: event= before a later bare word", {SEEN}, "x=1 event=c a.b", FIELD("c", "1")},
	{"logfmt: a later bare word", {SEEN}, "x=1 a.b", FIELD("a.b", "1")},
	{"logfmt: event=, quoted", {SEEN}, "event=\"a.b\" x=1", FIELD("a.b", "1")},
	{"logfmt: fields in their order", {SEEN}, "type=c event_name=b", TAGGED("b")},

	{"the input's name for lines without one",
         {SEEN, INPUT(.event = T("given"))},
         "{\"x\":1}\nx=2\n{\"event\":\"a\",\"x\":3}",
         FIELD("given", "1") FIELD("given", "2") FIELD("a", "3")},
	{"the input's name for lines whose name is none",
         {SEEN, INPUT(.event = T("given"))},
         "{\"event\":\"a b\",\"x\":1}",
         FIELD("given", "1")},

	{"an alias",
         {SEEN, CATALOGUE({.name = T("a.b"), .aliases = TEXTS(T("A::B"), T("ab"))})},
         "A::B\nab\na.b\nA::b",
         TAGGED("a.b") TAGGED("a.b") TAGGED("a.b") TAGGED("A::b")},
	{"a legacy name", {SEEN, CATALOGUE({.name = T("a.b"), .legacy = TEXTS(T("old.b"))})}, "old.b", TAGGED("a.b")},
	{"what strip takes off",
         {SEEN, .identify.strip = TEXTS(T("app.sub."), T("app."), T("App::"))},
         "app.x\napp.sub.x\nApp::x\nx.app.y",
         TAGGED("x") TAGGED("x") TAGGED("x") TAGGED("x.app.y")},
	{"strip in the order written, once",
         {SEEN, .identify.strip = TEXTS(T("app."), T("app.sub."))},
         "app.sub.x\napp.app.x\napp.app.sub.x",
         TAGGED("sub.x") TAGGED("app.x") TAGGED("app.sub.x")},
	{"an exact name before strip",
         {SEEN, CATALOGUE({.name = T("app.x")}), .identify.strip = TEXTS(T("app."))},
         "app.x\napp.y",
         TAGGED("app.x") TAGGED("y")},
	{"an alias behind what was stripped",
         {SEEN, CATALOGUE({.name = T("a.b"), .aliases = TEXTS(T("X::B"))}), .identify.strip = TEXTS(T("Tasker::"))},
         "Tasker::X::B",
         TAGGED("a.b")},
	{"strip leaves no identifier",
         {SEEN, .identify.strip = TEXTS(T("app."))},
         "app.\napp.9",
         TAGGED("app.") TAGGED("app.9")},
	{"case matters",
         {SEEN, CATALOGUE({.name = T("a.b"), .aliases = TEXTS(T("x"))}), .identify.strip = TEXTS(T("app."))},
         "X\nApp.x",
         TAGGED("X") TAGGED("App.x")},
};

static const struct row payloads[] = {
	{"payload's fields as if at the top", {SEEN}, "{\"event\":\"a\",\"payload\":{\"x\":1}}", FIELD("a", "1")},
	{"the top's first", {SEEN}, "{\"event\":\"a\",\"payload\":{\"x\":1},\"x\":2}", FIELD("a", "2")},
	{"null at the top hides nothing",
         {SEEN},
         "{\"event\":\"a\",\"payload\":{\"x\":1},\"x\":null}",
         FIELD("a", "1")},
	{"an empty text at the top does", {SEEN}, "{\"event\":\"a\",\"payload\":{\"x\":1},\"x\":\"\"}", TAGGED("a")},
	{"an object at the top does", {SEEN}, "{\"event\":\"a\",\"payload\":{\"x\":1},\"x\":{}}", TAGGED("a")},
	{"payload before data", {SEEN}, "{\"event\":\"a\",\"data\":{\"x\":1},\"payload\":{\"x\":2}}", FIELD("a", "2")},
	{"data where payload has it not",
         {SEEN},
         "{\"event\":\"a\",\"data\":{\"x\":1},\"payload\":{\"y\":2}}\n{\"event\":\"a\",\"data\":{\"x\":1},\"payload\":{"
         "\"x\":null}}",
         FIELD("a", "1") FIELD("a", "1")},
	{"a payload that is no object",
         {SEEN},
         "{\"event\":\"a\",\"payload\":5,\"data\":{\"x\":1}}\n{\"event\":\"a\",\"payload\":[{\"x\":2}]}",
         FIELD("a", "1") TAGGED("a")},
	{"a payload given twice: the last alone",
         {SEEN},
         "{\"event\":\"a\",\"payload\":{\"x\":1},\"payload\":{\"y\":2}}",
         TAGGED("a")},
	{"CloudEvents",
         {SEEN},
         "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"com.example.a\",\"data\":{\"x\":\"y\"}}",
         FIELD("com.example.a", "y")},
	{"another payload's name",
         {SEEN, .identify.payload = TEXTS(T("attributes"))},
         "{\"event\":\"a\",\"attributes\":{\"x\":1},\"data\":{\"x\":2}}",
         FIELD("a", "1")},
	{"a payload along a path, and as a literal key",
         {SEEN, .identify.payload = TEXTS(T("o.p"))},
         "{\"event\":\"a\",\"o\":{\"p\":{\"x\":1}}}\n{\"event\":\"a\",\"o.p\":{\"x\":2}}",
         FIELD("a", "1") FIELD("a", "2")},
};

#define PATH(name) \
	ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("e", "{event}"), TAG("x", "{" name "}")))))

static const struct row paths[] = {
	{"a path", {PATH("o.p.q")}, "{\"event\":\"a\",\"o\":{\"p\":{\"q\":1}}}", FIELD("a", "1")},
	{"a literal key before a path", {PATH("o.p")}, "{\"event\":\"a\",\"o\":{\"p\":1},\"o.p\":2}", FIELD("a", "2")},
	{"a literal key in logfmt", {PATH("o.p")}, "a o.p=3 o=4", FIELD("a", "3")},
	{"an array's element", {PATH("o.0")}, "{\"event\":\"a\",\"o\":[\"x\",\"y\"]}", FIELD("a", "x")},
	{"an element's field", {PATH("o.1.p")}, "{\"event\":\"a\",\"o\":[0,{\"p\":1}]}", FIELD("a", "1")},
	{"a path in the payload", {PATH("o.p")}, "{\"event\":\"a\",\"payload\":{\"o\":{\"p\":1}}}", FIELD("a", "1")},
	{"a nearer object hides the payload's",
         {PATH("o.p")},
         "{\"event\":\"a\",\"o\":{\"q\":1},\"payload\":{\"o\":{\"p\":1}}}",
         TAGGED("a")},
	{"null hides nothing",
         {PATH("o.p")},
         "{\"event\":\"a\",\"o\":null,\"payload\":{\"o\":{\"p\":1}}}",
         FIELD("a", "1")},
	{"a path into the payload by its name",
         {PATH("payload.p")},
         "{\"event\":\"a\",\"payload\":{\"p\":1}}",
         FIELD("a", "1")},
	{"a whole object is absent", {PATH("o")}, "{\"event\":\"a\",\"o\":{\"p\":1}}", TAGGED("a")},
};

static const struct row templates[] = {
	{"doubled braces",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("k", "{{{x}}}"), TAG("l", "}}{{")))))},
         "a x=1",
         "m:1|c|#k:{1},l:}{\n"},
	{"the event and its segments",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("{event}.{event.1}.{event.0}")))},
         "a.b",
         "a.b.b.a:1|c\n"},
	{"a segment that is not there",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m.{event.2}"), COUNTER("n", .tags = TAGS(TAG("k", "{event.2}")))))},
         "a.b",
         "n:1|c\n"},
	{"a field in a name keeps no dots",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m.{x}.{event}")))},
         "a.b x=1.2/3",
         "m.1_2_3.a.b:1|c\n"},
	{"a capture in a name keeps its dots",
         {ONE_RULE(MATCH("a.**"), METRICS(COUNTER("m.{1}")))},
         "a.b.c/d",
         "m.b.c_d:1|c\n"},
	{"a name with an absent field",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m.{x}"), COUNTER("n")))},
         "a\na x=",
         "n:1|c\nn:1|c\n"},
	{"a field of that very name",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("k", "{event}"), TAG("l", "{event_x}")))))},
         "a event_x=1",
         "m:1|c|#k:a,l:1\n"},
	{"text with escapes",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("k", "{x}")))))},
         "{\"event\":\"a\",\"x\":\"\\u00e9\\ud83d\\ude00\\ud83d\"}",
         "m:1|c|#k:\xc3\xa9\xf0\x9f\x98\x80_\n"},
};

static const struct row formats[] = {
	{"auto: by the first byte that is no blank",
         {SEEN},
         " \t{\"event\":\"a\"}\n  a\n\t[{\"event\":\"b\"}]",
         TAGGED("a") TAGGED("a") TAGGED("b")},
	{"json: no logfmt",
         {SEEN, INPUT(.format = FORMAT_JSON)},
         "a\n{\"event\":\"b\"}\n[{\"event\":\"c\"}]",
         TAGGED("b") TAGGED("c")},
	{"logfmt: braces are text", {SEEN, INPUT(.format = FORMAT_LOGFMT)}, "{\"event\":1}\na x={", FIELD("a", "{")},
	{"statsd", {SEEN, INPUT(.format = FORMAT_STATSD)}, "a.b:1|c|#x:y\n{\"event\":\"a\"}", FIELD("a.b", "y")},
	{"carriage returns before newlines",
         {SEEN},
         "a\r\n{\"event\":\"b\"}\r\nc x=1\r\n\r\n",
         TAGGED("a") TAGGED("b") FIELD("c", "1")},
	{"blank lines are no events", {SEEN}, "\n\n \n\t\r\n", ""},
	{"the last line without its newline", {SEEN}, "a\nb", TAGGED("a") TAGGED("b")},
	{"a bad line costs nothing else",
         {SEEN},
         "a\n{\"event\":\nb\n{\"event\":\"c\"}x\nd\nx=\"\ne",
         TAGGED("a") TAGGED("b") TAGGED("d") TAGGED("e")},
	{"a batch",
         {SEEN},
         "[{\"event\":\"a\"},{\"event\":\"b\",\"x\":1},{\"event\":\"c\"}]",
         TAGGED("a") FIELD("b", "1") TAGGED("c")},
	{"a broken batch gives nothing",
         {SEEN},
         "[{\"event\":\"a\"},{\"event\":\"b\"]\n[{\"event\":\"a\"}] x\n[{\"event\":\"a\"},5]",
         ""},
	{"an empty batch", {SEEN}, "[]\n[ ]", ""},
	{"fields do not leak from one element to the next",
         {SEEN},
         "[{\"event\":\"a\",\"x\":1},{\"event\":\"b\"}]",
         FIELD("a", "1") TAGGED("b")},
};

#define VALUE_OF(kind_, unit_) ONE_RULE(MATCH("**"), METRICS(METRIC_OF(kind_, "m", .value = T("v"), .unit = unit_)))
#define GAUGES                 VALUE_OF(METRIC_GAUGE, UNIT_NONE)
#define TIMERS(unit)           VALUE_OF(METRIC_TIMER, unit)
#define DIGITS40               "1234567890123456789012345678901234567890"

static const struct row numbers[] = {
	{"seconds",
         {TIMERS(UNIT_S)},
         "a v=1.25\na v=0.0015\na v=1e-6\na v=3",
         "m:1250|ms\nm:1.5|ms\nm:0.001|ms\nm:3000|ms\n"},
	{"milliseconds", {TIMERS(UNIT_MS)}, "a v=1.250\na v=1E+2", "m:1.25|ms\nm:100|ms\n"},
	{"microseconds", {TIMERS(UNIT_US)}, "a v=1250\na v=1\na v=2.5e3", "m:1.25|ms\nm:0.001|ms\nm:2.5|ms\n"},
	{"nanoseconds",
         {TIMERS(UNIT_NS)},
         "a v=1250000\na v=1\na v=123456789012",
         "m:1.25|ms\nm:0.000001|ms\nm:123456.789012|ms\n"},
	{"never rounded",
         {TIMERS(UNIT_S)},
         "a v=0.1\na v=0.30000000000000004\na v=1.0049999999999999",
         "m:100|ms\nm:300.00000000000004|ms\nm:1004.9999999999999|ms\n"},
	{"40 digits", {GAUGES}, "a v=" DIGITS40 "\na v=-0." DIGITS40 "1", "m:" DIGITS40 "|g\nm:-0." DIGITS40 "1|g\n"},
	{"40 digits, scaled", {TIMERS(UNIT_S)}, "a v=0." DIGITS40, "m:123.456789012345678901234567890123456789|ms\n"},
	{"exponents",
         {GAUGES},
         "a v=1e3\na v=1E3\na v=1.5e+3\na v=15e-1\na v=0e999999999999999999999\na v=100e-2",
         "m:1000|g\nm:1000|g\nm:1500|g\nm:1.5|g\nm:0|g\nm:1|g\n"},
	{"zeros",
         {GAUGES},
         "a v=-0\na v=0.000\na v=-0.0e5\na v=1.500\na v=100",
         "m:0|g\nm:0|g\nm:0|g\nm:1.5|g\nm:100|g\n"},
	{"64 characters and no more",
         {GAUGES},
         "a v=1e63\na v=1e64\na v=-1e62\na v=-1e63\na v=1e-62\na v=1e-63",
         "m:1000000000000000000000000000000000000000000000000000000000000000|g\nm:-"
         "100000000000000000000000000000000000000000000000000000000000000|g\n"
         "m:0.00000000000000000000000000000000000000000000000000000000000001|g\n"},
	{"huge exponents", {GAUGES}, "a v=1e400\na v=1e-400\na v=1e99999999999999999999999\nb v=1", "m:1|g\n"},
	{"scaling makes it too long",
         {TIMERS(UNIT_S)},
         "a v=1e60\na v=1e61",
         "m:1000000000000000000000000000000000000000000000000000000000000000|ms\n"},
	{"numbers in JSON's texts",
         {GAUGES},
         "{\"event\":\"a\",\"v\":\"30.5\"}\n{\"event\":\"a\",\"v\":\"1e2\"}\n{\"event\":\"a\",\"v\":\"\\u0035\"}",
         "m:30.5|g\nm:100|g\nm:5|g\n"},
	{"what is no number",
         {GAUGES},
         "a v=\na v=01\na v=+1\na v=.5\na v=1.\na v=0x10\na v=\"1 \"\na v=1,5\na v=NaN\na v=inf\na v=true\na "
         "v\n{\"event\":\"a\",\"v\":true}\nb v=1",
         "m:1|g\n"},
	{"what is no value at all",
         {GAUGES},
         "a\n{\"event\":\"a\",\"v\":null}\n{\"event\":\"a\",\"v\":{}}\n{\"event\":\"a\",\"v\":[1]}\nb v=1",
         "m:1|g\n"},
	{"a negative timer", {TIMERS(UNIT_S)}, "a v=-1\na v=-0\na v=-1e-9\nb v=1", "m:0|ms\nm:1000|ms\n"},
	{"negative counters and gauges",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("c", .value = T("v")), GAUGE("g", "v")))},
         "a v=-1.50",
         "c:-1.5|c\ng:-1.5|g\n"},
	{"a bad value costs its metric alone",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("c"), GAUGE("g", "v"), COUNTER("d")))},
         "a v=x",
         "c:1|c\nd:1|c\n"},
	{"a constant value",
         {ONE_RULE(MATCH("**"), METRICS(TIMER("t", "1.50", UNIT_S), COUNTER("c", .value = T("1e2"))))},
         "a",
         "t:1500|ms\nc:100|c\n"},
	{"units on histograms and distributions",
         {ONE_RULE(MATCH("**"), METRICS(METRIC_OF(METRIC_HISTOGRAM, "h", .value = T("v"), .unit = UNIT_NS),
                                        METRIC_OF(METRIC_DISTRIBUTION, "d", .value = T("v"))))},
         "a v=-5",
         "h:-0.000005|h\nd:-5|d\n"},
};

#define ROWS(table)                     \
	START_TEST(table##_row)         \
	{                               \
		expect_row(&table[_i]); \
	}                               \
	END_TEST

ROWS(identities)
ROWS(payloads)
ROWS(paths)
ROWS(templates)
ROWS(formats)
ROWS(numbers)

/* ---- why there is no metric ---- */

static const struct {
	const char *name;
	const char *event;
	int skip; /* SKIP_COUNT: none */
} skips[] = {
	{"absent", "t", SKIP_ABSENT},
	{"null", "{\"event\":\"t\",\"v\":null}", SKIP_ABSENT},
	{"an object", "{\"event\":\"t\",\"v\":{}}", SKIP_ABSENT},
	{"text", "t v=x", SKIP_NOT_A_NUMBER},
	{"empty", "t v=", SKIP_NOT_A_NUMBER},
	{"a boolean", "{\"event\":\"t\",\"v\":true}", SKIP_NOT_A_NUMBER},
	{"too long", "t v=1e64", SKIP_NOT_A_NUMBER},
	{"negative", "t v=-1", SKIP_NEGATIVE},
	{"a set of nothing", "s v=", SKIP_ABSENT},
	{"a name without its field", "n", SKIP_NAME},
	{"a name with an empty field", "n v=", SKIP_NAME},
	{"an event without title", "e", SKIP_NAME},
	{"nothing to skip", "t v=1", SKIP_COUNT},
	{"a condition is no skip", "c", SKIP_COUNT},
};

static const struct model skipping = {
	FILES(FILE_OF(RULES(RULE(MATCH("t"), METRICS(TIMER("t", "v", UNIT_S))),
                            RULE(MATCH("s"), METRICS(METRIC_OF(METRIC_SET, "s", .value = T("v")))),
                            RULE(MATCH("n"), METRICS(COUNTER("n.{v}"))),
                            RULE(MATCH("e"), METRICS(METRIC_OF(METRIC_EVENT, "{v}", .text = T("m")))),
                            RULE(MATCH("c"), METRICS(COUNTER("c", WHEN(T("v"))))))))};

START_TEST(skip)
{
	static struct rig rig;
	rig_init(&rig, &skipping);
	rig_run(&rig, skips[_i].event);
	for (int i = 0; i < SKIP_COUNT; i++)
		ck_assert_msg(rig.accounts.skipped[i] == (i == skips[_i].skip), "%s: %s: %llu", skips[_i].name,
		              skip_names[i], (unsigned long long)rig.accounts.skipped[i]);
	rig_fini(&rig);
}
END_TEST

/* ---- lines that are no events, as they are told ---- */

static const struct {
	const char *name;
	const char *line;
	const char *want; /* begins so */
} rejections[] = {
	{"malformed JSON", "{\"event\":x}", "malformed:10 no JSON value stands here"},
	{"a column counts from the line's start", "  {\"event\":x}", "malformed:12 no JSON value stands here"},
	{"trailing bytes", "{\"event\":\"a\"} x", "malformed:15 something stands behind the object"},
	{"a broken batch", "[{\"event\":\"a\"},]", "malformed:16 a batch is an array of objects"},
	{"trailing bytes behind a batch", "[{\"event\":\"a\"}]]", "malformed:16 something stands behind the batch"},
	{"malformed logfmt", "a b=\"c", "malformed:5 the text has no closing quote"},
	{"no name", "{\"x\":1}", "unnamed:0 nothing in it names an event"},
	{"a name that is none", "{\"event\":\"a b\"}", "unnamed:0 its name is no identifier"},
	{"unnamed in a batch", "[{\"event\":\"a\"},{}]", "unnamed:0 nothing in it names an event"},
};

START_TEST(reject)
{
	static struct rig rig;
	const struct model model = {.file_count = 0};
	rig_init(&rig, &model);
	rig_run(&rig, rejections[_i].line);
	ck_assert_msg(strncmp(rig.rejected, rejections[_i].want, strlen(rejections[_i].want)) == 0 &&
	                      strchr(rig.rejected, '\n')[1] == '\0',
	              "%s: got %s, want %s", rejections[_i].name, rig.rejected, rejections[_i].want);
	rig_fini(&rig);
}
END_TEST

static const struct {
	enum input_format format;
	const char *line;
	const char *want;
} formatted_rejections[] = {
	{FORMAT_JSON, "  a b=1", "malformed:3 this input takes JSON"},
	{FORMAT_STATSD, "a:1|x", "malformed:5 the type is one of"},
	{FORMAT_LOGFMT, "{\"a\":1}", "malformed:2 a quote stands where a key was expected"},
};

START_TEST(reject_by_format)
{
	static struct rig rig;
	struct input_model inputs[] = {{.label = T("in"), .format = formatted_rejections[_i].format}};
	const struct model model = {.inputs = inputs, .input_count = 1};
	const char *want = formatted_rejections[_i].want;
	rig_init(&rig, &model);
	rig_run(&rig, formatted_rejections[_i].line);
	ck_assert_msg(strncmp(rig.rejected, want, strlen(want)) == 0, "got %s, want %s", rig.rejected, want);
	rig_fini(&rig);
}
END_TEST

START_TEST(unnamed_may_be_ignored)
{
	static struct rig rig;
	struct input_model inputs[] = {{.label = T("in"), .unnamed_ignore = true}};
	const struct model model = {.inputs = inputs, .input_count = 1};
	rig_init(&rig, &model);
	rig_run(&rig, "{}\n{\"event\":\"a b\"}\nx=1\n{\n");
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_UNNAMED], 3);
	ck_assert_msg(strncmp(rig.rejected, "malformed", 9) == 0 && strchr(rig.rejected, '\n')[1] == '\0', "got %s",
	              rig.rejected);
	rig_fini(&rig);
}
END_TEST

START_TEST(identifiers_of_200_bytes)
{
	static struct rig rig;
	char line[512];
	const struct model model = {ONE_RULE(MATCH("**"), METRICS(COUNTER("m")))};
	rig_init(&rig, &model);
	memset(line, 'a', sizeof(line));
	line[200] = '\n';
	line[402] = '\0';
	line[200 + 1 + 201] = '\0';
	rig_run(&rig, line);
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_MAPPED], 1);
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_UNNAMED], 1);
	rig_fini(&rig);
}
END_TEST

START_TEST(the_catalogue_counts)
{
	static struct rig rig;
	struct catalogue_model entries[] = {
		{.name = T("a.b"), .aliases = TEXTS(T("alias")), .legacy = TEXTS(T("old1"), T("old2"))}};
	struct text strip[] = {T("app.")};
	const struct model model = {.catalogue = entries, .catalogue_count = 1, .identify.strip = {strip, 1}};
	rig_init(&rig, &model);
	rig_run(&rig, "a.b\nalias\nold1\nold2\nold2\napp.old2\nunknown\napp.unknown\nx=1\n");
	ck_assert_uint_eq(rig.accounts.unknown, 2);
	ck_assert_uint_eq(rig.mapping->legacy_count, 2);
	ck_assert_uint_eq(rig.accounts.legacy[0], 1);
	ck_assert_uint_eq(rig.accounts.legacy[1], 3);
	rig_fini(&rig);
}
END_TEST

/* ---- one stream, in pieces of any size ---- */

static const struct model pieces = {
	ONE_RULE(MATCH("**"),
                 METRICS(COUNTER("m", .tags = TAGS(TAG("e", "{event}"), TAG("x", "{x}"))), GAUGE("g", "v"))),
	.limits.line = 300};

/* Lines of all kinds; one is too long. */
static char *all_lines(void)
{
	static const char lines[] = "a.b x=1 v=-2\n"
				    "{\"event\":\"c\",\"x\":\"q\\\"\\\\\\u00e9\",\"payload\":{\"v\":1.50}}\r\n"
				    "\n \r\n"
				    "[{\"event\":\"d\"},{\"event\":\"e\",\"v\":1},{}]\n"
				    "{\"event\":\"bad\"\n"
				    "x=\"bad\n"
				    "%s\n"
				    "f\n"
				    "%s\n"
				    "{\"event\":\"g\"}\n"
				    "h v=3";
	char *text = malloc(8192);
	char fits[301], beyond[1202];
	memset(fits, 'y', 300);
	memcpy(fits, "z x=", 4);
	fits[300] = '\0';
	memset(beyond, 'y', 1201);
	beyond[1201] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, 8192, lines, fits, beyond);
#pragma GCC diagnostic pop
	return text;
}

static void expect_same(const struct rig *rig, const struct rig *other, const char *what, size_t size)
{
	ck_assert_msg(strcmp(rig->sinks[0].text, other->sinks[0].text) == 0, "%s %zu: got %s, want %s", what, size,
	              rig->sinks[0].text, other->sinks[0].text);
	for (int i = 0; i < OUTCOME_COUNT; i++)
		ck_assert_msg(rig->accounts.outcomes[i] == other->accounts.outcomes[i],
		              "%s %zu: %s: got %llu, want %llu", what, size, outcome_names[i],
		              (unsigned long long)rig->accounts.outcomes[i],
		              (unsigned long long)other->accounts.outcomes[i]);
}

START_TEST(pieces_of_any_size)
{
	static struct rig whole, pieced;
	char *text = all_lines();
	const size_t len = strlen(text);
	rig_init(&whole, &pieces);
	rig_run(&whole, text);
	ck_assert_uint_eq(whole.accounts.outcomes[OUTCOME_OVERSIZE], 1);
	ck_assert_uint_eq(whole.accounts.outcomes[OUTCOME_MALFORMED], 2);
	ck_assert_uint_eq(whole.accounts.outcomes[OUTCOME_UNNAMED], 1);
	ck_assert_uint_eq(whole.accounts.outcomes[OUTCOME_MAPPED], 8);
	for (size_t size = 1; size <= len; size += size < 100 ? 1 : 97) {
		rig_init(&pieced, &pieces);
		rig_read(&pieced, 0, span_of(text), size);
		rig_end(&pieced, 0);
		rig_output(&pieced, 0);
		expect_same(&pieced, &whole, "pieces of", size);
		rig_fini(&pieced);
	}
	rig_fini(&whole);
	free(text);
}
END_TEST

/* Cut in two at every byte. */
START_TEST(cut_at_every_byte)
{
	static struct rig whole, cut;
	char *text = all_lines();
	const size_t len = strlen(text);
	rig_init(&whole, &pieces);
	rig_run(&whole, text);
	rig_init(&cut, &pieces);
	for (size_t at = 0; at <= len; at++) {
		memset(cut.accounts.outcomes, 0, sizeof(cut.accounts.outcomes));
		cut.sinks[0].len = 0;
		rig_read(&cut, 0, (struct span){text, at}, READ_SIZE);
		rig_read(&cut, 0, (struct span){text + at, len - at}, READ_SIZE);
		rig_end(&cut, 0);
		rig_output(&cut, 0);
		expect_same(&cut, &whole, "cut at", at);
		ck_assert(!line_stream_has_rest(&cut.streams[0]));
	}
	rig_fini(&cut);
	rig_fini(&whole);
	free(text);
}
END_TEST

/* A datagram holds whole lines: the same lines in one, or one each. */
START_TEST(datagrams)
{
	static struct rig whole, one, each;
	char *text = all_lines();
	rig_init(&whole, &pieces);
	rig_run(&whole, text);
	rig_init(&one, &pieces);
	rig_datagram(&one, 0, span_of(text));
	rig_output(&one, 0);
	expect_same(&one, &whole, "datagrams", 1);
	rig_init(&each, &pieces);
	for (const char *line = text; *line;) {
		const size_t len = strcspn(line, "\n");
		rig_datagram(&each, 0, (struct span){line, len + (line[len] && len % 2)});
		line += len + (line[len] != '\0');
	}
	rig_output(&each, 0);
	expect_same(&each, &whole, "datagrams", 2);
	rig_datagram(&each, 0, (struct span){text, 0});
	rig_datagram(&each, 0, SPAN("\n"));
	rig_datagram(&each, 0, SPAN("\n\n \n"));
	ck_assert_uint_eq(each.accounts.inputs[0].received, whole.accounts.inputs[0].received);
	rig_fini(&each);
	rig_fini(&one);
	rig_fini(&whole);
	free(text);
}
END_TEST

/* ---- the line limit ---- */

START_TEST(the_line_limit)
{
	static struct rig rig;
	const struct model model = {ONE_RULE(MATCH("**"), METRICS(COUNTER("m"))), .limits.line = 256};
	static char text[4096];
	static const struct {
		size_t len;
		bool fits;
	} lengths[] = {{255, true}, {256, true}, {257, false}, {600, false}};
	rig_init(&rig, &model);
	uint64_t mapped = 0, oversize = 0;
	for (size_t i = 0; i < 4 * ARRAY_LEN(lengths); i++) {
		const bool has_cr = i / ARRAY_LEN(lengths) % 2;
		const bool is_blank = i >= 2 * ARRAY_LEN(lengths);
		const size_t len = lengths[i % ARRAY_LEN(lengths)].len;
		const bool fits = lengths[i % ARRAY_LEN(lengths)].fits;
		for (size_t size = 1; size < 1000; size += 1 + size / 2) {
			memset(text, is_blank ? ' ' : 'y', len);
			memcpy(text, is_blank ? "    " : "a b=", 4);
			strcpy(text + len, has_cr ? "\r\nc\r\n" : "\nc\n");
			rig_read(&rig, 0, span_of(text), size);
			mapped += fits && !is_blank ? 2 : 1;
			oversize += !fits;
			ck_assert_msg(rig.accounts.outcomes[OUTCOME_MAPPED] == mapped &&
			                      rig.accounts.outcomes[OUTCOME_OVERSIZE] == oversize,
			              "%zu %s%s in pieces of %zu", len, is_blank ? "blanks" : "bytes", has_cr ? " and a CR" : "", size);
		}
	}
	rig_fini(&rig);
}
END_TEST

/* An oversize line that never ends, then one that does: one event each, and the memory stays what it is. */
START_TEST(a_line_without_end)
{
	static struct rig rig;
	const struct model model = {ONE_RULE(MATCH("**"), METRICS(COUNTER("m"))), .limits.line = 1024};
	static char text[50000];
	memset(text, 'y', sizeof(text));
	rig_init(&rig, &model);
	for (int i = 0; i < 50; i++)
		rig_read(&rig, 0, (struct span){text, sizeof(text)}, 8192);
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_OVERSIZE], 1);
	rig_read(&rig, 0, SPAN("\na\n"), 8192);
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_MAPPED], 1);
	rig_read(&rig, 0, (struct span){text, sizeof(text)}, 8192);
	rig_end(&rig, 0);
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_OVERSIZE], 2);
	ck_assert_uint_eq(rig.accounts.inputs[0].received, 3);
	rig_fini(&rig);
}
END_TEST

/* After a reload with a larger limit, in the middle of a line. */
START_TEST(a_stream_grows)
{
	static struct rig rig;
	const struct model small = {ONE_RULE(MATCH("**"), METRICS(COUNTER("m"))), .limits.line = 1024};
	struct line_stream *stream = &rig.streams[0];
	static char text[100000];
	memset(text, 'y', sizeof(text));
	memcpy(text, "a b=", 4);
	rig_init(&rig, &small);
	rig_read(&rig, 0, SPAN("first\nsecond"), 100);
	const uint32_t size = stream->size;
	ck_assert_int_eq(line_stream_grow(stream, 512), 0);
	ck_assert_uint_eq(stream->size, size);
	ck_assert_int_eq(line_stream_grow(stream, 200000), 0);
	ck_assert_uint_ge(stream->size, 200000 + READ_SIZE);
	rig_read(&rig, 0, SPAN(".more\n"), 100);
	rig_read(&rig, 0, (struct span){text, 1000}, 100);
	rig_end(&rig, 0);
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_MAPPED], 3);
	rig_fini(&rig);
}
END_TEST

/* ---- ends ---- */

static const struct {
	const char *name;
	const char *text;
	enum stream_end end;
	enum outcome outcome; /* of what is left; OUTCOME_COUNT: it is no event */
} ends[] = {
	{"a rest at end of file is a line", "a", STREAM_END_OF_FILE, OUTCOME_MAPPED},
	{"a broken rest at end of file", "{\"event\":\"a\"", STREAM_END_OF_FILE, OUTCOME_MALFORMED},
	{"nothing left at end of file", "", STREAM_END_OF_FILE, OUTCOME_COUNT},
	{"blanks left at end of file", " \t\r", STREAM_END_OF_FILE, OUTCOME_COUNT},
	{"a rest at the agent's end is malformed", "a", STREAM_END_OF_AGENT, OUTCOME_MALFORMED},
	{"nothing left at the agent's end", "", STREAM_END_OF_AGENT, OUTCOME_COUNT},
	{"blanks left at the agent's end", " \t", STREAM_END_OF_AGENT, OUTCOME_COUNT},
};

START_TEST(end)
{
	static struct rig rig;
	const struct model model = {ONE_RULE(MATCH("**"), METRICS(COUNTER("m")))};
	rig_init(&rig, &model);
	rig_read(&rig, 0, SPAN("b\n"), 10);
	rig_read(&rig, 0, span_of(ends[_i].text), 10);
	ck_assert_int_eq(translate_stream_end(rig.translator, &rig.streams[0], ends[_i].end), TRANSLATE_DONE);
	rig.accounts.outcomes[OUTCOME_MAPPED]--; /* b's */
	for (int i = 0; i < OUTCOME_COUNT; i++)
		ck_assert_msg(rig.accounts.outcomes[i] == (i == (int)ends[_i].outcome), "%s: %s", ends[_i].name,
		              outcome_names[i]);
	ck_assert(!line_stream_has_rest(&rig.streams[0]));
	/* Again: nothing is left to count. */
	ck_assert_int_eq(translate_stream_end(rig.translator, &rig.streams[0], ends[_i].end), TRANSLATE_DONE);
	ck_assert_uint_eq(rig.accounts.inputs[0].received, 1 + (ends[_i].outcome != OUTCOME_COUNT));
	rig_fini(&rig);
}
END_TEST

/* ---- an output that blocks ---- */

static struct output_model blocking_outputs[] = {{.label = T("a"), .max_datagram = 40},
                                                 {.label = T("b"), .max_datagram = 40}};
static const struct model blocking = {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("e", "{event}"))),
                                                                    COUNTER("n", .tags = TAGS(TAG("x", "{x}"))))),
                                      .outputs = blocking_outputs, .output_count = 2};

/* Lines and batches, numbered, so that what is lost, doubled or out of order shows. */
static size_t numbered(char *out)
{
	size_t len = 0;
	for (int i = 0; i < 60; i++) {
		if (i % 3 == 0) {
			len += (size_t)sprintf(out + len, "e%d x=%d\n", i, i);
			continue;
		}
		len += (size_t)sprintf(out + len, " [ ");
		for (int k = 0; k < i % 12; k++)
			len += (size_t)sprintf(out + len, "%s{\"event\":\"e%d.%d\",\"x\":\"\\u0061%d\"}",
			                       k ? " , " : "", i, k, k);
		len += (size_t)sprintf(out + len, " ]\n");
	}
	return len;
}

START_TEST(blocks_and_goes_on)
{
	static struct rig free_rig, rig;
	static char text[65536];
	const size_t len = numbered(text);
	static const size_t sizes[] = {1, 7, 100, 1000, 65536};
	rig_init(&free_rig, &blocking);
	rig_read(&free_rig, 0, (struct span){text, len}, 65536);
	rig_output(&free_rig, 1);
	rig_init(&rig, &blocking);
	rig.packers[1].keep = 1;
	rig.sinks[1].room = 0;
	rig.streams[0].is_pausable = true;
	rig_read(&rig, 0, (struct span){text, len}, sizes[_i]);
	rig_end(&rig, 0);
	rig.sinks[1].room = UINT64_MAX;
	rig_output(&rig, 0);
	rig_output(&rig, 1);
	ck_assert_str_eq(rig.sinks[1].text, free_rig.sinks[1].text);
	ck_assert_str_eq(rig.sinks[0].text, rig.sinks[1].text);
	ck_assert_uint_eq(rig.accounts.outputs[1].dropped, 0);
	ck_assert_uint_eq(rig.accounts.inputs[0].received, free_rig.accounts.inputs[0].received);
	rig_fini(&rig);
	rig_fini(&free_rig);
}
END_TEST

/* It stops between two events of a batch: no more than one datagram and the open one are held. */
START_TEST(stops_within_a_batch)
{
	static struct rig rig;
	char text[8192] = "[";
	for (int i = 0; i < 50; i++)
		sprintf(text + strlen(text), "%s{\"event\":\"e%02d\",\"x\":1}", i ? "," : "", i);
	strcat(text, "]\nlast\n");
	rig_init(&rig, &blocking);
	rig.packers[1].keep = 1;
	rig.sinks[1].room = 0;
	struct line_stream *stream = &rig.streams[0];
	stream->is_pausable = true;
	size_t room;
	memcpy(line_stream_space(stream, &room), text, strlen(text));
	line_stream_filled(stream, strlen(text));
	unsigned stops = 0;
	while (translate_stream(rig.translator, stream) == TRANSLATE_STOPPED) {
		ck_assert(translator_is_blocked(rig.translator));
		/* Called again without room: nothing moves. */
		const uint64_t received = rig.accounts.inputs[0].received;
		ck_assert_int_eq(translate_stream(rig.translator, stream), TRANSLATE_STOPPED);
		ck_assert_uint_eq(rig.accounts.inputs[0].received, received);
		ck_assert_uint_le(packer_pending(&rig.packers[1]), 6);
		rig.sinks[1].room = 1;
		rig_output(&rig, 1);
		ck_assert_uint_lt(stops++, 1000);
	}
	ck_assert_uint_gt(stops, 20);
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_MAPPED], 51);
	ck_assert_uint_eq(rig.accounts.outputs[1].dropped, 0);
	rig_fini(&rig);
}
END_TEST

/* A datagram never waits: what it makes for an output that is full is dropped, and counted. */
START_TEST(datagrams_do_not_wait)
{
	static struct rig rig;
	rig_init(&rig, &blocking);
	rig.packers[1].keep = 1;
	rig.sinks[1].room = 0;
	for (int i = 0; i < 100; i++)
		rig_datagram(&rig, 0, SPAN("abc x=1\ndef x=2"));
	ck_assert_uint_eq(rig.accounts.outcomes[OUTCOME_MAPPED], 200);
	ck_assert_uint_eq(rig.accounts.outputs[0].made, 400);
	ck_assert_uint_eq(rig.accounts.outputs[0].dropped, 0);
	ck_assert_uint_eq(rig.accounts.outputs[1].dropped + packer_pending(&rig.packers[1]), 400);
	ck_assert_uint_le(packer_pending(&rig.packers[1]), 6);
	ck_assert_uint_eq(rig.accounts.outputs[1].errors[OUTPUT_ERROR_FULL], rig.accounts.outputs[1].dropped);
	rig_fini(&rig);
}
END_TEST

/* ---- what a trace is told ---- */

static void note_line(void *context, uint16_t output, enum line_fate fate, struct span line)
{
	char *notes = context;
	if (output == 0)
		sprintf(notes + strlen(notes), "%d %.*s\n", (int)fate, SPAN_ARG(line));
}

/* A line that was moved in the buffer while it was packed is told as it is. */
START_TEST(trace_tells_lines_as_they_are)
{
	static struct rig rig;
	char notes[2048] = "";
	const struct trace trace = {.context = notes, .line = note_line};
	const struct model model = {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("x", "{x}"))))),
	                            OUTPUTS({.label = T("out"), .max_datagram = 8})};
	rig_init(&rig, &model);
	rig.packers[0].keep = 1;
	translator_set_trace(rig.translator, &trace);
	rig_run(&rig, "a\na x=0123456789012345678901234567890123456789\na x=abcdefghijklmnopqrstuvwxyz\na "
	              "x=ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ\n");
	expect_text(
		"lines", notes,
		"0 m:1|c\n0 m:1|c|#x:0123456789012345678901234567890123456789\n0 m:1|c|#x:abcdefghijklmnopqrstuvwxyz\n"
		"0 m:1|c|#x:ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ\n");
	rig_fini(&rig);
}
END_TEST

/* ---- sampling ---- */

static struct output_model two_outputs[] = {{.label = T("a")}, {.label = T("b"), .dialect = DIALECT_STATSD}};
static const struct model sampled = {
	ONE_RULE(MATCH("**"),
                 METRICS(COUNTER("half", .sample_rate = T("0.5")), COUNTER("tenth", .sample_rate = T("0.1")),
                         COUNTER("most", .sample_rate = T("0.9")), COUNTER("all", .sample_rate = T("1.0")),
                         COUNTER("plain"))),
	.outputs = two_outputs, .output_count = 2};

static unsigned count_lines(const char *text, const char *line)
{
	const size_t len = strlen(line);
	unsigned count = 0;
	for (; *text; text = strchr(text, '\n') + 1)
		count += strncmp(text, line, len) == 0;
	return count;
}

START_TEST(shares)
{
	static struct rig rig;
	enum { EVENTS = 4000 };
	static const struct {
		const char *line;
		double rate;
	} metrics[] = {{"half:1|c|@0.5\n", 0.5}, {"tenth:1|c|@0.1\n", 0.1}, {"most:1|c|@0.9\n", 0.9}};
	rig_init(&rig, &sampled);
	/* Seeds that have little in common, and some that have much. */
	translator_set_seed(rig.translator, _i % 2 ? (uint64_t)_i : UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)(_i + 1));
	for (int i = 0; i < EVENTS; i++)
		rig_read(&rig, 0, SPAN("x\n"), 2);
	rig_output(&rig, 0);
	rig_output(&rig, 1);
	uint64_t kept = 2 * EVENTS;
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
		const unsigned count = count_lines(rig.sinks[0].text, metrics[i].line);
		const double expected = EVENTS * metrics[i].rate;
		const double deviation = sqrt(EVENTS * metrics[i].rate * (1 - metrics[i].rate));
		ck_assert_msg(fabs(count - expected) < 4 * deviation, "seed %d: %s: %u of %d", _i, metrics[i].line,
		              count, EVENTS);
		/* Decided once for all outputs. */
		ck_assert_uint_eq(count_lines(rig.sinks[1].text, metrics[i].line), count);
		kept += count;
	}
	ck_assert_uint_eq(count_lines(rig.sinks[0].text, "all:1|c\n"), EVENTS);
	ck_assert_uint_eq(count_lines(rig.sinks[0].text, "plain:1|c\n"), EVENTS);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(rig.accounts.outputs[i].made, 5 * EVENTS);
		ck_assert_uint_eq(rig.accounts.outputs[i].sampled_out, 5 * EVENTS - kept);
		ck_assert_uint_eq(rig.accounts.outputs[i].sent, kept);
	}
	rig_fini(&rig);
}
END_TEST

START_TEST(without_a_seed_everything_is_sent)
{
	static struct rig rig;
	rig_init(&rig, &sampled);
	for (int i = 0; i < 100; i++)
		rig_read(&rig, 0, SPAN("x\n"), 2);
	rig_output(&rig, 0);
	ck_assert_uint_eq(rig.accounts.outputs[0].sent, 500);
	rig_fini(&rig);
}
END_TEST

Suite *translate_suite(void)
{
	Suite *suite = suite_create("translate");
	TCase *all = tcase_create("translate");
	tcase_add_loop_test(all, identities_row, 0, ARRAY_LEN(identities));
	tcase_add_loop_test(all, payloads_row, 0, ARRAY_LEN(payloads));
	tcase_add_loop_test(all, paths_row, 0, ARRAY_LEN(paths));
	tcase_add_loop_test(all, templates_row, 0, ARRAY_LEN(templates));
	tcase_add_loop_test(all, formats_row, 0, ARRAY_LEN(formats));
	tcase_add_loop_test(all, numbers_row, 0, ARRAY_LEN(numbers));
	tcase_add_loop_test(all, skip, 0, ARRAY_LEN(skips));
	tcase_add_loop_test(all, reject, 0, ARRAY_LEN(rejections));
	tcase_add_loop_test(all, reject_by_format, 0, ARRAY_LEN(formatted_rejections));
	tcase_add_test(all, unnamed_may_be_ignored);
	tcase_add_test(all, identifiers_of_200_bytes);
	tcase_add_test(all, the_catalogue_counts);
	tcase_add_test(all, pieces_of_any_size);
	tcase_add_test(all, cut_at_every_byte);
	tcase_add_test(all, datagrams);
	tcase_add_test(all, the_line_limit);
	tcase_add_test(all, a_line_without_end);
	tcase_add_test(all, a_stream_grows);
	tcase_add_loop_test(all, end, 0, ARRAY_LEN(ends));
	tcase_add_loop_test(all, blocks_and_goes_on, 0, 5);
	tcase_add_test(all, stops_within_a_batch);
	tcase_add_test(all, datagrams_do_not_wait);
	tcase_add_test(all, trace_tells_lines_as_they_are);
	tcase_add_loop_test(all, shares, 0, 20);
	tcase_add_test(all, without_a_seed_everything_is_sent);
	suite_add_tcase(suite, all);
	return suite;
}
