"""Who has worked on what (专家、发明人): from the inventors that published results name, and their organisations.

A person is a name in an organisation: namesakes of two organisations are two, and the market claims no more than
the listings say. Nothing is stored; a name taken out of its listings is gone from here. Pure but for `search`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from matching import documents, text
from matching.documents import Document, Kind
from matching.index import Filters, SearchIndex, Sort
from matching.weights import Band

READ = 200
"""Results read for one search: what is found best."""
MOST_RESULTS = 5
MOST = 5
LATER = 0.5
"""What each further result of a person counts, of the one before: who has done one fitting thing comes before who
has done many that fit less."""


@dataclass(frozen=True, slots=True)
class Work:
    """A result that a person has worked on; `band` says how it fits where something was asked for."""

    result_id: int
    title: str
    industry: str
    patents: int
    band: Band | None = None


@dataclass(frozen=True, slots=True)
class Expert:
    """A person in an organisation. `works` are the best first, `count` how many there are; `industries` are the
    codes of all of them, most frequent first."""

    name: str
    organisation_id: int
    organisation_name: str
    works: tuple[Work, ...]
    count: int
    industries: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class Fitting:
    """A result with what it is worth to whoever asks (above zero)."""

    document: Document
    worth: float
    band: Band | None = None


def experts(fitting: Iterable[Fitting], most: int = MOST) -> list[Expert]:
    """The people of results, whose results are worth most; equal ones by name and organisation."""
    by_person: dict[tuple[str, int], list[Fitting]] = {}
    for one in fitting:
        for name in dict.fromkeys(" ".join(name.split()) for name in one.document.inventors):
            if name:
                by_person.setdefault((name, one.document.owner_id), []).append(one)
    found = [_expert(name, works) for (name, _), works in by_person.items()]
    found.sort(key=lambda person: (-round(person.score, 9), person.name, person.organisation_id))
    return found[:most]


def _expert(name: str, fitting: Sequence[Fitting]) -> Expert:
    ordered = sorted(fitting, key=lambda one: (-one.worth, one.document.key))
    industries = Counter(one.document.industry for one in ordered if one.document.industry)
    owner = ordered[0].document
    works = tuple(
        Work(
            one.document.key.id,
            one.document.title,
            one.document.industry,
            # The last number is the owner's credit code.
            max(0, len(one.document.numbers) - 1),
            one.band,
        )
        for one in ordered[:MOST_RESULTS]
    )
    score = sum(one.worth * LATER**place for place, one in enumerate(ordered))
    return Expert(
        name,
        owner.owner_id,
        owner.owner_name,
        works,
        len(ordered),
        tuple(code for code, _ in industries.most_common()),
        score,
    )


def search(
    session: Session, index: SearchIndex, words: str, industry: str = "", most: int = 50
) -> list[Expert]:
    """People found by name, organisation or what their results say; without words those of the newest results.

    Who is called as one of the words comes first. Three statements.
    """
    filters = Filters(
        kinds=frozenset({Kind.RESULT.value}), industries=frozenset({industry} if industry else ())
    )
    sort = Sort.RELEVANCE if words.strip() else Sort.NEWEST
    hits = index.search(words, filters, sort=sort, limit=READ).hits
    loaded = documents.load(session, [hit.key for hit in hits])
    there = [loaded[hit.key] for hit in hits if hit.key in loaded]
    found = experts(
        [Fitting(document, 1 / (place + 5)) for place, document in enumerate(there)], most=len(there) * 50
    )
    asked = {text.fold(word) for word in (words, *words.split())}
    named = [person for person in found if text.fold(person.name) in asked]
    return [*named, *(person for person in found if person not in named)][:most]
