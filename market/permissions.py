"""Who may do what: the only place that knows.

A person holds roles through memberships in organisations. Roles of an organisation (results officer,
demand owner, bidder) reach that organisation's own things; roles of the market (broker, staff,
official, administrator) reach everybody's. A membership counts only while its organisation is verified,
save for what an unverified organisation needs to get verified.

`RIGHTS` is the table: action → role → how far the role reaches. `require` raises; `can` answers.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field

from market.errors import NotAllowed, SignInRequired


class Role(enum.StrEnum):
    """What a membership lets a person do."""

    RESULTS_OFFICER = "results_officer"
    """Lists and sells an organisation's results (成果专员)."""
    DEMAND_OWNER = "demand_owner"
    """Posts an organisation's demands (需求负责人)."""
    BIDDER = "bidder"
    """Bids for an organisation (竞买代表)."""
    BROKER = "broker"
    """Follows up leads between parties (技术经纪人)."""
    STAFF = "staff"
    """Runs the market: verifies organisations, holds auctions (市场工作人员、拍卖主持人)."""
    OFFICIAL = "official"
    """Keeps the register and the figures (科技主管部门人员)."""
    ADMINISTRATOR = "administrator"
    """Administers people, rights, taxonomy and settings (管理员)."""


MARKET_ROLES = frozenset({Role.BROKER, Role.STAFF, Role.OFFICIAL, Role.ADMINISTRATOR})
"""Roles that reach beyond their own organisation; granted by administrators only."""


class Action(enum.StrEnum):
    """Everything that needs a right. `subject:verb`."""

    ATTACHMENT_READ_PRIVATE = "attachment:read_private"
    AUDIT_READ = "audit:read"
    BID_PLACE = "bid:place"
    CONTRACT_CREATE = "contract:create"
    CONTRACT_EDIT = "contract:edit"
    CONTRACT_READ = "contract:read"
    CONTRACT_REGISTER = "contract:register"
    DEMAND_CREATE = "demand:create"
    DEMAND_EDIT = "demand:edit"
    DEMAND_READ_UNPUBLISHED = "demand:read_unpublished"
    ENQUIRY_CREATE = "enquiry:create"
    ENQUIRY_FOLLOW = "enquiry:follow"
    ENQUIRY_OVERSEE = "enquiry:oversee"
    ENQUIRY_READ = "enquiry:read"
    EXPORT = "export:run"
    IMPORT = "import:run"
    LOT_ADMIT = "lot:admit"
    LOT_CREATE = "lot:create"
    LOT_CONDUCT = "lot:conduct"
    MONEY_ACCOUNT = "money:account"
    MONEY_MANAGE = "money:manage"
    MONEY_READ = "money:read"
    ORGANISATION_EDIT = "organisation:edit"
    ORGANISATION_MEMBERS = "organisation:members"
    ORGANISATION_VERIFY = "organisation:verify"
    PEOPLE_MANAGE = "people:manage"
    POLICY_EDIT = "policy:edit"
    RESULT_CREATE = "result:create"
    RESULT_EDIT = "result:edit"
    RESULT_MERGE = "result:merge"
    RESULT_READ_UNPUBLISHED = "result:read_unpublished"
    STATISTICS_MANAGE = "statistics:manage"
    STATISTICS_READ_DETAIL = "statistics:read_detail"
    SYNONYMS_EDIT = "synonyms:edit"
    TAXONOMY_EDIT = "taxonomy:edit"
    TOKEN_MANAGE = "token:manage"
    WORK_MANAGE = "work:manage"


class Reach(enum.StrEnum):
    """How far a right reaches."""

    OWN = "own"
    """Things of the organisation that the membership is in."""
    ALL = "all"
    """Everybody's."""


OWN, ALL = Reach.OWN, Reach.ALL
_R = Role

