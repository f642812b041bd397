"""Pages of documentation as something that can be run: their fenced blocks, and a machine of their own to run them on.

    page = Page(SOURCE / "README.md")
    with Machine() as machine: machine.run("echo order.created > /run/statsidecar/events")

A Machine is a mount and a network namespace: what a page names (/run/statsidecar/events, /etc/statsidecar, port 8127, /usr/local)
is what is used, word by word, and nothing of it exists outside or stays behind. The working directory has what a clone of the
repository has, but its sources, and `make` has been run in it; the repository itself cannot be written to.
"""

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

from harness import DEADLINE, PROGRAM, SOURCE, WRAPPER, Failure, Lines, environment, need, skip, temporary_directory

BUILD = pathlib.Path(os.environ.get("builddir") or pathlib.Path(PROGRAM).parent).resolve()

FENCE = re.compile(r"^( *)(```+)([^\n`]*)\n(.*?)^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)

# A first line that says nothing but the name of the file which the block is: `# /etc/cron.d/nightly`, `// Events.java`.
NAMED = re.compile(r"(?:#|//|--|;|<!--) ([\w./-]*[\w-]\.?[\w-]+)(?: -->)?\n")


class Block:
    """One fenced block: .language (the first word behind the fence), .text, .line, .before: the words above it, up to the block
    before. .file: the name that its first line gives."""

    def __init__(self, page, line, language, text, before):
        self.page, self.line, self.language, self.text, self.before = page, line, language, text, before
        named = NAMED.match(text)
        self.file = named.group(1) if named and re.search(r"[./]", named.group(1)) else None
        self.previous = None

    @property
    def where(self):
        return f"{self.page.name}:{self.line}"


class Page:
    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(SOURCE))
        text = path.read_text(encoding="utf-8")
        self.blocks = []
        end = 0
        for match in FENCE.finditer(text):
            indent, _, info, body = match.groups()
            language = (info.split() or [""])[0]
            body = re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
            block = Block(self, text.count("\n", 0, match.start()) + 1, language, body, text[end : match.start()])
            block.previous = self.blocks[-1] if self.blocks else None
            self.blocks.append(block)
            end = match.end()


# ---- the machine ----

# What pages write to is empty but for links to what was there before; /usr/local is empty altogether.
ENTER = r"""
set -e
mount --bind "$2" "$2"
mount -o remount,ro,bind "$2"
mount -t tmpfs statsidecar "$1"
mount -t tmpfs statsidecar /run
ip link set lo up
for folder in /etc /opt /srv /usr/local /var; do
	[ -d "$folder" ] || continue
	mkdir -p "$1$folder"
	mount --rbind "$folder" "$1$folder"
	mount -t tmpfs statsidecar "$folder"
	[ "$folder" = /usr/local ] || find "$1$folder" -mindepth 1 -maxdepth 1 -exec ln -s {} "$folder" ';'
done
mkdir -p /usr/local/bin
echo in
read -r line
"""

SUDO = '#!/bin/sh\nwhile [ "$1" = -u ] || [ "$1" = -g ]; do shift 2; done\nexec "$@"\n'

# Commands that go on until somebody ends them: a page shows each in a terminal of its own.
FOREGROUND = re.compile(r"^(\w+=\S* )*(sudo )?(\S*/)?(statsidecar run(?!.*--input stdin:)|statsidecar tap|curl -sN)")


class Terminal:
    """A command that goes on: .shown are the lines of its standard output that no one has looked at yet."""

    def __init__(self, machine, command):
        self.command = command
        self.process = machine.popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.output, self.log = Lines(self.process.stdout), Lines(self.process.stderr)
        self.seen = 0
        if "statsidecar run" in command:
            self.log.wait_for(r"\bready\b")

    @property
    def is_agent(self):
        return "statsidecar run" in self.command

    def unseen(self):
        """The lines that were not taken; the agent's own metrics are left out."""
        return [line for line in self.output.all() if not re.match(r"statsidecar\.", line)][self.seen :]

    def take(self, want, same):
        """Whether its lines are those by now, as same() compares them; then they are taken. Several inputs keep no order."""
        found = self.unseen()
        if sorted(same(found)) != sorted(want):
            return False
        self.seen += len(found)
        return True

    def check(self):
        status = self.process.poll()
        if status:
            raise Failure(f"exit status {status}: {self.command}\n" + "\n".join(self.log.wait_end()[-10:]))

    def stop(self):
        if self.process.poll() is None:
            # The shell, and what it runs, are a group of their own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.output.wait_end()
        self.log.wait_end()
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()


