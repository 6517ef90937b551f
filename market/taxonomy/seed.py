"""The taxonomy that a new market starts with, from the tables beside this file.

Industries: the six of the city's plan and five that cut across it, each with the beginnings of IPC
symbols that suggest it (our choice; administrators change them). Regions: GB/T 2260 province-level
codes, the prefectures of Zhejiang, Jiangsu and Anhui, the counties of Taizhou; `000000` is abroad.
"""

from __future__ import annotations

import csv
import datetime as dt
from importlib import resources

import sqlalchemy as sa

from market.db import Session, t, upsert
from market.taxonomy.models import Industry, Region


def _table(name: str) -> list[dict[str, str]]:
    text = resources.files("market.taxonomy").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def seed_taxonomy(session: Session, now: dt.datetime) -> int:
    """Insert what is missing; what is there, as people may have changed it, stays. Returns rows added."""
    industries = [
        {
            "code": row["code"],
            "name": row["name"],
            "name_en": row["name_en"],
            "ipc_prefixes": row["ipc_prefixes"].split(),
            "sort": (place + 1) * 10,
            "active": True,
            "version": 1,
            "updated_at": now,
        }
        for place, row in enumerate(_table("industries.csv"))
    ]
    regions = [dict(row) for row in _table("regions.csv")]
    before = _rows(session)
    upsert(session, t(Industry), industries, key=["code"])
    upsert(session, t(Region), regions, key=["code"])
    return _rows(session) - before


def _rows(session: Session) -> int:
    tables = (t(Industry), t(Region))
    return sum(session.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables)
