"""How one result's price comes about: its notices, priority rights, trials and open licences on one page; the
forms of priority rights and the pages of open licences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.errors import NotFound, SignInRequired
from market.listings.models import Result
from market.listings.queries import standing
from market.listings.service import RESULT
from market.permissions import Action, Actor, reaches, require_party
from market.pricing import licences, priority, queries, recording, rules, trials
from market.pricing.inputs import AnswerInput, LicenceInput, PriorityInput, ReasonInput
from market.pricing.licences import LicenceView, PatentChoice
from market.pricing.models import PriorityBasis
from market.pricing.priority import RightView
from market.pricing.queries import ContractChoice, NoticeCard
from market.pricing.rules import LicenceStep, PriorityStep
from market.pricing.trials import TrialView
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.render import Page
from web.routes import attachments
from web.routes.attachments import read_upload

router = APIRouter()
attachments.READERS[priority.FILE_KIND] = priority.may_open


@dataclass(frozen=True)
class PricingPage:
    """Context of the page of one result. Rights are shown to those who `may_ask` and to officials."""

    result_id: int
    title: str
    notices: list[NoticeCard]
    rights: list[RightView]
    trials: list[TrialView]
    licences: list[LicenceView]
    may_ask: bool
    shows_rights: bool
    may_try: bool
    has_patents: bool
    inventors: list[str]
    """Inventors who have not been asked."""
    bases: list[PriorityBasis]
    contracts: list[ContractChoice]
    form: Form
    doing: str
    """Which form was sent: `ask`, or `answer` with the right's id."""
    today: str


def _knows(session: Session, actor: Actor, result_id: int) -> Any:
    """The result's owner and title. Raises NotFound for what the actor may not know of."""
    found = recording.result_of(session, result_id)
    if found is None:
        raise NotFound(kind="result")
    if not reaches(actor, Action.CONTRACT_REGISTER):
        standing(session, actor, RESULT, Result, result_id)
    return found


def _pricing_page(page: Page, result_id: int, form: Form | None = None, doing: str = "") -> Response:
    actor = page.actor
    with page.parts.db.read() as session:
        result = _knows(session, actor, result_id)
        may_ask = reaches(actor, Action.RESULT_EDIT, result.organisation_id)
        shows = may_ask or reaches(actor, Action.CONTRACT_REGISTER)
        rights = priority.rights_of(session, result_id=result_id) if shows else []
        asked = {one.holder_name for one in rights}
        reach = actor.organisations_for(Action.CONTRACT_CREATE)
        context = PricingPage(
            result_id=result_id,
            title=result.title,
            notices=queries.notices_of(session, actor, result_id=result_id),
            rights=rights,
            trials=trials.trials(session, actor, result_id=result_id, limit=50)[0]
            if actor.can(Action.CONTRACT_READ)
            else [],
            licences=licences.licences(session, actor, result_id=result_id, limit=50)[0],
            may_ask=may_ask,
            shows_rights=shows,
            may_try=reach is not None and bool(reach - {result.organisation_id}),
            has_patents=may_ask and bool(licences.patents_of(session, result_id)),
            inventors=[name for name in result.inventors if name not in asked],
            bases=list(PriorityBasis),
            contracts=queries.contracts_of(session, result.organisation_id, result_id) if may_ask else [],
            form=form or Form(),
            doing=doing,
            today=local_date(page.now).isoformat(),
        )
    return page.render("pricing/result.html", context)


@router.get("/results/{result_id}/pricing")
def show_pricing(page: PageDep, result_id: RowId) -> Response:
    """How a result's price comes about, as far as the reader may know."""
    return _pricing_page(page, result_id)


def _plain(form: Form) -> Form:
    return replace(form, entered={key: value for key, value in form.entered.items() if key != "version"})


