"""Standard output on a full disk: the log tells of it once, and once when there is room again."""

import errno
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import Agent, equal, main, test, total, wait_until, write_pipe  # noqa: E402

from faults import Faults  # noqa: E402

CONFIG = """
inputs: ['fifo://{dir}/pipe']
outputs: ['stdout:']
rules: [{match: i.*, metrics: [{counter: '{event}'}]}]
"""
AWAY, BACK = "output stdout: is away", "output stdout: takes metrics"


@test("no room: told once, nothing is lost; room again: told once, and metrics come")
def _():
    with Faults() as faults, Agent(CONFIG, env=faults.env) as agent:

        def says():
            lines = agent.stderr.all()
            return [sum(text in line for line in lines) for text in (AWAY, BACK)]

        def write_until(condition, what):
            def write():
                write_pipe(agent.directory / "pipe", "i.a")
                return condition(agent.counters())

            wait_until(write, what)

        for turn in (1, 2):
            faults.fail("writev", errno.ENOSPC, chance=1)
            errors = total(agent.counters(), "statsidecar_output_errors_total", 'error="other"')
            # Each counts one that was opened anew in between.
            write_until(lambda now: total(now, "statsidecar_output_errors_total", 'error="other"') >= errors + 8, "errors")
            equal(says(), [turn, turn - 1])
            faults.clear()
            sent = total(agent.counters(), "statsidecar_metrics_total", 'outcome="sent"')
            write_until(lambda now: total(now, "statsidecar_metrics_total", 'outcome="sent"') > sent, "a metric to be sent")
            equal(says(), [turn, turn])
            agent.stdout.wait_for("i.a:1|c")
        agent.check_balance()


main()
