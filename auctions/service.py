"""Verbs before and beside the bidding: drafting, publishing, admitting.

They take a session and never commit. Bids, and everything that happens while a lot is open (pause,
resume, withdraw, cancel, close), are commands for the writer instead: see `auctions.room`.
Rights come from `market.permissions`; every change of a row is audited, every change of a published
lot is an entry of its journal besides.
"""

from __future__ import annotations

import datetime as dt
import secrets

import sqlalchemy as sa

from auctions import drafting, eligibility, journal, relations
from auctions.errors import LotRefusal, TermsChanged
from auctions.models import Admission, AdmissionState, Lot, LotInput
from auctions.relations import NO_RELATION, Declaration
from auctions.rules import commands as c
from auctions.rules.canonical import commitment
from auctions.rules.events import BidderAdmitted, from_data
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import BIDDING, STOPPED, LotState
from auctions.rules.terms import Terms
from market import audit
from market.clock import SHANGHAI
from market.db import Session, for_update, t
from market.errors import Conflict, Duplicate, InvalidInput, NotFound, WrongState
from market.listings.models import ListingState, PricingMode, Result
from market.payments.models import Deposit, DepositState
from market.permissions import Action, Actor, require

LOT, ADMISSION = t(Lot), t(Admission)

MAY_REGISTER = frozenset({LotState.ANNOUNCED, LotState.REGISTRATION}) | BIDDING | STOPPED
"""States of a lot in which an admission may be asked for."""


def create_lot(session: Session, actor: Actor, result_id: int, values: LotInput, now: dt.datetime) -> int:
    """Draft a lot from a published result; returns its id.

    The seller is the result's owner. Who is barred: `drafting.terms_of`. Raises NotFound, NotAllowed, WrongState (result not published, or not to
    be sold by bidding), Duplicate (another lot of the result is not yet ended), InvalidInput.
    """
    return _draft(session, actor, result_id, values, now, None)


def offer_again(session: Session, actor: Actor, lot_id: int, now: dt.datetime) -> int:
    """Draft a lot that did not sell (流拍, 撤拍, cancelled, 悔拍) once more, with its terms at times to
    come; returns the draft's id. Both name each other, and whoever defaulted is barred.

    Raises NotFound, NotAllowed, WrongState (not over, sold, or offered again already; the result is no
    longer on offer), Duplicate, InvalidInput.
    """
    lot = _lot(session, lot_id)
    if lot.state == LotState.DRAFT:
        raise NotFound(subject="lot")
    require(actor, Action.LOT_CREATE, lot.seller_organisation_id)
    return _draft(session, actor, lot.result_id, drafting.again(session, lot, now), now, lot_id)


def _draft(
    session: Session,
    actor: Actor,
    result_id: int,
    values: LotInput,
    now: dt.datetime,
    previous_lot_id: int | None,
) -> int:
    result = session.get(Result, result_id)
    if result is None:
        raise NotFound(subject="result")
    require(actor, Action.LOT_CREATE, result.organisation_id)
    if result.state != ListingState.PUBLISHED or result.pricing_mode == PricingMode.NEGOTIATED:
        raise WrongState(state=result.state, action="create_lot")
    _refuse_second_lot(session, result_id, None)
    terms = drafting.terms_of(
        session,
        result_id,
        result.organisation_id,
        values.terms,
        now,
        sale_id=values.sale_id,
        previous_lot_id=previous_lot_id,
    )
    lot = Lot(
        sale_id=values.sale_id,
        number=values.number,
        result_id=result_id,
        seller_organisation_id=result.organisation_id,
        previous_lot_id=previous_lot_id,
        title=values.title,
        created_by=actor.person_id,
        created_at=now,
        **drafting.draft_columns(terms),
    )
    session.add(lot)
    session.flush()
    assert lot.id is not None
    after = {"title": lot.title, "result_id": result_id}
    if previous_lot_id is not None:
        after["previous_lot_id"] = previous_lot_id
    audit.record(session, actor, "lot.created", lot.id, now, after=after)
    return lot.id


