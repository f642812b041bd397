#define _GNU_SOURCE
#include "agent.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sysexits.h>

#include "clock.h"
#include "counters.h"
#include "input/input.h"
#include "input/passed.h"
#include "log.h"
#include "output/output.h"
#include "output/resolver.h"
#include "reports.h"
#include "signals.h"

/* What a configuration brings: replaced as a whole. */
struct rules {
	struct settings *settings;
	struct mapping *mapping;
	struct translate_observer observer;
	struct translator *translator;
};

enum phase {
	PHASE_RUNNING,
	PHASE_DRAINING, /* a signal came: what the inputs held then is read */
	PHASE_SENDING,  /* nothing more comes in: what blocks is waited for */
};

struct agent {
	struct input_owner input_owner;
	struct output_owner output_owner;
	struct event_base *base;
	struct resolver *resolver;
	struct signals *signals;
	struct signals_handler handler;
	struct event *resume; /* made active once nothing blocks any more */
	struct event *grace;  /* timer */
	struct event *moves;  /* timer: what lifecycles do by themselves */
	struct rules *rules;
	struct accounts accounts;
	struct input *inputs[INPUTS_MAX];
	struct output *outputs[OUTPUTS_MAX];
	struct packer *packers[OUTPUTS_MAX];
	size_t input_count; /* open ones */
	size_t output_count;
	size_t ended_count;
	size_t next_resumed; /* whose turn it is to go on first */
	enum phase phase;
	bool is_blocked;
	int status;
};

#define AGENT_OF(owner_, member) ((struct agent *)(void *)((char *)(owner_) - offsetof(struct agent, member)))

/* ---- rules ---- */

static void rules_free(struct rules *rules)
{
	if (rules == NULL)
		return;
	translator_free(rules->translator);
	mapping_free(rules->mapping);
	settings_free(rules->settings);
	free(rules);
}

static struct rules *rules_new(struct settings *settings, struct mapping *mapping)
{
	struct rules *rules = calloc(1, sizeof *rules);

	if (rules == NULL) {
		mapping_free(mapping);
		settings_free(settings);
		return NULL;
	}
	rules->settings = settings;
	rules->mapping = mapping;
	rules->observer = reports_observer(settings);
	return rules;
}

/* ---- what inputs and outputs ask of the agent ---- */

static void agent_begin(struct input_owner *owner)
{
	translator_set_time(owner->translator,
	                    (struct moment){.realtime_ns = clock_realtime_ns(), .monotonic_ns = clock_monotonic_ns()});
}

static bool agent_must_wait(const struct agent *agent)
{
	for (size_t i = 0; i < agent->output_count; i++) {
		if (output_is_blocked(agent->outputs[i]))
			return true;
	}
	return false;
}

static bool agent_has_unsent(const struct agent *agent)
{
	for (size_t i = 0; i < agent->output_count; i++) {
		if (agent->outputs[i]->blocks && output_pending(agent->outputs[i]) > 0)
			return true;
	}
	return false;
}

static void agent_end_when_sent(struct agent *agent)
{
	if (agent->phase == PHASE_SENDING && !agent_has_unsent(agent))
		event_base_loopexit(agent->base, NULL);
}

/* Wakes up for the lifecycles where they have something to wait for; without any, or without entities, never. */
static void agent_await_moves(struct agent *agent)
{
	int64_t due_ms;

	if (agent->rules->mapping->lifecycle_count == 0 || evtimer_pending(agent->moves, NULL))
		return;
	due_ms = translator_timer_ms(agent->rules->translator);
	if (due_ms >= 0)
		event_add(agent->moves, &(struct timeval){.tv_sec = due_ms / 1000, .tv_usec = due_ms % 1000 * 1000});
}

static bool agent_flush(struct agent *agent)
{
	bool was_blocked = agent->is_blocked;

	for (size_t i = 0; i < agent->output_count; i++)
		output_flush(agent->outputs[i]);
	agent->is_blocked = agent_must_wait(agent);
	if (agent->is_blocked && !was_blocked) {
		for (size_t i = 0; i < agent->input_count; i++)
			input_pause(agent->inputs[i]);
	} else if (!agent->is_blocked && was_blocked) {
		/* Not here: an input may be in the middle of its turn. */
		event_active(agent->resume, 0, 0);
	}
	agent_end_when_sent(agent);
	agent_await_moves(agent);
	return !agent->is_blocked;
}

static void agent_on_moves(evutil_socket_t fd, short what, void *context)
{
	struct agent *agent = context;

	(void)fd;
	(void)what;
	agent_begin(&agent->input_owner);
	translator_run_timers(agent->rules->translator);
	(void)agent_flush(agent);
}

static bool agent_flush_for_input(struct input_owner *owner)
{
	return agent_flush(AGENT_OF(owner, input_owner));
}

static void agent_on_relieved(struct output_owner *owner)
{
	(void)agent_flush(AGENT_OF(owner, output_owner));
}

