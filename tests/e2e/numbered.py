"""Numbered events: a configuration that makes a counter and a gauge of each, a process that writes them, and
the check that each arrived once, in order."""

import collections
import os

from harness import Failure, equal, total

RULES = """
rules:
  - {match: "b.*", metrics: [{counter: "{event}", value: n}, {gauge: "g", value: n}]}
"""


def pipe_to(url, *more, block=True, inputs="'fifo://{dir}/pipe'"):
    mode = "block" if block else "drop"
    outputs = ", ".join([f"{{url: '{url}', name: first, when_full: {mode}}}", *more])
    return f"inputs: [{inputs}]\noutputs: [{outputs}]" + RULES


def writer(path, first, count):
    """A process that writes numbered events and waits where it must."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            descriptor = os.open(path, os.O_WRONLY)
            for number in range(first, first + count):
                os.write(descriptor, b"b.a n=%d\n" % number)
            status = 0
        finally:
            os._exit(status)
    return pid


def reap(pid):
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, "the writer's exit status")


def is_running(pid):
    return os.waitpid(pid, os.WNOHANG) == (0, 0)


def check_all_once(lines, count):
    """Each number once as a counter, once as a gauge, in order."""
    for name, suffix in (("b.a", "|c"), ("g", "|g")):
        got = [line for line in lines if line.startswith(name + ":")]
        if got != [f"{name}:{n}{suffix}" for n in range(count)]:
            numbers = collections.Counter(int(line.split(":")[1].split("|")[0]) for line in got)
            doubled = [n for n, times in numbers.items() if times > 1]
            lost = [n for n in range(count) if n not in numbers]
            raise Failure(f"{name}: {len(got)} of {count}, lost {lost[:20]}, doubled {doubled[:20]}")


def check_accounts(agent, metrics_per_event=2):
    """The accounts balance, those of each output too; returns the counters."""
    counters = agent.check_balance()
    made = metrics_per_event * total(counters, "statsidecar_events_received_total")
    outputs = {
        key.split('output="')[1].split('"')[0] for key in counters if key.startswith("statsidecar_metrics_total")
    }
    for output in outputs:
        label = f'output="{output}"'
        told = total(counters, "statsidecar_metrics_total", label) + total(
            counters, "statsidecar_output_pending", label
        )
        equal(told, made, f"{output}: sent + dropped + filtered + sampled out + pending, made")
    return counters
