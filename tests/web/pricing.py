"""Rows for tests of the pages on prices."""

from __future__ import annotations

from typing import Any

from market.listings.models import Result, ResultIp
from tests.web.register import Register

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def make_result(register: Register, **changes: Any) -> int:
    """A published result of the university with a granted patent."""
    values: dict[str, Any] = {
        "organisation_id": register.organisations["university"], "title": "高效离心泵", "industry_code": "pump",
        "modes": ["licence"], "inventors": ["张三"], "state": "published",
    }  # fmt: skip
    with register.db.write() as session:
        row = Result(created_at=register.now, updated_at=register.now, **(values | changes))
        session.add(row)
        session.flush()
        assert row.id
        session.add(ResultIp(result_id=row.id, kind="invention", number="200710308494.X", status="granted"))
        return row.id
