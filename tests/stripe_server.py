"""A small server that speaks Stripe's HTTP as far as the market uses it. Made for tests, and no more.

Written from Stripe's public API reference, and held to the official package's own types
(`tests/market/test_stripe_types.py`). It knows only the routes, parameters and expansions that
`market.payments.stripe_gateway` uses, and refuses all others with an error of Stripe's shape: what passes
here is not guessed at. Where Stripe's documents leave something open, it does what an adapter must bear:

- What is let go without having been captured is listed as a refund that touched no balance.
- A key that made something answers the same again, its errors too, until the keys are forgotten; a key
  with other parameters or at another address is refused.
- A way to pay that the account or the currency does not allow is left out of a page silently.
- An intent is there only from the first attempt to pay on.

Payers act by methods (`pay`, `decline`, …) or on the page `/pay/{session}`. Every change leaves an event,
which is sent when a test says so: signed, late, twice, in any order. Faults come on command (`fail_next`).
Amounts are what Stripe counts in; times come from `now`, which a test may move.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import hmac
import html
import itertools
import json
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

VERSION = "2026-10-28.endive"
KEY = "sk_test_standin"
SECRET = "whsec_standin"
LARGEST = 99_999_999
HOLD = 7 * 86_400
SHORT_HOLD = 4 * 86_400 + 18 * 3_600
PAGE_LIVES = 86_400
MANUAL = {"card"}
IN_TENS, IN_HUNDREDS = {"bhd", "jod", "kwd", "omr", "tnd"}, {"isk", "ugx"}

Json = dict[str, Any]


class Refused(Exception):
    """What a request is answered with when it cannot be granted; `saved` if its key remembers it."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        saved: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.saved = status, saved
        self.body = {
            "error": {"type": kind, "message": message, "code": code, "param": param, **more},
        }


def bad(message: str, *, code: str | None = None, param: str | None = None) -> Refused:
    return Refused(400, "invalid_request_error", message, code=code, param=param, saved=True)


def unexpected(what: str, status: str) -> Refused:
    return bad(
        f"This PaymentIntent could not be {what} because it is {status}.",
        code="payment_intent_unexpected_state",
    )


# -- parameters -----------------------------------------------------------------------------------------

Check = Callable[[Any, str], Any]


def text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value or len(value) > 2_000:
        raise Refused(400, "invalid_request_error", f"Invalid string: {name}", param=name)
    return value


def whole(value: Any, name: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,15}", value):
        raise Refused(
            400,
            "invalid_request_error",
            f"Invalid integer: {name}",
            param=name,
            code="parameter_invalid_integer",
        )
    return int(value)


def address(value: Any, name: str) -> str:
    if not re.match(r"https?://[^\s]+$", text(value, name)):
        raise Refused(400, "invalid_request_error", "Not a valid URL", param=name, code="url_invalid")
    return str(value)


def one_of(*choices: str) -> Check:
    def check(value: Any, name: str) -> str:
        if value not in choices:
            raise Refused(
                400,
                "invalid_request_error",
                f"Invalid {name}: must be one of {', '.join(choices)}",
                param=name,
            )
        return str(value)

    check.choices = choices  # type: ignore[attr-defined]
    return check


def flag(value: Any, name: str) -> bool:
    return one_of("true", "false")(value, name) == "true"


def list_of(check: Check) -> Check:
    def checked(value: Any, name: str) -> list[Any]:
        if not isinstance(value, dict) or list(value) != [str(number) for number in range(len(value))]:
            raise Refused(400, "invalid_request_error", f"Invalid array: {name}", param=name)
        return [check(item, f"{name}[{number}]") for number, item in value.items()]

    checked.item = check  # type: ignore[attr-defined]
    return checked


