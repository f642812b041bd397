"""The pipe: many writers at once, writers that come and go, an agent that is killed, and what is refused.

What the agent may have in its hands when it is killed is what it has read and not yet sent: one wake-up's share, 512 KiB.
"""

import grp
import os
import pathlib
import signal
import stat

from harness import (
    Agent,
    UdpReceiver,
    UnixReceiver,
    command,
    contains,
    equal,
    main,
    need_pipe_size,
    send_udp,
    skip,
    table,
    temporary_directory,
    test,
    total,
    true,
    wait_until,
    write_pipe,
)

WRITERS = 20
LINES = 50000
PIPE_BUF = 4096
IN_HAND = 8 * 64 * 1024

RULES = """
rules:
  - {match: load.*, metrics: [{counter: "{event}", value: n}]}
"""


def fork(function, *arguments):
    """Runs it in a process of its own; the process's number."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function(*arguments)
            status = 0
        finally:
            os._exit(status)
    return pid


def reap(pid):
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, "a writer's exit status")


def line_of(writer, number, size):
    """One JSON line of this size, newline included, or the shortest there is."""
    head = f'{{"event":"load.w{writer}","n":{number},"pad":"'
    return (head + "x" * (size - len(head) - 3) + '"}\n').encode()


def write_many(path, writer, count):
    # Mostly short, some of exactly PIPE_BUF bytes: those are atomic still.
    sizes = [60, 90, 120, 150, 200, 260, 350, 500, 900, PIPE_BUF]
    descriptor = os.open(path, os.O_WRONLY)
    for number in range(count):
        line = line_of(writer, number, sizes[(number + writer) % len(sizes)])
        if os.write(descriptor, line) != len(line):
            raise OSError("a short write")
    os.close(descriptor)


def sums(receiver):
    """What arrived: per metric the number of its lines and the sum of their values."""
    result = {}
    for datagram in receiver.received:
        for line in datagram.split(b"\n"):
            name, value = line.split(b"|")[0].split(b":")
            count, sum_ = result.get(name, (0, 0))
            result[name] = (count + 1, sum_ + int(value))
    return result


@test("20 writers at once, 50,000 lines each of up to 4096 bytes: every line counted, none broken")
def _():
    with UnixReceiver() as receiver, Agent(
        f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{receiver.url}', when_full: block}}]" + RULES
    ) as agent:
        pids = [fork(write_many, agent.directory / "pipe", writer, LINES) for writer in range(WRITERS)]
        got = 0

        def all_there():
            nonlocal got
            got += sum(d.count(b"\n") + 1 for d in receiver.received[all_there.seen :])
            all_there.seen = len(receiver.received)
            return got >= WRITERS * LINES

        all_there.seen = 0
        receiver.read_until(all_there, "every line's metric")
        for pid in pids:
            reap(pid)
        want = (LINES, LINES * (LINES - 1) // 2)
        equal(sums(receiver), {f"load.w{writer}".encode(): want for writer in range(WRITERS)})
        equal(agent.outcomes(), {"mapped": WRITERS * LINES})


@test("writers leave and come back: no end of file, no line lost")
def _():
    with UdpReceiver() as receiver, Agent(f"inputs: ['fifo://{{dir}}/pipe']\noutputs: ['{receiver.url}']" + RULES) as agent:
        for number in range(50):
            write_pipe(agent.directory / "pipe", f"load.a n={number}")
        equal(receiver.lines(50), [f"load.a:{n}|c" for n in range(50)])


@test("lines longer than PIPE_BUF may break each other; the next good line is read")
def _():
    with UdpReceiver() as receiver, Agent(f"inputs: ['fifo://{{dir}}/pipe']\noutputs: ['{receiver.url}']" + RULES) as agent:
        torn = b'{"event":"load.a","n":1,"pad":"' + b"x" * 5000
        write_pipe(agent.directory / "pipe", torn, b'{"event":"load.b","n":2}\n', b'load.c n=3\n')
        equal(receiver.lines(1), ["load.c:3|c"])
        equal(agent.outcomes(), {"malformed": 1, "mapped": 1})


@test("killed with -9 while a writer holds the pipe: the next agent gets what the pipe held")
def _():
    with temporary_directory() as folder, UnixReceiver() as receiver:
        config = f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{receiver.url}', when_full: block}}]" + RULES
        path = pathlib.Path(folder) / "pipe"
        with Agent(config, directory=folder) as first:
            writer = os.open(path, os.O_WRONLY)
            os.write(writer, line_of(1, 0, 0))
            receiver.lines(1)
            first.freeze()
            written = 0
            os.set_blocking(writer, False)
            try:
                while True:
                    os.write(writer, line_of(1, 1, 100))
                    written += 1
            except BlockingIOError:
                pass
            first.kill()
        true(written * 100 >= 60000, f"the pipe took only {written} lines")
        with Agent(config, directory=folder):
            os.set_blocking(writer, True)
            os.write(writer, line_of(2, 7, 0))
            receiver.read_until(lambda: b"load.w2" in b"".join(receiver.received), "the last line")
        os.close(writer)
        # It was stopped, so it had nothing in its hands: all of it is there.
        equal(sums(receiver), {b"load.w1": (written, written), b"load.w2": (1, 7)})


def write_one_size(path, count, size):
    # For reading too: without any reader a write would fail while no agent runs.
    descriptor = os.open(path, os.O_RDWR)
    for number in range(count):
        os.write(descriptor, line_of(1, number, size))
    os.write(descriptor, line_of(2, 7, 0))


@test("killed with -9 under load: at most what was in the agent's hands is gone")
def _():
    with temporary_directory() as folder, UnixReceiver() as receiver:
        config = f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{receiver.url}', when_full: block}}]" + RULES
        path = pathlib.Path(folder) / "pipe"
        lines, size = 50000, 100
        with Agent(config, directory=folder) as first:
            holder = os.open(path, os.O_WRONLY)
            pid = fork(write_one_size, path, lines, size)
            receiver.read_until(lambda: len(receiver.received) > 20, "the first metrics")
            first.kill()
        with Agent(config, directory=folder):
            receiver.read_until(lambda: b"load.w2" in receiver.received[-1], "the last line")
        reap(pid)
        os.close(holder)
        got = sums(receiver)[b"load.w1"][0]
        true(got <= lines, f"{got} of {lines} lines: some came twice")
        true((lines - got) * size <= IN_HAND, f"{lines - got} lines of {size} bytes are gone")


def refused(path, part):
    done = command("run", "--input", f"fifo://{path}", "--output", "udp://127.0.0.1:9")
    equal(done.returncode, 71, done.stderr)
    contains(done.stderr, part)
    contains(done.stderr, str(path))


@test("a regular file, a directory, a symbolic link and a socket in the pipe's place are refused and left alone")
def _():
    with temporary_directory() as folder:
        folder = pathlib.Path(folder)
        (folder / "file").write_text("precious")
        (folder / "folder").mkdir()
        (folder / "link").symlink_to(folder / "target")
        refused(folder / "file", "is no pipe")
        refused(folder / "folder", "is a directory")
        refused(folder / "link", "symbolic link")
        refused(folder / "absent" / "pipe", "create its directory")
        equal((folder / "file").read_text(), "precious")
        equal(sorted(p.name for p in folder.iterdir()), ["file", "folder", "link"])
        equal(os.readlink(folder / "link"), str(folder / "target"))


@test("a symbolic link to a pipe is refused too")
def _():
    with temporary_directory() as folder:
        folder = pathlib.Path(folder)
        os.mkfifo(folder / "pipe")
        (folder / "link").symlink_to(folder / "pipe")
        refused(folder / "link", "symbolic link")


@test("a second agent on the same pipe is refused; the first goes on")
def _():
    with UdpReceiver() as receiver, Agent(f"inputs: ['fifo://{{dir}}/pipe']\noutputs: ['{receiver.url}']" + RULES) as agent:
        refused(agent.directory / "pipe", "another agent reads")
        write_pipe(agent.directory / "pipe", "load.a n=1")
        equal(receiver.lines(1), ["load.a:1|c"])


@test("the pipe is created with its mode whatever the umask, enlarged, and stays")
def _():
    with temporary_directory() as folder:
        path = pathlib.Path(folder) / "pipe"
        before = os.umask(0o077)
        try:
            agent = Agent(f"inputs: [{{url: 'fifo://{path}', mode: 0622}}]\noutputs: ['udp://127.0.0.1:9']", directory=folder)
            with agent:
                status = path.stat()
                true(stat.S_ISFIFO(status.st_mode), "no pipe")
                equal(stat.S_IMODE(status.st_mode), 0o622)
        finally:
            os.umask(before)
        true(stat.S_ISFIFO(path.stat().st_mode), "the pipe is gone")


@test("a pipe that was there keeps its mode")
def _():
    with temporary_directory() as folder:
        path = pathlib.Path(folder) / "pipe"
        os.mkfifo(path)
        path.chmod(0o640)
        with Agent(f"inputs: ['fifo://{path}']\noutputs: ['udp://127.0.0.1:9']", directory=folder):
            pass
        equal(stat.S_IMODE(path.stat().st_mode), 0o640)


# Root may give it to anyone, others to a group of their own.
GROUP = grp.getgrgid(1 if os.geteuid() == 0 else os.getgid())


@table(
    [
        ("the pipe is given to a group by its name", GROUP.gr_name, GROUP.gr_gid),
        ("the pipe is given to a group by its number", GROUP.gr_gid, GROUP.gr_gid),
        ("the pipe is given to a group by a number that has no name", 54321, 54321),
    ]
)
def _(group, number):
    if number != GROUP.gr_gid and os.geteuid() != 0:
        skip("only root may give it to anyone")
    with temporary_directory() as folder:
        path = pathlib.Path(folder) / "pipe"
        config = f"inputs: [{{url: 'fifo://{path}', group: {group}, mode: 0620}}]\noutputs: ['udp://127.0.0.1:9']"
        with Agent(config, directory=folder):
            equal((path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)), (number, 0o620))


@table(
    [
        ("refused, and no pipe left behind: a group that does not exist", "nobodys-group"),
        ("refused, and no pipe left behind: a group's number that is none", 2**32 - 1),
        ("refused, and no pipe left behind: a group that begins with a number", "0x"),
    ]
)
def _(group):
    with temporary_directory() as folder:
        config = f"inputs: [{{url: 'fifo://{{dir}}/pipe', group: '{group}'}}]\noutputs: ['udp://127.0.0.1:9']"
        agent = Agent(config, directory=folder)
        done = command("run", "-c", agent.config, cwd=folder)
        equal(done.returncode, 71, done.stderr)
        contains(done.stderr, f"there is no group {group} for the pipe")
        true(not (agent.directory / "pipe").exists(), "a pipe is left behind")


@test("the pipe holds a megabyte")
def _():
    need_pipe_size(1 << 20)
    with Agent("inputs: ['fifo://{dir}/pipe']\noutputs: ['udp://127.0.0.1:9']") as agent:
        agent.freeze()
        writer = os.open(agent.directory / "pipe", os.O_WRONLY | os.O_NONBLOCK)
        written = 0
        try:
            while True:
                written += os.write(writer, b"a" * 4095 + b"\n")
        except BlockingIOError:
            pass
        os.close(writer)
        agent.thaw()
        equal(written, 1 << 20)
        wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") == 256, "the lines to be read")


@test("a busy pipe starves no socket")
def _():
    with UdpReceiver() as receiver, Agent(
        "inputs: ['fifo://{dir}/pipe', 'udp://127.0.0.1:0']\n"
        f"outputs: [{{url: '{receiver.url}', filter: ['load.ping']}}]" + RULES
    ) as agent:
        pid = fork(write_forever, agent.directory / "pipe")
        try:
            wait_until(lambda: total(agent.counters(), "statsidecar_events_received_total") > 10000, "the pipe to be busy")
            port = agent.ports()[0]
            for number in range(20):
                send_udp(port, f"load.ping n={number}")
                equal(receiver.lines(1), [f"load.ping:{number}|c"])
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def write_forever(path):
    descriptor = os.open(path, os.O_WRONLY)
    block = line_of(1, 1, 100) * 40
    while True:
        os.write(descriptor, block)


main()
