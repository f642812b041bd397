#define _GNU_SOURCE
#include "agent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "agent_inside.h"
#include "clock.h"
#include "counters.h"
#include "input/passed.h"
#include "leaving.h"
#include "notify.h"
#include "reserve.h"
#include "sandbox.h"

enum {
	UNWATCHED_MS = 100,
	/* More timers than run at once: a timer takes no memory later. */
	TIMERS = 256,
	/* So long an output may be away before readiness is told nevertheless: it cannot be waited for for ever. */
	READY_AFTER_S = 5,
};

#define AGENT_OF(owner_, member) ((struct agent *)(void *)((char *)(owner_) - offsetof(struct agent, member)))

const char *const reload_result_names[RELOAD_RESULT_COUNT] = {
	[RELOAD_SUCCESS] = "success",
	[RELOAD_FAILURE] = "failure",
};

/* ---- what inputs and outputs ask of the agent ---- */

static void agent_begin_for_input(struct input_owner *owner)
{
	pacing_begin(AGENT_OF(owner, input_owner));
}

static bool agent_flush_for_input(struct input_owner *owner)
{
	return pacing_flush(AGENT_OF(owner, input_owner));
}

static void agent_on_relieved(struct output_owner *owner)
{
	(void)pacing_flush(AGENT_OF(owner, output_owner));
}

static void agent_on_unwatched(struct input_owner *owner)
{
	event_add(AGENT_OF(owner, input_owner)->again, &(struct timeval){.tv_usec = UNWATCHED_MS * 1000});
}

static void agent_on_again(evutil_socket_t fd, short what, void *context)
{
	struct agent *agent = context;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < agent->input_count; i++)
		input_watch(agent->inputs[i]);
}

static void agent_on_input_ended(struct input_owner *owner, struct input *input)
{
	struct agent *agent = AGENT_OF(owner, input_owner);

	agent->ended_count++;
	if (agent->phase == PHASE_RUNNING && !reload_is_under_way(agent))
		log_info("input %s has ended", input->settings->label);
	if (reload_is_under_way(agent))
		reload_on_input_ended(agent);
	else if (agent->ended_count == agent->input_count)
		stopping_begin_sending(agent); /* the flush that follows ends the loop */
}

static void agent_on_output_ended(struct output_owner *owner, struct output *output)
{
	struct agent *agent = AGENT_OF(owner, output_owner);

	log_error("output %s was closed by its reader", output->settings->label);
	if (leaving_has(agent, output))
		return;
	for (size_t i = 0; i < agent->output_count; i++) {
		if (!agent->outputs[i]->is_over)
			return;
	}
	agent->status = EX_IOERR;
	event_base_loopbreak(agent->base);
}

/* ---- what is told ---- */

void agent_refresh(struct agent *agent)
{
	for (size_t i = 0; i < agent->input_count; i++)
		input_refresh(agent->inputs[i]);
	for (size_t i = 0; i < agent->output_count; i++) {
		struct output_accounts *accounts = &agent->rules->accounts.outputs[i];

		accounts->pending = output_pending(agent->outputs[i]) + leaving_pending(agent, accounts);
		accounts->is_up = agent->outputs[i]->is_open;
	}
	if (agent->rules->translator != NULL)
		translator_refresh(agent->rules->translator);
}

static void agent_report(void *context)
{
	struct agent *agent = context;

	counters_log(agent_view(agent));
	log_tell_hidden();
}

/* ---- life ---- */

static void agent_log_libevent(int severity, const char *text)
{
	static struct log_limit limit = LOG_LIMIT("libevent's messages");

	if (severity == EVENT_LOG_ERR)
		log_error("libevent: %s", text);
	else if (severity == EVENT_LOG_WARN)
		log_limited(&limit, LOG_LEVEL_WARN, "libevent: %s", text);
	else
		log_debug("libevent: %s", text);
}

/* It has told why by then; itself it would end with status 1. */
static void agent_on_libevent_failing(int status)
{
	(void)status;
	exit(EX_OSERR);
}

static void ignore_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
}

