"""Every message of the room's socket, `/ws/lots/{lot_id}`: JSON text frames, `v` and `type` in each.

Client: `hello`, `bid`, `ping`. Server: `snapshot`, `event`, `events`, `receipt`, `refused`, `heartbeat`, `pong`,
`watchers`, `draining`, `error`. A snapshot at seq n and every event after it tell exactly what a fresh
snapshot would: `project` is that rule, and the browser's module does the same.

Instants are UTC text with six decimals and `Z`; amounts are fen.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from auctions.rules.canonical import canonical, iso, maybe_iso
from auctions.rules.events import Kind
from auctions.rules.formats import DEFAULT, minimum_after
from auctions.rules.state import LotState
from auctions.rules.terms import Terms
from market.money import MAX_FEN

VERSION = 1
RECENT_BIDS = 20
MAX_MESSAGE_BYTES = 4096
CLIENT_BID_ID = r"^[A-Za-z0-9_-]{8,64}$"


Act = Annotated[str, Field(pattern=r"^[a-z_]{1,16}$")]
Extra = Annotated[
    dict[Annotated[str, Field(max_length=32)], int | Annotated[str, Field(max_length=128)]],
    Field(max_length=8),
]


class CloseCode(enum.IntEnum):
    """Why the server closed a socket (4000–4999 are ours, RFC 6455 section 7.4.2)."""

    DRAINING = 1012
    """The server restarts; come back after the announced pause and resume."""
    BAD_MESSAGE = 4400
    FORBIDDEN_ORIGIN = 4403
    NO_SUCH_LOT = 4404
    IDLE = 4408
    """Nothing was heard from the client for too long."""
    TOO_SLOW = 4409
    """The client did not take what concerned it."""
    TOO_LARGE = 4413
    TOO_MANY_MESSAGES = 4429
    TOO_MANY_SOCKETS = 4430
    SESSION_ENDED = 4401
    """The sign-in behind the socket is gone; sign in again."""
    INTERNAL = 1011


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    v: Literal[1] = 1


class Hello(_Message):
    """The first message. With both fields it resumes: every later event follows, or a new snapshot.

    A later one, its fields ignored, asks for a fresh `you`: after an admission, say.
    """

    type: Literal["hello"] = "hello"
    epoch: str | None = Field(default=None, max_length=64)
    resume_after_seq: int | None = Field(default=None, ge=0, strict=True)


class Bid(_Message):
    """A bid. Make `client_bid_id` before sending, keep it, and send it again until answered.

    `act` is what the lot's format calls it, and `extra` what that act needs besides an amount.
    """

    type: Literal["bid"] = "bid"
    client_bid_id: str = Field(pattern=CLIENT_BID_ID)
    act: Act = "bid"
    amount_fen: int | None = Field(default=None, gt=0, le=MAX_FEN, strict=True)
    extra: Extra = Field(default_factory=dict)


class Ping(_Message):
    """Asks for the server's time; `sent` comes back unchanged (milliseconds of the client's clock)."""

    type: Literal["ping"] = "ping"
    sent: float = 0


ClientMessage = Annotated[Hello | Bid | Ping, Field(discriminator="type")]
CLIENT: TypeAdapter[Hello | Bid | Ping] = TypeAdapter(ClientMessage)


class PlainBid(NamedTuple):
    """A bid of nothing but an amount."""

    client_bid_id: str
    amount_fen: int


_PLAIN_BID = re.compile(
    r'\{(?:"v":1,)?"type":"bid","client_bid_id":"([A-Za-z0-9_-]{8,64})","amount_fen":([1-9][0-9]{0,17})\}'
)


def plain_bid(text: str) -> PlainBid | None:
    """What a text says if it is a plain bid, spelled as programs spell it; None, and `CLIENT` is to read it.

    A test holds the two to the same answer wherever this one gives any.
    """
    found = _PLAIN_BID.fullmatch(text)
    if found is None:
        return None
    amount_fen = int(found[2])
    return PlainBid(found[1], amount_fen) if amount_fen <= MAX_FEN else None


class BidLine(_Message):
    """A bid in the list of recent ones."""

    seq: int
    alias: int
    act: str
    amount_fen: int | None
    at: str
    matched: bool
    detail: dict[str, Any]


class LotView(_Message):
    """What everyone may see of a lot at a seq."""

    lot_id: int
    title: str
    format: str
    params: dict[str, Any]
    """The format's own terms."""
    state: LotState
    currency: str
    start_fen: int
    price_fen: int | None
    leader: int | None
    bid_count: int
    next_fen: int | None
    """The least next bid; None when none is possible."""
    step_fen: int
    """The step in force."""
    cap_fen: int | None
    maxima: bool
    """Whether a maximum may be left."""
    lead_detail: dict[str, Any]
    """The format's own part of the standing bid."""
    opens_at: str
    ends_at: str
    hard_end: str | None
    stopped_at: str | None
    """Since when the lot stands still."""
    outages: int
    """How often the end was moved because the market was out of reach."""
    window_s: int
    extension_s: int
    has_reserve: bool
    bidders_admitted: int
    recent: list[BidLine]
    """The latest bids, newest first, twenty at most."""
    notice: str | None
    """The latest announcement or reason given by the organiser."""
    outcome: dict[str, Any] | None
    """After the close: reason, winner (alias), hammer_fen, reserve_fen, detail."""
    terms_hash: str


