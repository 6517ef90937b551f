"""The rights of every role, as a table of its own: a change in `RIGHTS` must be meant, and made here too."""

from __future__ import annotations

import itertools

import pytest

from market.errors import NotAllowed, SignInRequired
from market.permissions import (
    COMMAND_LINE,
    MARKET_ROLES,
    RIGHTS,
    SYSTEM,
    UNVERIFIED_ACTIONS,
    VISITOR,
    Action,
    Actor,
    Membership,
    Role,
    Via,
    can,
    require,
)

COLUMNS = ["results_officer", "demand_owner", "bidder", "broker", "staff", "official", "administrator"]

TABLE = """
attachment:read_private     own  own  ·    ·    all  ·    all
audit:read                  ·    ·    ·    ·    all  all  all
bid:place                   ·    ·    own  ·    ·    ·    ·
contract:create             own  own  ·    ·    all  all  ·
contract:edit               own  own  ·    ·    all  all  ·
contract:read               own  own  ·    ·    all  all  all
contract:register           ·    ·    ·    ·    ·    all  ·
demand:create               ·    own  ·    all  all  ·    ·
demand:edit                 ·    own  ·    ·    all  ·    ·
demand:read_unpublished     ·    own  ·    all  all  ·    all
enquiry:create              all  all  all  all  all  all  all
enquiry:follow              own  own  ·    all  all  ·    ·
enquiry:oversee             ·    ·    ·    all  all  ·    ·
enquiry:read                own  own  own  all  all  ·    ·
export:run                  ·    ·    ·    ·    all  all  all
import:run                  own  own  ·    ·    all  all  all
lot:admit                   ·    ·    ·    ·    all  ·    ·
lot:conduct                 ·    ·    ·    ·    all  ·    ·
lot:create                  own  ·    ·    ·    all  ·    ·
money:account               own  ·    own  ·    all  ·    ·
money:manage                ·    ·    ·    ·    all  ·    ·
money:read                  own  ·    own  ·    all  ·    all
organisation:edit           own  own  ·    ·    all  ·    all
organisation:members        ·    ·    ·    ·    all  ·    all
organisation:verify         ·    ·    ·    ·    all  ·    ·
people:manage               ·    ·    ·    ·    ·    ·    all
policy:edit                 ·    ·    ·    ·    ·    ·    all
result:create               own  ·    ·    all  all  ·    ·
result:edit                 own  ·    ·    ·    all  ·    ·
result:merge                ·    ·    ·    ·    all  ·    ·
result:read_unpublished     own  ·    ·    all  all  ·    all
statistics:manage           ·    ·    ·    ·    ·    all  ·
statistics:read_detail      ·    ·    ·    ·    ·    all  all
synonyms:edit               ·    ·    ·    ·    all  ·    all
taxonomy:edit               ·    ·    ·    ·    ·    ·    all
token:manage                all  all  all  all  all  all  all
work:manage                 ·    ·    ·    ·    all  ·    all
"""

EXPECTED = {
    (line.split()[0], role): cell
    for line in TABLE.strip().splitlines()
    for role, cell in zip(COLUMNS, line.split()[1:], strict=True)
}
OURS, THEIRS = 7, 8


def person(role: Role, *, verified: bool = True) -> Actor:
    return Actor(1, "某人", Via.SESSION, (Membership(OURS, "我方", role, verified),))


def test_the_table_names_every_action_and_role() -> None:
    assert {action for action, _ in EXPECTED} == {action.value for action in Action}
    assert set(COLUMNS) == {role.value for role in Role}
    assert set(RIGHTS) == set(Action)


@pytest.mark.parametrize(("action", "role"), list(itertools.product(Action, Role)))
def test_role_by_action(action: Action, role: Role) -> None:
    cell = EXPECTED[action.value, role.value]
    actor = person(role)
    assert actor.can(action, OURS) is (cell in ("own", "all"))
    assert actor.can(action, THEIRS) is (cell == "all")
    assert actor.can(action) is (cell != "·")
    expected = {"all": None, "own": frozenset({OURS}), "·": frozenset()}[cell]
    assert actor.organisations_for(action) == expected


@pytest.mark.parametrize("action", Action)
def test_a_visitor_may_do_nothing_that_needs_a_right(action: Action) -> None:
    assert not can(VISITOR, action)
    with pytest.raises(SignInRequired):
        require(VISITOR, action)


@pytest.mark.parametrize("action", Action)
def test_a_person_without_a_role_may_do_nothing(action: Action) -> None:
    with pytest.raises(NotAllowed):
        require(Actor(1, "某人", Via.SESSION), action, OURS)


@pytest.mark.parametrize(("action", "role"), list(itertools.product(Action, Role)))
def test_an_unverified_organisation_gives_only_what_gets_it_verified(action: Action, role: Role) -> None:
    expected = EXPECTED[action.value, role.value] != "·" and action in (
        Action.ORGANISATION_EDIT,
        Action.TOKEN_MANAGE,
    )
    assert person(role, verified=False).can(action, OURS) is expected
    assert person(role, verified=False).roles == frozenset()


def test_what_an_unverified_organisation_may_do_is_this_and_no_more() -> None:
    assert {Action.ORGANISATION_EDIT, Action.TOKEN_MANAGE} == UNVERIFIED_ACTIONS


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("actor", [SYSTEM, COMMAND_LINE], ids=["system", "command line"])
def test_the_system_and_the_command_line_may_do_everything(action: Action, actor: Actor) -> None:
    assert actor.can(action, OURS)
    assert actor.organisations_for(action) is None


def test_roles_of_several_organisations_add_up() -> None:
    actor = Actor(
        1,
        "某人",
        Via.SESSION,
        (
            Membership(OURS, "我方", Role.RESULTS_OFFICER, True),
            Membership(THEIRS, "另一方", Role.BIDDER, True),
            Membership(9, "第三方", Role.RESULTS_OFFICER, False),
        ),
    )
    assert actor.organisations_for(Action.RESULT_EDIT) == frozenset({OURS})
    assert actor.organisations_for(Action.BID_PLACE) == frozenset({THEIRS})
    assert actor.organisations_for(Action.ORGANISATION_EDIT) == frozenset({OURS, 9})
    assert actor.organisation_ids == frozenset({OURS, THEIRS, 9})


def test_the_roles_that_reach_beyond_their_organisation() -> None:
    assert {role.value for role in MARKET_ROLES} == {"broker", "staff", "official", "administrator"}


def test_whoever_runs_the_market_can_never_bid() -> None:
    """拍卖法 22: an auctioneer and its staff may not bid, nor have others bid for them."""
    assert set(RIGHTS[Action.BID_PLACE]) == {Role.BIDDER}
