"""What people may say about prices: notices, objections to them, priority rights, splits, trials, licences."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from market.errors import Invalid
from market.inputs import Input, Line, PatentNo, Text, TypedAmount
from market.listings.models import CooperationMode
from market.pricing.models import PriorityBasis

Key = Annotated[int, Field(ge=1, le=2**63 - 1)]


def _sane_day(value: dt.date) -> dt.date:
    if not 2000 <= value.year <= 2100:
        raise Invalid("day_out_of_range")
    return value


Day = Annotated[dt.date, AfterValidator(_sane_day)]


class NoticeInput(Input):
    """A price notice as its owner writes it."""

    title: Annotated[Line, Field(min_length=1, max_length=200)]
    abstract: Annotated[Text, Field(min_length=1, max_length=4000)]
    transfer_mode: CooperationMode
    price_fen: Annotated[TypedAmount, Field(gt=0)]
    transferee_name: Annotated[Line, Field(max_length=200)] = ""
    transferee_id: Key | None = None
    related_party: bool = False
    relation_note: Annotated[Text, Field(max_length=2000)] = ""
    procedure: Annotated[Text, Field(min_length=1, max_length=4000)]
    unit_place: Annotated[Line, Field(max_length=300)] = ""
    unit_from: Day | None = None


class StartInput(Input):
    """Where and since when the unit's own notice hangs."""

    unit_place: Annotated[Line, Field(min_length=1, max_length=300)]
    unit_from: Day


class ObjectionInput(Input):
    """An objection to a notice."""

    organisation_id: Key | None = None
    contact: Annotated[Line, Field(min_length=3, max_length=254)]
    grounds: Annotated[Text, Field(min_length=1, max_length=4000)]


class DecisionInput(Input):
    """What the owner answers to an objection."""

    upheld: bool = False
    answer: Annotated[Text, Field(min_length=1, max_length=4000)]


class SignInput(Input):
    """The contract that a notice led to."""

    contract_id: Key


class ReasonInput(Input):
    """Why."""

    reason: Annotated[Text, Field(max_length=2000)] = ""


class PriorityInput(Input):
    """Somebody who must be asked first."""

    basis: PriorityBasis
    holder_name: Annotated[Line, Field(min_length=1, max_length=200)]
    asked_on: Day
    answer_by: Day
    contract_id: Key | None = None
    note: Annotated[Line, Field(max_length=500)] = ""


class AnswerInput(Input):
    """What the holder of a priority right answered."""

    answered_on: Day
    note: Annotated[Line, Field(max_length=500)] = ""


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


Share = Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(_parse_percent)]
"""A share that people type in percent, or programs give in millionths; nothing is a share too."""


class SharerInput(Input):
    """Somebody who gets a part of the award, by weight among those of the same part."""

    name: Annotated[Line, Field(min_length=1, max_length=80)]
    part: Literal["main", "transfer", "award"]
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class SplitInput(Input):
    """How the income of a transfer is to be shared out."""

    receipt_id: Key | None = None
    received_on: Day
    income_fen: Annotated[TypedAmount, Field(gt=0)]
    costs_fen: TypedAmount = 0
    taxes_fen: TypedAmount = 0
    award_ppm: Share
    main_ppm: Share
    transfer_ppm: Share
    people: Annotated[list[SharerInput], Field(max_length=60)] = []


class TrialInput(Input):
    """A firm asks to try a result."""

    result_id: Key
    user_id: Key
    purpose: Annotated[Text, Field(min_length=1, max_length=4000)]


class TrialTermsInput(Input):
    """The terms on which a trial is agreed: the price afterwards first of all."""

    terms: Annotated[Text, Field(min_length=1, max_length=4000)]
    transfer_mode: CooperationMode
    price_fen: Annotated[TypedAmount, Field(gt=0)]
    starts_on: Day
    ends_on: Day
    insured: bool = False


class LicenceInput(Input):
    """An open licence as its owner declares it."""

    patent_number: Annotated[PatentNo, Field(min_length=1)]
    fee: Annotated[Text, Field(min_length=1, max_length=4000)]
    starts_on: Day
    ends_on: Day
    evaluation_report: bool = False
    free_of_bars: bool = False
    announced_number: Annotated[Line, Field(max_length=40)] = ""
