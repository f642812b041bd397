#include "exchange.h"

#include "base/arena.h"

static bool exchange_keeps_input(const struct exchange *exchange, const struct input *input)
{
	for (size_t i = 0; i < exchange->next->settings->input_count; i++) {
		if (exchange->inputs[i] == input)
			return true;
	}
	return false;
}

bool exchange_keeps_output(const struct exchange *exchange, const struct output *output)
{
	for (size_t i = 0; i < exchange->next->settings->output_count; i++) {
		if (exchange->outputs[i] == output)
			return true;
	}
	return false;
}

static struct input *exchange_find_input(const struct exchange *exchange, const struct input_settings *wanted)
{
	const struct agent *agent = exchange->agent;
	struct input *found = NULL;

	for (size_t i = 0; i < agent->input_count; i++) {
		struct input *input = agent->inputs[i];

		if (!endpoint_is_same(&input->settings->endpoint, &wanted->endpoint) || exchange_keeps_input(exchange, input) ||
		    !input_is_in_place(input))
			continue;
		if (strcmp(input->settings->label, wanted->label) == 0)
			return input;
		if (found == NULL)
			found = input;
	}
	return found;
}

static struct output *exchange_find_output(const struct exchange *exchange, const struct output_settings *wanted)
{
	const struct agent *agent = exchange->agent;
	struct output *found = NULL;

	for (size_t i = 0; i < agent->output_count; i++) {
		struct output *output = agent->outputs[i];

		if (output->is_over || !endpoint_is_same(&output->settings->endpoint, &wanted->endpoint) ||
		    exchange_keeps_output(exchange, output))
			continue;
		if (strcmp(output->settings->label, wanted->label) == 0)
			return output;
		if (found == NULL)
			found = output;
	}
	return found;
}

/* An input that is to be removed may stand in the way of one that is to be opened: 127.0.0.1:8127 of 0.0.0.0:8127. */
static struct input *exchange_find_obstacle(const struct exchange *exchange, const struct endpoint *wanted)
{
	const struct agent *agent = exchange->agent;

	for (size_t i = 0; i < agent->input_count; i++) {
		const struct endpoint *endpoint = &agent->inputs[i]->settings->endpoint;

		if (endpoint->transport == wanted->transport && endpoint->port == wanted->port && endpoint->port != 0 &&
		    !exchange_keeps_input(exchange, agent->inputs[i]))
			return agent->inputs[i];
	}
	return NULL;
}

static struct input *exchange_open_beside(struct exchange *exchange, size_t index, struct failure *failure)
{
	struct input_owner *owner = &exchange->agent->input_owner;
	struct rules *next = exchange->next;
	const struct input_settings *settings = &next->settings->inputs[index];
	struct input *obstacle = exchange_find_obstacle(exchange, &settings->endpoint);
	struct input *input;

	if (obstacle == NULL)
		return input_open(settings, (uint16_t)index, &next->accounts.inputs[index], owner, failure);
	owner->port_use = PORT_SHARED;
	input_use_port(obstacle, PORT_SHARED);
	input = input_open(settings, (uint16_t)index, &next->accounts.inputs[index], owner, failure);
	input_use_port(obstacle, PORT_ALONE);
	if (input != NULL)
		input_use_port(input, PORT_ALONE);
	owner->port_use = PORT_ALONE;
	return input;
}

static int exchange_open_new_inputs(struct exchange *exchange, struct failure *failure)
{
	const struct settings *settings = exchange->next->settings;
	size_t open_count = 0;

	for (size_t i = 0; i < settings->input_count; i++) {
		if (exchange->inputs[i] == NULL)
			exchange->inputs[i] = exchange_open_beside(exchange, i, failure);
		if (exchange->inputs[i] == NULL && !settings->inputs[i].is_default)
			return -1;
		if (exchange->inputs[i] == NULL)
			log_warn("input %s is left out: %s", settings->inputs[i].label, failure->text);
		else
			open_count++;
	}
	return open_count > 0 ? 0 : failure_set(failure, "no input could be opened");
}

