/* Signals, as happenings of the loop. SIGPIPE is ignored: writing to a receiver that is gone is an error like others. */
#ifndef STATSIDECAR_SIGNALS_H
#define STATSIDECAR_SIGNALS_H

#include <event2/event.h>

struct signals;

struct signals_handler {
	void *context;
	void (*stop)(void *context, int number); /* TERM, INT */
	void (*reload)(void *context);           /* HUP */
	void (*report)(void *context);           /* USR1 */
};

/* handler is borrowed. NULL only without memory. */
struct signals *signals_new(struct event_base *base, const struct signals_handler *handler);
void signals_free(struct signals *signals);

#endif
