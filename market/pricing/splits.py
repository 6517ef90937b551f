"""Verbs and reads of revenue splits. A saved split is never edited; a new one supersedes it. None commits.

Rights: the seller's people and officials (`contract:edit`, `contract:read` of the seller). The buyer learns
nothing of how the seller shares out its income.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market import audit
from market.db import Session, for_update, t
from market.deals.models import Contract, Receipt
from market.deals.policies import Policy, policy_at
from market.errors import InvalidInput, NotFound
from market.permissions import Action, Actor, reaches, require_party
from market.pricing import splitting
from market.pricing.inputs import SplitInput
from market.pricing.models import RevenueSplit
from market.pricing.splitting import Minimum, Sharer, Split

PAY_MONTHS = "split.pay_months"
AWARD_NOTICE = "award.notice_days"
_MINIMUMS = (
    ("award_ppm", "split.award_share", True),
    ("award_ppm", "split.award_share_national", False),
    ("main_ppm", "split.main_share", True),
    ("transfer_ppm", "split.transfer_share", True),
)
"""Rate, policy row, and whether it binds units of the province alone."""
PROVINCE = "33"


@dataclass(frozen=True)
class Rules:
    """The rules in force for a seller on a day, by policy name."""

    minimums: tuple[Minimum, ...]
    rows: dict[str, Policy]


def rules_for(session: Session, seller_region: str, day: dt.date) -> Rules:
    """The rules that a split is checked against."""
    minimums, rows = [], {}
    local = seller_region.startswith(PROVINCE)
    for rate, name, local_only in _MINIMUMS:
        row = policy_at(session, name, day) if local or not local_only else None
        if row is not None:
            rows[name] = row
            # Policy rows keep shares in hundredths of a percent.
            minimums.append(Minimum(rate, name, row.value * 100))
    for name in (PAY_MONTHS, AWARD_NOTICE):
        row = policy_at(session, name, day) if local else None
        if row is not None:
            rows[name] = row
    return Rules(tuple(minimums), rows)


@dataclass(frozen=True)
class Outcome:
    """What a split comes to, before or after it is saved."""

    split: Split
    below: list[Minimum]
    pay_by: dt.date | None
    rules: Rules


def _contract(session: Session, actor: Actor, contract_id: int, *, lock: bool = False) -> Any:
    c = t(Contract).c
    statement = sa.select(
        c.id, c.seller_id, c.seller_region, c.title, c.local_number, c.deal_fen, c.result_id
    ).where(c.id == contract_id)
    row = session.execute(for_update(statement, session) if lock else statement).first()
    if row is None or not reaches(actor, Action.CONTRACT_READ, row.seller_id):
        raise NotFound(kind="contract")
    return row


def contract_for(session: Session, actor: Actor, contract_id: int) -> Any:
    """The contract whose splits the actor may see. Raises NotFound, also for the buyer."""
    return _contract(session, actor, contract_id)


def work_out(session: Session, seller_region: str, data: SplitInput) -> Outcome:
    """What an input comes to. Raises InvalidInput."""
    people = [Sharer(one.name, one.part, one.weight) for one in data.people]
    net = splitting.net_income(data.income_fen, data.costs_fen, data.taxes_fen)
    problems = splitting.problems(net, data.main_ppm, data.transfer_ppm, people)
    if problems:
        raise InvalidInput(problems)
    rules = rules_for(session, seller_region, data.received_on)
    rates = {"award_ppm": data.award_ppm, "main_ppm": data.main_ppm, "transfer_ppm": data.transfer_ppm}
    months = rules.rows.get(PAY_MONTHS)
    return Outcome(
        splitting.split(net, data.award_ppm, data.main_ppm, data.transfer_ppm, people),
        splitting.below(rates, rules.minimums),
        splitting.months_after(data.received_on, months.value) if months else None,
        rules,
    )


def save(session: Session, actor: Actor, now: dt.datetime, contract_id: int, data: SplitInput) -> int:
    """Keep a split; returns its id. It supersedes the last one about the same receipt, or about the whole
    contract. Raises NotFound, NotAllowed, InvalidInput."""
    contract = _contract(session, actor, contract_id, lock=True)
    require_party(actor, Action.CONTRACT_EDIT, contract.seller_id)
    if data.receipt_id is not None:
        r = t(Receipt).c
        about = session.scalar(sa.select(r.contract_id).where(r.id == data.receipt_id, r.fen > 0))
        if about != contract_id:
            raise InvalidInput([("receipt_id", "unknown_choice", {})])
    outcome = work_out(session, contract.seller_region, data)
    s = t(RevenueSplit).c
    last = session.scalar(
        sa.select(s.id)
        .where(s.contract_id == contract_id, s.receipt_id.is_not_distinct_from(data.receipt_id))
        .order_by(s.id.desc())
        .limit(1)
    )
    row = RevenueSplit(
        contract_id=contract_id,
        receipt_id=data.receipt_id,
        income_fen=data.income_fen,
        costs_fen=data.costs_fen,
        taxes_fen=data.taxes_fen,
        net_fen=outcome.split.net_fen,
        terms={
            "award_ppm": data.award_ppm,
            "main_ppm": data.main_ppm,
            "transfer_ppm": data.transfer_ppm,
            "received_on": data.received_on.isoformat(),
            "pay_by": outcome.pay_by.isoformat() if outcome.pay_by else None,
            "below": [one.policy for one in outcome.below],
            "policies": [
                {
                    "name": one.name, "value": one.value, "unit": one.unit, "standing": one.standing.value,
                    "basis": one.basis, "basis_en": one.basis_en, "valid_from": one.valid_from.isoformat(),
                }
                for one in outcome.rules.rows.values()
            ],
        },
        lines=[{"name": one.name, "part": one.part, "fen": one.fen} for one in outcome.split.lines],
        supersedes_id=last,
        made_at=now,
        made_by=actor.person_id,
    )  # fmt: skip
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(
        session, actor, "revenue_split.made", row.id, now,
        after={"contract_id": contract_id, "net_fen": row.net_fen, "lines": row.lines, "supersedes_id": last},
    )  # fmt: skip
    session.flush()
    return row.id


@dataclass(frozen=True)
class SplitView:
    """A saved split; `stands` until another supersedes it."""

    id: int
    receipt_id: int | None
    income_fen: int
    costs_fen: int
    taxes_fen: int
    net_fen: int
    terms: dict[str, Any]
    lines: list[dict[str, Any]]
    supersedes_id: int | None
    made_at: dt.datetime
    stands: bool = True


_VIEW = tuple(name for name in SplitView.__dataclass_fields__ if name != "stands")


def splits_of(session: Session, contract_id: int) -> list[SplitView]:
    """A contract's splits, the latest first. Who may see them is the caller's question."""
    s = t(RevenueSplit).c
    rows = session.execute(
        sa.select(*(s[name] for name in _VIEW)).where(s.contract_id == contract_id).order_by(s.id.desc())
    ).mappings()
    found: list[SplitView] = []
    superseded: set[int | None] = set()
    for row in rows:
        found.append(SplitView(**row, stands=row["id"] not in superseded))
        superseded.add(row["supersedes_id"])
    return found


@dataclass(frozen=True)
class ReceiptChoice:
    """Money received that a split can be about."""

    id: int
    received_on: dt.date
    fen: int


def receipts_of(session: Session, contract_id: int) -> list[ReceiptChoice]:
    """A contract's receipts that were not reversed, by day."""
    r, back = t(Receipt).c, t(Receipt).alias("back").c
    rows = session.execute(
        sa.select(r.id, r.received_on, r.fen)
        .where(r.contract_id == contract_id, r.fen > 0, ~sa.exists().where(back.reverses_id == r.id))
        .order_by(r.received_on, r.id)
        .limit(500)
    )
    return [ReceiptChoice(*row) for row in rows]
