"""Answers to bids: what is signed, how it is stored, and how it is found again.

The same id from the same person for the same lot gets the same answer, whichever way it comes and after
any restart: the signed receipt is what is stored, word for word, and everything said is read from it.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from auctions.models import BidAnswer
from auctions.rules.canonical import canonical, digest, iso
from auctions.rules.commands import PlaceBid
from market.db import Inserter, json_rows, t

ANSWER = t(BidAnswer)

Key = tuple[int, int, str]
"""(lot, person, client bid id)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to. `seq` and `hash` are its last entry's, or for a refusal the head's seq
    that made the rule apply and the head's hash. `receipt` is signed; only bids get one.
    """

    lot_id: int
    accepted: bool
    seq: int
    hash: str
    code: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    receipt: dict[str, Any] | None = None
    repeated: bool = False


class Verdict(NamedTuple):
    """What a bid came to, before it is signed. `record` where the answer is to be kept under its id."""

    place: int
    bid: PlaceBid
    accepted: bool
    seq: int
    hash: str
    code: str | None
    params: Mapping[str, Any]
    record: Key | None

    def content(self, clock: dt.datetime) -> dict[str, Any]:
        """What is signed."""
        bid = self.bid
        return {
            "v": 1,
            "lot_id": bid.lot_id,
            "client_bid_id": bid.client_bid_id,
            "alias": bid.alias,
            "act": bid.act,
            "amount_fen": bid.amount_fen,
            "extra": dict(bid.extra),
            "received_at": iso(bid.received_at),
            "accepted": self.accepted,
            "code": self.code,
            "params": dict(self.params),
            "seq": self.seq,
            "hash": self.hash,
            "at": iso(clock),
        }

    def answer(self, receipt: dict[str, Any]) -> Answer:
        """The answer, once signed."""
        return Answer(
            self.bid.lot_id, self.accepted, self.seq, self.hash, self.code, dict(self.params), receipt
        )


def body_hash(bid: PlaceBid) -> str:
    """What makes two bids under one id the same bid."""
    if bid.act == "bid" and not bid.extra:
        return digest(f"{bid.amount_fen}")
    return digest(canonical([bid.act, bid.amount_fen, dict(bid.extra)]))


@functools.cache
def _statement(dialect: str) -> sa.Select[Any]:
    c = ANSWER.c
    asked = json_rows(dialect, {"lot": sa.BigInteger, "person": sa.BigInteger, "id": sa.Text}, "asked")
    return sa.select(c.lot_id, c.person_id, c.client_bid_id, c.body_hash, c.answer).join(
        asked,
        sa.and_(c.lot_id == asked.c.lot, c.person_id == asked.c.person, c.client_bid_id == asked.c.id),
    )


def known(connection: Connection, keys: Iterable[Key]) -> dict[Key, tuple[str, Answer]]:
    """The answers already given: body hash and answer. One statement for any number of keys."""
    asked = [{"lot": lot, "person": person, "id": id_} for lot, person, id_ in set(keys)]
    if not asked:
        return {}
    rows = connection.execute(_statement(connection.dialect.name), {"asked": canonical(asked)})
    return {
        (row.lot_id, row.person_id, row.client_bid_id): (row.body_hash, _from_receipt(row.answer))
        for row in rows
    }


def _from_receipt(receipt: dict[str, Any]) -> Answer:
    said = json.loads(receipt["content"])
    return Answer(
        said["lot_id"],
        said["accepted"],
        said["seq"],
        said["hash"],
        said["code"],
        said["params"],
        receipt,
        repeated=True,
    )


_INSERTER = Inserter(
    ANSWER, ["lot_id", "person_id", "client_bid_id", "body_hash", "accepted", "seq", "answer", "at"]
)


def store(
    connection: Connection,
    verdicts: Sequence[Verdict],
    receipts: Sequence[dict[str, Any]],
    clock: dt.datetime,
) -> None:
    """Keep the receipts of those that are to be kept."""
    _INSERTER.insert(
        connection,
        [
            (
                *verdict.record,
                body_hash(verdict.bid),
                verdict.accepted,
                verdict.seq,
                canonical(receipt),
                clock,
            )
            for verdict, receipt in zip(verdicts, receipts, strict=True)
            if verdict.record is not None
        ],
    )
