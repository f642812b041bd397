"""What the fault tests play: an agent with every kind of input and output, those who write to it and those who receive, and a
round of everything that it does. While calls fail the round only has to be survived; afterwards all accounts have to agree."""

import collections
import contextlib
import http.client
import os
import pathlib
import selectors
import signal
import socket
import struct
import threading

import harness
from admin import AdminAgent, total
from harness import DEADLINE, Failure, equal, temporary_directory, true, wait_until

INPUTS = ["pipe", "udp", "unix", "tcp", "stream"]
OUTPUTS = ["udp", "unix", "tcp", "stream", "stdout"]

CONFIGURATION = """
inputs:
  - {{url: "fifo://{folder}/events", name: pipe}}
  - {{url: "udp://127.0.0.1:0", name: udp}}
  - {{url: "unix://{folder}/in.sock", name: unix}}
  - {{url: "tcp://127.0.0.1:0", name: tcp}}
  - {{url: "unixstream://{folder}/in.stream", name: stream}}
{inputs}
outputs:
  - {{url: "udp://127.0.0.1:{udp}", name: udp}}
  - {{url: "unix://{folder}/out.sock", name: unix}}
  - {{url: "tcp://localhost:{tcp}", name: tcp, when_full: {when_full}}}
  - {{url: "unixstream://{folder}/out.stream", name: stream, when_full: {when_full}}}
  - {{url: "stdout:", name: stdout, when_full: {when_full}}}
{outputs}
rules:
  - {{match: "f.*", tags: {{who: "{{who}}"}}, metrics: [{{counter: "{name}", value: n}}, {{timer: took, value: n, unit: ms}}]}}
telemetry: {{interval: 100ms, metrics: minimal}}
admin: 127.0.0.1:0
shutdown_grace: 2s
sandbox: {sandbox}
"""
# What a second configuration has besides.
MORE_INPUTS = '  - {{url: "fifo://{folder}/second", name: second}}\n  - {{url: "udp://127.0.0.1:0", name: another}}'
MORE_OUTPUTS = '  - {url: "udp://127.0.0.1:9", name: nobody}'
METRICS_PER_EVENT = 2
BEYOND_STEPS = 1000  # numbers of probes begin where those of other events have ended


class Sinks(threading.Thread):
    """Takes what every output sends; counts whole lines, whatever connections they come by."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.lines = collections.Counter()
        self.seen = collections.defaultdict(set)  # values of the counter `probe`
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.unix.bind(f"{folder}/out.sock")
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.stream.bind(f"{folder}/out.stream")
        self.stream.listen()
        self.stdout, self.stdout_writer = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._ender, self._end = os.pipe()
        self._open = []
        os.set_blocking(self.stdout, False)
        for receiver in (self.udp, self.unix):
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        for name, receiver in (("udp", self.udp), ("unix", self.unix), ("tcp", self.tcp), ("stream", self.stream)):
            receiver.setblocking(False)
            self._selector.register(receiver, selectors.EVENT_READ, (self._datagrams if name in ("udp", "unix") else self._accept, name, None))
        self._selector.register(self.stdout, selectors.EVENT_READ, (self._bytes, "stdout", bytearray()))
        self._selector.register(self._ender, selectors.EVENT_READ, None)
        self.start()

    def port(self, name):
        return getattr(self, name).getsockname()[1]

    def run(self):
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                take, name, held = key.data
                try:
                    take(key.fileobj, name, held)
                except BlockingIOError:
                    pass
                except ConnectionError:
                    self._selector.unregister(key.fileobj)

    def _count(self, name, line):
        if line.startswith(b"probe:"):
            self.seen[name].add(int(line[6:].split(b"|")[0]))
        self.lines[name] += 1

    def _datagrams(self, receiver, name, _):
        while True:
            for line in receiver.recv(65536).split(b"\n"):
                self._count(name, line)

    def _accept(self, listener, name, _):
        connection = listener.accept()[0]
        connection.setblocking(False)
        self._open.append(connection)
        self._selector.register(connection, selectors.EVENT_READ, (self._bytes, name, bytearray()))

    def _bytes(self, source, name, held):
        while True:
            data = os.read(source if isinstance(source, int) else source.fileno(), 65536)
            if not data:
                self._selector.unregister(source)
                return
            held += data
            self._whole(name, held)

    def _whole(self, name, held):
        if name == "stream":
            while len(held) >= 4 and len(held) >= 4 + (length := struct.unpack_from("<I", held)[0]):
                for line in bytes(held[4 : 4 + length]).split(b"\n"):
                    self._count(name, line)
                del held[: 4 + length]
        else:
            *lines, rest = bytes(held).split(b"\n")
            for line in lines:
                self._count(name, line)
            held[:] = rest

    def close(self):
        os.write(self._end, b"x")
        self.join()
        self._selector.close()
        for connection in (*self._open, self.udp, self.unix, self.tcp, self.stream):
            connection.close()
        for descriptor in (self.stdout, self._ender, self._end):
            os.close(descriptor)


class StageAgent(AdminAgent):
    """Run by a wrapper of the test's own, which is the parent that is asked for; .pid is the agent."""

    def __init__(self, wrapper, **options):
        super().__init__("", **options)
        self.wrapper = list(wrapper)

    def start(self, wait=True):
        harness.WRAPPER[:0] = self.wrapper
        try:
            return super().start(wait)
        finally:
            del harness.WRAPPER[: len(self.wrapper)]

    @property
    def pid(self):
        if not self.wrapper:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else self.process.pid

    def send_signal(self, number):
        os.kill(self.pid, number)


