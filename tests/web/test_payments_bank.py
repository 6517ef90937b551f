"""Pages about money: a statement from file to held deposit by two officers, pay-outs to a file, who may read what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from market.exchange.readers import open_table
from market.payments import service
from market.payments.bank import accounts, queries
from market.payments.bank.inputs import AccountInput
from market.payments.bank.models import LineState, MatchKind, PayOutState
from market.payments.models import Deposit, DepositState
from market.permissions import Actor, Role
from tests.market.bank import ACCOUNT, Bank
from tests.market.parties import Parties
from web.app import create_app
from web.wiring import Parts

SignIn = Callable[[TestClient, Actor], TestClient]


@pytest.fixture
def market(parts: Parts) -> Bank:
    return Bank.open(parts.db, parts.clock)  # type: ignore[arg-type]


@pytest.fixture
def staff(parts: Parts, market: Bank, sign_in: SignIn) -> tuple[TestClient, TestClient]:
    """Two of the market's staff."""
    first, second = (
        TestClient(create_app(parts), headers={"accept-language": "en"}, follow_redirects=False)
        for _ in range(2)
    )
    return sign_in(first, market.first), sign_in(second, market.second)


def statement(*rows: str) -> bytes:
    """A bank's file with lines about the account above the heading and sums below."""
    head = "交易日期,流水号,收入,支出,余额,对方户名,对方账号,附言"
    return "\n".join(["账号:33001234", "", head, *rows, "合计,,1,2,,,,"]).encode("gb18030")


def imported(client: TestClient, market: Bank, content: bytes, **changes: str) -> tuple[str, int]:
    """Upload a file and take its lines; where it led, and with which status."""
    sent = client.post(
        "/bank/statements",
        data={"account_id": str(market.account_id)},
        files={"file": ("流水.csv", content, "text/csv")},
    )
    assert sent.status_code == 303, sent.text
    page = client.get(sent.headers["location"])
    form = dict(_chosen(page.text))
    answer = client.post(sent.headers["location"], data=form | changes)
    return answer.text if answer.status_code != 303 else answer.headers["location"], answer.status_code


def _chosen(text: str) -> Iterator[tuple[str, str]]:
    """What the form's lists have chosen."""
    for part in text.split("<select")[1:]:
        name = re.search(r' name="(\w+)"', part)
        value = re.search(r'<option value="([^"]+)" selected', part.split("</select>")[0])
        if name and value:
            yield name[1], value[1]


def test_a_statement_becomes_a_held_deposit_by_two_officers(
    market: Bank, staff: tuple[TestClient, TestClient]
) -> None:
    first, second = staff
    actor, organisation = market.bidder()
    deposit, reference = market.deposit(actor, organisation, 7, 500_000)
    content = statement(
        f'２０２６-03-02,A1,"5,000.00",,5000.00,温岭某泵业有限公司,6222 0200 9876,竞买 {reference[:5].lower()} {reference[5:]}',
        "2026-03-02,A2,,12.50,4987.50,某银行,,手续费",
    )
    assert imported(first, market, content) == ("/bank/lines", 303)
    assert imported(second, market, content) == ("/bank/lines", 303)
    page = first.get("/bank/lines").text
    assert page.count("That is it #") == 1
    assert "9876" in page
    assert "6222" not in page
    with market.db.read() as session:
        line, fee = queries.lines(session, LineState.OPEN)[0]
    target = market.transfer_id(reference)
    body = {"kind": "payment", "target": str(target)}
    assert first.post(f"/bank/lines/{line.id}/propose", data=body).status_code == 303
    refused = first.post(f"/bank/lines/{line.id}/confirm")
    assert refused.status_code == 403
    assert "nobody confirms what they proposed" in refused.text
    assert "You said this" in first.get(f"/bank/lines/{line.id}").text
    assert second.post(f"/bank/lines/{line.id}/confirm").status_code == 303
    market.work()
    with market.db.read() as session:
        row = session.get(Deposit, deposit)
        assert row is not None
        assert row.state == DepositState.HELD
    wrong = first.post(f"/bank/lines/{fee.id}/propose", data={"kind": "ignored"})
    assert wrong.status_code == 422
    assert 'id="f-reason-error"' in wrong.text
    typo = first.post(f"/bank/lines/{fee.id}/propose", data={"reference": "TM 2222 229"})
    assert typo.status_code == 422
    assert "There is no such reference" in typo.text
    assert "TM 2222 229" in typo.text
    assert first.post(f"/bank/lines/{fee.id}/propose", data={"kind": "fee"}).status_code == 303
    assert first.post(f"/bank/lines/{fee.id}/withdraw").status_code == 303
    reconciled = first.get("/bank/reconciliation").text
    assert "Everything agrees" in reconciled
    assert f"/bank/lines/{fee.id}" in reconciled
    assert "4987.50" in first.get("/bank/reconciliation.csv").text


