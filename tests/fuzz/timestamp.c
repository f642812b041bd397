/* A timestamp, beside the C library's calendar and 128-bit numbers. */
#define _GNU_SOURCE /* timegm */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../unit/rig.h"
#include "base/decimal.h"
#include "base/timestamp.h"
#include "fuzz.h"

enum { TEXT_MAX = 128 };

typedef __int128 wide;

static const wide second_ns = 1000000000;

static wide year_ns(int year)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mday = 1};
	return (wide)timegm(&tm) * second_ns;
}

static bool is_in_range(wide ns)
{
	return ns >= year_ns(0) && ns < year_ns(10000);
}

/* Whether text looks like pattern, in which 0 stands for a digit. */
static bool looks_like(struct span text, const char *pattern)
{
	for (size_t i = 0; pattern[i]; i++) {
		if (i == text.len)
			return false;
		const bool is_digit = text.at[i] >= '0' && text.at[i] <= '9';
		if (pattern[i] == '0' ? !is_digit : text.at[i] != pattern[i])
			return false;
	}
	return true;
}

static int number_at(struct span text, size_t at, size_t len)
{
	int number = 0;
	for (size_t i = at; i < at + len; i++)
		number = number * 10 + (text.at[i] - '0');
	return number;
}

/* Behind the fraction. */
static bool zone(struct span text, int *minutes)
{
	*minutes = 0;
	if (text.len == 0)
		return true;
	if (text.at[0] == ' ')
		text = span_skip(text, 1);
	if (span_is(text, "Z") || span_is(text, "z") || span_is(text, "UTC"))
		return true;
	if (text.len == 0 || (text.at[0] != '+' && text.at[0] != '-'))
		return false;
	const int sign = text.at[0] == '-' ? -1 : 1;
	text = span_skip(text, 1);
	const bool has_colon = looks_like(text, "00:00");
	if (!has_colon && !looks_like(text, "0000"))
		return false;
	const int hour = number_at(text, 0, 2);
	const int minute = number_at(text, has_colon ? 3 : 2, 2);
	*minutes = sign * (hour * 60 + minute);
	return text.len == (has_colon ? 5 : 4) && hour < 24 && minute < 60;
}

static bool calendar(struct span text, wide *ns)
{
	if (!looks_like(text, "0000-00-00") || text.len < 19 || !strchr("Tt ", text.at[10]) || text.at[10] == '\0' ||
	    !looks_like(span_skip(text, 11), "00:00:00"))
		return false;
	const struct tm given = {.tm_year = number_at(text, 0, 4) - 1900,
	                         .tm_mon = number_at(text, 5, 2) - 1,
	                         .tm_mday = number_at(text, 8, 2),
	                         .tm_hour = number_at(text, 11, 2),
	                         .tm_min = number_at(text, 14, 2)};
	const int second = number_at(text, 17, 2);
	struct tm tm = given;
	*ns = (wide)timegm(&tm) * second_ns + second * second_ns;
	/* What is no date comes back as another one. */
	if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday || tm.tm_hour != given.tm_hour ||
	    tm.tm_min != given.tm_min || second > 60)
		return false;
	text = span_skip(text, 19);
	if (text.len && text.at[0] == '.') {
		wide unit = second_ns;
		text = span_skip(text, 1);
		if (text.len == 0 || text.at[0] < '0' || text.at[0] > '9')
			return false;
		while (text.len && text.at[0] >= '0' && text.at[0] <= '9') {
			unit /= 10;
			*ns += unit * (text.at[0] - '0');
			text = span_skip(text, 1);
			if (unit == 0)
				return false;
		}
	}
	int minutes;
	if (!zone(text, &minutes))
		return false;
	*ns -= minutes * 60 * second_ns;
	return is_in_range(*ns);
}

