/* /api/status: everything that is counted, as JSON, for the status page and for scripts; with ?history=1 also what was counted
 * over the last minutes. */
#include <stdlib.h>

#include "admin/history.h"
#include "admin/page.h"
#include "admin/tap.h"
#include "clock.h"
#include "config.h"
#include "input/input.h"
#include "json_writer.h"
#include "map/lifecycle.h"
#include "process.h"

static void put_agent(struct json_writer *writer, struct admin *admin, const struct agent_view *view)
{
	const char *why = view->is_stopping ? "stopping" : agent_not_ready(admin->agent);

	json_writer_put_text(writer, "version", SPAN(PACKAGE_VERSION));
	json_writer_put_count(writer, "now_ms", (uint64_t)(clock_realtime_ns() / NS_PER_MS));
	json_writer_put_count(writer, "started_ms", (uint64_t)(view->ready_realtime_ns / NS_PER_MS));
	json_writer_put_bool(writer, "ready", why == NULL);
	if (why != NULL)
		json_writer_put_text(writer, "not_ready", span_of(why));
	json_writer_open_object(writer, "configuration");
	json_writer_put_text(writer, "origin", span_of(view->settings->origin));
	json_writer_open_object(writer, "reloads");
	for (int i = 0; i < RELOAD_RESULT_COUNT; i++)
		json_writer_put_count(writer, reload_result_names[i], view->reloads[i]);
	json_writer_close_object(writer);
	json_writer_put_bool(writer, "last_reload_successful", view->last_reload_successful);
	json_writer_put_text(writer, "faults", span_of(view->reload_faults));
	json_writer_close_object(writer);
}

static bool input_is_open(const struct agent_view *view, size_t index)
{
	for (size_t i = 0; i < view->input_count; i++) {
		if (view->inputs[i]->index == index)
			return true;
	}
	return false;
}

static void put_inputs(struct json_writer *writer, const struct agent_view *view)
{
	uint64_t received = view->accounts->removed_received;

	json_writer_open_array(writer, "inputs");
	for (size_t i = 0; i < view->mapping->input_count; i++) {
		const struct input_accounts *input = &view->accounts->inputs[i];

		received += input->received;
		json_writer_open_object(writer, NULL);
		json_writer_put_text(writer, "name", view->mapping->inputs[i].label);
		json_writer_put_text(writer, "url", span_of(view->settings->inputs[i].endpoint.url));
		json_writer_put_bool(writer, "open", input_is_open(view, i));
		json_writer_put_count(writer, "received", input->received);
		json_writer_put_count(writer, "kernel_drops", input->kernel_drops);
		json_writer_put_count(writer, "refused", input->refused);
		json_writer_close_object(writer);
	}
	json_writer_close_array(writer);
	json_writer_put_count(writer, "received", received);
}

static void put_output(struct json_writer *writer, const struct output_accounts *output)
{
	json_writer_put_bool(writer, "up", output->is_up);
	json_writer_put_count(writer, "made", output->made);
	json_writer_put_count(writer, "sent", output->sent);
	json_writer_put_count(writer, "dropped", output->dropped);
	json_writer_put_count(writer, "filtered", output->filtered);
	json_writer_put_count(writer, "sampled_out", output->sampled_out);
	json_writer_put_count(writer, "pending", output->pending);
	json_writer_put_count(writer, "bytes", output->bytes);
	json_writer_put_count(writer, "datagrams", output->datagrams);
	json_writer_open_object(writer, "errors");
	for (int i = 0; i < OUTPUT_ERROR_COUNT; i++) {
		if (output->errors[i] > 0)
			json_writer_put_count(writer, output_error_names[i], output->errors[i]);
	}
	json_writer_close_object(writer);
}

static void put_outputs(struct json_writer *writer, const struct agent_view *view)
{
	json_writer_open_array(writer, "outputs");
	for (size_t i = 0; i < view->mapping->output_count; i++) {
		const struct output_form *form = &view->mapping->outputs[i];

		json_writer_open_object(writer, NULL);
		json_writer_put_text(writer, "name", form->label);
		json_writer_put_text(writer, "url", span_of(view->settings->outputs[i].endpoint.url));
		json_writer_put_text(writer, "dialect", span_of(dialect_names[form->dialect]));
		put_output(writer, &view->accounts->outputs[i]);
		json_writer_close_object(writer);
	}
	json_writer_close_array(writer);
}

static void put_events(struct json_writer *writer, const struct accounts *accounts)
{
	json_writer_open_object(writer, "outcomes");
	for (int i = 0; i < OUTCOME_COUNT; i++)
		json_writer_put_count(writer, outcome_names[i], accounts->outcomes[i]);
	json_writer_close_object(writer);
	json_writer_put_count(writer, "unknown", accounts->unknown);
	json_writer_open_object(writer, "skipped");
	for (int i = 0; i < SKIP_COUNT; i++)
		json_writer_put_count(writer, skip_names[i], accounts->skipped[i]);
	json_writer_close_object(writer);
}

