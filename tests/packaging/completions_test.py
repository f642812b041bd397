"""The completions of bash, zsh and fish, each in the shell itself: what `statsidecar help COMMAND` lists is offered, what is
offered is taken by the program, and values are completed where there is a choice.

Bash and zsh run on a terminal and are asked to insert everything that they would offer; fish says it when asked.
"""

import os
import pathlib
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import DEADLINE, PROGRAM, SOURCE, Failure, command, contains, environment, equal, main, need, table, temporary_directory, test, true  # noqa: E402, E501

COMPLETIONS = SOURCE / "packaging/completions"
PROMPT = b"\x02READY\x03"


def help_of(name):
    return command("help", name).stdout if name else command("--help").stdout


COMMANDS = re.findall(r"^  ([a-z]+) ", help_of(""), re.MULTILINE)


def options_of(name):
    """The options that the help of a command lists: the first words of its table, and the usage line's."""
    text = help_of(name)
    rows = re.findall(r"^ {2,6}((?:-{1,2}[a-z-]+, )?-{1,2}[a-z-]*)(?= |$)", text, re.MULTILINE)
    found = {option for row in rows for option in row.split(", ")}
    usage = text.splitlines()[0]
    return found | set(re.findall(r"(?<=[\[ ])-{1,2}[a-z-]*(?=[\] ])", usage))


# ---- the shells ----


class Terminal:
    """A shell on a terminal, in a directory with a few files; the program's name stands for a function that writes its arguments
    down."""

    def __init__(self, arguments, setup):
        need(arguments[0])
        self._directory = temporary_directory()
        self.directory = pathlib.Path(self._directory.name)
        (self.directory / "rules.yaml").touch()
        self.answer = self.directory / "answer"
        bin = self.directory / "bin"
        bin.mkdir()
        (bin / "statsidecar").symlink_to(PROGRAM)
        changes = {"PATH": f"{bin}:{os.environ['PATH']}", "ANSWER": str(self.answer), "TERM": "dumb", "LC_ALL": "C.UTF-8", "HISTFILE": None}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(self.directory)
            os.execvpe(arguments[0], arguments, environment({**changes, "HOME": str(self.directory)}))
        self._seen = b""
        for line in setup:
            os.write(self.terminal, line.encode() + b"\r")
        self._wait_prompt()

    def _wait_prompt(self):
        end = time.monotonic() + DEADLINE
        while PROMPT not in self._seen:
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise Failure(f"no prompt: {self._seen!r}")
            self._seen += os.read(self.terminal, 4096)
        self._seen = self._seen.split(PROMPT, 1)[1]

    def type(self, keys):
        """The arguments that the command has after these keys and Return."""
        self.answer.unlink(missing_ok=True)
        os.write(self.terminal, keys.encode() + b"\r")
        self._wait_prompt()
        if not self.answer.exists():
            raise Failure(f"{keys!r} ran no command: {self._seen!r}")
        return self.answer.read_text().split("\0")[:-1]

    def offers(self, line):
        """What is offered for the last word of a line (that may be empty)."""
        typed = shlex.split("statsidecar " + line)[1:]
        if line and not line.endswith(" "):
            typed.pop()
        got = self.type("statsidecar " + line + self.ALL)
        equal(got[: len(typed)], typed, line)
        return got[len(typed) :]

    def close(self):
        # Interactive shells take their time over a terminal that is gone, or ignore TERM.
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.terminal)
        os.waitpid(self.pid, 0)
        self._directory.cleanup()


FUNCTION = 'statsidecar() { if [ "$1" = catalogue ] && [ $# = 1 ]; then command statsidecar catalogue; else printf "%s\\0" "$@" >"$ANSWER"; fi; }'


class Bash(Terminal):
    ALL = "\x1b*"  # insert-completions

    def __init__(self):
        super().__init__(
            ["bash", "--norc", "--noprofile", "-i"],
            [
                "bind 'set enable-bracketed-paste off'",
                f". {shlex.quote(str(COMPLETIONS / 'bash/statsidecar'))}",
                FUNCTION,
                "PS1=$'\\002READY\\003'",
            ],
        )


class Zsh(Terminal):
    ALL = "\x18a"

    def __init__(self):
        super().__init__(
            ["zsh", "-f", "-i"],
            [
                "unsetopt zle_bracketed_paste prompt_cr prompt_sp 2>/dev/null; unset zle_bracketed_paste",
                f"fpath=({shlex.quote(str(COMPLETIONS / 'zsh'))} $fpath)",
                "autoload -Uz compinit; compinit -u -D",
                "zle -C all-matches complete-word _generic",
                "zstyle ':completion:all-matches::::' completer _all_matches _complete",
                "zstyle ':completion:all-matches:*' insert yes",
                "bindkey '^Xa' all-matches; bindkey '^I' complete-word",
                FUNCTION,
                "PROMPT=$'\\002READY\\003'",
            ],
        )


class Fish:
    def __init__(self):
        need("fish")
        self._directory = temporary_directory()
        self.directory = pathlib.Path(self._directory.name)
        (self.directory / "rules.yaml").touch()
        (self.directory / "bin").mkdir()
        (self.directory / "bin/statsidecar").symlink_to(PROGRAM)

    def offers(self, line):
        script = f"source {COMPLETIONS / 'fish/statsidecar.fish'}; complete --do-complete {shlex.quote('statsidecar ' + line)}"
        changes = {"PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}", "HOME": str(self.directory), "TERM": "dumb"}
        done = subprocess.run(
            ["fish", "--no-config", "-c", script], capture_output=True, text=True, env=environment(changes), cwd=self.directory
        )
        equal(done.stderr, "")
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    def close(self):
        self._directory.cleanup()


