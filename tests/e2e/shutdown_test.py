"""The end: signals, end of file, and what is still sent, waited for, or given up then."""

import os
import pathlib
import signal
import socket
import subprocess
import sys

from harness import (
    IS_INSTRUMENTED,
    PROGRAM,
    Agent,
    UdpReceiver,
    UnixReceiver,
    command,
    contains,
    equal,
    main,
    send_udp,
    send_unix,
    table,
    temporary_directory,
    test,
    true,
    wait_until,
    write_pipe,
)

RULES = """
rules:
  - {match: "s.*", metrics: [{counter: "{event}", value: n}]}
"""
ALL_INPUTS = "inputs: ['fifo://{dir}/pipe', 'udp://127.0.0.1:0', 'unix://{dir}/socket']\n"


@table([("TERM: what the inputs hold is sent", signal.SIGTERM), ("INT does the same", signal.SIGINT)])
def _(number):
    with UdpReceiver() as receiver, Agent(ALL_INPUTS + f"outputs: ['{receiver.url}']" + RULES) as agent:
        port = agent.ports()[0]
        agent.freeze()
        write_pipe(agent.directory / "pipe", *[f"s.pipe n={n}" for n in range(5000)])
        for n in range(100):
            send_udp(port, f"s.udp n={n}")
        for n in range(5):
            send_unix(agent.directory / "socket", f"s.unix n={n}")
        agent.send_signal(number)
        agent.thaw()
        equal(agent.wait(), 0, "exit status")
        lines = receiver.lines(5105)
        for name, count in (("pipe", 5000), ("udp", 100), ("unix", 5)):
            equal([line for line in lines if line.startswith("s." + name)], [f"s.{name}:{n}|c" for n in range(count)])
        agent.stderr.wait_for("ended: 5105 events received, 5105 metrics sent, 0 dropped")
        true(not (agent.directory / "socket").exists(), "the socket is still there")
        true((agent.directory / "pipe").is_fifo(), "the pipe is gone")


# What a wake-up takes at most: 128 datagrams, 512 KiB of a pipe. Where that leaves nothing behind nobody wakes it up again.
@table(
    [
        *[(f"TERM: as many datagrams wait as {turns} turns take", "udp", 128 * turns) for turns in (1, 2, 3)],
        *[(f"TERM: as much stands in the pipe as {turns} turns take", "pipe", 128 * turns) for turns in (1, 2)],
    ]
)
def _(kind, count):
    config = ALL_INPUTS + "shutdown_grace: 1h\n"
    with UdpReceiver() as receiver, Agent(config + f"outputs: ['{receiver.url}']" + RULES) as agent:
        port = agent.ports()[0]
        agent.freeze()
        if kind == "udp":
            for n in range(count):
                send_udp(port, f"s.udp n={n}")
        else:
            write_pipe(agent.directory / "pipe", *[f"s.pipe n={n} text=".ljust(4095, "x") for n in range(count)])
        agent.send_signal(signal.SIGTERM)
        agent.thaw()
        equal(agent.wait(), 0, "exit status")
        equal(receiver.lines(count), [f"s.{kind}:{n}|c" for n in range(count)])


def write_for_ever(path):
    """A process that keeps the pipe full."""
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            descriptor = os.open(path, os.O_WRONLY)
            block = b"s.load n=1\n" * 300
            while True:
                os.write(descriptor, block)
        finally:
            os._exit(0)
    return pid


@test("TERM under load: it ends although the writer does not")
def _():
    with UdpReceiver() as receiver, Agent(ALL_INPUTS + f"outputs: ['{receiver.url}']" + RULES) as agent:
        pid = write_for_ever(agent.directory / "pipe")
        try:
            receiver.read_until(lambda: len(receiver.received) > 100, "the load")
            agent.stop()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        agent.stderr.wait_for(r"ended: (\d+) events received, \1 metrics sent, 0 dropped")
        true(not any("shutdown_grace" in line for line in agent.stderr.all()), "it needed the grace")


@test("it hears of signals also where who starts it has blocked them")
def _():
    with temporary_directory() as folder:
        starter = pathlib.Path(folder) / "starter"
        starter.write_text(
            f"#!{sys.executable}\n"
            "import os, signal, sys\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
            f"os.execv({PROGRAM!r}, [{PROGRAM!r}, *sys.argv[1:]])\n"
        )
        starter.chmod(0o755)
        with Agent(ALL_INPUTS + "outputs: ['udp://127.0.0.1:9']" + RULES, program=str(starter)) as agent:
            agent.send_signal(signal.SIGHUP)
            agent.stderr.wait_for("reloaded")
            agent.check_balance()


