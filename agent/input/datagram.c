/* Datagrams from a UDP port or a Unix socket, received in batches. All datagram inputs share one set of buffers: there is one
 * thread, and nothing stays in them between two calls.
 *
 *     | pad | 64 KiB, received and translated in place | pad | | pad | …      stride: no power of two, so that the first
 *     ^ 64 bytes that a scanner may touch                ^ 64                 bytes of all fall into different cache sets */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "input/input.h"
#include "input/listen.h"
#include "log.h"

enum {
	STRIDE = DATAGRAM_MAX + 2 * SCAN_PAD,
	BATCH = 32,
	/* Then the other inputs have their turn. */
	DATAGRAMS_PER_TURN = 4 * BATCH,
	RECEIVES_PER_TURN = 16,
	/* After so many datagrams in turns each of which began as soon after the other as the loop can without a sleep. */
	REST_AFTER = 8,
	REST_SOON_NS = 10 * 1000,
	REST_NS = 100 * 1000,
	/* A receive buffer that holds what comes meanwhile: of a datagram alone the kernel counts 768 bytes and more. */
	REST_BUFFER = 128 * 1024,
	/* What one datagram takes of the receive buffer at least: the kernel's struct sk_buff with its data's trailer. */
	KERNEL_OVERHEAD = 512,
};

