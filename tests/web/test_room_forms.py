"""A lot's page without its script: every format bid for by form, own bids, documents, envelopes made by hand."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from typer.testing import CliRunner

from auctions import queries, service
from auctions.models import Admission, AdmissionState, Lot
from auctions.papers import LotLook
from market.clock import FixedClock
from market.db import t
from market.errors import InvalidInput
from market.permissions import Role
from tests import factories
from tests.paying import put_down
from web import bid_forms, slips, wiring
from web.cli import app
from web.deps import COOKIE
from web.forms import Form
from web.seed import seed

START, STEP = 10_000_000, 500_000


@dataclass
class Room:
    """A lot of some format, and people who ask for its page."""

    client: TestClient
    parts: wiring.Parts
    clock: FixedClock
    people: dict[Role, factories.Account]
    bidders: list[factories.Account]
    result: int
    lot: int = 0

    def open(self, **terms: Any) -> Room:
        now = self.clock.now()
        values: dict[str, Any] = {
            "start_fen": START, "step_fen": STEP, "opens_at": now, "ends_at": now + dt.timedelta(hours=1), **terms,
        }  # fmt: skip
        with self.parts.db.write() as session:
            staff = self.people[Role.STAFF].actor
            self.lot = factories.live_lot(session, now, staff, self.result, self.bidders, **values)
        self.settle()
        return self

    def settle(self) -> None:
        for _ in range(3):
            for answer in self.parts.timekeeper.tick():
                answer.result(10)

    def as_(self, who: factories.Account | None) -> TestClient:
        self.client.cookies.clear()
        if who is not None:
            self.client.cookies.set(COOKIE, who.cookie)
        return self.client

    def page(self, who: factories.Account | None = None) -> str:
        answer = self.as_(who).get(f"/lots/{self.lot}")
        assert answer.status_code == 200
        return answer.text

    def ask(self, who: factories.Account, **form: str) -> Any:
        """Send a bid's form; the page that comes."""
        return self.as_(who).post(f"/lots/{self.lot}/bids", data=form)

    def bid(self, who: factories.Account, **form: str) -> Any:
        """Through the page that asks; the answer to the confirmed bid."""
        asked = self.ask(who, **form)
        assert asked.status_code == 200, asked.text
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', asked.text))
        assert hidden["confirmed"] == "1"
        return self.as_(who).post(f"/lots/{self.lot}/bids", data=hidden)


@pytest.fixture
def room(live_client: TestClient, parts: wiring.Parts, clock: FixedClock) -> Room:
    now = clock.now()
    seed(parts.db, now)
    with parts.db.write() as session:
        (university,) = factories.organisations(session, now, "university", 1, 1_000)
        firms = factories.organisations(session, now, "firm", 2, 5_000)
        (agency,) = factories.organisations(session, now, "service_agency", 1, 9_000)
        people = factories.accounts(session, now, university, firms[0], agency)
        bidders = [factories.account(session, now, firm, Role.BIDDER, n) for n, firm in enumerate(firms, 1)]
        (result,) = factories.results(session, now, [university], 1)
    return Room(live_client, parts, clock, people, bidders, result)


