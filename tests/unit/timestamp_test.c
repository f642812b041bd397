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
	int64_t ns; /* NONE: no timestamp */
} timestamps[] = {
	{"with nothing behind the time: UTC", "2024-05-01T12:30:45", 1714566645000000000},
	{"Z", "2024-05-01T12:30:45Z", 1714566645000000000},
	{"small t and z", "2024-05-01t12:30:45z", 1714566645000000000},
	{"a blank between date and time", "2024-05-01 12:30:45Z", 1714566645000000000},
	{"a blank before the zone", "2024-05-01 12:30:45 +0200", 1714559445000000000},
	{"UTC", "2024-05-01 12:30:45 UTC", 1714566645000000000},
	{"UTC without a blank", "2024-05-01 12:30:45UTC", 1714566645000000000},
	{"a blank before Z", "2024-05-01 12:30:45 Z", 1714566645000000000},
	{"east of Greenwich", "2024-05-01T12:30:45+02:00", 1714559445000000000},
	{"east, without a colon", "2024-05-01T12:30:45+0200", 1714559445000000000},
	{"west of Greenwich", "2024-05-01T12:30:45-09:30", 1714600845000000000},
	{"minus nothing", "2024-05-01T12:30:45-00:00", 1714566645000000000},
	{"into the next day", "2024-05-01T23:30:00-01:00", 1714609800000000000},
	{"one digit of fraction", "2024-05-01T12:30:45.5Z", 1714566645500000000},
	{"three digits of fraction", "2024-05-01T12:30:45.123Z", 1714566645123000000},
	{"nine digits of fraction", "2024-05-01T12:30:45.123456789+02:00", 1714559445123456789},
	{"ten digits of fraction", "2024-05-01T12:30:45.1234567890Z", NONE},
	{"a fraction without digits", "2024-05-01T12:30:45.Z", NONE},
	{"the epoch", "1970-01-01T00:00:00Z", 0},
	{"just before the epoch", "1969-12-31T23:59:59.999999999Z", -1},
	{"a leap day", "2024-02-29T00:00:00Z", 1709164800000000000},
	{"the day behind it", "2024-03-01T00:00:00Z", 1709251200000000000},
	{"no leap day", "2023-02-29T00:00:00Z", NONE},
	{"no leap day in 2100", "2100-02-29T00:00:00Z", NONE},
	{"a leap day in 2000", "2000-02-29T00:00:00Z", 951782400000000000},
	{"the last of December", "2023-12-31T23:59:59Z", 1704067199000000000},
	{"a leap second is the next minute's first", "2016-12-31T23:59:60Z", 1483228800000000000},
	{"second 61", "2016-12-31T23:59:61Z", NONE},
	{"hour 24", "2024-05-01T24:00:00Z", NONE},
	{"minute 60", "2024-05-01T12:60:00Z", NONE},
	{"month 0", "2024-00-01T12:00:00Z", NONE},
	{"month 13", "2024-13-01T12:00:00Z", NONE},
	{"day 0", "2024-05-00T12:00:00Z", NONE},
	{"April 31", "2024-04-31T12:00:00Z", NONE},
	{"zone hour 24", "2024-05-01T12:30:45+24:00", NONE},
	{"zone minute 60", "2024-05-01T12:30:45+02:60", NONE},
	{"a zone of hours", "2024-05-01T12:30:45+02", NONE},
	{"a zone cut off", "2024-05-01T12:30:45+02:", NONE},
	{"something behind the zone", "2024-05-01T12:30:45Z ", NONE},
	{"two blanks before the zone", "2024-05-01T12:30:45  Z", NONE},
	{"a blank and no zone", "2024-05-01T12:30:45 ", NONE},
	{"a zone's name", "2024-05-01T12:30:45 CET", NONE},
	{"no seconds", "2024-05-01T12:30Z", NONE},
	{"no time", "2024-05-01", NONE},
	{"one digit of hours", "2024-05-01T2:30:45Z", NONE},
	{"a year of five digits", "12024-05-01T12:30:45Z", NONE},
	{"another separator", "2024-05-01_12:30:45Z", NONE},
	{"slashes", "2024/05/01 12:30:45", NONE},
	{"the first whole year", "1678-01-01T00:00:00Z", -9214560000000000000},
	{"before it", "1677-12-31T23:59:59.999999999Z", NONE},
	{"before it, by the zone", "1678-01-01T00:00:00+00:01", NONE},
	{"the last whole year", "2261-12-31T23:59:59.999999999Z", 9214646399999999999},
	{"behind it", "2262-01-01T00:00:00Z", NONE},
	{"within it, by the zone", "2262-01-01T00:00:00+00:01", 9214646340000000000},
	{"the first year that can be written", "0000-01-01T00:00:00Z", NONE},
	{"the last year that can be written", "9999-12-31T23:59:59Z", NONE},

	{"seconds", "1714559445", 1714559445000000000},
	{"seconds with a fraction", "1714559445.123", 1714559445123000000},
	{"seconds with nanoseconds", "1714559445.123456789", 1714559445123456789},
	{"digits behind the nanoseconds are cut", "1714559445.1234567899", 1714559445123456789},
	{"seconds with an exponent", "1.714559445e9", 1714559445000000000},
	{"milliseconds", "1714559445123", 1714559445123000000},
	{"milliseconds with a fraction", "1714559445123.456", 1714559445123456000},
	{"the largest number of seconds", "9214646399.999999999", 9214646399999999999},
	{"seconds out of range", "9214646400", NONE},
	{"the smallest number of seconds", "-9214560000", -9214560000000000000},
	{"below it", "-9214560000.1", NONE},
	{"seconds far out of range", "99999999999", NONE},
	{"1e11 is milliseconds", "1e11", 100000000000000000},
	{"-1e11 is milliseconds", "-100000000000", -100000000000000000},
	{"milliseconds out of range", "9214646400000", NONE},
	{"microseconds are out of range", "1714559445123456", NONE},
	{"a number beyond all bounds", "1e99999999999999999999", NONE},
	{"zero", "0", 0},
	{"minus zero", "-0.0", 0},
	{"less than a nanosecond", "0.0000000001", 0},
	{"a nanosecond", "1e-9", 1},
	{"before the epoch", "-1.5", -1500000000},
	{"a leading zero", "01714559445", NONE},
	{"a plus sign", "+1714559445", NONE},
	{"a blank behind", "1714559445 ", NONE},
	{"nothing", "", NONE},
	{"a word", "yesterday", NONE},
};

