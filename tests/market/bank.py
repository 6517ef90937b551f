"""A market with a bank account, two of its staff, and payers, for tests of transfers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from market.clock import FixedClock
from market.db import Database, Session, t
from market.payments import collecting, service, wishes
from market.payments.bank import accounts
from market.payments.bank import service as bank
from market.payments.bank.gateway import OfflineGateway
from market.payments.bank.inputs import AccountInput, ProposalInput
from market.payments.bank.models import BankLine, BankPayment, MatchKind
from market.payments.bank.rules import StatementLine
from market.payments.gateway import Gateways, Method
from market.permissions import Actor, Role
from market.work import run_one
from tests.market.parties import Parties

ACCOUNT = {"holder": "温岭某科技市场", "bank": "某银行温岭支行", "number": "3300 1234 5678 9012"}


@dataclass
class Bank:
    """A market that payers transfer to. `first` and `second` are two of its staff."""

    db: Database
    clock: FixedClock
    gateway: OfflineGateway
    first: Actor
    second: Actor
    account_id: int
    serial: int = 0

    @classmethod
    def open(cls, db: Database, clock: FixedClock) -> Bank:
        """A market with one account in force."""
        with db.write() as session:
            parties = Parties(session, clock.now())
            first, second = parties.market(Role.STAFF), parties.market(Role.STAFF)
            account = accounts.propose(
                session, first, clock.now(), None, AccountInput.model_validate(ACCOUNT)
            )
            accounts.confirm(session, second, clock.now(), account)
        return cls(db, clock, OfflineGateway(db, clock), first, second, account)

    @property
    def gateways(self) -> Gateways:
        """The market's only gateway."""
        return Gateways((self.gateway,))

    def bidder(self, name: str = "温岭某泵业有限公司") -> tuple[Actor, int]:
        """Somebody who bids for a firm."""
        with self.db.write() as session:
            parties = Parties(session, self.clock.now())
            organisation = parties.organisation(name)
            return parties.actor(parties.person((organisation, Role.BIDDER))), organisation

    def deposit(self, actor: Actor, organisation_id: int, lot_id: int, amount_fen: int) -> tuple[int, str]:
        """A deposit that is to be transferred: its id and the reference to write on the transfer."""
        now = self.clock.now()
        with self.db.write() as session:
            deposit = service.request_deposit(session, actor, now, lot_id, organisation_id, amount_fen)
            payment = service.begin_payment(session, actor, now, deposit, self.gateway, Method.BANK_TRANSFER)
        self.work()
        with self.db.read() as session:
            b = t(BankPayment).c
            reference = session.execute(
                t(BankPayment).select().with_only_columns(b.reference).where(b.payment_id == payment)
            ).scalar_one()
        return deposit, str(reference)

    def work(self) -> int:
        """Run all work that is due."""
        handlers = {wishes.KIND: collecting.handler(self.db, self.clock, self.gateways, lambda _: ("", ""))}
        done = 0
        while run_one(self.db, handlers, self.clock.now):
            done += 1
        return done

    def line(self, amount_fen: int, remark: str = "", **values: object) -> StatementLine:
        """A line of a statement with a serial number of its own."""
        self.serial += 1
        return StatementLine(
            **{
                "position": self.serial,
                "booked_on": dt.date(2026, 3, 2),
                "amount_fen": amount_fen,
                "remark": remark,
                "serial": f"S{self.serial:06d}",
                **values,
            }  # type: ignore[arg-type]
        )

    def imported(self, *lines: StatementLine) -> list[int]:
        """Import a statement; the ids of its lines in order."""
        with self.db.write() as session:
            return import_lines(session, self, *lines)

    def explain(self, line_id: int, kind: MatchKind, target: int | None = None, **values: object) -> None:
        """Say what a line is by one of the staff, confirm it by the other, and do the work that follows."""
        data = ProposalInput.model_validate({"kind": kind, "target": target, **values})
        with self.db.write() as session:
            bank.propose(session, self.first, self.clock.now(), line_id, data, ["stripe"])
        with self.db.write() as session:
            bank.confirm(session, self.second, self.clock.now(), line_id)
        self.work()

    def transfer_id(self, reference: str) -> int:
        """The transfer of a reference."""
        with self.db.read() as session:
            b = t(BankPayment).c
            found = session.execute(t(BankPayment).select().where(b.reference == reference)).one()
            return int(found.id)


def import_lines(session: Session, market: Bank, *lines: StatementLine) -> list[int]:
    """Import lines in a session of the caller's; the ids of all of them in order."""
    now = market.clock.now()
    statement = bank.upload_statement(session, market.first, now, market.account_id, "x.csv", "0" * 64)
    bank.import_statement(session, market.first, now, statement, list(lines))
    c = t(BankLine).c
    wanted = [one.serial for one in lines]
    rows = session.execute(t(BankLine).select().where(c.serial.in_(wanted)))
    found = {row.serial: row.id for row in rows}
    return [found[serial] for serial in wanted]
