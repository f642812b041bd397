/* How long a program takes from its exec to being ready, so many times.
 *
 *     start COUNT CORE COMMAND [ARGUMENT…]
 *
 * The command runs on CORE, alone of the two. It is ready when it says so on standard error, and is ended by TERM then. Prints
 * one line of JSON, milliseconds in the order of the starts: {"ms":[1.204,1.187]} */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "ends.h"

static int64_t *begin_ns; /* shared with the child */

static void run(int log, int core, char **command)
{
	cpu_set_t cores;

	CPU_ZERO(&cores);
	CPU_SET((size_t)core, &cores);
	if (dup2(log, STDERR_FILENO) < 0 || sched_setaffinity(0, sizeof cores, &cores) < 0)
		_exit(EX_OSERR);
	*begin_ns = now_ns();
	execv(command[0], command);
	_exit(EX_UNAVAILABLE);
}

/* Reads until `ready` was said; when that was. */
static int64_t wait_ready(int log)
{
	char text[16 * 1024];
	size_t len = 0;

	for (;;) {
		ssize_t got = read(log, text + len, sizeof text - 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || len + (size_t)got == sizeof text - 1) {
			fprintf(stderr, "start: it never was ready\n%.*s", (int)len, text);
			exit(EX_SOFTWARE);
		}
		len += (size_t)got;
		if (memmem(text, len, "ready", strlen("ready")) != NULL)
			return now_ns();
	}
}

static double start_once(int core, char **command)
{
	int log[2];
	int status;
	int64_t ready_ns;
	pid_t pid;

	if (pipe2(log, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die("fork");
	if (pid == 0)
		run(log[1], core, command);
	close(log[1]);
	ready_ns = wait_ready(log[0]);
	kill(pid, SIGTERM);
	/* What it says at its end is not to meet a closed pipe. */
	for (char rest[1024]; read(log[0], rest, sizeof rest) > 0;)
		;
	close(log[0]);
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "start: it did not end well: %#x\n", (unsigned)status);
		exit(EX_SOFTWARE);
	}
	return (double)(ready_ns - *begin_ns) / 1e6;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 3 ? strtoul(argv[1], NULL, 10) : 0;

	if (count == 0) {
		fputs("usage: start COUNT CORE COMMAND [ARGUMENT...]\n", stderr);
		return EX_USAGE;
	}
	begin_ns = mmap(NULL, sizeof *begin_ns, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (begin_ns == MAP_FAILED)
		die("mmap");
	printf("{\"ms\":[");
	for (unsigned long i = 0; i < count; i++)
		printf("%s%.3f", i > 0 ? "," : "", start_once((int)strtoul(argv[2], NULL, 10), argv + 3));
	puts("]}");
	return EX_OK;
}
