"""packaging/dashboards: every metric, label and tag that a panel asks for is one that an agent, or the pack tasker, really
sends. That Graphite understands the queries, and has something for each, is tried by real_dashboards_test.py.
"""

import json
import re

import yaml

from admin import PIPE, AdminAgent
from harness import SOURCE, command, equal, main, table, test, true

FOLDER = SOURCE / "packaging/dashboards"


def board(name):
    return json.loads((FOLDER / name).read_text())


def walk(value):
    """Every object in it."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(part)


# ---- what there is ----


def prometheus():
    """/metrics of an agent that has everything: {name: its labels}, and which are counters."""
    with AdminAgent("include: [tasker, tasker-lifecycles]\n" + PIPE + "outputs: ['udp://127.0.0.1:9']") as agent:
        text = agent.insist("/metrics")
    labels = {}
    for name, inside in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', inside))
    return labels, set(re.findall(r"^# TYPE (\S+) counter$", text, re.MULTILINE))


def telemetry():
    """The agent's own as StatsD (docs/watching.md): {name: (its labels, whether it is sent by default)}."""
    text = (SOURCE / "docs/watching.md").read_text()
    found = {}
    for name, labels, minimal in re.findall(r"^\| `statsidecar_(\w+)` \|([^|]*)\| *(yes)? *\|", text, re.MULTILINE):
        found["statsidecar." + re.sub(r"_total$", "", name)] = (set(re.findall(r"`(\w+)`", labels)), bool(minimal))
    return found


def pack():
    """What the events of the pack's own tests and of a workflow as the publishers tell it give: {name: (types, tags)}."""
    lines = (SOURCE / "tests/data/workflow.jsonl").read_text().splitlines()
    lines += [f"task.{word} task_name=nightly" for word in ("cancelled", "resolved_manually")]  # any task.* carries that
    for case in yaml.safe_load((SOURCE / "conf/tasker.yaml").read_text())["tests"]:
        for event in case.get("events") or [case["event"]]:
            lines.append(event if isinstance(event, str) else json.dumps(event, default=str))
    done = command("run", "-c", "tasker", "--input", "stdin:", "--output", "stdout:", input="\n".join(lines) + "\n")
    equal(done.returncode, 0, done.stderr)
    found = {}
    for name, kind, tags in re.findall(r"^([\w.]+):[^|\n]*\|(\w+)(?:\|#(.*))?$", done.stdout, re.MULTILINE):
        types, keys = found.setdefault(name, (set(), set()))
        types.add(kind)
        keys.update(tag.split(":")[0] for tag in tags.split(",") if tag)
    return found


PROMETHEUS, COUNTERS = prometheus()
TELEMETRY = telemetry()
PACK = pack()


@test("something is there to be asked for")
def _():
    true(len(PROMETHEUS) > 25 and len(TELEMETRY) > 20 and len(PACK) > 60, (len(PROMETHEUS), len(TELEMETRY), len(PACK)))


# ---- Grafana, Prometheus ----


