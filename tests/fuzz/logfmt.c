/* A line through the logfmt reader, beside one that is as simple as can be: it makes a copy of every word and looks at one
 * byte at a time. */
#include <stdlib.h>

#include "../unit/decode_fixture.h"
#include "../unit/rig.h"
#include "fuzz.h"

enum { LINE_MAX_LEN = 8192, PAIRS_MAX = LINE_MAX_LEN };

struct piece {
	char *text;
	size_t len;
};

struct pair {
	struct piece key, value;
	bool is_bare;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void piece_add(struct piece *piece, char c)
{
	piece->text[piece->len++] = c;
}

/* What stands for backslash and c in a quoted text. */
static void piece_add_escaped(struct piece *piece, char c)
{
	if (c == 'n') {
		piece_add(piece, '\n');
	} else if (c == 't') {
		piece_add(piece, '\t');
	} else {
		if (c != '"' && c != '\\')
			piece_add(piece, '\\');
		piece_add(piece, c);
	}
}

static void piece_start(struct piece *piece, char *room)
{
	*piece = (struct piece){room, 0};
}

/* The pairs of a line, or -1. room has twice as many bytes as the line. */
static long read_pairs(struct span line, struct pair *pairs, char *room)
{
	long count = 0;
	size_t i = 0;
	for (;;) {
		struct pair *pair = &pairs[count];
		while (i < line.len && is_blank(line.at[i]))
			i++;
		if (i == line.len)
			return count;
		piece_start(&pair->key, room);
		for (; i < line.len && !is_blank(line.at[i]) && line.at[i] != '=' && line.at[i] != '"'; i++)
			piece_add(&pair->key, line.at[i]);
		room += pair->key.len;
		piece_start(&pair->value, room);
		pair->is_bare = i == line.len || is_blank(line.at[i]);
		count++;
		if (pair->is_bare)
			continue;
		if (line.at[i] == '"' || pair->key.len == 0)
			return -1;
		i++; /* = */
		if (i < line.len && line.at[i] == '"') {
			for (i++; i < line.len && line.at[i] != '"'; i++) {
				if (line.at[i] != '\\')
					piece_add(&pair->value, line.at[i]);
				else if (++i < line.len)
					piece_add_escaped(&pair->value, line.at[i]);
				else
					return -1;
			}
			if (i == line.len)
				return -1;
			i++;
			if (i < line.len && !is_blank(line.at[i]))
				return -1;
		} else {
			for (; i < line.len && !is_blank(line.at[i]); i++)
				piece_add(&pair->value, line.at[i]);
		}
		room += pair->value.len;
	}
}

static const char paths[] = "a b ab a\\.b event data\\.took 12345678 123456789 seventeen\\.letters \xc3\xa9";
/* The same, as the keys that they are. */
static const char *const keys[] = {"a",         "b",          "ab",     "a.b", "event", "data.took", "12345678",
                                   "123456789", "seventeen.letters", "\xc3\xa9"};

static void compare(struct decoding *decoding, const struct pair *pairs, long count)
{
	const struct pair *bare = NULL;
	for (long i = 0; i < count && !bare; i++)
		if (pairs[i].is_bare)
			bare = &pairs[i];
	const struct value *got_bare = &decoding->event.bare;
	if ((bare != NULL) != (got_bare->len > 0) ||
	    (bare && !span_equal((struct span){got_bare->at, got_bare->len}, (struct span){bare->key.text, bare->key.len})))
		fuzz_fail("another bare word");
	if (bare && decoding->event.is_bare_first != (bare == pairs))
		fuzz_fail("the bare word's place");
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		const struct pair *last = NULL;
		for (long i = count > 0 && pairs[0].is_bare ? 1 : 0; i < count; i++) /* the name is no field */
			if (span_is((struct span){pairs[i].key.text, pairs[i].key.len}, keys[k]))
				last = &pairs[i];
		const uint16_t location = decoding->locations[k];
		if (event_has(&decoding->event, location) != (last != NULL))
			fuzz_fail("%s is there in one of the two alone", keys[k]);
		if (!last)
			continue;
		const struct span want = last->is_bare ? SPAN("true") : (struct span){last->value.text, last->value.len};
		const struct span got = event_text(&decoding->event, &decoding->event.values[location]);
		if (!span_equal(got, want))
			fuzz_fail("%s: got %s, want %s", keys[k], shown(got), shown(want));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoding decoding;
	static struct pair pairs[PAIRS_MAX];
	static char room[2 * LINE_MAX_LEN];
	struct span rest = {(const char *)data, size};
	const struct span line = fuzz_until(&rest, '\n');
	const char *why = NULL;
	uint32_t at = 0;
	if (line.len >= LINE_MAX_LEN)
		return 0;
	if (!decoding.arena)
		decoding_init(&decoding, paths);
	const int result = decoding_logfmt(&decoding, line, &why, &at);
	const long count = read_pairs(line, pairs, room);
	if ((result == 0) != (count >= 0))
		fuzz_fail("%s: %s", shown(line), result ? why : "taken, and should not be");
	if (result != 0 && (!why || at > line.len))
		fuzz_fail("a fault at %u of %zu bytes: %s", at, line.len, why ? why : "(none)");
	if (result == 0)
		compare(&decoding, pairs, count);
	return 0;
}
