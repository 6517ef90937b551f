"""Rows of technology contracts and their events."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class ContractKind(enum.StrEnum):
    """The five kinds of technology contract (民法典 843; licence is a kind of its own since 2021)."""

    DEVELOPMENT = "development"
    ASSIGNMENT = "assignment"
    LICENCE = "licence"
    CONSULTING = "consulting"
    SERVICE = "service"


class ContractSubkind(enum.StrEnum):
    """Sub-kinds; codes are ours. `rules.SUBKINDS` says which belongs to which kind."""

    COMMISSIONED_DEVELOPMENT = "commissioned_development"
    JOINT_DEVELOPMENT = "joint_development"
    TECHNOLOGY_CONVERSION = "technology_conversion"
    PATENT = "patent"
    PATENT_APPLICATION = "patent_application"
    KNOW_HOW = "know_how"
    SOFTWARE = "software"
    LAYOUT_DESIGN = "layout_design"
    PLANT_VARIETY = "plant_variety"
    FEASIBILITY = "feasibility"
    FORECAST = "forecast"
    SURVEY = "survey"
    EVALUATION = "evaluation"
    GENERAL_SERVICE = "general_service"
    TRAINING = "training"
    INTERMEDIARY = "intermediary"


class ContractState(enum.StrEnum):
    """Where a contract stands in the register.

    draft → submitted → accepted ⇄ supplement → [expert_review] → registered | refused;
    registered → amended* | deregistered | revoked
    """

    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    SUPPLEMENT = "supplement"
    EXPERT_REVIEW = "expert_review"
    REGISTERED = "registered"
    REFUSED = "refused"
    DEREGISTERED = "deregistered"
    REVOKED = "revoked"


class ContractSource(enum.StrEnum):
    """How a contract came into this register."""

    LOT = "lot"
    """Made from a won lot."""
    ENQUIRY = "enquiry"
    """Negotiated from an enquiry."""
    TRIAL = "trial"
    """A trial (先用后付) that became a contract."""
    ENTERED = "entered"
    IMPORTED = "imported"
    """Registered elsewhere, taken over from a file of the registering office."""
    DECLARED = "declared"
    """Registered elsewhere as a party says; not verified."""


class PriceForm(enum.StrEnum):
    """How the price is paid (民法典 846)."""

    LUMP = "lump"
    """一次总付"""
    INSTALMENTS = "instalments"
    """分期支付"""
    ROYALTY = "royalty"
    """提成支付"""
    ENTRY_ROYALTY = "entry_royalty"
    """入门费加提成"""


class RoyaltyBase(enum.StrEnum):
    """What a royalty is a share of (民法典 846)."""

    PRICE = "price"
    """产品价格"""
    NEW_OUTPUT = "new_output"
    """新增产值"""
    PROFIT = "profit"
    """利润"""
    SALES = "sales"
    """产品销售额"""


class TechnicalField(enum.StrEnum):
    """技术领域 as the contract form lists them."""

    ELECTRONICS = "electronics"
    AEROSPACE = "aerospace"
    ADVANCED_MANUFACTURING = "advanced_manufacturing"
    BIOMEDICINE = "biomedicine"
    NEW_MATERIALS = "new_materials"
    NEW_ENERGY = "new_energy"
    ENVIRONMENT = "environment"
    NUCLEAR = "nuclear"
    AGRICULTURE = "agriculture"
    TRANSPORT = "transport"
    URBAN_DEVELOPMENT = "urban_development"


class Contract(SQLModel, table=True):
    """A technology contract (技术合同). Amounts are in fen; `deal ≥ technology ≥ 0` always."""

    __tablename__ = "contract"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", ContractKind), name="kind"),
        sa.CheckConstraint(in_values("state", ContractState), name="state"),
        sa.CheckConstraint(in_values("source", ContractSource), name="source"),
        sa.CheckConstraint(in_values("price_form", PriceForm), name="price_form"),
        sa.CheckConstraint("deal_fen >= technology_fen AND technology_fen >= 0", name="amounts"),
        sa.Index("ix_contract_state_registered_on", "state", "registered_on"),
        sa.Index("ix_contract_party_names", "seller_name", "buyer_name"),
        sa.Index("ix_contract_parties", "seller_id", "buyer_id"),
        sa.UniqueConstraint("source_lot_id"),
        sa.Index("ux_contract_import_key", "import_key", unique=True),
    )
    id: int | None = columns.primary_key()
    local_number: str = Field(max_length=32, unique=True)
    """Ours: `WL-2026-000123`."""
    registration_number: str | None = Field(default=None, max_length=16, unique=True)
    """登记编号: sixteen digits issued by the national system; entered, never minted."""
    import_key: str | None = Field(default=None, max_length=24)
    """Of what came from a file without a registration number: a digest of what it is known by, so that two
    imports at once cannot both enter it."""
    title: str = Field(max_length=200)
    kind: str = Field(max_length=16)
    subkind: str = Field(max_length=32)
    seller_id: int | None = columns.reference("organisation.id", optional=True)
    seller_name: str = Field(max_length=200)
    seller_region: str = Field(max_length=6)
    seller_town: str = Field(default="", max_length=80)
    seller_nature: str = Field(default="", max_length=3)
    """Party nature code of the contract form; empty where it is not known."""
    seller_country: str = Field(default="CHN", max_length=3)
    """ISO 3166-1 alpha-3."""
    buyer_id: int | None = columns.reference("organisation.id", optional=True)
    buyer_name: str = Field(max_length=200)
    buyer_region: str = Field(max_length=6)
    """GB/T 2260 codes; `000000` for abroad."""
    buyer_town: str = Field(default="", max_length=80)
    buyer_nature: str = Field(default="", max_length=3)
    buyer_country: str = Field(default="CHN", max_length=3)
    deal_fen: int = columns.fen()
    """合同成交额"""
    technology_fen: int = columns.fen()
    """技术交易额 = deal − deductions."""
    deductions: list[dict[str, Any]] = columns.json_list()
    """[{"item": text, "fen": int}], summing to deal − technology."""
    price_form: str = Field(default=PriceForm.LUMP.value, max_length=16)
    instalments: list[dict[str, Any]] = columns.json_list()
    """[{"due_on": day, "fen": int, "condition": text}]; where the price is paid in instalments they sum
    to the deal."""
    entry_fee_fen: int | None = columns.fen(optional=True)
    royalty_base: str = Field(default="", max_length=16)
    """A RoyaltyBase; empty without a royalty."""
    royalty_ppm: int | None = None
    """The royalty's rate in millionths of its base: 5 % is 50,000."""
    currency: str = Field(default="CNY", max_length=3)
    """ISO 4217 code of the currency that the contract is written in."""
    foreign_minor: int | None = columns.fen(optional=True)
    """The price in minor units of a foreign currency; `deal_fen` is its value at `exchange_rate`."""
    exchange_rate: str = Field(default="", max_length=20)
    """Yuan for one unit of the foreign currency, as published: a decimal number."""
    rate_on: dt.date | None = None
    """The day of the exchange rate."""
    ip: list[dict[str, Any]] = columns.json_list()
    """The rights concerned: [{"kind": IpKind, "number": text}]."""
    pricing_mode: str = Field(default="", max_length=16)
    """A `listings.models.PricingMode`; empty where the owner need not follow one."""
    trade_secret: bool = False
    """The parties ask that the content be withheld from open data."""
    taxonomy_version: int = 2021
    """The year from which the kinds are counted so: licences are a kind of their own since 2021."""
    technical_field: str = Field(default="", max_length=32)
    """A TechnicalField; empty only while a draft."""
    industry_code: str | None = Field(default=None, foreign_key="industry.code", max_length=32)
    """The industry it serves."""
    related_party: bool = False
    signed_on: dt.date | None = None
    """None only while a draft: an agreement is not a signature."""
    effective_on: dt.date | None = None
    ends_on: dt.date | None = None
    state: str = Field(default=ContractState.DRAFT.value, max_length=16)
    accepted_on: dt.date | None = None
    decide_by: dt.date | None = None
    """The last working day of the registrar's clock."""
    registered_on: dt.date | None = None
    ended_on: dt.date | None = None
    """The day of deregistration or revocation."""
    escalated_on: dt.date | None = None
    """The day on which those above were told that the registrar's clock had run out."""
    source: str = Field(max_length=16)
    source_lot_id: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger))
    source_enquiry_id: int | None = columns.reference("enquiry.id", optional=True)
    result_id: int | None = columns.reference("result.id", optional=True)
    version: int = 1
    created_by: int | None = columns.reference("person.id", optional=True, index=False)
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class ContractEvent(SQLModel, table=True):
    """One step in a contract's life, with the amounts before and after; never edited."""

    __tablename__ = "contract_event"
    id: int | None = columns.primary_key()
    contract_id: int = columns.reference("contract.id")
    at: dt.datetime = columns.instant(index=True)
    step: str = Field(max_length=32)
    state_before: str | None = Field(default=None, max_length=16)
    state_after: str = Field(max_length=16)
    actor_id: int | None = columns.reference("person.id", optional=True, index=False)
    actor_name: str = Field(max_length=200)
    reason: str = columns.text()
    deal_fen_before: int | None = columns.fen(optional=True)
    deal_fen_after: int | None = columns.fen(optional=True)
    technology_fen_before: int | None = columns.fen(optional=True)
    technology_fen_after: int | None = columns.fen(optional=True)


