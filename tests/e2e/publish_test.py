"""`statsidecar publish` against running agents: every transport, agents that are away, full, restarted; wrong calls."""

import os
import pathlib
import socket
import subprocess

from harness import (
    DEADLINE,
    PROGRAM,
    WRAPPER,
    Agent,
    Lines,
    UdpReceiver,
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

RULES = """
rules:
  - {match: order.created, metrics: [{counter: order.created, value: amount, tags: {by: "{by}", note: "{note}"}}]}
  - {match: "**", fallback: true, metrics: [{counter: "{event}"}]}
"""

INPUTS = ["fifo://{dir}/events", "udp://127.0.0.1:0", "unix://{dir}/events.sock", "unix://@statsidecar-{pid}"]


def agent_for(receiver, inputs="fifo://{dir}/events", more="", directory=None):
    return Agent(f"inputs: [{inputs}]\noutputs: [{receiver.url}]\n{more}{RULES}", directory=directory)


def to_of(agent, input):
    if input.startswith("udp"):
        return f"udp://127.0.0.1:{agent.ports()[0]}"
    return input.replace("{dir}", str(agent.directory))


def publish(to, *arguments, input=None, want=0, env=None):
    """Runs it; .stderr is empty where the status is 0."""
    done = command("publish", *(["--to", to] if to else []), *arguments, input=input, env=env)
    equal((done.returncode, done.stdout), (want, ""), f"exit status and standard output\n{done.stderr}")
    if want == 0:
        equal(done.stderr, "")
    return done


# ---- what arrives ----


@table([(f"an event by {input.split(':')[0]}{' (abstract)' if '@' in input else ''}", input) for input in INPUTS])
def _(input):
    input = input.replace("{pid}", str(os.getpid()))
    with UdpReceiver() as receiver, agent_for(receiver, input) as agent:
        publish(to_of(agent, input), "order.created", "amount=12.50", "by=card")
        equal(receiver.lines(1), ["order.created:12.5|c|#by:card"])


@table(
    [
        ("blanks and quotes", 'say "hi"', 'say "hi"'),
        ("an equals sign", "a=b=c", "a=b=c"),
        ("nothing", "", None),
        ("a backslash", "a\\nb", "a\\nb"),
        ("a line end", "a\nb", "a_b"),
        ("UTF-8", "Zürich", "Zürich"),
        ("a word that JSON knows", "null", "null"),
        ("braces", '{"a":1}', '{"a":1}'),
    ]
)
def _(value, want):
    with UdpReceiver() as receiver, agent_for(receiver) as agent:
        publish(f"fifo://{agent.directory}/events", "order.created", "amount=1", "note=" + value)
        equal(receiver.lines(1), ["order.created:1|c" + (f"|#note:{want}" if want is not None else "")])


@test("a value of 100 KB is shortened to what a pipe takes whole")
def _():
    with UdpReceiver() as receiver, agent_for(receiver, more="limits: {line: 4KiB}\n") as agent:
        publish(f"fifo://{agent.directory}/events", "order.created", "amount=1", "by=card", "error=" + "x" * 100_000)
        equal(receiver.lines(1), ["order.created:1|c|#by:card"])
        equal(agent.outcomes(), {"mapped": 1})


@test("the event is dated, and dates itself where it can")
def _():
    config = 'rules: [{match: "**", metrics: [{counter: c, tags: {at: "{timestamp}", time: "{time}"}}]}]\n'
    with UdpReceiver() as receiver, Agent(
        f"inputs: [fifo://{{dir}}/events]\noutputs: [{receiver.url}]\n{config}"
    ) as agent:
        publish(f"fifo://{agent.directory}/events", "a")
        line = receiver.lines(1)[0]
        true(line.startswith("c:1|c|#at:20") and line.endswith("Z"), line)
        publish(f"fifo://{agent.directory}/events", "a", "timestamp=2024-05-01T10:30:45Z")
        equal(receiver.lines(1), ["c:1|c|#at:2024-05-01T10:30:45Z"])
        publish(f"fifo://{agent.directory}/events", "a", "time=1714559445")
        equal(receiver.lines(1), ["c:1|c|#time:1714559445"])


@test("$STATSIDECAR_TO names the agent, --to goes before it")
def _():
    with UdpReceiver() as receiver, agent_for(receiver) as agent:
        env = {"STATSIDECAR_TO": f"fifo://{agent.directory}/events"}
        publish(None, "order.created", "amount=1", env=env)
        equal(receiver.lines(1), ["order.created:1|c"])
        publish("fifo:///nonexistent/events", "order.created", "amount=1", env=env, want=75)
        publish(f"fifo://{agent.directory}/events", "order.created", "amount=2", env={"STATSIDECAR_TO": "nonsense"})
        equal(receiver.lines(1), ["order.created:2|c"])


@test("without any, the default pipe where it is read, else the default port")
def _():
    need("unshare", "mount")
    script = """
        mount -t tmpfs tmpfs /run 2>/dev/null && ip link set lo up 2>/dev/null || { echo cannot; exit 0; }
        mkdir /run/statsidecar
        "$@" publish a; echo "nobody: $?"
        mkfifo /run/statsidecar/events
        "$@" publish b; echo "not read: $?"
        exec 3<>/run/statsidecar/events
        "$@" publish c n=1; echo "read: $?"
        read -r line <&3; echo "$line"
    """
    done = subprocess.run(
        ["unshare", "-r", "-m", "-n", "sh", "-c", script, "sh", *WRAPPER, PROGRAM],
        capture_output=True,
        text=True,
        env=environment({"STATSIDECAR_TO": None}),
        timeout=DEADLINE,
    )
    if done.returncode != 0 or "cannot" in done.stdout:
        skip("no namespaces of our own here")
    lines = done.stdout.splitlines()
    equal(lines[:3], ["nobody: 75", "not read: 75", "read: 0"], done.stderr)
    true(lines[3].startswith('{"event":"c"') and lines[3].endswith('"n":"1"}'), lines[3])
    equal(done.stderr, "statsidecar publish: not sent to udp://127.0.0.1:8127: nobody reads there\n" * 2)


# ---- what does not arrive ----


def a_regular_file(directory):
    (directory / "file").write_text("mine\n")
    return f"fifo://{directory}/file", "what stands at the path is no pipe"


def a_pipe_that_nobody_reads(directory):
    os.mkfifo(directory / "pipe")
    return f"fifo://{directory}/pipe", "nobody reads there"


def a_free_port(_):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        return f"udp://127.0.0.1:{bound.getsockname()[1]}", "nobody reads there"


def a_dead_socket(directory):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(directory / "dead.sock"))
    return f"unix://{directory}/dead.sock", "nobody reads there"


