"""The bidder's page of every format in a browser: bids, maxima, envelopes, prices that fall, networks that fail."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from auctions import papers, protocol, queries
from auctions.rules import commands as c
from auctions.rules.events import Kind
from auctions.rules.formats import RULES, dutch, scoring
from auctions.rules.terms import Terms
from market.clock import SystemClock
from market.db import Database
from market.files.store import DiskStore
from market.permissions import Role
from tests import factories
from tests.auctions.histories import T0, TERMS, History
from tests.e2e.conftest import Served, environment, free_port, run_market, start, stop
from tests.e2e.site import PHONE
from tests.e2e.test_accessibility import violations
from web import slips
from web.deps import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route, WebSocketRoute

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]
START = 10_000_000
STEP = 500_000


@dataclass
class Rooms:
    """A served market whose lots are made as the tests need them."""

    served: Served
    browser: Browser
    people: dict[Role, factories.Account]
    bidders: list[factories.Account]
    results: list[int]
    windows: list[BrowserContext] = field(default_factory=list)

    def database(self) -> Database:
        return Database(f"sqlite:///{self.served.folder / 'market.db'}")

    def lot(self, **terms: Any) -> int:
        """An open lot with the bidders admitted, under terms besides the factory's."""
        now, database = SystemClock().now(), self.database()
        values: dict[str, Any] = {
            "start_fen": START, "step_fen": STEP, "opens_at": now - dt.timedelta(milliseconds=200),
            "ends_at": now + dt.timedelta(hours=2), **terms,
        }  # fmt: skip
        try:
            with database.write() as session:
                return factories.live_lot(
                    session, now, self.people[Role.STAFF].actor, self.results.pop(), self.bidders, **values
                )
        finally:
            database.dispose()

    def journal(self, lot: int) -> list[queries.JournalLine]:
        database = self.database()
        try:
            with database.read() as session:
                return queries.journal_page(session, lot, limit=500)
        finally:
            database.dispose()

    def bids(self, lot: int) -> list[dict[str, Any]]:
        """The accepted bids in a journal."""
        return [dict(line.data) for line in self.journal(lot) if line.kind is Kind.BID_ACCEPTED]

    def window(self, who: factories.Account | None = None, **options: Any) -> BrowserContext:
        language = options.pop("language", "en")
        theme = options.pop("theme", "light")
        context = self.browser.new_context(base_url=self.served.url, reduced_motion="reduce", **options)
        cookies = {"lang": language, "theme": theme} | ({COOKIE: who.cookie} if who else {})
        context.add_cookies(
            [{"name": name, "value": value, "url": self.served.url} for name, value in cookies.items()]
        )
        self.windows.append(context)
        return context

    def enter(self, lot: int, who: factories.Account | None = None, **options: Any) -> Page:
        """The page of a lot, live."""
        page = self.window(who, **options).new_page()
        return self.go(page, lot)

    def go(self, page: Page, lot: int) -> Page:
        from playwright.sync_api import expect

        page.goto(f"/lots/{lot}")
        expect(page.locator('[data-live="connection"]')).to_have_attribute("data-state", "on", timeout=15_000)
        return page


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Rooms]:
    folder, port = tmp_path_factory.mktemp("rooms"), free_port()
    variables = environment(folder, port)
    run_market(variables, "migrate")
    now = SystemClock().now()
    database = Database(f"sqlite:///{folder / 'market.db'}")
    with database.write() as session:
        (university,) = factories.organisations(session, now, "university", 1, 1_000)
        firms = factories.organisations(session, now, "firm", 3, 5_000)
        (agency,) = factories.organisations(session, now, "service_agency", 1, 9_000)
        people = factories.accounts(session, now, university, firms[0], agency)
        bidders = [factories.account(session, now, firm, Role.BIDDER, n) for n, firm in enumerate(firms, 1)]
        results = factories.results(session, now, [university], 40)
    database.dispose()
    served = start(folder, variables, port)
    yield Rooms(served, browser, people, bidders, results)
    stop(served)


@pytest.fixture
def rooms(market: Rooms) -> Iterator[Rooms]:
    yield market
    for window in market.windows:
        window.close()
    market.windows.clear()


