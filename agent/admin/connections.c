#include "admin/connections.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/span.h"
#include "clock.h"
#include "log.h"

enum {
	/* Descriptors or memory ran out: new connections wait in the kernel for so long. */
	ACCEPT_PAUSE_MS = 100,
	SWEEP_MS = 1000,
	SWEEP_FULL_MS = 20, /* while connections are not accepted */
};

struct connection {
	struct bufferevent *bufferevent; /* NULL: a free place */
	struct evhttp_connection *of;    /* while it is answering */
	int64_t since_ms;                /* it has been waiting for its request, or is answering */
	bool is_answering;
	bool is_lasting; /* its answer has no end */
};

struct connections {
	struct event_base *base;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *sweep; /* timer */
	struct connection places[CONNECTIONS_MAX];
	size_t count;
	bool is_full;
	bool is_short; /* of descriptors or memory */
};

/* libevent gives a listener's error to a function of ours, but not our context: there is one HTTP server. */
static struct connections *listening;

static int64_t now_ms(void)
{
	return clock_monotonic_ns() / NS_PER_MS;
}

/* Its peer sees the end at once, libevent at the next turn of the loop. */
static void connection_shut(const struct connection *connection)
{
	evutil_socket_t fd = bufferevent_getfd(connection->bufferevent);

	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

static bool connection_is_over(const struct connection *connection)
{
	bufferevent_data_cb on_read, on_write;
	bufferevent_event_cb on_event;
	void *context;

	bufferevent_getcb(connection->bufferevent, &on_read, &on_write, &on_event, &context);
	return on_read == NULL && on_write == NULL && on_event == NULL;
}

static void connection_release(struct connections *connections, struct connection *connection)
{
	bufferevent_disable(connection->bufferevent, EV_READ | EV_WRITE);
	bufferevent_decref(connection->bufferevent);
	connection->bufferevent = NULL;
	connections->count--;
}

static void connections_reclaim(struct connections *connections)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &connections->places[i];

		if (connection->bufferevent != NULL && connection_is_over(connection))
			connection_release(connections, connection);
	}
}

/* The one that has waited longest for its request; NULL where all are being answered. */
static struct connection *connections_slowest(struct connections *connections)
{
	struct connection *slowest = NULL;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &connections->places[i];

		if (connection->bufferevent != NULL && !connection->is_answering &&
		    (slowest == NULL || connection->since_ms < slowest->since_ms))
			slowest = connection;
	}
	return slowest;
}

static void connections_schedule(struct connections *connections)
{
	int ms = connections->is_full ? SWEEP_FULL_MS : connections->is_short ? ACCEPT_PAUSE_MS : SWEEP_MS;

	event_add(connections->sweep, &(struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000});
}

/* There was no memory for its answer: nothing is to be written, and libevent waits for that to be done. */
static bool connection_is_stuck(const struct connection *connection, int64_t now)
{
	return connection->bufferevent != NULL && connection->is_answering && !connection->is_lasting &&
	       now - connection->since_ms >= SWEEP_MS &&
	       evbuffer_get_length(bufferevent_get_output(connection->bufferevent)) == 0;
}

static void connections_accept_again(struct connections *connections)
{
	bool was_deaf = connections->is_full || connections->is_short;

	connections->is_full = connections->count == CONNECTIONS_MAX;
	connections->is_short = was_deaf && !connections->is_full && connections->listener != NULL &&
	                        evconnlistener_enable(connections->listener) < 0;
}

static void connections_on_sweep(evutil_socket_t fd, short what, void *context)
{
	struct connections *connections = context;
	int64_t now = now_ms();

	(void)fd;
	(void)what;
	connections_reclaim(connections);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *connection = &connections->places[i];

		if (connection->bufferevent != NULL && !connection->is_answering &&
		    now - connection->since_ms >= CONNECTION_REQUEST_MS)
			connection_shut(connection);
		if (connection_is_stuck(connection, now))
			evhttp_connection_free(connection->of);
	}
	connections_reclaim(connections);
	connections_accept_again(connections);
	if (connections->count > 0 || connections->is_short)
		connections_schedule(connections);
}

