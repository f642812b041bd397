"""Every call that the agent's libraries can make fails, one kind at a time, by chance, while it does everything that it does; then
it has to work as before, and no event may be unaccounted for. The same by shortages of memory. The seed is printed, and
FAULTS_SEED=N plays it again.
"""

import os
import pathlib
import random
import sys
from errno import (
    EACCES,
    EADDRINUSE,
    EAGAIN,
    EBADF,
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EINTR,
    EINVAL,
    EIO,
    ELOOP,
    EMFILE,
    EMSGSIZE,
    ENFILE,
    ENOBUFS,
    ENODEV,
    ENOENT,
    ENOMEM,
    ENOSPC,
    ENOSYS,
    ENOTCONN,
    ENXIO,
    EPERM,
    EPIPE,
    EROFS,
    ETIMEDOUT,
)

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from faults import ALL_BUT_STDERR, SHORT, Faults, name_of
from harness import equal, main, table, test, true, wait_until
from stage import Stage

STDERR = 2
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
print(f"# FAULTS_SEED={SEED}")

# What may go wrong with each.
NO_DESCRIPTOR = [EMFILE, ENFILE, ENOMEM]
NO_FILE = [ENOENT, EACCES, EIO, ENOMEM, ELOOP]
ERRORS = {
    "accept": [EMFILE, ENFILE, ENOBUFS, ENOMEM, EINTR, ECONNABORTED],
    "accept4": [EMFILE, ENFILE, ENOBUFS, ENOMEM, EINTR, ECONNABORTED, EPERM],
    "access": [EACCES, EIO],
    "bind": [EADDRINUSE, EACCES, ENOMEM],
    "calloc": [ENOMEM],
    "chmod": [EPERM, EROFS, EIO],
    "close": [EINTR, EIO],
    "clock_nanosleep": [EINTR],
    "connect": [ECONNREFUSED, ETIMEDOUT, EAGAIN, EINTR, ENOENT, ENOMEM],
    "epoll_create1": NO_DESCRIPTOR,
    "epoll_ctl": [ENOMEM, ENOSPC],
    "epoll_wait": [EINTR],
    "eventfd": NO_DESCRIPTOR,
    "fchmod": [EPERM, EIO],
    "fchown": [EPERM, EIO],
    "fcntl": [EPERM, ENOMEM],
    "flock": [EINTR, EAGAIN, ENOMEM],
    "fopen": [EMFILE, ENFILE, ENOMEM, ENOENT, EACCES],
    "fstat": [EIO, ENOMEM],
    "getpeername": [ENOTCONN, ENOBUFS],
    "getrandom": [EAGAIN, EINTR, ENOSYS],
    "getrusage": [EINVAL],
    "getsockname": [ENOBUFS],
    "getsockopt": [ENOBUFS, ENOMEM],
    "inotify_add_watch": [ENOSPC, ENOMEM, ENOENT],
    "inotify_init1": NO_DESCRIPTOR,
    "inotify_rm_watch": [EINVAL],
    "ioctl": [EIO, ENOMEM],
    "listen": [EADDRINUSE],
    "lstat": NO_FILE,
    "malloc": [ENOMEM],
    "mkdir": [EACCES, ENOSPC, EROFS],
    "mkfifo": [EACCES, ENOSPC, EROFS],
    "mmap": [ENOMEM],
    "open": [EMFILE, ENFILE, ENOMEM, EACCES, EINTR, EIO, ENXIO],
    "opendir": [EMFILE, ENOMEM, EACCES],
    "pipe2": [EMFILE, ENFILE],
    "poll": [EINTR, ENOMEM],
    "prctl": [EINVAL],
    "read": [EINTR, EAGAIN, SHORT],  # of the pipe alone below: libevent's own has no other
    "readlink": NO_FILE,
    "readv": [EINTR, EAGAIN, ENOMEM, ECONNRESET, SHORT],
    "realloc": [ENOMEM],
    "recv": [EINTR, EAGAIN, ENOMEM, ECONNRESET, ETIMEDOUT],
    "recvfrom": [EINTR, EAGAIN, ENOMEM, ECONNREFUSED],
    "recvmmsg": [EINTR, EAGAIN, ENOMEM, ENOBUFS, EIO, SHORT],
    "send": [EINTR, EAGAIN, ENOBUFS, ENOMEM, ECONNREFUSED, EMSGSIZE, EPIPE, SHORT],
    "sendmmsg": [EINTR, EAGAIN, ENOBUFS, ENOMEM, ECONNREFUSED, EMSGSIZE, EIO, SHORT],
    "sendmsg": [EINTR, EAGAIN, ENOBUFS, ENOMEM, EPIPE, ETIMEDOUT, EIO, SHORT],
    "sendto": [EINTR, EAGAIN, ENOBUFS, ECONNREFUSED],
    "setsockopt": [ENOMEM, ENOBUFS, EPERM],
    "shutdown": [ENOTCONN],
    "socket": [EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES],
    "socketpair": NO_DESCRIPTOR,
    "stat": NO_FILE,
    "timerfd_create": [EMFILE, ENFILE, ENOMEM, ENODEV],
    "timerfd_settime": [EINVAL],
    "unlink": [EACCES, EROFS, ENOENT],
    "write": [EINTR, EAGAIN, EIO, ENOSPC, EPIPE],
    "writev": [EINTR, EAGAIN, ENOSPC, EIO, SHORT],
}
# The log alone: by its pipe to itself, which cannot fail, libevent hears of signals.
DESCRIPTORS = {"write": STDERR}
# Then the program ends with gcov's work, which relies on memory.
COUNTS_LINES = "--coverage" in os.environ.get("STATSIDECAR_SANITIZERS", "")
MEMORY = ["malloc", "calloc", "realloc", "mmap"]


