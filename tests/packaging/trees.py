"""Trees of Debian to build and install in: made by debootstrap from the mirror that the machine's own apt uses, once, and kept in
the cache directory of the tests with real servers (STATSIDECAR_CACHE).

    with Tree("bookworm", ["gcc", "make"]) as tree:      # a copy, with these packages and what they depend on
        tree.run("make", cwd="/build")

What cannot be made (no root, no network, no Debian) skips the test.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import SOURCE, Failure, need, skip  # noqa: E402
from real_servers import APT_RETRIES, BUILD, CACHE  # noqa: E402

CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}

# What the package manager itself writes; all else that an installation leaves behind is its package's doing.
DPKG_OWN = re.compile(r"^(var/lib/(dpkg|apt)|var/cache/(apt|debconf|ldconfig|man)|var/log|etc/ld\.so\.cache|tmp|run/lock|proc|sys|dev)(/|$)")


def run(*arguments, **options):
    done = subprocess.run([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    done.stdout = done.stdout.decode(errors="replace")
    return done


def tail(text):
    return "\n".join(text.splitlines()[-30:])


def codename():
    """The machine's own release: what is built here can be installed there."""
    release = pathlib.Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    return found.group(1) if found else skip("/etc/os-release names no release")


def into_own_network():
    """This process goes where there is nothing but a loopback of its own: ports are nobody else's."""
    SIOCSIFFLAGS, IFF_UP = 0x8914, 1
    if ctypes.CDLL(None).unshare(CLONE_NEWNET) < 0:
        raise OSError("no network namespaces here")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def _mirror():
    """Where the machine's apt gets Debian from."""
    done = run("apt-get", "indextargets", "--format", "$(LABEL)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages")
    found = re.search(r"^(?:Debian|Ubuntu)\|main\|(\S+)", done.stdout, re.MULTILINE)
    return found.group(1) if found else skip("the machine's apt names no mirror of Debian: run apt-get update")


def _proxies():
    """The machine's proxies for apt, as lines of a configuration."""
    return "".join(f"{row}\n" for row in run("apt-config", "dump").stdout.splitlines() if re.match(r"Acquire::\w+::Proxy", row))


@contextlib.contextmanager
def _locked():
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "trees.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy(source, target):
    copied = run("cp", "-a", "--reflink=auto", source, target)
    if copied.returncode:
        raise Failure(f"cp: {copied.stdout}")


def _made(name, fill):
    place = CACHE / f"tree-{name}"
    if not place.exists():
        unfinished = place.with_name(place.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        fill(unfinished)
        unfinished.rename(place)
    return place


def _base(suite):
    def fill(place):
        need("debootstrap", "chroot")
        mirror = _mirror()
        extra = ["--include=ca-certificates"] if mirror.startswith("https:") else []
        # It gives up where a mirror hangs up twice.
        for _ in range(3):
            shutil.rmtree(place, ignore_errors=True)
            done = run("debootstrap", "--variant=minbase", *extra, suite, place, mirror)
            if done.returncode == 0:
                return
        skip(f"debootstrap {suite}: {' '.join(done.stdout.split()[-40:])}")

    return _made(suite, fill)


def _install(place, packages):
    shutil.copy("/etc/resolv.conf", place / "etc/resolv.conf")
    (place / "etc/apt/apt.conf.d/90machine").write_text(_proxies())
    for arguments in (["update"], ["-y", "--no-install-recommends", "install", *packages]):
        done = run("chroot", place, "apt-get", "-q", *APT_RETRIES, *arguments, env=ENVIRONMENT)
        if done.returncode:
            skip(f"apt-get {' '.join(arguments)}: {' '.join(done.stdout.split()[-40:])}")
    for archive in place.glob("var/cache/apt/archives/*.deb"):
        archive.unlink()


def _with_packages(suite, packages):
    base = _base(suite)

    def fill(place):
        _copy(base, place)
        _install(place, packages)

    key = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    return _made(f"{suite}-{key}", fill) if packages else base


class Tree:
    def __init__(self, suite, packages):
        if os.geteuid() != 0:
            skip("debootstrap and chroot need root")
        with _locked():
            made = _with_packages(suite, packages)
            self.path = CACHE / f"tree-in-use-{os.getpid()}"
            _copy(made, self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def run(self, *arguments, cwd="/", env=None, want=0):
        """A command inside, as root and with no network but loopback; its output, of both kinds."""

        def enter():
            # A /proc that ends with the command: systemd's programs want one.
            libc = ctypes.CDLL(None)
            into_own_network()
            if libc.unshare(CLONE_NEWNS) < 0 or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) < 0:
                raise OSError("no namespaces here")
            if libc.mount(b"proc", bytes(self.path / "proc"), b"proc", 0, None) < 0:
                raise OSError("no /proc in the tree")
            os.chroot(self.path)
            os.chdir(cwd)

        done = run(*arguments, env={**ENVIRONMENT, **(env or {})}, preexec_fn=enter)
        if done.returncode != want:
            bad = "\n".join(re.findall(r"^(?:FAIL|ERROR|not ok).*(?:\n[#:].*)*", done.stdout, re.MULTILINE)[:20])
            raise Failure(f"{' '.join(map(str, arguments))}: status {done.returncode}\n{bad}\n{tail(done.stdout)}")
        return done.stdout

    def listing(self):
        """Every path, with its kind, rights and owner; of what names users, the text. Without dpkg's own."""
        found = {}
        for folder, folders, files in os.walk(self.path):
            for name in folders + files:
                path = pathlib.Path(folder, name)
                inside = str(path.relative_to(self.path))
                if not DPKG_OWN.match(inside):
                    status = path.lstat()
                    found[inside] = (oct(status.st_mode), status.st_uid, status.st_gid)
        for name in ("passwd", "group", "shadow", "gshadow"):
            found[f"etc/{name}"] = sorted((self.path / "etc" / name).read_text().splitlines())
            found.pop(f"etc/{name}-", None)
        found.pop("etc/.pwd.lock", None)
        return found


def archive():
    """The source archive, which `make check-packaging` has made."""
    version = re.search(r"AC_INIT\(\[statsidecar\], \[([^]]+)\]", (SOURCE / "configure.ac").read_text()).group(1)
    path = BUILD / f"statsidecar-{version}.tar.gz"
    if not path.exists():
        skip(f"there is no {path.name} in the build directory: run `make dist`, or `make check-packaging`")
    return path, version
