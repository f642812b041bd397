#include "decode/escape.h"

#include "base/utf8.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int escape_hex4(const char *at)
{
	int code = 0;
	for (int i = 0; i < 4; i++) {
		const int digit = hex_digit(at[i]);
		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

/* \uXXXX, or two of them that make one character; at stands on the first X. Returns the bytes of text used. */
static size_t resolve_unicode(char *out, size_t *len, const char *at, const char *end)
{
	uint32_t code = (uint32_t)escape_hex4(at);
	size_t used = 4;
	if (code >= 0xD800 && code < 0xDC00 && end - at >= 10 && at[4] == '\\' && at[5] == 'u') {
		const int low = escape_hex4(at + 6);
		if (low >= 0xDC00 && low < 0xE000) {
			code = 0x10000 + ((code - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
			used = 10;
		}
	}
	*len += utf8_write(out + *len, code);
	return used;
}

size_t escape_resolve_json(char *out, struct span text)
{
	const char *at = text.at;
	const char *const end = at + text.len;
	size_t len = 0;
	while (at < end) {
		if (*at != '\\') {
			out[len++] = *at++;
			continue;
		}
		const char c = at[1];
		at += 2;
		switch (c) {
		case 'b': out[len++] = '\b'; break;
		case 'f': out[len++] = '\f'; break;
		case 'n': out[len++] = '\n'; break;
		case 'r': out[len++] = '\r'; break;
		case 't': out[len++] = '\t'; break;
		case 'u': at += resolve_unicode(out, &len, at, end); break;
		default: out[len++] = c; break;
		}
	}
	return len;
}

size_t escape_resolve_logfmt(char *out, struct span text)
{
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\\' && i + 1 < text.len) {
			const char c = text.at[i + 1];
			if (c == '"' || c == '\\' || c == 'n' || c == 't') {
				out[len++] = c == 'n' ? '\n' : c == 't' ? '\t' : c;
				i++;
				continue;
			}
		}
		out[len++] = text.at[i];
	}
	return len;
}
