"""The form of a contract: every wrong input is answered at its field, nothing typed is lost, and the page says it all."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from market.permissions import Actor
from tests.web.register import Register

SignIn = Callable[[TestClient, Actor], TestClient]


@pytest.fixture
def officer(client: TestClient, sign_in: SignIn, register: Register) -> TestClient:
    return sign_in(client, register.actors["officer"])


def dangling(page: str) -> list[str]:
    """Links of the list of problems that lead to nothing, or to two things."""
    links = re.findall(r'href="#(f-[^"]+)"', page)
    assert links
    return [link for link in links if page.count(f'id="{link}"') != 1]


def filled(register: Register, **changes: str) -> dict[str, str]:
    return {
        "title": "泵用电机降噪技术许可", "kind": "licence", "subkind": "patent",
        "seller_id": str(register.organisations["university"]), "buyer_id": str(register.organisations["firm"]),
        "buyer_town": "大溪镇", "buyer_nature": "170", "seller_nature": "022",
        "deal_fen": "35万", "price_form": "instalments",
        "instalments.0.due_on": "2026-05-01", "instalments.0.fen": "20万", "instalments.0.condition": "样机验收",
        "instalments.1.due_on": "2026-09-01", "instalments.1.fen": "15万",
        "instalments.2.due_on": "", "instalments.2.fen": "", "instalments.2.condition": "",
        "ip.0.kind": "invention", "ip.0.number": "ZL 200710308494.X", "ip.1.kind": "", "ip.1.number": "",
        "pricing_mode": "negotiated", "trade_secret": "1", "currency": "CNY",
        "technical_field": "new_energy", "signed_on": "2026-02-27",
    } | changes  # fmt: skip


def test_what_is_entered_stands_on_the_page_and_in_the_form_again(
    officer: TestClient, register: Register
) -> None:
    made = officer.post("/contracts", data=filled(register))
    assert made.status_code == 303
    address = made.headers["location"]
    page = officer.get(address).text
    for words in (
        "Instalments",
        "大溪镇",
        "Private enterprise",
        "University",
        "200710308494.X",
        "Trade secret",
    ):
        assert words in page, words
    again = officer.get(f"{address}/edit").text
    for value in ("2026-05-01", "200000.00", "样机验收", "200710308494.X", "大溪镇"):
        assert f'value="{value}"' in again, value
    assert re.search(r'value="instalments" checked', again)
    version = re.search(r'name="version" value="(\d+)"', again)
    assert version is not None
    form = filled(register, version=version.group(1), deal_fen="40万")
    refused = officer.post(f"{address}/edit", data=form)
    assert refused.status_code == 422
    text = html.unescape(refused.text)
    assert "350000.00 yuan" in text
    assert "400000.00 yuan" in text
    assert 'value="20万"' in text
    assert officer.post(f"{address}/edit", data=form | {"instalments.1.fen": "20万"}).status_code == 303


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"instalments.0.fen": "20"}, "instalments"),
        ({"instalments.0.due_on": "nonsense"}, "instalments.0.due_on"),
        ({"instalments.1.fen": "0"}, "instalments.1.fen"),
        ({"price_form": "lump"}, "instalments"),
        ({"price_form": "barter"}, "price_form"),
        ({"royalty_base": "sales"}, "royalty_base"),
        ({"royalty_ppm": "many"}, "royalty_ppm"),
        ({"royalty_ppm": "101"}, "royalty_ppm"),
        ({"entry_fee_fen": "1万"}, "entry_fee_fen"),
        ({"ip.0.number": "200710308494.1"}, "ip.0.number"),
        ({"ip.0.kind": "design"}, "ip.0.number"),
        ({"currency": "USD", "deal_fen": ""}, "foreign_amount"),
        ({"exchange_rate": "7"}, "exchange_rate"),
        ({"deal_fen": ""}, "deal_fen"),
        ({"seller_country": "USA"}, "seller_country"),
        ({"buyer_nature": "99x"}, "buyer_nature"),
        ({"pricing_mode": "guess"}, "pricing_mode"),
    ],
)
def test_a_wrong_input_is_answered_at_its_field(
    officer: TestClient, register: Register, changes: dict[str, str], at: str
) -> None:
    refused = officer.post("/contracts", data=filled(register, **changes))
    assert refused.status_code == 422
    assert dangling(refused.text) == []
    assert f'href="#f-{at}"' in refused.text
    assert f'id="f-{at}-error"' in refused.text or f'id="f-{at}"' in refused.text
    assert 'value="泵用电机降噪技术许可"' in refused.text
    assert 'value="样机验收"' in refused.text


def test_a_price_in_dollars_becomes_yuan_at_its_rate(officer: TestClient, register: Register) -> None:
    blank = {f"instalments.{i}.{name}": "" for i in range(2) for name in ("due_on", "fen", "condition")}
    form = filled(
        register, **blank, price_form="royalty", royalty_base="sales", royalty_ppm="3.5%", deal_fen="",
        currency="USD", foreign_amount="120,000.50", exchange_rate="7.1234", rate_on="2026-02-20",
    )  # fmt: skip
    made = officer.post("/contracts", data=form)
    assert made.status_code == 303
    page = html.unescape(officer.get(made.headers["location"]).text)
    assert "¥854,811.56" in page  # 120,000.50 × 7.1234 = 854,811.5617
    assert "USD 120000.50" in page
    assert "3.5% of: Sales" in page
    again = officer.get(f"{made.headers['location']}/edit").text
    assert 'value="120000.50"' in again
    assert 'value="3.5"' in again


def test_the_terms_of_a_price_are_not_the_publics(
    client: TestClient, sign_in: SignIn, register: Register
) -> None:
    contract = register.enter(
        register.now.date(), price_form="instalments", deductions=[], trade_secret=True,
        instalments=[{"due_on": "2027-01-02", "fen": 50_000_000, "condition": "验收"}],
        ip=[{"kind": "invention", "number": "200710308494.X"}],
    )  # fmt: skip
    public = client.get(f"/api/v1/contracts/{contract}").json()
    assert public["instalments"] == []
    assert public["ip"] == []
    assert "200710308494" not in client.get(f"/contracts/{contract}").text
    client = sign_in(client, register.actors["officer"])
    own = client.get(f"/api/v1/contracts/{contract}").json()
    assert own["instalments"][0]["fen"] == 50_000_000
    assert own["ip"][0]["number"] == "200710308494.X"


def test_an_amendment_keeps_instalments_and_deal_together(
    client: TestClient, sign_in: SignIn, register: Register
) -> None:
    contract = register.enter(
        register.now.date(), price_form="instalments", deductions=[],
        instalments=[{"due_on": "2027-01-02", "fen": 50_000_000}],
    )  # fmt: skip
    client = sign_in(client, register.actors["official"])
    address = f"/contracts/{contract}"
    assert 'name="instalments.1.fen"' in client.get(address).text
    form = {
        "step": "amend", "version": "1", "reason": "补充协议", "deal_fen": "60万", "technology_fen": "",
        "instalments.0.due_on": "2027-01-02", "instalments.0.fen": "50万",
        "instalments.1.due_on": "2027-03-02", "instalments.1.fen": "",
    }  # fmt: skip
    refused = client.post(f"{address}/steps", data=form)
    assert refused.status_code == 422
    assert 'value="2027-03-02"' in refused.text
    assert dangling(refused.text) == []
    wrong = {
        "registration_number": "1",
        "deal_fen": "",
        "deductions.0.fen": "-",
        "kind": "y",
    }
    assert dangling(client.post(f"{address}/steps", data=form | wrong).text) == []
    changed = client.post(f"{address}/steps", data=form | {"instalments.1.fen": "10万"})
    assert changed.status_code == 303
    found = client.get(f"/api/v1/contracts/{contract}").json()
    assert found["deal_fen"] == 60_000_000
    assert [one["fen"] for one in found["instalments"]] == [50_000_000, 10_000_000]


def test_a_price_in_dollars_is_amended_in_dollars(
    client: TestClient, sign_in: SignIn, register: Register
) -> None:
    contract = register.enter(
        register.now.date(), deductions=[], deal_fen=None, currency="USD", foreign_amount="1000",
        exchange_rate="7.10", rate_on="2026-02-20",
    )  # fmt: skip
    client = sign_in(client, register.actors["official"])
    address = f"/contracts/{contract}"
    page = client.get(address).text
    assert 'name="foreign_amount"' in page
    assert 'name="deal_fen"' not in page
    form = {"step": "amend", "version": "1", "reason": "补充协议", "foreign_amount": "1,500.55"}
    refused = client.post(f"{address}/steps", data=form | {"foreign_amount": "much"})
    assert refused.status_code == 422
    assert dangling(refused.text) == []
    assert client.post(f"{address}/steps", data=form).status_code == 303
    found = client.get(f"/api/v1/contracts/{contract}").json()
    assert (found["deal_fen"], found["technology_fen"]) == (1_065_391, 1_065_391)  # 10,653.905 yuan
    assert (found["foreign_minor"], found["exchange_rate"]) == (150_055, "7.10")
