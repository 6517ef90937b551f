"""The way in: what `web` calls for a socket, for a bid over HTTP, and for the conductor's buttons.

    await websocket.accept()
    await serve_viewer(websocket, lot_id, actor, services, address=client_address)

A bid has the same answer whichever way it comes: the same client-made id, the same writer, the same
record. Watching needs no account.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from pydantic import ValidationError

from auctions import protocol, queries
from auctions.errors import Busy, CommandFailed, Draining, LotRefusal, OutcomeUnknown
from auctions.hub import Hub, Room, TooManySockets
from auctions.models import AdmissionState
from auctions.protocol import CloseCode
from auctions.rules.canonical import iso
from auctions.rules.commands import Command, PlaceBid
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.viewer import Direct, Socket, Viewer
from auctions.writer import Answer, Writer
from market.clock import Clock
from market.db import Database
from market.errors import MarketError, NotAllowed, NotFound, SignInRequired
from market.permissions import Action, Actor, Scope, Via, require

RETRY = (Busy, Draining, OutcomeUnknown, CommandFailed)
"""Errors after which the same bid id may and should be sent again."""

StillIn = Callable[[], Awaitable[bool]]
"""Whether the sign-in behind a socket still holds; asked at most every `RECHECK_S` while it bids."""

RECHECK_S = 5.0
WHO_S = 0.5
FINISH_S = 2.0
CLOSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Services:
    """What a room works with. One per process."""

    db: Database
    clock: Clock
    writer: Writer
    hub: Hub


async def place_bid(
    services: Services,
    actor: Actor,
    lot_id: int,
    client_bid_id: str,
    amount_fen: int | None,
    *,
    act: str = "bid",
    extra: Mapping[str, int | str] | None = None,
) -> Answer:
    """Place a bid, however it came; the answer is durable when this returns.

    A refusal by the rules is an Answer. Raises SignInRequired, NotAllowed (no right to bid for anyone,
    or a token without the bid scope), and Busy, Draining, OutcomeUnknown, CommandFailed: after these
    send the same id again. Reads nothing from the database itself. The amount is in fen; `act` and
    `extra` are what the lot's format asks for (`auctions.rules.formats`).
    """
    received_at = services.writer.clock.now()
    return await services.writer.ask(
        _command(received_at, _bidder(actor), lot_id, client_bid_id, amount_fen, act, extra or {})
    )


class _Bidder(NamedTuple):
    """Who may bid, and for which organisations; None means for any."""

    person_id: int | None
    organisation_ids: frozenset[int] | None


def _bidder(actor: Actor | None) -> _Bidder:
    """The actor as one who may bid. Raises SignInRequired, NotAllowed; see `place_bid`."""
    if actor is None or not actor.is_signed_in:
        raise SignInRequired(action=Action.BID_PLACE.value)
    organisations = actor.organisations_for(Action.BID_PLACE)
    if organisations is not None and not organisations:
        raise NotAllowed(action=Action.BID_PLACE.value)
    if actor.via is Via.TOKEN and Scope.BID not in actor.scopes:
        raise NotAllowed(action=Action.BID_PLACE.value)
    return _Bidder(actor.person_id, organisations)


def _command(
    received_at: dt.datetime,
    who: _Bidder,
    lot_id: int,
    client_bid_id: str,
    amount_fen: int | None,
    act: str,
    extra: Mapping[str, int | str],
) -> PlaceBid:
    return PlaceBid(
        lot_id=lot_id,
        person_id=who.person_id,
        client_bid_id=client_bid_id,
        amount_fen=amount_fen,
        act=act,
        extra=extra,
        nonce="" if act == "bid" else secrets.token_hex(16),
        received_at=received_at,
        organisation_ids=who.organisation_ids,
    )


def conduct(writer: Writer, actor: Actor, command: Command, timeout_s: float = 30.0) -> Answer:
    """Send a conductor's command (Pause, Suspend, Resume, Withdraw, Cancel, Announce, RecordDefault).

    For plain `def` routes; blocks until it is durable. Set the command's `person_id` to the actor's.
    Raises SignInRequired, NotAllowed, LotRefusal, Busy, Draining, OutcomeUnknown, CommandFailed.
    """
    require(actor, Action.LOT_CONDUCT)
    answer = writer.submit(command).result(timeout_s)
    if not answer.accepted:
        raise LotRefusal(Refusal(RefusalCode(answer.code or ""), answer.seq, answer.params))
    return answer


def answer_message(
    client_bid_id: str, answer: Answer, server_time: str
) -> protocol.Receipt | protocol.Refused:
    """The message that tells a bidder an answer: the socket's frame, and the body of the HTTP answer."""
    receipt = answer.receipt
    signature = receipt["signature"] if receipt else None
    if answer.accepted:
        assert receipt is not None
        assert signature is not None
        return protocol.Receipt(
            client_bid_id=client_bid_id,
            seq=answer.seq,
            hash=answer.hash,
            signature=signature,
            receipt=receipt,
            server_time=server_time,
        )
    return protocol.Refused(
        client_bid_id=client_bid_id,
        code=answer.code or "",
        params=answer.params,
        seq=answer.seq,
        hash=answer.hash,
        signature=signature,
        receipt=receipt,
        server_time=server_time,
    )


