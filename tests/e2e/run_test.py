"""The command line and the environment of `statsidecar run`: what it takes, what it refuses and with which status, where
configuration, inputs and outputs come from when nobody says so.
"""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess

import harness
from harness import (
    PROGRAM,
    Agent,
    UdpReceiver,
    UnixReceiver,
    command,
    contains,
    environment,
    equal,
    main,
    send_udp,
    skip,
    table,
    temporary_directory,
    test,
    true,
    write_pipe,
)

EX_USAGE, EX_OSERR, EX_IOERR, EX_CONFIG = 64, 71, 74, 78

STDIN_TO_STDOUT = ["--input", "stdin:", "--output", "stdout:"]
RULES = "rules: [{match: '**', tags: {step: '{step}'}, metrics: [{counter: '{event}'}]}]\n"


def written(directory, text, name="statsidecar.yaml"):
    path = pathlib.Path(directory) / name
    path.write_text(text + "admin: off\ntelemetry: off\n")
    return path


# ---- what is refused ----

REFUSED = [
    ("no command", [], EX_USAGE, "help"),
    ("a command that there is not", ["rum"], EX_USAGE, "rum"),
    ("an option that there is not", ["run", "--imput", "stdin:"], EX_USAGE, "--imput"),
    ("an option without its value", ["run", "--input"], EX_USAGE, "--input"),
    ("an argument that belongs nowhere", ["run", "tasker"], EX_USAGE, "tasker"),
    ("an input that is no URL", ["run", "--input", "events"], None, "events"),
    ("an output that is no URL", ["run", "--input", "stdin:", "--output", "localhost"], None, "localhost"),
    ("an output as input", ["run", "--input", "stdout:"], None, "stdout:"),
    ("an input as output", ["run", "--input", "stdin:", "--output", "fifo:///run/x"], None, "fifo:"),
    ("a dialect that there is not", ["run", "--dialect", "dogstasd", *STDIN_TO_STDOUT], None, "dogstatsd"),
    ("a configuration that is not there", ["run", "-c", "/absent.yaml"], EX_CONFIG, "/absent.yaml"),
    ("a pack that there is not", ["run", "-c", "taskers"], EX_CONFIG, "taskers"),
    ("an output as input, where the word tells what an input can be", ["run", "--input", "stdout:"], None, "fifo or stdin:"),
    ("tap: a number that is none, whether an agent answers or not", ["tap", "-n", "x"], EX_USAGE, "n is a number"),
    ("tap: an outcome that there is not", ["tap", "--outcome", "lost"], EX_USAGE, "outcome is mapped"),
    ("tap: a glob that is none", ["tap", "--match", "a.**b"], EX_USAGE, "must stand alone"),
    ("exec: a name that is missing", ["exec", "--", "true"], EX_USAGE, "the job's name is missing"),
    ("an input that cannot be opened", ["run", "--input", "fifo:///absent/events"], EX_OSERR, "/absent"),
    ("a second input that cannot be opened", ["run", "--input", "stdin:", "--input", "fifo:///absent/e"], EX_OSERR, "/absent/e"),
]


@table([(f"refused: {name}", *rest) for name, *rest in REFUSED])
def _(arguments, status, words):
    done = command(*arguments)
    if status is None:
        equal(done.returncode, EX_USAGE, done.stderr)
    else:
        equal(done.returncode, status, done.stderr)
    contains(done.stderr, words)
    equal(done.stdout, "")


@test("refused: a faulty configuration, with every fault's place, before anything is opened")
def _():
    with temporary_directory() as directory:
        path = written(directory, "inputs: ['fifo://" + directory + "/events']\nrules:\n  - {metch: a}\nlimit: {}\n")
        done = command("run", "-c", path)
        equal(done.returncode, EX_CONFIG, done.stderr)
        contains(done.stderr, f"{path}:3:6: error: ")
        contains(done.stderr, f"{path}:4:1: error: ")
        true(not os.path.exists(f"{directory}/events"), "the pipe was made")


