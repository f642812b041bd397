/* /api/events: what comes in, by identifier, the most recently seen first. */
#include <inttypes.h>
#include <stdlib.h>

#include "admin/page.h"
#include "base/arena.h"
#include "clock.h"
#include "explain/wording.h"
#include "json_writer.h"
#include "map/match.h"
#include "translate/tally.h"

enum { METRICS_SHOWN = 64 };

/* Names are put together in one buffer, again and again. */
struct naming {
	const struct mapping *mapping;
	struct match *matches; /* room for every rule */
	FILE *out;
	char *name;
	size_t len;
};

static void naming_release(void *context)
{
	struct naming *naming = context;

	if (naming->out != NULL)
		fclose(naming->out);
	free(naming->name);
	free(naming->matches);
}

static void naming_init(struct naming *naming, const struct mapping *mapping)
{
	*naming = (struct naming){.mapping = mapping};
	naming->matches = calloc((size_t)mapping->rule_count + 1, sizeof *naming->matches);
	naming->out = open_memstream(&naming->name, &naming->len);
	if (naming->matches == NULL || naming->out == NULL)
		arena_exhausted();
}

static void put_metric(struct json_writer *writer, struct naming *naming, const struct metric *metric, struct span event,
                       const struct span *captures)
{
	rewind(naming->out);
	wording_put_resolved_name(naming->out, naming->mapping, metric, event, captures);
	if (fflush(naming->out) != 0 || ferror(naming->out))
		arena_exhausted();
	json_writer_open_object(writer, NULL);
	json_writer_put_text(writer, "kind", span_of(metric_kind_names[metric->kind]));
	json_writer_put_text(writer, "name", (struct span){naming->name, naming->len});
	json_writer_close_object(writer);
}

/* What the rules make of an identifier, whatever its payload. */
static void put_metrics(struct json_writer *writer, struct naming *naming, struct span event)
{
	const struct mapping *mapping = naming->mapping;
	struct span captures[PATTERN_STARS_MAX];
	bool is_dropped;
	uint32_t count = match_event(mapping, event, naming->matches, mapping->rule_count, &is_dropped);
	uint32_t shown = 0;

	json_writer_open_array(writer, "metrics");
	for (uint32_t i = 0; i < count; i++) {
		const struct match match = naming->matches[i];
		const struct rule *rule = &mapping->rules[match.rule];

		if (!pattern_match(&rule->patterns[match.pattern], event, captures))
			continue; /* cannot be */
		for (uint32_t k = 0; k < rule->metric_count && shown < METRICS_SHOWN; k++, shown++)
			put_metric(writer, naming, &rule->metrics[k], event, captures);
	}
	json_writer_close_array(writer);
}

static void put_entry(struct json_writer *writer, const struct tally_entry *entry, int64_t realtime_ns, int64_t monotonic_ns)
{
	int64_t seen_ns = realtime_ns - (monotonic_ns - entry->seen_ns);

	json_writer_put_text(writer, "event", (struct span){entry->event, entry->event_len});
	json_writer_put_bool(writer, "known", entry->is_known);
	json_writer_put_count(writer, "count", entry->count);
	json_writer_put_real(writer, "rate", tally_rate(entry, monotonic_ns));
	json_writer_put_count(writer, "seen_ms", (uint64_t)(seen_ns / NS_PER_MS));
	json_writer_put_text(writer, "outcome", span_of(outcome_names[entry->outcome]));
	json_writer_put_text(writer, "line", (struct span){entry->line, entry->line_len});
	json_writer_put_bool(writer, "line_is_cut", entry->line_is_cut);
}

int events_write(struct admin *admin, const char *query, FILE *out)
{
	struct json_writer writer = {.out = out};
	struct naming naming = {.out = NULL};
	int64_t realtime_ns = clock_realtime_ns();
	int64_t monotonic_ns = clock_monotonic_ns();
	struct arena_guard guard;

	(void)query;
	if (admin->tally == NULL)
		arena_exhausted();
	arena_guard(&guard, naming_release, &naming);
	naming_init(&naming, admin->mapping);
	json_writer_open_object(&writer, NULL);
	json_writer_put_count(&writer, "now_ms", (uint64_t)(realtime_ns / NS_PER_MS));
	json_writer_put_count(&writer, "evicted", tally_evicted(admin->tally));
	json_writer_open_array(&writer, "events");
	for (const struct tally_entry *entry = NULL; (entry = tally_next(admin->tally, entry)) != NULL;) {
		json_writer_open_object(&writer, NULL);
		put_entry(&writer, entry, realtime_ns, monotonic_ns);
		put_metrics(&writer, &naming, (struct span){entry->event, entry->event_len});
		json_writer_close_object(&writer);
	}
	json_writer_close_array(&writer);
	json_writer_close_object(&writer);
	json_writer_end_line(&writer);
	arena_unguard(&guard);
	naming_release(&naming);
	return HTTP_OK;
}
