"""The audit, as JSON, for staff."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from market import audit
from market.inputs import Line
from web.deps import PagingDep, ReadTx, SignedIn
from web.routes.api import Listed, problems

router = APIRouter(tags=["audit"])
BoundedId = Annotated[int, Query(ge=0, le=2**63 - 1)]


class AuditRecordOut(BaseModel):
    """One change: who, what, before and after (only the fields that changed)."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: dt.datetime
    actor_id: int | None
    actor_name: str
    via: str = Field(examples=["session"])
    action: str = Field(examples=["organisation.verified"])
    subject: str = Field(examples=["organisation"])
    subject_id: int
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str | None


class AuditRecordList(Listed):
    """A page of changes."""

    items: list[AuditRecordOut]


@router.get("/audit-records", responses=problems())
def list_audit_records(
    session: ReadTx,
    actor: SignedIn,
    paging: PagingDep,
    subject: Annotated[Line, Query(max_length=32, examples=["organisation"])] = "",
    subject_id: BoundedId | None = None,
    actor_id: BoundedId | None = None,
    since: Annotated[AwareDatetime | None, Query(description="Included.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Not included.")] = None,
) -> AuditRecordList:
    """Changes, newest first."""
    entries, total = audit.find(
        session,
        actor,
        subject=subject,
        subject_id=subject_id,
        actor_id=actor_id,
        since=since,
        until=until,
        offset=paging.offset,
        limit=paging.per_page,
    )
    return AuditRecordList(
        items=[AuditRecordOut.model_validate(entry) for entry in entries],
        total=total,
        page=paging.page,
        per_page=paging.per_page,
    )
