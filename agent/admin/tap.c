#include "admin/tap.h"

#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>

#include "admin/page.h"
#include "admin/tap_client.h"
#include "base/arena.h"
#include "clock.h"

enum {
	CLIENTS_MAX = 16,
	SHARE = 5,               /* explaining may take one such part of the time, */
	BURST_MS = 50,           /* and so much at once */
	REST_MS = 20,            /* then it looks away for so long */
};

struct tap {
	struct agent *agent;
	struct explainer *explainer; /* of the present rules; NULL: not needed yet */
	struct trace trace;          /* what the translator tells, passed on where a client wants it */
	struct event *rest;          /* timer */
	struct tap_client clients[CLIENTS_MAX];
	size_t count;
	bool is_watching;       /* the translator tells its steps */
	bool is_named, is_unwanted; /* the present event */
	int64_t begin_ns;       /* when explaining it began */
	int64_t spendable_ns;
	int64_t refilled_ns;
	uint64_t seen_at_rest;  /* events before it looked away */
	char *bytes[2];         /* the present event as JSON and as text, once it was written */
	size_t lens[2];
};

/* ---- clients that go ---- */

static void tap_stop_watching(struct tap *tap)
{
	if (tap->is_watching)
		translator_set_trace(agent_view(tap->agent)->translator, NULL);
	tap->is_watching = false;
}

/* Its request and connection are not ours any more. */
static void tap_forget(struct tap *tap, struct tap_client *client)
{
	free(client->glob);
	*client = (struct tap_client){.request = NULL};
	if (--tap->count > 0)
		return;
	tap_stop_watching(tap);
	event_del(tap->rest);
}

static void tap_end(struct tap *tap, struct tap_client *client)
{
	struct evhttp_request *request = client->request;

	tap_client_tell_lost(client);
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
	tap_forget(tap, client);
	evhttp_send_reply_end(request);
}

static void tap_on_close(struct evhttp_connection *connection, void *context)
{
	struct tap *tap = context;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct evhttp_request *request = tap->clients[i].request;

		if (request == NULL)
			continue;
		/* libevent has taken the connection from the request, which is ours now; or frees both. */
		if (evhttp_request_get_connection(request) == NULL) {
			tap_forget(tap, &tap->clients[i]);
			evhttp_send_reply_end(request);
		} else if (evhttp_request_get_connection(request) == connection) {
			tap_forget(tap, &tap->clients[i]);
		}
	}
}

/* ---- how much time it takes ---- */

static bool tap_has_explainer(struct tap *tap);

static uint64_t tap_count_events(struct tap *tap)
{
	const struct accounts *accounts = agent_view(tap->agent)->accounts;
	uint64_t count = 0;

	for (int i = 0; i < OUTCOME_COUNT; i++)
		count += accounts->outcomes[i];
	return count;
}

static bool tap_has_time(struct tap *tap)
{
	int64_t now_ns = clock_monotonic_ns();

	tap->spendable_ns += (now_ns - tap->refilled_ns) / SHARE;
	tap->refilled_ns = now_ns;
	if (tap->spendable_ns > BURST_MS * NS_PER_MS)
		tap->spendable_ns = BURST_MS * NS_PER_MS;
	return tap->spendable_ns > 0;
}

static void tap_watch(struct tap *tap)
{
	const struct agent_view *view = agent_view(tap->agent);

	tap->is_named = tap->is_unwanted = false;
	tap->is_watching = true;
	translator_set_trace(view->translator, &tap->trace);
}

/* Looks away; what comes meanwhile is lost. */
static void tap_rest(struct tap *tap)
{
	tap_stop_watching(tap);
	tap->seen_at_rest = tap_count_events(tap);
	event_add(tap->rest, &(struct timeval){.tv_usec = REST_MS * 1000});
}

static void tap_on_rested(evutil_socket_t fd, short what, void *context)
{
	struct tap *tap = context;
	uint64_t missed = tap_count_events(tap) - tap->seen_at_rest;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (tap->clients[i].request == NULL)
			continue;
		tap->clients[i].lost += missed;
		tap_client_tell_lost(&tap->clients[i]);
	}
	tap->seen_at_rest += missed;
	if (tap_has_time(tap) && tap_has_explainer(tap))
		tap_watch(tap);
	else
		event_add(tap->rest, &(struct timeval){.tv_usec = REST_MS * 1000});
}

/* ---- from the translator ---- */

static void tap_forget_bytes(struct tap *tap)
{
	for (int i = 0; i < 2; i++) {
		free(tap->bytes[i]);
		tap->bytes[i] = NULL;
	}
}

static bool tap_takes_name(const struct tap *tap, struct span event)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (tap_client_takes_name(&tap->clients[i], event))
			return true;
	}
	return false;
}

static bool tap_takes_outcome(const struct tap *tap, enum outcome outcome)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct tap_client *client = &tap->clients[i];

		if (client->request != NULL && !client->has_match && (client->outcomes >> outcome & 1) != 0)
			return true;
	}
	return false;
}

