"""Industries and regions: seeds, edits with their audit, names."""

from __future__ import annotations

import csv
import datetime as dt
from importlib import resources

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from stdnum import numdb

from market.audit import AuditRecord
from market.db import Session
from market.errors import Conflict, Duplicate, NotAllowed, NotFound, SignInRequired
from market.permissions import VISITOR, Actor, Membership, Role, Via
from market.taxonomy import queries, rules, service
from market.taxonomy.models import IndustryInput
from market.taxonomy.seed import seed_taxonomy

ADMINISTRATOR = Actor(1, "管理员", Via.SESSION, (Membership(1, "科技局", Role.ADMINISTRATOR, True),))
STAFF = Actor(2, "工作人员", Via.SESSION, (Membership(1, "科技局", Role.STAFF, True),))


def test_seeding_twice_adds_nothing_and_keeps_what_people_changed(session: Session, now: dt.datetime) -> None:
    assert seed_taxonomy(session, now) > 90
    service.change_industry(session, ADMINISTRATOR, "footwear", 1, IndustryInput(name="鞋业", sort=40), now)
    assert seed_taxonomy(session, now) == 0
    assert queries.industry(session, "footwear").name == "鞋业"


def test_the_city_s_six_industries_come_first(session: Session, now: dt.datetime) -> None:
    seed_taxonomy(session, now)
    assert [item.name for item in queries.industries(session)][:6] == [
        "泵与电机", "机床工具", "汽摩配件", "时尚鞋服", "激光电子", "医疗健康",
    ]  # fmt: skip


def test_region_codes_agree_with_the_national_table() -> None:
    """python-stdnum ships GB/T 2260 with its history, read from another source than ours."""
    table = numdb.get("cn/loc")
    text = resources.files("market.taxonomy").joinpath("regions.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        if row["code"][:2] in ("00", "71", "81", "82"):
            continue
        (_, province), (_, county) = table.info(row["code"])
        known = province["province"] if row["code"].endswith("0000") else county["county"]
        assert known.endswith(row["name"]), row


def test_a_change_is_audited_with_only_what_differs(session: Session, now: dt.datetime) -> None:
    service.add_industry(session, ADMINISTRATOR, "robots", IndustryInput(name="机器人"), now)
    entered = IndustryInput(name="机器人", ipc_prefixes=["b25j"], sort=0)
    row = service.change_industry(session, ADMINISTRATOR, "robots", 1, entered, now)
    assert (row.version, row.ipc_prefixes) == (2, ["B25J"])
    session.flush()
    record = session.scalars(sa.select(AuditRecord).order_by(sa.desc("id"))).first()
    assert record is not None
    assert (record.action, record.before, record.after) == (
        "industry.changed", {"robots.ipc_prefixes": []}, {"robots.ipc_prefixes": ["B25J"]},
    )  # fmt: skip


def test_saving_without_a_change_leaves_version_and_audit_alone(session: Session, now: dt.datetime) -> None:
    service.add_industry(session, ADMINISTRATOR, "robots", IndustryInput(name="机器人"), now)
    row = service.change_industry(session, ADMINISTRATOR, "robots", 1, IndustryInput(name="机器人"), now)
    assert row.version == 1


def test_refusals(session: Session, now: dt.datetime) -> None:
    entered = IndustryInput(name="机器人")
    with pytest.raises(SignInRequired):
        service.add_industry(session, VISITOR, "robots", entered, now)
    with pytest.raises(NotAllowed):
        service.add_industry(session, STAFF, "robots", entered, now)
    with pytest.raises(NotFound):
        service.change_industry(session, ADMINISTRATOR, "robots", 1, entered, now)
    service.add_industry(session, ADMINISTRATOR, "robots", entered, now)
    with pytest.raises(Duplicate):
        service.add_industry(session, ADMINISTRATOR, "robots", entered, now)
    with pytest.raises(Conflict):
        service.change_industry(session, ADMINISTRATOR, "robots", 7, entered, now)


@pytest.mark.parametrize("text", ["Z99", "F0", "F04d 2 9", "f04\x00"])
def test_a_wrong_ipc_beginning_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        IndustryInput(name="x", ipc_prefixes=[text])


def test_retired_industries_leave_the_choice_and_keep_their_name(session: Session, now: dt.datetime) -> None:
    seed_taxonomy(session, now)
    retired = IndustryInput(name="时尚鞋服", active=False)
    service.change_industry(session, ADMINISTRATOR, "footwear", 1, retired, now)
    assert "footwear" not in {item.code for item in queries.industries(session)}
    assert queries.industry_names(session, "zh-Hans")["footwear"] == "时尚鞋服"


def test_a_region_without_a_row_is_named_after_what_it_lies_in(session: Session, now: dt.datetime) -> None:
    seed_taxonomy(session, now)
    names = queries.region_names(session, ["331081", "330106", "999999"], "zh-Hans")
    assert names == {"331081": "温岭市", "330106": "杭州市", "999999": "999999"}
    assert queries.region_names(session, ["331081"], "en") == {"331081": "Wenling"}
    assert queries.knows_region(session, "330106")
    assert not queries.knows_region(session, "999999")


def test_the_home_city_is_offered_first_and_abroad_last(session: Session, now: dt.datetime) -> None:
    seed_taxonomy(session, now)
    order = [view.code for view in queries.nearby_first(queries.regions(session), "331081")]
    assert order[0] == "331081"
    assert set(order[1:10]) == {"331000", "331002", "331003", "331004", "331022", "331023", "331024",
                                "331082", "331083"}  # fmt: skip
    assert order[-1] == "000000"


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        (["F04D 29/42"], "pumps"),
        (["F04D 29/42", "B23Q 1/00", "B23B 1/00"], "tools"),
        (["A61K 1/00"], None),
        (["B23K 26/00"], "laser"),
        ([], None),
    ],
)
def test_suggesting_an_industry_from_ipc(symbols: list[str], expected: str | None) -> None:
    prefixes = {"pumps": ["F04"], "tools": ["B23"], "laser": ["B23K 26"]}
    assert rules.suggest(symbols, prefixes) == expected


def test_lies_in() -> None:
    assert rules.lies_in("331081", "331081")
    assert rules.lies_in("331081", "330000")
    assert not rules.lies_in("331081", "320000")
    assert not rules.lies_in("000000", "330000")
