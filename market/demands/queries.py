"""Reads of demands. A list takes two statements, a demand at most four."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.demands.models import Comparator, Demand, DemandSource
from market.demands.service import DEMAND, read_targets
from market.errors import NotFound
from market.files import queries as files
from market.files.queries import FileView
from market.listings.models import CooperationMode, ListingState
from market.listings.queries import (
    SUMMARY,
    Contact,
    Filter,
    allowed,
    conditions,
    in_language,
    listing_contact_visible,
    order,
)
from market.parties.models import Organisation, OrganisationKind
from market.permissions import Actor
from market.taxonomy.models import Industry


@dataclass(frozen=True)
class DemandCard:
    """A demand as a list shows it. `title` and names are in the language asked for, where they exist."""

    id: int
    title: str
    summary: str
    organisation_id: int
    owner_name: str
    owner_kind: OrganisationKind
    industry_code: str
    industry_name: str
    wanted_trl: int | None
    modes: list[CooperationMode]
    budget_low_fen: int | None
    budget_high_fen: int | None
    deadline: dt.date | None
    keywords: list[str]
    origin: DemandSource
    state: ListingState
    published_at: dt.datetime | None
    confirmed_at: dt.datetime | None
    valid_until: dt.date | None
    updated_at: dt.datetime
    version: int

    @property
    def budget_fen(self) -> int | None:
        """The most that the firm would spend, where it says."""
        return self.budget_high_fen if self.budget_high_fen is not None else self.budget_low_fen


@dataclass(frozen=True)
class Target:
    """A figure that a solution must reach."""

    name: str
    comparator: Comparator
    threshold: str
    threshold_high: str
    unit: str
    condition: str


@dataclass(frozen=True)
class DemandDetail:
    """Everything about a demand that the asker may see. `contact` is None while it is hidden."""

    id: int
    version: int
    organisation_id: int
    owner_name: str
    owner_kind: OrganisationKind
    owner_town: str
    promised_reply_hours: int | None
    title: str
    title_en: str
    difficulty: str
    research: str
    background: str
    keywords: list[str]
    industry_code: str
    industry_name: str
    ipc: list[str]
    modes: list[CooperationMode]
    wanted_trl: int | None
    budget_low_fen: int | None
    budget_high_fen: int | None
    deadline: dt.date | None
    experts: str
    origin: DemandSource
    state: ListingState
    state_reason: str
    published_at: dt.datetime | None
    confirmed_at: dt.datetime | None
    valid_until: dt.date | None
    source: str
    source_id: str | None
    created_at: dt.datetime
    updated_at: dt.datetime
    contact: Contact | None
    targets: list[Target] = field(default_factory=list)
    attachments: list[FileView] = field(default_factory=list)


def demands(
    session: Session,
    actor: Actor,
    wanted: Filter,
    *,
    limit: int,
    offset: int = 0,
    english: bool = False,
    expiring_first: bool = False,
) -> tuple[list[DemandCard], int]:
    """A page of demands the actor may know of, and how many there are in all. Two statements."""
    c, o, i = t(Demand).c, t(Organisation).c, t(Industry).c
    where = conditions(
        c, actor, DEMAND, wanted, trl=c.wanted_trl, low=c.budget_low_fen, high=c.budget_high_fen
    )
    joined = sa.join(t(Demand), t(Organisation), c.organisation_id == o.id)
    # Every listing has its organisation: only a filter on that needs the join for counting.
    counted = joined if wanted.owner_kind is not None else t(Demand)
    total = session.scalar(sa.select(sa.func.count()).select_from(counted).where(*where)) or 0
    rows = session.execute(
        sa.select(
            c.id, in_language(c.title, c.title_en, english).label("title"),
            sa.func.substr(c.difficulty, 1, SUMMARY).label("summary"), c.organisation_id,
            in_language(o.name, o.name_en, english).label("owner_name"), o.kind.label("owner_kind"),
            c.industry_code, in_language(i.name, i.name_en, english).label("industry_name"),
            c.wanted_trl, c.modes, c.budget_low_fen, c.budget_high_fen, c.deadline, c.keywords, c.origin,
            c.state, c.published_at, c.confirmed_at, c.valid_until, c.updated_at, c.version,
        )
        .select_from(joined.join(t(Industry), c.industry_code == i.code))
        .where(*where).order_by(*order(c, expiring_first)).limit(limit).offset(offset)
    )  # fmt: skip
    return [DemandCard(**_typed(dict(row))) for row in rows.mappings()], total


def demand_detail(session: Session, actor: Actor, demand_id: int, *, english: bool = False) -> DemandDetail:
    """A demand with its targets and attachments. Raises NotFound for what the actor may not know of."""
    c, o, i = t(Demand).c, t(Organisation).c, t(Industry).c
    row = session.execute(
        sa.select(
            t(Demand), in_language(o.name, o.name_en, english).label("owner_name"), o.kind.label("owner_kind"),
            o.town.label("owner_town"), o.promised_reply_hours,
            in_language(i.name, i.name_en, english).label("industry_name"),
        )
        .select_from(t(Demand))
        .join(t(Organisation), c.organisation_id == o.id).join(t(Industry), c.industry_code == i.code)
        .where(c.id == demand_id, allowed(c, actor, DEMAND))
    ).mappings().first()  # fmt: skip
    if row is None:
        raise NotFound(kind="demand")
    values = _typed(dict(row))
    values.pop("created_by")
    contact = Contact(values.pop("contact_name"), values.pop("contact_phone"), values.pop("contact_email"))
    visible = listing_contact_visible(session, actor, "demand", demand_id, row["organisation_id"])
    values.update(
        contact=contact if visible else None,
        targets=[
            Target(x.name, Comparator(x.comparator), x.threshold, x.threshold_high, x.unit, x.condition)
            for x in read_targets(session, demand_id)
        ],
        attachments=files.of(
            session, "demand", demand_id, files.openable(actor, row["organisation_id"], party=visible)
        ),
    )
    return DemandDetail(**values)


def contact_visible(session: Session, actor: Actor, demand: Any) -> bool:
    """Whether the actor is shown whom to ask about a demand: its owner's people, those who oversee
    enquiries, and whoever answered it with one. At most one statement."""
    return listing_contact_visible(session, actor, "demand", demand.id, demand.organisation_id)


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    values["owner_kind"] = OrganisationKind(values["owner_kind"])
    values["modes"] = [CooperationMode(mode) for mode in values["modes"]]
    values["origin"] = DemandSource(values["origin"])
    values["state"] = ListingState(values["state"])
    return values
