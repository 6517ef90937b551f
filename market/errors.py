"""What can go wrong, as codes and parameters.

No sentence and no HTTP status lives here: `web/errors.py` maps each class once. A class's code
is its name in snake_case unless it says otherwise, and is part of the public API: never reuse one.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import PydanticCustomError


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class MarketError(Exception):
    """A refusal that its receiver can understand and act on.

    `params` fill the translated sentence; `fields` name the inputs at fault (dotted paths).
    """

    code = "market_error"

    def __init_subclass__(cls) -> None:
        if "code" not in cls.__dict__:
            cls.code = _snake(cls.__name__)

    def __init__(self, *, field: str | None = None, **params: Any) -> None:
        super().__init__(self.code)
        self.field = field
        self.params = params

    def __repr__(self) -> str:
        return f"{type(self).__name__}(field={self.field!r}, params={self.params!r})"


class NotFound(MarketError):
    """There is no such thing, or the asker may not know of it."""


class NotAllowed(MarketError):
    """The asker may see the thing but not do this with it."""


class SignInRequired(MarketError):
    """Nobody is signed in and the action needs somebody."""


class Conflict(MarketError):
    """The thing changed since the asker read it; read again and repeat."""


class WrongState(MarketError):
    """The thing's state does not permit this step. Params: `state`, `action`."""


class Duplicate(MarketError):
    """Something with the same unique mark exists already. Params: `field`, `value`."""


class InvalidInput(MarketError):
    """Inputs that only the rules could judge. `problems` is a list of (dotted field, code, params)."""

    def __init__(self, problems: list[tuple[str, str, dict[str, Any]]]) -> None:
        super().__init__()
        self.problems = problems


class TooManyRequests(MarketError):
    """A rate limit was reached. Params: `retry_after` in seconds."""


class Unavailable(MarketError):
    """A part of the service is busy or gone for the moment; the same request may be sent again."""


def Invalid(code: str, **params: Any) -> PydanticCustomError:
    """A validation error for a pydantic validator to raise; its sentence is `invalid.<code>`."""
    return PydanticCustomError(code, code, params or None)
