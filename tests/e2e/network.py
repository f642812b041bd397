"""A network of the test's own: the test and its agent in one network namespace, hosts in others, joined by a
pair of virtual cards each; a DNS server and address translation from Debian, fetched as the real servers are.
Nothing of the machine is changed, and nothing stays behind: namespaces, cards and mounts end with their
processes.

    with Host("192.0.2", "fd00:2::") as host, host.receiver(11) as receiver: ...

    network.main(["dnsmasq-base"])    # instead of harness.main()
"""

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess

import namespace
from harness import Failure, Skip, UdpReceiver, environment, temporary_directory, wait_until
from namespace import run
from real_servers import debian, die_with_parent, find_program, libraries
from stream_receiver import Listener

PACKAGES = "STATSIDECAR_TEST_PACKAGES"
CLONE_NEWNET = 0x40000000


# ---- getting in ----


def main(packages):
    """Runs the tests in a namespace of their own, or skips them all with the reason."""

    def fetch():
        os.environ[PACKAGES] = " ".join(packages)
        try:
            # Inside there is no way to fetch them any more.
            debian(*packages)
        except Skip as why:
            return str(why)
        return None

    namespace.main([], ["--net", "--mount"], fetch)


def unpacked():
    """The packages that main() was called with."""
    return debian(*os.environ[PACKAGES].split())


# ---- hosts ----


class Host:
    """A namespace beside ours. We have the address .1 of both networks, it has those that it is given."""

    def __init__(self, network="192.0.2", network_v6="fd00:2::"):
        self.network, self.network_v6 = network, network_v6

    def __enter__(self):
        # It lives as long as somebody may write to it.
        self._holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self._namespace = f"/proc/{self._holder.pid}/ns/net"
        ours = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(self._namespace) != ours, "the namespace")
        self.near = f"near{self._holder.pid % 100000}"
        run("ip", "link", "add", self.near, "type", "veth", "peer", "name", "far", "netns", self._holder.pid)
        run("ip", "address", "add", f"{self.network}.1/24", "dev", self.near)
        run("ip", "address", "add", f"{self.network_v6}1/64", "dev", self.near, "nodad")
        run("ip", "link", "set", self.near, "up")
        for card in ("lo", "far"):
            self.run("ip", "link", "set", card, "up")
        return self

    def __exit__(self, *_):
        run("ip", "link", "delete", self.near)
        self._holder.stdin.close()
        self._holder.wait()

    def command(self, *arguments):
        return ["nsenter", f"--net={self._namespace}", *map(str, arguments)]

    def run(self, *arguments, env=None):
        return run(*self.command(*arguments), env=env)

    @contextlib.contextmanager
    def inside(self):
        """What opens a socket here opens it there."""
        libc = ctypes.CDLL(None, use_errno=True)
        ours, theirs = (os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/net", self._namespace))

        def enter(descriptor):
            if libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

        enter(theirs)
        try:
            yield
        finally:
            enter(ours)
            os.close(ours)
            os.close(theirs)

    def address(self, number):
        return f"{self.network}.{number}"

    def address_v6(self, number):
        return f"{self.network_v6}{number}"

    def add(self, number):
        self.run("ip", "address", "add", f"{self.address(number)}/24", "dev", "far")
        self.run("ip", "address", "add", f"{self.address_v6(number)}/64", "dev", "far", "nodad")

    def remove(self, number):
        self.run("ip", "address", "delete", f"{self.address(number)}/24", "dev", "far")
        self.run("ip", "address", "delete", f"{self.address_v6(number)}/64", "dev", "far")

    def receiver(self, number, port=8125, is_v6=False):
        """A UDP receiver on an address that exists with it."""
        return HostReceiver(self, number, port, is_v6)

    def listener(self, number, port=8125):
        """A TCP receiver, on an address that exists already."""
        with self.inside():
            return Listener("tcp", (self.address(number), port))


class HostReceiver(UdpReceiver):
    def __init__(self, host, number, port, is_v6):
        self._host, self._number = host, number
        host.add(number)
        with host.inside():
            super().__init__(host.address_v6(number) if is_v6 else host.address(number), port)

    def __exit__(self, *_):
        super().__exit__()
        self._host.remove(self._number)


# ---- names ----


class NameServer:
    """dnsmasq on a host, the only one that /etc/resolv.conf names as long as it is there; it knows what it is told."""

    def __init__(self, host, number=53, resolv=""):
        self.host, self.number, self.resolv = host, number, resolv

    def __enter__(self):
        self.host.add(self.number)
        self._directory = temporary_directory()
        self.directory = pathlib.Path(self._directory.name)
        (self.directory / "names").write_text("")
        resolv = self.directory / "resolv.conf"
        resolv.write_text(f"nameserver {self.host.address(self.number)}\n{self.resolv}")
        run("mount", "--make-rprivate", "/")
        run("mount", "--bind", resolv, "/etc/resolv.conf")
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        run("umount", "/etc/resolv.conf")
        self._directory.cleanup()
        self.host.remove(self.number)

    def start(self):
        root = unpacked()
        self._log = open(self.directory / "log", "ab")
        started = self.log().count("started")
        self._process = subprocess.Popen(
            self.host.command(
                find_program(root, "dnsmasq"),
                "--conf-file=/dev/null",
                "--keep-in-foreground",
                "--user=root",
                "--pid-file=",
                "--no-resolv",
                "--no-hosts",
                "--bind-interfaces",
                f"--listen-address={self.host.address(self.number)}",
                f"--addn-hosts={self.directory / 'names'}",
                "--local-ttl=0",
                "--local=/test/",
                "--log-queries",
                "--log-facility=-",
            ),  # fmt: skip
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**environment(), **libraries(root)},
            preexec_fn=die_with_parent,
        )

        def is_up():
            if self._process.poll() is not None:
                raise Failure(f"dnsmasq ended:\n{self.log()}")
            return self.log().count("started") > started

        wait_until(is_up, "dnsmasq")

    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def questions(self, name):
        """How often it was asked for the name, for whatever of it."""
        # Resolvers write names in random case, against forged answers.
        return self.log().lower().count(f" {name} from ")

    def know(self, **names):
        """From now on these names, and no others: each with an address or a list of them; `_` stands for a dot."""
        rows = []
        for name, addresses in names.items():
            for address in [addresses] if isinstance(addresses, str) else addresses:
                rows.append(f"{address} {name.replace('_', '.')}\n")
        read = self.log().count("read ")
        (self.directory / "names").write_text("".join(rows))
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log().count("read ") > read, "dnsmasq to read its names")

    def stop(self):
        """Deaf and dumb, as a server that is overloaded."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """Gone: the kernel says so to whoever asks."""
        self._process.kill()
        self._process.wait()
        self._log.close()


# ---- translation of addresses ----


class Translation:
    """iptables in our namespace: rules that end with it."""

    def __init__(self):
        root = unpacked()
        self._program = find_program(root, "xtables-nft-multi")
        self._env = {**environment(), **libraries(root)}
        # Where the machine has iptables, nothing of it was unpacked.
        for extensions in root.glob("usr/lib/*-linux-gnu*/xtables"):
            self._env["XTABLES_LIBDIR"] = str(extensions)

    def run(self, *arguments):
        return run(self._program, "iptables", *arguments, env=self._env)

    def run_on(self, host, *arguments):
        return host.run(self._program, "iptables", *arguments, env=self._env)
