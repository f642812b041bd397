/* A library to be preloaded into a dynamic agent: system calls and allocations that fail when a test wants it, and a clock of
 * the day that jumps. It is driven through a file that both have mapped ($STATSIDECAR_FAULTS):
 *
 *     | head | row of "accept" | row of "accept4" | …        a row a function, in the order of the table below
 *
 * Nothing here allocates or makes a system call of its own once it is loaded, so that the agent's sandbox does not mind. What
 * fails by chance does so by the head's seed and the number of calls before: the same calls fail in the same way again. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
#define FUNCTIONS(X) \
	X(accept) X(accept4) X(access) X(bind) X(calloc) X(chmod) X(clock_nanosleep) X(close) X(connect) X(epoll_create1) X(epoll_ctl) \
	X(epoll_wait) X(eventfd) X(fchmod) X(fchown) X(fcntl) X(flock) X(fopen) X(fstat) X(getpeername) X(getrandom) X(getrusage) \
	X(getsockname) X(getsockopt) X(inotify_add_watch) X(inotify_init1) X(inotify_rm_watch) X(ioctl) X(listen) X(lstat) \
	X(malloc) X(mkdir) X(mkfifo) X(mmap) X(open) X(opendir) X(pipe2) X(poll) X(prctl) X(read) X(readlink) X(readv) X(realloc) \
	X(recv) X(recvfrom) X(recvmmsg) X(send) X(sendmmsg) X(sendmsg) X(sendto) X(setsockopt) X(shutdown) X(socket) \
	X(socketpair) X(stat) X(timerfd_create) X(timerfd_settime) X(unlink) X(write) X(writev)
/* clang-format on */

enum function {
#define X(name) CALL_##name,
	FUNCTIONS(X)
#undef X
	CALL_COUNT,
};

static const char *const names[CALL_COUNT] = {
#define X(name) [CALL_##name] = #name,
	FUNCTIONS(X)
#undef X
};

enum {
	ERRORS_MAX = 8,
	SHORT = -1, /* among errors: less than was asked for */
	ANY_FD = -1,
	ALL_BUT_STDERR = -2,
	MILLION = 1000000,
};

/* tests/faults/faults.py knows both by their sizes. */
struct head {
	char magic[8];
	uint64_t seed;
	uint64_t drawn; /* random numbers so far */
	int64_t realtime_offset_ns;
	uint32_t is_armed;
	uint32_t row_count;
	char rest[24];
};
_Static_assert(sizeof(struct head) == 64, "faults.py");

struct row {
	char name[24];
	int32_t errors[ERRORS_MAX];
	uint32_t error_count; /* 0: none fails */
	uint32_t chance;      /* of a million calls, where nth is 0 */
	uint64_t nth;         /* from this call on, counted by seen */
	uint64_t left;        /* so many fail at most */
	uint64_t seen;
	uint64_t injected;
	int32_t fd; /* or one of the above */
	char rest[28];
};
_Static_assert(sizeof(struct row) == 128, "faults.py");

static struct head *head;
static struct row *rows;

__attribute__((constructor)) static void faults_map(void)
{
	const char *path = getenv("STATSIDECAR_FAULTS");
	size_t size = sizeof(struct head) + CALL_COUNT * sizeof(struct row);
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *memory;

	if (fd < 0)
		return;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		return;
	rows = (struct row *)(void *)((char *)memory + sizeof(struct head));
	for (size_t i = 0; i < CALL_COUNT; i++)
		memcpy(rows[i].name, names[i], strlen(names[i]) + 1);
	head = memory;
	head->row_count = CALL_COUNT;
	memcpy(head->magic, "faults1", 8);
}

