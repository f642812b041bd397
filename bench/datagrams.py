"""Datagrams in: from a UDP port, from a Unix socket. Beside the agent a loop that only receives the same datagrams, both with the
same receive buffer, and the same sender at the same rate on another core.

At a rate the receiver sleeps and wakes up all the time, and one that is slower wakes up less often. From a backlog both read the
same datagrams at one go, and a busy machine makes no difference."""

import json
import signal
import subprocess

import pipes
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
    write_corpus,
)

RECEIVE_BUFFER = 4 << 20  # the agent's default

SHARE = 5  # of the events of a run through a pipe one in so many: at a rate they take their time
BACKLOG = 4000  # events: a third of what the receive buffer holds of those that have a datagram each


class Group:
    """request is what `generate` is told, format_ the input's, pack the bytes that a datagram is filled up to, times how often
    the rate asked for. Without a rate: as fast as it goes (Unix), or from a backlog, read at one go after it was sent."""

    def __init__(self, request="", format_="auto", rules=COUNTER_AND_TIMER, pack=0, times=1, has_backlog=False):
        self.request = request
        self.format = format_
        self.rules = rules
        self.pack = pack
        self.times = times
        self.has_backlog = has_backlog


STATSD = ("--format statsd", "statsd", RELAY)
UDP = {
    "JSON, one event a datagram": Group(),
    "JSON, packed to 1400 bytes": Group(pack=1400, times=3),
    "logfmt, one event a datagram": Group("--format logfmt"),
    "statsd, one line a datagram": Group(*STATSD),
    "dogstatsd, one line a datagram": Group("--format dogstatsd", *STATSD[1:]),
    "JSON, one event a datagram, a backlog": Group(has_backlog=True),
    "statsd, one line a datagram, a backlog": Group(*STATSD, has_backlog=True),
}
UNIX = {
    "JSON, one event a datagram": Group(times=0),
    "statsd, one line a datagram": Group(*STATSD, times=0),
}


def accounted(counters):
    """How many events the agent has read; all of them have to be mapped."""
    received = counters["statsidecar_events_received_total"]
    if counters["statsidecar_rule_matches_total"] != received:
        raise SystemExit(f"the agent has read {received} events and mapped others: {dict(counters)}")
    return received


