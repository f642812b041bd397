#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "decode_fixture.h"
#include "rig.h"

Suite *json_suite(void);

/* ---- what is JSON: RFC 8259, section by section ---- */

#define YES(text)                               \
	{                                       \
		"" text, sizeof(text) - 1, true \
	}
#define NO(text)                                 \
	{                                        \
		"" text, sizeof(text) - 1, false \
	}

static const struct {
	const char *text;
	size_t len;
	bool is_valid;
} grammar[] = {
	/* objects */
	YES("{}"),
	YES("{ }"),
	YES("{\"a\":1}"),
	YES("{\"a\":1,\"b\":2}"),
	YES("{\"\":1}"),
	YES("{\"a\":{}}"),
	YES("{\"a\":1,\"a\":2}"),
	NO("{"),
	NO("}"),
	NO("{,}"),
	NO("{\"a\"}"),
	NO("{\"a\":}"),
	NO("{\"a\":1,}"),
	NO("{,\"a\":1}"),
	NO("{\"a\" 1}"),
	NO("{\"a\":1 \"b\":2}"),
	NO("{\"a\"::1}"),
	NO("{\"a\":1,,\"b\":2}"),
	NO("{a:1}"),
	NO("{'a':1}"),
	NO("{1:1}"),
	NO("{null:1}"),
	NO("{\"a\":1"),
	NO("{\"a\":1]"),
	NO("{\"a\""),
	NO("{\"a\":1}}"),
	NO("{\"a\":1}{"),
	NO("{\"a\":1},"),
	NO("{\"a\":1}x"),
	NO("{\"a\":1}\0"),
	NO("{{}}"),
	NO("{[]}"),
	NO("{\"a\":{}"),
	/* arrays */
	YES("{\"a\":[]}"),
	YES("{\"a\":[ ]}"),
	YES("{\"a\":[1]}"),
	YES("{\"a\":[1,2]}"),
	YES("{\"a\":[[],[[]]]}"),
	YES("{\"a\":[{},{\"b\":[1]}]}"),
	NO("{\"a\":[}"),
	NO("{\"a\":]}"),
	NO("{\"a\":[1,]}"),
	NO("{\"a\":[,1]}"),
	NO("{\"a\":[,]}"),
	NO("{\"a\":[1,,2]}"),
	NO("{\"a\":[1 2]}"),
	NO("{\"a\":[1}"),
	NO("{\"a\":[1}]"),
	NO("{\"a\":[\"b\":1]}"),
	NO("{\"a\":[1,2"),
	NO("{\"a\":[[]}"),
	NO("{\"a\":[1:2]}"),
	/* literals */
	YES("{\"a\":true}"),
	YES("{\"a\":false}"),
	YES("{\"a\":null}"),
	YES("{\"a\":[true,false,null]}"),
	NO("{\"a\":True}"),
	NO("{\"a\":TRUE}"),
	NO("{\"a\":tru}"),
	NO("{\"a\":truee}"),
	NO("{\"a\":true1}"),
	NO("{\"a\":truefalse}"),
	NO("{\"a\":nul}"),
	NO("{\"a\":nulll}"),
	NO("{\"a\":fals}"),
	NO("{\"a\":t"),
	NO("{\"a\":tru"),
	NO("{\"a\":undefined}"),
	NO("{\"a\":NaN}"),
	NO("{\"a\":Infinity}"),
	NO("{\"a\":-Infinity}"),
	NO("{\"a\":inf}"),
	NO("{\"a\":t\0rue}"),
	/* numbers */
	YES("{\"a\":0}"),
	YES("{\"a\":-0}"),
	YES("{\"a\":1}"),
	YES("{\"a\":-1}"),
	YES("{\"a\":10}"),
	YES("{\"a\":1234567890}"),
	YES("{\"a\":0.0}"),
	YES("{\"a\":0.5}"),
	YES("{\"a\":-0.5}"),
	YES("{\"a\":1.00}"),
	YES("{\"a\":1e1}"),
	YES("{\"a\":1E1}"),
	YES("{\"a\":1e+1}"),
	YES("{\"a\":1e-1}"),
	YES("{\"a\":0e0}"),
	YES("{\"a\":1e01}"),
	YES("{\"a\":1e00}"),
	YES("{\"a\":1.5e3}"),
	YES("{\"a\":-0.0e-0}"),
	YES("{\"a\":1e400}"),
	YES("{\"a\":1e99999999999999999999999999}"),
	YES("{\"a\":123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890}"),
	NO("{\"a\":01}"),
	NO("{\"a\":-01}"),
	NO("{\"a\":00}"),
	NO("{\"a\":-}"),
	NO("{\"a\":+1}"),
	NO("{\"a\":--1}"),
	NO("{\"a\":.5}"),
	NO("{\"a\":-.5}"),
	NO("{\"a\":1.}"),
	NO("{\"a\":1.e1}"),
	NO("{\"a\":1e}"),
	NO("{\"a\":1e+}"),
	NO("{\"a\":1e-}"),
	NO("{\"a\":1ee1}"),
	NO("{\"a\":1e1.5}"),
	NO("{\"a\":1.2.3}"),
	NO("{\"a\":0x10}"),
	NO("{\"a\":1_000}"),
	NO("{\"a\":1,000}"),
	NO("{\"a\":1a}"),
	NO("{\"a\":0b1}"),
	NO("{\"a\":1+1}"),
	NO("{\"a\":1"),
	NO("{\"a\":1."),
	NO("{\"a\":1e"),
	NO("{\"a\":-"),
	NO("{\"a\":- 1}"),
	NO("{\"a\":1 .5}"),
	NO("{\"a\":1 e5}"),
	NO("{\"a\":\xef\xbc\x91}"),
	/* strings */
	YES("{\"a\":\"\"}"),
	YES("{\"a\":\"b\"}"),
	YES("{\"a\":\"'\"}"),
	YES("{\"a\":\"/\"}"),
	YES("{\"a\":\"{}[]:,\"}"),
	YES("{\"a\":\"\x7f\"}"),
	YES("{\"a\":\"\\\"\"}"),
	YES("{\"a\":\"\\\\\"}"),
	YES("{\"a\":\"\\/\"}"),
	YES("{\"a\":\"\\b\\f\\n\\r\\t\"}"),
	YES("{\"a\":\"\\u0041\"}"),
	YES("{\"a\":\"\\uabcd\\uABCD\"}"),
	YES("{\"a\":\"\\u0000\"}"),
	YES("{\"a\":\"\\\\\\\"\\\\\"}"),
	YES("{\"a\":\"\\\\u\"}"),
	YES("{\"\\\"\\u0041\":1}"),
	NO("{\"a\":\"}"),
	NO("{\"a\":\"\\\"}"),
	NO("{\"a\":\"\\\\\\\"}"),
	NO("{\"a\":\"\\a\"}"),
	NO("{\"a\":\"\\'\"}"),
	NO("{\"a\":\"\\0\"}"),
	NO("{\"a\":\"\\x41\"}"),
	NO("{\"a\":\"\\U0041\"}"),
	NO("{\"a\":\"\\u\"}"),
	NO("{\"a\":\"\\u1\"}"),
	NO("{\"a\":\"\\u12\"}"),
	NO("{\"a\":\"\\u123\"}"),
	NO("{\"a\":\"\\u123g\"}"),
	NO("{\"a\":\"\\ug123\"}"),
	NO("{\"a\":\"\\u 123\"}"),
	NO("{\"a\":\"\\u+123\"}"),
	NO("{\"a\":\"\\u00"),
	NO("{\"a\":\"\\"),
	NO("{\"a\":\"b"),
	NO("{\"a\":b\"}"),
	NO("{\"a\":'b'}"),
	NO("{\"a\":\"b\"\"c\"}"),
	NO("{\"a\":\"b\"c}"),
	NO("{\"\\x\":1}"),
	NO("{\"a\\\":1}"),
	NO("{\"a:1}"),
	NO("{\"\\u00zz\":1}"),
	/* control bytes, which must be escaped */
	NO("{\"a\":\"\x01\"}"),
	NO("{\"a\":\"\x1f\"}"),
	NO("{\"a\":\"\t\"}"),
	NO("{\"a\":\"\r\"}"),
	NO("{\"a\":\"\0\"}"),
	NO("{\"a\":\"x\0y\"}"),
	NO("{\"a\t\":1}"),
	NO("{\"a\":\"\\\t\"}"),
	NO("{\"a\":\"\\\x01\"}"),
	NO("{\"a\":\"\\\\\t\"}"),
	NO("{\"a\":\"\\u00\t4\"}"),
	/* blanks between tokens, and what is none */
	YES(" {\"a\":1}"),
	YES("\t\r {\t\"a\"\r:\t[ 1\t,\r2 ]\t,\"b\":\r{\t}\r}\t\r "),
	YES("{\"a\":1 }"),
	YES("{\"a\" :1}"),
	YES("{\"a\": \"b\" }"),
	YES("{ \t \"a\\\"\" \t : \r \"\\\\\" }"),
	YES("{\"a\":[ ]\t}"),
	YES("{\"a\":\ttrue\r}"),
	NO("{\"a\":\v1}"),
	NO("{\"a\":\f1}"),
	NO("{\"a\":\xc2\xa0"
           "1}"),
	NO("{\0}"),
	NO("{\"a\"\x01:1}"),
	NO("{\"a\":1\x1f}"),
	NO("{\x1b}"),
	/* invalid UTF-8 and surrogates, in strings alone */
	YES("{\"a\":\"\x80\"}"),
	YES("{\"a\":\"\xff\xfe\"}"),
	YES("{\"a\":\"\xc3\"}"),
	YES("{\"a\":\"\xed\xa0\x80\"}"),
	YES("{\"a\":\"\xf4\x90\x80\x80\"}"),
	YES("{\"\xff\":1}"),
	YES("{\"a\":\"\\ud800\"}"),
	YES("{\"a\":\"\\udc00\"}"),
	YES("{\"a\":\"\\udc00\\ud800\"}"),
	YES("{\"a\":\"\\ud800\\n\"}"),
	NO("{\"a\":\x80}"),
	NO("{\"a\":1\xff}"),
	NO("\xef\xbb\xbf{\"a\":1}"),
	NO("{\xff\"a\":1}"),
	/* comments and other dialects */
	NO("{\"a\":1/**/}"),
	NO("{\"a\":1//}"),
	NO("{\"a\":1}#"),
	NO("{/**/}"),
	/* no object */
	NO(""),
	NO("1"),
	NO("\"a\""),
	NO("null"),
	NO("x"),
};

