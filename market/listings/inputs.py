"""What may be said about a result, as it is typed, sent or imported."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from market.errors import Invalid
from market.identifiers import BadIdentifier, parse_patent_number
from market.inputs import Input, Ipc, Line, Text, TypedAmount
from market.listings.models import CooperationMode, IpKind, IpStatus, PricingMode, Stage

Keyword = Annotated[Line, Field(min_length=1, max_length=40)]
Name = Annotated[Line, Field(min_length=1, max_length=80)]
LongText = Annotated[Text, Field(max_length=20_000)]
ContactEmail = Annotated[Line, Field(max_length=254, pattern=r"^$|^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Trl = Annotated[int, Field(ge=1, le=9)]

PATENT_KINDS = {
    IpKind.INVENTION: ("1", "8"),
    IpKind.UTILITY_MODEL: ("2", "9"),
    IpKind.DESIGN: ("3",),
}
"""The kind digits that an application number of each kind of patent may carry."""


def unique(values: list[str]) -> list[str]:
    """The values without repetitions, in the order of first mention."""
    return list(dict.fromkeys(values))


def canonical_number(value: str, kind: IpKind | None) -> str:
    """The number of a right in canonical form; a patent's is verified by its check character.

    Raises a validation error for a patent number that is none, or that belongs to another kind.
    """
    if not value or kind is None:
        return value
    if kind not in PATENT_KINDS:
        if len(value) > 32:
            raise Invalid("string_too_long", max_length=32)
        return value
    try:
        parsed = parse_patent_number(value)
    except BadIdentifier as error:
        if error.code == "check_digit":
            raise Invalid("patent_number_check_digit", expected=error.expected) from None
        raise Invalid("patent_number_format") from None
    if parsed.kind not in PATENT_KINDS[kind]:
        raise Invalid("patent_number_kind", expected=PATENT_KINDS[kind][0], found=parsed.kind)
    return parsed.canonical


class ClaimInput(Input):
    """Something the result does better, and what supports it."""

    statement: Annotated[Line, Field(min_length=1, max_length=300)] = Field(
        description="What is better.", examples=["Hydraulic efficiency at the rated point"]
    )
    figure: Annotated[Line, Field(max_length=80)] = Field(
        "", description="The number with its unit.", examples=["86.5 %"]
    )
    comparator: Annotated[Line, Field(max_length=200)] = Field(
        "", description="What it is compared with.", examples=["82 % of the pump it replaces"]
    )
    source: Annotated[Line, Field(max_length=300)] = Field(
        "",
        description="Where it was measured: report, standard, laboratory.",
        examples=["Test report 2025-118"],
    )


class IpInput(Input):
    """A right that the result rests on."""

    kind: IpKind = Field(description="Kind of right.")
    number: Annotated[Line, Field(max_length=40)] = Field(
        "",
        description="Application number of a patent (its check character is verified; `ZL`, `CN`, spaces and "
        "a missing dot are accepted), or the registration number of another right. Stored in canonical form.",
        examples=["200710308494.X"],
    )
    title: Annotated[Line, Field(max_length=300)] = Field("", description="Title of the right.")
    status: IpStatus = Field(IpStatus.UNKNOWN, description="Where the right stands.")
    fee_paid_to: dt.date | None = Field(None, description="Day up to which fees are paid.")
    pledged: bool = Field(False, description="Whether the right is pledged as security.")

    @field_validator("number")
    @classmethod
    def _canonical(cls, value: str, info: ValidationInfo) -> str:
        return canonical_number(value, info.data.get("kind"))


class ResultInput(Input):
    """A result (成果). A draft needs a title and an industry; more is asked for before it is published."""

    title: Annotated[Line, Field(min_length=1, max_length=200)] = Field(
        description="Name of the result.", examples=["高效节能潜水泵水力模型"]
    )
    title_en: Annotated[Line, Field(max_length=300)] = Field("", description="Name in English.")
    abstract: LongText = Field("", description="What it is, in a few sentences.")
    advantages: LongText = Field("", description="What it does better, in prose.")
    application: LongText = Field("", description="Where it is or could be used.")
    keywords: Annotated[list[Keyword], Field(max_length=20)] = Field([], description="Keywords.")
    industry_code: Annotated[Line, Field(min_length=1, max_length=32)] = Field(
        description="Code of one of the city's industries.", examples=["pumps"]
    )
    ipc: Annotated[list[Ipc], Field(max_length=20)] = Field([], description="IPC symbols.")
    trl: Trl | None = Field(None, description="Technology readiness level, 1 to 9.")
    stage: Stage | None = Field(None, description="Stage in plain words.")
    modes: Annotated[list[CooperationMode], Field(max_length=20)] = Field(
        [], description="What the owner offers to do together."
    )
    pricing_mode: PricingMode = Field(PricingMode.NEGOTIATED, description="How the price comes about.")
    price_low_fen: TypedAmount | None = Field(
        None, description="Lower end of the price in fen; without either end the price is negotiable."
    )
    price_high_fen: TypedAmount | None = Field(None, description="Upper end of the price in fen.")
    inventors: Annotated[list[Name], Field(max_length=50)] = Field([], description="Inventors.")
    holder: Annotated[Line, Field(max_length=300)] = Field(
        "", description="Who holds the rights, where the organisation lists on another's behalf."
    )
    awards: LongText = Field("", description="Awards and appraisals.")
    contact_name: Annotated[Line, Field(max_length=80)] = Field("", description="Whom to ask.")
    contact_phone: Annotated[Line, Field(max_length=40)] = Field("", description="Their telephone.")
    contact_email: ContactEmail = Field("", description="Their e-mail address.")
    valid_until: dt.date | None = Field(
        None, description="Last day on which it is offered; the market's limit applies when it is earlier."
    )
    claims: Annotated[list[ClaimInput], Field(max_length=30)] = Field([], description="Claims with evidence.")
    ip: Annotated[list[IpInput], Field(max_length=50)] = Field([], description="Rights.")

    @field_validator("keywords", "ipc", "modes", "inventors")
    @classmethod
    def _unique(cls, values: list[str]) -> list[str]:
        return unique(values)

    @field_validator("price_high_fen")
    @classmethod
    def _in_order(cls, value: int | None, info: ValidationInfo) -> int | None:
        low = info.data.get("price_low_fen")
        if value is not None and low is not None and value < low:
            raise Invalid("range_order")
        return value


class ReasonInput(Input):
    """Why a listing is withdrawn or concluded."""

    reason: Annotated[Text, Field(max_length=1000)] = Field("", description="The reason, in a sentence.")
