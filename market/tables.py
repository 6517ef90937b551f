"""Imports every table of this room, so that the metadata is whole (migrations, tests)."""

from market import alarms, audit, dirty, inbox, work
from market.deals import models as deals
from market.demands import models as demands
from market.enquiries import models as enquiries
from market.exchange import models as exchange
from market.files import models as files
from market.listings import models as listings
from market.opendata import models as opendata
from market.parties import models as parties
from market.payments import models as payments
from market.payments import simulated
from market.payments.bank import models as bank
from market.pricing import models as pricing
from market.scrutiny import models as scrutiny
from market.settlements import models as settlements
from market.statistics import models as statistics
from market.taxonomy import models as taxonomy

__all__ = [
    "alarms",
    "audit",
    "bank",
    "deals",
    "demands",
    "dirty",
    "enquiries",
    "exchange",
    "files",
    "inbox",
    "listings",
    "opendata",
    "parties",
    "payments",
    "pricing",
    "scrutiny",
    "settlements",
    "simulated",
    "statistics",
    "taxonomy",
    "work",
]
