"""The rehearsal room: a lot of one's own, against the market's practice bidders, with nothing at stake.

The rules, the messages and the page are the real ones; only the ground is not: the lot lives in the memory of
one conversation, no row is written, nobody else sees it, and its receipts are signed with a key that is
thrown away. So anybody can try every format before paying a deposit, without an account.

`Rehearsal` is told what time it is and never asks; whoever drives it calls `tick` now and then.
"""

# ruff: noqa: ARG001  (every practice bidder has one signature, whatever it needs of it)
from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from auctions import journal, protocol
from auctions.protocol import CloseCode
from auctions.receipts import Signer, generate_key
from auctions.rules import commands as c
from auctions.rules.canonical import commitment, iso
from auctions.rules.formats import RULES, dutch, scoring, sealed
from auctions.rules.refusal import Refusal
from auctions.rules.state import BIDDING, ENDED, OPEN, Lot, LotState
from auctions.rules.terms import Terms
from auctions.viewer import Socket
from market.clock import Clock

YOU = 1
"""The alias of whoever practises; the practice bidders come after."""
PRACTICE_BIDDERS = 2
START_FEN = 10_000_000
TICK_S = 0.25
BEAT_S = 10.0
PACE_S = 0.02
LASTS = dt.timedelta(seconds=90)
ENVELOPES = dt.timedelta(seconds=60)


def practice_terms(format_name: str, now: dt.datetime) -> Terms:
    """Terms of a lot that opens at once and is over within minutes. Raises KeyError for no format."""
    rules = RULES[format_name]
    params: dict[str, Any] = {parameter.name: parameter.default for parameter in rules.PARAMETERS}
    if format_name == "dutch":
        params |= {"floor_fen": 6_000_000, "decrement_fen": 500_000, "interval_s": 10}
    elif format_name == "sealed":
        params |= {"reveal_s": 60}
    opens = now + dt.timedelta(seconds=1)
    terms = Terms(
        format=format_name,
        params=params,
        start_fen=START_FEN,
        steps=((0, 500_000),) if rules.STEPS else ((0, 1),),
        opens_at=opens,
        ends_at=opens + (LASTS if rules.SOFT_CLOSE else ENVELOPES),
        window_s=20 if rules.SOFT_CLOSE else 0,
        extension_s=20 if rules.SOFT_CLOSE else 0,
        hard_end=opens + 4 * LASTS if rules.SOFT_CLOSE else None,
        seller_organisation_id=0,
        outage_extension_s=60,
    )
    return Terms.from_private({**terms.private(), "ends_at": iso(rules.ends_at(terms))})


@dataclass(frozen=True, slots=True)
class Answered:
    """What a practice bid came to: the message for its bidder, and the frames for the page."""

    message: protocol.Receipt | protocol.Refused
    frames: list[str]


