"""`reopen_interval`: a new source port by and by, in a network namespace of the test's own, where an address is not
loopback's and yet nothing leaves the machine."""

import os
import shutil
import socket
import subprocess
import sys

from harness import DEADLINE, Agent, equal, main, skip, table, true, wait_until, write_pipe

INSIDE = "STATSIDECAR_TEST_NAMESPACE"
ADDRESS = "192.0.2.1"
RULES = """
rules:
  - {match: "o.*", metrics: [{counter: "{event}", value: n}]}
"""


def enter_namespace():
    """Runs this file again inside; what it says is our own output."""
    set_up = f'ip link set lo up && ip address add {ADDRESS}/32 dev lo && exec "$@"'
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", "sh", "-c", set_up, "sh", sys.executable, *sys.argv])


def why_not():
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return "unshare(1) or ip(8) is not installed"
    probe = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    return probe.stderr.strip() or None if probe.returncode else None


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
    if INSIDE not in os.environ:
        skip(why_not())
    if changes:
        true(len(ports_seen(host, options, lambda ports, sent: len(ports) > 3)) > 3, "ports")
    else:
        # As many as take a multiple of the interval of the row above.
        equal(len(ports_seen(host, options, lambda ports, sent: sent == 100)), 1, "ports")


if INSIDE not in os.environ and why_not() is None:
    enter_namespace()
main()
