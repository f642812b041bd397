#include "admin/history.h"

static void history_add(struct history *history, const struct history_reading *reading)
{
	history->readings[history->count++ % HISTORY_MAX] = *reading;
}

static struct history_reading history_read(const struct accounts *accounts)
{
	struct history_reading reading = {.received = accounts->removed_received};

	for (int i = 0; i < INPUTS_MAX; i++) {
		reading.received += accounts->inputs[i].received;
		reading.lost += accounts->inputs[i].kernel_drops;
	}
	for (int i = 0; i < OUTPUTS_MAX; i++) {
		reading.sent += accounts->outputs[i].sent;
		reading.lost += accounts->outputs[i].dropped;
	}
	reading.unmapped = accounts->outcomes[OUTCOME_UNMAPPED];
	reading.rejected = accounts->outcomes[OUTCOME_UNNAMED] + accounts->outcomes[OUTCOME_MALFORMED] +
	                   accounts->outcomes[OUTCOME_OVERSIZE];
	return reading;
}

void history_note(struct history *history, const struct accounts *accounts, int64_t realtime_ms, int64_t monotonic_ms)
{
	struct history_reading reading = history_read(accounts);
	int64_t silence_ms = monotonic_ms - history->last_ms;

	/* What was counted since then happened before the silence. */
	if (history->count > 0 && silence_ms >= 2 * HISTORY_STEP_MS) {
		reading.realtime_ms = realtime_ms - silence_ms + HISTORY_STEP_MS;
		history_add(history, &reading);
	}
	reading.realtime_ms = realtime_ms;
	history_add(history, &reading);
	history->last_ms = monotonic_ms;
}

const struct history_reading *history_at(const struct history *history, size_t index)
{
	uint64_t kept = history->count < HISTORY_MAX ? history->count : HISTORY_MAX;

	return index < kept ? &history->readings[(history->count - kept + index) % HISTORY_MAX] : NULL;
}
