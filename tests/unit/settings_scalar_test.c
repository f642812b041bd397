#include <check.h>

#include "settings/scalar.h"

Suite *settings_scalar_suite(void);

#define MS  INT64_C(1000000)
#define BAD (-1)

static const struct {
	const char *text;
	int64_t want;
} durations[] = {
	{"0s", 0},
	{"250ms", 250 * MS},
	{"10s", 10000 * MS},
	{"5m", 300000 * MS},
	{"1h30m", 5400000 * MS},
	{"1d", 86400000 * MS},
	{"1d2h3m4s5ms", 93784005 * MS},
	{"90m", 5400000 * MS},
	{"", BAD},
	{"10", BAD},
	{"1h30", BAD},
	{"s", BAD},
	{"1.5s", BAD},
	{"-1s", BAD},
	{"1 s", BAD},
	{"1S", BAD},
	{"1us", BAD},
	{"30m1h", BAD},
	{"1s1s", BAD},
	{"99999999999999999999s", BAD},
	{"53376d", BAD},
	{"9223372036854775807d", BAD},
};

START_TEST(duration)
{
	int64_t got;
	const char *why = NULL;
	bool is_well = scalar_duration(&got, span_of(durations[_i].text), &why) == 0;
	ck_assert_msg(is_well == (durations[_i].want != BAD), "`%s`: got %s", durations[_i].text,
	              is_well ? "a value" : why);
	ck_assert_msg(!is_well || got == durations[_i].want, "`%s`: got %lld, want %lld", durations[_i].text,
	              (long long)got, (long long)durations[_i].want);
}
END_TEST

START_TEST(duration_says_what_is_missing)
{
	int64_t got;
	const char *why;
	ck_assert_int_lt(scalar_duration(&got, SPAN("10"), &why), 0);
	ck_assert_str_eq(why, "a duration needs a unit: ms, s, m, h or d");
	ck_assert_int_lt(scalar_duration(&got, SPAN("1.5s"), &why), 0);
	ck_assert_str_eq(why, "write an integer with a unit: 250ms, 10s, 5m, 1h30m, 1d");
	ck_assert_int_lt(scalar_duration(&got, SPAN("99999d"), &why), 0);
	ck_assert_str_eq(why, "that is longer than a century");
}
END_TEST

static const struct {
	const char *text;
	int64_t want;
} sizes[] = {
	{"0", 0},
	{"4096", 4096},
	{"64KiB", 65536},
	{"4MiB", 4194304},
	{"1kB", 1000},
	{"2MB", 2000000},
	{"", BAD},
	{"1KB", BAD},
	{"1kb", BAD},
	{"1k", BAD},
	{"1GiB", BAD},
	{"1 KiB", BAD},
	{"1.5MiB", BAD},
	{"-1", BAD},
	{"KiB", BAD},
	{"0x10", BAD},
	{"99999999999999999999", BAD},
	{"4611686018427387904MiB", BAD},
};

START_TEST(bytes)
{
	int64_t got;
	const char *why;
	bool is_well = scalar_bytes(&got, span_of(sizes[_i].text), &why) == 0;
	ck_assert_msg(is_well == (sizes[_i].want != BAD), "`%s`: got %s", sizes[_i].text,
	              is_well ? "a value" : "a fault");
	ck_assert_msg(!is_well || got == sizes[_i].want, "`%s`: got %lld", sizes[_i].text, (long long)got);
}
END_TEST

static const struct {
	const char *text;
	int64_t want;
} modes[] = {
	{"0620", 0620}, {"620", 0620}, {"0o660", 0660}, {"0777", 0777}, {"0", 0},      {"0888", BAD},
	{"01000", BAD}, {"", BAD},     {"0o", BAD},     {"rw", BAD},    {"-620", BAD}, {"0x1ff", BAD},
};

START_TEST(mode)
{
	int64_t got;
	const char *why;
	bool is_well = scalar_mode(&got, span_of(modes[_i].text), &why) == 0;
	ck_assert_msg(is_well == (modes[_i].want != BAD), "`%s`: got %s", modes[_i].text,
	              is_well ? "a value" : "a fault");
	ck_assert_msg(!is_well || got == modes[_i].want, "`%s`: got %llo", modes[_i].text, (unsigned long long)got);
}
END_TEST

static const struct {
	const char *text;
	int want;
} flags[] = {
	{"on", 1}, {"off", 0}, {"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0}, {"Yes", 1},    {"FALSE", 0},
	{"y", -1}, {"n", -1},  {"1", -1},   {"0", -1},    {"", -1},   {"o", -1}, {"truee", -1},
};

START_TEST(flag)
{
	bool got = false;
	const char *why;
	int result = scalar_bool(&got, span_of(flags[_i].text), &why) < 0 ? -1 : got;
	ck_assert_msg(result == flags[_i].want, "`%s`: got %d, want %d", flags[_i].text, result, flags[_i].want);
}
END_TEST

START_TEST(written_as_read)
{
	static const char *const shortest[] = {"0s", "250ms", "10s", "1h30m", "1d", "1d1ms"};
	static const char *const bytes_shortest[] = {"0", "120", "1432", "64KiB", "4MiB", "65507", "1025"};
	char text[SCALAR_TEXT_MAX];
	const char *why;
	int64_t value;
	for (size_t i = 0; i < ARRAY_LEN(shortest); i++) {
		ck_assert_int_eq(scalar_duration(&value, span_of(shortest[i]), &why), 0);
		scalar_write_duration(text, value);
		ck_assert_str_eq(text, shortest[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bytes_shortest); i++) {
		ck_assert_int_eq(scalar_bytes(&value, span_of(bytes_shortest[i]), &why), 0);
		scalar_write_bytes(text, value);
		ck_assert_str_eq(text, bytes_shortest[i]);
	}
}
END_TEST

Suite *settings_scalar_suite(void)
{
	Suite *suite = suite_create("settings_scalar");
	TCase *values = tcase_create("values");
	tcase_add_loop_test(values, duration, 0, ARRAY_LEN(durations));
	tcase_add_test(values, duration_says_what_is_missing);
	tcase_add_loop_test(values, bytes, 0, ARRAY_LEN(sizes));
	tcase_add_loop_test(values, mode, 0, ARRAY_LEN(modes));
	tcase_add_loop_test(values, flag, 0, ARRAY_LEN(flags));
	tcase_add_test(values, written_as_read);
	suite_add_tcase(suite, values);
	return suite;
}
