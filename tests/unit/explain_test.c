#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "explain/line_reader.h"
#include "explain/line_set.h"
#include "explain/quote.h"
#include "json_writer.h"

Suite *explain_suite(void);

/* ---- lines that are compared ---- */

static const struct {
	const char *name, *line, *sorted;
} tag_rows[] = {
	{"no tags", "a:1|c", "a:1|c"},
	{"one tag", "a:1|c|#x:1", "a:1|c|#x:1"},
	{"tags in order", "a:1|c|#a:1,b:2", "a:1|c|#a:1,b:2"},
	{"tags out of order", "a:1|c|#b:2,a:1", "a:1|c|#a:1,b:2"},
	{"a key that begins another", "a:1|c|#ab:1,a:1", "a:1|c|#a:1,ab:1"},
	{"fields behind the tags", "a:1|c|@0.5|#b:2,a:1|c:x,y", "a:1|c|@0.5|#a:1,b:2|c:x,y"},
	{"an event's title that looks like tags", "_e{6,1}:t|#b,a|x|#b:2,a:1", "_e{6,1}:t|#b,a|x|#a:1,b:2"},
	{"a service check's message behind its tags", "_sc|n|0|#b:2,a:1|m:z,y", "_sc|n|0|#a:1,b:2|m:z,y"},
	{"empty tags", "a:1|c|#", "a:1|c|#"},
	{"an empty tag", "a:1|c|#b,", "a:1|c|#b,"},
};

START_TEST(sorts_tags)
{
	char line[128];
	const size_t len = strlen(tag_rows[_i].line);
	memcpy(line, tag_rows[_i].line, len + 1);
	line_sort_tags(line, len);
	ck_assert_msg(strcmp(line, tag_rows[_i].sorted) == 0, "%s: got %s, want %s", tag_rows[_i].name, line, tag_rows[_i].sorted);
}
END_TEST

static const struct {
	const char *name, *line, *metric;
} metric_rows[] = {
	{"a counter", "a.b:1|c", "a.b|c"},
	{"with rate and tags", "a.b:1|ms|@0.5|#x:1|y", "a.b|ms"},
	{"an event", "_e{1,1}:a|b|#x:1", "_e"},
	{"a service check", "_sc|disk|2|#x:1", "_sc|disk"},
	{"no metric", "nothing", "nothing"},
	{"no type", "a:1", "a"},
};

START_TEST(tells_metrics_apart)
{
	char metric[128];
	const size_t len = line_metric(metric, span_of(metric_rows[_i].line));
	ck_assert_msg(span_is((struct span){metric, len}, metric_rows[_i].metric), "%s: got %.*s, want %s", metric_rows[_i].name,
	              (int)len, metric, metric_rows[_i].metric);
}
END_TEST

START_TEST(keeps_lines)
{
	struct line_set a = {.count = 0};
	struct line_set b = {.count = 0};
	const char *const lines[] = {"b", "", "ab", "a", "b"};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		ck_assert(!line_set_equal(&a, &b) || i == 0);
		line_set_add(&a, span_of(lines[i]));
	}
	line_set_sort(&a);
	const char *const wanted[] = {"", "a", "ab", "b", "b"};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		ck_assert_msg(span_is(a.lines[i], wanted[i]), "line %zu: got %.*s, want %s", i, SPAN_ARG(a.lines[i]), wanted[i]);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		line_set_add(&b, span_of(lines[i]));
	ck_assert(line_set_equal(&a, &b));
	line_set_clear(&b);
	ck_assert_uint_eq(b.count, 0);
	line_set_fini(&a);
	line_set_fini(&b);
}
END_TEST

START_TEST(same_bytes_in_other_lines_are_not_equal)
{
	struct line_set a = {.count = 0};
	struct line_set b = {.count = 0};
	line_set_add(&a, SPAN("ab"));
	line_set_add(&a, SPAN("c"));
	line_set_add(&b, SPAN("a"));
	line_set_add(&b, SPAN("bc"));
	ck_assert(!line_set_equal(&a, &b));
	line_set_fini(&a);
	line_set_fini(&b);
}
END_TEST

/* ---- texts on a terminal, and in JSON ---- */

static const struct {
	const char *name;
	struct span text;
	size_t limit;
	const char *quoted;
} quote_rows[] = {
	{"plain text", {"abc", 3}, 10, "abc"},
	{"UTF-8 stays", {"gr\xc3\xbc\xc3\x9f", 6}, 10, "gr\xc3\xbc\xc3\x9f"},
	{"line ends and tabs", {"a\nb\tc", 5}, 10, "a\\nb\\tc"},
	{"control bytes", {"\x1b[2J\x7f\0", 6}, 10, "\\x1b[2J\\x7f\\x00"},
	{"control characters above 127", {"\xc2\x9b", 2}, 10, "\\xc2\\x9b"},
	{"invalid UTF-8", {"a\xff\xc3", 3}, 10, "a\\xff\\xc3"},
	{"cut", {"abcdef", 6}, 3, "abc…"},
	{"cut between characters", {"a\xc3\xbc", 3}, 2, "a…"},
	{"empty", {"", 0}, 3, ""},
};

