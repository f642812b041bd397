#include "reports.h"

#include <inttypes.h>
#include <stdio.h>

#include "log.h"

enum {
	QUOTED_SIZE = 2048, /* what is left of a log line */
};

static struct log_limit rejected_limits[OUTCOME_COUNT] = {
	[OUTCOME_UNNAMED] = LOG_LIMIT("lines without an identifier"),
	[OUTCOME_MALFORMED] = LOG_LIMIT("malformed lines"),
	[OUTCOME_OVERSIZE] = LOG_LIMIT("oversize lines"),
};

static void reports_rejected(void *context, enum outcome outcome, uint16_t input, struct span line, const char *why,
                             uint32_t column)
{
	const struct settings *settings = context;
	struct log_limit *limit = &rejected_limits[outcome];
	char quoted[QUOTED_SIZE];
	char place[32] = "";

	if (!log_limit_allows(limit, LOG_LEVEL_WARN))
		return;
	if (column > 0)
		snprintf(place, sizeof place, ", byte %" PRIu32, column);
	log_quote(quoted, sizeof quoted, line, settings->log_quote);
	log_allowed(limit, LOG_LEVEL_WARN, "%s: %s line: %s%s: %s", settings->inputs[input].label, outcome_names[outcome], why,
	            place, quoted);
}

static void reports_limited(void *context, struct span tag, uint32_t limit)
{
	(void)context;
	if (tag.at == NULL)
		log_warn("limits.names: %" PRIu32 " different names made; what templates put into new ones is now __other__",
		         limit);
	else
		log_warn("limits.tag_values: the tag %.*s has had %" PRIu32 " different values; new ones are now __other__",
		         SPAN_ARG(tag), limit);
}

struct translate_observer reports_observer(const struct settings *settings)
{
	struct translate_observer observer = {.rejected = reports_rejected, .limited = reports_limited};

	/* The observer only reads; its context is not const for others that write. */
	memcpy(&observer.context, &settings, sizeof observer.context);
	return observer;
}