class TestEnglish:
    def test_what_the_rules_refuse_is_refused_before_the_page_that_asks(self, room: Room) -> None:
        room.open(cap_fen=START + 10 * STEP)
        one, two = room.bidders
        assert room.bid(one, act="bid", amount="10万").status_code == 303
        for amount, words in (("100000", "bid at least ¥105,000"), ("107000", "¥105,000 or ¥110,000"), ("900万", "¥150,000")):  # fmt: skip
            refused = room.ask(two, act="bid", amount=amount)
            assert refused.status_code == 409
            assert words in refused.text
            assert 'name="confirmed"' not in refused.text
            assert f'value="{amount}"' in refused.text
        assert room.ask(one, act="bid", amount="105000").status_code == 409
        unread = room.ask(two, act="bid", amount="许多")
        assert unread.status_code == 422
        assert "Enter an amount" in unread.text
        assert room.ask(two, act="take", amount="105000").status_code == 422

    def test_a_maximum_is_shown_to_its_owner_alone(self, room: Room) -> None:
        room.open()
        one, two = room.bidders
        asked = room.ask(one, act="maximum", amount="20万")
        assert "Nobody else sees it" in asked.text
        assert room.bid(one, act="maximum", amount="20万").status_code == 303
        assert "Your maximum: ¥200,000" in room.page(one)
        for who in (two, room.people[Role.STAFF], None):
            assert "200,000" not in room.page(who)
            assert "20000000" not in room.page(who)
        assert room.bid(two, act="bid", amount="11万").status_code == 303
        page = room.page(two)
        assert "You have been outbid" in page
        assert 'data-state="outbid"' in page
        lower = room.ask(one, act="maximum", amount="15万")
        assert lower.status_code == 409
        assert "yours stands at ¥200,000" in lower.text

    def test_own_bids_stand_with_answers_and_receipts(self, room: Room) -> None:
        room.open()
        one, two = room.bidders
        room.bid(one, act="bid", amount="10万")
        confirmed = {"act": "bid", "amount_fen": "10100000", "confirmed": "1", "client_bid_id": "abcdefgh1"}
        refused = room.ask(two, **confirmed)
        assert refused.status_code == 409
        page = room.page(two)
        assert "own__line--refused" in page
        assert "bid at least ¥105,000" in page
        assert "receipt=abcdefgh1" in page
        assert "abcdefgh1" not in room.page(one)
        journal = room.as_(two).get(f"/lots/{room.lot}/journal")
        assert journal.status_code == 200
        assert "abcdefgh1" in journal.text

    def test_how_far_the_deposit_goes_is_said_and_held(self, room: Room) -> None:
        bidders, room.bidders = room.bidders, []
        room.open(deposit_fen=1_100_000, cover_bp=1000)
        room.bidders, now = bidders, room.clock.now()
        one = bidders[0]
        with room.parts.db.write() as session:
            terms_hash = queries.lot_detail(session, room.lot).terms_hash
            admission = service.request_admission(
                session, one.actor, room.lot, one.organisation_id, terms_hash, now
            )
        deposit = put_down(room.parts.db, room.clock, one.actor, room.lot, one.organisation_id, 1_100_000)
        with room.parts.db.write() as session:
            service.admit(session, room.people[Role.STAFF].actor, admission, now, deposit_id=deposit)
        page = room.page(one)
        assert "Your deposit covers bids up to ¥110,000." in page
        assert "10% of every bid" in page
        over = room.ask(one, act="maximum", amount="115000")
        assert over.status_code == 409
        assert "covers bids up to ¥110,000" in over.text
        assert room.bid(one, act="maximum", amount="110000").status_code == 303

    def test_the_rules_about_time_stand_beside(self, room: Room) -> None:
        page = room.open(hand_extensions=2, hand_extension_s=600).page()
        assert "everybody gets 5 min more" in page
        assert "up to 2 times by 10 min" in page
        assert "what counts is when it arrives" in page


class TestSealed:
    def test_an_envelope_made_by_hand_is_sent_replaced_and_opened(self, room: Room) -> None:
        room.open(format="sealed", params={"reveal_s": 3600})
        one, two = room.bidders
        assert "market seal" in room.page(one)
        bad = room.ask(one, act="seal", commitment="123")
        assert bad.status_code == 422
        assert "64 hexadecimal digits" in bad.text
        old, new = slips.make(room.lot, 1, START), slips.make(room.lot, 1, START + 12_345)
        assert room.bid(one, act="seal", commitment=old.commitment).status_code == 303
        assert room.bid(one, act="seal", commitment=f" {new.commitment.upper()} ").status_code == 303
        page = room.page(one)
        assert "Your envelope is sealed" in page
        assert new.commitment in page
        assert room.ask(one, act="open", slip=new.text).status_code == 409
        assert 'data-state="none">You have sealed nothing yet' in room.page(two)

        room.clock.advance(hours=1, seconds=1)
        room.settle()
        assert 'id="slip"' in room.page(one)
        for text, status, words in (
            ("nothing", 422, "No slip found"),
            (old.text, 409, "do not match"),
            (slips.make(room.lot, 2, START).text, 409, "do not match"),
        ):
            answer = room.ask(one, act="open", slip=text)
            assert answer.status_code == status
            assert words in answer.text
        asked = room.ask(one, act="open", slip=f"My slip:\n{new.text}\n")
        assert "¥100,123.45" in asked.text
        assert room.bid(one, act="open", slip=new.text).status_code == 303
        assert "Your envelope is opened" in room.page(one)
        assert room.ask(one, act="open", slip=new.text).status_code == 409

    def test_the_command_makes_what_the_page_takes(self) -> None:
        told = json.loads(CliRunner().invoke(app, ["seal", "7", "3", "35万", "--json"]).stdout)
        slip = slips.read(told["slip"])
        assert slip is not None
        assert (slip.lot_id, slip.alias, slip.amount_fen) == (7, 3, 35_000_000)
        assert slip.commitment == told["commitment"]
        assert len({slips.make(7, 3, 100).nonce for _ in range(100)}) == 100
        assert CliRunner().invoke(app, ["seal", "7", "3", "much"]).exit_code == 2
        for text in ("", "7:3:0:" + "a" * 32, "7:3:100:" + "a" * 31, "7:3:100:" + "a" * 65):
            assert slips.read(text) is None