START_TEST(quotes)
{
	char *quoted = quote_new(quote_rows[_i].text, quote_rows[_i].limit);
	ck_assert_msg(strcmp(quoted, quote_rows[_i].quoted) == 0, "%s: got %s, want %s", quote_rows[_i].name, quoted,
	              quote_rows[_i].quoted);
	free(quoted);
}
END_TEST

START_TEST(writes_json)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct json_writer writer = {.out = out};
	json_writer_open_object(&writer, NULL);
	json_writer_put_text(&writer, "a\"b", (struct span){"\"\\\n\x01\x7f\xff\xc3\xbc", 8});
	json_writer_open_array(&writer, "list");
	json_writer_close_array(&writer);
	json_writer_open_array(&writer, "more");
	json_writer_put_count(&writer, NULL, UINT64_MAX);
	json_writer_put_bool(&writer, NULL, true);
	json_writer_open_object(&writer, NULL);
	json_writer_close_object(&writer);
	json_writer_close_array(&writer);
	json_writer_put_key(&writer, SPAN("key"));
	json_writer_put_bool(&writer, NULL, false);
	json_writer_close_object(&writer);
	json_writer_end_line(&writer);
	json_writer_open_array(&writer, NULL);
	json_writer_close_array(&writer);
	fclose(out);
	const char *wanted = "{\"a\\\"b\":\"\\\"\\\\\\n\\u0001\\u007f\\ufffd\xc3\xbc\",\"list\":[],"
	                     "\"more\":[18446744073709551615,true,{}],\"key\":false}\n[]";
	ck_assert_msg(strcmp(text, wanted) == 0, "got %s, want %s", text, wanted);
	free(text);
}
END_TEST

/* ---- lines from a descriptor ---- */

static void put(int fd, char byte, size_t count)
{
	char *bytes = malloc(count + 1);
	memset(bytes, byte, count);
	ck_assert_int_eq(write(fd, bytes, count), (ssize_t)count);
	free(bytes);
}

START_TEST(reads_lines)
{
	int ends[2];
	struct line_reader reader;
	struct span line;
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "one\n\ntwo", 8), 8);
	line_reader_init(&reader, ends[0], 100);
	ck_assert(line_reader_is_drained(&reader));
	ck_assert(line_reader_next(&reader, &line) && span_is(line, "one"));
	ck_assert(!line_reader_is_drained(&reader));
	ck_assert(line_reader_next(&reader, &line) && line.len == 0);
	ck_assert(line_reader_is_drained(&reader)); /* `two` has no end yet */
	close(ends[1]);
	ck_assert(line_reader_next(&reader, &line) && span_is(line, "two"));
	ck_assert(!line_reader_next(&reader, &line));
	ck_assert(!line_reader_next(&reader, &line));
	ck_assert_int_eq(reader.error, 0);
	line_reader_fini(&reader);
	close(ends[0]);
}
END_TEST

/* A line far beyond the limit is one line, cut behind the limit, and the next one is whole. */
START_TEST(cuts_long_lines)
{
	char name[] = "/tmp/statsidecar-unit-XXXXXX";
	const int fd = mkstemp(name);
	struct line_reader reader;
	struct span line;
	ck_assert_int_ge(fd, 0);
	put(fd, 'x', 1000000);
	ck_assert_int_eq(write(fd, "\nnext\n", 6), 6);
	put(fd, 'y', 1000000);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	line_reader_init(&reader, fd, 100);
	ck_assert(line_reader_next(&reader, &line));
	ck_assert_uint_gt(line.len, 100);
	ck_assert_int_eq(line.at[0], 'x');
	ck_assert(line_reader_next(&reader, &line));
	ck_assert_msg(span_is(line, "next"), "got %.*s", (int)(line.len < 20 ? line.len : 20), line.at);
	ck_assert(line_reader_next(&reader, &line));
	ck_assert_int_eq(line.at[0], 'y');
	ck_assert(!line_reader_next(&reader, &line));
	line_reader_fini(&reader);
	close(fd);
	unlink(name);
}
END_TEST

START_TEST(tells_read_errors)
{
	struct line_reader reader;
	struct span line;
	line_reader_init(&reader, -1, 100);
	ck_assert(!line_reader_next(&reader, &line));
	ck_assert_int_ne(reader.error, 0);
	line_reader_fini(&reader);
}
END_TEST

Suite *explain_suite(void)
{
	Suite *suite = suite_create("explain");
	TCase *lines = tcase_create("lines");
	tcase_add_loop_test(lines, sorts_tags, 0, (int)ARRAY_LEN(tag_rows));
	tcase_add_loop_test(lines, tells_metrics_apart, 0, (int)ARRAY_LEN(metric_rows));
	tcase_add_test(lines, keeps_lines);
	tcase_add_test(lines, same_bytes_in_other_lines_are_not_equal);
	suite_add_tcase(suite, lines);
	TCase *texts = tcase_create("texts");
	tcase_add_loop_test(texts, quotes, 0, (int)ARRAY_LEN(quote_rows));
	tcase_add_test(texts, writes_json);
	suite_add_tcase(suite, texts);
	TCase *reader = tcase_create("line reader");
	tcase_add_test(reader, reads_lines);
	tcase_add_test(reader, cuts_long_lines);
	tcase_add_test(reader, tells_read_errors);
	suite_add_tcase(suite, reader);
	return suite;
}
