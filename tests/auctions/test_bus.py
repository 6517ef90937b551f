"""One suite over every bus."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from auctions.bus import Bus, LocalBus, LotNews
from auctions.redis_bus import RedisBus
from tests import services
from tests.conftest import missing

NEWS = [LotNews(3, ((1, "a" * 64, '{"金额":1}'), (2, "b" * 64, "{}"))), LotNews(4, ((9, "c" * 64, "{}"),))]


@pytest.fixture(params=["local", "redis"])
def make(request: pytest.FixtureRequest) -> Callable[[], Bus]:
    if request.param == "local":
        return LocalBus
    url = request.getfixturevalue("redis_url")
    return lambda: RedisBus(url, channel=f"test:{request.node.name}")


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def test_news_from_another_thread_arrive_in_order_until_one_ends_it(make: Callable[[], Bus]) -> None:
    async def scene() -> None:
        bus = make()
        bus.publish(NEWS)  # before the start: nobody to tell, and no error
        await bus.start()
        heard: list[LotNews] = []
        end = bus.subscribe(heard.append)
        thread = threading.Thread(target=bus.publish, args=(NEWS,))
        thread.start()
        await until(lambda: len(heard) >= 2)
        assert heard == NEWS
        end()
        end()
        bus.publish(NEWS)
        await asyncio.sleep(0.05)
        assert heard == NEWS
        await bus.stop()
        bus.publish(NEWS)
        thread.join()

    asyncio.run(scene())


def test_redis_carries_news_to_other_processes_once(redis_url: str) -> None:
    async def scene() -> None:
        here, there = (RedisBus(redis_url, channel="test:carry") for _ in range(2))
        heard: dict[str, list[LotNews]] = {"here": [], "there": []}
        for bus, name in ((here, "here"), (there, "there")):
            await bus.start()
            bus.subscribe(heard[name].append)
        await until(lambda: here.listening.is_set() and there.listening.is_set())
        await asyncio.sleep(0.05)
        here.publish(NEWS)
        await until(lambda: len(heard["there"]) == 2)
        await asyncio.sleep(0.05)
        assert heard == {"here": NEWS, "there": NEWS}
        there._take(b"not json")
        assert heard["there"] == NEWS
        for bus in (here, there):
            await bus.stop()

    asyncio.run(scene())


def test_without_redis_the_near_watchers_are_told_all_the_same() -> None:
    async def scene() -> None:
        trouble: list[str] = []
        bus = RedisBus("redis://127.0.0.1:1/0", on_trouble=trouble.append)
        await bus.start()
        heard: list[LotNews] = []
        bus.subscribe(heard.append)
        bus.publish(NEWS)
        await until(lambda: len(heard) == 2 and trouble)
        await bus.stop()

    asyncio.run(scene())


def private_redis(port: int) -> subprocess.Popen[bytes]:
    """A server that a test may end and start again."""
    program = services.redis_program()
    assert program is not None
    return subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp",
    )  # fmt: skip


@pytest.fixture
def redis_port(redis_url: str) -> int:
    """A port nobody listens on, where Redis can be started."""
    if services.redis_program() is None:
        missing(f"a Redis besides {redis_url} that may be stopped", "install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def one(seq: int, size: int = 0) -> list[LotNews]:
    return [LotNews(3, ((seq, "a" * 64, "x" * size),))]


def test_a_redis_that_comes_back_carries_the_newest_news(redis_port: int) -> None:
    async def scene() -> None:
        trouble: list[str] = []
        url = f"redis://127.0.0.1:{redis_port}/0"
        here = RedisBus(url, channel="back", on_trouble=trouble.append)
        there = RedisBus(url, channel="back")
        heard: list[int] = []
        server = private_redis(redis_port)
        try:
            for bus in (here, there):
                await bus.start()
            there.subscribe(lambda news: heard.append(news.frames[0][0]))
            await until(lambda: here.listening.is_set() and there.listening.is_set())
            here.publish(one(1))
            await until(lambda: heard == [1])
            server.kill()
            server.wait()
            await until(lambda: not there.listening.is_set())
            for seq in range(2, 40):
                here.publish(one(seq))
                await asyncio.sleep(0.01)
            await until(lambda: set(trouble) == {"redis_send_failed", "redis_connection_lost"})
            server = private_redis(redis_port)
            await until(there.listening.is_set)
            seq = 40
            while heard[-1] < 40:
                here.publish(one(seq := seq + 1))
                await asyncio.sleep(0.05)
            assert heard == sorted(set(heard)), "in order, none twice"
            assert len(trouble) < 10, "one word for each loss"
        finally:
            for bus in (here, there):
                await bus.stop()
            server.kill()
            server.wait()

    asyncio.run(scene())


def test_what_waits_for_a_redis_that_stands_still_is_bounded(
    redis_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auctions.redis_bus.MOST_WAITING", 100_000)

    async def scene() -> None:
        trouble: list[str] = []
        url = f"redis://127.0.0.1:{redis_port}/0"
        here = RedisBus(url, channel="still", on_trouble=trouble.append)
        there = RedisBus(url, channel="still")
        near: list[int] = []
        heard: list[int] = []
        server = private_redis(redis_port)
        try:
            for bus in (here, there):
                await bus.start()
            here.subscribe(lambda news: near.append(news.frames[0][0]))
            there.subscribe(lambda news: heard.append(news.frames[0][0]))
            await until(lambda: here.listening.is_set() and there.listening.is_set())
            server.send_signal(signal.SIGSTOP)
            for seq in range(1, 101):
                here.publish(one(seq, 10_000))
            await until(lambda: len(near) == 100)
            assert near == list(range(1, 101)), "this process's own watchers wait for nothing"
            assert here._out_bytes <= 100_000
            assert trouble.count("redis_queue_full") == 1
            server.send_signal(signal.SIGCONT)
            seq = 100
            while not heard or heard[-1] < 101:
                here.publish(one(seq := seq + 1))
                await asyncio.sleep(0.05)
            assert heard == sorted(heard)
            assert len([seq for seq in heard if seq <= 100]) < 20, "the oldest gave way"
        finally:
            server.send_signal(signal.SIGCONT)
            for bus in (here, there):
                await bus.stop()
            server.kill()
            server.wait()

    asyncio.run(scene())


def test_processes_tell_each_other_how_many_watch(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        buses = [RedisBus(redis_url, channel="test:count") for _ in range(3)]
        for bus in buses:
            await bus.start()
        await until(lambda: all(bus.listening.is_set() for bus in buses))
        for n, bus in enumerate(buses):
            bus.count({3: 10**n, 4: 1})
        await until(lambda: [bus.elsewhere(3) for bus in buses] == [110, 101, 11])
        assert [bus.elsewhere(4) for bus in buses] == [2, 2, 2]
        buses[2].count({})
        await until(lambda: [bus.elsewhere(3) for bus in buses] == [10, 1, 11])
        monkeypatch.setattr("auctions.redis_bus.COUNT_VALID_S", 0.0)
        assert buses[0].elsewhere(3) == 0, "who is not heard any more does not count"
        for bus in buses:
            await bus.stop()
        local = LocalBus()
        local.count({3: 1})
        assert local.elsewhere(3) == 0

    asyncio.run(scene())
