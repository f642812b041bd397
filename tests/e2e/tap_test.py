"""tap and health: what the running agent sees, told without slowing it down."""

import json
import os
import socket
import subprocess
import threading
from urllib.parse import quote

from admin import PIPE, AdminAgent
from harness import (
    DEADLINE,
    IS_INSTRUMENTED,
    PROGRAM,
    WRAPPER,
    Lines,
    UdpReceiver,
    command,
    contains,
    environment,
    equal,
    main,
    send_unix,
    table,
    test,
    true,
    wait_until,
    write_pipe,
)

TASKER = "include: [tasker]\n" + PIPE + "outputs: [{url: 'udp://127.0.0.1:9', name: main}]\n"
EVENTS = ["step.completed step_name=fetch", "task.failed task_name=nightly", "Nobody:knows", '{"event":', "12 no identifier"]


class Tap:
    """`statsidecar tap`, once it listens."""

    def __init__(self, agent, *arguments):
        explain_beforehand(agent)
        self.process = subprocess.Popen(
            WRAPPER + [PROGRAM, "tap", "--admin", agent.address, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self.stdout = Lines(self.process.stdout)
        wait_until(lambda: agent.page("/api/status")["taps"] == 1, "the tap to listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.stdout.wait_end()
        self.process.stdout.close()
        self.process.stderr.close()


def explain_beforehand(agent):
    """Valgrind translates code when it first runs, which for one event can take more time than a tap may: it would rest then."""
    if WRAPPER:
        for event in EVENTS:
            agent.insist("/api/explain?line=" + quote(event, safe=""))


@test("what it prints is what explain prints")
def _():
    with AdminAgent(TASKER) as agent, Tap(agent, "-n", str(len(EVENTS))) as tap:
        write_pipe(agent.directory / "pipe", *EVENTS)
        equal(tap.process.wait(DEADLINE), 0)
        equal("\n".join(tap.stdout.wait_end()) + "\n", command("explain", "-c", agent.config, *EVENTS).stdout)


@test("--json: what explain --json prints")
def _():
    with AdminAgent(TASKER) as agent, Tap(agent, "--json", "-n", str(len(EVENTS))) as tap:
        write_pipe(agent.directory / "pipe", *EVENTS)
        equal(tap.process.wait(DEADLINE), 0)
        want = command("explain", "--json", "-c", agent.config, *EVENTS).stdout.splitlines()
        equal([json.loads(line) for line in tap.stdout.wait_end()], [json.loads(line) for line in want])


@table(
    [
        ("--match, by canonical identifier", ["--match", "step.*"], ["step.completed step_name=fetch"]),
        ("--match with two stars", ["--match", "**"], EVENTS[:3]),
        ("--outcome", ["--outcome", "mapped"], EVENTS[:2]),
        ("--outcome of lines without identifier", ["--outcome", "malformed"], ['{"event":']),
        ("both", ["--match", "task.*", "--outcome", "mapped"], ["task.failed task_name=nightly"]),
    ]
)
def _(options, want):
    with AdminAgent(TASKER) as agent, Tap(agent, "--json", "-n", str(len(want)), *options) as tap:
        write_pipe(agent.directory / "pipe", *EVENTS)
        equal(tap.process.wait(DEADLINE), 0)
        equal([json.loads(line)["line"] for line in tap.stdout.wait_end()], want)


@table(
    [
        ("an unknown outcome", ["--outcome", "lost"], "outcome is mapped"),
        ("a broken glob", ["--match", "a.**b"], "**"),
        ("no number", ["-n", "many"], "n is a number"),
        ("nothing", ["-n", "0"], "n is a number"),
        ("less than nothing", ["-n", "-1"], "n is a number"),
        ("a number and more", ["-n", "1x"], "n is a number"),
        ("no address", ["--admin", "here"], "no address and port"),
        ("no port", ["--admin", "127.0.0.1:65537"], "no address and port"),
    ]
)
def _(options, why):
    with AdminAgent(TASKER) as agent:
        done = command("tap", "--admin", agent.address, *options)
        contains(done.stderr, why)
        equal(done.returncode, 64, done.stderr)


@test("a line that is ignored has no reason, least of all that of a line which --outcome leaves out")
def _():
    config = TASKER.replace("inputs: ['fifo://{dir}/pipe']", "inputs: [{url: 'fifo://{dir}/pipe', unnamed: ignore}]")
    with AdminAgent(config) as agent, Tap(agent, "--json", "-n", "1", "--outcome", "unnamed") as tap:
        write_pipe(agent.directory / "pipe", '{"event":', '{"x":1}')
        equal(tap.process.wait(DEADLINE), 0)
        (shown,) = [json.loads(line) for line in tap.stdout.wait_end()]
        equal(shown, json.loads(command("explain", "--json", "-c", agent.config, '{"x":1}').stdout))


@test("a datagram that is too long is shown, too")
def _():
    config = TASKER.replace("fifo://{dir}/pipe", "unix://{dir}/socket")
    with AdminAgent(config) as agent, Tap(agent, "--json", "-n", "1", "--outcome", "oversize") as tap:
        send_unix(agent.directory / "socket", b"x" * 65537)
        equal(tap.process.wait(DEADLINE), 0)
        (shown,) = [json.loads(line) for line in tap.stdout.wait_end()]
        equal(shown["why"], "the datagram is longer than 64 KiB")


@test("no agent answers: status 69")
def _():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = command("tap", "--admin", f"127.0.0.1:{taken.getsockname()[1]}")
        equal(done.returncode, 69, done.stderr)
        contains(done.stderr, "no agent answers")


@test("a reload goes on: the next event is told by the new rules")
def _():
    old = PIPE + "outputs: ['udp://127.0.0.1:9']\nrules: [{match: a, metrics: [{counter: old}]}]\n"
    with AdminAgent(old) as agent, Tap(agent, "--json", "-n", "2") as tap:
        write_pipe(agent.directory / "pipe", "a")
        tap.stdout.wait(1)
        agent.configure(old.replace("counter: old", "counter: new") + "admin: 127.0.0.1:0\ntelemetry: off\n")
        agent.send_signal(1)
        wait_until(lambda: agent.page("/api/status")["configuration"]["reloads"]["success"] == 1, "the reload")
        write_pipe(agent.directory / "pipe", "a")
        equal(tap.process.wait(DEADLINE), 0)
        names = [json.loads(line)["rules"][0]["metrics"][0]["name"] for line in tap.stdout.wait_end()]
        equal(names, ["old", "new"])


@test("whoever does not read loses lines, is told how many, and costs the agent nothing")
def _():
    events = 5_000 if IS_INSTRUMENTED else 100_000
    with UdpReceiver() as receiver, AdminAgent(PIPE + f"outputs: ['{receiver.url}']\nrules: [{{match: a, drop: true}}]\n") as agent:
        with agent.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /api/tap HTTP/1.0\r\n\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            before = agent.memory_kib()
            write_all(agent, b"a x=1\n" * 100, events // 100)
            wait_until(lambda: agent.page("/api/status")["received"] == events, "all events")
            if not IS_INSTRUMENTED:
                true(agent.memory_kib() - before < 4096, f"memory grew from {before} to {agent.memory_kib()} KiB")
            shown, lost = head.split(b"\r\n\r\n", 1)[1].count(b'"line"'), 0
            rest = b""
            while shown + lost < events:
                data = client.recv(65536)
                true(data, f"the end after {shown} shown and {lost} lost of {events}")
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    if line.startswith(b'{"lost":'):
                        lost += json.loads(line)["lost"]
                    else:
                        shown += b'"outcome":"dropped"' in line
                if shown + lost < events and not rest:
                    write_pipe(agent.directory / "pipe", "a x=1")  # what is lost is told with what comes next
                    events += 1
            true(shown > 0 and lost > 0, f"{shown} shown, {lost} lost")


def write_all(agent, block, times):
    descriptor = os.open(agent.directory / "pipe", os.O_WRONLY)
    for _ in range(times):
        os.write(descriptor, block)
    os.close(descriptor)


def listen(agent):
    """A client that is told of events; None where the agent says that events come first."""
    client = agent.connect()
    client.sendall(b"GET /api/tap HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = client.recv(4096)
    if b"200 OK" in answer:
        return client
    contains(answer, b"events come first")
    client.close()
    return None


@test("at most sixteen listen; one that goes makes room")
def _():
    with AdminAgent(TASKER) as agent:
        clients = [wait_until(lambda: listen(agent), "to listen") for _ in range(16)]
        answer = wait_until(lambda: (lambda a: a if "events come first" not in a.body else None)(agent.ask("/api/tap")), "an answer")
        equal((answer.status, answer.body), (503, "too many clients listen\n"))
        for client in clients:
            client.close()
        wait_until(lambda: agent.page("/api/status")["taps"] == 0, "room")
        with Tap(agent):
            pass


@test("nobody listens any more: nothing is told, and nothing breaks")
def _():
    with UdpReceiver() as receiver, AdminAgent("include: [tasker]\n" + PIPE + f"outputs: ['{receiver.url}']\n") as agent:
        with Tap(agent) as tap:
            write_pipe(agent.directory / "pipe", "step.completed")
            tap.stdout.wait_for("outcome")
        wait_until(lambda: agent.page("/api/status")["taps"] == 0, "its connection to be closed")
        write_pipe(agent.directory / "pipe", "step.completed")
        wait_until(lambda: agent.page("/api/status")["received"] == 2, "another event")


@test("it ends with the agent")
def _():
    with AdminAgent(TASKER) as agent, Tap(agent) as tap:
        agent.stop()
        equal(tap.process.wait(DEADLINE), 0)


# ---- health ----


@test("health: 0 while it lives, --ready: 1 until it is ready")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://nowhere.invalid:8125']") as agent:
        done = command("health", "--admin", agent.address)
        equal((done.returncode, done.stdout), (0, "ok\n"))
        done = command("health", "--ready", "--admin", agent.address)
        equal(done.returncode, 1)
        contains(done.stdout, "not ready: an output")
        wait_until(lambda: command("health", "--ready", "--admin", f"localhost:{agent.port}").returncode == 0, "ready")


@test("health: 1 where nobody answers, says something else, or nothing")
def _():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        done = command("health", "--admin", address)
        equal((done.returncode, done.stdout), (1, ""))
        contains(done.stderr, "no agent answers")
        listener.listen()
        equal(command("health", "--admin", address).returncode, 1, "silence")

        def babble():
            listener.accept()[0].close()  # the one before
            with listener.accept()[0] as client:
                client.sendall(b"SSH-2.0-nothing\r\n\r\n")
                client.recv(4096)

        thread = threading.Thread(target=babble)
        thread.start()
        equal(command("health", "--admin", address).returncode, 1, "another protocol")
        thread.join()


@table([(f"health: `{address}` is no address", address) for address in ("", ":", "8128", "127.0.0.1", "127.0.0.1:", "host:8128", "[::1:1", "127.0.0.1:0", "127.0.0.1:65536")])
def _(address):
    done = command("health", "--admin", address)
    equal(done.returncode, 1)
    contains(done.stderr, "no address and port")


@test("health and tap: usage")
def _():
    for name in ("health", "tap"):
        equal(command(name, "--unheard-of").returncode, 64)
        equal(command(name, "argument").returncode, 64)
        done = command(name, "--help")
        equal((done.returncode, done.stderr), (0, ""))
        contains(done.stdout, "--admin HOST:PORT")


main()
