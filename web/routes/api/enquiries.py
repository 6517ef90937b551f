"""Enquiries for programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from market.db import Session
from market.enquiries import queries, service
from market.enquiries.inputs import (
    AssignInput,
    EnquiryInput,
    NextStepInput,
    OutcomeInput,
    PassInput,
    ReplyInput,
    SubjectKind,
)
from market.enquiries.models import EnquiryState, PassReason
from market.enquiries.queries import Box
from market.enquiries.rules import Side, Step
from market.parties.queries import organisation as organisation_profile
from market.permissions import Actor
from web.deps import CurrentActor, Now, PagingDep, ReadTx, RowId, SignedIn, Tx, etag, require_match
from web.routes.api import Listed, problems

router = APIRouter(tags=["enquiries"])


class Out(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(from_attributes=True)


class EnquirySummary(Out):
    """An enquiry in a list."""

    id: int
    subject_kind: SubjectKind
    subject_id: int
    title: str = Field(description="The result's or the demand's title.")
    from_organisation_id: int | None
    from_name: str = Field(description="The asking organisation.")
    to_organisation_id: int
    to_name: str = Field(description="The owner of the result or the demand.")
    owner_person_id: int | None = Field(description="Who follows it up; null while nobody does.")
    owner_name: str
    state: EnquiryState
    next_step: str
    due_on: dt.date | None = Field(description="The day by which the next step is due, Shanghai.")
    overdue: bool
    created_at: dt.datetime
    updated_at: dt.datetime


class MessageOut(Out):
    """One message, or one step told in the thread."""

    id: int
    at: dt.datetime
    person_name: str
    side: Side | None = Field(validation_alias="organisation_side", description="Whose side wrote it.")
    body: str
    step: str = Field(description="Code of the step; empty for a message.")
    told: dict[str, Any] = Field(description="What belongs to the step.")


class EnquiryOut(EnquirySummary):
    """An enquiry with its thread."""

    offered_result_id: int | None
    for_demand_id: int | None = Field(
        description="The demand that the result is to meet, where a broker brought the two together."
    )
    outcome: str
    pass_reason: PassReason | None
    reinvite_trl: int | None = Field(description="Ask again when the result reaches this readiness level.")
    reinvited_at: dt.datetime | None
    first_reply_at: dt.datetime | None
    version: int
    steps: list[Step] = Field(description="What you may do now.")
    messages: list[MessageOut]


class EnquiryList(Listed):
    """Enquiries, latest change first."""

    items: list[EnquirySummary]


class ReplyTimeOut(Out):
    """An organisation's promised and actual reply time over the last year."""

    promised_hours: int | None
    median_hours: float | None = Field(description="Median time to the first reply; null without replies.")
    answered: int
    waiting: int


def _out(session: Session, actor: Actor, enquiry_id: int, now: dt.datetime) -> EnquiryOut:
    detail = queries.enquiry(session, actor, enquiry_id, now)
    values = {name: getattr(detail, name) for name in EnquiryOut.model_fields if name != "steps"}
    return EnquiryOut.model_validate({**values, "steps": sorted(detail.steps)})


@router.get("/enquiries", response_model=EnquiryList, responses=problems(), operation_id="list_enquiries")
def list_enquiries(
    session: ReadTx,
    actor: SignedIn,
    now: Now,
    paging: PagingDep,
    box: Annotated[Box, Query(description="Which of them.")] = Box.ALL,
    state: Annotated[EnquiryState | None, Query(description="Only in this state.")] = None,
) -> EnquiryList:
    """The enquiries that you may see, latest change first."""
    cards, total = queries.enquiries(
        session, actor, now, box=box, state=state, offset=paging.offset, limit=paging.per_page
    )
    return EnquiryList(
        items=[EnquirySummary.model_validate(card) for card in cards],
        total=total,
        page=paging.page,
        per_page=paging.per_page,
    )


@router.get("/enquiries/board", response_model=EnquiryList, responses=problems(), operation_id="board")
def board(
    session: ReadTx,
    actor: SignedIn,
    now: Now,
    paging: PagingDep,
    only: Annotated[Literal["", "overdue", "unassigned"], Query(description="Only these.")] = "",
) -> EnquiryList:
    """What is still to be done in all enquiries, overdue first. For brokers and staff."""
    cards, total, _numbers = queries.board(
        session, actor, now, only=only, offset=paging.offset, limit=paging.per_page
    )
    return EnquiryList(
        items=[EnquirySummary.model_validate(card) for card in cards],
        total=total,
        page=paging.page,
        per_page=paging.per_page,
    )


@router.post(
    "/enquiries",
    status_code=201,
    response_model=EnquiryOut,
    responses=problems(400, 404, 409),
    operation_id="ask",
)
def create(session: Tx, actor: SignedIn, now: Now, data: EnquiryInput, response: Response) -> EnquiryOut:
    """Ask about a published result, or answer a published demand."""
    made = _out(session, actor, service.open_enquiry(session, actor, now, data), now)
    response.headers["ETag"] = etag(made.version)
    return made


