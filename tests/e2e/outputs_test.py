"""Several outputs of one agent, each with its own dialect, prefix and filter; how lines are packed into datagrams, and
what happens to those that are too long."""

import json
import os
import socket

from harness import (
    Agent,
    UdpReceiver,
    UnixReceiver,
    equal,
    main,
    skip,
    table,
    test,
    total,
    true,
    wait_until,
    write_pipe,
)
from stream_receiver import Listener

RULES = """
tags: {env: test}
rules:
  - match: "o.step"
    tags: {step: "{step}"}
    metrics:
      - {counter: step.done, tags: {user: "{user}"}}
      - {timer: step.took, value: took, unit: s}
  - {match: "o.*", metrics: [{counter: "{event}", value: n}]}
"""


@test("each output has its own dialect, prefix and filter; what one leaves out is counted there alone")
def _():
    with UdpReceiver() as udp, UnixReceiver() as unix, Listener("tcp") as tcp, Listener("unixstream") as stream, Agent(
        "inputs: ['fifo://{dir}/pipe']\n"
        "outputs:\n"
        f"  - {{url: '{udp.url}', name: a, timers: distribution}}\n"
        f"  - {{url: '{unix.url}', name: b, dialect: statsd, tags_in_name: true, prefix: b.}}\n"
        f"  - {{url: '{tcp.url}', name: c, dialect: graphite, filter: ['step.took']}}\n"
        f"  - {{url: '{stream.url}', name: d, dialect: influxdb, prefix: d., filter: ['**', '!step.took']}}\n" + RULES
    ) as agent:
        tcp.accept()
        stream.accept()
        wait_until(lambda: total(agent.counters(), "statsidecar_output_up") == 4, "the connections")
        write_pipe(agent.directory / "pipe", "o.step step=fetch took=1.25")
        equal(udp.lines(2), ["step.done:1|c|#step:fetch,env:test", "step.took:1250|d|#step:fetch,env:test"])
        equal(unix.lines(2), ["b.step.done.none.fetch:1|c", "b.step.took.fetch:1250|ms"])
        tcp.read_until(b"|ms")
        equal(tcp.lines(), ["step.took;step=fetch;env=test:1250|ms"])
        stream.read_until(b"|c")
        equal(stream.lines(), ["d.step.done,step=fetch,env=test:1|c"])
        counters = agent.check_balance()
        for name, sent in (("a", 2), ("b", 2), ("c", 1), ("d", 1)):
            label = f'output="{name}"'
            equal(total(counters, "statsidecar_metrics_total", f'{label},outcome="sent"'), sent, name)
            equal(total(counters, "statsidecar_metrics_total", f'{label},outcome="filtered"'), 2 - sent, name)


