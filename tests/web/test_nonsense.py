"""Forms filled with nonsense: an answer that says so, never a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.permissions import Role
from matching.indexer import reindex
from tests import factories
from tests.conftest import NOW, make_database
from web import wiring
from web.app import create_app
from web.deps import COOKIE
from web.mail import MemoryMailer
from web.settings import Environment, Settings, WorkerMode

LONG = "9" * 5000
"""More digits than Python turns into a number."""
SUPERSCRIPT = "²"
"""A digit by Unicode that is no decimal digit."""


@pytest.fixture(scope="module")
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A small market with a running writer: (application, accounts by role)."""
    folder: Path = tmp_path_factory.mktemp("nonsense")
    for database in make_database("sqlite", request, folder):
        settings = Settings(
            environment=Environment.TEST,
            data_dir=folder / "data",
            database_url=database.url.render_as_string(hide_password=False),
            base_url="http://testserver",
            worker=WorkerMode.SEPARATE,
        )
        parts = wiring.build(
            settings, clock=FixedClock(NOW), monotonic=None, db=database, mailer=MemoryMailer()
        )
        filled = factories.fill(database, NOW, results_=4, demands_=2, lots_=3, bids=2)
        assert parts.index.acquire()
        reindex(database, parts.index)
        parts.writer.start()
        yield create_app(parts), filled
        parts.writer.stop()
        parts.index.close()


def client_of(market: Any, role: Role) -> TestClient:
    app, filled = market
    client = TestClient(app, follow_redirects=False)
    client.cookies.set(COOKIE, filled.accounts[role].cookie)
    return client


@pytest.mark.parametrize(
    ("role", "path", "data"),
    [
        *(
            (Role.BIDDER, "/lots/{lot}/admission", {"accept": "1", "organisation_id": value})
            for value in ("wan", LONG, SUPERSCRIPT, "-1", "9" * 30)
        ),
        *(
            (Role.BIDDER, "/lots/{lot}/bids", {"amount": value})
            for value in ("9" * 18, "99999999999亿", SUPERSCRIPT, "-5", "0")
        ),
        (Role.BIDDER, "/lots/{lot}/bids", {"amount_fen": LONG, "confirmed": "1"}),
        (Role.BIDDER, "/lots/{lot}/bids", {"amount_fen": "9" * 25, "confirmed": "1"}),
        (
            Role.BIDDER,
            "/lots/{lot}/bids",
            {"amount_fen": "100000", "confirmed": "1", "client_bid_id": "x\x00"},
        ),
        *(
            (Role.STAFF, "/lots/{lot}/edit", {"version": value, "title": "x", "terms.step_fen": "100"})
            for value in (SUPERSCRIPT, LONG)
        ),
        (Role.STAFF, "/lots/new", {"result_id": "1", "terms.opens_at": "0001-01-01"}),
        (Role.STAFF, "/lots/new", {"result_id": LONG, "terms.opens_at": "9999-12-31T23:59"}),
        *(
            (Role.RESULTS_OFFICER, "/contracts", {"seller_id": value, "buyer_id": value})
            for value in (SUPERSCRIPT, LONG, "9" * 40)
        ),
        (Role.RESULTS_OFFICER, "/results", {".".join("a" * 3000): "x"}),
        (Role.BIDDER, "/account/searches", {"name": "x\x00", "query": "q=a"}),
        (Role.BIDDER, "/account/searches", {"name": "x", "query": "a" * 6001}),
        *((Role.BIDDER, f"/account/searches/{value}", {"name": "x"}) for value in (SUPERSCRIPT, LONG, "0")),
        (Role.STAFF, "/admin/synonyms", {"words": "\x00\n\ufffe"}),
        (Role.STAFF, "/admin/synonyms", {"words": "\n".join(map(str, range(50)))}),
        (Role.STAFF, f"/admin/synonyms/{LONG}", {"words": "a\nb"}),
        (Role.RESULTS_OFFICER, "/results", {"title": "x", "title.y": "z", "claims": "1", "claims.0": "2"}),
    ],
)
def test_nonsense_is_refused(market: Any, role: Role, path: str, data: dict[str, str]) -> None:
    answer = client_of(market, role).post(path.format(lot=market[1].lots[0]), data=data)
    assert 400 <= answer.status_code < 500, answer.text[:500]


def test_only_a_sound_bid_id_is_kept(market: Any) -> None:
    client = client_of(market, Role.BIDDER)
    path = f"/lots/{market[1].lots[0]}/bids"
    sound = "0123456789abcdef0123"
    page = client.post(path, data={"amount": "90000000", "client_bid_id": sound})
    assert page.status_code == 200
    assert sound in page.text
    page = client.post(path, data={"amount": "90000000", "client_bid_id": "z" * 9000})
    assert page.status_code == 200
    assert "zzzz" not in page.text


def test_no_contract_comes_before_an_agreement(market: Any) -> None:
    client = client_of(market, Role.RESULTS_OFFICER)
    answer = client.post(f"/enquiries/{market[1].enquiries[0]}/contract")
    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/search", "/search/feed.atom", "/search/suggestions"])
@pytest.mark.parametrize(
    "query",
    [
        {"q": "\x00\ud800"},
        {"q": '"' * 400 + "-" * 90},
        {"q": '-"a b" title: 单位:"x 「 -'},
        {"q": "*:* AND [a TO z] ~2 ^9 \\ ((("},
        {"q": "𠮷" * 500, "year": SUPERSCRIPT},
        {"year": LONG, "price": f"{LONG}-", "region": LONG, "page": LONG, "trl": "0-99"},
        {"year": "1000", "region": "outside", "price": "-0", "sort": "moon", "kind": "moon"},
        {"region": "99", "industry": "x" * 9000, "mode": "\x00", "owner": "\ud800"},
    ],
)
def test_an_address_without_meaning_is_answered(market: Any, path: str, query: dict[str, str]) -> None:
    app, _ = market
    client = TestClient(app, follow_redirects=False)
    encoded = urlencode(query, errors="surrogatepass")
    assert client.get(f"{path}?{encoded}").status_code == 200
    assert client.get(f"{path}?{encoded}&{encoded}&page=2").status_code == 200
