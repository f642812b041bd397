/* Characters and where texts can be cut, beside the ranges of RFC 3629; what is written can be read. */
#include "../unit/rig.h"
#include "base/utf8.h"
#include "fuzz.h"

/* The code's value and its length, or 0 where none begins there. */
static size_t character(struct span text, uint32_t *code)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	if (text.len == 0)
		return 0;
	const unsigned char first = (unsigned char)text.at[0];
	const size_t len = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
	if (len == 0 || len > text.len)
		return 0;
	*code = len == 1 ? first : first & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)text.at[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | ((unsigned char)text.at[i] & 0x3fu);
	}
	return *code < lowest[len] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ? 0 : len;
}

static void check_cuts(struct span text)
{
	size_t at = 0; /* the character that reaches over the limit, or begins at it */
	for (size_t limit = 0; limit <= text.len + 1; limit++) {
		uint32_t code;
		size_t len = character(span_skip(text, at), &code);
		while (at < text.len && at + (len ? len : 1) <= limit) {
			at += len ? len : 1;
			len = character(span_skip(text, at), &code);
		}
		const size_t want = limit >= text.len ? text.len : at;
		if (utf8_cut(text, limit) != want)
			fuzz_fail("%s cut at %zu: got %zu, want %zu", shown(text), limit, utf8_cut(text, limit), want);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 512)
		return 0;
	char *copy = fuzz_copy((struct span){(const char *)data, size}, 0);
	const struct span text = {copy, size};
	for (size_t at = 0; at < size; at++) {
		const struct span rest = span_skip(text, at);
		uint32_t code = 0;
		const size_t want = character(rest, &code);
		const size_t got = utf8_length(rest.at, rest.len);
		if (got != want)
			fuzz_fail("%s: got %zu, want %zu", shown(rest), got, want);
		char written[4];
		if (got && (utf8_write(written, code) != got || memcmp(written, rest.at, got) != 0))
			fuzz_fail("U+%04X is written otherwise", code);
	}
	check_cuts(text);
	/* Four bytes as a code: what is no character becomes one byte that is none either. */
	uint32_t code;
	char written[4];
	if (size >= sizeof(code)) {
		memcpy(&code, data, sizeof(code));
		const size_t len = utf8_write(written, code);
		const bool is_character = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
		if (len > 4 || (utf8_length(written, len) == len) != is_character || (!is_character && len != 1))
			fuzz_fail("U+%04X is written as %s", code, shown((struct span){written, len}));
	}
	fuzz_free(copy, 0);
	return 0;
}
