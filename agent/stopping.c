#include "agent_inside.h"
#include "clock.h"
#include "leaving.h"
#include "notify.h"

static bool stopping_has_unsent(const struct agent *agent)
{
	for (size_t i = 0; i < agent->output_count; i++) {
		if (agent->outputs[i]->blocks && output_pending(agent->outputs[i]) > 0)
			return true;
	}
	return leaving_has_unsent(agent);
}

void stopping_end_when_sent(struct agent *agent)
{
	if (agent->phase == PHASE_SENDING && !stopping_has_unsent(agent))
		event_base_loopexit(agent->base, NULL);
}

void stopping_begin_sending(struct agent *agent)
{
	if (agent->phase == PHASE_SENDING)
		return;
	agent->phase = PHASE_SENDING;
	for (size_t i = 0; i < agent->part_count; i++) {
		if (agent->parts[i].ending != NULL)
			agent->parts[i].ending(agent->parts[i].context);
	}
}

uint64_t stopping_dropped(const struct agent *agent)
{
	uint64_t dropped = leaving_dropped(agent);

	for (size_t i = 0; i < agent->output_count; i++)
		dropped += agent->rules->accounts.outputs[i].dropped;
	return dropped;
}

/* What is in an output's hands is lost and counted. What an input has not given is known to nobody: it may be lost, or stay in a
 * pipe that a writer or systemd holds open. */
static void stopping_give_up(struct agent *agent, const char *why)
{
	uint64_t before = stopping_dropped(agent);

	stopping_begin_sending(agent);
	for (size_t i = 0; i < agent->output_count; i++)
		output_give_up(agent->outputs[i]);
	leaving_give_up(agent);
	log_warn("%s: %llu metrics dropped", why, (unsigned long long)(stopping_dropped(agent) - before));
	for (size_t i = 0; i < agent->input_count; i++) {
		if (!agent->inputs[i]->is_ended)
			log_warn("input %s: not all that it held could be sent", agent->inputs[i]->settings->label);
	}
	event_base_loopbreak(agent->base);
}

void stopping_on_grace(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	stopping_give_up(context, "shutdown_grace is over");
}

static void stopping_tell_parts(struct agent *agent)
{
	for (size_t i = 0; i < agent->part_count; i++) {
		if (agent->parts[i].stopping != NULL)
			agent->parts[i].stopping(agent->parts[i].context);
	}
}

void stopping_on_signal(void *context, int number)
{
	struct agent *agent = context;
	int64_t grace_ns = agent->rules->settings->shutdown_grace_ns;
	struct timeval grace = {.tv_sec = grace_ns / NS_PER_S, .tv_usec = (suseconds_t)(grace_ns % NS_PER_S / 1000)};

	if (evtimer_pending(agent->grace, NULL)) {
		agent->status = 128 + number;
		stopping_give_up(agent, "a second signal: ending at once");
		return;
	}
	log_info("signal %d: stopping; sending what the inputs hold", number);
	event_add(agent->grace, &grace);
	if (agent->phase == PHASE_RUNNING)
		agent->phase = PHASE_DRAINING;
	notify_stopping();
	reload_abandon(agent);
	stopping_tell_parts(agent);
	for (size_t i = 0; i < agent->input_count; i++)
		input_drain(agent->inputs[i]);
	if (agent->ended_count == agent->input_count)
		stopping_begin_sending(agent);
	(void)pacing_flush(agent);
}
