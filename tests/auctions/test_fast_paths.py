"""Where the writer goes past what is slower, it does the same: rows, copies, memories and frames."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
import sqlalchemy as sa

from auctions import answers, journal, receipts
from auctions.bus import LocalBus
from auctions.models import BidAnswer, JournalEntry, Lot
from auctions.rules import commands as c
from auctions.rules import state
from auctions.rules.refusal import RefusalCode
from auctions.rules.terms import Terms
from auctions.writer import Answer, Writer
from market.clock import FixedClock
from market.db import Database, t
from market.permissions import Actor
from tests.auctions.histories import TERMS
from tests.auctions.rows import NOW, OPENS, stage

SIGNER = receipts.Signer(bytes(range(32)))


def written(database: Database, clock: FixedClock, bids: int = 300) -> tuple[int, list[Actor], list[Answer]]:
    """A lot on which people have bid in turn through a writer, in large groups; one bid of three is refused."""
    (lot,), (people,), _ = stage(database, max_steps=None)
    clock.set(OPENS)
    writer = Writer(database, clock, SIGNER, LocalBus())
    waiting = [writer.submit(c.Open(lot_id=lot))]
    for n in range(bids):
        amount = 1_000_000 + n * 10_000 if n % 3 else 1
        waiting.append(writer.submit(_bid(lot, people[n % 2], amount, f"bid-{n:05d}")))
    writer.start()
    results = [answer.result(30) for answer in waiting][1:]
    assert writer.stop(30)
    return lot, people, results


def _bid(lot: int, actor: Actor, amount: int, id_: str) -> c.PlaceBid:
    return c.PlaceBid(
        lot_id=lot, person_id=actor.person_id, client_bid_id=id_, amount_fen=amount, received_at=OPENS
    )


def test_rows_written_in_bulk_read_as_any_other(database: Database, clock: FixedClock) -> None:
    lot, people, results = written(database, clock)
    with database.read() as session:
        kept = {
            row.client_bid_id: row
            for row in session.scalars(sa.select(BidAnswer).where(t(BidAnswer).c.lot_id == lot))
        }
        entries = {
            row.client_bid_id: row
            for row in session.scalars(sa.select(JournalEntry).where(t(JournalEntry).c.lot_id == lot))
        }
        assert len(kept) == len(results)
        for n, result in enumerate(results):
            row = kept[f"bid-{n:05d}"]
            assert (row.person_id, row.accepted, row.seq) == (
                people[n % 2].person_id,
                result.accepted,
                result.seq,
            )
            assert row.answer == result.receipt
            assert row.at == OPENS
            assert row.at.utcoffset() == dt.timedelta(0)
            content = receipts.verify(row.answer, SIGNER.public_key)
            assert content is not None
            assert (content["accepted"], content["code"]) == (result.accepted, result.code)
            if result.accepted:
                entry = entries[f"bid-{n:05d}"]
                assert (entry.seq, entry.hash, entry.at) == (result.seq, result.hash, OPENS)
                assert json.loads(entry.body)["seq"] == entry.seq
                assert (entry.secret, entry.actor_person_id) == (None, people[n % 2].person_id)


def test_many_known_answers_are_found_at_once_and_only_ones_own(
    database: Database, clock: FixedClock
) -> None:
    lot, people, results = written(database, clock)
    mine = [(lot, people[n % 2].person_id or 0, f"bid-{n:05d}") for n in range(len(results))]
    others = [(lot, people[(n + 1) % 2].person_id or 0, f"bid-{n:05d}") for n in range(len(results))]
    elsewhere = [(lot + 1, person, id_) for _, person, id_ in mine]
    with database.connect_for_writing() as connection:
        found = answers.known(connection, [*mine, *others, *elsewhere])
        assert answers.known(connection, []) == {}
        connection.rollback()
    assert set(found) == set(mine)
    for key, result in zip(mine, results, strict=True):
        assert found[key][1] == dataclasses.replace(result, repeated=True)


def test_terms_changed_by_hand_are_seen_by_a_writer_that_knows_the_lot(
    database: Database, clock: FixedClock
) -> None:
    (lot,), (people,), _ = stage(database)
    clock.set(OPENS)
    with database.connect_for_writing() as connection:
        assert journal.lock(connection, [lot])[lot].lot.terms.start_fen == 1_000_000
        terms = connection.execute(sa.select(t(Lot).c.terms).where(t(Lot).c.id == lot)).scalar_one()
        changed = {**terms, "start_fen": 1}
        connection.execute(sa.update(t(Lot)).where(t(Lot).c.id == lot).values(terms=changed))
        with pytest.raises(journal.TermsTampered):
            journal.lock(connection, [lot])
        connection.execute(sa.update(t(Lot)).where(t(Lot).c.id == lot).values(terms=terms))
        assert journal.lock(connection, [lot])[lot].lot.terms.start_fen == 1_000_000
        connection.rollback()
    _ = people


def test_a_changed_lot_is_a_replaced_lot() -> None:
    lot = state.Lot.draft(3, TERMS)
    changes: dict[str, Any] = {"seq": 7, "leader": 2, "last_at": NOW, "book": {"1": 5}}
    changed = lot.changed(changes)
    assert changed == dataclasses.replace(lot, **changes)
    assert lot == state.Lot.draft(3, TERMS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.seq = 8  # type: ignore[misc]


def test_a_bid_by_somebody_is_a_replaced_bid() -> None:
    bid = c.PlaceBid(
        lot_id=1,
        person_id=2,
        client_bid_id="bid-00001",
        amount_fen=None,
        received_at=NOW,
        act="seal",
        extra={"commitment": "0"},
        nonce="n",
        organisation_ids=frozenset({3}),
    )
    problem = RefusalCode.DEPOSIT_NOT_HELD
    assert bid.by(4, problem) == dataclasses.replace(bid, alias=4, problem=problem)
    assert bid.alias is None


def test_terms_are_read_from_their_text_as_from_their_document() -> None:
    for terms in (TERMS, dataclasses.replace(TERMS, reserve_fen=1500, reserve_nonce="0" * 32)):
        text = json.dumps(terms.private())
        assert journal._terms(text) == (Terms.from_private(terms.private()), terms.hash())