# ---- help ----


@table([("--help", ["run", "--help"]), ("-h", ["run", "-h"]), ("help run", ["help", "run"])])
def _(arguments):
    done = command(*arguments)
    equal((done.returncode, done.stderr), (0, ""))
    for option in ("--input", "--output", "--dialect", "STATSIDECAR_CONFIG"):
        contains(done.stdout, option)


COMMANDS = ["run", "check", "explain", "test", "catalogue", "publish", "exec", "tap", "health"]


@test("help lists every command, and no other")
def _():
    done = command("help")
    equal((done.returncode, done.stderr), (0, ""))
    equal(re.findall(r"^  (\w+) ", done.stdout, re.MULTILINE), [*COMMANDS, "help"])


@table([(f"{name}: -h, --help and help {name} are one; what it does not know is refused, with where to look", name) for name in COMMANDS])
def _(name):
    want = command("help", name)
    equal((want.returncode, want.stderr), (0, ""))
    contains(want.stdout, f"usage: statsidecar {name}")
    for option in ("-h", "--help"):
        done = command(name, option)
        equal((done.returncode, done.stdout, done.stderr), (0, want.stdout, ""))
    done = command(name, "--unheard-of")
    equal((done.returncode, done.stdout), (EX_USAGE, ""))
    equal(done.stderr, f"statsidecar {name}: unknown option --unheard-of; see `statsidecar help {name}`\n")


# What a shell makes of them: closed, full, a directory.
@table(
    [
        (f"standard descriptors: {name}", *rest)
        for name, *rest in [
            ("run from a directory", "run --input stdin: --output stdout: </tmp", EX_OSERR, "standard input is a directory"),
            ("run without standard input", "run --input stdin: --output stdout: <&-", EX_OSERR, "standard input is closed"),
            ("run without standard output", "run --input stdin: --output stdout: >&-", EX_OSERR, "standard output is closed"),
            ("--version without standard output", "--version >&-", EX_IOERR, ""),
            ("--version into a full one", "--version >/dev/full", EX_IOERR, ""),
            ("help without standard output", "help >&-", EX_IOERR, ""),
            ("help of a command into a full one", "help run >/dev/full", EX_IOERR, ""),
            ("check --print without standard output", "check -c tasker --print >&-", EX_IOERR, ""),
            ("explain without standard output", "explain -c tasker step.completed >&-", EX_IOERR, ""),
            ("explain without standard input", "explain -c tasker <&-", EX_IOERR, "cannot read standard input"),
        ]
    ]
)
def _(words, status, why):
    done = subprocess.run(["sh", "-c", f'exec "{PROGRAM}" {words}'], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment())
    equal(done.returncode, status, done.stderr)
    contains(done.stderr, why)


@test("exec: a closed standard descriptor is closed to the command, too")
def _():
    for words, code in ((">&-", "echo said"), ("<&-", "cat")):
        done = subprocess.run(
            ["sh", "-c", f'exec "{PROGRAM}" exec --to udp://127.0.0.1:9 job -- sh -c "{code}" {words}'], capture_output=True, text=True, env=environment()
        )
        true(done.returncode not in (0, EX_USAGE), f"{code} {words}: status {done.returncode}")


@test("--version")
def _():
    done = command("--version")
    equal((done.returncode, done.stderr), (0, ""))
    true(done.stdout.startswith("statsidecar ") and done.stdout.count("\n") == 1, done.stdout)


# ---- what the command line replaces ----


