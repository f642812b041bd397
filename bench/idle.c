/* What a program takes that has a libevent loop and nothing to do: opens a pipe (idle PATH), says `ready`, waits for TERM. */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static void on_term(evutil_socket_t number, short what, void *base)
{
	(void)number;
	(void)what;
	event_base_loopbreak(base);
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
	char text[1024];

	(void)what;
	(void)context;
	if (read(fd, text, sizeof text) < 0)
		perror("idle");
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
	struct event *term;
	struct event *ready;

	if (base == NULL || fd < 0) {
		fputs("usage: idle PATH\n", stderr);
		return EX_USAGE;
	}
	term = evsignal_new(base, SIGTERM, on_term, base);
	ready = event_new(base, fd, EV_READ | EV_PERSIST, on_ready, NULL);
	if (term == NULL || ready == NULL || event_add(term, NULL) < 0 || event_add(ready, NULL) < 0)
		return EX_OSERR;
	fputs("ready\n", stderr);
	event_base_dispatch(base);
	event_free(ready);
	event_free(term);
	event_base_free(base);
	return EX_OK;
}
