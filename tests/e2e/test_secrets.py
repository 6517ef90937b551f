"""No card number, secret or personal datum stands in a log, a page of an error, or where the database has no place for it.

A served market is walked through registering, paying at Stripe's stand-in, accounts and statements of a bank,
forged messages and failures, with values that stand nowhere else; then everything it wrote is searched for them.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from market.clock import SystemClock
from market.db import Database, t
from market.parties.models import Person
from market.payments.gateway import GatewayRefused, GatewayUnavailable
from market.payments.stripe_gateway import NotGenuine, StripeGateway, read_event
from market.permissions import Role
from tests import factories, stripe_server
from tests.conftest import DIALECTS, HOW_POSTGRES, _postgres_command, missing
from tests.e2e import canaries
from tests.e2e.conftest import Served
from tests.stripe_server import StripeServer
from web.deps import COOKIE

pytestmark = pytest.mark.timeout(240)

WHERE_THEY_BELONG = {
    # The audit log names who registered, and mail that is sent names where to.
    canaries.MEMBER_EMAIL: ("audit_record.after", "person.email", "work_item.payload"),
    canaries.MEMBER_PHONE: ("person.phone",),
    canaries.OWN_ACCOUNT: ("bank_account.number",),
}


@pytest.fixture
def server() -> Iterator[StripeServer]:
    with stripe_server.running(key=canaries.STRIPE_KEY, secret=canaries.WEBHOOK_SECRET) as server:
        yield server


@pytest.fixture(params=DIALECTS)
def address(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The setting that chooses the database."""
    if request.param == "sqlite":
        yield {}
        return
    url = request.getfixturevalue("postgres_url")
    if url is None:
        missing("PostgreSQL", HOW_POSTGRES)
    name = f"market_secrets_{os.getpid()}"
    _postgres_command(url, f'CREATE DATABASE "{name}"')
    yield {"MARKET_DATABASE_URL": make_url(url).set(database=name).render_as_string(hide_password=False)}
    _postgres_command(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def database_of(variables: dict[str, str]) -> Database:
    return Database(
        variables.get("MARKET_DATABASE_URL")
        or f"sqlite:///{Path(variables['MARKET_DATA_DIR']) / 'market.db'}"
    )


@dataclass
class Walk:
    """A served market, those who walk through it, and every page that refused or failed."""

    served: Served
    server: StripeServer
    people: dict[Role, factories.Account]
    second: factories.Account
    lot: int
    firm: httpx.Client
    refusals: list[str]

    def as_(self, who: factories.Account | None = None) -> httpx.Client:
        return httpx.Client(
            base_url=self.served.url,
            cookies={COOKIE: who.cookie} if who else {},
            follow_redirects=True,
            timeout=60,
        )

    def refused(self, answer: httpx.Response, *statuses: int) -> None:
        assert answer.status_code in statuses, answer.text
        self.refusals.append(answer.text + str(answer.headers))

    def until(self, ask: Callable[[], Any], what: str) -> None:
        for _ in range(300):
            if ask():
                return
            time.sleep(0.1)
        raise AssertionError(f"waited in vain: {what}")


@pytest.fixture
def walk(serve: Callable[..., Served], address: dict[str, str], server: StripeServer) -> Walk:
    found: list[Any] = []

    def prepare(variables: dict[str, str]) -> None:
        database = database_of(variables)
        now = SystemClock().now()
        with database.write() as session:
            (university,) = factories.organisations(session, now, "university", 1, 1_000)
            (firm,) = factories.organisations(session, now, "firm", 1, 5_000)
            (agency,) = factories.organisations(session, now, "service_agency", 1, 9_000)
            people = factories.accounts(session, now, university, firm, agency)
            second = factories.account(session, now, agency, Role.STAFF, 2)
            (result,) = factories.results(session, now, [university], 1)
            lot = factories.live_lot(
                session, now, people[Role.STAFF].actor, result, [], deposit_fen=100_000,
                opens_at=now - dt.timedelta(milliseconds=200), ends_at=now + dt.timedelta(hours=2),
            )  # fmt: skip
        database.dispose()
        found.append((people, second, lot))

    served = serve(
        prepare, **address, MARKET_PAYMENTS="stripe,offline", MARKET_STRIPE_METHODS="card",
        MARKET_STRIPE_KEY=canaries.STRIPE_KEY, MARKET_STRIPE_WEBHOOK_SECRET=canaries.WEBHOOK_SECRET,
        MARKET_STRIPE_API_BASE=server.url,
    )  # fmt: skip
    people, second, lot = found[0]
    return Walk(served, server, people, second, lot, httpx.Client(), [])


def registers(walk: Walk) -> None:
    """Somebody registers, mistypes and registers twice; staff verify the firm."""
    walk.firm = walk.as_()
    typed = {
        "organisation.name": "温岭试验水泵有限公司", "organisation.credit_code": factories.credit_code(7_777),
        "organisation.kind": "firm", "organisation.region_code": "331081", "name": "竞买经办人",
        "email": canaries.MEMBER_EMAIL, "phone": canaries.MEMBER_PHONE, "password": canaries.PASSWORD,
    }  # fmt: skip
    answer = walk.firm.post("/register", data=typed)
    organisation = re.search(r"/organisations/(\d+)$", str(answer.url))
    assert organisation, answer.text
    # What was typed is shown again to whoever typed it, the password never.
    again = walk.as_().post("/register", data=typed)
    assert again.status_code in (409, 422)
    assert canaries.PASSWORD not in again.text
    wrong = walk.as_().post(
        "/sign-in", data={"email": canaries.MEMBER_EMAIL, "password": canaries.PASSWORD + "!"}
    )
    assert wrong.status_code == 422
    assert canaries.PASSWORD not in wrong.text
    walk.as_(walk.people[Role.STAFF]).post(f"/organisations/{organisation[1]}/verify").raise_for_status()
    walk.firm.get("/").raise_for_status()


def pays(walk: Walk) -> None:
    """A deposit by card: declined, then paid; Stripe's messages true, forged, stale and unreadable."""
    room = walk.firm.get(f"/lots/{walk.lot}").text
    terms, organisation = (
        re.search(pattern, room, re.DOTALL)
        for pattern in (
            r'name="terms_hash" value="([^"]+)"',
            r'name="organisation_id".*?<option value="(\d+)"',
        )
    )
    assert terms, room
    assert organisation, room
    walk.firm.post(
        f"/lots/{walk.lot}/admission",
        data={"terms_hash": terms[1], "organisation_id": organisation[1], "relation": "none", "accept": "on"},
    ).raise_for_status()
    walk.refused(walk.firm.post(f"/lots/{walk.lot}/deposit", data={"way": canaries.STRIPE_KEY}), 422)
    page = walk.firm.post(f"/lots/{walk.lot}/deposit", data={"way": "stripe:card"})
    payment = page.url
    found = re.search(rf'href="({re.escape(walk.server.url)}/pay/\w+)"', page.text)
    assert found, page.text
    typed = {"email": canaries.PAYER_EMAIL, "name": canaries.PAYER_NAME, "phone": canaries.PAYER_PHONE}
    for number in ("4000 0000 0000 0002", "4000000000000069", "4242-4242-4242-4242", "4242424242424242"):
        httpx.post(found[1], data={**typed, "number": number, "cvc": "737", "expires": "12/39"})
    event = walk.server.events[-1]
    assert canaries.PAYER_EMAIL in str(walk.server.objects)
    hear = walk.as_()

    def send(body: bytes, signature: str | None) -> httpx.Response:
        headers = {} if signature is None else {"stripe-signature": signature}
        return hear.post("/webhooks/stripe", content=body, headers=headers)

    body, signature = walk.server.signed(event)
    walk.refused(send(body, None), 400)
    walk.refused(send(body, signature.replace("v1=", "v1=0")), 400)
    walk.refused(send(*walk.server.signed(event, secret="whsec_forged")), 400)
    walk.refused(send(*walk.server.signed(event, at=walk.server.now - 3_600)), 400)
    walk.refused(send(body.replace(b"event", b"evil.", 1), signature), 400)
    walk.server.fail_next("garbage", "GET /v1/checkout", times=2)
    assert walk.server.send(lambda *one: send(*one).raise_for_status(), twice=True) > 0
    walk.until(lambda: "Set aside" in walk.firm.get(payment, headers={"accept-language": "en"}).text
               or "预授权" in walk.firm.get(payment).text, "the authorisation")  # fmt: skip
    walk.refused(walk.as_(walk.people[Role.DEMAND_OWNER]).get(payment), 404)
    walk.refused(walk.as_().get(payment), 404)


def banks(walk: Walk) -> None:
    """Accounts that money is paid to, a statement with a payer's account, and lines that cannot be read."""
    account = {"holder": "温岭试验水泵有限公司", "bank": "试验银行", "number": canaries.OWN_ACCOUNT}
    first, second = walk.as_(walk.people[Role.STAFF]), walk.as_(walk.second)
    first.post("/bank/accounts", data=account | {"number": "33001234567890"}).raise_for_status()
    own = re.search(r"/bank/accounts/(\d+)/confirm", second.get("/bank").text)
    assert own
    second.post(f"/bank/accounts/{own[1]}/confirm").raise_for_status()
    mine = re.search(r'href="/organisations/(\d+)"', walk.firm.get("/account").text)
    assert mine
    path = f"/organisations/{mine[1]}/bank-account"
    walk.firm.post(path, data=account).raise_for_status()
    assert canaries.OWN_ACCOUNT not in walk.firm.get(path).text
    walk.refused(walk.as_(walk.people[Role.DEMAND_OWNER]).post(path, data=account), 403, 404)
    head = "交易日期,流水号,收入,支出,余额,对方户名,对方账号,附言"
    good = f"2026-11-02,S1,100.00,,100.00,试验付款单位,{canaries.PAYING_ACCOUNT},货款"
    bad = good.replace("100.00", "一百").replace("S1", "S2")
    for lines in ((good, bad), (good,)):
        sent = first.post(
            "/bank/statements",
            data={"account_id": own[1]},
            files={"file": ("流水.csv", "\n".join((head, *lines)).encode(), "text/csv")},
        )
        chosen = {}
        for part in sent.text.split("<select")[1:]:
            name, value = (
                re.search(r' name="(\w+)"', part),
                re.search(r'<option value="([^"]+)" selected', part.split("</select>")[0]),
            )
            if name and value:
                chosen[name[1]] = value[1]
        first.post(str(sent.url), data=chosen)
    assert "试验付款单位" in first.get("/bank/lines").text


def fails(walk: Walk) -> None:
    """What cannot be handled: a column that is gone under somebody's feet, and Stripe's refusal of the key."""
    database = database_of(walk.served.environment)
    with database.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE person RENAME COLUMN phone TO phone_gone"))
    answers = [
        walk.as_().post(
            "/register",
            data={
                "organisation.name": "另一试验有限公司", "organisation.credit_code": factories.credit_code(8_888),
                "organisation.kind": "firm", "organisation.region_code": "331081", "name": "竞买经办人",
                "email": "x" + canaries.MEMBER_EMAIL, "phone": canaries.MEMBER_PHONE, "password": canaries.PASSWORD,
            },
        ),
    ]  # fmt: skip
    with database.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE person RENAME COLUMN phone_gone TO phone"))
    database.dispose()
    for answer in answers:
        walk.refused(answer, 500, 503)
    walk.server.key = "sk_test_another"
    page = re.search(r'href="(/payments/\d+)"', walk.firm.get(f"/lots/{walk.lot}").text)
    assert page
    walk.refused(walk.firm.post(f"{page[1]}/look"), 200)
    walk.refused(walk.firm.get("/payments/999999"), 404)


def printed(log: str) -> str:
    """What a server wrote without the mail that it prints instead of sending."""
    return re.sub(r"-- mail \(printed, not sent\) --.*?-- end of mail --", "", log, flags=re.DOTALL)


def test_nothing_of_it_is_kept_or_told(walk: Walk) -> None:
    registers(walk)
    pays(walk)
    banks(walk)
    fails(walk)

    log = (walk.served.folder / "serve.log").read_text(errors="replace")
    assert "request.failed" in log or "database.unavailable" in log, "nothing failed: this proves little"
    everything = (*canaries.NOWHERE, *canaries.PERSONAL)
    assert canaries.found_in(printed(log), everything) == []
    assert canaries.found_in(log) == []
    assert len(walk.refusals) >= 10
    for page in walk.refusals:
        assert canaries.found_in(page, everything) == [], page

    database = database_of(walk.served.environment)
    assert canaries.found_in_rows(database, everything, WHERE_THEY_BELONG) == []
    # They are there, so the search can see them.
    assert canaries.found_in_rows(database, canaries.PERSONAL) == sorted(
        f"{one}: {place}" for one, places in WHERE_THEY_BELONG.items() for place in places
    )
    if database.is_sqlite:
        assert canaries.found_in_files(walk.served.folder) == []
    database.dispose()


def test_exceptions_hold_nothing(server: StripeServer) -> None:
    """What Stripe's package says when it fails quotes what was sent; what we raise does not."""
    gateway = StripeGateway(canaries.STRIPE_KEY, base=server.url)
    body, signature = server.signed({"about": canaries.PAYER_EMAIL})
    told = []

    def fail(call: Callable[[], Any], expected: type[Exception]) -> None:
        with pytest.raises(expected) as caught:
            call()
        told.append(
            "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(vars(caught.value))
        )

    fail(lambda: gateway.look(f"cs_{canaries.PAYER_PHONE}"), GatewayRefused)
    server.key = "sk_test_another"
    fail(lambda: gateway.look("cs_1"), GatewayUnavailable)
    server.stop()
    fail(lambda: gateway.look("cs_1"), GatewayUnavailable)
    fail(
        lambda: read_event(
            body, signature.replace("v1=", "v1=0"), canaries.WEBHOOK_SECRET, SystemClock().now()
        ),
        NotGenuine,
    )
    for one in told:
        # The line of the test itself is no part of what is told.
        assert canaries.found_in(one.replace("canaries.", "")) == [], one


class TestTheSearch:
    """A leak that is made on purpose is found, wherever it is."""

    def test_in_text(self) -> None:
        log = "a line\nPOST /x card=4242-4242-4242-4242 key=" + canaries.STRIPE_KEY + "\n"
        assert canaries.found_in(log) == ["4242424242424242", canaries.STRIPE_KEY]
        assert canaries.found_in("4242 4242 4242 4242") == ["4242424242424242"]
        assert canaries.found_in("card 4242, 2026-11-24 02:00") == []

    def test_in_the_rows_and_the_file_of_a_database(self, database: Database, now: dt.datetime) -> None:
        assert canaries.found_in_rows(database, canaries.NOWHERE) == []
        with database.write() as session:
            session.add(
                Person(
                    name="4000 0000 0000 9995", email=canaries.PAYER_EMAIL, password_hash="x", created_at=now, updated_at=now
                )
            )  # fmt: skip
        found = [
            f"4000000000009995: {t(Person).name}.name",
            f"{canaries.PAYER_EMAIL}: {t(Person).name}.email",
        ]
        assert canaries.found_in_rows(database, canaries.NOWHERE) == sorted(found)
        allowed = {canaries.PAYER_EMAIL: ("person.email",)}
        assert canaries.found_in_rows(database, canaries.NOWHERE, allowed) == found[:1]
        if database.is_sqlite:
            folder = Path(str(database.url.database)).parent
            for file in folder.glob("*.db*"):
                file.rename(folder / f"market.db{file.suffix.removeprefix('.db')}")
            assert f"{canaries.PAYER_EMAIL}: " in "".join(canaries.found_in_files(folder))

    def test_in_the_log_of_a_server(self, serve: Callable[..., Served]) -> None:
        from tests.e2e import conftest

        served = serve()
        log = served.folder / "serve.log"
        assert conftest.leaks([log]) == []
        with log.open("a") as out:
            out.write(f"something said {canaries.WEBHOOK_SECRET}\n")
        assert conftest.leaks([log]) == [f"{log}: {canaries.WEBHOOK_SECRET}"]
        log.write_text("")
