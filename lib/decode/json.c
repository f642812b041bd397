#include "decode/json.h"

#include "base/bounds.h"
#include "base/word.h"
#include "decode/escape.h"

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* What is being read, a level of nesting each. node is NULL below what nobody asked for. */
struct level {
	const struct fieldset_node *node;
	const void *keys; /* tells objects apart whose keys lead to other places; NULL in arrays */
	uint32_t index;   /* the element's number */
	bool is_array;
};

/* Where the reader is. Kept apart from struct json_reader so that it can live in registers: only what fails, or has escapes,
 * writes it back. */
struct cursor {
	const char *text;
	const uint32_t *mark;
	uint32_t at;
};

struct string {
	uint32_t at, len;
	bool has_escapes;
};

#define INLINE static inline __attribute__((always_inline))

static __attribute__((noinline, cold)) int fail(struct json_reader *reader, uint32_t at, const char *why)
{
	reader->at = at < reader->end ? at : reader->end;
	reader->why = why;
	return -1;
}

/* Where blanks from `at` on end: at the newline behind the line at the latest, which is none. */
INLINE bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static __attribute__((noinline)) uint32_t blanks_end(const char *text, uint32_t at)
{
	while (is_blank(text[at]))
		at++;
	return at;
}

/* Most producers write none: the cursor is asked for what should stand there first, and for blanks only where it does not. */
INLINE void pass_blanks(struct cursor *cursor)
{
	cursor->at = blanks_end(cursor->text, cursor->at);
	while (*cursor->mark < cursor->at) /* tabs and carriage returns are marked */
		cursor->mark++;
}

/* Whether the byte stands there, blanks before it passed. */
INLINE bool is_at(struct cursor *cursor, char byte)
{
	if (likely(cursor->text[cursor->at] == byte))
		return true;
	pass_blanks(cursor);
	return cursor->text[cursor->at] == byte;
}

static void skip_blanks(struct json_reader *reader)
{
	reader->at = blanks_end(reader->text, reader->at);
}

static int fail_in_string(struct json_reader *reader, uint32_t at)
{
	if (at >= reader->end)
		return fail(reader, at, "the text has no closing quote");
	return fail(reader, at, "a control byte stands in a text: write it as \\u00XX");
}

/* A string with escapes, or one that is broken: reader->mark stands behind its opening quote. Checks the escapes up to the
 * closing quote. */
