"""Signing in and out, registering, and choosing a new password."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.responses import Response

from market.db import Session
from market.errors import MarketError, TooManyRequests
from market.parties import accounts, passwords, queries, rules, service
from market.parties.inputs import EmailInput, NewPasswordInput, RegistrationInput
from market.parties.models import OrganisationKind
from market.permissions import Role
from market.taxonomy import queries as taxonomy
from web import i18n, rate, sessions
from web.deps import COOKIE, FormDep, Page, PageDep
from web.errors import field_problems
from web.forms import Form
from web.routes.preferences import YEAR, safe_path

router = APIRouter()
log = structlog.get_logger()
Next = Annotated[str, Query(max_length=2000)]
Token = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True)
class DemoGroup:
    """Demo accounts that hold a role."""

    role: Role
    people: list[queries.PersonRow]


@dataclass(frozen=True)
class SignInPage:
    """Context of the sign-in page. `refusal` says why the last try failed."""

    form: Form
    next: str
    refusal: str
    demo_groups: list[DemoGroup]


@dataclass(frozen=True)
class RegisterPage:
    """Context of the registration form."""

    form: Form
    kinds: list[OrganisationKind]
    regions: list[tuple[str, str]]
    shortest_password: int


@dataclass(frozen=True)
class ForgotPage:
    """Context of the page that asks for a link; `sent` after it was asked for."""

    form: Form
    sent: bool
    console: bool


@dataclass(frozen=True)
class ResetPage:
    """Context of the page behind a mailed link; without an `email` the link is no good."""

    form: Form
    token: str
    email: str
    shortest_password: int


def client_address(page: Page) -> str:
    """Where the request came from."""
    client = page.request.client
    return client.host if client else ""


def _demo_groups(page: Page) -> list[DemoGroup]:
    if not page.parts.settings.demo:
        return []
    with page.parts.db.read() as session:
        people = queries.demo_people(session)
    groups: dict[Role, list[queries.PersonRow]] = {}
    for person in people:
        if person.roles:
            groups.setdefault(person.roles[0][2], []).append(person)
    return [DemoGroup(role, groups[role]) for role in Role if role in groups]


def _sign_in_page(page: Page, form: Form, path: str, error: MarketError | None = None) -> Response:
    refusal = i18n.term(f"error.{error.code}", page.language, error.params) if error else ""
    context = SignInPage(form, safe_path(path), refusal, _demo_groups(page))
    response = page.render("auth/sign_in.html", context)
    if error is not None:
        response.status_code = 429 if isinstance(error, TooManyRequests) else 422
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.params["retry_after"])
    return response


@router.get("/sign-in")
def sign_in_form(page: PageDep, next: Next = "/") -> Response:  # noqa: A002 (the query's name)
    """Ask who it is; whoever is signed in goes on."""
    if page.actor.is_signed_in:
        return page.redirect(safe_path(next))
    return _sign_in_page(page, Form(), next)


def _account_entered(session: Session, form: Form) -> accounts.Account | None:
    try:
        email = Form({"email": form.values("email")}).parse(EmailInput).email
    except ValidationError:
        return None
    return accounts.account_of(session, email)


def _prove(page: Page, form: Form) -> tuple[accounts.Account, str | None]:
    # Nothing here writes: hashing takes long and must hold no lock.
    parts, settings = page.parts, page.parts.settings
    with parts.db.read() as session:
        if settings.demo and form.has("demo"):
            chosen = form.value("demo")
            found = (
                accounts.account(session, int(chosen)) if chosen.isdecimal() and len(chosen) < 18 else None
            )
            account = found if found and found.demo else None
            password = settings.demo_password.get_secret_value()
        else:
            account = _account_entered(session, form)
            if account is not None and account.demo and not settings.demo:
                # Its password is published: a database that once held a demo must not open by it.
                account = None
            password = unicodedata.normalize("NFC", form.value("password").strip()[: rules.LONGEST_PASSWORD])
    matches, newer = passwords.verify(password, account.password_hash if account else None)
    if account is None or not matches:
        raise rules.BadCredentials
    return account, newer


@router.post("/sign-in")
def sign_in(page: PageDep, form: FormDep) -> Response:
    """Sign in by e-mail address and password, or in demo mode as one of the demo accounts."""
    parts, address = page.parts, client_address(page)
    name = form.value("email").strip().lower()[:254] or f"demo:{form.value('demo')[:20]}"
    tries, everywhere = rate.sign_in_item(parts.settings), rate.address_item(parts.settings)
    try:
        rate.look(parts, everywhere, address)
        rate.spend(parts, tries, name, address)
        account, newer = _prove(page, form)
    except rules.BadCredentials as error:
        parts.limiter.hit(everywhere, address)
        log.info("sign_in.refused", address=address)
        return _sign_in_page(page, form, form.value("next"), error)
    except TooManyRequests as error:
        log.warning("sign_in.limited", address=address)
        return _sign_in_page(page, form, form.value("next"), error)
    rate.forgive(parts, tries, name, address)
    return _begin(page, account.id, account.language, safe_path(form.value("next")), newer)


def _begin(
    page: Page, person_id: int, language: str, path: str, newer: str | None = None, flash: str = ""
) -> Response:
    parts, request = page.parts, page.request
    with parts.db.write() as session:
        secret = accounts.sign_in(
            session,
            person_id,
            page.now,
            lasts=sessions.lasts(parts.settings),
            address=client_address(page),
            agent=request.headers.get("user-agent", ""),
            replacing=request.cookies.get(COOKIE),
            newer_hash=newer,
        )
    response = page.redirect(path, flash=flash)
    sessions.set_cookie(response, secret, parts.settings)
    if "lang" not in request.cookies:
        response.set_cookie("lang", language, max_age=YEAR, samesite="lax")
    return response


@router.post("/sign-out")
def sign_out(page: PageDep) -> Response:
    """End this session."""
    with page.parts.db.write() as session:
        accounts.sign_out(session, page.actor, page.now)
    response = page.redirect("/", flash="signed_out")
    sessions.delete_cookie(response, page.parts.settings)
    return response


def region_options(page: Page) -> list[tuple[str, str]]:
    """Regions for a form, the home city first, each with what it lies in."""
    home = page.parts.settings.region_code
    with page.parts.db.read() as session:
        found = taxonomy.nearby_first(taxonomy.regions(session), home)
    names = {view.code: view.called(page.language) for view in found}
    gap = "" if page.language == "zh-Hans" else ", "
    options = []
    for view in found:
        if view.code == "000000":
            continue
        wider, own = names.get(view.parent_code, ""), names[view.code]
        options.append((view.code, (wider + gap + own if not gap else own + gap + wider) if wider else own))
    return options


def _register_page(page: Page, form: Form) -> Response:
    context = RegisterPage(form, list(OrganisationKind), region_options(page), rules.SHORTEST_PASSWORD)
    return page.render("auth/register.html", context)


@router.get("/register")
def register_form(page: PageDep) -> Response:
    """Ask for a person and the organisation they act for."""
    home = {"organisation.region_code": page.parts.settings.region_code}
    return _register_page(page, Form.from_values(home))


@router.post("/register")
def register(page: PageDep, form: FormDep) -> Response:
    """Make the account and the organisation, which waits to be checked, and sign in."""
    made: list[tuple[int, str]] = []

    def action(session: Session) -> str:
        entered = form.parse(RegistrationInput)
        rules.check_password(entered.password, email=entered.email, name=entered.name)
        rate.spend(page.parts, rate.REGISTRATIONS, client_address(page))
        # The session has touched nothing yet, so no lock is held while this is hashed.
        hashed = passwords.hash_password(entered.password)
        person, organisation = service.register(session, entered, hashed, page.language, page.now)
        assert person.id is not None
        made.append((person.id, person.language))
        return f"/organisations/{organisation.id}"

    response = page.submit(form, action, again=lambda again: _register_page(page, again))
    if not made or response.status_code != 303:
        return response
    return _begin(page, *made[0], response.headers["location"], flash="registered")


@router.get("/password/forgot")
def forgot_form(page: PageDep) -> Response:
    """Ask for the e-mail address to send a link to."""
    return page.render("auth/forgot.html", ForgotPage(Form(), False, False))


@router.post("/password/forgot")
def forgot(page: PageDep, form: FormDep) -> Response:
    """Have a link mailed. The answer is the same whether or not there is such an account."""
    try:
        email = form.parse(EmailInput).email
    except ValidationError as error:
        again = form.with_problems(field_problems(error, page.language))
        return page.render("auth/forgot.html", ForgotPage(again, False, False), status=422)
    rate.spend(page.parts, rate.RESETS_ADDRESS, client_address(page))
    rate.spend(page.parts, rate.RESETS, email, client_address(page))
    with page.parts.db.write() as session:
        accounts.ask_reset(session, email, page.language, page.now)
    return page.render("auth/forgot.html", ForgotPage(form, True, page.parts.mailer.simulated))


def _reset_page(page: Page, form: Form, token: str) -> Response:
    try:
        with page.parts.db.read() as session:
            email = accounts.account_of_link(session, token, page.now).email
    except rules.LinkExpired:
        email = ""
    context = ResetPage(form, token, email, rules.SHORTEST_PASSWORD)
    response = page.render("auth/reset.html", context, status=200 if email else 410)
    # The address holds a secret: no other site and no cache may learn it.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


@router.get("/password/reset")
def reset_form(page: PageDep, token: Token = "") -> Response:
    """Ask for a new password, behind a mailed link."""
    return _reset_page(page, Form(), token)


@router.post("/password/reset")
def reset(page: PageDep, form: FormDep) -> Response:
    """Store the new password; every session of the person ends, and they sign in afresh."""
    token = form.value("token")[:200]

    def action(session: Session) -> str:
        entered = Form({"password": form.values("password")}).parse(NewPasswordInput)
        with page.parts.db.read() as reading:
            person = accounts.account_of_link(reading, token, page.now)
        rules.check_password(entered.password, email=person.email, name=person.name)
        hashed = passwords.hash_password(entered.password)
        accounts.reset_password(session, token, hashed, page.now)
        return "/sign-in"

    try:
        return page.submit(form, action, lambda form: _reset_page(page, form, token), flash="password_set")
    except rules.LinkExpired:
        return _reset_page(page, Form(), token)
