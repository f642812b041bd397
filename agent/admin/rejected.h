/* The last lines that were no events, and why: as many as fit, the oldest makes room. */
#ifndef STATSIDECAR_ADMIN_REJECTED_H
#define STATSIDECAR_ADMIN_REJECTED_H

#include <stdint.h>

#include "base/span.h"
#include "map/model.h"

enum {
	REJECTED_MAX = 32,
	REJECTED_LINE_MAX = 400, /* bytes of a line that are kept */
	REJECTED_INPUT_MAX = 80, /* of its input's name */
};

struct rejected_line {
	int64_t realtime_ns;
	enum outcome outcome;
	const char *why; /* static */
	uint32_t column; /* from 1; 0: the line as a whole */
	uint32_t line_len;
	uint32_t input_len;
	bool line_is_cut;
	char line[REJECTED_LINE_MAX];
	char input[REJECTED_INPUT_MAX];
};

struct rejected {
	struct rejected_line lines[REJECTED_MAX];
	uint64_t count; /* ever; the last one stands at (count - 1) % REJECTED_MAX */
};

/* line and input are copied; what does not fit is left out. */
void rejected_add(struct rejected *rejected, const struct rejected_line *about, struct span line, struct span input);
/* The last one is 0; NULL behind the oldest that is kept. */
const struct rejected_line *rejected_at(const struct rejected *rejected, size_t index);

#endif
