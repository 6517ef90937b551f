"""Charts as SVG, drawn on the server from Vega-Lite by vl-convert (no Node, no browser).

The SVG is put into the page, not linked: its colours are the stylesheet's custom properties and its
letters are text in the page's own fonts, so both themes read well, the server needs no fonts, and
nothing inline styles anything. A chart never stands alone: the page shows its numbers as a table.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import vl_convert
from markupsafe import Markup, escape

WIDTH, HEIGHT = 500, 250
SERIES = ("var(--sea)", "var(--sun-fill)", "var(--ok)", "var(--warn)", "var(--edge)", "var(--ink-2)")
"""Colours of a stack's parts, in order; each part is also edged and named in the legend."""

_NOISE = re.compile(r'\s(?:font-family|role|aria-[a-z]+|version|xmlns:xlink)="[^"]*"')
_ROOT = re.compile(r"<svg [^>]*?width=\"([0-9.]+)\"[^>]*?viewBox=\"([0-9. -]+)\"[^>]*>")


@functools.lru_cache(maxsize=256)
def _draw(spec: str) -> str:
    """The SVG of a specification; the same text is drawn once (drawing takes some 30 ms)."""
    return str(vl_convert.vegalite_to_svg(json.loads(spec)))


def render(spec: Mapping[str, Any], title: str) -> Markup:
    """A Vega-Lite specification as SVG for the page, one image to those who do not see it."""
    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "config": _CONFIG,
        **spec,
    }
    text = _draw(json.dumps(whole, ensure_ascii=False, sort_keys=True))
    text = _NOISE.sub("", text)
    root = _ROOT.match(text)
    assert root is not None
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart__svg" role="img" '
        f'aria-label="{escape(title)}" width="{root.group(1)}" viewBox="{root.group(2)}">'
    )
    return Markup(head + text[root.end() :])  # noqa: S704


_AXIS = {
    "labelColor": "var(--ink-2)",
    "titleColor": "var(--ink-2)",
    "gridColor": "var(--line)",
    "domainColor": "var(--edge)",
    "tickColor": "var(--edge)",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
}
_CONFIG = {
    "view": {"stroke": None},
    "axis": _AXIS,
    "legend": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--ink-2)",
        "labelFontSize": 12,
        "labelLimit": 260,
        "symbolType": "square",
    },
    "text": {"fontSize": 12, "fill": "var(--ink)"},
}


@dataclass(frozen=True)
class Point:
    """A share in percent at a year; None where there is none to show."""

    x: str
    percent: Decimal | None
    words: str


def shares(
    points: Sequence[Point],
    *,
    title: str,
    axis: str,
    target: Decimal | None = None,
    target_words: Sequence[str] = (),
) -> Markup:
    """Shares by year as bars, with the plan's target as a dashed line, its words (a line each) beside it."""
    # Numbers become binary fractions only here, where they turn into lengths on paper.
    values = [
        {"x": one.x, "y": None if one.percent is None else float(one.percent), "words": one.words}
        for one in points
    ]
    x = {
        "field": "x",
        "type": "ordinal",
        "title": None,
        "axis": {"labelAngle": 0},
        # Named, so that a year without a share keeps its empty place.
        "scale": {"domain": [one.x for one in points]},
    }
    y: dict[str, Any] = {"field": "y", "type": "quantitative", "title": axis, "axis": {"tickCount": 5}}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": values},
            "mark": {"type": "bar", "color": "var(--sea)", "width": {"band": 0.55}},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": {"values": [item for item in values if item["y"] is not None]},
            "mark": {"type": "text", "dy": -7},
            "encoding": {"x": x, "y": y, "text": {"field": "words", "type": "nominal"}},
        },
    ]
    if target is not None:
        goal = {"values": [{"y": float(target), "words": list(target_words)}]}
        layers += [
            {
                "data": goal,
                "mark": {"type": "rule", "color": "var(--sun)", "strokeDash": [6, 4], "strokeWidth": 2},
                "encoding": {"y": {"field": "y", "type": "quantitative"}},
            },
            {
                "data": goal,
                "mark": {
                    "type": "text",
                    "fill": "var(--sun)",
                    "align": "left",
                    "baseline": "middle",
                    "dx": 6,
                },
                "encoding": {
                    "x": {"value": "width"},
                    "y": {"field": "y", "type": "quantitative"},
                    "text": {"field": "words", "type": "nominal"},
                },
            },
        ]
    return render({"width": WIDTH, "height": HEIGHT, "layer": layers}, title)


@dataclass(frozen=True)
class Part:
    """One part of a stacked bar: where, of what, how much in 亿元 (100 million yuan)."""

    x: str
    series: str
    amount: Decimal