static void agent_on_resume(evutil_socket_t fd, short what, void *context)
{
	struct agent *agent = context;
	size_t first = agent->next_resumed++;

	(void)fd;
	(void)what;
	/* One of them may block again; the others then go on first the next time. */
	for (size_t i = 0; i < agent->input_count && !agent->is_blocked; i++)
		input_resume(agent->inputs[(first + i) % agent->input_count]);
}

static void agent_on_oversize(struct input_owner *owner, const struct input *input, struct span start)
{
	struct agent *agent = AGENT_OF(owner, input_owner);
	const struct translate_observer *observer = &agent->rules->observer;

	agent->accounts.inputs[input->index].received++;
	agent->accounts.outcomes[OUTCOME_OVERSIZE]++;
	observer->rejected(observer->context, OUTCOME_OVERSIZE, input->index, start, "the datagram is longer than 64 KiB", 0);
}

static void agent_on_input_ended(struct input_owner *owner, struct input *input)
{
	struct agent *agent = AGENT_OF(owner, input_owner);

	if (agent->phase == PHASE_RUNNING)
		log_info("input %s has ended", input->settings->label);
	if (++agent->ended_count == agent->input_count)
		agent->phase = PHASE_SENDING; /* the flush that follows ends the loop */
}

static void agent_on_output_ended(struct output_owner *owner, struct output *output)
{
	struct agent *agent = AGENT_OF(owner, output_owner);

	log_error("output %s was closed by its reader", output->settings->label);
	for (size_t i = 0; i < agent->output_count; i++) {
		if (agent->outputs[i] != NULL && !agent->outputs[i]->is_over)
			return;
	}
	agent->status = EX_IOERR;
	event_base_loopbreak(agent->base);
}

/* ---- signals ---- */

static uint64_t agent_dropped(const struct agent *agent)
{
	uint64_t dropped = 0;

	for (size_t i = 0; i < agent->output_count; i++)
		dropped += agent->accounts.outputs[i].dropped;
	return dropped;
}

static void agent_give_up(struct agent *agent)
{
	uint64_t before = agent_dropped(agent);

	for (size_t i = 0; i < agent->output_count; i++)
		output_give_up(agent->outputs[i]);
	log_warn("shutdown_grace is over: %llu metrics dropped", (unsigned long long)(agent_dropped(agent) - before));
	event_base_loopbreak(agent->base);
}

static void agent_on_grace(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	agent_give_up(context);
}

static void agent_stop(void *context, int number)
{
	struct agent *agent = context;
	int64_t grace_ns = agent->rules->settings->shutdown_grace_ns;
	struct timeval grace = {.tv_sec = grace_ns / NS_PER_S, .tv_usec = (suseconds_t)(grace_ns % NS_PER_S / 1000)};

	if (evtimer_pending(agent->grace, NULL)) {
		agent->status = 128 + number;
		log_warn("signal %d again: ending at once", number);
		event_base_loopbreak(agent->base);
		return;
	}
	log_info("signal %d: stopping; sending what the inputs hold", number);
	event_add(agent->grace, &grace);
	if (agent->phase == PHASE_RUNNING)
		agent->phase = PHASE_DRAINING;
	for (size_t i = 0; i < agent->input_count; i++)
		input_drain(agent->inputs[i]);
	(void)agent_flush(agent);
}

static void agent_refresh(struct agent *agent)
{
	for (size_t i = 0; i < agent->input_count; i++)
		input_refresh(agent->inputs[i]);
	for (size_t i = 0; i < agent->output_count; i++)
		agent->accounts.outputs[i].pending = output_pending(agent->outputs[i]);
	translator_refresh(agent->rules->translator);
}

static void agent_report(void *context)
{
	struct agent *agent = context;

	agent_refresh(agent);
	counters_log(&agent->accounts, agent->rules->mapping);
	log_tell_hidden();
}

static void agent_reload(void *context)
{
	const struct agent *agent = context;

	log_warn("HUP: a changed configuration is read at the next start; still running on %s", agent->rules->settings->origin);
}

/* ---- life ---- */

static void agent_log_libevent(int severity, const char *text)
{
	if (severity == EVENT_LOG_ERR)
		log_error("libevent: %s", text);
	else if (severity == EVENT_LOG_WARN)
		log_warn("libevent: %s", text);
	else
		log_debug("libevent: %s", text);
}

static struct event_base *loop_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct agent *agent_new(struct settings *settings, struct mapping *mapping)
{
	struct rules *rules = rules_new(settings, mapping);
	struct agent *agent = rules == NULL ? NULL : calloc(1, sizeof *agent);

