"""What a fresh market needs before anybody comes: taxonomy, policies, calibers. Safe to repeat."""

from __future__ import annotations

import datetime as dt

from auctions.policies import seed_policies as seed_auction_policies
from market.db import Database
from market.deals.seed import seed_policies
from market.statistics.seed import seed_statistics
from market.taxonomy.seed import seed_taxonomy
from matching.synonyms import seed_synonyms


def seed(db: Database, now: dt.datetime) -> None:
    """Insert what is missing; leaves what administrators changed as it is."""
    with db.write() as session:
        seed_taxonomy(session, now)
        seed_policies(session)
        seed_auction_policies(session)
        seed_statistics(session, now)
        seed_synonyms(session, now)
