"""The stand-in for Stripe and the adapter against the official package's own types.

What the stand-in answers is what the package says that Stripe answers; the parameters that it knows are
Stripe's; and every field that the adapter reads exists.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import stripe
from stripe import params as stripe_params
from stripe.params import checkout as checkout_params

from market.payments import stripe_gateway, stripe_reading
from market.payments.gateway import Ask, GatewayRefused, Method
from market.payments.stripe_gateway import StripeGateway
from tests import stripe_server
from tests.stripe_server import PARAMS, StripeServer

CLASSES: dict[str, Any] = {
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "list": stripe.ListObject,
    "payment_intent": stripe.PaymentIntent,
    "refund": stripe.Refund,
}
TYPED: dict[str, Any] = {
    "customers.create": stripe_params.CustomerCreateParams,
    "sessions.create": checkout_params.SessionCreateParams,
    "sessions.retrieve": checkout_params.SessionRetrieveParams,
    "sessions.expire": checkout_params.SessionExpireParams,
    "intents.create": stripe_params.PaymentIntentCreateParams,
    "intents.list": stripe_params.PaymentIntentListParams,
    "intents.retrieve": stripe_params.PaymentIntentRetrieveParams,
    "intents.capture": stripe_params.PaymentIntentCaptureParams,
    "intents.cancel": stripe_params.PaymentIntentCancelParams,
    "refunds.create": stripe_params.RefundCreateParams,
    "refunds.list": stripe_params.RefundListParams,
    "disputes.list": stripe_params.DisputeListParams,
}


class Names(dict[str, Any]):
    """Names in an annotation, most of which the package imports for type checkers alone."""

    def __init__(self, cls: type) -> None:
        super().__init__()
        self.cls, self.module = cls, sys.modules[cls.__module__]

    def __missing__(self, name: str) -> Any:
        for place in (self.cls, self.module, typing, stripe):
            if hasattr(place, name):
                return getattr(place, name)
        raise KeyError(name)


class Unknown:
    """Stands for a class that the package names and does not export under that name."""


@functools.cache
def hints(cls: type) -> dict[str, Any]:
    """The annotations of a class, resolved. Names that cannot be found are `Unknown`."""
    names = Names(cls)
    while True:
        try:
            return typing.get_type_hints(cls, localns=names)
        except NameError as error:
            names[str(error.name)] = Unknown


def members(hint: Any) -> Iterator[Any]:
    """The alternatives of a type, Optional and NotRequired taken apart."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType) or getattr(origin, "__name__", "") in (
        "NotRequired",
        "Required",
    ):
        for inner in typing.get_args(hint):
            yield from members(inner)
    elif isinstance(hint, typing.ForwardRef):
        yield Unknown
    else:
        yield hint


def fits(value: Any, hint: Any, path: str) -> list[str]:
    """What in a value is not as its type says."""
    if isinstance(value, dict) and isinstance(value.get("object"), str):
        return wrong(value, path)
    problems: list[str] = []
    for one in members(hint):
        origin = typing.get_origin(one)
        if one in (Any, Unknown) or isinstance(one, typing.TypeVar):
            return []
        if one is type(None):
            found = [] if value is None else [path]
        elif origin is typing.Literal:
            found = [] if value in typing.get_args(one) else [f"{path}={value!r}"]
        elif origin is list:
            inner = typing.get_args(one)[0]
            found = (
                [problem for item in value for problem in fits(item, inner, f"{path}[]")]
                if isinstance(value, list)
                else [path]
            )
        elif one in (str, int, bool, float):
            found = [] if type(value) is one else [f"{path}={value!r}"]
        elif isinstance(value, dict):
            found = [] if "Untyped" in str(one) or one is dict or origin is dict else wrong(value, path, one)
        else:
            found = [f"{path}={value!r}"]
        if not found:
            return []
        problems += found
    return problems


def wrong(thing: Mapping[str, Any], path: str = "", cls: Any = None) -> list[str]:
    """Where an answer is not what the package's class of it says."""
    cls = cls or CLASSES[thing["object"]]
    known = {"object": str, **hints(cls)}
    path = path or str(thing.get("object"))
    problems = []
    for name, value in thing.items():
        if name not in known:
            problems.append(f"{path}.{name} is unknown")
        else:
            problems += fits(value, known[name], f"{path}.{name}")
    return problems


def ask(number: int, method: Method = Method.CARD, *, manual: bool = True, currency: str = "CNY") -> Ask:
    return Ask(
        number, 7, 3, "deposit", 500_00, currency, method, manual,
        "http://127.0.0.1/paid", "http://127.0.0.1/back", reusable=manual,
    )  # fmt: skip


