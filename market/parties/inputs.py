"""What people enter about organisations, themselves, memberships and tokens."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from market.errors import Invalid
from market.inputs import CreditCode, Email, Input, Line, Text
from market.parties.models import OrganisationKind
from market.parties.rules import LONGEST_PASSWORD, SHORTEST_PASSWORD
from market.permissions import Role, Scope

_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_PHONE = re.compile(r"^\+?[0-9][0-9 ()\-]*(?:\s?(?:转|ext\.?)\s?[0-9]+)?$")


def _email(value: str) -> str:
    if value and not _EMAIL.match(value):
        raise Invalid("email")
    return value.lower()


def _phone(value: str) -> str:
    if value and not _PHONE.match(value):
        raise Invalid("phone")
    return value


def _website(value: str) -> str:
    if not value:
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        raise Invalid("website") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in value:
        raise Invalid("website")
    return value


OptionalEmail = Annotated[
    Line, Field(max_length=254, examples=["office@example.com"]), AfterValidator(_email)
]
Phone = Annotated[Line, Field(max_length=40, examples=["0576-86110000"]), AfterValidator(_phone)]
Website = Annotated[Line, Field(max_length=300, examples=["https://example.com"]), AfterValidator(_website)]
PersonName = Annotated[Line, Field(min_length=1, max_length=80, examples=["林晓"])]
Password = Annotated[Text, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD, repr=False)]
"""A password being chosen; `rules.check_password` says what else it must be."""
GivenPassword = Annotated[Text, Field(min_length=1, max_length=LONGEST_PASSWORD, repr=False)]
"""A password being shown as proof, whatever the rules were when it was chosen."""
Reason = Annotated[Text, Field(min_length=2, max_length=1000, examples=["执照照片无法辨认"])]


class OrganisationInput(Input):
    """What an organisation says about itself."""

    name: Line = Field(
        min_length=2, max_length=200, description="Registered name.", examples=["浙江某泵业有限公司"]
    )
    name_en: Line = Field("", max_length=200, description="Name in English.")
    kind: OrganisationKind = Field(description="What it is.", examples=["firm"])
    credit_code: CreditCode = Field(description="Unified social credit code, GB 32100-2015.")
    region_code: str = Field(
        pattern=r"^[0-9]{6}$", max_length=6, description="GB/T 2260 code.", examples=["331081"]
    )
    country_code: str = Field(
        "CHN", pattern=r"^[A-Z]{3}$", max_length=3, description="ISO 3166 alpha-3.", examples=["CHN"]
    )
    town: Line = Field("", max_length=80, description="Town or sub-district.", examples=["大溪镇"])
    nature_code: str = Field(
        "",
        pattern=r"^([0-9]{3})?$",
        max_length=3,
        description="Party nature code of the contract form.",
        examples=["170"],
    )
    founded_on: dt.date | None = Field(
        None,
        ge=dt.date(1800, 1, 1),
        description="Day of founding, as on the business licence.",
        examples=["2015-06-01"],
    )
    introduction: Text = Field("", max_length=4000, description="What it does, for its public page.")
    website: Website = Field("", description="Its own pages.")
    contact_name: Line = Field("", max_length=80, description="Who answers; seen by members and staff.")
    contact_phone: Phone = Field("", description="Seen by members and staff.")
    contact_email: OptionalEmail = Field("", description="Seen by members and staff.")
    promised_reply_hours: int | None = Field(
        None, ge=1, le=720, description="Reply time that it promises in public, hours.", examples=[48]
    )


class RegistrationInput(Input):
    """A person signing up together with the organisation they act for."""

    name: PersonName
    email: Email
    phone: Phone = ""
    password: Password
    organisation: OrganisationInput


class ProfileInput(Input):
    """What a person may change about themselves."""

    name: PersonName
    phone: Phone = ""
    language: str = Field("zh-Hans", pattern=r"^(zh-Hans|en)$", max_length=8, examples=["zh-Hans"])


class MembershipInput(Input):
    """A role to give to the person with an e-mail address; unknown ones are invited."""

    email: Email
    name: Line = Field("", max_length=80, description="Needed when there is no account yet.")
    role: Role = Field(examples=["bidder"])


class EmailInput(Input):
    """The e-mail address of an account."""

    email: Email


class ReasonInput(Input):
    """Why a step was taken; told to the organisation."""

    reason: Reason


class PasswordChangeInput(Input):
    """A new password, with the old one as proof."""

    current_password: GivenPassword
    password: Password


class NewPasswordInput(Input):
    """A new password, chosen behind a mailed link."""

    password: Password


class TokenInput(Input):
    """An API token to be made."""

    name: Line = Field(min_length=1, max_length=80, description="What it is for.", examples=["Library sync"])
    scopes: list[Scope] = Field(min_length=1, max_length=3, description="What it may do.")
    days: int = Field(90, ge=1, le=366, description="How long it works, days.", examples=[90])
