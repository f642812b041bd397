/* The library over real pipes and sockets: what arrives, what is dropped, and what the program must not feel of it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/span.h"
#include "publish/channel.h"
#include "publish/statsidecar.h"

Suite *publish_publisher_suite(void);

static char directory[64], path[96], url[128];

static void directory_make(void)
{
	snprintf(directory, sizeof directory, "/tmp/statsidecar-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/events", directory);
	snprintf(url, sizeof url, "fifo://%s", path);
}

static void directory_remove(void)
{
	unlink(path);
	rmdir(directory);
}

/* ---- readers ---- */

static int reader_open(void)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static int pipe_make(void)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	return reader_open();
}

/* All that is there. */
static const char *received(int fd)
{
	static char text[1 << 20];
	size_t len = 0;
	ssize_t got;

	while ((got = read(fd, text + len, sizeof text - 1 - len)) > 0) {
		len += (size_t)got;
		/* A datagram is read as a whole. */
		if (len == sizeof text - 1)
			break;
	}
	text[len] = '\0';
	return text;
}

static size_t lines_in(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static struct statsidecar *publisher_open(const char *to)
{
	struct statsidecar *publisher;

	ck_assert_int_eq(statsidecar_open(&publisher, to), STATSIDECAR_OK);
	ck_assert_ptr_nonnull(publisher);
	return publisher;
}

/* Dated, so that the lines are the same each time. */
static int publish_numbered(struct statsidecar *publisher, int number)
{
	struct statsidecar_field fields[] = {statsidecar_integer("n", number), statsidecar_text("time", "0")};

	return statsidecar_publish_event(publisher, "order.created", fields, 2);
}

#define LINE_1 "{\"event\":\"order.created\",\"n\":1,\"time\":\"0\"}\n"
#define LINE_2 "{\"event\":\"order.created\",\"n\":2,\"time\":\"0\"}\n"

/* Publishes until it comes to that result; what is away is looked for again only after a while. */
static void publish_until(struct statsidecar *publisher, int number, int want)
{
	int result;

	while ((result = publish_numbered(publisher, number)) != want) {
		ck_assert_msg(result == STATSIDECAR_AWAY || result == STATSIDECAR_OK || result == STATSIDECAR_NO_PIPE,
		              "%s", statsidecar_result_text(result));
		sched_yield();
	}
}

/* ---- pipes ---- */

START_TEST(a_pipe_gets_the_line)
{
	int reader = pipe_make();
	struct statsidecar *publisher = publisher_open(url);

	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), LINE_1);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_OK), 1);
	ck_assert_str_eq(statsidecar_url(publisher), url);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

START_TEST(what_is_not_dated_is_dated_now)
{
	int reader = pipe_make();
	struct statsidecar *publisher = publisher_open(url);
	json_t *event;
	int year, fraction;

	ck_assert_int_eq(statsidecar_publish_event(publisher, "order.created", NULL, 0), STATSIDECAR_OK);
	event = json_loads(received(reader), 0, NULL);
	ck_assert_int_eq(sscanf(json_string_value(json_object_get(event, "timestamp")),
	                        "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%6dZ", &year, &fraction),
	                 2);
	json_decref(event);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

START_TEST(a_full_pipe_drops_and_tears_nothing)
{
	int reader = pipe_make(), sent = 0;
	struct statsidecar *publisher = publisher_open(url);
	const char *text;

	while (publish_numbered(publisher, 1) == STATSIDECAR_OK)
		sent++;
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_FULL);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_OK), (uint64_t)sent);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_FULL), 2);
	text = received(reader);
	ck_assert_uint_eq(strlen(text), (size_t)sent * strlen(LINE_1));
	for (; *text != '\0'; text += strlen(LINE_1))
		ck_assert(strncmp(text, LINE_1, strlen(LINE_1)) == 0);
	ck_assert_int_eq(publish_numbered(publisher, 2), STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), LINE_2);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads)
{
	int reader = pipe_make();
	struct statsidecar *publisher;

	close(reader);
	publisher = publisher_open(url);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_AWAY);
	reader = reader_open();
	publish_until(publisher, 2, STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), LINE_2);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

START_TEST(a_pipe_that_is_not_there_yet)
{
	struct statsidecar *publisher = publisher_open(url);
	int reader;

	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_AWAY);
	reader = pipe_make();
	publish_until(publisher, 2, STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), LINE_2);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

