#define _GNU_SOURCE
#include "admin/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 128 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

static int address_find(union address *address, socklen_t *len, const char *host, uint16_t port, struct failure *failure)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;

	if (host == NULL || *host == '\0')
		host = "0.0.0.0";
	else if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (getaddrinfo(host, NULL, &hints, &found) != 0 || found == NULL)
		return failure_set(failure, "admin: `%s` is no address; write one such as 127.0.0.1, ::1 or 0.0.0.0", host);
	memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	if (address->any.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
	else
		address->v4.sin_port = htons(port);
	return 0;
}

int listener_open(const char *host, uint16_t port, struct failure *failure)
{
	union address address = {.storage = {0}};
	socklen_t len = 0;
	int on = 1;
	int fd;

	if (address_find(&address, &len, host, port, failure) < 0)
		return -1;
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(fd, &address.any, len) == 0 && listen(fd, BACKLOG) == 0)
			return fd;
	}
	failure_set(failure, "admin: cannot listen on %s, port %u: %s%s", host, port, strerror(errno),
	            errno == EADDRINUSE ? "; another process listens there: end it, name another address under `admin`, or turn "
	                                  "it off"
	                                : "");
	if (fd >= 0)
		close(fd);
	return -1;
}

void listener_name(int fd, char *out, size_t size)
{
	union address address = {.storage = {0}};
	socklen_t len = sizeof address;
	char text[INET6_ADDRSTRLEN] = "";

	snprintf(out, size, "?");
	if (getsockname(fd, &address.any, &len) < 0)
		return;
	if (address.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text) != NULL)
		snprintf(out, size, "[%s]:%u", text, ntohs(address.v6.sin6_port));
	else if (address.any.sa_family == AF_INET && inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text) != NULL)
		snprintf(out, size, "%s:%u", text, ntohs(address.v4.sin_port));
}

bool listener_is_loopback(int fd)
{
	union address address = {.storage = {0}};
	socklen_t len = sizeof address;

	if (getsockname(fd, &address.any, &len) < 0)
		return false;
	if (address.any.sa_family == AF_INET6) {
		if (IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr))
			return address.v6.sin6_addr.s6_addr[12] == 127;
		return IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
	}
	return address.any.sa_family == AF_INET && ntohl(address.v4.sin_addr.s_addr) >> 24 == 127;
}
