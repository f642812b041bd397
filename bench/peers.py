"""Beside what others use for the same: every peer that Debian or the npm registry has, fetched and unpacked, not installed (those that
cannot be fetched are left out, by name). Each does its own kind of job in the cheapest of the sensible configurations that were
tried; the agent does that job on the same input at the same rate, in turn with it.

    JSON lines from a pipe or from datagrams -> one counter with two tags, an event a line
        rsyslog       imudp, mmjsonparse, a template, omfwd; no queue in between, which costs least
        syslog-ng     pipe or udp source, json-parser, a template, udp destination; not threaded, which costs least
        mtail         a pattern over the line; counts and sends nothing
    StatsD datagrams -> passed on by the agent; the peers aggregate what they receive
        statsd        of npm; its own backend counts, or the repeater passes each datagram on as well
        collectd      its statsd plugin
        netdata       its statsd server

CPU is that of the process, its threads and children, from ready until nothing is left to read. What is lost is seen: events are
counted where they arrive, or by the peer. Datagrams come at the highest of several rates (halved from --rate; packed ones from five
times that) at which the peer loses nothing, or at the lowest. The slower they come, the more of the cost is waking up for each, and
the less there is to pack. From a backlog, all that a small receive buffer holds is read at one go: what the work itself costs.

The agent takes part twice: as it comes, and at the peer's own job ("same"). Those that send, send every line as a datagram of its
own, and the agent packs what it read at once: at the same job it does not. Those that aggregate count what they receive and tell the
sums once a second: at the same job the agent has a rule for each name, drops what it has counted, and sends the counts of its rules
once a second as its telemetry.

Not here: carbon-c-relay and carbon (Debian) read Graphite's lines alone, gnocchi-statsd wants a database; Fluent Bit, Telegraf, Vector,
the Datadog Agent, statsite, brubeck, statsrelay, statsd_exporter are in neither.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import termios
import time
import urllib.request

from contest import (
    AGENT,
    BESIDE,
    MEASURED,
    RELAY,
    Measured,
    Sink,
    alternate,
    median,
    pinned,
    print_table,
    program,
    run_beside,
    spread,
    udp_sockets,
    workplace,
    write_corpus,
)
import real_servers  # the path to the tests comes with contest
from harness import DEADLINE, Failure, Skip, wait_until
from real_servers import Stack, debian, find_program, free_port, is_udp_bound, libraries, npm

COUNTER = """
rules:
  - match: step.completed
    tags: {step: "{step_name}", task: "{task_name}"}
    metrics:
      - counter: step.completed
