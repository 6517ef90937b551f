"""A small load generator: keep-alive connections that ask for one path again and again.

    python -m tests.bench.load PORT PATH SECONDS CONNECTIONS [COOKIE]

Prints one line: requests a second, and the bytes of a body. It runs in a process of its own so that it
takes no time of the server's. Any answer but 200 ends it.
"""

from __future__ import annotations

import asyncio
import sys
import time

import httptools


class Connection(asyncio.Protocol):
    """One connection; sends the next request when the answer is whole."""

    def __init__(self, request: bytes, done: asyncio.Event) -> None:
        self.request, self.done = request, done
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.answers = self.size = self.body = 0
        self.stopping = False
        self.fault = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += len(body)

    def on_message_complete(self) -> None:
        assert self.transport is not None
        if self.parser.get_status_code() != 200:
            self.fault = f"status {self.parser.get_status_code()}"
        self.answers += 1
        self.size, self.body = self.body, 0
        self.parser = httptools.HttpResponseParser(self)
        if self.stopping or self.fault:
            self.transport.close()
        else:
            self.transport.write(self.request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.stopping:
            self.fault = self.fault or "the server closed the connection"
        self.done.set()


async def load(port: int, path: str, seconds: float, connections: int, cookie: str) -> tuple[float, int]:
    """Requests a second and the bytes of a body. Raises RuntimeError."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Language: zh\r\nAccept: text/html\r\n"
        + (f"Cookie: {cookie}\r\n" if cookie else "")
        + "\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    made = []
    for _ in range(connections):
        done = asyncio.Event()
        _transport, one = await loop.create_connection(
            lambda done=done: Connection(request, done),
            "127.0.0.1",
            port,  # type: ignore[misc]
        )
        made.append(one)
    await asyncio.sleep(seconds)
    answers, took = sum(one.answers for one in made), time.perf_counter() - started
    for one in made:
        one.stopping = True
    await asyncio.wait_for(asyncio.gather(*(one.done.wait() for one in made)), 30)
    faults = [one.fault for one in made if one.fault]
    if faults or not answers:
        raise RuntimeError(f"{path}: {faults[0] if faults else 'no answer'}")
    return answers / took, made[0].size


def main() -> None:
    """Run once."""
    port, path, seconds, connections, *cookie = sys.argv[1:]
    rate, size = asyncio.run(load(int(port), path, float(seconds), int(connections), "".join(cookie)))
    print(rate, size)


if __name__ == "__main__":
    main()
