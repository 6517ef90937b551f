"""Reads of results, and what reads of demands share. A list takes two statements, a result at most five."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.errors import NotFound
from market.files import queries as files
from market.files.queries import FileView
from market.listings import lifecycle, rules
from market.listings.lifecycle import Trade
from market.listings.models import (
    CooperationMode,
    EvidenceGrade,
    IpKind,
    IpStatus,
    ListingState,
    PricingMode,
    Result,
    Stage,
)
from market.listings.service import RESULT, read_claims, read_ip
from market.parties.models import Organisation, OrganisationKind, OrganisationState
from market.permissions import Action, Actor, can, require
from market.taxonomy.models import Industry

SUMMARY = 160
"""Characters of prose on a card."""

ENQUIRY = sa.table(
    "enquiry",
    sa.column("subject_kind", sa.String),
    sa.column("subject_id", sa.BigInteger),
    sa.column("offered_result_id", sa.BigInteger),
    sa.column("from_person_id", sa.BigInteger),
    sa.column("from_organisation_id", sa.BigInteger),
    sa.column("to_organisation_id", sa.BigInteger),
)
"""The enquiries' table by its name: their room lies above this one."""


@dataclass(frozen=True)
class Filter:
    """Which listings are wanted; what is not given does not narrow.

    A price range finds listings whose own range overlaps it, and none that are negotiable. `trl_*` is
    the readiness a result has, or the lowest that a demand asks for. `words` is a plain substring of
    the title, for an owner's own list; the public search understands more.
    """

    states: tuple[ListingState, ...] = (ListingState.PUBLISHED,)
    industry: str = ""
    owner_kind: OrganisationKind | None = None
    trl_min: int | None = None
    trl_max: int | None = None
    mode: CooperationMode | None = None
    price_from_fen: int | None = None
    price_to_fen: int | None = None
    organisation_ids: frozenset[int] | None = None
    words: str = ""


@dataclass(frozen=True)
class ResultCard:
    """A result as a list shows it. `title` and names are in the language asked for, where they exist."""

    id: int
    title: str
    summary: str
    organisation_id: int
    owner_name: str
    owner_kind: OrganisationKind
    industry_code: str
    industry_name: str
    trl: int | None
    stage: Stage | None
    modes: list[CooperationMode]
    pricing_mode: PricingMode
    price_low_fen: int | None
    price_high_fen: int | None
    keywords: list[str]
    state: ListingState
    published_at: dt.datetime | None
    confirmed_at: dt.datetime | None
    valid_until: dt.date | None
    updated_at: dt.datetime
    version: int


@dataclass(frozen=True)
class Contact:
    """Whom to ask."""

    name: str
    phone: str
    email: str


@dataclass(frozen=True)
class Claim:
    """A claim with what supports it."""

    statement: str
    figure: str
    comparator: str
    source: str
    grade: EvidenceGrade


@dataclass(frozen=True)
class Right:
    """A right that a result rests on."""

    kind: IpKind
    number: str
    title: str
    status: IpStatus
    fee_paid_to: dt.date | None
    pledged: bool


@dataclass(frozen=True)
class ResultDetail:
    """Everything about a result that the asker may see. `contact` is None while it is hidden."""

    id: int
    version: int
    organisation_id: int
    owner_name: str
    owner_kind: OrganisationKind
    owner_town: str
    promised_reply_hours: int | None
    title: str
    title_en: str
    abstract: str
    advantages: str
    application: str
    keywords: list[str]
    industry_code: str
    industry_name: str
    ipc: list[str]
    trl: int | None
    stage: Stage | None
    modes: list[CooperationMode]
    pricing_mode: PricingMode
    price_low_fen: int | None
    price_high_fen: int | None
    inventors: list[str]
    holder: str
    awards: str
    state: ListingState
    state_reason: str
    published_at: dt.datetime | None
    confirmed_at: dt.datetime | None
    valid_until: dt.date | None
    source: str
    source_id: str | None
    merged_into_id: int | None
    created_at: dt.datetime
    updated_at: dt.datetime
    contact: Contact | None
    claims: list[Claim] = field(default_factory=list)
    ip: list[Right] = field(default_factory=list)
    attachments: list[FileView] = field(default_factory=list)


def in_language(name: sa.Column[Any], name_en: sa.Column[Any], english: bool) -> sa.ColumnElement[str]:
    """The English text where it is wanted and there is one, else the Chinese."""
    return sa.func.coalesce(sa.func.nullif(name_en, ""), name) if english else name


def allowed(c: Any, actor: Actor, trade: Trade) -> sa.ColumnElement[bool]:
    """The condition that the actor may know of a listing."""
    shown = sa.and_(c.state.in_([state.value for state in rules.SHOWN]), lifecycle.of_verified(c))
    reach = actor.organisations_for(trade.read)
    if reach is None:
        return sa.true()
    return sa.or_(shown, c.organisation_id.in_(reach)) if reach else shown