@router.post("/results/{result_id}/priority-rights")
def ask_first(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Record that somebody was asked first."""
    if not page.actor.is_signed_in:
        raise SignInRequired

    def action(session: Session) -> str:
        _knows(session, page.actor, result_id)
        priority.ask(session, page.actor, page.now, result_id, form.parse(PriorityInput))
        return f"/results/{result_id}/pricing#rights"

    return page.submit(form, action, lambda form: _pricing_page(page, result_id, form, "ask"), flash="saved")


@router.post("/results/{result_id}/priority-rights/{right_id}")
def answer_right(page: PageDep, form: FormDep, result_id: RowId, right_id: RowId) -> Response:
    """Enter what the holder answered, with the paper it came on."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    limit = page.parts.settings.max_upload_mb * 1024 * 1024

    def action(session: Session) -> str:
        uploads = [one for one in form.files.get("file", ()) if one.filename]
        said = {key: value for key, value in form.entered.items() if key not in ("step", "file")}
        exercised = form.value("step") == PriorityStep.EXERCISE.value
        priority.answer(
            session,
            page.actor,
            page.now,
            page.parts.files,
            right_id,
            PriorityStep.EXERCISE if exercised else PriorityStep.WAIVE,
            replace(form, entered=said).parse(AnswerInput),
            file=read_upload(uploads[0], limit) if uploads else None,
            limit=limit,
        )
        return f"/results/{result_id}/pricing#rights"

    return page.submit(
        form, action, lambda form: _pricing_page(page, result_id, form, f"answer{right_id}"), flash="saved"
    )


@dataclass(frozen=True)
class LicencesPage:
    """Context of the list of open licences."""

    items: list[LicenceView]
    total: int
    current_page: int
    pages: int


@router.get("/open-licences")
def list_licences(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """The open licences declared now."""
    items, total = licences.licences(session, page.actor, limit=paging.per_page, offset=paging.offset)
    pages = -(-total // paging.per_page)
    return page.render("pricing/licences.html", LicencesPage(items, total, paging.page, pages))


@dataclass(frozen=True)
class LicenceFormPage:
    """Context of the form of an open licence."""

    form: Form
    result_id: int
    result_title: str
    licence_id: int | None
    patents: list[PatentChoice]


def _licence_form(
    page: Page, form: Form, result_id: int, title: str, licence_id: int | None = None
) -> Response:
    with page.parts.db.read() as session:
        patents = licences.patents_of(session, result_id)
    return page.render(
        "pricing/licence_form.html", LicenceFormPage(form, result_id, title, licence_id, patents)
    )


def _own_result(page: Page, result_id: int) -> Any:
    with page.parts.db.read() as session:
        result = _knows(session, page.actor, result_id)
    require_party(page.actor, Action.RESULT_EDIT, result.organisation_id)
    return result


@router.get("/results/{result_id}/open-licences/new")
def new_licence(page: PageDep, result_id: RowId) -> Response:
    """The empty form."""
    result = _own_result(page, result_id)
    return _licence_form(page, Form(), result_id, result.title)


@router.post("/results/{result_id}/open-licences")
def create_licence(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Write an open licence down; nobody else sees it before it is declared."""
    result = _own_result(page, result_id)

    def action(session: Session) -> str:
        data = _plain(form).parse(LicenceInput)
        return f"/open-licences/{licences.create(session, page.actor, page.now, result_id, data)}"

    return page.submit(
        form, action, lambda form: _licence_form(page, form, result_id, result.title), flash="saved"
    )


@dataclass(frozen=True)
class LicencePage:
    """Context of one open licence."""

    licence: LicenceView
    steps: list[LicenceStep]
    form: Form


def _licence_page(page: Page, licence_id: int, form: Form | None = None) -> Response:
    with page.parts.db.read() as session:
        found = licences.licence(session, page.actor, licence_id)
    return page.render("pricing/licence.html", LicencePage(found, licences.steps_for(found), form or Form()))


@router.get("/open-licences/{licence_id}")
def show_licence(page: PageDep, licence_id: RowId) -> Response:
    """One open licence."""
    return _licence_page(page, licence_id)


def _own_licence(page: Page, licence_id: int) -> LicenceView:
    with page.parts.db.read() as session:
        found = licences.licence(session, page.actor, licence_id)
    require_party(page.actor, Action.RESULT_EDIT, found.organisation_id)
    return found


def _licence_values(found: LicenceView) -> Mapping[str, Any]:
    names = (
        "patent_number", "fee", "starts_on", "ends_on", "evaluation_report", "free_of_bars",
        "announced_number", "version",
    )  # fmt: skip
    return {name: getattr(found, name) for name in names}


@router.get("/open-licences/{licence_id}/edit")
def edit_licence(page: PageDep, licence_id: RowId) -> Response:
    """The filled form of a draft."""
    found = _own_licence(page, licence_id)
    if (found.state, LicenceStep.EDIT) not in rules.LICENCE_STEPS:
        return page.redirect(f"/open-licences/{licence_id}")
    form = Form.from_values(_licence_values(found))
    return _licence_form(page, form, found.result_id, found.result_title, licence_id)


@router.post("/open-licences/{licence_id}/edit")
def save_licence(page: PageDep, form: FormDep, licence_id: RowId) -> Response:
    """Save a draft."""
    found = _own_licence(page, licence_id)

    def action(session: Session) -> str:
        data, version = _plain(form).parse(LicenceInput), form.number("version") or None
        licences.edit(session, page.actor, page.now, licence_id, data, version=version)
        return f"/open-licences/{licence_id}"

    return page.submit(
        form,
        action,
        lambda form: _licence_form(page, form, found.result_id, found.result_title, licence_id),
        flash="saved",
    )


def _licence_step(
    page: Page, form: Form, licence_id: int, act: Callable[[Session, int | None], None]
) -> Response:
    if not page.actor.is_signed_in:
        raise SignInRequired

    def action(session: Session) -> str:
        act(session, form.number("version") or None)
        return f"/open-licences/{licence_id}"

    return page.submit(form, action, lambda form: _licence_page(page, licence_id, form), flash="saved")


@router.post("/open-licences/{licence_id}/declare")
def declare_licence(page: PageDep, form: FormDep, licence_id: RowId) -> Response:
    """Show it to everybody."""

    def act(session: Session, version: int | None) -> None:
        licences.declare(session, page.actor, page.now, licence_id, version=version)

    return _licence_step(page, form, licence_id, act)


@router.post("/open-licences/{licence_id}/withdraw")
def withdraw_licence(page: PageDep, form: FormDep, licence_id: RowId) -> Response:
    """Take it back, saying why."""

    def act(session: Session, version: int | None) -> None:
        reason = _plain(form).parse(ReasonInput).reason
        licences.withdraw(session, page.actor, page.now, licence_id, reason, version=version)

    return _licence_step(page, form, licence_id, act)
