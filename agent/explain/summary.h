/* Counts over a stream of lines: outcomes, identifiers that no rule takes, legacy names in use, missing payload. Bounded
 * memory: beyond SUMMARY_IDENTIFIERS different ones, events of further identifiers are counted together. */
#ifndef STATSIDECAR_EXPLAIN_SUMMARY_H
#define STATSIDECAR_EXPLAIN_SUMMARY_H

#include <stdio.h>

#include "map/mapping.h"

enum { SUMMARY_IDENTIFIERS = 20000 };

struct summary;

struct summary *summary_new(const struct mapping *mapping);
void summary_free(struct summary *summary);

void summary_set_input(struct summary *summary, uint16_t input);

/* One line; context is the summary. */
void summary_take(void *context, struct span line);

void summary_print_text(const struct summary *summary, FILE *out);
void summary_print_json(const struct summary *summary, FILE *out);

#endif