/* splitmix64, Steele, Lea and Flood 2014. */
static uint64_t draw(void)
{
	uint64_t z = head->seed + UINT64_C(0x9E3779B97F4A7C15) * ++head->drawn;

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static int is_meant(const struct row *row, int fd)
{
	return row->fd == ANY_FD || row->fd == fd || (row->fd == ALL_BUT_STDERR && fd != STDERR_FILENO);
}

/* What is to become of a call: 0 for nothing, SHORT, or an errno. */
static int fault_of(enum function function, int fd)
{
	struct row *row;

	if (head == NULL || !head->is_armed)
		return 0;
	row = &rows[function];
	if (!is_meant(row, fd))
		return 0;
	row->seen++;
	if (row->error_count == 0 || row->left == 0)
		return 0;
	if (row->nth > 0 ? row->seen < row->nth : draw() % MILLION >= row->chance)
		return 0;
	row->left--;
	row->injected++;
	return row->errors[row->error_count == 1 ? 0 : draw() % row->error_count];
}

#define REAL(name)                                                           \
	__extension__({                                                      \
		static __typeof__(&name) real;                               \
                                                                             \
		if (real == NULL)                                            \
			*(void **)(void *)&real = dlsym(RTLD_NEXT, #name);   \
		real;                                                        \
	})

/* A function that returns what it says here where it fails. */
#define FAILING(type, name, parameters, arguments, fd, failed)               \
	type name parameters                                                 \
	{                                                                    \
		int fault = fault_of(CALL_##name, fd);                       \
                                                                             \
		if (fault > 0) {                                             \
			errno = fault;                                       \
			return failed;                                       \
		}                                                            \
		return REAL(name) arguments;                                 \
	}

/* Cut to a random part of it, at least one. */
static size_t shortened(size_t size)
{
	return size < 2 ? size : 1 + (size_t)(draw() % (size - 1));
}

#define TRANSFERRING(name, parameters, arguments, fd, size)                  \
	ssize_t name parameters                                              \
	{                                                                    \
		int fault = fault_of(CALL_##name, fd);                       \
                                                                             \
		if (fault > 0) {                                             \
			errno = fault;                                       \
			return -1;                                           \
		}                                                            \
		if (fault == SHORT)                                          \
			size = shortened(size);                              \
		return REAL(name) arguments;                                 \
	}

/* ---- time ---- */

/* It says itself what is wrong. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *rest, struct timespec *left)
{
	int fault = fault_of(CALL_clock_nanosleep, -1);

	return fault > 0 ? fault : REAL(clock_nanosleep)(clock, flags, rest, left);
}

/* ---- events in, metrics out ---- */

TRANSFERRING(read, (int fd, void *buffer, size_t size), (fd, buffer, size), fd, size)
TRANSFERRING(write, (int fd, const void *buffer, size_t size), (fd, buffer, size), fd, size)
TRANSFERRING(recv, (int fd, void *buffer, size_t size, int flags), (fd, buffer, size, flags), fd, size)

/* No datagram is ever sent in part. */
ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
	int fault = fault_of(CALL_send, fd);
	int type = 0;
	socklen_t len = sizeof type;

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	if (fault == SHORT && REAL(getsockopt)(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM)
		size = shortened(size);
	return REAL(send)(fd, buffer, size, flags);
}

ssize_t recvfrom(int fd, void *restrict buffer, size_t size, int flags, struct sockaddr *restrict from, socklen_t *restrict len)
{
	int fault = fault_of(CALL_recvfrom, fd);

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	return REAL(recvfrom)(fd, buffer, size, flags, from, len);
}

FAILING(ssize_t, sendto,
        (int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to, socklen_t len),
        (fd, buffer, size, flags, to, len), fd, -1)

/* A short transfer ends within the first vector. */
static ssize_t one_vector(ssize_t (*transfer)(int fd, const struct iovec *vectors, int count), int fd,
                          const struct iovec *vectors)
{
	struct iovec vector = vectors[0];

	vector.iov_len = shortened(vector.iov_len);
	return transfer(fd, &vector, 1);
}

ssize_t readv(int fd, const struct iovec *vectors, int count)
{
	int fault = fault_of(CALL_readv, fd);

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	return fault == SHORT ? one_vector(REAL(readv), fd, vectors) : REAL(readv)(fd, vectors, count);
}

ssize_t writev(int fd, const struct iovec *vectors, int count)
{
	int fault = fault_of(CALL_writev, fd);

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	return fault == SHORT ? one_vector(REAL(writev), fd, vectors) : REAL(writev)(fd, vectors, count);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	int fault = fault_of(CALL_sendmsg, fd);
	struct iovec vector;
	struct msghdr cut;

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	if (fault != SHORT || message->msg_iovlen == 0)
		return REAL(sendmsg)(fd, message, flags);
	vector = message->msg_iov[0];
	vector.iov_len = shortened(vector.iov_len);
	cut = *message;
	cut.msg_iov = &vector;
	cut.msg_iovlen = 1;
	return REAL(sendmsg)(fd, &cut, flags);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	int fault = fault_of(CALL_recvmmsg, fd);

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	return REAL(recvmmsg)(fd, messages, fault == SHORT ? (unsigned)shortened(count) : count, flags, timeout);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	int fault = fault_of(CALL_sendmmsg, fd);

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	return REAL(sendmmsg)(fd, messages, fault == SHORT ? (unsigned)shortened(count) : count, flags);
}

FAILING(int, accept, (int fd, struct sockaddr *from, socklen_t *len), (fd, from, len), fd, -1)
FAILING(int, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags), (fd, from, len, flags), fd, -1)
FAILING(int, bind, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len), fd, -1)
FAILING(int, connect, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len), fd, -1)
FAILING(int, getpeername, (int fd, struct sockaddr *address, socklen_t *len), (fd, address, len), fd, -1)
FAILING(int, getsockname, (int fd, struct sockaddr *address, socklen_t *len), (fd, address, len), fd, -1)
FAILING(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len), (fd, level, name, value, len), fd, -1)
FAILING(int, listen, (int fd, int backlog), (fd, backlog), fd, -1)
FAILING(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len), (fd, level, name, value, len), fd, -1)
FAILING(int, shutdown, (int fd, int how), (fd, how), fd, -1)
FAILING(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1, -1)
FAILING(int, socketpair, (int domain, int type, int protocol, int ends[2]), (domain, type, protocol, ends), -1, -1)

/* The kernel closes it whatever it says. */
int close(int fd)
{
	int fault = fault_of(CALL_close, fd);
	int result = REAL(close)(fd);

	if (fault <= 0 || result < 0)
		return result;
	errno = fault;
	return -1;
}

