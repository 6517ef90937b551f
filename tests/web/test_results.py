import datetime as dt
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.db import Database
from market.listings.models import Result
from market.parties.access import digest
from market.parties.models import MembershipRow, Person, SignInSession
from tests.matching.rows import Rows
from web import wiring
from web.app import create_app
from web.render import changed_url
from web.routes import listing_forms
from web.settings import Environment, Settings

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
FORM: dict[str, Any] = {
    "organisation_id": "1",
    "title": "高效节能潜水泵",
    "industry_code": "pumps",
    "abstract": "一种潜水泵水力模型。",
    "keywords": "泵，节能, 叶轮",
    "trl": "6",
    "modes": ["licence"],
    "price_low_fen": "35.5",
    "price_high_fen": "80万",
    "inventors.0": "王一",
    "inventors.4": "李二",
    "claims.1.statement": "效率",
    "claims.1.figure": "86.5 %",
    "ip.0.kind": "invention",
    "ip.0.number": "ZL200710308494X",
    "ip.0.status": "granted",
    "ip.1.status": "unknown",
    "contact_name": "王工",
    "contact_phone": "0576-86000000",
}
NEW: dict[str, Any] = {"organisation_id": 1, "title": "成果", "industry_code": "pumps"}
COMPLETE: dict[str, Any] = {
    **NEW,
    "abstract": "简介",
    "trl": 5,
    "modes": ["licence"],
    "contact_name": "王",
    "contact_phone": "1",
}


@pytest.fixture
def parts(database: Database, tmp_path: Path, clock: FixedClock) -> Iterator[wiring.Parts]:
    settings = Settings(
        environment=Environment.TEST,
        data_dir=tmp_path / "data",
        base_url="http://testserver",
        max_upload_mb=1,
    )
    with database.write() as session:
        rows = Rows(session)
        for name, organisation, role in (
            ("officer", rows.university, "results_officer"),
            ("owner", rows.firm, "demand_owner"),
        ):
            person = Person(
                name=name, email=f"{name}@x.cn", password_hash="", created_at=clock.at, updated_at=clock.at
            )
            session.add(person)
            session.flush()
            session.add(
                MembershipRow(
                    person_id=person.id, organisation_id=organisation.id, role=role, created_at=clock.at
                )
            )
            session.add(
                SignInSession(
                    person_id=person.id,
                    secret_hash=digest(name),
                    created_at=clock.at,
                    seen_at=clock.at,
                    expires_at=clock.at + dt.timedelta(days=999),
                )
            )
    parts = wiring.build(settings, clock=clock, db=database)
    yield parts
    parts.index.close()


class As:
    """A browser of somebody; `as_("")` is a visitor."""

    def __init__(self, parts: wiring.Parts) -> None:
        self.app = create_app(parts)

    def __call__(self, who: str = "", language: str = "en") -> TestClient:
        client = TestClient(self.app, headers={"accept-language": language}, follow_redirects=False)
        if who:
            client.cookies.set("market_session", who)
        return client


@pytest.fixture
def as_(parts: wiring.Parts) -> As:
    return As(parts)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)


def told(page: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(r'field__error-line">(.*?)</span>', page)]


def stored(parts: wiring.Parts, row_id: int = 1) -> Result:
    with parts.db.read() as session:
        row = session.get(Result, row_id)
        assert row is not None
        session.expunge(row)
        return row


