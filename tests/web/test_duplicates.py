"""Staff's pages of results that look alike: compare, keep as two, merge, undo; and what visitors then see."""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import pytest
import sqlalchemy as sa

from market.audit import AuditRecord
from market.db import Session, t
from market.deals.models import Contract
from market.enquiries.models import Enquiry
from market.errors import InvalidInput
from market.listings.models import Result
from market.parties.access import digest
from market.parties.models import MembershipRow, Person, SignInSession
from market.permissions import SYSTEM
from market.work import WorkItem
from matching import indexer
from tests.web.test_results import As, as_, parts, told
from web import merging, wiring
from web.differences import differences
from web.duplicate_work import Sweeper
from web.routes import listing_forms

__all__ = ["as_", "parts"]

TEXT = (
    "本成果针对含砂井水中潜水电泵机械密封早期失效的问题，提出端面微槽与碳化硅复合涂层相结合的密封结构，"
    "在含砂量百分之一点五、压差一点六兆帕的条件下连续运行八千小时，端面磨损深度不大于二十微米。"
)


class Site:
    """A market with two results that say the same, and somebody of its staff."""

    def __init__(self, parts: wiring.Parts, as_: As) -> None:
        self.parts, self.as_ = parts, as_
        self.now = parts.clock.now()
        with parts.db.write() as session:
            person = Person(
                name="staff", email="s@x.cn", password_hash="", created_at=self.now, updated_at=self.now
            )
            session.add(person)
            session.flush()
            session.add(
                MembershipRow(person_id=person.id, organisation_id=2, role="staff", created_at=self.now)
            )
            session.add(
                SignInSession(
                    person_id=person.id, secret_hash=digest("staff"), created_at=self.now, seen_at=self.now,
                    expires_at=self.now + dt.timedelta(days=9),
                )
            )  # fmt: skip
        self.one = self.result("潜水电泵密封结构", keywords=["密封"])
        self.two = self.result("一种潜水电泵密封", keywords=["涂层"], organisation_id=1)
        self.staff = as_("staff")

    def result(self, title: str, **values: Any) -> int:
        before = self.now - dt.timedelta(hours=1)
        with self.parts.db.write() as session:
            row = Result(
                **{
                    "organisation_id": 1, "title": title, "abstract": TEXT, "industry_code": "pumps", "trl": 6,
                    "modes": ["licence"], "contact_name": "王", "contact_phone": "1", "state": "published",
                    "published_at": before, "confirmed_at": before, "created_at": before, "updated_at": before,
                    "valid_until": self.now.date() + dt.timedelta(days=99), **values,
                }
            )  # fmt: skip
            session.add(row)
            session.flush()
            assert row.id is not None
            return row.id

    def merge(self, **changes: str) -> Any:
        data = {
            "staying": str(self.one), "going": str(self.two), "reason": "同一项技术", "do": "merge",
            "staying_version": "1", "going_version": "1", **changes,
        }  # fmt: skip
        return self.staff.post("/admin/duplicates/merge", data=data)

    def row(self, result_id: int) -> Any:
        with self.parts.db.read() as session:
            return session.execute(sa.select(t(Result)).where(t(Result).c.id == result_id)).one()

    def mails(self) -> list[dict[str, Any]]:
        c = t(WorkItem).c
        with self.parts.db.read() as session:
            return list(session.scalars(sa.select(c.payload).where(c.kind == "mail.send").order_by(c.id)))


@pytest.fixture
def site(parts: wiring.Parts, as_: As) -> Site:
    return Site(parts, as_)


def plain(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)))


