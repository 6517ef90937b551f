"""Flags on contracts (异常标记): looked for, kept, and closed by a reviewer with a reason. None commits.

    (found) ──► open ──close──► closed ──(its facts change)──► open
                 └──(no longer found)──► lapsed ──(found again)──► open

A look reads (`survey`) and then keeps (`keep`) what it found; looking again changes nothing. What the
system lapsed has no reason; what a reviewer closed has one, and comes back only when what the flag is about
has changed. Rights: those who register contracts see and close flags; the parties do not know of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market import audit
from market.clock import local_date
from market.db import Session, for_update, t, upsert
from market.deals.models import (
    Contract,
    ContractEvidence,
    ContractSource,
    ContractState,
    EvidenceKind,
    Receipt,
)
from market.deals.policies import Policy, policies
from market.deals.receipts import CONTRACT
from market.errors import Conflict, InvalidInput, NotFound, WrongState
from market.files.models import Attachment
from market.parties.models import MembershipRow, Organisation, OrganisationKind
from market.permissions import MARKET_ROLES, SYSTEM, Action, Actor, require
from market.scrutiny import flag_rules as rules
from market.scrutiny.flag_rules import Finding, Party, Seen
from market.scrutiny.models import ContractFlag

CHUNK = 200
"""Contracts that one look takes."""

ORDINARY = (EvidenceKind.PARTY_REGISTRATION, EvidenceKind.AUTHORITY_LETTER, EvidenceKind.IP_PROOF)
"""What lies with many contracts of one party quite rightly: a licence, a letter, a patent."""

REASON_MAX = 2000

_Key = tuple[int, str, str]


def in_force(session: Session, day: dt.date) -> dict[str, Policy]:
    """The rows of the rules that hold on a day, by name. One statement."""
    return {
        one.name: one
        for one in policies(session, rules.PREFIX)
        if one.valid_from <= day and (one.valid_to is None or one.valid_to >= day)
    }


@dataclass(frozen=True)
class Survey:
    """What a look found about some contracts."""

    contract_ids: tuple[int, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Kept:
    """How many flags a look raised or raised again, brought up to date, and let lapse."""

    raised: int = 0
    changed: int = 0
    lapsed: int = 0


def survey(session: Session, now: dt.datetime, contract_ids: Iterable[int]) -> Survey:
    """Look at contracts, CHUNK at most, and at all that they are compared with. It writes nothing."""
    ids = tuple(sorted(set(contract_ids)))
    if len(ids) > CHUNK:
        raise ValueError("too many contracts for one look")
    today = local_date(now)
    known = in_force(session, today)
    values = {name: policy.value for name, policy in known.items()}
    asked = known.get(rules.NO_RECEIPT_DAYS)
    seen = {one.id: one for one in _seen(session, ids) if one.state in rules.LOOKED_AT}
    found: dict[_Key, Finding] = {}
    for one in seen.values():
        _add(found, rules.alone(one, values, today, asked.valid_from if asked else dt.date.min))
    pairs = _pairs(session, list(seen.values()), values)
    others = {other for pair in pairs for other in pair} - seen.keys()
    seen |= {one.id: one for one in _seen(session, sorted(others)) if one.state in rules.LOOKED_AT}
    for one_id, other_id in sorted(pairs):
        if one_id in seen and other_id in seen:
            _add(found, rules.between(seen[one_id], seen[other_id], values))
    _add(found, _files(session, ids))
    _add(found, _people(session, ids))
    return Survey(ids, tuple(found.values()))


def _add(found: dict[_Key, Finding], more: Iterable[Finding]) -> None:
    for finding in more:
        found[finding.contract_id, finding.kind.value, finding.about] = finding


def _seen(session: Session, ids: Sequence[int]) -> list[Seen]:
    c, r = t(Contract).c, t(Receipt).c
    seller, buyer = t(Organisation).alias("seller"), t(Organisation).alias("buyer")
    firm = OrganisationKind.FIRM.value
    found = []
    for start in range(0, len(ids), 1000):
        received = (
            sa.select(sa.func.coalesce(sa.func.sum(r.fen), 0))
            .where(r.contract_id == c.id)
            .correlate(t(Contract))
            .scalar_subquery()
        )
        rows = session.execute(
            sa.select(
                c.id, c.title, c.seller_id, c.seller_name, c.buyer_id, c.buyer_name, c.deal_fen, c.signed_on,
                c.registration_number, c.state, c.source, c.related_party, c.ends_on, c.instalments,
                received.label("received_fen"), seller.c.founded_on.label("seller_founded"),
                seller.c.kind.label("seller_kind"), buyer.c.founded_on.label("buyer_founded"),
                buyer.c.kind.label("buyer_kind"),
            )
            .select_from(
                t(Contract)
                .outerjoin(seller, c.seller_id == seller.c.id)
                .outerjoin(buyer, c.buyer_id == buyer.c.id)
            )
            .where(c.id.in_(ids[start : start + 1000]))
            .order_by(c.id)
        )  # fmt: skip
        for row in rows:
            found.append(
                Seen(
                    id=row.id,
                    title=row.title,
                    seller=Party(
                        row.seller_id,
                        row.seller_name,
                        row.seller_founded if row.seller_kind == firm else None,
                    ),
                    buyer=Party(
                        row.buyer_id, row.buyer_name, row.buyer_founded if row.buyer_kind == firm else None
                    ),
                    deal_fen=row.deal_fen,
                    signed_on=row.signed_on,
                    registration_number=row.registration_number,
                    state=ContractState(row.state),
                    source=ContractSource(row.source),
                    related_party=row.related_party,
                    ends_on=row.ends_on,
                    instalments=tuple(
                        (dt.date.fromisoformat(one["due_on"]), int(one["fen"])) for one in row.instalments
                    ),
                    received_fen=int(row.received_fen),
                )
            )
    return found


def _pairs(session: Session, seen: Sequence[Seen], values: rules.Values) -> set[tuple[int, int]]:
    """Ids of contracts that the rules compare, the smaller first: the same two parties in either direction
    within the longest window, or numbers one digit apart."""
    if not seen:
        return set()
    pairs = _between_parties(session, seen, values) + _of_like_numbers(session, seen)
    return {(min(pair), max(pair)) for pair in pairs}


def _between_parties(session: Session, seen: Sequence[Seen], values: rules.Values) -> list[tuple[int, int]]:
    days = [one.signed_on for one in seen if one.signed_on is not None]
    windows = [values[name] for name in (rules.DUPLICATE_DAYS, rules.CYCLE_DAYS) if name in values]
    if not days or not windows:
        return []
    window = dt.timedelta(days=max(windows))
    one, other = t(Contract).alias("one").c, t(Contract).alias("other").c
    where = [
        one.id.in_([each.id for each in seen]),
        other.id != one.id,
        other.signed_on.between(min(days) - window, max(days) + window),
    ]
    # Each way of being the same parties by itself, for each has its index. States are left to the caller:
    # asked for here, SQLite goes through all contracts of a state instead.
    ways = [
        (one.seller_name == other.seller_name, one.buyer_name == other.buyer_name),
        (one.seller_name == other.buyer_name, one.buyer_name == other.seller_name),
        (one.seller_id == other.seller_id, one.buyer_id == other.buyer_id),
        (one.seller_id == other.buyer_id, one.buyer_id == other.seller_id),
    ]
    rows = session.execute(sa.union(*(sa.select(one.id, other.id).where(*where, *way) for way in ways)))
    return [(int(a), int(b)) for a, b in rows]


def _of_like_numbers(session: Session, seen: Sequence[Seen]) -> list[tuple[int, int]]:
    c = t(Contract).c
    pairs = []
    numbered = [one for one in seen if one.registration_number]
    # 144 numbers are one digit off; SQLite takes some 32,000 parameters.
    for start in range(0, len(numbered), 50):
        some = numbered[start : start + 50]
        wanted = {
            near: one.id
            for one in some
            if one.registration_number
            for near in rules.neighbours(one.registration_number)
        }
        near_ones = sa.select(c.id, c.registration_number).where(
            c.registration_number.in_(wanted), c.state.in_(_looked_at())
        )
        near = [(row.id, row.registration_number) for row in session.execute(near_ones)]
        for one in some:
            pairs += [
                (one.id, other_id)
                for other_id, number in near
                if rules.one_digit_off(one.registration_number or "", number)
            ]
    return pairs


def _looked_at() -> list[str]:
    return sorted(state.value for state in rules.LOOKED_AT)


def _files(session: Session, ids: Sequence[int]) -> list[Finding]:
    """The same file with two contracts, save what lies with many rightly."""
    one, other = t(Attachment).alias("one"), t(Attachment).alias("other")
    of_one, of_other = t(ContractEvidence).alias("of_one"), t(ContractEvidence).alias("of_other")
    mine, theirs = t(Contract).alias("mine"), t(Contract).alias("theirs")
    ordinary = [kind.value for kind in ORDINARY]
    rows = session.execute(
        sa.select(one.c.owner_id, other.c.owner_id, one.c.name, other.c.name)
        .select_from(
            one.join(other, one.c.sha256 == other.c.sha256)
            .join(mine, mine.c.id == one.c.owner_id)
            .join(theirs, theirs.c.id == other.c.owner_id)
            .outerjoin(of_one, of_one.c.attachment_id == one.c.id)
            .outerjoin(of_other, of_other.c.attachment_id == other.c.id)
        )
        .where(
            one.c.owner_kind == CONTRACT,
            one.c.owner_id.in_(ids),
            one.c.removed_at.is_(None),
            other.c.owner_kind == CONTRACT,
            other.c.owner_id != one.c.owner_id,
            other.c.removed_at.is_(None),
            mine.c.state.in_(_looked_at()),
            theirs.c.state.in_(_looked_at()),
            sa.or_(of_one.c.kind.is_(None), of_one.c.kind.not_in(ordinary)),
            sa.or_(of_other.c.kind.is_(None), of_other.c.kind.not_in(ordinary)),
        )
    )
    names: dict[tuple[int, int], set[str]] = {}
    for a, b, name, other_name in rows:
        names.setdefault((min(a, b), max(a, b)), set()).add(name if a > b else other_name)
    return [rules.same_file(a, b, called) for (a, b), called in names.items()]


def _people(session: Session, ids: Sequence[int]) -> list[Finding]:
    """People who act for both sides; those who work for the market itself do not count."""
    c = t(Contract).c
    one, other = t(MembershipRow).alias("one").c, t(MembershipRow).alias("other").c
    market = [role.value for role in MARKET_ROLES]
    rows = session.execute(
        sa.select(c.id, sa.func.count(sa.distinct(one.person_id)))
        .where(
            c.id.in_(ids),
            c.state.in_(_looked_at()),
            one.organisation_id == c.seller_id,
            other.organisation_id == c.buyer_id,
            one.person_id == other.person_id,
            one.ended_at.is_(None),
            other.ended_at.is_(None),
            one.role.not_in(market),
            other.role.not_in(market),
        )
        .group_by(c.id)
    )
    return [rules.same_people(contract_id, people) for contract_id, people in rows]


def _standing(contract_ids: Collection[int]) -> sa.Select[Any]:
    c = t(ContractFlag).c
    return (
        sa.select(ContractFlag)
        .where(sa.or_(c.contract_id.in_(contract_ids), c.other_id.in_(contract_ids)))
        .order_by(c.id)
        .execution_options(populate_existing=True)
    )


def _comes_back(flag: ContractFlag, finding: Finding) -> bool:
    return flag.closed_at is not None and (not flag.reason or flag.detail != finding.detail)


def _key(flag: ContractFlag) -> _Key:
    return flag.contract_id, flag.kind, flag.about


def differs(session: Session, found: Survey) -> bool:
    """Whether keeping a survey would change anything. One statement."""
    findings = {(one.contract_id, one.kind.value, one.about): one for one in found.findings}
    known = set()
    for flag in session.scalars(_standing(found.contract_ids)):
        key = _key(flag)
        known.add(key)
        finding = findings.get(key)
        if finding is None:
            if flag.closed_at is None:
                return True
        elif _comes_back(flag, finding) or (flag.closed_at is None and flag.detail != finding.detail):
            return True
    return bool(findings.keys() - known)


def keep(session: Session, now: dt.datetime, found: Survey) -> Kept:
    """Raise what is new or has changed, let lapse what is open and no longer found. The system acts."""
    findings = {(one.contract_id, one.kind.value, one.about): one for one in found.findings}
    raised = changed = lapsed = 0
    for flag in list(session.scalars(for_update(_standing(found.contract_ids), session))):
        finding = findings.pop(_key(flag), None)
        if finding is None:
            if flag.closed_at is None:
                flag.closed_at, flag.version = now, flag.version + 1
                _audit(session, SYSTEM, now, "lapsed", flag.contract_id, flag.kind, flag.about)
                lapsed += 1
            continue
        if _comes_back(flag, finding):
            flag.closed_at = flag.closed_by = None
            flag.reason, flag.raised_at = "", now
            raised += 1
        elif flag.closed_at is None and flag.detail != finding.detail:
            changed += 1
        else:
            continue
        flag.detail, flag.version = dict(finding.detail), flag.version + 1
        _audit(session, SYSTEM, now, "raised", flag.contract_id, flag.kind, flag.about, finding.detail)
    session.flush()
    for one in findings.values():
        row = {
            "contract_id": one.contract_id, "kind": one.kind.value, "about": one.about,
            "other_id": one.other_id, "detail": dict(one.detail), "raised_at": now, "reason": "", "version": 1,
        }  # fmt: skip
        # Another look may have raised it since ours read.
        if upsert(session, t(ContractFlag), [row], key=["contract_id", "kind", "about"]):
            _audit(session, SYSTEM, now, "raised", one.contract_id, one.kind.value, one.about, one.detail)
            raised += 1
    session.flush()
    return Kept(raised, changed, lapsed)


def look(session: Session, now: dt.datetime, contract_ids: Iterable[int]) -> Kept:
    """Look at contracts and keep what is found, in one transaction."""
    return keep(session, now, survey(session, now, contract_ids))


def following(session: Session, after_id: int, limit: int = CHUNK) -> list[int]:
    """The next contracts of a round over all of them, by id."""
    c = t(Contract).c
    return list(session.scalars(sa.select(c.id).where(c.id > after_id).order_by(c.id).limit(limit)))


def close(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    flag_id: int,
    reason: str,
    *,
    version: int | None = None,
) -> int:
    """Close a flag with what the review found; returns the contract's id.

    Raises SignInRequired, NotAllowed, NotFound, Conflict (raised anew since it was read), WrongState
    (closed already), InvalidInput (no reason, or one too long).
    """
    require(actor, Action.CONTRACT_REGISTER)
    statement = sa.select(ContractFlag).where(t(ContractFlag).c.id == flag_id)
    flag = session.scalars(
        for_update(statement, session).execution_options(populate_existing=True)
    ).one_or_none()
    if flag is None:
        raise NotFound(kind="contract_flag")
    if flag.closed_at is not None:
        raise WrongState(state="closed", action="close")
    if version is not None and flag.version != version:
        raise Conflict(current=flag.version)
    reason = reason.strip()
    if not reason:
        raise InvalidInput([("reason", "missing", {})])
    if len(reason) > REASON_MAX:
        raise InvalidInput([("reason", "string_too_long", {"max_length": REASON_MAX})])
    flag.closed_at, flag.closed_by, flag.reason = now, actor.person_id, reason
    flag.version += 1
    _audit(session, actor, now, "closed", flag.contract_id, flag.kind, flag.about, reason=reason)
    session.flush()
    return int(flag.contract_id)


def _audit(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    done: str,
    contract_id: int,
    kind: str,
    about: str,
    detail: Any = None,
    *,
    reason: str | None = None,
) -> None:
    after = {"kind": kind, "about": about} | ({"detail": dict(detail)} if detail else {})
    audit.record(session, actor, f"contract.flag_{done}", contract_id, now, after=after, reason=reason)
