#include <stdio.h>
#include <stdlib.h>

#include "decode/statsd.h"
#include "expect.h"

Suite *statsd_suite(void);

/* ---- a line taken apart ---- */

static const struct {
	const char *name;
	const char *line;
	const char *want; /* name values type @rate #tags, or the fault's place and text's beginning */
} lines[] = {
	{"the least", "a:1|c", "a 1 c"},
	{"all types", "a:1|ms", "a 1 ms"},
	{"a rate", "a:1|c|@0.5", "a 1 c @0.5"},
	{"tags", "a:1|c|#k:v,l", "a 1 c #k:v,l"},
	{"rate and tags, either way round", "a:1|c|#k:v|@0.1", "a 1 c @0.1 #k:v"},
	{"what else stands there is passed over", "a:1|c|c:ci-1|e:x|card:low|T123|#k:v", "a 1 c #k:v"},
	{"several values", "a:1:2:3|h", "a 1:2:3 h"},
	{"a set's value may have colons", "a:x:y|s", "a x:y s"},
	{"a name with dots and slashes", "a.b/c-d:1|g", "a.b/c-d 1 g"},
	{"signs", "a:-1|g", "a -1 g"},
	{"blanks and a carriage return around", " \ta:1|c \r", "a 1 c"},
	{"empty tags", "a:1|c|#", "a 1 c"},
	{"an empty rate", "a:1|c|@|#k:v", "6? the rate is a number"},
	{"a rate that is no number", "a:1|c|@x", "6? the rate is a number"},
	{"a rate of 0", "a:1|c|@0.0", "6? the rate is a number"},
	{"a rate below 0", "a:1|c|@-0.5", "6? the rate is a number"},
	{"a rate above 1", "a:1|c|#k:v|@1.5", "11? the rate is a number"},
	{"empty fields", "a:1|c||", "a 1 c"},
	{"no value", "a", "1? no StatsD line"},
	{"no name", ":1|c", "1? no StatsD line"},
	{"an empty value", "a:|c", "2? a StatsD line has a value"},
	{"no type", "a:1", "2? a StatsD line has a value"},
	{"an empty type", "a:1|", "4? the type is one of"},
	{"another type", "a:1|x", "4? the type is one of"},
	{"a type of capitals", "a:1|C", "4? the type is one of"},
	{"an event", "_e{1,1}:a|b", "10? the type is one of"},
	{"a service check", "_sc|a|0", "7? no StatsD line"},
	{"JSON", "{\"event\":\"a\"}", "9? a StatsD line has a value"},
};

static void take_apart(char *got, size_t size, struct span line)
{
	struct statsd_reader reader;
	if (statsd_read_line(&reader, line)) {
		snprintf(got, size, "%u? %s", reader.at, reader.why);
		return;
	}
	snprintf(got, size, "%.*s %.*s %.*s%s%.*s%s%.*s", SPAN_ARG(reader.name), SPAN_ARG(reader.values),
	         SPAN_ARG(reader.type), reader.rate.len ? " @" : "", (int)reader.rate.len,
	         reader.rate.len ? reader.rate.at : "", reader.tags.len ? " #" : "", (int)reader.tags.len,
	         reader.tags.len ? reader.tags.at : "");
}

START_TEST(line)
{
	char text[256 + SCAN_PAD] = "";
	char got[256];
	snprintf(text, 256, "%s", lines[_i].line);
	take_apart(got, sizeof(got), span_of(text));
	const bool is_fault = strchr(lines[_i].want, '?') != NULL;
	ck_assert_msg(strncmp(got, lines[_i].want, is_fault ? strlen(lines[_i].want) : sizeof(got)) == 0,
	              "%s: %s: got %s, want %s", lines[_i].name, lines[_i].line, got, lines[_i].want);
}
END_TEST

START_TEST(random_lines)
{
	static const char often[] = "ab:|#@,0.1cs \r-";
	uint64_t seed = 8;
	for (int round = 0; round < 50000; round++) {
		struct statsd_reader reader;
		const uint32_t len = random_below(&seed, 30);
		char *text = calloc(1, len + SCAN_PAD);
		for (uint32_t i = 0; i < len; i++)
			text[i] = random_below(&seed, 20) ? often[random_below(&seed, sizeof(often) - 1)]
			                                  : (char)random_below(&seed, 256);
		if (statsd_read_line(&reader, (struct span){text, len}) && (!reader.why || reader.at > len))
			ck_abort_msg("%s: %u", shown((struct span){text, len}), reader.at);
		free(text);
	}
}
END_TEST

/* ---- what rules see of it, and what is relayed ---- */