def stacked(
    parts: Sequence[Part], *, xs: Sequence[str], series: Sequence[str], title: str, axis: str
) -> Markup:
    """Amounts by year, stacked by series in the order given."""
    values = [
        {"x": one.x, "series": one.series, "y": float(one.amount), "order": list(series).index(one.series)}
        for one in parts
    ]
    spec = {
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": values},
        "mark": {"type": "bar", "stroke": "var(--surface)", "strokeWidth": 1, "width": {"band": 0.55}},
        "encoding": {
            "x": {
                "field": "x",
                "type": "ordinal",
                "title": None,
                "axis": {"labelAngle": 0},
                "scale": {"domain": list(xs)},
            },
            "y": {
                "field": "y",
                "type": "quantitative",
                "title": axis,
                "stack": "zero",
                "axis": {"tickCount": 5},
            },
            "order": {"field": "order", "type": "quantitative"},
            "color": {
                "field": "series",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(series), "range": list(SERIES[: len(series)])},
                "legend": {"orient": "bottom", "columns": 3},
            },
        },
    }
    return render(spec, title)


def outlook(
    parts: Sequence[Part],
    *,
    xs: Sequence[str],
    series: Sequence[str],
    low: Decimal,
    high: Decimal,
    needed: Decimal | None,
    words: Sequence[str],
    title: str,
    axis: str,
) -> Markup:
    """Amounts by year, stacked; over the last year its range, and what is needed as a dashed line with its words."""
    order = list(series)
    values = [
        {"x": one.x, "series": one.series, "y": float(one.amount), "order": order.index(one.series)}
        for one in parts
    ]
    x = {
        "field": "x",
        "type": "ordinal",
        "title": None,
        "axis": {"labelAngle": 0},
        "scale": {"domain": list(xs)},
    }
    y = {"field": "y", "type": "quantitative", "title": axis, "stack": "zero", "axis": {"tickCount": 5}}
    color = {
        "field": "series",
        "type": "nominal",
        "title": None,
        "scale": {"domain": order, "range": list(SERIES[: len(order)])},
        "legend": {"orient": "bottom", "columns": 2},
    }
    spread = {"values": [{"x": xs[-1], "low": float(low), "high": float(high)}]}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": values},
            "mark": {"type": "bar", "stroke": "var(--surface)", "strokeWidth": 1, "width": {"band": 0.55}},
            "encoding": {
                "x": x,
                "y": y,
                "color": color,
                "order": {"field": "order", "type": "quantitative"},
            },
        },
        {
            "data": spread,
            "mark": {"type": "rule", "color": "var(--ink)", "strokeWidth": 2},
            "encoding": {"x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
        },
        *(
            {
                "data": spread,
                "mark": {"type": "tick", "color": "var(--ink)", "thickness": 2, "width": 18},
                "encoding": {"x": x, "y": {"field": end, "type": "quantitative"}},
            }
            for end in ("low", "high")
        ),
    ]
    if needed is not None:
        goal = {"values": [{"y": float(needed), "words": list(words)}]}
        across = {"field": "y", "type": "quantitative"}
        layers += [
            {
                "data": goal,
                "mark": {"type": "rule", "color": "var(--sun)", "strokeDash": [6, 4], "strokeWidth": 2},
                "encoding": {"y": across},
            },
            {
                "data": goal,
                "mark": {
                    "type": "text",
                    "fill": "var(--sun)",
                    "align": "left",
                    "baseline": "middle",
                    "dx": 6,
                },
                "encoding": {
                    "x": {"value": "width"},
                    "y": across,
                    "text": {"field": "words", "type": "nominal"},
                },
            },
        ]
    return render({"width": WIDTH, "height": HEIGHT, "layer": layers}, title)


@dataclass(frozen=True)
class Mark:
    """A value of a year on a path, with its words."""

    year: int
    value: Decimal
    words: str


def path(
    line: Sequence[Mark], marks: Sequence[Mark], *, years: Sequence[int], title: str, axis: str
) -> Markup:
    """A dashed line through its corners (none where there is one corner alone) and values as points."""

    def drawn(found: Sequence[Mark]) -> dict[str, Any]:
        return {"values": [{"x": str(one.year), "y": float(one.value), "words": one.words} for one in found]}

    x = {
        "field": "x",
        "type": "ordinal",
        "title": None,
        "axis": {"labelAngle": 0},
        "scale": {"domain": [str(year) for year in years]},
    }
    y = {
        "field": "y",
        "type": "quantitative",
        "title": axis,
        "axis": {"tickCount": 5},
        "scale": {"zero": False, "nice": True},
    }
    words = {"x": x, "y": y, "text": {"field": "words", "type": "nominal"}}
    layers = [
        {
            "data": drawn(line),
            "mark": {"type": "line", "color": "var(--sun)", "strokeDash": [6, 4], "strokeWidth": 2},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": drawn(line),
            "mark": {"type": "point", "color": "var(--sun)", "filled": True, "size": 40},
            "encoding": {"x": x, "y": y},
        },
        {"data": drawn(line), "mark": {"type": "text", "dy": 14, "fill": "var(--sun)"}, "encoding": words},
        {
            "data": drawn(marks),
            "mark": {"type": "line", "color": "var(--sea)", "point": {"filled": True, "size": 60}},
            "encoding": {"x": x, "y": y},
        },
        {"data": drawn(marks), "mark": {"type": "text", "dy": -12}, "encoding": words},
    ]
    return render({"width": WIDTH, "height": HEIGHT, "layer": layers}, title)
