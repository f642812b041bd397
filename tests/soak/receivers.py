"""Those whom the agent sends to: some that are always there and count, some that come and go."""

import os
import re
import selectors
import socket
import struct
import threading

from senders import Trouble

BUFFER = 4 << 20
PROBE = re.compile(rb"^probe\.(\w+):(\d+)\|g")


class Steady(threading.Thread):
    """Takes at once what comes to its sockets and to the agent's standard output, and counts the lines."""

    def __init__(self, soak):
        super().__init__(name="steady", daemon=True)
        self.soak = soak
        self.main = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.main.bind(str(soak.path("main.sock")))
        self.probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.probe.bind(("127.0.0.1", 0))
        self.probe_port = self.probe.getsockname()[1]
        for receiver in (self.main, self.probe):
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            receiver.setblocking(False)
        self.standard, self.standard_writer = os.pipe()
        os.set_blocking(self.standard, False)
        self.lines = {"main": 0, "stdout": 0}
        self.probes = {}  # the newest number of each
        self.arrived = threading.Condition()
        self.is_over = False

    def run(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.main, selectors.EVENT_READ, self.take_main)
            selector.register(self.probe, selectors.EVENT_READ, self.take_probe)
            selector.register(self.standard, selectors.EVENT_READ, self.take_standard)
            while not self.is_over:
                for key, _ in selector.select(0.1):
                    try:
                        key.data()
                    except BlockingIOError:
                        pass

    def take_main(self):
        while True:
            self.lines["main"] += self.main.recv(65536).count(b"\n") + 1

    def take_probe(self):
        while True:
            for line in self.probe.recv(65536).split(b"\n"):
                match = PROBE.match(line)
                if match:
                    with self.arrived:
                        self.probes[match.group(1).decode()] = int(match.group(2))
                        self.arrived.notify_all()

    def take_standard(self):
        while True:
            data = os.read(self.standard, 65536)
            if not data:
                return
            self.lines["stdout"] += data.count(b"\n")

    def close(self):
        self.is_over = True
        self.join()
        self.main.close()
        self.probe.close()
        os.close(self.standard)


class Flapping(Trouble):
    """A receiver that comes, listens, is deaf, breaks off and goes away. In a calm it is there and listens."""

    rest = (0.0, 0.0)
    KINDS = {"unix": (socket.AF_UNIX, socket.SOCK_DGRAM), "stream": (socket.AF_UNIX, socket.SOCK_STREAM), "tcp": (socket.AF_INET, socket.SOCK_STREAM)}

    def __init__(self, soak, name):
        super().__init__(soak, name)
        self.kind = name.split("-")[0]
        self.blocks = name.endswith("-block")
        self.listener = None
        self.peer = None
        self.flaps = 0
        self.port = 0
        self.come()

    @property
    def url(self):
        scheme = {"unix": "unix", "stream": "unixstream", "tcp": "tcp"}[self.kind]
        return f"tcp://127.0.0.1:{self.port}" if scheme == "tcp" else f"{scheme}://{self.soak.path(self.name)}"

    # -- what it does --

    def come(self):
        family, type_ = self.KINDS[self.kind]
        self.listener = socket.socket(family, type_)
        if self.kind == "tcp":
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", self.port))
            self.port = self.listener.getsockname()[1]
        else:
            self.listener.bind(str(self.soak.path(self.name)))
        if self.kind == "unix":
            self.peer = self.listener
        else:
            self.listener.listen()
        self.listener.settimeout(0.05)

    def break_off(self):
        if self.peer is not None and self.peer is not self.listener:
            if self.random.random() < 0.5:
                self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.peer.close()
        self.peer = None

    def go_away(self):
        self.break_off()
        self.listener.close()
        self.listener = None
        if self.kind != "tcp":
            os.unlink(self.soak.path(self.name))
        self.flaps += 1

    def listen(self):
        """A moment of taking what comes."""
        try:
            if self.peer is None:
                self.peer = self.listener.accept()[0]
                self.peer.settimeout(0.05)
            if not self.peer.recv(1 << 18):
                self.break_off()
        except TimeoutError:
            pass
        except ConnectionError:
            self.break_off()

    def listen_for(self, seconds):
        end = self.soak.now() + seconds
        while self.soak.now() < end and not self.soak.is_ending:
            self.listen()

    def act(self):
        # An output that blocks stops the pipe for all: not for too long.
        scale = 0.3 if self.blocks else 1.0
        if self.listener is None:
            self.come()
        self.listen_for(self.random.uniform(0.5, 4))
        kind = self.random.choice([self.go_away, self.break_off, None])
        if kind is not None and not (kind == self.break_off and self.kind == "unix"):
            kind()
        if self.listener is None or self.random.random() < 0.5:
            self.soak.pause(self.random.uniform(0, 1.5) * scale)

    def settle(self):
        """There for as long as the calm lasts."""
        if self.listener is None:
            self.come()
        while self.soak.is_calm():
            self.listen()
