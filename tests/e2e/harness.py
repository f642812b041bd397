"""What the end-to-end tests share: TAP, agents that run, receivers of what they send. Standard library only.

A test file is a list of functions and a last line:

    from harness import Agent, UdpReceiver, equal, main, test

    @test("an event from the pipe leaves as a datagram")
    def _():
        with UdpReceiver() as receiver, Agent(f"outputs: [{receiver.url}]") as agent:
            ...
            equal(receiver.lines(2), ["a:1|c", "b:1|c"])

    main()

Each function is one line of TAP; what it raises is the failure's diagnostics, skip("why") skips it. Nothing here
sleeps for a while and hopes: everything waits for the thing itself, up to DEADLINE, which only a failure reaches.

STATSIDECAR names the program under test, STATSIDECAR_WRAPPER what it is run by (`valgrind …`).
"""

import collections
import fcntl
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

DEADLINE = float(os.environ.get("STATSIDECAR_DEADLINE", "60"))
SOURCE = pathlib.Path(os.environ.get("srcdir") or pathlib.Path(__file__).parents[2]).resolve()
PROGRAM = str(pathlib.Path(os.environ.get("STATSIDECAR") or SOURCE / "build" / "statsidecar").resolve())  # agents run elsewhere
WRAPPER = shlex.split(os.environ.get("STATSIDECAR_WRAPPER", ""))
# Under sanitizers or valgrind, memory and the list of system calls are not the agent's own.
IS_INSTRUMENTED = bool(WRAPPER) or bool(os.environ.get("STATSIDECAR_SANITIZERS"))

# Nothing but what a test asks for: no HTTP port, no metrics of the agent's own.
QUIET = "admin: off\ntelemetry: off\n"

# What the agent reads of the environment would change its defaults.
AGENT_VARIABLES = re.compile(r"^(DD_|STATSD_|STATSIDECAR_|LISTEN_|NOTIFY_SOCKET|WATCHDOG_)")


# ---- TAP ----


class Skip(Exception):
    """The test cannot be run here; the text says why."""


class Failure(AssertionError):
    """What was found is not what was wanted; the text says both."""


_tests = []


def test(name):
    """Registers the function below as one line of TAP."""

    def register(function):
        _tests.append((name, function))
        return function

    return register


def table(rows):
    """One test a row: rows are (name, arguments…), the function below is called with the arguments."""

    def register(function):
        for name, *arguments in rows:
            _tests.append((name, lambda arguments=arguments: function(*arguments)))
        return function

    return register


def replace_tests(function):
    """Every test so far does this instead, under its own name."""
    _tests[:] = [(name, function) for name, _ in _tests]


def skip(why):
    raise Skip(why)


def equal(got, want, what=""):
    if got != want:
        raise Failure(f"{what + chr(10) if what else ''}got:  {got!r}\nwant: {want!r}")


def true(condition, what):
    if not condition:
        raise Failure(what)


def contains(text, part, what=""):
    if part not in text:
        raise Failure(f"{what + chr(10) if what else ''}got:  {text!r}\nwant in it: {part!r}")


def _diagnose(text):
    for line in str(text).splitlines():
        print("# " + line)


def _heed_signals():
    """Under nohup, or in the background of a script, some signals are ignored: programs under test would inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main():
    """Runs every registered test, or those whose names contain one of the command line's arguments."""
    _heed_signals()
    wanted = [t for t in _tests if len(sys.argv) == 1 or any(part in t[0] for part in sys.argv[1:])]
    failed = 0
    print(f"1..{len(wanted)}")
    for number, (name, function) in enumerate(wanted, 1):
        name = name.replace("#", "\\#")
        try:
            function()
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}")
        except Failure as failure:
            failed += 1
            print(f"not ok {number} - {name}")
            _diagnose(failure)
        except Exception:  # the next test is run whatever happened in this one
            failed += 1
            print(f"not ok {number} - {name}")
            _diagnose(traceback.format_exc())
        else:
            print(f"ok {number} - {name}")
        sys.stdout.flush()
    sys.exit(1 if failed else 0)


