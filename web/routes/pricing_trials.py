"""Pages of trials (先用后付): asked for, agreed, begun, turned into a contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.errors import NotFound, SignInRequired
from market.listings.models import CooperationMode, ListingState
from market.permissions import Action, require
from market.pricing import recording, trials
from market.pricing.inputs import ReasonInput, TrialInput, TrialTermsInput
from market.pricing.rules import TrialStep
from market.pricing.trials import TrialView
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.render import Page

router = APIRouter()


@dataclass(frozen=True)
class ListPage:
    """Context of the list."""

    items: list[TrialView]
    total: int
    current_page: int
    pages: int


@router.get("/trials")
def list_trials(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """The trials of one's organisations; everybody's for staff and officials."""
    require(page.actor, Action.CONTRACT_READ)
    items, total = trials.trials(session, page.actor, limit=paging.per_page, offset=paging.offset)
    return page.render(
        "pricing/trials.html", ListPage(items, total, paging.page, -(-total // paging.per_page))
    )


@dataclass(frozen=True)
class NewPage:
    """Context of the form of an application."""

    form: Form
    result_id: int
    result_title: str
    organisations: list[tuple[str, str]]


def _new_page(page: Page, form: Form, result_id: int) -> Response:
    with page.parts.db.read() as session:
        result = recording.result_of(session, result_id)
    if result is None or result.state != ListingState.PUBLISHED.value:
        raise NotFound(kind="result")
    reach = page.actor.organisations_for(Action.CONTRACT_CREATE)
    mine = {
        m.organisation_id: m.organisation_name
        for m in page.actor.memberships
        if m.verified and (reach is None or m.organisation_id in reach)
    }
    organisations = [(str(key), name) for key, name in mine.items()]
    return page.render("pricing/trial_new.html", NewPage(form, result_id, result.title, organisations))


@router.get("/results/{result_id}/trials/new")
def new_trial(page: PageDep, result_id: RowId) -> Response:
    """Ask to try a result."""
    require(page.actor, Action.CONTRACT_CREATE)
    return _new_page(page, Form(), result_id)


@router.post("/results/{result_id}/trials")
def apply_for_trial(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Send the application."""
    require(page.actor, Action.CONTRACT_CREATE)

    def action(session: Session) -> str:
        entered = {**form.entered, "result_id": [str(result_id)]}
        data = replace(form, entered=entered).parse(TrialInput)
        return f"/trials/{trials.apply(session, page.actor, page.now, data)}"

    return page.submit(form, action, lambda form: _new_page(page, form, result_id), flash="trial_applied")


@dataclass(frozen=True)
class TrialPage:
    """Context of one trial."""

    trial: TrialView
    steps: list[TrialStep]
    modes: list[CooperationMode]
    form: Form
    doing: str
    today: str


def _page(page: Page, trial_id: int, form: Form | None = None, doing: str = "") -> Response:
    today = local_date(page.now)
    with page.parts.db.read() as session:
        found = trials.trial(session, page.actor, trial_id)
    context = TrialPage(
        found,
        trials.steps_for(page.actor, found, today),
        list(CooperationMode),
        form or Form(),
        doing,
        today.isoformat(),
    )
    return page.render("pricing/trial.html", context)


@router.get("/trials/{trial_id}")
def show_trial(page: PageDep, trial_id: RowId) -> Response:
    """One trial with its life and what may be done."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    return _page(page, trial_id)


@router.post("/trials/{trial_id}/{step}")
def take_step(page: PageDep, form: FormDep, trial_id: RowId, step: str) -> Response:
    """Take a trial one step further."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    version = form.number("version") or None
    said = replace(form, entered={key: value for key, value in form.entered.items() if key != "version"})
    actor, now = page.actor, page.now

    def agree(session: Session) -> str:
        trials.agree(session, actor, now, trial_id, said.parse(TrialTermsInput), version=version)
        return ""

    def refuse(session: Session) -> str:
        reason = said.parse(ReasonInput).reason
        trials.refuse(session, actor, now, trial_id, reason, version=version)
        return ""

    def begin(session: Session) -> str:
        trials.begin(session, actor, now, trial_id, version=version)
        return ""

    def end(session: Session) -> str:
        trials.end(session, actor, now, trial_id, said.parse(ReasonInput).reason, version=version)
        return ""

    def convert(session: Session) -> str:
        return f"/contracts/{trials.convert(session, actor, now, trial_id, version=version)}/edit"

    acts: dict[str, Callable[[Session], str]] = {
        TrialStep.AGREE.value: agree,
        TrialStep.REFUSE.value: refuse,
        TrialStep.BEGIN.value: begin,
        TrialStep.END.value: end,
        TrialStep.CONVERT.value: convert,
    }
    if step not in acts:
        raise NotFound(kind="trial")
    return page.submit(
        form,
        lambda session: acts[step](session) or f"/trials/{trial_id}",
        lambda form: _page(page, trial_id, form, step),
        flash="saved",
    )
