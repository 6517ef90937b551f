"""What of a contract becomes open data, and in which words of the Open Contracting Data Standard 1.1. Pure.

Left out by rule:

- personal data: a party that is a natural person (nature 4xx of the contract form), or whose nature nobody
  stated and whose name is so short that it may be a person's, is published without name or number;
- trade secrets: where the parties ask for it (`trade_secret`), title, field and sub-kind are withheld;
- amounts, as on the public page of a contract, unless the price was made in public, in an auction here;
- what a party merely says of a contract registered elsewhere (`declared`) is not published at all.

Where rights are assigned or licensed, the standard's roles are reversed: whoever runs the process is paid. As
the standard's guidance for disposals asks, the title then begins with `转让/许可:`, the seller stands as `buyer` (with
the added role `seller`), the payer as `supplier`, and our extension says so in `rolesReversed`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from market.deals.models import ContractKind, ContractSource
from market.deals.price import CNY
from market.deals.rules import Step

RELEASED = {
    Step.REGISTER.value: "contract",
    Step.AMEND.value: "contractAmendment",
    Step.DEREGISTER.value: "contractTermination",
    Step.REVOKE.value: "contractTermination",
}
"""Step of the register → tag of the release."""

STATUS = {Step.DEREGISTER.value: "terminated", Step.REVOKE.value: "cancelled"}
"""Step → status of the contract after it; the others leave it active."""

REVERSED = frozenset({ContractKind.ASSIGNMENT.value, ContractKind.LICENCE.value})
DISPOSAL = "转让/许可:"
WITHHELD_TITLE = "技术合同"
LONGEST_PERSON = 4
"""Characters of the longest Chinese personal name that is at all common."""

BEIJING = dt.timezone(dt.timedelta(hours=8))


@dataclass(frozen=True)
class Party:
    """A party of a contract; `code` where it is a member."""

    name: str
    code: str
    nature: str
    region: str


@dataclass(frozen=True)
class Facts:
    """A contract as one of its events left it."""

    local_number: str
    registration_number: str | None
    title: str
    kind: str
    subkind: str
    technical_field: str
    source: str
    trade_secret: bool
    seller: Party
    buyer: Party
    signed_on: dt.date | None
    effective_on: dt.date | None
    ends_on: dt.date | None


@dataclass(frozen=True)
class Happened:
    """The event."""

    id: int
    step: str
    at: dt.datetime
    deal_fen: int | None


def is_published(source: str, step: str) -> bool:
    """Whether an event becomes a release."""
    return source != ContractSource.DECLARED.value and step in RELEASED


def may_name(party: Party) -> bool:
    """Whether a party's name may be published."""
    if party.nature.startswith("4"):
        return False
    return bool(party.code or party.nature) or len(party.name) > LONGEST_PERSON


def ocid(prefix: str, facts: Facts) -> str:
    """The contracting process's identifier: the same in all its releases."""
    return f"{prefix}-{facts.local_number}"


def release_id(prefix: str, facts: Facts, happened: Happened) -> str:
    """A release's own identifier."""
    return f"{ocid(prefix, facts)}-{happened.id}"


def release(prefix: str, facts: Facts, happened: Happened) -> dict[str, Any]:
    """One release, as it is published and kept."""
    turned = facts.kind in REVERSED
    title = WITHHELD_TITLE if facts.trade_secret else facts.title
    process = f"{DISPOSAL}{title}" if turned else title
    owner, other = (facts.seller, facts.buyer) if turned else (facts.buyer, facts.seller)
    number = facts.local_number
    parties = [
        _party(
            number, "seller", facts.seller, ["buyer", "procuringEntity", "seller"] if turned else ["supplier"]
        ),
        _party(
            number, "buyer", facts.buyer, ["supplier", "payer"] if turned else ["buyer", "procuringEntity"]
        ),
    ]
    value = _value(facts, happened)
    return {
        "ocid": ocid(prefix, facts),
        "id": release_id(prefix, facts, happened),
        "date": happened.at.astimezone(BEIJING).isoformat(timespec="seconds"),
        "tag": [RELEASED[happened.step]],
        "initiationType": "tender",
        "language": "zh",
        "parties": parties,
        "buyer": _named(parties[0 if owner is facts.seller else 1]),
        "tender": {"id": number, "title": process, "status": "complete"},
        "awards": [
            {
                "id": number,
                "title": process,
                "status": "active",
                "suppliers": [_named(parties[0 if other is facts.seller else 1])],
                **value,
            }
        ],
        "contracts": [
            {
                "id": number,
                "awardID": number,
                "title": process,
                "status": STATUS.get(happened.step, "active"),
                **({"dateSigned": _midnight(facts.signed_on)} if facts.signed_on else {}),
                **_period(facts),
                **value,
                "technologyContract": _technology(facts, turned),
            }
        ],
    }


def _technology(facts: Facts, turned: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": facts.kind, "rolesReversed": turned}
    if not facts.trade_secret:
        told |= {"subkind": facts.subkind, "technicalField": facts.technical_field}
    if facts.registration_number:
        told["registrationNumber"] = facts.registration_number
    return told


def _party(number: str, side: str, party: Party, roles: list[str]) -> dict[str, Any]:
    named = may_name(party)
    made: dict[str, Any] = {"id": party.code if named and party.code else f"{number}-{side}", "roles": roles}
    if named:
        made["name"] = party.name
        if party.code:
            made["identifier"] = {"id": party.code, "legalName": party.name}
    if named and party.region:
        made["address"] = {"region": party.region}
    return made


def _named(party: dict[str, Any]) -> dict[str, Any]:
    return {key: party[key] for key in ("id", "name") if key in party}


def _value(facts: Facts, happened: Happened) -> dict[str, Any]:
    if facts.source != ContractSource.LOT.value or happened.deal_fen is None:
        return {}
    fen = happened.deal_fen
    # The standard asks for a number of yuan. The division is the last thing done with it, and the nearest double
    # of an amount below 10^15 fen is written with exactly its two decimals.
    return {"value": {"amount": fen // 100 if fen % 100 == 0 else fen / 100, "currency": CNY}}


def _midnight(day: dt.date) -> str:
    return dt.datetime.combine(day, dt.time(), BEIJING).isoformat()


def _period(facts: Facts) -> dict[str, Any]:
    days = {"startDate": facts.effective_on, "endDate": facts.ends_on}
    told = {name: _midnight(day) for name, day in days.items() if day is not None}
    return {"period": told} if told else {}
