"""The open dashboard: what was registered shows at the next asking, and asking again is answered by a tag."""

from __future__ import annotations

import datetime as dt

from starlette.testclient import TestClient

from market.deals import service as deals
from market.deals.rules import Step
from tests.web.register import As, Register
from web import wiring

TODAY = dt.date(2026, 3, 2)


def test_a_registration_shows_at_the_next_asking(as_: As, register: Register, parts: wiring.Parts) -> None:
    place = "/statistics/live?caliber=C4"
    client = as_("official")
    first = client.get(place).text
    contract = register.enter(TODAY, deal_fen=98_765_00, deductions=[], title="水泵叶轮检测服务")
    second = client.get(place).text
    for words in ("WL-2026-000001", "水泵叶轮检测服务", "98,765"):
        assert words not in first
        assert words in second
    with parts.db.write() as session:
        deals.step(
            session, register.actors["official"], parts.clock.now(), contract, Step.REVOKE, reason="重复登记"
        )
    assert "WL-2026-000001" not in client.get(place).text


def test_the_public_sees_what_was_registered_at_once_and_amounts_in_steps(
    as_: As, register: Register
) -> None:
    place = "/statistics/live?caliber=C4"
    client = as_("visitor")
    first = client.get(place)
    tag = first.headers["etag"]
    assert 'data-refresh="1"' in first.text
    assert client.get(place, headers={"if-none-match": tag}).status_code == 304
    for number in (1, 2):
        register.enter(TODAY, deal_fen=98_765_00, deductions=[], title=f"水泵叶轮检测服务{number}")
        page = client.get(place, headers={"if-none-match": tag})
        assert page.status_code == 200
        assert page.headers["etag"] != tag
        assert f"水泵叶轮检测服务{number}" in page.text
        assert "steps of at least three contracts" in page.text
        for amount in ("98,765", "197,530"):
            assert amount not in page.text
        tag = page.headers["etag"]
    register.enter(TODAY, deal_fen=98_765_00, deductions=[])
    assert "296,295" in client.get(place).text


def test_newest_first_and_no_amount_of_a_single_contract(client: TestClient, register: Register) -> None:
    register.enter(TODAY, deal_fen=11_111_00, deductions=[], title="甲")
    register.enter(dt.date(2025, 1, 7), deal_fen=22_222_00, deductions=[], title="乙")
    page = client.get("/statistics/live?caliber=nothing").text
    assert page.index("WL-2025-000001") < page.index("WL-2026-000001")
    newest = page.split('data-part="newest"')[1]
    assert "11,111" not in newest
    assert "22,222" not in newest


def test_what_is_made_for_somebody_signed_in_is_not_kept(
    client: TestClient, register: Register, sign_in: object
) -> None:
    answer = sign_in(client, register.actors["official"]).get("/statistics/live")  # type: ignore[operator]
    assert "no-store" in answer.headers["cache-control"]
    assert "etag" not in answer.headers
