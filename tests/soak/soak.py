"""An agent in every kind of trouble at once, for as long as is wanted:

    soak.py [--seconds N] [--seed S] [--calm SECONDS] [--memory] [--json FILE]

Writers die in the middle of a line, receivers come and go, configurations are swapped, good and faulty ones, peers of every
port misbehave, names and values flood, entities are abandoned, the clock of the day jumps, signals arrive. Meanwhile the
accounts are read again and again and have to balance, and probes have to come through every input. Every few seconds all
trouble rests: then what was written, read, sent and received has to agree to the last event, descriptors and memory have to
be what they were before, and the log must hold nothing that nobody expected.

Speaks TAP, and prints its figures as a table and, with --json, into a file. What each trouble does is drawn from the seed;
how the troubles meet is the scheduler's.
"""

import argparse
import collections
import errno
import functools
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE.parent / "faults")]

from admin import AdminAgent, total  # noqa: E402
from faults import SHORT, Faults  # noqa: E402
from harness import DEADLINE, IS_INSTRUMENTED, Failure, Lines, Skip, equal, true, wait_until  # noqa: E402
from receivers import Flapping, Steady  # noqa: E402
from senders import LINE_LIMIT, Browser, Datagrams, KilledWriter, Peer, PipeWriter, SecondPipe, Trouble, open_pipe  # noqa: E402

INPUTS = ["pipe", "udp", "unix", "tcp", "stream"]
PERMANENT = ["main", "probe", "unix", "tcp", "stream", "tcp-block", "stream-block", "stdout"]

# What a log may say, and nothing else.
EXPECTED = re.compile(
    r"counters: |: (malformed|unnamed|oversize) line: |^\S+ info (ready|HUP: |reloaded: |admin: http|input \S+ (listens|is closed))"
    r"|output \S+ (is away|takes metrics)|more messages suppressed|connection was refused|limits\.(names|tag_values): "
    r"|the configuration was not reloaded|: error: |input second: an output that blocks took nothing"
    r"|the reload waits|output nobody, which the reload removed|signal 15: stopping|ended: |log lines lost"
    r"|libevent: |no memory|Cannot allocate memory|cannot accept a connection|cannot be read"
    r"|: the kernel dropped|the reload that was under way is given up|kernel gives a receive buffer"
)

CONFIGURATION = """
limits: {{line: {line}, names: 50, tag_values: 100}}
include: [rules.yaml, tasker]
inputs:
  - {{url: "fifo://{folder}/events", name: pipe}}
  - {{url: "udp://127.0.0.1:0", name: udp}}
  - {{url: "unix://{folder}/in.sock", name: unix}}
  - {{url: "tcp://127.0.0.1:0", name: tcp, max_connections: {connections}, tags: {{via: tcp}}}}
  - {{url: "unixstream://{folder}/in.stream", name: stream, max_connections: {connections}}}
{inputs}
outputs:
  - {{url: "unix://{folder}/main.sock", name: main}}
  - {{url: "udp://127.0.0.1:{probe_port}", name: probe, filter: ["probe.**"]}}
  - {{url: "{unix}", name: unix, dialect: influxdb}}
  - {{url: "{tcp}", name: tcp, dialect: graphite}}
  - {{url: "{stream}", name: stream, prefix: "out."}}
  - {{url: "{tcp_block}", name: tcp-block, when_full: block, dialect: librato}}
  - {{url: "{stream_block}", name: stream-block, when_full: block, dialect: statsd, filter: ["step.**", "tasker.**"]}}
  - {{url: "stdout:", name: stdout, when_full: drop}}
{outputs}
telemetry: {{interval: 1s, metrics: all}}
admin: 127.0.0.1:0
shutdown_grace: 2s
# version {version}
"""

RULES = """
prefix: "{prefix}"
rules:
{probes}
  - {{match: level, replace: true, metrics: [{{gauge: level, value: n}}, {{counter: half, sample_rate: 0.5}}]}}
  - {{match: flood, replace: true, metrics: [{{counter: flood, tags: {{user: "{{user}}"}}}}]}}
  - {{match: "named.*", replace: true, metrics: [{{counter: "named.{{name}}"}}]}}
{more}
lifecycles:
  step:
    key: [task_id, step_id]
    enter: {{step.execution_requested: in_progress, step.completed: complete, step.failed: error, step.cancelled: cancelled}}
    transitions: {{in_progress: [complete, error, cancelled], error: [in_progress], complete: [], cancelled: []}}
    active: [in_progress]
    final: [complete, cancelled]
    duration: {{field: execution_duration, state: in_progress}}
    max_entities: 1024
    linger: 500ms
    expire: 3s
    stuck_after: 1s
    in_flight: step.in_flight
"""