"""
COUNTS = "telemetry: {metrics: all, interval: 1s}\n"
QUIET_TELEMETRY = "telemetry: off\n"
RECEIVE_BUFFER = 4 << 20  # the agent's default; whoever takes an option for it gets the same
PIPE_SIZE = 1 << 20
SLOWEST = 6000
PIPE_EVENTS = 200_000  # peers take seconds for that
SECONDS = 2  # of datagrams in a run, at most
BACKLOG = 200  # datagrams: what most peers do not change, the system's default, holds some more
BACKLOG_EVENTS = 20_000
RUNS = 3  # at most: there are many rows


# ---- processes ----


def family(pid):
    """The process and those that it started."""
    yield pid
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in children.read_text().split():
                yield from family(int(child))


def cpu_s(pid):
    """All their threads, those that have ended included, and up to this moment."""

    def of_one(one):
        # What clock_getcpuclockid() gives.
        with contextlib.suppress(OSError):
            return time.clock_gettime(~one << 3 | 2)
        return 0

    return sum(map(of_one, family(pid)))


def memory_kib(pid):
    """(proportional share now, peak of what was resident)"""
    shares, peaks = 0, 0
    for one in family(pid):
        folder = pathlib.Path(f"/proc/{one}")
        shares += int(re.search(r"^Pss:\s+(\d+)", (folder / "smaps_rollup").read_text(), re.MULTILINE)[1])
        peaks += int(re.search(r"^VmHWM:\s+(\d+)", (folder / "status").read_text(), re.MULTILINE)[1])
    return shares, peaks


def wait_done(pid, pipe):
    """Until nothing waits in its pipe or sockets, and it does next to nothing: some wake up all the time."""
    LOOK_S, AT_MOST = 0.1, 0.1
    last = None

    def is_done():
        nonlocal last
        now = time.monotonic(), cpu_s(pid)
        if last is not None and now[0] - last[0] < LOOK_S:
            return False
        is_idle = last is not None and now[1] - last[1] < AT_MOST * (now[0] - last[0])
        last = now
        waits = any(int(row[4].split(":")[1], 16) for one in family(pid) for row in udp_sockets(one))
        return is_idle and not waits and not (pipe and unread(pipe))

    wait_until(is_done, "the end of what it was given", 10 * DEADLINE)


def unread(pipe):
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little")


def has_open(pid, path):
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(link) == str(path):
                return True
    return False


# ---- peers ----


class Pinned:
    """A Stack whose servers run on the measured core."""

    sends = False

    def run(self, name, *arguments, env=None):
        return super().run(name, "taskset", "-c", MEASURED[0], *arguments, env=env)

    @property
    def pid(self):
        return self.servers[0].process.pid


class Peer(Pinned, Stack):
    """sends: one line an event arrives at the sink; else counted() says how many events it took."""

    packages = ()

    def __init__(self):
        self.root = debian(*self.packages)
        super().__init__()

    def begin(self, sink, path):
        """Where the input comes from a pipe, it is at path, open for writing already."""
        self.sink = sink.where
        self.path = path
        self.port = free_port(socket.SOCK_DGRAM)
        return self

    def start_reading(self, name, *arguments, env=None):
        server = self.run(name, *arguments, env={**libraries(self.root), **(env or {})})
        server.wait_until(lambda: has_open(self.pid, self.path) if self.path else is_udp_bound(self.port), "no input opened")


class Rsyslog(Peer):
    packages = ("rsyslog",)
    sends = True

    def start(self):
        configuration = self.file(
            "rsyslog.conf",
            f'global(workDirectory="{self.directory}" net.enableDNS="off")\n'
            'module(load="imudp" batchSize="128")\n'
            'module(load="mmjsonparse")\n'
            'template(name="line" type="list") {\n'
            '  constant(value="step.completed:1|c|#step:") property(name="$!step_name")\n'
            '  constant(value=",task:") property(name="$!task_name")\n'
            "}\n"
            'ruleset(name="events" queue.type="direct") {\n'
            '  action(type="mmjsonparse" cookie="" userawmsg="on")\n'
            '  if $!event == "step.completed" then {\n'
            f'    action(type="omfwd" target="127.0.0.1" port="{self.sink}" protocol="udp" template="line")\n'
            "  }\n"
            "}\n"
            f'input(type="imudp" address="127.0.0.1" port="{self.port}" ruleset="events" rcvbufSize="{RECEIVE_BUFFER}")\n',
        )
        modules = next(self.root.glob("usr/lib/*/rsyslog"))
        rsyslogd = find_program(self.root, "rsyslogd")
        self.start_reading("rsyslog", rsyslogd, "-n", "-f", configuration, "-i", "NONE", "-M", modules)


class SyslogNg(Peer):
    packages = ("syslog-ng-core",)
    sends = True

    def start(self):
        source = f'pipe("{self.path}" flags(no-parse)' if self.path else (
            f'network(ip("127.0.0.1") port({self.port}) transport("udp") so-rcvbuf({RECEIVE_BUFFER}) flags(no-parse)'
        )
        configuration = self.file(
            "syslog-ng.conf",
            "@version: 3.38\n"
            "options { threaded(no); stats-freq(0); use-dns(no); keep-hostname(yes); log-fifo-size(200000); };\n"
            f"source events {{ {source} log-fetch-limit(1000) log-iw-size(10000)); }};\n"
            "parser json { json-parser(); };\n"
            'filter completed { "${event}" eq "step.completed" };\n'
            f'destination statsd {{ network("127.0.0.1" port({self.sink}) transport("udp")'
            ' template("step.completed:1|c|#step:${step_name},task:${task_name}")); };\n'
            "log { source(events); parser(json); filter(completed); destination(statsd); flags(flow-control); };\n",
        )
        libraries_ = self.root / "usr/lib/syslog-ng"
        found = {"LD_LIBRARY_PATH": f"{libraries(self.root)['LD_LIBRARY_PATH']}:{libraries_}"}
        places = [("-f", configuration), ("-R", self.directory / "persist"), ("-c", self.directory / "control")]
        places += [("-p", self.directory / "pid"), ("--module-path", f"{libraries_}/3.38")]
        arguments = [argument for place in places for argument in place]
        self.start_reading("syslog-ng", find_program(self.root, "syslog-ng"), "-F", "--no-caps", *arguments, env=found)


class Mtail(Peer):
    packages = ("mtail",)

    def start(self):
        self.folder("programs")
        self.file(
            "programs/steps.mtail",
            "counter step_completed by step, task\n"
            '/^{"event":"step\\.completed",[^}]*?"task_name":"(?P<task>[^"]*)",[^}]*?"step_name":"(?P<step>[^"]*)"/ {\n'
            "  step_completed[$step][$task]++\n"
            "}\n",
        )
        self.web_port = free_port()
        arguments = ["-progs", self.directory / "programs", "-logs", self.path, "-logtostderr"]
        # Four times a second, as it looks without this, would be what limits it.
        arguments += ["-poll_interval", "1ms", "-address", "127.0.0.1", "-port", self.web_port]
        self.start_reading("mtail", find_program(self.root, "mtail"), *arguments)

    def counted(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/metrics", timeout=DEADLINE) as answer:
            return sum(map(int, re.findall(r"^step_completed\{.*\} (\d+)", answer.read().decode(), re.MULTILINE)))


class Statsd(Peer):
    BACKEND = """
