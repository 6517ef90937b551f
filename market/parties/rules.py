"""Pure decisions about organisations, people and their passwords.

pending ──verify──► verified ◄──reinstate── suspended
   ▲  └──reject──► rejected      └──suspend──►┘
   └─────edit (sends it in again)─────┘
"""

from __future__ import annotations

import enum
from typing import Any

from market.errors import InvalidInput, MarketError, WrongState
from market.parties.models import OrganisationState
from market.permissions import MARKET_ROLES, Role

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
MOST_TOKENS = 20
"""Working API tokens that a person may hold at a time."""

OWN_ROLES = tuple(role for role in Role if role not in MARKET_ROLES)
"""Roles that reach only their own organisation; its first person holds all of them."""

IDENTITY = ("name", "kind", "credit_code")
"""What staff check an organisation by; once checked only staff may change it."""


class OrganisationStep(enum.StrEnum):
    """What can be decided about an organisation."""

    VERIFY = "verify"
    REJECT = "reject"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    RESUBMIT = "resubmit"


_S, _V = OrganisationState, OrganisationStep

STEPS: dict[tuple[OrganisationState, OrganisationStep], OrganisationState] = {
    (_S.PENDING, _V.VERIFY): _S.VERIFIED,
    (_S.PENDING, _V.REJECT): _S.REJECTED,
    (_S.VERIFIED, _V.SUSPEND): _S.SUSPENDED,
    (_S.SUSPENDED, _V.REINSTATE): _S.VERIFIED,
    (_S.REJECTED, _V.RESUBMIT): _S.PENDING,
}


class BadCredentials(MarketError):
    """No active account has this e-mail address and password; which of them is wrong is not told."""


class LastAdministrator(MarketError):
    """The step would leave the market without an administrator."""


class LinkExpired(MarketError):
    """A mailed link was used already, is too old, or never was one."""


class TooManyTokens(MarketError):
    """A person holds as many working tokens as they may. Params: `most`."""


def next_state(state: OrganisationState, step: OrganisationStep) -> OrganisationState:
    """The state after a step. Raises WrongState where the step does not lead on from the state."""
    try:
        return STEPS[state, step]
    except KeyError:
        raise WrongState(state=state.value, action=step.value) from None


def steps_from(state: OrganisationState) -> list[OrganisationStep]:
    """The steps that staff may take from a state."""
    return [step for (origin, step) in STEPS if origin is state and step is not OrganisationStep.RESUBMIT]


def check_identity(state: OrganisationState, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Refuse a member's change of what staff have checked. Raises InvalidInput at each such field."""
    if state not in (OrganisationState.VERIFIED, OrganisationState.SUSPENDED):
        return
    problems: list[tuple[str, str, dict[str, Any]]] = [
        (name, "identity_checked", {}) for name in IDENTITY if before[name] != after[name]
    ]
    if problems:
        raise InvalidInput(problems)


def check_password(password: str, *, email: str, name: str, field: str = "password") -> None:
    """Refuse a password that anybody would try first. Raises InvalidInput.

    Length is what counts (the input model asks for it); no classes of characters are demanded.
    """
    plain = password.casefold().strip()
    account = email.casefold()
    if plain in (account, account.partition("@")[0], name.casefold()):
        raise InvalidInput([(field, "password_personal", {})])
    if len(set(plain)) < 4:
        raise InvalidInput([(field, "password_simple", {})])
