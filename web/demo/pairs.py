"""Demo pairs: what the queue suggested, what brokers did with it, and what came of that, on past days."""

from __future__ import annotations

import datetime as dt
import enum

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.deals import service as deals
from market.demands.models import Demand
from market.enquiries import service as enquiries
from market.enquiries.inputs import NextStepInput, PassInput
from market.enquiries.models import PassReason
from market.listings.models import ListingState, Result
from market.permissions import Actor, Role
from matching.indexer import reindex
from matching.models import Proposal, RejectReason
from matching.proposals import service
from matching.proposals.inputs import AcceptInput, AssignInput, RejectInput, SnoozeInput
from matching.proposals.service import Suggestion
from web.demo.people import Cast
from web.proposal_work import partners
from web.wiring import Parts

DAY = dt.timedelta(days=1)
LOOKED_AT = 36
"""Demands that the queue has been filled for; the sweep of a running server looks at the others."""
FIRST_STEP = "请成果方答复合作意向，约双方通话"
NEXT_STEP = "整理技术指标，约现场交流"


class Fate(enum.Enum):
    """What became of a pair."""

    CONTRACT = enum.auto()
    NEGOTIATING = enum.auto()
    ANSWERED = enum.auto()
    OVERDUE = enum.auto()
    OPEN = enum.auto()
    PASSED = enum.auto()
    REJECTED = enum.auto()
    SNOOZED = enum.auto()
    ASSIGNED = enum.auto()
    UNTOUCHED = enum.auto()


F = Fate
FATES = (
    F.CONTRACT, F.UNTOUCHED, F.REJECTED, F.ANSWERED, F.UNTOUCHED, F.NEGOTIATING, F.OVERDUE, F.REJECTED,
    F.ASSIGNED, F.UNTOUCHED, F.OPEN, F.PASSED, F.SNOOZED, F.CONTRACT, F.UNTOUCHED, F.ANSWERED, F.REJECTED,
    F.NEGOTIATING,
)  # fmt: skip
"""In turn, for the best pair of one demand after the other."""
REASONS = (
    RejectReason.CONDITIONS, RejectReason.OTHER_PROBLEM, RejectReason.KNOWN, RejectReason.TOO_EXPENSIVE,
)  # fmt: skip


def enter_pairs(parts: Parts, cast: Cast, now: dt.datetime) -> int:
    """Fill the queue and let brokers work through a part of it; returns how many pairs there are.

    Needs the index, which it builds; does nothing while another process holds that.
    """
    if not parts.index.acquire():
        return 0
    reindex(parts.db, parts.index)
    d = t(Demand).c
    with parts.db.read() as session:
        wanted = session.execute(
            sa.select(d.id, d.published_at)
            .where(d.state == ListingState.PUBLISHED.value)
            .order_by(d.published_at, d.id)
            .limit(LOOKED_AT)
        ).all()
    brokers = [cast.actors[who] for (_, role), who in sorted(cast.roles.items()) if role is Role.BROKER]
    entered = played = 0
    for demand in wanted:
        looked = partners(parts, demand.id)
        found = looked.suggestions if looked is not None else []
        if not found:
            continue
        with parts.db.write() as session:
            at = _suggested_at(session, demand.published_at, found, now)
            entered += service.suggest(session, at, demand.id, found)
            first = _best(session, demand.id, found[0].result_id)
            if first is not None:
                _play(session, cast, brokers[played % len(brokers)], first, played, at, now)
                played += 1
    return entered


def _suggested_at(
    session: Session, published_at: dt.datetime, found: list[Suggestion], now: dt.datetime
) -> dt.datetime:
    """Some hours after the last of them was published."""
    r = t(Result).c
    latest = session.scalar(
        sa.select(sa.func.max(r.published_at)).where(r.id.in_([one.result_id for one in found]))
    )
    return min(max(published_at, latest or published_at) + dt.timedelta(hours=3), now)


def _best(session: Session, demand_id: int, result_id: int) -> Proposal | None:
    c = t(Proposal).c
    return session.scalars(
        sa.select(Proposal).where(c.demand_id == demand_id, c.result_id == result_id)
    ).one_or_none()


def _play(
    session: Session,
    cast: Cast,
    broker: Actor,
    row: Proposal,
    number: int,
    at: dt.datetime,
    now: dt.datetime,
) -> None:
    fate = FATES[number % len(FATES)]
    assert row.id is not None
    decided = min(at + 2 * DAY, now)
    if fate is F.UNTOUCHED:
        return
    if fate is F.REJECTED:
        reason = REASONS[number % len(REASONS)]
        service.reject(session, broker, decided, row.id, RejectInput(reason=reason), row.version)
    elif fate is F.SNOOZED:
        until = SnoozeInput(until=local_date(now) + 20 * DAY)
        service.snooze(session, broker, decided, row.id, until, row.version)
    elif fate is F.ASSIGNED:
        mine = AssignInput(person_id=broker.person_id)
        service.assign(session, broker, decided, row.id, mine, row.version)
    else:
        if fate in (F.OPEN, F.OVERDUE):
            decided = now - (1 if fate is F.OPEN else 6) * DAY
        _introduce(session, cast, broker, row, fate, max(at, decided), now)


def _introduce(
    session: Session, cast: Cast, broker: Actor, row: Proposal, fate: Fate, at: dt.datetime, now: dt.datetime
) -> None:
    first = AcceptInput(next_step=FIRST_STEP, due_on=local_date(at) + 3 * DAY)
    assert row.id is not None
    made = service.accept(session, broker, at, row.id, first, row.version)
    officer = _officer(session, cast, row.result_id)
    if made.linked or officer is None or fate in (F.OPEN, F.OVERDUE):
        return
    number = made.enquiry_id

    def after(days: int) -> dt.datetime:
        return min(at + days * DAY, now)

    if fate is F.PASSED:
        no = PassInput(reason=PassReason.RIGHTS_UNCLEAR, note="该成果正在办理权属变更，暂不对外许可。")
        enquiries.pass_on(session, officer, after(1), number, no)
        return
    enquiries.reply(session, officer, after(1), number, "感谢推荐，我们有合作意向，请企业提供工况和指标。")
    due = NextStepInput(next_step=NEXT_STEP, due_on=local_date(now) + 5 * DAY)
    enquiries.set_next_step(session, broker, after(2), number, due)
    if fate in (F.NEGOTIATING, F.CONTRACT):
        enquiries.negotiate(session, officer, after(5), number)
    if fate is F.CONTRACT:
        enquiries.agree(session, officer, after(12), number, "双方就普通许可达成一致。")
        deals.draft_from_enquiry(session, officer, after(12), number)


def _officer(session: Session, cast: Cast, result_id: int) -> Actor | None:
    owner = session.scalar(sa.select(t(Result).c.organisation_id).where(t(Result).c.id == result_id))
    key = next((key for key, number in cast.organisations.items() if number == owner), "")
    return cast.actor(key, Role.RESULTS_OFFICER)
