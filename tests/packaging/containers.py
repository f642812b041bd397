"""What the tests with containers share: an image store and a podman of the test's own, and pods made of our manifests.

Everything (images, containers, mounts, a network namespace, control groups) lies in a directory or namespace of the test's own and
goes with it. Nothing is fetched from a registry of images.

    with Containers() as containers:
        image = containers.build_image()
        with containers.play(pod) as pod: ...

    containers.main(lambda: npm("statsd@0.9.0"))    # instead of harness.main(): in a network of its own, after fetching
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import yaml

from cluster import KUBERNETES, pod_template, program, render  # first: it says where the others are
import harness
from harness import DEADLINE, SOURCE, Failure, Skip, equal, skip, temporary_directory, wait_until
from real_servers import BUILD

INSIDE = "STATSIDECAR_TEST_CONTAINERS"
CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""
STORAGE = """
[storage]
driver = "vfs"
graphroot = "{place}/images"
runroot = "{place}/run"
"""


def main(fetch):
    """Runs the tests in a network and mount namespace of their own, or skips them all with the reason."""
    if INSIDE not in os.environ:
        why = _why_not(fetch)
        if why is None:
            sys.stdout.flush()
            os.environ[INSIDE] = "yes"
            os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
        harness.replace_tests(lambda: skip(why))
    else:
        with contextlib.suppress(KeyError):
            del os.environ["XDG_RUNTIME_DIR"]
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        # Whatever podman keeps outside of its store goes with the namespace.
        for folder in ("/run", "/var/lib", "/var/tmp"):
            subprocess.run(["mount", "-t", "tmpfs", "statsidecar", folder], check=True)
        try:
            with Containers() as containers:
                containers.build_application()
                containers.probe()
        except Skip as reason:
            why = str(reason)
            harness.replace_tests(lambda: skip(why))
    harness.main()


def _why_not(fetch):
    for program in ("podman", "buildah", "runc", "unshare", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "containers with a network and control groups of their own need root"
    probe = subprocess.run(["unshare", "--net", "--mount", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    if probe.returncode:
        return f"no namespaces here: {probe.stderr.strip()}"
    try:
        static_busybox()
        fetch()
    except Skip as why:
        return str(why)
    return None


def static_busybox():
    for path in ("/bin/busybox", "/usr/lib/busybox/busybox-static"):
        if os.path.exists(path) and b"INTERP" not in subprocess.run(["readelf", "-lW", path], capture_output=True).stdout:
            return path
    return skip("no static busybox (Debian: busybox-static)")


class Containers:
    APPLICATION = "localhost/application:1"

    def __enter__(self):
        self._directory = temporary_directory()
        self.place = pathlib.Path(self._directory.name)
        self.pods = []
        (self.place / "containers.conf").write_text(CONF)
        (self.place / "storage.conf").write_text(STORAGE.format(place=self.place))
        self.env = {
            **os.environ,
            "CONTAINERS_CONF": str(self.place / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.place / "storage.conf"),
            "TMPDIR": str(self.place),
            "HOME": str(self.place),
            "LC_ALL": "C.UTF-8",
        }
        return self

    def __exit__(self, *_):
        self.run("podman", "pod", "rm", "--all", "--force", "--time", "0", check=False)
        self.run("podman", "rm", "--all", "--force", "--time", "0", check=False)
        self.run("podman", "volume", "rm", "--all", "--force", check=False)
        self.run("buildah", "rmi", "--all", "--force", check=False)
        self._directory.cleanup()
        # podman leaves groups in some hierarchies: those of our pods, and those above them where no one else's are in them.
        for name in [*self.pods, "conmon", ""]:
            for parent in pathlib.Path("/sys/fs/cgroup").glob("**/libpod_parent"):
                below = (parent / name).glob("**/") if name else [parent]
                for group in sorted(below, reverse=True):
                    with contextlib.suppress(OSError):
                        group.rmdir()

    def run(self, *arguments, check=True, env=None, cwd=None):
        done = subprocess.run(
            list(map(str, arguments)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**self.env, **(env or {})},
            # podman takes a directory that is named like an image for something to be built.
            cwd=cwd or self.place,
            timeout=600,
        )
        if check and done.returncode != 0:
            raise Failure(f"{shlex.join(map(str, arguments))}: {done.returncode}\n{done.stdout.decode()[-3000:]}{done.stderr.decode()[-3000:]}")
        return done.stdout.decode("utf-8", "backslashreplace")

    def podman(self, *arguments, **options):
        return self.run("podman", *arguments, **options)

    def build_image(self, *arguments, source=SOURCE, work=BUILD / "image", env=None):
        """The agent's, as a user builds it; its digest. What was compiled before is used again."""
        builder = source / "packaging/docker/build-image"
        # Tests side by side share what was compiled.
        pathlib.Path(work).mkdir(exist_ok=True)
        with open(pathlib.Path(work, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self.run(builder, "--work", work, *arguments, env=env).strip()

    def build_application(self):
        """The image of an application: busybox, its shell, and nothing of ours."""
        folder = self.place / "application"
        (folder / "bin").mkdir(parents=True)
        shutil.copy(static_busybox(), folder / "bin/busybox")
        for name in "sh cat echo sleep test nc id ls seq true mkfifo kill".split():
            (folder / "bin" / name).symlink_to("busybox")
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY bin /bin\nENV PATH=/bin\nUSER 1000:1000\n")
        self.run("buildah", "build", "--quiet", "--network", "none", "--tag", self.APPLICATION, folder)

    def probe(self):
        """Skips where containers cannot be run at all."""
        words = ["podman", "run", "--rm", "--network", "none", "--pull", "never", self.APPLICATION, "true"]
        done = subprocess.run(words, capture_output=True, env=self.env)
        if done.returncode != 0:
            skip("podman cannot run a container here: " + " ".join(done.stderr.decode().split()[-30:]))

    def sidecar(self, image, application, component="datadog-udp", environment=(), restart="Never", rules=None):
        """A pod of this application (a container) and the agent, in a `with`: sidecar_pod()."""
        shared = self.place / "shared"
        manifest, config_maps = sidecar_pod(image, application, component, environment, restart, rules, shared)
        return Pod(self, manifest, config_maps, shared)


class Pod:
    """A pod that podman plays, in a `with`."""

    def __init__(self, containers, manifest, config_maps, shared):
        self.containers = containers
        self.manifest = manifest
        self.config_maps = config_maps
        self.shared = shared
        self.name = manifest["metadata"]["name"]

    def __enter__(self):
        try:
            self._play()
        except BaseException:
            self.__exit__(None)
            raise
        return self

    def _play(self):
        self.shared.mkdir()
        self.shared.chmod(0o777)
        file = self.containers.place / f"{self.name}.yaml"
        file.write_text(yaml.safe_dump(self.manifest))
        arguments = []
        for index, config_map in enumerate(self.config_maps):
            path = self.containers.place / f"{self.name}-{index}.yaml"
            path.write_text(yaml.safe_dump(config_map))
            arguments += ["--configmap", path]
        self.containers.podman("kube", "play", "--network", "host", *arguments, file)
        self.containers.pods += self.containers.podman("pod", "inspect", "--format", "{{.ID}}", self.name).split()

    def __exit__(self, kind, *_):
        if kind is not None:
            for container in self.manifest["spec"]["containers"]:
                name = container["name"]
                print(f"# the log of {name}:\n" + "\n".join("#   " + line for line in self.log(name).splitlines()[-30:]))
        self.containers.podman("pod", "rm", "--force", "--time", "0", self.name, check=False)
        shutil.rmtree(self.shared)

    def _name(self, container):
        return f"{self.name}-{container}"

    def inspect(self, container):
        return json.loads(self.containers.podman("container", "inspect", self._name(container)))[0]

    def pid(self, container):
        return self.inspect(container)["State"]["Pid"]

    def status(self, container):
        """/proc/PID/status of its first process."""
        rows = pathlib.Path(f"/proc/{self.pid(container)}/status").read_text().splitlines()
        return {name: value.split() for name, value in (row.split(":", 1) for row in rows)}

    def charged_kib(self, container):
        """The most that its control group was charged for: with what the kernel keeps for it, files it has read included."""
        for row in pathlib.Path(f"/proc/{self.pid(container)}/cgroup").read_text().splitlines():
            _, kind, path = row.split(":", 2)
            if kind == "memory":
                return int(pathlib.Path(f"/sys/fs/cgroup/memory{path}/memory.max_usage_in_bytes").read_text()) // 1024
            if kind == "" and (peak := pathlib.Path(f"/sys/fs/cgroup{path}/memory.peak")).exists():
                return int(peak.read_text()) // 1024
        return 0

    def log(self, container):
        done = subprocess.run(["podman", "logs", self._name(container)], capture_output=True, env=self.containers.env)
        return (done.stdout + done.stderr).decode("utf-8", "backslashreplace")

    def exec(self, container, *command, **options):
        return self.containers.podman("exec", self._name(container), *command, **options)

    def send_signal(self, container, name):
        self.containers.podman("kill", "--signal", name, self._name(container))

    def wait_end(self, container):
        """The exit status of the container, once it has ended."""

        def ended():
            state = self.inspect(container)["State"]
            return state["Status"] in ("exited", "stopped") and state

        return wait_until(ended, f"{container} to end", DEADLINE)["ExitCode"]

    def stop(self, container):
        """As the kubelet ends a container: TERM, then patience. Its exit status."""
        self.containers.podman("stop", "--time", int(DEADLINE), self._name(container))
        return self.wait_end(container)


# ---- our manifests, as far as podman 4 plays them ----


def sidecar_pod(image, application, component, environment, restart, rules, shared):
    """The pod of a Deployment to which the kustomize components have added the sidecar, and its ConfigMaps.

    podman 4 knows neither native sidecars nor the host's address: the sidecar is a container beside the others here, and
    `environment` replaces what comes from there. Its emptyDir belongs to whoever comes first, the kubelet's is open to all: the
    directory `shared` stands in for it. Probes are left to those who ask by exec."""
    name = "pod"
    workload = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [application]}},
        },
    }
    with temporary_directory() as directory:
        place = pathlib.Path(directory).resolve()
        (place / "workload.yaml").write_text(yaml.safe_dump(workload))
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["workload.yaml"],
            "components": [os.path.relpath(KUBERNETES / "components" / c, place) for c in ("sidecar", component)],
            "images": [{"name": "statsidecar", "newName": image.split(":")[0], "newTag": image.split(":")[1]}],
        }
        if rules is not None:
            (place / "rules.yaml").write_text(rules)
            kustomization["configMapGenerator"] = [{"name": "statsidecar-rules", "files": ["rules.yaml"]}]
        (place / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        manifests = render(place)
    template = next(filter(None, map(pod_template, manifests)))
    spec = template["spec"]
    agent = spec.pop("initContainers")[0]
    replaced = dict(environment)
    kept = [entry for entry in agent["env"] if entry["name"] not in replaced and entry["name"] not in ("DD_ENV", "DD_SERVICE", "DD_VERSION")]
    agent["env"] = kept + [{"name": key, "value": value} for key, value in replaced.items()]
    for unknown in ("restartPolicy", "startupProbe", "livenessProbe"):
        agent.pop(unknown)
    spec["containers"].append(agent)
    for volume in spec["volumes"]:
        if "emptyDir" in volume:
            equal(volume.pop("emptyDir"), {"sizeLimit": "16Mi"})
            volume["hostPath"] = {"path": str(shared), "type": "Directory"}
    spec["restartPolicy"] = restart
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], "name": name}, "spec": spec}
    return pod, [manifest for manifest in manifests if manifest["kind"] == "ConfigMap"]
