"""A million of everything: events against receivers that are slow or read nothing, tag values, identifiers.
What is promised holds then too: each metric exactly once or counted, and no more memory than was stated."""

import os
import re
import socket

from harness import (
    IS_INSTRUMENTED,
    Agent,
    UdpReceiver,
    UnixReceiver,
    equal,
    main,
    skip,
    stated_memory_kib,
    table,
    test,
    total,
    true,
    wait_until,
    write_pipe,
)
from numbered import check_accounts, check_all_once, is_running, pipe_to, reap, writer
from stream_receiver import Listener

COUNT = 1_000_000
CHUNK = 10_000
TAG_VALUES = 1000  # limits.tag_values and limits.names, their defaults
NAMES = 2000


# ---- when_full ----


class Datagrams(UnixReceiver):
    def lines_until(self, last):
        self.read_until(lambda: self.received and last in self.received[-1], "the last metric")
        return self.all_lines()


class Stream(Listener):
    def lines_until(self, last):
        self.read_until(last)
        return self.lines()


KINDS = [("unix", Datagrams), ("unixstream", lambda: Stream("unixstream")), ("tcp", lambda: Stream("tcp", None, 4096))]


def wait_until_full(path):
    """The pipe takes no byte more: nobody reads it."""
    pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)

    def is_full():
        try:
            os.write(pipe, b"\n")
            return False
        except BlockingIOError:
            return True

    wait_until(is_full, "the pipe to be full")
    os.close(pipe)


@table(
    [
        (f"{kind}, block: a million events, each metric exactly once; the writer waits; no more memory", r)
        for kind, r in KINDS
    ]
)
def _(receiver_of):
    with receiver_of() as receiver, Agent(pipe_to(receiver.url)) as agent:
        pid = writer(agent.directory / "pipe", 0, COUNT)
        # The receiver takes nothing: everything comes to a stand, the writer too.
        wait_until_full(agent.directory / "pipe")
        true(is_running(pid), "the writer did not wait")
        check_accounts(agent)
        memory = agent.memory_kib("VmRSS")
        lines = receiver.lines_until(b"g:%d|g" % (COUNT - 1))
        reap(pid)
        grown = agent.memory_kib("VmHWM") - memory
        check_all_once(lines, COUNT)
        true(grown < 512 or IS_INSTRUMENTED, f"the agent's memory grew by {grown} KiB")
        counters = check_accounts(agent)
        equal(total(counters, "statsidecar_metrics_total", 'outcome="sent"'), 2 * COUNT)


@table(
    [
        (f"{kind}, drop: the writer of a million events never waits for a receiver that reads nothing", r)
        for kind, r in KINDS
    ]
)
def _(receiver_of):
    with receiver_of() as receiver, Agent(pipe_to(receiver.url, block=False)) as agent:
        wait_until(lambda: total(agent.counters(), "statsidecar_output_up") == 1, "the connection")
        memory = agent.memory_kib("VmRSS")
        # It comes to its end although nobody reads.
        reap(writer(agent.directory / "pipe", 0, COUNT))
        wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") == COUNT, "the events")
        counters = check_accounts(agent)
        dropped = total(counters, "statsidecar_metrics_total", 'outcome="dropped"')
        true(dropped > COUNT, f"only {dropped} dropped: the test is none")
        true(agent.memory_kib("VmHWM") - memory < 1024 or IS_INSTRUMENTED, "the agent's memory grew")
        true(total(counters, "statsidecar_output_errors_total", 'error="full"') > 0, "the reason is not counted")


# ---- outputs side by side ----


class LargeReceiver(UdpReceiver):
    """Has room for everything that a test sends: the kernel loses nothing while the test is slow."""

    def __init__(self):
        super().__init__()
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 512 << 20)
        except PermissionError:
            skip("a receive buffer of that size is for root alone")


SO_RCVBUFFORCE = 33


@test("three outputs at full load, a healthy UDP, a dead TCP, a stalled Unix stream: the healthy one gets everything")
def _():
    with LargeReceiver() as healthy, Stream("unixstream") as stalled, Stream("tcp") as dead:
        dead.socket.close()  # its port refuses from now on
        config = pipe_to(
            healthy.url, f"{{url: '{dead.url}', name: dead}}", f"{{url: '{stalled.url}', name: stalled}}", block=False
        )
        with Agent(config) as agent:
            stalled.accept()
            reap(writer(agent.directory / "pipe", 0, COUNT))
            wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") == COUNT, "the events")
            counters = check_accounts(agent)
            equal(total(counters, "statsidecar_metrics_total", 'output="first",outcome="sent"'), 2 * COUNT)
            equal(total(counters, "statsidecar_metrics_total", 'output="dead",outcome="sent"'), 0)
            true(
                total(counters, "statsidecar_metrics_total", 'output="stalled",outcome="dropped"') > COUNT,
                "it is not stalled",
            )
            healthy.read_until(
                lambda: healthy.received and b"g:%d|g" % (COUNT - 1) in healthy.received[-1], "the last one"
            )
            check_all_once(healthy.all_lines(), COUNT)


# ---- cardinality ----


