"""Fresh demo lots when the old ones are over: one that opens in a minute, one for tomorrow.

The featured bidders are admitted at once, so that a newcomer can bid with a demo account.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from auctions import queries, service
from auctions.models import Lot, LotInput, TermsInput
from auctions.rules.state import OPEN, STOPPED, UPCOMING
from market.clock import as_utc
from market.db import Session, t
from market.listings.models import ListingState, PricingMode, Result
from market.parties.access import memberships_of
from market.parties.models import Person
from market.permissions import Actor, Role, Via
from web.demo.deposits import put_down
from web.demo.people import is_loaded
from web.wiring import Parts

SOON = dt.timedelta(minutes=10)
LASTS = dt.timedelta(hours=6)
YUAN = 100


def keep_fresh(parts: Parts) -> int:
    """See to it that a lot is open (or opens in a minute) and another is announced; returns how many are new."""
    now = parts.clock.now()
    with parts.db.read() as session:
        if not is_loaded(session):
            return 0
        lots, _ = queries.list_lots(session, states=OPEN | STOPPED | UPCOMING, limit=100)
    open_ = any(lot.ends_at > now + SOON and lot.opens_at <= now + SOON for lot in lots)
    coming = any(lot.state in UPCOMING and lot.opens_at > now + SOON for lot in lots)
    wanted = ([] if open_ else [dt.timedelta(minutes=1)]) + ([] if coming else [dt.timedelta(days=1)])
    done = 0
    for until in wanted:
        done += _publish(parts, as_utc(now + until), now)
    return done


def _people(session: Session) -> list[Actor]:
    p = t(Person).c
    rows = session.execute(sa.select(p.id, p.name).where(p.demo.is_(True)).order_by(p.id))
    return [Actor(row.id, row.name, Via.SESSION, memberships_of(session, row.id)) for row in rows]


def _publish(parts: Parts, opens: dt.datetime, now: dt.datetime) -> int:
    with parts.db.write() as session:
        found = _announce(session, opens, now)
        if found is None:
            return 0
        lot_id, seller, deposit_fen = found
        people = _people(session)
        terms_hash = queries.lot_detail(session, lot_id).terms_hash
    staff = next(one for one in people if Role.STAFF in one.roles)
    for bidder in people:
        own = [m.organisation_id for m in bidder.memberships if m.role is Role.BIDDER]
        if not own or own[0] == seller:
            continue
        with parts.db.write() as session:
            admission = service.request_admission(session, bidder, lot_id, own[0], terms_hash, now)
        deposit = put_down(parts, bidder, lot_id, own[0], deposit_fen)
        with parts.db.write() as session:
            service.admit(session, staff, admission, now, deposit_id=deposit)
    return 1


def _announce(session: Session, opens: dt.datetime, now: dt.datetime) -> tuple[int, int, int] | None:
    """Publish a lot of the next result on offer: its id, its seller and its deposit in fen; None without one."""
    r, lot = t(Result).c, t(Lot).c
    row = session.execute(
        sa.select(r.id, r.title, r.price_low_fen, r.organisation_id)
        .where(
            r.state == ListingState.PUBLISHED.value,
            r.pricing_mode == PricingMode.AUCTION.value,
            r.price_low_fen.is_not(None),
            r.id.not_in(sa.select(lot.result_id)),
        )
        .order_by(r.id)
        .limit(1)
    ).first()
    people = _people(session)
    staff = next((one for one in people if Role.STAFF in one.roles), None)
    if row is None or staff is None:
        return None
    start = row.price_low_fen
    step = 2_000 * YUAN if start < 400_000 * YUAN else 10_000 * YUAN
    terms = TermsInput(
        start_fen=start, step_fen=step, deposit_fen=max(1, start // 10 // (1000 * YUAN)) * 1000 * YUAN,
        opens_at=opens, ends_at=opens + LASTS, hard_end=opens + 2 * LASTS, max_steps=50,
    )  # fmt: skip
    lot_id = service.create_lot(session, staff, row.id, LotInput(title=row.title, terms=terms), now)
    service.publish(session, staff, lot_id, now)
    return lot_id, row.organisation_id, terms.deposit_fen
