#include "publish/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum {
	NS_PER_US = 1000,
	US_PER_S = 1000000,
	SECONDS_PER_DAY = 86400,
	DAYS_PER_400_YEARS = 146097,
	DAYS_FROM_MARCH_0000 = 719468, /* from 0000-03-01 to 1970-01-01 */
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t statsidecar_moment_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t statsidecar_moment_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t statsidecar_moment_coarse_ns(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
	return clock_ns(CLOCK_MONOTONIC_COARSE);
#else
	return clock_ns(CLOCK_MONOTONIC);
#endif
}

static int64_t divide_down(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

size_t statsidecar_moment_write(char out[MOMENT_TEXT_MAX], int64_t unix_ns)
{
	int64_t seconds = divide_down(unix_ns, (int64_t)US_PER_S * NS_PER_US);
	int64_t us = (unix_ns - seconds * US_PER_S * NS_PER_US) / NS_PER_US;
	int64_t days = divide_down(seconds, SECONDS_PER_DAY);
	int64_t second = seconds - days * SECONDS_PER_DAY;
	/* Years that begin in March have their leap day at the end; they repeat every 400. */
	int64_t shifted = days + DAYS_FROM_MARCH_0000;
	int64_t era = divide_down(shifted, DAYS_PER_400_YEARS);
	int64_t day = shifted - era * DAYS_PER_400_YEARS;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	int64_t day_of_month = day_of_year - (153 * month + 2) / 5 + 1;

	year += era * 400 + (month >= 10);
	month += month < 10 ? 3 : -9;
	return (size_t)snprintf(out, MOMENT_TEXT_MAX,
	                        "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64 ":%02" PRId64
	                        ".%06" PRId64 "Z",
	                        year, month, day_of_month, second / 3600, second / 60 % 60, second % 60, us);
}

size_t statsidecar_moment_write_duration(char out[MOMENT_TEXT_MAX], int64_t duration_ns)
{
	uint64_t ns = duration_ns < 0 ? -(uint64_t)duration_ns : (uint64_t)duration_ns;
	uint64_t us = (ns + NS_PER_US / 2) / NS_PER_US;
	size_t len = (size_t)snprintf(out, MOMENT_TEXT_MAX, "%s%" PRIu64 ".%06" PRIu64,
	                              duration_ns < 0 && us > 0 ? "-" : "", us / US_PER_S, us % US_PER_S);

	while (out[len - 1] == '0')
		len--;
	return out[len - 1] == '.' ? len - 1 : len;
}
