"""The doctor: which adapters are real, which simulated, and whether each answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

import migrations
from market.errors import MarketError
from market.payments import reconciliation
from matching.meilisearch.checkup import checkup
from matching.meilisearch.index import MeilisearchIndex
from matching.spared_index import SparedIndex
from web import confirmations, i18n
from web.wiring import Parts


@dataclass(frozen=True)
class Check:
    """What was found out about one part."""

    part: str
    adapter: str
    real: bool
    ok: bool
    state: str


def examine(parts: Parts, language: str = "en") -> list[Check]:
    """Ask every part. Never raises: what fails is a check that is not ok."""
    return [
        _ask("database", parts.db.url.get_backend_name(), True, lambda: _database(parts)),
        _ask("schema", "alembic", True, lambda: _schema(parts)),
        *_searches(parts, language),
        _ask("files", type(parts.files).__name__, True, lambda: _files(parts)),
        _ask(
            "rooms", type(parts.bus).__name__, True, lambda: "one process" if parts.db.is_sqlite else "ready"
        ),
        _ask("mail", type(parts.mailer).__name__, not parts.mailer.simulated, lambda: "ready"),
        _ask("certificates", "typst", True, _certificates),
        *(
            _ask(f"payments: {one.name}", type(one).__name__, not one.simulated, lambda: "ready")
            for one in parts.gateways.each
        ),
        _ask("ledger", "double entry", True, lambda: _ledger(parts)),
    ]


def _ask(part: str, adapter: str, real: bool, question: Callable[[], str], language: str = "en") -> Check:
    try:
        return Check(part, adapter, real, True, question())
    except MarketError as error:
        return Check(part, adapter, real, False, i18n.term(f"error.{error.code}", language, error.params))
    except Exception as error:
        return Check(part, adapter, real, False, f"{type(error).__name__}: {error}".splitlines()[0])


def _searches(parts: Parts, language: str) -> list[Check]:
    """The index; of one on a server the server too, by a round trip, and the spare."""
    index = parts.index
    if not isinstance(index, SparedIndex):
        return [_ask("search", type(index).__name__, True, lambda: f"{index.count()} documents")]
    spare, engine = index.spare, index.engine
    checks = [_ask("search spare", type(spare).__name__, True, lambda: f"{spare.count()} documents")]
    if isinstance(engine, MeilisearchIndex):

        def question() -> str:
            version = checkup(engine.connection, parts.settings.meilisearch_prefix)
            return f"version {version}, writes and finds, {engine.count()} documents"

        checks.insert(0, _ask("search", type(engine).__name__, True, question, language))
    return checks


def _database(parts: Parts) -> str:
    with parts.db.read() as session:
        version = session.execute(
            sa.text("SELECT sqlite_version()" if parts.db.is_sqlite else "SHOW server_version")
        ).scalar_one()
    return f"answers, version {version}"


def _schema(parts: Parts) -> str:
    at, wanted = migrations.current(parts.db), migrations.newest()
    if at != wanted:
        raise RuntimeError(f"at {at}, this version needs {wanted}: run `market migrate`")
    return f"at {at}"


def _ledger(parts: Parts) -> str:
    with parts.db.read() as session:
        troubles = reconciliation.health(session)
    if troubles:
        told = "; ".join(f"{one.code} {one.about} {one.fen}" for one in troubles[:10])
        raise RuntimeError(f"does not add up: {told}")
    return "sums to zero, every held deposit is there to the fen"


def _certificates() -> str:
    try:
        return f"set in {confirmations.font()}"
    except confirmations.FontMissing as error:
        raise RuntimeError(f"no Chinese font: install {error.params['package']}") from None


def _files(parts: Parts) -> str:
    content = b"doctor"
    with parts.files.open(parts.files.put(content)) as file:
        if file.read() != content:
            raise RuntimeError("a stored file came back different")
    return "writes and reads"