def conditions(
    c: Any,
    actor: Actor,
    trade: Trade,
    wanted: Filter,
    *,
    trl: sa.Column[Any],
    low: sa.Column[Any],
    high: sa.Column[Any],
) -> list[sa.ColumnElement[bool]]:
    """A filter as conditions on a table joined with organisation."""
    found: list[sa.ColumnElement[bool]] = [
        allowed(c, actor, trade),
        c.state.in_([state.value for state in wanted.states]),
    ]
    if wanted.industry:
        found.append(c.industry_code == wanted.industry)
    if wanted.owner_kind is not None:
        found.append(t(Organisation).c.kind == wanted.owner_kind.value)
    if wanted.trl_min is not None:
        found.append(trl >= wanted.trl_min)
    if wanted.trl_max is not None:
        found.append(trl <= wanted.trl_max)
    if wanted.mode is not None:
        found.append(sa.cast(c.modes, sa.Text).contains(f'"{wanted.mode.value}"', autoescape=True))
    if wanted.price_from_fen is not None or wanted.price_to_fen is not None:
        found.append(sa.or_(low.is_not(None), high.is_not(None)))
    if wanted.price_from_fen is not None:
        found.append(sa.or_(high.is_(None), high >= wanted.price_from_fen))
    if wanted.price_to_fen is not None:
        found.append(sa.or_(low.is_(None), low <= wanted.price_to_fen))
    if wanted.organisation_ids is not None:
        found.append(c.organisation_id.in_(wanted.organisation_ids))
    if wanted.words:
        found.append(c.title.icontains(wanted.words, autoescape=True))
    return found


def order(c: Any, expiring_first: bool) -> list[sa.ColumnElement[Any]]:
    """Newest first, or what ends soonest first."""
    if expiring_first:
        return [c.valid_until.asc().nulls_last(), c.updated_at.desc(), c.id.desc()]
    return [c.published_at.desc().nulls_last(), c.id.desc()]


def results(
    session: Session,
    actor: Actor,
    wanted: Filter,
    *,
    limit: int,
    offset: int = 0,
    english: bool = False,
    expiring_first: bool = False,
) -> tuple[list[ResultCard], int]:
    """A page of results the actor may know of, and how many there are in all. Two statements."""
    c, o, i = t(Result).c, t(Organisation).c, t(Industry).c
    where = conditions(c, actor, RESULT, wanted, trl=c.trl, low=c.price_low_fen, high=c.price_high_fen)
    joined = sa.join(t(Result), t(Organisation), c.organisation_id == o.id)
    # Every listing has its organisation: only a filter on that needs the join for counting.
    counted = joined if wanted.owner_kind is not None else t(Result)
    total = session.scalar(sa.select(sa.func.count()).select_from(counted).where(*where)) or 0
    rows = session.execute(
        sa.select(
            c.id, in_language(c.title, c.title_en, english).label("title"),
            sa.func.substr(c.abstract, 1, SUMMARY).label("summary"), c.organisation_id,
            in_language(o.name, o.name_en, english).label("owner_name"), o.kind.label("owner_kind"),
            c.industry_code, in_language(i.name, i.name_en, english).label("industry_name"),
            c.trl, c.stage, c.modes, c.pricing_mode, c.price_low_fen, c.price_high_fen, c.keywords, c.state,
            c.published_at, c.confirmed_at, c.valid_until, c.updated_at, c.version,
        )
        .select_from(joined.join(t(Industry), c.industry_code == i.code))
        .where(*where).order_by(*order(c, expiring_first)).limit(limit).offset(offset)
    )  # fmt: skip
    cards = []
    for row in rows.mappings():
        values = dict(row)
        values["owner_kind"] = OrganisationKind(values["owner_kind"])
        values["stage"] = Stage(values["stage"]) if values["stage"] else None
        values["modes"] = [CooperationMode(mode) for mode in values["modes"]]
        values["pricing_mode"] = PricingMode(values["pricing_mode"])
        values["state"] = ListingState(values["state"])
        cards.append(ResultCard(**values))
    return cards, total


def count_by_state(
    session: Session, model: type[Any], organisation_ids: Iterable[int]
) -> dict[ListingState, int]:
    """How many listings organisations have in each state. One statement."""
    c = t(model).c
    rows = session.execute(
        sa.select(c.state, sa.func.count())
        .where(c.organisation_id.in_(list(organisation_ids)))
        .group_by(c.state)
    )
    return {ListingState(state): number for state, number in rows}


