"""What lifecycles do by themselves, without an event: on time, whatever else they wait for; and with which tags."""

from harness import Agent, UdpReceiver, equal, main, table, test, write_pipe

# Nothing but what a row adds is due before the hour is over.
SLOW = """
inputs: ['fifo://{dir}/pipe']
lifecycles:
  slow: {key: [id], enter: {slow.begin: on}, expire: 1h}
"""
RULES = """
rules:
  - {match: lifecycle.stuck, metrics: [{counter: "stuck.{lifecycle}"}]}
  - {match: "**", metrics: [{counter: "{event}"}]}
"""


@table(
    [
        (
            "entities expire while another lifecycle's have more time",
            "{key: [id], enter: {quick.begin: on}, active: [on], in_flight: flight, expire: 50ms}",
            [("slow.begin", []), ("quick.begin", ["flight:1|g"])],
            ["flight:0|g"],
        ),
        (
            "who is stuck is told while others have more time",
            "{key: [id], enter: {quick.wait: off, quick.begin: on}, active: [on], stuck_after: 50ms}",
            [("quick.wait", []), ("quick.begin", [])],
            ["stuck.quick:1|c"],
        ),
        (
            "who lingers is forgotten while others have more time",
            "{key: [id], enter: {quick.wait: off, quick.end: on}, active: [on], final: [on], in_flight: flight, linger: 50ms}",
            [("quick.wait", []), ("quick.end", ["flight:1|g"])],
            ["flight:0|g"],
        ),
    ]
)
def _(lifecycle, events, want):
    with UdpReceiver() as receiver, Agent(SLOW + f"  quick: {lifecycle}\noutputs: ['{receiver.url}']" + RULES) as agent:
        for event, gauges in events:  # each in a wake-up of its own: the first one sets the timer
            write_pipe(agent.directory / "pipe", f"{event} id=1")
            equal(receiver.lines(1 + len(gauges)), [f"{event}:1|c", *gauges])
        equal(receiver.lines(len(want)), want)


@test("a gauge of entities is one series, whatever inputs their events come by")
def _():
    config = """
inputs:
  - {url: 'fifo://{dir}/pipe', tags: {via: pipe}}
  - {url: 'fifo://{dir}/other', tags: {via: other}}
tags: {env: prod}
lifecycles:
  job: {key: [id], enter: {begin: on}, active: [on], in_flight: flight, expire: 1s}
"""
    with UdpReceiver() as receiver, Agent(config + f"outputs: ['{receiver.url}']" + RULES) as agent:
        write_pipe(agent.directory / "pipe", "begin id=1")
        equal(receiver.lines(2), ["begin:1|c|#via:pipe,env:prod", "flight:1|g|#env:prod"])
        write_pipe(agent.directory / "other", "x")
        equal(sorted(receiver.lines(2)), ["flight:0|g|#env:prod", "x:1|c|#via:other,env:prod"])


main()
