"""Import and export for programs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from pydantic import BaseModel, Field
from starlette.responses import Response

from market.exchange import importing as planning
from market.exchange import queries, service
from market.exchange.fields import Kind
from market.exchange.mapping import ColumnMapping, check, read_mapping
from market.exchange.models import RunState
from market.exchange.queries import RunView
from market.exchange.readers import FileForm, open_table
from web import importing
from web.deps import Now, PagingDep, PartsDep, ReadTx, RowId, SignedIn
from web.errors import language_of
from web.routes.api import Listed, problems
from web.routes.exchange import INLINE_BYTES, export_response, read_upload

router = APIRouter(tags=["exchange"])


class ProblemOut(BaseModel):
    """One thing wrong with one row."""

    line: int = Field(description="Line of the file or row of the sheet, from 1; 0 for the whole file.")
    field: str = Field(description="Dotted name of our field; empty for the whole row.")
    code: str = Field(description="Stable code.", examples=["missing"])
    message: str = Field(description="Sentence in the asker's language.")
    value: str = Field(description="The value at fault, shortened.")


class RunOut(BaseModel):
    """An import run."""

    id: int
    kind: Kind
    file_name: str
    sha256: str = Field(description="Digest of the file.")
    state: RunState = Field(description="`queued` and `running` change by themselves; ask again.")
    dry_run: bool = Field(description="Whether nothing was to be written.")
    total: int = Field(description="Rows in the file.")
    checked: int = Field(description="Rows looked at so far.")
    created: int = Field(description="New rows.")
    updated: int = Field(description="Rows that changed.")
    unchanged: int = Field(description="Rows that were here already, just so.")
    bad: int = Field(description="Rows with something wrong.")
    started_at: dt.datetime
    finished_at: dt.datetime | None


class RunDetail(RunOut):
    """An import run with every bad row."""

    problems: list[ProblemOut]


class RunList(Listed):
    """Import runs, newest first."""

    items: list[RunOut]


def _values(run: RunView) -> dict[str, Any]:
    return {name: getattr(run, name) for name in RunOut.model_fields}


def _detail(run: RunView, language: str) -> RunDetail:
    told = [
        ProblemOut(
            line=one["line"],
            field=one["field"],
            code=one["code"],
            message=importing.sentence(one, language),
            value=one["value"],
        )
        for one in run.problems
    ]
    return RunDetail(**_values(run), problems=told)


@router.post(
    "/imports",
    status_code=202,
    response_model=RunDetail,
    responses=problems(400, 409, 413),
    operation_id="import_file",
)
def import_file(
    request: Request,
    parts: PartsDep,
    actor: SignedIn,
    now: Now,
    file: Annotated[UploadFile, File(description="CSV, XLSX or JSON Lines.")],
    kind: Annotated[Kind, Form(description="What the file holds.")],
    mapping: Annotated[
        str,
        Form(
            max_length=100_000, description="How columns become fields, JSON. Default: by the columns' names."
        ),
    ] = "",
    source: Annotated[
        str, Form(max_length=64, description="What the source is called; part of each row's key.")
    ] = "",
    publish: Annotated[bool, Form(description="Show listings at once.")] = False,
    partial: Annotated[bool, Form(description="Take the good rows although others are bad.")] = False,
    dry_run: Annotated[bool, Form(description="Only say what would happen.")] = False,
) -> RunDetail:
    """Import a file: all of it or, with bad rows, nothing (unless `partial`). Safe to repeat.

    Small files are done when this answers; for larger ones ask for the run until its state is final.
    """
    planning.reach(actor, kind)
    name, content = read_upload(parts, file)
    table = open_table(content, name)
    read = read_mapping(mapping) if mapping.strip() else ColumnMapping()
    check(read, kind, table.columns)
    options = service.RunOptions(mapping=read, source=source, publish=publish, partial=partial)
    sha256 = parts.files.put(content)
    small = len(content) <= INLINE_BYTES
    with parts.db.write() as session:
        run_id = service.create_run(session, actor, now, kind, name, sha256, len(content))
        service.queue_run(session, actor, now, run_id, options, dry_run=dry_run, as_work=not small)
    if small:
        importing.run(parts, run_id, kind)
    with parts.db.read() as session:
        return _detail(queries.run(session, actor, run_id), language_of(request))


@router.get("/imports", response_model=RunList, responses=problems(), operation_id="list_imports")
def list_imports(session: ReadTx, actor: SignedIn, paging: PagingDep) -> RunList:
    """The import runs that you may see, newest first."""
    runs, total = queries.runs(session, actor, offset=paging.offset, limit=paging.per_page)
    return RunList(
        items=[RunOut(**_values(run)) for run in runs],
        total=total,
        page=paging.page,
        per_page=paging.per_page,
    )


@router.get("/imports/{run_id}", response_model=RunDetail, responses=problems(404), operation_id="get_import")
def get_import(request: Request, session: ReadTx, actor: SignedIn, run_id: RowId) -> RunDetail:
    """An import run with every bad row."""
    return _detail(queries.run(session, actor, run_id), language_of(request))


_FILES: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}},
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
        "schema": {"type": "string", "format": "binary"}
    },
    "application/x-ndjson": {"schema": {"type": "string"}},
}


@router.get(
    "/exports/{kind}",
    response_class=Response,
    responses={**problems(), 200: {"description": "The file.", "content": _FILES}},
    operation_id="export_rows",
)
def export_rows(
    request: Request,
    parts: PartsDep,
    session: ReadTx,
    actor: SignedIn,
    kind: Kind,
    format: Annotated[FileForm, Query(description="Form of the file.")] = FileForm.JSONL,  # noqa: A002
    state: Annotated[
        str, Query(max_length=16, pattern=r"^[a-z_]*$", description="Only rows in this state.")
    ] = "",
    industry: Annotated[
        str, Query(max_length=32, pattern=r"^[a-z0-9_]*$", description="Only rows of this industry.")
    ] = "",
) -> Response:
    """Export what you may see whole; the file can be imported again."""
    return export_response(parts, session, actor, language_of(request), kind, format, state, industry)
