/* A named pipe. It is opened for reading and writing, so that the last writer's leaving is no end of file, locked, so that
 * two agents do not share its lines, and left in place at the end: what writers put in while no agent reads is not lost. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/passed.h"
#include "input/pausable.h"
#include "log.h"

enum { PIPE_SIZE = 1024 * 1024 };

struct fifo {
	struct pausable pausable; /* first */
	int fd;
	bool is_created; /* by us, just now */
};

static int fifo_group(const char *name, gid_t *gid)
{
	char *end;
	unsigned long number;
	const struct group *group = getgrnam(name);

	if (group != NULL) {
		*gid = group->gr_gid;
		return 0;
	}
	errno = 0;
	number = strtoul(name, &end, 10);
	if (errno != 0 || *end != '\0' || end == name || number >= (gid_t)-1)
		return -1;
	*gid = (gid_t)number;
	return 0;
}

/* The directory of the pipe that stands by default: /run is emptied at each boot. */
static void fifo_make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory;

	if (slash == NULL || slash == path)
		return;
	directory = strndup(path, (size_t)(slash - path));
	if (directory != NULL && mkdir(directory, 0755) == 0)
		log_info("created %s", directory);
	free(directory);
}

/* Makes sure that a pipe stands at path: 1 where it was created, 0 where it was there, -1 and why. */
static int fifo_create(const struct input_settings *settings, struct failure *failure)
{
	const char *path = settings->endpoint.path;
	struct stat status;

	if (settings->is_default)
		fifo_make_directory(path);
	/* Nobody can write before fchmod() gives the mode: the umask would cut it here. */
	if (mkfifo(path, 0600) == 0)
		return 1;
	if (errno != EEXIST)
		return failure_set(failure,
		                   "cannot create the pipe %s: %s; create its directory, or let the agent's user write there",
		                   path, strerror(errno));
	if (lstat(path, &status) < 0)
		return failure_set(failure, "cannot look at %s: %s", path, strerror(errno));
	if (S_ISLNK(status.st_mode))
		return failure_set(failure, "%s is a symbolic link, which is not followed; name the pipe itself", path);
	if (S_ISDIR(status.st_mode))
		return failure_set(failure, "%s is a directory; name a path in it for the pipe", path);
	if (!S_ISFIFO(status.st_mode))
		return failure_set(failure, "%s exists and is no pipe; it is left alone: remove it, or name another path", path);
	return 0;
}

/* Refuses, having closed fd. */
static int fifo_refuse(int fd)
{
	close(fd);
	return -1;
}

static int fifo_set_rights(int fd, const struct input_settings *settings, struct failure *failure)
{
	const char *path = settings->endpoint.path;
	gid_t gid;

	if (settings->group != NULL) {
		if (fifo_group(settings->group, &gid) < 0)
			return failure_set(failure, "there is no group %s for the pipe %s", settings->group, path);
		if (fchown(fd, (uid_t)-1, gid) < 0)
			return failure_set(failure,
			                   "cannot give the pipe %s to the group %s: %s; the agent's user must be a member of it",
			                   path, settings->group, strerror(errno));
	}
	if (fchmod(fd, settings->mode) < 0)
		return failure_set(failure, "cannot set the mode of the pipe %s: %s", path, strerror(errno));
	return 0;
}

static int fifo_open_path(const struct input_settings *settings, bool is_created, struct failure *failure)
{
	const char *path = settings->endpoint.path;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;

	if (fd < 0)
		return failure_set(failure, "cannot open the pipe %s: %s%s", path, strerror(errno),
		                   errno == EACCES ? "; the agent must be allowed to read and write it" : "");
	if (fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode)) {
		failure_set(failure, "%s is no pipe any more; it is left alone", path);
		return fifo_refuse(fd);
	}
	if (is_created && fifo_set_rights(fd, settings, failure) < 0)
		return fifo_refuse(fd);
	return fd;
}

