/* What a translator tells somebody who watches it: every step of an event's way, in order. For explain, test and tap; the running
 * agent has none unless somebody asks. Any function may be NULL. Nothing handed over outlives the call. */
#ifndef STATSIDECAR_TRANSLATE_TRACE_H
#define STATSIDECAR_TRANSLATE_TRACE_H

#include "map/catalogue.h"
#include "map/subject.h"
#include "translate/accounts.h"

enum metric_fate {
	METRIC_MADE,
	METRIC_CONDITION, /* a condition did not hold */
	METRIC_SKIPPED,   /* enum skip says why */
};

enum line_fate {
	LINE_PACKED,
	LINE_FILTERED, /* by the output's filter, or its dialect has no such metric */
	LINE_NEGATIVE, /* counted as filtered: the dialect takes it as a timer, which cannot be negative */
	LINE_SAMPLED_OUT,
	LINE_TOO_LONG,
	LINE_NO_ROOM,
};

struct trace {
	void *context;
	/* The event has a name: `text` is what the line wrote; the subject gives its payload. */
	void (*named)(void *context, const struct identity *identity, struct span text, struct subject *subject);
	/* One that the catalogue expects is missing. */
	void (*missing)(void *context, const struct expectation *expectation);
	void (*rule)(void *context, const struct rule *rule);
	void (*metric)(void *context, const struct metric *metric, enum metric_fate fate, enum skip skip,
	               const struct condition *condition);
	/* For each output of a metric that was made; line is empty unless it was packed. */
	void (*line)(void *context, uint16_t output, enum line_fate fate, struct span line);
	/* The end of an event; the line it came from, of a batch its own element; at == NULL: a lifecycle gave it. */
	void (*done)(void *context, enum outcome outcome, uint16_t input, struct span line);
};

#endif
