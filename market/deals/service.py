"""What can be done with technology contracts. Every verb leaves an event and an audit record.

Rights: a party's own people write and submit (`contract:create`, `contract:edit`), officials decide
(`contract:register`). Verbs lock the contract's row; none commits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa

from market import audit, work
from market.clock import local_date, start_of_local_day
from market.db import Session, t
from market.deals import movements, policies, price, recording, rules
from market.deals.inputs import ContractInput, Deduction, InstalmentInput
from market.deals.models import (
    Contract,
    ContractKind,
    ContractSource,
    ContractState,
    ContractSubkind,
    PriceForm,
)
from market.deals.rules import Step
from market.demands.models import Demand
from market.enquiries.models import Enquiry
from market.enquiries.service import may_read
from market.errors import InvalidInput, NotFound, WrongState
from market.listings.models import Result
from market.permissions import SYSTEM, Action, Actor, reaches, require_party


def create_contract(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    data: ContractInput,
    *,
    source: ContractSource = ContractSource.ENTERED,
) -> int:
    """Write a contract down as a draft; returns its id.

    Raises NotAllowed unless the actor writes for one of the parties, InvalidInput for amounts that do
    not add up, parties that are one and the same, or an unknown organisation, industry or result.
    """
    require_party(actor, Action.CONTRACT_CREATE, data.seller_id, data.buyer_id)
    values = recording.values_of(session, actor, data)
    contract = Contract(
        local_number=recording.next_number(session, local_date(now).year),
        state=ContractState.DRAFT.value,
        source=source.value,
        created_by=actor.person_id,
        created_at=now,
        updated_at=now,
        **values,
    )
    session.add(contract)
    session.flush()
    assert contract.id is not None
    recording.add_event(session, actor, now, contract, "create", None)
    audit.record(session, actor, "contract.created", contract.id, now, after=recording.audited(contract))
    return contract.id


def edit_contract(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    contract_id: int,
    data: ContractInput,
    *,
    version: int | None = None,
) -> int:
    """Replace what a draft, or a contract sent back for a supplement, says. Returns the new version.

    Raises NotFound, NotAllowed, WrongState, Conflict (another version), InvalidInput.
    """
    contract = recording.locked(session, actor, contract_id, version)
    require_party(actor, Action.CONTRACT_EDIT, contract.seller_id, contract.buyer_id)
    state = ContractState(contract.state)
    if state not in rules.EDITABLE:
        raise WrongState(state=state.value, action="edit")
    require_party(actor, Action.CONTRACT_EDIT, data.seller_id, data.buyer_id)
    before = recording.audited(contract)
    amounts = (contract.deal_fen, contract.technology_fen)
    values = recording.values_of(session, actor, data, result_before=contract.result_id)
    if data.result_id is None:
        values["result_id"] = contract.result_id
    for name, value in values.items():
        setattr(contract, name, value)
    recording.touch(contract, now)
    recording.add_event(session, actor, now, contract, "edit", state, amounts=amounts)
    audit.record(
        session, actor, "contract.edited", contract_id, now, before=before, after=recording.audited(contract)
    )
    session.flush()
    return contract.version


def draft_from_lot(
    session: Session,
    now: dt.datetime,
    *,
    lot_id: int,
    title: str,
    result_id: int | None,
    seller_organisation_id: int,
    buyer_organisation_id: int,
    hammer_fen: int,
    actor: Actor | None = None,
) -> int:
    """The draft contract of a won lot; returns its id. Called twice it returns the same one.

    Everything that only the parties can know (day of signing, field, deductions) is left to them.
    Raises NotFound when an organisation does not exist.
    """
    existing = session.scalar(sa.select(t(Contract).c.id).where(t(Contract).c.source_lot_id == lot_id))
    if existing is not None:
        return int(existing)
    return _draft(
        session,
        actor or SYSTEM,
        now,
        title=title,
        result_id=result_id,
        seller_id=seller_organisation_id,
        buyer_id=buyer_organisation_id,
        deal_fen=hammer_fen,
        source=ContractSource.LOT,
        lot_id=lot_id,
    )


def draft_from_enquiry(session: Session, actor: Actor, now: dt.datetime, enquiry_id: int) -> int:
    """A draft contract between the two sides of an enquiry; returns its id, the same one when asked again.

    Raises NotFound when there is no such enquiry that the actor may know of; InvalidInput when it names no
    organisation on the asking side; NotAllowed when the actor writes for neither party.
    """
    enquiry = session.get(Enquiry, enquiry_id)
    writes = reaches(actor, Action.CONTRACT_CREATE)
    if enquiry is None or not (writes or may_read(actor, enquiry)):
        raise NotFound
    asks_for_result = enquiry.subject_kind == "result"
    seller_id = enquiry.to_organisation_id if asks_for_result else enquiry.from_organisation_id
    buyer_id = enquiry.from_organisation_id if asks_for_result else enquiry.to_organisation_id
    require_party(actor, Action.CONTRACT_CREATE, seller_id, buyer_id)
    if seller_id is None or buyer_id is None:
        raise InvalidInput([("from_organisation_id", "missing", {})])
    c = t(Contract).c
    existing = session.scalar(
        sa.select(c.id).where(c.source_enquiry_id == enquiry_id).order_by(c.id).limit(1)
    )
    if existing is not None:
        return int(existing)
    result_id = enquiry.subject_id if asks_for_result else enquiry.offered_result_id
    if asks_for_result:
        title = session.scalar(sa.select(t(Result).c.title).where(t(Result).c.id == enquiry.subject_id))
    else:
        title = session.scalar(sa.select(t(Demand).c.title).where(t(Demand).c.id == enquiry.subject_id))
    return _draft(
        session,
        actor,
        now,
        title=title or "",
        result_id=result_id,
        seller_id=seller_id,
        buyer_id=buyer_id,
        deal_fen=0,
        source=ContractSource.ENQUIRY,
        enquiry_id=enquiry_id,
    )


def draft_from_trial(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    *,
    title: str,
    result_id: int,
    seller_id: int,
    buyer_id: int,
    deal_fen: int,
    mode: str,
) -> int:
    """A draft contract at the terms agreed before a trial (先用后付); returns its id. That it is made once is
    the trial's own state. Raises NotAllowed unless the actor writes for a party."""
    require_party(actor, Action.CONTRACT_CREATE, seller_id, buyer_id)
    return _draft(
        session,
        actor,
        now,
        title=title,
        result_id=result_id,
        seller_id=seller_id,
        buyer_id=buyer_id,
        deal_fen=deal_fen,
        source=ContractSource.TRIAL,
        modes=[mode],
    )