def bid(page: Page, amount_yuan: str, form: str = "bid") -> None:
    """Type an amount and confirm it."""
    inside = page.locator(f'[data-live="{form}"]')
    inside.locator("input[data-money]").fill(amount_yuan)
    inside.locator(".bid__free button[type=submit]").click()
    confirm(page)


def confirm(page: Page) -> None:
    dialog = page.locator('[data-live="confirm"]')
    dialog.locator('button[value="yes"]').click()


def until(page: Page, expression: str) -> None:
    """Wait for something to become true. (The browser's own waiting is what the page's policy forbids.)"""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"waited in vain: {expression}")


def standing(page: Page, state: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator('[data-live="standing"]')).to_have_attribute("data-state", state, timeout=15_000)


def says(page: Page, name: str, text: str | re.Pattern[str], timeout: float = 15_000) -> None:
    from playwright.sync_api import expect

    expect(page.locator(f'[data-live="{name}"]').first).to_contain_text(text, timeout=timeout)


def watch_standing(page: Page) -> Callable[[], list[str]]:
    """Records every state that the standing ever shows."""
    page.evaluate(
        """() => { const node = document.querySelector('[data-live="standing"]');
        window.shown = [node.dataset.state];
        new MutationObserver(() => window.shown.push(node.dataset.state)).observe(node, {attributes: true}); }"""
    )
    return lambda: list(page.evaluate("window.shown"))


def spoken(page: Page) -> Callable[[], list[str]]:
    """Records what is said aloud, urgent or polite."""
    page.evaluate(
        """() => { window.said = [];
        for (const node of document.querySelectorAll('#alarm, [data-live="say"]'))
          new MutationObserver(() => { if (node.textContent) window.said.push(node.textContent); }).observe(node, {childList: true, characterData: true, subtree: true}); }"""
    )
    return lambda: list(page.evaluate("window.said"))


