#include "json_judge.h"

#include <jansson.h>
#include <stdlib.h>

#include "../unit/rig.h"
#include "tap.h"

/* ---- for jansson ---- */

/* Bytes of the well-formed character at `at`, or 0: after the table of RFC 3629. */
static size_t character(const unsigned char *at, size_t room)
{
	size_t len;
	unsigned low = 0x80;
	unsigned high = 0xbf;
	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] <= 0xdf)
		len = 2;
	else if (at[0] >= 0xe0 && at[0] <= 0xef)
		len = 3;
	else if (at[0] >= 0xf0 && at[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (at[0] == 0xe0)
		low = 0xa0;
	if (at[0] == 0xed)
		high = 0x9f;
	if (at[0] == 0xf0)
		low = 0x90;
	if (at[0] == 0xf4)
		high = 0x8f;
	if (room < len || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (at[i] < 0x80 || at[i] > 0xbf)
			return 0;
	return len;
}

/* Also NUL, which jansson puts back as if it were the end of its buffer. */
static size_t mend_bytes(char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		const size_t count = character((const unsigned char *)text + at, len - at);
		if (count == 0)
			text[at] = '_';
		else if (text[at] == '\0')
			text[at] = '\1';
		at += count ? count : 1;
	}
	return len;
}

static unsigned hex(const char *at, size_t room)
{
	char digits[5] = "";
	char *end;
	if (room < 4)
		return 0;
	memcpy(digits, at, 4);
	for (int i = 0; i < 4; i++)
		if (!strchr("0123456789abcdefABCDEF", digits[i]))
			return 0;
	return (unsigned)strtoul(digits, &end, 16);
}

static void mend_escapes(char *text, size_t len)
{
	for (size_t at = 0; at + 1 < len; at++) {
		if (text[at] != '\\')
			continue;
		at++;
		if (text[at] != 'u')
			continue;
		const unsigned code = hex(text + at + 1, len - at - 1);
		if (len - at > 4 && memcmp(text + at + 1, "0000", 4) == 0)
			text[at + 4] = '1';
		if (code < 0xd800 || code > 0xdfff)
			continue;
		const bool is_pair = code < 0xdc00 && len - at > 10 && text[at + 5] == '\\' && text[at + 6] == 'u' &&
		                     (hex(text + at + 7, 4) & 0xfc00) == 0xdc00;
		if (is_pair)
			at += 10;
		else
			memcpy(text + at + 1, "005f", 4);
	}
}

/* Runs of digits outside of strings: no more than 15 before the point and behind it, no more than two in an exponent.
 * What is valid stays valid, and what is not does not. */
static size_t mend_numbers(char *text, size_t len)
{
	size_t out = 0;
	size_t run = 0;
	size_t most = 15;
	bool is_string = false;
	for (size_t at = 0; at < len; at++) {
		const char c = text[at];
		if (is_string && c == '\\' && at + 1 < len) {
			text[out++] = text[at++];
			text[out++] = text[at];
			continue;
		}
		if (c == '"')
			is_string = !is_string;
		if (c < '0' || c > '9') {
			run = 0;
			most = c == 'e' || c == 'E' || ((c == '+' || c == '-') && most == 2) ? 2 : 15;
		} else if (!is_string && ++run > most) {
			continue;
		}
		text[out++] = c;
	}
	return out;
}

/* The tree, or NULL and what jansson says. */
static json_t *load(struct span line, json_error_t *error)
{
	static char text[JSON_JUDGE_MAX];
	memcpy(text, line.at, line.len);
	size_t len = mend_bytes(text, line.len);
	mend_escapes(text, len);
	len = mend_numbers(text, len);
	return json_loadb(text, len, JSON_ALLOW_NUL, error);
}

/* Not the tree's depth, in which a repeated key can hide some. */
static unsigned brackets_deep(struct span line)
{
	unsigned depth = 0;
	unsigned deepest = 0;
	bool is_string = false;
	for (size_t i = 0; i < line.len; i++) {
		const char c = line.at[i];
		if (is_string && c == '\\')
			i++;
		else if (c == '"')
			is_string = !is_string;
		else if (!is_string && (c == '{' || c == '['))
			deepest = ++depth > deepest ? depth : deepest;
		else if (!is_string && (c == '}' || c == ']'))
			depth -= depth > 0;
	}
	return deepest;
}

/* ---- comparing ---- */

/* A path's keys, in the fixture's words. */
static json_t *follow(json_t *value, const char *path)
{
	while (*path && value) {
		char key[64];
		size_t len = 0;
		while (*path && *path != '.') {
			path += *path == '\\';
			key[len++] = *path++;
		}
		path += *path == '.';
		key[len] = '\0';
		if (json_is_object(value))
			value = json_object_get(value, key);
		else if (json_is_array(value) && len == 1 && key[0] >= '0' && key[0] <= '9')
			value = json_array_get(value, (size_t)(key[0] - '0'));
		else
			value = NULL;
	}
	return value;
}

static bool string_equal(struct span ours, const json_t *theirs)
{
	static char text[JSON_JUDGE_MAX];
	memcpy(text, ours.at, ours.len);
	mend_bytes(text, ours.len);
	return json_string_length(theirs) == ours.len && memcmp(json_string_value(theirs), text, ours.len) == 0;
}

static bool number_equal(struct span ours, const json_t *theirs)
{
	char text[64];
	if (!json_is_number(theirs))
		return false;
	if (ours.len >= sizeof(text))
		return true; /* it was shortened */
	memcpy(text, ours.at, ours.len);
	if (mend_numbers(text, ours.len) != ours.len)
		return true;
	text[ours.len] = '\0';
	/* Equal doubles: both come from the same decimal text. */
	return !(strtod(text, NULL) < json_number_value(theirs)) && !(strtod(text, NULL) > json_number_value(theirs));
}

static bool value_equal(struct lifecycle_event *event, uint16_t location, const json_t *theirs)
{
	if (!event_has(event, location))
		return !theirs || json_is_null(theirs);
	if (!theirs)
		return false;
	struct value *value = &event->values[location];
	switch ((enum value_type)value->type) {
	case VALUE_STRING:
		return json_is_string(theirs) && string_equal(event_text(event, value), theirs);
	case VALUE_NUMBER:
		return number_equal(event_text(event, value), theirs);
	case VALUE_TRUE:
		return json_is_true(theirs) && span_is(event_text(event, value), "true");
	case VALUE_FALSE:
		return json_is_false(theirs) && span_is(event_text(event, value), "false");
	case VALUE_OBJECT:
		return json_is_object(theirs);
	case VALUE_ARRAY:
		return json_is_array(theirs);
	}
	return false;
}

static size_t blanks_before(struct span line)
{
	size_t count = 0;
	while (count < line.len && (line.at[count] == ' ' || line.at[count] == '\t' || line.at[count] == '\r'))
		count++;
	return count;
}

bool json_judge_event(struct decoding *decoding, struct span line, struct json_tally *tally)
{
	json_error_t error;
	const bool ours = decoding_json(decoding, line) == 0;
	const char *why = decoding->reader.why ? decoding->reader.why : "";
	json_t *theirs = load(line, &error);
	const size_t first = blanks_before(line);
	const bool is_object = first < line.len && line.at[first] == '{';
	const bool want = theirs && is_object && brackets_deep(line) <= 128;
	bool ok = ours == want;
	if (!ok)
		tap_note("%s: ours: %s %s, jansson: %s", shown(line), ours ? "valid" : "malformed", why,
		         theirs ? "valid" : error.text);
	for (size_t i = 0; ok && ours && i < decoding->path_count; i++) {
		json_t *value = follow(theirs, decoding->paths[i]);
		ok = value_equal(&decoding->event, decoding->locations[i], value);
		tally->values += value != NULL;
		if (!ok)
			tap_note("%s: values differ at %s; ours: %s", shown(line), decoding->paths[i],
			         decoding_kept(decoding));
	}
	tally->accepted += ours;
	tally->rejected += !ours;
	json_decref(theirs);
	return ok;
}

static bool is_batch_of_objects(const json_t *value)
{
	size_t index;
	json_t *part;
	if (!json_is_array(value))
		return false;
	json_array_foreach(value, index, part)
	{
		if (!json_is_object(part))
			return false;
	}
	return true;
}

bool json_judge_batch(struct decoding *decoding, struct span line, struct json_tally *tally)
{
	json_error_t error;
	decoding_json(decoding, line); /* for the marks */
	struct json_reader reader = {.text = decoding->line, .mark = decoding->scan.marks, .end = decoding->len};
	reader.at = (uint32_t)blanks_before(line);
	int64_t ours = -1;
	if (reader.text[reader.at] == '[') {
		ours = json_check_batch(&reader);
		if (ours >= 0 && !json_at_end(&reader))
			ours = -1;
	}
	json_t *theirs = load(line, &error);
	const bool is_valid = is_batch_of_objects(theirs) && brackets_deep(line) <= 128;
	const int64_t want = is_valid ? (int64_t)json_array_size(theirs) : -1;
	if (ours != want)
		tap_note("%s: ours: %lld %s, jansson: %lld %s", shown(line), (long long)ours,
		         reader.why ? reader.why : "", (long long)want, theirs ? "" : error.text);
	tally->accepted += ours >= 0;
	tally->rejected += ours < 0;
	tally->values += ours > 0 ? (unsigned long)ours : 0;
	json_decref(theirs);
	return ours == want;
}
