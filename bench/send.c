/* Sends the lines of FILE as datagrams, over and over, at a steady rate.
 *
 *     send TO [--rate EVENTS] [--count EVENTS] [--pack BYTES] [--burst DATAGRAMS] [--batch EVENTS] FILE
 *
 * TO is a port of 127.0.0.1 or a Unix datagram socket's path. A line is an event; without --pack each is a datagram of its own.
 * --rate is per second, 0: as fast as it goes. A burst is one sendmmsg(), and none begins before it is due. A sender that did
 * not get its core in time catches up with up to CATCH_UP_NS; what is beyond that it gives up: a gap, and no flood.
 * With --batch it waits for a byte on standard input before so many events, and says `sent` behind them.
 * Prints one line of JSON in the end: {"events":N,"datagrams":N,"bytes":N,"elapsed_s":S,"given_up_s":S}. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>

#include "ends.h"

enum {
	BURST_MAX = 64,
	CATCH_UP_NS = 10 * 1000 * 1000,
};

static const int64_t ns_per_s = 1000 * 1000 * 1000;

struct datagram {
	char *data;
	size_t len;
	unsigned events;
};

struct corpus {
	struct datagram *datagrams;
	size_t count;
};

struct totals {
	uint64_t events;
	uint64_t datagrams;
	uint64_t bytes;
	int64_t given_up_ns;
};

struct request {
	unsigned long rate;
	unsigned long count;
	unsigned long pack;
	unsigned long burst;
	unsigned long batch; /* 0: all */
};

static char *read_file(const char *path, size_t *len)
{
	FILE *in = fopen(path, "r");
	char *text;

	if (in == NULL || fseek(in, 0, SEEK_END) < 0)
		die(path);
	*len = (size_t)ftell(in);
	rewind(in);
	text = malloc(*len + 1);
	if (text == NULL || fread(text, 1, *len, in) != *len)
		die(path);
	fclose(in);
	text[*len] = '\n';
	return text;
}

/* Lines that lie side by side already are a packed datagram: | {"a":1} \n {"a":2} | \n {"a":3} … */
static void corpus_cut(struct corpus *corpus, char *text, size_t len, size_t pack)
{
	struct datagram *open = NULL;

	for (char *line = text, *end; line < text + len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + len + 1 - line));
		if (open != NULL && (size_t)(end - open->data) <= pack) {
			open->len = (size_t)(end - open->data);
			open->events++;
			continue;
		}
		if (corpus->count % 1024 == 0) {
			corpus->datagrams =
				realloc(corpus->datagrams, (corpus->count + 1024) * sizeof *corpus->datagrams);
			if (corpus->datagrams == NULL)
				die("realloc");
		}
		open = &corpus->datagrams[corpus->count++];
		*open = (struct datagram){line, (size_t)(end - line), 1};
	}
	if (corpus->count == 0) {
		fputs("send: no line\n", stderr);
		exit(EX_DATAERR);
	}
}

