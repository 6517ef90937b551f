"""What an import may say about an organisation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from market.inputs import CreditCode, Input, Line, Text
from market.listings.inputs import ContactEmail
from market.parties.models import OrganisationKind


class OrganisationRow(Input):
    """An organisation (单位) in an import. Its credit code is its key."""

    credit_code: CreditCode
    name: Annotated[Line, Field(min_length=1, max_length=200)]
    name_en: Annotated[Line, Field(max_length=200)] = ""
    kind: OrganisationKind
    region_code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    country_code: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "CHN"
    town: Annotated[Line, Field(max_length=80)] = ""
    nature_code: Annotated[str, Field(pattern=r"^([0-9]{3})?$")] = ""
    introduction: Annotated[Text, Field(max_length=20_000)] = ""
    website: Annotated[Line, Field(max_length=300, pattern=r"^(https?://[^\s]+)?$")] = ""
    contact_name: Annotated[Line, Field(max_length=80)] = ""
    contact_phone: Annotated[Line, Field(max_length=40)] = ""
    contact_email: ContactEmail = ""
    promised_reply_hours: Annotated[int, Field(ge=1, le=720)] | None = None
