"""`market seal`: makes an envelope for a lot of sealed bids, on one's own computer and without the market."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from market.money import MAX_FEN, parse_fen
from web import slips
from web.cli_support import complaints, console
from web.render import money


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(seal)


def seal(
    lot: Annotated[int, typer.Argument(min=1, help="The lot's number, as its page shows it.")],
    bidder: Annotated[int, typer.Argument(min=1, help="Your bidder number in this lot.")],
    amount: Annotated[str, typer.Argument(help="Your price in yuan: 350000, 350,000.50 or 35万.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make an envelope: the seal to send before the end, and the slip that opens it.

    Nothing is sent and nothing is kept: whoever loses the slip can open the envelope no more.
    """
    try:
        fen = parse_fen(amount)
    except ValueError:
        fen = 0
    if not 0 < fen <= MAX_FEN:
        complaints.print("The amount is none: write 350000, 350,000.50 or 35万.")
        raise typer.Exit(2)
    slip = slips.make(lot, bidder, fen)
    if as_json:
        told = {"slip": slip.text, "commitment": slip.commitment, "amount_fen": fen}
        console.print_json(json.dumps(told))
        return
    console.print(f"amount  {money(fen)}", highlight=False)
    console.print(f"seal    {slip.commitment}", highlight=False, soft_wrap=True)
    console.print(f"slip    {slip.text}", highlight=False, soft_wrap=True)
    console.print("Send the seal before the end. Keep the slip: nobody can open the envelope without it.")
