"""The index port: what the market asks of a search engine, whichever engine it is.

An index holds one entry for each published result and demand, knows only what it is told, and answers
with keys and scores, never with rows: whoever shows a page reads the rows and checks the state again.
Methods may be called from any thread; changes come from one thread at a time (the indexer's).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from market.money import FEN_PER_WAN
from matching.documents import Document, Key
from matching.query import Query

DEEPEST = 1000
"""How many hits can be paged through; the total is still exact."""


class Sort(StrEnum):
    """Orders of a result page. Ties are broken by the entry's key, so that pages never overlap."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    PRICE_UP = "price_up"
    PRICE_DOWN = "price_down"


class Facet(StrEnum):
    """What can be counted and narrowed down.

    REGION counts division codes without trailing pairs of zeros, each level its own value (`33`, `3310`,
    `331081`); circles around the market's own place are read from those counts (`circle_counts`). YEAR is the
    calendar year of publication in Shanghai. PRICE counts the names of `PRICE_BANDS` (an entry counts in
    every band that its own range touches).
    """

    KIND = "kind"
    INDUSTRY = "industry"
    TRL = "trl"
    MODE = "mode"
    REGION = "region"
    OWNER_KIND = "owner_kind"
    YEAR = "year"
    PRICE = "price"


PRICE_BANDS: Mapping[str, tuple[int | None, int | None]] = {
    "0-10": (0, 10 * FEN_PER_WAN),
    "10-50": (10 * FEN_PER_WAN, 50 * FEN_PER_WAN),
    "50-100": (50 * FEN_PER_WAN, 100 * FEN_PER_WAN),
    "100-500": (100 * FEN_PER_WAN, 500 * FEN_PER_WAN),
    "500-": (500 * FEN_PER_WAN, None),
}
"""Bands of price by name (万元, as in the address): `price_from` and `price_to` (fen) that narrow to them."""


def price_bands(low: int, high: int) -> list[str]:
    """Names of the bands that a range of prices (fen) touches, as Facet.PRICE counts it."""
    return [
        band
        for band, (start, end) in PRICE_BANDS.items()
        if high >= (start or 0) and (end is None or low <= end)
    ]


class Circle(StrEnum):
    """How near an owner is to the market's own place; each but OUTSIDE holds the one before."""

    CITY = "city"
    """本市: the same county-level division"""
    PREFECTURE = "prefecture"
    PROVINCE = "province"
    OUTSIDE = "outside"
    """Another province"""


class IndexState(StrEnum):
    """READY answers from a complete index; BUILDING has none yet (absent, damaged or of an older schema).

    STALE: the engine is out of reach, and answers come from the last known index, which may lag behind.
    """

    READY = "ready"
    BUILDING = "building"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Filters:
    """Narrowing of a search; an empty field does not narrow. Within a field values are alternatives.

    `price_from`/`price_to` are fen, inclusive: an entry passes if its own range
    of price (a demand: of budget) overlaps; one without a price never does. `region` is a division code
    and includes its subdivisions (`3310` holds `331081`); `outside` is one too, and passes what has a place
    that is not in it. Either narrows as Facet.REGION, `price_from`/`price_to` as Facet.PRICE.
    """

    kinds: frozenset[str] = frozenset()
    industries: frozenset[str] = frozenset()
    modes: frozenset[str] = frozenset()
    owner_kinds: frozenset[str] = frozenset()
    trls: frozenset[int] = frozenset()
    price_from: int | None = None
    price_to: int | None = None
    region: str | None = None
    years: frozenset[int] = frozenset()
    outside: str | None = None


def region_stem(code: str) -> str:
    """`331000` is written for all of `3310`: trailing pairs of zeros say nothing."""
    while len(code) > 2 and code.endswith("00"):
        code = code[:-2]
    return code


def circle_codes(home: str) -> dict[Circle, str]:
    """The division that bounds each circle around a division code: nearest first, OUTSIDE by the province.

    A home that is itself a prefecture or province has no smaller circles.
    """
    stem = region_stem(home)
    circles = {
        circle: stem[:length]
        for circle, length in ((Circle.CITY, 6), (Circle.PREFECTURE, 4), (Circle.PROVINCE, 2))
        if len(stem) >= length
    }
    return circles | {Circle.OUTSIDE: stem[:2]} if circles else {}


def circle_counts(regions: Mapping[str, int], home: str) -> dict[Circle, int]:
    """The counts of Facet.REGION as circles around `home`. Narrow to one by `Filters.region` (OUTSIDE:
    `Filters.outside`) with its code of `circle_codes`."""
    counts = {circle: regions.get(code, 0) for circle, code in circle_codes(home).items()}
    if Circle.OUTSIDE in counts:
        provinces = sum(count for code, count in regions.items() if len(code) == 2)
        counts[Circle.OUTSIDE] = provinces - counts[Circle.PROVINCE]
    return counts


class Hit(NamedTuple):
    """One entry found. `score` orders within one answer and means nothing between two."""

    key: Key
    score: float