@router.get(
    "/enquiries/{enquiry_id}", response_model=EnquiryOut, responses=problems(404), operation_id="get_enquiry"
)
def get_enquiry(
    session: ReadTx, actor: SignedIn, now: Now, enquiry_id: RowId, response: Response
) -> EnquiryOut:
    """An enquiry with its thread."""
    found = _out(session, actor, enquiry_id, now)
    response.headers["ETag"] = etag(found.version)
    return found


def _act(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    enquiry_id: int,
    response: Response,
    act: Callable[[], None],
) -> EnquiryOut:
    act()
    done = _out(session, actor, enquiry_id, now)
    response.headers["ETag"] = etag(done.version)
    return done


@router.post(
    "/enquiries/{enquiry_id}/messages",
    response_model=EnquiryOut,
    responses=problems(400, 404, 409),
    operation_id="reply_to_enquiry",
)
def reply(
    session: Tx, actor: SignedIn, now: Now, enquiry_id: RowId, data: ReplyInput, response: Response
) -> EnquiryOut:
    """Write into the thread; the owner's first reply stops the reply clock."""
    return _act(
        session, actor, now, enquiry_id, response,
        lambda: service.reply(session, actor, now, enquiry_id, data.body),
    )  # fmt: skip


@router.put(
    "/enquiries/{enquiry_id}/next-step",
    response_model=EnquiryOut,
    responses=problems(400, 404, 409, 412, 428),
    operation_id="set_next_step",
)
def set_next_step(
    request: Request,
    session: Tx,
    actor: SignedIn,
    now: Now,
    enquiry_id: RowId,
    data: NextStepInput,
    response: Response,
) -> EnquiryOut:
    """Say what is to be done next and by when. Needs If-Match."""
    require_match(request, queries.enquiry(session, actor, enquiry_id, now).version)
    return _act(
        session, actor, now, enquiry_id, response,
        lambda: service.set_next_step(session, actor, now, enquiry_id, data),
    )  # fmt: skip


@router.put(
    "/enquiries/{enquiry_id}/owner",
    response_model=EnquiryOut,
    responses=problems(400, 404, 409),
    operation_id="assign_enquiry",
)
def assign(
    session: Tx, actor: SignedIn, now: Now, enquiry_id: RowId, data: AssignInput, response: Response
) -> EnquiryOut:
    """Give an enquiry to somebody to follow up; with your own id you take it."""
    return _act(
        session, actor, now, enquiry_id, response,
        lambda: service.assign(session, actor, now, enquiry_id, data.person_id),
    )  # fmt: skip


@router.post(
    "/enquiries/{enquiry_id}/pass",
    response_model=EnquiryOut,
    responses=problems(400, 404, 409),
    operation_id="pass_on_enquiry",
)
def pass_on(
    session: Tx, actor: SignedIn, now: Now, enquiry_id: RowId, data: PassInput, response: Response
) -> EnquiryOut:
    """Pass with a coded reason that the other side sees; optionally ask to hear again at a readiness."""
    return _act(
        session, actor, now, enquiry_id, response,
        lambda: service.pass_on(session, actor, now, enquiry_id, data),
    )  # fmt: skip


@router.post(
    "/enquiries/{enquiry_id}/{step}",
    response_model=EnquiryOut,
    responses=problems(400, 404, 409),
    operation_id="step_enquiry",
)
def step(
    session: Tx,
    actor: SignedIn,
    now: Now,
    enquiry_id: RowId,
    step: Literal["negotiate", "agree", "withdraw", "resume"],
    data: OutcomeInput,
    response: Response,
) -> EnquiryOut:
    """Begin to negotiate, record the agreement, withdraw, or take up again."""

    def act() -> None:
        if step == "negotiate":
            service.negotiate(session, actor, now, enquiry_id)
        elif step == "resume":
            service.resume(session, actor, now, enquiry_id)
        elif step == "agree":
            service.agree(session, actor, now, enquiry_id, data.outcome)
        else:
            service.withdraw(session, actor, now, enquiry_id, data.outcome)

    return _act(session, actor, now, enquiry_id, response, act)


@router.get(
    "/organisations/{organisation_id}/reply-time",
    response_model=ReplyTimeOut,
    responses=problems(404),
    operation_id="reply_time",
)
def reply_time(session: ReadTx, actor: CurrentActor, now: Now, organisation_id: RowId) -> ReplyTimeOut:
    """An organisation's promised and actual reply time: public."""
    organisation_profile(session, actor, organisation_id)
    return ReplyTimeOut.model_validate(queries.reply_time(session, organisation_id, now))