def write_many(agent, line_of):
    """line_of(number) gives a line; as many as a pipe takes at a time."""
    with open(agent.directory / "pipe", "wb", buffering=0) as pipe:
        for first in range(0, COUNT, CHUNK):
            pipe.write("".join(line_of(n) for n in range(first, first + CHUNK)).encode())


class Seen:
    """The different names and tag values that a receiver got, and how many lines."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.names, self.values = set(), set()

    def take(self):
        for line in self.receiver.all_lines():
            name, _, rest = line.partition(":")
            self.names.add(name)
            self.values.update(re.findall(r"#user:([^,]*)", rest))
        self.receiver.received.clear()


def scattered(number):
    """Looks random, is different for each number."""
    return f"{number * 2654435761 % (1 << 32):08x}"


@table(
    [
        (
            "a million random tag values and identifiers, one output: memory as stated, __other__, one line in the log",
            "",
        ),
        (
            "a million random tag values and identifiers, three outputs: memory as stated, __other__, one log line",
            ", {url: 'udp://127.0.0.1:9', name: a, dialect: graphite}, {url: 'udp://127.0.0.1:9', name: b}",
        ),
    ]
)
def _(more):
    outputs = "outputs: [{url: 'URL', when_full: block}" + more + "]"
    config = (
        "inputs: ['fifo://{dir}/pipe']\nprefix: 'p.'\n"
        "rules: [{match: '**', tags: {user: '{user}'}, metrics: [{counter: '{event}'}]}]\n"
    )
    with UnixReceiver() as receiver, Agent(config + outputs.replace("URL", receiver.url)) as agent:
        stated = stated_memory_kib(agent.config)
        before = agent.memory_kib()
        seen = Seen(receiver)
        pid = os.fork()
        if pid == 0:
            write_many(agent, lambda n: f"e.x{scattered(n)} user=u{scattered(n + COUNT)}\n")
            os._exit(0)

        def is_read():
            seen.take()
            return total(agent.counters(), "statsidecar_events_received_total") == COUNT

        wait_until(is_read, "the events")
        reap(pid)
        wait_until(
            lambda: seen.take() or total(agent.counters(), "statsidecar_output_pending") == 0, "the last datagram"
        )
        seen.take()
        equal(len(seen.values), TAG_VALUES + 1, "different tag values")
        equal(len(seen.names), NAMES + 1, "different names")
        true("__other__" in seen.values and "p.__other__" in seen.names, "no __other__")
        counters = agent.check_balance()
        limited = total(counters, "statsidecar_values_limited_total", 'tag="user"')
        true(limited >= COUNT - TAG_VALUES, f"{limited} values limited")
        equal(limited % (COUNT - TAG_VALUES), 0, "limited values, a multiple for the outputs")
        equal(total(counters, "statsidecar_names_limited_total"), COUNT - NAMES)
        log = [line for line in agent.stderr.all() if "__other__" in line]
        equal(sum("limits.tag_values" in line and " user " in line for line in log), 1, "\n".join(log))
        equal(sum("limits.names" in line for line in log), 1, "\n".join(log))
        grown = agent.memory_kib("VmHWM") - before
        print(f"# memory grew by {grown} KiB of {stated} KiB that were stated")
        true(grown <= stated or IS_INSTRUMENTED, f"memory grew by {grown} KiB; {stated} KiB were stated")


@test("a million random keys and values in relayed tags: memory as stated, what is too much becomes __other__")
def _():
    config = (
        "inputs: [{url: 'fifo://{dir}/pipe', format: statsd}]\nrules: [{match: '**', metrics: [{relay: m}]}]\n"
        "outputs: [{url: 'URL', when_full: block}]"
    )
    with UnixReceiver() as receiver, Agent(config.replace("URL", receiver.url)) as agent:
        stated = stated_memory_kib(agent.config)
        before = agent.memory_kib()
        values, keys = set(), set()
        pid = os.fork()
        if pid == 0:
            write_many(agent, lambda n: f"m:1|c|#user:u{scattered(n)},k{scattered(n)}:v\n")
            os._exit(0)

        def is_read():
            for line in receiver.all_lines():
                user, other = line.partition("|#")[2].split(",")
                values.add(user)
                if not other.endswith(":__other__"):
                    keys.add(other)
            receiver.received.clear()
            return total(agent.counters(), "statsidecar_events_received_total") == COUNT

        wait_until(is_read, "the events")
        reap(pid)
        wait_until(
            lambda: is_read() and total(agent.counters(), "statsidecar_output_pending") == 0, "the last datagram"
        )
        is_read()
        equal(len(values), TAG_VALUES + 1, "different tag values")
        true(0 < len(keys) <= 32, f"{len(keys)} keys have a value of their own")
        agent.check_balance()
        equal(sum("the tag user" in line for line in agent.stderr.all()), 1, "lines in the log")
        grown = agent.memory_kib("VmHWM") - before
        print(f"# memory grew by {grown} KiB of {stated} KiB that were stated")
        true(grown <= stated or IS_INSTRUMENTED, f"memory grew by {grown} KiB; {stated} KiB were stated")


main()
