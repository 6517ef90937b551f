"""What a statement must satisfy, what explains a line, and how pay-outs move.

A line:

    open ──propose──► proposed ──confirm──► explained | ignored
     ▲                   │
     └─────withdraw──────┘

A pay-out:

    waiting ──prepare──► prepared ──approve──► approved ──export──► exported ──leave──► left
     ▲                      │                     │                    │                 │
     │└─────withdraw────────┴──────withdraw───────┘◄───────fail────────┘◄─────return─────┘
     └─cancel─► cancelled

A pay-out that failed or came back waits again, to be prepared with an account that works. One that was
exported once may leave from any state: what the bank did is told as it is, and it is not paid twice.
Pure. Amounts are fen; money that comes in is positive.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from market.errors import NotAllowed, WrongState
from market.payments.bank.models import MatchKind, PayOutState
from market.payments.bank.references import references_in


class SecondPerson(NotAllowed):
    """What one person proposed, another must confirm (四眼原则)."""


def check_second(proposed_by: int | None, actor_id: int | None) -> None:
    """Refuse a confirmation by whoever proposed, or by nobody. Raises SecondPerson."""
    if actor_id is None or actor_id == proposed_by:
        raise SecondPerson


def masked(number: str) -> str:
    """An account number as it is shown: its last four digits."""
    return f"**** {number[-4:]}" if number else ""


@dataclass(frozen=True)
class StatementLine:
    """A line as a file gives it. `position` is the file's line, from 1."""

    position: int
    booked_on: dt.date
    amount_fen: int
    counterparty: str = ""
    tail: str = ""
    remark: str = ""
    serial: str = ""
    balance_fen: int | None = None


def fingerprints(lines: Sequence[StatementLine]) -> list[str]:
    """What makes a line the same line in another file: day, amount and the bank's serial number, or without
    a serial number all that it says. Equal lines are counted, so that two equal ones stay two.

    A bank writes one serial number on a transfer and on the charge for it, so the amount belongs to it.
    """
    seen: Counter[str] = Counter()
    found = []
    for line in lines:
        said = [line.serial] if line.serial else ["", line.counterparty, line.tail, line.remark]
        text = json.dumps([line.booked_on.isoformat(), line.amount_fen, *said], ensure_ascii=False)
        seen[text] += 1
        found.append(hashlib.sha256(f"{text}#{seen[text]}".encode()).hexdigest())
    return found


def balance_breaks(lines: Sequence[StatementLine]) -> list[StatementLine]:
    """Lines whose balance does not follow from the line before, read the way that fits the file better:
    oldest first or newest first. Lines without a balance are stepped over, their amounts counted."""
    return min((_breaks(lines), _breaks(lines[::-1])), key=len)


def oldest_first(lines: Sequence[StatementLine]) -> list[StatementLine]:
    """The lines in the order of their booking."""
    backwards = bool(lines) and lines[0].booked_on > lines[-1].booked_on
    if lines and lines[0].booked_on == lines[-1].booked_on:
        backwards = len(_breaks(lines[::-1])) < len(_breaks(lines))
    return list(lines[::-1] if backwards else lines)


def _breaks(lines: Sequence[StatementLine]) -> list[StatementLine]:
    found = []
    balance: int | None = None
    for line in lines:
        if balance is not None:
            balance += line.amount_fen
            if line.balance_fen is not None and line.balance_fen != balance:
                found.append(line)
        if line.balance_fen is not None:
            balance = line.balance_fen
    return found


class Reason(enum.StrEnum):
    """Why a line is thought to be something (`Reason.<code>` in the catalogues)."""

    REFERENCE = "reference"
    AMOUNT = "amount"
    PART = "part"
    PAYER = "payer"
    PAYER_LIKE = "payer_like"
    ACCOUNT = "account"
    CANCELLED = "cancelled"
    EARLIER = "earlier"


WEIGHTS: dict[Reason, int] = {
    Reason.REFERENCE: 60,
    Reason.AMOUNT: 25,
    Reason.PART: 5,
    Reason.PAYER: 25,
    Reason.PAYER_LIKE: 15,
    Reason.ACCOUNT: 15,
    Reason.CANCELLED: -20,
    Reason.EARLIER: -30,
}
WORTH_TELLING = 25


@dataclass(frozen=True)
class Candidate:
    """Something that a line could be. `amount_fen` is signed like a line's: what is still to come or to go."""

    kind: MatchKind
    id: int
    reference: str
    amount_fen: int
    names: tuple[str, ...] = ()
    tail: str = ""
    since: dt.date | None = None
    cancelled: bool = False


