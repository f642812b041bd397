"""libstatsidecar as a program gets it: installed, found by pkg-config alone, shared and static; its header, symbols and
threads."""

import os
import pathlib
import shlex
import subprocess

from harness import (
    DEADLINE,
    SOURCE,
    Agent,
    UdpReceiver,
    contains,
    environment,
    equal,
    main,
    need,
    skip,
    table,
    temporary_directory,
    test,
    true,
)

BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE / "build")
CC = shlex.split(os.environ.get("CC") or "cc")
SANITIZERS = shlex.split(os.environ.get("STATSIDECAR_SANITIZERS", ""))
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-pedantic", "-Werror"]
EXAMPLE = SOURCE / "examples" / "c" / "word-count.c"

# Every function of the header; a new one is an addition to the interface, and bumps its number in Makefile.am.
FUNCTIONS = {
    "statsidecar_close",
    "statsidecar_count",
    "statsidecar_count_shortened",
    "statsidecar_open",
    "statsidecar_publish_event",
    "statsidecar_publish_lines",
    "statsidecar_publish_step_event",
    "statsidecar_publish_task_event",
    "statsidecar_result_text",
    "statsidecar_step_complete",
    "statsidecar_step_fail",
    "statsidecar_step_start",
    "statsidecar_task_complete",
    "statsidecar_task_fail",
    "statsidecar_task_start",
    "statsidecar_url",
}


