/* Metrics as datagrams, to a UDP port or a Unix socket: the cuts of one wake-up in one sendmmsg(), or a send() where there is but
 * one. The socket is connected: the kernel then tells of a receiver that is not there.
 *
 * The way through the kernel to a UDP port on loopback costs more than all that was done for what the datagram holds. Neighbours of
 * one size, and a shorter one behind them, are sent as one message, which the kernel cuts again where it is received: UDP
 * segmentation (udp(7), UDP_SEGMENT). The receiver gets the same datagrams. Of full ones, whose sizes differ by less than a line,
 * every second or third shares the message of the one before it. An output that blocks has one in hand at a time, mostly. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "output/output.h"
#include "output/resolver.h"

#ifndef SOL_UDP
#define SOL_UDP IPPROTO_UDP
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
	/* An unsent report about an earlier datagram takes one call each. */
	REFUSALS_MAX = 2,
	/* What one UDP message holds at most; the kernel takes 64 segments, as many as there are cuts. */
	MESSAGE_MAX = 65507,
};

/* A UDP output's own; a Unix socket needs none. */
struct udp {
	struct name *name;
	int64_t opened_ns;
	bool has_segments; /* several datagrams may share a message */
};

/* The size of a message's segments. */
union segment_control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(uint16_t))];
};

/* One thread, and nothing stays in it between two calls. */
static struct mmsghdr headers[PACKER_CUTS];
static struct iovec vectors[PACKER_CUTS];
static union segment_control controls[PACKER_CUTS];

