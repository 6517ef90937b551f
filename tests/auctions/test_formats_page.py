"""docs/auction-formats.md: the format that it adds as an example is taken from the page and played."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from auctions import journal
from auctions.checker.formats import FORMATS
from auctions.rules import commands as c
from auctions.rules import events as e
from auctions.rules.formats import RULES, Rules, problems
from auctions.rules.refusal import RefusalCode
from auctions.rules.state import Lot, LotState
from auctions.verify import verify_lines
from tests.auctions.histories import ENDS, LOT, OPENS, History, forged, with_terms

PAGE = (Path(__file__).parents[2] / "docs" / "auction-formats.md").read_text(encoding="utf-8")
S = dt.timedelta(seconds=1)


def module_of(page_part: str, folder: Path) -> ModuleType:
    """The code block under a mark of the page, as a module."""
    match = re.search(rf"<!-- {page_part} -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert match
    path = folder / f"one_price_{page_part}.py"
    path.write_text(match[1], encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def one_price(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    rules = module_of("rules", tmp_path)
    checker = module_of("checker", tmp_path)
    monkeypatch.setitem(RULES, rules.NAME, rules)
    monkeypatch.setitem(FORMATS, checker.OnePrice.name, checker.OnePrice)
    yield rules
    for part in ("rules", "checker"):
        del sys.modules[f"one_price_{part}"]


def opened() -> History:
    history = History(
        with_terms(
            format="one_price", window_s=0, hard_end=None, reserve_fen=None, reserve_nonce="", cap_fen=None
        )
    )
    assert problems(history.lot.terms) == []
    assert history.do(c.Publish(lot_id=LOT)) is None
    for organisation_id in (11, 12):
        assert history.admit(organisation_id) is None
    assert history.do(c.Open(lot_id=LOT), OPENS) is None
    return history


def test_the_example_offers_all_that_a_format_must(one_price: ModuleType) -> None:
    wanted = {name for name in (*Rules.__annotations__, *vars(Rules)) if not name.startswith("_")}
    assert wanted <= set(vars(one_price))
    assert one_price.__doc__


def test_a_lot_of_the_example_is_played_and_checked(one_price: ModuleType) -> None:
    history = opened()
    for amount, act, code in [
        (999, "take", RefusalCode.BID_BELOW_START),
        (1001, "take", RefusalCode.BID_ABOVE_CAP),
        (1000, "bid", RefusalCode.ACT_NOT_TAKEN),
    ]:
        refusal = history.bid(1, amount, OPENS + S, act=act)
        assert refusal is not None
        assert refusal.code is code
    assert history.bid(2, 1000, OPENS + 2 * S, act="take") is None
    assert (history.lot.state, history.lot.winner, history.lot.hammer_fen) == (LotState.SOLD, 2, 1000)
    report = verify_lines(history.lines())
    assert report.violations == []
    assert (report.winner, report.hammer_fen) == (2, 1000)
    bodies = [json.loads(entry.body) for entry in history.entries]
    assert journal.replay(LOT, history.lot.terms, bodies) == history.lot
    assert Lot.from_fold(LOT, history.lot.terms, json.loads(json.dumps(history.lot.fold()))) == history.lot


def test_a_lot_of_the_example_that_nobody_takes(one_price: ModuleType) -> None:
    history = opened()
    assert history.do(c.Close(lot_id=LOT), ENDS + S) is None
    assert history.entries[-1].data["reason"] == e.CloseReason.NO_BID
    report = verify_lines(history.lines())
    assert (report.violations, report.state) == ([], "passed_in")


@pytest.mark.parametrize(
    ("place", "change", "code"),
    [
        (-2, {"amount_fen": 900}, "wrong_price"),
        (-1, {"winner": 1}, "wrong_outcome"),
        (-2, {"act": "bid"}, "act_unknown"),
    ],
)
def test_the_examples_checker_sees_forgeries(
    one_price: ModuleType, place: int, change: dict[str, object], code: str
) -> None:
    history = opened()
    assert history.bid(2, 1000, OPENS + 2 * S, act="take") is None
    found = verify_lines(forged(history, lambda bodies: bodies[place].update(change))).violations
    assert code in [violation.code for violation in found]


def test_without_its_twin_the_checker_says_so(one_price: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(FORMATS, "one_price")
    found = verify_lines(opened().lines()).violations
    assert [violation.code for violation in found] == ["unknown_format"]


def test_every_format_has_its_twin_and_its_place_on_the_page() -> None:
    assert set(RULES) == set(FORMATS)
    for name, rules in RULES.items():
        assert f"(`{name}`, " in PAGE
        for act in rules.ACTS:
            assert f"`{act}`" in PAGE
        for parameter in rules.PARAMETERS:
            assert f"`{parameter.name}`" in PAGE


def test_every_kind_of_entry_stands_on_the_page() -> None:
    for kind, event in e.EVENTS.items():
        assert f"`{kind.value}`" in PAGE
        told = {"ends_at", *event.SECRET}
        fields = [name for name in event.__annotations__ if name not in {"kind", "SECRET", *told}]
        for name in fields:
            assert f"`{name}`" in PAGE
