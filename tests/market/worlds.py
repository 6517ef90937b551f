"""Registers made by chance, through the register's own verbs: what was entered, changed, ended and paid, and when."""

from __future__ import annotations

import datetime as dt
import random

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.deals import movements, receipts, recording, service
from market.deals.inputs import ContractInput
from market.deals.models import Contract, ContractSource, ContractState, Receipt, TechnicalField
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
        self.kinds: dict[int, list[tuple[dt.datetime, tuple[str, str]]]] = {}
        """What kind each was of, from when on."""

    def wait(self) -> None:
        """Let some time pass: seconds or weeks."""
        self.now += dt.timedelta(seconds=self.chance.choice((1, 600, 86_400 * self.chance.randint(1, 40))))

    def _input(self, registered: dt.date) -> ContractInput:
        pick = self.chance
        kind = pick.choice(list(SUBKINDS))
        deal = pick.choice((pick.randint(1, 99), pick.randint(10**5, 10**10)))
        signed = registered - dt.timedelta(days=pick.randint(0, 200))
        costs = pick.randint(0, deal - 1)
        return ContractInput.model_validate(
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

    def _registered_on(self) -> dt.date:
        return local_date(self.now) - dt.timedelta(days=self.chance.choice((0, self.chance.randint(0, 500))))

    def enter_many(self, count: int) -> None:
        """Contracts registered before, entered together: rows and events at once, movements by one call."""
        made = []
        for _ in range(count):
            day = self._registered_on()
            data = self._input(day)
            made.append(
                Contract(
                    local_number=f"W-{len(self.ids) + len(made)}",
                    state=ContractState.REGISTERED.value,
                    source=self.chance.choice(SOURCES).value,
                    registered_on=day,
                    created_at=self.now,
                    updated_at=self.now,
                    **recording.values_of(self.session, SYSTEM, data),
                )
            )
        self.session.add_all(made)
        self.session.flush()
        for one in made:
            recording.add_event(self.session, SYSTEM, self.now, one, "enter", ContractState.REGISTERED)
            assert one.id is not None
            self._came(one.id, one.kind, one.subkind)
        movements.record_registered(self.session, self.now, [one.id for one in made if one.id])

    def enter(self) -> int:
        """A contract registered before, or taken through the register today."""
        pick = self.chance
        registered = self._registered_on()
        data = self._input(registered)
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
        self._came(found, data.kind.value, data.subkind.value)
        return found

    def _came(self, contract_id: int, kind: str, subkind: str) -> None:
        self.ids.append(contract_id)
        self.open.append(contract_id)
        self.kinds[contract_id] = [(BEGIN, (kind, subkind))]

    def amend(self, contract_id: int) -> None:
        """Another price, another price of the technology in it, sometimes another kind."""
        deal = self.chance.choice((self.chance.randint(1, 99), self.chance.randint(10**5, 10**10)))
        kind = self.chance.choice((None, None, *SUBKINDS))
        subkind = None if kind is None else self.chance.choice(SUBKINDS[kind])
        service.step(
            self.session, SYSTEM, self.now, contract_id, Step.AMEND, deal_fen=deal, technology_fen=deal,
            deductions=[], kind=kind, subkind=subkind, reason="补充协议",
        )  # fmt: skip
        if kind is not None and subkind is not None:
            self.kinds[contract_id].append((self.now, (kind.value, subkind.value)))

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
