#include <stdio.h>

#include "expect.h"
#include "map/subject.h"
#include "translate/translator.h"

Suite *subject_suite(void);

/* A standard field `f`, seen as the tag `f` of the counter m. */
#define SEES(field) ONE_RULE(MATCH("**"), METRICS(COUNTER("m", .tags = TAGS(TAG("f", "{" field "}")))))
#define VARIANTS(...)                                            \
	.variants = (struct field_variant_model[]){__VA_ARGS__}, \
	.variant_count = sizeof((struct field_variant_model[]){__VA_ARGS__}) / sizeof(struct field_variant_model)
#define PATTERNS(...)                                               \
	.patterns = (struct classify_pattern_model[]){__VA_ARGS__}, \
	.pattern_count =                                            \
		sizeof((struct classify_pattern_model[]){__VA_ARGS__}) / sizeof(struct classify_pattern_model)
#define FIELD_F(...)                                                         \
	{                                                                    \
		SEES("f"), FIELDS({.name = T("f"), VARIANTS({__VA_ARGS__})}) \
	}
#define FROM(...) .from = TEXTS(__VA_ARGS__)
#define ABC       FROM(T("a"), T("b"), T("c.d"))

#define BETWEEN         FIELD_F(.between = {T("t0"), T("t1")})
#define CLASSIFIED(...) FIELD_F(.classify = T("class"), __VA_ARGS__)
#define CLASSES                                                                 \
	PATTERNS({.find = TEXTS(T("Timeout")), .is = T("timeout")},             \
	         {.find = TEXTS(T("404"), T("missing")), .is = T("not_found")}, \
	         {.when.all = TEXTS(T("rc >= 8")), .is = T("severe")},          \
	         {.find = TEXTS(T("io")), .when.all = TEXTS(T("rc")), .is = T("io")})

