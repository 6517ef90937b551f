"""Registers made by chance, through the register's own verbs: what was entered, changed, ended and paid, and when."""

from __future__ import annotations

import datetime as dt
import random

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.deals import receipts, service
from market.deals.inputs import ContractInput
from market.deals.models import ContractSource, Receipt, TechnicalField
from market.deals.receipts import ReceiptInput
from market.deals.rules import SUBKINDS, Step
from market.permissions import SYSTEM

BEGIN = dt.datetime(2024, 2, 1, 3, tzinfo=dt.UTC)
REGIONS = ("331081", "331081", "331081", "331002", "330106", "310115", "340104", "440305", "000000")
TOWNS = ("", "大溪镇", "泽国镇", "太平街道")
NATURES = (None, "010", "021", "022", "023", "029", "030", "150", "170", "230", "310", "410")
SOURCES = (ContractSource.ENTERED, ContractSource.IMPORTED, ContractSource.DECLARED)


class World:
    """A register whose clock is moved by each step."""

    def __init__(self, session: Session, chance: random.Random) -> None:
        self.session, self.chance = session, chance
        self.now = BEGIN
        self.ids: list[int] = []
        self.open: list[int] = []
        """Those that are registered."""

    def wait(self) -> None:
        """Let some time pass: seconds or weeks."""
        self.now += dt.timedelta(seconds=self.chance.choice((1, 600, 86_400 * self.chance.randint(1, 40))))

    def enter(self) -> int:
        """A contract registered before, or taken through the register today."""
        pick = self.chance
        kind = pick.choice(list(SUBKINDS))
        deal = pick.choice((pick.randint(1, 99), pick.randint(10**5, 10**10)))
        today = local_date(self.now)
        registered = today - dt.timedelta(days=pick.choice((0, pick.randint(0, 500))))
        signed = registered - dt.timedelta(days=pick.randint(0, 200))
        costs = pick.randint(0, deal - 1)
        data = ContractInput.model_validate(
            {
                "title": "技术合同", "kind": kind.value, "subkind": pick.choice(SUBKINDS[kind]).value,
                "seller_name": "甲", "seller_region": pick.choice(REGIONS), "buyer_name": "乙",
                "buyer_region": pick.choice(REGIONS), "deal_fen": deal,
                "deductions": [{"item": "设备", "fen": costs}] if costs else [],
                "technical_field": pick.choice(list(TechnicalField)).value, "signed_on": signed,
                **{f"{side}_town": pick.choice(TOWNS) for side in ("seller", "buyer")},
                **{f"{side}_nature": pick.choice(NATURES) for side in ("seller", "buyer")},
                "effective_on": pick.choice((None, signed + dt.timedelta(days=pick.randint(0, 300)))),
            }
        )  # fmt: skip
        if pick.random() < 0.6:
            found = service.enter_registered(
                self.session, SYSTEM, self.now, data, registered_on=registered, source=pick.choice(SOURCES)
            )
        else:
            found = service.create_contract(self.session, SYSTEM, self.now, data)
            service.step(self.session, SYSTEM, self.now, found, Step.SUBMIT)
            service.step(self.session, SYSTEM, self.now, found, Step.ACCEPT)
            if pick.random() < 0.3:
                self.receive(found)
                if pick.random() < 0.5:
                    self.reverse(found)
                self.wait()
            service.step(self.session, SYSTEM, self.now, found, Step.REGISTER)
        self.ids.append(found)
        self.open.append(found)
        return found

    def amend(self, contract_id: int) -> None:
        """Another price, and another price of the technology in it."""
        deal = self.chance.choice((self.chance.randint(1, 99), self.chance.randint(10**5, 10**10)))
        service.step(
            self.session, SYSTEM, self.now, contract_id, Step.AMEND, deal_fen=deal,
            technology_fen=deal, deductions=[], reason="补充协议",
        )  # fmt: skip

    def end(self, contract_id: int) -> None:
        """Deregistered or revoked."""
        what = self.chance.choice((Step.DEREGISTER, Step.REVOKE))
        service.step(self.session, SYSTEM, self.now, contract_id, what, reason="解除")
        self.open.remove(contract_id)

    def receive(self, contract_id: int) -> None:
        """Money, on some day up to today."""
        day = local_date(self.now) - dt.timedelta(days=self.chance.choice((0, self.chance.randint(0, 400))))
        fen = self.chance.choice((100, self.chance.randint(1, 10**8)))
        receipts.add(self.session, SYSTEM, self.now, contract_id, ReceiptInput(received_on=day, fen=fen))

    def reverse(self, contract_id: int) -> None:
        """The oldest receipt that still stands is taken back."""
        r = t(Receipt).c
        back = t(Receipt).alias()
        found = self.session.scalar(
            sa.select(sa.func.min(r.id)).where(
                r.contract_id == contract_id, r.reverses_id.is_(None),
                sa.not_(sa.exists().where(back.c.reverses_id == r.id)),
            )
        )  # fmt: skip
        if found is not None:
            receipts.reverse(self.session, SYSTEM, self.now, contract_id, found, "记错")

    def step(self) -> None:
        """Anything that can happen next, after some time."""
        self.wait()
        what = self.chance.choice(("enter", "enter", "amend", "end", "receive", "receive", "reverse"))
        if what == "enter" or not self.open:
            self.enter()
        elif what == "reverse":
            self.reverse(self.chance.choice(self.ids))
        else:
            getattr(self, what)(self.chance.choice(self.open))
