"""A bidder's own bids in a lot, as the page shows them to nobody else: read from the signed answers."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from auctions import proof
from auctions.queries import BidAnswerLine


@dataclass(frozen=True)
class OwnBid:
    """One bid and its answer. The amount is in fen; `extra` as it was sent."""

    client_bid_id: str
    act: str
    amount_fen: int | None
    extra: Mapping[str, Any]
    accepted: bool
    code: str
    params: Mapping[str, Any]
    seq: int
    at: dt.datetime
    receipt: Mapping[str, Any]


@dataclass(frozen=True)
class Envelope:
    """The bidder's sealed bid that counts: its commitment, its entry, and the entry that opened it."""

    commitment: str
    seq: int
    opened_seq: int | None = None
    amount_fen: int | None = None


@dataclass(frozen=True)
class OwnBids:
    """What a bidder has done in a lot, latest first."""

    lines: Sequence[OwnBid] = ()
    maximum_fen: int | None = None
    """The highest maximum left, fen."""
    envelope: Envelope | None = None
    seqs: Sequence[int] = field(default_factory=list)
    """Entries of the bids that were accepted."""


def read(answers: Sequence[BidAnswerLine]) -> OwnBids:
    """What a person's answers, latest first, come to."""
    lines = [_line(answer) for answer in answers]
    counted = [line for line in lines if line.accepted]
    maxima = [line.amount_fen for line in counted if line.act == "maximum" and line.amount_fen is not None]
    sealed = next((line for line in counted if line.act == "seal"), None)
    opened = next((line for line in counted if line.act == "open"), None)
    envelope = None
    if sealed is not None:
        envelope = Envelope(
            str(sealed.extra.get("commitment", "")),
            sealed.seq,
            opened.seq if opened else None,
            opened.amount_fen if opened else None,
        )
    return OwnBids(lines, max(maxima, default=None), envelope, [line.seq for line in counted])


def _line(answer: BidAnswerLine) -> OwnBid:
    receipt = proof.bare(answer.receipt)
    said = json.loads(receipt["content"])
    return OwnBid(
        answer.client_bid_id,
        said.get("act", "bid"),
        said.get("amount_fen"),
        said.get("extra") or {},
        answer.accepted,
        said.get("code") or "",
        said.get("params") or {},
        answer.seq,
        answer.at,
        receipt,
    )
