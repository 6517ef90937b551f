"""Makes releases of what happened in the register: each event leaves its work in its own transaction.

What was registered before there was open data left none: a round, once in the life of a market, publishes it.
"""

from __future__ import annotations

import datetime as dt

from market import work
from market.db import Session
from market.deals.recording import NEWS
from market.opendata import service
from market.work import Claimed, Handler
from web.wiring import Parts

ROUND = "open_data.round"
CHUNK = 200
CHUNKS = 10
"""Chunks in one piece of the round."""


def handlers(parts: Parts) -> dict[str, Handler]:
    """Publishes what happened to some contracts, and a piece of the round."""

    def publish(item: Claimed) -> None:
        with parts.db.write() as session:
            service.publish(
                session, parts.clock.now(), item.payload["contract_ids"], parts.settings.ocid_prefix
            )

    return {NEWS: publish, ROUND: lambda item: _round(parts, int(item.payload["after"]))}


def once(session: Session, now: dt.datetime) -> None:
    """Leave the round over all contracts, unless it was left before."""
    work.enqueue(session, ROUND, {"after": 0}, key="0", now=now)


def _round(parts: Parts, after: int) -> None:
    for _ in range(CHUNKS):
        with parts.db.read() as session:
            ids = service.unpublished(session, after, CHUNK)
        if not ids:
            return
        # The register's clock is locked while releases are made: a chunk at a time, so that nobody waits long.
        with parts.db.write() as session:
            service.publish(session, parts.clock.now(), ids, parts.settings.ocid_prefix)
        after = ids[-1]
    with parts.db.write() as session:
        work.enqueue(session, ROUND, {"after": after}, key=str(after), now=parts.clock.now())
