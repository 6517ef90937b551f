"""What benches share: runs that alternate with their floor, medians, and the line of JSON at the end.

A figure alone says more about the machine than about the program. Every bench therefore measures, in the
same run and in turn with the market, the bare thing that cannot be beaten by much: the *floor*.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any


def load_average() -> str:
    """The machine's load over one, five and fifteen minutes: read it before believing a figure."""
    return "load average " + " ".join(f"{value:.2f}" for value in os.getloadavg())


def in_turn(runs: int, measures: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each measure `runs` times, one after the other and round again, so that all see the same machine."""
    figures: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(runs):
        for name, measure in measures.items():
            figures[name].append(measure())
    return figures


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def spread(values: list[float]) -> str:
    """Median with the least and the greatest: `1,234 [1,100–1,300]`."""
    return f"{median(values):,.0f} [{min(values):,.0f}–{max(values):,.0f}]"


def say(text: str) -> None:
    """For people: the last line of standard output belongs to programs."""
    print(text, file=sys.stderr, flush=True)


def emit(rows: list[dict[str, Any]]) -> None:
    """The last line: a list of rows as JSON."""
    print(json.dumps(rows, ensure_ascii=False), flush=True)
