"""The real thing: events written to the pipe and sent by UDP and Unix socket by processes of their own, through the agent, into
npm's statsd with Debian's Graphite behind it; what Graphite then says is what was sent.
"""

import atexit
import collections
import json
import re
import subprocess

from harness import SOURCE, Agent, Skip, environment, equal, main, skip, table, temporary_directory, test, true
from real_servers import PYTHON, StatsdGraphite

_real = None


def real():
    """The servers, one set for the whole file."""
    global _real
    if _real is None:
        try:
            _real = StatsdGraphite().__enter__()
            atexit.register(_real.stop)
        except Skip as why:
            _real = why
    if isinstance(_real, Skip):
        skip(_real)
    return _real


# ---- senders: each a process of its own ----

SEND_UNIX = """
import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), sys.argv[1])
"""


def process(*arguments, **options):
    subprocess.run([str(argument) for argument in arguments], check=True, env=environment(), timeout=60, **options)


def echo_to_pipe(agent, text):
    process("sh", "-c", 'echo "$1" >"$0"', agent.directory / "events", text)


def print_to_udp(agent, text):
    process("bash", "-c", 'printf %s "$1" >"/dev/udp/127.0.0.1/$0"', agent.ports()[0], text)


def send_to_unix(agent, text):
    process(PYTHON, "-c", SEND_UNIX, agent.directory / "events.sock", text)


def completed(step, duration, task="nightly"):
    return json.dumps(
        {"event": "step.completed", "task_name": task, "step_name": step, "execution_duration": duration}
    )


# What is sent by each way, and how long each step took, in seconds.
SENT = {
    "pipe": [("fetch", 1.25), ("fetch", 0.0015), ("load", 0.75), ("fetch", 0.08)],
    "udp": [("fetch", 0.12), ("load", 2)],
    "unix": [("load", 0.03)],
}


def send_all(agent):
    for step, duration in SENT["pipe"]:
        echo_to_pipe(agent, completed(step, duration))
    # One datagram with two lines, one as logfmt in a legacy spelling, without a newline at its end.
    (first, first_s), (second, second_s) = SENT["udp"]
    print_to_udp(
        agent,
        completed(first, first_s)
        + f"\nTasker::LifecycleEvents::Events::Step::COMPLETE step={second} task=nightly duration={second_s}",
    )
    ((step, duration),) = SENT["unix"]
    send_to_unix(agent, completed(step, duration))


def agent_for(dialect):
    return Agent(f"""
include: [tasker]
inputs:
  - {{url: "fifo://{{dir}}/events", tags: {{via: pipe}}}}
  - {{url: "udp://127.0.0.1:0", tags: {{via: udp}}}}
  - {{url: "unix://{{dir}}/events.sock", tags: {{via: unix}}}}
outputs: [{{url: "{real().url}", dialect: {dialect}, prefix: "{dialect}."}}]
tags: {{env: test}}
""")


def check_timer(target_of, durations):
    """Whatever statsd says of a timer is what was measured: number, sum, least and most."""
    ms = [round(duration * 1000, 3) for duration in durations]
    count = real().wait_for(target_of("count"), lambda series: series.total() >= len(ms))
    equal(count.total(), len(ms), "how often")

    def points(what):
        """One for each of the counter's: they may be written a little later."""
        return real().wait_for(target_of(what), lambda series: len(series.points()) >= len(count.points())).points()

    equal(round(sum(points("sum")), 3), round(sum(ms), 3), "sum")
    equal(min(points("lower")), min(ms), "least")
    equal(max(points("upper")), max(ms), "most")


# ---- counters and timers, in every dialect that this statsd reads ----


@test("dialect statsd: counter and timer without tags, read back from Graphite")
def _():
    with agent_for("statsd") as agent:
        send_all(agent)
        everything = [duration for sent in SENT.values() for _, duration in sent]
        counted = real().wait_for(
            "stats.counters.statsd.tasker.step.completed.count", lambda series: series.total() >= len(everything)
        )
        equal(counted.total(), len(everything))
        check_timer(lambda what: f"stats.timers.statsd.tasker.step.duration.{what}", everything)