def step(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    contract_id: int,
    what: Step | str,
    *,
    reason: str = "",
    registration_number: str | None = None,
    kind: ContractKind | None = None,
    subkind: ContractSubkind | None = None,
    deal_fen: int | None = None,
    technology_fen: int | None = None,
    deductions: Sequence[Deduction] | None = None,
    instalments: Sequence[InstalmentInput] | None = None,
    entry_fee_fen: int | None = None,
    royalty_ppm: int | None = None,
    foreign_amount: str | None = None,
    version: int | None = None,
) -> ContractState:
    """Take a contract one step further; returns its new state.

    `amend` takes new amounts (those not given stay; a price in a foreign currency is amended by
    `foreign_amount`, at the rate of the contract); `register` may take the number that the national
    system issued. Raises NotFound, NotAllowed, WrongState, Conflict, InvalidInput, Duplicate (number).
    """
    what = Step(what)
    contract = recording.locked(session, actor, contract_id, version)
    if what in rules.PARTY_STEPS:
        writer = rules.registrant(contract.seller_id, contract.seller_region, contract.buyer_id)
        require_party(actor, Action.CONTRACT_EDIT, writer)
    else:
        require_party(actor, Action.CONTRACT_REGISTER)
    before = ContractState(contract.state)
    after = rules.next_state(before, what)
    rules.require_reason(what, reason)
    amounts = (contract.deal_fen, contract.technology_fen)
    old = recording.audited(contract)
    today = local_date(now)
    if what is Step.SUBMIT:
        _check_complete(contract, today)
    elif what in (Step.ACCEPT, Step.RESUME):
        limit = policies.decide_by(session, contract.technology_fen, today)
        contract.accepted_on, contract.decide_by = today, limit.day if limit else None
        contract.escalated_on = None
    elif what is Step.REGISTER:
        _check_complete(contract, today)
        _classify(contract, kind, subkind)
        if technology_fen is not None or deductions is not None:
            _amend_technology(contract, technology_fen, deductions)
        contract.registered_on = today
        recording.give_number(session, contract, registration_number)
    elif what is Step.AMEND:
        _classify(contract, kind, subkind)
        _amend_price(contract, deal_fen, instalments, entry_fee_fen, royalty_ppm, foreign_amount)
        _amend_technology(contract, technology_fen, deductions)
        recording.give_number(session, contract, registration_number)
    elif what in (Step.DEREGISTER, Step.REVOKE):
        contract.ended_on = today
    contract.state = after.value
    recording.touch(contract, now)
    recording.add_event(
        session, actor, now, contract, what.value, before, reason=reason.strip(), amounts=amounts
    )
    audit.record(
        session,
        actor,
        f"contract.{_PAST[what]}",
        contract_id,
        now,
        before=old,
        after=recording.audited(contract),
        reason=reason.strip() or None,
    )
    if what in _COUNTED:
        movements.record(session, now, contract, what.value, today)
    key = f"{contract_id}:{contract.version}"
    work.enqueue(session, STEPPED, {"contract_id": contract_id}, key=key, now=now)
    session.flush()
    return after