#define STATSD INPUTS({.label = T("in"), .format = FORMAT_STATSD})
#define RELAY(...) \
	METRICS({.kind = METRIC_RELAY, .name = T("{event}"), .mark = {"test.yaml", __LINE__, 1}, ##__VA_ARGS__})
#define RELAYED          ONE_RULE(MATCH("**"), RELAY()), STATSD
#define OUTPUT(dialect_) OUTPUTS({.label = T("out"), .dialect = DIALECT_##dialect_})

static const struct row rows[] = {
	{"value, type, rate and tags are fields",
         {ONE_RULE(MATCH("a.*"), METRICS(GAUGE("g", "value",
                                               .tags = TAGS(TAG("t", "{type}"), TAG("r", "{rate}"), TAG("k", "{k}"),
                                                            TAG("b", "{b}"))))),
          STATSD},
         "a.b:1.50|c|@0.5|#k:v,b\na.c:2|g",
         "g:1.5|g|#t:c,r:0.5,k:v,b:true\ng:2|g|#t:g\n"},
	{"each of several values is an event",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("n", .value = T("value")))), STATSD},
         "a:1:2:3|h|#k:v",
         "n:1|c\nn:2|c\nn:3|c\n"},
	{"a tag called value is not the value",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("n", .value = T("value")))), STATSD},
         "a:1|c|#value:9",
         "n:1|c\n"},

	{"relayed as it came",
         {RELAYED},
         "a.b:1|c\na.b:2.50|ms|@0.1\na.b:3|g|#k:v,l:w\na.b:x y|s\na.b:1|h|@0.5|#k:v\na.b:1|d",
         "a.b:1|c\na.b:2.5|ms|@0.1\na.b:3|g|#k:v,l:w\na.b:x y|s\na.b:1|h|@0.5|#k:v\na.b:1|d\n"},
	{"a sign on a gauge keeps its meaning",
         {RELAYED, OUTPUT(STATSD)},
         "a:+5|g\na:-5|g\na:5|g",
         "a:+5|g\na:-5|g\na:5|g\n"},
	{"a plus on anything else is no number", {RELAYED}, "a:+5|c\na:+-5|g\nb:1|c", "b:1|c\n"},
	{"a negative timer", {RELAYED}, "a:-5|ms\nb:1|c", "b:1|c\n"},
	{"a negative histogram where it would be a timer",
         {RELAYED, OUTPUT(GRAPHITE)},
         "a:-5|h\na:5|h\na:5|d",
         "a:5|ms\na:5|ms\n"},
	{"a rate that takes more than 64 characters", {RELAYED}, "a:1|c|@1e-63\na:1|g|@1e-63\nb:1|c|@1e-62", "a:1|g\nb:1|c|@0.00000000000000000000000000000000000000000000000000000000000001\n"},
	{"a value that is no number", {RELAYED}, "a:x|c\na:0x1|c\nb:1|c", "b:1|c\n"},
	{"a rate of 1, one with a zero, one that is none",
         {RELAYED},
         "a:1|c|@1\na:1|c|@1.0\na:1|c|@x\na:1|c|@0.10\na:1|c|@1e-1",
         "a:1|c\na:1|c\na:1|c|@0.1\na:1|c|@0.1\n"},
	{"numbers in plain decimal", {RELAYED}, "a:1e3|c\na:1.50|g", "a:1000|c\na:1.5|g\n"},
	{"a set's colons become _", {RELAYED}, "a:x:y|s", "a:x_y|s\n"},

	{"tags in another dialect", {RELAYED, OUTPUT(GRAPHITE)}, "a:1|c|#k:v w,l:x=y", "a;k=v_w;l=x_y:1|c\n"},
	{"a tag without value", {RELAYED}, "a:1|c|#k,l:v", "a:1|c|#k,l:v\n"},
	{"a tag whose value is empty", {RELAYED}, "a:1|c|#k:,l:v\na:1|c|#k:", "a:1|c|#k:,l:v\na:1|c|#k:\n"},
	{"a tag without value in another dialect",
         {RELAYED, OUTPUT(INFLUXDB)},
         "a:1|c|#k,l:v,m:",
         "a,k=true,l=v,m=true:1|c\n"},
	{"of a repeated key the first", {RELAYED}, "a:1|c|#k:1,k:2,l:3,k", "a:1|c|#k:1,l:3\n"},
	{"empty tags", {RELAYED}, "a:1|c|#,,k:v,:x", "a:1|c|#k:v\n"},
	{"the metric's own before the line's, then the rule's and the global ones",
         {ONE_RULE(MATCH("**"), RELAY(.tags = TAGS(TAG("own", "1"), TAG("k", "own"))),
                   .tags = TAGS(TAG("rule", "2"), TAG("l", "rule"))),
          STATSD, .tags = TAGS(TAG("env", "3"), TAG("m", "env"))},
         "a:1|c|#k:4,l:5,m:6,n:7",
         "a:1|c|#own:1,k:own,l:5,m:6,n:7,rule:2,env:3\n"},
	{"a line with tags, one without, one with others",
         {ONE_RULE(MATCH("**"), RELAY(.tags = TAGS(TAG("own", "1"))), .tags = TAGS(TAG("rule", "{k}"), TAG("l", "rule"))),
          STATSD, .tags = TAGS(TAG("env", "3"))},
         "a:1|c|#k:4\na:2|c\na:3|c|#rule:9,l:5\na:4|c",
         "a:1|c|#own:1,k:4,rule:4,l:rule,env:3\na:2|c|#own:1,l:rule,env:3\na:3|c|#own:1,rule:9,l:5,env:3\n"
         "a:4|c|#own:1,l:rule,env:3\n"},
	{"a metric's own tag and the rule's of the same key, with a line that has none",
         {ONE_RULE(MATCH("**"), RELAY(.tags = TAGS(TAG("k", "own"))), .tags = TAGS(TAG("k", "rule"), TAG("l", "2"))), STATSD},
         "a:1|c\na:1|c|#l:3",
         "a:1|c|#k:own,l:2\na:1|c|#k:own,l:3\n"},
	{"global tags alone", {RELAYED, .tags = TAGS(TAG("env", "3"))}, "a:1|c\na:1|c|#k:v", "a:1|c|#env:3\na:1|c|#k:v,env:3\n"},
	{"timers stay timers where the output makes distributions of its own",
         {RELAYED, OUTPUTS({.label = T("out"), .timers = TIMERS_DISTRIBUTION})},
         "a:1|ms\na:1|d\na:1|h",
         "a:1|ms\na:1|d\na:1|h\n"},
	{"a type that is none, from a tag of that name",
         {ONE_RULE(MATCH("**"), RELAY()), INPUTS({.label = T("in"), .format = FORMAT_LOGFMT})},
         "a value=1 type=m\na value=1 type=cc\na value=1 type=\na value=1\na value=2 type=ms",
         "a:2|ms\n"},
	{"numbers as they stand, and those that do not",
         {RELAYED},
         "a:0|c\na:00|c\na:0.5|c\na:0.50|c\na:12345678|c\na:123456789|c\na:1234.567|c\na:.5|c\na:5.|c\na:-0|c",
         "a:0|c\na:0.5|c\na:0.5|c\na:12345678|c\na:123456789|c\na:1234.567|c\na:0|c\n"},
	{"what the Datadog Agent takes for itself is not relayed to it",
         {RELAYED},
         "a:1|c|#host:h,dd.internal.entity_id:x,dd.internal.card:high,k:v",
         "a:1|c|#k:v\n"},
	{"but to others", {RELAYED, OUTPUT(GRAPHITE)}, "a:1|c|#host:h", "a;host=h:1|c\n"},
	{"values beyond the limit",
         {RELAYED, .limits.tag_values = 1},
         "a:1|c|#k:1\na:1|c|#k:2\na:1|c|#k:1",
         "a:1|c|#k:1\na:1|c|#k:__other__\na:1|c|#k:1\n"},
};

