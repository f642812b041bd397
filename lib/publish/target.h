/* A publisher's URL -> what to open. Names are not looked up: that would wait. */
#ifndef STATSIDECAR_PUBLISH_TARGET_H
#define STATSIDECAR_PUBLISH_TARGET_H

#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TARGET_DEFAULT_PIPE "fifo:///run/statsidecar/events"
#define TARGET_DEFAULT_PORT "udp://127.0.0.1:8127"

enum target_kind { TARGET_PIPE, TARGET_UDP, TARGET_UNIX };

struct target {
	enum target_kind kind;
	char url[PATH_MAX + 16];
	const char *path;                /* within url: of pipes */
	struct sockaddr_storage address; /* of sockets */
	socklen_t address_len;
};

/* 0, or a negative enum statsidecar_result. A target is not to be copied: path points into it. */
int statsidecar_target_parse(struct target *target, const char *url) __attribute__((warn_unused_result));

#endif
