/* A stream of all kinds of lines, and a configuration in which it is known of each what becomes of it. */
#ifndef STATSIDECAR_TESTS_MIXED_H
#define STATSIDECAR_TESTS_MIXED_H

#include "../unit/rig.h"

enum { MIXED_LINE_MAX = 4096, MIXED_OUTPUTS = 4, MIXED_BLOCKING = 3, MIXED_STATSD_INPUT = 1 };

/* What was written so far. */
struct mixed {
	uint64_t seed;
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t events;
	uint64_t made;    /* metrics for each output */
	uint64_t sampled; /* of them those with a sample_rate */
	uint64_t kinds[32];
};

/* Its last input takes StatsD lines; outputs: two that drop, one with a filter, one that may block. */
extern const struct model mixed_model;

/* Writes one line, newline included, and counts what it will be; out has room for 2 * MIXED_LINE_MAX. */
size_t mixed_line(struct mixed *mixed, char *out);
/* One StatsD line, likewise. */
size_t mixed_statsd_line(struct mixed *mixed, char *out);

#endif