/* Only what was counted: there may be thousands of each. */
static void put_findings(struct json_writer *writer, const struct mapping *mapping, const struct accounts *accounts)
{
	json_writer_open_array(writer, "legacy");
	for (size_t i = 0; i < mapping->legacy_count; i++) {
		if (accounts->legacy[i] == 0)
			continue;
		json_writer_open_object(writer, NULL);
		json_writer_put_text(writer, "alias", mapping->legacy[i].alias);
		json_writer_put_text(writer, "event", mapping->legacy[i].event);
		json_writer_put_count(writer, "count", accounts->legacy[i]);
		json_writer_close_object(writer);
	}
	json_writer_close_array(writer);
	json_writer_open_array(writer, "missing");
	for (size_t i = 0; i < mapping->expectation_count; i++) {
		if (accounts->payload_missing[i] == 0)
			continue;
		json_writer_open_object(writer, NULL);
		json_writer_put_text(writer, "event", mapping->expectations[i].event);
		json_writer_put_text(writer, "field", mapping->expectations[i].field);
		json_writer_put_count(writer, "count", accounts->payload_missing[i]);
		json_writer_close_object(writer);
	}
	json_writer_close_array(writer);
	json_writer_open_object(writer, "limited");
	json_writer_put_count(writer, "names", accounts->names_limited);
	json_writer_open_object(writer, "values");
	for (size_t i = 0; i < mapping->tag_key_count; i++) {
		if (accounts->values_limited[i] == 0)
			continue;
		json_writer_put_key(writer, mapping->tag_keys[i]);
		json_writer_put_count(writer, NULL, accounts->values_limited[i]);
	}
	json_writer_close_object(writer);
	json_writer_close_object(writer);
}

static void put_lifecycles(struct json_writer *writer, const struct mapping *mapping, const struct accounts *accounts)
{
	json_writer_open_array(writer, "lifecycles");
	for (size_t i = 0; i < mapping->lifecycle_count; i++) {
		const struct lifecycle *lifecycle = &mapping->lifecycles[i];
		const struct lifecycle_accounts *account = &accounts->lifecycles[i];

		json_writer_open_object(writer, NULL);
		json_writer_put_text(writer, "name", lifecycle->name);
		json_writer_open_object(writer, "entities");
		for (size_t state = 0; state < lifecycle->state_count; state++) {
			json_writer_put_key(writer, lifecycle->states[state]);
			json_writer_put_count(writer, NULL, account->entities[state]);
		}
		json_writer_close_object(writer);
		json_writer_put_count(writer, "invalid_transitions", account->invalid_transitions);
		json_writer_put_count(writer, "evicted", account->evicted);
		json_writer_put_count(writer, "expired", account->expired);
		json_writer_close_object(writer);
	}
	json_writer_close_array(writer);
}

static void put_process(struct json_writer *writer)
{
	struct process_numbers numbers;

	process_read(&numbers);
	json_writer_open_object(writer, "process");
	if (numbers.has_usage) {
		json_writer_put_count(writer, "cpu_ms", (uint64_t)(numbers.cpu_s * 1000));
		json_writer_put_count(writer, "resident_bytes", numbers.resident_bytes);
	}
	if (numbers.has_open_fds)
		json_writer_put_count(writer, "open_fds", numbers.open_fds);
	json_writer_close_object(writer);
}

/* Readings of what is counted, each a list in the order of `columns`. */
static void put_history(struct json_writer *writer, const struct history *history)
{
	static const char *const columns[] = {"ms", "received", "sent", "lost", "unmapped", "rejected"};
	const struct history_reading *reading;

	json_writer_open_object(writer, "history");
	json_writer_open_array(writer, "columns");
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		json_writer_put_text(writer, NULL, span_of(columns[i]));
	json_writer_close_array(writer);
	json_writer_open_array(writer, "readings");
	for (size_t i = 0; (reading = history_at(history, i)) != NULL; i++) {
		json_writer_open_array(writer, NULL);
		json_writer_put_count(writer, NULL, (uint64_t)reading->realtime_ms);
		json_writer_put_count(writer, NULL, reading->received);
		json_writer_put_count(writer, NULL, reading->sent);
		json_writer_put_count(writer, NULL, reading->lost);
		json_writer_put_count(writer, NULL, reading->unmapped);
		json_writer_put_count(writer, NULL, reading->rejected);
		json_writer_close_array(writer);
	}
	json_writer_close_array(writer);
	json_writer_close_object(writer);
}

int status_write(struct admin *admin, const char *query, FILE *out)
{
	const struct agent_view *view = agent_view(admin->agent);
	struct json_writer writer = {.out = out};
	size_t len;
	char *history = page_parameter(query, "history", &len);

	json_writer_open_object(&writer, NULL);
	put_agent(&writer, admin, view);
	put_inputs(&writer, view);
	put_outputs(&writer, view);
	put_events(&writer, view->accounts);
	put_findings(&writer, view->mapping, view->accounts);
	put_lifecycles(&writer, view->mapping, view->accounts);
	put_process(&writer);
	json_writer_put_count(&writer, "taps", tap_clients(admin->tap));
	if (history != NULL)
		put_history(&writer, admin->history);
	free(history);
	json_writer_close_object(&writer);
	json_writer_end_line(&writer);
	return HTTP_OK;
}