class Snapshot(_Message):
    """The whole lot at a seq. `you` is the receiver's alias, where admitted."""

    type: Literal["snapshot"] = "snapshot"
    epoch: str
    seq: int
    hash: str
    server_time: str
    state: LotView


class Event(_Message):
    """One journal entry. Its hash is SHA-256 over the previous hash's bytes and the stored body's."""

    type: Literal["event"] = "event"
    lot_id: int
    seq: int
    kind: Kind
    at: str
    state: LotState
    ends_at: str
    server_time: str
    hash: str
    data: dict[str, Any]
    next_fen: int | None = None
    """With a bid: the least next one."""
    step_fen: int | None = None


class Events(_Message):
    """Several events in order, told together because they came close upon each other: each counts as if
    it had come alone."""

    type: Literal["events"] = "events"
    events: list[Event]


class Receipt(_Message):
    """The signed answer to an accepted bid; goes only to its bidder."""

    type: Literal["receipt"] = "receipt"
    client_bid_id: str
    seq: int
    hash: str
    signature: str
    receipt: dict[str, Any]
    """What was signed and how to check it: see `auctions/receipts.py`."""
    server_time: str


class Refused(_Message):
    """A bid was not accepted. `seq` is the journal entry that made the rule apply; a code of
    `unknown`, `busy` or `draining` means: send the same id again."""

    type: Literal["refused"] = "refused"
    client_bid_id: str
    code: str
    params: dict[str, Any] = Field(default_factory=dict)
    seq: int | None = None
    hash: str | None = None
    signature: str | None = None
    receipt: dict[str, Any] | None = None
    retry: bool = False
    server_time: str


class You(_Message):
    """Who the receiver is in this lot; None when only watching."""

    type: Literal["you"] = "you"
    alias: int | None
    can_bid: bool
    reason: str | None = None
    """Why not: sign_in_required, not_admitted, not_allowed."""


class Heartbeat(_Message):
    """Still here; `seq` is the head, so that a missed event shows."""

    type: Literal["heartbeat"] = "heartbeat"
    seq: int
    hash: str
    watchers: int
    server_time: str


class Pong(_Message):
    """The answer to a ping."""

    type: Literal["pong"] = "pong"
    sent: float
    server_time: str


class Watchers(_Message):
    """How many sockets watch the lot, in every process as far as is known."""

    type: Literal["watchers"] = "watchers"
    n: int


class Draining(_Message):
    """The server is about to restart; reconnect after this many milliseconds (already spread out)."""

    type: Literal["draining"] = "draining"
    reconnect_after_ms: int


class Error(_Message):
    """A message that was not understood; the socket stays open unless a close code follows."""

    type: Literal["error"] = "error"
    code: str


ServerMessage = Annotated[
    Snapshot | Event | Events | Receipt | Refused | You | Heartbeat | Pong | Watchers | Draining | Error,
    Field(discriminator="type"),
]
SERVER: TypeAdapter[Any] = TypeAdapter(ServerMessage)


def schema() -> dict[str, Any]:
    """The JSON schema of both directions, and the close codes: what is published."""
    return {
        "version": VERSION,
        "client": CLIENT.json_schema(),
        "server": SERVER.json_schema(),
        "close_codes": {code.name.lower(): int(code) for code in CloseCode},
        "max_message_bytes": MAX_MESSAGE_BYTES,
    }


def encode(message: _Message) -> str:
    """A message as it goes over the socket. What `model_dump_json` writes, in a third of the time."""
    return orjson.dumps(vars(message), default=_plain).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return vars(value)
    raise TypeError(type(value).__name__)


_NAMED = frozenset({"v", "lot", "seq", "kind", "at", "state", "ends_at"})
"""What an entry's body holds for every kind; the frame has it beside `data`."""


def event_frame(
    terms: Terms, lot_id: int, seq: int, hash_: str, body: dict[str, Any], server_time: dt.datetime
) -> str:
    """An entry as the frame that everyone gets, encoded once. `body` is the entry's parsed body.

    Written by hand rather than through `Event`: it runs for every bid. A test holds the two equal.
    """
    frame: dict[str, Any] = {
        "v": VERSION,
        "type": "event",
        "lot_id": lot_id,
        "seq": seq,
        "kind": body["kind"],
        "at": body["at"],
        "state": body["state"],
        "ends_at": body["ends_at"],
        "server_time": iso(server_time),
        "hash": hash_,
        "data": {key: value for key, value in body.items() if key not in _NAMED},
        "next_fen": None,
        "step_fen": None,
    }
    if body["kind"] == Kind.BID_ACCEPTED and body.get("standing", True):
        frame["next_fen"] = minimum_after(terms, body["amount_fen"])
        frame["step_fen"] = terms.step(body["amount_fen"])
    return canonical(frame)


