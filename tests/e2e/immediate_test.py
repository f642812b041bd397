"""Nothing is held: what one event makes has left before the loop sleeps. Judged by the agent's own system calls: between
the one that brought the event and the next wait stands the one that sends its metrics, and that wait has no time-out, so
that no timer can be what sends them."""

import os
import socket
import subprocess

from harness import (
    Agent,
    UdpReceiver,
    UnixReceiver,
    equal,
    main,
    send_udp,
    send_unix,
    table,
    temporary_directory,
    true,
    write_pipe,
)
from system_calls import READS, SENDS, WAITS, Trace

EVENTS = 20
RULES = """
rules:
  - match: i.*
    metrics:
      - {counter: "{event}", value: n}
      - {timer: took, value: n, unit: ms, tags: {event: "{event}"}}
"""

def check_calls(calls, events):
    """Walks over the calls: every event that was read is sent before the next wait, which lasts for ever."""
    unsent, read, sent = None, 0, 0
    for name, text, result in calls:
        if name in READS and result > 0 and "i.e" in text:
            unsent, read = text, read + 1
        elif name in SENDS and result > 0 and "i.e" in text:
            unsent, sent = None, sent + 1
        elif name in WAITS and not (name == "poll" and text.endswith(" 0")):
            true(unsent is None, f"sleeps on an event that was not sent: {unsent}")
            if name == "epoll_wait" and read:
                true(text.endswith(" -1") or text.endswith(" 0"), f"sleeps with a timer: {name}({text})")
    equal((read, sent), (events, events), "reads and sends that carry an event")


class StdoutReceiver:
    """The agent's standard output."""

    url = "stdout:"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def wait(self, agent, count):
        agent.stdout.wait(count)


class DatagramReceiver:
    def __init__(self, kind):
        self.inner = kind()
        self.url = self.inner.url

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.inner.__exit__()

    def wait(self, agent, count):
        self.inner.read_until(lambda: len(self.inner.all_lines()) >= count, f"{count} lines")


class StreamReceiver:
    def __init__(self, family):
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_UNIX:
            self.folder = temporary_directory()
            path = os.path.join(self.folder.name, "socket")
            self.listener.bind(path)
            self.url = "unixstream://" + path
        else:
            self.folder = None
            self.listener.bind(("127.0.0.1", 0))
            self.url = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.listener.listen()
        self.listener.settimeout(60)
        self.connection = None
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        if self.connection:
            self.connection.close()
        if self.folder:
            self.folder.cleanup()

    def wait(self, agent, count):
        if self.connection is None:
            self.connection = self.listener.accept()[0]
            self.connection.settimeout(60)
        while self.received.count(b"|c") + self.received.count(b"|ms") < count:
            self.received += self.connection.recv(65536)


def to_pipe(agent, line):
    write_pipe(agent.directory / "in", line)


def to_unix(agent, line):
    send_unix(agent.directory / "in", line)


def to_udp(agent, line):
    send_udp(agent.ports()[0], line)


def to_stdin(agent, line):
    agent.process.stdin.write(line.encode() + b"\n")
    agent.process.stdin.flush()


@table(
    [
        ("pipe to udp", "fifo://{dir}/in", to_pipe, lambda: DatagramReceiver(UdpReceiver), ""),
        ("pipe to unix", "fifo://{dir}/in", to_pipe, lambda: DatagramReceiver(UnixReceiver), ""),
        ("pipe to unix that blocks", "fifo://{dir}/in", to_pipe, lambda: DatagramReceiver(UnixReceiver), ", when_full: block"),
        ("pipe to standard output", "fifo://{dir}/in", to_pipe, StdoutReceiver, ""),
        ("pipe to tcp", "fifo://{dir}/in", to_pipe, lambda: StreamReceiver(socket.AF_INET), ""),
        ("pipe to unixstream", "fifo://{dir}/in", to_pipe, lambda: StreamReceiver(socket.AF_UNIX), ""),
        ("udp to udp", "udp://127.0.0.1:0", to_udp, lambda: DatagramReceiver(UdpReceiver), ""),
        ("unix to unix", "unix://{dir}/in", to_unix, lambda: DatagramReceiver(UnixReceiver), ""),
        ("standard input to udp", "stdin:", to_stdin, lambda: DatagramReceiver(UdpReceiver), ""),
    ]
)
def _(input_url, send, receiver_of, options):
    with receiver_of() as receiver, Agent(
        f"inputs: ['{input_url}']\noutputs: [{{url: '{receiver.url}'{options}}}]" + RULES,
        stdin=subprocess.PIPE if input_url == "stdin:" else subprocess.DEVNULL,
    ) as agent:
        # The first shows that all is connected.
        send(agent, "i.warm n=1")
        receiver.wait(agent, 2)
        with Trace(agent) as trace:
            for number in range(EVENTS):
                send(agent, f"i.e{number} n={number + 1}")
                receiver.wait(agent, 2 * (number + 2))
            # What strace sees last when it leaves may be cut short: this one is not judged.
            send(agent, "i.last n=1")
            receiver.wait(agent, 2 * (EVENTS + 2))
        check_calls(trace.calls, EVENTS)


main()
