/* What a reload puts in the place of what runs: rules, inputs, outputs. First everything that may fail, beside what runs; then
 * the swap, which cannot. */
#ifndef STATSIDECAR_EXCHANGE_H
#define STATSIDECAR_EXCHANGE_H

#include "agent_inside.h"

struct exchange {
	struct agent *agent;
	struct rules *next; /* NULL: none is under way */
	struct input *inputs[INPUTS_MAX];    /* by their place in next; NULL: a default that cannot be opened */
	struct output *outputs[OUTPUTS_MAX]; /* likewise; NULL only before they are opened */
	bool input_is_kept[INPUTS_MAX];
	bool output_is_kept[OUTPUTS_MAX];
	struct input *removed[INPUTS_MAX];
	size_t removed_count;
	size_t prepared_count; /* parts */
	uint32_t old_line_max;
};

/* Takes next over; finds out what stays, opens what is new, tells what is removed. -1, and why, having undone all of it. */
int exchange_prepare(struct exchange *exchange, struct rules *next, struct failure *failure)
	__attribute__((warn_unused_result));
/* Throws away what was prepared: as if it had never been. */
void exchange_discard(struct exchange *exchange);
/* Between two callbacks, once removed inputs have been read to their end, or are given up. */
void exchange_swap(struct exchange *exchange);

/* ---- inside ---- */

bool exchange_keeps_output(const struct exchange *exchange, const struct output *output);

#endif