def bundle(frames: Sequence[str]) -> str:
    """Event frames, already encoded, as one message; one alone stays as it is."""
    if len(frames) == 1:
        return frames[0]
    return f'{{"v":{VERSION},"type":"events","events":[{",".join(frames)}]}}'


def start_view(lot_id: int, title: str, terms: Terms) -> dict[str, Any]:
    """The lot view before the first entry: what `project` makes every later one from."""
    return {
        "v": VERSION,
        "lot_id": lot_id,
        "title": title,
        "format": terms.format,
        "params": dict(terms.params),
        "state": LotState.DRAFT.value,
        "currency": terms.currency,
        "start_fen": terms.start_fen,
        "price_fen": None,
        "leader": None,
        "bid_count": 0,
        "next_fen": minimum_after(terms, None),
        "step_fen": terms.step(terms.start_fen),
        "cap_fen": terms.cap_fen,
        "maxima": terms.maxima and terms.format == DEFAULT,
        "lead_detail": {},
        "opens_at": iso(terms.opens_at),
        "ends_at": iso(terms.ends_at),
        "hard_end": maybe_iso(terms.hard_end),
        "stopped_at": None,
        "outages": 0,
        "window_s": terms.window_s,
        "extension_s": terms.extension_s,
        "has_reserve": terms.has_reserve,
        "bidders_admitted": 0,
        "recent": [],
        "notice": None,
        "outcome": None,
        "terms_hash": terms.hash(),
    }


def project(view: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """The lot view after an event frame: what a fresh snapshot at that seq would hold.

    The browser's module mirrors this function; keep them alike.
    """
    new = dict(view)
    kind, data = event["kind"], event["data"]
    new["state"], new["ends_at"] = event["state"], event["ends_at"]
    if kind == Kind.BID_ACCEPTED:
        if data.get("standing", True):
            new["price_fen"], new["leader"] = data["amount_fen"], data["alias"]
            new["next_fen"], new["step_fen"] = event["next_fen"], event["step_fen"]
            new["lead_detail"] = data.get("detail", {})
        new["bid_count"] = view["bid_count"] + 1
        new["recent"] = [bid_line(event["seq"], event["at"], data), *view["recent"]][:RECENT_BIDS]
    elif kind == Kind.BIDDER_ADMITTED:
        new["bidders_admitted"] = view["bidders_admitted"] + 1
    elif kind == Kind.ADMISSION_REVOKED:
        new["bidders_admitted"] = view["bidders_admitted"] - 1
    elif kind == Kind.OPENED:
        new["opens_at"], new["hard_end"] = event["at"], data["hard_end"]
    elif kind == Kind.RESUMED:
        new["opens_at"], new["hard_end"], new["notice"] = data["opens_at"], data["hard_end"], None
        new["stopped_at"] = None
    elif kind in (Kind.OUTAGE_EXTENDED, Kind.EXTENDED_TOGETHER, Kind.EXTENDED_BY_HAND):
        new["hard_end"] = data["hard_end"]
        if kind == Kind.OUTAGE_EXTENDED:
            new["outages"] = view["outages"] + 1
    elif kind == Kind.ANNOUNCEMENT:
        new["notice"] = data["text"]
    elif kind == Kind.CLOSED:
        new["outcome"] = outcome(data)
    if kind in (Kind.PAUSED, Kind.SUSPENDED) and view["stopped_at"] is None:
        new["stopped_at"] = event["at"]
    if kind in (Kind.PAUSED, Kind.SUSPENDED, Kind.WITHDRAWN, Kind.CANCELLED, Kind.DEFAULTED):
        new["notice"] = data["reason"]
    return new


def bid_line(seq: int, at: str, data: dict[str, Any]) -> dict[str, Any]:
    """A line of the list of recent bids, from a bid entry's own fields."""
    return {
        "v": VERSION,
        "seq": seq,
        "alias": data["alias"],
        "act": data.get("act", "bid"),
        "amount_fen": data["amount_fen"],
        "at": at,
        "matched": data["matched"],
        "detail": data.get("detail", {}),
    }


def outcome(data: dict[str, Any]) -> dict[str, Any]:
    """The public outcome, from a closing entry's own fields."""
    known = {key: data[key] for key in ("reason", "winner", "hammer_fen", "reserve_fen")}
    return {**known, "detail": data.get("detail", {})}