class TestEnglish:
    def test_one_leads_and_the_other_is_told_and_nobody_is_alarmed_falsely(self, rooms: Rooms) -> None:
        lot = rooms.lot()
        one, two = (rooms.enter(lot, who) for who in rooms.bidders[:2])
        shown_one, shown_two, heard = watch_standing(one), watch_standing(two), spoken(one)
        bid(one, "10万")
        standing(one, "lead")
        says(one, "bid-state", re.compile(r"¥100,000 was accepted \(journal seq \d+\)"))
        says(one, "own", "¥100,000")
        bid(two, "105000")
        standing(one, "outbid")
        standing(two, "lead")
        assert shown_one() == ["none", "lead", "outbid"]
        assert shown_two() == ["none", "lead"]
        says(one, "price", "¥105,000")
        until(one, "window.said.some((text) => text.includes('outbid'))")
        assert any("lead" in text for text in heard())
        assert [entry["amount_fen"] for entry in rooms.bids(lot)] == [START, START + STEP]

    def test_a_maximum_answers_without_a_moment_of_being_outbid(self, rooms: Rooms) -> None:
        lot = rooms.lot()
        one, two = (rooms.enter(lot, who) for who in rooms.bidders[:2])
        bid(one, "15万", "maximum")
        standing(one, "lead")
        says(one, "own-maximum", "¥150,000")
        shown = watch_standing(one)
        bid(two, "120000")
        says(two, "price", "¥125,000")
        standing(two, "outbid")
        says(one, "price", "¥125,000")
        assert shown() == ["lead"]
        assert "150,000" not in two.content()
        bid(one, "20万", "maximum")
        says(one, "own-maximum", "¥200,000")
        rooms.go(one, lot)
        says(one, "own-maximum", "¥200,000")
        assert "200,000" not in rooms.enter(lot, rooms.bidders[2]).content()

    def test_what_would_be_refused_is_said_before_it_is_sent(self, rooms: Rooms) -> None:
        from playwright.sync_api import expect

        lot = rooms.lot(cap_fen=START + 10 * STEP)
        page = rooms.enter(lot, rooms.bidders[0])
        for typed, words in (("1", "¥100,000"), ("abc", "Enter an amount"), ("9000万", "¥150,000")):
            page.locator("#bid-amount").fill(typed)
            page.locator(".bid__free button[type=submit]").first.click()
            says(page, "bid-error", words)
            expect(page.locator("#bid-amount")).to_have_attribute("aria-invalid", "true")
            expect(page.locator('[data-live="confirm"]')).to_be_hidden()
        assert rooms.bids(lot) == []

    def test_a_refusal_by_the_server_names_the_rule_and_the_entry(self, rooms: Rooms) -> None:
        lot = rooms.lot()
        page = rooms.enter(lot, rooms.bidders[0])
        bid(page, "100500")
        says(page, "bid-error", re.compile(r"¥5,000.*journal seq \d+"))
        says(page, "own", "refused")
        assert rooms.bids(lot) == []

    def test_a_slipped_zero_is_pointed_out(self, rooms: Rooms) -> None:
        lot = rooms.lot()
        page = rooms.enter(lot, rooms.bidders[0])
        page.locator("#bid-amount").fill("100万")
        page.locator(".bid__free button[type=submit]").first.click()
        dialog = page.locator('[data-live="confirm"]')
        assert "181" in dialog.locator('[data-confirm="jump"]').inner_text()
        assert dialog.locator('[data-confirm="words"]').inner_text() == "壹佰万元整"
        dialog.locator('button[value="no"]').click()
        assert rooms.bids(lot) == []

    def test_with_the_keyboard_alone(self, rooms: Rooms) -> None:
        from playwright.sync_api import expect

        lot = rooms.lot()
        page = rooms.enter(lot, rooms.bidders[0])
        choice = page.locator(".bid__choice").first
        expect(choice).to_be_enabled()
        choice.focus()
        expect(choice).to_be_focused()
        page.keyboard.press("Enter")
        dialog = page.locator('[data-live="confirm"]')
        expect(dialog.locator('button[value="no"]')).to_be_focused()
        page.keyboard.press("Shift+Tab")
        expect(dialog.locator('button[value="yes"]')).to_be_focused()
        page.keyboard.press("Enter")
        standing(page, "lead")
        assert page.locator('[data-countdown][role="timer"]').get_attribute("aria-live") == "off"
        assert page.locator('[data-live="say"]').get_attribute("aria-live") == "polite"

    def test_time_is_told_with_its_uncertainty(self, rooms: Rooms) -> None:
        page = rooms.enter(rooms.lot(), rooms.bidders[0])
        says(page, "uncertain", re.compile(r"±\d+ ms"))
        says(page, "trip", re.compile(r"Round trip \d+ ms"))
        says(page, "device", re.compile(r"\d+ ms (ahead|behind)"))
        says(page, "safe", re.compile(r"bid before \d\d:\d\d:\d\d\.\d, that is \d+\.\d s before the end"))


