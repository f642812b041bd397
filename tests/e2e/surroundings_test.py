"""What surrounds a running agent: its log, descriptors that it is given or not, users without rights, idleness."""

import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import harness
from harness import (
    DEADLINE,
    PROGRAM,
    QUIET,
    Agent,
    Lines,
    UdpReceiver,
    contains,
    environment,
    equal,
    main,
    need,
    send_udp,
    send_unix,
    skip,
    table,
    temporary_directory,
    test,
    total,
    true,
    wait_until,
    write_pipe,
)

RULES = """
rules:
  - {match: "u.*", metrics: [{counter: "{event}", value: n}]}
"""
TO_NOBODY = "inputs: ['fifo://{dir}/pipe']\noutputs: ['udp://127.0.0.1:9']\n" + RULES


@test("a default input that cannot be opened is a warning; with none at all it ends with 71")
def _():
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        try:
            taken.bind(("127.0.0.1", 8127))
        except OSError:
            skip("the default port is in use by somebody else")
        try:
            done = subprocess.run([PROGRAM, "run"], capture_output=True, text=True, cwd="/", env=environment(), **nobody)
        except PermissionError:
            skip("an unprivileged user may not run the program where it lies")
        if "cannot create the pipe" not in done.stderr:
            skip("somebody runs an agent on the default pipe")
        equal(done.returncode, 71, done.stderr)
        equal(done.stderr.count("is left out"), 2, done.stderr)
        contains(done.stderr, "no input could be opened")


@test("without a default input it is ready nevertheless: nobody has asked for that one")
def _():
    need("unshare", "nsenter", "ip", "mount")
    # No pipe can be made under /run, and the default port is free.
    script = 'mount -t tmpfs -o ro none /run && ip link set lo up && exec "$@"'
    wrapper = ["unshare", "--mount", "--net", "sh", "-c", script, "sh"]
    if subprocess.run(wrapper + ["true"], capture_output=True).returncode != 0:
        skip("no namespaces here")
    before, harness.WRAPPER = harness.WRAPPER, wrapper + harness.WRAPPER
    try:
        with Agent("outputs: ['udp://127.0.0.1:9']\nadmin: 127.0.0.1:0\n" + RULES, quiet=False) as agent:
            agent.stderr.wait_for("ready: 1 of 2 inputs")
            address = agent.stderr.wait_for(r"admin: http://(\S+)/").group(1)
            ask = ["nsenter", f"--net=/proc/{agent.pid}/ns/net", PROGRAM, "health", "--ready", "--admin", address]
            done = subprocess.run(ask, capture_output=True, text=True)
            equal((done.returncode, done.stdout), (0, "ready\n"), done.stderr)
    finally:
        harness.WRAPPER = before


# ---- the log ----


@test("bad lines are logged with their reason, quoted safely, and cut")
def _():
    with Agent("log: {quote: 40}\n" + TO_NOBODY) as agent:
        write_pipe(agent.directory / "pipe", b'{"event":"u.a",\x1b[31m"\n', b'{"event":"' + b"x" * 1000 + b"\n")
        agent.stderr.wait_for(r'malformed line: .*: "\{\\"event\\":\\"u\.a\\",\\x1b\[31m\\""$')
        agent.stderr.wait_for(r'malformed line: .*: "\{\\"event\\":\\"x{30}"…$')


@test("the log in JSON")
def _():
    with Agent("log: {format: json}\n" + TO_NOBODY) as agent:
        write_pipe(agent.directory / "pipe", b'{"event":"\xff\x01"x"}\n')
        agent.stderr.wait_for("malformed")
        agent.stop()
        for line in agent.stderr.all():
            entry = json.loads(line)
            equal(sorted(entry), ["level", "message", "time"])
            true(entry["level"] in ("debug", "info", "warning", "error"), line)


@test("the log's level; USR1 is answered whatever it is")
def _():
    agent = Agent("log: {level: error}\n" + TO_NOBODY)
    agent.start(wait=False)
    try:
        wait_until((agent.directory / "pipe").is_fifo, "the pipe")
        write_pipe(agent.directory / "pipe", "u.a n=1", "{")
        wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") == 2, "the events")
        equal([line for line in agent.stderr.all() if "counters:" not in line], [])
        agent.stop()
    finally:
        if agent.process.poll() is None:
            agent.kill()


@test("masses of bad lines do not fill the log, and what it hid is counted")
def _():
    with Agent(TO_NOBODY) as agent:
        write_pipe(agent.directory / "pipe", *["{"] * 20000)
        wait_until(lambda: agent.outcomes() == {"malformed": 20000}, "the events")
        agent.stop()
        shown = sum("malformed line:" in line for line in agent.stderr.all())
        true(5 <= shown < 20000, f"{shown} lines")
        hidden = re.findall(r"(\d+) (?:similar|more) messages suppressed", "\n".join(agent.stderr.all()))
        equal(shown + sum(map(int, hidden)), 20000, "shown + hidden")


