#include <check.h>
#include <stdio.h>

#include "decode_fixture.h"
#include "rig.h"

Suite *logfmt_suite(void);

static const struct {
	const char *name;
	const char *line;
	const char *want; /* what of a, b and c.d was kept, and the bare word: `bare` the first word, `later` another */
} rows[] = {
	{"a bare word identifies", "step.completed", "bare=step.completed"},
	{"pairs", "x a=1 b=two", "a=s:1 b=s:two bare=x"},
	{"values are text", "x a=true b=null", "a=s:true b=s:null bare=x"},
	{"a bare key is true", "x a", "a=s:true bare=x"},
	{"the name is no field", "a b", "b=s:true bare=a"},
	{"the name's word once more is one", "a a", "a=s:true bare=a"},
	{"a bare word that is not the first is one, too", "b=1 a", "a=s:true b=s:1 later=a"},
	{"an empty value", "x a= b=1", "a=s: b=s:1 bare=x"},
	{"an empty value at the end", "x a=", "a=s: bare=x"},
	{"quoted", "x a=\"b c\" b=1", "a=s:b c b=s:1 bare=x"},
	{"an empty quoted text", "x a=\"\" b=1", "a=s: b=s:1 bare=x"},
	{"quoted, with escapes", "x a=\"\\\"\\\\\\n\\t\"", "a=s:\"\\x5c\\x0a\\x09 bare=x"},
	{"a backslash before anything else stays", "x a=\"\\q\\u0041\\ \"", "a=s:\\x5cq\\x5cu0041\\x5c  bare=x"},
	{"an escaped quote ends nothing", "x a=\"\\\" b=1\" b=2", "a=s:\" b=1 b=s:2 bare=x"},
	{"an escaped backslash before the end", "x a=\"\\\\\" b=2", "a=s:\\x5c b=s:2 bare=x"},
	{"unquoted, no escapes", "x a=\\n\\\"", "a=s:\\x5cn\\x5c\" bare=x"},
	{"a quote within an unquoted value", "x a=b\"c", "a=s:b\"c bare=x"},
	{"= within a value", "x a=b=c", "a=s:b=c bare=x"},
	{"= within a quoted value", "x a=\"=b\"", "a=s:=b bare=x"},
	{"keys are literal", "x c.d=1 c=2", "c\\.d=s:1 bare=x"},
	{"of a repeated key the last counts", "x a=1 a=\"\\n\" a=3", "a=s:3 bare=x"},
	{"a pair first, a bare word later", "a=1 x", "a=s:1 later=x"},
	{"two bare words", "x y", "bare=x"},
	{"no bare word", "a=1", "a=s:1"},
	{"blanks, tabs and carriage returns apart", " \t x \t a=1\r", "a=s:1 bare=x"},
	{"JSON's punctuation is text", "x a={\"q\":1}", "a=s:{\"q\":1} bare=x"},
	{"bytes beyond ASCII", "x a=\xc3\xa9\xff", "a=s:\\xc3\\xa9\\xff bare=x"},
	{"control bytes are text", "x a=\x01\x7f", "a=s:\\x01\\x7f bare=x"},
	{"a quoted bare word is none", "x \"y\"", "2? a quote stands"},
	{"a quote at the start", "\"x\" a=1", "0? a quote stands"},
	{"an empty key", "x =1", "2? the key before = is empty"},
	{"an empty key alone", "=", "0? the key before = is empty"},
	{"an unterminated quote", "x a=\"b", "4? the text has no closing quote"},
	{"a quote that is escaped at the end", "x a=\"b\\\"", "4? the text has no closing quote"},
	{"a backslash at the end of a quote", "x a=\"b\\", "4? the text has no closing quote"},
	{"bytes glued to a quoted text", "x a=\"b\"c", "7? a blank is missing"},
	{"a quote glued to a quoted text", "x a=\"b\"\"c\"", "7? a blank is missing"},
	{"a quote within a key", "x a\"b=1", "3? a quote stands"},
};

static const char *read_line(struct decoding *decoding, struct span line)
{
	static char got[4096];
	const char *why = NULL;
	uint32_t at = 0;
	if (decoding_logfmt(decoding, line, &why, &at)) {
		snprintf(got, sizeof(got), "%u? %s", at, why);
		return got;
	}
	const struct value *bare = &decoding->event.bare;
	const char *kept = decoding_kept(decoding);
	snprintf(got, sizeof(got), "%s", kept);
	if (bare->len)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s=%.*s", kept[0] ? " " : "",
		         decoding->event.is_bare_first ? "bare" : "later", (int)bare->len, bare->at);
	return got;
}

START_TEST(row)
{
	struct decoding decoding;
	decoding_init(&decoding, "a b c\\.d c.d");
	const char *got = read_line(&decoding, span_of(rows[_i].line));
	/* Of a fault the place and the beginning of the text. */
	const bool is_fault = strchr(rows[_i].want, '?') != NULL;
	const bool is_same =
		is_fault ? strncmp(got, rows[_i].want, strlen(rows[_i].want)) == 0 : strcmp(got, rows[_i].want) == 0;
	ck_assert_msg(is_same, "%s: %s:\n got %s\nwant %s", rows[_i].name, shown(span_of(rows[_i].line)), got,
	              rows[_i].want);
	decoding_fini(&decoding);
}
END_TEST

/* Whatever comes, the reader ends, stays within the line and says where a fault stands. */
START_TEST(random_lines)
{
	static const char often[] = "ab =\"\\\t n";
	struct decoding decoding;
	uint64_t seed = 5;
	decoding_init(&decoding, "a b aa");
	for (int round = 0; round < 20000; round++) {
		char line[40];
		const char *why = NULL;
		uint32_t at = UINT32_MAX;
		const uint32_t len = random_below(&seed, sizeof(line));
		for (uint32_t i = 0; i < len; i++)
			line[i] = random_below(&seed, 20) ? often[random_below(&seed, sizeof(often) - 1)]
			                                  : (char)random_below(&seed, 10);
		for (uint32_t i = 0; i < len; i++)
			line[i] = line[i] == '\n' ? 'n' : line[i];
		if (decoding_logfmt(&decoding, (struct span){line, len}, &why, &at))
			ck_assert_msg(why && at <= len, "%s: %s at %u", shown((struct span){line, len}),
			              why ? why : "no reason", at);
		else
			decoding_kept(&decoding);
	}
	decoding_fini(&decoding);
}
END_TEST

Suite *logfmt_suite(void)
{
	Suite *suite = suite_create("logfmt");
	TCase *all = tcase_create("logfmt");
	tcase_add_loop_test(all, row, 0, ARRAY_LEN(rows));
	tcase_add_test(all, random_lines);
	suite_add_tcase(suite, all);
	return suite;
}
