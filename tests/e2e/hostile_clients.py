"""A hundred slow and hostile HTTP clients at once, each thrown out coming again, until standard input is closed:

    hostile_clients.py PORT [COUNT]

A process of its own, so that those who measure meanwhile have their interpreter for themselves.
"""

import os
import socket
import sys
import threading

stop = threading.Event()
HEAD = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n"
DEAREST = b"GET /api/explain?line=%5B" + b"%7B%7D," * 1000 + b"%7B%7D%5D HTTP/1.1\r\nHost: localhost\r\n\r\n"


def dribble(client):
    """A header that never ends, a byte at a time."""
    client.sendall(HEAD + b"X-Slow: ")
    while not stop.wait(0.05):
        client.sendall(b"x")


def pour(client):
    """A header beyond every limit."""
    client.sendall(HEAD + b"X-Huge: " + b"x" * 200_000)
    while client.recv(65536):
        pass


def swell(client):
    """A body beyond every limit."""
    client.sendall(b"POST /api/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 100_000)
    while client.recv(65536):
        pass


def babble(client):
    """No HTTP at all."""
    client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200) + b"\r\n\r\n")
    while client.recv(65536):
        pass


def mute(client):
    """Says nothing."""
    stop.wait(3)


def rebind(client):
    """Asks in another site's name, again and again."""
    while not stop.wait(0.01):
        client.sendall(b"GET /api/events HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        if not client.recv(65536):
            return


def deaf(client):
    """Asks for much and takes nothing of it."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(200):
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    stop.wait(3)


def insist(client):
    """Asks for the dearest page as fast as it can."""
    while not stop.is_set():
        client.sendall(DEAREST)
        if not client.recv(65536):
            return


def eavesdrop(client):
    """Taps everything and reads nothing."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(b"GET /api/tap HTTP/1.1\r\nHost: localhost\r\n\r\n")
    stop.wait(3)


def harass(port, kind):
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as client:
                kind(client)
        except OSError:
            pass


def main():
    kinds = [dribble, pour, swell, babble, mute, rebind, deaf, insist, eavesdrop]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    threads = [threading.Thread(target=harass, args=(int(sys.argv[1]), kinds[i % len(kinds)])) for i in range(count)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()


main()
