"""What real receivers make of each kind of metric in each dialect: sent through the agent, read back from the
receiver, and put beside the tables of docs/receivers.md, whose cells say exactly what was found. DogStatsD,
which no receiver here reads as a whole, is judged by the tests' own grammar (dogstatsd_grammar.py)."""

import atexit
import functools
import json
import re

import dogstatsd_grammar
from harness import (
    SOURCE,
    Agent,
    Failure,
    Skip,
    UdpReceiver,
    equal,
    main,
    skip,
    table,
    test,
    total,
    wait_until,
    write_pipe,
)
from real_servers import Collectd, Netdata, StatsdGraphite, StatsdParser

DOCUMENT = SOURCE / "docs/receivers.md"
RULES = """
tags: {env: test}
rules:
  - {match: counter, tags: {step: fetch}, metrics: [{counter: "{event}", value: n}]}
  - {match: sampled, tags: {step: fetch}, metrics: [{counter: "{event}", sample_rate: 0.5}]}
  - {match: timer, tags: {step: fetch}, metrics: [{timer: "{event}", value: s, unit: s}]}
  - {match: gauge, tags: {step: fetch}, metrics: [{gauge: "{event}", value: n}]}
  - {match: below, tags: {step: fetch}, metrics: [{gauge: "{event}", value: n}]}
  - {match: set, tags: {step: fetch}, metrics: [{set: "{event}", value: user}]}
  - {match: histogram, tags: {step: fetch}, metrics: [{histogram: "{event}", value: n}]}
  - {match: distribution, tags: {step: fetch}, metrics: [{distribution: "{event}", value: n}]}
  - {match: event, tags: {step: fetch}, metrics: [{event: {title: failed, text: "{why}", alert: error}}]}
  - {match: check, tags: {step: fetch}, metrics: [{service_check: {name: check, status: critical, message: "{why}"}}]}
"""
TAGS = {"step": "fetch", "env": "test"}
SAMPLED = 40

# Each kind's events are one write: they leave in one datagram, and fall into one flush of the receiver.
EVENTS = {
    "counter": ["counter n=3", "counter n=4"],
    "sampled": ["sampled"] * SAMPLED,
    "timer": ["timer s=0.12", "timer s=0.08"],
    "gauge": ["gauge n=12.5", "gauge n=7.25"],
    "below": ["below n=12.5", "below n=-7.25"],
    "set": ["set user=ann", "set user=bob", "set user=ann"],
    "histogram": ["histogram n=120", "histogram n=80"],
    "distribution": ["distribution n=120", "distribution n=80"],
    "event": ['event why="no answer"'],
    "check": ['check why="no answer"'],
}
# What the document calls them.
ROWS = {
    "counter": "counter",
    "sampled": "counter, sampled",
    "timer": "timer",
    "gauge": "gauge",
    "below": "gauge below zero",
    "set": "set",
    "histogram": "histogram",
    "distribution": "distribution",
    "event": "event",
    "check": "service check",
}
SPREAD = {"least": 80, "most": 120}


class Found:
    """A value that a receiver has, with its tags: read as such, kept in the name (where), or not kept."""

    def __init__(self, value, tags=None, where=None):
        self.value, self.tags, self.where = value, tags, where

    def cell(self, want, dialect):
        equal(self.value, want, "the value")
        if dialect == "statsd":
            return "equal"
        if self.tags is not None:
            equal(self.tags, TAGS, "the tags")
            return "equal, tags equal"
        return "equal, tags stay in the name" if self.where == "name" else "equal, tags are ignored"


def until(read):
    """Reads again and again until there is something."""
    return wait_until(read, "the receiver to have it")


# ---- receivers ----


@functools.cache
def started(kind):
    """The servers of a kind, one set for the whole file."""
    try:
        server = kind().__enter__()
    except Skip as why:
        return why
    atexit.register(server.stop)
    return server


def real(kind):
    server = started(kind)
    if isinstance(server, Skip):
        skip(server)
    return server