static const struct trace *tap_inner(struct tap *tap)
{
	return explainer_trace(tap->explainer);
}

/* Something that the translator tells, on its way to the explainer, which may have no memory for it. */
struct told {
	struct tap *tap;
	void (*pass)(const struct told *told, const struct trace *inner);
	const struct identity *identity;
	struct span text;
	struct subject *subject;
	const struct expectation *expectation;
	const struct rule *rule;
	const struct metric *metric;
	enum metric_fate metric_fate;
	enum skip skip;
	const struct condition *condition;
	uint16_t output;
	uint16_t input;
	enum line_fate line_fate;
	enum outcome outcome;
	const char *why;
	uint32_t column;
};

static void tap_attempt_told(void *context)
{
	const struct told *told = context;

	told->pass(told, tap_inner(told->tap));
}

/* Without memory the event is not shown: its explanation is thrown away, and the clients hear of it as of one that was lost. */
static void tap_tell(struct told *told)
{
	struct tap *tap = told->tap;

	if (tap->explainer == NULL || arena_attempt(tap_attempt_told, told))
		return;
	tap->is_unwanted = true;
	explainer_free(tap->explainer);
	tap->explainer = NULL;
	tap_forget_bytes(tap);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		tap->clients[i].lost += tap->clients[i].request != NULL;
}

static void pass_named(const struct told *told, const struct trace *inner)
{
	inner->named(inner->context, told->identity, told->text, told->subject);
}

static void pass_missing(const struct told *told, const struct trace *inner)
{
	inner->missing(inner->context, told->expectation);
}

static void pass_rule(const struct told *told, const struct trace *inner)
{
	inner->rule(inner->context, told->rule);
}

static void pass_metric(const struct told *told, const struct trace *inner)
{
	inner->metric(inner->context, told->metric, told->metric_fate, told->skip, told->condition);
}

static void pass_line(const struct told *told, const struct trace *inner)
{
	inner->line(inner->context, told->output, told->line_fate, told->text);
}

static void pass_done(const struct told *told, const struct trace *inner)
{
	inner->done(inner->context, told->outcome, told->input, told->text);
}

static void pass_rejected(const struct told *told, const struct trace *inner)
{
	const struct translate_observer *observer = explainer_observer(told->tap->explainer);

	(void)inner;
	observer->rejected(observer->context, told->outcome, told->input, told->text, told->why, told->column);
}

static void tap_on_named(void *context, const struct identity *identity, struct span text, struct subject *subject)
{
	struct tap *tap = context;

	tap->is_named = true;
	tap->is_unwanted = tap->explainer == NULL || !tap_takes_name(tap, identity->event);
	if (tap->is_unwanted)
		return;
	tap->begin_ns = clock_processor_ns();
	tap_tell(&(struct told){.tap = tap, .pass = pass_named, .identity = identity, .text = text, .subject = subject});
}

static void tap_on_missing(void *context, const struct expectation *expectation)
{
	struct tap *tap = context;

	if (!tap->is_unwanted)
		tap_tell(&(struct told){.tap = tap, .pass = pass_missing, .expectation = expectation});
}

static void tap_on_rule(void *context, const struct rule *rule)
{
	struct tap *tap = context;

	if (!tap->is_unwanted)
		tap_tell(&(struct told){.tap = tap, .pass = pass_rule, .rule = rule});
}

static void tap_on_metric(void *context, const struct metric *metric, enum metric_fate fate, enum skip skip,
                          const struct condition *condition)
{
	struct tap *tap = context;

	if (!tap->is_unwanted)
		tap_tell(&(struct told){.tap = tap, .pass = pass_metric, .metric = metric, .metric_fate = fate, .skip = skip,
		                        .condition = condition});
}

static void tap_on_line(void *context, uint16_t output, enum line_fate fate, struct span line)
{
	struct tap *tap = context;

	if (!tap->is_unwanted)
		tap_tell(&(struct told){.tap = tap, .pass = pass_line, .output = output, .line_fate = fate, .text = line});
}

static void tap_on_done(void *context, enum outcome outcome, uint16_t input, struct span line)
{
	struct tap *tap = context;
	bool is_unwanted = tap->is_unwanted;

	if (!tap->is_named) {
		is_unwanted = !tap_takes_outcome(tap, outcome);
		tap->begin_ns = is_unwanted ? 0 : clock_processor_ns();
	}
	tap->is_named = tap->is_unwanted = false;
	if (!is_unwanted)
		tap_tell(&(struct told){.tap = tap, .pass = pass_done, .outcome = outcome, .input = input, .text = line});
	if (tap->explainer == NULL) {
		tap_rest(tap); /* it is asked for anew after the rest */
		return;
	}
	if (is_unwanted)
		return;
	tap->spendable_ns -= clock_processor_ns() - tap->begin_ns;
	if (tap->count > 0 && !tap_has_time(tap))
		tap_rest(tap);
}

