"""The accounts: a running agent with three inputs and three outputs is given a million good, bad, dropped, unmapped and batched
events; at every reading they balance, and at the end they are what was sent.
"""

import collections
import socket
import threading

from harness import Agent, UdpReceiver, UnixReceiver, equal, main, send_udp, test, total, true, wait_until

LINE_LIMIT = 2048

CONFIGURATION = """
limits: {line: 2KiB}
inputs:
  - {url: "fifo://{dir}/events", name: pipe}
  - {url: "udp://127.0.0.1:0", name: udp}
  - {url: "unix://{dir}/events.sock", name: unix}
outputs:
  - {url: "URL_WHOLE", name: whole, when_full: block}
  - {url: "URL_PART", name: part, dialect: statsd, filter: ["step.**", "!step.retries"]}
  - {url: "unix://{dir}/absent.sock", name: dead, dialect: graphite}
catalogue:
  step.completed: {legacy: [step.complete], expects: [step_name, took]}
rules:
  - match: step.completed
    name: completed
    tags: {step: "{step_name}"}
    metrics:
      - counter: step.completed
      - {timer: step.duration, value: took, unit: s}
      - {counter: step.retries, when: ["attempt > 1"]}
  - match: sampled
    metrics: [{counter: step.sampled, sample_rate: 0.5}]
  - match: skipping
    metrics:
      - {gauge: level, value: level}
      - {counter: "name.{absent}"}
      - {timer: negative, value: below, unit: s}
      - {timer: nothing, value: absent, unit: s}
      - {event: {title: "it happened", text: "so"}}
  - {match: quiet, metrics: [{timer: quiet, value: absent, unit: s}]}
  - {match: "debug.**", drop: true}
  - {match: "custom.**", fallback: true, metrics: [{counter: "{event}"}]}
"""

# Each row: a line, the events in it by outcome, the metrics that it makes by name, and what is skipped by reason.
GOOD = ["step.completed", "step.duration"]
LINES = [
    ('{"event":"step.completed","step_name":"fetch","took":1.25}', {"mapped": 1}, GOOD, []),
    ('{"event":"step.completed","step_name":"a \\"b\\" \\u00e4","took":"0.5"}\r', {"mapped": 1}, GOOD, []),
    ("step.completed step_name=load took=3 attempt=2", {"mapped": 1}, [*GOOD, "step.retries"], []),
    ('event=step.complete step_name="fetch page" took=0.001', {"mapped": 1}, GOOD, []),
    (
        '{"specversion":"1.0","id":"1","source":"/x","type":"step.completed","data":{"step_name":"ce","took":2}}',
        {"mapped": 1},
        GOOD,
        [],
    ),
    (
        '[{"event":"step.completed","step_name":"x","took":1},{"event":"debug.x"},{"event":"step.completed"}]',
        {"mapped": 2, "dropped": 1},
        [*GOOD, "step.completed"],
        ["absent"],
    ),
    ('[{"event":"step.completed","took":1},{"event":"step.completed"', {"malformed": 1}, [], []),
    ('[{"event":"step.completed","took":1},7]', {"malformed": 1}, [], []),
    ("sampled", {"mapped": 1}, ["step.sampled"], []),
    (
        '{"event":"skipping","level":"high","below":-1}',
        {"mapped": 1},
        ["event"],
        ["not_a_number", "name", "negative", "absent"],
    ),
    ('{"event":"skipping","level":-5}', {"mapped": 1}, ["level", "event"], ["name", "absent", "absent"]),
    ("quiet", {"empty": 1}, [], ["absent"]),
    ("debug.sql took=1", {"dropped": 1}, [], []),
    ("custom.order.created", {"fallback": 1}, ["custom.order.created"], []),
    ("nobody.maps.this value=1", {"unmapped": 1}, [], []),
    ('{"message":"no identifier"}', {"unnamed": 1}, [], []),
    ('{"event":"step.completed","took":1}}', {"malformed": 1}, [], []),
    ('step.completed step_name="unterminated', {"malformed": 1}, [], []),
    ("\x00\x01\x02{", {"unnamed": 1}, [], []),
    ("", {}, [], []),
    (" \t", {}, [], []),
    ("step.completed step_name=" + "x" * LINE_LIMIT, {"oversize": 1}, [], []),
]

BLOCK = "".join(line + "\n" for line, *_ in LINES).encode("utf-8", "surrogateescape")
OUTCOMES = sum((collections.Counter(outcomes) for _, outcomes, _, _ in LINES), collections.Counter())
METRICS = collections.Counter(name for _, _, names, _ in LINES for name in names)
SKIPPED = collections.Counter(reason for *_, reasons in LINES for reason in reasons)
EVENTS = sum(OUTCOMES.values())

