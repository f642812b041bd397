/* One question to a running agent's admin pages: as little HTTP as that takes, never waiting without end. */
#ifndef STATSIDECAR_COMMAND_ADMIN_CLIENT_H
#define STATSIDECAR_COMMAND_ADMIN_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "failure.h"

#define ADMIN_CLIENT_DEFAULT "127.0.0.1:8128"

struct admin_client {
	int fd;
	size_t used, len; /* of the answer's first bytes: those of its body begin at used */
	char bytes[4096];
};

/* Whether this is HOST:PORT, an address (or localhost) and a port. */
bool admin_client_is_address(const char *address);
/* Asks for a path at HOST:PORT (an address, or localhost); NULL: the default. The answer's status (200 …); -1, and why, where
 * none comes within timeout_ms. */
int admin_client_ask(struct admin_client *client, const char *address, const char *path, int timeout_ms,
                     struct failure *failure) __attribute__((warn_unused_result));
/* The next bytes of the answer's body, as they come; 0 at its end. -1, and errno, also where nothing came for timeout_ms (-1: waits
 * for ever). */
ssize_t admin_client_read(struct admin_client *client, char *out, size_t size, int timeout_ms);
void admin_client_close(struct admin_client *client);

#endif