struct datagram_batch {
	struct mmsghdr headers[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_storage from[BATCH];
	bool takes_senders; /* the headers ask for them */
	char *memory;
	unsigned users;
};

static struct datagram_batch batch;

/* When the last turn was over, its rest included. */
static int64_t left_ns;

struct datagram_input {
	struct input input; /* first */
	struct listen_socket listening;
	struct event *ready;
	bool is_udp;
	bool is_loopback;
	bool checks_senders;
	bool is_draining;
	uint64_t left;        /* while draining: datagrams that may still be read */
	unsigned crowd;       /* datagrams since the loop last slept or rested, the first turn's not counted */
	uint32_t seen_drops;  /* the socket's own count, which wraps, up to which kernel_drops has it */
};

size_t input_datagram_memory(void)
{
	return (size_t)BATCH * STRIDE;
}

static int batch_use(void)
{
	if (batch.users++ > 0)
		return 0;
	batch.memory = calloc(1, input_datagram_memory());
	if (batch.memory == NULL) {
		batch.users--;
		return -1;
	}
	batch.takes_senders = false;
	for (size_t i = 0; i < BATCH; i++) {
		batch.vectors[i] = (struct iovec){batch.memory + i * STRIDE + SCAN_PAD, DATAGRAM_MAX};
		batch.headers[i].msg_hdr = (struct msghdr){.msg_iov = &batch.vectors[i], .msg_iovlen = 1};
	}
	return 0;
}

static void batch_leave(void)
{
	if (--batch.users > 0)
		return;
	free(batch.memory);
	batch.memory = NULL;
}

static void datagram_count_drops(struct datagram_input *datagram, uint32_t total)
{
	static struct log_limit limit = LOG_LIMIT("kernel drops");
	int32_t more = (int32_t)(total - datagram->seen_drops);

	if (more <= 0)
		return;
	datagram->seen_drops = total;
	datagram->input.accounts->kernel_drops += (uint32_t)more;
	log_limited(&limit, LOG_LEVEL_WARN, "%s: the kernel dropped %" PRId32 " datagrams, %" PRIu64
	            " so far; a larger receive_buffer holds longer bursts",
	            datagram->input.settings->label, more, datagram->input.accounts->kernel_drops);
}

static void datagram_refresh(struct input *input)
{
	struct datagram_input *datagram = (struct datagram_input *)input;
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof memory;

	if (datagram->is_udp && getsockopt(datagram->listening.fd, SOL_SOCKET, SO_MEMINFO, memory, &len) == 0 &&
	    len > SK_MEMINFO_DROPS * sizeof memory[0])
		datagram_count_drops(datagram, memory[SK_MEMINFO_DROPS]);
}

/* The kernel overwrites the lengths. */
static void batch_take_senders(bool wanted)
{
	if (!wanted && !batch.takes_senders)
		return;
	for (unsigned i = 0; i < BATCH; i++) {
		struct msghdr *header = &batch.headers[i].msg_hdr;

		header->msg_name = wanted ? &batch.from[i] : NULL;
		header->msg_namelen = wanted ? sizeof batch.from[i] : 0;
	}
	batch.takes_senders = wanted;
}

static int datagram_receive(struct datagram_input *datagram, unsigned wanted)
{
	int got;

	batch_take_senders(datagram->checks_senders);
	do
		got = recvmmsg(datagram->listening.fd, batch.headers, wanted, MSG_DONTWAIT, NULL);
	while (got < 0 && errno == EINTR);
	return got;
}

static void datagram_translate(struct datagram_input *datagram, unsigned count)
{
	static struct log_limit limit = LOG_LIMIT("refused senders");
	struct input *input = &datagram->input;

	for (unsigned i = 0; i < count; i++) {
		if (datagram->checks_senders && !listen_allows(input->settings, &batch.from[i])) {
			input->accounts->refused++;
			log_limited(&limit, LOG_LEVEL_WARN, "%s: a datagram from an address outside allow_from was refused",
			            input->settings->label);
			continue;
		}
		if (batch.headers[i].msg_hdr.msg_flags & MSG_TRUNC)
			translate_cut_datagram(input->owner->translator, input->index, (struct span){batch.vectors[i].iov_base, DATAGRAM_MAX});
		else
			translate_datagram(input->owner->translator, input->index, batch.vectors[i].iov_base,
			                   batch.headers[i].msg_len);
	}
}

/* A bounded share; true once nothing is left of what was to be read. A datagram that came alone is sent on at once. Where several
 * came, more may have come meanwhile: what they make goes out together. */
static bool datagram_read(struct datagram_input *datagram, unsigned *total)
{
	*total = 0;
	for (int turn = 0; turn < RECEIVES_PER_TURN && *total < DATAGRAMS_PER_TURN; turn++) {
		unsigned wanted = BATCH;
		int got;

		if (wanted > DATAGRAMS_PER_TURN - *total)
			wanted = DATAGRAMS_PER_TURN - *total;
		if (datagram->is_draining && datagram->left < wanted)
			wanted = (unsigned)datagram->left;
		if (wanted == 0)
			return true;
		got = datagram_receive(datagram, wanted);
		if (got <= 0)
			return true;
		datagram_translate(datagram, (unsigned)got);
		/* Where many wait, some may have found no room. */
		if (got == BATCH)
			datagram_refresh(&datagram->input);
		*total += (unsigned)got;
		if (datagram->is_draining)
			datagram->left -= (unsigned)got;
		if (got == 1)
			return true;
	}
	return false;
}

/* Where datagrams come as fast as turns, each turn finds a few of them, and costs more than they do. Then the loop stays away for a
 * moment, in which they gather in the socket: at 200,000 a second that saves a quarter of the processor time. What was read is sent
 * before. Not where it sleeps between turns anyway, or another input has much to do; nor where the receive buffer holds too little;
 * nor from a Unix socket, whose senders would have to wait. */
static bool datagram_wants_rest(struct datagram_input *datagram, unsigned total, bool is_done)
{
	const struct input_owner *owner = datagram->input.owner;

	if (owner->began_ns - left_ns > REST_SOON_NS)
		datagram->crowd = 0;
	else
		datagram->crowd += total;
	if (!datagram->is_udp || datagram->input.settings->receive_buffer < REST_BUFFER)
		return false;
	if (datagram->crowd < REST_AFTER || !is_done || datagram->is_draining)
		return false;
	datagram->crowd = 0;
	return true;
}

static void datagram_turn(struct datagram_input *datagram)
{
	struct input *input = &datagram->input;
	struct input_owner *owner = input->owner;
	unsigned total;
	bool is_done, wants_rest;

	owner->begin(owner);
	is_done = datagram_read(datagram, &total);
	wants_rest = datagram_wants_rest(datagram, total, is_done);
	if (datagram->is_draining && is_done) {
		event_del(datagram->ready);
		datagram_refresh(input);
		input_end(input);
	} else if (datagram->is_draining) {
		/* Of a socket that is empty by now nobody would hear again. */
		event_active(datagram->ready, EV_READ, 0);
	}
	/* A reload may remove the input here. */
	owner->flush(owner);
	if (wants_rest)
		clock_rest_ns(REST_NS);
	left_ns = clock_monotonic_ns();
}

static void datagram_on_ready(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	datagram_turn(context);
}

/* How many datagrams the socket can hold at most by what the kernel says: those that come later are not waited for. */
static uint64_t datagram_held(const struct datagram_input *datagram)
{
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof memory;
	unsigned queue_len = 0;
	FILE *file;

	if (datagram->is_udp) {
		if (getsockopt(datagram->listening.fd, SOL_SOCKET, SO_MEMINFO, memory, &len) < 0)
			return DATAGRAMS_PER_TURN;
		return memory[SK_MEMINFO_RMEM_ALLOC] / KERNEL_OVERHEAD + 1;
	}
	file = fopen("/proc/sys/net/unix/max_dgram_qlen", "re");
	if (file != NULL) {
		if (fscanf(file, "%9u", &queue_len) != 1)
			queue_len = 0;
		fclose(file);
	}
	return (queue_len > 0 ? queue_len : BATCH) + 1;
}

static void datagram_drain(struct input *input)
{
	struct datagram_input *datagram = (struct datagram_input *)input;

	datagram->is_draining = true;
	datagram->left = datagram_held(datagram);
	datagram_turn(datagram);
}

static void datagram_enlarge(const struct datagram_input *datagram)
{
	const struct input_settings *settings = datagram->input.settings;
	int wanted = settings->receive_buffer > INT32_MAX / 2 ? INT32_MAX / 2 : (int)settings->receive_buffer;
	int given = 0;
	socklen_t len = sizeof given;
	int fd = datagram->listening.fd;

	/* Beyond net.core.rmem_max with the capability for it, else up to it. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &given, &len) < 0)
		return;
	/* The kernel doubles the wish for its own bookkeeping, and says the double. */
	if (given / 2 < wanted)
		log_warn("%s: the kernel gives a receive buffer of %d bytes instead of %d; raise net.core.rmem_max, or set "
		         "receive_buffer",
		         settings->label, given / 2, wanted);
}

/* Nobody but the machine itself reaches a loopback address. */
static bool datagram_checks_senders(const struct datagram_input *datagram)
{
	const struct input_settings *settings = datagram->input.settings;

	return datagram->is_udp && !settings->allow_from_any && (settings->allow_from_count > 0 || !datagram->is_loopback);
}

static struct input *datagram_open(const struct input_settings *settings, struct input_owner *owner,
                                   struct failure *failure)
{
	struct datagram_input *datagram = calloc(1, sizeof *datagram);