@dataclass(frozen=True)
class Suggestion:
    """A candidate with how well it fits, in points, and why."""

    candidate: Candidate
    score: int
    reasons: tuple[Reason, ...]


def suggest(
    amount_fen: int,
    booked_on: dt.date,
    remark: str,
    counterparty: str,
    tail: str,
    candidates: Iterable[Candidate],
    *,
    most: int = 5,
) -> list[Suggestion]:
    """What a line could be, best first. Money that came explains nothing that went, and the other way."""
    named = references_in(remark)
    found = []
    for one in candidates:
        reasons = _reasons(amount_fen, booked_on, named, counterparty, tail, one)
        score = sum(WEIGHTS[reason] for reason in reasons)
        if reasons and score >= WORTH_TELLING:
            found.append(Suggestion(one, score, reasons))
    return sorted(found, key=lambda one: (-one.score, one.candidate.kind, one.candidate.id))[:most]


def _reasons(
    amount_fen: int,
    booked_on: dt.date,
    named: Collection[str],
    counterparty: str,
    tail: str,
    one: Candidate,
) -> tuple[Reason, ...]:
    if one.amount_fen and (one.amount_fen > 0) != (amount_fen > 0):
        return ()
    found = []
    if one.reference in named:
        found.append(Reason.REFERENCE)
    if amount_fen == one.amount_fen:
        found.append(Reason.AMOUNT)
    elif abs(amount_fen) < abs(one.amount_fen):
        found.append(Reason.PART)
    who = _plain(counterparty)
    if who:
        names = [_plain(name) for name in one.names if name]
        if who in names:
            found.append(Reason.PAYER)
        elif any(_alike(who, name) for name in names):
            found.append(Reason.PAYER_LIKE)
    if tail and tail == one.tail:
        found.append(Reason.ACCOUNT)
    if one.cancelled:
        found.append(Reason.CANCELLED)
    if one.since is not None and booked_on < one.since:
        found.append(Reason.EARLIER)
    return tuple(found)


def _plain(name: str) -> str:
    return re.sub(r"[\s()\[\]{}·.,,、-]+", "", unicodedata.normalize("NFKC", name)).lower()


def _alike(one: str, other: str) -> bool:
    """Banks cut names short, and people leave 有限公司 out."""
    short, long = sorted((one, other), key=len)
    return len(short) >= 4 and short in long


DIRECTIONS: dict[MatchKind, tuple[bool, bool]] = {
    MatchKind.PAYMENT: (True, False),
    MatchKind.PAY_OUT: (False, True),
    MatchKind.RETURNED: (True, False),
    MatchKind.SETTLEMENT: (True, True),
    MatchKind.FEE: (False, True),
    MatchKind.INTEREST: (True, False),
    MatchKind.IGNORED: (True, True),
}
"""Whether a line that came in, and one that went out, can be of a kind."""


class PayOutStep(enum.StrEnum):
    """A step of a pay-out."""

    PREPARE = "prepare"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    EXPORT = "export"
    LEAVE = "leave"
    FAIL = "fail"
    RETURN = "return"
    CANCEL = "cancel"


_S = PayOutState
STEPS: dict[tuple[PayOutState, PayOutStep], PayOutState] = {
    (_S.WAITING, PayOutStep.PREPARE): _S.PREPARED,
    (_S.PREPARED, PayOutStep.WITHDRAW): _S.WAITING,
    (_S.PREPARED, PayOutStep.APPROVE): _S.APPROVED,
    (_S.APPROVED, PayOutStep.WITHDRAW): _S.WAITING,
    (_S.APPROVED, PayOutStep.EXPORT): _S.EXPORTED,
    (_S.EXPORTED, PayOutStep.LEAVE): _S.LEFT,
    (_S.EXPORTED, PayOutStep.FAIL): _S.WAITING,
    (_S.LEFT, PayOutStep.RETURN): _S.WAITING,
    (_S.WAITING, PayOutStep.CANCEL): _S.CANCELLED,
}


def next_state(state: PayOutState, step: PayOutStep, tries: int = 0) -> PayOutState:
    """Where a step leads. `tries` is how often the pay-out was exported. Raises WrongState."""
    after = STEPS.get((state, step))
    if step is PayOutStep.LEAVE and tries > 0 and state is not _S.LEFT:
        after = _S.LEFT
    if step is PayOutStep.CANCEL and tries > 0:
        after = None
    if after is None:
        raise WrongState(state=state.value, action=step.value)
    return after
