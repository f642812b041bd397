#define _GNU_SOURCE
#include "command/program_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int bytes_write(int fd, const char *bytes, ssize_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, bytes, (size_t)len);

		if (written < 0 && errno != EINTR)
			return -1;
		if (written > 0) {
			bytes += written;
			len -= written;
		}
	}
	return 0;
}

/* 0, or -1 and errno. */
static int bytes_copy(int from, int to)
{
	static char bytes[64 * 1024];
	ssize_t len;

	while ((len = read(from, bytes, sizeof bytes)) != 0) {
		if (len < 0 && errno != EINTR)
			return -1;
		if (len > 0 && bytes_write(to, bytes, len) < 0)
			return -1;
	}
	/* Whatever the umask is. */
	return fchmod(to, 0755);
}

static int directory_make(const char *path, struct failure *failure)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return 0;
	snprintf(directory, sizeof directory, "%.*s", (int)(slash - path), path);
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return failure_set(failure, "cannot make the directory %s, to copy the program there: %s", directory, strerror(errno));
	return 0;
}

/* One that runs stays as it is: the new one takes its name only. */
static int copy_put(int from, const char *path, const char *unfinished)
{
	int to = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0755);
	int result, saved;

	if (to < 0)
		return -1;
	result = bytes_copy(from, to);
	saved = errno;
	if (close(to) < 0 && result == 0) {
		saved = errno;
		result = -1;
	}
	if (result == 0 && rename(unfinished, path) == 0)
		return 0;
	if (result == 0)
		saved = errno;
	unlink(unfinished);
	errno = saved;
	return -1;
}

int program_copy(const char *path, struct failure *failure)
{
	char unfinished[PATH_MAX];
	int from, result;

	if (snprintf(unfinished, sizeof unfinished, "%s.unfinished", path) >= (int)sizeof unfinished)
		return failure_set(failure, "cannot copy the program to %s: %s", path, strerror(ENAMETOOLONG));
	if (directory_make(path, failure) < 0)
		return -1;
	from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return failure_set(failure, "cannot read this program, /proc/self/exe: %s", strerror(errno));
	result = copy_put(from, path, unfinished);
	if (result < 0)
		failure_set(failure, "cannot copy the program to %s: %s", path, strerror(errno));
	close(from);
	return result;
}