def edit_lot(
    session: Session, actor: Actor, lot_id: int, values: LotInput, version: int, now: dt.datetime
) -> None:
    """Change a draft. Raises NotFound, NotAllowed, WrongState (published), Conflict (stale version),
    InvalidInput."""
    lot = _lot(session, lot_id)
    if lot.state == LotState.DRAFT and not actor.can(Action.LOT_CREATE, lot.seller_organisation_id):
        raise NotFound(subject="lot")
    require(actor, Action.LOT_CREATE, lot.seller_organisation_id)
    if lot.state != LotState.DRAFT:
        raise WrongState(state=lot.state, action="edit_lot")
    if lot.version != version:
        raise Conflict(version=lot.version)
    terms = drafting.terms_of(
        session,
        lot.result_id,
        lot.seller_organisation_id,
        values.terms,
        now,
        sale_id=values.sale_id,
        previous_lot_id=lot.previous_lot_id,
    )
    before = {"title": lot.title, "terms": Terms.from_private(lot.terms).public()}
    lot.title, lot.sale_id, lot.number = values.title, values.sale_id, values.number
    for name, value in drafting.draft_columns(terms).items():
        setattr(lot, name, value)
    lot.version += 1
    session.add(lot)
    audit.record(
        session,
        actor,
        "lot.edited",
        lot_id,
        now,
        before=before,
        after={"title": lot.title, "terms": terms.public()},
    )


def publish(session: Session, actor: Actor, lot_id: int, now: dt.datetime) -> None:
    """Announce a draft lot: its terms are frozen, their hash begins the journal.

    How the lots of its sale end is taken from the sale as it is now. Raises NotFound, NotAllowed, LotRefusal
    (terms_cannot_be_published, wrong_lot_state), WrongState (the result is no longer published),
    InvalidInput (a policy in force asks for more, or the sale is closed).
    """
    lot = _lot(session, lot_id)
    require(actor, Action.LOT_CONDUCT)
    result = session.get(Result, lot.result_id)
    if result is None or result.state != ListingState.PUBLISHED:
        raise WrongState(state=result.state if result else "missing", action="publish_lot")
    if lot.state == LotState.DRAFT:
        terms = drafting.frozen(session, lot)
        problems = drafting.rule_problems(session, lot, terms, now)
        if problems:
            raise InvalidInput([(f"terms.{field}", code, params) for field, code, params in problems])
        lot.terms = terms.private()
        session.add(lot)
    journal.apply(session, c.Publish(lot_id=lot_id, person_id=actor.person_id), now)
    audit.record(session, actor, "lot.published", lot_id, now, after={"terms_hash": _hash(lot)})
    session.expire(lot)


def request_admission(
    session: Session,
    actor: Actor,
    lot_id: int,
    organisation_id: int,
    accepted_terms_hash: str,
    now: dt.datetime,
    declaration: Declaration = NO_RELATION,
) -> int:
    """Ask to be admitted, having read and accepted the terms with that hash; returns the admission's id.

    The bidder declares a relation to seller, organiser or staff, or that there is none. A declared one is
    kept, and the request is refused with it: see its state. Asking again after a refusal re-opens it; while requested or admitted it returns the same id.
    Raises NotFound, NotAllowed, WrongState, TermsChanged, Duplicate (the organisation, or the person for
    another organisation, is in already), LotRefusal (deposit_late, for who has not asked before).
    """
    lot = _lot(session, lot_id)
    if lot.state == LotState.DRAFT:
        raise NotFound(subject="lot")
    require(actor, Action.BID_PLACE, organisation_id)
    if lot.state not in MAY_REGISTER:
        raise WrongState(state=lot.state, action="request_admission")
    if accepted_terms_hash != lot.terms_hash:
        raise TermsChanged(terms_hash=lot.terms_hash)
    rows = (
        session.execute(
            sa.select(Admission).where(
                ADMISSION.c.lot_id == lot_id,
                sa.or_(
                    ADMISSION.c.organisation_id == organisation_id,
                    ADMISSION.c.person_id == actor.person_id,
                ),
            )
        )
        .scalars()
        .all()
    )
    if rows:
        mine = rows[0]
        same = (
            len(rows) == 1 and mine.organisation_id == organisation_id and mine.person_id == actor.person_id
        )
        if not same:
            raise Duplicate(field="organisation_id", value=organisation_id)
        if mine.state == AdmissionState.REFUSED:
            mine.state, mine.reason, mine.requested_at = AdmissionState.REQUESTED.value, "", now
            audit.record(session, actor, "admission.requested", mine.id or 0, now, after={"lot_id": lot_id})
            _declare(session, actor, mine, declaration, now)
        assert mine.id is not None
        return mine.id
    due = Terms.from_private(lot.terms).settlement.deposit_due_at
    if due is not None and now > due:  # a deposit that is asked for now would come late
        raise LotRefusal(_late(due, lot.head_seq))
    assert actor.person_id is not None
    admission = Admission(
        lot_id=lot_id,
        organisation_id=organisation_id,
        person_id=actor.person_id,
        nonce=secrets.token_hex(16),
        accepted_terms_hash=accepted_terms_hash,
        requested_at=now,
    )
    session.add(admission)
    session.flush()
    assert admission.id is not None
    audit.record(
        session,
        actor,
        "admission.requested",
        admission.id,
        now,
        after={"lot_id": lot_id, "organisation_id": organisation_id},
    )
    _declare(session, actor, admission, declaration, now)
    return admission.id


