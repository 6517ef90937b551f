"""Tries are counted wherever Redis is, and also where it is not."""

from __future__ import annotations

from limits import RateLimitItemPerMinute

from tests.faults.servers import free_port
from web.limiter import SharedLimiter

ITEM = RateLimitItemPerMinute(3, namespace="tests")


def test_tries_are_counted_while_redis_is_away() -> None:
    limiter = SharedLimiter(f"redis://127.0.0.1:{free_port()}/0")
    assert [limiter.hit(ITEM, "somebody") for _ in range(4)] == [True, True, True, False]
    assert not limiter.test(ITEM, "somebody")
    assert limiter.test(ITEM, "somebody else")
    assert limiter.get_window_stats(ITEM, "somebody").remaining == 0
    limiter.clear(ITEM, "somebody")
    assert limiter.test(ITEM, "somebody")


def test_tries_are_counted_together_in_redis(redis_url: str) -> None:
    one, other = SharedLimiter(redis_url), SharedLimiter(redis_url)
    assert [limiter.hit(ITEM, "together") for limiter in (one, other, one, other)] == [
        True,
        True,
        True,
        False,
    ]
    one.clear(ITEM, "together")
    assert other.test(ITEM, "together")
