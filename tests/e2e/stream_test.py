"""Connections: lines in over TCP and Unix streams, lines and frames out."""

import functools
import os
import pathlib
import resource
import socket
import stat
import struct

from harness import (
    DEADLINE,
    Agent,
    UdpReceiver,
    command,
    contains,
    equal,
    main,
    skip,
    stated_memory_kib,
    table,
    temporary_directory,
    test,
    total,
    true,
    wait_until,
    write_pipe,
)
from stream_receiver import Listener

RULES = """
rules:
  - {match: "t.*", metrics: [{counter: "{event}", value: n}]}
"""
KINDS = [("tcp", "tcp://127.0.0.1:0"), ("unixstream", "unixstream://{dir}/in")]


@functools.cache
def port_of(agent):
    return agent.ports("tcp")[0]


def connect(agent, kind):
    if kind == "tcp":
        return socket.create_connection(("127.0.0.1", port_of(agent)), DEADLINE)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(agent.directory / "in"))  # waits while the queue is full, which it would not with a time-out
    connection.settimeout(DEADLINE)
    return connection


def each_kind(name):
    """The function below is one test for each kind of connection."""
    return table([(f"{kind}: {name}", kind, url) for kind, url in KINDS])


# ---- in ----


@each_kind("lines, however they are cut into writes, from several connections at once")
def _(kind, url):
    with UdpReceiver() as receiver, Agent(f"inputs: ['{url}']\noutputs: ['{receiver.url}']" + RULES) as agent:
        with connect(agent, kind) as a, connect(agent, kind) as b:
            a.sendall(b"t.a n=1\nt.a n")
            b.sendall(b"t.b n=1\r\n")
            equal(sorted(receiver.lines(2)), ["t.a:1|c", "t.b:1|c"])
            b.sendall(b"t.b n=2\n")
            equal(receiver.lines(1), ["t.b:2|c"])
            a.sendall(b"=2\n")
            equal(receiver.lines(1), ["t.a:2|c"])
        agent.check_balance()


@each_kind("the last line of a connection needs no newline")
def _(kind, url):
    with UdpReceiver() as receiver, Agent(f"inputs: ['{url}']\noutputs: ['{receiver.url}']" + RULES) as agent:
        with connect(agent, kind) as a:
            a.sendall(b"t.a n=1\nt.a n=2")
        equal(sorted(receiver.lines(2)), ["t.a:1|c", "t.a:2|c"])


@each_kind("beyond max_connections one is refused and counted; a place that is free again is given")
def _(kind, url):
    with UdpReceiver() as receiver, Agent(
        f"inputs: [{{url: '{url}', max_connections: 2}}]\noutputs: ['{receiver.url}']" + RULES
    ) as agent:
        with connect(agent, kind) as a, connect(agent, kind) as b:
            a.sendall(b"t.a n=1\n")
            b.sendall(b"t.b n=1\n")
            receiver.lines(2)
            with connect(agent, kind) as c:
                equal(c.recv(1), b"", "the third connection")
            equal(total(agent.counters(), "statsidecar_input_refused_total"), 1)
            b.sendall(b"t.b n=2")
        receiver.lines(1)
        for number in range(20):
            with connect(agent, kind) as a:
                a.sendall(b"t.a n=%d\n" % number)
            equal(receiver.lines(1), [f"t.a:{number}|c"])


@each_kind("a line without end takes bounded memory, is one oversize event, and the next is read")
def _(kind, url):
    with UdpReceiver() as receiver, Agent(f"inputs: ['{url}']\noutputs: ['{receiver.url}']" + RULES) as agent:
        with connect(agent, kind) as a:
            a.sendall(b"t.warm n=1\n")
            receiver.lines(1)
            memory = agent.memory_kib()
            for _ in range(64):
                a.sendall(b"x" * (1 << 20))
            a.sendall(b"\nt.a n=1\n")
            equal(receiver.lines(1), ["t.a:1|c"])
            true(agent.memory_kib("VmHWM") - memory < 512, "the memory grew")
        equal(agent.outcomes(), {"mapped": 2, "oversize": 1})


