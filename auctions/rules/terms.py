"""The terms of a lot: what is promised before anyone bids, frozen and hashed at publication.

The hash of the *public* terms is the genesis of the lot's journal, so no term can be changed
afterwards without breaking every hash. A reserve (保留价) is secret until the close: the public
terms carry only a commitment to it, and the closing entry opens the commitment.

Amounts are fen. Durations are whole seconds, the ingress margin milliseconds, shares basis points.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auctions.rules.canonical import canonical, commitment, digest, instant, iso, maybe_instant, maybe_iso
from auctions.rules.settlement import SettlementTerms, has_next_bidder
from market.money import MAX_FEN

Problem = tuple[str, str, dict[str, Any]]
"""(field, code, params): what `market.errors.InvalidInput` carries."""


VERSION = 3
"""Of the document that `Terms.public` writes; earlier terms keep their own text, and so their hash."""


class OrganiserType(enum.StrEnum):
    """Who holds the lot. Only a licensed auction house may call it 拍卖 (拍卖法 articles 10–14, 60)."""

    MARKET = "market"
    """The technology market itself: 网络竞价."""
    AUCTION_HOUSE = "auction_house"
    """A licensed auction house with an auctioneer: 拍卖."""


class SoleBidderRule(enum.StrEnum):
    """What happens when only one bidder has bid."""

    SELL = "sell"
    PASS_IN = "pass_in"  # noqa: S105


class CapRule(enum.StrEnum):
    """What follows when a bid reaches the cap (封顶价)."""

    LEAD = "lead"
    """The first to reach it leads until the end; only a holder of priority may still match."""
    CLOSE = "close"
    """The first to reach it has the lot, at once."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that decides a lot, besides the bids.

    `format` names a module of `auctions.rules.formats`; `params` are that format's own, checked by it.
    `steps` is a table of (from price, step), ascending, starting at 0; one row is a fixed step.
    `max_steps` bounds how many steps one bid may jump (a guard against a slipped zero).
    A valid bid with `window_s` or less to go moves the end to its receipt + `extension_s`, never past
    `hard_end`. The close is decided no earlier than `ingress_margin_ms` after the end. A lot that could
    not be closed within `outage_grace_s` of its end was out of reach for its bidders too: it is
    extended by `outage_extension_s` instead of closed. The organiser may extend by hand too, with a
    reason, `hand_extensions` times by `hand_extension_s`.

    `cover_bp` is the share of an amount, or of a maximum (委托最高价), that the bidder's deposit must
    cover when it is accepted; None asks for no more than the deposit itself. With `ends_together` an
    extended lot takes the other open lots of its sale (专场) along.
    """

    start_fen: int
    steps: tuple[tuple[int, int], ...]
    opens_at: dt.datetime
    ends_at: dt.datetime
    seller_organisation_id: int
    format: str = "english"
    params: Mapping[str, Any] = field(default_factory=dict)
    currency: str = "CNY"
    reserve_fen: int | None = None
    reserve_nonce: str = ""
    max_steps: int | None = None
    cap_fen: int | None = None
    deposit_fen: int = 0
    registration_opens_at: dt.datetime | None = None
    window_s: int = 300
    extension_s: int = 300
    hard_end: dt.datetime | None = None
    sole_bidder: SoleBidderRule = SoleBidderRule.SELL
    organiser_type: OrganiserType = OrganiserType.MARKET
    organiser_organisation_id: int | None = None
    barred_organisation_ids: tuple[int, ...] = ()
    ingress_margin_ms: int = 500
    outage_grace_s: int = 15
    outage_extension_s: int = 300
    cap_rule: CapRule = CapRule.LEAD
    maxima: bool = True
    """Whether a bidder may leave a maximum, from which the market bids (委托出价)."""
    cover_bp: int | None = None
    hand_extension_s: int = 0
    hand_extensions: int = 0
    sale_id: int | None = None
    ends_together: bool = False
    previous_lot_id: int | None = None
    """The lot that this one offers again."""
    settlement: SettlementTerms = field(default_factory=SettlementTerms)
    version: int = VERSION

    @property
    def ingress_margin(self) -> dt.timedelta:
        """How long after the end the close may be decided."""
        return dt.timedelta(milliseconds=self.ingress_margin_ms)

    @property
    def has_reserve(self) -> bool:
        """Whether there is a (secret) reserve; that much is always public (拍卖法 article 50)."""
        return self.reserve_fen is not None

    def step(self, price_fen: int) -> int:
        """The step in force at a standing price, in fen."""
        step = self.steps[0][1]
        for floor, value in self.steps:
            if price_fen < floor:
                break
            step = value
        return step

    def is_barred(self, organisation_id: int) -> bool:
        """Whether an organisation may not bid: seller, organiser, or named in the terms."""
        return (
            organisation_id in (self.seller_organisation_id, self.organiser_organisation_id)
            or organisation_id in self.barred_organisation_ids
        )

    def public(self) -> dict[str, Any]:
        """The terms as published: everything but the reserve, of which a commitment."""
        value = self.private()
        del value["reserve_fen"], value["reserve_nonce"]
        value["has_reserve"] = self.has_reserve
        value["reserve_commitment"] = (
            None if self.reserve_fen is None else commitment(self.reserve_nonce, str(self.reserve_fen))
        )
        return value

    def canonical(self) -> str:
        """The public terms as canonical JSON: what is hashed."""
        return canonical(self.public())

    def hash(self) -> str:
        """The genesis of the journal: SHA-256 of the canonical public terms."""
        return digest(self.canonical())

    def private(self) -> dict[str, Any]:
        """The terms as stored, reserve and all. Never leaves the server before the close."""
        value: dict[str, Any] = {
            "v": self.version,
            "format": self.format,
            "currency": self.currency,
            "start_fen": self.start_fen,
            "steps": [list(row) for row in self.steps],
            "max_steps": self.max_steps,
            "cap_fen": self.cap_fen,
            "reserve_fen": self.reserve_fen,
            "reserve_nonce": self.reserve_nonce,
            "deposit_fen": self.deposit_fen,
            "registration_opens_at": maybe_iso(self.registration_opens_at),
            "opens_at": iso(self.opens_at),
            "ends_at": iso(self.ends_at),
            "hard_end": maybe_iso(self.hard_end),
            "window_s": self.window_s,
            "extension_s": self.extension_s,
            "sole_bidder": self.sole_bidder.value,
            "organiser_type": self.organiser_type.value,
            "organiser_organisation_id": self.organiser_organisation_id,
            "seller_organisation_id": self.seller_organisation_id,
            "barred_organisation_ids": sorted(self.barred_organisation_ids),
            "ingress_margin_ms": self.ingress_margin_ms,
            "outage_grace_s": self.outage_grace_s,
            "outage_extension_s": self.outage_extension_s,
        }
        if self.version > 1:
            value["params"] = dict(self.params)
            value["cap_rule"] = self.cap_rule.value
            value["maxima"] = self.maxima
            value["cover_bp"] = self.cover_bp
            value["hand_extension_s"] = self.hand_extension_s
            value["hand_extensions"] = self.hand_extensions
            value["sale_id"] = self.sale_id
            value["ends_together"] = self.ends_together
            value["previous_lot_id"] = self.previous_lot_id
        if self.version > 2:
            value["settlement"] = self.settlement.public()
        return value

    @staticmethod
    def from_private(value: Mapping[str, Any]) -> Terms:
        """The terms that `private` wrote."""
        return Terms(
            format=value["format"],
            params=value.get("params", {}),
            currency=value["currency"],
            start_fen=value["start_fen"],
            steps=tuple((row[0], row[1]) for row in value["steps"]),
            max_steps=value["max_steps"],
            cap_fen=value["cap_fen"],
            reserve_fen=value["reserve_fen"],
            reserve_nonce=value["reserve_nonce"],
            deposit_fen=value["deposit_fen"],
            registration_opens_at=maybe_instant(value["registration_opens_at"]),
            opens_at=instant(value["opens_at"]),
            ends_at=instant(value["ends_at"]),
            hard_end=maybe_instant(value["hard_end"]),
            window_s=value["window_s"],
            extension_s=value["extension_s"],
            sole_bidder=SoleBidderRule(value["sole_bidder"]),
            organiser_type=OrganiserType(value["organiser_type"]),
            organiser_organisation_id=value["organiser_organisation_id"],
            seller_organisation_id=value["seller_organisation_id"],
            barred_organisation_ids=tuple(value["barred_organisation_ids"]),
            ingress_margin_ms=value["ingress_margin_ms"],
            outage_grace_s=value["outage_grace_s"],
            outage_extension_s=value["outage_extension_s"],
            cap_rule=CapRule(value.get("cap_rule", CapRule.LEAD.value)),
            maxima=value.get("maxima", False),
            cover_bp=value.get("cover_bp"),
            hand_extension_s=value.get("hand_extension_s", 0),
            hand_extensions=value.get("hand_extensions", 0),
            sale_id=value.get("sale_id"),
            ends_together=value.get("ends_together", False),
            previous_lot_id=value.get("previous_lot_id"),
            settlement=SettlementTerms.read(value.get("settlement")),
            version=value["v"],
        )

    def problems(self, now: dt.datetime | None = None) -> list[Problem]:
        """What is wrong with what all formats share; with `now`, also that it is too late to publish.

        `auctions.rules.formats.problems` adds the format's own."""
        found: list[Problem] = []

        def wrong(field: str, code: str, **params: Any) -> None:
            found.append((field, code, params))

        if not 0 < self.start_fen <= MAX_FEN:
            wrong("start_fen", "amount_out_of_range")
        floors = [row[0] for row in self.steps]
        if not self.steps or floors[0] != 0 or floors != sorted(set(floors)):
            wrong("steps", "bad_step_table")
        elif any(not 0 < row[1] <= MAX_FEN for row in self.steps):
            wrong("steps", "step_not_positive")
        if self.max_steps is not None and self.max_steps < 1:
            wrong("max_steps", "not_positive")
        if self.cap_fen is not None and not self.start_fen < self.cap_fen <= MAX_FEN:
            wrong("cap_fen", "cap_not_above_start")
        if self.reserve_fen is not None:
            if not self.start_fen <= self.reserve_fen <= MAX_FEN:
                wrong("reserve_fen", "reserve_below_start")
            elif self.cap_fen is not None and self.reserve_fen > self.cap_fen:
                wrong("reserve_fen", "reserve_above_cap")
            if len(self.reserve_nonce) < 32:
                wrong("reserve_fen", "reserve_nonce_missing")
        if not 0 <= self.deposit_fen <= MAX_FEN:
            wrong("deposit_fen", "amount_out_of_range")
        if self.ends_at <= self.opens_at:
            wrong("ends_at", "ends_before_it_opens")
        if self.registration_opens_at is not None and self.registration_opens_at > self.opens_at:
            wrong("registration_opens_at", "registration_after_opening")
        if self.hard_end is not None and self.hard_end < self.ends_at:
            wrong("hard_end", "hard_end_before_end")
        if not 0 <= self.window_s <= 3600:
            wrong("window_s", "out_of_range", low=0, high=3600)
        if not 0 <= self.extension_s <= 3600 or (self.window_s and not self.extension_s):
            wrong("extension_s", "out_of_range", low=1, high=3600)
        if not 0 <= self.ingress_margin_ms <= 10_000:
            wrong("ingress_margin_ms", "out_of_range", low=0, high=10_000)
        if self.outage_grace_s < 10:
            wrong("outage_grace_s", "out_of_range", low=10, high=86_400)
        if self.outage_extension_s < 60:
            wrong("outage_extension_s", "out_of_range", low=60, high=86_400)
        if self.cover_bp is not None and not 0 < self.cover_bp <= 10_000:
            wrong("cover_bp", "out_of_range", low=1, high=10_000)
        if self.cover_bp is not None and self.deposit_fen * 10_000 < self.start_fen * self.cover_bp:
            wrong(
                "deposit_fen",
                "deposit_does_not_cover_start",
                least_fen=-(-self.start_fen * self.cover_bp // 10_000),
            )
        if not 0 <= self.hand_extensions <= 20:
            wrong("hand_extensions", "out_of_range", low=0, high=20)
        if self.hand_extensions and not 60 <= self.hand_extension_s <= 86_400:
            wrong("hand_extension_s", "out_of_range", low=60, high=86_400)
        if self.currency != "CNY":
            wrong("currency", "unknown_currency")
        if now is not None and self.opens_at <= now:
            wrong("opens_at", "opens_in_the_past")
        found += self.settlement.problems(
            start_fen=self.start_fen,
            deposit_fen=self.deposit_fen,
            opens_at=self.opens_at,
            ranked=has_next_bidder(self.format, self.params),
        )
        return found
