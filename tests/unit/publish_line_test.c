/* Events as lines: what each kind of field becomes, and how a line that is too long is shortened. */
#include <check.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/span.h"
#include "publish/line.h"

Suite *publish_line_suite(void);

enum { PIPE_SIZE = 4096, OWN_MAX = 4 };

#define TEXT(key, literal)                                  \
	{                                                   \
		key, STATSIDECAR_TEXT, sizeof(literal) - 1, \
		{                                           \
			.text = literal                     \
		}                                           \
	}
#define JSON(key, literal)                                  \
	{                                                   \
		key, STATSIDECAR_JSON, sizeof(literal) - 1, \
		{                                           \
			.text = literal                     \
		}                                           \
	}
#define TEXTS(key, array)                                 \
	{                                                 \
		key, STATSIDECAR_TEXTS, ARRAY_LEN(array), \
		{                                         \
			.texts = array                    \
		}                                         \
	}
#define NUMBER(key, value)                  \
	{                                   \
		key, STATSIDECAR_DOUBLE, 0, \
		{                           \
			.number = value     \
		}                           \
	}
#define INTEGER(key, value)                  \
	{                                    \
		key, STATSIDECAR_INTEGER, 0, \
		{                            \
			.integer = value     \
		}                            \
	}
#define TRUTH(key, value)                    \
	{                                    \
		key, STATSIDECAR_BOOLEAN, 0, \
		{                            \
			.integer = value     \
		}                            \
	}
#define TIME(key, value)                  \
	{                                 \
		key, STATSIDECAR_TIME, 0, \
		{                         \
			.integer = value  \
		}                         \
	}
#define DURATION(key, value)                  \
	{                                     \
		key, STATSIDECAR_DURATION, 0, \
		{                             \
			.integer = value      \
		}                             \
	}
#define NOTHING(key)                      \
	{                                 \
		key, STATSIDECAR_NULL, 0, \
		{                         \
			.text = NULL      \
		}                         \
	}

static const char *const letters[] = {"a", NULL, "\"c\""};

/* ---- values ---- */

