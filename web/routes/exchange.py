"""Import and export by page: upload, map columns, check, run, report; templates and downloads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import Response

from market.db import Session
from market.errors import InvalidInput, NotAllowed, NotFound, SignInRequired
from market.exchange import exporting, queries, service, writers
from market.exchange import importing as planning
from market.exchange.fields import Field, Kind, importable
from market.exchange.fields import Form as CellForm
from market.exchange.mapping import ColumnMapping, FieldSource, from_column, guess
from market.exchange.models import RunState
from market.exchange.problems import BadMapping, UnreadableFile
from market.exchange.queries import RunView
from market.exchange.readers import FileForm, Table, open_table
from market.listings.models import ListingState
from market.parties.models import OrganisationState
from market.permissions import Action, Actor
from market.taxonomy import queries as taxonomy
from web import i18n, importing
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.render import Page
from web.wiring import Parts

router = APIRouter()

INLINE_BYTES = 256 * 1024
"""Files up to this size are imported while their sender waits; larger ones become background work."""
REPORTED = 50
"""Problems on one page of a report."""
PREVIEW_ROWS = 5


def allowed_kinds(actor: Actor, test: Callable[[Actor, Kind], Any]) -> list[Kind]:
    """The kinds that an actor may import or export, by the rule that decides it."""
    found = []
    for kind in Kind:
        try:
            test(actor, kind)
        except (NotAllowed, SignInRequired):
            continue
        found.append(kind)
    return found


def kind_label(kind: Kind, language: str) -> str:
    """What a kind is called."""
    return i18n.term(f"exchange.kind.{kind.value}", language)


def read_upload(parts: Parts, upload: UploadFile | None) -> tuple[str, bytes]:
    """An uploaded file's name and bytes. Raises UnreadableFile without one, or beyond the size limit."""
    if upload is None or not upload.filename:
        raise UnreadableFile("missing")
    limit = parts.settings.max_import_mb * 1024 * 1024
    content = upload.file.read(limit + 1)
    if len(content) > limit:
        raise InvalidInput([("file", "file_too_big", {"limit": parts.settings.max_import_mb})])
    return upload.filename, content


@dataclass(frozen=True)
class HomePage:
    """Context of the start page."""

    imports: list[tuple[str, str]]
    exports: list[tuple[str, str]]
    kind: str
    form: Form
    runs: list[RunView]
    total: int
    page: int
    pages: int
    kind_names: dict[Kind, str]
    industries: list[tuple[str, str]]
    states: list[Any]
    limit_mb: int