def test_bad_lines_are_all_told_and_none_is_taken(market: Bank, staff: tuple[TestClient, TestClient]) -> None:
    first, _ = staff
    content = statement(
        "2026-03-02,A1,5.00,,5.00,甲,,", "昨天,A2,x,,6.00,乙,,", "2026-03-02,A3,1.00,2.00,7.00,丙,,",
        "2026-03-02,A4,5.00,,11.00,丁,,",
    )  # fmt: skip
    page, status = imported(first, market, content)
    assert status == 422
    for told in ("Lines of the file are bad", "昨天", "Money in and money out both have an amount"):
        assert told in page
    balance = statement("2026-03-02,A1,5.00,,5.00,甲,,", "2026-03-02,A2,5.00,,11.00,乙,,")
    page, status = imported(first, market, balance)
    assert status == 422
    assert "The balance does not follow" in page
    page, status = imported(first, market, balance, credit="")
    assert status == 422
    assert "Choose a column for the amount" in page
    with market.db.read() as session:
        assert queries.lines(session, LineState.OPEN)[0] == []
    for content, name in ((b"", "a.csv"), (b"x", "a.exe")):
        sent = first.post(
            "/bank/statements",
            data={"account_id": str(market.account_id)},
            files={"file": (name, content, "text/csv")},
        )
        assert sent.status_code == 422


def test_a_pay_out_goes_to_the_bank_as_a_file_and_is_seen_to_leave(
    market: Bank, staff: tuple[TestClient, TestClient], parts: Parts, sign_in: SignIn
) -> None:
    first, second = staff
    actor, organisation = market.bidder()
    deposit, reference = market.deposit(actor, organisation, 7, 5_000)
    (line,) = market.imported(market.line(5_000, reference))
    market.explain(line, MatchKind.PAYMENT, market.transfer_id(reference))
    with market.db.write() as session:
        service.release_deposit(session, market.first, market.clock.now(), deposit)
    market.work()
    assert "No account in force" in first.get("/bank/pay-outs").text
    bidder = sign_in(
        TestClient(create_app(parts), headers={"accept-language": "en"}, follow_redirects=False), actor
    )
    address = f"/organisations/{organisation}/bank-account"
    assert bidder.get(address).status_code == 200
    typed = {"holder": "某泵业", "bank": "某银行", "number": "12", "branch_code": "7"}
    wrong = bidder.post(address, data=typed)
    assert wrong.status_code == 422
    assert 'value="12"' in wrong.text
    assert "twelve digits" in wrong.text
    typed |= {"number": "6222 0200 0000 9876", "branch_code": ""}
    assert bidder.post(address, data=typed).status_code == 303
    with market.db.read() as session:
        account = queries.accounts_of(session, organisation)[0]
    assert bidder.post(f"/bank/accounts/{account.id}/confirm").status_code == 403
    assert first.post(f"/bank/accounts/{account.id}/confirm").status_code == 303
    assert "6222" not in bidder.get(address).text
    with market.db.read() as session:
        (order,) = queries.pay_outs(session, PayOutState.WAITING)[0]
    step = f"/bank/pay-outs/{order.id}"
    assert first.post(f"{step}/prepare", data={"account_id": "999"}).status_code == 422
    assert first.post(f"{step}/prepare", data={"account_id": str(account.id)}).status_code == 303
    assert first.post(f"{step}/approve").status_code == 403
    assert second.post(f"{step}/approve").status_code == 303
    assert first.post(f"{step}/nothing").status_code == 404
    assert first.post("/bank/lists").status_code == 303
    assert first.post("/bank/lists").status_code == 422
    with market.db.read() as session:
        (batch,) = queries.batches(session)
    for form in ("csv", "xlsx"):
        answer = first.post(f"/bank/lists/{batch.id}", data={"format": form})
        rows = [row.values for row in open_table(answer.content, f"x.{form}").rows]
        assert [row["Account number"] for row in rows] == ["6222020000009876"]
        assert [row["Amount (yuan)"] for row in rows] == ["50.00"]
    assert first.post(f"{step}/fail", data={"reason": ""}).status_code == 422
    assert second.post(f"{step}/left").status_code == 403
    assert first.post(f"{step}/left").status_code == 303
    market.work()
    with market.db.read() as session:
        row = session.get(Deposit, deposit)
        assert row is not None
        assert row.state == DepositState.RELEASED
    for state in PayOutState:
        assert first.get(f"/bank/pay-outs?state={state.value}").status_code == 200


