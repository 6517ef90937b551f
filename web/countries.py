"""Countries by their codes of three letters (ISO 3166-1), named in the page's language by CLDR."""

from __future__ import annotations

import functools

from babel import Locale
from babel.core import get_global

from web import i18n

_OBSOLETE = frozenset({"BUR", "DDR", "FXX", "TMP", "YMD", "ZAR"})
_NOT_COUNTRIES = frozenset({"AC", "CP", "CQ", "DG", "EU", "TA", "XA", "XB", "ZZ"})
"""What CLDR names beside countries: unions, test data, islands with reserved codes."""


@functools.cache
def choices(language: str) -> tuple[tuple[str, str], ...]:
    """Every (code, name), China first and then by code."""
    names = Locale.parse(i18n.LOCALES[language]).territories
    found = [
        (code, names[short[0]])
        for code, short in get_global("territory_aliases").items()
        if len(code) == 3 and code.isalpha() and code not in _OBSOLETE
        if len(short) == 1 and short[0] in names and short[0] not in _NOT_COUNTRIES
    ]
    return tuple(sorted(found, key=lambda one: (one[0] != "CHN", one[0])))


def name(code: str, language: str) -> str:
    """What a country is called; the code itself where nobody knows it."""
    return dict(choices(language)).get(code, code)
