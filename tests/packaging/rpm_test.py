"""The RPMs: built by rpmbuild from the source archive, and their files, with rights and flags, against tests/packaging/rpm-files.txt.

Debian's rpmbuild knows nothing of what is installed here: dependencies are left aside, and what they would be is looked at.
"""

import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import SOURCE, Failure, equal, main, need, test, true  # noqa: E402
from trees import BUILD, archive, run, tail  # noqa: E402

DIRECTORY = BUILD / "rpm"
WANTED = pathlib.Path(__file__).parent / "rpm-files.txt"


class Built:
    files = None

    @classmethod
    def packages(cls):
        if cls.files is None:
            need("rpmbuild")
            tarball, _ = archive()
            shutil.rmtree(DIRECTORY, ignore_errors=True)
            # No packages of debug information: what is looked at is not in them.
            flags = ["--nodeps", "--define", f"_topdir {DIRECTORY}", "--define", "debug_package %{nil}"]
            changes = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
            done = run("rpmbuild", *flags, "-tb", tarball, env={**changes, "RPM_BUILD_NCPUS": str(os.cpu_count())})
            if done.returncode:
                raise Failure(f"rpmbuild: {tail(done.stdout)}")
            cls.files = {re.sub(r"-[0-9].*", "", path.name): path for path in DIRECTORY.rglob("*.rpm")}
        return cls.files


def query(name, what):
    return run("rpm", "--query", "--package", what, Built.packages()[name]).stdout


def listing():
    """Every file by package: rights, owner, flags (c: configuration, n: not replaced, d: documentation, l: licence), path, without
    what varies from rpm to rpm: the libraries' directory, version numbers, compression, links for debuggers."""
    rows = []
    for name in sorted(Built.packages()):
        done = run("rpm", "--query", "--package", "--queryformat", "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEFLAGS:fflags}| %{FILENAMES}\n]", Built.packages()[name])
        for row in done.stdout.splitlines():
            rights, owner, flags, path = re.match(r"(\S+) (\S+) (\S*)\| (.*)", row).groups()
            path = re.sub(r"^/usr/lib64/|^/usr/lib/[a-z0-9_]+-linux-gnu/", "/usr/lib/", path)
            path = re.sub(rf"({name})-[0-9.]+(?=/|$)", r"\1", re.sub(r"\.gz$", "", path))
            if "/.build-id" in path:
                continue
            rows.append(f"{name} {rights} {owner} {flags or '-'} {path}")
    return sorted(rows)


@test("the RPMs are built from the source archive: agent, library, development files")
def _():
    equal(sorted(Built.packages()), ["statsidecar", "statsidecar-devel", "statsidecar-libs"])


@test("every file of theirs is one of tests/packaging/rpm-files.txt, and the other way round")
def _():
    # Pages of documentation come and go.
    got = [row for row in listing() if not re.search(r"/doc/statsidecar/[\w.-]+\.md$", row)]
    want = WANTED.read_text().splitlines()
    equal([row for row in got if row not in want], [], "more than is wanted")
    equal([row for row in want if row not in got], [], "missing")


@test("the version of the spec is the program's, and its changelog is about it")
def _():
    _, version = archive()
    text = (SOURCE / "packaging/rpm/statsidecar.spec").read_text()
    equal(re.search(r"^Version: +(\S+)", text, re.MULTILINE).group(1), version)
    true(f"- {version}-" in text.split("%changelog")[1], "the changelog")


@test("the development files need the library of the same version, the agent no library of ours")
def _():
    true(re.search(r"^statsidecar-libs\S* = 0", query("statsidecar-devel", "--requires"), re.MULTILINE), query("statsidecar-devel", "--requires"))
    needs = query("statsidecar", "--requires")
    true("libevent_core" in needs and "libyaml" in needs and "libstatsidecar" not in needs, needs)


main()