/* Below the top, where fields are wanted; and where nobody asks. */
static const char *const wanted[] = {"a", "q", "a.0.b a.b", ""};

START_TEST(all_of_the_grammar)
{
	struct decoding decoding;
	decoding_init(&decoding, wanted[_i]);
	for (size_t i = 0; i < ARRAY_LEN(grammar); i++) {
		const struct span line = {grammar[i].text, grammar[i].len};
		const bool got = decoding_json(&decoding, line) == 0;
		ck_assert_msg(got == grammar[i].is_valid, "%s, fields %s: got %s (%s), want %s", shown(line),
		              wanted[_i], got ? "valid" : "malformed", decoding.reader.why ? decoding.reader.why : "",
		              grammar[i].is_valid ? "valid" : "malformed");
	}
	decoding_fini(&decoding);
}
END_TEST

/* Cut off at any byte, a document is no document; and with any byte replaced by a control byte neither. */
START_TEST(cut_off)
{
	static const char whole[] =
		"{\"a\":[1.5e3,\"\\u0041\\\\\",{\"b\":null}],\"c\":\"\xc3\xa9\",\"d\":{\"e\":[[],{}]},\"f\":true}";
	struct decoding decoding;
	decoding_init(&decoding, "a.0 a.1 a.2.b c d.e f");
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		ck_assert_msg(decoding_json(&decoding, (struct span){whole, len}) != 0, "cut at %zu", len);
		char damaged[sizeof(whole)];
		memcpy(damaged, whole, sizeof(whole));
		damaged[len] = '\x02';
		ck_assert_msg(decoding_json(&decoding, (struct span){damaged, sizeof(whole) - 1}) != 0,
		              "control byte at %zu", len);
	}
	ck_assert_int_eq(decoding_json(&decoding, SPAN(whole)), 0);
	decoding_fini(&decoding);
}
END_TEST

