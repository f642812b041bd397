#define _GNU_SOURCE /* dup3() */
#include "publish/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/span.h"
#include "publish/moment.h"
#include "publish/statsidecar.h"

static_assert(PIPE_LINE_MAX == PIPE_BUF, "a line is one atomic write");

/* Looking for a reader costs two system calls: 50 times a second, whatever the program publishes. */
#define RETRY_NS INT64_C(20000000)
/* A pipe that was removed and made anew while somebody still reads the old one. */
#define CHECK_NS INT64_C(1000000000)

/* What stands at the path is no pipe; nothing that is called here fails with that. */
#define NO_PIPE ESPIPE

/* What an errno means, of opening and of writing. */
static int result_of(int error)
{
	switch (error) {
	case 0:
		return STATSIDECAR_OK;
	case NO_PIPE:
		return STATSIDECAR_NO_PIPE;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return STATSIDECAR_FULL;
	case EMSGSIZE:
		return STATSIDECAR_TOO_LONG;
	case EPIPE:
	case ECONNREFUSED:
	case ENOENT:
	case ENOTDIR:
	case ENXIO: /* a pipe that nobody reads */
		return STATSIDECAR_AWAY;
	default:
		errno = error;
		return STATSIDECAR_FAILED;
	}
}

/* ---- opening: each returns 0 or an errno ---- */

/* 0 to 2 belong to the program, even where it has closed them: what it prints must not go to the agent. */
static int descriptor_lift(int fd)
{
	int lifted;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	lifted = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return lifted;
}

