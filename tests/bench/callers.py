"""Bidders in one process, each with a bid under way all the time: how many are answered, and how soon.

    python -m tests.bench.callers PORT PID PATH COUNT SECONDS FIRST_FEN STEP_FEN HELLO [TOKEN…]

Every caller is a websocket of its own to `ws://127.0.0.1:PORT/PATH`; with HELLO (a JSON text) it says that
first and waits to be told who it is. Then it sends a bid, waits for its answer, sends the next. Bids go up by
one step each, in order of sending, over all callers. An answer is a text whose type is receipt or refused,
or, with an echo, any. Raw sockets, one epoll; frames that are no answer are skipped unread.

The last line of standard output is JSON: answers a second, how many were receipts, percentiles in
milliseconds from a bid's sending to its answer, the median size of an answer, bytes that came in a second, the share of a
core that this program took meanwhile, and that the server, process PID, took.
"""

from __future__ import annotations

import json
import os
import select
import socket
import statistics
import sys
import time
from pathlib import Path

from tests.bench.watchers import CLOSE, PING, PONG, YOU, masked, upgrade

RECEIPT, REFUSED = b'{"v":1,"type":"receipt"', b'{"v":1,"type":"refused"'
WARM_S = 0.5
CHUNK = 1 << 20
SHORT = 64
"""Bytes of a text that tell what it is."""


class Caller:
    """One socket: what has come of a frame, and since when a bid is under way."""

    __slots__ = ("head", "ready", "sent", "skip", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.head = b""
        self.skip = 0
        self.sent = 0
        self.ready = False


class Callers:
    """All of them."""

    def __init__(
        self, port: int, path: str, count: int, first: int, step: int, hello: str, tokens: list[str]
    ) -> None:
        self.next_fen, self.step = first, step
        self.prefix = f"{first:x}"
        self.number = 0
        self.echo = not hello
        self.answers = self.receipts = self.bytes = 0
        self.waits: list[int] = []
        self.sizes: list[int] = []
        self.calling = False
        self.poll = select.epoll()
        self.callers: dict[int, Caller] = {}
        self.buffer = bytearray(CHUNK)
        for number in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            caller = Caller(connection)
            headers = f"Authorization: Bearer {tokens[number]}\r\n" if tokens else ""
            caller.head = upgrade(connection, port, path, headers)
            if hello:
                connection.sendall(masked(hello.encode()))
            else:
                caller.ready = True
            connection.setblocking(False)
            self.callers[connection.fileno()] = caller
            self.poll.register(connection.fileno(), select.EPOLLIN)

    def turn(self, timeout: float) -> None:
        """Take what has come."""
        for number, _ in self.poll.poll(timeout):
            caller = self.callers[number]
            try:
                size = caller.socket.recv_into(self.buffer)
            except BlockingIOError:
                continue
            if size == 0:
                raise EOFError("the server hung up")
            self.bytes += size
            self.take(caller, size)

    def take(self, caller: Caller, size: int) -> None:
        """Find frames; only their first bytes are looked at."""
        at = min(caller.skip, size)
        caller.skip -= at
        data = memoryview(self.buffer)[:size]
        if caller.head:
            data = memoryview(caller.head + bytes(data[at:]))
            caller.head, at, size = b"", 0, len(data)
        while at < size:
            head, length = 2, 0
            if size - at >= 2:
                length = data[at + 1]
                head = {126: 4, 127: 10}.get(length, 2)
            if size - at >= head and head > 2:
                length = int.from_bytes(data[at + 2 : at + head], "big")
            if size - at < head or (size - at < head + min(length, SHORT)):
                caller.head = bytes(data[at:])
                return
            self.frame(
                caller, data[at] & 0x0F, bytes(data[at + head : at + head + min(length, SHORT)]), length
            )
            at += head + length
        caller.skip = at - size

    def frame(self, caller: Caller, opcode: int, text: bytes, length: int) -> None:
        """A frame, whole or about to be."""
        if opcode == CLOSE:
            raise EOFError(f"the server closed a socket: {text!r}")
        if opcode == PING:
            caller.socket.sendall(masked(text, PONG))
        elif self.echo or text.startswith((RECEIPT, REFUSED)):
            self.answers += 1
            self.receipts += text.startswith(RECEIPT)
            self.waits.append(time.monotonic_ns() - caller.sent)
            self.sizes.append(length)
            if self.calling:
                self.call(caller)
            else:
                caller.sent = 0
        elif text.startswith(YOU):
            caller.ready = True

    def call(self, caller: Caller) -> None:
        """Send the next bid."""
        self.number += 1
        text = (
            f'{{"v":1,"type":"bid","client_bid_id":"{self.prefix}-{self.number:07}",'
            f'"amount_fen":{self.next_fen}}}'
        )
        self.next_fen += self.step
        caller.sent = time.monotonic_ns()
        caller.socket.sendall(masked(text.encode()))

    def run(self, seconds: float, server: int) -> dict[str, float]:
        """Wait until all are ready, warm up, and count."""
        while not all(caller.ready for caller in self.callers.values()):
            self.turn(1.0)
        self.calling = True
        for caller in self.callers.values():
            self.call(caller)
        warm = time.monotonic() + WARM_S
        while time.monotonic() < warm:
            self.turn(0.1)
        self.answers = self.receipts = self.bytes = 0
        self.waits.clear()
        started, cpu, theirs = time.monotonic(), time.process_time(), processor_s(server)
        while time.monotonic() < started + seconds:
            self.turn(0.1)
        took, cpu, theirs = (
            time.monotonic() - started,
            time.process_time() - cpu,
            processor_s(server) - theirs,
        )
        self.calling = False
        waits = sorted(wait / 1e6 for wait in self.waits)
        figures = {
            "per_s": self.answers / took,
            "receipts": self.receipts / max(1, self.answers),
            "p50_ms": statistics.median(waits),
            "p99_ms": waits[min(len(waits) - 1, int(len(waits) * 0.99))],
            "answer_bytes": statistics.median(self.sizes),
            "mb_per_s": self.bytes / took / 1e6,
            "cpu": cpu / took,
            "server_cpu": theirs / took,
            "server_us": theirs / max(1, self.answers) * 1e6,
        }
        patience = time.monotonic() + 10
        while any(caller.sent for caller in self.callers.values()) and time.monotonic() < patience:
            self.turn(0.1)
        return figures


def processor_s(process: int) -> float:
    """Seconds of processor time that a process has had, in its own code and in the kernel's."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Call once."""
    port, process, path, count, seconds, first, step, hello, *tokens = sys.argv[1:]
    callers = Callers(int(port), path, int(count), int(first), int(step), hello, tokens)
    print(json.dumps(callers.run(float(seconds), int(process))))


if __name__ == "__main__":
    main()
