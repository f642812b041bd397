#include "admin/admin.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/history.h"
#include "admin/listener.h"
#include "admin/page.h"
#include "admin/rejected.h"
#include "admin/tap.h"
#include "base/arena.h"
#include "clock.h"
#include "log.h"
#include "translate/tally.h"

enum {
	HEADERS_MAX = 40 * 1024, /* an event line of 8 KiB, each byte as %XX, and what browsers add */
	BODY_MAX = 1024,         /* nobody needs one */
};

/* Events come first: pages may take a fifth of the time, and so much at once. */
enum { SPENDABLE_SHARE = 5, SPENDABLE_MAX_MS = 50 };

static void answer_tap(struct admin *admin, struct evhttp_request *request, const char *query)
{
	connections_let_last(admin->connections, request);
	tap_answer(admin->tap, request, query);
}

static const struct page pages[] = {
	{.path = "/", .type = "text/html; charset=utf-8", .write_home = home_write},
	{.path = "/healthz", .type = "text/plain; charset=utf-8", .write = healthz_write, .is_public = true, .is_probe = true},
	{.path = "/readyz", .type = "text/plain; charset=utf-8", .write = readyz_write, .is_public = true, .is_probe = true},
	{.path = "/metrics", .type = "text/plain; version=0.0.4; charset=utf-8", .write = metrics_write, .is_public = true},
	{.path = "/api/status", .type = "application/json", .write = status_write},
	{.path = "/api/events", .type = "application/json", .write = events_write},
	{.path = "/api/rejected", .type = "application/json", .write = rejected_write},
	{.path = "/api/explain", .type = "application/json", .write = explain_write},
	{.path = "/api/tap", .answer = answer_tap},
};

/* ---- answers ---- */

static int hexadecimal(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* `a+b%2Fc` as `a b/c`; not by libevent, whose memory is not ours to free (reserve.h). NULL without memory. */
static char *text_decode(const char *raw, size_t raw_len, size_t *len)
{
	char *text = malloc(raw_len + 1);

	*len = 0;
	for (size_t at = 0; text != NULL && at < raw_len; at++) {
		int high = raw[at] == '%' && at + 2 < raw_len ? hexadecimal(raw[at + 1]) : -1;
		int low = high >= 0 ? hexadecimal(raw[at + 2]) : -1;

		text[(*len)++] = low >= 0 ? (char)(high * 16 + low) : raw[at] == '+' ? ' ' : raw[at];
		at += low >= 0 ? 2 : 0;
	}
	if (text != NULL)
		text[*len] = '\0';
	return text;
}

char *page_parameter(const char *query, const char *name, size_t *len)
{
	size_t name_len = strlen(name);

	while (query != NULL && *query != '\0') {
		size_t all = strcspn(query, "&");

		if (strncmp(query, name, name_len) == 0 && query[name_len] == '=')
			return text_decode(query + name_len + 1, all - name_len - 1, len);
		query += all + (query[all] == '&');
	}
	return NULL;
}

void page_send(struct evhttp_request *request, int status, const char *type, struct span text)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();
	char len[24];

	snprintf(len, sizeof len, "%zu", text.len);
	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Content-Length", len);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
	if (body == NULL ||
	    (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD && evbuffer_add(body, text.at, text.len) < 0)) {
		/* Nobody shall wait for what does not come. */
		evhttp_remove_header(headers, "Content-Length");
		evhttp_add_header(headers, "Content-Length", "0");
		status = HTTP_INTERNAL;
	}
	evhttp_send_reply(request, status, NULL, body);
	if (body != NULL)
		evbuffer_free(body);
}

void page_send_error(struct evhttp_request *request, int status, const char *text)
{
	char line[256];
	int len = snprintf(line, sizeof line, "%s\n", text);

	page_send(request, status, "text/plain; charset=utf-8", (struct span){line, (size_t)len});
}

/* ---- events come first ---- */

static bool time_is_left(struct admin *admin)
{
	int64_t now_ns = clock_monotonic_ns();

	admin->spendable_ns += (now_ns - admin->refilled_ns) / SPENDABLE_SHARE;
	admin->refilled_ns = now_ns;
	if (admin->spendable_ns > SPENDABLE_MAX_MS * NS_PER_MS)
		admin->spendable_ns = SPENDABLE_MAX_MS * NS_PER_MS;
	return admin->spendable_ns > 0;
}

