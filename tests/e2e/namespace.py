"""Runs a file of tests in a network namespace of its own: nothing of the machine is changed, and nothing stays behind.

namespace.main([["ip", "address", "add", "192.0.2.1/32", "dev", "lo"]])    # instead of harness.main()
"""

import os
import shutil
import subprocess
import sys

import harness
from harness import Failure, skip

INSIDE = "STATSIDECAR_TEST_NAMESPACE"


def run(*arguments, env=None):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, env=env)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def _why_not(options):
    for program in ("unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    probe = subprocess.run(["unshare", *options, "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    return f"no network namespaces here: {probe.stderr.strip()}" if probe.returncode else None


def main(set_up, options=("--net",), prepare=lambda: None):
    """Does the commands of set_up and then the tests, inside; or skips them all with the reason, that of prepare() included,
    which runs outside."""
    if INSIDE not in os.environ:
        why = _why_not(options) or prepare()
        if why is None:
            sys.stdout.flush()
            os.environ[INSIDE] = "1"
            os.execvp("unshare", ["unshare", *options, sys.executable, *sys.argv])
        harness.replace_tests(lambda: skip(why))
    else:
        for command in [["ip", "link", "set", "lo", "up"], *set_up]:
            run(*command)
    harness.main()
