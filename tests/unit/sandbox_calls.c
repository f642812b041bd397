/* What the sandbox forbids, tried out: each call in a process of its own, which has entered it, with its log in a pipe. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../property/tap.h"
#include "base/span.h"
#include "config.h"
#include "log.h"
#include "sandbox.h"

static long try_execve(void)
{
	char *arguments[] = {NULL};

	return syscall(SYS_execve, "/bin/true", arguments, arguments);
}

static long try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long try_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long try_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long try_raw(void)
{
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
}

static long try_kill(void)
{
	return syscall(SYS_kill, 1, 0);
}

static long try_create(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY | O_CREAT, 0600);
}

static long try_empty(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY | O_TRUNC);
}

static long try_device(void)
{
	return syscall(SYS_mknodat, AT_FDCWD, "/dev/null", S_IFCHR | 0600, 0);
}

static long try_limit(void)
{
	const struct rlimit limit = {10, 10};

	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL);
}

static long try_mount(void)
{
	return syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
}

static long try_unshare(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long try_rename(void)
{
	return syscall(SYS_renameat2, AT_FDCWD, "/dev/null", AT_FDCWD, "/dev/null", 0);
}

static long try_open(void)
{
	return open("/dev/null", O_RDONLY);
}

static long try_socket(void)
{
	return socket(AF_INET6, SOCK_DGRAM, 0);
}

static long try_privileges(void)
{
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
		return -1;
	return strstr(text, "\nNoNewPrivs:\t1\n") != NULL ? 0 : -1;
}

static const struct {
	const char *name;
	long (*try)(void);
	const char *told; /* the call's name in the log; NULL: it is allowed */
} rows[] = {
	{"another program cannot be started", try_execve, "execve"},
	{"no process can be created", try_fork, "clone"},
	{"nobody can be traced", try_ptrace, "ptrace"},
	{"the kernel's netlink is closed", try_netlink, "socket"},
	{"raw packets are out of reach", try_packet, "socket"},
	{"nor are those of the Internet protocols", try_raw, "socket"},
	{"no other process gets a signal", try_kill, "kill"},
#ifdef WITH_COVERAGE
	{"the counts of lines can be written", try_create, NULL},
#else
	{"no file can be created", try_create, "openat"},
	{"no file can be emptied", try_empty, "openat"},
#endif
	{"no device can be created", try_device, "mknodat"},
	{"limits stay", try_limit, "prlimit64"},
	{"nothing can be mounted", try_mount, "mount"},
	{"namespaces stay", try_unshare, "unshare"},
	{"files keep their names", try_rename, "renameat2"},
	{"new privileges are given up", try_privileges, NULL},
	{"files can be read", try_open, NULL},
	{"sockets can be opened", try_socket, NULL},
};

/* In the child: 0, or the errno of the call. */
static int try_in_sandbox(long (*try)(void), int log_fd)
{
	dup2(log_fd, STDERR_FILENO);
	log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	sandbox_enter();
	errno = 0;
	return try() < 0 ? errno : 0;
}

/* What the child's call came to; its log goes into text. */
static int try_apart(long (*try)(void), char *text, size_t size)
{
	int ends[2];
	int status = -1;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	if (pipe(ends) < 0)
		return -1;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(try_in_sandbox(try, ends[1])); /* as the agent ends: what is done then has to be allowed, too */
	close(ends[1]);
	while (len + 1 < size && (got = read(ends[0], text + len, size - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	close(ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool is_told(const char *text, const char *call)
{
	char want[128];

	if (call == NULL)
		return text[0] == '\0';
	snprintf(want, sizeof want, " (%s) is forbidden: it fails with EPERM\"}\n", call);
	return strncmp(text, "{\"time\":\"20", 11) == 0 && strstr(text, want) != NULL &&
	       strstr(text, "Z\",\"level\":\"warning\",\"message\":\"sandbox: system call ") != NULL;
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[4096];
		int want = rows[i].told == NULL ? 0 : EPERM;
		int result;

		if (rows[i].told != NULL && !sandbox_has_filter()) {
			printf("ok %d - %s # SKIP no filter in this build\n", ++tap_count, rows[i].name);
			continue;
		}
		result = try_apart(rows[i].try, text, sizeof text);
		tap_ok(result == want && is_told(text, rows[i].told), rows[i].name);
		if (result != want || !is_told(text, rows[i].told))
			tap_note("errno %d, want %d; the log: %s", result, want, text);
	}
	return tap_end();
}