def _home(page: Page, session: Session, number: int, form: Form, kind: str) -> Response:
    imports = allowed_kinds(page.actor, planning.reach)
    exports = allowed_kinds(page.actor, exporting.reach)
    if not imports and not exports:
        if not page.actor.is_signed_in:
            raise SignInRequired
        raise NotAllowed(action=Action.IMPORT.value)
    runs, total = queries.runs(session, page.actor, offset=(number - 1) * 20) if imports else ([], 0)
    language = page.language
    context = HomePage(
        [(one.value, kind_label(one, language)) for one in imports],
        [(one.value, kind_label(one, language)) for one in exports],
        kind,
        form,
        runs,
        total,
        number,
        max(1, -(-total // 20)),
        {one: kind_label(one, language) for one in Kind},
        list(taxonomy.industry_names(session, language).items()),
        list(dict.fromkeys([*ListingState, *OrganisationState])),
        page.parts.settings.max_import_mb,
    )
    return page.render("exchange/home.html", context)


@router.get("/exchange")
def home(page: PageDep, session: ReadTx, paging: PagingDep, kind: str = "") -> Response:
    """Upload a file, download a template or an export, see earlier imports."""
    return _home(page, session, paging.page, Form(), kind)


@router.post("/exchange")
def upload(page: PageDep, form: FormDep) -> Response:
    """Take a file and go on to its columns."""

    def prepare() -> tuple[Kind, str, bytes, str]:
        try:
            kind = Kind(form.value("kind"))
        except ValueError:
            raise InvalidInput([("kind", "missing", {})]) from None
        planning.reach(page.actor, kind)
        name, content = read_upload(page.parts, next(iter(form.files.get("file", [])), None))
        if not open_table(content, name).sample(1):
            raise UnreadableFile("no_rows")
        return kind, name, content, page.parts.files.put(content)

    # Reading the file may take a while: not in the write transaction, which others wait for.
    refusal: InvalidInput | None = None
    try:
        kind, name, content, sha256 = prepare()
    except InvalidInput as error:
        refusal = error

    def action(session: Session) -> str:
        if refusal is not None:
            raise refusal
        run_id = service.create_run(
            session, page.actor, page.now, kind, name, sha256, len(content),
            like=_number(form.value("like")) or None,
        )  # fmt: skip
        return f"/exchange/runs/{run_id}/mapping"

    def again(form: Form) -> Response:
        with page.parts.db.read() as session:
            return _home(page, session, 1, form, form.value("kind"))

    return page.submit(form, action, again)


@router.get("/exchange/templates/{kind}.{form}")
def template(page: PageDep, kind: Kind, form: FileForm) -> Response:
    """An empty table with headers in the reader's language, an example and, in XLSX, an explanation."""
    content = importing.template(kind, form, page.language)
    return Response(
        content,
        media_type=writers.MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{kind.value}-template.{form.value}"'},
    )


@router.get("/exchange/export")
def export(
    page: PageDep,
    session: ReadTx,
    kind: Kind,
    format: FileForm = FileForm.XLSX,  # noqa: A002 - the name in the address
    state: Annotated[str, Query(pattern=r"^[a-z_]{0,16}$")] = "",
    industry: Annotated[str, Query(pattern=r"^[a-z0-9_]{0,32}$")] = "",
) -> Response:
    """Download what the asker may see whole."""
    return export_response(page.parts, session, page.actor, page.language, kind, format, state, industry)


def export_response(
    parts: Parts,
    session: Session,
    actor: Actor,
    language: str,
    kind: Kind,
    form: FileForm,
    state: str,
    industry: str,
) -> Response:
    """An export as an answer; read in a transaction of its own while it streams."""
    ids = exporting.ids(session, actor, kind, exporting.Filters(state, industry))

    def body() -> Any:
        with parts.db.read() as reading:
            yield from writers.write(
                kind,
                form,
                exporting.rows(reading, kind, ids),
                lambda field: importing.heading(field, language),
                kind_label(kind, language),
            )

    return StreamingResponse(
        body(),
        media_type=writers.MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{kind.value}.{form.value}"'},
    )


@dataclass(frozen=True)
class FieldLine:
    """One of our fields on the mapping page."""

    name: str
    label: str
    required: bool
    how: str
    column: str
    constant: str
    options: list[tuple[str, str]]
    """Choices for a constant; empty for free text."""
    unit: str
    """What bare numbers of an amount are counted in, where not in yuan."""
    kept: str
    """What a saved mapping says beyond column, constant and unit, as JSON."""


@dataclass(frozen=True)
class MappingPage:
    """Context of the mapping page."""

    run: RunView
    kind_name: str
    form: Form
    columns: list[tuple[str, str]]
    fields: list[FieldLine]
    preview_columns: list[str]
    preview: list[tuple[int, list[str]]]
    unused: list[str]
    """Columns of the file that no field takes."""
    saved: list[tuple[str, str]]
    may_publish: bool


def _table(page: Page, run: RunView) -> Table:
    with page.parts.files.open(run.sha256) as file:
        return open_table(file.read(), run.file_name)


def _started(run: RunView, table: Table) -> ColumnMapping:
    """The mapping to begin with: what the run was queued with, else a guess."""
    stored = service.stored_options(run.options)
    if stored.mapping.fields:
        return stored.mapping
    return guess(run.kind, table.columns, importing.words(run.kind))


def _options_for(session: Session, field: Field, language: str) -> list[tuple[str, str]]:
    if field.form is CellForm.CHOICE and field.choices is not None:
        return [(str(member.value), i18n.label(member, language)) for member in field.choices]
    if field.form is CellForm.INDUSTRY:
        return [(one.code, one.called(language)) for one in taxonomy.industries(session)]
    return []


def _kept(source: FieldSource) -> str:
    more = source.model_dump_json(exclude_defaults=True, exclude={"column", "constant", "unit"})
    return "" if more == "{}" else more


def _mapping_page(page: Page, session: Session, run: RunView, form: Form | None, chosen: int = 0) -> Response:
    table = _table(page, run)
    saved = queries.mappings(session, page.actor, run.kind)
    mapping = _started(run, table)
    if chosen:
        mapping = ColumnMapping.model_validate(queries.mapping(session, page.actor, run.kind, chosen).content)
    stored = service.stored_options(run.options)
    if form is None:
        form = Form.from_values(
            {
                "source": mapping.source or stored.source,
                "publish": stored.publish,
                "partial": stored.partial,
                "mapping_id": str(chosen or ""),
            }
        )
    lines = []
    for field in importable(run.kind).values():
        source = mapping.fields.get(field.name, FieldSource())
        constant = "" if source.constant is None else str(source.constant)
        lines.append(
            FieldLine(
                field.name,
                importing.field_label(field, page.language),
                field.required,
                i18n.term(f"exchange.form.{field.form.value}", page.language),
                form.value(f"column.{field.name}") or (source.column or ""),
                form.value(f"constant.{field.name}") or constant,
                _options_for(session, field, page.language),
                source.unit or "",
                _kept(source),
            )
        )
    names = [name for name in table.columns if name]
    preview = [
        (row.line, [_shown(row.values.get(name)) for name in names]) for row in table.sample(PREVIEW_ROWS)
    ]
    within = {
        column.split(".")[0] for source in mapping.fields.values() for column in source.columns_within()
    }
    context = MappingPage(
        run,
        kind_label(run.kind, page.language),
        form,
        [(name, name) for name in names],
        lines,
        names,
        preview,
        [name for name in names if name not in {line.column for line in lines} and name not in within],
        [(str(one.id), one.name) for one in saved],
        run.kind is not Kind.CONTRACTS
        and (run.kind is not Kind.ORGANISATIONS or page.actor.can(Action.ORGANISATION_VERIFY)),
    )
    return page.render("exchange/mapping.html", context)


def _shown(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 80 else text[:79] + "…"


@router.get("/exchange/runs/{run_id}/mapping")
def mapping_page(page: PageDep, session: ReadTx, run_id: RowId, mapping: int = 0) -> Response:
    """Say which column becomes which field."""
    run = queries.run(session, page.actor, run_id)
    return _mapping_page(page, session, run, None, mapping)


def _entered(form: Form, base: ColumnMapping, kind: Kind) -> ColumnMapping:
    """What was chosen; a saved mapping's finer points stay with fields whose column was not changed."""
    fields: dict[str, FieldSource] = {}
    for name, spec in importable(kind).items():
        old = base.fields.get(name, FieldSource())
        column, constant = form.value(f"column.{name}").strip(), form.value(f"constant.{name}").strip()
        if constant:
            same = constant == str(old.constant)
            fields[name] = old if same and not column else FieldSource(constant=constant)
        elif column:
            fields[name] = old if column == old.column else from_column(spec, column)
        elif old.parts is not None:
            fields[name] = old
    try:
        return ColumnMapping(fields=fields, source=form.value("source").strip())
    except ValidationError as error:
        raise BadMapping("form", ".".join(str(part) for part in error.errors()[0]["loc"])) from None


@router.post("/exchange/runs/{run_id}/mapping")
def submit_mapping(page: PageDep, form: FormDep, run_id: RowId) -> Response:
    """Use a saved mapping, save this one, or check or run the import with it."""
    then = form.value("then")
    if then == "use":
        return page.redirect(f"/exchange/runs/{run_id}/mapping?mapping={_number(form.value('mapping_id'))}")
    with page.parts.db.read() as session:
        run = queries.run(session, page.actor, run_id)
        table = _table(page, run)
        base = _started(run, table)
        if number := _number(form.value("mapping_id")):
            base = ColumnMapping.model_validate(
                queries.mapping(session, page.actor, run.kind, number).content
            )

    def action(session: Session) -> str:
        mapping = _entered(form, base, run.kind)
        if then == "save":
            name = form.value("mapping_name").strip()
            if not name or len(name) > 80 or not name.isprintable():
                raise InvalidInput(
                    [("mapping_name", "missing" if not name else "string_too_long", {"max_length": 80})]
                )
            number = service.save_mapping(session, page.actor, page.now, run.kind, name, mapping)
            return f"/exchange/runs/{run_id}/mapping?mapping={number}"
        options = service.RunOptions(
            mapping=mapping,
            source=form.value("source"),
            publish=form.has("publish"),
            partial=form.has("partial"),
        )
        service.queue_run(
            session, page.actor, page.now, run_id, options,
            dry_run=then != "run", columns=table.columns, as_work=run.size > INLINE_BYTES,
        )  # fmt: skip
        return f"/exchange/runs/{run_id}"

    def again(form: Form) -> Response:
        with page.parts.db.read() as session:
            return _mapping_page(page, session, run, form, _number(form.value("mapping_id")))

    response = page.submit(form, action, again, flash="mapping_saved" if then == "save" else "")
    if response.status_code == 303 and then != "save" and run.size <= INLINE_BYTES:
        importing.run(page.parts, run_id, run.kind)
    return response


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


@dataclass(frozen=True)
class RunPage:
    """Context of a run's report."""

    run: RunView
    kind_name: str
    told: str
    problems: list[tuple[int, str, str, str]]
    page: int
    pages: int
    going: bool
    can_run: bool
    partial_helps: bool
    limit_mb: int


@router.get("/exchange/runs/{run_id}")
def run_page(page: PageDep, session: ReadTx, paging: PagingDep, run_id: RowId) -> Response:
    """How far an import is, what it did, and every bad row with its reason."""
    run = queries.run(session, page.actor, run_id)
    if run.state is RunState.UPLOADED:
        return page.redirect(f"/exchange/runs/{run_id}/mapping")
    language = page.language
    some = run.problems[(paging.page - 1) * REPORTED : paging.page * REPORTED]
    dry = run.dry_run and run.state is RunState.DONE
    counts = {name: getattr(run, name) for name in ("total", "created", "updated", "unchanged", "bad")}
    good = run.created + run.updated
    context = RunPage(
        run,
        kind_label(run.kind, language),
        ""
        if run.is_going
        else i18n.term(f"exchange.told.{run.state.value}{'_dry' if dry else ''}", language, counts),
        [
            (one["line"], importing.place(one, language), one["value"], importing.sentence(one, language))
            for one in some
        ],
        paging.page,
        max(1, -(-len(run.problems) // REPORTED)),
        run.is_going,
        run.dry_run and run.state is RunState.DONE and good > 0,
        run.state is RunState.REFUSED and good > 0,
        page.parts.settings.max_import_mb,
    )
    response = page.render("exchange/run.html", context)
    if run.is_going:
        # The page has no state to lose; a browser without scripts looks again by itself.
        response.headers["Refresh"] = "4"
    return response


@router.post("/exchange/runs/{run_id}/run")
def run_again(page: PageDep, form: FormDep, run_id: RowId) -> Response:
    """Run for good what was checked; `partial` takes the good rows beside the bad."""
    with page.parts.db.read() as session:
        run = queries.run(session, page.actor, run_id)

    def action(session: Session) -> str:
        stored = service.stored_options(run.options)
        options = stored.model_copy(update={"partial": stored.partial or form.has("partial")})
        service.queue_run(
            session, page.actor, page.now, run_id, options,
            dry_run=False, as_work=run.size > INLINE_BYTES,
        )  # fmt: skip
        return f"/exchange/runs/{run_id}"

    def again(_form: Form) -> Response:
        return page.redirect(f"/exchange/runs/{run_id}")

    response = page.submit(form, action, again)
    if run.size <= INLINE_BYTES:
        importing.run(page.parts, run_id, run.kind)
    return response


@router.get("/exchange/runs/{run_id}/report.csv")
def report(page: PageDep, session: ReadTx, run_id: RowId) -> Response:
    """Every bad row as CSV."""
    run = queries.run(session, page.actor, run_id)
    return StreamingResponse(
        importing.report_csv(run.problems, page.language),
        media_type=writers.MEDIA_TYPES[FileForm.CSV],
        headers={"Content-Disposition": f'attachment; filename="import-{run_id}-report.csv"'},
    )


@router.post("/exchange/mappings/{mapping_id}/delete")
def delete_mapping(page: PageDep, form: FormDep, mapping_id: RowId) -> Response:
    """Forget a saved mapping."""

    def action(session: Session) -> str:
        service.delete_mapping(session, page.actor, page.now, mapping_id)
        run_id = _number(form.value("run_id"))
        return f"/exchange/runs/{run_id}/mapping" if run_id else "/exchange"

    def again(_form: Form) -> Response:
        raise NotFound(kind="mapping")

    return page.submit(form, action, again, flash="mapping_deleted")
