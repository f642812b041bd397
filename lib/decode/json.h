/* One line -> a lifecycle event, where the line is JSON (RFC 8259). Every byte is validated; only what the fieldset names is
 * kept. Lone surrogates and invalid UTF-8 inside strings are accepted; texts stay escaped until they are used. */
#ifndef STATSIDECAR_DECODE_JSON_H
#define STATSIDECAR_DECODE_JSON_H

#include "base/inline.h"
#include "decode/event.h"

/* A line under a reader: what scan_index() found, and how far the reader has come. Offsets are those of the index. */
struct json_reader {
	const char *text;     /* that was indexed; the line is a part of it */
	const uint32_t *mark; /* the next mark that was not passed */
	uint32_t at;
	uint32_t end;         /* text[end] is the line's newline */
	uint32_t outer;       /* levels of nesting around the event: 1 in a batch */
	const char *why;      /* after a failure: a static text that says what is wrong at `at` */
};

/* Reads the object at reader->at into event, which was reset; afterwards reader->at stands behind its brace. 0, or -1
 * with reader->at and why. */
int json_read_event(struct json_reader *reader, struct lifecycle_event *event) __attribute__((warn_unused_result));

/* Validates an array of objects; the number of its elements, or -1. The reader, which stands on the opening bracket, is left
 * where it was found failing, or behind the array. */
int64_t json_check_batch(struct json_reader *reader) __attribute__((warn_unused_result));

/* Steps over the opening bracket or a comma to the next element's brace, in a batch that was checked: false where none is
 * left. */
bool json_next_element(struct json_reader *reader);

/* The slow part of the next one: passes blanks first. */
bool json_at_end_behind_blanks(struct json_reader *reader);

/* Whether nothing but blanks stands behind reader->at. */
static inline bool json_at_end(struct json_reader *reader)
{
	return likely(reader->at >= reader->end) || json_at_end_behind_blanks(reader);
}

#endif
