"""From registration to the confirmation of sale with a deposit paid by card: at the simulated gateway, and at Stripe.

Stripe is a stand-in (`tests/stripe_server.py`) with a page to pay on; its messages come when the test says so.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pypdf
import pytest

from auctions.rules.terms import CapRule
from market.clock import SystemClock
from market.db import Database
from market.permissions import Role
from tests import factories, stripe_server
from tests.e2e import canaries
from tests.e2e.conftest import Served
from tests.e2e.site import DESKTOP, PHONE
from tests.e2e.test_accessibility import violations
from tests.stripe_server import StripeServer
from web.deps import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(240)]

DEPOSIT = "¥10,000"
START_FEN, CAP_FEN = 10_000_000, 12_000_000
FIRM = "温岭试验水泵有限公司"
GOOD, ASKS, POOR = "4242 4242 4242 4242", "4000 0027 6000 3184", "4000 0000 0000 9995"
WHY = {
    "zh-Hans": ("付款被拒绝", "卡内可用余额不足，请换一张卡或换一种付款方式。"),
    "en": (
        "The payment was declined",
        "There is not enough money available on the card. Use another card or another way to pay.",
    ),
}


@dataclass
class Stage:
    """A served market with a university's result, staff and a firm that will lose."""

    served: Served
    browser: Browser
    people: dict[Role, factories.Account]
    loser: factories.Account
    lot: int
    windows: list[BrowserContext] = field(default_factory=list)

    def window(self, who: factories.Account | None = None, language: str = "zh-Hans") -> Page:
        """A window of its own, in a language."""
        context = self.browser.new_context(
            base_url=self.served.url,
            viewport=DESKTOP,
            reduced_motion="reduce",
            bypass_csp=True,
            accept_downloads=True,
        )
        self.windows.append(context)
        cookies = {"lang": language} | ({COOKIE: who.cookie} if who else {})
        context.add_cookies(
            [{"name": name, "value": value, "url": self.served.url} for name, value in cookies.items()]
        )
        return context.new_page()

    def log(self) -> str:
        return (self.served.folder / "serve.log").read_text(errors="replace")


@pytest.fixture
def stage(serve: Callable[..., Served], browser: Browser) -> Iterator[Callable[..., Stage]]:
    """Makes a market whose one lot is open, and sold at once to whoever bids its cap."""
    made: list[Stage] = []

    def make(**settings: str) -> Stage:
        found: list[Any] = []

        def prepare(variables: dict[str, str]) -> None:
            database = Database(f"sqlite:///{Path(variables['MARKET_DATA_DIR']) / 'market.db'}")
            now = SystemClock().now()
            with database.write() as session:
                (university,) = factories.organisations(session, now, "university", 1, 1_000)
                (firm,) = factories.organisations(session, now, "firm", 1, 5_000)
                (agency,) = factories.organisations(session, now, "service_agency", 1, 9_000)
                people = factories.accounts(session, now, university, firm, agency)
                (result,) = factories.results(session, now, [university], 1)
                lot = factories.live_lot(
                    session, now, people[Role.STAFF].actor, result, [], start_fen=START_FEN, step_fen=500_000,
                    cap_fen=CAP_FEN, cap_rule=CapRule.CLOSE, deposit_fen=1_000_000,
                    opens_at=now - dt.timedelta(milliseconds=200), ends_at=now + dt.timedelta(hours=2),
                )  # fmt: skip
            database.dispose()
            found.append((people, lot))

        served = serve(prepare, **settings)
        people, lot = found[0]
        made.append(Stage(served, browser, people, people[Role.BIDDER], lot))
        return made[-1]

    yield make
    for one in made:
        for window in one.windows:
            window.close()


@pytest.fixture
def stripe() -> Iterator[StripeServer]:
    with stripe_server.running(key=canaries.STRIPE_KEY, secret=canaries.WEBHOOK_SECRET) as server:
        yield server


def press(page: Page, name: str, within: str = "main") -> None:
    page.locator(within).get_by_role("button", name=name, exact=True).first.click()
    page.wait_for_load_state()


def seen(page: Page, text: str | re.Pattern[str], tries: int = 60) -> None:
    """Load a page anew until it says something: what it waits for is done by the worker."""
    for _ in range(tries):
        inside = page.inner_text("main")
        if re.search(text, inside):
            return
        page.wait_for_timeout(250)
        page.reload()
    raise AssertionError(f"{page.url} never said {text}: {page.inner_text('main')}")


def in_english(page: Page) -> Callable[[], None]:
    """Show the same page in English; what is returned goes back to Chinese."""

    def speak(language: str) -> None:
        page.context.add_cookies(
            [{"name": "lang", "value": language, "url": str(page.evaluate("location.origin"))}]
        )
        page.reload()

    speak("en")
    return lambda: speak("zh-Hans")


def looks_right(page: Page, name: str, folder: Path | None = None) -> None:
    """Nothing grave, and nothing wider than a phone."""
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
    assert violations(page) == [], name
    page.set_viewport_size(DESKTOP)


