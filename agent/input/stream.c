/* Lines over connections: TCP and Unix stream sockets. A fixed number of slots, each with the buffer of one unfinished line,
 * given at the first use of the slot and kept: what one peer does cannot take memory from the others. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "input/listen.h"
#include "input/reader.h"
#include "log.h"

enum {
	BACKLOG = 128,
	ACCEPTS_PER_TURN = 16,
	/* Descriptors or memory ran out: new connections wait in the kernel for so long. */
	ACCEPT_PAUSE_MS = 100,
	/* Two minutes after it vanished a peer's slot is free again. */
	KEEPALIVE_IDLE_S = 60,
	KEEPALIVE_INTERVAL_S = 15,
	KEEPALIVE_COUNT = 4,
};

struct stream_input;

struct connection {
	struct stream_input *stream;
	int fd; /* -1: the slot is free */
	bool has_buffer;
	struct reader reader;
	struct event *ready;
};

struct stream_input {
	struct input input; /* first */
	struct listen_socket listening;
	struct event *acceptable;
	struct event *again; /* timer: accept again */
	struct connection **connections; /* each where it is for good: its event knows it by its address */
	uint32_t size;
	uint32_t open_count;
	bool checks_senders;
	bool is_draining;
};

static void connection_close(struct connection *connection)
{
	event_del(connection->ready);
	close(connection->fd);
	connection->fd = -1;
	connection->stream->open_count--;
}

static void stream_end_when_drained(struct stream_input *stream)
{
	if (stream->is_draining && stream->open_count == 0)
		input_end(&stream->input);
}

/* One share of one connection, between begin() and flush(). */
static void connection_read(struct connection *connection)
{
	/* A connection is never stopped by an output that blocks: its lines are not marked pausable. */
	if (reader_read(&connection->reader, &connection->stream->input) == READER_END)
		connection_close(connection);
}

static void connection_on_ready(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;
	struct stream_input *stream = connection->stream;
	struct input_owner *owner = stream->input.owner;

	(void)fd;
	(void)what;
	owner->begin(owner);
	connection_read(connection);
	owner->flush(owner);
	stream_end_when_drained(stream);
}

static struct connection *stream_free_slot(struct stream_input *stream)
{
	/* After a reload with a smaller max_connections there are more slots than may be used. */
	if (stream->open_count >= stream->input.settings->max_connections)
		return NULL;
	for (uint32_t i = 0; i < stream->size; i++) {
		if (stream->connections[i]->fd < 0)
			return stream->connections[i];
	}
	return NULL;
}

/* -1 without memory, or where the kernel watches no more descriptors. */
static int connection_start(struct connection *connection, int fd)
{
	struct input_owner *owner = connection->stream->input.owner;

	if (!connection->has_buffer) {
		if (reader_init(&connection->reader, fd, false, owner->line_max, READ_SIZE) < 0)
			return -1;
		connection->ready = event_new(owner->base, fd, EV_READ | EV_PERSIST, connection_on_ready, connection);
		if (connection->ready == NULL) {
			reader_fini(&connection->reader);
			return -1;
		}
		connection->has_buffer = true;
	} else {
		reader_reset(&connection->reader, fd);
		event_assign(connection->ready, owner->base, fd, EV_READ | EV_PERSIST, connection_on_ready, connection);
	}
	/* The slot is taken only now: of a connection that is refused the caller closes the descriptor. */
	if (event_add(connection->ready, NULL) < 0)
		return -1;
	connection->fd = fd;
	connection->stream->open_count++;
	return 0;
}

static void stream_refuse(struct stream_input *stream, int fd, const char *why)
{
	static struct log_limit limit = LOG_LIMIT("refused connections");

	close(fd);
	stream->input.accounts->refused++;
	log_limited(&limit, LOG_LEVEL_WARN, "%s: a connection was refused: %s", stream->input.settings->label, why);
}