/* A pipe of the service manager's, in the place of fd. */
static int fifo_take_passed(int fd)
{
	struct stat status;
	int passed;

	if (fstat(fd, &status) < 0)
		return fd;
	passed = passed_take_pipe(&status);
	if (passed < 0)
		return fd;
	if ((fcntl(passed, F_GETFL) & O_ACCMODE) != O_RDWR) {
		/* Read-only, it would see an end of file; the pipe itself is the same. */
		close(passed);
		return fd;
	}
	close(fd);
	return passed;
}

static int fifo_open_descriptor(struct fifo *fifo, const struct input_settings *settings, struct failure *failure)
{
	const char *path = settings->endpoint.path;
	int created = fifo_create(settings, failure);
	int fd;

	if (created < 0)
		return -1;
	fd = fifo_open_path(settings, created == 1, failure);
	if (fd < 0) {
		if (created == 1)
			unlink(path);
		return -1;
	}
	fifo->is_created = created == 1;
	fd = fifo_take_passed(fd);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			failure_set(failure, "another agent reads the pipe %s; end it, or name another pipe", path);
		else
			failure_set(failure, "cannot lock the pipe %s: %s", path, strerror(errno));
		return fifo_refuse(fd);
	}
	if (fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE) < 0)
		log_debug("the pipe %s keeps its size of %d bytes: %s", path, fcntl(fd, F_GETPIPE_SZ), strerror(errno));
	return fd;
}

static struct input *fifo_open(const struct input_settings *settings, struct input_owner *owner, struct failure *failure)
{
	struct fifo *fifo = calloc(1, sizeof *fifo);

	if (fifo == NULL) {
		failure_set(failure, "no memory for %s", settings->endpoint.url);
		return NULL;
	}
	input_init(&fifo->pausable.input, &input_fifo, settings, owner);
	fifo->fd = fifo_open_descriptor(fifo, settings, failure);
	if (fifo->fd < 0)
		goto fail;
	if (pausable_init(&fifo->pausable, fifo->fd, false, failure) < 0) {
		close(fifo->fd);
		goto fail;
	}
	fifo->pausable.reader.is_lasting = true;
	return &fifo->pausable.input;
fail:
	free(fifo);
	return NULL;
}

static bool has_other_rights(const struct input_settings *a, const struct input_settings *b)
{
	if (a->mode != b->mode || (a->group == NULL) != (b->group == NULL))
		return true;
	return a->group != NULL && strcmp(a->group, b->group) != 0;
}

static void fifo_adopt(struct input *input, const struct input_settings *old)
{
	struct failure failure;

	if (has_other_rights(input->settings, old) &&
	    fifo_set_rights(((struct fifo *)input)->fd, input->settings, &failure) < 0)
		log_warn("%s", failure.text);
}

static bool fifo_is_in_place(const struct input *input)
{
	struct stat open;
	struct stat standing;

	if (fstat(((const struct fifo *)input)->fd, &open) < 0)
		return true;
	if (lstat(input->settings->endpoint.path, &standing) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return open.st_dev == standing.st_dev && open.st_ino == standing.st_ino;
}

static void fifo_undo(struct input *input)
{
	if (((struct fifo *)input)->is_created)
		unlink(input->settings->endpoint.path);
}

static void fifo_close(struct input *input)
{
	struct fifo *fifo = (struct fifo *)input;

	pausable_fini(&fifo->pausable);
	/* A service manager that passed it holds it on, and with it the lock. */
	(void)flock(fifo->fd, LOCK_UN);
	close(fifo->fd);
	free(fifo);
}

const struct input_kind input_fifo = {
	.open = fifo_open,
	.start = pausable_start,
	.prepare = pausable_prepare,
	.adopt = fifo_adopt,
	.is_in_place = fifo_is_in_place,
	.undo = fifo_undo,
	.close = fifo_close,
	.pause = pausable_pause,
	.resume = pausable_resume,
	.drain = pausable_drain,
};