STEPPED = "contract.stepped"
"""Kind of the work that follows from a step."""

_COUNTED = frozenset({Step.REGISTER, Step.AMEND, Step.DEREGISTER, Step.REVOKE})
"""Steps that can change what the register counts."""


_PAST: dict[Step, str] = {
    Step.SUBMIT: "submitted",
    Step.ACCEPT: "accepted",
    Step.ASK_SUPPLEMENT: "supplement_asked",
    Step.RESUME: "resumed",
    Step.SEND_TO_EXPERTS: "sent_to_experts",
    Step.REGISTER: "registered",
    Step.REFUSE: "refused",
    Step.AMEND: "amended",
    Step.DEREGISTER: "deregistered",
    Step.REVOKE: "revoked",
}


def enter_registered(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    data: ContractInput,
    *,
    registered_on: dt.date,
    submitted_on: dt.date | None = None,
    accepted_on: dt.date | None = None,
    registration_number: str | None = None,
    reason: str = "",
    source: ContractSource = ContractSource.IMPORTED,
) -> int:
    """Enter a contract that was registered before, here on paper or at another office; returns its id.

    Each day that is known becomes an event at the start of that day (Shanghai); that it was entered
    later is the last event, at `now`. Raises NotAllowed unless the actor registers contracts,
    InvalidInput when the days are out of order or in the future, Duplicate for a number in use.
    """
    require_party(actor, Action.CONTRACT_REGISTER)
    days = (
        ("signed_on", data.signed_on),
        ("submitted_on", submitted_on),
        ("accepted_on", accepted_on),
        ("registered_on", registered_on),
    )
    if problems := rules.check_days(days, local_date(now)):
        raise InvalidInput(problems)
    values = recording.values_of(session, actor, data)
    limit = policies.decide_by(session, values["technology_fen"], accepted_on) if accepted_on else None
    contract = Contract(
        local_number=recording.next_number(session, registered_on.year),
        state=ContractState.REGISTERED.value,
        source=source.value,
        accepted_on=accepted_on,
        decide_by=limit.day if limit else None,
        registered_on=registered_on,
        taxonomy_version=rules.taxonomy(data.kind, registered_on),
        created_by=actor.person_id,
        created_at=now,
        updated_at=now,
        **values,
    )
    recording.give_number(session, contract, registration_number)
    session.add(contract)
    session.flush()
    assert contract.id is not None
    path = [
        (Step.SUBMIT, submitted_on, ContractState.DRAFT, ContractState.SUBMITTED),
        (Step.ACCEPT, accepted_on, ContractState.SUBMITTED, ContractState.ACCEPTED),
        (Step.REGISTER, registered_on, ContractState.ACCEPTED, ContractState.REGISTERED),
    ]
    for what, day, before, after in path:
        if day is not None:
            recording.add_event(
                session, actor, start_of_local_day(day), contract, what.value, before, after=after
            )
    recording.add_event(
        session, actor, now, contract, "enter", ContractState.REGISTERED, reason=reason.strip()
    )
    audit.record(
        session,
        actor,
        "contract.entered",
        contract.id,
        now,
        after=recording.audited(contract),
        reason=reason or None,
    )
    movements.record_registered(session, now, [contract.id])
    return contract.id