/* What one wake-up gives, mostly: by a call that has less to look at. */
static int datagram_send_one(const struct output *output)
{
	const struct packer *packer = &output->packer;
	const struct cut *cut = &packer->cuts[packer->first];
	ssize_t sent;

	do
		sent = send(output->fd, packer->buffer + cut->at, cut->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 1;
}

static bool datagram_has_segments(const struct output *output)
{
	const struct udp *udp = output->state;

	return udp != NULL && udp->has_segments;
}

/* How many cuts, from that one on, go as one message. */
static uint32_t datagram_group(const struct output *output, uint32_t first)
{
	const struct packer *packer = &output->packer;
	const struct cut *cuts = packer->cuts;
	uint32_t end = first + 1;
	uint32_t size = cuts[first].len;

	if (!datagram_has_segments(output))
		return 1;
	while (end < packer->count && cuts[end - 1].len == cuts[first].len && cuts[end].len <= cuts[first].len &&
	       size + cuts[end].len <= MESSAGE_MAX)
		size += cuts[end++].len;
	return end - first;
}

static void datagram_say_segments(struct msghdr *header, union segment_control *control, uint32_t len)
{
	control->header.cmsg_level = SOL_UDP;
	control->header.cmsg_type = UDP_SEGMENT;
	control->header.cmsg_len = CMSG_LEN(sizeof(uint16_t));
	memcpy(CMSG_DATA(&control->header), &(uint16_t){(uint16_t)len}, sizeof(uint16_t));
	header->msg_control = control;
	header->msg_controllen = sizeof *control;
}

/* The messages of what waits: how many. Each has a vector for each of its cuts. */
static unsigned datagram_gather(const struct output *output)
{
	const struct packer *packer = &output->packer;
	struct iovec *vector = vectors;
	unsigned count = 0;
	uint32_t i = packer->first;

	while (i < packer->count) {
		struct msghdr *header = &headers[count].msg_hdr;
		uint32_t end = i + datagram_group(output, i);

		*header = (struct msghdr){.msg_iov = vector, .msg_iovlen = end - i};
		if (end - i > 1)
			datagram_say_segments(header, &controls[count], packer->cuts[i].len);
		while (i < end) {
			const struct cut *cut = &packer->cuts[i++];

			*vector++ = (struct iovec){packer->buffer + cut->at, cut->len};
		}
		count++;
	}
	return count;
}

/* How many cuts the kernel took, or -1. */
static int datagram_send_some(const struct output *output)
{
	unsigned count;
	int sent, cuts = 0;

	if (output->packer.count - output->packer.first == 1)
		return datagram_send_one(output);
	count = datagram_gather(output);
	do
		sent = sendmmsg(output->fd, headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	for (int i = 0; i < sent; i++)
		cuts += (int)headers[i].msg_hdr.msg_iovlen;
	return sent < 0 ? -1 : cuts;
}

/* The error may be for the first message as a whole, which is larger than a packet of the interface, more than a firewall or the
 * memory lets through, or in the way of IPsec: then segments are given up, until the socket is opened anew. True where the same
 * cuts are now to be tried one by one. */
static bool datagram_give_up_segments(struct output *output, int error)
{
	struct udp *udp = output->state;
	enum output_error kind = output_error_of(error);

	if (kind == OUTPUT_ERROR_FULL || kind == OUTPUT_ERROR_REFUSED)
		return false;
	if (!datagram_has_segments(output) || datagram_group(output, output->packer.first) == 1)
		return false;
	udp->has_segments = false;
	return true;
}

/* What is to be done about the first cut, which the kernel did not take: OUTPUT_SENT to go on with the next try. */
static enum output_result datagram_judge(struct output *output, int error, unsigned *refusals)
{
	enum output_error kind = output_error_of(error);
	struct udp *udp = output->state;

	switch (kind) {
	case OUTPUT_ERROR_FULL:
		if (output->blocks)
			return OUTPUT_WAITS;
		output_drop(output, kind);
		return OUTPUT_SENT;
	case OUTPUT_ERROR_NO_BUFFERS:
		if (output->blocks)
			return OUTPUT_PAUSES;
		output_drop(output, kind);
		return OUTPUT_SENT;
	case OUTPUT_ERROR_TOO_LONG:
		output_drop(output, kind);
		return OUTPUT_SENT;
	case OUTPUT_ERROR_REFUSED:
		if (udp == NULL)
			break;
		/* The report is about a datagram before this one: the next call takes this one. */
		name_doubt(udp->name);
		if (++*refusals > REFUSALS_MAX)
			output_drop(output, kind);
		else
			output_count_error(output, kind);
		return OUTPUT_SENT;
	case OUTPUT_ERROR_ABSENT:
	case OUTPUT_ERROR_UNRESOLVED:
	case OUTPUT_ERROR_CLOSED:
	case OUTPUT_ERROR_OTHER:
	case OUTPUT_ERROR_COUNT:
		break;
	}
	if (udp != NULL)
		name_doubt(udp->name);
	output_fail(output, error);
	return OUTPUT_AWAY;
}

static enum output_result datagram_send(struct output *output)
{
	unsigned refusals = 0;

	while (!packer_empty(&output->packer)) {
		enum output_result result;
		int sent = datagram_send_some(output);

		if (sent > 0) {
			refusals = 0;
			output->backoff_ms = 0;
			while (sent-- > 0)
				output_sent(output, output->packer.cuts[output->packer.first].len);
			continue;
		}
		if (datagram_give_up_segments(output, errno))
			continue;
		result = datagram_judge(output, errno, &refusals);
		if (result != OUTPUT_SENT)
			return result;
	}
	return OUTPUT_SENT;
}

static void datagram_shut(struct output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}

static int datagram_connect(struct output *output, const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, address, len) < 0) {
		output_fail(output, errno);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	datagram_shut(output);
	output->fd = fd;
	output_opened(output);
	return 0;
}

/* ---- udp ---- */

static void udp_on_address(void *context)
{
	output_moved(context);
}

static int udp_init(struct output *output, struct failure *failure)
{
	struct udp *udp = calloc(1, sizeof *udp);
	const struct endpoint *endpoint = &output->settings->endpoint;

	if (udp != NULL)
		udp->name = name_new(output->owner->resolver, endpoint, output->settings->resolve_interval_ns, udp_on_address,
		                     output);
	if (udp == NULL || udp->name == NULL) {
		free(udp);
		return failure_set(failure, "no memory for %s", endpoint->url);
	}
	output->state = udp;
	return 0;
}

static void udp_fini(struct output *output)
{
	struct udp *udp = output->state;

	name_free(udp->name);
	free(udp);
}

static void udp_adopt(struct output *output)
{
	struct udp *udp = output->state;

	name_adopt(udp->name, &output->settings->endpoint, output->settings->resolve_interval_ns);
}

/* Only to loopback: elsewhere a network card's driver has to cut the message, and not all do it right. The kernel is asked, because
 * one that does not know segments would take no notice and send them as one datagram. */
static bool udp_has_segments(const struct output *output)
{
	const struct udp *udp = output->state;
	int size;
	socklen_t len = sizeof size;

	return name_is_loopback(udp->name) && getsockopt(output->fd, SOL_UDP, UDP_SEGMENT, &size, &len) == 0;
}

static int udp_open(struct output *output)
{
	struct udp *udp = output->state;
	socklen_t len;
	const struct sockaddr *address = name_address(udp->name, &len);

	if (address == NULL) {
		/* udp_on_address() comes as soon as there is one. */
		output_fail(output, 0);
		return 0;
	}
	udp->opened_ns = clock_monotonic_ns();
	if (datagram_connect(output, address, len) == 0) {
		udp->has_segments = udp_has_segments(output);
		return 0;
	}
	name_doubt(udp->name);
	return -1;
}

/* A new source port by and by: translation of addresses on the way may tie the old one to a receiver that is gone. The old
 * socket stays where a new one cannot be had. */
static void udp_renew(struct output *output)
{
	struct udp *udp = output->state;
	int64_t interval_ns = output->settings->reopen_interval_ns;
	int64_t now_ns;

	if (interval_ns == 0 || name_is_loopback(udp->name))
		return;
	now_ns = clock_monotonic_ns();
	if (now_ns - udp->opened_ns >= interval_ns)
		(void)udp_open(output);
}

static enum output_result udp_send(struct output *output)
{
	udp_renew(output);
	return datagram_send(output);
}

const struct output_kind output_udp = {
	.init = udp_init,
	.fini = udp_fini,
	.adopt = udp_adopt,
	.open = udp_open,
	.shut = datagram_shut,
	.send = udp_send,
};

/* ---- unix ---- */

static int unix_init(struct output *output, struct failure *failure)
{
	const struct endpoint *endpoint = &output->settings->endpoint;

	if (strlen(endpoint->path) > sizeof ((struct sockaddr_un *)0)->sun_path - 1)
		return failure_set(failure, "%s: the path of a Unix socket has at most %zu bytes", endpoint->url,
		                   sizeof ((struct sockaddr_un *)0)->sun_path - 1);
	return 0;
}

static void unix_fini(struct output *output)
{
	(void)output;
}

static int unix_open(struct output *output)
{
	const struct endpoint *endpoint = &output->settings->endpoint;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t path_len = strlen(endpoint->path);

	memcpy(address.sun_path + (endpoint->is_abstract ? 1 : 0), endpoint->path, path_len);
	return datagram_connect(output, (const struct sockaddr *)&address,
	                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len + 1));
}

const struct output_kind output_unix = {
	.init = unix_init,
	.fini = unix_fini,
	.open = unix_open,
	.shut = datagram_shut,
	.send = datagram_send,
};
