"""Demo contracts that deserve a second look, waiting in the registrar's queue. All invented."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from market.clock import local_date
from market.db import Session
from market.deals.models import ContractState
from market.permissions import Role
from web.demo.content.contracts import DemoContract
from web.demo.contracts import enter_under_way
from web.demo.people import Cast

ROUND_SUM = 150_000_000
"""Fen."""


def like_these(found: Sequence[DemoContract], today: dt.date) -> list[DemoContract]:
    """One nearly the same as a registered contract, one between related parties, one for a round sum signed
    at the end of last year."""
    members = [
        one
        for one in found
        if one.state is ContractState.REGISTERED and one.amended_on is None and one.seller and one.buyer
    ]
    latest = sorted(members, key=lambda one: (one.signed_on, one.key), reverse=True)
    if len(latest) < 3:
        return []
    same, related, rounded = latest[:3]
    last_year = dt.date(today.year - 1, 12, 29)
    return [
        _submitted(
            same, "twice", f"{same.title}（二期）", same.deal_fen * 102 // 100,
            min(same.signed_on + dt.timedelta(days=20), today), today,
        ),
        replace(
            _submitted(
                related, "related", f"{related.title}后续改进技术服务", related.deal_fen // 2,
                min(related.signed_on + dt.timedelta(days=30), today), today,
            ),
            related_party=True,
        ),
        _submitted(rounded, "round", f"{rounded.title}配套试验", ROUND_SUM, last_year, today),
    ]  # fmt: skip


def _submitted(
    one: DemoContract, key: str, title: str, fen: int, signed_on: dt.date, today: dt.date
) -> DemoContract:
    return replace(
        one,
        key=f"{one.key}-{key}",
        title=title[:200],
        deal_fen=fen,
        technology_fen=fen,
        deductions=(),
        signed_on=signed_on,
        effective_on=signed_on,
        ends_on=signed_on + dt.timedelta(days=730),
        submitted_on=max(signed_on, today - dt.timedelta(days=1)),
        accepted_on=None,
        registered_on=None,
        state=ContractState.SUBMITTED,
        reason="",
        result="",
    )


def enter(
    session: Session, cast: Cast, found: Sequence[DemoContract], results: Mapping[str, int], now: dt.datetime
) -> None:
    """Enter them as far as submission."""
    official = cast.anyone(Role.OFFICIAL)
    for one in like_these(found, local_date(now)):
        enter_under_way(session, official, one, cast, results, now)
