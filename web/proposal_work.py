"""The sweep that fills the brokers' queue, and the mail that reminds them of what is due.

Every few seconds it looks at some demands that were published or edited, the newest first; once all have been
looked at, it looks at all of them again when results are new: at once when there are many, otherwise after an
hour. What it has looked at is kept in memory alone: a process that starts anew looks once more, finds the same
pairs and changes nothing. No write transaction is open while the index is asked. Several processes may sweep; a
pair is suggested once.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from market.clock import SHANGHAI, local_date
from market.db import Session, t
from market.demands.models import Demand
from market.dirty import read_marks
from market.listings.lifecycle import of_verified
from market.listings.models import ListingState, Result
from market.parties.mail import mail_people
from matching import recommend
from matching.documents import Key, Kind
from matching.index import IndexState
from matching.models import Proposal, ProposalState
from matching.proposals import queries, rules, service
from matching.proposals.service import Suggestion
from matching.scoring import Band
from matching.vectors import Meanings
from web import semantic
from web.wiring import Parts

INTERVAL = 3
"""Seconds between two sweeps."""
EACH_RUN = 3
"""Demands looked at in one sweep. A look takes up to a tenth of a second of one core, which live rooms share."""
MANY = 20
"""New or edited results that make every demand worth another look at once."""
PATIENCE = dt.timedelta(hours=1)
"""How long fewer of them may wait."""
DAY = dt.timedelta(days=1)
LATEST = 3 * DAY
"""How late a reminder is still sent, should the worker have stood still."""
FROM_HOUR = 8
"""Shanghai time from which reminders are sent: nobody is written to at midnight."""


class Sweeper:
    """The sweep of one process; used from one thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._meanings = semantic.meanings(parts.settings)
        self._seen: dict[int, int] = {}
        """Demand → version that was looked at in this round."""
        self._failing: set[int] = set()
        """Demands whose look failed: they come last, so that none keeps the others waiting."""
        self._round_at: dt.datetime | None = None
        self._reminded: set[tuple[int, dt.date]] = set()

    def __call__(self) -> None:
        """Look once."""
        self.keep()
        self.remind()
        self.fill()

    def keep(self) -> None:
        """Take out what is no longer on offer, bring back what was put off until today."""
        now, p = self._parts.clock.now(), t(Proposal).c
        snoozed = sa.and_(p.state == ProposalState.SNOOZED.value, p.snoozed_until <= local_date(now))
        with self._parts.db.read() as session:
            waiting = session.scalar(sa.select(p.id).where(sa.or_(service.gone(), snoozed)).limit(1))
        if waiting is None:
            return
        with self._parts.db.write() as session:
            service.lapse_gone(session, now)
            service.return_snoozed(session, now)

    def fill(self, limit: int = EACH_RUN) -> int:
        """Look for partners of up to `limit` demands; returns how many were looked at.

        Waits while the index is being built or knows less than the database.
        """
        if self._parts.index.state is not IndexState.READY:
            return 0
        now = self._parts.clock.now()
        with self._parts.db.read() as session:
            if read_marks(session, 1):
                return 0
            versions = self._published(session)
            # What is gone is forgotten, so that it is looked at should it come back.
            self._seen = {one: version for one, version in self._seen.items() if one in versions}
            if self._round_at is None or (self._seen == versions and self._results_are_new(session, now)):
                self._seen, self._round_at = {}, now
        due = [one for one, version in versions.items() if self._seen.get(one) != version]
        due = sorted(due, key=self._failing.__contains__)[:limit]
        for demand_id in due:
            self._failing.add(demand_id)
            self._look(demand_id, now)
            self._failing.discard(demand_id)
            self._seen[demand_id] = versions[demand_id]
        return len(due)

    def _look(self, demand_id: int, now: dt.datetime) -> None:
        found = partners(self._parts, demand_id, self._meanings)
        if found is not None:
            with self._parts.db.write() as session:
                service.suggest(session, now, demand_id, found.suggestions, found.weights_id)

    def _results_are_new(self, session: Session, now: dt.datetime) -> bool:
        """Whether enough of them came since this round began; asked when it is over, so that none is cut short."""
        r = t(Result).c
        new = session.scalar(
            sa.select(sa.func.count())
            .select_from(t(Result))
            .where(r.updated_at > self._round_at, r.state == ListingState.PUBLISHED.value)
        )
        assert self._round_at is not None
        return new is not None and new > 0 and (new >= MANY or now - self._round_at >= PATIENCE)

    @staticmethod
    def _published(session: Session) -> dict[int, int]:
        d = t(Demand).c
        rows = session.execute(
            sa.select(d.id, d.version)
            .where(d.state == ListingState.PUBLISHED.value, of_verified(d))
            .order_by(d.published_at.desc(), d.id.desc())
        )
        return {row.id: row.version for row in rows}

    def remind(self) -> None:
        """Mail those who follow up accepted pairs on the day their next step is due, once for each day set."""
        now = self._parts.clock.now()
        today = local_date(now)
        if now.astimezone(SHANGHAI).hour < FROM_HOUR:
            return
        with self._parts.db.read() as session:
            due = queries.due(session, before=today + DAY, since=today - LATEST, limit=5000)
        found = [one for one in due if one.owner_person_id]
        keys = {(one.enquiry_id, one.due_on) for one in found}
        if not keys - self._reminded:
            return
        with self._parts.db.write() as session:
            for one in found:
                if one.owner_person_id is None or (one.enquiry_id, one.due_on) in self._reminded:
                    continue
                told = {
                    "enquiry_id": one.enquiry_id,
                    "title": one.result_title,
                    "demand": one.demand_title,
                    "next_step": one.next_step,
                    "due_on": one.due_on.isoformat(),
                }
                key = f"{one.enquiry_id}:{one.due_on.isoformat()}"
                mail_people(session, [one.owner_person_id], "proposal_due", told, key=key, now=now)
        self._reminded = keys


@dataclass(frozen=True)
class Found:
    """The results that fit a demand well enough for a broker to look at, and the weights that say so."""

    suggestions: list[Suggestion]
    weights_id: int | None


def partners(parts: Parts, demand_id: int, meanings: Meanings | None = None) -> Found | None:
    """What a broker is shown for a demand; None for one that is not on offer. Opens its own read transactions.

    What somebody judged relevant is shown however weak it is, and what was judged not relevant is not. How new a
    result is says nothing here: it would change the reasons every day.
    """
    key = Key(Kind.DEMAND, demand_id)
    with parts.db.read() as session:
        found = recommend.proposals(
            key.kind, key.id, session, parts.index, rules.KEPT_EACH, meanings=meanings
        )
    if found is None:
        return None
    fitting = [
        Suggestion(one.key.id, one.band.value, round(one.absolute * 10_000), one.reasons)
        for one in found.partners
        if not one.same_owner and (one.band is not Band.WEAK or one.judged is not None)
    ]
    return Found(fitting, found.weights.id)
