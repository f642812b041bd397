#include <check.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "decode/scan.h"
#include "rig.h"

Suite *scan_suite(void);

enum { LINE_ROOM = 400 };

/* A buffer with no more than the padding that the header asks for, so that the sanitizers see what goes beyond. */
static char *buffer_new(struct span text, char behind)
{
	char *buffer = malloc(text.len + 1 + SCAN_PAD);
	ck_assert(buffer != NULL);
	memcpy(buffer, text.at, text.len);
	buffer[text.len] = '\n';
	memset(buffer + text.len + 1, behind, SCAN_PAD);
	return buffer;
}

static void check_index(const struct scan *scan, const char *way, const char *text, uint32_t len)
{
	uint32_t marks = 0;
	uint32_t lines = 0;
	for (uint32_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)text[i];
		if (c == '\n' && (lines == scan->line_count || scan->lines[lines].end != i || scan->lines[lines].mark != marks))
			ck_abort_msg("%s: %s: line %u does not end at %u with mark %u", way, shown((struct span){text, len}), lines, i,
			             marks);
		lines += c == '\n';
		if (c != '"' && c != '\\' && c >= 0x20)
			continue;
		if (scan->marks[marks] != i) /* ck_assert() costs a system call */
			ck_abort_msg("%s: %s: mark %u: got %u, want %u", way, shown((struct span){text, len}), marks,
			             scan->marks[marks], i);
		marks++;
	}
	if (lines != scan->line_count)
		ck_abort_msg("%s: %s: lines: got %u, want %u", way, shown((struct span){text, len}), scan->line_count, lines);
	for (uint32_t i = marks; i < marks + SCAN_SENTINELS; i++)
		if (scan->marks[i] != len - 1)
			ck_abort_msg("%s: %s: sentinel %u: got %u, want %u", way, shown((struct span){text, len}), i,
			             scan->marks[i], len - 1);
}

/* By all ways that this machine has. */
static void check_text(struct span text, char behind)
{
	char *buffer = buffer_new(text, behind);
	const uint32_t len = (uint32_t)text.len + 1;
	for (uint32_t i = 0; i < scan_way_count; i++) {
		struct scan scan;
		if (!scan_ways[i].is_possible())
			continue;
		ck_assert_int_eq(scan_init(&scan, len), 0);
		scan.index = scan_ways[i].index;
		scan_index(&scan, buffer, len);
		check_index(&scan, scan_ways[i].name, buffer, len);
		scan_fini(&scan);
	}
	free(buffer);
}

START_TEST(every_length)
{
	char line[LINE_ROOM];
	static const char behinds[] = {'\n', '"', '\0', 'x', '\x80'};
	for (size_t len = 0; len < 200; len++) {
		memset(line, 'x', sizeof(line));
		check_text((struct span){line, len}, behinds[len % sizeof(behinds)]);
		memset(line, '"', sizeof(line));
		check_text((struct span){line, len}, behinds[len % sizeof(behinds)]);
	}
}
END_TEST

START_TEST(every_byte_at_every_place)
{
	char line[140];
	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < sizeof(line); at += 1 + at / 16) {
			memset(line, 'x', sizeof(line));
			line[at] = (char)c;
			check_text((struct span){line, sizeof(line)}, '"');
		}
	}
}
END_TEST

START_TEST(random_bytes)
{
	static const char often[] = "\n\"\\\t\r\x1f\x20\x21\x7f\x80\xff{}:,";
	uint64_t seed = 99;
	for (int round = 0; round < 3000; round++) {
		char line[LINE_ROOM];
		const size_t len = random_below(&seed, LINE_ROOM);
		for (size_t i = 0; i < len; i++) {
			line[i] = random_below(&seed, 2) ? often[random_below(&seed, sizeof(often) - 1)]
			                                 : (char)random_below(&seed, 256);
		}
		check_text((struct span){line, len}, (char)random_below(&seed, 256));
	}
}
END_TEST

START_TEST(windows)
{
	enum { TEXT_MAX = 3 * SCAN_WINDOW };
	char *text = malloc(TEXT_MAX);
	ck_assert(text != NULL);
	memset(text, 'x', TEXT_MAX);
	text[TEXT_MAX - 1] = '\n';
	ck_assert_uint_eq(scan_window(text, TEXT_MAX, TEXT_MAX), TEXT_MAX); /* one line, longer than a window */
	ck_assert_uint_eq(scan_window(text, TEXT_MAX, TEXT_MAX - 1), 0);
	ck_assert_uint_eq(scan_window(text + TEXT_MAX - SCAN_WINDOW, SCAN_WINDOW, SCAN_WINDOW), SCAN_WINDOW);
	text[SCAN_WINDOW] = '\n';
	ck_assert_uint_eq(scan_window(text, TEXT_MAX, TEXT_MAX), SCAN_WINDOW + 1);
	text[SCAN_WINDOW - 1] = '\n';
	ck_assert_uint_eq(scan_window(text, TEXT_MAX, TEXT_MAX), SCAN_WINDOW);
	text[10] = '\n';
	ck_assert_uint_eq(scan_window(text, TEXT_MAX, TEXT_MAX), SCAN_WINDOW);
	text[SCAN_WINDOW - 1] = 'x';
	ck_assert_uint_eq(scan_window(text, TEXT_MAX, TEXT_MAX), 11);
	free(text);
}
END_TEST

Suite *scan_suite(void)
{
	Suite *suite = suite_create("scan");
	TCase *all = tcase_create("scan");
	tcase_add_test(all, every_length);
	tcase_add_test(all, every_byte_at_every_place);
	tcase_add_test(all, random_bytes);
	tcase_add_test(all, windows);
	suite_add_tcase(suite, all);
	return suite;
}
