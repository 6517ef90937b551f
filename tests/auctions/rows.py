"""Rows for tests of the auction room: a seller with a result, staff, bidders, a published lot."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

from auctions import service
from auctions.models import LotInput, TermsInput
from market.clock import UTC, FixedClock
from market.db import Database, Session
from market.listings.models import ListingState, PricingMode, Result
from market.parties.models import MembershipRow, Organisation, Person
from market.payments.models import Deposit, DepositState
from market.permissions import Actor, Membership, Role, Via
from market.taxonomy.models import Industry

NOW = dt.datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
OPENS = NOW + dt.timedelta(days=7)
ENDS = OPENS + dt.timedelta(minutes=30)
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_numbers = itertools.count(1)


class Rows:
    """Writes rows in a session that the caller owns."""

    def __init__(self, session: Session) -> None:
        self.session = session
        if session.get(Industry, "pumps") is None:
            session.add(Industry(code="pumps", name="泵与电机", updated_at=NOW))
        self.market = self.organisation("温岭市科技大市场", "service_agency")
        self.seller = self.organisation("浙江某大学", "university")
        self.staff = self.actor(self.market, Role.STAFF)
        self.officer = self.actor(self.seller, Role.RESULTS_OFFICER)

    def organisation(self, name: str, kind: str = "firm") -> int:
        number = next(_numbers)
        row = Organisation(
            name=f"{name}{number}",
            kind=kind,
            credit_code=f"9133{number:014d}",
            region_code="331081",
            state="verified",
            created_at=NOW,
            updated_at=NOW,
        )
        self.session.add(row)
        self.session.flush()
        assert row.id is not None
        return row.id

    def actor(self, organisation_id: int, role: Role) -> Actor:
        number = next(_numbers)
        person = Person(
            name=f"某人{number}",
            email=f"p{number}@example.org",
            password_hash="-",
            created_at=NOW,
            updated_at=NOW,
        )
        self.session.add(person)
        self.session.flush()
        assert person.id is not None
        self.session.add(
            MembershipRow(
                person_id=person.id, organisation_id=organisation_id, role=role.value, created_at=NOW
            )
        )
        self.session.flush()
        return Actor(
            person.id, person.name, Via.SESSION, (Membership(organisation_id, "某单位", role, True),)
        )

    def result(self) -> int:
        row = Result(
            organisation_id=self.seller,
            title="无堵塞自吸泵叶轮",
            industry_code="pumps",
            pricing_mode=PricingMode.AUCTION.value,
            state=ListingState.PUBLISHED.value,
            created_at=NOW,
            updated_at=NOW,
        )
        self.session.add(row)
        self.session.flush()
        assert row.id is not None
        return row.id

    def bidder(self) -> Actor:
        return self.actor(self.organisation("温岭某泵业有限公司"), Role.BIDDER)

    def deposit(self, lot_id: int, actor: Actor, amount_fen: int) -> int:
        assert actor.person_id is not None
        row = Deposit(
            lot_id=lot_id,
            organisation_id=actor.memberships[0].organisation_id,
            person_id=actor.person_id,
            amount_fen=amount_fen,
            state=DepositState.HELD.value,
            created_at=NOW,
            updated_at=NOW,
        )
        self.session.add(row)
        self.session.flush()
        assert row.id is not None
        return row.id

    def draft(self, **terms: Any) -> int:
        return service.create_lot(self.session, self.officer, self.result(), lot_input(**terms), NOW)

    def lot(self, **terms: Any) -> int:
        lot_id = self.draft(**terms)
        service.publish(self.session, self.staff, lot_id, NOW)
        return lot_id

    def admitted(self, lot_id: int, *, priority: int | None = None) -> Actor:
        actor = self.bidder()
        admission = self.request(lot_id, actor)
        detail_deposit = 0
        from auctions.queries import private_terms

        detail_deposit = private_terms(self.session, lot_id).deposit_fen
        deposit = self.deposit(lot_id, actor, detail_deposit) if detail_deposit else None
        service.admit(self.session, self.staff, admission, NOW, deposit_id=deposit, priority=priority)
        return actor

    def request(self, lot_id: int, actor: Actor) -> int:
        from auctions.queries import lot_detail

        return service.request_admission(
            self.session,
            actor,
            lot_id,
            actor.memberships[0].organisation_id,
            lot_detail(self.session, lot_id).terms_hash,
            NOW,
        )


def lot_input(**terms: Any) -> LotInput:
    values: dict[str, Any] = {
        "start_fen": 1_000_000,
        "step_fen": 10_000,
        "opens_at": OPENS,
        "ends_at": ENDS,
        "window_s": 60,
        "extension_s": 60,
    }
    values.update(terms)
    return LotInput(title="无堵塞自吸泵叶轮", terms=TermsInput(**values))


def stage(
    database: Database, *, lots: int = 1, bidders: int = 3, **terms: Any
) -> tuple[list[int], list[list[Actor]], Rows]:
    """Published lots with admitted bidders, committed."""
    with database.write() as session:
        rows = Rows(session)
        lot_ids = [rows.lot(**terms) for _ in range(lots)]
        admitted = [[rows.admitted(lot_id) for _ in range(bidders)] for lot_id in lot_ids]
    return lot_ids, admitted, rows


def clock_at(at: dt.datetime) -> FixedClock:
    return FixedClock(at)