class OfStatsd:
    title = "statsd 0.9.0"
    dialects = ("statsd", "graphite", "dogstatsd")
    server = StatsdGraphite

    def __init__(self, server, dialect):
        self.real, self.url, self.dialect = server, server.url, dialect
        self.bad_lines = server.bad_lines()

    def read(self, kind, name, want):
        if kind in ("event", "check"):
            # One of each.
            until(lambda: self.real.bad_lines() >= self.bad_lines + 2)
            return "refused"
        if kind in ("histogram", "distribution") and self.dialect == "dogstatsd":
            self.series("counters", name, "count", lambda series: series.total() == sum(SPREAD.values()))
            return "counted as a counter"
        if kind in ("timer", "histogram", "distribution"):
            least = self.series("timers", name, "lower", lambda series: series.points())
            most = self.series("timers", name, "upper", lambda series: series.points())
            return self.found({"least": min(least.points()), "most": max(most.points())}, most)
        if kind in ("gauge", "below"):
            last = {"below": [want, 12.5 + want]}.get(kind, [want])
            series = self.series("gauges", name, None, lambda series: series.points() and series.points()[-1] in last)
            if series.points()[-1] != want:
                return "taken for a change"
            return self.found(series.points()[-1], series)
        if kind == "set":
            series = self.series("sets", name, "count", lambda series: series.total() >= want)
            return self.found(max(series.points()), series)
        series = self.series("counters", name, "count", lambda series: series.total() >= want)
        return self.found(series.total(), series)

    def series(self, folder, name, leaf, condition):
        target = ".".join(filter(None, ["stats", folder, name, leaf]))
        if self.dialect != "statsd":
            target = f"seriesByTag('name={target}','step=fetch','env=test')"
        return self.real.wait_for(target, lambda series: len(series) and condition(series))

    def found(self, value, series):
        tags = {key: value for key, value in series.tags().items() if key != "name"}
        return Found(value, tags if self.dialect != "statsd" else None)


class OfCollectd:
    title = "collectd 5.12"
    dialects = ("statsd", "graphite", "dogstatsd")
    server = Collectd

    def __init__(self, server, dialect):
        self.real, self.url, self.dialect = server, server.url, dialect

    def read(self, kind, name, want):
        if kind in ("event", "check"):
            until(lambda: any(line.startswith({"event": "_e{", "check": "_sc|"}[kind]) for line in self.real.refused()))
            return "refused"
        if self.dialect == "dogstatsd":
            until(lambda: any(line.startswith(name + ":") for line in self.real.refused()))
            return "refused: it knows no tags"
        where = None
        if self.dialect == "graphite":
            where, name = "name", name + "".join(f";{key}={value}" for key, value in TAGS.items())
        if kind in ("timer", "histogram", "distribution"):
            # In seconds there.
            least = min(until(lambda: self.real.values(f"latency-{name}-lower")))
            most = max(until(lambda: self.real.values(f"latency-{name}-upper")))
            value = {"least": round(least * 1000, 3), "most": round(most * 1000, 3)}
        elif kind == "set":
            value = max(until(lambda: self.real.values(f"objects-{name}")))
        else:
            prefix = "gauge" if kind in ("gauge", "below") else "derive"
            value = until(lambda: self.real.values(f"{prefix}-{name}"))[-1]
        equal(
            any(listed.endswith(name) or f"-{name}-" in listed for listed in self.real.listed()),
            True,
            f"{name} is listed",
        )
        return Found(value, where=where)


class OfNetdata:
    title = "netdata 1.37"
    dialects = ("statsd", "graphite", "dogstatsd")
    server = Netdata

    def __init__(self, server, dialect):
        self.real, self.url, self.dialect = server, server.url, dialect

    def read(self, kind, name, want):
        if kind in ("event", "check"):
            until(
                lambda: re.search(
                    {"event": r"'_e\{", "check": "'_sc'"}[kind] + ".* unknown metric type", self.real.log()
                )
            )
            return "refused"
        if self.dialect == "graphite":
            until(lambda: re.search(f"NEW STATSD METRIC '[a-z]+': '{name};step'", self.real.log()))
            return "not read: `=` ends the name there"
        if kind == "distribution" and self.dialect == "dogstatsd":
            got = until(lambda: self.real.collected(f"{name}_dictionary"))
            equal(got, {"120": 1, "80": 1})
            return "a dictionary there: how often each value came"
        if kind in ("timer", "histogram", "distribution"):
            chart = "histogram" if kind == "histogram" and self.dialect == "dogstatsd" else "timer"
            peaks = until(lambda: self.real.peaks(f"{name}_{chart}"))
            return Found({"least": peaks["min"], "most": peaks["max"]})
        if kind == "set":
            return Found(until(lambda: self.real.peaks(f"{name}_set"))["unique"])
        if kind in ("gauge", "below"):
            value = until(lambda: self.real.collected(f"{name}_gauge"))["gauge"] / self.real.DETAIL
            return "taken for a change" if kind == "below" and value == 12.5 + want else Found(value)
        return Found(until(lambda: self.real.collected(f"{name}_counter"))["counter"])