@test("a last event just before TERM arrives, by every way, every time")
def _():
    inputs = ALL_INPUTS.replace("]", ", 'tcp://127.0.0.1:0', 'unixstream://{dir}/stream']")
    with UdpReceiver() as receiver:
        for turn in range(3 if IS_INSTRUMENTED else 20):
            with Agent(inputs + f"outputs: ['{receiver.url}']" + RULES) as agent:
                write_pipe(agent.directory / "pipe", f"s.pipe n={turn}")
                send_udp(agent.ports()[0], f"s.udp n={turn}")
                send_unix(agent.directory / "socket", f"s.unix n={turn}")
                with socket.create_connection(("127.0.0.1", agent.ports("tcp")[0])) as tcp:
                    tcp.sendall(b"s.tcp n=%d" % turn)
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
                    stream.connect(f"{agent.directory}/stream")
                    stream.sendall(b"s.stream n=%d\n" % turn)
                    agent.stop()
            equal(sorted(receiver.lines(5)), [f"s.{kind}:{turn}|c" for kind in ("pipe", "stream", "tcp", "udp", "unix")])


@test("what stands in the pipe without a newline at the end is one malformed event")
def _():
    with UdpReceiver() as receiver, Agent(ALL_INPUTS + f"outputs: ['{receiver.url}']" + RULES) as agent:
        write_pipe(agent.directory / "pipe", b"s.a n=1\ns.b n=2")
        equal(receiver.lines(1), ["s.a:1|c"])
        agent.stop()
        agent.stderr.wait_for(r'malformed.*"s\.b n=2"')
        agent.stderr.wait_for("ended: 2 events received, 1 metrics sent, 0 dropped")


@table([("a dead output delays nothing: a socket that is not there", "unix://{dir}/absent"), ("a dead output delays nothing: a port that nobody listens on", "udp://127.0.0.1:9")])
def _(url):
    # An hour of grace, in case that something waits for it.
    config = ALL_INPUTS + f"shutdown_grace: 1h\noutputs: ['{url}']" + RULES
    with Agent(config) as agent:
        write_pipe(agent.directory / "pipe", "s.a n=1")
        wait_until(lambda: agent.outcomes() == {"mapped": 1}, "the event")
        agent.stop()


@test("a dead output that blocks is waited for until the grace is over, and what is dropped is told")
def _():
    config = ALL_INPUTS + "shutdown_grace: 200ms\noutputs: [{url: 'unix://{dir}/absent', when_full: block}]" + RULES
    with Agent(config) as agent:
        write_pipe(agent.directory / "pipe", "s.a n=1", "s.b n=2")
        wait_until(lambda: agent.outcomes().get("mapped"), "the event")
        agent.stop()
        agent.stderr.wait_for(r"shutdown_grace is over: [12] metrics dropped")
        agent.stderr.wait_for(r"ended: ([12]) events received, 0 metrics sent, \1 dropped")


@test("what a pipe still held when the grace was over is told, and of an empty one nothing")
def _():
    config = "inputs: [{url: 'fifo://{dir}/pipe', name: jobs}, {url: 'fifo://{dir}/empty', name: empty}]\nshutdown_grace: 100ms\n"
    config += "outputs: [{url: 'unix://{dir}/absent', when_full: block}]" + RULES
    with Agent(config) as agent:
        write_pipe(agent.directory / "pipe", "s.a n=1")
        wait_until(lambda: agent.outcomes().get("mapped"), "the event that fills the output")
        write_pipe(agent.directory / "pipe", "s.a n=2")
        agent.stop()
        agent.stderr.wait_for("ended: 1 events received, 0 metrics sent, 1 dropped")
        told = [line for line in agent.stderr.all() if "not all that it held could be sent" in line]
        equal(len(told), 1, "inputs told of")
        contains(told[0], "input jobs: ")


