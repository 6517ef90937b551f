"""Who may not bid: each reason turns a running bidder's next bid away, with its signed code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from auctions import eligibility, queries, relations, service
from auctions.bus import LocalBus
from auctions.errors import LotRefusal
from auctions.models import Admission, AdmissionState, RelatedTo, RelationInput
from auctions.receipts import Signer, verify
from auctions.relations import Declaration
from auctions.rules import commands as c
from auctions.writer import Answer, Writer
from market.audit import AuditRecord
from market.clock import FixedClock
from market.db import Database, Session, t
from market.errors import InvalidInput, NotAllowed, WrongState
from market.parties.models import MembershipRow, Organisation
from market.payments.models import Deposit
from market.permissions import Actor, Role
from tests.auctions.rows import NOW, OPENS, Rows, stage

KEY = bytes(range(32))


class Running:
    """An open lot with three admitted bidders, through the writer."""

    def __init__(self, database: Database, clock: FixedClock) -> None:
        (self.lot_id,), (self.bidders,), self.rows = stage(database, deposit_fen=100_000)
        self.database, self.number = database, 0
        self.signer = Signer(KEY)
        self.writer = Writer(database, clock, self.signer, LocalBus())
        self.writer.start()
        clock.set(OPENS)
        self.writer.submit(c.Open(lot_id=self.lot_id)).result(20)

    def bid(self, bidder: Actor) -> Answer:
        self.number += 1
        return self.writer.submit(
            c.PlaceBid(
                lot_id=self.lot_id,
                person_id=bidder.person_id,
                client_bid_id=f"bid-{self.number:05d}",
                amount_fen=1_000_000 + 10_000 * self.number,
                received_at=OPENS,
            )
        ).result(20)

    def change(self, change: Callable[[Session], Any]) -> None:
        with self.database.write() as session:
            change(session)


@pytest.fixture
def running(database: Database, clock: FixedClock) -> Iterator[Running]:
    scene = Running(database, clock)
    yield scene
    assert scene.writer.stop(20)


def organisation(bidder: Actor) -> int:
    return bidder.memberships[0].organisation_id


def suspend(scene: Running, bidder: Actor) -> Callable[[Session], Any]:
    o = t(Organisation)
    return lambda session: session.execute(
        sa.update(o).where(o.c.id == organisation(bidder)).values(state="suspended")
    )


def give_back(scene: Running, bidder: Actor) -> Callable[[Session], Any]:
    d = t(Deposit)
    return lambda session: session.execute(
        sa.update(d).where(d.c.organisation_id == organisation(bidder)).values(state="released")
    )


def join(organisation_of: Callable[[Rows], int], role: Role) -> Any:
    def change(scene: Running, bidder: Actor) -> Callable[[Session], Any]:
        row = {"person_id": bidder.person_id, "organisation_id": organisation_of(scene.rows)}
        return lambda session: session.add(MembershipRow(**row, role=role.value, created_at=NOW))

    return change


def declare(**other: Callable[[Rows], int | None]) -> Any:
    def change(scene: Running, bidder: Actor) -> Callable[[Session], Any]:
        values = {name: give(scene.rows) for name, give in other.items()}
        mine = {"organisation_id": organisation(bidder)}
        return lambda session: relations.declare(
            session, scene.rows.staff, RelationInput(**mine, **values, reason="同一实际控制人"), NOW
        )

    return change


def declare_back(scene: Running, bidder: Actor) -> Callable[[Session], Any]:
    values = RelationInput(
        organisation_id=scene.rows.seller, other_person_id=bidder.person_id, reason="配偶在委托方任职"
    )
    return lambda session: relations.declare(session, scene.rows.officer, values, NOW)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (suspend, "organisation_suspended"),
        (give_back, "deposit_not_held"),
        (join(lambda rows: rows.market, Role.STAFF), "staff_may_not_bid"),
        (join(lambda rows: rows.market, Role.OFFICIAL), "staff_may_not_bid"),
        (join(lambda rows: rows.seller, Role.RESULTS_OFFICER), "related_to_seller"),
        (declare(other_organisation_id=lambda rows: rows.seller), "related_to_seller"),
        (declare(other_person_id=lambda rows: rows.officer.person_id), "related_to_seller"),
        (declare(other_person_id=lambda rows: rows.staff.person_id), "related_to_seller"),
        (declare_back, "related_to_seller"),
    ],
)
def test_the_next_bid_is_turned_away(running: Running, change: Any, code: str) -> None:
    one, other, _ = running.bidders
    assert running.bid(one).accepted
    assert running.bid(other).accepted
    running.change(change(running, one))
    refused = running.bid(one)
    assert (refused.accepted, refused.code) == (False, code)
    assert refused.receipt is not None
    content = verify(refused.receipt, running.signer.public_key)
    assert content is not None
    assert (content["accepted"], content["code"]) == (False, code)
    assert running.bid(running.bidders[2]).accepted


def test_a_relation_to_somebody_else_keeps_nobody_out(running: Running) -> None:
    one, other, third = running.bidders
    values = RelationInput(
        organisation_id=organisation(one), other_organisation_id=organisation(other), reason="母子公司"
    )
    running.change(lambda session: relations.declare(session, running.rows.staff, values, NOW))
    assert [running.bid(bidder).accepted for bidder in (one, other, third)] == [True, True, True]


def test_an_ended_relation_counts_no_more(running: Running) -> None:
    one, other, _ = running.bidders
    running.change(declare(other_organisation_id=lambda rows: rows.seller)(running, one))
    assert running.bid(one).code == "related_to_seller"
    assert running.bid(other).accepted

    def over(session: Session) -> None:
        [line] = relations.lines(session)
        relations.end(session, running.rows.staff, line.id, "股权已转让", NOW)

    running.change(over)
    assert running.bid(one).accepted


def test_standings_take_one_statement(running: Running) -> None:
    counted: list[str] = []
    with running.database.connect_for_writing() as connection:
        keys = [(running.lot_id, bidder.person_id or 0) for bidder in running.bidders]
        engine = connection.engine
        sa.event.listen(engine, "before_cursor_execute", lambda *args: counted.append(args[2]))
        found = eligibility.standings(connection, keys)
    assert [(row[2], row[4]) for row in sorted(found, key=lambda row: row[2])] == [
        (1, None), (2, None), (3, None),
    ]  # fmt: skip
    assert len([text for text in counted if not text.startswith("BEGIN")]) == 1


@pytest.fixture
def rows(session: Session) -> Rows:
    return Rows(session)


def test_a_declared_relation_is_kept_and_refused(session: Session, rows: Rows) -> None:
    lot, bidder = rows.lot(), rows.bidder()
    terms_hash = queries.lot_detail(session, lot).terms_hash
    mine = organisation(bidder)

    def ask(lot_id: int, declaration: Declaration) -> Admission:
        hash_ = queries.lot_detail(session, lot_id).terms_hash
        made = service.request_admission(session, bidder, lot_id, mine, hash_, NOW, declaration)
        admission = session.get(Admission, made)
        assert admission is not None
        return admission

    refused = ask(lot, Declaration(RelatedTo.SELLER, "本公司持有委托方股权"))
    assert terms_hash
    assert (refused.state, refused.related_to) == (AdmissionState.REFUSED, RelatedTo.SELLER)
    assert "股权" in refused.declaration
    again = ask(lot, Declaration())
    assert again.state == AdmissionState.REQUESTED
    assert again.id is not None
    with pytest.raises(LotRefusal) as refusal:
        service.admit(session, rows.staff, again.id, NOW)
    assert refusal.value.code == "related_to_seller"
    assert eligibility.problems_of_lot(session, lot) == {again.id: "related_to_seller"}
    actions = session.execute(sa.select(t(AuditRecord).c.action)).scalars().all()
    assert {"relation.declared", "admission.refused"} <= set(actions)


def test_who_may_declare_what(session: Session, rows: Rows) -> None:
    bidder, other = rows.bidder(), rows.organisation("某控股公司")
    values = RelationInput(
        organisation_id=organisation(bidder), other_organisation_id=other, reason="同一实际控制人"
    )
    with pytest.raises(NotAllowed):
        relations.declare(session, rows.officer, values, NOW)
    with pytest.raises(NotAllowed):
        relations.declare(session, bidder, values, NOW)
    own = values.model_copy(update={"other_organisation_id": rows.seller})
    made = relations.declare(session, rows.officer, own, NOW)
    [line] = relations.lines(session, organisation_ids=frozenset({rows.seller}))
    assert (line.id, line.source, line.other_organisation_id) == (made, "seller", rows.seller)
    with pytest.raises(NotAllowed):
        relations.end(session, rows.officer, made, "误报", NOW)
    with pytest.raises(InvalidInput):
        relations.end(session, rows.staff, made, " ", NOW)
    relations.end(session, rows.staff, made, "误报", NOW + dt.timedelta(days=1))
    with pytest.raises(WrongState):
        relations.end(session, rows.staff, made, "误报", NOW)
    for bad in (
        {"organisation_id": 1, "person_id": 1, "other_organisation_id": 2},
        {"organisation_id": rows.seller, "other_organisation_id": rows.seller},
        {"organisation_id": 10**9, "other_organisation_id": rows.seller},
        {"person_id": 10**9, "other_organisation_id": rows.seller},
    ):
        with pytest.raises(InvalidInput):
            relations.declare(session, rows.staff, RelationInput(**bad, reason="关联"), NOW)
