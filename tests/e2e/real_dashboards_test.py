"""packaging/dashboards/grafana-tasker-graphite.json on real servers: Tasker's events go through the agent into npm's statsd and
Debian's Graphite, which then has something for every query of every panel.
"""

import atexit
import json

import yaml

from harness import SOURCE, Agent, Skip, main, skip, table, true, write_pipe
from real_servers import StatsdGraphite

BOARD = json.loads((SOURCE / "packaging/dashboards/grafana-tasker-graphite.json").read_text())
_real = None


def events():
    """What makes every metric of the pack: its own tests', and a workflow; each with a task, as Tasker's have it."""
    lines = (SOURCE / "tests/data/workflow.jsonl").read_text().splitlines()
    for case in yaml.safe_load((SOURCE / "conf/tasker.yaml").read_text())["tests"]:
        for event in case.get("events") or [case["event"]]:
            lines.append(event if isinstance(event, str) else json.dumps(event, default=str))
    return lines


def real():
    """The servers, and in them what one agent sent, once for the whole file."""
    global _real
    if _real is None:
        try:
            _real = StatsdGraphite(statistics=()).__enter__()
            atexit.register(_real.stop)
        except Skip as why:
            _real = why
        else:
            output = f"outputs: [{{url: '{_real.url}', dialect: graphite}}]\n"
            with Agent("include: [tasker]\ntags: {env: prod}\ninputs: ['fifo://{dir}/events']\n" + output) as agent:
                write_pipe(agent.directory / "events", *events())
    if isinstance(_real, Skip):
        skip(_real)
    return _real


def queries():
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["target"]


@table([(f"{title}: {target}", target) for title, target in queries()])
def _(target):
    for env, task in ((".*", ".*"), ("prod", ".*")):
        asked = target.replace("$env", env).replace("$task", task)
        series = real().wait_for(asked, lambda series: len(series) > 0 and len(series.points()) > 0)
        true("No Data" not in repr(series), repr(series))


main()
