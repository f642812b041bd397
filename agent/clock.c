#include "clock.h"

#include <stddef.h>
#include <time.h>

#include "base/span.h"

static int64_t clock_read_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_realtime_ns(void)
{
	return clock_read_ns(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

int64_t clock_processor_ns(void)
{
	return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void clock_rest_ns(int64_t ns)
{
	struct timespec rest = {ns / NS_PER_S, ns % NS_PER_S};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
}

static char *clock_put_digits(char *out, int64_t value, int digits)
{
	for (int i = digits; i-- > 0; value /= 10)
		out[i] = (char)('0' + value % 10);
	return out + digits;
}

/* Days to dates: Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms": years begin in March, in eras of 400. */
char *clock_put_time(char *out, int64_t realtime_ns)
{
	int64_t seconds = realtime_ns / NS_PER_S % 86400;
	int64_t days = realtime_ns / NS_PER_S / 86400 + 719468;
	int64_t day_of_era = days % 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153; /* 0: March */
	const struct {
		int64_t value;
		int digits;
		char end;
	} parts[] = {
		{days / 146097 * 400 + year_of_era + (month >= 10), 4, '-'},
		{month < 10 ? month + 3 : month - 9, 2, '-'},
		{day_of_year - (153 * month + 2) / 5 + 1, 2, 'T'},
		{seconds / 3600, 2, ':'},
		{seconds / 60 % 60, 2, ':'},
		{seconds % 60, 2, '.'},
		{realtime_ns % NS_PER_S / NS_PER_MS, 3, 'Z'},
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		out = clock_put_digits(out, parts[i].value, parts[i].digits);
		*out++ = parts[i].end;
	}
	return out;
}
