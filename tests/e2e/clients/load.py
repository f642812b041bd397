"""Publishes as it is told by lines `COUNT SIZE` on standard input: so many events, each with a text and results of so
many bytes; answers each with the totals `SENT DROPPED`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "clients" / "python"))

import statsidecar  # noqa: E402

number = 0
publisher = statsidecar.publisher()
for line in sys.stdin:
    count, size = map(int, line.split())
    text = '"é\n' * (size // 4)
    for _ in range(count):
        number += 1
        statsidecar.publish_step_failed(
            step_name="load",
            number=number,
            error_message=text,
            step_results={"text": [text]},
            backtrace=[text] * 3,
        )
    print(publisher.sent, publisher.dropped, flush=True)