START_TEST(parse)
{
	/* A copy without a terminator, so that reading behind it is seen. */
	struct span text = span_of(timestamps[_i].text);
	char *copy = malloc(text.len ? text.len : 1);
	memcpy(copy, text.at, text.len);
	int64_t ns = 0;
	int64_t got = timestamp_parse(&ns, (struct span){copy, text.len}) == 0 ? ns : NONE;
	free(copy);
	ck_assert_msg(got == timestamps[_i].ns, "%s: `%s`: got %" PRId64 ", want %" PRId64, timestamps[_i].name,
	              timestamps[_i].text, got, timestamps[_i].ns);
}
END_TEST

START_TEST(every_day_follows_the_one_before)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t want = -9214560000000000000;
	for (int year = 1678; year < 2262; year++) {
		for (int month = 1; month <= 12; month++) {
			bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
			int last = days[month - 1] + (month == 2 && is_leap);
			for (int day = 1; day <= last + 1; day++) {
				char text[64];
				snprintf(text, sizeof(text), "%04d-%02d-%02dT00:00:00Z", year, month, day);
				int64_t got = 0;
				int result = timestamp_parse(&got, span_of(text));
				if ((result == 0) != (day <= last))
					ck_abort_msg("%s: got %d", text, result);
				if (result < 0)
					continue;
				if (got != want)
					ck_abort_msg("%s: got %" PRId64 ", want %" PRId64, text, got, want);
				want += INT64_C(86400000000000);
			}
		}
	}
}
END_TEST

static const struct {
	const char *name;
	int64_t ns;
	const char *text;
} durations[] = {
	{"nothing", 0, "0"},
	{"a second", 1000000000, "1"},
	{"a second and a quarter", 1250000000, "1.25"},
	{"a tenth", 100000000, "0.1"},
	{"a millisecond", 1000000, "0.001"},
	{"half a millisecond is rounded up", 500000, "0.001"},
	{"less than half is rounded down", 499999, "0"},
	{"up to the next second", 1999500000, "2"},
	{"no trailing zeros behind the point", 10100000000, "10.1"},
	{"zeros before the point stay", 100000000000, "100"},
	{"a day", 86400000000000, "86400"},
	{"minus half a second", -500000000, "-0.5"},
	{"minus half a millisecond is rounded up", -500000, "0"},
	{"a bit more than that is rounded down", -500001, "-0.001"},
	{"minus one and a half milliseconds", -1500000, "-0.001"},
	{"less than nothing, but not much", -1, "0"},
	{"minus a second and a quarter", -1250000000, "-1.25"},
	{"the largest", INT64_MAX, "9223372036.855"},
	{"the smallest", INT64_MIN, "-9223372036.855"},
};

START_TEST(write_seconds)
{
	char out[TIMESTAMP_SECONDS_MAX];
	struct span got = {out, timestamp_write_seconds(out, durations[_i].ns)};
	ck_assert_msg(span_is(got, durations[_i].text), "%s: got %.*s, want %s", durations[_i].name, SPAN_ARG(got),
	              durations[_i].text);
}
END_TEST

Suite *timestamp_suite(void)
{
	Suite *suite = suite_create("timestamp");
	TCase *rows = tcase_create("rows");
	tcase_add_loop_test(rows, parse, 0, (int)ARRAY_LEN(timestamps));
	tcase_add_loop_test(rows, write_seconds, 0, (int)ARRAY_LEN(durations));
	suite_add_tcase(suite, rows);
	TCase *calendar = tcase_create("calendar");
	tcase_add_test(calendar, every_day_follows_the_one_before);
	suite_add_tcase(suite, calendar);
	return suite;
}
