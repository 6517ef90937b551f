"""Bounds of saved searches, and which of what was found is new."""

from __future__ import annotations

import datetime as dt

from market.errors import MarketError

MOST = 50
"""Saved searches of one person."""
LONGEST_NAME = 120
LONGEST_QUERY = 1500
"""Characters of the canonical query; a row's limit, and that of an index over it on PostgreSQL."""
EVERY = dt.timedelta(days=1)
"""Between two looks at a search, so that nobody gets more than one mail a day for it."""
LOOK_BACK = dt.timedelta(days=30)
"""How long before the last look an entry may have been published and still be found late: it may have
been hidden while its owner was checked, or the index may have stood still."""


class TooManySaved(MarketError):
    """A person keeps as many searches as they may. Params: `most`."""


class SavedAlready(MarketError):
    """The person keeps the same search already. Params: `name`, `id`."""


class SearchTooLong(MarketError):
    """The search has more words than can be kept."""


def horizon(since: dt.datetime, checked_at: dt.datetime) -> dt.datetime:
    """Entries published before are not told, whether or not they were before."""
    return max(since, checked_at - LOOK_BACK)