static int exchange_open_inputs(struct exchange *exchange, struct failure *failure)
{
	const struct settings *settings = exchange->next->settings;

	for (size_t i = 0; i < settings->input_count; i++) {
		exchange->inputs[i] = exchange_find_input(exchange, &settings->inputs[i]);
		exchange->input_is_kept[i] = exchange->inputs[i] != NULL;
	}
	for (size_t i = 0; i < settings->input_count; i++) {
		uint32_t line_max = exchange->agent->input_owner.line_max;

		if (exchange->input_is_kept[i] &&
		    input_prepare(exchange->inputs[i], &settings->inputs[i], line_max, failure) < 0)
			return -1;
	}
	return exchange_open_new_inputs(exchange, failure);
}

static int exchange_open_outputs(struct exchange *exchange, struct failure *failure)
{
	struct rules *next = exchange->next;

	for (size_t i = 0; i < next->settings->output_count; i++) {
		const struct output_settings *settings = &next->settings->outputs[i];
		struct output *output = exchange_find_output(exchange, settings);

		exchange->output_is_kept[i] = output != NULL;
		if (output == NULL)
			output = output_new(settings, &next->accounts.outputs[i], &exchange->agent->output_owner, failure);
		if (output == NULL)
			return -1;
		exchange->outputs[i] = output;
		next->packers[i] = &output->packer;
		if (exchange->output_is_kept[i] && output_prepare(output, settings, failure) < 0)
			return -1;
	}
	return 0;
}

static int exchange_prepare_parts(struct exchange *exchange, struct failure *failure)
{
	const struct agent *agent = exchange->agent;

	for (; exchange->prepared_count < agent->part_count; exchange->prepared_count++) {
		const struct agent_part *part = &agent->parts[exchange->prepared_count];

		if (part->prepare != NULL && part->prepare(part->context, exchange->next->settings, failure) < 0)
			return -1;
	}
	return 0;
}

struct start {
	struct rules *rules;
	int result;
};

static void attempt_start(void *context)
{
	struct start *start = context;

	start->result = rules_start(start->rules);
}

/* Everything that may fail. */
static int exchange_open(struct exchange *exchange, struct failure *failure)
{
	struct agent *agent = exchange->agent;
	uint32_t line_max = exchange->next->mapping->limits.line;
	struct start start = {exchange->next, -1};

	exchange->old_line_max = agent->input_owner.line_max;
	/* Connections that begin from now on must do for the new rules as well as for the old ones. */
	if (line_max > agent->input_owner.line_max)
		agent->input_owner.line_max = line_max;
	if (exchange_open_outputs(exchange, failure) < 0 || exchange_open_inputs(exchange, failure) < 0)
		return -1;
	if (!arena_attempt(attempt_start, &start) || start.result < 0)
		return failure_set(failure, "no memory for the new rules' tables");
	return exchange_prepare_parts(exchange, failure);
}

void exchange_discard(struct exchange *exchange)
{
	const struct agent *agent = exchange->agent;
	struct rules *next = exchange->next;

	while (exchange->prepared_count > 0) {
		const struct agent_part *part = &agent->parts[--exchange->prepared_count];

		if (part->refused != NULL)
			part->refused(part->context);
	}
	for (size_t i = 0; i < next->settings->input_count; i++) {
		if (exchange->inputs[i] != NULL && !exchange->input_is_kept[i])
			input_discard(exchange->inputs[i]);
	}
	for (size_t i = 0; i < next->settings->output_count; i++) {
		if (!exchange->output_is_kept[i])
			output_free(exchange->outputs[i]);
	}
	exchange->agent->input_owner.line_max = exchange->old_line_max;
	*exchange = (struct exchange){.agent = exchange->agent};
	rules_retire(next);
}

static void exchange_find_removed(struct exchange *exchange)
{
	const struct agent *agent = exchange->agent;

	for (size_t i = 0; i < agent->input_count; i++) {
		if (!exchange_keeps_input(exchange, agent->inputs[i]))
			exchange->removed[exchange->removed_count++] = agent->inputs[i];
	}
}

int exchange_prepare(struct exchange *exchange, struct rules *next, struct failure *failure)
{
	exchange->next = next;
	if (exchange_open(exchange, failure) < 0) {
		exchange_discard(exchange);
		return -1;
	}
	exchange_find_removed(exchange);
	return 0;
}
