"""The register as open data: page, feed, download, made by the worker from what the register leaves."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.db import t
from market.deals import service as deals
from market.deals.inputs import ContractInput
from market.deals.recording import NEWS
from market.permissions import COMMAND_LINE
from market.work import WorkItem, run_one
from web import open_data_work, wiring
from web.worker import housekeeping


def registered(parts: wiring.Parts, count: int, *, worked: bool = True) -> None:
    now = parts.clock.now()
    day = now.date() - dt.timedelta(days=20)
    with parts.db.write() as session:
        for number in range(count):
            data = ContractInput.model_validate(
                {
                    "title": f"第{number}项专利", "kind": "assignment", "subkind": "patent",
                    "seller_name": "某大学本部", "seller_region": "330106", "buyer_name": "王小明",
                    "buyer_region": "331081", "deal_fen": 100, "technical_field": "electronics",
                    "signed_on": day.isoformat(),
                }
            )  # fmt: skip
            deals.enter_registered(session, COMMAND_LINE, now, data, registered_on=day)
    if worked:
        work(parts)


def work(parts: wiring.Parts) -> None:
    while run_one(parts.db, open_data_work.handlers(parts), parts.clock.now):
        pass


def test_the_first_round_publishes_what_left_no_work_and_comes_once(
    client: TestClient, parts: wiring.Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_data_work, "CHUNK", 2)
    monkeypatch.setattr(open_data_work, "CHUNKS", 2)
    registered(parts, 9, worked=False)
    w = t(WorkItem)
    with parts.db.write() as session:
        session.execute(sa.delete(w).where(w.c.kind == NEWS))

    def published() -> int:
        return len(client.get("/open-data/releases").json()["releases"])

    work(parts)
    assert published() == 0
    for _ in range(2):
        housekeeping(parts)
        work(parts)
        assert published() == 9
    with parts.db.read() as session:
        rounds = session.execute(sa.select(w.c.payload, w.c.state).where(w.c.kind == open_data_work.ROUND))
        assert [row.state for row in rounds] == ["done"] * 3


def test_a_reader_follows_the_feed_to_its_end(client: TestClient, parts: wiring.Parts) -> None:
    registered(parts, 103)
    seen, address = [], "/open-data/releases"
    while True:
        package = client.get(address).json()
        if not package["releases"]:
            break
        seen += package["releases"]
        address = package["links"]["next"].removeprefix(parts.settings.base_url.rstrip("/"))
    assert len(seen) == len({one["id"] for one in seen}) == 103
    assert seen[0]["tender"]["title"] == "转让/许可:第0项专利"
    assert "王小明" not in json.dumps(seen, ensure_ascii=False)
    assert client.get(address).json()["links"]["next"].endswith("after=103")
    answer = client.get("/open-data/releases.jsonl")
    assert [json.loads(line) for line in answer.text.splitlines()] == seen


def test_the_page_and_the_extension_are_there_for_everybody(client: TestClient, parts: wiring.Parts) -> None:
    registered(parts, 1)
    page = client.get("/open-data")
    assert page.status_code == 200
    assert "1 releases about 1 contracts" in page.text
    assert "ocds-000000" in page.text
    package = client.get("/open-data/releases").json()
    (extension,) = package["extensions"]
    described = client.get(extension.removeprefix(parts.settings.base_url.rstrip("/"))).json()
    assert described["schemas"] == ["release-schema.json"]
    schema = client.get("/static/ocds/release-schema.json").json()
    told = package["releases"][0]["contracts"][0]["technologyContract"]
    assert set(told) <= set(schema["definitions"]["TechnologyContract"]["properties"])


def test_a_number_that_is_none_is_refused(client: TestClient) -> None:
    for after in ("-1", "x", "9" * 30):
        assert client.get(f"/open-data/releases?after={after}").status_code in (400, 404, 422)
    assert client.get("/open-data/releases?after=5").json()["releases"] == []
