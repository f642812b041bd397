/* Two numbers, apart by a newline behind a byte that says how far the point is moved: parsed, written and compared, beside
 * numbers whose digits all stand in an array. */
#include <stdlib.h>

#include "base/decimal.h"
#include "fuzz.h"
#include "../unit/rig.h"

enum { TEXT_MAX = 512, EXPONENT_MAX = 400, PLACES = 2048, POINT = 1024 };

/* digits[POINT] is the ones', digits[POINT + 1] the tenths', digits[POINT - 1] the tens'. */
struct big {
	bool is_negative;
	uint8_t digits[PLACES];
};

static size_t count_digits(struct span text)
{
	size_t count = 0;
	while (count < text.len && text.at[count] >= '0' && text.at[count] <= '9')
		count++;
	return count;
}

struct parts {
	bool is_negative;
	struct span whole, fraction;
	long exponent;
};

/* JSON's grammar. */
static bool take_apart(struct span text, struct parts *parts)
{
	*parts = (struct parts){0};
	if (text.len && text.at[0] == '-') {
		parts->is_negative = true;
		text = span_skip(text, 1);
	}
	parts->whole = span_cut(text, count_digits(text));
	text = span_skip(text, parts->whole.len);
	if (parts->whole.len == 0 || (parts->whole.len > 1 && parts->whole.at[0] == '0'))
		return false;
	if (text.len && text.at[0] == '.') {
		text = span_skip(text, 1);
		parts->fraction = span_cut(text, count_digits(text));
		text = span_skip(text, parts->fraction.len);
		if (parts->fraction.len == 0)
			return false;
	}
	if (text.len && (text.at[0] == 'e' || text.at[0] == 'E')) {
		text = span_skip(text, 1);
		const bool is_small = text.len && text.at[0] == '-';
		text = span_skip(text, text.len && (text.at[0] == '-' || text.at[0] == '+'));
		const size_t len = count_digits(text);
		for (size_t i = 0; i < len && parts->exponent < 1000000; i++)
			parts->exponent = parts->exponent * 10 + (text.at[i] - '0');
		if (is_small)
			parts->exponent = -parts->exponent;
		text = span_skip(text, len);
		if (len == 0)
			return false;
	}
	return text.len == 0;
}

static bool big_of(struct big *big, const struct parts *parts, int shift)
{
	const long exponent = parts->exponent + shift;
	bool is_zero = true;
	*big = (struct big){.is_negative = parts->is_negative};
	if (exponent < -EXPONENT_MAX || exponent > EXPONENT_MAX)
		return false;
	for (size_t i = 0; i < parts->whole.len + parts->fraction.len; i++) {
		const char c = i < parts->whole.len ? parts->whole.at[i] : parts->fraction.at[i - parts->whole.len];
		const long place = POINT - (long)parts->whole.len + 1 + (long)i - exponent;
		big->digits[place] = (uint8_t)(c - '0');
		is_zero = is_zero && c == '0';
	}
	big->is_negative = parts->is_negative && !is_zero;
	return true;
}

static int big_compare(const struct big *a, const struct big *b)
{
	if (a->is_negative != b->is_negative)
		return a->is_negative ? -1 : 1;
	const int order = memcmp(a->digits, b->digits, PLACES);
	return a->is_negative ? -order : order;
}

static size_t big_write(const struct big *big, char *out)
{
	size_t len = 0;
	long first = 0;
	long last = PLACES - 1;
	while (first < POINT && big->digits[first] == 0)
		first++;
	while (last > POINT && big->digits[last] == 0)
		last--;
	if (big->is_negative)
		out[len++] = '-';
	for (long i = first; i <= last; i++) {
		if (i == POINT + 1)
			out[len++] = '.';
		out[len++] = (char)('0' + big->digits[i]);
	}
	return len;
}

static int sign_of(int number)
{
	return (number > 0) - (number < 0);
}

static bool parse(struct decimal *number, struct parts *parts, struct span text)
{
	const bool is_number = decimal_parse(number, text) == 0;
	if (is_number != take_apart(text, parts))
		fuzz_fail("%s: %s", shown(text), is_number ? "taken for a number" : "taken for no number");
	return is_number;
}

static void check_written(const struct decimal *number, const struct parts *parts, int shift)
{
	char got[DECIMAL_TEXT_MAX];
	char want[PLACES + 8];
	struct big big;
	const size_t got_len = decimal_write(got, number, shift);
	if (got_len > DECIMAL_TEXT_MAX)
		fuzz_fail("%zu characters", got_len);
	if (!big_of(&big, parts, shift))
		return;
	size_t want_len = big_write(&big, want);
	want_len = want_len > DECIMAL_TEXT_MAX ? 0 : want_len;
	if (!span_equal((struct span){got, got_len}, (struct span){want, want_len}))
		fuzz_fail("by %d: got %.*s, want %.*s", shift, (int)got_len, got, (int)want_len, want);
}

/* What is said to stand as it is written does, and of short numbers without sign and exponent it is said. */
static void check_plain(struct span text, const struct decimal *number)
{
	char out[DECIMAL_TEXT_MAX];
	const bool is_same = number && span_equal((struct span){out, decimal_write(out, number, 0)}, text);
	const bool is_short = is_same && text.len <= 8 && !number->negative;
	if (text.len && decimal_is_plain(text) != is_short)
		fuzz_fail("%s: %s", shown(text), is_short ? "not taken as it is" : "taken as it is");
}

static void check_order(const struct decimal *a, const struct decimal *b, const struct parts *parts_a,
                        const struct parts *parts_b)
{
	struct big big_a;
	struct big big_b;
	const int order = sign_of(decimal_compare(a, b));
	if (order != -sign_of(decimal_compare(b, a)))
		fuzz_fail("the other way round the order is not the other one");
	if (big_of(&big_a, parts_a, 0) && big_of(&big_b, parts_b, 0) && order != sign_of(big_compare(&big_a, &big_b)))
		fuzz_fail("got %d, want %d", order, sign_of(big_compare(&big_a, &big_b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size};
	const int shift = (int)(int8_t)fuzz_byte(&rest);
	const struct span first = fuzz_until(&rest, '\n');
	struct decimal a;
	struct decimal b;
	struct parts parts_a;
	struct parts parts_b;
	if (first.len >= TEXT_MAX || rest.len >= TEXT_MAX)
		return 0;
	char *text_a = fuzz_copy(first, 0);
	char *text_b = fuzz_copy(rest, 0);
	const bool is_a = parse(&a, &parts_a, (struct span){text_a, first.len});
	const bool is_b = parse(&b, &parts_b, (struct span){text_b, rest.len});
	check_plain((struct span){text_a, first.len}, is_a ? &a : NULL);
	if (is_a)
		check_written(&a, &parts_a, shift % 20);
	if (is_a && is_b)
		check_order(&a, &b, &parts_a, &parts_b);
	fuzz_free(text_a, 0);
	fuzz_free(text_b, 0);
	return 0;
}
