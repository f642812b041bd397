"""Datagrams: what one may hold, what the kernel drops, who may send, and the life of a Unix socket's file."""

import os
import pathlib
import signal
import socket
import stat
import subprocess

from harness import (
    PROGRAM,
    QUIET,
    Agent,
    Lines,
    UdpReceiver,
    command,
    contains,
    environment,
    equal,
    main,
    send_udp,
    send_unix,
    skip,
    table,
    temporary_directory,
    test,
    total,
    true,
    wait_until,
)

RULES = """
rules:
  - {match: "d.*", metrics: [{counter: "{event}", value: n}]}
"""


def padded(size):
    """One event in so many bytes, without a newline."""
    head, tail = '{"event":"d.big","n":7,"pad":"', '"}'
    return head + "x" * (size - len(head) - len(tail)) + tail


CONTENTS = [
    ("several lines", ["d.a n=1\nd.b n=2\nd.c n=3\n"], ["d.a:1|c", "d.b:2|c", "d.c:3|c"], {"mapped": 3}),
    ("an unterminated last line", ["d.a n=1\nd.b n=2"], ["d.a:1|c", "d.b:2|c"], {"mapped": 2}),
    ("lines ended by CR LF", ["d.a n=1\r\nd.b n=2\r\n"], ["d.a:1|c", "d.b:2|c"], {"mapped": 2}),
    ("an empty datagram, then another", ["", "d.a n=1"], ["d.a:1|c"], {"mapped": 1}),
    ("blank lines are no events", ["\n\n \t\nd.a n=1\n\n"], ["d.a:1|c"], {"mapped": 1}),
    ("a bad line among good ones", ['d.a n=1\n{"event":\nd.b n=2'], ["d.a:1|c", "d.b:2|c"], {"malformed": 1, "mapped": 2}),
    ("65,507 bytes", [padded(65507)], ["d.big:7|c"], {"mapped": 1}),
    ("a byte of zero", ["d.a n=1\0\nd.b n=2"], ["d.b:2|c"], None),
]


@table([(f"udp: {name}", *rest) for name, *rest in CONTENTS])
def _(datagrams, want, outcomes):
    with UdpReceiver() as receiver, Agent(f"inputs: ['udp://127.0.0.1:0']\noutputs: ['{receiver.url}']" + RULES) as agent:
        send_udp(agent.ports()[0], *datagrams)
        check_content(agent, receiver, want, outcomes)


@table([(f"unix: {name}", *rest) for name, *rest in CONTENTS])
def _(datagrams, want, outcomes):
    with UdpReceiver() as receiver, Agent(f"inputs: ['unix://{{dir}}/socket']\noutputs: ['{receiver.url}']" + RULES) as agent:
        send_unix(agent.directory / "socket", *datagrams)
        check_content(agent, receiver, want, outcomes)


def check_content(agent, receiver, want, outcomes):
    lines = receiver.lines(len(want))
    equal(lines[-len(want) :], want)
    if outcomes:
        equal(lines, want)
        equal(agent.outcomes(), outcomes)
    agent.check_balance()


@test("unix: a datagram beyond 64 KiB is one oversize event, the next is read")
def _():
    with UdpReceiver() as receiver, Agent("inputs: ['unix://{dir}/socket']\noutputs: ['" + receiver.url + "']" + RULES) as agent:
        send_unix(agent.directory / "socket", "d.a n=1\n" * 9000, "d.b n=2")
        equal(receiver.lines(1), ["d.b:2|c"])
        equal(agent.outcomes(), {"oversize": 1, "mapped": 1})


@test("udp over IPv6")
def _():
    with UdpReceiver("::1") as receiver, Agent(f"inputs: ['udp://[::1]:0']\noutputs: ['{receiver.url}']" + RULES) as agent:
        send_udp(agent.ports()[0], "d.a n=1", host="::1")
        equal(receiver.lines(1), ["d.a:1|c"])


