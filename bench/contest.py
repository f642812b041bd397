"""What the parts of the benchmark share: programs measured on a core of their own, their senders and receivers beside them,
runs that alternate, medians, ratios, tables. Standard library and the tests' harness only.

A part compares contestants. A run of one starts what it needs (a Sink, then a Measured, then whoever writes) and gives a dict of
figures; alternate() runs every contestant in turn, over and over, so that a slow minute of the machine hits all of them:

    results = alternate(["agent", "floor"], arguments.runs, once)     # once(name) -> {"cpu_s": 1.2, "lines": 3000000}
    rows = [{"name": name, "cpu_s": median([run["cpu_s"] for run in runs])} for name, runs in results.items()]
    add_ratios(rows, "cpu_s")
    print_table("title", COLUMNS, rows)
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("srcdir") or pathlib.Path(__file__).parents[1]).resolve()
BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE / "build").resolve()
AGENT = os.environ.get("STATSIDECAR") or str(BUILD / "statsidecar")
sys.path.insert(0, str(SOURCE / "tests/e2e"))

from harness import Lines, environment, wait_until  # noqa: E402 (the path comes first)

CORES = sorted(os.sched_getaffinity(0))
MEASURED = CORES[:1]  # the core of the measured program
BESIDE = CORES[1:] or CORES  # those of everybody else

QUIET = "admin: off\ntelemetry: off\n"
COUNTER_AND_TIMER = """
rules:
  - match: step.completed
    tags: {step: "{step_name}", task: "{task_name}"}
    metrics:
      - counter: step.completed
      - {timer: step.duration, value: execution_duration, unit: s}
"""
RELAY = """
rules:
  - match: "**"
    metrics:
      - relay: "{event}"
"""


def program(name):
    """A program of bench/, built."""
    return str(BUILD / "bench" / name)


def workplace():
    return tempfile.TemporaryDirectory(prefix="statsidecar-bench-")


def write_corpus(directory, request, count):
    """A file of so many different events; request is what else `generate` is told."""
    path = f"{directory}/corpus"
    with open(path, "wb") as out:
        subprocess.run([program("generate"), "--count", str(count), *request.split()], stdout=out, check=True)
    return path


def write_config(directory, input_, output, rules):
    """A configuration of one input and one output, each as it stands in a YAML list."""
    path = f"{directory}/bench.yaml"
    pathlib.Path(path).write_text(f"inputs: [{input_}]\noutputs: [{output}]\n{QUIET}{rules}")
    return path


def run_beside(arguments):
    """A program beside the measured one, to its end: what it printed, a line of JSON."""
    return json.loads(subprocess.check_output(arguments, preexec_fn=pinned(BESIDE)))


# ---- processes ----

# name{label="value"} 12
COUNTER = re.compile(r'(statsidecar_\w+)(?:\{(?:"(?:[^"\\]|\\.)*"|[^"}])*\})? (\d+)')


def pinned(cores):
    """For Popen's preexec_fn."""
    return lambda: os.sched_setaffinity(0, cores)


def schedule_s(pid):
    """Of a running process, all its threads, to the nanosecond: CPU seconds, and seconds for which it had to wait for its core."""
    tasks = [task.read_text().split() for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(task[0]) for task in tasks) / 1e9, sum(int(task[1]) for task in tasks) / 1e9


def udp_sockets(pid):
    """A process's rows of /proc/net/udp: [1] is the local address, [2] the remote one, [4] what waits, [12] drops."""
    inodes = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            inodes.add(os.readlink(link).removeprefix("socket:[")[:-1])
    rows = [row.split() for row in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]]
    return [row for row in rows if row[9] in inodes]