/* libevent would try, and tell, at every turn of the loop. */
static void connections_on_error(struct evconnlistener *listener, void *context)
{
	static struct log_limit limit = LOG_LIMIT("failed accepts of HTTP");

	(void)context;
	log_limited(&limit, LOG_LEVEL_WARN, "admin: cannot accept a connection: %s", strerror(errno));
	evconnlistener_disable(listener);
	listening->is_short = true;
	connections_schedule(listening);
}

/* Called for each connection that is accepted. There is always a place: at the last one accepting stops. */
static struct bufferevent *connections_on_accept(struct event_base *base, void *context)
{
	struct connections *connections = context;
	/* Else libevent's HTTP server would close the descriptor itself, while this one, which is held here, still has it
	 * watched: whoever gets the same descriptor next would then never be watched. */
	struct bufferevent *bufferevent = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct connection *place = connections->places;
	struct connection *slowest;

	if (bufferevent == NULL)
		return NULL;
	connections_reclaim(connections);
	while (place < connections->places + CONNECTIONS_MAX && place->bufferevent != NULL)
		place++;
	if (place == connections->places + CONNECTIONS_MAX)
		return bufferevent; /* cannot be: uncounted */
	bufferevent_incref(bufferevent);
	*place = (struct connection){.bufferevent = bufferevent, .since_ms = now_ms()};
	if (++connections->count == CONNECTIONS_MAX) {
		connections->is_full = true;
		if (connections->listener != NULL)
			evconnlistener_disable(connections->listener);
		slowest = connections_slowest(connections);
		if (slowest != NULL)
			connection_shut(slowest);
	}
	connections_schedule(connections);
	return bufferevent;
}

static struct connection *connections_find(struct connections *connections, const struct bufferevent *bufferevent)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (connections->places[i].bufferevent == bufferevent)
			return &connections->places[i];
	}
	return NULL;
}

static void connections_on_answered(struct evhttp_request *request, void *context)
{
	struct evhttp_connection *of = evhttp_request_get_connection(request);
	struct connection *connection =
		of == NULL ? NULL : connections_find(context, evhttp_connection_get_bufferevent(of));

	if (connection == NULL)
		return;
	connection->is_answering = connection->is_lasting = false;
	connection->since_ms = now_ms();
}

void connections_answer(struct connections *connections, struct evhttp_request *request)
{
	struct connection *connection = connections_find(
		connections, evhttp_connection_get_bufferevent(evhttp_request_get_connection(request)));

	if (connection == NULL)
		return;
	connection->is_answering = true;
	connection->of = evhttp_request_get_connection(request);
	connection->since_ms = now_ms();
	evhttp_request_set_on_complete_cb(request, connections_on_answered, connections);
}

void connections_let_last(struct connections *connections, struct evhttp_request *request)
{
	struct connection *connection = connections_find(
		connections, evhttp_connection_get_bufferevent(evhttp_request_get_connection(request)));

	if (connection != NULL)
		connection->is_lasting = true;
}

void connections_set_listener(struct connections *connections, struct evconnlistener *listener)
{
	connections->listener = listener;
	listening = connections;
	if (listener != NULL)
		evconnlistener_set_error_cb(listener, connections_on_error);
	if (listener != NULL && connections->is_full)
		evconnlistener_disable(listener);
}

struct connections *connections_new(struct event_base *base, struct evhttp *http)
{
	struct connections *connections = calloc(1, sizeof *connections);

	if (connections == NULL)
		return NULL;
	connections->base = base;
	connections->http = http;
	connections->sweep = evtimer_new(base, connections_on_sweep, connections);
	if (connections->sweep == NULL) {
		free(connections);
		return NULL;
	}
	evhttp_set_bevcb(http, connections_on_accept, connections);
	evhttp_set_timeout(http, CONNECTION_ANSWER_MS / 1000);
	return connections;
}

void connections_free(struct connections *connections)
{
	if (connections == NULL)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (connections->places[i].bufferevent != NULL)
			connection_release(connections, &connections->places[i]);
	}
	event_free(connections->sweep);
	free(connections);
}