/* SIGPIPE would end this test. */
START_TEST(a_reader_that_goes_and_comes_back)
{
	int reader = pipe_make();
	struct statsidecar *publisher = publisher_open(url);
	sigset_t mask;

	for (int i = 0; i < 10; i++) {
		publish_until(publisher, 1, STATSIDECAR_OK);
		ck_assert_str_eq(received(reader), LINE_1);
		close(reader);
		ck_assert_int_eq(publish_numbered(publisher, 2), STATSIDECAR_AWAY);
		ck_assert_int_eq(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
		ck_assert_int_eq(sigismember(&mask, SIGPIPE), 0);
		reader = reader_open();
	}
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

START_TEST(a_pipe_that_is_removed_and_made_anew)
{
	int reader = pipe_make();
	struct statsidecar *publisher = publisher_open(url);

	publish_until(publisher, 1, STATSIDECAR_OK);
	close(reader);
	unlink(path);
	ck_assert_int_eq(publish_numbered(publisher, 2), STATSIDECAR_AWAY);
	reader = pipe_make();
	publish_until(publisher, 2, STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), LINE_2);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

/* The old one is read still, or held open by someone: no write fails. */
START_TEST(a_pipe_that_is_replaced_while_it_is_read)
{
	int old_reader = pipe_make(), reader;
	struct statsidecar *publisher = publisher_open(url);
	const char *text;
	size_t on_old = 0;

	unlink(path);
	reader = pipe_make();
	while (*(text = received(reader)) == '\0') {
		ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_OK);
		on_old += lines_in(received(old_reader));
		sched_yield();
	}
	ck_assert_str_eq(text, LINE_1);
	ck_assert_uint_eq(on_old + 1, statsidecar_count(publisher, STATSIDECAR_OK));
	statsidecar_close(publisher);
	close(reader);
	close(old_reader);
}
END_TEST

START_TEST(what_is_no_pipe_is_not_written_to)
{
	int file = open(path, O_RDWR | O_CREAT, 0600);
	struct statsidecar *publisher = publisher_open(url);
	struct stat status;

	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_NO_PIPE);
	ck_assert_int_eq(fstat(file, &status), 0);
	ck_assert_int_eq((int)status.st_size, 0);
	close(file);
	unlink(path);
	file = pipe_make();
	publish_until(publisher, 1, STATSIDECAR_OK);
	statsidecar_close(publisher);
	close(file);
}
END_TEST

/* ---- the program's own signals, errno, descriptors, children ---- */

static bool is_sigpipe_pending(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGPIPE) == 1;
}

START_TEST(a_pending_sigpipe_of_the_program_stays)
{
	int reader = pipe_make();
	struct statsidecar *publisher = publisher_open(url);
	sigset_t sigpipe, now;

	close(reader);
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	sigprocmask(SIG_BLOCK, &sigpipe, NULL);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_AWAY);
	ck_assert(!is_sigpipe_pending());
	reader = reader_open();
	publish_until(publisher, 1, STATSIDECAR_OK);
	close(reader);
	raise(SIGPIPE);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_AWAY);
	ck_assert(is_sigpipe_pending());
	sigprocmask(SIG_BLOCK, NULL, &now);
	ck_assert_int_eq(sigismember(&now, SIGPIPE), 1);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &sigpipe, NULL);
	signal(SIGPIPE, SIG_DFL);
	statsidecar_close(publisher);
}
END_TEST

START_TEST(errno_stays_as_it_was)
{
	int reader = pipe_make();
	struct statsidecar *publisher;

	errno = E2BIG;
	publisher = publisher_open(url);
	ck_assert_int_eq(errno, E2BIG);
	close(reader);
	errno = E2BIG;
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_AWAY);
	ck_assert_int_eq(errno, E2BIG);
	statsidecar_close(publisher);
}
END_TEST

START_TEST(the_standard_descriptors_are_left_free)
{
	int reader = pipe_make(), kept[3];
	struct statsidecar *publisher;

	for (int fd = 0; fd < 3; fd++) {
		kept[fd] = fcntl(fd, F_DUPFD, 10);
		close(fd);
	}
	publisher = publisher_open(url);
	for (int fd = 0; fd < 3; fd++)
		ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	for (int fd = 0; fd < 3; fd++) {
		dup2(kept[fd], fd);
		close(kept[fd]);
	}
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_OK);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