RIGHTS: dict[Action, dict[Role, Reach]] = {
    Action.ATTACHMENT_READ_PRIVATE: {
        _R.RESULTS_OFFICER: OWN, _R.DEMAND_OWNER: OWN, _R.STAFF: ALL, _R.ADMINISTRATOR: ALL,
    },
    Action.AUDIT_READ: {_R.STAFF: ALL, _R.OFFICIAL: ALL, _R.ADMINISTRATOR: ALL},
    Action.BID_PLACE: {_R.BIDDER: OWN},
    Action.CONTRACT_CREATE: {
        _R.RESULTS_OFFICER: OWN, _R.DEMAND_OWNER: OWN, _R.STAFF: ALL, _R.OFFICIAL: ALL,
    },
    Action.CONTRACT_EDIT: {
        _R.RESULTS_OFFICER: OWN, _R.DEMAND_OWNER: OWN, _R.STAFF: ALL, _R.OFFICIAL: ALL,
    },
    Action.CONTRACT_READ: {
        _R.RESULTS_OFFICER: OWN, _R.DEMAND_OWNER: OWN, _R.STAFF: ALL, _R.OFFICIAL: ALL,
        _R.ADMINISTRATOR: ALL,
    },
    Action.CONTRACT_REGISTER: {_R.OFFICIAL: ALL},
    Action.DEMAND_CREATE: {_R.DEMAND_OWNER: OWN, _R.BROKER: ALL, _R.STAFF: ALL},
    Action.DEMAND_EDIT: {_R.DEMAND_OWNER: OWN, _R.STAFF: ALL},
    # Brokers write drafts for others and must see what they wrote; publishing stays with the owner.
    Action.DEMAND_READ_UNPUBLISHED: {
        _R.DEMAND_OWNER: OWN, _R.BROKER: ALL, _R.STAFF: ALL, _R.ADMINISTRATOR: ALL,
    },
    Action.ENQUIRY_CREATE: dict.fromkeys(_R, ALL),
    Action.ENQUIRY_FOLLOW: {
        _R.RESULTS_OFFICER: OWN, _R.DEMAND_OWNER: OWN, _R.BROKER: ALL, _R.STAFF: ALL,
    },
    Action.ENQUIRY_OVERSEE: {_R.BROKER: ALL, _R.STAFF: ALL},
    Action.ENQUIRY_READ: {
        _R.RESULTS_OFFICER: OWN, _R.DEMAND_OWNER: OWN, _R.BIDDER: OWN, _R.BROKER: ALL, _R.STAFF: ALL,
    },
    Action.EXPORT: {_R.STAFF: ALL, _R.OFFICIAL: ALL, _R.ADMINISTRATOR: ALL},
    Action.IMPORT: {
        _R.RESULTS_OFFICER: OWN, _R.DEMAND_OWNER: OWN, _R.STAFF: ALL, _R.OFFICIAL: ALL, _R.ADMINISTRATOR: ALL,
    },
    Action.LOT_ADMIT: {_R.STAFF: ALL},
    Action.LOT_CREATE: {_R.STAFF: ALL, _R.RESULTS_OFFICER: OWN},
    Action.LOT_CONDUCT: {_R.STAFF: ALL},
    # Where an organisation is paid is said by those who may bid or sell for it.
    Action.MONEY_ACCOUNT: {_R.BIDDER: OWN, _R.RESULTS_OFFICER: OWN, _R.STAFF: ALL},
    Action.MONEY_MANAGE: {_R.STAFF: ALL},
    Action.MONEY_READ: {_R.BIDDER: OWN, _R.RESULTS_OFFICER: OWN, _R.STAFF: ALL, _R.ADMINISTRATOR: ALL},
    Action.ORGANISATION_EDIT: {
        _R.RESULTS_OFFICER: OWN, _R.DEMAND_OWNER: OWN, _R.STAFF: ALL, _R.ADMINISTRATOR: ALL,
    },
    Action.ORGANISATION_MEMBERS: {_R.STAFF: ALL, _R.ADMINISTRATOR: ALL},
    Action.ORGANISATION_VERIFY: {_R.STAFF: ALL},
    Action.PEOPLE_MANAGE: {_R.ADMINISTRATOR: ALL},
    Action.POLICY_EDIT: {_R.ADMINISTRATOR: ALL},
    Action.RESULT_CREATE: {_R.RESULTS_OFFICER: OWN, _R.BROKER: ALL, _R.STAFF: ALL},
    Action.RESULT_EDIT: {_R.RESULTS_OFFICER: OWN, _R.STAFF: ALL},
    Action.RESULT_MERGE: {_R.STAFF: ALL},
    Action.RESULT_READ_UNPUBLISHED: {
        _R.RESULTS_OFFICER: OWN, _R.BROKER: ALL, _R.STAFF: ALL, _R.ADMINISTRATOR: ALL,
    },
    Action.STATISTICS_MANAGE: {_R.OFFICIAL: ALL},
    Action.STATISTICS_READ_DETAIL: {_R.OFFICIAL: ALL, _R.ADMINISTRATOR: ALL},
    Action.SYNONYMS_EDIT: {_R.STAFF: ALL, _R.ADMINISTRATOR: ALL},
    Action.TAXONOMY_EDIT: {_R.ADMINISTRATOR: ALL},
    Action.TOKEN_MANAGE: dict.fromkeys(_R, ALL),
    Action.WORK_MANAGE: {_R.STAFF: ALL, _R.ADMINISTRATOR: ALL},
}  # fmt: skip