@test("a standard error that nobody reads stops nothing")
def _():
    reader, writer = os.pipe()
    with UdpReceiver() as receiver, temporary_directory() as folder:
        config = pathlib.Path(folder) / "config.yaml"
        config.write_text(f"inputs: ['fifo://{folder}/pipe']\noutputs: ['{receiver.url}']\n" + QUIET + RULES)
        process = subprocess.Popen(
            [PROGRAM, "run", "-c", config], stdin=subprocess.DEVNULL, stderr=writer, env=environment()
        )
        try:
            wait_until(lambda: b"ready" in os.read(reader, 65536), "readiness")
            os.set_blocking(writer, False)
            try:
                while True:
                    os.write(writer, b"x" * 4096)
            except BlockingIOError:
                pass
            # For the agent it is the same open file: back to what it was.
            os.set_blocking(writer, True)
            for _ in range(10):
                process.send_signal(signal.SIGUSR1)
            write_pipe(f"{folder}/pipe", *["{"] * 100, "u.a n=1")
            equal(receiver.lines(1), ["u.a:1|c"])
            process.terminate()
            equal(process.wait(DEADLINE), 0)
        finally:
            process.kill()
            process.wait()
            os.close(reader)
            os.close(writer)


# ---- descriptors ----


class PassedAgent(Agent):
    """Started as a service manager starts it: descriptors from 3 on, and LISTEN_FDS."""

    def __init__(self, descriptors, config, count=None, **options):
        super().__init__(config, **options)
        self.passed = descriptors
        self.count = len(descriptors) if count is None else count

    def start(self, wait=True):
        # Out of the way of 3, 4, … first.
        copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in self.passed]
        moves = " ".join(f"{3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(copies))
        script = f'exec {moves}; LISTEN_FDS={self.count} LISTEN_PID=$$ exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "sh", PROGRAM, "run", *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            pass_fds=copies,
        )
        for fd in copies:
            os.close(fd)
        self.stdout = Lines(self.process.stdout)
        self.stderr = Lines(self.process.stderr)
        if wait:
            self.wait_ready()
        return self


@test("pipe and sockets that are passed are taken over, and a restart loses nothing that is in them")
def _():
    with temporary_directory() as folder, UdpReceiver() as receiver, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as udp, socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        udp.bind(("127.0.0.1", 0))
        unix.bind(f"{folder}/socket")
        os.mkfifo(f"{folder}/pipe")
        pipe = os.open(f"{folder}/pipe", os.O_RDWR | os.O_NONBLOCK)
        udp_port, tcp_port = udp.getsockname()[1], tcp.getsockname()[1]
        config = (
            f"inputs: ['fifo://{folder}/pipe', 'udp://127.0.0.1:{udp_port}', 'tcp://127.0.0.1:{tcp_port}', "
            f"'unix://{folder}/socket']\noutputs: ['{receiver.url}']" + RULES
        )
        for turn in range(3):
            # Nobody runs: what is sent now waits in the descriptors.
            write_pipe(f"{folder}/pipe", f"u.pipe n={turn}")
            send_udp(udp_port, f"u.udp n={turn}")
            send_unix(f"{folder}/socket", f"u.unix n={turn}")
            with socket.create_connection(("127.0.0.1", tcp_port)) as connection:
                connection.sendall(b"u.tcp n=%d\n" % turn)
            with PassedAgent([pipe, unix.fileno(), tcp.fileno(), udp.fileno()], config, directory=folder) as agent:
                equal(sorted(receiver.lines(4)), [f"u.{kind}:{turn}|c" for kind in ("pipe", "tcp", "udp", "unix")])
                if turn == 1:
                    agent.kill()
        true(pathlib.Path(f"{folder}/socket").is_socket(), "the agent removed a socket that is not its own")
        os.close(pipe)


@test("a pipe that was passed is locked no longer than an agent reads it, although the service manager keeps it open")
def _():
    with temporary_directory() as folder, UdpReceiver() as receiver:
        os.mkfifo(f"{folder}/pipe")
        pipe = os.open(f"{folder}/pipe", os.O_RDWR | os.O_NONBLOCK)
        config = f"inputs: ['fifo://{folder}/pipe']\noutputs: ['{receiver.url}']" + RULES
        with PassedAgent([pipe], config) as agent:
            agent.configure(config.replace("/pipe", "/other") + "\n" + QUIET)
            agent.stderr.wait_for("pipe is closed")
            agent.configure(config + "\n" + QUIET)
            agent.stderr.wait_for("other is closed")
            write_pipe(f"{folder}/pipe", "u.a n=1")
            equal(receiver.lines(1), ["u.a:1|c"])
        with PassedAgent([pipe], config):
            pass
        with Agent(config):
            write_pipe(f"{folder}/pipe", "u.a n=2")
            equal(receiver.lines(1), ["u.a:2|c"])
        os.close(pipe)


