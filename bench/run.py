"""What an event costs: `make bench`, or run.py [--events MILLIONS] [--runs N] [--json] [PART…] (--help: more).

Every part compares side by side in one run, alternating, and gives medians; only such ratios mean something, seconds drift
with the machine. Parts:

    pipe       a real pipe, a bulk writer, datagrams to a local UDP socket; program and floor in turn on one core of
               their own: CPU seconds (user and system, of that process alone) per million events
    formats    the same of JSON, logfmt, statsd and dogstatsd lines, each beside its floor
    outputs    the same with three outputs, of which two are in trouble: what the third, healthy one gets and at which speed,
               beside its speed alone
    inprocess  the way of a line without the kernel's part, one thing changed a row: nanoseconds of CPU an event
    guards     the cardinality guard alone: nanoseconds of CPU a tag value
    udp        a fifth of the events as datagrams at a steady rate, one event each and packed; beside a loop that only
               receives them: CPU seconds per million events read, and what was lost
    unix       the same from a Unix datagram socket, whose sender waits: as fast as it goes; and from a pipe to such a socket,
               beside the bytes forwarded unread
    latency    from a line's write into the pipe to the datagram received, 1,000 a second and near saturation; beside loops
               that forward the line unread: microseconds
    footprint  from exec to ready, memory when ready and after twice as many events as a run has, the program's size; beside
               a libevent loop that does nothing
    peers      what others cost that do the same, each at its own kind of input beside the agent (peers.py says which): CPU seconds
               per million events, what was lost, memory; they are fetched from Debian and the npm registry

`no core` is the share of the time for which the measured program had to wait because others had its core, `late` that of the
lines that were written too late: where these are not small, the machine was not quiet, and losses and latencies mean nothing.
`chrt --rr 10 make bench` keeps others off the cores, where one may do that.

A table on standard output (with --json: JSON instead); the JSON also goes to bench/results.json in the build directory.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

import datagrams
import footprint
import latency
import peers
import pipes
from contest import BUILD, CORES, COUNTER_AND_TIMER, MEASURED, QUIET, alternate, environment, median, pinned, print_table, program
from contest import workplace, write_corpus

RULES_A_FILE = 400


# ---- in process ----


def rules_with_tags(count):
    fields = "step_name task_name namespace source_system priority status retryable queue_name".split()
    tags = ", ".join(f'tag{i}: "{{{field}}}"' for i, field in enumerate(fields[:count]))
    return COUNTER_AND_TIMER.replace('step: "{step_name}", task: "{task_name}"', tags)


def many_rules(count):
    """The rule that matches comes behind count - 1 others, half of them globs."""
    others = [
        f"  - {{match: '{'app' if i % 2 else '*'}.{i:06}.{'completed' if i % 2 else '*'}', "
        f"metrics: [{{counter: other.{i}}}]}}\n"
        for i in range(count - 1)
    ]
    return [*others, COUNTER_AND_TIMER.split("rules:\n")[1]]


def many_names(count):
    return [
        f"  - match: app.{i:06}.completed\n"
        f'    tags: {{step: "{{step_name}}", task: "{{task_name}}"}}\n'
        f"    metrics: [{{counter: app.{i}}}, {{timer: app.{i}.duration, value: execution_duration, unit: s}}]\n"
        for i in range(count)
    ]


def tags_of_ids():
    """Values that are another with nearly every event."""
    return COUNTER_AND_TIMER.replace("{step_name}", "{step_id}").replace("{task_name}", "{task_id}")


NAMED = """
rules:
  - match: "**"
    tags: {step: "{step_name}", task: "{task_name}"}
    metrics:
      - counter: "{event}"
      - {timer: "{event}.duration", value: execution_duration, unit: s}