@pytest.fixture
def server() -> Iterator[StripeServer]:
    """A server after a walk through all that the adapter does and payers do."""
    with stripe_server.running() as server:
        gateway = StripeGateway(server.key, base=server.url)
        first = gateway.start("a", ask(1)).reference
        server.decline(first, "insufficient_funds")
        server.ask_authentication(first)
        gateway.look(first)
        card = server.pay(first)
        again = gateway.authorise_again("b", ask(2), first).reference
        gateway.cancel("c", again)
        gateway.capture("d", first, 300_00)
        gateway.refund("e", first, 100_00)
        dispute = server.dispute(first)
        gateway.look(first)
        server.close_dispute(dispute, won=True)
        gateway.look(first)
        server.saved_cards[card] = "authentication_required"
        gateway.authorise_again("f", ask(3), first)
        second = gateway.start("g", ask(4, Method.WECHAT_PAY, manual=False)).reference
        server.process(second)
        gateway.look(second)
        server.settle(second, agreed=True)
        server.refunds_pend = True
        refund = gateway.refund("h", second, 500_00).refunds[0].reference
        server.finish_refund(refund, done=False)
        gateway.look(second)
        third = gateway.start("i", ask(5, Method.ALIPAY, manual=False)).reference
        gateway.cancel("j", third)
        yield server


def test_every_call_was_made_and_every_answer_is_as_the_package_types_it(server: StripeServer) -> None:
    assert {name for name, _ in server.answers} == set(PARAMS)
    assert [problem for _, body in server.answers for problem in wrong(body)] == []


def test_events_are_as_the_package_types_them(server: StripeServer) -> None:
    assert [problem for event in server.events for problem in wrong(event)] == []
    kinds = {kind for one in members(hints(stripe.Event)["type"]) for kind in typing.get_args(one)}
    assert kinds >= stripe_reading.HANDLED
    assert {event["type"] for event in server.events} <= stripe_reading.HANDLED


def test_a_field_that_the_package_does_not_know_is_found() -> None:
    assert wrong({"object": "refund", "amount": 1, "amounts": 2}) == ["refund.amounts is unknown"]
    assert wrong({"object": "refund", "amount": "1"}) == ["refund.amount='1'"]
    assert wrong({"object": "payment_intent", "next_action": {"typo": 1}}) != []


@pytest.mark.parametrize("call", PARAMS)
def test_parameters_are_those_of_the_package(call: str) -> None:
    def check(spec: Any, typed: Any, path: str) -> list[str]:
        if hasattr(spec, "known"):
            inner = next((one for one in members(typed) if hasattr(one, "__total__")), typed)
            known = hints(inner)
            return [
                problem
                for name, part in spec.known.items()
                for problem in (
                    check(part, known[name], f"{path}.{name}") if name in known else [f"{path}.{name}"]
                )
            ]
        if hasattr(spec, "item"):
            inner = next(typing.get_args(one)[0] for one in members(typed) if typing.get_origin(one) is list)
            return check(spec.item, inner, f"{path}[]")
        if hasattr(spec, "choices"):
            allowed = {
                choice
                for one in members(typed)
                if typing.get_origin(one) is typing.Literal
                for choice in typing.get_args(one)
            }
            # Where the package names the choices, ours are among them; a path to expand is free text.
            return [f"{path}={choice}" for choice in spec.choices if allowed and choice not in allowed]
        return []

    assert check(PARAMS[call], TYPED[call], call) == []


class Noting(dict[str, Any]):
    """An answer that notes which of its fields are read."""

    read: typing.ClassVar[set[tuple[str, str]]] = set()

    def _note(self, name: str) -> None:
        if "object" in self:
            Noting.read.add((str(super().get("object")), name))

    def __getitem__(self, name: str) -> Any:
        self._note(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._note(name)
        return super().get(name, default)


def noting(value: Any) -> Any:
    if isinstance(value, dict):
        return Noting({name: noting(item) for name, item in value.items()})
    return [noting(item) for item in value] if isinstance(value, list) else value


def test_every_field_that_is_read_exists(server: StripeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    real = stripe_gateway._asked
    monkeypatch.setattr(stripe_gateway, "_asked", lambda *args, **options: noting(real(*args, **options)))
    Noting.read = set()
    gateway = StripeGateway(server.key, base=server.url)
    for thing in [thing["id"] for thing in server.objects.values()]:
        if thing.startswith(("cs_", "pi_")):
            gateway.look(thing)
            gateway.payment_of(thing)
            for number, verb in enumerate((gateway.capture, gateway.refund)):
                with contextlib.suppress(GatewayRefused):
                    verb(f"{thing}{number}", thing, 1_00)
    gateway.start("noted", ask(9))
    read = {pair for pair in Noting.read if pair[1] != "object"}
    assert {kind for kind, _ in read} >= {"checkout.session", "payment_intent", "charge", "refund", "dispute"}
    assert [pair for pair in sorted(read) if pair[1] not in hints(CLASSES[pair[0]])] == []


def test_the_pinned_version_is_the_packages() -> None:
    """A newer package may type another version: then the changes are read, and the pin moves with it."""
    from stripe._api_version import _ApiVersion

    assert _ApiVersion.CURRENT == stripe_gateway.API_VERSION == stripe_server.VERSION
