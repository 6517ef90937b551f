"""Tables of (state, command, now) → outcome."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from auctions.rules import commands as c
from auctions.rules import events as e
from auctions.rules.decide import decide
from auctions.rules.evolve import evolve
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import Lot, LotState
from auctions.rules.terms import SoleBidderRule, Terms
from market.clock import UTC

T0 = dt.datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
OPENS = T0 + dt.timedelta(hours=1)
ENDS = OPENS + dt.timedelta(minutes=30)
S = dt.timedelta(seconds=1)
TERMS = Terms(
    start_fen=1000,
    steps=((0, 100), (2000, 500)),
    opens_at=OPENS,
    ends_at=ENDS,
    seller_organisation_id=1,
    window_s=60,
    extension_s=60,
)
SEALED = replace(TERMS, reserve_fen=1500, reserve_nonce="0" * 32)


def run(terms: Terms, *steps: tuple[c.Command, dt.datetime]) -> Lot:
    lot = Lot.draft(7, terms)
    for command, at in steps:
        lot = after(lot, command, at)
    return lot


def after(lot: Lot, command: c.Command, at: dt.datetime) -> Lot:
    now = lot.time(at)
    decision = decide(lot, command, now)
    assert not isinstance(decision, Refusal), decision
    for event in decision:
        lot = evolve(lot, event, now)
    return lot


def admit(organisation_id: int, **values: Any) -> c.Admit:
    values = {"is_staff": False, "deposit_fen": 0, "commitment": "a" * 64, **values}
    return c.Admit(lot_id=7, organisation_id=organisation_id, bidder_person_id=organisation_id, **values)


def bid(alias: int | None, amount: int, at: dt.datetime) -> c.PlaceBid:
    return c.PlaceBid(
        lot_id=7, person_id=alias, client_bid_id="x" * 8, amount_fen=amount, received_at=at, alias=alias
    )


def live(terms: Terms = TERMS, *bids: tuple[int, int, dt.datetime]) -> Lot:
    lot = run(
        terms,
        (c.Publish(lot_id=7), T0),
        (admit(11), T0),
        (admit(12), T0),
        (admit(13, priority=1), T0),
        (admit(14, priority=2), T0),
        (c.Open(lot_id=7), OPENS),
    )
    for alias, amount, at in bids:
        lot = after(lot, bid(alias, amount, at), at)
    return lot


def refused(lot: Lot, command: c.Command, at: dt.datetime) -> Refusal:
    decision = decide(lot, command, lot.time(at))
    assert isinstance(decision, Refusal), decision
    return decision


AT = OPENS + 60 * S


@pytest.mark.parametrize(
    ("bids", "alias", "amount", "code", "params"),
    [
        ((), 1, 900, RefusalCode.BID_BELOW_START, {"minimum_fen": 1000}),
        ((), 1, 1050, RefusalCode.BID_OFF_STEP, {"step_fen": 100, "lower_fen": 1000, "upper_fen": 1100}),
        ((), None, 1000, RefusalCode.NOT_ADMITTED, {}),
        ((), 9, 1000, RefusalCode.NOT_ADMITTED, {}),
        (((1, 1000),), 1, 1100, RefusalCode.LEADER_CANNOT_RAISE, {}),
        (((1, 1000),), 2, 1000, RefusalCode.BID_TOO_LOW, {"minimum_fen": 1100, "price_fen": 1000}),
        (((1, 1000),), 2, 1099, RefusalCode.BID_TOO_LOW, {"minimum_fen": 1100, "price_fen": 1000}),
        (((1, 2000),), 2, 2100, RefusalCode.BID_TOO_LOW, {"minimum_fen": 2500, "price_fen": 2000}),
        (((1, 1000),), 2, 1150, RefusalCode.BID_OFF_STEP, None),
        # Priority: 3 has rank 1, 4 has rank 2.
        (((3, 1000),), 4, 1000, RefusalCode.BID_TOO_LOW, None),
    ],
)
def test_amounts_refused(
    bids: tuple[tuple[int, int], ...],
    alias: int | None,
    amount: int,
    code: RefusalCode,
    params: dict[str, Any] | None,
) -> None:
    lot = live(TERMS, *((a, m, AT) for a, m in bids))
    refusal = refused(lot, bid(alias, amount, AT), AT)
    assert refusal.code is code
    if params is not None:
        assert dict(refusal.params) == params
    if bids and alias in lot.admitted:
        assert refusal.seq == lot.leader_seq


@pytest.mark.parametrize(
    ("bids", "alias", "amount", "matched"),
    [
        ((), 1, 1000, False),
        ((), 1, 1300, False),
        (((1, 1000),), 2, 1100, False),
        (((1, 2000),), 2, 2500, False),
        (((1, 1900),), 2, 2000, False),
        (((1, 1000),), 4, 1000, True),
        (((1, 1000), (4, 1000)), 3, 1000, True),
    ],
)
def test_amounts_accepted(bids: tuple[tuple[int, int], ...], alias: int, amount: int, matched: bool) -> None:
    decision = decide(live(TERMS, *((a, m, AT) for a, m in bids)), bid(alias, amount, AT), AT)
    assert isinstance(decision, tuple)
    assert decision == (
        e.BidAccepted(alias=alias, amount_fen=amount, received_at=AT, matched=matched, ends_at=ENDS),
    )


def test_caps_and_leaps_are_bounded() -> None:
    lot = live(replace(TERMS, cap_fen=1500, max_steps=3))
    assert refused(lot, bid(1, 1600, AT), AT).code is RefusalCode.BID_ABOVE_CAP
    assert refused(lot, bid(1, 1400, AT), AT).params == {"maximum_fen": 1300}
    assert after(lot, bid(1, 1300, AT), AT).price_fen == 1300


@pytest.mark.parametrize(
    ("left", "hard", "expected"),
    [
        (61 * S, None, ENDS),
        (60 * S, None, ENDS),
        (59 * S, None, ENDS + 1 * S),
        (dt.timedelta(microseconds=1), None, ENDS + 60 * S - dt.timedelta(microseconds=1)),
        (10 * S, ENDS + 20 * S, ENDS + 20 * S),
        (10 * S, ENDS, ENDS),
    ],
)
def test_the_end_follows_late_bids(
    left: dt.timedelta, hard: dt.datetime | None, expected: dt.datetime
) -> None:
    lot = live(replace(TERMS, hard_end=hard), (1, 1000, ENDS - left))
    assert lot.ends_at == expected
    assert lot.state is (LotState.EXTENDING if expected > ENDS else LotState.LIVE)


def test_the_deadline_is_half_open_and_judged_by_receipt() -> None:
    lot = live()
    assert refused(lot, bid(1, 1000, ENDS), ENDS).code is RefusalCode.BID_AFTER_END
    # Received in time, decided a moment after the end and before the close: it counts.
    late = after(lot, bid(1, 1000, ENDS - S), ENDS + dt.timedelta(milliseconds=300))
    assert late.price_fen == 1000
    assert late.ends_at == ENDS - S + 60 * S


def test_a_clock_that_runs_ahead_of_the_lot_cannot_bid_in_the_future() -> None:
    lot = live()
    decision = decide(lot, bid(1, 1000, ENDS + S), ENDS - S)
    assert isinstance(decision, tuple)


def test_the_close_waits_for_the_margin_and_happens_once() -> None:
    lot = live(TERMS, (1, 1000, AT))
    close = c.Close(lot_id=7)
    assert refused(lot, close, ENDS).code is RefusalCode.NOT_DUE
    closed = after(lot, close, ENDS + dt.timedelta(milliseconds=500))
    assert (closed.state, closed.winner, closed.hammer_fen) == (LotState.SOLD, 1, 1000)
    assert refused(closed, close, ENDS + S).code is RefusalCode.WRONG_LOT_STATE
    assert refused(closed, bid(2, 1100, ENDS - S), ENDS + S).code is RefusalCode.LOT_ENDED


@pytest.mark.parametrize(
    ("terms", "bids", "reason"),
    [
        (TERMS, (), e.CloseReason.NO_BID),
        (SEALED, ((1, 1400),), e.CloseReason.RESERVE_NOT_MET),
        (SEALED, ((1, 1400), (2, 1500)), e.CloseReason.SOLD),
        (replace(TERMS, sole_bidder=SoleBidderRule.PASS_IN), ((1, 1000),), e.CloseReason.SOLE_BIDDER),
        (replace(TERMS, sole_bidder=SoleBidderRule.PASS_IN), ((1, 1000), (2, 1100)), e.CloseReason.SOLD),
    ],
)
def test_outcomes(terms: Terms, bids: tuple[tuple[int, int], ...], reason: e.CloseReason) -> None:
    lot = live(terms, *((a, m, AT) for a, m in bids))
    decision = decide(lot, c.Close(lot_id=7), ENDS + S)
    assert isinstance(decision, tuple)
    closed = decision[0]
    assert isinstance(closed, e.Closed)
    assert closed.reason is reason
    assert (closed.winner is not None) == (reason is e.CloseReason.SOLD)
    assert closed.reserve_fen == terms.reserve_fen


def test_a_pause_gives_its_time_back() -> None:
    lot = after(live(), c.Pause(lot_id=7, reason="线路故障"), AT)
    assert refused(lot, bid(1, 1000, AT), AT).code is RefusalCode.LOT_PAUSED
    assert refused(lot, c.Close(lot_id=7), ENDS + S).code is RefusalCode.WRONG_LOT_STATE
    resumed = after(lot, c.Resume(lot_id=7), AT + 600 * S)
    assert (resumed.state, resumed.ends_at) == (LotState.LIVE, ENDS + 600 * S)


def test_a_suspension_before_the_opening_gives_back_only_what_it_took() -> None:
    lot = run(TERMS, (c.Publish(lot_id=7), T0), (c.Suspend(lot_id=7, reason="权属争议"), T0 + S))
    early = after(lot, c.Resume(lot_id=7), T0 + 60 * S)
    assert (early.opens_at, early.ends_at) == (OPENS, ENDS)
    late = after(lot, c.Resume(lot_id=7), OPENS + 90 * S)
    assert (late.opens_at, late.ends_at) == (OPENS + 90 * S, ENDS + 90 * S)


def test_a_suspension_out_of_a_pause_counts_from_the_pause() -> None:
    lot = after(live(), c.Pause(lot_id=7, reason="a"), AT)
    lot = after(lot, c.Suspend(lot_id=7, reason="b"), AT + 10 * S)
    lot = after(lot, c.Resume(lot_id=7), AT + 30 * S)
    assert (lot.state, lot.ends_at) == (LotState.LIVE, ENDS + 30 * S)


def test_a_late_opening_moves_the_end() -> None:
    lot = run(TERMS, (c.Publish(lot_id=7), T0), (c.Open(lot_id=7), OPENS + 100 * S))
    assert lot.ends_at == ENDS + 100 * S


def test_an_outage_at_the_end_gives_more_time_instead_of_closing() -> None:
    lot = after(live(TERMS, (1, 1000, AT)), c.Close(lot_id=7), ENDS + 3600 * S)
    assert lot.state is LotState.EXTENDING
    assert lot.ends_at == ENDS + 3600 * S + 300 * S


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (admit(1), RefusalCode.BARRED_FROM_BIDDING),
        (admit(2), RefusalCode.BARRED_FROM_BIDDING),
        (admit(3), RefusalCode.BARRED_FROM_BIDDING),
        (admit(11, is_staff=True), RefusalCode.STAFF_MAY_NOT_BID),
        (admit(11, deposit_fen=99), RefusalCode.DEPOSIT_MISSING),
    ],
)
def test_who_is_not_admitted(command: c.Admit, code: RefusalCode) -> None:
    terms = replace(TERMS, organiser_organisation_id=2, barred_organisation_ids=(3,), deposit_fen=100)
    lot = run(terms, (c.Publish(lot_id=7), T0))
    assert refused(lot, command, T0).code is code


def test_the_leader_keeps_the_admission_and_others_can_lose_it() -> None:
    lot = live(TERMS, (1, 1000, AT))
    leave = c.RevokeAdmission(lot_id=7, alias=1, reason="退出")
    assert refused(lot, leave, AT).code is RefusalCode.LEADER_CANNOT_LEAVE
    lot = after(lot, replace(leave, alias=2), AT)
    assert refused(lot, bid(2, 1100, AT), AT).code is RefusalCode.NOT_ADMITTED


def test_withdrawal_is_for_lots_without_a_bid() -> None:
    lot = live()
    assert after(lot, c.Withdraw(lot_id=7, reason="撤回"), AT).state is LotState.WITHDRAWN
    lot = after(lot, bid(1, 1000, AT), AT)
    assert refused(lot, c.Withdraw(lot_id=7, reason="撤回"), AT).code is RefusalCode.BIDS_EXIST
    assert after(lot, c.Cancel(lot_id=7, reason="撤销"), AT).state is LotState.CANCELLED


COMMANDS: list[c.Command] = [
    c.Publish(lot_id=7),
    c.OpenRegistration(lot_id=7),
    admit(15),
    c.RevokeAdmission(lot_id=7, alias=2, reason="r"),
    c.Open(lot_id=7),
    c.Pause(lot_id=7, reason="r"),
    c.Suspend(lot_id=7, reason="r"),
    c.Resume(lot_id=7),
    c.Withdraw(lot_id=7, reason="r"),
    c.Cancel(lot_id=7, reason="r"),
    c.Close(lot_id=7),
    c.Announce(lot_id=7, text="t"),
    c.RecordDefault(lot_id=7, reason="r"),
    c.Extend(lot_id=7, reason="r"),
    c.ExtendTogether(lot_id=7, ends_at=ENDS + 60 * S, with_lot=8),
]
STATES: dict[LotState, Lot] = {
    LotState.DRAFT: Lot.draft(7, replace(TERMS, opens_at=ENDS + 2 * S, ends_at=ENDS + 9 * S)),
    LotState.ANNOUNCED: run(replace(TERMS, registration_opens_at=OPENS), (c.Publish(lot_id=7), T0)),
    LotState.REGISTRATION: run(TERMS, (c.Publish(lot_id=7), T0), (admit(11), T0), (admit(12), T0)),
    LotState.LIVE: live(),
    LotState.EXTENDING: replace(live(), state=LotState.EXTENDING),
    LotState.REVEALING: replace(live(), state=LotState.REVEALING),
    LotState.PAUSED: after(live(), c.Pause(lot_id=7, reason="r"), AT),
    LotState.SUSPENDED: after(live(), c.Suspend(lot_id=7, reason="r"), AT),
    LotState.SOLD: after(live(TERMS, (1, 1000, AT)), c.Close(lot_id=7), ENDS + S),
    LotState.PASSED_IN: after(live(), c.Close(lot_id=7), ENDS + S),
    LotState.WITHDRAWN: after(live(), c.Withdraw(lot_id=7, reason="r"), AT),
    LotState.CANCELLED: after(live(), c.Cancel(lot_id=7, reason="r"), AT),
}
STATES[LotState.DEFAULTED] = after(STATES[LotState.SOLD], c.RecordDefault(lot_id=7, reason="r"), ENDS + S)
ALLOWED: dict[LotState, str] = {
    LotState.DRAFT: "Publish",
    LotState.ANNOUNCED: "OpenRegistration Suspend Withdraw Cancel Announce",
    LotState.REGISTRATION: "Admit RevokeAdmission Open Suspend Withdraw Cancel Announce",
    LotState.LIVE: "Admit RevokeAdmission Pause Suspend Withdraw Cancel Close Announce",
    LotState.EXTENDING: "Admit RevokeAdmission Pause Suspend Withdraw Cancel Close Announce",
    LotState.REVEALING: "RevokeAdmission Pause Suspend Withdraw Cancel Close Announce",
    LotState.PAUSED: "Admit RevokeAdmission Suspend Resume Withdraw Cancel Announce",
    LotState.SUSPENDED: "Admit RevokeAdmission Resume Withdraw Cancel Announce",
    LotState.SOLD: "Announce RecordDefault",
    LotState.PASSED_IN: "Announce",
    LotState.WITHDRAWN: "Announce",
    LotState.CANCELLED: "Announce",
    LotState.DEFAULTED: "Announce",
}


@pytest.mark.parametrize("state", list(LotState))
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_which_command_fits_which_state(state: LotState, command: c.Command) -> None:
    lot = STATES[state]
    assert lot.state is state
    decision = decide(lot, command, ENDS + S)
    assert (not isinstance(decision, Refusal)) == (type(command).__name__ in ALLOWED[state].split())


@pytest.mark.parametrize("state", list(LotState))
def test_every_state_survives_storage(state: LotState) -> None:
    lot = STATES[state]
    assert Lot.from_fold(7, lot.terms, {} if state is LotState.DRAFT else lot.fold()) == lot


def test_every_event_survives_storage() -> None:
    import json

    from auctions.rules.canonical import canonical

    samples: dict[str, Any] = {
        "int": 1, "str": "a", "bool": False, "int | None": None, "dt.datetime": T0,
        "dt.datetime | None": T0, "CloseReason": e.CloseReason.SOLD, "Mapping[str, Any]": {"a": [1]},
        "str | None": "n",
    }  # fmt: skip
    for cls in e.EVENTS.values():
        event = cls(**{name: samples[kind] for name, kind in cls.__annotations__.items() if name != "kind"})
        secret = e.secret_of(event)
        body = canonical(e.to_data(event))
        assert e.from_data(cls.kind, json.loads(body), json.loads(secret or "{}")) == event
        assert not any(f'"{name}"' in body for name in cls.SECRET)


def test_terms_survive_storage_and_hide_the_reserve() -> None:
    assert Terms.from_private(SEALED.private()) == SEALED
    assert "1500" not in SEALED.canonical()
    assert SEALED.hash() != TERMS.hash()
    assert replace(SEALED, reserve_fen=1600).hash() != SEALED.hash()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"start_fen": 0}, "amount_out_of_range"),
        ({"steps": ()}, "bad_step_table"),
        ({"steps": ((5, 1),)}, "bad_step_table"),
        ({"steps": ((0, 0),)}, "step_not_positive"),
        ({"cap_fen": 1000}, "cap_not_above_start"),
        ({"reserve_fen": 900, "reserve_nonce": "0" * 32}, "reserve_below_start"),
        ({"reserve_fen": 1200, "reserve_nonce": ""}, "reserve_nonce_missing"),
        ({"reserve_fen": 1200, "reserve_nonce": "0" * 32, "cap_fen": 1100}, "reserve_above_cap"),
        ({"ends_at": OPENS}, "ends_before_it_opens"),
        ({"hard_end": ENDS - S}, "hard_end_before_end"),
        ({"registration_opens_at": OPENS + S}, "registration_after_opening"),
        ({"opens_at": T0}, "opens_in_the_past"),
        ({"extension_s": 0}, "out_of_range"),
    ],
)
def test_terms_that_cannot_be(change: dict[str, Any], code: str) -> None:
    assert code in [problem[1] for problem in replace(TERMS, **change).problems(T0)]
    assert TERMS.problems(T0) == []
