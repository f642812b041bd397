/* The socket that HTTP is answered on. */
#ifndef STATSIDECAR_ADMIN_LISTENER_H
#define STATSIDECAR_ADMIN_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

/* Listens on an address (or `localhost`), non-blocking; port 0 takes any. The descriptor; -1, and why. */
int listener_open(const char *host, uint16_t port, struct failure *failure) __attribute__((warn_unused_result));

/* Where a descriptor is bound: `127.0.0.1:8128`, `[::1]:8128`. */
void listener_name(int fd, char *out, size_t size);
/* Whether nobody but this machine reaches it there. */
bool listener_is_loopback(int fd);

#endif
