"""Stripe's messages: proved, kept once by their ids, answered after the commit, and what follows from them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer
from click.testing import Result
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from typer.testing import CliRunner

from market import inbox
from market.clock import FixedClock
from market.db import Database, t
from market.errors import NotFound
from market.inbox import InboxMessage
from market.payments import service, stripe_inbox
from market.payments.gateway import Method
from market.payments.models import Deposit, DepositState, Payment, PaymentDispute
from market.payments.stripe_gateway import StripeGateway
from market.permissions import Actor, Role
from market.work import WorkItem, run_one
from tests import stripe_server
from tests.market.parties import Parties
from tests.paying import bidder
from tests.stripe_server import KEY, SECRET, StripeServer
from web import cli_payments, cli_support, payment_work, wiring
from web.app import create_app
from web.mail import MemoryMailer
from web.routes.webhooks import MOST_BYTES
from web.settings import Environment, Settings, WorkerMode

HOOK = "/webhooks/stripe"
Joined = Callable[..., wiring.Parts]


@pytest.fixture
def server(clock: FixedClock) -> Iterator[StripeServer]:
    with stripe_server.running(now=lambda: clock.now().timestamp()) as server:
        yield server


@pytest.fixture
def joined(database: Database, tmp_path: Path, clock: FixedClock, server: StripeServer) -> Iterator[Joined]:
    """Joins a market with an account at Stripe, or with what is changed about that."""
    made: list[wiring.Parts] = []

    def join(**changed: Any) -> wiring.Parts:
        values: dict[str, Any] = {
            "payments": "stripe", "stripe_key": KEY, "stripe_webhook_secret": SECRET, "stripe_api_base": server.url,
            **changed,
        }  # fmt: skip
        settings = Settings(
            environment=Environment.TEST,
            data_dir=tmp_path / "data",
            database_url=database.url.render_as_string(hide_password=False),  # type: ignore[arg-type]
            base_url="http://testserver",
            worker=WorkerMode.SEPARATE,
            **values,
        )
        made.append(wiring.build(settings, clock=clock, db=database, mailer=MemoryMailer()))
        return made[-1]

    yield join
    for parts in made:
        parts.index.close()


@pytest.fixture
def parts(joined: Joined) -> wiring.Parts:
    return joined()


@pytest.fixture
def client(parts: wiring.Parts) -> TestClient:
    return TestClient(create_app(parts), headers={"accept-language": "en"})


def event(kind: str = "payment_intent.succeeded", **values: Any) -> dict[str, Any]:
    """A message about an intent, as Stripe sends it."""
    about = {
        "object": "payment_intent",
        "id": "pi_1",
        "metadata": {"payment_id": "77", "market": "testserver"},
    }
    return {
        "id": "evt_1", "object": "event", "type": kind, "livemode": False, "api_version": stripe_server.VERSION,
        "data": {"object": about}, **values,
    }  # fmt: skip


def post(client: TestClient, body: bytes, signature: str) -> int:
    answer = client.post(
        HOOK, content=body, headers={"stripe-signature": signature, "content-type": "application/json"}
    )
    return answer.status_code


def kept(parts: wiring.Parts) -> list[Any]:
    with parts.db.read() as session:
        return list(session.execute(sa.select(t(InboxMessage)).order_by(t(InboxMessage).c.id)))


def work_off(parts: wiring.Parts) -> int:
    """Do the payments' work that is due; returns how much there was."""
    done = 0
    while run_one(parts.db, payment_work.handlers(parts), parts.clock.now):
        done += 1
    return done


def begun(parts: wiring.Parts, method: Method = Method.CARD) -> tuple[int, str]:
    """A deposit whose payer is at Stripe's page: the deposit, and the page."""
    with parts.db.write() as session:
        actor, organisation_id = bidder(session, parts.clock.now())
        deposit_id = service.request_deposit(session, actor, parts.clock.now(), 5, organisation_id, 500_00)
        gateway = parts.gateways.named("stripe")
        payment_id = service.begin_payment(session, actor, parts.clock.now(), deposit_id, gateway, method)
    assert payment_work.pursue_now(parts, payment_id) is None
    with parts.db.read() as session:
        reference = session.scalar(sa.select(t(Payment).c.reference).where(t(Payment).c.id == payment_id))
    return deposit_id, str(reference)


