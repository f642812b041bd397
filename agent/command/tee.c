#define _GNU_SOURCE /* pipe2(), F_SETPIPE_SZ */
#include "command/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The job runs on while we write; what Linux gives everybody. */
enum { TEE_PIPE_SIZE = 1024 * 1024 };

static int write_all(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t written = write(STDOUT_FILENO, bytes, len);

		if (written >= 0) {
			bytes += written;
			len -= (size_t)written;
		} else if (errno == EAGAIN) {
			/* Somebody has made it non-blocking. */
			struct pollfd writable = {.fd = STDOUT_FILENO, .events = POLLOUT};

			(void)poll(&writable, 1, -1);
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

/* One read of at most `most` bytes: how many, 0 at the end or when writing them failed. */
static size_t copy_once(struct tee *tee, size_t most)
{
	ssize_t len;

	do
		len = read(tee->read_end, tee->bytes, most < TEE_READ_SIZE ? most : TEE_READ_SIZE);
	while (len < 0 && errno == EINTR);
	if (len <= 0)
		return 0;
	tee->write_error = write_all(tee->bytes, (size_t)len);
	if (tee->write_error != 0)
		return 0;
	line_feed_take(&tee->feed, tee->bytes, (size_t)len);
	return (size_t)len;
}

/* What the job has written stands in the pipe when it has ended: that much, whoever else writes. */
static void copy_rest(struct tee *tee)
{
	int ready;
	size_t left, len;

	if (ioctl(tee->read_end, FIONREAD, &ready) < 0)
		return;
	for (left = (size_t)ready; left > 0; left -= len) {
		len = copy_once(tee, left);
		if (len == 0)
			return;
	}
}

static void *copy(void *argument)
{
	struct tee *tee = argument;
	struct pollfd ready[2] = {{.fd = tee->read_end, .events = POLLIN}, {.fd = tee->stop[0], .events = POLLIN}};

	for (;;) {
		if (poll(ready, 2, -1) < 0)
			continue;
		if (ready[1].revents != 0) {
			copy_rest(tee);
			break;
		}
		if (copy_once(tee, TEE_READ_SIZE) == 0)
			break;
	}
	line_feed_end(&tee->feed);
	/* Where our reader has gone, the job gets the SIGPIPE that it would have got without us. */
	close(tee->read_end);
	atomic_store(&tee->is_done, true);
	pthread_kill(tee->owner, SIGCHLD);
	return NULL;
}

static int copier_start(struct tee *tee)
{
	pthread_t thread;
	int error;

	tee->owner = pthread_self();
	error = pthread_create(&thread, NULL, copy, tee);
	if (error == 0)
		pthread_detach(thread);
	return error;
}

int tee_start(struct tee *tee, struct statsidecar *publisher)
{
	int ends[2] = {-1, -1}, error;

	tee->feed.publisher = publisher;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	tee->read_end = ends[0];
	tee->job_end = ends[1];
	(void)fcntl(tee->job_end, F_SETPIPE_SZ, TEE_PIPE_SIZE);
	error = pipe2(tee->stop, O_CLOEXEC) < 0 ? errno : copier_start(tee);
	if (error != 0) {
		close(ends[0]);
		close(ends[1]);
	}
	return error;
}

void tee_release(struct tee *tee)
{
	close(tee->job_end);
	tee->job_end = -1;
}

void tee_stop(struct tee *tee)
{
	close(tee->stop[1]);
	tee->stop[1] = -1;
}