def a_stream_socket(directory):
    global listening  # kept open
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(directory / "stream.sock"))
    listening.listen()
    return f"unix://{directory}/stream.sock", "Protocol wrong type for socket"


@table(
    [
        ("no pipe at all", lambda directory: (f"fifo://{directory}/none", "nobody reads there")),
        ("a pipe that nobody reads", a_pipe_that_nobody_reads),
        ("a regular file", a_regular_file),
        ("a port that nobody reads", a_free_port),
        ("no socket at all", lambda directory: (f"unix://{directory}/none", "nobody reads there")),
        ("a socket that nobody reads", a_dead_socket),
        ("a stream socket", a_stream_socket),
    ]
)
def _(make):
    with temporary_directory() as directory:
        directory = pathlib.Path(directory)
        to, why = make(directory)
        done = publish(to, "order.created", "amount=1", want=75)
        equal(done.stderr, f"statsidecar publish: not sent to {to}: {why}\n")
        equal(publish(to, "-q", "order.created", "amount=1", want=0).stderr, "")
        equal(publish(to, "order.created", "amount=1", "--quiet", want=0).stderr, "")
        done = publish(to, "-", input="a\nb\n", want=75)
        equal(done.stderr, f"statsidecar publish: 2 of 2 lines not sent to {to}\n")
        if (directory / "file").exists():
            equal((directory / "file").read_text(), "mine\n")