@test("--input and --output replace the configured ones, each may be given several times")
def _():
    with UdpReceiver() as configured, UdpReceiver() as first, UnixReceiver() as second:
        arguments = ["--input", "udp://127.0.0.1:0", "--input", "fifo:///{dir}/b", "--output", first.url, "--output", second.url]
        with temporary_directory() as directory:
            config = written(directory, f"inputs: ['fifo://{directory}/a']\noutputs: ['{configured.url}']\n" + RULES)
            arguments = [a.replace("/{dir}", directory) for a in arguments]
            with Agent(arguments=["-c", config, *arguments], directory=directory) as agent:
                true(not os.path.exists(f"{directory}/a"), "the configured input was opened")
                send_udp(agent.ports()[0], "from.udp")
                write_pipe(f"{directory}/b", "from.pipe step=x")
                for receiver in (first, second):
                    equal(sorted(receiver.lines(2)), ["from.pipe:1|c|#step:x", "from.udp:1|c"])
                equal(configured.all_lines(), [])


@table(
    [
        ("--dialect librato over an output with tags_in_name", "librato", "e#step=x:1|c"),
        ("--dialect dogstatsd over an output with tags_in_name", "dogstatsd", "e:1|c|#step:x"),
        ("--dialect statsd over an output with tags_in_name", "statsd", "e.x:1|c"),
    ]
)
def _(dialect, want):
    with temporary_directory() as directory:
        config = written(
            directory,
            "outputs: [{url: 'stdout:', dialect: statsd, tags_in_name: true}]\n"
            "rules: [{match: '**', tags: {step: '{step}'}, metrics: [{counter: '{event}'}]}]\n",
        )
        done = command("run", "-c", config, "--input", "stdin:", "--dialect", dialect, input="e step=x")
        equal(done.returncode, 0, done.stderr)
        equal(done.stdout, want + "\n")


@test("--dialect is that of every output")
def _():
    with UdpReceiver() as first, UdpReceiver() as second, temporary_directory() as directory:
        outputs = f"[{{url: '{first.url}', dialect: statsd}}, {{url: '{second.url}', prefix: 'p.'}}]"
        config = written(directory, f"outputs: {outputs}\n" + RULES)
        done = command("run", "-c", config, "--input", "stdin:", "--dialect", "librato", input="a.b step=x")
        equal(done.returncode, 0, done.stderr)
        equal((first.lines(1), second.lines(1)), (["a.b#step=x:1|c"], ["p.a.b#step=x:1|c"]))


@test("stdin: to stdout: is a filter: lines in order, nothing else on standard output")
def _():
    with temporary_directory() as directory:
        config = written(directory, "rules: [{match: e, metrics: [{counter: e, value: n}]}]\n")
        done = command("run", "-c", config, *STDIN_TO_STDOUT, input="".join(f"e n={n}\n" for n in range(20_000)))
        equal(done.returncode, 0, done.stderr[-500:])
        true(done.stdout == "".join(f"e:{n}|c\n" for n in range(20_000)), "other lines than one for each event:\n" + done.stdout[:500])


# ---- where the configuration comes from ----

CONFIGURATIONS = [
    ("-c with a path", ["-c", "{dir}/one.yaml"], {}, ["one.e:1|c"]),
    ("--config with a path", ["--config", "{dir}/one.yaml"], {}, ["one.e:1|c"]),
    ("a path relative to the working directory", ["-c", "./one.yaml"], {}, ["one.e:1|c"]),
    ("-c with a pack's name", ["-c", "tasker"], {}, ["tasker.e:1|c"]),
    ("$STATSIDECAR_CONFIG", [], {"STATSIDECAR_CONFIG": "{dir}/two.yaml"}, ["two.e:1|c"]),
    ("$STATSIDECAR_CONFIG with a pack's name", [], {"STATSIDECAR_CONFIG": "tasker"}, ["tasker.e:1|c"]),
    ("-c before $STATSIDECAR_CONFIG", ["-c", "{dir}/one.yaml"], {"STATSIDECAR_CONFIG": "{dir}/two.yaml"}, ["one.e:1|c"]),
]


