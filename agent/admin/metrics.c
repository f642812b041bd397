/* /metrics: the counters as Prometheus reads them, text format 0.0.4.
 *
 *     # HELP statsidecar_events_total Events by what became of them.
 *     # TYPE statsidecar_events_total counter
 *     statsidecar_events_total{outcome="mapped"} 12
 */
#include <inttypes.h>

#include "admin/page.h"
#include "counters.h"
#include "process.h"

static const struct {
	const char *name;
	const char *help;
} families[] = {
	{"statsidecar_events_received_total", "Events read, by input: a line is one, a batch one per element."},
	{"statsidecar_input_kernel_drops_total", "Datagrams that the kernel dropped before they were read."},
	{"statsidecar_input_refused_total", "Datagrams and connections from senders that are not allowed, or too many."},
	{"statsidecar_events_total", "Events by what became of them; their sum is what was received."},
	{"statsidecar_unknown_events_total", "Events that are not in the catalogue."},
	{"statsidecar_legacy_events_total", "Events that came under a legacy name."},
	{"statsidecar_payload_missing_total", "Events without a field that the catalogue expects."},
	{"statsidecar_rule_matches_total", "Events that a rule took."},
	{"statsidecar_metrics_skipped_total", "Metrics that were not made although their rule matched."},
	{"statsidecar_values_limited_total", "Tag values that became __other__ because there were too many."},
	{"statsidecar_names_limited_total", "Templated names that got __other__ because there were too many."},
	{"statsidecar_lifecycle_entities", "Entities that are followed, by state."},
	{"statsidecar_lifecycle_invalid_transitions_total", "Transitions that the lifecycle does not have."},
	{"statsidecar_lifecycle_evicted_total", "Entities forgotten because there were too many."},
	{"statsidecar_lifecycle_expired_total", "Entities forgotten because nothing was heard of them."},
	{"statsidecar_metrics_total", "Metrics made, by output and by what became of them."},
	{"statsidecar_output_pending", "Metrics that wait for the output to take more."},
	{"statsidecar_output_bytes_total", "Bytes that the kernel took."},
	{"statsidecar_output_datagrams_total", "Datagrams (of streams: writes) that the kernel took."},
	{"statsidecar_output_errors_total", "Errors of outputs, by kind."},
	{"statsidecar_output_up", "1 while the output has an address or a connection."},
	{"statsidecar_config_reloads_total", "Reloads of the configuration, by result."},
	{"statsidecar_config_last_reload_successful", "0 while the last reload was refused."},
	{"statsidecar_build_info", "1, labelled with the version."},
	{"process_cpu_seconds_total", "User and system time spent, in seconds."},
	{"process_start_time_seconds", "When the process was started, in seconds since the Unix epoch."},
	{"process_virtual_memory_bytes", "Size of the virtual memory."},
	{"process_resident_memory_bytes", "Size of the resident memory."},
	{"process_open_fds", "Open file descriptors."},
	{"process_max_fds", "How many file descriptors may be open."},
};

struct exposition {
	FILE *out;
	const char *family; /* the last one that was begun; the names of counters are static texts */
	bool is_begun[ARRAY_LEN(families)];
};

static void begin_family(struct exposition *exposition, const char *name, bool is_gauge)
{
	if (exposition->family != NULL && strcmp(exposition->family, name) == 0)
		return;
	exposition->family = name;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		if (strcmp(families[i].name, name) != 0)
			continue;
		exposition->is_begun[i] = true;
		fprintf(exposition->out, "# HELP %s %s\n", name, families[i].help);
	}
	fprintf(exposition->out, "# TYPE %s %s\n", name, is_gauge ? "gauge" : "counter");
}

/* What this configuration has nothing to count of (no lifecycle, no legacy name) is named nevertheless. */
static void put_unused(struct exposition *exposition)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		size_t len = strlen(families[i].name);

		if (!exposition->is_begun[i])
			begin_family(exposition, families[i].name, strcmp(families[i].name + len - 6, "_total") != 0);
	}
}

static void put_label_value(FILE *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.at[i];

		if (byte == '\n')
			fputs("\\n", out);
		else if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else
			fputc(byte, out);
	}
}

static void put_counter(void *context, const struct counter *counter)
{
	struct exposition *exposition = context;
	FILE *out = exposition->out;
	const char *before = "{";

	begin_family(exposition, counter->name, counter->is_gauge);
	fputs(counter->name, out);
	for (int i = 0; i < COUNTER_LABELS && counter->label_names[i] != NULL; i++) {
		fprintf(out, "%s%s=\"", before, counter->label_names[i]);
		put_label_value(out, counter->label_values[i]);
		fputc('"', out);
		before = ",";
	}
	fprintf(out, "%s %" PRIu64 "\n", *before == ',' ? "}" : "", counter->value);
}

static void put_gauge(struct exposition *exposition, const char *name, uint64_t value)
{
	put_counter(exposition, &(struct counter){.name = name, .value = value, .is_gauge = true});
}

static void put_real(struct exposition *exposition, const char *name, double value, bool is_gauge)
{
	begin_family(exposition, name, is_gauge);
	fprintf(exposition->out, "%s %.2f\n", name, value);
}

static void put_process(struct exposition *exposition)
{
	struct process_numbers numbers;

	process_read(&numbers);
	if (numbers.has_usage) {
		put_real(exposition, "process_cpu_seconds_total", numbers.cpu_s, false);
		put_real(exposition, "process_start_time_seconds", numbers.start_s, true);
		put_gauge(exposition, "process_virtual_memory_bytes", numbers.virtual_bytes);
		put_gauge(exposition, "process_resident_memory_bytes", numbers.resident_bytes);
	}
	if (numbers.has_open_fds)
		put_gauge(exposition, "process_open_fds", numbers.open_fds);
	put_gauge(exposition, "process_max_fds", numbers.max_fds);
}

int metrics_write(struct admin *admin, const char *query, FILE *out)
{
	const struct agent_view *view = agent_view(admin->agent);
	struct exposition exposition = {.out = out};

	(void)query;
	counters_visit_agent(view, put_counter, &exposition);
	put_process(&exposition);
	put_unused(&exposition);
	return HTTP_OK;
}