@each_kind("TERM: what connections hold is sent, a line that has no end yet is malformed")
def _(kind, url):
    with UdpReceiver() as receiver, Agent(f"inputs: ['{url}']\noutputs: ['{receiver.url}']" + RULES) as agent:
        with connect(agent, kind) as a, connect(agent, kind) as b, connect(agent, kind) as c:
            a.sendall(b"t.warm n=1\n")
            receiver.lines(1)
            agent.freeze()
            a.sendall(b"t.a n=1\nt.open n=2")
            with connect(agent, kind) as late:
                late.sendall(b"t.late n=3")
            b.sendall(b"t.b n=4\n" * 1000)
            agent.send_signal(15)
            agent.thaw()
            equal(agent.wait(), 0)
            lines = receiver.lines(1002)
            equal(sorted(set(lines)), ["t.a:1|c", "t.b:4|c", "t.late:3|c"])
            equal(len(lines), 1002)
            agent.stderr.wait_for(r'malformed.*"t\.open n=2"')


@each_kind("TERM: as many connections as wait to be accepted are read, in fewer places")
def _(kind, url):
    count = 100
    with UdpReceiver() as receiver, Agent(
        f"inputs: [{{url: '{url}', max_connections: 32}}]\noutputs: ['{receiver.url}']" + RULES
    ) as agent:
        with connect(agent, kind) as a:
            a.sendall(b"t.open n=1\n")
            receiver.lines(1)
            agent.freeze()
            for number in range(count):
                with connect(agent, kind) as late:
                    late.sendall(b"t.late n=%d" % number)
            agent.send_signal(15)
            agent.thaw()
            equal(agent.wait(), 0)
        equal(receiver.lines(count), [f"t.late:{number}|c" for number in range(count)])


@test("tcp: a peer outside allow_from is refused")
def _():
    config = "inputs: [{url: 'tcp://0.0.0.0:0', allow_from: [127.0.0.2/32]}]\n"
    with UdpReceiver() as receiver, Agent(config + f"outputs: ['{receiver.url}']" + RULES) as agent:
        with connect(agent, "tcp") as foe:
            equal(foe.recv(1), b"")
        with socket.create_connection(("127.0.0.1", agent.ports("tcp")[0]), DEADLINE, ("127.0.0.2", 0)) as friend:
            friend.sendall(b"t.a n=1\n")
            equal(receiver.lines(1), ["t.a:1|c"])
        equal(total(agent.counters(), "statsidecar_input_refused_total"), 1)


@test("unixstream: mode, a stale socket replaced, a live one refused, removed at the end")
def _():
    with temporary_directory() as folder:
        path = pathlib.Path(folder) / "in"
        config = f"inputs: [{{url: 'unixstream://{path}', mode: 0660}}]\noutputs: ['udp://127.0.0.1:9']"
        with Agent(config, directory=folder) as agent:
            equal(stat.S_IMODE(path.stat().st_mode), 0o660)
            done = command("run", "--input", f"unixstream://{path}", "--output", "udp://127.0.0.1:9")
            equal(done.returncode, 71, done.stderr)
            contains(done.stderr, "in use")
            agent.kill()
        true(path.is_socket(), "killed, it cannot have removed its socket")
        with Agent(config, directory=folder):
            pass
        true(not path.exists(), "the socket is still there")


# ---- slow and hostile peers ----


def steady(agent, kind, receiver):
    """Shows that another peer is served: a function that sends an event through its connection and sees it arrive."""
    good = connect(agent, kind)
    sent = 0

    def serve():
        nonlocal sent
        good.sendall(b"t.good n=%d\n" % sent)
        receiver.read_until(lambda: b"t.good:%d|c" % sent in receiver.received, f"event {sent} of the good peer")
        receiver.received.clear()
        sent += 1

    return serve


@each_kind("a peer that sends byte by byte is read to its end, others are served in between")
def _(kind, url):
    with UdpReceiver() as receiver, Agent(f"inputs: ['{url}']\noutputs: ['{receiver.url}']" + RULES) as agent:
        serve = steady(agent, kind, receiver)
        with connect(agent, kind) as slow:
            for byte in b"t.slow n=1\nt.slow n=":
                slow.sendall(bytes([byte]))
                serve()  # by now the byte is read: connections are read in turn
            slow.sendall(b"2\n")
            serve()
        serve()
        equal(agent.outcomes()["mapped"], 2 + 22)
        agent.check_balance()


