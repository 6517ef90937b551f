"""Drafting, publishing, admitting; and the reads that pages make."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa

from auctions import journal, queries, sales, service
from auctions.errors import LotRefusal, TermsChanged
from auctions.models import AdmissionState, Lot, SaleInput
from auctions.rules import commands as c
from auctions.rules.state import ENDED, LotState
from auctions.verify import verify_lines
from market.audit import AuditRecord
from market.db import Session, t
from market.errors import Conflict, Duplicate, InvalidInput, NotAllowed, NotFound, WrongState
from market.listings.models import PricingMode, Result
from market.permissions import VISITOR, Role
from tests.auctions.rows import ENDS, NOW, OPENS, Rows, lot_input


@pytest.fixture
def rows(session: Session) -> Rows:
    return Rows(session)


def test_a_draft_is_edited_then_published_and_frozen(session: Session, rows: Rows) -> None:
    lot = rows.draft()
    with pytest.raises(NotFound):
        queries.lot_detail(session, lot)
    service.edit_lot(session, rows.officer, lot, lot_input(start_fen=2_000_000), 1, NOW)
    with pytest.raises(Conflict):
        service.edit_lot(session, rows.officer, lot, lot_input(), 1, NOW)
    with pytest.raises(NotAllowed):
        service.publish(session, rows.officer, lot, NOW)
    service.publish(session, rows.staff, lot, NOW)
    with pytest.raises(WrongState):
        service.edit_lot(session, rows.officer, lot, lot_input(), 2, NOW)
    with pytest.raises(LotRefusal) as refusal:
        service.publish(session, rows.staff, lot, NOW)
    assert refusal.value.code == "wrong_lot_state"
    detail = queries.lot_detail(session, lot)
    assert (detail.card.state, detail.card.start_fen, detail.head_seq) == (
        LotState.REGISTRATION,
        2_000_000,
        2,
    )
    assert detail.terms["start_fen"] == 2_000_000
    assert detail.published_at == NOW
    assert [line.kind for line in queries.journal_page(session, lot)] == ["announced", "registration_opened"]
    actions = (
        session.execute(sa.select(t(AuditRecord).c.action).order_by(t(AuditRecord).c.id)).scalars().all()
    )
    assert actions == ["lot.created", "lot.edited", "lot.published"]


def test_the_reserve_is_nowhere_to_be_read(session: Session, rows: Rows) -> None:
    lot = rows.lot(reserve_fen=7_654_321)
    shown = [
        repr(queries.lot_detail(session, lot)),
        repr(queries.list_lots(session)),
        repr(queries.journal_page(session, lot)),
        "".join(queries.export_journal(session, lot, openings=True)),
        repr(queries.room_state(session, lot).view),
        repr(session.execute(sa.select(t(AuditRecord))).all()),
    ]
    nonce = queries.private_terms(session, lot).reserve_nonce
    for text in shown:
        assert "7654321" not in text
        assert nonce not in text
    assert queries.lot_detail(session, lot).terms["has_reserve"] is True


def test_what_cannot_be_drafted(session: Session, rows: Rows) -> None:
    result = rows.result()
    with pytest.raises(InvalidInput) as invalid:
        service.create_lot(session, rows.officer, result, lot_input(ends_at=OPENS, reserve_fen=5), NOW)
    assert {problem[0] for problem in invalid.value.problems} == {"terms.ends_at", "terms.reserve_fen"}
    with pytest.raises(NotFound):
        service.create_lot(session, rows.officer, 10**9, lot_input(), NOW)
    with pytest.raises(NotAllowed):
        service.create_lot(session, rows.bidder(), result, lot_input(), NOW)
    service.create_lot(session, rows.officer, result, lot_input(), NOW)
    with pytest.raises(Duplicate):
        service.create_lot(session, rows.officer, result, lot_input(), NOW)
    private = rows.result()
    session.get_one(Result, private).pricing_mode = PricingMode.NEGOTIATED.value
    with pytest.raises(WrongState):
        service.create_lot(session, rows.officer, private, lot_input(), NOW)
    with pytest.raises(LotRefusal) as late:
        service.publish(session, rows.staff, rows.draft(), OPENS)
    assert late.value.code == "terms_cannot_be_published"


def test_admission_needs_accepted_terms_a_deposit_and_an_outsider(session: Session, rows: Rows) -> None:
    lot = rows.lot(deposit_fen=100_000)
    bidder = rows.bidder()
    own = bidder.memberships[0].organisation_id
    terms = queries.lot_detail(session, lot).terms_hash
    with pytest.raises(TermsChanged):
        service.request_admission(session, bidder, lot, own, "0" * 64, NOW)
    with pytest.raises(NotAllowed):
        service.request_admission(session, bidder, lot, rows.seller, terms, NOW)
    admission = service.request_admission(session, bidder, lot, own, terms, NOW)
    assert service.request_admission(session, bidder, lot, own, terms, NOW) == admission
    colleague = rows.actor(own, Role.BIDDER)
    with pytest.raises(Duplicate):
        service.request_admission(session, colleague, lot, own, terms, NOW)
    for deposit in (None, rows.deposit(lot, rows.bidder(), 100_000)):
        with pytest.raises(LotRefusal) as missing:
            service.admit(session, rows.staff, admission, NOW, deposit_id=deposit)
        assert missing.value.code == "deposit_missing"
    deposit = rows.deposit(lot, bidder, 100_000)
    with pytest.raises(NotAllowed):
        service.admit(session, bidder, admission, NOW, deposit_id=deposit)
    assert service.admit(session, rows.staff, admission, NOW, deposit_id=deposit) == 1
    assert service.admit(session, rows.staff, admission, NOW, deposit_id=deposit) == 1
    mine = queries.my_admission(session, lot, bidder.person_id or 0)
    assert mine is not None
    assert (mine.state, mine.alias, mine.deposit_id) == (AdmissionState.ADMITTED, 1, deposit)
    assert [line.kind for line in queries.journal_page(session, lot)].count("bidder_admitted") == 1


def test_seller_staff_and_defaulters_are_kept_out(session: Session, rows: Rows) -> None:
    lot = rows.lot()
    seller = rows.actor(rows.seller, Role.BIDDER)
    turncoat = rows.actor(rows.organisation("某公司"), Role.BIDDER)
    session.execute(
        sa.text("UPDATE membership SET role = 'staff' WHERE person_id = :id"), {"id": turncoat.person_id}
    )
    for actor, code in ((seller, "barred_from_bidding"), (turncoat, "staff_may_not_bid")):
        admission = rows.request(lot, actor)
        with pytest.raises(LotRefusal) as refusal:
            service.admit(session, rows.staff, admission, NOW)
        assert refusal.value.code == code


def test_refusing_revoking_and_admitting_again_keep_the_alias(session: Session, rows: Rows) -> None:
    lot = rows.lot()
    first, second = rows.bidder(), rows.bidder()
    admission = rows.request(lot, first)
    service.refuse_admission(session, rows.staff, admission, "材料不全", NOW)
    assert rows.request(lot, first) == admission
    assert service.admit(session, rows.staff, admission, NOW) == 1
    service.revoke_admission(session, rows.staff, admission, "资格到期", NOW)
    assert service.admit(session, rows.staff, rows.request(lot, second), NOW) == 2
    assert service.admit(session, rows.staff, admission, NOW) == 1
    assert queries.lot_detail(session, lot).bidders_admitted == 2
    assert verify_lines(queries.export_journal(session, lot)).violations == []
    assert len(queries.admissions_of_lot(session, lot, state=AdmissionState.ADMITTED)) == 2
    assert queries.admissions_waiting(session) == []
    assert [line.lot_id for line in queries.admissions_of_person(session, second.person_id or 0)] == [lot]


def test_a_defaulter_is_barred_from_the_next_lot_of_the_result(session: Session, rows: Rows) -> None:
    lot = rows.lot()
    result = queries.lot_detail(session, lot).card.result_id
    bidder = rows.admitted(lot)
    person, own = bidder.person_id, bidder.memberships[0].organisation_id
    at = OPENS
    journal.apply(session, c.Open(lot_id=lot), at)
    bid = c.PlaceBid(
        lot_id=lot, person_id=person, client_bid_id="bid-00001", amount_fen=1_000_000, received_at=at, alias=1
    )
    journal.apply(session, bid, at)
    journal.apply(session, c.Close(lot_id=lot), ENDS + dt.timedelta(seconds=1))
    with pytest.raises(Duplicate):
        service.create_lot(session, rows.officer, result, lot_input(), NOW)
    journal.apply(session, c.RecordDefault(lot_id=lot, reason="逾期"), ENDS + dt.timedelta(days=9))
    again = service.create_lot(session, rows.officer, result, lot_input(), NOW)
    assert queries.private_terms(session, again).barred_organisation_ids == (own,)
    report = verify_lines(queries.export_journal(session, lot, openings=True))
    assert report.violations == []
    openings = [line for line in queries.export_journal(session, lot, openings=True) if '"opening"' in line]
    assert len(openings) == 1


def test_lists_are_ordered_and_bounded(session: Session, rows: Rows) -> None:
    sale = sales.create_sale(
        session,
        rows.staff,
        SaleInput(title="春季专场", starts_at=OPENS, organiser_organisation_id=rows.market),
        NOW,
    )
    later = rows.lot(opens_at=OPENS + dt.timedelta(days=1), ends_at=ENDS + dt.timedelta(days=1))
    sooner = rows.lot()
    over = rows.lot()
    journal.apply(session, c.Withdraw(lot_id=over, reason="撤回"), NOW)
    rows.draft()
    session.execute(sa.update(t(Lot)).where(t(Lot).c.id == sooner).values(sale_id=sale))
    session.expire_all()
    counted = 0

    def count(*_: object) -> None:
        nonlocal counted
        counted += 1

    engine = session.connection().engine
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        cards, total = queries.list_lots(session)
        assert counted <= 2
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    assert ([card.id for card in cards], total) == ([sooner, later, over], 3)
    assert [card.id for card in queries.list_lots(session, states=ENDED)[0]] == [over]
    assert [card.id for card in queries.list_lots(session, sale_id=sale)[0]] == [sooner]
    assert queries.list_lots(session, drafts=True)[1] == 4
    assert queries.count_by_state(session)[LotState.REGISTRATION] == 2
    card = queries.sale_card(session, sale)
    assert (card.title, card.lot_count) == ("春季专场", 1)
    assert [c_.id for c_ in queries.list_sales(session)] == [sale]
    with pytest.raises(NotFound):
        queries.sale_card(session, 10**9)
    with pytest.raises(NotAllowed):
        sales.create_sale(
            session, dataclasses.replace(rows.officer), SaleInput(title="专场", starts_at=OPENS), NOW
        )
    assert VISITOR.person_id is None
