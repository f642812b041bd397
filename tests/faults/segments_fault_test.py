"""Datagrams that share a message (UDP segmentation), and the kernel does not take it: each is tried alone, and nothing is lost."""

import errno
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import Agent, UdpReceiver, equal, main, table, total, write_pipe  # noqa: E402

from faults import Faults, name_of  # noqa: E402

EVENTS = [f"i.a n={n}" for n in range(1000, 4000)]
RULES = "rules: [{match: i.*, metrics: [{counter: '{event}', value: n}]}]"


@table([(f"{name_of(error)}: not one of them is dropped", error) for error in (errno.EPERM, errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM)])
def _(error):
    with Faults() as faults, UdpReceiver() as receiver:
        with Agent(f"inputs: ['fifo://{{dir}}/pipe']\noutputs: ['{receiver.url}']\n{RULES}", env=faults.env) as agent:
            faults.fail("sendmmsg", error, nth=1, times=1)
            agent.freeze()
            write_pipe(agent.directory / "pipe", *EVENTS)
            agent.thaw()
            equal(receiver.lines(len(EVENTS)), [f"{event.replace(' n=', ':')}|c" for event in EVENTS])
            equal(faults.injected(), {"sendmmsg": 1})
            counters = agent.check_balance()
            equal(total(counters, "statsidecar_metrics_total", 'outcome="sent"'), len(EVENTS))
            equal(total(counters, "statsidecar_output_errors_total"), 0)


main()
