"""What the pages of results and of demands do alike: form, steps, history, attachments.

A `Feature` says what differs; `results.py` and `demands.py` declare the addresses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.responses import Response

from market.db import Session
from market.errors import Conflict, InvalidInput
from market.files.models import Visibility
from market.files.queries import FileView, openable
from market.files.queries import of as files_of
from market.listings import attachments, history, rules
from market.listings.inputs import ReasonInput
from market.listings.lifecycle import Trade, refuse_merged
from market.listings.models import ListingState
from market.listings.queries import editable, organisations_to_list_for
from market.listings.rules import Step
from market.permissions import require
from market.taxonomy.queries import IndustryView, industries
from web import i18n
from web.demand_help import DemandHelp, with_target
from web.forms import Form
from web.render import Page
from web.routes import listing_forms
from web.routes.attachments import read_upload
from web.routes.preferences import safe_path


@dataclass(frozen=True)
class Feature:
    """What differs between results and demands."""

    trade: Trade
    model: type[Any]
    input: type[BaseModel]
    base: str
    """`/results`: the addresses, and the folder of templates."""
    lists: tuple[str, ...]
    """Fields that are rows of a form."""
    create: Callable[..., Any]
    edit: Callable[..., Any]
    publish: Callable[..., Any]
    reconfirm: Callable[..., Any]
    withdraw: Callable[..., Any]
    conclude: Callable[..., Any]
    content_of: Callable[[Session, Any], dict[str, Any]]
    aid: Callable[..., DemandHelp] | None = None
    """(page, form, listing_id, look=…): help with the wording, for demands."""


@dataclass(frozen=True)
class FormPage:
    """Context of the form, new or filled. With `aid` there is help beside it."""

    form: Form
    base: str
    listing_id: int | None
    title: str
    state: ListingState | None
    industries: list[tuple[str, str]]
    organisations: list[tuple[int, str]]
    spare: dict[str, int]
    files: list[FileView]
    visibilities: list[Visibility]
    max_mb: int
    file_form: Form = field(default_factory=Form)
    aid: DemandHelp | None = None


@dataclass(frozen=True)
class StepPage:
    """Context of the page that asks before a listing is withdrawn or concluded."""

    form: Form
    base: str
    listing_id: int
    title: str
    step: str


@dataclass(frozen=True)
class ShownChange:
    """A field that changed, in words."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Moment:
    """One edit or one step, for the history."""

    at: dt.datetime
    title: str
    actor: str
    text: str = ""
    changes: tuple[ShownChange, ...] = ()


@dataclass(frozen=True)
class HistoryPage:
    """Context of the history."""

    base: str
    listing_id: int
    title: str
    moments: list[Moment]


def new(
    page: Page,
    feature: Feature,
    form: Form | None = None,
    spare: dict[str, int] | None = None,
    aid: DemandHelp | None = None,
) -> Response:
    """The empty form, or the one just sent."""
    require(page.actor, feature.trade.create)
    english = page.language == "en"
    with page.parts.db.read() as session:
        places = organisations_to_list_for(session, page.actor, feature.trade.create, english=english)
        choices = _industries(session, page)
    if form is None:
        first = {"organisation_id": places[0][0]} if len(places) == 1 else {}
        form = listing_forms.form_of(first)
    return _form_page(page, feature, form, choices, places, spare or {}, aid=aid)


def create(page: Page, feature: Feature, form: Form) -> Response:
    """Make a draft and, if asked, publish it at once."""
    require(page.actor, feature.trade.create)
    form, blank = listing_forms.compact(form, feature.lists)
    if form.has("add_row"):
        return new(page, feature, form, _one_more(form, blank))
    if feature.aid is not None and _wants_help(form):
        form = with_target(form)
        return new(page, feature, form, blank, feature.aid(page, form, None))
    near = _near(page, feature, form, None)

    def action(session: Session) -> str:
        data = listing_forms.for_parsing(form).parse(feature.input)
        chosen = form.value("organisation_id")
        if not chosen.isdecimal() or len(chosen) > 18:
            raise InvalidInput([("organisation_id", "missing", {})])
        organisation_id = int(chosen)
        row = feature.create(session, page.actor, page.now, organisation_id, data)
        if form.value("do") == "publish":
            feature.publish(session, page.actor, page.now, row.id, days=page.parts.settings.listing_days)
            _ask_whether_distinct(near)
        return f"{feature.base}/{row.id}"

    return page.submit(
        form,
        action,
        lambda refused: new(page, feature, listing_forms.with_problems_in_place(refused), blank, near),
        flash="published" if form.value("do") == "publish" else "draft_saved",
    )