/* ---- depth ---- */

static int read_nested(const char *open, const char *close, unsigned depth)
{
	char *line = malloc(4096 * 8);
	char *end = line;
	struct decoding decoding;
	for (unsigned i = 0; i < depth; i++)
		end = stpcpy(end, i == 0                             ? (depth == 1 ? "{" : "{\"a\":")
		                  : i == depth - 1 && open[0] == '{' ? "{"
		                                                     : open);
	for (unsigned i = 0; i < depth; i++)
		end = stpcpy(end, i == depth - 1 ? "}" : close);
	decoding_init(&decoding, "a.a.a.a b");
	const int got = decoding_json(&decoding, span_of(line));
	decoding_fini(&decoding);
	free(line);
	return got;
}

static const struct {
	const char *name;
	const char *open, *close;
	unsigned depth;
	int want;
} depths[] = {
	{"one object", "{\"a\":", "}", 1, 0},          {"128 objects", "{\"a\":", "}", 128, 0},
	{"129 objects", "{\"a\":", "}", 129, -1},      {"1000 objects", "{\"a\":", "}", 1000, -1},
	{"127 arrays in an object", "[", "]", 128, 0}, {"128 arrays in an object", "[", "]", 129, -1},
};

START_TEST(depth)
{
	const int got = read_nested(depths[_i].open, depths[_i].close, depths[_i].depth);
	ck_assert_msg(got == depths[_i].want, "%s: got %d, want %d", depths[_i].name, got, depths[_i].want);
}
END_TEST

