"""The search page: words, filters and order, all in the address, so that it can be shared.

A value in the address that means nothing is ignored rather than refused: links grow old.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.responses import Response

from market.db import Session
from market.listings.models import CooperationMode
from market.money import FEN_PER_WAN
from market.parties.models import OrganisationKind
from market.taxonomy import queries as taxonomy
from matching import documents
from matching.documents import Kind
from matching.index import DEEPEST, Facet, Filters, Hits, IndexState, Sort
from web import i18n
from web.deps import PageDep, ReadTx
from web.matches import Card, card, mode_name
from web.render import Page, changed_url

router = APIRouter()

PER_PAGE = 20
LONGEST_QUERY = 500
TRL_BANDS = {"1-3": range(1, 4), "4-6": range(4, 7), "7-9": range(7, 10)}
PRICE_BANDS = ("0-10", "10-50", "50-100", "100-500", "500-")
"""In ten thousands of yuan (万元), as the address holds them; any other `from-to` is understood too."""
MOST_REGIONS = 14


@dataclass(frozen=True)
class Asked:
    """What the address asks for."""

    words: str
    kind: Kind | None
    industries: tuple[str, ...]
    trls: tuple[str, ...]
    modes: tuple[str, ...]
    owners: tuple[str, ...]
    region: str
    price: str
    sort: Sort
    page: int

    @property
    def filters(self) -> Filters:
        """As the index takes them."""
        low, high = price_bounds(self.price)
        return Filters(
            kinds=frozenset({self.kind.value}) if self.kind else frozenset(),
            industries=frozenset(self.industries),
            modes=frozenset(self.modes),
            owner_kinds=frozenset(self.owners),
            trls=frozenset(level for band in self.trls for level in TRL_BANDS[band]),
            price_from=low,
            price_to=high,
            region=self.region or None,
        )

    @property
    def narrowed(self) -> bool:
        """Whether any filter but the kind is in force."""
        return bool(self.industries or self.trls or self.modes or self.owners or self.region or self.price)


def read(query: QueryParams) -> Asked:
    """The address's parameters, those without meaning left out."""
    kind, sort = query.get("kind", ""), query.get("sort", "")
    words = " ".join(query.get("q", "").split())[:LONGEST_QUERY]
    fallback = Sort.RELEVANCE if words else Sort.NEWEST
    page, region, price = query.get("page", ""), query.get("region", ""), query.get("price", "")
    return Asked(
        words=words,
        kind=Kind(kind) if kind in set(Kind) else None,
        industries=_several(query, "industry"),
        trls=tuple(band for band in _several(query, "trl") if band in TRL_BANDS),
        modes=tuple(mode for mode in _several(query, "mode") if mode in set(CooperationMode)),
        owners=tuple(owner for owner in _several(query, "owner") if owner in set(OrganisationKind)),
        region=region if region.isascii() and region.isdigit() and 2 <= len(region) <= 6 else "",
        price=price if price_bounds(price) != (None, None) else "",
        sort=Sort(sort) if sort in set(Sort) else fallback,
        page=max(1, min(int(page), DEEPEST // PER_PAGE)) if re.fullmatch(r"[0-9]{1,6}", page) else 1,
    )


def _several(query: QueryParams, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value[:64] for value in query.getlist(name) if value))[:20]


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


@dataclass(frozen=True)
class Choice:
    """One option of a facet."""

    value: str
    text: str
    count: int | None
    selected: bool


@dataclass(frozen=True)
class Group:
    """One facet of the form."""

    name: str
    legend: str
    options: list[Choice]
    kind: str = "checkbox"
    open: bool = False


@dataclass(frozen=True)
class SearchPage:
    """Context of the search page."""

    words: str
    kind: str
    found: list[Card]
    total: int
    groups: list[Group]
    active: list[tuple[str, str]]
    clear_href: str
    keep: dict[str, str]
    tabs: list[tuple[str, str, bool, int | None]]
    sorts: list[tuple[str, str, bool]]
    number: int
    pages: int
    relaxed: bool
    building: bool
    narrowed: bool


@router.get("/search")
def search_page(page: PageDep, session: ReadTx) -> Response:
    """Results and demands found by words, numbers and filters."""
    asked = read(page.request.query_params)
    index = page.parts.index
    hits = index.search(
        asked.words,
        asked.filters,
        sort=asked.sort,
        offset=(asked.page - 1) * PER_PAGE,
        limit=PER_PAGE,
        facets=list(Facet),
    )
    names = _names(session, hits, asked, page.language)
    groups = _groups(hits, asked, names, page)
    clear = changed_url(
        page.request, industry=None, trl=None, mode=None, owner=None, region=None, price=None, page=None
    )
    context = SearchPage(
        words=asked.words,
        kind=asked.kind.value if asked.kind else "",
        found=_cards(session, hits, names.industries),
        total=hits.total,
        groups=groups,
        active=list(_active(groups, page)),
        clear_href=clear,
        keep={"q": asked.words, "kind": asked.kind.value if asked.kind else "", "sort": _kept_sort(asked)},
        tabs=list(_tabs(hits, asked, page)),
        sorts=list(_sorts(asked, page)),
        number=asked.page,
        pages=-(-min(hits.total, DEEPEST) // PER_PAGE),
        relaxed=hits.relaxed,
        building=index.state is IndexState.BUILDING,
        narrowed=asked.narrowed,
    )
    return page.render("search/search.html", context)


def _kept_sort(asked: Asked) -> str:
    default = Sort.RELEVANCE if asked.words else Sort.NEWEST
    return "" if asked.sort is default else asked.sort.value


def _cards(session: Session, hits: Hits, industries: Mapping[str, str]) -> list[Card]:
    """The rows behind the hits as they are now; what is no longer published is left out."""
    found = documents.load(session, [hit.key for hit in hits.hits])
    return [card(found[hit.key], hits.terms, industries) for hit in hits.hits if hit.key in found]


@dataclass(frozen=True)
class _Names:
    industries: Mapping[str, str]
    regions: Mapping[str, str]


def _names(session: Session, hits: Hits, asked: Asked, language: str) -> _Names:
    codes = {_six(code) for code in hits.facets.get(Facet.REGION, {})} | ({asked.region} - {""})
    return _Names(taxonomy.industry_names(session, language), taxonomy.region_names(session, codes, language))


def _six(code: str) -> str:
    """A stem of a division code (`3310`) as the code itself (`331000`)."""
    return code.ljust(6, "0")


def _groups(hits: Hits, asked: Asked, names: _Names, page: Page) -> list[Group]:
    counts, language = hits.facets, page.language

    def options(
        found: Mapping[str, int], chosen: Iterable[str], name: Callable[[str], str], order: Iterable[str]
    ) -> list[Choice]:
        chosen = tuple(chosen)
        return [
            Choice(value, name(value), found.get(value, 0), value in chosen)
            for value in order
            if found.get(value) or value in chosen
        ]

    industries = counts[Facet.INDUSTRY]
    levels = counts[Facet.TRL]
    bands = {band: sum(levels.get(str(n), 0) for n in span) for band, span in TRL_BANDS.items()}
    regions = {_six(code): count for code, count in counts[Facet.REGION].items()}
    home = page.parts.settings.region_code
    shown = sorted(regions, key=lambda code: (code != home, -regions[code], code))[:MOST_REGIONS]
    if asked.region and _six(asked.region) not in shown:
        shown.append(_six(asked.region))
    groups = [
        Group(
            "industry",
            i18n.term("Facet.industry", language),
            options(
                industries, asked.industries, lambda code: names.industries.get(code, code), names.industries
            ),
        ),
        Group(
            "trl",
            i18n.term("Facet.trl", language),
            options(bands, asked.trls, lambda band: i18n.term(f"trl.{band}", language), TRL_BANDS),
        ),
        Group(
            "mode",
            i18n.term("Facet.mode", language),
            options(counts[Facet.MODE], asked.modes, lambda mode: mode_name(mode, language), CooperationMode),
        ),
        Group(
            "owner",
            i18n.term("Facet.owner_kind", language),
            options(
                counts[Facet.OWNER_KIND],
                asked.owners,
                lambda kind: i18n.label(OrganisationKind(kind), language),
                OrganisationKind,
            ),
        ),
        Group(
            "region",
            i18n.term("Facet.region", language),
            _with_any(
                options(
                    regions,
                    [_six(asked.region)] if asked.region else [],
                    lambda code: names.regions.get(code, code),
                    shown,
                ),
                language,
            ),
            kind="radio",
        ),
        Group(
            "price",
            i18n.term("facet.price", language),
            _with_any(
                [
                    Choice(band, _price_text(band, language), None, band == asked.price)
                    for band in dict.fromkeys((*PRICE_BANDS, *([asked.price] if asked.price else [])))
                ],
                language,
            ),
            kind="radio",
        ),
    ]
    return [group for group in groups if group.options]


def _with_any(options: list[Choice], language: str) -> list[Choice]:
    """A way back for radio buttons once one is chosen."""
    if not any(option.selected for option in options):
        return options
    return [Choice("", i18n.term("facet.any", language), None, False), *options]


def _price_text(band: str, language: str) -> str:
    low, _, high = band.partition("-")
    which = "between" if low and low != "0" and high else "below" if high else "above"
    return i18n.term(f"price.{which}", language, {"low": low, "high": high})


def _active(groups: Iterable[Group], page: Page) -> Iterable[tuple[str, str]]:
    """Each filter in force with the address that is without it."""
    for group in groups:
        chosen = [option for option in group.options if option.selected]
        for option in chosen:
            rest = [other.value for other in chosen if other is not option]
            yield option.text, changed_url(page.request, **{group.name: rest or None, "page": None})


def _tabs(hits: Hits, asked: Asked, page: Page) -> Iterable[tuple[str, str, bool, int | None]]:
    counts = hits.facets[Facet.KIND]
    everything: list[tuple[Kind | None, int]] = [(None, sum(counts.values()))]
    for kind, count in [*everything, *((kind, counts.get(kind.value, 0)) for kind in Kind)]:
        name = i18n.label(kind, page.language) if kind else i18n.term("search.all", page.language)
        href = changed_url(page.request, kind=kind.value if kind else None, page=None)
        yield name, href, asked.kind is kind, count


def _sorts(asked: Asked, page: Page) -> Iterable[tuple[str, str, bool]]:
    for sort in Sort:
        if sort is Sort.RELEVANCE and not asked.words:
            continue
        default = Sort.RELEVANCE if asked.words else Sort.NEWEST
        changes: dict[str, Any] = {"sort": None if sort is default else sort.value, "page": None}
        yield i18n.label(sort, page.language), changed_url(page.request, **changes), asked.sort is sort
