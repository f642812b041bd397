/* The admin pages over HTTP: the status page, probes, metrics for Prometheus, and an API for what is going on. They only
 * look: nothing here changes what the agent does.
 *
 *     admin.c         who answers what; the part that the agent carries along
 *     access.c        who may ask for what
 *     connections.c   how many clients, and for how long
 *     metrics.c  status.c  events.c  rejected.c  explain.c  tap.c  probes.c  home.c    a page each
 *     tap_client.c    one who taps;  history.c   what was counted over the last minutes
 *     status.html     what stands at /, carried by settings/carried.h */
#ifndef STATSIDECAR_ADMIN_ADMIN_H
#define STATSIDECAR_ADMIN_ADMIN_H

#include "agent.h"

struct admin;

/* Joins the agent, which is borrowed; before agent_open(). NULL only without memory. */
struct admin *admin_new(struct agent *agent);
void admin_free(struct admin *admin);

/* Opens what the settings say. Where the address stands only by default and cannot be opened it is a warning; else -1, and why. */
int admin_open(struct admin *admin, struct failure *failure) __attribute__((warn_unused_result));

#endif
