/* Metric lines as DogStatsD writes them, to be compared where neither the order of lines nor that of tags counts. */
#ifndef STATSIDECAR_EXPLAIN_LINE_SET_H
#define STATSIDECAR_EXPLAIN_LINE_SET_H

#include "base/span.h"

struct line_set {
	char *bytes; /* owned: the lines one behind the other */
	size_t bytes_used, bytes_size;
	struct line_place {
		size_t at, len;
	} *places; /* owned */
	size_t count, place_size;
	struct span *lines; /* owned: filled by line_set_sort() */
	size_t line_size;
};

void line_set_fini(struct line_set *set);
void line_set_clear(struct line_set *set);
/* A copy; a set may hold a line several times. */
void line_set_add(struct line_set *set, struct span line);

static inline struct span line_set_at(const struct line_set *set, size_t index)
{
	return (struct span){set->bytes + set->places[index].at, set->places[index].len};
}

/* Fills lines with all lines in the order of their bytes; valid until the next addition. */
void line_set_sort(struct line_set *set);

/* Whether both hold the same lines in the same order; neither needs to be sorted. */
bool line_set_equal(const struct line_set *a, const struct line_set *b);

/* <0, 0, >0: the order of their bytes. */
int line_order(struct span a, struct span b);

/* Puts the tags of a line into the order of their bytes, in place. */
void line_sort_tags(char *line, size_t len);

/* What tells a metric apart: `name|type`, for events `_e`, for service checks `_sc|name`; written into out (which has room for
 * the whole line); its length. */
size_t line_metric(char *out, struct span line);

#endif
