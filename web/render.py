"""Pages: one Jinja environment per language, one context class per page.

A page's context is a frozen dataclass; its fields are the template's variables. What every page knows
beside them is listed in `Page.render`. Undefined variables are errors.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import cn2an
from babel.dates import format_timedelta
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError
from starlette.responses import Response

from market.clock import SHANGHAI, local_date
from market.db import Session
from market.errors import MarketError
from market.money import FEN_PER_WAN, FEN_PER_YI, FEN_PER_YUAN, yuan
from market.permissions import VISITOR, Action, Actor
from web import i18n, menu
from web.errors import FieldProblem, field_problems, language_of, status_of
from web.forms import Form
from web.wiring import Parts

HERE = Path(__file__).parent
STATIC = HERE / "static"


@functools.cache
def static_url(path: str) -> str:
    """The address of a static file, with a hash of its content so that it may be cached for ever."""
    content = (STATIC / path).read_bytes()
    return f"/static/{path}?v={hashlib.sha256(content).hexdigest()[:12]}"


def url(path: str, **query: Any) -> str:
    """A path with a query; None is left out, lists repeat."""
    items: list[tuple[str, str]] = []
    for key, value in query.items():
        if value is None or value == "":
            continue
        for one in value if isinstance(value, list | tuple | set) else [value]:
            items.append((key, str(getattr(one, "value", one))))
    return f"{path}?{urlencode(items)}" if items else path


def money(fen: int | None) -> str:
    """`¥1,234.56`; whole yuan lose their decimals."""
    if fen is None:
        return "—"
    whole, rest = divmod(abs(fen), FEN_PER_YUAN)
    cents = f".{rest:02d}" if rest else ""
    return f"{'-' if fen < 0 else ''}¥{whole:,}{cents}"


def _scaled(fen: int, unit: int, digits: int) -> str:
    scaled = (abs(fen) * 10**digits * 2 + unit) // (2 * unit)
    whole, rest = divmod(scaled, 10**digits)
    decimals = f"{rest:0{digits}d}".rstrip("0") if digits else ""
    return f"{'-' if fen < 0 else ''}{whole:,}{'.' + decimals if decimals else ''}"


def capital_numerals(fen: int) -> str:
    """An amount in Chinese capital numerals (大写), as contracts and bids are written out."""
    whole, rest = divmod(fen, 100)
    return str(cn2an.an2cn(f"{whole}.{rest:02d}" if rest else str(whole), "rmb"))


def pct(value: Any, digits: int = 2) -> str:
    """A number in percent with fixed decimals; a dash for nothing."""
    return "—" if value is None else f"{value:.{digits}f}%"


def iso(value: dt.datetime | dt.date) -> str:
    """ISO 8601 for `<time datetime>`: instants in UTC."""
    return value.isoformat().replace("+00:00", "Z")


def local(value: dt.datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
    """An instant on the clocks of Shanghai."""
    return "—" if value is None else value.astimezone(SHANGHAI).strftime(form)


def day(value: dt.datetime | dt.date | None) -> str:
    """A calendar day in Shanghai."""
    if value is None:
        return "—"
    return (local_date(value) if isinstance(value, dt.datetime) else value).isoformat()


def bytesize(value: int) -> str:
    """Bytes for people."""
    size = float(value)
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"


def _filters(language: str) -> dict[str, Callable[..., str]]:
    chinese = language == "zh-Hans"

    def wan(fen: int | None) -> str:
        if fen is None:
            return "—"
        if abs(fen) >= FEN_PER_YI:
            return yi(fen)
        if abs(fen) < FEN_PER_WAN:
            return money(fen)
        return (
            f"{_scaled(fen, FEN_PER_WAN, 2)}万元" if chinese else f"¥{_scaled(fen, FEN_PER_YUAN * 1000, 1)}k"
        )

    def yi(fen: int | None) -> str:
        if fen is None:
            return "—"
        if chinese:
            return f"{_scaled(fen, FEN_PER_YI, 2)}亿元"
        return f"¥{_scaled(fen, FEN_PER_YUAN * 1_000_000, 1)}m"

    def ago(value: dt.datetime | None, now: dt.datetime) -> str:
        if value is None:
            return "—"
        return format_timedelta(value - now, add_direction=True, locale=i18n.LOCALES[language])

    def num(value: float | int | None) -> str:
        return "—" if value is None else f"{value:,}"

    return {
        "money": money, "wan": wan, "yi": yi, "dt": local,
        "dts": functools.partial(local, form="%Y-%m-%d %H:%M:%S"), "d": day, "iso": iso, "ago": ago, "pct": pct,
        "num": num, "bytesize": bytesize, "yuan": yuan,
    }  # fmt: skip


@functools.cache
def environment(language: str) -> Environment:
    """The Jinja environment of a language."""
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    env.policies["ext.i18n.trimmed"] = True
    env.install_gettext_translations(i18n.translations(language), newstyle=True)  # type: ignore[attr-defined]
    env.filters.update(_filters(language))
    env.globals.update(
        lang=language,
        label=functools.partial(i18n.label, language=language),
        term=lambda key, **params: i18n.term(key, language, params),
        static=static_url,
        url=url,
    )
    return env


@dataclass(frozen=True)
class Page:
    """A page about to be rendered for somebody."""

    request: Request
    parts: Parts
    actor: Actor
    now: dt.datetime

    @property
    def language(self) -> str:
        """The language of the page."""
        return language_of(self.request)

    def render(self, template: str, context: Any = None, *, status: int = 200) -> HTMLResponse:
        """Render a template with a page's context (a dataclass, a mapping, or nothing)."""
        request, settings = self.request, self.parts.settings
        language = self.language
        theme = request.cookies.get("theme", "auto")
        flash = request.cookies.get("flash", "")
        values: dict[str, Any] = {
            "request": request,
            "path": request.url.path,
            "actor": self.actor,
            "now": self.now,
            "theme": theme if theme in ("auto", "light", "dark") else "auto",
            "menu": menu.build(self.actor, request.url.path, language),
            "demo": settings.demo,
            "closings_paused": self.actor.can(Action.WORK_MANAGE) and self.parts.alarms.closings_paused,
            "simulated": "simulated" in settings.gateways,
            "market_name": settings.name if language == "zh-Hans" else settings.name_en,
            "flash": flash,
            "footer_links": menu.footer(language),
            "page_url": functools.partial(changed_url, request),
        }
        if isinstance(context, Mapping):
            values.update(context)
        elif context is not None:
            values.update({item.name: getattr(context, item.name) for item in fields(context)})
        html = environment(language).get_template(template).render(values)
        response = HTMLResponse(html, status_code=status)
        response.headers["Content-Language"] = language
        response.headers["Vary"] = "Cookie, Accept-Language"
        if self.actor.is_signed_in:
            response.headers["Cache-Control"] = "private, no-store"
        if flash:
            response.delete_cookie("flash")
        return response

    def redirect(self, path: str, *, flash: str = "") -> RedirectResponse:
        """Go on to another page, saying once what was done (`flash` is a terms key after `flash.`)."""
        response = RedirectResponse(path, status_code=303)
        if flash:
            response.set_cookie("flash", quote(flash), max_age=30, httponly=True, samesite="lax")
        return response

    def submit(
        self,
        form: Form,
        action: Callable[[Session], str],
        again: Callable[[Form], Response],
        *,
        flash: str = "",
    ) -> Response:
        """Run a form's action in one write transaction and redirect to the path it returns.

        What the input model or the rules refuse about a field rolls everything back and shows the
        form again (`again`) with what was entered; any other refusal becomes its error page.
        """
        try:
            with self.parts.db.write() as session:
                path = action(session)
        except (ValidationError, MarketError) as error:
            problems = field_problems(error, self.language)
            if not problems:
                raise
            response = again(form.with_problems(problems))
            response.status_code = status_of(error) if isinstance(error, MarketError) else 422
            return response
        return self.redirect(path, flash=flash)


def changed_url(request: Request, **changes: Any) -> str:
    """The current address with some of its query changed (None removes)."""
    query: dict[str, Any] = {}
    for key, value in request.query_params.multi_items():
        query.setdefault(key, []).append(value)
    query.update(changes)
    return url(request.url.path, **query)


@dataclass(frozen=True)
class ErrorPage:
    """Context of the error page."""

    status: int
    code: str
    message: str
    advice: str
    problems: list[FieldProblem]


def error_page(
    request: Request, status: int, code: str, params: Mapping[str, Any], problems: list[FieldProblem]
) -> Response:
    """An error as a page of its own."""
    parts: Parts = request.app.state.parts
    actor = getattr(request.state, "actor", VISITOR)
    page = Page(request, parts, actor, parts.clock.now())
    language = page.language
    unverified = status == 403 and actor.memberships and not actor.roles
    advice_key = "advice.unverified" if unverified else f"advice.{code}"
    context = ErrorPage(
        status,
        code,
        i18n.term(f"error.{code}", language, params),
        i18n.term(advice_key, language) if i18n.has_term(advice_key, language) else "",
        problems,
    )
    return page.render("errors/error.html", context, status=status)