/* A page being written, which may take more memory than there is. */
struct writing {
	struct admin *admin;
	const struct page *page;
	struct evhttp_request *request;
	const char *query;
	FILE *out;
	int status;
};

static void write_page(void *context)
{
	struct writing *writing = context;
	const struct page *page = writing->page;

	if (page->write != NULL)
		writing->status = page->write(writing->admin, writing->query, writing->out);
	else
		writing->status = page->write_home(
			writing->admin, evhttp_request_get_output_headers(writing->request), writing->out);
}

static void serve(struct admin *admin, const struct page *page, struct evhttp_request *request, const char *query)
{
	int64_t begin_ns = clock_processor_ns();
	char *text = NULL;
	size_t len = 0;
	bool is_whole;
	struct writing writing = {admin, page, request, query, NULL, HTTP_INTERNAL};

	if (page->answer != NULL) {
		page->answer(admin, request, query);
	} else {
		writing.out = open_memstream(&text, &len);
		if (writing.out == NULL) {
			page_send_error(request, HTTP_INTERNAL, "no memory");
			return;
		}
		/* fclose() says nothing of what failed before, nor of a last change of size. */
		is_whole = arena_attempt(write_page, &writing) && ferror(writing.out) == 0;
		if (fclose(writing.out) == 0 && is_whole && text != NULL)
			page_send(request, writing.status, page->type, (struct span){text, len});
		else
			page_send_error(request, HTTP_INTERNAL, "no memory");
		free(text);
	}
	admin->spendable_ns -= clock_processor_ns() - begin_ns;
}

static const struct page *page_find(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (strcmp(pages[i].path, path) == 0)
			return &pages[i];
	}
	return NULL;
}

static void admin_on_request(struct evhttp_request *request, void *context)
{
	struct admin *admin = context;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
	const struct page *page = path == NULL ? NULL : page_find(path);
	enum evhttp_cmd_type method = evhttp_request_get_command(request);
	const char *refusal = access_refuses(admin, page, request);

	connections_answer(admin->connections, request);
	if (refusal != NULL) {
		page_send_error(request, 403, refusal);
	} else if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
		page_send_error(request, HTTP_BADMETHOD, "only GET is answered");
	} else if (page == NULL) {
		page_send_error(request, HTTP_NOTFOUND, "there is no such page; / shows what the agent does");
	} else if (!page->is_probe && !time_is_left(admin)) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Retry-After", "1");
		page_send_error(request, HTTP_SERVUNAVAIL, "too many requests: events come first");
	} else {
		serve(admin, page, request, evhttp_uri_get_query(uri));
	}
}

/* ---- life ---- */

static int admin_listen(struct admin *admin, int fd)
{
	admin->bound = evhttp_accept_socket_with_handle(admin->http, fd);
	if (admin->bound == NULL)
		return -1;
	admin->fd = fd;
	admin->is_loopback = listener_is_loopback(fd);
	listener_name(fd, admin->name, sizeof admin->name);
	connections_set_listener(admin->connections, evhttp_bound_socket_get_listener(admin->bound));
	return 0;
}

static void admin_deafen(struct admin *admin)
{
	if (admin->bound == NULL)
		return;
	connections_set_listener(admin->connections, NULL);
	evhttp_del_accept_socket(admin->http, admin->bound);
	admin->bound = NULL;
	admin->fd = -1;
}

/* Whether the settings want HTTP at another place than it is, or at all. */
static bool admin_moves(const struct settings *old, const struct settings *new)
{
	if (old->admin_enabled != new->admin_enabled)
		return true;
	return new->admin_enabled &&
	       (strcmp(old->admin_host, new->admin_host) != 0 || old->admin_port != new->admin_port);
}

static int admin_prepare(void *context, const struct settings *settings, struct failure *failure)
{
	struct admin *admin = context;

	if (!settings->admin_enabled || !admin_moves(agent_view(admin->agent)->settings, settings))
		return 0;
	admin->next_fd = listener_open(settings->admin_host, settings->admin_port, failure);
	return admin->next_fd < 0 && !settings->admin_is_default ? -1 : 0;
}

static void admin_refused(void *context)
{
	struct admin *admin = context;

	if (admin->next_fd >= 0)
		close(admin->next_fd);
	admin->next_fd = -1;
}

