"""The image in a pod, beside an application that knows nothing but a pipe: what the kustomize components render, played by
podman, into real receivers.
"""

import json
import os
import re
import signal
import socket

import containers
from containers import Containers
from harness import DEADLINE, UdpReceiver, contains, equal, test, true, wait_until
from real_servers import Stack, free_port, is_listening, is_udp_bound, npm

IMAGE = "localhost/statsidecar:test"
PIPE = "/run/statsidecar/events"
# In a cluster the startup probe sees to it that the pipe is there before an application starts.
WAIT = f"until test -p {PIPE} -a -w {PIPE}; do sleep 0.01; done; "


class Statsd(Stack):
    """npm's statsd, asked what it has counted."""

    def __init__(self):
        self._npm = npm("statsd@0.9.0")
        super().__init__()

    def start(self):
        self.port, self._management = free_port(socket.SOCK_DGRAM), free_port()
        configuration = {
            "port": self.port,
            "address": "127.0.0.1",
            "mgmt_port": self._management,
            "mgmt_address": "127.0.0.1",
            "flushInterval": 3600000,
            "backends": [],
        }
        file = self.file("config.js", json.dumps(configuration))
        server = self.run("statsd", "node", self._npm / "node_modules/statsd/stats.js", file)
        server.wait_until(lambda: is_listening(self._management) and is_udp_bound(self.port), "no port opened")

    def variables(self):
        return {"STATSD_HOST": "127.0.0.1", "STATSD_PORT": str(self.port)}

    def counters(self):
        """What was counted so far, the daemon's own aside."""
        with socket.create_connection(("127.0.0.1", self._management), DEADLINE) as connection:
            connection.sendall(b"counters\n")
            answer = b""
            while not answer.endswith(b"END\n\n"):
                answer += connection.recv(65536)
        # `{ 'a.b': 3, c: 1 }`, as Node prints an object.
        rows = re.findall(r"'?([\w.;=:-]+)'?: (\d+)[,\s]", answer.decode())
        return {name: int(count) for name, count in rows if not name.startswith(("statsd.", "statsidecar."))}


_store = None


def store():
    """The images, built once for all tests."""
    global _store
    if _store is None:
        _store = Containers()
        _store.__enter__()
        _store.build_application()
        _store.build_image("--tag", IMAGE)
    return _store


