#include "base/decimal.h"

#include "base/word.h"

/* An exponent beyond this is kept at it, far enough from the ends of 64 bits that adding a length never overflows; two
 * numbers beyond point_exact are told apart by the exponents' digits in the source. */
static const int64_t exponent_max = (int64_t)1 << 62;
static const int64_t point_exact = (int64_t)1 << 61;

static inline bool is_digit(char byte)
{
	return (uint8_t)(byte - '0') <= 9;
}

static inline const char *skip_digits(const char *at, const char *end)
{
	while (at < end && is_digit(*at))
		at++;
	return at;
}

/* [+-]?[0-9]+ up to end exactly; saturates at ± exponent_max. */
static int exponent_parse(int64_t *exponent, const char *at, const char *end)
{
	bool is_negative = at < end && *at == '-';
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	if (at == end)
		return -1;
	int64_t value = 0;
	for (; at < end; at++) {
		if (!is_digit(*at))
			return -1;
		value = value > (exponent_max - 9) / 10 ? exponent_max : value * 10 + (*at - '0');
	}
	*exponent = is_negative ? -value : value;
	return 0;
}

/* Fills in where the significant digits of whole[.fraction] stand:
 *
 *     0.00125000        125000.00
 *     ^whole            ^whole, first
 *      ^whole_end          ^last (one behind the last digit that counts)
 *         ^first  ^end         ^whole_end
 */
static inline void significant_find(struct decimal *number, const char *whole, const char *whole_end, const char *end)
{
	const char *first = whole;
	if (*whole == '0') {
		first = whole_end + 1;
		while (first < end && *first == '0')
			first++;
		if (first >= end) {
			*number = (struct decimal){.digits = whole};
			return;
		}
	}
	const char *last = end;
	if (last > whole_end) {
		while (last[-1] == '0')
			last--;
		if (last - 1 == whole_end)
			last--;
	}
	if (last == whole_end)
		while (last[-1] == '0')
			last--;
	bool is_split = first < whole_end && last > whole_end;
	number->digits = first;
	number->stretch = (uint32_t)(last - first);
	number->count = number->stretch - is_split;
	number->point = first < whole_end ? whole_end - first : whole_end + 1 - first;
}

/* The digits around a point at index `point`, moved together. */
static inline uint64_t word_without_point(uint64_t word, size_t point)
{
	return (word & word_mask(point)) | (word >> 8 & ~word_mask(point));
}

/* whole[.fraction] of 1 to 8 bytes without sign and exponent, which most numbers are, without a loop; false where text
 * is none such. */
static inline bool short_parse(struct decimal *number, struct span text)
{
	uint64_t word = word_load_short(text.at, text.len);
	uint64_t others = word_non_digits(word) & word_mask(text.len);
	size_t whole_len = others ? word_first(others) : text.len;
	if (others) {
		bool is_point = text.at[whole_len] == '.' && (others & (others - 1)) == 0;
		if (!is_point || whole_len == 0 || whole_len == text.len - 1)
			return false;
		word = word_without_point(word, whole_len);
	}
	if (*text.at == '0' && whole_len > 1)
		return false;
	uint64_t value = (word ^ WORD_OF('0')) & word_mask(text.len - (others != 0));
	if (value == 0) {
		*number = (struct decimal){.digits = text.at};
		return true;
	}
	size_t first = word_first(value), last = word_last(value);
	size_t first_at = first + (first >= whole_len), last_at = last + (last >= whole_len);
	*number = (struct decimal){
		.digits = text.at + first_at,
		.stretch = (uint32_t)(last_at + 1 - first_at),
		.count = (uint32_t)(last + 1 - first),
		.point = (int64_t)whole_len - (int64_t)first,
		.tail = (uint32_t)(text.len - 1 - last_at),
	};
	return true;
}

