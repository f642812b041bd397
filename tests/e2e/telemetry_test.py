"""The agent's own metrics, as StatsD to its own outputs."""

import collections
import re
import signal

from admin import AdminAgent
from harness import Agent, UdpReceiver, UnixReceiver, command, contains, equal, main, table, test, true, wait_until, write_pipe

PIPE = "inputs: [{url: 'fifo://{dir}/pipe', name: pipe}]\nadmin: off\n"
COUNT = "rules: [{match: a.b, name: counted, metrics: [{counter: n}]}]\n"
SOON = "telemetry: {interval: 100ms}\n"
ONLY_AT_THE_END = "telemetry: {interval: 1h}\n"


def sums(lines):
    """Counters added up by name and tags, gauges as they were last."""
    found = collections.Counter()
    for line in lines:
        match = re.fullmatch(r"([^:|#]+):(-?[\d.]+)\|([cg])(?:\|#(.*))?", line)
        true(match, f"no line of ours: {line!r}")
        name, value, kind, tags = match.groups()
        key = name + ("{" + tags + "}" if tags else "")
        found[key] = float(value) + (found[key] if kind == "c" else 0)
    return found


@test("once at the end: what came in, what became of it, what went out")
def _():
    with UdpReceiver() as receiver:
        with Agent(PIPE + f"outputs: [{{url: '{receiver.url}', name: main}}]\n" + COUNT + ONLY_AT_THE_END, quiet=False) as agent:
            write_pipe(agent.directory / "pipe", "a.b", "a.b", "other", "=")
        found = sums(receiver.all_lines())
        equal(found["n"], 2)
        equal(found["statsidecar.events_received{input:pipe}"], 4)
        equal(found["statsidecar.events{outcome:mapped}"], 2)
        equal(found["statsidecar.events{outcome:unmapped}"], 1)
        equal(found["statsidecar.events{outcome:malformed}"], 1)
        equal(found["statsidecar.unknown_events"], 3)
        equal(found["statsidecar.metrics{output:main,outcome:sent}"], 2)
        equal(found["statsidecar.output_up{output:main}"], 1)
        equal(found["statsidecar.output_pending{output:main}"], 0)
        true(not any("process" in key for key in found), "process_* stand on /metrics alone")
        true(not any("rule_matches" in key for key in found), "minimal has no rules")
        true("statsidecar.events{outcome:dropped}" not in found, "what did not happen is not told")


@test("every interval the increments: together they are what was counted, own metrics included")
def _():
    with UdpReceiver() as receiver:
        config = PIPE + f"outputs: [{{url: '{receiver.url}', name: main}}]\n" + COUNT + SOON
        with Agent(config, quiet=False) as agent:
            for number in range(5):
                write_pipe(agent.directory / "pipe", *["a.b"] * 7)
                want = 7 * (number + 1)
                name = "statsidecar.events{outcome:mapped}"
                receiver.read_until(lambda: sums(receiver.all_lines())[name] == want, f"{want} events told")
            reports = [line for line in receiver.all_lines() if line.startswith("statsidecar.events:")]
            true(len(reports) >= 5, "one report of everything")
        found = sums(receiver.all_lines())
        equal(found["statsidecar.events{outcome:mapped}"], 35)
        # The last report's own lines are told by nobody.
        lines = receiver.all_lines()
        last = len(receiver.received[-1].split(b"\n"))
        equal(found["statsidecar.metrics{output:main,outcome:sent}"], len(lines) - last, "own metrics count")


@test("metrics: all has rules, missing payload, legacy names, skipped metrics, datagrams")
def _():
    with UdpReceiver() as receiver:
        config = "include: [tasker]\n" + PIPE + f"outputs: [{{url: '{receiver.url}', name: main}}]\ntelemetry: {{metrics: all}}\n"
        with Agent(config, quiet=False) as agent:
            write_pipe(agent.directory / "pipe", "step.complete step_name=a")
        lines = receiver.all_lines()
        contains(lines, "statsidecar.legacy_events:1|c|#alias:step.complete,event:step.completed")
        contains(lines, "statsidecar.payload_missing:1|c|#event:step.completed,field:execution_duration")
        contains(lines, "statsidecar.rule_matches:1|c|#rule:step completed")
        true(any(line.startswith("statsidecar.metrics_skipped:") for line in lines), "no skipped metrics")
        true(any(line.startswith("statsidecar.output_datagrams:") for line in lines), "no datagrams")
        true(any(re.match(r"statsidecar\.build_info:1\|g\|#version:\d", line) for line in lines), "no version")