def result_detail(session: Session, actor: Actor, result_id: int, *, english: bool = False) -> ResultDetail:
    """A result with its claims, rights and attachments. Raises NotFound for what the actor may not know of."""
    c, o, i = t(Result).c, t(Organisation).c, t(Industry).c
    row = session.execute(
        sa.select(
            t(Result), in_language(o.name, o.name_en, english).label("owner_name"), o.kind.label("owner_kind"),
            o.town.label("owner_town"), o.promised_reply_hours,
            in_language(i.name, i.name_en, english).label("industry_name"),
        )
        .select_from(t(Result))
        .join(t(Organisation), c.organisation_id == o.id).join(t(Industry), c.industry_code == i.code)
        .where(c.id == result_id, allowed(c, actor, RESULT))
    ).mappings().first()  # fmt: skip
    if row is None:
        raise NotFound(kind="result")
    values = dict(row)
    values.pop("created_by")
    contact = Contact(values.pop("contact_name"), values.pop("contact_phone"), values.pop("contact_email"))
    visible = _contact_visible(session, actor, "result", result_id, row["organisation_id"])
    values.update(
        owner_kind=OrganisationKind(row["owner_kind"]),
        stage=Stage(row["stage"]) if row["stage"] else None,
        modes=[CooperationMode(mode) for mode in row["modes"]],
        pricing_mode=PricingMode(row["pricing_mode"]),
        state=ListingState(row["state"]),
        contact=contact if visible else None,
        claims=[
            Claim(claim.statement, claim.figure, claim.comparator, claim.source, EvidenceGrade(claim.grade))
            for claim in read_claims(session, result_id)
        ],
        ip=[
            Right(IpKind(r.kind), r.number, r.title, IpStatus(r.status), r.fee_paid_to, r.pledged)
            for r in read_ip(session, result_id)
        ],
        attachments=files.of(
            session, "result", result_id, files.openable(actor, row["organisation_id"], party=visible)
        ),
    )
    return ResultDetail(**values)


def contact_visible(session: Session, actor: Actor, result: Any) -> bool:
    """Whether the actor is shown whom to ask about a result (anything with `id` and `organisation_id`):
    its owner's people, those who oversee enquiries, and both sides of an enquiry about it. At most one
    statement."""
    return _contact_visible(session, actor, "result", result.id, result.organisation_id)


def _contact_visible(session: Session, actor: Actor, kind: str, row_id: int, organisation_id: int) -> bool:
    mine = [m.organisation_id for m in actor.memberships if m.verified]
    if organisation_id in mine or can(actor, Action.ENQUIRY_OVERSEE) or not actor.is_signed_in:
        return organisation_id in mine or can(actor, Action.ENQUIRY_OVERSEE)
    c = ENQUIRY.c
    asked = sa.and_(
        c.subject_kind == kind,
        c.subject_id == row_id,
        sa.or_(c.from_person_id == actor.person_id, c.from_organisation_id.in_(mine)),
    )
    if kind == "result":
        asked = sa.or_(asked, sa.and_(c.offered_result_id == row_id, c.to_organisation_id.in_(mine)))
    return bool(session.scalar(sa.select(sa.exists().select_from(ENQUIRY).where(asked))))


def listing_contact_visible(
    session: Session, actor: Actor, kind: str, row_id: int, organisation_id: int
) -> bool:
    """`contact_visible` for a listing of either kind."""
    return _contact_visible(session, actor, kind, row_id, organisation_id)


def standing(session: Session, actor: Actor, trade: Trade, model: type[Any], row_id: int) -> Any:
    """A listing's organisation_id, state, version and title. Raises NotFound for what the actor may not
    know of. At most two statements."""
    c = t(model).c
    row = session.execute(
        sa.select(c.id, c.organisation_id, c.state, c.version, c.title).where(c.id == row_id)
    ).first()
    if row is None or not lifecycle.may_see(session, actor, trade, row):
        raise NotFound(kind=trade.kind)
    return row


def gone_to(session: Session, actor: Actor, result_id: int) -> int | None:
    """The result that goes on for one that was merged, if the actor may see it; None otherwise. At most three
    statements."""
    c = t(Result).c
    into = session.scalar(sa.select(c.merged_into_id).where(c.id == result_id))
    if into is None:
        return None
    try:
        standing(session, actor, RESULT, Result, into)
    except NotFound:
        return None
    return into


def editable(session: Session, actor: Actor, trade: Trade, model: type[Any], row_id: int) -> Any:
    """A listing's row, detached, to fill its form or compare its versions. Raises NotFound,
    SignInRequired, NotAllowed."""
    row = session.get(model, row_id)
    if row is None or not lifecycle.may_see(session, actor, trade, row):
        raise NotFound(kind=trade.kind)
    require(actor, trade.edit, row.organisation_id)
    session.expunge(row)
    return row


def organisations_to_list_for(
    session: Session, actor: Actor, action: Action, *, english: bool = False
) -> list[tuple[int, str]]:
    """The verified organisations for which the actor may create listings, by name, at most 1,000."""
    o = t(Organisation).c
    statement = sa.select(o.id, in_language(o.name, o.name_en, english)).where(
        o.state == OrganisationState.VERIFIED.value
    )
    reach = actor.organisations_for(action)
    if reach is not None:
        statement = statement.where(o.id.in_(reach))
    return [(row[0], row[1]) for row in session.execute(statement.order_by(o.name, o.id).limit(1000))]