static const struct row fields[] = {
	{"from: the first that is there", FIELD_F(ABC), "{\"event\":\"x\",\"a\":1,\"b\":2}", "m:1|c|#f:1\n"},
	{"from: the order is the configuration's, not the payload's", FIELD_F(ABC), "{\"event\":\"x\",\"b\":2,\"a\":1}",
         "m:1|c|#f:1\n"},
	{"from: null is skipped", FIELD_F(ABC), "{\"event\":\"x\",\"a\":null,\"b\":2}", "m:1|c|#f:2\n"},
	{"from: empty text is skipped", FIELD_F(ABC), "{\"event\":\"x\",\"a\":\"\",\"b\":2}", "m:1|c|#f:2\n"},
	{"from: objects and arrays are skipped", FIELD_F(ABC), "{\"event\":\"x\",\"a\":{},\"b\":[1],\"c\":{\"d\":3}}",
         "m:1|c|#f:3\n"},
	{"from: zero and false are found", FIELD_F(ABC),
         "{\"event\":\"x\",\"a\":false,\"b\":2}\n{\"event\":\"x\",\"a\":0,\"b\":2}", "m:1|c|#f:false\nm:1|c|#f:0\n"},
	{"from: nothing found", FIELD_F(ABC), "{\"event\":\"x\",\"f\":1}", "m:1|c\n"},
	{"from: a text with escapes", FIELD_F(ABC), "{\"event\":\"x\",\"a\":\"q\\u0041\\/\"}", "m:1|c|#f:qA/\n"},
	{"from: not another standard field",
         {SEES("f"), FIELDS({.name = T("f"), VARIANTS({FROM(T("g"))})}, {.name = T("g"), VARIANTS({FROM(T("h"))})})},
         "{\"event\":\"x\",\"h\":1}\n{\"event\":\"x\",\"g\":2}",
         "m:1|c\nm:1|c|#f:2\n"},
	{"from: its own name", FIELD_F(FROM(T("f"), T("a"))), "{\"event\":\"x\",\"f\":1}", "m:1|c|#f:1\n"},
	{"default: nothing else found", FIELD_F(ABC, .default_value = T("d")), "{\"event\":\"x\",\"a\":null}",
         "m:1|c|#f:d\n"},
	{"default: not where something was found", FIELD_F(ABC, .default_value = T("d")), "{\"event\":\"x\",\"a\":0}",
         "m:1|c|#f:0\n"},
	{"default alone hides no payload", FIELD_F(.default_value = T("d")),
         "{\"event\":\"x\",\"f\":7}\n{\"event\":\"x\"}", "m:1|c|#f:7\nm:1|c|#f:d\n"},
	{"an empty default is no tag", FIELD_F(ABC, .default_value = T("")), "{\"event\":\"x\"}", "m:1|c\n"},
	{"from in logfmt", FIELD_F(ABC), "x a= b=2 c=3", "m:1|c|#f:2\n"},
	{"worked out anew for each event", FIELD_F(ABC), "x a=1\nx\nx b=2", "m:1|c|#f:1\nm:1|c\nm:1|c|#f:2\n"},

	{"variants: the first whose events match",
         {SEES("f"),
          FIELDS({.name = T("f"),
                  VARIANTS({.events = TEXTS(T("step.*")), FROM(T("a")), .default_value = T("s")},
                           {.events = TEXTS(T("task.*"), T("job.**")), FROM(T("a")), .default_value = T("t")},
                           {FROM(T("b")), .default_value = T("o")})})},
         "step.x\nstep.x a=1 b=2\ntask.x\njob\nother a=1\nother b=2",
         "m:1|c|#f:s\nm:1|c|#f:1\nm:1|c|#f:t\nm:1|c|#f:t\nm:1|c|#f:o\nm:1|c|#f:2\n"},
	{"variants: none applies, the payload's own stands",
         {SEES("f"),
          FIELDS({.name = T("f"), VARIANTS({.events = TEXTS(T("step.*")), FROM(T("a")), .default_value = T("s")})})},
         "task.x f=9 a=1\ntask.x a=1",
         "m:1|c|#f:9\nm:1|c\n"},

	{"between: seconds", BETWEEN,
         "{\"event\":\"x\",\"t0\":\"2024-05-01T12:00:00Z\",\"t1\":\"2024-05-01T12:00:01.25Z\"}", "m:1|c|#f:1.25\n"},
	{"between: zones", BETWEEN, "x t0=2024-05-01T12:00:00+02:00 t1=2024-05-01T12:00:00", "m:1|c|#f:7200\n"},
	{"between: rounded half up", BETWEEN,
         "x t0=2024-05-01T00:00:00Z t1=2024-05-01T00:00:00.0005Z\nx t0=2024-05-01T00:00:00Z "
         "t1=2024-05-01T00:00:00.000499999Z\n"
         "x t0=2024-05-01T00:00:00Z t1=2024-05-01T00:00:01.9995Z",
         "m:1|c|#f:0.001\nm:1|c|#f:0\nm:1|c|#f:2\n"},
	{"between: a negative half goes up too", BETWEEN,
         "x t0=2024-05-01T00:00:01.0005Z t1=2024-05-01T00:00:01Z\n"
         "x t0=2024-05-01T00:00:01.5Z t1=2024-05-01T00:00:01Z",
         "m:1|c|#f:0\nm:1|c|#f:-0.5\n"},
	{"between: numbers", BETWEEN, "{\"event\":\"x\",\"t0\":1714559445.5,\"t1\":1714559447}", "m:1|c|#f:1.5\n"},
	{"between: milliseconds and seconds", BETWEEN, "{\"event\":\"x\",\"t0\":1714559445,\"t1\":1714559446500}",
         "m:1|c|#f:1.5\n"},
	{"between: one is missing", BETWEEN, "x t0=2024-05-01T12:00:00Z", "m:1|c\n"},
	{"between: one is no timestamp", BETWEEN, "x t0=2024-05-01T12:00:00Z t1=soon", "m:1|c\n"},
	{"between: null is missing", BETWEEN, "{\"event\":\"x\",\"t0\":1714559445,\"t1\":null}", "m:1|c\n"},
	{"between: in nested objects", FIELD_F(.between = {T("t.from"), T("t.to")}),
         "{\"event\":\"x\",\"t\":{\"from\":1,\"to\":3}}", "m:1|c|#f:2\n"},
	{"between: behind from", FIELD_F(FROM(T("a")), .between = {T("t0"), T("t1")}, .default_value = T("d")),
         "x a=9 t0=2024-05-01 t1=2024-05-02\nx t0=2024-05-01 t1=2024-05-02\nx t0=2024-05-01",
         "m:1|c|#f:9\nm:1|c|#f:d\nm:1|c|#f:d\n"},

	{"classify: text found, any case", CLASSIFIED(CLASSES),
         "x class=Net::ReadTIMEOUT\nx class=http404\nx class=KeyMissing",
         "m:1|c|#f:timeout\nm:1|c|#f:not_found\nm:1|c|#f:not_found\n"},
	{"classify: every letter in any case", CLASSIFIED(PATTERNS({.find = TEXTS(T("AZaz@[`{")), .is = T("all")})),
         "x class=azAZ@[`{\nx class=azAZ`[`{\nx class=azAZ@{`{", "m:1|c|#f:all\nm:1|c\nm:1|c\n"},
	{"classify: the order written, not the text's", CLASSIFIED(CLASSES), "x class=missing_timeout",
         "m:1|c|#f:timeout\n"},
	{"classify: conditions", CLASSIFIED(CLASSES), "x class=other rc=8\nx class=other rc=7",
         "m:1|c|#f:severe\nm:1|c\n"},
	{"classify: find and conditions both", CLASSIFIED(CLASSES), "x class=disk_IO rc=2\nx class=disk_io",
         "m:1|c|#f:io\nm:1|c\n"},
	{"classify: none holds, the default", CLASSIFIED(CLASSES, .default_value = T("other"), .missing = T("unknown")),
         "x class=what", "m:1|c|#f:other\n"},
	{"classify: absent, what missing says",
         CLASSIFIED(CLASSES, .default_value = T("other"), .missing = T("unknown")),
         "x\nx class=\n{\"event\":\"x\",\"class\":null}\n{\"event\":\"x\",\"class\":[\"Timeout\"]}",
         "m:1|c|#f:unknown\nm:1|c|#f:unknown\nm:1|c|#f:unknown\nm:1|c|#f:unknown\n"},
	{"classify: absent, and nothing missing", CLASSIFIED(CLASSES, .default_value = T("other")), "x",
         "m:1|c|#f:other\n"},
	{"classify: a number, as written", CLASSIFIED(CLASSES), "{\"event\":\"x\",\"class\":404}",
         "m:1|c|#f:not_found\n"},
	{"classify: a text of escapes", CLASSIFIED(CLASSES), "{\"event\":\"x\",\"class\":\"time\\u006fut\"}",
         "m:1|c|#f:timeout\n"},
	{"classify: a standard field, worked out first",
         {SEES("f"), FIELDS({.name = T("f"), VARIANTS({.classify = T("class"), CLASSES})},
                            {.name = T("class"), VARIANTS({FROM(T("error_class"), T("exception.0"))})})},
         "{\"event\":\"x\",\"exception\":[\"Timeout::Error\",\"slow\"]}",
         "m:1|c|#f:timeout\n"},
	{"classify: conditions see standard fields",
         {SEES("f"),
          FIELDS({.name = T("f"),
                  VARIANTS({.classify = T("a"), PATTERNS({.when.all = TEXTS(T("g == yes")), .is = T("is")})})},
                 {.name = T("g"), VARIANTS({.default_value = T("yes")})})},
         "x a=1",
         "m:1|c|#f:is\n"},
	{"classify: by its own name it means the payload's",
         {SEES("f"),
          FIELDS({.name = T("f"), VARIANTS({.classify = T("f"), PATTERNS({.find = TEXTS(T("q")), .is = T("is")})})})},
         "x f=qq",
         "m:1|c|#f:is\n"},

	{"a standard field comes before the payload's", FIELD_F(FROM(T("a"))), "x f=1 a=2\nx f=1",
         "m:1|c|#f:2\nm:1|c\n"},
	{"a standard field as a value",
         {ONE_RULE(MATCH("**"), METRICS(TIMER("t", "f", UNIT_S))),
          FIELDS({.name = T("f"), VARIANTS({ABC, .between = {T("t0"), T("t1")}})})},
         "x a=1.5\nx t0=2024-05-01T00:00:00Z t1=2024-05-01T00:01:00Z\n{\"event\":\"x\",\"b\":0.25}",
         "t:1500|ms\nt:60000|ms\nt:250|ms\n"},
	{"a default as a value",
         {ONE_RULE(MATCH("**"), METRICS(GAUGE("g", "f"))),
          FIELDS({.name = T("f"), VARIANTS({ABC, .default_value = T("1.50")})})},
         "x",
         "g:1.5|g\n"},
	{"of a standard field nothing below can be asked",
         {SEES("f.a"), FIELDS({.name = T("f"), VARIANTS({ABC})})},
         "{\"event\":\"x\",\"f\":{\"a\":5}}",
         "m:1|c|#f:5\n"},
};

