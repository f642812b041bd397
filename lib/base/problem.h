/* Faults that a user can mend, each with the place where it stands. A list of problems collects all of them; whoever
 * runs the program prints them as `FILE:LINE:COLUMN: error: TEXT`. Texts are copied; a mark's file name is borrowed and
 * must outlive the list. */
#ifndef STATSIDECAR_BASE_PROBLEM_H
#define STATSIDECAR_BASE_PROBLEM_H

#include <stdint.h>

#include "base/span.h"

/* A place in a file: line and column count from 1, in characters; a line of 0 means the file as a whole. */
struct mark {
	const char *file;
	uint32_t line;
	uint32_t column;
};

struct problem {
	struct mark mark;
	char *text;
};

struct problems {
	struct problem *items;
	size_t count;
	size_t size;
};

/* problems is zero-initialised by its owner. */
void problem_add(struct problems *problems, struct mark mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Whether a fault is told of at that very place: what follows from it need not be. */
bool problem_stands_at(const struct problems *problems, struct mark mark);
/* Orders by line and column within each file; files keep the order in which they first appeared. */
void problems_sort(struct problems *problems);
/* Frees the texts and the list, which is empty and usable again. */
void problems_fini(struct problems *problems);

/* The candidate nearest to word by edit distance (a swap of neighbours counts as one), or NULL where none is near
 * enough to be meant: for "did you mean". candidates ends with NULL. */
const char *problem_nearest(struct span word, const char *const *candidates);

#endif
