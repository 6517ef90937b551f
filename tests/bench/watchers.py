"""Many watchers in one process, over raw sockets: they count events and parse as little as they can.

    python -m tests.bench.watchers CONTROL_PORT PORT PATH COUNT [HELLO]

Each watcher is a websocket to `ws://127.0.0.1:PORT/PATH`; with HELLO (a JSON text) it says that first and is
ready when it was told who it is. Over the control connection the process says `watchers`, then, once all
are ready, `ready`; then for each event in turn, when the *last* watcher has got it or a snapshot that holds
it, three numbers: the event's since the beginning, the instant (CLOCK_MONOTONIC, nanoseconds), and how many
events snapshots have spared all the watchers so far. It ends when the control connection does.
"""

from __future__ import annotations

import base64
import os
import select
import socket
import struct
import sys
import time

EVENT = b'{"at":'
"""How the text of an event frame begins: its keys are sorted."""
BUNDLE = b'{"v":1,"type":"events"'
SNAPSHOT = b'{"v":1,"type":"snapshot"'
SEQ = b'"seq":'
"""In a snapshot's head its first place, in events the last one is the last event's."""
YOU = b'{"v":1,"type":"you"'
ACK = struct.Struct("!QQQ")
CHUNK = 1 << 20
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Watcher:
    """One socket: the last event it has, and the part of a frame that is still to come."""

    __slots__ = ("last", "rest", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.last = 0
        self.rest = b""


def masked(data: bytes, opcode: int = TEXT) -> bytes:
    """A frame as a client sends it, of at most 125 bytes; the mask is zero."""
    return bytes([0x80 | opcode, 0x80 | len(data)]) + bytes(4) + data


def number_at(text: bytes | bytearray, place: int) -> int:
    """The whole number that stands after a `SEQ` found at a place."""
    start = end = place + len(SEQ)
    while text[end] < 58 and text[end] >= 48:
        end += 1
    return int(text[start:end])


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Opcodes and payloads of whole frames, and the rest. Raises EOFError at a close frame."""
    found, at, end = [], 0, len(data)
    while end - at >= 2:
        opcode, length, head = data[at] & 0x0F, data[at + 1], 2
        if length == 126:
            if end - at < 4:
                break
            length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
        elif length == 127:
            if end - at < 10:
                break
            length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
        if end - at < head + length:
            break
        if opcode == CLOSE:
            raise EOFError(f"the server closed a socket: {data[at + head : at + head + length]!r}")
        found.append((opcode, data[at + head : at + head + length]))
        at += head + length
    return found, data[at:]


def upgrade(connection: socket.socket, port: int, path: str, headers: str = "") -> bytes:
    """Shake hands; what came after the handshake."""
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(4096)
        if not part:
            raise EOFError("no handshake")
        answer += part
    if b" 101 " not in answer.split(b"\r\n", 1)[0]:
        raise RuntimeError(answer.decode(errors="replace"))
    return answer.split(b"\r\n\r\n", 1)[1]


class Crowd:
    """All watchers, and the count of how many have got which event."""

    def __init__(self, control: socket.socket, port: int, path: str, count: int, hello: str) -> None:
        self.control = control
        self.count = count
        self.got: list[int] = []
        self.base: int | None = None
        self.spared = 0
        self.ready = 0
        self.poll = select.epoll()
        self.watchers: dict[int, Watcher] = {}
        self.buffer = bytearray(CHUNK)
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            watcher = Watcher(connection)
            watcher.rest = upgrade(connection, port, path)
            if hello:
                connection.sendall(masked(hello.encode()))
            else:
                self.ready += 1
            connection.setblocking(False)
            self.watchers[connection.fileno()] = watcher
            self.poll.register(connection.fileno(), select.EPOLLIN)
            if not len(self.watchers) % 64:
                self.turn(0)

    def turn(self, timeout: float) -> bool:
        """Take what has come; False when the control connection ended."""
        for number, _ in self.poll.poll(timeout):
            watcher = self.watchers.get(number)
            if watcher is None:
                return False
            try:
                size = watcher.socket.recv_into(self.buffer)
            except BlockingIOError:
                continue
            if size == 0:
                raise EOFError("the server hung up")
            self.take(watcher, size)
        return True

    def take(self, watcher: Watcher, size: int) -> None:
        """Count the events in what a watcher got."""
        buffer = self.buffer
        if not watcher.rest and buffer[0] == 0x81 and buffer[1] == 126:
            # The common case, found without a loop in Python: nothing but event frames of one length.
            whole = 4 + (buffer[2] << 8 | buffer[3])
            head = bytes(buffer[:4]) + EVENT
            if buffer.startswith(head) and buffer.count(head, 0, size) * whole == size:
                if self.base is None:
                    self.base = number_at(buffer, buffer.find(SEQ, 0, size)) - 1
                self.reached(watcher, number_at(buffer, buffer.rfind(SEQ, 0, size)))
                return
        texts, watcher.rest = split(watcher.rest + bytes(buffer[:size]))
        for opcode, text in texts:
            if opcode == PING:
                watcher.socket.sendall(masked(text, PONG))
            elif text.startswith((EVENT, BUNDLE)):
                self.reached(watcher, number_at(text, text.rfind(SEQ)))
            elif text.startswith(SNAPSHOT):
                seq = number_at(text, text.find(SEQ))
                if watcher.last:
                    self.spared += seq - watcher.last
                if self.base is None:
                    self.base = seq
                self.reached(watcher, seq)
            elif text.startswith(YOU):
                self.ready += 1

    def reached(self, watcher: Watcher, seq: int) -> None:
        """A watcher has got as far as an event."""
        if self.base is None:
            self.base = seq - 1
        got, before = self.got, max(watcher.last, self.base)
        watcher.last = seq
        while len(got) < seq - self.base:
            got.append(0)
        for place in range(before - self.base, seq - self.base):
            got[place] += 1
            if got[place] == self.count:
                self.control.sendall(ACK.pack(place + 1, time.monotonic_ns(), self.spared))

    def run(self) -> None:
        """Wait until all are ready, say so, and watch to the end."""
        self.control.sendall(b"watchers\n")
        while self.ready < self.count:
            self.turn(1.0)
        self.control.sendall(b"ready\n")
        self.poll.register(self.control.fileno(), select.EPOLLIN)
        while self.turn(10.0):
            pass


def main() -> None:
    """Watch."""
    control_port, port, path, count, *hello = sys.argv[1:]
    control = socket.create_connection(("127.0.0.1", int(control_port)), timeout=300)
    Crowd(control, int(port), path, int(count), "".join(hello)).run()


if __name__ == "__main__":
    main()
