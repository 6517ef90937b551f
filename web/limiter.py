"""Counting tries in Redis for all processes together, and in this process while Redis is away."""

from __future__ import annotations

from limits import RateLimitItem, WindowStats
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter


class SharedLimiter(MovingWindowRateLimiter):
    """A limiter over a Redis address. Nobody is turned away, and nobody let in, for want of Redis."""

    def __init__(self, url: str) -> None:
        super().__init__(storage_from_string(url, wrap_exceptions=True))
        self._near = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """See `limits`."""
        try:
            return super().hit(item, *identifiers, cost=cost)
        except StorageError:
            return self._near.hit(item, *identifiers, cost=cost)

    def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """See `limits`."""
        try:
            return super().test(item, *identifiers, cost=cost)
        except StorageError:
            return self._near.test(item, *identifiers, cost=cost)

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """See `limits`."""
        try:
            return super().get_window_stats(item, *identifiers)
        except StorageError:
            return self._near.get_window_stats(item, *identifiers)

    def clear(self, item: RateLimitItem, *identifiers: str) -> None:
        """See `limits`."""
        self._near.clear(item, *identifiers)
        try:
            super().clear(item, *identifiers)
        except StorageError:
            return
