"""Background work of enquiries: telling those who passed that a result has become readier, and keeping what an
agreement or a refusal says of a pair, so that matching learns from it."""

from __future__ import annotations

import functools

from market.enquiries.service import reinvite_due
from market.permissions import Actor, Via
from market.work import Claimed, Handler
from matching import judgments
from matching.models import JudgmentSource
from web.wiring import Parts


def trl_raised(parts: Parts, item: Claimed) -> None:
    """Handler of `result.trl_raised`: {result_id, trl}. Each enquiry is told once."""
    with parts.db.write() as session:
        reinvite_due(session, parts.clock.now(), item.payload["result_id"], item.payload["trl"])


def judged(parts: Parts, item: Claimed) -> None:
    """Handler of `enquiry.judged`: {demand_id, result_id, related, person_id, organisation_id}."""
    word = item.payload
    level = judgments.RELATED if word["related"] else judgments.UNRELATED
    actor = Actor(word["person_id"], "", Via.SYSTEM)
    with parts.db.write() as session:
        judgments.record(
            session, actor, parts.clock.now(), word["demand_id"], word["result_id"], level,
            JudgmentSource.CONTACT, word["organisation_id"],
        )  # fmt: skip


def handlers(parts: Parts) -> dict[str, Handler]:
    """The work kinds of this module."""
    return {
        "result.trl_raised": functools.partial(trl_raised, parts),
        "enquiry.judged": functools.partial(judged, parts),
    }
