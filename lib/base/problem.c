#define _GNU_SOURCE 1 /* vasprintf */
#include "base/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

enum {
	FIRST_SIZE = 8,
	WORD_MAX = 63, /* longer words are no misspelt keys */
};

void problem_add(struct problems *problems, struct mark mark, const char *format, ...)
{
	if (problems->count == problems->size) {
		size_t size = problems->size ? problems->size * 2 : FIRST_SIZE;
		struct problem *items = reallocarray(problems->items, size, sizeof(*items));
		if (!items)
			arena_exhausted();
		problems->items = items;
		problems->size = size;
	}
	struct problem *problem = &problems->items[problems->count];
	problem->mark = mark;
	va_list args;
	va_start(args, format);
	int len = vasprintf(&problem->text, format, args);
	va_end(args);
	if (len < 0)
		arena_exhausted();
	problems->count++;
}

static bool is_same_file(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool problem_stands_at(const struct problems *problems, struct mark mark)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct mark *other = &problems->items[i].mark;
		if (other->line == mark.line && other->column == mark.column && is_same_file(other->file, mark.file))
			return true;
	}
	return false;
}

/* A problem with what decides its place: where its file, and where itself, stood before. */
struct place {
	size_t file;
	size_t index;
	struct problem problem;
};

static int place_compare(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->problem.mark.line != b->problem.mark.line)
		return a->problem.mark.line < b->problem.mark.line ? -1 : 1;
	if (a->problem.mark.column != b->problem.mark.column)
		return a->problem.mark.column < b->problem.mark.column ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

void problems_sort(struct problems *problems)
{
	if (problems->count < 2)
		return;
	struct place *places = calloc(problems->count, sizeof(*places));
	if (!places)
		arena_exhausted();
	for (size_t i = 0; i < problems->count; i++) {
		size_t first = 0;
		while (!is_same_file(problems->items[first].mark.file, problems->items[i].mark.file))
			first++;
		places[i] = (struct place){first, i, problems->items[i]};
	}
	qsort(places, problems->count, sizeof(*places), place_compare);
	for (size_t i = 0; i < problems->count; i++)
		problems->items[i] = places[i].problem;
	free(places);
}

void problems_fini(struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		free(problems->items[i].text);
	free(problems->items);
	*problems = (struct problems){0};
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that make b of a; both at most WORD_MAX long.
 * Row i of the table holds the distances of a's first i bytes from every prefix of b; three rows are kept. */
static size_t edit_distance(struct span a, struct span b)
{
	size_t rows[3][WORD_MAX + 1];
	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		const size_t *above = rows[(i - 1) % 3];
		const size_t *above2 = rows[(i + 1) % 3];
		size_t *row = rows[i % 3];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			char x = a.at[i - 1], y = b.at[j - 1];
			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == b.at[j - 2] && y == a.at[i - 2])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

const char *problem_nearest(struct span word, const char *const *candidates)
{
	if (word.len == 0 || word.len > WORD_MAX)
		return NULL;
	const char *nearest = NULL;
	/* One slip in three letters; a word of one letter that is replaced is another word. */
	size_t limit = least(word.len < 6 ? 1 : word.len / 3, word.len - 1);
	for (; *candidates; candidates++) {
		struct span candidate = span_of(*candidates);
		if (candidate.len > WORD_MAX)
			continue;
		/* A difference in length is as many insertions at least. */
		if (candidate.len > word.len + limit || word.len > candidate.len + limit)
			continue;
		size_t distance = edit_distance(word, candidate);
		if (distance > limit)
			continue;
		nearest = *candidates;
		if (distance == 0)
			break;
		limit = distance - 1;
	}
	return nearest;
}
