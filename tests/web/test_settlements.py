"""Settlements by page and API: signed, paid, defaulted, offered to the next bidder; others see nothing."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from auctions import queries as lots
from auctions.models import Lot
from market.alarms import AlarmRecord
from market.clock import FixedClock
from market.db import t
from market.deals.models import Contract
from market.payments.models import Deposit
from market.permissions import Actor, Role
from market.settlements import queries
from tests.auctions.selling import CLOSED, Sold, default, sold
from tests.paying import work_off
from web import mailing, settlement_work, wiring, worker
from web.settings import Settings

SignIn = Callable[[TestClient, Actor], TestClient]
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
PDF = (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n", "application/pdf")


@pytest.fixture
def lot(parts: wiring.Parts, clock: FixedClock) -> Sold:
    """A lot that was sold an hour ago; bidder 3 won, bidder 1 is next."""
    with parts.db.write() as session:
        found = sold(session, settlement={"confirm_days": 2, "contract_days": 4, "balance_days": 6})
        found.rows.session = session
    clock.set(CLOSED + HOUR)
    return found


def second_officer(parts: wiring.Parts, lot: Sold) -> Actor:
    with parts.db.write() as session:
        lot.rows.session = session
        return lot.rows.actor(lot.rows.market, Role.STAFF)


def sentences(html: str) -> list[str]:
    return re.findall('field__error-line">([^<]*)', html)


def the(parts: wiring.Parts, lot: Sold) -> Any:
    with parts.db.read() as session:
        return queries.settlement(session, lot.rows.staff, lot.settlement_id)


def test_parties_and_staff_see_the_checklist_and_nobody_else(
    client: TestClient, lot: Sold, sign_in: SignIn
) -> None:
    page, api = f"/settlements/{lot.settlement_id}", f"/api/v1/settlements/{lot.settlement_id}"
    assert client.get(page).status_code == 404
    assert client.get(api).status_code == 404
    assert client.get("/settlements").status_code in (303, 401)
    assert client.get("/api/v1/settlements").status_code == 401
    assert "Open the checklist" not in client.get(f"/lots/{lot.lot_id}").text
    for actor, knows in (
        (lot.bidders[1], False), (lot.bidders[3], True), (lot.rows.officer, True), (lot.rows.staff, True),
    ):  # fmt: skip
        sign_in(client, actor)
        assert client.get(page).status_code == (200 if knows else 404)
        assert client.get(api).status_code == (200 if knows else 404)
        assert ("Open the checklist" in client.get(f"/lots/{lot.lot_id}").text) is knows
        assert client.get("/api/v1/settlements").json()["total"] == int(knows)
        assert (page in client.get("/settlements").text) is knows
    told = client.get(api).json()
    assert [(step["kind"], step["due_on"], step["done_on"]) for step in told["steps"]] == [
        ("confirmation", "2026-03-11", None), ("contract", "2026-03-13", None), ("balance", "2026-03-17", None),
        ("registration", None, None),
    ]  # fmt: skip
    assert (told["outstanding_fen"], told["deposit_there_fen"], told["late"]) == (1_200_000, 100_000, False)


def test_from_the_sale_to_its_end(
    client: TestClient, parts: wiring.Parts, lot: Sold, sign_in: SignIn, clock: FixedClock
) -> None:
    here = f"/settlements/{lot.settlement_id}"
    facts = the(parts, lot).facts_hash
    for actor, party in (
        (lot.bidders[3], "buyer"), (lot.rows.officer, "seller"), (lot.rows.staff, "organiser"),
    ):  # fmt: skip
        sign_in(client, actor)
        unread = client.post(f"{here}/sign", data={"party": party, "facts_hash": facts})
        assert unread.status_code == 422
        assert sentences(unread.text)
        form = {"party": party, "facts_hash": facts, "read": "on"}
        other = client.post(f"{here}/sign", data={**form, "party": "buyer" if party != "buyer" else "seller"})
        assert other.status_code in (403, 303)
        assert client.post(f"{here}/sign", data={**form, "facts_hash": "f" * 64}).status_code in (409, 303)
        assert client.post(f"{here}/sign", data=form).status_code == 303
    assert the(parts, lot).line.steps[0].done_on == dt.date(2026, 3, 9)

    sign_in(client, lot.rows.officer)
    assert client.post(f"{here}/balance", data={"way": "simulated:alipay"}).status_code == 403
    sign_in(client, lot.bidders[3])
    wrong = client.post(f"{here}/balance", data={"way": "cowries"})
    assert wrong.status_code == 422
    paying = client.post(f"{here}/balance", data={"way": "simulated:alipay"})
    assert paying.status_code == 303
    again = client.post(f"{here}/balance", data={"way": "simulated:alipay"})
    assert again.headers["location"] == paying.headers["location"]
    assert client.post(paying.headers["location"], data={"act": "succeed"}).status_code == 303
    with parts.db.write() as session:
        contract = session.get_one(Contract, lot.contract_id)
        contract.state, contract.signed_on, contract.registered_on = (
            "registered", dt.date(2026, 3, 10), dt.date(2026, 3, 10),
        )  # fmt: skip
    clock.set(CLOSED + 2 * DAY)
    sweep = settlement_work.Sweeper(parts)
    for _ in range(2):
        sweep()
        work_off(parts.db, clock, parts.gateways)
    done = the(parts, lot)
    assert (done.line.state.value, done.outstanding_fen, done.paid_fen) == ("complete", 0, 1_200_000)
    assert done.payments[0].settled
    assert [step.done_on is not None for step in done.line.steps] == [True] * 4
    assert "complete" in client.get(here).text
    # What is settled to the end is no default.
    client.cookies.clear()  # the server renewed the bidder's
    sign_in(client, lot.rows.staff)
    refused = client.post(
        f"/lots/{lot.lot_id}/console", data={"step": "default", "why": "other", "reason": "误点"}
    )
    assert refused.status_code == 409
    assert "settled to the end" in refused.text


def test_a_payment_to_the_seller_needs_a_file_and_two_officers(
    client: TestClient, parts: wiring.Parts, lot: Sold, sign_in: SignIn
) -> None:
    here, second = f"/settlements/{lot.settlement_id}", second_officer(parts, lot)
    data = {"amount_fen": "1.2万", "paid_on": "2026-03-09", "note": "对公转账"}
    sign_in(client, lot.rows.officer)
    assert client.post(f"{here}/payments", data=data).status_code == 403
    sign_in(client, lot.rows.staff)
    bad = client.post(
        f"{here}/payments", data={**data, "amount_fen": "很多"}, files={"file": ("单.pdf", *PDF)}
    )
    assert bad.status_code == 422
    assert 'value="很多"' in bad.text
    assert 'value="对公转账"' in bad.text
    assert client.post(f"{here}/payments", data=data).status_code >= 400
    much = client.post(
        f"{here}/payments", data={**data, "amount_fen": "2万"}, files={"file": ("单.pdf", *PDF)}
    )
    assert sentences(much.text) == ["More than the ¥12000.00 that is outstanding."]
    assert client.post(f"{here}/payments", data=data, files={"file": ("回单.pdf", *PDF)}).status_code == 303
    receipt = the(parts, lot).receipts[0]
    decide = f"{here}/payments/{receipt.id}"
    assert "Another officer must approve" in client.get(here).text
    assert client.post(decide, data={"step": "approve"}).status_code == 403
    sign_in(client, second)
    assert client.post(decide, data={"step": "refuse"}).status_code == 422
    assert client.post(f"{here}/payments/999999", data={"step": "approve"}).status_code == 404
    assert client.post(decide, data={"step": "approve"}).status_code == 303
    assert the(parts, lot).outstanding_fen == 0
    file = f"/attachments/{receipt.attachment_id}"
    for actor, status in ((lot.bidders[3], 200), (lot.rows.officer, 200), (lot.bidders[1], 404)):
        sign_in(client, actor)
        assert client.get(file).status_code == status


def test_a_default_its_price_and_the_next_bidder_by_page(
    client: TestClient, parts: wiring.Parts, lot: Sold, sign_in: SignIn, clock: FixedClock
) -> None:
    here = f"/settlements/{lot.settlement_id}"
    with parts.db.write() as session:
        default(session, lot, clock.now())
        next_deposit = session.scalar(
            sa.select(t(Deposit).c.id).where(t(Deposit).c.organisation_id == lot.organisation(1))
        )
        session.execute(sa.update(t(Deposit)).where(t(Deposit).c.id == next_deposit).values(state="released"))
    sign_in(client, lot.rows.staff)
    page = client.get(here).text
    assert "Bidder 1 is next, with its own last bid of ¥12,000" in page
    bad = client.post(
        f"{here}/forfeit", data={"costs_fen": "300", "shortfall_fen": "1万", "reason": "逾期未付款"}
    )
    assert bad.status_code == 422
    assert 'value="1万"' in bad.text
    assert 'href="#f-owed_by"' in bad.text
    paid = client.post(
        f"{here}/forfeit",
        data={"costs_fen": "300", "shortfall_fen": "1万", "owed_by": "2026-03-31", "reason": "逾期未付款"},
    )
    assert paid.status_code == 303
    assert "¥9,300 by 2026-03-31" in client.get(here).text

    for typed, status in (("", 422), ("gestern", 422), ("2026-03-01T10:00", 422), ("2026-03-12T17:00", 303)):
        assert client.post(f"{here}/offer", data={"answer_by": typed}).status_code == status
    with parts.db.read() as session:
        [offer] = queries.offers_of_lot(session, lot.lot_id)
        notice = lots.journal_page(session, lot.lot_id, after_seq=0, limit=100)[-1].data["text"]
    assert "1 号竞买人" in notice
    assert "2026-03-12 17:00" in notice
    own = f"/offers/{offer.id}"
    client.cookies.clear()
    public = client.get(f"/lots/{lot.lot_id}").text
    assert "Offered to bidder 1 at ¥12,000" in public
    assert own not in public
    assert client.get(own).status_code == 404
    sign_in(client, lot.bidders[2])
    assert client.get(own).status_code == 404
    assert client.post(own, data={"answer": "accept", "read": "on"}).status_code == 404
    sign_in(client, lot.bidders[1])
    assert own in client.get(f"/lots/{lot.lot_id}").text
    assert client.get(own).status_code == 200
    assert client.post(own, data={"answer": "accept"}).status_code == 422
    taken = client.post(own, data={"answer": "accept", "read": "on"})
    assert taken.status_code == 303
    settlement = taken.headers["location"]
    page = client.get(settlement).text
    assert "next bidder" in page
    # The deposit that had gone back is asked for again, and counts once it is there.
    assert "The deposit is asked for again" in page
    paying = client.post(
        f"/lots/{lot.lot_id}/deposit", data={"way": "simulated:card", "deposit_id": str(next_deposit)}
    )
    assert client.post(paying.headers["location"], data={"act": "succeed"}).status_code == 303
    told = client.get(f"/api/v1{settlement}").json()
    assert (told["origin"], told["deposit_there_fen"], told["outstanding_fen"]) == (
        "runner_up",
        100_000,
        1_100_000,
    )
    with parts.db.read() as session:
        assert (
            lots.journal_page(session, lot.lot_id, after_seq=0, limit=100)[-1]
            .data["text"]
            .startswith("1 号竞买人接受")
        )
    assert "accepted" in client.get(f"/lots/{lot.lot_id}").text
    sign_in(client, lot.rows.staff)
    assert client.post(f"{here}/offer", data={"answer_by": "2026-03-12T17:00"}).status_code == 409
    # A next bidder may default too.
    assert client.post(f"{settlement}/default", data={"reason": ""}).status_code == 422
    assert client.post(f"{settlement}/default", data={"reason": "逾期未签约"}).status_code == 303
    assert "Bidder 2 is next" in client.get(settlement).text


def test_an_offer_lapses_and_the_public_reads_it(
    client: TestClient, parts: wiring.Parts, lot: Sold, sign_in: SignIn, clock: FixedClock
) -> None:
    with parts.db.write() as session:
        default(session, lot, clock.now())
    sign_in(client, lot.rows.staff)
    client.post(f"/settlements/{lot.settlement_id}/offer", data={"answer_by": "2026-03-10T12:00"})
    clock.set(CLOSED + 2 * DAY)
    settlement_work.Sweeper(parts)()
    settlement_work.Sweeper(parts)()
    with parts.db.read() as session:
        texts = [
            line.data.get("text", "")
            for line in lots.journal_page(session, lot.lot_id, after_seq=0, limit=100)
        ]
    assert len([text for text in texts if "逾期未答复" in text]) == 1
    client.cookies.clear()
    assert "lapsed" in client.get(f"/lots/{lot.lot_id}").text
    sign_in(client, lot.bidders[1])
    with parts.db.read() as session:
        [offer] = queries.offers_of_lot(session, lot.lot_id)
    assert client.post(f"/offers/{offer.id}", data={"answer": "accept", "read": "on"}).status_code == 409


def test_lateness_is_told_by_list_mail_and_alarm(
    client: TestClient, parts: wiring.Parts, lot: Sold, sign_in: SignIn, clock: FixedClock
) -> None:
    clock.set(dt.datetime(2026, 3, 13, 4, 0, tzinfo=dt.UTC))
    settlement_work.escalate(parts)
    settlement_work.escalate(parts)
    sign_in(client, lot.rows.staff)
    late = client.get("/settlements?show=late").text
    assert "2 days late" in late
    told = client.get("/api/v1/settlements?show=late").json()["items"]
    assert [step["days_late"] for step in told[0]["steps"]] == [2, 0, 0, 0]
    with parts.db.read() as session:
        [alarm] = session.execute(
            sa.select(t(AlarmRecord).c.detail).where(t(AlarmRecord).c.code == "settlement_late")
        ).scalars()
    assert alarm["lot_id"] == lot.lot_id
    for language in ("zh-Hans", "en"):
        params = {
            "lot_id": lot.lot_id,
            "title": "叶轮",
            "steps": [{"kind": "balance", "due_on": "2026-03-17"}],
        }
        mail = mailing.compose(parts, "a@example.com", "settlement_late", language, params)
        assert "2026-03-17" in mail.body
        assert f"/lots/{lot.lot_id}" in mail.body
        offer = {
            "lot_id": 1,
            "title": "叶轮",
            "amount_fen": 1_200_000,
            "answer_by": "2026-03-12 17:00",
            "offer_id": 7,
        }
        assert "/offers/7" in mailing.compose(parts, "a@example.com", "runner_up_offer", language, offer).body


def test_the_worker_looks_at_settlements(parts: wiring.Parts, lot: Sold) -> None:
    assert isinstance(parts.settings, Settings)
    worker.housekeeping(parts)
    with parts.db.read() as session:
        assert session.get_one(Lot, lot.lot_id).state == "sold"
        assert queries.of_lot(session, lot.lot_id)[0].id == lot.settlement_id
