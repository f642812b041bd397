/* Where lines end and what is marked in them, by every way that this machine can go, beside a look at each byte. The first byte
 * says how far from a round address the text begins. */
#include <stdlib.h>

#include "base/bounds.h"
#include "decode/scan.h"
#include "fuzz.h"

static bool is_mark(char c)
{
	return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

/* What a scan says of text, which ends with a newline. */
static void check(const struct scan *scan, const char *way, struct span text)
{
	uint32_t marks = 0;
	uint32_t lines = 0;
	for (uint32_t i = 0; i < text.len; i++) {
		if (!is_mark(text.at[i]))
			continue;
		if (scan->marks[marks] != i)
			fuzz_fail("%s: mark %u stands at %u instead of %u", way, marks, scan->marks[marks], i);
		if (text.at[i] == '\n') {
			if (lines >= scan->line_count || scan->lines[lines].end != i || scan->lines[lines].mark != marks)
				fuzz_fail("%s: line %u should end at %u, with mark %u", way, lines, i, marks);
			lines++;
		}
		marks++;
	}
	if (lines != scan->line_count)
		fuzz_fail("%s: %u lines instead of %u", way, scan->line_count, lines);
	for (int i = 0; i < SCAN_SENTINELS; i++)
		if (scan->marks[marks + (uint32_t)i] != text.len - 1)
			fuzz_fail("%s: mark %u behind the last one stands at %u", way, marks + (uint32_t)i,
			          scan->marks[marks + (uint32_t)i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size};
	const size_t offset = fuzz_byte(&rest) % 64;
	struct scan scan;
	if (rest.len >= SCAN_WINDOW)
		return 0;
	/* A newline behind it, and as much as may be touched. */
	char *copy = fuzz_copy(rest, offset + 1 + SCAN_PAD);
	char *end = copy + rest.len;
	const struct span text = {copy, rest.len + 1};
	*end = '\n';
	for (uint32_t i = 0; i < scan_way_count; i++) {
		if (!scan_ways[i].is_possible())
			continue;
		/* As much room as the text needs, and no more. */
		if (scan_init(&scan, (uint32_t)text.len))
			fuzz_fail("out of memory");
		scan_ways[i].index(&scan, text.at, (uint32_t)text.len);
		check(&scan, scan_ways[i].name, text);
		scan_fini(&scan);
	}
	fuzz_free(copy, offset + 1 + SCAN_PAD);
	return 0;
}
