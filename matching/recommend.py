"""Partners for a listing: published entries of the other side, with a band and reasons.

Four steps: the index guesses a few hundred, their titles are compared, the best are read whole and scored,
and the best of those are told with the words both sides use. Six to eight SQL statements whatever the size
of the market; a row that is no longer published is never shown, for rows are read after the index answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market.db import t
from market.demands.models import Demand
from market.listings.models import ListingState, Result
from matching import documents, scoring
from matching.documents import Document, Key, Kind
from matching.index import Hit, SearchIndex
from matching.scoring import Band, Reason, Weigher

MOST = 10
COMPARED = 32
"""Candidates read whole, chosen by their titles and the engine's scores. Measured on judged pairs, neither
more of these nor more guesses bring better ones among the ten shown; they cost 0.3 ms each."""
GUESSED = 120


@dataclass(frozen=True, slots=True)
class Partner:
    """One proposal. `same_owner` marks what the asker's own organisation lists."""

    document: Document
    band: Band
    absolute: float
    reasons: tuple[Reason, ...]
    same_owner: bool

    @property
    def key(self) -> Key:
        """Which row."""
        return self.document.key


def partners(
    kind: Kind, row_id: int, session: Session, index: SearchIndex, most: int = MOST
) -> list[Partner]:
    """The best partners of a published listing, best first; none for one that is not published."""
    key = Key(kind, row_id)
    subject = documents.load(session, [key]).get(key)
    return [] if subject is None else partners_of(subject, session, index, most)


def partners_of(subject: Document, session: Session, index: SearchIndex, most: int = MOST) -> list[Partner]:
    """The same for a document that need not be stored: a draft can be shown what it would meet."""
    hits = index.candidates(subject.title, _prose(subject), subject.key.kind.other, GUESSED)
    rarity = index.rarity()
    weigher = Weigher(rarity)
    best = _shortlist(subject, hits, session, weigher)
    found = documents.load(session, best)
    scored = [
        one for one in scoring.score(subject, list(found.values()), weigher) if one.absolute >= scoring.LEAST
    ]
    proposals = []
    for one in scored[:most]:
        words = scoring.shared_words(subject, one.document, rarity)
        reasons = one.reasons if words is None else (words, *one.reasons)
        same = one.document.owner_id == subject.owner_id
        proposals.append(Partner(one.document, one.band, one.absolute, reasons, same))
    return proposals


def _prose(subject: Document) -> str:
    return "\n".join((" ".join(subject.keywords), subject.text[: scoring.LONGEST_TEXT]))


def _shortlist(subject: Document, hits: Sequence[Hit], session: Session, weigher: Weigher) -> list[Key]:
    """The candidates whose titles and engine scores together promise most. One statement."""
    if not hits:
        return []
    model = Result if hits[0].key.kind is Kind.RESULT else Demand
    c = t(model).c
    published = sa.select(c.id, c.title).where(
        c.id.in_([hit.key.id for hit in hits]), c.state == ListingState.PUBLISHED.value
    )
    titles: dict[int, str] = {row.id: row.title for row in session.execute(published)}
    shown = [hit for hit in hits if hit.key.id in titles]
    wanted = weigher.vector(subject.title)
    cosines = [scoring.cosine(wanted, weigher.vector(titles[hit.key.id])) for hit in shown]
    sums = [
        title + engine
        for title, engine in zip(
            scoring.standardised(cosines), scoring.standardised([hit.score for hit in shown]), strict=True
        )
    ]
    ranked = sorted(zip(sums, shown, strict=True), key=lambda one: (-round(one[0], 9), one[1].key))
    return [hit.key for _, hit in ranked[:COMPARED]]
