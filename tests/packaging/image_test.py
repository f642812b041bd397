"""packaging/docker: the image as packaging/docker/build-image makes it, without a registry."""

import io
import json
import os
import re
import shutil
import subprocess
import tarfile

import containers
from containers import Containers
from harness import SOURCE, Agent, UdpReceiver, contains, equal, send_udp, table, temporary_directory, test, true

IMAGE = "localhost/statsidecar:test"
LIMIT = 2 * 1024 * 1024
DATE = {"SOURCE_DATE_EPOCH": "1700000000", "REVISION": "0123abc"}


class Built:
    """The image, built once: .digest, .config (what the registry would show), .files (what its layers hold)."""

    _one = None

    def __init__(self):
        self.containers = Containers()
        self.containers.__enter__()
        self.archive = self.containers.place / "image.tar"
        self.digest = self.containers.build_image("--tag", IMAGE, "--archive", self.archive, env=DATE)
        with tarfile.open(self.archive) as archive:

            def blob(digest):
                return archive.extractfile("blobs/" + digest.replace(":", "/")).read()

            index = json.loads(archive.extractfile("index.json").read())
            manifest = json.loads(blob(index["manifests"][0]["digest"]))
            self.config = json.loads(blob(manifest["config"]["digest"]))
            layers = [tarfile.open(fileobj=io.BytesIO(blob(layer["digest"]))) for layer in manifest["layers"]]
        self.packed = sum(layer["size"] for layer in manifest["layers"])
        self.files = {"/" + member.name.strip("/"): member for layer in layers for member in layer.getmembers()}
        self._layers = layers

    def read(self, path):
        return next(layer.extractfile(self.files[path]).read() for layer in self._layers if self.files[path] in layer.getmembers())

    def program(self, directory):
        """The program of the image, in a directory of this machine."""
        path = os.path.join(directory, "statsidecar")
        with open(path, "wb") as file:
            file.write(self.read("/usr/bin/statsidecar"))
        os.chmod(path, 0o755)
        return path

    @classmethod
    def image(cls):
        if cls._one is None:
            cls._one = Built()
        return cls._one

    @classmethod
    def forget(cls):
        if cls._one is not None:
            cls._one.containers.__exit__()


@test("the image is less than 2 MiB")
def _():
    image = Built.image()
    size = sum(member.size for member in image.files.values())
    print(f"# {size} bytes, {image.packed} packed; the program {image.files['/usr/bin/statsidecar'].size}")
    true(size < LIMIT, f"{size} bytes")


@test("one program, which is static, and nothing else that runs: no shell")
def _():
    image = Built.image()
    runnable = [path for path, member in image.files.items() if member.isfile() and member.mode & 0o111]
    equal(runnable, ["/usr/bin/statsidecar"])
    with temporary_directory() as directory:
        headers = subprocess.run(["readelf", "-ldW", image.program(directory)], capture_output=True, check=True).stdout.decode()
    true("INTERP" not in headers and "(NEEDED)" not in headers, headers)
    contains(headers, "DYN", "at an address of the kernel's choice")


@test("what it says of itself: user, entry, signal, labels, date")
def _():
    config = Built.image().config
    version = re.search(r"AC_INIT\(\[\w+\], \[([^]]+)\]", (SOURCE / "configure.ac").read_text()).group(1)
    inside = config["config"]
    equal(inside["User"], "65532:65532")
    equal((inside["Entrypoint"], inside["Cmd"]), (["/usr/bin/statsidecar"], ["run"]))
    equal(inside["StopSignal"], "SIGTERM")
    equal(sorted(inside["ExposedPorts"]), ["8127/udp", "8128/tcp"])
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in inside["Labels"].items()}
    description = labels.pop("description")
    true(description, "no description")
    equal(labels, {"title": "statsidecar", "version": version, "revision": "0123abc", "licenses": "Apache-2.0"})
    equal(config["created"], "2023-11-14T22:13:20Z")


@test("the terms of what is linked into it are there; its directories belong to whom they should")
def _():
    image = Built.image()
    licences = {path.rsplit("/", 1)[1] for path in image.files if path.startswith("/usr/share/licenses/")}
    equal(licences, {"statsidecar", "libc6", "libevent", "libseccomp", "libyaml", "zlib"})
    owners = {path: member.uid for path, member in image.files.items() if path in ("/run/statsidecar", "/etc/statsidecar", "/usr/bin/statsidecar")}
    equal(owners, {"/run/statsidecar": 65532, "/etc/statsidecar": 0, "/usr/bin/statsidecar": 0})