/* Looked at before it is opened, too: to open a device can have effects. */
static int pipe_open(struct channel *channel, int *fd)
{
	struct stat status;

	if (stat(channel->target.path, &status) < 0)
		return errno;
	if (!S_ISFIFO(status.st_mode))
		return NO_PIPE;
	*fd = descriptor_lift(open(channel->target.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
	if (*fd < 0)
		return errno;
	if (fstat(*fd, &status) < 0 || !S_ISFIFO(status.st_mode)) {
		close(*fd);
		return NO_PIPE;
	}
	channel->device = status.st_dev;
	channel->inode = status.st_ino;
	return 0;
}

/* UDP is connected, so that the kernel reports a port that nobody reads. A Unix socket is not: an address at each
 * datagram finds the agent that is there now. */
static int socket_open(struct channel *channel, int *fd)
{
	const struct target *target = &channel->target;

	*fd = descriptor_lift(socket(target->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (*fd < 0)
		return errno;
	if (target->kind == TARGET_UDP &&
	    connect(*fd, (const struct sockaddr *)&target->address, target->address_len) < 0) {
		int error = errno;

		close(*fd);
		return error;
	}
	return 0;
}

static int descriptor_open(struct channel *channel)
{
	int fd = -1, present = atomic_load(&channel->descriptor);
	int error = channel->target.kind == TARGET_PIPE ? pipe_open(channel, &fd) : socket_open(channel, &fd);

	if (error != 0)
		return error;
	if (present < 0) {
		atomic_store(&channel->descriptor, fd);
		return 0;
	}
	if (dup3(fd, present, O_CLOEXEC) < 0)
		error = errno;
	close(fd);
	return error;
}

/* A thread that was cancelled while it opens would leave the opener taken. */
static bool opener_take(struct channel *channel)
{
	pid_t self = getpid(), holder = 0;
	int cancel_state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	/* Another holder is a thread of the process that this one was forked from: it will never be done here. */
	if (atomic_compare_exchange_strong(&channel->opener, &holder, self) ||
	    (holder != self && atomic_compare_exchange_strong(&channel->opener, &holder, self))) {
		channel->cancel_state = cancel_state;
		return true;
	}
	pthread_setcancelstate(cancel_state, NULL);
	return false;
}

static void opener_give(struct channel *channel)
{
	int cancel_state = channel->cancel_state;

	atomic_store(&channel->opener, 0);
	pthread_setcancelstate(cancel_state, NULL);
}

/* Opens, or says why not: also that another thread is at it. */
static int channel_reopen(struct channel *channel, int64_t now_ns)
{
	int error;

	if (!opener_take(channel))
		return ENXIO;
	error = descriptor_open(channel);
	atomic_store(&channel->reason, error);
	atomic_store(&channel->retry_ns, error == 0 ? 0 : now_ns + RETRY_NS);
	opener_give(channel);
	return error;
}

/* Now and then: whether the pipe at the path is another one than that which is open. */
static void pipe_check(struct channel *channel, int64_t now_ns)
{
	int64_t due_ns = atomic_load_explicit(&channel->check_ns, memory_order_relaxed);
	struct stat status;

	if (now_ns < due_ns || !atomic_compare_exchange_strong(&channel->check_ns, &due_ns, now_ns + CHECK_NS))
		return;
	if (stat(channel->target.path, &status) < 0 || !S_ISFIFO(status.st_mode) || !opener_take(channel))
		return;
	/* Where the new one has no reader yet, the old one stays. */
	if (status.st_dev != channel->device || status.st_ino != channel->inode)
		(void)descriptor_open(channel);
	opener_give(channel);
}

/* ---- writing: the same ---- */

/* A write to a pipe that nobody reads raises SIGPIPE in the thread that writes, and no flag prevents it. So it is
 * blocked in this thread meanwhile, and taken back; one that was pending before is left. */
static int pipe_write(int fd, const char *bytes, size_t len)
{
	static const struct timespec at_once = {0, 0};
	sigset_t sigpipe, before, pending;
	bool was_pending = false, was_blocked;
	int error = 0;

	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
	was_blocked = sigismember(&before, SIGPIPE) == 1;
	if (was_blocked)
		was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
	while (write(fd, bytes, len) < 0) {
		error = errno;
		if (error != EINTR)
			break;
		error = 0;
	}
	if (error == EPIPE && !was_pending)
		while (sigtimedwait(&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
			;
	if (!was_blocked)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static int udp_send(int fd, const char *bytes, size_t len)
{
	int error = 0;
	socklen_t error_len = sizeof error;
	ssize_t sent = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	/* That is about an earlier datagram; this one has not been sent. */
	if (sent < 0 && errno == ECONNREFUSED)
		sent = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno;
	/* On this machine the answer is there already. */
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0 ? 0 : error;
}

static int unix_send(int fd, const struct target *target, const char *bytes, size_t len)
{
	ssize_t sent = sendto(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&target->address,
	                      target->address_len);

	return sent < 0 ? errno : 0;
}

static int channel_write(const struct channel *channel, int fd, const char *bytes, size_t len)
{
	switch (channel->target.kind) {
	case TARGET_PIPE:
		return pipe_write(fd, bytes, len);
	case TARGET_UDP:
		return udp_send(fd, bytes, len);
	case TARGET_UNIX:
		return unix_send(fd, &channel->target, bytes, len);
	}
	return EINVAL;
}

/* Whether opening anew may help: a pipe that nobody reads may have been replaced by one that is read. */
static bool is_mendable(const struct channel *channel, int error)
{
	int result = result_of(error);

	return result == STATSIDECAR_FAILED || (result == STATSIDECAR_AWAY && channel->target.kind == TARGET_PIPE);
}

int statsidecar_channel_send(struct channel *channel, const char *bytes, size_t len)
{
	int64_t now_ns = statsidecar_moment_coarse_ns();
	int fd, error;

	if (now_ns < atomic_load_explicit(&channel->retry_ns, memory_order_relaxed))
		return result_of(atomic_load(&channel->reason));
	if (channel->target.kind == TARGET_PIPE)
		pipe_check(channel, now_ns);
	fd = atomic_load(&channel->descriptor);
	error = fd < 0 ? EBADF : channel_write(channel, fd, bytes, len);
	if (!is_mendable(channel, error))
		return result_of(error);
	/* The number is no longer ours: the program has closed it. */
	if (fd >= 0 && (error == EBADF || error == ENOTSOCK))
		atomic_compare_exchange_strong(&channel->descriptor, &fd, -1);
	error = channel_reopen(channel, now_ns);
	if (error != 0)
		return result_of(error);
	return result_of(channel_write(channel, atomic_load(&channel->descriptor), bytes, len));
}

/* ---- the whole ---- */

int statsidecar_channel_open(struct channel *channel, const char *url)
{
	int result = statsidecar_target_parse(&channel->target, url);

	if (result < 0)
		return result;
	channel->line_max = channel->target.kind == TARGET_PIPE ? PIPE_LINE_MAX : DATAGRAM_LINE_MAX;
	atomic_init(&channel->descriptor, -1);
	atomic_init(&channel->opener, 0);
	atomic_init(&channel->reason, 0);
	atomic_init(&channel->retry_ns, 0);
	atomic_init(&channel->check_ns, 0);
	(void)channel_reopen(channel, statsidecar_moment_coarse_ns());
	return STATSIDECAR_OK;
}

void statsidecar_channel_close(struct channel *channel)
{
	int fd = atomic_load(&channel->descriptor);

	if (fd >= 0)
		close(fd);
}

bool statsidecar_channel_is_open(const struct channel *channel)
{
	return atomic_load(&channel->descriptor) >= 0;
}