def test_a_statement_of_money_is_ones_own(
    market: Bank, staff: tuple[TestClient, TestClient], parts: Parts, sign_in: SignIn
) -> None:
    first, _ = staff
    actor, organisation = market.bidder()
    stranger, other = market.bidder("某机电有限公司")
    _, reference = market.deposit(actor, organisation, 7, 5_000)
    (line,) = market.imported(market.line(5_000, reference))
    market.explain(line, MatchKind.PAYMENT, market.transfer_id(reference))
    mine, theirs = (
        sign_in(TestClient(create_app(parts), headers={"accept-language": "en"}, follow_redirects=False), one)
        for one in (actor, stranger)
    )
    page = mine.get(f"/money/organisations/{organisation}")
    assert page.status_code == 200
    assert "Paid" in page.text
    assert "¥50" in page.text
    for address in (
        f"/money/organisations/{organisation}",
        f"/money/organisations/{organisation}.csv",
        "/money/lots/7",
    ):
        assert theirs.get(address).status_code == 404
    assert theirs.get(f"/organisations/{organisation}/bank-account").status_code == 404
    assert theirs.get(f"/money/organisations/{other}").status_code == 200
    assert theirs.get("/bank/lines").status_code == 403
    assert theirs.get("/money/organisations").headers["location"] == f"/money/organisations/{other}"
    assert mine.get("/money/lots/7").status_code == 404
    assert "温岭某泵业有限公司" in first.get("/money/lots/7").text
    table = first.get("/money/lots/7.csv").text
    assert "50.00" in table
    assert "Opening balance" in table
    for address in (f"/money/organisations/{organisation}.pdf", "/money/lots/7.pdf"):
        assert first.get(address).content.startswith(b"%PDF")
    assert first.get("/money/lots/7.exe").status_code == 404
    late = mine.get(f"/money/organisations/{organisation}?since=2026-03-03").text
    assert "Opening balance" in late
    assert (
        mine.get(f"/money/organisations/{organisation}?until=2026-03-01").text.count("Opening balance") == 0
    )


def test_accounts_of_the_market_are_put_in_force_by_another(
    market: Bank, staff: tuple[TestClient, TestClient], client: TestClient
) -> None:
    first, second = staff
    assert client.get("/bank").status_code in (303, 401)
    assert first.post("/bank/accounts", data=ACCOUNT | {"number": "33-00 77"}).status_code == 303
    with market.db.read() as session:
        proposed = queries.own_accounts(session)[0]
    assert first.post(f"/bank/accounts/{proposed.id}/confirm").status_code == 403
    assert second.post(f"/bank/accounts/{proposed.id}/confirm").status_code == 303
    assert second.post(f"/bank/accounts/{proposed.id}/withdraw").status_code == 409
    assert first.post("/bank/accounts", data={}).status_code == 422
    page = first.get("/bank").text
    assert "330077" in page


def test_the_price_is_ordered_from_what_is_there(market: Bank, staff: tuple[TestClient, TestClient]) -> None:
    first, _ = staff
    assert first.get("/bank/orders/new?lot=7").status_code == 404
    assert first.post("/bank/orders", data={"lot_id": "x"}).status_code == 404


def test_payers_are_told_where_to_transfer(
    market: Bank, parts: Parts, sign_in: SignIn, client: TestClient
) -> None:
    actor, organisation = market.bidder()
    _, reference = market.deposit(actor, organisation, 7, 5_000)
    with market.db.read() as session:
        payment = queries.transfer(session, reference).payment_id
    page = sign_in(client, actor).get(f"/payments/{payment}").text
    assert "3300123456789012" in page
    assert f"{reference[:2]} {reference[2:6]} {reference[6:]}" in page


def test_an_account_waits_where_staff_see_it(market: Bank, staff: tuple[TestClient, TestClient]) -> None:
    first, _ = staff
    with market.db.write() as session:
        parties = Parties(session, market.clock.now())
        organisation = parties.organisation("某大学")
        officer = parties.actor(parties.person((organisation, Role.RESULTS_OFFICER)))
        accounts.propose(
            session, officer, market.clock.now(), organisation, AccountInput.model_validate(ACCOUNT)
        )
    page = first.get("/bank").text
    assert "某大学" in page
    assert "**** 9012" in page
