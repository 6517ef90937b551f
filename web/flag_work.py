"""Looks for what is conspicuous about contracts: after each step of one, and once a day at all of them.

A step leaves its work in its own transaction, and so does each part of an import: only what it brought is looked
at, with all that this is compared with. The daily round goes on from piece to piece of work, each well within
its lease; what was entered singly as registered, receipts, files, and what only time brings about are found by it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from market import work
from market.clock import local_date
from market.db import Session
from market.deals.recording import ENTERED
from market.deals.service import STEPPED
from market.scrutiny import flags
from market.work import Claimed, Handler
from web.wiring import Parts

ROUND = "flags.round"
CHUNKS = 10
"""Chunks in one piece of a round."""


def handlers(parts: Parts) -> dict[str, Handler]:
    """What is done after a step, and a piece of a round."""
    return {
        STEPPED: lambda item: _look(parts, [int(item.payload["contract_id"])]),
        ENTERED: lambda item: _look_at_all(parts, item.payload["contract_ids"]),
        ROUND: lambda item: _round(parts, item),
    }


def daily(session: Session, now: dt.datetime) -> None:
    """Leave today's round, once."""
    work.enqueue(session, ROUND, {"after": 0}, key=local_date(now).isoformat(), now=now)


def _look(parts: Parts, contract_ids: list[int]) -> None:
    now = parts.clock.now()
    with parts.db.read() as session:
        found = flags.survey(session, now, contract_ids)
        if not flags.differs(session, found):
            return
    with parts.db.write() as session:
        flags.keep(session, now, found)


def _look_at_all(parts: Parts, contract_ids: Sequence[int]) -> None:
    for start in range(0, len(contract_ids), flags.CHUNK):
        _look(parts, list(contract_ids[start : start + flags.CHUNK]))


def _round(parts: Parts, item: Claimed) -> None:
    after = int(item.payload["after"])
    day = item.payload.get("day") or local_date(parts.clock.now()).isoformat()
    for _ in range(CHUNKS):
        with parts.db.read() as session:
            ids = flags.following(session, after)
        if not ids:
            return
        _look(parts, ids)
        after = ids[-1]
    now = parts.clock.now()
    with parts.db.write() as session:
        work.enqueue(session, ROUND, {"after": after, "day": day}, key=f"{day}:{after}", now=now)