class TestFinding:
    def test_found_after_publication_and_shown_to_staff(self, site: Site) -> None:
        assert site.parts.index.acquire()
        sweeper = Sweeper(site.parts)
        sweeper()
        assert "No two results look alike" in site.staff.get("/admin/duplicates").text
        indexer.reindex(site.parts.db, site.parts.index)
        sweeper()
        page = site.staff.get("/admin/duplicates").text
        assert "Nearly the same text" in page
        assert f"/admin/duplicates?staying={site.one}&amp;going={site.two}" in page
        bench = site.staff.get("/workbench").text
        assert "Results that look alike" in bench
        assert f"staying={site.one}&amp;going={site.two}" in bench
        # What is published later is found at the next look.
        third = site.result("密封装置", updated_at=site.now - dt.timedelta(minutes=1))
        sweeper()
        assert f"going={third}" in site.staff.get("/admin/duplicates").text

    @pytest.mark.parametrize("who", ["officer", "owner", ""])
    @pytest.mark.parametrize("path", ["", "?staying=1&going=2", "/2/separate"])
    def test_for_staff_only(self, site: Site, who: str, path: str) -> None:
        answer = site.as_(who).get(f"/admin/duplicates{path}")
        assert answer.status_code == (403 if who else 303)
        if not path:
            answer = site.as_(who).post("/admin/duplicates/merge", data={"staying": "1", "going": "2"})
            assert answer.status_code == (403 if who else 303)

    @pytest.mark.parametrize(
        ("going", "told"),
        [("1", "The two numbers are the same"), ("99", "No result has"), (str(10**17), "No result has")],
    )
    def test_numbers_of_nothing_are_told_at_their_field(self, site: Site, going: str, told: str) -> None:
        answer = site.staff.get(f"/admin/duplicates?staying=1&going={going}")
        assert answer.status_code == 422
        assert f'<a href="#f-going">The one that goes: {told}' in answer.text
        assert f'value="{going}"' in answer.text
        assert 'href="#f-staying"' not in answer.text

    @pytest.mark.parametrize("query", ["staying=x&going=2", "staying=&going=", "staying=-1&going=2"])
    def test_what_is_no_number_shows_the_list(self, site: Site, query: str) -> None:
        assert site.staff.get(f"/admin/duplicates?{query}").status_code == 200


class TestSideBySide:
    def test_differences_are_marked(self) -> None:
        left, right = differences("流量 25 m³/h，扬程 50 m。", "流量 30 m³/h，扬程 50 m。")
        assert [piece.text for piece in left if piece.matched] == ["25"]
        assert [piece.text for piece in right if piece.matched] == ["30"]
        assert "".join(piece.text for piece in left) == "流量 25 m³/h，扬程 50 m。"

    @pytest.mark.parametrize("pair", [("", ""), ("", "甲"), ("甲", "甲"), ("a" * 9_000, "a" * 8_999 + "b")])
    def test_nothing_is_lost(self, pair: tuple[str, str]) -> None:
        for text, pieces in zip(pair, differences(*pair), strict=True):
            assert "".join(piece.text for piece in pieces) == text

    def test_only_what_differs_is_asked_about(self, site: Site) -> None:
        page = site.staff.get(f"/admin/duplicates?staying={site.one}&going={site.two}").text
        assert re.findall(r'name="keep\.(\w+)" value="(\w+)" checked', page) == [
            ("title", "staying"),
            ("keywords", "both"),
        ]
        assert 'name="keep.abstract"' not in page
        assert "The same in both:" in page

    def test_a_claim_is_shown_as_it_was_written(self) -> None:
        claim = {"statement": "效率", "figure": "86 %", "comparator": "旧泵 82 %", "source": "报告"}
        assert listing_forms.shown("claims", [claim], "en", {}) == "效率 · 86 % · 旧泵 82 % · 报告"
        assert listing_forms.shown("comparator", "at_least", "en", {}) != "at_least"

    def test_they_are_two(self, site: Site) -> None:
        data = {"staying": str(site.two), "going": str(site.one), "distinct_reason": ""}
        answer = site.staff.post("/admin/duplicates/distinct", data=data)
        assert answer.status_code == 422
        assert 'id="f-distinct_reason-error"' in answer.text
        answer = site.staff.post("/admin/duplicates/distinct", data={**data, "distinct_reason": "两种规格"})
        assert answer.headers["location"] == "/admin/duplicates"


