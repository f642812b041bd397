"""Every part of `make bench` with next to no events: each still runs, nothing is lost, figures stand beside their floors.
No figure itself is looked at: how long something takes here says nothing."""

import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

from harness import SOURCE, WRAPPER, contains, equal, main, skip, temporary_directory, test, true

BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE / "build").resolve()
EVENTS = 2000


def bench(part, *arguments, runs=2):
    """The part's results and its table."""
    if WRAPPER:
        skip("the benchmark starts the agent itself")
    tiny = [f"--events={EVENTS / 1e6}", "--corpus=500", f"--runs={runs}", "--passes=1", "--rate=20000", "--seconds=0.1", "--starts=2", *arguments]
    with temporary_directory() as directory:
        done = subprocess.run(
            [sys.executable, str(SOURCE / "bench/run.py"), *tiny, f"--output={directory}/results.json", part],
            stdout=subprocess.PIPE,
            env={**os.environ, "srcdir": str(SOURCE), "builddir": str(BUILD)},
            check=True,
        )
        results = json.loads(pathlib.Path(directory, "results.json").read_text())
    true(results["machine"]["cpus"] >= 1, "the machine is described")
    return results[part], done.stdout.decode()


def check_rows(rows, text):
    for row in rows:
        contains(text, row["name"])
        true(row["ratio"] > 0, f"{row['name']}: a ratio")


@test("pipe: every event becomes two lines, and the floor forwards all of them")
def _():
    rows, text = bench("pipe")
    check_rows(rows, text)
    agent, floor, segments, read = (row["lines_received_per_event"] for row in rows)
    equal((agent, read), (2.0, 0.0))
    # A datagram ends early where the pipe is empty: how many lines are cut differs a little from run to run.
    for cut in (floor, segments):
        true(1 < cut < 1.2, f"lines of the floor, of which datagrams cut some in two: {cut} an event")
    equal(rows[1]["ratio"], 1.0)


@test("formats: an event of JSON or logfmt gives two lines, a statsd line one, floors beside them")
def _():
    rows, text = bench("formats")
    check_rows(rows, text)
    equal([row["lines_received_per_event"] for row in rows][::2], [2.0, 2.0, 1.0, 1.0])
    equal([row["ratio"] for row in rows][1::2], [1.0] * 4)


@test("outputs: one in trouble keeps nothing from the other")
def _():
    rows, text = bench("outputs")
    check_rows(rows, text)
    equal([row["lines_received_per_event"] for row in rows], [2.0, 2.0])


@test("inprocess: every row is there")
def _():
    rows, text = bench("inprocess", runs=1)
    check_rows(rows, text)
    true(len(rows) > 20, "rows")


@test("report: the page's tables and pictures come from the figures; what was not measured is said")
def _():
    with temporary_directory() as directory:
        folder = pathlib.Path(directory)
        page = folder / "page.md"
        page.write_text((SOURCE / "docs/benchmarks.md").read_text())
        rows, _ = bench("pipe", runs=1)
        machine = {"cpus": 2, "model": "<none>", "architecture": "x", "kernel": "6.1", "load_before": 0.0}
        figures = {"machine": machine, "arguments": {"runs": 1, "events": 5}, "pipe": rows}
        (folder / "results.json").write_text(json.dumps(figures))
        subprocess.run([sys.executable, str(SOURCE / "bench/report.py"), folder / "results.json", page], check=True)
        text = page.read_text()
        for row in rows:
            contains(text, f"| {row['name']} | {row['cpu_s_per_million']:.3f} |")
        contains(text, "<!-- figures: peers -->\n*not measured*\n<!-- end -->")
        drawing = xml.etree.ElementTree.parse(folder / "page/pipe.svg").getroot()
        bars = [bar for bar in drawing.iter() if bar.tag.endswith("rect")]
        equal(len(bars), len(rows))
        longest = max(rows, key=lambda row: row["cpu_s_per_million"])
        widths = [float(bar.get("width")) for bar in bars]
        equal(widths[rows.index(longest)], max(widths), "the longest bar")


@test("guards: hashing, known values, refused ones")
def _():
    found, text = bench("guards", runs=1)
    equal(sorted(found), ["hash", "known", "refused"])
    contains(text, "known values")


def check_datagrams(rows, text):
    check_rows(rows, text)
    for agent, floor in zip(rows[::2], rows[1::2]):
        equal(floor["name"][:6], "floor:")
        equal(floor["ratio"], 1.0)
        for row in (agent, floor):
            for run in row["runs"]:
                true(EVENTS / 5 <= run["sent"] < EVENTS / 5 + 100, f"{row['name']}: sent {run['sent']}")
                # Without rights the kernel gives a small buffer; what is lost then, it says.
                true(run["received"] == run["sent"] or run["kernel_drops"], f"{row['name']}: {run}")
        equal(agent["lines_received_per_event"], 1.0 if "statsd" in agent["name"] else 2.0, agent["name"])
        true(agent["whole_where_the_floor_is"]["rounds"] <= 2, "rounds")
    return rows


@test("udp: nothing is lost that the kernel does not own up to, beside a loop that only receives")
def _():
    packed = [row["events_per_datagram"] > 5 for row in check_datagrams(*bench("udp"))]
    equal(packed, [False, False, True, True] + [False] * 10)


@test("unix: nothing is lost, beside a loop that only receives")
def _():
    found, text = bench("unix")
    check_datagrams(found["in"], text)
    check_rows(found["out"], text)
    equal([row["lines_received_per_event"] for row in found["out"]][::2], [2.0, 2.0])
    equal([row["ratio"] for row in found["out"]][1::2], [1.0, 1.0])


@test("latency: every line arrives once, its datagram is told from others, percentiles grow")
def _():
    found, text = bench("latency")
    equal(len(found["capacity_lines_per_s"]), 3)
    true(all(lines > 0 for lines in found["capacity_lines_per_s"].values()), "capacities")
    check_rows(found["rows"], text)
    equal([row["name"].split(":")[0] for row in found["rows"]], ["agent", "floor"] * 3)
    for row in found["rows"]:
        # At full speed a small buffer may overflow.
        is_slow = row["rate"] == 1000
        equal((row["lost"] == 0 or not is_slow, len(row["runs"])), (True, 10 if is_slow else 2), row["name"])
        values = list(row["us"].values())
        equal(values, sorted(values), row["name"])
        true(values[0] > 0, "microseconds")
    for floor in found["rows"][1::2]:
        equal(set(floor["ratios"].values()), {1.0})
    equal([row["lines_per_datagram"] for row in found["rows"]][1:4:2], [1.0, 1.0])


@test("footprint: starts, memory before and after the events, sizes")
def _():
    found, text = bench("footprint")
    check_rows(found["rows"], text)
    for row in found["rows"]:
        equal([len(run["ms"]) for run in row["runs"]], [2, 2], row["name"])
        true(0 < row["ready_ms"]["least"] <= row["ready_ms"]["median"] <= row["ready_ms"]["most"], "milliseconds")
        memory = row["memory"]
        true(0 < memory["anonymous_kib"] < memory["rss_kib"] > memory["of_files_kib"], f"{row['name']}: {memory}")
    for agent in found["rows"][:2]:
        equal(agent["events"], 2 * EVENTS, "events counted by the agent")
        true(agent["stated_kib"] > 1000, "memory stated")
    equal(sorted(found["stripped_bytes"]), ["dynamic", "static"])


main()