def metadata(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > 50:
        raise Refused(400, "invalid_request_error", f"Invalid hash: {name}", param=name)
    for key, item in value.items():
        if len(key) > 40 or not isinstance(item, str) or len(item) > 500:
            raise Refused(400, "invalid_request_error", "Metadata too long", param=f"{name}[{key}]")
    return dict(value)


def shape(needed: Mapping[str, Check] = {}, **optional: Check) -> Check:
    """A hash with the needed and optional parameters, and no others."""

    def check(value: Any, name: str) -> Json:
        if not isinstance(value, dict):
            raise Refused(400, "invalid_request_error", f"Invalid object: {name}", param=name)
        known = {**needed, **optional}
        for key in value:
            if key not in known:
                where = f"{name}[{key}]" if name else key
                raise Refused(
                    400, "invalid_request_error", f"Received unknown parameter: {where}",
                    code="parameter_unknown", param=where,
                )  # fmt: skip
        for key in needed:
            if key not in value:
                where = f"{name}[{key}]" if name else key
                raise Refused(
                    400, "invalid_request_error", f"Missing required param: {where}.",
                    code="parameter_missing", param=where,
                )  # fmt: skip
        return {key: known[key](item, f"{name}[{key}]" if name else key) for key, item in value.items()}

    check.known = {**needed, **optional}  # type: ignore[attr-defined]
    return check


WAYS = one_of("card", "alipay", "wechat_pay")
PARAMS: dict[str, Check] = {
    "customers.create": shape(metadata=metadata),
    "sessions.create": shape(
        {"mode": one_of("payment"), "success_url": address},
        allowed_payment_method_types=list_of(WAYS),
        line_items=list_of(
            shape(
                {"quantity": whole},
                price_data=shape({"currency": text}, unit_amount=whole, product_data=shape({"name": text})),
            )
        ),
        payment_intent_data=shape(
            metadata=metadata,
            capture_method=one_of("automatic", "manual"),
            setup_future_usage=one_of("off_session"),
        ),
        payment_method_options=shape(wechat_pay=shape({"client": one_of("web")})),
        metadata=metadata,
        client_reference_id=text,
        customer=text,
        cancel_url=address,
        locale=one_of("zh", "en"),
        adaptive_pricing=shape(enabled=flag),
    ),
    "sessions.retrieve": shape(expand=list_of(one_of("payment_intent.latest_charge.balance_transaction"))),
    "sessions.expire": shape(),
    "intents.create": shape(
        {"amount": whole, "currency": text},
        customer=text,
        payment_method=text,
        allowed_payment_method_types=list_of(WAYS),
        capture_method=one_of("automatic", "manual"),
        confirm=flag,
        off_session=flag,
        metadata=metadata,
    ),
    "intents.list": shape(customer=text, created=shape(gte=whole), limit=whole, starting_after=text),
    "intents.retrieve": shape(expand=list_of(one_of("latest_charge.balance_transaction"))),
    "intents.capture": shape(amount_to_capture=whole, metadata=metadata),
    "intents.cancel": shape(),
    "refunds.create": shape(payment_intent=text, amount=whole, metadata=metadata),
    "refunds.list": shape(payment_intent=text, limit=whole, starting_after=text),
    "disputes.list": shape(payment_intent=text, limit=whole, starting_after=text),
}
"""What each call may say. Nothing else is spoken."""

ROUTES: list[tuple[str, str, str]] = [
    ("POST", r"/v1/customers", "customers.create"),
    ("POST", r"/v1/checkout/sessions", "sessions.create"),
    ("GET", r"/v1/checkout/sessions/(cs_\w+)", "sessions.retrieve"),
    ("POST", r"/v1/checkout/sessions/(cs_\w+)/expire", "sessions.expire"),
    ("POST", r"/v1/payment_intents", "intents.create"),
    ("GET", r"/v1/payment_intents", "intents.list"),
    ("GET", r"/v1/payment_intents/(pi_\w+)", "intents.retrieve"),
    ("POST", r"/v1/payment_intents/(pi_\w+)/capture", "intents.capture"),
    ("POST", r"/v1/payment_intents/(pi_\w+)/cancel", "intents.cancel"),
    ("POST", r"/v1/refunds", "refunds.create"),
    ("GET", r"/v1/refunds", "refunds.list"),
    ("GET", r"/v1/disputes", "disputes.list"),
]


def nested(pairs: list[tuple[str, str]]) -> Json:
    """`a[b][0]=c` as `{"a": {"b": {"0": "c"}}}`."""
    found: Json = {}
    for name, value in pairs:
        path = [part.rstrip("]") for part in name.split("[")]
        place = found
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = value
    return found


# -- faults ---------------------------------------------------------------------------------------------


@dataclass
class Fault:
    """Something that goes wrong with the next calls whose method and path hold `where`.

    `drop`: done, and the answer never comes. `error`: 500, nothing done. `error_after`: done, then 500,
    which the key remembers. `busy`: 409, the key is in use. `limit`: 429. `garbage`: done, an answer that is none.
    `slow`: answered after `seconds`.
    """

    kind: str
    where: str
    times: int
    seconds: float = 0.0


@dataclass
class Kept:
    """What an idempotency key remembers."""

    asked: str
    status: int | None = None
    body: Json = field(default_factory=dict)


class StripeServer:
    """The server. `calls` counts what was granted and did something, by name; so a test sees each effect."""

    def __init__(
        self, *, now: Callable[[], float] = time.time, key: str = KEY, secret: str = SECRET, port: int = 0
    ) -> None:
        self.key, self.secret, self.port, self._now = key, secret, port, now
        self.offset = 0.0
        self.ways = {"card", "alipay", "wechat_pay"}
        self.settlement_currency: str | None = None
        self.refunds_pend = False
        self.saved_cards: dict[str, str] = {}
        """What a saved card says when it is asked without its owner: a decline code; absent, it pays."""
        self.deliver_to: str | None = None
        """Where events go at once; else they wait in `events`."""
        self.payer = {"email": "payer@personal.example", "name": "Personal Name"}
        """What Stripe knows of whoever paid last."""
        self.objects: dict[str, Json] = {}
        self.owners: dict[str, str] = {}
        self.events: list[Json] = []
        self.calls: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.answers: list[tuple[str, Json]] = []
        """Every answer by its call's name, for those who hold them to the package's types."""
        self._keys: dict[str, Kept] = {}
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._http: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    # -- life

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> StripeServer:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server._serve(self)

            def do_POST(self) -> None:
                server._serve(self)

            def log_message(self, *args: Any) -> None:
                return

        class Http(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                return

        self._http = Http(("127.0.0.1", self.port), Handler)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        if self._http is not None and self._thread is not None:
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()
            self._http = None

    @property
    def now(self) -> int:
        return int(self._now() + self.offset)

    def advance(self, seconds: float) -> None:
        """Let time go by: pages expire, authorisations lapse."""
        with self._lock:
            self.offset += seconds
            for thing in list(self.objects.values()):
                if (
                    thing["object"] == "checkout.session"
                    and thing["status"] == "open"
                    and thing["expires_at"] <= self.now
                ):
                    self.expire(thing["id"])
                if thing["object"] == "payment_intent" and thing["status"] == "requires_capture":
                    charge = self.objects[thing["latest_charge"]]
                    if charge["payment_method_details"]["card"]["capture_before"] <= self.now:
                        self.lapse(thing["id"])

    def forget_keys(self) -> None:
        """A day has gone by: no idempotency key is remembered."""
        with self._lock:
            self._keys.clear()

    def fail_next(self, kind: str, where: str = "", *, times: int = 1, seconds: float = 0.0) -> None:
        """Let the next `times` calls that hold `where` ("POST /v1/refunds") go wrong."""
        with self._lock:
            self._faults.append(Fault(kind, where, times, seconds))

    def made(self, name: str) -> int:
        """How often a call had its effect."""
        return self.calls.count(name)

    # -- HTTP

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        raw = request.rfile.read(int(request.headers.get("content-length") or 0)).decode()
        if parts.path.startswith("/pay/"):
            self._page(request, parts.path, raw)
            return
        where = f"{request.command} {parts.path}"
        with self._lock:
            self.requests.append((where, raw or parts.query))
            fault = next((one for one in self._faults if one.times > 0 and one.where in where), None)
            if fault is not None:
                fault.times -= 1
        kind = fault.kind if fault else ""
        replayed = False
        if fault is not None and kind == "slow":
            time.sleep(fault.seconds)
        try:
            if kind == "error":
                raise Refused(500, "api_error", "An error occurred.")
            if kind == "busy":
                raise Refused(
                    409,
                    "idempotency_error",
                    "A request with this key is under way.",
                    code="idempotency_key_in_use",
                )
            if kind == "limit":
                raise Refused(429, "invalid_request_error", "Too many requests.", code="rate_limit")
            status, body, replayed = self._answer(
                request, parts.path, parts.query, raw, broken=kind == "error_after"
            )
        except Refused as refused:
            status, body = refused.status, refused.body
        if kind == "drop":
            request.close_connection = True
            return
        blob = b"<html>" if kind == "garbage" else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Request-Id": f"req_{next(self._numbers)}"}
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        self._send(request, status, blob, headers)

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, status: int, blob: bytes, headers: Mapping[str, str]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(blob)))
            request.end_headers()
            request.wfile.write(blob)

    def _answer(
        self, request: BaseHTTPRequestHandler, path: str, query: str, raw: str, *, broken: bool
    ) -> tuple[int, Json, bool]:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "invalid_request_error", "Invalid API Key provided: sk_test_****")
        if request.headers.get("stripe-version") != VERSION:
            raise Refused(400, "invalid_request_error", "This server speaks one version only.")
        name, reference = self._route(request.command, path)
        params = PARAMS[name](
            nested(parse_qsl(query + "&" + raw if raw else query, keep_blank_values=True)), ""
        )
        call: Callable[..., Json] = getattr(self, "_" + name.replace(".", "_"))
        arguments = [*([reference] if reference else []), params]
        if request.command == "GET":
            with self._lock:
                body = call(*arguments)
                self.answers.append((name, body))
                return 200, body, False
        key = request.headers.get("idempotency-key")
        if not key or len(key) > 255:
            raise Refused(400, "invalid_request_error", "Every change needs a key here.")
        asked = hashlib.sha256(f"{path}?{raw}".encode()).hexdigest()
        with self._lock:
            kept = self._keys.get(key)
            if kept is not None:
                if kept.asked != asked:
                    raise Refused(
                        400,
                        "idempotency_error",
                        "Keys for idempotent requests can only be used with the same parameters.",
                    )
                if kept.status is None:
                    raise Refused(409, "idempotency_error", "In progress.", code="idempotency_key_in_use")
                return kept.status, copy.deepcopy(kept.body), True
            kept = self._keys[key] = Kept(asked)
            try:
                kept.status, kept.body = 200, call(*arguments)
                self.calls.append(name)
                self.answers.append((name, copy.deepcopy(kept.body)))
            except Refused as refused:
                kept.status, kept.body = refused.status, refused.body
            if broken:
                kept.status, kept.body = (
                    500,
                    {"error": {"type": "api_error", "message": "An error occurred."}},
                )
            return kept.status, copy.deepcopy(kept.body), False

    @staticmethod
    def _route(method: str, path: str) -> tuple[str, str | None]:
        for wanted, pattern, name in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and wanted == method:
                return name, match[1] if match.groups() else None
        raise Refused(
            404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).", code="url_invalid"
        )

    # -- things

    def _id(self, prefix: str) -> str:
        return f"{prefix}_test{next(self._numbers):06d}"

    def _add(self, prefix: str, kind: str, **fields: Any) -> Json:
        thing = {"id": self._id(prefix), "object": kind, "created": self.now, "livemode": False, **fields}
        if kind in ("refund", "balance_transaction"):
            del thing["livemode"]
        self.objects[thing["id"]] = thing
        return thing

    def _get(self, reference: str, kind: str) -> Json:
        thing = self.objects.get(reference)
        if thing is None or thing["object"] != kind:
            raise Refused(
                404,
                "invalid_request_error",
                f"No such {kind}: '{reference}'",
                code="resource_missing",
                param="id",
                saved=True,
            )
        return thing

    def _of(self, kind: str, **wanted: Any) -> list[Json]:
        return [
            thing
            for thing in self.objects.values()
            if thing["object"] == kind and all(thing[name] == value for name, value in wanted.items())
        ]

    def _shown(self, thing: Json, expand: list[str]) -> Json:
        shown = copy.deepcopy(thing)
        for path in expand:
            place = shown
            for name in path.split("."):
                value = place.get(name)
                if isinstance(value, str):
                    place[name] = copy.deepcopy(self.objects[value])
                if not isinstance(place.get(name), dict):
                    break
                place = place[name]
        return shown

    def _listed(self, url: str, things: list[Json], params: Json) -> Json:
        newest = list(reversed(things))
        after = params.get("starting_after")
        if after is not None:
            if after not in [thing["id"] for thing in newest]:
                raise Refused(
                    400, "invalid_request_error", f"No such object: {after}", param="starting_after"
                )
            newest = newest[[thing["id"] for thing in newest].index(after) + 1 :]
        limit = params.get("limit", 10)
        if not 1 <= limit <= 100:
            raise Refused(400, "invalid_request_error", "Invalid limit", param="limit")
        data = [copy.deepcopy(thing) for thing in newest[:limit]]
        return {"object": "list", "url": url, "has_more": len(newest) > limit, "data": data}

    def _event(self, kind: str, thing: Json) -> None:
        event = {
            "id": self._id("evt"),
            "object": "event",
            "api_version": VERSION,
            "created": self.now,
            "data": {"object": copy.deepcopy(thing)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self.events.append(event)
        if self.deliver_to is not None:
            body, signature = self.signed(event)
            url = self.deliver_to
            # As Stripe does: later, and beside whatever is asked meanwhile.
            threading.Thread(target=self._deliver, args=(url, body, signature), daemon=True).start()

    @staticmethod
    def _deliver(url: str, body: bytes, signature: str) -> None:
        for _ in range(20):
            with contextlib.suppress(httpx.HTTPError):
                answer = httpx.post(
                    url,
                    content=body,
                    headers={"stripe-signature": signature, "content-type": "application/json"},
                )
                if answer.status_code == 200:
                    return
            time.sleep(0.2)

    def signed(self, event: Json, *, at: int | None = None, secret: str | None = None) -> tuple[bytes, str]:
        """An event's body and its `Stripe-Signature`."""
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        stamp = self.now if at is None else at
        proof = hmac.new((secret or self.secret).encode(), f"{stamp}.".encode() + body, hashlib.sha256)
        return body, f"t={stamp},v1={proof.hexdigest()},v0={'0' * 64}"

    def send(
        self, post: Callable[[bytes, str], Any], *, twice: bool = False, chance: random.Random | None = None
    ) -> int:
        """Send what waits: in order, or shuffled by `chance`; each twice if wanted. Returns how many."""
        with self._lock:
            waiting, self.events = self.events, []
        waiting = waiting * 2 if twice else waiting
        if chance is not None:
            chance.shuffle(waiting)
        for event in waiting:
            post(*self.signed(event))
        return len(waiting)

    # -- calls

    def _customers_create(self, params: Json) -> Json:
        return copy.deepcopy(self._add("cus", "customer", metadata=params.get("metadata", {})))

    def _check_amount(self, amount: int, currency: str, name: str) -> None:
        if not re.fullmatch(r"[a-z]{3}", currency):
            raise Refused(400, "invalid_request_error", f"Invalid currency: {currency}", param="currency")
        if amount < 1:
            raise bad("Amount must be at least 1.", code="amount_too_small", param=name)
        if amount > LARGEST:
            raise bad("Amount must be no more than 999,999.99.", code="amount_too_large", param=name)
        if (currency in IN_TENS and amount % 10) or (currency in IN_HUNDREDS and amount % 100):
            raise bad("Invalid amount for this currency.", code="parameter_invalid_integer", param=name)

    def _sessions_create(self, params: Json) -> Json:
        items = params.get("line_items", [])
        if len(items) != 1 or "price_data" not in items[0]:
            raise bad("One line with a price is needed.", param="line_items")
        price = items[0]["price_data"]
        amount = price.get("unit_amount", 0) * items[0]["quantity"]
        self._check_amount(amount, price["currency"], "line_items[0][price_data][unit_amount]")
        wanted = params.get("allowed_payment_method_types", sorted(self.ways))
        data = params.get("payment_intent_data", {})
        ways = [
            way
            for way in wanted
            if way in self.ways
            and (way in MANUAL or (data.get("capture_method") != "manual" and price["currency"] == "cny"))
        ]
        if "wechat_pay" in ways and "wechat_pay" not in params.get("payment_method_options", {}):
            raise bad("The client is required.", param="payment_method_options[wechat_pay][client]")
        if "customer" in params:
            self._get(params["customer"], "customer")
        session = self._add(
            "cs", "checkout.session",
            adaptive_pricing=params.get("adaptive_pricing"),
            amount_subtotal=amount, amount_total=amount, cancel_url=params.get("cancel_url"),
            client_reference_id=params.get("client_reference_id"), currency=price["currency"],
            customer=params.get("customer"), customer_details=None, expires_at=self.now + PAGE_LIVES,
            locale=params.get("locale"), metadata=params.get("metadata", {}), mode="payment",
            payment_intent=None, payment_method_types=ways, payment_status="unpaid", status="open",
            success_url=params["success_url"], ui_mode="hosted_page", url=None,
        )  # fmt: skip
        session["url"] = f"{self.url}/pay/{session['id']}"
        self.owners[session["id"]] = json.dumps(data)
        return copy.deepcopy(session)

    def _sessions_retrieve(self, reference: str, params: Json) -> Json:
        return self._shown(self._get(reference, "checkout.session"), params.get("expand", []))

    def _sessions_expire(self, reference: str, params: Json) -> Json:
        session = self._get(reference, "checkout.session")
        if session["status"] != "open":
            raise bad('Only Checkout Sessions with a status in ["open"] can be expired.')
        return self.expire(reference)

    def _new_intent(
        self, amount: int, currency: str, customer: str | None, data: Json, ways: list[str]
    ) -> Json:
        intent = self._add(
            "pi", "payment_intent",
            amount=amount, amount_capturable=0, amount_received=0, canceled_at=None, cancellation_reason=None,
            capture_method=data.get("capture_method", "automatic"), client_secret=None,
            confirmation_method="automatic", currency=currency, customer=customer, last_payment_error=None,
            latest_charge=None, metadata=dict(data.get("metadata", {})), next_action=None, payment_method=None,
            payment_method_types=ways, setup_future_usage=data.get("setup_future_usage"),
            status="requires_payment_method",
        )  # fmt: skip
        intent["client_secret"] = f"{intent['id']}_secret_standin"
        return intent

    def _intents_create(self, params: Json) -> Json:
        self._check_amount(params["amount"], params["currency"], "amount")
        if not params.get("confirm") or not params.get("off_session"):
            raise Refused(
                400, "invalid_request_error", "Only saved cards are asked here.", param="off_session"
            )
        if params.get("allowed_payment_method_types") != ["card"]:
            raise bad("A return_url is needed for ways that redirect.", param="return_url")
        customer, card = params.get("customer"), params.get("payment_method")
        if customer is None or card is None:
            raise Refused(
                400, "invalid_request_error", "A customer and a card are needed.", code="parameter_missing"
            )
        self._get(customer, "customer")
        if self.owners.get(card) != customer:
            raise bad("The PaymentMethod does not belong to the Customer.", param="payment_method")
        intent = self._new_intent(params["amount"], params["currency"], customer, params, ["card"])
        said = self.saved_cards.get(card)
        if said is None:
            self._charge(intent, card, SHORT_HOLD)
            return copy.deepcopy(intent)
        code = "authentication_required" if said == "authentication_required" else "card_declined"
        error = self._fail(intent, code, said)
        raise Refused(
            402, "card_error", error["message"], code=code, decline_code=said, saved=True,
            payment_intent=copy.deepcopy(intent), charge=intent["latest_charge"],
        )  # fmt: skip

    def _intents_list(self, params: Json) -> Json:
        since = params.get("created", {}).get("gte", 0)
        wanted = {"customer": params["customer"]} if "customer" in params else {}
        things = [thing for thing in self._of("payment_intent", **wanted) if thing["created"] >= since]
        return self._listed("/v1/payment_intents", things, params)

    def _intents_retrieve(self, reference: str, params: Json) -> Json:
        return self._shown(self._get(reference, "payment_intent"), params.get("expand", []))

    def _intents_capture(self, reference: str, params: Json) -> Json:
        intent = self._get(reference, "payment_intent")
        if intent["status"] != "requires_capture":
            raise unexpected("captured", intent["status"])
        amount = params.get("amount_to_capture", intent["amount_capturable"])
        if not 1 <= amount <= intent["amount_capturable"]:
            raise bad(
                "The amount is beyond what can be captured.",
                code="amount_too_large",
                param="amount_to_capture",
            )
        intent["metadata"] |= params.get("metadata", {})
        self._capture(intent, amount)
        return copy.deepcopy(intent)

    def _intents_cancel(self, reference: str, params: Json) -> Json:
        intent = self._get(reference, "payment_intent")
        if any(
            session["status"] == "open" for session in self._of("checkout.session", payment_intent=reference)
        ):
            raise bad("You cannot cancel a PaymentIntent of an open Checkout Session; expire it instead.")
        if intent["status"] not in (
            "requires_payment_method",
            "requires_action",
            "requires_confirmation",
            "requires_capture",
        ):
            raise unexpected("canceled", intent["status"])
        self._cancel(intent, None)
        return copy.deepcopy(intent)

    def _refunds_create(self, params: Json) -> Json:
        intent = self._get(params.get("payment_intent", ""), "payment_intent")
        if intent["status"] != "succeeded":
            raise unexpected("refunded", intent["status"])
        charge = self.objects[intent["latest_charge"]]
        gone = sum(
            one["amount"]
            for one in self._of("refund", charge=charge["id"])
            if one["status"] not in ("failed", "canceled") and not one["_released"]
        )
        left = charge["amount_captured"] - gone
        amount = params.get("amount", left)
        if charge["disputed"]:
            raise bad("This charge has been charged back.", code="charge_disputed")
        if left == 0:
            raise bad("Charge has already been refunded.", code="charge_already_refunded")
        if not 1 <= amount <= left:
            raise bad("Refund amount is greater than unrefunded amount on charge.", param="amount")
        refund = self._refund(charge, amount, params.get("metadata", {}), done=not self.refunds_pend)
        return self._public(refund)

    def _refunds_list(self, params: Json) -> Json:
        wanted = {"payment_intent": params["payment_intent"]} if "payment_intent" in params else {}
        listed = self._listed("/v1/refunds", self._of("refund", **wanted), params)
        listed["data"] = [self._public(one) for one in listed["data"]]
        return listed

    def _disputes_list(self, params: Json) -> Json:
        wanted = {"payment_intent": params["payment_intent"]} if "payment_intent" in params else {}
        return self._listed("/v1/disputes", self._of("dispute", **wanted), params)

    @staticmethod
    def _public(refund: Json) -> Json:
        return {name: copy.deepcopy(value) for name, value in refund.items() if not name.startswith("_")}

    # -- what follows from an attempt

    def _booked(self, kind: str, amount: int, fee: int, currency: str, source: str) -> Json:
        other = self.settlement_currency
        return self._add(
            "txn", "balance_transaction",
            amount=amount, available_on=self.now, balance_type="payments", currency=other or currency,
            description=None, exchange_rate=None, fee=fee, fee_details=[], net=amount - fee,
            reporting_category=kind, source=source, status="available", type=kind,
        )  # fmt: skip

    def _charge(self, intent: Json, method: str, hold: int) -> None:
        """An attempt that the payer's bank agreed to."""
        manual = intent["capture_method"] == "manual"
        way = intent["payment_method_types"][0]
        details: Json = {"type": way, way: {}}
        if way == "card":
            details["card"] = {"brand": "visa", "last4": "4242"}
            if manual:
                details["card"]["capture_before"] = self.now + hold
        charge = self._add(
            "ch", "charge",
            amount=intent["amount"], amount_captured=0, amount_refunded=0, balance_transaction=None,
            captured=False, currency=intent["currency"], customer=intent["customer"], disputed=False,
            failure_code=None, failure_message=None, metadata=dict(intent["metadata"]), paid=True,
            payment_intent=intent["id"], payment_method=method, payment_method_details=details,
            refunded=False, status="succeeded",
        )  # fmt: skip
        intent |= {
            "latest_charge": charge["id"], "payment_method": method, "last_payment_error": None, "next_action": None,
        }  # fmt: skip
        if manual:
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
            self._event("payment_intent.amount_capturable_updated", intent)
        else:
            self._capture(intent, intent["amount"])

    def _capture(self, intent: Json, amount: int) -> None:
        charge = self.objects[intent["latest_charge"]]
        fee = amount * 34 // 1000
        charge |= {"captured": True, "amount_captured": amount}
        charge["balance_transaction"] = self._booked("charge", amount, fee, intent["currency"], charge["id"])[
            "id"
        ]
        intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
        if amount < charge["amount"]:
            self._release(charge, charge["amount"] - amount)
        self._event("payment_intent.succeeded", intent)

    def _release(self, charge: Json, amount: int) -> None:
        """What was not captured goes back: it looks like a refund, and touches no balance."""
        refund = self._add(
            "re", "refund",
            amount=amount, balance_transaction=None, charge=charge["id"], currency=charge["currency"],
            metadata={}, payment_intent=charge["payment_intent"], reason=None, status="succeeded",
            _released=True,
        )  # fmt: skip
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._event("refund.created", self._public(refund))
        self._event("charge.refunded", charge)

    def _refund(self, charge: Json, amount: int, told: dict[str, str], *, done: bool) -> Json:
        refund = self._add(
            "re", "refund",
            amount=amount, balance_transaction=None, charge=charge["id"], currency=charge["currency"],
            metadata=dict(told), payment_intent=charge["payment_intent"], reason=None,
            status="pending", _released=False,
        )  # fmt: skip
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        if done:
            self._settle_refund(refund, charge)
        self._event("refund.created", self._public(refund))
        self._event("charge.refunded", charge)
        return refund

    def _settle_refund(self, refund: Json, charge: Json) -> None:
        booked = self._booked("refund", -refund["amount"], 0, refund["currency"], refund["id"])
        refund |= {"status": "succeeded", "balance_transaction": booked["id"]}

    def _cancel(self, intent: Json, reason: str | None) -> None:
        if intent["status"] == "requires_capture":
            self._release(self.objects[intent["latest_charge"]], intent["amount"])
        intent |= {
            "status": "canceled", "amount_capturable": 0, "canceled_at": self.now, "cancellation_reason": reason,
            "next_action": None,
        }  # fmt: skip
        self._event("payment_intent.canceled", intent)

    def _fail(self, intent: Json, code: str, decline_code: str | None) -> Json:
        """An attempt that the payer's bank declined."""
        charge = self._add(
            "ch", "charge",
            amount=intent["amount"], amount_captured=0, amount_refunded=0, balance_transaction=None,
            captured=False, currency=intent["currency"], customer=intent["customer"], disputed=False,
            failure_code=code, failure_message="Declined.", metadata=dict(intent["metadata"]), paid=False,
            payment_intent=intent["id"], payment_method=None,
            payment_method_details={"type": intent["payment_method_types"][0]}, refunded=False, status="failed",
        )  # fmt: skip
        error = {
            "type": "card_error", "code": code, "decline_code": decline_code, "message": "Your card was declined.",
            "charge": charge["id"], "param": None,
        }  # fmt: skip
        intent |= {
            "status": "requires_payment_method", "last_payment_error": error, "latest_charge": charge["id"],
            "payment_method": None, "next_action": None,
        }  # fmt: skip
        self._event("payment_intent.payment_failed", intent)
        return error

    # -- the payer

    def _open(self, reference: str) -> tuple[Json, Json]:
        """An open page and its intent, which the first attempt makes."""
        session = self._get(reference, "checkout.session")
        assert session["status"] == "open", session["status"]
        assert session["payment_method_types"], "no way to pay"
        if session["payment_intent"] is None:
            data = json.loads(self.owners[reference])
            ways = session["payment_method_types"]
            intent = self._new_intent(
                session["amount_total"], session["currency"], session["customer"], data, ways
            )
            session["payment_intent"] = intent["id"]
        return session, self.objects[session["payment_intent"]]

    def _complete(self, session: Json, intent: Json) -> None:
        paid = intent["status"] == "succeeded"
        session |= {"status": "complete", "payment_status": "paid" if paid else "unpaid", "url": None}
        # Somebody's address stands in what Stripe knows, and must stand nowhere here.
        session["customer_details"] = dict(self.payer)
        self._event("checkout.session.completed", session)

    def pay(self, reference: str) -> str:
        """The payer pays and the bank agrees. Returns the name of the card or account that paid."""
        with self._lock:
            session, intent = self._open(reference)
            method = self._id("pm")
            if intent["setup_future_usage"] == "off_session":
                self.owners[method] = session["customer"]
            self._charge(intent, method, HOLD)
            self._complete(session, intent)
            return method

    def decline(
        self, reference: str, decline_code: str | None = "generic_decline", code: str = "card_declined"
    ) -> None:
        """The payer tries and the bank says no; the page stays open."""
        with self._lock:
            _, intent = self._open(reference)
            self._fail(intent, code, decline_code)

    def ask_authentication(self, reference: str) -> None:
        """The bank wants to hear from the payer."""
        with self._lock:
            _, intent = self._open(reference)
            intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk"}}

    def authenticate(self, reference: str, *, agreed: bool) -> None:
        """The payer answers the bank."""
        with self._lock:
            if agreed:
                self.pay(reference)
            else:
                self.decline(reference, None, "payment_intent_authentication_failure")

    def process(self, reference: str) -> None:
        """The payer has paid and the answer takes its time."""
        with self._lock:
            session, intent = self._open(reference)
            intent["status"] = "processing"
            self._complete(session, intent)
            self._event("payment_intent.processing", intent)

    def settle(self, reference: str, *, agreed: bool) -> None:
        """What took its time is answered."""
        with self._lock:
            session = self._get(reference, "checkout.session")
            intent = self.objects[session["payment_intent"]]
            if agreed:
                self._charge(intent, self._id("pm"), HOLD)
                session["payment_status"] = "paid"
                self._event("checkout.session.async_payment_succeeded", session)
            else:
                self._fail(intent, "payment_intent_payment_attempt_failed", None)
                self._event("checkout.session.async_payment_failed", session)

    def expire(self, reference: str) -> Json:
        """The page closes unpaid."""
        with self._lock:
            session = self._get(reference, "checkout.session")
            session |= {"status": "expired", "url": None}
            if session["payment_intent"] is not None:
                self._cancel(self.objects[session["payment_intent"]], "abandoned")
            self._event("checkout.session.expired", session)
            return copy.deepcopy(session)

    def _intent(self, reference: str) -> Json:
        thing = self.objects[reference]
        return self.objects[thing["payment_intent"]] if thing["object"] == "checkout.session" else thing

    def lapse(self, reference: str) -> None:
        """An authorisation lives no longer."""
        with self._lock:
            self._cancel(self._intent(reference), "automatic")

    def give_back(self, reference: str, amount: int) -> None:
        """Somebody refunds in Stripe's own pages."""
        with self._lock:
            self._refund(self.objects[self._intent(reference)["latest_charge"]], amount, {}, done=True)

    def finish_refund(self, reference: str, *, done: bool) -> None:
        """A refund that was pending goes through, or one fails and the money is Stripe's again."""
        with self._lock:
            refund = self._get(reference, "refund")
            charge = self.objects[refund["charge"]]
            if done:
                self._settle_refund(refund, charge)
                self._event("refund.updated", self._public(refund))
            else:
                refund["status"] = "failed"
                charge["amount_refunded"] -= refund["amount"]
                charge["refunded"] = False
                self._event("refund.failed", self._public(refund))

    def dispute(self, reference: str, amount: int | None = None, reason: str = "fraudulent") -> str:
        """The payer's bank takes the money back."""
        with self._lock:
            intent = self._intent(reference)
            charge = self.objects[intent["latest_charge"]]
            amount = amount or charge["amount_captured"]
            charge["disputed"] = True
            dispute = self._add(
                "dp", "dispute",
                amount=amount, balance_transactions=[], charge=charge["id"], currency=charge["currency"],
                evidence_details={
                    "due_by": self.now + 7 * 86_400, "has_evidence": False, "past_due": False, "submission_count": 0,
                },
                is_charge_refundable=False, metadata={}, payment_intent=intent["id"], reason=reason,
                status="needs_response",
            )  # fmt: skip
            taken = self._booked("adjustment", -amount, 1_500, charge["currency"], dispute["id"])
            dispute["balance_transactions"].append(copy.deepcopy(taken))
            self._event("charge.dispute.created", dispute)
            self._event("charge.dispute.funds_withdrawn", dispute)
            return str(dispute["id"])

    def close_dispute(self, reference: str, *, won: bool) -> None:
        """The dispute is decided."""
        with self._lock:
            dispute = self._get(reference, "dispute")
            dispute["status"] = "won" if won else "lost"
            if won:
                back = self._booked("adjustment", dispute["amount"], 0, dispute["currency"], dispute["id"])
                dispute["balance_transactions"].append(copy.deepcopy(back))
                self._event("charge.dispute.funds_reinstated", dispute)
            self._event("charge.dispute.closed", dispute)

    # -- the hosted page

    def _page(self, request: BaseHTTPRequestHandler, path: str, raw: str) -> None:
        """A page with a card's form, as a payer meets it; the bank may ask who it is."""
        reference = path.split("/")[2]
        session = self.objects.get(reference)
        if session is None:
            self._send(request, 404, b"no such page", {"Content-Type": "text/plain"})
            return
        if request.command == "POST":
            with self._lock:
                if session["status"] == "open":
                    self._typed(reference, dict(parse_qsl(raw)))
            where = session["success_url"] if session["status"] == "complete" else f"/pay/{reference}"
            self._send(request, 303, b"", {"Location": where})
            return
        intent = self.objects.get(session["payment_intent"] or "", {})
        error = intent.get("last_payment_error")
        amount = f"{session['amount_total'] / 100:,.2f} {session['currency'].upper()}"
        page = PAY_PAGE.format(
            language=session["locale"],
            amount=amount,
            told=f"<p role=alert>{html.escape(error['message'])}</p>" if error else "",
            form=AUTHENTICATION if intent.get("status") == "requires_action" else CARD_FORM,
            back=html.escape(session["cancel_url"] or ""),
        )
        self._send(request, 200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def _typed(self, reference: str, typed: dict[str, str]) -> None:
        """What follows from what a payer typed: a test card says by its number what its bank does."""
        if "answer" in typed:
            self.authenticate(reference, agreed=typed["answer"] == "yes")
            return
        self.payer = {"email": typed.get("email", ""), "name": typed.get("name", "")}
        said = TEST_CARDS.get(typed.get("number", "").replace(" ", ""), "incorrect_number")
        if said == "agrees":
            self.pay(reference)
        elif said == "asks":
            self.ask_authentication(reference)
        else:
            # Stripe says these in the code itself, and all others of a bank's in the decline code.
            own = said in ("expired_card", "incorrect_number")
            self.decline(reference, None if own else said, said if own else "card_declined")


TEST_CARDS = {
    "4242424242424242": "agrees",
    "4000002760003184": "asks",
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000000069": "expired_card",
}
"""Stripe's published test cards that the page knows; any other number is wrong."""

PAY_PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Stand-in for a pay page</title>
<h1>{amount}</h1>{told}{form}<p><a href="{back}">Back</a></p>"""
CARD_FORM = """<form method="post">
<p><label>E-mail <input name="email" type="email"></label></p>
<p><label>Name <input name="name"></label></p>
<p><label>Phone <input name="phone" type="tel"></label></p>
<p><label>Card number <input name="number" inputmode="numeric" required></label></p>
<p><label>Expires <input name="expires"></label> <label>CVC <input name="cvc"></label></p>
<p><button>Pay</button></p></form>"""
AUTHENTICATION = """<form method="post"><p>Your bank asks whether it is you.</p>
<p><button name="answer" value="yes">It is me</button> <button name="answer" value="no">It is not</button></p></form>"""


@contextlib.contextmanager
def running(**options: Any) -> Iterator[StripeServer]:
    """A started server, stopped on leaving."""
    server = StripeServer(**options).start()
    try:
        yield server
    finally:
        server.stop()


def main() -> None:
    """`python -m tests.stripe_server PORT [WEBHOOK]`: a process of its own, whose events go to an address."""
    server = StripeServer(port=int(sys.argv[1]))
    server.deliver_to = sys.argv[2] if len(sys.argv) > 2 else None
    server.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
