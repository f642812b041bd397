/* The accounts under the names by which users know them (SPEC: `statsidecar_…`): one list, for the log, and for whoever else
 * reports them. */
#ifndef STATSIDECAR_COUNTERS_H
#define STATSIDECAR_COUNTERS_H

#include "agent.h"
#include "agent.h"
#include "map/mapping.h"
#include "translate/accounts.h"

enum { COUNTER_LABELS = 2 };

struct counter {
	const char *name;
	const char *label_names[COUNTER_LABELS]; /* NULL: none */
	struct span label_values[COUNTER_LABELS];
	uint64_t value;
	bool is_gauge;
};

/* Calls visit once for each counter, those of one name in a row. */
void counters_visit(const struct accounts *accounts, const struct mapping *mapping,
                    void (*visit)(void *context, const struct counter *counter), void *context);

void counters_visit_reloads(const struct agent_view *view, void (*visit)(void *context, const struct counter *counter),
                            void *context);

/* Those and what the agent as a whole tells: its reloads, its version. */
void counters_visit_agent(const struct agent_view *view, void (*visit)(void *context, const struct counter *counter),
                          void *context);

/* Everything to the log, as `counters: name{label="value"} 12 …` over as many lines as it takes, then `counters: end`. Rules,
 * fields, names and errors that were never counted are left out. */
void counters_log(const struct agent_view *view);

#endif
