"""What explain, test and catalogue print: the cases of tests/data/explain, compared byte for byte.

A case is a file of sections, in any order but `output` and `status`, which come last:

    what it shows, in words
    --- file NAME        a file in the directory that the program runs in
    --- arguments        one a line
    --- input            standard input
    --- output           what must come on standard output
    --- errors           … on standard error
    --- status           the exit status, 0 where it is left out

A line `--- ` inside a section is written `\\--- `. STATSIDECAR_REWRITE=1 writes what came into the cases: read the
difference before you commit it.
"""

import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import SOURCE, command, contains, equal, main, table, temporary_directory, test  # noqa: E402

CASES = SOURCE / "tests" / "data" / "explain"
IS_REWRITTEN = os.environ.get("STATSIDECAR_REWRITE") == "1"
SECTION = re.compile(r"^--- (.+)\n", re.MULTILINE)


def read_case(path):
    parts = SECTION.split(path.read_text())
    title = parts[0].strip()
    return title, [(name.strip(), re.sub(r"^\\--- ", "--- ", text, flags=re.M)) for name, text in zip(parts[1::2], parts[2::2])]


def run_case(sections):
    given = dict(sections)
    with temporary_directory() as directory:
        for name, text in sections:
            if name.startswith("file "):
                (pathlib.Path(directory) / name[5:]).write_text(text)
        return command(*given["arguments"].splitlines(), input=given.get("input"), cwd=directory)


def rewrite(path, title, sections, done):
    kept = [(name, text) for name, text in sections if name not in ("output", "errors", "status")]
    if done.stdout:
        kept.append(("output", done.stdout))
    if done.stderr:
        kept.append(("errors", done.stderr))
    if done.returncode:
        kept.append(("status", f"{done.returncode}\n"))
    escaped = [(name, re.sub(r"^--- ", r"\\--- ", text, flags=re.M)) for name, text in kept]
    path.write_text(title + "\n" + "".join(f"--- {name}\n{text}" for name, text in escaped))


def cases():
    for path in sorted(CASES.glob("*.case")):
        title, sections = read_case(path)
        yield f"{path.stem}: {title}", path, title, sections


@table(cases())
def _(path, title, sections):
    done = run_case(sections)
    if IS_REWRITTEN:
        rewrite(path, title, sections, done)
        return
    want = dict(sections)
    got = f"{done.stdout}[errors]\n{done.stderr}[status] {done.returncode}".splitlines()
    wanted = f"{want.get('output', '')}[errors]\n{want.get('errors', '')}[status] {want.get('status', '0').strip()}".splitlines()
    for number, (got_line, wanted_line) in enumerate(zip(got, wanted), 1):
        equal(got_line, wanted_line, f"line {number}")
    equal(got, wanted)


@test("there are cases")
def _():
    equal(len(list(CASES.glob("*.case"))) > 20, True)


@test("JSON output is JSON whatever the event holds, and gives it back")
def _():
    values = ["".join(map(chr, range(32))), '"\\/\x7f\x80\u2028\U0001f600', "\ud800".encode("utf-8", "surrogatepass"), b"\xff\xfe\xc3"]
    lines = []
    for value in values:
        raw = value if isinstance(value, bytes) else json.dumps(value)[1:-1].encode()
        lines.append(b'{"event":"order.created","task_name":"' + raw + b'"}')
    done = command("explain", "-c", "tasker", "--json", input=b"\n".join(lines))
    equal(done.stderr, "")
    explained = [json.loads(line) for line in done.stdout.strip("\n").split("\n")]
    equal(len(explained), len(values))
    for one, value, line in zip(explained, values, lines):
        if isinstance(value, str):
            equal(one["payload"]["task_name"]["value"], value)
            equal(json.loads(one["line"])["task_name"], value)
        else:
            contains(one["payload"]["task_name"]["value"], "\ufffd")


@test("no event can move the cursor, or begin a line of its own")
def _():
    nasty = r"a\u001b[2Jb\nc\u0085d\u007f\r"
    done = command("explain", "-c", "tasker", '{"event":"order.created","task_name":"%s","note":"\x1b]0;x\x07"}' % nasty)
    equal([line for line in done.stdout.split('\n') if re.search(r"[\x00-\x1f\x7f-\x9f]", line)], [])
    equal([line for line in done.stdout.split('\n') if line.startswith("c")], [])


@test("metric lines are those, and only those, that are indented by two")
def _():
    done = command("explain", "-c", "tasker", "step.completed step_name=fetch execution_duration=1.25")
    equal(
        [line[2:] for line in done.stdout.splitlines() if re.match(r"  \S", line)],
        ["tasker.step.completed:1|c|#step:fetch,attempt:1", "tasker.step.duration:1250|ms|#step:fetch,attempt:1"],
    )


@test("the same lines as arguments and from standard input, with and without a last newline")
def _():
    events = ["step.completed step_name=a", '{"event":"task.failed"}', "a b=\"", "x=1"]
    wanted = command("explain", "-c", "tasker", *events).stdout
    equal(command("explain", "-c", "tasker", input="\n".join(events)).stdout, wanted)
    equal(command("explain", "-c", "tasker", input="\n\r\n" + "\r\n".join(events) + "\r\n").stdout.replace("\\x0d", ""), wanted)


