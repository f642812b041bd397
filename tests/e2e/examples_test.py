"""The configurations of conf/ pass `check` and their own tests, and the legacy job of examples/ gives the metrics that
examples/README.md says. What the documents show is run by documentation_test.py.
"""

import re
import subprocess

from harness import SOURCE, Agent, command, equal, main, table, temporary_directory, test, true

CONFIGURATIONS = sorted(path.relative_to(SOURCE) for path in (SOURCE / "conf").rglob("*.yaml"))


def blocks(document, language):
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


@table([(f"{path} has no fault", path) for path in CONFIGURATIONS])
def _(path):
    done = command("check", "-c", SOURCE / path)
    equal((done.returncode, done.stderr), (0, ""), done.stdout)


@table([(f"{path} passes its tests", path) for path in CONFIGURATIONS])
def _(path):
    done = command("test", "-c", SOURCE / path)
    equal(done.returncode, 0, done.stdout + done.stderr)
    true(re.search(r"^ok 1 ", done.stdout, re.MULTILINE), "no test was run:\n" + done.stdout)


def without_times(lines):
    """Durations differ from run to run."""
    return sorted(re.sub(r":[0-9.]+\|ms", ":TIME|ms", line) for line in lines)


@test("the legacy job's metrics are those of examples/README.md")
def _():
    shown = [line for text in blocks(SOURCE / "examples/README.md", "statsd") for line in text.splitlines()]
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