@dataclass(frozen=True, slots=True)
class Hits:
    """An answer: this page's hits, how many match in all, counts by facet and the terms to mark in what is
    shown (`text.highlight`; synonyms of what was typed among them, phrases whole).

    A facet's counts ignore that facet's own filter, so that they say what choosing another value would give.
    """

    hits: tuple[Hit, ...] = ()
    total: int = 0
    facets: Mapping[Facet, Mapping[str, int]] = field(default_factory=dict)
    terms: tuple[str, ...] = ()
    relaxed: bool = False
    """True if nothing held enough of the words, or none of the phrases beside them (`Query.loosened`), and what
    is shown holds only some of them."""
    suggestion: str = ""
    """Only if nothing was found, or nothing but entries with some of the words (`relaxed`), and it was not for
    phrases: the query spelt otherwise, as it would be typed, which finds something."""


class SuggestionKind(StrEnum):
    """What a suggestion is, and so what choosing it leads to."""

    ORGANISATION = "organisation"
    """Leads to the organisation `owner_id`, or to what it lists."""
    KEYWORD = "keyword"
    """Leads to the search for `text`."""
    TITLE = "title"
    """Leads to the entry `key`."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One way on for somebody who is still typing. `text` is shown as it is written in the listing."""

    kind: SuggestionKind
    text: str
    key: Key | None = None
    owner_id: int | None = None


@runtime_checkable
class Rarity(Protocol):
    """How common grams and words are in the index."""

    weights: dict[str, float]
    """Scratch space for whoever derives weights from these counts: it lives exactly as long as they hold."""

    @property
    def documents(self) -> int:
        """Number of titles counted."""
        ...

    def frequency(self, gram: str) -> int:
        """Number of titles holding the gram."""
        ...

    def mentions(self, word: str) -> int:
        """Number of entries whose whole text holds the word."""
        ...


class Rebuild(Protocol):
    """An index under construction beside the one in use; nobody searches it before the swap."""

    def add(self, documents: Iterable[Document]) -> None:
        """Put documents in; one that is there already (by key) is replaced."""
        ...


class SearchIndex(Protocol):
    """What a search engine must do."""

    @property
    def state(self) -> IndexState:
        """Whether answers are complete."""
        ...

    @property
    def generation(self) -> int:
        """Number of the index in use; grows by each swap. 0: none was ever built."""
        ...

    @property
    def stamp(self) -> tuple[int, int]:
        """Another value after every change that this process can see: what was found under an equal stamp
        would be found again."""
        ...

    def acquire(self) -> bool:
        """Try to become the one that may change the index (True if so already). Never blocks."""
        ...

    def apply(self, changed: Iterable[Document], gone: Iterable[Key] = ()) -> None:
        """Replace or add `changed`, remove `gone`; durable and searchable on return.

        Raises RuntimeError if this process may not change the index, or if none was built yet. While a
        rebuild is open, the index under construction gets the change too.
        """
        ...

    def rebuild(self) -> AbstractContextManager[Rebuild]:
        """Build beside; on leaving the block normally the new index takes over, on an exception it is
        thrown away and the old one stays."""
        ...

    def search(
        self,
        query: Query | str = "",
        filters: Filters = Filters(),
        *,
        sort: Sort = Sort.RELEVANCE,
        offset: int = 0,
        limit: int = 20,
        facets: Sequence[Facet] = (),
    ) -> Hits:
        """Find. A text is read by `matching.query.parse`. Traditional characters find simplified ones and the
        other way round, each word finds its synonyms, pinyin and initials find organisations and persons.

        Every clause of the query must hold, and of its plain words two (or the only one), or one of its codes;
        if nothing does, its phrases are words, and if nothing holds two, one is enough (`relaxed`). An engine may leave very common words out and let one
        very rare word do. Without words everything that passes the clauses and the filters matches (newest
        first).
        """
        ...

    def suggest(self, prefix: str, limit: int = 8) -> list[Suggestion]:
        """What somebody who has typed `prefix` may be after: organisations by the beginning of their name (or
        of what follows the place in it), of its pinyin or initials; keywords and titles by how they begin or
        by what they contain. Best first, no text twice; empty for less than a character
        or two Latin letters."""
        ...

    def set_synonyms(self, groups: Iterable[Sequence[str]]) -> None:
        """From now on the words of a group find each other, and only those of these groups do. Durable, needs
        no built index, and reaches every process within a second; the stamp moves. Raises RuntimeError if
        this process may not change the index."""
        ...

    def synonyms(self) -> tuple[tuple[str, ...], ...]:
        """The groups in force, as they were given."""
        ...

    def candidates(self, title: str, text: str, kind: str, limit: int = 200) -> list[Hit]:
        """Entries of `kind` worth comparing with a text, best guesses first: by the words of title and
        text, and by the characters of the title."""
        ...

    def rarity(self) -> Rarity:
        """Counts behind the weights of characters, for comparing texts; may lag behind by a few entries in
        a hundred, so that what was derived from them can be kept."""
        ...

    def keys(self) -> Iterator[Key]:
        """Every key held, in no order."""
        ...

    def count(self) -> int:
        """Number of entries."""
        ...

    def request_rebuild(self) -> None:
        """Ask the process that may change the index to build it anew."""
        ...

    def rebuild_requested(self) -> bool:
        """True if a rebuild was asked for and has not taken place yet."""
        ...

    def close(self) -> None:
        """Let go of files and locks; nothing may be called afterwards."""
        ...
