"""A DNS server of the test's own, and agents that find it in a resolv.conf of their own (a private mount)."""

import os
import shutil
import socket
import struct
import subprocess
import threading

import harness
from harness import Agent, skip

NAME = "receiver.statsidecar.test"


class NameServer:
    """Answers A questions for NAME with .address, one or a list: None is NXDOMAIN; silent while .is_dead."""

    def __init__(self, address):
        self.address = address
        self.is_dead = False
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                question, sender = self.socket.recvfrom(512)
            except OSError:
                return
            self.asked += 1
            if not self.is_dead:
                self.socket.sendto(self._answer(question), sender)

    def _answer(self, question):
        end = question.index(b"\0", 12) + 5
        name, kind = question[12 : end - 4], struct.unpack(">H", question[end - 4 : end - 2])[0]
        # Resolvers write names in random case, against forged answers.
        is_known = self.address is not None and name.lower() == b"".join(
            bytes([len(part)]) + part.encode() for part in NAME.split(".")
        ) + b"\0"
        addresses = [self.address] if isinstance(self.address, str) else self.address
        answers = list(map(socket.inet_aton, addresses)) if is_known and kind == 1 else []
        head = question[:2] + struct.pack(">HHHHH", 0x8180 if is_known else 0x8183, 1, len(answers), 0, 0)
        return head + question[12:end] + b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, len(answer)) + answer for answer in answers
        )


class ResolvingAgent(Agent):
    """An agent that sees the name server and nothing else."""

    def __init__(self, server, config, **options):
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            skip("a mount of its own needs root and unshare(1)")
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
            skip("unshare --mount is not allowed here")
        super().__init__(config, **options)
        resolv = self.directory / "resolv.conf"
        resolv.write_text(f"nameserver 127.0.0.1:{server.port}\n")
        script = f'mount --bind "{resolv}" /etc/resolv.conf && exec "$@"'
        self.wrapper = ["unshare", "--mount", "sh", "-c", script, "sh"]

    def start(self, wait=True):
        before = harness.WRAPPER
        harness.WRAPPER = self.wrapper + before
        try:
            return super().start(wait)
        finally:
            harness.WRAPPER = before
