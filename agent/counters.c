#include "counters.h"

#include <inttypes.h>
#include <stdio.h>

#include "config.h"
#include "log.h"
#include "map/lifecycle.h"

struct visitor {
	void (*visit)(void *context, const struct counter *counter);
	void *context;
};

static void visit_plain(const struct visitor *visitor, const char *name, uint64_t value)
{
	visitor->visit(visitor->context, &(struct counter){.name = name, .value = value});
}

static void visit_one(const struct visitor *visitor, const char *name, const char *label, struct span text, uint64_t value)
{
	visitor->visit(visitor->context,
	               &(struct counter){.name = name, .label_names = {label}, .label_values = {text}, .value = value});
}

static void visit_two(const struct visitor *visitor, const char *name, const char *const labels[2],
                      const struct span texts[2], uint64_t value)
{
	visitor->visit(visitor->context, &(struct counter){.name = name,
	                                                   .label_names = {labels[0], labels[1]},
	                                                   .label_values = {texts[0], texts[1]},
	                                                   .value = value});
}

static void visit_inputs(const struct visitor *visitor, const struct accounts *accounts, const struct mapping *mapping)
{
	for (size_t i = 0; i < mapping->input_count; i++)
		visit_one(visitor, "statsidecar_events_received_total", "input", mapping->inputs[i].label,
		          accounts->inputs[i].received);
	/* Beside the sum of the outcomes stands all that was received. */
	if (accounts->removed_received > 0)
		visit_one(visitor, "statsidecar_events_received_total", "input", SPAN("(removed)"), accounts->removed_received);
	for (size_t i = 0; i < mapping->input_count; i++)
		visit_one(visitor, "statsidecar_input_kernel_drops_total", "input", mapping->inputs[i].label,
		          accounts->inputs[i].kernel_drops);
	for (size_t i = 0; i < mapping->input_count; i++)
		visit_one(visitor, "statsidecar_input_refused_total", "input", mapping->inputs[i].label,
		          accounts->inputs[i].refused);
}

