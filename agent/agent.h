/* The running agent: who owns what.
 *
 *     agent ── loop, signals, watch, notify (live as long as it does)
 *       ├─ rules ── settings, mapping, translator, accounts: replaced as a whole, by one pointer, when the configuration
 *       │           changes
 *       ├─ inputs[]   read, translate with agent->rules, then flush
 *       ├─ outputs[]  each with the packer that the translator renders into
 *       └─ parts[]    telemetry, HTTP: what stands beside the way of the data
 *
 * One thread, one loop. Every callback that translated something has it sent before it returns, so nothing is held while
 * the loop sleeps. */
#ifndef STATSIDECAR_AGENT_H
#define STATSIDECAR_AGENT_H

#include <event2/event.h>

#include "failure.h"
#include "map/mapping.h"
#include "settings/settings.h"
#include "translate/translate.h"

struct agent;
struct input;
struct output;

enum reload_result { RELOAD_SUCCESS, RELOAD_FAILURE, RELOAD_RESULT_COUNT };
extern const char *const reload_result_names[RELOAD_RESULT_COUNT];

/* The agent, as its parts see it. Pointers hold until the loop goes on: a reload replaces what they point to. */
struct agent_view {
	const struct settings *settings;
	const struct mapping *mapping;
	const struct accounts *accounts;
	struct translator *translator;
	struct packer *const *packers; /* of the outputs, in the mapping's order */
	struct input *const *inputs;   /* the open ones; input->index is the place in settings, mapping and accounts */
	size_t input_count;
	struct output *const *outputs; /* in the mapping's order */
	size_t output_count;
	uint64_t reloads[RELOAD_RESULT_COUNT];
	bool last_reload_successful;  /* true before the first */
	const char *reload_faults;    /* why the last one was refused: lines `FILE:LINE:COLUMN: error: TEXT`; "" if it was not */
	int64_t ready_realtime_ns;    /* when it began to read; 0: not yet */
	bool is_stopping;
};

/* What is asked of the parts that the agent carries along; members may be NULL. */
struct agent_part {
	void *context;
	/* A reload is about to happen: opens what the settings need anew, next to what is open. -1, and why, refuses the reload as
	 * a whole. Followed by one of the two below. */
	int (*prepare)(void *context, const struct settings *settings, struct failure *failure);
	void (*changed)(void *context); /* the new settings are in force: agent_view() shows them */
	void (*refused)(void *context); /* the old ones stay */
	void (*awake)(void *context, struct moment now); /* before each wake-up's events: it must cost nothing */
	/* A line that is no event, as in struct translate_observer. */
	void (*rejected)(void *context, enum outcome outcome, uint16_t input, struct span line, const char *why, uint32_t column);
	void (*stopping)(void *context); /* a signal came: inputs are read to their end */
	void (*ending)(void *context);   /* no event will come any more; what is made now still goes out */
};

enum { AGENT_PARTS_MAX = 4 };

/* Takes settings and mapping over, also where it fails (NULL, only without memory). The request that settings were loaded by
 * is borrowed: a reload asks again. */
struct agent *agent_new(struct settings *settings, struct mapping *mapping, const struct settings_request *request);
void agent_free(struct agent *agent);

/* Opens outputs and inputs. Defaults that cannot be opened are a warning; -1, and why, where a configured one cannot, or no
 * input at all. */
int agent_open(struct agent *agent, struct failure *failure) __attribute__((warn_unused_result));

/* part is copied; before agent_run(). */
void agent_add_part(struct agent *agent, const struct agent_part *part);

/* Runs until a signal or the end of all inputs; the exit status. */
int agent_run(struct agent *agent);

/* ---- for the parts ---- */

struct event_base *agent_base(const struct agent *agent);
/* Brings the accounts up to date. */
const struct agent_view *agent_view(struct agent *agent);
/* Every configured input is open (the agent does not run without), and every output has had an address or a connection, or its
 * time: NULL, and from then on until it stops; else a static text that says why not. */
const char *agent_not_ready(struct agent *agent);
/* Before a part makes metrics by itself (a timer of its own): the time is taken. Behind it: they are sent. */
void agent_begin(struct agent *agent);
void agent_flush(struct agent *agent);

#endif
