"""A replay ends where the lot ended, and shows at every moment what the room showed then."""

from __future__ import annotations

import datetime as dt

import pytest

from auctions import reads
from auctions.replay import replay
from auctions.rules import commands as c
from auctions.rules.state import LotState
from auctions.service import journal
from market.db import Session
from market.errors import NotFound
from tests.auctions.rows import ENDS, OPENS, Rows
from tests.conftest import NOW

SECOND = dt.timedelta(seconds=1)


def ended(session: Session) -> int:
    rows = Rows(session)
    lot_id = rows.lot()
    bidders = [rows.admitted(lot_id) for _ in range(2)]
    journal.apply(session, c.Open(lot_id=lot_id), OPENS)
    for number, amount in enumerate((1_000_000, 1_010_000, 1_050_000)):
        at = OPENS + (10 + 20 * number) * SECOND
        bid = c.PlaceBid(
            lot_id=lot_id,
            person_id=bidders[number % 2].person_id,
            alias=number % 2 + 1,
            client_bid_id=f"replayed-{number}",
            amount_fen=amount,
            received_at=at,
        )
        journal.apply(session, bid, at)
    journal.apply(session, c.Close(lot_id=lot_id), ENDS + SECOND)
    session.flush()
    return lot_id


def test_the_last_view_is_the_lot_and_every_moment_has_its_own(session: Session) -> None:
    lot_id = ended(session)
    shown = replay(session, lot_id)
    assert shown.view_after(len(shown.events)) == reads.room_state(session, lot_id).view
    assert shown.begins_at == OPENS
    assert shown.view_after(shown.count_at(9))["price_fen"] is None
    assert shown.view_after(shown.count_at(10))["price_fen"] == 1_000_000
    assert shown.view_after(shown.count_at(49))["leader"] == 2
    last = shown.view_after(shown.count_at(shown.lasts_s))
    assert (last["state"], last["outcome"]["winner"]) == (LotState.SOLD, 1)


def test_a_lot_that_goes_on_has_no_replay(session: Session) -> None:
    lot_id = Rows(session).lot()
    with pytest.raises(NotFound):
        replay(session, lot_id)
    assert NOW < OPENS
