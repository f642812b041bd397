/* Opening again what is away: the timer's delays, without waiting for them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "output/output.h"

Suite *output_suite(void);

enum { BACKOFF_MAX_MS = 1000 };

struct fixture {
	char directory[32];
	char path[64];
	struct event_base *base;
	struct output_owner owner;
	struct output_settings settings;
	struct output_accounts accounts;
	struct output *output;
};

static void ignore_relieved(struct output_owner *owner)
{
	(void)owner;
}

static void ignore_ended(struct output_owner *owner, struct output *output)
{
	(void)owner;
	(void)output;
}

/* A Unix output to a path where nobody listens. */
static void begin(struct fixture *fixture, enum transport transport)
{
	struct failure failure;

	*fixture = (struct fixture){.directory = "/tmp/output_test.XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof fixture->path, "%s/receiver", fixture->directory);
	fixture->base = event_base_new();
	fixture->owner =
		(struct output_owner){.base = fixture->base, .relieved = ignore_relieved, .ended = ignore_ended};
	fixture->settings = (struct output_settings){
		.endpoint = {.transport = transport, .url = "unix:///receiver", .path = fixture->path},
		.label = "receiver",
		.max_datagram = 8192,
	};
	fixture->output = output_new(&fixture->settings, &fixture->accounts, &fixture->owner, &failure);
	ck_assert_ptr_nonnull(fixture->output);
}

static void end(struct fixture *fixture)
{
	output_free(fixture->output);
	event_base_free(fixture->base);
	unlink(fixture->path);
	rmdir(fixture->directory);
}

static int receiver_open(const struct fixture *fixture, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	memcpy(address.sun_path, fixture->path, sizeof fixture->path);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
	ck_assert(type == SOCK_DGRAM || listen(fd, 1) == 0);
	return fd;
}

/* The time for the next try has come. */
static void tick(struct fixture *fixture)
{
	ck_assert_msg(evtimer_pending(fixture->output->retry, NULL), "no next try is planned");
	event_active(fixture->output->retry, EV_TIMEOUT, 1);
	event_base_loop(fixture->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void make_metric(struct fixture *fixture)
{
	struct packer *packer = &fixture->output->packer;
	char *out = packer_reserve(packer);

	ck_assert_ptr_nonnull(out);
	memcpy(out, "a:1|c", 5);
	packer_commit(packer, 5);
	output_flush(fixture->output);
}

static const enum transport transports[] = {TRANSPORT_UNIX, TRANSPORT_UNIXSTREAM};

START_TEST(waits_longer_and_longer_but_at_most_a_second)
{
	static const uint32_t delays_ms[] = {25, 50, 100, 200, 400, 800, 1000, 1000, 1000};
	struct fixture fixture;

	begin(&fixture, transports[_i]);
	for (size_t i = 0; i < ARRAY_LEN(delays_ms); i++) {
		ck_assert_msg(fixture.output->backoff_ms == delays_ms[i], "try %zu: got %u ms, want %u ms", i,
		              fixture.output->backoff_ms, delays_ms[i]);
		tick(&fixture);
		ck_assert(!fixture.output->is_open);
	}
	end(&fixture);
}
END_TEST

/* Ten times: however long it was away, the first try after its return delivers. */
START_TEST(delivers_with_the_first_try_after_the_receiver_is_back)
{
	const int type = transports[_i] == TRANSPORT_UNIX ? SOCK_DGRAM : SOCK_STREAM;
	struct fixture fixture;

	begin(&fixture, transports[_i]);
	for (unsigned round = 0; round < 10; round++) {
		int receiver;

		for (unsigned away = 0; away < round; away++) {
			make_metric(&fixture);
			ck_assert_uint_eq(fixture.accounts.sent, round);
			ck_assert_uint_le(fixture.output->backoff_ms, BACKOFF_MAX_MS);
			tick(&fixture);
		}
		receiver = receiver_open(&fixture, type);
		tick(&fixture);
		ck_assert(fixture.output->is_open);
		make_metric(&fixture);
		ck_assert_uint_eq(fixture.accounts.sent, round + 1);
		close(receiver);
		unlink(fixture.path);
		/* It is found out by what is sent next, or by the end of the connection. */
		event_base_loop(fixture.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		if (fixture.output->is_open)
			make_metric(&fixture);
		ck_assert(!fixture.output->is_open);
	}
	end(&fixture);
}
END_TEST

/* The receiver takes the connection and closes it. */
static void close_connection(struct fixture *fixture, int receiver)
{
	close(accept(receiver, NULL, NULL));
	event_base_loop(fixture->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Something that takes connections for a receiver that is away is left alone longer and longer, whatever the kernel took
 * before it closed; a connection that lasted is opened again at once. */
START_TEST(backs_off_from_who_closes_every_connection)
{
	static const uint32_t delays_ms[] = {25, 50, 100, 200, 400, 800, 1000, 1000};
	const int64_t never_ns = INT64_MAX;
	struct fixture fixture;
	int receiver;

	begin(&fixture, TRANSPORT_UNIXSTREAM);
	receiver = receiver_open(&fixture, SOCK_STREAM);
	tick(&fixture);
	for (size_t i = 0; i < ARRAY_LEN(delays_ms); i++) {
		ck_assert_msg(fixture.output->backoff_ms == delays_ms[i], "connection %zu: got %u ms, want %u ms", i,
		              fixture.output->backoff_ms, delays_ms[i]);
		make_metric(&fixture);
		fixture.output->opened_ns = never_ns; /* however slow this machine is */
		close_connection(&fixture, receiver);
		ck_assert(!fixture.output->is_open);
		tick(&fixture);
		ck_assert(fixture.output->is_open);
	}
	ck_assert_uint_eq(fixture.accounts.sent, ARRAY_LEN(delays_ms));
	fixture.output->opened_ns = 0;
	close_connection(&fixture, receiver);
	ck_assert(fixture.output->is_open);
	close(receiver);
	end(&fixture);
}
END_TEST

/* A line of len bytes, sent at once. */
static void make_line(struct fixture *fixture, size_t len)
{
	struct packer *packer = &fixture->output->packer;
	char *out = packer_reserve(packer);

	ck_assert_ptr_nonnull(out);
	memset(out, 'a', len);
	packer_commit(packer, len);
	output_flush(fixture->output);
}

/* EMSGSIZE and EAGAIN concern one datagram each: it is dropped, and the socket kept. */
START_TEST(keeps_the_socket_whatever_one_datagram_meets)
{
	const int smallest = 1;
	struct fixture fixture;
	struct output_accounts *accounts = &fixture.accounts;
	int receiver, fd;

	begin(&fixture, TRANSPORT_UNIX);
	receiver = receiver_open(&fixture, SOCK_DGRAM);
	tick(&fixture);
	fd = fixture.output->fd;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest), 0);
	make_line(&fixture, 100);
	make_line(&fixture, LINE_OUT_MAX);
	ck_assert_uint_eq(accounts->sent, 1);
	ck_assert_uint_eq(accounts->dropped, 1);
	ck_assert_uint_eq(accounts->errors[OUTPUT_ERROR_TOO_LONG], 1);
	/* Nobody reads: the queue is full some time. */
	for (int i = 0; i < 1000 && accounts->errors[OUTPUT_ERROR_FULL] == 0; i++)
		make_line(&fixture, 100);
	ck_assert_uint_eq(accounts->errors[OUTPUT_ERROR_FULL], 1);
	ck_assert_uint_eq(accounts->dropped, 2);
	/* There is room again, in the same socket. */
	ck_assert_int_eq(recv(receiver, (char[100]){0}, 100, MSG_DONTWAIT), 100);
	make_line(&fixture, 100);
	ck_assert_uint_eq(accounts->dropped, 2);
	ck_assert_int_eq(fixture.output->fd, fd);
	ck_assert(fixture.output->is_open);
	close(receiver);
	end(&fixture);
}
END_TEST

Suite *output_suite(void)
{
	Suite *suite = suite_create("output");
	TCase *all = tcase_create("output");
	tcase_add_loop_test(all, waits_longer_and_longer_but_at_most_a_second, 0, ARRAY_LEN(transports));
	tcase_add_loop_test(all, delivers_with_the_first_try_after_the_receiver_is_back, 0, ARRAY_LEN(transports));
	tcase_add_test(all, backs_off_from_who_closes_every_connection);
	tcase_add_test(all, keeps_the_socket_whatever_one_datagram_meets);
	suite_add_tcase(suite, all);
	return suite;
}