int decimal_parse(struct decimal *number, struct span text)
{
	if (text.len - 1 < 8 && short_parse(number, text))
		return 0;

	const char *at = text.at, *end = text.at + text.len;
	number->negative = at < end && *at == '-';
	at += number->negative;

	const char *whole = at;
	const char *whole_end = at = skip_digits(at, end);
	if (whole_end == whole || (*whole == '0' && whole_end - whole > 1))
		return -1;
	if (at < end && *at == '.') {
		at = skip_digits(at + 1, end);
		if (at == whole_end + 1)
			return -1;
	}
	int64_t exponent = 0;
	if (at < end && ((*at != 'e' && *at != 'E') || exponent_parse(&exponent, at + 1, end) < 0))
		return -1;

	significant_find(number, whole, whole_end, at);
	if (number->count > 0) {
		number->point += exponent;
		number->tail = (uint32_t)(end - (number->digits + number->stretch));
	}
	return 0;
}

/* Copies the next count digits from *from on, without the point. */
static inline char *digits_copy(char *out, const char **from, size_t count)
{
	const char *at = *from;
	for (; count > 0; count--) {
		at += *at == '.';
		*out++ = *at++;
	}
	*from = at;
	return out;
}

static inline char *zeros_write(char *out, size_t count)
{
	for (; count > 0; count--)
		*out++ = '0';
	return out;
}

/* Numbers whose digits lie within 8 bytes and that are written in no more than 16, by whole words: what is written
 * behind the end is still within DECIMAL_TEXT_MAX. The length without the sign, which stands before out. */
static inline size_t short_write(char *out, const struct decimal *number, size_t count, int64_t point)
{
	uint64_t word = word_load_short(number->digits, number->stretch);
	if (number->stretch > count)
		word = word_without_point(word, word_first(word_non_digits(word)));
	if (point <= 0) {
		word_store(out, word_load("0.000000"));
		word_store(out + 2 - point, word);
		return (size_t)(2 - point) + count;
	}
	size_t whole = (size_t)point;
	if (whole < count) {
		word_store(out, word);
		out[whole] = '.';
		word_store(out + whole + 1, word >> 8 * whole);
		return count + 1;
	}
	uint64_t zeros = WORD_OF('0');
	word_store(out, (word & word_mask(count)) | (zeros & ~word_mask(count)));
	word_store(out + 8, zeros);
	return whole;
}

size_t decimal_write(char *out, const struct decimal *number, int shift)
{
	if (number->count == 0) {
		*out = '0';
		return 1;
	}
	int64_t point = number->point + shift;
	if (number->stretch <= 8 && point <= 16 && point >= -6) {
		*out = '-';
		return number->negative + short_write(out + number->negative, number, number->count, point);
	}
	if (number->count > DECIMAL_TEXT_MAX || point > DECIMAL_TEXT_MAX || point < -DECIMAL_TEXT_MAX)
		return 0;
	int64_t count = number->count;
	int64_t len = number->negative + (point >= count ? point : point > 0 ? count + 1 : 2 - point + count);
	if (len > DECIMAL_TEXT_MAX)
		return 0;

	const char *from = number->digits;
	if (number->negative)
		*out++ = '-';
	if (point >= count) {
		out = digits_copy(out, &from, (size_t)count);
		zeros_write(out, (size_t)(point - count));
	} else if (point > 0) {
		out = digits_copy(out, &from, (size_t)point);
		*out++ = '.';
		digits_copy(out, &from, (size_t)(count - point));
	} else {
		*out++ = '0';
		*out++ = '.';
		out = zeros_write(out, (size_t)-point);
		digits_copy(out, &from, (size_t)count);
	}
	return (size_t)len;
}

bool decimal_is_plain(struct span text)
{
	if (text.len - 1 >= 8)
		return false;
	const uint64_t word = word_load_short(text.at, text.len);
	const uint64_t others = word_non_digits(word) & word_mask(text.len);
	const size_t whole = others ? word_first(others) : text.len;
	if (*text.at == '0' && whole > 1)
		return false;
	if (!others)
		return true;
	return (others & (others - 1)) == 0 && text.at[whole] == '.' && whole > 0 && whole < text.len - 1 && text.at[text.len - 1] != '0';
}

