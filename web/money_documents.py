"""Statements and the reconciliation as files: the same words and amounts as the pages, as CSV and as PDF.

Amounts in CSV are plain yuan with two decimals, so that a spreadsheet adds them up; text that it would take for
a formula gets an apostrophe.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from market.clock import SHANGHAI
from market.exchange.writers import guard
from market.money import FEN_PER_YUAN, yuan
from market.payments.models import AccountKind
from market.payments.reconciliation import Reconciliation
from market.payments.statements import Section, Side, Statement
from web import i18n
from web.confirmations import font, typeset
from web.render import day, local, money
from web.settings import Settings

TEMPLATE = Path(__file__).parent / "documents" / "money_statement.typ"

Cell = str | Decimal


def in_yuan(fen: int) -> Decimal:
    """An amount in yuan, exact."""
    return (Decimal(fen) / FEN_PER_YUAN).quantize(Decimal("0.01"))


def csv_text(rows: Sequence[Sequence[Cell]]) -> str:
    """A table for a spreadsheet, with the mark by which it knows UTF-8."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([guard(cell) if isinstance(cell, str) else f"{cell:f}" for cell in row])
    return out.getvalue()


def side_name(side: Side, language: str) -> str:
    """An account in words: what it is for, whose, of which lot or at which gateway."""
    parts = [i18n.label(side.kind, language)]
    if side.organisation_name:
        parts.append(side.organisation_name)
    if side.gateway:
        parts.append(i18n.term(f"gateway.{side.gateway}", language))
    if side.lot_id is not None:
        parts.append(i18n.term("money.lot", language, {"id": side.lot_id}))
    return " · ".join(parts)


def cause_name(cause: str, language: str) -> str:
    """Why money moved, in words."""
    key = f"cause.{cause}"
    return i18n.term(key, language) if i18n.has_term(key, language) else cause


def title(statement: Statement, language: str) -> str:
    """What a statement is called."""
    if statement.organisation_name:
        return i18n.term("money.title_organisation", language, {"name": statement.organisation_name})
    return i18n.term("money.title_lot", language, {"id": statement.lot_id})


def period(statement: Statement, language: str) -> str:
    """From when to when."""
    return i18n.term(
        "money.period",
        language,
        {"since": day(statement.since) if statement.since else "…", "until": day(statement.until) if statement.until else "…"},
    )  # fmt: skip


def _head(language: str) -> list[str]:
    return [i18n.term(f"money.{name}", language) for name in ("at", "cause", "counter", "amount", "balance")]


def statement_csv(statement: Statement, language: str) -> str:
    """A statement as a table: a line for each movement, with opening and closing balances of each account."""

    def say(name: str) -> str:
        return i18n.term(f"money.{name}", language)

    rows: list[list[Cell]] = [[say("account"), say("currency"), *_head(language), say("reason")]]
    for section in statement.sections:
        account = side_name(section.account, language)
        rows.append([account, section.currency, "", say("opening"), "", "", in_yuan(section.opening_fen), ""])
        for entry in section.entries:
            rows.append(
                [
                    account, section.currency, local(entry.at, "%Y-%m-%d %H:%M:%S"), cause_name(entry.cause, language),
                    side_name(entry.counter, language), in_yuan(entry.fen), in_yuan(entry.balance_fen), entry.reason,
                ]
            )  # fmt: skip
        rows.append([account, section.currency, "", say("closing"), "", "", in_yuan(section.closing_fen), ""])
    return csv_text(rows)


def _section(section: Section, language: str) -> dict[str, Any]:
    opening, closing = i18n.term("money.opening", language), i18n.term("money.closing", language)
    return {
        "title": f"{side_name(section.account, language)} · {section.currency}",
        "head": _head(language),
        "rows": [
            ["", opening, "", "", money(section.opening_fen)],
            *(
                [
                    local(one.at),
                    cause_name(one.cause, language) + (f" ({one.reason})" if one.reason else ""),
                    side_name(one.counter, language),
                    money(one.fen),
                    money(one.balance_fen),
                ]
                for one in section.entries
            ),
            ["", closing, "", "", money(section.closing_fen)],
        ],
    }


def statement_pdf(statement: Statement, settings: Settings, language: str, now: dt.datetime) -> bytes:
    """A statement as PDF/A. Raises FontMissing."""
    chinese, at = language == "zh-Hans", now.astimezone(SHANGHAI)
    data = {
        "lang": "zh" if chinese else "en",
        "region": "cn" if chinese else "gb",
        "font": [font()],
        "market": settings.name if chinese else settings.name_en,
        "mark": i18n.term("confirmation.demo", language) if settings.demo else "",
        "title": title(statement, language),
        "period": period(statement, language),
        "note": i18n.term("money.note", language),
        "nothing": i18n.term("money.nothing", language),
        "sections": [_section(one, language) for one in statement.sections],
        "date": [at.year, at.month, at.day, at.hour, at.minute, at.second],
        "made": i18n.term("report.made", language, {"at": local(now)}),
    }
    return typeset(TEMPLATE, data, now)


def reconciliation_csv(found: Reconciliation, language: str) -> str:
    """The reconciliation as one table: what, whose, ours, theirs, difference, since."""

    def say(name: str) -> str:
        return i18n.term(f"reconciliation.{name}", language)

    rows: list[list[Cell]] = [
        [say(one) for one in ("what", "about", "currency", "ours", "theirs", "difference", "since")]
    ]
    rows += _compared(found, language)
    for currency, fen in found.unexplained.items():
        name = i18n.label(AccountKind.UNEXPLAINED, language)
        rows.append([name, "", currency, in_yuan(fen), "", "", ""])
    for one in found.late:
        since = local(one.since) if isinstance(one.since, dt.datetime) else day(one.since)
        rows.append([say(one.code), one.about, one.currency, in_yuan(one.amount_fen), "", "", since])
    for trouble in found.troubles:
        about = i18n.term(f"ledger.{trouble.code}", language)
        rows.append([about, trouble.about, "", yuan(trouble.fen), "", "", ""])
    return csv_text(rows)


def _compared(found: Reconciliation, language: str) -> Iterator[list[Cell]]:
    for one in found.gateways:
        yield [
            i18n.term("reconciliation.gateway", language), i18n.term(f"gateway.{one.gateway}", language), one.currency,
            in_yuan(one.ours_fen), in_yuan(one.theirs_fen), in_yuan(one.difference_fen), "",
        ]  # fmt: skip
        for each in one.behind:
            yield [
                i18n.term("reconciliation.payment", language), f"{each.reference} {each.organisation_name}", one.currency,
                in_yuan(each.ours_fen), in_yuan(each.theirs_fen), in_yuan(each.ours_fen - each.theirs_fen),
                local(each.since),
            ]  # fmt: skip
    for bank in found.banks:
        yield [
            i18n.term("reconciliation.bank", language), bank.name, bank.currency, in_yuan(bank.ours_fen),
            in_yuan(bank.lines_fen - bank.ignored_fen), in_yuan(bank.difference_fen), "",
        ]  # fmt: skip
        if bank.told_fen is not None and bank.worked_out_fen is not None and bank.gap_fen is not None:
            yield [
                i18n.term("reconciliation.balance", language), bank.name, bank.currency, in_yuan(bank.worked_out_fen),
                in_yuan(bank.told_fen), in_yuan(-bank.gap_fen), day(bank.told_on),
            ]  # fmt: skip
