"""The index port: what the market asks of a search engine, whichever engine it is.

An index holds one entry for each published result and demand, knows only what it is told, and answers
with keys and scores, never with rows: whoever shows a page reads the rows and checks the state again.
Methods may be called from any thread; changes come from one thread at a time (the indexer's).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from matching.documents import Document, Key

DEEPEST = 1000
"""How many hits can be paged through; the total is still exact."""


class Sort(StrEnum):
    """Orders of a result page. Ties are broken by the entry's key, so that pages never overlap."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    PRICE_UP = "price_up"
    PRICE_DOWN = "price_down"


class Facet(StrEnum):
    """What can be counted and narrowed down."""

    KIND = "kind"
    INDUSTRY = "industry"
    TRL = "trl"
    MODE = "mode"
    REGION = "region"
    OWNER_KIND = "owner_kind"


class IndexState(StrEnum):
    """READY answers from a complete index; BUILDING has none yet (absent, damaged or of an older schema)."""

    READY = "ready"
    BUILDING = "building"


@dataclass(frozen=True, slots=True)
class Filters:
    """Narrowing of a search; an empty field does not narrow. Within a field values are alternatives.

    `price_from`/`price_to` are fen, inclusive: an entry passes if its own range
    of price (a demand: of budget) overlaps; one without a price never does. `region` is a division code
    and includes its subdivisions (`3310` holds `331081`).
    """

    kinds: frozenset[str] = frozenset()
    industries: frozenset[str] = frozenset()
    modes: frozenset[str] = frozenset()
    owner_kinds: frozenset[str] = frozenset()
    trls: frozenset[int] = frozenset()
    price_from: int | None = None
    price_to: int | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One entry found. `score` orders within one answer and means nothing between two."""

    key: Key
    score: float


@dataclass(frozen=True, slots=True)
class Hits:
    """An answer: this page's hits, how many match in all, counts by facet and the terms searched for.

    A facet's counts ignore that facet's own filter, so that they say what choosing another value would give.
    """

    hits: tuple[Hit, ...] = ()
    total: int = 0
    facets: Mapping[Facet, Mapping[str, int]] = field(default_factory=dict)
    terms: tuple[str, ...] = ()
    relaxed: bool = False
    """True if nothing held enough of the words, and what is shown holds only some of them."""


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
        words: str = "",
        filters: Filters = Filters(),
        *,
        sort: Sort = Sort.RELEVANCE,
        offset: int = 0,
        limit: int = 20,
        facets: Sequence[Facet] = (),
    ) -> Hits:
        """Find. Without words everything that passes the filters matches (newest first)."""
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
