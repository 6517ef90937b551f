"""What may be asked of settlements."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import AwareDatetime, Field

from market.deals.inputs import Day
from market.inputs import Input, Line, Text, TypedAmount


class DirectPaymentInput(Input):
    """Money that the buyer paid the seller directly."""

    amount_fen: Annotated[TypedAmount, Field(gt=0)]
    paid_on: Day
    note: Annotated[Line, Field(max_length=300)] = ""


class ForfeitInput(Input):
    """What a failed sale cost, what the lot fetched less the second time, in fen; `owed_by` is the day by which
    is paid what the deposit does not cover."""

    costs_fen: Annotated[TypedAmount, Field(ge=0)] = 0
    shortfall_fen: Annotated[TypedAmount, Field(ge=0)] = 0
    owed_by: Day | None = None
    reason: Annotated[Text, Field(min_length=2, max_length=1000)]


class OfferInput(Input):
    """An offer to the next bidder: when it must be answered."""

    answer_by: Annotated[
        AwareDatetime,
        Field(ge=dt.datetime(2000, 1, 1, tzinfo=dt.UTC), lt=dt.datetime(2200, 1, 1, tzinfo=dt.UTC)),
    ]
