#define _GNU_SOURCE
#include "input/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "input/passed.h"
#include "log.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
	struct sockaddr_storage storage;
};

static int address_of_host(union address *address, socklen_t *len, const struct endpoint *endpoint, struct failure *failure)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found = NULL;
	const char *host = endpoint->host;

	if (host == NULL || *host == '\0')
		host = "0.0.0.0";
	else if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (getaddrinfo(host, NULL, &hints, &found) != 0 || found == NULL)
		return failure_set(failure, "%s: an input listens on an address; write one (127.0.0.1, ::1, 0.0.0.0) instead of %s",
		                   endpoint->url, host);
	memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	if (address->any.sa_family == AF_INET6)
		address->v6.sin6_port = htons(endpoint->port);
	else
		address->v4.sin_port = htons(endpoint->port);
	return 0;
}

static int address_of_path(union address *address, socklen_t *len, const struct endpoint *endpoint, struct failure *failure)
{
	size_t path_len = strlen(endpoint->path);
	size_t room = sizeof address->local.sun_path - 1;

	if (path_len > room)
		return failure_set(failure, "%s: the path of a Unix socket has at most %zu bytes", endpoint->url, room);
	address->local.sun_family = AF_UNIX;
	memcpy(address->local.sun_path + (endpoint->is_abstract ? 1 : 0), endpoint->path, path_len);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len + 1);
	return 0;
}

static bool is_local(const struct input_settings *settings)
{
	return settings->endpoint.transport == TRANSPORT_UNIX || settings->endpoint.transport == TRANSPORT_UNIXSTREAM;
}

