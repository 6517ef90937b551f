"""Lots for those who hold them: drafting, publishing, and the auctioneer's console.

Everything that happens while a lot is open goes through the writer, as bids do.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from auctions import queries, service
from auctions.errors import LotRefusal
from auctions.models import AdmissionState, LotInput
from auctions.queries import AdmissionLine, JournalLine, LotDetail
from auctions.room import conduct as send
from auctions.rules import commands as c
from auctions.rules.state import BIDDING, STOPPED, UPCOMING, LotState
from auctions.rules.terms import OrganiserType, SoleBidderRule, Terms
from market.clock import SHANGHAI
from market.errors import InvalidInput, NotFound, WrongState
from market.listings.models import ListingState, PricingMode, Result
from market.money import parse_fen, yuan
from market.payments.queries import DepositLine, deposits_of_lot
from market.permissions import Action, require
from web import i18n, refusals
from web.deps import FormDep, PageDep, RowId
from web.forms import Form
from web.render import Page
from web.routes.lots import Entry, entry

router = APIRouter()

AMOUNTS = ("start_fen", "reserve_fen", "step_fen", "cap_fen", "deposit_fen")
TIMES = ("registration_opens_at", "opens_at", "ends_at", "hard_end")
NUMBERS = ("window_s", "extension_s", "max_steps")


@dataclass(frozen=True)
class EditPage:
    """Context of the form of a draft lot."""

    form: Form
    result_id: int
    result_title: str
    lot_id: int | None
    can_publish: bool
    organiser_types: list[OrganiserType]
    sole_bidder_rules: list[SoleBidderRule]


def _read(form: Form) -> LotInput:
    """The form as an input model: amounts in yuan, times in Shanghai. Raises InvalidInput, ValidationError."""
    problems: list[tuple[str, str, dict[str, Any]]] = []
    terms: dict[str, Any] = {}
    for name in AMOUNTS:
        typed = form.value(f"terms.{name}").strip()
        if not typed:
            continue
        try:
            terms[name] = parse_fen(typed)
        except ValueError:
            problems.append((f"terms.{name}", "amount", {}))
    for name in TIMES:
        typed = form.value(f"terms.{name}").strip()
        if not typed:
            continue
        try:
            terms[name] = dt.datetime.fromisoformat(typed).replace(tzinfo=SHANGHAI).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            problems.append((f"terms.{name}", "datetime_parsing", {}))
    for name in NUMBERS:
        typed = form.value(f"terms.{name}").strip()
        if typed:
            terms[name] = typed
    for name in ("sole_bidder", "organiser_type"):
        if form.value(f"terms.{name}"):
            terms[name] = form.value(f"terms.{name}")
    if problems:
        raise InvalidInput(problems)
    if "step_fen" not in terms and not any(field == "terms.step_fen" for field, _, _ in problems):
        raise InvalidInput([("terms.step_fen", "missing", {})])
    return LotInput.model_validate({"title": form.value("title"), "terms": terms})


def _fill(title: str, terms: Terms) -> Form:
    values: dict[str, Any] = {"title": title}
    amounts = {
        "start_fen": terms.start_fen,
        "reserve_fen": terms.reserve_fen,
        "step_fen": terms.steps[0][1],
        "cap_fen": terms.cap_fen,
        "deposit_fen": terms.deposit_fen,
    }
    for name, amount in amounts.items():
        values[f"terms.{name}"] = "" if amount is None else yuan(amount).removesuffix(".00")
    for name in TIMES:
        at: dt.datetime | None = getattr(terms, name)
        values[f"terms.{name}"] = "" if at is None else at.astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M")
    for name in (*NUMBERS, "sole_bidder", "organiser_type"):
        values[f"terms.{name}"] = getattr(terms, name)
    return Form.from_values(values)


def _edit_page(
    page: Page, form: Form, result_id: int, lot_id: int | None = None, status: int = 200
) -> Response:
    with page.parts.db.read() as session:
        result = session.get(Result, result_id)
        if result is None:
            raise NotFound
        require(page.actor, Action.LOT_CREATE, result.organisation_id)
        title = result.title
    context = EditPage(
        form,
        result_id,
        title,
        lot_id,
        page.actor.can(Action.LOT_CONDUCT),
        list(OrganiserType),
        list(SoleBidderRule),
    )
    return page.render("lots/edit.html", context, status=status)


@router.get("/lots/new")
def new_lot(page: PageDep, result: int = 0) -> Response:
    """A form for a lot of a result, filled with defaults that staff may change."""
    with page.parts.db.read() as session:
        row = session.get(Result, result) if 0 < result < 2**63 else None
        if row is None:
            raise NotFound
        if row.state != ListingState.PUBLISHED or row.pricing_mode == PricingMode.NEGOTIATED:
            raise WrongState(state=row.state, action="create_lot")
        title, low = row.title, row.price_low_fen
    opens = (page.now + dt.timedelta(days=7)).astimezone(SHANGHAI).replace(hour=14, minute=0, second=0)
    start = low or 10_000_000
    form = Form.from_values(
        {
            "title": title,
            "terms.start_fen": yuan(start).removesuffix(".00"),
            "terms.step_fen": yuan(max(100_000, start // 50 // 100_000 * 100_000)).removesuffix(".00"),
            "terms.deposit_fen": yuan(start // 10 // 100 * 100).removesuffix(".00"),
            "terms.opens_at": opens.strftime("%Y-%m-%dT%H:%M"),
            "terms.ends_at": (opens + dt.timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M"),
            "terms.window_s": 300,
            "terms.extension_s": 300,
            "terms.sole_bidder": SoleBidderRule.SELL,
            "terms.organiser_type": OrganiserType.MARKET,
        }
    )
    return _edit_page(page, form, result)


@router.post("/lots/new")
def create_lot(page: PageDep, form: FormDep) -> Response:
    """Draft the lot."""
    result_id = form.number("result_id")

    def act(session: Any) -> str:
        return f"/lots/{service.create_lot(session, page.actor, result_id, _read(form), page.now)}/edit"

    return page.submit(form, act, lambda form: _edit_page(page, form, result_id), flash="saved")


@router.get("/lots/{lot_id}/edit")
def edit_lot(page: PageDep, lot_id: RowId) -> Response:
    """The form of a draft."""
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id, draft=True)
        if not page.actor.can(Action.LOT_CREATE, lot.card.seller_organisation_id):
            raise NotFound
        if lot.card.state is not LotState.DRAFT:
            return page.redirect(f"/lots/{lot_id}")
        form = _fill(lot.card.title, queries.private_terms(session, lot_id))
        form.entered["version"] = [str(lot.version)]
    return _edit_page(page, form, lot.card.result_id, lot_id)


@router.post("/lots/{lot_id}/edit")
def save_lot(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Save the draft; with `publish`, freeze the terms and announce the lot."""
    with page.parts.db.read() as session:
        result_id = queries.lot_detail(session, lot_id, draft=True).card.result_id
    version = form.number("version")

    def act(session: Any) -> str:
        service.edit_lot(session, page.actor, lot_id, _read(form), version, page.now)
        if not form.has("publish"):
            return f"/lots/{lot_id}/edit"
        try:
            service.publish(session, page.actor, lot_id, page.now)
        except LotRefusal as refusal:
            raise as_input(refusal) from None
        return f"/lots/{lot_id}"

    flash = "published" if form.has("publish") else "saved"
    return page.submit(form, act, lambda form: _edit_page(page, form, result_id, lot_id), flash=flash)


