"""What people and programs may say about a contract."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from market.deals.models import ContractKind, ContractSubkind, PriceForm, RoyaltyBase, TechnicalField
from market.deals.price import CNY
from market.deals.rules import Step
from market.errors import Invalid
from market.inputs import Input, Line, RegistrationNo, Text, TypedAmount
from market.listings.inputs import canonical_number
from market.listings.models import IpKind, PricingMode

Key = Annotated[int, Field(ge=1, le=2**63 - 1, examples=[1])]


def _sane_day(value: dt.date) -> dt.date:
    if not 1985 <= value.year <= 2100:
        raise Invalid("day_out_of_range")
    return value


Day = Annotated[dt.date, AfterValidator(_sane_day)]
"""A day that a contract can be about: after 1985, when contracts of technology began to have a law."""

RegionCode = Annotated[
    str, Field(pattern=r"^[0-9]{6}$", description="GB/T 2260 code; `000000` for abroad.", examples=["331081"])
]


NatureCode = Annotated[
    str,
    Field(
        pattern=r"^(0[1-9]|[1-4][0-9])[0-9]$",
        description="Party nature code of the contract form: `022` university, `170` private firm.",
        examples=["170"],
    ),
]
CountryCode = Annotated[
    str, Field(pattern=r"^[A-Z]{3}$", description="ISO 3166-1 alpha-3 code.", examples=["CHN"])
]


def _parse_percent(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        ppm = Decimal(value.strip().rstrip("%％").strip()) * 10_000
    except InvalidOperation:
        raise Invalid("percent") from None
    if not ppm.is_finite() or ppm != ppm.to_integral_value():
        raise Invalid("percent")
    return int(ppm)


Rate = Annotated[
    int,
    Field(ge=1, le=1_000_000, description="Millionths: 5 % is 50,000.", examples=[50_000]),
    BeforeValidator(_parse_percent),
]
"""A share that people type in percent (`3.5`), or programs give in millionths as an integer."""


class InstalmentInput(Input):
    """A part of the price, when it falls due and on what condition."""

    due_on: Day
    fen: Annotated[TypedAmount, Field(gt=0)]
    condition: Annotated[Line, Field(max_length=200, examples=["样机验收合格后"])] = ""


class ConcernedInput(Input):
    """A right that the contract concerns (知识产权)."""

    kind: IpKind
    number: Annotated[
        Line,
        Field(
            max_length=40,
            description="Application number of a patent, verified by its check character, or the number of "
            "another right; may be empty for know-how.",
            examples=["200710308494.X"],
        ),
    ] = ""

    @field_validator("number")
    @classmethod
    def _canonical(cls, value: str, info: ValidationInfo) -> str:
        return canonical_number(value, info.data.get("kind"))


class Deduction(Input):
    """One non-technical cost inside the price: equipment, instruments, parts, raw materials."""

    item: Annotated[Line, Field(min_length=1, max_length=100, examples=["样机设备"])]
    fen: TypedAmount


class ContractInput(Input):
    """A contract as its parties write it down.

    A party is a member organisation (`seller_id`), whose name and region are then taken from its
    record, or a name and a region. Town, nature and country are the record's too where they are left out.
    A price in a foreign currency is stated by `foreign_amount`, `exchange_rate` and `rate_on`; the deal in
    yuan follows from them.
    """

    title: Annotated[Line, Field(min_length=1, max_length=200, examples=["高效离心泵水力模型技术开发"])]
    kind: ContractKind
    subkind: ContractSubkind
    seller_id: Key | None = None
    seller_name: Annotated[Line, Field(max_length=200)] = ""
    seller_region: RegionCode | None = None
    seller_town: Annotated[Line, Field(max_length=80)] = ""
    seller_nature: NatureCode | None = None
    seller_country: CountryCode | None = None
    buyer_id: Key | None = None
    buyer_name: Annotated[Line, Field(max_length=200)] = ""
    buyer_region: RegionCode | None = None
    buyer_town: Annotated[Line, Field(max_length=80)] = ""
    buyer_nature: NatureCode | None = None
    buyer_country: CountryCode | None = None
    deal_fen: Annotated[
        TypedAmount | None,
        Field(
            description="Total price of the deal (合同成交额), fen; left out where it is in a foreign currency."
        ),
    ] = None
    technology_fen: Annotated[
        TypedAmount | None,
        Field(
            description="Price of the technology (技术交易额), fen; left out: the deal less the deductions."
        ),
    ] = None
    deductions: Annotated[list[Deduction], Field(max_length=20)] = []
    price_form: PriceForm = PriceForm.LUMP
    instalments: Annotated[
        list[InstalmentInput], Field(max_length=60, description="They sum to the deal.")
    ] = []
    entry_fee_fen: Annotated[TypedAmount, Field(description="入门费, fen.")] | None = None
    royalty_base: RoyaltyBase | None = None
    royalty_ppm: Rate | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")] = CNY
    foreign_amount: Annotated[
        Line,
        Field(
            max_length=24, description="The price in units of the foreign currency.", examples=["120000.50"]
        ),
    ] = ""
    exchange_rate: Annotated[
        Line, Field(max_length=20, description="Yuan for one unit, as published.", examples=["7.1234"])
    ] = ""
    rate_on: Annotated[Day, Field(description="The day of the exchange rate.")] | None = None
    ip: Annotated[list[ConcernedInput], Field(max_length=20)] = []
    pricing_mode: PricingMode | None = None
    trade_secret: Annotated[bool, Field(description="The parties ask that the content be withheld.")] = False
    technical_field: TechnicalField
    industry_code: Annotated[Line, Field(max_length=32)] | None = None
    related_party: bool = False
    signed_on: Day
    effective_on: Day | None = None
    ends_on: Day | None = None
    result_id: Key | None = None


class StepInput(Input):
    """A step, with what it needs: a reason, a registration number, new amounts, and the kind that the official
    decides on."""

    step: Step
    reason: Annotated[Text, Field(max_length=2000)] = ""
    registration_number: RegistrationNo | None = None
    kind: ContractKind | None = None
    subkind: ContractSubkind | None = None
    deal_fen: TypedAmount | None = None
    technology_fen: TypedAmount | None = None
    deductions: Annotated[list[Deduction], Field(max_length=20)] | None = None
    instalments: Annotated[list[InstalmentInput], Field(max_length=60)] | None = None
    entry_fee_fen: TypedAmount | None = None
    royalty_ppm: Rate | None = None
    foreign_amount: Annotated[Line, Field(max_length=24)] | None = None
