"""Bids as people fill them in: each format's form read into what the room takes, and said back in words.

A form carries `act` and that act's own fields: `amount` in yuan (or `amount_fen`, a whole number of fen,
from buttons and confirmations), `royalty` in percent, `step`, `commitment`, `slip`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from auctions.rules.formats import RULES
from auctions.rules.formats.sealed import COMMITMENT
from market.errors import InvalidInput
from market.money import MAX_FEN, parse_fen
from web import slips
from web.forms import Form


@dataclass(frozen=True)
class Entered:
    """A bid as it will be placed. The amount is in fen."""

    act: str
    amount_fen: int | None = None
    extra: dict[str, int | str] = field(default_factory=dict)

    def hidden(self) -> dict[str, str]:
        """The fields with which a confirmation sends exactly this bid."""
        found = {"act": self.act}
        if self.amount_fen is not None:
            found["amount_fen"] = str(self.amount_fen)
        return found | {f"extra.{name}": str(value) for name, value in self.extra.items()}


NUMBERS = ("step", "royalty_bp")
"""Extras that are whole numbers."""


def read(form: Form, lot_format: str) -> Entered:
    """The bid in a form. Raises InvalidInput with the field that is wrong."""
    acts = RULES[lot_format].ACTS
    act = form.value("act") or acts[0]
    if act not in acts:
        raise InvalidInput([("act", "unknown_choice", {"choices": ", ".join(acts)})])
    sent = {name.removeprefix("extra."): form.value(name) for name in form.entered if name[:6] == "extra."}
    if sent or form.has("confirmed"):
        return Entered(act, _fen(form) if form.has("amount_fen") else None, _extra(sent))
    if act == "seal":
        return Entered(act, None, {"commitment": _commitment(form.value("commitment"))})
    if act == "open":
        slip = slips.read(form.value("slip"))
        if slip is None:
            raise InvalidInput([("slip", "slip_unreadable", {})])
        return Entered(act, slip.amount_fen, {"nonce": slip.nonce})
    if act == "take":
        return Entered(act, _fen(form), {"step": form.number("step")})
    if act == "offer":
        problems: list[tuple[str, str, dict[str, Any]]] = []
        amount = royalty = 0
        try:
            amount = _fen(form)
        except InvalidInput as error:
            problems += error.problems
        try:
            royalty = basis_points(form.value("royalty"))
        except ValueError:
            problems.append(("royalty", "not_a_royalty", {}))
        if problems:
            raise InvalidInput(problems)
        return Entered(act, amount, {"royalty_bp": royalty})
    return Entered(act, _fen(form))


def basis_points(text: str) -> int:
    """Percent as people write them, `3.25` or `3.25%`, in basis points. Raises ValueError."""
    try:
        value = Decimal(text.strip().rstrip("%％").strip()) * 100
    except InvalidOperation:
        raise ValueError(text) from None
    if not value.is_finite() or value != int(value) or not 0 <= value <= 10_000:
        raise ValueError(text)
    return int(value)


def percent(bp: int) -> str:
    """Basis points as percent: 325 → `3.25%`."""
    whole, rest = divmod(bp, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") + "%"


def _fen(form: Form) -> int:
    typed = form.value("amount_fen") or form.value("amount")
    whole = form.has("amount_fen") and typed.isascii() and typed.isdigit() and len(typed) < 19
    try:
        amount = int(typed) if whole else parse_fen(typed)
    except ValueError:
        raise InvalidInput([("amount", "amount", {})]) from None
    if not 0 < amount <= MAX_FEN:
        raise InvalidInput([("amount", "amount", {})])
    return amount


def _extra(sent: dict[str, str]) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for name, value in sent.items():
        if not re.fullmatch(r"[a-z_]{1,32}", name) or len(value) > 128:
            raise InvalidInput([("act", "unknown_choice", {"choices": ""})])
        if name in NUMBERS:
            if not re.fullmatch(r"[0-9]{1,9}", value):
                raise InvalidInput([(name, "not_a_number", {})])
            found[name] = int(value)
        else:
            found[name] = value
    return found


def _commitment(text: str) -> str:
    value = re.sub(r"\s", "", text).lower()
    if not COMMITMENT.fullmatch(value):
        raise InvalidInput([("commitment", "not_a_commitment", {})])
    return value