def run(arguments, **options):
    """What it prints, standard error too; it must succeed."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE * 5,
        **options,
    )
    equal(done.returncode, 0, f"exit status of {shlex.join(map(str, arguments))}\n{done.stdout}")
    return done.stdout


class Installed:
    """The library, installed into a directory of its own."""

    def __enter__(self):
        need("pkg-config", "make")
        self._directory = temporary_directory()
        self.root = pathlib.Path(self._directory.name)
        # a make of its own, not a part of the one that runs this test
        clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "TESTS")}
        targets = ["install-libLTLIBRARIES", "install-includeHEADERS", "install-pkgconfigDATA"]
        run(["make", "-s", "-C", BUILD, f"DESTDIR={self.root}", *targets], env=clean)
        self.folder = next(self.root.rglob("statsidecar.pc")).parent
        return self

    def __exit__(self, *_):
        self._directory.cleanup()

    def pkg_config(self, *arguments):
        """As it answers where the root is /."""
        return shlex.split(
            run(
                ["pkg-config", *arguments, "statsidecar"],
                env={
                    **os.environ,
                    "PKG_CONFIG_LIBDIR": str(self.folder),
                    "PKG_CONFIG_SYSROOT_DIR": str(self.root),
                    "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1",
                    "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1",
                },
            )
        )

    def library(self):
        return next(self.root.rglob("libstatsidecar.a")).parent

    def build(self, source):
        """The program, built by pkg-config alone."""
        program = self.root / "program"
        flags = ["-O2", *WARNINGS, *SANITIZERS, *self.pkg_config("--cflags")]
        run([*CC, *flags, source, "-o", program, *self.pkg_config("--libs")])
        return program


def runs(program, installed, url, arguments=(), want=0):
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=environment({"STATSIDECAR_TO": url, "LD_LIBRARY_PATH": str(installed.library())}),
    )
    equal(done.returncode, want, f"exit status\n{done.stderr}")
    return done


# ---- the header ----

HEADER_ALONE = """
#include <statsidecar.h>
int main(void)
{
	struct statsidecar *publisher = NULL;
	struct statsidecar_step step = {};
	struct statsidecar_task task = {};
	const char *texts[] = {"a", "b"};
	struct statsidecar_field fields[] = {
		statsidecar_null("a"), statsidecar_text("b", "c"), statsidecar_bytes("d", "ef", 2),
		statsidecar_texts("g", texts, 2), statsidecar_integer("h", -1), statsidecar_double("i", 1.5), statsidecar_boolean("j", 1), statsidecar_time("k", 1),
		statsidecar_duration("l", 1), statsidecar_json("m", "{}"),
	};
	if (statsidecar_publish_event(publisher, "a.b", fields, sizeof fields / sizeof *fields) != STATSIDECAR_AWAY)
		return 1;
	if (statsidecar_publish_step_event(publisher, &step, STATSIDECAR_EVENT_STARTED, NULL, 0) != STATSIDECAR_AWAY)
		return 1;
	return statsidecar_task_start(publisher, &task, fields, 1) == STATSIDECAR_AWAY ? 0 : 1;
}
"""


@table(
    [
        ("the header in C11", "header.c", "gcc", ["-std=c11"]),
        ("the header in C11, by clang", "header.c", "clang", ["-std=c11"]),
        ("the header in C++17", "header.cc", "g++", ["-std=c++17"]),
        ("the header in C++17, by clang", "header.cc", "clang++", ["-std=c++17"]),
    ]
)
def _(name, compiler, flags):
    need(compiler)
    text = HEADER_ALONE if name.endswith(".cc") else HEADER_ALONE.replace("= {}", "= {0}")
    with Installed() as installed:
        (installed.root / name).write_text(text)
        if name.endswith(".cc") and subprocess.run(
            [compiler, "-x", "c++", "-fsyntax-only", "-"], input=b"#include <cstddef>", capture_output=True
        ).returncode:
            skip(f"{compiler} has no C++ headers")
        program = installed.root / "program"
        flags = flags + WARNINGS + installed.pkg_config("--cflags")
        if SANITIZERS:
            # the library's sanitizers are those of another compiler
            run([compiler, *flags, "-c", installed.root / name, "-o", program])
            return
        run([compiler, *flags, installed.root / name, "-o", program, *installed.pkg_config("--libs")])
        runs(program, installed, "udp://127.0.0.1:9")


# ---- symbols ----


@test("the shared library exports the functions of the header, and nothing else")
def _():
    need("nm")
    with Installed() as installed:
        rows = run(["nm", "-D", "--defined-only", "-P", installed.library() / "libstatsidecar.so"]).splitlines()
        not_ours = ("__", "_fini", "_init", *(["mangle_path"] if "--coverage" in SANITIZERS else []))  # the last is gcov's
        equal({row.split()[0] for row in rows if not row.startswith(not_ours)}, FUNCTIONS)
        header = (SOURCE / "lib" / "publish" / "statsidecar.h").read_text()
        for function in FUNCTIONS:
            contains(header, f"{function}(")


@test("the static library takes no name of the program's")
def _():
    need("nm")
    with Installed() as installed:
        rows = run(["nm", "-g", "--defined-only", "-P", installed.library() / "libstatsidecar.a"]).splitlines()
        names = {row.split()[0] for row in rows if row and not row.endswith(":")}
        true(FUNCTIONS <= names, FUNCTIONS - names)
        equal({name for name in names if not name.startswith(("statsidecar_", "__asan_", "__odr_asan"))}, set())


# ---- a program ----


def lines_of_word_count(receiver, count):
    """Without the durations, which are measured."""
    lines = receiver.lines(count)
    return [line if "duration" not in line else line.split(":")[0] + ":" + line.split("|", 1)[1] for line in lines]


WORD_COUNT = [
    "tasker.task.start_requested:1|c|#task:word-count",
    "tasker.step.execution_requested:1|c|#step:count,task:word-count",
    "tasker.step.completed:1|c|#step:count,task:word-count,attempt:1",
    "tasker.step.duration:ms|#step:count,task:word-count,attempt:1",
    "tasker.step.execution_requested:1|c|#step:count,task:word-count",
    "tasker.step.failed:1|c|#step:count,task:word-count,attempt:1",
    "tasker.step.duration:ms|#step:count,task:word-count,attempt:1",
    "tasker.errors:1|c|#error_type:not_found,step:count,task:word-count,attempt:1",
    "tasker.task.failed:1|c|#task:word-count,attempt:1",
    "tasker.task.duration:ms|#task:word-count,attempt:1",
    "tasker.errors:1|c|#error_type:unknown,task:word-count,attempt:1",
    "tasker.workflow.step_count:2|g|#task:word-count,attempt:1",
    "tasker.workflow.failed_steps:1|g|#task:word-count,attempt:1",
]


def sorted_tags(lines):
    def sort(line):
        head, _, tags = line.partition("|#")
        return head + ("|#" + ",".join(sorted(tags.split(","))) if tags else "")

    return sorted(map(sort, lines))


@table(
    [
        (f"a program with the {kind} library, by {input.split(':')[0]}", kind, input)
        for kind, input in [
            ("shared", "fifo://{dir}/events"),
            ("shared", "udp://127.0.0.1:0"),
            ("shared", "unix://{dir}/events.sock"),
            ("static", "fifo://{dir}/events"),
        ]
    ]
)
def _(kind, input):
    with Installed() as installed, UdpReceiver() as receiver:
        if kind == "static":
            for shared in installed.library().glob("libstatsidecar.so*"):
                shared.unlink()
        program = installed.build(EXAMPLE)
        text = installed.root / "text"
        text.write_text("three little words\n")
        with Agent(f"include: [tasker]\ninputs: [{input}]\noutputs: [{receiver.url}]") as agent:
            port = agent.ports()[0] if input.startswith("udp") else None
            url = f"udp://127.0.0.1:{port}" if port else input.replace("{dir}", str(agent.directory))
            done = runs(program, installed, url, [text, installed.root / "none"], want=1)
            equal(done.stdout, f"      3 {text}\n")
            equal(done.stderr, f"word-count: {installed.root}/none: No such file or directory\n")
            equal(sorted_tags(lines_of_word_count(receiver, len(WORD_COUNT))), sorted_tags(WORD_COUNT))


@test("the same program without an agent, and with a wrong address")
def _():
    with Installed() as installed:
        program = installed.build(EXAMPLE)
        for url in ("fifo:///nonexistent/events", "udp://127.0.0.1:9", "unix:///nonexistent/events.sock"):
            done = runs(program, installed, url, [EXAMPLE])
            equal(done.stderr, "")
        done = runs(program, installed, "nonsense", [EXAMPLE])
        contains(done.stderr, "word-count: $STATSIDECAR_TO: write fifo:///PATH")


@test("the version that pkg-config knows is the program's")
def _():
    with Installed() as installed:
        equal(installed.pkg_config("--modversion"), [run([BUILD / "statsidecar", "--version"]).split()[1]])


# ---- threads ----


@test("eight threads, seen by ThreadSanitizer")
def _():
    sources = [*sorted((SOURCE / "lib" / "publish").glob("*.c")), SOURCE / "lib" / "base" / "utf8.c"]
    with temporary_directory() as directory:
        flags = ["-std=gnu11", "-O1", "-g", "-pthread", "-fsanitize=thread", "-iquote", SOURCE / "lib"]
        probe = pathlib.Path(directory) / "probe.c"
        probe.write_text("int main(void) { return 0; }\n")
        probed = subprocess.run([*CC, "-fsanitize=thread", probe, "-o", f"{directory}/probe"], capture_output=True)
        if probed.returncode != 0 or subprocess.run([f"{directory}/probe"], capture_output=True).returncode != 0:
            skip("no ThreadSanitizer here")
        program = f"{directory}/threads"
        run([*CC, *flags, SOURCE / "tests" / "unit" / "publish_threads.c", *sources, "-o", program])
        said = run([program], env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1 exitcode=66"})
        true("not ok" not in said and "ThreadSanitizer" not in said, said)


main()
