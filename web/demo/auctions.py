"""Demo auctions: each script is replayed through the real writer, under a clock that follows the script.

So their journals are what the engine makes of such a history, receipts and all. Lots over, lots open and
lots to come are replayed together, in the order in which things happened.
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from auctions import queries, reads, service
from auctions.models import LotInput, SaleInput, SettlementInput, TermsInput
from auctions.room import conduct
from auctions.rules import commands as c
from auctions.rules.settlement import has_next_bidder
from auctions.rules.terms import SoleBidderRule
from auctions.sales import create_sale
from market.clock import FixedClock
from market.permissions import Role
from market.work import run_one
from web import payment_work, settlement
from web.demo.content.lots import DemoBid, DemoLot, DemoSale, Outcome
from web.demo.deposits import put_down
from web.demo.people import Cast
from web.slips import Slip
from web.wiring import Parts

Act = Callable[[], None]
DECIDED_AFTER = dt.timedelta(seconds=1)
"""A close is decided this long after the end, once the ingress margin is over."""


class ScriptDiffers(Exception):
    """A replayed lot did not end as its script says: the script or the engine is wrong."""


@dataclass
class Replay:
    """One replay over a market whose clock it moves."""

    parts: Parts
    clock: FixedClock
    cast: Cast
    results: Mapping[str, int]
    _aliases: dict[tuple[str, str], int] = field(default_factory=dict)
    """(key of a lot, organisation) → bidder number."""

    def run(
        self,
        sales: Sequence[DemoSale],
        lots: Sequence[DemoLot],
        now: dt.datetime,
        tell: Callable[[int, int], None],
    ) -> None:
        """Replay everything up to `now`. Raises ScriptDiffers."""
        staff = self.cast.anyone(Role.STAFF)
        self.clock.set(now - dt.timedelta(days=400))
        self.parts.writer.trust_clock()  # it was set back on purpose
        with self.parts.db.write() as session:
            sale_ids = {
                sale.key: create_sale(
                    session,
                    staff,
                    SaleInput(
                        title=sale.title,
                        introduction=sale.introduction,
                        starts_at=now + dt.timedelta(seconds=sale.starts_in_s),
                    ),
                    self.clock.now(),
                )
                for sale in sales
            }
        order = itertools.count()
        events: list[tuple[dt.datetime, int, Act]] = []
        ids: dict[str, int] = {}
        for lot in lots:
            for at, act in self._script(lot, sale_ids[lot.sale], now, ids):
                if at <= now:
                    heapq.heappush(events, (at, next(order), act))
        total = len(events)
        while events:
            at, _, act = heapq.heappop(events)
            self.advance(at)
            act()
            self._follow()
            tell(total - len(events), total)
        self.advance(now)
        for lot in lots:
            self._compare(lot, ids[lot.key])

    def advance(self, to: dt.datetime) -> None:
        """Move the clock on, stopping wherever a lot is due, as the timekeeper would be there."""
        while True:
            with self.parts.db.read() as session:
                due = reads.next_due(session)
            if due is None or due + DECIDED_AFTER > to:
                break
            self.clock.set(max(self.clock.now(), due + DECIDED_AFTER))
            answers = [answer.result(30) for answer in self.parts.timekeeper.tick()]
            self._follow()
            if not any(answer.accepted for answer in answers):
                break
        self.clock.set(max(self.clock.now(), to))

    def _follow(self) -> None:
        """Do at once what follows the end of a lot, before what the deposits rest on lapses."""
        parts = self.parts
        work = {
            settlement.KIND: settlement.handler(parts.db, self.clock),
            **payment_work.handlers(parts),
        }
        while run_one(parts.db, work, self.clock.now):
            pass

    def _script(
        self, lot: DemoLot, sale_id: int, now: dt.datetime, ids: dict[str, int]
    ) -> list[tuple[dt.datetime, Act]]:
        opens = now + dt.timedelta(seconds=lot.opens_in_s)

        def after(seconds: float) -> dt.datetime:
            return opens + dt.timedelta(seconds=seconds)

        def publish() -> None:
            ids[lot.key] = self._publish(lot, sale_id, opens)

        script: list[tuple[dt.datetime, Act]] = [(after(-lot.published_before_s), publish)]
        for bidder in lot.bidders:
            asked = after(-bidder.asked_before_s)

            def admit(key: str = bidder.organisation, rank: int | None = bidder.priority) -> None:
                self._admit(lot, ids[lot.key], key, rank)

            script.append((max(asked, after(1 - lot.published_before_s)), admit))
        for number, bid in enumerate(lot.bids):

            def place(one: DemoBid = bid, n: int = number) -> None:
                self._bid(lot, ids[lot.key], one, n)

            script.append((after(bid.offset_s), place))
        if lot.stop is not None:
            script += self._stops(lot, ids, after)
        if lot.expected is Outcome.DEFAULTED:
            due = after(lot.terms.duration_s + 4 * 3600 + 8 * 86_400)
            script.append(
                (due, lambda: self._conduct(c.RecordDefault, ids[lot.key], "未在约定期限内签订合同并付款"))
            )
        return script

    def _stops(
        self, lot: DemoLot, ids: dict[str, int], after: Callable[[float], dt.datetime]
    ) -> list[tuple[dt.datetime, Act]]:
        stop = lot.stop
        assert stop is not None
        if stop.lasted_s is None:
            return [(after(stop.offset_s), lambda: self._conduct(c.Cancel, ids[lot.key], stop.reason))]
        return [
            (after(stop.offset_s), lambda: self._conduct(c.Pause, ids[lot.key], stop.reason)),
            (after(stop.offset_s + stop.lasted_s), lambda: self._conduct(c.Resume, ids[lot.key], None)),
        ]

    def _publish(self, lot: DemoLot, sale_id: int, opens: dt.datetime) -> int:
        staff, terms = self.cast.anyone(Role.STAFF), lot.terms
        ends = opens + dt.timedelta(seconds=terms.duration_s)
        hard = None if terms.hard_end_s is None else opens + dt.timedelta(seconds=terms.hard_end_s)
        entered = LotInput(
            title=lot.title,
            sale_id=sale_id,
            number=lot.number,
            terms=TermsInput(
                format=terms.format,
                params=dict(terms.params),
                start_fen=terms.start_fen,
                reserve_fen=terms.reserve_fen,
                step_fen=terms.step_fen,
                max_steps=terms.max_steps,
                deposit_fen=terms.deposit_fen,
                settlement=SettlementInput(runner_up=has_next_bidder(terms.format, dict(terms.params))),
                opens_at=opens,
                ends_at=ends,
                hard_end=hard,
                window_s=terms.window_s,
                extension_s=terms.extension_s,
                sole_bidder=SoleBidderRule.SELL if terms.sole_bidder_sells else SoleBidderRule.PASS_IN,
            ),
        )
        now = self.clock.now()
        with self.parts.db.write() as session:
            lot_id = service.create_lot(session, staff, self.results[lot.result], entered, now)
            service.publish(session, staff, lot_id, now)
        return lot_id

    def _admit(self, lot: DemoLot, lot_id: int, organisation: str, rank: int | None) -> None:
        staff, now = self.cast.anyone(Role.STAFF), self.clock.now()
        bidder = self.cast.actor(organisation, Role.BIDDER)
        if bidder is None:
            raise ScriptDiffers(f"{lot.key}: nobody bids for {organisation}")
        organisation_id = self.cast.organisations[organisation]
        with self.parts.db.write() as session:
            terms_hash = queries.lot_detail(session, lot_id).terms_hash
            admission = service.request_admission(session, bidder, lot_id, organisation_id, terms_hash, now)
        deposit = None
        if lot.terms.deposit_fen:
            deposit = put_down(self.parts, bidder, lot_id, organisation_id, lot.terms.deposit_fen)
        with self.parts.db.write() as session:
            alias = service.admit(session, staff, admission, now, deposit_id=deposit, priority=rank)
        self._aliases[lot.key, organisation] = alias

    def _bid(self, lot: DemoLot, lot_id: int, bid: DemoBid, number: int) -> None:
        bidder = self.cast.actor(bid.organisation, Role.BIDDER)
        assert bidder is not None
        amount, extra = self._said(lot, lot_id, bid)
        answer = self.parts.writer.submit(
            c.PlaceBid(
                lot_id=lot_id,
                person_id=bidder.person_id,
                client_bid_id=f"demo-{lot.key}-{number:04d}",
                amount_fen=amount,
                act=bid.act,
                extra=extra,
                received_at=self.clock.now(),
                organisation_ids=frozenset({self.cast.organisations[bid.organisation]}),
            )
        ).result(30)
        if not answer.accepted:
            raise ScriptDiffers(f"{lot.key}: bid {number} refused: {answer.code} {answer.params}")

    def _said(self, lot: DemoLot, lot_id: int, bid: DemoBid) -> tuple[int | None, dict[str, int | str]]:
        """What of a bid is sent: the amount, if it may be known, and what else its act needs."""
        if bid.act == "seal":
            slip = Slip(lot_id, self._aliases[lot.key, bid.organisation], bid.amount_fen, bid.nonce)
            return None, {"commitment": slip.commitment}
        if bid.act == "open":
            return bid.amount_fen, {"nonce": bid.nonce}
        if bid.act == "take":
            fall = lot.terms.start_fen - bid.amount_fen
            return bid.amount_fen, {"step": -(-fall // int(dict(lot.terms.params)["decrement_fen"]))}
        if bid.act == "offer":
            return bid.amount_fen, {"royalty_bp": bid.royalty_bp}
        return bid.amount_fen, {}

    def _conduct(self, command: Callable[..., c.Command], lot_id: int, reason: str | None) -> None:
        staff = self.cast.anyone(Role.STAFF)
        given = {} if reason is None else {"reason": reason}
        conduct(self.parts.writer, staff, command(lot_id=lot_id, person_id=staff.person_id, **given))

    def _compare(self, lot: DemoLot, lot_id: int) -> None:
        with self.parts.db.read() as session:
            found = queries.lot_detail(session, lot_id)
        winner = self.cast.organisations.get(lot.winner)
        if (found.winner_organisation_id, found.card.hammer_fen) != (winner, lot.hammer_fen):
            raise ScriptDiffers(
                f"{lot.key}: {found.card.state} at {found.card.hammer_fen}, the script says {lot.hammer_fen}"
            )
