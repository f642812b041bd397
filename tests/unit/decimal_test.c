/* What single numbers give; decimal_oracle.c and tests/golden/decimal_test.py compare many with another implementation.
 */
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "rig.h"

Suite *decimal_suite(void);

#define NINES "9999999999999999999"

static const struct {
	const char *name;
	const char *text;
	int shift;
	const char *want; /* "too long", "no number" */
} writes[] = {
	{"one digit", "1", 0, "1"},
	{"an integer", "42", 0, "42"},
	{"a fraction", "1.25", 0, "1.25"},
	{"seconds to milliseconds", "1.25", 3, "1250"},
	{"seconds to milliseconds, not all of it", "0.0015", 3, "1.5"},
	{"an integer in milliseconds", "30", 3, "30000"},
	{"microseconds to milliseconds", "1250", -3, "1.25"},
	{"microseconds to milliseconds, less than one", "5", -3, "0.005"},
	{"nanoseconds to milliseconds", "1500000", -6, "1.5"},
	{"the point at the end of the digits", "12.345", 3, "12345"},
	{"the point within", "12.345", 1, "123.45"},
	{"the point before the digits", "12.345", -2, "0.12345"},
	{"what binary fractions cannot hold", "0.1", 3, "100"},
	{"more digits than a double has", "1234567890123456789012345678901234567.890", 3,
         "1234567890123456789012345678901234567890"},
	{"negative", "-1.25", 3, "-1250"},
	{"negative, less than one", "-0.001", 0, "-0.001"},
	{"zero", "0", 3, "0"},
	{"minus zero", "-0", 0, "0"},
	{"minus zero with a fraction and an exponent", "-0.000e5", 0, "0"},
	{"zero, however large the exponent", "0e99999999999999999999", 0, "0"},
	{"zero, however small the exponent", "0.0e-99999999999999999999", 0, "0"},
	{"trailing zeros of an integer", "1000", 0, "1000"},
	{"trailing zeros of an integer are moved", "1000", -4, "0.1"},
	{"trailing zeros of a fraction", "1.500", 0, "1.5"},
	{"a fraction of zeros only", "150.000", 0, "150"},
	{"a fraction of zeros only, moved", "150.000", -2, "1.5"},
	{"zeros before the first digit", "0.000125", 6, "125"},
	{"zeros within", "100.001", 2, "10000.1"},
	{"zeros on both sides of the point", "10.01", 0, "10.01"},
	{"an exponent", "1.5e3", 0, "1500"},
	{"a capital exponent with its sign", "1.5E+3", 0, "1500"},
	{"a negative exponent", "15e-1", 0, "1.5"},
	{"an exponent with leading zeros", "15e-0001", 0, "1.5"},
	{"a minus at an exponent of zero", "15e-0", 0, "15"},
	{"an exponent that the shift takes back", "1e-400", 400, "1"},
	{"64 characters in front of the point", "1e63", 0,
         "1000000000000000000000000000000000000000000000000000000000000000"},
	{"65 characters in front of the point", "1e64", 0, "too long"},
	{"a sign makes 65 of 64 characters", "-1e63", 0, "too long"},
	{"a sign and 63 characters", "-1e62", 0, "-100000000000000000000000000000000000000000000000000000000000000"},
	{"64 characters behind the point", "1e-62", 0,
         "0.00000000000000000000000000000000000000000000000000000000000001"},
	{"65 characters behind the point", "1e-63", 0, "too long"},
	{"64 digits", NINES NINES NINES "9999999", 0, NINES NINES NINES "9999999"},
	{"64 digits with a point", NINES NINES NINES "999999.9", 0, "too long"},
	{"63 digits with a point", NINES NINES NINES "99999.9", 0, NINES NINES NINES "99999.9"},
	{"100 digits", NINES NINES NINES NINES NINES "99999", 0, "too long"},
	{"100 digits behind the point", "0." NINES NINES NINES NINES NINES "99999", 0, "too long"},
	{"100 digits that are zeros but one",
         "0.0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001", 100,
         "1"},
	{"large, but not for 64 characters", "1e400", 0, "too long"},
	{"small, but not for 64 characters", "1e-400", 0, "too long"},
	{"an exponent beyond 64 bits", "1e99999999999999999999", 0, "too long"},
	{"an exponent below 64 bits", "-1e-99999999999999999999", 0, "too long"},

	{"nothing", "", 0, "no number"},
	{"a minus", "-", 0, "no number"},
	{"a plus", "+1", 0, "no number"},
	{"a leading zero", "01", 0, "no number"},
	{"a leading zero behind the sign", "-01", 0, "no number"},
	{"two zeros", "00", 0, "no number"},
	{"two signs", "--1", 0, "no number"},
	{"no digit before the point", ".5", 0, "no number"},
	{"no digit behind the point", "1.", 0, "no number"},
	{"no digit behind the point, an exponent", "1.e5", 0, "no number"},
	{"two points", "1.2.3", 0, "no number"},
	{"a point at the end", "1.2.", 0, "no number"},
	{"an exponent without digits", "1e", 0, "no number"},
	{"an exponent's sign without digits", "1e+", 0, "no number"},
	{"two signs of an exponent", "1e+-5", 0, "no number"},
	{"a fraction in the exponent", "1e1.5", 0, "no number"},
	{"two exponents", "1e1e1", 0, "no number"},
	{"an exponent alone", "e5", 0, "no number"},
	{"a blank before", " 1", 0, "no number"},
	{"a blank behind", "1 ", 0, "no number"},
	{"a newline behind", "1\n", 0, "no number"},
	{"a letter behind", "1s", 0, "no number"},
	{"a letter behind zero", "0x10", 0, "no number"},
	{"a group separator", "1,000", 0, "no number"},
	{"NaN", "NaN", 0, "no number"},
	{"infinity", "-Infinity", 0, "no number"},
	{"true", "true", 0, "no number"},
	{"bytes around the digits in ASCII", "1/", 0, "no number"},
	{"bytes around the digits in ASCII, behind", "1:", 0, "no number"},
	{"digits of another script", "\xD9\xA1", 0, "no number"},
};

