"""`statsidecar exec`: what it publishes of a job, and that the job and its caller notice nothing of it."""

import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import termios

from harness import (
    DEADLINE,
    PROGRAM,
    WRAPPER,
    IS_INSTRUMENTED,
    Agent,
    Lines,
    UdpReceiver,
    UnixReceiver,
    command,
    contains,
    environment,
    equal,
    main,
    need,
    skip,
    table,
    temporary_directory,
    test,
    true,
    wait_until,
)

PYTHON = sys.executable


class Job:
    """A running `statsidecar exec`; .stdout and .stderr are Lines."""

    def __init__(self, *arguments, to="udp://127.0.0.1:9", **options):
        self.process = subprocess.Popen(
            WRAPPER + [PROGRAM, "exec", "--to", to, *arguments],
            **{
                "stdin": subprocess.PIPE,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "env": environment(),
                **options,
            },
        )
        self.stdout = Lines(self.process.stdout) if self.process.stdout else None
        self.stderr = Lines(self.process.stderr) if self.process.stderr else None

    def feed(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def wait(self):
        status = self.process.wait(DEADLINE)
        for lines in (self.stdout, self.stderr):
            if lines:
                lines.wait_end()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        return status


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def events(receiver, count):
    """What was published: a socket of the test's stands for the agent."""
    receiver.read_until(lambda: len(receiver.all_lines()) >= count, f"{count} events")
    found = [json.loads(line) if line.startswith("{") else line for line in receiver.all_lines()]
    receiver.received.clear()
    return found


def end_of(receiver, want_status, *arguments, **options):
    """Runs a job to its end: the event of it."""
    done = command("exec", "--to", receiver.url, *arguments, **options)
    equal(done.returncode, want_status, f"exit status\n{done.stderr}")
    return events(receiver, 2)[-1]


# ---- what is published ----


@test("a job's metrics, by the pack job")
def _():
    with UdpReceiver() as receiver, Agent(
        f"include: [job]\ninputs: [fifo://{{dir}}/events]\noutputs: [{receiver.url}]"
    ) as agent:
        done = command("exec", "--to", f"fifo://{agent.directory}/events", "nightly", "--", "sh", "-c", "exit 3")
        equal((done.returncode, done.stdout, done.stderr), (3, "", ""))
        lines = receiver.lines(5)
        equal(lines[0], "job.started:1|c|#job:nightly")
        equal(lines[1], "job.failed:1|c|#exit_status:3,job:nightly")
        true(re.fullmatch(r"job\.duration:[0-9.]+\|ms\|#exit_status:3,job:nightly", lines[2]), lines[2])
        true(re.fullmatch(r"job\.max_rss:[0-9]+\|g\|#exit_status:3,job:nightly", lines[3]), lines[3])
        equal(lines[4], "_sc|job|2|#job:nightly|m:exit status 3")
        command("exec", "--to", f"fifo://{agent.directory}/events", "nightly", "--", "true")
        equal(receiver.lines(5)[-1], "_sc|job|0|#job:nightly")
        equal(agent.outcomes(), {"mapped": 4})


@test("the events and their fields")
def _():
    with UnixReceiver() as receiver:
        done = command("exec", "--to", receiver.url, "--set", "team=data base", "--set", "n=1", "nightly", "--", "true")
        equal((done.returncode, done.stdout, done.stderr), (0, "", ""))
        started, completed = events(receiver, 2)
        timestamps = [started.pop("timestamp"), completed.pop("timestamp")]
        true(timestamps == sorted(timestamps), timestamps)
        equal(started, {"event": "job.started", "job": "nightly", "team": "data base", "n": "1"})
        true(completed.pop("execution_duration") > 0, "a duration")
        true(completed.pop("max_rss") > 0, "memory")
        equal(completed, {"event": "job.completed", "job": "nightly", "exit_status": 0, "team": "data base", "n": "1"})


@table(
    [
        ("status 0", "true", 0, {"event": "job.completed", "exit_status": 0}),
        ("status 1", "exit 1", 1, {"event": "job.failed", "exit_status": 1}),
        ("status 255", "exit 255", 255, {"event": "job.failed", "exit_status": 255}),
        ("ended by TERM", "kill -TERM $$", 143, {"event": "job.failed", "exit_status": 143, "signal": 15}),
        ("ended by KILL", "kill -KILL $$", 137, {"event": "job.failed", "exit_status": 137, "signal": 9}),
        ("ended by SEGV", "ulimit -c 0; kill -SEGV $$", 139, {"event": "job.failed", "exit_status": 139, "signal": 11}),
        ("a status above 128 is no signal", "exit 143", 143, {"event": "job.failed", "exit_status": 143}),
    ]
)
def _(script, status, want):
    with UnixReceiver() as receiver:
        end = end_of(receiver, status, "nightly", "--", "sh", "-c", script)
        true(end.pop("timestamp") and end.pop("execution_duration") > 0 and end.pop("max_rss") > 0, end)
        equal(end, {"job": "nightly", **want})


@table(
    [
        ("a command that is not there", "no-such-command", 127, "No such file or directory"),
        ("a path that is not there", "/nonexistent/command", 127, "No such file or directory"),
        ("a path through a file", "/etc/passwd/command", 127, "Not a directory"),
        ("a file that is not executable", "/etc/passwd", 126, "Permission denied"),
        ("a directory", "/etc", 126, "Permission denied"),
    ]
)
def _(name, status, why):
    with UnixReceiver() as receiver:
        for tee in ([], ["--tee"]):
            done = command("exec", "--to", receiver.url, *tee, "nightly", "--", name)
            equal((done.returncode, done.stdout), (status, ""))
            equal(done.stderr, f"statsidecar exec: {name}: {why}\n")
            end = events(receiver, 2)[1]
            end.pop("timestamp")
            equal(end, {"event": "job.failed", "job": "nightly", "exit_status": status})


@test("the duration is that of the command")
def _():
    script = """
import time
start = time.monotonic_ns()
while time.monotonic_ns() < start + 50_000_000: pass
print(time.monotonic_ns() - start)
"""
    with UnixReceiver() as receiver:
        done = command("exec", "--to", receiver.url, "busy", "--", PYTHON, "-c", script)
        end = events(receiver, 2)[1]
        true(int(done.stdout) - 1000 <= end["execution_duration"] * 1e9, (done.stdout, end))


@test("max_rss is that of the command, in bytes")
def _():
    if IS_INSTRUMENTED:
        skip("the program's own memory is the instrument's")
    with UnixReceiver() as receiver:
        small = end_of(receiver, 0, "small", "--", "true")["max_rss"]
        large = end_of(receiver, 0, "large", "--", PYTHON, "-c", "x = b'x' * 200_000_000")["max_rss"]
        true(small < 50_000_000, f"small: {small}")
        true(200_000_000 <= large < 400_000_000, f"large: {large}")


# ---- what the job does not notice ----

STATE = r"""
grep -E 'Sig(Blk|Ign)' /proc/self/status
for fd in /proc/self/fd/*; do echo "$fd $(readlink "$fd")"; done | grep -v '/proc/' | sed "s|/proc/self||"
"""


@table(
    [
        ("as ever", lambda: None),
        ("with HUP ignored, as by nohup", lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)),
        (
            "with CHLD and PIPE ignored",
            lambda: [signal.signal(number, signal.SIG_IGN) for number in (signal.SIGCHLD, signal.SIGPIPE)],
        ),
        ("with TERM blocked", lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])),
    ]
)
def _(prepare):
    with temporary_directory() as directory, open(f"{directory}/in", "w+") as stdin:
        outputs = []
        for before in ([], WRAPPER + [PROGRAM, "exec", "--to", "udp://127.0.0.1:9", "state", "--"]):
            with open(f"{directory}/out", "w+") as stdout:
                status = subprocess.Popen(
                    before + ["sh", "-c", STATE + "exit 3"],
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stdin,
                    env=environment(),
                    restore_signals=False,
                    preexec_fn=prepare,
                ).wait(DEADLINE)
                equal(status, 3)
                stdout.seek(0)
                outputs.append(stdout.read())
        equal(outputs[1], outputs[0], "signals and descriptors with exec, and without")
        contains(outputs[0], "SigIgn")


