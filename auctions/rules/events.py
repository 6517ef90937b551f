"""What can have happened to a lot. Each event is one entry of its journal.

Bidders appear by their alias, a number in the order of admission; who is behind it is not in the
journal, only a commitment to it. `ends_at` in an event is the end in force *after* it.
"""

from __future__ import annotations

import datetime as dt
import enum
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from auctions.rules.canonical import instant, iso


class Kind(enum.StrEnum):
    """The kinds of journal entries."""

    ANNOUNCED = "announced"
    REGISTRATION_OPENED = "registration_opened"
    BIDDER_ADMITTED = "bidder_admitted"
    ADMISSION_REVOKED = "admission_revoked"
    OPENED = "opened"
    BID_ACCEPTED = "bid_accepted"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    OUTAGE_EXTENDED = "outage_extended"
    ANNOUNCEMENT = "announcement"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    DEFAULTED = "defaulted"


class CloseReason(enum.StrEnum):
    """Why a lot closed as it did."""

    SOLD = "sold"
    NO_BID = "no_bid"
    RESERVE_NOT_MET = "reserve_not_met"
    SOLE_BIDDER = "sole_bidder"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    kind: ClassVar[Kind]


@dataclass(frozen=True, slots=True)
class Announced(Event):
    """The lot was published under terms with this hash."""

    kind = Kind.ANNOUNCED
    terms_hash: str


@dataclass(frozen=True, slots=True)
class RegistrationOpened(Event):
    """Bidders may now register."""

    kind = Kind.REGISTRATION_OPENED


@dataclass(frozen=True, slots=True)
class BidderAdmitted(Event):
    """A bidder was admitted: identity known, deposit taken, neither seller, organiser nor barred.

    `commitment` hides organisation and person until it is opened; `priority` is the rank of a right to
    match the standing price (1 before 2), or None.
    """

    kind = Kind.BIDDER_ADMITTED
    alias: int
    commitment: str
    deposit_fen: int
    priority: int | None


@dataclass(frozen=True, slots=True)
class AdmissionRevoked(Event):
    """A bidder may no longer bid."""

    kind = Kind.ADMISSION_REVOKED
    alias: int
    reason: str


@dataclass(frozen=True, slots=True)
class Opened(Event):
    """Bidding began. A late opening moves the end with it."""

    kind = Kind.OPENED
    ends_at: dt.datetime
    hard_end: dt.datetime | None


@dataclass(frozen=True, slots=True)
class BidAccepted(Event):
    """A bid became the standing bid. `matched` marks a priority holder equalling the price."""

    kind = Kind.BID_ACCEPTED
    alias: int
    amount_fen: int
    received_at: dt.datetime
    matched: bool
    ends_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """Bidding stands still for a moment (暂停)."""

    kind = Kind.PAUSED
    reason: str


@dataclass(frozen=True, slots=True)
class Suspended(Event):
    """The lot stands still until a matter is settled (中止)."""

    kind = Kind.SUSPENDED
    reason: str


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The lot goes on; its times moved by as long as it stood still."""

    kind = Kind.RESUMED
    opens_at: dt.datetime
    ends_at: dt.datetime
    hard_end: dt.datetime | None


@dataclass(frozen=True, slots=True)
class OutageExtended(Event):
    """The lot could not be closed near its end, so nobody could have bid either: it got more time."""

    kind = Kind.OUTAGE_EXTENDED
    ends_at: dt.datetime
    hard_end: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Announcement(Event):
    """Something the organiser tells the room."""

    kind = Kind.ANNOUNCEMENT
    text: str


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """The end. `winner` is None when the lot passed in; the reserve's commitment is opened."""

    kind = Kind.CLOSED
    reason: CloseReason
    winner: int | None
    hammer_fen: int | None
    reserve_fen: int | None
    reserve_nonce: str


@dataclass(frozen=True, slots=True)
class Withdrawn(Event):
    """The seller took the lot back before any bid (撤拍)."""

    kind = Kind.WITHDRAWN
    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """The organiser ended the lot without an outcome."""

    kind = Kind.CANCELLED
    reason: str


@dataclass(frozen=True, slots=True)
class Defaulted(Event):
    """The winner did not sign or pay (悔拍)."""

    kind = Kind.DEFAULTED
    reason: str


EVENTS: dict[Kind, type[Event]] = {cls.kind: cls for cls in Event.__subclasses__()}


def _reader(annotation: Any) -> Any:
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    for option in options:
        if option is dt.datetime:
            return instant
        if isinstance(option, type) and issubclass(option, enum.Enum):
            return option
    return None


_FIELDS: dict[Kind, tuple[tuple[str, Any], ...]] = {
    kind: tuple((f.name, _reader(typing.get_type_hints(cls)[f.name])) for f in fields(cls))
    for kind, cls in EVENTS.items()
}


def to_data(event: Event) -> dict[str, Any]:
    """An event's own fields as plain JSON values."""
    data: dict[str, Any] = {}
    for name, _ in _FIELDS[event.kind]:
        value = getattr(event, name)
        data[name] = iso(value) if isinstance(value, dt.datetime) else value
    return data


def from_data(kind: str, data: Mapping[str, Any]) -> Event:
    """The event that `to_data` wrote; other keys of `data` are ignored."""
    values = {
        name: data[name] if read is None or data[name] is None else read(data[name])
        for name, read in _FIELDS[Kind(kind)]
    }
    return EVENTS[Kind(kind)](**values)
