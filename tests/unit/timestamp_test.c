#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/timestamp.h"

Suite *timestamp_suite(void);

#define NONE INT64_MIN

static const struct {
	const char *name;
	const char *text;
	int64_t seconds; /* NONE: no timestamp */
	uint32_t ns;
} timestamps[] = {
	{"with nothing behind the time: UTC", "2024-05-01T12:30:45", 1714566645, 0},
	{"Z", "2024-05-01T12:30:45Z", 1714566645, 0},
	{"small t and z", "2024-05-01t12:30:45z", 1714566645, 0},
	{"a blank between date and time", "2024-05-01 12:30:45Z", 1714566645, 0},
	{"a blank before the zone", "2024-05-01 12:30:45 +0200", 1714559445, 0},
	{"UTC", "2024-05-01 12:30:45 UTC", 1714566645, 0},
	{"UTC without a blank", "2024-05-01 12:30:45UTC", 1714566645, 0},
	{"a blank before Z", "2024-05-01 12:30:45 Z", 1714566645, 0},
	{"east of Greenwich", "2024-05-01T12:30:45+02:00", 1714559445, 0},
	{"east, without a colon", "2024-05-01T12:30:45+0200", 1714559445, 0},
	{"west of Greenwich", "2024-05-01T12:30:45-09:30", 1714600845, 0},
	{"minus nothing", "2024-05-01T12:30:45-00:00", 1714566645, 0},
	{"into the next day", "2024-05-01T23:30:00-01:00", 1714609800, 0},
	{"one digit of fraction", "2024-05-01T12:30:45.5Z", 1714566645, 500000000},
	{"three digits of fraction", "2024-05-01T12:30:45.123Z", 1714566645, 123000000},
	{"nine digits of fraction", "2024-05-01T12:30:45.123456789+02:00", 1714559445, 123456789},
	{"ten digits of fraction", "2024-05-01T12:30:45.1234567890Z", NONE, 0},
	{"a fraction without digits", "2024-05-01T12:30:45.Z", NONE, 0},
	{"the epoch", "1970-01-01T00:00:00Z", 0, 0},
	{"just before the epoch", "1969-12-31T23:59:59.999999999Z", -1, 999999999},
	{"a leap day", "2024-02-29T00:00:00Z", 1709164800, 0},
	{"the day behind it", "2024-03-01T00:00:00Z", 1709251200, 0},
	{"no leap day", "2023-02-29T00:00:00Z", NONE, 0},
	{"no leap day in 2100", "2100-02-29T00:00:00Z", NONE, 0},
	{"a leap day in 2000", "2000-02-29T00:00:00Z", 951782400, 0},
	{"the last of December", "2023-12-31T23:59:59Z", 1704067199, 0},
	{"a leap second is the next minute's first", "2016-12-31T23:59:60Z", 1483228800, 0},
	{"second 61", "2016-12-31T23:59:61Z", NONE, 0},
	{"hour 24", "2024-05-01T24:00:00Z", NONE, 0},
	{"minute 60", "2024-05-01T12:60:00Z", NONE, 0},
	{"month 0", "2024-00-01T12:00:00Z", NONE, 0},
	{"month 13", "2024-13-01T12:00:00Z", NONE, 0},
	{"day 0", "2024-05-00T12:00:00Z", NONE, 0},
	{"April 31", "2024-04-31T12:00:00Z", NONE, 0},
	{"zone hour 24", "2024-05-01T12:30:45+24:00", NONE, 0},
	{"zone minute 60", "2024-05-01T12:30:45+02:60", NONE, 0},
	{"a zone of hours", "2024-05-01T12:30:45+02", NONE, 0},
	{"a zone cut off", "2024-05-01T12:30:45+02:", NONE, 0},
	{"something behind the zone", "2024-05-01T12:30:45Z ", NONE, 0},
	{"two blanks before the zone", "2024-05-01T12:30:45  Z", NONE, 0},
	{"a blank and no zone", "2024-05-01T12:30:45 ", NONE, 0},
	{"a zone's name", "2024-05-01T12:30:45 CET", NONE, 0},
	{"no seconds", "2024-05-01T12:30Z", NONE, 0},
	{"no time", "2024-05-01", NONE, 0},
	{"one digit of hours", "2024-05-01T2:30:45Z", NONE, 0},
	{"a year of five digits", "12024-05-01T12:30:45Z", NONE, 0},
	{"another separator", "2024-05-01_12:30:45Z", NONE, 0},
	{"slashes", "2024/05/01 12:30:45", NONE, 0},

	{"the first instant that can be written", "0000-01-01T00:00:00Z", -62167219200, 0},
	{"before it, by the zone", "0000-01-01T00:00:00+00:01", NONE, 0},
	{"behind the first leap day", "0000-03-01T00:00:00Z", -62162035200, 0},
	{"the last instant that can be written", "9999-12-31T23:59:59.999999999Z", 253402300799, 999999999},
	{"behind it, by the zone", "9999-12-31T23:59:59-00:01", NONE, 0},

	{"seconds", "1714559445", 1714559445, 0},
	{"seconds with a fraction", "1714559445.123", 1714559445, 123000000},
	{"seconds with nanoseconds", "1714559445.123456789", 1714559445, 123456789},
	{"digits behind the nanoseconds are cut", "1714559445.1234567899", 1714559445, 123456789},
	{"seconds with an exponent", "1.714559445e9", 1714559445, 0},
	{"milliseconds", "1714559445123", 1714559445, 123000000},
	{"milliseconds with a fraction", "1714559445123.456", 1714559445, 123456000},
	{"the largest number that is seconds", "99999999999", 99999999999, 0},
	{"with its nanoseconds", "99999999999.999999999", 99999999999, 999999999},
	{"the smallest number that is seconds", "-62167219200", -62167219200, 0},
	{"below it", "-62167219200.1", NONE, 0},
	{"the largest number of milliseconds", "253402300799999", 253402300799, 999000000},
	{"milliseconds out of range", "253402300800000", NONE, 0},
	{"milliseconds with nanoseconds", "1714559445123.4567891", 1714559445, 123456789},
	{"1e11 is milliseconds", "1e11", 100000000, 0},
	{"-1e11 is milliseconds", "-100000000000", -100000000, 0},
	{"microseconds are out of range", "1714559445123456", NONE, 0},
	{"a number beyond all bounds", "1e99999999999999999999", NONE, 0},
	{"zero", "0", 0, 0},
	{"minus zero", "-0.0", 0, 0},
	{"less than a nanosecond", "0.0000000001", 0, 0},
	{"a nanosecond", "1e-9", 0, 1},
	{"ten nanoseconds and a half", "0.0000000105", 0, 10},
	{"before the epoch, by less than a nanosecond", "-1e-10", 0, 0},
	{"before the epoch, by a nanosecond", "-0.000000001", -1, 999999999},
	{"before the epoch", "-1.5", -2, 500000000},
	{"a leading zero", "01714559445", NONE, 0},
	{"a plus sign", "+1714559445", NONE, 0},
	{"a blank behind", "1714559445 ", NONE, 0},
	{"nothing", "", NONE, 0},
	{"a word", "yesterday", NONE, 0},
};

