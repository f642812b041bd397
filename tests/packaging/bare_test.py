"""The source archive on a bare Debian 12: configured, built, tested and installed with nothing but the packages that
docs/packages.md names.
"""

import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import SOURCE, equal, main, test, true  # noqa: E402
from trees import Tree, archive, run  # noqa: E402

SUITE = "bookworm"
PAGE = (SOURCE / "docs/packages.md").read_text()
TESTS = "tests/unit/unit_tests tests/unit/publish_threads tests/property/sampling tests/layers.sh conf/job.yaml conf/tasker.yaml"


def documented():
    rows = re.findall(r"^apt-get install ([a-z0-9. -]+?)(?: +#.*)?$", PAGE, re.MULTILINE)
    equal(len(rows), 3, "lines of packages in docs/packages.md")
    return [name for row in rows for name in row.split()]


@test("the packages that are named are those that ./bootstrap asks for, but for autotools")
def _():
    text = (SOURCE / "bootstrap").read_text()
    needs = re.search(r"^build_needs\(\).*?<<'END'\n(.*?)^END", text, re.MULTILINE | re.DOTALL).group(1)
    wishes = re.search(r"^build_wishes\(\).*?<<'END'\n(.*?)^END", text, re.MULTILINE | re.DOTALL).group(1)
    names = {name for row in (needs + wishes).splitlines() for name in row.split("|")[0].split()}
    equal(sorted(documented()[: len(documented()) - 3]), sorted(names - {"autoconf", "automake", "libtool"}))


@test("packages are built with what the documents name, at the versions that configure asks for")
def _():
    control = (SOURCE / "packaging/debian/control").read_text()
    asked = re.search(r"^Build-Depends: (.*?)^\S", control, re.MULTILINE | re.DOTALL).group(1)
    of_the_build = set(documented()) - {"gcc", "libc6-dev", "make"}  # Debian's build-essential
    equal(sorted(of_the_build - set(re.findall(r"[a-z0-9.-]+", asked))), [], "not in debian/control")

    configure = (SOURCE / "configure.ac").read_text()
    rows = re.findall(r"PKG_CHECK_MODULES\(\[(?:EVENT|YAML|ZLIB|SECCOMP)\], \[(\S+ >= [0-9.]+)", configure)
    spec = (SOURCE / "packaging/rpm/statsidecar.spec").read_text()
    required = re.findall(r"^BuildRequires: +pkgconfig\((.+?)\) (>= \S+)$", spec, re.MULTILINE)
    equal(sorted(f"{name} {version}" for name, version in required), sorted(row.replace("libevent_core", "libevent") for row in rows))


@test("./configure && make && make check && make install on a bare Debian 12")
def _():
    tarball, version = archive()
    with Tree(SUITE, documented()) as tree:
        for tool in ("autoconf", "automake", "libtoolize", "git", "clang"):
            true(not (tree.path / "usr/bin" / tool).exists(), f"{tool} is in the tree: it is not bare")
        equal(run("tar", "-xzf", tarball, "-C", tree.path / "root").returncode, 0)
        where = f"/root/statsidecar-{version}"
        tree.run("./configure", "--enable-werror", cwd=where)
        jobs = f"-j{os.cpu_count()}"
        tree.run("make", jobs, cwd=where)
        said = tree.run("make", jobs, "check", f"TESTS={TESTS}", cwd=where)
        totals = {name: int(count) for name, count in re.findall(r"^# ([A-Z]+): +(\d+)", said, re.MULTILINE)}
        true(totals.get("PASS", 0) > 100 and not totals.get("FAIL") and not totals.get("ERROR"), f"{totals}")
        tree.run("make", "install", cwd=where)
        equal(tree.run("statsidecar", "--version", env={"PATH": "/usr/local/bin"}), f"statsidecar {version}\n")
        said = tree.run("statsidecar", "explain", "-c", "tasker", "order.created", env={"PATH": "/usr/local/bin"})
        true("tasker.order.created:1|c" in said, said)


main()
