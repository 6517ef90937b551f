"""Demo enquiries: threads with their messages, steps and due dates, some of them overdue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from market.clock import local_date
from market.db import Session
from market.enquiries import service
from market.enquiries.inputs import EnquiryInput, NextStepInput, PassInput, SubjectKind
from market.enquiries.models import EnquiryState
from market.enquiries.rules import Side
from market.errors import MarketError
from market.permissions import Actor, Role
from web.demo.content.enquiries import DemoEnquiry
from web.demo.people import Cast

SETTLED = {EnquiryState.AGREED, EnquiryState.PASSED, EnquiryState.WITHDRAWN}


class ThreadDiffers(Exception):
    """A scripted thread was refused by the rules: the script or the rules are wrong."""


def enter_enquiries(
    session: Session,
    cast: Cast,
    found: Sequence[DemoEnquiry],
    results: Mapping[str, int],
    demands: Mapping[str, int],
    now: dt.datetime,
) -> None:
    """Each thread from its first message to where it stands. Raises ThreadDiffers."""
    for item in found:
        try:
            _enter(session, cast, item, results, demands, now)
        except MarketError as refusal:
            raise ThreadDiffers(f"{item.key}: {refusal!r}") from refusal


def _enter(
    session: Session,
    cast: Cast,
    item: DemoEnquiry,
    results: Mapping[str, int],
    demands: Mapping[str, int],
    now: dt.datetime,
) -> None:
    about_result = item.subject_kind is SubjectKind.RESULT
    asker = _somebody(cast, item.from_organisation, Role.DEMAND_OWNER, Role.RESULTS_OFFICER)
    owner = _somebody(
        cast, item.to_organisation, *((Role.RESULTS_OFFICER,) if about_result else (Role.DEMAND_OWNER,))
    )
    broker = cast.anyone(Role.BROKER)
    by_side = {Side.ASKING: asker, Side.OWNER: owner, Side.MARKET: broker}
    first, *rest = item.messages
    at = now - dt.timedelta(hours=first.hours_ago)
    enquiry_id = service.open_enquiry(
        session,
        asker,
        at,
        EnquiryInput(
            subject_kind=item.subject_kind,
            subject_id=(results if about_result else demands)[item.subject],
            from_organisation_id=cast.organisations[item.from_organisation],
            offered_result_id=results[item.offered_result] if item.offered_result else None,
            body=first.body,
        ),
    )
    if item.with_broker:
        service.take(session, broker, at + dt.timedelta(minutes=30), enquiry_id)
    for message in rest:
        at = now - dt.timedelta(hours=message.hours_ago)
        service.reply(session, by_side[message.side], at, enquiry_id, message.body)
    keeper = broker if item.with_broker else owner
    if item.state in (EnquiryState.NEGOTIATING, EnquiryState.AGREED):
        service.negotiate(session, keeper, at + dt.timedelta(minutes=10), enquiry_id)
    if item.due_in_days is not None:
        due = local_date(now) + dt.timedelta(days=item.due_in_days)
        # A step that is overdue now was set when it was still ahead.
        set_at = min(at + dt.timedelta(minutes=20), now - dt.timedelta(days=max(0, -item.due_in_days)))
        service.set_next_step(
            session, keeper, set_at, enquiry_id, NextStepInput(next_step=item.next_step, due_on=due)
        )
    if item.state in SETTLED:
        ended = now - dt.timedelta(hours=item.closed_hours_ago or 0)
        _settle(session, item, by_side, keeper, ended, enquiry_id)


def _settle(
    session: Session,
    item: DemoEnquiry,
    by_side: Mapping[Side, Actor],
    keeper: Actor,
    ended: dt.datetime,
    enquiry_id: int,
) -> None:
    if item.state is EnquiryState.AGREED:
        service.agree(session, keeper, ended, enquiry_id, item.outcome)
    elif item.state is EnquiryState.WITHDRAWN:
        service.withdraw(session, by_side[Side.ASKING], ended, enquiry_id, item.outcome)
    else:
        assert item.pass_reason is not None
        passed = PassInput(reason=item.pass_reason, reinvite_trl=item.reinvite_trl, note=item.outcome)
        # Whoever would have had the use of it passes: the asker on a result, the owner on an offer.
        side = Side.ASKING if item.subject_kind is SubjectKind.RESULT else Side.OWNER
        service.pass_on(session, by_side[side], ended, enquiry_id, passed)


def _somebody(cast: Cast, organisation: str, *roles: Role) -> Actor:
    for role in roles:
        actor = cast.actor(organisation, role)
        if actor is not None:
            return actor
    raise ThreadDiffers(f"nobody of {organisation} holds {', '.join(roles)}")