# Literal names: those that events put together are limited, and they are flooded.
PROBE_RULE = '  - {match: probe.%s, replace: true, metrics: [{gauge: probe.%s, value: n}]}'
SECOND_INPUT = '  - {{url: "fifo://{folder}/second", name: second}}'
NOBODY = '  - {url: "udp://127.0.0.1:9", name: nobody}'
MORE_RULES = '  - {match: "**", continue: true, fallback: true, metrics: [{counter: "other.{event}"}]}'
SHAPES = 4  # what a configuration may have or not: the second pipe, another output, more rules, smaller limits
FAULTY = ["\nno_such_key: 1\n", "\nlimits: {line: 1}\n", "\nrules: [{match: '**', metrics: [{counter: 'a b'}]}]\n", "\n- [\n"]


class SoakLog(Lines):
    """Keeps the newest lines alone, and those that nobody expected."""

    def __init__(self, pipe):
        self.unexpected = []
        self.reloads = 0
        self.count = 0
        super().__init__(pipe)

    def _collect(self):
        for line in self._pipe:
            text = line.decode("utf-8", "backslashreplace").rstrip("\n")
            with self._changed:
                self.count += 1
                self._lines.append(text)
                if len(self._lines) > 2000 and "counters: " not in text:
                    del self._lines[:1000]
                if re.search(r"\breloaded: |was not reloaded", text):
                    self.reloads += 1
                if not EXPECTED.search(text):
                    self.unexpected.append(text)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class SoakAgent(AdminAgent):
    log_kind = SoakLog
    port = functools.cached_property(lambda self: AdminAgent.port.fget(self))  # the log is forgotten

    def ask(self, path, **options):
        """Again where the connection is broken off: there may be no memory for it."""
        error = None

        def answer():
            nonlocal error
            try:
                return super(SoakAgent, self).ask(path, **options)
            except (OSError, http.client.HTTPException) as why:
                error = why
                true(self.process.poll() is None, f"the agent has ended: {self.process.poll()}")
                return None

        try:
            return wait_until(lambda: (found := answer()) and found.status != 500 and found, path)
        except Failure as failure:
            raise Failure(f"{failure}: {error!r}") from failure


# ---- troubles that need the agent itself ----


class Reloader(Trouble):
    """Swaps the configuration as a mounted ConfigMap is, and waits for the agent to say what it makes of it."""

    rest = (0.5, 3.0)

    def __init__(self, soak, name):
        super().__init__(soak, name)
        self.version = 0

    def texts(self, shape, fault=""):
        has_second, has_nobody, has_more, is_small = shape
        soak = self.soak
        urls = {flap.name.replace("-", "_"): flap.url for flap in soak.flapping}
        self.version += 1
        return {
            "main.yaml": CONFIGURATION.format(
                line=LINE_LIMIT // 2 if is_small else LINE_LIMIT,
                connections=12 if is_small else 16,
                folder=soak.folder,
                probe_port=soak.steady.probe_port,
                inputs=SECOND_INPUT.format(folder=soak.folder) if has_second else "",
                outputs=NOBODY if has_nobody else "",
                version=self.version,
                **urls,
            )
            + fault,
            "rules.yaml": RULES.format(prefix="", probes="\n".join(PROBE_RULE % (name, name) for name in INPUTS), more=MORE_RULES if has_more else ""),
        }

    def publish(self, texts):
        version = self.soak.path("config") / f"..v{self.version}"
        version.mkdir(parents=True)
        for name, text in texts.items():
            (version / name).write_text(text)
            link = self.soak.path("config") / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        data = self.soak.path("config") / "..data"
        before = data.resolve() if data.exists() else None
        beside = self.soak.path("config") / "..beside"
        beside.symlink_to(version.name)
        beside.rename(data)
        if before is not None:
            for file in before.iterdir():
                file.unlink()
            before.rmdir()

    def act(self):
        shape = tuple(self.random.random() < 0.5 for _ in range(SHAPES))
        fault = self.random.choice(FAULTY) if self.random.random() < 0.3 else ""
        log = self.soak.agent.stderr
        before = log.reloads
        self.publish(self.texts(shape, fault))
        if self.random.random() < 0.5:
            self.soak.agent.send_signal(signal.SIGHUP)
        wait_until(lambda: log.reloads > before or self.soak.is_ending, "the reload to be told")


