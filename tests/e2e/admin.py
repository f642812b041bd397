"""What the tests of the admin pages share: agents that answer on a port of their own, and clients."""

import collections
import http.client
import json
import re
import socket

from harness import DEADLINE, WRAPPER, Agent, equal, wait_until

PIPE = "inputs: ['fifo://{dir}/pipe']\n"
QUIET = "admin: 127.0.0.1:0\ntelemetry: off\n"
# Valgrind itself makes system calls that the agent needs no more.
SANDBOX = "sandbox: false\n" if WRAPPER else ""

Answer = collections.namedtuple("Answer", "status headers body")


class AdminAgent(Agent):
    """An agent whose admin pages stand on a port of the kernel's choice: .port."""

    def __init__(self, config, admin=QUIET, **options):
        super().__init__(config + "\n" + admin + SANDBOX, quiet=False, **options)

    @property
    def port(self):
        return int(self.stderr.wait_for(r"admin: http://\S+:(\d+)/").group(1))

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def ask(self, path, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode("utf-8"))
        finally:
            connection.close()

    def ask_patiently(self, path):
        """Asks again where the agent says that events come first."""
        return wait_until(lambda: (lambda a: a if a.status != 503 else None)(self.ask(path)), path)

    def insist(self, path):
        """A page's text."""
        answer = self.ask_patiently(path)
        equal(answer.status, 200, answer.body)
        return answer.body

    def page(self, path):
        return json.loads(self.insist(path))

    def metrics(self):
        """/metrics as {name or name{labels}: value}."""
        found = collections.Counter()
        for line in self.insist("/metrics").splitlines():
            if line and not line.startswith("#"):
                key, value = line.rsplit(" ", 1)
                found[key] = float(value)
        return found

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)


def label(key, name):
    """The value of a label in a key of metrics()."""
    found = re.search(rf'[{{,]{name}="((?:[^"\\]|\\.)*)"', key)
    return found.group(1) if found else None


def total(metrics, name, **labels):
    return sum(
        value
        for key, value in metrics.items()
        if key.split("{")[0] == name and all(label(key, k) == v for k, v in labels.items())
    )
