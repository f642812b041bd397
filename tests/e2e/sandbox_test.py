"""What the running agent has given up. That it needs none of it is what every test of an agent shows: its log would tell."""

import os
import pathlib
import re
import socket
import stat

from harness import (
    IS_INSTRUMENTED,
    WRAPPER,
    Agent,
    UdpReceiver,
    equal,
    main,
    send_udp,
    send_unix,
    skip,
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


def given_up(agent):
    """No new privileges, and a filter: as the kernel has it."""
    text = pathlib.Path(f"/proc/{agent.pid}/status").read_text()
    return tuple(int(re.search(rf"^{name}:\s*(\d+)", text, re.M).group(1)) for name in ("NoNewPrivs", "Seccomp"))


def has_filter(agent):
    if IS_INSTRUMENTED or WRAPPER:
        skip("the filter is not for what watches the agent")
    if "without a filter" in agent.stderr.wait_for("sandbox: .*").group(0):
        skip("built without libseccomp")


@test("by default it has no new privileges, and a filter of system calls")
def _():
    config = "inputs: ['fifo://{dir}/pipe']\noutputs: ['udp://127.0.0.1:9']\nlog: {level: debug}\n" + RULES
    with Agent(config) as agent:
        has_filter(agent)
        equal(given_up(agent), (1, 2), "NoNewPrivs, Seccomp")


@test("`sandbox: false` leaves it as it was started")
def _():
    before = tuple(
        int(re.search(rf"^{name}:\s*(\d+)", pathlib.Path("/proc/self/status").read_text(), re.M).group(1))
        for name in ("NoNewPrivs", "Seccomp")
    )
    config = "sandbox: false\ninputs: ['fifo://{dir}/pipe']\noutputs: ['udp://127.0.0.1:9']\n" + RULES
    with Agent(config) as agent:
        if not WRAPPER:
            equal(given_up(agent), before, "NoNewPrivs, Seccomp")


@test("a reload opens every kind of input and output inside of it, names of groups and hosts looked up")
def _():
    with temporary_directory() as folder, UdpReceiver() as receiver, socket.create_server(("127.0.0.1", 0)) as server:
        first = "inputs: ['fifo://{dir}/pipe']\noutputs: ['udp://127.0.0.1:9']\n" + RULES
        with Agent(first) as agent:
            (agent.directory / "parts").mkdir()
            (agent.directory / "parts" / "rules.yaml").write_text(RULES)
            agent.configure(
                "include: ['{dir}/parts/*.yaml']\n"
                "inputs: ['fifo://{dir}/pipe', {url: 'fifo://{dir}/second', group: root, mode: 0600}, 'udp://127.0.0.1:0', "
                "'udp://[::1]:0', 'tcp://127.0.0.1:0', 'unix://{dir}/socket', 'unixstream://{dir}/stream']\n"
                f"outputs: ['{receiver.url}', {{url: 'udp://localhost.localdomain:9', resolve_interval: 100ms}}, "
                f"'tcp://127.0.0.1:{server.getsockname()[1]}', 'unix://{folder}/absent', 'unixstream://{folder}/absent', 'stdout:']\n"
                "admin: off\ntelemetry: off\n"
            )
            agent.stderr.wait_for("reloaded: 7 of 7 inputs, 6 outputs")
            write_pipe(agent.directory / "second", "s.pipe n=1")
            send_unix(agent.directory / "socket", "s.unix n=1")
            # The resolver has a port, too.
            port = agent.stderr.wait_for(r"input udp://127.0.0.1:0 listens on port (\d+)").group(1)
            send_udp(int(port), "s.udp n=1")
            with socket.create_connection(("127.0.0.1", agent.ports("tcp")[0])) as connection:
                connection.sendall(b"s.tcp n=1\n")
            equal(sorted(receiver.lines(4)), [f"s.{kind}:1|c" for kind in ("pipe", "tcp", "udp", "unix")])
            wait_until(lambda: len(agent.stdout.all()) == 4, "standard output")
            equal(oct(stat.S_IMODE(os.stat(agent.directory / "second").st_mode)), "0o600")
            agent.stop()
            true(not any("sandbox:" in line for line in agent.stderr.all()), "something was forbidden")


main()
