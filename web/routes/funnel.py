"""The officials' page of what comes of suggestions: counted steps, the lists behind them, a table to download."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from market.clock import local_date
from market.errors import NotFound
from market.permissions import Action
from market.taxonomy.queries import industry_names
from matching.proposals import funnel
from matching.proposals.funnel import OWN_STEPS, Counts, FunnelStep, Period, Taken, Which
from web import i18n
from web.deps import PageDep, ReadTx
from web.errors import FieldProblem
from web.forms import Form
from web.render import Page, url
from web.routes.proposals import INDUSTRY
from web.routes.statistics import csv_line

router = APIRouter()
PER_PAGE = 50
_YEAR = re.compile(r"20[0-9]{2}")
_Key = TypeVar("_Key", str, int | None)


@dataclass(frozen=True)
class Asked:
    """The period that the address asks for, how it was asked for, and what was wrong with that."""

    period: Period
    year: int | None
    quarter: int | None
    form: Form

    @property
    def query(self) -> dict[str, Any]:
        """The period as it stands in an address."""
        if self.year is None:
            return {"since": self.period.since.isoformat(), "until": self.period.until.isoformat()}
        return {"year": self.year, "quarter": self.quarter}


def _asked(page: Page) -> Asked:
    """A year, a quarter of it, or days of one's own. Days that are none are told at their field."""
    query = page.request.query_params
    this = local_date(page.now).year
    typed = query.get("year", "")
    year = int(typed) if _YEAR.fullmatch(typed) else this
    quarter = int(query["quarter"]) if query.get("quarter") in ("1", "2", "3", "4") else None
    form = Form.from_values({name: query.get(name, "") for name in ("since", "until")})
    days: dict[str, dt.date] = {}
    problems: list[tuple[str, str]] = []
    for name in ("since", "until"):
        written = query.get(name, "").strip()
        try:
            if written:
                days[name] = dt.date.fromisoformat(written)
        except ValueError:
            problems.append((name, "date_parsing"))
    since, until = days.get("since"), days.get("until", local_date(page.now))
    for name, day in days.items():
        if not 2000 <= day.year <= 2100:
            problems.append((name, "date_parsing"))
    if since is not None and not problems and until < since:
        problems.append(("until", "day_order"))
    if problems:
        told = [
            FieldProblem(name, code, i18n.term(f"invalid.{code}", page.language, {"after": query["since"]}))
            for name, code in problems
        ]
        return Asked(Period.of(year, quarter), year, quarter, form.with_problems(told))
    if since is not None:
        return Asked(Period(since, until), None, None, form)
    return Asked(Period.of(year, quarter), year, quarter, form)


@dataclass(frozen=True)
class Cell:
    """A number, linked to the list behind it where the reader may see that."""

    count: int
    href: str


@dataclass(frozen=True)
class Row:
    """A row of a table: an industry or a broker."""

    text: str
    cells: dict[str, Cell]


@dataclass(frozen=True)
class FunnelPage:
    """Context of the funnel."""

    form: Form
    period: Period
    year: int | None
    quarter: int | None
    years: list[int]
    steps: list[FunnelStep]
    total: Row
    industries: list[Row]
    brokers: list[Row]
    without: Row
    empty: bool
    csv_href: str


def _row(text: str, counts: Counts, query: Mapping[str, Any], *, linked: bool = True, **narrow: Any) -> Row:
    return Row(
        text,
        {
            step.value: Cell(
                count,
                url("/statistics/funnel/steps", step=step, **query, **narrow) if linked and count else "",
            )
            for step, count in counts.items()
        },
    )


@router.get("/statistics/funnel")
def show_funnel(page: PageDep, session: ReadTx) -> Response:
    """Suggestions, contacts, negotiations and contracts of a period, by industry and by broker."""
    asked = _asked(page)
    found = funnel.funnel(session, page.actor, asked.period)
    language, query = page.language, asked.query
    names = industry_names(session, language)
    nobody = i18n.term("funnel.nobody", language)
    known = funnel.years(session, page.now)
    context = FunnelPage(
        asked.form,
        asked.period,
        asked.year,
        asked.quarter,
        sorted({*known, *([asked.year] if asked.year else [])}, reverse=True),
        list(FunnelStep),
        _row(i18n.term("funnel.total", language), found.total, query),
        [
            _row(names.get(code, code), counts, query, industry=code)
            for code, counts in _ordered(found.industries)
        ],
        [
            _row(found.broker_names.get(one or 0, nobody), counts, query, broker=str(one or 0))
            for one, counts in _ordered(found.brokers)
        ],
        _row(
            i18n.term("funnel.without", language), found.without, query, without="1",
            linked=funnel.may_read(page.actor, without=True),
        ),
        not any(found.total.values()) and not any(found.without.values()),
        url("/statistics/funnel.csv", **query),
    )  # fmt: skip
    return page.render("statistics/funnel.html", context, status=422 if asked.form.problems else 200)


