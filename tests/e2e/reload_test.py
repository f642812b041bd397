"""A changed configuration: swapped in as a whole, by HUP or because a file's content changed; a faulty one changes nothing."""

import array
import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import termios
import threading

from harness import (
    IS_INSTRUMENTED,
    Agent,
    Failure,
    UdpReceiver,
    UnixReceiver,
    contains,
    equal,
    main,
    send_udp,
    send_unix,
    table,
    temporary_directory,
    test,
    total,
    true,
    wait_until,
    write_pipe,
)

RULES = """
rules:
  - {match: "r.*", metrics: [{counter: "old.{event}", value: n}]}
"""
NEW_RULES = RULES.replace("old.", "new.")
FAULT = "\nno_such_key: 1\n"
RESULT = re.compile(r"\breloaded: |the configuration was not reloaded")


class Reloading(Agent):
    """An agent whose configuration is changed while it runs."""

    def results(self):
        return [line for line in self.stderr.all() if RESULT.search(line)]

    def await_results(self, count):
        return wait_until(lambda: len(self.results()) >= count and self.results(), f"reload {count}")

    writer = None

    def reload(self, config):
        """By HUP alone: the file is not closed, so that the agent does not notice by itself."""
        before = len(self.results())
        text = (config + "\nadmin: off\ntelemetry: off\n").replace("{dir}", str(self.directory))
        self.writer = self.writer or open(self.config, "r+")
        self.writer.seek(0)
        self.writer.truncate()
        self.writer.write(text)
        self.writer.flush()
        self.send_signal(signal.SIGHUP)
        return "reloaded: " in self.await_results(before + 1)[before]

    def __exit__(self, *how):
        if self.writer is not None and self.process.poll() is None:
            self.stop()
        if self.writer is not None:
            self.writer.close()
        super().__exit__(*how)

    def replace(self, config):
        """As most tools do it: written beside it, renamed into place."""
        text = (config + "\nadmin: off\ntelemetry: off\n").replace("{dir}", str(self.directory))
        beside = self.directory / "beside"
        beside.write_text(text)
        beside.rename(self.config)

    def settle(self):
        """Everything that was written to its files is noticed: a second change is, and comes after it."""
        before = len(self.results())
        self.send_signal(signal.SIGHUP)
        self.await_results(before + 1)


def pipe_to(receiver, rules=RULES, more=""):
    return f"inputs: ['fifo://{{dir}}/pipe'{more}]\noutputs: ['{receiver.url}']\n" + rules


def in_force(agent, receiver):
    """Which rules an event meets now."""
    write_pipe(agent.directory / "pipe", "r.a n=1")
    return receiver.lines(1)[0].split(".")[0]


# ---- how a change is noticed ----


def write_in_place(agent, text):
    agent.config.write_text(text)


def write_slowly(agent, text):
    with open(agent.config, "w") as file:
        for part in re.split("(?<=\n)", text):
            file.write(part)
            file.flush()


def rename_into_place(agent, text):
    beside = agent.directory / "beside"
    beside.write_text(text)
    beside.rename(agent.config)


def delete_and_create(agent, text):
    agent.config.unlink()
    agent.config.write_text(text)


def link_into_place(agent, text):
    beside = agent.directory / "beside"
    beside.write_text(text)
    agent.config.unlink()
    agent.config.symlink_to(beside)


@table(
    [
        ("a file written in place is read again, once", write_in_place),
        ("a file written in pieces is read again, once, when it is whole", write_slowly),
        ("a file renamed into place is read again, once", rename_into_place),
        ("a file that was deleted and created is read again", delete_and_create),
        ("a symbolic link in the file's place is followed", link_into_place),
    ]
)
def _(change):
    with UdpReceiver() as receiver, Reloading(pipe_to(receiver)) as agent:
        equal(in_force(agent, receiver), "old")
        change(agent, agent.config.read_text().replace("old.", "new."))
        contains(agent.await_results(1)[0], "reloaded: ")
        equal(in_force(agent, receiver), "new")
        agent.settle()
        equal(len(agent.results()), 2, "reloads, the last one by HUP")


