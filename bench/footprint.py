"""What the agent takes besides CPU time: from exec to ready, resident memory, the program's size; beside a libevent loop that
does nothing. What memory `check --print` states is an upper bound, set aside or not yet touched."""

import os
import pathlib
import re
import shutil
import subprocess

from contest import (
    AGENT,
    BESIDE,
    COUNTER_AND_TIMER,
    MEASURED,
    Measured,
    Sink,
    alternate,
    environment,
    median,
    pinned,
    print_table,
    program,
    run_beside,
    workplace,
    write_config,
)

MEMORY = {"VmRSS": "rss_kib", "RssAnon": "anonymous_kib", "RssFile": "of_files_kib"}
ROLLUP = {"Pss": "proportional_kib", "Private_Clean": "private_clean_kib", "Private_Dirty": "private_dirty_kib"}


def by_default(path, sink, directory):
    """The pack that is in force where nothing else is said, with inputs and an output that get in nobody's way."""
    return [AGENT, "run", "-c", "tasker", "--input", f"fifo://{path}", "--input", "udp://127.0.0.1:0", "--output", sink.url]


def small(path, sink, directory):
    return [AGENT, "run", "-c", write_config(directory, f"'fifo://{path}'", f"'{sink.url}'", COUNTER_AND_TIMER)]


CONTESTANTS = {
    "agent: the default configuration": by_default,
    "agent: one pipe, one rule, no HTTP": small,
    "floor: a libevent loop with a pipe": lambda path, sink, directory: [program("idle"), path],
    "a bare epoll loop with a pipe": lambda path, sink, directory: [program("floor"), "read", path],
}


def kib(text, names):
    return {name: int(re.search(rf"^{key}:\s+(\d+) kB$", text, re.MULTILINE)[1]) for key, name in names.items()}


def memory(pid):
    folder = pathlib.Path(f"/proc/{pid}")
    return {**kib((folder / "status").read_text(), MEMORY), **kib((folder / "smaps_rollup").read_text(), ROLLUP)}


def stated_kib(command):
    """What the agent says that it takes at most: `#   rules, tables, cardinality guards    2636 KiB`."""
    config = command[command.index("-c") + 1]
    text = subprocess.check_output([AGENT, "check", "--print", "-c", config], env=environment(), text=True)
    return sum(map(int, re.findall(r"^#   .*?(\d+) KiB$", text, re.MULTILINE)))


def footprint_once(arguments, name):
    """Starts, then one that stays: its memory when it is ready, after every event of the corpus, after all."""
    is_agent = name.startswith("agent")
    with workplace() as directory:
        path = f"{directory}/events"
        os.mkfifo(path)
        sink = Sink()
        measured = None
        try:
            command = CONTESTANTS[name](path, sink, directory)
            starts = run_beside([program("start"), str(arguments.starts), str(MEASURED[0]), *command])
            measured = Measured(command)
            measured.wait_asleep()
            found = {"ms": starts["ms"], "ready": memory(measured.process.pid)}
            if is_agent:
                found["stated_kib"] = stated_kib(command)
                for when, repeat in (("after_the_first", 1), ("after_all", passes(arguments) - 1)):
                    with open(path, "wb") as pipe:
                        subprocess.run(
                            [program("generate"), "--count", str(arguments.corpus), "--repeat", str(repeat)],
                            stdout=pipe,
                            preexec_fn=pinned(BESIDE),
                            check=True,
                        )
                    measured.wait_asleep()
                    found[when] = memory(measured.process.pid)
                found["events"] = measured.counters()["statsidecar_events_received_total"]
            measured.end()
        finally:
            if measured is not None:
                measured.kill()
            sink.end()
    return found


def passes(arguments):
    """Of the corpus: twice the events of a run, 10 million by default, and at least two."""
    return max(2, round(2 * arguments.events * 1e6 / arguments.corpus))


