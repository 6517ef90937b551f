"""Partners for a listing: published entries of the other side, with a band and reasons.

Five steps: the index guesses a few hundred, their titles are compared, the best are read whole and scored with
what is known of their owners, their vectors and what people have said of like ones, and the best of those are
told with the words both sides use. A dozen SQL statements whatever the size of the market; a row that is no longer
published is never shown, for rows are read after the index answered.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market.db import t
from market.demands.models import Demand
from market.listings.models import ListingState, Result
from matching import adopted, documents, experts, feedback, judgments, scoring
from matching.dealings import dealings
from matching.documents import Document, Key, Kind
from matching.experts import Expert, Fitting
from matching.feedback import Judged
from matching.index import Hit, SearchIndex
from matching.judgments import Word
from matching.scoring import Band, Known, Reason, Scored, Weigher
from matching.vectors import Meanings
from matching.weights import Weights

MOST = 10
COMPARED = 32
"""Candidates read whole, chosen by their titles and the engine's scores. Measured on judged pairs, neither
more of these nor more guesses bring better ones among the ten shown; they cost 0.3 ms each."""
GUESSED = 120
MOST_PUT_ASIDE = 20


@dataclass(frozen=True, slots=True)
class Partner:
    """One proposal. `same_owner` marks what the asker's own organisation lists; `judged` is what people say of
    this very pair, if anybody does; `details` are the words behind the compared parts, for who wants to know more."""

    document: Document
    band: Band
    absolute: float
    reasons: tuple[Reason, ...]
    same_owner: bool
    judged: Word | None = None
    details: tuple[Reason, ...] = ()

    @property
    def key(self) -> Key:
        """Which row."""
        return self.document.key


@dataclass(frozen=True, slots=True)
class Proposals:
    """Partners best first, those that were judged not relevant, and the weights that put them in order.

    `experts` are the people of the results that fit, for a demand; nobody for a result.
    """

    partners: list[Partner]
    put_aside: list[Partner]
    weights: Weights
    experts: list[Expert] = field(default_factory=list)


def partners(
    kind: Kind,
    row_id: int,
    session: Session,
    index: SearchIndex,
    most: int = MOST,
    *,
    now: dt.datetime | None = None,
    meanings: Meanings | None = None,
) -> list[Partner]:
    """The best partners of a published listing, best first; none for one that is not published."""
    found = proposals(kind, row_id, session, index, most, now=now, meanings=meanings)
    return [] if found is None else found.partners


def proposals(
    kind: Kind,
    row_id: int,
    session: Session,
    index: SearchIndex,
    most: int = MOST,
    *,
    now: dt.datetime | None = None,
    meanings: Meanings | None = None,
) -> Proposals | None:
    """The same with what was put aside; None for a listing that is not published."""
    key = Key(kind, row_id)
    subject = documents.load(session, [key]).get(key)
    if subject is None:
        return None
    return proposals_of(subject, session, index, most, now=now, meanings=meanings)


def partners_of(
    subject: Document,
    session: Session,
    index: SearchIndex,
    most: int = MOST,
    *,
    now: dt.datetime | None = None,
    meanings: Meanings | None = None,
) -> list[Partner]:
    """The same for a document that need not be stored: a draft can be shown what it would meet."""
    return proposals_of(subject, session, index, most, now=now, meanings=meanings).partners


def proposals_of(
    subject: Document,
    session: Session,
    index: SearchIndex,
    most: int = MOST,
    *,
    now: dt.datetime | None = None,
    meanings: Meanings | None = None,
) -> Proposals:
    """All there is to propose for a document.

    Without `now` nobody is new; without `meanings` vectors are not asked for. What was judged relevant is among
    the partners however little it is alike, and what was judged not relevant is put aside.
    """
    weighing = adopted.in_force(session)
    said = judgments.words_on(session, subject.key) if subject.key.id else {}
    hits = index.candidates(subject.title, _prose(subject), subject.key.kind.other, GUESSED)
    rarity = index.rarity()
    weigher = Weigher(rarity)
    best = _shortlist(subject, hits, session, weigher)
    recently = list(said)[-feedback.MOST_JUDGED :]
    loaded = documents.load(session, {*best, *recently})
    there = [loaded[key] for key in dict.fromkeys([*best, *recently]) if key in loaded]
    judged = [Judged(loaded[key], said[key].level) for key in reversed(recently) if key in loaded]
    known = Known(
        now,
        dealings(session, subject.owner_id, [one.owner_id for one in there]),
        meanings.compare(session, subject, there) if meanings is not None and subject.key.id else {},
    )
    shown: list[Partner] = []
    aside: list[Partner] = []
    scored = scoring.score(subject, there, weigher, weighing, known)
    scored = feedback.moved(scored, judged, weigher, weighing)
    people = _experts(subject, scored, said, weighing)
    # What somebody has found to fit comes first, whatever the score.
    for one in sorted(scored, key=lambda one: not _relevant(said.get(one.document.key))):
        word = said.get(one.document.key)
        if word is not None and not word.relevant:
            if len(aside) < MOST_PUT_ASIDE:
                aside.append(_partner(subject, one, word, weigher))
        elif len(shown) < most and (_relevant(word) or one.level >= weighing.least):
            shown.append(_partner(subject, one, word, weigher))
    return Proposals(shown, aside, weighing, people)


def _relevant(word: Word | None) -> bool:
    return word is not None and word.relevant


def _experts(
    subject: Document, scored: Sequence[Scored], said: Mapping[Key, Word], weighing: Weights
) -> list[Expert]:
    """The people of other organisations' results that fit a demand and that nobody has called unrelated."""
    if subject.key.kind is not Kind.DEMAND:
        return []
    fitting = []
    for one in scored:
        word = said.get(one.document.key)
        level = one.level if word is None else max(one.level, word.level)
        if one.document.owner_id == subject.owner_id or level < weighing.least:
            continue
        if word is None or _relevant(word):
            fitting.append(Fitting(one.document, level - 1, one.band))
    return experts.experts(fitting)


def _partner(subject: Document, one: Scored, word: Word | None, weigher: Weigher) -> Partner:
    rarity = weigher.rarity
    words = scoring.shared_words(subject, one.document, rarity)
    own = [] if word is not None else scoring.known_reasons(one)
    reasons = (*([] if words is None else [words]), *own, *one.reasons)
    details = tuple(scoring.worded_reasons(subject, one.document, rarity))
    same = one.document.owner_id == subject.owner_id
    return Partner(one.document, one.band, one.absolute, reasons, same, word, details)


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
