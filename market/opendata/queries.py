"""Reads of what was published, and the package around it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.clock import UTC
from market.db import Session, t
from market.opendata.models import OpenRelease
from market.opendata.service import canonical

VERSION = "1.1"
PAGE = 100
"""Releases in one answer of the feed."""
CHUNK = 1_000


@dataclass(frozen=True)
class Publisher:
    """Who publishes, under which terms, and from which address."""

    name: str
    licence: str
    address: str
    """Of the site, without a slash at its end."""

    @property
    def extension(self) -> str:
        """Where our extension of the standard is described."""
        return f"{self.address}/static/ocds/extension.json"


def after(session: Session, number: int, limit: int = PAGE) -> list[tuple[int, dict[str, Any]]]:
    """The releases that follow a number, in the order in which they were committed."""
    r = t(OpenRelease).c
    rows = session.execute(sa.select(r.id, r.content).where(r.id > number).order_by(r.id).limit(limit))
    return [(row.id, row.content) for row in rows]


def lines(session: Session) -> Iterator[bytes]:
    """Every release as a line of JSON, oldest first, read a piece at a time."""
    last = 0
    while some := after(session, last, CHUNK):
        yield b"".join(canonical(content) + b"\n" for _number, content in some)
        last = some[-1][0]


def summary(session: Session) -> tuple[int, int]:
    """How many releases there are, and the contracting processes that they are about."""
    r = t(OpenRelease).c
    row = session.execute(sa.select(sa.func.count(), sa.func.count(r.ocid.distinct()))).one()
    return int(row[0]), int(row[1])


def package(
    publisher: Publisher,
    session: Session,
    now: dt.datetime,
    number: int,
    releases: Sequence[tuple[int, dict[str, Any]]],
) -> dict[str, Any]:
    """A release package of the standard. `links.next` reads on; asked again later, it gives what came since.

    A package without releases says that there are none yet: the standard itself asks for one at least.
    """
    feed = f"{publisher.address}/open-data/releases"
    latest = session.scalar(
        sa.select(sa.func.max(t(OpenRelease).c.published_at)).where(
            t(OpenRelease).c.id <= (releases[-1][0] if releases else number)
        )
    )
    return {
        "uri": f"{feed}?after={number}",
        "version": VERSION,
        "extensions": [publisher.extension],
        "publishedDate": (latest or now).astimezone(UTC).isoformat(timespec="seconds"),
        "publisher": {"name": publisher.name, "uri": publisher.address},
        "license": publisher.licence,
        "publicationPolicy": f"{publisher.address}/open-data",
        "releases": [content for _number, content in releases],
        "links": {"next": f"{feed}?after={releases[-1][0] if releases else number}"},
    }