class Receipt(SQLModel, table=True):
    """Money received under a contract (技术性收入 and the rest); never edited, a mistake is reversed."""

    __tablename__ = "contract_receipt"
    __table_args__ = (
        sa.CheckConstraint("fen <> 0", name="fen"),
        sa.UniqueConstraint("reverses_id"),
    )
    id: int | None = columns.primary_key()
    contract_id: int = columns.reference("contract.id")
    received_on: dt.date
    fen: int = columns.fen()
    """Negative where it reverses another."""
    technology_fen: int = columns.fen()
    """技术性收入: the part that pays for technology."""
    note: str = Field(default="", max_length=300)
    attachment_id: int | None = columns.reference("attachment.id", optional=True, index=False)
    reverses_id: int | None = columns.reference("contract_receipt.id", optional=True, index=False)
    entered_at: dt.datetime = columns.instant()
    entered_by: int | None = columns.reference("person.id", optional=True, index=False)


class EvidenceKind(enum.StrEnum):
    """What a file proves in the register. `evidence.json` says when each is asked for, and on what basis."""

    CONTRACT_TEXT = "contract_text"
    """The signed text with its annexes."""
    REGISTRATION_FORM = "registration_form"
    """登记表"""
    PARTY_REGISTRATION = "party_registration"
    """A party's own registration, the first time."""
    AUTHORITY_LETTER = "authority_letter"
    """授权书, where a department or a research group signed."""
    IP_PROOF = "ip_proof"
    COST_BREAKDOWN = "cost_breakdown"
    """What the non-technical costs are made of."""
    RECEIPT_PROOF = "receipt_proof"
    """Invoices and bank records."""
    OTHER = "other"