/* A peer that is done has ended its last line, newline or not; one that may go on has not. */
static enum stream_end connection_end(const struct connection *connection)
{
	struct pollfd ask = {.fd = connection->fd, .events = POLLRDHUP};

	return poll(&ask, 1, 0) == 1 ? STREAM_END_OF_FILE : STREAM_END_OF_AGENT;
}

static void connection_drain(struct connection *connection)
{
	reader_drain(&connection->reader, connection_end(connection));
	connection_read(connection);
}

static void stream_take(struct stream_input *stream, int fd, const struct sockaddr_storage *from)
{
	struct connection *connection;

	if (stream->checks_senders && !listen_allows(stream->input.settings, from)) {
		stream_refuse(stream, fd, "its address is outside allow_from");
		return;
	}
	connection = stream_free_slot(stream);
	if (connection == NULL)
		stream_refuse(stream, fd, "max_connections are open");
	else if (connection_start(connection, fd) < 0)
		stream_refuse(stream, fd, "no memory");
	else if (stream->is_draining)
		connection_drain(connection);
}

static void stream_accept(struct stream_input *stream, int most)
{
	static struct log_limit limit = LOG_LIMIT("failed accepts");

	for (int turn = 0; turn < most; turn++) {
		struct sockaddr_storage from = {0};
		socklen_t from_len = sizeof from;
		int fd = accept4(stream->listening.fd, (struct sockaddr *)&from, &from_len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			stream_take(stream, fd, &from);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno == EAGAIN)
			return;
		log_limited(&limit, LOG_LEVEL_WARN, "%s: cannot accept a connection: %s", stream->input.settings->label,
		            strerror(errno));
		event_del(stream->acceptable);
		event_add(stream->again, &(struct timeval){.tv_usec = ACCEPT_PAUSE_MS * 1000});
		return;
	}
}

static void stream_on_acceptable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	stream_accept(context, ACCEPTS_PER_TURN);
}

static void stream_on_again(evutil_socket_t fd, short what, void *context)
{
	struct stream_input *stream = context;

	(void)fd;
	(void)what;
	input_watched(&stream->input, event_add(stream->acceptable, NULL));
}

/* Connections that wait to be accepted may hold lines already: as many as the kernel keeps. Those that are open are read first,
 * each of the others at once, so that they need few slots. */
static void stream_drain(struct input *input)
{
	struct stream_input *stream = (struct stream_input *)input;
	struct input_owner *owner = input->owner;

	stream->is_draining = true;
	owner->begin(owner);
	for (uint32_t i = 0; i < stream->size; i++) {
		if (stream->connections[i]->fd >= 0)
			connection_drain(stream->connections[i]);
	}
	stream_accept(stream, BACKLOG + 1);
	event_del(stream->acceptable);
	event_del(stream->again);
	owner->flush(owner);
	stream_end_when_drained(stream);
}

static void stream_free(struct stream_input *stream)
{
	for (uint32_t i = 0; i < stream->size; i++) {
		struct connection *connection = stream->connections[i];

		if (connection->fd >= 0)
			connection_close(connection);
		if (connection->has_buffer) {
			event_free(connection->ready);
			reader_fini(&connection->reader);
		}
		free(connection);
	}
	if (stream->acceptable != NULL)
		event_free(stream->acceptable);
	if (stream->again != NULL)
		event_free(stream->again);
	listen_close(&stream->listening, stream->input.settings);
	free(stream->connections);
	free(stream);
}

/* -1 without memory: there are more slots than before, or not. */
static int stream_grow(struct stream_input *stream, uint32_t size)
{
	struct connection **grown;

	if (size <= stream->size)
		return 0;
	grown = realloc(stream->connections, size * sizeof(*grown));
	if (grown == NULL)
		return -1;
	stream->connections = grown;
	for (; stream->size < size; stream->size++) {
		struct connection *connection = calloc(1, sizeof *connection);

		if (connection == NULL)
			return -1;
		connection->stream = stream;
		connection->fd = -1;
		grown[stream->size] = connection;
	}
	return 0;
}

