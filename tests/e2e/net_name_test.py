"""Outputs by name, across a network: a real DNS server, a receiver that moves, names that come late, as in
Kubernetes."""

import time

import network
from harness import Agent, equal, test, table, total, true, wait_until, write_pipe
from network import Host, NameServer

NAME = "statsd.test"
RULES = """
rules:
  - {match: "n.*", metrics: [{counter: "{event}", value: n}]}
"""


def config_of(options="", host=NAME, scheme="udp"):
    return (
        f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{scheme}://{host}:8125', resolve_interval: 1s{options}}}]"
        + RULES
    )


def send(agent, name, number):
    write_pipe(agent.directory / "pipe", f"{name} n={number}")


def send_until(agent, receiver, name):
    """Events until one arrives: the way there may just be changing. How many it took."""
    sent = 0

    def arrives():
        nonlocal sent
        send(agent, name, sent)
        sent += 1
        return any(line.startswith(name + ":") for line in receiver.all_lines())

    wait_until(arrives, f"{name} at {receiver.url}")
    receiver.received.clear()
    return sent


@table(
    [(f"{v}: the receiver moves to another address, metrics follow with the next answer", v) for v in ("IPv4", "IPv6")]
)
def _(version):
    is_v6 = version == "IPv6"
    with Host() as host, NameServer(host) as server:
        address = host.address_v6 if is_v6 else host.address
        server.know(statsd_test=address(11))
        with Agent(config_of()) as agent:
            with host.receiver(11, is_v6=is_v6) as receiver:
                send_until(agent, receiver, "n.first")
            with host.receiver(12, is_v6=is_v6) as receiver:
                asked = server.questions(NAME)
                server.know(statsd_test=address(12))
                begin = time.monotonic()
                send_until(agent, receiver, "n.second")
                asked = server.questions(NAME) - asked
                print(f"# followed after {time.monotonic() - begin:.2f} s and {asked} questions")
                # Two questions, A and AAAA, a time: one time may have been under way.
                true(asked <= 4, f"it took {asked} questions")
            counters = agent.check_balance()
            equal(total(counters, "statsidecar_output_up"), 1)


@table(
    [
        ("DNS is dead for 15 s at `resolve_interval: 1s`, the kernel says so: nothing stops", "kill", "start"),
        ("DNS is dead for 15 s at `resolve_interval: 1s`, and silent: nothing stops", "stop", "go_on"),
    ]
)
def _(die, come_back):
    with Host() as host, NameServer(host) as server:
        server.know(statsd_test=host.address(11))
        with Agent(config_of()) as agent:
            with host.receiver(11) as receiver:
                send_until(agent, receiver, "n.before")
                # Of those some may have come before the name's first answer.
                dropped = total(agent.counters(), "statsidecar_metrics_total", 'outcome="dropped"')
                getattr(server, die)()
                end = time.monotonic() + 15
                sent, want = 0, []
                while time.monotonic() < end:
                    send(agent, "n.during", sent)
                    want.append(f"n.during:{sent}|c")
                    # In the last datagram, behind others where a busy agent read them at one go.
                    receiver.read_until(
                        lambda: any(want[-1] in last.decode().split("\n") for last in receiver.received[-1:]), want[-1]
                    )
                    sent += 1
                got = [line for line in receiver.all_lines() if line.startswith("n.during")]
                equal(got, want, "each arrives, once")
                agent.stderr.wait_for("does not resolve.*last address is kept")
                counters = agent.check_balance()
                equal(total(counters, "statsidecar_metrics_total", 'outcome="dropped"'), dropped, "dropped")
            # Then the receiver moves, and is found.
            getattr(server, come_back)()
            server.know(statsd_test=host.address(12))
            with host.receiver(12) as receiver:
                send_until(agent, receiver, "n.after")


