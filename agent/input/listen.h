/* Sockets that inputs receive on: bound Internet addresses and Unix sockets, those that the service manager passed first. */
#ifndef STATSIDECAR_INPUT_LISTEN_H
#define STATSIDECAR_INPUT_LISTEN_H

#include <sys/socket.h>
#include <sys/types.h>

#include "input/input.h"

/* A socket that an input listens on, and what is to be removed with it. */
struct listen_socket {
	int fd;
	bool is_file; /* a Unix socket of ours stands in the file system */
	dev_t device;
	ino_t inode;
};

/* Opens, non-blocking and close-on-exec, a socket of the type (SOCK_DGRAM, SOCK_STREAM) bound to the endpoint of settings;
 * a stale Unix socket is replaced, a live one or another kind of file refused. -1, and why. */
int listen_open(struct listen_socket *listening, const struct input_settings *settings, int type, enum port_use use,
                struct failure *failure) __attribute__((warn_unused_result));

void listen_use_port(const struct listen_socket *listening, enum port_use use);
bool listen_is_in_place(const struct listen_socket *listening, const struct input_settings *settings);

/* Other settings of the same endpoint: the mode of a Unix socket's file. */
void listen_adopt(const struct listen_socket *listening, const struct input_settings *settings,
                  const struct input_settings *old);

/* Closes it; removes a Unix socket's file where it is still ours. */
void listen_close(struct listen_socket *listening, const struct input_settings *settings);

/* Tells the log which port a URL without one has come to. */
void listen_report(const struct listen_socket *listening, const struct input_settings *settings);

/* Whether it is bound to an address of the machine's own loopback. */
bool listen_is_loopback(const struct listen_socket *listening);
/* Whether a sender's address is one that settings allow: any, one of allow_from, else only loopback's. */
bool listen_allows(const struct input_settings *settings, const struct sockaddr_storage *from);

#endif
