"""The man pages: without a warning of mandoc's, and in line with what they describe: statsidecar(1) with every command's own
help, statsidecar.yaml(5) with the settings tables (as tests/unit/settings_oracle prints them), libstatsidecar(3) with the header,
their examples with the program.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import SOURCE, command, equal, main, need, table, temporary_directory, test, true  # noqa: E402

BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE / "build").resolve()
PAGES = SOURCE / "docs/man"
NAMES = sorted(path.name for path in PAGES.iterdir())


# ---- mdoc ----


def lines_of(page):
    return (PAGES / page).read_text().splitlines()


def sections(page, macro=".Ss"):
    """The lines below each heading, by its text."""
    found, name = {}, None
    for line in lines_of(page):
        if line.startswith((".Sh ", ".Ss ")):
            name = line[4:] if line.startswith(macro) else None
            if name is not None:
                found[name] = []
        elif name is not None:
            found[name].append(line)
    return found


def literals(page):
    """The texts of the literal blocks, and of the single lines."""
    found, block = [], None
    for line in lines_of(page):
        if line.startswith(".Bd -literal"):
            block = []
        elif line == ".Ed":
            found.append("\n".join(block))
            block = None
        elif block is not None:
            block.append(line.replace("\\e", "\\").replace("\\&", ""))
        elif line.startswith(".Dl "):
            found.append(line[4:].replace("\\e", "\\"))
    return found


@table([(f"mandoc has nothing to say about {page}", page) for page in NAMES])
def _(page):
    need("mandoc")
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", PAGES / page], capture_output=True, text=True)
    equal(done.stdout + done.stderr, "")


@table([(f"every page that {page} refers to is one of these", page) for page in NAMES])
def _(page):
    for name, section in re.findall(r"^\.Xr (\S+) (\d)", (PAGES / page).read_text(), re.MULTILINE):
        true(f"{name}.{section}" in NAMES + ["fork.2", "execve.2"], f"{name}({section})")


# ---- statsidecar(1) ----

COMMANDS = re.findall(r"^  ([a-z]+) ", command("--help").stdout, re.MULTILINE)


def options_of_help(name):
    text = command("help", name).stdout
    rows = re.findall(r"^ {2,6}((?:-{1,2}[a-z-]+, )?-{1,2}[a-z-]*)(?= |$)", text, re.MULTILINE)
    found = {option for row in rows for option in row.split(", ")}
    return found | set(re.findall(r"(?<=[\[ ])-{1,2}[a-z-]*(?=[\] ])", text.splitlines()[0]))


def options_of_macros(line):
    """`.It Fl c , Fl Fl config` has -c and --config; alone, Fl is the argument `-`."""
    words = re.sub(r"\bFl( |$)", "-", re.sub(r"\bFl Fl( |$)", "--", line.lstrip("."))).split()
    return {word for word in words if word.startswith("-")}


def options_of_page(name):
    return {o for line in sections("statsidecar.1")[name] if line.startswith(".It Fl") for o in options_of_macros(line)}


def options_of_synopsis(name):
    found, is_ours = set(), False
    for line in sections("statsidecar.1", ".Sh")["SYNOPSIS"]:
        if line.startswith(".Cm "):
            is_ours = line == f".Cm {name}"
        elif line.startswith((".Op Fl", ".Fl")) and is_ours:
            found |= options_of_macros(line)
        elif line == ".Nm":
            is_ours = False
    return found


@test("statsidecar(1) has a section for every command, and one synopsis at least")
def _():
    equal(list(sections("statsidecar.1")), COMMANDS)
    equal(sorted({line[4:] for line in sections("statsidecar.1", ".Sh")["SYNOPSIS"] if line.startswith(".Cm ")}), sorted(COMMANDS))


@table([(f"statsidecar(1) has the options of {name}, as its help does", name) for name in COMMANDS])
def _(name):
    want = options_of_help(name)
    got = options_of_page(name)
    # The long name of -c is said for all commands at once by their help.
    equal(sorted(got - {"--config"}), sorted(want - {"--config"}))
    equal(sorted(options_of_synopsis(name)), sorted({o for o in want if o not in ("--config", "--quiet")}), "synopsis")
    usage = command("help", name).stdout.splitlines()[0]
    for word in re.findall(r"\b[A-Z]{2,}\b", usage):
        true(re.search(rf"\b{word}\b", " ".join(sections("statsidecar.1", ".Sh")["SYNOPSIS"])), f"{word} is not in the synopsis")


@test("statsidecar(1) has every variable that the program reads")
def _():
    sources = "".join(path.read_text() for folder in ("agent", "lib") for path in (SOURCE / folder).rglob("*.c"))
    names = set(re.findall(r'(?:getenv|environment_get|setting_of)\("([A-Z_]+)"\)', sources))
    names |= set(re.findall(r'"((?:DD|STATSD|STATSIDECAR)_[A-Z_]+)"', sources))
    true(len(names) > 10, f"found only {names}")
    page = "\n".join(sections("statsidecar.1", ".Sh")["ENVIRONMENT"])
    equal(sorted(name for name in names if not re.search(rf"\b{name}\b", page)), [])


@test("statsidecar(1) has every exit status of the commands")
def _():
    numbers = dict(re.findall(r"#define (EX_[A-Z]+)\s+(\d+)", pathlib.Path("/usr/include/sysexits.h").read_text()))
    used = {name for path in (SOURCE / "agent").rglob("*.c") for name in re.findall(r"\bEX_[A-Z]+\b", path.read_text())}
    page = sections("statsidecar.1", ".Sh")["EXIT STATUS"]
    equal(sorted(name for name in used if f".It {numbers[name]}" not in page), [])
    for row in re.findall(r"Exit status: (.*)", "".join(command("help", name).stdout for name in COMMANDS if name != "exec")):
        for number in re.findall(r"\b(\d+)(?= \(|[,.])", row):
            true(f".It {number}" in page, f"{number} of {row!r}")


# ---- statsidecar.yaml(5) ----


class Row:
    """One of the settings tables' rows, as the page has to say it."""

    def __init__(self, line):
        self.path, self.key, kind, flags, choices, least, most, default, shown, own = line.split("\t")
        takes = own or {"list": "list of texts", "choice": choices.replace(",", ", ")}.get(kind, kind)
        takes += f", {least} to {most}" if most else ""
        takes += ", or off" if "off" in flags else ""
        default = shown or {'""': "empty", "": "none"}.get(default, default)
        default = "required" if "required" in flags else default
        self.words = f"{takes}; {default if default.startswith('required') else 'default ' + default}"


