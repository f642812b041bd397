"""`statsidecar check`: all faults of a file in one run, each at its place; every configuration of conf/ passes, and what
`check --print` makes of it means the same.

tests/data/twelve-faults.yaml has twelve faults of twelve kinds, one a line; twelve-right.yaml is the same file without
them. A document with one of the twelve lines must have that one fault. SCHEMA lists those lines that an editor with
conf/statsidecar.schema.json sees too (needs PyYAML and jsonschema; left out without them).
"""

import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("srcdir") or pathlib.Path(__file__).parents[2]).resolve()
STATSIDECAR = os.environ.get("STATSIDECAR") or str(SOURCE / "statsidecar")
DATA = SOURCE / "tests/data"

# Line and column of each fault, and what its message must hold: the hint.
TWELVE = [
    (4, 35, "unknown key `fromat` in an input; did you mean `format`?"),
    (5, 11, "`allow_from: [10.0.0.0/8]` or `allow_from: any`"),
    (8, 14, "`dialect` takes a text, not a list"),
    (10, 16, "${STATSIDECAR_TEST_REGION:-…}"),
    (15, 5, "the key `match` stands here twice: line 14 has it already"),
    (16, 31, 'must stand in quotes: "{shop}"'),
    (18, 18, "write {1}"),
    (19, 9, "a timer needs `unit`"),
    (23, 19, "A-Za-z0-9_.- only: `orders/paid`"),
    (24, 12, 'must stand in quotes: "*.failed"'),
    (26, 5, "this rule is never reached: the rule in line 14"),
    (27, 17, "a duration needs a unit"),
]
# The lines of which a schema can tell that they are wrong. It cannot see listening addresses, the environment, repeated keys
# (gone once YAML is read), rules that are never reached; and an unquoted star is no YAML at all.
SCHEMA = {4, 8, 16, 18, 19, 23, 27}
NO_YAML = {24}
PACKS = ["tasker", "tasker-lifecycles", "job"]

failed = 0
count = 0


def result(name, is_well, *details):
    global failed, count
    count += 1
    failed += not is_well
    print(f"{'ok' if is_well else 'not ok'} {count} - {name}")
    if not is_well:
        for detail in details:
            for line in str(detail).splitlines():
                print(f"# {line}")


