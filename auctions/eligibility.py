"""Who may not bid at this moment, as one column of the statement that finds who bids.

The rules (拍卖法 articles 22 and 30; 网络司法拍卖 article 17 as a model): nobody with a role in the
market; nobody related to the seller, the organiser or the staff; no suspended organisation; nobody whose
deposit is not held. All of it is read when a bid is decided, so what changes during a lot counts at once.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from auctions.models import Admission, AdmissionState, Lot, Relation
from auctions.rules.canonical import canonical
from auctions.rules.refusal import RefusalCode
from auctions.rules.state import ENDED
from market.db import Session, json_rows, rows_at_once, t
from market.parties.models import MembershipRow, Organisation, OrganisationState
from market.payments.models import Deposit, DepositState
from market.permissions import Role

INSIDERS = (Role.STAFF, Role.OFFICIAL, Role.ADMINISTRATOR)
"""Holders of these may not bid for anyone (拍卖法 article 22)."""

LOT, ADMISSION, RELATION = t(Lot), t(Admission), t(Relation)
ORGANISATION, DEPOSIT = t(Organisation), t(Deposit)
_INSIDER_ROLES = [role.value for role in INSIDERS]
NAMED = "named"
"""Instead of a refusal's code: the bidder is named in a relation, or belongs to a seller, of some lot; whether
of this one is still to be looked up."""
_OVER = [state.value for state in ENDED]

_Related = set[tuple[int, int | None, int | None]]


@functools.cache
def _standings(dialect: str) -> sa.Select[Any]:
    a = ADMISSION.c
    asked = json_rows(dialect, {"lot": sa.BigInteger, "person": sa.BigInteger}, "asked")
    return (
        sa.select(a.lot_id, a.person_id, a.alias, a.organisation_id, _problem(with_deposit=True))
        .join_from(asked, ADMISSION, sa.and_(a.lot_id == asked.c.lot, a.person_id == asked.c.person))
        .join(LOT, LOT.c.id == a.lot_id)
        .join(ORGANISATION, ORGANISATION.c.id == a.organisation_id)
        .outerjoin(DEPOSIT, DEPOSIT.c.id == a.deposit_id)
        .where(a.state == AdmissionState.ADMITTED.value, a.alias.is_not(None))
    )


def standings(
    connection: Connection, keys: Iterable[tuple[int, int]]
) -> list[tuple[int, int, int, int, RefusalCode | None]]:
    """(lot, person, alias, organisation, problem) of those of some (lot, person) who hold an admission now.

    `problem` is what keeps the bidder from bidding, or None. One statement; a second one only where a
    bidder is named in a relation to anybody, or belongs to the seller of any lot.
    """
    asked = canonical([{"lot": lot, "person": person} for lot, person in keys])
    rows = rows_at_once(connection, _standings(connection.dialect.name), {"asked": asked})
    related = _related(connection, {row[0] for row in rows if row[4] == NAMED})
    return [(*row[:4], _code(related, *row[:2], *row[3:])) for row in rows]


def problems_of_lot(session: Session, lot_id: int) -> dict[int, RefusalCode]:
    """Admission → what keeps its bidder from being admitted, save for the deposit. Two statements at most."""
    session.flush()
    a = ADMISSION.c
    rows = session.execute(
        sa.select(a.lot_id, a.person_id, a.organisation_id, _problem(with_deposit=False), a.id)
        .join_from(ADMISSION, LOT, LOT.c.id == a.lot_id)
        .join(ORGANISATION, ORGANISATION.c.id == a.organisation_id)
        .where(a.lot_id == lot_id)
    ).all()
    related = _related(session.connection(), {row[0] for row in rows if row[3] == NAMED})
    found = {row[4]: _code(related, *row[:4]) for row in rows}
    return {key: code for key, code in found.items() if code is not None}


def _code(
    related: _Related, lot: int, person: int, organisation: int, problem: str | None
) -> RefusalCode | None:
    if problem == NAMED:
        named = (lot, organisation, None) in related or (lot, None, person) in related
        return RefusalCode.RELATED_TO_SELLER if named else None
    return None if problem is None else RefusalCode(problem)


def _problem(*, with_deposit: bool) -> Any:
    cases: list[tuple[Any, str]] = [
        (
            ORGANISATION.c.state == OrganisationState.SUSPENDED.value,
            RefusalCode.ORGANISATION_SUSPENDED.value,
        )
    ]
    if with_deposit:
        held = sa.and_(
            DEPOSIT.c.state == DepositState.HELD.value,
            DEPOSIT.c.lot_id == ADMISSION.c.lot_id,
            DEPOSIT.c.organisation_id == ADMISSION.c.organisation_id,
            DEPOSIT.c.amount_fen >= LOT.c.deposit_fen,
        )
        missing = sa.and_(LOT.c.deposit_fen > 0, sa.or_(DEPOSIT.c.id.is_(None), sa.not_(held)))
        cases.append((missing, RefusalCode.DEPOSIT_NOT_HELD.value))
    # None of the lists below is correlated: the database makes each once for a whole statement.
    m, r, lot = t(MembershipRow).c, RELATION.c, LOT.alias("open_lot").c
    insiders = sa.select(m.person_id).where(m.role.in_(_INSIDER_ROLES), m.ended_at.is_(None))
    sides = (lot.seller_organisation_id, lot.organiser_organisation_id)
    sellers = sa.union_all(
        *(sa.select(side).where(side.is_not(None), lot.state.not_in(_OVER)) for side in sides)
    )
    theirs = sa.select(m.person_id).where(m.organisation_id.in_(sellers), m.ended_at.is_(None))
    named = sa.or_(
        ADMISSION.c.organisation_id.in_(_ends(r.organisation_id, r.other_organisation_id)),
        ADMISSION.c.person_id.in_(_ends(r.person_id, r.other_person_id)),
        ADMISSION.c.person_id.in_(theirs),
    )
    cases += [
        (ADMISSION.c.person_id.in_(insiders), RefusalCode.STAFF_MAY_NOT_BID.value),
        (named, NAMED),
    ]
    return sa.case(*cases, else_=sa.null()).label("problem")


def _ends(one: Any, other: Any) -> Any:
    over = RELATION.c.ended_at
    return sa.union_all(*(sa.select(end).where(over.is_(None), end.is_not(None)) for end in (one, other)))


def _is_either(organisation_id: Any) -> Any:
    return sa.or_(
        organisation_id == LOT.c.seller_organisation_id, organisation_id == LOT.c.organiser_organisation_id
    )


def _related(connection: Connection, lot_ids: Collection[int]) -> _Related:
    """(lot, organisation, person): the people of the lot's seller and organiser, and the one side of every
    relation whose other side is the seller or organiser, one of their people, or somebody of the staff."""
    if not lot_ids:
        return set()
    m, ids = t(MembershipRow).c, sorted(lot_ids)
    people = sa.select(LOT.c.id, sa.cast(sa.null(), sa.BigInteger), m.person_id).where(
        LOT.c.id.in_(ids), m.ended_at.is_(None), _is_either(m.organisation_id)
    )
    found = connection.execute(sa.union_all(people, _one_way(ids, 0), _one_way(ids, 1)))
    return {(row[0], row[1], row[2]) for row in found}


def _one_way(lot_ids: list[int], way: int) -> sa.Select[Any]:
    r, m = RELATION.c, t(MembershipRow).c
    sides = [(r.organisation_id, r.person_id), (r.other_organisation_id, r.other_person_id)]
    (organisation, person), (other_organisation, other_person) = sides[way], sides[1 - way]
    behind = sa.exists().where(
        m.person_id == other_person,
        m.ended_at.is_(None),
        sa.or_(m.role.in_(_INSIDER_ROLES), _is_either(m.organisation_id)),
    )
    return sa.select(LOT.c.id, organisation, person).where(
        LOT.c.id.in_(lot_ids), r.ended_at.is_(None), sa.or_(_is_either(other_organisation), behind)
    )