def settings():
    done = subprocess.run([BUILD / "tests/unit/settings_oracle"], capture_output=True, text=True, check=True)
    return [Row(line) for line in done.stdout.splitlines()]


ROWS = settings()


def documented(path):
    """Key and words of each item of a path's section."""
    found = {}
    for line in sections("statsidecar.yaml.5")[path or "The top"]:
        match = re.fullmatch(r"\.It Cm (\S+) Pq (.*)", line)
        if match:
            found[match.group(1)] = match.group(2).replace("\\&", "")
    return found


@table([(f"statsidecar.yaml(5) has the keys of {path or 'the top'}", path) for path in dict.fromkeys(row.path for row in ROWS)])
def _(path):
    equal(documented(path), {row.key: row.words for row in ROWS if row.path == path})


@test("statsidecar.yaml(5): the example is a configuration whose tests pass")
def _():
    with temporary_directory() as directory:
        path = pathlib.Path(directory) / "example.yaml"
        path.write_text(literals("statsidecar.yaml.5")[-1])
        for name in ("check", "test"):
            done = command(name, "-c", path)
            equal((done.returncode, done.stderr), (0, ""), name)


@test("statsidecar.yaml(5): the conditions are conditions")
def _():
    conditions = [row for row in literals("statsidecar.yaml.5") if "retry_limit" in row][0].splitlines()
    with temporary_directory() as directory:
        path = pathlib.Path(directory) / "conditions.yaml"
        rows = "".join(f"      - {{counter: a, when: [{shell_yaml(row)}]}}\n" for row in conditions)
        path.write_text(f"rules:\n  - match: a\n    metrics:\n{rows}")
        done = command("check", "-c", path)
        equal((done.returncode, done.stderr), (0, ""))