"""


def output(dialect="dogstatsd"):
    return f"outputs: [{{url: 'udp://127.0.0.1:9', max_datagram: 1400, dialect: {dialect}}}]\n"


def lifecycle(key, max_entities=8192):
    """One that every event moves. The corpus is run in passes: after the first an entity that was kept is known."""
    return (
        f"lifecycles: {{step: {{key: {key}, enter: {{'**': complete}}, final: [complete], "
        f"max_entities: {max_entities}, timestamp: timestamp}}}}\n"
    )


# name: arguments of generate, configuration, rules that stand in included files
INPROCESS = {
    "JSON, counter and timer, two tags": ("", output() + COUNTER_AND_TIMER),
    "logfmt": ("--format logfmt", output() + COUNTER_AND_TIMER),
    "CloudEvents": ("--format cloudevents", output() + COUNTER_AND_TIMER),
    "a drop rule": ("", output() + "rules: [{match: '**', drop: true}]\n"),
    "no rule": ("", output() + "rules: []\n"),
    "wide events, no tags": ("--shape wide", output() + rules_with_tags(0)),
    "wide events, one tag": ("--shape wide", output() + rules_with_tags(1)),
    "wide events, four tags": ("--shape wide", output() + rules_with_tags(4)),
    "wide events, eight tags": ("--shape wide", output() + rules_with_tags(8)),
    "10 rules": ("", output(), many_rules(10)),
    "100 rules": ("", output(), many_rules(100)),
    "1,000 rules": ("", output(), many_rules(1_000)),
    "10,000 rules": ("", output(), many_rules(10_000)),
    "10 identifiers, a rule each": ("--shape named --names 10", output(), many_names(10)),
    "10,000 identifiers, a rule each": ("--shape named --names 10000", output(), many_names(10_000)),
    "two tags, constant: no guard": ("", output() + COUNTER_AND_TIMER.replace("{step_name}", "a").replace("{task_name}", "b")),
    "two tags, 90,000 values, all within limits": ("", "limits: {tag_values: 500000}\n" + output() + tags_of_ids()),
    "two tags, 90,000 values, beyond limits": ("", output() + tags_of_ids()),
    "10,000 templated names, all within limits": ("--shape named --names 10000", "limits: {names: 20000}\n" + output() + NAMED),
    "10,000 templated names, beyond limits": ("--shape named --names 10000", output() + NAMED),
    "the pack tasker": ("", output() + "include: [tasker]\n"),
    "the pack tasker-lifecycles": ("", output() + "include: [tasker-lifecycles]\n"),
    "a lifecycle, few entities": ("", output() + COUNTER_AND_TIMER + lifecycle("[step_name]")),
    "a lifecycle, entities come again": ("", output() + COUNTER_AND_TIMER + lifecycle("[task_id, step_id]", 1_000_000)),
    "a lifecycle, each evicts another": ("", output() + COUNTER_AND_TIMER + lifecycle("[task_id, step_id]")),
    **{
        f"dialect {dialect}": ("", output(dialect) + COUNTER_AND_TIMER)
        for dialect in ("statsd", "graphite", "influxdb", "librato", "signalfx")
    },
}


def include(rules, directory):
    """Many rules stand in many files, as they do where teams share an agent."""
    names = []
    for first in range(0, len(rules), RULES_A_FILE):
        names.append(f"rules-{first:06}.yaml")
        pathlib.Path(directory, names[-1]).write_text("rules:\n" + "".join(rules[first : first + RULES_A_FILE]))
    return f"include: [{', '.join(names)}]\n" if names else ""


def inprocess_once(arguments, directory, request, config, rules=()):
    events = write_corpus(directory, request, arguments.corpus)
    path = f"{directory}/bench.yaml"
    pathlib.Path(path).write_text("inputs: ['fifo:///nowhere']\n" + QUIET + config + include(rules, directory))
    done = subprocess.run(
        [program("inprocess"), "-c", path, "--passes", str(arguments.passes), events],
        stdout=subprocess.PIPE,
        env=environment(),
        preexec_fn=pinned(MEASURED),
        check=True,
    )
    return json.loads(done.stdout)


def inprocess(arguments):
    def once(name):
        with workplace() as directory:
            return inprocess_once(arguments, directory, *INPROCESS[name])

    rows = []
    for name, results in alternate(INPROCESS, arguments.runs, once).items():
        row = {what: round(median([r[what] for r in results]), 1) for what in ("least", "median", "copy")}
        row["spread"] = [limit(r["least"] for r in results) for limit in (min, max)]
        row["metrics_per_event"] = results[0]["metrics"] / results[0]["events"]
        rows.append({"name": name, **row, "ratio": round(row["least"] / (rows[0]["least"] if rows else row["least"]), 2)})
    return rows


INPROCESS_COLUMNS = [
    ("least", 8, lambda row: f"{row['least']:.1f}"),
    ("median", 8, lambda row: f"{row['median']:.1f}"),
    ("copy", 6, lambda row: f"{row['copy']:.1f}"),
    ("ratio", 6, lambda row: f"{row['ratio']:.2f}"),
    ("metrics/event", 14, lambda row: f"{row['metrics_per_event']:.2f}"),
]


def print_inprocess(rows, arguments):
    title = f"in process, nanoseconds of CPU an event, medians of {arguments.runs} runs of {arguments.passes} passes"
    print_table(title, INPROCESS_COLUMNS, rows)


# ---- guards ----


def guards(arguments):
    runs = [json.loads(subprocess.check_output([program("guards")], preexec_fn=pinned(MEASURED))) for _ in range(arguments.runs)]
    return {what: round(median([run[what] for run in runs]), 2) for what in runs[0]}


def print_guards(row, arguments):
    print(f"the cardinality guard alone, nanoseconds of CPU a tag value, medians of {arguments.runs} runs")
    print(f"hash alone {row['hash']:.1f}, known values {row['known']:.1f}, new ones beyond the limit {row['refused']:.1f}")
    print()


# ---- all ----

PARTS = {
    "pipe": (pipes.pipe, pipes.print_pipe),
    "formats": (pipes.formats, pipes.print_formats),
    "outputs": (pipes.outputs, pipes.print_outputs),
    "inprocess": (inprocess, print_inprocess),
    "guards": (guards, print_guards),
    "udp": (datagrams.udp, datagrams.print_udp),
    "unix": (datagrams.unix, datagrams.print_unix),
    "footprint": (footprint.footprint, footprint.print_footprint),
    "latency": (latency.latency, latency.print_latency),
    "peers": (peers.peers, peers.print_peers),
}


def machine():
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "cpus": len(CORES),
        "model": model[1] if model else None,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "load_before": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, default=5, metavar="MILLIONS", help="events of a run")
    parser.add_argument("--runs", type=int, default=5, help="of each, alternating")
    parser.add_argument("--rate", type=int, default=200_000, metavar="EVENTS", help="sent a second, of datagrams with one event each")
    parser.add_argument("--seconds", type=float, default=5, help="of a run of latency")
    parser.add_argument("--starts", type=int, default=20, help="of a run of footprint")
    parser.add_argument("--corpus", type=int, default=50_000, metavar="EVENTS", help="different events")
    parser.add_argument("--passes", type=int, default=9, help="of a run in process")
    parser.add_argument("--json", action="store_true", help="JSON on standard output instead of a table")
    parser.add_argument("--output", type=pathlib.Path, default=BUILD / "bench/results.json", metavar="FILE", help="of the JSON")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    arguments = parser.parse_args()
    if not set(arguments.parts) <= set(PARTS) or arguments.events <= 0 or arguments.runs < 1:
        parser.error(f"parts are {', '.join(PARTS)}; --events above 0, --runs at least 1")
    results = {"machine": machine(), "arguments": {name: getattr(arguments, name) for name in ("events", "runs", "rate", "seconds")}}
    for name, (run, show) in PARTS.items():
        if arguments.parts and name not in arguments.parts:
            continue
        results[name] = run(arguments)
        # What there is by now is not lost when a later part fails.
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")
        if not arguments.json:
            show(results[name], arguments)
            sys.stdout.flush()
    if arguments.json:
        print(json.dumps(results, indent=1))


main()
