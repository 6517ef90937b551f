"""The checker on every format: clean on true journals, and each of its codes on a journal made to break it."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import auctions.checker
import auctions.verify
from auctions.rules import commands as c
from auctions.rules.canonical import canonical, digest, instant, iso
from auctions.rules.settlement import SettlementTerms
from auctions.rules.state import LotState
from auctions.rules.terms import CapRule
from auctions.verify import verify_lines
from tests.auctions.histories import ENDS, LOT, OPENS, Body, History, forged, with_terms
from tests.auctions.machines.sealed import envelope
from web import i18n

S = dt.timedelta(seconds=1)


def opened(terms: Any) -> History:
    """Four bidders, the fourth with priority; open."""
    history = History(terms)
    assert history.do(c.Publish(lot_id=LOT)) is None
    for organisation_id in (11, 12, 13):
        assert history.admit(organisation_id) is None
    assert history.admit(14, priority=1) is None
    assert history.do(c.Open(lot_id=LOT), OPENS) is None
    return history


def english() -> History:
    """The example of docs/auction-formats.md as far as it shows two hidden maxima; seq 8 is the first bid."""
    history = opened(
        with_terms(
            max_steps=None,
            hand_extensions=1,
            hand_extension_s=120,
            sale_id=3,
            ends_together=True,
            hard_end=None,
        )
    )
    acts = [
        (1, "maximum", 2500),
        (2, "bid", 1300),
        (2, "maximum", 2000),
        (3, "bid", 2500),
        (3, "maximum", 9000),
        (3, "maximum", 9500),
        (4, "bid", 2600),
    ]
    for place, (alias, act, amount) in enumerate(acts, 1):
        assert history.bid(alias, amount, OPENS + place * S, act=act) is None
    assert history.do(c.Extend(lot_id=LOT, reason="网络拥堵"), OPENS + 20 * S) is None
    until = (history.lot.ends_at or ENDS) + 30 * S
    assert history.do(c.ExtendTogether(lot_id=LOT, ends_at=until, with_lot=8)) is None
    assert history.do(c.Close(lot_id=LOT), until + S) is None
    assert (history.lot.winner, history.lot.hammer_fen) == (3, 2700)
    return history


def sealed() -> History:
    """Five envelopes of four bidders; three are opened; second price."""
    history = opened(
        with_terms(
            format="sealed", params={"pricing": "second", "reveal_s": 120, "unopened": "forfeit"},
            window_s=0, hard_end=None,
        )
    )  # fmt: skip
    for place, (alias, amount) in enumerate([(1, 1800), (2, 1500), (2, 2400), (3, 1800), (4, 1800)], 1):
        commitment = envelope(alias, amount, "a" * 32)
        at = OPENS + place * S
        assert history.bid(alias, None, at, act="seal", commitment=commitment) is None
    assert history.do(c.Close(lot_id=LOT), ENDS + S) is None
    for place, (alias, amount) in enumerate([(1, 1800), (2, 2400), (4, 1800)], 1):
        at = ENDS + (1 + place) * S
        assert history.bid(alias, amount, at, act="open", nonce="a" * 32) is None
    assert history.do(c.Close(lot_id=LOT), ENDS + 122 * S) is None
    assert (history.lot.winner, history.lot.hammer_fen) == (2, 1800)
    return history


def dutch() -> History:
    """The example of docs/auction-formats.md: paused in the second step, taken in the third."""
    history = opened(
        with_terms(
            format="dutch", params={"floor_fen": 400, "decrement_fen": 250, "interval_s": 60},
            ends_at=OPENS + 240 * S, window_s=0, hard_end=None, reserve_fen=None, reserve_nonce="",
            cap_fen=None,
        )
    )  # fmt: skip
    assert history.do(c.Pause(lot_id=LOT, reason="故障"), OPENS + 90 * S) is None
    assert history.do(c.Resume(lot_id=LOT), OPENS + 300 * S) is None
    assert history.bid(2, 500, OPENS + 330 * S, act="take", step=2) is None
    assert (history.lot.state, history.lot.hammer_fen) == (LotState.SOLD, 500)
    return history


def scoring() -> History:
    """The example of docs/auction-formats.md, in yuan."""
    history = opened(
        with_terms(
            start_fen=300_000, format="scoring", cap_fen=None, reserve_fen=300_000, hard_end=None,
            params={
                "price_weight": 60, "royalty_weight": 40, "royalty_unit_bp": 100, "royalty_most_bp": 1000,
                "score_step": 100,
            },
        )
    )  # fmt: skip
    for place, (alias, amount, royalty) in enumerate([(1, 300_000, 0), (2, 300_000, 3), (1, 310_000, 1)], 1):
        at = OPENS + place * S
        assert history.bid(alias, amount, at, act="offer", royalty_bp=royalty) is None
    assert history.bid(2, 310_000, act="offer", royalty_bp=2) is not None
    assert history.do(c.Close(lot_id=LOT), ENDS + S) is None
    return history


def capped() -> History:
    """Closed at once, at the cap, by an answer."""
    history = opened(with_terms(cap_fen=2000, cap_rule=CapRule.CLOSE))
    assert history.bid(1, 2000, OPENS + S, act="maximum") is None
    assert history.bid(2, 1900, OPENS + 2 * S) is None
    assert (history.lot.state, history.lot.winner, history.lot.hammer_fen) == (LotState.SOLD, 1, 2000)
    return history


HISTORIES = [english, sealed, dutch, scoring, capped]


def codes(lines: list[str]) -> set[str]:
    return {violation.code for violation in verify_lines(lines).violations}


@pytest.mark.parametrize("history", HISTORIES)
def test_true_journals_are_clean(history: Callable[[], History]) -> None:
    made = history()
    for shown in ("all", "public"):
        report = verify_lines(made.lines(shown))
        assert report.violations == []
        assert (report.winner, report.hammer_fen) == (made.lot.winner, made.lot.hammer_fen)
        assert codes(forged(made, lambda bodies: None, opened=shown)) == set()


def test_a_running_journal_is_clean_with_its_maxima_sealed() -> None:
    made = english()
    for end in range(8, len(made.entries)):
        if made.entries[end].data.get("act") != "auto":
            lines = [line for line in made.lines("none") if '"type":"entry"' in line or '"terms"' in line]
            assert codes(lines[: end + 1]) == set()


def test_terms_of_version_1_keep_their_own_rules() -> None:
    made = opened(with_terms(version=1, maxima=False))
    assert made.bid(1, 1500, OPENS + S) is None
    assert made.bid(2, 1600, OPENS + 2 * S) is None
    assert made.do(c.Close(lot_id=LOT), ENDS + S) is None

    def older(bodies: list[Body]) -> None:
        for body in bodies:
            for name in ("act", "standing", "detail"):
                body.pop(name, None)

    assert codes(forged(made, older)) == set()
    assert "params" not in made.lot.terms.public()


def of(bodies: list[Body], kind: str, place: int = 0) -> Body:
    return [body for body in bodies if body["kind"] == kind][place]


def change(kind: str, place: int = 0, **values: Any) -> Callable[[list[Body]], None]:
    return lambda bodies: of(bodies, kind, place).update(values)


def bid(place: int, **values: Any) -> Callable[[list[Body]], None]:
    return change("bid_accepted", place, **values)


def detail(kind: str, place: int, **values: Any) -> Callable[[list[Body]], None]:
    return lambda bodies: of(bodies, kind, place)["detail"].update(values)


def drop(kind: str, place: int = 0) -> Callable[[list[Body]], None]:
    return lambda bodies: bodies.remove(of(bodies, kind, place))


def move(kind: str, place: int, seconds: float, *names: str) -> Callable[[list[Body]], None]:
    def apply(bodies: list[Body]) -> None:
        body = of(bodies, kind, place)
        for name in names:
            body[name] = iso(instant(body[name]) + dt.timedelta(seconds=seconds))

    return apply


def repeat(kind: str, place: int, before: int) -> Callable[[list[Body]], None]:
    """The entry once more, in front of the one at another place."""
    return lambda bodies: bodies.insert(before, dict(of(bodies, kind, place)))


def announce_before_the_close(bodies: list[Body]) -> None:
    closed = bodies[-1]
    told = {name: closed[name] for name in ("v", "lot", "seq", "at", "ends_at")}
    bodies.insert(-1, {**told, "kind": "announcement", "state": "live", "text": "请稍候"})


def no_opening(bodies: list[Body]) -> None:
    bodies[:] = [body for body in bodies if body["kind"] != "opening_began" and body.get("act") != "open"]
    bodies[-1].update(at=iso(ENDS + S), ends_at=iso(ENDS))


NOTHING: Callable[[list[Body]], None] = lambda bodies: None  # noqa: E731
SCORING = {"price_weight": 60, "royalty_weight": 40, "royalty_unit_bp": 100, "royalty_most_bp": 1000}


def settled(**changes: Any) -> dict[str, Any]:
    return {"settlement": SettlementTerms().public() | changes}


FORGERIES: list[tuple[Callable[[], History], str, Callable[[list[Body]], None], dict[str, Any], str]] = [
    (english, "another format", NOTHING, {"format": "japanese"}, "unknown_format"),
    (english, "terms of another version", NOTHING, {"v": 4}, "unknown_format"),
    (english, "a share that makes another deposit", NOTHING, settled(deposit_share_bp=500), "bad_terms"),
    (english, "a deposit due after the opening", NOTHING, settled(deposit_due_at=iso(ENDS)), "bad_terms"),
    (english, "a contract at once", NOTHING, settled(contract_days=0), "bad_terms"),
    (english, "a rest for nobody", NOTHING, settled(forfeit_rest="staff"), "bad_terms"),
    (sealed, "a next bidder at the second price", NOTHING, settled(runner_up=True), "bad_terms"),
    (dutch, "a next bidder to a falling price", NOTHING, settled(runner_up=True), "bad_terms"),
    (scoring, "a next bidder to a score", NOTHING, settled(runner_up=True), "bad_terms"),
    (english, "nothing about the settlement", NOTHING, {"settlement": None}, "bad_terms"),
    (english, "steps of nothing", NOTHING, {"steps": [[0, 0]]}, "bad_terms"),
    (english, "no steps", NOTHING, {"steps": []}, "bad_terms"),
    (english, "a strange act", bid(1, act="offer"), {}, "act_unknown"),
    (english, "a bid that does not stand", bid(0, standing=False), {}, "wrong_standing"),
    (english, "an amount for a raised maximum", bid(8, amount_fen=2600), {}, "wrong_price"),
    (english, "a raised maximum that stands", bid(8, standing=True, amount_fen=2600), {}, "wrong_standing"),
    (english, "maxima though the terms take none", NOTHING, {"maxima": False}, "maxima_not_taken"),
    (english, "a first maximum above the start", bid(0, amount_fen=1100), {}, "wrong_price"),
    (english, "a maximum that pays a step too much", bid(7, amount_fen=2700), {}, "wrong_price"),
    (english, "an answer without its step", bid(2, amount_fen=1300), {}, "wrong_answer"),
    (english, "an answer of two steps", bid(2, amount_fen=1500), {}, "wrong_answer"),
    (english, "an equal answer that is no match", bid(6, matched=False), {}, "false_match"),
    (english, "an answer left out", drop("bid_accepted", 4), {}, "answer_missing"),
    (english, "an answer in another's name", bid(4, alias=3), {}, "answer_out_of_place"),
    (english, "an answer of its own accord", repeat("bid_accepted", 2, 12), {}, "answer_out_of_place"),
    (english, "an answer in another moment", move("bid_accepted", 2, 0.5, "at"), {}, "answer_out_of_place"),
    (english, "an answer that extends", move("bid_accepted", 2, 60, "ends_at"), {}, "wrong_extension"),
    (english, "a secret of a plain bid", bid(1, sealed="0" * 64), {}, "secret_out_of_place"),
    (english, "a raised maximum unsealed", lambda b: of(b, "bid_accepted", 8).pop("sealed"), {}, "secret_missing"),
    (english, "a deposit that does not cover", NOTHING, {"cover_bp": 1000}, "deposit_does_not_cover"),
    (english, "a match without priority", change("bidder_admitted", 3, priority=None), {}, "bid_too_low"),
    (english, "an extension by hand too many", NOTHING, {"hand_extensions": 0}, "extension_not_allowed"),
    (english, "an extension without a reason", change("extended_by_hand", reason=""), {}, "extension_not_allowed"),
    (english, "an extension by hand too long", move("extended_by_hand", 0, 1, "ends_at"), {}, "wrong_extension"),
    (english, "together without the term", NOTHING, {"ends_together": False}, "extension_not_allowed"),
    (english, "together with itself", change("extended_together", with_lot=LOT), {}, "extension_not_allowed"),
    (english, "together, backwards", move("extended_together", 0, -60, "ends_at"), {}, "end_moved_back"),
    (english, "closed long after the end", move("closed", 0, 3600, "at"), {}, "closed_late"),
    (english, "open after the cap was reached", NOTHING, {"cap_fen": 2700, "cap_rule": "close"}, "not_closed_at_once"),
    (english, "a bid above a later cap", NOTHING, {"cap_fen": 2600}, "bid_above_cap"),
    (capped, "something between the cap and the close", announce_before_the_close, {}, "not_closed_at_once"),
    (capped, "no close at the cap", drop("closed"), {}, "not_closed_at_once"),
    (capped, "a cap that only leads", NOTHING, {"cap_rule": "lead"}, "closed_early"),
    (sealed, "an envelope with an amount on it", bid(0, amount_fen=1800), {}, "envelope_malformed"),
    (sealed, "an envelope with more in it", detail("bid_accepted", 0, hint="高"), {}, "wrong_detail"),
    (english, "a maximum told in the detail", detail("bid_accepted", 0, maximum_fen=2500), {}, "wrong_detail"),
    (sealed, "an envelope that is no hash", detail("bid_accepted", 0, commitment="x"), {}, "envelope_malformed"),
    (sealed, "an envelope that stands", bid(0, standing=True), {}, "wrong_standing"),
    (sealed, "an opening without an envelope", drop("bid_accepted", 0), {}, "envelope_missing"),
    (sealed, "another amount", bid(5, amount_fen=1900), {}, "opening_differs"),
    (sealed, "another nonce", detail("bid_accepted", 5, nonce="b" * 32), {}, "opening_differs"),
    (sealed, "a nonce too short", detail("bid_accepted", 5, nonce="a"), {}, "opening_differs"),
    (sealed, "the envelope replaced before", detail("bid_accepted", 6, sealed_seq=9), {}, "opening_differs"),
    (sealed, "an envelope opened twice", repeat("bid_accepted", 5, 15), {}, "opened_twice"),
    (sealed, "no time to open", no_opening, {}, "opening_skipped"),
    (sealed, "an envelope after the end", repeat("bid_accepted", 4, 13), {}, "bid_while_closed"),
    (sealed, "opened before the end", repeat("bid_accepted", 5, 12), {}, "bid_while_closed"),
    (sealed, "an opening too short", move("opening_began", 0, -60, "ends_at"), {}, "wrong_extension"),
    (sealed, "an opening too early", move("opening_began", 0, -20, "at"), {}, "closed_early"),
    (sealed, "an opening of nothing", lambda b: b.__setitem__(slice(7, 12), []), {}, "illegal_transition"),
    (sealed, "the best does not stand", bid(6, standing=False), {}, "wrong_standing"),
    (sealed, "a reserve for second price forgotten", change("closed", hammer_fen=1500), {}, "wrong_outcome"),
    (sealed, "nobody is said to be unopened", detail("closed", 0, unopened=[]), {}, "wrong_outcome"),
    (sealed, "a milder rule for the unopened", detail("closed", 0, unopened_rule="void"), {}, "wrong_outcome"),
    (sealed, "an amount below the start", NOTHING, {"start_fen": 1900}, "bid_below_start"),
    (sealed, "an amount above the cap", NOTHING, {"cap_fen": 2300}, "bid_above_cap"),
    (sealed, "a pricing that nobody knows", NOTHING, {"params": {"pricing": "third", "unopened": "void", "reveal_s": 120}}, "bad_terms"),
    (dutch, "an earlier step", detail("bid_accepted", 0, step=1), {}, "wrong_step"),
    (dutch, "an earlier price", bid(0, amount_fen=750), {}, "wrong_price"),
    (dutch, "a moment too early for the price", move("bid_accepted", 0, -0.000001, "received_at"), {}, "wrong_step"),
    (dutch, "no close after the take", drop("closed"), {}, "not_closed_at_once"),
    (dutch, "a close in another moment", move("closed", 0, 1, "at"), {}, "not_closed_at_once"),
    (dutch, "another winner", change("closed", winner=1), {}, "wrong_outcome"),
    (dutch, "a take that is a match", bid(0, matched=True), {}, "false_match"),
    (dutch, "an end that the steps do not give", NOTHING, {"ends_at": iso(ENDS)}, "bad_terms"),
    (dutch, "a floor above the start", NOTHING, {"start_fen": 300}, "bad_terms"),
    (scoring, "a score too good", detail("bid_accepted", 1, score="62"), {}, "wrong_score"),
    (scoring, "points rounded up", detail("bid_accepted", 1, points="61.21"), {}, "wrong_score"),
    (scoring, "a score not beaten by a step", bid(1, amount_fen=300_000, detail={"royalty_bp": 2, "score": "304/5", "points": "60.80"}), {}, "score_too_low"),
    (scoring, "the leader's own offer", bid(1, alias=1), {}, "bid_by_leader"),
    (scoring, "a price below the start", bid(0, amount_fen=299_999), {}, "bid_below_start"),
    (scoring, "a royalty beyond the most", NOTHING, {"params": {**SCORING, "royalty_most_bp": 2, "score_step": 100}}, "royalty_out_of_range"),
    (scoring, "another royalty at the end", detail("closed", 0, royalty_bp=3), {}, "wrong_outcome"),
    (scoring, "weights of nothing", NOTHING, {"params": {**SCORING, "price_weight": 0, "score_step": 100}}, "bad_terms"),
    (scoring, "no weights", NOTHING, {"params": {}}, "bad_terms"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("history", "name", "forge", "terms", "code"), FORGERIES, ids=[f"{f[0].__name__}: {f[1]}" for f in FORGERIES]
)  # fmt: skip
def test_forgeries_with_a_right_chain_are_seen(
    history: Callable[[], History],
    name: str,
    forge: Callable[[list[Body]], None],
    terms: dict[str, Any],
    code: str,
) -> None:
    assert code in codes(forged(history(), forge, terms))


def resealed(history: History, seq: int, maximum: int) -> History:
    """The history with another maximum in an entry, sealed as it should be."""
    entry = history.entries[seq - 1]
    text = canonical({**json.loads(entry.secret or "{}"), "maximum_fen": maximum})
    body = canonical({**json.loads(entry.body), "sealed": digest(text)})
    data = {**entry.data, "sealed": digest(text)}
    history.entries[seq - 1] = entry._replace(secret=text, body=body, data=data)
    return history


@pytest.mark.parametrize(
    ("seq", "maximum", "code"),
    [
        (8, 2450, "wrong_answer"),
        (8, 2600, "wrong_answer"),
        (8, 900, "bid_below_start"),
        (8, 200_000, "bid_above_cap"),
        (15, 2500, "wrong_leader"),
        (15, 2550, "bid_off_step"),
        (16, 9000, "maximum_contradicted"),
        (16, 2650, "bid_off_step"),
    ],
)
def test_maxima_that_do_not_fit_are_seen_once_they_are_open(seq: int, maximum: int, code: str) -> None:
    assert code in codes(forged(resealed(english(), seq, maximum), NOTHING, opened="all"))


def test_bounds_of_a_sealed_maximum_may_not_contradict() -> None:
    # 1,350 instead of 1,400 would tell that the maximum is 1,350; yet the holder goes on to 2,500.
    lines = forged(english(), bid(2, amount_fen=1350), opened="none")
    assert "maximum_contradicted" in codes(lines)


def test_secrets_are_opened_truly_and_completely() -> None:
    made = english()
    lines = made.lines()
    secrets = [place for place, line in enumerate(lines) if '"type":"secret"' in line]
    assert [json.loads(lines[place])["seq"] for place in secrets] == [8]
    assert codes([line for place, line in enumerate(lines) if place not in secrets]) == {"secret_missing"}
    other = lines[secrets[0]].replace("2500", "2700")
    assert "secret_differs" in codes([*lines[: secrets[0]], other, *lines[secrets[0] + 1 :]])
    assert "secret_differs" in codes([*lines, lines[secrets[0]]])
    stray = canonical({"type": "secret", "seq": 9, "text": "{}"})
    assert "secret_differs" in codes([*lines, stray])


def test_what_the_winner_would_still_have_paid_stays_sealed() -> None:
    public = "\n".join(english().lines())
    assert "9000" not in public
    assert "9500" not in public
    assert '\\"maximum_fen\\":2500' in public


@pytest.mark.parametrize(
    ("history", "place", "content"),
    [
        (english, 0, {"act": "maximum", "amount_fen": 2500}),
        (english, 7, {"act": "maximum", "amount_fen": 9000}),
        (english, 3, {"act": "maximum", "amount_fen": 2000}),
        (
            sealed,
            0,
            {"act": "seal", "amount_fen": None, "extra": {"commitment": envelope(1, 1800, "a" * 32)}},
        ),
        (sealed, 5, {"act": "open", "amount_fen": 1800, "extra": {"nonce": "a" * 32}}),
        (dutch, 0, {"act": "take", "amount_fen": 500, "extra": {"step": 2}}),
        (scoring, 1, {"act": "offer", "amount_fen": 300_000, "extra": {"royalty_bp": 3}}),
    ],
)
def test_receipts_agree_with_their_entries(
    history: Callable[[], History], place: int, content: dict[str, Any]
) -> None:
    made = history()
    entry = [entry for entry in made.entries if entry.kind == "bid_accepted"][place]
    receipt = {
        "accepted": True,
        "client_bid_id": "x",
        "alias": entry.data["alias"],
        "seq": entry.seq,
        "hash": entry.hash,
        **content,
    }
    assert verify_lines(made.lines(), [receipt]).violations == []
    wrong: list[dict[str, Any]] = [{"alias": 9}, {"act": "x"}, {"extra": {"step": 9}}]
    # What is still sealed may be any amount.
    wrong += [{"amount_fen": 77}] if (history, place) != (english, 7) else []
    for other in wrong:
        found = verify_lines(made.lines(), [{**receipt, **other}]).violations
        assert [violation.code for violation in found] == ["receipt_differs"]


def codes_in(path: Path) -> set[str]:
    """The codes that a module of the checker gives to `wrong`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "wrong":
            first = node.args[0]
            options = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            found |= {str(option.value) for option in options if isinstance(option, ast.Constant)}
    return found


def test_every_code_is_told_in_the_docstring_and_has_a_sentence() -> None:
    used = codes_in(Path(auctions.verify.__file__))
    for path in Path(auctions.checker.__file__).parent.rglob("*.py"):
        used |= codes_in(path)
    told = set(re.findall(r"[a-z]+(?:_[a-z]+)+", auctions.verify.__doc__ or ""))
    assert used <= told
    for language in i18n.LANGUAGES:
        assert [code for code in sorted(used) if not i18n.has_term(f"violation.{code}", language)] == []
    tried = {row[-1] for row in FORGERIES}
    assert {"act_unknown", "wrong_answer", "opened_twice", "wrong_step", "wrong_score"} <= tried