@test("rules of one label are told as one, each event once")
def _():
    rules = "rules: [{match: a, name: both, metrics: [{counter: n}]}, {match: b, name: both, metrics: [{counter: n}]}]\n"
    with UdpReceiver() as receiver:
        config = PIPE + f"outputs: [{{url: '{receiver.url}', name: main}}]\n" + rules
        with Agent(config + "telemetry: {interval: 100ms, metrics: all}\n", quiet=False) as agent:
            matches = lambda: sums(receiver.all_lines())["statsidecar.rule_matches{rule:both}"]
            for number in range(1, 4):
                write_pipe(agent.directory / "pipe", "a", "a", "a", "b")
                receiver.read_until(lambda: matches() >= 4 * number, "what was matched")
        equal(matches(), 12)


@test("prefix, filter, global tags and the output's prefix")
def _():
    with UdpReceiver() as receiver:
        output = f"{{url: '{receiver.url}', name: main, prefix: 'x.', filter: ['own.events', 'n']}}"
        config = PIPE + f"outputs: [{output}]\ntags: {{env: prod}}\n" + COUNT + "telemetry: {prefix: 'own.'}\n"
        with Agent(config, quiet=False) as agent:
            write_pipe(agent.directory / "pipe", "a.b")
        equal(receiver.all_lines(), ["x.n:1|c|#env:prod", "x.own.events:1|c|#outcome:mapped,env:prod"])


DIALECTS = [
    ("statsd: names alone, and no gauges that only tags tell apart", "statsd", "", "statsidecar.events_received:1|c"),
    ("statsd, tags in names", "statsd", ", tags_in_name: true", "statsidecar.events_received.pipe:1|c"),
    ("graphite", "graphite", "", "statsidecar.events_received;input=pipe:1|c"),
    ("influxdb", "influxdb", "", "statsidecar.events_received,input=pipe:1|c"),
    ("librato", "librato", "", "statsidecar.events_received#input=pipe:1|c"),
    ("signalfx", "signalfx", "", "statsidecar.events_received[input=pipe]:1|c"),
]


@table(DIALECTS)
def _(dialect, options, want):
    with UdpReceiver() as receiver:
        config = PIPE + f"outputs: [{{url: '{receiver.url}', name: main, dialect: {dialect}{options}}}]\n" + COUNT
        with Agent(config, quiet=False) as agent:
            write_pipe(agent.directory / "pipe", "a.b")
        lines = receiver.all_lines()
        contains(lines, want)
        gauges = [line for line in lines if line.startswith("statsidecar.output_up")]
        equal(len(gauges), 0 if dialect == "statsd" and not options else 1, str(gauges))


@test("off: nothing")
def _():
    with UdpReceiver() as receiver:
        with Agent(PIPE + f"outputs: ['{receiver.url}']\ntelemetry: off\n" + COUNT, quiet=False) as agent:
            write_pipe(agent.directory / "pipe", "a.b")
        equal(receiver.all_lines(), ["n:1|c"])


@test("standard output gets them only where telemetry is configured")
def _():
    run = ("run", "--input", "stdin:", "--output", "stdout:")
    equal(command(*run, input="step.completed\n").stdout, "tasker.step.completed:1|c|#attempt:1\n")
    with Agent("inputs: ['stdin:']\noutputs: ['stdout:']\nadmin: off\ntelemetry: {prefix: 'own.'}\n" + COUNT, quiet=False) as agent:
        equal(agent.wait(), 0)
        contains(agent.stdout.all(), "own.config_last_reload_successful:1|g")


