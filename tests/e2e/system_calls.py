"""The system calls of a running agent, as strace tells them."""

import os
import re
import shutil
import subprocess

from harness import Lines, skip, temporary_directory

READS = {"read", "recvmmsg", "recvfrom", "recvmsg"}
SENDS = {"sendmmsg", "sendto", "sendmsg", "write", "writev"}
WAITS = {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "select", "nanosleep", "clock_nanosleep"}


class Trace:
    """strace on a running agent, in a `with`; .calls are (name, text, result) afterwards."""

    def __init__(self, agent):
        if shutil.which("strace") is None:
            skip("strace is not installed")
        self._folder = temporary_directory()
        self._path = os.path.join(self._folder.name, "trace")
        # The log on standard error is no metric; what is read or sent is told by its beginning.
        self._process = subprocess.Popen(
            ["strace", "-s", "64", "-o", self._path, "-p", str(agent.pid), "-e", "trace=" + ",".join(READS | SENDS | WAITS)],
            stderr=subprocess.PIPE,
        )
        self._said = Lines(self._process.stderr)

    def __enter__(self):
        if not self._attached():
            skip("strace may not attach here: " + " ".join(self._said.all()))
        return self

    def _attached(self):
        try:
            self._said.wait_for("attached")
            return True
        except AssertionError:
            return False

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._said.wait_end()
        with open(self._path) as file:
            self.calls = [parsed for parsed in map(parse, file) if parsed]
        self._folder.cleanup()


def parse(line):
    match = re.match(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+|\?)", line)
    return match and (match[1], match[2], -1 if match[3] == "?" else int(match[3]))
