/* What was counted over the last minutes, a reading every two seconds in which something happened: for the page's charts. It
 * needs no timer: whoever notices that something happens calls history_note(). */
#ifndef STATSIDECAR_ADMIN_HISTORY_H
#define STATSIDECAR_ADMIN_HISTORY_H

#include "translate/accounts.h"

enum {
	HISTORY_MAX = 180,
	HISTORY_STEP_MS = 2000, /* between two readings, at least */
};

struct history_reading {
	int64_t realtime_ms;
	uint64_t received;
	uint64_t sent;
	uint64_t lost;     /* metrics dropped, and datagrams that the kernel dropped */
	uint64_t unmapped;
	uint64_t rejected; /* unnamed, malformed, oversize */
};

struct history {
	struct history_reading readings[HISTORY_MAX];
	uint64_t count;  /* ever; the last one stands at (count - 1) % HISTORY_MAX */
	int64_t last_ms; /* monotonic */
};

static inline bool history_is_due(const struct history *history, int64_t monotonic_ms)
{
	return history->count == 0 || monotonic_ms - history->last_ms >= HISTORY_STEP_MS;
}

void history_note(struct history *history, const struct accounts *accounts, int64_t realtime_ms, int64_t monotonic_ms);
/* The oldest is 0; NULL behind the last one. */
const struct history_reading *history_at(const struct history *history, size_t index);

#endif
