#include "input/passed.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

enum {
	FIRST = 3, /* SD_LISTEN_FDS_START */
	COUNT_MAX = 256,
};

static int passed[COUNT_MAX];
static int passed_count;

void passed_init(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *count_text = getenv("LISTEN_FDS");
	long count = 0;

	if (pid != NULL && count_text != NULL && strtol(pid, NULL, 10) == (long)getpid())
		count = strtol(count_text, NULL, 10);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (int fd = FIRST; fd < FIRST + count && passed_count < COUNT_MAX; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0)
			continue;
		fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
		passed[passed_count++] = fd;
	}
}

static int passed_take_at(int index)
{
	int fd = passed[index];

	passed[index] = passed[--passed_count];
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

int passed_take_pipe(const struct stat *status)
{
	for (int i = 0; i < passed_count; i++) {
		struct stat other;

		if (fstat(passed[i], &other) == 0 && S_ISFIFO(other.st_mode) && other.st_dev == status->st_dev &&
		    other.st_ino == status->st_ino)
			return passed_take_at(i);
	}
	return -1;
}

static bool address_is_equal(const struct sockaddr_storage *bound, socklen_t bound_len, const struct sockaddr *wanted,
                             socklen_t wanted_len)
{
	if (bound->ss_family != wanted->sa_family)
		return false;
	if (bound->ss_family == AF_INET) {
		const struct sockaddr_in *a = (const struct sockaddr_in *)bound;
		const struct sockaddr_in *b = (const struct sockaddr_in *)(const void *)wanted;

		return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
	}
	if (bound->ss_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)bound;
		const struct sockaddr_in6 *b = (const struct sockaddr_in6 *)(const void *)wanted;

		return a->sin6_port == b->sin6_port && memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0;
	}
	if (bound->ss_family == AF_UNIX) {
		const struct sockaddr_un *a = (const struct sockaddr_un *)bound;
		const struct sockaddr_un *b = (const struct sockaddr_un *)(const void *)wanted;

		if (a->sun_path[0] == '\0')
			return bound_len == wanted_len && memcmp(a, b, bound_len) == 0;
		return strncmp(a->sun_path, b->sun_path, sizeof a->sun_path) == 0;
	}
	return false;
}

int passed_take_socket(int type, const struct sockaddr *address, socklen_t address_len)
{
	for (int i = 0; i < passed_count; i++) {
		struct sockaddr_storage bound = {0};
		socklen_t bound_len = sizeof bound;
		int other = 0;
		socklen_t other_len = sizeof other;

		if (getsockopt(passed[i], SOL_SOCKET, SO_TYPE, &other, &other_len) < 0 || other != type ||
		    getsockname(passed[i], (struct sockaddr *)&bound, &bound_len) < 0)
			continue;
		if (address_is_equal(&bound, bound_len, address, address_len))
			return passed_take_at(i);
	}
	return -1;
}

void passed_close_rest(void)
{
	for (int i = 0; i < passed_count; i++) {
		log_warn("the descriptor %d that the service manager passed belongs to no input: closed", passed[i]);
		close(passed[i]);
	}
	passed_count = 0;
}