START_TEST(row)
{
	expect_row(&rows[_i]);
}
END_TEST

/* A long line of tags that are looked at and left out takes no longer than its length. */
START_TEST(many_reserved_tags)
{
	static struct rig rig;
	static char text[65536];
	int len = sprintf(text, "a:1|c|#k:v");
	while (len < 60000)
		len += sprintf(text + len, ",dd.internal.%d", len);
	rig_init(&rig, &rows[_i].model);
	for (int i = 0; i < 200; i++)
		rig_datagram(&rig, 0, span_of(text));
	ck_assert(strncmp(rig_output(&rig, 0), "a:1|c|#k:v\n", 11) == 0);
	rig_fini(&rig);
}
END_TEST

/* Every value has every tag: their product is what a line costs. */
static const struct {
	const char *name;
	int values, tags;
	bool is_refused;
} products[] = {
	{"many values", 32000, 0, false},   {"many values with a few tags", 10000, 13, false},
	{"many tags", 1, 15000, false},     {"as many of both as a line may have", 512, 256, false},
	{"one value more", 513, 256, true}, {"many of both", 16000, 8000, true},
};

START_TEST(product)
{
	static char text[70000];
	struct statsd_reader reader;
	int len = sprintf(text, "a");
	for (int i = 0; i < products[_i].values; i++)
		len += sprintf(text + len, ":1");
	len += sprintf(text + len, "|c|#");
	for (int i = 0; i < products[_i].tags; i++)
		len += sprintf(text + len, i ? ",k:v" : "k:v");
	const bool is_refused = statsd_read_line(&reader, (struct span){text, (size_t)len}) != 0;
	ck_assert_msg(is_refused == products[_i].is_refused, "%s: %s", products[_i].name,
	              is_refused ? reader.why : "taken");
}
END_TEST

Suite *statsd_suite(void)
{
	Suite *suite = suite_create("statsd");
	TCase *all = tcase_create("statsd");
	tcase_add_loop_test(all, line, 0, ARRAY_LEN(lines));
	tcase_add_test(all, random_lines);
	tcase_add_loop_test(all, product, 0, ARRAY_LEN(products));
	tcase_add_loop_test(all, row, 0, ARRAY_LEN(rows));
	tcase_add_loop_test(all, many_reserved_tags, 3, 4);
	suite_add_tcase(suite, all);
	return suite;
}