/* Width is no depth. */
START_TEST(wide)
{
	char line[8192] = "{\"a\":[";
	struct decoding decoding;
	for (int i = 0; i < 1000; i++)
		strcat(line, i ? ",[{}]" : "[{}]");
	strcat(line, "]}");
	decoding_init(&decoding, "a.999.0");
	ck_assert_int_eq(decoding_json(&decoding, span_of(line)), 0);
	ck_assert_str_eq(decoding_kept(&decoding), "a.999.0={}");
	decoding_fini(&decoding);
}
END_TEST

/* ---- what is kept ---- */

static const struct {
	const char *name;
	const char *paths;
	const char *line;
	const char *want;
} kept[] = {
	{"every type", "s n t f z o a",
         "{\"s\":\"x\",\"n\":-1.50e+3,\"t\":true,\"f\":false,\"z\":null,\"o\":{\"q\":1},\"a\":[1]}",
         "s=s:x n=n:-1.50e+3 t=true f=false o={} a=[]"},
	{"nothing that was not asked for", "a", "{\"b\":1,\"ab\":2,\"\":3,\"A\":4}", ""},
	{"an empty text", "a", "{\"a\":\"\"}", "a=s:"},
	{"a path", "a.b.c", "{\"a\":{\"x\":1,\"b\":{\"c\":2}}}", "a.b.c=n:2"},
	{"a path and its ends", "a a.b a.b.c", "{\"a\":{\"b\":{\"c\":2}}}", "a={} a.b={} a.b.c=n:2"},
	{"a path through a scalar", "a.b", "{\"a\":1}", ""},
	{"a path through null", "a.b", "{\"a\":null}", ""},
	{"a literal key with dots", "a\\.b a.b", "{\"a.b\":1,\"a\":{\"b\":2}}", "a\\.b=n:1 a.b=n:2"},
	{"a key that begins like another", "abcdefgh abcdefghi abcdefg", "{\"abcdefghi\":1,\"abcdefg\":2}",
         "abcdefghi=n:1 abcdefg=n:2"},
	{"long keys that differ in the middle", "aaaaaaaabbbbbbbbcccccccc aaaaaaaaXbbbbbbbcccccccc",
         "{\"aaaaaaaaXbbbbbbbcccccccc\":1}", "aaaaaaaaXbbbbbbbcccccccc=n:1"},
	{"the same key at another level", "a.k k", "{\"a\":{\"k\":1},\"b\":{\"k\":2},\"k\":3}", "a.k=n:1 k=n:3"},

	{"elements of an array", "a.0 a.2 a.10", "{\"a\":[\"x\",1,[],3,4,5,6,7,8,9,\"y\"]}", "a.0=s:x a.2=[] a.10=s:y"},
	{"elements of elements", "a.1.0 a.1.k", "{\"a\":[0,[5]]}", "a.1.0=n:5"},
	{"objects in an array", "a.1.k", "{\"a\":[{\"k\":1},{\"k\":2},{\"k\":3}]}", "a.1.k=n:2"},
	{"an element beyond the end", "a.3", "{\"a\":[1,2,3]}", ""},
	{"a number as an object's key", "a.0", "{\"a\":{\"0\":1}}", "a.0=n:1"},
	{"01 is no element", "a.01", "{\"a\":[1,2]}", ""},
	{"null in an array", "a.0 a.1", "{\"a\":[null,1]}", "a.1=n:1"},
	{"after a nested array the numbers go on", "a.1", "{\"a\":[[9,9,9],5]}", "a.1=n:5"},

	{"of a repeated key the last counts", "a", "{\"a\":1,\"a\":\"x\"}", "a=s:x"},
	{"a repeated key that ends as null", "a", "{\"a\":1,\"a\":null}", ""},
	{"null, then a value", "a", "{\"a\":null,\"a\":1}", "a=n:1"},
	{"a repeated object takes what the first had", "a.b a.c", "{\"a\":{\"b\":1,\"c\":2},\"a\":{\"c\":3}}",
         "a.c=n:3"},
	{"a scalar behind an object takes all of it", "a a.b.c", "{\"a\":{\"b\":{\"c\":2}},\"a\":1}", "a=n:1"},
	{"null behind an object takes all of it", "a a.b.c", "{\"a\":{\"b\":{\"c\":2}},\"a\":null}", ""},
	{"an empty object behind an object takes all of it", "a a.b.c", "{\"a\":{\"b\":{\"c\":2}},\"a\":{}}", "a={}"},
	{"an array behind an array takes its elements", "a.0 a.1", "{\"a\":[1,2],\"a\":[3]}", "a.0=n:3"},
	{"an object behind a scalar", "a a.b", "{\"a\":1,\"a\":{\"b\":2}}", "a={} a.b=n:2"},
	{"a repeated key deep inside", "a.b.c a.b.d", "{\"a\":{\"b\":{\"c\":1,\"d\":1},\"b\":{\"d\":2}}}", "a.b.d=n:2"},
	{"a repeated object beside another", "a.b x.b", "{\"a\":{\"b\":1},\"x\":{\"b\":2},\"a\":{}}", "x.b=n:2"},
	{"repeated inside an array's element", "a.0.b a.0.c", "{\"a\":[{\"b\":1,\"c\":1,\"b\":2}]}",
         "a.0.b=n:2 a.0.c=n:1"},
	{"a repeated key written with an escape", "a", "{\"a\":1,\"\\u0061\":2}", "a=n:2"},

	{"a key with escapes", "a/b a\"b", "{\"a\\/b\":1,\"a\\\"b\":2}", "a/b=n:1 a\"b=n:2"},
	{"a key of escapes alone", "abc", "{\"\\u0061\\u0062\\u0063\":1}", "abc=n:1"},
	{"a key with NUL is not the key before it", "a", "{\"a\\u0000\":1}", ""},
	{"a key with umlauts",
         "gr\xc3\xb6\xc3\x9f"
         "e",
         "{\"gr\\u00f6\\u00DFe\":1}",
         "gr\xc3\xb6\xc3\x9f"
         "e=n:1"},
	{"texts with escapes", "a b", "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"b\":\"x\\u00e9\\u20ac\\ud83d\\ude00\"}",
         "a=s:\"\\x5c/\\x08\\x0c\\x0a\\x0d\\x09 b=s:x\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80"},
	{"NUL", "a", "{\"a\":\"x\\u0000y\"}", "a=s:x\\x00y"},
	{"lone surrogates become one byte each that is no UTF-8", "a",
         "{\"a\":\"\\ud800x\\udfff\\udc00\\ud800\\u0041\\ud83d\"}", "a=s:\\xffx\\xff\\xff\\xffA\\xff"},
	{"a pair behind a lone half", "a", "{\"a\":\"\\ud83d\\ud83d\\ude00\"}", "a=s:\\xff\\xf0\\x9f\\x98\\x80"},
	{"a half at the text's end beside an escape that is none of it", "a b", "{\"a\":\"\\ud83d\",\"b\":\"\\ude00\"}",
         "a=s:\\xff b=s:\\xff"},
	{"invalid UTF-8 as it came", "a", "{\"a\":\"\xff\xc3\"}", "a=s:\\xff\\xc3"},
	{"texts of quotes and backslashes", "a b", "{\"a\":\"\\\\\",\"b\":\"\\\\\\\"\"}", "a=s:\\x5c b=s:\\x5c\""},
	{"tabs between tokens are passed", "a b", "\t{\t\"a\"\t:\t\"x\"\t,\t\"b\"\t:\t\"\\n\"\t}\t", "a=s:x b=s:\\x0a"},
	{"numbers as written", "a b c", "{\"a\":1.0,\"b\":-0,\"c\":1E400}", "a=n:1.0 b=n:-0 c=n:1E400"},
	{"a number before each closing", "a.0 b.c", "{\"a\":[12],\"b\":{\"c\":34}}", "a.0=n:12 b.c=n:34"},
};

