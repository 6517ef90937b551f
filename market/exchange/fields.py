"""Which fields each kind of import and export has, in the order in which people meet them.

A field's `name` is its code in headers, mappings and files. `target` is its name in the input model.
Fields of form PARTS are lists of small records: objects in JSON Lines, and in a cell one record a
line with its parts separated by `|` in the order given.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from market.deals.models import (
    ContractKind,
    ContractSource,
    ContractState,
    ContractSubkind,
    PriceForm,
    RoyaltyBase,
    TechnicalField,
)
from market.demands.models import Comparator, DemandSource
from market.listings.models import CooperationMode, IpKind, IpStatus, ListingState, PricingMode, Stage
from market.parties.models import OrganisationKind


class Kind(enum.StrEnum):
    """What is imported or exported."""

    RESULTS = "results"
    DEMANDS = "demands"
    ORGANISATIONS = "organisations"
    CONTRACTS = "contracts"
    """Technology contracts that were registered before; officials' alone to import."""


class Form(enum.StrEnum):
    """How a field is written in a cell."""

    LINE = "line"
    TEXT = "text"
    WORDS = "words"
    """Several words, separated by `；`."""
    CHOICE = "choice"
    CHOICES = "choices"
    AMOUNT = "amount"
    """Yuan, or with its unit: `35万`."""
    DATE = "date"
    NUMBER = "number"
    PERCENT = "percent"
    """A share in percent, kept in millionths."""
    FLAG = "flag"
    ORGANISATION = "organisation"
    """A credit code, or the exact name of an organisation here."""
    INDUSTRY = "industry"
    """An industry's code or name."""
    PARTS = "parts"


@dataclass(frozen=True)
class Field:
    """One field of an import."""

    name: str
    form: Form = Form.LINE
    target: str = ""
    choices: type[enum.Enum] | None = None
    required: bool = False
    parts: tuple[Field, ...] = ()
    internal: bool = False
    """Given by export for the reader's information; import leaves it alone."""

    @property
    def model_name(self) -> str:
        """The field's name in the input model."""
        return self.target or self.name


_F = Form

IP_PARTS = (
    Field("kind", _F.CHOICE, choices=IpKind),
    Field("number"),
    Field("title"),
    Field("status", _F.CHOICE, choices=IpStatus),
    Field("fee_paid_to", _F.DATE),
    Field("pledged", _F.FLAG),
)
CLAIM_PARTS = (Field("statement"), Field("figure"), Field("comparator"), Field("source"))
TARGET_PARTS = (
    Field("name"),
    Field("comparator", _F.CHOICE, choices=Comparator),
    Field("threshold"),
    Field("threshold_high"),
    Field("unit"),
    Field("condition"),
)

_CONTACT = (Field("contact_name"), Field("contact_phone"), Field("contact_email"))
_KEY = (Field("source"), Field("source_id"))
_STATE = (
    Field("state", _F.CHOICE, choices=ListingState, internal=True),
    Field("valid_until", _F.DATE, internal=True),
)

RESULTS: tuple[Field, ...] = (
    Field("organisation", _F.ORGANISATION, "organisation_id", required=True),
    Field("title", required=True),
    Field("title_en"),
    Field("industry", _F.INDUSTRY, "industry_code", required=True),
    Field("abstract", _F.TEXT),
    Field("advantages", _F.TEXT),
    Field("application", _F.TEXT),
    Field("holder"),
    Field("keywords", _F.WORDS),
    Field("ipc", _F.WORDS),
    Field("trl", _F.NUMBER),
    Field("stage", _F.CHOICE, choices=Stage),
    Field("modes", _F.CHOICES, choices=CooperationMode),
    Field("pricing_mode", _F.CHOICE, choices=PricingMode),
    Field("price_low", _F.AMOUNT, "price_low_fen"),
    Field("price_high", _F.AMOUNT, "price_high_fen"),
    Field("inventors", _F.WORDS),
    Field("awards", _F.TEXT),
    Field("ips", _F.PARTS, "ip", parts=IP_PARTS),
    Field("claims", _F.PARTS, parts=CLAIM_PARTS),
    *_CONTACT,
    *_KEY,
    *_STATE,
)