def edit(
    page: Page,
    feature: Feature,
    listing_id: int,
    form: Form | None = None,
    spare: dict[str, int] | None = None,
    file_form: Form | None = None,
    aid: DemandHelp | None = None,
) -> Response:
    """The form filled with what is stored, or the one just sent."""
    with page.parts.db.read() as session:
        row = editable(session, page.actor, feature.trade, feature.model, listing_id)
        refuse_merged(row)
        rules.after(row.state, Step.EDIT)
        if form is None:
            form = listing_forms.form_of(feature.content_of(session, row), version=row.version)
        elif any(problem.code == Conflict.code for problem in form.problems):
            # Saving a second time then replaces the newer version knowingly.
            form.entered["version"] = [str(row.version)]
        choices = _industries(session, page, keep=row.industry_code)
        visibilities = openable(page.actor, row.organisation_id, party=False)
        found = files_of(session, feature.trade.kind, listing_id, visibilities)
    if aid is None and feature.aid is not None:
        aid = feature.aid(page, form, listing_id, look=False)
    return _form_page(
        page, feature, form, choices, [], spare or {},
        listing_id=listing_id, title=row.title, state=ListingState(row.state), files=found,
        file_form=file_form, aid=aid,
    )  # fmt: skip


def save(page: Page, feature: Feature, listing_id: int, form: Form) -> Response:
    """Replace what a listing says and, if asked, publish it."""
    with page.parts.db.read() as session:
        editable(session, page.actor, feature.trade, feature.model, listing_id)
    form, blank = listing_forms.compact(form, feature.lists)
    if form.has("add_row"):
        return edit(page, feature, listing_id, form, _one_more(form, blank))
    if feature.aid is not None and _wants_help(form):
        form = with_target(form)
        return edit(page, feature, listing_id, form, blank, aid=feature.aid(page, form, listing_id))
    near = _near(page, feature, form, listing_id)
    days = page.parts.settings.listing_days

    def action(session: Session) -> str:
        data = listing_forms.for_parsing(form).parse(feature.input)
        seen = form.value("version")
        version = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
        row = feature.edit(session, page.actor, page.now, listing_id, data, version, days=days)
        if form.value("do") == "publish" and row.state != ListingState.PUBLISHED.value:
            feature.publish(session, page.actor, page.now, listing_id, days=days)
            _ask_whether_distinct(near)
        return f"{feature.base}/{listing_id}"

    return page.submit(
        form,
        action,
        lambda refused: edit(
            page, feature, listing_id, listing_forms.with_problems_in_place(refused), blank, aid=near
        ),
        flash="published" if form.value("do") == "publish" else "saved",
    )


def show_again(page: Page, feature: Feature, listing_id: int, form: Form, step: Step, back: str) -> Response:
    """Publish or reconfirm; what is missing is shown at the fields of the form."""

    near: DemandHelp | None = None
    if step is Step.PUBLISH and feature.aid is not None:
        with page.parts.db.read() as session:
            row = editable(session, page.actor, feature.trade, feature.model, listing_id)
            filled = listing_forms.form_of(feature.content_of(session, row))
        near = feature.aid(page, filled, listing_id)

    def action(session: Session) -> str:
        verb = feature.publish if step is Step.PUBLISH else feature.reconfirm
        verb(session, page.actor, page.now, listing_id, days=page.parts.settings.listing_days)
        _ask_whether_distinct(near)
        return back

    def again(refused: Form) -> Response:
        with page.parts.db.read() as session:
            row = editable(session, page.actor, feature.trade, feature.model, listing_id)
            filled = listing_forms.form_of(feature.content_of(session, row), version=row.version)
        return edit(page, feature, listing_id, filled.with_problems(refused.problems), aid=near)

    return page.submit(form, action, again, flash="published" if step is Step.PUBLISH else "reconfirmed")


def ask(page: Page, feature: Feature, listing_id: int, step: Step, form: Form | None = None) -> Response:
    """Ask for the reason before withdrawing or concluding."""
    with page.parts.db.read() as session:
        row = editable(session, page.actor, feature.trade, feature.model, listing_id)
        refuse_merged(row)
        rules.after(row.state, step)
    context = StepPage(form or Form(), feature.base, listing_id, row.title, step.value)
    return page.render("results/step.html", context)


def take(page: Page, feature: Feature, listing_id: int, step: Step, form: Form) -> Response:
    """Withdraw or conclude."""

    def action(session: Session) -> str:
        verb = feature.withdraw if step is Step.WITHDRAW else feature.conclude
        reason = ReasonInput(reason=form.value("reason")).reason
        verb(session, page.actor, page.now, listing_id, reason)
        return f"{feature.base}/{listing_id}"

    return page.submit(
        form,
        action,
        lambda refused: ask(page, feature, listing_id, step, refused),
        flash="withdrawn" if step is Step.WITHDRAW else "concluded",
    )