@table(
    [
        ("udp: datagrams of at most 1432 bytes by default", UdpReceiver, "", 1432),
        ("unix: of at most 8192", UnixReceiver, "", 8192),
        ("max_datagram: 512", UdpReceiver, ", max_datagram: 512", 512),
    ]
)
def _(receiver_kind, options, limit):
    count = 2000
    with receiver_kind() as receiver, Agent(
        f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{receiver.url}'{options}}}]" + RULES
    ) as agent:
        agent.freeze()
        lines = [f"o.n n={n}" for n in range(count)]
        write_pipe(agent.directory / "pipe", *lines)
        agent.thaw()
        receiver.read_until(lambda: len(receiver.all_lines()) >= count, "the lines")
        equal(receiver.all_lines(), [f"o.n:{n}|c|#env:test" for n in range(count)])
        sizes = [len(datagram) for datagram in receiver.received]
        longest = len(f"o.n:{count - 1}|c|#env:test")
        true(max(sizes) <= limit, f"a datagram of {max(sizes)} bytes")
        # What one wake-up read is packed tightly: only its last datagram has room left.
        short = [size for size in sizes if size + 1 + longest <= limit]
        true(len(short) <= 1 + count * 12 // 65536 + 1, f"{len(short)} of {len(sizes)} datagrams have room left")


@test("a line beyond max_datagram goes alone, up to 8192 bytes; beyond that it is dropped and counted")
def _():
    tags = "a: '{a}', b: '{b}', n: '{n}'"
    rules = f"limits: {{tag_length: 4096}}\nrules: [{{match: '**', metrics: [{{counter: c, tags: {{{tags}}}}}]}}]\n"
    with UdpReceiver() as receiver, Agent(
        f"inputs: ['fifo://{{dir}}/pipe']\noutputs: ['{receiver.url}']\n" + rules
    ) as agent:
        room = 8192 - len("c:1|c|#a:,b:,n:1") - 4096
        lengths = [1, 1000, room, room + 1, 2]
        for number, length in enumerate(lengths):
            event = {"event": "e", "a": "x" * 4096, "b": "y" * length, "n": number}
            write_pipe(agent.directory / "pipe", json.dumps(event))
            wait_until(
                lambda: total(agent.counters(), "statsidecar_events_received_total") == number + 1, f"event {number}"
            )
        want = [f"c:1|c|#a:{'x' * 4096},b:{'y' * length},n:{n}".encode() for n, length in enumerate(lengths)]
        equal(receiver.datagrams(4), want[:3] + want[4:])
        counters = agent.check_balance()
        equal(total(counters, "statsidecar_metrics_total", 'outcome="dropped"'), 1)
        equal(total(counters, "statsidecar_output_errors_total", 'error="too_long"'), 1)


@table(
    [
        ("max_datagram is kept to the byte: two lines and the newline between them fit", 13, "dogstatsd", [13, 6]),
        ("max_datagram is kept to the byte: one byte less, and each goes alone", 12, "dogstatsd", [6, 6, 6]),
        ("max_datagram below every line: each goes alone", 1, "dogstatsd", [6, 6, 6]),
        ("a gauge below 0 and what comes before it stay together, whatever max_datagram is", 1, "statsd", [12, 12, 12]),
    ]
)
def _(limit, dialect, sizes):
    output = f"max_datagram: {limit}, dialect: {dialect}"
    with UdpReceiver() as receiver, Agent(
        f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{receiver.url}', {output}}}]\n"
        "rules: [{match: '**', metrics: [{gauge: g, value: n}]}]"
    ) as agent:
        write_pipe(agent.directory / "pipe", b"e n=-5\n" * 3)
        datagrams = receiver.datagrams(len(sizes))
        equal([len(datagram) for datagram in datagrams], sizes)
        equal(set(b"\n".join(datagrams).split(b"\n")), {b"g:-5|g"} | ({b"g:0|g"} if dialect == "statsd" else set()))


@table(
    [
        ("udp over IPv6", lambda: UdpReceiver("::1"), None),
        ("udp by the name localhost", UdpReceiver, lambda url: url.replace("127.0.0.1", "localhost")),
    ]
)
def _(receiver_kind, url_of):
    try:
        receiver = receiver_kind()
    except OSError as error:
        skip(f"not here: {error}")
    url = url_of(receiver.url) if url_of else receiver.url
    with receiver, Agent(f"inputs: ['fifo://{{dir}}/pipe']\noutputs: ['{url}']" + RULES) as agent:
        write_pipe(agent.directory / "pipe", "o.n n=1")
        equal(receiver.lines(1), ["o.n:1|c|#env:test"])


@test("unix: an abstract socket")
def _():
    name = f"statsidecar-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, Agent(
        f"inputs: ['fifo://{{dir}}/pipe']\noutputs: ['unix://@{name}']" + RULES
    ) as agent:
        # It comes later than the agent.
        write_pipe(agent.directory / "pipe", "o.n n=0")
        agent.stderr.wait_for("is away")
        receiver.bind("\0" + name)
        receiver.setblocking(False)

        def arrives():
            write_pipe(agent.directory / "pipe", "o.n n=1")
            try:
                return receiver.recv(1000)
            except BlockingIOError:
                return None

        equal(wait_until(arrives, "the metric").split(b"\n")[0], b"o.n:1|c|#env:test")


main()