START_TEST(field)
{
	expect_row(&fields[_i]);
}
END_TEST

/* Values are marked with the number of their event, which begins anew after 2^32. */
START_TEST(event_numbers_wrap)
{
	const struct model model = FIELD_F(ABC);
	struct rig rig;

	rig_init(&rig, &model);
	ck_assert_str_eq(rig_run(&rig, "x a=1\n"), "m:1|c|#f:1\n");
	ck_assert_uint_eq(rig.translator->subject.epoch, 1);
	rig.translator->subject.epoch = UINT32_MAX;
	ck_assert_str_eq(rig_run(&rig, "x\nx a=2\n"), "m:1|c|#f:1\nm:1|c\nm:1|c|#f:2\n");
	rig_fini(&rig);
}
END_TEST

/* ---- conditions ---- */

/* The counter m is made where the condition holds. */
#define IF(condition)                                                            \
	{                                                                        \
		ONE_RULE(MATCH("**"), METRICS(COUNTER("m", WHEN(T(condition))))) \
	}
#define YES "m:1|c\n"

static const struct row conditions[] = {
	{"== numbers", IF("a == 5"), "x a=5\nx a=5.0\n{\"event\":\"x\",\"a\":0.5e1}\n{\"event\":\"x\",\"a\":\"5\"}",
         YES YES YES YES},
	{"== other numbers", IF("a == 5"), "x a=5.0000000000000000000000001\nx a=-5\nx a=50", ""},
	{"== text", IF("a == five"), "x a=five\nx a=Five\nx a=fives", YES},
	{"== where only one is a number compares bytes", IF("a == 5"), "x a=05\nx a=+5\nx a=5x\nx a=' 5'", ""},
	{"== a quoted number compares bytes", IF("a == '5'"), "x a=5\nx a=5.0\n{\"event\":\"x\",\"a\":5}", YES YES},
	{"== an empty text", IF("a == ''"), "x a=\nx\nx a=1\n{\"event\":\"x\",\"a\":null}", YES},
	{"== booleans as written", IF("a == true"),
         "{\"event\":\"x\",\"a\":true}\n{\"event\":\"x\",\"a\":false}\n{\"event\":\"x\",\"a\":\"true\"}\nx a",
         YES YES YES},
	{"== a text with blanks", IF("a == b c"), "x a=\"b c\"\nx a=b", YES},
	{"!= numbers", IF("a != 5"), "x a=5\nx a=5.00\nx a=4\nx a=text", YES YES},
	{"!= is false where a side is absent", IF("a != 5"),
         "x\n{\"event\":\"x\",\"a\":null}\n{\"event\":\"x\",\"a\":{}}", ""},
	{"!= quoted", IF("a != '5'"), "x a=5.0\nx a=5", YES},
	{"<", IF("a < 5"), "x a=4.999999999999999999999\nx a=5\nx a=-1e400\nx a=1e400", YES YES},
	{"<=", IF("a <= 5"), "x a=5.000\nx a=5.0001", YES},
	{">", IF("a > 5"), "x a=5\nx a=5.0000000000000000000000000000000000000000000001\nx a=1e3", YES YES},
	{">=", IF("a >= 5"), "x a=5\nx a=0.5e1\nx a=4.9", YES YES},
	{"orderings of text are false", IF("a < b"), "x a=a\nx a=1", ""},
	{"orderings of a text beside a number are false", IF("a > 5"), "x a=six\nx a=\nx a=true", ""},
	{"orderings of booleans are false", IF("a >= 0"), "{\"event\":\"x\",\"a\":true}", ""},
	{"orderings against a quoted number are false", IF("a > '5'"), "x a=6", ""},
	{"-0 is 0", IF("a == 0"), "x a=-0\nx a=-0.0e5\nx a=0e99999999999999999999", YES YES YES},
	{"exponents beyond 64 bits", IF("a > 1e99999999999999999999"),
         "x a=1e100000000000000000000\nx a=1e9999999999999999999", YES},
	{"~ over the whole text", IF("a ~ *timed out*"), "x a=\"it timed out.\"\nx a=timed", YES},
	{"~ crosses dots", IF("a ~ a*c"), "x a=a.b.c\nx a=a.b.cd", YES},
	{"~ on a number as written", IF("a ~ 5*"), "{\"event\":\"x\",\"a\":50}\n{\"event\":\"x\",\"a\":45}", YES},
	{"~ quoted", IF("a ~ ' *'"), "x a=\" y\"\nx a=y", YES},
	{"a field is present", IF("a"), "x a=1\nx\nx a=\n{\"event\":\"x\",\"a\":false}", YES YES YES},
	{"null, objects and arrays are absent", IF("a"),
         "{\"event\":\"x\",\"a\":null}\n{\"event\":\"x\",\"a\":{}}\n{\"event\":\"x\",\"a\":[1]}", ""},
	{"not", IF("not a"), "x a=1\nx\n{\"event\":\"x\",\"a\":null}\n{\"event\":\"x\",\"a\":{}}", YES YES YES},
	{"a field on the right", IF("a >= {b}"), "x a=3 b=3\nx a=3 b=3.1\nx a=10 b=9", YES YES},
	{"an absent field on the right", IF("a == {b}"), "x a=3\nx b=3\nx", ""},
	{"!= an absent field on the right", IF("a != {b}"), "x a=3\nx b=3\nx\nx a=3 b=4", YES},
	{"a field on the right that is text", IF("a == {b}"), "x a=q b=q\nx a=q b=Q\nx a=5 b=5.0\nx a=5 b=\"'5'\"",
         YES YES},
	{"a glob from a field", IF("a ~ {b}"), "x a=abc b=a*\nx a=abc b=b*", YES},
	{"the event", IF("event == a.b"), "a.b\na.c", YES},
	{"a segment", IF("event.1 ~ b*"), "a.bc\na.c\na", YES},
	{"a path on the left", IF("o.p == 1"),
         "{\"event\":\"x\",\"o\":{\"p\":1}}\nx o.p=1\n{\"event\":\"x\",\"o\":{\"p\":2}}", YES YES},
	{"blanks are free", IF("  a>=5  "), "x a=5", YES},
	{"without blanks", IF("a!=b"), "x a=c\nx a=b", YES},
	{"a field called not", IF("not == 1"), "x not=1", YES},
	{"a field called not, present", IF("not"), "x not=1\nx", YES},
	{"all of when must hold",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", WHEN(T("a"), T("b > 1")))))},
         "x a=1 b=2\nx a=1 b=1\nx b=2",
         YES},
	{"one of any must hold",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", WHEN_ANY(T("a"), T("b > 1")))))},
         "x a=1 b=1\nx b=2\nx b=1\nx",
         YES YES},
	{"when and any",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", WHEN(T("c")), WHEN_ANY(T("a"), T("b")))))},
         "x a=1\nx c=1\nx b=1 c=1\nx a=1 b=1 c=1",
         YES YES},
	{"a standard field's default counts",
         {ONE_RULE(MATCH("**"), METRICS(COUNTER("m", WHEN(T("n >= {limit}"))))),
          FIELDS({.name = T("n"), VARIANTS({FROM(T("attempt")), .default_value = T("1")})},
                 {.name = T("limit"), VARIANTS({FROM(T("max")), .default_value = T("3")})})},
         "x\nx attempt=3\nx attempt=2 max=2",
         YES YES},
	{"a text with escapes", IF("a == \"q\""), "{\"event\":\"x\",\"a\":\"\\\"q\\\"\"}", YES},
};

