"""Listings found or proposed, as pages and the API show them: cards, marked words, reasons in sentences.

What a reason says stands in the terms catalogue (`reason.<code>`); this is where its parameters become words.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from market.db import Session
from market.listings.models import CooperationMode
from market.taxonomy import queries as taxonomy
from matching import documents, judgments, naming, recommend, text
from matching.documents import Document, Key, Kind
from matching.experts import Expert
from matching.index import IndexState, SearchIndex
from matching.scoring import Band, Reason, ReasonCode
from matching.vectors import Meanings
from web import i18n
from web.render import environment

MOST_MATCHES = 6
EXCERPT = 120
"""Characters of a listing's text shown in a list."""


@dataclass(frozen=True)
class Card:
    """A listing in a list of found ones. `title` and `summary` come in pieces, some to be marked."""

    kind: Kind
    id: int
    href: str
    title: list[text.Segment]
    summary: list[text.Segment]
    owner_name: str
    industry_name: str
    trl: int | None
    price_low_fen: int | None
    price_high_fen: int | None
    published_at: dt.datetime | None
    keywords: tuple[str, ...]


@dataclass(frozen=True)
class PartnerCard:
    """A proposed partner: its card, how strong the match is, and why, in sentences."""

    card: Card
    band: Band
    why: list[str]
    against: list[str]
    same_owner: bool
    relevant: bool | None = None
    """What people say of this pair, if anybody does."""
    words: tuple[str, ...] = ()
    """The words behind the comparison, part by part."""


@dataclass(frozen=True)
class PartnersView:
    """What a listing's page shows of its partners. `building`: the index is not there yet.

    `put_aside` were judged not relevant; `weights_id` names the weights that made the order, None those shipped.
    """

    of: Kind
    partners: list[PartnerCard]
    building: bool
    of_id: int = 0
    put_aside: tuple[PartnerCard, ...] = ()
    weights_id: int | None = None
    experts: tuple[Expert, ...] = ()


@dataclass(frozen=True)
class Match:
    """A demand and the result that may answer it best."""

    demand_id: int
    demand_title: str
    result_id: int
    result_title: str
    band: Band


class RecentMatches:
    """Matches of the newest demands, found anew at most once a minute or when the index was rebuilt.

    One for each process; used from any thread. Who comes while another looks gets the previous ones.
    """

    def __init__(self, lasts: dt.timedelta = dt.timedelta(minutes=1)) -> None:
        self._lasts = lasts
        self._lock = threading.Lock()
        self._known: tuple[dt.datetime, int] | None = None
        self._found: list[Match] = []

    def get(
        self, session: Session, index: SearchIndex, newest: Iterable[int], now: dt.datetime
    ) -> list[Match]:
        """At most six, in the order of the demands given, each with its best result."""
        if index.state is not IndexState.READY:
            return []
        known = self._known
        fresh = (
            known is not None and known[1] == index.generation and known[0] <= now < known[0] + self._lasts
        )
        if not fresh and self._lock.acquire(blocking=False):
            try:
                self._found = self._look(session, index, newest)
                self._known = (now, index.generation)
            finally:
                self._lock.release()
        return self._found

    @staticmethod
    def _look(session: Session, index: SearchIndex, newest: Iterable[int]) -> list[Match]:
        found: list[Match] = []
        wanted = documents.load(session, [Key(Kind.DEMAND, row_id) for row_id in newest])
        for demand in wanted.values():
            if len(found) == MOST_MATCHES:
                break
            for partner in recommend.partners_of(demand, session, index, 1):
                if partner.band is not Band.WEAK:
                    result = partner.document
                    found.append(
                        Match(demand.key.id, demand.title, result.key.id, result.title, partner.band)
                    )
        return found


def href_of(key: Key) -> str:
    """The address of a listing's page."""
    return f"/{key.kind.value}s/{key.id}"


def card(document: Document, terms: Iterable[str], industries: Mapping[str, str]) -> Card:
    """A document as a card, the terms marked."""
    wanted = list(terms)
    return Card(
        kind=document.key.kind,
        id=document.key.id,
        href=href_of(document.key),
        title=text.highlight(document.title, wanted),
        summary=text.excerpt(document.text, wanted, EXCERPT),
        owner_name=document.owner_name,
        industry_name=industries.get(document.industry, document.industry),
        trl=document.trl,
        price_low_fen=document.price_low,
        price_high_fen=document.price_high,
        published_at=document.published_at,
        keywords=document.keywords,
    )


def partners_for(
    kind: Kind,
    row_id: int,
    session: Session,
    index: SearchIndex,
    language: str,
    now: dt.datetime,
    *,
    inside: bool = False,
    meanings: Meanings | None = None,
) -> PartnersView:
    """The partners of a published listing; none for one that is not published.

    `inside` tells what the two organisations have done before, which is not for everybody.
    """
    found = recommend.proposals(kind, row_id, session, index, now=now, meanings=meanings)
    shown, aside = ([], []) if found is None else (found.partners, found.put_aside)
    industries = taxonomy.industry_names(session, language) if shown or aside else {}

    def cards(partners: list[recommend.Partner]) -> list[PartnerCard]:
        return [_partner_card(one, industries, language, inside) for one in partners]

    return PartnersView(
        of=kind,
        partners=cards(shown),
        building=index.state is IndexState.BUILDING,
        of_id=row_id,
        put_aside=tuple(cards(aside)),
        weights_id=None if found is None else found.weights.id,
        experts=() if found is None else tuple(found.experts),
    )


