"""Every system call that the agent makes, wherever in its libraries, is made to fail by strace: while it does everything that it
does, and at its start. Which calls there are is looked at first: one that is not in the table below fails the test.

The second means beside tests/faults/faults.c, which sees no calls that libc makes by itself. The agent runs without its sandbox
here, but where the calls that make it fail: to the filter a call that strace keeps from the kernel is no call that it knows.
"""

import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import IS_INSTRUMENTED, PROGRAM, Lines, equal, main, skip, table, temporary_directory, test, true  # noqa: E402
from stage import Stage  # noqa: E402

SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
print(f"# FAULTS_SEED={SEED}")

# While it runs. Reading and writing by the pipe through which libevent hears of signals cannot fail, and read and write are its
# calls too: tests/faults/calls_test.py has those by descriptor.
ERRORS = {
    "accept4": "EMFILE ENFILE ENOBUFS ENOMEM EINTR ECONNABORTED EPERM",
    "access": "EACCES EIO",
    "bind": "EADDRINUSE EACCES ENOMEM",
    "chmod": "EPERM EROFS",
    "close": "EINTR EIO",
    "connect": "ECONNREFUSED ETIMEDOUT EAGAIN EINTR ENOMEM",
    "epoll_create1": "EMFILE ENFILE ENOMEM",
    "epoll_ctl": "ENOMEM ENOSPC",
    "clock_nanosleep": "EINTR",
    "epoll_wait": "EINTR",
    "eventfd2": "EMFILE ENFILE ENOMEM",
    "faccessat2": "EACCES EIO",
    "fchmod": "EPERM EIO",
    "fcntl": "EPERM ENOMEM",
    "flock": "EINTR EAGAIN",
    "fstat": "EIO ENOMEM",
    "getcwd": "ENOMEM ENOENT",
    "getdents64": "EIO",
    "getpeername": "ENOTCONN ENOBUFS",
    "getrandom": "EAGAIN ENOSYS",
    "getrusage": "EINVAL",
    "getsockname": "ENOBUFS",
    "getsockopt": "ENOBUFS ENOMEM",
    "inotify_add_watch": "ENOSPC ENOMEM ENOENT",
    "inotify_init1": "EMFILE ENFILE ENOMEM",
    "inotify_rm_watch": "EINVAL",
    "ioctl": "EIO ENOTTY",
    "listen": "EADDRINUSE",
    "lseek": "ESPIPE EIO",
    "lstat": "EIO ENOMEM ENOENT",
    "madvise": "EAGAIN ENOMEM",
    "mkdir": "EACCES ENOSPC",
    "mknod": "EACCES ENOSPC",
    "mknodat": "EACCES ENOSPC EROFS",
    "mmap": "ENOMEM",
    "mprotect": "ENOMEM",
    "mremap": "ENOMEM",
    "munmap": "EINVAL",
    "newfstatat": "EIO ENOMEM ENOENT",
    "open": "EMFILE ENFILE ENOMEM EACCES",
    "openat": "EMFILE ENFILE ENOMEM EACCES EINTR",
    "pipe2": "EMFILE ENFILE",
    "poll": "EINTR ENOMEM",
    "prctl": "EINVAL",
    "pread64": "EIO",
    "prlimit64": "EPERM",
    "readlink": "EACCES EIO ENOENT",
    "readv": "EINTR EAGAIN ENOMEM ECONNRESET",
    "recvfrom": "EINTR EAGAIN ENOMEM ECONNRESET",
    "recvmmsg": "EINTR EAGAIN ENOMEM ENOBUFS EIO",
    "recvmsg": "EINTR EAGAIN ENOMEM",
    "rt_sigaction": "EINVAL",
    "rt_sigprocmask": "EINVAL",
    "seccomp": "EINVAL ENOMEM",
    "sendmmsg": "EINTR EAGAIN ENOBUFS ENOMEM ECONNREFUSED EMSGSIZE EIO",
    "sendmsg": "EINTR EAGAIN ENOBUFS ENOMEM EPIPE ETIMEDOUT EIO",
    "sendto": "EINTR EAGAIN ENOBUFS ENOMEM ECONNREFUSED EMSGSIZE EIO",
    "setsockopt": "ENOMEM ENOBUFS EPERM",
    "shutdown": "ENOTCONN",
    "socket": "EMFILE ENFILE ENOBUFS ENOMEM EACCES",
    "socketpair": "EMFILE ENFILE ENOMEM",
    "stat": "EIO ENOMEM ENOENT",
    "statx": "EIO ENOMEM ENOENT",
    "timerfd_create": "EMFILE ENFILE ENOMEM",
    "timerfd_settime": "EINVAL",
    "unlink": "EACCES EROFS",
    "writev": "EINTR EAGAIN ENOSPC EIO",
}
# Read and write by descriptor in calls_test.py; memory by malloc there, and by mmap here: brk returns no error to be injected.
ELSEWHERE = {"read", "write", "brk"}
# Those that cannot fail, or that the program's loader makes before there is an agent.
UNFAILING = {
    "arch_prctl", "clock_gettime", "execve", "exit_group", "futex", "getegid", "geteuid", "getgid", "getpid", "gettid",
    "gettimeofday", "getuid", "restart_syscall", "rseq", "rt_sigreturn", "set_robust_list", "set_tid_address", "sysinfo", "time",
    "umask", "uname",
}  # fmt: skip