class TestMerging:
    def test_previewed_then_merged(self, site: Site) -> None:
        answer = site.merge(do="preview", reason="")
        assert answer.status_code == 422
        assert told(answer.text)
        preview = site.merge(**{"do": "preview", "keep.title": "going", "keep.keywords": "both"})
        assert preview.status_code == 200
        assert site.row(site.two).merged_into_id is None
        words = plain(preview.text)
        assert "一种潜水电泵密封" in words
        assert "密封、涂层" in words
        sent = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', preview.text))
        sent.pop("next")
        assert sent == {
            "staying": str(site.one), "going": str(site.two), "staying_version": "1", "going_version": "1",
            "reason": "同一项技术", "keep.title": "going", "keep.keywords": "both",
        }  # fmt: skip
        answer = site.staff.post("/admin/duplicates/merge", data={**sent, "do": "merge"})
        assert answer.headers["location"] == f"/results/{site.one}"
        stays, gone = site.row(site.one), site.row(site.two)
        assert (stays.title, stays.keywords) == ("一种潜水电泵密封", ["密封", "涂层"])
        assert (gone.state, gone.merged_into_id, gone.title) == ("withdrawn", site.one, "一种潜水电泵密封")

    def test_the_address_of_the_form_leads_to_the_list(self, site: Site) -> None:
        assert site.staff.get("/admin/duplicates/merge").headers["location"] == "/admin/duplicates"

    def test_the_page_of_the_one_that_went_leads_on(self, site: Site) -> None:
        site.merge()
        for path in ("/results/{}", "/api/v1/results/{}"):
            answer = site.as_().get(path.format(site.two))
            assert answer.status_code == 301
            assert answer.headers["location"] == path.format(site.one)
        assert site.as_().get(f"/results/{site.one}").status_code == 200
        officer = site.as_("officer")
        page = officer.get(f"/results/{site.two}")
        assert page.status_code == 200
        assert "Merged into another result" in page.text
        assert f'href="/results/{site.one}"' in page.text
        assert f"/results/{site.two}/reconfirm" not in page.text
        assert officer.get(f"/results/{site.two}/edit").status_code == 409
        assert officer.post(f"/results/{site.two}/reconfirm").status_code == 409
        history = officer.get(f"/results/{site.two}/history")
        assert history.status_code == 200
        assert "Merged into another result" in history.text
        assert officer.get(f"/api/v1/results/{site.two}").json()["merged_into_id"] == site.one
        # Nobody is led to what they may not see.
        with site.parts.db.write() as session:
            session.execute(sa.update(t(Result)).where(t(Result).c.id == site.one).values(state="withdrawn"))
        assert site.as_().get(f"/results/{site.two}").status_code == 404

    def test_owners_are_told_once(self, site: Site) -> None:
        site.merge()
        mails = site.mails()
        assert [(mail["to"], mail["template"]) for mail in mails] == [("officer@x.cn", "result_merged")]
        from web.mailing import compose

        for language, words in (("zh-Hans", "已并入"), ("en", "was merged into")):
            mail = compose(site.parts, "a@x.cn", "result_merged", language, mails[0]["params"])
            assert words in mail.subject
            assert "同一项技术" in mail.body
            assert f"/results/{site.one}" in mail.body

    def test_somebody_was_faster(self, site: Site) -> None:
        with site.parts.db.write() as session:
            session.execute(
                sa.update(t(Result))
                .where(t(Result).c.id == site.one)
                .values(version=2, abstract="改过的简介。")
            )
        answer = site.merge()
        assert answer.status_code == 409
        assert "改过的简介。" in plain(answer.text)
        assert site.row(site.two).merged_into_id is None
        assert site.merge(staying_version="2").status_code == 303
        # Of two who merge at once the second is led to what the first did.
        assert site.merge(staying_version="2").status_code in (303, 409)

    def test_an_enquiry_goes_on(self, site: Site) -> None:
        with site.parts.db.write() as session:
            row = Enquiry(
                subject_kind="result", subject_id=site.two, from_person_id=2, from_organisation_id=2,
                to_organisation_id=1, created_at=site.now, updated_at=site.now,
            )  # fmt: skip
            session.add(row)
            session.flush()
            enquiry = row.id
        preview = plain(site.merge(do="preview").text)
        assert "Enquiries1" in preview.replace(" ", "")
        site.merge()
        for who in ("owner", "officer"):
            page = site.as_(who).get(f"/enquiries/{enquiry}")
            assert page.status_code == 200
            assert f"/results/{site.one}" in page.text
        answer = site.as_("officer").post(f"/enquiries/{enquiry}/messages", data={"body": "您好"})
        assert answer.status_code in (303, 404)

    def test_between_organisations_an_enquiry_stays_with_its_sides(self, site: Site) -> None:
        other = site.result("企业的密封", organisation_id=2)
        with site.parts.db.write() as session:
            row = Enquiry(
                subject_kind="result", subject_id=other, from_person_id=1, from_organisation_id=1,
                to_organisation_id=2, created_at=site.now, updated_at=site.now,
            )  # fmt: skip
            session.add(row)
            session.flush()
            enquiry = row.id
        site.merge(going=str(other))
        with site.parts.db.read() as session:
            c = t(Enquiry).c
            assert session.scalar(sa.select(c.subject_id).where(c.id == enquiry)) == other
        assert site.as_("officer").get(f"/enquiries/{enquiry}").status_code == 200