/* libevent's heap of timers grows when one is added, and never shrinks: it grows here, where it may fail. */
static int loop_reserve_timers(struct event_base *base)
{
	struct event *timers[TIMERS] = {NULL};
	int result = 0;

	for (size_t i = 0; i < TIMERS && result == 0; i++) {
		timers[i] = evtimer_new(base, ignore_timer, NULL);
		if (timers[i] == NULL || event_add(timers[i], &(struct timeval){.tv_sec = 1}) < 0)
			result = -1;
	}
	for (size_t i = 0; i < TIMERS && timers[i] != NULL; i++)
		event_free(timers[i]);
	return result;
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
	if (base != NULL && loop_reserve_timers(base) < 0) {
		event_base_free(base);
		return NULL;
	}
	return base;
}

static int agent_init_events(struct agent *agent)
{
	agent->resume = event_new(agent->base, -1, 0, pacing_on_resume, agent);
	agent->grace = evtimer_new(agent->base, stopping_on_grace, agent);
	agent->moves = evtimer_new(agent->base, pacing_on_moves, agent);
	agent->sweep = event_new(agent->base, -1, 0, leaving_on_sweep, agent);
	agent->again = evtimer_new(agent->base, agent_on_again, agent);
	if (agent->resume == NULL || agent->grace == NULL || agent->moves == NULL || agent->sweep == NULL ||
	    agent->again == NULL)
		return -1;
	return 0;
}

struct agent *agent_new(struct settings *settings, struct mapping *mapping, const struct settings_request *request)
{
	struct agent *agent = calloc(1, sizeof *agent);
	struct rules *rules = rules_new(agent, settings, mapping);