def as_input(refusal: LotRefusal) -> Exception:
    """Problems of the terms at their fields; any other refusal stays what it is."""
    found = refusal.params.get("problems")
    if not found:
        return refusal
    return InvalidInput([(f"terms.{field}", code, params) for field, code, params in found])


@dataclass(frozen=True)
class ConsolePage:
    """Context of the auctioneer's console."""

    lot: LotDetail
    admissions: list[AdmissionLine]
    deposits: dict[int, DepositLine]
    entries: list[Entry]
    can_pause: bool
    can_resume: bool
    can_withdraw: bool
    can_cancel: bool
    can_default: bool
    error: str = ""


def _console(page: Page, lot_id: int, error: str = "", status: int = 200) -> Response:
    require(page.actor, Action.LOT_CONDUCT)
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id)
        admissions = queries.admissions_of_lot(session, lot_id)
        deposits = {line.organisation_id: line for line in deposits_of_lot(session, lot_id)}
        lines: list[JournalLine] = queries.journal_page(
            session, lot_id, after_seq=max(0, lot.head_seq - 40), limit=40
        )
    state = lot.card.state
    before = UPCOMING | BIDDING | STOPPED
    return page.render(
        "lots/console.html",
        ConsolePage(
            lot,
            admissions,
            deposits,
            [entry(line, page.language) for line in reversed(lines)],
            can_pause=state in BIDDING,
            can_resume=state in STOPPED,
            can_withdraw=state in before and not lot.card.bid_count,
            can_cancel=state in before,
            can_default=state is LotState.SOLD,
            error=error,
        ),
        status=status,
    )