@table([(f"configuration: {name}", *rest) for name, *rest in CONFIGURATIONS])
def _(arguments, env, lines):
    with temporary_directory() as directory:
        for name in ("one", "two"):
            written(directory, f"prefix: '{name}.'\n" + RULES, f"{name}.yaml")
        arguments = [a.replace("{dir}", directory) for a in arguments]
        env = {k: v.replace("{dir}", directory) for k, v in env.items()}
        done = command("run", *arguments, *STDIN_TO_STDOUT, input="e\n", env=env, cwd=directory)
        equal((done.returncode, done.stdout.splitlines()), (0, lines), done.stderr)


@test("configuration: $STATSIDECAR_CONFIG that is not there is refused")
def _():
    done = command("run", *STDIN_TO_STDOUT, env={"STATSIDECAR_CONFIG": "/absent.yaml"})
    equal(done.returncode, EX_CONFIG)
    contains(done.stderr, "/absent.yaml")


def need_no_installed_configuration():
    if os.path.exists("/etc/statsidecar/statsidecar.yaml"):
        skip("/etc/statsidecar/statsidecar.yaml is there")


@test("configuration: none at all is the pack tasker")
def _():
    need_no_installed_configuration()
    line = '{"event":"Tasker::LifecycleEvents::Events::Step::COMPLETE","step":"fetch","duration":1.25}\n'
    done = command("run", *STDIN_TO_STDOUT, input=line)
    want = ["tasker.step.completed:1|c|#step:fetch,attempt:1", "tasker.step.duration:1250|ms|#step:fetch,attempt:1"]
    equal((done.returncode, done.stdout.splitlines()), (0, want), done.stderr)


# ---- inputs that stand only by default ----

DEFAULT_PORT = 8127
DEFAULT_PIPE = "/run/statsidecar/events"


def hold_default_port():
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        holder.bind(("127.0.0.1", DEFAULT_PORT))
    except OSError:
        holder.close()
        skip(f"somebody uses UDP port {DEFAULT_PORT}")
    return holder


@contextlib.contextmanager
def own_run(mode):
    """Programs started inside see an empty /run of their own, so that nothing is left in the machine's."""
    need_no_installed_configuration()
    before = harness.WRAPPER
    script = f'mount -t tmpfs -o {mode} tmpfs /run && exec "$0" "$@"'
    own = ["unshare", "--mount", "sh", "-c", script]
    if subprocess.run([*own, "true"], capture_output=True).returncode != 0:
        skip("not allowed to mount anything (unshare --mount)")
    harness.WRAPPER = [*own, *before]
    try:
        yield
    finally:
        harness.WRAPPER = before


@test("the default inputs: the pipe and its folder are made, and read")
def _():
    hold_default_port().close()
    with own_run("rw,mode=0755"), UdpReceiver() as receiver, Agent(arguments=["--output", receiver.url]) as agent:
        equal(agent.ports(), [DEFAULT_PORT])
        send_udp(DEFAULT_PORT, "order.created")
        write_pipe(f"/proc/{agent.pid}/root{DEFAULT_PIPE}", "order.paid")
        equal(sorted(receiver.lines(2)), ["tasker.order.created:1|c", "tasker.order.paid:1|c"])


@test("a default input that cannot be opened is a warning; the agent runs with the other")
def _():
    hold_default_port().close()
    with own_run("ro"), UdpReceiver() as receiver, Agent(arguments=["--output", receiver.url]) as agent:
        agent.stderr.wait_for(f"warn.*{DEFAULT_PIPE}")
        send_udp(DEFAULT_PORT, "order.created")
        equal(receiver.lines(1), ["tasker.order.created:1|c"])


@test("default inputs none of which can be opened: status 71, both are told")
def _():
    with own_run("ro"), hold_default_port():
        done = command("run", "--output", "udp://127.0.0.1:9")
    equal(done.returncode, EX_OSERR, done.stderr)
    for words in (DEFAULT_PIPE, str(DEFAULT_PORT)):
        contains(done.stderr, words)