/* ---- the loop ---- */

FAILING(int, epoll_create1, (int flags), (flags), -1, -1)
FAILING(int, epoll_wait, (int epoll, struct epoll_event *events, int count, int timeout), (epoll, events, count, timeout), -1, -1)
FAILING(int, eventfd, (unsigned value, int flags), (value, flags), -1, -1)
FAILING(int, pipe2, (int ends[2], int flags), (ends, flags), -1, -1)
FAILING(int, timerfd_create, (clockid_t id, int flags), (id, flags), -1, -1)
FAILING(int, timerfd_settime, (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
        (fd, flags, value, old), fd, -1)

/* Only what is added takes memory. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	int fault = operation == EPOLL_CTL_ADD ? fault_of(CALL_epoll_ctl, fd) : 0;

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	return REAL(epoll_ctl)(epoll, operation, fd, event);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	int fault = fault_of(CALL_poll, -1);

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	return REAL(poll)(fds, count, timeout);
}

/* ---- files ---- */

FAILING(int, access, (const char *path, int mode), (path, mode), -1, -1)
FAILING(int, chmod, (const char *path, mode_t mode), (path, mode), -1, -1)
FAILING(int, fchmod, (int fd, mode_t mode), (fd, mode), fd, -1)
FAILING(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group), fd, -1)
FAILING(int, flock, (int fd, int operation), (fd, operation), fd, -1)
FAILING(int, fstat, (int fd, struct stat *status), (fd, status), fd, -1)
FAILING(int, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask), fd, -1)
FAILING(int, inotify_init1, (int flags), (flags), -1, -1)
FAILING(int, inotify_rm_watch, (int fd, int wd), (fd, wd), fd, -1)
FAILING(int, lstat, (const char *restrict path, struct stat *restrict status), (path, status), -1, -1)
FAILING(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, -1)
FAILING(int, mkfifo, (const char *path, mode_t mode), (path, mode), -1, -1)
FAILING(int, stat, (const char *restrict path, struct stat *restrict status), (path, status), -1, -1)
FAILING(int, unlink, (const char *path), (path), -1, -1)
FAILING(ssize_t, readlink, (const char *restrict path, char *restrict buffer, size_t size), (path, buffer, size), -1, -1)
FAILING(FILE *, fopen, (const char *restrict path, const char *restrict mode), (path, mode), -1, NULL)
FAILING(DIR *, opendir, (const char *path), (path), -1, NULL)

int open(const char *path, int flags, ...)
{
	int fault = fault_of(CALL_open, -1);
	mode_t mode = 0;
	va_list arguments;

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	va_start(arguments, flags);
	if (flags & O_CREAT)
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return REAL(open)(path, flags, mode);
}

int fcntl(int fd, int command, ...)
{
	int fault = fault_of(CALL_fcntl, fd);
	va_list arguments;
	void *argument;

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return REAL(fcntl)(fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...)
{
	int fault = fault_of(CALL_ioctl, fd);
	va_list arguments;
	void *argument;

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return REAL(ioctl)(fd, request, argument);
}

/* ---- memory, the process itself ---- */

FAILING(void *, malloc, (size_t size), (size), -1, NULL)
FAILING(void *, calloc, (size_t count, size_t size), (count, size), -1, NULL)
FAILING(void *, realloc, (void *old, size_t size), (old, size), -1, NULL)
FAILING(void *, mmap, (void *address, size_t size, int protection, int flags, int fd, off_t offset),
        (address, size, protection, flags, fd, offset), fd, MAP_FAILED)
FAILING(ssize_t, getrandom, (void *buffer, size_t size, unsigned flags), (buffer, size, flags), -1, -1)
FAILING(int, getrusage, (__rusage_who_t who, struct rusage *usage), (who, usage), -1, -1)

int prctl(int option, ...)
{
	int fault = fault_of(CALL_prctl, -1);
	unsigned long values[4];
	va_list arguments;

	if (fault > 0) {
		errno = fault;
		return -1;
	}
	va_start(arguments, option);
	for (int i = 0; i < 4; i++)
		values[i] = va_arg(arguments, unsigned long);
	va_end(arguments);
	return REAL(prctl)(option, values[0], values[1], values[2], values[3]);
}

/* ---- the clock of the day ---- */

static void jump(struct timespec *now)
{
	int64_t ns = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + head->realtime_offset_ns;

	now->tv_sec = (time_t)(ns / 1000000000);
	now->tv_nsec = (long)(ns % 1000000000);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	int result = REAL(clock_gettime)(id, now);

	if (result == 0 && head != NULL && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		jump(now);
	return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;
	int result = clock_gettime(CLOCK_REALTIME, &precise);

	(void)zone;
	now->tv_sec = precise.tv_sec;
	now->tv_usec = (suseconds_t)(precise.tv_nsec / 1000);
	return result;
}

time_t time(time_t *now)
{
	struct timespec precise = {.tv_sec = 0};

	clock_gettime(CLOCK_REALTIME, &precise);
	if (now != NULL)
		*now = precise.tv_sec;
	return precise.tv_sec;
}
