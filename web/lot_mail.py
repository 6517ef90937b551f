"""Mail about lots: before they open, when they are moved or stopped, and how they ended.

A sweep looks every few seconds at where the lots stand and leaves work: one piece for every reminder that
comes due, one for every turn of a lot. Both are keyed (lot and opening; lot and journal entry), so a piece
is left once however often the sweep sees it, in however many processes. Each is judged again when it is
due: a reminder of an opening that has moved says nothing, because the new opening has its own; a pause
that is over is not told any more.

Reminded and told are those who asked to bid, and those who asked to be reminded.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any

from auctions import lookups, queries
from auctions.lookups import Place, Turn
from auctions.queries import LotDetail
from auctions.rules.canonical import iso
from auctions.rules.events import Kind
from auctions.rules.state import ENDED, STOPPED, UPCOMING, LotState
from market.db import Session
from market.errors import NotFound
from market.parties.mail import mail_people
from market.work import Claimed, Handler, enqueue
from web.render import local
from web.wiring import Parts

REMIND = "lot.remind"
NEWS = "lot.news"
INTERVAL = 20
"""Seconds between two looks at the lots."""
LEADS = (dt.timedelta(days=1), dt.timedelta(hours=1))
"""How long before an opening people are reminded. The longest first."""
TOLD_AFTER_END = dt.timedelta(days=2)
"""How long after its end a lot is still told about, should the worker have stood still."""
STOPS = frozenset({Kind.PAUSED, Kind.SUSPENDED})
TOLD = STOPS | {Kind.RESUMED, Kind.WITHDRAWN, Kind.CANCELLED, Kind.CLOSED}
"""Turns that are news by mail; the room shows the others."""


def sweep(session: Session, now: dt.datetime, seen: dict[int, tuple[int, dt.datetime]]) -> None:
    """Leave the work of all lots. `seen` keeps what the same process has left already."""
    turns = lookups.turns(session, now - TOLD_AFTER_END)
    for turn in turns:
        _remind(session, turn, now)
        if seen.get(turn.lot_id) != (turn.state_seq, turn.opens_at):
            payload = {"lot_id": turn.lot_id, "seq": turn.state_seq}
            enqueue(session, NEWS, payload, key=f"{turn.lot_id}:{turn.state_seq}", now=now)
    seen.clear()
    seen.update({turn.lot_id: (turn.state_seq, turn.opens_at) for turn in turns})


def _remind(session: Session, turn: Turn, now: dt.datetime) -> None:
    if turn.state not in UPCOMING:
        return
    for lead, following in zip(LEADS, (*LEADS[1:], dt.timedelta(0)), strict=True):
        # Left only when it is near, and not once the next reminder says it better.
        if turn.opens_at - lead <= now < turn.opens_at - following:
            payload = {"lot_id": turn.lot_id, "opens_at": iso(turn.opens_at)}
            key = f"{turn.lot_id}:{iso(turn.opens_at)}:{int(lead.total_seconds())}"
            enqueue(session, REMIND, {**payload, "key": key}, key=key, now=now)


class Sweeper:
    """The sweep of one process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._seen: dict[int, tuple[int, dt.datetime]] = {}

    def __call__(self) -> None:
        """Look once."""
        with self._parts.db.write() as session:
            sweep(session, self._parts.clock.now(), self._seen)


def remind(parts: Parts, item: Claimed) -> None:
    """Handler of `lot.remind`: {lot_id, opens_at, key}. Says nothing when the opening has moved or passed."""
    lot_id, now = item.payload["lot_id"], parts.clock.now()
    with parts.db.write() as session:
        lot = _lot(session, lot_id)
        if lot is None or lot.card.state not in UPCOMING:
            return
        if iso(lot.card.opens_at) != item.payload["opens_at"] or lot.card.opens_at <= now:
            return
        people = lookups.followers(session, lot_id)
        mail_people(session, people, "lot_reminder", _params(lot), key=item.payload["key"], now=now)


def tell(parts: Parts, item: Claimed) -> None:
    """Handler of `lot.news`: {lot_id, seq}. Says nothing when the lot has turned again since."""
    lot_id, seq, now = item.payload["lot_id"], item.payload["seq"], parts.clock.now()
    with parts.db.write() as session:
        place, lot = lookups.entry_at(session, lot_id, seq), _lot(session, lot_id)
        if place is None or lot is None or place.kind not in TOLD or _is_over(session, lot, place):
            return
        leave = _ended if place.kind is Kind.CLOSED else _turned
        leave(session, lot, place, now)


def _is_over(session: Session, lot: LotDetail, place: Place) -> bool:
    """Whether a turn is no longer true: a stop that ended, a resumption before another stop."""
    if place.kind in STOPS:
        turn = lookups.turn(session, lot.card.id)
        return turn is None or turn.state_seq != place.seq
    return place.kind is Kind.RESUMED and lot.card.state in STOPPED | ENDED


def _lot(session: Session, lot_id: int) -> LotDetail | None:
    try:
        return queries.lot_detail(session, lot_id)
    except NotFound:
        return None


def _params(lot: LotDetail, **more: Any) -> dict[str, Any]:
    card = lot.card
    return {
        "title": card.title,
        "lot_id": card.id,
        "opens_at": local(card.opens_at),
        "ends_at": local(card.ends_at),
        **more,
    }


def _turned(session: Session, lot: LotDetail, place: Place, now: dt.datetime) -> None:
    """Stopped, moved or called off: the same mail to everybody."""
    state = lot.card.state
    turn = "stopped" if state in STOPPED else "called_off" if state in ENDED else "moved"
    reason = place.data.get("reason")
    params = _params(
        lot,
        turn=turn,
        state=state.value,
        reason=reason if isinstance(reason, str) else "",
        upcoming=state in UPCOMING,
        extended=state is LotState.EXTENDING,
    )
    people = lookups.followers(session, lot.card.id)
    mail_people(session, people, "lot_turned", params, key=f"{lot.card.id}:{place.seq}", now=now)


def _ended(session: Session, lot: LotDetail, place: Place, now: dt.datetime) -> None:
    """The close: won, lost with rank and distance, or how it ended for those who did not bid."""
    detail = place.data.get("detail", {})
    forfeits = detail.get("unopened", []) if detail.get("unopened_rule") == "forfeit" else []
    winner, key = place.data.get("winner"), f"{lot.card.id}:{place.seq}"
    standings = lookups.standings(session, lot.card.id)
    for person_id, alias in lookups.followers(session, lot.card.id).items():
        standing = None if alias is None else standings.get(alias)
        params = _params(
            lot,
            reason=str(place.data["reason"]),
            hammer_fen=place.data.get("hammer_fen"),
            alias=alias,
            won=alias is not None and alias == winner,
            forfeits=alias in forfeits,
            rank=standing.rank if standing else None,
            bidders=standing.bidders if standing else None,
            last_fen=standing.last_fen if standing else None,
            gap_fen=standing.gap_fen if standing else None,
            seq=place.seq,
            hash=place.hash,
            head_hash=lot.head_hash,
        )
        mail_people(session, [person_id], "lot_closed", params, key=key, now=now)


def handlers(parts: Parts) -> dict[str, Handler]:
    """The work kinds of this module."""
    doing: dict[str, Callable[[Parts, Claimed], None]] = {REMIND: remind, NEWS: tell}
    return {kind: functools.partial(do, parts) for kind, do in doing.items()}
