"""Declared relations between organisations and people: who may not bid for whose lot.

Staff declare any; a seller's own people declare those of their organisation. What is declared counts at
once, for the next bid of a lot that is running too (`auctions.eligibility`). Nothing is deleted: a
relation that is over is ended, with the reason.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from auctions.models import (
    Admission,
    Lot,
    RelatedTo,
    Relation,
    RelationForm,
    RelationInput,
    RelationKind,
    RelationSource,
)
from market import audit
from market.db import Session, t
from market.errors import InvalidInput, NotFound, WrongState
from market.parties.models import Organisation, Person
from market.permissions import Action, Actor, require

RELATION, ORGANISATION, PERSON = t(Relation), t(Organisation), t(Person)


@dataclass(frozen=True, slots=True)
class RelationLine:
    """A relation with names, for those who keep them."""

    id: int
    organisation_id: int | None
    person_id: int | None
    name: str
    other_organisation_id: int | None
    other_person_id: int | None
    other_name: str
    kind: RelationKind
    source: RelationSource
    reason: str
    declared_at: dt.datetime
    ended_at: dt.datetime | None
    end_reason: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a bidder declares when it asks to be admitted; without `to`, that there is no relation."""

    to: RelatedTo | None = None
    text: str = ""


NO_RELATION = Declaration()


def declare(session: Session, actor: Actor, values: RelationInput, now: dt.datetime) -> int:
    """Record that two parties are related; returns the id. Raises NotAllowed, InvalidInput.

    Staff may name any two; others must name an organisation that they draft lots for as one of them.
    """
    source = RelationSource.STAFF
    if not actor.can(Action.LOT_ADMIT):
        mine = actor.organisations_for(Action.LOT_CREATE) or frozenset()
        if not mine & {values.organisation_id, values.other_organisation_id}:
            require(actor, Action.LOT_ADMIT)
        source = RelationSource.SELLER
    _check(session, values)
    return _add(session, actor, values, source, now)


def found(session: Session, form: RelationForm) -> RelationInput:
    """The parties that were written down. Raises InvalidInput at the side that names nobody, or several."""
    problems: list[tuple[str, str, dict[str, Any]]] = []
    ids: dict[str, int] = {}
    for field, prefix in (("one", ""), ("other", "other_")):
        written = getattr(form, field)
        if "@" in written:
            column, statement = "person_id", sa.select(PERSON.c.id).where(PERSON.c.email == written.lower())
        else:
            column, statement = "organisation_id", _named(written)
        matching = session.scalars(statement.limit(2)).all()
        if len(matching) == 1:
            ids[prefix + column] = matching[0]
        else:
            unknown = "unknown_person" if column == "person_id" else "unknown_party"
            problems.append((field, "several_parties" if matching else unknown, {"written": written}))
    if problems:
        raise InvalidInput(problems)
    return RelationInput(**ids, kind=form.kind, reason=form.reason)


def _named(written: str) -> sa.Select[tuple[int]]:
    c = ORGANISATION.c
    return sa.select(c.id).where(
        sa.or_(c.credit_code == written.upper(), c.name == written, c.name_en == written)
    )


def declared_by_bidder(
    session: Session, actor: Actor, admission: Admission, declaration: Declaration, now: dt.datetime
) -> None:
    """Keep what a bidder said about itself for its later admissions too, where it names an organisation."""
    lot = session.get(Lot, admission.lot_id)
    assert lot is not None
    other = {
        RelatedTo.SELLER: lot.seller_organisation_id,
        RelatedTo.ORGANISER: lot.organiser_organisation_id,
    }.get(declaration.to or RelatedTo.STAFF)
    if other is None or other == admission.organisation_id:
        return
    values = RelationInput(
        organisation_id=admission.organisation_id,
        other_organisation_id=other,
        reason=declaration.text or (declaration.to or RelatedTo.STAFF).value,
    )
    _add(session, actor, values, RelationSource.BIDDER, now)


def end(session: Session, actor: Actor, relation_id: int, reason: str, now: dt.datetime) -> None:
    """Say that a relation is over, and why: staff only, whoever declared it.

    Raises NotFound, NotAllowed, WrongState (ended before), InvalidInput (no reason).
    """
    require(actor, Action.LOT_ADMIT)
    row = session.get(Relation, relation_id)
    if row is None:
        raise NotFound(subject="relation")
    if row.ended_at is not None:
        raise WrongState(state="ended", action="end_relation")
    if not reason.strip():
        raise InvalidInput([("reason", "missing", {})])
    row.ended_at, row.end_reason = now, reason.strip()
    session.add(row)
    audit.record(session, actor, "relation.ended", relation_id, now, reason=row.end_reason)


def lines(
    session: Session, *, organisation_ids: frozenset[int] | None = None, limit: int = 500
) -> list[RelationLine]:
    """Relations, those that count first, the latest first; only of some organisations where given. One
    statement."""
    r = RELATION.c
    one, other = t(Organisation).alias("one"), t(Organisation).alias("other")
    who, whom = t(Person).alias("who"), t(Person).alias("whom")
    statement = (
        sa.select(
            r.id, r.organisation_id, r.person_id,
            sa.func.coalesce(one.c.name, who.c.name).label("name"),
            r.other_organisation_id, r.other_person_id,
            sa.func.coalesce(other.c.name, whom.c.name).label("other_name"),
            r.kind, r.source, r.reason, r.declared_at, r.ended_at, r.end_reason,
        )
        .select_from(RELATION)
        .outerjoin(one, one.c.id == r.organisation_id)
        .outerjoin(who, who.c.id == r.person_id)
        .outerjoin(other, other.c.id == r.other_organisation_id)
        .outerjoin(whom, whom.c.id == r.other_person_id)
        .order_by(r.ended_at.is_not(None), r.id.desc())
        .limit(limit)
    )  # fmt: skip
    if organisation_ids is not None:
        ids = sorted(organisation_ids)
        statement = statement.where(sa.or_(r.organisation_id.in_(ids), r.other_organisation_id.in_(ids)))
    found = []
    for row in session.execute(statement).mappings():
        values: dict[str, Any] = dict(row)
        values["kind"], values["source"] = RelationKind(values["kind"]), RelationSource(values["source"])
        found.append(RelationLine(**values))
    return found


def _check(session: Session, values: RelationInput) -> None:
    problems: list[tuple[str, str, dict[str, Any]]] = []
    sides = (("organisation_id", "person_id"), ("other_organisation_id", "other_person_id"))
    for organisation, person in sides:
        given = (getattr(values, organisation), getattr(values, person))
        if (given[0] is None) == (given[1] is None):
            problems.append((organisation, "one_of_two", {}))
        elif given[0] is not None and session.get(Organisation, given[0]) is None:
            problems.append((organisation, "unknown_organisation", {}))
        elif given[1] is not None and session.get(Person, given[1]) is None:
            problems.append((person, "unknown_person", {}))
    if not problems and (values.organisation_id, values.person_id) == (
        values.other_organisation_id,
        values.other_person_id,
    ):
        problems.append(("other", "same_side", {}))
    if problems:
        raise InvalidInput(problems)


def _add(
    session: Session, actor: Actor, values: RelationInput, source: RelationSource, now: dt.datetime
) -> int:
    row = Relation(
        **values.model_dump(exclude={"kind"}),
        kind=values.kind.value,
        source=source.value,
        declared_by=actor.person_id,
        declared_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(
        session, actor, "relation.declared", row.id, now,
        after={**values.model_dump(mode="json", exclude_none=True, exclude={"reason"}), "source": source},
        reason=values.reason,
    )  # fmt: skip
    return row.id
