/* Timestamps as events write them -> seconds and nanoseconds since the Unix epoch.
 *
 *     2024-05-01T12:30:45.123456789+02:00
 *     date      ^ or a blank        ^ Z, +hh:mm, +hhmm, -hh:mm, also behind one blank; none: UTC; `UTC` too
 *     1714559445.123                ^ a number: Unix seconds; from 1e11 on milliseconds
 */
#ifndef STATSIDECAR_BASE_TIMESTAMP_H
#define STATSIDECAR_BASE_TIMESTAMP_H

#include <stdint.h>

#include "base/span.h"

struct timestamp {
	int64_t seconds; /* before the epoch too, rounded down */
	uint32_t ns;     /* 0 to 999,999,999 */
};

/* 0 and *timestamp, or -1 where text is no timestamp, or lies outside the years 0 to 9999. */
int timestamp_parse(struct timestamp *timestamp, struct span text) __attribute__((warn_unused_result));

/* end - begin, rounded half up to milliseconds. */
int64_t timestamp_between_ms(const struct timestamp *begin, const struct timestamp *end);

/* Writes milliseconds as decimal seconds (`1.25`, `-0.5`, `0`); the length written, at most TIMESTAMP_SECONDS_MAX. */
#define TIMESTAMP_SECONDS_MAX 24
size_t timestamp_write_seconds(char *out, int64_t ms);

#endif
