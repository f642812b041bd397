#include "base/timestamp.h"

#include "base/decimal.h"

enum {
	FRACTION_MAX = 9, /* nanoseconds */
	DAY_SECONDS = 24 * 60 * 60,
	SECOND_NS = 1000000000,
	SECONDS_DIGITS_MAX = 12, /* before the point, of what may be in range */
};

/* 0000-01-01 and 10000-01-01: the years that four digits write. */
static const int64_t seconds_low = -62167219200;
static const int64_t seconds_high = 253402300800;

/* What is left to read. */
struct reader {
	const char *at;
	const char *end;
};

static bool reader_take(struct reader *reader, const char *any_of)
{
	if (reader->at == reader->end || *reader->at == '\0' || !strchr(any_of, *reader->at))
		return false;
	reader->at++;
	return true;
}

static bool reader_digit(struct reader *reader, int *digit)
{
	if (reader->at == reader->end || *reader->at < '0' || *reader->at > '9')
		return false;
	*digit = *reader->at++ - '0';
	return true;
}

/* Exactly count digits, low <= value <= high. */
static bool reader_number(struct reader *reader, int *value, int count, int low, int high)
{
	int digit;
	*value = 0;
	for (; count > 0; count--) {
		if (!reader_digit(reader, &digit))
			return false;
		*value = *value * 10 + digit;
	}
	return *value >= low && *value <= high;
}

/* Days since 1970-01-01 in the Gregorian calendar. The year is taken to begin in March: then the leap day is its last.
 */
static int64_t days_since_epoch(int year, int month, int day)
{
	int64_t y = (month > 2 ? year : year - 1) + 400; /* a whole cycle of the calendar later: never negative */
	int64_t month_from_march = (month + 9) % 12;
	int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
	/* 719468 days from 0000-03-01 to the epoch, 146097 in 400 years. */
	return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468 - 146097;
}

static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && is_leap);
}

/* YYYY-MM-DD */
static bool date_read(struct reader *reader, int64_t *days)
{
	int year, month, day;
	if (!reader_number(reader, &year, 4, 0, 9999) || !reader_take(reader, "-") ||
	    !reader_number(reader, &month, 2, 1, 12) || !reader_take(reader, "-") ||
	    !reader_number(reader, &day, 2, 1, month_days(year, month)))
		return false;
	*days = days_since_epoch(year, month, day);
	return true;
}

/* HH:MM:SS; second 60 is a leap second, which is the next minute's first. */
static bool time_read(struct reader *reader, int64_t *seconds)
{
	int hour, minute, second;
	if (!reader_number(reader, &hour, 2, 0, 23) || !reader_take(reader, ":") ||
	    !reader_number(reader, &minute, 2, 0, 59) || !reader_take(reader, ":") ||
	    !reader_number(reader, &second, 2, 0, 60))
		return false;
	*seconds = hour * 3600 + minute * 60 + second;
	return true;
}

/* Nothing, or a point and 1 to FRACTION_MAX digits. */
static bool fraction_read(struct reader *reader, int64_t *ns)
{
	*ns = 0;
	if (!reader_take(reader, "."))
		return true;
	int digit, count = 0;
	for (; count < FRACTION_MAX && reader_digit(reader, &digit); count++)
		*ns = *ns * 10 + digit;
	if (count == 0 || reader_digit(reader, &digit))
		return false;
	for (; count < FRACTION_MAX; count++)
		*ns *= 10;
	return true;
}

/* Nothing, Z, UTC, +hh:mm, +hhmm, each also behind one blank; then the end. */
static bool zone_read(struct reader *reader, int64_t *offset_seconds)
{
	*offset_seconds = 0;
	if (reader->at == reader->end)
		return true;
	reader_take(reader, " ");
	struct span rest = {reader->at, (size_t)(reader->end - reader->at)};
	if (span_is(rest, "Z") || span_is(rest, "z") || span_is(rest, "UTC"))
		return true;

	int hours, minutes;
	bool is_west = reader_take(reader, "-");
	if (!is_west && !reader_take(reader, "+"))
		return false;
	if (!reader_number(reader, &hours, 2, 0, 23))
		return false;
	reader_take(reader, ":");
	if (!reader_number(reader, &minutes, 2, 0, 59))
		return false;
	*offset_seconds = (hours * 60 + minutes) * 60;
	if (is_west)
		*offset_seconds = -*offset_seconds;
	return reader->at == reader->end;
}

static bool in_range(int64_t seconds)
{
	return seconds >= seconds_low && seconds < seconds_high;
}

static int calendar_parse(struct timestamp *timestamp, struct span text)
{
	struct reader reader = {text.at, text.at + text.len};
	int64_t days, seconds, fraction, offset;
	if (!date_read(&reader, &days) || !reader_take(&reader, "Tt ") || !time_read(&reader, &seconds) ||
	    !fraction_read(&reader, &fraction) || !zone_read(&reader, &offset))
		return -1;
	*timestamp = (struct timestamp){seconds + days * DAY_SECONDS - offset, (uint32_t)fraction};
	return in_range(timestamp->seconds) ? 0 : -1;
}

static int unix_parse(struct timestamp *timestamp, struct span text)
{
	struct decimal number;
	if (decimal_parse(&number, text) < 0)
		return -1;
	/* 1e11 is 0.1 * 10^12 */
	int64_t place = number.point >= 12 ? number.point - 3 : number.point;
	if (place > SECONDS_DIGITS_MAX)
		return -1;
	int64_t seconds = 0, ns = 0;
	const char *at = number.digits, *end = at + number.stretch;
	for (; place > -FRACTION_MAX; place--) {
		int64_t *part = place > 0 ? &seconds : &ns;
		if (at < end && *at == '.')
			at++;
		*part = *part * 10 + (at < end ? *at++ - '0' : 0);
	}
	if (number.negative) {
		seconds = ns > 0 ? -seconds - 1 : -seconds;
		ns = ns > 0 ? SECOND_NS - ns : 0;
	}
	*timestamp = (struct timestamp){seconds, (uint32_t)ns};
	return in_range(seconds) ? 0 : -1;
}

int timestamp_parse(struct timestamp *timestamp, struct span text)
{
	bool is_calendar = text.len > 4 && text.at[4] == '-';
	return is_calendar ? calendar_parse(timestamp, text) : unix_parse(timestamp, text);
}

int64_t timestamp_between_ms(const struct timestamp *begin, const struct timestamp *end)
{
	const int64_t half_ns = 500000, millisecond_ns = 1000000;
	int64_t seconds = end->seconds - begin->seconds;
	int64_t ns = (int64_t)end->ns - (int64_t)begin->ns;
	if (ns < 0) {
		seconds--;
		ns += SECOND_NS;
	}
	return seconds * 1000 + (ns + half_ns) / millisecond_ns;
}

size_t timestamp_write_seconds(char *out, int64_t ms)
{
	char digits[TIMESTAMP_SECONDS_MAX];
	size_t first = sizeof(digits);
	uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	for (size_t place = 0; place < 4 || left > 0; place++, left /= 10)
		digits[--first] = (char)('0' + left % 10);
	struct span whole = {digits + first, sizeof(digits) - first - 3};
	size_t fraction_len = 3;
	while (fraction_len > 0 && whole.at[whole.len + fraction_len - 1] == '0')
		fraction_len--;

	char *at = out;
	if (ms < 0)
		*at++ = '-';
	memcpy(at, whole.at, whole.len);
	at += whole.len;
	if (fraction_len > 0) {
		*at++ = '.';
		memcpy(at, whole.at + whole.len, fraction_len);
		at += fraction_len;
	}
	return (size_t)(at - out);
}