/* A copy without a terminator, so that reading behind it is seen. */
static struct span exact_copy(const char *text)
{
	size_t len = strlen(text);
	char *copy = malloc(len ? len : 1);
	memcpy(copy, text, len);
	return (struct span){copy, len};
}

START_TEST(write)
{
	struct span text = exact_copy(writes[_i].text);
	char *out = malloc(DECIMAL_TEXT_MAX);
	struct decimal number;
	struct span got = SPAN("no number");
	if (decimal_parse(&number, text) == 0) {
		got = (struct span){out, decimal_write(out, &number, writes[_i].shift)};
		if (got.len == 0)
			got = SPAN("too long");
	}
	ck_assert_msg(span_is(got, writes[_i].want), "%s: %s shifted by %d: got %.*s, want %s", writes[_i].name,
	              writes[_i].text, writes[_i].shift, SPAN_ARG(got), writes[_i].want);
	free((char *)(uintptr_t)text.at);
	free(out);
}
END_TEST

/* The short way gives what the long one does, or nothing. */
START_TEST(scale_short)
{
	static const char bytes[] = "00123456789..-e";
	uint64_t seed = 7;
	unsigned taken = 0;
	for (int round = 0; round < 300000; round++) {
		char text[8];
		char want[DECIMAL_TEXT_MAX];
		char got[DECIMAL_TEXT_MAX];
		struct decimal number;
		const struct span source = {text, 1 + random_below(&seed, sizeof(text))};
		const int shift = (int)random_below(&seed, 10) - 1;
		for (size_t i = 0; i < source.len; i++)
			text[i] = bytes[random_below(&seed, sizeof(bytes) - 1)];
		const size_t len = decimal_scale_short(got, source, shift);
		if (len == 0)
			continue;
		taken++;
		const size_t want_len = decimal_parse(&number, source) ? 0 : decimal_write(want, &number, shift);
		if (want_len != len || memcmp(want, got, len) != 0)
			ck_abort_msg("%.*s shifted by %d: got %.*s, want %.*s", SPAN_ARG(source), shift, (int)len, got,
			             (int)want_len, want);
	}
	ck_assert_uint_gt(taken, 50000);
}
END_TEST

/* What is plain is what is written as it stands. */
START_TEST(plain)
{
	static const char bytes[] = "00123456789..-e";
	uint64_t seed = 9;
	unsigned taken = 0;
	for (int round = 0; round < 300000; round++) {
		char text[9];
		char written[DECIMAL_TEXT_MAX];
		struct decimal number;
		const struct span source = {text, 1 + random_below(&seed, sizeof(text))};
		for (size_t i = 0; i < source.len; i++)
			text[i] = bytes[random_below(&seed, sizeof(bytes) - 1)];
		const size_t len = decimal_parse(&number, source) ? 0 : decimal_write(written, &number, 0);
		const bool is_same = len == source.len && memcmp(written, text, len) == 0;
		if (decimal_is_plain(source) != (is_same && len <= 8 && !number.negative))
			ck_abort_msg("%.*s: written %.*s", SPAN_ARG(source), (int)len, written);
		taken += decimal_is_plain(source);
	}
	ck_assert_uint_gt(taken, 30000);
}
END_TEST

static const struct {
	const char *name;
	const char *text;
	uint32_t count;
	int64_t point;
	bool negative;
} parses[] = {
	{"an integer", "1250", 3, 4, false},
	{"the header's example", "-12.50e3", 3, 5, true},
	{"a fraction", "0.00125", 3, -2, false},
	{"both sides of the point", "120.05", 5, 3, false},
	{"zero", "0.00", 0, 0, false},
	{"minus zero", "-0", 0, 0, false},
	{"zero with an exponent", "-0e7", 0, 0, false},
};

