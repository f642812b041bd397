"""Those who write to the agent, well and badly. Each is a thread with a random generator of its own."""

import contextlib
import json
import os
import socket
import struct
import subprocess
import threading

# What ends a trouble's rest early: a calm is wanted, or the end.
DEEP = 2000
LINE_LIMIT = 8 << 10
PIPE_BUF = 4096


class Trouble(threading.Thread):
    """Makes trouble in acts until it is told to be calm, and again when the calm is over. What an act opened it has closed at
    its end."""

    rest = (0.0, 0.2)  # between two acts, in seconds

    def __init__(self, soak, name):
        super().__init__(name=name, daemon=True)
        self.soak = soak
        self.random = soak.random_of(name)
        self.acts = 0
        self.failure = None

    def act(self):
        raise NotImplementedError

    def settle(self):
        """Before a calm."""

    def run(self):
        try:
            while self.soak.go_on(self):
                self.act()
                self.acts += 1
                self.soak.pause(self.random.uniform(*self.rest))
        except BaseException as error:  # told by the main thread
            self.failure = error
            self.soak.fail(f"{self.name}: {error!r}")


# ---- what is written ----


class Words:
    """Lines by a random generator: each with the number of events that it is, and whether nobody could take it amiss."""

    def __init__(self, random):
        self.random = random
        self.kinds = [
            (30, self.step),
            (10, self.logfmt),
            (5, self.task),
            (5, self.level),
            (4, self.batch),
            (4, self.flood_of_values),
            (3, self.flood_of_names),
            (2, self.unnamed),
            (2, self.broken),
            (2, self.noise),
            (1, self.deep),
            (1, self.huge),
        ]

    def line(self):
        """(bytes without a newline, events)"""
        kinds = [kind for _, kind in self.kinds]
        return self.random.choices(kinds, [weight for weight, _ in self.kinds])[0]()

    def block(self, size):
        """Lines of at most so many bytes in all: (bytes, events)."""
        data, events = b"", 0
        while True:
            line, count = self.line()
            if len(data) + len(line) + 1 > size:
                return (data, events) if data else (b"step.completed step_name=short\n", 1)
            data += line + b"\n"
            events += count

    def step(self):
        random = self.random
        event = {
            "event": random.choice(["step.execution_requested"] * 3 + ["step.completed"] * 2 + ["step.failed", "step.cancelled"]),
            "task_id": str(random.randrange(200)),
            "step_id": random.randrange(40),
            "step_name": random.choice(["fetch", "load", "send a mail", 'quote " and \\', "ä\u20ac\U0001f600"]),
            "task_name": "nightly",
            "execution_duration": round(random.random() * 10, 3),
            "attempt_number": random.randrange(1, 5),
            "exception_class": random.choice(["Net::ReadTimeout", "RuntimeError", None]),
        }
        return json.dumps(event, ensure_ascii=random.random() < 0.5).encode(), 1

    def logfmt(self):
        return b'step.completed step_name="fetch page" execution_duration=%d task_name=t' % self.random.randrange(100), 1

    def task(self):
        return b"task.completed task_id=%d total_execution_duration=2.5" % self.random.randrange(50), 1

    def level(self):
        return b"level n=%d" % self.random.randrange(-5, 6), 1

    def batch(self):
        count = self.random.randrange(1, 12)
        return b"[" + b",".join([b'{"event":"level","n":1}'] * count) + b"]", count

    def flood_of_values(self):
        return b"flood user=u%d" % self.random.randrange(10**6), 1

    def flood_of_names(self):
        return b"named.x name=n%d" % self.random.randrange(10**6), 1

    def unnamed(self):
        return b'{"message":"no identifier","n":1}', 1

    def broken(self):
        return self.random.choice([b'{"event":"step.completed"', b'{"event":}', b'step.completed x="', b"[1,2", b"{}}"]), 1

    def noise(self):
        return b"\x00" + self.random.randbytes(self.random.randrange(1, 200)).replace(b"\n", b"?"), 1

    def deep(self):
        return b'{"event":"level","n":' + b"[" * DEEP + b"]" * DEEP + b"}", 1

    def huge(self):
        return b'{"event":"level","text":"' + b"x" * self.random.randrange(LINE_LIMIT, 3 * LINE_LIMIT) + b'"}', 1


# ---- by the pipe ----


