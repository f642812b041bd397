"""Outputs by name: a DNS server of the test's own, which the agent finds in a resolv.conf of its own (a private mount)."""

import os
import shutil
import socket
import struct
import subprocess
import threading

import harness
from harness import (
    Agent,
    UdpReceiver,
    equal,
    main,
    skip,
    test,
    total,
    true,
    wait_until,
    write_pipe,
)

RULES = """
rules:
  - {match: "r.*", metrics: [{counter: "{event}", value: n}]}
"""
NAME = "receiver.statsidecar.test"


class NameServer:
    """Answers A questions for NAME with .address, one or a list: None is NXDOMAIN; silent while .is_dead."""

    def __init__(self, address):
        self.address = address
        self.is_dead = False
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                question, sender = self.socket.recvfrom(512)
            except OSError:
                return
            self.asked += 1
            if not self.is_dead:
                self.socket.sendto(self._answer(question), sender)

    def _answer(self, question):
        end = question.index(b"\0", 12) + 5
        name, kind = question[12 : end - 4], struct.unpack(">H", question[end - 4 : end - 2])[0]
        # Resolvers write names in random case, against forged answers.
        is_known = self.address is not None and name.lower() == b"".join(
            bytes([len(part)]) + part.encode() for part in NAME.split(".")
        ) + b"\0"
        addresses = [self.address] if isinstance(self.address, str) else self.address
        answers = list(map(socket.inet_aton, addresses)) if is_known and kind == 1 else []
        head = question[:2] + struct.pack(">HHHHH", 0x8180 if is_known else 0x8183, 1, len(answers), 0, 0)
        return head + question[12:end] + b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, len(answer)) + answer for answer in answers
        )


class ResolvingAgent(Agent):
    """An agent that sees the name server and nothing else."""

    def __init__(self, server, config, **options):
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            skip("a mount of its own needs root and unshare(1)")
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
            skip("unshare --mount is not allowed here")
        super().__init__(config, **options)
        resolv = self.directory / "resolv.conf"
        resolv.write_text(f"nameserver 127.0.0.1:{server.port}\n")
        script = f'mount --bind "{resolv}" /etc/resolv.conf && exec "$@"'
        self.wrapper = ["unshare", "--mount", "sh", "-c", script, "sh"]

    def start(self, wait=True):
        before = harness.WRAPPER
        harness.WRAPPER = self.wrapper + before
        try:
            return super().start(wait)
        finally:
            harness.WRAPPER = before


def config_of(port, scheme="udp", options=""):
    return (
        "inputs: ['fifo://{dir}/pipe']\n"
        f"outputs: [{{url: '{scheme}://{NAME}:{port}', resolve_interval: 1s{options}}}]" + RULES
    )


def send_until(agent, receiver, name):
    """Events until one arrives: the way there may just be changing."""

    def try_once():
        write_pipe(agent.directory / "pipe", f"{name} n=1")
        return any(line.startswith(name + ":") for line in receiver.all_lines())

    wait_until(try_once, f"{name} at {receiver.url}")


@test("a name is resolved, and metrics follow it to another address")
def _():
    with NameServer("127.0.0.1") as server, UdpReceiver("127.0.0.1") as first, UdpReceiver(
        "127.0.0.2", port=first.port
    ) as second, ResolvingAgent(server, config_of(first.port)) as agent:
        send_until(agent, first, "r.first")
        server.address = "127.0.0.2"
        send_until(agent, second, "r.second")
        counters = agent.check_balance()
        equal(total(counters, "statsidecar_output_up"), 1)