START_TEST(parse)
{
	struct decimal number;
	ck_assert_int_eq(decimal_parse(&number, span_of(parses[_i].text)), 0);
	ck_assert_msg(
		number.count == parses[_i].count && number.point == parses[_i].point &&
			number.negative == parses[_i].negative && decimal_is_zero(&number) == (parses[_i].count == 0),
		"%s: got %u digits, point %" PRId64 ", negative %d, want %u, %" PRId64 ", %d", parses[_i].name,
		number.count, number.point, number.negative, parses[_i].count, parses[_i].point, parses[_i].negative);
}
END_TEST

static const struct {
	const char *name;
	const char *smaller;
	const char *larger;
} orders[] = {
	{"one digit", "1", "2"},
	{"more digits", "9", "10"},
	{"behind the point", "1.24", "1.25"},
	{"longer behind the point", "1.2", "1.21"},
	{"longer before the point", "12.5", "120"},
	{"points at different places", "9.99", "10.01"},
	{"beyond a double's digits", "10000000000000000000000001", "10000000000000000000000002"},
	{"small ones", "0.001", "0.01"},
	{"exponents", "9e2", "1e3"},
	{"negative", "-2", "-1"},
	{"negative, by their points", "-10", "-9"},
	{"negative, longer", "-1.21", "-1.2"},
	{"either side of zero", "-0.1", "0.1"},
	{"zero and more", "0", "1e-400"},
	{"zero and less", "-1e-400", "0"},
	{"minus zero and more", "-0", "0.1"},
	{"exponents beyond 64 bits", "1e99999999999999999998", "1e99999999999999999999"},
	{"exponents beyond 64 bits, more digits", "9e99999999999999999999", "1e100000000000000000001"},
	{"exponents beyond 64 bits and one that is not", "1e4611686018427387903", "1e4611686018427387905"},
	{"negative exponents beyond 64 bits", "1e-99999999999999999999", "1e-99999999999999999998"},
	{"exponents beyond 64 bits, digits decide", "1.5e99999999999999999999", "15.1e99999999999999999998"},
	{"exponents beyond 64 bits, the point decides", "99e99999999999999999998", "10e99999999999999999999"},
	{"negative numbers, exponents beyond 64 bits", "-1e99999999999999999999", "-1e99999999999999999998"},
	{"a large and a small exponent", "1e-99999999999999999999", "1e99999999999999999999"},
};

static int compare(const char *left, const char *right)
{
	struct decimal a, b;
	ck_assert_int_eq(decimal_parse(&a, span_of(left)), 0);
	ck_assert_int_eq(decimal_parse(&b, span_of(right)), 0);
	int order = decimal_compare(&a, &b);
	return (order > 0) - (order < 0);
}

START_TEST(less_and_greater)
{
	int less = compare(orders[_i].smaller, orders[_i].larger);
	int greater = compare(orders[_i].larger, orders[_i].smaller);
	ck_assert_msg(less == -1 && greater == 1, "%s: %s and %s: got %d and %d, want -1 and 1", orders[_i].name,
	              orders[_i].smaller, orders[_i].larger, less, greater);
}
END_TEST

static const struct {
	const char *name;
	const char *left;
	const char *right;
} equals[] = {
	{"zeros", "0", "-0.00e7"},
	{"the same text", "-1.25", "-1.25"},
	{"trailing zeros", "1.5", "1.50"},
	{"an exponent", "1500", "1.5e3"},
	{"zeros before the digits", "0.0015", "15e-4"},
	{"zeros behind the digits", "1000e-3", "1"},
	{"points at different places", "123.45e1", "12.345e2"},
	{"exponents beyond 64 bits", "1e99999999999999999999", "10e99999999999999999998"},
	{"exponents beyond 64 bits, leading zeros", "1e+099999999999999999999", "0.1e100000000000000000000"},
	{"negative exponents beyond 64 bits", "0.01e-99999999999999999999", "1e-100000000000000000001"},
};

START_TEST(equal)
{
	int got = compare(equals[_i].left, equals[_i].right);
	ck_assert_msg(got == 0, "%s: %s and %s: got %d, want 0", equals[_i].name, equals[_i].left, equals[_i].right,
	              got);
}
END_TEST

Suite *decimal_suite(void)
{
	Suite *suite = suite_create("decimal");
	TCase *rows = tcase_create("rows");
	tcase_add_test(rows, scale_short);
	tcase_add_test(rows, plain);
	tcase_add_loop_test(rows, write, 0, (int)ARRAY_LEN(writes));
	tcase_add_loop_test(rows, parse, 0, (int)ARRAY_LEN(parses));
	tcase_add_loop_test(rows, less_and_greater, 0, (int)ARRAY_LEN(orders));
	tcase_add_loop_test(rows, equal, 0, (int)ARRAY_LEN(equals));
	suite_add_tcase(suite, rows);
	return suite;
}
