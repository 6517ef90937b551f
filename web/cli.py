"""The console command `market`.

serve · worker · migrate · demo · import · export · reindex · payments · verify · seal · doctor · settings · user …
"""

from __future__ import annotations

import json
import os
import threading
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.progress import Progress
from rich.table import Table

from web import cli_import, cli_matching, cli_payments, cli_seal, cli_user, cli_verify
from web.cli_support import complaints, console, parts, refusals
from web.cli_support import settings as read_settings
from web.i18n import choose

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Run and look after a technology market.",
)
app.add_typer(cli_user.app, name="user")
cli_import.register(app)
cli_verify.register(app)
cli_seal.register(app)
cli_matching.register(app)
cli_payments.register(app)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve pages, the API and live rooms (and background work, unless a worker does it)."""
    from web.serve import run

    run(parts(), host=host, port=port)


@app.command()
def worker() -> None:
    """Do background work beside serving processes (PostgreSQL only)."""
    from web.process_lock import AlreadyServing
    from web.serve import run_worker

    try:
        run_worker(parts())
    except AlreadyServing:
        complaints.print("The server of this SQLite database does its own background work.")
        raise typer.Exit(1) from None


@app.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="Revision to go to; `head` is the newest.")] = "head",
    down: Annotated[bool, typer.Option("--down", help="Go down to the revision (`-1`: one step).")] = False,
) -> None:
    """Bring the database's schema up to date, or down."""
    import migrations

    database = parts().db
    if down:
        migrations.downgrade(database, revision)
    else:
        migrations.upgrade(database, revision)
        from web.seed import seed

        seed(database, parts().clock.now())
    console.print(f"schema at {migrations.current(database)}")


@app.command()
def demo() -> None:
    """Load demo data into an empty market, and renew its live and upcoming auctions."""
    from web.demo.load import load_demo

    if parts().settings.is_production:
        complaints.print("Demo data is refused in production.")
        raise typer.Exit(2)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("demo data", total=None)

        def tell(done: int, total: int, what: str) -> None:
            progress.update(task, completed=done, total=total, description=what)

        with refusals():
            summary = load_demo(parts(), tell)
    console.print(summary)


@app.command()
def reindex() -> None:
    """Build the search index anew beside the old one, then swap; search goes on meanwhile.

    Where a server runs, it builds, and this waits for it (Ctrl-C stops waiting, not building).
    """
    from matching.indexer import await_rebuild
    from matching.indexer import reindex as rebuild

    joined = parts()
    if not joined.index.acquire():
        # A serving process holds the index's lock.
        with Progress(console=console) as progress:
            waiting = progress.add_task("the running server rebuilds", total=None)
            await_rebuild(
                joined.index, threading.Event(), lambda count: progress.update(waiting, completed=count)
            )
            progress.update(waiting, total=1, completed=1)
        console.print(f"{joined.index.count()} documents in the new index")
        return
    with Progress(console=console) as progress:
        task = progress.add_task("indexing", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        count = rebuild(joined.db, joined.index, tell)
    console.print(f"{count} documents indexed")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    language: Annotated[str, typer.Option(help="zh or en: the language of what is wrong.")] = "en",
) -> None:
    """Say which adapters are real and which simulated, and whether each answers."""
    from web.doctor import examine

    checks = examine(parts(), choose(None, language))
    if as_json:
        console.print_json(json.dumps([check.__dict__ for check in checks]))
    else:
        table = Table("part", "adapter", "real", "state")
        for check in checks:
            colour = "green" if check.ok else "red"
            table.add_row(
                check.part,
                check.adapter,
                "real" if check.real else "simulated",
                f"[{colour}]{check.state}[/]",
            )
        console.print(table)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


@app.command()
def settings(
    markdown: Annotated[bool, typer.Option(help="Print the documentation's table.")] = False,
) -> None:
    """Print every setting with its value (secrets hidden) and meaning."""
    current = read_settings()
    table = Table("setting", "value", "meaning")
    for name, info in type(current).model_fields.items():
        value: Any = getattr(current, name)
        variable = f"MARKET_{name.upper()}"
        shown = "" if value is None else ("••••" if isinstance(value, SecretStr) else str(value))
        if markdown:
            default = info.default
            text = "" if default is None or isinstance(default, SecretStr) else str(default)
            typer.echo(f"| `{variable}` | `{text}` | {info.description} |".replace("``", ""))
        else:
            table.add_row(
                variable + (" (set)" if variable in os.environ else ""), shown, info.description or ""
            )
    if not markdown:
        console.print(table)


def main() -> None:
    """Entry point."""
    threading.current_thread().name = "main"
    app()
