"""The part of `make bench` that fetches what others use, with next to no events: whoever can be fetched does its job beside the agent.
No figure itself is looked at."""

import json
import os
import pathlib
import subprocess
import sys

from harness import SOURCE, WRAPPER, contains, equal, main, skip, temporary_directory, test, true

BUILD = pathlib.Path(os.environ.get("builddir") or SOURCE / "build").resolve()
EVENTS = 2000


@test("peers: each that can be fetched does its job beside the agent, the others are named")
def _():
    if WRAPPER:
        skip("the benchmark starts the agent itself")
    tiny = [f"--events={EVENTS / 1e6}", "--corpus=500", "--runs=1", "--rate=6000"]
    with temporary_directory() as directory:
        done = subprocess.run(
            [sys.executable, str(SOURCE / "bench/run.py"), *tiny, f"--output={directory}/results.json", "peers"],
            stdout=subprocess.PIPE,
            env={**os.environ, "srcdir": str(SOURCE), "builddir": str(BUILD)},
            check=True,
        )
        found = json.loads(pathlib.Path(directory, "results.json").read_text())["peers"]
    text = done.stdout.decode()
    for name, why in found["skipped"].items():
        contains(text, f"{name}: not measured, {why}")
    if not found["rows"]:
        skip("; ".join(found["skipped"].values()))
    for row in found["rows"]:
        contains(text, row["name"])
        true(row["ratio"] > 0, f"{row['name']}: a ratio")
        # A pipe's writer waits, a backlog fits; else a datagram may be lost where the kernel gives a small buffer.
        (peer,), (agent,) = row["peer"]["runs"], row["agent"]["runs"]
        equal((peer["sent"] >= EVENTS, agent["sent"]), (True, peer["sent"]), row["name"])
        if row["rate"] == 0:
            equal((peer["received"], agent["received"]), (EVENTS, EVENTS), row["name"])
        true(peer["peak_kib"] > 0 < agent["peak_kib"], f"{row['name']}: memory")


main()
