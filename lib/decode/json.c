#include "decode/json.h"

#include "base/bounds.h"
#include "base/vector.h"
#include "decode/escape.h"

#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* What is being read, a level of nesting each. node is NULL below what nobody asked for. */
struct level {
	const struct fieldset_node *node;
	const void *keys; /* tells objects apart whose keys lead to other places; NULL in arrays */
	uint32_t index;   /* the element's number */
};

/* Where the reader is, and where values are kept: in registers, so that no function that is not inlined gets a pointer to it. What
 * is slow takes the cursor through struct json_reader and back. */
struct cursor {
	const char *text;
	const char *at;
	const uint32_t *mark;
	struct value *values;
	uint8_t *present;
};

static __attribute__((noinline, cold)) int fail_at(struct json_reader *reader, uint32_t at, const char *why)
{
	reader->at = at < reader->end ? at : reader->end;
	reader->why = why;
	return -1;
}

static __attribute__((noinline, cold)) int fail(struct json_reader *reader, const char *at, const char *why)
{
	return fail_at(reader, (uint32_t)(at - reader->text), why);
}

static bool is_beyond(const struct json_reader *reader, const char *at)
{
	return at >= reader->text + reader->end;
}

/* Where blanks from `at` on end: at the newline behind the line at the latest, which is none. */
INLINE bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct json_reader *reader)
{
	while (is_blank(reader->text[reader->at]))
		reader->at++;
}

static __attribute__((noinline)) void pass_blanks_slowly(struct json_reader *reader, const char *at, const uint32_t *mark)
{
	reader->at = (uint32_t)(at - reader->text);
	reader->mark = mark;
	skip_blanks(reader);
	while (*reader->mark < reader->at) /* tabs and carriage returns are marked */
		reader->mark++;
}

INLINE void cursor_follow(struct cursor *cursor, const struct json_reader *reader)
{
	cursor->at = cursor->text + reader->at;
	cursor->mark = reader->mark;
}

/* Most producers write none: the cursor is asked for what should stand there first, and for blanks only where it does not. */
INLINE void pass_blanks(struct json_reader *reader, struct cursor *cursor)
{
	pass_blanks_slowly(reader, cursor->at, cursor->mark);
	cursor_follow(cursor, reader);
}

/* Whether the byte stands there, blanks before it passed. */
INLINE bool is_at(struct json_reader *reader, struct cursor *cursor, char byte)
{
	if (likely(*cursor->at == byte))
		return true;
	if (is_blank(*cursor->at))
		pass_blanks(reader, cursor);
	return *cursor->at == byte;
}

INLINE void keep(const struct cursor *cursor, uint32_t location, struct value value)
{
	cursor->values[location] = value;
	cursor->present[location] = true;
}

static int fail_in_string(struct json_reader *reader, uint32_t at)
{
	if (at >= reader->end)
		return fail_at(reader, at, "the text has no closing quote");
	return fail_at(reader, at, "a control byte stands in a text: write it as \\u00XX");
}

/* A string with escapes, or one that is broken: mark stands on its opening quote. Checks the escapes up to the closing quote,
 * behind which the reader is left. */