static void visit_metrics(const struct visitor *visitor, const struct output_accounts *output, struct span label)
{
	static const char *const labels[2] = {"output", "outcome"};
	const struct {
		struct span outcome;
		uint64_t value;
	} rows[] = {
		{SPAN("sent"), output->sent},
		{SPAN("dropped"), output->dropped},
		{SPAN("filtered"), output->filtered},
		{SPAN("sampled_out"), output->sampled_out},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		visit_two(visitor, "statsidecar_metrics_total", labels, (struct span[2]){label, rows[i].outcome}, rows[i].value);
}

static void visit_outputs(const struct visitor *visitor, const struct accounts *accounts, const struct mapping *mapping)
{
	static const char *const labels[2] = {"output", "error"};
	const struct output_accounts *outputs = accounts->outputs;

	for (size_t i = 0; i < mapping->output_count; i++)
		visit_metrics(visitor, &outputs[i], mapping->outputs[i].label);
	for (size_t i = 0; i < mapping->output_count; i++)
		visitor->visit(visitor->context, &(struct counter){.name = "statsidecar_output_pending",
		                                                   .label_names = {"output"},
		                                                   .label_values = {mapping->outputs[i].label},
		                                                   .value = outputs[i].pending,
		                                                   .is_gauge = true});
	for (size_t i = 0; i < mapping->output_count; i++)
		visit_one(visitor, "statsidecar_output_bytes_total", "output", mapping->outputs[i].label, outputs[i].bytes);
	for (size_t i = 0; i < mapping->output_count; i++)
		visit_one(visitor, "statsidecar_output_datagrams_total", "output", mapping->outputs[i].label,
		          outputs[i].datagrams);
	for (size_t i = 0; i < mapping->output_count; i++) {
		for (size_t error = 0; error < OUTPUT_ERROR_COUNT; error++)
			visit_two(visitor, "statsidecar_output_errors_total", labels,
			          (struct span[2]){mapping->outputs[i].label, span_of(output_error_names[error])},
			          outputs[i].errors[error]);
	}
	for (size_t i = 0; i < mapping->output_count; i++)
		visitor->visit(visitor->context, &(struct counter){.name = "statsidecar_output_up",
		                                                   .label_names = {"output"},
		                                                   .label_values = {mapping->outputs[i].label},
		                                                   .value = outputs[i].is_up,
		                                                   .is_gauge = true});
}

static void visit_events(const struct visitor *visitor, const struct accounts *accounts, const struct mapping *mapping)
{
	static const char *const missing[2] = {"event", "field"};
	static const char *const legacy[2] = {"alias", "event"};

	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		visit_one(visitor, "statsidecar_events_total", "outcome", span_of(outcome_names[i]), accounts->outcomes[i]);
	visit_plain(visitor, "statsidecar_unknown_events_total", accounts->unknown);
	for (size_t i = 0; i < mapping->legacy_count; i++)
		visit_two(visitor, "statsidecar_legacy_events_total", legacy,
		          (struct span[2]){mapping->legacy[i].alias, mapping->legacy[i].event}, accounts->legacy[i]);
	for (size_t i = 0; i < mapping->expectation_count; i++)
		visit_two(visitor, "statsidecar_payload_missing_total", missing,
		          (struct span[2]){mapping->expectations[i].event, mapping->expectations[i].field},
		          accounts->payload_missing[i]);
	for (size_t i = 0; i < mapping->rule_count; i++) {
		if (mapping->rules[i].account == i)
			visit_one(visitor, "statsidecar_rule_matches_total", "rule", mapping->rules[i].label,
			          accounts->rule_matches[i]);
	}
	for (size_t i = 0; i < SKIP_COUNT; i++)
		visit_one(visitor, "statsidecar_metrics_skipped_total", "reason", span_of(skip_names[i]), accounts->skipped[i]);
	for (size_t i = 0; i < mapping->tag_key_count; i++)
		visit_one(visitor, "statsidecar_values_limited_total", "tag", mapping->tag_keys[i],
		          accounts->values_limited[i]);
	visit_plain(visitor, "statsidecar_names_limited_total", accounts->names_limited);
}

static void visit_lifecycles(const struct visitor *visitor, const struct accounts *accounts, const struct mapping *mapping)
{
	const struct lifecycle *lifecycles = mapping->lifecycles;

	for (size_t i = 0; i < mapping->lifecycle_count; i++) {
		for (size_t state = 0; state < lifecycles[i].state_count; state++)
			visitor->visit(visitor->context,
			               &(struct counter){.name = "statsidecar_lifecycle_entities",
			                                 .label_names = {"lifecycle", "state"},
			                                 .label_values = {lifecycles[i].name, lifecycles[i].states[state]},
			                                 .value = accounts->lifecycles[i].entities[state],
			                                 .is_gauge = true});
	}
	for (size_t i = 0; i < mapping->lifecycle_count; i++)
		visit_one(visitor, "statsidecar_lifecycle_invalid_transitions_total", "lifecycle", lifecycles[i].name,
		          accounts->lifecycles[i].invalid_transitions);
	for (size_t i = 0; i < mapping->lifecycle_count; i++)
		visit_one(visitor, "statsidecar_lifecycle_evicted_total", "lifecycle", lifecycles[i].name,
		          accounts->lifecycles[i].evicted);
	for (size_t i = 0; i < mapping->lifecycle_count; i++)
		visit_one(visitor, "statsidecar_lifecycle_expired_total", "lifecycle", lifecycles[i].name,
		          accounts->lifecycles[i].expired);
}

void counters_visit(const struct accounts *accounts, const struct mapping *mapping,
                    void (*visit)(void *context, const struct counter *counter), void *context)
{
	struct visitor visitor = {visit, context};

	visit_inputs(&visitor, accounts, mapping);
	visit_events(&visitor, accounts, mapping);
	visit_lifecycles(&visitor, accounts, mapping);
	visit_outputs(&visitor, accounts, mapping);
}

void counters_visit_reloads(const struct agent_view *view, void (*visit)(void *context, const struct counter *counter),
                            void *context)
{
	struct visitor visitor = {visit, context};

	for (size_t i = 0; i < RELOAD_RESULT_COUNT; i++)
		visit_one(&visitor, "statsidecar_config_reloads_total", "result", span_of(reload_result_names[i]),
		          view->reloads[i]);
	visit(context, &(struct counter){.name = "statsidecar_config_last_reload_successful",
	                                 .value = view->last_reload_successful,
	                                 .is_gauge = true});
}

void counters_visit_agent(const struct agent_view *view, void (*visit)(void *context, const struct counter *counter),
                          void *context)
{
	visit(context, &(struct counter){.name = "statsidecar_build_info",
	                                 .label_names = {"version"},
	                                 .label_values = {SPAN(PACKAGE_VERSION)},
	                                 .value = 1,
	                                 .is_gauge = true});
	counters_visit(view->accounts, view->mapping, visit, context);
	counters_visit_reloads(view, visit, context);
}

/* One line of the log that is being filled. */
struct counters_line {
	char text[2048];
	size_t len;
};

static size_t counter_write(char *out, size_t size, const struct counter *counter)
{
	int len = snprintf(out, size, " %s", counter->name);
	const char *before = "{";

	for (int i = 0; i < COUNTER_LABELS && counter->label_names[i] != NULL; i++) {
		len += snprintf(out + len, size - (size_t)len, "%s%s=", before, counter->label_names[i]);
		len += (int)log_quote(out + len, size - (size_t)len - 32, counter->label_values[i], 256);
		before = ",";
	}
	len += snprintf(out + len, size - (size_t)len, "%s %" PRIu64, *before == ',' ? "}" : "", counter->value);
	return (size_t)len;
}

static bool counter_is_listed(const struct counter *counter)
{
	static const char *const sparse[] = {
		"statsidecar_legacy_events_total", "statsidecar_payload_missing_total", "statsidecar_rule_matches_total",
		"statsidecar_values_limited_total", "statsidecar_output_errors_total",
	};

	if (counter->value != 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(sparse); i++) {
		if (strcmp(counter->name, sparse[i]) == 0)
			return false;
	}
	return true;
}

static void counters_line_add(void *context, const struct counter *counter)
{
	struct counters_line *line = context;
	char text[1536 + 512];
	size_t len;

	if (!counter_is_listed(counter))
		return;
	len = counter_write(text, sizeof text, counter);
	if (line->len + len >= sizeof line->text) {
		log_answer("counters:%s", line->text);
		line->len = 0;
	}
	if (len >= sizeof line->text)
		return;
	memcpy(line->text + line->len, text, len + 1);
	line->len += len;
}

void counters_log(const struct agent_view *view)
{
	struct counters_line line = {.len = 0};

	counters_visit(view->accounts, view->mapping, counters_line_add, &line);
	counters_visit_reloads(view, counters_line_add, &line);
	if (line.len > 0)
		log_answer("counters:%s", line.text);
	log_answer("counters: end");
}
