#include "agent_inside.h"
#include "clock.h"
#include "leaving.h"

void pacing_begin(struct agent *agent)
{
	struct moment now = {.realtime_ns = clock_realtime_ns(), .monotonic_ns = clock_monotonic_ns()};

	agent->input_owner.began_ns = now.monotonic_ns;
	translator_set_time(agent->rules->translator, now);
	for (size_t i = 0; i < agent->part_count; i++) {
		if (agent->parts[i].awake != NULL)
			agent->parts[i].awake(agent->parts[i].context, now);
	}
}

static bool pacing_must_wait(const struct agent *agent)
{
	for (size_t i = 0; i < agent->output_count; i++) {
		if (output_is_blocked(agent->outputs[i]))
			return true;
	}
	return false;
}

/* Wakes up for the lifecycles where they have something to wait for; without any, or without entities, never. */
static void pacing_await_moves(struct agent *agent)
{
	int64_t due_ms;

	if (agent->rules->mapping->lifecycle_count == 0 ||
	    (evtimer_pending(agent->moves, NULL) && !translator_is_due_sooner(agent->rules->translator)))
		return;
	due_ms = translator_timer_ms(agent->rules->translator);
	if (due_ms >= 0)
		event_add(agent->moves, &(struct timeval){.tv_sec = due_ms / 1000, .tv_usec = due_ms % 1000 * 1000});
}

void pacing_review(struct agent *agent)
{
	bool was_blocked = agent->is_blocked;

	agent->is_blocked = pacing_must_wait(agent);
	if (agent->is_blocked) {
		for (size_t i = 0; i < agent->input_count; i++)
			input_pause(agent->inputs[i]);
	} else if (!agent->is_blocked && was_blocked) {
		/* Not here: an input may be in the middle of its turn. */
		event_active(agent->resume, 0, 0);
	}
}

bool pacing_flush(struct agent *agent)
{
	for (size_t i = 0; i < agent->output_count; i++)
		output_flush(agent->outputs[i]);
	pacing_review(agent);
	leaving_review(agent);
	stopping_end_when_sent(agent);
	pacing_await_moves(agent);
	return !agent->is_blocked;
}

void pacing_on_moves(evutil_socket_t fd, short what, void *context)
{
	struct agent *agent = context;

	(void)fd;
	(void)what;
	pacing_begin(agent);
	translator_run_timers(agent->rules->translator);
	(void)pacing_flush(agent);
}

void pacing_on_resume(evutil_socket_t fd, short what, void *context)
{
	struct agent *agent = context;
	size_t first = agent->next_resumed++;

	(void)fd;
	(void)what;
	/* One of them may block again; the others then go on first the next time. */
	for (size_t i = 0; i < agent->input_count && !agent->is_blocked; i++)
		input_resume(agent->inputs[(first + i) % agent->input_count]);
}
