"""How the price of a contract is made up: forms of payment, foreign currency, what falls due when. Pure.

A price form (民法典 846) says which of the other fields belong to it:

    lump            nothing more
    instalments     instalments, which sum to the deal
    royalty         base and rate; the deal is the parties' estimate
    entry_royalty   the entry fee, base and rate

What belongs to another form is refused at its field, so that nothing typed is dropped unseen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from market.deals.models import PriceForm
from market.deals.rules import Problems
from market.money import MAX_FEN, yuan

CNY = "CNY"
CURRENCIES = {
    "USD": 2, "EUR": 2, "JPY": 0, "GBP": 2, "HKD": 2, "KRW": 0, "CHF": 2, "SGD": 2, "AUD": 2, "CAD": 2,
    "TWD": 2, "SEK": 2, "RUB": 2,
}  # fmt: skip
"""Foreign currencies that a contract may be written in, with their decimals (ISO 4217)."""

RATE_DECIMALS = 8
MAX_RATE = 10_000

NATURES = (
    "010", "020", "021", "022", "023", "030", "110", "120", "130", "140", "150", "160", "170", "190", "200", "300",
    "400",
)  # fmt: skip
"""Party nature codes that the form offers. Those read are 010 to 030, 110, 150, 160, 170 and the groups by
their first digit; 120, 130, 140 and 190 are recalled. Finer codes of a group are taken as they come."""


@dataclass(frozen=True)
class Instalment:
    """A part of the price and the day on which it falls due."""

    due_on: dt.date
    fen: int
    condition: str = ""


@dataclass(frozen=True)
class Price:
    """A price as the parties state it. `deal_fen` may be left out where a foreign amount says it."""

    deal_fen: int | None
    form: PriceForm
    instalments: tuple[Instalment, ...] = ()
    entry_fee_fen: int | None = None
    royalty_base: str = ""
    royalty_ppm: int | None = None
    currency: str = CNY
    foreign_amount: str = ""
    """In units of the currency, as people write it: `120,000.50`."""
    exchange_rate: str = ""
    """Yuan for one unit."""
    rate_on: dt.date | None = None


def nature_group(code: str) -> str:
    """The code under which a nature's label is found: itself, or its group's where it is a finer one."""
    return code if code in NATURES else {"0": "020", "1": "190"}.get(code[:1], f"{code[:1]}00")


def in_fen(minor: int, decimals: int, rate: Decimal) -> int:
    """Minor units of a currency in fen at a rate of yuan for one unit, rounded half up. Exact."""
    numerator, denominator = rate.as_integer_ratio()
    above, below = minor * 100 * numerator, 10**decimals * denominator
    return (2 * above + below) // (2 * below)


def decimal_of(text: str) -> Decimal | None:
    """A number above zero as people write it; None for anything else."""
    try:
        number = Decimal(text.replace(",", "").replace("，", "").strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and number > 0 else None


def minor_units(text: str, decimals: int) -> int | None:
    """An amount in units of a currency as minor units; None where it is none, finer or beyond reason."""
    number = decimal_of(text)
    if number is None or number > MAX_FEN:
        return None
    scaled = number.scaleb(decimals)
    return int(scaled) if scaled == scaled.to_integral_value() else None


def in_units(minor: int, currency: str) -> str:
    """Minor units as a plain decimal number of units: 1234 of a currency with two decimals is `12.34`."""
    decimals = CURRENCIES.get(currency, 2)
    whole, rest = divmod(minor, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}" if decimals else str(whole)


def settle(price: Price) -> tuple[dict[str, Any], Problems]:
    """The columns that a price fills, `deal_fen` among them, and what is wrong with it."""
    deal_fen, foreign, problems = _converted(price)
    problems = [*problems, *_form_problems(price, deal_fen)]
    return {
        "deal_fen": deal_fen or 0,
        "price_form": price.form.value,
        "instalments": [
            {"due_on": one.due_on.isoformat(), "fen": one.fen, "condition": one.condition}
            for one in price.instalments
        ],
        "entry_fee_fen": price.entry_fee_fen,
        "royalty_base": price.royalty_base,
        "royalty_ppm": price.royalty_ppm,
        "currency": price.currency,
        **foreign,
    }, problems


def _converted(price: Price) -> tuple[int | None, dict[str, Any], Problems]:
    empty = {"foreign_minor": None, "exchange_rate": "", "rate_on": None}
    problems: Problems = []
    stated = (
        ("foreign_amount", price.foreign_amount),
        ("exchange_rate", price.exchange_rate),
        ("rate_on", price.rate_on),
    )
    if price.currency == CNY:
        problems += [(name, "only_foreign", {}) for name, value in stated if value]
        if price.deal_fen is None:
            problems.append(("deal_fen", "missing", {}))
        return price.deal_fen, empty, problems
    if price.currency not in CURRENCIES:
        return price.deal_fen, empty, [("currency", "unknown_choice", {})]
    problems += [(name, "missing", {}) for name, value in stated if not value]
    decimals = CURRENCIES[price.currency]
    minor = minor_units(price.foreign_amount, decimals)
    if price.foreign_amount and minor is None:
        problems.append(("foreign_amount", "foreign_amount", {"decimals": decimals}))
    rate = decimal_of(price.exchange_rate)
    if price.exchange_rate and (rate is None or rate > MAX_RATE or -_exponent(rate) > RATE_DECIMALS):
        problems.append(("exchange_rate", "exchange_rate", {"decimals": RATE_DECIMALS}))
        rate = None
    if minor is None or rate is None:
        return price.deal_fen, empty, problems
    worth = in_fen(minor, decimals, rate)
    if worth > MAX_FEN:
        problems.append(("foreign_amount", "foreign_amount", {"decimals": decimals}))
    elif price.deal_fen is not None and price.deal_fen != worth:
        problems.append(("deal_fen", "deal_differs_from_rate", {"expected_fen": worth}))
    return worth, {"foreign_minor": minor, "exchange_rate": f"{rate:f}", "rate_on": price.rate_on}, problems


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _form_problems(price: Price, deal_fen: int | None) -> Problems:
    problems: Problems = []
    royalty = price.form in (PriceForm.ROYALTY, PriceForm.ENTRY_ROYALTY)
    wanted = {
        "instalments": price.form is PriceForm.INSTALMENTS,
        "entry_fee_fen": price.form is PriceForm.ENTRY_ROYALTY,
        "royalty_base": royalty,
        "royalty_ppm": royalty,
    }
    for name, belongs in wanted.items():
        given = bool(getattr(price, name))
        if belongs and not given:
            problems.append((name, "missing", {}))
        elif given and not belongs:
            problems.append((name, "of_other_price_form", {}))
    if deal_fen is None:
        return problems
    if price.entry_fee_fen is not None and price.entry_fee_fen > deal_fen:
        problems.append(("entry_fee_fen", "entry_fee_exceeds_deal", {}))
    total = sum(one.fen for one in price.instalments)
    if price.form is PriceForm.INSTALMENTS and price.instalments and total != deal_fen:
        problems.append(("instalments", "instalments_sum", {"sum": yuan(total), "deal": yuan(deal_fen)}))
    return problems


@dataclass(frozen=True)
class Due:
    """An instalment, what of it has been received, and whether it is late."""

    due_on: dt.date
    fen: int
    condition: str
    received_fen: int
    late: bool

    @property
    def open_fen(self) -> int:
        """What is still to come."""
        return self.fen - self.received_fen


def schedule(instalments: Sequence[Instalment], received_fen: int, today: dt.date) -> list[Due]:
    """Instalments in the order of their days. What has been received pays the earliest first; an
    instalment is late from the day after it fell due until it is paid in full."""
    rest = max(0, received_fen)
    found = []
    for one in sorted(instalments, key=lambda item: item.due_on):
        paid = min(rest, one.fen)
        rest -= paid
        found.append(Due(one.due_on, one.fen, one.condition, paid, paid < one.fen and one.due_on < today))
    return found


def instalments_of(stored: Sequence[dict[str, Any]]) -> tuple[Instalment, ...]:
    """Instalments as a row keeps them."""
    return tuple(
        Instalment(dt.date.fromisoformat(str(one["due_on"])), int(one["fen"]), str(one.get("condition", "")))
        for one in stored
    )
