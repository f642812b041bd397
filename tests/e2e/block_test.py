"""`when_full`: an output that blocks loses and doubles nothing and makes the writers of pipes wait; one that drops makes
nobody wait and counts what it drops; neither slows another."""

import contextlib
import os
import pathlib
import signal
import subprocess

from harness import (
    PROGRAM,
    Agent,
    UdpReceiver,
    UnixReceiver,
    equal,
    main,
    send_udp,
    table,
    temporary_directory,
    test,
    total,
    true,
    wait_until,
    write_pipe,
)
from numbered import check_accounts, check_all_once, is_running, pipe_to, reap, writer
from stream_receiver import Listener

@test("unix: half a million events against a slow receiver, each metric exactly once, in order, in no more memory")
def _():
    count = 500000
    with UnixReceiver() as receiver, Agent(pipe_to(receiver.url)) as agent:
        pid = writer(agent.directory / "pipe", 0, count)
        receiver.read_until(lambda: len(receiver.received) > 100, "the first datagrams")
        memory = agent.memory_kib("VmRSS")
        receiver.read_until(lambda: b"g:%d|g" % (count - 1) in receiver.received[-1], "the last metric")
        reap(pid)
        grown = agent.memory_kib("VmHWM") - memory
        check_all_once(receiver.all_lines(), count)
        true(grown < 512, f"the agent's memory grew by {grown} KiB")
        counters = agent.check_balance()
        equal(total(counters, "statsidecar_metrics_total", 'outcome="sent"'), 2 * count)
        equal(total(counters, "statsidecar_metrics_total", 'outcome="dropped"'), 0)


@test("unix: while nobody reads, the writer is the one that waits; then all arrives")
def _():
    count = 250000  # twice what the pipe, the agent and the receiver's queue hold
    with UnixReceiver() as receiver, Agent(pipe_to(receiver.url)) as agent:
        pid = writer(agent.directory / "pipe", 0, count)
        # Nothing is taken out of the receiver's queue: everything comes to a stand.
        pipe = os.open(agent.directory / "pipe", os.O_WRONLY | os.O_NONBLOCK)

        def is_full():
            try:
                os.write(pipe, b"\n")
                return False
            except BlockingIOError:
                return True

        wait_until(is_full, "the pipe to be full")
        counters = agent.counters()
        true(is_running(pid), "the writer did not wait")
        true(total(counters, "statsidecar_output_pending") > 0, "nothing is pending")
        sent = total(counters, "statsidecar_metrics_total", 'outcome="sent"')
        equal(
            2 * total(counters, "statsidecar_events_received_total"),
            sent + total(counters, "statsidecar_output_pending"),
            "made, sent and pending",
        )
        os.close(pipe)
        receiver.read_until(lambda: b"g:%d|g" % (count - 1) in receiver.received[-1], "the last metric")
        reap(pid)
        check_all_once(receiver.all_lines(), count)


@test("unix: the receiver comes later than the events, and nothing is lost")
def _():
    with temporary_directory() as folder, Agent(pipe_to(f"unix://{folder}/late")) as agent:
        pid = writer(agent.directory / "pipe", 0, 20000)
        agent.stderr.wait_for("first is away")
        with UnixReceiver(path=f"{folder}/late") as receiver:
            receiver.read_until(lambda: receiver.received and b"g:19999|g" in receiver.received[-1], "the last metric")
            reap(pid)
            check_all_once(receiver.all_lines(), 20000)


