"""What may be said in an enquiry."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Annotated

from pydantic import Field

from market.enquiries.models import PassReason
from market.inputs import Input, Line, Text
from market.listings.inputs import Trl

Body = Annotated[Text, Field(min_length=1, max_length=4000)]
Key = Annotated[int, Field(ge=1, le=2**63 - 1)]


class SubjectKind(enum.StrEnum):
    """What an enquiry is about."""

    RESULT = "result"
    DEMAND = "demand"


class EnquiryInput(Input):
    """A question about a result, or an answer to a demand."""

    subject_kind: SubjectKind = Field(description="What it is about.", examples=["result"])
    subject_id: Key = Field(description="The result's or the demand's id.", examples=[1])
    from_organisation_id: Key | None = Field(
        None, description="For which of your organisations you ask; needed when there are several."
    )
    offered_result_id: Key | None = Field(None, description="A result offered in answer to a demand.")
    body: Body = Field(description="The first message.", examples=["贵方成果是否适用于 25 m³/h 工况？"])


class ReplyInput(Input):
    """A message in the thread."""

    body: Body = Field(description="The message.")


class NextStepInput(Input):
    """What is to be done next, and by when."""

    next_step: Annotated[Line, Field(max_length=300)] = Field("", description="What is to be done.")
    due_on: dt.date | None = Field(None, description="The day by which, Shanghai.")


class IntroductionInput(Input):
    """How a broker brings two sides together: the first step, by when, and perhaps a word to both."""

    next_step: Annotated[Line, Field(min_length=1, max_length=300)] = Field(description="What is done first.")
    due_on: dt.date = Field(description="The day by which, Shanghai.")
    body: Annotated[Text, Field(max_length=4000)] = Field("", description="A message that both sides read.")


class AssignInput(Input):
    """Who follows an enquiry up."""

    person_id: Key = Field(description="A person of the owner's organisation, a broker or staff.")


class PassInput(Input):
    """Why somebody passes, and when they would like to hear again."""

    reason: PassReason = Field(description="Coded reason; the other side sees it.")
    reinvite_trl: Trl | None = Field(
        None, description="Ask again when the result reaches this readiness level.", examples=[6]
    )
    note: Annotated[Text, Field(max_length=1000)] = Field("", description="In words.")


class OutcomeInput(Input):
    """How it ended, in words."""

    outcome: Annotated[Text, Field(max_length=2000)] = Field("", description="What was agreed, or why not.")