/* How many descriptors but this one are open on the same pipe; each of them is closed by execve(). */
static int descriptors_beside(int reader)
{
	struct stat pipe, status;
	int count = 0;

	ck_assert_int_eq(fstat(reader, &pipe), 0);
	for (int fd = 3; fd < 256; fd++) {
		if (fd == reader || fstat(fd, &status) < 0 || status.st_dev != pipe.st_dev ||
		    status.st_ino != pipe.st_ino)
			continue;
		ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
		count++;
	}
	return count;
}

START_TEST(one_descriptor_and_it_is_closed_by_execve)
{
	int reader = pipe_make();
	struct statsidecar *publisher = publisher_open(url);

	ck_assert_int_eq(descriptors_beside(reader), 1);
	close(reader);
	unlink(path);
	reader = pipe_make();
	publish_until(publisher, 1, STATSIDECAR_OK);
	ck_assert_int_eq(descriptors_beside(reader), 1);
	statsidecar_close(publisher);
	ck_assert_int_eq(descriptors_beside(reader), 0);
	close(reader);
}
END_TEST

/* As many daemons do when they start, instead of leaving others' alone. */
START_TEST(a_program_that_closes_the_descriptor)
{
	int reader = pipe_make(), closed = 0;
	struct statsidecar *publisher = publisher_open(url);
	struct stat pipe, status;

	ck_assert_int_eq(fstat(reader, &pipe), 0);
	for (int fd = 3; fd < 256; fd++) {
		if (fd != reader && fstat(fd, &status) == 0 && status.st_dev == pipe.st_dev &&
		    status.st_ino == pipe.st_ino)
			closed += close(fd) == 0;
	}
	ck_assert_int_eq(closed, 1);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), LINE_1);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

START_TEST(parent_and_child_both_publish)
{
	int reader = pipe_make(), status;
	struct statsidecar *publisher = publisher_open(url);
	pid_t child = fork();

	if (child == 0) {
		int result = publish_numbered(publisher, 2);

		statsidecar_close(publisher);
		_exit(result == STATSIDECAR_OK ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), LINE_2 LINE_1);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

/* A thread was opening when the program forked: in the child nobody will ever be done with it. */
START_TEST(an_opener_that_is_left_from_before_a_fork)
{
	static struct channel channel;
	int reader;

	ck_assert_int_eq(statsidecar_channel_open(&channel, url), STATSIDECAR_OK);
	reader = pipe_make();
	atomic_store(&channel.retry_ns, 0);
	atomic_store(&channel.opener, getpid());
	ck_assert_int_eq(statsidecar_channel_send(&channel, "e\n", 2), STATSIDECAR_AWAY);
	atomic_store(&channel.opener, getppid());
	ck_assert_int_eq(statsidecar_channel_send(&channel, "e\n", 2), STATSIDECAR_OK);
	ck_assert_int_eq(atomic_load(&channel.opener), 0);
	statsidecar_channel_close(&channel);
	close(reader);
}
END_TEST

START_TEST(no_publisher_is_one_that_drops)
{
	struct statsidecar *publisher;
	struct statsidecar_step step = {.step_name = "fetch"};
	struct statsidecar_task task = {.task_name = "nightly"};

	ck_assert_int_eq(statsidecar_open(&publisher, "http://127.0.0.1"), STATSIDECAR_BAD_URL);
	ck_assert_ptr_null(publisher);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_AWAY);
	ck_assert_int_eq(statsidecar_publish_lines(publisher, "a\n", 2), STATSIDECAR_AWAY);
	ck_assert_int_eq(statsidecar_step_start(publisher, &step, NULL, 0), STATSIDECAR_AWAY);
	ck_assert_int_eq(statsidecar_step_fail(publisher, &step, NULL, NULL, 0), STATSIDECAR_AWAY);
	ck_assert_int_gt(step.duration_ns, 0);
	ck_assert_int_eq(statsidecar_task_start(publisher, &task, NULL, 0), STATSIDECAR_AWAY);
	ck_assert_int_eq(statsidecar_task_complete(publisher, &task, NULL, 0), STATSIDECAR_AWAY);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_AWAY), 0);
	ck_assert_uint_eq(statsidecar_count_shortened(publisher), 0);
	ck_assert_str_eq(statsidecar_url(publisher), "");
	statsidecar_close(publisher);
}
END_TEST