# ---- waiting ----


def wait_until(condition, what, timeout=DEADLINE):
    """Looks again and again until condition() gives something true, and returns that; for things that cannot be waited
    for by a descriptor (a file's content, /proc)."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {timeout:g} s in vain for {what}")
        select.select([], [], [], 0.005)


class Lines:
    """The lines of a pipe, collected by a thread so that the process at its other end never waits for the test."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._lines = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self):
        for line in self._pipe:
            with self._changed:
                self._lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self):
        with self._changed:
            return list(self._lines)

    def wait(self, count, timeout=DEADLINE):
        """At least count lines; all there are by then."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._lines) >= count or self._ended, timeout)
            if len(self._lines) < count:
                raise Failure(f"{count} lines wanted, got {len(self._lines)}:\n" + "\n".join(self._lines[-20:]))
            return list(self._lines)

    def wait_for(self, pattern, timeout=DEADLINE):
        """The first match of the regular expression in any line, those that are there already included."""
        expression = re.compile(pattern)

        def found():
            return next(filter(None, map(expression.search, self._lines)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, timeout)
            match = found()
            if match is None:
                raise Failure(f"no line matches {pattern!r}:\n" + "\n".join(self._lines[-20:]))
            return match

    def wait_end(self, timeout=DEADLINE):
        self._thread.join(timeout)
        return self.all()


# ---- the program ----


def temporary_directory():
    return tempfile.TemporaryDirectory(prefix="statsidecar-")


def environment(changes=None):
    """The test's environment without what the agent takes its defaults from; a change to None removes a variable."""
    result = {k: v for k, v in os.environ.items() if not AGENT_VARIABLES.match(k)}
    for name, value in (changes or {}).items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def command(*arguments, input=None, env=None, cwd=None, timeout=DEADLINE):
    """Runs the program to its end: .returncode, .stdout, .stderr (text)."""
    if isinstance(input, str):
        input = input.encode()
    done = subprocess.run(
        WRAPPER + [PROGRAM, *map(str, arguments)],
        input=b"" if input is None else input,
        capture_output=True,
        env=environment(env),
        cwd=cwd,
        timeout=timeout,
    )
    done.stdout = done.stdout.decode("utf-8", "backslashreplace")
    done.stderr = done.stderr.decode("utf-8", "backslashreplace")
    return done


