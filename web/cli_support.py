"""What commands share: joined parts, a console, errors as sentences."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console

from market.errors import InvalidInput, MarketError
from web import i18n, logs
from web.errors import field_problems
from web.settings import ProductionRefused, Settings, load
from web.wiring import Parts, build

console = Console()
complaints = Console(stderr=True)

Command = TypeVar("Command", bound=Callable[..., Any])


def settings() -> Settings:
    """The settings; bad ones are named and end the command with status 2."""
    try:
        return load()
    except ValidationError as error:
        for item in error.errors():
            name = "MARKET_" + "_".join(str(part) for part in item["loc"]).upper() if item["loc"] else ""
            complaints.print(f"[red]{name}[/red] {item['msg']}".strip())
    except ProductionRefused as error:
        complaints.print(f"[red]{error}[/red]")
    raise typer.Exit(2)


@functools.cache
def parts() -> Parts:
    """The joined parts of this process."""
    configured = settings()
    logs.configure(json=configured.log_json)
    return build(configured)


@contextmanager
def refusals(language: str = "en") -> Iterator[None]:
    """Print a refusal as a sentence and end the command with status 1."""
    try:
        yield
    except (MarketError, ValidationError) as error:
        for problem in field_problems(error, language):
            complaints.print(f"[red]{problem.field}[/red]: {problem.message}")
        if isinstance(error, MarketError) and not isinstance(error, InvalidInput):
            complaints.print(i18n.term(f"error.{error.code}", language, error.params))
        raise typer.Exit(1) from None


def is_terminal() -> bool:
    """Whether somebody can answer a question."""
    return sys.stdin.isatty()
