"""Source ports, in a network namespace of the test's own, where an address is not loopback's and yet nothing leaves the
machine: `reopen_interval` takes a new one by and by, and none is that of the receiver itself."""

import pathlib
import socket

import namespace
from harness import DEADLINE, Agent, equal, table, test, true, wait_until, write_pipe
from stream_receiver import Listener

ADDRESS = "192.0.2.1"
RULES = """
rules:
  - {match: "o.*", metrics: [{counter: "{event}", value: n}]}
"""


def ports_seen(host, options, enough):
    """Sends until enough(ports) holds; the different source ports in their order."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((host, 0))
        receiver.settimeout(DEADLINE)
        url = f"udp://{host}:{receiver.getsockname()[1]}"
        config = f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{url}'{options}}}]" + RULES
        ports, sent = [], 0
        with Agent(config) as agent:

            def send_one():
                nonlocal sent
                write_pipe(agent.directory / "pipe", f"o.a n={sent}")
                data, sender = receiver.recvfrom(2048)
                equal(data, b"o.a:%d|c" % sent, "each one arrives, once, whatever the port")
                sent += 1
                if not ports or ports[-1] != sender[1]:
                    ports.append(sender[1])
                return enough(ports, sent)

            wait_until(send_one, "enough ports")
        return ports


@table(
    [
        ("another host: new ports", ADDRESS, ", reopen_interval: 100ms", True),
        ("another host, off: one port", ADDRESS, ", reopen_interval: off", False),
        ("another host, default: one port for now", ADDRESS, "", False),
        ("loopback: one port", "127.0.0.1", ", reopen_interval: 100ms", False),
    ]
)
def _(host, options, changes):
    if changes:
        true(len(ports_seen(host, options, lambda ports, sent: len(ports) > 3)) > 3, "ports")
    else:
        # As many as take a multiple of the interval of the row above.
        equal(len(ports_seen(host, options, lambda ports, sent: sent == 100)), 1, "ports")


def listener_at(port):
    try:
        return Listener("tcp", ("127.0.0.1", port))
    except OSError:  # a connection that has just met itself
        return None


@test("tcp: a connection from the very port that nobody listens at yet is none")
def _():
    port, ports_of_clients = 40000, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
    ports_of_clients.write_text(f"{port} {port}")
    config = f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: 'tcp://127.0.0.1:{port}', when_full: block}}]" + RULES
    with Agent(config) as agent:
        agent.stderr.wait_for("is away: Connection refused")
        write_pipe(agent.directory / "pipe", "o.a n=1")
        with wait_until(lambda: listener_at(port), "the port") as listener:
            ports_of_clients.write_text(f"{port} {port + 10}")
            listener.accept()
            equal(listener.connection.recv(64), b"o.a:1|c\n")


namespace.main([["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"]])
