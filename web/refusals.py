"""Sentences of auction refusals: amounts written as money, instants as local time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auctions.rules.refusal import RefusalCode
from web import i18n
from web.bid_forms import percent
from web.render import money


def sentence(code: str, params: Mapping[str, Any], language: str) -> str:
    """Why a command was refused, in a language."""
    shown = {key: _shown(key, value) for key, value in params.items()}
    key = f"error.{code}"
    return i18n.term(key if i18n.has_term(key, language) else "error.market_error", language, shown)


def _shown(key: str, value: Any) -> Any:
    """A parameter as people read it, by the ending of its name."""
    if key.endswith("_fen"):
        return money(value)
    if key.endswith("_bp"):
        return percent(value)
    return value + 1 if key == "step" else value


def patterns(language: str) -> dict[str, str]:
    """The unfilled sentences of every refusal, for the room's script."""
    found = {code.value: i18n.term(f"error.{code.value}", language) for code in RefusalCode}
    for code in ("busy", "draining", "unknown", "too_many_requests"):
        found[code] = i18n.term(f"error.{code}", language)
    found["other"] = i18n.term("error.market_error", language)
    return found
