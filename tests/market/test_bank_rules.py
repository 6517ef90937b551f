"""References that show a slip, statements that add up, what a line could be, how pay-outs move."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.errors import WrongState
from market.payments.bank import references, rules
from market.payments.bank.models import MatchKind, PayOutState
from market.payments.bank.rules import Candidate, PayOutStep, Reason, StatementLine

numbers = st.integers(0, references.COUNT - 1)
DAY = dt.date(2026, 3, 2)


@given(numbers, st.integers(2, 8), st.sampled_from(references.ALPHABET))
def test_one_wrong_character_shows(number: int, place: int, letter: str) -> None:
    right = references.reference(number)
    wrong = right[:place] + letter + right[place + 1 :]
    assert references.is_reference(right)
    assert references.is_reference(wrong) == (wrong == right)


@given(numbers, st.integers(2, 8), st.integers(2, 8))
def test_two_swapped_characters_show(number: int, one: int, other: int) -> None:
    right = references.reference(number)
    letters = list(right)
    letters[one], letters[other] = letters[other], letters[one]
    wrong = "".join(letters)
    assert references.is_reference(wrong) == (wrong == right)


@given(numbers, numbers)
def test_no_two_numbers_share_a_reference(one: int, other: int) -> None:
    assert (references.reference(one) == references.reference(other)) == (one == other)


@given(
    numbers,
    st.sampled_from(["{}", "保证金{}", "tm {} 标的", "{} 2026"]),
    st.sampled_from(["", " ", "-", " "]),
)
def test_a_reference_is_found_however_it_was_typed(number: int, sentence: str, gap: str) -> None:
    right = references.reference(number)
    typed = gap.join(right).lower()
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in typed)
    assert right in references.references_in(sentence.format(typed))
    assert right in references.references_in(sentence.format(wide))
    assert right in references.references_in(sentence.format(references.spaced(right)))


def test_what_is_no_reference() -> None:
    for number in (-1, references.COUNT):
        with pytest.raises(ValueError, match="reference"):
            references.reference(number)
    for text in ("", "TM", "TM0000000", "XX2345678", references.reference(7)[:-1]):
        assert not references.is_reference(text)
    assert references.references_in("TM 合同款") == []


def line(position: int, amount: int, balance: int | None = None, **values: object) -> StatementLine:
    return StatementLine(position, DAY, amount, balance_fen=balance, **values)  # type: ignore[arg-type]


amounts = st.integers(-(10**9), 10**9).filter(bool)


@given(st.lists(amounts, min_size=1, max_size=20), st.booleans(), st.integers(0, 10**9), st.data())
def test_a_balance_that_does_not_follow_is_found(
    moved: list[int], newest_first: bool, opening: int, data: st.DataObject
) -> None:
    lines, balance = [], opening
    for position, amount in enumerate(moved, 1):
        balance += amount
        lines.append(line(position, amount, balance))
    given_lines = lines[::-1] if newest_first else lines
    assert rules.balance_breaks(given_lines) == []
    assert rules.oldest_first(given_lines)[0].balance_fen in (opening + moved[0], lines[-1].balance_fen)
    if len(lines) < 3:
        return
    place = data.draw(st.integers(0, len(lines) - 1))
    wrong = [*given_lines]
    one = wrong[place]
    assert one.balance_fen is not None
    wrong[place] = line(one.position, one.amount_fen, one.balance_fen + 1)
    assert rules.balance_breaks(wrong)


def test_lines_without_a_balance_are_stepped_over() -> None:
    assert rules.balance_breaks([line(1, 5, 5), line(2, 5), line(3, 5, 15)]) == []
    assert [one.position for one in rules.balance_breaks([line(1, 5, 5), line(2, 5), line(3, 5, 16)])] == [3]


def test_a_line_is_the_same_by_its_serial_number_and_equal_lines_are_counted() -> None:
    two = [line(1, 5, remark="a"), line(2, 5, remark="a")]
    marks = rules.fingerprints(two)
    assert len(set(marks)) == 2
    assert rules.fingerprints([*two, line(3, 5, remark="a")])[:2] == marks
    assert rules.fingerprints([line(9, 5, serial="7", remark="b")]) == rules.fingerprints(
        [line(1, 5, serial="7", remark="c")]
    )
    # A transfer and what the bank charges for it carry one serial number.
    assert len(set(rules.fingerprints([line(1, 5, serial="7"), line(2, -1, serial="7")]))) == 2


def test_what_a_line_could_be_is_told_with_reasons() -> None:
    right, other = references.reference(41), references.reference(42)
    known = [
        Candidate(MatchKind.PAYMENT, 1, right, 5_000, ("温岭某泵业有限公司",), since=DAY),
        Candidate(MatchKind.PAYMENT, 2, other, 5_000, ("某机电有限公司",), since=DAY),
        Candidate(MatchKind.PAYMENT, 3, references.reference(43), 9_000, ("某大学",), since=DAY),
        Candidate(MatchKind.PAY_OUT, 4, references.reference(44), -5_000, ("温岭某泵业有限公司",)),
    ]
    found = rules.suggest(5_000, DAY, f"竞买 {right.lower()}", "温岭某泵业", "", known)
    assert [one.candidate.id for one in found] == [1, 2]
    assert found[0].reasons == (Reason.REFERENCE, Reason.AMOUNT, Reason.PAYER_LIKE)
    assert found[1].reasons == (Reason.AMOUNT,)
    part = rules.suggest(2_000, DAY, right, "温岭某泵业有限公司", "", known)
    assert part[0].reasons == (Reason.REFERENCE, Reason.PART, Reason.PAYER)
    out = rules.suggest(-5_000, DAY, "", "温岭某泵业有限公司", "", known)
    assert [one.candidate.id for one in out] == [4]
    early = rules.suggest(5_000, DAY - dt.timedelta(days=1), "", "某机电有限公司", "", known)
    assert not early
    assert rules.suggest(7, DAY, "", "", "", known) == []


def test_the_table_of_pay_outs() -> None:
    for state in PayOutState:
        for step in PayOutStep:
            expected = rules.STEPS.get((state, step))
            if expected is None:
                with pytest.raises(WrongState):
                    rules.next_state(state, step)
            else:
                assert rules.next_state(state, step) is expected
    # What the bank did after all is told, and is not paid twice.
    assert rules.next_state(PayOutState.WAITING, PayOutStep.LEAVE, 1) is PayOutState.LEFT
    with pytest.raises(WrongState):
        rules.next_state(PayOutState.LEFT, PayOutStep.LEAVE, 1)
    with pytest.raises(WrongState):
        rules.next_state(PayOutState.WAITING, PayOutStep.CANCEL, 1)


@pytest.mark.parametrize(("one", "other"), [(None, None), (3, None), (3, 3)])
def test_nobody_confirms_what_they_proposed(one: int | None, other: int | None) -> None:
    with pytest.raises(rules.SecondPerson):
        rules.check_second(one, other)
    rules.check_second(3, 4)