@test("docs/explain.md shows what the program prints")
def _():
    text = (SOURCE / "docs" / "explain.md").read_text()
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    shown = next(block for language, block in blocks if not language)
    arguments = ["step.complete step_name=fetch execution_duration=1.25"]
    printed = re.sub(r"tasker:\d+", "tasker:N", command("explain", "-c", "tasker", *arguments).stdout).splitlines()
    # Words of a column may be on another line where lines of the payload are left out.
    got = [re.sub(r"^ +(payload)? +", " ", line) for line in printed]
    for line in re.sub(r"tasker:\d+", "tasker:N", shown).splitlines():
        contains(got, re.sub(r"^ +(payload)? +", " ", line))


# ---- recorded streams ----

BLOCK = (
    ['{"event":"step.completed","step_name":"fetch","execution_duration":1.5}'] * 5
    + ["step.complete step_name=fetch"] * 3
    + ["order.created"] * 4
    + ['{"event":', "x=1", "", '[{"event":"task.failed"},{"event":"tasker.task.error"}]']
)
TIMES = 100000


@test("--summary counts right over more than a million lines")
def _():
    done = command("explain", "-c", "tasker", "--summary", "--json", input=("\n".join(BLOCK) + "\n") * TIMES)
    summary = json.loads(done.stdout)
    equal(summary["events"], 16 * TIMES)
    equal(
        {name: count // TIMES for name, count in summary["outcomes"].items() if count},
        {"mapped": 10, "fallback": 4, "unnamed": 1, "malformed": 1},
    )
    equal(sum(summary["outcomes"].values()), summary["events"])
    equal([(row["event"], row["count"]) for row in summary["fallback"]], [("order.created", 4 * TIMES)])
    equal([(row["event"], row["count"]) for row in summary["unknown"]], [("order.created", 4 * TIMES)])
    equal(
        [(row["alias"], row["event"], row["count"]) for row in summary["legacy"]],
        [("step.complete", "step.completed", 3 * TIMES), ("task.error", "task.failed", TIMES)],
    )
    missing = {(row["event"], row["field"]): row["count"] for row in summary["missing"]}
    equal(missing[("step.completed", "execution_duration")], 3 * TIMES)
    equal(missing[("task.failed", "task_name")], 2 * TIMES)
    equal(("step.completed", "step_name") in missing, False)
    counts = [row["count"] for row in summary["missing"]]
    equal(counts, sorted(counts, reverse=True))
    equal([(row["outcome"], row["first_line"], row["count"]) for row in summary["rejected"]], [("malformed", 13, TIMES), ("unnamed", 14, TIMES)])


OLD = """
rules:
  - match: step.completed
    metrics: [{counter: done}, {timer: took, value: execution_duration, unit: s}]
  - {match: order.created, metrics: [{counter: orders}]}
"""
NEW = """
catalogue: {step.completed: {aliases: [step.complete]}}
rules:
  - match: step.completed
    tags: {step: "{step_name}"}
    metrics: [{counter: done}, {timer: duration, value: execution_duration, unit: s}]
  - {match: order.created, metrics: [{counter: orders}]}
"""


@test("--diff counts right over more than a million lines")
def _():
    with temporary_directory() as directory:
        for name, text in (("old.yaml", OLD), ("new.yaml", NEW)):
            (pathlib.Path(directory) / name).write_text(text)
        lines = ("\n".join(BLOCK) + "\n") * TIMES
        done = command("explain", "--diff", "--json", "old.yaml", "new.yaml", input=lines, cwd=directory)
        same = command("explain", "--diff", "new.yaml", "new.yaml", input=lines, cwd=directory)
    equal(done.returncode, 1)
    difference = json.loads(done.stdout)
    equal((difference["events"], difference["different"]), (16 * TIMES, 8 * TIMES))
    equal(
        [(row["identifier"], row["metric"], row["change"], row["count"] // TIMES) for row in difference["differences"]],
        [
            ("step.complete", "done|c", "gained", 3),
            ("step.completed", "done|c", "changed", 5),
            ("step.completed", "duration|ms", "gained", 5),
            ("step.completed", "took|ms", "lost", 5),
        ],
    )
    equal((same.returncode, same.stdout), (0, f"no difference: {16 * TIMES} events give the same metrics\n"))


@test("beyond the first 20,000 identifiers events are counted together")
def _():
    lines = "\n".join(f"custom.e{n}" for n in range(100000))
    summary = json.loads(command("explain", "-c", "tasker", "--summary", "--json", input=lines).stdout)
    equal((summary["events"], len(summary["unknown"]), summary["further"]), (100000, 20000, 80000))


@test("beyond the first 20,000 differences further ones are counted together")
def _():
    with temporary_directory() as directory:
        for name in ("old", "new"):
            rules = f"rules: [{{match: 'custom.*', metrics: [{{counter: {name}}}]}}]\n"
            (pathlib.Path(directory) / f"{name}.yaml").write_text(rules)
        lines = "\n".join(f"custom.e{n}" for n in range(15000))
        done = command("explain", "--diff", "old.yaml", "new.yaml", input=lines, cwd=directory)
    told = done.stdout.splitlines()
    equal(len(re.findall("^  [-+] (?:old|new)", done.stdout, re.MULTILINE)), 20000)
    equal(told[-2:], ["further differences, beyond the first 20000: 10000", "15000 of 15000 events give other metrics"])


main()
