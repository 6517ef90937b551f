"""The auctioneer's console of a lot: who may bid, what is told, stops, extensions and ends.

Everything that happens while a lot is open goes through the writer, as bids do, and stays in the journal.
Which organisation bids under which number is not shown before the lot has ended (法释〔2016〕18号 articles
8 and 18): the list of admissions is in no telling order and has no numbers until then.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from auctions import eligibility, policies, queries, service
from auctions.drafting import AGAIN
from auctions.errors import LotRefusal
from auctions.models import AdmissionState
from auctions.policies import AuctionRule
from auctions.queries import AdmissionLine, JournalLine, LotDetail
from auctions.room import conduct as send
from auctions.rules import commands as c
from auctions.rules.refusal import RefusalCode
from auctions.rules.state import BIDDING, ENDED, OPEN, STOPPED, UPCOMING, LotState
from auctions.rules.terms import OrganiserType
from auctions.sales import Predecessor, waits_for
from market.clock import local_date
from market.deals.policies import Policy
from market.errors import NotFound
from market.payments.queries import DepositLine, deposits_of_lot
from market.permissions import Action, require
from market.settlements import queries as settlements
from market.settlements.models import SettlementState
from web import i18n, refusals
from web.deps import FormDep, PageDep, RowId
from web.render import Page
from web.rooms import Entry, entry, texts

router = APIRouter()


class StopReason(enum.StrEnum):
    """Why a lot is stopped, taken out or ended; words may be added."""

    FAULT = "fault"
    OBJECTION = "objection"
    OWNERSHIP = "ownership"
    AUTHORITY = "authority"
    SELLER = "seller"
    NOTICE = "notice"
    OTHER = "other"


@dataclass(frozen=True)
class ConsolePage:
    """Context of the auctioneer's console. `seen` says whether numbers may stand beside names."""

    lot: LotDetail
    terms: Mapping[str, Any]
    room: Mapping[str, Any]
    admissions: list[AdmissionLine]
    problems: Mapping[int, RefusalCode]
    deposits: Mapping[int, DepositLine]
    entries: list[Entry]
    watchers: int
    seen: bool
    waits: Predecessor | None
    rules: Mapping[AuctionRule, Policy]
    resume_by: dt.datetime | None
    reasons: list[StopReason]
    can_pause: bool
    can_suspend: bool
    can_resume: bool
    can_extend: bool
    can_withdraw: bool
    can_cancel: bool
    can_default: bool
    can_offer_again: bool
    error: str = ""


def _console(page: Page, lot_id: int, error: str = "", status: int = 200) -> Response:
    require(page.actor, Action.LOT_CONDUCT)
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id)
        room = queries.room_state(session, lot_id)
        admissions = queries.admissions_of_lot(session, lot_id)
        problems = eligibility.problems_of_lot(session, lot_id)
        deposits = {line.organisation_id: line for line in deposits_of_lot(session, lot_id)}
        lines: list[JournalLine] = queries.journal_page(
            session, lot_id, after_seq=max(0, lot.head_seq - 40), limit=40
        )
        waits = waits_for(session, lot_id)
        rules = policies.in_force(session, OrganiserType(lot.terms["organiser_type"]), local_date(page.now))
    state = lot.card.state
    before = UPCOMING | OPEN | STOPPED
    resume = rules.get(AuctionRule.RESUME)
    extensions = lot.terms.get("hand_extensions", 0)
    return page.render(
        "lots/console.html",
        ConsolePage(
            lot,
            lot.terms,
            {
                "socket": f"/ws/lots/{lot_id}",
                "seq": room.seq,
                "epoch": room.epoch,
                "view": room.view,
                "texts": texts(page.language),
            },
            sorted(
                admissions,
                key=lambda line: (line.state is not AdmissionState.REQUESTED, line.organisation_name),
            ),
            problems,
            deposits,
            [entry(line, page.language) for line in reversed(lines)],
            page.parts.hub.watchers(lot_id),
            state in ENDED,
            waits,
            rules,
            lot.stopped_at + dt.timedelta(days=resume.value)
            if resume and lot.stopped_at and state is LotState.SUSPENDED
            else None,
            list(StopReason),
            can_pause=state in OPEN,
            can_suspend=state in UPCOMING | OPEN | {LotState.PAUSED},
            can_resume=state in STOPPED,
            can_extend=state in BIDDING and lot.hand_extensions < extensions,
            can_withdraw=state in before and not lot.card.bid_count,
            can_cancel=state in before,
            can_default=state is LotState.SOLD,
            can_offer_again=state in AGAIN and lot.next_lot_id is None,
            error=error,
        ),
        status=status,
    )


@router.get("/lots/{lot_id}/console")
def show_console(page: PageDep, lot_id: RowId) -> Response:
    """Admissions, announcements, stops: everything here is written to the journal."""
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
            elif step == "refuse":
                service.refuse_admission(session, page.actor, admission_id, reason, page.now)
            elif step == "revoke":
                service.revoke_admission(session, page.actor, admission_id, reason, page.now)
            else:
                raise NotFound
    except LotRefusal as refusal:
        return _console(page, lot_id, refusals.sentence(refusal.code, refusal.params, page.language), 409)
    return page.redirect(f"/lots/{lot_id}/console", flash="saved")


def _is_complete(page: Page, lot_id: int) -> bool:
    """Whether a lot's sale was settled to the end: then nobody has defaulted."""
    with page.parts.db.read() as session:
        return any(one.state is SettlementState.COMPLETE for one in settlements.of_lot(session, lot_id))


def reason_of(chosen: str, words: str) -> str:
    """The reason as the journal keeps it: the chosen one in the market's language, and what was added."""
    known = {reason.value: reason for reason in StopReason}
    reason = known.get(chosen)
    if reason is None or reason is StopReason.OTHER:
        return words
    text = i18n.label(reason, "zh-Hans")
    return f"{text}：{words}" if words else text


@router.post("/lots/{lot_id}/console")
def conduct(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Announce, stop, resume, extend, take out, or record a default; each with its reason."""
    require(page.actor, Action.LOT_CONDUCT)
    who, words = page.actor.person_id, form.value("reason").strip()[:500]
    text = reason_of(form.value("why"), words)
    made: dict[str, c.Command] = {
        "announce": c.Announce(lot_id=lot_id, person_id=who, text=words),
        "pause": c.Pause(lot_id=lot_id, person_id=who, reason=text),
        "suspend": c.Suspend(lot_id=lot_id, person_id=who, reason=text),
        "resume": c.Resume(lot_id=lot_id, person_id=who),
        "extend": c.Extend(lot_id=lot_id, person_id=who, reason=text),
        "withdraw": c.Withdraw(lot_id=lot_id, person_id=who, reason=text),
        "cancel": c.Cancel(lot_id=lot_id, person_id=who, reason=text),
        "default": c.RecordDefault(lot_id=lot_id, person_id=who, reason=text),
    }
    step = form.value("step")
    command = made.get(step)
    if command is None:
        raise NotFound
    if step != "resume" and not (words if step == "announce" else text):
        return _console(page, lot_id, i18n.term("lots.words_missing", page.language), 422)
    if step == "default" and _is_complete(page, lot_id):
        return _console(page, lot_id, i18n.term("settlement.complete_no_default", page.language), 409)
    try:
        send(page.parts.writer, page.actor, command)
    except LotRefusal as refusal:
        return _console(page, lot_id, refusals.sentence(refusal.code, refusal.params, page.language), 409)
    return page.redirect(f"/lots/{lot_id}/console", flash="saved")
