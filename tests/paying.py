"""Deposits in tests: put down by the path that payers take, at the simulated gateway or another."""

from __future__ import annotations

import datetime as dt
import itertools

from market.clock import Clock
from market.db import Database, Session
from market.parties.models import Organisation, Person
from market.payments import collecting, service, wishes
from market.payments.gateway import Gateway, Gateways, Method
from market.payments.simulated import PayerAct, SimulatedGateway
from market.permissions import Actor, Membership, Role, Via
from market.work import Handler, run_one

_codes = itertools.count()


def addresses(payment_id: int) -> tuple[str, str]:
    """Where a payer comes back to."""
    return (
        f"https://market.test/payments/{payment_id}",
        f"https://market.test/payments/{payment_id}?from=cancelled",
    )


def bidder(session: Session, now: dt.datetime, name: str = "泵业") -> tuple[Actor, int]:
    """Somebody who may bid, and the organisation."""
    number = next(_codes)
    organisation = Organisation(
        name=name,
        kind="firm",
        credit_code=f"C{number:017d}",
        region_code="331081",
        created_at=now,
        updated_at=now,
    )
    person = Person(
        name="竞买人", email=f"b{number}@example.com", password_hash="x", created_at=now, updated_at=now
    )
    session.add_all([organisation, person])
    session.flush()
    assert organisation.id
    member = Membership(organisation.id, name, Role.BIDDER, True)
    return Actor(person.id, "竞买人", Via.SESSION, (member,)), organisation.id


def handlers(database: Database, clock: Clock, gateways: Gateways) -> dict[str, Handler]:
    """The work that pursues payments."""
    return {wishes.KIND: collecting.handler(database, clock, gateways, addresses)}


def work_off(database: Database, clock: Clock, gateways: Gateways) -> None:
    """Do all work about payments that is due."""
    work = handlers(database, clock, gateways)
    while run_one(database, work, clock.now):
        pass


def begin(
    database: Database, clock: Clock, gateway: Gateway, actor: Actor, lot_id: int, organisation_id: int,
    amount_fen: int, method: Method = Method.CARD,
) -> tuple[int, int]:  # fmt: skip
    """Ask for a deposit and begin to pay it: (deposit, payment)."""
    with database.write() as session:
        deposit_id = service.request_deposit(session, actor, clock.now(), lot_id, organisation_id, amount_fen)
        payment_id = service.begin_payment(session, actor, clock.now(), deposit_id, gateway, method)
    collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment_id)
    return deposit_id, payment_id


def put_down(
    database: Database, clock: Clock, actor: Actor, lot_id: int, organisation_id: int, amount_fen: int,
    *, gateway: SimulatedGateway | None = None, method: Method = Method.CARD,
) -> int:  # fmt: skip
    """A deposit that is held; returns its id. Needs a database with real commits, and no open transaction."""
    gateway = gateway or SimulatedGateway(database, clock)
    deposit_id, payment_id = begin(
        database, clock, gateway, actor, lot_id, organisation_id, amount_fen, method
    )
    gateway.act(f"sim-{payment_id}", PayerAct.SUCCEED)
    collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment_id)
    return deposit_id
