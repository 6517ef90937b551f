"""Remittance references (汇款附言码): short, typed by people, and wrong when one or two characters are.

A reference is `TM` and seven of 23 characters, chosen so that none is taken for another in
handwriting or print: 0, 1, B, D, G, I, L, M, O, Q, S, V, Z are left out. The last is a check character: the sum of all seven,
weighted 1 to 7, is a multiple of 23. As 23 is a prime and the weights differ, one wrong character and any two
swapped ones always show.

Pure.
"""

from __future__ import annotations

import re
import unicodedata

ALPHABET = "23456789ACEFHJKNPRTUWXY"
PREFIX = "TM"
BODY = 6
COUNT = len(ALPHABET) ** BODY
"""How many references there are."""

_VALUE = {letter: value for value, letter in enumerate(ALPHABET)}
_INVERSE = pow(BODY + 1, -1, len(ALPHABET))
_FOUND = re.compile(rf"(?={PREFIX}([{ALPHABET}]{{{BODY + 1}}}))")


def reference(number: int) -> str:
    """The reference of a number from 0 to COUNT - 1. Raises ValueError for any other."""
    if not 0 <= number < COUNT:
        raise ValueError("no reference has this number")
    letters = []
    for _ in range(BODY):
        number, value = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[value])
    check = -_weighted("".join(letters)) * _INVERSE % len(ALPHABET)
    return PREFIX + "".join(letters) + ALPHABET[check]


def is_reference(text: str) -> bool:
    """Whether a text is a reference whose check character fits."""
    body = text.removeprefix(PREFIX)
    whole = text.startswith(PREFIX) and len(body) == BODY + 1 and all(letter in _VALUE for letter in body)
    return whole and _weighted(body) % len(ALPHABET) == 0


def references_in(text: str) -> list[str]:
    """The references that a bank's remark holds, also spaced, in lower case or in full-width characters."""
    plain = re.sub(r"[^A-Z0-9]", "", unicodedata.normalize("NFKC", text).upper())
    found = [PREFIX + match[1] for match in _FOUND.finditer(plain)]
    return list(dict.fromkeys(one for one in found if is_reference(one)))


def spaced(text: str) -> str:
    """A reference as people read it: `TM 3K7A 9CF`."""
    body = text.removeprefix(PREFIX)
    return f"{PREFIX} {body[:4]} {body[4:]}"


def _weighted(letters: str) -> int:
    return sum(weight * _VALUE[letter] for weight, letter in enumerate(letters, 1))
