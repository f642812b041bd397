"""Half a minute in which nothing happens: the agent sleeps, but for its resolver and its watchdog. Judged by its system calls."""

import os
import re
import socket

from admin import AdminAgent
from harness import (
    DEADLINE,
    UdpReceiver,
    equal,
    main,
    send_udp,
    send_unix,
    temporary_directory,
    test,
    true,
    wait_until,
    write_pipe,
)
from name_server import NAME, NameServer, ResolvingAgent
from system_calls import WAITS, Trace

SECONDS = 30
QUESTION = NAME.split(".")[1]  # as it stands in a question, behind its length, 11
BEAT_S = 5

INPUTS = """
inputs: ['fifo://{dir}/pipe', 'udp://127.0.0.1:0', 'unix://{dir}/socket', 'unixstream://{dir}/stream', 'tcp://127.0.0.1:0']
include: [tasker, tasker-lifecycles]
"""
# The admin pages are there, and were asked; no metrics of the agent's own.
ADMIN = "admin: 127.0.0.1:0\ntelemetry: off\n"


class IdleAgent(AdminAgent, ResolvingAgent):
    """Every kind of input is open, has brought something, and is in the middle of a line where it can be."""

    def __init__(self, server, outputs, **options):
        ResolvingAgent.__init__(self, server, INPUTS + f"outputs: {outputs}\n" + ADMIN, quiet=False, **options)

    def use(self):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect(f"{self.directory}/stream")
        tcp = socket.create_connection(("127.0.0.1", self.input_port("tcp")))
        self.peers = [stream, tcp]
        for peer in self.peers:
            peer.sendall(b"step.execution_requested task_id=1 step_id=1\nstep.compl")
        write_pipe(self.directory / "pipe", "task.start_requested task_id=1", "=", b"step.fai")
        send_udp(self.input_port("udp"), "nobody.knows")
        send_unix(self.directory / "socket", "step.failed task_id=1 step_id=2")
        equal(self.ask("/metrics").status, 200)
        wait_until(lambda: sum(self.outcomes().values()) == 6, "six events")

    def input_port(self, kind):
        return int(self.stderr.wait_for(rf"input {kind}://127\.0\.0\.1:0 listens on port (\d+)").group(1))

    def __exit__(self, *how):
        for peer in getattr(self, "peers", ()):
            peer.close()
        super().__exit__(*how)


class Watchdog:
    """The service manager's side: a message each BEAT_S seconds is the test's clock."""

    def __init__(self):
        self._directory = temporary_directory()
        self.path = f"{self._directory.name}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(DEADLINE)
        self.variables = {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(2 * BEAT_S * 1_000_000)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self._directory.cleanup()

    def wait_beats(self, count):
        while count > 0:
            count -= self.socket.recv(4096) == b"WATCHDOG=1"


def wakes(calls):
    """What was done between two waits; and how long, in milliseconds, the second one may last."""
    woken, done = False, []
    for name, text, _ in calls:
        if name not in WAITS:
            done.append(f"{name}({text})")
            continue
        timeout_ms = int(re.search(r"(-?\d+)$", text).group(1))
        if woken:
            yield done, timeout_ms
        woken, done = True, []


def why(done, timeout_ms):
    """What it woke up for."""
    text = " ".join(done).lower()
    if "watchdog=1" in text:
        return "watchdog"
    if f"\\v{QUESTION}" in text:
        return "resolver"
    if not done and 0 <= timeout_ms <= 10:
        return "early"  # the loop's clock is a coarse one: it looks again a moment later
    return f"nothing: {done}, then it waits for {timeout_ms} ms"


@test(f"idle for {SECONDS} s it wakes up for its resolver and its watchdog alone; where it has neither, not once")
def _():
    with NameServer("127.0.0.1") as server, UdpReceiver() as receiver, Watchdog() as watchdog, socket.create_server(
        ("127.0.0.1", 0)
    ) as listener:
        by_name = f"[{{url: 'udp://{NAME}:{receiver.port}', resolve_interval: 10s}}, 'tcp://127.0.0.1:{listener.getsockname()[1]}']"
        with IdleAgent(server, by_name, env=watchdog.variables) as busy, IdleAgent(server, f"['{receiver.url}']") as silent:
            for agent in (busy, silent):
                agent.use()
            watchdog.wait_beats(2)  # what a client of the pages leaves behind is tidied away by then
            asked = server.asked
            with Trace(busy) as some, Trace(silent) as none:
                watchdog.wait_beats(SECONDS // BEAT_S + 1)
            reasons = [why(*wake) for wake in wakes(some.calls)]
            asked = server.asked - asked
        equal([call for call in none.calls if call[0] in WAITS], [], "waits that ended")
        equal(sorted(set(reasons) - {"early", "resolver", "watchdog"}), [], "wake-ups for nothing")
        true(asked >= 2, f"the resolver asked {asked} times")
        # The last beat may be what ends the trace.
        true(reasons.count("watchdog") >= SECONDS // BEAT_S - 1, f"the watchdog was told {reasons.count('watchdog')} times")
        true(reasons.count("resolver") >= 2, f"{reasons.count('resolver')} wake-ups for the resolver: {reasons}")


main()