@test("a name that does not exist at start: the agent starts, counts what it drops, and delivers once it does")
def _():
    with Host() as host, NameServer(host) as server, Agent(config_of()) as agent:
        agent.stderr.wait_for("does not resolve")
        for number in range(10):
            send(agent, "n.lost", number)
        wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") == 10, "the events")
        counters = agent.check_balance()
        equal(total(counters, "statsidecar_metrics_total", 'outcome="dropped"'), 10, "dropped")
        true(total(counters, "statsidecar_output_errors_total", 'error="unresolved"') > 0, "the reason is not counted")
        server.know(statsd_test=host.address(11))
        with host.receiver(11) as receiver:
            send_until(agent, receiver, "n.found")
            true(not any("n.lost" in line for line in receiver.all_lines()), "a dropped metric was sent")


@table(
    [
        (f"{scheme}: a name that does not exist at start, with block: nothing is lost", scheme)
        for scheme in ("udp", "tcp")
    ]
)
def _(scheme):
    with Host() as host, NameServer(host) as server, Agent(config_of(", when_full: block", scheme=scheme)) as agent:
        agent.stderr.wait_for("does not resolve")
        write_pipe(agent.directory / "pipe", *[f"n.kept n={n}" for n in range(2000)])
        equal(total(agent.check_balance(), "statsidecar_metrics_total", 'outcome="dropped"'), 0)
        want = [f"n.kept:{n}|c" for n in range(2000)]
        if scheme == "udp":
            with host.receiver(11) as receiver:
                server.know(statsd_test=host.address(11))
                equal(receiver.lines(2000), want)
            return
        host.add(11)
        with host.listener(11) as listener:
            server.know(statsd_test=host.address(11))
            listener.read_until(want[-1].encode())
            equal(listener.lines(), want)


@test("a short name is looked for in the domains of resolv.conf, as in a cluster")
def _():
    resolv = "search shop.svc.cluster.test svc.cluster.test cluster.test\noptions ndots:5\n"
    with Host() as host, NameServer(host, resolv=resolv) as server:
        server.know(statsd_monitoring_svc_cluster_test=host.address(11))
        with Agent(config_of(host="statsd.monitoring")) as agent, host.receiver(11) as receiver:
            send_until(agent, receiver, "n.short")
            true(server.questions("statsd.monitoring.shop.svc.cluster.test") > 0, "the first domain was not asked for")


@test("a resolv.conf that is written, or changes, while the agent runs is read again")
def _():
    with Host() as host, NameServer(host) as server, host.receiver(11) as receiver:
        server.know(statsd_test=host.address(11))
        resolv = server.directory / "resolv.conf"
        right = resolv.read_text()
        # As at boot: nobody has written it yet.
        resolv.write_text("")
        with Agent(config_of()) as agent:
            agent.stderr.wait_for("does not resolve")
            resolv.write_text(right)
            send_until(agent, receiver, "n.boot")
        # As on the way to another network: its server is gone.
        resolv.write_text(f"nameserver {host.address(99)}\n")
        with Agent(config_of()) as agent:
            agent.stderr.wait_for("does not resolve")
            resolv.write_text(right)
            send_until(agent, receiver, "n.moved")


@test("of several addresses one that nobody listens at is left for another")
def _():
    with Host() as host, NameServer(host) as server, host.receiver(12) as receiver:
        host.add(11)
        server.know(statsd_test=[host.address(11), host.address(12), host.address(11)])
        with Agent(config_of()) as agent:
            send_until(agent, receiver, "n.other")


@test("an address that cannot be reached at all is left for one of the other family")
def _():
    with Host() as host, NameServer(host) as server, host.receiver(12, is_v6=True) as receiver:
        server.know(statsd_test=["203.0.113.9", host.address_v6(12)])
        with Agent(config_of()) as agent:
            send_until(agent, receiver, "n.six")


@test("tcp: of several addresses one that refuses is left for another")
def _():
    with Host() as host, NameServer(host) as server:
        host.add(11)
        host.add(12)
        server.know(statsd_test=[host.address(11), host.address(12)])
        with host.listener(12) as listener, Agent(config_of(scheme="tcp")) as agent:
            listener.accept()
            wait_until(lambda: total(agent.counters(), "statsidecar_output_up") == 1, "the connection")
            send(agent, "n.tcp", 1)
            listener.read_until(b"n.tcp:1|c")


network.main(["dnsmasq-base"])
