"""From a lot that is over to its settlement, and after a default to the next bidder.

Who is next follows from the journal alone: each bidder's own last bid, the highest first. Sealed bids of one
price stand as their format ranks them; in open bidding a bid of the standing price is a match by priority,
and stands before the one that it matched. None of this commits.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from auctions import eligibility, journal, lookups
from auctions.models import Admission, Lot
from auctions.rules import commands as c
from auctions.rules.canonical import iso
from auctions.rules.settlement import SettlementTerms, has_next_bidder
from auctions.rules.state import ENDED, LotState
from auctions.rules.terms import Terms
from market.db import Session, t
from market.deals import redrafting
from market.deals import service as deals
from market.errors import NotFound, WrongState
from market.listings import service as listings
from market.listings.models import ListingState, Result
from market.payments.rules import RestTo
from market.permissions import SYSTEM, Actor
from market.settlements import offers, service
from market.settlements.models import OfferState, Origin, RunnerUpOffer, Settlement, SettlementState

LOT, ADMISSION = t(Lot), t(Admission)
SETTLEMENT, OFFER = t(Settlement), t(RunnerUpOffer)


@dataclass(frozen=True, slots=True)
class NextBidder:
    """Who would be offered a lot next: its number and organisation, and its own last bid in fen."""

    alias: int
    organisation_id: int
    amount_fen: int


def open_for_winner(session: Session, now: dt.datetime, lot_id: int, contract_id: int | None) -> int | None:
    """The settlement of a lot that was sold (also one that has defaulted since), begun once; None for any other."""
    lot = _lot(session, lot_id)
    if lot.winner_organisation_id is None or lot.hammer_fen is None or lot.closed_at is None:
        return None
    return _open(
        session, SYSTEM, now, lot, Origin.SALE, lot.winner_organisation_id, lot.winner_alias, lot.hammer_fen,
        lot.closed_at, contract_id,
    )  # fmt: skip


def defaulted(session: Session, now: dt.datetime, lot_id: int) -> None:
    """Carry a default that the journal tells to the winner's settlement."""
    s = SETTLEMENT.c
    for settlement_id in session.scalars(
        sa.select(s.id).where(s.lot_id == lot_id, s.origin == Origin.SALE.value)
    ):
        service.mark_defaulted(session, SYSTEM, now, settlement_id)


def _open(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    lot: Lot,
    origin: Origin,
    buyer_id: int,
    alias: int | None,
    price_fen: int,
    begun_at: dt.datetime,
    contract_id: int | None,
) -> int:
    terms = Terms.from_private(lot.terms)
    promised = terms.settlement
    assert lot.id is not None
    return service.open_settlement(
        session,
        actor,
        now,
        lot_id=lot.id,
        origin=origin,
        title=lot.title,
        seller_organisation_id=lot.seller_organisation_id,
        buyer_organisation_id=buyer_id,
        organiser_organisation_id=lot.organiser_organisation_id,
        price_fen=price_fen,
        currency=terms.currency,
        deposit_fen=terms.deposit_fen,
        rest_to=RestTo(promised.forfeit_rest.value),
        runner_up=promised.runner_up,
        facts=_facts(session, lot, terms, origin, buyer_id, alias, price_fen, begun_at),
        closed_at=begun_at,
        confirm_days=promised.confirm_days,
        contract_days=promised.contract_days,
        balance_days=promised.balance_days,
        contract_id=contract_id,
    )


def _facts(
    session: Session, lot: Lot, terms: Terms, origin: Origin, buyer_id: int, alias: int | None, price_fen: int,
    begun_at: dt.datetime,
) -> dict[str, Any]:  # fmt: skip
    """What the confirmation of sale says, with the entry of the journal that it rests on."""
    assert lot.id is not None
    closing = lookups.closing(session, lot.id)
    organiser = lot.organiser_organisation_id

    def party(organisation_id: int) -> dict[str, Any]:
        found = lookups.party(session, organisation_id)
        return {"id": organisation_id, "name": found.name, "credit_code": found.credit_code}

    facts: dict[str, Any] = {
        "v": 1,
        "lot": lot.id,
        "title": lot.title,
        "origin": origin.value,
        "format": terms.format,
        "organiser_type": terms.organiser_type.value,
        "organiser": None if organiser is None else party(organiser),
        "seller": party(lot.seller_organisation_id),
        "buyer": {**party(buyer_id), "bidder": alias},
        "price_fen": price_fen,
        "currency": terms.currency,
        "at": iso(begun_at),
        "terms_hash": lot.terms_hash,
    }
    if closing is not None:
        facts["closing"] = {"seq": closing.seq, "hash": closing.hash}
        royalty = closing.data.get("detail", {}).get("royalty_bp")
        if royalty is not None:
            facts["royalty_bp"] = royalty
    return facts


