"""What the pages of a lot's room show: entries in words, the sentences of its script, prices to come, papers."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auctions.queries import JournalLine
from auctions.rules.events import CloseReason, Kind
from auctions.rules.formats import RULES, dutch
from auctions.rules.formats.english import AUTO
from auctions.rules.state import UPCOMING, LotState
from auctions.rules.terms import Terms
from market.files.queries import FileView
from web import i18n, refusals
from web.bid_forms import percent

_TEXTS = (
    "accepted", "bidder", "best_score", "closing", "day", "device_ahead", "device_behind", "draining",
    "dutch_first", "dutch_floor", "dutch_next", "dutch_step", "dutch_still", "dutch_take", "envelope_best",
    "envelope_elsewhere", "envelope_here", "envelope_not_best", "envelope_opened", "envelope_sealed", "hammer",
    "http", "large_jump", "leads", "matched", "minutes_left", "no_envelope", "nobody", "not_a_royalty",
    "not_an_amount", "now", "opens_in", "outbid", "own_accepted", "own_maximum", "own_maximum_passed", "own_refused", "points", "price_fell",
    "receipt", "refused_by", "round_trip", "safe_until", "score", "score_enough", "score_first",
    "score_preview", "score_short", "sealed_count", "sealed_from", "seconds_left", "sending", "session_ended",
    "slip_differs", "slip_other_lot", "slip_unreadable", "spoken_act", "spoken_bid", "spoken_extended",
    "spoken_price", "spoken_revealing", "start", "storage_off", "time_left", "uncertain", "unsure", "won",
    "you", "you_lead",
)  # fmt: skip
ACTS = tuple(dict.fromkeys((*(act for rules in RULES.values() for act in rules.ACTS), AUTO)))


@functools.cache
def texts(language: str) -> dict[str, Any]:
    """The sentences that a room's script fills in, by name."""
    found: dict[str, Any] = {name: i18n.term(f"lots.{name}", language) for name in _TEXTS}
    found["kinds"] = {kind.value: i18n.label(kind, language) for kind in Kind}
    found["states"] = {state.value: i18n.label(state, language) for state in LotState}
    found["reasons"] = {reason.value: i18n.label(reason, language) for reason in CloseReason}
    found["acts"] = {act: i18n.term(f"Act.{act}", language) for act in ACTS}
    found["confirm"] = {act: i18n.term(f"lots.confirm.{act}", language) for act in ACTS if act != AUTO}
    found["done"] = {act: i18n.term(f"lots.accepted.{act}", language) for act in ACTS if act != AUTO}
    found["refusals"] = refusals.patterns(language)
    return found


@dataclass(frozen=True)
class Entry:
    """A journal entry as the list shows it."""

    seq: int
    kind: Kind
    at: dt.datetime
    text: str
    amount_fen: int | None
    bidder: str | None
    hash: str
    mine: bool


def entry(line: JournalLine, language: str, alias: int | None = None) -> Entry:
    """A journal line in words."""
    data = line.data
    bid = line.kind is Kind.BID_ACCEPTED
    amount = data.get("amount_fen") if bid else data.get("hammer_fen")
    who = data.get("alias", data.get("winner"))
    words = [_what(line, language), str(data.get("text") or "")]
    detail = data.get("detail") or {}
    if "points" in detail:
        shown = {"points": detail["points"], "royalty": percent(detail["royalty_bp"])}
        words.append(i18n.term("lots.points", language, shown))
    if bid and data.get("matched"):
        words.append(i18n.term("lots.matched", language))
    if line.kind is Kind.CLOSED:
        words.append(i18n.term(f"CloseReason.{data['reason']}", language))
    else:
        words.append(str(data.get("reason") or ""))
    return Entry(
        line.seq,
        line.kind,
        line.at,
        " ".join(word for word in words if word),
        amount,
        i18n.term("lots.bidder", language, {"n": who}) if who is not None else None,
        line.hash,
        who is not None and who == alias,
    )


def _what(line: JournalLine, language: str) -> str:
    key = f"Act.{line.data.get('act', 'bid')}"
    if line.kind is Kind.BID_ACCEPTED and i18n.has_term(key, language):
        return i18n.term(key, language)
    return i18n.label(line.kind, language)


@dataclass(frozen=True)
class PriceStep:
    """A price of a descending lot, when it begins, and whether it is `past`, `now` or `to_come`."""

    step: int
    price_fen: int
    begins_at: dt.datetime
    when: str


def price_steps(terms: Terms, view: Mapping[str, Any], now: dt.datetime) -> list[PriceStep]:
    """The schedule of a descending price, counted from the end in force."""
    count, ends_at = dutch.steps(terms), dt.datetime.fromisoformat(view["ends_at"])
    interval = dt.timedelta(seconds=terms.params["interval_s"])
    state, still = LotState(view["state"]), view["stopped_at"]
    at = dt.datetime.fromisoformat(still) if still else now
    current = min(max((count * interval - (ends_at - at)) // interval, 0), count - 1)
    if view["outages"]:
        current = count - 1
    if state in UPCOMING:
        current = -1
    return [
        PriceStep(
            step,
            dutch.price_at(terms, step),
            ends_at - (count - step) * interval,
            "now" if step == current else "past" if step < current else "to_come",
        )
        for step in range(count)
    ]


def choices(view: Mapping[str, Any]) -> list[int]:
    """The amounts that the buttons offer, fen."""
    least, step, cap = view["next_fen"], view["step_fen"], view["cap_fen"]
    if least is None:
        return []
    amounts = [least + step * n for n in (0, 1, 2, 5, 10, 20)]
    return [fen for fen in amounts if cap is None or fen <= cap]


@dataclass(frozen=True)
class Paper:
    """A document of a lot; `fresh` came after the reader's last look."""

    file: FileView
    fresh: bool


@dataclass(frozen=True)
class Notice:
    """An announcement to everybody in the room."""

    seq: int
    at: dt.datetime
    text: str
    fresh: bool


NOTICES = frozenset({Kind.ANNOUNCEMENT, Kind.EXTENDED_BY_HAND, Kind.PAUSED, Kind.SUSPENDED, Kind.WITHDRAWN,
                     Kind.CANCELLED, Kind.DEFAULTED, Kind.OUTAGE_EXTENDED})  # fmt: skip
"""Kinds of entries that are announcements, whoever made them."""


def marked(files: Sequence[FileView], looked_at: dt.datetime | None, *, reader: bool) -> list[Paper]:
    """Documents, latest first, with marks for a `reader` who is known."""
    return [
        Paper(file, reader and (looked_at is None or file.created_at > looked_at)) for file in reversed(files)
    ]


def notices(
    lines: Sequence[JournalLine], looked_at: dt.datetime | None, language: str, *, reader: bool
) -> list[Notice]:
    """The announcements among journal lines, latest first, with marks for a `reader` who is known."""
    return [
        Notice(
            line.seq,
            line.at,
            str(line.data.get("text") or line.data.get("reason") or i18n.label(line.kind, language)),
            reader and (looked_at is None or line.at > looked_at),
        )
        for line in reversed(lines)
        if line.kind in NOTICES
    ]
