/* Inside agent/admin: what a page is, and what pages share. */
#ifndef STATSIDECAR_ADMIN_PAGE_H
#define STATSIDECAR_ADMIN_PAGE_H

#include <event2/http.h>
#include <stdio.h>

#include "admin/admin.h"
#include "admin/connections.h"
#include "base/span.h"

struct history;
struct rejected;
struct tally;
struct tap;

struct admin {
	struct agent *agent;
	struct evhttp *http;
	struct connections *connections;
	struct evhttp_bound_socket *bound; /* NULL: not listening */
	int fd;                            /* bound's, or -1 */
	int next_fd;                       /* opened for a reload that is about to happen; or -1 */
	bool is_loopback;                  /* nobody else reaches fd */
	char name[64];                     /* where it listens */
	const struct mapping *mapping; /* the one in force */
	struct tally *tally;
	struct rejected *rejected;
	struct history *history;
	struct tap *tap;
	int64_t spendable_ns; /* processor time that pages may still take: events come first */
	int64_t refilled_ns;
};

/* A parameter of the address, decoded, as text of the heap that ends with NUL, its length in *len; NULL where there is none.
 * query may be NULL. */
char *page_parameter(const char *query, const char *name, size_t *len);

/* The pages are a table of these (admin.c): one of the three functions writes the whole answer to out and returns its status,
 * or answers by itself. */
struct page {
	const char *path;
	const char *type;
	int (*write)(struct admin *admin, const char *query, FILE *out);
	int (*write_home)(struct admin *admin, struct evkeyvalq *headers, FILE *out);
	void (*answer)(struct admin *admin, struct evhttp_request *request, const char *query);
	bool is_public; /* shows nothing of events: everybody may see it */
	bool is_probe;  /* answered however busy the agent is */
};

/* Sends text, or says that the answer has another status. */
void page_send(struct evhttp_request *request, int status, const char *type, struct span text);
void page_send_error(struct evhttp_request *request, int status, const char *text);

/* NULL where a request may be answered, else why not. page is NULL where there is none of that path. */
const char *access_refuses(struct admin *admin, const struct page *page, struct evhttp_request *request);

int home_write(struct admin *admin, struct evkeyvalq *headers, FILE *out);
int healthz_write(struct admin *admin, const char *query, FILE *out);
int readyz_write(struct admin *admin, const char *query, FILE *out);
int metrics_write(struct admin *admin, const char *query, FILE *out);
int status_write(struct admin *admin, const char *query, FILE *out);
int events_write(struct admin *admin, const char *query, FILE *out);
int rejected_write(struct admin *admin, const char *query, FILE *out);
int explain_write(struct admin *admin, const char *query, FILE *out);

#endif
