"""A published result or demand as one flat document, whatever tables it is spread over.

The same shape serves the index, the comparison of two sides and the reasons given. Only published rows
of verified organisations become documents; a key that yields none is to be removed from the index.
"""

import datetime as dt
import enum
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market.db import t
from market.demands.models import Demand, DemandTarget
from market.listings.models import ListingState, Result, ResultClaim, ResultIp
from market.parties.models import Organisation, OrganisationState

_BETWEEN_NAMES = re.compile(r"[\s,，、;；。]+")

CHUNK = 400
"""Rows read per statement, well below SQLite's limit of bound parameters."""


class Kind(enum.StrEnum):
    """The two sides of the market; the values are those of the dirty set."""

    RESULT = "result"
    DEMAND = "demand"

    @property
    def other(self) -> "Kind":
        """The side that this side looks for."""
        return Kind.DEMAND if self is Kind.RESULT else Kind.RESULT


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which row: `result:17`."""

    kind: Kind
    id: int

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """The key that `str` wrote. Raises ValueError."""
        kind, _, row_id = text.partition(":")
        return cls(Kind(kind), int(row_id))


@dataclass(frozen=True, slots=True)
class Document:
    """What is known of a listing when it is searched for or compared.

    `trl` is the readiness a result has, or the lowest that would help a demand. Prices are fen: what a
    result asks, or a demand's budget; both None means negotiable. `names` (the owner's) and `inventors`
    (a demand: its experts) can be searched for and are not compared. `version` tells two texts of one row apart.
    """

    key: Key
    title: str
    text: str = ""
    keywords: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    inventors: tuple[str, ...] = ()
    industry: str = ""
    ipc: tuple[str, ...] = ()
    trl: int | None = None
    modes: tuple[str, ...] = ()
    price_low: int | None = None
    price_high: int | None = None
    region: str = ""
    owner_id: int = 0
    owner_name: str = ""
    owner_kind: str = ""
    numbers: tuple[str, ...] = ()
    published_at: dt.datetime | None = None
    updated_at: dt.datetime | None = None
    version: int = 1

    @property
    def whole_text(self) -> str:
        """Title, keywords and prose, as compared with the other side."""
        return "\n".join(part for part in (self.title, " ".join(self.keywords), self.text) if part)


_OWNER = (
    t(Organisation).c.name.label("owner_name"),
    t(Organisation).c.name_en.label("owner_name_en"),
    t(Organisation).c.kind.label("owner_kind"),
    t(Organisation).c.region_code,
    t(Organisation).c.credit_code,
)

_VERIFIED = t(Organisation).c.state == OrganisationState.VERIFIED.value


def load(session: Session, keys: Iterable[Key]) -> dict[Key, Document]:
    """The documents of those of the keys that are published. At most three statements per kind and chunk."""
    wanted: dict[Kind, list[int]] = defaultdict(list)
    for key in keys:
        wanted[key.kind].append(key.id)
    documents: dict[Key, Document] = {}
    for kind, ids in wanted.items():
        ids = sorted(set(ids))
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            found = _results(session, chunk) if kind is Kind.RESULT else _demands(session, chunk)
            documents.update((document.key, document) for document in found)
    return documents


def published_keys(session: Session, kind: Kind, after: int = 0, limit: int = CHUNK) -> list[Key]:
    """Keys of published rows of a kind with an id above `after`, ascending: one page of a full read."""
    c = t(Result if kind is Kind.RESULT else Demand).c
    statement = (
        sa.select(c.id)
        .where(c.state == ListingState.PUBLISHED.value, c.id > after)
        .order_by(c.id)
        .limit(limit)
    )
    return [Key(kind, row_id) for row_id in session.execute(statement).scalars()]


def published_count(session: Session, kind: Kind) -> int:
    """How many rows of a kind are published."""
    c = t(Result if kind is Kind.RESULT else Demand).c
    statement = sa.select(sa.func.count()).where(c.state == ListingState.PUBLISHED.value)
    return int(session.execute(statement).scalar_one())


def keys_of_owner(session: Session, organisation_ids: Sequence[int]) -> list[Key]:
    """Keys of everything that the organisations list, in whatever state."""
    keys: list[Key] = []
    for kind, model in ((Kind.RESULT, Result), (Kind.DEMAND, Demand)):
        c = t(model).c
        statement = sa.select(c.id).where(c.organisation_id.in_(organisation_ids))
        keys.extend(Key(kind, row_id) for row_id in session.execute(statement).scalars())
    return keys


def _results(session: Session, ids: Sequence[int]) -> Iterator[Document]:
    r = t(Result).c
    statement = (
        sa.select(
            r.id,
            r.title,
            r.title_en,
            r.abstract,
            r.advantages,
            r.application,
            r.keywords,
            r.industry_code,
            r.ipc,
            r.trl,
            r.modes,
            r.price_low_fen,
            r.price_high_fen,
            r.inventors,
            r.published_at,
            r.updated_at,
            r.version,
            r.organisation_id,
            *_OWNER,
        )
        .join(t(Organisation), t(Organisation).c.id == r.organisation_id)
        .where(r.id.in_(ids), r.state == ListingState.PUBLISHED.value, _VERIFIED)
    )
    rows = session.execute(statement).all()
    rights, claims = t(ResultIp).c, t(ResultClaim).c
    numbers = _grouped(
        session, sa.select(rights.result_id, rights.number, rights.title).where(rights.result_id.in_(ids))
    )
    said = _grouped(
        session, sa.select(claims.result_id, claims.statement, claims.figure).where(claims.result_id.in_(ids))
    )
    for row in rows:
        owned = numbers[row.id]
        yield Document(
            key=Key(Kind.RESULT, row.id),
            title=row.title,
            text=_prose(
                row.abstract,
                row.advantages,
                row.application,
                *(" ".join(claim) for claim in said[row.id]),
                *(title for _, title in owned),
                row.title_en,
            ),
            keywords=_strings(row.keywords),
            names=_names(row),
            inventors=_strings(row.inventors),
            industry=row.industry_code,
            ipc=_strings(row.ipc),
            trl=row.trl,
            modes=_strings(row.modes),
            price_low=row.price_low_fen if row.price_low_fen is not None else row.price_high_fen,
            price_high=row.price_high_fen if row.price_high_fen is not None else row.price_low_fen,
            region=row.region_code,
            owner_id=row.organisation_id,
            owner_name=row.owner_name,
            owner_kind=row.owner_kind,
            numbers=(*(number for number, _ in owned if number), row.credit_code),
            published_at=row.published_at,
            updated_at=row.updated_at,
            version=row.version,
        )


def _demands(session: Session, ids: Sequence[int]) -> Iterator[Document]:
    d = t(Demand).c
    statement = (
        sa.select(
            d.id,
            d.title,
            d.title_en,
            d.difficulty,
            d.research,
            d.background,
            d.keywords,
            d.industry_code,
            d.ipc,
            d.modes,
            d.wanted_trl,
            d.budget_low_fen,
            d.budget_high_fen,
            d.experts,
            d.published_at,
            d.updated_at,
            d.version,
            d.organisation_id,
            *_OWNER,
        )
        .join(t(Organisation), t(Organisation).c.id == d.organisation_id)
        .where(d.id.in_(ids), d.state == ListingState.PUBLISHED.value, _VERIFIED)
    )
    rows = session.execute(statement).all()
    g = t(DemandTarget).c
    targets = _grouped(
        session, sa.select(g.demand_id, g.name, g.threshold, g.unit).where(g.demand_id.in_(ids))
    )
    for row in rows:
        yield Document(
            key=Key(Kind.DEMAND, row.id),
            title=row.title,
            text=_prose(
                row.difficulty,
                row.research,
                *(" ".join(target) for target in targets[row.id]),
                row.background,
                row.title_en,
            ),
            keywords=_strings(row.keywords),
            names=_names(row),
            inventors=tuple(name for name in _BETWEEN_NAMES.split(row.experts or "") if name),
            industry=row.industry_code,
            ipc=_strings(row.ipc),
            trl=row.wanted_trl,
            modes=_strings(row.modes),
            price_low=row.budget_low_fen if row.budget_low_fen is not None else row.budget_high_fen,
            price_high=row.budget_high_fen if row.budget_high_fen is not None else row.budget_low_fen,
            region=row.region_code,
            owner_id=row.organisation_id,
            owner_name=row.owner_name,
            owner_kind=row.owner_kind,
            numbers=(row.credit_code,),
            published_at=row.published_at,
            updated_at=row.updated_at,
            version=row.version,
        )


def _grouped(
    session: Session, statement: sa.Select[tuple[int, str, str]] | sa.Select[tuple[int, str, str, str]]
) -> dict[int, list[tuple[str, ...]]]:
    """Rows of a detail table by the id in their first column."""
    grouped: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for owner, *values in session.execute(statement):
        grouped[owner].append(tuple(values))
    return grouped


def _strings(values: object) -> tuple[str, ...]:
    """A stored JSON list as strings; imports may have left other things in it."""
    return tuple(str(value) for value in values if value) if isinstance(values, list) else ()


def _names(row: Any) -> tuple[str, ...]:
    return tuple(name for name in (row.owner_name, row.owner_name_en) if name)


def _prose(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part)
