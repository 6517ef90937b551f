"""Money as integer minor units.

An amount is a whole number of fen (1 yuan = 100 fen) unless a currency says otherwise.
Text comes in as yuan or wan (10,000 yuan) typed by people; decimals are parsed exactly.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

FEN_PER_YUAN = 100
FEN_PER_WAN = 10_000 * FEN_PER_YUAN
FEN_PER_YI = 100_000_000 * FEN_PER_YUAN
MAX_FEN = 10**15
"""Ten trillion yuan: more than any price here, and well inside a 64-bit integer even when summed."""

_UNITS = {"": 1, "元": 1, "万": 10_000, "万元": 10_000, "亿": 100_000_000, "亿元": 100_000_000}
_AMOUNT = re.compile(r"^[¥￥]?\s*(-?[0-9][0-9,，]*(?:\.[0-9]+)?)\s*(元|万元|万|亿元|亿)?$")


def parse_fen(text: str, default_unit: str = "元") -> int:
    """Read an amount as people type it (`1,200`, `¥3.5万`, `2 亿`) into fen.

    `default_unit` applies when the text names none. Raises ValueError when the text is no amount,
    when it is finer than a fen, or when it is beyond MAX_FEN.
    """
    match = _AMOUNT.match(text.strip().replace("　", " "))
    if match is None:
        raise ValueError("not an amount")
    try:
        number = Decimal(re.sub("[,，]", "", match.group(1)))
    except InvalidOperation as error:
        raise ValueError("not an amount") from error
    fen = number * _UNITS[match.group(2) or default_unit] * FEN_PER_YUAN
    if fen != fen.to_integral_value():
        raise ValueError("finer than a fen")
    if abs(fen) > MAX_FEN:
        raise ValueError("too large")
    return int(fen)


def yuan(fen: int) -> str:
    """Fen as plain yuan text with two decimals, no thousands mark: `123456` → `1234.56`."""
    sign = "-" if fen < 0 else ""
    whole, rest = divmod(abs(fen), FEN_PER_YUAN)
    return f"{sign}{whole}.{rest:02d}"


def share_bp(numerator_fen: int, denominator_fen: int) -> int | None:
    """A share in hundredths of a basis point (1% = 10,000), rounded half up; None when undefined."""
    if denominator_fen <= 0:
        return None
    return (numerator_fen * 1_000_000 * 2 + denominator_fen) // (2 * denominator_fen)
