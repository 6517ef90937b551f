"""The page of what comes of suggestions: its numbers, their lists, its table, who may read them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.permissions import Actor, Role
from matching.indexer import drain
from tests.auctions.rows import Rows
from tests.web.test_proposals import World
from web import wiring
from web.seed import seed

SignIn = Callable[[TestClient, Actor], TestClient]


@pytest.fixture
def world(parts: wiring.Parts) -> World:
    return World(parts)


def official(world: World) -> Actor:
    with world.parts.db.write() as session:
        rows = Rows(session)
        return rows.actor(rows.market, Role.OFFICIAL)


def accept(client: TestClient, world: World) -> None:
    drain(world.parts.db, world.parts.index)
    world.sweep()
    place, version = world.first()
    entered = {"version": version, "next_step": "约双方通话", "due_on": "2026-03-04"}
    assert client.post(f"{place}/accept", data=entered).status_code == 303


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_every_number_leads_to_its_list(
    client: TestClient, world: World, sign_in: SignIn, language: str
) -> None:
    client.cookies.set("lang", language)
    seed(world.parts.db, world.parts.clock.now())
    assert client.get("/statistics/funnel").status_code == 303
    sign_in(client, world.owner)
    assert client.get("/statistics/funnel").status_code == 403
    assert client.get("/statistics/funnel/steps?step=contacts").status_code == 403
    assert client.get("/statistics/funnel.csv").status_code == 403
    assert "/statistics/funnel" not in client.get("/statistics").text
    sign_in(client, world.broker)
    accept(client, world)
    sign_in(client, official(world))
    assert "/statistics/funnel" in client.get("/statistics").text
    page = client.get("/statistics/funnel?year=2026&quarter=1").text
    for key in ("funnel.", "FunnelStep.", "csv."):
        assert f">{key}" not in page
    links = {
        link.replace("&amp;", "&") for link in re.findall(r'href="(/statistics/funnel/steps[^"]+)"', page)
    }
    assert len(links) >= 6
    for link in links:
        answer = client.get(link)
        assert answer.status_code == 200, link
        assert world.broker.name in answer.text or "broker=0" in link or "suggested" in link
        assert "/enquiries/" not in answer.text
    assert client.get("/statistics/funnel/steps?step=contacts&without=1").status_code == 403
    sign_in(client, world.staff)
    assert "/enquiries/" in client.get("/statistics/funnel/steps?step=contacts").text
    assert client.get("/statistics/funnel/steps?step=contacts&without=1").status_code == 200


def test_the_table_holds_the_same_numbers(
    client: TestClient, world: World, sign_in: SignIn, clock: FixedClock
) -> None:
    sign_in(client, world.broker)
    accept(client, world)
    answer = client.get("/statistics/funnel.csv?since=2026-03-01&until=2026-03-31")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0][:6] == ["By", "Name", "From", "Until", "Suggestions", "Rejected"]
    assert rows[1] == ["total", "", "2026-03-01", "2026-03-31", "2", "0", "1", "0", "0", "0", "0"]
    assert rows[2][1] == "泵与电机"
    assert rows[-1][4:7] == ["", "", "0"]
    assert client.get("/statistics/funnel.csv?year=2025").text.count("\n") == 3


def test_days_that_are_none_are_told_at_their_field(
    client: TestClient, world: World, sign_in: SignIn
) -> None:
    sign_in(client, world.staff)
    bad = client.get("/statistics/funnel?since=2026-99-01")
    assert bad.status_code == 422
    assert "Enter a date such as" in bad.text
    assert 'value="2026-99-01"' in bad.text
    order = client.get("/statistics/funnel?since=2026-03-02&until=2026-03-01")
    assert order.status_code == 422
    for day in ("9999-12-31", "0001-01-01"):
        assert client.get(f"/statistics/funnel?since={day}&until={day}").status_code == 422
    odd = "%00" + "x" * 40
    assert client.get(f"/statistics/funnel/steps?step=contacts&industry={odd}&year={odd}").status_code == 200
    assert client.get(f"/proposals?industry={odd}&whose={odd}&state={odd}").status_code == 200
    assert client.get("/statistics/funnel?year=x&quarter=9").status_code == 200
    assert client.get("/statistics/funnel/steps?step=x").status_code == 404
    assert client.get("/statistics/funnel/steps?step=contacts&page=9999&broker=x").status_code == 200
