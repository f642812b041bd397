#include "explain/line_set.h"

#include <stdlib.h>

#include "base/arena.h"

enum { TAGS_SORTED = 256 };

void line_set_fini(struct line_set *set)
{
	free(set->bytes);
	free(set->places);
	free(set->lines);
	*set = (struct line_set){.count = 0};
}

void line_set_clear(struct line_set *set)
{
	set->count = 0;
	set->bytes_used = 0;
}

static void *grow(void *list, size_t needed, size_t *size, size_t item_size)
{
	if (needed <= *size)
		return list;
	void *larger = realloc(list, 2 * needed * item_size);
	if (!larger)
		arena_exhausted();
	*size = 2 * needed;
	return larger;
}

void line_set_add(struct line_set *set, struct span line)
{
	set->bytes = grow(set->bytes, set->bytes_used + line.len + 1, &set->bytes_size, 1);
	set->places = grow(set->places, set->count + 1, &set->place_size, sizeof(*set->places));
	if (line.len)
		memcpy(set->bytes + set->bytes_used, line.at, line.len);
	set->places[set->count++] = (struct line_place){set->bytes_used, line.len};
	set->bytes_used += line.len;
}

int line_order(struct span a, struct span b)
{
	const size_t len = a.len < b.len ? a.len : b.len;
	const int order = len ? memcmp(a.at, b.at, len) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int order_spans(const void *a, const void *b)
{
	return line_order(*(const struct span *)a, *(const struct span *)b);
}

void line_set_sort(struct line_set *set)
{
	set->lines = grow(set->lines, set->count + 1, &set->line_size, sizeof(*set->lines));
	for (size_t i = 0; i < set->count; i++)
		set->lines[i] = line_set_at(set, i);
	if (set->count)
		qsort(set->lines, set->count, sizeof(*set->lines), order_spans);
}

bool line_set_equal(const struct line_set *a, const struct line_set *b)
{
	if (a->count != b->count || a->bytes_used != b->bytes_used)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->places[i].len != b->places[i].len)
			return false;
	return a->bytes_used == 0 || memcmp(a->bytes, b->bytes, a->bytes_used) == 0;
}

/* The tags behind `|#`, up to the next field. An event's texts may hold `|#` too, but stand before its tags; a service check's
 * message stands behind them. */
static struct span find_tags(struct span line)
{
	struct span tags = {line.at, 0};
	const bool is_event = span_starts(line, SPAN("_e{"));
	for (size_t at = 0; at + 1 < line.len; at++) {
		if (line.at[at] != '|' || line.at[at + 1] != '#')
			continue;
		const struct span rest = span_skip(line, at + 2);
		const char *end = memchr(rest.at, '|', rest.len);
		tags = (struct span){rest.at, end ? (size_t)(end - rest.at) : rest.len};
		if (!is_event)
			break;
	}
	return tags;
}

void line_sort_tags(char *line, size_t len)
{
	const struct span tags = find_tags((struct span){line, len});
	struct span list[TAGS_SORTED];
	size_t count = 0;
	for (struct span rest = tags; rest.len && count < TAGS_SORTED;) {
		const char *comma = memchr(rest.at, ',', rest.len);
		list[count] = (struct span){rest.at, comma ? (size_t)(comma - rest.at) : rest.len};
		rest = span_skip(rest, list[count++].len + (comma != NULL));
		if (rest.len && count == TAGS_SORTED)
			return; /* more than any line of ours has */
	}
	if (count < 2)
		return;
	char *sorted = malloc(tags.len);
	if (!sorted)
		arena_exhausted();
	qsort(list, count, sizeof(*list), order_spans);
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		if (i)
			sorted[used++] = ',';
		memcpy(sorted + used, list[i].at, list[i].len);
		used += list[i].len;
	}
	memcpy(line + (tags.at - line), sorted, used);
	free(sorted);
}

size_t line_metric(char *out, struct span line)
{
	if (span_starts(line, SPAN("_e{"))) {
		memcpy(out, "_e", 2);
		return 2;
	}
	const bool is_check = span_starts(line, SPAN("_sc|"));
	const struct span head = span_skip(line, is_check ? 4 : 0);
	const char *end = memchr(head.at, is_check ? '|' : ':', head.len);
	const size_t name_len = end ? (size_t)(end - line.at) : line.len;
	memcpy(out, line.at, name_len);
	if (is_check || !end)
		return name_len;
	const struct span value = span_skip(line, name_len);
	const char *type = memchr(value.at, '|', value.len);
	if (!type)
		return name_len;
	struct span rest = span_skip(line, (size_t)(type - line.at) + 1);
	const char *type_end = memchr(rest.at, '|', rest.len);
	if (type_end)
		rest.len = (size_t)(type_end - rest.at);
	out[name_len] = '|';
	memcpy(out + name_len + 1, rest.at, rest.len);
	return name_len + 1 + rest.len;
}