class Machine:
    def __init__(self):
        self.terminals = []

    def __enter__(self):
        need("unshare", "nsenter", "ip", "bash")
        self._directory = temporary_directory()
        root = pathlib.Path(self._directory.name)
        for name in ("mounts", "bin", "home"):
            (root / name).mkdir()
        self.home = root / "home"
        is_root = os.geteuid() == 0
        self._holder = subprocess.Popen(
            ["unshare", *([] if is_root else ["--map-root-user"]), "--mount", "--net", "bash", "-c", ENTER, "bash"]
            + [str(root / "mounts"), str(SOURCE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if self._holder.stdout.readline() != b"in\n":
            why = self._holder.stderr.read().decode(errors="replace").strip().splitlines() or ["nothing"]
            self._leave()
            skip(f"no namespaces here: {why[-1]}")
        self._enter = ["nsenter", "--target", str(self._holder.pid), "--mount", "--net"]
        if not is_root:
            self._enter += ["--user", "--preserve-credentials"]
        self._furnish(root)
        return self

    def _furnish(self, root):
        """The clone, and what `make install` would have put into /usr/local."""
        for path in SOURCE.iterdir():
            if path.name not in ("build", ".git", "agent", "lib"):
                (self.home / path.name).symlink_to(path)
        (self.home / "build").symlink_to(BUILD)
        (root / "bin/sudo").write_text(SUDO)
        (root / "bin/sudo").chmod(0o755)
        sanitizers = os.environ.get("STATSIDECAR_SANITIZERS")
        if sanitizers:  # what is linked with a library that has them needs them, too
            # The compiler's own search for programs must not find this one: it may be ccache, by the name of cc.
            path = shlex.quote(os.environ["PATH"])
            (root / "bin/cc").write_text(f'#!/bin/sh\nPATH={path} exec {shutil.which("cc")} {sanitizers} "$@"\n')
            (root / "bin/cc").chmod(0o755)
        program = " ".join(map(shlex.quote, [*WRAPPER, PROGRAM]))
        self.environment = environment(
            {
                "PATH": f"{root}/bin:/usr/local/bin:{os.environ['PATH']}:{root}/mounts/usr/local/bin",
                "HOME": str(self.home),
                "USER": "root",
                "LC_ALL": "C.UTF-8",
                "LD_LIBRARY_PATH": "/usr/local/lib",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
        )
        installed = {
            "lib": [BUILD / ".libs/libstatsidecar.so", BUILD / ".libs/libstatsidecar.so.0", BUILD / ".libs/libstatsidecar.a"],
            "include": [SOURCE / "lib/publish/statsidecar.h"],
            "lib/pkgconfig": [BUILD / "statsidecar.pc"],
            "share/statsidecar": [SOURCE / "clients", SOURCE / "conf/statsidecar.schema.json"],
            "share/doc/statsidecar": [SOURCE / "conf/examples"],
        }
        lines = [f"printf '#!/bin/sh\\nexec %s \"$@\"\\n' {shlex.quote(program)} >/usr/local/bin/statsidecar"]
        lines += ["chmod 755 /usr/local/bin/statsidecar"]
        for folder, paths in installed.items():
            lines += [f"mkdir -p /usr/local/{folder}"]
            lines += [f"ln -sf {shlex.quote(str(path))} /usr/local/{folder}/" for path in paths]
        self.run("\n".join(lines))

    def words(self, script):
        return [*self._enter, "bash", "-c", 'cd "$1" && eval "$2"', "bash", str(self.home), script]

    def popen(self, script, **options):
        return subprocess.Popen(
            self.words(script), stdin=subprocess.DEVNULL, env=self.environment, start_new_session=True, **options
        )

    def run(self, script, want=0, timeout=DEADLINE):
        """Runs a script to its end, every command of it with success: its standard output."""
        process = self.popen("set -eo pipefail\n" + script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Failure(f"does not end within {timeout:g} s:\n{script}") from None
        stdout, stderr = stdout.decode("utf-8", "backslashreplace"), stderr.decode("utf-8", "backslashreplace")
        if process.returncode != want:
            raise Failure(f"exit status {process.returncode}, want {want}, of\n{script}\n{stdout}{stderr}{self.logs()}")
        return stdout

    def write(self, name, text):
        """A file of the page: an absolute path is one of this machine."""
        self.run(f"mkdir -p {shlex.quote(os.path.dirname(name) or '.')}")
        process = self.popen_input(f"cat >{shlex.quote(name)}", text)
        if process.returncode != 0:
            raise Failure(f"cannot write {name}: {process.stderr.decode(errors='replace')}")

    def popen_input(self, script, text):
        return subprocess.run(self.words(script), input=text.encode(), env=self.environment, capture_output=True)

    # -- terminals --

    def start(self, command):
        terminal = Terminal(self, command)
        self.terminals.append(terminal)
        return terminal

    def has_agent(self):
        return any(terminal.is_agent and terminal.process.poll() is None for terminal in self.terminals)

    def stop_terminals(self):
        for terminal in self.terminals:
            terminal.stop()
        self.terminals.clear()

    def check(self):
        """Nothing that was started has failed."""
        for terminal in self.terminals:
            terminal.check()

    def logs(self):
        return "".join(f"\n{t.command}:\n" + "\n".join(t.log.all()[-10:]) for t in self.terminals)

    def _leave(self):
        self._holder.stdin.close()
        self._holder.wait()
        for pipe in (self._holder.stdout, self._holder.stderr):
            pipe.close()
        # Mounts are gone with the namespace's last process; what was below them belongs to the directory.
        shutil.rmtree(self._directory.name, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self._directory.cleanup()

    def __exit__(self, *_):
        for terminal in self.terminals:
            terminal.stop()
        self._leave()


if __name__ == "__main__":  # what the test sees: pages.py FILE…
    for argument in sys.argv[1:]:
        for found in Page(pathlib.Path(argument).resolve()).blocks:
            print(f"{found.where}: {found.language or '-'} {found.file or ''}")
