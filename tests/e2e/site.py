"""The main pages of the demo market, who may see them, and how a browser gets there."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from auctions.models import Admission, AdmissionState, Lot
from auctions.rules.state import BIDDING, LotState
from market.db import Database, t
from market.parties.models import MembershipRow, Person
from market.permissions import Role
from tests.e2e.conftest import Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

LANGUAGES = ("zh-Hans", "en")
THEMES = ("light", "dark")
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass(frozen=True)
class Visit:
    """A page, and as whom it is looked at (None: a visitor)."""

    name: str
    path: str
    role: Role | None = None


@dataclass
class Site:
    """A served demo market, seen from a browser."""

    served: Served
    browser: Browser
    _states: dict[int, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.served.url

    def get(self, path: str) -> Any:
        """JSON of the API."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def read(self, statement: sa.Select[Any]) -> list[Any]:
        """Rows of the market's own database."""
        database = Database(f"sqlite:///{self.served.folder / 'market.db'}")
        try:
            with database.read() as session:
                return list(session.execute(statement))
        finally:
            database.dispose()

    def person(self, role: Role) -> int:
        """A demo account that holds a role; for a bidder, one who may bid in the live lot."""
        if role is Role.BIDDER:
            return self.bidders(self.live_lot())[0]
        m, p = t(MembershipRow).c, t(Person).c
        found = self.read(
            sa.select(p.id)
            .join_from(t(Person), t(MembershipRow), m.person_id == p.id)
            .where(m.role == role.value, m.ended_at.is_(None), p.demo.is_(True))
            .order_by(p.id)
            .limit(1)
        )
        return int(found[0].id)

    def live_lot(self, format_name: str = "english") -> int:
        """A lot of a format that takes bids and has two demo bidders at least."""
        lot, a = t(Lot).c, t(Admission).c
        found = self.read(
            sa.select(lot.id)
            .join_from(t(Lot), t(Admission), a.lot_id == lot.id)
            .join(t(Person), t(Person).c.id == a.person_id)
            .where(
                lot.state.in_([state.value for state in BIDDING]),
                lot.terms["format"].as_string() == format_name,
                a.state == AdmissionState.ADMITTED.value,
                t(Person).c.demo.is_(True),
            )
            .group_by(lot.id, lot.ends_at)
            .having(sa.func.count() >= 2)
            .order_by(lot.ends_at.desc())
        )
        assert found, f"the demo market has no live {format_name} lot with two demo bidders"
        return int(found[0].id)

    def sold_lot(self) -> int:
        """A lot that was sold by ascending bids, the one with the most of them."""
        lot = t(Lot).c
        found = self.read(
            sa.select(lot.id)
            .where(lot.state == LotState.SOLD.value, lot.terms["format"].as_string() == "english")
            .order_by(lot.bid_count.desc(), lot.id)
            .limit(1)
        )
        assert found, "the demo market has no sold lot"
        return int(found[0].id)

    def bidders(self, lot_id: int) -> list[int]:
        """Demo accounts admitted to a lot, those who do not lead first."""
        lot, a = t(Lot).c, t(Admission).c
        found = self.read(
            sa.select(a.person_id, a.alias, lot.leader)
            .join_from(t(Admission), t(Lot), a.lot_id == lot.id)
            .join(t(Person), t(Person).c.id == a.person_id)
            .where(a.lot_id == lot_id, a.state == AdmissionState.ADMITTED.value, t(Person).c.demo.is_(True))
            .order_by(a.alias)
        )
        return [row.person_id for row in sorted(found, key=lambda row: row.alias == row.leader)]

    def main_pages(self) -> list[Visit]:
        """The eight pages that everything is judged by."""
        result = self.get("/api/v1/results?per_page=1")["items"][0]["id"]
        demand = self.get("/api/v1/demands?per_page=1")["items"][0]["id"]
        return [
            Visit("home", "/"),
            Visit("results", "/results"),
            Visit("result", f"/results/{result}"),
            Visit("demand", f"/demands/{demand}"),
            Visit("search", "/search?q=%E6%B3%B5"),
            Visit("live-room", f"/lots/{self.live_lot()}", Role.BIDDER),
            Visit("workbench", "/workbench", Role.STAFF),
            Visit("statistics", "/statistics"),
        ]

    def context(
        self, person: int | None = None, *, language: str = "zh-Hans", theme: str = "light", **options: Any
    ) -> BrowserContext:
        """A window of its own, signed in as a demo account, in a language and a theme."""
        options.setdefault("viewport", DESKTOP)
        if person is not None:
            options["storage_state"] = self._signed_in(person)
        context = self.browser.new_context(base_url=self.url, reduced_motion="reduce", **options)
        context.add_cookies(
            [
                {"name": name, "value": value, "url": self.url}
                for name, value in (("lang", language), ("theme", theme))
            ]
        )
        return context

    def _signed_in(self, person: int) -> Any:
        if person not in self._states:
            context = self.browser.new_context(base_url=self.url)
            page = context.new_page()
            sign_in(page, person)
            self._states[person] = context.storage_state()
            context.close()
        return self._states[person]

    def visit(self, context: BrowserContext, visit: Visit) -> Page:
        """Open a page in a window, and wait until it and what moves in it are there."""
        page = context.new_page()
        answer = page.goto(visit.path)
        assert answer is not None
        assert answer.status == 200, f"{visit.path}: {answer.status}"
        page.wait_for_load_state("load")
        return page


def sign_in(page: Page, person: int) -> None:
    """Through the sign-in page's button of a demo account."""
    page.goto("/sign-in")
    page.click(f'button[name="demo"][value="{person}"]')
    page.wait_for_url(lambda url: "/sign-in" not in url)
