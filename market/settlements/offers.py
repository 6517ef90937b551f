"""Offers to the next bidder after a default: made, answered, lapsed. Who is next, the auctions tell.

open ──► accepted | declined | lapsed; each bidder is asked once about a lot. None of the verbs commits.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from market import audit
from market.clock import SHANGHAI
from market.db import Session, for_update, t
from market.errors import InvalidInput, NotFound, WrongState
from market.parties.mail import mail_people, members_of
from market.permissions import SYSTEM, Action, Actor, require
from market.settlements.models import OfferState, RunnerUpOffer, Settlement, SettlementState

LONGEST = dt.timedelta(days=60)


def make_offer(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    settlement_id: int,
    *,
    organisation_id: int,
    alias: int,
    amount_fen: int,
    answer_by: dt.datetime,
) -> int:
    """Offer a defaulted lot to the next bidder at its own last bid; returns the offer's id.

    Raises NotFound, NotAllowed, WrongState (not defaulted, the terms do not allow it, another offer is open, the lot
    is being settled with another, this bidder was asked before), InvalidInput (a time that is over or far off).
    """
    require(actor, Action.LOT_CONDUCT)
    statement = sa.select(Settlement).where(t(Settlement).c.id == settlement_id)
    row = session.scalars(for_update(statement, session)).one_or_none()
    if row is None:
        raise NotFound(kind="settlement")
    if row.state != SettlementState.DEFAULTED or not row.runner_up:
        raise WrongState(state=row.state, action="offer_next")
    if not now < answer_by <= now + LONGEST:
        raise InvalidInput([("answer_by", "answer_time_out_of_range", {"days": LONGEST.days})])
    o, s = t(RunnerUpOffer).c, t(Settlement).c
    for other in session.execute(sa.select(o.organisation_id, o.state).where(o.lot_id == row.lot_id)):
        if other.state == OfferState.OPEN or other.organisation_id == organisation_id:
            raise WrongState(state="offered", action="offer_next")
    going_on = sa.select(s.id).where(s.lot_id == row.lot_id, s.state != SettlementState.DEFAULTED.value)
    if session.execute(going_on).first() is not None:
        raise WrongState(state="settling", action="offer_next")
    offer = RunnerUpOffer(
        lot_id=row.lot_id,
        settlement_id=settlement_id,
        organisation_id=organisation_id,
        alias=alias,
        amount_fen=amount_fen,
        offered_by=actor.person_id,
        offered_at=now,
        answer_by=answer_by,
    )
    session.add(offer)
    session.flush()
    assert offer.id is not None
    audit.record(
        session, actor, "runner_up_offer.made", offer.id, now,
        after={"lot_id": row.lot_id, "amount_fen": amount_fen, "answer_by": answer_by.isoformat()},
    )  # fmt: skip
    params = {
        "lot_id": row.lot_id, "title": row.title, "amount_fen": amount_fen, "answer_by": answer_by.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"),
        "offer_id": offer.id,
    }  # fmt: skip
    people = members_of(session, organisation_id)
    mail_people(session, people, "runner_up_offer", params, key=str(offer.id), now=now)
    return offer.id


def answer_offer(
    session: Session, actor: Actor, now: dt.datetime, offer_id: int, *, accept: bool, reason: str = ""
) -> RunnerUpOffer:
    """Accept or decline an offer for the organisation that it was made to; returns it.

    Raises NotFound (also for everybody else), WrongState (answered, or its time is over).
    """
    statement = sa.select(RunnerUpOffer).where(t(RunnerUpOffer).c.id == offer_id)
    offer: RunnerUpOffer | None = session.scalars(
        for_update(statement, session).execution_options(populate_existing=True)
    ).one_or_none()
    if offer is None or not actor.can(Action.BID_PLACE, offer.organisation_id):
        raise NotFound(kind="offer")
    if offer.state != OfferState.OPEN or now > offer.answer_by:
        state = OfferState.LAPSED if offer.state == OfferState.OPEN else offer.state
        raise WrongState(state=str(state), action="answer_offer")
    offer.state = (OfferState.ACCEPTED if accept else OfferState.DECLINED).value
    offer.answered_by, offer.answered_at, offer.reason = actor.person_id, now, reason.strip()
    audit.record(
        session, actor, f"runner_up_offer.{offer.state}", offer_id, now,
        after={"lot_id": offer.lot_id}, reason=reason.strip() or None,
    )  # fmt: skip
    session.flush()
    return offer


def lapse_due(session: Session, now: dt.datetime) -> list[tuple[int, int]]:
    """End the offers whose time is over; returns (lot, bidder's number) of each."""
    o = t(RunnerUpOffer).c
    statement = sa.select(RunnerUpOffer).where(o.state == OfferState.OPEN.value, o.answer_by < now)
    found = session.scalars(for_update(statement.order_by(o.id).limit(100), session, skip_locked=True)).all()
    for offer in found:
        assert offer.id is not None
        offer.state, offer.answered_at = OfferState.LAPSED.value, now
        audit.record(session, SYSTEM, "runner_up_offer.lapsed", offer.id, now, after={"lot_id": offer.lot_id})
    session.flush()
    return [(offer.lot_id, offer.alias) for offer in found]
