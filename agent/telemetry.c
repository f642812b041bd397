#include "telemetry.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "clock.h"
#include "counters.h"
#include "map/mapping.h"

/* What `metrics: minimal` sends: what comes in, goes out, is lost. */
static const char *const minimal[] = {
	"statsidecar_events_received_total", "statsidecar_input_kernel_drops_total", "statsidecar_input_refused_total",
	"statsidecar_events_total", "statsidecar_unknown_events_total", "statsidecar_metrics_total",
	"statsidecar_output_pending", "statsidecar_output_errors_total", "statsidecar_output_up",
	"statsidecar_values_limited_total", "statsidecar_names_limited_total", "statsidecar_config_reloads_total",
	"statsidecar_config_last_reload_successful",
};

/* How far a counter has been told. */
struct told {
	uint64_t hash; /* of its name and labels; 0: a free slot */
	uint64_t value;
};

struct telemetry {
	struct agent *agent;
	struct event *timer;
	struct told *told; /* open addressing, at most half full */
	size_t told_mask;
	size_t told_count;
	/* The present report. */
	const struct agent_view *view;
	uint32_t outputs;
};

/* ---- what was told ---- */

static uint64_t counter_hash(const struct hash_key *key, const struct counter *counter)
{
	uint64_t hash = hash_span(key, span_of(counter->name));

	for (int i = 0; i < COUNTER_LABELS && counter->label_names[i] != NULL; i++)
		hash = hash * UINT64_C(0x9E3779B97F4A7C15) + hash_span(key, counter->label_values[i]);
	return hash | 1;
}

static struct told *told_find(struct told *slots, size_t mask, uint64_t hash)
{
	size_t slot = (size_t)(hash >> 32) & mask;

	while (slots[slot].hash != 0 && slots[slot].hash != hash)
		slot = (slot + 1) & mask;
	return &slots[slot];
}

/* Room for twice as many; without memory it stays as it is. */
static bool told_grow(struct telemetry *telemetry)
{
	size_t size = telemetry->told == NULL ? 256 : 2 * (telemetry->told_mask + 1);
	struct told *slots = calloc(size, sizeof *slots);

	if (slots == NULL)
		return false;
	for (size_t i = 0; telemetry->told != NULL && i <= telemetry->told_mask; i++) {
		if (telemetry->told[i].hash != 0)
			*told_find(slots, size - 1, telemetry->told[i].hash) = telemetry->told[i];
	}
	free(telemetry->told);
	telemetry->told = slots;
	telemetry->told_mask = size - 1;
	return true;
}

/* What a counter has gained since the last report. One that a reload has begun anew counts from zero. */
static uint64_t told_gain(struct telemetry *telemetry, const struct counter *counter)
{
	uint64_t hash = counter_hash(&telemetry->view->mapping->hash_key, counter);
	struct told *told;
	uint64_t before;

	if (counter->value == 0 && telemetry->told == NULL)
		return 0;
	if ((telemetry->told == NULL || telemetry->told_count > telemetry->told_mask / 2) && !told_grow(telemetry))
		return 0;
	told = told_find(telemetry->told, telemetry->told_mask, hash);
	if (told->hash == 0) {
		if (counter->value == 0)
			return 0;
		telemetry->told_count++;
		told->hash = hash;
	}
	before = counter->value < told->value ? 0 : told->value;
	told->value = counter->value;
	return counter->value - before;
}

/* At a reload: one that has come again, after it was gone, stands at zero, and is told from there, however far it is at the next
 * report. */
static void told_review(void *context, const struct counter *counter)
{
	struct telemetry *telemetry = context;
	struct told *told;

	if (telemetry->told == NULL)
		return;
	told = told_find(telemetry->told, telemetry->told_mask, counter_hash(&telemetry->view->mapping->hash_key, counter));
	if (counter->value < told->value)
		told->value = counter->value;
}

/* ---- a report ---- */

static bool counter_is_wanted(const struct telemetry *telemetry, const struct counter *counter)
{
	if (telemetry->view->settings->telemetry_metrics == TELEMETRY_ALL)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(minimal); i++) {
		if (strcmp(counter->name, minimal[i]) == 0)
			return true;
	}
	return false;
}

/* `statsidecar.events` of statsidecar_events_total. */
static struct span own_name(char *out, size_t size, const struct settings *settings, const char *name)
{
	static const struct span prefix = {"statsidecar_", 12};
	static const struct span suffix = {"_total", 6};
	struct span rest = span_of(name);
	int len;

	if (span_starts(rest, prefix))
		rest = span_skip(rest, prefix.len);
	if (rest.len > suffix.len && span_equal(span_skip(rest, rest.len - suffix.len), suffix))
		rest.len -= suffix.len;
	len = snprintf(out, size, "%s%.*s", settings->telemetry_prefix, SPAN_ARG(rest));
	return (struct span){out, (size_t)len < size ? (size_t)len : size - 1};
}

