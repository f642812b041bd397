"""The admin pages: who is answered, what probes and /metrics say, and that nobody who asks harms the events."""

import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from urllib.parse import quote

from admin import PIPE, QUIET, AdminAgent, label, total
from harness import (
    DEADLINE,
    IS_INSTRUMENTED,
    SOURCE,
    Agent,
    UdpReceiver,
    command,
    contains,
    equal,
    main,
    send_udp,
    skip,
    table,
    temporary_directory,
    test,
    true,
    wait_until,
    write_pipe,
)
from stream_receiver import Listener

COUNT = "rules: [{match: 'a.**', name: counted, metrics: [{counter: n}]}]\n"


# ---- who is answered, and how ----


@table(
    [
        ("the status page", "/", 200, "text/html; charset=utf-8"),
        ("health", "/healthz", 200, "text/plain; charset=utf-8"),
        ("readiness", "/readyz", 200, "text/plain; charset=utf-8"),
        ("metrics", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("the status", "/api/status", 200, "application/json"),
        ("events", "/api/events", 200, "application/json"),
        ("rejected lines", "/api/rejected", 200, "application/json"),
        ("an explanation", "/api/explain?line=a.b", 200, "application/json"),
        ("an explanation of nothing", "/api/explain", 400, "application/json"),
        ("what is not there", "/metrics/", 404, "text/plain; charset=utf-8"),
        ("what is not there either", "/api", 404, "text/plain; charset=utf-8"),
        ("a path that leaves", "/../etc/passwd", 404, "text/plain; charset=utf-8"),
    ]
)
def _(path, status, kind):
    with UdpReceiver() as receiver, AdminAgent(PIPE + f"outputs: ['{receiver.url}']") as agent:
        answer = agent.ask(path)
        equal((answer.status, answer.headers["Content-Type"]), (status, kind), answer.body)
        equal(answer.headers["Cache-Control"], "no-store")
        equal(answer.headers["X-Content-Type-Options"], "nosniff")
        true(answer.body, "an empty answer")
        if kind == "application/json":
            json.loads(answer.body)


@test("HEAD gets the headers alone, on a connection that goes on")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']") as agent, agent.connect() as client:
        client.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        equal(text.count("HTTP/1.1 200 OK"), 2, text)
        equal(text.count("Content-Length: 3"), 2, text)
        equal(text.count("\r\n\r\nok\n"), 1, text)


@table([(f"{method} is refused", method) for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")])
def _(method):
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']") as agent:
        for path in ("/metrics", "/api/status", "/nothing"):
            answer = agent.ask(path, method)
            equal((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"), path)


HOSTS = [
    ("localhost", 200),
    ("LOCALHOST:80", 200),
    ("127.0.0.1", 200),
    ("127.3.2.1:8128", 200),
    ("[::1]", 200),
    ("[::1]:8128", 200),
    ("evil.example", 403),
    ("evil.example:8128", 403),
    ("127.0.0.1.evil.example", 403),
    ("localhost.evil.example", 403),
    ("[::2]", 403),
    ("10.0.0.1", 403),
    ("128.0.0.1", 403),
    ("localhost@evil.example", 403),
    (":8128", 403),
    ("", 403),
]


@table([(f"on loopback the Host `{host}` is {'answered' if status == 200 else 'refused'}", host, status) for host, status in HOSTS])
def _(host, status):
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']") as agent:
        for path in ("/", "/healthz", "/metrics", "/api/status"):
            equal(agent.ask(path, headers={"Host": host}).status, status, path)


@table(
    [
        ("a foreign Host behind ours is refused", "GET /api/status", ["localhost", "evil.example"], 403),
        ("a foreign Host before ours is refused", "GET /api/status", ["evil.example", "localhost"], 403),
        ("a foreign name in the request line is refused", "GET http://evil.example/api/status", ["localhost"], 403),
        ("… also without Host", "GET http://evil.example/api/status", [], 403),
        ("ours in the request line is answered", "GET http://localhost:8128/api/status", ["localhost:8128"], 200),
        ("… and an address of IPv6", "GET http://[::1]:8128/api/status", [], 200),
    ]
)
def _(line, hosts, status):
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']") as agent, agent.connect() as client:
        client.sendall("\r\n".join([line + " HTTP/1.1", *["Host: " + host for host in hosts], "Connection: close", "", ""]).encode())
        contains(b"".join(iter(lambda: client.recv(65536), b"")).decode(), f"HTTP/1.1 {status} ")


@test("a request without Host is answered: no browser sends one")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']") as agent, agent.connect() as client:
        client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        contains(b"".join(iter(lambda: client.recv(65536), b"")).decode(), "200 OK")


@table(
    [
        ("of the page itself", "same-origin", 200),
        ("of the address bar", "none", 200),
        ("of another site", "cross-site", 403),
        ("of another port", "same-site", 403),
    ]
)
def _(site, status):
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']") as agent:
        equal(agent.ask("/api/status", headers={"Sec-Fetch-Site": site}).status, status)
        equal(agent.ask("/", headers={"Sec-Fetch-Site": site}).status, 200, "a link to the page")


OFF_LOOPBACK = {
    "auto": ({"/healthz": 200, "/readyz": 200, "/metrics": 200}, 403),
    "on": ({"/healthz": 200, "/readyz": 200, "/metrics": 200}, 200),
    "off": ({"/healthz": 200, "/readyz": 200, "/metrics": 200}, 403),
}


@table([(f"off loopback, api: {api}", api) for api in OFF_LOOPBACK])
def _(api):
    public, others = OFF_LOOPBACK[api]
    with UdpReceiver() as receiver:
        admin = f"admin: {{listen: '0.0.0.0:0', api: '{api}'}}\ntelemetry: off\n"
        with AdminAgent(PIPE + f"outputs: ['{receiver.url}']", admin) as agent:
            for path, status in public.items():
                equal(agent.ask(path).status, status, path)
                equal(agent.ask(path, headers={"Host": "pod-7.cluster"}).status, status, path + " by a name")
            for path in ("/", "/api/status", "/api/events", "/api/rejected", "/api/explain?line=a"):
                equal(agent.ask(path).status, others, path)


@test("on loopback api: off leaves the probes and metrics alone")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']", "admin: {listen: '127.0.0.1:0', api: off}\ntelemetry: off\n") as agent:
        equal(agent.ask("/metrics").status, 200)
        equal(agent.ask("/api/events").status, 403)
        equal(agent.ask("/").status, 403)


@test("IPv6")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']", "admin: '[::1]:0'\ntelemetry: off\n") as agent:
        with socket.create_connection(("::1", agent.port), DEADLINE) as client:
            client.sendall(b"GET /api/status HTTP/1.0\r\nHost: [::1]\r\n\r\n")
            contains(client.recv(65536).decode(), "200 OK")


# ---- where it listens ----


@test("a configured address that is taken is status 71")
def _():
    with socket.socket() as other, temporary_directory() as directory:
        other.bind(("127.0.0.1", 0))
        other.listen()
        path = f"{directory}/c.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"inputs: ['fifo://{directory}/pipe']\noutputs: ['udp://127.0.0.1:9']\nadmin: 127.0.0.1:{other.getsockname()[1]}\n")
        done = command("run", "-c", path)
        equal(done.returncode, 71, done.stderr)
        contains(done.stderr, "another process listens there")


@test("the default address is a warning where it is taken")
def _():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 8128))
            other.listen()
        except OSError:
            pass  # somebody else's serves as well
        with Agent(PIPE + "outputs: ['udp://127.0.0.1:9']\ntelemetry: off\n", quiet=False) as agent:
            agent.stderr.wait_for(r"warning admin: cannot listen on 127\.0\.0\.1, port 8128")


@test("a reload moves it, and turns it off")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']") as agent:
        first = agent.port
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            second = free.getsockname()[1]
        agent.configure(PIPE + f"outputs: ['udp://127.0.0.1:9']\nadmin: 127.0.0.1:{second}\ntelemetry: off\n")
        agent.send_signal(signal.SIGHUP)
        agent.stderr.wait_for(rf"admin: http://127\.0\.0\.1:{second}/")
        with socket.create_connection(("127.0.0.1", second), DEADLINE) as client:
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            contains(client.recv(65536).decode(), "200 OK")
        equal(is_open(first), False, "the first address")
        agent.configure(PIPE + "outputs: ['udp://127.0.0.1:9']\nadmin: off\ntelemetry: off\n")
        agent.send_signal(signal.SIGHUP)
        wait_until(lambda: not is_open(second), "the second address to be closed")


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), DEADLINE).close()
        return True
    except ConnectionRefusedError:
        return False


# ---- probes ----


@test("not ready while an output has no connection, ready once it has had its time")
def _():
    with AdminAgent(PIPE + "outputs: ['unix://{dir}/absent']") as agent:
        answer = agent.ask("/readyz")
        equal(answer.status, 503)
        contains(answer.body, "not ready: an output")
        equal(agent.ask("/healthz").status, 200)
        wait_until(lambda: agent.ask("/readyz").status == 200, "ready after all")


@test("ready once is ready, whatever becomes of an output afterwards")
def _():
    with Listener("unixstream") as receiver, AdminAgent(PIPE + f"outputs: ['{receiver.url}']") as agent:
        receiver.accept()
        wait_until(lambda: agent.ask("/readyz").status == 200, "ready")
        receiver.socket.close()
        receiver.connection.close()
        wait_until(lambda: agent.page("/api/status")["outputs"][0]["up"] is False, "the output to be away")
        answer = agent.ask("/readyz")
        equal((answer.status, answer.body), (200, "ready\n"))


@test("not ready while it stops")
def _():
    with AdminAgent("inputs: ['fifo://{dir}/pipe']\noutputs: [{url: 'unix://{dir}/absent', when_full: block}]\n" + COUNT) as agent:
        write_pipe(agent.directory / "pipe", "a.b")
        wait_until(lambda: agent.page("/api/status")["outputs"][0]["pending"] == 1, "a metric that waits")
        agent.send_signal(signal.SIGTERM)
        agent.stderr.wait_for("stopping")
        answer = agent.ask("/readyz")
        equal((answer.status, answer.body), (503, "not ready: stopping\n"))
        agent.kill()


@test("a refused reload stands in the body and in the metrics, and is gone with the next good one")
def _():
    with UdpReceiver() as receiver:
        good = PIPE + f"outputs: ['{receiver.url}']\n" + COUNT + QUIET
        with AdminAgent(good, admin="") as agent:
            agent.configure(good + "unheard_of: 1\n")
            agent.send_signal(signal.SIGHUP)
            wait_until(lambda: total(agent.metrics(), "statsidecar_config_reloads_total", result="failure"), "the reload")
            answer = agent.ask("/readyz")
            equal(answer.status, 200, "it works on")
            contains(answer.body, "the last reload was refused")
            contains(answer.body, "unheard_of")
            status = agent.page("/api/status")["configuration"]
            equal(status["last_reload_successful"], False)
            contains(status["faults"], "unheard_of")
            equal(agent.metrics()["statsidecar_config_last_reload_successful"], 0)
            agent.configure(good.replace("name: counted", "name: told"))
            agent.send_signal(signal.SIGHUP)
            wait_until(lambda: total(agent.metrics(), "statsidecar_config_reloads_total", result="success"), "the reload")
            equal(agent.ask("/readyz").body, "ready\n")
            equal(agent.metrics()["statsidecar_config_last_reload_successful"], 1)


FINDINGS = """
catalogue:
  job.done: {legacy: [job.complete], expects: [took]}
lifecycles:
  job: {key: [id], enter: {job.begun: at_work, job.done: done}, transitions: {at_work: [done], done: []}, final: [done]}
limits: {tag_values: 1}
rules: [{match: 'job.*', metrics: [{counter: '{event}', tags: {id: '{id}'}}]}]
"""


@test("the status has what was found out about events: legacy names, missing fields, limited tags, entities; and what came when")
def _():
    with UdpReceiver() as receiver, AdminAgent(PIPE + f"outputs: ['{receiver.url}']\n" + FINDINGS) as agent:
        before = agent.page("/api/status")
        equal([before[name] for name in ("legacy", "missing", "limited")], [[], [], {"names": 0, "values": {}}])
        write_pipe(agent.directory / "pipe", "job.begun id=1", "job.complete id=1 took=1", "job.done id=2", "job.begun id=1", "job.begun id=3")
        status = wait_until(lambda: (lambda s: s if s["received"] == 5 else None)(agent.page("/api/status?history=1")), "five events")
        equal(status["legacy"], [{"alias": "job.complete", "event": "job.done", "count": 1}])
        equal(status["missing"], [{"event": "job.done", "field": "took", "count": 1}])
        equal(status["limited"], {"names": 0, "values": {"id": 2}})
        entities = {"at_work": 2, "done": 1}  # an illegal transition is made, too
        account = {"name": "job", "entities": entities, "invalid_transitions": 1, "evicted": 0, "expired": 0}
        equal(status["lifecycles"], [account])
        true("history" not in before, "a history that nobody asked for")
        history = status["history"]
        equal(history["columns"], ["ms", "received", "sent", "lost", "unmapped", "rejected"])
        true(history["readings"], "no reading, though events came")
        for reading in history["readings"]:
            true(status["started_ms"] <= reading[0] <= status["now_ms"], f"{reading} of another time")
            true(0 <= reading[1] <= 5 and reading[3:] == [0, 0, 0], f"{reading} of other events")


# ---- /metrics ----

NAMES = """
statsidecar_events_received_total statsidecar_events_total statsidecar_unknown_events_total statsidecar_legacy_events_total
statsidecar_payload_missing_total statsidecar_rule_matches_total statsidecar_metrics_total statsidecar_output_pending
statsidecar_metrics_skipped_total statsidecar_output_bytes_total statsidecar_output_datagrams_total
statsidecar_output_errors_total statsidecar_output_up statsidecar_input_kernel_drops_total statsidecar_input_refused_total
statsidecar_values_limited_total statsidecar_names_limited_total statsidecar_lifecycle_entities
statsidecar_lifecycle_invalid_transitions_total statsidecar_lifecycle_evicted_total statsidecar_lifecycle_expired_total
statsidecar_config_reloads_total statsidecar_config_last_reload_successful statsidecar_build_info process_cpu_seconds_total
process_resident_memory_bytes process_virtual_memory_bytes process_open_fds process_max_fds process_start_time_seconds
""".split()


@test("/metrics has every name, each with its help and type")
def _():
    with AdminAgent("include: [tasker, tasker-lifecycles]\n" + PIPE + "outputs: ['udp://127.0.0.1:9']") as agent:
        text = agent.ask("/metrics").body
        families = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge)$", text, re.MULTILINE))
        equal(sorted(families), sorted(NAMES))
        equal(sorted(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE)), sorted(NAMES))
        samples = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
        equal(sorted(samples), sorted(NAMES))
        for name in NAMES:
            equal(name in re.findall(r"^# TYPE (\S+) counter", text, re.MULTILINE), name.endswith("_total"), name)