@test("the default pipe, configured, that cannot be opened: status 71")
def _():
    with own_run("ro"), temporary_directory() as directory:
        config = written(directory, f"inputs: ['stdin:', 'fifo://{DEFAULT_PIPE}']\n" + RULES)
        done = command("run", "-c", config, "--output", "stdout:")
        equal((done.returncode, done.stdout), (EX_OSERR, ""), done.stderr)
        contains(done.stderr, DEFAULT_PIPE)


# ---- outputs that the environment gives ----


def send_to_environment(env, config=RULES, line="a.b step=x"):
    with temporary_directory() as directory:
        done = command("run", "-c", written(directory, config), "--input", "stdin:", input=line, env=env)
        equal(done.returncode, 0, done.stderr)


# Each row: variables, in which @URL@ and @PORT@ are the receiver's, @OTHER@ another's, and what arrives.
TAGGED, PLAIN = ["a.b:1|c|#step:x"], ["a.b:1|c"]
UDP_OUTPUTS = [
    ("DD_DOGSTATSD_URL", {"DD_DOGSTATSD_URL": "@URL@"}, TAGGED),
    ("DD_AGENT_HOST and DD_DOGSTATSD_PORT", {"DD_AGENT_HOST": "127.0.0.1", "DD_DOGSTATSD_PORT": "@PORT@"}, TAGGED),
    ("STATSD_HOST and STATSD_PORT, dialect statsd", {"STATSD_HOST": "127.0.0.1", "STATSD_PORT": "@PORT@"}, PLAIN),
    (
        "DD_DOGSTATSD_URL before DD_AGENT_HOST",
        {"DD_DOGSTATSD_URL": "@URL@", "DD_AGENT_HOST": "127.0.0.1", "DD_DOGSTATSD_PORT": "@OTHER@"},
        TAGGED,
    ),
    (
        "DD_AGENT_HOST before STATSD_HOST",
        {
            "DD_AGENT_HOST": "127.0.0.1",
            "DD_DOGSTATSD_PORT": "@PORT@",
            "STATSD_HOST": "127.0.0.1",
            "STATSD_PORT": "@OTHER@",
        },
        TAGGED,
    ),
    (
        "an empty variable counts as unset",
        {"DD_DOGSTATSD_URL": "", "DD_AGENT_HOST": "", "STATSD_HOST": "127.0.0.1", "STATSD_PORT": "@PORT@"},
        PLAIN,
    ),
]


@table([(f"output: {name}", *rest) for name, *rest in UDP_OUTPUTS])
def _(env, want):
    with UdpReceiver() as receiver, UdpReceiver() as other:
        values = {"@URL@": receiver.url, "@PORT@": str(receiver.port), "@OTHER@": str(other.port)}
        send_to_environment({name: values.get(value, value) for name, value in env.items()})
        equal((receiver.lines(1), other.all_lines()), (want, []))


@test("output: DD_DOGSTATSD_URL with a Unix socket")
def _():
    with UnixReceiver() as receiver:
        send_to_environment({"DD_DOGSTATSD_URL": receiver.url})
        equal(receiver.lines(1), TAGGED)


@test("output: a configured one, and --output, are not replaced by the environment")
def _():
    with UdpReceiver() as configured, UdpReceiver() as environment_:
        env = {"DD_DOGSTATSD_URL": environment_.url, "STATSD_HOST": "127.0.0.1"}
        send_to_environment(env, f"outputs: ['{configured.url}']\n" + RULES)
        equal((configured.lines(1), environment_.all_lines()), (TAGGED, []))


# ---- tags that the environment gives ----