class Rehearsal:
    """One practice lot. `seed` makes the practice bidders' choices repeatable."""

    def __init__(self, format_name: str, title: str, clock: Clock, *, seed: int | None = None) -> None:
        self._clock = clock
        self.chance = random.Random(seed)  # noqa: S311  (practice bidders need no secrets)
        self._signer = Signer(generate_key())
        now = clock.now()
        self.terms = practice_terms(format_name, now)
        self._head = journal.Head(Lot.draft(0, self.terms), self.terms.hash(), title)
        self.view = protocol.start_view(0, title, self.terms)
        self.epoch = secrets.token_hex(8)
        self._answers: dict[str, tuple[Any, protocol.Receipt | protocol.Refused]] = {}
        self.limits = {
            alias: START_FEN * self.chance.randint(115, 190) // 100
            for alias in range(YOU + 1, YOU + 1 + PRACTICE_BIDDERS)
        }
        self.envelopes: dict[int, tuple[int, str]] = {}
        self._next_move = now
        self._do(c.Publish(lot_id=0), now)
        for alias in range(YOU, YOU + 1 + PRACTICE_BIDDERS):
            self._do(_admission(alias), now)
        self._rest(now)

    @property
    def lot(self) -> Lot:
        """The lot as it stands."""
        return self._head.lot

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.lot.state in ENDED

    def snapshot(self) -> protocol.Snapshot:
        """The whole lot now."""
        return protocol.Snapshot(
            epoch=self.epoch,
            seq=self.lot.seq,
            hash=self._head.hash,
            server_time=iso(self._clock.now()),
            state=protocol.LotView(**self.view),
        )

    def heartbeat(self) -> protocol.Heartbeat:
        """That the room lives, and its head."""
        now = iso(self._clock.now())
        return protocol.Heartbeat(seq=self.lot.seq, hash=self._head.hash, watchers=1, server_time=now)

    def pong(self, ping: protocol.Ping) -> protocol.Pong:
        """The answer to a ping."""
        return protocol.Pong(sent=ping.sent, server_time=iso(self._clock.now()))

    def bid(self, message: protocol.Bid) -> Answered:
        """Answer a bid by the lot's own rules; the same id gets the same answer."""
        now = self._clock.now()
        body = (message.act, message.amount_fen, message.extra)
        known = self._answers.get(message.client_bid_id)
        if known is not None and known[0] == body:
            return Answered(known[1], [])
        seq = self.lot.seq
        outcome = self._step(_bid(YOU, message.client_bid_id, now, *body), now)
        frames = self._frames(outcome, now)
        refused = outcome if isinstance(outcome, Refusal) else None
        content = {
            "v": 1,
            "rehearsal": True,
            "client_bid_id": message.client_bid_id,
            "accepted": refused is None,
            "code": refused.code.value if refused else None,
            "seq": refused.seq if refused else seq + 1,
        }
        (receipt,) = self._signer.sign([content])
        answer = _answer(message.client_bid_id, outcome, receipt, iso(now))
        self._answers[message.client_bid_id] = (body, answer)
        self._rest(now)
        return Answered(answer, frames)

    def tick(self) -> list[str]:
        """Open, close, and let a practice bidder act, where the time has come; the frames of it."""
        now = self._clock.now()
        frames: list[str] = []
        due = self.lot.next_due_at
        if due is not None and due <= now:
            opening = self.lot.state is LotState.REGISTRATION
            frames += self._do(c.Open(lot_id=0) if opening else c.Close(lot_id=0), now)
            self._rest(now)
        elif self.lot.state in OPEN and now >= self._next_move:
            frames += self._practise(now)
            self._rest(now)
        return frames

    def _rest(self, now: dt.datetime) -> None:
        self._next_move = now + dt.timedelta(seconds=self.chance.uniform(4, 9))

    def _practise(self, now: dt.datetime) -> list[str]:
        """One practice bidder's move."""
        others = [alias for alias in self.limits if alias != self.lot.leader]
        alias = self.chance.choice(others)
        chosen = MOVES.get(self.terms.format)
        move = chosen(self, alias, now) if chosen else None
        if move is None:
            return []
        return self._do(_bid(alias, secrets.token_hex(8), now, *move), now)

    def _do(self, command: c.Command, now: dt.datetime) -> list[str]:
        return self._frames(self._step(command, now), now)

    def _step(self, command: c.Command, now: dt.datetime) -> journal.Step | Refusal:
        return journal.step(self._head, command, now)

    def _frames(self, outcome: journal.Step | Refusal, now: dt.datetime) -> list[str]:
        if isinstance(outcome, Refusal):
            return []
        self._head = outcome.head
        frames = []
        for entry in outcome.entries:
            frame = protocol.event_frame(self.terms, 0, entry.seq, entry.hash, entry.data, now)
            self.view = protocol.project(
                self.view, protocol.SERVER.validate_json(frame).model_dump(mode="json")
            )
            frames.append(frame)
        return frames


Move = tuple[str, int | None, dict[str, Any]]
"""Act, amount in fen, extra."""


def _english(room: Rehearsal, alias: int, now: dt.datetime) -> Move | None:
    least = room.view["next_fen"]
    if room.lot.leader in room.limits or least is None or least > room.limits[alias]:
        return None
    return "bid", least, {}


