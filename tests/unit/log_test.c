#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

Suite *log_suite(void);

static const struct {
	const char *name;
	struct span text;
	size_t limit;
	const char *want;
} quotes[] = {
	{"plain text", SPAN("step.completed n=1"), 120, "\"step.completed n=1\""},
	{"nothing", SPAN(""), 120, "\"\""},
	{"quotes and backslashes", SPAN("a\"b\\c"), 120, "\"a\\\"b\\\\c\""},
	{"control bytes, a newline among them", SPAN("a\nb\tc\x1b[31m\x7f\0z"), 120,
	 "\"a\\x0ab\\x09c\\x1b[31m\\x7f\\x00z\""},
	{"characters beyond ASCII", SPAN("caf\xc3\xa9"), 120, "\"caf\xc3\xa9\""},
	{"invalid UTF-8", SPAN("caf\xc3 \xff"), 120, "\"caf\\xc3 \\xff\""},
	{"control characters beyond ASCII, and such as turn the line around", SPAN("a\xc2\x9b" "b\xe2\x80\xae" "c"), 120,
	 "\"a\\xc2\\x9b" "b\\xe2\\x80\\xae" "c\""},
	{"as long as the limit", SPAN("abcd"), 4, "\"abcd\""},
	{"longer than the limit", SPAN("abcde"), 4, "\"abcd\"…"},
	{"a character that the limit would split", SPAN("abc\xc3\xa9"), 4, "\"abc\"…"},
	{"a limit of nothing", SPAN("abc"), 0, "\"\"…"},
};

START_TEST(quote)
{
	char got[256];
	size_t len = log_quote(got, sizeof got, quotes[_i].text, quotes[_i].limit);

	ck_assert_msg(strcmp(got, quotes[_i].want) == 0 && len == strlen(got), "%s: got %s, want %s", quotes[_i].name, got,
	              quotes[_i].want);
}
END_TEST

START_TEST(quote_never_overruns)
{
	char text[64];
	char got[128];

	memset(text, 1, sizeof text);
	for (size_t size = 8; size < sizeof got; size++) {
		size_t len;

		memset(got, 'G', sizeof got);
		len = log_quote(got, size, (struct span){text, sizeof text}, sizeof text);
		ck_assert_msg(len < size && got[len] == '\0' && got[size] == 'G', "size %zu: length %zu", size, len);
		ck_assert_msg(got[0] == '"' && memcmp(got + len - 4, "\"…", 4) == 0, "size %zu: got %s", size, got);
	}
}
END_TEST

START_TEST(limit_lets_a_burst_through_and_counts_the_rest)
{
	static struct log_limit limit = LOG_LIMIT("tests");
	int shown = 0;

	for (int i = 0; i < 1000; i++)
		shown += log_limit_allows(&limit, LOG_LEVEL_ERROR);
	ck_assert_msg(shown >= 5 && shown < 1000, "shown %d of 1000, want 5 and one a second more", shown);
	ck_assert_msg(limit.hidden == (uint64_t)(1000 - shown), "hidden %llu of %d", (unsigned long long)limit.hidden,
	              1000 - shown);
	limit.hidden = 0;
}
END_TEST

START_TEST(limit_does_not_count_what_the_level_hides)
{
	static struct log_limit limit = LOG_LIMIT("tests");

	for (int i = 0; i < 100; i++)
		ck_assert_msg(!log_limit_allows(&limit, LOG_LEVEL_DEBUG), "a debug message at level info");
	ck_assert_msg(limit.hidden == 0, "hidden %llu, want 0", (unsigned long long)limit.hidden);
}
END_TEST

/* ---- a line ---- */

/* What the text becomes on standard error. */
static const char *line_of(enum log_format format, const char *text)
{
	static char line[8192];
	int standard_error = dup(STDERR_FILENO);
	int ends[2];
	ssize_t len;

	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_configure(LOG_LEVEL_INFO, format);
	log_info("%s", text);
	log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	close(ends[1]);
	len = read(ends[0], line, sizeof line - 1);
	close(ends[0]);
	ck_assert_int_gt(len, 0);
	line[len] = '\0';
	return line;
}

static const struct {
	const char *name;
	const char *text;
	const char *plain, *json;
} lines[] = {
	{"plain text", "ready: 1", "ready: 1", "ready: 1"},
	{"a newline ends no line", "a\nb", "a\\x0ab", "a\\u000ab"},
	{"escape sequences reach no terminal", "\x1b[31m\x7f", "\\x1b[31m\\x7f", "\\u001b[31m\\u007f"},
	{"quotes and backslashes", "a\"b\\c", "a\"b\\c", "a\\\"b\\\\c"},
	{"characters beyond ASCII", "caf\xc3\xa9", "caf\xc3\xa9", "caf\xc3\xa9"},
	{"invalid UTF-8", "caf\xc3 \xff", "caf? ?", "caf? ?"},
	{"control characters beyond ASCII", "a\xc2\x9b" "b\xe2\x81\xa6" "c", "a?b?c", "a?b?c"},
};

START_TEST(a_line)
{
	const char *plain = strstr(line_of(LOG_FORMAT_TEXT, lines[_i].text), " info ");
	const char *json;
	char want[256];

	snprintf(want, sizeof want, " info %s\n", lines[_i].plain);
	ck_assert_msg(plain != NULL && strcmp(plain, want) == 0, "%s: got %s, want %s", lines[_i].name, plain, want);
	json = strstr(line_of(LOG_FORMAT_JSON, lines[_i].text), "\",\"level\":");
	snprintf(want, sizeof want, "\",\"level\":\"info\",\"message\":\"%s\"}\n", lines[_i].json);
	ck_assert_msg(json != NULL && strcmp(json, want) == 0, "%s: got %s, want %s", lines[_i].name, json, want);
}
END_TEST

/* A pipe takes no more than 4096 bytes as a whole. */
START_TEST(a_long_line_is_cut)
{
	static const char bytes[] = {'x', '\n'};
	char text[6000];
	const char *line;
	size_t len;

	memset(text, bytes[_i], sizeof text);
	text[sizeof text - 1] = '\0';
	line = line_of(LOG_FORMAT_JSON, text);
	len = strlen(line);
	ck_assert_msg(len > 3000 && len <= 4096, "%zu bytes", len);
	ck_assert_str_eq(line + len - 3, "\"}\n");
	ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1);
}
END_TEST

Suite *log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tests = tcase_create("log");

	tcase_add_loop_test(tests, quote, 0, (int)ARRAY_LEN(quotes));
	tcase_add_test(tests, quote_never_overruns);
	tcase_add_loop_test(tests, a_line, 0, (int)ARRAY_LEN(lines));
	tcase_add_loop_test(tests, a_long_line_is_cut, 0, 2);
	tcase_add_test(tests, limit_lets_a_burst_through_and_counts_the_rest);
	tcase_add_test(tests, limit_does_not_count_what_the_level_hides);
	suite_add_tcase(suite, tests);
	return suite;
}
