"""From the write into a pipe to the datagram received: beside the agent a bare epoll loop that forwards each line as a datagram,
and, where datagrams of their own are too slow for what the agent takes, one that packs whole lines."""

import json
import os
import subprocess

from contest import (
    AGENT,
    BESIDE,
    Measured,
    alternate,
    median,
    pinned,
    print_table,
    program,
    workplace,
    write_config,
)

RULES = """
rules:
  - match: step.completed
    tags: {step: "{step_name}", task: "{task_name}"}
    metrics:
      - counter: step.completed
      - {timer: step.seq, value: seq, unit: ms}
"""
PERCENTS = ("50", "90", "99", "99.9", "100")
SATURATION = 0.8  # of what the slower of two takes


def agent(path, port, directory):
    output = f"{{url: 'udp://127.0.0.1:{port}', max_datagram: 1400}}"
    return [AGENT, "run", "-c", write_config(directory, f"'fifo://{path}'", output, RULES)]


CONTESTANTS = {
    "agent: counter and timer, two tags each": agent,
    "floor: each line forwarded as a datagram": lambda path, port, _: [program("floor"), "lines", path, str(port)],
    "floor: whole lines forwarded, packed": lambda path, port, _: [program("floor"), "whole", path, str(port), "1400"],
}
AGENT_NAME, LINES_NAME, WHOLE_NAME = CONTESTANTS


def probe_once(name, rate, count):
    """One run at a rate, 0 being the highest: what the probe says, and the CPU seconds of who carried the lines."""
    with workplace() as directory:
        path = f"{directory}/events"
        os.mkfifo(path)
        warmup = min(200, count // 10)
        probe = subprocess.Popen(
            [program("probe"), path, f"--rate={rate}", f"--count={count}", f"--warmup={warmup}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=pinned(BESIDE),
        )
        measured = None
        try:
            port = int(probe.stdout.readline())
            measured = Measured(CONTESTANTS[name](path, port, directory))
            found = json.loads(probe.communicate(b"\n")[0])
            measured.wait_asleep()
            found["cpu_s"], found["waited_s"] = measured.used_s(), measured.waited_s()
            measured.end()
        finally:
            if measured is not None:
                measured.kill()
            probe.kill()
            probe.communicate()
        return {**found, "lines_per_s": found["sent"] / found["elapsed_s"]}


def compare(title, names, rate, arguments, parts=1):
    """Each run in so many parts, between which the others have their turn."""
    count = max(100, round(rate * arguments.seconds / parts))
    rows = []
    for name, runs in alternate(names, arguments.runs * parts, lambda name: probe_once(name, rate, count)).items():
        rows.append(
            {
                "group": title,
                "name": name,
                "rate": rate,
                "lines_per_s": round(median([run["lines_per_s"] for run in runs])),
                "us": {percent: round(median([run["us"][percent] for run in runs]), 2) for percent in runs[0]["us"]},
                "spread_us": {p: [f(run["us"][p] for run in runs) for f in (min, max)] for p in ("50", "99")},
                "lost": sum(run["sent"] - run["received"] for run in runs),
                "late_share": max(run["late"] / run["sent"] for run in runs),
                "waited_share": max(run["waited_s"] / run["elapsed_s"] for run in runs),
                "lines_per_datagram": round(median([run["received"] / run["datagrams"] for run in runs]), 2),
                "cpu_us_per_line": round(median([run["cpu_s"] / run["sent"] * 1e6 for run in runs]), 3),
                "runs": runs,
            }
        )
    for row in rows:
        row["ratios"] = {percent: round(value / rows[-1]["us"][percent], 3) for percent, value in row["us"].items()}
        row["ratio"] = row["ratios"]["50"]
    return rows


def latency(arguments):
    def most(name):
        return probe_once(name, 0, max(500, round(60_000 * arguments.seconds)))["lines_per_s"]

    capacity = {name: round(median(found)) for name, found in alternate(CONTESTANTS, arguments.runs, most).items()}
    # At so few lines everything sleeps in between, and what waking up costs changes from one second to the next.
    rows = compare("1,000 lines a second", [AGENT_NAME, LINES_NAME], 1000, arguments, parts=5)
    for floor in (LINES_NAME, WHOLE_NAME):
        rate = round(SATURATION * min(capacity[AGENT_NAME], capacity[floor]))
        rows += compare(f"near saturation, {rate:,} lines a second", [AGENT_NAME, floor], rate, arguments)
    return {"capacity_lines_per_s": capacity, "rows": rows}


COLUMNS = [
    *((f"p{percent} µs" if percent != "100" else "most µs", 9, lambda row, p=percent: f"{row['us'][p]:,.1f}") for percent in PERCENTS),
    ("p50 ratio", 9, lambda row: f"{row['ratios']['50']:.2f}"),
    ("p99 ratio", 9, lambda row: f"{row['ratios']['99']:.2f}"),
    ("lines/s", 10, lambda row: f"{row['lines_per_s']:,}"),
    ("lines/datagram", 14, lambda row: f"{row['lines_per_datagram']:.2f}"),
    ("lost", 6, lambda row: f"{row['lost']:,}"),
    ("late", 7, lambda row: f"{row['late_share']:.2%}"),
    ("no core", 8, lambda row: f"{row['waited_share']:.1%}"),
]


def print_latency(found, arguments):
    print("one line a write, as fast as the pipe takes them:", end=" ")
    print(", ".join(f"{name}: {lines:,} lines/s" for name, lines in found["capacity_lines_per_s"].items()))
    for group in dict.fromkeys(row["group"] for row in found["rows"]):
        title = f"latency, {group}, {arguments.seconds:g} s a run, medians of {arguments.runs} runs"
        print_table(title, COLUMNS, [row for row in found["rows"] if row["group"] == group])
