/* Texts made safe for a dialect, beside a list of what each reserves: the first byte chooses the use, the next two the limit.
 * What is written lies within as much room as sanitise.h asks for. */
#include <stdlib.h>

#include "../unit/rig.h"
#include "base/bounds.h"
#include "base/utf8.h"
#include "emit/sanitise.h"
#include "fuzz.h"

enum { TEXT_MAX = 2048 };

static const char *const reserved_values[DIALECT_COUNT] = {"|,", "|,", "|;:=~ ", "|,:=\\ ", "|#,:=", "|[],:="};
static const char *const reserved_keys[DIALECT_COUNT] = {"|,:", "|,:", "|;:=~ ", "|,:=\\ ", "|#,:=", "|[],:="};

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static void compare(const char *what, struct span text, struct span got, struct span want)
{
	if (!span_equal(got, want))
		fuzz_fail("%s of %s: got %s, want %s", what, shown(text), shown(got), shown(want));
}

/* One `_` for each reserved byte; characters that the limit would split are left out. */
static size_t want_tag(char *out, struct span text, const char *reserved, size_t limit)
{
	size_t at = 0;
	while (at < text.len && at < limit) {
		const char c = text.at[at];
		const size_t len = utf8_length(text.at + at, text.len - at);
		if (len == 0 || is_control(c) || strchr(reserved, c)) {
			out[at++] = '_';
			continue;
		}
		if (at + len > limit)
			break;
		memcpy(out + at, text.at + at, len);
		at += len;
	}
	return at;
}

static void check_tag(struct span text, const struct sanitiser *sanitiser, const char *reserved, size_t limit)
{
	static char want[TEXT_MAX];
	char *out = malloc(text.len + SCAN_PAD);
	if (!out)
		fuzz_fail("out of memory");
	const size_t len = sanitise(out, sanitiser, text, limit);
	compare("a tag", text, (struct span){out, len}, (struct span){want, want_tag(want, text, reserved, limit)});
	free(out);
}

static void check_names(struct span text)
{
	char *out = malloc(text.len + SCAN_PAD);
	char *value = malloc(text.len + SCAN_PAD);
	if (!out || !value || sanitise_name(out, text) != text.len || sanitise_name_value(value, text) != text.len)
		fuzz_fail("a name of another length");
	for (size_t i = 0; i < text.len; i++) {
		const char c = text.at[i];
		const bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
		const char want = is_good ? c : '_';
		if (out[i] != (c == '.' ? c : want) || value[i] != want)
			fuzz_fail("byte %zu of the name %s", i, shown(text));
	}
	free(out);
	free(value);
}

/* A text piece by piece, as the renderer takes it: each time as much as limit allows. before: the byte that stands before. */
static size_t want_text(char *out, struct span text, bool is_message)
{
	size_t len = 0;
	for (size_t at = 0; at < text.len;) {
		const char c = text.at[at];
		const size_t char_len = utf8_length(text.at + at, text.len - at);
		if (c == '\n') {
			memcpy(out + len, "\\n", 2);
			len += 2;
			at++;
		} else if (is_message && c == ':' && len > 0 && out[len - 1] == 'm') {
			memcpy(out + len, "\\:", 2);
			len += 2;
			at++;
		} else if (char_len == 0 || is_control(c) || (is_message && c == '|')) {
			out[len++] = '_';
			at++;
		} else {
			memcpy(out + len, text.at + at, char_len);
			len += char_len;
			at += char_len;
		}
	}
	return len;
}

static void check_text(struct span text, size_t limit, bool is_message)
{
	static char want[2 * TEXT_MAX];
	char *out = malloc(2 * text.len + 2 + SCAN_PAD);
	size_t len = 1;
	struct span rest = text;
	if (!out)
		fuzz_fail("out of memory");
	out[0] = 'x';
	limit = limit % 200 + 4; /* any character fits */
	while (rest.len) {
		const size_t before = rest.len;
		const size_t put = is_message ? sanitise_message(out + len, &rest, limit)
		                              : sanitise_text(out + len, &rest, limit);
		if (put > limit || rest.len >= before)
			fuzz_fail("%zu bytes of %zu, %zu left of %zu", put, limit, rest.len, before);
		len += put;
	}
	compare(is_message ? "a message" : "a text", text, (struct span){out + 1, len - 1},
	        (struct span){want, want_text(want, text, is_message)});
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size};
	const unsigned use = fuzz_byte(&rest) % (2 * DIALECT_COUNT + 4);
	size_t limit = fuzz_byte(&rest);
	limit = limit << 3 | fuzz_byte(&rest) % 8;
	if (rest.len >= TEXT_MAX)
		return 0;
	char *copy = fuzz_copy(rest, 0);
	const struct span text = {copy, rest.len};
	if (use < DIALECT_COUNT)
		check_tag(text, &sanitise_tag_value[use], reserved_values[use], limit);
	else if (use < 2 * DIALECT_COUNT)
		check_tag(text, &sanitise_tag_key[use - DIALECT_COUNT], reserved_keys[use - DIALECT_COUNT], limit);
	else if (use == 2 * DIALECT_COUNT)
		check_tag(text, &sanitise_set, "|:,", limit);
	else if (use == 2 * DIALECT_COUNT + 1)
		check_names(text);
	else
		check_text(text, limit, use == 2 * DIALECT_COUNT + 2);
	fuzz_free(copy, 0);
	return 0;
}
