"""`market import` and `market export`: the same import as the page's, from a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from market.exchange import exporting, queries, runner, service, writers
from market.exchange.fields import Kind
from market.exchange.mapping import ColumnMapping, read_mapping
from market.exchange.models import RunState
from market.exchange.readers import FileForm, form_of
from market.permissions import COMMAND_LINE
from web import i18n, importing
from web.cli_support import complaints, console, parts, refusals

SHOWN_PROBLEMS = 50
"""Bad rows that are printed; the report file holds all of them."""


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("import")(import_command)
    app.command("export")(export_command)


def _language(language: str) -> str:
    if language not in i18n.LANGUAGES:
        raise typer.BadParameter(f"one of {', '.join(i18n.LANGUAGES)}", param_hint="--language")
    return language


def import_command(
    kind: Annotated[Kind, typer.Argument(help="What the file holds.")],
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, XLSX or JSON Lines.")
    ],
    mapping: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON file that maps columns to fields.")
    ] = None,
    constants: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A value for every row; may be repeated."),
    ] = None,
    source: Annotated[
        str, typer.Option(help="What the source is called; part of each row's key. Default `import`.")
    ] = "",
    publish: Annotated[
        bool, typer.Option("--publish", help="Show listings (count organisations as verified) at once.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take the good rows although others are bad.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write every bad row to this CSV file.")] = None,
    language: Annotated[str, typer.Option(help="Language of reasons: en or zh-Hans.")] = "en",
) -> None:
    """Import results, demands, organisations or registered contracts from a file: all of it or, with bad rows, nothing.

    Running the same file again changes nothing. Ends with status 1 when any row is bad.
    """
    language = _language(language)
    joined = parts()
    with refusals(language):
        read = read_mapping(mapping.read_bytes()) if mapping else ColumnMapping()
        # Without a mapping file the columns' names decide, and constants come on top of that.
        given: dict[str, str] = {}
        for constant in constants or []:
            name, equals, value = constant.partition("=")
            if not equals:
                raise typer.BadParameter(f"{constant}: FIELD=VALUE is wanted", param_hint="--set")
            given[name.strip()] = value
        content = file.read_bytes()
        now = joined.clock.now()
        sha256 = joined.files.put(content)
        if mapping is None:
            read = _guessed(kind, file.name, content)
        options = service.RunOptions(
            mapping=read.with_constants(given), source=source, publish=publish, partial=partial
        )
        with joined.db.write() as session:
            run_id = service.create_run(session, COMMAND_LINE, now, kind, file.name, sha256, len(content))
            service.queue_run(session, COMMAND_LINE, now, run_id, options, dry_run=dry_run, as_work=False)
        _run(run_id, kind)
        with joined.db.read() as session:
            done = queries.run(session, COMMAND_LINE, run_id)
    _tell(done, language, report)
    raise typer.Exit(0 if done.state is RunState.DONE and not done.problems else 1)


def _guessed(kind: Kind, name: str, content: bytes) -> ColumnMapping:
    from market.exchange.mapping import guess
    from market.exchange.readers import open_table

    return guess(kind, open_table(content, name).columns, importing.words(kind))


def _run(run_id: int, kind: Kind) -> None:
    joined = parts()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=complaints, transient=True) as progress:
        tasks: dict[str, int] = {}

        def watch(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = progress.add_task(phase, total=total)
            progress.update(tasks[phase], completed=done)  # type: ignore[arg-type]

        runner.execute(
            joined.db,
            joined.files,
            run_id,
            importing.words(kind),
            joined.clock.now,
            days=joined.settings.listing_days,
            watch=watch,
        )


def _tell(done: queries.RunView, language: str, report: Path | None) -> None:
    if done.problems:
        table = Table(
            *(i18n.term(f"report.{name}", language) for name in ("line", "field", "value", "reason")),
            title=i18n.term("report.title", language),
        )
        for one in done.problems[:SHOWN_PROBLEMS]:
            table.add_row(
                str(one["line"] or ""),
                importing.place(one, language),
                one["value"],
                importing.sentence(one, language),
            )
        complaints.print(table)
        if len(done.problems) > SHOWN_PROBLEMS:
            more = len(done.problems) - SHOWN_PROBLEMS
            complaints.print(i18n.term("report.more", language, {"count": more}))
    if report is not None:
        with report.open("wb") as file:
            file.writelines(importing.report_csv(done.problems, language))
    key = f"exchange.told.{done.state.value}{'_dry' if done.dry_run and done.state is RunState.DONE else ''}"
    counts = {
        "total": done.total,
        "created": done.created,
        "updated": done.updated,
        "unchanged": done.unchanged,
        "bad": done.bad,
    }
    console.print(i18n.term(key, language, counts))


def export_command(
    kind: Annotated[Kind, typer.Argument(help="What to export.")],
    output: Annotated[
        Path | None,
        typer.Argument(help="File to write; its ending decides the form. Default: standard output."),
    ] = None,
    form: Annotated[FileForm | None, typer.Option("--format", help="csv, xlsx or jsonl.")] = None,
    state: Annotated[str, typer.Option(help="Only rows in this state.")] = "",
    industry: Annotated[str, typer.Option(help="Only rows of this industry (its code).")] = "",
    language: Annotated[str, typer.Option(help="Language of headers: en or zh-Hans.")] = "zh-Hans",
) -> None:
    """Export results, demands, organisations or contracts to CSV, XLSX or JSON Lines, ready to be imported again."""
    language = _language(language)
    joined = parts()
    with refusals(language):
        chosen = form or (form_of(output.name) if output else FileForm.JSONL)
        with joined.db.read() as session:
            ids = exporting.ids(session, COMMAND_LINE, kind, exporting.Filters(state, industry))
            written = writers.write(
                kind,
                chosen,
                exporting.rows(session, kind, ids),
                lambda field: importing.heading(field, language),
                i18n.term(f"exchange.kind.{kind.value}", language),
            )
            if output is None:
                for part in written:
                    sys.stdout.buffer.write(part)
            else:
                with output.open("wb") as file:
                    file.writelines(written)
    complaints.print(i18n.term("exchange.told.exported", language, {"count": len(ids)}))