def check(path, *options, cwd=None):
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DD_", "STATSD_", "STATSIDECAR_"))
    }
    return subprocess.run(
        [STATSIDECAR, "check", *options, "-c", str(path)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def places(stderr, file):
    found = []
    for line in stderr.splitlines():
        name, number, column, rest = line.split(":", 3)
        found.append((int(number), int(column), rest) if name == str(file) else (0, 0, line))
    return found


def twelve_at_once():
    run = check("twelve-faults.yaml", cwd=DATA)
    found = places(run.stderr, "twelve-faults.yaml")
    result("twelve faults: status 78", run.returncode == 78, f"got {run.returncode}")
    result("twelve faults: nothing on standard output", run.stdout == "", run.stdout)
    result("twelve faults: twelve lines", len(found) == 12, run.stderr)
    for place, (line, column, hint) in zip(found + [(0, 0, "nothing")] * 12, TWELVE):
        is_well = place[:2] == (line, column) and place[2].startswith(" error: ") and hint in place[2]
        result(f"the fault at {line}:{column}", is_well, f"got:  {place}", f"want: {(line, column, hint)}")
    run = check("twelve-right.yaml", cwd=DATA)
    result("the same file without faults passes", run.returncode == 0 and run.stderr == "", run.stderr)
    result("and says so", run.stdout.startswith("twelve-right.yaml: ok (6 rules"), run.stdout)


def singles():
    """Each faulty line in the right document."""
    right = (DATA / "twelve-right.yaml").read_text().splitlines(keepends=True)
    faulty = (DATA / "twelve-faults.yaml").read_text().splitlines(keepends=True)
    lines = [line for line, _, _ in TWELVE]
    for line in lines:
        text = list(right)
        text[line - 1] = faulty[line - 1]
        if line == 19:
            text[20] = faulty[20]  # the timer's missing unit
        yield line, "".join(text)


def one_at_a_time(folder):
    for (line, text), (_, column, hint) in zip(singles(), TWELVE):
        path = folder / "one.yaml"
        path.write_text(text)
        found = places(check(path).stderr, path)
        is_well = len(found) == 1 and found[0][:2] == (line, column) and hint in found[0][2]
        result(f"the fault of line {line} alone", is_well, *found)


def schema():
    try:
        import jsonschema
        import yaml
    except ImportError as error:
        result(f"the schema # SKIP no {error.name} for {sys.executable}", True)
        return
    validator = jsonschema.Draft7Validator(json.loads((SOURCE / "conf/statsidecar.schema.json").read_text()))
    for line, text in singles():
        if line in NO_YAML:
            continue
        is_refused = bool(list(validator.iter_errors(yaml.load(text, yaml.BaseLoader))))
        name = "sees" if line in SCHEMA else "cannot see"
        result(f"the schema {name} the fault of line {line}", is_refused == (line in SCHEMA))


def tables_of(path):
    """The tables of another test, without running it."""
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and node.targets[0].id in ("REFUSED", "BEYOND", "ACCEPTED")
    }


def beside_the_schema(folder):
    """What the schema refuses, `check` refuses, and what the schema's test takes to be right, `check` takes."""
    path = folder / "row.yaml"
    for table, rows in tables_of(SOURCE / "tests/golden/schema_test.py").items():
        for name, text in rows:
            path.write_text(text)
            run = check(path)
            is_right = table == "ACCEPTED"
            is_well = run.returncode == (0 if is_right else 78) and (run.stderr == "") == is_right
            result(f"{'accepted' if is_right else 'refused'}: {name}", is_well, run.returncode, run.stderr)


def without_comments(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


def printed(folder, name, path):
    """Checks a configuration, what --print makes of it, and what --print makes of that."""
    run = check(path)
    result(f"{name} passes", run.returncode == 0 and run.stderr == "", run.stderr)
    first = check(path, "--print")
    copy = folder / "printed.yaml"
    copy.write_text(first.stdout)
    second = check(copy, "--print")
    is_well = second.returncode == 0 and without_comments(first.stdout) == without_comments(second.stdout)
    result(f"{name} printed and read again is the same", first.returncode == 0 and is_well, first.stderr, second.stderr)
    memory = re.search(r"^# memory, at most:\n(#   .*: \d+ entities +\d+ KiB\n)*#   rules, tables, cardinality guards", first.stdout, re.M)
    result(f"{name}: the memory is said", memory, first.stdout)


def lifecycles(folder):
    """Each lifecycle's entities take at most 32 bytes each; with texts, which stuck_after needs, their length more."""
    path = folder / "memory.yaml"
    lifecycle = "{key: x, enter: {e: s}, active: s, max_entities: 1000000"
    path.write_text(f"lifecycles:\n  plain: {lifecycle}}}\n  watched: {lifecycle}, stuck_after: 1ms}}\n")
    stated = dict(re.findall(r"^#   lifecycle (\w+): 1000000 entities +(\d+) KiB$", check(path, "--print").stdout, re.M))
    result("the memory of each lifecycle is said", stated == {"plain": "31250", "watched": "227540"}, stated)


def conf(folder):
    for path in sorted((SOURCE / "conf").glob("*.yaml")):
        printed(folder, f"conf/{path.name}", path)
    for pack in PACKS:
        printed(folder, f"the pack {pack}", pack)
    for path in sorted((SOURCE / "conf/examples").glob("*.yaml")):
        printed(folder, f"conf/examples/{path.name}", path)


def said_once(folder):
    """What both the reader of the file and the compiler of what it read could tell of, one of them does."""
    path = folder / "once.yaml"
    path.write_text(
        "lifecycles:\n"
        "  a: {key: x, enter: {e: s}, transitions: {s: [q], z: []}, active: [w], final: [v]}\n"
        "  b: {key: x, enter: {e: s}, duration: {field: took, state: u}}\n"
        "  c: {key: x, enter: {e: s}, duration: {field: took}}\n"
    )
    missing = "".join(
        f"{path}:{place}: error: no event enters the state `{state}`: `enter` does not name it\n"
        for place, state in (("2:48", "q"), ("2:52", "z"), ("2:69", "w"), ("2:81", "v"), ("3:61", "u"))
    )
    run = check(path)
    result("a state that no event enters is told of once", run.stderr == f"{missing}{path}:4:40: error: duration needs `state`\n", run.stderr)


def command_line(folder):
    missing = folder / "missing.yaml"
    run = check(missing)
    wanted = f"{missing}: error: cannot read `{missing}`: No such file or directory\n"
    result("a missing file", run.returncode == 78 and run.stderr == wanted, run.stderr)
    run = subprocess.run([STATSIDECAR, "check", "a.yaml"], capture_output=True, text=True)
    result("a file without -c is misuse", run.returncode == 64 and "-c" in run.stderr, run.returncode, run.stderr)
    run = subprocess.run([STATSIDECAR, "check", "--prnt"], capture_output=True, text=True)
    result("an unknown option is misuse", run.returncode == 64, run.returncode, run.stderr)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        twelve_at_once()
        one_at_a_time(folder)
        schema()
        beside_the_schema(folder)
        conf(folder)
        lifecycles(folder)
        said_once(folder)
        command_line(folder)
    print(f"1..{count}")
    sys.exit(1 if failed else 0)


main()