class OfParser:
    title = "statsd-parser 0.0.4"
    dialects = ("statsd", "graphite", "influxdb", "librato", "signalfx", "dogstatsd")
    server = StatsdParser
    # How a name looks with its tags.
    NAMES = {
        "statsd": "{}",
        "graphite": "{};step=fetch;env=test",
        "influxdb": "{},step=fetch,env=test",
        "librato": "{}#step=fetch,env=test",
        "signalfx": "{}[step=fetch,env=test]",
    }

    def __init__(self, server, dialect):
        self.real, self.url, self.dialect = server, server.url, dialect

    def lines(self, kind, name):
        """All that it said of the metric."""
        lead = {"event": "_e{", "check": "_sc|"}.get(kind, name)
        return [row for row in self.real.read(0) if row["line"].startswith(lead)]

    def read(self, kind, name, want):
        count = want // 2 if kind == "sampled" else len(EVENTS[kind])
        until(lambda: len(self.lines(kind, name)) >= count)
        stats = [row["stat"] for row in self.lines(kind, name)]
        if all(stat is None for stat in stats):
            return "refused" if kind in ("event", "check") else f"refused: {self.why(kind)}"
        equal({stat["stat"] for stat in stats}, {self.NAMES[self.dialect].format(name)})
        values = [float(stat["value"]) for stat in stats]
        where = "name" if self.dialect != "statsd" else None
        if kind in ("timer", "histogram", "distribution"):
            equal({stat["type"] for stat in stats}, {"ms"})
            return Found({"least": min(values), "most": max(values)}, where=where)
        if kind in ("gauge", "below"):
            return Found(values[-1], where=where)
        rate = {float(stat.get("sample_rate", 1)) for stat in stats}
        return Found(sum(values) / rate.pop(), where=where)

    def why(self, kind):
        return "it knows no tags" if self.dialect == "dogstatsd" else "its values are numbers"


class OfGrammar:
    title = "DogStatsD, by the tests' own grammar"
    dialects = ("dogstatsd",)
    server = None

    def __init__(self, receiver, dialect):
        self.real, self.url = receiver, receiver.url

    def read(self, kind, name, want):
        lead = {"event": "_e{", "check": "_sc|"}.get(kind, name + ":")
        count = want // 2 if kind == "sampled" else len(EVENTS[kind])
        lines = []

        def is_complete():
            lines[:] = [
                dogstatsd_grammar.read(line.encode()) for line in self.real.all_lines() if line.startswith(lead)
            ]
            return len(lines) >= count

        until(is_complete)
        (tags,) = {json.dumps(line.tags) for line in lines}
        return Found(self.value(kind, name, lines), json.loads(tags))

    def value(self, kind, name, lines):
        if kind == "event":
            return (lines[0].title, lines[0].text, lines[0].alert)
        if kind == "check":
            return (lines[0].name == name, lines[0].status, lines[0].message)
        equal({line.type for line in lines}, {self.type(kind)})
        if kind == "set":
            return len({line.values[0] for line in lines})
        values = [float(value) for line in lines for value in line.values]
        if kind in ("timer", "histogram", "distribution"):
            return {"least": min(values), "most": max(values)}
        if kind in ("gauge", "below"):
            return values[-1]
        return sum(values) / float(lines[0].rate or 1)

    def type(self, kind):
        return {"timer": "ms", "gauge": "g", "below": "g", "set": "s", "histogram": "h", "distribution": "d"}.get(
            kind, "c"
        )


RECEIVERS = [OfStatsd, OfCollectd, OfNetdata, OfParser, OfGrammar]