static bool stream_checks_senders(const struct input_settings *settings)
{
	return settings->endpoint.transport == TRANSPORT_TCP && !settings->allow_from_any;
}

/* A peer that vanished without a word would keep its slot for ever: the kernel asks for it. What is accepted inherits this. */
static void stream_watch_peers(int fd)
{
	const int on = 1;
	const int idle_s = KEEPALIVE_IDLE_S;
	const int interval_s = KEEPALIVE_INTERVAL_S;
	const int count = KEEPALIVE_COUNT;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static struct input *stream_open(const struct input_settings *settings, struct input_owner *owner, struct failure *failure)
{
	struct stream_input *stream = calloc(1, sizeof *stream);

	if (stream == NULL)
		goto no_memory;
	input_init(&stream->input, &input_stream, settings, owner);
	stream->listening.fd = -1;
	stream->checks_senders = stream_checks_senders(settings);
	if (stream_grow(stream, settings->max_connections) < 0)
		goto no_memory;
	if (listen_open(&stream->listening, settings, SOCK_STREAM, owner->port_use, failure) < 0)
		goto fail;
	if (settings->endpoint.transport == TRANSPORT_TCP)
		stream_watch_peers(stream->listening.fd);
	if (listen(stream->listening.fd, BACKLOG) < 0) {
		failure_set(failure, "cannot listen on %s: %s", settings->endpoint.url, strerror(errno));
		goto fail;
	}
	stream->acceptable =
		event_new(owner->base, stream->listening.fd, EV_READ | EV_PERSIST, stream_on_acceptable, stream);
	stream->again = evtimer_new(owner->base, stream_on_again, stream);
	if (stream->acceptable == NULL || stream->again == NULL)
		goto no_memory;
	listen_report(&stream->listening, settings);
	return &stream->input;
no_memory:
	failure_set(failure, "no memory for the connections of %s", settings->endpoint.url);
fail:
	if (stream != NULL)
		stream_free(stream);
	return NULL;
}

static int stream_start(struct input *input)
{
	return event_add(((struct stream_input *)input)->acceptable, NULL);
}

static int stream_prepare(struct input *input, const struct input_settings *next, uint32_t line_max,
                          struct failure *failure)
{
	struct stream_input *stream = (struct stream_input *)input;

	for (uint32_t i = 0; i < stream->size; i++) {
		if (stream->connections[i]->has_buffer &&
		    reader_prepare(&stream->connections[i]->reader, line_max, input, failure) < 0)
			return -1;
	}
	if (stream_grow(stream, next->max_connections) < 0)
		return failure_set(failure, "no memory for the connections of %s", next->endpoint.url);
	return 0;
}

static void stream_adopt(struct input *input, const struct input_settings *old)
{
	struct stream_input *stream = (struct stream_input *)input;

	stream->checks_senders = stream_checks_senders(input->settings);
	listen_adopt(&stream->listening, input->settings, old);
}

static bool stream_is_in_place(const struct input *input)
{
	return listen_is_in_place(&((const struct stream_input *)input)->listening, input->settings);
}

static void stream_use_port(struct input *input, enum port_use use)
{
	enum transport transport = input->settings->endpoint.transport;

	if (transport == TRANSPORT_UDP || transport == TRANSPORT_TCP)
		listen_use_port(&((const struct stream_input *)input)->listening, use);
}

static void stream_close(struct input *input)
{
	stream_free((struct stream_input *)input);
}

const struct input_kind input_stream = {
	.open = stream_open,
	.start = stream_start,
	.prepare = stream_prepare,
	.adopt = stream_adopt,
	.is_in_place = stream_is_in_place,
	.use_port = stream_use_port,
	.close = stream_close,
	.drain = stream_drain,
};