	if (datagram == NULL || batch_use() < 0) {
		failure_set(failure, "no memory for the buffers of %s", settings->endpoint.url);
		free(datagram);
		return NULL;
	}
	input_init(&datagram->input, &input_datagram, settings, owner);
	datagram->is_udp = settings->endpoint.transport == TRANSPORT_UDP;
	if (listen_open(&datagram->listening, settings, SOCK_DGRAM, owner->port_use, failure) < 0)
		goto fail;
	datagram->is_loopback = listen_is_loopback(&datagram->listening);
	datagram->checks_senders = datagram_checks_senders(datagram);
	if (datagram->is_udp)
		datagram_enlarge(datagram);
	datagram->ready = event_new(owner->base, datagram->listening.fd, EV_READ | EV_PERSIST, datagram_on_ready, datagram);
	if (datagram->ready == NULL) {
		failure_set(failure, "no memory for the event of %s", settings->endpoint.url);
		listen_close(&datagram->listening, settings);
		goto fail;
	}
	listen_report(&datagram->listening, settings);
	return &datagram->input;
fail:
	batch_leave();
	free(datagram);
	return NULL;
}

static int datagram_start(struct input *input)
{
	return event_add(((struct datagram_input *)input)->ready, NULL);
}

static int datagram_prepare(struct input *input, const struct input_settings *next, uint32_t line_max,
                            struct failure *failure)
{
	(void)input;
	(void)next;
	(void)line_max;
	(void)failure;
	return 0;
}

static void datagram_adopt(struct input *input, const struct input_settings *old)
{
	struct datagram_input *datagram = (struct datagram_input *)input;

	datagram->checks_senders = datagram_checks_senders(datagram);
	if (datagram->is_udp && input->settings->receive_buffer != old->receive_buffer)
		datagram_enlarge(datagram);
	listen_adopt(&datagram->listening, input->settings, old);
}

static bool datagram_is_in_place(const struct input *input)
{
	return listen_is_in_place(&((const struct datagram_input *)input)->listening, input->settings);
}

static void datagram_use_port(struct input *input, enum port_use use)
{
	enum transport transport = input->settings->endpoint.transport;

	if (transport == TRANSPORT_UDP || transport == TRANSPORT_TCP)
		listen_use_port(&((const struct datagram_input *)input)->listening, use);
}

static void datagram_close(struct input *input)
{
	struct datagram_input *datagram = (struct datagram_input *)input;

	event_free(datagram->ready);
	listen_close(&datagram->listening, input->settings);
	batch_leave();
	free(datagram);
}

const struct input_kind input_datagram = {
	.open = datagram_open,
	.start = datagram_start,
	.prepare = datagram_prepare,
	.adopt = datagram_adopt,
	.is_in_place = datagram_is_in_place,
	.use_port = datagram_use_port,
	.close = datagram_close,
	.drain = datagram_drain,
	.refresh = datagram_refresh,
};