def next_bidder(session: Session, lot_id: int) -> NextBidder | None:
    """Who would be offered a defaulted lot next: the best of those who have not bought or been asked, are admitted
    still, may bid, and bid the reserve at least. None where there is nobody, or the terms ask nobody."""
    lot = _lot(session, lot_id)
    terms = Terms.from_private(lot.terms)
    if (
        lot.state != LotState.DEFAULTED
        or not terms.settlement.runner_up
        or not has_next_bidder(terms.format, terms.params)
    ):
        return None
    a = ADMISSION.c
    problems = eligibility.problems_of_lot(session, lot_id)
    bidders = {
        row.alias: row
        for row in session.execute(
            sa.select(a.id, a.alias, a.organisation_id, a.priority).where(
                a.lot_id == lot_id, a.alias.is_not(None)
            )
        )
        if row.id not in problems
    }
    out = set(
        session.scalars(
            sa.union_all(
                sa.select(SETTLEMENT.c.buyer_organisation_id).where(SETTLEMENT.c.lot_id == lot_id),
                sa.select(OFFER.c.organisation_id).where(OFFER.c.lot_id == lot_id),
            )
        )
    )
    admitted = {int(one[0]) if isinstance(one, list) else int(one) for one in lot.fold.get("admitted", [])}
    for alias, amount in _ranked(session, lot, {alias: row.priority for alias, row in bidders.items()}):
        bidder = bidders.get(alias)
        if bidder is None or bidder.organisation_id in out or alias not in admitted:
            continue
        if terms.reserve_fen is not None and amount < terms.reserve_fen:
            return None
        return NextBidder(alias, bidder.organisation_id, amount)
    return None


def _ranked(session: Session, lot: Lot, priorities: dict[int, int | None]) -> list[tuple[int, int]]:
    """(alias, own last bid) of everybody who bid, the best first."""
    if lot.terms["format"] == "sealed":
        opened = {int(alias): found for alias, found in lot.fold.get("book", {}).get("opened", {}).items()}

        def place(alias: int) -> tuple[int, bool, int, int]:
            amount, sealed_seq = opened[alias]
            rank = priorities.get(alias)
            return (-amount, rank is None, rank or 0, sealed_seq)

        return [(alias, opened[alias][0]) for alias in sorted(opened, key=place)]
    assert lot.id is not None
    last = lookups.last_amounts(session, lot.id, set(lot.fold.get("bidders", [])))
    # The latest entry comes first of equal amounts: it is the match.
    return sorted(last.items(), key=lambda item: -item[1])


def offer_next(
    session: Session, actor: Actor, now: dt.datetime, lot_id: int, answer_by: dt.datetime
) -> tuple[int, NextBidder]:
    """Offer a defaulted lot to the next bidder; returns the offer's id and to whom.

    Raises NotFound, NotAllowed, WrongState (nobody to ask, offered again already, and as `offers.make_offer`),
    InvalidInput.
    """
    settlement_id = session.scalar(
        sa.select(sa.func.max(SETTLEMENT.c.id)).where(SETTLEMENT.c.lot_id == lot_id)
    )
    if settlement_id is None:
        raise NotFound(subject="lot")
    found = next_bidder(session, lot_id)
    if found is None:
        raise WrongState(state="nobody_next", action="offer_next")
    _refuse_other_lot(session, _lot(session, lot_id))
    offer_id = offers.make_offer(
        session,
        actor,
        now,
        settlement_id,
        organisation_id=found.organisation_id,
        alias=found.alias,
        amount_fen=found.amount_fen,
        answer_by=answer_by,
    )
    return offer_id, found


def answer(
    session: Session, actor: Actor, now: dt.datetime, offer_id: int, *, accept: bool, reason: str = ""
) -> RunnerUpOffer:
    """Answer an offer for its bidder. With an acceptance the lot's settlement with it begins: its days count from
    now, the contract that was drafted for the defaulter becomes its, and the deposit is asked for again.

    Raises NotFound, WrongState (answered, lapsed, the lot is offered again, the result is not on offer, or the
    defaulter's contract is no draft any more).
    """
    offer = offers.answer_offer(session, actor, now, offer_id, accept=accept, reason=reason)
    if not accept:
        return offer
    lot = _lot(session, offer.lot_id)
    _refuse_other_lot(session, lot)
    contract_id = session.scalar(
        sa.select(SETTLEMENT.c.contract_id).where(SETTLEMENT.c.id == offer.settlement_id)
    )
    if contract_id is None:
        contract_id = deals.draft_from_lot(
            session,
            now,
            lot_id=offer.lot_id,
            title=lot.title,
            result_id=lot.result_id,
            seller_organisation_id=lot.seller_organisation_id,
            buyer_organisation_id=offer.organisation_id,
            hammer_fen=offer.amount_fen,
        )
    else:
        redrafting.put_buyer(
            session, SYSTEM, now, contract_id, buyer_id=offer.organisation_id, deal_fen=offer.amount_fen
        )
    settlement_id = _open(
        session, actor, now, lot, Origin.RUNNER_UP, offer.organisation_id, offer.alias, offer.amount_fen, now,
        contract_id,
    )  # fmt: skip
    listings.conclude_result(session, SYSTEM, now, lot.result_id)
    service.advance(session, now, settlement_id)
    return offer