exports.init = (startup, config, events) => {
    events.on("flush", (timestamp, metrics) => console.log("received", metrics.counters["statsd.metrics_received"]));
    return true;
};
"""

    def __init__(self):
        self.root = npm("statsd@0.9.0")
        Stack.__init__(self)

    def start(self):
        backends = [str(self.file("count.js", self.BACKEND))] + ["./backends/repeater"] * self.sends
        configuration = self.file(
            "statsd.js",
            f'{{ port: {self.port}, address: "127.0.0.1", mgmt_address: "127.0.0.1", mgmt_port: {free_port()}, flushInterval: 1000,'
            f' keyNameSanitize: false, backends: {backends}, repeater: [{{ host: "127.0.0.1", port: {self.sink} }}] }}\n',
        )
        self.start_reading("statsd", "node", self.root / "node_modules/statsd/stats.js", configuration)

    def counted(self):
        def flushes():
            return [int(count) for count in re.findall(r"^received (\d+)", self.servers[0].log.read_text(), re.MULTILINE)]

        seen = len(flushes())
        wait_until(lambda: len(flushes()) > seen + 1, "the last flush")
        return sum(flushes())


class StatsdRepeater(Statsd):
    sends = True


class Aggregator(Pinned):
    """The tests' own receivers. Half of the lines are counters of ten names; those are counted."""

    def begin(self, sink, path):
        return self

    def counted(self):
        total = -1

        def is_settled():
            nonlocal total
            last, total = total, self.total()
            return total == last

        # They show what they have once a second.
        wait_until(lambda: time.sleep(1.5) or is_settled(), "its counters to stand still")
        return 2 * total


class Collectd(Aggregator, real_servers.Collectd):
    def total(self):
        names = {re.sub(r"-\d{4}-\d\d-\d\d$", "", path.name) for path in self._csv.glob("here/statsd/derive-step.*")}
        return round(sum(self.values(name)[-1] for name in names))


class Netdata(Aggregator, real_servers.Netdata):
    def file(self, name, text):
        # By itself it steps behind everybody on its core: what it finds then came in the meantime, and few wake-ups are enough.
        return super().file(name, text.replace("[db]\n", "[global]\n  process scheduling policy = keep\n[db]\n"))

    def total(self):
        text = self._get("allmetrics", format="prometheus", source="as-collected", names="no", help="no")
        found = re.findall(r'^\w+\{chart="statsd_step\.\w+\.completed_counter",[^}]*\} (\S+)', text, re.MULTILINE)
        return round(sum(map(float, found)))


# ---- the agent, doing the same ----


class Agent:
    """As a Stack is: in a `with`, with what a Peer has."""

    def __init__(self, job, max_datagram=1432, sends=True):
        self.job = job
        self.max_datagram = max_datagram
        self.sends = sends

    def begin(self, sink, path):
        self.sink = sink
        self.path = path
        return self

    def rules(self):
        if not self.sends:
            names = self.job.names()
            return COUNTS + "rules:\n" + "".join(f"  - {{match: {name}, name: {name}, drop: true}}\n" for name in names)
        return QUIET_TELEMETRY + (RELAY if self.job.is_statsd else COUNTER)

    def __enter__(self):
        self.place = workplace()
        url = f"fifo://{self.path}" if self.path else "udp://127.0.0.1:0"
        config = pathlib.Path(self.place.name, "bench.yaml")
        config.write_text(
            f"inputs: [{{url: '{url}', format: {'statsd' if self.job.is_statsd else 'auto'}}}]\n"
            f"outputs: [{{url: '{self.sink.url}', max_datagram: {self.max_datagram}}}]\n"
            + "admin: off\n"
            + self.rules()
        )
        try:
            self.measured = Measured([AGENT, "run", "-c", str(config)])
        except BaseException:
            self.place.cleanup()
            raise
        self.pid = self.measured.process.pid
        if not self.path:
            self.port = self.measured.udp_input()[0]
        return self

    def counted(self):
        return self.measured.counters()["statsidecar_events_received_total"]

    def __exit__(self, *_):
        try:
            self.measured.end()
        finally:
            self.measured.kill()
            self.place.cleanup()