@table([(f"dialect {d}: counter and timer for every set of tags, read back by them", d) for d in ("dogstatsd", "graphite")])
def _(dialect):
    with agent_for(dialect) as agent:
        send_all(agent)
        for via, sent in SENT.items():
            for step in {step for step, _ in sent}:
                durations = [duration for s, duration in sent if s == step]
                tags = {"task": "nightly", "step": step, "attempt": "1", "via": via, "env": "test"}
                check_tagged(f"{dialect}.tasker", tags, durations)
        every = f"seriesByTag('name=stats.counters.{dialect}.tasker.step.completed.count')"
        sets = {(via, step) for via, sent in SENT.items() for step, _ in sent}
        equal(len(real().read(every)), len(sets), "there is no series but these")


def check_tagged(prefix, tags, durations):
    expression = ",".join(f"'{key}={value}'" for key, value in tags.items())

    def target(name):
        return f"seriesByTag('name={name}',{expression})"

    counter = f"stats.counters.{prefix}.step.completed.count"
    counted = real().wait_for(target(counter), lambda series: series.total() >= len(durations))
    equal(counted.total(), len(durations), counter)
    equal(counted.tags(), {**tags, "name": counter}, "the tags, no others")
    check_timer(lambda what: target(f"stats.timers.{prefix}.step.duration.{what}"), durations)


# ---- the other kinds that this statsd has ----


@table([(f"dialect {d}: gauge above and below zero, set, scaled timer", d) for d in ("dogstatsd", "statsd", "graphite")])
def _(dialect):
    with Agent(f"""
inputs: [{{url: "fifo://{{dir}}/events"}}]
outputs: [{{url: "{real().url}", dialect: {dialect}, prefix: "kinds_{dialect}."}}]
rules:
  - match: measured
    metrics:
      - {{gauge: level, value: level}}
      - {{set: users, value: user}}
      - {{timer: took, value: took_us, unit: us}}
""") as agent:
        # A sign is a change in DogStatsD's gauges too where this statsd reads them: only the other dialects can go below.
        levels = [12.5, 7] if dialect == "dogstatsd" else [12.5, -7.25]
        for user, level in zip(("ann", "bob"), levels):
            echo_to_pipe(agent, f"measured level={level} user={user} took_us=1500")
        echo_to_pipe(agent, "measured user=ann took_us=1500")
        prefix = f"kinds_{dialect}"
        gauge = real().wait_for(
            f"stats.gauges.{prefix}.level", lambda series: series.points() and series.points()[-1] == levels[-1]
        )
        true(all(point in levels for point in gauge.points()), f"a gauge that was never so: {gauge!r}")
        users = real().wait_for(f"stats.sets.{prefix}.users.count", lambda series: series.total() >= 2)
        true(max(users.points()) <= 2, f"two users: {users!r}")
        check_timer(lambda what: f"stats.timers.{prefix}.took.{what}", [0.0015] * 3)


# ---- what is in examples/ ----


def shown_counters():
    """The counters of examples/README.md: {(name, its tags): sum}."""
    (text,) = re.findall(r"^```statsd\n(.*?)^```$", (SOURCE / "examples/README.md").read_text(), re.MULTILINE | re.DOTALL)
    counters = collections.Counter()
    for name, value, tags in re.findall(r"^([^:]+):([0-9]+)\|c(?:\|#(.*))?$", text, re.MULTILINE):
        counters[name, tags] += int(value)
    return counters


@test("the legacy job of examples/: the counters that its README shows, read back from Graphite")
def _():
    with temporary_directory() as directory:
        pipe = f"{directory}/events"
        arguments = ["-c", SOURCE / "conf/examples/shell-job.yaml", "--input", f"fifo://{pipe}"]
        with Agent(arguments=[*arguments, "--output", real().url, "--dialect", "graphite"], directory=directory):
            environment_ = {"PATH": "/usr/bin:/bin", "EVENTS": pipe}
            subprocess.run([SOURCE / "examples/legacy-job.sh", SOURCE / "examples/tables"], env=environment_, check=True)
            for (name, tags), value in shown_counters().items():
                target = f"stats.counters.{name}.count"
                if tags:
                    pairs = "".join(f",'{tag.replace(':', '=', 1)}'" for tag in tags.split(","))
                    target = f"seriesByTag('name={target}'{pairs})"
                got = real().wait_for(target, lambda series: series.points() and series.total() >= value)
                equal(got.total(), value, name)


# ---- the end ----


@test("statsd could read every line")
def _():
    equal(real().bad_lines(), 0, "bad lines")


main()
