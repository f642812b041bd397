#include "output/resolver.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "log.h"

enum {
	/* While there is no address, and after doubts. */
	HASTE_MS = 1000,
	ADDRESSES_MAX = 16,
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

#define RESOLV_CONF "/etc/resolv.conf"

/* What tells two contents of a file apart. */
struct file_version {
	dev_t device;
	ino_t inode;
	off_t size; /* -1: there is none */
	struct timespec written;
};

struct resolver {
	struct event_base *base;
	struct evdns_base *dns;   /* NULL until it is needed */
	struct file_version file; /* that it was made of */
};

struct name {
	struct resolver *resolver;
	const struct endpoint *endpoint;
	int64_t interval_ns;
	int64_t asked_ns;
	void (*changed)(void *context);
	void *context;
	union address address;
	socklen_t address_len; /* 0: none yet */
	bool is_fixed;
	bool is_failing;
	bool is_doubted; /* the present address may be dead */
	struct event *timer;
	struct evdns_getaddrinfo_request *request;
};

struct resolver *resolver_new(struct event_base *base)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);

	if (resolver != NULL)
		resolver->base = base;
	return resolver;
}

void resolver_free(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	if (resolver->dns != NULL)
		evdns_base_free(resolver->dns, 0);
	free(resolver);
}

/* Whether the file is another than when it was last looked at: written at boot after the agent has started, or for
 * another network. */
static bool resolver_file_changed(struct resolver *resolver)
{
	struct stat status;
	struct file_version now = {.size = -1};

	if (stat(RESOLV_CONF, &status) == 0)
		now = (struct file_version){status.st_dev, status.st_ino, status.st_size, status.st_mtim};
	if (now.device == resolver->file.device && now.inode == resolver->file.inode &&
	    now.size == resolver->file.size && now.written.tv_sec == resolver->file.written.tv_sec &&
	    now.written.tv_nsec == resolver->file.written.tv_nsec)
		return false;
	resolver->file = now;
	return true;
}

/* Without the file, or a server in it, evdns asks the local one. */
static void resolver_read_file(struct resolver *resolver, int what)
{
	(void)evdns_base_resolv_conf_parse(resolver->dns, what, RESOLV_CONF);
	evdns_base_set_option(resolver->dns, "timeout", "2");
	evdns_base_set_option(resolver->dns, "attempts", "2");
	evdns_base_set_option(resolver->dns, "initial-probe-timeout", "1");
}

static struct evdns_base *resolver_dns(struct resolver *resolver)
{
	const bool has_changed = resolver_file_changed(resolver);

	if (resolver->dns == NULL) {
		resolver->dns = evdns_base_new(resolver->base, 0);
		if (resolver->dns != NULL)
			resolver_read_file(resolver, DNS_OPTIONS_ALL);
	} else if (has_changed) {
		log_info("%s has changed and is read again", RESOLV_CONF);
		evdns_base_clear_nameservers_and_suspend(resolver->dns);
		evdns_base_search_clear(resolver->dns);
		resolver_read_file(resolver, DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE);
		evdns_base_resume(resolver->dns);
	}
	return resolver->dns;
}

static void name_ask_in(struct name *name, int64_t delay_ns)
{
	struct timeval delay = {.tv_sec = delay_ns / NS_PER_S, .tv_usec = (suseconds_t)(delay_ns % NS_PER_S / 1000)};

	event_add(name->timer, &delay);
}