START_TEST(condition_holds)
{
	expect_row(&conditions[_i]);
}
END_TEST

/* ---- expects ---- */

static const struct model expecting = {
	ONE_RULE(MATCH("**"), METRICS(COUNTER("m"))),
	CATALOGUE({.name = T("e"), .expects = TEXTS(T("plain"), T("f"), T("g"), T("h"))}),
	FIELDS({.name = T("f"), VARIANTS({FROM(T("a"), T("b.c")), .default_value = T("1")})},
               {.name = T("g"), VARIANTS({.default_value = T("1")})},
               {.name = T("h"),
                VARIANTS({.events = TEXTS(T("other")), FROM(T("z"))}, {.events = TEXTS(T("e")), FROM(T("y"))})}),
};

static const struct {
	const char *name;
	const char *event;
	const char *want; /* the missing ones */
} expectations[] = {
	{"nothing given", "e", "plain f g h "},
	{"all given", "e plain=1 a=1 g=1 y=1", ""},
	{"another event", "other", ""},
	{"any name of from satisfies", "{\"event\":\"e\",\"plain\":1,\"b\":{\"c\":0},\"g\":false,\"y\":1}", ""},
	{"null and empty text do not", "{\"event\":\"e\",\"plain\":null,\"a\":\"\",\"g\":1,\"y\":1}", "plain f "},
	{"an object does", "{\"event\":\"e\",\"plain\":{},\"a\":[],\"g\":1,\"y\":1}", ""},
	{"the field's own name where from does not have it", "e plain=1 f=1 g=1 y=1", "f "},
	{"of several entries the one that applies", "e plain=1 a=1 g=1 z=1", "h "},
	{"a default is no payload", "e plain=1 a=1 y=1", "g "},
};

