"""What may be asked of saved searches."""

from __future__ import annotations

from pydantic import Field

from market.inputs import Input, Line
from matching.saved.rules import LONGEST_NAME


class SavedSearchInput(Input):
    """A search to be kept. Its query is made canonical by whoever reads it."""

    name: Line = Field(
        min_length=1, max_length=LONGEST_NAME, description="What to call it.", examples=["Canned pumps"]
    )
    query: str = Field(
        max_length=6000,
        description="Query string of the search page; what means nothing to it is left out.",
        examples=["q=pump&kind=result&industry=pumps_motors"],
    )
    alert: bool = Field(True, description="Whether new entries are told by mail.")


class SavedSearchChange(Input):
    """A new name, and whether mail is wanted."""

    name: Line = Field(min_length=1, max_length=LONGEST_NAME, description="What to call it.")
    alert: bool = Field(True, description="Whether new entries are told by mail.")
