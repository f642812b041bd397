/* Standard output, one line a metric. Others may share the open file behind the descriptor (the shell, a program that
 * this one's output is piped to shares the pipe only), so its mode is left alone. Not to wait nevertheless:
 *
 *     pipe, terminal, device   opened anew through /proc/self/fd/1 with O_NONBLOCK: a mode of our own
 *     regular file             written directly: it takes everything at once, and the shared position counts
 *     socket                   MSG_DONTWAIT
 *     what cannot be reopened  poll(), then at most PIPE_BUF bytes: so much a pipe that polls writable has room for */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "output/flow.h"

struct standard_output {
	struct flow flow;
	bool is_own; /* the descriptor is not 1 itself */
};

static ssize_t stdout_write(struct output *output, struct iovec *vectors, int count)
{
	return writev(output->fd, vectors, count);
}

static ssize_t stdout_write_socket(struct output *output, struct iovec *vectors, int count)
{
	struct msghdr header = {.msg_iov = vectors, .msg_iovlen = (size_t)count};

	return sendmsg(output->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t stdout_write_polled(struct output *output, struct iovec *vectors, int count)
{
	struct pollfd ask = {.fd = output->fd, .events = POLLOUT};
	size_t len = vectors[0].iov_len < PIPE_BUF ? vectors[0].iov_len : PIPE_BUF;

	(void)count;
	if (poll(&ask, 1, 0) != 1) {
		errno = EAGAIN;
		return -1;
	}
	return write(output->fd, vectors[0].iov_base, len);
}

static int stdout_init(struct output *output, struct failure *failure)
{
	struct standard_output *standard;

	if ((fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return failure_set(failure, "standard output is closed, or open for reading alone");
	standard = calloc(1, sizeof *standard);
	if (standard == NULL || flow_init(&standard->flow, output) < 0) {
		free(standard);
		return failure_set(failure, "no memory for %s", output->settings->endpoint.url);
	}
	output->state = standard;
	return 0;
}

static void stdout_fini(struct output *output)
{
	struct standard_output *standard = output->state;

	flow_fini(&standard->flow);
	free(standard);
}

static int stdout_prepare(struct output *output, const struct output_settings *next, struct failure *failure)
{
	return flow_prepare(&((struct standard_output *)output->state)->flow, next, failure);
}

static void stdout_reopen(struct output *output, struct standard_output *standard)
{
	int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	standard->is_own = fd >= 0;
	standard->flow.write = fd >= 0 ? stdout_write : stdout_write_polled;
	output->fd = fd >= 0 ? fd : STDOUT_FILENO;
}

static int stdout_open(struct output *output)
{
	struct standard_output *standard = output->state;
	struct stat status;

	if (fstat(STDOUT_FILENO, &status) < 0)
		return output_fail(output, errno);
	output->fd = STDOUT_FILENO;
	standard->is_own = false;
	if (S_ISSOCK(status.st_mode))
		standard->flow.write = stdout_write_socket;
	else if (S_ISREG(status.st_mode))
		standard->flow.write = stdout_write;
	else
		stdout_reopen(output, standard);
	output_opened(output);
	return 0;
}

static void stdout_shut(struct output *output)
{
	struct standard_output *standard = output->state;

	if (output->fd >= 0 && standard->is_own)
		close(output->fd);
	output->fd = -1;
}

static enum output_result stdout_send(struct output *output)
{
	struct standard_output *standard = output->state;
	enum output_result result = flow_send(output, &standard->flow);

	/* Nobody can open the other end again. */
	if (result == OUTPUT_AWAY && output->fault == OUTPUT_ERROR_CLOSED)
		return OUTPUT_OVER;
	return result;
}

const struct output_kind output_stdout = {
	.init = stdout_init,
	.fini = stdout_fini,
	.prepare = stdout_prepare,
	.open = stdout_open,
	.shut = stdout_shut,
	.send = stdout_send,
	.opens_always = true, /* on a full disk, too */
};