def write_patiently(soak, descriptor, data):
    """Writes to a descriptor that does not block, waiting in turns, so that a calm is not missed; False where it has come."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            if not soak.pause(0.05):
                return False
    return True


@contextlib.contextmanager
def open_pipe(path):
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class PipeWriter(Trouble):
    """Writes blocks of lines; sometimes it dies in the middle of one, sometimes its lines are longer than a pipe takes whole."""

    def __init__(self, soak, name):
        super().__init__(soak, name)
        self.words = Words(self.random)

    def act(self):
        with open_pipe(self.soak.path("events")) as descriptor:
            for _ in range(self.random.randrange(1, 20)):
                data, _ = self.words.block(PIPE_BUF if self.random.random() < 0.8 else 4 * PIPE_BUF)
                if self.random.random() < 0.2:
                    data = data[: self.random.randrange(len(data))]
                if not write_patiently(self.soak, descriptor, data):
                    return


class KilledWriter(Trouble):
    """A process that is killed while it writes."""

    rest = (0.5, 3.0)

    def act(self):
        path = self.soak.path("killed.txt")
        if not path.exists():
            path.write_bytes(b"".join(Words(self.random).line()[0] + b"\n" for _ in range(5000)))
        with open(path, "rb") as source, open(self.soak.path("events"), "wb", buffering=0) as pipe:
            writer = subprocess.Popen(["cat"], stdin=source, stdout=pipe)
        self.soak.pause(self.random.uniform(0, 0.1))
        writer.kill()
        writer.wait()


class SecondPipe(Trouble):
    """Writes to a pipe that reloads remove and bring back; what finds no reader stays in it."""

    rest = (0.1, 0.6)

    def act(self):
        try:
            with open_pipe(self.soak.path("second")) as descriptor:
                os.write(descriptor, Words(self.random).block(PIPE_BUF)[0])
        except OSError:
            pass  # it is full, or there is none yet, or nobody reads it


# ---- datagrams ----


class Datagrams(Trouble):
    """Datagrams of one to many lines; how many events they are is counted."""

    rest = (0.0, 0.1)

    def __init__(self, soak, name):
        super().__init__(soak, name)
        self.words = Words(self.random)
        self.events = 0

    def socket(self):
        if self.name == "udp":
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.connect(("127.0.0.1", self.soak.udp_port))
        else:
            sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            sender.connect(str(self.soak.path("in.sock")))
        return sender

    def act(self):
        with self.socket() as sender:
            for _ in range(self.random.randrange(1, 30)):
                data, events = self.words.block(self.random.choice([200, 1400, 8000, 60000]))
                if self.random.random() < 0.5:
                    data = data[:-1]
                sender.send(data)
                self.events += events


# ---- connections ----


class Peer(Trouble):
    """Connections that send lines, whole, in pieces, without end, or nothing, and leave in every way there is."""

    rest = (0.0, 0.5)

    def connect(self):
        if self.name.startswith("tcp"):
            return socket.create_connection(("127.0.0.1", self.soak.tcp_port), 5)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(5)
        connection.connect(str(self.soak.path("in.stream")))
        return connection

    def act(self):
        kind = self.random.choice([self.lines, self.lines, self.lines, self.pieces, self.endless, self.mute, self.crowd])
        try:
            with self.connect() as connection:
                kind(connection)
                if self.random.random() < 0.3:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif self.random.random() < 0.3:
                    connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused, or thrown out: the agent may do both

    def lines(self, connection):
        words = Words(self.random)
        for _ in range(self.random.randrange(1, 20)):
            connection.sendall(words.block(20000)[0])

    def pieces(self, connection):
        data = Words(self.random).block(3000)[0]
        while data:
            size = self.random.randrange(1, 200)
            connection.sendall(data[:size])
            data = data[size:]
            if not self.soak.pause(0.01):
                return

    def endless(self, connection):
        for _ in range(20):
            connection.sendall(b"x" * 10000)

    def mute(self, connection):
        self.soak.pause(self.random.uniform(0, 1))

    def crowd(self, connection):
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(self.connect()).sendall(b"level n=1\nlevel n")
            self.soak.pause(0.1)


# ---- HTTP ----


class Browser(Trouble):
    """Asks the admin pages, rightly and wrongly, and does not always wait for the answer."""

    rest = (0.0, 0.3)
    PAGES = ["/", "/healthz", "/readyz", "/metrics", "/api/status", "/api/events", "/api/rejected", "/nowhere"]

    def act(self):
        kind = self.random.choice([self.ask, self.ask, self.ask, self.explain, self.babble, self.pour, self.dribble, self.tap])
        try:
            with socket.create_connection(("127.0.0.1", self.soak.admin_port), 5) as client:
                kind(client)
        except OSError:
            pass  # thrown out

    def request(self, target, host="localhost", method="GET"):
        return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n".encode()

    def ask(self, client):
        host = "evil.example" if self.random.random() < 0.1 else "localhost"
        method = self.random.choice(["GET"] * 8 + ["POST", "HEAD", "DELETE"])
        for _ in range(self.random.randrange(1, 4)):
            client.sendall(self.request(self.random.choice(self.PAGES), host, method) + b"\r\n")
        if self.random.random() < 0.8:
            client.recv(65536)

    def explain(self, client):
        line = Words(self.random).line()[0][:3000]
        client.sendall(self.request("/api/explain?line=" + "".join(f"%{byte:02x}" for byte in line)) + b"\r\n")
        client.recv(65536)

    def babble(self, client):
        client.sendall(self.random.randbytes(300) + b"\r\n\r\n")
        client.recv(65536)

    def pour(self, client):
        client.sendall(self.request("/api/status") + b"X-Huge: " + b"x" * 200_000)
        client.recv(65536)

    def dribble(self, client):
        for byte in self.request("/metrics")[: self.random.randrange(100)]:
            client.sendall(bytes([byte]))
            if not self.soak.pause(0.01):
                return

    def tap(self, client):
        client.sendall(self.request("/api/tap") + b"\r\n")
        is_deaf = self.random.random() < 0.5
        for _ in range(self.random.randrange(1, 10)):
            if not is_deaf:
                client.recv(65536)
            if not self.soak.pause(0.1):
                return
