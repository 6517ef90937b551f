"""What makes a contract conspicuous: pure rules, each with its parameters. A flag never refuses anything.

A finding says what it rests on in `detail`, and the page makes a sentence of it. Nothing in it depends on
the day of the look, so that a finding that a reviewer has closed comes back only when its facts change.
A pair of contracts is one finding, kept with the contract entered later (the higher id). Which practices
deserve a second look is recalled; every threshold is a policy row (`flag.…`), and a rule whose row
is missing finds nothing.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Indel

from market.deals.models import ContractSource, ContractState
from market.scrutiny.models import FlagKind

LOOKED_AT = frozenset(
    {
        ContractState.SUBMITTED,
        ContractState.ACCEPTED,
        ContractState.SUPPLEMENT,
        ContractState.EXPERT_REVIEW,
        ContractState.REGISTERED,
    }
)
"""States in which a contract is looked at and compared: drafts are unsaid, and what ended is no duplicate."""

PAIRS = frozenset(
    {FlagKind.DUPLICATE_TERMS, FlagKind.DUPLICATE_FILE, FlagKind.DUPLICATE_NUMBER, FlagKind.CYCLE}
)
"""Kinds that are about two contracts."""

PREFIX = "flag."
DUPLICATE_TITLE = "flag.duplicate_title"
DUPLICATE_AMOUNT = "flag.duplicate_amount"
DUPLICATE_DAYS = "flag.duplicate_days"
CYCLE_DAYS = "flag.cycle_days"
YEAR_END_DAYS = "flag.year_end_days"
ROUND_UNIT = "flag.round_unit"
ROUND_FROM = "flag.round_from"
YOUNG_DAYS = "flag.young_days"
YOUNG_FROM = "flag.young_from"
NO_RECEIPT_DAYS = "flag.no_receipt_days"

POLICIES: dict[FlagKind, tuple[str, ...]] = {
    FlagKind.DUPLICATE_TERMS: (DUPLICATE_TITLE, DUPLICATE_AMOUNT, DUPLICATE_DAYS),
    FlagKind.DUPLICATE_FILE: (),
    FlagKind.DUPLICATE_NUMBER: (),
    FlagKind.CYCLE: (CYCLE_DAYS,),
    FlagKind.ROUND_YEAR_END: (YEAR_END_DAYS, ROUND_UNIT, ROUND_FROM),
    FlagKind.YOUNG_FIRM: (YOUNG_DAYS, YOUNG_FROM),
    FlagKind.NO_RECEIPT: (NO_RECEIPT_DAYS,),
    FlagKind.RELATED_PARTY: (),
}
"""The policy rows that each rule reads."""

Values = Mapping[str, int]
"""The policy rows in force, by name."""

_ELSEWHERE = frozenset({ContractSource.IMPORTED, ContractSource.DECLARED})


@dataclass(frozen=True)
class Party:
    """A side of a contract. `founded_on` is known for members that are firms and have said so."""

    organisation_id: int | None
    name: str
    founded_on: dt.date | None = None


@dataclass(frozen=True)
class Seen:
    """A contract as the rules see it; amounts in fen."""

    id: int
    title: str
    seller: Party
    buyer: Party
    deal_fen: int
    signed_on: dt.date | None
    registration_number: str | None
    state: ContractState
    source: ContractSource
    related_party: bool = False
    ends_on: dt.date | None = None
    instalments: tuple[tuple[dt.date, int], ...] = ()
    """Days on which a part of the price falls due, with the amounts."""
    received_fen: int = 0
    """What was received, reversals taken off."""


@dataclass(frozen=True)
class Finding:
    """What a rule found about a contract; `about` tells two findings of one kind apart."""

    contract_id: int
    kind: FlagKind
    about: str
    detail: Mapping[str, Any]
    other_id: int | None = None


def same_party(one: Party, other: Party) -> bool:
    """The same member, or, where one is no member, the same name."""
    if one.organisation_id is not None and other.organisation_id is not None:
        return one.organisation_id == other.organisation_id
    return one.name == other.name


def folded(title: str) -> str:
    """A title without width, case, spaces and punctuation."""
    wide = unicodedata.normalize("NFKC", title).casefold()
    return "".join(letter for letter in wide if letter.isalnum())


def likeness(one: str, other: str) -> int:
    """How alike two titles are in whole percent, rounded down: the share of their characters that stand in
    both in the same order."""
    a, b = folded(one), folded(other)
    size = len(a) + len(b)
    return 100 if size == 0 else 100 * (size - Indel.distance(a, b)) // size


def one_digit_off(one: str, other: str) -> bool:
    """Whether two numbers of the same length differ in exactly one place."""
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def neighbours(number: str) -> Iterator[str]:
    """Every number that differs in exactly one digit."""
    for place, digit in enumerate(number):
        for other in "0123456789":
            if other != digit:
                yield number[:place] + other + number[place + 1 :]


def alone(one: Seen, values: Values, today: dt.date, asked_since: dt.date = dt.date.min) -> list[Finding]:
    """What one contract shows by itself. Receipts of prices that fell due before `asked_since` are not asked
    for: that early nobody may have entered any."""
    unpaid = _unpaid(one, values, today, asked_since)
    found = [_round_year_end(one, values), *_young(one, values), unpaid, _declared(one)]
    return [finding for finding in found if finding is not None]


def between(one: Seen, other: Seen, values: Values) -> list[Finding]:
    """What two contracts show together, files apart; in either order the same."""
    earlier, later = sorted((one, other), key=lambda seen: seen.id)
    found = [
        _same_terms(earlier, later, values),
        _like_number(earlier, later),
        _cycle(earlier, later, values),
    ]
    return [finding for finding in found if finding is not None]


def same_file(contract_id: int, other_id: int, names: Collection[str]) -> Finding:
    """The same files lie with two contracts; `names` as they are called with the later one."""
    earlier, later = sorted((contract_id, other_id))
    return Finding(later, FlagKind.DUPLICATE_FILE, str(earlier), {"names": sorted(names)}, earlier)


def same_people(contract_id: int, people: int) -> Finding:
    """People who act for both sides."""
    return Finding(contract_id, FlagKind.RELATED_PARTY, "people", {"people": people})


def _pair(kind: FlagKind, earlier: Seen, later: Seen, detail: Mapping[str, Any]) -> Finding:
    return Finding(later.id, kind, str(earlier.id), detail, earlier.id)


def _days_apart(one: Seen, other: Seen) -> int | None:
    if one.signed_on is None or other.signed_on is None:
        return None
    return abs((one.signed_on - other.signed_on).days)


def _same_terms(earlier: Seen, later: Seen, values: Values) -> Finding | None:
    """Same parties, like title, near amount and day."""
    wanted, tolerance, most = (values.get(name) for name in POLICIES[FlagKind.DUPLICATE_TERMS])
    days = _days_apart(earlier, later)
    if wanted is None or tolerance is None or most is None or days is None or days > most:
        return None
    if not (same_party(earlier.seller, later.seller) and same_party(earlier.buyer, later.buyer)):
        return None
    difference = abs(earlier.deal_fen - later.deal_fen)
    if difference * 10_000 > tolerance * max(earlier.deal_fen, later.deal_fen):
        return None
    percent = likeness(earlier.title, later.title)
    if percent < wanted:
        return None
    return _pair(
        FlagKind.DUPLICATE_TERMS, earlier, later,
        {"percent": percent, "difference_fen": difference, "days": days, "deal_fen": later.deal_fen},
    )  # fmt: skip


def _like_number(earlier: Seen, later: Seen) -> Finding | None:
    """Numbers one digit apart are issued one after another every day: only with a party in common and the
    same amount does it look like one contract entered twice."""
    one, other = earlier.registration_number, later.registration_number
    if not one or not other or not one_digit_off(one, other) or earlier.deal_fen != later.deal_fen:
        return None
    if not (same_party(earlier.seller, later.seller) or same_party(earlier.buyer, later.buyer)):
        return None
    return _pair(FlagKind.DUPLICATE_NUMBER, earlier, later, {"number": other, "other_number": one})


def _cycle(earlier: Seen, later: Seen, values: Values) -> Finding | None:
    """A sells to B and B sells to A within the window."""
    window, days = values.get(CYCLE_DAYS), _days_apart(earlier, later)
    if window is None or days is None or days > window:
        return None
    if not (same_party(earlier.seller, later.buyer) and same_party(earlier.buyer, later.seller)):
        return None
    detail = {"days": days, "deal_fen": later.deal_fen, "other_fen": earlier.deal_fen}
    return _pair(FlagKind.CYCLE, earlier, later, detail)


def _round_year_end(one: Seen, values: Values) -> Finding | None:
    """A large round sum signed in the last days of a year."""
    last, unit, least = (values.get(name) for name in POLICIES[FlagKind.ROUND_YEAR_END])
    if not last or not unit or least is None or one.signed_on is None:
        return None
    left = (dt.date(one.signed_on.year, 12, 31) - one.signed_on).days
    if left >= last or one.deal_fen < least or one.deal_fen % unit:
        return None
    return Finding(
        one.id, FlagKind.ROUND_YEAR_END, "",
        {"deal_fen": one.deal_fen, "signed_on": one.signed_on.isoformat()},
    )  # fmt: skip


def _young(one: Seen, values: Values) -> Iterator[Finding]:
    """A firm founded shortly before (or after) it signed a large deal."""
    most, least = (values.get(name) for name in POLICIES[FlagKind.YOUNG_FIRM])
    if most is None or least is None or one.signed_on is None or one.deal_fen < least:
        return
    for side, party in (("seller", one.seller), ("buyer", one.buyer)):
        if party.founded_on is None or (one.signed_on - party.founded_on).days > most:
            continue
        yield Finding(
            one.id, FlagKind.YOUNG_FIRM, side,
            {
                "name": party.name, "founded_on": party.founded_on.isoformat(), "deal_fen": one.deal_fen,
                "signed_on": one.signed_on.isoformat(),
            },
        )  # fmt: skip


def falls_due(one: Seen) -> dt.date | None:
    """The day from which nothing received is late: the first instalment's, else the contract's end, by which
    a price without days is due at the latest; None where neither is known."""
    return min(day for day, _ in one.instalments) if one.instalments else one.ends_on


def _unpaid(one: Seen, values: Values, today: dt.date, asked_since: dt.date) -> Finding | None:
    """Nothing received long after the price fell due. Receipts of what was registered elsewhere are not
    kept here."""
    limit, due = values.get(NO_RECEIPT_DAYS), falls_due(one)
    if limit is None or due is None or one.state is not ContractState.REGISTERED:
        return None
    if one.source in _ELSEWHERE or one.deal_fen <= 0 or one.received_fen > 0:
        return None
    if due < asked_since or (today - due).days <= limit:
        return None
    by = "instalment" if one.instalments else "end"
    detail = {"due_on": due.isoformat(), "by": by, "deal_fen": one.deal_fen}
    return Finding(one.id, FlagKind.NO_RECEIPT, "", detail)


def _declared(one: Seen) -> Finding | None:
    """The parties say that they are related."""
    return Finding(one.id, FlagKind.RELATED_PARTY, "declared", {}) if one.related_party else None
