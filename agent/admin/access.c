/* Who may ask for what. */
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <strings.h>

#include "admin/listener.h"
#include "admin/page.h"

/* `Host: NAME:PORT` without the port. */
static struct span host_name(const char *host)
{
	const char *end = *host == '[' ? strchr(host, ']') : strrchr(host, ':');

	if (*host == '[')
		return (struct span){host + 1, end == NULL ? 0 : (size_t)(end - host - 1)};
	return (struct span){host, end == NULL ? strlen(host) : (size_t)(end - host)};
}

/* 127.0.0.0/8, ::1, localhost, or the address that is listened on. A page of another site that has had its name resolve to
 * this machine asks for that name. */
static bool host_is_ours(const struct admin *admin, const char *host)
{
	struct span name = host_name(host);
	char text[64];
	struct in_addr address;
	struct in6_addr address6;

	if (name.len >= sizeof text)
		return false;
	memcpy(text, name.at, name.len);
	text[name.len] = '\0';
	if (strcasecmp(text, "localhost") == 0)
		return true;
	if (evutil_inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127)
		return true;
	if (evutil_inet_pton(AF_INET6, text, &address6) == 1 && IN6_IS_ADDR_LOOPBACK(&address6))
		return true;
	return span_equal(name, host_name(admin->name));
}

/* Whether the client is on this machine: only there a browser can be led astray. */
static bool is_from_here(struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);

	return listener_is_loopback(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)));
}

static bool host_is_allowed(struct admin *admin, const struct page *page, struct evhttp_request *request)
{
	const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *named = uri == NULL ? NULL : evhttp_uri_get_host(uri); /* GET http://NAME/ */

	if (!is_from_here(request) || (!admin->is_loopback && page != NULL && page->is_public))
		return true;
	for (const struct evkeyval *header = headers->tqh_first; header != NULL; header = header->next.tqe_next) {
		if (strcasecmp(header->key, "Host") == 0 && !host_is_ours(admin, header->value))
			return false;
	}
	return named == NULL || host_is_ours(admin, named);
}

/* A page of another site may not even make the browser ask: it could not read the answer, but keep the agent busy. */
static bool site_is_allowed(const struct page *page, struct evhttp_request *request)
{
	const char *site = evhttp_find_header(evhttp_request_get_input_headers(request), "Sec-Fetch-Site");

	return page == NULL || strncmp(page->path, "/api/", 5) != 0 || site == NULL || strcmp(site, "same-origin") == 0 ||
	       strcmp(site, "none") == 0;
}

static bool api_is_allowed(struct admin *admin)
{
	switch (agent_view(admin->agent)->settings->admin_api) {
	case ADMIN_API_ON:
		return true;
	case ADMIN_API_AUTO:
		return admin->is_loopback;
	case ADMIN_API_OFF:
		return false;
	}
	return false;
}

const char *access_refuses(struct admin *admin, const struct page *page, struct evhttp_request *request)
{
	if (!host_is_allowed(admin, page, request))
		return "this Host is not answered here: ask for localhost or for the agent's address";
	if (!site_is_allowed(page, request))
		return "pages of other sites are not answered";
	if (page != NULL && !page->is_public && !api_is_allowed(admin))
		return "it shows events: answered where `admin` listens on loopback alone, or says `api: on`";
	return NULL;
}