def application(script, user=1000):
    """A container without a statsidecar in its image, with a user of its own."""
    return {
        "name": "application",
        "image": Containers.APPLICATION,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", WAIT + script],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def to(receiver):
    return {"DD_AGENT_HOST": "127.0.0.1", "DD_DOGSTATSD_PORT": str(receiver.port)}


def own(lines):
    """Without the agent's own metrics."""
    return sorted(line for line in lines if not line.startswith("statsidecar."))


@test("pipe, socket and UDP of the pod, and exec by the program in the shared directory, reach Datadog's port with the pod's tag")
def _():
    script = (
        f"echo 'order.created step_name=pipe' >{PIPE}; "
        "printf 'order.created' | nc -u -w 1 127.0.0.1 8127; "
        "/run/statsidecar/bin/statsidecar publish --to unix:///run/statsidecar/socket order.paid; "
        "/run/statsidecar/bin/statsidecar exec nightly -- sh -c 'exit 3'; echo status $?; "
        "sleep 1000"
    )
    with UdpReceiver() as receiver, store().sidecar(IMAGE, application(script), environment=to(receiver)) as pod:
        receiver.read_until(lambda: any("job.failed" in line for line in receiver.all_lines()), "the job's end")
        wait_until(lambda: "status 3" in pod.log("application"), "the job's status")
        environment = dict(entry.split("=", 1) for entry in pod.inspect("statsidecar")["Config"]["Env"])
        lines = own(receiver.all_lines())
        for name in ("order.created", "order.paid", "job.started", "job.failed"):
            true(any(line.startswith(f"tasker.{name}:1|c|#") for line in lines), f"{name}: {lines}")
        tag = "dd.internal.entity_id:" + environment["DD_ENTITY_ID"]
        equal([line for line in lines if tag not in line], [])


@test("who it is: not root, no capability, nothing writable, no new privileges, a filter of system calls inside the pod's own")
def _():
    with UdpReceiver() as receiver, store().sidecar(IMAGE, application("sleep 1000"), environment=to(receiver)) as pod:
        wait_until(lambda: "ready" in pod.log("statsidecar"), "the agent")
        status = pod.status("statsidecar")
        equal(status["Uid"], ["65532"] * 4)
        equal(status["Gid"], ["65532"] * 4)
        equal((status["CapEff"], status["CapPrm"], status["NoNewPrivs"]), (["0" * 16], ["0" * 16], ["1"]))
        equal(status["Seccomp"], ["2"])
        true(pod.inspect("statsidecar")["HostConfig"]["ReadonlyRootfs"], "its root is writable")
        equal(pod.exec("statsidecar", "/usr/bin/statsidecar", "health", "--ready"), "ready\n")
        contains(pod.exec("application", "/run/statsidecar/bin/statsidecar", "--version"), "statsidecar ")
        equal(pod.stop("statsidecar"), 0)
        log = pod.log("statsidecar")
        contains(log, "ended: ")
        equal([line for line in log.splitlines() if "forbidden" in line or " error " in line or " warning " in line], [])


@test("rules of one's own from a ConfigMap, into npm's statsd with Graphite's tags")
def _():
    rules = """
prefix: shop.
rules:
  - {match: order.created, replace: true, tags: {currency: "{currency}"}, metrics: [{counter: orders}]}
"""
    script = f"for n in 1 2 3; do echo order.created currency=CHF >{PIPE}; done; "
    script += f"echo step.completed step_name=fetch >{PIPE}; sleep 1000"
    with Statsd() as statsd, store().sidecar(IMAGE, application(script), "graphite", statsd.variables(), rules=rules) as pod:
        want = {"shop.orders;currency=CHF": 3, "tasker.step.completed;step=fetch;attempt=1": 1}
        wait_until(lambda: statsd.counters() == want, "the events")
        equal(pod.stop("statsidecar"), 0)
        equal(statsd.counters(), want)


@test("a Job: 300 events, the last of them right before it exits, are all in npm's statsd; TERM comes when it has ended")
def _():
    script = f"for n in $(seq 299); do echo order.created; done >{PIPE}; echo import.finished >{PIPE}"
    with Statsd() as statsd, store().sidecar(IMAGE, application(script), "graphite", statsd.variables()) as pod:
        equal(pod.wait_end("application"), 0)
        equal(pod.stop("statsidecar"), 0)
        contains(pod.log("statsidecar"), "ended: 300 events received")
        want = {"tasker.order.created": 299, "tasker.import.finished": 1}
        wait_until(lambda: statsd.counters() == want, "the last event")


@test("a Job: what it wrote while the agent stood still is read after TERM")
def _():
    script = "until test -f /run/statsidecar/go; do sleep 0.01; done; "
    script += f"for n in $(seq 500); do echo order.created; done >{PIPE}; echo import.finished >{PIPE}"
    with UdpReceiver() as receiver, store().sidecar(IMAGE, application(script), environment=to(receiver)) as pod:
        wait_until(lambda: "ready" in pod.log("statsidecar"), "the agent")
        pod.send_signal("statsidecar", "STOP")
        (pod.shared / "go").touch()
        equal(pod.wait_end("application"), 0)
        equal(own(receiver.all_lines()), [])
        pod.send_signal("statsidecar", "TERM")
        pod.send_signal("statsidecar", "CONT")
        equal(pod.wait_end("statsidecar"), 0)
        lines = own(receiver.all_lines())
        equal(sum(line.startswith("tasker.order.created:") for line in lines), 500)
        equal(sum(line.startswith("tasker.import.finished:") for line in lines), 1)


@test("an agent that was killed is started again, and reads what is written from then on")
def _():
    script = f"while :; do echo order.created >{PIPE}; sleep 0.05; done"
    with UdpReceiver() as receiver, store().sidecar(IMAGE, application(script), environment=to(receiver), restart="OnFailure") as pod:
        receiver.lines(5)
        first = pod.pid("statsidecar")
        os.kill(first, signal.SIGKILL)  # podman does not restart what podman has killed
        wait_until(lambda: pod.pid("statsidecar") not in (0, first), "the agent's second start")
        receiver.received.clear()
        receiver.read_until(lambda: sum("order.created" in line for line in receiver.all_lines()) > 5, "new events")


@test("memory under load: within its request")
def _():
    count = 100000
    script = "cd /run/statsidecar; for n in $(seq 1000); do "
    script += "echo step.completed step_name=fetch execution_duration=1.25 task_name=nightly; done >lines; "
    script += f"for n in $(seq {count // 1000}); do cat lines; done >{PIPE}; echo import.finished >{PIPE}; sleep 1000"
    with UdpReceiver() as receiver, store().sidecar(IMAGE, application(script), environment=to(receiver)) as pod:
        receiver.read_until(lambda: any(b"import.finished" in d for d in receiver.received[-20:]), "the load's end")
        requests = pod.manifest["spec"]["containers"][-1]["resources"]["requests"]
        resident, charged = int(pod.status("statsidecar")["VmHWM"][0]), pod.charged_kib("statsidecar")
        print(f"# {count} events: at most {resident} KiB resident, {charged} KiB charged with the kernel's buffers")
        true(resident <= int(requests["memory"].removesuffix("Mi")) * 1024, f"{resident} KiB resident, requests: {requests}")


def fetch():
    npm("statsd@0.9.0")
    containers.program("kubectl")


try:
    containers.main(fetch)
finally:
    if _store is not None:
        _store.__exit__()
