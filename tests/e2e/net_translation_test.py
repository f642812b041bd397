"""The trap of connection tracking: where addresses are translated on the way (a Kubernetes service), the kernel
remembers for each source port which receiver it led to, and every datagram makes it remember for longer. With
`reopen_interval` the metrics come back when that receiver is gone, without it they do not."""

import socket

import network
from harness import Agent, UdpReceiver, equal, test, true, wait_until, write_pipe
from network import Host, Translation

SERVICE = "203.0.113.1"
RULES = """
rules:
  - {match: "t.*", metrics: [{counter: "{event}", value: n}]}
"""


def lead_to(translation, address):
    """The service's two ports, as kube-proxy would do it."""
    translation.run("-t", "nat", "-F", "OUTPUT")
    for port in (8125, 8126):
        translation.run(
            "-t", "nat", "-A", "OUTPUT", "-d", SERVICE, "-p", "udp", "--dport", port,
            "-j", "DNAT", "--to-destination", f"{address}:{port}",
        )  # fmt: skip


class Pod(UdpReceiver):
    """A receiver on one of the host's addresses that notes the source ports of what it gets."""

    def __init__(self, host, number, port):
        self.ports = set()
        with host.inside():
            super().__init__(host.address(number), port)

    def _take(self):
        try:
            while True:
                datagram, sender = self.socket.recvfrom(65536)
                self.received.append(datagram)
                self.ports.add(sender[1])
        except BlockingIOError:
            pass

    def count(self):
        return len(self.all_lines())


@test("a service's receiver goes away: with reopen_interval metrics reach the next one, without it they do not")
def _():
    outputs = (
        f"{{url: 'udp://{SERVICE}:8125', name: reopens, reopen_interval: 500ms}}, "
        f"{{url: 'udp://{SERVICE}:8126', name: keeps, reopen_interval: off}}"
    )
    translation = Translation()
    with Host() as host, Agent(f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{outputs}]" + RULES) as agent:
        host.add(11)
        host.add(12)
        network.run("ip", "route", "add", f"{SERVICE}/32", "via", host.address(11))
        lead_to(translation, host.address(11))

        def send_until(condition, what):
            def send():
                write_pipe(agent.directory / "pipe", "t.a n=1")
                return condition()

            wait_until(send, what)

        with Pod(host, 11, 8125) as reopens, Pod(host, 11, 8126) as keeps:
            send_until(lambda: reopens.count() and keeps.count(), "metrics at the first receiver")
            # It vanishes without a word, and the service leads to another.
            translation.run_on(host, "-A", "INPUT", "-d", host.address(11), "-j", "DROP")
            before = reopens.count(), keeps.count()
            lead_to(translation, host.address(12))
            with Pod(host, 12, 8125) as next_of_reopens, Pod(host, 12, 8126) as next_of_keeps:
                send_until(
                    lambda: next_of_reopens.count() and len(next_of_reopens.ports) >= 5,
                    "metrics at the second receiver, from five source ports",
                )
                equal(next_of_keeps.count(), 0, "metrics of the output that keeps its port")
                equal((reopens.count(), keeps.count()), before, "metrics at the receiver that is gone")
                equal(len(keeps.ports), 1, "source ports of the output that keeps its port")
                # It is the kernel's memory that is in the way, nothing else: a sender of its own arrives.
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                    other.sendto(b"t.other:1|c", (SERVICE, 8126))
                    equal(next_of_keeps.lines(1), ["t.other:1|c"])
                true(
                    f"sport={keeps.ports.pop()} dport=8126" in conntrack(), "the kernel does not remember the old port"
                )


def conntrack():
    with open("/proc/net/nf_conntrack") as table:
        return table.read()


network.main(["iptables"])