def state_of(parts: wiring.Parts, deposit_id: int) -> str:
    with parts.db.read() as session:
        return str(session.scalar(sa.select(t(Deposit).c.state).where(t(Deposit).c.id == deposit_id)))


class TestTheRoute:
    @pytest.mark.parametrize(
        "changed",
        [
            {"stripe_webhook_secret": None},
            {"stripe_webhook_secret": ""},
            {"payments": "simulated", "stripe_key": None},
        ],
    )
    def test_is_not_there_without_a_secret_or_an_account(
        self, joined: Joined, server: StripeServer, changed: dict[str, Any]
    ) -> None:
        client = TestClient(create_app(joined(**changed)))
        assert post(client, *server.signed(event())) == 404
        assert post(client, *server.signed(event(), secret=" ")) == 404

    def test_keeps_ids_and_type_alone_and_each_message_once(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer
    ) -> None:
        message = event()
        message["data"]["object"]["receipt_email"] = "payer@personal.example"
        for _ in range(3):
            assert post(client, *server.signed(message)) == 200
        (row,) = kept(parts)
        assert (row.source, row.external_id, row.kind) == ("stripe", "evt_1", "payment_intent.succeeded")
        assert row.body == {"payment_id": 77, "reference": "pi_1"}
        assert row.handled_at is None
        with parts.db.read() as session:
            kinds = session.scalars(sa.select(t(WorkItem).c.kind)).all()
        assert kinds == [stripe_inbox.KIND]

    def test_still_hears_of_payments_begun_before_stripe_was_taken_off(
        self, joined: Joined, server: StripeServer
    ) -> None:
        parts = joined(payments="simulated")
        assert [gateway.name for gateway in parts.gateways.each] == ["simulated"]
        assert isinstance(parts.gateways.named("stripe"), StripeGateway)
        assert post(TestClient(create_app(parts)), *server.signed(event())) == 200
        assert len(kept(parts)) == 1

    @pytest.mark.parametrize("late", [-dt.timedelta(minutes=6), dt.timedelta(minutes=6)])
    def test_refuses_what_is_forged_or_stale(
        self,
        client: TestClient,
        parts: wiring.Parts,
        server: StripeServer,
        late: dt.timedelta,
    ) -> None:
        body, signature = server.signed(event())
        stale = server.signed(event(), at=int((parts.clock.now() + late).timestamp()))
        assert post(client, *stale) == 400
        assert post(client, body.replace(b"77", b"78"), signature) == 400
        assert post(client, *server.signed(event(), secret="whsec_other")) == 400
        assert client.post(HOOK, content=body).status_code == 400
        assert kept(parts) == []

    def test_reads_no_more_than_its_limit(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer
    ) -> None:
        assert post(client, *server.signed(event(padding="x" * MOST_BYTES))) == 413
        assert post(client, *server.signed(event(padding="x" * (MOST_BYTES - 2_000)))) == 200
        assert len(kept(parts)) == 1

    @pytest.mark.parametrize(
        "message",
        [
            event("payout.paid"),
            event(livemode=True),
            event(
                data={"object": {"object": "payment_intent", "id": "pi_2", "metadata": {"market": "other"}}}
            ),
        ],
    )
    def test_answers_and_forgets_what_is_none_of_ours(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer, message: dict[str, Any]
    ) -> None:
        assert post(client, *server.signed(message)) == 200
        assert kept(parts) == []

    def test_answers_after_the_commit(
        self, parts: wiring.Parts, server: StripeServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = TestClient(create_app(parts), raise_server_exceptions=False)
        real = stripe_inbox.keep

        def keep_and_fail(*arguments: Any) -> bool:
            real(*arguments)
            raise OperationalError("COMMIT", {}, Exception("gone"))

        monkeypatch.setattr(stripe_inbox, "keep", keep_and_fail)
        assert post(client, *server.signed(event())) == 503
        assert kept(parts) == []
        monkeypatch.undo()
        assert post(client, *server.signed(event())) == 200
        assert len(kept(parts)) == 1


class TestWhatFollows:
    @pytest.mark.parametrize("seed", range(4))
    def test_messages_late_twice_and_in_any_order_lead_to_the_same_end(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer, seed: int
    ) -> None:
        chance = random.Random(seed)
        method = chance.choice([Method.CARD, Method.WECHAT_PAY])
        deposit_id, page = begun(parts, method)
        server.decline(page, "insufficient_funds")
        if chance.random() < 0.5:
            server.send(lambda *signed: post(client, *signed), chance=chance)
            work_off(parts)
            assert state_of(parts, deposit_id) == DepositState.DUE
        server.pay(page)
        server.send(lambda *signed: post(client, *signed), twice=True, chance=chance)
        work_off(parts)
        assert state_of(parts, deposit_id) == DepositState.HELD
        assert all(row.handled_at is not None for row in kept(parts))
        assert len({row.external_id for row in kept(parts)}) == len(kept(parts))
        assert work_off(parts) == 0

    def test_a_dispute_names_its_intent_alone_and_is_found(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer
    ) -> None:
        _, page = begun(parts, Method.ALIPAY)
        server.pay(page)
        server.dispute(page)
        waiting = [one for one in server.events if one["type"] == "charge.dispute.created"]
        server.events.clear()
        assert post(client, *server.signed(waiting[0])) == 200
        assert kept(parts)[0].body["payment_id"] is None
        work_off(parts)
        with parts.db.read() as session:
            (row,) = session.execute(sa.select(t(PaymentDispute)))
        assert (row.amount_fen, row.withdrawn_fen, row.reason) == (500_00, 500_00, "fraudulent")

    def test_while_stripe_is_away_a_message_waits(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer, clock: FixedClock
    ) -> None:
        deposit_id, page = begun(parts)
        server.pay(page)
        server.send(lambda *signed: post(client, *signed))
        server.fail_next("error", times=100)
        work_off(parts)
        assert state_of(parts, deposit_id) == DepositState.DUE
        assert {row.handled_at for row in kept(parts)} == {None}
        server._faults.clear()
        clock.advance(hours=1)
        work_off(parts)
        assert state_of(parts, deposit_id) == DepositState.HELD
        assert None not in {row.handled_at for row in kept(parts)}

    @pytest.mark.parametrize("reference", ["pi_unknown", None])
    def test_a_message_about_nothing_here_is_handled(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer, reference: str | None
    ) -> None:
        about = {"object": "dispute", "id": "dp_1", "payment_intent": reference, "metadata": {}}
        message = event("charge.dispute.closed", data={"object": about})
        assert post(client, *server.signed(message)) == 200
        assert work_off(parts) == 1
        assert kept(parts)[0].handled_at is not None

    def test_the_id_of_a_payment_elsewhere_is_not_taken_for_ours(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer
    ) -> None:
        """A payment of that number exists, at another gateway."""
        deposit_id, _ = begun(parts)
        work_off(parts)
        with parts.db.write() as session:
            session.execute(sa.update(t(Payment)).values(gateway="simulated"))
            (payment_id,) = session.scalars(sa.select(t(Payment).c.id))
        asked = len(server.requests)
        message = event()
        message["data"]["object"] |= {"metadata": {"payment_id": str(payment_id), "market": "testserver"}}
        assert post(client, *server.signed(message)) == 200
        assert work_off(parts) == 1
        assert [where for where, _ in server.requests[asked:]] == ["GET /v1/payment_intents/pi_1"]
        assert state_of(parts, deposit_id) == DepositState.DUE

    def test_handling_again_changes_nothing(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer, clock: FixedClock
    ) -> None:
        deposit_id, page = begun(parts, Method.ALIPAY)
        server.pay(page)
        server.send(lambda *signed: post(client, *signed))
        work_off(parts)
        before = (state_of(parts, deposit_id), kept(parts), list(server.calls))
        clock.advance(minutes=1)
        with parts.db.write() as session:
            for row in kept(parts):
                inbox.handle_again(session, "stripe", row.external_id, clock.now())
            with pytest.raises(NotFound):
                inbox.handle_again(session, "stripe", "evt_nobody", clock.now())
        assert work_off(parts) == len(before[1])
        assert (state_of(parts, deposit_id), kept(parts), list(server.calls)) == before

    def test_nothing_that_stripe_knows_of_the_payer_is_stored(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer
    ) -> None:
        _, page = begun(parts)
        server.decline(page, "stolen_card")
        server.pay(page)
        server.send(lambda *signed: post(client, *signed))
        work_off(parts)
        assert "payer@personal.example" in str(server.objects)
        with parts.db.read() as session:
            names = sa.inspect(session.connection()).get_table_names()
            rows = [str(row) for name in names for row in session.execute(sa.text(f'SELECT * FROM "{name}"'))]
        everything = "\n".join(rows)
        assert page in everything
        for secret in ("personal.example", "Personal Name", "4242", "stolen_card", KEY, SECRET):
            assert secret not in everything


@pytest.fixture
def lost(parts: wiring.Parts, server: StripeServer) -> tuple[int, str]:
    """A deposit that was paid, and not one of Stripe's messages came."""
    deposit_id, page = begun(parts, Method.ALIPAY)
    server.pay(page)
    server.events.clear()
    assert state_of(parts, deposit_id) == DepositState.DUE
    return deposit_id, page


class TestAskingAgain:
    @pytest.fixture
    def run(self, parts: wiring.Parts, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
        monkeypatch.setattr(cli_payments, "parts", lambda: parts)
        monkeypatch.setattr(cli_support.console, "width", 200)
        app = typer.Typer()
        cli_payments.register(app)
        return lambda *words: CliRunner().invoke(app, list(words))

    def test_the_command_makes_good_what_was_lost(
        self, parts: wiring.Parts, server: StripeServer, run: Callable[..., Result], lost: tuple[int, str]
    ) -> None:
        server.fail_next("error")
        failed = run()
        assert failed.exit_code == 1
        assert "does not answer" in failed.output
        assert run().exit_code == 0
        assert state_of(parts, lost[0]) == DepositState.HELD
        calls = list(server.calls)
        assert run("--payment", "1").exit_code == 0
        assert server.calls == calls

    def test_the_command_handles_a_message(
        self, client: TestClient, parts: wiring.Parts, server: StripeServer, run: Callable[..., Result]
    ) -> None:
        deposit_id, page = begun(parts)
        server.pay(page)
        server.send(lambda *signed: post(client, *signed))
        assert run("--message", kept(parts)[0].external_id).exit_code == 0
        assert state_of(parts, deposit_id) == DepositState.HELD
        assert kept(parts)[0].handled_at is not None
        assert run("--message", "evt_nobody").exit_code == 1

    def test_the_page_asks_about_all_and_handles_one(
        self,
        client: TestClient,
        parts: wiring.Parts,
        server: StripeServer,
        lost: tuple[int, str],
        sign_in: Callable[[TestClient, Actor], TestClient],
    ) -> None:
        with parts.db.write() as session:
            parties = Parties(session, parts.clock.now())
            people = {
                role: parties.actor(parties.person((parties.organisation(), role)))
                for role in (Role.STAFF, Role.BIDDER)
            }
        assert post(client, *server.signed(event())) == 200
        sign_in(client, people[Role.BIDDER])
        for path in ("/admin/messages/ask", "/admin/messages/stripe/evt_1/again"):
            assert client.post(path).status_code == 403
        assert client.get("/admin/messages").status_code == 403
        sign_in(client, people[Role.STAFF])
        page = client.get("/admin/messages").text
        assert "evt_1" in page
        assert "1 payment is not over yet." in page
        assert client.post("/admin/messages/ask").status_code == 200
        work_off(parts)
        assert state_of(parts, lost[0]) == DepositState.HELD
        assert "evt_1" not in client.get("/admin/messages?state=waiting").text
        assert client.post("/admin/messages/stripe/evt_1/again").status_code == 200
        assert client.post("/admin/messages/stripe/evt_2/again").status_code == 404
        assert work_off(parts) == 1
