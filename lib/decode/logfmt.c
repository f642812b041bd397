#include "decode/logfmt.h"

#include "base/bounds.h"

/* What a bare key means; texts are read in whole vectors. */
static const char bare_true[SCAN_PAD] = "true";

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

struct logfmt_reader {
	struct span line;
	uint32_t at;
	const char *why;
};

static int fail(struct logfmt_reader *reader, uint32_t at, const char *why)
{
	reader->at = at;
	reader->why = why;
	return -1;
}

/* From the opening quote on; leaves the reader behind the closing one. */
static int read_quoted(struct logfmt_reader *reader, struct value *value)
{
	const char *line = reader->line.at;
	const uint32_t start = reader->at;
	uint32_t at = start + 1;
	value->escapes = ESCAPES_NONE;
	while (at < reader->line.len && line[at] != '"') {
		if (line[at] == '\\') {
			value->escapes = ESCAPES_LOGFMT;
			at++;
		}
		at++;
	}
	if (at >= reader->line.len)
		return fail(reader, start, "the text has no closing quote");
	value->at = line + start + 1;
	value->len = at - start - 1;
	reader->at = at + 1;
	if (reader->at < reader->line.len && !is_blank(line[reader->at]))
		return fail(reader, reader->at, "a blank is missing behind the quoted text");
	return 0;
}

static void read_word(struct logfmt_reader *reader, struct value *value)
{
	const char *line = reader->line.at;
	const uint32_t start = reader->at;
	uint32_t at = start;
	while (at < reader->line.len && !is_blank(line[at]))
		at++;
	*value = (struct value){line + start, at - start, VALUE_STRING, ESCAPES_NONE};
	reader->at = at;
}

static int read_pair(struct logfmt_reader *reader, struct lifecycle_event *event, bool is_first)
{
	const char *line = reader->line.at;
	const uint32_t start = reader->at;
	uint32_t at = start;
	struct value value = {.type = VALUE_STRING};
	while (at < reader->line.len && line[at] != '=' && line[at] != '"' && !is_blank(line[at]))
		at++;
	const struct span key = {line + start, at - start};
	reader->at = at;
	if (at < reader->line.len && line[at] == '"')
		return fail(reader, at, "a quote stands where a key was expected: write KEY=\"TEXT\"");
	if (at < reader->line.len && line[at] == '=') {
		if (key.len == 0)
			return fail(reader, at, "the key before = is empty");
		reader->at++;
		if (reader->at < reader->line.len && line[reader->at] == '"') {
			if (read_quoted(reader, &value))
				return -1;
		} else {
			read_word(reader, &value);
		}
	} else {
		if (event->bare.len == 0) {
			event->bare = (struct value){key.at, (uint32_t)key.len, VALUE_STRING, ESCAPES_NONE};
			event->is_bare_first = is_first;
		}
		if (is_first) /* it names the event, and is no field */
			return 0;
		value.at = bare_true;
		value.len = 4;
	}
	const struct fieldset_node *root = &event->fields->nodes[0];
	if (root->table) {
		const uint16_t location = fieldset_child(event->fields, root, key.at, (uint32_t)key.len);
		if (location != FIELDSET_NONE)
			event_set(event, location, value);
	}
	return 0;
}

int logfmt_read_event(struct lifecycle_event *event, struct span line, const char **why, uint32_t *at)
{
	struct logfmt_reader reader = {.line = line};
	bool is_first = true;
	for (;;) {
		while (reader.at < line.len && is_blank(line.at[reader.at]))
			reader.at++;
		if (reader.at >= line.len)
			return 0;
		if (read_pair(&reader, event, is_first)) {
			*why = reader.why;
			*at = reader.at;
			return -1;
		}
		is_first = false;
	}
}
