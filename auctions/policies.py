"""Rules with a number that lots are held by: minimum notice, deposit ranges, deadlines.

They are rows with validity days and their source (`market.deals.models.PolicyRow`), one set for each type
of organiser, named `organiser_type.rule`. No row, no rule. What publication must keep to is checked by
`problems`; the other rows are shown beside what they govern.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
from pydantic import Field

from auctions.rules.terms import OrganiserType, Problem, Terms
from market import audit
from market.clock import SHANGHAI, local_date
from market.db import Session, t, upsert
from market.deals.models import PolicyRow, PolicyStanding
from market.deals.policies import Policy, policies
from market.errors import Duplicate, InvalidInput
from market.inputs import Input, Line
from market.permissions import Action, Actor, require

POLICY = t(PolicyRow)
SEED_FROM = dt.date(2020, 1, 1)


class AuctionRule(enum.StrEnum):
    """What may be ruled. The name ends with its unit; `bp` are hundredths of a percent."""

    NOTICE = "notice_days"
    """Least days from publication to opening (公告期)."""
    DISPLAY = "display_days"
    """Least days for which the lot is shown before it opens (展示期)."""
    DEPOSIT_LEAST = "deposit_least_bp"
    """Least deposit, where one is asked for, as a share of the start price."""
    DEPOSIT_MOST = "deposit_most_bp"
    RESUME = "resume_days"
    """A suspended lot goes on within so many days."""
    REAUCTION = "reauction_days"
    """A lot that did not sell is offered again within so many days."""
    CUT = "reauction_cut_bp"
    """Most by which the start price may fall when a lot is offered again."""
    REFUND = "refund_hours"
    """Losers' deposits go back within so many hours."""
    CONTRACT = "contract_working_days"
    """A contract is signed within so many working days of the sale."""
    RECORDS = "record_years"
    """Records are kept for so many years at least."""


UNITS = {
    "days": "days",
    "bp": "basis_points",
    "hours": "hours",
    "years": "years",
}


class PolicyInput(Input):
    """A new version of a rule, valid from a day to come."""

    organiser: OrganiserType
    rule: AuctionRule
    value: Annotated[int, Field(ge=0, le=100_000)]
    valid_from: dt.date
    valid_to: dt.date | None = None
    standing: PolicyStanding
    basis: Annotated[Line, Field(min_length=2, max_length=1000)]
    basis_en: Annotated[str, Field(max_length=1000)] = ""


def name_of(organiser: OrganiserType, rule: AuctionRule) -> str:
    """The name of a rule's rows."""
    return f"{organiser.value}.{rule.value}"


def unit_of(rule: AuctionRule) -> str:
    """The unit of a rule's values."""
    if rule is AuctionRule.CONTRACT:
        return "working_days"
    return UNITS[rule.value.rpartition("_")[2]]


def seed_policies(session: Session) -> int:
    """Add the rules that are not there yet; rows that are there stay as they are. Returns rows added."""
    rows = json.loads((Path(__file__).parent / "policies.json").read_text(encoding="utf-8"))
    return upsert(
        session,
        POLICY,
        [
            {
                "name": name_of(OrganiserType(row["organiser"]), AuctionRule(row["rule"])),
                "value": row["value"],
                "unit": unit_of(AuctionRule(row["rule"])),
                "valid_from": SEED_FROM,
                "valid_to": None,
                "standing": row["standing"],
                "basis": row["basis"],
                "basis_en": row["basis_en"],
            }
            for row in rows
        ],
        key=["name", "valid_from"],
    )


def in_force(session: Session, organiser: OrganiserType, day: dt.date) -> dict[AuctionRule, Policy]:
    """The rules that hold on a day. One statement."""
    found: dict[AuctionRule, Policy] = {}
    for policy in policies(session, f"{organiser.value}."):
        if policy.valid_from <= day and (policy.valid_to is None or policy.valid_to >= day):
            found[AuctionRule(policy.name.partition(".")[2])] = policy  # by day: the later one holds
    return found


def versions(session: Session, organiser: OrganiserType) -> list[tuple[AuctionRule, list[Policy]]]:
    """Every rule with all its rows, oldest first. One statement."""
    rows = policies(session, f"{organiser.value}.")
    return [(rule, [row for row in rows if row.name == name_of(organiser, rule)]) for rule in AuctionRule]


