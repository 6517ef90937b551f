"""Types for input models: text as it may be stored, identifiers in canonical form, amounts.

Input models are strict about unknown fields, so that a misspelt name is told and not ignored.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from market import identifiers, money
from market.errors import Invalid


class Input(BaseModel):
    """Base of every input model."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _clean_text(value: str) -> str:
    if _CONTROLS.search(value):
        raise Invalid("control_character")
    return unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))


def _clean_line(value: str) -> str:
    return re.sub(r"\s+", " ", _clean_text(value)).strip()


Line = Annotated[str, AfterValidator(_clean_line)]
"""One line of text: no control characters, runs of white space folded, NFC."""

Text = Annotated[str, AfterValidator(_clean_text)]
"""Text of several lines: no control characters but newline and tab, NFC."""


def _identifier(name: str, parse: Any) -> Any:
    def check(value: str) -> str:
        if not value:
            return value
        try:
            parsed = parse(value)
        except identifiers.BadIdentifier as error:
            if error.code == "check_digit":
                raise Invalid(f"{name}_check_digit", expected=error.expected) from None
            raise Invalid(f"{name}_format") from None
        return str(getattr(parsed, "canonical", parsed))

    return AfterValidator(check)


CreditCode = Annotated[
    str,
    Field(min_length=1, max_length=40, examples=["91330100799655058B"]),
    _identifier("credit_code", identifiers.parse_credit_code),
]
"""A unified social credit code (统一社会信用代码), canonical."""

PatentNo = Annotated[
    str,
    Field(max_length=40, examples=["200710308494.X"]),
    _identifier("patent_number", identifiers.parse_patent_number),
]
"""A patent application number, canonical; empty is left empty."""

Ipc = Annotated[
    str,
    Field(min_length=1, max_length=20, examples=["F04D 29/42"]),
    _identifier("ipc", identifiers.parse_ipc),
]
"""An IPC symbol, canonical."""

RegistrationNo = Annotated[
    str,
    Field(min_length=1, max_length=24, examples=["2026331000000123"]),
    _identifier("registration_number", identifiers.parse_registration_number),
]
"""A registration number of a technology contract: sixteen digits."""


def _parse_amount(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return money.parse_fen(value)
        except ValueError:
            raise Invalid("amount") from None
    return value


FenAmount = Annotated[
    int,
    Field(ge=0, le=money.MAX_FEN, description="Amount in fen (1/100 yuan).", examples=[35_000_000]),
]
"""An amount as an integer number of fen (programs)."""

TypedAmount = Annotated[FenAmount, BeforeValidator(_parse_amount)]
"""An amount that people type in yuan or wan (`35万`), or programs give in fen as an integer."""

Email = Annotated[
    str,
    Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", examples=["name@example.com"]),
    AfterValidator(lambda value: _clean_line(value).lower()),
]
"""An e-mail address, in lower case."""
