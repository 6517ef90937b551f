"""What officials enter: GDP releases, values of the plan's indicators, versions of calibers, which figure
to publish."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from market.inputs import Input, Line, Text, TypedAmount
from market.statistics.models import AmendmentRule, AmountMeasure, DatedBy, Side, Vintage

Year = Annotated[int, Field(ge=1990, le=2100, examples=[2024])]
Quarter = Annotated[int, Field(ge=1, le=4, description="Year to date through this quarter; 4 is the year.")]


class GdpReleaseInput(Input):
    """A published GDP figure at current prices."""

    region_code: Annotated[str, Field(pattern=r"^[0-9]{6}$", examples=["331081"])]
    year: Year
    quarter: Quarter = 4
    vintage: Vintage
    value_fen: Annotated[
        TypedAmount, Field(gt=0, description="GDP at current prices, fen.", examples=[14_176_300_000_000])
    ]
    published_on: dt.date
    source: Annotated[Line, Field(min_length=4, max_length=300)]


class SnapshotInput(Input):
    """The figure to freeze and publish."""

    caliber: Annotated[str, Field(pattern=r"^[A-Z][0-9A-Z]{0,7}$", examples=["C4"])]
    year: Year
    quarter: Quarter = 4
    reason: Annotated[
        Line, Field(max_length=500, description="Why it is published anew; needed for a revision only.")
    ] = ""


class PlanValueInput(Input):
    """What an indicator of the plan reached in a year."""

    indicator: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["rd_expenditure"])]
    year: Year
    value: Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=4, examples=["31.5"])]
    source: Annotated[Line, Field(min_length=4, max_length=300)]


class CountedState(enum.StrEnum):
    """States of a contract that a caliber may count: those in which it is, or was, registered."""

    REGISTERED = "registered"
    DEREGISTERED = "deregistered"
    REVOKED = "revoked"


class CaliberInput(Input):
    """A version of a caliber. With a code that is in use it is that caliber's next version."""

    code: Annotated[str, Field(pattern=r"^[A-Z][0-9A-Z]{0,7}$", examples=["C4"])]
    name: Annotated[Line, Field(min_length=2, max_length=120)]
    name_en: Annotated[Line, Field(max_length=200)] = ""
    measure: AmountMeasure
    side: Side
    dated_by: DatedBy
    amendments: AmendmentRule
    states: Annotated[list[CountedState], Field(min_length=1, max_length=3)]
    valid_from: dt.date
    note: Annotated[Text, Field(min_length=10, max_length=1000, description="Shown beside every number.")]
    note_en: Annotated[Text, Field(max_length=2000)] = ""