static bool address_is_equal(const union address *a, socklen_t a_len, const struct sockaddr *b, socklen_t b_len)
{
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* Of several addresses the present one is kept while it is among them; where it may be dead, the one behind it is
 * taken. NULL: it is kept. */
static const struct evutil_addrinfo *name_choose(const struct name *name, const struct evutil_addrinfo *found)
{
	const struct evutil_addrinfo *first = NULL;
	bool is_behind = false;
	int count = 0;

	for (const struct evutil_addrinfo *at = found; at != NULL && count < ADDRESSES_MAX; at = at->ai_next, count++) {
		if (at->ai_addrlen > sizeof name->address)
			continue;
		if (address_is_equal(&name->address, name->address_len, at->ai_addr, at->ai_addrlen)) {
			if (!name->is_doubted)
				return NULL;
			is_behind = true;
		} else if (is_behind) {
			return at;
		} else if (first == NULL) {
			first = at;
		}
	}
	return first;
}

static void name_take(struct name *name, const struct evutil_addrinfo *found)
{
	const struct evutil_addrinfo *chosen = name_choose(name, found);

	name->is_doubted = false;
	if (chosen == NULL)
		return;
	memcpy(&name->address, chosen->ai_addr, chosen->ai_addrlen);
	name->address_len = chosen->ai_addrlen;
	name->changed(name->context);
}

static void name_on_answer(int result, struct evutil_addrinfo *found, void *context)
{
	static struct log_limit limit = LOG_LIMIT("names that do not resolve");
	struct name *name = context;

	if (result == EVUTIL_EAI_CANCEL)
		return;
	name->request = NULL;
	if (result != 0 && !name->is_failing)
		log_limited(&limit, LOG_LEVEL_WARN, "%s does not resolve: %s; %s", name->endpoint->host,
		            evutil_gai_strerror(result),
		            name->address_len > 0 ? "its last address is kept" : "trying again every second");
	if (result == 0 && name->is_failing)
		log_info("%s resolves", name->endpoint->host);
	name->is_failing = result != 0;
	/* Planned first: changed() may ask anew. */
	name_ask_in(name, name->address_len == 0 && result != 0 ? HASTE_MS * NS_PER_MS : name->interval_ns);
	if (result == 0) {
		name_take(name, found);
		evutil_freeaddrinfo(found);
	}
}

static void name_ask(struct name *name)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
	struct evdns_base *dns = resolver_dns(name->resolver);
	struct evdns_getaddrinfo_request *request;
	char port[8];

	if (name->request != NULL)
		return;
	name->asked_ns = clock_monotonic_ns();
	if (dns == NULL) {
		name_ask_in(name, HASTE_MS * NS_PER_MS);
		return;
	}
	snprintf(port, sizeof port, "%u", name->endpoint->port);
	/* Answers from the hosts file come before this returns: NULL then. */
	request = evdns_getaddrinfo(dns, name->endpoint->host, port, &hints, name_on_answer, name);
	name->request = request;
}

static void name_on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	name_ask(context);
}

void name_doubt(struct name *name)
{
	int64_t next_ns = name->asked_ns + HASTE_MS * NS_PER_MS;
	int64_t now_ns;

	if (name->is_fixed)
		return;
	name->is_doubted = true;
	if (name->request != NULL)
		return;
	now_ns = clock_monotonic_ns();
	name_ask_in(name, next_ns > now_ns ? next_ns - now_ns : 0);
}

/* Whether the host is an address, or the name that everybody knows. */
static bool name_is_known(struct name *name)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found = NULL;
	const char *host = strcmp(name->endpoint->host, "localhost") == 0 ? "127.0.0.1" : name->endpoint->host;

	if (getaddrinfo(host, NULL, &hints, &found) != 0 || found == NULL)
		return false;
	memcpy(&name->address, found->ai_addr, found->ai_addrlen);
	name->address_len = found->ai_addrlen;
	freeaddrinfo(found);
	if (name->address.any.sa_family == AF_INET6)
		name->address.v6.sin6_port = htons(name->endpoint->port);
	else
		name->address.v4.sin_port = htons(name->endpoint->port);
	return true;
}

struct name *name_new(struct resolver *resolver, const struct endpoint *endpoint, int64_t interval_ns,
                      void (*changed)(void *context), void *context)
{
	struct name *name = calloc(1, sizeof *name);

	if (name == NULL)
		return NULL;
	name->resolver = resolver;
	name->endpoint = endpoint;
	name->interval_ns = interval_ns;
	name->changed = changed;
	name->context = context;
	name->is_fixed = name_is_known(name);
	name->timer = evtimer_new(resolver->base, name_on_timer, name);
	if (name->timer == NULL) {
		free(name);
		return NULL;
	}
	if (!name->is_fixed)
		name_ask_in(name, 0);
	return name;
}

void name_adopt(struct name *name, const struct endpoint *endpoint, int64_t interval_ns)
{
	int64_t rest_ns;

	name->endpoint = endpoint;
	if (name->interval_ns == interval_ns)
		return;
	name->interval_ns = interval_ns;
	if (name->is_fixed || name->is_failing || name->request != NULL)
		return;
	rest_ns = name->asked_ns + interval_ns - clock_monotonic_ns();
	name_ask_in(name, rest_ns > 0 ? rest_ns : 0);
}

void name_free(struct name *name)
{
	if (name == NULL)
		return;
	if (name->request != NULL)
		evdns_getaddrinfo_cancel(name->request);
	event_free(name->timer);
	free(name);
}

const struct sockaddr *name_address(const struct name *name, socklen_t *len)
{
	*len = name->address_len;
	return name->address_len == 0 ? NULL : &name->address.any;
}

bool name_is_loopback(const struct name *name)
{
	if (name->address.any.sa_family == AF_INET)
		return ntohl(name->address.v4.sin_addr.s_addr) >> 24 == 127;
	if (name->address.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&name->address.v6.sin6_addr) ||
		       (IN6_IS_ADDR_V4MAPPED(&name->address.v6.sin6_addr) &&
		        name->address.v6.sin6_addr.s6_addr[12] == 127);
	return false;
}