START_TEST(keep)
{
	struct decoding decoding;
	decoding_init(&decoding, kept[_i].paths);
	ck_assert_msg(decoding_json(&decoding, span_of(kept[_i].line)) == 0, "%s: malformed: %s", kept[_i].name,
	              decoding.reader.why);
	const char *got = decoding_kept(&decoding);
	ck_assert_msg(strcmp(got, kept[_i].want) == 0, "%s: %s:\n got %s\nwant %s", kept[_i].name,
	              shown(span_of(kept[_i].line)), got, kept[_i].want);
	decoding_fini(&decoding);
}
END_TEST

/* An empty key can be wanted too. */
START_TEST(empty_key)
{
	struct decoding decoding = {.arena = arena_new()};
	const struct span keys[] = {SPAN(""), SPAN("a")};
	fieldset_init(&decoding.fieldset, decoding.arena);
	decoding.locations[0] = fieldset_add(&decoding.fieldset, keys, 1);
	decoding.locations[1] = fieldset_add(&decoding.fieldset, keys, 2);
	decoding.paths[0] = "";
	decoding.paths[1] = ".a";
	decoding.path_count = 2;
	fieldset_seal(&decoding.fieldset, decoding.arena);
	ck_assert_int_eq(lifecycle_event_init(&decoding.event, &decoding.fieldset, 1024), 0);
	ck_assert_int_eq(decoding_json(&decoding, SPAN("{\"\":{\"a\":1}}")), 0);
	ck_assert_str_eq(decoding_kept(&decoding), "={} .a=n:1");
	decoding_fini(&decoding);
}
END_TEST