class TestDutch:
    def test_a_take_names_step_and_price(self, room: Room) -> None:
        params = {"floor_fen": 5_000_000, "decrement_fen": 1_000_000, "interval_s": 60}
        room.open(format="dutch", params=params, ends_at=None)
        one = room.bidders[0]
        page = room.page(one)
        assert "Take at ¥100,000 (step 1)" in page
        assert page.count("data-step=") == 6
        room.clock.advance(seconds=130)
        page = room.page(one)
        assert "Take at ¥80,000 (step 3)" in page
        late = room.ask(one, act="take", amount_fen="9000000", step="1")
        assert late.status_code == 409
        assert "moved to step 3, ¥80,000" in late.text
        asked = room.ask(one, act="take", amount_fen="8000000", step="2")
        assert "Step 3." in asked.text
        room.clock.advance(seconds=60)
        sent = {"act": "take", "amount_fen": "8000000", "extra.step": "2", "confirmed": "1"}
        assert "moved to step 4, ¥70,000" in room.ask(one, **sent).text
        taken = room.bid(one, act="take", amount_fen="7000000", step="3")
        assert taken.status_code == 303
        assert "You won this lot" in room.page(one)


class TestScoring:
    def test_an_offer_has_two_parts_and_each_its_error(self, room: Room) -> None:
        room.open(format="scoring", params={})
        one, two = room.bidders
        wrong = room.ask(one, act="offer", amount="很多", royalty="三")
        assert wrong.status_code == 422
        assert wrong.text.count('aria-invalid="true"') == 2
        assert room.bid(one, act="offer", amount="10万", royalty="3.25%").status_code == 303
        page = room.page(two)
        assert "190.00 points" in page
        assert "191.00 points" in page
        assert "¥100,000 + 3.25%" in page
        short = room.ask(two, act="offer", amount="10万", royalty="3.25")
        assert short.status_code == 409
        assert "scores 190.00; it needs at least 191.00" in short.text
        assert "between 0% and 10%" in room.ask(two, act="offer", amount="10万", royalty="11").text
        assert room.bid(two, act="offer", amount="101667", royalty="3.25").status_code == 303


class TestApi:
    def test_acts_and_extras_go_through_and_come_back_alike(self, room: Room) -> None:
        room.open(format="sealed", params={"reveal_s": 3600})
        slip = slips.make(room.lot, 1, START)
        body: dict[str, Any] = {
            "client_bid_id": "seal-0001", "act": "seal", "extra": {"commitment": slip.commitment},
        }  # fmt: skip
        token = {"Authorization": f"Bearer {room.bidders[0].token}"}
        client, path = room.as_(None), f"/api/v1/lots/{room.lot}/bids"
        first = client.post(path, json=body, headers=token)
        assert first.status_code == 200, first.text
        assert client.post(path, json=body, headers=token).json()["receipt"] == first.json()["receipt"]
        told = client.post(
            path, json={**body, "client_bid_id": "seal-0002", "amount_fen": START}, headers=token
        )
        assert (told.status_code, told.json()["code"]) == (409, "commitment_malformed")
        plain = client.post(path, json={"client_bid_id": "bid-00001", "amount_fen": START}, headers=token)
        assert plain.json()["code"] == "act_not_taken"
        for broken in (
            {"act": "SEAL!"},
            {"extra": {"a": [1]}},
            {"amount_fen": 0},
            {"extra": {"x": "y" * 200}},
        ):
            answer = client.post(path, json={**body, "client_bid_id": "seal-0003", **broken}, headers=token)
            assert answer.status_code == 422


class TestForms:
    @pytest.mark.parametrize(
        ("text", "bp"), [("3", 300), ("3.25", 325), (" 3.25 % ", 325), ("0", 0), ("100", 10_000)]
    )
    def test_percent(self, text: str, bp: int) -> None:
        assert bid_forms.basis_points(text) == bp
        assert bid_forms.basis_points(bid_forms.percent(bp)) == bp

    @pytest.mark.parametrize("text", ["", "x", "3.255", "-1", "101", "NaN", "1e9", "Infinity"])
    def test_no_percent(self, text: str) -> None:
        with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
            bid_forms.basis_points(text)

    @pytest.mark.parametrize(
        "entered",
        [
            {"act": ["offer"], "extra.royalty_bp": ["x"], "amount_fen": ["5"]},
            {"act": ["offer"], "extra.Royalty": ["1"]},
            {"act": ["offer"], "extra.nonce": ["a" * 129]},
            {"act": ["offer"], "confirmed": ["1"], "amount_fen": ["-5"]},
            {"act": ["seal"]},
        ],
    )
    def test_a_form_that_no_page_makes_is_refused(self, entered: dict[str, list[str]]) -> None:
        with pytest.raises(InvalidInput):
            bid_forms.read(Form(entered), "scoring")