@test("standard input, output and error are the command's")
def _():
    done = command("exec", "cat", "--", "sh", "-c", "cat; echo err >&2", input=b"some\nlines \xc3\xa9")
    equal((done.stdout, done.stderr), ("some\nlines é", "err\n"))


@table(
    [
        ("an agent that is away", "fifo:///nonexistent/events", ""),
        ("a wrong URL", "nonsense", "write fifo:///PATH, udp://ADDRESS:PORT, unix:///PATH or unix://@NAME"),
        ("a host name", "udp://agent:8127", "write an address or localhost: host names are not looked up"),
    ]
)
def _(to, said):
    for tee in ([], ["--tee"]):
        done = command("exec", "--to", to, *tee, "nightly", "--", "sh", "-c", "echo out; exit 3")
        equal((done.returncode, done.stdout), (3, "out\n"))
        if said:
            equal(done.stderr, f"statsidecar exec: {to}: {said}; nothing is published\n")
        else:
            equal(done.stderr, "statsidecar exec: 1 of 1 lines of output not sent\n" if tee else "")


@test("an agent that is stopped, and its pipe full")
def _():
    with UdpReceiver() as receiver, Agent(
        f"inputs: [fifo://{{dir}}/events]\noutputs: [{receiver.url}]\nrules: []"
    ) as agent:
        agent.freeze()
        descriptor = os.open(agent.directory / "events", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(descriptor, b"\n" * 4096)
        except BlockingIOError:
            pass
        os.close(descriptor)
        done = command("exec", "--to", f"fifo://{agent.directory}/events", "nightly", "--", "sh", "-c", "exit 3")
        equal((done.returncode, done.stdout, done.stderr), (3, "", ""))
        agent.thaw()


@test("an agent that begins between a job's start and its end")
def _():
    with temporary_directory() as directory, UdpReceiver() as receiver:
        job = Job("nightly", "--", "sh", "-c", "echo running; read line", to=f"fifo://{directory}/events")
        job.stdout.wait(1)
        with Agent(
            f"include: [job]\ninputs: [fifo://{{dir}}/events]\noutputs: [{receiver.url}]", directory=directory
        ) as agent:
            job.feed("go\n")
            equal(job.wait(), 0)
            equal(receiver.lines(4)[0], "job.completed:1|c|#exit_status:0,job:nightly")
            equal(agent.outcomes(), {"mapped": 1})


@test("without --to: an agent that opens the default pipe between a job's start and its end")
def _():
    need("unshare", "mount")
    script = """
        mount -t tmpfs tmpfs /run 2>/dev/null || { echo cannot; exit 0; }
        mkdir /run/statsidecar
        mkfifo /run/statsidecar/events /run/go
        "$@" exec nightly -- sh -c 'read go </run/go; exit 3' &
        # this opens when the job has begun
        exec 4>/run/go 3<>/run/statsidecar/events
        echo go >&4
        wait $!
        echo $?
        read -r line <&3
        echo "$line"
    """
    done = subprocess.run(
        ["unshare", "-r", "-m", "sh", "-c", script, "sh", *WRAPPER, PROGRAM],
        capture_output=True,
        text=True,
        env=environment({"STATSIDECAR_TO": None}),
        timeout=DEADLINE,
    )
    if done.returncode != 0 or "cannot" in done.stdout:
        skip("no namespaces of our own here")
    status, line = done.stdout.splitlines()
    equal((status, done.stderr), ("3", ""))
    equal(json.loads(line)["event"], "job.failed")


# ---- signals ----


@table([(f"{name} is passed on", name) for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2")])
def _(name):
    with UnixReceiver() as receiver:
        for tee in ([], ["--tee"]):
            script = f"trap 'echo got; exit 42' {name}; echo ready; while :; do read line; done"
            job = Job(*tee, "nightly", "--", "sh", "-c", script, to=receiver.url)
            job.stdout.wait(1)
            job.process.send_signal(getattr(signal, "SIG" + name))
            equal(job.wait(), 42)
            equal(job.stdout.all(), ["ready", "got"])
            equal([e["exit_status"] for e in events(receiver, 4 if tee else 2) if "exit_status" in e], [42])


@test("a job that a passed on TERM ends")
def _():
    with UnixReceiver() as receiver:
        job = Job("nightly", "--", "sh", "-c", "echo ready; exec cat", to=receiver.url)
        job.stdout.wait(1)
        child = wait_until(lambda: children_of(job.process.pid), "the child")[0]
        wait_until(lambda: pathlib.Path(f"/proc/{child}/comm").read_text() == "cat\n", "cat")
        job.process.send_signal(signal.SIGTERM)
        equal(job.wait(), 143)
        equal(events(receiver, 2)[1]["signal"], 15)


@test("a job that ignores TERM goes on, and is waited for")
def _():
    with UnixReceiver() as receiver:
        script = "trap '' TERM; echo ready; read line; echo $line; exit 7"
        job = Job("stubborn", "--", "sh", "-c", script, to=receiver.url)
        job.stdout.wait(1)
        for _ in range(3):
            job.process.send_signal(signal.SIGTERM)
        job.feed("still here\n")
        equal(job.wait(), 7)
        equal(job.stdout.all(), ["ready", "still here"])
        equal(events(receiver, 2)[1]["exit_status"], 7)


def take_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@test("Ctrl-C in a terminal reaches the job once")
def _():
    primary, secondary = pty.openpty()
    count = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGQUIT])
print('ready', flush=True)
while True:
    got = signal.sigwaitinfo([signal.SIGINT, signal.SIGQUIT])
    if got.si_signo == signal.SIGQUIT: break
    print('from', got.si_pid, flush=True)
"""

    job = Job("nightly", "--", PYTHON, "-c", count, stdin=secondary, preexec_fn=take_terminal)
    os.close(secondary)
    job.stdout.wait(1)
    # often: of two signals that come close together the second one is lost
    for number in range(50):
        os.write(primary, b"\x03")
        job.stdout.wait(2 + number)
    os.write(primary, b"\x1c")
    equal(job.wait(), 0)
    equal(job.stdout.all(), ["ready", *["from 0"] * 50])
    os.close(primary)


@test("a terminal that hangs up tells its session's leader alone: as that, exec tells the job")
def _():
    primary, secondary = pty.openpty()
    job = Job("nightly", "--", "sh", "-c", "echo ready; exec sleep 1000", stdin=secondary, preexec_fn=take_terminal)
    os.close(secondary)
    job.stdout.wait(1)
    os.close(primary)
    equal(job.wait(), 128 + signal.SIGHUP)


@test("as process 1 it leaves no zombies")
def _():
    need("unshare")
    script = """
        i=0; while [ $i -lt 20 ]; do (sh -c 'exit 0' & exec true); i=$((i + 1)); done
        # they are gone when the kernel has told process 1, and it has looked
        while grep -qs '^State:.Z' /proc/[0-9]*/status; do :; done
        echo none
    """
    unshare = ["unshare", "--fork", "--pid", "--mount-proc"]
    if subprocess.run(unshare + ["true"], capture_output=True).returncode != 0:
        skip("no process namespaces here")
    done = subprocess.run(
        unshare + WRAPPER + [PROGRAM, "exec", "--to", "udp://127.0.0.1:9", "nightly", "--", "sh", "-c", script],
        capture_output=True,
        env=environment(),
        timeout=DEADLINE,
    )
    equal((done.returncode, done.stdout), (0, b"none\n"), done.stderr)


# ---- --tee ----


@test("--tee copies the output and publishes its lines")
def _():
    with UnixReceiver() as receiver:
        script = "echo a n=1; echo; printf 'b n=2'; echo err >&2; exit 3"
        done = command("exec", "--to", receiver.url, "--tee", "nightly", "--", "sh", "-c", script)
        equal((done.returncode, done.stdout, done.stderr), (3, "a n=1\n\nb n=2", "err\n"))
        found = events(receiver, 4)
        equal([e for e in found if isinstance(e, str)], ["a n=1", "b n=2"])
        equal([e["event"] for e in found if isinstance(e, dict)], ["job.started", "job.failed"])


@test("--tee publishes a line when it is written, not at the end")
def _():
    with UnixReceiver() as receiver:
        job = Job("--tee", "nightly", "--", "sh", "-c", "echo a; read line; echo b", to=receiver.url)
        equal(events(receiver, 2)[1], "a")
        job.stdout.wait(1)
        job.feed("go\n")
        equal(job.wait(), 0)
        equal(events(receiver, 2)[0], "b")


@test("--tee changes no byte, whatever it is")
def _():
    with temporary_directory() as directory:
        data = os.urandom(3_000_000) + b"\n" * 100_000 + bytes(range(256)) * 100 + b"no end"
        with open(f"{directory}/data", "wb") as file:
            file.write(data)
        with open(f"{directory}/out", "w+b") as out:
            equal(Job("--tee", "nightly", "--", "cat", f"{directory}/data", stdout=out).wait(), 0)
            out.seek(0)
            true(out.read() == data, "the output is the command's")


@test("--tee of 100 MB with the agent stopped: the output whole, the status kept, what was dropped said")
def _():
    script = "i=0; while [ $i -lt 20 ]; do cat \"$0\"; i=$((i + 1)); done; exit 5"
    with temporary_directory() as directory, UdpReceiver() as receiver, Agent(
        f"inputs: [fifo://{{dir}}/events]\noutputs: [{receiver.url}]\n"
        "rules: [{match: '**', fallback: true, metrics: [{counter: all}]}]"
    ) as agent:
        piece = b"".join(b"line.%d took=%d rest=%s\n" % (i, i, b"x" * 60) for i in range(60_000))
        with open(f"{directory}/piece", "wb") as file:
            file.write(piece)
        true(len(piece) * 20 > 100_000_000, "100 MB")
        agent.freeze()
        with open(f"{directory}/out", "w+b") as out:
            arguments = ["--tee", "nightly", "--", "sh", "-c", script, f"{directory}/piece"]
            job = Job(*arguments, to=f"fifo://{agent.directory}/events", stdout=out)
            equal(job.wait(), 5)
            out.seek(0)
            got, want = (hashlib.sha256(data).hexdigest() for data in (out.read(), piece * 20))
            equal(got, want, "the command's output")
        said = re.fullmatch(r"statsidecar exec: (\d+) of (\d+) lines of output not sent", "\n".join(job.stderr.all()))
        true(said, job.stderr.all())
        dropped, lines = map(int, said.groups())
        equal(lines, 60_000 * 20)
        true(0 < dropped < lines, dropped)
        agent.thaw()
        # job.started too; the end did not fit
        wait_until(lambda: agent.outcomes().get("fallback") == lines - dropped + 1, "what was sent")


@test("--tee, and nobody reads the output any more: the job gets its SIGPIPE")
def _():
    with UnixReceiver() as receiver:
        reader, writer = os.pipe()
        job = Job("--tee", "nightly", "--", "yes", to=receiver.url, stdout=writer)
        os.close(writer)
        os.read(reader, 2)
        os.close(reader)
        equal(job.wait(), 128 + signal.SIGPIPE)
        contains("\n".join(job.stderr.all()), "statsidecar exec: standard output: Broken pipe")


@table(
    [
        ("--tee does not wait for a silent child that the job leaves behind", "sleep 300"),
        ("--tee does not wait for one that writes on and on", "yes"),
    ]
)
def _(background):
    job = Job("--tee", "nightly", "--", "sh", "-c", f"{background} & echo $! >&2; exit 4", stdout=subprocess.DEVNULL)
    equal(job.process.wait(DEADLINE), 4)
    pid = int(job.stderr.wait(1)[0])
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # its SIGPIPE came first
    job.wait()


@test("--tee copies what the job wrote last, whoever else holds its output open")
def _():
    with UnixReceiver() as receiver:
        write = "head -c 500000 /dev/zero | tr '\\0' x; echo; echo last"
        script = f"sleep 300 2>/dev/null & echo $! >&2; {write}; exit 4"
        job = Job("--tee", "nightly", "--", "sh", "-c", script, to=receiver.url)
        equal(job.process.wait(DEADLINE), 4)
        os.kill(int(job.stderr.wait(1)[0]), signal.SIGKILL)
        job.wait()
        equal(job.stdout.all(), ["x" * 500_000, "last"])


@test("--tee, the job has ended and nobody takes its output: TERM ends the waiting")
def _():
    reader, writer = os.pipe()
    job = Job("--tee", "nightly", "--", "sh", "-c", "head -c 300000 /dev/zero; echo written >&2; exit 6", stdout=writer)
    os.close(writer)
    job.stderr.wait(1)
    # the job is gone, its child; exec is not
    wait_until(lambda: not children_of(job.process.pid), "the job's end")
    equal(job.process.poll(), None)
    job.process.send_signal(signal.SIGTERM)
    equal(job.wait(), 6)
    os.close(reader)


# ---- wrong calls ----


@table(
    [
        ("nothing", [], "the job's name is missing"),
        ("an empty name", ["", "--", "true"], "the job's name is missing"),
        ("no command", ["nightly"], "`--` and a command are missing"),
        ("no dashes", ["nightly", "true"], "`--` and a command are missing"),
        ("no command behind the dashes", ["nightly", "--"], "a command is missing behind `--`"),
        ("an unknown option", ["--sets", "nightly", "--", "true"], "unknown option --sets"),
        ("--set without =", ["--set", "a", "nightly", "--", "true"], "`a` is not KEY=VALUE"),
        ("--set of exec's own", ["--set", "signal=0", "nightly", "--", "true"], "`signal` is what exec says itself"),
        ("65 times --set", ["--set", "a=b"] * 65 + ["nightly", "--", "true"], "at most 64 times --set"),
    ]
)
def _(arguments, why):
    done = command("exec", *arguments)
    equal((done.returncode, done.stdout), (64, ""), done.stderr)
    contains(done.stderr, why)


@test("options of the command are the command's")
def _():
    done = command("exec", "--to", "udp://127.0.0.1:9", "nightly", "--", "echo", "--tee", "-h", "--", "x")
    equal(done.stdout, "--tee -h -- x\n")


main()