def runner_up_defaulted(
    session: Session, actor: Actor, now: dt.datetime, settlement_id: int, reason: str
) -> None:
    """Record that a next bidder who had accepted did not keep to the terms; the result is on offer again.

    Raises NotFound, NotAllowed, WrongState (a winner's default is the journal's to tell).
    """
    row = session.get(Settlement, settlement_id)
    if row is None:
        raise NotFound(subject="settlement")
    if row.origin != Origin.RUNNER_UP or row.state == SettlementState.COMPLETE:
        raise WrongState(state=row.state, action="default")
    service.mark_defaulted(session, actor, now, settlement_id, reason)
    lot = _lot(session, row.lot_id)
    result = session.get(Result, lot.result_id)
    if result is not None and result.state == ListingState.CONCLUDED:
        listings.reopen_result(session, SYSTEM, now, lot.result_id)


@dataclass(frozen=True, slots=True)
class Promised:
    """What the terms of a lot promise about money: for who decides whether to take it."""

    title: str
    deposit_fen: int
    settlement: SettlementTerms


def promised(session: Session, lot_id: int) -> Promised:
    """The terms' word on a lot's settlement. One statement. Raises NotFound."""
    row = session.execute(sa.select(LOT.c.title, LOT.c.terms).where(LOT.c.id == lot_id)).one_or_none()
    if row is None:
        raise NotFound(subject="lot")
    terms = Terms.from_private(row.terms)
    return Promised(row.title, terms.deposit_fen, terms.settlement)


def fetched_again(session: Session, lot_id: int) -> int | None:
    """What a defaulted lot fetched the second time, in fen: from a next bidder, or where it was offered again;
    None until then. Two statements at most."""
    s = SETTLEMENT.c
    taken = session.scalar(
        sa.select(s.price_fen).where(
            s.lot_id == lot_id,
            s.origin == Origin.RUNNER_UP.value,
            s.state != SettlementState.DEFAULTED.value,
        )
    )
    if taken is not None:
        return taken
    return session.scalar(
        sa.select(LOT.c.hammer_fen)
        .where(LOT.c.previous_lot_id == lot_id, LOT.c.state == LotState.SOLD.value)
        .order_by(LOT.c.id.desc())
        .limit(1)
    )


def announce(session: Session, actor: Actor, now: dt.datetime, lot_id: int, text: str) -> None:
    """Put a notice into a lot's journal, in this transaction. Holds the lot's lock until it ends: call it last."""
    journal.apply(session, c.Announce(lot_id=lot_id, person_id=actor.person_id, text=text), now)


def being_settled(session: Session, lot_id: int) -> bool:
    """Whether a defaulted lot is on offer to, or being settled with, a next bidder."""
    s, o = SETTLEMENT.c, OFFER.c
    return (
        session.execute(
            sa.union_all(
                sa.select(s.id).where(
                    s.lot_id == lot_id,
                    s.origin == Origin.RUNNER_UP.value,
                    s.state != SettlementState.DEFAULTED.value,
                ),
                sa.select(o.id).where(o.lot_id == lot_id, o.state == OfferState.OPEN.value),
            ).limit(1)
        ).first()
        is not None
    )


def _refuse_other_lot(session: Session, lot: Lot) -> None:
    """Raise WrongState where the lot's result is not free: offered again, in another lot, or no longer listed."""
    again = sa.select(LOT.c.id).where(
        sa.or_(
            LOT.c.previous_lot_id == lot.id,
            sa.and_(LOT.c.result_id == lot.result_id, LOT.c.state.not_in([state.value for state in ENDED])),
        )
    )
    if session.execute(again.limit(1)).first() is not None:
        raise WrongState(state="offered_again", action="offer_next")
    result = session.get(Result, lot.result_id)
    if result is None or result.state != ListingState.PUBLISHED:
        raise WrongState(state=result.state if result else "missing", action="offer_next")


def _lot(session: Session, lot_id: int) -> Lot:
    lot = session.get(Lot, lot_id, populate_existing=True)
    if lot is None:
        raise NotFound(subject="lot")
    return lot
