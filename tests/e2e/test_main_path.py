"""The whole way on real input: import, search, partners, a live auction, contract, figure.

The input is not part of the project (its licences do not allow it): `MARKET_TEST_DATA` names a folder
with `patents.jsonl` (id, title, assignee, abstract) and `bdci_demands.jsonl` (id, title, text). The market
is served as in production, by its own command, and spoken to over HTTP and websockets only; people and
the lot are prepared with the services.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import json
import os
import random
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from websockets.asyncio.client import connect

from auctions import receipts
from auctions.verify import verify_lines
from market.clock import SystemClock
from market.db import Database, t
from market.listings.models import ListingState, Result
from market.permissions import Role
from tests import factories
from tests.conftest import DIALECTS, HOW_POSTGRES, _postgres_command, missing
from tests.e2e.conftest import Served, run_market

BIDDERS = 24
MAPPINGS: dict[str, dict[str, Any]] = {
    "results": {
        "source": "patents",
        "fields": {
            "source_id": "id",
            "title": {"column": "title", "cut": 200},
            "abstract": {"column": "abstract", "cut": 10_000},
            "holder": {"column": "assignee", "cut": 300},
            "ips": {"parts": {"kind": {"constant": "invention"}, "title": {"column": "title", "cut": 300}}},
            "industry": {"constant": "other"},
            "pricing_mode": {"constant": "auction"},
        },
    },
    "demands": {
        "source": "demands",
        "fields": {
            "source_id": "id",
            "title": {"column": "title", "cut": 200},
            "difficulty": {"column": "text", "fallback": "title", "cut": 10_000},
            "industry": {"constant": "other"},
        },
    },
}


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


@pytest.fixture(scope="module")
def data() -> Path:
    named = os.environ.get("MARKET_TEST_DATA", "")
    folder = Path(named)
    if not named or not (folder / "patents.jsonl").exists() or not (folder / "bdci_demands.jsonl").exists():
        missing("real input", "MARKET_TEST_DATA names a folder with patents.jsonl and bdci_demands.jsonl")
    return folder


@pytest.fixture(params=DIALECTS)
def address(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The setting that chooses the database."""
    if request.param == "sqlite":
        yield {}
        return
    url = request.getfixturevalue("postgres_url")
    if url is None:
        missing("PostgreSQL", HOW_POSTGRES)
    name = f"market_path_{os.getpid()}"
    _postgres_command(url, f'CREATE DATABASE "{name}"')
    # The server is stopped before this ends: `serve` is asked for later, so it is torn down earlier.
    yield {"MARKET_DATABASE_URL": make_url(url).set(database=name).render_as_string(hide_password=False)}
    _postgres_command(url, f'DROP DATABASE "{name}" WITH (FORCE)')


@dataclass
class Prepared:
    """People and their tokens, made before the market is served."""

    people: dict[Role, factories.Account]
    bidders: list[factories.Account]


@dataclass
class Caller:
    """Speaks to the served market over HTTP."""

    url: str

    def get(self, path: str, token: str = "") -> tuple[Any, dict[str, str]]:
        return self.send("GET", path, token)

    def json(self, path: str, token: str = "") -> Any:
        return self.get(path, token)[0]

    def send(
        self, method: str, path: str, token: str = "", body: Any = None, **headers: str
    ) -> tuple[Any, dict[str, str]]:
        """The body, parsed when it is JSON, and the headers. An error's body is shown."""
        request = urllib.request.Request(self.url + path, method=method, headers={"Accept-Language": "en"})
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                content, found = answer.read(), {k.lower(): v for k, v in answer.headers.items()}
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        if found["content-type"].split(";")[0] == "application/json":
            return json.loads(content), found
        return content.decode(), found

    def until(self, ask: Callable[[], Any], what: str) -> Any:
        """Ask until there is an answer."""
        for _ in range(600):
            found = ask()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"waited in vain: {what}")


def prepare(variables: dict[str, str], data: Path, folder: Path) -> Prepared:
    """People and organisations by the factory, patents and demands by the import command."""
    database = open_database(variables)
    now = SystemClock().now()
    with database.write() as session:
        (university,) = factories.organisations(session, now, "university", 1, 1_000)
        firms = factories.organisations(session, now, "firm", BIDDERS, 5_000)
        (agency,) = factories.organisations(session, now, "service_agency", 1, 9_000)
        people = factories.accounts(session, now, university, firms[0], agency)
        bidders = [
            factories.account(session, now, firm, Role.BIDDER, number) for number, firm in enumerate(firms, 1)
        ]
    database.dispose()
    owners = {"results": factories.credit_code(1_000), "demands": factories.credit_code(5_000)}
    for kind, file in (("results", "patents.jsonl"), ("demands", "bdci_demands.jsonl")):
        mapping = folder / f"{kind}.json"
        mapping.write_text(json.dumps(MAPPINGS[kind]), encoding="utf-8")
        told = run_market(
            variables, "import", kind, str(data / file), "--mapping", str(mapping),
            "--set", f"organisation={owners[kind]}", "--publish",
        )  # fmt: skip
        assert str(len(rows(data / file))) in told.stdout
    return Prepared(people, bidders)


