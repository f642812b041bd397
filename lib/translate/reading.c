#include "translate/reading.h"

#include "decode/statsd.h"
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

static enum metric_kind relayed_kind(char type)
{
	switch (type) {
	case 'c':
		return METRIC_COUNTER;
	case 'm':
		return METRIC_TIMER;
	case 'g':
		return METRIC_GAUGE;
	case 'h':
		return METRIC_HISTOGRAM;
	case 'd':
		return METRIC_DISTRIBUTION;
	default:
		return METRIC_SET;
	}
}

static int take_type(struct reading *reading, struct subject *subject, enum skip *skip)
{
	struct span text;
	const char type = subject_text(subject, subject->mapping->relay_type, &text) ? statsd_type(text) : 0;
	if (!type)
		return fail(skip, SKIP_ABSENT);
	reading->relayed = (uint8_t)relayed_kind(type);
	return 0;
}

/* `|@0.1`, written behind the value; a rate that is none is left out, and one where it means nothing. -1 where it takes too many
 * characters: without it the value would count for another number. */
static int take_rate(struct reading *reading, struct subject *subject, char *text)
{
	struct decimal number;
	struct span rate;
	if (reading->relayed == METRIC_GAUGE || reading->relayed == METRIC_SET)
		return 0;
	if (!subject_text(subject, subject->mapping->relay_rate, &rate) || decimal_parse(&number, rate) || number.negative ||
	    decimal_is_zero(&number) || number.point > 0)
		return 0;
	memcpy(text, "|@", 2);
	const size_t len = decimal_write(text + 2, &number, 0);
	reading->rate = (struct span){text, len + 2};
	return len ? 0 : -1;
}

/* A StatsD line goes out as it came: `+5|g` and `-5|g` mean to the receiver what they meant to the sender. */
static int take_relay(struct reading *reading, struct span value, struct subject *subject, char *text, enum skip *skip)
{
	struct decimal number;
	if (take_type(reading, subject, skip))
		return -1;
	if (take_rate(reading, subject, text))
		return fail(skip, SKIP_NOT_A_NUMBER);
	text += DECIMAL_TEXT_MAX + 2;
	if (reading->relayed == METRIC_SET)
		return take_set(reading, value, subject, text, skip);
	if (decimal_is_plain(value)) {
		reading->value = value;
		return 0;
	}
	const bool is_raised = reading->relayed == METRIC_GAUGE && value.len && value.at[0] == '+';
	if (decimal_parse(&number, is_raised ? span_skip(value, 1) : value))
		return fail(skip, SKIP_NOT_A_NUMBER);
	if (number.negative && (reading->relayed == METRIC_TIMER || is_raised))
		return fail(skip, SKIP_NEGATIVE);
	*text = '+';
	const size_t len = decimal_write(text + is_raised, &number, 0);
	if (len == 0)
		return fail(skip, SKIP_NOT_A_NUMBER);
	reading->value = (struct span){text, len + is_raised};
	reading->is_negative = number.negative && reading->relayed != METRIC_GAUGE && reading->relayed != METRIC_COUNTER;
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