def answer_text(client_bid_id: str, answer: Answer, server_time: str) -> str:
    """What `answer_message` says, as it goes over the socket.

    Written past the model, which would check for every bid what our own writer made. A test holds the two equal.
    """
    receipt = answer.receipt
    if not answer.accepted or receipt is None:
        return protocol.encode(answer_message(client_bid_id, answer, server_time))
    return orjson.dumps(
        {
            "v": protocol.VERSION,
            "type": "receipt",
            "client_bid_id": client_bid_id,
            "seq": answer.seq,
            "hash": answer.hash,
            "signature": receipt["signature"],
            "receipt": receipt,
            "server_time": server_time,
        }
    ).decode()


def error_message(client_bid_id: str, error: MarketError, server_time: str) -> protocol.Refused:
    """The message for a bid that got no answer by the rules (no right, busy, draining, unknown)."""
    code = "unknown" if isinstance(error, OutcomeUnknown) else error.code
    return protocol.Refused(
        client_bid_id=client_bid_id,
        code=code,
        retry=isinstance(error, RETRY),
        server_time=server_time,
    )


async def serve_viewer(
    socket: Socket,
    lot_id: int,
    actor: Actor | None,
    services: Services,
    *,
    address: str = "",
    still_in: StillIn | None = None,
    direct: Direct | None = None,
) -> None:
    """Serve an accepted socket until it ends. Never raises for what a client does.

    `actor` is None or a visitor for one who only watches. `address` is the client's, for the limits.
    `direct` is the way straight to the socket's transport, if there is one. The caller has checked the
    Origin.
    """
    person_id = actor.person_id if actor is not None else None
    try:
        with services.hub.counted(person_id, address):
            if services.hub.draining:
                await _close(socket, CloseCode.DRAINING)
                return
            await _Conversation(socket, lot_id, actor, services, still_in, direct).run()
    except TooManySockets:
        await _close(socket, CloseCode.TOO_MANY_SOCKETS)
    except NotFound:
        await _close(socket, CloseCode.NO_SUCH_LOT)


async def _close(socket: Socket, code: CloseCode) -> None:
    with contextlib.suppress(Exception):  # it may be gone already, or take nothing any more
        async with asyncio.timeout(CLOSE_S):
            await socket.close(int(code), code.name.lower())


class _Ended(Exception):
    """The conversation is over; with a code when the server ends it."""

    def __init__(self, code: CloseCode | None = None) -> None:
        super().__init__()
        self.code = code