static const struct {
	const char *name;
	struct statsidecar_field field;
	const char *want; /* behind the colon */
} values[] = {
	{"null", NOTHING("k"), "null"},
	{"a text", TEXT("k", "fetch page"), "\"fetch page\""},
	{"an empty text", TEXT("k", ""), "\"\""},
	{"a quote and a backslash", TEXT("k", "a\"b\\c"), "\"a\\\"b\\\\c\""},
	{"the short escapes", TEXT("k", "\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
	{"other control bytes", TEXT("k", "\x01\x1f\x7f"), "\"\\u0001\\u001f\x7f\""},
	{"a NUL inside", TEXT("k", "a\0b"), "\"a\\u0000b\""},
	{"UTF-8 stays", TEXT("k", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
	{"broken UTF-8 is replaced byte by byte", TEXT("k", "a\xC3(\xFF\xE2\x82"),
         "\"a\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
	{"texts", TEXTS("k", letters), "[\"a\",null,\"\\\"c\\\"\"]"},
	{"no texts", {"k", STATSIDECAR_TEXTS, 0, {.texts = NULL}}, "[]"},
	{"an integer", INTEGER("k", -42), "-42"},
	{"the largest integer", INTEGER("k", INT64_MAX), "9223372036854775807"},
	{"the smallest integer", INTEGER("k", INT64_MIN), "-9223372036854775808"},
	{"a double", NUMBER("k", 1.25), "1.25"},
	{"the shortest text of a double", NUMBER("k", 0.1), "0.1"},
	{"a double that needs 16 digits", NUMBER("k", 0.30000000000000004), "0.30000000000000004"},
	{"a double that needs 17 digits", NUMBER("k", 123456789.12345679), "123456789.12345679"},
	{"a whole double", NUMBER("k", 3.0), "3"},
	{"a large double", NUMBER("k", 1e300), "1e+300"},
	{"the smallest double", NUMBER("k", 5e-324), "4.94065645841247e-324"},
	{"minus zero", NUMBER("k", -0.0), "-0"},
	{"NaN is null", NUMBER("k", NAN), "null"},
	{"infinity is null", NUMBER("k", INFINITY), "null"},
	{"minus infinity is null", NUMBER("k", -INFINITY), "null"},
	{"true", TRUTH("k", 1), "true"},
	{"false", TRUTH("k", 0), "false"},
	{"a time", TIME("k", 1714559445123456789), "\"2024-05-01T10:30:45.123456Z\""},
	{"a duration", DURATION("k", 1250000000), "1.25"},
	{"JSON", JSON("k", "{\"a\":[1,2]}"), "{\"a\":[1,2]}"},
	{"JSON on several lines", JSON("k", " {\n\t\"a\": 1\r\n}\n"), "{  \"a\": 1  }"},
	{"blank JSON is null", JSON("k", " \n"), "null"},
};

static const char *written(const struct publication *publication, size_t size, int *result, bool *is_shortened)
{
	static char line[PIPE_SIZE * 2 + 1];
	size_t len = 0;

	*is_shortened = false;
	*result = statsidecar_line_check(publication);
	if (*result == STATSIDECAR_OK)
		*result = statsidecar_line_write(line, size, publication, &len, is_shortened);
	line[len] = '\0';
	return line;
}

START_TEST(one_value)
{
	struct publication publication = {"e", {NULL, 0}, {&values[_i].field, 1}};
	char want[256];
	int result;
	bool is_shortened;
	const char *got = written(&publication, PIPE_SIZE, &result, &is_shortened);

	snprintf(want, sizeof want, "{\"event\":\"e\",\"k\":%s}\n", values[_i].want);
	ck_assert_msg(strcmp(got, want) == 0, "%s: got %s, want %s", values[_i].name, got, want);
	ck_assert(!is_shortened);
}
END_TEST

/* Whatever a program has set; where no such locale is installed there is nothing to go wrong. */
START_TEST(a_decimal_comma_becomes_a_point)
{
	static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_CH.UTF-8", "ps_AF.UTF-8"};
	struct statsidecar_field field = NUMBER("k", -1234.5);
	struct publication publication = {"e", {NULL, 0}, {&field, 1}};
	int result;
	bool is_shortened;

	for (size_t i = 0; i < ARRAY_LEN(locales); i++) {
		if (setlocale(LC_NUMERIC, locales[i]) == NULL)
			continue;
		ck_assert_str_eq(written(&publication, PIPE_SIZE, &result, &is_shortened),
		                 "{\"event\":\"e\",\"k\":-1234.5}\n");
	}
	setlocale(LC_NUMERIC, "C");
}
END_TEST

/* ---- lines ---- */

static const struct statsidecar_field standard[] = {TEXT("event_type", "completed"), INTEGER("attempt_number", 1)};

static const struct {
	const char *name;
	const char *event;
	size_t standard_count;
	struct statsidecar_field own[OWN_MAX];
	size_t own_count;
	int result;
	const char *want;
} lines[] = {
	{"an event alone", "order.created", 0, {NOTHING("")}, 0, 0, "{\"event\":\"order.created\"}\n"},
	{"every byte of an identifier", "Az09_.:/-", 0, {NOTHING("")}, 0, 0, "{\"event\":\"Az09_.:/-\"}\n"},
	{"fields keep their order",
         "e",
         0,
         {TEXT("b", "1"), TEXT("a", "2")},
         2,
         0,
         "{\"event\":\"e\",\"b\":\"1\",\"a\":\"2\"}\n"},
	{"names are escaped", "e", 0, {TEXT("a\"\n", "1")}, 1, 0, "{\"event\":\"e\",\"a\\\"\\n\":\"1\"}\n"},
	{"the standard fields stand before the own ones",
         "e",
         2,
         {TEXT("a", "1")},
         1,
         0,
         "{\"event\":\"e\",\"event_type\":\"completed\","
         "\"attempt_number\":1,\"a\":\"1\"}\n"},
	{"an own field replaces the standard one",
         "e",
         2,
         {INTEGER("attempt_number", 7)},
         1,
         0,
         "{\"event\":\"e\",\"event_type\":\"completed\",\"attempt_number\":7}\n"},
	{"an own null replaces the standard one",
         "e",
         2,
         {NOTHING("event_type")},
         1,
         0,
         "{\"event\":\"e\",\"attempt_number\":1,\"event_type\":null}\n"},
	{"no identifier", NULL, 0, {NOTHING("")}, 0, STATSIDECAR_INVALID, ""},
	{"an empty identifier", "", 0, {NOTHING("")}, 0, STATSIDECAR_INVALID, ""},
	{"an identifier that begins with a digit", "1a", 0, {NOTHING("")}, 0, STATSIDECAR_INVALID, ""},
	{"an identifier with a blank", "a b", 0, {NOTHING("")}, 0, STATSIDECAR_INVALID, ""},
	{"an identifier with a quote", "a\"", 0, {NOTHING("")}, 0, STATSIDECAR_INVALID, ""},
	{"an identifier in UTF-8", "caf\xC3\xA9", 0, {NOTHING("")}, 0, STATSIDECAR_INVALID, ""},
	{"a field without name", "e", 0, {TEXT(NULL, "1")}, 1, STATSIDECAR_INVALID, ""},
	{"a field with an empty name", "e", 0, {TEXT("", "1")}, 1, STATSIDECAR_INVALID, ""},
	{"a field that would be the identifier", "e", 0, {TEXT("event", "1")}, 1, STATSIDECAR_INVALID, ""},
};

START_TEST(line)
{
	struct publication publication = {
		lines[_i].event, {standard, lines[_i].standard_count}, {lines[_i].own, lines[_i].own_count}};
	int result;
	bool is_shortened;
	const char *got = written(&publication, PIPE_SIZE, &result, &is_shortened);

	ck_assert_msg(result == lines[_i].result, "%s: got the result %d, want %d", lines[_i].name, result,
	              lines[_i].result);
	ck_assert_msg(strcmp(got, lines[_i].want) == 0, "%s: got %s, want %s", lines[_i].name, got, lines[_i].want);
}
END_TEST

START_TEST(identifiers_have_200_bytes_at_most)
{
	char event[202];
	struct publication publication = {event, {NULL, 0}, {NULL, 0}};

	memset(event, 'a', sizeof event);
	event[200] = '\0';
	ck_assert_int_eq(statsidecar_line_check(&publication), STATSIDECAR_OK);
	event[200] = 'a';
	event[201] = '\0';
	ck_assert_int_eq(statsidecar_line_check(&publication), STATSIDECAR_INVALID);
}
END_TEST

/* ---- shortened ---- */

/* A number stands for so many letters; a name for an array of so many texts of ten letters. */
struct part {
	const char *name;
	enum statsidecar_type type;
	size_t len;
};

static const struct {
	const char *name;
	struct part parts[OWN_MAX];
	size_t size;
	int result;
	/* what is left of each part: letters of a text, items of a list; -1: as it was */
	int left[OWN_MAX];
} shortened[] = {
	{"what just fits stays", {{"a", STATSIDECAR_TEXT, 79}}, 100, 0, {-1}},
	{"one byte more is cut", {{"a", STATSIDECAR_TEXT, 80}}, 100, 0, {79}},
	{"step_results goes first",
         {{"a", STATSIDECAR_TEXT, 100},
          {"step_results", STATSIDECAR_JSON, 300},
          {"step_inputs", STATSIDECAR_JSON, 300}},
         500,
         0,
         {-1, 0, -1}},
	{"then step_inputs",
         {{"a", STATSIDECAR_TEXT, 100},
          {"step_results", STATSIDECAR_JSON, 300},
          {"step_inputs", STATSIDECAR_JSON, 300}},
         400,
         0,
         {-1, 0, 0}},
	{"then the backtrace, from its end",
         {{"a", STATSIDECAR_TEXT, 100}, {"step_results", STATSIDECAR_JSON, 300}, {"backtrace", STATSIDECAR_TEXTS, 50}},
         500,
         0,
         {-1, 0, 26}},
	{"a backtrace that is JSON, as a whole",
         {{"a", STATSIDECAR_TEXT, 100}, {"backtrace", STATSIDECAR_JSON, 600}},
         500,
         0,
         {-1, 0}},
	{"then the longest text",
         {{"a", STATSIDECAR_TEXT, 100}, {"b", STATSIDECAR_TEXT, 5000}, {"backtrace", STATSIDECAR_TEXTS, 50}},
         500,
         0,
         {-1, 357, 0}},
	{"long texts alike",
         {{"a", STATSIDECAR_TEXT, 3000}, {"b", STATSIDECAR_TEXT, 5000}, {"c", STATSIDECAR_TEXT, 70}},
         500,
         0,
         {197, 197, -1}},
	{"no text below 64 bytes", {{"a", STATSIDECAR_TEXT, 100}, {"b", STATSIDECAR_TEXT, 100}}, 156, 0, {64, 64}},
	{"then it is dropped",
         {{"a", STATSIDECAR_TEXT, 100}, {"b", STATSIDECAR_TEXT, 100}},
         155,
         STATSIDECAR_TOO_LONG,
         {-1}},
	{"JSON of the caller's is not cut", {{"a", STATSIDECAR_JSON, 5000}}, PIPE_SIZE, STATSIDECAR_TOO_LONG, {-1}},
	{"100 KB of each",
         {{"error_message", STATSIDECAR_TEXT, 100000},
          {"backtrace", STATSIDECAR_TEXTS, 10000},
          {"step_results", STATSIDECAR_JSON, 100000},
          {"step_inputs", STATSIDECAR_JSON, 100000}},
         PIPE_SIZE,
         0,
         {4013, 0, 0, 0}},
};

/* Memory for the texts of one row. */
static char *letters_new(char letter, size_t count)
{
	char *text = malloc(count + 1);

	memset(text, letter, count);
	text[count] = '\0';
	return text;
}

static const char **list_new(size_t count)
{
	const char **list = malloc(count * sizeof *list);

	for (size_t i = 0; i < count; i++)
		list[i] = "aaaaaaaaaa";
	return list;
}

static struct statsidecar_field part_make(const struct part *part)
{
	char *text;

	if (part->type == STATSIDECAR_TEXTS)
		return statsidecar_texts(part->name, list_new(part->len), part->len);
	text = letters_new('a', part->len);
	if (part->type == STATSIDECAR_TEXT)
		return statsidecar_text(part->name, text);
	text[0] = text[part->len - 1] = '"';
	memcpy(text, "[\"", 2);
	memcpy(text + part->len - 2, "\"]", 2);
	return statsidecar_json(part->name, text);
}

static void part_check(int row, int part, const json_t *value)
{
	const struct part *made = &shortened[row].parts[part];
	bool is_text = made->type == STATSIDECAR_TEXT;
	size_t whole = made->type == STATSIDECAR_JSON ? 1 : made->len;
	size_t got = is_text ? json_string_length(value) : json_array_size(value);
	size_t want = shortened[row].left[part] < 0 ? whole : (size_t)shortened[row].left[part];

	ck_assert_msg(is_text ? json_is_string(value) : json_is_array(value), "%s: %s has another type",
	              shortened[row].name, made->name);
	ck_assert_msg(got == want, "%s: %s: got %zu left, want %zu", shortened[row].name, made->name, got, want);
}

START_TEST(shorten)
{
	struct statsidecar_field own[OWN_MAX];
	struct publication publication = {"e", {NULL, 0}, {own, 0}};
	int result;
	bool is_shortened;
	const char *got;
	json_t *event;

	for (int i = 0; i < OWN_MAX && shortened[_i].parts[i].name != NULL; i++)
		own[publication.own.count++] = part_make(&shortened[_i].parts[i]);
	got = written(&publication, shortened[_i].size, &result, &is_shortened);
	ck_assert_msg(result == shortened[_i].result, "%s: got the result %d, want %d", shortened[_i].name, result,
	              shortened[_i].result);
	if (result == 0) {
		ck_assert_msg(strlen(got) <= shortened[_i].size, "%s: %zu bytes", shortened[_i].name, strlen(got));
		ck_assert_msg(is_shortened == (_i > 0), "%s: not told", shortened[_i].name);
		event = json_loads(got, 0, NULL);
		ck_assert_msg(event != NULL, "%s: no JSON: %s", shortened[_i].name, got);
		for (int i = 0; i < (int)publication.own.count; i++)
			part_check(_i, i, json_object_get(event, own[i].name));
		json_decref(event);
	}
	for (size_t i = 0; i < publication.own.count; i++)
		free((void *)(uintptr_t)own[i].value.text);
}
END_TEST

/* Neither a character nor an escape is cut in two, wherever the cut falls. */
START_TEST(cuts_stand_between_characters)
{
	char text[600];
	struct statsidecar_field field;
	struct publication publication = {"e", {NULL, 0}, {&field, 1}};
	int result;
	bool is_shortened;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = "\xF0\x9F\x98\x80\x01\"\xFF"[i % 7];
	field = statsidecar_bytes("k", text, sizeof text);
	for (size_t size = 100; size < 300; size++) {
		const char *got = written(&publication, size, &result, &is_shortened);
		json_t *event = json_loads(got, JSON_ALLOW_NUL, NULL);

		ck_assert_msg(event != NULL, "at %zu: %s", size, got);
		ck_assert_msg(strlen(got) > size - 8, "at %zu: only %zu bytes", size, strlen(got));
		json_decref(event);
	}
}
END_TEST

Suite *publish_line_suite(void)
{
	Suite *suite = suite_create("publish_line");
	TCase *rows = tcase_create("rows"), *others = tcase_create("others");

	tcase_add_loop_test(rows, one_value, 0, (int)ARRAY_LEN(values));
	tcase_add_loop_test(rows, line, 0, (int)ARRAY_LEN(lines));
	tcase_add_loop_test(rows, shorten, 0, (int)ARRAY_LEN(shortened));
	suite_add_tcase(suite, rows);
	tcase_add_test(others, a_decimal_comma_becomes_a_point);
	tcase_add_test(others, identifiers_have_200_bytes_at_most);
	tcase_add_test(others, cuts_stand_between_characters);
	suite_add_tcase(suite, others);
	return suite;
}
