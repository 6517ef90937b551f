"""Demo results and demands, entered by their owners on their days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from market.db import Session
from market.demands import service as demands
from market.demands.inputs import DemandInput, TargetInput
from market.listings import service as results
from market.listings.inputs import ClaimInput, IpInput, ResultInput
from market.listings.models import ListingState
from market.parties.models import Person
from market.permissions import COMMAND_LINE, Role
from web.demo.content.demands import DemoDemand
from web.demo.content.results import DemoResult
from web.demo.people import Cast

Tell = Callable[[int], None]


def enter_results(
    session: Session, cast: Cast, found: Sequence[DemoResult], now: dt.datetime, tell: Tell
) -> dict[str, int]:
    """Results by key. Most are published; some are drafts, withdrawn or concluded."""
    ids: dict[str, int] = {}
    for number, item in enumerate(sorted(found, key=lambda one: -one.published_days_ago)):
        at = now - dt.timedelta(days=item.published_days_ago, minutes=number % 600)
        actor = cast.actor(item.organisation, Role.RESULTS_OFFICER) or COMMAND_LINE
        person = session.get(Person, actor.person_id) if actor.person_id else None
        row = results.create_result(
            session,
            actor,
            at,
            cast.organisations[item.organisation],
            ResultInput(
                title=item.title,
                title_en=item.title_en,
                abstract=item.abstract,
                advantages=item.advantages,
                application=item.application,
                keywords=list(item.keywords),
                industry_code=item.industry_code,
                ipc=list(item.ipc),
                trl=item.trl,
                stage=item.stage,
                modes=list(item.modes),
                pricing_mode=item.pricing_mode,
                price_low_fen=item.price_low_fen,
                price_high_fen=item.price_high_fen,
                inventors=list(item.inventors),
                awards=item.awards,
                contact_name=person.name if person else "",
                contact_phone=person.phone if person else "",
                contact_email=person.email if person else "",
                claims=[ClaimInput(**vars(claim)) for claim in item.claims],
                ip=[IpInput(**vars(right)) for right in item.rights],
            ),
        )
        assert row.id is not None
        ids[item.key] = row.id
        if item.state is not ListingState.DRAFT:
            results.publish_result(session, actor, at, row.id)
        if item.state is ListingState.WITHDRAWN:
            results.withdraw_result(session, actor, at + dt.timedelta(days=20), row.id, item.state_reason)
        if item.state is ListingState.CONCLUDED:
            results.conclude_result(session, actor, at + dt.timedelta(days=30), row.id, item.state_reason)
        tell(number + 1)
    return ids


def enter_demands(
    session: Session, cast: Cast, found: Sequence[DemoDemand], now: dt.datetime, tell: Tell
) -> dict[str, int]:
    """Demands by key."""
    ids: dict[str, int] = {}
    for number, item in enumerate(sorted(found, key=lambda one: -one.published_days_ago)):
        at = now - dt.timedelta(days=item.published_days_ago, minutes=number % 600)
        actor = cast.actor(item.organisation, Role.DEMAND_OWNER) or COMMAND_LINE
        person = session.get(Person, actor.person_id) if actor.person_id else None
        row = demands.create_demand(
            session,
            actor,
            at,
            cast.organisations[item.organisation],
            DemandInput(
                title=item.title,
                title_en=item.title_en,
                difficulty=item.difficulty,
                research=item.research,
                background=item.background,
                keywords=list(item.keywords),
                industry_code=item.industry_code,
                ipc=list(item.ipc),
                modes=list(item.modes),
                wanted_trl=item.wanted_trl,
                budget_low_fen=item.budget_low_fen,
                budget_high_fen=item.budget_high_fen,
                deadline=item.deadline,
                experts=item.experts,
                origin=item.origin,
                contact_name=person.name if person else "",
                contact_phone=person.phone if person else "",
                contact_email=person.email if person else "",
                targets=[TargetInput(**vars(target)) for target in item.targets],
            ),
        )
        assert row.id is not None
        ids[item.key] = row.id
        if item.state is not ListingState.DRAFT:
            demands.publish_demand(session, actor, at, row.id)
        if item.state is ListingState.WITHDRAWN:
            demands.withdraw_demand(session, actor, at + dt.timedelta(days=20), row.id, item.state_reason)
        if item.state is ListingState.CONCLUDED:
            demands.conclude_demand(session, actor, at + dt.timedelta(days=30), row.id, item.state_reason)
        tell(number + 1)
    return ids