class TestForm:
    def test_everything_typed_is_stored(self, as_: As, parts: wiring.Parts) -> None:
        answer = as_("officer").post("/results", data={**FORM, "do": "publish"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/results/1")
        row = stored(parts)
        assert row.state == "published"
        assert row.keywords == ["泵", "节能", "叶轮"]
        assert row.inventors == ["王一", "李二"]
        assert (row.price_low_fen, row.price_high_fen) == (35_500_000, 80_000_000)
        page = as_("officer").get("/results/1").text
        assert "ZL 200710308494.X" in page
        assert "86.5 %" in page

    @pytest.mark.parametrize(("language", "sentence"), [("zh", "X"), ("en", "X")])
    def test_a_wrong_check_digit_is_told_at_its_field(self, as_: As, language: str, sentence: str) -> None:
        answer = as_("officer", language).post("/results", data={**FORM, "ip.0.number": "200710308494.1"})
        assert answer.status_code == 422
        (problem,) = told(answer.text)
        assert sentence in problem
        assert 'id="f-ip.0.number-error"' in answer.text
        assert 'value="200710308494.1"' in answer.text
        assert 'value="35.5"' in answer.text

    def test_what_is_missing_to_publish_is_told_and_nothing_lost(self, as_: As) -> None:
        answer = as_("officer").post("/results", data={**FORM, "abstract": "", "trl": "", "do": "publish"})
        assert answer.status_code == 422
        assert 'id="f-abstract-error"' in answer.text
        assert 'id="f-trl-error"' in answer.text
        assert as_("officer").get("/results/1").status_code == 404

    def test_a_row_is_added_without_scripts(self, as_: As) -> None:
        officer = as_("officer")
        page = officer.post("/results", data={**FORM, "claims.2.statement": "", "add_row": "claims"}).text
        assert 'name="claims.0.statement" type="text" value="效率"' in page
        assert 'name="claims.2.statement"' in page
        assert officer.get("/results/1").status_code == 404

    def test_strange_names_of_fields_do_no_harm(self, as_: As) -> None:
        strange = {"claims.²": "x", "claims.9999999999.statement": "x", "ip.x.y": "x", "organisation_id": "²"}
        assert as_("officer").post("/results", data={**FORM, **strange}).status_code == 422

    def test_somebody_else_saved_first(self, as_: As, parts: wiring.Parts) -> None:
        officer = as_("officer")
        officer.post("/results", data=FORM)
        changed = {**FORM, "version": "1", "trl": "7"}
        assert officer.post("/results/1/edit", data=changed).status_code == 303
        again = officer.post("/results/1/edit", data={**changed, "trl": "8"})
        assert again.status_code == 409
        assert 'name="version" value="2"' in again.text
        assert stored(parts).trl == 7
        history = officer.get("/results/1/history").text
        assert "<del>6</del>" in history
        assert "<ins>7</ins>" in history

    def test_rights(self, as_: As) -> None:
        assert as_().get("/results/new").headers["location"] == "/sign-in?next=/results/new"
        assert as_("owner").get("/results/new").status_code == 403
        as_("officer").post("/results", data=FORM)
        for path in ("", "/edit", "/history", "/withdraw"):
            assert as_("owner").get(f"/results/1{path}").status_code == 404
        assert as_("owner").post("/results/1/edit", data=FORM).status_code == 404

    @pytest.mark.parametrize(
        ("fen", "text"), [(0, "0"), (1, "0.000001"), (35_500_000, "35.5"), (10**8, "100")]
    )
    def test_amounts_in_ten_thousands(self, fen: int, text: str) -> None:
        assert listing_forms.wan_text(fen) == text


class TestSteps:
    def test_withdraw_reconfirm_conclude(self, as_: As, parts: wiring.Parts, clock: FixedClock) -> None:
        officer = as_("officer")
        officer.post("/results", data={**FORM, "do": "publish"})
        assert as_().get("/results/1").status_code == 200
        assert officer.post("/results/1/withdraw", data={"reason": ""}).status_code == 422
        assert officer.post("/results/1/withdraw", data={"reason": "更新"}).status_code == 303
        assert as_().get("/results/1").status_code == 404
        assert "更新" in officer.get("/results/1").text
        clock.advance(days=3)
        back = officer.post("/results/1/reconfirm", data={"back": "/my/listings?kind=result"})
        assert back.headers["location"] == "/my/listings?kind=result"
        elsewhere = officer.post("/results/1/reconfirm", data={"back": "//evil.example"})
        assert elsewhere.headers["location"] == "/results/1"
        assert stored(parts).valid_until == dt.date(2026, 9, 1)
        assert officer.post("/results/1/conclude", data={}).status_code == 303
        assert officer.post("/results/1/publish").status_code == 409

    def test_an_incomplete_draft_shows_what_is_missing(self, as_: As) -> None:
        officer = as_("officer")
        officer.post("/results", data={"organisation_id": "1", "title": "t", "industry_code": "pumps"})
        answer = officer.post("/results/1/publish")
        assert answer.status_code == 422
        assert 'id="f-abstract-error"' in answer.text

    def test_my_listings(self, as_: As, clock: FixedClock) -> None:
        officer = as_("officer")
        officer.post("/results", data={**FORM, "do": "publish"})
        officer.post(
            "/results", data={**FORM, "title": "先到期", "valid_until": "2026-03-10", "do": "publish"}
        )
        page = officer.get("/my/listings").text
        assert page.index("先到期") < page.index("高效节能潜水泵")
        assert "8 days left" in page
        assert "先到期" not in officer.get("/my/listings?state=draft").text
        assert "先到期" not in officer.get("/my/listings", params={"q": "高效"}).text
        assert "高效" not in as_("owner").get("/my/listings").text
        assert as_().get("/my/listings").status_code == 303


class TestPublicPages:
    def test_contact_is_not_in_the_page(self, as_: As) -> None:
        as_("officer").post("/results", data={**FORM, "do": "publish"})
        assert "0576-86000000" in as_("officer").get("/results/1").text
        for who in ("", "owner"):
            page = as_(who).get("/results/1").text
            assert "0576-86000000" not in page
            assert "/enquiries/new?result=1" in page

    @pytest.mark.parametrize("language", ["zh", "en"])
    @pytest.mark.parametrize(
        "path",
        [
            "/results",
            "/results?industry=pumps&trl=4-6&price=10-50&mode=licence&owner=university&state=concluded",
            "/results?industry=%00&trl=x-y&price=99999999999&mode=x&owner=x&organisation=99999999999999999999",
            "/demands",
            "/results/1",
        ],
    )
    def test_both_languages(self, as_: As, language: str, path: str) -> None:
        as_("officer").post("/results", data={**FORM, "do": "publish"})
        assert as_("", language).get(path).status_code == 200

    def test_few_statements(self, as_: As, database: Database) -> None:
        officer = as_("officer")
        for number in range(6):
            officer.post("/results", data={**FORM, "title": f"泵 {number}", "do": "publish"})
        visitor = as_()
        with statements(database) as seen:
            visitor.get("/results")
        assert len(seen) <= 4
        with statements(database) as seen:
            visitor.get("/results/1")
        assert len(seen) <= 10, "partners are looked for, with what was learned and judged"
        with statements(database) as seen:
            visitor.get("/results/1")
        assert len(seen) <= 5, "partners are kept"
        with statements(database) as seen:
            officer.get("/my/listings")
        assert len(seen) <= 6


class TestAttachments:
    def upload(self, client: TestClient, name: str, content: bytes, **more: str) -> Any:
        files = {"file": (name, content, "application/octet-stream")}
        return client.post("/results/1/attachments", files=files, data={"visibility": "public", **more})

    def test_opened_in_place_with_its_chinese_name(self, as_: As) -> None:
        officer = as_("officer")
        officer.post("/results", data={**FORM, "do": "publish"})
        answer = self.upload(officer, "../../检测 报告.pdf", PDF)
        assert answer.headers["location"] == "/results/1/edit#attachments"
        file = as_().get("/attachments/1")
        assert file.content == PDF
        assert file.headers["content-type"] == "application/pdf"
        assert file.headers["x-content-type-options"] == "nosniff"
        assert file.headers["content-disposition"] == (
            "inline; filename=\"__ __.pdf\"; filename*=UTF-8''%E6%A3%80%E6%B5%8B%20%E6%8A%A5%E5%91%8A.pdf"
        )
        officer.post("/attachments/1/remove")
        assert officer.get("/attachments/1").status_code == 404

    def test_refusals_are_told_in_the_form(self, as_: As) -> None:
        officer = as_("officer")
        officer.post("/results", data=FORM)
        for name, content, status in (
            ("报告.pdf", b"MZ\x90\x00 a renamed program", 415),
            ("a.png", PDF, 415),
            ("a.pdf", PDF + bytes(2**20), 413),
            ("a.pdf", b"", 422),
        ):
            answer = self.upload(officer, name, content)
            assert answer.status_code == status
            assert len(told(answer.text)) == 1

    def test_unknown_to_those_who_may_not_know(self, as_: As) -> None:
        officer = as_("officer")
        officer.post("/results", data=FORM)
        self.upload(officer, "a.pdf", PDF)
        assert officer.get("/attachments/1").status_code == 200
        for who in ("", "owner"):
            assert as_(who).get("/attachments/1").status_code == 404
            assert as_(who).post("/attachments/1/remove").status_code == 404
        officer.post("/results/1/publish")
        assert as_().get("/attachments/1").status_code == 200
        assert as_("owner").post("/attachments/1/remove").status_code == 403


class TestApi:
    def test_round_trip(self, as_: As) -> None:
        officer = as_("officer")
        claim = {"statement": "效率", "figure": "86 %", "comparator": "82 %", "source": "报告"}
        made = officer.post("/api/v1/results", json={**COMPLETE, "claims": [claim], "holder": "某院"})
        assert (made.status_code, made.headers["etag"]) == (201, '"1"')
        assert made.json()["claims"] == [{**claim, "grade": "sourced"}]
        where = made.headers["location"]
        assert as_().get(where).status_code == 404
        assert officer.post(f"{where}/publish").json()["state"] == "published"
        seen = as_().get(where)
        assert seen.headers["etag"] == '"2"'
        assert seen.json()["contact"] is None
        assert seen.json()["holder"] == "某院"
        assert officer.get(where).json()["contact"]["name"] == "王"
        listed = as_().get("/api/v1/results", params={"trl_min": 5, "mode": "licence"}).json()
        assert (listed["total"], listed["items"][0]["title"]) == (1, "成果")

    def test_edits_name_the_version_they_replace(self, as_: As) -> None:
        officer = as_("officer")
        where = officer.post("/api/v1/results", json=NEW).headers["location"]
        content = {"title": "改名", "industry_code": "pumps"}
        assert officer.put(where, json=content).status_code == 428
        stale = officer.put(where, json=content, headers={"if-match": '"9"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
        done = officer.put(where, json=content, headers={"if-match": '"1"'})
        assert (done.status_code, done.headers["etag"]) == (200, '"2"')
        history = officer.get(f"{where}/history").json()
        assert history["revisions"][0]["changes"] == [{"field": "title", "before": "成果", "after": "改名"}]
        assert as_("owner").get(f"{where}/history").status_code == 404

    @pytest.mark.parametrize(
        ("changes", "field", "code"),
        [
            ({"title": ""}, "title", "string_too_short"),
            ({"title": "a\x00b"}, "title", "control_character"),
            ({"trl": 10}, "trl", "less_than_equal"),
            (
                {"ip": [{"kind": "invention", "number": "200710308494.1"}]},
                "ip.0.number",
                "patent_number_check_digit",
            ),
            ({"price_low_fen": 2, "price_high_fen": 1}, "price_high_fen", "range_order"),
            ({"ipc": ["F04"]}, "ipc.0", "ipc_format"),
            ({"grade": "sourced"}, "grade", "extra_forbidden"),
            ({"organisation_id": 2**63}, "organisation_id", "less_than_equal"),
            ({"industry_code": "none"}, "industry_code", "unknown_industry"),
        ],
    )
    def test_refusals_name_the_field(self, as_: As, changes: dict[str, Any], field: str, code: str) -> None:
        answer = as_("officer").post("/api/v1/results", json={**NEW, **changes})
        assert answer.status_code == 422
        assert [(item["field"], item["code"]) for item in answer.json()["errors"]] == [(field, code)]

    def test_files(self, as_: As) -> None:
        officer = as_("officer")
        where = officer.post("/api/v1/results", json=COMPLETE).headers["location"]
        made = officer.post(f"{where}/attachments", files={"file": ("报告.pdf", PDF)})
        assert made.status_code == 201
        href = made.json()["href"]
        assert officer.get(href).content == PDF
        assert as_().get(href).status_code == 404
        refused = officer.post(f"{where}/attachments", files={"file": ("a.exe", b"MZ")})
        assert (refused.status_code, refused.json()["code"]) == (415, "file_type_refused")
        large = officer.post(f"{where}/attachments", files={"file": ("a.pdf", PDF + bytes(2**20))})
        assert large.status_code == 413
        one = href.removesuffix("/content")
        assert officer.delete(one).status_code == 204
        assert officer.get(one).status_code == 404


def test_filters_keep_the_rest_of_the_address() -> None:
    from starlette.requests import Request

    request = Request(
        {"type": "http", "path": "/results", "query_string": b"trl=4-6&price=10-50", "headers": []}
    )
    assert changed_url(request, trl=None) == "/results?price=10-50"
