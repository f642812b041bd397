#include <check.h>
#include <stdint.h>
#include <time.h>

#include "base/span.h"
#include "base/timestamp.h"
#include "publish/moment.h"

Suite *publish_moment_suite(void);

#define S INT64_C(1000000000)

static const struct {
	const char *name;
	int64_t unix_ns;
	const char *want;
} moments[] = {
	{"the epoch", 0, "1970-01-01T00:00:00.000000Z"},
	{"microseconds, the rest cut off", 1714559445 * S + 123456789, "2024-05-01T10:30:45.123456Z"},
	{"a leap day", 1709210096 * S, "2024-02-29T12:34:56.000000Z"},
	{"the day behind it", 1709251200 * S, "2024-03-01T00:00:00.000000Z"},
	{"the end of a year", 1735689599 * S + 999999999, "2024-12-31T23:59:59.999999Z"},
	{"a century's leap day", 951782400 * S, "2000-02-29T00:00:00.000000Z"},
	{"a century without one", 4107542400 * S, "2100-03-01T00:00:00.000000Z"},
	{"before the epoch", -1, "1969-12-31T23:59:59.999999Z"},
	{"long before", -S * 86400 * 365 * 100, "1870-01-25T00:00:00.000000Z"},
};

START_TEST(moment)
{
	char out[MOMENT_TEXT_MAX];
	struct span got = {out, statsidecar_moment_write(out, moments[_i].unix_ns)};

	ck_assert_msg(span_is(got, moments[_i].want), "%s: got %.*s, want %s", moments[_i].name, SPAN_ARG(got),
	              moments[_i].want);
}
END_TEST

static const struct {
	const char *name;
	int64_t duration_ns;
	const char *want;
} durations[] = {
	{"none", 0, "0"},
	{"a nanosecond", 1, "0"},
	{"half a microsecond is rounded up", 500, "0.000001"},
	{"microseconds", 1250, "0.000001"},
	{"a millisecond", S / 1000, "0.001"},
	{"zeros at the end are left out", S + S / 4, "1.25"},
	{"whole seconds", 100 * S, "100"},
	{"less than none", -S / 2, "-0.5"},
	{"the longest", INT64_MAX, "9223372036.854776"},
	{"the most negative", INT64_MIN, "-9223372036.854776"},
};

START_TEST(duration)
{
	char out[MOMENT_TEXT_MAX];
	struct span got = {out, statsidecar_moment_write_duration(out, durations[_i].duration_ns)};

	ck_assert_msg(span_is(got, durations[_i].want), "%s: got %.*s, want %s", durations[_i].name, SPAN_ARG(got),
	              durations[_i].want);
}
END_TEST

/* The agent's own reader and libc are other code for the same thing. */
START_TEST(what_is_written_is_read)
{
	for (int64_t ns = -9000000000 * S; ns < 9000000000 * S; ns += 86413 * S + 1001001) {
		char out[MOMENT_TEXT_MAX], libc[MOMENT_TEXT_MAX];
		struct span text = {out, statsidecar_moment_write(out, ns)};
		struct timestamp got;
		int64_t seconds = ns / S - (ns % S < 0);
		struct tm parts;
		time_t when = (time_t)seconds;

		if (timestamp_parse(&got, text) < 0 || got.seconds != seconds || got.ns != (ns - seconds * S) / 1000 * 1000)
			ck_abort_msg("%lld is written as %.*s", (long long)ns, SPAN_ARG(text));
		strftime(libc, sizeof libc, "%Y-%m-%dT%H:%M:%S", gmtime_r(&when, &parts));
		if (!span_starts(text, span_of(libc)))
			ck_abort_msg("got %.*s, want %s", SPAN_ARG(text), libc);
	}
}
END_TEST

Suite *publish_moment_suite(void)
{
	Suite *suite = suite_create("publish_moment");
	TCase *rows = tcase_create("rows");

	tcase_add_loop_test(rows, moment, 0, (int)ARRAY_LEN(moments));
	tcase_add_loop_test(rows, duration, 0, (int)ARRAY_LEN(durations));
	tcase_add_test(rows, what_is_written_is_read);
	suite_add_tcase(suite, rows);
	return suite;
}
