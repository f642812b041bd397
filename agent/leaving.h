/* Outputs that a reload has removed: they go on sending what they still hold, for shutdown_grace at most. One that another of
 * the same name replaces goes on counting into that name's accounts; else its counters end with it. */
#ifndef STATSIDECAR_LEAVING_H
#define STATSIDECAR_LEAVING_H

#include "agent_inside.h"

/* Takes the output over, and a share of the settings that it was opened with. */
void leaving_add(struct agent *agent, struct output *output, struct rules *rules);
/* Where accounts are now: those in force, by name. After each change of the rules in force, before the old accounts go. */
void leaving_recount(struct agent *agent);
/* Metrics that wait in those that count into an account. */
uint64_t leaving_pending(const struct agent *agent, const struct output_accounts *accounts);
bool leaving_has_unsent(const struct agent *agent);
/* Frees, at the next turn of the loop, those that hold nothing any more. */
void leaving_review(struct agent *agent);
void leaving_on_sweep(evutil_socket_t fd, short what, void *context);
bool leaving_has(const struct agent *agent, const struct output *output);
/* Dropped since it left, by those without accounts in force. */
uint64_t leaving_dropped(const struct agent *agent);
void leaving_give_up(struct agent *agent);
void leaving_free_all(struct agent *agent);

#endif