# ---- the tables ----


def columns_of(title):
    """{dialect: {row: cell}} of a section of the document."""
    text = DOCUMENT.read_text().split(f"\n## {title}\n")
    equal(len(text), 2, f"sections {title!r} of {DOCUMENT}")
    rows = re.findall(r"^\|(.*)\|$", text[1].split("\n## ")[0], re.MULTILINE)
    head, _, *cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return {
        dialect.strip("`"): {row[0]: row[at] for row in cells}
        for at, dialect in enumerate(head)
        if dialect.startswith("`")
    }


def wanted(kind, counters):
    """What was sent, as the receivers' readings are put."""
    sampled_out = total(counters, "statsidecar_metrics_total", 'outcome="sampled_out"')
    return {
        "counter": 7,
        "sampled": 2 * (SAMPLED - sampled_out),
        "timer": SPREAD,
        "gauge": 7.25,
        "below": -7.25,
        "set": 2,
        "histogram": SPREAD,
        "distribution": SPREAD,
        "event": ("failed", "no answer", "error"),
        "check": (True, 2, "no answer"),
    }[kind]


def judge(of, server, dialect):
    """The cells of one column."""
    receiver = of(server, dialect)
    prefix = f"matrix.{dialect}."
    with Agent(
        "inputs: ['fifo://{dir}/pipe']\n"
        f"outputs: [{{url: '{receiver.url}', dialect: {dialect}, prefix: '{prefix}'}}]" + RULES
    ) as agent:
        for count, events in enumerate(EVENTS.values(), 1):
            received = sum(len(events) for events in list(EVENTS.values())[:count])
            write_pipe(agent.directory / "pipe", "\n".join(events))
            wait_until(
                lambda: total(agent.counters(), "statsidecar_events_received_total") == received, f"{received} events"
            )
        counters = agent.check_balance()
        filtered = 0 if dialect == "dogstatsd" else 2
        equal(total(counters, "statsidecar_metrics_total", 'outcome="filtered"'), filtered, "filtered")
        cells = {}
        for kind, row in ROWS.items():
            if kind in ("event", "check") and filtered:
                cells[row] = "not sent"
                continue
            want = wanted(kind, counters)
            try:
                found = receiver.read(kind, prefix + kind, want)
                cells[row] = found if isinstance(found, str) else found.cell(want, dialect)
            except Failure as failure:
                raise Failure(f"{row}: {failure}") from None
        return cells


@table([(f"{of.title}, dialect {dialect}", of, dialect) for of in RECEIVERS for dialect in of.dialects])
def _(of, dialect):
    if of.server is None:
        with UdpReceiver() as receiver:
            cells = judge(of, receiver, dialect)
    else:
        cells = judge(of, real(of.server), dialect)
    equal(cells, columns_of(of.title)[dialect], f"what was found, what {DOCUMENT.name} says")


@test("the document has these sections and columns, and no others")
def _():
    titles = re.findall(r"^## (.*)$", DOCUMENT.read_text(), re.MULTILINE)
    equal([title for title in titles if columns_of(title)], [of.title for of in RECEIVERS], "sections")
    for of in RECEIVERS:
        equal(tuple(columns_of(of.title)), of.dialects, of.title)


# ---- another road to one of them ----


@test("netdata over TCP: counter, timer and gauge are equal there")
def _():
    server = real(Netdata)
    with Agent(
        f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{server.tcp_url}', dialect: statsd, prefix: 'tcp.'}}]"
        + RULES
    ) as agent:
        wait_until(lambda: total(agent.counters(), "statsidecar_output_up") == 1, "the connection")
        write_pipe(agent.directory / "pipe", *EVENTS["counter"], *EVENTS["timer"], *EVENTS["gauge"])
        reader = OfNetdata(server, "statsd")
        for kind in ("counter", "timer", "gauge"):
            until(lambda: total(agent.counters(), "statsidecar_metrics_total", 'outcome="sent"') == 6)
            found = None

            def is_equal():
                nonlocal found
                found = reader.read(kind, f"tcp.{kind}", None).value
                return found == wanted(kind, {})

            wait_until(is_equal, f"{kind}, which is {found!r}")


main()
