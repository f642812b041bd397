/* Timestamps as events write them -> nanoseconds since the Unix epoch.
 *
 *     2024-05-01T12:30:45.123456789+02:00
 *     date      ^ or a blank        ^ Z, +hh:mm, +hhmm, -hh:mm, also behind one blank; none: UTC; `UTC` too
 *     1714559445.123                ^ a number: Unix seconds; from 1e11 on milliseconds
 */
#ifndef STATSIDECAR_BASE_TIMESTAMP_H
#define STATSIDECAR_BASE_TIMESTAMP_H

#include <stdint.h>

#include "base/span.h"

/* 0 and *ns, or -1 where text is no timestamp, or lies outside the years 1678 to 2261 (what 64 bits of ns hold). */
int timestamp_parse(int64_t *ns, struct span text) __attribute__((warn_unused_result));

/* Writes ns, rounded half up to milliseconds, as decimal seconds (`1.25`, `-0.5`, `0`); the length written, at most
 * TIMESTAMP_SECONDS_MAX. */
#define TIMESTAMP_SECONDS_MAX 24
size_t timestamp_write_seconds(char *out, int64_t ns);

#endif