/* 0 where nothing stands at the path any more, -1 and why where something must stay. */
static int stale_remove(const struct endpoint *endpoint, const union address *address, socklen_t len, int type,
                        struct failure *failure)
{
	const char *path = endpoint->path;
	struct stat status;
	int fd;
	int error;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : failure_set(failure, "cannot look at %s: %s", path, strerror(errno));
	if (!S_ISSOCK(status.st_mode))
		return failure_set(failure, "%s exists and is no socket; it is left alone: remove it, or name another path", path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return failure_set(failure, "cannot create a Unix socket: %s", strerror(errno));
	error = connect(fd, &address->any, len) == 0 ? 0 : errno;
	close(fd);
	/* Only a socket that nobody holds any more refuses; one of another type (EPROTOTYPE) or with a full queue is alive. */
	if (error != ECONNREFUSED)
		return failure_set(failure, "the socket %s is in use by another process; end it, or name another path", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return failure_set(failure, "cannot remove the stale socket %s: %s", path, strerror(errno));
	return 0;
}

static int listen_bind(int fd, const union address *address, socklen_t len, const struct input_settings *settings,
                       struct failure *failure)
{
	const char *hint = "";

	if (bind(fd, &address->any, len) == 0)
		return 0;
	if (errno == EADDRINUSE)
		hint = "; another process listens there: end it, or name another address";
	else if (errno == EADDRNOTAVAIL)
		hint = "; no interface of this machine has that address";
	else if (errno == EACCES)
		hint = "; the agent's user may not do that";
	else if (errno == ENOENT)
		hint = "; create its directory";
	return failure_set(failure, "cannot listen on %s: %s%s", settings->endpoint.url, strerror(errno), hint);
}

static int listen_open_local(struct listen_socket *listening, const struct input_settings *settings,
                             const union address *address, socklen_t len, int type, struct failure *failure)
{
	const struct endpoint *endpoint = &settings->endpoint;
	struct stat status;
	mode_t mask;
	int result;

	if (endpoint->is_abstract)
		return listen_bind(listening->fd, address, len, settings, failure);
	if (stale_remove(endpoint, address, len, type, failure) < 0)
		return -1;
	/* Nobody else gets in before chmod() below. */
	mask = umask(0177);
	result = listen_bind(listening->fd, address, len, settings, failure);
	umask(mask);
	if (result < 0)
		return -1;
	listening->is_file = true;
	if (lstat(endpoint->path, &status) == 0) {
		listening->device = status.st_dev;
		listening->inode = status.st_ino;
	}
	if (chmod(endpoint->path, (mode_t)settings->mode) < 0)
		return failure_set(failure, "cannot set the mode of the socket %s: %s", endpoint->path, strerror(errno));
	return 0;
}

void listen_use_port(const struct listen_socket *listening, enum port_use use)
{
	int on = use == PORT_SHARED;

	setsockopt(listening->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

int listen_open(struct listen_socket *listening, const struct input_settings *settings, int type, enum port_use use,
                struct failure *failure)
{
	union address address = {.storage = {0}};
	socklen_t len = 0;
	int on = 1;
	int off = 0;

	*listening = (struct listen_socket){.fd = -1};
	if (is_local(settings) ? address_of_path(&address, &len, &settings->endpoint, failure) < 0
	                       : address_of_host(&address, &len, &settings->endpoint, failure) < 0)
		return -1;
	listening->fd = passed_take_socket(type, &address.any, len);
	if (listening->fd >= 0)
		return 0;
	listening->fd = socket(address.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listening->fd < 0)
		return failure_set(failure, "cannot create a socket for %s: %s", settings->endpoint.url, strerror(errno));
	if (type == SOCK_STREAM)
		setsockopt(listening->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (use == PORT_SHARED && !is_local(settings))
		listen_use_port(listening, use);
	if (address.any.sa_family == AF_INET6)
		setsockopt(listening->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (is_local(settings) ? listen_open_local(listening, settings, &address, len, type, failure) < 0
	                       : listen_bind(listening->fd, &address, len, settings, failure) < 0) {
		listen_close(listening, settings);
		return -1;
	}
	return 0;
}

/* Whether the socket's file is still ours. */
static bool listen_has_file(const struct listen_socket *listening, const char *path)
{
	struct stat status;

	return listening->is_file && lstat(path, &status) == 0 && status.st_dev == listening->device &&
	       status.st_ino == listening->inode;
}

bool listen_is_in_place(const struct listen_socket *listening, const struct input_settings *settings)
{
	return !listening->is_file || listen_has_file(listening, settings->endpoint.path);
}

void listen_adopt(const struct listen_socket *listening, const struct input_settings *settings,
                  const struct input_settings *old)
{
	const char *path = settings->endpoint.path;

	if (settings->mode != old->mode && listen_has_file(listening, path) && chmod(path, (mode_t)settings->mode) < 0)
		log_warn("cannot set the mode of the socket %s: %s", path, strerror(errno));
}

void listen_close(struct listen_socket *listening, const struct input_settings *settings)
{
	const char *path = settings->endpoint.path;

	if (listening->fd >= 0)
		close(listening->fd);
	listening->fd = -1;
	if (listen_has_file(listening, path))
		unlink(path);
	listening->is_file = false;
}

void listen_report(const struct listen_socket *listening, const struct input_settings *settings)
{
	union address address = {.storage = {0}};
	socklen_t len = sizeof address;

	if (is_local(settings) || settings->endpoint.port != 0 || getsockname(listening->fd, &address.any, &len) < 0)
		return;
	log_info("input %s listens on port %u", settings->label,
	         ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port));
}

/* The sender's address as raw bytes; an IPv4 address mapped into IPv6 counts as what it is. Its length: 4, 16, or 0 for a
 * sender without one (a Unix socket). */
static size_t address_bytes(const struct sockaddr_storage *from, const uint8_t **bytes)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	if (from->ss_family == AF_INET) {
		*bytes = (const uint8_t *)&((const struct sockaddr_in *)from)->sin_addr;
		return 4;
	}
	if (from->ss_family != AF_INET6)
		return 0;
	*bytes = v6->sin6_addr.s6_addr;
	if (!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return 16;
	*bytes += 12;
	return 4;
}

static bool network_has(const struct network *network, const uint8_t *address, size_t len)
{
	size_t whole = network->bits / 8;
	uint8_t rest = (uint8_t)(network->bits % 8);
	uint8_t mask = (uint8_t)(0xff00u >> rest);

	if (len != (network->family_v6 ? 16u : 4u) || memcmp(network->address, address, whole) != 0)
		return false;
	return rest == 0 || ((network->address[whole] ^ address[whole]) & mask) == 0;
}

bool listen_allows(const struct input_settings *settings, const struct sockaddr_storage *from)
{
	static const struct network loopback[] = {
		{.family_v6 = 0, .bits = 8, .address = {127}},
		{.family_v6 = 1, .bits = 128, .address = {[15] = 1}},
	};
	const struct network *networks = settings->allow_from_count > 0 ? settings->allow_from : loopback;
	size_t count = settings->allow_from_count > 0 ? settings->allow_from_count : ARRAY_LEN(loopback);
	const uint8_t *address;
	size_t len;

	if (settings->allow_from_any)
		return true;
	len = address_bytes(from, &address);
	if (len == 0)
		return true;
	for (size_t i = 0; i < count; i++) {
		if (network_has(&networks[i], address, len))
			return true;
	}
	return false;
}

bool listen_is_loopback(const struct listen_socket *listening)
{
	static const struct input_settings none_given;
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof address;

	return getsockname(listening->fd, (struct sockaddr *)&address, &len) == 0 &&
	       (address.ss_family == AF_INET || address.ss_family == AF_INET6) && listen_allows(&none_given, &address);
}
