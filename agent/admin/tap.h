/* /api/tap: what the running agent sees, each event as `explain` tells it, to whoever listens.
 *
 * Nobody who listens slows the agent: of each client at most so much is held, what it does not take is lost and counted;
 * and explaining takes at most a fifth of the time, what comes beyond that is not looked at, and counted too. */
#ifndef STATSIDECAR_ADMIN_TAP_H
#define STATSIDECAR_ADMIN_TAP_H

#include "agent.h"
#include "base/span.h"

struct evhttp_request;
struct tap;

/* NULL only without memory. */
struct tap *tap_new(struct agent *agent);
void tap_free(struct tap *tap);

/* Answers a request until its client goes. Parameters: match=GLOB, outcome=NAME, n=COUNT, format=text. */
void tap_answer(struct tap *tap, struct evhttp_request *request, const char *query);

/* How many listen. */
size_t tap_clients(const struct tap *tap);

/* As in struct agent_part. */
void tap_changed(struct tap *tap);
void tap_rejected(struct tap *tap, enum outcome outcome, uint16_t input, struct span line, const char *why, uint32_t column);

#endif
