#include "explain/summary.h"

#include <stdlib.h>

#include "base/arena.h"
#define uthash_fatal(text) arena_exhausted()
#include <uthash.h>

#include "explain/line_set.h"
#include "explain/quote.h"
#include "explain/rehearsal.h"
#include "explain/wording.h"
#include "json_writer.h"

enum { NAME_SHOWN = 200, REASONS_MAX = 64, HINTS_MAX = 100 };

struct entry {
	struct span event;
	uint64_t count;
	uint64_t outcomes[OUTCOME_COUNT];
	bool is_known;
	UT_hash_handle hh;
};

/* Why lines were rejected. */
struct reason {
	enum outcome outcome;
	const char *why;
	uint64_t count;
	uint64_t first; /* line number */
};

struct summary {
	const struct mapping *mapping;
	struct rehearsal *rehearsal;
	struct trace trace;
	struct arena *arena;
	const char *const *known_names;
	struct entry *entries; /* by event */
	struct entry *current; /* of the event under way */
	struct entry others;   /* identifiers beyond the limit */
	struct reason reasons[REASONS_MAX];
	size_t reason_count;
	uint64_t line_number;
};

/* ---- counting ---- */

static struct entry *find_entry(struct summary *summary, const struct identity *identity)
{
	struct entry *entry;
	HASH_FIND(hh, summary->entries, identity->event.at, (unsigned)identity->event.len, entry);
	if (entry)
		return entry;
	if (HASH_COUNT(summary->entries) >= SUMMARY_IDENTIFIERS)
		return &summary->others;
	entry = arena_alloc(summary->arena, sizeof(*entry));
	entry->event = arena_copy(summary->arena, identity->event);
	entry->is_known = identity->known != CATALOGUE_NONE;
	HASH_ADD_KEYPTR(hh, summary->entries, entry->event.at, (unsigned)entry->event.len, entry);
	return entry;
}

static void on_named(void *context, const struct identity *identity, struct span text, struct subject *subject)
{
	struct summary *summary = context;
	(void)text;
	(void)subject;
	summary->current = find_entry(summary, identity);
}

static void on_done(void *context, enum outcome outcome, uint16_t input, struct span line)
{
	struct summary *summary = context;
	(void)input;
	if (summary->current && line.at) { /* else a lifecycle gave it: nobody sent it */
		summary->current->count++;
		summary->current->outcomes[outcome]++;
	}
	summary->current = NULL;
}

static void on_rejected(void *context, enum outcome outcome, uint16_t input, struct span line, const char *why, uint32_t column)
{
	struct summary *summary = context;
	(void)input;
	(void)line;
	(void)column;
	for (size_t i = 0; i < summary->reason_count; i++) {
		struct reason *reason = &summary->reasons[i];
		if (reason->outcome == outcome && strcmp(reason->why, why) == 0) {
			reason->count++;
			return;
		}
	}
	/* The texts are those of the decoders: fewer than there is room for. */
	if (summary->reason_count < REASONS_MAX)
		summary->reasons[summary->reason_count++] = (struct reason){outcome, why, 1, summary->line_number};
}

struct summary *summary_new(const struct mapping *mapping)
{
	struct summary *summary = calloc(1, sizeof(*summary));
	if (!summary)
		arena_exhausted();
	const struct translate_observer observer = {.context = summary, .rejected = on_rejected};
	summary->mapping = mapping;
	summary->arena = arena_new();
	summary->known_names = wording_known_names(mapping, summary->arena);
	summary->trace = (struct trace){.context = summary, .named = on_named, .done = on_done};
	summary->rehearsal = rehearsal_new(mapping, &summary->trace, &observer);
	return summary;
}

void summary_free(struct summary *summary)
{
	if (!summary)
		return;
	HASH_CLEAR(hh, summary->entries);
	rehearsal_free(summary->rehearsal);
	arena_free(summary->arena);
	free(summary);
}

void summary_set_input(struct summary *summary, uint16_t input)
{
	rehearsal_set_input(summary->rehearsal, input);
}

void summary_take(void *context, struct span line)
{
	struct summary *summary = context;
	summary->line_number++;
	rehearsal_run(summary->rehearsal, line);
}

/* ---- telling ---- */

/* One line of a section: what was counted, and what there is to say about it. */
struct row {
	uint64_t count;
	struct span name;
	struct span about;
	bool is_unknown;
	uint64_t first; /* line number; 0: none */
};

struct section {
	const char *key;     /* in JSON */
	const char *heading; /* in words */
	bool is_always_told; /* `none` is news too */
	const char *name_key;
	const char *about_key; /* NULL: rows have no second part */
	const char *joint;     /* between the two */
	/* Fills rows, one an identifier, legacy name, …; how many. */
	size_t (*collect)(const struct summary *summary, struct row *rows);
};

