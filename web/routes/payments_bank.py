"""Pages of the bank for staff: the market's accounts, statements' files and how they are read, lines and what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from market.db import Session
from market.errors import InvalidInput, WrongState
from market.exchange import statements as reading
from market.exchange.problems import Problem, UnreadableFile
from market.exchange.statements import BankMapping, StatementFile
from market.payments.bank import accounts, queries, service
from market.payments.bank.gateway import OfflineGateway
from market.payments.bank.inputs import AccountInput, ProposalInput
from market.payments.bank.models import LineState, MatchKind, PayOutState, StatementState
from market.payments.bank.queries import AccountView, LineView, StatementView
from market.payments.bank.references import spaced
from market.payments.bank.rules import DIRECTIONS, Candidate, StatementLine, Suggestion
from market.permissions import Action, require
from web import i18n
from web.deps import FormDep, PageDep, PagingDep, RowId
from web.errors import FieldProblem
from web.forms import Form
from web.render import Page
from web.routes.exchange import read_upload

router = APIRouter()

REPORTED = 100
"""How many bad lines a page lists."""
PREVIEW = 5

Tab = tuple[str, str, bool, int | None]


def bank_tabs(page: Page, session: Session) -> list[Tab]:
    """The pages about money, with how much waits on each."""
    _, lines = queries.lines(session, LineState.OPEN, limit=1)
    _, orders = queries.pay_outs(session, PayOutState.WAITING, limit=1)
    waiting = {
        "/bank/lines": lines[LineState.OPEN] + lines[LineState.PROPOSED],
        "/bank/pay-outs": sum(
            orders[one] for one in (PayOutState.WAITING, PayOutState.PREPARED, PayOutState.APPROVED)
        ),
        "/bank": len(queries.accounts_waiting(session)),
    }
    path = page.request.url.path
    return [
        (i18n.term(f"bank.tab.{name}", page.language), href, path == href, waiting.get(href))
        for name, href in (
            ("reconciliation", "/bank/reconciliation"),
            ("lines", "/bank/lines"),
            ("pay_outs", "/bank/pay-outs"),
            ("accounts", "/bank"),
            ("statements", "/money/organisations"),
        )
    ]


def settling_gateways(page: Page) -> list[str]:
    """The gateways that pay over to our bank."""
    known = page.parts.gateways
    return [one.name for one in (*known.each, *known.retired) if one.name != OfflineGateway.name]


@dataclass(frozen=True)
class BankPage:
    """Context of the start page: accounts, those that wait for a second person, files imported last."""

    tabs: list[Tab]
    accounts: list[AccountView]
    waiting: list[tuple[AccountView, str]]
    statements: list[StatementView]
    names: dict[int, str]
    person_id: int | None
    form: Form


def _home(page: Page, form: Form | None = None) -> Response:
    require(page.actor, Action.MONEY_MANAGE)
    with page.parts.db.read() as session:
        own = queries.own_accounts(session)
        context = BankPage(
            bank_tabs(page, session),
            own,
            queries.accounts_waiting(session),
            queries.statements(session),
            {one.id: f"{one.bank} {one.number[-4:]}" for one in own},
            page.actor.person_id,
            form or Form(),
        )
    return page.render("payments/bank.html", context)


@router.get("/bank")
def home(page: PageDep) -> Response:
    """The market's own accounts, accounts to confirm, the last statements."""
    return _home(page)


@router.post("/bank/accounts")
def propose_account(page: PageDep, form: FormDep) -> Response:
    """Propose an account of the market's own."""

    def action(session: Session) -> str:
        accounts.propose(session, page.actor, page.now, None, form.parse(AccountInput))
        return "/bank"

    return page.submit(form, action, lambda form: _home(page, form), flash="saved")


_ACCOUNT_STEPS: dict[str, Callable[..., None]] = {"confirm": accounts.confirm, "withdraw": accounts.withdraw}


