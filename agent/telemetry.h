/* The agent's own metrics as StatsD, to its own outputs: every interval, and once when it ends. Counters as what was added since
 * the last time, where anything was, gauges as they are. Names are those of /metrics without `statsidecar_` and `_total`, behind
 * telemetry.prefix: `statsidecar.events:12|c|#outcome:mapped`.
 *
 * An output gets nothing of it that writes to standard output, unless `telemetry` is configured. */
#ifndef STATSIDECAR_TELEMETRY_H
#define STATSIDECAR_TELEMETRY_H

#include "agent.h"

struct telemetry;

/* Joins the agent, which is borrowed. NULL only without memory. */
struct telemetry *telemetry_new(struct agent *agent);
void telemetry_free(struct telemetry *telemetry);
/* Once the agent is open. */
void telemetry_start(struct telemetry *telemetry);

#endif
