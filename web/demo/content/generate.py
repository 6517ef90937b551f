"""All of the demonstration's content from one seed and one day."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

from web.demo.content import contracts, demands, enquiries, lots, organisations, results, statistics

SEED = 331081


@dataclass(frozen=True)
class DemoContent:
    """Everything, in the order in which it can be loaded."""

    organisations: tuple[organisations.DemoOrganisation, ...]
    people: tuple[organisations.DemoPerson, ...]
    results: tuple[results.DemoResult, ...]
    demands: tuple[demands.DemoDemand, ...]
    contracts: tuple[contracts.DemoContract, ...]
    gdp: tuple[statistics.DemoGdp, ...]
    sales: tuple[lots.DemoSale, ...]
    lots: tuple[lots.DemoLot, ...]
    enquiries: tuple[enquiries.DemoEnquiry, ...]


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