UNVERIFIED_ACTIONS = frozenset({Action.ORGANISATION_EDIT, Action.TOKEN_MANAGE})
"""What a member of an organisation not yet verified may do all the same."""


class Scope(enum.StrEnum):
    """What an API token may be used for, within its person's rights."""

    READ = "read"
    WRITE = "write"
    BID = "bid"


class Via(enum.StrEnum):
    """How an actor reached us."""

    VISITOR = "visitor"
    SESSION = "session"
    TOKEN = "token"
    SYSTEM = "system"
    COMMAND = "command"


@dataclass(frozen=True)
class Membership:
    """A role held in an organisation, as the actor carries it."""

    organisation_id: int
    organisation_name: str
    role: Role
    verified: bool


@dataclass(frozen=True)
class Actor:
    """Whoever asks: a visitor, a person (by session or token), the system, or the command line."""

    person_id: int | None
    name: str
    via: Via
    memberships: tuple[Membership, ...] = ()
    scopes: frozenset[Scope] = field(default_factory=lambda: frozenset(Scope))
    session_id: int | None = None
    token_id: int | None = None
    seen_at: dt.datetime | None = None
    """When the session or token was last noted as used; None for never."""

    @property
    def is_signed_in(self) -> bool:
        """Whether a person stands behind the request."""
        return self.person_id is not None

    @property
    def roles(self) -> frozenset[Role]:
        """Every role held in a verified organisation."""
        return frozenset(m.role for m in self.memberships if m.verified)

    @property
    def organisation_ids(self) -> frozenset[int]:
        """The organisations in which the person holds any role."""
        return frozenset(m.organisation_id for m in self.memberships)

    def can(self, action: Action | str, organisation_id: int | None = None) -> bool:
        """Whether the actor may do `action` to something of `organisation_id`.

        Without an organisation it answers whether there is anything the actor may do it to.
        """
        return can(self, Action(action), organisation_id)

    def organisations_for(self, action: Action | str) -> frozenset[int] | None:
        """The organisations that the action reaches; None means all of them."""
        action = Action(action)
        if self.via in (Via.SYSTEM, Via.COMMAND):
            return None
        reach: set[int] = set()
        for membership in self.memberships:
            extent = _extent(action, membership)
            if extent is ALL:
                return None
            if extent is OWN:
                reach.add(membership.organisation_id)
        return frozenset(reach)


VISITOR = Actor(None, "", Via.VISITOR)
SYSTEM = Actor(None, "system", Via.SYSTEM)
COMMAND_LINE = Actor(None, "command line", Via.COMMAND)


def _extent(action: Action, membership: Membership) -> Reach | None:
    if not membership.verified and action not in UNVERIFIED_ACTIONS:
        return None
    return RIGHTS[action].get(membership.role)


def can(actor: Actor, action: Action, organisation_id: int | None = None) -> bool:
    """See `Actor.can`."""
    if actor.via in (Via.SYSTEM, Via.COMMAND):
        return True
    for membership in actor.memberships:
        extent = _extent(action, membership)
        if extent is ALL:
            return True
        if extent is OWN and organisation_id in (None, membership.organisation_id):
            return True
    return False


def require(actor: Actor, action: Action, organisation_id: int | None = None) -> None:
    """Raise SignInRequired for a visitor, NotAllowed for anyone else without the right.

    Where the thing itself must stay unknown, raise NotFound before calling this.
    """
    if can(actor, action, organisation_id):
        return
    if not actor.is_signed_in:
        raise SignInRequired(action=action.value)
    raise NotAllowed(action=action.value)


def reaches(actor: Actor, action: Action, *organisations: int | None) -> bool:
    """Whether a right reaches one of these organisations, such as the parties of a contract."""
    reach = actor.organisations_for(action)
    return reach is None or any(one in reach for one in organisations if one is not None)


def require_party(actor: Actor, action: Action, *organisations: int | None) -> None:
    """Raise SignInRequired or NotAllowed unless a right reaches one of these organisations."""
    if reaches(actor, action, *organisations):
        return
    if not actor.is_signed_in:
        raise SignInRequired(action=action.value)
    raise NotAllowed(action=action.value)
