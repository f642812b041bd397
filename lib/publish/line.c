#include "publish/line.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/span.h"
#include "base/utf8.h"
#include "publish/moment.h"

enum {
	/* No text is cut below this: names and ids, which are shorter, stay what they are. */
	TEXT_KEPT = 64,
	NUMBER_TEXT_MAX = 64,
};

/* What is written in full as long as there is room. */
struct shape {
	size_t text_max;  /* bytes of each text, as written */
	size_t trace_max; /* texts of the backtrace */
	bool is_without_results;
	bool is_without_inputs;
};

static const struct shape shape_full = {SIZE_MAX, SIZE_MAX, false, false};

/* out[0 .. len) is written; once something did not fit, nothing more is. */
struct writer {
	char *out;
	size_t len;
	size_t size;
	bool is_full;
};

static void put(struct writer *writer, const char *text, size_t len)
{
	if (writer->is_full || len > writer->size - writer->len) {
		writer->is_full = true;
		return;
	}
	memcpy(writer->out + writer->len, text, len);
	writer->len += len;
}

static void put_literal(struct writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

/* ---- texts ---- */

static bool is_plain(char byte)
{
	return (unsigned char)byte >= 0x20 && (unsigned char)byte < 0x80 && byte != '"' && byte != '\\';
}

/* What stands for the character at text, which is not plain: into piece (room for 8); its length, and *taken of text. */
static size_t escape(char *piece, struct span text, size_t *taken)
{
	static const char letters[] = "\"\\\b\f\n\r\t", escapes[] = "\"\\bfnrt", digits[] = "0123456789abcdef";
	unsigned char byte = (unsigned char)*text.at;
	const char *letter = byte != '\0' ? strchr(letters, byte) : NULL;

	*taken = 1;
	if (letter != NULL) {
		piece[0] = '\\';
		piece[1] = escapes[letter - letters];
		return 2;
	}
	if (byte < 0x20) {
		memcpy(piece, "\\u00", 4);
		piece[4] = (char)('0' + byte / 16);
		piece[5] = digits[byte % 16];
		return 6;
	}
	*taken = utf8_length(text.at, text.len);
	if (*taken == 0) {
		*taken = 1;
		memcpy(piece, "\xEF\xBF\xBD", 3);
		return 3;
	}
	memcpy(piece, text.at, *taken);
	return *taken;
}

/* As much of text as takes at most limit bytes, in quotes. */
static void put_text(struct writer *writer, struct span text, size_t limit)
{
	put(writer, "\"", 1);
	while (text.len > 0 && !writer->is_full) {
		char piece[8];
		size_t run = 0, taken, len;

		while (run < text.len && run < limit && is_plain(text.at[run]))
			run++;
		put(writer, text.at, run);
		text = span_skip(text, run);
		limit -= run;
		if (text.len == 0 || limit == 0)
			break;
		len = escape(piece, text, &taken);
		if (len > limit)
			break;
		put(writer, piece, len);
		text = span_skip(text, taken);
		limit -= len;
	}
	put(writer, "\"", 1);
}

static void put_texts(struct writer *writer, const struct statsidecar_field *field, size_t count, size_t limit)
{
	put(writer, "[", 1);
	for (size_t i = 0; i < count && !writer->is_full; i++) {
		const char *text = field->value.texts[i];

		if (i > 0)
			put(writer, ",", 1);
		if (text == NULL)
			put_literal(writer, "null");
		else
			put_text(writer, span_of(text), limit);
	}
	put(writer, "]", 1);
}

/* ---- other values ---- */

/* The shortest that reads back as the same number. The locale's decimal point, whatever it is, becomes a point. */
static void put_double(struct writer *writer, double number)
{
	char text[NUMBER_TEXT_MAX];
	bool is_in_point = false;

	if (!isfinite(number)) {
		put_literal(writer, "null");
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof text, "%.*g", precision, number);
		/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): -0 is not 0 here */
		if (memcmp(&(double){strtod(text, NULL)}, &number, sizeof number) == 0)
			break;
	}
	for (const char *at = text; *at != '\0'; at++) {
		bool is_number = (*at >= '0' && *at <= '9') || *at == '-' || *at == '+' || *at == 'e';

		if (is_number)
			put(writer, at, 1);
		else if (!is_in_point)
			put(writer, ".", 1);
		is_in_point = !is_number;
	}
}

