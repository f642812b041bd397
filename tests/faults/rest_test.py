"""Under a flood of UDP datagrams the loop rests between turns, and nowhere else. Its rests are counted by the library that makes
calls fail; here none does."""

import contextlib
import pathlib
import socket
import sys
import threading

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import Agent, UdpReceiver, equal, main, send_udp, test, true, wait_until  # noqa: E402

from faults import Faults  # noqa: E402

DATAGRAMS = 300  # more than two turns take
SENDERS = 16
RULES = "rules: [{match: i.*, metrics: [{counter: '{event}', value: n}]}]"


@contextlib.contextmanager
def counting(inputs):
    """(agent, receiver, how often it has rested)"""
    with Faults() as faults, UdpReceiver() as receiver:
        with Agent(f"inputs: {inputs}\noutputs: ['{receiver.url}']\n{RULES}", env=faults.env) as agent:
            faults.fail("clock_nanosleep")  # with no error: it is counted
            yield agent, receiver, lambda: faults.seen("clock_nanosleep")


def to_udp(agent, line):
    send_udp(agent.ports()[0], line)


def pour(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(path))
        for _ in range(DATAGRAMS):
            sender.send(b"i.unix n=1")


def flood(agent, receiver, count=DATAGRAMS):
    """All of them wait before the agent sees the first."""
    receiver.received.clear()
    agent.freeze()
    for number in range(count):
        to_udp(agent, f"i.e{number} n=1")
    agent.thaw()
    receiver.read_until(lambda: any(f"i.e{count - 1}:" in line for line in receiver.all_lines()), "the last event")


@test("a flood of UDP datagrams: it rests, and loses nothing; single ones find it awake")
def _():
    with counting("['udp://127.0.0.1:0']") as (agent, receiver, rests):
        floods = 0

        def has_rested():
            nonlocal floods
            flood(agent, receiver)
            floods += 1
            return rests() > 0

        # On a busy machine two turns may be too far apart.
        wait_until(has_rested, "a rest")
        agent.wait_asleep()
        before = rests()
        true(before <= floods, f"{before} rests in {floods} floods: after the last turn of each there is one")
        for number in range(20):
            to_udp(agent, f"i.single{number} n=1")
            receiver.read_until(lambda: any(f"i.single{number}:" in line for line in receiver.all_lines()), "a single event")
            agent.wait_asleep()
        equal(rests(), before, "rests, with single events")
        equal(agent.outcomes(), {"mapped": floods * DATAGRAMS + 20})


@test("UDP datagrams by the dozen, with pauses: it sleeps in between, and rests never")
def _():
    with counting("['udp://127.0.0.1:0']") as (agent, receiver, rests):
        for _ in range(20):
            flood(agent, receiver, 12)
            agent.wait_asleep()
        equal(rests(), 0, "rests")


@test("UDP with a receive buffer that is full in a moment: it never rests")
def _():
    with counting("[{url: 'udp://127.0.0.1:0', receive_buffer: 16KiB}]") as (agent, _, rests):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", agent.ports()[0]))
            for _ in range(50000):
                sender.send(b"i.flood n=1")
        agent.wait_asleep()
        equal(rests(), 0, "rests")
        true(agent.outcomes()["mapped"] > 0, "none was read")


@test("a Unix socket, whose senders would have to wait: it never rests")
def _():
    with counting("['unix://{dir}/in']") as (agent, receiver, rests):
        # More than the socket holds: the others stand behind it, and fill it up again as soon as there is room.
        senders = [threading.Thread(target=pour, args=[agent.directory / "in"]) for _ in range(SENDERS)]
        agent.freeze()
        for sender in senders:
            sender.start()
        agent.thaw()
        for sender in senders:
            sender.join()
        wait_until(lambda: agent.outcomes().get("mapped") == SENDERS * DATAGRAMS, "all events")
        equal(rests(), 0, "rests")


main()
