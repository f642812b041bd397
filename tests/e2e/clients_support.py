"""What the tests of the publishers share: the languages' programs, and agents that listen in every way."""

import contextlib
import fcntl
import functools
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

from harness import (
    DEADLINE,
    PROGRAM,
    SOURCE,
    Agent,
    Failure,
    UnixReceiver,
    environment,
    equal,
    need,
    need_pipe_size,
    skip,
    temporary_directory,
)

CLIENTS = SOURCE / "clients"
PROGRAMS = SOURCE / "tests/e2e/clients"
BUILD = pathlib.Path(os.environ.get("builddir") or pathlib.Path(PROGRAM).parent).resolve()
PYTHON = "/usr/bin/python3"


# ---- languages: each gives the words that run a program of it, or skips ----


@functools.lru_cache(maxsize=None)
def _install(*packages):
    """Debian's packages, where this may install them; why not, else."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "apt-get cannot be used here"
    with open(pathlib.Path(tempfile.gettempdir()) / "statsidecar-apt.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", "-qq", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
    if done.returncode == 0:
        return None
    return "apt-get says: " + (done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]


def need_package(name, *packages, test):
    """Skips where what is to be tested is neither there nor can be installed."""
    if not test():
        why = _install(*packages)
        if why or not test():
            skip(f"{name} is not installed, and {why or 'is not in ' + ' '.join(packages)}")


def ruby():
    need_package("ruby", "ruby", test=lambda: shutil.which("ruby"))
    return ["ruby", "-W:deprecated"]


def ruby_with_activesupport():
    def is_there():
        return subprocess.run([*ruby(), "-e", 'require "active_support"'], capture_output=True).returncode == 0

    need_package("ruby-activesupport", "ruby", "ruby-activesupport", test=is_there)
    return ruby()


def python():
    return [os.environ.get("STATSIDECAR_PYTHON") or PYTHON, "-X", "dev", "-W", "error"]


def run_ruby(code, to, words=None, **options):
    return run([*(words or ruby()), "-r", CLIENTS / "ruby/statsidecar.rb", "-e", code], to, **options)


def run_python(code, to, **options):
    path = {"PYTHONPATH": str(CLIENTS / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    return run([*python(), "-c", "import statsidecar\n" + code], to, path, **options)


def compiled(source, directory, *options):
    """A C program, linked with the library of the build directory; the words that run it."""
    compiler = shlex.split(os.environ.get("CC") or "cc")
    need(compiler[0])
    program = str(pathlib.Path(directory) / pathlib.Path(source).stem)
    library = BUILD / ".libs/libstatsidecar.a"
    if not library.exists():
        skip(f"{library} is not built")
    sanitizers = shlex.split(os.environ.get("STATSIDECAR_SANITIZERS") or "")
    words = [
        *compiler,
        "-std=gnu11",
        "-I",
        str(SOURCE / "lib/publish"),
        *sanitizers,
        *options,
        "-o",
        program,
        str(source),
    ]
    done = subprocess.run([*words, str(library), "-lpthread"], capture_output=True, text=True)
    equal((done.returncode, done.stderr), (0, ""), "the compiler")
    return [program]


# ---- without an agent ----


class Catcher:
    """A pipe that the test itself reads: what a publisher writes, line by line."""

    def __init__(self, size=None):
        self._size = size

    def __enter__(self):
        self._directory = temporary_directory()
        self.path = pathlib.Path(self._directory.name) / "events"
        self.url = f"fifo://{self.path}"
        os.mkfifo(self.path)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        if self._size is not None:
            need_pipe_size(self._size)
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, self._size)
        return self

    def __exit__(self, *_):
        os.close(self._descriptor)
        self._directory.cleanup()

    def fill(self):
        try:
            while True:
                os.write(self._descriptor, b"x" * 4096)
        except BlockingIOError:
            pass

    def read(self):
        content = b""
        try:
            while True:
                content += os.read(self._descriptor, 1 << 20)
        except BlockingIOError:
            return content

    def events(self):
        """What has been written since, whole lines of JSON."""
        content = self.read()
        if content and not content.endswith(b"\n"):
            raise Failure(f"the end is torn: {content[-80:]!r}")
        return [json.loads(line) for line in content.splitlines()]


# ---- agents ----

TRANSPORTS = ["pipe", "UDP", "Unix socket"]


class Station:
    """An agent that listens in every way and a receiver of its metrics."""

    def __init__(self, configuration="include: [tasker]\n"):
        self._configuration = configuration

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.receiver = stack.enter_context(UnixReceiver())
            inputs = "inputs: ['fifo://{dir}/events', 'udp://127.0.0.1:0', 'unix://{dir}/events.sock']\n"
            output = f"outputs: [{{url: '{self.receiver.url}', when_full: block}}]\n"
            self.agent = stack.enter_context(Agent(self._configuration + inputs + output))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    def url(self, transport):
        if transport == "UDP":
            return f"udp://127.0.0.1:{self.agent.ports()[0]}"
        folder = self.agent.directory
        return f"fifo://{folder}/events" if transport == "pipe" else f"unix://{folder}/events.sock"

    def metrics(self, count):
        """That many lines, and no more."""
        lines = self.receiver.lines(count)
        equal(len(lines), count, "the number of metrics")
        return lines


def run(words, to=None, env=None, timeout=DEADLINE, want=0, **options):
    """Runs a program that publishes; its standard output."""
    changes = {"STATSIDECAR_TO": to, "LC_ALL": "C.UTF-8", **(env or {})}
    options.setdefault("input", b"")
    done = subprocess.run(
        list(map(str, words)), capture_output=True, env=environment(changes), timeout=timeout, **options
    )
    if done.returncode != want:
        text = (done.stdout + done.stderr).decode(errors="replace")
        raise Failure(f"exit status {done.returncode}, want {want}\n{text}")
    return done.stdout.decode("utf-8", "replace")