def register(stage: Stage) -> Page:
    """A firm registers with the person who acts for it, and staff verify it."""
    page = stage.window()
    page.goto("/register")
    values = {
        "organisation.name": FIRM, "organisation.credit_code": factories.credit_code(7_777),
        "name": "竞买经办人", "email": canaries.MEMBER_EMAIL, "phone": canaries.MEMBER_PHONE,
        "password": canaries.PASSWORD,
    }  # fmt: skip
    page.select_option('select[name="organisation.kind"]', "firm")
    for name, value in values.items():
        page.fill(f'input[name="{name}"]', value)
    press(page, "注册")
    assert re.search(r"/organisations/\d+$", page.url), page.inner_text("main")
    staff = stage.window(stage.people[Role.STAFF], "en")
    staff.goto("/admin")
    card = staff.locator("li.card", has_text=FIRM)
    card.get_by_role("button", name="Verify").click()
    staff.wait_for_load_state()
    return page


def ask_to_be_admitted(stage: Stage, page: Page) -> None:
    """Accept the terms and declare no relations; the deposit is asked for."""
    page.goto(f"/lots/{stage.lot}")
    page.check('input[name="relation"][value="none"]')
    page.check('input[name="accept"]')
    press(page, "提交申请")
    assert DEPOSIT in page.inner_text("#admission")
    press(page, "缴纳保证金")


def explained(page: Page) -> None:
    """Why the card was declined stands there in both languages, and that nothing was taken."""
    for title, why in (WHY["zh-Hans"], WHY["en"]):
        if title == WHY["en"][0]:
            back = in_english(page)
        told = page.locator("main [role=alert]").inner_text()
        assert title in told
        assert why in told
    back()


def admit(stage: Stage, count: int) -> None:
    """Staff admit everybody whose deposit is held."""
    page = stage.window(stage.people[Role.STAFF], "en")
    page.goto(f"/lots/{stage.lot}/console")
    for _ in range(count):
        press(page, "Admit", '[data-part="admissions"]')
    assert page.locator('[data-part="admissions"]').get_by_text("Admitted").count() >= count


def bid_and_close(stage: Stage, winner: Page, loser: Page) -> None:
    """Bids in the live room; the second is the cap, and the lot is sold."""
    from playwright.sync_api import expect

    for page in (winner, loser):
        page.goto(f"/lots/{stage.lot}")
        expect(page.locator('[data-live="connection"]')).to_have_attribute("data-state", "on", timeout=15_000)
    for page, amount in ((loser, "10万"), (winner, "12万")):
        inside = page.locator('[data-live="bid"]')
        inside.locator("input[data-money]").fill(amount)
        inside.locator(".bid__free button[type=submit]").click()
        page.locator('[data-live="confirm"] button[value="yes"]').click()
        if page is loser:
            expect(winner.locator('[data-live="price"]')).to_have_text(re.compile("100,000"), timeout=15_000)
    expect(loser.locator('[data-live="standing"]')).to_have_attribute("data-state", "outbid", timeout=15_000)
    seen(winner, "您已竞得本标的")


