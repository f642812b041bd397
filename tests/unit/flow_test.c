/* What becomes of a payload that the kernel took a part of before the connection broke. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output/flow.h"

Suite *flow_suite(void);

/* The kernel: takes so many bytes, then the connection breaks. */
static size_t room;
static char taken[256];
static size_t taken_len;

static ssize_t take(struct output *output, struct iovec *vectors, int count)
{
	size_t written = 0;

	(void)output;
	if (room == 0) {
		errno = EPIPE;
		return -1;
	}
	for (int i = 0; i < count; i++) {
		size_t len = vectors[i].iov_len < room ? vectors[i].iov_len : room;

		memcpy(taken + taken_len, vectors[i].iov_base, len);
		taken_len += len;
		room -= len;
		written += len;
	}
	return (ssize_t)written;
}

struct fixture {
	struct event_base *base;
	struct output_owner owner;
	struct output_settings settings;
	struct output_accounts accounts;
	struct output *output;
	struct flow flow;
};

static void ignore(struct output_owner *owner)
{
	(void)owner;
}

/* The output is to a path where nobody listens: it lends its packer and its accounts. */
static void begin(struct fixture *fixture, bool is_framed, bool blocks)
{
	struct failure failure;

	*fixture = (struct fixture){.base = event_base_new()};
	fixture->owner = (struct output_owner){.base = fixture->base, .relieved = ignore};
	fixture->settings = (struct output_settings){
		.endpoint = {.transport = TRANSPORT_UNIXSTREAM, .url = "unixstream:///nowhere/at/all", .path = "/nowhere/at/all"},
		.label = "nowhere",
		.max_datagram = 8192,
		.when_full = blocks ? WHEN_FULL_BLOCK : WHEN_FULL_DROP,
	};
	fixture->output = output_new(&fixture->settings, &fixture->accounts, &fixture->owner, &failure);
	ck_assert_ptr_nonnull(fixture->output);
	ck_assert_int_eq(flow_init(&fixture->flow, fixture->output), 0);
	fixture->flow.write = take;
	fixture->flow.is_framed = is_framed;
	taken_len = 0;
	for (int i = 0; i < 3; i++) {
		char *out = packer_reserve(&fixture->output->packer);

		ck_assert_ptr_nonnull(out);
		memcpy(out, "ab:1|c", 6);
		packer_commit(&fixture->output->packer, 6);
	}
}

static void end(struct fixture *fixture)
{
	flow_fini(&fixture->flow);
	output_free(fixture->output);
	event_base_free(fixture->base);
}

#define LINE    "ab:1|c\n"
#define FRAME   "\x14\0\0\0" LINE LINE "ab:1|c"
#define IS(text) text, sizeof(text) - 1

static const struct {
	const char *name;
	bool is_framed;
	size_t room;
	unsigned sent; /* when the connection has broken */
	const char *second; /* what goes by the next connection with `block` */
	size_t second_len;
} rows[] = {
	{"lines: within the first", false, 3, 0, IS(LINE LINE LINE)},
	{"lines: one, whole", false, 7, 1, IS(LINE LINE)},
	{"lines: but for the newline", false, 6, 0, IS(LINE LINE LINE)},
	{"lines: within the second", false, 8, 1, IS(LINE LINE)},
	{"lines: all but the last newline", false, 20, 2, IS(LINE)},
	{"frames: within the head", true, 2, 0, IS(FRAME)},
	{"frames: within the second line", true, 15, 0, IS(FRAME)},
};

/* Whole lines are on their way, and are not sent twice; half of a frame is none. */
START_TEST(sends_on_what_did_not_get_through)
{
	struct fixture fixture;

	begin(&fixture, rows[_i].is_framed, true);
	room = rows[_i].room;
	ck_assert_int_eq(flow_send(fixture.output, &fixture.flow), OUTPUT_AWAY);
	flow_break(fixture.output, &fixture.flow);
	ck_assert_msg(fixture.accounts.sent == rows[_i].sent, "%s: got %lu sent, want %u", rows[_i].name,
	              (unsigned long)fixture.accounts.sent, rows[_i].sent);
	ck_assert_uint_eq(output_pending(fixture.output), 3 - rows[_i].sent);
	taken_len = 0;
	room = sizeof taken;
	ck_assert_int_eq(flow_send(fixture.output, &fixture.flow), OUTPUT_SENT);
	ck_assert_msg(taken_len == rows[_i].second_len && memcmp(taken, rows[_i].second, taken_len) == 0,
	              "%s: got %.*s", rows[_i].name, (int)taken_len, taken);
	ck_assert_uint_eq(fixture.accounts.sent, 3);
	ck_assert_uint_eq(fixture.accounts.dropped, 0);
	ck_assert_uint_eq(output_pending(fixture.output), 0);
	end(&fixture);
}
END_TEST

START_TEST(drops_what_did_not_get_through)
{
	struct fixture fixture;

	begin(&fixture, rows[_i].is_framed, false);
	room = rows[_i].room;
	ck_assert_int_eq(flow_send(fixture.output, &fixture.flow), OUTPUT_AWAY);
	flow_break(fixture.output, &fixture.flow);
	ck_assert_msg(fixture.accounts.sent == rows[_i].sent, "%s: got %lu sent, want %u", rows[_i].name,
	              (unsigned long)fixture.accounts.sent, rows[_i].sent);
	ck_assert_uint_eq(fixture.accounts.dropped, 3 - rows[_i].sent);
	ck_assert_uint_eq(output_pending(fixture.output), 0);
	/* Nothing is left to come back. */
	ck_assert_int_eq(flow_send(fixture.output, &fixture.flow), OUTPUT_SENT);
	ck_assert_uint_eq(taken_len, rows[_i].room);
	end(&fixture);
}
END_TEST

Suite *flow_suite(void)
{
	Suite *suite = suite_create("flow");
	TCase *tcase = tcase_create("flow");

	tcase_add_loop_test(tcase, sends_on_what_did_not_get_through, 0, ARRAY_LEN(rows));
	tcase_add_loop_test(tcase, drops_what_did_not_get_through, 0, ARRAY_LEN(rows));
	suite_add_tcase(suite, tcase);
	return suite;
}
