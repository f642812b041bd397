/* A span is a borrowed run of bytes: pointer and length, no terminator. It owns nothing and is valid for as long as
 * the memory it points into; a span handed to a function is borrowed for the call unless its header says otherwise. */
#ifndef STATSIDECAR_BASE_SPAN_H
#define STATSIDECAR_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *at;
	size_t len;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* For printf: "%.*s", SPAN_ARG(span). */
#define SPAN_ARG(span) (int)(span).len, (span).at

static inline struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* The order of bytes; of two that begin alike the shorter is first. */
static inline int span_compare(struct span a, struct span b)
{
	const size_t len = a.len < b.len ? a.len : b.len;
	const int order = len ? memcmp(a.at, b.at, len) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool span_is(struct span a, const char *text)
{
	return span_equal(a, span_of(text));
}

static inline bool span_starts(struct span a, struct span prefix)
{
	return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.at, prefix.at, prefix.len) == 0);
}

/* What is left of a behind its first count bytes; count must not exceed its length. */
static inline struct span span_skip(struct span a, size_t count)
{
	return (struct span){a.at + count, a.len - count};
}

/* Without the blanks and tabs around it. */
static inline struct span span_trim(struct span text)
{
	while (text.len && (text.at[0] == ' ' || text.at[0] == '\t'))
		text = span_skip(text, 1);
	while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Its first limit bytes. */
static inline struct span span_cut(struct span a, size_t limit)
{
	return (struct span){a.at, a.len < limit ? a.len : limit};
}

#endif