class Signaller(Trouble):
    rest = (0.2, 2.0)

    def act(self):
        number = self.random.choice([signal.SIGUSR1, signal.SIGUSR1, signal.SIGHUP, signal.SIGSTOP])
        self.soak.agent.send_signal(number)
        if number == signal.SIGSTOP:
            self.soak.pause(self.random.uniform(0, 0.5))
            self.soak.agent.send_signal(signal.SIGCONT)


class Jumper(Trouble):
    """The clock of the day jumps: by seconds, hours, decades."""

    rest = (0.2, 3.0)

    def act(self):
        unit = self.random.choice([0, 1, 60, 3600, 86400, 86400 * 365])
        self.soak.faults.jump(unit * self.random.uniform(-30, 30))


class Shortages(Trouble):
    """For a moment the kernel has too little of something, or interrupts."""

    rest = (0.5, 3.0)
    KINDS = [
        (["recvmmsg", "read", "recv", "readv"], [errno.EINTR, errno.EAGAIN, SHORT]),
        (["sendmmsg", "sendmsg", "send"], [errno.EINTR, errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM]),
        (["sendmsg", "writev", "write", "send"], [errno.EINTR, errno.EAGAIN, SHORT]),
        (["accept4", "accept", "socket"], [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINTR]),
        (["connect"], [errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EAGAIN]),
        (["sendmsg", "sendmmsg", "send", "recv"], [errno.EIO, errno.ECONNRESET, errno.EPIPE, errno.EMSGSIZE]),
        (["epoll_wait", "poll"], [errno.EINTR]),
    ]
    MEMORY = [
        (["epoll_ctl"], [errno.ENOMEM, errno.ENOSPC]),
        (["malloc", "calloc", "realloc"], [errno.ENOMEM]),
    ]

    def act(self):
        names, errors = self.random.choice(self.KINDS + (self.MEMORY if self.soak.memory else []))
        for name in names:
            self.soak.faults.fail(name, *errors, chance=self.random.choice([0.01, 0.1, 0.5]))
        self.soak.pause(self.random.uniform(0.1, 1))
        self.soak.faults.clear()


class Probes(Trouble):
    """An event with a number into an input, again and again: each has to come out at the other end."""

    rest = (0.1, 0.5)
    AGAIN_AFTER = 2.0

    def __init__(self, soak, name):
        super().__init__(soak, name)
        self.input = name.split("-")[1]
        self.number = 0
        self.longest = 0.0
        self.repeated = 0

    def act(self):
        self.probe()

    def probe(self):
        """Sends one and waits for it; where it does not come (a datagram may be dropped, a connection refused) it is sent again."""
        self.number += 1
        begin = self.soak.now()
        arrived = self.soak.steady.arrived
        while True:
            try:
                self.send(b"\nprobe.%s n=%d\n" % (self.input.encode(), self.number))
            except OSError:
                pass
            with arrived:
                if arrived.wait_for(lambda: self.soak.steady.probes.get(self.input) == self.number, self.AGAIN_AFTER):
                    break
            self.repeated += 1
            true(self.soak.now() - begin < DEADLINE, f"a probe by {self.input} has not arrived after {DEADLINE:g} s")
        self.longest = max(self.longest, self.soak.now() - begin)

    def send(self, data):
        if self.input == "pipe":
            with open_pipe(self.soak.path("events")) as descriptor:
                os.write(descriptor, data)
        elif self.input == "udp":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(data, ("127.0.0.1", self.soak.udp_port))
        elif self.input == "unix":
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(data, str(self.soak.path("in.sock")))
        else:
            family = socket.AF_INET if self.input == "tcp" else socket.AF_UNIX
            with socket.socket(family, socket.SOCK_STREAM) as connection:
                connection.connect(("127.0.0.1", self.soak.tcp_port) if self.input == "tcp" else str(self.soak.path("in.stream")))
                connection.sendall(data)