@test("a name that this configuration counts nothing of stands there too, without a sample")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']\n" + COUNT) as agent:
        text = agent.ask("/metrics").body
        equal(sorted(re.findall(r"^# TYPE (\S+) (?:counter|gauge)$", text, re.MULTILINE)), sorted(NAMES))
        contains(text, "# TYPE statsidecar_lifecycle_entities gauge\n# HELP")
        contains(text, "# TYPE statsidecar_legacy_events_total counter\n# HELP")


@test("rules of one label, and several rules in one line, are one sample")
def _():
    rules = "rules: [{match: a, name: both, drop: true}, {match: b, name: both, drop: true}, {match: c, drop: true}, {match: d, drop: true}]\n"
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']\n" + rules) as agent:
        write_pipe(agent.directory / "pipe", *"aabbbcdd")
        wait_until(lambda: total(agent.metrics(), "statsidecar_events_total") == 8, "eight events")
        lines = [line for line in agent.insist("/metrics").splitlines() if line.startswith("statsidecar_rule_matches_total{")]
        line_of_rules = 1 + agent.config.read_text().split("\n").index(rules.strip())
        equal(len(lines), 2)
        equal(lines[0], 'statsidecar_rule_matches_total{rule="both"} 5')
        true(lines[1].endswith(f'statsidecar.yaml:{line_of_rules}"}} 3'), lines[1])


