"""Pages of price notices: what runs now, one notice, its form, its steps, objections to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.deals.policies import Policy
from market.errors import NotFound, SignInRequired
from market.listings.models import CooperationMode
from market.money import yuan
from market.permissions import Action, require_party
from market.pricing import notices, queries, recording, rules
from market.pricing.inputs import (
    DecisionInput,
    NoticeInput,
    ObjectionInput,
    ReasonInput,
    SignInput,
    StartInput,
)
from market.pricing.models import NoticeState
from market.pricing.queries import ContractChoice, NoticeCard, NoticeDetail
from market.pricing.rules import NoticeStep
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.render import Page

router = APIRouter()


@dataclass(frozen=True)
class ListPage:
    """Context of the list. `show` is `running`, `over` or `mine`."""

    items: list[NoticeCard]
    total: int
    current_page: int
    pages: int
    show: str
    may_write: bool
    policy: Policy | None


@router.get("/notices")
def list_notices(page: PageDep, session: ReadTx, paging: PagingDep, show: str = "running") -> Response:
    """The notices that run, those that are over, or one's own."""
    may_write = page.actor.can(Action.RESULT_EDIT)
    if show == "mine" and may_write:
        items, total = queries.own_notices(session, page.actor, limit=paging.per_page, offset=paging.offset)
    else:
        show = "over" if show == "over" else "running"
        items, total = queries.public_notices(
            session, over=show == "over", limit=paging.per_page, offset=paging.offset
        )
    context = ListPage(
        items, total, paging.page, -(-total // paging.per_page), show, may_write,
        notices.days(session, local_date(page.now)),
    )  # fmt: skip
    return page.render("pricing/notices.html", context)


@dataclass(frozen=True)
class EditPage:
    """Context of the form. `state` is None for a new notice."""

    form: Form
    result_id: int
    result_title: str
    notice_id: int | None
    state: NoticeState | None
    modes: list[CooperationMode]


def _form_page(
    page: Page,
    form: Form,
    result_id: int,
    result_title: str,
    notice_id: int | None = None,
    state: NoticeState | None = None,
) -> Response:
    context = EditPage(form, result_id, result_title, notice_id, state, list(CooperationMode))
    return page.render("pricing/notice_form.html", context)


def _result(page: Page, result_id: int) -> Any:
    with page.parts.db.read() as session:
        found = recording.result_of(session, result_id)
    if found is None:
        raise NotFound(kind="result")
    require_party(page.actor, Action.RESULT_EDIT, found.organisation_id)
    return found


@router.get("/results/{result_id}/notices/new")
def new_notice(page: PageDep, result_id: RowId) -> Response:
    """The form, filled with what the result says."""
    result = _result(page, result_id)
    values = {
        "title": result.title,
        "abstract": result.abstract,
        "transfer_mode": result.modes[0] if result.modes else None,
    }
    return _form_page(page, Form.from_values(values), result_id, result.title)


def _without_version(form: Form) -> Form:
    return replace(form, entered={key: value for key, value in form.entered.items() if key != "version"})


@router.post("/results/{result_id}/notices")
def create_notice(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Write a notice; nobody else sees it before it starts."""
    result = _result(page, result_id)

    def action(session: Session) -> str:
        data = _without_version(form).parse(NoticeInput)
        return f"/notices/{notices.create(session, page.actor, page.now, result_id, data)}"

    return page.submit(
        form, action, lambda form: _form_page(page, form, result_id, result.title), flash="saved"
    )


@dataclass(frozen=True)
class NoticePage:
    """Context of one notice."""

    notice: NoticeDetail
    steps: list[NoticeStep]
    may_edit: bool
    may_object: bool
    may_decide: bool
    over: bool
    """Whether its last day has passed."""
    form: Form
    doing: str
    """Which form on the page was sent: a step, `object`, or `decide` with the objection's id."""
    contracts: list[ContractChoice]
    organisations: list[tuple[str, str]]
    policy: Policy | None
    today: str


def _page(page: Page, notice_id: int, form: Form | None = None, doing: str = "") -> Response:
    today = local_date(page.now)
    with page.parts.db.read() as session:
        found = queries.notice(session, page.actor, notice_id)
        steps = queries.steps_for(found, today)
        contracts = (
            queries.contracts_of(session, found.organisation_id, found.result_id)
            if NoticeStep.SIGN in steps
            else []
        )
        policy = notices.days(session, found.market_from or today)
    over = found.ends_on is not None and today > found.ends_on
    mine = {m.organisation_id: m.organisation_name for m in page.actor.memberships if m.verified}
    context = NoticePage(
        notice=found,
        steps=steps,
        may_edit=found.keeper and (found.state, NoticeStep.EDIT) in rules.NOTICE_STEPS,
        may_object=(found.state, NoticeStep.OBJECT) in rules.NOTICE_STEPS and not over,
        may_decide=found.keeper,
        over=over,
        form=form or Form(),
        doing=doing,
        contracts=contracts,
        organisations=[(str(key), name) for key, name in mine.items()],
        policy=policy,
        today=today.isoformat(),
    )
    return page.render("pricing/notice.html", context)


@router.get("/notices/{notice_id}")
def show_notice(page: PageDep, notice_id: RowId) -> Response:
    """One notice, with its life and the way to object."""
    return _page(page, notice_id)


def _values(found: NoticeDetail) -> Mapping[str, Any]:
    names = (
        "title", "abstract", "transfer_mode", "transferee_id", "related_party", "relation_note", "procedure",
        "unit_place", "version",
    )  # fmt: skip
    return {
        **{name: getattr(found, name) for name in names},
        "price_fen": yuan(found.price_fen),
        "transferee_name": found.transferee_name if found.transferee_id is None else None,
    }


def _editable(page: Page, notice_id: int) -> NoticeDetail:
    with page.parts.db.read() as session:
        found = queries.notice(session, page.actor, notice_id)
    require_party(page.actor, Action.RESULT_EDIT, found.organisation_id)
    return found


@router.get("/notices/{notice_id}/edit")
def edit_notice(page: PageDep, notice_id: RowId) -> Response:
    """The filled form."""
    found = _editable(page, notice_id)
    if (found.state, NoticeStep.EDIT) not in rules.NOTICE_STEPS:
        return page.redirect(f"/notices/{notice_id}")
    form = Form.from_values(_values(found))
    return _form_page(page, form, found.result_id, found.result_title, notice_id, found.state)


@router.post("/notices/{notice_id}/edit")
def save_notice(page: PageDep, form: FormDep, notice_id: RowId) -> Response:
    """Save the form; says whether the days started anew."""
    found = _editable(page, notice_id)
    anew: list[bool] = []

    def action(session: Session) -> str:
        data = _without_version(form).parse(NoticeInput)
        version = form.number("version") or None
        anew.append(notices.edit(session, page.actor, page.now, notice_id, data, version=version))
        return f"/notices/{notice_id}"

    def again(form: Form) -> Response:
        return _form_page(page, form, found.result_id, found.result_title, notice_id, found.state)

    answer = page.submit(form, action, again, flash="saved")
    return page.redirect(f"/notices/{notice_id}", flash="notice_restarted") if any(anew) else answer


def _act(
    page: Page, form: Form, notice_id: int, doing: str, act: Callable[[Session], object], flash: str = "saved"
) -> Response:
    if not page.actor.is_signed_in:
        raise SignInRequired

    def action(session: Session) -> str:
        act(session)
        return f"/notices/{notice_id}"

    return page.submit(form, action, lambda form: _page(page, notice_id, form, doing), flash=flash)


@router.post("/notices/{notice_id}/start")
def start_notice(page: PageDep, form: FormDep, notice_id: RowId) -> Response:
    """Publish it."""

    def act(session: Session) -> None:
        data = _without_version(form).parse(StartInput)
        version = form.number("version") or None
        notices.start(session, page.actor, page.now, notice_id, data, version=version)

    return _act(page, form, notice_id, "start", act)


@router.post("/notices/{notice_id}/sign")
def sign_notice(page: PageDep, form: FormDep, notice_id: RowId) -> Response:
    """Name the contract that came of it."""

    def act(session: Session) -> None:
        data = _without_version(form).parse(SignInput)
        version = form.number("version") or None
        notices.sign(session, page.actor, page.now, notice_id, data.contract_id, version=version)

    return _act(page, form, notice_id, "sign", act)


@router.post("/notices/{notice_id}/withdraw")
def withdraw_notice(page: PageDep, form: FormDep, notice_id: RowId) -> Response:
    """Take it back, saying why."""

    def act(session: Session) -> None:
        data = _without_version(form).parse(ReasonInput)
        version = form.number("version") or None
        notices.withdraw(session, page.actor, page.now, notice_id, data.reason, version=version)

    return _act(page, form, notice_id, "withdraw", act)


@router.post("/notices/{notice_id}/objections")
def object_to_notice(page: PageDep, form: FormDep, notice_id: RowId) -> Response:
    """Object to it."""

    def act(session: Session) -> None:
        notices.object_to(session, page.actor, page.now, notice_id, form.parse(ObjectionInput))

    return _act(page, form, notice_id, "object", act, "objection_filed")


@router.post("/notices/{notice_id}/objections/{objection_id}")
def decide_objection(page: PageDep, form: FormDep, notice_id: RowId, objection_id: RowId) -> Response:
    """Answer an objection."""

    def act(session: Session) -> None:
        data = form.parse(DecisionInput)
        notices.decide(session, page.actor, page.now, notice_id, objection_id, data)

    return _act(page, form, notice_id, f"decide{objection_id}", act)


@router.post("/notices/{notice_id}/objections/{objection_id}/withdraw")
def take_objection_back(page: PageDep, form: FormDep, notice_id: RowId, objection_id: RowId) -> Response:
    """Take one's own objection back."""

    def act(session: Session) -> None:
        notices.take_back(session, page.actor, page.now, notice_id, objection_id)

    return _act(page, form, notice_id, "", act)