# ---- the whole ----


class Soak:
    def __init__(self, folder, seconds, seed, calm_every, json_path=None, memory=False):
        self.folder = folder
        self.seconds = seconds
        self.seed = seed
        self.calm_every = calm_every
        self.json = json_path
        self.memory = memory
        self.is_ending = False
        self.failures = []
        self.readings = 0
        self.calms = []  # (seconds since the start, RSS in KiB, descriptors)
        self.descriptors = {}  # what there are, by what is configured
        self.most_rss = self.most_descriptors = 0
        self._calm = threading.Event()  # wanted
        self._calm_over = threading.Event()
        self._calm_over.set()
        self._resting = set()
        self._begin = time.monotonic()

    # -- what troubles ask --

    def path(self, name):
        return pathlib.Path(self.folder) / name

    def random_of(self, name):
        return random.Random(f"{self.seed}:{name}")

    def now(self):
        return time.monotonic()

    def is_calm(self):
        return self._calm.is_set() and not self.is_ending

    def pause(self, seconds):
        """False where a calm, or the end, has come meanwhile."""
        return not self._calm.wait(seconds)

    def go_on(self, trouble):
        if self._calm.is_set() and not self.is_ending:
            trouble.settle()
            self._resting.add(trouble)
            self._calm_over.wait()
            self._resting.discard(trouble)
        return not self.is_ending

    def fail(self, text):
        self.failures.append(text)

    # -- life --

    def start(self):
        self.steady = Steady(self)
        self.flapping = [Flapping(self, name) for name in PERMANENT if name.split("-")[0] in Flapping.KINDS]
        self.faults = Faults(self.seed)
        self.reloader = Reloader(self, "reloader")
        self.reloader.publish(self.reloader.texts((False,) * SHAPES))
        self.agent = SoakAgent(
            "", directory=self.folder, env=self.faults.env, stdout=os.fdopen(self.steady.standard_writer, "wb", 0)
        )
        self.agent.arguments = ["-c", str(self.path("config") / "main.yaml")]
        self.steady.start()
        self.agent.start()
        self.admin_port = self.agent.port
        (self.udp_port,) = self.agent.ports("udp")[:1]
        self.tcp_port = int(next(p for p in self.agent.ports("tcp") if p != self.admin_port))
        self.udp_port = int(self.agent.stderr.wait_for(r"input udp listens on port (\d+)").group(1))
        self.datagrams = [Datagrams(self, "udp"), Datagrams(self, "unix")]
        self.probes = [Probes(self, f"probe-{name}") for name in INPUTS]
        self.troubles = [
            *self.flapping,
            self.reloader,
            *[PipeWriter(self, f"pipe-{n}") for n in range(4)],
            KilledWriter(self, "killed"),
            SecondPipe(self, "second"),
            *self.datagrams,
            *[Peer(self, f"{kind}-peer-{n}") for kind in ("tcp", "stream") for n in range(2)],
            *[Browser(self, f"browser-{n}") for n in range(2)],
            Signaller(self, "signaller"),
            Jumper(self, "jumper"),
            Shortages(self, "shortages"),
            *self.probes,
        ]

    def run(self):
        for trouble in self.troubles:
            trouble.start()
        end = self.now() + self.seconds
        next_calm = self.now() + self.calm_every
        while self.now() < end and not self.failures:
            self.read()
            self._calm.wait(0.3)
            if self.now() >= next_calm:
                self.be_calm()
                next_calm = self.now() + self.calm_every
        if not self.failures:
            self.be_calm(is_last=True)
        self.is_ending = True
        self._calm.set()
        self._calm_over.set()
        for trouble in self.troubles:
            trouble.join(DEADLINE)
            true(not trouble.is_alive(), f"{trouble.name} hangs")
        equal(self.failures, [], "what troubles have met")

    # -- looking --

    def read(self):
        """One reading of all accounts: they balance."""
        metrics = self.agent.metrics()
        self.readings += 1
        equal(
            total(metrics, "statsidecar_events_total"),
            total(metrics, "statsidecar_events_received_total"),
            "events by outcome, events received",
        )
        made = {name: self.made(metrics, name) for name in PERMANENT}
        equal(len(set(made.values())), 1, f"metrics by what became of them, the same at each output: {made}")
        self.most_rss = max(self.most_rss, self.agent.memory_kib())
        self.most_descriptors = max(self.most_descriptors, len(self.agent.descriptors()))
        return metrics

    def made(self, metrics, output):
        return total(metrics, "statsidecar_metrics_total", output=output) + total(
            metrics, "statsidecar_output_pending", output=output
        )

    def be_calm(self, is_last=False):
        self._calm_over.clear()
        self._calm.set()
        # Those who listen while it is calm do not come back from settling down.
        awaited = [t for t in self.troubles if not isinstance(t, Flapping)]
        try:
            wait_until(lambda: self.failures or all(t in self._resting for t in awaited), "everybody to be calm")
        except Failure as failure:
            raise Failure(f"{failure}, but: {[t.name for t in awaited if t not in self._resting]}") from failure
        if not self.failures:
            self.check_calm()
        # Before they go on: none begins again, and leaves an output behind that the agent waits for in vain when it stops.
        self.is_ending = is_last
        self._calm.clear()
        self._calm_over.set()

    def check_calm(self):
        """Everything that was written is through; everything agrees."""
        for probe in self.probes:
            probe.probe()
        try:
            metrics = wait_until(self.agrees, "what was sent to be what was received, and nothing to be pending")
        except Failure as failure:
            raise Failure(f"{failure}: {self.disagreement}") from failure
        self.check_descriptors()
        for sender in self.datagrams:
            drops = total(metrics, "statsidecar_input_kernel_drops_total", input=sender.name)
            received = total(metrics, "statsidecar_events_received_total", input=sender.name)
            probe = next(p for p in self.probes if p.input == sender.name)
            sent = sender.events + probe.number + probe.repeated
            true(received <= sent and (drops > 0 or received == sent), f"{sender.name}: {received} of {sent} events, {drops} datagrams dropped")
        self.calms.append((round(self.now() - self._begin), self.agent.memory_kib(), len(self.agent.descriptors())))
        equal(self.agent.stderr.unexpected[:20], [], "unexpected lines in the log")
        if self.json:
            pathlib.Path(self.json).write_text(json.dumps(self.figures(metrics), indent=1) + "\n")

    def agrees(self):
        metrics = self.read()
        sent = {name: int(total(metrics, "statsidecar_metrics_total", output=name, outcome="sent")) for name in self.steady.lines}
        up = {name: int(total(metrics, "statsidecar_output_up", output=name)) for name in PERMANENT}
        pending = {name: int(total(metrics, "statsidecar_output_pending", output=name)) for name in PERMANENT}
        self.disagreement = f"sent {sent}, received {self.steady.lines}, up {up}, pending {pending}"
        return metrics if sent == self.steady.lines and all(up.values()) and not any(pending.values()) else None

    def check_descriptors(self):
        """As many as ever with these inputs and outputs: which are in force only the agent knows."""

        def is_as_before():
            metrics = self.read()
            shape = frozenset(key for key in metrics if key.startswith(("statsidecar_events_received_total", "statsidecar_output_up")))
            if shape not in self.descriptors:
                self.descriptors[shape] = self.settled_descriptors()
            self.want = self.descriptors[shape]
            try:
                # The connection of the reading itself stays for a moment.
                return wait_until(lambda: len(self.agent.descriptors()) <= self.want, "descriptors", timeout=3)
            except Failure:
                return False

        try:
            wait_until(is_as_before, "as many descriptors as before")
        except Failure as failure:
            raise Failure("\n".join([str(failure), f"want: {self.want}", *self.describe_descriptors()])) from failure

    def describe_descriptors(self):
        """What each is, of sockets the kernel's row as well."""
        rows = {}
        for table, column in (("tcp", 9), ("udp", 9), ("unix", 6)):
            for row in pathlib.Path(f"/proc/{self.agent.pid}/net/{table}").read_text().splitlines()[1:]:
                rows[row.split()[column]] = f"{table} {row}"
        found = self.agent.descriptors()
        return [f"{fd}: {target} {rows.get(target[8:-1], '')}" for fd, target in sorted(found.items())]

    def settled_descriptors(self):
        """How many there are once the last peers are gone: the same for a second."""
        counts = collections.deque(maxlen=20)

        def is_still():
            self._calm_over.wait(0.05)
            counts.append(len(self.agent.descriptors()))
            return len(counts) == 20 and len(set(counts)) == 1

        wait_until(is_still, "descriptors to stay")
        return counts[-1]

    def check_memory(self):
        """Once the tables are full nothing grows any more."""
        if IS_INSTRUMENTED or len(self.calms) < 8:
            return
        # By what a reload has just given back it moves up and down by some MiB: the most of each is compared.
        early = max(rss for _, rss, _ in self.calms[: len(self.calms) // 2])
        late = max(rss for _, rss, _ in self.calms[-(len(self.calms) // 4) :])
        true(late <= early + 1024, f"memory grew from {early} to {late} KiB: {self.calms}")

    def figures(self, metrics):
        of = lambda name, **labels: int(total(metrics, name, **labels))  # noqa: E731
        return {
            "seconds": round(self.now() - self._begin),
            "seed": self.seed,
            "events received": of("statsidecar_events_received_total"),
            "events malformed, oversize, unnamed": sum(
                of("statsidecar_events_total", outcome=outcome) for outcome in ("malformed", "oversize", "unnamed")
            ),
            "metrics sent": of("statsidecar_metrics_total", outcome="sent"),
            "metrics dropped, counted": of("statsidecar_metrics_total", outcome="dropped"),
            "reloads in force": of("statsidecar_config_reloads_total", result="success"),
            "reloads refused": of("statsidecar_config_reloads_total", result="failure"),
            "receivers gone and back": sum(flap.flaps for flap in self.flapping),
            "writers killed": next(t for t in self.troubles if isinstance(t, KilledWriter)).acts,
            "clock jumps": next(t for t in self.troubles if isinstance(t, Jumper)).acts,
            "calls made to fail": self.faults.total,
            "connections refused": of("statsidecar_input_refused_total"),
            "lifecycles: evicted, expired": of("statsidecar_lifecycle_evicted_total") + of("statsidecar_lifecycle_expired_total"),
            "HTTP visits": sum(t.acts for t in self.troubles if isinstance(t, Browser)),
            "probes": sum(probe.number for probe in self.probes),
            "longest way of a probe, ms": round(1000 * max(probe.longest for probe in self.probes)),
            "readings, all balanced": self.readings,
            "calms": len(self.calms),
            "most resident memory, KiB": self.most_rss,
            "resident memory in the first and last calm, KiB": [self.calms[0][1], self.calms[-1][1]],
            "most descriptors": self.most_descriptors,
            "descriptors in the last calm": self.calms[-1][2],
            "log lines": self.agent.stderr.count,
        }

    def close(self):
        self.is_ending = True
        self._calm.set()
        self._calm_over.set()
        if self.agent.process is not None and self.agent.process.poll() is None:
            self.agent.kill()
        self.steady.close()
        self.faults.__exit__()


def soak(arguments):
    from harness import temporary_directory

    with temporary_directory() as folder:
        soak = Soak(folder, arguments.seconds, arguments.seed, arguments.calm, arguments.json, arguments.memory)
        soak.start()
        try:
            soak.run()
            soak.check_memory()
            figures = soak.figures(soak.read())
            soak.agent.stop()
            equal(soak.agent.stderr.unexpected[:20], [], "unexpected lines in the log")
        except BaseException:
            print("\n".join(["# the agent's log:"] + ["# " + line[:300] for line in soak.agent.stderr.all()[-40:]]))
            print(f"# memory and descriptors in calms: {soak.calms}")
            raise
        finally:
            soak.close()
    return figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SOAK_SECONDS", "120")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6))
    parser.add_argument("--calm", type=float, default=8, help="seconds between two calms")
    parser.add_argument("--memory", action="store_true", help="memory runs short, too: the pages may be away for a while")
    parser.add_argument("--json", help="a file that is written at every calm")
    arguments = parser.parse_args()
    name = f"{arguments.seconds:g} s of every trouble at once, seed {arguments.seed}"
    print("1..1", flush=True)
    try:
        figures = soak(arguments)
    except Skip as why:
        print(f"ok 1 - {name} # SKIP {why}")
        return 0
    except (Failure, Exception) as failure:
        import traceback

        print(f"not ok 1 - {name}")
        print("\n".join("# " + line for line in (str(failure) if isinstance(failure, Failure) else traceback.format_exc()).splitlines()))
        return 1
    for key, value in figures.items():
        print(f"# {key:50} {value}")
    print(f"ok 1 - {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