class ContractEvidence(SQLModel, table=True):
    """What a file of a contract proves. The file itself, with its hash, is an attachment."""

    __tablename__ = "contract_evidence"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", EvidenceKind), name="kind"),
        sa.UniqueConstraint("attachment_id"),
    )
    id: int | None = columns.primary_key()
    contract_id: int = columns.reference("contract.id")
    attachment_id: int = columns.reference("attachment.id", index=False)
    kind: str = Field(max_length=24)


class RegisterClock(SQLModel, table=True):
    """The register's own time: when its last movement was recorded. One row, locked while one is written,
    so that movements are recorded one after another and never before an answer already given."""

    __tablename__ = "register_clock"
    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    last: dt.datetime = columns.instant()


class Movement(SQLModel, table=True):
    """How one step changed what the register counts; never edited.

    A contract is counted by the sum of its movements: registering adds it, an amendment adds the
    difference (or takes the old away and adds the new, where it changed what the contract is counted
    under), deregistering and revoking take it away. What was known at a past moment is the sum of the
    movements recorded by then.
    """

    __tablename__ = "register_movement"
    __table_args__ = (
        sa.Index("ix_register_movement_registered_on_recorded_at", "registered_on", "recorded_at"),
        sa.Index("ix_register_movement_changed_on_recorded_at", "changed_on", "recorded_at"),
        sa.Index("ix_register_movement_received_on_recorded_at", "received_on", "recorded_at"),
    )
    id: int | None = columns.primary_key()
    recorded_at: dt.datetime = columns.instant(index=True)
    """The register's time."""
    contract_id: int = columns.reference("contract.id")
    step: str = Field(max_length=16)
    """`register`, `amend`, `receipt`, `deregister`, `revoke`."""
    changed_on: dt.date
    """The day of the step that the movement comes from."""
    registered_on: dt.date
    signed_on: dt.date | None = None
    effective_on: dt.date | None = None
    received_on: dt.date | None = None
    """The day of a receipt; None in movements of the contract itself."""
    kind: str = Field(max_length=16)
    subkind: str = Field(max_length=32)
    technical_field: str = Field(max_length=32)
    industry_code: str = Field(default="", max_length=32)
    seller_region: str = Field(max_length=6)
    buyer_region: str = Field(max_length=6)
    seller_town: str = Field(default="", max_length=80)
    buyer_town: str = Field(default="", max_length=80)
    seller_nature: str = Field(default="", max_length=3)
    buyer_nature: str = Field(default="", max_length=3)
    source: str = Field(max_length=16)
    taxonomy_version: int
    contracts: int
    """How many contracts more: 1, 0 or −1."""
    deal_fen: int = columns.fen()
    technology_fen: int = columns.fen()
    received_fen: int = columns.fen()
    received_technology_fen: int = columns.fen()