TAGS = [
    ("DD_ENV, DD_SERVICE, DD_VERSION", {"DD_ENV": "prod", "DD_SERVICE": "shop", "DD_VERSION": "1.2"}, "", "dogstatsd",
     "e:1|c|#env:prod,service:shop,version:1.2"),
    ("DD_TAGS", {"DD_TAGS": "team:core,tier:1"}, "", "dogstatsd", "e:1|c|#team:core,tier:1"),
    ("of one key the configuration's counts", {"DD_ENV": "prod", "DD_TAGS": "team:core"}, "tags: {env: test}\n", "dogstatsd",
     "e:1|c|#env:test,team:core"),
    ("other dialects have none of them", {"DD_ENV": "prod", "DD_TAGS": "team:core"}, "", "graphite", "e:1|c"),
    ("DD_ENTITY_ID is a tag alone", {"DD_ENTITY_ID": "uid-1"}, "", "dogstatsd", "e:1|c|#dd.internal.entity_id:uid-1"),
    ("DD_CARDINALITY", {"DD_CARDINALITY": "low"}, "", "dogstatsd", "e:1|c|card:low"),
]  # fmt: skip


@table([(f"tags: {name}", *rest) for name, *rest in TAGS])
def _(env, config, dialect, want):
    with temporary_directory() as directory:
        path = written(directory, config + "rules: [{match: '**', metrics: [{counter: '{event}'}]}]\n")
        done = command("run", "-c", path, *STDIN_TO_STDOUT, "--dialect", dialect, input="e", env=env)
        equal((done.returncode, done.stdout), (0, want + "\n"), done.stderr)


# ---- a copy of the program ----


def copy_with_umask(target):
    """An agent that copies itself to target, at once at the end of its input; its umask cuts every right of others."""
    program = harness.PROGRAM
    arguments = ["run", "-c", "job", *STDIN_TO_STDOUT, "--copy-program", target]
    return subprocess.run(
        ["sh", "-c", 'umask 077; exec "$0" "$@"', program, *arguments],
        input=b"",
        capture_output=True,
        env=harness.environment(),
        timeout=harness.DEADLINE,
    )


@test("copy: others find the program where --copy-program says, in a directory made for it, and may run it")
def _():
    if harness.WRAPPER:
        skip("the wrapper would be copied")
    with temporary_directory() as directory:
        target = pathlib.Path(directory) / "bin" / "statsidecar"
        done = copy_with_umask(str(target))
        equal(done.returncode, 0, done.stderr.decode())
        equal(target.read_bytes(), pathlib.Path(harness.PROGRAM).read_bytes())
        equal(oct(target.stat().st_mode & 0o7777), "0o755")
        equal(os.listdir(target.parent), ["statsidecar"])


@test("copy: one that others are running is replaced, and they go on")
def _():
    if harness.WRAPPER:
        skip("the wrapper would be copied")
    with temporary_directory() as directory:
        target = pathlib.Path(directory) / "statsidecar"
        shutil.copy(harness.PROGRAM, target)
        before = target.stat().st_ino
        with Agent(RULES + "inputs: ['fifo://{dir}/pipe']", program=str(target)) as agent:
            done = copy_with_umask(str(target))
            equal(done.returncode, 0, done.stderr.decode())
            true(target.stat().st_ino != before, "it is the same file")
            equal(agent.process.poll(), None)


@test("copy: where it cannot be put, the agent says so and ends")
def _():
    with temporary_directory() as directory:
        target = pathlib.Path(directory) / "no" / "such" / "statsidecar"
        done = command("run", "-c", "job", *STDIN_TO_STDOUT, "--copy-program", target)
        equal(done.returncode, EX_OSERR)
        contains(done.stderr, f"cannot make the directory {target.parent}, to copy the program there: No such file or directory")
        target = pathlib.Path(directory)
        done = command("run", "-c", "job", *STDIN_TO_STDOUT, "--copy-program", target)
        equal(done.returncode, EX_OSERR)
        contains(done.stderr, f"cannot copy the program to {target}: Is a directory")
        equal(os.listdir(directory), [])


main()
