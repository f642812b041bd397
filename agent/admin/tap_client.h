/* One who taps: what it wants to see, and how much it has not taken yet. What does not fit is lost, and it is told how much. */
#ifndef STATSIDECAR_ADMIN_TAP_CLIENT_H
#define STATSIDECAR_ADMIN_TAP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pattern.h"
#include "explain/explanation.h"

struct evhttp_connection;
struct evhttp_request;

struct tap_client {
	struct evhttp_request *request; /* NULL: a free place */
	bool is_text;
	bool has_match;
	char *glob;
	struct pattern match;
	uint32_t outcomes; /* one bit each */
	uint64_t left;     /* events until it ends; 0: none ends it */
	uint64_t shown;
	uint64_t lost;     /* not told yet */
};

/* What is wrong with the name of an outcome, with a number of events; NULL: nothing. */
const char *tap_outcome_fault(const char *name);
const char *tap_count_fault(const char *text);
/* What it asks for; NULL, or what is wrong with it. client->glob is on the heap. */
const char *tap_client_read_query(struct tap_client *client, const char *query);
/* Begins the answer; closed is called when its connection ends. */
void tap_client_begin(struct tap_client *client, void (*closed)(struct evhttp_connection *, void *), void *context);

/* Whether it may want an event of this canonical identifier; whether it wants this one. */
bool tap_client_takes_name(const struct tap_client *client, struct span event);
bool tap_client_takes(const struct tap_client *client, const struct explanation *explanation);

/* One event, written as it wants it. */
void tap_client_show(struct tap_client *client, struct span text);
/* How many it has lost, if any, and if there is room to say so. */
void tap_client_tell_lost(struct tap_client *client);

#endif