def shell_yaml(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# ---- statsidecar(7) ----


@test("statsidecar(7): its events are events")
def _():
    lines = []
    for block in literals("statsidecar.7"):
        joined = re.sub(r",\n ", ",", block.replace("                 (on one line)", ""))
        lines += [line for line in joined.splitlines() if re.match(r"[\[{a-z]|Tasker", line) and "statsidecar explain" not in line]
    true(len(lines) >= 11, f"found only {lines}")
    done = command("explain", "-c", "tasker", *lines)
    equal(done.returncode, 0)
    outcomes = re.findall(r"^    outcome +(\w+)", done.stdout, re.MULTILINE)
    equal(len(outcomes), len(lines) + 1, "a batch is two events")
    equal(set(outcomes), {"mapped"})
    named = re.findall(r"^    event +(\S+?):? ?(?:$| )", done.stdout, re.MULTILINE)
    equal(named[-5:], ["step.completed"] * 5, "spellings")


@test("statsidecar(7) has every outcome and format")
def _():
    page = "\n".join(lines_of("statsidecar.7"))
    outcomes = re.search(r"only these: ([a-z, ]+)", command("help", "tap").stdout).group(1).split(", ")
    equal([name for name in outcomes if f".It Cm {name}" not in page], [])
    formats = [row for row in ROWS if row.path == "inputs[]" and row.key == "format"][0].words.split(";")[0].split(", ")
    equal([name for name in formats if name != "auto" and f".Ss {'JSON' if name == 'json' else name}" not in page], [])


@table([(f"{page}: what stands behind `$ statsidecar explain` runs", page) for page in ("statsidecar.1", "statsidecar.7")])
def _(page):
    rows = [row for block in literals(page) for row in block.splitlines() if row.startswith("$ statsidecar explain '")]
    true(rows, "none found")
    for row in rows:
        done = command(*shlex.split(row)[2:], env={"STATSIDECAR_CONFIG": "tasker"})
        equal((done.returncode, done.stderr), (0, ""))


# ---- libstatsidecar(3) ----

HEADER = (SOURCE / "lib/publish/statsidecar.h").read_text()
FUNCTIONS = re.findall(r"^(?:STATSIDECAR_API|static inline)[^;{]*?\b(statsidecar_\w+)\(", HEADER, re.MULTILINE)


def prototype(text):
    """Arguments of a function, blanks aside."""
    return [re.sub(r"\s+", " ", part).strip() for part in text.split(",")]


@test("libstatsidecar(3) has every function, with its arguments, and a link for each")
def _():
    page = "\n".join(lines_of("libstatsidecar.3"))
    true(len(FUNCTIONS) > 20, f"found only {FUNCTIONS}")
    named = re.findall(r"^\.Nm (statsidecar_\w+)", page, re.MULTILINE)
    equal(sorted(named), sorted(FUNCTIONS))
    shown = {name: re.findall(r'"([^"]*)"', rest) for name, rest in re.findall(r'^\.Fn (statsidecar_\w+)((?: "[^"]*")+)$', page, re.MULTILINE)}
    shown |= {name: re.findall(r'^\.Fa "(.*)"', body, re.MULTILINE) for name, body in re.findall(r"^\.Fo (\w+)\n(.*?)^\.Fc", page, re.MULTILINE | re.DOTALL)}
    for name in FUNCTIONS:
        declared = re.search(rf"^(?:STATSIDECAR_API|static)[^;(]*\b{name}\(([^)]*)\)", HEADER, re.MULTILINE).group(1)
        equal(shown.get(name), prototype(declared), name)
    links = re.search(r"^man3_links = \\\n((?:\t.*\n)+)", (SOURCE / "Makefile.am").read_text(), re.MULTILINE).group(1)
    equal(sorted(re.findall(r"statsidecar_\w+", links)), sorted(FUNCTIONS))


@test("libstatsidecar(3) has every result, type of event and member")
def _():
    page = "\n".join(lines_of("libstatsidecar.3"))
    results = re.findall(r"\bSTATSIDECAR_\w+(?= = -?\d)", HEADER)
    types = re.findall(r"\bSTATSIDECAR_EVENT_\w+", HEADER)
    true(len(results) == 11 and len(types) == 10, f"{results} {types}")
    equal([name for name in results if f".It Dv {name}" not in page], [])
    for name in types:
        row = re.search(rf"{name},? +/\* \w+ +(\S+) +(\S+) \*/", HEADER)
        want = [name, *[identifier for identifier in row.groups() if identifier != "-"]]
        true(any(line.split() == want for line in page.splitlines()), f"{want}")
    for kind in ("step", "task", "error"):
        body = re.search(rf"^struct statsidecar_{kind} {{\n(.*?)^}};", HEADER, re.MULTILINE | re.DOTALL).group(1)
        members = set(re.findall(r"\b(\w+);", re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL))) - {"started_monotonic_ns"}
        shown = re.search(rf"^struct statsidecar_{kind} {{\n(.*?)^}};", page, re.MULTILINE | re.DOTALL).group(1)
        equal(set(re.findall(r"\b(\w+)[,;]", shown)), members, kind)


@test("libstatsidecar(3): the example compiles without a warning")
def _():
    compiler = shlex.split(os.environ.get("CC") or "cc")
    done = subprocess.run(
        [*compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", SOURCE / "lib/publish", "-x", "c", "-"],
        input=literals("libstatsidecar.3")[-1],
        capture_output=True,
        text=True,
    )
    equal((done.returncode, done.stderr), (0, ""))


main()