static size_t collect_outcome(const struct summary *summary, enum outcome outcome, struct row *rows)
{
	size_t count = 0;
	for (const struct entry *entry = summary->entries; entry; entry = entry->hh.next)
		if (entry->outcomes[outcome])
			rows[count++] = (struct row){
				.count = entry->outcomes[outcome], .name = entry->event, .is_unknown = !entry->is_known};
	return count;
}

static size_t collect_unmapped(const struct summary *summary, struct row *rows)
{
	return collect_outcome(summary, OUTCOME_UNMAPPED, rows);
}

static size_t collect_fallback(const struct summary *summary, struct row *rows)
{
	return collect_outcome(summary, OUTCOME_FALLBACK, rows);
}

static size_t collect_empty(const struct summary *summary, struct row *rows)
{
	return collect_outcome(summary, OUTCOME_EMPTY, rows);
}

static size_t collect_unknown(const struct summary *summary, struct row *rows)
{
	size_t count = 0;
	if (summary->mapping->catalogue->known_count == 0)
		return 0;
	for (const struct entry *entry = summary->entries; entry; entry = entry->hh.next)
		if (!entry->is_known && entry->count)
			rows[count++] = (struct row){.count = entry->count, .name = entry->event, .is_unknown = true};
	return count;
}

static size_t collect_legacy(const struct summary *summary, struct row *rows)
{
	const struct accounts *accounts = rehearsal_accounts(summary->rehearsal);
	const struct mapping *mapping = summary->mapping;
	size_t count = 0;
	for (uint32_t i = 0; i < mapping->legacy_count; i++)
		if (accounts->legacy[i])
			rows[count++] = (struct row){
				.count = accounts->legacy[i], .name = mapping->legacy[i].alias, .about = mapping->legacy[i].event};
	return count;
}

static size_t collect_missing(const struct summary *summary, struct row *rows)
{
	const struct accounts *accounts = rehearsal_accounts(summary->rehearsal);
	const struct mapping *mapping = summary->mapping;
	size_t count = 0;
	for (uint32_t i = 0; i < mapping->expectation_count; i++) {
		const struct expectation *expectation = &mapping->expectations[i];
		if (accounts->payload_missing[expectation->index])
			rows[count++] = (struct row){.count = accounts->payload_missing[expectation->index],
			                             .name = expectation->event,
			                             .about = expectation->field};
	}
	return count;
}

static size_t collect_limited(const struct summary *summary, struct row *rows)
{
	const struct accounts *accounts = rehearsal_accounts(summary->rehearsal);
	const struct mapping *mapping = summary->mapping;
	size_t count = 0;
	for (uint16_t i = 0; i < mapping->tag_key_count; i++)
		if (accounts->values_limited[i])
			rows[count++] = (struct row){.count = accounts->values_limited[i], .name = mapping->tag_keys[i]};
	return count;
}

static size_t collect_rejected(const struct summary *summary, struct row *rows)
{
	for (size_t i = 0; i < summary->reason_count; i++) {
		const struct reason *reason = &summary->reasons[i];
		rows[i] = (struct row){.count = reason->count,
		                       .name = span_of(outcome_names[reason->outcome]),
		                       .about = span_of(reason->why),
		                       .first = reason->first};
	}
	return summary->reason_count;
}

static const struct section sections[] = {
	{"unmapped", "identifiers that no rule takes", true, "event", NULL, NULL, collect_unmapped},
	{"fallback", "identifiers that only a fallback rule takes", false, "event", NULL, NULL, collect_fallback},
	{"empty", "identifiers whose rules made no metric", false, "event", NULL, NULL, collect_empty},
	{"unknown", "identifiers that are not in the catalogue", false, "event", NULL, NULL, collect_unknown},
	{"legacy", "legacy names still in use", true, "alias", "event", ", now ", collect_legacy},
	{"missing", "payload that was missing", true, "event", "field", ": ", collect_missing},
	{"limited", "tags with more values than limits.tag_values (sent as __other__)", false, "tag", NULL, NULL, collect_limited},
	{"rejected", "lines that are no events", false, "outcome", "why", ": ", collect_rejected},
};

static int order_rows(const void *a, const void *b)
{
	const struct row *left = a;
	const struct row *right = b;
	if (left->count != right->count)
		return left->count < right->count ? 1 : -1;
	const int order = line_order(left->name, right->name);
	return order ? order : line_order(left->about, right->about);
}

