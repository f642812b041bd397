#include "decode/json.h"

#include "base/bounds.h"
#include "decode/escape.h"

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* What is being read, a level of nesting each. node is NULL below what nobody asked for. */
struct level {
	const struct fieldset_node *node;
	uint32_t index; /* the element's number */
	bool is_array;
};

struct string {
	uint32_t at, len;
	bool has_escapes;
};

static int fail(struct json_reader *reader, uint32_t at, const char *why)
{
	reader->at = at < reader->len ? at : reader->len;
	reader->why = why;
	return -1;
}

/* The newline behind the line is no blank, so this always ends. */
static void skip_some_blanks(struct json_reader *reader)
{
	const char *line = reader->line;
	uint32_t at = reader->at;
	while (line[at] == ' ' || line[at] == '\t' || line[at] == '\r')
		at++;
	reader->at = at;
}

static inline void skip_blanks(struct json_reader *reader)
{
	if (unlikely((unsigned char)reader->line[reader->at] <= ' '))
		skip_some_blanks(reader);
}

static int fail_in_string(struct json_reader *reader, uint32_t at)
{
	if (at >= reader->len)
		return fail(reader, at, "the text has no closing quote");
	return fail(reader, at, "a control byte stands in a text: write it as \\u00XX");
}

/* From a backslash in a string on: checks the escapes up to the closing quote. */
static int read_escapes(struct json_reader *reader, struct string *string)
{
	const char *line = reader->line;
	const uint32_t *mark = reader->mark;
	for (;;) {
		const uint32_t at = *mark++;
		if (at >= reader->len)
			return fail_in_string(reader, at);
		if (line[at] == '"') {
			string->len = at - string->at;
			reader->at = at + 1;
			reader->mark = mark;
			return 0;
		}
		if (line[at] != '\\')
			return fail_in_string(reader, at);
		const char c = line[at + 1];
		if (c == '"' || c == '\\') {
			mark++; /* that byte is marked itself */
		} else if (c == 'u') {
			if (escape_hex4(line + at + 2) < 0)
				return fail(reader, at, "\\u needs four hexadecimal digits");
		} else if (c != '/' && c != 'b' && c != 'f' && c != 'n' && c != 'r' && c != 't') {
			return fail(reader, at, "no such escape: JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
		}
	}
}

/* A string; reader->at stands on its opening quote. */
static inline int read_string(struct json_reader *reader, struct string *string)
{
	const uint32_t *mark = reader->mark;
	while (*mark < reader->at) /* tabs and carriage returns between tokens */
		mark++;
	const uint32_t end = mark[1];
	string->at = reader->at + 1;
	if (likely(end < reader->len && reader->line[end] == '"')) {
		string->len = end - string->at;
		string->has_escapes = false;
		reader->at = end + 1;
		reader->mark = mark + 2;
		return 0;
	}
	string->has_escapes = true;
	reader->mark = mark + 1;
	return read_escapes(reader, string);
}

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

static int fail_number(struct json_reader *reader, uint32_t at)
{
	return fail(reader, at, "no JSON number: digits are missing or a zero leads");
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? from reader->at on. */
static inline int read_number(struct json_reader *reader)
{
	const char *line = reader->line;
	uint32_t at = reader->at;
	if (line[at] == '-')
		at++;
	if (line[at] == '0') {
		at++;
	} else {
		if (unlikely(!is_digit(line[at])))
			return fail_number(reader, at);
		while (is_digit(line[at]))
			at++;
	}
	if (line[at] == '.') {
		at++;
		if (unlikely(!is_digit(line[at])))
			return fail_number(reader, at);
		while (is_digit(line[at]))
			at++;
	}
	if (line[at] == 'e' || line[at] == 'E') {
		at++;
		if (line[at] == '+' || line[at] == '-')
			at++;
		if (unlikely(!is_digit(line[at])))
			return fail_number(reader, at);
		while (is_digit(line[at]))
			at++;
	}
	reader->at = at;
	return 0;
}

/* A key with escapes, resolved; keys of the fieldset are no longer than what is looked at here. */
static uint16_t child_by_escaped_key(const struct fieldset *fields, const struct fieldset_node *node, const char *line,
                                     const struct string *key)
{
	char resolved[1024 + 8] = {0};
	if (key->len > 1024)
		return FIELDSET_NONE;
	const size_t len = escape_resolve_json(resolved, (struct span){line + key->at, key->len});
	return fieldset_child(fields, node, resolved, (uint32_t)len);
}

/* `"key" :` -> the location of its value. */
static inline int read_key(struct json_reader *reader, const struct fieldset *fields, const struct fieldset_node *node,
                           uint16_t *location)
{
	struct string key;
	if (unlikely(reader->line[reader->at] != '"'))
		return fail(reader, reader->at, "a key in double quotes is missing");
	if (unlikely(read_string(reader, &key)))
		return -1;
	*location = FIELDSET_NONE;
	if (node && node->table) {
		if (likely(!key.has_escapes))
			*location = fieldset_child(fields, node, reader->line + key.at, key.len);
		else
			*location = child_by_escaped_key(fields, node, reader->line, &key);
	}
	skip_blanks(reader);
	if (unlikely(reader->line[reader->at] != ':'))
		return fail(reader, reader->at, "a colon is missing behind the key");
	reader->at++;
	return 0;
}

static inline bool is_word(struct json_reader *reader, const char *word, uint32_t len)
{
	if (reader->len - reader->at < len || memcmp(reader->line + reader->at, word, len) != 0)
		return false;
	reader->at += len;
	return true;
}

/* A text, number or literal. */
static inline int read_scalar(struct json_reader *reader, struct lifecycle_event *event, uint16_t location)
{
	const char *line = reader->line;
	const uint32_t start = reader->at;
	switch (line[start]) {
	case '"': {
		struct string string;
		if (unlikely(read_string(reader, &string)))
			return -1;
		event_set(event, location, (struct value){line + string.at, string.len, VALUE_STRING,
		                                          string.has_escapes ? ESCAPES_JSON : ESCAPES_NONE});
		return 0;
	}
	case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
		if (unlikely(read_number(reader)))
			return -1;
		event_set(event, location, (struct value){line + start, reader->at - start, VALUE_NUMBER, ESCAPES_NONE});
		return 0;
	case 't':
		if (!is_word(reader, "true", 4))
			break;
		event_set(event, location, (struct value){line + start, 4, VALUE_TRUE, ESCAPES_NONE});
		return 0;
	case 'f':
		if (!is_word(reader, "false", 5))
			break;
		event_set(event, location, (struct value){line + start, 5, VALUE_FALSE, ESCAPES_NONE});
		return 0;
	case 'n':
		if (!is_word(reader, "null", 4))
			break;
		event_clear(event, location);
		return 0;
	default:
		break;
	}
	return fail(reader, start, start >= reader->len ? "the line ends before the value is complete" : "no JSON value stands here");
}

/* Opens the object or array at reader->at as one more level. */
static inline int open_level(struct json_reader *reader, struct lifecycle_event *event, struct level *level, uint32_t depth,
                             uint16_t location)
{
	if (unlikely(reader->outer + depth == JSON_DEPTH_MAX))
		return fail(reader, reader->at, "nested more than 128 levels deep");
	level->is_array = reader->line[reader->at] == '[';
	level->index = 0;
	level->node = location == FIELDSET_NONE ? NULL : &event->fields->nodes[location];
	if (level->node && !level->node->table)
		level->node = NULL;
	event_set(event, location, (struct value){reader->line + reader->at, 0, level->is_array ? VALUE_ARRAY : VALUE_OBJECT,
	                                          ESCAPES_NONE});
	reader->at++;
	skip_blanks(reader);
	return 0;
}

static int fail_between(struct json_reader *reader, const struct level *level)
{
	if (reader->at >= reader->len)
		return fail(reader, reader->at, level->is_array ? "the array is not closed" : "the object is not closed");
	return fail(reader, reader->at, level->is_array ? "a comma or ] is missing" : "a comma or } is missing");
}

static inline uint16_t element_location(const struct fieldset *fields, const struct level *level)
{
	return level->node ? fieldset_element(fields, level->node, level->index) : FIELDSET_NONE;
}

int json_read_event(struct json_reader *reader, struct lifecycle_event *event)
{
	struct level levels[JSON_DEPTH_MAX];
	const struct fieldset *fields = event->fields;
	struct level *top = levels;
	uint16_t location = 0;
	const char *line = reader->line;

	if (unlikely(open_level(reader, event, top, 0, location)))
		return -1;
	top->node = &fields->nodes[0];
	if (line[reader->at] == '}')
		goto close;
key:
	if (unlikely(read_key(reader, fields, top->node, &location)))
		return -1;
value:
	skip_blanks(reader);
	if (location != FIELDSET_NONE && unlikely(fields->nodes[location].child_count != 0))
		event_clear_below(event, &fields->nodes[location]);
	if (line[reader->at] == '{' || line[reader->at] == '[') {
		top++;
		if (unlikely(open_level(reader, event, top, (uint32_t)(top - levels), location)))
			return -1;
		if (line[reader->at] == (top->is_array ? ']' : '}'))
			goto close;
		if (!top->is_array)
			goto key;
		location = element_location(fields, top);
		goto value;
	}
	if (unlikely(read_scalar(reader, event, location)))
		return -1;
next:
	skip_blanks(reader);
	if (line[reader->at] == ',') {
		reader->at++;
		if (top->is_array) {
			top->index++;
			location = element_location(fields, top);
			goto value;
		}
		skip_blanks(reader);
		goto key;
	}
	if (unlikely(line[reader->at] != (top->is_array ? ']' : '}')))
		return fail_between(reader, top);
close:
	reader->at++;
	if (top-- != levels)
		goto next;
	return 0;
}

bool json_at_end(struct json_reader *reader)
{
	skip_blanks(reader);
	return reader->at >= reader->len;
}

int64_t json_check_batch(struct json_reader *reader)
{
	/* An event that keeps nothing: its fieldset is the root alone. */
	static struct fieldset_node root;
	static const struct fieldset nothing = {&root, 1};
	struct value value;
	uint64_t present = 0;
	struct lifecycle_event event = {.fields = &nothing, .values = &value, .present = &present, .present_words = 1};
	int64_t count = 0;

	reader->outer = 1;
	reader->at++;
	skip_blanks(reader);
	if (reader->line[reader->at] == ']') {
		reader->at++;
		return 0;
	}
	for (;;) {
		skip_blanks(reader);
		if (reader->line[reader->at] != '{')
			return fail(reader, reader->at, "a batch is an array of objects: an object is missing here");
		if (json_read_event(reader, &event))
			return -1;
		count++;
		skip_blanks(reader);
		if (reader->line[reader->at] == ']') {
			reader->at++;
			return count;
		}
		if (reader->line[reader->at] != ',')
			return fail(reader, reader->at, "the batch is not closed: a comma or ] is missing");
		reader->at++;
	}
}

bool json_next_element(struct json_reader *reader)
{
	skip_blanks(reader);
	if (reader->line[reader->at] == '[' || reader->line[reader->at] == ',')
		reader->at++;
	skip_blanks(reader);
	return reader->line[reader->at] == '{';
}