static __attribute__((noinline)) int read_escapes(struct json_reader *reader, const uint32_t *mark)
{
	const char *text = reader->text;
	for (mark++;;) {
		const uint32_t at = *mark++;
		if (at >= reader->end)
			return fail_in_string(reader, at);
		if (text[at] == '"') {
			reader->at = at + 1;
			reader->mark = mark;
			return 0;
		}
		if (text[at] != '\\')
			return fail_in_string(reader, at);
		const char c = text[at + 1];
		if (c == '"' || c == '\\') {
			mark++; /* that byte is marked itself */
		} else if (c == 'u') {
			if (escape_hex4(text + at + 2) < 0)
				return fail_at(reader, at, "\\u needs four hexadecimal digits");
		} else if (c != '/' && c != 'b' && c != 'f' && c != 'n' && c != 'r' && c != 't') {
			return fail_at(reader, at, "no such escape: JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
		}
	}
}

/* The closing quote of the string on whose opening one the cursor stands; NULL where it has escapes, or is broken. Behind the last
 * mark stands the line's end, which is a newline and no quote. */
INLINE const char *plain_string_end(const struct cursor *cursor)
{
	const char *const end = cursor->text + cursor->mark[1];
	return likely(*end == '"') ? end : NULL;
}

/* Steps over a string, from its opening quote. */
INLINE int read_string(struct json_reader *reader, struct cursor *cursor, const char *end)
{
	if (likely(end != NULL)) {
		cursor->at = end + 1;
		cursor->mark += 2;
		return 0;
	}
	if (read_escapes(reader, cursor->mark))
		return -1;
	cursor_follow(cursor, reader);
	return 0;
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

static const char *read_digits(struct json_reader *reader, const char *at)
{
	if (!is_digit(*at)) {
		(void)fail(reader, at, "no JSON number: digits are missing or a zero leads");
		return NULL;
	}
	while (is_digit(*at))
		at++;
	return at;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? from `at` on: where it ends, or NULL. */
static __attribute__((noinline)) const char *read_long_number(struct json_reader *reader, const char *at)
{
	at += *at == '-';
	at = *at == '0' ? at + 1 : read_digits(reader, at);
	if (at && *at == '.')
		at = read_digits(reader, at + 1);
	if (at && (*at | 0x20) == 'e') {
		at++;
		at = read_digits(reader, at + (*at == '+' || *at == '-'));
	}
	return at;
}

/* A number that begins with a digit: where it ends, NULL where none stands there. Without a loop over bytes: how many digits there are
 * is another number each time, and would mislead its prediction. */
INLINE const char *read_number(struct json_reader *reader, const char *at, uint32_t others)
{
	const uint32_t whole = (uint32_t)__builtin_ctz(others);
	uint32_t end = whole;
	if (at[whole] == '.') {
		end = (uint32_t)__builtin_ctz(others & (others - 1));
		if (unlikely(end == whole + 1))
			return read_long_number(reader, at);
	}
	if (unlikely(end >= 16 || (whole > 1 && *at == '0') || (at[end] | 0x20) == 'e'))
		return read_long_number(reader, at);
	return at + end;
}

/* ---- keys ---- */

/* A key with escapes, resolved; the fieldset's keys are no longer than what is looked at here. */
static __attribute__((noinline)) uint16_t child_by_escaped_key(const struct fieldset *fields, const struct fieldset_node *node,
                                                               struct span key)
{
	char resolved[1024 + 8] = {0};
	if (key.len > 1024)
		return FIELDSET_NONE;
	const size_t len = escape_resolve_json(resolved, key);
	return fieldset_child(fields, node, resolved, (uint32_t)len);
}

/* `"key" :` -> the location of its value. */
INLINE int read_key(struct json_reader *reader, struct cursor *cursor, const struct fieldset *fields,
                    const struct fieldset_node *node, uint16_t *location)
{
	if (unlikely(!is_at(reader, cursor, '"')))
		return fail(reader, cursor->at, "a key in double quotes is missing");
	const char *const begin = cursor->at + 1;
	const char *const end = plain_string_end(cursor);
	if (unlikely(read_string(reader, cursor, end)))
		return -1;
	const struct span key = {begin, (size_t)(cursor->at - 1 - begin)};
	*location = FIELDSET_NONE;
	if (node)
		*location = end ? fieldset_child(fields, node, key.at, (uint32_t)key.len) : child_by_escaped_key(fields, node, key);
	if (unlikely(!is_at(reader, cursor, ':')))
		return fail(reader, cursor->at, "a colon is missing behind the key");
	cursor->at++;
	return 0;
}

/* Objects of which nothing is asked for. */
static const char unknown_keys = 0;

INLINE bool guess_holds(const struct key_guess *guess, const void *keys, const char *at)
{
	return (vector_equal(at, guess->bytes) | guess->beyond) == UINT32_MAX && guess->level == keys;
}

/* The key that began at `from` is read, up to its value. What has marks beside the key's quotes is no guess. */
static __attribute__((noinline)) void guess_set(struct key_guess *guess, const void *keys, const char *from, size_t len,
                                                uint16_t location)
{
	guess->level = NULL;
	if (len > sizeof(guess->bytes))
		return;
	memcpy(guess->bytes, from, sizeof(guess->bytes));
	guess->beyond = len < 32 ? UINT32_MAX << len : 0;
	guess->level = keys;
	guess->location = location;
	guess->len = (uint16_t)len;
}

/* What is no guess: the reader, which stands on the brace or comma before the key, is left on the value. Its location, or -1. */
static __attribute__((noinline)) int read_key_slowly(struct json_reader *reader, const struct lifecycle_event *event,
                                                     const struct level *level, struct key_guess *guess)
{
	uint16_t location = FIELDSET_NONE;
	struct cursor cursor = {.text = reader->text, .at = reader->text + reader->at, .mark = reader->mark};
	const uint32_t *const mark = reader->mark;
	const char *const from = cursor.at++;
	if (read_key(reader, &cursor, event->fields, level->node, &location))
		return -1;
	while (*cursor.at == ' ')
		cursor.at++;
	if (cursor.mark == mark + 2)
		guess_set(guess, level->keys, from, (size_t)(cursor.at - from), location);
	reader->at = (uint32_t)(cursor.at - cursor.text);
	reader->mark = cursor.mark;
	return location;
}

/* ---- values ---- */

static int fail_value(struct json_reader *reader, const char *at)
{
	return fail(reader, at, is_beyond(reader, at) ? "the line ends before the value is complete" : "no JSON value stands here");
}

/* true, false, null: the line's newline ends every comparison in time. */
INLINE int read_word(struct json_reader *reader, struct cursor *cursor, uint32_t location)
{
	const char *at = cursor->at;
	if (*at == 't' && memcmp(at, "true", 4) == 0) {
		cursor->at += 4;
		keep(cursor, location, (struct value){at, 4, VALUE_TRUE, ESCAPES_NONE});
		return 0;
	}
	if (*at == 'f' && memcmp(at, "false", 5) == 0) {
		cursor->at += 5;
		keep(cursor, location, (struct value){at, 5, VALUE_FALSE, ESCAPES_NONE});
		return 0;
	}
	if (*at == 'n' && memcmp(at, "null", 4) == 0) {
		cursor->at += 4;
		cursor->present[location] = false;
		return 0;
	}
	return fail_value(reader, at);
}

INLINE int keep_number(struct cursor *cursor, uint32_t location, const char *end)
{
	const char *const at = cursor->at;
	if (unlikely(!end))
		return -1;
	cursor->at = end;
	keep(cursor, location, (struct value){at, (uint32_t)(end - at), VALUE_NUMBER, ESCAPES_NONE});
	return 0;
}

INLINE int keep_text(struct json_reader *reader, struct cursor *cursor, uint32_t location)
{
	const char *const begin = cursor->at + 1;
	const char *const end = plain_string_end(cursor);
	if (unlikely(read_string(reader, cursor, end)))
		return -1;
	if (likely(end != NULL))
		keep(cursor, location, (struct value){begin, (uint32_t)(end - begin), VALUE_STRING, ESCAPES_NONE});
	else
		keep(cursor, location, (struct value){begin, (uint32_t)(cursor->at - 1 - begin), VALUE_STRING, ESCAPES_JSON});
	return 0;
}

/* Opens the object or array at the cursor as one more level. */
INLINE void open_level(struct cursor *cursor, const struct fieldset *fields, struct level *level, bool is_outermost, uint32_t location)
{
	const struct fieldset_node *node = &fields->nodes[location];
	const bool is_array = *cursor->at == '[';
	level->index = 0;
	level->node = (location == FIELDSET_NONE && !is_outermost) || !node->table ? NULL : node;
	level->keys = is_array ? NULL : level->node ? (const void *)level->node : &unknown_keys;
	keep(cursor, location, (struct value){cursor->at, 0, is_array ? VALUE_ARRAY : VALUE_OBJECT, ESCAPES_NONE});
	cursor->at++;
}

static int fail_between(struct json_reader *reader, const char *at, bool is_array)
{
	if (is_beyond(reader, at))
		return fail(reader, at, is_array ? "the array is not closed" : "the object is not closed");
	return fail(reader, at, is_array ? "a comma or ] is missing" : "a comma or } is missing");
}

INLINE uint16_t element_location(const struct fieldset *fields, const struct level *level)
{
	return level->node ? fieldset_element(fields, level->node, level->index) : FIELDSET_NONE;
}

int json_read_event(struct json_reader *reader, struct lifecycle_event *event)
{
	struct level levels[JSON_DEPTH_MAX];
	const struct fieldset *const fields = event->fields;
	struct cursor cursor = {reader->text, reader->text + reader->at, reader->mark, event->values, event->present};
	struct level *top = levels;
	const void *keys; /* those of the top level */
	struct key_guess *guess = event->guesses;
	struct key_guess *const last_guess = guess + KEY_GUESSES - 1; /* of all further keys */
	uint32_t location = 0;

	while (unlikely(cursor.text + *cursor.mark < cursor.at)) /* tabs and carriage returns before the brace */
		cursor.mark++;
	open_level(&cursor, fields, top, true, location);
	keys = top->keys;
	if (unlikely(*cursor.at != '"') && is_at(reader, &cursor, '}'))
		goto close;
key:
	/* From the brace or comma on, so that one is never taken for the other. */
	if (likely(guess_holds(guess, keys, cursor.at - 1))) {
		cursor.at += guess->len - 1;
		cursor.mark += 2;
		location = guess->location;
	} else {
		reader->at = (uint32_t)(cursor.at - 1 - cursor.text);
		reader->mark = cursor.mark;
		const int found = read_key_slowly(reader, event, top, guess);
		if (unlikely(found < 0))
			return -1;
		location = (uint32_t)found;
		cursor_follow(&cursor, reader);
	}
	if (likely(guess < last_guess))
		guess++;
value:
	/* A key that came before: what was kept below it is gone too. */
	if (cursor.present[location] && unlikely(location != FIELDSET_NONE))
		event_clear_below(event, &fields->nodes[location]);
scalar:
	if (likely(*cursor.at == '"')) {
		if (unlikely(keep_text(reader, &cursor, location)))
			return -1;
	} else {
		const uint32_t others = ~vector_digits(cursor.at); /* some are always set: there are 16 beyond */
		if (unlikely(others & 1))
			goto other;
		if (unlikely(keep_number(&cursor, location, read_number(reader, cursor.at, others))))
			return -1;
	}
next:
	if (likely(*cursor.at == ',')) {
		cursor.at++;
		if (likely(keys != NULL))
			goto key;
		top->index++;
		location = element_location(fields, top);
		goto value;
	}
	if (unlikely(*cursor.at != (keys ? '}' : ']'))) {
		if (!is_blank(*cursor.at))
			return fail_between(reader, cursor.at, keys == NULL);
		pass_blanks(reader, &cursor);
		goto next;
	}
close:
	cursor.at++;
	if (likely(top == levels)) {
		reader->at = (uint32_t)(cursor.at - cursor.text);
		reader->mark = cursor.mark;
		return 0;
	}
	top--;
	keys = top->keys;
	goto next;
other: /* neither a text nor a digit */
	if (*cursor.at == '{' || *cursor.at == '[') {
		top++;
		if (reader->outer + (uint32_t)(top - levels) == JSON_DEPTH_MAX)
			return fail(reader, cursor.at, "nested more than 128 levels deep");
		open_level(&cursor, fields, top, false, location);
		keys = top->keys;
		if (is_at(reader, &cursor, keys ? '}' : ']'))
			goto close;
		if (keys)
			goto key;
		location = element_location(fields, top);
		goto value;
	}
	if (is_blank(*cursor.at)) {
		pass_blanks(reader, &cursor);
		goto scalar;
	}
	if (*cursor.at == '-' ? keep_number(&cursor, location, read_long_number(reader, cursor.at)) : read_word(reader, &cursor, location))
		return -1;
	goto next;
}

bool json_at_end_behind_blanks(struct json_reader *reader)
{
	skip_blanks(reader);
	return reader->at >= reader->end;
}

int64_t json_check_batch(struct json_reader *reader)
{
	/* An event that keeps nothing: its fieldset is the root alone. */
	static struct fieldset_node root;
	static const struct fieldset nothing = {.nodes = &root, .count = 1};
	struct value value;
	uint8_t present = 0;
	struct lifecycle_event event = {.fields = &nothing, .values = &value, .present = &present};
	int64_t count = 0;

	reader->outer = 1;
	reader->at++;
	skip_blanks(reader);
	if (reader->text[reader->at] == ']') {
		reader->at++;
		return 0;
	}
	for (;;) {
		skip_blanks(reader);
		if (reader->text[reader->at] != '{')
			return fail_at(reader, reader->at, "a batch is an array of objects: an object is missing here");
		if (json_read_event(reader, &event))
			return -1;
		count++;
		skip_blanks(reader);
		if (reader->text[reader->at] == ']') {
			reader->at++;
			return count;
		}
		if (reader->text[reader->at] != ',')
			return fail_at(reader, reader->at, "the batch is not closed: a comma or ] is missing");
		reader->at++;
	}
}

bool json_next_element(struct json_reader *reader)
{
	skip_blanks(reader);
	if (reader->text[reader->at] == '[' || reader->text[reader->at] == ',')
		reader->at++;
	skip_blanks(reader);
	return reader->text[reader->at] == '{';
}