START_TEST(the_environment_names_the_target)
{
	int reader = pipe_make();
	struct statsidecar *publisher;

	setenv("STATSIDECAR_TO", url, 1);
	publisher = publisher_open(NULL);
	ck_assert_str_eq(statsidecar_url(publisher), url);
	statsidecar_close(publisher);
	publisher = publisher_open("udp://127.0.0.1:9");
	ck_assert_str_eq(statsidecar_url(publisher), "udp://127.0.0.1:9");
	statsidecar_close(publisher);
	setenv("STATSIDECAR_TO", "nonsense", 1);
	ck_assert_int_eq(statsidecar_open(&publisher, ""), STATSIDECAR_BAD_URL);
	setenv("STATSIDECAR_TO", "", 1);
	publisher = publisher_open("");
	ck_assert(strcmp(statsidecar_url(publisher), TARGET_DEFAULT_PIPE) == 0 ||
	          strcmp(statsidecar_url(publisher), TARGET_DEFAULT_PORT) == 0);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

START_TEST(every_result_has_a_text_and_a_count)
{
	struct statsidecar *publisher = publisher_open(url);

	for (int result = STATSIDECAR_OK; result >= STATSIDECAR_NO_MEMORY; result--) {
		ck_assert_ptr_nonnull(statsidecar_result_text(result));
		ck_assert_uint_eq(statsidecar_count(publisher, result), 0);
	}
	ck_assert_ptr_nonnull(statsidecar_result_text(1));
	ck_assert_ptr_nonnull(statsidecar_result_text(STATSIDECAR_NO_MEMORY - 1));
	ck_assert_uint_eq(statsidecar_count(publisher, 1), 0);
	ck_assert_int_eq(statsidecar_publish_event(publisher, "no good", NULL, 0), STATSIDECAR_INVALID);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_INVALID), 1);
	statsidecar_close(publisher);
}
END_TEST

/* ---- sockets ---- */

static int udp_bind(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

START_TEST(a_port_that_goes_and_comes_back)
{
	int reader = udp_bind(0);
	struct sockaddr_in address;
	socklen_t len = sizeof address;
	char to[64];
	struct statsidecar *publisher;

	ck_assert_int_eq(getsockname(reader, (struct sockaddr *)&address, &len), 0);
	snprintf(to, sizeof to, "udp://127.0.0.1:%d", ntohs(address.sin_port));
	publisher = publisher_open(to);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_OK);
		ck_assert_str_eq(received(reader), LINE_1);
		close(reader);
		publish_until(publisher, 2, STATSIDECAR_AWAY);
		reader = udp_bind(address.sin_port);
	}
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

/* The kernel's answer to an earlier datagram comes late, and with the next one. */
START_TEST(an_old_answer_costs_no_event)
{
	static struct channel channel;
	int reader = udp_bind(0);
	struct sockaddr_in address;
	socklen_t len = sizeof address;
	char to[64];

	getsockname(reader, (struct sockaddr *)&address, &len);
	snprintf(to, sizeof to, "udp://127.0.0.1:%d", ntohs(address.sin_port));
	ck_assert_int_eq(statsidecar_channel_open(&channel, to), STATSIDECAR_OK);
	close(reader);
	ck_assert_int_eq(send(atomic_load(&channel.descriptor), "a\n", 2, 0), 2);
	reader = udp_bind(address.sin_port);
	ck_assert_int_eq(statsidecar_channel_send(&channel, "b\n", 2), STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), "b\n");
	statsidecar_channel_close(&channel);
	close(reader);
}
END_TEST

static int unix_bind(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(name);

	memcpy(address.sun_path, name, len);
	if (*name == '@')
		address.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name == '@' ? 0 : 1))),
	                 0);
	return fd;
}