def flood(port, count):
    """Sends as fast as it goes; every datagram leaves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        for number in range(count):
            sender.send(b"d.flood n=%d" % number)


@table([("the next datagram tells", True), ("the socket's own count tells, without another datagram", False)])
def _(and_one_more):
    sent = 5000
    with UdpReceiver() as receiver, Agent(
        f"inputs: [{{url: 'udp://127.0.0.1:0', receive_buffer: 16KiB}}]\noutputs: ['{receiver.url}']" + RULES
    ) as agent:
        port = agent.ports()[0]
        agent.freeze()
        flood(port, sent)
        agent.thaw()
        receiver.lines(1)
        if and_one_more:
            send_udp(port, "d.last n=1")
            sent += 1
            receiver.read_until(lambda: b"d.last" in b"".join(receiver.received), "the last datagram's metric")
        counters = agent.check_balance()
        drops = total(counters, "statsidecar_input_kernel_drops_total")
        true(drops > 0, "nothing was dropped: the test is none")
        equal(total(counters, "statsidecar_events_received_total") + drops, sent, "received + dropped, sent")
        agent.stderr.wait_for("kernel dropped")


@test("drops are counted on and on, over several floods")
def _():
    with UdpReceiver() as receiver, Agent(
        f"inputs: [{{url: 'udp://127.0.0.1:0', receive_buffer: 16KiB}}]\noutputs: ['{receiver.url}']" + RULES
    ) as agent:
        port = agent.ports()[0]
        for turn in range(1, 4):
            agent.freeze()
            flood(port, 2000)
            agent.thaw()
            counters = agent.counters()
            wait_until(
                lambda: total(agent.counters(), "statsidecar_events_received_total")
                + total(agent.counters(), "statsidecar_input_kernel_drops_total")
                == 2000 * turn,
                f"received + dropped to be {2000 * turn}",
            )
        true(total(counters, "statsidecar_input_kernel_drops_total") > 0, "nothing was dropped: the test is none")


# ---- who may send ----


@test("a sender outside allow_from is refused and counted; one inside is heard")
def _():
    config = "inputs: [{url: 'udp://0.0.0.0:0', allow_from: [127.0.0.2/32]}]\n"
    with UdpReceiver() as receiver, Agent(config + f"outputs: ['{receiver.url}']" + RULES) as agent:
        port = agent.ports()[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend, socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM
        ) as foe:
            friend.bind(("127.0.0.2", 0))
            foe.bind(("127.0.0.3", 0))
            foe.sendto(b"d.foe n=1", ("127.0.0.1", port))
            friend.sendto(b"d.friend n=1", ("127.0.0.1", port))
        equal(receiver.lines(1), ["d.friend:1|c"])
        counters = agent.counters()
        equal(total(counters, "statsidecar_input_refused_total"), 1)
        equal(total(counters, "statsidecar_events_received_total"), 1)


@test("allow_from holds on an address of the loopback too")
def _():
    config = "inputs: [{url: 'udp://127.0.0.1:0', allow_from: [127.0.0.2/32]}]\n"
    with UdpReceiver() as receiver, Agent(config + f"outputs: ['{receiver.url}']" + RULES) as agent:
        send_udp(agent.ports()[0], "d.foe n=1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend:
            friend.bind(("127.0.0.2", 0))
            friend.sendto(b"d.friend n=1", ("127.0.0.1", agent.ports()[0]))
        equal(receiver.lines(1), ["d.friend:1|c"])
        equal(total(agent.counters(), "statsidecar_input_refused_total"), 1)


@test("IPv4 senders are told apart on an IPv6 socket too")
def _():
    config = "inputs: [{url: 'udp://[::]:0', allow_from: [127.0.0.2/32]}]\n"
    with UdpReceiver() as receiver, Agent(config + f"outputs: ['{receiver.url}']" + RULES) as agent:
        port = agent.ports()[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend:
            friend.bind(("127.0.0.2", 0))
            send_udp(port, "d.foe n=1")
            friend.sendto(b"d.friend n=1", ("127.0.0.1", port))
        equal(receiver.lines(1), ["d.friend:1|c"])


@test("allow_from: any lets everybody in")
def _():
    config = "inputs: [{url: 'udp://0.0.0.0:0', allow_from: any}]\n"
    with UdpReceiver() as receiver, Agent(config + f"outputs: ['{receiver.url}']" + RULES) as agent:
        send_udp(agent.ports()[0], "d.a n=1")
        equal(receiver.lines(1), ["d.a:1|c"])


@test("a port in use is refused with status 71")
def _():
    with UdpReceiver() as other:
        done = command("run", "--input", other.url, "--output", "udp://127.0.0.1:9")
        equal(done.returncode, 71, done.stderr)
        contains(done.stderr, "in use")
        contains(done.stderr, other.url)


@test("a receive buffer that the kernel does not give is a warning")
def _():
    limit = int(pathlib.Path("/proc/sys/net/core/rmem_max").read_text())
    # Only root may go beyond it.
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    with temporary_directory() as folder:
        os.chmod(folder, 0o755)
        config = pathlib.Path(folder) / "config.yaml"
        config.write_text(f"inputs: ['stdin:', {{url: 'udp://127.0.0.1:0', receive_buffer: {limit * 2}}}]\n" + QUIET)
        try:
            process = subprocess.Popen(
                [PROGRAM, "run", "-c", config, "--output", "stdout:"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment(),
                **nobody,
            )
        except PermissionError:
            skip("an unprivileged user may not run the program where it lies")
        with process:
            said = Lines(process.stderr)
            said.wait_for(f"receive buffer of {limit} bytes instead of {limit * 2}; raise net.core.rmem_max")
            said.wait_for("ready")
            process.terminate()
            equal(process.wait(), 0)
            said.wait_end()


# ---- a Unix socket's file ----


def unix_config(path):
    return f"inputs: [{{url: 'unix://{path}', mode: 0666}}]\noutputs: ['udp://127.0.0.1:9']"


@test("the socket has its mode whatever the umask and is removed at the end")
def _():
    with temporary_directory() as folder:
        path = pathlib.Path(folder) / "socket"
        before = os.umask(0o077)
        try:
            with Agent(unix_config(path), directory=folder):
                equal(stat.S_IMODE(path.stat().st_mode), 0o666)
        finally:
            os.umask(before)
        true(not path.exists(), "the socket is still there")


@test("a stale socket is replaced")
def _():
    with temporary_directory() as folder:
        path = pathlib.Path(folder) / "socket"
        with Agent(unix_config(path), directory=folder) as first:
            first.kill()
        true(path.is_socket(), "killed, it cannot have removed its socket")
        with UdpReceiver() as receiver, Agent(
            f"inputs: ['unix://{path}']\noutputs: ['{receiver.url}']" + RULES, directory=folder
        ):
            send_unix(path, "d.a n=1")
            equal(receiver.lines(1), ["d.a:1|c"])


def refused(path, part):
    done = command("run", "--input", f"unix://{path}", "--output", "udp://127.0.0.1:9")
    equal(done.returncode, 71, done.stderr)
    contains(done.stderr, part)
    contains(done.stderr, str(path))


@test("a live socket is refused, datagram or stream, and goes on living")
def _():
    with temporary_directory() as folder:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            path = pathlib.Path(folder) / f"socket{kind}"
            with socket.socket(socket.AF_UNIX, kind) as live:
                live.bind(str(path))
                if kind == socket.SOCK_STREAM:
                    live.listen()
                refused(path, "in use")
                true(path.is_socket(), "the socket is gone")


@test("another kind of file is refused and left alone")
def _():
    with temporary_directory() as folder:
        folder = pathlib.Path(folder)
        (folder / "file").write_text("precious")
        os.mkfifo(folder / "pipe")
        (folder / "link").symlink_to(folder / "target")
        for name in ("file", "pipe", "link"):
            refused(folder / name, "is no socket")
        equal((folder / "file").read_text(), "precious")
        equal(sorted(p.name for p in folder.iterdir()), ["file", "link", "pipe"])


@test("at the end only its own socket is removed")
def _():
    with temporary_directory() as folder:
        path = pathlib.Path(folder) / "socket"
        with Agent(unix_config(path), directory=folder):
            path.unlink()
            path.write_text("somebody else's")
        equal(path.read_text(), "somebody else's")


@test("an abstract socket")
def _():
    name = f"statsidecar-test-{os.getpid()}"
    with UdpReceiver() as receiver, Agent(f"inputs: ['unix://@{name}']\noutputs: ['{receiver.url}']" + RULES):
        send_unix("\0" + name, "d.a n=1")
        equal(receiver.lines(1), ["d.a:1|c"])


main()
