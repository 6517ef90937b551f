"""What an address asks of the search: the same for the page, its feed, saved searches and their mail.

A value in the address that means nothing is ignored rather than refused: links grow old.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from market.db import Session
from market.listings.models import CooperationMode
from market.money import FEN_PER_WAN
from market.parties.models import OrganisationKind
from market.taxonomy import queries as taxonomy
from matching.documents import Kind
from matching.index import DEEPEST, Circle, Filters, Sort, circle_codes
from web import i18n
from web.matches import mode_name
from web.render import url

PER_PAGE = 20
LONGEST_QUERY = 500
TRL_BANDS = {"1-3": range(1, 4), "4-6": range(4, 7), "7-9": range(7, 10)}


@dataclass(frozen=True)
class Asked:
    """What the address asks for."""

    words: str
    kind: Kind | None
    industries: tuple[str, ...]
    trls: tuple[str, ...]
    modes: tuple[str, ...]
    owners: tuple[str, ...]
    years: tuple[int, ...]
    region: str
    """A division code, or the name of a `Circle` around the market's own place."""
    price: str
    sort: Sort
    page: int

    def filters(self, home: str) -> Filters:
        """As the index takes them, in a market whose own division is `home`."""
        low, high = price_bounds(self.price)
        region: str | None = self.region or None
        outside = None
        if self.region in set(Circle):
            code = circle_codes(home).get(Circle(self.region))
            region, outside = (None, code) if self.region == Circle.OUTSIDE else (code, None)
        return Filters(
            kinds=frozenset({self.kind.value}) if self.kind else frozenset(),
            industries=frozenset(self.industries),
            modes=frozenset(self.modes),
            owner_kinds=frozenset(self.owners),
            trls=frozenset(level for band in self.trls for level in TRL_BANDS[band]),
            price_from=low,
            price_to=high,
            region=region,
            outside=outside,
            years=frozenset(self.years),
        )

    @property
    def narrowing(self) -> dict[str, Any]:
        """The filters in force but the kind, by their names in the address, in a fixed order."""
        values: dict[str, Any] = {
            "industry": self.industries,
            "trl": self.trls,
            "mode": self.modes,
            "owner": self.owners,
            "region": self.region,
            "price": self.price,
            "year": self.years,
        }
        return {name: value for name, value in values.items() if value}

    @property
    def canonical(self) -> str:
        """The query string of what is found, whatever its order and page: equal for equal searches."""
        return url("", q=self.words, kind=self.kind, **self.narrowing).removeprefix("?")

    @property
    def default_sort(self) -> Sort:
        """The order that the address need not name."""
        return Sort.RELEVANCE if self.words else Sort.NEWEST


def read(query: QueryParams) -> Asked:
    """The address's parameters, those without meaning left out."""
    kind, sort = query.get("kind", ""), query.get("sort", "")
    words = typed(query)[:LONGEST_QUERY]
    fallback = Sort.RELEVANCE if words else Sort.NEWEST
    page, region, price = query.get("page", ""), query.get("region", ""), query.get("price", "")
    return Asked(
        words=words,
        kind=Kind(kind) if kind in set(Kind) else None,
        industries=_several(query, "industry"),
        trls=tuple(band for band in _several(query, "trl") if band in TRL_BANDS),
        modes=tuple(mode for mode in _several(query, "mode") if mode in set(CooperationMode)),
        owners=tuple(owner for owner in _several(query, "owner") if owner in set(OrganisationKind)),
        years=tuple(int(year) for year in _several(query, "year") if re.fullmatch(r"[12][0-9]{3}", year)),
        region=region if region in set(Circle) or re.fullmatch(r"[0-9]{2,6}", region) else "",
        price=price if price_bounds(price) != (None, None) else "",
        sort=Sort(sort) if sort in set(Sort) else fallback,
        page=max(1, min(int(page), DEEPEST // PER_PAGE)) if re.fullmatch(r"[0-9]{1,6}", page) else 1,
    )


def typed(query: QueryParams) -> str:
    """What was typed, whole, less marks that nobody sees: they come with what is pasted and part a word."""
    return " ".join(_UNSEEN.sub("", storable(query.get("q", ""))).split())


def storable(text: str) -> str:
    """A text less what neither a database nor XML can hold: controls, lone surrogates, non-characters."""
    return _UNSTORABLE.sub("", text)


_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_UNSEEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Soft hyphens, zero widths, marks of direction."""


def _several(query: QueryParams, name: str) -> tuple[str, ...]:
    return tuple(sorted({storable(value)[:64] for value in query.getlist(name)[:100]} - {""})[:20])


def price_bounds(written: str) -> tuple[int | None, int | None]:
    """`10-50` (万元) as fen; either end may be missing. (None, None) for what is no such range."""
    low, dash, high = written.partition("-")
    if not dash or not all(
        end == "" or (end.isascii() and end.isdigit() and len(end) <= 7) for end in (low, high)
    ):
        return None, None
    return (
        int(low) * FEN_PER_WAN if low else None,
        int(high) * FEN_PER_WAN if high else None,
    )


def price_text(band: str, language: str) -> str:
    """A range of prices in words."""
    low, _, high = band.partition("-")
    which = "between" if low and low != "0" and high else "below" if high else "above"
    return i18n.term(f"price.{which}", language, {"low": low, "high": high})


def six(code: str) -> str:
    """A stem of a division code (`3310`) as the code itself (`331000`)."""
    return code.ljust(6, "0")


@dataclass(frozen=True)
class Names:
    """What industries and regions are called in a language, by code."""

    industries: Mapping[str, str]
    regions: Mapping[str, str]


def names(session: Session, language: str, several: Iterable[Asked], regions: Iterable[str] = ()) -> Names:
    """Names for what is asked for, and of further regions. Two statements."""
    codes = {*regions, *(six(one.region) for one in several if one.region[:1].isdigit())}
    return Names(taxonomy.industry_names(session, language), taxonomy.region_names(session, codes, language))


def region_text(region: str, known: Names, language: str) -> str:
    """A division or a circle in words."""
    if region in set(Circle):
        return i18n.label(Circle(region), language)
    return known.regions.get(six(region), region)


def said(asked: Asked, known: Names, language: str) -> list[str]:
    """What is asked for, piece by piece in words: a name for a saved search, a title for a feed."""
    return [
        *([asked.words] if asked.words else []),
        *([i18n.label(asked.kind, language)] if asked.kind else []),
        *(known.industries.get(code, code) for code in asked.industries),
        *(f"TRL {band.replace('-', '–')}" for band in asked.trls),
        *(mode_name(mode, language) for mode in asked.modes),
        *(i18n.label(OrganisationKind(owner), language) for owner in asked.owners),
        *([region_text(asked.region, known, language)] if asked.region else []),
        *([price_text(asked.price, language)] if asked.price else []),
        *(str(year) for year in asked.years),
    ]