START_TEST(a_socket_that_goes_and_comes_back)
{
	int reader;
	struct statsidecar *publisher;
	int sent = 0;

	snprintf(url, sizeof url, "unix://%s", path);
	publisher = publisher_open(url);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_AWAY);
	reader = unix_bind(path);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), LINE_1);
	close(reader);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_AWAY);
	unlink(path);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_AWAY);
	reader = unix_bind(path);
	while (publish_numbered(publisher, 2) == STATSIDECAR_OK)
		sent++;
	ck_assert_int_eq(publish_numbered(publisher, 2), STATSIDECAR_FULL);
	ck_assert_uint_eq(lines_in(received(reader)), (size_t)sent);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

START_TEST(an_abstract_socket)
{
	int reader;
	struct statsidecar *publisher;

	snprintf(path, sizeof path, "@statsidecar-test-%d", (int)getpid());
	snprintf(url, sizeof url, "unix://%s", path);
	reader = unix_bind(path);
	publisher = publisher_open(url);
	ck_assert_int_eq(publish_numbered(publisher, 1), STATSIDECAR_OK);
	ck_assert_str_eq(received(reader), LINE_1);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

/* 100 KB: shortened to what the transport takes, never torn, never fatal. */
START_TEST(a_large_payload)
{
	static char text[100000];
	int pipe_reader = pipe_make(), port_reader = udp_bind(0);
	struct sockaddr_in address;
	socklen_t len = sizeof address;
	char to[64];
	struct statsidecar *to_pipe = publisher_open(url), *to_port;
	struct statsidecar_field field = statsidecar_bytes("error_message", text, sizeof text);

	memset(text, 'x', sizeof text);
	getsockname(port_reader, (struct sockaddr *)&address, &len);
	snprintf(to, sizeof to, "udp://localhost:%d", ntohs(address.sin_port));
	to_port = publisher_open(to);
	ck_assert_int_eq(statsidecar_publish_event(to_pipe, "step.failed", &field, 1), STATSIDECAR_OK);
	ck_assert_uint_eq(strlen(received(pipe_reader)), PIPE_LINE_MAX);
	ck_assert_uint_eq(statsidecar_count_shortened(to_pipe), 1);
	ck_assert_int_eq(statsidecar_publish_event(to_port, "step.failed", &field, 1), STATSIDECAR_OK);
	ck_assert_uint_eq(strlen(received(port_reader)), DATAGRAM_LINE_MAX);
	memset(text, '1', sizeof text);
	field.type = STATSIDECAR_JSON;
	ck_assert_int_eq(statsidecar_publish_event(to_pipe, "step.failed", &field, 1), STATSIDECAR_TOO_LONG);
	ck_assert_str_eq(received(pipe_reader), "");
	statsidecar_close(to_pipe);
	statsidecar_close(to_port);
	close(pipe_reader);
	close(port_reader);
}
END_TEST

/* ---- lines ---- */

static const struct {
	const char *name;
	const char *text;
	int result;
	const char *want;
	uint64_t sent;
} texts[] = {
	{"one line", "a\n", 0, "a\n", 1},
	{"a line without newline gets one", "a", 0, "a\n", 1},
	{"several lines", "a\nb n=1\nc", 0, "a\nb n=1\nc\n", 3},
	{"no text", "", 0, "", 0},
	{"blank lines alone are not sent", "\n \n\t\r\n ", 0, "", 0},
	{"blank lines between do not count", "a\n\n\nb\n", 0, "a\n\n\nb\n", 2},
	{"line ends of other systems", "a\r\nb\r\n", 0, "a\r\nb\r\n", 2},
};

START_TEST(lines)
{
	int reader = pipe_make();
	struct statsidecar *publisher = publisher_open(url);
	int result = statsidecar_publish_lines(publisher, texts[_i].text, strlen(texts[_i].text));
	const char *got = received(reader);

	ck_assert_msg(result == texts[_i].result, "%s: got %d, want %d", texts[_i].name, result, texts[_i].result);
	ck_assert_msg(strcmp(got, texts[_i].want) == 0, "%s: got %s, want %s", texts[_i].name, got, texts[_i].want);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_OK), texts[_i].sent);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

