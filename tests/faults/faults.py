"""Drives tests/faults/faults.c: which calls of an agent fail, and what its clock of the day says.

    with Faults() as faults, Agent(config, env=faults.env) as agent:
        faults.fail("sendmsg", errno.ENOBUFS, SHORT, chance=0.1)
        ...
        faults.clear()

A row of the library's table stays as it was set until clear(); what fails by chance does so by the seed.
"""

import errno
import os
import pathlib
import struct

from harness import IS_INSTRUMENTED, SOURCE, command, skip, temporary_directory

BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE / "build").resolve()
LIBRARY = BUILD / "tests" / "faults" / ".libs" / "faults.so"

SHORT = -1  # among errors: less than was asked for
ANY_FD, ALL_BUT_STDERR = -1, -2
EVERY_TIME = 2**63

HEAD = struct.Struct("<8sQQqII24x")
ROW = struct.Struct("<24s8iIIQQQQi28x")
ERRORS_MAX = 8


class Faults:
    """The mapped file, and the environment that makes an agent look at it."""

    def __init__(self, seed=1):
        if not LIBRARY.exists():
            skip(f"{LIBRARY.name} is not built: make check builds it")
        self._directory = temporary_directory()
        self.path = pathlib.Path(self._directory.name) / "faults"
        self.path.write_bytes(bytes(16384))
        self._file = open(self.path, "r+b", buffering=0)
        self.env = {"LD_PRELOAD": str(LIBRARY), "STATSIDECAR_FAULTS": str(self.path)}
        if IS_INSTRUMENTED:
            self.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.total = 0  # calls that were made to fail before the last clear()
        self._write(8, "<Q", seed)
        command("--version", env=self.env)  # the library names its rows
        if not self._rows():
            self.__exit__()
            skip("nothing can be preloaded into a static agent")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._directory.cleanup()

    def _write(self, offset, form, *values):
        os.pwrite(self._file.fileno(), struct.pack(form, *values), offset)

    def _rows(self):
        """{name: (offset, fields)}"""
        data = self.path.read_bytes()
        count = HEAD.unpack_from(data)[5]
        found = {}
        for i in range(count):
            offset = HEAD.size + i * ROW.size
            fields = ROW.unpack_from(data, offset)
            found[fields[0].rstrip(b"\0").decode()] = (offset, fields)
        return found

    def names(self):
        return list(self._rows())

    def arm(self, on=True):
        self._write(32, "<I", int(on))

    def jump(self, seconds):
        """The clock of the day is so far ahead of the machine's."""
        self._write(24, "<q", int(seconds * 10**9))

    def fail(self, name, *errors, chance=0.0, nth=0, times=EVERY_TIME, fd=ALL_BUT_STDERR):
        """From now on calls of a function fail: from the nth on, or each by chance, so many times at most."""
        offset = self._rows()[name][0]
        codes = list(errors) + [0] * (ERRORS_MAX - len(errors))
        # Not in force before it is whole.
        self._write(offset + 56, "<I", 0)
        self._write(offset + 24, "<8i", *codes)
        self._write(offset + 60, "<IQQQQi", int(chance * 10**6), nth, times, 0, 0, fd)
        self._write(offset + 56, "<I", len(errors))
        self.arm()

    def clear(self):
        """Nothing fails any more."""
        self.arm(False)
        self.total += sum(self.injected().values())
        for offset, _ in self._rows().values():
            self._write(offset + 56, "<I", 0)
            self._write(offset + 88, "<Q", 0)

    def injected(self):
        """{name: calls that were made to fail}, of those with any."""
        return {name: fields[14] for name, (_, fields) in self._rows().items() if fields[14]}

    def seen(self, name):
        return self._rows()[name][1][13]


def name_of(error):
    return "short" if error == SHORT else errno.errorcode[error]