@router.post("/bank/accounts/{account_id}/confirm")
@router.post("/bank/accounts/{account_id}/withdraw")
def decide_account(page: PageDep, account_id: RowId) -> Response:
    """Put an account in force, or take it back."""
    step = _ACCOUNT_STEPS[page.request.url.path.rpartition("/")[2]]

    def action(session: Session) -> str:
        step(session, page.actor, page.now, account_id)
        return "/bank" if page.actor.can(Action.MONEY_MANAGE) else "/workbench"

    return page.submit(Form(), action, lambda form: _home(page, form), flash="saved")


@router.post("/bank/statements")
def upload_statement(page: PageDep, form: FormDep) -> Response:
    """Take a statement's file and go on to its columns."""
    require(page.actor, Action.MONEY_MANAGE)
    refusal: InvalidInput | None = None
    name, sha256 = "", ""
    try:
        name, content = read_upload(page.parts, next(iter(form.files.get("file", [])), None))
        reading.open_statement(content, name)
        sha256 = page.parts.files.put(content)
    except InvalidInput as error:
        refusal = error

    def action(session: Session) -> str:
        if refusal is not None:
            raise refusal
        if not form.number("account_id"):
            raise InvalidInput([("account_id", "missing", {})])
        made = service.upload_statement(
            session, page.actor, page.now, form.number("account_id"), name, sha256
        )
        return f"/bank/statements/{made}"

    return page.submit(form, action, lambda form: _home(page, form))


@dataclass(frozen=True)
class BadLine:
    """Something wrong with a line of a file, in words."""

    line: int
    field: str
    value: str
    reason: str


@dataclass(frozen=True)
class StatementPage:
    """Context of a statement's file: how its columns are read, what that gives, what is wrong."""

    tabs: list[Tab]
    statement: StatementView
    form: Form
    fields: list[str]
    columns: list[str]
    preview: list[StatementLine]
    line_count: int
    bad: list[BadLine]
    bad_count: int


def _file(page: Page, found: StatementView, wanted: dict[str, str]) -> StatementFile:
    with page.parts.files.open(found.sha256) as stored:
        content = stored.read()
    file = reading.open_statement(content, found.file_name, wanted.values())
    if wanted and not set(wanted.values()) <= set(file.table.columns):
        file = reading.open_statement(content, found.file_name)
    return file


def _mapping_of(form: Form) -> BankMapping:
    known = {name: form.value(name) for name in reading.FIELDS}
    return BankMapping.model_validate({name: value for name, value in known.items() if value})


def _statement_page(
    page: Page, statement_id: int, form: Form | None = None, bad: list[Problem] | None = None
) -> Response:
    require(page.actor, Action.MONEY_MANAGE)
    with page.parts.db.read() as session:
        found = queries.statement(session, statement_id)
        tabs = bank_tabs(page, session)
        saved = queries.mapping_of(session, found.account_id)
    file = _file(page, found, {} if found.state is StatementState.IMPORTED else saved)
    columns = [name for name in file.table.columns if name]
    if form is None:
        fits = saved and set(saved.values()) <= set(columns)
        mapping = BankMapping.model_validate(saved) if fits else reading.guess(columns)
        form = Form.from_values(mapping.model_dump())
    lines: list[StatementLine] = []
    try:
        mapping = _mapping_of(form)
        if not reading.problems_of(mapping, columns):
            lines, wrong = reading.read_lines(file, mapping)
            bad = wrong if bad is None else bad
    except (ValidationError, UnreadableFile):
        lines = []
    bad = bad or []
    context = StatementPage(
        tabs,
        found,
        form,
        list(reading.FIELDS),
        columns,
        lines[:PREVIEW],
        len(lines),
        [_bad(one, page.language) for one in bad[:REPORTED]],
        len(bad),
    )
    return page.render("payments/bank_statement.html", context)


