"""Reads of industries and regions; each is one statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.errors import NotFound
from market.taxonomy.models import Industry, Region
from market.taxonomy.rules import ancestors


@dataclass(frozen=True)
class IndustryView:
    """An industry as lists and forms show it."""

    code: str
    name: str
    name_en: str
    ipc_prefixes: list[str]
    sort: int
    active: bool
    version: int

    def called(self, language: str) -> str:
        """Its name in a language."""
        return self.name_en if language == "en" and self.name_en else self.name


@dataclass(frozen=True)
class RegionView:
    """A region as lists and forms show it."""

    code: str
    name: str
    name_en: str
    parent_code: str

    def called(self, language: str) -> str:
        """Its name in a language."""
        return self.name_en if language == "en" and self.name_en else self.name


def _industries() -> sa.Select[Any]:
    c = t(Industry).c
    return sa.select(c.code, c.name, c.name_en, c.ipc_prefixes, c.sort, c.active, c.version)


def industries(session: Session, *, retired: bool = False) -> list[IndustryView]:
    """The industries in their order; retired ones only when asked for."""
    c = t(Industry).c
    statement = _industries().order_by(c.sort, c.code)
    if not retired:
        statement = statement.where(c.active.is_(True))
    return [IndustryView(*row) for row in session.execute(statement)]


def industry(session: Session, code: str) -> IndustryView:
    """One industry, retired or not. Raises NotFound."""
    row = session.execute(_industries().where(t(Industry).c.code == code)).first()
    if row is None:
        raise NotFound
    return IndustryView(*row)


def industry_names(session: Session, language: str) -> dict[str, str]:
    """Code → name in a language, retired ones too (old listings still have them)."""
    return {view.code: view.called(language) for view in industries(session, retired=True)}


def regions(session: Session, *, under: str = "") -> list[RegionView]:
    """Regions in force, those directly under another when one is named, by code."""
    c = t(Region).c
    statement = sa.select(c.code, c.name, c.name_en, c.parent_code).where(c.valid_to.is_(None))
    if under:
        statement = statement.where(c.parent_code == under)
    return [RegionView(*row) for row in session.execute(statement.order_by(c.code))]


def nearby_first(found: Iterable[RegionView], home: str) -> list[RegionView]:
    """Regions for a form: the home city, its neighbours, its province, then everybody else; abroad last."""
    prefecture, province = f"{home[:4]}00", f"{home[:2]}0000"

    def place(view: RegionView) -> tuple[int, str]:
        if view.code == home:
            return 0, view.code
        if view.parent_code == prefecture or view.code == prefecture:
            return 1, view.code
        if view.parent_code == province or view.code == province:
            return 2, view.code
        return (4 if view.code == "000000" else 3), view.code

    return sorted(found, key=place)


def region_names(session: Session, codes: Iterable[str], language: str) -> dict[str, str]:
    """Code → name. A code that we hold no row for is named after what it lies in, else by itself."""
    wanted = set(codes)
    c = t(Region).c
    every = {wider for code in wanted for wider in ancestors(code)}
    rows = session.execute(sa.select(c.code, c.name, c.name_en).where(c.code.in_(sorted(every))))
    known = {row.code: (row.name_en if language == "en" and row.name_en else row.name) for row in rows}
    return {
        code: next((known[wider] for wider in ancestors(code) if wider in known), code) for code in wanted
    }


def knows_region(session: Session, code: str) -> bool:
    """Whether a code is a region's, or lies in a region we hold."""
    c = t(Region).c
    return session.execute(sa.select(c.code).where(c.code.in_(ancestors(code))).limit(1)).first() is not None
