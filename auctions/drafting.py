"""From what is entered to the terms of a draft, and back; and drafts that offer a lot again."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa

from auctions import after_sale, policies
from auctions.models import Lot, LotInput, Sale, SettlementInput, TermsInput
from auctions.policies import AuctionRule
from auctions.rules import formats
from auctions.rules.formats import RULES
from auctions.rules.formats.parameters import parameter_problems
from auctions.rules.settlement import SettlementTerms, share_of
from auctions.rules.state import LotState
from auctions.rules.terms import Terms
from market.clock import as_utc, local_date
from market.db import Session, t
from market.errors import InvalidInput, WrongState
from market.parties.models import Organisation
from market.settlements.models import Settlement, SettlementState

LOT = t(Lot)

AGAIN = frozenset({LotState.PASSED_IN, LotState.WITHDRAWN, LotState.CANCELLED, LotState.DEFAULTED})
"""States after which a lot may be offered again."""


def terms_of(
    session: Session,
    result_id: int,
    seller_id: int,
    values: TermsInput,
    now: dt.datetime,
    *,
    sale_id: int | None = None,
    previous_lot_id: int | None = None,
) -> Terms:
    """The terms that were entered, completed by what they follow from. Raises InvalidInput.

    Organisations that defaulted on an earlier lot of the same result, or on the lot that is offered
    again, are barred (法释〔2016〕18号). What is left open about the settlement takes the policies in force.
    """
    organiser = values.organiser_organisation_id
    if organiser is not None and session.get(Organisation, organiser) is None:
        raise InvalidInput([("terms.organiser_organisation_id", "unknown_organisation", {})])
    rules = RULES.get(values.format)
    if rules is None:
        raise InvalidInput([("terms.format", "unknown_format", {"formats": ", ".join(sorted(RULES))})])
    sale = _sale(session, sale_id)
    if values.ends_at is None and rules.SOFT_CLOSE:
        raise InvalidInput([("terms.ends_at", "missing", {})])
    barred = {*values.barred_organisation_ids, *_defaulted(session, result_id, previous_lot_id)}
    terms = Terms(
        format=values.format,
        params={parameter.name: parameter.default for parameter in rules.PARAMETERS} | values.params,
        start_fen=values.start_fen,
        steps=_steps(values) if rules.STEPS else ((0, 1),),
        max_steps=values.max_steps if rules.STEPS else None,
        cap_fen=values.cap_fen,
        cap_rule=values.cap_rule,
        maxima=values.maxima,
        cover_bp=values.cover_bp,
        reserve_fen=values.reserve_fen,
        reserve_nonce=secrets.token_hex(16) if values.reserve_fen is not None else "",
        deposit_fen=_deposit(values),
        registration_opens_at=_utc(values.registration_opens_at),
        opens_at=as_utc(values.opens_at),
        ends_at=as_utc(values.ends_at or values.opens_at),
        hard_end=_utc(values.hard_end) if rules.SOFT_CLOSE else None,
        window_s=values.window_s if rules.SOFT_CLOSE else 0,
        extension_s=values.extension_s if rules.SOFT_CLOSE else 0,
        hand_extension_s=values.hand_extension_s,
        hand_extensions=values.hand_extensions,
        sole_bidder=values.sole_bidder,
        organiser_type=values.organiser_type,
        organiser_organisation_id=organiser,
        seller_organisation_id=seller_id,
        barred_organisation_ids=tuple(sorted(barred)),
        sale_id=sale_id,
        ends_together=sale is not None and sale.ends_together,
        previous_lot_id=previous_lot_id,
        settlement=_settlement(session, values, now),
    )
    if not parameter_problems(rules.PARAMETERS, terms.params):
        terms = replace(terms, ends_at=rules.ends_at(terms))
    problems = formats.problems(terms)
    if problems:
        raise InvalidInput([(_field(field), code, params) for field, code, params in problems])
    return terms


def _deposit(values: TermsInput) -> int:
    share = values.settlement.deposit_share_bp
    return values.deposit_fen if values.deposit_fen or share is None else share_of(values.start_fen, share)


def _settlement(session: Session, values: TermsInput, now: dt.datetime) -> SettlementTerms:
    entered = values.settlement
    usual = SettlementTerms()
    rules = policies.in_force(session, values.organiser_type, local_date(now))

    def limit(given: int | None, rule: AuctionRule, otherwise: int) -> int:
        policy = rules.get(rule)
        return given if given is not None else policy.value if policy else otherwise

    return SettlementTerms(
        deposit_share_bp=entered.deposit_share_bp,
        deposit_due_at=_utc(entered.deposit_due_at),
        refund_hours=limit(entered.refund_hours, AuctionRule.REFUND, usual.refund_hours),
        confirm_days=usual.confirm_days if entered.confirm_days is None else entered.confirm_days,
        contract_days=limit(entered.contract_days, AuctionRule.CONTRACT, usual.contract_days),
        balance_days=usual.balance_days if entered.balance_days is None else entered.balance_days,
        forfeit_rest=entered.forfeit_rest,
        runner_up=entered.runner_up,
    )


def _field(field: str) -> str:
    # A lot takes whether it ends with the others from its sale: that is what must be chosen otherwise.
    return "sale_id" if field == "ends_together" else f"terms.{field}"


def _steps(values: TermsInput) -> tuple[tuple[int, int], ...]:
    steps = [(int(floor), int(step)) for floor, step in values.steps]
    if values.step_fen is not None:
        steps = [(0, values.step_fen), *(row for row in steps if row[0] != 0)]
    return tuple(steps)


def _sale(session: Session, sale_id: int | None) -> Sale | None:
    if sale_id is None:
        return None
    sale = session.get(Sale, sale_id)
    if sale is None:
        raise InvalidInput([("sale_id", "unknown_sale", {})])
    if sale.closed_at is not None:
        raise InvalidInput([("sale_id", "sale_is_closed", {})])
    return sale


def _defaulted(session: Session, result_id: int, previous_lot_id: int | None) -> list[int]:
    which = LOT.c.result_id == result_id
    if previous_lot_id is not None:
        which = sa.or_(which, LOT.c.id == previous_lot_id)
    winners = sa.select(LOT.c.winner_organisation_id).where(
        which, LOT.c.state == LotState.DEFAULTED.value, LOT.c.winner_organisation_id.is_not(None)
    )
    # Also a next bidder who took the lot after the winner's default, and did not keep to it.
    s = t(Settlement).c
    others = (
        sa.select(s.buyer_organisation_id)
        .join_from(t(Settlement), LOT, s.lot_id == LOT.c.id)
        .where(which, s.state == SettlementState.DEFAULTED.value)
    )
    return list(session.scalars(sa.union(winners, others)))


def input_of(terms: Terms) -> TermsInput:
    """What must be entered to get these terms; the way back of `terms_of`."""
    rules = RULES[terms.format]
    return TermsInput(
        format=terms.format,
        params=dict(terms.params),
        start_fen=terms.start_fen,
        reserve_fen=terms.reserve_fen,
        steps=list(terms.steps) if rules.STEPS else [],
        max_steps=terms.max_steps,
        cap_fen=terms.cap_fen,
        deposit_fen=terms.deposit_fen,
        registration_opens_at=terms.registration_opens_at,
        opens_at=terms.opens_at,
        ends_at=terms.ends_at,
        hard_end=terms.hard_end,
        window_s=terms.window_s,
        extension_s=terms.extension_s,
        sole_bidder=terms.sole_bidder,
        cap_rule=terms.cap_rule,
        maxima=terms.maxima,
        cover_bp=terms.cover_bp,
        hand_extension_s=terms.hand_extension_s,
        hand_extensions=terms.hand_extensions,
        organiser_type=terms.organiser_type,
        organiser_organisation_id=terms.organiser_organisation_id,
        barred_organisation_ids=list(terms.barred_organisation_ids),
        settlement=SettlementInput.model_validate(asdict(terms.settlement)),
    )


def again(session: Session, lot: Lot, now: dt.datetime) -> LotInput:
    """What a lot that did not sell would be offered again with: its terms at times to come.

    Raises WrongState for a lot that is not over, or was sold, or is offered again already, or to the next bidder.
    """
    if LotState(lot.state) not in AGAIN:
        raise WrongState(state=lot.state, action="offer_again")
    if after_sale.being_settled(session, lot.id or 0):
        raise WrongState(state="offered_to_next", action="offer_again")
    taken = sa.select(LOT.c.id).where(LOT.c.previous_lot_id == lot.id)
    if session.execute(taken.limit(1)).first() is not None:
        raise WrongState(state="offered_again", action="offer_again")
    terms = Terms.from_private(lot.terms)
    shift = dt.timedelta(days=max(7, -(-(now - terms.opens_at) // dt.timedelta(days=1)) + 7))

    def later(at: dt.datetime | None) -> dt.datetime | None:
        return None if at is None else at + shift

    values = input_of(terms)
    values = values.model_copy(
        update={
            "registration_opens_at": None,
            "opens_at": later(terms.opens_at),
            "ends_at": later(terms.ends_at),
            "hard_end": later(terms.hard_end),
            "settlement": values.settlement.model_copy(
                update={"deposit_due_at": later(terms.settlement.deposit_due_at)}
            ),
        }
    )
    return LotInput(title=lot.title, terms=values)


def frozen(session: Session, lot: Lot) -> Terms:
    """The terms that publication freezes: a draft's, with what its sale says now. Raises InvalidInput."""
    terms = Terms.from_private(lot.terms)
    sale = _sale(session, lot.sale_id)
    together = sale is not None and sale.ends_together
    if together and not RULES[terms.format].SOFT_CLOSE:
        raise InvalidInput([("sale_id", "not_with_this_format", {})])
    return replace(terms, sale_id=lot.sale_id, ends_together=together)


def rule_problems(session: Session, lot: Lot, terms: Terms, now: dt.datetime) -> list[Any]:
    """What in a draft breaks the policies in force for its organiser. Two statements at most."""
    rules = policies.in_force(session, terms.organiser_type, local_date(now))
    previous = None
    if lot.previous_lot_id is not None:
        row = session.execute(
            sa.select(LOT.c.start_fen, LOT.c.closed_at).where(LOT.c.id == lot.previous_lot_id)
        ).one()
        if row.closed_at is not None:
            previous = policies.Previous(row.start_fen, row.closed_at)
    return policies.problems(rules, terms, now, previous)


def draft_columns(terms: Terms) -> dict[str, Any]:
    """What the lot's row repeats of its terms."""
    return {
        "terms": terms.private(),
        "start_fen": terms.start_fen,
        "deposit_fen": terms.deposit_fen,
        "organiser_organisation_id": terms.organiser_organisation_id,
        "opens_at": terms.opens_at,
        "ends_at": terms.ends_at,
    }


def _utc(value: dt.datetime | None) -> dt.datetime | None:
    return None if value is None else as_utc(value)
