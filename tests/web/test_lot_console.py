"""Drafts of every format, the auctioneer's console, and lots offered again, by page."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from auctions import policies, queries
from auctions.models import Admission, Lot, Relation
from auctions.rules.state import LotState
from market.clock import SHANGHAI, FixedClock
from market.db import t
from market.parties.models import Organisation
from market.payments.models import Deposit
from market.permissions import Actor, Role
from tests.auctions.rows import Rows
from web import wiring

SignIn = Callable[[TestClient, Actor], TestClient]


class World:
    """A seller's results, staff, an administrator and two firms' bidders."""

    def __init__(self, parts: wiring.Parts) -> None:
        with parts.db.write() as session:
            rows = Rows(session)
            policies.seed_policies(session)
            self.staff, self.officer, self.seller = rows.staff, rows.officer, rows.seller
            self.keeper = rows.actor(rows.market, Role.ADMINISTRATOR)
            self.results = [rows.result() for _ in range(2)]
            self.firms = [rows.organisation("某泵业"), rows.organisation("某机电")]
            self.bidders = [rows.actor(firm, Role.BIDDER) for firm in self.firms]


@pytest.fixture
def world(parts: wiring.Parts) -> World:
    return World(parts)


def draft(world: World, now: dt.datetime, lot_format: str = "english", **changes: str) -> dict[str, str]:
    opens = (now + dt.timedelta(days=8)).astimezone(SHANGHAI)
    own = {
        "dutch": {"floor_fen": "6万", "decrement_fen": "1万", "interval_s": "60"},
        "sealed": {"pricing": "second", "reveal_s": "1800", "unopened": "forfeit"},
        "scoring": {
            "price_weight": "60", "royalty_weight": "40", "royalty_unit_bp": "1", "royalty_most_bp": "10",
            "score_step": "100",
        },
    }  # fmt: skip
    return {
        "result_id": str(world.results[0]),
        "title": "自吸泵叶轮专利",
        "terms.format": lot_format,
        "terms.start_fen": "10万",
        "terms.step_fen": "5000",
        "terms.deposit_fen": "1万",
        "terms.opens_at": opens.strftime("%Y-%m-%dT%H:%M"),
        "terms.ends_at": (opens + dt.timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M"),
        "terms.window_s": "300",
        "terms.extension_s": "300",
        **{f"terms.params.{lot_format}.{name}": value for name, value in own.get(lot_format, {}).items()},
        **changes,
    }


def make(client: TestClient, form: dict[str, str], *, publish: bool = True) -> int:
    made = client.post("/lots/new", data=form)
    assert made.status_code == 303, made.text
    edit = made.headers["location"]
    if publish:
        done = client.post(edit, data={**form, "version": "1", "publish": "1"})
        assert done.status_code == 303, re.findall('field__error-line">([^<]*)', done.text)
    return int(edit.split("/")[2])


def terms(parts: wiring.Parts, lot_id: int) -> Any:
    with parts.db.read() as session:
        return queries.private_terms(session, lot_id)


def sentences(html: str) -> list[str]:
    return re.findall('field__error-line">([^<]*)', html)


@pytest.mark.parametrize("lot_format", ["english", "sealed", "dutch", "scoring"])
def test_every_format_is_drafted_shown_again_and_published(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn, now: dt.datetime, lot_format: str
) -> None:
    sign_in(client, world.staff)
    form = draft(world, now, lot_format)
    if lot_format == "dutch":
        del form["terms.ends_at"], form["terms.step_fen"]
    lot_id = make(client, form, publish=False)
    saved = terms(parts, lot_id)
    assert saved.format == lot_format
    page = client.get(f"/lots/{lot_id}/edit")
    assert page.status_code == 200
    again = dict(re.findall(r'name="(terms\.params\.[\w.]+)"[^>]*value="([^"]*)"', page.text))
    for name, value in saved.params.items():
        assert f"terms.params.{lot_format}.{name}" in again, value
    if lot_format == "dutch":
        assert saved.params == {"floor_fen": 6_000_000, "decrement_fen": 1_000_000, "interval_s": 60}
        assert saved.ends_at - saved.opens_at == dt.timedelta(minutes=5)
        assert page.text.count('<tr role="row">') == 6
    if lot_format == "scoring":
        assert (saved.params["royalty_unit_bp"], saved.params["royalty_most_bp"]) == (100, 1000)
    done = client.post(f"/lots/{lot_id}/edit", data={**form, "version": "1", "publish": "1"})
    assert done.headers.get("location") == f"/lots/{lot_id}", sentences(done.text)
    assert client.get(f"/lots/{lot_id}").status_code == 200
    assert client.get(f"/lots/{lot_id}/console").status_code == 200


def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(
    client: TestClient, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    sign_in(client, world.staff)
    bad = {
        "terms.params.dutch.floor_fen": "12万",
        "terms.params.dutch.interval_s": "77",
        "terms.cap_fen": "30万",
        "terms.deposit_fen": "viel",
    }
    page = client.post("/lots/new", data=draft(world, now, "dutch", **bad))
    assert page.status_code == 422
    assert any("Enter an amount" in sentence for sentence in sentences(page.text))
    for value in ("12万", "77", "30万", "viel"):
        assert f'value="{value}"' in page.text
    page = client.post("/lots/new", data=draft(world, now, "dutch", **(bad | {"terms.deposit_fen": "1万"})))
    assert page.status_code == 422
    assert 'href="#f-terms.params.floor_fen"' in page.text
    assert 'id="f-terms.params.floor_fen"' in page.text


def test_a_step_table_maxima_cover_and_extensions_by_hand(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    sign_in(client, world.staff)
    more = {
        "terms.steps.0.from": "20万",
        "terms.steps.0.step": "1万",
        "terms.maxima": "on",
        "terms.cover_bp": "5",
        "terms.hand_extensions": "2",
        "terms.hand_extension_s": "300",
        "terms.cap_fen": "50万",
        "terms.cap_rule": "close",
    }
    saved = terms(parts, make(client, draft(world, now, **more)))
    assert saved.steps == ((0, 500_000), (20_000_000, 1_000_000))
    assert (saved.maxima, saved.cover_bp, saved.hand_extensions, saved.cap_rule) == (True, 500, 2, "close")
    plain = terms(parts, make(client, draft(world, now, result_id=str(world.results[1]))))
    assert plain.maxima is False


def test_deposit_and_settlement_are_entered_shown_and_put_right_at_their_fields(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    sign_in(client, world.staff)
    fresh = client.get(f"/lots/new?result={world.results[0]}").text
    for name, value in (("deposit_share_bp", "10"), ("refund_hours", "24"), ("contract_days", "5")):
        assert re.search(f'name="terms.settlement.{name}"[^>]*value="{value}"', fresh), name
    form = draft(world, now)
    both = {"terms.settlement.deposit_share_bp": "12.5", "terms.settlement.refund_hours": "halb"}
    page = client.post("/lots/new", data={**form, **both})
    assert page.status_code == 422
    assert sentences(page.text) == ["Give a share or an amount, not both."]
    assert 'value="12.5"' in page.text
    assert 'value="halb"' in page.text
    del form["terms.deposit_fen"]
    late = {"terms.settlement.deposit_due_at": form["terms.ends_at"]}
    page = client.post("/lots/new", data={**form, "terms.settlement.deposit_share_bp": "12.5", **late})
    assert sentences(page.text) == ["The deposit must be held before the lot opens."]
    page = client.post("/lots/new", data={**form, **both})
    assert len(sentences(page.text)) == 1
    assert 'href="#f-terms.settlement.refund_hours"' in page.text
    form |= {
        "terms.settlement.deposit_share_bp": "12.5",
        "terms.settlement.deposit_due_at": form["terms.opens_at"],
        "terms.settlement.refund_hours": "20",
        "terms.settlement.forfeit_rest": "market",
        "terms.settlement.runner_up": "on",
    }
    lot_id = make(client, form, publish=False)
    saved = terms(parts, lot_id)
    assert (saved.deposit_fen, saved.settlement.deposit_share_bp) == (1_250_000, 1250)
    edited = client.get(f"/lots/{lot_id}/edit").text
    assert "¥12,500." in edited
    # The share stays what is entered: another start price makes another deposit.
    done = client.post(
        f"/lots/{lot_id}/edit", data={**form, "terms.start_fen": "20万", "version": "1", "publish": "1"}
    )
    assert done.status_code == 303, sentences(done.text)
    assert terms(parts, lot_id).deposit_fen == 2_500_000
    for language, words in (
        (
            "en",
            ["¥25,000, 12.5% of the start price", "back within 20 hours", "the rest goes to: the market"],
        ),
        (
            "zh-Hans",
            ["（起拍价的 12.5%）", "20 小时内退还", "剩余部分归：技术市场", "可按其最后一次自主出价受让"],
        ),
    ):
        shown = client.get(f"/lots/{lot_id}?lang={language}").text
        assert all(text in shown for text in words)


def test_publication_names_the_rule_that_asks_for_more(
    client: TestClient, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    sign_in(client, world.staff)
    form = draft(
        world, now, **{"terms.organiser_type": "auction_house", "terms.deposit_fen": "3万"},
        **{"terms.opens_at": (now + dt.timedelta(days=6)).astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M")},
    )  # fmt: skip
    lot_id = make(client, form, publish=False)
    page = client.post(f"/lots/{lot_id}/edit", data={**form, "version": "1", "publish": "1"})
    assert page.status_code == 422
    assert [sentence[:30] for sentence in sentences(page.text)] == [
        "The deposit must be between ¥5",
        "The notice must run for 7 days",
    ]
    assert "Auction Law, article 45" in page.text


def settle(parts: wiring.Parts) -> None:
    for _ in range(4):
        for answer in parts.timekeeper.tick():
            answer.result(10)


def test_the_console(
    live_client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn, clock: FixedClock
) -> None:
    client = live_client
    sign_in(client, world.staff)
    more = {"terms.hand_extensions": "1", "terms.hand_extension_s": "600"}
    lot_id = make(client, draft(world, clock.now(), **more))
    terms_hash = client.get(f"/api/v1/lots/{lot_id}").json()["state"]["terms_hash"]
    ask = {"terms_hash": terms_hash, "accept": "on", "relation": "none"}
    for bidder, firm in zip(world.bidders, world.firms, strict=True):
        sign_in(client, bidder)
        silent = {key: value for key, value in ask.items() if key != "relation"}
        refused = client.post(f"/lots/{lot_id}/admission", data={**silent, "organisation_id": str(firm)})
        assert refused.status_code == 422
        assert (
            client.post(f"/lots/{lot_id}/admission", data={**ask, "organisation_id": str(firm)}).status_code
            == 303
        )
        paying = client.post(f"/lots/{lot_id}/deposit", data={"way": "simulated:card"})
        assert client.post(paying.headers["location"], data={"act": "succeed"}).status_code == 303
        assert client.get(f"/lots/{lot_id}/console").status_code == 403
    sign_in(client, world.staff)
    with parts.db.read() as session:
        ids = list(session.scalars(sa.select(t(Admission).c.id)))
    for admission in ids:
        assert (
            client.post(f"/lots/{lot_id}/admissions/{admission}", data={"step": "admit"}).status_code == 303
        )
    # A page that is behind, or no step at all, takes nobody's admission away.
    for step, status in (("refuse", 409), ("", 404)):
        stale = client.post(f"/lots/{lot_id}/admissions/{ids[0]}", data={"step": step, "reason": "资料不全"})
        assert stale.status_code == status
    page = client.get(f"/lots/{lot_id}/console").text
    assert "declared none" in page
    assert "Bidder number" not in page  # who is behind which number is nobody's business yet
    clock.set(parts_opening(parts, lot_id))
    settle(parts)

    def do(step: str, why: str = "", text: str = "") -> Any:
        return client.post(f"/lots/{lot_id}/console", data={"step": step, "why": why, "reason": text})

    assert do("pause").status_code == 422
    assert do("pause", "fault", "供电中断").status_code == 303
    assert "系统或网络故障：供电中断" in client.get(f"/lots/{lot_id}/console").text
    assert do("resume").status_code == 303
    assert do("suspend", "objection").status_code == 303
    assert "Resume by" in client.get(f"/lots/{lot_id}/console").text
    assert do("resume").status_code == 303
    assert do("extend", "other").status_code == 422
    assert "Extend (1 left)" in client.get(f"/lots/{lot_id}/console").text
    assert do("extend", "other", "应竞买人请求").status_code == 303
    assert "Extend (" not in client.get(f"/lots/{lot_id}/console").text
    assert do("extend", "other", "再延").status_code == 409
    assert do("announce", "", "请各位竞买人抓紧出价").status_code == 303
    assert do("cancel", "ownership").status_code == 303
    page = client.get(f"/lots/{lot_id}/console").text
    assert "Bidder number" in page
    assert "Offer it again" in page
    again = client.post(f"/lots/{lot_id}/again")
    assert again.status_code == 303
    edit = client.get(again.headers["location"])
    assert f'href="/lots/{lot_id}"' in edit.text
    assert client.post(f"/lots/{lot_id}/again").status_code == 409
    new = int(again.headers["location"].split("/")[2])
    form = draft(world, clock.now(), **{"terms.start_fen": "9万"})
    published = client.post(f"/lots/{new}/edit", data={**form, "version": "1", "publish": "1"})
    assert published.headers.get("location") == f"/lots/{new}", sentences(published.text)
    assert f'href="/lots/{new}"' in client.get(f"/lots/{lot_id}").text
    assert f'href="/lots/{lot_id}"' in client.get(f"/lots/{new}").text


def parts_opening(parts: wiring.Parts, lot_id: int) -> dt.datetime:
    with parts.db.read() as session:
        at: dt.datetime = session.execute(
            sa.select(t(Lot).c.opens_at).where(t(Lot).c.id == lot_id)
        ).scalar_one()
    return at


def test_a_declared_relation_is_refused_without_a_deposit(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    sign_in(client, world.staff)
    lot_id = make(client, draft(world, now))
    terms_hash = client.get(f"/api/v1/lots/{lot_id}").json()["state"]["terms_hash"]
    sign_in(client, world.bidders[0])
    ask = {
        "terms_hash": terms_hash, "accept": "on", "organisation_id": str(world.firms[0]), "relation": "seller",
    }  # fmt: skip
    assert client.post(f"/lots/{lot_id}/admission", data=ask).status_code == 422
    done = client.post(f"/lots/{lot_id}/admission", data={**ask, "declaration": "持有委托方百分之十股权"})
    assert done.status_code == 303
    assert "持有委托方百分之十股权" in client.get(f"/lots/{lot_id}").text
    with parts.db.read() as session:
        assert session.execute(sa.select(t(Deposit).c.id)).all() == []
        [row] = session.execute(
            sa.select(t(Relation).c.organisation_id, t(Relation).c.other_organisation_id)
        ).all()
    assert tuple(row) == (world.firms[0], world.seller)


def test_a_session_by_page_and_api(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    form = {"title": "泵与电机专场", "starts_at": "2026-04-01T14:00", "mode": "sequential"}
    assert client.get("/sales").status_code == 200
    sign_in(client, world.bidders[0])
    assert client.get("/sales/new").status_code == 403
    assert client.post("/sales/new", data=form).status_code == 403
    sign_in(client, world.staff)
    bad = client.post("/sales/new", data={**form, "ends_together": "on"})
    assert bad.status_code == 422
    assert 'value="泵与电机专场"' in bad.text
    made = client.post("/sales/new", data=form)
    assert made.status_code == 303
    where = made.headers["location"]
    sale_id = where.rpartition("/")[2]
    lots = [
        make(client, draft(world, now, sale_id=sale_id, number=str(number), result_id=str(result)))
        for number, result in enumerate(world.results, 1)
    ]
    page = client.get(where).text
    assert "After lot 1, not before" in page
    assert "After lot 1, not before" in client.get(f"/lots/{lots[1]}").text
    assert "After lot" not in client.get(f"/lots/{lots[0]}").text
    assert client.get(where + "/edit").status_code == 200
    fixed = client.post(where + "/edit", data={**form, "mode": "parallel", "version": "1"})
    assert fixed.status_code == 422
    assert client.post(where + "/edit", data={**form, "title": "夏季专场", "version": "1"}).status_code == 303
    assert client.post(where + "/close").status_code == 409
    whole = client.get(f"/api/v1/sales/{sale_id}")
    assert [lot["id"] for lot in whole.json()["lots"]] == lots
    assert (whole.json()["open_count"], whole.headers["etag"]) == (2, '"2"')
    body = {"title": "秋季专场", "starts_at": "2026-04-01T06:00:00Z", "mode": "sequential"}
    assert client.put(f"/api/v1/sales/{sale_id}", json=body).status_code == 428
    assert client.put(f"/api/v1/sales/{sale_id}", json=body, headers={"if-match": '"1"'}).status_code == 412
    done = client.put(f"/api/v1/sales/{sale_id}", json=body, headers={"if-match": '"2"'})
    assert (done.status_code, done.json()["title"]) == (200, "秋季专场")
    with parts.db.write() as session:
        session.execute(
            sa.update(t(Lot)).values(state=LotState.PASSED_IN.value, closed_at=now, next_due_at=None)
        )
    assert client.post(f"/api/v1/sales/{sale_id}/close").json()["passed_in"] == 2
    assert "Closed at" in client.get(where).text
    assert client.get("/api/v1/sales").json()["items"][0]["closed_at"] is not None
    naive = {**body, "starts_at": "2026-04-01T06:00:00"}
    assert client.post("/api/v1/sales", json=naive).status_code == 422


def test_rules_and_relations_are_kept_by_page(
    client: TestClient, world: World, sign_in: SignIn, now: dt.datetime, parts: wiring.Parts
) -> None:
    day = now.astimezone(SHANGHAI).date()
    new = {
        "organiser": "market", "rule": "notice_days", "value": "3", "valid_from": day.isoformat(),
        "standing": "recalled", "basis": "本市场竞价规则第五条",
    }  # fmt: skip
    sign_in(client, world.bidders[0])
    assert client.get("/admin/auction-rules").status_code == 403
    assert client.get("/admin/relations").status_code == 403
    sign_in(client, world.staff)
    assert "Auction Law, article 45" in client.get("/admin/auction-rules").text
    assert client.post("/admin/auction-rules", data=new).status_code == 403
    sign_in(client, world.keeper)
    past = client.post("/admin/auction-rules", data={**new, "valid_from": "2020-01-02"})
    assert past.status_code == 422
    assert "The day is over" in past.text
    assert client.post("/admin/auction-rules", data=new).status_code == 303
    assert "本市场竞价规则第五条" in client.get("/admin/auction-rules").text
    sign_in(client, world.officer)
    with parts.db.read() as session:
        seller, firm = (session.get_one(Organisation, row) for row in (world.seller, world.firms[0]))
        pair = {
            "one": seller.name, "other": firm.credit_code.lower(), "kind": "ownership",
            "reason": "持股百分之三十",
        }  # fmt: skip
    refused = client.post("/admin/relations", data={**pair, "other": "没有的单位"})
    assert refused.status_code == 422
    assert "没有的单位" in refused.text
    assert "持股百分之三十" in refused.text
    assert client.post("/admin/relations", data={**pair, "other": "nobody@example.cn"}).status_code == 422
    assert client.post("/admin/relations", data={**pair, "other": pair["one"]}).status_code == 422
    assert client.post("/admin/relations", data=pair).status_code == 303
    assert "持股百分之三十" in client.get("/admin/relations").text
    sign_in(client, world.staff)
    assert client.post("/admin/relations/1/end", data={"end_reason": ""}).status_code == 422
    assert client.post("/admin/relations/1/end", data={"end_reason": "股权已转让"}).status_code == 303
    assert "股权已转让" in client.get("/admin/relations").text