def _scoring(room: Rehearsal, alias: int, now: dt.datetime) -> Move | None:
    if room.lot.leader in room.limits:
        return None
    terms = room.terms
    least = Fraction(room.lot.book.get("score", 0)) + Fraction(terms.params["score_step"], 100)
    for royalty in range(0, terms.params["royalty_most_bp"] + 1, 50):
        amount = room.chance.randint(20, 20 * room.limits[alias] // START_FEN) * START_FEN // 20
        if scoring.score(terms, amount, royalty) >= least:
            return "offer", amount, {"royalty_bp": royalty}
    return None


def _dutch(room: Rehearsal, alias: int, now: dt.datetime) -> Move | None:
    step = dutch.step_at(room.lot, now)
    # Late enough for whoever practises to have had the choice.
    if step < dutch.steps(room.terms) - 2:
        return None
    return "take", dutch.price_at(room.terms, step), {"step": step}


def _sealed(room: Rehearsal, alias: int, now: dt.datetime) -> Move | None:
    if room.lot.state in BIDDING:
        if alias in room.envelopes:
            return None
        room.envelopes[alias] = (room.limits[alias], secrets.token_hex(16))
        return "seal", None, {"commitment": sealed.seal(0, alias, *room.envelopes[alias])}
    if alias not in room.envelopes or str(alias) in room.lot.book.get("opened", {}):
        return None
    amount, nonce = room.envelopes[alias]
    return "open", amount, {"nonce": nonce}


MOVES: dict[str, Callable[[Rehearsal, int, dt.datetime], Move | None]] = {
    "english": _english,
    "sealed": _sealed,
    "dutch": _dutch,
    "scoring": _scoring,
}
"""How a practice bidder moves, by format; in a format that is not here, it watches."""


async def rehearse(socket: Socket, rehearsal: Rehearsal, *, longest_s: float = 900.0) -> None:
    """Hold a rehearsal over an accepted socket until it or the lot ends. Never raises for what a client does.

    The messages are the live room's. A connection that breaks ends its rehearsal: the next one is new.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + longest_s
    lock = asyncio.Lock()

    async def tell(texts: Iterable[str]) -> None:
        async with lock:
            for text in texts:
                await socket.send_text(text)

    async def keep_time() -> None:
        beaten_at = loop.time()
        while loop.time() < ends_at:
            await asyncio.sleep(TICK_S)
            await tell(rehearsal.tick())
            if loop.time() - beaten_at > BEAT_S:
                beaten_at = loop.time()
                await tell([protocol.encode(rehearsal.heartbeat())])

    async def listen() -> None:
        while True:
            received = await socket.receive()
            if received["type"] != "websocket.receive":
                return
            await tell(_replies(rehearsal, received.get("text") or ""))
            # Nobody is worth more than this: what comes faster waits in its own connection.
            await asyncio.sleep(PACE_S)

    tasks = [asyncio.create_task(keep_time()), asyncio.create_task(listen())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Exception):  # it may be gone already
            await socket.close(int(CloseCode.IDLE), "rehearsal_over")


def _replies(rehearsal: Rehearsal, text: str) -> list[str]:
    try:
        if len(text) > protocol.MAX_MESSAGE_BYTES:
            raise ValueError(text[:20])
        message = protocol.CLIENT.validate_json(text)
    except ValueError:
        return [protocol.encode(protocol.Error(code="bad_message"))]
    if isinstance(message, protocol.Ping):
        return [protocol.encode(rehearsal.pong(message))]
    if isinstance(message, protocol.Bid):
        answered = rehearsal.bid(message)
        return [protocol.encode(answered.message), *answered.frames]
    return [
        protocol.encode(rehearsal.snapshot()),
        protocol.encode(protocol.You(alias=YOU, can_bid=True)),
    ]


def _admission(alias: int) -> c.Admit:
    return c.Admit(
        lot_id=0,
        organisation_id=alias,
        bidder_person_id=alias,
        is_staff=False,
        deposit_fen=0,
        commitment=commitment(secrets.token_hex(16), str(alias)),
    )


def _bid(
    alias: int,
    client_bid_id: str,
    now: dt.datetime,
    act: str,
    amount_fen: int | None,
    extra: Mapping[str, int | str],
) -> c.PlaceBid:
    return c.PlaceBid(
        lot_id=0,
        alias=alias,
        client_bid_id=client_bid_id,
        act=act,
        amount_fen=amount_fen,
        extra=extra,
        nonce=secrets.token_hex(16),
        received_at=now,
    )


def _answer(
    client_bid_id: str, outcome: journal.Step | Refusal, receipt: dict[str, Any], server_time: str
) -> protocol.Receipt | protocol.Refused:
    if isinstance(outcome, Refusal):
        return protocol.Refused(
            client_bid_id=client_bid_id,
            code=outcome.code.value,
            params=dict(outcome.params),
            seq=outcome.seq,
            signature=receipt["signature"],
            receipt=receipt,
            server_time=server_time,
        )
    entry = outcome.entries[0]
    return protocol.Receipt(
        client_bid_id=client_bid_id,
        seq=entry.seq,
        hash=entry.hash,
        signature=receipt["signature"],
        receipt=receipt,
        server_time=server_time,
    )
