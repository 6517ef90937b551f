"""The main menu: which entries an actor is shown, by right, not by role."""

from __future__ import annotations

from dataclasses import dataclass

from market.permissions import Action, Actor
from web import i18n


@dataclass(frozen=True)
class Entry:
    """One entry of the menu."""

    href: str
    text: str
    current: bool


_ENTRIES: tuple[tuple[str, str, Action | None], ...] = (
    ("/results", "menu.results", None),
    ("/demands", "menu.demands", None),
    ("/lots", "menu.lots", None),
    ("/statistics", "menu.statistics", None),
    ("/workbench", "menu.workbench", Action.TOKEN_MANAGE),
    ("/proposals", "menu.proposals", Action.ENQUIRY_OVERSEE),
    ("/enquiries", "menu.enquiries", Action.ENQUIRY_READ),
    ("/contracts", "menu.contracts", Action.CONTRACT_READ),
    ("/admin", "menu.admin", Action.AUDIT_READ),
)


def build(actor: Actor, path: str, language: str) -> list[Entry]:
    """The entries for an actor on a path."""
    return [
        Entry(href, i18n.term(key, language), _leads_to(href, path))
        for href, key, action in _ENTRIES
        if action is None or actor.can(action)
    ]


_AUCTIONS = ("/sales", "/rehearsal", "/verify")
"""What belongs to the auctions without being below them."""


def _leads_to(href: str, path: str) -> bool:
    below = path == href or path.startswith(f"{href}/")
    return below or (href == "/lots" and any(path == one or path.startswith(f"{one}/") for one in _AUCTIONS))


_FOOTER = (
    ("/results", "menu.results"),
    ("/demands", "menu.demands"),
    ("/lots", "menu.lots"),
    ("/statistics", "menu.statistics"),
    ("/organisations", "menu.organisations"),
    ("/experts", "menu.experts"),
    ("/notices", "menu.notices"),
    ("/open-licences", "menu.open_licences"),
    ("/open-data", "menu.open_data"),
    ("/help/api", "menu.api"),
)


def footer(language: str) -> list[Entry]:
    """The entries of the footer, the same for everybody."""
    return [Entry(href, i18n.term(key, language), False) for href, key in _FOOTER]
