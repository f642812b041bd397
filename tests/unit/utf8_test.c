#include <check.h>
#include <stdlib.h>

#include "base/utf8.h"

Suite *utf8_suite(void);

static const struct {
	const char *name;
	struct span text;
	size_t length;
} lengths[] = {
	{"nothing", SPAN(""), 0},
	{"a NUL", SPAN("\0"), 1},
	{"a letter", SPAN("a"), 1},
	{"the last of one byte", SPAN("\x7F"), 1},
	{"a lone continuation", SPAN("\x80"), 0},
	{"an overlong NUL", SPAN("\xC0\x80"), 0},
	{"the last overlong form of two bytes", SPAN("\xC1\xBF"), 0},
	{"the first of two bytes", SPAN("\xC2\x80"), 2},
	{"the last of two bytes", SPAN("\xDF\xBF"), 2},
	{"two bytes, the second is a letter", SPAN("\xC3z"), 0},
	{"two bytes, the second is a lead", SPAN("\xC3\xC3"), 0},
	{"two bytes, cut off", SPAN("\xC3"), 0},
	{"an overlong form of three bytes", SPAN("\xE0\x9F\xBF"), 0},
	{"the first of three bytes", SPAN("\xE0\xA0\x80"), 3},
	{"the euro sign and more", SPAN("\xE2\x82\xACzz"), 3},
	{"the last before the surrogates", SPAN("\xED\x9F\xBF"), 3},
	{"the first surrogate", SPAN("\xED\xA0\x80"), 0},
	{"the last surrogate", SPAN("\xED\xBF\xBF"), 0},
	{"the first behind the surrogates", SPAN("\xEE\x80\x80"), 3},
	{"the last of three bytes", SPAN("\xEF\xBF\xBF"), 3},
	{"three bytes, cut off behind two", SPAN("\xE2\x82"), 0},
	{"three bytes, cut off behind one", SPAN("\xE2"), 0},
	{"three bytes, the third is a letter", SPAN("\xE2\x82z"), 0},
	{"an overlong form of four bytes", SPAN("\xF0\x8F\xBF\xBF"), 0},
	{"the first of four bytes", SPAN("\xF0\x90\x80\x80"), 4},
	{"a face", SPAN("\xF0\x9F\x98\x80"), 4},
	{"the very last", SPAN("\xF4\x8F\xBF\xBF"), 4},
	{"beyond U+10FFFF", SPAN("\xF4\x90\x80\x80"), 0},
	{"no lead of RFC 3629", SPAN("\xF5\x80\x80\x80"), 0},
	{"a byte that is never used", SPAN("\xFF"), 0},
	{"four bytes, cut off behind three", SPAN("\xF0\x9F\x98"), 0},
	{"four bytes, the fourth is a letter", SPAN("\xF0\x9F\x98z"), 0},
};

START_TEST(length)
{
	/* A copy without a terminator, so that reading behind it is seen. */
	struct span text = lengths[_i].text;
	char *copy = malloc(text.len ? text.len : 1);
	memcpy(copy, text.at, text.len);
	size_t got = utf8_length(copy, text.len);
	free(copy);
	ck_assert_msg(got == lengths[_i].length, "%s: got %zu, want %zu", lengths[_i].name, got, lengths[_i].length);
}
END_TEST

static const struct {
	const char *name;
	struct span text;
	size_t limit;
	size_t cut;
} cuts[] = {
	{"a short text stays whole", SPAN("abc"), 5, 3},
	{"a text of just that length stays whole", SPAN("ab\xC3\xA9"), 4, 4},
	{"even if it ends within a character", SPAN("abc\xC3"), 4, 4},
	{"letters are cut anywhere", SPAN("abcdef"), 4, 4},
	{"nothing is left at limit 0", SPAN("\xC3\xA9"), 0, 0},
	{"within two bytes", SPAN("abc\xC3\xA9z"), 4, 3},
	{"behind two bytes", SPAN("ab\xC3\xA9zz"), 4, 4},
	{"within three bytes, behind one", SPAN("abc\xE2\x82\xACz"), 4, 3},
	{"within three bytes, behind two", SPAN("ab\xE2\x82\xACz"), 4, 2},
	{"within four bytes, behind one", SPAN("abc\xF0\x9F\x98\x80"), 4, 3},
	{"within four bytes, behind two", SPAN("ab\xF0\x9F\x98\x80"), 4, 2},
	{"within four bytes, behind three", SPAN("a\xF0\x9F\x98\x80"), 4, 1},
	{"behind four bytes", SPAN("\xF0\x9F\x98\x80z"), 4, 4},
	{"the first character is too long", SPAN("\xF0\x9F\x98\x80"), 3, 0},
	{"broken: a lead without its continuation", SPAN("abc\xC3zz"), 4, 4},
	{"broken: continuations without a lead", SPAN("\x80\x80\x80\x80\x80\x80"), 4, 4},
	{"broken: continuations behind a letter", SPAN("a\x80\x80\x80\x80"), 4, 4},
	{"broken: the end of the text stands in the character", SPAN("abc\xE2\x82"), 4, 4},
	{"broken: more continuations than the lead asks for", SPAN("a\xC3\xA9\x80\x80"), 4, 4},
	{"broken: an overlong form", SPAN("abc\xC0\x80z"), 4, 4},
	{"broken: a surrogate", SPAN("ab\xED\xA0\x80z"), 4, 4},
};