def past(page: Page, feature: Feature, listing_id: int) -> Response:
    """What a listing said before, field by field, and its steps."""
    language = page.language
    with page.parts.db.read() as session:
        row = editable(session, page.actor, feature.trade, feature.model, listing_id)
        current = feature.content_of(session, row)
        edits = history.revisions(session, feature.trade.kind, listing_id, current)
        steps = history.events(session, feature.trade.kind, listing_id)
        names = {item.code: item.called(language) for item in industries(session, retired=True)}
    moments = [
        Moment(
            edit.at,
            i18n.term("event.edited", language),
            edit.changed_by,
            changes=tuple(
                ShownChange(
                    i18n.term(f"field.{change.field}", language),
                    listing_forms.shown(change.field, change.before, language, names),
                    listing_forms.shown(change.field, change.after, language, names),
                )
                for change in edit.changes
            ),
        )
        for edit in edits
    ]
    moments += [Moment(e.at, i18n.term(f"event.{e.action}", language), e.actor, e.reason) for e in steps]
    moments.sort(key=lambda moment: moment.at, reverse=True)
    return page.render("results/history.html", HistoryPage(feature.base, listing_id, row.title, moments))


def upload(page: Page, feature: Feature, listing_id: int, form: Form) -> Response:
    """Attach the files that were sent; one that is refused keeps the others out too."""
    limit = page.parts.settings.max_upload_mb * 1024 * 1024

    def action(session: Session) -> str:
        sent: list[UploadFile | None] = [*form.files.get("file", [])]
        visibility = listing_forms.member(Visibility, form.value("visibility")) or Visibility.PUBLIC
        for file in sent or [None]:
            name, content = read_upload(file, limit)
            attachments.attach(
                session, page.actor, page.now, page.parts.files, feature.trade, feature.model, listing_id,
                name=name, content=content, visibility=visibility, limit=limit,
            )  # fmt: skip
        return f"{feature.base}/{listing_id}/edit#attachments"

    return page.submit(
        form,
        action,
        lambda refused: edit(page, feature, listing_id, file_form=refused),
        flash="file_attached",
    )


def rights(page: Page, trade: Trade, organisation_id: int, state: ListingState) -> frozenset[Step]:
    """The steps that the actor may take with a listing."""
    return rules.steps_from(state) if page.actor.can(trade.edit, organisation_id) else frozenset()


def back_of(form: Form, otherwise: str) -> str:
    """The page of this site to go back to that a form names."""
    return safe_path(form.value("back"), otherwise)


def _wants_help(form: Form) -> bool:
    return form.value("do") == "check" or form.has("add_target")


def _near(page: Page, feature: Feature, form: Form, listing_id: int | None) -> DemandHelp | None:
    """What is open already like a listing about to be published, unless it was said to be something else.

    Asked before the transaction begins, because the index takes its time.
    """
    if feature.aid is None or form.value("do") != "publish" or form.has("distinct"):
        return None
    return feature.aid(page, form, listing_id)


def _ask_whether_distinct(near: DemandHelp | None) -> None:
    """Raise InvalidInput (field `distinct`) where something like it is open. Comes after every other refusal,
    so that it is asked once the rest is in order."""
    if near is not None and near.demands:
        raise InvalidInput([("distinct", "near_duplicate", {})])


def _one_more(form: Form, blank: dict[str, int]) -> dict[str, int]:
    wanted = form.value("add_row")
    return {name: number + (1 if name == wanted else 0) for name, number in blank.items()}


def _industries(session: Session, page: Page, keep: str = "") -> list[tuple[str, str]]:
    every: list[IndustryView] = industries(session, retired=bool(keep))
    return [(item.code, item.called(page.language)) for item in every if item.active or item.code == keep]


def _form_page(
    page: Page,
    feature: Feature,
    form: Form,
    choices: list[tuple[str, str]],
    places: list[tuple[int, str]],
    spare: dict[str, int],
    *,
    listing_id: int | None = None,
    title: str = "",
    state: ListingState | None = None,
    files: list[FileView] | None = None,
    file_form: Form | None = None,
    aid: DemandHelp | None = None,
) -> Response:
    context = FormPage(
        form=form,
        base=feature.base,
        listing_id=listing_id,
        title=title,
        state=state,
        industries=choices,
        organisations=places,
        spare={name: max(1, min(spare.get(name, 1), 10)) for name in feature.lists},
        files=files or [],
        visibilities=list(Visibility),
        max_mb=page.parts.settings.max_upload_mb,
        file_form=file_form or Form(),
        aid=aid,
    )
    return page.render(f"{feature.base.strip('/')}/form.html", context)
