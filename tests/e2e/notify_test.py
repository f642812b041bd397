"""What the service manager is told: readiness, reloads, the end, and that the agent is alive."""

import os
import pathlib
import signal
import socket

from harness import (
    DEADLINE,
    Agent,
    Failure,
    equal,
    main,
    table,
    temporary_directory,
    test,
    true,
    wait_until,
    write_pipe,
)

CONFIG = """
inputs: ['fifo://{dir}/pipe']
outputs: ['unix://{dir}/absent']
rules: [{match: "n.*", metrics: [{counter: "{event}"}]}]
"""


class Manager:
    """The socket of a service manager; messages are maps, one a datagram."""

    def __init__(self, abstract=False):
        self._directory = temporary_directory()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(DEADLINE)
        path = f"{self._directory.name}/notify"
        self.name = "@statsidecar-test-" + path if abstract else path
        self.socket.bind("\0" + self.name[1:] if abstract else path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self._directory.cleanup()

    def next(self):
        try:
            datagram = self.socket.recv(4096)
        except TimeoutError:
            raise Failure("waited in vain for a message") from None
        return dict(line.split("=", 1) for line in datagram.decode().split("\n"))

    def nothing_waits(self):
        self.socket.setblocking(False)
        try:
            raise Failure(f"an unexpected message: {self.socket.recv(4096)}")
        except BlockingIOError:
            self.socket.settimeout(DEADLINE)

    def agent(self, config=CONFIG, **variables):
        return Agent(config, env={"NOTIFY_SOCKET": self.name, **variables})


@table([("a socket in the file system", False), ("an abstract one", True)])
def _(abstract):
    with Manager(abstract) as manager, manager.agent() as agent:
        message = manager.next()
        equal(message, {"READY": "1", "STATUS": f"running on {agent.config}"})
        agent.stop()
        equal(manager.next()["STOPPING"], "1")
        manager.nothing_waits()


@test("a reload is told with the time of its beginning, and again ready, also where it was refused")
def _():
    with Manager() as manager, manager.agent() as agent:
        manager.next()
        for fault in ("", "no_such_key: 1\n"):
            agent.configure(CONFIG + "admin: off\ntelemetry: off\n" + fault + f"# {fault}")
            message = manager.next()
            equal(message["RELOADING"], "1")
            uptime_us = float(pathlib.Path("/proc/uptime").read_text().split()[0]) * 1e6
            true(0 < int(message["MONOTONIC_USEC"]) < uptime_us + 1e6, message)
            message = manager.next()
            equal(message["READY"], "1")
            equal("refused" in message["STATUS"], bool(fault), message)


@test("a reload is told also where the configuration has become a pipe, which is not read")
def _():
    with Manager() as manager, manager.agent() as agent:
        manager.next()
        agent.config.unlink()
        os.mkfifo(agent.config)
        agent.send_signal(signal.SIGHUP)
        equal(manager.next()["RELOADING"], "1")
        message = manager.next()
        equal((message["READY"], "refused" in message["STATUS"]), ("1", True))


@test("HUP: ready again only when the new configuration is in force")
def _():
    config = CONFIG.replace("/absent'", "/absent', when_full: block}").replace("['unix", "[{url: 'unix") + "shutdown_grace: 1h\n"
    with Manager() as manager, manager.agent(config) as agent:
        manager.next()
        write_pipe(agent.directory / "pipe", *["n.a"] * 3000)
        wait_until(lambda: agent.outcomes().get("mapped"), "the first events")
        agent.configure(config.replace("/pipe", "/other") + "admin: off\ntelemetry: off\n")
        equal(manager.next()["RELOADING"], "1")
        agent.stderr.wait_for("the reload waits")
        manager.nothing_waits()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(f"{agent.directory}/absent")
            receiver.settimeout(DEADLINE)
            received = 0
            while received < 3000:
                received += receiver.recv(65536).count(b"n.a")
            equal(manager.next()["READY"], "1")


@test("the watchdog hears of a living agent, and not of one that hangs")
def _():
    with Manager() as manager, manager.agent(WATCHDOG_USEC="100000") as agent:
        equal(manager.next()["READY"], "1")
        for _ in range(3):
            equal(manager.next(), {"WATCHDOG": "1"})
        agent.freeze()
        manager.socket.setblocking(False)
        try:
            while manager.socket.recv(4096):
                pass
        except BlockingIOError:
            manager.socket.settimeout(DEADLINE)
        agent.thaw()
        equal(manager.next(), {"WATCHDOG": "1"})


@test("a watchdog that is meant for another process is not served")
def _():
    with Manager() as manager, manager.agent(WATCHDOG_USEC="1000", WATCHDOG_PID=str(os.getpid())) as agent:
        equal(manager.next()["READY"], "1")
        agent.send_signal(signal.SIGUSR1)
        agent.stderr.wait_for("counters: end")
        agent.stop()
        equal(manager.next()["STOPPING"], "1")


@test("without a service manager, and with one that is gone, it runs")
def _():
    with Agent(CONFIG, env={"NOTIFY_SOCKET": "/nonexistent/socket"}) as agent:
        agent.stderr.wait_for("the service manager cannot be told: No such file")
        write_pipe(agent.directory / "pipe", "n.a")
        wait_until(lambda: agent.outcomes() == {"mapped": 1}, "the event")


main()
