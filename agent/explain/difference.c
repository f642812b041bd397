#include "explain/difference.h"

#include <stdlib.h>

#include "base/arena.h"
#define uthash_fatal(text) arena_exhausted()
#include <uthash.h>

#include "explain/line_set.h"
#include "explain/quote.h"
#include "explain/rehearsal.h"
#include "json_writer.h"

enum { LINE_SHOWN = 400 };

/* What one event made. */
struct made {
	char *identifier; /* owned; as the line writes it */
	size_t identifier_size;
	size_t identifier_len;
	struct line_set lines;
};

/* One mapping at work: the events of the present line. */
struct side {
	struct trace trace;
	struct rehearsal *rehearsal;
	struct made *events;
	size_t event_count, event_size;
	bool is_open; /* the last event is under way */
};

enum change { CHANGE_GAINED, CHANGE_LOST, CHANGE_CHANGED, CHANGE_COUNT };

static const char *const change_names[CHANGE_COUNT] = {"gained", "lost", "changed"};
static const char change_signs[CHANGE_COUNT] = {'+', '-', '~'};

/* An identifier and a metric; the key is `identifier \n metric`. */
struct entry {
	struct span identifier;
	struct span metric;
	uint64_t counts[CHANGE_COUNT];
	struct span old_line[CHANGE_COUNT]; /* the first example of each */
	struct span new_line[CHANGE_COUNT];
	struct span key;
	UT_hash_handle hh;
};

struct difference {
	struct side old_side;
	struct side new_side;
	struct arena *arena;
	struct entry *entries;
	char *key; /* the entry that is looked for */
	size_t key_size;
	uint64_t events;
	uint64_t different; /* events whose metrics differ */
	uint64_t further;   /* differences beyond the limit */
};

static void *grow(void *list, size_t needed, size_t *size, size_t item_size)
{
	if (needed <= *size)
		return list;
	const size_t before = *size;
	*size = 2 * needed;
	char *larger = realloc(list, *size * item_size);
	if (!larger)
		arena_exhausted();
	memset(larger + before * item_size, 0, (*size - before) * item_size);
	return larger;
}

/* ---- what each side makes ---- */

static struct made *open_event(struct side *side)
{
	if (!side->is_open) {
		side->events = grow(side->events, side->event_count + 1, &side->event_size, sizeof(*side->events));
		struct made *made = &side->events[side->event_count++];
		made->identifier_len = 0;
		line_set_clear(&made->lines);
		side->is_open = true;
	}
	return &side->events[side->event_count - 1];
}

static void on_named(void *context, const struct identity *identity, struct span text, struct subject *subject)
{
	struct made *made = open_event(context);
	(void)identity;
	(void)subject;
	made->identifier = grow(made->identifier, text.len + 1, &made->identifier_size, 1);
	memcpy(made->identifier, text.at, text.len);
	made->identifier_len = text.len;
}

static void on_line(void *context, uint16_t output, enum line_fate fate, struct span line)
{
	(void)output;
	if (fate == LINE_PACKED)
		line_set_add(&open_event(context)->lines, line);
}

static void on_done(void *context, enum outcome outcome, uint16_t input, struct span line)
{
	struct side *side = context;
	(void)outcome;
	(void)input;
	open_event(side); /* a rejected line is an event without a name */
	side->is_open = false;
	if (line.at || side->event_count < 2)
		return;
	/* A lifecycle gave it: what it makes belongs to the event that caused it. */
	const struct line_set *derived = &side->events[--side->event_count].lines;
	for (size_t i = 0; i < derived->count; i++)
		line_set_add(&side->events[side->event_count - 1].lines, line_set_at(derived, i));
}

static void side_init(struct side *side, const struct mapping *mapping)
{
	side->trace = (struct trace){.context = side, .named = on_named, .line = on_line, .done = on_done};
	side->rehearsal = rehearsal_new(mapping, &side->trace, NULL);
}

static void side_fini(struct side *side)
{
	for (size_t i = 0; i < side->event_size; i++) {
		free(side->events[i].identifier);
		line_set_fini(&side->events[i].lines);
	}
	free(side->events);
	rehearsal_free(side->rehearsal);
}

/* ---- comparing ---- */