/* Seconds or milliseconds; false where it is none or has so many digits that this does not count them: *is_known. */
static bool number(struct span text, wide *ns, bool *is_known)
{
	struct decimal decimal;
	char whole[DECIMAL_TEXT_MAX + 1] = "";
	*is_known = true;
	if (decimal_parse(&decimal, text))
		return false;
	/* Nanoseconds as a text, which has its own test. */
	const size_t seconds_len = decimal_write(whole, &decimal, 0);
	*is_known = seconds_len > 0;
	if (!*is_known)
		return false;
	whole[seconds_len] = '\0';
	const char *digits = whole + (whole[0] == '-');
	const bool is_milliseconds = strcspn(digits, ".") >= 12;
	const size_t len = decimal_write(whole, &decimal, is_milliseconds ? 6 : 9);
	*is_known = len > 0 && len < 36;
	if (!*is_known)
		return false;
	whole[len] = '\0';
	*ns = 0;
	for (const char *at = whole + (whole[0] == '-'); *at && *at != '.'; at++)
		*ns = *ns * 10 + (*at - '0');
	if (whole[0] == '-')
		*ns = -*ns;
	return is_in_range(*ns);
}

static wide nanoseconds(const struct timestamp *timestamp)
{
	if (timestamp->ns >= second_ns)
		fuzz_fail("%u nanoseconds of a second", timestamp->ns);
	return timestamp->seconds * second_ns + timestamp->ns;
}

static void check_between(const struct timestamp *begin, const struct timestamp *end)
{
	/* Half up: towards the larger number. */
	const wide moved = nanoseconds(end) - nanoseconds(begin) + 500000 + (wide)1000000 * INT64_MAX;
	const int64_t got = timestamp_between_ms(begin, end), want = (int64_t)(moved / 1000000 - INT64_MAX);
	if (got != want)
		fuzz_fail("got %lld ms, want %lld ms", (long long)got, (long long)want);
}

static void check_seconds(int64_t ms)
{
	char got[TIMESTAMP_SECONDS_MAX];
	char want[64];
	const size_t got_len = timestamp_write_seconds(got, ms);
	if (got_len > TIMESTAMP_SECONDS_MAX)
		fuzz_fail("%zu characters", got_len);
	const uint64_t most = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	int len = snprintf(want, sizeof(want), "%s%llu.%03llu", ms < 0 ? "-" : "", (unsigned long long)(most / 1000),
	                   (unsigned long long)(most % 1000));
	while (want[len - 1] == '0')
		len--;
	len -= want[len - 1] == '.';
	if (!span_equal((struct span){got, got_len}, (struct span){want, (size_t)len}))
		fuzz_fail("%lld ms: got %.*s, want %.*s", (long long)ms, (int)got_len, got, len, want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct timestamp some = {1714564800, 123456789};
	struct timestamp got;
	int64_t ms;
	wide want = 0;
	bool is_known = true;
	if (size == sizeof(ms) + 1 && data[0] == '#') {
		memcpy(&ms, data + 1, sizeof(ms));
		check_seconds(ms);
		return 0;
	}
	if (size >= TEXT_MAX)
		return 0;
	char *copy = fuzz_copy((struct span){(const char *)data, size}, 0);
	const struct span text = {copy, size};
	const bool is_time = timestamp_parse(&got, text) == 0;
	const bool should_be = text.len > 4 && text.at[4] == '-' ? calendar(text, &want) : number(text, &want, &is_known);
	if (is_known && is_time != should_be)
		fuzz_fail("%s: %s", shown(text), is_time ? "taken for a time" : "taken for no time");
	if (is_known && is_time && nanoseconds(&got) != want)
		fuzz_fail("%s: got %lld s and %u ns, want %lld s", shown(text), (long long)got.seconds, got.ns,
		          (long long)(want / second_ns));
	if (is_time) {
		check_between(&some, &got);
		check_between(&got, &some);
		check_seconds(timestamp_between_ms(&some, &got));
	}
	fuzz_free(copy, 0);
	return 0;
}