class TestNetwork:
    def test_a_stalled_socket_falls_back_to_http_under_the_same_id(self, rooms: Rooms) -> None:
        lot = rooms.lot()
        page = rooms.window(rooms.bidders[0]).new_page()
        swallowed, posted = [], []

        def stall(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()

            def pass_on(message: str | bytes) -> None:
                if json.loads(message)["type"] == "bid":
                    swallowed.append(json.loads(message)["client_bid_id"])
                else:
                    server.send(message)

            socket.on_message(pass_on)

        page.route_web_socket(re.compile("/ws/lots/"), stall)
        page.on("request", lambda one: posted.append(one.post_data_json) if "/bids" in one.url else None)
        rooms.go(page, lot)
        bid(page, "10万", "maximum")
        standing(page, "lead")
        assert len(set(swallowed)) == 1
        assert {one["client_bid_id"] for one in posted} == set(swallowed)
        assert {one["act"] for one in posted} == {"maximum"}
        assert len(rooms.bids(lot)) == 1

    def test_a_bid_that_nobody_answered_survives_a_reload_and_counts_once(self, rooms: Rooms) -> None:
        from playwright.sync_api import expect

        lot = rooms.lot()
        page = rooms.window(rooms.bidders[0]).new_page()
        lost = {"answers": False}

        def mute(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()
            socket.on_message(lambda message: server.send(message))

            def answer(message: str | bytes) -> None:
                # The bid arrives and is accepted; every answer is lost on the way back.
                if not (lost["answers"] and json.loads(message)["type"] in ("receipt", "event", "events")):
                    socket.send(message)

            server.on_message(answer)

        def refuse(route: Route) -> None:
            if lost["answers"]:
                route.abort()
            else:
                route.continue_()

        page.route_web_socket(re.compile("/ws/lots/"), mute)
        page.route("**/api/v1/lots/*/bids", refuse)
        rooms.go(page, lot)
        # A lot opens a moment after it was made: that news must not be lost too.
        expect(page.locator(".bid__choice").first).to_be_enabled()
        lost["answers"] = True
        bid(page, "10万")
        says(page, "bid-state", "same bid id")
        kept = f"Object.keys(localStorage).some((key) => key.startsWith('bid:{lot}:'))"
        assert page.evaluate(kept)
        lost["answers"] = False
        rooms.go(page, lot)
        standing(page, "lead")
        until(page, f"!{kept}")
        assert len(rooms.bids(lot)) == 1

    def test_a_line_that_breaks_resumes_and_misses_nothing(self, rooms: Rooms) -> None:
        lot = rooms.lot()
        page = rooms.window(rooms.bidders[0]).new_page()
        hellos: list[dict[str, Any]] = []
        sockets: list[WebSocketRoute] = []

        def listen(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()
            sockets.append(socket)

            def pass_on(message: str | bytes) -> None:
                if json.loads(message)["type"] == "hello":
                    hellos.append(json.loads(message))
                server.send(message)

            socket.on_message(pass_on)

        page.route_web_socket(re.compile("/ws/lots/"), listen)
        rooms.go(page, lot)
        sockets[-1].close(code=1012, reason="draining")
        other = rooms.enter(lot, rooms.bidders[1])
        bid(other, "10万")
        standing(other, "lead")
        says(page, "price", "¥100,000")
        says(page, "leader", "bidder 2 leads")
        assert len(hellos) >= 2
        assert hellos[-1]["resume_after_seq"] >= 1
        assert page.locator('[data-live="journal"] [data-seq]').first.get_attribute("data-seq") == str(
            len(rooms.journal(lot))
        )

    def test_a_dead_line_is_noticed_at_once_on_coming_back(self, rooms: Rooms) -> None:
        lot = rooms.lot()
        page = rooms.window(rooms.bidders[0]).new_page()
        sockets: list[WebSocketRoute] = []
        dead = {"line": False}

        def die(socket: WebSocketRoute) -> None:
            server, number = socket.connect_to_server(), len(sockets)
            sockets.append(socket)
            socket.on_message(lambda message: None if dead["line"] and number == 0 else server.send(message))
            server.on_message(lambda message: None if dead["line"] and number == 0 else socket.send(message))

        page.route_web_socket(re.compile("/ws/lots/"), die)
        rooms.go(page, lot)
        dead["line"] = True
        other = rooms.enter(lot, rooms.bidders[1])
        bid(other, "105000")
        standing(other, "lead")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        says(page, "price", "¥105,000")
        assert len(sockets) == 2

    @pytest.mark.long
    def test_a_server_that_restarts_says_so_and_the_page_comes_back(self, rooms: Rooms) -> None:
        lot = rooms.lot()
        page = rooms.enter(lot, rooms.bidders[0])
        words: list[str] = []
        page.expose_function("wordShown", lambda text: words.append(text))
        page.evaluate(
            """() => { const node = document.querySelector('[data-live="connection-word"]');
            new MutationObserver(() => window.wordShown(node.textContent)).observe(node, {childList: true, characterData: true, subtree: true}); }"""
        )
        served = rooms.served
        port = int(served.url.rpartition(":")[2])
        stop(served)
        rooms.served = start(served.folder, served.environment, port)
        from playwright.sync_api import expect

        expect(page.locator('[data-live="connection"]')).to_have_attribute("data-state", "on", timeout=60_000)
        assert any("restarting" in word for word in words)
        bid(page, "10万")
        standing(page, "lead")


class TestSealed:
    @pytest.mark.long
    def test_envelopes_from_script_and_by_hand_and_their_opening(self, rooms: Rooms) -> None:
        from playwright.sync_api import expect

        now = SystemClock().now()
        lot = rooms.lot(
            format="sealed",
            params={"reveal_s": 600},
            ends_at=now + dt.timedelta(seconds=40),
        )
        page = rooms.enter(lot, rooms.bidders[0])
        sent: list[str] = []
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
        rooms.go(page, lot)
        bid(page, "123456.78")
        says(page, "envelope-state", re.compile(r"sealed, journal seq \d+"))
        slip = slips.read(page.locator('[data-slip="line"]').inner_text())
        assert slip is not None
        assert (slip.lot_id, slip.alias, slip.amount_fen) == (lot, 1, 12_345_678)
        assert rooms.bids(lot)[0]["detail"] == {"commitment": slip.commitment}
        assert not any("12345678" in text or slip.nonce in text for text in sent)
        with page.expect_download() as download:
            page.locator('[data-slip="download"]').click()
        assert slip.text in download.value.path().read_text(encoding="utf-8")
        bid(page, "150000")
        until(page, "document.querySelector('[data-slip=line]').textContent.includes(':15000000:')")

        # Without a script: the seal is made elsewhere, by `market seal`.
        told = rooms.served.market("seal", str(lot), "2", "16万", "--json").stdout
        made = json.loads(told)
        plain = rooms.window(rooms.bidders[1], java_script_enabled=False).new_page()
        plain.goto(f"/lots/{lot}")
        plain.fill("#commitment", made["commitment"])
        plain.click(".by-hand button[type=submit]")
        plain.click(".bidask button[type=submit]")
        assert "Your envelope is sealed" in plain.inner_text('[data-live="envelope-state"]')

        expect(page.locator('[data-live="open"]')).to_be_visible(timeout=90_000)
        # Another device, where no slip is kept: it is pasted.
        device = rooms.enter(lot, rooms.bidders[0])
        says(device, "envelope-here", "paste")
        device.fill("#slip", slip.text)
        device.locator('[data-live="open"] button[type=submit]').last.click()
        says(device, "open-error", "does not match")
        page.locator('[data-live="open-here"] button').click()
        confirm(page)
        says(page, "envelope-state", re.compile("opened, journal seq .*¥150,000"))
        says(device, "envelope-state", "sealed")
        rooms.go(device, lot)
        says(device, "envelope-state", "opened")

        plain.goto(f"/lots/{lot}")
        plain.fill("#slip", f"Slip: {made['slip']}\n")
        plain.click('[data-live="open"] button[type=submit] >> nth=-1')
        plain.click(".bidask button[type=submit]")
        assert "opened" in plain.inner_text('[data-live="envelope-state"]')
        says(page, "envelope-state", "A better envelope has been opened")
        assert [one["act"] for one in rooms.bids(lot)] == ["seal", "seal", "seal", "open", "open"]


class TestDutch:
    def test_the_price_falls_and_the_first_to_take_it_has_it(self, rooms: Rooms) -> None:
        lot = rooms.lot(
            format="dutch",
            params={"floor_fen": START // 2, "decrement_fen": 10_000, "interval_s": 5},
            ends_at=None,
        )
        page = rooms.window(rooms.bidders[0]).new_page()
        tampered = {"step": 0}

        def late(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()

            def pass_on(message: str | bytes) -> None:
                said = json.loads(message)
                if said["type"] == "bid" and tampered["step"]:
                    said["extra"]["step"] -= tampered["step"]
                    said["amount_fen"] += 10_000 * tampered["step"]
                server.send(json.dumps(said))

            socket.on_message(pass_on)

        page.route_web_socket(re.compile("/ws/lots/"), late)
        rooms.go(page, lot)
        first = page.inner_text('[data-live="price"]')
        until(page, f"document.querySelector('[data-live=price]').textContent !== {first!r}")
        says(page, "dutch-next", re.compile(r"Falls to ¥[\d,]+ at \d\d:\d\d:\d\d"))
        # The step has passed when the bid arrives: nothing is bought, and it is said why.
        tampered["step"] = 1
        page.locator('[data-live="take"]').click()
        confirm(page)
        says(page, "bid-error", re.compile(r"The price has moved to step \d+, ¥[\d,]+"))
        tampered["step"] = 0
        page.locator('[data-live="take"]').click()
        confirm(page)
        page.get_by_text("You won this lot").wait_for(timeout=30_000)
        (taken,) = rooms.bids(lot)
        assert taken["amount_fen"] == START - taken["detail"]["step"] * 10_000


class TestScoring:
    def test_the_preview_is_the_score(self, rooms: Rooms) -> None:
        lot = rooms.lot(format="scoring", params={})
        one, two = (rooms.enter(lot, who) for who in rooms.bidders[:2])

        def offer(page: Page, amount: str, royalty: str) -> None:
            page.fill("#bid-amount", amount)
            page.fill("#bid-royalty", royalty)
            page.locator('[data-live="bid"] button[type=submit]').click()

        one.fill("#bid-amount", "100001")
        one.fill("#bid-royalty", "3.25")
        says(one, "preview", "190.00 points")
        offer(one, "100001", "3.25")
        confirm(one)
        standing(one, "lead")
        says(one, "price", "190.00 points")
        two.fill("#bid-amount", "100000")
        two.fill("#bid-royalty", "3.25")
        says(two, "preview", re.compile("Not enough: at least 191.01 needed.*price must be ¥101,667"))
        offer(two, "101667.67", "3.25")
        confirm(two)
        standing(two, "lead")
        standing(one, "outbid")
        offer(one, "200000", "11")
        says(one, "bid-error", "between 0% and 10%")


class TestDocuments:
    def test_what_is_new_since_the_last_look_is_marked(self, rooms: Rooms) -> None:
        from playwright.sync_api import expect

        lot, now = rooms.lot(), SystemClock().now()
        staff = rooms.people[Role.STAFF].actor
        database = rooms.database()
        with database.write() as session:
            store = DiskStore(rooms.served.folder / "files")
            papers.attach(
                session, staff, now, store, lot, name="说明书.png", content=b"\x89PNG\r\n\x1a\n" + b"0" * 40
            )
        database.dispose()
        page = rooms.enter(lot, rooms.bidders[0])
        mark = page.locator('[data-live="documents"] .fresh')
        expect(mark).to_have_count(1)
        with page.expect_response(lambda answer: answer.url.endswith("/looks")) as seen:
            page.locator("#documents").scroll_into_view_if_needed()
            page.locator('[data-live="documents"]').scroll_into_view_if_needed()
        assert seen.value.status == 204
        rooms.go(page, lot)
        expect(mark).to_have_count(0)


LOTS: dict[str, dict[str, Any]] = {
    "english": {"cap_fen": START + 100 * STEP},
    "sealed": {"format": "sealed", "params": {"reveal_s": 600}},
    "dutch": {
        "format": "dutch",
        "params": {"floor_fen": START // 2, "decrement_fen": 100_000, "interval_s": 3600},
        "ends_at": None,
    },
    "scoring": {"format": "scoring", "params": {}},
}


@pytest.mark.parametrize("name", LOTS)
@pytest.mark.parametrize(
    ("language", "theme"),
    [
        ("zh-Hans", "light"),
        ("en", "dark"),
        pytest.param("zh-Hans", "dark", marks=pytest.mark.long),
        pytest.param("en", "light", marks=pytest.mark.long),
    ],
)
def test_no_grave_violation_and_no_sideways_scrolling(
    rooms: Rooms, name: str, language: str, theme: str
) -> None:
    page = rooms.enter(
        rooms.lot(**LOTS[name]),
        rooms.bidders[0],
        language=language,
        theme=theme,
        viewport=PHONE,
        bypass_csp=True,
    )
    page.wait_for_timeout(300)
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert [*violations(page), *([f"{over} px too wide"] if over > 0 else [])] == []


def histories() -> Iterator[History]:
    """Journals of every format, with each kind of entry that changes a view."""

    def begun(terms: Terms) -> History:
        history = History(terms)
        history.do(c.Publish(lot_id=7), T0 - dt.timedelta(days=1))
        history.do(c.OpenRegistration(lot_id=7))
        for organisation in (11, 12, 13):
            history.admit(organisation)
        history.do(c.Open(lot_id=7), terms.opens_at)
        return history

    later = lambda s: TERMS.opens_at + dt.timedelta(seconds=s)  # noqa: E731
    english = begun(replace(TERMS, hand_extensions=2, hand_extension_s=300))
    english.bid(1, 1000, later(1))
    english.bid(2, 1500, later(2), act="maximum")
    english.bid(3, 1200, later(3))
    english.do(c.Announce(lot_id=7, text="请核对资料"), later(4))
    english.do(c.Pause(lot_id=7, reason="核查"), later(5))
    english.do(c.Resume(lot_id=7), later(9))
    english.do(c.Extend(lot_id=7, reason="补充资料"), later(10))
    yield english
    yield begun(replace(TERMS, cap_fen=None, **_other("scoring")))
    falling = replace(TERMS, cap_fen=None, reserve_fen=None, reserve_nonce="", **_other("dutch"))
    falling = replace(falling, ends_at=dutch.ends_at(falling))
    taken = begun(falling)
    taken.bid(2, dutch.price_at(falling, 2), later(2 * 5 + 1), act="take", step=2)
    yield taken


def _other(name: str) -> dict[str, Any]:
    params: dict[str, Any] = {one.name: one.default for one in RULES[name].PARAMETERS}
    if name == "dutch":
        params |= {"floor_fen": 500, "decrement_fen": 100, "interval_s": 5}
    soft = {} if RULES[name].SOFT_CLOSE else {"window_s": 0, "extension_s": 0, "hard_end": None}
    return {"format": name, "params": params, "maxima": False, **soft}


def test_the_browser_projects_as_the_server_does(rooms: Rooms) -> None:
    page = rooms.window().new_page()
    page.goto("/lots")
    for history in histories():
        terms = history.lot.terms
        view: dict[str, Any] = protocol.start_view(7, "标的", terms)
        frames = [
            json.loads(protocol.event_frame(terms, 7, one.seq, one.hash, one.data, history.clock))
            for one in history.entries
        ]
        assert len(frames) > 5
        expected = view
        for frame in frames:
            expected = protocol.project(expected, frame)
        found = page.evaluate(
            """async ([view, frames]) => { const { project } = await import('/static/js/room-view.js');
            return frames.reduce(project, view); }""",
            [view, frames],
        )
        assert found == json.loads(json.dumps(expected))


def test_the_browser_reckons_as_the_server_does(rooms: Rooms) -> None:
    page = rooms.window().new_page()
    page.goto("/lots")
    falling = replace(TERMS, cap_fen=None, **_other("dutch"))
    falling = replace(falling, ends_at=dutch.ends_at(falling))
    view = {**protocol.start_view(7, "标的", falling), "state": "live"}
    moments = [falling.opens_at + dt.timedelta(milliseconds=ms) for ms in range(-1500, 40_000, 499)]
    lot = History(falling).lot
    expected = [[step := dutch.step_at(lot, at), dutch.price_at(falling, step)] for at in moments]
    found = page.evaluate(
        """async ([view, moments]) => { const { dutchNow } = await import('/static/js/room-view.js');
        return moments.map((at) => { const one = dutchNow(view, at); return [one.step, one.price_fen]; }); }""",
        [view, [at.timestamp() * 1000 for at in moments]],
    )
    assert found == expected

    scored = replace(TERMS, cap_fen=None, start_fen=1_234_567, **_other("scoring"))
    view = protocol.start_view(7, "标的", scored)
    offers = [(1_234_567 + 997 * n, 13 * n % 1000) for n in range(60)]
    shown = [scoring.points(scoring.score(scored, *offer)) for offer in offers]
    assert (
        page.evaluate(
            """async ([view, offers]) => { const { points, score } = await import('/static/js/room-view.js');
        return offers.map(([fen, bp]) => points(score(view, fen, bp))); }""",
            [view, offers],
        )
        == shown
    )
    texts = ["", "abc", "a" * 55, "a" * 56, "a" * 64, "7:3:35000000:" + "9f" * 16, "标的"]
    assert page.evaluate(
        """async (texts) => { const { sha256, sha256Plain } = await import('/static/js/sha256.js');
        return Promise.all(texts.map(async (text) => [await sha256(text), sha256Plain(text)])); }""",
        texts,
    ) == [[hashlib.sha256(text.encode()).hexdigest()] * 2 for text in texts]
