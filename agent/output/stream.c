/* Metrics over a connection: lines over TCP, or DogStatsD's length-prefixed payloads over a Unix stream socket. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "output/flow.h"
#include "output/resolver.h"

enum {
	/* What a receiver that vanished without a word may keep in the kernel's hands. */
	UNACKNOWLEDGED_MS = 30000,
};

struct stream {
	struct flow flow;
	struct name *name;      /* tcp */
	struct event *readable; /* a receiver that closes is noticed at once, not with the next metrics */
};

static ssize_t stream_write(struct output *output, struct iovec *vectors, int count)
{
	struct msghdr header = {.msg_iov = vectors, .msg_iovlen = (size_t)count};

	return sendmsg(output->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Receivers of metrics have nothing to say: what comes is thrown away. */
static void stream_on_readable(evutil_socket_t fd, short what, void *context)
{
	struct output *output = context;
	char scratch[512];
	ssize_t got;

	(void)what;
	got = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT);
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	output_lost(output, got == 0 ? ECONNRESET : errno);
	output_flush(output);
	output->owner->relieved(output->owner);
}

static void stream_on_address(void *context)
{
	output_moved(context);
}

static bool is_tcp(const struct output *output)
{
	return output->settings->endpoint.transport == TRANSPORT_TCP;
}

static int stream_init(struct output *output, struct failure *failure)
{
	const struct endpoint *endpoint = &output->settings->endpoint;
	struct stream *stream;

	if (!is_tcp(output) && strlen(endpoint->path) > sizeof ((struct sockaddr_un *)0)->sun_path - 1)
		return failure_set(failure, "%s: the path of a Unix socket has at most %zu bytes", endpoint->url,
		                   sizeof ((struct sockaddr_un *)0)->sun_path - 1);
	stream = calloc(1, sizeof *stream);
	if (stream == NULL || flow_init(&stream->flow, output) < 0)
		goto fail;
	stream->flow.write = stream_write;
	stream->flow.is_framed = !is_tcp(output);
	stream->readable = event_new(output->owner->base, -1, EV_READ | EV_PERSIST, stream_on_readable, output);
	if (is_tcp(output))
		stream->name = name_new(output->owner->resolver, endpoint, output->settings->resolve_interval_ns,
		                        stream_on_address, output);
	if (stream->readable == NULL || (is_tcp(output) && stream->name == NULL))
		goto fail;
	output->state = stream;
	return 0;
fail:
	if (stream != NULL) {
		if (stream->readable != NULL)
			event_free(stream->readable);
		name_free(stream->name);
		flow_fini(&stream->flow);
	}
	free(stream);
	return failure_set(failure, "no memory for %s", endpoint->url);
}

static void stream_fini(struct output *output)
{
	struct stream *stream = output->state;

	event_free(stream->readable);
	name_free(stream->name);
	flow_fini(&stream->flow);
	free(stream);
}

static int stream_prepare(struct output *output, const struct output_settings *next, struct failure *failure)
{
	return flow_prepare(&((struct stream *)output->state)->flow, next, failure);
}

static void stream_adopt(struct output *output)
{
	struct stream *stream = output->state;

	if (stream->name != NULL)
		name_adopt(stream->name, &output->settings->endpoint, output->settings->resolve_interval_ns);
}

static void stream_shut(struct output *output)
{
	struct stream *stream = output->state;

	event_del(stream->readable);
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
	flow_break(output, &stream->flow);
}

/* Where nobody listens at a port that the kernel gives to clients, too, a connection may get that very port and meet itself. It
 * would take all metrics, and the receiver could not listen any more. */
static bool connection_meets_itself(int fd)
{
	const struct linger at_once = {.l_onoff = 1};
	struct sockaddr_storage own, peer;
	socklen_t own_len = sizeof own, peer_len = sizeof peer;

	if (getsockname(fd, (struct sockaddr *)&own, &own_len) < 0 ||
	    getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0 || own_len != peer_len ||
	    memcmp(&own, &peer, own_len) != 0)
		return false;
	/* The port is free again once it is closed. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	return true;
}

static int stream_established(struct output *output)
{
	struct stream *stream = output->state;

	if (is_tcp(output) && connection_meets_itself(output->fd))
		return output_fail(output, ECONNREFUSED);
	output_opened(output);
	event_assign(stream->readable, output->owner->base, output->fd, EV_READ | EV_PERSIST, stream_on_readable, output);
	return event_add(stream->readable, NULL) == 0 ? 0 : output_fail(output, errno);
}

static int stream_connect(struct output *output, const struct sockaddr *address, socklen_t len)
{
	int on = 1;
	unsigned unacknowledged_ms = UNACKNOWLEDGED_MS;

	output->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (output->fd < 0)
		return output_fail(output, errno);
	if (address->sa_family != AF_UNIX) {
		setsockopt(output->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(output->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
		setsockopt(output->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
	}
	if (connect(output->fd, address, len) == 0)
		return stream_established(output);
	output_fail(output, errno);
	if (errno != EINPROGRESS)
		return -1;
	return output_await_connection(output);
}

/* Writable, or the time for it is over. */
static int stream_connected(struct output *output)
{
	struct stream *stream = output->state;
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof peer;
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(output->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0 && getpeername(output->fd, (struct sockaddr *)&peer, &peer_len) < 0)
		error = ETIMEDOUT;
	if (error == 0)
		return stream_established(output);
	output_count_error(output, output_error_of(error));
	if (stream->name != NULL)
		name_doubt(stream->name);
	return output_fail(output, error);
}

static int stream_open(struct output *output)
{
	struct stream *stream = output->state;
	const struct endpoint *endpoint = &output->settings->endpoint;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct sockaddr *resolved;
	socklen_t len;

	if (is_tcp(output)) {
		resolved = name_address(stream->name, &len);
		if (resolved != NULL) {
			if (stream_connect(output, resolved, len) == 0)
				return 0;
			name_doubt(stream->name);
			return -1;
		}
		/* stream_on_address() comes as soon as there is one. */
		output_fail(output, 0);
		return 0;
	}
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(endpoint->path) + 1);
	memcpy(address.sun_path + (endpoint->is_abstract ? 1 : 0), endpoint->path, strlen(endpoint->path));
	return stream_connect(output, (const struct sockaddr *)&address, len);
}

static enum output_result stream_send(struct output *output)
{
	struct stream *stream = output->state;
	enum output_result result = flow_send(output, &stream->flow);

	if (result == OUTPUT_AWAY && stream->name != NULL)
		name_doubt(stream->name);
	return result;
}

const struct output_kind output_stream = {
	.init = stream_init,
	.fini = stream_fini,
	.prepare = stream_prepare,
	.adopt = stream_adopt,
	.open = stream_open,
	.connected = stream_connected,
	.shut = stream_shut,
	.send = stream_send,
};