# ---- runs ----


class Job:
    """What comes in: lines of a corpus through a pipe, or in datagrams packed to so many bytes, 0: a line each. They come at a
    rate, so many times the one asked for; 0: from a backlog."""

    def __init__(self, name, peers, request="", is_pipe=False, pack=0, rate=1):
        self.name = name
        self.peers = peers
        self.request = request
        self.is_statsd = "statsd" in request
        self.is_pipe = is_pipe
        self.pack = pack
        self.rate = rate

    def names(self):
        """Those of its events."""
        if not self.is_statsd:
            return ["step.completed"]
        lines = subprocess.run([program("generate"), "--count", "1000", *self.request.split()], capture_output=True, check=True)
        return sorted({line.split(":")[0] for line in lines.stdout.decode().splitlines()})


READERS_OF_JSON = {"rsyslog": Rsyslog, "syslog-ng": SyslogNg}
READERS_OF_STATSD = {
    "statsd (npm), aggregates": Statsd,
    "statsd (npm), aggregates and repeats": StatsdRepeater,
    "collectd, aggregates": Collectd,
    "netdata, aggregates": Netdata,
}
STATSD = "--format statsd"
JOBS = [
    Job("JSON through a pipe", {"syslog-ng": SyslogNg, "mtail, counts only": Mtail}, is_pipe=True),
    Job("JSON, an event a datagram", READERS_OF_JSON),
    Job("JSON, from a backlog", READERS_OF_JSON, rate=0),
    Job("statsd, a line a datagram", READERS_OF_STATSD, STATSD),
    Job("statsd, from a backlog", READERS_OF_STATSD, STATSD, rate=0),
    Job("statsd, packed to 1400 bytes", READERS_OF_STATSD, STATSD, pack=1400, rate=5),
]


@contextlib.contextmanager
def open_pipe(directory):
    """A FIFO with a writer: some peers take one without for ended."""
    path = directory / "events"
    os.mkfifo(path)
    os.chmod(path, 0o666)
    pipe = os.open(path, os.O_RDWR)
    try:
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        yield path, pipe
    finally:
        os.close(pipe)