START_TEST(parse)
{
	/* A copy without a terminator, so that reading behind it is seen. */
	struct span text = span_of(timestamps[_i].text);
	char *copy = malloc(text.len ? text.len : 1);
	memcpy(copy, text.at, text.len);
	struct timestamp got;
	if (timestamp_parse(&got, (struct span){copy, text.len}) < 0)
		got = (struct timestamp){NONE, 0};
	free(copy);
	ck_assert_msg(got.seconds == timestamps[_i].seconds && got.ns == timestamps[_i].ns,
	              "%s: `%s`: got %" PRId64 " s and %" PRIu32 " ns, want %" PRId64 " s and %" PRIu32 " ns", timestamps[_i].name,
	              timestamps[_i].text, got.seconds, got.ns, timestamps[_i].seconds, timestamps[_i].ns);
}
END_TEST

START_TEST(every_day_follows_the_one_before)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t want = -62167219200;
	for (int year = 0; year < 10000; year++) {
		for (int month = 1; month <= 12; month++) {
			bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
			int last = days[month - 1] + (month == 2 && is_leap);
			for (int day = 1; day <= last + 1; day++) {
				char text[64];
				snprintf(text, sizeof(text), "%04d-%02d-%02dT00:00:00Z", year, month, day);
				struct timestamp got;
				int result = timestamp_parse(&got, span_of(text));
				if ((result == 0) != (day <= last))
					ck_abort_msg("%s: got %d", text, result);
				if (result < 0)
					continue;
				if (got.seconds != want || got.ns)
					ck_abort_msg("%s: got %" PRId64 ", want %" PRId64, text, got.seconds, want);
				want += 86400;
			}
		}
	}
}
END_TEST