/* ---- where a fault stands ---- */

static const struct {
	const char *line;
	uint32_t at;
	const char *why; /* begins so */
} faults[] = {
	{"{\"a\":1,}", 7, "a key in double quotes is missing"},
	{"{\"a\" 1}", 5, "a colon is missing"},
	{"{\"a\":1 2}", 7, "a comma or } is missing"},
	{"{\"a\":[1 2]}", 8, "a comma or ] is missing"},
	{"{\"a\":1", 6, "the object is not closed"},
	{"{\"a\":[1", 7, "the array is not closed"},
	{"{\"a\":", 5, "the line ends before the value is complete"},
	{"{\"a\":x}", 5, "no JSON value stands here"},
	{"{\"a\":01}", 6, "a comma or } is missing"},
	{"{\"a\":-x}", 6, "no JSON number"},
	{"{\"a\":\"b", 7, "the text has no closing quote"},
	{"{\"a\":\"b\tc\"}", 7, "a control byte stands in a text"},
	{"{\"a\":\"b\\qc\"}", 7, "no such escape"},
	{"{\"a\\q\":1}", 3, "no such escape"},
	{"{\"a\":\"b\\u12\"}", 7, "\\u needs four hexadecimal digits"},
};

START_TEST(fault)
{
	struct decoding decoding;
	decoding_init(&decoding, "a");
	ck_assert_int_eq(decoding_json(&decoding, span_of(faults[_i].line)), -1);
	const struct json_reader *reader = &decoding.reader;
	ck_assert_msg(reader->at == faults[_i].at && strncmp(reader->why, faults[_i].why, strlen(faults[_i].why)) == 0,
	              "%s:\n got %u %s\nwant %u %s", shown(span_of(faults[_i].line)), reader->at, reader->why,
	              faults[_i].at, faults[_i].why);
	decoding_fini(&decoding);
}
END_TEST