class Strace:
    """strace on a running agent, in a `with`."""

    def __init__(self, agent, *arguments):
        self._process = subprocess.Popen(
            ["strace", "-qq", "-f", "-o", os.devnull, *arguments, "-p", str(agent.pid)], stderr=subprocess.PIPE
        )
        self._said = Lines(self._process.stderr)
        self._agent = agent

    def __enter__(self):
        status = pathlib.Path(f"/proc/{self._agent.pid}/status")
        while not re.search(r"^TracerPid:\t[1-9]", status.read_text(), re.M):
            if self._process.poll() is not None:
                skip("strace may not attach here: " + " ".join(self._said.wait_end()))
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._said.wait_end()


def check_need():
    if shutil.which("strace") is None:
        skip("strace is not installed")
    if IS_INSTRUMENTED:
        skip("what watches the agent makes system calls of its own")


def calls_of_a_life(folder, sandbox):
    """The names of all system calls that an agent makes from its start to its end."""
    path = pathlib.Path(folder) / f"trace-{sandbox}"
    with Stage(sandbox=sandbox, wrapper=["strace", "-qq", "-f", "-o", str(path)]) as stage:
        true(stage.start(), "not started under strace")
        stage.learn_addresses()
        stage.round()
        stage.check_works()
        stage.stop()
    return set(re.findall(r"^\d+ +(\w+)\(", path.read_text(errors="replace"), re.M))


@test("every system call of an agent's life is in the table")
def _():
    check_need()
    with temporary_directory() as folder:
        made = calls_of_a_life(folder, True) | calls_of_a_life(folder, False)
        equal(sorted(made - set(ERRORS) - ELSEWHERE - UNFAILING), [], "system calls that no test makes fail")
        true({"epoll_wait", "sendmmsg", "sendto", "recvmmsg"} <= made, f"too few calls seen: {made}")


@table([(f"{name} fails at every third time: {errors}", name, errors.split()) for name, errors in sorted(ERRORS.items())])
def _(name, errors):
    check_need()
    with Stage(sandbox=False) as stage:
        true(stage.start(), "not started")
        stage.learn_addresses()
        for error in errors:
            with Strace(stage.agent, f"--trace={name}", f"--inject={name}:error={error}:when=2+3"):
                stage.round()
            stage.check_works()
        with Strace(stage.agent, f"--trace={name}", f"--inject={name}:error={errors[0]}:when=1+2"):
            stage.stop(want=(0, 71))


SANDBOXING = {"prctl", "seccomp"}


def start_with(arguments, sandbox):
    """Either it is ready, and then works, or it says why not."""
    with Stage(sandbox=sandbox, wrapper=["strace", "-qq", "-f", "-o", os.devnull, *arguments]) as stage:
        if stage.start():
            stage.learn_addresses()
            stage.stop(want=(0, 71))
        else:
            stage.check_refusal()


def calls_of_loading(name):
    """How many calls of that name the program's loader makes: where they fail there is no program yet that could say so."""
    strace = ["strace", "-qq", f"--trace={name}", PROGRAM, "--version"]
    traced = subprocess.run(strace, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, text=True)
    return len(re.findall(rf"^{name}\(", traced.stderr, re.M))


@table([(f"at the start {name} fails: {errors.split()[0]}", name, errors.split()[0]) for name, errors in sorted(ERRORS.items())])
def _(name, error):
    check_need()
    first = calls_of_loading(name) + 1
    for when in random.Random(f"{SEED}:{name}").sample(range(first, first + 19), 4):
        start_with([f"--trace={name}", f"--inject={name}:error={error}:when={when}"], name in SANDBOXING)


main()
