"""Hypothesis drives lots of every format against models and, at the end, the independent checker.

Amounts and moments are drawn relative to the present price, worth and end: drawn from fixed ranges they
miss the edges where faults live.
"""

from __future__ import annotations

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.auctions.machines.base import Machine, profile
from tests.auctions.machines.dutch import DutchMachine
from tests.auctions.machines.english import EnglishMachine
from tests.auctions.machines.scoring import ScoringMachine
from tests.auctions.machines.sealed import SealedMachine

MACHINES: list[type[Machine]] = [EnglishMachine, SealedMachine, DutchMachine, ScoringMachine]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.__name__)
def test_lots_follow_their_rules(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=profile(60))


@pytest.mark.long
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.__name__)
def test_many_lots_follow_their_rules(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=profile(600, 50))