class ConfigMap:
    """A directory as the kubelet mounts it: files are links into ..data, a link that is renamed over the old one."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.version = 0

    def publish(self, **files):
        self.version += 1
        name = f"..2024_{self.version}"
        (self.folder / name).mkdir()
        for key, text in files.items():
            (self.folder / name / f"{key}.yaml").write_text(text)
        data = self.folder / "..data"
        before = data.resolve() if data.exists() else None
        (self.folder / "..data_tmp").symlink_to(name)
        (self.folder / "..data_tmp").rename(data)
        for key in files:
            link = self.folder / f"{key}.yaml"
            if not link.is_symlink():
                link.symlink_to(f"..data/{key}.yaml")
        if before is not None:
            for file in before.iterdir():
                file.unlink()
            before.rmdir()


@test("a mounted ConfigMap: swapped content is in force, the same content in another swap is no reload")
def _():
    with UdpReceiver() as receiver, temporary_directory() as folder:
        mount = ConfigMap(folder)
        text = pipe_to(receiver, "include: ['rules.yaml']").replace("{dir}", folder) + "\nadmin: off\ntelemetry: off\n"
        mount.publish(main=text, rules=RULES)
        with Reloading(arguments=["-c", f"{folder}/main.yaml"], directory=folder) as agent:
            for turn in range(3):
                equal(in_force(agent, receiver), "old")
                mount.publish(main=text, rules=NEW_RULES)
                agent.await_results(2 * turn + 1)
                equal(in_force(agent, receiver), "new")
                mount.publish(main=text, rules=RULES)
                agent.await_results(2 * turn + 2)
            for _ in range(3):
                mount.publish(main=text, rules=RULES)
            mount.publish(main=text, rules=NEW_RULES)
            agent.await_results(7)
            agent.settle()
            equal(len(agent.results()), 8, "reloads, the last one by HUP")
            true(all("reloaded: " in line for line in agent.results()), agent.results())


@test("unchanged content is no reload: touched, written again, renamed over")
def _():
    with UdpReceiver() as receiver, Reloading(pipe_to(receiver)) as agent:
        text = agent.config.read_text()
        os.utime(agent.config)
        agent.config.write_text(text)
        rename_into_place(agent, text)
        (agent.directory / "statsidecar.yaml.bak").write_text("no configuration")
        rename_into_place(agent, text.replace("old.", "new."))
        agent.await_results(1)
        rename_into_place(agent, text.replace("old.", "new."))
        agent.settle()
        equal(len(agent.results()), 2, "reloads, the last one by HUP")


@test("included files, those that come to a pattern, and those that leave it")
def _():
    with UdpReceiver() as receiver, temporary_directory() as folder:
        parts = pathlib.Path(folder) / "parts"
        parts.mkdir()
        (parts / "1.yaml").write_text(RULES)
        config = pipe_to(receiver, f"include: ['{folder}/parts/*.yaml']")
        with Reloading(config) as agent:
            equal(in_force(agent, receiver), "old")
            (parts / "1.yaml").write_text(NEW_RULES)
            agent.await_results(1)
            equal(in_force(agent, receiver), "new")
            (parts / "2.yaml").write_text(RULES)
            agent.await_results(2)
            write_pipe(agent.directory / "pipe", "r.b n=2")
            equal(sorted(receiver.lines(2)), ["new.r.b:2|c", "old.r.b:2|c"])
            (parts / "1.yaml").unlink()
            agent.await_results(3)
            equal(in_force(agent, receiver), "old")


@test("a missing include that appears mends a refused reload")
def _():
    with UdpReceiver() as receiver, Reloading(pipe_to(receiver)) as agent:
        agent.replace(pipe_to(receiver, "include: ['{dir}/late.yaml']"))
        contains(agent.await_results(1)[0], "not reloaded")
        equal(in_force(agent, receiver), "old")
        (agent.directory / "late.yaml").write_text(NEW_RULES)
        contains(agent.await_results(2)[1], "reloaded: ")
        equal(in_force(agent, receiver), "new")


@test("the folder of a pattern that is made later, and one above it")
def _():
    with UdpReceiver() as receiver, temporary_directory() as folder:
        parts = pathlib.Path(folder) / "late/parts"
        with Reloading(pipe_to(receiver, f"include: ['{parts}/*.yaml']")) as agent:
            parts.mkdir(parents=True)
            (parts / "1.yaml").write_text(RULES)
            contains(agent.await_results(1)[0], "reloaded: ")
            equal(in_force(agent, receiver), "old")


@table(
    [
        ("a folder that is removed, and made anew", shutil.rmtree),
        ("a folder that is moved away, and made anew", lambda parts: parts.rename(f"{parts}.old")),
    ]
)
def _(remove):
    with UdpReceiver() as receiver, temporary_directory() as folder:
        parts = pathlib.Path(folder) / "parts"
        parts.mkdir()
        (parts / "1.yaml").write_text(RULES)
        with Reloading(pipe_to(receiver, f"include: ['{parts}/1.yaml']")) as agent:
            remove(parts)
            contains(agent.await_results(1)[0], "not reloaded")
            equal(in_force(agent, receiver), "old")
            parts.mkdir()
            (parts / "1.yaml").write_text(NEW_RULES)
            contains(agent.await_results(2)[1], "reloaded: ")
            equal(in_force(agent, receiver), "new")


# ---- a faulty one changes nothing ----


@test("a faulty configuration changes nothing, and each fault is told with its place")
def _():
    with UdpReceiver() as receiver, Reloading(pipe_to(receiver)) as agent:
        before = agent.descriptors()
        equal(agent.reload(pipe_to(receiver, NEW_RULES) + FAULT + "log: {level: loud}\n"), False)
        agent.stderr.wait_for(r"statsidecar\.yaml:7:1: error: unknown key `no_such_key`")
        agent.stderr.wait_for(r"statsidecar\.yaml:8:14: error: .*loud")
        equal(in_force(agent, receiver), "old")
        equal(agent.descriptors(), before)
        counters = agent.check_balance()
        equal(counters['statsidecar_config_reloads_total{result="failure"}'], 1)
        equal(counters['statsidecar_config_reloads_total{result="success"}'], 0)
        equal(counters["statsidecar_config_last_reload_successful"], 0)
        equal(agent.reload(pipe_to(receiver, NEW_RULES)), True)
        equal(in_force(agent, receiver), "new")
        counters = agent.counters()
        equal(counters['statsidecar_config_reloads_total{result="success"}'], 1)
        equal(counters["statsidecar_config_last_reload_successful"], 1)


@test("a file that is gone is a fault, told by HUP; what runs goes on")
def _():
    with UdpReceiver() as receiver, Reloading(pipe_to(receiver)) as agent:
        agent.config.unlink()
        agent.settle()
        contains(agent.results()[0], "not reloaded")
        agent.stderr.wait_for("cannot read `.*statsidecar.yaml`: No such file")
        equal(in_force(agent, receiver), "old")


@test("a configuration that came out of a pipe cannot be read again, and is not waited for")
def _():
    with UdpReceiver() as receiver, temporary_directory() as folder:
        os.mkfifo(f"{folder}/config")
        agent = Reloading(arguments=["-c", f"{folder}/config"], directory=folder)
        agent.start(wait=False)
        try:
            pathlib.Path(f"{folder}/config").write_text(
                pipe_to(receiver).replace("{dir}", folder) + "\nadmin: off\ntelemetry: off\n"
            )
            agent.wait_ready()
            agent.settle()
            contains(agent.results()[0], "not reloaded")
            equal(in_force(agent, receiver), "old")
            agent.stop()
        finally:
            agent.kill()


@test("a pipe among the included files is a fault, and is not waited for")
def _():
    with UdpReceiver() as receiver, Reloading('include: ["conf.d/*"]\n' + pipe_to(receiver)) as agent:
        (agent.directory / "conf.d").mkdir()
        os.mkfifo(agent.directory / "conf.d" / "pipe")
        agent.send_signal(signal.SIGHUP)
        agent.stderr.wait_for("cannot read `.*/conf.d/pipe`: it is no regular file")
        agent.stderr.wait_for("not reloaded")
        equal(in_force(agent, receiver), "old")
        (agent.directory / "conf.d" / "pipe").unlink()
        equal(agent.reload('include: ["conf.d/*"]\n' + pipe_to(receiver, NEW_RULES)), True)
        equal(in_force(agent, receiver), "new")


@test("where a new input cannot be opened nothing has changed, and what was opened for it is gone again")
def _():
    with UdpReceiver() as receiver, UdpReceiver() as taken, Reloading(pipe_to(receiver)) as agent:
        before = agent.descriptors()
        more = f", 'fifo://{{dir}}/second', 'unix://{{dir}}/socket', 'tcp://127.0.0.1:0', 'udp://127.0.0.1:{taken.port}'"
        equal(agent.reload(pipe_to(receiver, NEW_RULES, more)), False)
        agent.stderr.wait_for(f"cannot listen on udp://127.0.0.1:{taken.port}: Address already in use")
        equal(in_force(agent, receiver), "old")
        equal(agent.descriptors(), before)
        equal(sorted(path.name for path in agent.directory.iterdir()), ["pipe", "statsidecar.yaml"])


# ---- what stays, what comes, what goes ----

EVERY_INPUT = "'fifo://{dir}/pipe', 'udp://127.0.0.1:0', 'tcp://127.0.0.1:0', 'unix://{dir}/socket', 'unixstream://{dir}/stream'"


@test("what stays stays open: descriptors, connections, half lines, in every input and output")
def _():
    with UdpReceiver() as udp, UnixReceiver() as unix, temporary_directory() as folder, socket.socket(
        socket.AF_UNIX, socket.SOCK_STREAM
    ) as listener, socket.create_server(("127.0.0.1", 0)) as server:
        listener.bind(f"{folder}/listener")
        listener.listen()
        outputs = f"['{udp.url}', '{unix.url}', 'unixstream://{folder}/listener', 'tcp://127.0.0.1:{server.getsockname()[1]}', 'stdout:']"
        config = f"inputs: [{EVERY_INPUT}]\noutputs: {outputs}"
        with Reloading(config + RULES) as agent:
            framed, _ = listener.accept()
            lines, _ = server.accept()
            tcp = socket.create_connection(("127.0.0.1", agent.ports("tcp")[0]))
            stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            stream.connect(f"{agent.directory}/stream")
            pipe = os.open(agent.directory / "pipe", os.O_WRONLY)
            tcp.sendall(b"r.tcp n=1\nr.tc")
            stream.sendall(b"r.stream n=1\nr.str")
            os.write(pipe, b"r.pipe n=1\nr.pi")
            udp.lines(3)
            unix.lines(3)
            before = agent.descriptors()
            equal(agent.reload(config + NEW_RULES), True)
            equal(agent.descriptors(), before, "the descriptors")
            tcp.sendall(b"p n=2\n")
            stream.sendall(b"eam n=2\n")
            os.write(pipe, b"pe n=2\n")
            send_udp(agent.ports()[0], "r.udp n=2")
            send_unix(agent.directory / "socket", "r.unix n=2")
            want = sorted(f"new.r.{kind}:2|c" for kind in ("tcp", "stream", "pipe", "udp", "unix"))
            equal(sorted(udp.lines(5)), want)
            equal(sorted(unix.lines(5)), want)
            wait_until(lambda: len(agent.stdout.all()) == 8, "standard output")
            equal(sorted(agent.stdout.all()[3:]), want)
            read = b""
            while read.count(b"\n") < 8:
                read += lines.recv(4096)
            equal(sorted(read.decode().split()[3:]), want)
            frames = b""
            while len(re.findall(rb"new\.", frames)) < 5:
                frames += framed.recv(4096)
            agent.check_balance()
            for end in (tcp, stream, framed, lines):
                end.close()
            os.close(pipe)


@test("a new input is opened, a removed one is read to its end by the old rules, and its events stay in the accounts")
def _():
    with UdpReceiver() as receiver, Reloading(pipe_to(receiver, more=", {url: 'udp://127.0.0.1:0', name: lan}")) as agent:
        port = agent.ports()[0]
        config = agent.config.read_text().replace("old.", "new.").replace("/pipe'", "/other'").replace("udp://127.0.0.1:0", "unix://{dir}/s")
        agent.freeze()
        write_pipe(agent.directory / "pipe", *[f"r.pipe n={n}" for n in range(3000)])
        for n in range(100):
            send_udp(port, f"r.udp n={n}")
        rename_into_place(agent, config.replace("{dir}", str(agent.directory)))
        agent.send_signal(signal.SIGHUP)
        agent.thaw()
        lines = receiver.lines(3100)
        equal([line for line in lines if ".pipe" in line], [f"old.r.pipe:{n}|c" for n in range(3000)])
        equal([line for line in lines if ".udp" in line], [f"old.r.udp:{n}|c" for n in range(100)])
        agent.await_results(1)
        write_pipe(agent.directory / "other", "r.other n=1")
        send_unix(agent.directory / "s", "r.unix n=1")
        equal(sorted(receiver.lines(2)), ["new.r.other:1|c", "new.r.unix:1|c"])
        counters = agent.check_balance()
        equal(counters['statsidecar_events_received_total{input="(removed)"}'], 3000)
        equal(counters['statsidecar_events_received_total{input="lan"}'], 101, "a name that stays goes on counting")
        true(not any("/pipe" in target for target in agent.descriptors().values()), agent.descriptors())
        equal(agent.ports(), [])


@test("all inputs are others: it goes on with them")
def _():
    with UdpReceiver() as receiver, Reloading(pipe_to(receiver)) as agent:
        equal(agent.reload(pipe_to(receiver, NEW_RULES).replace("/pipe'", "/other'")), True)
        write_pipe(agent.directory / "other", "r.a n=1")
        equal(receiver.lines(1), ["new.r.a:1|c"])


@table(
    [
        ("udp: another address of the same port, and back", "udp", socket.SOCK_DGRAM),
        ("tcp: another address of the same port, and back", "tcp", socket.SOCK_STREAM),
    ]
)
def _(transport, kind):
    with UdpReceiver() as receiver, socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()

        def config(host, rules):
            url = f"{{url: '{transport}://{host}:{port}', allow_from: any}}"
            return f"inputs: [{url}]\noutputs: ['{receiver.url}']" + rules

        def send(host, line):
            with socket.socket(socket.AF_INET, kind) as sender:
                sender.connect((host, port))
                sender.sendall(line)

        with Reloading(config("127.0.0.1", RULES)) as agent:
            send("127.0.0.1", b"r.a n=1\n")
            equal(receiver.lines(1), ["old.r.a:1|c"])
            for host in ("0.0.0.0", "127.0.0.1", "0.0.0.0"):
                equal(agent.reload(config(host, NEW_RULES)), True)
                send("127.0.0.1", b"r.a n=2\n")
                equal(receiver.lines(1), ["new.r.a:2|c"])
                equal(agent.ports(transport), [port])
                with socket.socket(socket.AF_INET, kind) as other:
                    try:
                        other.bind(("127.0.0.1", port))
                    except OSError:
                        continue
                    raise Failure("another process may have the port too")


@test("a pipe and a socket that somebody removed are made anew")
def _():
    config = "inputs: ['fifo://{dir}/pipe', 'unix://{dir}/socket', 'unixstream://{dir}/stream']\noutputs: ['URL']"
    with UdpReceiver() as receiver, Reloading(config.replace("URL", receiver.url) + RULES) as agent:
        pipe = os.open(agent.directory / "pipe", os.O_WRONLY)
        for name in ("pipe", "socket", "stream"):
            (agent.directory / name).unlink()
        agent.freeze()
        os.write(pipe, b"r.held n=1\n")
        agent.send_signal(signal.SIGHUP)
        agent.thaw()
        agent.await_results(1)
        write_pipe(agent.directory / "pipe", "r.pipe n=1")
        send_unix(agent.directory / "socket", "r.unix n=1")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            stream.connect(f"{agent.directory}/stream")
            stream.sendall(b"r.stream n=1\n")
        equal(sorted(receiver.lines(4)), [f"old.r.{name}:1|c" for name in ("held", "pipe", "stream", "unix")])
        agent.check_balance()
        os.close(pipe)


@test("an output that goes away and one that comes; one of the same name goes on counting")
def _():
    with UdpReceiver() as first, UdpReceiver() as second, Reloading(
        f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{name: main, url: '{first.url}'}}]" + RULES
    ) as agent:
        equal(in_force(agent, first), "old")
        equal(agent.reload(f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{name: main, url: '{second.url}'}}]" + NEW_RULES), True)
        equal(in_force(agent, second), "new")
        counters = agent.counters()
        equal(counters['statsidecar_metrics_total{output="main",outcome="sent"}'], 2)
        equal(counters['statsidecar_output_up{output="main"}'], 1)


@test("options of an input that stays: rights, allow_from, tags, name, max_connections")
def _():
    inputs = (
        "[{{url: 'fifo://{{dir}}/pipe', mode: {mode}, tags: {{via: {via}}}, name: {via}}}, {{url: 'unix://{{dir}}/s', mode: {mode}}}, "
        "{{url: 'udp://127.0.0.1:0', name: u, allow_from: [{allowed}]}}, {{url: 'tcp://127.0.0.1:0', max_connections: {most}}}]"
    )

    def config(receiver, **options):
        return f"inputs: {inputs.format(**options)}\noutputs: ['{receiver.url}']" + RULES

    with UdpReceiver() as receiver, Reloading(
        config(receiver, mode="0600", via="a", allowed="10.0.0.0/8", most=1)
    ) as agent:
        port, tcp_port = agent.ports()[0], agent.ports("tcp")[0]
        write_pipe(agent.directory / "pipe", "r.a n=1")
        equal(receiver.lines(1), ["old.r.a:1|c|#via:a"])
        send_udp(port, "r.b n=1")
        wait_until(lambda: agent.counters()['statsidecar_input_refused_total{input="u"}'] == 1, "the refusal")
        equal(agent.reload(config(receiver, mode="0640", via="b", allowed="127.0.0.0/8", most=3)), True)
        for name in ("pipe", "s"):
            equal(oct(stat.S_IMODE((agent.directory / name).stat().st_mode)), "0o640", name)
        write_pipe(agent.directory / "pipe", "r.a n=2")
        equal(receiver.lines(1), ["old.r.a:2|c|#via:b"])
        send_udp(port, "r.b n=3")
        equal(receiver.lines(1), ["old.r.b:3|c"])
        connections = [socket.create_connection(("127.0.0.1", tcp_port)) for _ in range(3)]
        for connection in connections:
            connection.sendall(b"r.c n=1\n")
        equal(receiver.lines(3), ["old.r.c:1|c"] * 3)
        equal(agent.reload(config(receiver, mode="0640", via="b", allowed="127.0.0.0/8", most=2)), True)
        for connection in connections:
            connection.sendall(b"r.c n=2\n")
        equal(receiver.lines(3), ["old.r.c:2|c"] * 3, "those that are open stay")
        with socket.create_connection(("127.0.0.1", tcp_port)) as late:
            equal(late.recv(1), b"", "one beyond max_connections")
        for connection in connections:
            connection.close()
        agent.check_balance()


@test("limits.line: longer ones fit after a reload; what was read while they might be longer is oversize after another")
def _():
    def config(receiver, line):
        return pipe_to(receiver) + f"limits: {{line: {line}}}\n"

    with UdpReceiver() as receiver, Reloading(config(receiver, "1KiB")) as agent:
        pipe = os.open(agent.directory / "pipe", os.O_RDWR)
        os.write(pipe, b"r.a n=1 x=" + b"x" * 2000 + b"\n" + b"r.a n=2 x=" + b"x" * 900)
        wait_until(lambda: agent.outcomes().get("oversize") == 1, "the first line")
        equal(agent.reload(config(receiver, "1MiB")), True)
        os.write(pipe, b"x" * 300000 + b"\n")
        equal(receiver.lines(1), ["old.r.a:2|c"])
        os.write(pipe, b"r.a n=3 x=" + b"x" * 600000)
        wait_until(lambda: readable(pipe) == 0, "the half line to be read")
        equal(agent.reload(config(receiver, "1KiB")), True)
        os.write(pipe, b"x" * 1000 + b"\nr.a n=4\n")
        equal(receiver.lines(1), ["old.r.a:4|c"])
        equal(agent.outcomes(), {"mapped": 2, "oversize": 2})
        agent.check_balance()
        os.close(pipe)


def readable(descriptor):
    """Bytes that wait in a pipe."""
    held = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, held)
    return held[0]


@test("entities of an unchanged lifecycle, guards and counters stay")
def _():
    lifecycle = """
