"""Mail about lots: reminders that are judged again, news once, and how it ended."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from auctions import queries, watching
from auctions.rules import commands as c
from auctions.rules.formats.sealed import seal
from market.clock import FixedClock
from market.db import t
from market.parties.models import Person
from market.work import run_one
from tests.auctions.ended import Played, play
from tests.auctions.rows import ENDS, OPENS, stage
from web import confirmations, lot_mail, wiring
from web.mail import Mail, MemoryMailer
from web.worker import handlers

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def writer(parts: wiring.Parts) -> Iterator[Any]:
    parts.writer.start()
    yield parts.writer
    assert parts.writer.stop()


class Post:
    """The mail of a market, swept and sent when told to."""

    def __init__(self, parts: wiring.Parts) -> None:
        self.parts = parts
        self.work = {
            kind: handler
            for kind, handler in handlers(parts).items()
            if kind in (lot_mail.REMIND, lot_mail.NEWS, "mail.send")
        }
        self.sweeper = lot_mail.Sweeper(parts)

    def sweep(self) -> None:
        self.sweeper()

    def send(self) -> list[Mail]:
        mailer = self.parts.mailer
        assert isinstance(mailer, MemoryMailer)
        mailer.sent.clear()
        while run_one(self.parts.db, self.work, self.parts.clock.now):
            pass
        return list(mailer.sent)

    def round(self) -> list[Mail]:
        self.sweep()
        return self.send()


@pytest.fixture
def post(parts: wiring.Parts) -> Post:
    return Post(parts)


def addresses(parts: wiring.Parts, *people: Any) -> set[str]:
    with parts.db.read() as session:
        rows = session.scalars(
            sa.select(t(Person).c.email).where(t(Person).c.id.in_([one.person_id for one in people]))
        )
        return set(rows)


def speak(parts: wiring.Parts, language: str) -> None:
    with parts.db.write() as session:
        session.execute(sa.update(t(Person)).values(language=language))


def test_bidders_and_those_who_asked_are_reminded_a_day_and_an_hour_before(
    parts: wiring.Parts, post: Post, clock: FixedClock
) -> None:
    (lot_id,), (bidders,), rows = stage(parts.db, bidders=2)
    with parts.db.write() as session:
        watching.watch(session, rows.officer, lot_id, clock.now())
        watching.watch(session, bidders[0], lot_id, clock.now())
    speak(parts, "en")
    everybody = addresses(parts, *bidders, rows.officer)
    assert post.round() == [], "a week ahead"
    clock.set(OPENS - 24 * HOUR)
    first = post.round()
    assert ({mail.to for mail in first}, len(first)) == (everybody, 3)
    assert first[0].subject.startswith("Opens soon: ")
    assert "2026-03-09 10:00" in first[0].body
    assert f"http://testserver/lots/{lot_id}" in first[0].body
    assert post.round() == [], "once"
    clock.set(OPENS - 2 * HOUR)
    assert lot_mail.Sweeper(parts) is not None
    assert Post(parts).round() == [], "once, also after a restart"
    clock.set(OPENS - HOUR)
    assert {mail.to for mail in post.round()} == everybody
    assert post.round() == []


def test_one_who_comes_late_gets_only_the_near_reminder(
    parts: wiring.Parts, post: Post, clock: FixedClock
) -> None:
    clock.set(OPENS - HOUR / 2)
    (lot_id,), _, rows = stage(parts.db, bidders=0)
    with parts.db.write() as session:
        watching.watch(session, rows.officer, lot_id, clock.now())
    assert len(post.round()) == 1
    clock.set(OPENS)
    assert post.round() == []


def test_a_reminder_left_before_the_lot_moved_says_nothing(
    parts: wiring.Parts, post: Post, writer: Any, clock: FixedClock
) -> None:
    (lot_id,), _, rows = stage(parts.db, bidders=1)
    clock.set(OPENS - 24 * HOUR)
    post.sweep()
    assert writer.submit(c.Suspend(lot_id=lot_id, reason="权属待查")).result(20).accepted
    assert post.send() == []
    speak(parts, "en")
    (stopped,) = post.round()
    assert ("stands still" in stopped.body, "权属待查" in stopped.body) == (True, True)
    clock.set(OPENS + 48 * HOUR)
    assert writer.submit(c.Resume(lot_id=lot_id)).result(20).accepted
    moved = post.round()
    assert any("has new times" in mail.subject and "2026-03-11 10:00" in mail.body for mail in moved)
    assert rows.staff.person_id is not None


def test_a_reminder_whose_opening_passed_says_nothing(
    parts: wiring.Parts, post: Post, clock: FixedClock
) -> None:
    stage(parts.db, bidders=1)
    clock.set(OPENS - HOUR)
    post.sweep()
    clock.set(OPENS)
    assert post.send() == []


def test_a_pause_that_is_over_is_not_told(
    parts: wiring.Parts, post: Post, writer: Any, clock: FixedClock
) -> None:
    played = play(parts.db, writer, clock, until="open")
    post.round()
    assert writer.submit(c.Pause(lot_id=played.lot_id, reason="网络故障")).result(20).accepted
    post.sweep()
    clock.advance(minutes=5)
    assert writer.submit(c.Resume(lot_id=played.lot_id)).result(20).accepted
    assert post.send() == []
    speak(parts, "en")
    told = post.round()
    assert {mail.to for mail in told} == addresses(parts, *played.bidders)
    assert all("goes on" in mail.body and "10:35" in mail.body for mail in told)
    assert post.round() == []


@pytest.mark.parametrize("command", [c.Withdraw, c.Cancel])
def test_calling_off_is_told_with_its_reason(
    parts: wiring.Parts, post: Post, writer: Any, clock: FixedClock, command: Any
) -> None:
    (lot_id,), (bidders,), _ = stage(parts.db, bidders=2)
    post.round()
    assert writer.submit(command(lot_id=lot_id, reason="转让方撤回")).result(20).accepted
    told = post.round()
    assert {mail.to for mail in told} == addresses(parts, *bidders)
    assert all("不再参加本次竞价" in mail.body and "转让方撤回" in mail.body for mail in told)


def by_address(parts: wiring.Parts, played: Played, sent: list[Mail]) -> list[Mail]:
    """Mail in the order of the bidders."""
    found = {mail.to: mail for mail in sent}
    return [found[addresses(parts, bidder).pop()] for bidder in played.bidders]


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_winner_losers_and_onlookers_are_told_how_it_ended(
    parts: wiring.Parts, post: Post, writer: Any, clock: FixedClock, language: str
) -> None:
    played = play(parts.db, writer, clock)
    with parts.db.write() as session:
        # The wish of before; the lot has ended by now.
        row = {"lot_id": played.lot_id, "person_id": played.rows.officer.person_id, "created_at": ENDS}
        session.execute(sa.insert(watching.WATCH).values(**row))
    speak(parts, language)
    sent = post.round()
    assert len(sent) == 4
    assert post.round() == []
    won, lost, idle = by_address(parts, played, sent)
    words = {
        "en": ("You won", "¥200 below the best", "number 2 of 2", "sold at ¥10,200"),
        "zh-Hans": ("竞得：", "比最高报价低 ¥200", "2 位出价的竞买人中位列第 2", "已成交，成交价 ¥10,200"),
    }[language]
    assert won.subject.startswith(words[0])
    assert f"/lots/{played.lot_id}/confirmation.pdf" in won.body
    assert words[1] in lost.body
    assert words[2] in lost.body
    assert words[3] in idle.body
    for mail in sent:
        assert re.search(r"\n[0-9a-f]{64}\n", mail.body), "the head hash goes out to people who keep it"
        assert f"/lots/{played.lot_id}/verify?seq=" in mail.body
        assert "\n\n\n" not in mail.body


def test_a_lot_that_passed_in_says_why(
    parts: wiring.Parts, post: Post, writer: Any, clock: FixedClock
) -> None:
    played = play(parts.db, writer, clock, reserve_fen=5_000_000)
    speak(parts, "en")
    best, second, idle = by_address(parts, played, post.round())
    assert "was not sold" in best.body
    assert "Your bid of ¥10,200 was the best" in best.body
    assert "number 2 of 2" in second.body
    assert "number" not in idle.body.split("closing entry")[0]


def test_old_ends_are_not_told(parts: wiring.Parts, post: Post, writer: Any, clock: FixedClock) -> None:
    play(parts.db, writer, clock)
    clock.set(ENDS + lot_mail.TOLD_AFTER_END + HOUR)
    assert post.round() == []


def test_handlers_may_run_twice(parts: wiring.Parts, post: Post, writer: Any, clock: FixedClock) -> None:
    from market.work import Claimed

    played = play(parts.db, writer, clock)
    sent = post.round()
    with parts.db.read() as session:
        from auctions import lookups

        place = lookups.closing(session, played.lot_id)
    assert place is not None
    lot_mail.tell(parts, Claimed(0, lot_mail.NEWS, {"lot_id": played.lot_id, "seq": place.seq}, 2))
    lot_mail.tell(parts, Claimed(0, lot_mail.NEWS, {"lot_id": 10**6, "seq": 1}, 1))
    assert (len(sent), post.send()) == (3, [])


def test_an_envelope_left_closed_is_told_what_it_costs(
    parts: wiring.Parts, post: Post, writer: Any, clock: FixedClock
) -> None:
    (lot_id,), (bidders,), rows = stage(
        parts.db, bidders=3, deposit_fen=50_000, format="sealed", params={"unopened": "forfeit"}
    )
    clock.set(OPENS)
    writer.submit(c.Open(lot_id=lot_id)).result(20)
    amounts, nonce = (1_300_000, 1_100_000, 1_500_000), "0" * 32
    for alias, (bidder, amount) in enumerate(zip(bidders, amounts, strict=True), 1):
        act(writer, clock, lot_id, bidder, "seal", None, {"commitment": seal(lot_id, alias, amount, nonce)})
    clock.set(ENDS + dt.timedelta(seconds=1))
    writer.submit(c.Close(lot_id=lot_id)).result(20)
    for bidder, amount in list(zip(bidders, amounts, strict=True))[:2]:
        act(writer, clock, lot_id, bidder, "open", amount, {"nonce": nonce})
    clock.advance(seconds=3602)
    assert writer.submit(c.Close(lot_id=lot_id)).result(20).accepted
    speak(parts, "en")
    won, lost, closed = by_address(parts, Played(lot_id, bidders, rows), post.round())
    assert "is yours at ¥13,000" in won.body
    assert "number 2 of 2 bidders; your last bid of ¥11,000 was ¥2,000 below the best" in lost.body
    assert "given back." in lost.body
    assert "Your envelope was not opened" in closed.body
    with parts.db.read() as session:
        facts = confirmations.read(session, queries.lot_detail(session, lot_id))
    assert facts.winner.name
    assert confirmations.make(facts, parts.settings, parts.signer.key_id, "en").startswith(b"%PDF")


def test_a_royalty_is_on_the_confirmation(parts: wiring.Parts, writer: Any, clock: FixedClock) -> None:
    (lot_id,), (bidders,), _ = stage(parts.db, bidders=1, format="scoring", step_fen=None)
    clock.set(OPENS)
    writer.submit(c.Open(lot_id=lot_id)).result(20)
    act(writer, clock, lot_id, bidders[0], "offer", 1_200_000, {"royalty_bp": 325})
    clock.set(ENDS + dt.timedelta(seconds=1))
    writer.submit(c.Close(lot_id=lot_id)).result(20)
    with parts.db.read() as session:
        facts = confirmations.read(session, queries.lot_detail(session, lot_id))
    said = confirmations.document(facts, parts.settings, parts.signer.key_id, "zh-Hans")
    assert ("提成比例", "3.25%") in said["rows"]


def act(
    writer: Any, clock: FixedClock, lot_id: int, bidder: Any, name: str, amount: int | None, extra: Any
) -> None:
    """One act of a bidder, which must be accepted."""
    bid = c.PlaceBid(
        lot_id=lot_id,
        person_id=bidder.person_id,
        client_bid_id=f"{name}-{bidder.person_id:08d}",
        amount_fen=amount,
        received_at=clock.now(),
        act=name,
        extra=extra,
    )
    answer = writer.submit(bid).result(20)
    assert answer.accepted, answer