@test("every function of the library has its errors here")
def _():
    with Faults() as faults:
        equal(sorted(faults.names()), sorted(ERRORS))


def survive(names, errors_of, chance, when_full="drop", rounds=2):
    """Some calls fail by chance while the agent does everything, again and again, and at its end; in between it has to work."""
    with Faults(SEED) as faults, Stage(faults.env, when_full=when_full) as stage:
        true(stage.start(), "not started")
        stage.learn_addresses()
        for _ in range(rounds):
            for name in names:
                faults.fail(name, *errors_of[name], chance=chance, fd=DESCRIPTORS.get(name, ALL_BUT_STDERR))
            stage.round()
            faults.clear()
            stage.check_works()
        for name in names:
            if not (COUNTS_LINES and name in MEMORY):
                faults.fail(name, *errors_of[name], chance=chance, fd=DESCRIPTORS.get(name, ALL_BUT_STDERR))
        stage.stop(want=(0, 71))


@table([(f"{name} fails now and then: {' '.join(map(name_of, errors))}", name) for name, errors in ERRORS.items()])
def _(name):
    survive([name], ERRORS, 0.3)


@table([(f"everything fails now and then, one in {odds}, outputs {when_full}", odds, when_full) for odds in (10, 100) for when_full in ("drop", "block")])
def _(odds, when_full):
    names = [name for name in ERRORS if name not in MEMORY]
    survive(names, ERRORS, 1 / odds, when_full)


@test("the pipe cannot be read for a while: EIO, ENOMEM")
def _():
    with Faults(SEED) as faults, Stage(faults.env) as stage:
        true(stage.start(), "not started")
        stage.learn_addresses()
        (pipe,) = [fd for fd, target in stage.agent.descriptors().items() if target.endswith("/events")]
        for error in (EIO, ENOMEM):
            faults.fail("read", error, chance=1, fd=pipe)
            stage.write("pipe", "f.step who=w n=1")
            wait_until(lambda: faults.injected(), "the pipe to be read")
            faults.clear()
            stage.check_works()
        stage.stop()


@test("memory runs short now and then")
def _():
    survive(MEMORY, ERRORS, 0.01, rounds=5)


main()
