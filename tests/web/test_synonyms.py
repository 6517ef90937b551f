"""Staff keep the synonyms of the search: checked, recorded, and told to the indexes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from starlette.testclient import TestClient

from market import audit
from market.clock import FixedClock
from market.db import t
from market.dirty import DirtyMark
from market.permissions import Actor, Role
from matching import synonym_groups, synonyms
from matching.indexer import drain, reindex
from matching.synonym_groups import GroupInput
from tests.market.parties import Parties
from tests.matching.rows import Rows
from web import wiring

SignIn = Callable[[TestClient, Actor], TestClient]


@pytest.fixture
def staff(parts: wiring.Parts, client: TestClient, sign_in: SignIn) -> Actor:
    with parts.db.write() as session:
        actor = Parties(session, parts.clock.now()).market(Role.STAFF)
    sign_in(client, actor)
    return actor


def add(client: TestClient, words: str, note: str = "") -> str:
    """A group made by the page; its address."""
    answer = client.post("/admin/synonyms", data={"words": words, "note": note})
    assert answer.status_code == 303, answer.text
    return f"/admin/synonyms/{max(map(int, re.findall(r'change=([0-9]+)#edit', client.get('/admin/synonyms').text)))}"


def groups(parts: wiring.Parts) -> set[tuple[str, ...]]:
    with parts.db.read() as session:
        return set(synonyms.groups(session))


def marks(parts: wiring.Parts) -> list[tuple[str, str]]:
    with parts.db.read() as session:
        c = t(DirtyMark).c
        found = session.execute(sa.select(c.kind, c.token).where(c.kind == synonyms.MARK))
        return [(row.kind, row.token) for row in found]


def test_a_life_of_a_group(parts: wiring.Parts, client: TestClient, staff: Actor, clock: FixedClock) -> None:
    path = add(client, "永磁电机、PM 电机\n永磁電機；永磁同步机", "同一类电机")
    assert groups(parts) == {("永磁电机", "pm 电机", "永磁同步机")}, "folded, each once"
    seen = marks(parts)
    assert len(seen) == 1
    page = client.get(f"/admin/synonyms?change={path.rsplit('/', 1)[1]}").text
    assert re.search(r'<textarea[^>]* name="words"[^>]*>\s*永磁电机\npm 电机\n永磁同步机</textarea>', page)
    stamp = re.search(r'name="seen" value="([^"]+)"', page)
    assert stamp is not None
    clock.advance(minutes=1)
    data = {"words": "永磁电机=PMSM", "note": "", "seen": stamp[1]}
    assert client.post(path, data=data).status_code == 303
    assert groups(parts) == {("永磁电机", "pmsm")}
    assert marks(parts) != seen, "every index is told again"
    late = client.post(path, data={**data, "words": "永磁电机 = 电动机"})
    assert late.status_code == 409, "somebody else changed it"
    assert "永磁电机 = 电动机" in late.text
    assert client.post(f"{path}/delete").status_code == 303
    assert groups(parts) == set()
    assert client.post(f"{path}/delete").status_code == 404
    assert client.post(path, data=data).status_code == 404
    with parts.db.read() as session:
        entries, _ = audit.find(session, staff, subject="synonyms")
    assert [entry.action for entry in entries] == [
        "synonyms.deleted",
        "synonyms.changed",
        "synonyms.added",
    ]
    assert entries[1].before["words"] == ["永磁电机", "pm 电机", "永磁同步机"]
    assert entries[1].after["words"] == ["永磁电机", "pmsm"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("水泵", "two different words"),
        ("水泵\n水 泵\n水泵", "two different words"),
        ("", "two different words"),
        ("水泵\n！！", "“！！” cannot be used"),
        ("水泵\n" + "泵" * 41, "40 characters at most"),
        ("水泵\nPM 电机", "“pm 电机” stands in another group already: 永磁电机 = pm电机"),
        ("水泵\n永磁電機", "“永磁电机” stands in another group already"),
    ],
)
def test_what_is_refused_is_said_at_the_field(
    parts: wiring.Parts, client: TestClient, staff: Actor, words: str, said: str
) -> None:
    add(client, "永磁电机\nPM电机")
    answer = client.post("/admin/synonyms", data={"words": words, "note": "不可丢"})
    assert answer.status_code == 422
    assert 'id="f-words-error"' in answer.text
    assert said in answer.text
    assert 'value="不可丢"' in answer.text
    assert len(groups(parts)) == 1


def test_a_group_keeps_its_own_words_when_it_is_changed(client: TestClient, staff: Actor) -> None:
    path = add(client, "水泵\n泵")
    page = client.get(f"/admin/synonyms?change={path.rsplit('/', 1)[1]}").text
    stamp = re.search(r'name="seen" value="([^"]+)"', page)
    assert stamp is not None
    answer = client.post(path, data={"words": "水泵\n泵\n抽水机", "seen": stamp[1]})
    assert answer.status_code == 303


def test_the_search_follows(parts: wiring.Parts, client: TestClient, staff: Actor) -> None:
    with parts.db.write() as session:
        Rows(session).result("永磁同步电机控制器")
    assert parts.index.acquire()
    reindex(parts.db, parts.index)

    def found() -> int:
        return int(client.get("/api/v1/search?q=牛角马达").json()["total"])

    assert found() == 0
    path = add(client, "永磁同步电机\n牛角马达")
    drain(parts.db, parts.index)
    assert found() == 1
    assert "<mark>永磁同步电机</mark>" in client.get("/search?q=牛角马达").text
    client.post(f"{path}/delete")
    drain(parts.db, parts.index)
    assert found() == 0


def test_groups_are_found_by_a_word(client: TestClient, staff: Actor) -> None:
    add(client, "水泵\n泵")
    add(client, "机床\n工作母机")
    page = client.get("/admin/synonyms", params={"q": "母機"}).text
    assert "机床 = 工作母机" in page
    assert "水泵 = 泵" not in page
    assert "No group holds this word" in client.get("/admin/synonyms?q=x").text


def test_so_many_words_and_no_more() -> None:
    words = [f"词{n}" for n in range(synonym_groups.MOST_WORDS + 1)]
    assert len(GroupInput(words=words[:-1]).words) == synonym_groups.MOST_WORDS
    with pytest.raises(ValidationError):
        GroupInput(words=words)


@pytest.mark.parametrize("role", [Role.BROKER, Role.OFFICIAL])
def test_only_staff_and_administrators_may(
    parts: wiring.Parts, client: TestClient, sign_in: SignIn, role: Role
) -> None:
    with parts.db.write() as session:
        actor = Parties(session, parts.clock.now()).market(role)
    sign_in(client, actor)
    for method, path in (
        ("GET", "/admin/synonyms"),
        ("POST", "/admin/synonyms"),
        ("POST", "/admin/synonyms/1"),
        ("POST", "/admin/synonyms/1/delete"),
    ):
        assert client.request(method, path).status_code == 403, path
    client.cookies.clear()
    assert client.get("/admin/synonyms").headers["location"].startswith("/sign-in")
