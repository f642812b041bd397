#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "emit/packer.h"

Suite *packer_suite(void);

/* A receiver: takes `room` datagrams and remembers them, apart by `>`; newlines as `/`. */
struct receiver {
	struct packer packer;
	unsigned room;
	unsigned flushes;
	char text[1 << 20];
	size_t len;
};

static void take(struct packer *packer, void *context)
{
	struct receiver *receiver = context;
	receiver->flushes++;
	while (!packer_empty(packer) && receiver->room > 0) {
		const struct cut *cut = &packer->cuts[packer->first];
		ck_assert_int_eq(packer->buffer[cut->at + cut->len], '\n');
		for (uint32_t i = 0; i < cut->len; i++) {
			const char c = packer->buffer[cut->at + i];
			receiver->text[receiver->len++] = c == '\n' ? '/' : c;
		}
		receiver->text[receiver->len++] = '>';
		receiver->room--;
		packer_take(packer);
	}
	receiver->text[receiver->len] = '\0';
}

static struct receiver *receiver_new(uint32_t max_datagram, unsigned room)
{
	struct receiver *receiver = calloc(1, sizeof(*receiver));
	ck_assert(receiver && packer_init(&receiver->packer, max_datagram) == 0);
	receiver->packer.flush = take;
	receiver->packer.context = receiver;
	receiver->room = room;
	return receiver;
}

static void receiver_free(struct receiver *receiver)
{
	packer_fini(&receiver->packer);
	free(receiver);
}

static bool put(struct receiver *receiver, const char *line, size_t len)
{
	char *out = packer_reserve(&receiver->packer);
	if (!out)
		return false;
	memcpy(out, line, len);
	packer_commit(&receiver->packer, len);
	return true;
}

static const struct {
	const char *name;
	uint32_t max_datagram;
	const char *lines; /* one each, apart by blanks */
	const char *want;
} packings[] = {
	{"one line", 100, "abc", "abc>"},
	{"lines share a datagram", 100, "abc de f", "abc/de/f>"},
	{"exactly full", 8, "abc defg", "abc/defg>"},
	{"one byte more", 7, "abc defg", "abc>defg>"},
	{"a third line that fits no more", 8, "abc defg h", "abc/defg>h>"},
	{"a shorter line does not go back to a datagram before", 8, "abcdef abcdef a", "abcdef>abcdef/a>"},
	{"a line beyond the size goes alone", 5, "ab abcdefgh cd", "ab>abcdefgh>cd>"},
	{"a line of exactly the size", 5, "abcde f", "abcde>f>"},
	{"a pair stays together", 10, "abcd x\ny z", "abcd/x/y/z>"},
	{"a pair that does not fit begins another", 6, "abcd x\ny z", "abcd>x/y/z>"},
};

START_TEST(packing)
{
	struct receiver *receiver = receiver_new(packings[_i].max_datagram, 1000);
	const char *lines = packings[_i].lines;
	uint32_t count = 0;
	while (*lines) {
		const size_t len = strcspn(lines, " ");
		ck_assert(put(receiver, lines, len));
		ck_assert_uint_eq(packer_pending(&receiver->packer), ++count);
		lines += len + (lines[len] == ' ');
	}
	ck_assert_uint_eq(receiver->flushes, 0);
	take(&receiver->packer, receiver);
	ck_assert_msg(strcmp(receiver->text, packings[_i].want) == 0, "%s: got %s, want %s", packings[_i].name,
	              receiver->text, packings[_i].want);
	ck_assert_uint_eq(packer_pending(&receiver->packer), 0);
	ck_assert_uint_eq(receiver->packer.used, 0);
	receiver_free(receiver);
}
END_TEST

/* Each line is its number, so that what is lost or doubled shows. */
static void put_number(struct receiver *receiver, unsigned number, char *want)
{
	char line[16];
	const int len = snprintf(line, sizeof(line), "%u", number);
	ck_assert_msg(put(receiver, line, (size_t)len), "no room for line %u", number);
	sprintf(want + strlen(want), "%u>", number);
}

START_TEST(flushes_where_cuts_end)
{
	struct receiver *receiver = receiver_new(1, 100000);
	char *want = calloc(1, 1 << 20);
	for (unsigned i = 0; i < 5 * PACKER_CUTS; i++)
		put_number(receiver, i, want);
	ck_assert_uint_gt(receiver->flushes, 0);
	take(&receiver->packer, receiver);
	ck_assert_str_eq(receiver->text, want);
	free(want);
	receiver_free(receiver);
}
END_TEST

