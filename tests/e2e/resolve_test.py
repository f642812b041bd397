"""Outputs by name: a DNS server of the test's own, which the agent finds in a resolv.conf of its own (a private mount)."""

import socket

import harness
from harness import UdpReceiver, equal, main, test, total, true, wait_until, write_pipe
from name_server import NAME, NameServer, ResolvingAgent

RULES = """
rules:
  - {match: "r.*", metrics: [{counter: "{event}", value: n}]}
"""
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
