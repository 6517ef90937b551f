"""Pages of flags: who sees them, what they say in both languages, and closing one."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.db import t
from market.deals import entering, service
from market.deals.models import Contract
from market.deals.rules import Step
from market.permissions import SYSTEM
from market.scrutiny import flag_queries, flag_rules, flags
from market.scrutiny.models import ContractFlag, FlagKind
from market.work import WorkItem, run_one
from tests.web.register import As, Register
from web import flag_work, wiring

SAMPLES = {
    FlagKind.DUPLICATE_TERMS: ("1", {"percent": 91, "difference_fen": 100_000, "days": 3, "deal_fen": 1}),
    FlagKind.DUPLICATE_FILE: ("1", {"names": ["甲.pdf", "乙.pdf"]}),
    FlagKind.DUPLICATE_NUMBER: ("1", {"number": "2025330100000001", "other_number": "2025330100000002"}),
    FlagKind.CYCLE: ("1", {"days": 30, "deal_fen": 1, "other_fen": 1}),
    FlagKind.ROUND_YEAR_END: ("", {"deal_fen": 100_000_000, "signed_on": "2025-12-31"}),
    FlagKind.YOUNG_FIRM: (
        "buyer",
        {"name": "乙", "founded_on": "2025-01-01", "deal_fen": 100_000_000, "signed_on": "2025-02-01"},
    ),
    FlagKind.NO_RECEIPT: ("", {"due_on": "2025-01-01", "by": "end", "deal_fen": 1}),
    FlagKind.RELATED_PARTY: ("people", {"people": 2}),
}


def look(register: Register, *contracts: int) -> int:
    """Look at contracts; returns the id of the newest flag."""
    with register.db.write() as session:
        flags.look(session, register.now, contracts)
        found = session.scalar(sa.select(sa.func.max(t(ContractFlag).c.id)))
    assert found is not None
    return int(found)


def say(client: TestClient, path: str, language: str = "zh") -> str:
    answer = client.get(path, headers={"accept-language": language})
    assert answer.status_code == 200, path
    return html.unescape(answer.text)


def test_a_pair_is_read_and_closed(as_: As, register: Register) -> None:
    first = register.enter(dt.date(2024, 5, 6))
    second = register.enter(dt.date(2024, 5, 20), deal_fen=49_000_000)
    flag = look(register, second)
    client = as_("official")
    listed = say(client, "/flags")
    assert f'href="/flags/{flag}"' in listed
    assert "名称相似度 100%，成交额相差 ¥10,000，签订日相隔 14 天" in listed
    assert "自定的阈值" not in listed
    assert "初始阈值" in say(client, "/flags?kind=duplicate_terms")
    assert f'href="/flags/{flag}"' not in say(client, "/flags?kind=cycle")
    for contract in (first, second):
        page = say(client, f"/contracts/{contract}")
        assert "本合同有1条未办结的异常提示" in page
        assert f'href="/flags/{flag}"' in page
    assert f'href="/flags/{flag}"' in say(client, "/workbench")

    shown = say(client, f"/flags/{flag}")
    assert f'href="/contracts/{first}"' in shown
    assert f'href="/contracts/{second}"' in shown
    assert "5%" in shown
    version = re.search(r'name="version" value="(\d+)"', shown)
    assert version is not None
    silent = client.post(f"/flags/{flag}/close", data={"reason": " ", "version": version.group(1)})
    assert silent.status_code == 422
    assert 'href="#f-reason"' in silent.text
    long = client.post(f"/flags/{flag}/close", data={"reason": "长" * 2001, "version": version.group(1)})
    assert long.status_code == 422
    assert "长" * 2001 in long.text
    done = client.post(f"/flags/{flag}/close", data={"reason": "两期合同", "version": version.group(1)})
    assert (done.status_code, done.headers["location"]) == (303, "/flags")
    assert "已办结该异常提示" in say(client, "/flags")
    assert "两期合同" in say(client, "/flags?show=closed")
    assert "两期合同" in say(client, f"/flags/{flag}")
    assert "未办结的异常提示" not in say(client, f"/contracts/{first}")
    again = client.post(
        f"/flags/{flag}/close", data={"reason": "另一个人的结论", "version": version.group(1)}
    )
    assert again.status_code == 409
    assert "两期合同" in again.text
    assert "另一个人的结论" in again.text


def test_a_flag_raised_anew_meanwhile_is_not_closed_by_a_stale_form(as_: As, register: Register) -> None:
    register.enter(dt.date(2024, 5, 6))
    second = register.enter(dt.date(2024, 5, 20))
    flag = look(register, second)
    with register.db.write() as session:
        service.step(session, SYSTEM, register.now, second, Step.AMEND, reason="更正", deal_fen=49_500_000)
    look(register, second)
    client = as_("official")
    stale = client.post(f"/flags/{flag}/close", data={"reason": "已核对原件", "version": "1"})
    assert stale.status_code == 409
    assert "已核对原件" in stale.text
    assert (
        client.post(f"/flags/{flag}/close", data={"reason": "已核对原件", "version": "2"}).status_code == 303
    )


@pytest.mark.parametrize(
    ("who", "status"),
    [("visitor", 303), ("officer", 403), ("buyer", 403), ("staff", 403), ("official", 200)],
)
def test_only_those_who_register_see_flags(as_: As, register: Register, who: str, status: int) -> None:
    contract = register.enter(dt.date(2024, 5, 6), related_party=True)
    flag = look(register, contract)
    client = as_(who)
    for path in ("/flags", f"/flags/{flag}"):
        assert client.get(path).status_code == status, path
    assert (f"/flags/{flag}" in client.get(f"/contracts/{contract}").text) is (status == 200)
    if status != 200:
        assert client.post(f"/flags/{flag}/close", data={"reason": "已核"}).status_code == status
        with register.db.read() as session:
            assert flag_queries.counts(session)[FlagKind.RELATED_PARTY] == 1


def test_an_unknown_flag_is_not_found(as_: As) -> None:
    client = as_("official")
    assert client.get("/flags/999").status_code == 404
    assert client.post("/flags/999/close", data={"reason": "已核"}).status_code == 404


def test_every_kind_says_what_was_found_in_both_languages(as_: As, register: Register) -> None:
    assert set(SAMPLES) == set(FlagKind)
    first, second = (register.enter(dt.date(2024, month, 6), title=f"{month}月") for month in (1, 9))
    with register.db.write() as session:
        for kind, (about, detail) in SAMPLES.items():
            session.add(
                ContractFlag(
                    contract_id=second, kind=kind.value, about=about, detail=detail, raised_at=register.now,
                    other_id=first if kind in flag_rules.PAIRS else None,
                )
            )  # fmt: skip
    client = as_("official")
    for language in ("zh", "en"):
        for path in ("/flags", f"/contracts/{second}", f"/contracts/{first}"):
            page = say(client, path, language)
            assert "flag_text." not in page
            assert "%(" not in page
    with register.db.read() as session:
        found = {one.kind: one.id for one in flag_queries.flags(session, register.actors["official"])[0]}
    for kind, flag in found.items():
        page = say(client, f"/flags/{flag}", "en")
        for name in flag_rules.POLICIES[kind]:
            assert f"policy.{name}" not in page
        assert ("When it is raised" in page) is bool(flag_rules.POLICIES[kind])
    english = say(client, "/flags", "en")
    assert "titles 91% alike, amounts ¥1,000 apart, signed 3 days apart" in english
    assert "甲.pdf, 乙.pdf" in english


def test_what_lapsed_says_so(as_: As, register: Register) -> None:
    contract = register.enter(dt.date(2024, 5, 6), related_party=True)
    flag = look(register, contract)
    with register.db.write() as session:
        service.step(session, SYSTEM, register.now, contract, Step.REVOKE, reason="重复")
        flags.look(session, register.now, [contract])
    client = as_("official")
    assert "情况已不存在" in say(client, "/flags?show=closed")
    assert "由系统办结" in say(client, f"/flags/{flag}")


def test_what_an_import_brings_is_looked_at_at_once_beside_what_it_is_compared_with(
    parts: wiring.Parts, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flags, "CHUNK", 2)
    day = dt.date(2024, 5, 6)
    alike = register.enter(day, related_party=True)
    register.enter(day, title="水环真空泵轴承寿命试验", deal_fen=90_000_000, related_party=True)
    c = t(Contract).c
    own = {
        "id",
        "local_number",
        "state",
        "taxonomy_version",
        "version",
        "created_by",
        "created_at",
        "updated_at",
    }
    with parts.db.write() as session:
        row = session.execute(sa.select(t(Contract)).where(c.id == alike)).one()
        values = {name: value for name, value in row._mapping.items() if name not in own}
        brought = entering.enter(session, SYSTEM, register.now, [values] * 3)
    handlers = flag_work.handlers(parts)
    while run_one(parts.db, handlers, parts.clock.now):
        pass
    with parts.db.read() as session:
        found = {
            (row.contract_id, row.kind, row.other_id) for row in session.execute(sa.select(t(ContractFlag)))
        }
    assert {one for one, kind, _ in found if kind == "related_party"} == set(brought)
    assert {(one, kind, other) for one, kind, other in found if other == alike} == {
        (one, "duplicate_terms", alike) for one in brought
    }


def test_a_step_is_looked_at_by_its_work_and_everything_by_the_daily_round(
    parts: wiring.Parts, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flags, "CHUNK", 2)
    monkeypatch.setattr(flag_work, "CHUNKS", 2)
    monkeypatch.setattr(flags.following, "__defaults__", (2,))
    handlers = flag_work.handlers(parts)

    def run() -> int:
        done = 0
        while run_one(parts.db, handlers, parts.clock.now):
            done += 1
        return done

    def found() -> int:
        with parts.db.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(t(ContractFlag))) or 0

    entered = [
        register.enter(dt.date(2020 + n, 5, 6), title=f"第{n}份", related_party=True) for n in range(5)
    ]
    assert (run(), found()) == (0, 0)
    with parts.db.write() as session:
        service.step(
            session, SYSTEM, parts.clock.now(), entered[0], Step.AMEND, reason="更正", deal_fen=60_000_000
        )
    assert (run(), found()) == (1, 1)
    for _ in range(2):
        with parts.db.write() as session:
            flag_work.daily(session, parts.clock.now())
    assert (run(), found()) == (2, 5)
    with parts.db.read() as session:
        w = t(WorkItem).c
        states = session.scalars(sa.select(w.state).where(w.kind == flag_work.ROUND)).all()
    assert list(states) == ["done", "done"]
