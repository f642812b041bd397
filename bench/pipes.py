"""Through a real pipe: a bulk writer, the agent or the floor in turn on a core of their own, a receiver that counts."""

import os
import socket
import subprocess

from contest import (
    AGENT,
    BESIDE,
    COUNTER_AND_TIMER,
    CPU_COLUMNS,
    RELAY,
    Measured,
    Sink,
    add_ratios,
    alternate,
    median,
    pinned,
    print_table,
    program,
    spread,
    workplace,
    write_config,
)


class Contestant:
    """Who reads the pipe: command(path, sink, directory) gives its arguments; request is what `generate` is told."""

    def __init__(self, command, request="", sink=None, group=""):
        self.command = command
        self.request = request
        self.sink = sink or (lambda directory: Sink())
        self.group = group


def pipe_once(contestant, corpus, repeat, directory):
    """One run: CPU seconds and what the sink counted."""
    path = f"{directory}/events"
    os.mkfifo(path)
    sink = contestant.sink(directory)
    measured = None
    try:
        measured = Measured(contestant.command(path, sink, directory))
        command = [program("generate"), "--elapsed", *contestant.request.split(), "--count", str(corpus), "--repeat", str(repeat)]
        with open(path, "wb") as pipe_:
            writing = subprocess.run(command, stdout=pipe_, stderr=subprocess.PIPE, preexec_fn=pinned(BESIDE), check=True)
        cpu_s = measured.end()
    finally:
        if measured is not None:
            measured.kill()
        totals = sink.end()
    # The writer waits for the reader: when it is done there is a pipe's content left, 1 MiB of hundreds.
    return {"cpu_s": cpu_s, "elapsed_s": float(writing.stderr), **totals}


def pipe_rows(arguments, contestants):
    """A row each, ratios within a group."""
    repeat = max(1, round(arguments.events * 1e6 / arguments.corpus))
    events = repeat * arguments.corpus

    def once(name):
        with workplace() as directory:
            return pipe_once(contestants[name], arguments.corpus, repeat, directory)

    rows = []
    for name, runs in alternate(contestants, arguments.runs, once).items():
        least, cpu, most = spread(runs, "cpu_s", events / 1e6)
        rows.append(
            {
                "group": contestants[name].group,
                "name": name,
                "cpu_s_per_million": round(cpu, 4),
                "spread": [round(least, 4), round(most, 4)],
                "events_per_cpu_s": round(1e6 / cpu),
                "events_per_s": round(events / median([run["elapsed_s"] for run in runs])),
                "lines_received_per_event": round(median([run["lines"] for run in runs]) / events, 4),
                "runs": runs,
            }
        )
    for group in {row["group"] for row in rows}:
        add_ratios([row for row in rows if row["group"] == group], "cpu_s_per_million")
    return rows


COLUMNS = [
    *CPU_COLUMNS,
    ("events/CPU s", 13, lambda row: f"{row['events_per_cpu_s']:,}"),
    ("events/s", 11, lambda row: f"{row['events_per_s']:,}"),
    ("lines/event", 11, lambda row: f"{row['lines_received_per_event']:.3f}"),
]


def print_pipe_rows(title, rows, arguments):
    print_table(f"{title}, {arguments.events:g} million events a run, medians of {arguments.runs} runs, one core", COLUMNS, rows)


# ---- who reads the pipe ----


def agent(rules=COUNTER_AND_TIMER, format_="auto", when_full="drop", max_datagram=1400):
    def command(path, sink, directory):
        output = f"{{url: '{sink.url}', max_datagram: {max_datagram}, when_full: {when_full}}}"
        return [AGENT, "run", "-c", write_config(directory, f"{{url: 'fifo://{path}', format: {format_}}}", output, rules)]

    return command


def floor(max_datagram=1400, mode="pipe"):
    return lambda path, sink, _: [program("floor"), mode, path, sink.where, str(max_datagram)]


def agent_with_trouble(path, sink, directory):
    """Beside the healthy output one to which nobody listens, and one whose receiver has stopped reading."""
    stalled = f"{directory}/stalled"
    outputs = f"{{url: '{sink.url}', max_datagram: 1400}}, 'tcp://127.0.0.1:{closed_port()}', 'unixstream://{stalled}'"
    STALLED.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    STALLED[-1].bind(stalled)
    STALLED[-1].listen()  # the kernel takes the connection; nobody ever reads from it
    return [AGENT, "run", "-c", write_config(directory, f"'fifo://{path}'", outputs, COUNTER_AND_TIMER)]


STALLED = []


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- the parts ----

PIPE = {
    "agent: counter and timer, two tags each": Contestant(agent()),
    "floor: the same bytes forwarded unread": Contestant(floor()),
    "floor: the same, 46 datagrams a message": Contestant(floor(mode="segments")),
    "read only": Contestant(lambda path, sink, _: [program("floor"), "read", path]),
}
OUTPUTS = {
    "the healthy output alone": Contestant(agent()),
    "with a dead TCP and a stalled Unix stream": Contestant(agent_with_trouble),
}
FORMATS = {
    f"{who}: {name}": Contestant(command, request, group=name)
    for name, request, format_, rules in (
        ("JSON", "", "auto", COUNTER_AND_TIMER),
        ("logfmt", "--format logfmt", "auto", COUNTER_AND_TIMER),
        ("statsd", "--format statsd", "statsd", RELAY),
        ("dogstatsd", "--format dogstatsd", "statsd", RELAY),
    )
    for who, command in (("agent", agent(rules, format_)), ("floor", floor()))
}


def unix_sink(directory):
    return Sink(f"{directory}/sink")


# Both wait for the receiver, of whose datagrams the kernel keeps no more than ten.
UNIX_OUT = {
    f"{who}: out in datagrams of {size}": Contestant(command, sink=unix_sink, group=str(size))
    for size in (1400, 8192)
    for who, command in (("agent", agent(when_full="block", max_datagram=size)), ("floor", floor(size)))
}


def pipe(arguments):
    return pipe_rows(arguments, PIPE)


def outputs(arguments):
    return pipe_rows(arguments, OUTPUTS)


def formats(arguments):
    return pipe_rows(arguments, FORMATS)


def unix_out(arguments):
    return pipe_rows(arguments, UNIX_OUT)


def print_pipe(rows, arguments):
    print_pipe_rows("pipe, JSON", rows, arguments)


def print_outputs(rows, arguments):
    print_pipe_rows("three outputs, JSON", rows, arguments)


def print_formats(rows, arguments):
    print_pipe_rows("formats through a pipe", rows, arguments)


def print_unix_out(rows, arguments):
    print_pipe_rows("from a pipe to a Unix datagram socket, JSON", rows, arguments)