	if (agent == NULL || rules == NULL) {
		free(agent);
		rules_retire(rules);
		return NULL;
	}
	agent->rules = rules;
	agent->request = request;
	agent->view.last_reload_successful = true;
	agent->view.reload_faults = "";
	reserve_install();
	event_set_log_callback(agent_log_libevent);
	event_set_fatal_callback(agent_on_libevent_failing);
	agent->base = loop_new();
	if (agent->base == NULL)
		goto fail;
	agent->resolver = resolver_new(agent->base);
	agent->handler = (struct signals_handler){agent, stopping_on_signal, reload_on_signal, agent_report};
	agent->signals = signals_new(agent->base, &agent->handler);
	agent->reload = reload_new(agent);
	if (agent->resolver == NULL || agent->signals == NULL || agent->reload == NULL || agent_init_events(agent) < 0)
		goto fail;
	agent->input_owner = (struct input_owner){.base = agent->base,
	                                          .line_max = mapping->limits.line,
	                                          .begin = agent_begin_for_input,
	                                          .flush = agent_flush_for_input,
	                                          .unwatched = agent_on_unwatched,
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
	agent->part_count = 0; /* they are gone by now */
	for (size_t i = 0; i < agent->input_count; i++)
		input_close(agent->inputs[i]);
	for (size_t i = 0; i < agent->output_count; i++)
		output_free(agent->outputs[i]);
	leaving_free_all(agent);
	reload_free(agent->reload);
	rules_retire(agent->rules);
	if (agent->grace != NULL)
		event_free(agent->grace);
	if (agent->moves != NULL)
		event_free(agent->moves);
	if (agent->resume != NULL)
		event_free(agent->resume);
	if (agent->sweep != NULL)
		event_free(agent->sweep);
	if (agent->again != NULL)
		event_free(agent->again);
	notify_stop();
	signals_free(agent->signals);
	resolver_free(agent->resolver);
	if (agent->base != NULL)
		event_base_free(agent->base);
	free(agent);
}

static int agent_open_outputs(struct agent *agent, struct failure *failure)
{
	const struct settings *settings = agent->rules->settings;

	for (size_t i = 0; i < settings->output_count; i++) {
		struct output *output =
			output_new(&settings->outputs[i], &agent->rules->accounts.outputs[i], &agent->output_owner, failure);

		if (output == NULL)
			return -1;
		rules_warn_of_origin(&settings->outputs[i]);
		agent->outputs[i] = output;
		agent->rules->packers[i] = &output->packer;
		agent->output_count++;
	}
	return 0;
}

static int agent_open_inputs(struct agent *agent, struct failure *failure)
{
	const struct settings *settings = agent->rules->settings;

	for (size_t i = 0; i < settings->input_count; i++) {
		struct input *input = input_open(&settings->inputs[i], (uint16_t)i, &agent->rules->accounts.inputs[i],
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

int agent_open(struct agent *agent, struct failure *failure)
{
	struct rules *rules = agent->rules;

	if (agent_open_outputs(agent, failure) < 0)
		return -1;
	if (rules_start(rules) < 0)
		return failure_set(failure, "no memory for the rules' tables");
	agent->input_owner.translator = rules->translator;
	if (agent_open_inputs(agent, failure) < 0)
		return -1;
	passed_close_rest();
	return 0;
}

static void agent_log_end(struct agent *agent)
{
	unsigned long long received;
	unsigned long long sent = 0;

	agent_refresh(agent);
	received = agent->rules->accounts.removed_received;
	for (size_t i = 0; i < INPUTS_MAX; i++)
		received += agent->rules->accounts.inputs[i].received;
	for (size_t i = 0; i < agent->output_count; i++)
		sent += agent->rules->accounts.outputs[i].sent;
	log_info("ended: %llu events received, %llu metrics sent, %llu dropped", received, sent,
	         (unsigned long long)stopping_dropped(agent));
}

int agent_run(struct agent *agent)
{
	const struct settings *settings = agent->rules->settings;

	for (size_t i = 0; i < agent->input_count; i++)
		input_start(agent->inputs[i]);
	reload_watch(agent);
	notify_start(agent->base);
	if (settings->sandbox)
		sandbox_enter();
	agent->ready_monotonic_ns = clock_monotonic_ns();
	agent->view.ready_realtime_ns = clock_realtime_ns();
	log_info("ready: %zu of %zu inputs, %zu outputs, configuration %s", agent->input_count, settings->input_count,
	         agent->output_count, settings->origin);
	notify_ready("running on %s", settings->origin);
	if (event_base_dispatch(agent->base) < 0) {
		log_error("the loop has failed: %s", strerror(errno));
		agent->status = EX_OSERR;
	}
	agent_log_end(agent);
	log_tell_hidden();
	return agent->status;
}

/* ---- for the parts ---- */

void agent_add_part(struct agent *agent, const struct agent_part *part)
{
	assert(agent->part_count < AGENT_PARTS_MAX);
	agent->parts[agent->part_count++] = *part;
}

struct event_base *agent_base(const struct agent *agent)
{
	return agent->base;
}

const struct agent_view *agent_view(struct agent *agent)
{
	struct agent_view *view = &agent->view;

	agent_refresh(agent);
	view->settings = agent->rules->settings;
	view->mapping = agent->rules->mapping;
	view->accounts = &agent->rules->accounts;
	view->translator = agent->rules->translator;
	view->packers = agent->rules->packers;
	view->inputs = agent->inputs;
	view->input_count = agent->input_count;
	view->outputs = agent->outputs;
	view->output_count = agent->output_count;
	view->is_stopping = agent->phase != PHASE_RUNNING;
	return view;
}

const char *agent_not_ready(struct agent *agent)
{
	if (agent->ready_monotonic_ns == 0)
		return "starting";
	if (agent->phase != PHASE_RUNNING)
		return "stopping";
	if (agent->was_ready || clock_monotonic_ns() - agent->ready_monotonic_ns >= READY_AFTER_S * NS_PER_S)
		return NULL;
	for (size_t i = 0; i < agent->output_count; i++) {
		if (!output_is_placed(agent->outputs[i]))
			return "an output has neither an address nor a connection yet";
	}
	agent->was_ready = true;
	return NULL;
}

void agent_begin(struct agent *agent)
{
	pacing_begin(agent);
}

void agent_flush(struct agent *agent)
{
	(void)pacing_flush(agent);
}
