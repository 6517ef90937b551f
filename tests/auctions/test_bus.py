"""One suite over every bus."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from auctions.bus import Bus, LocalBus, LotNews
from auctions.redis_bus import RedisBus

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
