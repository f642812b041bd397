#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "emit/sanitise.h"
#include "rig.h"

Suite *sanitise_suite(void);

/* SPEC section 4: what is reserved beside the control bytes, 127, `|` and broken UTF-8. */
static const struct {
	const char *name;
	const struct sanitiser *sanitiser;
	const char *reserved;
} tables[] = {
	{"dogstatsd values", &sanitise_tag_value[DIALECT_DOGSTATSD], ","},
	{"dogstatsd keys", &sanitise_tag_key[DIALECT_DOGSTATSD], ",:"},
	{"graphite values", &sanitise_tag_value[DIALECT_GRAPHITE], ";:=~ "},
	{"graphite keys", &sanitise_tag_key[DIALECT_GRAPHITE], ";:=~ "},
	{"influxdb values", &sanitise_tag_value[DIALECT_INFLUXDB], ",:=\\ "},
	{"influxdb keys", &sanitise_tag_key[DIALECT_INFLUXDB], ",:=\\ "},
	{"librato values", &sanitise_tag_value[DIALECT_LIBRATO], "#,:="},
	{"librato keys", &sanitise_tag_key[DIALECT_LIBRATO], "#,:="},
	{"signalfx values", &sanitise_tag_value[DIALECT_SIGNALFX], "[],:="},
	{"signalfx keys", &sanitise_tag_key[DIALECT_SIGNALFX], "[],:="},
	{"values of sets", &sanitise_set, ":,"},
};

/* At every length up to three vectors, at every place in it. */
START_TEST(every_byte)
{
	char text[64];
	char out[64 + SCAN_PAD];
	for (int c = 0; c < 256; c++) {
		const bool is_bad = c < 0x20 || c >= 0x7f || c == '|' || strchr(tables[_i].reserved, c);
		for (size_t len = 1; len <= 48; len += len < 34 ? 1 : 7) {
			for (size_t at = 0; at < len; at += 1 + len / 8) {
				memset(text, 'x', sizeof(text));
				text[at] = (char)c;
				const size_t got = sanitise(out, tables[_i].sanitiser, (struct span){text, len}, 1000);
				text[at] = is_bad ? '_' : (char)c;
				if (got != len || memcmp(out, text, len) != 0) /* ck_assert() costs a system call */
					ck_abort_msg("%s: byte %d at %zu of %zu: got %s", tables[_i].name, c, at, len,
					             shown((struct span){out, got}));
			}
		}
	}
}
END_TEST

static const struct {
	const char *name;
	const char *text;
	size_t limit;
	const char *want; /* shown() */
} values[] = {
	{"nothing", "", 10, ""},
	{"nothing else changes", "a:b/c d=e#f;g[h]~\\\"'@", 200, "a:b/c d=e#f;g[h]~\\x5c\"'@"},
	{"each reserved byte one _",
         "a,,|\n\x7f"
         "b",
         200, "a_____b"},
	{"characters of two, three and four bytes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 200,
         "\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80"},
	{"each byte of broken UTF-8 one _",
         "a\xff"
         "b\xc3"
         "c\xe2\x82"
         "d\xf0\x9f\x98",
         200, "a_b_c__d___"},
	{"overlong forms and surrogates", "\xc0\x80\xed\xa0\x80", 200, "_____"},
	{"beyond U+10FFFF", "\xf4\x90\x80\x80", 200, "____"},
	{"a byte that goes on without a beginning", "\x80\xbf", 200, "__"},
	{"C1 controls are characters", "\xc2\x85", 200, "\\xc2\\x85"},
	{"cut", "abcdef", 3, "abc"},
	{"cut before a character that does not fit", "ab\xc3\xa9", 3, "ab"},
	{"cut behind a character that does",
         "ab\xc3\xa9"
         "c",
         4, "ab\\xc3\\xa9"},
	{"cut within broken UTF-8", "ab\xf0\x9f\x98", 4, "ab__"},
	{"cut to nothing", "\xe2\x82\xac", 2, ""},
	{"cut at nothing", "abc", 0, ""},
	{"cut in the second vector", "0123456789abcdefghi\xc3\xa9j", 20, "0123456789abcdefghi"},
	{"a bad byte behind the cut", "0123456789abcdef|", 16, "0123456789abcdef"},
};

START_TEST(value)
{
	/* As large as the header says. */
	const struct span text = span_of(values[_i].text);
	char *copy = malloc(text.len + SCAN_PAD);
	char *out = malloc(text.len + SCAN_PAD);
	memcpy(copy, text.at, text.len);
	memset(copy + text.len, '|', SCAN_PAD);
	const size_t len =
		sanitise(out, &sanitise_tag_value[DIALECT_DOGSTATSD], (struct span){copy, text.len}, values[_i].limit);
	const char *got = shown((struct span){out, len});
	ck_assert_msg(strcmp(got, values[_i].want) == 0, "%s: got %s, want %s", values[_i].name, got, values[_i].want);
	free(copy);
	free(out);
}
END_TEST