static __attribute__((noinline)) int read_escapes(struct json_reader *reader, struct string *string)
{
	const char *text = reader->text;
	const uint32_t *mark = reader->mark;
	for (;;) {
		const uint32_t at = *mark++;
		if (at >= reader->end)
			return fail_in_string(reader, at);
		if (text[at] == '"') {
			string->len = at - string->at;
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
				return fail(reader, at, "\\u needs four hexadecimal digits");
		} else if (c != '/' && c != 'b' && c != 'f' && c != 'n' && c != 'r' && c != 't') {
			return fail(reader, at, "no such escape: JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
		}
	}
}

/* A string; the cursor stands on its opening quote. */
INLINE int read_string(struct json_reader *reader, struct cursor *cursor, struct string *string)
{
	const uint32_t *mark = cursor->mark;
	const uint32_t end = mark[1];
	string->at = cursor->at + 1;
	/* Behind the last mark stands the line's end, which is a newline and no quote. */
	if (likely(cursor->text[end] == '"')) {
		string->len = end - string->at;
		string->has_escapes = false;
		cursor->at = end + 1;
		cursor->mark = mark + 2;
		return 0;
	}
	string->has_escapes = true;
	reader->mark = mark + 1;
	if (read_escapes(reader, string))
		return -1;
	cursor->at = reader->at;
	cursor->mark = reader->mark;
	return 0;
}

INLINE bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* Without a loop over bytes: how many digits there are is another number each time, and would mislead its prediction. */
INLINE void pass_digits(struct cursor *cursor)
{
	uint64_t others;
	while (unlikely(!(others = word_non_digits(word_load(cursor->text + cursor->at)))))
		cursor->at += 8;
	cursor->at += (uint32_t)word_first(others);
}

INLINE int read_digits(struct json_reader *reader, struct cursor *cursor)
{
	if (unlikely(!is_digit(cursor->text[cursor->at])))
		return fail(reader, cursor->at, "no JSON number: digits are missing or a zero leads");
	pass_digits(cursor);
	return 0;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? from the cursor on. */
INLINE int read_number(struct json_reader *reader, struct cursor *cursor)
{
	const char *text = cursor->text;
	if (text[cursor->at] == '-')
		cursor->at++;
	if (text[cursor->at] == '0')
		cursor->at++;
	else if (read_digits(reader, cursor))
		return -1;
	if (text[cursor->at] == '.') {
		cursor->at++;
		if (read_digits(reader, cursor))
			return -1;
	}
	if (unlikely((text[cursor->at] | 0x20) == 'e')) {
		cursor->at++;
		if (text[cursor->at] == '+' || text[cursor->at] == '-')
			cursor->at++;
		if (read_digits(reader, cursor))
			return -1;
	}
	return 0;
}

/* A key with escapes, resolved; the fieldset's keys are no longer than what is looked at here. */
static __attribute__((noinline)) uint16_t child_by_escaped_key(const struct fieldset *fields, const struct fieldset_node *node,
                                                               const char *text, const struct string *key)
{
	char resolved[1024 + 8] = {0};
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): read_string() has written it where it returned 0 */
	if (key->len > 1024)
		return FIELDSET_NONE;
	const size_t len = escape_resolve_json(resolved, (struct span){text + key->at, key->len});
	return fieldset_child(fields, node, resolved, (uint32_t)len);
}

/* `"key" :` -> the location of its value. */
INLINE int read_key(struct json_reader *reader, struct cursor *cursor, const struct fieldset *fields,
                    const struct fieldset_node *node, uint16_t *location)
{
	struct string key;
	if (unlikely(!is_at(cursor, '"')))
		return fail(reader, cursor->at, "a key in double quotes is missing");
	if (unlikely(read_string(reader, cursor, &key)))
		return -1;
	*location = FIELDSET_NONE;
	if (node) {
		if (likely(!key.has_escapes))
			*location = fieldset_child(fields, node, cursor->text + key.at, key.len);
		else
			*location = child_by_escaped_key(fields, node, cursor->text, &key);
	}
	if (unlikely(!is_at(cursor, ':')))
		return fail(reader, cursor->at, "a colon is missing behind the key");
	cursor->at++;
	return 0;
}

static int fail_value(struct json_reader *reader, uint32_t at)
{
	return fail(reader, at, at >= reader->end ? "the line ends before the value is complete" : "no JSON value stands here");
}

/* true, false, null: the line's newline ends every comparison in time. */
INLINE int read_word(struct json_reader *reader, struct cursor *cursor, struct lifecycle_event *event, uint16_t location)
{
	const char *at = cursor->text + cursor->at;
	if (*at == 't' && memcmp(at, "true", 4) == 0) {
		cursor->at += 4;
		event_set(event, location, (struct value){at, 4, VALUE_TRUE, ESCAPES_NONE});
		return 0;
	}
	if (*at == 'f' && memcmp(at, "false", 5) == 0) {
		cursor->at += 5;
		event_set(event, location, (struct value){at, 5, VALUE_FALSE, ESCAPES_NONE});
		return 0;
	}
	if (*at == 'n' && memcmp(at, "null", 4) == 0) {
		cursor->at += 4;
		event_clear(event, location);
		return 0;
	}
	return fail_value(reader, cursor->at);
}

/* What is no text, object or array. */
INLINE int read_number_or_word(struct json_reader *reader, struct cursor *cursor, struct lifecycle_event *event, uint16_t location)
{
	const char *text = cursor->text;
	const uint32_t start = cursor->at;
	if (unlikely(!is_digit(text[start]) && text[start] != '-'))
		return read_word(reader, cursor, event, location);
	if (unlikely(read_number(reader, cursor)))
		return -1;
	event_set(event, location, (struct value){text + start, cursor->at - start, VALUE_NUMBER, ESCAPES_NONE});
	return 0;
}

INLINE int read_text(struct json_reader *reader, struct cursor *cursor, struct lifecycle_event *event, uint16_t location)
{
	struct string string;
	if (unlikely(read_string(reader, cursor, &string)))
		return -1;
	event_set(event, location, (struct value){cursor->text + string.at, string.len, VALUE_STRING,
	                                          string.has_escapes ? ESCAPES_JSON : ESCAPES_NONE});
	return 0;
}

/* Objects of which nothing is asked for. */
static const char unknown_keys = 0;

/* Two words in one register, where the machine has such. */
typedef uint64_t pair __attribute__((vector_size(16)));

INLINE pair pair_load(const void *at)
{
	pair words;
	memcpy(&words, at, sizeof(words));
	return words;
}

INLINE bool guess_holds(const struct key_guess *guess, const struct level *level, const char *at)
{
	const pair low = (pair_load(at) ^ pair_load(guess->bytes)) & pair_load(guess->mask);
	const pair high = (pair_load(at + 16) ^ pair_load(guess->bytes + 2)) & pair_load(guess->mask + 2);
	const pair difference = low | high;
	return ((difference[0] | difference[1]) | ((uintptr_t)guess->level ^ (uintptr_t)level->keys)) == 0;
}

/* The key that began at `from` is read, up to its value. What has marks beside the key's quotes is no guess. */
static __attribute__((noinline)) void guess_set(struct key_guess *guess, const struct level *level, const char *from, size_t len,
                                                uint16_t location)
{
	char *const mask = (char *)guess->mask;
	guess->level = NULL;
	if (len > sizeof(guess->bytes))
		return;
	memcpy(guess->bytes, from, sizeof(guess->bytes));
	memset(mask, 0xff, len);
	memset(mask + len, 0, sizeof(guess->mask) - len);
	guess->level = level->keys;
	guess->location = location;
	guess->len = (uint16_t)len;
}

/* Opens the object or array at the cursor as one more level. */
INLINE int open_level(struct json_reader *reader, struct cursor *cursor, struct lifecycle_event *event, struct level *level,
                      uint32_t depth, uint16_t location)
{
	const struct fieldset_node *node = &event->fields->nodes[location];
	if (unlikely(reader->outer + depth == JSON_DEPTH_MAX))
		return fail(reader, cursor->at, "nested more than 128 levels deep");
	level->is_array = cursor->text[cursor->at] == '[';
	level->index = 0;
	level->node = (location == FIELDSET_NONE && depth) || !node->table ? NULL : node;
	level->keys = level->is_array ? NULL : level->node ? (const void *)level->node : &unknown_keys;
	event_set(event, location, (struct value){cursor->text + cursor->at, 0, level->is_array ? VALUE_ARRAY : VALUE_OBJECT,
	                                          ESCAPES_NONE});
	cursor->at++;
	return 0;
}

static int fail_between(struct json_reader *reader, uint32_t at, const struct level *level)
{
	if (at >= reader->end)
		return fail(reader, at, level->is_array ? "the array is not closed" : "the object is not closed");
	return fail(reader, at, level->is_array ? "a comma or ] is missing" : "a comma or } is missing");
}

INLINE uint16_t element_location(const struct fieldset *fields, const struct level *level)
{
	return level->node ? fieldset_element(fields, level->node, level->index) : FIELDSET_NONE;
}

int json_read_event(struct json_reader *reader, struct lifecycle_event *event)
{
	struct level levels[JSON_DEPTH_MAX];
	const struct fieldset *const fields = event->fields;
	const char *const text = reader->text;
	struct cursor cursor = {text, reader->mark, reader->at};
	struct level *top = levels;
	struct key_guess *guess = event->guesses;
	struct key_guess *const last_guess = guess + KEY_GUESSES - 1; /* of all further keys */
	uint16_t location = 0;

	while (*cursor.mark < cursor.at) /* tabs and carriage returns before the brace */
		cursor.mark++;
	if (unlikely(open_level(reader, &cursor, event, top, 0, location)))
		return -1;
	if (unlikely(text[cursor.at] != '"') && is_at(&cursor, '}'))
		goto close;
key:
	/* From the brace or comma on, so that one is never taken for the other. */
	if (likely(guess_holds(guess, top, text + cursor.at - 1))) {
		cursor.at += guess->len - 1u;
		cursor.mark += 2;
		location = guess->location;
	} else {
		const struct cursor from = {text, cursor.mark, cursor.at - 1};
		if (unlikely(read_key(reader, &cursor, fields, top->node, &location)))
			return -1;
		while (text[cursor.at] == ' ')
			cursor.at++;
		if (cursor.mark == from.mark + 2)
			guess_set(guess, top, text + from.at, cursor.at - from.at, location);
	}
	guess += guess < last_guess;
value:
	/* A key that came before: what was kept below it is gone too. */
	if (unlikely(location != FIELDSET_NONE && event_has(event, location)))
		event_clear_below(event, &fields->nodes[location]);
scalar:
	if (likely(text[cursor.at] == '"')) {
		if (unlikely(read_text(reader, &cursor, event, location)))
			return -1;
	} else if (unlikely((text[cursor.at] | 0x20) == '{')) { /* { or [, which differ in that bit */
		top++;
		if (unlikely(open_level(reader, &cursor, event, top, (uint32_t)(top - levels), location)))
			return -1;
		if (is_at(&cursor, top->is_array ? ']' : '}'))
			goto close;
		if (!top->is_array)
			goto key;
		location = element_location(fields, top);
		goto value;
	} else if (unlikely(is_blank(text[cursor.at]))) {
		pass_blanks(&cursor);
		goto scalar;
	} else if (unlikely(read_number_or_word(reader, &cursor, event, location))) {
		return -1;
	}
next:
	if (likely(is_at(&cursor, ','))) {
		cursor.at++;
		if (likely(!top->is_array))
			goto key;
		top->index++;
		location = element_location(fields, top);
		goto value;
	}
	if (unlikely(text[cursor.at] != (top->is_array ? ']' : '}')))
		return fail_between(reader, cursor.at, top);
close:
	cursor.at++;
	if (top-- != levels)
		goto next;
	reader->at = cursor.at;
	reader->mark = cursor.mark;
	return 0;
}

bool json_at_end(struct json_reader *reader)
{
	skip_blanks(reader);
	return reader->at >= reader->end;
}

int64_t json_check_batch(struct json_reader *reader)
{
	/* An event that keeps nothing: its fieldset is the root alone. */
	static struct fieldset_node root;
	static const struct fieldset nothing = {&root, 1};
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
			return fail(reader, reader->at, "a batch is an array of objects: an object is missing here");
		if (json_read_event(reader, &event))
			return -1;
		count++;
		skip_blanks(reader);
		if (reader->text[reader->at] == ']') {
			reader->at++;
			return count;
		}
		if (reader->text[reader->at] != ',')
			return fail(reader, reader->at, "the batch is not closed: a comma or ] is missing");
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
