"""Alarms for people on duty: what rings now, what rang, and the word that a clock is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from market import alarms, audit
from market.errors import NotFound
from market.permissions import Action, Actor, require
from web import i18n
from web.deps import FormDep, PageDep, PagingDep, ReadTx
from web.routes.admin import Tab, tabs

router = APIRouter()


@dataclass(frozen=True)
class Row:
    """An alarm in words."""

    alarm: alarms.Alarm
    words: str
    details: list[tuple[str, str]]


@dataclass(frozen=True)
class AlarmsPage:
    """Context of the alarms. `paused` has one row for each process that closes no lots."""

    tabs: list[Tab]
    paused: list[Row]
    items: list[Row]
    process: str
    total: int
    current_page: int
    pages: int


def words(code: str, language: str) -> str:
    """An alarm's code as a sentence."""
    key = f"alarm.{code}"
    return i18n.term(key, language) if i18n.has_term(key, language) else code


def _row(alarm: alarms.Alarm, language: str) -> Row:
    named = [
        (i18n.term(f"alarm.detail.{key}", language), _text(value))
        for key, value in alarm.detail.items()
        if i18n.has_term(f"alarm.detail.{key}", language)
    ]
    return Row(alarm, words(alarm.code, language), named)


def _text(value: Any) -> str:
    return f"{value:+.3f}" if isinstance(value, float) else str(value)


def _require(actor: Actor) -> None:
    if not actor.can(Action.LOT_CONDUCT):
        require(actor, Action.WORK_MANAGE)


@router.get("/admin/alarms")
def show_alarms(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """What keeps lots from closing now, in any process, and the latest alarms."""
    _require(page.actor)
    book = page.parts.alarms
    paused = {alarm.process: alarm for alarm in alarms.paused(session, page.now)}
    if not book.trusted() and book.process not in paused:
        # It rang a moment ago and is not in the record yet.
        paused[book.process] = alarms.Alarm(0, page.now, book.process, "closings_paused", 1, {})
    found, total = alarms.recent(session, offset=paging.offset, limit=paging.per_page)
    context = AlarmsPage(
        tabs=tabs(page),
        paused=[_row(alarm, page.language) for alarm in paused.values()],
        items=[_row(alarm, page.language) for alarm in found],
        process=book.process,
        total=total,
        current_page=paging.page,
        pages=-(-total // paging.per_page),
    )
    return page.render("admin/alarms.html", context)


@router.post("/admin/alarms/trust")
def trust_clock(page: PageDep, form: FormDep) -> Response:
    """Somebody in charge says that a process's clock is right: its closings go on."""
    _require(page.actor)
    process = form.value("process")
    book = page.parts.alarms
    with page.parts.db.write() as session:
        known = {alarm.process: alarm for alarm in alarms.paused(session, page.now)}
        if process not in known and process != book.process:
            raise NotFound
        detail = known[process].detail if process in known else {}
        said = {"by": page.actor.name}
        number = alarms.record(session, process, alarms.ACCEPTED, said, page.now)
        audit.record(
            session, page.actor, "clock.accepted", number, page.now, after={"process": process, **detail}
        )
    if process == book.process:
        book.trust()
        book.look()
    return page.redirect("/admin/alarms", flash="clock_accepted")