def fill(path):
    """Writes until nothing goes in any more; how many lines did."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    count = 0
    try:
        while True:
            os.write(descriptor, b"filler\n")
            count += 1
    except BlockingIOError:
        return count
    finally:
        os.close(descriptor)


@test("a full pipe drops the event, and tears none")
def _():
    with UdpReceiver() as receiver, agent_for(receiver) as agent:
        to = f"fifo://{agent.directory}/events"
        agent.freeze()
        filled = fill(agent.directory / "events")
        done = publish(to, "order.created", "amount=1", want=75)
        equal(done.stderr, f"statsidecar publish: not sent to {to}: the pipe or socket is full\n")
        publish(to, "-q", "order.created", "amount=1")
        done = publish(to, "-", input="a\n" * 10_000, want=75)
        equal(done.stderr, f"statsidecar publish: 10000 of 10000 lines not sent to {to}\n")
        agent.thaw()
        wait_until(lambda: agent.outcomes().get("fallback") == filled, "the lines that were in the pipe")
        publish(to, "order.created", "amount=1")
        wait_until(lambda: agent.outcomes() == {"fallback": filled, "mapped": 1}, "one more")


# ---- lines ----


@table(
    [
        ("lines of both formats", 'order.created amount=1\n{"event":"order.created","amount":2}\n', [1, 2]),
        ("a last line without newline", "order.created amount=1\norder.created amount=2", [1, 2]),
        ("blank lines and other line ends", "\norder.created amount=1\r\n\n \norder.created amount=2\r\n\n", [1, 2]),
        ("nothing", "", []),
    ]
)
def _(text, amounts):
    with UdpReceiver() as receiver, agent_for(receiver) as agent:
        publish(f"fifo://{agent.directory}/events", "-", input=text + ("\n" if amounts else ""))
        equal(receiver.lines(len(amounts)), [f"order.created:{n}|c" for n in amounts])
        equal(agent.outcomes(), {"mapped": len(amounts)} if amounts else {})


@test("a line that is too long is dropped and counted, the next one is sent")
def _():
    with UdpReceiver() as receiver, agent_for(receiver) as agent:
        to = f"fifo://{agent.directory}/events"
        long = ["order.created amount=1 pad=" + "x" * size for size in (4096, 20_000, 300_000)]
        lines = [*long, "order.created amount=2", *long, "order.created amount=3"]
        done = publish(to, "-", input="\n".join(lines), want=75)
        equal(done.stderr, f"statsidecar publish: 6 of 8 lines not sent to {to}\n")
        equal(receiver.lines(2), ["order.created:2|c", "order.created:3|c"])


@table(
    [
        ("publish waits for lines on standard input, also where somebody made that non-blocking", ["publish", "-"]),
        ("explain waits for lines on standard input, also where somebody made that non-blocking", ["explain", "-c", "tasker"]),
    ]
)
def _(words):
    with UdpReceiver() as receiver:
        reading, writing = os.pipe2(os.O_NONBLOCK)
        program = subprocess.Popen(
            WRAPPER + [PROGRAM, *words],
            stdin=reading,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment({"STATSIDECAR_TO": receiver.url}),
        )
        lines = Lines(program.stdout)
        for number in range(2):  # the first one shows that it reads; it has read in vain before the second one
            if number:
                wait_until(lambda: state_of(program.pid) in "SZ", "it to wait, or to end")
            os.write(writing, b"order.n%d\n" % number)
            if words[0] == "publish":
                receiver.lines(1)
            else:
                lines.wait_for(f"order.n{number}")
        os.close(writing)
        os.close(reading)
        equal((program.wait(DEADLINE), program.stderr.read()), (0, b""))
        lines.wait_end()
        program.stdout.close()
        program.stderr.close()


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]


class Publisher:
    """A `statsidecar publish -` that lines are fed to."""

    def __init__(self, to):
        self.process = subprocess.Popen(
            WRAPPER + [PROGRAM, "publish", "--to", to, "-"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self.stderr = Lines(self.process.stderr)

    def feed(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(DEADLINE)
        self.stderr.wait_end()
        self.process.stderr.close()
        return status


@table([(f"agents come and go behind {input.split(':')[0]}", input) for input in INPUTS if "@" not in input])
def _(input):
    publisher = None
    with temporary_directory() as directory, UdpReceiver() as receiver:
        for number in range(4):
            with agent_for(receiver, input, directory=directory) as agent:
                if publisher is None:
                    input = to_of(agent, input)
                    publisher = Publisher(input)

                def arrived():
                    publisher.feed(f"order.created amount={number}\n")
                    return f"order.created:{number}|c" in receiver.all_lines()

                wait_until(arrived, "an event at the new agent")
            if number == 2 and input.startswith("fifo"):
                os.unlink(agent.directory / "events")
        true(publisher.end() in (0, 75), "the publisher lives to its end")


@table([(f"an agent is killed behind {input.split(':')[0]}", input) for input in INPUTS if "@" not in input])
def _(input):
    with temporary_directory() as directory, UdpReceiver() as receiver:
        with agent_for(receiver, input, directory=directory) as agent:
            input = to_of(agent, input)
            publisher = Publisher(input)
            publisher.feed("order.created amount=1\n")
            receiver.lines(1)
            agent.kill()
            publisher.feed("order.created amount=2\n" * 1000)
        with agent_for(receiver, input, directory=directory) as agent:

            def arrived():
                publisher.feed("order.created amount=3\n")
                return "order.created:3|c" in receiver.all_lines()

            wait_until(arrived, "an event at the agent after the kill")
            true(publisher.end() in (0, 75), "the publisher lives to its end")


@test("lines leave as they come, not at the end")
def _():
    with UdpReceiver() as receiver, agent_for(receiver) as agent:
        publisher = Publisher(f"fifo://{agent.directory}/events")
        for number in range(1, 4):
            publisher.feed(f"order.created amount={number}\norder.created amou")
            equal(receiver.lines(1), [f"order.created:{number}|c"])
            publisher.feed(f"nt={number}0\n")
            equal(receiver.lines(1), [f"order.created:{number}0|c"])
        equal(publisher.end(), 0)


@test("eight publishers at once: what they sent has arrived")
def _():
    lines = 20_000
    with UdpReceiver() as receiver, agent_for(receiver) as agent:
        to = f"fifo://{agent.directory}/events"
        publishers = [Publisher(to) for _ in range(8)]
        for publisher in publishers:
            publisher.feed("order.created amount=1 by=someone\n" * lines)
        dropped = 0
        for publisher in publishers:
            if publisher.end() != 0:
                dropped += int(publisher.stderr.all()[0].split()[2])
        wait_until(lambda: agent.outcomes() == {"mapped": 8 * lines - dropped}, "all that was sent")
        agent.check_balance()


# ---- wrong calls ----


@table(
    [
        ("no identifier", [], "an identifier is missing"),
        ("an identifier with a blank", ["order created"], "`order created` is no identifier"),
        ("an identifier that begins with a digit", ["1st"], "`1st` is no identifier"),
        ("an empty identifier", [""], "`` is no identifier"),
        ("an identifier of 201 bytes", ["a" * 201], "is no identifier: 1 to 200 bytes"),
        ("no equals sign", ["a", "b"], "`b` is not KEY=VALUE"),
        ("no key", ["a", "=b"], "`=b` is not KEY=VALUE"),
        ("a second identifier", ["a", "event=b"], "`event` is the identifier itself"),
        ("fields behind -", ["-", "a=b"], "unexpected argument `a=b` behind `-`"),
        ("an unknown option", ["a", "--from", "b"], "unknown option --from"),
        ("an option without value", ["a", "--to"], "the option --to needs a value"),
        ("no URL", ["a", "--to", "/run/events"], "/run/events: write fifo:///PATH, udp://ADDRESS:PORT"),
        ("a host name", ["a", "--to", "udp://agent:8127"], "host names are not looked up"),
        ("a connection", ["a", "--to", "tcp://127.0.0.1:8127"], "would have to wait"),
        ("a stream socket's URL", ["a", "--to", "unixstream:///run/a.sock"], "would have to wait"),
    ]
)
def _(arguments, why):
    done = publish(None, *arguments, want=64)
    contains(done.stderr, why)
    contains(done.stderr, "statsidecar help publish")


@test("a wrong $STATSIDECAR_TO is named")
def _():
    done = publish(None, "a", want=64, env={"STATSIDECAR_TO": "nonsense"})
    contains(done.stderr, "$STATSIDECAR_TO: write fifo:///PATH")


@test("help")
def _():
    usage = "usage: statsidecar publish [--to URL] [-q] IDENTIFIER [KEY=VALUE]… | -"
    contains(command("publish", "--help").stdout, usage)
    contains(command("help").stdout, "publish")


main()
