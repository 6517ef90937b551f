"""How the demonstration's contracts are paid: forms of price, instalments and money received. All invented.

Each contract has a generator of its own, seeded by its key, so that one more contract changes no other.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from market.deals.models import ContractKind, ContractState, ContractSubkind, PriceForm, RoyaltyBase
from web.demo.content.contracts import LAST_DAY, THOUSAND_YUAN, DemoContract

LEAST = 200 * THOUSAND_YUAN
"""Below this a price is paid at once."""
RECEIVED_FROM = 2025
"""First year of registration whose contracts show what was received."""

_SHARES = ((40, 40, 20), (50, 50), (30, 60, 10), (60, 40))
_WHEN = ("合同生效后十日内", "阶段成果提交并经确认后", "验收合格后")
_INSTALMENTS = {
    ContractKind.DEVELOPMENT: 0.6,
    ContractKind.SERVICE: 0.5,
    ContractKind.ASSIGNMENT: 0.35,
    ContractKind.LICENCE: 0.2,
    ContractKind.CONSULTING: 0.0,
}
_NATURES = (
    ("大学", "022"),
    ("学院", "022"),
    ("研究", "021"),
    ("医院", "023"),
    ("公司", "150"),
    ("局", "010"),
)


def nature(name: str) -> str | None:
    """The nature code that a party's name suggests; a member's own record goes before it."""
    return next((code for words, code in _NATURES if words in name), None)


def terms(item: DemoContract) -> dict[str, Any]:
    """Fields of `ContractInput` beside those that the contract has itself."""
    rng = random.Random(f"payment {item.key}")  # noqa: S311 (nothing here is secret)
    found: dict[str, Any] = {
        "seller_nature": None if item.seller else nature(item.seller_name),
        "buyer_nature": None if item.buyer else nature(item.buyer_name),
        "trade_secret": item.subkind is ContractSubkind.KNOW_HOW and rng.random() < 0.5,
    }
    chance = rng.random()
    if item.amended_on is not None or item.deal_fen < LEAST:
        return found
    if item.kind is ContractKind.LICENCE and chance > 0.5:
        entry = chance > 0.75
        found |= {
            "price_form": PriceForm.ENTRY_ROYALTY if entry else PriceForm.ROYALTY,
            "royalty_base": rng.choice(list(RoyaltyBase)),
            "royalty_ppm": rng.randrange(2, 13) * 5_000,
        }
        if entry:
            found["entry_fee_fen"] = (
                item.deal_fen * rng.randrange(20, 45) // 100 // THOUSAND_YUAN * THOUSAND_YUAN
            )
    elif chance < _INSTALMENTS[item.kind]:
        found |= {"price_form": PriceForm.INSTALMENTS, "instalments": _instalments(rng, item)}
    return found


def _instalments(rng: random.Random, item: DemoContract) -> list[dict[str, Any]]:
    shares = rng.choice(_SHARES)
    parts = [item.deal_fen * share // 100 // THOUSAND_YUAN * THOUSAND_YUAN for share in shares[:-1]]
    parts.append(item.deal_fen - sum(parts))
    span = max(60, (item.ends_on - item.effective_on).days)
    days = [10 + span * number // len(shares) for number in range(len(shares))]
    conditions = (*_WHEN[: len(shares) - 1], _WHEN[-1])
    return [
        {"due_on": item.effective_on + dt.timedelta(days=after), "fen": fen, "condition": condition}
        for after, fen, condition in zip(days, parts, conditions, strict=True)
    ]


def received(item: DemoContract, today: dt.date) -> list[tuple[dt.date, int]]:
    """Money received by a day: most of what fell due, some of it late."""
    if item.registered_on is None or item.registered_on.year < RECEIVED_FROM:
        return []
    if item.state is not ContractState.REGISTERED or item.amended_on is not None:
        return []
    rng = random.Random(f"received {item.key}")  # noqa: S311 (nothing here is secret)
    stated = terms(item)
    due = [(one["due_on"], one["fen"]) for one in stated.get("instalments", ())]
    if "royalty_base" in stated:
        due = [(item.effective_on, stated["entry_fee_fen"])] if "entry_fee_fen" in stated else []
    elif not due:
        due = [(item.effective_on, item.deal_fen)]
    found = []
    for day, fen in due:
        came = max(day, item.registered_on) + dt.timedelta(days=rng.randrange(1, 45))
        if came > min(today, LAST_DAY) or rng.random() < 0.12:
            break
        found.append((came, fen))
    return found