/* ---- batches ---- */

static const struct {
	const char *line;
	int64_t count; /* -1: broken */
} batches[] = {
	{"[]", 0},         {"[ ]", 0},
	{"[{}]", 1},       {" [ {} , {\"a\":[{}]}\t] ", 2},
	{"[{},{},{}]", 3}, {"[1]", -1},
	{"[{},]", -1},     {"[,{}]", -1},
	{"[{} {}]", -1},   {"[{},1]", -1},
	{"[[{}]]", -1},    {"[{}", -1},
	{"[", -1},         {"[{},{\"a\":01}]", -1},
	{"[{}]]", -1},     {"[{}]{", -1},
};

START_TEST(batch)
{
	struct decoding decoding;
	const struct span line = span_of(batches[_i].line);
	decoding_init(&decoding, "a");
	decoding_json(&decoding, line); /* for the marks; an array is no event */
	struct json_reader reader = {.text = decoding.line,
	                             .mark = decoding.scan.marks,
	                             .end = decoding.len,
	                             .at = (uint32_t)strspn(batches[_i].line, " ")};
	const struct json_reader start = reader;
	int64_t got = json_check_batch(&reader);
	if (got >= 0 && !json_at_end(&reader))
		got = -1;
	ck_assert_msg(got == batches[_i].count, "%s: got %lld, want %lld", batches[_i].line, (long long)got,
	              (long long)batches[_i].count);
	if (got >= 0) {
		int64_t walked = 0;
		reader = start;
		reader.outer = 1;
		while (json_next_element(&reader)) {
			event_reset(&decoding.event);
			ck_assert_int_eq(json_read_event(&reader, &decoding.event), 0);
			walked++;
		}
		ck_assert_int_eq(walked, got);
	}
	decoding_fini(&decoding);
}
END_TEST

START_TEST(batch_depth)
{
	/* The array is a level of its own: 127 objects below it, not 128. */
	for (int objects = 127; objects <= 128; objects++) {
		char line[2048] = "[";
		struct decoding decoding;
		for (int i = 0; i < objects; i++)
			strcat(line, i < objects - 1 ? "{\"a\":" : "{");
		for (int i = 0; i < objects; i++)
			strcat(line, "}");
		strcat(line, "]");
		decoding_init(&decoding, "a");
		decoding_json(&decoding, span_of(line));
		struct json_reader reader = {.text = decoding.line, .mark = decoding.scan.marks, .end = decoding.len};
		ck_assert_int_eq(json_check_batch(&reader), objects == 127 ? 1 : -1);
		decoding_fini(&decoding);
	}
}
END_TEST

Suite *json_suite(void)
{
	Suite *suite = suite_create("json");
	TCase *all = tcase_create("json");
	tcase_add_loop_test(all, all_of_the_grammar, 0, ARRAY_LEN(wanted));
	tcase_add_test(all, cut_off);
	tcase_add_loop_test(all, depth, 0, ARRAY_LEN(depths));
	tcase_add_test(all, wide);
	tcase_add_loop_test(all, keep, 0, ARRAY_LEN(kept));
	tcase_add_test(all, empty_key);
	tcase_add_loop_test(all, fault, 0, ARRAY_LEN(faults));
	tcase_add_loop_test(all, batch, 0, ARRAY_LEN(batches));
	tcase_add_test(all, batch_depth);
	suite_add_tcase(suite, all);
	return suite;
}
