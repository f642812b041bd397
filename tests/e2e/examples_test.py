"""What the repository shows is true: its configurations pass `check` and their own tests, those of its documents pass
`check` too, and the legacy job of examples/ gives the metrics that examples/README.md says.
"""

import re
import subprocess

from harness import SOURCE, Agent, command, equal, main, table, temporary_directory, test, true

CONFIGURATIONS = sorted(path.relative_to(SOURCE) for path in (SOURCE / "conf").rglob("*.yaml"))
DOCUMENTS = [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md")), SOURCE / "examples/README.md"]


def blocks(document, language):
    """The fenced blocks of a language: the line they begin at, and their text."""
    text = document.read_text()
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, match.start()) + 1, match.group(1)


SNIPPETS = [
    (f"{document.relative_to(SOURCE)}:{line}", text)
    for document in DOCUMENTS
    for line, text in blocks(document, "yaml")
    if not text.startswith("# statsd_exporter\n")  # what is migrated from
]


@table([(f"{path} has no fault", path) for path in CONFIGURATIONS])
def _(path):
    done = command("check", "-c", SOURCE / path)
    equal((done.returncode, done.stderr), (0, ""), done.stdout)


@table([(f"{path} passes its tests", path) for path in CONFIGURATIONS])
def _(path):
    done = command("test", "-c", SOURCE / path)
    equal(done.returncode, 0, done.stdout + done.stderr)
    true(re.search(r"^ok 1 ", done.stdout, re.MULTILINE), "no test was run:\n" + done.stdout)


@table([(f"the configuration at {name} has no fault", text) for name, text in SNIPPETS])
def _(text):
    with temporary_directory() as directory:
        path = f"{directory}/snippet.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = command("check", "-c", path)
        equal((done.returncode, done.stderr), (0, ""), done.stdout)


@test("the README's configuration passes its tests")
def _():
    with temporary_directory() as directory:
        path = f"{directory}/shop.yaml"
        (text,) = [text for _, text in blocks(SOURCE / "README.md", "yaml")]
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = command("test", "-c", path)
        equal(done.returncode, 0, done.stdout + done.stderr)


@test("the README's events give the metrics that it shows")
def _():
    text = (SOURCE / "README.md").read_text()
    events = re.findall(r"^(?:echo|printf) '(.*)' > /(?:run|dev)/", text, re.MULTILINE)
    shown = re.findall(r"^ {4}(tasker\..*\n)", text, re.MULTILINE)
    shown += re.findall(r"^The first terminal shows\n\n```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    done = command("run", "-c", "tasker", "--input", "stdin:", "--output", "stdout:", input="\n".join(events) + "\n")
    equal((done.returncode, done.stdout), (0, "".join(shown)), done.stderr)


def explained():
    for document in DOCUMENTS:
        text = document.read_text()
        pattern = r"^build/statsidecar explain (?:-c (\S+) )?'(.*)'\n```\n\n```\n(.*?)^```$"
        for path, event, shown in re.findall(pattern, text, re.MULTILINE | re.DOTALL):
            yield f"{document.relative_to(SOURCE)} shows what explain says of {event}", path or "tasker", event, shown


def without_places(text):
    """Rules move within their files."""
    return re.sub(r"^( +rule +[^:]+):[0-9]+", r"\1:LINE", text, flags=re.MULTILINE)


@table(list(explained()))
def _(path, event, shown):
    done = command("explain", "-c", path, event, cwd=SOURCE)
    equal(without_places(done.stdout), without_places(shown), done.stderr)


def without_times(lines):
    """Durations differ from run to run."""
    return sorted(re.sub(r":[0-9.]+\|ms", ":TIME|ms", line) for line in lines)


@test("the legacy job's metrics are those of examples/README.md")
def _():
    shown = [line for _, text in blocks(SOURCE / "examples/README.md", "statsd") for line in text.splitlines()]
    with temporary_directory() as directory:
        arguments = ["-c", SOURCE / "conf/examples/shell-job.yaml", "--output", "stdout:"]
        pipe = f"{directory}/events"
        with Agent(arguments=[*arguments, "--input", f"fifo://{pipe}"], directory=directory) as agent:
            subprocess.run(
                [SOURCE / "examples/legacy-job.sh", SOURCE / "examples/tables"],
                env={"PATH": "/usr/bin:/bin", "EVENTS": pipe},
                check=True,
            )
            agent.stdout.wait(len(shown))
            agent.stop()
            equal(without_times(agent.stdout.all()), without_times(shown))


main()
