/* What the benchmark's programs share: the sockets at the ends of what is measured, and its clock. What cannot be done ends the
 * program with a message. */
#ifndef STATSIDECAR_BENCH_ENDS_H
#define STATSIDECAR_BENCH_ENDS_H

#include <stdint.h>
#include <stdnoreturn.h>

/* With errno's text. */
noreturn void die(const char *what);

/* CLOCK_MONOTONIC */
int64_t now_ns(void);

/* A datagram socket that sends to a port of 127.0.0.1, or to a Unix socket where it begins with a slash. */
int open_output(const char *where);

/* One that receives on a path, or with NULL on a free UDP port of 127.0.0.1. The kernel is asked for a buffer of so many bytes
 * (0: as it is), by force where that is allowed. */
int open_receiver(const char *path, int buffer);

unsigned receiver_port(int fd);

#endif