	if (agent == NULL) {
		rules_free(rules);
		return NULL;
	}
	agent->rules = rules;
	event_set_log_callback(agent_log_libevent);
	agent->base = loop_new();
	if (agent->base == NULL || accounts_init(&agent->accounts, mapping) < 0)
		goto fail;
	agent->resolver = resolver_new(agent->base);
	agent->handler = (struct signals_handler){agent, agent_stop, agent_reload, agent_report};
	agent->signals = signals_new(agent->base, &agent->handler);
	agent->resume = event_new(agent->base, -1, 0, agent_on_resume, agent);
	agent->grace = evtimer_new(agent->base, agent_on_grace, agent);
	agent->moves = evtimer_new(agent->base, agent_on_moves, agent);
	if (agent->resolver == NULL || agent->signals == NULL || agent->resume == NULL || agent->grace == NULL ||
	    agent->moves == NULL)
		goto fail;
	agent->input_owner = (struct input_owner){.base = agent->base,
	                                          .line_max = mapping->limits.line,
	                                          .begin = agent_begin,
	                                          .flush = agent_flush_for_input,
	                                          .oversize = agent_on_oversize,
	                                          .ended = agent_on_input_ended};
	agent->output_owner = (struct output_owner){.base = agent->base,
	                                            .resolver = agent->resolver,
	                                            .relieved = agent_on_relieved,
	                                            .ended = agent_on_output_ended};
	return agent;
fail:
	agent_free(agent);
	return NULL;
}

void agent_free(struct agent *agent)
{
	if (agent == NULL)
		return;
	for (size_t i = 0; i < agent->input_count; i++)
		input_close(agent->inputs[i]);
	for (size_t i = 0; i < agent->output_count; i++) {
		output_free(agent->outputs[i]);
		agent->outputs[i] = NULL;
	}
	rules_free(agent->rules);
	if (agent->grace != NULL)
		event_free(agent->grace);
	if (agent->moves != NULL)
		event_free(agent->moves);
	if (agent->resume != NULL)
		event_free(agent->resume);
	signals_free(agent->signals);
	resolver_free(agent->resolver);
	accounts_fini(&agent->accounts);
	if (agent->base != NULL)
		event_base_free(agent->base);
	free(agent);
}

static void agent_warn_of_origin(const struct output_settings *settings)
{
	if (settings->origin_is_unknown)
		log_warn("output %s: its origin is not known: %s; its metrics carry none", settings->label,
		         settings->origin == ORIGIN_SELF ? "no container id is found, and DD_EXTERNAL_ENV is not set"
		                                         : "DD_ENTITY_ID is not set");
}

static int agent_open_outputs(struct agent *agent, struct failure *failure)
{
	const struct settings *settings = agent->rules->settings;

	for (size_t i = 0; i < settings->output_count; i++) {
		struct output *output =
			output_new(&settings->outputs[i], &agent->accounts.outputs[i], &agent->output_owner, failure);

		if (output == NULL)
			return -1;
		agent_warn_of_origin(&settings->outputs[i]);
		agent->outputs[i] = output;
		agent->packers[i] = &output->packer;
		agent->output_count++;
	}
	return 0;
}

static int agent_open_inputs(struct agent *agent, struct failure *failure)
{
	const struct settings *settings = agent->rules->settings;

	for (size_t i = 0; i < settings->input_count; i++) {
		struct input *input = input_open(&settings->inputs[i], (uint16_t)i, &agent->accounts.inputs[i],
		                                 &agent->input_owner, failure);

		if (input != NULL)
			agent->inputs[agent->input_count++] = input;
		else if (settings->inputs[i].is_default)
			log_warn("input %s is left out: %s", settings->inputs[i].label, failure->text);
		else
			return -1;
	}
	if (agent->input_count == 0)
		return failure_set(failure, "no input could be opened; name one with --input or under `inputs`");
	return 0;
}

/* Where sampling begins: another place in every process. */
static uint64_t agent_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
		seed = (uint64_t)clock_realtime_ns();
	return seed | 1;
}

int agent_open(struct agent *agent, struct failure *failure)
{
	struct rules *rules = agent->rules;

	passed_init();
	if (agent_open_outputs(agent, failure) < 0)
		return -1;
	rules->translator = translator_new(rules->mapping, &agent->accounts, agent->packers, &rules->observer);
	if (rules->translator == NULL)
		return failure_set(failure, "no memory for the rules' tables");
	translator_set_seed(rules->translator, agent_seed());
	agent->input_owner.translator = rules->translator;
	if (agent_open_inputs(agent, failure) < 0)
		return -1;
	passed_close_rest();
	return 0;
}

static void agent_log_end(struct agent *agent)
{
	unsigned long long received = 0;
	unsigned long long sent = 0;

	agent_refresh(agent);
	for (size_t i = 0; i < INPUTS_MAX; i++)
		received += agent->accounts.inputs[i].received;
	for (size_t i = 0; i < agent->output_count; i++)
		sent += agent->accounts.outputs[i].sent;
	log_info("ended: %llu events received, %llu metrics sent, %llu dropped", received, sent,
	         (unsigned long long)agent_dropped(agent));
}

int agent_run(struct agent *agent)
{
	const struct settings *settings = agent->rules->settings;

	log_info("ready: %zu of %zu inputs, %zu outputs, configuration %s", agent->input_count, settings->input_count,
	         agent->output_count, settings->origin);
	event_base_dispatch(agent->base);
	agent_log_end(agent);
	log_tell_hidden();
	return agent->status;
}