class Agent:
    """A running agent, in a `with`: started with a configuration in a directory of its own, ready inside the block,
    stopped by TERM behind it with its exit status checked.

    In the configuration `{dir}` stands for the directory (no other braces are touched). .stdout and .stderr are Lines;
    with an open file as stdout, what goes there is not collected.
    """

    log_kind = Lines

    def __init__(
        self,
        config=None,
        arguments=(),
        quiet=True,
        env=None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        directory=None,
        program=PROGRAM,
    ):
        self._own_directory = None if directory else temporary_directory()
        self.directory = pathlib.Path(directory or self._own_directory.name)
        self.arguments = list(map(str, arguments))
        self.env = env
        self.stdin = stdin
        self.stdout_target = stdout
        self.program = program
        self.process = None
        if config is not None:
            self.config = self.directory / "statsidecar.yaml"
            self.configure(config + ("\n" + QUIET if quiet else ""))
            self.arguments = ["-c", str(self.config)] + self.arguments

    def configure(self, text):
        self.config.write_text(text.replace("{dir}", str(self.directory)))

    def start(self, wait=True):
        self.process = subprocess.Popen(
            WRAPPER + [self.program, "run", *self.arguments],
            stdin=self.stdin,
            stdout=self.stdout_target,
            stderr=subprocess.PIPE,
            env=environment(self.env),
            cwd=self.directory,
        )
        self.stdout = Lines(self.process.stdout or ())
        self.stderr = self.log_kind(self.process.stderr)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        self.stderr.wait_for(r"\bready\b")

    @property
    def pid(self):
        return self.process.pid

    def send_signal(self, number):
        self.process.send_signal(number)

    def _wait_state(self, letters, what):
        wait_until(lambda: re.search(rf"\) [{letters}] ", pathlib.Path(f"/proc/{self.pid}/stat").read_text()), what)

    def freeze(self):
        """Stops it like a debugger, until thaw(): what happens meanwhile happens before it takes another step."""
        self.send_signal(signal.SIGSTOP)
        self._wait_state("Tt", "the agent to stop")

    def wait_asleep(self):
        """What it was doing is over."""
        self._wait_state("S", "the agent to sleep")

    def thaw(self):
        self.send_signal(signal.SIGCONT)

    def wait(self, timeout=DEADLINE):
        """The exit status, negative after a signal; the outputs are complete then."""
        status = self.process.wait(timeout)
        self.stdout.wait_end()
        self.stderr.wait_end()
        return status

    def stop(self, number=signal.SIGTERM, want=0):
        self.send_signal(number)
        status = self.wait()
        if status != want:
            raise Failure(f"exit status {status}, want {want}\n" + "\n".join(self.stderr.all()[-40:]))

    def kill(self):
        self.process.kill()
        self.wait()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self._clean()
            raise

    def __exit__(self, kind, value, trace):
        try:
            if kind is None and self.process.poll() is None:
                self.stop()
            if kind is None:
                forbidden = [line for line in self.stderr.all() if "sandbox: system call" in line]
                equal(forbidden, [], "the agent needs what its sandbox forbids")
            elif kind is not None:
                _diagnose("\n".join(["the agent's log:"] + self.stderr.all()[-40:]))
        finally:
            self._clean()

    def _clean(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        if self.process is not None:
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()
        if self._own_directory is not None:
            self._own_directory.cleanup()

    # -- what it says of itself --

    def counters(self):
        """Its own counters now: a Counter whose keys are `name` or `name{label="value"}`; absent ones are 0."""
        before = sum("counters: end" in line for line in self.stderr.all())
        self.send_signal(signal.SIGUSR1)

        def answers():
            lines = self.stderr.all()
            ends = [i for i, line in enumerate(lines) if "counters: end" in line]
            return lines[ends[before - 1] + 1 if before else 0 : ends[before]] if len(ends) > before else None

        found = collections.Counter()
        for line in wait_until(answers, "the counters in the log"):
            if "counters: " in line:
                for key, value in re.findall(r'(statsidecar_\w+(?:\{(?:"(?:[^"\\]|\\.)*"|[^"}])*\})?) (\d+)', line):
                    found[key] = int(value)
        return found

    def outcomes(self):
        """Events by outcome, those that there are."""
        prefix = 'statsidecar_events_total{outcome="'
        return {k[len(prefix) : -2]: v for k, v in self.counters().items() if k.startswith(prefix) and v}

    def check_balance(self, counters=None):
        """Everything received has an outcome; returns the counters."""
        counters = counters or self.counters()
        equal(
            total(counters, "statsidecar_events_total"),
            total(counters, "statsidecar_events_received_total"),
            "events by outcome, events received",
        )
        return counters

    # -- what the kernel knows of it --

    def descriptors(self):
        """What each open descriptor is: `pipe:[1]`, `socket:[2]`, paths."""
        folder = f"/proc/{self.pid}/fd"
        result = {}
        for name in os.listdir(folder):
            try:
                result[int(name)] = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:
                pass
        return result

    def ports(self, kind="udp"):
        """The local ports that its inputs of a kind (udp, tcp) are bound to, in the order of their opening: an input on
        port 0 says nowhere else which one it got. Sockets that are connected (outputs) do not count."""
        sockets = {target[8:-1]: number for number, target in self.descriptors().items() if target[:8] == "socket:["}
        found = []
        for family in ("", "6"):
            for row in pathlib.Path(f"/proc/{self.pid}/net/{kind}{family}").read_text().splitlines()[1:]:
                columns = row.split()
                local, remote, inode = columns[1], columns[2], columns[9]
                if inode in sockets and int(remote.rsplit(":", 1)[1], 16) == 0 and local[-4:] != "0000":
                    found.append((sockets[inode], int(local.rsplit(":", 1)[1], 16)))
        return [port for _, port in sorted(found)]

    def memory_kib(self, what="VmRSS"):
        for row in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if row.startswith(what + ":"):
                return int(row.split()[1])
        raise Failure(f"/proc/{self.pid}/status has no {what}")


def total(counters, name, label=""):
    """The sum of a counter over its labels, of those that contain `label="value"` alone where that is given."""
    return sum(v for k, v in counters.items() if k.split("{")[0] == name and label in k)


def stated_memory_kib(config):
    """What `check --print` says that an agent with this configuration takes at most."""
    done = command("check", "--print", "-c", config)
    sizes = re.findall(r"^#   .*?(\d+) KiB$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or len(sizes) < 3:
        raise Failure(f"no memory is stated: {done.stderr}{done.stdout[-400:]}")
    return sum(map(int, sizes))


# ---- senders ----


def write_pipe(path, *lines):
    """Writes each line in one write(2), as an application would."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        for line in lines:
            os.write(descriptor, line.encode() + b"\n" if isinstance(line, str) else line)
    finally:
        os.close(descriptor)


def send_udp(port, *datagrams, host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram.encode() if isinstance(datagram, str) else datagram, (host, port))


def send_unix(path, *datagrams):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram.encode() if isinstance(datagram, str) else datagram, str(path))


# ---- receivers ----


class Receiver:
    """A datagram socket that the agent sends to. .url goes into the configuration."""

    def __init__(self, socket_, url, buffer_bytes=4 << 20):
        self.socket = socket_
        self.url = url
        self.received = []  # datagrams, in order
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _take(self):
        try:
            while True:
                self.received.append(self.socket.recv(65536))
        except BlockingIOError:
            pass

    def read_until(self, condition, what, timeout=DEADLINE):
        """Receives until condition() holds."""
        end = time.monotonic() + timeout
        self._take()
        while not condition():
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                last = [repr(datagram) for datagram in self.received[-20:]]
                raise Failure("\n".join([f"waited {timeout:g} s in vain for {what}; the last datagrams:"] + last))
            self._take()

    def all_lines(self):
        """Every line received so far; does not wait, but takes what has arrived."""
        self._take()
        return [line.decode("utf-8", "backslashreplace") for d in self.received for line in d.split(b"\n") if line]

    def lines(self, count):
        """Waits for at least count lines; returns all there are by then and forgets them."""
        self.read_until(lambda: sum(len(d.split(b"\n")) for d in self.received) >= count, f"{count} lines")
        lines = self.all_lines()
        self.received.clear()
        return lines

    def datagrams(self, count):
        """Waits for at least count datagrams; returns all there are by then and forgets them."""
        self.read_until(lambda: len(self.received) >= count, f"{count} datagrams")
        datagrams, self.received = self.received, []
        return datagrams


class UdpReceiver(Receiver):
    def __init__(self, host="127.0.0.1", port=0, **options):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket_ = socket.socket(family, socket.SOCK_DGRAM)
        socket_.bind((host, port))
        self.port = socket_.getsockname()[1]
        super().__init__(socket_, f"udp://{f'[{host}]' if ':' in host else host}:{self.port}", **options)


class UnixReceiver(Receiver):
    """In a directory of its own unless a path is given."""

    def __init__(self, path=None, **options):
        self._directory = None if path else temporary_directory()
        self.path = str(path or pathlib.Path(self._directory.name) / "statsd.sock")
        socket_ = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        socket_.bind(self.path)
        super().__init__(socket_, "unix://" + self.path, **options)

    def __exit__(self, *_):
        super().__exit__()
        if self._directory is not None:
            self._directory.cleanup()


# ---- surroundings ----


def need(*programs):
    """Skips the test where a program is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            skip(f"{program} is not installed")


def need_pipe_size(size):
    """Skips the test where the kernel gives no pipe of so many bytes."""
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, size)
    except OSError as error:
        skip(f"no pipe of {size} bytes here: {error}")
    finally:
        os.close(reader)
        os.close(writer)
