"""What people may say about bank accounts, statements, lines and pay-outs."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from market.errors import Invalid
from market.inputs import Input, Line, Text, TypedAmount
from market.payments.bank.models import MatchKind, PayOutKind

Key = Annotated[int, Field(ge=1, le=2**63 - 1)]


def _digits(value: object) -> object:
    return (
        re.sub(r"[\s-]+", "", unicodedata.normalize("NFKC", value)).upper()
        if isinstance(value, str)
        else value
    )


def _number(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Z]{6,34}", value):
        raise Invalid("account_number")
    return value


def _branch(value: str) -> str:
    if value and not re.fullmatch(r"[0-9]{12}", value):
        raise Invalid("branch_code")
    return value


class AccountInput(Input):
    """A bank account. Account numbers here have 8 to 32 digits in practice; 6 to 34 characters are taken,
    IBAN among them."""

    holder: Annotated[Line, Field(min_length=1, max_length=200)]
    bank: Annotated[Line, Field(min_length=1, max_length=200)]
    branch_code: Annotated[str, BeforeValidator(_digits), AfterValidator(_branch)] = ""
    number: Annotated[str, BeforeValidator(_digits), AfterValidator(_number)]


class ProposalInput(Input):
    """What a line is said to be: `target` is a transfer asked for or a pay-out."""

    kind: MatchKind
    target: Key | None = None
    gateway: Annotated[str, Field(max_length=16)] = ""
    reason: Annotated[Text, Field(max_length=1000)] = ""


class PrepareInput(Input):
    """To which account a pay-out goes."""

    account_id: Key


class TroubleInput(Input):
    """Why a pay-out did not arrive."""

    reason: Annotated[Line, Field(min_length=1, max_length=500)]


class PayOutInput(Input):
    """Money to a lot's seller."""

    kind: PayOutKind
    lot_id: Key
    amount_fen: Annotated[TypedAmount, Field(gt=0)]
