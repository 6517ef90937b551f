"""Verbs on results (成果): create, edit, publish, withdraw, reconfirm, expire, conclude.

Each raises NotFound for a result the actor may not know of, SignInRequired or NotAllowed without the
right, WrongState for a step its state does not allow, and InvalidInput for what the rules refuse.
`days` is how long a listing is shown without being reconfirmed.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from market import audit
from market.db import Session, t
from market.dirty import mark_dirty
from market.errors import Duplicate, InvalidInput
from market.listings import history, lifecycle, rules
from market.listings.inputs import ResultInput
from market.listings.lifecycle import Trade
from market.listings.models import ListingState, Result, ResultClaim, ResultIp
from market.listings.rules import LISTING_DAYS, Step
from market.permissions import Action, Actor, Role, require
from market.work import enqueue

RESULT = Trade(
    "result", Action.RESULT_CREATE, Action.RESULT_EDIT, Action.RESULT_READ_UNPUBLISHED, Role.RESULTS_OFFICER
)

CONTENT = (
    "title", "title_en", "abstract", "advantages", "application", "keywords", "industry_code", "ipc", "trl",
    "stage", "modes", "pricing_mode", "price_low_fen", "price_high_fen", "inventors", "holder", "awards",
    "contact_name", "contact_phone", "contact_email",
)  # fmt: skip
"""Fields that a person writes, in the order of the form; `valid_until`, `claims` and `ip` come beside."""


def create_result(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    organisation_id: int,
    data: ResultInput,
    *,
    source: str = "",
    source_id: str | None = None,
) -> Result:
    """Make a draft. An import names its `source` and the row's key there; the pair is unique (Duplicate)."""
    require(actor, Action.RESULT_CREATE, organisation_id)
    if source_id is not None and find_by_source(session, source, source_id) is not None:
        raise Duplicate(field="source_id", value=f"{source}:{source_id}")
    lifecycle.check_places(session, organisation_id, data.industry_code)
    row = Result(
        organisation_id=organisation_id,
        state=ListingState.DRAFT.value,
        source=source,
        source_id=source_id,
        version=1,
        created_by=actor.person_id,
        created_at=now,
        updated_at=now,
        valid_until=data.valid_until,
        **_columns(data),
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    _write_parts(session, row.id, data)
    audit.record(session, actor, "result.created", row.id, now, after=_content(data))
    session.flush()
    return row


def edit_result(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    result_id: int,
    data: ResultInput,
    version: int | None = None,
    *,
    days: int = LISTING_DAYS,
) -> Result:
    """Replace what a result says; the old content is kept. Nothing happens when nothing changed.

    With `version`, raises Conflict when the result is no longer at it. A published result must stay
    complete, and its validity cannot be stretched by editing: only reconfirming does that.
    """
    row = lifecycle.row_to_change(session, actor, RESULT, Result, result_id, version=version)
    rules.after(row.state, Step.EDIT)
    lifecycle.check_places(session, None, data.industry_code, known_industry=row.industry_code)
    old = content_of(session, row)
    new = _content(data)
    published = row.state == ListingState.PUBLISHED.value
    if published:
        if rules.is_past(data.valid_until, now):
            raise InvalidInput([("valid_until", "date_past", {})])
        assert row.confirmed_at is not None
        kept = data.valid_until or row.valid_until
        new["valid_until"] = _plain_day(rules.last_day(row.confirmed_at, days, kept))
    elif data.valid_until is None:
        new["valid_until"] = old["valid_until"]
    if new == old:
        return row
    history.keep(session, "result", result_id, row.version, old, actor, now)
    for name, value in _columns(data).items():
        setattr(row, name, value)
    row.valid_until = None if new["valid_until"] is None else dt.date.fromisoformat(new["valid_until"])
    if published:
        rules.refuse(missing(row))
    row.version += 1
    row.updated_at = now
    _write_parts(session, result_id, data)
    audit.record(session, actor, "result.edited", result_id, now, before=old, after=new)
    if ListingState(row.state) in rules.SHOWN:
        mark_dirty(session, "result", result_id)
    if (new["trl"] or 0) > (old["trl"] or 0):
        # Those who passed on it and asked to hear again are told by the room above.
        told = {"result_id": result_id, "trl": new["trl"]}
        enqueue(session, "result.trl_raised", told, key=f"{result_id}:{row.version}", now=now)
    session.flush()
    return row


def publish_result(
    session: Session, actor: Actor, now: dt.datetime, result_id: int, *, days: int = LISTING_DAYS
) -> Result:
    """Show a complete result to everybody."""
    row = lifecycle.row_to_change(session, actor, RESULT, Result, result_id)
    rules.after(row.state, Step.PUBLISH)
    rules.refuse(missing(row))
    lifecycle.move(session, actor, now, RESULT, row, Step.PUBLISH, days=days)
    return row


def reconfirm_result(
    session: Session, actor: Actor, now: dt.datetime, result_id: int, *, days: int = LISTING_DAYS
) -> Result:
    """Say that a result still stands: its validity starts anew, and it is shown again if it was not."""
    row = lifecycle.row_to_change(session, actor, RESULT, Result, result_id)
    rules.after(row.state, Step.RECONFIRM)
    rules.refuse(missing(row))
    lifecycle.move(session, actor, now, RESULT, row, Step.RECONFIRM, days=days)
    return row


def withdraw_result(session: Session, actor: Actor, now: dt.datetime, result_id: int, reason: str) -> Result:
    """Take a result off the market; the reason is shown to those who may still see it."""
    row = lifecycle.row_to_change(session, actor, RESULT, Result, result_id)
    rules.after(row.state, Step.WITHDRAW)
    if not reason.strip():
        raise InvalidInput([("reason", "missing", {})])
    lifecycle.move(session, actor, now, RESULT, row, Step.WITHDRAW, reason=reason.strip())
    return row


def conclude_result(
    session: Session, actor: Actor, now: dt.datetime, result_id: int, reason: str = ""
) -> Result:
    """Mark a result as sold or licensed: still shown, no longer on offer."""
    row = lifecycle.row_to_change(session, actor, RESULT, Result, result_id)
    lifecycle.move(session, actor, now, RESULT, row, Step.CONCLUDE, reason=reason.strip())
    return row


def reopen_result(session: Session, actor: Actor, now: dt.datetime, result_id: int) -> Result:
    """Put a concluded result on offer again, because its buyer defaulted. Raises NotFound, WrongState."""
    row = lifecycle.row_to_change(session, actor, RESULT, Result, result_id)
    lifecycle.move(session, actor, now, RESULT, row, Step.REOPEN)
    return row


def expire_due(session: Session, now: dt.datetime) -> list[int]:
    """Expire results whose last day has gone by: a bounded number, returned as ids; call until empty."""
    return lifecycle.expire_due(session, now, RESULT, Result)


def remind_expiring(session: Session, now: dt.datetime, after_id: int = 0) -> tuple[int, int | None]:
    """See `lifecycle.remind_expiring`."""
    return lifecycle.remind_expiring(session, now, RESULT, Result, after_id=after_id)


def find_by_source(session: Session, source: str, source_id: str) -> int | None:
    """The id of the result imported under a source's key."""
    c = t(Result).c
    return session.scalar(sa.select(c.id).where(c.source == source, c.source_id == source_id))


def missing(row: Result) -> list[rules.Problem]:
    """What a result lacks before it may be shown."""
    return rules.missing_for_publication(
        title=row.title,
        abstract=row.abstract,
        industry_code=row.industry_code,
        trl=row.trl,
        stage=row.stage,
        modes=row.modes,
        pricing_mode=row.pricing_mode,
        price_low_fen=row.price_low_fen,
        contact_name=row.contact_name,
        contact_phone=row.contact_phone,
        contact_email=row.contact_email,
        imported=bool(row.source),
    )


def content_of(session: Session, row: Result) -> dict[str, Any]:
    """What a result says now, as plain JSON. Two statements."""
    assert row.id is not None
    content: dict[str, Any] = {name: getattr(row, name) for name in CONTENT}
    content["valid_until"] = _plain_day(row.valid_until)
    content["claims"] = [
        {"statement": claim.statement, "figure": claim.figure, "comparator": claim.comparator, "source": claim.source}
        for claim in read_claims(session, row.id)
    ]  # fmt: skip
    content["ip"] = [
        {
            "kind": right.kind, "number": right.number, "title": right.title, "status": right.status,
            "fee_paid_to": _plain_day(right.fee_paid_to), "pledged": right.pledged,
        }
        for right in read_ip(session, row.id)
    ]  # fmt: skip
    return content


def read_claims(session: Session, result_id: int) -> list[Any]:
    """A result's claims as rows, in order."""
    c = t(ResultClaim).c
    return list(session.execute(sa.select(t(ResultClaim)).where(c.result_id == result_id).order_by(c.id)))


def read_ip(session: Session, result_id: int) -> list[Any]:
    """A result's rights as rows, in order."""
    c = t(ResultIp).c
    return list(session.execute(sa.select(t(ResultIp)).where(c.result_id == result_id).order_by(c.id)))


def _plain_day(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _columns(data: ResultInput) -> dict[str, Any]:
    plain = data.model_dump(mode="json")
    return {name: plain[name] for name in CONTENT}


def _content(data: ResultInput) -> dict[str, Any]:
    plain = data.model_dump(mode="json")
    return {name: plain[name] for name in (*CONTENT, "valid_until", "claims", "ip")}


def _write_parts(session: Session, result_id: int, data: ResultInput) -> None:
    session.execute(sa.delete(t(ResultClaim)).where(t(ResultClaim).c.result_id == result_id))
    session.execute(sa.delete(t(ResultIp)).where(t(ResultIp).c.result_id == result_id))
    claims = [
        {
            "result_id": result_id,
            **claim.model_dump(mode="json"),
            "grade": rules.grade(claim.figure, claim.comparator, claim.source).value,
        }
        for claim in data.claims
    ]
    rights = [
        {"result_id": result_id, **right.model_dump(mode="json"), "fee_paid_to": right.fee_paid_to}
        for right in data.ip
    ]
    if claims:
        session.execute(sa.insert(t(ResultClaim)), claims)
    if rights:
        session.execute(sa.insert(t(ResultIp)), rights)
