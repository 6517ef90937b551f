"""Merging two results across the rooms: what each room moves or forbids, in one transaction.

Lots of the result that goes keep naming it, because their terms are hashed and public; its page leads on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import sqlalchemy as sa

from auctions import queries as lots
from auctions.rules.state import ENDED, LotState
from market.db import Session, t
from market.deals.models import Contract
from market.enquiries import merging as enquiries
from market.errors import InvalidInput
from market.listings import merging
from market.listings.models import Result
from market.parties.mail import mail_people, members_of
from market.parties.models import MembershipRow
from market.permissions import Actor, Role
from matching import merging as matching


def hindrance(session: Session, going_id: int) -> tuple[str, dict[str, int]] | None:
    """Why a result cannot go, as code and parameters of its sentence (`invalid.<code>`); None when it can.

    A lot that has not ended, a sold one and a contract hold a result in its place. Three statements at most.
    """
    found, _ = lots.list_lots(session, result_id=going_id, drafts=True, limit=100)
    for lot in found:
        if lot.state not in ENDED:
            return "merge_lot", {"lot": lot.id}
        if lot.state is LotState.SOLD:
            return "merge_sold", {"lot": lot.id}
    contract = session.scalar(sa.select(t(Contract).c.id).where(t(Contract).c.result_id == going_id).limit(1))
    return None if contract is None else ("merge_contract", {"contract": contract})


def merge(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    staying_id: int,
    going_id: int,
    choices: Mapping[str, str],
    reason: str,
    *,
    versions: tuple[int | None, int | None] = (None, None),
    days: int,
) -> None:
    """Let one result go on for another, tell the owners by mail. Raises what `merging.lock` and
    `merging.merge` raise, and InvalidInput (field `going`) for what `hindrance` finds."""
    staying, going = merging.lock(session, actor, staying_id, going_id, versions)
    code = hindrance(session, going_id)
    if code is not None:
        raise InvalidInput([("going", code[0], dict(code[1]))])
    moved = dict(matching.move(session, actor, now, going_id, staying_id))
    if staying.organisation_id == going.organisation_id:
        moved.update(enquiries.move(session, going_id, staying_id))
    merging.merge(session, actor, now, staying, going, choices, reason, moved=moved, days=days)
    _tell(session, now, "result_merged", staying, going, reason)


def separate(session: Session, actor: Actor, now: dt.datetime, going_id: int, reason: str) -> bool:
    """Undo a merger, tell the owners by mail. Returns whether the one that stayed says again what it said before.

    Raises what `merging.separate` raises.
    """
    merger, restored = merging.separate(session, actor, now, going_id, reason)
    matching.move_back(session, merger.moved, going_id)
    enquiries.move_back(session, merger.moved, going_id)
    staying, going = session.get(Result, merger.staying_id), session.get(Result, going_id)
    assert staying is not None
    assert going is not None
    _tell(session, now, "result_separated", staying, going, reason)
    return restored


def _tell(
    session: Session, now: dt.datetime, template: str, staying: Result, going: Result, reason: str
) -> None:
    """Mail those who look after results in both organisations."""
    m = t(MembershipRow).c
    people: set[int] = set()
    for organisation_id in {staying.organisation_id, going.organisation_id}:
        officers = session.scalars(
            sa.select(m.person_id).where(
                m.organisation_id == organisation_id,
                m.role == Role.RESULTS_OFFICER.value,
                m.ended_at.is_(None),
            )
        ).all()
        people.update(officers or members_of(session, organisation_id))
    params = {
        "staying_id": staying.id, "staying_title": staying.title,
        "going_id": going.id, "going_title": going.title, "reason": reason.strip(), "days": merging.UNDO_DAYS,
    }  # fmt: skip
    mail_people(session, people, template, params, key=f"{going.id}:{going.version}", now=now)
