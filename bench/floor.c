/* The floor: what moving the same bytes costs where nobody looks at them. One bare epoll loop.
 *
 *     floor pipe PATH OUT [DATAGRAM]      reads the pipe; forwards in datagrams of DATAGRAM bytes (1400), 64 a sendmmsg()
 *     floor segments PATH OUT [DATAGRAM]  the same, as many of them a message as UDP segmentation takes (udp(7), UDP_SEGMENT)
 *     floor whole PATH OUT [DATAGRAM]     as pipe, and no line is cut in two
 *     floor lines PATH OUT                reads the pipe; forwards each line as a datagram of its own
 *     floor read PATH                     only reads the pipe
 *     floor receive udp|PATH [BUFFER]     only receives datagrams, on a free UDP port or a Unix socket
 *
 * OUT is a port of 127.0.0.1 or a Unix datagram socket's path. Says `ready` on standard error; ends with TERM, once
 * what it reads is empty; one that receives says `received N datagrams` then. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "ends.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
	READ_SIZE = 64 * 1024,
	READS_PER_TURN = 8,
	DATAGRAMS = 64,
	PIPE_SIZE = 1024 * 1024,
	DATAGRAM_SIZE = 9 * 1024, /* no power of two: equal low bits would fight for the same cache sets */
	MESSAGE_MAX = 65507,      /* of UDP */
};

struct road {
	bool (*turn)(struct road *road); /* false where nothing is left to be read */
	int in;
	int out;         /* -1: nothing is forwarded */
	size_t datagram; /* 0: each line is one */
	size_t message;  /* what is sent as one: a datagram, or several of them */
	bool is_whole;   /* they end where lines do */
	size_t held;
	uint64_t received; /* datagrams */
	char buffer[2 * READ_SIZE];
};

static struct mmsghdr headers[DATAGRAMS];
static struct iovec vectors[DATAGRAMS];
static char datagrams[DATAGRAMS][DATAGRAM_SIZE];

/* How much of what is held from at on makes the next message; 0: it waits for more. */
static size_t road_next(const struct road *road, size_t at, bool is_last)
{
	const char *begin = road->buffer + at;
	size_t left = road->held - at;
	size_t len = left < road->message ? left : road->message;
	const char *end;

	if (road->datagram == 0)
		end = memchr(begin, '\n', left);
	else if (len < road->datagram && !is_last)
		return 0;
	else if (len < road->message && !is_last)
		return len - len % road->datagram;
	else if (road->is_whole)
		end = memrchr(begin, '\n', len);
	else
		return len;
	return end != NULL ? (size_t)(end - begin) + 1 : 0;
}

static void road_send(const struct road *road, unsigned count)
{
	for (unsigned sent = 0; sent < count;) {
		int n = sendmmsg(road->out, headers + sent, count - sent, 0);

		if (n < 0 && errno != EINTR && errno != ECONNREFUSED)
			die("sendmmsg");
		if (n > 0)
			sent += (unsigned)n;
	}
}

/* Sends what is held; a datagram that is not full waits for more, unless is_last. */
static void road_forward(struct road *road, bool is_last)
{
	size_t at = 0;
	unsigned count = 0;

	for (size_t len; (len = road_next(road, at, is_last)) > 0; at += len) {
		vectors[count] = (struct iovec){road->buffer + at, len};
		headers[count].msg_hdr = (struct msghdr){.msg_iov = &vectors[count], .msg_iovlen = 1};
		if (++count == DATAGRAMS) {
			road_send(road, count);
			count = 0;
		}
	}
	road_send(road, count);
	memmove(road->buffer, road->buffer + at, road->held - at);
	road->held -= at;
}

static bool road_read(struct road *road)
{
	for (int turn = 0; turn < READS_PER_TURN; turn++) {
		ssize_t got = read(road->in, road->buffer + road->held, READ_SIZE);

		if (got < 0 && errno != EAGAIN && errno != EINTR)
			die("read");
		if (got <= 0)
			return false;
		if (road->out < 0)
			continue;
		road->held += (size_t)got;
		road_forward(road, false);
		if (got < READ_SIZE)
			return false;
	}
	return true;
}

static bool road_receive(struct road *road)
{
	int got;

	for (int i = 0; i < DATAGRAMS; i++) {
		vectors[i] = (struct iovec){datagrams[i], DATAGRAM_SIZE};
		headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	got = recvmmsg(road->in, headers, DATAGRAMS, MSG_DONTWAIT, NULL);
	if (got < 0 && errno != EAGAIN && errno != EINTR)
		die("recvmmsg");
	if (got > 0)
		road->received += (unsigned)got;
	return got == DATAGRAMS;
}

static void watch(int epoll_fd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void road_run(struct road *road)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int signal_fd;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	watch(epoll_fd, road->in);
	watch(epoll_fd, signal_fd);
	fputs("ready\n", stderr);
	for (;;) {
		struct epoll_event events[2];
		int count = epoll_wait(epoll_fd, events, 2, -1);
		bool is_over = false;

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == signal_fd)
				is_over = true;
		}
		while (road->turn(road) && is_over)
			;
		/* Nothing is held when it goes to sleep. */
		if (road->out >= 0)
			road_forward(road, true);
		if (is_over)
			return;
	}
}

static int open_pipe(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die(path);
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
	return fd;
}

static void road_use_segments(struct road *road)
{
	int size = (int)road->datagram;

	if (setsockopt(road->out, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) < 0)
		die("UDP_SEGMENT");
	road->message = MESSAGE_MAX - MESSAGE_MAX % road->datagram;
}

static int usage(void)
{
	fputs("usage: floor pipe|segments|whole PATH OUT [DATAGRAM] | lines PATH OUT | read PATH | receive udp|PATH [BUFFER]\n",
	      stderr);
	return EX_USAGE;
}

static bool is_packing(const char *mode)
{
	return strcmp(mode, "pipe") == 0 || strcmp(mode, "segments") == 0 || strcmp(mode, "whole") == 0;
}

int main(int argc, char **argv)
{
	static struct road road = {.turn = road_read, .out = -1, .datagram = 1400};
	const char *mode = argc > 2 ? argv[1] : "";

	if (strcmp(mode, "receive") == 0 && argc <= 4) {
		road.in = open_receiver(argv[2][0] == '/' ? argv[2] : NULL, argc == 4 ? (int)strtoul(argv[3], NULL, 10) : 0);
		road.turn = road_receive;
	} else if (strcmp(mode, "read") == 0 && argc == 3) {
		road.in = open_pipe(argv[2]);
	} else if (strcmp(mode, "lines") == 0 && argc == 4) {
		road.in = open_pipe(argv[2]);
		road.out = open_output(argv[3]);
		road.datagram = 0;
	} else if (is_packing(mode) && (argc == 4 || argc == 5)) {
		road.is_whole = strcmp(mode, "whole") == 0;
		road.in = open_pipe(argv[2]);
		road.out = open_output(argv[3]);
		if (argc == 5)
			road.datagram = strtoul(argv[4], NULL, 10);
		if (road.datagram == 0 || road.datagram > READ_SIZE)
			return usage();
		road.message = road.datagram;
		if (strcmp(mode, "segments") == 0)
			road_use_segments(&road);
	} else {
		return usage();
	}
	road_run(&road);
	if (road.turn == road_receive)
		fprintf(stderr, "received %" PRIu64 " datagrams\n", road.received);
	return EX_OK;
}