START_TEST(names)
{
	for (int c = 0; c < 256; c++) {
		const char text[] = {'a', (char)c};
		char out[2];
		const bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		                      c == '_' || c == '-';
		ck_assert_uint_eq(sanitise_name(out, (struct span){text, 2}), 2);
		ck_assert_msg(out[1] == (is_plain || c == '.' ? (char)c : '_'), "byte %d in a name: got %d", c, out[1]);
		ck_assert_uint_eq(sanitise_name_value(out, (struct span){text, 2}), 2);
		ck_assert_msg(out[1] == (is_plain ? (char)c : '_'), "byte %d of a field in a name: got %d", c, out[1]);
	}
}
END_TEST

static const struct {
	const char *name;
	const char *text;
	size_t limit;
	const char *want_text; /* shown(), with what did not fit behind a > */
	const char *want_message;
} texts[] = {
	{"plain", "it failed", 100, "it failed>", "it failed>"},
	{"newlines are two characters", "a\nb\n", 100, "a\\x5cnb\\x5cn>", "a\\x5cnb\\x5cn>"},
	{"other control bytes", "a\r\t\x01\x7f", 100, "a____>", "a____>"},
	{"bars", "a|b", 100, "a|b>", "a_b>"},
	{"m:", "m:am:mm::m", 100, "m:am:mm::m>", "m\\x5c:am\\x5c:mm\\x5c::m>"},
	{"characters and broken ones", "\xc3\xa9\xc3", 100, "\\xc3\\xa9_>", "\\xc3\\xa9_>"},
	{"cut", "abc", 2, "ab>c", "ab>c"},
	{"cut in a character",
         "a\xe2\x82\xac"
         "b",
         3, "a>\\xe2\\x82\\xacb", "a>\\xe2\\x82\\xacb"},
	{"cut in a newline", "a\nb", 2, "a>\\x0ab", "a>\\x0ab"},
	{"cut in m:", "am:b", 3, "am:>b", "am>:b"},
	{"no room for a broken byte", "ab\xff", 2, "ab>\\xff", "ab>\\xff"},
	{"no room for a control byte", "ab\x01", 2, "ab>\\x01", "ab>\\x01"},
	{"no room for a bar", "ab|", 2, "ab>|", "ab>|"},
	{"just room for a bar", "ab|", 3, "ab|>", "ab_>"},
	{"just room for m:", "am:", 4, "am:>", "am\\x5c:>"},
	{"just room for a newline", "a\n", 3, "a\\x5cn>", "a\\x5cn>"},
	{"just room for a broken byte", "a\xff", 2, "a_>", "a_>"},
	{"no room at all", "\xff", 0, ">\\xff", ">\\xff"},
};

static void check_text(size_t (*escape)(char *, struct span *, size_t), const char *name, struct span text,
                       size_t limit, const char *want)
{
	/* No byte more than the limit. */
	char *out = malloc(limit + 1);
	out[0] = ':';
	const size_t len = escape(out + 1, &text, limit);
	char got[256];
	snprintf(got, sizeof(got), "%s>%s", shown((struct span){out + 1, len}), shown(text));
	free(out);
	ck_assert_msg(strcmp(got, want) == 0, "%s: got %s, want %s", name, got, want);
}

START_TEST(text)
{
	const struct span from = span_of(texts[_i].text);
	check_text(sanitise_text, texts[_i].name, from, texts[_i].limit, texts[_i].want_text);
	check_text(sanitise_message, texts[_i].name, from, texts[_i].limit, texts[_i].want_message);
}
END_TEST

/* An m that another part has left there. */
START_TEST(message_of_parts)
{
	char out[16] = "m";
	struct span rest = SPAN(":x");
	ck_assert_uint_eq(sanitise_message(out + 1, &rest, 10), 3);
	ck_assert_msg(memcmp(out, "m\\:x", 4) == 0, "got %.4s", out);
}
END_TEST

Suite *sanitise_suite(void)
{
	Suite *suite = suite_create("sanitise");
	TCase *all = tcase_create("sanitise");
	tcase_add_loop_test(all, every_byte, 0, ARRAY_LEN(tables));
	tcase_add_loop_test(all, value, 0, ARRAY_LEN(values));
	tcase_add_test(all, names);
	tcase_add_loop_test(all, text, 0, ARRAY_LEN(texts));
	tcase_add_test(all, message_of_parts);
	suite_add_tcase(suite, all);
	return suite;
}