/* Writes are whole lines, of at most 4096 bytes together; what is longer alone is left out. */
START_TEST(lines_of_all_lengths)
{
	static const size_t lengths[] = {2, 4096, 4097, 10, 2000, 2000, 86, 100000, 5, 4095, 2, 2};
	static char text[200000], want[200000];
	size_t text_len = 0, want_len = 0;
	int reader = pipe_make();
	struct statsidecar *publisher = publisher_open(url);

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		memset(text + text_len, (int)('a' + i), lengths[i] - 1);
		text[text_len + lengths[i] - 1] = '\n';
		if (lengths[i] <= 4096) {
			memcpy(want + want_len, text + text_len, lengths[i]);
			want_len += lengths[i];
		}
		text_len += lengths[i];
	}
	ck_assert_int_eq(statsidecar_publish_lines(publisher, text, text_len), STATSIDECAR_TOO_LONG);
	ck_assert(strcmp(received(reader), want) == 0);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_TOO_LONG), 2);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_OK), ARRAY_LEN(lengths) - 2);
	memset(text, 'a', 4096);
	ck_assert_int_eq(statsidecar_publish_lines(publisher, text, 4096), STATSIDECAR_TOO_LONG);
	ck_assert_int_eq(statsidecar_publish_lines(publisher, text, 4095), STATSIDECAR_OK);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

START_TEST(lines_that_a_full_pipe_does_not_take_are_counted)
{
	static char text[4000];
	int reader = pipe_make();
	struct statsidecar *publisher = publisher_open(url);
	uint64_t lines_each = sizeof text / 8, calls = 0;

	for (size_t i = 0; i < sizeof text; i += 8)
		memcpy(text + i, "event a\n", 8);
	do
		calls++;
	while (statsidecar_publish_lines(publisher, text, sizeof text) == STATSIDECAR_OK);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_FULL), lines_each);
	ck_assert_uint_eq(statsidecar_count(publisher, STATSIDECAR_OK), (calls - 1) * lines_each);
	ck_assert_uint_eq(lines_in(received(reader)), (calls - 1) * lines_each);
	statsidecar_close(publisher);
	close(reader);
}
END_TEST

Suite *publish_publisher_suite(void)
{
	Suite *suite = suite_create("publish_publisher");
	TCase *pipes = tcase_create("pipes"), *program = tcase_create("program"), *sockets = tcase_create("sockets");
	TCase *rows = tcase_create("lines");
	TCase *const all[] = {pipes, program, sockets, rows};

	tcase_add_test(pipes, a_pipe_gets_the_line);
	tcase_add_test(pipes, what_is_not_dated_is_dated_now);
	tcase_add_test(pipes, a_full_pipe_drops_and_tears_nothing);
	tcase_add_test(pipes, a_pipe_that_nobody_reads);
	tcase_add_test(pipes, a_pipe_that_is_not_there_yet);
	tcase_add_test(pipes, a_reader_that_goes_and_comes_back);
	tcase_add_test(pipes, a_pipe_that_is_removed_and_made_anew);
	tcase_add_test(pipes, a_pipe_that_is_replaced_while_it_is_read);
	tcase_add_test(pipes, what_is_no_pipe_is_not_written_to);
	tcase_add_test(program, a_pending_sigpipe_of_the_program_stays);
	tcase_add_test(program, errno_stays_as_it_was);
	tcase_add_test(program, the_standard_descriptors_are_left_free);
	tcase_add_test(program, one_descriptor_and_it_is_closed_by_execve);
	tcase_add_test(program, a_program_that_closes_the_descriptor);
	tcase_add_test(program, parent_and_child_both_publish);
	tcase_add_test(program, an_opener_that_is_left_from_before_a_fork);
	tcase_add_test(program, no_publisher_is_one_that_drops);
	tcase_add_test(program, the_environment_names_the_target);
	tcase_add_test(program, every_result_has_a_text_and_a_count);
	tcase_add_test(sockets, a_port_that_goes_and_comes_back);
	tcase_add_test(sockets, an_old_answer_costs_no_event);
	tcase_add_test(sockets, a_socket_that_goes_and_comes_back);
	tcase_add_test(sockets, an_abstract_socket);
	tcase_add_test(sockets, a_large_payload);
	tcase_add_loop_test(rows, lines, 0, (int)ARRAY_LEN(texts));
	tcase_add_test(rows, lines_of_all_lengths);
	tcase_add_test(rows, lines_that_a_full_pipe_does_not_take_are_counted);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		tcase_add_checked_fixture(all[i], directory_make, directory_remove);
		suite_add_tcase(suite, all[i]);
	}
	return suite;
}
