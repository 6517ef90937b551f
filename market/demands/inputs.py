"""What may be said about a demand, as it is typed, sent or imported."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from market.demands.models import Comparator, DemandSource
from market.errors import Invalid
from market.inputs import Input, Ipc, Line, TypedAmount
from market.listings.inputs import ContactEmail, Keyword, LongText, Trl, unique
from market.listings.models import CooperationMode

_NUMBER = re.compile(r"^[+-]?[0-9]{1,18}(\.[0-9]{1,12})?$")


def _number(value: str) -> str:
    compact = re.sub(r"[,\s]", "", unicodedata.normalize("NFKC", value)).replace("−", "-")
    if compact and not _NUMBER.match(compact):
        raise Invalid("decimal_parsing")
    return compact


DecimalText = Annotated[Line, Field(max_length=40), AfterValidator(_number)]
"""A decimal number as typed, with thousands marks and full-width digits folded; no exponent."""


class TargetInput(Input):
    """A figure that a solution must reach."""

    model_config = ConfigDict(validate_default=True)

    name: Annotated[Line, Field(min_length=1, max_length=120)] = Field(
        description="What is measured.", examples=["流量"]
    )
    comparator: Comparator = Field(Comparator.AT_LEAST, description="How the threshold is meant.")
    threshold: Annotated[DecimalText, Field(min_length=1)] = Field(
        description="Decimal number.", examples=["25"]
    )
    threshold_high: DecimalText = Field(
        "", description="Upper end; required when the comparator is `between`.", examples=["30"]
    )
    unit: Annotated[Line, Field(max_length=40)] = Field(
        "", description="Unit; empty for a plain number.", examples=["m³/h"]
    )
    condition: Annotated[Line, Field(max_length=200)] = Field(
        "", description="Under which condition.", examples=["扬程 50 m"]
    )

    @field_validator("threshold_high")
    @classmethod
    def _between(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("comparator") is not Comparator.BETWEEN:
            return ""
        if not value:
            raise Invalid("missing")
        low = info.data.get("threshold")
        if low and Decimal(value) < Decimal(low):
            raise Invalid("range_order")
        return value


class DemandInput(Input):
    """A technology wanted (需求). A draft needs a title and an industry; more is asked for before it is
    published."""

    title: Annotated[Line, Field(min_length=1, max_length=200)] = Field(
        description="What is wanted.", examples=["潜水电泵机械密封寿命提升"]
    )
    title_en: Annotated[Line, Field(max_length=300)] = Field("", description="The same in English.")
    difficulty: LongText = Field("", description="What has not been solved (难点).")
    research: LongText = Field("", description="What is to be done (研究内容).")
    background: LongText = Field("", description="Where the need comes from.")
    keywords: Annotated[list[Keyword], Field(max_length=20)] = Field([], description="Keywords.")
    industry_code: Annotated[Line, Field(min_length=1, max_length=32)] = Field(
        description="Code of one of the city's industries.", examples=["pumps"]
    )
    ipc: Annotated[list[Ipc], Field(max_length=20)] = Field([], description="IPC symbols.")
    modes: Annotated[list[CooperationMode], Field(max_length=20)] = Field(
        [], description="What the firm would do together."
    )
    wanted_trl: Trl | None = Field(None, description="The lowest readiness that would help, 1 to 9.")
    budget_low_fen: TypedAmount | None = Field(
        None, description="Lower end of the budget in fen; without either end it is negotiable."
    )
    budget_high_fen: TypedAmount | None = Field(None, description="Upper end of the budget in fen.")
    deadline: dt.date | None = Field(None, description="Day by which a solution is wanted.")
    experts: LongText = Field("", description="Experts or teams that the firm would like to work with.")
    origin: DemandSource = Field(DemandSource.DECLARED, description="How the demand reached the market.")
    contact_name: Annotated[Line, Field(max_length=80)] = Field("", description="Whom to ask.")
    contact_phone: Annotated[Line, Field(max_length=40)] = Field("", description="Their telephone.")
    contact_email: ContactEmail = Field("", description="Their e-mail address.")
    valid_until: dt.date | None = Field(
        None, description="Last day on which it is shown; the market's limit applies when it is earlier."
    )
    targets: Annotated[list[TargetInput], Field(max_length=30)] = Field([], description="Target figures.")

    @field_validator("keywords", "ipc", "modes")
    @classmethod
    def _unique(cls, values: list[str]) -> list[str]:
        return unique(values)

    @field_validator("budget_high_fen")
    @classmethod
    def _in_order(cls, value: int | None, info: ValidationInfo) -> int | None:
        low = info.data.get("budget_low_fen")
        if value is not None and low is not None and value < low:
            raise Invalid("range_order")
        return value
