"""Who is told of what happens to a contract beside its steps."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from market.db import Session, t
from market.deals.deadlines import people_with
from market.deals.models import Contract
from market.parties.models import MembershipRow
from market.permissions import Role

_WRITERS = (Role.RESULTS_OFFICER, Role.DEMAND_OWNER)


def party_people(session: Session, contract: Contract) -> list[int]:
    """The people of both parties who write and submit contracts."""
    m = t(MembershipRow).c
    parties = [one for one in (contract.seller_id, contract.buyer_id) if one is not None]
    statement = (
        sa.select(m.person_id)
        .distinct()
        .where(
            m.organisation_id.in_(parties),
            m.role.in_([role.value for role in _WRITERS]),
            m.ended_at.is_(None),
        )
        .order_by(m.person_id)
    )
    return list(session.scalars(statement))


def officials(session: Session, roles: Collection[Role] = (Role.OFFICIAL,)) -> list[int]:
    """Those who keep the register."""
    return people_with(session, roles)