DEMANDS: tuple[Field, ...] = (
    Field("organisation", _F.ORGANISATION, "organisation_id", required=True),
    Field("title", required=True),
    Field("title_en"),
    Field("industry", _F.INDUSTRY, "industry_code", required=True),
    Field("difficulty", _F.TEXT),
    Field("research", _F.TEXT),
    Field("background", _F.TEXT),
    Field("targets", _F.PARTS, parts=TARGET_PARTS),
    Field("keywords", _F.WORDS),
    Field("ipc", _F.WORDS),
    Field("modes", _F.CHOICES, choices=CooperationMode),
    Field("wanted_trl", _F.NUMBER),
    Field("budget_low", _F.AMOUNT, "budget_low_fen"),
    Field("budget_high", _F.AMOUNT, "budget_high_fen"),
    Field("deadline", _F.DATE),
    Field("experts", _F.TEXT),
    Field("origin", _F.CHOICE, choices=DemandSource),
    *_CONTACT,
    *_KEY,
    *_STATE,
)

ORGANISATIONS: tuple[Field, ...] = (
    Field("credit_code", required=True),
    Field("name", required=True),
    Field("name_en"),
    Field("kind", _F.CHOICE, choices=OrganisationKind, required=True),
    Field("region_code", required=True),
    Field("country_code"),
    Field("town"),
    Field("nature_code"),
    Field("introduction", _F.TEXT),
    Field("website"),
    *_CONTACT,
    Field("promised_reply_hours", _F.NUMBER),
)

DEDUCTION_PARTS = (Field("item"), Field("fen", _F.AMOUNT))
INSTALMENT_PARTS = (Field("due_on", _F.DATE), Field("fen", _F.AMOUNT), Field("condition"))
CONCERNED_PARTS = (Field("kind", _F.CHOICE, choices=IpKind), Field("number"))


def _party(side: str) -> tuple[Field, ...]:
    names = ("code", "name", "region", "town", "nature", "country")
    return tuple(Field(f"{side}_{name}") for name in names)


CONTRACTS: tuple[Field, ...] = (
    Field("registration_number"),
    Field("title", required=True),
    Field("contract_kind", _F.CHOICE, "kind", choices=ContractKind, required=True),
    Field("subkind", _F.CHOICE, choices=ContractSubkind, required=True),
    *_party("seller"),
    *_party("buyer"),
    Field("deal", _F.AMOUNT, "deal_fen"),
    Field("technology", _F.AMOUNT, "technology_fen"),
    Field("deductions", _F.PARTS, parts=DEDUCTION_PARTS),
    Field("price_form", _F.CHOICE, choices=PriceForm),
    Field("instalments", _F.PARTS, parts=INSTALMENT_PARTS),
    Field("entry_fee", _F.AMOUNT, "entry_fee_fen"),
    Field("royalty_base", _F.CHOICE, choices=RoyaltyBase),
    Field("royalty", _F.PERCENT, "royalty_ppm"),
    Field("currency"),
    Field("foreign_amount"),
    Field("exchange_rate"),
    Field("rate_on", _F.DATE),
    Field("ips", _F.PARTS, "ip", parts=CONCERNED_PARTS),
    Field("pricing_mode", _F.CHOICE, choices=PricingMode),
    Field("trade_secret", _F.FLAG),
    Field("technical_field", _F.CHOICE, choices=TechnicalField, required=True),
    Field("industry", _F.INDUSTRY, "industry_code"),
    Field("related_party", _F.FLAG),
    Field("signed_on", _F.DATE, required=True),
    Field("effective_on", _F.DATE),
    Field("ends_on", _F.DATE),
    Field("registered_on", _F.DATE, required=True),
    Field("source", _F.CHOICE, choices=ContractSource),
    Field("local_number", internal=True),
    Field("state", _F.CHOICE, choices=ContractState, internal=True),
    Field("ended_on", _F.DATE, internal=True),
)

FIELDS: dict[Kind, tuple[Field, ...]] = {
    Kind.RESULTS: RESULTS,
    Kind.DEMANDS: DEMANDS,
    Kind.ORGANISATIONS: ORGANISATIONS,
    Kind.CONTRACTS: CONTRACTS,
}


def importable(kind: Kind) -> dict[str, Field]:
    """The fields that an import of a kind takes, by name."""
    return {field.name: field for field in FIELDS[kind] if not field.internal}


def plain(value: Any) -> Any:
    """A stored value as files hold it: enumerations by their code, days in ISO form."""
    if isinstance(value, enum.Enum):
        return value.value
    return value.isoformat() if hasattr(value, "isoformat") else value


def as_json(value: Any) -> Any:
    """A stored value, lists and records too, as JSON holds it."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return plain(value)