def _bad(problem: Problem, language: str) -> BadLine:
    field = i18n.term(f"bank.field.{problem.field}", language) if problem.field else ""
    return BadLine(
        problem.line, field, problem.value, i18n.term(f"invalid.{problem.code}", language, problem.params)
    )


@router.get("/bank/statements/{statement_id}")
def show_statement(page: PageDep, statement_id: RowId) -> Response:
    """How a file's columns are read, with its first lines as they are understood."""
    return _statement_page(page, statement_id)


@router.post("/bank/statements/{statement_id}")
def import_statement(page: PageDep, form: FormDep, statement_id: RowId) -> Response:
    """Read the file again (`look`), or take all its lines; one bad line and none is taken."""
    require(page.actor, Action.MONEY_MANAGE)
    with page.parts.db.read() as session:
        found = queries.statement(session, statement_id)
    if found.state is not StatementState.UPLOADED:
        raise WrongState(state=found.state.value, action="import")
    problems: list[Problem] = []
    lines: list[StatementLine] = []
    refusal: Exception | None = None
    mapping = BankMapping()
    try:
        mapping = _mapping_of(form)
        file = _file(page, found, mapping.columns())
        lacking = reading.problems_of(mapping, file.table.columns)
        if lacking:
            raise InvalidInput(lacking)
        # Reading may take a while: not in the write transaction, which others wait for.
        lines, problems = reading.read_lines(file, mapping)
    except (ValidationError, InvalidInput) as error:
        refusal = error
    if refusal is None and form.has("look"):
        return _statement_page(page, statement_id, form, problems)
    if refusal is None and problems:
        told = FieldProblem("", "bank_bad_lines", i18n.term("invalid.bank_bad_lines", page.language))
        response = _statement_page(page, statement_id, form.with_problems([told]), problems)
        response.status_code = 422
        return response

    def action(session: Session) -> str:
        if refusal is not None:
            raise refusal
        service.import_statement(session, page.actor, page.now, statement_id, lines, mapping.columns())
        return "/bank/lines"

    def again(form: Form) -> Response:
        told = [
            Problem(int(one.field.rpartition(".")[2]), "", one.code)
            for one in form.problems
            if one.field.startswith("lines.")
        ]
        rest = [one for one in form.problems if not one.field.startswith("lines.")]
        if told:
            sentence = i18n.term("invalid.bank_bad_lines", page.language)
            rest.append(FieldProblem("", "bank_bad_lines", sentence))
        return _statement_page(page, statement_id, form.with_problems(rest), told or None)

    return page.submit(form, action, again, flash="saved")


@dataclass(frozen=True)
class Offered:
    """A suggestion as pages show it."""

    kind: MatchKind
    target: int
    score: int
    reasons: list[str]
    reference: str
    who: str
    amount_fen: int


def _offered(one: Suggestion, language: str) -> Offered:
    about: Candidate = one.candidate
    reasons = [i18n.label(reason, language) for reason in one.reasons]
    who = next((name for name in about.names if name), "")
    return Offered(about.kind, about.id, one.score, reasons, spaced(about.reference), who, about.amount_fen)


@dataclass(frozen=True)
class LinesPage:
    """Context of the list of lines in a state; of an open one with what it most likely is."""

    tabs: list[Tab]
    states: list[tuple[LineState, int]]
    state: LineState
    items: list[LineView]
    best: dict[int, Offered]
    total: int
    current_page: int
    pages: int
    person_id: int | None