/* Until the next event is due; returns what is to be added to the beginning. */
static int64_t wait_for_turn(int64_t due_ns)
{
	const struct timespec due = {due_ns / ns_per_s, due_ns % ns_per_s};
	int64_t late_ns = now_ns() - due_ns;

	if (late_ns > CATCH_UP_NS)
		return late_ns;
	/* Asleep, the receiver on this core gets on. */
	while (late_ns < 0 && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
	return 0;
}

static void send_burst(int fd, const struct corpus *corpus, size_t *next, unsigned wanted, struct totals *totals)
{
	static struct mmsghdr headers[BURST_MAX];
	static struct iovec vectors[BURST_MAX];

	for (unsigned i = 0; i < wanted; i++) {
		const struct datagram *datagram = &corpus->datagrams[*next];

		*next = *next + 1 < corpus->count ? *next + 1 : 0;
		vectors[i] = (struct iovec){datagram->data, datagram->len};
		headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
		totals->events += datagram->events;
		totals->bytes += datagram->len;
	}
	totals->datagrams += wanted;
	for (unsigned done = 0; done < wanted;) {
		int n = sendmmsg(fd, headers + done, wanted - done, 0);

		if (n < 0 && errno != EINTR)
			die("sendmmsg");
		if (n > 0)
			done += (unsigned)n;
	}
}

/* Until so many events are away altogether; next is the first datagram to be sent. */
static void send_until(uint64_t count, int fd, const struct corpus *corpus, size_t *next, const struct request *request,
                       struct totals *totals)
{
	const uint64_t events_before = totals->events;
	int64_t begin_ns = now_ns();

	while (totals->events < count) {
		unsigned wanted = 0;
		uint64_t events = totals->events;

		if (request->rate > 0) {
			int64_t due_ns = begin_ns + (int64_t)((double)(totals->events - events_before) * 1e9 / (double)request->rate);
			int64_t late_ns = wait_for_turn(due_ns);

			begin_ns += late_ns;
			totals->given_up_ns += late_ns;
		}
		for (size_t i = *next; wanted < request->burst && events < count; wanted++) {
			events += corpus->datagrams[i].events;
			i = i + 1 < corpus->count ? i + 1 : 0;
		}
		send_burst(fd, corpus, next, wanted, totals);
	}
}

static void send_all(int fd, const struct corpus *corpus, const struct request *request, struct totals *totals)
{
	size_t next = 0;

	while (totals->events < request->count) {
		uint64_t left = request->count - totals->events;

		if (request->batch == 0) {
			send_until(request->count, fd, corpus, &next, request, totals);
			continue;
		}
		if (getchar() == EOF)
			exit(EX_OK);
		send_until(totals->events + (left < request->batch ? left : request->batch), fd, corpus, &next, request, totals);
		puts("sent");
		fflush(stdout);
	}
}

static struct request request_read(int argc, char **argv)
{
	static const struct option options[] = {
		{"rate", required_argument, NULL, 'r'},
		{"count", required_argument, NULL, 'c'},
		{"pack", required_argument, NULL, 'p'},
		{"burst", required_argument, NULL, 'b'},
		{"batch", required_argument, NULL, 'a'},
		{NULL, 0, NULL, 0},
	};
	struct request request = {.count = 1000, .burst = 8};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'r': request.rate = strtoul(optarg, NULL, 10); break;
		case 'c': request.count = strtoul(optarg, NULL, 10); break;
		case 'p': request.pack = strtoul(optarg, NULL, 10); break;
		case 'b': request.burst = strtoul(optarg, NULL, 10); break;
		case 'a': request.batch = strtoul(optarg, NULL, 10); break;
		default: exit(EX_USAGE);
		}
	}
	if (optind + 2 != argc || request.burst == 0 || request.burst > BURST_MAX) {
		fputs("usage: send TO [--rate EVENTS] [--count EVENTS] [--pack BYTES] [--burst DATAGRAMS] FILE\n",
		      stderr);
		exit(EX_USAGE);
	}
	return request;
}

int main(int argc, char **argv)
{
	const struct request request = request_read(argc, argv);
	struct corpus corpus = {NULL, 0};
	struct totals totals = {0};
	size_t len;
	char *text = read_file(argv[optind + 1], &len);
	int fd = open_output(argv[optind]);
	int64_t begin_ns;

	corpus_cut(&corpus, text, len, request.pack);
	/* A sleep of microseconds is to take microseconds. */
	(void)prctl(PR_SET_TIMERSLACK, 1);
	begin_ns = now_ns();
	send_all(fd, &corpus, &request, &totals);
	printf("{\"events\":%" PRIu64 ",\"datagrams\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"elapsed_s\":%.6f,\"given_up_s\":%.6f}\n",
	       totals.events, totals.datagrams, totals.bytes, (double)(now_ns() - begin_ns) / 1e9,
	       (double)totals.given_up_ns / 1e9);
	free(corpus.datagrams);
	free(text);
	return EX_OK;
}
