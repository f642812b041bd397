/* A metric of a rule that matched + an event -> what it says, once for all outputs; or why it says nothing. */
#ifndef STATSIDECAR_TRANSLATE_READING_H
#define STATSIDECAR_TRANSLATE_READING_H

#include "base/decimal.h"
#include "emit/render.h"
#include "translate/accounts.h"

/* Where value and rate are written: a rate, the longest set value, and SCAN_PAD more. */
enum { READING_TEXT_SIZE = TAG_LENGTH_HIGH + 4 * SCAN_PAD };

/* Without a look at what few metrics ask for. */
static inline struct span reading_rate(const struct metric *metric)
{
	return metric->is_sampled ? metric->sample_text : (struct span){NULL, 0};
}

/* Of a metric whose value no event changes. */
static inline void reading_constant(struct reading *reading, const struct metric *metric)
{
	*reading = (struct reading){.metric = metric, .value = metric->value.constant, .rate = reading_rate(metric)};
	reading->is_negative = metric->is_negative;
}

/* Whether the value of a metric that asks for a number is one that decimal_scale_short() can write, as most are: then it stands in
 * text. */
static inline bool reading_take_short(const struct metric *metric, struct subject *subject, char *text, struct span *value)
{
	if (!subject_text(subject, metric->value.field, value))
		return false;
	*value = (struct span){text, decimal_scale_short(text, *value, metric->shift)};
	return value->len != 0;
}

/* 0 and the reading, its value in text; else SKIP_ABSENT, _NOT_A_NUMBER or _NEGATIVE by *skip and -1. */
int reading_take(struct reading *reading, const struct metric *metric, struct subject *subject, char *text, enum skip *skip)
	__attribute__((warn_unused_result));

#endif
