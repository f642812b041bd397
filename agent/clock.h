/* The two clocks, read nowhere else in the agent. */
#ifndef STATSIDECAR_CLOCK_H
#define STATSIDECAR_CLOCK_H

#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Since the Unix epoch. */
int64_t clock_realtime_ns(void);
/* Since some moment in the past: for intervals. */
int64_t clock_monotonic_ns(void);

#endif