@test("docs/watching.md lists them all")
def _():
    rows = re.findall(r"^\| `(\w+)` \|", (SOURCE / "docs/watching.md").read_text(encoding="utf-8"), re.MULTILINE)
    equal(sorted(rows), sorted(NAMES))


@test("/metrics is read by Prometheus' own parser, whatever labels hold")
def _():
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        skip("python3-prometheus-client is not installed")
    name = 'odd "name" \\ with\\n things'
    with UdpReceiver() as receiver:
        config = f"inputs: [{{url: 'fifo://{{dir}}/pipe', name: '{name}'}}]\noutputs: [{{url: '{receiver.url}', name: 'größe'}}]\n"
        with AdminAgent("include: [tasker]\n" + config) as agent:
            write_pipe(agent.directory / "pipe", "step.complete step_name=a", "nobody.knows", "=")
            wait_until(lambda: total(agent.metrics(), "statsidecar_events_received_total") == 3, "three events")
            found = {}
            for family in text_string_to_metric_families(agent.ask("/metrics").body):
                true(family.type in ("counter", "gauge"), f"{family.name} is {family.type}")
                true(family.documentation, f"{family.name} has no help")
                for sample in family.samples:
                    key = (sample.name, tuple(sorted(sample.labels.items())))
                    true(key not in found, f"{key} stands there twice")
                    found[key] = sample.value
            equal(found["statsidecar_events_received_total", (("input", name),)], 3)
            equal(found["statsidecar_events_total", (("outcome", "malformed"),)], 1)
            equal(found["statsidecar_output_up", (("output", "größe"),)], 1)
            legacy = (("alias", "step.complete"), ("event", "step.completed"))
            equal(found["statsidecar_legacy_events_total", legacy], 1)
            true(found["process_resident_memory_bytes", ()] > 1e6, "the memory of nothing")
            true(found["process_open_fds", ()] >= 5, "no descriptors")
            true(0 < found["process_start_time_seconds", ()] < 1e11, "the start")