def _declare(
    session: Session, actor: Actor, admission: Admission, declaration: Declaration, now: dt.datetime
) -> None:
    admission.related_to = declaration.to.value if declaration.to else None
    admission.declaration = declaration.text
    if declaration.to is not None:
        admission.state = AdmissionState.REFUSED.value
        relations.declared_by_bidder(session, actor, admission, declaration, now)
        assert admission.id is not None
        audit.record(
            session, actor, "admission.refused", admission.id, now,
            after={"related_to": declaration.to}, reason=declaration.text,
        )  # fmt: skip
    session.add(admission)
    session.flush()


def admit(
    session: Session,
    actor: Actor,
    admission_id: int,
    now: dt.datetime,
    *,
    deposit_id: int | None = None,
    priority: int | None = None,
) -> int:
    """Admit a bidder; returns the alias. Admitting twice returns the same alias and changes nothing.

    Where the terms ask for a deposit, `deposit_id` must name one that is held, for this lot and
    organisation, and large enough. Holds the lot's lock until the transaction ends: call it last.
    Raises NotFound, NotAllowed, LotRefusal (barred_from_bidding, staff_may_not_bid, related_to_seller,
    organisation_suspended, deposit_missing, deposit_late, …).
    """
    admission = _admission(session, admission_id)
    require(actor, Action.LOT_ADMIT)
    if admission.state == AdmissionState.ADMITTED:
        assert admission.alias is not None
        return admission.alias
    if admission.state == AdmissionState.REFUSED:
        raise WrongState(state=admission.state, action="admit")
    session.flush()
    problem = eligibility.problems_of_lot(session, admission.lot_id).get(admission_id)
    terms = Terms.from_private(_lot(session, admission.lot_id).terms)
    barred = terms.is_barred(admission.organisation_id)
    if problem not in (None, RefusalCode.STAFF_MAY_NOT_BID) and not barred:
        raise LotRefusal(Refusal(problem, 1))
    _refuse_late(session, admission, terms, deposit_id)
    step = journal.apply(
        session,
        c.Admit(
            lot_id=admission.lot_id,
            person_id=actor.person_id,
            organisation_id=admission.organisation_id,
            bidder_person_id=admission.person_id,
            is_staff=problem is RefusalCode.STAFF_MAY_NOT_BID,
            deposit_fen=_held(session, admission, deposit_id),
            commitment=commitment(admission.nonce, identity(admission.organisation_id, admission.person_id)),
            alias=admission.alias,
            priority=priority,
        ),
        now,
    )
    entry = step.entries[-1]
    event = from_data(entry.kind, entry.data)
    assert isinstance(event, BidderAdmitted)
    admission.state, admission.alias, admission.priority = (
        AdmissionState.ADMITTED.value,
        event.alias,
        priority,
    )
    admission.deposit_id, admission.admitted_at, admission.reason = deposit_id, now, ""
    session.add(admission)
    audit.record(
        session,
        actor,
        "admission.admitted",
        admission_id,
        now,
        # Not the alias: staff read the log, and who bids under which number is not theirs to see.
        after={"lot_id": admission.lot_id, "deposit_id": deposit_id},
    )
    session.flush()
    return event.alias


