"""What may be said of a suggested pair."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from market.enquiries.inputs import IntroductionInput, Key
from market.inputs import Input, Text
from matching.models import RejectReason

Note = Annotated[Text, Field(max_length=1000)]


class AcceptInput(IntroductionInput):
    """Bringing the two together: the first step and its day, a message to both, a note for colleagues."""

    note: Note = Field("", description="For brokers and staff alone.")


class RejectInput(Input):
    """Turning a pair down."""

    reason: RejectReason = Field(description="Coded reason.")
    note: Note = Field("", description="In words; needed where the reason is `other`.")


class SnoozeInput(Input):
    """Putting a pair off until a day."""

    until: dt.date = Field(description="The day on which it comes back, Shanghai.")
    note: Note = Field("", description="For brokers and staff alone.")


class AssignInput(Input):
    """Giving a pair to a broker or somebody of the staff, or to nobody."""

    person_id: Key | None = Field(None, description="A broker or one of the staff; null for nobody.")