def open_database(variables: dict[str, str]) -> Database:
    url = variables.get("MARKET_DATABASE_URL")
    return Database(url or f"sqlite:///{Path(variables['MARKET_DATA_DIR']) / 'market.db'}")


@pytest.mark.timeout(300)
def test_from_import_to_figure(
    data: Path, address: dict[str, str], serve: Callable[..., Served], tmp_path: Path
) -> None:
    prepared: list[Prepared] = []

    def make(variables: dict[str, str]) -> None:
        prepared.append(prepare(variables, data, tmp_path))

    served = serve(make, **address)
    people, bidders = prepared[0].people, prepared[0].bidders
    caller = Caller(served.url)
    patents, wanted = rows(data / "patents.jsonl"), rows(data / "bdci_demands.jsonl")

    everything_is_found(caller, patents, wanted)
    demand_pages_show_partners(caller, wanted)
    lot_id, result_id = open_lot(served, people[Role.STAFF], bidders, patents)
    clients = asyncio.run(auction(served, lot_id, bidders))
    winner, hammer = outcome_holds(caller, lot_id, clients)
    buyer = bidders[winner - 1].organisation_id
    contract_moves_the_figure(caller, people[Role.OFFICIAL], lot_id, result_id, buyer, hammer)


def everything_is_found(caller: Caller, patents: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """The index comes to hold every row; a title finds its patent."""

    def built() -> bool:
        found = caller.json("/api/v1/search?per_page=1")
        return bool(found["complete"] and found["total"] == len(patents) + len(wanted))

    caller.until(built, "the index holds every imported row")
    chosen = random.Random(7).sample(patents, 40)
    hits = 0
    for patent in chosen:
        found = caller.json(f"/api/v1/search?kind=result&per_page=10&q={quote(patent['title'][:200])}")
        titles = [item["title"] for item in found["items"]]
        hits += patent["title"][:200].strip() in titles
    assert hits == len(chosen)


def demand_pages_show_partners(caller: Caller, wanted: list[dict[str, Any]]) -> None:
    """Twenty-five demand pages link to the partners that the API names, with their titles."""
    listed = caller.json("/api/v1/demands?per_page=25")
    assert listed["total"] == len(wanted)
    assert len(listed["items"]) >= 20
    for item in listed["items"]:
        partners = caller.json(f"/api/v1/demands/{item['id']}/partners")
        assert partners["complete"]
        assert partners["items"], item["title"]
        page, _ = caller.get(f"/demands/{item['id']}")
        links = set(re.findall(r'href="(/results/\d+)"', page))
        assert {partner["href"] for partner in partners["items"][:3]} <= links


def open_lot(
    served: Served, staff: factories.Account, bidders: list[factories.Account], patents: list[dict[str, Any]]
) -> tuple[int, int]:
    """A lot of an imported patent, all bidders admitted, that opens in a moment and closes by itself."""
    database = open_database(served.environment)
    now = SystemClock().now()
    with database.write() as session:
        r = t(Result).c
        result_id = session.scalar(
            sa.select(r.id).where(r.source_id == patents[0]["id"], r.state == ListingState.PUBLISHED.value)
        )
        assert result_id is not None
        opens = now + dt.timedelta(seconds=2)
        lot_id = factories.live_lot(
            session, now, staff.actor, result_id, bidders,
            start_fen=50_000_000, step_fen=500_000, opens_at=opens, ends_at=opens + dt.timedelta(seconds=5),
            window_s=2, extension_s=2, hard_end=opens + dt.timedelta(seconds=9),
        )  # fmt: skip
    database.dispose()
    return lot_id, result_id


@dataclass
class Client:
    """A bidder's program: sees the room, bids the least amount now and then, keeps every answer."""

    account: factories.Account
    number: int
    alias: int | None = None
    seq: int = 0
    head: str = ""
    view: dict[str, Any] = field(default_factory=dict)
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    closed: dict[str, Any] | None = None

    async def run(self, url: str) -> None:
        """Watch and bid until the lot is closed and every bid is answered."""
        chance = random.Random(self.number)
        headers = {"Authorization": f"Bearer {self.account.token}"}
        async with connect(url, additional_headers=headers, compression=None) as socket:
            await socket.send(json.dumps({"v": 1, "type": "hello"}))
            async with asyncio.timeout(90):
                while self.closed is None or len(self.receipts) + len(self.refusals) < len(self.sent):
                    try:
                        message = json.loads(await asyncio.wait_for(socket.recv(), chance.uniform(0.05, 0.3)))
                    except TimeoutError:
                        await self.bid(socket, chance)
                        continue
                    self.hear(message)

    async def bid(self, socket: Any, chance: random.Random) -> None:
        if (
            self.closed
            or self.view.get("state") not in ("live", "extending")
            or self.view["next_fen"] is None
        ):
            return
        if self.view["leader"] == self.alias and chance.random() < 0.9:
            return  # mostly; now and then it tries what the rules refuse
        id_ = f"client{self.number:02}-{len(self.sent):06}"
        self.sent[id_] = self.view["next_fen"] + self.view["step_fen"] * chance.choice((0, 0, 0, 1))
        frame = json.dumps({"v": 1, "type": "bid", "client_bid_id": id_, "amount_fen": self.sent[id_]})
        await socket.send(frame)
        if chance.random() < 0.1:
            await socket.send(frame)  # a nervous client: the same id must get the same answer

    def hear(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "snapshot":
            self.seq, self.head, self.view = message["seq"], message["hash"], message["state"]
        elif kind == "you":
            self.alias = message["alias"]
            assert message["can_bid"], message
        elif kind == "events":
            for event in message["events"]:
                self.hear(event)
        elif kind == "event":
            assert message["seq"] == self.seq + 1, "a silent gap"
            self.seq, self.head = message["seq"], message["hash"]
            self.view |= {"state": message["state"], "ends_at": message["ends_at"]}
            if message["kind"] == "bid_accepted":
                self.view |= {
                    "next_fen": message["next_fen"],
                    "step_fen": message["step_fen"],
                    "leader": message["data"]["alias"],
                    "price_fen": message["data"]["amount_fen"],
                }
            if message["kind"] == "closed":
                self.closed = message["data"]
        elif kind == "receipt":
            earlier = self.receipts.setdefault(message["client_bid_id"], message)
            assert earlier["receipt"] == message["receipt"], "the same id got two answers"
        elif kind == "refused":
            if message["client_bid_id"] not in {one["client_bid_id"] for one in self.refusals}:
                self.refusals.append(message)
        else:
            assert kind in ("heartbeat", "watchers", "pong"), message


async def auction(served: Served, lot_id: int, bidders: list[factories.Account]) -> list[Client]:
    url = f"{served.url.replace('http', 'ws', 1)}/ws/lots/{lot_id}"
    clients = [Client(account, number) for number, account in enumerate(bidders)]
    await asyncio.gather(*(client.run(url) for client in clients))
    return clients


def fold(lines: list[str]) -> dict[str, Any]:
    """The journal's outcome, found with nothing of the engine's but the format of the export."""
    first, *rest = (json.loads(line) for line in lines)
    terms = json.loads(first["terms"])
    head = hashlib.sha256(first["terms"].encode()).hexdigest()
    assert head == first["terms_hash"]
    price = leader = None
    bids, admitted, hashes, end, outcome = 0, set(), {}, terms["ends_at"], None
    for number, entry in enumerate(rest, 1):
        assert entry["seq"] == number
        assert entry["prev_hash"] == head
        head = hashlib.sha256(bytes.fromhex(head) + entry["body"].encode()).hexdigest()
        assert entry["hash"] == head
        hashes[number] = head
        body = json.loads(entry["body"])
        assert outcome is None, "something happened after the close"
        if body["kind"] == "bidder_admitted":
            admitted.add(body["alias"])
        elif body["kind"] == "bid_accepted":
            least = terms["start_fen"] if price is None else price + terms["steps"][0][1]
            assert body["amount_fen"] >= least
            assert (body["amount_fen"] - terms["start_fen"]) % terms["steps"][0][1] == 0
            assert body["alias"] in admitted
            assert body["alias"] != leader
            assert body["received_at"] < end
            price, leader, bids = body["amount_fen"], body["alias"], bids + 1
        elif body["kind"] == "closed":
            assert body["at"] > end
            outcome = body
        assert body["ends_at"] >= end or body["kind"] == "closed"
        end = max(end, body["ends_at"])
    assert outcome is not None
    return {
        "price": price, "leader": leader, "bids": bids, "hashes": hashes, "head": head, "outcome": outcome,
        "admitted": admitted, "terms": terms, "end": end,
    }  # fmt: skip


def outcome_holds(caller: Caller, lot_id: int, clients: list[Client]) -> tuple[int, int]:
    """The exported journal, folded twice, says what the market says and what every bidder was told."""
    exported, _ = caller.get(f"/lots/{lot_id}/journal.jsonl")
    lines = exported.splitlines()
    found = fold(lines)
    contents = [
        json.loads(receipt["receipt"]["content"])
        for client in clients
        for receipt in client.receipts.values()
    ]
    report = verify_lines(lines, contents)
    assert report.violations == []

    assert len(found["admitted"]) == BIDDERS
    assert found["bids"] >= BIDDERS, "hardly anybody bid: this proves nothing"
    assert found["outcome"]["reason"] == "sold"
    assert (found["outcome"]["winner"], found["outcome"]["hammer_fen"]) == (found["leader"], found["price"])
    assert (report.winner, report.hammer_fen) == (found["leader"], found["price"])
    assert found["outcome"]["at"] > found["end"], "closed by time, and not before it"

    shown = caller.json(f"/api/v1/lots/{lot_id}")
    assert shown["hash"] == found["head"]
    assert shown["seq"] == len(found["hashes"])
    state = shown["state"]
    assert (state["state"], state["price_fen"], state["leader"]) == ("sold", found["price"], found["leader"])
    assert (state["outcome"]["winner"], state["outcome"]["hammer_fen"]) == (found["leader"], found["price"])
    assert state["bid_count"] == found["bids"]

    page, _ = caller.get(f"/lots/{lot_id}/journal")
    keys = set(re.findall(r"[A-Za-z0-9+/]{43}=", page))
    accepted = 0
    for client in clients:
        assert (client.head, client.seq) == (found["head"], len(found["hashes"]))
        assert client.closed is not None
        assert client.closed["winner"] == found["leader"]
        for receipt in client.receipts.values():
            assert found["hashes"][receipt["seq"]] == receipt["hash"]
            assert any(receipts.verify(receipt["receipt"], base64.b64decode(key)) for key in keys)
            accepted += 1
        for refusal in client.refusals:
            assert refusal["code"] in {"bid_too_low", "leader_cannot_raise", "bid_after_end", "lot_ended"}
    assert accepted == found["bids"], "every accepted bid has its receipt, and no other"
    return found["leader"], found["price"]


def contract_moves_the_figure(
    caller: Caller, official: factories.Account, lot_id: int, result_id: int, buyer: int, hammer: int
) -> None:
    """The won lot becomes a draft; registered by an official, it moves the share by exactly its amount."""
    token = official.token

    def drafted() -> Any:
        items = caller.json("/api/v1/contracts?state=draft", token)["items"]
        return next((item for item in items if item["deal_fen"] == hammer), None)

    draft = caller.until(drafted, "the contract draft of the lot")
    path = f"/api/v1/contracts/{draft['id']}"
    contract, headers = caller.get(path, token)
    assert (contract["source"], contract["source_lot_id"], contract["buyer_id"]) == ("lot", lot_id, buyer)
    assert contract["result_id"] == result_id

    today = (
        dt.datetime.fromisoformat(contract["created_at"])
        .astimezone(dt.timezone(dt.timedelta(hours=8)))
        .date()
    )
    figure = f"/api/v1/statistics/gdp-share?year={today.year}"
    before, public = caller.json(figure, token), caller.json(figure)
    complete = {
        "title": contract["title"], "kind": "assignment", "subkind": "patent",
        "seller_id": contract["seller_id"], "buyer_id": contract["buyer_id"], "deal_fen": hammer,
        "technical_field": "advanced_manufacturing", "industry_code": "other", "signed_on": today.isoformat(),
    }  # fmt: skip
    _, headers = caller.send("PUT", path, token, complete, If_Match=headers["etag"])
    for step in (
        {"step": "submit"},
        {"step": "accept"},
        {"step": "register", "registration_number": "2026331081000001"},
    ):
        assert caller.json(figure, token)["numerator_fen"] == before["numerator_fen"]
        contract, headers = caller.send("POST", f"{path}/steps", token, step, If_Match=headers["etag"])
    assert contract["state"] == "registered"
    after = caller.json(figure, token)
    assert caller.json(figure)["numerator_fen"] == public["numerator_fen"], (
        "one contract is told to nobody else"
    )
    assert after["numerator_fen"] - before["numerator_fen"] == hammer
    assert after["contract_count"] == before["contract_count"] + 1
    inside = caller.json(after["contracts"], token)["items"]
    assert [item["counted_fen"] for item in inside if item["id"] == contract["id"]] == [hammer]
