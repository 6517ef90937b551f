"""`market train` and `market embed`: weights learned from judgments, vectors of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from market.permissions import COMMAND_LINE
from matching import adopted, training, vectors
from matching.weights import Part
from web import semantic
from web.cli_support import complaints, console, parts, refusals


def train(
    folder: Annotated[
        Path | None, typer.Option("--from", help="Learn from judged files in this folder instead.")
    ] = None,
    adopt: Annotated[str, typer.Option(help="auto: if clearly better; never: only report.")] = "auto",
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Learn nothing: put the shipped weights in force again.")
    ] = False,
) -> None:
    """Learn the weights of matching from what people said of proposed pairs; adopt them only if they are better."""
    joined = parts()
    if adopt not in ("auto", "never"):
        complaints.print("--adopt is auto or never")
        raise typer.Exit(2)
    if shipped:
        with joined.db.write() as session:
            adopted.back_to_shipped(session, COMMAND_LINE, joined.clock.now())
        console.print("the shipped weights are in force")
        return
    with joined.db.read() as session:
        current = adopted.in_force(session)
        try:
            examples = (
                training.from_market(session, joined.index)
                if folder is None
                else training.from_folder(folder)
            )
        except (OSError, ValueError) as error:
            complaints.print(str(error), markup=False)
            raise typer.Exit(1) from None
    found, report = training.train(examples, current)
    if not report.enough:
        console.print(
            f"{report.demands} demands with judgments on several levels; {training.LEAST_DEMANDS} are needed. "
            "Nothing was learned, the weights in force stay."
        )
        return
    table = Table("part", "in force", "learned")
    for part in Part:
        table.add_row(part.value, f"{current.parts[part]:.2f}", f"{found.parts[part]:.2f}")
    console.print(table)
    console.print(
        f"{report.demands} demands, {report.pairs} pairs; nDCG@10 of demands left out: in force {report.before:.4f}, "
        f"learned {report.after:.4f}, gain {report.gain:+.4f} [{report.low:+.4f}, {report.high:+.4f}]"
    )
    taken = report.better and adopt == "auto"
    source = "market" if folder is None else str(folder)
    with refusals(), joined.db.write() as session:
        number = adopted.keep(
            session,
            COMMAND_LINE,
            joined.clock.now(),
            found,
            {"source": source, **report.as_json()},
            adopt=taken,
        )
    if taken:
        console.print(f"weights no. {number} are in force")
    elif report.better:
        console.print(f"kept as no. {number}, not adopted, as was asked")
    else:
        console.print(f"kept as no. {number}, not adopted: the interval's lower end is not above zero")


def embed(
    most: Annotated[int | None, typer.Option(min=1, help="At most so many texts.")] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Forget all vectors first.")] = False,
) -> None:
    """Make the vectors that published listings lack, as MARKET_VECTORS says."""
    joined = parts()
    try:
        model = semantic.make_model(joined.settings)
    except ImportError:
        complaints.print("the extra `vectors` is not installed: pip install -r requirements-vectors.lock")
        raise typer.Exit(1) from None
    except (OSError, ValueError) as error:
        complaints.print(str(error), markup=False)
        raise typer.Exit(1) from None
    if model is None:
        complaints.print("MARKET_VECTORS is empty: vectors are off")
        raise typer.Exit(1)
    if anew:
        with joined.db.write() as session:
            console.print(f"{vectors.forget_all(session)} vectors forgotten")
    made = without = 0
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("embedding", total=None)
        for told in vectors.embed(joined.db, model, joined.clock, most):
            made, without = told
            progress.update(task, completed=made)
    console.print(f"{made} texts embedded, {without} without a vector")


def register(app: typer.Typer) -> None:
    """Put both among the commands."""
    app.command()(train)
    app.command()(embed)
