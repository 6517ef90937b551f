"""What must never stand in a log, a database or an error page, and looking for it there.

Tests type these and no others, so that finding one is a leak and finding none says something.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import sqlalchemy as sa

from market.db import Database
from tests.stripe_server import TEST_CARDS

STRIPE_KEY = "sk_test_canaryKey7Qz"
WEBHOOK_SECRET = "whsec_canarySecret4Wx"
PASSWORD = "canary sings over 7 weirs"
PAYER_EMAIL = "payer.canary@personal.example"
PAYER_NAME = "Payer Canary"
PAYER_PHONE = "13955501234"
MEMBER_EMAIL = "member.canary@firm.example"
MEMBER_PHONE = "13955505678"
OWN_ACCOUNT = "3300188890001112223"
"""A bank account of somebody whom the market pays."""
PAYING_ACCOUNT = "3300177790003334445"
"""A bank account that somebody paid from."""

NOWHERE = (
    *TEST_CARDS,
    STRIPE_KEY,
    WEBHOOK_SECRET,
    PASSWORD,
    PAYER_EMAIL,
    PAYER_NAME,
    PAYER_PHONE,
    PAYING_ACCOUNT,
)
"""What the market keeps nowhere at all."""
PERSONAL = (MEMBER_EMAIL, MEMBER_PHONE, OWN_ACCOUNT)
"""What it keeps in the columns made for it, and tells no log."""

_GAPS = re.compile(r"(?<=\d)[ -](?=\d)")


def found_in(text: str, canaries: Collection[str] = NOWHERE) -> list[str]:
    """The canaries in a text; numbers also where they are written in groups."""
    joined = _GAPS.sub("", text)
    return [one for one in canaries if one in text or one in joined]


def found_in_rows(
    database: Database, canaries: Collection[str], allowed: Mapping[str, Collection[str]] = {}
) -> list[str]:
    """Where canaries stand in any column of any table, as `canary: table.column`; `allowed` places are left out."""
    with database.engine.connect() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        found = set()
        for table in tables.sorted_tables:
            for row in connection.execute(sa.select(table)).mappings():
                for column, value in row.items():
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    place = f"{table.name}.{column}"
                    found |= {
                        f"{one}: {place}"
                        for one in found_in(text, canaries)
                        if place not in allowed.get(one, ())
                    }
        connection.rollback()
    return sorted(found)


def found_in_files(folder: Path, canaries: Collection[str] = NOWHERE) -> list[str]:
    """The same in the bytes of a SQLite database, where what was deleted may still stand."""
    return [
        f"{one}: {file.name}"
        for file in sorted(folder.glob("market.db*"))
        for one in found_in(file.read_bytes().decode("utf-8", "replace"), canaries)
    ]
