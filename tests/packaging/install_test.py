"""What `make install` puts where, and what of it service managers and people read: the systemd units by systemd's own judges, and
conf/statsidecar.yaml, the configuration that packages install.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import PROGRAM, SOURCE, Failure, UdpReceiver, command, equal, main, need, send_unix, skip, temporary_directory, test, true, wait_until, write_pipe  # noqa: E402, E501

BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE / "build").resolve()
UNITS = SOURCE / "packaging/systemd"
DEFAULT = SOURCE / "conf/statsidecar.yaml"


def run(*arguments, **options):
    return subprocess.run(list(map(str, arguments)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


# ---- make install ----

WANTED = """
bin/statsidecar
include/statsidecar.h
lib/libstatsidecar.a
lib/libstatsidecar.la
lib/libstatsidecar.so
lib/libstatsidecar.so.0
lib/libstatsidecar.so.0.0.0
lib/pkgconfig/statsidecar.pc
lib/systemd/system/statsidecar.service
lib/systemd/system/statsidecar.socket
lib/sysusers.d/statsidecar.conf
lib/tmpfiles.d/statsidecar.conf
share/bash-completion/completions/statsidecar
share/doc/statsidecar/examples/statsidecar.yaml
share/fish/vendor_completions.d/statsidecar.fish
share/man/man1/statsidecar.1
share/man/man3/libstatsidecar.3
share/man/man3/statsidecar_open.3
share/man/man5/statsidecar.yaml.5
share/man/man7/statsidecar.7
share/statsidecar/clients/python/statsidecar.py
share/statsidecar/clients/ruby/statsidecar.rb
share/statsidecar/clients/shell/statsidecar.sh
share/statsidecar/statsidecar.schema.json
share/zsh/site-functions/_statsidecar
""".split()


def make(*arguments):
    changes = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = run("make", "-s", "-C", BUILD, *arguments, env=changes)
    if done.returncode:
        raise Failure(f"make {' '.join(arguments)}: {done.stdout[-3000:]}")


@test("make install puts everything below the prefix, and make uninstall takes all of it away")
def _():
    with temporary_directory() as directory:
        root = pathlib.Path(directory)
        make(f"DESTDIR={root}", "install")
        found = sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())
        prefix = "usr/local/"
        equal([path for path in found if not path.startswith(prefix)], [])
        equal([path for path in WANTED if prefix + path not in found], [], "missing")
        service = (root / prefix / "lib/systemd/system/statsidecar.service").read_text()
        true("\nExecStart=/usr/local/bin/statsidecar run\n" in service, service)
        true((root / prefix / "share/man/man3/statsidecar_open.3").read_text().startswith(".Dd"), "the link leads to its page")
        make(f"DESTDIR={root}", "uninstall")
        equal([str(path) for path in root.rglob("*") if not path.is_dir()], [])


@test("the program is less than 400 KiB, stripped and linked to the machine's libraries")
def _():
    need("strip")
    made = dict(re.findall(r"^(SIZE_CFLAGS|STATIC_LDFLAGS|SANITIZER_CFLAGS) =[ ]*(.*)$", (BUILD / "Makefile").read_text(), re.MULTILINE))
    if made != {"SIZE_CFLAGS": "-Os", "STATIC_LDFLAGS": "", "SANITIZER_CFLAGS": ""} or os.uname().machine != "x86_64":
        skip(f"built otherwise: {made}, {os.uname().machine}")
    with temporary_directory() as directory:
        stripped = pathlib.Path(directory) / "statsidecar"
        equal(run("strip", "-o", stripped, PROGRAM).returncode, 0)
        size = stripped.stat().st_size
    print(f"# {size} bytes")
    true(size < 400 * 1024, f"{size} bytes")


# ---- systemd ----


def units(directory):
    """Both, as they are installed where this program stands."""
    text = (UNITS / "statsidecar.service.in").read_text()
    text = re.sub(r"@bindir@/statsidecar", PROGRAM, text)
    service = pathlib.Path(directory) / "statsidecar.service"
    service.write_text(text)
    return service, pathlib.Path(shutil.copy(UNITS / "statsidecar.socket", directory))


@test("systemd-analyze verify has nothing to say about the units")
def _():
    need("systemd-analyze")
    with temporary_directory() as directory:
        # It ends with 0 for keys that it does not know: its words count. Those about the machine's own units are not ours.
        done = run("systemd-analyze", "verify", "--man=no", *units(directory))
        words = [line for line in done.stdout.splitlines() if not re.match(r"(/usr)?/lib/systemd/system/", line)]
        equal((done.returncode, words), (0, []))


def exposure(service):
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", service, env={**os.environ, "LC_ALL": "C.UTF-8"})
    found = re.search(r"Overall exposure level for statsidecar\.service: ([0-9.]+)", done.stdout)
    if not found:
        skip(f"systemd-analyze security gives no figure: {done.stdout[-300:]}")
    return float(found.group(1))


@test("systemd-analyze security: the unit is not more exposed than docs/packages.md says")
def _():
    need("systemd-analyze")
    said = re.search(r"`systemd-analyze security` gives it ([0-9.]+)", (SOURCE / "docs/packages.md").read_text())
    true(said, "docs/packages.md says no figure")
    with temporary_directory() as directory:
        service, _ = units(directory)
        got = exposure(service)
        true(got <= float(said.group(1)), f"{got}, but the documentation says {said.group(1)}")
        service.write_text(service.read_text().replace("ProtectSystem=strict\n", ""))
        true(exposure(service) > got, "the figure sees what is set")


def calls_of(name):
    """The system calls of one of systemd's sets."""
    if not name.startswith("@"):
        return {name}
    found = set()
    for row in run("systemd-analyze", "syscall-filter", "--no-pager", name).stdout.splitlines()[1:]:
        row = row.strip()
        if row and not row.startswith("#"):
            found |= calls_of(row)
    return found


