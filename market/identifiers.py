"""Identifiers with check digits and their canonical forms."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from stdnum.cn import uscc

_PATENT_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_PATENT_NEW = re.compile(r"^((?:19|20)\d{2})([12389])(\d{7})\.?([0-9X])$")
_PATENT_OLD = re.compile(r"^(\d{2})([1238])(\d{5})\.?([0-9X])$")
_IPC = re.compile(r"^([A-H])(\d{2})([A-Z])\s*(\d{1,4})/(\d{2,6})$")
_REGISTRATION = re.compile(r"[0-9]{16}")


class BadIdentifier(ValueError):
    """The text is not such an identifier. `code` says why: format, check_digit."""

    def __init__(self, code: str, expected: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.expected = expected


@dataclass(frozen=True)
class PatentNumber:
    """A Chinese patent application number; a granted patent has the same digits after `ZL`.

    `canonical` is the digits with a dot before the check character: `200710308494.X`.
    """

    canonical: str
    year: int
    kind: str
    """1 or 8 invention (发明), 2 or 9 utility model (实用新型), 3 design (外观设计)."""


def parse_patent_number(text: str) -> PatentNumber:
    """Read `ZL 2007 1 0308494.X`, `CN200710308494X` and the like.

    Raises BadIdentifier with code `format`, or `check_digit` with the expected character.
    """
    compact = re.sub(r"[\s\-－]", "", text.upper()).replace("．", ".")
    compact = re.sub(r"^(ZL|CN)", "", compact)
    new, old = _PATENT_NEW.match(compact), _PATENT_OLD.match(compact)
    match = new or old
    if match is None:
        raise BadIdentifier("format")
    body = "".join(match.groups()[:3])
    total = sum(int(digit) * weight for digit, weight in zip(body, _PATENT_WEIGHTS, strict=False))
    expected = "0123456789X"[total % 11]
    if match.group(4) != expected:
        raise BadIdentifier("check_digit", expected)
    year = int(match.group(1)) if new else 1900 + int(match.group(1))
    return PatentNumber(f"{body}.{expected}", year, match.group(2))


def parse_credit_code(text: str) -> str:
    """The canonical form of a unified social credit code (统一社会信用代码, GB 32100-2015).

    Raises BadIdentifier with code `format` or `check_digit`.
    """
    compact = re.sub(r"[\s\-]", "", text.upper())
    if not re.match(r"^[0-9A-HJ-NP-RTUW-Y]{18}$", compact):
        raise BadIdentifier("format")
    expected = uscc.calc_check_digit(compact[:17])
    if compact[17] != expected:
        raise BadIdentifier("check_digit", expected)
    if not uscc.is_valid(compact):
        raise BadIdentifier("format")
    return compact


def parse_ipc(text: str) -> str:
    """The canonical form of an IPC symbol: `F04D 29/42`. Raises BadIdentifier."""
    match = _IPC.match(text.strip().upper())
    if match is None:
        raise BadIdentifier("format")
    section, klass, subclass, group, subgroup = match.groups()
    return f"{section}{klass}{subclass} {int(group)}/{subgroup}"


def parse_registration_number(text: str) -> str:
    """A registration number of a technology contract (登记编号): sixteen digits, issued by the
    national system and never minted here. Raises BadIdentifier."""
    compact = re.sub(r"[\s\-]", "", unicodedata.normalize("NFKC", text))
    if not _REGISTRATION.fullmatch(compact):
        raise BadIdentifier("format")
    return compact