static const struct {
	const char *name;
	struct timestamp begin, end;
	int64_t ms;
} differences[] = {
	{"nothing", {5, 7}, {5, 7}, 0},
	{"a millisecond", {5, 0}, {5, 1000000}, 1},
	{"half a millisecond is rounded up", {5, 999999999}, {6, 499999}, 1},
	{"less than half is rounded down", {5, 999999999}, {6, 499998}, 0},
	{"up to the next second", {5, 0}, {6, 999500000}, 2000},
	{"minus half a millisecond is rounded up", {5, 500000}, {5, 0}, 0},
	{"a bit more than that is rounded down", {5, 500001}, {5, 0}, -1},
	{"minus one and a half milliseconds", {6, 500000}, {5, 999000000}, -1},
	{"minus a second and a quarter", {6, 250000000}, {5, 0}, -1250},
	{"from the first instant to the last", {-62167219200, 0}, {253402300799, 999999999}, 315569520000000},
};

START_TEST(between)
{
	int64_t got = timestamp_between_ms(&differences[_i].begin, &differences[_i].end);
	ck_assert_msg(got == differences[_i].ms, "%s: got %" PRId64 ", want %" PRId64, differences[_i].name, got,
	              differences[_i].ms);
}
END_TEST

static const struct {
	const char *name;
	int64_t ms;
	const char *text;
} durations[] = {
	{"nothing", 0, "0"},
	{"a second", 1000, "1"},
	{"a second and a quarter", 1250, "1.25"},
	{"a tenth", 100, "0.1"},
	{"a millisecond", 1, "0.001"},
	{"no trailing zeros behind the point", 10100, "10.1"},
	{"zeros before the point stay", 100000, "100"},
	{"a day", 86400000, "86400"},
	{"minus half a second", -500, "-0.5"},
	{"minus a millisecond", -1, "-0.001"},
	{"minus a second and a quarter", -1250, "-1.25"},
	{"the largest", INT64_MAX, "9223372036854775.807"},
	{"the smallest", INT64_MIN, "-9223372036854775.808"},
};

START_TEST(write_seconds)
{
	char out[TIMESTAMP_SECONDS_MAX];
	struct span got = {out, timestamp_write_seconds(out, durations[_i].ms)};
	ck_assert_msg(span_is(got, durations[_i].text), "%s: got %.*s, want %s", durations[_i].name, SPAN_ARG(got),
	              durations[_i].text);
}
END_TEST

Suite *timestamp_suite(void)
{
	Suite *suite = suite_create("timestamp");
	TCase *rows = tcase_create("rows");
	tcase_add_loop_test(rows, parse, 0, (int)ARRAY_LEN(timestamps));
	tcase_add_loop_test(rows, between, 0, (int)ARRAY_LEN(differences));
	tcase_add_loop_test(rows, write_seconds, 0, (int)ARRAY_LEN(durations));
	suite_add_tcase(suite, rows);
	TCase *calendar = tcase_create("calendar");
	tcase_add_test(calendar, every_day_follows_the_one_before);
	suite_add_tcase(suite, calendar);
	return suite;
}