class _Conversation:
    def __init__(
        self,
        socket: Socket,
        lot_id: int,
        actor: Actor | None,
        services: Services,
        still_in: StillIn | None,
        direct: Direct | None,
    ) -> None:
        self._socket = socket
        self._direct = direct
        self._lot_id = lot_id
        self._actor = actor if actor is not None and actor.is_signed_in else None
        self._services = services
        self._hub = services.hub
        self._limits = services.hub.limits
        self._still_in = still_in
        self._loop = asyncio.get_running_loop()
        self._checked_at = self._loop.time()
        self._asked_at = -WHO_S
        self._bidder: _Bidder | None = None
        self._tokens = float(self._limits.message_burst)
        self._refilled_at = self._loop.time()
        self._bids: set[asyncio.Future[Answer]] = set()
        self._viewer: Viewer | None = None

    async def run(self) -> None:
        try:
            hello = await self._first()
        except _Ended as end:
            if end.code is not None:
                await _close(self._socket, end.code)
            return
        you = await self._you()
        room = await self._hub.room(self._lot_id)
        if hello.resume_after_seq is not None and hello.resume_after_seq > room.seq:
            # The client has seen more than this room has told: catch up before showing anything older.
            await room.reach(hello.resume_after_seq)
        viewer = Viewer(self._socket, room.snapshot, direct=self._direct, max_bytes=self._limits.viewer_bytes)
        self._viewer = viewer
        room.welcome(viewer, hello.epoch, hello.resume_after_seq)
        viewer.tell(protocol.encode(you))
        await self._converse(room, viewer)

    async def _converse(self, room: Room, viewer: Viewer) -> None:
        try:
            # A timeout without an end: the viewer moves it here when nothing more can be sent.
            async with asyncio.timeout(None) as heard:
                viewer.on_over = lambda: heard.reschedule(self._loop.time())
                await self._receive(viewer)
        except TimeoutError:
            pass
        finally:
            viewer.on_over = None
            if self._direct is not None:
                self._direct.hear(None)
            self._hub.leave(room, viewer)
            await viewer.finish(FINISH_S)
            # Bids already with the writer are not cancelled: they count, and their answers are kept.
            await asyncio.gather(*self._bids, return_exceptions=True)
            if viewer.closing is not None:
                await _close(self._socket, viewer.closing[0])

    async def _first(self) -> protocol.Hello:
        try:
            async with asyncio.timeout(self._limits.hello_s):
                message = await self._next()
        except TimeoutError:
            raise _Ended(CloseCode.IDLE) from None
        if not isinstance(message, protocol.Hello):
            raise _Ended(CloseCode.BAD_MESSAGE)
        return message

    async def _next(self) -> protocol.Hello | protocol.Bid | protocol.Ping:
        """The next message. Raises _Ended, ValidationError."""
        received = await self._socket.receive()
        if received["type"] != "websocket.receive":
            raise _Ended
        text = received.get("text")
        if text is None:
            raise _Ended(CloseCode.BAD_MESSAGE)
        most = self._limits.max_message_bytes
        if len(text) > most or (not text.isascii() and len(text.encode()) > most):
            raise _Ended(CloseCode.TOO_LARGE)
        if not self._spend():
            raise _Ended(CloseCode.TOO_MANY_MESSAGES)
        try:
            return protocol.CLIENT.validate_json(text)
        except ValidationError:
            if self._viewer is None:
                raise _Ended(CloseCode.BAD_MESSAGE) from None
            raise

    def _spend(self) -> bool:
        """Count a message; False, and nothing counted, when it is one too many."""
        now = self._loop.time()
        self._tokens = min(
            float(self._limits.message_burst),
            self._tokens + (now - self._refilled_at) * self._limits.messages_per_second,
        )
        self._refilled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _hear(self, text: str) -> bool:
        """Take a text where it arrives, without a turn of the loop; False for what is not a plain bid or must wait."""
        viewer = self._viewer
        if viewer is None or self._must_check():
            return False
        bid = protocol.plain_bid(text)
        if bid is None or not self._spend():
            return False
        viewer.heard_at = self._loop.time()
        self._place(viewer, bid.client_bid_id, bid.amount_fen, "bid", {})
        return True

    async def _receive(self, viewer: Viewer) -> None:
        while True:
            if self._direct is not None:
                self._direct.hear(self._hear)
            try:
                message = await self._next()
            except _Ended as end:
                if end.code is not None:
                    viewer.end(end.code, end.code.name.lower())
                return
            except ValidationError:
                viewer.heard_at = self._loop.time()
                viewer.tell(protocol.encode(protocol.Error(code="bad_message")))
                continue
            viewer.heard_at = self._loop.time()
            if isinstance(message, protocol.Ping):
                viewer.tell(protocol.encode(protocol.Pong(sent=message.sent, server_time=self._now())))
            elif isinstance(message, protocol.Bid):
                await self._take_bid(viewer, message)
            else:
                # Admitted, or no longer, since the beginning: a later hello asks who one is now.
                viewer.tell(protocol.encode(await self._you()))

    def _must_check(self) -> bool:
        return self._still_in is not None and self._loop.time() - self._checked_at > RECHECK_S

    async def _take_bid(self, viewer: Viewer, bid: protocol.Bid) -> None:
        if len(self._bids) < self._limits.bids_in_flight and self._must_check():
            assert self._still_in is not None
            if not await self._still_in():
                viewer.end(CloseCode.SESSION_ENDED, "session_ended")
                return
            self._checked_at = self._loop.time()
        self._place(viewer, bid.client_bid_id, bid.amount_fen, bid.act, bid.extra)

    def _place(
        self,
        viewer: Viewer,
        client_bid_id: str,
        amount_fen: int | None,
        act: str,
        extra: Mapping[str, int | str],
    ) -> None:
        writer = self._services.writer
        received_at = writer.clock.now()
        try:
            if len(self._bids) >= self._limits.bids_in_flight:
                raise Busy
            if self._bidder is None:
                # Once: `still_in` ends a conversation whose rights have changed.
                self._bidder = _bidder(self._actor)
            waiter = writer.queue(
                _command(received_at, self._bidder, self._lot_id, client_bid_id, amount_fen, act, extra)
            )
        except MarketError as error:
            viewer.tell(protocol.encode(error_message(client_bid_id, error, self._now())))
            return
        # No task for each bid: a callback costs a fraction of it.
        self._bids.add(waiter)
        waiter.add_done_callback(functools.partial(self._answered, viewer, client_bid_id))

    def _answered(self, viewer: Viewer, client_bid_id: str, waiter: asyncio.Future[Answer]) -> None:
        self._bids.discard(waiter)
        if waiter.cancelled():
            return
        error = waiter.exception()
        if error is None:
            viewer.tell(answer_text(client_bid_id, waiter.result(), self._hub.about_now()))
        else:
            failure = error if isinstance(error, MarketError) else CommandFailed()
            viewer.tell(protocol.encode(error_message(client_bid_id, failure, self._now())))

    def _now(self) -> str:
        return iso(self._services.clock.now())

    async def _you(self) -> protocol.You:
        """Who the client is now; asked of the database, for those who have a name, at most every `WHO_S`."""
        if self._actor is None:
            return self._who()
        pause = self._asked_at + WHO_S - self._loop.time()
        if pause > 0:
            await asyncio.sleep(pause)
        self._asked_at = self._loop.time()
        return await asyncio.to_thread(self._who)

    def _who(self) -> protocol.You:
        actor = self._actor
        if actor is None or actor.person_id is None:
            return protocol.You(alias=None, can_bid=False, reason="sign_in_required")
        with self._services.db.read() as session:
            mine = queries.my_admission(session, self._lot_id, actor.person_id)
        if mine is None or mine.state is not AdmissionState.ADMITTED:
            return protocol.You(alias=None, can_bid=False, reason="not_admitted")
        if not actor.can(Action.BID_PLACE, mine.organisation_id):
            return protocol.You(alias=mine.alias, can_bid=False, reason="not_allowed")
        return protocol.You(alias=mine.alias, can_bid=True)
