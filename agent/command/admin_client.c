#define _GNU_SOURCE
#include "command/admin_client.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

/* getaddrinfo() takes any number for a port and keeps its lowest 16 bits. */
static bool is_port(const char *text)
{
	size_t len = strspn(text, "0123456789");

	return len >= 1 && len <= 5 && text[len] == '\0' && atoi(text) >= 1 && atoi(text) <= UINT16_MAX;
}

/* `127.0.0.1:8128`, `[::1]:8128`, `localhost:8128`. */
static struct addrinfo *address_find(const char *address)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char host[64];
	const char *colon = strrchr(address, ':');
	bool is_bracketed = *address == '[' && colon != NULL && colon[-1] == ']';
	size_t len = colon == NULL ? 0 : (size_t)(colon - address) - (is_bracketed ? 2 : 0);

	if (colon == NULL || colon == address || !is_port(colon + 1) || len >= sizeof host)
		return NULL;
	memcpy(host, address + (is_bracketed ? 1 : 0), len);
	host[len] = '\0';
	if (getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, colon + 1, &hints, &found) != 0)
		return NULL;
	return found;
}

/* 0, or -1 and errno. */
static int wait_for(int fd, short what, int64_t deadline_ns)
{
	struct pollfd poller = {.fd = fd, .events = what};
	int64_t left_ms = (deadline_ns - clock_monotonic_ns()) / NS_PER_MS;
	int result;

	do
		result = poll(&poller, 1, deadline_ns == INT64_MAX ? -1 : left_ms < 0 ? 0 : (int)left_ms);
	while (result < 0 && errno == EINTR);
	if (result == 0)
		errno = ETIMEDOUT;
	return result > 0 ? 0 : -1;
}

static int client_connect(struct admin_client *client, const struct addrinfo *address, int64_t deadline_ns)
{
	int error = 0;
	socklen_t len = sizeof error;

	client->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return -1;
	if (connect(client->fd, address->ai_addr, address->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS || wait_for(client->fd, POLLOUT, deadline_ns) < 0)
		return -1;
	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

static int client_send(struct admin_client *client, const char *address, const char *path, int64_t deadline_ns)
{
	char *request = NULL;
	int len = asprintf(&request, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, address);
	ssize_t sent = 0;

	for (int at = 0; at < len; at += (int)sent) {
		sent = wait_for(client->fd, POLLOUT, deadline_ns) < 0
		               ? -1
		               : send(client->fd, request + at, (size_t)(len - at), MSG_NOSIGNAL);
		if (sent < 0)
			break;
	}
	free(request);
	return len < 0 || sent < 0 ? -1 : 0;
}

/* `HTTP/1.1 200 OK`, headers, an empty line. The status, or -1. */
static int client_read_head(struct admin_client *client, int64_t deadline_ns)
{
	const char *end = NULL;
	ssize_t len;
	int status;

	while (end == NULL) {
		if (client->len == sizeof client->bytes - 1) {
			errno = EPROTO;
			return -1;
		}
		if (wait_for(client->fd, POLLIN, deadline_ns) < 0)
			return -1;
		len = read(client->fd, client->bytes + client->len, sizeof client->bytes - 1 - client->len);
		if (len == 0)
			errno = EPROTO;
		if (len <= 0)
			return -1;
		client->len += (size_t)len;
		client->bytes[client->len] = '\0';
		end = strstr(client->bytes, "\r\n\r\n");
	}
	client->used = (size_t)(end - client->bytes) + 4;
	if (sscanf(client->bytes, "HTTP/1.%*1d %3d", &status) == 1)
		return status;
	errno = EPROTO;
	return -1;
}

bool admin_client_is_address(const char *address)
{
	struct addrinfo *found = address_find(address);

	if (found == NULL)
		return false;
	freeaddrinfo(found);
	return true;
}

int admin_client_ask(struct admin_client *client, const char *address, const char *path, int timeout_ms,
                     struct failure *failure)
{
	int64_t deadline_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	struct addrinfo *found;
	int status = -1;
	int result;

	*client = (struct admin_client){.fd = -1};
	address = address == NULL ? ADMIN_CLIENT_DEFAULT : address;
	found = address_find(address);
	if (found == NULL)
		return failure_set(failure, "`%s` is no address and port such as " ADMIN_CLIENT_DEFAULT, address);
	result = client_connect(client, found, deadline_ns);
	freeaddrinfo(found);
	if (result == 0 && client_send(client, address, path, deadline_ns) == 0)
		status = client_read_head(client, deadline_ns);
	if (status < 0) {
		failure_set(failure, "no agent answers at %s: %s", address, strerror(errno));
		admin_client_close(client);
	}
	return status;
}

ssize_t admin_client_read(struct admin_client *client, char *out, size_t size, int timeout_ms)
{
	size_t len = client->len - client->used;
	int64_t deadline_ns = timeout_ms < 0 ? INT64_MAX : clock_monotonic_ns() + timeout_ms * NS_PER_MS;

	if (len > 0) {
		len = len < size ? len : size;
		memcpy(out, client->bytes + client->used, len);
		client->used += len;
		return (ssize_t)len;
	}
	return wait_for(client->fd, POLLIN, deadline_ns) < 0 ? -1 : read(client->fd, out, size);
}

void admin_client_close(struct admin_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}
