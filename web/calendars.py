"""Auctions as an iCalendar feed (RFC 5545), for anybody's calendar program.

A lot keeps its UID for ever. SEQUENCE is the number of the journal entry that last moved its times or its
standing, so that a program that holds an older version takes the newer one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from urllib.parse import urlsplit

from icalendar import Calendar, Event
from icalendar.prop import vDuration, vUri

from auctions.lookups import Appointment
from auctions.rules.state import STOPPED, UPCOMING, LotState
from web import i18n
from web.render import money
from web.settings import Settings

REFRESH = dt.timedelta(minutes=15)
"""How often a calendar program should look again."""


def status(state: LotState) -> str:
    """A lot's state as a calendar knows it."""
    if state in (LotState.WITHDRAWN, LotState.CANCELLED):
        return "CANCELLED"
    return "TENTATIVE" if state in STOPPED else "CONFIRMED"


def uid(settings: Settings, lot_id: int) -> str:
    """The name of a lot in every calendar."""
    return f"lot-{lot_id}@{urlsplit(settings.base_url).hostname or 'market'}"


def event(item: Appointment, settings: Settings, language: str) -> Event:
    """One lot as an appointment; times in UTC."""

    def say(key: str, **params: object) -> str:
        return i18n.term(f"calendar.{key}", language, params)

    address = f"{settings.base_url.rstrip('/')}/lots/{item.lot_id}"
    made = Event()
    made.add("uid", uid(settings, item.lot_id))
    made.add("dtstamp", item.changed_at)
    made.add("last-modified", item.changed_at)
    made.add("sequence", item.seq)
    made.add("dtstart", item.opens_at)
    made.add("dtend", max(item.opens_at, item.ends_at))
    made.add("summary", say("summary", title=item.title))
    description = say(
        "description",
        seller=item.seller_name,
        start=money(item.start_fen),
        state=i18n.label(item.state, language),
    )
    made.add("description", description + ("\n" + say("may_extend") if item.state in UPCOMING else ""))
    made.add("location", address)
    made.add("url", vUri(address))
    made.add("status", status(item.state))
    made.add("transp", "TRANSPARENT")
    return made


def feed(items: Sequence[Appointment], settings: Settings, language: str) -> bytes:
    """A calendar of lots. The same lots give the same bytes."""
    market = settings.name if language == "zh-Hans" else settings.name_en
    calendar = Calendar()
    calendar.add("prodid", "-//Techmart//Auctions//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    name = i18n.term("calendar.name", language, {"market": market})
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("x-wr-timezone", "Asia/Shanghai")
    calendar.add("refresh-interval", vDuration(REFRESH), parameters={"VALUE": "DURATION"})
    for item in items:
        calendar.add_component(event(item, settings, language))
    return calendar.to_ical()
