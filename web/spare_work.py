"""Keeping the spare of a search server on machines whose index is kept by another one."""

from __future__ import annotations

from matching.indexer import reindex
from matching.spared_index import SparedIndex
from web.wiring import Parts

INTERVAL = 600.0
"""Seconds between two rebuilds: so far behind may answers be on such a machine while the server is away."""


class Keeper:
    """Builds this machine's spare anew from the database. Does nothing where the indexer keeps it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __call__(self) -> None:
        """One look: the spare's folder is ours, and the index on the server somebody else's."""
        index = self._parts.index
        if isinstance(index, SparedIndex) and index.spare.acquire() and not index.acquire():
            reindex(self._parts.db, index.spare, draining=False)