START_TEST(flushes_where_the_buffer_ends)
{
	struct receiver *receiver = receiver_new(8192, 100000);
	static char line[8000];
	memset(line, 'x', sizeof(line));
	for (int i = 0; i < 100; i++)
		ck_assert(put(receiver, line, sizeof(line)));
	ck_assert_uint_gt(receiver->flushes, 0);
	take(&receiver->packer, receiver);
	ck_assert_uint_eq(receiver->len, 100 * (sizeof(line) + 1));
	receiver_free(receiver);
}
END_TEST

START_TEST(refuses_where_nothing_is_taken)
{
	struct receiver *receiver = receiver_new(1, 0);
	unsigned count = 0;
	while (put(receiver, "xy", 2))
		ck_assert_uint_lt(count++, PACKER_CUTS + 1);
	ck_assert_uint_eq(count, PACKER_CUTS);
	ck_assert_uint_eq(packer_pending(&receiver->packer), PACKER_CUTS);
	receiver->room = 1;
	ck_assert(put(receiver, "z", 1));
	ck_assert(!put(receiver, "z", 1));
	receiver->room = 1000;
	take(&receiver->packer, receiver);
	ck_assert_uint_eq(receiver->len, 3 * PACKER_CUTS + 2);
	receiver_free(receiver);
}
END_TEST

/* An output that blocks asks for a flush as soon as a second datagram begins. */
START_TEST(keeps_one)
{
	struct receiver *receiver = receiver_new(5, 1000);
	receiver->packer.keep = 1;
	ck_assert(put(receiver, "ab", 2));
	ck_assert(put(receiver, "cd", 2));
	ck_assert_uint_eq(receiver->flushes, 0);
	ck_assert(put(receiver, "ef", 2));
	ck_assert_uint_eq(receiver->flushes, 1);
	ck_assert_str_eq(receiver->text, "ab/cd>");
	ck_assert_uint_eq(packer_pending(&receiver->packer), 1);
	/* The line has moved to the front of the buffer, which is free again. */
	ck_assert_uint_eq(receiver->packer.cuts[receiver->packer.first].at, 0);
	take(&receiver->packer, receiver);
	ck_assert_str_eq(receiver->text, "ab/cd>ef>");
	receiver_free(receiver);
}
END_TEST

/* A line that is longer than what stands before it, moved over itself. */
START_TEST(moves_a_long_line)
{
	struct receiver *receiver = receiver_new(5, 1000);
	receiver->packer.keep = 1;
	ck_assert(put(receiver, "ab", 2));
	ck_assert(put(receiver, "0123456789", 10));
	take(&receiver->packer, receiver);
	ck_assert_str_eq(receiver->text, "ab>0123456789>");
	receiver_free(receiver);
}
END_TEST

/* The receiver takes one datagram each time and so never all: the room of what it took is used again. */
START_TEST(always_one_behind)
{
	struct receiver *receiver = receiver_new(1, 0);
	char *want = calloc(1, 1 << 20);
	receiver->packer.keep = _i ? 1 : PACKER_CUTS;
	put_number(receiver, 0, want);
	for (unsigned i = 1; i < 20 * PACKER_CUTS; i++) {
		put_number(receiver, i, want);
		receiver->room = 1;
		take(&receiver->packer, receiver);
		ck_assert_uint_eq(packer_pending(&receiver->packer), 1);
	}
	receiver->room = 1;
	take(&receiver->packer, receiver);
	ck_assert_str_eq(receiver->text, want);
	free(want);
	receiver_free(receiver);
}
END_TEST

Suite *packer_suite(void)
{
	Suite *suite = suite_create("packer");
	TCase *all = tcase_create("packer");
	tcase_add_loop_test(all, packing, 0, sizeof(packings) / sizeof(packings[0]));
	tcase_add_test(all, flushes_where_cuts_end);
	tcase_add_test(all, flushes_where_the_buffer_ends);
	tcase_add_test(all, refuses_where_nothing_is_taken);
	tcase_add_test(all, keeps_one);
	tcase_add_test(all, moves_a_long_line);
	tcase_add_loop_test(all, always_one_behind, 0, 2);
	suite_add_tcase(suite, all);
	return suite;
}