/* Sorted by count; owned by the caller. */
static struct row *section_rows(const struct summary *summary, const struct section *section, size_t *count)
{
	const size_t room = HASH_COUNT(summary->entries) + summary->mapping->legacy_count +
	                    summary->mapping->expectation_count + summary->mapping->tag_key_count + REASONS_MAX;
	struct row *rows = calloc(room, sizeof(*rows));
	if (!rows)
		arena_exhausted();
	*count = section->collect(summary, rows);
	if (*count)
		qsort(rows, *count, sizeof(*rows), order_rows);
	return rows;
}

static uint64_t event_count(const struct summary *summary)
{
	const struct accounts *accounts = rehearsal_accounts(summary->rehearsal);
	uint64_t count = 0;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		count += accounts->outcomes[i];
	return count;
}

/* Only for the first rows: a hint costs a comparison with every known name. */
static const char *row_hint(const struct summary *summary, const struct section *section, const struct row *row, size_t index)
{
	const bool is_hinted = section->collect == collect_unmapped || section->collect == collect_fallback;
	return is_hinted && row->is_unknown && index < HINTS_MAX ? problem_nearest(row->name, summary->known_names) : NULL;
}

static void print_row(const struct summary *summary, const struct section *section, const struct row *row, size_t index,
                      FILE *out)
{
	const char *hint = row_hint(summary, section, row, index);
	fprintf(out, "  %10llu  ", (unsigned long long)row->count);
	quote_put(out, row->name, NAME_SHOWN);
	if (section->joint) {
		fputs(section->joint, out);
		quote_put(out, row->about, NAME_SHOWN);
	}
	if (row->first)
		fprintf(out, " (first in line %llu)", (unsigned long long)row->first);
	if (hint)
		fprintf(out, " (did you mean %s?)", hint);
	fputc('\n', out);
}

static void print_section(const struct summary *summary, const struct section *section, FILE *out)
{
	size_t count;
	struct row *rows = section_rows(summary, section, &count);
	if (count || section->is_always_told)
		fprintf(out, "\n%s:%s\n", section->heading, count ? "" : " none");
	for (size_t i = 0; i < count; i++)
		print_row(summary, section, &rows[i], i, out);
	free(rows);
}

void summary_print_text(const struct summary *summary, FILE *out)
{
	const struct accounts *accounts = rehearsal_accounts(summary->rehearsal);
	fprintf(out, "events: %llu\n", (unsigned long long)event_count(summary));
	for (int i = 0; i < OUTCOME_COUNT; i++)
		if (accounts->outcomes[i])
			fprintf(out, "  %10llu  %s\n", (unsigned long long)accounts->outcomes[i], outcome_names[i]);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		print_section(summary, &sections[i], out);
	if (accounts->names_limited)
		fprintf(out, "\nnames of metrics beyond limits.names (sent as __other__): %llu\n",
		        (unsigned long long)accounts->names_limited);
	if (summary->others.count)
		fprintf(out, "\nevents of further identifiers, beyond the first %d: %llu\n", SUMMARY_IDENTIFIERS,
		        (unsigned long long)summary->others.count);
}

static void put_section(struct json_writer *writer, const struct summary *summary, const struct section *section)
{
	size_t count;
	struct row *rows = section_rows(summary, section, &count);
	json_writer_open_array(writer, section->key);
	for (size_t i = 0; i < count; i++) {
		const char *hint = row_hint(summary, section, &rows[i], i);
		json_writer_open_object(writer, NULL);
		json_writer_put_count(writer, "count", rows[i].count);
		json_writer_put_text(writer, section->name_key, rows[i].name);
		if (section->about_key)
			json_writer_put_text(writer, section->about_key, rows[i].about);
		if (rows[i].first)
			json_writer_put_count(writer, "first_line", rows[i].first);
		if (hint)
			json_writer_put_text(writer, "did_you_mean", span_of(hint));
		json_writer_close_object(writer);
	}
	json_writer_close_array(writer);
	free(rows);
}

void summary_print_json(const struct summary *summary, FILE *out)
{
	const struct accounts *accounts = rehearsal_accounts(summary->rehearsal);
	struct json_writer writer = {.out = out};
	json_writer_open_object(&writer, NULL);
	json_writer_put_count(&writer, "events", event_count(summary));
	json_writer_open_object(&writer, "outcomes");
	for (int i = 0; i < OUTCOME_COUNT; i++)
		json_writer_put_count(&writer, outcome_names[i], accounts->outcomes[i]);
	json_writer_close_object(&writer);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		put_section(&writer, summary, &sections[i]);
	json_writer_put_count(&writer, "names_limited", accounts->names_limited);
	json_writer_put_count(&writer, "further", summary->others.count);
	json_writer_close_object(&writer);
	json_writer_end_line(&writer);
}