@router.get("/lots/{lot_id}/console")
def show_console(page: PageDep, lot_id: RowId) -> Response:
    """Admissions, announcements, pauses: everything here is written to the journal."""
    return _console(page, lot_id)


@router.post("/lots/{lot_id}/admissions/{admission_id}")
def decide_admission(page: PageDep, form: FormDep, lot_id: RowId, admission_id: RowId) -> Response:
    """Admit, refuse or revoke a bidder."""
    reason = form.value("reason")
    try:
        with page.parts.db.write() as session:
            require(page.actor, Action.LOT_ADMIT)
            admission = next(
                (a for a in queries.admissions_of_lot(session, lot_id) if a.id == admission_id), None
            )
            if admission is None:
                raise NotFound
            step = form.value("step")
            if step == "admit":
                deposit = next(
                    (
                        d
                        for d in deposits_of_lot(session, lot_id)
                        if d.organisation_id == admission.organisation_id
                    ),
                    None,
                )
                service.admit(
                    session, page.actor, admission_id, page.now, deposit_id=deposit.id if deposit else None
                )
            elif step == "refuse" and admission.state is AdmissionState.REQUESTED:
                service.refuse_admission(session, page.actor, admission_id, reason, page.now)
            else:
                service.revoke_admission(session, page.actor, admission_id, reason, page.now)
    except LotRefusal as refusal:
        return _console(page, lot_id, refusals.sentence(refusal.code, refusal.params, page.language), 409)
    return page.redirect(f"/lots/{lot_id}/console", flash="saved")


@router.post("/lots/{lot_id}/console")
def conduct(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Announce, pause, resume, withdraw, cancel, or record a default; each with its reason."""
    require(page.actor, Action.LOT_CONDUCT)
    who, text = page.actor.person_id, form.value("reason").strip()[:500]
    made: dict[str, c.Command] = {
        "announce": c.Announce(lot_id=lot_id, person_id=who, text=text),
        "pause": c.Pause(lot_id=lot_id, person_id=who, reason=text),
        "suspend": c.Suspend(lot_id=lot_id, person_id=who, reason=text),
        "resume": c.Resume(lot_id=lot_id, person_id=who),
        "withdraw": c.Withdraw(lot_id=lot_id, person_id=who, reason=text),
        "cancel": c.Cancel(lot_id=lot_id, person_id=who, reason=text),
        "default": c.RecordDefault(lot_id=lot_id, person_id=who, reason=text),
    }
    command = made.get(form.value("step"))
    if command is None:
        raise NotFound
    if not text and form.value("step") != "resume":
        return _console(page, lot_id, i18n.term("invalid.missing", page.language), 422)
    try:
        send(page.parts.writer, page.actor, command)
    except LotRefusal as refusal:
        return _console(page, lot_id, refusals.sentence(refusal.code, refusal.params, page.language), 409)
    return page.redirect(f"/lots/{lot_id}/console", flash="saved")
