#include <check.h>
#include <stdio.h>

#include "base/utf8.h"
#include "decode/escape.h"
#include "rig.h"

Suite *escape_suite(void);

static const struct {
	const char *name;
	const char *text;
	const char *want; /* shown() */
} json[] = {
	{"nothing to resolve", "plain", "plain"},
	{"one of each", "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\x5c/\\x08\\x0c\\x0a\\x0d\\x09"},
	{"a letter", "\\u0041", "A"},
	{"hexadecimal digits of both cases", "\\u00e9\\u00E9", "\\xc3\\xa9\\xc3\\xa9"},
	{"three bytes", "\\u20AC", "\\xe2\\x82\\xac"},
	{"the last of three bytes", "\\uffff", "\\xef\\xbf\\xbf"},
	{"a pair", "\\uD83D\\uDE00", "\\xf0\\x9f\\x98\\x80"},
	{"the first and the last pair", "\\ud800\\udc00\\udbff\\udfff", "\\xf0\\x90\\x80\\x80\\xf4\\x8f\\xbf\\xbf"},
	{"a first half alone", "a\\ud800b", "a\\xffb"},
	{"a first half at the end", "\\ud800", "\\xff"},
	{"a first half before another escape", "\\ud800\\n", "\\xff\\x0a"},
	{"a first half before a letter's escape", "\\ud800\\u0041", "\\xffA"},
	{"a first half before what is no second", "\\ud800\\ue000", "\\xff\\xee\\x80\\x80"},
	{"two first halves and a second", "\\ud800\\ud800\\udc00", "\\xff\\xf0\\x90\\x80\\x80"},
	{"a second half alone", "\\udc00", "\\xff"},
	{"halves the wrong way round", "\\udc00\\ud800", "\\xff\\xff"},
	{"an escaped backslash before u", "\\\\u0041", "\\x5cu0041"},
	{"a first half before an escaped backslash and udc00", "\\ud800\\\\udc00", "\\xff\\x5cudc00"},
	{"NUL", "\\u0000", "\\x00"},
};

START_TEST(json_row)
{
	char out[64];
	const struct span text = span_of(json[_i].text);
	const size_t len = escape_resolve_json(out, text);
	const char *got = shown((struct span){out, len});
	ck_assert_msg(strcmp(got, json[_i].want) == 0, "%s: got %s, want %s", json[_i].name, got, json[_i].want);
	ck_assert_msg(len <= text.len, "%s: longer than its text", json[_i].name);
}
END_TEST

/* Every code of the Basic Multilingual Plane, and what Unicode says of it. */
START_TEST(every_code)
{
	for (uint32_t code = 0; code < 0x10000; code++) {
		char text[8];
		char out[8];
		char want[4];
		snprintf(text, sizeof(text), "\\u%04x", code);
		const size_t len = escape_resolve_json(out, span_of(text));
		const bool is_half = code >= 0xd800 && code < 0xe000;
		const size_t want_len = is_half ? 1 : utf8_write(want, code);
		if (is_half)
			want[0] = '\xff';
		if (len != want_len || memcmp(out, want, len) != 0) /* ck_assert() costs a system call */
			ck_abort_msg("%s: got %s", text, shown((struct span){out, len}));
		if (!is_half && utf8_length(out, len) != len)
			ck_abort_msg("%s: no UTF-8", text);
	}
}
END_TEST

static const struct {
	const char *text;
	const char *want;
} logfmt[] = {
	{"plain", "plain"},         {"\\\"\\\\\\n\\t", "\"\\x5c\\x0a\\x09"},
	{"\\a\\0", "\\x5ca\\x5c0"}, {"end\\", "end\\x5c"},
	{"\\\\n", "\\x5cn"},        {"\\\\\\n", "\\x5c\\x0a"},
};

START_TEST(logfmt_row)
{
	char text[64];
	char out[64];
	/* What stands behind the text is none of it. */
	snprintf(text, sizeof(text), "%s\"", logfmt[_i].text);
	const size_t len = escape_resolve_logfmt(out, (struct span){text, strlen(logfmt[_i].text)});
	ck_assert_str_eq(shown((struct span){out, len}), logfmt[_i].want);
}
END_TEST

static const struct {
	const char *text;
	int want;
} hex[] = {{"0000", 0},  {"ffff", 0xffff}, {"AbCd", 0xabcd}, {"000g", -1}, {"g000", -1},
           {"00 0", -1}, {"+123", -1},     {"12:4", -1},     {"12@4", -1}, {"12`4", -1}};

START_TEST(hex4)
{
	ck_assert_msg(escape_hex4(hex[_i].text) == hex[_i].want, "%s: got %d, want %d", hex[_i].text,
	              escape_hex4(hex[_i].text), hex[_i].want);
}
END_TEST

Suite *escape_suite(void)
{
	Suite *suite = suite_create("escape");
	TCase *all = tcase_create("escape");
	tcase_add_loop_test(all, json_row, 0, ARRAY_LEN(json));
	tcase_add_test(all, every_code);
	tcase_add_loop_test(all, logfmt_row, 0, ARRAY_LEN(logfmt));
	tcase_add_loop_test(all, hex4, 0, ARRAY_LEN(hex));
	suite_add_tcase(suite, all);
	return suite;
}