lifecycles:
  order:
    key: [id]
    enter: {r.begin: open, r.end: closed}
    transitions: {open: [closed], closed: []}
    active: [open]
    final: [closed]
    duration: {field: took, state: open}
fields: {took: {from: [took]}}
limits: {tag_values: 2}
"""
    rules = """
rules:
  - {match: "r.*", metrics: [{counter: "GEN.{event}", tags: {id: "{id}"}}, {counter: moved, when: ["state.from == open"]}]}
"""
    with UdpReceiver() as receiver, Reloading(pipe_to(receiver, lifecycle + rules.replace("GEN", "old"))) as agent:
        write_pipe(agent.directory / "pipe", "r.begin id=1", "r.begin id=2", "r.begin id=3")
        equal(receiver.lines(3), ["old.r.begin:1|c|#id:1", "old.r.begin:1|c|#id:2", "old.r.begin:1|c|#id:__other__"])
        equal(agent.reload(pipe_to(receiver, lifecycle + rules.replace("GEN", "new"))), True)
        write_pipe(agent.directory / "pipe", "r.end id=1", "r.begin id=4")
        equal(receiver.lines(3), ["new.r.end:1|c|#id:1", "moved:1|c", "new.r.begin:1|c|#id:__other__"])
        counters = agent.check_balance()
        equal(counters['statsidecar_values_limited_total{tag="id"}'], 2)
        equal(counters['statsidecar_lifecycle_entities{lifecycle="order",state="open"}'], 3)
        equal(counters['statsidecar_events_total{outcome="mapped"}'], 5)


@test("log level and format, and what needs a restart")
def _():
    with UdpReceiver() as receiver, Reloading(pipe_to(receiver) + "log: {format: json}\n") as agent:
        equal(agent.reload(pipe_to(receiver) + "sandbox: false\nlog: {level: debug}\n"), True)
        agent.stderr.wait_for("warning sandbox: .*restart")
        agent.stderr.wait_for(r"^\S+Z info reloaded")


# ---- outputs that block ----


def blocked(path, rules=RULES, mode="block", pipe="pipe", grace="1h"):
    return (
        f"inputs: ['fifo://{{dir}}/{pipe}']\noutputs: [{{url: 'unix://{path}', name: slow, when_full: {mode}}}]\n"
        f"shutdown_grace: {grace}\n" + rules
    )


@test("in the middle of a blocked line and batch: nothing is lost or doubled, each event by the old or the new rules")
def _():
    with temporary_directory() as folder, Reloading(blocked(f"{folder}/late")) as agent:
        batch = "[" + ",".join(f'{{"event":"r.a","n":{n}}}' for n in range(2000)) + "]"
        write_pipe(agent.directory / "pipe", batch, *[f"r.a n={n}" for n in range(2000, 4000)])
        wait_until(lambda: agent.outcomes().get("mapped"), "the first events")
        equal(agent.reload(blocked(f"{folder}/late", NEW_RULES)), True)
        agent.check_balance()
        with UnixReceiver(path=f"{folder}/late") as receiver:
            lines = receiver.lines(4000)
            numbers = [int(re.search(r":(\d+)\|c", line).group(1)) for line in lines]
            equal(numbers, list(range(4000)))
            rules = [line.split(".")[0] for line in lines]
            first_new = rules.index("new")
            equal(rules, ["old"] * first_new + ["new"] * (4000 - first_new))
            true(0 < first_new < 2000, f"{first_new} by the old rules")


@test("from block to drop: what waits is dropped and counted, and the pipe is read again")
def _():
    with temporary_directory() as folder, Reloading(blocked(f"{folder}/absent")) as agent:
        write_pipe(agent.directory / "pipe", *[f"r.a n={n}" for n in range(3000)])
        wait_until(lambda: agent.outcomes().get("mapped"), "the first events")
        equal(agent.reload(blocked(f"{folder}/absent", mode="drop")), True)
        wait_until(lambda: agent.outcomes() == {"mapped": 3000}, "the rest")
        equal(agent.counters()['statsidecar_metrics_total{output="slow",outcome="dropped"}'], 3000)


@test("an output that blocks and is removed sends what it holds to where it was made for, within the grace")
def _():
    with temporary_directory() as folder, UnixReceiver() as other, Reloading(blocked(f"{folder}/late")) as agent:
        write_pipe(agent.directory / "pipe", *[f"r.a n={n}" for n in range(3000)])
        wait_until(lambda: agent.outcomes().get("mapped"), "the first events")
        equal(agent.reload(blocked(other.path, NEW_RULES)), True)
        first = 3000 - len(wait_until(lambda: agent.outcomes() == {"mapped": 3000} and other.all_lines(), "the rest"))
        pending = agent.counters()['statsidecar_output_pending{output="slow"}']
        equal(pending, first, "what waits in the removed one")
        with UnixReceiver(path=f"{folder}/late") as receiver:
            equal(receiver.lines(first), [f"old.r.a:{n}|c" for n in range(first)])
            wait_until(lambda: agent.counters()['statsidecar_metrics_total{output="slow",outcome="sent"}'] == 3000, "the count")
        equal(agent.counters()['statsidecar_output_pending{output="slow"}'], 0)


@test("… and after the grace what it holds is dropped, and told")
def _():
    with temporary_directory() as folder, UdpReceiver() as other, Reloading(blocked(f"{folder}/absent", grace="100ms")) as agent:
        write_pipe(agent.directory / "pipe", "r.a n=1")
        wait_until(lambda: agent.outcomes().get("mapped"), "the event")
        equal(agent.reload(pipe_to(other)), True)
        agent.stderr.wait_for("output slow, which the reload removed, had shutdown_grace: 1 metrics dropped")


@test("TERM while a removed output still holds a metric: it is sent before the agent ends")
def _():
    with temporary_directory() as folder, UnixReceiver() as other, Reloading(blocked(f"{folder}/late")) as agent:
        write_pipe(agent.directory / "pipe", "r.a n=1")
        wait_until(lambda: agent.outcomes().get("mapped"), "the event")
        equal(agent.reload(blocked(other.path, NEW_RULES)), True)
        agent.send_signal(signal.SIGTERM)
        agent.stderr.wait_for("stopping")
        with UnixReceiver(path=f"{folder}/late") as receiver:
            equal(receiver.lines(1), ["old.r.a:1|c"])
            equal(agent.wait(), 0)
        equal(other.all_lines(), [])
        agent.stderr.wait_for("ended: 1 events received, 1 metrics sent, 0 dropped")


@test("… and after the grace that is in force now it is dropped, and told")
def _():
    with temporary_directory() as folder, UdpReceiver() as other, Reloading(blocked(f"{folder}/absent")) as agent:
        write_pipe(agent.directory / "pipe", "r.a n=1")
        wait_until(lambda: agent.outcomes().get("mapped"), "the event")
        equal(agent.reload(pipe_to(other) + "shutdown_grace: 100ms\n"), True)
        agent.send_signal(signal.SIGTERM)
        equal(agent.wait(), 0)
        agent.stderr.wait_for("shutdown_grace is over: 1 metrics dropped")
        agent.stderr.wait_for("ended: 1 events received, 0 metrics sent, 1 dropped")


@test("a socket is removed while an output blocks")
def _():
    with temporary_directory() as folder:
        old = blocked(f"{folder}/late").replace("'fifo://{dir}/pipe'", "'fifo://{dir}/pipe', 'udp://127.0.0.1:0', 'unixstream://{dir}/stream'")
        with Reloading(old) as agent:
            write_pipe(agent.directory / "pipe", *[f"r.a n={n}" for n in range(3000)])
            wait_until(lambda: agent.outcomes().get("mapped"), "the first events")
            equal(agent.reload(blocked(f"{folder}/late")), True)
            with UnixReceiver(path=f"{folder}/late") as receiver:
                equal(receiver.lines(3000), [f"old.r.a:{n}|c" for n in range(3000)])


@test("a removed pipe is waited for while an output blocks, and the reload comes into force then")
def _():
    with temporary_directory() as folder, Reloading(blocked(f"{folder}/late")) as agent:
        write_pipe(agent.directory / "pipe", *[f"r.a n={n}" for n in range(4000)])
        wait_until(lambda: agent.outcomes().get("mapped"), "the first events")
        agent.replace(blocked(f"{folder}/late", NEW_RULES, pipe="other"))
        agent.stderr.wait_for("the reload waits")
        with UnixReceiver(path=f"{folder}/late") as receiver:
            equal(receiver.lines(4000), [f"old.r.a:{n}|c" for n in range(4000)])
            agent.await_results(1)
            write_pipe(agent.directory / "other", "r.a n=1")
            equal(receiver.lines(1), ["new.r.a:1|c"])
        agent.check_balance()


@test("TERM while a reload waits: what the inputs hold is sent by the old rules")
def _():
    with temporary_directory() as folder, Reloading(blocked(f"{folder}/late")) as agent:
        write_pipe(agent.directory / "pipe", *[f"r.a n={n}" for n in range(4000)])
        wait_until(lambda: agent.outcomes().get("mapped"), "the first events")
        agent.replace(blocked(f"{folder}/late", NEW_RULES, pipe="other"))
        agent.stderr.wait_for("the reload waits")
        agent.send_signal(signal.SIGTERM)
        agent.stderr.wait_for("stopping")
        with UnixReceiver(path=f"{folder}/late") as receiver:
            equal(receiver.lines(4000), [f"old.r.a:{n}|c" for n in range(4000)])
            equal(agent.wait(), 0)


# ---- under load ----


class Feeder(threading.Thread):
    """Sends a share of events each time it is told to, and counts them."""

    def __init__(self, send):
        super().__init__(daemon=True)
        self.send = send
        self.turns = threading.Semaphore(0)
        self.start()

    def run(self):
        while True:
            self.turns.acquire()
            if self.send is None:
                return
            self.send()

    def finish(self):
        send = self.send
        self.send = None
        self.turns.release()
        self.join()
        return send


def generation(number, folder):
    """Two metrics an event, both with the number of the rules."""
    return (
        f"inputs: ['fifo://{folder}/pipe', 'udp://127.0.0.1:0']\noutputs: ['stdout:']\n"
        f"rules: [{{match: 'r.*', metrics: [{{counter: 'first.{number}'}}, {{counter: 'second.{number}'}}]}}]\n"
    )


def reload_under_load(agent, numbers, events):
    """Both inputs get `events` in shares, one for each reload, to the rules of that number. How many reloads succeeded."""
    share = events // len(numbers)
    block = b"r.load n=1\n" * 100
    pipe = os.open(agent.directory / "pipe", os.O_WRONLY)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.connect(("127.0.0.1", agent.ports()[0]))
    feeders = [
        Feeder(lambda: [os.write(pipe, block) for _ in range(share // 100)]),
        Feeder(lambda: [udp.send(block) for _ in range(share // 100)]),
    ]
    good = 0
    for number in numbers:
        for feeder in feeders:
            feeder.turns.release()
        is_faulty = number % 3 == 0
        equal(agent.reload(generation(number, agent.directory) + (FAULT if is_faulty else "")), not is_faulty)
        good += not is_faulty
    for feeder in feeders:
        feeder.finish()
    os.close(pipe)
    udp.close()
    return good


def check_pairs(output):
    """Every event gave both its metrics by the same rules, and the rules came in their order."""
    rest = re.sub(rb"first\.(\d+):1\|c\nsecond\.\1:1\|c\n", b"", output)
    equal(rest[:200], b"", "metrics without their partner")
    numbers = list(map(int, dict.fromkeys(re.findall(rb"first\.(\d+):", output))))
    equal(numbers, sorted(numbers), "the order of the rules")
    true(all(number % 3 for number in numbers[1:]), "faulty rules were in force")


def run_under_load(reloads, events, warm_up):
    with temporary_directory() as folder:
        path = pathlib.Path(folder) / "metrics"
        with open(path, "wb") as file:
            with Reloading(generation(0, folder), directory=folder, stdout=file) as agent:
                good = reload_under_load(agent, range(1, warm_up + 1), warm_up * 100)
                descriptors, memory = agent.descriptors(), agent.memory_kib()
                good += reload_under_load(agent, range(warm_up + 1, warm_up + reloads + 1), events)
                sent = 2 * (events // reloads // 100 * 100 * reloads + warm_up * 100)
                drops = 'statsidecar_input_kernel_drops_total{input="udp://127.0.0.1:0"}'

                def all_accounted():
                    counters = agent.check_balance()
                    received = total(counters, "statsidecar_events_received_total")
                    return received + 100 * counters[drops] == sent and counters

                counters = wait_until(all_accounted, f"{sent} events")
                received = total(counters, "statsidecar_events_received_total")
                equal(counters['statsidecar_events_total{outcome="mapped"}'], received)
                equal(counters['statsidecar_metrics_total{output="stdout:",outcome="sent"}'], 2 * received)
                equal(counters['statsidecar_config_reloads_total{result="success"}'], good)
                equal(agent.descriptors(), descriptors, "descriptors")
                if not IS_INSTRUMENTED:
                    true(agent.memory_kib() < memory + 1024, f"{memory} KiB before, {agent.memory_kib()} KiB after")
        output = path.read_bytes()
        equal(output.count(b"\n"), 2 * received, "lines")
        check_pairs(output)


@test("twenty reloads under load")
def _():
    run_under_load(20, 20000, 10)


@test("a million events and a hundred reloads, every third faulty: each event is accounted for, by one configuration")
def _():
    if IS_INSTRUMENTED:
        run_under_load(30, 30000, 10)
    else:
        run_under_load(100, 500000, 10)


main()
