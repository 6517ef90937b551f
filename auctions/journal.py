"""The journal of a lot: append-only, gapless, hash-chained; and the lot row, the cache of its fold.

Appending is always: `lock` the lots (sorted, so that two appenders cannot deadlock), `step` each command
over the head in plain Python, `store` what came of it, all in one transaction that the *caller* begins
and commits. On PostgreSQL the row lock is the arbiter between processes; on SQLite the write
transaction itself. `lock` refuses a missing row by leaving it out; nothing is ever appended unlocked.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from auctions import eligibility
from auctions.errors import LotRefusal
from auctions.models import Admission, JournalEntry
from auctions.models import Lot as LotRow
from auctions.rules import events as e
from auctions.rules.canonical import canonical, instant, iso, link
from auctions.rules.commands import Command, PlaceBid
from auctions.rules.decide import decide
from auctions.rules.evolve import evolve
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import BIDDING, ENDED, Lot, LotState
from auctions.rules.terms import Terms
from market.db import Inserter, Session, for_update, t

LOT, ENTRY, ADMISSION = t(LotRow), t(JournalEntry), t(Admission)

HELD_S = 5
"""Seconds for which a process may stand still with a lot locked before it loses the lot to others; less
than others wait for it."""


class TermsTampered(RuntimeError):
    """A lot's stored terms do not match its journal's genesis: somebody changed the row by hand."""


class Entry(NamedTuple):
    """One journal entry. `body` is the stored text, `data` the same parsed."""

    lot_id: int
    seq: int
    kind: str
    at: dt.datetime
    body: str
    prev_hash: str
    hash: str
    data: dict[str, Any]
    actor_person_id: int | None = None
    client_bid_id: str | None = None
    secret: str | None = None
    """Canonical text of what the body only seals; see `rules.events`."""


@dataclass(frozen=True, slots=True)
class Head:
    """A lot at the end of its journal, under lock."""

    lot: Lot
    hash: str
    title: str = ""
    genesis: str = ""
    """The hash of the terms."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a lot ended. `state` is sold, passed_in, withdrawn, cancelled or defaulted.

    `forfeiting` are organisations that left an envelope unopened where the terms forfeit for that.
    """

    state: LotState
    reason: str
    winner_alias: int | None
    winner_organisation_id: int | None
    hammer_fen: int | None
    forfeiting: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Who bids, as admitted: alias, organisation, and the rule that keeps it from bidding now, if any."""

    alias: int
    organisation_id: int
    problem: RefusalCode | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What a command came to: the entries it adds and the head after them."""

    head: Head
    entries: tuple[Entry, ...]


def lock(connection: Connection, lot_ids: Collection[int]) -> dict[int, Head]:
    """Lock lots, in the order of their ids, and read their heads. Missing lots are left out.

    Raises TermsTampered when a published lot's terms are no longer those that were hashed.
    """
    heads: dict[int, Head] = {}
    statement = for_update(_HEADS, connection, idle_s=HELD_S)
    for row in connection.execute(statement, {"ids": sorted(set(lot_ids))}).all():
        terms, genesis = _terms(row.terms)
        if row.terms_hash and row.terms_hash != genesis:
            raise TermsTampered(row.id)
        lot = Lot.from_fold(row.id, terms, row.fold)
        heads[row.id] = Head(lot, row.head_hash or genesis, row.title, genesis)
    return heads


_HEADS = (
    sa.select(
        LOT.c.id,
        LOT.c.title,
        sa.cast(LOT.c.terms, sa.Text).label("terms"),
        LOT.c.terms_hash,
        LOT.c.fold,
        LOT.c.head_hash,
    )
    .where(LOT.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(LOT.c.id)
)


@functools.lru_cache(256)
def _terms(text: str) -> tuple[Terms, str]:
    """Terms as stored, and their hash: both follow from the text, so a changed row is hashed anew."""
    terms = Terms.from_private(json.loads(text))
    return terms, terms.hash()


def standings(connection: Connection, keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Standing]:
    """(lot, person) → standing, of those who hold an admission now, with what keeps them from bidding.
    One statement; see `eligibility.standings`."""
    wanted = set(keys)
    if not wanted:
        return {}
    return {
        (lot, person): Standing(alias, organisation, problem)
        for lot, person, alias, organisation, problem in eligibility.standings(connection, wanted)
    }


def siblings(connection: Connection, sale_id: int, lot_id: int) -> list[tuple[int, dt.datetime]]:
    """(lot, end) of the other lots of a sale that are open for bids, the latest end first."""
    c = LOT.c
    rows = connection.execute(
        sa.select(c.id, c.ends_at)
        .where(c.sale_id == sale_id, c.id != lot_id, c.state.in_([state.value for state in BIDDING]))
        .order_by(c.ends_at.desc(), c.id)
    )
    return [(row.id, row.ends_at) for row in rows]


def step(head: Head, command: Command, clock: dt.datetime) -> Step | Refusal:
    """Decide a command over a head and write its entries. Pure; `clock` is a reading of the clock."""
    now = head.lot.time(clock)
    decision = decide(head.lot, command, now)
    if isinstance(decision, Refusal):
        return decision
    client_id = command.client_bid_id if isinstance(command, PlaceBid) else None
    lot, prev, entries = head.lot, head.hash, []
    for event in decision:
        lot = evolve(lot, event, now)
        entry = _entry(lot, event, now, prev, command.person_id, client_id)
        entries.append(entry)
        prev = entry.hash
    return Step(Head(lot, prev, head.title, head.genesis), tuple(entries))


def _entry(
    lot: Lot, event: e.Event, at: dt.datetime, prev: str, person_id: int | None, client_id: str | None
) -> Entry:
    assert lot.ends_at is not None
    data = e.to_data(event)
    secret = e.secret_of(event) if event.SECRET else None
    data["v"] = 1
    data["lot"] = lot.lot_id
    data["seq"] = lot.seq
    data["kind"] = event.kind.value
    data["at"] = iso(at)
    data["state"] = lot.state.value
    data["ends_at"] = iso(lot.ends_at)
    body = canonical(data)
    return Entry(
        lot.lot_id,
        lot.seq,
        event.kind.value,
        at,
        body,
        prev,
        link(prev, body),
        data,
        person_id,
        client_id,
        secret,
    )


_UPDATE = (
    sa.update(LOT)
    .where(LOT.c.id == sa.bindparam("b_id"))
    .values(
        {
            name: sa.bindparam(f"b_{name}")
            for name in (
                "state",
                "terms_hash",
                "fold",
                "head_seq",
                "head_hash",
                "price_fen",
                "leader",
                "bid_count",
                "opens_at",
                "ends_at",
                "next_due_at",
                "winner_alias",
                "hammer_fen",
                "closed_at",
            )
        }
    )
)


_DATA = Entry._fields.index("data")
_INSERTER = Inserter(ENTRY, [name for name in Entry._fields if name != "data"])


def store(
    connection: Connection, heads: Collection[Head], entries: Sequence[Entry]
) -> list[tuple[int, Outcome]]:
    """Write entries and the heads they led to; returns the lots that ended by them, with outcomes."""
    if not entries:
        return []
    _INSERTER.insert(connection, [entry[:_DATA] + entry[_DATA + 1 :] for entry in entries])
    connection.execute(_UPDATE, [_columns(head) for head in heads])
    ended = []
    for entry in entries:
        if entry.kind == e.Kind.ANNOUNCED:
            connection.execute(sa.update(LOT).where(LOT.c.id == entry.lot_id).values(published_at=entry.at))
        elif LotState(entry.data["state"]) in ENDED and entry.kind in _ENDING:
            outcome = _outcome(connection, entry)
            ended.append((entry.lot_id, outcome))
    return ended


_ENDING = {e.Kind.CLOSED, e.Kind.WITHDRAWN, e.Kind.CANCELLED, e.Kind.DEFAULTED}


def _outcome(connection: Connection, entry: Entry) -> Outcome:
    if entry.kind == e.Kind.DEFAULTED:
        # The row keeps who had won: the default is theirs.
        c = LOT.c
        row = connection.execute(
            sa.select(c.winner_alias, c.winner_organisation_id, c.hammer_fen).where(c.id == entry.lot_id)
        ).one()
        return Outcome(LotState.DEFAULTED, entry.data["reason"], *row)
    winner = entry.data.get("winner")
    detail = entry.data.get("detail", {})
    unopened = detail.get("unopened", []) if detail.get("unopened_rule") == "forfeit" else []
    organisations = _organisations(
        connection, entry.lot_id, [*unopened, *([] if winner is None else [winner])]
    )
    organisation_id = None if winner is None else organisations[winner]
    reason = entry.data["reason"] if entry.kind == e.Kind.CLOSED else entry.kind
    connection.execute(
        sa.update(LOT)
        .where(LOT.c.id == entry.lot_id)
        .values(winner_organisation_id=organisation_id, close_reason=reason)
    )
    return Outcome(
        LotState(entry.data["state"]),
        entry.data["reason"],
        winner,
        organisation_id,
        entry.data.get("hammer_fen"),
        tuple(organisations[alias] for alias in unopened),
    )


def _organisations(connection: Connection, lot_id: int, aliases: Collection[int]) -> dict[int, int]:
    if not aliases:
        return {}
    c = ADMISSION.c
    rows = connection.execute(
        sa.select(c.alias, c.organisation_id).where(c.lot_id == lot_id, c.alias.in_(sorted(aliases)))
    )
    return {row.alias: row.organisation_id for row in rows}


def _columns(head: Head) -> dict[str, Any]:
    lot = head.lot
    return {
        "b_id": lot.lot_id,
        "b_state": lot.state.value,
        "b_terms_hash": head.genesis,
        "b_fold": lot.fold(),
        "b_head_seq": lot.seq,
        "b_head_hash": head.hash,
        "b_price_fen": lot.price_fen,
        "b_leader": lot.leader,
        "b_bid_count": lot.bid_count,
        "b_opens_at": lot.opens_at,
        "b_ends_at": lot.ends_at,
        "b_next_due_at": lot.next_due_at,
        "b_winner_alias": lot.winner,
        "b_hammer_fen": lot.hammer_fen,
        "b_closed_at": lot.closed_at,
    }


def apply(session: Session, command: Command, now: dt.datetime) -> Step:
    """Lock one lot, decide one command and store it in the caller's transaction.

    For what belongs to a larger transaction (publication, admission with its deposit). Bids and
    whatever happens while a lot is open go through the writer. Call it late: it holds the lot's lock
    until the transaction ends. Raises LotRefusal.
    """
    session.flush()
    connection = session.connection()
    head = lock(connection, [command.lot_id]).get(command.lot_id)
    if head is None:
        raise LotRefusal(Refusal(RefusalCode.NO_SUCH_LOT, 0))
    result = step(head, command, now)
    if isinstance(result, Refusal):
        raise LotRefusal(result)
    store(connection, [result.head], result.entries)
    return result


def replay(
    lot_id: int,
    terms: Terms,
    bodies: Iterable[dict[str, Any]],
    secrets: Mapping[int, Mapping[str, Any]] | None = None,
) -> Lot:
    """The fold of a journal from its parsed bodies, in order of seq, and the secrets by seq.

    Without the secrets of maxima the fold is the public one: the same but for `Lot.book`.
    """
    lot = Lot.draft(lot_id, terms)
    for body in bodies:
        secret = secrets.get(body["seq"]) if secrets else None
        lot = evolve(lot, e.from_data(body["kind"], body, secret), instant(body["at"]))
    return lot
