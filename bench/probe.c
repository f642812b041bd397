/* How long a line takes from a pipe's end to a datagram, whoever carries it.
 *
 *     probe PATH [--rate LINES] [--count LINES] [--warmup LINES]
 *
 * Prints a free UDP port of 127.0.0.1, on which it will receive, and waits for a byte on standard input. Then it writes events
 * into the pipe, one a write(2), --rate a second (0: as fast as the pipe takes them), and takes datagrams in between, never
 * asleep. Each event carries its number, as does whatever is made of it:
 *
 *     {"event":"step.completed", … "seq":17, …}        step.seq:17|ms|#step:fetch
 *
 * Prints one line of JSON: microseconds from before the write until the datagram was received, `late` writes (more than
 * LATE_NS after they were due), time that was given up because the probe itself did not get its core, and what never came. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "ends.h"

enum {
	DATAGRAMS = 16,
	DATAGRAM_SIZE = 9 * 1024, /* no power of two: equal low bits would fight for the same cache sets */
	RECEIVE_BUFFER = 64 * 1024 * 1024,
	LATE_NS = 100 * 1000,
	CATCH_UP_NS = 10 * 1000 * 1000,
};

static const int64_t ns_per_s = 1000 * 1000 * 1000;
static const int64_t silence_ns = 2 * ns_per_s; /* after the last write: nothing more will come */

struct request {
	unsigned long rate;
	unsigned long count;
	unsigned long warmup; /* lines at the beginning that are not looked at */
};

struct probe {
	int pipe;
	int socket;
	int64_t *written_ns; /* by number */
	int64_t *took_ns;    /* by number; 0: not received */
	unsigned long count;
	unsigned long received;
	unsigned long datagrams;
	unsigned long late;
	int64_t given_up_ns;
	int64_t last_ns; /* when something came */
};

/* A datagram may carry several events, and numbers are the first digits behind each `seq`. */
static void probe_note(struct probe *probe, const char *at, const char *end, int64_t now)
{
	while ((at = memmem(at, (size_t)(end - at), "seq", 3)) != NULL) {
		unsigned long number = 0;

		while (at < end && (*at < '0' || *at > '9'))
			at++;
		for (; at < end && *at >= '0' && *at <= '9'; at++)
			number = number * 10 + (unsigned long)(*at - '0');
		if (number >= probe->count || probe->took_ns[number] != 0)
			continue;
		probe->took_ns[number] = now - probe->written_ns[number];
		probe->received++;
		probe->last_ns = now;
	}
}

