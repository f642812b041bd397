#include "translate/reading.h"

#include "emit/sanitise.h"

static int fail(enum skip *skip, enum skip why)
{
	*skip = why;
	return -1;
}

static int take_set(struct reading *reading, struct span value, struct subject *subject, char *text, enum skip *skip)
{
	const size_t len = sanitise(text, &sanitise_set, value, subject->mapping->limits.tag_length);
	if (len == 0)
		return fail(skip, SKIP_ABSENT);
	reading->value = (struct span){text, len};
	return 0;
}

static int take_number(struct reading *reading, struct span value, char *text, enum skip *skip)
{
	const struct metric *metric = reading->metric;
	struct decimal number;
	const size_t short_len = decimal_scale_short(text, value, metric->shift);
	if (short_len) {
		reading->value = (struct span){text, short_len};
		return 0;
	}
	if (decimal_parse(&number, value))
		return fail(skip, SKIP_NOT_A_NUMBER);
	if (number.negative && metric->kind == METRIC_TIMER)
		return fail(skip, SKIP_NEGATIVE);
	const size_t len = decimal_write(text, &number, metric->shift);
	if (len == 0)
		return fail(skip, SKIP_NOT_A_NUMBER);
	reading->value = (struct span){text, len};
	reading->is_negative = number.negative;
	return 0;
}

/* The types that a relayed metric may have, as StatsD writes them. */
static int take_type(struct reading *reading, struct subject *subject, enum skip *skip)
{
	static const char types[][SCAN_PAD] = {"|c", "|ms", "|g", "|h", "|d", "|s"}; /* copied in whole vectors */
	struct span type;
	if (!subject_text(subject, subject->mapping->relay_type, &type))
		return fail(skip, SKIP_ABSENT);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (span_is(type, types[i] + 1)) {
			reading->type = span_of(types[i]);
			return 0;
		}
	}
	return fail(skip, SKIP_ABSENT);
}

/* `|@0.1`, written behind the value; a rate that is none is left out, and one where it means nothing. */
static void take_rate(struct reading *reading, struct subject *subject, char *text)
{
	struct decimal number;
	struct span rate;
	if (span_is(reading->type, "|g") || span_is(reading->type, "|s"))
		return;
	if (!subject_text(subject, subject->mapping->relay_rate, &rate) || decimal_parse(&number, rate) || number.negative ||
	    decimal_is_zero(&number) || number.point > 0)
		return;
	memcpy(text, "|@", 2);
	const size_t len = decimal_write(text + 2, &number, 0);
	if (len)
		reading->rate = (struct span){text, len + 2};
}

/* A StatsD line goes out as it came: `+5|g` and `-5|g` mean to the receiver what they meant to the sender. */
static int take_relay(struct reading *reading, struct span value, struct subject *subject, char *text, enum skip *skip)
{
	struct decimal number;
	if (take_type(reading, subject, skip))
		return -1;
	take_rate(reading, subject, text);
	text += DECIMAL_TEXT_MAX + 2;
	if (span_is(reading->type, "|s"))
		return take_set(reading, value, subject, text, skip);
	const bool is_raised = span_is(reading->type, "|g") && value.len && value.at[0] == '+';
	if (decimal_parse(&number, is_raised ? span_skip(value, 1) : value))
		return fail(skip, SKIP_NOT_A_NUMBER);
	if (number.negative && (span_is(reading->type, "|ms") || is_raised))
		return fail(skip, SKIP_NEGATIVE);
	*text = '+';
	const size_t len = decimal_write(text + is_raised, &number, 0);
	if (len == 0)
		return fail(skip, SKIP_NOT_A_NUMBER);
	reading->value = (struct span){text, len + is_raised};
	reading->is_negative = number.negative && !span_is(reading->type, "|g") && !span_is(reading->type, "|c");
	return 0;
}

int reading_take(struct reading *reading, const struct metric *metric, struct subject *subject, char *text, enum skip *skip)
{
	struct span value;
	*reading = (struct reading){.metric = metric, .rate = reading_rate(metric)};
	if (!subject_text(subject, metric->value.field, &value))
		return fail(skip, SKIP_ABSENT);
	if (metric->kind == METRIC_RELAY)
		return take_relay(reading, value, subject, text, skip);
	if (metric->kind == METRIC_SET)
		return take_set(reading, value, subject, text, skip);
	return take_number(reading, value, text, skip);
}
