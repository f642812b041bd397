/* The descriptor behind a publisher: opened, written to, opened again, by any number of threads at once and without
 * ever waiting.
 *
 * The descriptor's number stays the same for the channel's life: what is opened again is put under it by dup3(), which
 * is atomic, so that a thread which has just read the number writes to the old pipe or to the new one, never to a
 * stranger's file. Whoever opens holds `opener`; others do not wait for it. */
#ifndef STATSIDECAR_PUBLISH_CHANNEL_H
#define STATSIDECAR_PUBLISH_CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "publish/target.h"

enum {
	/* What is written to a pipe whole or not at all: Linux's PIPE_BUF. */
	PIPE_LINE_MAX = 4096,
	/* What unix sockets take everywhere, and an event that is to be a metric never needs. */
	DATAGRAM_LINE_MAX = 8192,
};

struct channel {
	struct target target;
	size_t line_max;
	atomic_int descriptor;    /* -1: none yet */
	_Atomic pid_t opener;     /* the process that is opening, 0: none; a fork can leave a stale one */
	atomic_int reason;        /* the last opening's errno */
	_Atomic int64_t retry_ns; /* coarse time: until then it is not tried again */
	_Atomic int64_t check_ns; /* when to look whether the pipe is still the one at the path */
	dev_t device;             /* of the pipe that is open; this and what follows is the opener's */
	ino_t inode;
	int cancel_state;
};

/* Parses and tries to open; an agent that is away is no error. 0, or a negative enum statsidecar_result. */
int statsidecar_channel_open(struct channel *channel, const char *url) __attribute__((warn_unused_result));
void statsidecar_channel_close(struct channel *channel);

/* Whether there is a pipe with a reader, or a socket to send by. */
bool statsidecar_channel_is_open(const struct channel *channel);

/* One write of len bytes, at most line_max: whole or not at all. 0, or a negative enum statsidecar_result. */
int statsidecar_channel_send(struct channel *channel, const char *bytes, size_t len)
	__attribute__((warn_unused_result));

#endif
