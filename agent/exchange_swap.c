#include "exchange.h"
#include "leaving.h"

static void input_accounts_add(struct input_accounts *to, const struct input_accounts *from)
{
	to->received += from->received;
	to->kernel_drops += from->kernel_drops;
	to->refused += from->refused;
}

static void output_accounts_add(struct output_accounts *to, const struct output_accounts *from)
{
	to->sent += from->sent;
	to->dropped += from->dropped;
	to->filtered += from->filtered;
	to->sampled_out += from->sampled_out;
	to->bytes += from->bytes;
	to->datagrams += from->datagrams;
	for (size_t i = 0; i < OUTPUT_ERROR_COUNT; i++)
		to->errors[i] += from->errors[i];
}

/* Counters belong to names: what was counted under a name that stays goes on there. */
static void exchange_move_input_accounts(struct rules *next, const struct rules *old)
{
	for (size_t i = 0; i < old->mapping->input_count; i++) {
		const struct input_accounts *from = &old->accounts.inputs[i];
		bool is_found = false;

		for (size_t k = 0; k < next->mapping->input_count && !is_found; k++) {
			is_found = span_equal(old->mapping->inputs[i].label, next->mapping->inputs[k].label);
			if (is_found)
				input_accounts_add(&next->accounts.inputs[k], from);
		}
		if (!is_found)
			next->accounts.removed_received += from->received;
	}
}

static void exchange_move_output_accounts(struct rules *next, const struct rules *old)
{
	for (size_t i = 0; i < old->mapping->output_count; i++) {
		for (size_t k = 0; k < next->mapping->output_count; k++) {
			if (span_equal(old->mapping->outputs[i].label, next->mapping->outputs[k].label))
				output_accounts_add(&next->accounts.outputs[k], &old->accounts.outputs[i]);
		}
	}
}

/* What waits in an output counts under the output's present name. */
static void exchange_balance_outputs(struct agent *agent)
{
	agent_refresh(agent);
	for (size_t i = 0; i < agent->output_count; i++) {
		struct output_accounts *accounts = &agent->rules->accounts.outputs[i];

		accounts->made = accounts->sent + accounts->dropped + accounts->filtered + accounts->sampled_out +
		                 accounts->pending;
	}
}

/* The agent must not know them any more: what is sent next may be too much for an output that blocks, and pause all inputs. */
static void exchange_close_removed(const struct exchange *exchange)
{
	struct agent *agent = exchange->agent;

	agent->input_count = 0;
	for (size_t i = 0; i < exchange->next->settings->input_count; i++) {
		if (exchange->input_is_kept[i])
			agent->inputs[agent->input_count++] = exchange->inputs[i];
	}
	for (size_t i = 0; i < exchange->removed_count; i++) {
		struct input *input = exchange->removed[i];

		if (!input->is_ended)
			log_warn("input %s: an output that blocks took nothing for shutdown_grace: what it still held is lost",
			         input->settings->label);
		else
			log_info("input %s is closed", input->settings->label);
		input_close(input);
	}
}

static void exchange_swap_inputs(struct exchange *exchange)
{
	struct agent *agent = exchange->agent;
	struct rules *next = exchange->next;

	agent->input_count = 0;
	agent->ended_count = 0;
	for (size_t i = 0; i < next->settings->input_count; i++) {
		struct input *input = exchange->inputs[i];

		if (input == NULL)
			continue;
		if (exchange->input_is_kept[i])
			input_adopt(input, &next->settings->inputs[i], (uint16_t)i, &next->accounts.inputs[i]);
		else
			input_start(input);
		agent->inputs[agent->input_count++] = input;
		agent->ended_count += input->is_ended;
	}
}

static void exchange_swap_outputs(struct exchange *exchange, struct rules *old)
{
	struct agent *agent = exchange->agent;
	struct rules *next = exchange->next;

	for (size_t i = 0; i < agent->output_count; i++) {
		if (!exchange_keeps_output(exchange, agent->outputs[i]))
			leaving_add(agent, agent->outputs[i], old);
	}
	for (size_t i = 0; i < next->settings->output_count; i++) {
		if (exchange->output_is_kept[i])
			output_adopt(exchange->outputs[i], &next->settings->outputs[i], &next->accounts.outputs[i]);
		else
			rules_warn_of_origin(&next->settings->outputs[i]);
		agent->outputs[i] = exchange->outputs[i];
	}
	agent->output_count = next->settings->output_count;
}

static void exchange_warn_of_sandbox(const struct settings *next, const struct settings *old)
{
	if (next->sandbox != old->sandbox)
		log_warn("sandbox: what has been given up cannot be taken back; this needs a restart");
}

static void exchange_tell_parts(const struct agent *agent)
{
	for (size_t i = 0; i < agent->part_count; i++) {
		if (agent->parts[i].changed != NULL)
			agent->parts[i].changed(agent->parts[i].context);
	}
}

void exchange_swap(struct exchange *exchange)
{
	struct agent *agent = exchange->agent;
	struct rules *old = agent->rules;
	struct rules *next = exchange->next;

	pacing_begin(agent);
	agent_refresh(agent);
	exchange_close_removed(exchange);
	(void)pacing_flush(agent);
	accounts_inherit(&next->accounts, next->mapping, &old->accounts, old->mapping);
	exchange_move_input_accounts(next, old);
	exchange_move_output_accounts(next, old);
	translator_inherit(next->translator, old->translator);
	exchange_swap_inputs(exchange);
	exchange_swap_outputs(exchange, old);
	agent->rules = next;
	agent->input_owner.translator = next->translator;
	agent->input_owner.line_max = next->mapping->limits.line;
	/* What the new lifecycles wait for may come sooner. */
	event_del(agent->moves);
	leaving_recount(agent);
	exchange_balance_outputs(agent);
	log_configure(next->settings->log_level, next->settings->log_format);
	exchange_warn_of_sandbox(next->settings, old->settings);
	rules_retire(old);
	*exchange = (struct exchange){.agent = agent};
	exchange_tell_parts(agent);
}