@test("process_* are what the kernel says")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']") as agent:
        metrics = agent.metrics()
        fields = open(f"/proc/{agent.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
        with open("/proc/stat", encoding="ascii") as file:
            boot = int(re.search(r"^btime (\d+)", file.read(), re.MULTILINE).group(1))
        start = boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")
        true(abs(metrics["process_start_time_seconds"] - start) < 2, f"{metrics['process_start_time_seconds']}, want {start}")
        true(abs(metrics["process_open_fds"] - len(agent.descriptors())) <= 2, f"{metrics['process_open_fds']} descriptors")
        equal(metrics["process_virtual_memory_bytes"] > 0, True)


# ---- under load ----


class Flood:
    """Threads that write events into the pipe and the UDP port until they have written so many; each makes one metric."""

    def __init__(self, agent, events):
        self.agent, self.events = agent, events
        self.line = b"a.b value=1.25 name=nightly_report\n"
        self.threads = [threading.Thread(target=self._pipe), threading.Thread(target=self._udp)]
        for thread in self.threads:
            thread.start()

    def _pipe(self):
        descriptor = os.open(self.agent.directory / "pipe", os.O_WRONLY)
        block = self.line * 100
        for _ in range(self.events // 200):
            os.write(descriptor, block)
        os.close(descriptor)

    # As fast as the agent takes them: the kernel drops what its buffer does not hold, whoever else asks.
    def _udp(self):
        port = self.agent.ports("udp")[0]
        block = self.line * 20
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(self.events // 40):
                sender.sendto(block, ("127.0.0.1", port))

    def end(self):
        for thread in self.threads:
            thread.join()


FLOODED = "inputs: ['fifo://{dir}/pipe', 'udp://127.0.0.1:0']\noutputs: ['URL']\n" + COUNT


class Drain(threading.Thread):
    """Takes what comes, so that nothing is dropped; in a `with`."""

    def __init__(self, receiver):
        super().__init__(daemon=True)
        self.socket, self.is_over = receiver.socket, False

    def __enter__(self):
        self.start()

    def run(self):
        while not self.is_over:
            if select.select([self.socket], [], [], 0.05)[0]:
                try:
                    while True:
                        self.socket.recv(65536)
                except BlockingIOError:
                    pass

    def __exit__(self, *_):
        self.is_over = True
        self.join()


def check_balance(metrics):
    outcomes = total(metrics, "statsidecar_events_total")
    equal(outcomes, total(metrics, "statsidecar_events_received_total"), "events by outcome, received")
    made = total(metrics, "statsidecar_metrics_total") + total(metrics, "statsidecar_output_pending")
    equal(made, total(metrics, "statsidecar_events_total", outcome="mapped"), "metrics: one an event")
    return outcomes


class Probe(threading.Thread):
    """Asks whether the agent is well, again and again; the flood does not wait for it."""

    def __init__(self, agent):
        super().__init__()
        self.agent, self.answers, self.is_over = agent, [], threading.Event()

    def run(self):
        while not self.is_over.wait(0.1):
            try:
                self.answers.append(self.agent.ask("/healthz").status)
            except OSError as error:
                self.answers.append(str(error))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()


@test("the accounts balance in every scrape of a loaded agent")
def _():
    events = 40_000 if IS_INSTRUMENTED else 400_000
    with UdpReceiver() as receiver, Drain(receiver), AdminAgent(FLOODED.replace("URL", receiver.url)) as agent:
        flood = Flood(agent, events)
        seen = []
        while any(thread.is_alive() for thread in flood.threads):
            seen.append(check_balance(agent.metrics()))
        flood.end()
        seen.append(check_balance(agent.metrics()))
        true(len(set(seen)) >= (2 if IS_INSTRUMENTED else 3), f"only {len(set(seen))} different readings")
        for output in agent.page("/api/status")["outputs"]:
            fates = sum(output[fate] for fate in ("sent", "dropped", "filtered", "sampled_out", "pending"))
            equal(output["made"], fates, output["name"])


@test("a hundred slow and hostile clients while events flow: none is lost, memory is bounded, probes are answered")
def _():
    seconds = 2 if IS_INSTRUMENTED else 8
    with UdpReceiver() as receiver, Drain(receiver), AdminAgent(FLOODED.replace("URL", receiver.url)) as agent:
        write_pipe(agent.directory / "pipe", "a.b")
        wait_until(lambda: agent.page("/api/status")["received"] == 1, "the first event")
        before = agent.memory_kib()
        script = [sys.executable, str(SOURCE / "tests/e2e/hostile_clients.py"), str(agent.port)]
        with subprocess.Popen(script, stdin=subprocess.PIPE) as hostile:
            try:
                wait_until(lambda: agent.metrics()["process_open_fds"] > 50, "the clients to come")
                with Probe(agent) as probe:
                    sent = 1 + paced_flood(agent, seconds, 2_000 if IS_INSTRUMENTED else 20_000)
                equal(set(probe.answers), {200}, "probes")
                peak = agent.memory_kib("VmHWM")
            finally:
                hostile.stdin.close()
                hostile.wait(DEADLINE)
        status = wait_until(lambda: is_done(agent, sent), "all events to be read")
        equal([i["kernel_drops"] for i in status["inputs"]], [0, 0], f"of {sent} events, dropped by the kernel")
        equal(status["outcomes"]["mapped"], sent)
        if not IS_INSTRUMENTED:
            true(peak - before < 32 * 1024, f"memory grew from {before} to {peak} KiB")
        wait_until(lambda: agent.metrics()["process_open_fds"] < 20, "the clients' descriptors to be closed")


def paced_flood(agent, seconds, rate):
    """One event a datagram at a fixed pace, whatever the agent does. What this process is late with, because others use
    the machine, is not made up for at once: no receiver would hold that. Nor does the time count that the agent was ready
    and others had the machine: what it does with its own is what is judged. How many were sent."""
    port, sent, due, begin = agent.ports("udp")[0], 0, 0, time.monotonic()
    kept_waiting, latest = waited_s(agent.pid), begin + 5 * seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        while (now := time.monotonic()) < latest:
            passed = now - begin - (waited_s(agent.pid) - kept_waiting)
            if passed >= seconds:
                break
            due = max(due, passed * rate - rate / 20)
            while due < passed * rate:
                sender.send(b"a.b value=1.25 name=nightly_report")
                due += 1
                sent += 1
            select.select([], [], [], 0.001)
    return sent


def waited_s(pid):
    """How long a process has been ready to run and did not, for want of a processor."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def is_done(agent, events):
    status = agent.page("/api/status")
    lost = sum(i["kernel_drops"] for i in status["inputs"])
    return status if status["received"] + lost >= events else None


@test("whoever asks for too much is put off; probes are not")
def _():
    dearest = "%5B" + "%7B%22event%22:%22step.failed%22%7D," * 300 + "%7B%7D%5D"
    request = f"GET /api/explain?line={dearest} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with AdminAgent("include: [tasker]\n" + PIPE + "outputs: ['udp://127.0.0.1:9']") as agent, agent.connect() as client:
        threading.Thread(target=client.sendall, args=(request * 100,), daemon=True).start()
        text = b""
        while b"events come first" not in text:
            data = client.recv(1 << 20)
            true(data, "the end")
            text = text[-4096:] + data
        contains(text, b"HTTP/1.1 503 ")
        contains(text, b"Retry-After: 1\r\n")
        equal(agent.ask("/healthz").status, 200)
        equal(agent.ask("/readyz").status, 200)
        client.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: agent.ask("/metrics").status == 200, "patience")


def leave_after_the_answer(client):
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.recv(65536)


def be_left(client):
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    while client.recv(65536):
        pass


def be_thrown_out(client):
    client.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
    while client.recv(65536):
        pass


def leave_in_the_middle(client):
    client.sendall(b"GET /metrics HTTP/1.1\r\nHo")


def leave_by_reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sendall(b"GET /")


def leave_the_tap(client):
    client.sendall(b"GET /api/tap HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.recv(65536)


@table(
    [
        (f"a connection of events with the descriptor of an HTTP connection that went away {how} is read", leave)
        for how, leave in [
            ("after its answer", leave_after_the_answer),
            ("because it wished to be closed", be_left),
            ("because it was no HTTP", be_thrown_out),
            ("in the middle of its request", leave_in_the_middle),
            ("by a reset", leave_by_reset),
            ("from the tap", leave_the_tap),
        ]
    ]
)
def _(leave):
    with UdpReceiver() as receiver, AdminAgent(f"inputs: ['tcp://127.0.0.1:0']\noutputs: ['{receiver.url}']\n" + COUNT) as agent:
        (port,) = [port for port in agent.ports("tcp") if port != agent.port]
        before = set(agent.descriptors())
        for _ in range(3):
            with agent.connect() as client:
                leave(client)
            wait_until(lambda: set(agent.descriptors()) == before, "the end of the HTTP connection")
            with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
                connection.sendall(b"a.b\n")
                equal(receiver.lines(1), ["n:1|c"])
            wait_until(lambda: set(agent.descriptors()) == before, "the end of the connection")


@test("whoever says nothing makes room for whoever asks")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']") as agent:
        silent = [agent.connect() for _ in range(100)]
        for _ in range(5):
            equal(agent.ask("/healthz").status, 200)
        closed = 0
        for client in silent:
            client.setblocking(False)
            try:
                closed += client.recv(1) == b""
            except BlockingIOError:
                pass
            except ConnectionResetError:
                closed += 1
        true(36 <= closed < 100, f"{closed} of 100 were closed")
        for client in silent:
            client.close()


# ---- what comes in ----


@test("/api/events: counts, rates, what is known, the metrics and a line, by canonical identifier")
def _():
    with UdpReceiver() as receiver, AdminAgent("include: [tasker]\n" + PIPE + f"outputs: ['{receiver.url}']") as agent:
        write_pipe(agent.directory / "pipe", "step.completed step_name=a", "step.complete step_name=b", '{"event":"order.<b>"}', "order.paid")
        answer = wait_until(lambda: (lambda a: a if sum(e["count"] for e in a["events"]) == 3 else None)(agent.page("/api/events")), "three events")
        found = {event["event"]: event for event in answer["events"]}
        equal(sorted(found), ["order.paid", "step.completed"])
        step = found["step.completed"]
        equal((step["count"], step["known"], step["outcome"]), (2, True, "mapped"))
        equal(step["line"], "step.completed step_name=a", "kept for a second")
        true(step["rate"] > 0, "no rate")
        true(abs(answer["now_ms"] - step["seen_ms"]) < 60_000, "last seen")
        contains(step["metrics"], {"kind": "timer", "name": "tasker.step.duration"})
        equal((found["order.paid"]["known"], found["order.paid"]["outcome"]), (False, "fallback"))
        equal(found["order.paid"]["metrics"], [{"kind": "counter", "name": "tasker.order.paid"}])


@test("/api/events: at most 512 identifiers, the least recently seen makes room")
def _():
    with UdpReceiver() as receiver, AdminAgent(PIPE + f"outputs: ['{receiver.url}']\n" + COUNT) as agent:
        for first in range(0, 2000, 100):
            write_pipe(agent.directory / "pipe", *[f"a.n{i}" for i in range(first, first + 100)])
        wait_until(lambda: agent.page("/api/status")["received"] == 2000, "2,000 events")
        answer = agent.page("/api/events")
        equal(len(answer["events"]), 512)
        equal(answer["evicted"], 2000 - 512)
        equal({event["event"] for event in answer["events"]}, {f"a.n{i}" for i in range(2000 - 512, 2000)})


@test("/api/events: counts go on over a reload")
def _():
    with UdpReceiver() as receiver, AdminAgent(PIPE + f"outputs: ['{receiver.url}']\n" + COUNT) as agent:
        write_pipe(agent.directory / "pipe", "a.b")
        wait_until(lambda: agent.page("/api/status")["received"] == 1, "an event")
        agent.configure(PIPE + f"outputs: ['{receiver.url}']\n" + COUNT.replace("counter: n", "counter: other") + f"admin: 127.0.0.1:0\ntelemetry: off\n")
        agent.send_signal(signal.SIGHUP)
        wait_until(lambda: agent.page("/api/status")["configuration"]["reloads"]["success"] == 1, "the reload")
        write_pipe(agent.directory / "pipe", "a.b")
        wait_until(lambda: agent.page("/api/status")["received"] == 2, "another event")
        (event,) = agent.page("/api/events")["events"]
        equal((event["count"], event["metrics"]), (2, [{"kind": "counter", "name": "other"}]))


@test("/api/rejected: the last 32, newest first, each with its reason")
def _():
    with UdpReceiver() as receiver, AdminAgent(PIPE + f"outputs: ['{receiver.url}']\n" + COUNT) as agent:
        write_pipe(agent.directory / "pipe", *[f'{{"n":{i},' for i in range(40)], "12 no identifier", "x" * 3000 + '="')
        answer = wait_until(lambda: (lambda a: a if a["count"] == 42 else None)(agent.page("/api/rejected")), "42 bad lines")
        lines = answer["rejected"]
        equal(len(lines), 32)
        equal((lines[0]["outcome"], lines[0]["line"], lines[0]["line_is_cut"]), ("malformed", "x" * 400, True))
        equal((lines[1]["outcome"], lines[1]["line"]), ("unnamed", "12 no identifier"))
        contains(lines[1]["why"], "its name is no identifier")
        equal((lines[2]["line"], lines[2]["column"]), ('{"n":39,', 9))
        equal(lines[31]["line"], '{"n":10,')
        equal(lines[2]["input"], f"fifo://{agent.directory}/pipe")


@test("a line that is no text is shown as text")
def _():
    with UdpReceiver() as receiver, AdminAgent("inputs: ['udp://127.0.0.1:0']\n" + f"outputs: ['{receiver.url}']\n" + COUNT) as agent:
        send_udp(agent.ports("udp")[0], b'a.b x="\xff\xfe\x00')
        answer = wait_until(lambda: (lambda a: a if a["count"] else None)(agent.page("/api/rejected")), "a bad line")
        equal(answer["rejected"][0]["line"], 'a.b x="\ufffd\ufffd\0')


# ---- explain ----


def explained(agent, line):
    return json.loads(agent.ask_patiently("/api/explain?line=" + quote(line, safe="")).body)


@table(
    [
        ("a known event", "step.completed step_name=fetch execution_duration=1.25"),
        ("a legacy name, as JSON", '{"event":"step.complete","step_name":"a&b=c+d %41 <i>"}'),
        ("an unmapped one", "Nobody.Knows:this"),
        ("a malformed one", '{"event":'),
        ("a batch", '[{"event":"step.failed","attempt_number":3},{"event":"task.completed"}]'),
        ("bytes beyond ASCII", "step.completed step_name=größe"),
    ]
)
def _(line):
    with AdminAgent("include: [tasker]\n" + PIPE + "outputs: [{url: 'udp://127.0.0.1:9', name: main}]") as agent:
        answer = explained(agent, line)
        equal(answer["text"], command("explain", "-c", agent.config, line).stdout)
        lines = command("explain", "--json", "-c", agent.config, line).stdout.splitlines()
        equal(answer["events"], [json.loads(text) for text in lines])
        equal(agent.page("/api/status")["received"], 0, "events counted")


@test("an explanation of 8 KiB, and of more")
def _():
    with AdminAgent(PIPE + "outputs: ['udp://127.0.0.1:9']\n" + COUNT) as agent:
        equal(explained(agent, "a.b x=" + "ü" * 4093)["count"], 1)
        answer = agent.ask_patiently("/api/explain?line=a.b+x=" + "x" * 8187)
        equal(answer.status, 413, answer.body)
        true(agent.ask("/api/explain?line=a.b+x=" + "x" * 100_000).status in (400, 413), "a header beyond every limit")
        equal(agent.ask("/healthz").status, 200)


main()