@test("a slow output that blocks gets everything within the grace")
def _():
    with temporary_directory() as folder:
        config = (
            "inputs: ['fifo://{dir}/pipe']\nshutdown_grace: 1h\n"
            f"outputs: [{{url: 'unix://{folder}/late', when_full: block}}]" + RULES
        )
        with Agent(config) as agent:
            write_pipe(agent.directory / "pipe", *[f"s.a n={n}" for n in range(5000)])
            wait_until(lambda: agent.outcomes().get("mapped"), "the first events")
            agent.send_signal(signal.SIGTERM)
            agent.stderr.wait_for("stopping")
            with UnixReceiver(path=f"{folder}/late") as receiver:
                equal(receiver.lines(5000), [f"s.a:{n}|c" for n in range(5000)])
                equal(agent.wait(), 0, "exit status")


@test("a second signal ends it at once")
def _():
    config = ALL_INPUTS + "shutdown_grace: 1h\noutputs: [{url: 'unix://{dir}/absent', when_full: block}]" + RULES
    with Agent(config) as agent:
        write_pipe(agent.directory / "pipe", "s.a n=1")
        wait_until(lambda: agent.outcomes().get("mapped"), "the event")
        agent.send_signal(signal.SIGTERM)
        agent.stderr.wait_for("stopping")
        agent.stop(signal.SIGTERM, want=128 + signal.SIGTERM)
        agent.stderr.wait_for("a second signal: ending at once: 1 metrics dropped")
        agent.stderr.wait_for("ended: 1 events received, 0 metrics sent, 1 dropped")
        true(not (agent.directory / "socket").exists(), "the socket is still there")


# ---- standard input and output ----


def run_stdin(text, *more):
    return command("run", "--input", "stdin:", "--output", "stdout:", *more, input=text)


@test("at the end of standard input it ends, with the last line, newline or not")
def _():
    done = run_stdin("x.a\nx.b\n\nx.c")
    equal((done.returncode, done.stdout), (0, "tasker.x.a:1|c\ntasker.x.b:1|c\ntasker.x.c:1|c\n"))


@test("empty standard input")
def _():
    done = run_stdin("")
    equal((done.returncode, done.stdout), (0, ""))


@test("standard input from a file, and from /dev/null")
def _():
    with temporary_directory() as folder:
        path = os.path.join(folder, "events")
        with open(path, "w") as file:
            file.write("x.a\n" * 100000 + "x.b")
        for name, want in ((path, 100001), ("/dev/null", 0)):
            with open(name, "rb") as file, Agent(
                arguments=["--input", "stdin:", "--output", "stdout:"], stdin=file, quiet=False
            ) as agent:
                equal(agent.wait(), 0, "exit status")
                equal(len(agent.stdout.all()), want, "lines")


@test("standard output to a file, appended")
def _():
    with temporary_directory() as folder:
        path = os.path.join(folder, "metrics")
        with open(path, "wb") as file:
            file.write(b"before\n")
            file.flush()
            done = subprocess.run(
                [PROGRAM, "run", "--input", "stdin:", "--output", "stdout:"],
                input=b"x.a\nx.b\n",
                stdout=file,
                stderr=subprocess.PIPE,
            )
            os.write(file.fileno(), b"after\n")
        equal(done.returncode, 0)
        with open(path) as file:
            equal(file.read(), "before\ntasker.x.a:1|c\ntasker.x.b:1|c\nafter\n")


@test("`| head -1` ends it with status 74")
def _():
    with temporary_directory() as folder:
        events = os.path.join(folder, "events")
        with open(events, "w") as file:
            file.write("x.a\n" * 500000)
        done = subprocess.run(
            ["sh", "-c", f'{{ "{PROGRAM}" run --input stdin: --output stdout: <"{events}"; echo "status $?" >&2; }} | head -1'],
            capture_output=True,
        )
        equal(done.stdout, b"tasker.x.a:1|c\n")
        contains(done.stderr.decode(), "closed by its reader")
        contains(done.stderr.decode(), "status 74")


@test("with another input it goes on after the end of standard input")
def _():
    with UdpReceiver() as receiver, Agent(
        f"inputs: ['stdin:', 'fifo://{{dir}}/pipe']\noutputs: ['{receiver.url}']" + RULES, stdin=subprocess.DEVNULL
    ) as agent:
        agent.stderr.wait_for("stdin: has ended")
        write_pipe(agent.directory / "pipe", "s.a n=1")
        equal(receiver.lines(1), ["s.a:1|c"])


main()