@test("to every output, counted like any other metric: the accounts balance")
def _():
    with UdpReceiver() as first, UnixReceiver() as second:
        outputs = f"outputs: [{{url: '{first.url}', name: a}}, {{url: '{second.url}', name: b, filter: ['!**']}}, {{url: 'unix://{{dir}}/absent', name: c}}]\n"
        config = "inputs: [{url: 'fifo://{dir}/pipe', name: pipe}]\nadmin: 127.0.0.1:0\n" + outputs + COUNT + SOON
        with AdminAgent(config, admin="") as agent:
            write_pipe(agent.directory / "pipe", "a.b")
            first.read_until(lambda: "statsidecar.events:1|c|#outcome:mapped" in first.all_lines(), "a report")
            status = agent.page("/api/status")
            for output in status["outputs"]:
                fates = sum(output[fate] for fate in ("sent", "dropped", "filtered", "sampled_out", "pending"))
                equal(output["made"], fates, output["name"])
            equal(len({output["made"] for output in status["outputs"]}), 1, "as many for each")
            true(status["outputs"][1]["filtered"] > 1 and status["outputs"][2]["dropped"] > 1, str(status["outputs"]))


@test("an output that blocks: what telemetry makes for it is dropped, and the events it holds are not")
def _():
    outputs = "outputs: [{url: 'unix://{dir}/absent', name: blocked, when_full: block, max_datagram: 256}]\n"
    config = "inputs: [{url: 'fifo://{dir}/pipe', name: pipe}]\nadmin: 127.0.0.1:0\n" + outputs + COUNT + SOON
    with AdminAgent(config, admin="") as agent:
        write_pipe(agent.directory / "pipe", "a.b")
        status = wait_until(
            lambda: (lambda s: s if s["outputs"][0]["dropped"] >= 20 else None)(agent.page("/api/status")), "dropped ones"
        )
        (output,) = status["outputs"]
        true(output["pending"] >= 1, "the event's metric is held")
        equal(output["made"], output["dropped"] + output["pending"] + output["sent"])
        with UnixReceiver(f"{agent.directory}/absent") as receiver:
            receiver.read_until(lambda: "n:1|c" in receiver.all_lines(), "the event's metric")


@test("an input that goes and comes again with reloads is told from zero, however much has come by then")
def _():
    def config(inputs, telemetry):
        return f"inputs: [{inputs}]\nadmin: off\noutputs: ['{receiver.url}']\n" + COUNT + telemetry

    pipe, other = ("{url: 'fifo://{dir}/%s', name: %s}" % (name, name) for name in ("pipe", "other"))
    told = "statsidecar.events_received{input:other}"
    with UdpReceiver() as receiver, Agent(config(f"{pipe}, {other}", SOON), quiet=False) as agent:
        write_pipe(agent.directory / "other", "a.b", "a.b")
        receiver.read_until(lambda: sums(receiver.all_lines())[told] == 2, "the first two told")
        for count, inputs in ((1, pipe), (2, f"{pipe}, {other}")):
            agent.configure(config(inputs, ONLY_AT_THE_END))
            agent.send_signal(signal.SIGHUP)
            agent.stderr.wait_for(f"reloaded: {count} of {count} inputs")
        write_pipe(agent.directory / "other", "a.b", "a.b", "a.b")
        agent.stop()
        equal(sums(receiver.all_lines())[told], 2 + 3)


@test("a reload: intervals change, increments go on where they stood")
def _():
    with UdpReceiver() as receiver:
        config = PIPE + f"outputs: [{{url: '{receiver.url}', name: main}}]\n" + COUNT
        with Agent(config + ONLY_AT_THE_END, quiet=False) as agent:
            write_pipe(agent.directory / "pipe", "a.b", "a.b")
            receiver.read_until(lambda: receiver.all_lines().count("n:1|c") == 2, "two metrics")
            agent.configure(config.replace("counter: n", "counter: m") + SOON)
            agent.send_signal(signal.SIGHUP)
            name = "statsidecar.config_reloads{result:success}"
            parsed = lambda: sums(line for line in receiver.all_lines() if line.startswith("statsidecar."))
            receiver.read_until(lambda: parsed()[name] >= 1, "the reload to be told")
            write_pipe(agent.directory / "pipe", "a.b")
            receiver.read_until(lambda: parsed()["statsidecar.events{outcome:mapped}"] == 3, "three events told")
        equal(parsed()["statsidecar.events{outcome:mapped}"], 3)


main()
