"""The Debian packages: built as anybody would build them, looked at by lintian, installed by dpkg into a tree of Debian, the
agent run by its unit's ExecStart as its user with the descriptors that its socket unit holds, removed, purged.

There is no systemd to start units in such a tree: what it would do of the two units is done here.
"""

import email.parser
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import SOURCE, Failure, Lines, UdpReceiver, equal, main, need, send_udp, test, true, write_pipe  # noqa: E402
from real_servers import die_with_parent  # noqa: E402
from trees import BUILD, ENVIRONMENT, Tree, archive, codename, into_own_network, run, tail  # noqa: E402

DIRECTORY = BUILD / "deb"


class Built:
    """The packages, built once."""

    files = None

    @classmethod
    def packages(cls):
        if cls.files is None:
            need("dpkg-buildpackage", "dh", "fakeroot")
            tarball, version = archive()
            changes = {**os.environ, "DEB_BUILD_OPTIONS": f"nocheck parallel={os.cpu_count()}"}
            done = run("sh", SOURCE / "packaging/make-deb.sh", tarball, version, DIRECTORY, env=changes)
            if done.returncode:
                raise Failure(f"packaging/make-deb.sh: {tail(done.stdout)}")
            cls.files = {path.name.split("_")[0]: path for path in DIRECTORY.glob("*.deb")}
        return cls.files


def field(name, what):
    text = run("dpkg-deb", "--field", Built.packages()[name]).stdout
    return email.parser.HeaderParser().parsestr(text)[what] or ""


def files_of(name):
    rows = run("dpkg-deb", "--contents", Built.packages()[name]).stdout
    paths = [row.split(None, 5)[5].split(" -> ")[0] for row in rows.splitlines()]
    return sorted(path[1:] for path in paths if not path.endswith("/"))


def first_alternatives(depends):
    names = [part.split("|")[0].split("(")[0].split(":")[0].strip() for part in depends.split(",")]
    return sorted({name for name in names if name and not name.startswith(("statsidecar", "libstatsidecar"))})


@test("the packages are built from the source archive: agent, library, development files")
def _():
    equal(sorted(name for name in Built.packages() if not name.endswith("-dbgsym")), ["libstatsidecar-dev", "libstatsidecar0", "statsidecar"])


@test("lintian finds no error, and no warning that is not explained")
def _():
    need("lintian")
    Built.packages()
    done = run("lintian", "--allow-root", "--fail-on", "error,warning", *DIRECTORY.glob("*.changes"))
    equal((done.returncode, done.stdout), (0, ""))


@test("its version is the program's")
def _():
    _, version = archive()
    true(field("statsidecar", "Version").startswith(version + "-"), field("statsidecar", "Version"))


@test("every file is where Debian's programs look for it, and none is in two packages")
def _():
    agent, library, development = (files_of(name) for name in ("statsidecar", "libstatsidecar0", "libstatsidecar-dev"))
    for path in (
        "/etc/statsidecar/statsidecar.yaml",
        "/lib/systemd/system/statsidecar.service",
        "/lib/systemd/system/statsidecar.socket",
        "/usr/bin/statsidecar",
        "/usr/lib/sysusers.d/statsidecar.conf",
        "/usr/lib/tmpfiles.d/statsidecar.conf",
        "/usr/share/bash-completion/completions/statsidecar",
        "/usr/share/fish/vendor_completions.d/statsidecar.fish",
        "/usr/share/man/man1/statsidecar.1.gz",
        "/usr/share/man/man5/statsidecar.yaml.5.gz",
        "/usr/share/man/man7/statsidecar.7.gz",
        "/usr/share/statsidecar/clients/python/statsidecar.py",
        "/usr/share/statsidecar/clients/ruby/statsidecar.rb",
        "/usr/share/statsidecar/clients/shell/statsidecar.sh",
        "/usr/share/statsidecar/statsidecar.schema.json",
        "/usr/share/zsh/vendor-completions/_statsidecar",
    ):
        true(path in agent, f"{path} is not in the package of the agent:\n" + "\n".join(agent))
    true(any(re.fullmatch(r"/usr/lib/.*/libstatsidecar\.so\.0", path) for path in library), library)
    for expression in (r"/usr/include/statsidecar\.h", r".*/libstatsidecar\.a", r".*/libstatsidecar\.so", r".*/pkgconfig/statsidecar\.pc", r".*/man3/statsidecar_open\.3\.gz"):
        true(any(re.fullmatch(expression, path) for path in development), f"{expression}:\n" + "\n".join(development))
    equal(sorted(set(agent) & set(library) | set(agent) & set(development) | set(library) & set(development)), [])


# ---- installed ----


class Unit:
    """What stands in a unit: a list of values by key."""

    def __init__(self, path):
        self.values = {}
        for key, value in re.findall(r"^(\w+)=(.*)$", path.read_text(), re.MULTILINE):
            self.values.setdefault(key, []).append(value)

    def one(self, key):
        equal(len(self.values.get(key, [])), 1, key)
        return self.values[key][0]


