"""One's own account: name and language, password, sign-ins, API tokens."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from market.db import Session
from market.errors import InvalidInput, SignInRequired
from market.parties import accounts, members, passwords, queries, rules
from market.parties.inputs import PasswordChangeInput, ProfileInput, TokenInput
from market.permissions import Membership, Scope
from web import rate
from web.deps import FormDep, Page, PageDep, RowId
from web.forms import Form
from web.routes.preferences import YEAR

router = APIRouter()
TOKEN_DAYS = (30, 90, 180, 365)


@dataclass(frozen=True)
class AccountPage:
    """Context of the account page."""

    profile: queries.Profile
    memberships: tuple[Membership, ...]
    form: Form


@dataclass(frozen=True)
class SecurityPage:
    """Context of the page of password and sign-ins."""

    form: Form
    email: str
    sessions: list[queries.SessionRow]
    shortest_password: int


@dataclass(frozen=True)
class TokensPage:
    """Context of the page of API tokens. `secret` is shown once, right after it was made."""

    form: Form
    tokens: list[queries.TokenRow]
    scopes: list[Scope]
    days: tuple[int, ...]
    most: int
    secret: str


def _me(page: Page) -> int:
    if page.actor.person_id is None:
        raise SignInRequired
    return page.actor.person_id


def _account_page(page: Page, form: Form | None) -> Response:
    with page.parts.db.read() as session:
        profile = queries.profile(session, _me(page))
    values = {"name": profile.name, "phone": profile.phone, "language": profile.language}
    filled = form or Form.from_values(values)
    return page.render("account/account.html", AccountPage(profile, page.actor.memberships, filled))


@router.get("/account")
def account(page: PageDep) -> Response:
    """Who one is here, and for which organisations."""
    return _account_page(page, None)


@router.get("/me")
def me(page: PageDep) -> Response:
    """A short address for one's account."""
    return page.redirect("/account")


@router.post("/account")
def edit(page: PageDep, form: FormDep) -> Response:
    """Change one's name, telephone and language."""
    person_id = _me(page)

    def action(session: Session) -> str:
        members.edit_profile(session, page.actor, person_id, form.parse(ProfileInput), page.now)
        return "/account"

    response = page.submit(form, action, lambda form: _account_page(page, form), flash="saved")
    if response.status_code == 303:
        language = form.value("language", "zh-Hans")
        response.set_cookie("lang", language, max_age=YEAR, samesite="lax")
    return response


def _security_page(page: Page, form: Form) -> Response:
    with page.parts.db.read() as session:
        email = queries.profile(session, _me(page)).email
        found = queries.sessions_of(session, page.actor, page.now)
    return page.render("account/security.html", SecurityPage(form, email, found, rules.SHORTEST_PASSWORD))


@router.get("/account/security")
def security(page: PageDep) -> Response:
    """Password and sign-ins."""
    _me(page)
    return _security_page(page, Form())


@router.post("/account/password")
def change_password(page: PageDep, form: FormDep) -> Response:
    """Choose a new password; every other sign-in ends."""
    person_id = _me(page)

    def action(session: Session) -> str:
        entered = form.parse(PasswordChangeInput)
        tries = rate.sign_in_item(page.parts.settings)
        rate.spend(page.parts, tries, "change", str(person_id))
        with page.parts.db.read() as reading:
            person = accounts.account(reading, person_id)
        if person is None:
            raise SignInRequired
        # Hashing comes before the first statement of the write transaction, which holds no lock yet.
        if not passwords.verify(entered.current_password, person.password_hash)[0]:
            raise InvalidInput([("current_password", "password_wrong", {})])
        rules.check_password(entered.password, email=person.email, name=person.name)
        accounts.change_password(session, page.actor, passwords.hash_password(entered.password), page.now)
        rate.forgive(page.parts, tries, "change", str(person_id))
        return "/account/security"

    return page.submit(form, action, lambda form: _security_page(page, form), flash="password_changed")


@router.post("/account/sessions/{session_id}/revoke")
def revoke_session(page: PageDep, session_id: RowId) -> Response:
    """End one of one's sign-ins."""
    with page.parts.db.write() as session:
        accounts.revoke_session(session, page.actor, session_id, page.now)
    return page.redirect("/account/security", flash="session_revoked")


@router.post("/account/sessions/revoke-others")
def revoke_others(page: PageDep) -> Response:
    """End every sign-in but this one."""
    with page.parts.db.write() as session:
        accounts.revoke_sessions(session, page.actor, _me(page), page.now, but=page.actor.session_id)
    return page.redirect("/account/security", flash="session_revoked")


def _tokens_page(page: Page, form: Form, secret: str = "") -> Response:
    with page.parts.db.read() as session:
        found = queries.tokens_of(session, page.actor, page.now)
    context = TokensPage(form, found, list(Scope), TOKEN_DAYS, rules.MOST_TOKENS, secret)
    return page.render("account/tokens.html", context)


@router.get("/account/tokens")
def tokens(page: PageDep) -> Response:
    """API tokens."""
    _me(page)
    return _tokens_page(page, Form.from_values({"days": "90", "scopes": ["read"]}))


@router.post("/account/tokens")
def create_token(page: PageDep, form: FormDep) -> Response:
    """Make a token and show its secret, this once."""
    _me(page)
    made: list[str] = []

    def action(session: Session) -> str:
        made.append(accounts.create_token(session, page.actor, form.parse(TokenInput), page.now)[1])
        return "/account/tokens"

    response = page.submit(form, action, lambda form: _tokens_page(page, form))
    if not made or response.status_code != 303:
        return response
    # Shown in the answer itself: a secret must not travel in an address or a cookie.
    return _tokens_page(page, Form.from_values({"days": "90", "scopes": ["read"]}), made[0])


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(page: PageDep, token_id: RowId) -> Response:
    """End a token."""
    _me(page)
    with page.parts.db.write() as session:
        accounts.revoke_token(session, page.actor, token_id, page.now)
    return page.redirect("/account/tokens", flash="token_revoked")