class ContractNumber(SQLModel, table=True):
    """The last local number given in a year. Its row is locked while one is given, so that numbers
    are unique and, because a rollback takes the number back, gapless."""

    __tablename__ = "contract_number"
    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    last: int = 0


class PolicyStanding(enum.StrEnum):
    """How well a rule's number is known. Only `law` may be shown as law."""

    LAW = "law"
    """Read in the text in force."""
    DRAFT = "draft"
    """Read in a draft; the text in force may differ."""
    LOCAL = "local"
    """Read in a regulation of the province."""
    MODEL = "model"
    """Read in a text in force that binds others (courts, say); followed here as a model."""
    RECALLED = "recalled"
    """From memory or from a repost; not verified."""


class PolicyRow(SQLModel, table=True):
    """A rule with a number and the days between which it holds, with where it comes from.

    Recalled or draft rules live here, never in code.
    """

    __tablename__ = "policy"
    __table_args__ = (
        sa.UniqueConstraint("name", "valid_from"),
        sa.CheckConstraint(in_values("standing", PolicyStanding), name="standing"),
    )
    id: int | None = columns.primary_key()
    name: str = Field(max_length=64, index=True)
    """`contract.decide_limit`, `contract.large_decide_limit`, `contract.large_from`, …"""
    value: int = Field(sa_column=sa.Column(sa.BigInteger, nullable=False))
    unit: str = Field(max_length=32)
    """`working_days`, `days`, `fen`."""
    valid_from: dt.date
    valid_to: dt.date | None = None
    standing: str = Field(max_length=16)
    basis: str = columns.text()
    """Where the number comes from, in Chinese."""
    basis_en: str = columns.text()