class Service:
    """Both units in a tree, as systemd would start them: the socket unit's descriptors are held here."""

    def __init__(self, tree):
        self.tree = tree
        self.service = Unit(tree.path / "lib/systemd/system/statsidecar.service")
        self.socket = Unit(tree.path / "lib/systemd/system/statsidecar.socket")
        self.user = self.identity("passwd", self.service.one("User"))
        self.group = self.identity("group", self.service.one("Group"))
        self.process = None

    def identity(self, file, name):
        row = next(row for row in (self.tree.path / "etc" / file).read_text().splitlines() if row.startswith(name + ":"))
        return int(row.split(":")[2])

    def listen(self):
        self.pipe = self.tree.path / self.socket.one("ListenFIFO")[1:]
        mode = int(self.socket.one("SocketMode"), 8)
        os.mkfifo(self.pipe)
        os.chmod(self.pipe, mode)
        os.chown(self.pipe, self.identity("passwd", self.socket.one("SocketUser")), self.identity("group", self.socket.one("SocketGroup")))
        host, port = self.socket.one("ListenDatagram").rsplit(":", 1)
        self.port = int(port)
        self.held = [os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK)]
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind((host, self.port))
        self.held.append(self.datagrams.fileno())

    def start(self, environment):
        arguments = shlex.split(self.service.one("ExecStart"))

        def enter():
            die_with_parent()
            # As 3 and 4, which is where they are looked for: first out of their own way.
            high = [os.dup(fd) for fd in self.held]
            high = [os.dup2(fd, 100 + i) for i, fd in enumerate(high)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
            os.closerange(5, 200)
            os.chroot(self.tree.path)
            os.chdir("/")
            os.setgroups([])
            os.setresgid(self.group, self.group, self.group)
            os.setresuid(self.user, self.user, self.user)
            os.umask(int(self.service.one("UMask"), 8))

        self.process = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"', "sh", *arguments],
            env={**ENVIRONMENT, **environment},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=enter,
            close_fds=False,
        )
        self.log = Lines(self.process.stderr)
        self.log.wait_for(r"\bready\b")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        log = self.log.wait_end()
        equal(status, 0, "\n".join(log))
        return log

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in self.held[:1]:
            os.close(descriptor)
        self.datagrams.close()


def differences(before, after):
    return {path: (before.get(path), after.get(path)) for path in sorted({*before, *after}) if before.get(path) != after.get(path)}


@test("installed, run by its ExecStart as its user, started again without a loss, removed, purged: nothing is left behind")
def _():
    packages = Built.packages()
    ours = ["libstatsidecar0", "libstatsidecar-dev", "statsidecar"]
    depends = first_alternatives(",".join(f"{field(name, 'Depends')},{field(name, 'Pre-Depends')}" for name in ours))
    with Tree(codename(), depends) as tree:
        before = tree.listing()
        for name in ours:
            shutil.copy(packages[name], tree.path / "tmp")
        tree.run("sh", "-c", "dpkg -i /tmp/*.deb")
        installed(tree)
        into_own_network()
        run_service(tree)
        tree.run("dpkg", "--remove", *ours)
        true((tree.path / "etc/statsidecar/statsidecar.yaml").exists(), "removing keeps the configuration")
        true(not (tree.path / "usr/bin/statsidecar").exists(), "removed")
        tree.run("dpkg", "--purge", *ours)
        equal(differences(before, tree.listing()), {}, "left behind")
        equal([path for path in tree.listing() if "statsidecar" in path], [])
        equal("statsidecar" in (tree.path / "etc/passwd").read_text(), False, "its user")


def installed(tree):
    """What the maintainers' scripts have done."""
    passwd = re.search(r"^statsidecar:.*$", (tree.path / "etc/passwd").read_text(), re.MULTILINE)
    true(passwd is not None and passwd.group(0).endswith("/nologin"), f"its user: {passwd}")
    directory = tree.path / "run/statsidecar"
    true(directory.exists() and directory.stat().st_uid == int(passwd.group(0).split(":")[2]), "the pipe's directory is its user's")
    for target, unit in (("multi-user", "service"), ("sockets", "socket")):
        link = tree.path / f"etc/systemd/system/{target}.target.wants/statsidecar.{unit}"
        equal(os.readlink(link), f"/lib/systemd/system/statsidecar.{unit}", "enabled")
    equal(tree.run("statsidecar", "--version"), f"statsidecar {archive()[1]}\n")
    true(": ok (" in tree.run("statsidecar", "check"), "the configuration that is installed")
    equal(tree.run("dpkg-query", "--show", "--showformat", "${Conffiles}", "statsidecar").split()[0], "/etc/statsidecar/statsidecar.yaml")


def run_service(tree):
    """Events in, metrics out, by the files of the package alone."""
    service = Service(tree)
    service.listen()
    try:
        with UdpReceiver() as receiver:
            variables = {"DD_DOGSTATSD_URL": receiver.url}
            service.start(variables)
            write_pipe(service.pipe, "order.created")
            receiver.read_until(lambda: "tasker.order.created:1|c" in receiver.all_lines(), "an event from the pipe")
            send_udp(service.port, "order.paid")
            receiver.read_until(lambda: "tasker.order.paid:1|c" in receiver.all_lines(), "an event by UDP")
            status = pathlib.Path(f"/proc/{service.process.pid}/status").read_text()
            equal(re.search(r"^Uid:\t(.*)", status, re.MULTILINE).group(1).split(), [str(service.user)] * 4)
            equal(re.search(r"^CapEff:\t(.*)", status, re.MULTILINE).group(1), "0" * 16)
            warnings = [line for line in service.stop() if re.search(r"\b(warning|error)\b", line)]
            equal(warnings, [], "the log")

            # While it is away both inputs go on taking events.
            write_pipe(service.pipe, "order.packed")
            send_udp(service.port, "order.sent")
            service.start(variables)
            for name in ("packed", "sent"):
                receiver.read_until(lambda: f"tasker.order.{name}:1|c" in receiver.all_lines(), f"what came while it was away: {name}")
            tree.run("statsidecar", "publish", "--to", "fifo:///run/statsidecar/events", "order.told")
            receiver.read_until(lambda: "tasker.order.told:1|c" in receiver.all_lines(), "an event of `publish`")
            service.stop()
    finally:
        service.close()


main()