static struct entry *find_entry(struct difference *difference, struct span identifier, struct span line)
{
	struct entry *entry;
	difference->key = grow(difference->key, identifier.len + 1 + line.len + 2, &difference->key_size, 1);
	memcpy(difference->key, identifier.at, identifier.len);
	difference->key[identifier.len] = '\n';
	const size_t metric_at = identifier.len + 1;
	const struct span key = {difference->key, metric_at + line_metric(difference->key + metric_at, line)};
	HASH_FIND(hh, difference->entries, key.at, (unsigned)key.len, entry);
	if (entry)
		return entry;
	if (HASH_COUNT(difference->entries) >= DIFFERENCES_MAX) {
		difference->further++;
		return NULL;
	}
	entry = arena_alloc(difference->arena, sizeof(*entry));
	entry->key = arena_copy(difference->arena, key);
	entry->identifier = span_cut(entry->key, identifier.len);
	entry->metric = span_skip(entry->key, metric_at);
	HASH_ADD_KEYPTR(hh, difference->entries, entry->key.at, (unsigned)entry->key.len, entry);
	return entry;
}

static void count(struct difference *difference, struct span identifier, enum change change, struct span old_line,
                  struct span new_line)
{
	struct entry *entry = find_entry(difference, identifier, change == CHANGE_GAINED ? new_line : old_line);
	if (!entry || entry->counts[change]++ != 0)
		return;
	entry->old_line[change] = arena_copy(difference->arena, old_line);
	entry->new_line[change] = arena_copy(difference->arena, new_line);
}

/* The lines of both that have no equal in the other: moved to the front; their numbers. */
static void drop_equal(struct line_set *a, struct line_set *b, size_t *a_count, size_t *b_count)
{
	size_t i = 0;
	size_t k = 0;
	*a_count = *b_count = 0;
	line_set_sort(a);
	line_set_sort(b);
	while (i < a->count || k < b->count) {
		int order = i == a->count ? 1 : -1;
		if (i < a->count && k < b->count)
			order = line_order(a->lines[i], b->lines[k]);
		if (order < 0)
			a->lines[(*a_count)++] = a->lines[i++];
		else if (order > 0)
			b->lines[(*b_count)++] = b->lines[k++];
		else
			i++, k++;
	}
}

static bool is_same_metric(struct difference *difference, struct span a, struct span b)
{
	difference->key = grow(difference->key, a.len + b.len + 4, &difference->key_size, 1);
	char *second = difference->key + a.len + 2;
	const struct span first_metric = {difference->key, line_metric(difference->key, a)};
	const struct span second_metric = {second, line_metric(second, b)};
	return span_equal(first_metric, second_metric);
}

static void compare_lines(struct difference *difference, struct span identifier, struct line_set *old_lines,
                          struct line_set *new_lines)
{
	size_t old_count;
	size_t new_count;
	drop_equal(old_lines, new_lines, &old_count, &new_count);
	difference->different += old_count || new_count;
	for (size_t i = 0; i < old_count; i++) {
		size_t k = 0;
		while (k < new_count && !is_same_metric(difference, old_lines->lines[i], new_lines->lines[k]))
			k++;
		if (k == new_count) {
			count(difference, identifier, CHANGE_LOST, old_lines->lines[i], SPAN(""));
			continue;
		}
		count(difference, identifier, CHANGE_CHANGED, old_lines->lines[i], new_lines->lines[k]);
		memmove(&new_lines->lines[k], &new_lines->lines[k + 1], (--new_count - k) * sizeof(struct span));
	}
	for (size_t k = 0; k < new_count; k++)
		count(difference, identifier, CHANGE_GAINED, SPAN(""), new_lines->lines[k]);
}

void difference_take(void *context, struct span line)
{
	struct difference *difference = context;
	struct side *old_side = &difference->old_side;
	struct side *new_side = &difference->new_side;
	old_side->event_count = new_side->event_count = 0;
	rehearsal_run(old_side->rehearsal, line);
	rehearsal_run(new_side->rehearsal, line);
	for (size_t i = 0; i < old_side->event_count || i < new_side->event_count; i++) {
		struct made none = {.identifier_len = 0};
		struct made *was = i < old_side->event_count ? &old_side->events[i] : &none;
		struct made *is = i < new_side->event_count ? &new_side->events[i] : &none;
		const struct made *named = is->identifier_len ? is : was;
		difference->events++;
		if (!line_set_equal(&was->lines, &is->lines))
			compare_lines(difference, (struct span){named->identifier, named->identifier_len}, &was->lines,
			              &is->lines);
		line_set_fini(&none.lines);
	}
}

