"""Histories without a database: commands through the journal's pure part, exported as lines."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from auctions.journal import Entry, Head, step
from auctions.rules import commands as c
from auctions.rules.canonical import canonical, commitment, link
from auctions.rules.refusal import Refusal
from auctions.rules.state import ENDED, Lot
from auctions.rules.terms import Terms
from market.clock import UTC

LOT = 7
T0 = dt.datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
OPENS = T0 + dt.timedelta(hours=1)
ENDS = OPENS + dt.timedelta(minutes=10)
TERMS = Terms(
    start_fen=1000,
    steps=((0, 100), (3000, 500)),
    opens_at=OPENS,
    ends_at=ENDS,
    hard_end=ENDS + dt.timedelta(minutes=4),
    seller_organisation_id=1,
    organiser_organisation_id=2,
    reserve_fen=1500,
    reserve_nonce="5" * 32,
    deposit_fen=100,
    window_s=60,
    extension_s=60,
    max_steps=20,
    cap_fen=100_000,
)


class History:
    """A lot driven by commands; keeps its entries and who was admitted."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.head = Head(Lot.draft(LOT, terms), terms.hash(), genesis=terms.hash())
        self.entries: list[Entry] = []
        self.openings: list[dict[str, Any]] = []
        self.clock = T0
        self.nonces = 0

    @property
    def lot(self) -> Lot:
        return self.head.lot

    def do(self, command: c.Command, at: dt.datetime | None = None) -> Refusal | None:
        self.clock = at or self.clock
        result = step(self.head, command, self.clock)
        if isinstance(result, Refusal):
            return result
        self.head = result.head
        self.entries += result.entries
        return None

    def admit(self, organisation_id: int, **values: Any) -> Refusal | None:
        nonce = f"{organisation_id:032d}"
        refusal = self.do(
            c.Admit(
                lot_id=LOT,
                organisation_id=organisation_id,
                bidder_person_id=organisation_id + 1000,
                commitment=commitment(nonce, f"{organisation_id}:{organisation_id + 1000}"),
                **{"is_staff": False, "deposit_fen": 100, **values},
            )
        )
        if refusal is None:
            self.openings.append(
                {
                    "type": "opening",
                    "alias": self.lot.alias_count,
                    "organisation_id": organisation_id,
                    "person_id": organisation_id + 1000,
                    "nonce": nonce,
                }
            )
        return refusal

    def bid(
        self,
        alias: int | None,
        amount: int | None,
        at: dt.datetime | None = None,
        received: dt.datetime | None = None,
        act: str = "bid",
        **extra: int | str,
    ) -> Refusal | None:
        self.clock = at or self.clock
        self.nonces += 1
        return self.do(
            c.PlaceBid(
                lot_id=LOT,
                person_id=alias,
                client_bid_id="bid-00001",
                amount_fen=amount,
                received_at=received or self.clock,
                act=act,
                extra=extra,
                nonce=f"{self.nonces:032x}",
                alias=alias,
            )
        )

    def secrets(self, opened: str = "public") -> list[dict[str, Any]]:
        """The lines that open maxima: `public` as `queries.export_journal` writes them, `all`, or `none`."""
        if opened == "none" or (opened == "public" and self.lot.state not in ENDED):
            return []
        return [
            {"type": "secret", "seq": entry.seq, "text": entry.secret}
            for entry in self.entries
            if entry.secret is not None
            and (
                opened == "all"
                or entry.data["alias"] != self.lot.leader
                or (self.lot.price_fen or 0) >= json.loads(entry.secret)["maximum_fen"]
            )
        ]

    def lines(self, opened: str = "public") -> list[str]:
        return lines(self.lot.terms, self.entries, [*self.secrets(opened), *self.openings])


def lines(terms: Terms, entries: list[Entry], openings: list[dict[str, Any]]) -> list[str]:
    first = {
        "type": "terms",
        "v": 1,
        "lot": LOT,
        "title": "标的",
        "terms": terms.canonical(),
        "terms_hash": terms.hash(),
    }
    rest = [
        {"type": "entry", "seq": e.seq, "prev_hash": e.prev_hash, "hash": e.hash, "body": e.body}
        for e in entries
    ]
    return [canonical(line) for line in [first, *rest, *openings]]


def sample() -> History:
    """A lively lot: priority, a pause, extensions into the hard end, a sale and a default."""
    history = History()
    history.do(c.Publish(lot_id=LOT))
    for organisation_id in (11, 12, 13):
        assert history.admit(organisation_id) is None
    assert history.admit(14, priority=1) is None
    assert history.do(c.Open(lot_id=LOT), OPENS) is None
    second = dt.timedelta(seconds=1)
    assert history.bid(1, 1000, OPENS + 10 * second) is None
    assert history.bid(2, 1300, OPENS + 20 * second) is None
    assert history.bid(4, 1300, OPENS + 30 * second) is None
    assert history.do(c.Pause(lot_id=LOT, reason="网络故障")) is None
    assert history.do(c.Resume(lot_id=LOT), OPENS + 90 * second) is None
    end = history.lot.ends_at
    assert end is not None
    assert history.bid(3, 1400, end - 30 * second) is None
    assert history.do(c.Announce(lot_id=LOT, text="请注意")) is None
    assert history.bid(1, 3000, end + 10 * second) is None
    assert history.bid(2, 3500, end + 20 * second, received=end + 19 * second) is None
    end = history.lot.ends_at
    assert end is not None
    assert history.do(c.Close(lot_id=LOT), end + second) is None
    assert history.do(c.RecordDefault(lot_id=LOT, reason="逾期未签约"), end + 60 * second) is None
    return history


Body = dict[str, Any]


def forged(
    history: History,
    change: Callable[[list[Body]], None],
    terms: dict[str, Any] | None = None,
    opened: str = "public",
) -> list[str]:
    """The export after `change` rewrote its bodies, with every hash made right again: only a checker of
    the rules, not of the chain, can see it. `terms` are changed too, and the announcement with them."""
    bodies = [json.loads(entry.body) for entry in history.entries]
    public = {**history.lot.terms.public(), **(terms or {})}
    text = canonical(public)
    from auctions.rules.canonical import digest

    genesis = digest(text)
    bodies[0]["terms_hash"] = genesis
    change(bodies)
    out: list[dict[str, Any]] = [
        {"type": "terms", "v": 1, "lot": LOT, "title": "标的", "terms": text, "terms_hash": genesis}
    ]
    prev = genesis
    secrets = {line["seq"]: line for line in history.secrets(opened)}
    texts = []
    for seq, body in enumerate(bodies, 1):
        if body.get("seq") in secrets:
            texts.append({**secrets[body["seq"]], "seq": seq})
        body["seq"] = seq
        stored = canonical(body)
        out.append(
            {"type": "entry", "seq": seq, "prev_hash": prev, "hash": link(prev, stored), "body": stored}
        )
        prev = link(prev, stored)
    return [canonical(line) for line in [*out, *texts, *history.openings]]


def with_terms(**changes: Any) -> Terms:
    return replace(TERMS, **changes)
