"""`market payments`: ask gateways about payments again, when messages were lost or a gateway was away."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated

import typer
from rich.table import Table

from market.errors import MarketError
from market.payments import collecting, replaying, stripe_inbox
from web import i18n, payment_work
from web.cli_support import console, parts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(payments)


def payments(
    payment: Annotated[
        list[int] | None, typer.Option("--payment", "-p", min=1, help="Only this payment; may be repeated.")
    ] = None,
    message: Annotated[
        list[str] | None,
        typer.Option(
            "--message", "-m", help="What this message of Stripe's (evt_…) is about; may be repeated."
        ),
    ] = None,
) -> None:
    """Ask the gateways about every unsettled payment, and do what is still missing.

    It may be run at any time, beside a server too: what is as it should be stays as it is. Ends with status
    1 where a gateway did not answer.
    """
    joined = parts()
    known = (joined.db, joined.clock, joined.gateways, payment_work.addresses(joined.settings))
    asked: list[tuple[str, Callable[[], object]]] = []
    if not payment and not message:
        with joined.db.read() as session:
            payment = replaying.unsettled(session)
    for number in payment or []:
        asked.append((f"#{number}", functools.partial(collecting.pursue, *known, number)))
    for name in message or []:
        asked.append((name, functools.partial(stripe_inbox.handle, *known, name)))
    table = Table("asked about", "came of it")
    failed = False
    for name, ask in asked:
        try:
            ask()
        except MarketError as error:
            failed = True
            told = i18n.term(f"error.{error.code}", "en", error.params)
        else:
            told = "ok"
        table.add_row(name, told)
    if asked:
        console.print(table)
    else:
        console.print("nothing is unsettled")
    if failed:
        raise typer.Exit(1)