def footprint_row(name, runs):
    ms = sorted(value for run in runs for value in run["ms"])
    row = {
        "name": name,
        "ready_ms": {"least": ms[0], "median": round(median(ms), 3), "most": ms[-1]},
        "memory": {what: median([run["ready"][what] for run in runs]) for what in runs[0]["ready"]},
        "runs": runs,
    }
    if "stated_kib" in runs[0]:
        after = {when: median([run[when]["rss_kib"] for run in runs]) for when in ("after_the_first", "after_all")}
        row["stated_kib"] = runs[0]["stated_kib"]
        row["events"] = runs[0]["events"]
        row["rss_kib"] = {"ready": row["memory"]["rss_kib"], **after}
        row["grown_kib"] = max(run["after_all"]["rss_kib"] - run["after_the_first"]["rss_kib"] for run in runs)
        row["besides_kib"] = max(0, after["after_all"] - row["stated_kib"])
    return row


# ---- the program's size ----


def is_static(path):
    """No program header asks for an interpreter: 64-bit ELF, 56 bytes each."""
    data = pathlib.Path(path).read_bytes()
    offset, count = int.from_bytes(data[32:40], "little"), int.from_bytes(data[56:58], "little")
    return all(int.from_bytes(data[offset + i * 56 :][:4], "little") != 3 for i in range(count))


def stripped_bytes(path):
    if shutil.which("strip") is None:
        return None
    with workplace() as directory:
        subprocess.run(["strip", "-o", f"{directory}/stripped", path], check=True)
        return os.path.getsize(f"{directory}/stripped")


def sizes():
    """None: not built, or no `strip` here. $STATSIDECAR_STATIC is a static program where one was built elsewhere."""
    static = AGENT if is_static(AGENT) else os.environ.get("STATSIDECAR_STATIC")
    return {
        "dynamic": None if is_static(AGENT) else stripped_bytes(AGENT),
        "static": stripped_bytes(static) if static else None,
    }


def footprint(arguments):
    results = alternate(CONTESTANTS, arguments.runs, lambda name: footprint_once(arguments, name))
    rows = [footprint_row(name, runs) for name, runs in results.items()]
    base = next(row for row in rows if row["name"].startswith("floor"))
    for row in rows:
        row["ratio"] = round(row["ready_ms"]["median"] / base["ready_ms"]["median"], 3)
    return {"rows": rows, "stripped_bytes": sizes()}


COLUMNS = [
    ("ready ms", 9, lambda row: f"{row['ready_ms']['median']:.2f}"),
    ("(least–most)", 15, lambda row: f"({row['ready_ms']['least']:.2f}–{row['ready_ms']['most']:.2f})"),
    ("ratio", 6, lambda row: f"{row['ratio']:.2f}"),
    ("RSS KiB", 8, lambda row: f"{row['memory']['rss_kib']:,.0f}"),
    ("private", 8, lambda row: f"{row['memory']['private_clean_kib'] + row['memory']['private_dirty_kib']:,.0f}"),
    ("PSS", 7, lambda row: f"{row['memory']['proportional_kib']:,.0f}"),
    ("of files", 9, lambda row: f"{row['memory']['of_files_kib']:,.0f}"),
    ("after a pass", 12, lambda row: f"{row['rss_kib']['after_the_first']:,.0f}" if "rss_kib" in row else ""),
    ("after all", 10, lambda row: f"{row['rss_kib']['after_all']:,.0f}" if "rss_kib" in row else ""),
    ("stated", 8, lambda row: f"{row['stated_kib']:,}" if "stated_kib" in row else ""),
    ("besides", 8, lambda row: f"{row['besides_kib']:,.0f}" if "besides_kib" in row else ""),
]


def print_footprint(found, arguments):
    starts = len(found["rows"][0]["runs"][0]["ms"]) * arguments.runs
    events = found["rows"][0]["events"]
    print_table(f"footprint, medians of {starts} starts; memory before and after {events:,} events, KiB", COLUMNS, found["rows"])
    for kind, size in found["stripped_bytes"].items():
        print(f"{kind} program, stripped: {f'{size:,} bytes' if size else 'not built'}")
    print()
