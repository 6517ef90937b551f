"""Lots of the formats other than English: of each, one that is over and one that is open."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from web.demo.content.lots import (
    DAY,
    YUAN,
    DemoBid,
    DemoBidder,
    DemoLot,
    DemoTerms,
    Outcome,
    firms,
    fitting_result,
)
from web.demo.content.organisations import DemoOrganisation
from web.demo.content.results import DemoResult

ALL_INDUSTRIES = (
    "pumps_motors", "machine_tools", "auto_parts", "laser_electronics", "new_materials", "digital", "medical",
    "environment", "footwear",
)  # fmt: skip
FEATURED = ("lanchi", "qushan")
"""Organisations of the demo's bidders, who are admitted wherever bidding is open."""
REVEAL_S = 3600


def lots(
    rng: random.Random,
    organisations: tuple[DemoOrganisation, ...],
    results: tuple[DemoResult, ...],
    others: Sequence[DemoLot],
) -> tuple[DemoLot, ...]:
    """Six lots, none of a result that the others use."""
    taken = {one.result for one in others}
    numbers: dict[str, int] = {}
    for one in others:
        numbers[one.sale] = max(numbers.get(one.sale, 0), one.number)
    found: list[DemoLot] = []
    for make, sale, opens, open_ in (
        (_sealed, "sale-spring", -93.0 * DAY, False),
        (_dutch, "sale-summer", -58.0 * DAY, False),
        (_scoring, "sale-autumn", -26.0 * DAY, False),
        (_sealed, "sale-now", -5400.0, True),
        (_dutch, "sale-now", -4500.0, True),
        (_scoring, "sale-now", -6300.0, True),
    ):
        result = fitting_result(results, taken, -opens / DAY + 12, ALL_INDUSTRIES)
        numbers[sale] += 1
        names = firms(rng, result, organisations, 6)
        if open_:
            featured = [one for one in FEATURED if one != result.organisation]
            names = featured + [one for one in names if one not in FEATURED]
        lot = make(rng, result, names[:4], open_)
        found.append(replace(lot, key=f"{lot.key}-{'live' if open_ else 'past'}", sale=sale,
                             number=numbers[sale], opens_in_s=opens))  # fmt: skip
    return tuple(found)


def _lot(
    rng: random.Random,
    result: DemoResult,
    names: Sequence[str],
    terms: DemoTerms,
    bids: Sequence[DemoBid],
    winner: DemoBid | None,
) -> DemoLot:
    return DemoLot(
        key=f"lot-{terms.format}",
        sale="",
        number=0,
        result=result.key,
        title=result.title,
        opens_in_s=0.0,
        published_before_s=8 * DAY,
        terms=terms,
        bidders=tuple(DemoBidder(name, rng.randrange(90_000, 5 * 86_400), None) for name in names),
        bids=tuple(bids),
        stop=None,
        expected=Outcome.OPEN if winner is None else Outcome.SOLD,
        winner="" if winner is None else winner.organisation,
        hammer_fen=None if winner is None else winner.amount_fen,
    )


def _terms(result: DemoResult, format_name: str, duration_s: int, **params: int | str) -> DemoTerms:
    assert result.price_low_fen is not None
    soft = format_name == "scoring"
    return DemoTerms(
        start_fen=result.price_low_fen,
        step_fen=1000 * YUAN,
        reserve_fen=None,
        deposit_fen=max(1, round(result.price_low_fen / 10 / (1000 * YUAN))) * 1000 * YUAN,
        duration_s=duration_s,
        window_s=300 if soft else 0,
        extension_s=300 if soft else 0,
        hard_end_s=duration_s + 4 * 3600 if soft else None,
        max_steps=None,
        sole_bidder_sells=True,
        format=format_name,
        params=tuple(params.items()),
    )


def _nonce(rng: random.Random) -> str:
    return f"{rng.getrandbits(128):032x}"


def _sealed(rng: random.Random, result: DemoResult, names: Sequence[str], open_: bool) -> DemoLot:
    """Envelopes, one of them replaced; in the past one stays unopened."""
    terms = _terms(
        result, "sealed", 2 * 86_400 if open_ else 7200, pricing="own", reveal_s=REVEAL_S, unopened="void"
    )
    start = terms.start_fen
    sealers = names[2:] if open_ else names
    bids: list[DemoBid] = []
    for place, name in enumerate(sealers):
        amount = start + rng.randrange(2, 30) * 5000 * YUAN + place * 100 * YUAN
        bids.append(DemoBid(600.0 + place * 700, name, amount, "seal", nonce=_nonce(rng)))
    changed = bids[0]
    bids.append(
        replace(
            changed,
            offset_s=changed.offset_s + 3000,
            amount_fen=changed.amount_fen + 12_000 * YUAN,
            nonce=_nonce(rng),
        )
    )
    if open_:
        return _lot(rng, result, names, terms, bids, None)
    last = {bid.organisation: bid for bid in bids}
    opened = [
        replace(bid, offset_s=terms.duration_s + 120.0 + place * 400, act="open")
        for place, bid in enumerate(list(last.values())[:-1])
    ]
    return _lot(rng, result, names, terms, [*bids, *opened], max(opened, key=lambda bid: bid.amount_fen))


def _dutch(rng: random.Random, result: DemoResult, names: Sequence[str], open_: bool) -> DemoLot:
    """A price that falls thirty times or more; in the past somebody takes the sixth step."""
    assert result.price_low_fen is not None
    start = result.price_low_fen * 3 // 2
    decrement = max(1000 * YUAN, start // 60 // (1000 * YUAN) * 1000 * YUAN)
    floor, interval = start - 30 * decrement, 900 if open_ else 60
    terms = replace(
        _terms(result, "dutch", 31 * interval, floor_fen=floor, decrement_fen=decrement, interval_s=interval),
        start_fen=start,
    )
    if open_:
        return _lot(rng, result, names, terms, [], None)
    take = DemoBid(5 * interval + 17.0, rng.choice(list(names)), start - 5 * decrement, "take")
    return _lot(rng, result, names, terms, [take], take)


def _scoring(rng: random.Random, result: DemoResult, names: Sequence[str], open_: bool) -> DemoLot:
    """Offers that weigh a price now against a royalty later, each better than the one before."""
    terms = _terms(
        result, "scoring", 4 * 86_400 if open_ else 3600,
        price_weight=60, royalty_weight=40, royalty_unit_bp=300, royalty_most_bp=1000, score_step=100,
    )  # fmt: skip
    start, bids = terms.start_fen, []
    for place in range(4 if open_ else 6):
        name = names[place % 2 + (2 if open_ and place < 3 else 0)]
        royalty = 100 + place * 50
        bids.append(
            DemoBid(400.0 + place * 480, name, start + place * 5000 * YUAN, "offer", royalty_bp=royalty)
        )
    return _lot(rng, result, names, terms, bids, None if open_ else bids[-1])