class TestDocuments:
    PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"

    def add(self, room: Room, who: factories.Account | None, visibility: str, name: str) -> Any:
        return room.as_(who).post(
            f"/lots/{room.lot}/attachments",
            data={"visibility": visibility},
            files={"file": (name, self.PDF + name.encode(), "application/pdf")},
        )

    def test_seller_and_staff_add_and_others_do_not(self, room: Room) -> None:
        room.open()
        seller, staff, one = room.people[Role.RESULTS_OFFICER], room.people[Role.STAFF], room.bidders[0]
        assert self.add(room, seller, "public", "图纸.pdf").status_code == 303
        assert self.add(room, staff, "parties", "检测报告.pdf").status_code == 303
        assert self.add(room, staff, "private", "内部.pdf").status_code == 422
        assert self.add(room, one, "public", "x.pdf").status_code == 403
        assert "图纸.pdf" in room.page()
        assert "检测报告.pdf" not in room.page()
        page = room.page(one)
        assert "检测报告.pdf" in page
        links = {name: link for link, name in re.findall(r'href="(/attachments/\d+)">([^<]+)<', page)}
        for name, who, status in (
            ("图纸.pdf", None, 200),
            ("检测报告.pdf", one, 200),
            ("检测报告.pdf", seller, 200),
            ("检测报告.pdf", None, 404),
            ("检测报告.pdf", room.people[Role.DEMAND_OWNER], 404),
        ):
            assert room.as_(who).get(links[name]).status_code == status, (name, who)
        assert room.as_(one).post(links["图纸.pdf"] + "/remove").status_code == 403
        assert room.as_(seller).post(links["图纸.pdf"] + "/remove").status_code == 303
        assert "图纸.pdf" not in room.page()

    def test_no_longer_admitted_means_no_longer_reading(self, room: Room) -> None:
        room.open()
        one = room.bidders[0]
        self.add(room, room.people[Role.STAFF], "parties", "检测报告.pdf")
        link = re.findall(r'href="(/attachments/\d+)"', room.page(one))[0]
        with room.parts.db.write() as session:
            session.execute(
                sa.update(t(Admission))
                .where(t(Admission).c.person_id == one.person_id)
                .values(state=AdmissionState.REVOKED.value)
            )
        assert room.as_(one).get(link).status_code == 404
        assert "检测报告.pdf" not in room.page(one)

    def test_what_came_after_the_last_look_is_marked(self, room: Room) -> None:
        room.open()
        one, two = room.bidders
        self.add(room, room.people[Role.STAFF], "public", "图纸.pdf")
        assert "New since you looked" in room.page(one)
        assert "New since you looked" not in room.page()
        room.clock.advance(seconds=5)
        looked = room.as_(one).post(f"/lots/{room.lot}/looks")
        assert looked.status_code == 303
        assert "New since you looked" not in room.page(one)
        assert "New since you looked" in room.page(two)
        room.clock.advance(seconds=5)
        told = room.as_(room.people[Role.STAFF]).post(
            f"/lots/{room.lot}/console", data={"step": "announce", "reason": "图纸已更换，请核对"}
        )
        assert told.status_code == 303, told.text
        self.add(room, room.people[Role.STAFF], "public", "图纸二.pdf")
        assert room.page(one).count("New since you looked") == 2
        room.clock.advance(seconds=5)
        assert room.as_(one).post(f"/lots/{room.lot}/looks", data={"quiet": "1"}).status_code == 204
        assert "New since you looked" not in room.page(one)
        assert room.as_(None).post(f"/lots/{room.lot}/looks").status_code == 303
        with room.parts.db.read() as session:
            assert session.execute(sa.select(sa.func.count()).select_from(t(LotLook))).scalar_one() == 1

    def test_an_ended_lot_keeps_what_it_has(self, room: Room) -> None:
        room.open()
        self.add(room, room.people[Role.STAFF], "public", "图纸.pdf")
        room.clock.advance(hours=1, seconds=1)
        room.settle()
        with room.parts.db.read() as session:
            state = session.execute(sa.select(t(Lot).c.state).where(t(Lot).c.id == room.lot)).scalar_one()
        assert state == "passed_in"
        assert self.add(room, room.people[Role.STAFF], "public", "x.pdf").status_code == 409
        assert "图纸.pdf" in room.page()
