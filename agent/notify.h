/* What the service manager is told (sd_notify(3)), one datagram each; nothing where it does not ask ($NOTIFY_SOCKET). With
 * $WATCHDOG_USEC it hears of us twice within that time. */
#ifndef STATSIDECAR_NOTIFY_H
#define STATSIDECAR_NOTIFY_H

#include <event2/event.h>

/* Reads the environment; begins with the watchdog. */
void notify_start(struct event_base *base);
void notify_stop(void);

/* The format makes the text that the service manager shows. */
void notify_ready(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(void);
void notify_stopping(void);

#endif
