/* Numbers as text: never converted to floating point, scaled by powers of ten by moving the point, compared exactly.
 * The grammar is JSON's (RFC 8259 section 6): -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? and nothing around it.
 *
 *     -12.50e3
 *     ^ sign    digits without the point: 1250, exponent of the last digit: 3 - 2 = 1
 *
 * A struct decimal borrows the text it was parsed from. */
#ifndef STATSIDECAR_BASE_DECIMAL_H
#define STATSIDECAR_BASE_DECIMAL_H

#include <stdint.h>

#include "base/span.h"

/* No number is written in more characters than this, sign and point included. */
#define DECIMAL_TEXT_MAX 64

/* The significant digits d1 d2 … dn (no leading and no trailing zero; n == 0 for zero) stand in the source from
 * `digits` on over `stretch` bytes, among them at most one '.', which is skipped. Value: ± 0.d1d2…dn * 10^point. */
struct decimal {
	const char *digits;
	uint32_t stretch; /* bytes of source that the digits cover, the '.' included */
	uint32_t count;   /* n, the significant digits */
	int64_t point;    /* counts an exponent beyond ± 2^62 as that, far beyond what can be written */
	uint32_t tail;    /* bytes of source behind the digits: zeros, '.', exponent (where beyond 2^62, it is read there) */
	bool negative;    /* false for zero, however it was signed */
};

/* Parses the whole of text. 0, or -1 where it is no number by the grammar above. */
int decimal_parse(struct decimal *number, struct span text) __attribute__((warn_unused_result));

/* Writes number * 10^shift into out (room for DECIMAL_TEXT_MAX bytes): no exponent, no trailing zeros behind the
 * point, no leading zeros but one before the point, zero is `0`. The length written, or 0 where it would take more than
 * DECIMAL_TEXT_MAX characters. */
size_t decimal_write(char *out, const struct decimal *number, int shift);

/* The same in one go for most numbers that there are: up to 8 bytes without sign and exponent, of which shift leaves no digit
 * behind the point. 0 where text is none such; out as above. */
size_t decimal_scale_short(char *out, struct span text, int shift);

/* Whether text is a number of up to 8 bytes as decimal_write() would write it. */
bool decimal_is_plain(struct span text);

/* Less than, equal to or greater than 0, as a is less than, equal to or greater than b: exact, whatever the exponents. */
int decimal_compare(const struct decimal *a, const struct decimal *b);

static inline bool decimal_is_zero(const struct decimal *number)
{
	return number->count == 0;
}

#endif