size_t decimal_scale_short(char *out, struct span text, int shift)
{
	if (text.len - 1 >= 8 || shift < 0 || shift > 8)
		return 0;
	uint64_t word = word_load_short(text.at, text.len);
	const uint64_t others = word_non_digits(word) & word_mask(text.len);
	const size_t whole = others ? word_first(others) : text.len;
	size_t count = text.len;
	size_t fraction = 0;
	if (others) {
		fraction = text.len - 1 - whole;
		if (text.at[whole] != '.' || (others & (others - 1)) || whole == 0 || fraction == 0 || fraction > (size_t)shift)
			return 0;
		word = word_without_point(word, whole);
		count--;
	}
	const uint64_t value = (word ^ WORD_OF('0')) & word_mask(count);
	if (*text.at == '0') {
		if (whole > 1)
			return 0;
		if (value == 0) {
			*out = '0';
			return 1;
		}
		const size_t zeros = word_first(value);
		word = word >> 8 * zeros;
		count -= zeros;
	}
	word_store(out, word);
	word_store(out + count, WORD_OF('0'));
	return count + (size_t)shift - fraction;
}

static int sign_of(int64_t value)
{
	return (value > 0) - (value < 0);
}

/* The exponent as written, its sign included; empty where there is none. */
static struct span exponent_text(const struct decimal *number)
{
	const char *at = number->digits + number->stretch, *end = at + number->tail;
	while (at < end && *at != 'e' && *at != 'E')
		at++;
	at += at < end;
	return (struct span){at, (size_t)(end - at)};
}

static struct span exponent_digits(struct span text)
{
	while (text.len > 0 && (*text.at == '-' || *text.at == '+' || *text.at == '0'))
		text = span_skip(text, 1);
	return text;
}

/* What the point would be were there no exponent. */
static int64_t point_plain(const struct decimal *number, struct span text)
{
	int64_t exponent = 0;
	if (exponent_parse(&exponent, text.at, text.at + text.len) < 0)
		return number->point;
	return number->point - exponent;
}

/* Both points lie beyond point_exact, on the same side: the difference of the exponents' digits, from the front on.
 * Once it is larger than any text is long, no digit behind can turn it. */
static int points_compare_long(const struct decimal *a, const struct decimal *b)
{
	const int64_t far = (int64_t)1 << 40;
	struct span a_text = exponent_text(a), b_text = exponent_text(b);
	struct span a_digits = exponent_digits(a_text), b_digits = exponent_digits(b_text);
	int64_t difference = 0;
	for (size_t left = a_digits.len > b_digits.len ? a_digits.len : b_digits.len; left > 0; left--) {
		int a_digit = left <= a_digits.len ? a_digits.at[a_digits.len - left] - '0' : 0;
		int b_digit = left <= b_digits.len ? b_digits.at[b_digits.len - left] - '0' : 0;
		difference = difference * 10 + a_digit - b_digit;
		if (difference > far || difference < -far)
			difference = sign_of(difference) * far;
	}
	if (a->point < 0)
		difference = -difference;
	return sign_of(difference + point_plain(a, a_text) - point_plain(b, b_text));
}

static int points_compare(const struct decimal *a, const struct decimal *b)
{
	bool is_long = (a->point > point_exact && b->point > point_exact) ||
	               (a->point < -point_exact && b->point < -point_exact);
	return is_long ? points_compare_long(a, b) : (a->point > b->point) - (a->point < b->point);
}

/* No digits end in 0, so that of two of which one begins with the other the longer is the larger. */
static int digits_compare(const struct decimal *a, const struct decimal *b)
{
	const char *at = a->digits, *a_end = at + a->stretch;
	const char *bt = b->digits, *b_end = bt + b->stretch;
	while (at < a_end && bt < b_end) {
		at += *at == '.';
		bt += *bt == '.';
		if (*at != *bt)
			return *at < *bt ? -1 : 1;
		at++;
		bt++;
	}
	return (at < a_end) - (bt < b_end);
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
	int a_sign = a->count == 0 ? 0 : a->negative ? -1 : 1;
	int b_sign = b->count == 0 ? 0 : b->negative ? -1 : 1;
	if (a_sign != b_sign || a_sign == 0)
		return a_sign - b_sign;
	int order = points_compare(a, b);
	if (order == 0)
		order = digits_compare(a, b);
	return a_sign * order;
}
