#define _GNU_SOURCE
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

enum {
	TEXT_SIZE = 1024,
	STATUS_SIZE = 512,
};

static struct {
	int fd; /* -1: nobody asks */
	struct sockaddr_un address;
	socklen_t address_len;
	struct event *watchdog;
	struct timeval interval;
} notify = {.fd = -1};

static void notify_send(const char *text)
{
	static struct log_limit limit = LOG_LIMIT("failed notifications");
	ssize_t sent;

	if (notify.fd < 0)
		return;
	do
		sent = sendto(notify.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&notify.address,
		              notify.address_len);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		log_limited(&limit, LOG_LEVEL_WARN, "the service manager cannot be told: %s", strerror(errno));
}

static void notify_on_watchdog(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
	notify_send("WATCHDOG=1");
}

/* Microseconds of $WATCHDOG_USEC, if they are meant for us; else 0. */
static uint64_t notify_watchdog_us(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	const char *text = getenv("WATCHDOG_USEC");
	char *end;
	uint64_t us;

	if (text == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	errno = 0;
	us = strtoull(text, &end, 10);
	return errno != 0 || *end != '\0' || end == text || us > INT64_MAX ? 0 : us;
}

static void notify_start_watchdog(struct event_base *base)
{
	uint64_t half_us = notify_watchdog_us() / 2;

	if (half_us == 0)
		return;
	notify.interval = (struct timeval){.tv_sec = (time_t)(half_us / 1000000), .tv_usec = (suseconds_t)(half_us % 1000000)};
	notify.watchdog = event_new(base, -1, EV_PERSIST, notify_on_watchdog, NULL);
	if (notify.watchdog != NULL)
		event_add(notify.watchdog, &notify.interval);
}

void notify_start(struct event_base *base)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path == NULL ? 0 : strlen(path);

	if (len < 2 || len >= sizeof notify.address.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	notify.address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(notify.address.sun_path, path, len);
	if (path[0] == '@')
		notify.address.sun_path[0] = '\0';
	notify.address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify.fd < 0)
		log_warn("cannot create a socket for the service manager: %s", strerror(errno));
	else
		notify_start_watchdog(base);
}

void notify_stop(void)
{
	if (notify.watchdog != NULL)
		event_free(notify.watchdog);
	if (notify.fd >= 0)
		close(notify.fd);
	notify.watchdog = NULL;
	notify.fd = -1;
}

void notify_ready(const char *format, ...)
{
	char text[TEXT_SIZE];
	char status[STATUS_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(status, sizeof status, format, arguments);
	va_end(arguments);
	/* A line ends the assignment. */
	for (char *at = status; *at != '\0'; at++) {
		if (*at == '\n')
			*at = ' ';
	}
	snprintf(text, sizeof text, "READY=1\nSTATUS=%s", status);
	notify_send(text);
}

void notify_reloading(void)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reloading", clock_monotonic_ns() / 1000);
	notify_send(text);
}

void notify_stopping(void)
{
	notify_send("STOPPING=1\nSTATUS=sending what the inputs held");
}
