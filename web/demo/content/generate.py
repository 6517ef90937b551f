"""All of the demonstration's content from one seed and one day."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

from web.demo.content import (
    contracts,
    demands,
    enquiries,
    lot_formats,
    lots,
    organisations,
    results,
    statistics,
)
from web.demo.content.contracts import DemoContract
from web.demo.content.demands import DemoDemand
from web.demo.content.enquiries import DemoEnquiry
from web.demo.content.lots import DemoLot, DemoSale
from web.demo.content.organisations import DemoOrganisation, DemoPerson
from web.demo.content.results import DemoResult
from web.demo.content.statistics import DemoGdp

SEED = 331081


@dataclass(frozen=True)
class DemoContent:
    """Everything, in the order in which it can be loaded."""

    organisations: tuple[DemoOrganisation, ...]
    people: tuple[DemoPerson, ...]
    results: tuple[DemoResult, ...]
    demands: tuple[DemoDemand, ...]
    contracts: tuple[DemoContract, ...]
    gdp: tuple[DemoGdp, ...]
    sales: tuple[DemoSale, ...]
    lots: tuple[DemoLot, ...]
    enquiries: tuple[DemoEnquiry, ...]


def generate(today: dt.date, seed: int = SEED) -> DemoContent:
    """The content as of a day (Shanghai). The same day and seed give the same content.

    Each part draws from a stream of its own, so that editing one leaves the others as they are.
    """

    def stream(name: str) -> random.Random:
        return random.Random(f"{seed}:{name}")  # noqa: S311 (nothing here is secret)

    parties = organisations.organisations(stream("organisations"))
    offered = results.results(stream("results"), parties, today)
    wanted = demands.demands(stream("demands"), parties, today)
    sold = lots.lots(stream("lots"), parties, offered)
    sold += lot_formats.lots(stream("lot formats"), parties, offered, sold)
    return DemoContent(
        organisations=parties,
        people=organisations.people(stream("people"), parties),
        results=offered,
        demands=wanted,
        contracts=contracts.contracts(stream("contracts"), parties, offered),
        gdp=statistics.GDP_RELEASES,
        sales=lots.SALES,
        lots=sold,
        enquiries=enquiries.enquiries(
            stream("enquiries"), parties, offered, wanted, frozenset(lot.result for lot in sold)
        ),
    )
