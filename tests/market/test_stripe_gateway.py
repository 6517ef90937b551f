"""Stripe's adapter beyond what every gateway does: money units, faults, refunds made elsewhere, disputes, secrets."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import socket
import traceback
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from market.clock import UTC
from market.payments import stripe_reading as reading
from market.payments.gateway import (
    Ask,
    Decline,
    GatewayRefused,
    GatewayUnavailable,
    Method,
    RefundStatus,
    Seen,
    Status,
)
from market.payments.stripe_gateway import API_VERSION, NotGenuine, StripeGateway, read_event
from market.payments.stripe_reading import from_stripe, to_stripe
from tests import stripe_server
from tests.stripe_server import SECRET, StripeServer

NOW = dt.datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
_numbers = itertools.count(1)


@pytest.fixture
def server() -> Iterator[StripeServer]:
    with stripe_server.running(now=NOW.timestamp) as server:
        yield server


@pytest.fixture
def gateway(server: StripeServer) -> StripeGateway:
    return StripeGateway(server.key, base=server.url, patience=(1.0, 1.0))


def ask(
    method: Method = Method.CARD, amount_fen: int = 500_00, currency: str = "CNY", **other: typing.Any
) -> Ask:
    held = method is Method.CARD
    return Ask(
        next(_numbers), 7, 3, "deposit", amount_fen, currency, method, held,
        "http://127.0.0.1/paid", "http://127.0.0.1/back", reusable=held, **other,
    )  # fmt: skip


def key() -> str:
    return f"key-{next(_numbers)}"


def authorised(server: StripeServer, gateway: StripeGateway) -> str:
    reference = gateway.start(key(), ask()).reference
    server.pay(reference)
    return reference


def paid(server: StripeServer, gateway: StripeGateway) -> str:
    reference = gateway.start(key(), ask(Method.ALIPAY)).reference
    server.pay(reference)
    return reference


class TestAmounts:
    @pytest.mark.parametrize(
        ("amount", "currency", "told"),
        [
            (123_45, "CNY", 123_45),
            (5000, "JPY", 5000),
            (5000, "KRW", 5000),
            (12_340, "KWD", 12_340),
            (500, "ISK", 50_000),
            (500, "UGX", 50_000),
            (500_00, "MGA", 500),
            (99, "HUF", 99),
        ],
    )
    def test_each_currency_is_counted_as_stripe_counts_it(
        self, amount: int, currency: str, told: int
    ) -> None:
        assert to_stripe(amount, currency) == to_stripe(amount, currency.lower()) == told
        assert from_stripe(told, currency) == amount

    @pytest.mark.parametrize(("amount", "currency"), [(12_345, "KWD"), (1, "BHD"), (500_01, "MGA")])
    def test_what_stripe_cannot_hold_is_refused(self, amount: int, currency: str) -> None:
        with pytest.raises(GatewayRefused) as refused:
            to_stripe(amount, currency)
        assert refused.value.params == {"reason": "amount_not_possible"}

    @given(st.integers(0, 10**12), st.sampled_from(["CNY", "JPY", "KWD", "ISK", "UGX", "MGA", "USD", "VND"]))
    def test_nothing_is_lost_on_the_way(self, amount: int, currency: str) -> None:
        try:
            told = to_stripe(amount, currency)
        except GatewayRefused:
            assert currency in ("KWD", "MGA")
        else:
            assert from_stripe(told, currency) == amount

    @pytest.mark.parametrize(("amount", "currency"), [(5000, "JPY"), (12_340, "KWD"), (500, "ISK")])
    def test_through_a_whole_payment(
        self, server: StripeServer, gateway: StripeGateway, amount: int, currency: str
    ) -> None:
        reference = gateway.start(key(), ask(amount_fen=amount, currency=currency)).reference
        server.pay(reference)
        seen = gateway.capture(key(), reference, amount)
        assert (seen.amount_fen, seen.captured_fen, seen.currency) == (amount, amount, currency)
        assert gateway.refund(key(), reference, amount).refunded_fen == amount

    def test_beyond_what_stripe_takes_is_refused(self, gateway: StripeGateway) -> None:
        with pytest.raises(GatewayRefused) as refused:
            gateway.start(key(), ask(amount_fen=1_000_000_00))
        assert refused.value.params == {"reason": "amount_too_large"}


def literals(cls: type, name: str) -> set[str]:
    """The values that the package names for a field."""
    from tests.market.test_stripe_types import hints, members

    return {value for one in members(hints(cls)[name]) for value in typing.get_args(one)}


class TestReading:
    def test_every_status_of_the_package_is_known(self) -> None:
        assert literals(stripe.PaymentIntent, "status") == set(reading.ATTEMPTS)

    @pytest.mark.parametrize("page", [None, "open", "complete", "expired", "new"])
    @pytest.mark.parametrize("attempt", [None, *reading.ATTEMPTS, "new"])
    def test_every_pair_of_page_and_attempt_has_a_status(self, page: str | None, attempt: str | None) -> None:
        status = reading.status_of(page and {"status": page}, attempt and {"status": attempt})  # type: ignore[arg-type]
        assert isinstance(status, Status)
        if attempt == "new" or (attempt is None and page == "new"):
            assert status is Status.PROCESSING
        if page == "expired" and attempt in (None, "requires_payment_method", "requires_action"):
            assert status is Status.CANCELLED

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (None, None),
            ({"code": "card_declined", "decline_code": "insufficient_funds"}, Decline.INSUFFICIENT_FUNDS),
            ({"code": "expired_card", "decline_code": None}, Decline.EXPIRED_CARD),
            ({"code": "card_declined", "decline_code": "stolen_card"}, Decline.DECLINED),
            ({"code": "card_declined", "decline_code": "fraudulent"}, Decline.DECLINED),
            ({"code": "made_up_tomorrow"}, Decline.DECLINED),
            ({"type": "card_error"}, Decline.DECLINED),
        ],
    )
    def test_declines(self, error: dict[str, str] | None, told: Decline | None) -> None:
        assert reading.decline_of(error) is told

    def test_every_decline_can_be_told(self) -> None:
        assert set(reading.DECLINES.values()) | {Decline.DECLINED} == set(Decline)

    def test_an_unknown_status_of_a_refund_is_pending(self) -> None:
        one = {"id": "re_1", "amount": 5, "currency": "cny", "status": "new", "metadata": {}}
        assert reading.read_refunds([one])[0].status is RefundStatus.PENDING

    def test_an_authorisation_whose_end_is_not_told_is_taken_to_be_short(self) -> None:
        charge = {"created": 1_000, "payment_method_details": {"type": "card", "card": {}}}
        intent = {
            "id": "pi_1", "status": "requires_capture", "amount": 5, "currency": "cny", "latest_charge": charge,
        }  # fmt: skip
        seen = reading.read(None, intent)
        assert seen.expires_at == dt.datetime.fromtimestamp(1_000, UTC) + reading.SHORTEST_HOLD


class TestAsking:
    def test_what_is_sent_names_nobody(self, server: StripeServer, gateway: StripeGateway) -> None:
        gateway.start("key-a", ask(locale="en"))
        sent = dict(pair.split("=") for pair in server.requests[1][1].split("&"))
        assert sent["payment_intent_data[capture_method]"] == "manual"
        assert sent["payment_intent_data[setup_future_usage]"] == "off_session"
        assert sent["allowed_payment_method_types[0]"] == "card"
        assert sent["locale"] == "en"
        names = {name for name in sent if "metadata" in name}
        assert {name.split("[")[-1] for name in names} == {
            "payment_id]", "organisation_id]", "lot_id]", "purpose]", "key]", "market]",
        }  # fmt: skip

    def test_wechat_pay_is_for_browsers(self, server: StripeServer, gateway: StripeGateway) -> None:
        gateway.start(key(), ask(Method.WECHAT_PAY))
        sent = server.requests[1][1]
        assert "payment_method_options[wechat_pay][client]=web" in sent
        assert "capture_method" not in sent
        assert "setup_future_usage" not in sent

    def test_a_payment_is_named_by_whoever_joins_the_parts(self, server: StripeServer) -> None:
        named = StripeGateway(server.key, base=server.url, describe=lambda ask: f"保证金 {ask.lot_id}")
        reference = named.start(key(), ask()).reference
        assert reference.startswith("cs_")
        assert "%E4%BF%9D%E8%AF%81%E9%87%91+3" in server.requests[1][1]

    @pytest.mark.parametrize(
        ("ways", "method", "currency"),
        [({"card"}, Method.ALIPAY, "CNY"), (set(), Method.CARD, "CNY"), ({"alipay"}, Method.ALIPAY, "USD")],
    )
    def test_a_method_that_the_account_does_not_allow_is_refused(
        self, server: StripeServer, gateway: StripeGateway, ways: set[str], method: Method, currency: str
    ) -> None:
        server.ways = ways
        with pytest.raises(GatewayRefused) as refused:
            gateway.start(key(), ask(method, currency=currency))
        assert refused.value.params == {"reason": "payment_method_unavailable"}

    def test_a_method_that_is_not_offered_is_refused(self, server: StripeServer) -> None:
        cards = StripeGateway(server.key, base=server.url, methods=(Method.CARD,))
        with pytest.raises(GatewayRefused):
            cards.start(key(), ask(Method.ALIPAY))
        with pytest.raises(ValueError, match="bank_transfer"):
            StripeGateway(server.key, methods=(Method.BANK_TRANSFER,))

    def test_an_organisation_is_one_customer(self, server: StripeServer, gateway: StripeGateway) -> None:
        first = gateway.start(key(), ask()).customer
        server.forget_keys()
        assert gateway.start(key(), ask(customer=first)).customer == first
        assert server.made("customers.create") == 1

    def test_markets_that_share_an_account_share_no_key(self, server: StripeServer) -> None:
        one, other = (
            StripeGateway(server.key, base=server.url, market=name) for name in ("one.test", "other.test")
        )
        wanted = ask()
        reference = one.start("key-a", wanted).reference
        assert other.start("key-a", wanted).reference != reference
        assert one.payment_of(reference) == wanted.payment_id
        assert other.payment_of(reference) is None


VERBS: dict[str, tuple[str, Callable[[StripeServer, StripeGateway], Callable[[], Seen]]]] = {
    "start": (
        "POST /v1/checkout/sessions",
        lambda server, gateway: (lambda once, wanted: lambda: gateway.start(once, wanted))(key(), ask()),
    ),
    "capture": (
        "POST /v1/payment_intents",
        lambda server, gateway: (lambda once, one: lambda: gateway.capture(once, one, 200_00))(
            key(), authorised(server, gateway)
        ),
    ),
    "cancel": (
        "POST /v1/payment_intents",
        lambda server, gateway: (lambda once, one: lambda: gateway.cancel(once, one))(
            key(), authorised(server, gateway)
        ),
    ),
    "close": (
        "POST /v1/checkout/sessions",
        lambda server, gateway: (lambda once, one: lambda: gateway.cancel(once, one))(
            key(), gateway.start(key(), ask()).reference
        ),
    ),
    "refund": (
        "POST /v1/refunds",
        lambda server, gateway: (lambda once, one: lambda: gateway.refund(once, one, 200_00))(
            key(), paid(server, gateway)
        ),
    ),
    "authorise_again": (
        "POST /v1/payment_intents",
        lambda server, gateway: (lambda once, wanted, one: lambda: gateway.authorise_again(once, wanted, one))(
            key(), ask(), authorised(server, gateway)
        ),
    ),
}  # fmt: skip


class TestFaults:
    @pytest.mark.parametrize("verb", VERBS)
    @pytest.mark.parametrize("kind", ["drop", "error", "busy", "limit", "garbage", "slow"])
    def test_nothing_is_known_and_the_same_key_makes_it_once(
        self, server: StripeServer, gateway: StripeGateway, kind: str, verb: str
    ) -> None:
        where, prepare = VERBS[verb]
        act = prepare(server, gateway)
        before = list(server.calls)
        server.fail_next(kind, where, seconds=1.5)
        with pytest.raises(GatewayUnavailable):
            act()
        seen = act()
        assert act() == seen
        did = [call for call in server.calls if call != "customers.create"]
        assert len(did) - len([call for call in before if call != "customers.create"]) == 1

    @pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "start"])
    def test_a_failure_that_the_key_remembers_is_over_in_a_day_and_done_once(
        self, server: StripeServer, gateway: StripeGateway, verb: str
    ) -> None:
        where, prepare = VERBS[verb]
        act = prepare(server, gateway)
        before = len(server.calls)
        server.fail_next("error_after", where)
        with pytest.raises(GatewayUnavailable):
            act()
        server.forget_keys()
        seen = act()
        server.forget_keys()
        assert act() == seen
        assert len(server.calls) == before + 1

    def test_an_answer_lost_while_looking_is_asked_again(
        self, server: StripeServer, gateway: StripeGateway
    ) -> None:
        reference = authorised(server, gateway)
        for kind in ("drop", "error", "garbage"):
            server.fail_next(kind, "GET")
            with pytest.raises(GatewayUnavailable):
                gateway.look(reference)
        assert gateway.look(reference).status is Status.AUTHORISED

    def test_nobody_there(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with pytest.raises(GatewayUnavailable):
            StripeGateway("sk_test_x", base=f"http://127.0.0.1:{port}").look("pi_1")

    def test_a_key_that_the_account_does_not_take_can_be_mended(self, server: StripeServer) -> None:
        with pytest.raises(GatewayUnavailable):
            StripeGateway("sk_test_wrong", base=server.url).look("pi_1")

    def test_a_page_paid_while_it_is_being_closed_is_refused(
        self, server: StripeServer, gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reference = gateway.start(key(), ask(Method.ALIPAY)).reference
        stale = gateway._found(reference)
        server.pay(reference)
        monkeypatch.setattr(gateway, "_found", lambda _: stale)
        with pytest.raises(GatewayRefused):
            gateway.cancel(key(), reference)
        monkeypatch.undo()
        assert gateway.look(reference).captured_fen == 500_00


class TestRefunds:
    def test_what_is_let_go_is_no_refund(self, server: StripeServer, gateway: StripeGateway) -> None:
        first, second = authorised(server, gateway), authorised(server, gateway)
        assert gateway.capture(key(), first, 120_00).refunds == ()
        assert gateway.cancel(key(), second).refunds == ()

    def test_one_made_in_stripes_own_pages_is_told_without_a_key(
        self, server: StripeServer, gateway: StripeGateway
    ) -> None:
        reference = paid(server, gateway)
        server.give_back(reference, 100_00)
        seen = gateway.look(reference)
        assert [(one.amount_fen, one.key) for one in seen.refunds] == [(100_00, None)]
        with pytest.raises(GatewayRefused):
            gateway.refund(key(), reference, 400_01)

    def test_pending_then_done_or_failed(self, server: StripeServer, gateway: StripeGateway) -> None:
        reference = paid(server, gateway)
        server.refunds_pend = True
        first, second = key(), key()
        gateway.refund(first, reference, 100_00)
        seen = gateway.refund(second, reference, 50_00)
        assert (seen.refunding_fen, seen.refunded_fen) == (150_00, 0)
        server.finish_refund(seen.refunds[0].reference, done=True)
        server.finish_refund(seen.refunds[1].reference, done=False)
        seen = gateway.look(reference)
        assert [(one.key, one.status) for one in seen.refunds] == [
            (first, RefundStatus.DONE),
            (second, RefundStatus.FAILED),
        ]
        assert gateway.refund(key(), reference, 400_00).refunding_fen == 400_00

    def test_more_than_a_page_of_them(self, server: StripeServer, gateway: StripeGateway) -> None:
        reference = paid(server, gateway)
        for _ in range(230):
            server.give_back(reference, 1)
        assert len({one.reference for one in gateway.look(reference).refunds}) == 230


class TestDisputes:
    def test_withdrawn_and_won_back(self, server: StripeServer, gateway: StripeGateway) -> None:
        reference = paid(server, gateway)
        name = server.dispute(reference, 300_00)
        (dispute,) = gateway.look(reference).disputes
        assert (dispute.reference, dispute.amount_fen, dispute.withdrawn) == (name, 300_00, True)
        assert dispute.evidence_due_at == NOW + dt.timedelta(days=7)
        with pytest.raises(GatewayRefused) as refused:
            gateway.refund(key(), reference, 100_00)
        assert refused.value.params == {"reason": "charge_disputed"}
        server.close_dispute(name, won=True)
        (dispute,) = gateway.look(reference).disputes
        assert (dispute.status, dispute.withdrawn) == ("won", False)

    def test_lost(self, server: StripeServer, gateway: StripeGateway) -> None:
        reference = paid(server, gateway)
        server.close_dispute(server.dispute(reference), won=False)
        (dispute,) = gateway.look(reference).disputes
        assert (dispute.status, dispute.withdrawn) == ("lost", True)


class TestAuthorisingAgain:
    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ("insufficient_funds", Decline.INSUFFICIENT_FUNDS),
            ("authentication_required", Decline.AUTHENTICATION_FAILED),
            ("lost_card", Decline.DECLINED),
        ],
    )
    def test_a_decline_is_told_and_made_once(
        self, server: StripeServer, gateway: StripeGateway, said: str, told: Decline
    ) -> None:
        reference = gateway.start(key(), ask()).reference
        server.saved_cards[server.pay(reference)] = said
        once, wanted = key(), ask()
        seen = gateway.authorise_again(once, wanted, reference)
        assert (seen.status, seen.decline, seen.pay_url) == (Status.WAITING, told, None)
        assert gateway.authorise_again(once, wanted, reference) == seen
        server.forget_keys()
        assert gateway.authorise_again(once, wanted, reference) == seen
        assert gateway.cancel(key(), seen.reference).status is Status.CANCELLED
        assert gateway.look(reference).status is Status.AUTHORISED

    def test_without_a_card_that_was_kept(self, server: StripeServer, gateway: StripeGateway) -> None:
        for reference in (paid(server, gateway), gateway.start(key(), ask()).reference):
            with pytest.raises(GatewayRefused):
                gateway.authorise_again(key(), ask(), reference)


class TestFees:
    def test_told_once_it_is_booked(self, server: StripeServer, gateway: StripeGateway) -> None:
        reference = authorised(server, gateway)
        assert gateway.look(reference).fee_fen is None
        assert gateway.capture(key(), reference, 500_00).fee_fen == 17_00

    def test_unknown_where_the_account_is_settled_in_another_currency(
        self, server: StripeServer, gateway: StripeGateway
    ) -> None:
        server.settlement_currency = "hkd"
        assert gateway.look(paid(server, gateway)).fee_fen is None


class TestSecrets:
    def test_nothing_personal_and_no_key_is_told(
        self, server: StripeServer, gateway: StripeGateway, caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        caplog.set_level(logging.DEBUG)
        told = [repr(gateway), str(vars(gateway))]
        reference = authorised(server, gateway)
        told.append(repr(gateway.look(reference)))
        wrong = "sk_test_wrong"
        failing: list[Callable[[], object]] = [
            lambda: gateway.capture(key(), reference, 999_99_00),
            lambda: gateway.look("pi_nobody"),
            lambda: StripeGateway(wrong, base=server.url).look(reference),
            lambda: read_event(*server.signed({"about": "Personal Name"}, secret=wrong), SECRET, NOW),
        ]
        for act in failing:
            with pytest.raises((GatewayRefused, GatewayUnavailable, NotGenuine)) as caught:
                act()
            error = caught.value
            told += [repr(error), str(error), "".join(traceback.format_exception(error))]
            assert error.__cause__ is None
            assert error.__context__ is None
        everything = "\n".join([*told, caplog.text, *capfd.readouterr()])
        assert "personal.example" in str(server.objects)
        for secret in (server.key, wrong, SECRET, "personal.example", "Personal Name", "4242"):
            assert secret not in everything.replace('"about": "Personal Name"', "")


def event_of(server: StripeServer, kind: str) -> stripe_server.Json:
    return next(event for event in server.events if event["type"] == kind)


def test_the_page_for_operators_names_what_is_handled() -> None:
    page = (Path(__file__).parents[2] / "docs" / "payments-stripe.md").read_text(encoding="utf-8")
    assert {event for event in reading.HANDLED if f"`{event}`" not in page} == set()
    assert f"`{API_VERSION}`" in page


class TestEvents:
    @pytest.fixture
    def events(self, server: StripeServer, gateway: StripeGateway) -> tuple[str, str]:
        """A page that was paid, captured, refunded and disputed; its name and its intent's."""
        reference = authorised(server, gateway)
        gateway.capture(key(), reference, 500_00)
        gateway.refund(key(), reference, 100_00)
        server.dispute(reference)
        return reference, server.objects[reference]["payment_intent"]

    def test_each_leads_to_the_payment(
        self, server: StripeServer, gateway: StripeGateway, events: tuple[str, str]
    ) -> None:
        page, intent = events
        payment_id = gateway.payment_of(page)
        for event in server.events:
            found = read_event(*server.signed(event), SECRET, NOW)
            assert found is not None
            assert (found.id, found.type, found.livemode) == (event["id"], event["type"], False)
            assert found.reference in (page, intent)
            disputed = event["type"].startswith("charge.dispute")
            assert found.payment_id == (None if disputed else payment_id)
            assert found.market == (None if disputed else "market")
            assert gateway.payment_of(found.reference) == payment_id
        assert {event["type"] for event in server.events} >= {"refund.created", "charge.dispute.created"}

    def test_another_version_is_read_alike(self, server: StripeServer, events: tuple[str, str]) -> None:
        event = {**event_of(server, "payment_intent.succeeded"), "api_version": "2017-08-15"}
        found = read_event(*server.signed(event), SECRET, NOW)
        assert found is not None
        assert found.reference == events[1]

    def test_other_news_is_none_of_ours(self, server: StripeServer, events: tuple[str, str]) -> None:
        event = event_of(server, "payment_intent.succeeded")
        for change in ({"type": "payout.paid"}, {"object": "v2.core.event"}, {"data": {}}, {"data": None}):
            assert read_event(*server.signed({**event, **change}), SECRET, NOW) is None

    @pytest.mark.parametrize("late", [301, -301])
    def test_a_stale_signature_is_refused(
        self, server: StripeServer, events: tuple[str, str], late: int
    ) -> None:
        body, signature = server.signed(server.events[0])
        moment = NOW + dt.timedelta(seconds=late)
        with pytest.raises(NotGenuine):
            read_event(body, signature, SECRET, moment)
        assert read_event(body, signature, SECRET, moment, dt.timedelta(hours=1)) is not None

    def test_a_forged_one_is_refused(self, server: StripeServer, events: tuple[str, str]) -> None:
        body, signature = server.signed(server.events[0])
        other = server.signed(server.events[0], secret="whsec_other")[1]
        forged: list[tuple[bytes, str | None]] = [
            (body + b" ", signature),
            (body, other),
            (body, None),
            (body, ""),
            (body, "t=abc,v1=abc"),
            (body, signature.replace("v1=", "v0=")),
            (body, signature.split(",", 1)[1]),
            (b"\xff\xfe", signature),
            (body, "t=99999999999999999999," + signature.split(",", 1)[1]),
        ]
        for raw, header in forged:
            with pytest.raises(NotGenuine):
                read_event(raw, header, SECRET, NOW)
        with pytest.raises(NotGenuine):
            read_event(body, signature, "", NOW)

    def test_either_of_two_secrets_signs_while_they_change(
        self, server: StripeServer, events: tuple[str, str]
    ) -> None:
        body, signature = server.signed(server.events[0])
        other = server.signed(server.events[0], secret="whsec_other")[1]
        both = other + "," + signature.split(",")[1]
        assert read_event(body, both, SECRET, NOW) is not None

    @given(st.binary(max_size=60), st.text(max_size=60))
    def test_noise_is_refused(self, body: bytes, signature: str) -> None:
        with pytest.raises(NotGenuine):
            read_event(body, signature, SECRET, NOW)

    @given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["object", "type", "data", "id", "metadata", "payment_id"]) , inner)))  # fmt: skip
    def test_any_signed_json_is_read_or_refused(self, value: object) -> None:
        stand_in = StripeServer(now=NOW.timestamp)
        try:
            read_event(*stand_in.signed(value), SECRET, NOW)  # type: ignore[arg-type]
        except NotGenuine:
            assert not isinstance(value, dict)