@each_kind("a peer that never ends its line takes no more than a line's memory, and others are served")
def _(kind, url):
    with UdpReceiver() as receiver, Agent(f"inputs: ['{url}']\noutputs: ['{receiver.url}']" + RULES) as agent:
        stated = stated_memory_kib(agent.config)
        memory = agent.memory_kib()
        serve = steady(agent, kind, receiver)
        with connect(agent, kind) as endless:
            for _ in range(100):
                endless.sendall(b"x" * (1 << 20))
                serve()
        grown = agent.memory_kib("VmHWM") - memory
        true(grown < stated, f"the memory grew by {grown} KiB, {stated} KiB are stated")
        equal(agent.outcomes()["oversize"], 1)


@each_kind(
    "a thousand connections: those allowed are read, each with its unfinished line, in the memory that is stated"
)
def _(kind, url):
    config = f"inputs: [{{url: '{url}', max_connections: 1000}}]\n"
    with UdpReceiver() as receiver, Agent(config + f"outputs: ['{receiver.url}']" + RULES) as agent:
        raise_descriptor_limit(1100)
        stated = stated_memory_kib(agent.config)
        memory = agent.memory_kib()
        serve = steady(agent, kind, receiver)
        connections = []
        try:
            for number in range(999):
                connections.append(connect(agent, kind))
                connections[-1].sendall(b"t.many n=%d pad=" % number + b"x" * 30000)
            serve()
            with connect(agent, kind) as refused:
                equal(refused.recv(1), b"", "one too many")
            grown = agent.memory_kib("VmHWM") - memory
            true(grown < stated, f"the memory grew by {grown} KiB, {stated} KiB are stated")
            for connection in connections:
                connection.sendall(b"\n")
            wait_until(lambda: agent.outcomes().get("mapped", 0) == 1000, "every line")
            serve()
        finally:
            for connection in connections:
                connection.close()
        wait_until(lambda: descriptors_of(agent) < 50, "the connections to be closed")
        agent.check_balance()
        equal(total(agent.counters(), "statsidecar_input_refused_total"), 1)