@test("restarts under load, by a service manager that keeps the descriptors: each event arrives once")
def _():
    count = 20000
    with temporary_directory() as folder, UdpReceiver(buffer_bytes=32 << 20) as receiver, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
        os.mkfifo(f"{folder}/pipe")
        pipe = os.open(f"{folder}/pipe", os.O_RDWR | os.O_NONBLOCK)
        port = udp.getsockname()[1]
        config = f"inputs: ['fifo://{folder}/pipe', 'udp://127.0.0.1:{port}']\noutputs: ['{receiver.url}']" + RULES

        def feed():
            writer = os.open(f"{folder}/pipe", os.O_WRONLY)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for n in range(count):
                    os.write(writer, b"u.pipe n=%d\n" % n)
                    sender.sendto(b"u.udp n=%d" % n, ("127.0.0.1", port))
                    # The receiver is to keep up, whoever else needs the processors.
                    room.acquire()
            os.close(writer)

        room = threading.Semaphore(2000)
        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        lines = []
        restarts = 0

        def take(got):
            lines.extend(got)
            for line in got:
                if line.startswith("u.pipe"):
                    room.release()

        while len(lines) < 2 * count:
            with PassedAgent([pipe, udp.fileno()], config, directory=folder):
                enough = min(2 * count, len(lines) + 4001)
                while len(lines) < enough:
                    take(receiver.lines(1))
            take(receiver.all_lines())
            receiver.received.clear()
            restarts += 1
        feeder.join()
        true(restarts > 3, f"{restarts} restarts")
        for kind in ("pipe", "udp"):
            equal([line for line in lines if "." + kind in line], [f"u.{kind}:{n}|c" for n in range(count)], kind)
        os.close(pipe)


@test("a passed descriptor that no input names is closed with a warning")
def _():
    with socket.create_server(("127.0.0.1", 0)) as tcp, PassedAgent([tcp.fileno()], TO_NOBODY) as agent:
        agent.stderr.wait_for("belongs to no input")


@table(
    [
        ("LISTEN_FDS that says more than there is: the agent's own descriptors are none of them", "99999"),
        ("… and one that says nothing", "-1"),
        ("… or nonsense", "many"),
    ]
)
def _(count):
    with UdpReceiver() as receiver, PassedAgent(
        [], f"inputs: ['fifo://{{dir}}/pipe']\noutputs: ['{receiver.url}']" + RULES, count=count
    ) as agent:
        write_pipe(agent.directory / "pipe", "u.a n=1")
        equal(receiver.lines(1), ["u.a:1|c"])
        true(not any("passed" in line for line in agent.stderr.all()), agent.stderr.all())


@test("without standard descriptors no socket of its own becomes one")
def _():
    with UdpReceiver() as receiver, temporary_directory() as folder:
        config = pathlib.Path(folder) / "config.yaml"
        config.write_text(f"inputs: ['fifo://{folder}/pipe']\noutputs: ['{receiver.url}']\n" + QUIET + RULES)
        script = f'exec "{PROGRAM}" run -c "{config}" <&- >&- 2>&-'
        process = subprocess.Popen(["sh", "-c", script], env=environment())
        try:
            wait_until(pathlib.Path(f"{folder}/pipe").is_fifo, "the pipe")
            write_pipe(f"{folder}/pipe", "{", "u.a n=1")
            equal(receiver.lines(1), ["u.a:1|c"], "the log must not go where metrics go")
            process.terminate()
            equal(process.wait(DEADLINE), 0)
        finally:
            process.kill()
            process.wait()


# ---- idle ----


@test("idle, it sleeps without a time-out")
def _():
    inputs = "inputs: ['fifo://{dir}/pipe', 'udp://127.0.0.1:0', 'tcp://127.0.0.1:0']\n"
    with UdpReceiver() as receiver, Agent(inputs + f"outputs: ['{receiver.url}']" + RULES) as agent:
        write_pipe(agent.directory / "pipe", "u.a n=1")
        receiver.lines(1)

        def call():
            try:
                words = pathlib.Path(f"/proc/{agent.pid}/syscall").read_text().split()
            except OSError as error:
                skip(f"/proc/PID/syscall is not to be read here: {error}")
            return len(words) > 4 and words

        # epoll_wait(descriptor, events, count, time-out): the number of the call differs between machines.
        equal(int(wait_until(call, "the agent to sleep")[4], 16) & 0xFFFFFFFF, 0xFFFFFFFF, "the time-out")


main()
