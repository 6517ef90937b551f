"""The open dashboard: what was registered shows at the next asking, and asking again is answered by a tag."""

from __future__ import annotations

import datetime as dt

from starlette.testclient import TestClient

from market.deals import service as deals
from market.deals.rules import Step
from tests.web.register import Register
from web import wiring

TODAY = dt.date(2026, 3, 2)


def test_a_registration_shows_at_the_next_asking(
    client: TestClient, register: Register, parts: wiring.Parts
) -> None:
    place = "/statistics/live?caliber=C4"
    first = client.get(place)
    tag = first.headers["etag"]
    assert 'data-refresh="1"' in first.text
    assert client.get(place, headers={"if-none-match": tag}).status_code == 304
    contract = register.enter(TODAY, deal_fen=98_765_00, deductions=[], title="水泵叶轮检测服务")
    second = client.get(place, headers={"if-none-match": tag})
    assert second.status_code == 200
    assert second.headers["etag"] != tag
    for words in ("WL-2026-000001", "水泵叶轮检测服务", "98,765"):
        assert words not in first.text
        assert words in second.text
    with parts.db.write() as session:
        deals.step(
            session, register.actors["official"], parts.clock.now(), contract, Step.REVOKE, reason="重复登记"
        )
    third = client.get(place, headers={"if-none-match": second.headers["etag"]})
    assert third.status_code == 200
    assert "WL-2026-000001" not in third.text


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