class Stage:
    """In a `with`; the agent is started by start()."""

    def __init__(self, env=None, sandbox=True, when_full="drop", wrapper=()):
        self._directory = temporary_directory()
        self.folder = self._directory.name
        self.sinks = Sinks(self.folder)
        self.sandbox = sandbox
        self.when_full = when_full
        self.written = collections.Counter()
        self.probe = BEYOND_STEPS
        self.agent = StageAgent(wrapper, directory=self.folder, env=env, stdout=os.fdopen(self.sinks.stdout_writer, "wb", 0))
        self.configure()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.agent.process is not None and self.agent.process.poll() is None:
            self.agent.kill()
        if kind is not None and self.agent.process is not None:
            print("\n".join("# " + line[:300] for line in self.agent.stderr.all()[-25:]))
        self.agent.stdout_target.close()
        self.sinks.close()
        self._directory.cleanup()

    # -- the agent --

    def configure(self, more=False, fault=""):
        text = CONFIGURATION.format(
            folder=self.folder,
            udp=self.sinks.port("udp"),
            tcp=self.sinks.port("tcp"),
            when_full=self.when_full,
            sandbox=str(self.sandbox).lower(),
            name="probe",
            inputs=MORE_INPUTS.format(folder=self.folder) if more else "",
            outputs=MORE_OUTPUTS if more else "",
        )
        beside = pathlib.Path(self.folder, "beside")
        beside.write_text(text + fault)
        beside.rename(self.agent.config)

    def start(self):
        """True where it is ready, False where it has ended by itself."""
        self.agent.start(wait=False)
        try:
            self.agent.wait_ready()
        except Failure:
            self.agent.process.wait(DEADLINE)  # neither ready nor over would be a hang
            return False
        return True

    def has_ended(self):
        return self.agent.process.poll() is not None

    def check_refusal(self):
        """It has ended at its start: with a status that says why, and words."""
        status = self.agent.wait()
        text = "\n".join(self.agent.stderr.all())
        # The loader's words come before there is an agent.
        was_loaded = "error while loading shared libraries" not in text
        true(status in (71, 74, 78) or not was_loaded, f"exit status {status} at the start:\n{text}")
        true(text, f"exit status {status} without a word")

    def check_alive(self):
        true(not self.has_ended(), f"the agent has ended: {self.agent.process.poll()}")

    # -- a round of everything --

    def address(self, kind):
        log = "\n".join(self.agent.stderr.all())
        inside = self.agent.ports("udp" if kind == "udp" else "tcp")
        if kind == "tcp":
            inside = [port for port in inside if f"http://127.0.0.1:{port}/" not in log]
        return ("127.0.0.1", inside[0])

    def write(self, kind, *lines):
        """By one input; how many events were written is noted. What is refused is not."""
        data = b"".join(line.encode() + b"\n" for line in lines)
        if kind == "pipe":
            descriptor = os.open(f"{self.folder}/events", os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
        else:
            family = socket.AF_INET if kind in ("udp", "tcp") else socket.AF_UNIX
            type_ = socket.SOCK_DGRAM if kind in ("udp", "unix") else socket.SOCK_STREAM
            address = {"unix": f"{self.folder}/in.sock", "stream": f"{self.folder}/in.stream"}.get(kind)
            with socket.socket(family, type_) as sender:
                sender.settimeout(DEADLINE)
                sender.connect(address or self.addresses[kind])
                if type_ == socket.SOCK_DGRAM:
                    for line in lines:
                        sender.send(line.encode())
                else:
                    sender.sendall(data)
        self.written[kind] += len(lines)

    def write_if_possible(self, kind, *lines):
        try:
            self.write(kind, *lines)
        except OSError:
            self.check_alive()

    def ask_if_possible(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.agent.port, timeout=0.5)
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            self.check_alive()
        finally:
            connection.close()

    def learn_addresses(self):
        self.addresses = {"udp": self.address("udp"), "tcp": self.address("tcp")}

    def round(self):
        """Everything that an agent does, while anything may fail."""
        with self.tap_if_possible():
            self.events_and_reloads()

    @contextlib.contextmanager
    def tap_if_possible(self):
        try:
            client = socket.create_connection(("127.0.0.1", self.agent.port), DEADLINE)
            client.sendall(b"GET /api/tap HTTP/1.1\r\nHost: localhost\r\n\r\n")
        except OSError:
            self.check_alive()
        try:
            yield
        finally:
            client.close()

    def events_and_reloads(self):
        for kind in INPUTS:
            # From the pipe so many that they fill several datagrams.
            self.write_if_possible(kind, *[f"f.step who=w{n} n={n}" for n in range(100 if kind == "pipe" else 20)])
        self.reload_if_possible(more=True)
        for path in ("/metrics", "/api/status", "/readyz", "/api/explain?line=f.step+n=1"):
            self.ask_if_possible(path)
        for kind in INPUTS:
            self.write_if_possible(kind, *[f"f.step who=w{n} n={n}" for n in range(20)])
        self.agent.send_signal(signal.SIGUSR1)
        self.reload_if_possible(more=False)
        self.ask_if_possible("/api/events")

    def reload_if_possible(self, more):
        """Whether it came to something is not waited for: it may not have been noticed."""
        self.configure(more)
        self.agent.send_signal(signal.SIGHUP)

    # -- afterwards --

    def check_works(self):
        """Nothing fails any more: events come through from every input to every output, and all accounts agree."""
        self.check_alive()
        self.reload_surely()
        for kind in INPUTS:
            self.probe += 1
            self.send_probe(kind)
        try:
            return wait_until(self.agrees, "all accounts to agree")
        except Failure as failure:
            raise Failure(f"{failure}; {self.accounts()}") from None

    def reload_surely(self):
        self.configure(False)
        reloads = self.count_reloads()
        self.agent.send_signal(signal.SIGHUP)

        def is_told():
            self.check_alive()
            return self.count_reloads() > reloads

        wait_until(is_told, "the reload")

    def count_reloads(self):
        return sum("reloaded: " in line for line in self.agent.stderr.all())

    def send_probe(self, kind):
        """Into an input until it has come out of every output: some may still be away."""

        def arrives():
            if self.probe not in self.sinks.seen["udp"] or not again % 50:
                self.write_if_possible(kind, f"f.probe who={kind} n={self.probe}")
            return all(self.probe in self.sinks.seen[name] for name in OUTPUTS)

        again = 0

        def look():
            nonlocal again
            found = arrives()
            again += 1
            return found

        wait_until(look, f"a probe by {kind} at every output; it came to {[n for n in OUTPUTS if self.probe in self.sinks.seen[n]]}")

    def metrics(self):
        def read():
            try:
                return self.agent.metrics()
            except (OSError, http.client.HTTPException):
                self.check_alive()
                return None

        return wait_until(read, "/metrics")

    def accounts(self):
        metrics = self.metrics()
        counters = {name: value for name, value in metrics.items() if value and "_total" in str(name)}
        return f"written {dict(self.written)}, seen by the receivers {dict(self.sinks.lines)}, counters {counters}"

    def agrees(self):
        metrics = self.metrics()
        received = {name: int(total(metrics, "statsidecar_events_received_total", input=name)) for name in INPUTS}
        drops = int(total(metrics, "statsidecar_input_kernel_drops_total", input="udp"))
        equal(total(metrics, "statsidecar_events_total"), total(metrics, "statsidecar_events_received_total"), "outcomes, events received")
        made = {
            name: total(metrics, "statsidecar_metrics_total", output=name) + total(metrics, "statsidecar_output_pending", output=name)
            for name in OUTPUTS
        }
        equal(len(set(made.values())), 1, f"metrics made, the same for every output: {made}")
        for name in INPUTS:
            true(received[name] <= self.written[name], f"{name}: {received[name]} events received, {self.written[name]} written")
        sent = {name: int(total(metrics, "statsidecar_metrics_total", output=name, outcome="sent")) for name in OUTPUTS}
        exact = {name: received[name] for name in ("pipe", "unix")} | {"udp": received["udp"] + drops}
        is_whole = exact == {name: self.written[name] for name in exact}
        return metrics if is_whole and sent == {name: self.sinks.lines[name] for name in OUTPUTS} else None

    def stop(self, want=(0,)):
        self.agent.send_signal(signal.SIGTERM)
        status = self.agent.wait()
        true(status in want, f"exit status {status}:\n" + "\n".join(self.agent.stderr.all()[-20:]))
