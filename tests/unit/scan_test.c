#include <check.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "decode/scan.h"
#include "rig.h"

Suite *scan_suite(void);

enum { LINE_ROOM = 400 };

/* A buffer with no more than the padding that the header asks for, so that the sanitizers see what goes beyond. */
struct buffer {
	char *bytes;
	char *line;
};

static struct buffer buffer_new(struct span line, char behind)
{
	struct buffer buffer = {.bytes = malloc(line.len + 1 + SCAN_PAD)};
	ck_assert(buffer.bytes != NULL);
	buffer.line = buffer.bytes;
	memcpy(buffer.line, line.at, line.len);
	buffer.line[line.len] = '\n';
	memset(buffer.line + line.len + 1, behind, SCAN_PAD);
	return buffer;
}

static void check_line(struct span line, char behind)
{
	struct buffer buffer = buffer_new(line, behind);
	uint32_t *marks = malloc((line.len + 64 + SCAN_SENTINELS) * sizeof(*marks));
	uint32_t count = 0;
	const uint32_t len = scan_line(buffer.line, marks);
	ck_assert_msg(len == line.len, "%s: length: got %u, want %zu", shown(line), len, line.len);
	for (uint32_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)line.at[i];
		if (c != '"' && c != '\\' && c >= 0x20)
			continue;
		if (marks[count] != i) /* ck_assert() costs a system call */
			ck_abort_msg("%s: mark %u: got %u, want %u", shown(line), count, marks[count], i);
		count++;
	}
	for (uint32_t i = count; i < count + SCAN_SENTINELS; i++)
		if (marks[i] != len)
			ck_abort_msg("%s: sentinel %u: got %u, want %u", shown(line), i, marks[i], len);
	free(marks);
	free(buffer.bytes);
}

START_TEST(every_length)
{
	char line[LINE_ROOM];
	static const char behinds[] = {'\n', '"', '\0', 'x', '\x80'};
	for (size_t len = 0; len < 200; len++) {
		memset(line, 'x', sizeof(line));
		check_line((struct span){line, len}, behinds[len % sizeof(behinds)]);
		memset(line, '"', sizeof(line));
		check_line((struct span){line, len}, behinds[len % sizeof(behinds)]);
	}
}
END_TEST

START_TEST(every_byte_at_every_place)
{
	char line[140];
	for (int c = 0; c < 256; c++) {
		if (c == '\n')
			continue;
		for (size_t at = 0; at < sizeof(line); at += 1 + at / 16) {
			memset(line, 'x', sizeof(line));
			line[at] = (char)c;
			check_line((struct span){line, sizeof(line)}, '"');
		}
	}
}
END_TEST

START_TEST(random_bytes)
{
	static const char often[] = "\"\\\t\r\x1f\x20\x21\x7f\x80\xff{}:,";
	uint64_t seed = 99;
	for (int round = 0; round < 3000; round++) {
		char line[LINE_ROOM];
		const size_t len = random_below(&seed, LINE_ROOM);
		for (size_t i = 0; i < len; i++) {
			line[i] = random_below(&seed, 2) ? often[random_below(&seed, sizeof(often) - 1)]
			                                 : (char)random_below(&seed, 256);
			if (line[i] == '\n')
				line[i] = '"';
		}
		check_line((struct span){line, len}, (char)random_below(&seed, 256));
	}
}
END_TEST

Suite *scan_suite(void)
{
	Suite *suite = suite_create("scan");
	TCase *all = tcase_create("scan");
	tcase_add_test(all, every_length);
	tcase_add_test(all, every_byte_at_every_place);
	tcase_add_test(all, random_bytes);
	suite_add_tcase(suite, all);
	return suite;
}
