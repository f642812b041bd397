/* The running agent: who owns what.
 *
 *     agent ── loop, signals, accounts (live as long as it does)
 *       ├─ rules ── settings, mapping, translator: replaced as a whole, by one pointer, when the configuration changes
 *       ├─ inputs[]   read, translate with agent->rules, then flush
 *       └─ outputs[]  each with the packer that the translator renders into
 *
 * One thread, one loop. Every callback that translated something has it sent before it returns, so nothing is held while
 * the loop sleeps. */
#ifndef STATSIDECAR_AGENT_H
#define STATSIDECAR_AGENT_H

#include "failure.h"
#include "map/mapping.h"
#include "settings/settings.h"

struct agent;

/* Takes settings and mapping over, also where it fails (NULL, only without memory). */
struct agent *agent_new(struct settings *settings, struct mapping *mapping);
void agent_free(struct agent *agent);

/* Opens outputs and inputs. Defaults that cannot be opened are a warning; -1, and why, where a configured one cannot, or no
 * input at all. */
int agent_open(struct agent *agent, struct failure *failure) __attribute__((warn_unused_result));

/* Runs until a signal or the end of all inputs; the exit status. */
int agent_run(struct agent *agent);

#endif
