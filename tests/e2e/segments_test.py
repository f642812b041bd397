"""Datagrams that share a message on the way to this host (UDP segmentation) are those that each would have been alone. In a
network namespace of the test's own, where packets are as small as the test wants."""

import namespace
from harness import Agent, UdpReceiver, equal, table, total, true, write_pipe
from namespace import run
from system_calls import Trace

ADDRESS = "192.0.2.1"
# With it a line of EQUAL and its newline take 32 bytes: eight full datagrams of 8192 would be more than a UDP message holds.
PREFIX = "prefix.of.21.letters."
RULES = f"\nprefix: {PREFIX}" + """
rules:
  - {match: "o.*", metrics: [{counter: "{event}", value: n}]}
"""
EQUAL = [f"o.n n={n}" for n in range(1000, 3500)]
UNEQUAL = [f"o.{'n' * (n * 7919 % 29 + 1)} n={n}" for n in range(1500)]
SENDS_ONE = {"sendto", "sendmsg"}


def packed(events, limit):
    """Each datagram takes what fits."""
    datagrams = []
    for event in events:
        line = (PREFIX + event.replace(" n=", ":") + "|c").encode()
        if datagrams and len(datagrams[-1]) + 1 + len(line) <= limit:
            datagrams[-1] += b"\n" + line
        else:
            datagrams.append(line)
    return datagrams


def alone(messages, datagrams):
    return messages == datagrams


def shared(messages, datagrams):
    return messages < datagrams


def nearly_all_shared(messages, datagrams):
    return messages * 8 < datagrams


@table(
    [
        ("datagrams of one size go together", "127.0.0.1", 1400, 65536, EQUAL, nearly_all_shared),
        ("over IPv6, too", "::1", 1400, 65536, EQUAL, nearly_all_shared),
        ("of datagrams of several sizes, some do", "127.0.0.1", 1400, 65536, UNEQUAL, shared),
        ("a message holds no more than UDP takes", "127.0.0.1", 8192, 65536, EQUAL, shared),
        ("to another address each goes alone", ADDRESS, 1400, 65536, EQUAL, alone),
        ("packets smaller than a datagram: each goes alone", "127.0.0.1", 8192, 1500, EQUAL, alone),
        ("packets smaller than a datagram, IPv6: each goes alone", "::1", 8192, 1500, EQUAL, alone),
    ]
)
def _(host, limit, mtu, events, is_right):
    run("ip", "link", "set", "lo", "mtu", mtu)
    want = packed(events, limit)
    with UdpReceiver(host) as receiver, Agent(
        f"inputs: ['fifo://{{dir}}/pipe']\noutputs: [{{url: '{receiver.url}', max_datagram: {limit}}}]" + RULES
    ) as agent:
        with Trace(agent) as trace:
            agent.freeze()
            write_pipe(agent.directory / "pipe", *events)
            agent.thaw()
            equal(receiver.datagrams(len(want)), want)
            counters = agent.check_balance()  # they arrive before the call that sends them is over, and told
        equal(total(counters, "statsidecar_output_datagrams_total"), len(want))
        equal(total(counters, "statsidecar_output_bytes_total"), sum(map(len, want)))
        equal(total(counters, "statsidecar_output_errors_total"), 0)
    messages = sum(max(result, 0) for name, _, result in trace.calls if name == "sendmmsg")
    messages += sum(result > 0 for name, _, result in trace.calls if name in SENDS_ONE)
    true(is_right(messages, len(want)), f"{messages} messages for {len(want)} datagrams")


namespace.main([["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"]])