def confirm_the_sale(stage: Stage, winner: Page) -> None:
    """Buyer, seller and organiser sign on the checklist; the confirmation is there as a PDF."""
    winner.goto(f"/lots/{stage.lot}")
    seen(winner, "打开事项清单")
    winner.get_by_role("link", name="打开事项清单").click()
    winner.wait_for_load_state()
    looks_right(winner, "checklist")
    address = winner.url
    for page in (
        winner,
        stage.window(stage.people[Role.RESULTS_OFFICER]),
        stage.window(stage.people[Role.STAFF]),
    ):
        page.goto(address)
        form = page.locator('form[action$="/sign"]').first
        form.locator('input[name="read"]').check()
        form.locator("button").click()
        page.wait_for_load_state()
    winner.goto(address)
    signed = winner.locator("section", has=winner.locator("#confirmation"))
    assert signed.get_by_text("已签", exact=False).count() >= 3
    link = winner.locator('a[href$="/confirmation.pdf"]').first.get_attribute("href")
    pdf = winner.request.get(str(link)).body()
    text = "".join(one.extract_text() for one in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    for words in (FIRM, "120,000.00"):
        assert words in text, text


def test_with_the_simulated_gateway(stage: Callable[..., Stage]) -> None:
    market = stage()
    winner = register(market)

    ask_to_be_admitted(market, winner)
    assert "/payments/simulated/" in winner.url
    looks_right(winner, "simulated pay page")
    press(winner, "余额不足")
    assert WHY["zh-Hans"][1] in winner.locator("main [role=alert]").inner_text()
    winner.get_by_role("link", name="返回本笔付款").click()
    winner.wait_for_load_state()
    explained(winner)
    looks_right(winner, "declined")
    winner.get_by_role("link", name="前往付款页面").click()
    winner.wait_for_load_state()
    press(winner, "银行要求身份验证")
    press(winner, "付款成功")
    assert "款项已在卡上预授权" in winner.inner_text("main")
    payment = winner.url.partition("?")[0]

    loser = market.window(market.loser)
    ask_to_be_admitted(market, loser)
    press(loser, "付款成功")
    assert "款项已在卡上预授权" in loser.inner_text("main")
    back = loser.url.partition("?")[0]

    admit(market, 2)
    bid_and_close(market, winner, loser)
    loser.goto(back)
    seen(loser, "保证金已退还")
    winner.goto(payment)
    seen(winner, "保证金已收取")
    looks_right(winner, "taken")
    confirm_the_sale(market, winner)
    assert canaries.found_in(market.log()) == []


@dataclass
class Post:
    """Carries a stand-in's messages to the market: when it is told to, some twice, some late."""

    server: StripeServer
    url: str
    kept: list[dict[str, Any]] = field(default_factory=list)

    def keep_back(self, kind: str) -> None:
        """Leave messages of a kind in the post for later."""
        late = [one for one in self.server.events if one["type"] == kind]
        assert late, kind
        self.kept += late
        self.server.events = [one for one in self.server.events if one not in late]

    def deliver(self, *, twice: bool = False) -> None:
        assert self.server.send(self._post, twice=twice) > 0

    def deliver_late(self) -> None:
        assert self.kept
        for event in self.kept:
            self._post(*self.server.signed(event))
        self.kept.clear()

    def _post(self, body: bytes, signature: str) -> None:
        answer = httpx.post(
            f"{self.url}/webhooks/stripe", content=body, headers={"stripe-signature": signature}
        )
        assert answer.status_code == 200, answer.text


def type_card(page: Page, number: str) -> None:
    """Fill in the form of the stand-in's pay page and send it."""
    page.get_by_label("E-mail").fill(canaries.PAYER_EMAIL)
    page.get_by_label("Name").fill(canaries.PAYER_NAME)
    page.get_by_label("Phone").fill(canaries.PAYER_PHONE)
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expires").fill("12/39")
    page.get_by_label("CVC").fill("737")
    page.get_by_role("button", name="Pay").click()
    page.wait_for_load_state()


def test_with_stripe(stage: Callable[..., Stage], stripe: StripeServer) -> None:
    market = stage(
        MARKET_PAYMENTS="stripe",
        MARKET_STRIPE_KEY=canaries.STRIPE_KEY,
        MARKET_STRIPE_WEBHOOK_SECRET=canaries.WEBHOOK_SECRET,
        MARKET_STRIPE_METHODS="card",
        MARKET_STRIPE_API_BASE=stripe.url,
    )
    post = Post(stripe, market.served.url)
    winner = register(market)

    # A declined card: said by the bank's page, then by ours, in both languages.
    ask_to_be_admitted(market, winner)
    payment = winner.url.partition("?")[0]
    assert re.search(r"/payments/\d+$", payment)
    looks_right(winner, "begun")
    winner.get_by_role("link", name="前往付款页面").click()
    assert winner.url.startswith(stripe.url)
    type_card(winner, POOR)
    assert "declined" in winner.locator("[role=alert]").inner_text()
    declined = len(stripe.events)
    assert declined == 1
    late = stripe.events[0]
    post.deliver()
    winner.get_by_role("link", name="Back").click()
    seen(winner, "卡内可用余额不足")
    explained(winner)
    looks_right(winner, "declined")

    # A card whose bank asks first. Back before Stripe's message is: the page says that it waits.
    winner.get_by_role("link", name="前往付款页面").click()
    type_card(winner, ASKS)
    winner.get_by_role("button", name="It is me").click()
    winner.wait_for_load_state()
    assert winner.url.startswith(f"{payment}?from=paid")
    assert "正在处理" in winner.inner_text("main")
    looks_right(winner, "waiting for the message")
    post.keep_back("checkout.session.completed")
    post.deliver(twice=True)
    seen(winner, "款项已在卡上预授权")

    loser = market.window(market.loser)
    ask_to_be_admitted(market, loser)
    back = loser.url.partition("?")[0]
    loser.get_by_role("link", name="前往付款页面").click()
    type_card(loser, GOOD)
    post.deliver()
    seen(loser, "款项已在卡上预授权")

    admit(market, 2)
    bid_and_close(market, winner, loser)
    loser.goto(back)
    seen(loser, "保证金已退还")
    winner.goto(payment)
    seen(winner, "保证金已收取")
    intents = {
        one["customer"]: one["status"] for one in stripe.objects.values() if one["object"] == "payment_intent"
    }
    assert sorted(intents.values()) == ["canceled", "succeeded"]
    assert stripe.made("intents.capture") == stripe.made("intents.cancel") == 1
    assert stripe.made("refunds.create") == 0

    # Old news: that a card was declined, and that a page was completed. Nothing changes.
    post.kept.append({**late, "id": "evt_late"})
    post.deliver_late()
    post.deliver()
    confirm_the_sale(market, winner)
    winner.goto(payment)
    seen(winner, "保证金已收取")
    assert stripe.made("intents.capture") == stripe.made("intents.cancel") == 1
    assert canaries.found_in(market.log()) == []
