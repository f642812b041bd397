#define _GNU_SOURCE
#include "ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>

union address {
	struct sockaddr any;
	struct sockaddr_in inet;
	struct sockaddr_un local;
};

void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(EX_OSERR);
}

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 * 1000 * 1000 + now.tv_nsec;
}

static socklen_t loopback_address(union address *address, unsigned long port)
{
	address->inet = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return sizeof address->inet;
}

static socklen_t path_address(union address *address, const char *path)
{
	address->local = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address->local.sun_path) {
		errno = ENAMETOOLONG;
		die(path);
	}
	strcpy(address->local.sun_path, path);
	return sizeof address->local;
}

int open_output(const char *where)
{
	bool is_path = where[0] == '/';
	union address address;
	socklen_t len = is_path ? path_address(&address, where) : loopback_address(&address, strtoul(where, NULL, 10));
	int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &address.any, len) < 0)
		die(where);
	return fd;
}

int open_receiver(const char *path, int buffer)
{
	union address address;
	socklen_t len = path != NULL ? path_address(&address, path) : loopback_address(&address, 0);
	int fd = socket(path != NULL ? AF_UNIX : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, &address.any, len) < 0)
		die(path != NULL ? path : "udp");
	if (buffer > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	return fd;
}

unsigned receiver_port(int fd)
{
	struct sockaddr_in address;
	socklen_t len = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("getsockname");
	return ntohs(address.sin_port);
}
