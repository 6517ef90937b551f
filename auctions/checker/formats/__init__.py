"""One module for each format; a class of `auctions.checker.lot.Format` in it is found by being there."""

from __future__ import annotations

import importlib
import pkgutil

from auctions.checker.lot import Format

FORMATS: dict[str, type[Format]] = {}
for _info in pkgutil.iter_modules(__path__):
    _module = importlib.import_module(f"{__name__}.{_info.name}")
    for _value in vars(_module).values():
        if isinstance(_value, type) and issubclass(_value, Format) and _value is not Format:
            FORMATS[_value.name] = _value