class KeptPartners:
    """The partners of the listings looked at last, kept until the index or a judgment of them changes, a minute
    at most.

    A listing's page is asked for far more often than what it could be matched with changes. One for each
    process; used from any thread.
    """

    def __init__(
        self,
        lasts: dt.timedelta = dt.timedelta(minutes=1),
        most: int = 500,
        meanings: Meanings | None = None,
    ) -> None:
        self._lasts, self._most, self._meanings = lasts, most, meanings
        self._lock = threading.Lock()
        self._kept: OrderedDict[
            tuple[Kind, int, str, bool], tuple[dt.datetime, tuple[object, ...], PartnersView]
        ] = OrderedDict()

    def get(
        self,
        kind: Kind,
        row_id: int,
        session: Session,
        index: SearchIndex,
        language: str,
        now: dt.datetime,
        *,
        inside: bool = False,
    ) -> PartnersView:
        """What `partners_for` finds, or found under the same stamp of the index and of the judgments."""
        key = (kind, row_id, language, inside)
        stamp = (index.stamp, judgments.stamp(session, Key(kind, row_id)))
        with self._lock:
            known = self._kept.get(key)
            if known is not None and known[1] == stamp and known[0] <= now < known[0] + self._lasts:
                self._kept.move_to_end(key)
                return known[2]
        view = partners_for(
            kind, row_id, session, index, language, now, inside=inside, meanings=self._meanings
        )
        with self._lock:
            self._kept[key] = (now, stamp, view)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return view


def _partner_card(
    one: recommend.Partner, industries: Mapping[str, str], language: str, inside: bool
) -> PartnerCard:
    shared = next((r.params["words"] for r in one.reasons if r.code is ReasonCode.SHARED_WORDS), ())
    why, against = told(one.reasons, industries, language, inside=inside)
    return PartnerCard(
        card=card(one.document, shared, industries),
        band=one.band,
        why=why,
        against=against,
        same_owner=one.same_owner,
        relevant=None if one.judged is None else one.judged.relevant,
        words=tuple(told(one.details, industries, language)[0]),
    )


def told(
    reasons: Iterable[Reason], industries: Mapping[str, str], language: str, *, inside: bool = True
) -> tuple[list[str], list[str]]:
    """What speaks for a pair and what against it, in words; reasons that have nothing to tell are left out.

    Without `inside` what the two organisations have done before is left out too.
    """
    found: tuple[list[str], list[str]] = ([], [])
    for reason in reasons:
        if (inside or not reason.inside) and (not _worded(reason) or _named(reason, language)):
            found[not reason.favourable].append(sentence(reason, industries, language))
    return found


_WORDED = frozenset(
    {
        ReasonCode.SHARED_WORDS,
        ReasonCode.SHARED_TERMS,
        ReasonCode.TITLE_WORDS,
        ReasonCode.TITLE_IN_RESULT,
        ReasonCode.TITLE_IN_DEMAND,
    }
)


def _worded(reason: Reason) -> bool:
    return reason.code in _WORDED


def _named(reason: Reason, language: str) -> tuple[str, ...]:
    """The words of a reason that are worth telling."""
    if reason.code is ReasonCode.SHARED_TERMS:
        return naming.technical(reason.params["words"])
    return naming.common(reason.params["words"], chinese=language != "en")


def sentence(reason: Reason, industries: Mapping[str, str], language: str) -> str:
    """A reason in words."""
    params = reason.params
    between = i18n.term("list.separator", language)
    words: dict[str, Any]
    match reason.code:
        case code if code in _WORDED:
            words = {"words": between.join(_named(reason, language) or params["words"])}
        case ReasonCode.SAME_IPC_GROUP:
            words = {"ipc": f"{params['ipc']}/00"}  # how a main group is written
        case ReasonCode.SAME_INDUSTRY:
            words = {"industry": industries.get(params["industry"], params["industry"])}
        case ReasonCode.WITHIN_BUDGET | ReasonCode.ABOVE_BUDGET:
            words = {
                "price": amount_range(params["price_low"], params["price_high"], language),
                "budget": amount_range(params["budget_low"], params["budget_high"], language),
            }
        case ReasonCode.SAME_MODE:
            words = {"modes": between.join(mode_name(mode, language) for mode in params["modes"])}
        case _:
            words = dict(params)
    return i18n.term(f"reason.{reason.code.value}", language, words)


def mode_name(mode: str, language: str) -> str:
    """A way of working together by its stored value; an unknown one as it is."""
    try:
        return i18n.label(CooperationMode(mode), language)
    except ValueError:
        return mode


def amount_range(low: int | None, high: int | None, language: str) -> str:
    """One amount or two, in ten thousands of yuan; both None gives a dash."""
    wan = environment(language).filters["wan"]
    if low is None or high is None or low == high:
        return str(wan(low if low is not None else high))
    return f"{wan(low)}–{wan(high)}"
