#include "base/utf8.h"

static bool is_continuation(char byte)
{
	return ((uint8_t)byte & 0xC0) == 0x80;
}

/* The second byte's range depends on the first (RFC 3629 section 4): it keeps out overlong forms, surrogates and what
 * lies beyond U+10FFFF. */
static bool is_second(uint8_t first, uint8_t second)
{
	switch (first) {
	case 0xE0:
		return second >= 0xA0 && second <= 0xBF;
	case 0xED:
		return second >= 0x80 && second <= 0x9F;
	case 0xF0:
		return second >= 0x90 && second <= 0xBF;
	case 0xF4:
		return second >= 0x80 && second <= 0x8F;
	default:
		return second >= 0x80 && second <= 0xBF;
	}
}

size_t utf8_length(const char *at, size_t room)
{
	if (room == 0)
		return 0;
	uint8_t first = (uint8_t)at[0];
	if (first < 0x80)
		return 1;
	size_t len = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
	if (len == 0 || len > room || !is_second(first, (uint8_t)at[1]))
		return 0;
	for (size_t i = 2; i < len; i++)
		if (!is_continuation(at[i]))
			return 0;
	return len;
}

bool utf8_is_shown(const char *at, size_t length)
{
	const uint8_t first = (uint8_t)at[0];
	if (length == 1)
		return first >= 0x20 && first != 0x7F;
	const uint8_t second = (uint8_t)at[1];
	if (length == 2)
		return first != 0xC2 || second >= 0xA0;
	const uint8_t third = (uint8_t)at[2];
	return first != 0xE2 || !((second == 0x80 && third >= 0xA8 && third <= 0xAE) || (second == 0x81 && third >= 0xA6 && third <= 0xA9));
}

size_t utf8_cut(struct span text, size_t limit)
{
	if (text.len <= limit)
		return text.len;
	/* Only a character that begins at most three bytes before the cut can reach over it. */
	for (size_t back = 1; back <= 3 && back <= limit; back++) {
		size_t start = limit - back;
		if (is_continuation(text.at[start]))
			continue;
		return utf8_length(text.at + start, text.len - start) > back ? start : limit;
	}
	return limit;
}

size_t utf8_write(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if ((code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) {
		out[0] = (char)0xFF;
		return 1;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xE0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}