class TestHindrances:
    def refused(self, site: Site) -> str:
        with site.parts.db.write() as session, pytest.raises(InvalidInput) as error:
            merging.merge(session, SYSTEM, site.now, site.one, site.two, {}, "同", days=180)
        ((field, code, _),) = error.value.problems
        assert field == "going"
        page = site.staff.get(f"/admin/duplicates?staying={site.one}&going={site.two}").text
        assert "This one cannot go" in page
        assert 'value="preview"' not in page
        assert site.merge().status_code == 422
        assert site.row(site.two).merged_into_id is None
        # The other way round nothing stands against it.
        assert site.merge(staying=str(site.two), going=str(site.one)).status_code == 303
        return code

    def lot(self, session: Session, site: Site, state: str) -> None:
        from auctions import service
        from auctions.models import Lot as Row
        from auctions.models import LotInput, TermsInput

        session.execute(
            sa.update(t(Result))
            .where(t(Result).c.id == site.two)
            .values(pricing_mode="auction", price_low_fen=1)
        )
        values = TermsInput(
            start_fen=1_000_000, step_fen=10_000, opens_at=site.now + dt.timedelta(days=9),
            ends_at=site.now + dt.timedelta(days=10), window_s=60, extension_s=60,
        )  # fmt: skip
        lot = service.create_lot(session, SYSTEM, site.two, LotInput(title="标的", terms=values), site.now)
        session.execute(sa.update(t(Row)).where(t(Row).c.id == lot).values(state=state))

    @pytest.mark.parametrize(
        ("state", "code"), [("draft", "merge_lot"), ("live", "merge_lot"), ("sold", "merge_sold")]
    )
    def test_a_lot(self, site: Site, state: str, code: str) -> None:
        with site.parts.db.write() as session:
            self.lot(session, site, state)
        assert self.refused(site) == code

    def test_a_lot_without_a_sale_is_none(self, site: Site) -> None:
        with site.parts.db.write() as session:
            self.lot(session, site, "passed_in")
        assert site.merge().status_code == 303

    def test_a_contract(self, site: Site) -> None:
        with site.parts.db.write() as session:
            session.add(
                Contract(
                    local_number="WL-1", title="技术合同", kind="assignment", subkind="patent", seller_name="甲", seller_region="331081", buyer_name="乙", buyer_region="331081",
                    deal_fen=1, technology_fen=1, source="entered", result_id=site.two, created_at=site.now,
                    updated_at=site.now,
                )
            )  # fmt: skip
        assert self.refused(site) == "merge_contract"


class TestUndoing:
    def test_undone_with_everything(self, site: Site) -> None:
        site.merge(**{"keep.keywords": "both"})
        assert f"/admin/duplicates/{site.two}/separate" in site.staff.get("/admin/duplicates").text
        assert site.staff.get(f"/admin/duplicates/{site.two}/separate").status_code == 200
        path = f"/admin/duplicates/{site.two}/separate"
        answer = site.staff.post(path, data={"reason": ""})
        assert answer.status_code == 422
        assert 'id="f-reason-error"' in answer.text
        assert site.staff.post(path, data={"reason": "是两项"}).headers["location"] == f"/results/{site.two}"
        assert site.row(site.one).keywords == ["密封"]
        assert site.as_().get(f"/results/{site.two}").status_code == 200
        assert [mail["template"] for mail in site.mails()] == ["result_merged", "result_separated"]
        assert site.staff.get(path).status_code == 404
        with site.parts.db.read() as session:
            actions = list(session.scalars(sa.select(t(AuditRecord).c.action).order_by(t(AuditRecord).c.id)))
        assert actions[-2:] == ["result.edited", "result.separated"]

    def test_comparing_what_was_merged_leads_to_undoing_it(self, site: Site) -> None:
        site.merge()
        answer = site.staff.get(f"/admin/duplicates?staying={site.one}&going={site.two}")
        assert answer.headers["location"] == f"/admin/duplicates/{site.two}/separate"

    def test_both_mails_in_both_languages(self, site: Site) -> None:
        site.merge()
        site.staff.post(f"/admin/duplicates/{site.two}/separate", data={"reason": "是两项"})
        from web.mailing import compose

        for mail in site.mails():
            for language in ("zh-Hans", "en"):
                assert compose(site.parts, "a@x.cn", mail["template"], language, mail["params"]).body