static void put_integer(struct writer *writer, int64_t integer)
{
	char text[NUMBER_TEXT_MAX];

	put(writer, text, (size_t)snprintf(text, sizeof text, "%" PRId64, integer));
}

static void put_time(struct writer *writer, int64_t unix_ns)
{
	char text[MOMENT_TEXT_MAX];

	put(writer, "\"", 1);
	put(writer, text, statsidecar_moment_write(text, unix_ns));
	put(writer, "\"", 1);
}

static void put_duration(struct writer *writer, int64_t duration_ns)
{
	char text[MOMENT_TEXT_MAX];

	put(writer, text, statsidecar_moment_write_duration(text, duration_ns));
}

static struct span json_trim(struct span json)
{
	while (json.len > 0 && (unsigned char)json.at[0] <= ' ')
		json = span_skip(json, 1);
	while (json.len > 0 && (unsigned char)json.at[json.len - 1] <= ' ')
		json.len--;
	return json;
}

/* Control bytes are blanks between JSON's values, and not allowed within: a line end in it would tear the line. */
static void put_json(struct writer *writer, struct span json)
{
	json = json_trim(json);
	if (json.len == 0)
		put_literal(writer, "null");
	while (json.len > 0 && !writer->is_full) {
		size_t run = 0;

		while (run < json.len && (unsigned char)json.at[run] >= ' ')
			run++;
		put(writer, json.at, run);
		json = span_skip(json, run);
		if (json.len > 0) {
			put(writer, " ", 1);
			json = span_skip(json, 1);
		}
	}
}

/* ---- fields ---- */

static void put_value(struct writer *writer, const struct statsidecar_field *field, const struct shape *shape)
{
	switch (field->type) {
	case STATSIDECAR_NULL:
		put_literal(writer, "null");
		break;
	case STATSIDECAR_TEXT:
		put_text(writer, (struct span){field->value.text, field->length}, shape->text_max);
		break;
	case STATSIDECAR_TEXTS:
		put_texts(writer, field, field->length, shape->text_max);
		break;
	case STATSIDECAR_INTEGER:
		put_integer(writer, field->value.integer);
		break;
	case STATSIDECAR_DOUBLE:
		put_double(writer, field->value.number);
		break;
	case STATSIDECAR_BOOLEAN:
		put_literal(writer, field->value.integer != 0 ? "true" : "false");
		break;
	case STATSIDECAR_TIME:
		put_time(writer, field->value.integer);
		break;
	case STATSIDECAR_DURATION:
		put_duration(writer, field->value.integer);
		break;
	case STATSIDECAR_JSON:
		put_json(writer, (struct span){field->value.text, field->length});
		break;
	}
}

/* An empty one of its kind: the field is still there. */
static void put_empty(struct writer *writer, const struct statsidecar_field *field)
{
	struct span json = {field->value.text, field->length};

	if (field->type == STATSIDECAR_TEXTS)
		put_literal(writer, "[]");
	else if (field->type == STATSIDECAR_TEXT)
		put_literal(writer, "\"\"");
	else if (field->type != STATSIDECAR_JSON)
		put_literal(writer, "null");
	else if ((json = json_trim(json)).len == 0 || (*json.at != '{' && *json.at != '['))
		put_literal(writer, "null");
	else
		put_literal(writer, *json.at == '{' ? "{}" : "[]");
}

static void put_field(struct writer *writer, const struct statsidecar_field *field, const struct shape *shape)
{
	bool is_trace = strcmp(field->name, "backtrace") == 0;

	put(writer, ",", 1);
	put_text(writer, span_of(field->name), SIZE_MAX);
	put(writer, ":", 1);
	if ((shape->is_without_results && strcmp(field->name, "step_results") == 0) ||
	    (shape->is_without_inputs && strcmp(field->name, "step_inputs") == 0) ||
	    (shape->trace_max != SIZE_MAX && is_trace && field->type != STATSIDECAR_TEXTS))
		put_empty(writer, field);
	else if (is_trace && field->type == STATSIDECAR_TEXTS && shape->trace_max < field->length)
		put_texts(writer, field, shape->trace_max, shape->text_max);
	else
		put_value(writer, field, shape);
}