static void release_file(void *file)
{
	fclose(file);
}

/* The event in one of the two forms, written when the first client wants it. */
static struct span tap_write(struct tap *tap, const struct explanation *explanation, bool is_text)
{
	struct arena_guard guard;
	bool is_whole;
	FILE *out;

	if (tap->bytes[is_text] == NULL) {
		out = open_memstream(&tap->bytes[is_text], &tap->lens[is_text]);
		if (out == NULL)
			arena_exhausted();
		arena_guard(&guard, release_file, out);
		if (is_text)
			explanation_print_text(explanation, out);
		else
			explanation_print_json(explanation, out);
		arena_unguard(&guard);
		is_whole = ferror(out) == 0;
		/* fclose() says nothing of what failed before, nor of a last change of size. */
		if (fclose(out) != 0 || !is_whole || tap->bytes[is_text] == NULL)
			arena_exhausted();
	}
	return (struct span){tap->bytes[is_text], tap->lens[is_text]};
}

static void tap_on_explained(void *context, const struct explanation *explanation)
{
	struct tap *tap = context;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct tap_client *client = &tap->clients[i];

		if (!tap_client_takes(client, explanation))
			continue;
		tap_client_show(client, tap_write(tap, explanation, client->is_text));
		if (client->left > 0 && --client->left == 0)
			tap_end(tap, client);
	}
	tap_forget_bytes(tap);
}

static void tap_attempt_explainer(void *context)
{
	struct tap *tap = context;

	tap->explainer = explainer_new(agent_view(tap->agent)->mapping, tap_on_explained, tap);
}

/* False without memory. */
static bool tap_has_explainer(struct tap *tap)
{
	return tap->explainer != NULL || arena_attempt(tap_attempt_explainer, tap);
}

/* ---- a client comes ---- */

static struct tap_client *tap_find_room(struct tap *tap)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (tap->clients[i].request == NULL)
			return &tap->clients[i];
	}
	return NULL;
}

static void tap_admit(struct tap *tap, struct tap_client *client)
{
	if (tap->count++ == 0) {
		tap->refilled_ns = clock_monotonic_ns();
		tap->spendable_ns = BURST_MS * NS_PER_MS;
		tap_watch(tap);
	}
	tap_client_begin(client, tap_on_close, tap);
}

void tap_answer(struct tap *tap, struct evhttp_request *request, const char *query)
{
	struct tap_client *client = tap_find_room(tap);
	const char *why;

	if (client == NULL) {
		page_send_error(request, HTTP_SERVUNAVAIL, "too many clients listen");
		return;
	}
	*client = (struct tap_client){.request = NULL};
	why = tap_client_read_query(client, query);
	if (why != NULL || evhttp_request_get_command(request) == EVHTTP_REQ_HEAD) {
		free(client->glob);
		client->glob = NULL;
		if (why != NULL)
			page_send_error(request, HTTP_BADREQUEST, why);
		else
			page_send(request, HTTP_OK, "application/x-ndjson", SPAN(""));
		return;
	}
	if (!tap_has_explainer(tap)) {
		free(client->glob);
		client->glob = NULL;
		page_send_error(request, HTTP_INTERNAL, "no memory");
		return;
	}
	client->request = request;
	tap_admit(tap, client);
}

size_t tap_clients(const struct tap *tap)
{
	return tap->count;
}

/* ---- what the agent tells ---- */

void tap_changed(struct tap *tap)
{
	explainer_free(tap->explainer);
	tap->explainer = NULL;
	if (tap->count == 0)
		return;
	if (tap->is_watching && tap_has_explainer(tap))
		tap_watch(tap);
	else if (tap->is_watching)
		tap_rest(tap);
}

void tap_rejected(struct tap *tap, enum outcome outcome, uint16_t input, struct span line, const char *why, uint32_t column)
{
	/* Of one that nobody wants no more is told, and the reason would be taken for the next one's. */
	if (!tap->is_watching || !tap_takes_outcome(tap, outcome))
		return;
	tap_tell(&(struct told){.tap = tap, .pass = pass_rejected, .outcome = outcome, .input = input, .text = line, .why = why,
	                        .column = column});
}

struct tap *tap_new(struct agent *agent)
{
	struct tap *tap = calloc(1, sizeof *tap);

	if (tap == NULL)
		return NULL;
	tap->agent = agent;
	tap->trace = (struct trace){
		tap, tap_on_named, tap_on_missing, tap_on_rule, tap_on_metric, tap_on_line, tap_on_done};
	tap->rest = evtimer_new(agent_base(agent), tap_on_rested, tap);
	if (tap->rest == NULL) {
		free(tap);
		return NULL;
	}
	return tap;
}

void tap_free(struct tap *tap)
{
	if (tap == NULL)
		return;
	tap_stop_watching(tap);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		free(tap->clients[i].glob);
	explainer_free(tap->explainer);
	event_free(tap->rest);
	free(tap);
}
