#include "base/timestamp.h"

#include "base/decimal.h"

enum {
	FRACTION_MAX = 9, /* nanoseconds */
	DAY_SECONDS = 24 * 60 * 60,
	NS_DIGITS_MAX = 19, /* of an unsigned 64-bit number, whatever they are */
};

static const int64_t second_ns = 1000000000;

/* 1678-01-01 and 2262-01-01: the whole years that 64 bits of nanoseconds hold. */
static const int64_t seconds_low = -9214560000;
static const int64_t seconds_high = 9214646400;

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
	int64_t y = month > 2 ? year : year - 1;
	int64_t month_from_march = (month + 9) % 12;
	int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
	/* 719468 days from 0000-03-01 to the epoch; years are not negative but 0000-01 and 0000-02, whose y is -1: none
	 * of their instants is in range, and so their exact place does not matter. */
	return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
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

static int calendar_parse(int64_t *ns, struct span text)
{
	struct reader reader = {text.at, text.at + text.len};
	int64_t days, seconds, fraction, offset;
	if (!date_read(&reader, &days) || !reader_take(&reader, "Tt ") || !time_read(&reader, &seconds) ||
	    !fraction_read(&reader, &fraction) || !zone_read(&reader, &offset))
		return -1;
	seconds += days * DAY_SECONDS - offset;
	if (seconds < seconds_low || seconds >= seconds_high)
		return -1;
	*ns = seconds * second_ns + fraction;
	return 0;
}

/* number * 10^shift without what stands behind the point; -1 beyond NS_DIGITS_MAX digits. */
static int whole_part(uint64_t *value, const struct decimal *number, int shift)
{
	int64_t count = number->point + shift;
	*value = 0;
	if (count > NS_DIGITS_MAX)
		return -1;
	const char *at = number->digits, *end = at + number->stretch;
	for (; count > 0; count--) {
		if (at < end && *at == '.')
			at++;
		*value = *value * 10 + (at < end ? (uint64_t)(*at++ - '0') : 0);
	}
	return 0;
}

static int unix_parse(int64_t *ns, struct span text)
{
	struct decimal number;
	uint64_t magnitude;
	if (decimal_parse(&number, text) < 0)
		return -1;
	/* 1e11 is 0.1 * 10^12 */
	bool is_milliseconds = number.point >= 12;
	if (whole_part(&magnitude, &number, is_milliseconds ? 6 : 9) < 0)
		return -1;
	uint64_t limit = (uint64_t)(number.negative ? -seconds_low : seconds_high) * (uint64_t)second_ns;
	if (magnitude > limit || (magnitude == limit && !number.negative))
		return -1;
	*ns = number.negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return 0;
}

int timestamp_parse(int64_t *ns, struct span text)
{
	bool is_calendar = text.len > 4 && text.at[4] == '-';
	return is_calendar ? calendar_parse(ns, text) : unix_parse(ns, text);
}

size_t timestamp_write_seconds(char *out, int64_t ns)
{
	const int64_t millisecond_ns = 1000000;
	int64_t milliseconds = ns / millisecond_ns, rest = ns % millisecond_ns;
	/* The division goes towards zero; half up is towards the larger number. */
	if (rest >= millisecond_ns / 2)
		milliseconds++;
	else if (rest < -millisecond_ns / 2)
		milliseconds--;

	char digits[TIMESTAMP_SECONDS_MAX];
	size_t first = sizeof(digits);
	uint64_t left = milliseconds < 0 ? -(uint64_t)milliseconds : (uint64_t)milliseconds;
	for (size_t place = 0; place < 4 || left > 0; place++, left /= 10)
		digits[--first] = (char)('0' + left % 10);
	struct span whole = {digits + first, sizeof(digits) - first - 3};
	size_t fraction_len = 3;
	while (fraction_len > 0 && whole.at[whole.len + fraction_len - 1] == '0')
		fraction_len--;

	char *at = out;
	if (milliseconds < 0)
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