bool statsidecar_fields_have(struct fields fields, const char *name)
{
	for (size_t i = 0; i < fields.count; i++) {
		if (strcmp(fields.items[i].name, name) == 0)
			return true;
	}
	return false;
}

/* ---- the line ---- */

/* Its length, or 0 where it does not fit. */
static size_t try(char *out, size_t size, const struct publication *publication, const struct shape *shape)
{
	struct writer writer = {.out = out, .size = size};

	put_literal(&writer, "{\"event\":\"");
	put_literal(&writer, publication->event);
	put(&writer, "\"", 1);
	for (size_t i = 0; i < publication->standard.count; i++) {
		const struct statsidecar_field *field = &publication->standard.items[i];

		if (!statsidecar_fields_have(publication->own, field->name))
			put_field(&writer, field, shape);
	}
	for (size_t i = 0; i < publication->own.count && !writer.is_full; i++)
		put_field(&writer, &publication->own.items[i], shape);
	put(&writer, "}\n", 2);
	return writer.is_full ? 0 : writer.len;
}

/* Sets *knob, which is within shape, to the largest value in low .. high with which the line fits; its length, or 0. */
static size_t try_largest(char *out, size_t size, const struct publication *publication, struct shape *shape,
                          size_t *knob, size_t low, size_t high)
{
	size_t len;

	*knob = low;
	if (try(out, size, publication, shape) == 0)
		return 0;
	while (low < high) {
		size_t middle = low + (high - low + 1) / 2;

		*knob = middle;
		if (try(out, size, publication, shape) > 0)
			low = middle;
		else
			high = middle - 1;
	}
	*knob = low;
	len = try(out, size, publication, shape);
	return len;
}

static size_t try_shorter(char *out, size_t size, const struct publication *publication)
{
	struct shape shape = shape_full;
	size_t len;

	shape.is_without_results = true;
	if ((len = try(out, size, publication, &shape)) > 0)
		return len;
	shape.is_without_inputs = true;
	if ((len = try(out, size, publication, &shape)) > 0)
		return len;
	/* A text of a list takes three bytes at least: no more than size / 3 fit anyhow. */
	if ((len = try_largest(out, size, publication, &shape, &shape.trace_max, 0, size / 3)) > 0)
		return len;
	return try_largest(out, size, publication, &shape, &shape.text_max, TEXT_KEPT, size);
}

static bool is_letter(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static bool is_identifier(const char *event)
{
	size_t len = 0;

	if (event == NULL || !is_letter(*event))
		return false;
	for (; event[len] != '\0'; len++) {
		bool is_digit = event[len] >= '0' && event[len] <= '9';

		if (len == IDENTIFIER_MAX ||
		    !(is_letter(event[len]) || is_digit || strchr("_.:/-", event[len]) != NULL))
			return false;
	}
	return true;
}

static bool are_named(struct fields fields)
{
	for (size_t i = 0; i < fields.count; i++) {
		const char *name = fields.items[i].name;

		if (name == NULL || *name == '\0' || strcmp(name, "event") == 0)
			return false;
	}
	return true;
}

int statsidecar_line_check(const struct publication *publication)
{
	return is_identifier(publication->event) && are_named(publication->own) ? STATSIDECAR_OK : STATSIDECAR_INVALID;
}

int statsidecar_line_write(char *out, size_t size, const struct publication *publication, size_t *len,
                           bool *is_shortened)
{
	*len = try(out, size, publication, &shape_full);
	*is_shortened = *len == 0;
	if (*len == 0)
		*len = try_shorter(out, size, publication);
	return *len > 0 ? STATSIDECAR_OK : STATSIDECAR_TOO_LONG;
}
