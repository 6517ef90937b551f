"""Limits on how often something may be tried, kept in the process or in Redis (see `wiring`)."""

from __future__ import annotations

import math

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute

from market.errors import TooManyRequests
from web.settings import Settings
from web.wiring import Parts

WINDOW_MINUTES = 15


def sign_in_item(settings: Settings) -> RateLimitItem:
    """Failed sign-ins of one account from one address."""
    return RateLimitItemPerMinute(settings.sign_in_tries, WINDOW_MINUTES, namespace="sign-in")


def address_item(settings: Settings) -> RateLimitItem:
    """Failed sign-ins from one address, whatever the account: many people may share an address."""
    return RateLimitItemPerMinute(settings.sign_in_tries * 10, WINDOW_MINUTES, namespace="sign-in-address")


RESETS = RateLimitItemPerHour(5, namespace="reset")
"""Links asked for with one e-mail address from one address."""
RESETS_ADDRESS = RateLimitItemPerHour(50, namespace="reset-address")
REGISTRATIONS = RateLimitItemPerHour(30, namespace="register")
"""Registrations from one address."""
VERIFICATIONS = RateLimitItemPerMinute(60, WINDOW_MINUTES, namespace="verify")
"""Files checked for one address."""
OBJECTIONS = RateLimitItemPerHour(10, namespace="objections")
"""Objections filed from one address."""
SUGGESTIONS = RateLimitItemPerMinute(600, namespace="suggestions")
"""Suggestions for one address: some dozen people who type at once."""


def spend(parts: Parts, item: RateLimitItem, *who: str) -> None:
    """Count one try. Raises TooManyRequests, with the seconds to wait, when there were enough."""
    if not parts.limiter.hit(item, *who):
        raise TooManyRequests(retry_after=_seconds(parts, item, *who))


def look(parts: Parts, item: RateLimitItem, *who: str) -> None:
    """Raise TooManyRequests when there were enough tries, without counting one."""
    if not parts.limiter.test(item, *who):
        raise TooManyRequests(retry_after=_seconds(parts, item, *who))


def forgive(parts: Parts, item: RateLimitItem, *who: str) -> None:
    """Forget the tries counted so far."""
    parts.limiter.clear(item, *who)


def _seconds(parts: Parts, item: RateLimitItem, *who: str) -> int:
    window = item.get_expiry()
    reset = parts.limiter.get_window_stats(item, *who).reset_time
    return max(1, min(window, math.ceil(reset - parts.clock.now().timestamp())))