@test("a name server that dies changes nothing: the last good address is kept")
def _():
    with NameServer("127.0.0.1") as server, UdpReceiver("127.0.0.1") as receiver, ResolvingAgent(
        server, config_of(receiver.port)
    ) as agent:
        send_until(agent, receiver, "r.before")
        server.is_dead = True
        agent.stderr.wait_for("does not resolve.*last address is kept")
        receiver.all_lines()
        receiver.received.clear()
        for number in range(10):
            write_pipe(agent.directory / "pipe", f"r.during n={number}")
            equal(receiver.lines(1), [f"r.during:{number}|c"])
        server.is_dead = False
        server.address = None
        agent.stderr.wait_for("does not resolve")
        write_pipe(agent.directory / "pipe", "r.after n=1")
        equal(receiver.lines(1), ["r.after:1|c"])


@test("a name that does not exist at start: the agent starts, counts, and delivers once it does")
def _():
    with NameServer(None) as server, UdpReceiver("127.0.0.1") as receiver, ResolvingAgent(
        server, config_of(receiver.port)
    ) as agent:
        agent.stderr.wait_for("does not resolve")
        write_pipe(agent.directory / "pipe", "r.lost n=1")
        wait_until(lambda: total(agent.counters(), "statsidecar_output_errors_total", "unresolved") == 1, "the drop")
        server.address = "127.0.0.1"
        send_until(agent, receiver, "r.found")
        true(not any(line.startswith("r.lost") for line in receiver.all_lines()), "a dropped metric was sent")


@test("with block nothing is lost until the name exists")
def _():
    with NameServer(None) as server, UdpReceiver("127.0.0.1") as receiver, ResolvingAgent(
        server, config_of(receiver.port, options=", when_full: block")
    ) as agent:
        write_pipe(agent.directory / "pipe", *[f"r.a n={n}" for n in range(500)])
        agent.stderr.wait_for("does not resolve")
        equal(total(agent.counters(), "statsidecar_metrics_total"), 0)
        server.address = "127.0.0.1"
        equal(receiver.lines(500), [f"r.a:{n}|c" for n in range(500)])


@test("tcp: a name, and another address")
def _():
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(
        ("127.0.0.2", first.getsockname()[1])
    ) as second, NameServer("127.0.0.1") as server, ResolvingAgent(
        server, config_of(first.getsockname()[1], "tcp")
    ) as agent:
        first.settimeout(harness.DEADLINE)
        second.settimeout(harness.DEADLINE)
        with first.accept()[0] as connection:
            wait_until(lambda: total(agent.counters(), "statsidecar_output_up") == 1, "the connection")
            write_pipe(agent.directory / "pipe", "r.a n=1")
            connection.settimeout(harness.DEADLINE)
            equal(connection.recv(100), b"r.a:1|c\n")
            server.address = "127.0.0.2"
            with second.accept()[0] as other:
                wait_until(lambda: total(agent.counters(), "statsidecar_output_up") == 1, "the connection")
                write_pipe(agent.directory / "pipe", "r.b n=2")
                other.settimeout(harness.DEADLINE)
                equal(other.recv(100), b"r.b:2|c\n")


@test("of several addresses one that nobody listens at is left for another, which is kept")
def _():
    with UdpReceiver("127.0.0.2") as receiver, NameServer(["127.0.0.1", "127.0.0.2", "127.0.0.3"]) as server, ResolvingAgent(
        server, config_of(receiver.port)
    ) as agent:
        send_until(agent, receiver, "r.a")
        asked = server.asked
        wait_until(lambda: server.asked >= asked + 4, "two more answers")
        receiver.all_lines()
        receiver.received.clear()
        write_pipe(agent.directory / "pipe", "r.b n=1")
        equal(receiver.lines(1), ["r.b:1|c"])


@test("it is asked again every resolve_interval, and not more often")
def _():
    with NameServer("127.0.0.1") as server, UdpReceiver("127.0.0.1") as receiver, ResolvingAgent(
        server, config_of(receiver.port).replace("1s", "1h")
    ) as agent:
        send_until(agent, receiver, "r.a")
        asked = server.asked
        for number in range(100):
            write_pipe(agent.directory / "pipe", f"r.b n={number}")
            receiver.lines(1)
        equal(server.asked, asked, "questions")


main()
