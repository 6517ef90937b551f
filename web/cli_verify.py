"""`market verify`: exported journals, and receipts beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from auctions import proof
from auctions.proof import Opened, Places
from auctions.verify import Report
from web import i18n
from web.cli_support import complaints, console
from web.render import money


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    journals: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Exported journals (JSON Lines), as a lot's page gives them."),
    ],
    receipt: Annotated[
        list[Path] | None,
        typer.Option(
            "--receipt", "--receipts", help="Receipts to look for in the journals; may be repeated."
        ),
    ] = None,
    key: Annotated[
        str, typer.Option(help="The market's public key, base64, to check receipts' signatures with.")
    ] = "",
) -> None:
    """Check auctions' exported journals with a program that shares no code with the engine."""
    public_key = _key(key) if key else None
    named = [(f"{path}:{n}", one) for path in receipt or [] for n, one in _opened(path, public_key)]
    opened = [one for _, one in named]
    found: dict[int | None, Places] = {}
    bad = False
    for path in journals:
        try:
            with path.open(encoding="utf-8") as file:
                report, places = proof.check(file, opened)
        except (OSError, UnicodeDecodeError) as error:
            complaints.print(f"{path}: {error}", markup=False)
            raise typer.Exit(2) from None
        found[places.lot_id] = places
        bad = _tell_journal(path, report) or bad
    for name, one in named:
        lot_id = one.content["lot_id"] if one.content else None
        proof.judge(one, found.get(lot_id, Places()))
        bad = _tell_receipt(name, one) or bad
    if opened and public_key is None:
        console.print("Signatures were not checked: name the market's public key with --key.")
    raise typer.Exit(1 if bad else 0)


def _key(text: str) -> bytes:
    try:
        return proof.parse_key(text)
    except ValueError:
        complaints.print(
            "--key takes the market's public key: 32 bytes, base64 (shown on a lot's journal page)"
        )
        raise typer.Exit(2) from None


def _opened(path: Path, public_key: bytes | None) -> list[tuple[int, Opened]]:
    try:
        found = proof.read_receipts(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, proof.NotReceipts) as error:
        reason = "no receipts (JSON) in it" if isinstance(error, proof.NotReceipts) else str(error)
        complaints.print(f"{path}: {reason}", markup=False)
        raise typer.Exit(2) from None
    return [(number, proof.open_receipt(one, public_key)) for number, one in enumerate(found, 1)]


def _tell_journal(path: Path, report: Report) -> bool:
    """Print what was found; whether it was anything."""
    if report.violations:
        console.print(f"[red]{escape(str(path))}: {len(report.violations)} violations[/red]")
        for violation in report.violations:
            console.print(f"  {violation}", markup=False)
        return True
    hammer = "" if report.hammer_fen is None else f", bidder {report.winner} at {money(report.hammer_fen)}"
    console.print(
        f"[green]{escape(str(path))}: sound[/green], {report.entries} entries, {report.bids} bids, "
        f"{report.state}{hammer}, head {report.head_hash}"
    )
    return False


def _tell_receipt(name: str, one: Opened) -> bool:
    """Print what was found; whether it was anything."""
    for finding in one.findings:
        console.print(f"[red]{escape(name)}: {i18n.label(finding, 'en')}[/red]")
    if one.good and one.content is not None:
        what = "accepted" if one.content["accepted"] else f"refused, {one.content.get('code')}"
        signed = "signed and " if one.signed else ""
        console.print(
            f"[green]{escape(name)}: {signed}in the journal[/green], {what}, seq {one.content['seq']}"
        )
    return bool(one.findings)