class Measured:
    """A program on the first core, all others leave it alone: its CPU time between `ready` and its end.

    It is ready when a line of its standard error matches `ready`, or when ready(process) returns."""

    def __init__(self, arguments, ready=r"\bready\b", end_statuses=(0,)):
        self.end_statuses = end_statuses
        self.process = subprocess.Popen(arguments, stderr=subprocess.PIPE, env=environment(), preexec_fn=pinned(MEASURED))
        self.log = Lines(self.process.stderr)
        try:
            if callable(ready):
                ready(self.process)
            else:
                self.log.wait_for(ready)
        except BaseException:
            self.kill()
            raise
        # What it took to get there is no cost of an event.
        self.before_s, self.waited_before_s = schedule_s(self.process.pid)

    def used_s(self):
        """CPU seconds since `ready`, of one that sleeps or has other threads that do: the kernel's books are up to date then."""
        return schedule_s(self.process.pid)[0] - self.before_s

    def waited_s(self):
        """Seconds since `ready` for which others had its core, though it wanted it: on a quiet machine next to none."""
        return schedule_s(self.process.pid)[1] - self.waited_before_s

    def wait_asleep(self):
        """Until it has nothing left to do: asleep, and nothing waits in its UDP sockets."""
        process = pathlib.Path(f"/proc/{self.process.pid}")

        def is_asleep():
            waits = any(int(row[4].split(":")[1], 16) > 0 for row in udp_sockets(self.process.pid))
            return not waits and process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] == "S"

        wait_until(is_asleep, "the measured program to fall asleep")

    def udp_input(self):
        """Port and drops of the one UDP socket that it is bound to without being connected."""
        (row,) = [row for row in udp_sockets(self.process.pid) if row[2].startswith("00000000:")]
        return int(row[1].split(":")[1], 16), int(row[12])

    def counters(self):
        """The agent's own, summed over their labels, by name."""
        self.process.send_signal(signal.SIGUSR1)
        self.log.wait_for("counters: end")
        found = collections.Counter()
        for line in self.log.all():
            if "counters: " in line:
                for name, value in COUNTER.findall(line):
                    found[name] += int(value)
        return found

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.log.wait_end()
        self.process.stderr.close()
        if self.process.returncode not in self.end_statuses:
            raise SystemExit("\n".join(["a measured program failed:"] + self.log.all()[-20:]))
        return usage.ru_utime + usage.ru_stime - self.before_s

    def kill(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()


class Sink:
    """Receives on a UDP port of 127.0.0.1, or on a Unix datagram socket; `where` is the port or the path as text, `url` what the
    agent is told. end() gives what it counted: datagrams, bytes, lines, kernel_drops."""

    def __init__(self, path=None):
        arguments = [program("sink")] + ([path] if path else [])
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, preexec_fn=pinned(BESIDE))
        self.where = self.process.stdout.readline().decode().strip()
        self.url = f"unix://{path}" if path else f"udp://127.0.0.1:{self.where}"

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        totals = json.loads(self.process.stdout.read())
        self.process.wait()
        self.process.stdout.close()
        return totals


# ---- figures ----


def median(values):
    return statistics.median(values)


def alternate(names, runs, once):
    """{name: [what once(name) gave, a run each]}; every contestant has its turn before the first has its second."""
    results = {name: [] for name in names}
    for _ in range(runs):
        for name in results:
            results[name].append(once(name))
    return results


def spread(runs, what, divisor=1):
    """Least, median and most of one figure."""
    values = [run[what] / divisor for run in runs]
    return min(values), median(values), max(values)


def add_ratios(rows, what):
    """Each row's `ratio` to the first row whose name begins with `floor`, else to the first row."""
    base = next((row for row in rows if row["name"].startswith("floor")), rows[0])[what]
    for row in rows:
        row["ratio"] = round(row[what] / base, 3)


# ---- tables ----


def print_table(title, columns, rows):
    """Columns are (heading, width, cell(row) -> text); each row's name stands before them."""
    name_width = max(42, *(len(row["name"]) for row in rows))
    print(title)
    print(f"{'':{name_width}}" + "".join(f" {heading:>{width}}" for heading, width, _ in columns))
    for row in rows:
        print(f"{row['name']:{name_width}}" + "".join(f" {cell(row):>{width}}" for _, width, cell in columns))
    print()
    sys.stdout.flush()


# Of rows with cpu_s_per_million, spread, ratio.
CPU_COLUMNS = [
    ("CPU s/M", 8, lambda row: f"{row['cpu_s_per_million']:.3f}"),
    ("(least–most)", 16, lambda row: "({:.3f}–{:.3f})".format(*row["spread"])),
    ("ratio", 6, lambda row: f"{row['ratio']:.2f}"),
]