# Of the million the pipe gets what the sockets do not.
UDP_BLOCKS = 200
UNIX_BLOCKS = 4_000
PIPE_BLOCKS = -(-1_000_000 // EVENTS) - UDP_BLOCKS - UNIX_BLOCKS
BLOCKS = PIPE_BLOCKS + UDP_BLOCKS + UNIX_BLOCKS


def made(counters, output):
    """Everything that became of an output's metrics."""
    of_output = f'output="{output}"'
    return total(counters, "statsidecar_metrics_total", of_output) + counters[f"statsidecar_output_pending{{{of_output}}}"]


def by(counters, name, label):
    return {
        key[len(name) + len(label) + 3 : -2]: value
        for key, value in counters.items()
        if key.startswith(f'{name}{{{label}="') and value
    }


def check_reading(agent):
    counters = agent.check_balance()
    equal(
        [made(counters, output) for output in ("part", "dead")],
        [made(counters, "whole")] * 2,
        "what becomes of metrics at the three outputs: every one meets all of them",
    )
    return counters


def all_received(agent):
    """The counters, once everything was received and nothing waits any more for the output that blocks."""
    counters = check_reading(agent)
    missing = BLOCKS * EVENTS - total(counters, "statsidecar_events_received_total")
    is_over = missing <= total(counters, "statsidecar_input_kernel_drops_total")
    return counters if is_over and counters['statsidecar_output_pending{output="whole"}'] == 0 else None


# ---- the stream ----


def feed_pipe(path):
    chunk = BLOCK * 100
    with open(path, "wb", buffering=0) as pipe:
        whole, rest = divmod(PIPE_BLOCKS, 100)
        for data in [chunk] * whole + [BLOCK * rest]:
            view = memoryview(data)
            while view:
                view = view[pipe.write(view) :]


def feed_unix(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for _ in range(UNIX_BLOCKS):
            sender.sendto(BLOCK, path)


class Drain:
    """Takes everything that an output sends, so that it is never full for long; counts lines by metric."""

    def __init__(self, receiver):
        self.lines = collections.Counter()
        self._receiver = receiver
        self._receiver.socket.settimeout(0.05)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            was_over = self._is_over.is_set()
            try:
                datagram = self._receiver.socket.recv(65536)
            except TimeoutError:
                if was_over:
                    return
                continue
            self.lines.update(line.split(b":", 1)[0].decode() for line in datagram.split(b"\n"))

    def end(self):
        """Everything that was sent before."""
        self._is_over.set()
        self._thread.join()
        return self.lines


def run_stream(agent):
    writers = [
        threading.Thread(target=feed_pipe, args=[agent.directory / "events"]),
        threading.Thread(target=feed_unix, args=[str(agent.directory / "events.sock")]),
    ]
    for writer in writers:
        writer.start()
    # By UDP nothing may be lost here: another test counts kernel drops.
    (port,) = agent.ports()
    readings = 0
    for block in range(UDP_BLOCKS):
        send_udp(port, BLOCK[: len(BLOCK) - 1] if block % 2 else BLOCK)
        if block % 20 == 19:
            check_reading(agent)
            readings += 1
    while any(writer.is_alive() for writer in writers):
        check_reading(agent)
        readings += 1
    return readings


def check_end(counters):
    received = {"pipe": PIPE_BLOCKS * EVENTS, "udp": UDP_BLOCKS * EVENTS, "unix": UNIX_BLOCKS * EVENTS}
    equal(by(counters, "statsidecar_input_kernel_drops_total", "input"), {}, "kernel drops")
    equal(by(counters, "statsidecar_events_received_total", "input"), received, "received")
    want = {outcome: count * BLOCKS for outcome, count in OUTCOMES.items()}
    equal(by(counters, "statsidecar_events_total", "outcome"), want, "outcomes")
    want = {reason: count * BLOCKS for reason, count in SKIPPED.items()}
    equal(by(counters, "statsidecar_metrics_skipped_total", "reason"), want, "skipped")
    equal(made(counters, "whole"), sum(METRICS.values()) * BLOCKS, "metrics made")
    equal(counters['statsidecar_rule_matches_total{rule="completed"}'], METRICS["step.completed"] * BLOCKS, "matches")
    equal(total(counters, "statsidecar_legacy_events_total"), BLOCKS, "legacy spellings")


def fate(counters, output, outcome):
    return counters[f'statsidecar_metrics_total{{output="{output}",outcome="{outcome}"}}']


def check_outputs(counters, arrived):
    # To the output that blocks everything goes that comes from the pipe; sockets cannot wait.
    want = collections.Counter({name: count * BLOCKS for name, count in METRICS.items() if name != "event"})
    want["_e{11,2}"] = METRICS["event"] * BLOCKS
    sampled_out = fate(counters, "whole", "sampled_out")
    dropped = fate(counters, "whole", "dropped")
    equal(sum(arrived.values()), fate(counters, "whole", "sent"), "lines that arrived, metrics sent")
    equal(sum(arrived.values()) + sampled_out + dropped, sum(want.values()), "metrics by their fates")
    true(dropped <= sum(METRICS.values()) * (UDP_BLOCKS + UNIX_BLOCKS), "what came from the pipe was dropped")
    more = {name: count for name, count in arrived.items() if count > want[name]}
    equal(more, {}, f"lines that nobody made; want {dict(want)}")
    # `part` takes steps alone; the event is none that its dialect has.
    taken = sum(count for name, count in METRICS.items() if name in ("step.completed", "step.duration", "step.sampled"))
    equal(fate(counters, "part", "filtered"), (sum(METRICS.values()) - taken) * BLOCKS, "filtered by name")
    equal(fate(counters, "part", "sampled_out"), sampled_out, "sampling is decided once for all outputs")
    equal(fate(counters, "dead", "filtered"), METRICS["event"] * BLOCKS, "filtered by its dialect")
    equal(fate(counters, "dead", "sent"), 0, "sent to a socket that is not there")


@test("a million mixed events by pipe, UDP and Unix socket: balanced at every reading, and equal to what was sent")
def _():
    with UnixReceiver() as whole, UdpReceiver() as part:
        text = CONFIGURATION.replace("URL_WHOLE", whole.url).replace("URL_PART", part.url)
        drains = Drain(whole), Drain(part)
        with Agent(text) as agent:
            readings = run_stream(agent)
            counters = wait_until(lambda: all_received(agent), f"{BLOCKS * EVENTS} events received")
            true(readings >= 10, "too few readings to mean anything")
        arrived, _ = (drain.end() for drain in drains)
        check_end(counters)
        check_outputs(counters, arrived)


main()
