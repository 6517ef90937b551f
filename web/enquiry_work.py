"""Background work of enquiries: telling those who passed that a result has become readier."""

from __future__ import annotations

import functools

from market.enquiries.service import reinvite_due
from market.work import Claimed, Handler
from web.wiring import Parts


def trl_raised(parts: Parts, item: Claimed) -> None:
    """Handler of `result.trl_raised`: {result_id, trl}. Each enquiry is told once."""
    with parts.db.write() as session:
        reinvite_due(session, parts.clock.now(), item.payload["result_id"], item.payload["trl"])


def handlers(parts: Parts) -> dict[str, Handler]:
    """The work kinds of this module."""
    return {"result.trl_raised": functools.partial(trl_raised, parts)}
