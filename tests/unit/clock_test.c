#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"

Suite *clock_suite(void);

static const struct {
	const char *name;
	int64_t realtime_ns;
	const char *want;
} rows[] = {
	{"the epoch", 0, "1970-01-01T00:00:00.000Z"},
	{"milliseconds are cut, not rounded", 999999999, "1970-01-01T00:00:00.999Z"},
	{"a leap day", 1709164800 * NS_PER_S, "2024-02-29T00:00:00.000Z"},
	{"the day after it", 1709251199 * NS_PER_S, "2024-02-29T23:59:59.000Z"},
	{"a century that is a leap year", 951782400 * NS_PER_S, "2000-02-29T00:00:00.000Z"},
	{"a century that is none", INT64_C(4107542400) * NS_PER_S, "2100-03-01T00:00:00.000Z"},
};

START_TEST(put_time)
{
	char got[CLOCK_TIME_LEN + 1] = "";
	char *end = clock_put_time(got, rows[_i].realtime_ns);

	ck_assert_msg(strcmp(got, rows[_i].want) == 0 && end == got + CLOCK_TIME_LEN, "%s: got %s, want %s", rows[_i].name, got,
	              rows[_i].want);
}
END_TEST

START_TEST(put_time_as_the_library)
{
	/* Two centuries, in steps that meet every day of the year and hour of the day. */
	for (time_t seconds = 0; seconds < (time_t)200 * 366 * 86400; seconds += 86400 * 3 + 3607) {
		char want[64];
		char got[CLOCK_TIME_LEN + 1] = "";
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		clock_put_time(got, (int64_t)seconds * NS_PER_S);
		ck_assert_str_eq(got, want);
	}
}
END_TEST

Suite *clock_suite(void)
{
	Suite *suite = suite_create("clock");
	TCase *tests = tcase_create("clock");

	tcase_add_loop_test(tests, put_time, 0, sizeof rows / sizeof rows[0]);
	tcase_add_test(tests, put_time_as_the_library);
	suite_add_tcase(suite, tests);
	return suite;
}
