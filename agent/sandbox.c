#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "config.h"
#include "log.h"

/* The sanitizers' own calls would have to be allowed, too. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

#if defined(HAVE_SECCOMP) && !defined(HAS_SANITIZER)

#include <fcntl.h>
#include <seccomp.h>
/* Its macros leave the second datum of a comparison out. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"
#include "sandbox_trap.h"

/* What a running agent calls, by what for. The C libraries and machines differ in the names of some: those that do not exist
 * here are passed over. */
static const char *const allowed[] = {
	/* the loop, time */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "ppoll_time64", "select",
	"pselect6", "pselect6_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep",
	"clock_nanosleep_time64", "gettimeofday", "time", "restart_syscall",
	/* events in, metrics out, HTTP */
	"read", "readv", "pread64", "write", "writev", "recv", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64", "send", "sendto",
	"sendmsg", "sendmmsg", "accept", "accept4", "connect", "bind", "listen", "shutdown", "getsockname", "getpeername",
	"getsockopt", "setsockopt", "close",
	/* a reload: reading files, opening and removing inputs */
	"access", "faccessat", "faccessat2", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "newfstatat", "fstatat64",
	"statx", "readlink", "readlinkat", "getdents64", "getcwd", "lseek", "_llseek", "fcntl", "fcntl64", "flock", "mkdir", "mkdirat",
	"chmod", "fchmod", "fchmodat", "fchown", "fchown32", "unlink", "unlinkat", "umask", "inotify_add_watch",
	"inotify_rm_watch",
	/* memory */
	"brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise",
	/* signals, the process itself */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "futex", "futex_time64", "getpid", "gettid", "getuid",
	"getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32", "getrandom", "getrusage", "sysinfo", "uname",
	"getrlimit", "ugetrlimit", "sched_getaffinity", "exit", "exit_group",
};

/* Without the flags that stand beside it (Linux: SOCK_TYPE_MASK). */
#define SOCKET_TYPE(type) SCMP_A1_32(SCMP_CMP_MASKED_EQ, 0xf, type)

struct condition {
	const char *name;
	unsigned count;
	struct scmp_arg_cmp arguments[2];
};

static int filter_allow(scmp_filter_ctx filter, const char *name, unsigned count, const struct scmp_arg_cmp *arguments)
{
	int number = seccomp_syscall_resolve_name(name);
	int result;

	if (number == __NR_SCMP_ERROR)
		return 0;
	result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, arguments);
	/* Known by name, but not on this machine. */
	return result == -EDOM ? 0 : result;
}

/* Calls that are needed for one thing only. */
static int filter_allow_some(scmp_filter_ctx filter)
{
	const struct condition conditions[] = {
		{"socket", 2, {SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX), SOCKET_TYPE(SOCK_DGRAM)}},
		{"socket", 2, {SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX), SOCKET_TYPE(SOCK_STREAM)}},
		{"socket", 2, {SCMP_A0_32(SCMP_CMP_EQ, AF_INET), SOCKET_TYPE(SOCK_DGRAM)}},
		{"socket", 2, {SCMP_A0_32(SCMP_CMP_EQ, AF_INET), SOCKET_TYPE(SOCK_STREAM)}},
		{"socket", 2, {SCMP_A0_32(SCMP_CMP_EQ, AF_INET6), SOCKET_TYPE(SOCK_DGRAM)}},
		{"socket", 2, {SCMP_A0_32(SCMP_CMP_EQ, AF_INET6), SOCKET_TYPE(SOCK_STREAM)}},
#ifdef WITH_COVERAGE
		/* the counts of the lines that were run, into files that may not be there yet */
		{"open", 0, {{0}}},
		{"openat", 0, {{0}}},
#endif
		/* opens what is there, and creates pipes, but no files, and empties none */
		{"open", 1, {SCMP_A1_32(SCMP_CMP_MASKED_EQ, O_CREAT | O_TRUNC, 0)}},
		{"openat", 1, {SCMP_A2_32(SCMP_CMP_MASKED_EQ, O_CREAT | O_TRUNC, 0)}},
		{"mknod", 1, {SCMP_A1_32(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO)}},
		{"mknodat", 1, {SCMP_A2_32(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO)}},
		{"ioctl", 1, {SCMP_A1_32(SCMP_CMP_EQ, FIONREAD)}},
		{"ioctl", 1, {SCMP_A1_32(SCMP_CMP_EQ, FIONBIO)}},
		/* what the C libraries ask of standard output */
		{"ioctl", 1, {SCMP_A1_32(SCMP_CMP_EQ, TCGETS)}},
		{"ioctl", 1, {SCMP_A1_32(SCMP_CMP_EQ, TIOCGWINSZ)}},
		/* reads limits, sets none */
		{"prlimit64", 2, {SCMP_A0_32(SCMP_CMP_EQ, 0), SCMP_A2_64(SCMP_CMP_EQ, 0)}},
		/* ends itself where something it relies on does not hold */
		{"tgkill", 1, {SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid())}},
	};

	for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
		const struct condition *condition = &conditions[i];
		int result = filter_allow(filter, condition->name, condition->count, condition->arguments);

		if (result < 0)
			return result;
	}
	return 0;
}

static int filter_fill(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		int result = filter_allow(filter, allowed[i], 0, NULL);

		if (result < 0)
			return result;
	}
	return filter_allow_some(filter);
}

static const char *name_of_call(int number)
{
	static char *name;

	free(name);
	name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
	return name;
}

/* 0, or a negative errno. */
static int filter_load(void)
{
	uint32_t forbid = sandbox_trap_install(name_of_call) ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM);
	scmp_filter_ctx filter = seccomp_init(forbid);
	int result;

	(void)name_of_call(-1);
	if (filter == NULL)
		return -ENOMEM;
	/* What these two ask for is faster; older kernels and libraries do without. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	result = filter_fill(filter);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result;
}

int sandbox_has_filter(void)
{
	return 1;
}

#else

static int filter_load(void)
{
	return 0;
}

int sandbox_has_filter(void)
{
	return 0;
}

#endif

void sandbox_enter(void)
{
	int result;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_warn("sandbox: new privileges cannot be given up: %s", strerror(errno));
	result = filter_load();
	if (result < 0)
		log_warn("sandbox: no filter of system calls: %s", strerror(-result));
	else
		log_debug("sandbox: no new privileges%s",
		          sandbox_has_filter() ? ", and a filter of system calls" : "; built without a filter of system calls");
}
