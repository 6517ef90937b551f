"""Judging proposed partners on the page, people who have worked on something, and both commands of learning."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from typer.testing import CliRunner

from market.db import t
from market.parties.models import Organisation
from market.permissions import Actor, Role
from matching import adopted, weights
from matching.indexer import reindex
from matching.models import Embedding, Judgment, MatchWeights
from matching.scoring import Part, Reason, ReasonCode
from tests import factories
from tests.conftest import NOW
from tests.factories import Market
from web import cli, cli_matching, i18n, semantic, wiring
from web.matches import sentence, told
from web.settings import Settings

SignIn = Callable[[TestClient, Actor], TestClient]


@pytest.fixture
def market(parts: wiring.Parts) -> Market:
    made = factories.fill(parts.db, NOW, results_=30, demands_=6, lots_=0)
    assert parts.index.acquire()
    reindex(parts.db, parts.index)
    return made


@pytest.fixture
def own_demand(parts: wiring.Parts, market: Market) -> int:
    """A demand of the firm that the account with that role posts for."""
    from market.demands.models import Demand

    firm = market.accounts[Role.DEMAND_OWNER].actor.memberships[0].organisation_id
    with parts.db.write() as session:
        session.execute(
            sa.update(t(Demand)).where(t(Demand).c.id == market.demands[0]).values(organisation_id=firm)
        )
    return market.demands[0]


def shown(client: TestClient, path: str) -> tuple[list[int], list[int]]:
    """The partners on a page, and those put aside."""
    html = client.get(path).text
    partners, _, aside = html.partition("Marked as not relevant: ")

    def ids(piece: str) -> list[int]:
        return [int(found) for found in re.findall(r'id="pair-(\d+)"', piece)]

    return ids(partners), ids(aside)


def judge(client: TestClient, demand: int | str, result: int | str, word: str) -> int:
    data = {
        "demand_id": str(demand),
        "result_id": str(result),
        "word": word,
        "back": f"/demands/{demand}#partners",
    }
    answer = client.post("/matches/judge", data=data, headers={"origin": "http://testserver"})
    if answer.status_code == 303:
        assert answer.headers["location"] == data["back"]
    return answer.status_code


def test_the_demands_side_judges_and_takes_back(
    parts: wiring.Parts, client: TestClient, sign_in: SignIn, market: Market, own_demand: int
) -> None:
    page = f"/demands/{own_demand}"
    assert 'name="word"' not in client.get(page).text, "a visitor judges nothing"
    sign_in(client, market.accounts[Role.DEMAND_OWNER].actor)
    before, aside = shown(client, page)
    assert len(before) > 2
    assert aside == []
    gone = before[0]
    assert judge(client, own_demand, gone, "unrelated") == 303
    after, aside = shown(client, page)
    assert gone not in after
    assert aside == [gone]
    assert "Take my word back" in client.get(page).text
    assert judge(client, own_demand, gone, "none") == 303
    assert shown(client, page) == (before, [])
    assert judge(client, own_demand, before[-1], "relevant") == 303
    assert shown(client, page)[0][0] == before[-1], "what was judged relevant comes first"


def test_what_speaks_against_a_pair_stands_apart(client: TestClient, market: Market) -> None:
    pages = [client.get(f"/demands/{one}").text for one in market.demands]
    against = re.compile(r"below the TRL|above the budget|turned each other down|Listed by the same")
    lists = [one for page in pages for one in re.findall(r'<ul class="card__why".*?</ul>', page, re.DOTALL)]
    lines = [line for page in pages for line in re.findall(r"Speaks against it: (.*?)</p>", page)]
    assert lists
    assert lines
    assert not any(against.search(one) for one in lists)
    assert all(against.search(line) for line in lines)


def test_a_visitor_sees_the_new_order_and_no_buttons(
    parts: wiring.Parts, client: TestClient, sign_in: SignIn, market: Market, own_demand: int
) -> None:
    page = f"/demands/{own_demand}"
    sign_in(client, market.accounts[Role.BROKER].actor)
    gone = shown(client, page)[0][0]
    title = re.search(rf'/results/{gone}"[^>]*>([^<]+)<', client.get(page).text)
    assert title is not None
    judge(client, own_demand, gone, "unrelated")
    client.cookies.clear()
    html = client.get(page).text
    assert "Marked as not relevant:" not in html
    assert f'href="/results/{gone}"' not in html.partition('id="partners"')[2].partition('id="experts"')[0]


def test_who_may_not_and_what_is_not_there(
    parts: wiring.Parts, client: TestClient, sign_in: SignIn, market: Market, own_demand: int
) -> None:
    result = market.results[0]
    data = {"demand_id": str(own_demand), "result_id": str(result), "word": "relevant"}
    answer = client.post("/matches/judge", data=data, headers={"origin": "http://testserver"})
    assert answer.headers["location"].startswith("/sign-in")
    assert client.get("/matches/judge").headers["location"] == "/demands"
    sign_in(client, market.accounts[Role.BIDDER].actor)
    assert judge(client, own_demand, result, "relevant") == 403
    sign_in(client, market.accounts[Role.BROKER].actor)
    for demand, other, word in (
        (own_demand, 999_999, "relevant"),
        (999_999, result, "relevant"),
        (own_demand, result, "perhaps"),
        (own_demand, "9" * 40, "relevant"),
        ("x", result, "relevant"),
    ):
        assert judge(client, demand, other, word) == 404
    with parts.db.read() as session:
        assert session.scalars(sa.select(t(Judgment).c.id)).all() == []


def test_a_results_page_is_judged_by_the_market(
    parts: wiring.Parts, client: TestClient, sign_in: SignIn, market: Market
) -> None:
    page = f"/results/{market.results[0]}"
    sign_in(client, market.accounts[Role.RESULTS_OFFICER].actor)
    assert 'name="word"' not in client.get(page).text
    sign_in(client, market.accounts[Role.BROKER].actor)
    demands = shown(client, page)[0]
    assert demands
    assert judge(client, demands[0], market.results[0], "unrelated") == 303
    assert shown(client, page)[1] == [demands[0]]


def test_the_weights_in_force_are_named(
    parts: wiring.Parts, client: TestClient, market: Market, own_demand: int
) -> None:
    from market.permissions import COMMAND_LINE

    page = f"/demands/{own_demand}"
    assert "weights that come with the program" in client.get(page).text
    with parts.db.write() as session:
        number = adopted.keep(session, COMMAND_LINE, NOW, weights.shipped(), {}, adopt=True)
    other = f"/demands/{market.demands[1]}"
    assert f"weights no. {number}" in client.get(other).text


def test_people_have_a_page(client: TestClient, parts: wiring.Parts, market: Market) -> None:
    from market.listings.models import Result

    with parts.db.write() as session:
        session.execute(
            sa.update(t(Result)).where(t(Result).c.id == market.results[3]).values(inventors=["欧阳泵"])
        )
        owner = session.scalar(
            sa.select(t(Organisation).c.name)
            .join(t(Result), t(Result).c.organisation_id == t(Organisation).c.id)
            .where(t(Result).c.id == market.results[3])
        )
    reindex(parts.db, parts.index)
    html = client.get("/experts", params={"q": "欧阳泵"}).text
    assert "欧阳泵" in html
    assert owner in html
    assert f'/results/{market.results[3]}"' in html
    assert "Nobody fits" in client.get("/experts", params={"q": "qwertzuiop"}).text
    for query in ("?q=%00", "?industry=nonsense&page=3", "?q=" + "泵" * 900, "?per_page=1"):
        assert client.get("/experts" + query).status_code == 200


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_has_a_sentence(code: ReasonCode, language: str) -> None:
    params = {
        "words": ("泵", "叶轮"), "industry": "pumps", "ipc": "F04", "has": 3, "wanted": 5, "modes": ("licence",),
        "price_low": 1, "price_high": 2, "budget_low": 1, "budget_high": 2, "days": 3, "times": 2, "hours": 5,
        "title": "泵",
    }  # fmt: skip
    told = sentence(Reason(Part.TEXT, code, 1.0, params), {}, language)
    assert told
    assert "%(" not in told
    assert f"reason.{code.value}" != told
    assert i18n.has_term(f"reason.{code.value}", language)


def test_what_names_nothing_is_not_told() -> None:
    reasons = [
        Reason(Part.TEXT, ReasonCode.SHARED_WORDS, 1.0, {"words": ("压铸模", "cavities")}),
        Reason(Part.TERMS, ReasonCode.SHARED_TERMS, 0.5, {"words": ("N/mm", "buoy")}),
        Reason(Part.TERMS, ReasonCode.SHARED_TERMS, 0.5, {"words": ("mg/m³", "EVA")}),
        Reason(Part.TRL, ReasonCode.NOT_READY, -0.5, {"has": 3, "wanted": 5}),
        Reason(Part.DEALINGS, ReasonCode.TURNED_DOWN, -0.5, {"times": 1}),
    ]
    why, against = told(reasons, {}, "zh-Hans")
    assert why == ["双方都提到：压铸模", "双方都写到的技术术语：EVA"]
    assert len(against) == 2
    assert len(told(reasons, {}, "en", inside=False)[1]) == 1
    assert told(reasons, {}, "en")[0][0] == "Both speak of: 压铸模, cavities"


class TestCommands:
    @pytest.fixture
    def run(self, parts: wiring.Parts, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
        monkeypatch.setattr(cli_matching, "parts", lambda: parts)

        def call(*arguments: str) -> tuple[int, str]:
            answer = CliRunner().invoke(cli.app, list(arguments))
            return answer.exit_code, " ".join(answer.output.split())

        return call

    def test_nothing_is_learned_of_nothing(
        self, run: Callable[..., tuple[int, str]], parts: wiring.Parts, market: Market
    ) -> None:
        code, _ = run("train")
        assert code == 0
        with parts.db.read() as session:
            assert session.scalars(sa.select(t(MatchWeights).c.id)).all() == []
        assert run("train", "--adopt", "perhaps")[0] == 2
        assert run("train", "--from", "/nowhere")[0] == 1
        assert run("train", "--shipped")[0] == 0

    def test_vectors_are_off_until_they_are_turned_on(
        self, run: Callable[..., tuple[int, str]], parts: wiring.Parts, market: Market, tmp_path: Path
    ) -> None:
        assert run("embed")[0] == 1
        assert semantic.meanings(parts.settings) is None
        file = tmp_path / "v.jsonl"
        with parts.db.read() as session:
            from market.listings.models import Result

            title = session.scalar(sa.select(t(Result).c.title).where(t(Result).c.id == market.results[0]))
        file.write_text(f'{{"text": "{title}", "vector": [1, 2]}}', encoding="utf-8")
        parts.settings = Settings(**{**parts.settings.model_dump(), "vectors": str(file)})
        assert semantic.meanings(parts.settings) is not None
        assert run("embed")[0] == 0
        with parts.db.read() as session:
            assert len(session.scalars(sa.select(t(Embedding).c.id)).all()) >= 1
        assert run("embed", "--anew")[0] == 0
        file.write_text("{}", encoding="utf-8")
        assert run("embed")[0] == 1