/* Takes what is there. */
static void probe_receive(struct probe *probe)
{
	static char buffers[DATAGRAMS][DATAGRAM_SIZE];
	struct mmsghdr headers[DATAGRAMS];
	struct iovec vectors[DATAGRAMS];
	int64_t now;
	int count;

	for (int i = 0; i < DATAGRAMS; i++) {
		vectors[i] = (struct iovec){buffers[i], DATAGRAM_SIZE};
		headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	count = recvmmsg(probe->socket, headers, DATAGRAMS, MSG_DONTWAIT, NULL);
	if (count <= 0)
		return;
	now = now_ns();
	probe->datagrams += (unsigned long)count;
	for (int i = 0; i < count; i++)
		probe_note(probe, buffers[i], buffers[i] + headers[i].msg_len, now);
}

static void probe_write(struct probe *probe, unsigned long number)
{
	char line[256];
	int len = snprintf(line, sizeof line,
	                   "{\"event\":\"step.completed\",\"task_id\":21522,\"task_name\":\"order_flow\",\"step_id\":86091,"
	                   "\"step_name\":\"write_ledger\",\"execution_duration\":4.632,\"seq\":%lu,"
	                   "\"timestamp\":\"2025-03-22T01:35:59.327Z\"}\n",
	                   number);

	probe->written_ns[number] = now_ns();
	while (write(probe->pipe, line, (size_t)len) < 0) {
		if (errno != EINTR)
			die("write");
	}
}

static void probe_run(struct probe *probe, unsigned long rate)
{
	int64_t begin_ns = now_ns();

	for (unsigned long number = 0; number < probe->count; number++) {
		int64_t due_ns = begin_ns + (rate > 0 ? (int64_t)((double)number * 1e9 / (double)rate) : 0);
		int64_t late_ns;

		do
			probe_receive(probe);
		while ((late_ns = now_ns() - due_ns) < 0);
		if (rate > 0 && late_ns > LATE_NS)
			probe->late++;
		if (rate > 0 && late_ns > CATCH_UP_NS) {
			begin_ns += late_ns;
			probe->given_up_ns += late_ns;
		}
		probe_write(probe, number);
	}
	probe->last_ns = now_ns();
	while (probe->received < probe->count && now_ns() - probe->last_ns < silence_ns)
		probe_receive(probe);
}

static int compare(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left;
	int64_t b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

static void probe_report(const struct probe *probe, unsigned long warmup, double elapsed_s)
{
	static const double percents[] = {0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 100};
	int64_t *sorted = probe->written_ns; /* of no use any more */
	unsigned long count = 0;

	for (unsigned long i = warmup; i < probe->count; i++) {
		if (probe->took_ns[i] != 0)
			sorted[count++] = probe->took_ns[i];
	}
	qsort(sorted, count, sizeof *sorted, compare);
	printf("{\"sent\":%lu,\"received\":%lu,\"datagrams\":%lu,\"late\":%lu,\"given_up_s\":%.6f,\"elapsed_s\":%.6f,\"us\":{",
	       probe->count, probe->received, probe->datagrams, probe->late, (double)probe->given_up_ns / 1e9, elapsed_s);
	for (size_t i = 0; count > 0 && i < sizeof percents / sizeof *percents; i++)
		printf("%s\"%g\":%.2f", i > 0 ? "," : "", percents[i],
		       (double)sorted[(unsigned long)(percents[i] / 100 * (double)(count - 1))] / 1e3);
	puts("}}");
}

static struct request request_read(int argc, char **argv)
{
	static const struct option options[] = {
		{"rate", required_argument, NULL, 'r'},
		{"count", required_argument, NULL, 'c'},
		{"warmup", required_argument, NULL, 'w'},
		{NULL, 0, NULL, 0},
	};
	struct request request = {.count = 1000};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'r': request.rate = strtoul(optarg, NULL, 10); break;
		case 'c': request.count = strtoul(optarg, NULL, 10); break;
		case 'w': request.warmup = strtoul(optarg, NULL, 10); break;
		default: exit(EX_USAGE);
		}
	}
	if (optind + 1 != argc || request.count <= request.warmup) {
		fputs("usage: probe PATH [--rate LINES] [--count LINES] [--warmup LINES]\n", stderr);
		exit(EX_USAGE);
	}
	return request;
}

int main(int argc, char **argv)
{
	const struct request request = request_read(argc, argv);
	struct probe probe = {.count = request.count};
	int64_t begin_ns;
	double elapsed_s;

	probe.written_ns = calloc(request.count, sizeof *probe.written_ns);
	probe.took_ns = calloc(request.count, sizeof *probe.took_ns);
	if (probe.written_ns == NULL || probe.took_ns == NULL)
		die("calloc");
	/* Not while something is measured. */
	memset(probe.written_ns, 1, request.count * sizeof *probe.written_ns);
	memset(probe.took_ns, 0, request.count * sizeof *probe.took_ns);
	probe.socket = open_receiver(NULL, RECEIVE_BUFFER);
	printf("%u\n", receiver_port(probe.socket));
	fflush(stdout);
	if (getchar() == EOF)
		return EX_OK;
	probe.pipe = open(argv[optind], O_WRONLY | O_CLOEXEC);
	if (probe.pipe < 0)
		die(argv[optind]);
	begin_ns = now_ns();
	probe_run(&probe, request.rate);
	elapsed_s = (double)(probe.last_ns - begin_ns) / 1e9;
	probe_report(&probe, request.warmup, elapsed_s);
	free(probe.written_ns);
	free(probe.took_ns);
	return EX_OK;
}
