/* Metrics as datagrams, to a UDP port or a Unix socket: the cuts of one wake-up in one sendmmsg(), or a send() where there is but
 * one. The socket is connected: the kernel then tells of a receiver that is not there. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "output/output.h"
#include "output/resolver.h"

enum {
	/* An unsent report about an earlier datagram takes one call each. */
	REFUSALS_MAX = 2,
};

/* A UDP output's own; a Unix socket needs none. */
struct udp {
	struct name *name;
	int64_t opened_ns;
};

/* One thread, and nothing stays in it between two calls. */
static struct mmsghdr headers[PACKER_CUTS];
static struct iovec vectors[PACKER_CUTS];

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

static int datagram_send_some(const struct output *output)
{
	const struct packer *packer = &output->packer;
	unsigned count = 0;
	int sent;

	if (packer->count - packer->first == 1)
		return datagram_send_one(output);
	for (uint32_t i = packer->first; i < packer->count; i++, count++) {
		vectors[count] = (struct iovec){packer->buffer + packer->cuts[i].at, packer->cuts[i].len};
		headers[count].msg_hdr = (struct msghdr){.msg_iov = &vectors[count], .msg_iovlen = 1};
	}
	do
		sent = sendmmsg(output->fd, headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent;
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
	if (datagram_connect(output, address, len) == 0)
		return 0;
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