@router.get("/bank/lines")
def list_lines(page: PageDep, paging: PagingDep, state: str = "open") -> Response:
    """The lines of all statements by what is known of them."""
    require(page.actor, Action.MONEY_MANAGE)
    chosen = LineState(state) if state in {one.value for one in LineState} else LineState.OPEN
    with page.parts.db.read() as session:
        items, counts = queries.lines(session, chosen, limit=paging.per_page, offset=paging.offset)
        best: dict[int, Offered] = {}
        if chosen is LineState.OPEN:
            known = {
                currency: queries.candidates(session, currency)
                for currency in {one.currency for one in items}
            }
            for one in items:
                found = queries.suggestions(session, one, known[one.currency])
                if found:
                    best[one.id] = _offered(found[0], page.language)
        context = LinesPage(
            bank_tabs(page, session),
            list(counts.items()),
            chosen,
            items,
            best,
            counts[chosen],
            paging.page,
            -(-counts[chosen] // paging.per_page),
            page.actor.person_id,
        )
    return page.render("payments/bank_lines.html", context)


@dataclass(frozen=True)
class LinePage:
    """Context of one line: what it could be, or what somebody says that it is."""

    tabs: list[Tab]
    line: LineView
    offered: list[Offered]
    kinds: list[tuple[str, str]]
    gateways: list[tuple[str, str]]
    mine: bool
    form: Form


def _line_page(page: Page, line_id: int, form: Form | None = None) -> Response:
    require(page.actor, Action.MONEY_MANAGE)
    with page.parts.db.read() as session:
        found = queries.line(session, line_id)
        offered = queries.suggestions(session, found) if found.state is LineState.OPEN else []
        tabs = bank_tabs(page, session)
    comes = found.amount_fen > 0
    others = (MatchKind.SETTLEMENT, MatchKind.FEE, MatchKind.INTEREST, MatchKind.IGNORED)
    kinds = [
        (one.value, i18n.label(one, page.language)) for one in others if DIRECTIONS[one][0 if comes else 1]
    ]
    context = LinePage(
        tabs,
        found,
        [_offered(one, page.language) for one in offered],
        kinds,
        [(name, i18n.term(f"gateway.{name}", page.language)) for name in settling_gateways(page)],
        found.match is not None and found.match.proposed_by == page.actor.person_id,
        form or Form(),
    )
    return page.render("payments/bank_line.html", context)


@router.get("/bank/lines/{line_id}")
def show_line(page: PageDep, line_id: RowId) -> Response:
    """One line with what it could be."""
    return _line_page(page, line_id)


@router.post("/bank/lines/{line_id}/propose")
def propose_line(page: PageDep, form: FormDep, line_id: RowId) -> Response:
    """Say what a line is: a suggestion, or something that is found by its reference (`reference`)."""

    def action(session: Session) -> str:
        service.propose(
            session, page.actor, page.now, line_id, _proposal(session, form), settling_gateways(page)
        )
        return f"/bank/lines/{line_id}"

    return page.submit(form, action, lambda form: _line_page(page, line_id, form), flash="saved")


def _proposal(session: Session, form: Form) -> ProposalInput:
    """What the form says. A reference that was typed is looked up, spaced and in any case."""
    typed = form.value("reference")
    entered = {name: value for name, value in form.entered.items() if name != "reference"}
    if form.has("reference"):
        found = queries.by_reference(session, typed)
        if found is None:
            raise InvalidInput([("reference", "bank_no_reference" if typed.strip() else "missing", {})])
        kind, target = found
        entered |= {"kind": [kind.value], "target": [str(target)]}
    return replace(form, entered=entered).parse(ProposalInput)


_LINE_STEPS: dict[str, Callable[..., Any]] = {"confirm": service.confirm, "withdraw": service.withdraw}


@router.post("/bank/lines/{line_id}/confirm")
@router.post("/bank/lines/{line_id}/withdraw")
def decide_line(page: PageDep, line_id: RowId) -> Response:
    """Confirm what another person says that a line is, or take it back."""
    step = _LINE_STEPS[page.request.url.path.rpartition("/")[2]]

    def action(session: Session) -> str:
        step(session, page.actor, page.now, line_id)
        return f"/bank/lines/{line_id}"

    return page.submit(Form(), action, lambda form: _line_page(page, line_id, form), flash="saved")
