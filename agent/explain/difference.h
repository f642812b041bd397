/* Two mappings over the same lines: per identifier as the lines write it, the metrics that the new one makes more, no longer,
 * or otherwise. A metric is told apart by name and type; both mappings have one DogStatsD output (explain/plain.h).
 * Bounded memory: beyond DIFFERENCES_MAX pairs of identifier and metric, further ones are counted together. */
#ifndef STATSIDECAR_EXPLAIN_DIFFERENCE_H
#define STATSIDECAR_EXPLAIN_DIFFERENCE_H

#include <stdio.h>

#include "map/mapping.h"

enum { DIFFERENCES_MAX = 20000 };

struct difference;

struct difference *difference_new(const struct mapping *old_mapping, const struct mapping *new_mapping);
void difference_free(struct difference *difference);

/* One line; context is the difference. */
void difference_take(void *context, struct span line);

bool difference_is_any(const struct difference *difference);
void difference_print_text(struct difference *difference, FILE *out);
void difference_print_json(struct difference *difference, FILE *out);

#endif