def raise_descriptor_limit(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            skip(f"no {count} descriptors are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def descriptors_of(agent):
    return len(agent.descriptors())


@each_kind(
    "a thousand connections that say nothing and go: the default number is kept, the rest is refused, others are served"
)
def _(kind, url):
    inputs = f"inputs: ['{url}', 'fifo://{{dir}}/pipe']\n"
    with UdpReceiver() as receiver, Agent(inputs + f"outputs: ['{receiver.url}']" + RULES) as agent:
        serve = steady(agent, kind, receiver)
        serve()
        raise_descriptor_limit(1100)
        connections = [connect(agent, kind) for _ in range(1000)]
        wait_until(lambda: total(agent.counters(), "statsidecar_input_refused_total") == 1000 - 63, "the refusals")
        serve()
        write_pipe(agent.directory / "pipe", "t.pipe n=1")
        equal(receiver.lines(1), ["t.pipe:1|c"])
        for connection in connections:
            if kind == "tcp":  # not a word of goodbye
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        wait_until(lambda: descriptors_of(agent) < 30, "the connections to be closed")
        with connect(agent, kind) as another:
            another.sendall(b"t.after n=1\n")
            equal(receiver.lines(1), ["t.after:1|c"])
        serve()
        agent.check_balance()


@test("tcp: the kernel asks for peers that may have vanished")
def _():
    with Agent("inputs: ['tcp://127.0.0.1:0']\noutputs: ['udp://127.0.0.1:9']" + RULES) as agent:
        port = agent.ports("tcp")[0]
        with connect(agent, "tcp") as peer:
            # The connection is there before the agent knows of it.
            wait_until(
                lambda: timers(port, peer.getsockname()[1]) == ["02"], "its timer, 02: that of keep-alive probes"
            )


def timers(local, remote):
    """The timer of the connection between two ports, as /proc/net/tcp has it."""
    rows = [row.split() for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[5][:2] for row in rows if row[1].endswith(f":{local:04X}") and row[2].endswith(f":{remote:04X}")]


# ---- out ----


def out_config(listener, block):
    mode = "block" if block else "drop"
    return f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{listener.url}', when_full: {mode}}}]" + RULES


@each_kind("out: each metric once, in order, however slow the receiver is, with block")
def _(kind, _url):
    count = 600000
    with Listener(kind, receive_buffer=4096) as listener, Agent(out_config(listener, True)) as agent:
        pid = os.fork()
        if pid == 0:
            write_pipe(agent.directory / "pipe", *[f"t.a n={n}" for n in range(count)])
            os._exit(0)
        # The receiver starts when the agent has to wait for it.
        wait_until(lambda: total(agent.counters(), "statsidecar_output_pending") > 0, "the output to be full")
        listener.read_until(b"t.a:%d|c" % (count - 1))
        os.waitpid(pid, 0)
        equal(listener.lines(), [f"t.a:{n}|c" for n in range(count)])
        counters = agent.check_balance()
        equal(total(counters, "statsidecar_metrics_total", 'outcome="sent"'), count)


@each_kind("out: with drop the writer never waits, nothing is torn, every metric is accounted for")
def _(kind, _url):
    count = 600000
    with Listener(kind, receive_buffer=4096) as listener, Agent(out_config(listener, False)) as agent:
        listener.accept()
        write_pipe(agent.directory / "pipe", *[f"t.a n={n}\n".encode() * 100 for n in range(count // 100)])
        wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") == count, "all events")
        counters = agent.check_balance()
        true(
            total(counters, "statsidecar_metrics_total", 'outcome="dropped"') > 0,
            "nothing was dropped: the test is none",
        )
        equal(
            total(counters, "statsidecar_metrics_total") + total(counters, "statsidecar_output_pending"),
            count,
            "accounts",
        )

        def everything_sent():
            return total(agent.counters(), "statsidecar_output_pending") == 0

        listener.connection.setblocking(False)

        def read_some():
            try:
                listener.data += listener.connection.recv(1 << 20)
            except BlockingIOError:
                pass

        def rest_is_sent():
            read_some()
            return everything_sent()

        wait_until(rest_is_sent, "the half-sent payload")
        sent = total(agent.counters(), "statsidecar_metrics_total", 'outcome="sent"')
        listener.connection.settimeout(DEADLINE)
        while listener.data.count(b"|c") < sent:
            listener.data += listener.connection.recv(1 << 20)
        equal(len(listener.lines()), sent)
        true(all(line.startswith("t.a:") and line.endswith("|c") for line in listener.lines()), "a line is torn")


@each_kind("out: with drop it is away, counted, and taken up again by itself")
def _(kind, _url):
    with temporary_directory() as folder:
        with Listener(kind, None if kind == "tcp" else f"{folder}/out") as listener:
            address = listener.address
            agent = Agent(out_config(listener, False))
            agent.start()
            try:
                listener.accept()
                write_pipe(agent.directory / "pipe", "t.a n=1")
                listener.read_until(b"t.a:1|c")
            finally:
                listener.connection.close()
                listener.socket.close()
        if kind == "unixstream":
            os.unlink(address)
        agent.stderr.wait_for("is away")
        write_pipe(agent.directory / "pipe", "t.a n=2")
        wait_until(
            lambda: agent.counters()[f'statsidecar_metrics_total{{output="{listener.url}",outcome="dropped"}}'] == 1,
            "a drop",
        )
        equal(total(agent.counters(), "statsidecar_output_up"), 0)
        with Listener(kind, address) as listener:
            listener.accept()
            wait_until(lambda: total(agent.counters(), "statsidecar_output_up") == 1, "the output to be up")
            write_pipe(agent.directory / "pipe", "t.a n=3")
            listener.read_until(b"t.a:3|c")
            equal(listener.lines(), ["t.a:3|c"])
        agent.stop()
        agent._clean()


@each_kind("out: with block and a receiver that comes late nothing is lost")
def _(kind, _url):
    with temporary_directory() as folder:
        with Listener(kind, None if kind == "tcp" else f"{folder}/out") as listener:
            address = listener.address
        if kind == "unixstream":
            os.unlink(address)
        with Agent(out_config(listener, True)) as agent:
            agent.stderr.wait_for("is away")
            write_pipe(agent.directory / "pipe", *[f"t.a n={n}" for n in range(3000)])
            with Listener(kind, address) as listener:
                listener.read_until(b"t.a:2999|c")
                equal(listener.lines(), [f"t.a:{n}|c" for n in range(3000)])


main()
