"""What people and programs may say about a contract."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator, Field

from market.deals.models import ContractKind, ContractSubkind, TechnicalField
from market.deals.rules import Step
from market.errors import Invalid
from market.inputs import Input, Line, RegistrationNo, Text, TypedAmount

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


class Deduction(Input):
    """One non-technical cost inside the price: equipment, instruments, parts, raw materials."""

    item: Annotated[Line, Field(min_length=1, max_length=100, examples=["样机设备"])]
    fen: TypedAmount


class ContractInput(Input):
    """A contract as its parties write it down.

    A party is a member organisation (`seller_id`), whose name and region are then taken from its
    record, or a name and a region.
    """

    title: Annotated[Line, Field(min_length=1, max_length=200, examples=["高效离心泵水力模型技术开发"])]
    kind: ContractKind
    subkind: ContractSubkind
    seller_id: Key | None = None
    seller_name: Annotated[Line, Field(max_length=200)] = ""
    seller_region: RegionCode | None = None
    buyer_id: Key | None = None
    buyer_name: Annotated[Line, Field(max_length=200)] = ""
    buyer_region: RegionCode | None = None
    deal_fen: Annotated[TypedAmount, Field(description="Total price of the deal (合同成交额), fen.")]
    technology_fen: Annotated[
        TypedAmount | None,
        Field(
            description="Price of the technology (技术交易额), fen; left out: the deal less the deductions."
        ),
    ] = None
    deductions: Annotated[list[Deduction], Field(max_length=20)] = []
    technical_field: TechnicalField
    industry_code: Annotated[Line, Field(max_length=32)] | None = None
    related_party: bool = False
    signed_on: Day
    effective_on: Day | None = None
    ends_on: Day | None = None
    result_id: Key | None = None


class StepInput(Input):
    """A step, with what it needs: a reason, a registration number, new amounts."""

    step: Step
    reason: Annotated[Text, Field(max_length=2000)] = ""
    registration_number: RegistrationNo | None = None
    deal_fen: TypedAmount | None = None
    technology_fen: TypedAmount | None = None
    deductions: Annotated[list[Deduction], Field(max_length=20)] | None = None
