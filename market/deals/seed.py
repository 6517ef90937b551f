"""The rules that the register starts with. `seed.json` says where each number comes from."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from market.db import Session, t, upsert
from market.deals.models import PolicyRow


def seed_policies(session: Session) -> int:
    """Add the rules that are not there yet; rows that are there stay as they are. Returns rows added."""
    rows = json.loads((Path(__file__).parent / "seed.json").read_text(encoding="utf-8"))
    for row in rows:
        row["valid_from"] = dt.date.fromisoformat(row["valid_from"])
        row["valid_to"] = dt.date.fromisoformat(row["valid_to"]) if row["valid_to"] else None
    return upsert(session, t(PolicyRow), rows, key=["name", "valid_from"])