def _ordered(found: Mapping[_Key, Counts]) -> list[tuple[_Key, Counts]]:
    """Most contracts first, then most suggestions; what is nobody's comes last."""

    def order(item: tuple[_Key, Counts]) -> tuple[bool, int, int, str]:
        key, counts = item
        return key is None, -counts[FunnelStep.CONTRACTS], -counts[FunnelStep.SUGGESTED], str(key)

    return sorted(found.items(), key=order)


@dataclass(frozen=True)
class StepsPage:
    """Context of the list behind a number."""

    step: FunnelStep
    period: Period
    taken: list[Taken]
    industries: dict[str, str]
    total: int
    page: int
    pages: int
    narrowed: list[str]
    without: bool
    back: str
    may_open: bool
    may_contract: bool


@router.get("/statistics/funnel/steps")
def show_steps(page: PageDep, session: ReadTx) -> Response:
    """The steps behind a number, each with its pair."""
    query = page.request.query_params
    if query.get("step") not in list(FunnelStep):
        raise NotFound
    asked, which = _asked(page), _which(query)
    number = query.get("page", "")
    current = int(number) if re.fullmatch(r"[1-9][0-9]{0,5}", number) else 1
    found, total = funnel.taken(
        session, page.actor, asked.period, which, offset=(current - 1) * PER_PAGE, limit=PER_PAGE
    )
    names = industry_names(session, page.language)
    narrowed = [names.get(which.industry, which.industry)] if which.industry else []
    if which.without:
        narrowed.append(i18n.term("funnel.without", page.language))
    if which.broker is not None:
        named = next((one.broker_name for one in found if one.broker_name), "")
        narrowed.append(named if which.broker else i18n.term("funnel.nobody", page.language))
    context = StepsPage(
        which.step,
        asked.period,
        found,
        names,
        total,
        current,
        max(1, -(-total // PER_PAGE)),
        [one for one in narrowed if one],
        which.without,
        url("/statistics/funnel", **asked.query),
        page.actor.can(Action.ENQUIRY_OVERSEE),
        page.actor.can(Action.CONTRACT_READ),
    )
    return page.render("statistics/funnel_steps.html", context)


def _which(query: Mapping[str, str]) -> Which:
    broker, industry = query.get("broker", ""), query.get("industry", "")
    return Which(
        FunnelStep(query["step"]),
        industry if INDUSTRY.fullmatch(industry) else "",
        int(broker) if re.fullmatch(r"[0-9]{1,18}", broker) else None,
        query.get("without") == "1",
    )


@router.get("/statistics/funnel.csv")
def download_funnel(page: PageDep, session: ReadTx) -> Response:
    """The numbers as a table for a spreadsheet: one line for each industry, each broker and what nobody
    suggested."""
    asked = _asked(page)
    found = funnel.funnel(session, page.actor, asked.period)
    language = page.language
    names = industry_names(session, language)
    lines = [("all", "", found.total)]
    lines += [("industry", names.get(code, code), counts) for code, counts in _ordered(found.industries)]
    nobody = i18n.term("funnel.nobody", language)
    lines += [
        ("broker", found.broker_names.get(one or 0, nobody), counts)
        for one, counts in _ordered(found.brokers)
    ]
    lines.append(("without", "", found.without))
    return _csv(asked.period, lines, language)


def _csv(period: Period, rows: list[tuple[str, str, Counts]], language: str) -> Response:
    def lines() -> Iterator[str]:
        # The mark tells spreadsheets that the file is UTF-8.
        yield "\ufeff"
        head = [i18n.term(f"csv.{name}", language) for name in ("funnel_by", "funnel_name", "since", "until")]
        yield csv_line([*head, *(i18n.label(step, language) for step in FunnelStep)])
        for by, name, counts in rows:
            shown = OWN_STEPS if by == "without" else tuple(FunnelStep)
            numbers = [str(counts[step]) if step in shown else "" for step in FunnelStep]
            day = [period.since.isoformat(), period.until.isoformat()]
            yield csv_line([i18n.term(f"funnel.by_{by}", language), name, *day, *numbers])

    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="funnel-{period.since}-{period.until}.csv"',
            "Cache-Control": "private, no-store",
        },
    )
