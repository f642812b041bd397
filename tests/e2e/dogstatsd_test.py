"""What goes to the Datadog Agent, judged by a grammar written from the protocol alone (dogstatsd_grammar.py):
every kind, tags, origin and cardinality from the environment, over each transport, whatever the events hold."""

import json
import struct

from dogstatsd_grammar import Event, Metric, Refused, ServiceCheck, read, read_all
from harness import (
    Agent,
    UdpReceiver,
    UnixReceiver,
    contains,
    equal,
    main,
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
tags: {env: test}
rules:
  - match: all
    tags: {step: "{step}"}
    metrics:
      - {counter: counter, value: n}
      - {timer: timer, value: took, unit: s}
      - {gauge: gauge, value: level}
      - {histogram: histogram, value: n}
      - {distribution: distribution, value: n}
      - {set: users, value: user}
      - {event: {title: "{step} failed", text: "{why}", alert: error, key: "{step}", priority: low, source: "{user}"}}
      - {service_check: {name: job, status: critical, message: "{why}"}}
"""
# What an event says, and what has to be read of it.
SAID = {"event": "all", "n": 3, "took": 0.0015, "level": -7.25, "user": "ann", "step": "fetch", "why": "no\nanswer"}


def config_of(url, options="", rules=RULES):
    return f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{url}'{options}}}]" + rules


def write_event(agent, **fields):
    write_pipe(agent.directory / "pipe", json.dumps({**SAID, **fields}, ensure_ascii=False))


def check_all_kinds(lines, **origin):
    """Everything that RULES makes of SAID, whatever the order."""
    tags = {"step": "fetch", "env": "test"}
    equal(len(lines), 8, "lines")
    metrics = {line.name: line for line in lines if isinstance(line, Metric)}
    (event,) = [line for line in lines if isinstance(line, Event)]
    (check,) = [line for line in lines if isinstance(line, ServiceCheck)]
    for name, kind, value in (
        ("counter", "c", "3"),
        ("timer", "ms", "1.5"),
        ("gauge", "g", "-7.25"),
        ("histogram", "h", "3"),
        ("distribution", "d", "3"),
        ("users", "s", "ann"),
    ):
        equal(metrics[name], Metric(name=name, type=kind, values=[value], tags=tags, **origin))
    equal(
        event,
        Event(
            title="fetch failed",
            text="no\nanswer",
            alert="error",
            key="fetch",
            priority="low",
            source="ann",
            tags=tags,
            **origin,
        ),
    )
    equal(check, ServiceCheck(name="job", status=2, message="no\nanswer", tags=tags, **origin))


# ---- the judge itself ----


@table(
    [
        ("nothing", b""),
        ("no type", b"a:1"),
        ("another type", b"a:1|x"),
        ("an exponent", b"a:1e3|g"),
        ("a zero that says nothing", b"a:1.50|g"),
        ("a negative timer", b"a:-1|ms"),
        ("a rate on a gauge", b"a:1|g|@0.5"),
        ("a rate of 2", b"a:1|c|@2"),
        ("an empty |#", b"a:1|c|#"),
        ("a tag without a key", b"a:1|c|#:x"),
        ("a key twice", b"a:1|c|#k:1,k:2"),
        ("tags before the rate", b"a:1|c|#k:1|@0.5"),
        ("a bare container", b"a:1|c|c:0123abc"),
        ("another cardinality", b"a:1|c|card:all"),
        ("a newline", b"a:1|c\nb:1|c"),
        ("no UTF-8", b"a:1|c|#k:\xff"),
        ("an event's wrong length", b"_e{5,2}:title|text"),
        ("an event cut within a character", b"_e{1,1}:t|\xc3"),
        ("a status of 4", b"_sc|a|4"),
        ("tags behind the message", b"_sc|a|1|m:x|#k:1"),
    ]
)
def _(line):
    try:
        found = read(line)
    except Refused:
        return
    true(False, f"the grammar takes {line!r} for {found!r}")


@test("the grammar reads what the protocol's description shows")
def _():
    line = read(b"page.views:1:2.5|d|@0.1|#env:prod,alone|c:in-33|e:it-false,cn-web,pu-u-1|card:high")
    equal((line.values, line.rate, line.tags["alone"], line.container), (["1", "2.5"], "0.1", None, "in-33"))
    equal((line.origin(), line.cardinality), ({"it": "false", "cn": "web", "pu": "u-1"}, "high"))
    equal(read(b"n:1|g|T1656581400").timestamp, 1656581400)
    equal(read("_e{2,6}:ü|a\\nb|c|h:me|#k:v".encode()).text, "a\nb|c")


# ---- every kind over each transport ----


@test("udp: every kind, with its tags")
def _():
    with UdpReceiver() as receiver, Agent(config_of(receiver.url)) as agent:
        write_event(agent)
        check_all_kinds(read_all(receiver.datagrams(1)[0]))


@test("unix: every kind, with its tags")
def _():
    with UnixReceiver() as receiver, Agent(config_of(receiver.url)) as agent:
        write_event(agent)
        check_all_kinds(read_all(receiver.datagrams(1)[0]))


@test("unixstream: every kind, with its tags, each payload behind its length")
def _():
    with Listener("unixstream") as listener, Agent(config_of(listener.url)) as agent:
        listener.accept()
        wait_until(lambda: total(agent.counters(), "statsidecar_output_up") == 1, "the connection")
        write_event(agent)
        listener.read_until(b"m:no\\nanswer")
        (length,) = struct.unpack_from("<I", listener.data)
        equal(length, len(listener.data) - 4)
        check_all_kinds(read_all(bytes(listener.data[4:])))


# ---- whose metrics they are ----


@table(
    [
        ("a pod", "", {"DD_ENTITY_ID": "uid-1"}, {}, {"dd.internal.entity_id": "uid-1"}),
        ("a pod, but off", ", origin: off", {"DD_ENTITY_ID": "uid-1"}, {}, {}),
        (
            "a container of a pod",
            ", origin: {container: web}",
            {"DD_ENTITY_ID": "uid-1"},
            {"external": "it-false,cn-web,pu-uid-1"},
            {"dd.internal.entity_id": "uid-1"},
        ),
        (
            "a cardinality from the environment",
            "",
            {"DD_CARDINALITY": "orchestrator"},
            {"cardinality": "orchestrator"},
            {},
        ),
        ("a cardinality of its own", ", cardinality: none", {"DD_CARDINALITY": "high"}, {"cardinality": "none"}, {}),
        (
            "service tags; of env the configuration's counts",
            "",
            {"DD_ENV": "prod", "DD_SERVICE": "shop", "DD_VERSION": "1.2", "DD_TAGS": "team:a,tier:1"},
            {},
            {"service": "shop", "version": "1.2", "team": "a", "tier": "1"},
        ),
    ]
)
def _(options, environment, origin, tags):
    with UdpReceiver() as receiver, Agent(config_of(receiver.url, options), env=environment) as agent:
        write_event(agent)
        lines = read_all(receiver.datagrams(1)[0])
        for line in lines:
            equal(line.tags, {"step": "fetch", "env": "test", **tags}, repr(line))
            line.tags = {"step": "fetch", "env": "test"}
        check_all_kinds(lines, **origin)


@test("self: this container, as the kernel tells it, and the external environment")
def _():
    environment = {"DD_EXTERNAL_ENV": "it-false,cn-web,pu-u|1"}
    with UdpReceiver() as receiver, Agent(config_of(receiver.url, ", origin: self"), env=environment) as agent:
        write_event(agent)
        containers = set()
        for line in read_all(receiver.datagrams(1)[0]):
            equal(line.origin(), {"it": "false", "cn": "web", "pu": "u1"}, repr(line))
            containers.add(line.container)
        # Where the tests run there may be none; but if there is, it is the same for all.
        equal(len(containers), 1, "containers")


# ---- what events hold ----

HOSTILE = [
    "|", "a|b|#c:d", "x,host:evil", "a:b", ":", ",", "\n", "a\nforged:1|c", "\r\n", "\x00\x01\x7f", "ü€😀", "\\n",
    "m:", "|m:x", "em:bolden", "#", "|#", "@0.5", "|c:in-1", "|card:high", "{}", "%s%n", " ", "a" * 300, "ü" * 300,
    "_e{1,1}:a|b", "_sc|x|0",
]  # fmt: skip


@test("whatever events hold, every line is one of the grammar's, and no tag but the configuration's is there")
def _():
    with UdpReceiver() as receiver, Agent(config_of(receiver.url)) as agent:
        for text in HOSTILE:
            write_event(agent, step=text, user=text, why=text)
            lines = []
            while len(lines) < 8:
                lines += [line for datagram in receiver.datagrams(1) for line in read_all(datagram)]
            for line in lines:
                true(set(line.tags) <= {"step", "env"}, f"{text!r}: {line!r}")
                equal(line.tags["env"], "test", f"{text!r}: {line!r}")
            equal(len(lines), 8, f"{text!r}: lines")


@test("the Agent's own tags cannot come from an event: a template is refused, relayed ones are left out")
def _():
    with temporary_directory() as folder:
        for key in ("host", "dd.internal.entity_id", "dd.internal.card"):
            rules = f'\nrules: [{{match: a, metrics: [{{counter: a, tags: {{{key}: "{{x}}"}}}}]}}]'
            agent = Agent(config_of("udp://127.0.0.1:9", rules=rules), directory=folder)
            agent.start(wait=False)
            equal(agent.wait(), 78)
            contains("\n".join(agent.stderr.all()), key)
            agent._clean()
    config = (
        "inputs: [{url: 'fifo://{dir}/pipe', format: statsd}]\nrules: [{match: '**', metrics: [{relay: '{event}'}]}]\n"
    )
    with UdpReceiver() as receiver, Agent(config + f"outputs: ['{receiver.url}']") as agent:
        write_pipe(agent.directory / "pipe", "a:1|c|#host:evil,dd.internal.entity_id:x,b:2|c:in-1|card:high")
        equal(read(receiver.datagrams(1)[0]), Metric(name="a", type="c", values=["1"], tags={"b": "2"}))


@test("a text that is too long is cut to fit, on a character's boundary; what comes behind is whole")
def _():
    with UnixReceiver() as receiver, Agent(config_of(receiver.url), env={"DD_CARDINALITY": "low"}) as agent:
        write_event(agent, why="é" * 20000)
        found = []
        while len(found) < 8:
            for datagram in receiver.datagrams(1):
                true(len(datagram) <= 8192, f"a datagram of {len(datagram)} bytes")
                found += read_all(datagram)
        for line in found[6:]:
            text = line.text if isinstance(line, Event) else line.message
            equal(set(text), {"é"})
            true(len(text) > 3900, f"only {len(text)} characters are left")
            equal((line.tags, line.cardinality), ({"step": "fetch", "env": "test"}, "low"))


@test("a sampled counter says its rate; the accounts tell the rest")
def _():
    rules = (
        "\nrules: [{match: s, metrics: ["
        "{counter: s, sample_rate: 0.25}, {timer: t, value: n, unit: ms, sample_rate: 0.25}]}]"
    )
    with UdpReceiver() as receiver, Agent(config_of(receiver.url, rules=rules)) as agent:
        write_pipe(agent.directory / "pipe", *["s n=1"] * 400)
        wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") == 400, "the events")
        counters = agent.check_balance()
        sent = total(counters, "statsidecar_metrics_total", 'outcome="sent"')
        equal(sent + total(counters, "statsidecar_metrics_total", 'outcome="sampled_out"'), 800)
        lines = [read(line.encode()) for line in receiver.lines(sent)]
        equal(len(lines), sent)
        equal({line.rate for line in lines}, {"0.25"})
        true(0 < sent < 800, f"{sent} of 800")


main()
