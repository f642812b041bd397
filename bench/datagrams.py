"""Datagrams in: from a UDP port, from a Unix socket. Beside the agent a loop that only receives the same datagrams, both with the
same receive buffer, and the same sender at the same rate on another core."""

import pipes
from contest import (
    AGENT,
    COUNTER_AND_TIMER,
    QUIET,
    RELAY,
    Measured,
    Sink,
    add_ratios,
    alternate,
    median,
    print_table,
    program,
    run_beside,
    spread,
    workplace,
    write_corpus,
)

RECEIVE_BUFFER = 4 << 20  # the agent's default

# group: arguments of generate, format of the input, rules, bytes a datagram is packed to, times the rate asked for
UDP = {
    "JSON, one event a datagram": ("", "auto", COUNTER_AND_TIMER, 0, 1),
    "JSON, packed to 1400 bytes": ("", "auto", COUNTER_AND_TIMER, 1400, 3),
    "logfmt, one event a datagram": ("--format logfmt", "auto", COUNTER_AND_TIMER, 0, 1),
    "statsd, one line a datagram": ("--format statsd", "statsd", RELAY, 0, 1),
    "dogstatsd, one line a datagram": ("--format dogstatsd", "statsd", RELAY, 0, 1),
}
UNIX = {
    "JSON, one event a datagram": ("", "auto", COUNTER_AND_TIMER, 0, 0),
    "statsd, one line a datagram": ("--format statsd", "statsd", RELAY, 0, 0),
}


def write_config(directory, url, format_, rules, sink):
    path = f"{directory}/bench.yaml"
    with open(path, "w") as out:
        out.write(
            f"inputs: [{{url: '{url}', format: {format_}, receive_buffer: {RECEIVE_BUFFER}}}]\n"
            f"outputs: [{{url: '{sink.url}', max_datagram: 1400}}]\n" + QUIET + rules
        )
    return path


def accounted(counters):
    """How many events the agent has read; all of them have to be mapped."""
    received = counters["statsidecar_events_received_total"]
    if counters["statsidecar_rule_matches_total"] != received:
        raise SystemExit(f"the agent has read {received} events and mapped others: {dict(counters)}")
    return received


def receive_once(arguments, directory, is_agent, row, is_udp):
    """One run of the agent or of the floor: CPU seconds, what was sent and read."""
    request, format_, rules, pack, rate = row
    corpus = write_corpus(directory, request, arguments.corpus)
    path = f"{directory}/socket"
    sink = Sink()
    measured = None
    try:
        if is_agent:
            url = "udp://127.0.0.1:0" if is_udp else f"unix://{path}"
            measured = Measured([AGENT, "run", "-c", write_config(directory, url, format_, rules, sink)])
        else:
            measured = Measured([program("floor"), "receive", "udp" if is_udp else path, str(RECEIVE_BUFFER)])
        to = str(measured.udp_input()[0]) if is_udp else path
        options = {"count": round(arguments.events * 1e6), "rate": arguments.rate * rate, "pack": pack}
        sent = run_beside([program("send"), to, *(f"--{k}={v}" for k, v in options.items()), corpus])
        measured.wait_asleep()
        cpu_s = measured.used_s()
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
                "name": f"agent: {group}" if is_agent else "floor: only receives",
                "cpu_s_per_million": round(cpu, 4),
                "spread": [round(least, 4), round(most, 4)],
                "sent_per_s": round(median([run["sent_per_s"] for run in runs])),
                "events_per_datagram": round(runs[0]["sent"] / runs[0]["sent_datagrams"], 2),
                "lost_share": max(1 - run["received"] / run["sent"] for run in runs),
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
    ("CPU s/M", 8, lambda row: f"{row['cpu_s_per_million']:.3f}"),
    ("(least–most)", 16, lambda row: "({:.3f}–{:.3f})".format(*row["spread"])),
    ("ratio", 6, lambda row: f"{row['ratio']:.2f}"),
    ("events sent/s", 13, lambda row: f"{row['sent_per_s']:,}"),
    ("most lost", 9, lambda row: f"{row['lost_share']:.3%}" if row["lost_share"] else "none"),
    ("whole runs", 10, lambda row: f"{row['whole_runs']} of {len(row['runs'])}"),
    ("where the floor's are", 21, whole_where_the_floor_is),
    ("lines/event", 11, lambda row: f"{row['lines_received_per_event']:.3f}"),
]


def udp(arguments):
    return receive_rows(arguments, UDP, is_udp=True)


def print_udp(rows, arguments):
    print_table(f"UDP, {arguments.events:g} million events a run, medians of {arguments.runs} runs, one core", COLUMNS, rows)


def unix(arguments):
    return {"in": receive_rows(arguments, UNIX, is_udp=False), "out": pipes.unix_out(arguments)}


def print_unix(found, arguments):
    title = f"from a Unix datagram socket as fast as it goes, {arguments.events:g} million events a run"
    print_table(f"{title}, medians of {arguments.runs} runs, one core", COLUMNS, found["in"])
    pipes.print_unix_out(found["out"], arguments)
