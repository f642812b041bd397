/* What time it is, and times as text. */
#ifndef STATSIDECAR_PUBLISH_MOMENT_H
#define STATSIDECAR_PUBLISH_MOMENT_H

#include <stddef.h>
#include <stdint.h>

int64_t statsidecar_moment_wall_ns(void);
int64_t statsidecar_moment_monotonic_ns(void);
/* Cheaper, and a few milliseconds late. */
int64_t statsidecar_moment_coarse_ns(void);

#define MOMENT_TEXT_MAX 40

/* `2024-05-01T12:30:45.123456Z`; the length. Not gmtime_r(): it takes a lock, which a fork can leave held. */
size_t statsidecar_moment_write(char out[MOMENT_TEXT_MAX], int64_t unix_ns);
/* Seconds, rounded to microseconds: `1.25`, `0.000001`, `-3`; the length. */
size_t statsidecar_moment_write_duration(char out[MOMENT_TEXT_MAX], int64_t duration_ns);

#endif