@test("standard output: nothing is lost or torn while its reader takes its time")
def _():
    count = 200000
    with temporary_directory() as folder:
        events = pathlib.Path(folder) / "events"
        config = pathlib.Path(folder) / "config.yaml"
        events.write_text("".join(f"b.a n={n}\n" for n in range(count)))
        config.write_text(pipe_to("stdout:", inputs="'stdin:'") + "\nadmin: off\ntelemetry: off\n")
        with open(events, "rb") as file, subprocess.Popen(
            [PROGRAM, "run", "-c", config], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            # So small reads that the pipe is full all the time.
            data = b"".join(iter(lambda: os.read(process.stdout.fileno(), 3000), b""))
        equal(process.returncode, 0, "exit status")
        true(data.endswith(b"\n"), "the last line has no end")
        check_all_once(data.decode().split("\n")[:-1], count)


@test("standard output: the mode of the shared pipe is left alone")
def _():
    reader, writing = os.pipe()
    process = subprocess.Popen(
        [PROGRAM, "run", "--input", "stdin:", "--output", "stdout:"],
        stdin=subprocess.PIPE,
        stdout=writing,
        stderr=subprocess.DEVNULL,
    )
    process.stdin.write(b"x.a\n")
    process.stdin.flush()
    equal(os.read(reader, 4096), b"tasker.x.a:1|c\n")
    true(os.get_blocking(writing), "the pipe was made non-blocking for everybody")
    process.stdin.close()
    equal(process.wait(), 0)
    os.close(reader)
    os.close(writing)


@test("drop: the writer never waits, and every metric is sent or counted as dropped")
def _():
    count = 100000
    with UnixReceiver() as receiver, Agent(pipe_to(receiver.url, block=False)) as agent:
        # The receiver reads nothing until the writer is done.
        reap(writer(agent.directory / "pipe", 0, count))
        wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") == count, "all events")
        counters = agent.check_balance()
        sent = total(counters, "statsidecar_metrics_total", 'outcome="sent"')
        dropped = total(counters, "statsidecar_metrics_total", 'outcome="dropped"')
        true(dropped > 0, "nothing was dropped: the test is none")
        equal(sent + dropped, 2 * count, "sent + dropped")
        true(total(counters, "statsidecar_output_errors_total", 'error="full"') > 0, "the error has no name")
        equal(len(receiver.all_lines()), sent, "received, sent")


@test("a blocked output stops pipes for all; sockets go on, and what they make for it is dropped and counted")
def _():
    with temporary_directory() as folder, UdpReceiver() as other:
        config = pipe_to(
            f"unix://{folder}/late",
            f"{{url: '{other.url}', name: other}}",
            inputs="'fifo://{dir}/pipe', 'udp://127.0.0.1:0'",
        )
        with Agent(config) as agent:
            pid = writer(agent.directory / "pipe", 0, 300000)
            wait_until(
                lambda: total(agent.counters(), "statsidecar_output_pending", '"first"') > 0 and is_running(pid), "the block"
            )
            # What the pipe's share before it was stopped made is there; then nothing but the socket's.
            before = agent.counters()
            other.all_lines()
            other.received.clear()
            for number in range(1000):
                send_udp(agent.ports()[0], f"b.udp n={number}")
                equal(other.lines(2), [f"b.udp:{number}|c", f"g:{number}|g"])
            after = agent.counters()
            equal(
                total(after, "statsidecar_events_received_total") - total(before, "statsidecar_events_received_total"),
                1000,
                "events while it is blocked",
            )
            first = total(after, "statsidecar_metrics_total", '"first",outcome="dropped"')
            pending = total(after, "statsidecar_output_pending", '"first"')
            equal(first + pending, total(after, "statsidecar_events_received_total") * 2, "dropped + pending")
            true(first > 0, "nothing was dropped")
            equal(total(after, "statsidecar_metrics_total", '"other",outcome="dropped"'), 0)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            agent.kill()


@test("an output in trouble that drops does not slow another")
def _():
    count = 50000
    with temporary_directory() as folder, UnixReceiver() as stalled, UnixReceiver() as good:
        config = pipe_to(
            good.url, f"{{url: '{stalled.url}', name: stalled}}", f"{{url: 'unix://{folder}/absent', name: absent}}"
        )
        with Agent(config) as agent:
            pid = writer(agent.directory / "pipe", 0, count)
            good.read_until(lambda: good.received and b"g:%d|g" % (count - 1) in good.received[-1], "the last metric")
            reap(pid)
            check_all_once(good.all_lines(), count)
            counters = agent.check_balance()
            for name in ("stalled", "absent"):
                equal(
                    total(counters, "statsidecar_metrics_total", f'output="{name}"'), 2 * count, f"{name}: sent + dropped"
                )


def endless_writer(path):
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            descriptor = os.open(path, os.O_WRONLY)
            while True:
                os.write(descriptor, b"b.a n=1\n" * 10)
        finally:
            os._exit(0)
    return pid


@contextlib.contextmanager
def delivery(kind, path):
    """A receiver that has got something."""
    if kind == "unix":
        with UnixReceiver(path) as receiver:
            receiver.read_until(lambda: len(receiver.received) > 20, "delivery")
            yield
    else:
        with Listener(kind, path) as listener:
            listener.read_until(b"b.a:1|c")
            yield


@table(
    [
        (f"{kind}: a receiver that is started anew, ten times under load: the accounts balance, delivery goes on", kind)
        for kind in ("unix", "unixstream")
    ]
)
def _(kind):
    with temporary_directory() as folder:
        path = f"{folder}/receiver"
        with Agent(pipe_to(f"{kind}://{path}", block=False)) as agent:

            def dropped():
                return total(check_accounts(agent), "statsidecar_metrics_total", 'outcome="dropped"')

            pid = endless_writer(agent.directory / "pipe")
            try:
                for _ in range(10):
                    with delivery(kind, path):
                        check_accounts(agent)
                    os.unlink(path)
                    before = dropped()
                    wait_until(lambda: dropped() > before, "drops")
            finally:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


@test("udp: a port that nobody listens on costs errors, not metrics that the kernel took; delivery starts by itself")
def _():
    with UdpReceiver() as receiver:
        port = receiver.port
    with Agent(pipe_to(f"udp://127.0.0.1:{port}", block=False)) as agent:
        for number in range(10):
            write_pipe(agent.directory / "pipe", f"b.a n={number}")
            wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") == number + 1, "the event")
        counters = agent.counters()
        true(total(counters, "statsidecar_output_errors_total", 'error="refused"') > 0, "the error is not counted")
        equal(total(counters, "statsidecar_metrics_total", 'outcome="sent"'), 20)
        with UdpReceiver(port=port) as receiver:
            write_pipe(agent.directory / "pipe", "b.a n=77")
            equal(receiver.lines(2), ["b.a:77|c", "g:77|g"])


main()
