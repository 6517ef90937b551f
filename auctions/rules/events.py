"""What can have happened to a lot. Each event is one entry of its journal.

Bidders appear by their alias, a number in the order of admission; who is behind it is not in the
journal, only a commitment to it. `ends_at` in an event is the end in force *after* it.

Fields named in `SECRET` are not in the public body: it carries the hash of their canonical text instead
(`sealed`), and the text is kept beside the entry and opened after the lot.
"""

from __future__ import annotations

import datetime as dt
import enum
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar

from auctions.rules.canonical import canonical, digest, instant, iso


class Kind(enum.StrEnum):
    """The kinds of journal entries."""

    ANNOUNCED = "announced"
    REGISTRATION_OPENED = "registration_opened"
    BIDDER_ADMITTED = "bidder_admitted"
    ADMISSION_REVOKED = "admission_revoked"
    OPENED = "opened"
    BID_ACCEPTED = "bid_accepted"
    OPENING_BEGAN = "opening_began"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    OUTAGE_EXTENDED = "outage_extended"
    EXTENDED_BY_HAND = "extended_by_hand"
    EXTENDED_TOGETHER = "extended_together"
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
    SECRET: ClassVar[tuple[str, ...]] = ()


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
    """A bid counts. `standing`: it is now the one to beat.

    `act` is what was done: the bidder's own act, or `auto` where the market bid from a maximum.
    `amount_fen` is None for what carries no amount (an envelope, a raised maximum). `matched` marks a
    priority holder equalling the price. `detail` is the format's own. A maximum is secret.
    """

    kind = Kind.BID_ACCEPTED
    SECRET = ("maximum_fen", "nonce")
    alias: int
    amount_fen: int | None
    received_at: dt.datetime
    matched: bool
    ends_at: dt.datetime
    act: str = "bid"
    standing: bool = True
    detail: Mapping[str, Any] = field(default_factory=dict)
    maximum_fen: int | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class OpeningBegan(Event):
    """No more envelopes; they are opened by their bidders until `ends_at`."""

    kind = Kind.OPENING_BEGAN
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
class ExtendedByHand(Event):
    """The organiser gave more time, by the published rule."""

    kind = Kind.EXTENDED_BY_HAND
    ends_at: dt.datetime
    hard_end: dt.datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class ExtendedTogether(Event):
    """Another lot of the sale was extended, and this one ends with it."""

    kind = Kind.EXTENDED_TOGETHER
    ends_at: dt.datetime
    hard_end: dt.datetime | None
    with_lot: int


@dataclass(frozen=True, slots=True)
class Announcement(Event):
    """Something the organiser tells the room."""

    kind = Kind.ANNOUNCEMENT
    text: str


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """The end. `winner` is None when the lot passed in; the reserve's commitment is opened.

    `detail` is the format's own: envelopes left unopened, a royalty, how the price was found.
    """

    kind = Kind.CLOSED
    reason: CloseReason
    winner: int | None
    hammer_fen: int | None
    reserve_fen: int | None
    reserve_nonce: str
    detail: Mapping[str, Any] = field(default_factory=dict)


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


_FIELDS: dict[Kind, tuple[tuple[str, Any, bool], ...]] = {
    kind: tuple(
        (
            f.name,
            _reader(typing.get_type_hints(cls)[f.name]),
            f.default is not MISSING or f.default_factory is not MISSING,
        )
        for f in fields(cls)
    )
    for kind, cls in EVENTS.items()
}


_PUBLIC: dict[Kind, tuple[tuple[str, bool], ...]] = {
    kind: tuple((name, read is instant) for name, read, _ in _FIELDS[kind] if name not in cls.SECRET)
    for kind, cls in EVENTS.items()
}


def to_data(event: Event) -> dict[str, Any]:
    """An event's own public fields as plain JSON values; `sealed` where it has a secret."""
    data: dict[str, Any] = {}
    for name, is_instant in _PUBLIC[event.kind]:
        value = getattr(event, name)
        data[name] = iso(value) if is_instant and value is not None else value
    secret = secret_of(event)
    if secret is not None:
        data["sealed"] = digest(secret)
    return data


def secret_of(event: Event) -> str | None:
    """The canonical text of an event's secret fields; None where all of them are None."""
    for name in event.SECRET:
        if getattr(event, name) is not None:
            return canonical({name: getattr(event, name) for name in event.SECRET})
    return None


def from_data(kind: str, data: Mapping[str, Any], secret: Mapping[str, Any] | None = None) -> Event:
    """The event that `to_data` wrote, with what is known of its secret; other keys are ignored.

    Fields that an older journal does not have take their defaults.
    """
    known = {**data, **secret} if secret else data
    values = {
        name: known[name] if read is None or known[name] is None else read(known[name])
        for name, read, optional in _FIELDS[Kind(kind)]
        if name in known or not optional
    }
    return EVENTS[Kind(kind)](**values)