def add_version(session: Session, actor: Actor, values: PolicyInput, now: dt.datetime) -> int:
    """Let a rule have another value from a day on; returns the row's id. What held before stays as it is.

    Raises NotAllowed, InvalidInput (a day that is over), Duplicate (another version from that day).
    """
    require(actor, Action.POLICY_EDIT)
    if values.valid_from < local_date(now):
        raise InvalidInput([("valid_from", "day_is_over", {"today": local_date(now).isoformat()})])
    if values.valid_to is not None and values.valid_to < values.valid_from:
        raise InvalidInput([("valid_to", "ends_before_it_begins", {})])
    name = name_of(values.organiser, values.rule)
    taken = sa.select(POLICY.c.id).where(POLICY.c.name == name, POLICY.c.valid_from == values.valid_from)
    if session.execute(taken).first() is not None:
        raise Duplicate(field="valid_from", value=values.valid_from.isoformat())
    row = PolicyRow(
        name=name,
        value=values.value,
        unit=unit_of(values.rule),
        valid_from=values.valid_from,
        valid_to=values.valid_to,
        standing=values.standing.value,
        basis=values.basis,
        basis_en=values.basis_en or values.basis,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(
        session, actor, "policy.added", row.id, now, after={"name": name, **values.model_dump(mode="json")}
    )
    return row.id


@dataclass(frozen=True, slots=True)
class Previous:
    """What a lot that is offered again started at, in fen, and when it ended."""

    start_fen: int
    ended_at: dt.datetime


def problems(
    rules: Mapping[AuctionRule, Policy], terms: Terms, now: dt.datetime, previous: Previous | None = None
) -> list[Problem]:
    """What in the terms of a lot about to be published breaks a rule, with what would be right."""
    found: list[Problem] = []
    for rule in (AuctionRule.NOTICE, AuctionRule.DISPLAY):
        policy = rules.get(rule)
        earliest = now + dt.timedelta(days=policy.value if policy else 0)
        if policy and terms.opens_at < earliest:
            found.append(
                ("opens_at", f"{rule.value}_missed", {"days": policy.value, "earliest": _local(earliest)})
            )
    if terms.deposit_fen:
        least, most = rules.get(AuctionRule.DEPOSIT_LEAST), rules.get(AuctionRule.DEPOSIT_MOST)
        low = -(-terms.start_fen * least.value // 10_000) if least else 0
        high = terms.start_fen * most.value // 10_000 if most else terms.deposit_fen
        share = terms.settlement.deposit_share_bp
        if share is not None:  # compared as the share that it is, whatever a fraction of a fen became
            right = (not least or least.value <= share) and (not most or share <= most.value)
        else:
            right = low <= terms.deposit_fen <= high
        if not right:
            found.append(("deposit_fen", "deposit_out_of_range", {"low_fen": low, "high_fen": high}))
    if terms.version > 2:
        found += _settlement(rules, terms)
    if previous is not None:
        found += _again(rules, terms, previous)
    return found


def _settlement(rules: Mapping[AuctionRule, Policy], terms: Terms) -> list[Problem]:
    return [
        (f"settlement.{name}", "longer_than_the_rule", {"limit": rules[rule].value})
        for rule, name in ((AuctionRule.REFUND, "refund_hours"), (AuctionRule.CONTRACT, "contract_days"))
        if rule in rules and getattr(terms.settlement, name) > rules[rule].value
    ]


def _again(rules: Mapping[AuctionRule, Policy], terms: Terms, previous: Previous) -> list[Problem]:
    found: list[Problem] = []
    within, cut = rules.get(AuctionRule.REAUCTION), rules.get(AuctionRule.CUT)
    if within is not None:
        latest = previous.ended_at + dt.timedelta(days=within.value)
        if terms.opens_at > latest:
            found.append(("opens_at", "reauction_too_late", {"days": within.value, "latest": _local(latest)}))
    if cut is not None:
        least = -(-previous.start_fen * (10_000 - min(cut.value, 10_000)) // 10_000)
        if terms.start_fen < least:
            found.append(("start_fen", "cut_too_deep", {"low_fen": least, "percent": percent(cut.value)}))
    return found


def percent(basis_points: int) -> str:
    """Basis points as percent without needless zeros: 2000 → `20`."""
    return f"{basis_points / 100:g}"


def _local(at: dt.datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