static void report_counter(void *context, const struct counter *counter)
{
	struct telemetry *telemetry = context;
	struct own_metric metric = {.kind = counter->is_gauge ? METRIC_GAUGE : METRIC_COUNTER};
	char name[256];
	char value[24];
	uint64_t number;
	int len;

	if (!counter_is_wanted(telemetry, counter))
		return;
	number = counter->is_gauge ? counter->value : told_gain(telemetry, counter);
	if (number == 0 && !counter->is_gauge)
		return;
	len = snprintf(value, sizeof value, "%" PRIu64, number);
	metric.name = own_name(name, sizeof name, telemetry->view->settings, counter->name);
	metric.value = (struct span){value, (size_t)len};
	for (int i = 0; i < COUNTER_LABELS && counter->label_names[i] != NULL; i++)
		metric.tags[metric.tag_count++] =
			(struct own_tag){span_of(counter->label_names[i]), counter->label_values[i]};
	translator_make_own(telemetry->view->translator, &metric, telemetry->outputs);
}

static uint32_t telemetry_outputs(const struct settings *settings)
{
	uint32_t outputs = 0;

	for (size_t i = 0; i < settings->output_count; i++) {
		if (!settings->telemetry_is_default || settings->outputs[i].endpoint.transport != TRANSPORT_STDOUT)
			outputs |= UINT32_C(1) << i;
	}
	return outputs;
}

/* Making metrics is counted too: the counters are copied before. */
struct snapshot {
	struct counter *counters;
	size_t count;
	size_t size;
};

static void snapshot_add(void *context, const struct counter *counter)
{
	struct snapshot *snapshot = context;

	if (snapshot->count == snapshot->size) {
		size_t size = snapshot->size == 0 ? 256 : 2 * snapshot->size;
		struct counter *counters = realloc(snapshot->counters, size * sizeof *counters);

		if (counters == NULL)
			return;
		snapshot->counters = counters;
		snapshot->size = size;
	}
	snapshot->counters[snapshot->count++] = *counter;
}

static void telemetry_report(struct telemetry *telemetry)
{
	struct snapshot snapshot = {.counters = NULL};

	telemetry->view = agent_view(telemetry->agent);
	telemetry->outputs = telemetry_outputs(telemetry->view->settings);
	if (!telemetry->view->settings->telemetry_enabled || telemetry->outputs == 0)
		return;
	counters_visit_agent(telemetry->view, snapshot_add, &snapshot);
	for (size_t i = 0; i < snapshot.count; i++)
		report_counter(telemetry, &snapshot.counters[i]);
	free(snapshot.counters);
}

/* ---- when ---- */

static void telemetry_schedule(struct telemetry *telemetry)
{
	const struct settings *settings = agent_view(telemetry->agent)->settings;
	int64_t interval_ns = settings->telemetry_interval_ns;
	struct timeval interval = {.tv_sec = interval_ns / NS_PER_S, .tv_usec = (suseconds_t)(interval_ns % NS_PER_S / 1000)};

	if (settings->telemetry_enabled && telemetry_outputs(settings) != 0)
		event_add(telemetry->timer, &interval);
	else
		event_del(telemetry->timer);
}

static void telemetry_on_timer(evutil_socket_t fd, short what, void *context)
{
	struct telemetry *telemetry = context;

	(void)fd;
	(void)what;
	agent_begin(telemetry->agent);
	telemetry_report(telemetry);
	agent_flush(telemetry->agent);
}

static void telemetry_on_changed(void *context)
{
	struct telemetry *telemetry = context;

	telemetry->view = agent_view(telemetry->agent);
	counters_visit_agent(telemetry->view, told_review, telemetry);
	telemetry_schedule(telemetry);
}

static void telemetry_on_ending(void *context)
{
	struct telemetry *telemetry = context;

	event_del(telemetry->timer);
	telemetry_report(telemetry);
}

void telemetry_start(struct telemetry *telemetry)
{
	telemetry_schedule(telemetry);
}

struct telemetry *telemetry_new(struct agent *agent)
{
	struct telemetry *telemetry = calloc(1, sizeof *telemetry);
	struct agent_part part = {.context = telemetry, .changed = telemetry_on_changed, .ending = telemetry_on_ending};

	if (telemetry == NULL)
		return NULL;
	telemetry->agent = agent;
	telemetry->timer = event_new(agent_base(agent), -1, EV_PERSIST, telemetry_on_timer, telemetry);
	if (telemetry->timer == NULL) {
		free(telemetry);
		return NULL;
	}
	agent_add_part(agent, &part);
	return telemetry;
}

void telemetry_free(struct telemetry *telemetry)
{
	if (telemetry == NULL)
		return;
	event_free(telemetry->timer);
	free(telemetry->told);
	free(telemetry);
}
