/* The HTTP server's connections, so that slow and hostile clients harm nothing: at most so many, each with a time by which its
 * request must be there.
 *
 * libevent tells nobody when a connection without a request ends, so every connection's bufferevent is held by a reference
 * of our own and looked at from a timer that runs while there are connections: it has lost its callbacks once libevent is
 * done with it. When all places are taken, the one that has waited longest for its request is closed. */
#ifndef STATSIDECAR_ADMIN_CONNECTIONS_H
#define STATSIDECAR_ADMIN_CONNECTIONS_H

#include <event2/http.h>
#include <event2/listener.h>

enum {
	CONNECTIONS_MAX = 64,
	CONNECTION_REQUEST_MS = 10 * 1000, /* from connecting, or from the last answer, to a whole request */
	CONNECTION_ANSWER_MS = 30 * 1000,  /* without any progress of an answer */
};

struct connections;

/* NULL only without memory. The server's connections are counted from now on; it is borrowed. */
struct connections *connections_new(struct event_base *base, struct evhttp *http);
/* Once the server is freed. */
void connections_free(struct connections *connections);
/* Which listener stops accepting when there are too many; NULL: none. Borrowed. */
void connections_set_listener(struct connections *connections, struct evconnlistener *listener);

/* A request is answered now: its time begins anew once the answer is gone. */
void connections_answer(struct connections *connections, struct evhttp_request *request);
/* Its answer goes on until the client leaves: it may have nothing to write for a while. */
void connections_let_last(struct connections *connections, struct evhttp_request *request);

#endif
