#include "signals.h"

#include <signal.h>
#include <stdlib.h>

#include "base/span.h"

static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

struct signals {
	const struct signals_handler *handler;
	struct event *events[ARRAY_LEN(numbers)];
};

static void signals_on_signal(evutil_socket_t number, short what, void *context)
{
	const struct signals_handler *handler = ((struct signals *)context)->handler;

	(void)what;
	switch (number) {
	case SIGHUP:
		handler->reload(handler->context);
		break;
	case SIGUSR1:
		handler->report(handler->context);
		break;
	default:
		handler->stop(handler->context, (int)number);
		break;
	}
}

struct signals *signals_new(struct event_base *base, const struct signals_handler *handler)
{
	struct signals *signals = calloc(1, sizeof *signals);
	sigset_t ours;

	if (signals == NULL)
		return NULL;
	signals->handler = handler;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ours);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		signals->events[i] = evsignal_new(base, numbers[i], signals_on_signal, signals);
		if (signals->events[i] == NULL || event_add(signals->events[i], NULL) < 0) {
			signals_free(signals);
			return NULL;
		}
		sigaddset(&ours, numbers[i]);
	}
	/* Who started us may have blocked them, and that is inherited. */
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
	return signals;
}

void signals_free(struct signals *signals)
{
	if (signals == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (signals->events[i] != NULL)
			event_free(signals->events[i]);
	}
	free(signals);
}
