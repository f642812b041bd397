/* Inside the agent only: its parts, and what its files call of each other.
 *
 *     agent.c      life: new, open, run, free
 *     rules.c      what one configuration brings
 *     pacing.c     who waits for whom: flushing, blocking, going on
 *     stopping.c   signals that end it, the grace
 *     reload.c     from the wish for another configuration to its being in force
 *     exchange.c   what it brings, prepared beside what runs; exchange_swap.c: put in its place
 *     leaving.c    outputs that a reload has removed, and that still hold something (leaving.h)
 */
#ifndef STATSIDECAR_AGENT_INSIDE_H
#define STATSIDECAR_AGENT_INSIDE_H

#include <stddef.h>

#include "agent.h"
#include "input/input.h"
#include "log.h"
#include "output/output.h"
#include "output/resolver.h"
#include "signals.h"

/* What a configuration brings. `users` counts who needs the settings: the agent, and outputs that leave. */
struct rules {
	struct settings *settings;
	struct mapping *mapping;
	struct translate_observer observer; /* the translator's: tells the log and the parts */
	struct translate_observer log;
	struct accounts accounts;
	struct packer *packers[OUTPUTS_MAX];
	struct translator *translator;
	unsigned users;
};

enum phase {
	PHASE_RUNNING,
	PHASE_DRAINING, /* a signal came: what the inputs held then is read */
	PHASE_SENDING,  /* nothing more comes in: what blocks is waited for */
};

struct leaving;
struct reload;

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
	struct event *sweep;  /* made active once an output that leaves may be freed */
	struct event *again;  /* timer: inputs that could not be watched are tried again */
	const struct settings_request *request;
	struct rules *rules;
	struct input *inputs[INPUTS_MAX];
	struct output *outputs[OUTPUTS_MAX];
	size_t input_count; /* open ones */
	size_t output_count;
	size_t ended_count;
	size_t next_resumed; /* whose turn it is to go on first */
	struct leaving *leaving;
	struct reload *reload;
	struct agent_part parts[AGENT_PARTS_MAX];
	size_t part_count;
	struct agent_view view;
	int64_t ready_monotonic_ns;
	bool was_ready; /* agent_not_ready() has said so once */
	enum phase phase;
	bool is_blocked;
	int status;
};

/* ---- rules.c ---- */

/* Takes settings and mapping over, also where it fails (NULL: no memory). */
struct rules *rules_new(struct agent *agent, struct settings *settings, struct mapping *mapping);
/* Once the packers are there: -1 without memory. */
int rules_start(struct rules *rules) __attribute__((warn_unused_result));
/* What only the rules in force need goes at once, the settings with their last user. */
void rules_retire(struct rules *rules);
void rules_release(struct rules *rules);
/* An output whose origin the environment does not tell. */
void rules_warn_of_origin(const struct output_settings *settings);

/* ---- pacing.c ---- */

void pacing_begin(struct agent *agent);
/* False where an output that blocks still holds something. */
bool pacing_flush(struct agent *agent);
/* After inputs or outputs have changed. */
void pacing_review(struct agent *agent);
void pacing_on_resume(evutil_socket_t fd, short what, void *context);
void pacing_on_moves(evutil_socket_t fd, short what, void *context);

/* ---- stopping.c ---- */

void stopping_on_signal(void *context, int number);
void stopping_on_grace(evutil_socket_t fd, short what, void *context);
/* All inputs have ended. */
void stopping_begin_sending(struct agent *agent);
/* Ends the loop, if nothing is left to send. */
void stopping_end_when_sent(struct agent *agent);
uint64_t stopping_dropped(const struct agent *agent);

/* ---- reload.c ---- */

/* NULL only without memory. */
struct reload *reload_new(struct agent *agent);
void reload_free(struct reload *reload);
void reload_on_signal(void *context);
/* The loop is about to run: from now on changed files are noticed. */
void reload_watch(struct agent *agent);
/* One that waits for removed inputs: an input has ended; it is given up, because the agent ends. */
bool reload_is_under_way(const struct agent *agent);
void reload_on_input_ended(struct agent *agent);
void reload_abandon(struct agent *agent);

/* ---- agent.c ---- */

void agent_refresh(struct agent *agent);

#endif