START_TEST(cut)
{
	size_t got = utf8_cut(cuts[_i].text, cuts[_i].limit);
	ck_assert_msg(got == cuts[_i].cut, "%s: got %zu, want %zu", cuts[_i].name, got, cuts[_i].cut);
}
END_TEST

static const struct {
	const char *name;
	uint32_t code;
	struct span bytes;
} codes[] = {
	{"NUL", 0, SPAN("\0")},
	{"the last of one byte", 0x7F, SPAN("\x7F")},
	{"the first of two bytes", 0x80, SPAN("\xC2\x80")},
	{"the last of two bytes", 0x7FF, SPAN("\xDF\xBF")},
	{"the first of three bytes", 0x800, SPAN("\xE0\xA0\x80")},
	{"the euro sign", 0x20AC, SPAN("\xE2\x82\xAC")},
	{"the last before the surrogates", 0xD7FF, SPAN("\xED\x9F\xBF")},
	{"the first surrogate", 0xD800, SPAN("\xFF")},
	{"the last surrogate", 0xDFFF, SPAN("\xFF")},
	{"the first behind the surrogates", 0xE000, SPAN("\xEE\x80\x80")},
	{"the last of three bytes", 0xFFFF, SPAN("\xEF\xBF\xBF")},
	{"the first of four bytes", 0x10000, SPAN("\xF0\x90\x80\x80")},
	{"the very last", 0x10FFFF, SPAN("\xF4\x8F\xBF\xBF")},
	{"beyond the last", 0x110000, SPAN("\xFF")},
};

START_TEST(write)
{
	char out[4];
	struct span got = {out, utf8_write(out, codes[_i].code)};
	ck_assert_msg(span_equal(got, codes[_i].bytes), "%s: got %zu bytes from %02x, want %zu from %02x",
	              codes[_i].name, got.len, (uint8_t)out[0], codes[_i].bytes.len, (uint8_t)codes[_i].bytes.at[0]);
}
END_TEST

START_TEST(shown)
{
	for (uint32_t code = 0; code <= 0x10FFFF; code++) {
		char out[4];
		const size_t len = utf8_write(out, code);
		const bool is_control = code < 0x20 || (code >= 0x7F && code < 0xA0);
		const bool is_turning = (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
		if (code >= 0xD800 && code <= 0xDFFF)
			continue;
		if (utf8_is_shown(out, len) != (!is_control && !is_turning))
			ck_abort_msg("U+%04X", code);
	}
}
END_TEST

START_TEST(what_is_written_is_read)
{
	for (uint32_t code = 0; code <= 0x10FFFF; code++) {
		char out[4];
		size_t len = utf8_write(out, code);
		size_t want = code >= 0xD800 && code <= 0xDFFF ? 0 : len;
		size_t got = utf8_length(out, len);
		if (got != want)
			ck_abort_msg("U+%04X: got %zu, want %zu", code, got, want);
	}
}
END_TEST

Suite *utf8_suite(void)
{
	Suite *suite = suite_create("utf8");
	TCase *rows = tcase_create("rows");
	tcase_add_loop_test(rows, length, 0, (int)ARRAY_LEN(lengths));
	tcase_add_loop_test(rows, cut, 0, (int)ARRAY_LEN(cuts));
	tcase_add_loop_test(rows, write, 0, (int)ARRAY_LEN(codes));
	suite_add_tcase(suite, rows);
	TCase *all = tcase_create("all");
	tcase_add_test(all, what_is_written_is_read);
	tcase_add_test(all, shown);
	suite_add_tcase(suite, all);
	return suite;
}
