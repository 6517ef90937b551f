"""The search page and its feed: words, filters and order, all in the address, so that it can be shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from market.db import Session
from market.listings.models import CooperationMode
from market.parties.models import OrganisationKind
from matching import documents, query, text
from matching.documents import Document, Kind
from matching.index import (
    DEEPEST,
    PRICE_BANDS,
    Circle,
    Facet,
    Hits,
    IndexState,
    Sort,
    circle_codes,
    circle_counts,
)
from matching.query import Clause, Query
from matching.saved import queries as saved
from web import feeds, i18n, searching
from web.deps import PageDep, ReadTx
from web.feeds import Feed, FeedEntry
from web.matches import Card, card, href_of, mode_name
from web.render import Page, changed_url
from web.searching import PER_PAGE, TRL_BANDS, Asked, Names, six

router = APIRouter()

MOST_REGIONS = 12
MOST_YEARS = 10
MOST_WORDS = 5
"""Single words offered when nothing held all of them."""
IN_FEED = 50
FEED_LASTS_S = 300
"""How long a reader may keep a feed, seconds."""
SUMMARY = 300
"""Characters of an entry's text in a feed."""
NAME = 120
"""Characters of a proposed name."""


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
    """Context of the search page. Pairs are (text, address).

    `understood` is what was read of the words beside plain ones, each with the address that is without it;
    `fewer` are single words to look for when nothing held all of them; `wordless`: what was typed holds nothing
    to look for; `cut`: how many characters were read, if not all.
    """

    words: str
    kind: str
    found: list[Card]
    total: int
    groups: list[Group]
    understood: list[tuple[str, str]]
    active: list[tuple[str, str]]
    clear_href: str
    keep: dict[str, str]
    tabs: list[tuple[str, str, bool, int | None]]
    sorts: list[tuple[str, str, bool]]
    number: int
    pages: int
    wordless: bool
    cut: int
    relaxed: bool
    fewer: list[tuple[str, str]]
    suggestion: tuple[str, str] | None
    state: IndexState
    narrowed: bool
    feed_href: str
    saving: str
    proposed_name: str
    kept: str


