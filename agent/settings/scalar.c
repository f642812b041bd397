#include "settings/scalar.h"

#include <stdio.h>
#include <strings.h>

struct measure {
	const char *name;
	int64_t size;
};

/* The largest first: a compound duration goes down. */
static const struct measure durations[] = {
	{"d", 86400000000000}, {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000}, {"ms", 1000000},
};

static const struct measure sizes[] = {
	{"MiB", 1 << 20},
	{"MB", 1000000},
	{"KiB", 1 << 10},
	{"kB", 1000},
};

/* The digits at the front of *text, taken off it; -1 where there is none, or where they say more than 2^62. */
static int take_number(int64_t *number, struct span *text)
{
	size_t len = 0;
	*number = 0;
	for (; len < text->len && text->at[len] >= '0' && text->at[len] <= '9'; len++) {
		if (*number > (INT64_C(1) << 62) / 10 - 1)
			return -1;
		*number = *number * 10 + (text->at[len] - '0');
	}
	*text = span_skip(*text, len);
	return len ? 0 : -1;
}

static struct span take_unit(struct span *text)
{
	size_t len = 0;
	while (len < text->len &&
	       ((text->at[len] >= 'a' && text->at[len] <= 'z') || (text->at[len] >= 'A' && text->at[len] <= 'Z')))
		len++;
	struct span unit = {text->at, len};
	*text = span_skip(*text, len);
	return unit;
}

int scalar_duration(int64_t *ns, struct span text, const char **why)
{
	size_t last = 0;
	*ns = 0;
	*why = "write an integer with a unit: 250ms, 10s, 5m, 1h30m, 1d";
	if (text.len == 0)
		return -1;
	while (text.len) {
		int64_t number;
		if (take_number(&number, &text) < 0)
			return -1;
		struct span unit = take_unit(&text);
		if (unit.len == 0 && text.len == 0) {
			*why = "a duration needs a unit: ms, s, m, h or d";
			return -1;
		}
		while (last < ARRAY_LEN(durations) && !span_is(unit, durations[last].name))
			last++;
		if (last == ARRAY_LEN(durations))
			return -1;
		if (number > (INT64_C(1) << 62) / durations[last].size) {
			*why = "that is longer than a century";
			return -1;
		}
		*ns += number * durations[last++].size;
		if (*ns > INT64_C(1) << 62 || *ns < 0) {
			*why = "that is longer than a century";
			return -1;
		}
	}
	return 0;
}

int scalar_bytes(int64_t *bytes, struct span text, const char **why)
{
	*why = "write an integer, alone for bytes or with kB, MB, KiB or MiB";
	if (take_number(bytes, &text) < 0)
		return -1;
	if (text.len == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		if (!span_is(text, sizes[i].name))
			continue;
		if (*bytes > (INT64_C(1) << 62) / sizes[i].size)
			return -1;
		*bytes *= sizes[i].size;
		return 0;
	}
	return -1;
}

int scalar_count(int64_t *count, struct span text, const char **why)
{
	*why = "write an integer";
	return take_number(count, &text) < 0 || text.len ? -1 : 0;
}

int scalar_mode(int64_t *mode, struct span text, const char **why)
{
	*why = "write an octal mode of up to 0777, such as 0620";
	*mode = 0;
	if (span_starts(text, SPAN("0o")))
		text = span_skip(text, 2);
	if (text.len == 0)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '7')
			return -1;
		*mode = *mode * 8 + (text.at[i] - '0');
		if (*mode > 0777)
			return -1;
	}
	return 0;
}

int scalar_bool(bool *flag, struct span text, const char **why)
{
	static const char *const names[] = {"off", "on", "false", "true", "no", "yes"};
	*why = "write true or false";
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (text.len != strlen(names[i]) || strncasecmp(text.at, names[i], text.len) != 0)
			continue;
		*flag = i % 2 == 1;
		return 0;
	}
	return -1;
}

void scalar_write_duration(char *out, int64_t ns)
{
	size_t len = 0;
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		int64_t number = ns / durations[i].size;
		ns %= durations[i].size;
		if (number)
			len += (size_t)snprintf(out + len, SCALAR_TEXT_MAX - len, "%lld%s", (long long)number,
			                        durations[i].name);
	}
	if (len == 0)
		snprintf(out, SCALAR_TEXT_MAX, "0s");
}

void scalar_write_bytes(char *out, int64_t bytes)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i += 2) {
		if (bytes && bytes % sizes[i].size == 0) {
			snprintf(out, SCALAR_TEXT_MAX, "%lld%s", (long long)(bytes / sizes[i].size), sizes[i].name);
			return;
		}
	}
	snprintf(out, SCALAR_TEXT_MAX, "%lld", (long long)bytes);
}
