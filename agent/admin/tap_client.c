#include "admin/tap_client.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/page.h"

enum {
	HELD_MAX = 256 * 1024, /* bytes that a client has not taken yet */
	INPUT_MAX = 1024,      /* bytes that a client may send meanwhile; nobody reads them */
	STUCK_S = 30,          /* a client that takes nothing for so long is gone */
};

static struct bufferevent *client_bufferevent(const struct tap_client *client)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(client->request);

	return connection == NULL ? NULL : evhttp_connection_get_bufferevent(connection);
}

static void client_send(const struct tap_client *client, struct span text)
{
	struct evbuffer *chunk = evbuffer_new();

	if (chunk == NULL)
		return;
	evbuffer_add(chunk, text.at, text.len);
	evhttp_send_reply_chunk(client->request, chunk);
	evbuffer_free(chunk);
}

static bool client_has_room(const struct tap_client *client)
{
	struct bufferevent *bufferevent = client_bufferevent(client);

	return bufferevent != NULL && evbuffer_get_length(bufferevent_get_output(bufferevent)) < HELD_MAX;
}

void tap_client_tell_lost(struct tap_client *client)
{
	char text[96];
	int len;

	if (client->lost == 0 || !client_has_room(client))
		return;
	len = snprintf(text, sizeof text, client->is_text ? "%s# %" PRIu64 " events were not shown\n" : "%s{\"lost\":%" PRIu64 "}\n",
	               client->is_text && client->shown++ > 0 ? "\n" : "", client->lost);
	client->lost = 0;
	client_send(client, (struct span){text, (size_t)len});
}

void tap_client_show(struct tap_client *client, struct span text)
{
	if (!client_has_room(client)) {
		client->lost++;
		return;
	}
	tap_client_tell_lost(client);
	if (client->is_text && client->shown > 0)
		client_send(client, SPAN("\n"));
	client->shown++;
	client_send(client, text);
}

bool tap_client_takes_name(const struct tap_client *client, struct span event)
{
	static const uint32_t nameless = UINT32_C(1) << OUTCOME_UNNAMED | UINT32_C(1) << OUTCOME_MALFORMED |
	                                 UINT32_C(1) << OUTCOME_OVERSIZE;

	if (client->request == NULL || (client->outcomes & ~nameless) == 0)
		return false;
	return !client->has_match || pattern_match(&client->match, event, NULL);
}

bool tap_client_takes(const struct tap_client *client, const struct explanation *explanation)
{
	if (client->request == NULL || (client->outcomes >> explanation->outcome & 1) == 0)
		return false;
	if (!client->has_match)
		return true;
	return explanation->is_named && pattern_match(&client->match, explanation->identity.event, NULL);
}

const char *tap_outcome_fault(const char *name)
{
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		if (strcmp(name, outcome_names[i]) == 0)
			return NULL;
	}
	return "outcome is mapped, fallback, dropped, empty, unmapped, unnamed, malformed or oversize";
}

const char *tap_count_fault(const char *text)
{
	/* Digits alone: strtoull would take "-1" for a very large number. */
	bool is_number = text[strspn(text, "0123456789")] == '\0' && strtoull(text, NULL, 10) > 0;

	return is_number ? NULL : "n is a number from 1 on";
}

const char *tap_client_read_query(struct tap_client *client, const char *query)
{
	const char *why = NULL;
	size_t len = 0;
	char *format = page_parameter(query, "format", &len);
	char *outcome = page_parameter(query, "outcome", &len);
	char *count = page_parameter(query, "n", &len);

	client->is_text = format != NULL && strcmp(format, "text") == 0;
	if (format != NULL && !client->is_text && strcmp(format, "json") != 0)
		why = "format is json or text";
	client->outcomes = outcome == NULL ? UINT32_MAX : 0;
	for (int i = 0; i < OUTCOME_COUNT && outcome != NULL; i++)
		client->outcomes |= (uint32_t)(strcmp(outcome, outcome_names[i]) == 0) << i;
	if (outcome != NULL && why == NULL)
		why = tap_outcome_fault(outcome);
	if (count != NULL && why == NULL)
		why = tap_count_fault(count);
	if (count != NULL)
		client->left = strtoull(count, NULL, 10);
	free(format);
	free(outcome);
	free(count);
	client->glob = page_parameter(query, "match", &len);
	client->has_match = client->glob != NULL;
	if (client->has_match && why == NULL && pattern_compile(&client->match, span_of(client->glob), &why) == 0)
		why = NULL;
	return why;
}

void tap_client_begin(struct tap_client *client, void (*closed)(struct evhttp_connection *, void *), void *context)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(client->request);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(client->request);
	struct bufferevent *bufferevent = evhttp_connection_get_bufferevent(connection);

	evhttp_add_header(headers, "Content-Type", client->is_text ? "text/plain; charset=utf-8" : "application/x-ndjson");
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(headers, "Connection", "close");
	evhttp_connection_set_closecb(connection, closed, context);
	evhttp_send_reply_start(client->request, HTTP_OK, NULL);
	/* Only to learn that it is gone. */
	bufferevent_setwatermark(bufferevent, EV_READ, 0, INPUT_MAX);
	bufferevent_set_timeouts(bufferevent, NULL, &(struct timeval){.tv_sec = STUCK_S});
	bufferevent_enable(bufferevent, EV_READ);
}