def refuse_admission(
    session: Session, actor: Actor, admission_id: int, reason: str, now: dt.datetime
) -> None:
    """Refuse a request, saying why. Raises NotFound, NotAllowed, WrongState."""
    admission = _admission(session, admission_id)
    require(actor, Action.LOT_ADMIT)
    if admission.state != AdmissionState.REQUESTED:
        raise WrongState(state=admission.state, action="refuse_admission")
    admission.state, admission.reason = AdmissionState.REFUSED.value, reason
    session.add(admission)
    audit.record(session, actor, "admission.refused", admission_id, now, reason=reason)


def revoke_admission(
    session: Session, actor: Actor, admission_id: int, reason: str, now: dt.datetime
) -> None:
    """Take an admission back. Raises NotFound, NotAllowed, WrongState, LotRefusal
    (leader_cannot_leave, reason_missing)."""
    admission = _admission(session, admission_id)
    require(actor, Action.LOT_ADMIT)
    if admission.state != AdmissionState.ADMITTED or admission.alias is None:
        raise WrongState(state=admission.state, action="revoke_admission")
    journal.apply(
        session,
        c.RevokeAdmission(
            lot_id=admission.lot_id, person_id=actor.person_id, alias=admission.alias, reason=reason
        ),
        now,
    )
    admission.state, admission.reason = AdmissionState.REVOKED.value, reason
    session.add(admission)
    audit.record(session, actor, "admission.revoked", admission_id, now, reason=reason)


def identity(organisation_id: int, person_id: int) -> str:
    """What an admission's commitment hides: `organisation:person`."""
    return f"{organisation_id}:{person_id}"


def _lot(session: Session, lot_id: int) -> Lot:
    lot = session.get(Lot, lot_id)
    if lot is None:
        raise NotFound(subject="lot")
    return lot


def _admission(session: Session, admission_id: int) -> Admission:
    statement = sa.select(Admission).where(ADMISSION.c.id == admission_id)
    admission = session.execute(for_update(statement, session)).scalar_one_or_none()
    if admission is None:
        raise NotFound(subject="admission")
    return admission


def _hash(lot: Lot) -> str:
    return Terms.from_private(lot.terms).hash()


def _refuse_second_lot(session: Session, result_id: int, but: int | None) -> None:
    # One right can be sold once (电子商务法 article 46: one lot, one sale).
    over = (LotState.PASSED_IN, LotState.WITHDRAWN, LotState.CANCELLED, LotState.DEFAULTED)
    statement = sa.select(LOT.c.id).where(
        LOT.c.result_id == result_id, LOT.c.state.not_in([state.value for state in over])
    )
    other = session.execute(statement.limit(1)).scalar_one_or_none()
    if other is not None and other != but:
        raise Duplicate(field="result_id", value=result_id, lot_id=other)


def _refuse_late(session: Session, admission: Admission, terms: Terms, deposit_id: int | None) -> None:
    """Raise LotRefusal for a deposit that is held, but was not at its deadline."""
    due = terms.settlement.deposit_due_at
    if due is None or deposit_id is None or not _held(session, admission, deposit_id):
        return
    # What is held has last changed when it came to be held.
    deposit = session.get_one(Deposit, deposit_id)
    if deposit.updated_at > due and admission.admitted_at is None:
        raise LotRefusal(_late(due, 1))


def _late(due: dt.datetime, seq: int) -> Refusal:
    shown = due.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    return Refusal(RefusalCode.DEPOSIT_LATE, seq, {"due_at": shown})


def _held(session: Session, admission: Admission, deposit_id: int | None) -> int:
    """The amount of a deposit that counts for an admission, in fen; 0 for any that does not."""
    if deposit_id is None:
        return 0
    deposit = session.get(Deposit, deposit_id)
    if (
        deposit is None
        or deposit.lot_id != admission.lot_id
        or deposit.organisation_id != admission.organisation_id
        or deposit.state != DepositState.HELD
    ):
        return 0
    return deposit.amount_fen
