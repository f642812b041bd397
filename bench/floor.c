/* The floor: what moving the same bytes costs where nobody looks at them. One bare epoll loop.
 *
 *     floor pipe PATH PORT [DATAGRAM]   reads the pipe; forwards in datagrams of DATAGRAM bytes (1400), 64 a sendmmsg()
 *     floor read PATH                   only reads the pipe
 *
 * Says `ready` on standard error; ends with TERM, once the pipe is empty. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

enum {
	READ_SIZE = 64 * 1024,
	READS_PER_TURN = 8,
	DATAGRAMS = 64,
	PIPE_SIZE = 1024 * 1024,
};

struct road {
	int in;
	int out; /* -1: nothing is forwarded */
	size_t datagram;
	size_t held;
	char buffer[2 * READ_SIZE];
};

static struct mmsghdr headers[DATAGRAMS];
static struct iovec vectors[DATAGRAMS];

static void die(const char *what)
{
	perror(what);
	exit(EX_OSERR);
}

/* Sends what is held; a datagram that is not full waits for more, unless is_last. */
static void road_forward(struct road *road, bool is_last)
{
	size_t at = 0;

	while (road->held - at >= road->datagram || (is_last && at < road->held)) {
		unsigned count = 0;

		for (; count < DATAGRAMS && at < road->held; count++) {
			size_t len = road->held - at < road->datagram ? road->held - at : road->datagram;

			if (len < road->datagram && !is_last)
				break;
			vectors[count] = (struct iovec){road->buffer + at, len};
			headers[count].msg_hdr = (struct msghdr){.msg_iov = &vectors[count], .msg_iovlen = 1};
			at += len;
		}
		for (unsigned sent = 0; sent < count;) {
			int n = sendmmsg(road->out, headers + sent, count - sent, 0);

			if (n < 0 && errno != EINTR && errno != ECONNREFUSED)
				die("floor: sendmmsg");
			if (n > 0)
				sent += (unsigned)n;
		}
	}
	memmove(road->buffer, road->buffer + at, road->held - at);
	road->held -= at;
}

/* False where the pipe is empty. */
static bool road_read(struct road *road)
{
	for (int turn = 0; turn < READS_PER_TURN; turn++) {
		ssize_t got = read(road->in, road->buffer + road->held, READ_SIZE);

		if (got < 0 && errno != EAGAIN && errno != EINTR)
			die("floor: read");
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

static void watch(int epoll_fd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("floor: epoll_ctl");
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
		while (road_read(road) && is_over)
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

static int open_output(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
	                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		die("floor: connect");
	return fd;
}

int main(int argc, char **argv)
{
	static struct road road = {.out = -1, .datagram = 1400};

	if (argc == 3 && strcmp(argv[1], "read") == 0) {
		road.in = open_pipe(argv[2]);
	} else if ((argc == 4 || argc == 5) && strcmp(argv[1], "pipe") == 0) {
		road.in = open_pipe(argv[2]);
		road.out = open_output(argv[3]);
		if (argc == 5)
			road.datagram = strtoul(argv[4], NULL, 10);
	}
	if (road.in == 0 || road.datagram == 0 || road.datagram > READ_SIZE) {
		fputs("usage: floor pipe PATH PORT [DATAGRAM] | floor read PATH\n", stderr);
		return EX_USAGE;
	}
	road_run(&road);
	return EX_OK;
}