@test("the unit's filter of system calls has all that an agent makes, with every kind of input and output")
def _():
    need("systemd-analyze", "strace")
    allowed = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", (UNITS / "statsidecar.service.in").read_text(), re.MULTILINE):
        named = set().union(*(calls_of(name) for name in value.lstrip("~").split()))
        allowed = allowed - named if value.startswith("~") else allowed | named
    true(len(allowed) > 100, "systemd lists no system calls")
    with temporary_directory() as directory, UdpReceiver() as receiver:
        trace = pathlib.Path(directory) / "trace"
        config = pathlib.Path(directory) / "statsidecar.yaml"
        config.write_text(
            f"inputs: ['fifo://{directory}/events', 'unix://{directory}/socket', 'udp://127.0.0.1:0', 'tcp://127.0.0.1:0',"
            f" 'unixstream://{directory}/stream']\n"
            f"outputs: ['{receiver.url}', 'unix://{directory}/nobody', 'tcp://127.0.0.1:9', 'udp://localhost:9', 'stdout:']\n"
            "include: [tasker]\nadmin: 127.0.0.1:0\ntelemetry: {interval: 100ms}\n"
        )
        process = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", str(trace), PROGRAM, "run", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            traced_until(process, trace, pathlib.Path(directory), receiver)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        used = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE))
        true({"epoll_wait", "flock", "bind"} <= used, f"traced only {sorted(used)}")
        equal(sorted(used - allowed), [])


def traced_until(process, trace, directory, receiver):
    """An event through each of its inputs, a reload, and the end."""
    wait_until((directory / "stream").exists, "the agent to open its inputs")
    write_pipe(directory / "events", "order.created")
    receiver.read_until(lambda: "tasker.order.created:1|c" in receiver.all_lines(), "an event from the pipe")
    send_unix(directory / "socket", "order.paid")
    receiver.read_until(lambda: "tasker.order.paid:1|c" in receiver.all_lines(), "an event from the socket")
    agent = int(re.match(r"\d+", trace.read_text()).group(0))
    os.kill(agent, 1)
    receiver.read_until(lambda: any("config_reloads" in line for line in receiver.all_lines()), "a reload")
    os.kill(agent, 15)
    equal(process.wait(60), 0)


@test("sysusers and tmpfiles make its user, and the pipe's directory for it")
def _():
    need("systemd-sysusers", "systemd-tmpfiles")
    if os.geteuid() != 0:
        skip("users are made by root")
    with temporary_directory() as directory:
        root = pathlib.Path(directory)
        (root / "etc").mkdir()
        for tool, name, folder in (("systemd-sysusers", "sysusers", "sysusers.d"), ("systemd-tmpfiles", "tmpfiles", "tmpfiles.d")):
            place = root / "usr/lib" / folder
            place.mkdir(parents=True)
            shutil.copy(UNITS / f"statsidecar.{name}", place / "statsidecar.conf")
            more = ["--create"] if name == "tmpfiles" else []
            done = run(tool, f"--root={root}", *more, "statsidecar.conf")
            equal(done.returncode, 0, done.stdout)
        row = re.search(r"^statsidecar:.*$", (root / "etc/passwd").read_text(), re.MULTILINE).group(0).split(":")
        true(row[-1].endswith("/nologin"), f"{row}")
        status = (root / "run/statsidecar").stat()
        equal((status.st_uid, oct(status.st_mode)), (int(row[2]), "0o40755"))


# ---- the configuration that packages install ----


def turned_on():
    """The file with all that is turned off in it turned on."""
    rows = [row for row in DEFAULT.read_text().splitlines() if not re.match(r"#( \S|$)", row)]
    return "\n".join(row.removeprefix("#") for row in rows) + "\n"


@test("conf/statsidecar.yaml: it maps as the built-in configuration does")
def _():
    done = command("check", "-c", DEFAULT)
    equal((done.returncode, done.stderr), (0, ""))
    events = "".join(f"{row.split()[0]}\n" for row in command("catalogue", "-c", "tasker").stdout.splitlines() if row and row[0] != " ")
    done = command("explain", "--diff", "tasker", DEFAULT, input=events + "order.created\n")
    true(re.search(r"no difference: (5[0-9]|[6-9][0-9]) events", done.stdout), done.stdout[-500:] + done.stderr)


@test("conf/statsidecar.yaml: what is turned off in it is right, and its tests pass")
def _():
    with temporary_directory() as directory:
        path = pathlib.Path(directory) / "statsidecar.yaml"
        path.write_text(turned_on())
        for name in ("check", "test"):
            done = command(name, "-c", path)
            equal((done.returncode, done.stderr), (0, ""), name)
        true("\nok 2 - an order" in command("test", "-c", path).stdout, "its test")


@test("conf/statsidecar.yaml: what stands in it as default is the default")
def _():
    with temporary_directory() as directory:
        path = pathlib.Path(directory) / "statsidecar.yaml"
        rows = turned_on().split("\n")
        prefix, tests, order = (next(at for at, row in enumerate(rows) if text in row) for text in ("prefix: shop.", "tests:", "name: an order"))
        path.write_text("\n".join(rows[:prefix] + rows[tests:order]) + "\n")
        plain = command("check", "--print", "-c", DEFAULT).stdout.split("\n", 1)
        full = command("check", "--print", "-c", path).stdout.split("\n", 1)
        equal(full[1], plain[1])


main()
