"""Reconciliation: what the ledger says, what the gateways say, what the bank said, and what is different or late.

Amounts are fen, money that is there is positive. Read by staff; callers ask for the right.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.parties.models import Organisation
from market.payments import ledger, wishes
from market.payments.bank import queries as bank_queries
from market.payments.bank.gateway import OfflineGateway
from market.payments.bank.models import (
    AccountState,
    BankAccount,
    BankLine,
    BankMatch,
    BankPayment,
    BankStatement,
    LineState,
    MatchKind,
    MatchState,
    PayOut,
    PayOutState,
    StatementState,
)
from market.payments.bank.service import bank_cash
from market.payments.models import (
    AccountKind,
    Deposit,
    DepositState,
    LedgerAccount,
    OperationState,
    Payment,
    PaymentDispute,
    PaymentOperation,
)
from market.work import WorkItem, WorkState

LISTED = 100
"""How many of a kind are listed."""


@dataclass(frozen=True)
class Behind:
    """A payment that stands differently here and there. `since` is when the other side learned of it."""

    payment_id: int
    organisation_name: str
    lot_id: int
    reference: str
    ours_fen: int
    theirs_fen: int
    since: dt.datetime | None


@dataclass(frozen=True)
class GatewayLine:
    """A gateway in a currency. `theirs_fen` is what it has of ours by what it was last seen to say: captured less
    refunded, less its fees, less what disputes took, less what it paid over to our bank."""

    gateway: str
    currency: str
    ours_fen: int
    authorised_fen: int
    captured_fen: int
    refunded_fen: int
    fees_fen: int
    disputed_fen: int
    settled_fen: int
    theirs_fen: int
    behind: tuple[Behind, ...]

    @property
    def difference_fen(self) -> int:
        """What we think is there and the gateway does not say."""
        return self.ours_fen - self.theirs_fen


@dataclass(frozen=True)
class BankAccountLine:
    """One of the market's bank accounts. `told_fen` is the last balance that a statement told, on `told_on`;
    `worked_out_fen` the first opening balance and all lines since."""

    account_id: int
    name: str
    currency: str
    told_fen: int | None
    told_on: dt.date | None
    worked_out_fen: int | None
    lines_fen: int
    ignored_fen: int
    ours_fen: int

    @property
    def gap_fen(self) -> int | None:
        """What the balance holds that no line explains: a statement is missing."""
        if self.told_fen is None or self.worked_out_fen is None:
            return None
        return self.told_fen - self.worked_out_fen

    @property
    def difference_fen(self) -> int:
        """What we think is there and the lines do not say."""
        return self.ours_fen - (self.lines_fen - self.ignored_fen)


@dataclass(frozen=True)
class Late:
    """Something that waits. `code` says what it is (`reconciliation.<code>` in the catalogues)."""

    code: str
    id: int
    about: str
    amount_fen: int
    currency: str
    since: dt.datetime | dt.date
    href: str


@dataclass(frozen=True)
class Trouble:
    """Damage: `code` (`ledger.<code>` in the catalogues), what about, how much."""

    code: str
    about: str
    fen: int


@dataclass(frozen=True)
class Reconciliation:
    """Everything on one page."""

    gateways: tuple[GatewayLine, ...]
    banks: tuple[BankAccountLine, ...]
    unexplained: dict[str, int]
    late: tuple[Late, ...]
    troubles: tuple[Trouble, ...]


def reconcile(session: Session, now: dt.datetime) -> Reconciliation:
    """Work everything out as it stands now."""
    unexplained = {
        currency: fen for (_, currency), fen in ledger.balances(session, kind=AccountKind.UNEXPLAINED).items()
    }
    return Reconciliation(
        tuple(_gateways(session)),
        tuple(_banks(session)),
        unexplained,
        tuple(_late(session, now)),
        tuple(health(session)),
    )


def health(session: Session) -> list[Trouble]:
    """What must never be otherwise: all balances sum to zero, and each held deposit is held to the fen."""
    found = [Trouble("sum", currency, fen) for currency, fen in ledger.total(session).items() if fen]
    d, a = t(Deposit).c, t(LedgerAccount).c
    balances = ledger.balances(session, kind=AccountKind.HELD)
    codes = {
        (row.organisation_id, row.lot_id, row.currency): row.code
        for row in session.execute(
            sa.select(a.organisation_id, a.lot_id, a.currency, a.code).where(a.kind == AccountKind.HELD.value)
        )
    }
    held = {key: balances.get((code, key[2]), 0) for key, code in codes.items()}
    for row in session.execute(
        sa.select(d.id, d.organisation_id, d.lot_id, d.currency, d.amount_fen, d.state)
    ):
        there = held.pop((row.organisation_id, row.lot_id, row.currency), 0)
        open_still = DepositState(row.state) in (DepositState.DUE, DepositState.FAILED)
        wanted = row.amount_fen if row.state == DepositState.HELD else 0
        if there != wanted and not (open_still and there >= 0):
            found.append(Trouble("held", f"deposit {row.id}", there - wanted))
    found += [Trouble("held", f"held:{key[0]}:{key[1]}", fen) for key, fen in held.items() if fen]
    return found


def _gateways(session: Session) -> list[GatewayLine]:
    p, s = t(Payment).c, t(PaymentDispute).c
    sums = {
        (row.gateway, row.currency): row
        for row in session.execute(
            sa.select(
                p.gateway,
                p.currency,
                sa.func.sum(p.captured_fen).label("captured"),
                sa.func.sum(p.refunded_fen).label("refunded"),
                sa.func.sum(p.fee_fen).label("fees"),
                sa.func.sum(p.authorised_fen).label("authorised"),
            ).group_by(p.gateway, p.currency)
        )
    }
    disputed = {
        (row.gateway, row.currency): int(row.fen)
        for row in session.execute(
            sa.select(p.gateway, p.currency, sa.func.sum(s.withdrawn_fen).label("fen"))
            .select_from(t(PaymentDispute).join(t(Payment), p.id == s.payment_id))
            .group_by(p.gateway, p.currency)
        )
    }
    settled = _settled(session)
    offline = OfflineGateway.name
    bank = _bank_sums(session)
    keys = {*sums, *settled, *((offline, currency) for currency in bank)}
    found = []
    for gateway, currency in sorted(keys):
        row = sums.get((gateway, currency))
        captured, refunded = (int(row.captured), int(row.refunded)) if row else (0, 0)
        fees, authorised = (int(row.fees), int(row.authorised)) if row else (0, 0)
        withdrawn = disputed.get((gateway, currency), 0)
        over = settled.get((gateway, currency), 0)
        behind: tuple[Behind, ...] = ()
        if gateway == offline:
            came, left, lines_in, lines_out = bank.get(currency, (0, 0, 0, 0))
            captured, refunded, over = came, left, lines_in - lines_out
            behind = tuple(_behind_offline(session, currency))
        found.append(
            GatewayLine(
                gateway,
                currency,
                -ledger.balance(session, ledger.cash(gateway), currency),
                authorised,
                captured,
                refunded,
                fees,
                withdrawn,
                over,
                captured - refunded - fees - withdrawn - over,
                behind,
            )
        )
    return found


def _settled(session: Session) -> dict[tuple[str, str], int]:
    """What other gateways paid over to our bank, by (gateway, currency)."""
    m, line, a = t(BankMatch).c, t(BankLine).c, t(BankAccount).c
    return {
        (row.gateway, row.currency): int(row.fen)
        for row in session.execute(
            sa.select(m.gateway, a.currency, sa.func.sum(line.amount_fen).label("fen"))
            .select_from(
                t(BankMatch)
                .join(t(BankLine), line.id == m.line_id)
                .join(t(BankAccount), a.id == line.account_id)
            )
            .where(m.kind == MatchKind.SETTLEMENT.value, m.state == MatchState.CONFIRMED.value)
            .group_by(m.gateway, a.currency)
        )
    }


def _bank_sums(session: Session) -> dict[str, tuple[int, int, int, int]]:
    """Of transfers by currency: what came, what left (refunds and payments to sellers), and what of both the
    statement shows."""
    m, line, a, o = t(BankMatch).c, t(BankLine).c, t(BankAccount).c, t(PayOut).c
    shown: dict[tuple[str, str], int] = {
        (row.kind, row.currency): int(row.fen)
        for row in session.execute(
            sa.select(m.kind, a.currency, sa.func.sum(line.amount_fen).label("fen"))
            .select_from(
                t(BankMatch)
                .join(t(BankLine), line.id == m.line_id)
                .join(t(BankAccount), a.id == line.account_id)
            )
            .where(m.state == MatchState.CONFIRMED.value)
            .group_by(m.kind, a.currency)
        )
    }
    left = {
        row.currency: int(row.fen)
        for row in session.execute(
            sa.select(o.currency, sa.func.sum(o.amount_fen).label("fen"))
            .where(o.state == PayOutState.LEFT.value)
            .group_by(o.currency)
        )
    }
    currencies = {currency for _, currency in shown} | set(left)
    found = {}
    for currency in currencies:
        came = shown.get((MatchKind.PAYMENT.value, currency), 0)
        back = shown.get((MatchKind.RETURNED.value, currency), 0)
        out = -shown.get((MatchKind.PAY_OUT.value, currency), 0)
        found[currency] = (came, left.get(currency, 0), came + back, out)
    return found


def _behind_offline(session: Session, currency: str) -> list[Behind]:
    """Transfers that came or went back and whose payment has not been pursued since."""
    b, p, o = t(BankPayment).c, t(Payment).c, t(Organisation).c
    m, line, out = t(BankMatch).c, t(BankLine).c, t(PayOut).c
    came = (
        sa.select(
            m.bank_payment_id,
            sa.func.sum(line.amount_fen).label("fen"),
            sa.func.max(m.decided_at).label("at"),
        )
        .select_from(t(BankMatch).join(t(BankLine), line.id == m.line_id))
        .where(m.kind == MatchKind.PAYMENT.value, m.state == MatchState.CONFIRMED.value)
        .group_by(m.bank_payment_id)
        .subquery()
    )
    left = (
        sa.select(
            out.bank_payment_id,
            sa.func.sum(out.amount_fen).label("fen"),
            sa.func.max(out.updated_at).label("at"),
        )
        .where(out.state == PayOutState.LEFT.value, out.bank_payment_id.is_not(None))
        .group_by(out.bank_payment_id)
        .subquery()
    )
    theirs = sa.func.coalesce(came.c.fen, 0) - sa.func.coalesce(left.c.fen, 0)
    rows = session.execute(
        sa.select(
            p.id, o.name, p.lot_id, b.reference, (p.captured_fen - p.refunded_fen).label("ours"),
            theirs.label("theirs"), came.c.at, left.c.at.label("left_at"),
        )
        .select_from(
            t(BankPayment)
            .join(t(Payment), p.id == b.payment_id)
            .join(t(Organisation), o.id == p.organisation_id)
            .outerjoin(came, came.c.bank_payment_id == b.id)
            .outerjoin(left, left.c.bank_payment_id == b.id)
        )
        .where(
            b.currency == currency,
            p.gateway == OfflineGateway.name,
            sa.or_(
                p.captured_fen != sa.func.coalesce(came.c.fen, 0), p.refunded_fen != sa.func.coalesce(left.c.fen, 0)
            ),
        )
        .order_by(p.id)
        .limit(LISTED)
    )  # fmt: skip
    return [
        Behind(
            row.id, row.name, row.lot_id, row.reference, int(row.ours), int(row.theirs),
            max((one for one in (row.at, row.left_at) if one), default=None),
        )
        for row in rows
    ]  # fmt: skip


def _banks(session: Session) -> list[BankAccountLine]:
    a, s, line = t(BankAccount).c, t(BankStatement).c, t(BankLine).c
    accounts = session.execute(
        sa.select(a.id, a.bank, a.number, a.currency)
        .where(
            a.organisation_id.is_(None),
            a.state.in_([AccountState.IN_FORCE.value, AccountState.REPLACED.value]),
        )
        .order_by(a.id)
    ).all()
    sums: dict[int, dict[str, int]] = defaultdict(dict)
    for row in session.execute(
        sa.select(line.account_id, line.state, sa.func.sum(line.amount_fen).label("fen")).group_by(
            line.account_id, line.state
        )
    ):
        sums[row.account_id][row.state] = int(row.fen)
    found = []
    for account in accounts:
        told = session.execute(
            sa.select(s.closing_fen, s.last_on)
            .where(
                s.account_id == account.id,
                s.state == StatementState.IMPORTED.value,
                s.closing_fen.is_not(None),
            )
            .order_by(s.last_on.desc(), s.id.desc())
            .limit(1)
        ).first()
        opening = session.execute(
            sa.select(s.opening_fen, s.first_on)
            .where(s.account_id == account.id, s.opening_fen.is_not(None))
            .order_by(s.first_on, s.id)
            .limit(1)
        ).first()
        worked_out = None
        if told is not None and opening is not None:
            between = session.scalar(
                sa.select(sa.func.sum(line.amount_fen)).where(
                    line.account_id == account.id, line.booked_on.between(opening.first_on, told.last_on)
                )
            )
            worked_out = opening.opening_fen + int(between or 0)
        by_state = sums[account.id]
        found.append(
            BankAccountLine(
                account.id,
                f"{account.bank} {account.number[-4:]}",
                account.currency,
                told.closing_fen if told else None,
                told.last_on if told else None,
                worked_out,
                sum(by_state.values()),
                by_state.get(LineState.IGNORED.value, 0),
                -ledger.balance(session, bank_cash(account.id), account.currency),
            )
        )
    return found


def _late(session: Session, now: dt.datetime) -> list[Late]:
    found: list[Late] = []
    row: Any
    d, p, w, op, dis = (
        t(Deposit).c, t(Payment).c, t(WorkItem).c, t(PaymentOperation).c, t(PaymentDispute).c,
    )  # fmt: skip
    o = t(Organisation).c
    for row in session.execute(
        sa.select(d.id, d.lot_id, d.amount_fen, d.currency, d.release_by, o.name)
        .select_from(t(Deposit).join(t(Organisation), o.id == d.organisation_id))
        .where(d.state == DepositState.RELEASING.value, d.release_by < now)
        .order_by(d.release_by)
        .limit(LISTED)
    ):
        found.append(
            Late(
                "refund",
                row.id,
                row.name,
                row.amount_fen,
                row.currency,
                row.release_by,
                f"/lots/{row.lot_id}",
            )
        )
    for row in session.execute(
        sa.select(w.id, w.payload, w.due_at)
        .where(w.kind == wishes.KIND, w.state == WorkState.DEAD.value)
        .order_by(w.id)
        .limit(LISTED)
    ):
        about = str(row.payload.get("payment_id", ""))
        found.append(Late("dead", row.id, about, 0, "CNY", row.due_at, "/admin/work?state=dead"))
    for row in session.execute(
        sa.select(
            op.id, op.kind, op.error, op.amount_fen, op.finished_at, op.payment_id, p.currency, p.lot_id
        )
        .select_from(t(PaymentOperation).join(t(Payment), p.id == op.payment_id))
        .where(
            op.state == OperationState.REFUSED.value,
            op.error.not_in(["superseded", "called_off"]),
            p.settled.is_(False),
        )
        .order_by(op.id)
        .limit(LISTED)
    ):
        about = f"{row.payment_id} {row.kind} {row.error}"
        since = row.finished_at or now
        found.append(
            Late("operation", row.id, about, row.amount_fen, row.currency, since, f"/lots/{row.lot_id}")
        )
    for row in session.execute(
        sa.select(dis.id, dis.reason, dis.status, dis.amount_fen, dis.created_at, p.currency, p.lot_id)
        .select_from(t(PaymentDispute).join(t(Payment), p.id == dis.payment_id))
        .where(dis.status.not_in(["won", "lost", "warning_closed"]))
        .order_by(dis.id)
        .limit(LISTED)
    ):
        about = f"{row.reason} {row.status}"
        found.append(
            Late(
                "dispute", row.id, about, row.amount_fen, row.currency, row.created_at, f"/lots/{row.lot_id}"
            )
        )
    for state in (LineState.OPEN, LineState.PROPOSED):
        for one in bank_queries.lines(session, state, limit=LISTED)[0]:
            found.append(
                Late(
                    f"line_{state.value}", one.id, one.counterparty or one.remark, one.amount_fen, one.currency,
                    one.booked_on, f"/bank/lines/{one.id}",
                )
            )  # fmt: skip
    for waiting in (PayOutState.WAITING, PayOutState.PREPARED, PayOutState.APPROVED, PayOutState.EXPORTED):
        for out in bank_queries.pay_outs(session, waiting, limit=LISTED)[0]:
            found.append(
                Late(
                    f"pay_out_{waiting.value}", out.id, out.organisation_name, out.amount_fen, out.currency,
                    out.created_at, f"/bank/pay-outs?state={waiting.value}",
                )
            )  # fmt: skip
    return found
