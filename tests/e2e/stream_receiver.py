"""Takes the connections that outputs open: lines over TCP, length-prefixed payloads over Unix streams."""

import os
import socket
import struct

from harness import DEADLINE, temporary_directory, true


class Listener:
    """Takes connections of metrics. .url goes into the configuration."""

    def __init__(self, kind, address=None, receive_buffer=None):
        self.kind = kind
        self.folder = None
        if kind == "tcp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            address = address or ("127.0.0.1", 0)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.folder = None if address else temporary_directory()
            address = address or os.path.join(self.folder.name, "out")
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if kind == "tcp":
                # Where a whole segment has no room in the window, the kernel sends one each 200 ms.
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.bind(address)
        self.socket.listen()
        self.socket.settimeout(DEADLINE)
        self.address = self.socket.getsockname()
        self.url = f"tcp://127.0.0.1:{self.address[1]}" if kind == "tcp" else f"unixstream://{self.address}"
        self.connection = None
        self.data = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection:
            self.connection.close()
        self.socket.close()
        if self.folder:
            self.folder.cleanup()

    def accept(self):
        self.connection = self.socket.accept()[0]
        self.connection.settimeout(DEADLINE)
        self.data = bytearray()

    def payloads(self):
        """The whole payloads so far; what is left over must be the beginning of one."""
        if self.kind == "tcp":
            return self.data.decode().split("\n")[:-1]
        found, at = [], 0
        while at + 4 <= len(self.data):
            length = struct.unpack_from("<I", self.data, at)[0]
            true(length <= 8192, f"a frame of {length} bytes")
            if at + 4 + length > len(self.data):
                break
            found.append(self.data[at + 4 : at + 4 + length].decode())
            at += 4 + length
        return found

    def lines(self):
        return [line for payload in self.payloads() for line in payload.split("\n")]

    def read_until(self, part):
        """Receives until this stands at the end of what was received."""
        if self.connection is None:
            self.accept()
        while part not in self.data[-100:]:
            data = self.connection.recv(1 << 20)
            true(data, "the agent closed the connection")
            self.data += data
