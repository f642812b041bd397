"""One workflow, recorded, and published by a program of each language over each way in: always the same metrics.

The workflow is a task of four steps: one succeeds, one takes its duration from started_at and completed_at, one fails
and succeeds when it is retried (its second duration is the lifecycle's), and one fails for good.
tests/data/workflow.jsonl is it as Tasker publishes it, legacy and canonical names mixed; its metrics are in
tests/data/workflow-metrics.txt.
"""

import difflib
import json
import shutil
import subprocess

from clients_support import CLIENTS, PROGRAMS, TRANSPORTS, Station, compiled, need_package, python, ruby
from harness import (
    PROGRAM,
    SOURCE,
    Failure,
    command,
    environment,
    equal,
    main,
    need,
    table,
    temporary_directory,
    test,
    true,
)

LIFECYCLES = "include: [tasker-lifecycles]\n"
RECORDED = (SOURCE / "tests/data/workflow.jsonl").read_text()
METRICS = (SOURCE / "tests/data/workflow-metrics.txt").read_text().splitlines()


def same(metrics):
    if metrics != METRICS:
        raise Failure("\n".join(difflib.unified_diff(METRICS, metrics, "want", "got", lineterm="", n=0)))


@test("the recorded workflow gives exactly the expected metrics")
def _():
    done = command("run", "-c", "tasker-lifecycles", "--input", "stdin:", "--output", "stdout:", input=RECORDED)
    equal(done.returncode, 0, done.stderr)
    same(done.stdout.splitlines())


@test("the recorded workflow has what it is to have: every spelling, a step retried, one failing for good")
def _():
    events = [json.loads(line) for line in RECORDED.splitlines()]
    names = [event.get("event") or event["event_name"] for event in events]
    for spelling in (
        "step.failed",
        "tasker.step.handle",
        "tasker.metric.tasker.step.completed",
        "Tasker::Constants::TaskEvents::START_REQUESTED",
        "Constants::StepEvents::EXECUTION_REQUESTED",
        "step.complete",
        "Tasker::LifecycleEvents::Events::Task::ERROR",
        "LifecycleEvents::Events::Step::ERROR",
    ):
        true(spelling in names, f"{spelling} is not in the recording")
    equal(sum(line.startswith("tasker.final_failures:") for line in METRICS), 1)
    equal(sum("invalid_transition" in line for line in METRICS), 0)


def program_of(language, directory):
    if language == "ruby":
        return [*ruby(), PROGRAMS / "workflow.rb"]
    if language == "python":
        return [*python(), PROGRAMS / "workflow.py"]
    if language == "C":
        return compiled(PROGRAMS / "workflow.c", directory)
    need(language)
    return [language, PROGRAMS / "workflow.sh", CLIENTS]


# How many metrics there are when each of the programs' six parts is done. They wait for each other: a Unix socket's
# queue may have no more than ten places.
PARTS = [6, 11, 20, 29, 42, 49]


def publish(station, words, transport, env):
    """Runs a program of the workflow; the metrics that it gives."""
    changes = {"STATSIDECAR_TO": station.url(transport), **env}
    with subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, env=environment(changes)) as process:
        for count in PARTS:
            station.receiver.read_until(lambda: len(station.receiver.all_lines()) >= count, f"{count} metrics")
            process.stdin.write(b"\n")
            process.stdin.flush()
        process.stdin.close()
        equal(process.wait(), 0, "the program's exit status")
    return station.metrics(len(METRICS))


LANGUAGES = ["ruby", "python", "C", "bash", "dash"]


def ways(languages, what):
    return [
        (f"{one}{what}, {transport}: the same metrics", one, transport) for one in languages for transport in TRANSPORTS
    ]


@table(ways(LANGUAGES, ""))
def _(language, transport):
    with temporary_directory() as directory, Station(LIFECYCLES) as station:
        env = {"STATSIDECAR_COMMAND": PROGRAM}
        same(publish(station, program_of(language, directory), transport, env))
        equal(sum(station.agent.outcomes().values()), len(RECORDED.splitlines()))


@table(ways(["bash", "dash"], " without the program"))
def _(shell, transport):
    need(shell)
    if transport == "UDP":
        need("bash")
    if transport == "Unix socket":
        need_package("socat", "socat", test=lambda: shutil.which("socat"))
    with Station(LIFECYCLES) as station:
        same(publish(station, [shell, PROGRAMS / "workflow.sh", CLIENTS], transport, {"STATSIDECAR_COMMAND": ""}))


main()
