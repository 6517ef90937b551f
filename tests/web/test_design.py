"""What the look of the pages promises: readable colours, nothing inline, icons that exist, a stylesheet kept small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import web

WEB = Path(web.__file__).parent
CSS = (WEB / "static/css/market.css").read_text(encoding="utf-8")
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))

TEXT = ("ink", "ink-2", "sea", "sun", "ok", "warn", "bad", "live")
GROUNDS = ("paper", "surface", "sunk")
PAIRS = [(text, ground) for text in TEXT for ground in GROUNDS] + [
    ("on-sea", "sea"), ("on-sea", "sea-strong"), ("on-sun", "sun"), ("on-sun", "live"),
    ("mast-ink", "mast"), ("mast-2", "mast"), ("ok", "ok-bg"), ("warn", "warn-bg"), ("bad", "bad-bg"),
    ("sea", "info-bg"), ("ink", "info-bg"), ("ink", "warn-bg"), ("ink-2", "info-bg"), ("surface", "bad"),
]  # fmt: skip
EDGES = [("edge", "paper"), ("edge", "surface"), ("focus", "paper"), ("focus", "surface"), ("focus", "sunk")]


def tokens(selector: str) -> dict[str, str]:
    """The colours set by the first rule of a selector."""
    start = CSS.index(selector + " {")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", CSS[start : CSS.index("}", start)]))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * d for d in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


LIGHT = tokens(":root")
DARK = LIGHT | tokens(':root[data-theme="dark"]')


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_colour_is_readable_on_every_ground_it_is_used_on(colours: dict[str, str]) -> None:
    weak = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in PAIRS}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
    edges = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in EDGES}
    assert {pair: ratio for pair, ratio in edges.items() if ratio < 3} == {}


def test_dark_by_choice_and_dark_by_device_are_the_same() -> None:
    assert tokens(':root[data-theme="dark"]') == tokens(':root[data-theme="auto"]')


def test_stylesheet_stays_small_and_loads_nothing() -> None:
    assert len(CSS.encode()) <= 49_000
    assert "@import" not in CSS
    assert "url(" not in CSS


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(WEB / "templates")))
def test_templates_carry_nothing_inline(template: Path) -> None:
    source = re.sub(r"\{#.*?#\}", "", template.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=\"|javascript:", source)
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/)", source)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", source)
    assert "|safe" not in source


def test_icons_named_in_templates_are_in_the_sprite() -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (WEB / "static/icons.svg").read_text(encoding="utf-8")))
    used: set[str] = set()
    for template in TEMPLATES:
        source = template.read_text(encoding="utf-8")
        used |= set(re.findall(r"\bicon\(\"([\w-]+)\"", source))
        used |= set(re.findall(r"\bicon=\"([\w-]+)\"", source))
        used |= set(re.findall(r"icons\.svg'\) \}\}#([\w-]+)", source))
    assert used - drawn == set()
