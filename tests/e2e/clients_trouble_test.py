"""What publishers owe their program: with the agent away, the pipe full, the agent restarting in the middle and
payloads of 100 KB none of them blocks, tears a line or ends its program, and each knows what it has dropped.

That nothing blocks is seen from the program's going on: what it would wait for never comes.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

from clients_support import CLIENTS, PROGRAMS, Catcher, compiled, need_package, python, ruby, run
from harness import (
    DEADLINE,
    PROGRAM,
    Agent,
    Lines,
    UnixReceiver,
    contains,
    environment,
    equal,
    main,
    need,
    table,
    temporary_directory,
    test,
    true,
    wait_until,
)

LANGUAGES = ["ruby", "python", "C", "bash", "dash without the program"]
IS_SHELL = {"bash", "dash without the program"}
PIPE_LINE_MAX = 4096


class Load:
    """A running program that publishes when it is told to."""

    def __init__(self, language, url):
        self._directory = temporary_directory()
        changes = {
            "STATSIDECAR_TO": url,
            "STATSIDECAR_COMMAND": PROGRAM if language == "bash" else "",
            "LC_ALL": "C.UTF-8",
        }
        words = list(map(str, self._words(language)))
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(changes), start_new_session=True
        )
        self._answers = Lines(self._process.stdout)
        self._stderr = Lines(self._process.stderr)
        self._count = 0
        self._totals = (0, 0)
        self._is_warning = False

    def _words(self, language):
        if language == "ruby":
            return [*ruby(), PROGRAMS / "load.rb"]
        if language == "python":
            return [*python(), PROGRAMS / "load.py"]
        if language == "C":
            return compiled(PROGRAMS / "load.c", self._directory.name)
        shell = language.split()[0]
        need(shell)
        return [shell, PROGRAMS / "load.sh", CLIENTS]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self._process.stdin.close()
        try:
            status = self._process.wait(0 if kind else DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            status = self._process.wait()
        errors = "\n".join(self._stderr.wait_end())
        self._answers.wait_end()
        self._process.stdout.close()
        self._process.stderr.close()
        self._directory.cleanup()
        if kind is None:
            equal((status, "" if self._is_warning else errors), (0, ""), "the program's exit status and standard error")

    def expect_warning(self, text):
        contains(self._stderr.wait(1)[0], text)
        self._is_warning = True

    def publish(self, count, size=8):
        """How many of these were sent, and how many dropped."""
        self._process.stdin.write(f"{count} {size}\n".encode())
        self._process.stdin.flush()
        self._count += 1
        sent, dropped = map(int, self._answers.wait(self._count)[-1].split())
        before, self._totals = self._totals, (sent, dropped)
        return sent - before[0], dropped - before[1]


def each(languages, rows):
    return [(f"{language}: {name}", language, *arguments) for language in languages for name, *arguments in rows]


# ---- the agent is away ----


@table(
    each(
        LANGUAGES,
        [("no pipe", "none"), ("a pipe that nobody reads", "pipe"), ("a file where a pipe should be", "file")],
    )
)
def _(language, what):
    with temporary_directory() as directory:
        path = pathlib.Path(directory) / "events"
        if what == "pipe":
            os.mkfifo(path)
        elif what == "file":
            path.write_text("kept")
        with Load(language, f"fifo://{path}") as load:
            equal(load.publish(3), (0, 3))
        equal(path.exists(), what != "none")
        if what == "file":
            equal(path.read_text(), "kept")


@table(each(LANGUAGES, [("no Unix socket", None)]))
def _(language, _what):
    if language.endswith("without the program"):
        need_package("socat", "socat", test=lambda: shutil.which("socat"))
    with temporary_directory() as directory, Load(language, f"unix://{directory}/events.sock") as load:
        equal(load.publish(3), (0, 3))


# Bash does not look for an answer.
@table(each([one for one in LANGUAGES if not one.endswith("without the program")], [("no UDP port", None)]))
def _(language, _what):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with Load(language, f"udp://127.0.0.1:{port}") as load:
        equal(load.publish(3), (0, 3))


@table(
    each(
        LANGUAGES,
        [("a host name", "udp://events.invalid:8127"), ("no URL", "/run/events"), ("a stream", "tcp://127.0.0.1:1")],
    )
)
def _(language, url):
    if language in ("C", "dash without the program"):
        return  # statsidecar_open() refuses it; the shell's bash would look it up
    with Load(language, url) as load:
        equal(load.publish(3), (0, 3))
        if language != "bash":
            load.expect_warning("nothing is published")


# ---- the pipe is full ----


def read_all(descriptor):
    os.set_blocking(descriptor, False)
    content = b""
    try:
        while True:
            content += os.read(descriptor, 1 << 20)
    except BlockingIOError:
        return content


def check_lines(content, want_count):
    """Every line is whole: JSON, and one of those published, in their order."""
    true(content == b"" or content.endswith(b"\n"), f"the end is torn: {content[-80:]!r}")
    lines = content.splitlines(keepends=True)
    events = [json.loads(line) for line in lines]
    equal(len(events), want_count, "lines")
    equal({event["event"] for event in events}, {"step.failed"})
    true(all(len(line) <= PIPE_LINE_MAX for line in lines), "a line is too long to be one write")
    numbers = [int(event["number"]) for event in events]
    equal(numbers, sorted(set(numbers)), "their numbers")
    return events


@table(
    each(
        LANGUAGES,
        [("the pipe is full", 8), ("the pipe is full of long lines", 3000), ("the pipe is full of cut lines", 30000)],
    )
)
def _(language, size):
    with temporary_directory() as directory:
        path = f"{directory}/events"
        os.mkfifo(path)
        # Read by nobody, but open for it: a write that waits would wait for ever.
        pipe = os.open(path, os.O_RDWR)
        if language in IS_SHELL:
            # It takes a while to fill a pipe by events; all but the last pages are full before.
            os.write(pipe, b"x" * 4095 * 14 + b"\n")
        with Load(language, f"fifo://{path}") as load:
            sent = 0
            count = (50 if language in IS_SHELL else 500) if size < 100 else 10
            while True:
                more, dropped = load.publish(count, size)
                sent += more
                if dropped:
                    break
            true(sent > 0, "nothing was sent before")
            content = read_all(pipe)
            if language in IS_SHELL:
                content = content[4095 * 14 + 1 :]
            check_lines(content, sent)
            equal(load.publish(1, size), (1, 0), "with room again")
        os.close(pipe)


@test("sh without dd that does not wait: the shell's write ends after a second where the pipe is full")
def _():
    tools = ["sh", "awk", "date", "sed", "timeout"]
    need(*tools)
    with temporary_directory() as directory:
        for tool in tools:
            os.symlink(shutil.which(tool), f"{directory}/{tool}")
        with Catcher() as catcher:
            env = {"PATH": directory, "STATSIDECAR_COMMAND": ""}
            code = (
                f'. "{CLIENTS}/shell/statsidecar.sh"; publish_event a.b; echo "$STATSIDECAR_SENT $STATSIDECAR_DROPPED"'
            )
            words = [shutil.which("sh"), "-c", code]
            equal(run(words, catcher.url, env), "1 0\n")
            equal([event["event"] for event in catcher.events()], ["a.b"])
            catcher.fill()
            equal(run(words, catcher.url, env), "0 1\n")


# ---- the agent restarts in the middle ----


def configuration(receiver, url):
    return f"include: [tasker]\ninputs: ['{url}']\noutputs: [{{url: '{receiver.url}', when_full: block}}]\n"


def publish_until_seen(load, receiver):
    """What is published after the agent has come back is sent, 20 ms later at most: some of it arrives."""
    receiver.received.clear()

    def seen():
        load.publish(1)
        return any("tasker.step.failed:1" in line for line in receiver.all_lines())

    wait_until(seen, "an event that arrives")


@table(
    each(
        LANGUAGES,
        [("a pipe", "fifo"), ("a pipe that is made anew", "new fifo"), ("UDP", "udp"), ("a Unix socket", "unix")],
    )
)
def _(language, way):
    if way == "unix" and language.endswith("without the program"):
        need_package("socat", "socat", test=lambda: shutil.which("socat"))
    with temporary_directory() as directory, UnixReceiver() as receiver:
        path = pathlib.Path(directory) / "events"
        url = "udp://127.0.0.1:0" if way == "udp" else f"{way.split()[-1]}://{path}"
        with Agent(configuration(receiver, url), directory=directory) as agent:
            if way == "udp":
                url = f"udp://127.0.0.1:{agent.ports()[0]}"
            load = Load(language, url)
            publish_until_seen(load, receiver)
            agent.kill()
        load.publish(5)
        if way == "new fifo":
            path.unlink()
            load.publish(5)
        with load, Agent(configuration(receiver, url), directory=directory) as second:
            publish_until_seen(load, receiver)
            # What was seen may have been the first agent's last word, and what was published meanwhile dropped.
            wait_until(lambda: second.outcomes() or not load.publish(1), "the second agent to count")
            equal(second.outcomes().keys(), {"mapped"}, "a line is torn")


@table(each([one for one in LANGUAGES if one not in IS_SHELL], [("the agent is away at the start", None)]))
def _(language, _what):
    with temporary_directory() as directory, UnixReceiver() as receiver:
        url = f"fifo://{directory}/events"
        with Load(language, url) as load:
            equal(load.publish(1), (0, 1))
            with Agent(configuration(receiver, url), directory=directory):
                publish_until_seen(load, receiver)


# ---- payloads of 100 KB ----


@table(each(LANGUAGES, [("100 KB by a pipe", "fifo"), ("100 KB by UDP", "udp"), ("100 KB by a Unix socket", "unix")]))
def _(language, way):
    if way == "unix" and language.endswith("without the program"):
        need_package("socat", "socat", test=lambda: shutil.which("socat"))
    with temporary_directory() as directory, UnixReceiver() as receiver:
        url = "udp://127.0.0.1:0" if way == "udp" else f"{way}://{directory}/events"
        with Agent(configuration(receiver, url), directory=directory) as agent:
            if way == "udp":
                url = f"udp://127.0.0.1:{agent.ports()[0]}"
            with Load(language, url) as load:
                for _ in range(3):
                    equal(load.publish(1, 100000), (1, 0))
                    receiver.read_until(lambda: b"step.failed" in b"".join(receiver.received), "the event")
                    line = receiver.all_lines()[0]
                    equal(line.split("|#")[0], "tasker.step.failed:1|c")
                    receiver.received.clear()
            equal(agent.outcomes(), {"mapped": 3})


main()