def expressions():
    for panel in walk(board("grafana-statsidecar.json")):
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target.get("legendFormat", "")
    for variable in board("grafana-statsidecar.json")["templating"]["list"]:
        if variable["type"] == "query":
            yield f"${variable['name']}", variable["query"], ""
    text = (SOURCE / "docs/watching.md").read_text()
    for number, line in enumerate(re.search(r"^```promql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL).group(1).splitlines(), 1):
        yield f"docs/watching.md, alert {number}", line.split("#")[0], ""


@table([(f"Prometheus: {title}: {expression}", expression, legend) for title, expression, legend in expressions()])
def _(expression, legend):
    names = re.findall(r"\b(?:statsidecar|process)_\w+", expression)
    true(names, "no metric")
    equal([name for name in names if name not in PROMETHEUS], [], "no such metric")
    labels = {"job", "instance"}.union(*(PROMETHEUS[name] for name in names))
    without_texts = re.sub(r'"[^"]*"', '""', expression)
    asked = re.findall(r"(\w+) *(?:=~|!=|=)", "".join(re.findall(r"\{[^}]*\}", without_texts)))
    asked += [word for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for word in group.split(", ")]
    asked += re.findall(r"\{\{(\w+)\}\}", legend)
    equal([label for label in asked if label not in labels], [], "no such label")
    # What legends show, aggregation must have left.
    if " by (" in expression:
        kept = {word for group in re.findall(r"\bby \(([^)]*)\)", expression) for word in group.split(", ")}
        equal([word for word in re.findall(r"\{\{(\w+)\}\}", legend) if word not in kept], [], "aggregated away")
    for function, name in re.findall(r"\b(rate|increase)\((\w+)", expression):
        true(name in COUNTERS, f"{function} of {name}, which is no counter")
    for value in re.findall(r'outcome=~?"([^"]*)"', expression):
        known = "mapped fallback dropped empty unmapped unnamed malformed oversize sent dropped filtered sampled_out".split()
        equal([word for word in value.split("|") if word not in known], [], "no such outcome")
    for pair in ("()", "{}", "[]"):
        equal(without_texts.count(pair[0]), without_texts.count(pair[1]), f"pairs of {pair}")


# ---- Grafana, Graphite ----

SERIES = re.compile(r"seriesByTag\('name=stats\.(\w+)\.(tasker[\w.]+?)(?:\.(count|mean|upper_90))?'((?:, '[^']*')*)\)")

OF_STATSD = {"counters": "c", "timers": "ms", "gauges": "g"}
STATISTICS = {"counters": {"count", "rate"}, "timers": {"mean", "upper", "upper_90", "median", "count"}, "gauges": {None}}


def graphite():
    for panel in walk(board("grafana-tasker-graphite.json")):
        for target in panel.get("targets", ()):
            yield panel["title"], target["target"]


@table([(f"Graphite: {title}: {target}", target) for title, target in graphite()])
def _(target):
    series = SERIES.findall(target)
    equal(len(series), 1, "series")
    (kind, name, statistic, tags), = series
    true(name in PACK, f"the pack sends no {name}")
    types, keys = PACK[name]
    equal(types, {OF_STATSD[kind]}, name)
    true((statistic or None) in STATISTICS[kind], f"statsd makes no {statistic} of {kind}")
    asked = re.findall(r"'(\w+)(?:=~|!=)", tags)
    grouped = re.search(r"groupByTags\(.*\), '(?:sum|max|average)', (.*)\)$", target)
    asked += re.findall(r"'(\w+)'", grouped.group(1)) if grouped else []
    equal([key for key in asked if key not in keys | {"env"}], [], "no such tag")
    if grouped:  # Graphite answers with status 500 where a series has not the tag
        keys = re.findall(r"'(\w+)'", grouped.group(1))
        equal([key for key in keys if f"'{key}!='" not in tags], [], "grouped by, but not asked for")
    equal(target.count("("), target.count(")"), "pairs of ()")


# ---- Datadog ----


def datadog():
    for widget in board("datadog.json")["widgets"]:
        for part in walk(widget):
            if "query" in part:
                yield widget["definition"]["title"], part["query"]


@table([(f"Datadog: {group}: {query}", group, query) for group, query in datadog()])
def _(group, query):
    match = re.fullmatch(r"(sum|avg|min|max):([\w.]+)\{([^}]*)\}(?: by \{([\w,]+)\})?(\.as_count\(\))?", query)
    true(match, "not read")
    aggregator, name, scope, by, as_count = match.groups()
    statistic = re.search(r"\.(avg|max|median|count|95percentile)$", name)
    if statistic and name not in PACK and name not in TELEMETRY:
        name = name[: statistic.start()]
    if name in TELEMETRY:
        keys, is_minimal = TELEMETRY[name]
        equal(is_minimal, "metrics: all" not in group, "is sent by default, is in the group of what is")
        kind = "c" if f"statsidecar_{name[12:]}_total" in COUNTERS else "g"
    else:
        true(name in PACK, f"nobody sends {name}")
        types, keys = PACK[name]
        (kind,) = types
    asked = [tag.split(":")[0] for tag in scope.split(",") if not tag.startswith("$")] + (by or "").split(",")
    equal([key for key in asked if key and key not in keys], [], "no such tag")
    equal(bool(as_count), kind == "c", "as_count() is for counters")
    equal(bool(statistic), kind == "ms", "the Agent makes statistics of timers")


@table([(f"{name}: every formula has its query, every panel its place", name) for name in sorted(p.name for p in FOLDER.glob("*.json"))])
def _(name):
    places = []
    for part in walk(board(name)):
        if "formulas" in part:
            equal([f["formula"] for f in part["formulas"]], [q["name"] for q in part["queries"]])
        if "gridPos" in part:
            at = part["gridPos"]
            places += [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
            true(at["x"] + at["w"] <= 24, part["title"])
    equal(len(places), len(set(places)), "panels that cover each other")


main()
