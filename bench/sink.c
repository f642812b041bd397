/* Receives datagrams and counts.
 *
 *     sink [PATH]    on a Unix datagram socket, else on a free UDP port of 127.0.0.1
 *
 * Prints the path or the port; after TERM one line of JSON: {"datagrams":N,"bytes":N,"lines":N,"kernel_drops":N}. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "ends.h"

enum {
	DATAGRAMS = 64,
	DATAGRAM_SIZE = 9 * 1024, /* no power of two: equal low bits would fight for the same cache sets */
	RECEIVE_BUFFER = 64 * 1024 * 1024,
};

struct totals {
	uint64_t datagrams;
	uint64_t bytes;
	uint64_t lines;
	uint32_t kernel_drops;
};

static volatile sig_atomic_t is_over;

static void on_term(int number)
{
	(void)number;
	is_over = 1;
}

static uint64_t count_lines(const char *data, size_t len)
{
	const char *end = data + len;
	uint64_t lines = len > 0;

	while ((data = memchr(data, '\n', (size_t)(end - data))) != NULL && ++data < end)
		lines++;
	return lines;
}

static void note_drops(struct totals *totals, struct msghdr *header)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
		if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL)
			memcpy(&totals->kernel_drops, CMSG_DATA(control), sizeof totals->kernel_drops);
	}
}

/* Takes what is there now. */
static void receive(int fd, struct totals *totals)
{
	static char buffers[DATAGRAMS][DATAGRAM_SIZE];
	static char controls[DATAGRAMS][CMSG_SPACE(sizeof(uint32_t))];
	struct mmsghdr headers[DATAGRAMS];
	struct iovec vectors[DATAGRAMS];

	for (;;) {
		int count;

		for (int i = 0; i < DATAGRAMS; i++) {
			vectors[i] = (struct iovec){buffers[i], sizeof buffers[i]};
			headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i],
			                                     .msg_iovlen = 1,
			                                     .msg_control = controls[i],
			                                     .msg_controllen = sizeof controls[i]};
		}
		count = recvmmsg(fd, headers, DATAGRAMS, MSG_DONTWAIT, NULL);
		if (count <= 0)
			return;
		totals->datagrams += (uint64_t)count;
		for (int i = 0; i < count; i++) {
			totals->bytes += headers[i].msg_len;
			totals->lines += count_lines(buffers[i], headers[i].msg_len);
			note_drops(totals, &headers[i].msg_hdr);
		}
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};
	struct totals totals = {0};
	sigset_t blocked, open;
	struct pollfd ask = {.events = POLLIN};
	int on = 1;

	/* Nobody is left to ask for the totals. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &open);
	sigaction(SIGTERM, &action, NULL);
	ask.fd = open_receiver(argc > 1 ? argv[1] : NULL, argc > 1 ? 0 : RECEIVE_BUFFER);
	setsockopt(ask.fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
	if (argc > 1)
		puts(argv[1]);
	else
		printf("%u\n", receiver_port(ask.fd));
	fflush(stdout);
	while (!is_over) {
		(void)ppoll(&ask, 1, NULL, &open);
		receive(ask.fd, &totals);
	}
	printf("{\"datagrams\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"kernel_drops\":%" PRIu32 "}\n",
	       totals.datagrams, totals.bytes, totals.lines, totals.kernel_drops);
	return EX_OK;
}
