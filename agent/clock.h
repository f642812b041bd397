/* The clocks, read nowhere else in the agent. */
#ifndef STATSIDECAR_CLOCK_H
#define STATSIDECAR_CLOCK_H

#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Since the Unix epoch. */
int64_t clock_realtime_ns(void);
/* Since some moment in the past: for intervals. */
int64_t clock_monotonic_ns(void);
/* Processor time that the agent has had: what something costs, however long others kept it waiting. A system call. */
int64_t clock_processor_ns(void);

/* Comes back after so long, or with a signal; later by what the system's timers are late (50 µs by default). */
void clock_rest_ns(int64_t ns);

enum { CLOCK_TIME_LEN = 24 };

/* `2024-11-23T16:18:40.368Z`, CLOCK_TIME_LEN bytes without an end; where it went on. For times from 1970 to 9999; also in the
 * handler of a signal, where gmtime_r() must not be called. */
char *clock_put_time(char *out, int64_t realtime_ns);

#endif
