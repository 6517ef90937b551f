"""Meilisearch for tests: the server that `MARKET_TEST_MEILISEARCH_URL` names, else one in this process."""

import contextlib
import functools
import os
import secrets
from pathlib import Path

from matching.embedded.index import TantivyIndex
from matching.meilisearch.client import Connection, Patience, Refused
from matching.meilisearch.index import MeilisearchIndex
from matching.spared_index import SparedIndex
from tests.meilisearch_server import MeilisearchServer


@functools.lru_cache(1)
def address() -> tuple[str, str | None]:
    """Address and key; the server in this process lives as long as the process."""
    url = os.environ.get("MARKET_TEST_MEILISEARCH_URL")
    if url:
        return url, os.environ.get("MARKET_TEST_MEILISEARCH_KEY")
    return MeilisearchServer().start().url, None


class ThrowawayIndex(MeilisearchIndex):
    """An index under a name of its own, which goes with it."""

    def close(self) -> None:
        """Delete what the server keeps of it."""
        super().close()
        for index in (self._live, self._aside, self._records):
            with contextlib.suppress(Refused):
                self.connection.ask(lambda client, uid=index: client.get_raw_index(uid))  # type: ignore[misc]
                self.connection.change(lambda client, uid=index: client.delete_index(uid))  # type: ignore[misc]


def throwaway(folder: Path) -> ThrowawayIndex:
    """A fresh index on the server."""
    url, key = address()
    return ThrowawayIndex(
        Connection(url, key, Patience(connect=5, question=30, task=60)), f"test-{secrets.token_hex(4)}"
    )


def throwaway_with_spare(folder: Path) -> SparedIndex:
    """The same with an embedded spare."""
    return SparedIndex(throwaway(folder), TantivyIndex(folder / "spare"))