def is_asleep(pid):
    states = (task.read_text().rsplit(")", 1)[1].split()[0] for task in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"))
    return not any(int(row[4].split(":")[1], 16) for row in udp_sockets(pid)) and set(states) == {"S"}


def send_backlogs(pid, command, events):
    """The process is stopped until its receive buffer is full of them."""
    command += ["--count", str(events), "--batch", str(BACKLOG)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=pinned(BESIDE)) as sender:
        try:
            for _ in range(-(-events // BACKLOG)):
                os.kill(pid, signal.SIGSTOP)
                sender.stdin.write(b"\n")
                sender.stdin.flush()
                if sender.stdout.readline() != b"sent\n":
                    raise Failure("the sender failed")
                os.kill(pid, signal.SIGCONT)
                wait_until(lambda: is_asleep(pid), "the backlog's end")
            return json.loads(sender.stdout.read())["events"]
        except BaseException:
            sender.kill()
            raise


def feed(job, corpus, lines, running, path, events, rate):
    """Writes or sends them; how many there were."""
    if job.is_pipe:
        repeat = max(1, events // lines)
        generate = [program("generate"), *job.request.split(), "--count", str(lines), "--repeat", str(repeat)]
        with open(path, "wb") as pipe:
            subprocess.run(generate, stdout=pipe, preexec_fn=pinned(BESIDE), check=True, timeout=10 * DEADLINE)
        return repeat * lines
    send = [program("send"), str(running.port), "--pack", str(job.pack), corpus]
    if job.rate == 0:
        return send_backlogs(running.pid, send, events)
    return run_beside([*send, "--count", str(events), "--rate", str(rate)])["events"]


def run_once(arguments, job, make, events, rate=0):
    """One run of a peer or of the agent, on input of its own."""
    with contextlib.ExitStack() as stack:
        contestant = make()
        directory = pathlib.Path(stack.enter_context(workplace()))
        directory.chmod(0o755)
        corpus = write_corpus(directory, job.request, arguments.corpus)
        path, pipe = stack.enter_context(open_pipe(directory)) if job.is_pipe else (None, None)
        sink = Sink()
        try:
            with contestant.begin(sink, path) as running:
                before_s = cpu_s(running.pid)
                sent = feed(job, corpus, arguments.corpus, running, path, events, rate)
                wait_done(running.pid, pipe)
                used_s = cpu_s(running.pid) - before_s
                share_kib, peak_kib = memory_kib(running.pid)
                received = None if running.sends else running.counted()
        finally:
            totals = sink.end()
    received = totals["lines"] if received is None else received
    if received == 0:
        raise Failure("nothing arrived")
    return {
        "cpu_s_per_million": used_s / received * 1e6,
        "sent": sent,
        "received": received,
        "share_kib": share_kib,
        "peak_kib": peak_kib,
    }


def bearable_rate(arguments, job, peer):
    """The highest rate at which a second's datagrams all arrive; the peers' limits are far apart."""
    rate = arguments.rate * job.rate
    while rate // 2 >= SLOWEST:
        trial = run_once(arguments, job, peer, min(round(arguments.events * 1e6), rate), rate)
        if trial["received"] == trial["sent"]:
            break
        rate //= 2
    return rate


def makers(job, peer):
    """Who takes part: the agent as it comes, and one that does what the peer does; a repeater passes packed datagrams on as they
    are, as the agent does."""
    found = {"peer": peer, "agent": lambda: Agent(job)}
    if not peer.sends:
        found["same"] = lambda: Agent(job, sends=False)
    elif not job.pack:
        found["same"] = lambda: Agent(job, max_datagram=1)
    return found


def contest(arguments, job, peer):
    """A row: the peer, and the agent as it does the same."""
    contestants = makers(job, peer)
    at_once = PIPE_EVENTS if job.is_pipe else BACKLOG_EVENTS
    rate = 0 if job.is_pipe or job.rate == 0 else bearable_rate(arguments, job, peer)
    while True:
        events = round(min(arguments.events * 1e6, SECONDS * rate if rate else at_once))
        results = alternate(contestants, min(arguments.runs, RUNS), lambda who: run_once(arguments, job, contestants[who], events, rate))
        # What it bore once it need not bear every time.
        if rate // 2 < SLOWEST or all(run["received"] == run["sent"] for run in results["peer"]):
            break
        rate //= 2
    row = {"rate": rate, "events": events}
    for who, runs in results.items():
        least, cpu, most = spread(runs, "cpu_s_per_million")
        row[who] = {
            "cpu_s_per_million": round(cpu, 4),
            "spread": [round(least, 4), round(most, 4)],
            "lost_share": max(1 - run["received"] / run["sent"] for run in runs),
            "share_kib": median([run["share_kib"] for run in runs]),
            "peak_kib": median([run["peak_kib"] for run in runs]),
            "runs": runs,
        }
        if who != "peer":
            row[who]["ratio"] = round(row["peer"]["cpu_s_per_million"] / row[who]["cpu_s_per_million"], 2)
    row.setdefault("same", row["agent"])
    row["ratio"] = row["same"]["ratio"]
    return row


def peers(arguments):
    rows, skipped = [], {}
    for job in JOBS:
        for name, peer in job.peers.items():
            try:
                rows.append({"job": job.name, "name": f"{name}: {job.name}", **contest(arguments, job, peer)})
            except Skip as why:
                skipped[name] = str(why)
    return {"rows": rows, "skipped": skipped}


def lost(figures):
    return f"{figures['lost_share']:.2%}" if figures["lost_share"] else "none"


def mib(figures):
    return f"{figures['share_kib'] / 1024:.1f}/{figures['peak_kib'] / 1024:.1f}"


COLUMNS = [
    ("CPU s/M", 8, lambda row: f"{row['peer']['cpu_s_per_million']:.2f}"),
    ("same job", 8, lambda row: f"{row['same']['cpu_s_per_million']:.3f}"),
    ("factor", 6, lambda row: f"{row['same']['ratio']:.1f}"),
    ("passes on", 9, lambda row: f"{row['agent']['cpu_s_per_million']:.3f}"),
    ("factor", 6, lambda row: f"{row['agent']['ratio']:.1f}"),
    ("events/s", 9, lambda row: f"{row['rate']:,}" if row["rate"] else ""),
    ("lost", 7, lambda row: lost(row["peer"])),
    ("agent's", 7, lambda row: lost(row["agent"])),
    ("MiB, peak", 12, lambda row: mib(row["peer"])),
    ("agent's", 10, lambda row: mib(row["agent"])),
]


def print_peers(found, arguments):
    title = f"peers, each beside the agent at its own job, medians of {min(arguments.runs, RUNS)} runs, one core"
    if found["rows"]:
        print_table(title, COLUMNS, found["rows"])
    for name, why in found["skipped"].items():
        print(f"{name}: not measured, {why}")
    if found["skipped"]:
        print()
