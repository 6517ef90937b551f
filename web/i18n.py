"""Languages: Simplified Chinese first, English second.

Two catalogues. `messages` holds the sentences of templates, written there in English. `terms` holds
what code names by key: labels of enumerations (`OrganisationKind.firm`), sentences of errors
(`error.not_found`), of bad input (`invalid.check_digit`) and names of fields (`field.title`); both
languages stand in catalogues, so that no sentence lives in Python.

Catalogues are read from their `.po` text at start: there is no compile step to forget.
"""

from __future__ import annotations

import enum
import functools
import io
from collections.abc import Mapping
from gettext import GNUTranslations
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

LANGUAGES = ("zh-Hans", "en")
DEFAULT = "zh-Hans"
LOCALES = {"zh-Hans": "zh_Hans_CN", "en": "en_GB"}
_FOLDERS = {"zh-Hans": "zh_Hans", "en": "en"}
_ROOT = Path(__file__).parent / "locale"


def catalogue_path(language: str, domain: str) -> Path:
    """Where a catalogue lies."""
    return _ROOT / _FOLDERS[language] / "LC_MESSAGES" / f"{domain}.po"


@functools.cache
def translations(language: str, domain: str = "messages") -> Translations | GNUTranslations:
    """A catalogue of a language; an empty one where there is none (English messages)."""
    path = catalogue_path(language, domain)
    if not path.exists():
        return Translations(domain=domain)
    with path.open("rb") as file:
        catalogue = read_po(file, locale=_FOLDERS[language], domain=domain)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled, domain=domain)


def has_term(key: str, language: str) -> bool:
    """Whether the terms catalogue knows a key."""
    return translations(language, "terms").gettext(key) != key


def term(key: str, language: str, params: Mapping[str, Any] | None = None) -> str:
    """The text of a key, filled with parameters. An unknown key is shown as it is."""
    text = translations(language, "terms").gettext(key)
    if not params:
        return text
    try:
        return text % dict(params)
    except (KeyError, ValueError, TypeError):
        return text


def label(member: enum.Enum, language: str) -> str:
    """What an enumeration's member is called."""
    return term(f"{type(member).__name__}.{member.value}", language)


def choose(wanted: str | None, accept: str | None) -> str:
    """The language to answer in: the visitor's choice, else the browser's, else Chinese."""
    if wanted in LANGUAGES:
        return str(wanted)
    for part in (accept or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh-Hans"
        if tag.startswith("en"):
            return "en"
    return DEFAULT
