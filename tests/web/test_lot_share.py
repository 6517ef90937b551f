"""Calendars, cards for other people's pages, and the wish to be reminded."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from icalendar import Calendar
from starlette.testclient import TestClient

from auctions.rules import commands as c
from auctions.watching import LotWatch
from market.clock import FixedClock
from market.db import t
from market.permissions import Actor
from tests.auctions.ended import play
from tests.auctions.rows import ENDS, NOW, OPENS, Rows, stage
from web import wiring

SignIn = Callable[[TestClient, Actor], TestClient]
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def writer(parts: wiring.Parts) -> Iterator[Any]:
    parts.writer.start()
    yield parts.writer
    assert parts.writer.stop()


def events(client: TestClient, path: str = "/lots/calendar.ics") -> dict[str, Any]:
    answer = client.get(path)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.content)
    assert calendar["version"] == "2.0"
    return {str(one["uid"]): one for one in calendar.walk("VEVENT")}


class TestCalendar:
    def test_a_lot_is_an_appointment(self, client: TestClient, parts: wiring.Parts) -> None:
        (lot_id,), _, _ = stage(parts.db, bidders=0)
        (event,) = events(client).values()
        assert str(event["uid"]) == f"lot-{lot_id}@testserver"
        assert event.decoded("dtstart") == OPENS
        assert event.decoded("dtend") == ENDS
        assert str(event["status"]) == "CONFIRMED"
        assert str(event["url"]) == f"http://testserver/lots/{lot_id}"
        assert "无堵塞自吸泵叶轮" in str(event["summary"])
        assert events(client, f"/lots/{lot_id}/calendar.ics") == {str(event["uid"]): event}
        assert b"DTSTART:20260309T020000Z" in client.get("/lots/calendar.ics").content

    def test_moved_times_are_a_newer_version_of_the_same(
        self, client: TestClient, parts: wiring.Parts, writer: Any, clock: FixedClock
    ) -> None:
        (lot_id,), (bidders,), _ = stage(parts.db, bidders=2)

        def now() -> tuple[int, dt.datetime, dt.datetime, str]:
            (event,) = events(client).values()
            return (
                int(event["sequence"]), event.decoded("dtstart"), event.decoded("dtend"), str(event["status"]),
            )  # fmt: skip

        def do(command: c.Command) -> None:
            assert writer.submit(command).result(20).accepted

        before = now()
        do(c.Suspend(lot_id=lot_id, reason="权属待查"))
        held = now()
        assert (held[0] > before[0], held[1:3], held[3]) == (True, before[1:3], "TENTATIVE")
        clock.set(OPENS + 60 * MINUTE)
        do(c.Resume(lot_id=lot_id))
        moved = now()
        assert moved[0] > held[0]
        assert moved[1:] == (OPENS + 60 * MINUTE, ENDS + 60 * MINUTE, "CONFIRMED")
        do(c.Open(lot_id=lot_id))
        opened = now()
        clock.set(ENDS + 30 * MINUTE)
        bid = {"lot_id": lot_id, "amount_fen": 1_000_000, "client_bid_id": "a-first-bid"}
        do(c.PlaceBid(person_id=bidders[0].person_id, received_at=clock.now(), **bid))  # type: ignore[arg-type]
        assert now() == opened, "a bid that moves no time is no news to a calendar"
        clock.set(moved[2] - dt.timedelta(seconds=10))
        bid = {"lot_id": lot_id, "amount_fen": 1_010_000, "client_bid_id": "a-last-bid"}
        do(c.PlaceBid(person_id=bidders[1].person_id, received_at=clock.now(), **bid))  # type: ignore[arg-type]
        extended = now()
        assert extended[0] > opened[0]
        assert extended[2] == clock.now() + MINUTE

    def test_what_is_called_off_says_so_and_leaves_in_time(
        self, client: TestClient, parts: wiring.Parts, writer: Any, clock: FixedClock
    ) -> None:
        (lot_id,), _, _ = stage(parts.db, bidders=0)
        assert writer.submit(c.Withdraw(lot_id=lot_id, reason="转让方撤回")).result(20).accepted
        (event,) = events(client).values()
        assert str(event["status"]) == "CANCELLED"
        clock.set(ENDS + dt.timedelta(days=40))
        assert events(client) == {}
        assert len(events(client, f"/lots/{lot_id}/calendar.ics")) == 1

    def test_only_the_year_ahead_and_no_drafts(self, client: TestClient, parts: wiring.Parts) -> None:
        with parts.db.write() as session:
            rows = Rows(session)
            rows.draft()
            far = dt.timedelta(days=500)
            rows.lot(opens_at=OPENS + far, ends_at=ENDS + far)
            draft = rows.draft()
        assert events(client) == {}
        assert client.get(f"/lots/{draft}/calendar.ics").status_code == 404

    def test_unchanged_feeds_are_not_sent_again(
        self, client: TestClient, parts: wiring.Parts, clock: FixedClock
    ) -> None:
        stage(parts.db, bidders=0)
        first = client.get("/lots/calendar.ics")
        tag = first.headers["etag"]
        clock.advance(hours=1)
        assert client.get("/lots/calendar.ics").content == first.content
        again = client.get("/lots/calendar.ics", headers={"if-none-match": f'"x", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        stage(parts.db, bidders=0)
        assert client.get("/lots/calendar.ics", headers={"if-none-match": tag}).status_code == 200


class TestEmbed:
    def test_the_card_may_be_framed_and_no_other_page(self, client: TestClient, parts: wiring.Parts) -> None:
        (lot_id,), _, _ = stage(parts.db, bidders=0)
        card = client.get(f"/embed/lots/{lot_id}")
        policy = card.headers["content-security-policy"]
        assert "frame-ancestors *" in policy
        assert (
            policy.replace("frame-ancestors *", "frame-ancestors 'none'")
            == client.get("/lots").headers["content-security-policy"]
        )
        assert "x-frame-options" not in card.headers
        for path in ("/", f"/lots/{lot_id}", "/verify", "/embedded", "/nowhere?/embed/"):
            other = client.get(path)
            assert "frame-ancestors 'none'" in other.headers["content-security-policy"], path
            assert other.headers["x-frame-options"] == "DENY"

    def test_it_shows_and_offers_nothing_to_press(
        self, client: TestClient, parts: wiring.Parts, sign_in: SignIn
    ) -> None:
        (lot_id,), (bidders,), _ = stage(parts.db, bidders=1)
        sign_in(client, bidders[0])
        page = client.get(f"/embed/lots/{lot_id}").text
        assert "¥10,000" in page
        assert 'data-refresh="300"' in page
        assert "http-equiv" not in page, "a page that reloads itself is lost to who reads it slowly"
        assert "<form" not in page
        assert bidders[0].name not in page
        assert all('target="_blank"' in link for link in re.findall(r"<a [^>]+>", page))
        assert "起始价" in client.get(f"/embed/lots/{lot_id}?lang=zh-Hans").text
        assert client.get("/embed/lots/999999").status_code == 404

    def test_an_ended_lots_card_rests(
        self, client: TestClient, parts: wiring.Parts, writer: Any, clock: FixedClock
    ) -> None:
        played = play(parts.db, writer, clock)
        page = client.get(f"/embed/lots/{played.lot_id}").text
        assert "¥10,200" in page
        assert 'data-refresh="0"' in page
        assert "<script" not in page

    def test_the_code_to_copy_is_on_the_lots_page(self, client: TestClient, parts: wiring.Parts) -> None:
        (lot_id,), _, _ = stage(parts.db, bidders=0)
        page = client.get(f"/lots/{lot_id}").text
        assert f"http://testserver/embed/lots/{lot_id}?lang=en" in page
        assert f"/lots/{lot_id}/calendar.ics" in page
        assert "/lots/calendar.ics" in client.get("/lots").text


class TestWatching:
    def watchers(self, parts: wiring.Parts) -> list[tuple[int, int]]:
        with parts.db.read() as session:
            rows = session.execute(sa.select(t(LotWatch).c.lot_id, t(LotWatch).c.person_id))
            return [tuple(row) for row in rows]

    def test_asking_twice_is_asking_once_and_may_be_taken_back(
        self, client: TestClient, parts: wiring.Parts, sign_in: SignIn
    ) -> None:
        (lot_id,), _, rows = stage(parts.db, bidders=0)
        path = f"/lots/{lot_id}/watch"
        assert client.post(path).headers["location"].startswith("/sign-in")
        sign_in(client, rows.officer)
        assert "Remind me by mail" in client.get(f"/lots/{lot_id}").text
        for _ in range(2):
            assert client.post(path).status_code == 303
        assert self.watchers(parts) == [(lot_id, rows.officer.person_id)]
        assert "Stop reminding me" in client.get(f"/lots/{lot_id}").text
        client.post(path, data={"step": "stop"})
        assert self.watchers(parts) == []

    def test_not_of_a_draft_nor_of_what_has_ended(
        self, client: TestClient, parts: wiring.Parts, writer: Any, clock: FixedClock, sign_in: SignIn
    ) -> None:
        played = play(parts.db, writer, clock)
        with parts.db.write() as session:
            draft = Rows(session).draft()
        sign_in(client, played.loser)
        assert client.post(f"/lots/{played.lot_id}/watch").status_code == 409
        assert client.post(f"/lots/{draft}/watch").status_code == 404
        assert client.post("/lots/999999/watch").status_code == 404
        assert self.watchers(parts) == []


def test_the_clock_of_these_tests_is_before_the_lots(clock: FixedClock) -> None:
    assert clock.now() == NOW < OPENS