def what_is_built(folder, names):
    """Not to be copied with the source."""
    at_the_top = [name for name in names if folder == str(SOURCE) and re.match(r"build(-(?!aux)|$)", name)]
    return at_the_top + [name for name in names if name in (".git", "__pycache__", "node_modules")]


@test("two builds, in two places, one digest")
def _():
    image = Built.image()
    with temporary_directory() as directory:
        elsewhere = os.path.join(directory, "elsewhere")
        shutil.copytree(SOURCE, elsewhere, ignore=what_is_built)
        work = os.path.join(directory, "work")
        digest = image.containers.build_image("--tag", "localhost/second:1", source=type(SOURCE)(elsewhere), work=work, env=DATE)
    equal(digest, image.digest)
    true(re.fullmatch(r"sha256:[0-9a-f]{64}", digest), digest)


@test("the archive is what `podman load` takes")
def _():
    image = Built.image()
    with Containers() as others:
        contains(others.podman("load", "--input", image.archive), IMAGE)
        identity = ["image", "inspect", "--format", "{{.Id}}", IMAGE]
        equal(others.podman(*identity), image.containers.podman(*identity))


@table([(f"in a container: {' '.join(words)}", words, part) for words, part in [
    (["--version"], "statsidecar "),
    (["check", "-c", "tasker"], "ok ("),
    (["test", "-c", "job"], "\nok 1 "),
    (["explain", "step.completed step_name=fetch"], "tasker.step.completed:1|c|#step:fetch"),
]])  # fmt: skip
def _(words, part):
    run = ["run", "--rm", "--network", "none", "--pull", "never", "--read-only", "--cap-drop", "all", IMAGE]
    contains(Built.image().containers.podman(*run, *words), part)


@test("in a container without anything mounted, its root not writable for it: the default pipe and port are open")
def _():
    held = Built.image().containers
    held.podman("run", "--detach", "--name", "alone", "--network", "none", "--pull", "never", IMAGE)
    held.run("sh", "-ec", "until podman logs alone 2>&1 | grep -q ready; do sleep 0.05; done")
    log = held.run("sh", "-c", "podman logs alone 2>&1")
    contains(log, "ready: 2 of 2 inputs")
    equal(held.podman("stop", "--time", "30", "alone").strip(), "alone")
    equal(held.podman("container", "inspect", "--format", "{{.State.ExitCode}}", "alone").strip(), "0")


@test("the static program: a filter of system calls, groups of /etc/group, names of hosts and addresses of both families")
def _():
    image = Built.image()
    with temporary_directory() as directory, UdpReceiver() as receiver, UdpReceiver("::1") as other:
        config = f"""
inputs:
  - {{url: "fifo://{{dir}}/pipe", group: daemon}}
  - udp://[::1]:0
outputs: ["udp://localhost:{receiver.port}", "{other.url}"]
rules: [{{match: "**", metrics: [{{counter: "{{event}}"}}]}}]
"""
        with Agent(config, program=image.program(directory)) as agent:
            with open(f"/proc/{agent.pid}/status", encoding="ascii") as file:
                contains(file.read(), "\nSeccomp:\t2\n")
            equal(os.stat(agent.directory / "pipe").st_gid, 1)
            send_udp(agent.ports()[0], "order.created", host="::1")
            equal((receiver.lines(1), other.lines(1)), (["order.created:1|c"], ["order.created:1|c"]))


@test("the Dockerfile installs what ./bootstrap asks for a build")
def _():
    bootstrap = (SOURCE / "bootstrap").read_text()
    functions = re.findall(r"^build_(?:needs|wishes)\(\)\n\{\n\tcat <<'END'\n(.*?)^END", bootstrap, re.MULTILINE | re.DOTALL)
    needed = {name for text in functions for row in text.splitlines() for name in row.split("|")[0].split()}
    dockerfile = (SOURCE / "packaging/docker/Dockerfile").read_text()
    installed = re.search(r"apt-get install -y --no-install-recommends \\\n\t(.*)\n", dockerfile).group(1).split()
    equal(sorted(installed), sorted(needed))


try:
    containers.main(lambda: None)
finally:
    Built.forget()
