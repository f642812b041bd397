"""Ten million distinct entities through a lifecycle's table of the default size: memory stays what `check --print` said at the
start, evictions are counted, and nothing else suffers.
"""

import re

from harness import Agent, command, equal, main, test, total, true, wait_until

ENTITIES = 10_000_000
CHUNK = 100_000
TABLE = 8192

CONFIGURATION = """
inputs: [{url: "fifo://{dir}/events", name: pipe}]
outputs: [{url: "udp://127.0.0.1:9", name: nobody}]
lifecycles:
  step:
    key: [task_id, step_id]
    enter: {"step.started": in_progress, "step.completed": complete}
    transitions: {in_progress: [complete], complete: []}
    active: [in_progress]
    final: [complete]
rules:
  - {match: "step.*", metrics: [{counter: "{event}"}]}
"""


def stated_kib(path):
    """What `check --print` says that the agent will take."""
    done = command("check", "--print", "-c", path)
    equal(done.returncode, 0, done.stderr)
    sizes = re.findall(r"^# .*?(\d+) KiB$", done.stdout, re.MULTILINE)
    true(len(sizes) >= 3, f"the memory stands in {done.stdout[-400:]!r}")
    return sum(map(int, sizes))


@test(f"{ENTITIES} entities: memory stays as stated, evictions are counted, the accounts balance")
def _():
    with Agent(CONFIGURATION) as agent:
        stated = stated_kib(str(agent.config))
        begin = agent.memory_kib()
        with open(f"{agent.directory}/events", "wb", buffering=0) as pipe:
            for first in range(0, ENTITIES, CHUNK):
                pipe.write("".join(f"step.started task_id={n} step_id={n % 7}\n" for n in range(first, first + CHUNK)).encode())
        counters = wait_until(
            lambda: (now := agent.counters()) and total(now, "statsidecar_events_received_total") == ENTITIES and now,
            "everything is read",
        )
        agent.check_balance(counters)
        equal(total(counters, "statsidecar_lifecycle_evicted_total"), ENTITIES - TABLE, "evicted")
        equal(total(counters, "statsidecar_lifecycle_entities"), TABLE, "entities")
        grown = agent.memory_kib() - begin
        true(grown <= stated, f"memory grew by {grown} KiB; {stated} KiB were stated")


if __name__ == "__main__":
    main()
