"""Makes releases of what happened in the register: each event leaves its work in its own transaction."""

from __future__ import annotations

from market.deals.recording import NEWS
from market.opendata import service
from market.work import Claimed, Handler
from web.wiring import Parts


def handlers(parts: Parts) -> dict[str, Handler]:
    """Publishes what happened to some contracts."""

    def publish(item: Claimed) -> None:
        with parts.db.write() as session:
            service.publish(
                session, parts.clock.now(), item.payload["contract_ids"], parts.settings.ocid_prefix
            )

    return {NEWS: publish}