@router.get("/search")
def search_page(page: PageDep, session: ReadTx) -> Response:
    """Results and demands found by words, numbers and filters."""
    asked = searching.read(page.request.query_params)
    index, home = page.parts.index, page.parts.settings.region_code
    read = query.parse(asked.words)
    hits = index.search(
        read,
        asked.filters(home),
        sort=asked.sort,
        offset=(asked.page - 1) * PER_PAGE,
        limit=PER_PAGE,
        facets=list(Facet),
    )
    regions = {*map(six, hits.facets.get(Facet.REGION, {})), *map(six, circle_codes(home).values())}
    names = searching.names(session, page.language, [asked], regions)
    groups = _groups(hits, asked, names, page)
    canonical = asked.canonical
    said = searching.said(asked, names, page.language)
    context = SearchPage(
        words=asked.words,
        kind=asked.kind.value if asked.kind else "",
        found=_cards(session, hits, names.industries),
        total=hits.total,
        groups=groups,
        understood=list(_understood(read, page)),
        active=list(_active(groups, page)),
        clear_href=_address(page, **dict.fromkeys(asked.narrowing)),
        keep={
            "q": asked.words,
            "kind": asked.kind.value if asked.kind else "",
            "sort": "" if asked.sort is asked.default_sort else asked.sort.value,
        },
        tabs=list(_tabs(hits, asked, page)),
        sorts=list(_sorts(asked, page)),
        number=asked.page,
        pages=-(-min(hits.total, DEEPEST) // PER_PAGE),
        wordless=bool(asked.words) and not text.is_wordlike(asked.words),
        cut=searching.LONGEST_QUERY
        if len(searching.typed(page.request.query_params)) > len(asked.words)
        else 0,
        relaxed=hits.relaxed,
        fewer=[(word, _address(page, q=word)) for word in read.words[:MOST_WORDS]] if hits.relaxed else [],
        suggestion=(hits.suggestion, _address(page, q=hits.suggestion)) if hits.suggestion else None,
        state=index.state,
        narrowed=bool(asked.narrowing),
        feed_href=_feed_address(canonical, page.language),
        saving=canonical,
        proposed_name=" · ".join(said)[:NAME] or i18n.term("search.all", page.language),
        kept=saved.kept_as(session, page.actor, canonical),
    )
    return page.render("search/search.html", context)


@router.get("/search/feed.atom")
def search_feed(page: PageDep, session: ReadTx) -> Response:
    """The newest fifty entries that a search finds, as an Atom feed; the parameters are the page's.

    Unlike the page it holds nothing when nothing holds enough of the words.
    """
    asked = searching.read(page.request.query_params)
    settings, language = page.parts.settings, page.language
    base = settings.base_url.rstrip("/")
    hits = page.parts.index.search(
        asked.words, asked.filters(settings.region_code), sort=Sort.NEWEST, limit=IN_FEED
    )
    keys = [] if hits.relaxed else [hit.key for hit in hits.hits]
    found = documents.load(session, keys)
    names = searching.names(session, language, [asked])
    market = settings.name if language == "zh-Hans" else settings.name_en
    said = searching.said(asked, names, language) or [i18n.term("search.all", language)]
    canonical = asked.canonical
    feed = Feed(
        name=f"search?{canonical}",
        title=f"{' · '.join(said)} – {market}",
        subtitle=i18n.term("search.feed", language),
        language=language,
        publisher=market,
        own_link=base + _feed_address(canonical, language),
        page_link=base + (f"/search?{canonical}" if canonical else "/search"),
        entries=tuple(
            _entry(found[hit.key], base, names.industries, language) for hit in hits.hits if hit.key in found
        ),
    )
    return feeds.answer(feed, base, page.request.headers, FEED_LASTS_S)


def _entry(one: Document, base: str, industries: Mapping[str, str], language: str) -> FeedEntry:
    published = one.published_at or feeds.NEVER
    return FeedEntry(
        name=f"{one.key.kind.value}/{one.key.id}",
        title=f"[{i18n.term(f'subject.{one.key.kind.value}', language)}] {one.title}",
        link=base + href_of(one.key),
        author=one.owner_name,
        category=industries.get(one.industry, one.industry),
        summary="".join(piece.text for piece in text.excerpt(one.text, [], SUMMARY)),
        published=published,
        updated=max(published, one.updated_at or published),
    )


def _feed_address(canonical: str, language: str) -> str:
    # A reader sends no cookie: the language stands in the address.
    return f"/search/feed.atom?{'&'.join(part for part in (canonical, f'lang={language}') if part)}"


def _address(page: Page, **changes: Any) -> str:
    """This search with some parameters changed, from its first page."""
    return changed_url(page.request, **{**changes, "page": None})


def _cards(session: Session, hits: Hits, industries: Mapping[str, str]) -> list[Card]:
    """The rows behind the hits as they are now; what is no longer published is left out."""
    found = documents.load(session, [hit.key for hit in hits.hits])
    return [card(found[hit.key], hits.terms, industries) for hit in hits.hits if hit.key in found]


def _understood(read: Query, page: Page) -> Iterator[tuple[str, str]]:
    for clause in read.clauses:
        yield clause_text(clause, page.language), _address(page, q=str(read.without(clause)) or None)


def clause_text(clause: Clause, language: str) -> str:
    """A condition of a query in words."""
    key = "phrase" if clause.phrase else "words"
    said = i18n.term(f"clause.{key}", language, {"text": clause.text})
    if clause.field is not None:
        field = i18n.label(clause.field, language)
        said = i18n.term("clause.field", language, {"field": field, "text": said})
    return i18n.term("clause.excluded", language, {"text": said}) if clause.excluded else said


def _options(
    found: Mapping[str, int], chosen: Iterable[str], name: Callable[[str], str], order: Iterable[str]
) -> list[Choice]:
    """Choices in an order, without those that would find nothing and are not chosen."""
    chosen = tuple(chosen)
    return [
        Choice(value, name(value), found.get(value, 0), value in chosen)
        for value in order
        if found.get(value) or value in chosen
    ]


def _groups(hits: Hits, asked: Asked, names: Names, page: Page) -> list[Group]:
    counts, language = hits.facets, page.language
    levels = counts[Facet.TRL]
    bands = {band: sum(levels.get(str(n), 0) for n in span) for band, span in TRL_BANDS.items()}
    years = counts[Facet.YEAR]
    chosen_years = [str(year) for year in asked.years]
    newest = sorted({*sorted(years, reverse=True)[:MOST_YEARS], *chosen_years}, reverse=True)
    groups = [
        Group(
            "industry",
            i18n.term("Facet.industry", language),
            _options(
                counts[Facet.INDUSTRY],
                asked.industries,
                lambda code: names.industries.get(code, code),
                names.industries,
            ),
        ),
        Group(
            "trl",
            i18n.term("Facet.trl", language),
            _options(bands, asked.trls, lambda band: i18n.term(f"trl.{band}", language), TRL_BANDS),
        ),
        Group(
            "mode",
            i18n.term("Facet.mode", language),
            _options(
                counts[Facet.MODE], asked.modes, lambda mode: mode_name(mode, language), CooperationMode
            ),
        ),
        Group(
            "region",
            i18n.term("Facet.region", language),
            _with_any(_places(counts[Facet.REGION], asked, names, page), language),
            kind="radio",
        ),
        Group(
            "price",
            i18n.term("Facet.price", language),
            _with_any(_prices(counts[Facet.PRICE], asked, language), language),
            kind="radio",
        ),
        Group("year", i18n.term("Facet.year", language), _options(years, chosen_years, str, newest)),
        Group(
            "owner",
            i18n.term("Facet.owner_kind", language),
            _options(
                counts[Facet.OWNER_KIND],
                asked.owners,
                lambda kind: i18n.label(OrganisationKind(kind), language),
                OrganisationKind,
            ),
        ),
    ]
    return [group for group in groups if group.options]


def _places(found: Mapping[str, int], asked: Asked, names: Names, page: Page) -> list[Choice]:
    """The circles around the market's own place, then other divisions, the fullest first."""
    home, language = page.parts.settings.region_code, page.language
    circles = circle_codes(home)
    counts = circle_counts(found, home)
    chosen = asked.region
    if chosen[:1].isdigit():
        # An older link may name the city by its code.
        near = (circle for circle, code in circles.items() if six(code) == six(chosen))
        chosen = next(near, six(chosen))

    def circle_name(circle: str) -> str:
        name = i18n.label(Circle(circle), language)
        code = six(circles[Circle(circle)])
        place = names.regions.get(code, code)
        return name if place == code or circle == Circle.OUTSIDE else f"{name} · {place}"

    divisions = {six(code): count for code, count in found.items()}
    for code in circles.values():
        divisions.pop(six(code), None)
    order = sorted(divisions, key=lambda code: (-divisions[code], code))[:MOST_REGIONS]
    if chosen.isdigit() and chosen not in order:
        order.append(chosen)
    return [
        *_options({circle.value: n for circle, n in counts.items()}, [chosen], circle_name, list(circles)),
        *_options(divisions, [chosen], lambda code: names.regions.get(code, code), order),
    ]


def _prices(found: Mapping[str, int], asked: Asked, language: str) -> list[Choice]:
    """The bands that hold something, and the range asked for, should it be another."""
    order = dict.fromkeys((*PRICE_BANDS, *([asked.price] if asked.price else [])))
    return [
        Choice(
            band,
            searching.price_text(band, language),
            found.get(band, 0) if band in PRICE_BANDS else None,
            band == asked.price,
        )
        for band in order
        if found.get(band) or band == asked.price
    ]


def _with_any(options: list[Choice], language: str) -> list[Choice]:
    """A way back for radio buttons once one is chosen."""
    if not any(option.selected for option in options):
        return options
    return [Choice("", i18n.term("facet.any", language), None, False), *options]


def _active(groups: Iterable[Group], page: Page) -> Iterator[tuple[str, str]]:
    """Each filter in force with the address that is without it."""
    for group in groups:
        chosen = [option for option in group.options if option.selected]
        for option in chosen:
            rest = [other.value for other in chosen if other is not option]
            yield option.text, _address(page, **{group.name: rest or None})


def _tabs(hits: Hits, asked: Asked, page: Page) -> Iterator[tuple[str, str, bool, int | None]]:
    counts = hits.facets[Facet.KIND]
    everything: Sequence[tuple[Kind | None, int]] = [
        (None, sum(counts.values())),
        *((kind, counts.get(kind.value, 0)) for kind in Kind),
    ]
    for kind, count in everything:
        name = i18n.label(kind, page.language) if kind else i18n.term("search.all", page.language)
        yield name, _address(page, kind=kind.value if kind else None), asked.kind is kind, count


def _sorts(asked: Asked, page: Page) -> Iterator[tuple[str, str, bool]]:
    for sort in Sort:
        if sort is Sort.RELEVANCE and not asked.words:
            continue
        value = None if sort is asked.default_sort else sort.value
        yield i18n.label(sort, page.language), _address(page, sort=value), asked.sort is sort
