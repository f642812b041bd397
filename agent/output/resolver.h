/* Host names -> addresses, without ever waiting: libevent's evdns asks, and asks again every interval and after errors. The
 * last good address is kept. Numeric addresses and localhost need no asking. */
#ifndef STATSIDECAR_OUTPUT_RESOLVER_H
#define STATSIDECAR_OUTPUT_RESOLVER_H

#include <event2/event.h>
#include <sys/socket.h>

#include "settings/settings.h"

struct resolver; /* one an agent; opens nothing until a name is asked for */
struct name;     /* one host and port, kept resolved */

struct resolver *resolver_new(struct event_base *base);
void resolver_free(struct resolver *resolver); /* after all its names */

/* changed is called from the loop, whenever there is a first or another address. NULL only without memory. The endpoint is
 * borrowed. */
struct name *name_new(struct resolver *resolver, const struct endpoint *endpoint, int64_t interval_ns,
                      void (*changed)(void *context), void *context);
/* The same endpoint, in other settings. */
void name_adopt(struct name *name, const struct endpoint *endpoint, int64_t interval_ns);
void name_free(struct name *name);

/* NULL while there is none. Valid until the next call of changed(). */
const struct sockaddr *name_address(const struct name *name, socklen_t *len);
bool name_is_loopback(const struct name *name);

/* The address may be dead: ask again soon, and take another where there are several. */
void name_doubt(struct name *name);

#endif