def send_batches(sender, measured, count):
    """Each batch waits in the receive buffer before the measured program goes on: it wakes up once, whatever the machine does."""
    for _ in range(-(-count // BACKLOG)):
        measured.process.send_signal(signal.SIGSTOP)
        sender.stdin.write(b"\n")
        sender.stdin.flush()
        if sender.stdout.readline() != b"sent\n":
            raise SystemExit("the sender failed")
        measured.process.send_signal(signal.SIGCONT)
        measured.wait_asleep()


def send(arguments, group, to, corpus, measured):
    """What the sender says of itself."""
    count = round(arguments.events * 1e6 / SHARE)
    options = {"count": count, "rate": 0 if group.has_backlog else arguments.rate * group.times, "pack": group.pack}
    if group.has_backlog:
        options["batch"] = BACKLOG
    sender = subprocess.Popen(
        [program("send"), to, *(f"--{name}={value}" for name, value in options.items()), corpus],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=pinned(BESIDE),
    )
    with sender:
        try:
            if group.has_backlog:
                send_batches(sender, measured, count)
            return json.loads(sender.stdout.read())
        except BaseException:
            sender.kill()
            raise


def receive_once(arguments, directory, is_agent, group, is_udp):
    """One run of the agent or of the floor: CPU seconds, what was sent and read."""
    corpus = write_corpus(directory, group.request, arguments.corpus)
    path = f"{directory}/socket"
    sink = Sink()
    measured = None
    try:
        if is_agent:
            url = "udp://127.0.0.1:0" if is_udp else f"unix://{path}"
            input_ = f"{{url: '{url}', format: {group.format}, receive_buffer: {RECEIVE_BUFFER}}}"
            output = f"{{url: '{sink.url}', max_datagram: 1400}}"
            measured = Measured([AGENT, "run", "-c", write_config(directory, input_, output, group.rules)])
        else:
            measured = Measured([program("floor"), "receive", "udp" if is_udp else path, str(RECEIVE_BUFFER)])
        sent = send(arguments, group, str(measured.udp_input()[0]) if is_udp else path, corpus, measured)
        measured.wait_asleep()
        cpu_s, waited_s = measured.used_s(), measured.waited_s()
        drops = measured.udp_input()[1] if is_udp else 0
        received = accounted(measured.counters()) if is_agent else 0
        measured.end()
    finally:
        if measured is not None:
            measured.kill()
        totals = sink.end()
    if not is_agent:
        # Where it lost some, a datagram of average size: packed ones hold almost the same number each.
        datagrams = int(measured.log.wait_for(r"received (\d+) datagrams")[1])
        received = round(datagrams * sent["events"] / sent["datagrams"])
    return {
        "cpu_s_per_million": cpu_s / received * 1e6,
        "sent": sent["events"],
        "sent_datagrams": sent["datagrams"],
        "received": received,
        "kernel_drops": drops,
        "sent_per_s": sent["events"] / sent["elapsed_s"],
        "waited_share": waited_s / sent["elapsed_s"],
        "given_up_s": sent["given_up_s"],
        "lines_out": totals["lines"],
        "datagrams_out": totals["datagrams"],
    }


def is_whole(run):
    return run["received"] == run["sent"]


def receive_rows(arguments, groups, is_udp):
    contestants = [(group, is_agent) for group in groups for is_agent in (True, False)]

    def once(contestant):
        group, is_agent = contestant
        with workplace() as directory:
            return receive_once(arguments, directory, is_agent, groups[group], is_udp)

    rows = []
    for (group, is_agent), runs in alternate(contestants, arguments.runs, once).items():
        least, cpu, most = spread(runs, "cpu_s_per_million")
        rows.append(
            {
                "group": group,
                "is_backlog": groups[group].has_backlog,
                "name": f"agent: {group}" if is_agent else "floor: only receives",
                "cpu_s_per_million": round(cpu, 4),
                "spread": [round(least, 4), round(most, 4)],
                "sent_per_s": round(median([run["sent_per_s"] for run in runs])),
                "events_per_datagram": round(runs[0]["sent"] / runs[0]["sent_datagrams"], 2),
                "lost_share": max(1 - run["received"] / run["sent"] for run in runs),
                "waited_share": max(run["waited_share"] for run in runs),
                "whole_runs": sum(map(is_whole, runs)),
                "lines_received_per_event": round(median([run["lines_out"] / run["received"] for run in runs]), 4),
                "runs": runs,
            }
        )
    for agent, floor in zip(rows[::2], rows[1::2]):
        add_ratios([agent, floor], "cpu_s_per_million")
        # One after the other in the same round: where the floor loses some, the machine was at fault.
        rounds = [is_whole(ours) for ours, theirs in zip(agent["runs"], floor["runs"]) if is_whole(theirs)]
        agent["whole_where_the_floor_is"] = {"rounds": len(rounds), "whole": sum(rounds)}
    return rows


def whole_where_the_floor_is(row):
    found = row.get("whole_where_the_floor_is")
    return f"{found['whole']} of {found['rounds']}" if found else ""


COLUMNS = [
    *CPU_COLUMNS,
    ("events sent/s", 13, lambda row: "" if row["is_backlog"] else f"{row['sent_per_s']:,}"),
    ("most lost", 9, lambda row: f"{row['lost_share']:.3%}" if row["lost_share"] else "none"),
    ("whole runs", 10, lambda row: f"{row['whole_runs']} of {len(row['runs'])}"),
    ("where the floor's are", 21, whole_where_the_floor_is),
    ("no core", 8, lambda row: "" if row["is_backlog"] else f"{row['waited_share']:.1%}"),
    ("lines/event", 11, lambda row: f"{row['lines_received_per_event']:.3f}"),
]


def udp(arguments):
    return receive_rows(arguments, UDP, is_udp=True)


def print_udp(rows, arguments):
    print_table(f"UDP, {arguments.events / SHARE:g} million events a run, medians of {arguments.runs} runs, one core", COLUMNS, rows)


def unix(arguments):
    return {"in": receive_rows(arguments, UNIX, is_udp=False), "out": pipes.unix_out(arguments)}


def print_unix(found, arguments):
    title = f"from a Unix datagram socket as fast as it goes, {arguments.events / SHARE:g} million events a run"
    print_table(f"{title}, medians of {arguments.runs} runs, one core", COLUMNS, found["in"])
    pipes.print_unix_out(found["out"], arguments)
