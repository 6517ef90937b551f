"""Releases of the register: one for each event, never changed, without gaps, and without what is not public."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from libcoveocds.common_checks import common_checks_ocds
from libcoveocds.config import LibCoveOCDSConfig
from libcoveocds.lib.additional_checks import CHECKS, run_additional_checks
from libcoveocds.lib.common_checks import get_bad_ocid_prefixes
from libcoveocds.schema import SchemaOCDS
from ocdsmerge import Merger

from market.db import Database, t
from market.deals import service as deals
from market.deals.entering import RegisteredInput, enter, settle
from market.deals.inputs import ContractInput
from market.deals.models import ContractSource
from market.deals.recording import NEWS, known
from market.opendata import queries, rules, service
from market.opendata.models import OpenRelease
from market.opendata.rules import Facts, Happened, Party
from market.parties.models import Organisation
from market.permissions import COMMAND_LINE
from market.work import WorkItem, claim
from tests.conftest import NOW

PREFIX = "ocds-000000"
SELLER = Party("某大学", "91330100799655058B", "022", "330106")
BUYER = Party("某泵业有限公司", "", "", "331081")


def facts(**more: Any) -> Facts:
    said: dict[str, Any] = {
        "local_number": "WL-2026-000001", "registration_number": "2026330100000001", "title": "水力模型专利",
        "kind": "assignment", "subkind": "patent", "technical_field": "advanced_manufacturing", "source": "lot",
        "trade_secret": False, "seller": SELLER, "buyer": BUYER, "signed_on": dt.date(2026, 2, 2),
        "effective_on": None, "ends_on": dt.date(2027, 2, 2),
    }  # fmt: skip
    return Facts(**said | more)


def happened(step: str = "register", fen: int | None = 300_000_050) -> Happened:
    return Happened(7, step, NOW, fen)


def entered(session: Any, number: int = 1, **more: Any) -> int:
    said = {
        "title": "水力模型技术开发", "kind": "development", "subkind": "commissioned_development",
        "seller_name": "某大学本部", "seller_region": "330106", "buyer_name": "某泵业有限公司",
        "buyer_region": "331081", "deal_fen": 60_000_000, "technical_field": "advanced_manufacturing",
        "signed_on": "2026-02-02",
    }  # fmt: skip
    return deals.enter_registered(
        session, COMMAND_LINE, NOW, ContractInput.model_validate(said | more),
        registered_on=dt.date(2026, 2, 20), registration_number=f"2026330100{number:06d}",
    )  # fmt: skip


def test_a_sale_of_rights_reverses_the_roles_and_says_so() -> None:
    release = rules.release(PREFIX, facts(), happened())
    assert (release["ocid"], release["id"]) == (f"{PREFIX}-WL-2026-000001", f"{PREFIX}-WL-2026-000001-7")
    assert (release["tag"], release["date"]) == (["contract"], "2026-03-02T10:00:00+08:00")
    assert release["tender"]["title"] == "转让/许可:水力模型专利"
    assert release["buyer"]["name"] == "某大学"
    assert release["awards"][0]["suppliers"][0]["name"] == "某泵业有限公司"
    assert release["contracts"][0]["value"] == {"amount": 3_000_000.5, "currency": "CNY"}
    assert release["contracts"][0]["technologyContract"]["rolesReversed"] is True
    roles = {party["name"]: party["roles"] for party in release["parties"]}
    assert "seller" in roles["某大学"]
    assert "buyer" in roles["某大学"]


def test_what_is_developed_for_a_buyer_keeps_the_standards_roles() -> None:
    release = rules.release(PREFIX, facts(kind="development", subkind="commissioned_development"), happened())
    assert release["tender"]["title"] == "水力模型专利"
    assert (release["buyer"]["name"], release["awards"][0]["suppliers"][0]["name"]) == (
        BUYER.name,
        SELLER.name,
    )
    assert release["contracts"][0]["technologyContract"]["rolesReversed"] is False


@pytest.mark.parametrize(
    ("party", "named"),
    [
        (SELLER, True),
        (BUYER, True),
        (Party("王小明", "", "", "331081"), False),
        (Party("欧阳小明", "", "", "331081"), False),
        (Party("某某实验室主任王小明", "", "400", "331081"), False),
        (Party("新界", "", "160", "331081"), True),
    ],
)
def test_who_may_be_a_person_is_not_named(party: Party, named: bool) -> None:
    release = rules.release(PREFIX, facts(buyer=party), happened())
    assert (party.name in str(release)) is named


def test_secrets_and_amounts_agreed_in_private_stay_out() -> None:
    hidden = str(rules.release(PREFIX, facts(trade_secret=True), happened()))
    assert "水力模型" not in hidden
    assert "advanced_manufacturing" not in hidden
    assert "'patent'" not in hidden
    for source in ContractSource:
        release = rules.release(PREFIX, facts(source=source.value), happened())
        assert ("value" in release["contracts"][0]) is (source is ContractSource.LOT)
        assert ("value" in release["awards"][0]) is (source is ContractSource.LOT)
    assert not rules.is_published(ContractSource.DECLARED.value, "register")
    assert not rules.is_published(ContractSource.LOT.value, "submit")


def test_each_event_is_one_release_and_publishing_again_adds_none(database: Database) -> None:
    with database.write() as session:
        first = entered(session)
    with database.write() as session:
        assert service.publish(session, NOW, [first], PREFIX) == 1
        assert service.publish(session, NOW, [first], PREFIX) == 0
    with database.read() as session:
        before = queries.after(session, 0)
    later = NOW + dt.timedelta(days=1)
    with database.write() as session:
        deals.step(
            session,
            COMMAND_LINE,
            later,
            first,
            "amend",
            reason="价款",
            deal_fen=70_000_000,
            technology_fen=70_000_000,
        )
        deals.step(session, COMMAND_LINE, later, first, "revoke", reason="不实")
        assert service.publish(session, later, [first], PREFIX) == 2
    with database.read() as session:
        found = queries.after(session, 0)
        rows = session.execute(sa.select(t(OpenRelease)).order_by(t(OpenRelease).c.id)).all()
        assert queries.after(session, 2) == found[2:]
        assert queries.summary(session) == (3, 1)
        lines = b"".join(queries.lines(session)).splitlines()
    assert found[:1] == before
    assert [number for number, _ in found] == [1, 2, 3]
    assert [one["tag"][0] for _, one in found] == ["contract", "contractAmendment", "contractTermination"]
    assert [one["contracts"][0]["status"] for _, one in found] == ["active", "active", "cancelled"]
    assert [hashlib.sha256(line).hexdigest() for line in lines] == [row.sha256 for row in rows]
    assert [row.published_at for row in rows] == sorted({row.published_at for row in rows[:1]}) + [
        rows[1].published_at
    ] * 2


def test_every_way_into_the_register_leaves_the_work(database: Database) -> None:
    with database.write() as session:
        one = entered(session)
        said = RegisteredInput.model_validate(
            {
                "title": "甲", "kind": "licence", "subkind": "patent", "seller_name": "某大学本部",
                "seller_region": "330106", "buyer_name": "某公司总部", "buyer_region": "331081",
                "deal_fen": 100, "technical_field": "electronics", "signed_on": "2026-02-02",
                "registered_on": "2026-02-03",
            }
        )  # fmt: skip
        read = known(session)
        values = [
            settle(session, COMMAND_LINE, NOW, said, source, read)
            for source in (ContractSource.IMPORTED, ContractSource.DECLARED)
        ]
        many = enter(session, COMMAND_LINE, NOW, values)
        deals.step(session, COMMAND_LINE, NOW, one, "deregister", reason="撤回")
    told = []
    with database.write() as session:
        while (item := claim(session, NOW, [NEWS])) is not None:
            told.append(item.payload["contract_ids"])
    assert sorted(told) == [[one], [one], many]
    with database.write() as session:
        assert service.publish(session, NOW, [one, *many], PREFIX) == 3
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(t(WorkItem))) >= 3


def test_numbers_are_gapless_in_the_order_of_commits(database: Database) -> None:
    with database.write() as session:
        ids = [entered(session, number, title=f"第{number}项") for number in range(1, 13)]
    seen: list[list[int]] = []
    stop = threading.Event()

    def read_on() -> None:
        last: list[int] = []
        while not stop.is_set():
            with database.read() as session:
                last += [number for number, _ in queries.after(session, last[-1] if last else 0)]
        with database.read() as session:
            last += [number for number, _ in queries.after(session, last[-1] if last else 0)]
        seen.append(last)

    def write(some: list[int]) -> None:
        for one in some:
            with database.write() as session:
                service.publish(session, NOW, [one], PREFIX)

    reader = threading.Thread(target=read_on)
    writers = [threading.Thread(target=write, args=(ids[start::3],)) for start in range(3)]
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert seen == [list(range(1, 13))]


def test_a_package_leads_to_the_next(database: Database) -> None:
    publisher = queries.Publisher("市场", "https://example.com/licence", "https://example.com")
    with database.write() as session:
        for number in (1, 2):
            service.publish(session, NOW, [entered(session, number, title=f"第{number}项")], PREFIX)
    with database.read() as session:
        package = queries.package(publisher, session, NOW, 0, queries.after(session, 0, 1))
        rest = queries.package(publisher, session, NOW, 2, queries.after(session, 2))
    assert package["links"]["next"] == "https://example.com/open-data/releases?after=1"
    assert (package["version"], package["license"]) == ("1.1", "https://example.com/licence")
    assert (rest["releases"], rest["links"]["next"]) == ([], "https://example.com/open-data/releases?after=2")


def whole_package() -> dict[str, Any]:
    """Every step of every source, of rights sold and of work commissioned."""
    steps = enumerate(rules.RELEASED, 1)
    releases = [
        rules.release(
            PREFIX,
            facts(local_number=f"WL-{kind}-{source.value}", kind=kind, source=source.value),
            Happened(number, step, NOW + dt.timedelta(days=number), 300_000_050),
        )
        for number, step in steps
        for kind in ("assignment", "development")
        for source in ContractSource
    ]
    return {
        "uri": "https://example.com/open-data/releases?after=0", "version": "1.1",
        "publishedDate": "2026-03-09T00:00:00+00:00", "publisher": {"name": "市场"}, "releases": releases,
    }  # fmt: skip


def test_releases_compile_into_the_contract_as_it_stands() -> None:
    # What the standard says of merging these fields; the rest merges by id.
    merger = Merger(
        merge_rules={
            ("id",): "omitWhenMerged", ("date",): "omitWhenMerged", ("tag",): "omitWhenMerged",
            ("parties", "roles"): "wholeListMerge",
        }
    )  # fmt: skip
    process = f"{PREFIX}-WL-assignment-lot"
    releases = [one for one in whole_package()["releases"] if one["ocid"] == process]
    compiled = merger.create_compiled_release(releases)
    assert (compiled["ocid"], compiled["tag"]) == (process, ["compiled"])
    (contract,) = compiled["contracts"]
    assert (contract["status"], contract["value"]["amount"]) == ("cancelled", 3_000_000.5)
    assert [party["name"] for party in compiled["parties"]] == [SELLER.name, BUYER.name]
    assert compiled["parties"][0]["roles"] == ["buyer", "procuringEntity", "seller"]


def test_the_checker_of_the_standard_finds_nothing_wrong_beside_the_schema() -> None:
    package = whole_package()
    assert get_bad_ocid_prefixes(package) == []
    assert dict(run_additional_checks(package, CHECKS["all"])) == {}
    package["releases"][0]["tender"]["title"] = ""
    package["releases"][1]["ocid"] = "WL-1"
    assert dict(run_additional_checks(package, CHECKS["all"])) != {}
    assert get_bad_ocid_prefixes(package) != []


@pytest.mark.extra(variable="OCDS_STANDARD")
def test_the_schema_of_the_standard_finds_nothing_wrong() -> None:
    """OCDS_STANDARD is the path of a ZIP of github.com/open-contracting/standard at tag 1__1__5."""
    config = LibCoveOCDSConfig()
    config.config |= {"context": "api", "standard_zip": Path(os.environ["OCDS_STANDARD"]).resolve().as_uri()}
    package = whole_package()
    found: dict[str, Any] = {"file_type": "json"}
    common_checks_ocds(found, "", package, SchemaOCDS(None, package, config), cache=False)
    assert found["validation_errors"] == []
    assert set(found["additional_fields"]) == {"/releases/contracts/technologyContract"} | {
        f"/releases/contracts/technologyContract/{name}"
        for name in ("kind", "subkind", "technicalField", "registrationNumber", "rolesReversed")
    }
    assert not found["additional_closed_codelist_values"]
    package["releases"][0]["tag"] = "contract"
    again: dict[str, Any] = {"file_type": "json"}
    common_checks_ocds(again, "", package, SchemaOCDS(None, package, config), cache=False)
    assert again["validation_errors"] != []


def test_a_member_is_identified_by_its_credit_code(database: Database) -> None:
    with database.write() as session:
        session.add(
            Organisation(
                name="新界", kind="firm", credit_code="91330100799655058B", region_code="331081",
                state="verified", created_at=NOW, updated_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        service.publish(session, NOW, [entered(session, buyer_id=1, buyer_name="")], PREFIX)
    with database.read() as session:
        ((_, release),) = queries.after(session, 0)
    assert release["buyer"] == {"id": "91330100799655058B", "name": "新界"}


def test_what_was_registered_before_there_was_open_data_is_found_until_it_is_published(
    database: Database,
) -> None:
    with database.write() as session:
        first, second, third = (entered(session, number) for number in range(1, 4))
        declared = deals.enter_registered(
            session, COMMAND_LINE, NOW,
            ContractInput.model_validate(
                {
                    "title": "甲", "kind": "licence", "subkind": "patent", "seller_name": "某大学本部",
                    "seller_region": "330106", "buyer_name": "某公司总部", "buyer_region": "331081",
                    "deal_fen": 100, "technical_field": "electronics", "signed_on": "2026-02-02",
                }
            ),
            registered_on=dt.date(2026, 2, 3), source=ContractSource.DECLARED,
        )  # fmt: skip
        assert service.publish(session, NOW, [second], PREFIX) == 1
    with database.read() as session:
        assert service.unpublished(session, 0, 10) == [first, third]
        assert service.unpublished(session, 0, 1) == [first]
        assert service.unpublished(session, first, 10) == [third]
    with database.write() as session:
        assert service.publish(session, NOW, [first, third], PREFIX) == 2
        assert service.unpublished(session, 0, 10) == []
    assert declared > third
