"""The figure: union once, exact shares, as of a day, snapshots that stay, small cells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from market.db import Session, t
from market.deals import service as deals
from market.deals.inputs import ContractInput
from market.deals.rules import Step
from market.errors import Duplicate, InvalidInput, NotAllowed, NotFound
from market.permissions import Actor, Membership, Role, Via
from market.statistics import queries, rules, seed, service, snapshots
from market.statistics.inputs import GdpReleaseInput, SnapshotInput
from market.statistics.models import AmendmentRule, GdpRelease, Snapshot
from market.statistics.rules import Dimension

OFFICIAL = Actor(None, "官员", Via.SESSION, (Membership(999, "科技局", Role.OFFICIAL, True),))
STAFF = Actor(1, "工作人员", Via.SESSION, (Membership(998, "市场", Role.STAFF, True),))
WENLING, HANGZHOU, SHANGHAI = "331081", "330106", "310115"
TODAY = dt.date(2026, 3, 2)


@pytest.fixture(autouse=True)
def seeded(session: Session, now: dt.datetime) -> None:
    seed.seed_statistics(session, now)


def enter(
    session: Session,
    now: dt.datetime,
    seller: str,
    buyer: str,
    deal: int,
    on: dt.date = dt.date(2024, 6, 3),
    *,
    entered: dt.datetime | None = None,
    costs: int = 0,
    kind: tuple[str, str] = ("service", "general_service"),
) -> int:
    data = ContractInput.model_validate(
        {
            "title": "技术服务",
            "kind": kind[0],
            "subkind": kind[1],
            "seller_name": "甲",
            "seller_region": seller,
            "buyer_name": "乙",
            "buyer_region": buyer,
            "deal_fen": deal,
            "deductions": [{"item": "设备", "fen": costs}] if costs else [],
            "technical_field": "advanced_manufacturing",
            "signed_on": on,
        }
    )
    return deals.enter_registered(session, OFFICIAL, entered or now, data, registered_on=on)


def figure(
    session: Session, code: str = "C4", year: int = 2024, as_of: dt.date = TODAY, quarter: int = 4
) -> queries.Figure:
    return queries.figure(session, queries.caliber(session, code), year, quarter, as_of=as_of)


def test_seeding_twice_changes_nothing(session: Session, now: dt.datetime) -> None:
    seed.seed_statistics(session, now)
    assert [one.code for one in queries.calibers(session)] == ["C1", "C2", "C3", "C4", "C5", "C6", "C7"]
    assert queries.caliber(session).code == "C1"
    (release,) = queries.releases(session)
    assert (release.year, release.value_fen, release.published_on) == (
        2024, 1_417_63 * 10**6 * 100, dt.date(2025, 2, 28),
    )  # fmt: skip
    target = queries.plan_target(session)
    assert target is not None
    assert (target.year, target.value, target.unit) == (2025, "2", "%")


def test_calibers_count_sides_and_amounts_and_the_union_once(session: Session, now: dt.datetime) -> None:
    enter(session, now, WENLING, WENLING, 1_000, costs=100)
    enter(session, now, WENLING, HANGZHOU, 20_000, costs=2_000)
    enter(session, now, SHANGHAI, WENLING, 300_000)
    enter(session, now, SHANGHAI, HANGZHOU, 4_000_000)
    expected = {"C1": 21_000, "C2": 18_900, "C3": 301_000, "C4": 321_000, "C5": 318_900}
    found = {code: figure(session, code) for code in expected}
    assert {code: one.numerator_fen for code, one in found.items()} == expected
    assert {code: one.contract_count for code, one in found.items()} == {
        "C1": 2, "C2": 2, "C3": 2, "C4": 3, "C5": 3,
    }  # fmt: skip


def test_a_region_holds_what_lies_in_it() -> None:
    assert rules.in_region("331081", "331081")
    assert not rules.in_region("331082", "331081")
    assert rules.in_region("331081", "331000")
    assert rules.in_region("331081", "330000")
    assert not rules.in_region("310115", "330000")
    assert not rules.in_region("000000", "330000")


def test_the_period_goes_by_registration_in_days_to_date() -> None:
    assert [rules.Period(2024, quarter).last for quarter in (1, 2, 3, 4)] == [
        dt.date(2024, 3, 31), dt.date(2024, 6, 30), dt.date(2024, 9, 30), dt.date(2024, 12, 31),
    ]  # fmt: skip


def test_only_the_period_counts(session: Session, now: dt.datetime) -> None:
    for day in (dt.date(2023, 12, 31), dt.date(2024, 1, 1), dt.date(2024, 3, 31), dt.date(2024, 12, 31)):
        enter(session, now, WENLING, HANGZHOU, 100, day)
    assert figure(session).contract_count == 3
    assert figure(session, quarter=1).contract_count == 2
    assert figure(session, year=2023).contract_count == 1


def test_the_share_is_exact_and_its_inputs_are_there(session: Session, now: dt.datetime) -> None:
    enter(session, now, WENLING, HANGZHOU, 283_526_000_000)  # 28.3526 yi yuan
    one = figure(session)
    assert one.share == Fraction(283_526_000_000, 14_176_300_000_000)
    assert one.percent == Decimal("2.0000")
    assert one.denominator is not None
    assert one.provisional == ("first_release",)


def test_without_a_published_gdp_there_is_no_share(session: Session, now: dt.datetime) -> None:
    enter(session, now, WENLING, HANGZHOU, 100, dt.date(2023, 5, 4))
    one = figure(session, year=2023)
    assert (one.numerator_fen, one.denominator, one.share, one.percent) == (100, None, None, None)
    assert figure(session, year=2024, quarter=2).denominator is None


@given(st.integers(0, 10**15), st.integers(1, 10**16))
def test_percent_is_within_half_a_unit(numerator: int, denominator: int) -> None:
    share = rules.share(numerator, denominator)
    shown = Fraction(rules.percent(share))
    assert abs(shown - share * 100) <= Fraction(1, 20_000)


def release(value: int, published: str, vintage: str = "final") -> GdpReleaseInput:
    return GdpReleaseInput.model_validate(
        {"region_code": WENLING, "year": 2024, "vintage": vintage, "value_fen": value,
         "published_on": published, "source": "统计年鉴"}
    )  # fmt: skip


def test_the_denominator_is_what_was_published_and_entered_by_the_day(
    session: Session, now: dt.datetime
) -> None:
    entered = now + dt.timedelta(days=10)
    service.add_gdp_release(session, OFFICIAL, entered, release(14_500_000_000_000, "2026-01-15"))
    assert figure(session, as_of=dt.date(2025, 2, 27)).denominator is None
    for day, value in (
        (dt.date(2025, 2, 28), 14_176_300_000_000),
        (dt.date(2026, 1, 15), 14_176_300_000_000),
        (dt.date(2026, 3, 11), 14_176_300_000_000),
        (dt.date(2026, 3, 12), 14_500_000_000_000),
    ):
        found = figure(session, as_of=day).denominator
        assert found is not None
        assert found.value_fen == value, day


def test_a_gdp_release_is_checked(session: Session, now: dt.datetime) -> None:
    with pytest.raises(NotAllowed):
        service.add_gdp_release(session, STAFF, now, release(1, "2026-01-15"))
    service.add_gdp_release(session, OFFICIAL, now, release(1, "2026-01-15"))
    with pytest.raises(Duplicate):
        service.add_gdp_release(session, OFFICIAL, now, release(2, "2026-01-15"))
    for day, code in (("2026-03-03", "published_in_future"), ("2024-11-30", "published_before_period")):
        with pytest.raises(InvalidInput) as refused:
            service.add_gdp_release(session, OFFICIAL, now, release(1, day))
        assert refused.value.problems == [("published_on", code, {})]


def test_as_of_a_day_gives_what_the_register_held_then(session: Session, now: dt.datetime) -> None:
    days = [dt.datetime(2026, 1, day, 4, tzinfo=dt.UTC) for day in (5, 6, 7)]
    enter(session, now, WENLING, HANGZHOU, 100, dt.date(2026, 1, 5), entered=days[0])
    changed = enter(session, now, WENLING, HANGZHOU, 200, dt.date(2026, 1, 6), entered=days[1])
    gone = enter(session, now, WENLING, HANGZHOU, 400, dt.date(2026, 1, 7), entered=days[2])
    first, second = now + dt.timedelta(days=1), now + dt.timedelta(days=2)
    deals.step(session, OFFICIAL, first, changed, Step.AMEND, deal_fen=250, reason="补充")
    deals.step(session, OFFICIAL, second, changed, Step.AMEND, deal_fen=300, reason="补充")
    deals.step(session, OFFICIAL, second, gone, Step.DEREGISTER, reason="解除")
    totals = [
        figure(session, year=2026, as_of=day).numerator_fen
        for day in (
            dt.date(2026, 1, 4), dt.date(2026, 1, 5), dt.date(2026, 3, 2), dt.date(2026, 3, 3),
            dt.date(2026, 3, 4), dt.date(2026, 12, 31),
        )
    ]  # fmt: skip
    assert totals == [0, 100, 700, 750, 400, 400]
    assert figure(session, year=2026).provisional == ("year_running",)


def test_what_is_entered_late_was_not_known_before(session: Session, now: dt.datetime) -> None:
    enter(session, now, WENLING, HANGZHOU, 100)
    counting = queries.caliber(session)
    before = queries.figure(session, counting, 2024, as_of=TODAY)
    enter(session, now, WENLING, HANGZHOU, 1_000)
    assert queries.figure(session, counting, 2024, as_of=TODAY).numerator_fen == 1_100
    again = queries.figure(session, counting, 2024, as_of=TODAY, at=before.known_at)
    assert again == before
    assert figure(session, as_of=dt.date(2026, 3, 1)).numerator_fen == 0


def test_a_published_figure_stays_and_its_revision_tells_the_difference(
    session: Session, now: dt.datetime
) -> None:
    kept = enter(session, now, WENLING, HANGZHOU, 1_000)
    gone = enter(session, now, WENLING, HANGZHOU, 2_000)
    wanted = SnapshotInput(caliber="C4", year=2024)
    first = service.publish_snapshot(session, OFFICIAL, now, wanted)
    row, content = snapshots.snapshot(session, first)
    assert (row.numerator_fen, row.contract_count) == (3_000, 2)
    assert service.fingerprint(content) == row.sha256
    deals.step(session, OFFICIAL, now, kept, Step.AMEND, deal_fen=1_500, reason="补充协议")
    deals.step(session, OFFICIAL, now, gone, Step.REVOKE, reason="重复登记")
    added = enter(session, now, WENLING, HANGZHOU, 10)
    assert snapshots.snapshot(session, first) == (row, content)
    with pytest.raises(InvalidInput) as refused:
        service.publish_snapshot(session, OFFICIAL, now, wanted)
    assert refused.value.problems[0][:2] == ("reason", "revision_reason")
    again = wanted.model_copy(update={"reason": "补充协议登记"})
    second = service.publish_snapshot(session, OFFICIAL, now, again, lambda sha256: (sha256[:8], "key"))
    revised, after = snapshots.snapshot(session, second)
    assert (revised.supersedes_id, revised.numerator_fen) == (first, 1_510)
    found = [(one.contract_id, one.before_fen, one.after_fen) for one in snapshots.changes(content, after)]
    assert found == [(kept, 1_000, 1_500), (gone, 2_000, None), (added, None, 10)]
    assert (revised.reason, revised.signature, revised.key_id) == ("补充协议登记", revised.sha256[:8], "key")
    kept_in_rows = snapshots.revised(session, row, revised)
    assert [(one.contract_id, one.before_fen, one.after_fen) for one in kept_in_rows] == found
    causes = {
        one.contract_id: [(step.cause.value, step.reason) for step in one.steps]
        for one in snapshots.explained(session, row, revised, kept_in_rows)
    }
    assert causes[kept] == [("amend", "补充协议")]
    assert causes[gone] == [("revoke", "重复登记")]
    assert [cause for cause, _ in causes[added]] == ["register"]
    stored = session.get(Snapshot, first)
    assert stored is not None
    stored.numerator_fen = 1
    with pytest.raises(TypeError), session.begin_nested():
        session.flush()
    session.expunge(stored)


def test_publishing_needs_the_right_a_caliber_and_a_gdp(session: Session, now: dt.datetime) -> None:
    with pytest.raises(NotAllowed):
        service.publish_snapshot(session, STAFF, now, SnapshotInput(caliber="C4", year=2024))
    with pytest.raises(NotFound):
        service.publish_snapshot(session, OFFICIAL, now, SnapshotInput(caliber="X9", year=2024))
    with pytest.raises(InvalidInput):
        service.publish_snapshot(session, OFFICIAL, now, SnapshotInput(caliber="C4", year=2020))


def test_the_public_is_not_told_a_single_contract_s_amount(session: Session, now: dt.datetime) -> None:
    for _ in range(4):
        enter(session, now, WENLING, HANGZHOU, 100)
    for _ in range(3):
        enter(session, now, WENLING, HANGZHOU, 90, kind=("consulting", "survey"))
    enter(session, now, WENLING, HANGZHOU, 5_000, kind=("licence", "patent"))
    one = figure(session)
    full = queries.breakdown(one, Dimension.KIND, detail=True)
    assert [(cell.key, cell.count, cell.fen) for cell in full] == [
        ("licence", 1, 5_000), ("service", 4, 400), ("consulting", 3, 270),
    ]  # fmt: skip
    public = queries.breakdown(one, Dimension.KIND, detail=False)
    assert [(cell.key, cell.count, cell.fen) for cell in public] == [
        ("service", 4, 400), ("consulting", 3, None), ("licence", 1, None),
    ]  # fmt: skip


def test_the_public_is_not_told_what_a_single_amendment_changed(session: Session, now: dt.datetime) -> None:
    """Where a change counts in its own period, a cell may have an amount and no contract of its own."""
    changed = enter(session, now, WENLING, HANGZHOU, 5_000, dt.date(2025, 6, 3))
    for kind in (("consulting", "survey"), ("licence", "patent")):
        for _ in range(3):
            enter(session, now, WENLING, HANGZHOU, 100, dt.date(2026, 2, 3), kind=kind)
    deals.step(session, OFFICIAL, now, changed, Step.AMEND, deal_fen=5_777, reason="补充")
    counting = replace(queries.caliber(session), amendments=AmendmentRule.WHEN_CHANGED)
    found = queries.figure(session, counting, 2026, as_of=TODAY)
    assert (found.numerator_fen, found.contract_count) == (1_377, 6)
    full = queries.breakdown(found, Dimension.KIND, detail=True)
    assert [(cell.key, cell.count, cell.fen) for cell in full] == [
        ("service", 0, 777), ("consulting", 3, 300), ("licence", 3, 300),
    ]  # fmt: skip
    public = queries.breakdown(found, Dimension.KIND, detail=False)
    assert {cell.key: cell.fen for cell in public} == {"service": None, "consulting": None, "licence": 300}


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 6)))
def test_a_withheld_cell_cannot_be_worked_out_from_the_total(counts: dict[str, int]) -> None:
    hidden = rules.withheld(counts)
    assert all(key in hidden for key, count in counts.items() if count < rules.SMALL_CELL)
    assert len(hidden) != 1 or len(counts) == 1


@contextmanager
def counting_statements(session: Session) -> Iterator[list[str]]:
    seen: list[str] = []
    connection = session.connection()

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    sa.event.listen(connection, "before_cursor_execute", note)
    yield seen
    sa.event.remove(connection, "before_cursor_execute", note)


def test_figures_of_many_years_take_as_many_statements_as_of_one(session: Session, now: dt.datetime) -> None:
    for year in range(2019, 2026):
        enter(session, now, WENLING, HANGZHOU, 100, dt.date(year, 6, 3))
    one = queries.caliber(session)
    with counting_statements(session) as seen:
        found = queries.figures(session, one, range(2019, 2026), as_of=TODAY)
    assert len(seen) == 3
    assert [figure.numerator_fen for figure in found] == [100] * 7
    assert queries.default_year(found, TODAY) == 2024
    assert queries.years(session, TODAY)[0] == 2026
    assert session.scalar(sa.select(sa.func.count()).select_from(t(GdpRelease))) == 1