SHELLS = {"bash": Bash, "zsh": Zsh, "fish": Fish}
running = {}


def shell(name):
    if name not in running:
        running[name] = SHELLS[name]()
    return running[name]


# ---- tests ----


@table([(f"{name}: every command is offered, by `help` too", name) for name in SHELLS])
def _(name):
    equal(sorted(set(shell(name).offers("")) & set(COMMANDS)), sorted(COMMANDS))
    equal(sorted(shell(name).offers("help ")), sorted(COMMANDS))
    contains(shell(name).offers("--"), "--version")


@table([(f"{name}: every option of {of}", name, of) for name in SHELLS for of in COMMANDS if of != "help"])
def _(name, of):
    want = options_of(of)
    true(want, f"no options in the help of {of}")
    offered = set(shell(name).offers(f"{of} -")) | set(shell(name).offers(f"{of} --")) | set(shell(name).offers(f"{of} x ") if of == "exec" else ())
    equal(sorted(want - offered), [], "not offered")
    for option in sorted(offered & {o for o in offered if len(o) > 1 and o != "--" and o.startswith("-")}):
        done = command(of, option, "--help", "--help")  # the first may be its value
        true("unknown option" not in done.stderr, f"offered, but {done.stderr}")


PACKS = ["job", "tasker", "tasker-lifecycles"]
INPUTS = ["fifo:///", "udp://", "unix:///", "tcp://", "unixstream:///", "stdin:"]
OUTPUTS = ["udp://", "unix:///", "tcp://", "unixstream:///", "stdout:"]
TO = ["fifo:///", "udp://", "unix:///"]
VALUES = [
    ("the configuration's packs and files", "run -c ", PACKS + ["rules.yaml"]),
    ("the configuration's files, by the long name", "check --config ru", ["rules.yaml"]),
    ("a second configuration of test", "test -c tasker -c ", PACKS + ["rules.yaml"]),
    ("two configurations to compare", "explain --diff tasker ", PACKS + ["rules.yaml"]),
    ("inputs", "run --input ", INPUTS),
    ("outputs", "run --output ", OUTPUTS),
    ("where to publish", "publish --to ", TO),
    ("where a job publishes", "exec --to ", TO),
    ("dialects", "run --dialect ", ["dogstatsd", "statsd", "graphite", "influxdb", "librato", "signalfx"]),
    ("outcomes", "tap --outcome ", ["mapped", "fallback", "dropped", "empty", "unmapped", "unnamed", "malformed", "oversize"]),
    ("where the agent answers", "health --admin ", ["127.0.0.1:8128"]),
    ("known events to publish", "publish step.comp", ["step.completed"]),
    ("known events to look for", "tap --match task.canc", ["task.cancelled"]),
    ("a job's command", "exec nightly -- mkfif", ["mkfifo"]),
    ("a job's files", "exec nightly -- cat ru", ["rules.yaml"]),
]


@table([(f"{name}: {what}", name, line, want) for name in SHELLS for what, line, want in VALUES])
def _(name, line, want):
    offered = shell(name).offers(line)
    missing = sorted(set(want) - set(offered))
    equal(missing, [], f"not offered among {offered}")
    strangers = [word for word in offered if word not in want and not (pathlib.Path(shell(name).directory) / word).exists()]
    # An empty word may be the beginning of an option, too.
    equal([word for word in strangers if not word.startswith("-")], [])


@table([(f"{name}: what is begun is completed on the line", name) for name in ("bash", "zsh")])
def _(name):
    it = shell(name)
    equal(it.type("statsidecar che\t"), ["check"])
    equal(it.type("statsidecar run --dialect gra\t"), ["run", "--dialect", "graphite"])
    equal(it.type("statsidecar run --input ud\t127.0.0.1:8127"), ["run", "--input", "udp://127.0.0.1:8127"], "no blank behind //")
    equal(it.type("statsidecar run --input std\t"), ["run", "--input", "stdin:"])
    equal(it.type("statsidecar run -c ru\t"), ["run", "-c", "rules.yaml"])
    path = it.directory / "events"
    path.touch()
    equal(it.type(f"statsidecar run --input fifo://{it.directory}/even\t"), ["run", "--input", f"fifo://{path}"])


@table([(f"{name}: a value behind `=`", name) for name in ("bash", "zsh")])
def _(name):
    equal(shell(name).type("statsidecar run --dialect=lib\t"), ["run", "--dialect=librato"])
    equal(shell(name).type("statsidecar run --output=std\t"), ["run", "--output=stdout:"])
    equal(shell(name).type("statsidecar test --config=tasker-\t"), ["test", "--config=tasker-lifecycles"])


@test("the packs that are offered are those that the program carries")
def _():
    rows = re.search(r"^packs = \\\n((?:\t.*\n)+)", (SOURCE / "Makefile.am").read_text(), re.MULTILINE).group(1)
    equal(sorted(re.findall(r"conf/([a-z-]+)\.yaml", rows)), PACKS)


try:
    main()
finally:
    for each in running.values():
        each.close()