struct difference *difference_new(const struct mapping *old_mapping, const struct mapping *new_mapping)
{
	struct difference *difference = calloc(1, sizeof(*difference));
	if (!difference)
		arena_exhausted();
	difference->arena = arena_new();
	side_init(&difference->old_side, old_mapping);
	side_init(&difference->new_side, new_mapping);
	return difference;
}

void difference_free(struct difference *difference)
{
	if (!difference)
		return;
	HASH_CLEAR(hh, difference->entries);
	side_fini(&difference->old_side);
	side_fini(&difference->new_side);
	arena_free(difference->arena);
	free(difference->key);
	free(difference);
}

/* ---- telling ---- */

bool difference_is_any(const struct difference *difference)
{
	return difference->different != 0;
}

static int order_entries(struct entry *a, struct entry *b)
{
	return line_order(a->key, b->key);
}

static void print_change(const struct entry *entry, enum change change, FILE *out)
{
	const uint64_t events = entry->counts[change];
	if (events == 0)
		return;
	fprintf(out, "  %c %.*s: %s in %llu %s\n", change_signs[change], SPAN_ARG(entry->metric), change_names[change],
	        (unsigned long long)events, events == 1 ? "event" : "events");
	if (change != CHANGE_GAINED) {
		fputs("      - ", out);
		quote_put(out, entry->old_line[change], LINE_SHOWN);
		fputc('\n', out);
	}
	if (change != CHANGE_LOST) {
		fputs("      + ", out);
		quote_put(out, entry->new_line[change], LINE_SHOWN);
		fputc('\n', out);
	}
}

void difference_print_text(struct difference *difference, FILE *out)
{
	struct span identifier = {"", 0};
	HASH_SORT(difference->entries, order_entries);
	for (const struct entry *entry = difference->entries; entry; entry = entry->hh.next) {
		if (!span_equal(entry->identifier, identifier))
			fprintf(out, "%.*s\n", SPAN_ARG(entry->identifier));
		identifier = entry->identifier;
		for (int change = 0; change < CHANGE_COUNT; change++)
			print_change(entry, (enum change)change, out);
	}
	if (difference->further)
		fprintf(out, "further differences, beyond the first %d: %llu\n", DIFFERENCES_MAX,
		        (unsigned long long)difference->further);
	if (difference->different)
		fprintf(out, "%llu of %llu events give other metrics\n", (unsigned long long)difference->different,
		        (unsigned long long)difference->events);
	else
		fprintf(out, "no difference: %llu %s the same metrics\n", (unsigned long long)difference->events,
		        difference->events == 1 ? "event gives" : "events give");
}

void difference_print_json(struct difference *difference, FILE *out)
{
	struct json_writer writer = {.out = out};
	HASH_SORT(difference->entries, order_entries);
	json_writer_open_object(&writer, NULL);
	json_writer_put_count(&writer, "events", difference->events);
	json_writer_put_count(&writer, "different", difference->different);
	json_writer_open_array(&writer, "differences");
	for (const struct entry *entry = difference->entries; entry; entry = entry->hh.next) {
		for (int change = 0; change < CHANGE_COUNT; change++) {
			if (entry->counts[change] == 0)
				continue;
			json_writer_open_object(&writer, NULL);
			json_writer_put_text(&writer, "identifier", entry->identifier);
			json_writer_put_text(&writer, "metric", entry->metric);
			json_writer_put_text(&writer, "change", span_of(change_names[change]));
			json_writer_put_count(&writer, "count", entry->counts[change]);
			if (change != CHANGE_GAINED)
				json_writer_put_text(&writer, "old", entry->old_line[change]);
			if (change != CHANGE_LOST)
				json_writer_put_text(&writer, "new", entry->new_line[change]);
			json_writer_close_object(&writer);
		}
	}
	json_writer_close_array(&writer);
	json_writer_put_count(&writer, "further", difference->further);
	json_writer_close_object(&writer);
	json_writer_end_line(&writer);
}