/* What identifiers are counted for is shown here alone. */
static void admin_observe(struct admin *admin)
{
	const struct agent_view *view = agent_view(admin->agent);

	admin->mapping = view->mapping;
	if (admin->bound != NULL && admin->tally == NULL)
		admin->tally = tally_new(&view->mapping->hash_key);
	translator_set_tally(view->translator, admin->tally);
}

static void admin_awake(void *context, struct moment now)
{
	struct admin *admin = context;
	int64_t monotonic_ms = now.monotonic_ns / NS_PER_MS;

	if (admin->bound != NULL && history_is_due(admin->history, monotonic_ms))
		history_note(admin->history, agent_view(admin->agent)->accounts, now.realtime_ns / NS_PER_MS, monotonic_ms);
}

static void admin_rejected(void *context, enum outcome outcome, uint16_t input, struct span line, const char *why,
                           uint32_t column)
{
	struct admin *admin = context;
	struct rejected_line about = {
		.realtime_ns = clock_realtime_ns(), .outcome = outcome, .why = why, .column = column};

	if (admin->bound == NULL)
		return;
	rejected_add(admin->rejected, &about, line, admin->mapping->inputs[input].label);
	tap_rejected(admin->tap, outcome, input, line, why, column);
}

static void admin_changed(void *context)
{
	struct admin *admin = context;
	const struct settings *settings = agent_view(admin->agent)->settings;

	if (!settings->admin_enabled || admin->next_fd >= 0)
		admin_deafen(admin);
	if (admin->next_fd >= 0 && admin_listen(admin, admin->next_fd) < 0)
		close(admin->next_fd);
	else if (admin->next_fd >= 0)
		log_info("admin: http://%s/", admin->name);
	admin->next_fd = -1;
	admin_observe(admin);
	tap_changed(admin->tap);
}

int admin_open(struct admin *admin, struct failure *failure)
{
	const struct settings *settings = agent_view(admin->agent)->settings;
	int fd;

	if (!settings->admin_enabled)
		return 0;
	fd = listener_open(settings->admin_host, settings->admin_port, failure);
	if (fd < 0 && !settings->admin_is_default)
		return -1;
	if (fd < 0) {
		log_warn("%s; the agent runs without it", failure->text);
		return 0;
	}
	if (admin_listen(admin, fd) < 0) {
		close(fd);
		return failure_set(failure, "admin: no memory");
	}
	admin_observe(admin);
	log_info("admin: http://%s/", admin->name);
	return 0;
}

struct admin *admin_new(struct agent *agent)
{
	struct admin *admin = calloc(1, sizeof *admin);
	struct agent_part part = {.context = admin,
	                          .prepare = admin_prepare,
	                          .changed = admin_changed,
	                          .refused = admin_refused,
	                          .awake = admin_awake,
	                          .rejected = admin_rejected};

	if (admin == NULL)
		return NULL;
	admin->agent = agent;
	admin->fd = admin->next_fd = -1;
	admin->http = evhttp_new(agent_base(agent));
	admin->connections = admin->http == NULL ? NULL : connections_new(agent_base(agent), admin->http);
	admin->rejected = calloc(1, sizeof *admin->rejected);
	admin->history = calloc(1, sizeof *admin->history);
	admin->tap = tap_new(agent);
	if (admin->connections == NULL || admin->rejected == NULL || admin->history == NULL || admin->tap == NULL) {
		admin_free(admin);
		return NULL;
	}
	/* All methods, to refuse them in words of ours. */
	evhttp_set_allowed_methods(admin->http, 0x1ff);
	evhttp_set_max_headers_size(admin->http, HEADERS_MAX);
	evhttp_set_max_body_size(admin->http, BODY_MAX);
	evhttp_set_gencb(admin->http, admin_on_request, admin);
	agent_add_part(agent, &part);
	return admin;
}

void admin_free(struct admin *admin)
{
	struct translator *translator;

	if (admin == NULL)
		return;
	translator = agent_view(admin->agent)->translator;
	if (translator != NULL) /* else the agent never came so far */
		translator_set_tally(translator, NULL);
	if (admin->http != NULL)
		evhttp_free(admin->http);
	connections_free(admin->connections);
	tap_free(admin->tap);
	tally_free(admin->tally);
	free(admin->rejected);
	free(admin->history);
	admin_refused(admin);
	free(admin);
}
