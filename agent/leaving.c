#include "leaving.h"

#include <stdlib.h>

#include "clock.h"

enum {
	/* Each holds a packer's buffer; with more, the one that waits longest gives up. */
	LEAVING_MAX = OUTPUTS_MAX,
};

struct leaving {
	struct leaving *next; /* the one that left before */
	struct output *output;
	struct rules *rules; /* whose settings it was opened with */
	struct output_accounts accounts; /* of a name that is gone */
	struct event *deadline;
	struct agent *agent;
};

static void leaving_free(struct leaving *leaving)
{
	if (leaving->deadline != NULL)
		event_free(leaving->deadline);
	output_free(leaving->output);
	rules_release(leaving->rules);
	free(leaving);
}

static bool leaving_is_done(const struct leaving *leaving)
{
	return output_pending(leaving->output) == 0 || leaving->output->is_over;
}

void leaving_on_sweep(evutil_socket_t fd, short what, void *context)
{
	struct agent *agent = context;
	struct leaving **at = &agent->leaving;

	(void)fd;
	(void)what;
	while (*at != NULL) {
		struct leaving *leaving = *at;

		if (!leaving_is_done(leaving)) {
			at = &leaving->next;
			continue;
		}
		*at = leaving->next;
		leaving_free(leaving);
	}
}

void leaving_review(struct agent *agent)
{
	for (const struct leaving *leaving = agent->leaving; leaving != NULL; leaving = leaving->next) {
		/* Not here: it may be in the middle of a callback. */
		if (leaving_is_done(leaving))
			event_active(agent->sweep, 0, 0);
	}
}

static void leaving_expire(struct leaving *leaving)
{
	uint64_t pending = output_pending(leaving->output);

	output_give_up(leaving->output);
	log_warn("output %s, which the reload removed, had shutdown_grace: %llu metrics dropped",
	         leaving->output->settings->label, (unsigned long long)pending);
	leaving_review(leaving->agent);
}

static void leaving_on_deadline(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	leaving_expire(context);
}

static void leaving_make_room(struct agent *agent)
{
	struct leaving *oldest = NULL;
	size_t count = 0;

	for (struct leaving *leaving = agent->leaving; leaving != NULL; leaving = leaving->next) {
		if (leaving_is_done(leaving))
			continue;
		oldest = leaving;
		count++;
	}
	if (count >= LEAVING_MAX)
		leaving_expire(oldest);
}

void leaving_add(struct agent *agent, struct output *output, struct rules *rules)
{
	int64_t grace_ns = rules->settings->shutdown_grace_ns;
	struct timeval grace = {.tv_sec = grace_ns / NS_PER_S, .tv_usec = (suseconds_t)(grace_ns % NS_PER_S / 1000)};
	struct leaving *leaving = NULL;

	if (output_pending(output) > 0 && !output->is_over) {
		leaving_make_room(agent);
		leaving = calloc(1, sizeof *leaving);
	}
	if (leaving != NULL)
		leaving->deadline = evtimer_new(agent->base, leaving_on_deadline, leaving);
	if (leaving == NULL || leaving->deadline == NULL) {
		free(leaving);
		output_free(output);
		return;
	}
	leaving->agent = agent;
	leaving->output = output;
	leaving->rules = rules;
	rules->users++;
	leaving->next = agent->leaving;
	agent->leaving = leaving;
	event_add(leaving->deadline, &grace);
}

void leaving_recount(struct agent *agent)
{
	const struct mapping *mapping = agent->rules->mapping;

	for (struct leaving *leaving = agent->leaving; leaving != NULL; leaving = leaving->next) {
		struct span label = span_of(leaving->output->settings->label);

		/* What was counted under a name that is gone has gone with it. */
		if (leaving->output->accounts != &leaving->accounts)
			leaving->accounts = (struct output_accounts){.made = 0};
		leaving->output->accounts = &leaving->accounts;
		for (size_t i = 0; i < mapping->output_count; i++) {
			if (span_equal(mapping->outputs[i].label, label))
				leaving->output->accounts = &agent->rules->accounts.outputs[i];
		}
	}
}

uint64_t leaving_pending(const struct agent *agent, const struct output_accounts *accounts)
{
	uint64_t pending = 0;

	for (const struct leaving *leaving = agent->leaving; leaving != NULL; leaving = leaving->next) {
		if (leaving->output->accounts == accounts)
			pending += output_pending(leaving->output);
	}
	return pending;
}

bool leaving_has_unsent(const struct agent *agent)
{
	for (const struct leaving *leaving = agent->leaving; leaving != NULL; leaving = leaving->next) {
		if (leaving->output->blocks && !leaving_is_done(leaving))
			return true;
	}
	return false;
}

bool leaving_has(const struct agent *agent, const struct output *output)
{
	for (const struct leaving *leaving = agent->leaving; leaving != NULL; leaving = leaving->next) {
		if (leaving->output == output)
			return true;
	}
	return false;
}

uint64_t leaving_dropped(const struct agent *agent)
{
	uint64_t dropped = 0;

	for (const struct leaving *leaving = agent->leaving; leaving != NULL; leaving = leaving->next) {
		if (leaving->output->accounts == &leaving->accounts)
			dropped += leaving->accounts.dropped;
	}
	return dropped;
}

void leaving_give_up(struct agent *agent)
{
	for (struct leaving *leaving = agent->leaving; leaving != NULL; leaving = leaving->next)
		output_give_up(leaving->output);
}

void leaving_free_all(struct agent *agent)
{
	while (agent->leaving != NULL) {
		struct leaving *leaving = agent->leaving;

		agent->leaving = leaving->next;
		leaving_free(leaving);
	}
}