START_TEST(expect_payload)
{
	static struct rig rig;
	char got[64] = "";
	rig_init(&rig, &expecting);
	rig_run(&rig, expectations[_i].event);
	for (uint32_t i = 0; i < rig.mapping->expectation_count; i++)
		if (rig.accounts.payload_missing[i])
			sprintf(got + strlen(got), "%.*s ", SPAN_ARG(rig.mapping->expectations[i].field));
	expect_text(expectations[_i].name, got, expectations[_i].want);
	rig_fini(&rig);
}
END_TEST

static const struct refusal refusals[] = {
	{"a condition without operator", IF("a b"), "`a b` is no condition: the operator is one of"},
	{"a single =", IF("a = b"), "`a = b` is no condition"},
	{"an empty condition", IF(""), "begins with a field's name"},
	{"no left side", IF("== b"), "begins with a field's name"},
	{"no right side", IF("a =="), "the right side is missing"},
	{"an open quote", IF("a == 'b"), "the single quote is not closed"},
	{"a lone quote", IF("a == '"), "the single quote is not closed"},
	{"empty braces", IF("a == { }"), "the braces name no field"},
	{"braces on the left", IF("{a} == b"), "without braces"},
	{"not and a comparison", IF("not a == b"), "`not` takes one field"},
	{"a pattern that never holds", CLASSIFIED(PATTERNS({.is = T("x")})), "this pattern never holds"},
	{"a circle",
         {SEES("f"),
          FIELDS({.name = T("f"), VARIANTS({.classify = T("g")})}, {.name = T("g"), VARIANTS({.classify = T("f")})})},
         "break the circle"},
	{"a circle through a condition",
         {SEES("f"),
          FIELDS({.name = T("f"),
                  VARIANTS({.classify = T("a"), PATTERNS({.when.any = TEXTS(T("q == {g}")), .is = T("x")})})},
                 {.name = T("g"), VARIANTS({.classify = T("h")})}, {.name = T("h"), VARIANTS({.classify = T("f")})})},
         "break the circle"},
	{"no pattern in events", FIELD_F(.events = TEXTS(T("a.***")), FROM(T("a"))), "is no pattern"},
};

START_TEST(refuse)
{
	expect_refusal(&refusals[_i]);
}
END_TEST

Suite *subject_suite(void)
{
	Suite *suite = suite_create("subject");
	TCase *all = tcase_create("subject");
	tcase_add_loop_test(all, field, 0, ARRAY_LEN(fields));
	tcase_add_test(all, event_numbers_wrap);
	tcase_add_loop_test(all, condition_holds, 0, ARRAY_LEN(conditions));
	tcase_add_loop_test(all, expect_payload, 0, ARRAY_LEN(expectations));
	tcase_add_loop_test(all, refuse, 0, ARRAY_LEN(refusals));
	suite_add_tcase(suite, all);
	return suite;
}
