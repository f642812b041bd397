"""From figures to the page: report.py RESULTS.json docs/benchmarks.md

RESULTS.json is what `make bench` leaves behind. The page's tables are written anew between its marks, `<!-- figures: PART -->` and
`<!-- end -->`, its pictures into the folder beside it that has its name. Nothing is rounded so that it looks better than it was, and
a part that was not measured leaves its place empty.
"""

import json
import math
import pathlib
import re
import sys
from xml.sax.saxutils import escape

WIDTH, BAR, GAP = 960, 18, 10
LETTER = 7.2  # what one takes of the width, on the whole
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f } .dim { fill: #6e7781 } .agent { fill: #2f6fde } .other { fill: #9aa5b1 }
.line { fill: none; stroke-width: 2 } .line.agent { stroke: #2f6fde } .line.other { stroke: #9aa5b1 } .grid { stroke: #d0d7de }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .dim { fill: #8b949e } .grid { stroke: #30363d }
.agent { fill: #6ea8fe } .line.agent { fill: none; stroke: #6ea8fe } .other { fill: #6e7681 } .line.other { fill: none; stroke: #6e7681 } }
"""


# ---- pictures ----


def svg(title, height, inside):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return f'{head}\n<style>{STYLE}</style>\n<text x="0" y="16">{escape(title)}</text>\n{inside}\n</svg>\n'


def bars(title, rows):
    """Horizontal bars, from (label, value, text)."""
    most = max(value for _, value, _ in rows)
    # Where all are the agent's, nobody needs to be told.
    said = "agent: " if all(label.startswith("agent: ") for label, _, _ in rows) else ""
    labels = max(len(label) - len(said) for label, _, _ in rows) * LETTER
    lines, y = [], 36
    for label, value, text in rows:
        length = max(1, (WIDTH - labels - 80) * value / most)
        kind = "agent" if label.startswith("agent") else "other"
        lines.append(f'<text x="{labels - 10:.1f}" y="{y + 14}" text-anchor="end">{escape(label.removeprefix(said))}</text>')
        lines.append(f'<rect class="{kind}" x="{labels:.1f}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
        lines.append(f'<text class="dim" x="{labels + length + 8:.1f}" y="{y + 14}">{escape(text)}</text>')
        y += BAR + GAP
    return svg(title, y, "\n".join(lines))


def curves(title, series):
    """Latencies by percentile: {label: {percent: µs}}, the share of slower lines falling tenfold from mark to mark."""
    left, top, width, height = 80, 40, WIDTH - 110, 260
    # 100, the slowest of all, stands at the end.
    xs = {"50": 0, "75": 1, "90": 2, "95": 2.5, "99": 4, "99.9": 6, "100": 8}
    shown = [percent for percent in xs if all(percent in points for points in series.values())]
    most = max(points[percent] for points in series.values() for percent in shown)
    decades = range(0, math.ceil(math.log10(most)) + 1)

    def x(percent):
        return left + width * xs[percent] / xs[shown[-1]]

    def y(us):
        return top + height - height * math.log10(max(us, 1)) / decades[-1]

    lines = []
    for decade in decades:
        lines.append(f'<line class="grid" x1="{left}" x2="{left + width}" y1="{y(10**decade):.1f}" y2="{y(10**decade):.1f}"/>')
        lines.append(f'<text class="dim" x="{left - 8}" y="{y(10**decade) + 4:.1f}" text-anchor="end">{10**decade:,} µs</text>')
    for percent in shown:
        name = "most" if percent == "100" else f"p{percent}"
        lines.append(f'<text class="dim" x="{x(percent):.1f}" y="{top + height + 20}" text-anchor="middle">{name}</text>')
    legend = top + height + 44
    for label, points in series.items():
        kind = "agent" if label.startswith("agent") else "other"
        path = " ".join(f"{x(percent):.1f},{y(points[percent]):.1f}" for percent in shown)
        lines.append(f'<polyline class="line {kind}" points="{path}"/>')
        lines.append(f'<rect class="{kind}" x="{left}" y="{legend - 10}" width="12" height="12"/>')
        lines.append(f'<text x="{left + 20}" y="{legend}">{escape(label)}</text>')
        legend += 22
    return svg(title, legend, "\n".join(lines))


# ---- tables ----


def table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def cpu(row):
    return [f"{row['cpu_s_per_million']:.3f}", "{:.3f}–{:.3f}".format(*row["spread"]), f"{row['ratio']:.2f}"]


CPU = ["CPU s per million", "least–most", "ratio"]


def through_pipe(rows):
    return table(
        ["", *CPU, "events per CPU second", "events/s"],
        [[r["name"], *cpu(r), f"{r['events_per_cpu_s']:,}", f"{r['events_per_s']:,}"] for r in rows],
    )


def received(rows):
    def whole(row):
        found = row.get("whole_where_the_floor_is")
        return f"{found['whole']} of {found['rounds']}" if found else ""

    return table(
        ["", *CPU, "events sent/s", "lost at most", "whole runs", "where the floor's were"],
        [
            [
                r["name"],
                *cpu(r),
                "" if r["is_backlog"] else f"{r['sent_per_s']:,}",
                f"{r['lost_share']:.3%}" if r["lost_share"] else "none",
                f"{r['whole_runs']} of {len(r['runs'])}",
                whole(r),
            ]
            for r in rows
        ],
    )


def latency(found):
    percents = ("50", "90", "99", "99.9", "100")
    parts = []
    for group in dict.fromkeys(row["group"] for row in found["rows"]):
        rows = [row for row in found["rows"] if row["group"] == group]
        headings = [group, *("most, µs" if p == "100" else f"p{p}, µs" for p in percents), "p50 ratio", "p99 ratio"]
        cells = [
            [r["name"], *(f"{r['us'][p]:,.1f}" for p in percents), f"{r['ratios']['50']:.2f}", f"{r['ratios']['99']:.2f}"] for r in rows
        ]
        parts.append(table(headings, cells))
    return "\n\n".join(parts)


def in_process(rows):
    return table(
        ["", "ns an event, least", "median", "ratio", "metrics an event"],
        [[r["name"], f"{r['least']:.0f}", f"{r['median']:.0f}", f"{r['ratio']:.2f}", f"{r['metrics_per_event']:.2f}"] for r in rows],
    )


def footprint(found):
    def kib(row, when):
        return f"{row['rss_kib'][when]:,.0f}" if "rss_kib" in row else ""

    rows = table(
        ["", "exec to ready, ms", "least–most", "resident, KiB", "of it private", "after all events", "tables stated"],
        [
            [
                r["name"],
                f"{r['ready_ms']['median']:.2f}",
                f"{r['ready_ms']['least']:.2f}–{r['ready_ms']['most']:.2f}",
                f"{r['memory']['rss_kib']:,.0f}",
                f"{r['memory']['private_clean_kib'] + r['memory']['private_dirty_kib']:,.0f}",
                kib(r, "after_all"),
                f"{r['stated_kib']:,}" if "stated_kib" in r else "",
            ]
            for r in found["rows"]
        ],
    )
    sizes = [[f"the {kind} program, stripped", f"{size:,}"] for kind, size in found["stripped_bytes"].items() if size]
    return rows + "\n\n" + table(["", "bytes"], sizes)


def peers(found):
    def share(figures):
        return f"{figures['lost_share']:.2%}" if figures["lost_share"] else "none"

    rows = table(
        ["", "CPU s per million", "the agent at the same job", "factor", "passing all on", "factor", "events/s", "lost", "MiB", "the agent's"],
        [
            [
                r["name"],
                f"{r['peer']['cpu_s_per_million']:.2f}",
                f"{r['same']['cpu_s_per_million']:.3f}",
                f"**{r['same']['ratio']:.1f}**",
                f"{r['agent']['cpu_s_per_million']:.3f}",
                f"{r['agent']['ratio']:.1f}",
                f"{r['rate']:,}" if r["rate"] else "",
                share(r["peer"]),
                f"{r['peer']['share_kib'] / 1024:.1f}",
                f"{r['agent']['share_kib'] / 1024:.1f}",
            ]
            for r in found["rows"]
        ],
    )
    skipped = "".join(f"\n- {name}: not measured, {why}" for name, why in found["skipped"].items())
    return rows + ("\n" + skipped if skipped else "")


def machine(results):
    of, how = results["machine"], results["arguments"]
    return (
        f"{of['cpus']} virtual cores of {of['model'] or of['architecture']}, Linux {of['kernel']}; {how['runs']} runs of each, alternating, "
        f"{how['events']:g} million events a run; load before the run {of['load_before']:.2f}."
    )


PARTS = {
    "machine": machine,
    "pipe": lambda results: through_pipe(results["pipe"]),
    "formats": lambda results: through_pipe(results["formats"]),
    "outputs": lambda results: through_pipe(results["outputs"]),
    "udp": lambda results: received(results["udp"]),
    "unix": lambda results: received(results["unix"]["in"]) + "\n\n" + through_pipe(results["unix"]["out"]),
    "latency": lambda results: latency(results["latency"]),
    "inprocess": lambda results: in_process(results["inprocess"]),
    "footprint": lambda results: footprint(results["footprint"]),
    "peers": lambda results: peers(results["peers"]),
}


def pictures(results):
    """{file name: SVG}"""
    found = {}
    if "pipe" in results:
        rows = [*results["pipe"], *results.get("formats", [])]
        title = "through a pipe, CPU seconds per million events"
        found["pipe.svg"] = bars(title, [(r["name"], r["cpu_s_per_million"], f"{r['cpu_s_per_million']:.3f}") for r in rows])
    if "inprocess" in results:
        rows = [("agent: " + r["name"], r["least"], f"{r['least']:.0f}") for r in results["inprocess"]]
        found["inprocess.svg"] = bars("an event in process, nanoseconds of CPU", rows)
    if "latency" in results:
        rows = [r for r in results["latency"]["rows"] if r["rate"] == 1000]
        found["latency.svg"] = curves("from the pipe to the datagram, 1,000 lines a second", {r["name"]: r["us"] for r in rows})
    if "peers" in results:
        rows = []
        for r in results["peers"]["rows"]:
            rows.append((r["name"], r["peer"]["cpu_s_per_million"], f"{r['peer']['cpu_s_per_million']:.2f}"))
            rows.append(("agent", r["same"]["cpu_s_per_million"], f"{r['same']['cpu_s_per_million']:.2f}"))
        if rows:
            found["peers.svg"] = bars("CPU seconds per million events", rows)
    return found


def fill(page, results):
    def part(match):
        name = match[1]
        if name not in PARTS:
            raise SystemExit(f"the page asks for {name}, of which there are no figures; parts: {', '.join(PARTS)}")
        text = PARTS[name](results) if name == "machine" or name in results else "*not measured*"
        return f"<!-- figures: {name} -->\n{text}\n<!-- end -->"

    return re.sub(r"<!-- figures: (\w+) -->\n.*?<!-- end -->", part, page, flags=re.DOTALL)


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    results = json.loads(pathlib.Path(sys.argv[1]).read_text())
    page = pathlib.Path(sys.argv[2])
    page.write_text(fill(page.read_text(), results))
    folder = page.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, text in pictures(results).items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
