"""The double-entry ledger: every transfer sums to zero in each currency, and none is ever edited."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from market.db import Session, t, upsert
from market.payments.models import LedgerLine, LedgerTransfer
from market.payments.rules import KeyReused, Line, check_balanced


def post(
    session: Session,
    key: str,
    cause: str,
    lines: Sequence[Line],
    now: dt.datetime,
    *,
    deposit_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    """Write a transfer; False when this key was posted before with the same lines.

    Raises Unbalanced, and KeyReused when the key stands for other lines.
    """
    check_balanced(lines)
    row = {"key": key, "cause": cause, "deposit_id": deposit_id, "at": now, "detail": dict(detail or {})}
    inserted = upsert(session, t(LedgerTransfer), [row], key=["key"])
    c = t(LedgerTransfer).c
    transfer_id = session.execute(sa.select(c.id).where(c.key == key)).scalar_one()
    if not inserted:
        line = t(LedgerLine).c
        stored = session.execute(
            sa.select(line.account, line.amount_fen, line.currency).where(line.transfer_id == transfer_id)
        )
        if sorted(tuple(one) for one in stored) != sorted(
            (one.account, one.amount_fen, one.currency) for one in lines
        ):
            raise KeyReused(key=key)
        return False
    session.execute(
        sa.insert(t(LedgerLine)),
        [
            {
                "transfer_id": transfer_id,
                "account": one.account,
                "amount_fen": one.amount_fen,
                "currency": one.currency,
            }
            for one in lines
        ],
    )
    return True


def balance(session: Session, account: str, currency: str = "CNY") -> int:
    """What an account holds, fen."""
    c = t(LedgerLine).c
    total = session.scalar(
        sa.select(sa.func.sum(c.amount_fen)).where(c.account == account, c.currency == currency)
    )
    return int(total or 0)


def balances(session: Session, prefix: str = "") -> dict[tuple[str, str], int]:
    """What every account with a prefix holds, by (account, currency); empty accounts are left out."""
    c = t(LedgerLine).c
    total = sa.func.sum(c.amount_fen)
    rows = session.execute(
        sa.select(c.account, c.currency, total)
        .where(c.account.startswith(prefix, autoescape=True))
        .group_by(c.account, c.currency)
        .having(total != 0)
        .order_by(c.account, c.currency)
    )
    return {(account, currency): int(amount) for account, currency, amount in rows}


def total(session: Session) -> dict[str, int]:
    """The sum of all lines by currency; anything but zero is damage. For the health check."""
    c = t(LedgerLine).c
    rows = session.execute(sa.select(c.currency, sa.func.sum(c.amount_fen)).group_by(c.currency))
    return {currency: int(amount) for currency, amount in rows}