def _check_complete(contract: Contract, today: dt.date) -> None:
    problems = rules.missing_to_submit(
        title=contract.title,
        technical_field=contract.technical_field,
        signed_on=contract.signed_on,
        deal_fen=contract.deal_fen,
        today=today,
    )
    if problems:
        raise InvalidInput(problems)


def _classify(contract: Contract, kind: ContractKind | None, subkind: ContractSubkind | None) -> None:
    new_kind, new_subkind = kind or ContractKind(contract.kind), subkind or ContractSubkind(contract.subkind)
    problems = rules.check_kind(new_kind, new_subkind)
    if problems:
        raise InvalidInput(problems)
    contract.kind, contract.subkind = new_kind.value, new_subkind.value


def _amend_price(
    contract: Contract,
    deal_fen: int | None,
    instalments: Sequence[InstalmentInput] | None,
    entry_fee_fen: int | None,
    royalty_ppm: int | None,
    foreign_amount: str | None,
) -> None:
    home = contract.currency == price.CNY
    stands = "" if home else price.in_units(contract.foreign_minor or 0, contract.currency)
    values, problems = price.settle(
        price.Price(
            deal_fen=contract.deal_fen if home and deal_fen is None else deal_fen,
            form=PriceForm(contract.price_form),
            instalments=price.instalments_of(contract.instalments)
            if instalments is None
            else tuple(price.Instalment(one.due_on, one.fen, one.condition) for one in instalments),
            entry_fee_fen=contract.entry_fee_fen if entry_fee_fen is None else entry_fee_fen,
            royalty_base=contract.royalty_base,
            royalty_ppm=contract.royalty_ppm if royalty_ppm is None else royalty_ppm,
            currency=contract.currency,
            foreign_amount=stands if foreign_amount is None else foreign_amount,
            exchange_rate=contract.exchange_rate,
            rate_on=contract.rate_on,
        )
    )
    if problems:
        raise InvalidInput(problems)
    for name, value in values.items():
        setattr(contract, name, value)


def _amend_technology(
    contract: Contract, technology_fen: int | None, deductions: Sequence[Deduction] | None
) -> None:
    listed = (
        [(str(item["item"]), int(item["fen"])) for item in contract.deductions]
        if deductions is None
        else [(item.item, item.fen) for item in deductions]
    )
    technology, problems = rules.amounts(contract.deal_fen, technology_fen, listed)
    if problems:
        raise InvalidInput(problems)
    contract.technology_fen = technology
    contract.deductions = [{"item": item, "fen": fen} for item, fen in listed]


def _draft(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    *,
    title: str,
    result_id: int | None,
    seller_id: int,
    buyer_id: int,
    deal_fen: int,
    source: ContractSource,
    lot_id: int | None = None,
    enquiry_id: int | None = None,
    modes: Sequence[str] = (),
) -> int:
    seller, buyer = recording.organisation(session, seller_id), recording.organisation(session, buyer_id)
    if seller is None or buyer is None:
        raise NotFound
    industry: str | None = None
    if result_id is not None:
        r = t(Result).c
        row = session.execute(sa.select(r.modes, r.industry_code).where(r.id == result_id)).first()
        if row is None:
            result_id = None
        else:
            modes, industry = modes or list(row.modes), row.industry_code
    kind, subkind = rules.suggest_kind(modes)
    contract = Contract(
        local_number=recording.next_number(session, local_date(now).year),
        title=title[:200],
        kind=kind.value,
        subkind=subkind.value,
        **recording.party_columns("seller", seller_id, seller),
        **recording.party_columns("buyer", buyer_id, buyer),
        deal_fen=deal_fen,
        technology_fen=deal_fen,
        industry_code=industry,
        result_id=result_id,
        source=source.value,
        source_lot_id=lot_id,
        source_enquiry_id=enquiry_id,
        created_by=actor.person_id,
        created_at=now,
        updated_at=now,
    )
    session.add(contract)
    session.flush()
    assert contract.id is not None
    recording.add_event(session, actor, now, contract, "create", None)
    audit.record(session, actor, "contract.created", contract.id, now, after=recording.audited(contract))
    return contract.id


__all__ = [
    "create_contract",
    "draft_from_enquiry",
    "draft_from_lot",
    "draft_from_trial",
    "edit_contract",
    "enter_registered",
    "step",
]
