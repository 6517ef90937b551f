"""Rows for tests of matching: one verified organisation of each kind, results and demands on demand."""

import datetime as dt
from typing import Any

from market.clock import UTC
from market.db import Session
from market.demands.models import Demand
from market.dirty import mark_dirty
from market.listings.models import ListingState, Result, ResultIp
from market.parties.models import Organisation
from market.taxonomy.models import Industry

AT = dt.datetime(2026, 3, 2, 2, 0, tzinfo=UTC)

CREDIT_CODES = {"university": "12330000470095016Q", "firm": "91330100799655058B"}


class Rows:
    """Writes rows in a session the caller owns."""

    def __init__(self, session: Session) -> None:
        self.session = session
        for code, name in (("pumps", "泵与电机"), ("machine-tools", "机床工具")):
            session.add(Industry(code=code, name=name, updated_at=AT))
        self.university = self._organisation("浙江某大学", "university", "330106")
        self.firm = self._organisation("温岭某泵业有限公司", "firm", "331081")
        session.flush()

    def _organisation(self, name: str, kind: str, region: str) -> Organisation:
        organisation = Organisation(
            name=name,
            kind=kind,
            region_code=region,
            credit_code=CREDIT_CODES[kind],
            state="verified",
            created_at=AT,
            updated_at=AT,
        )
        self.session.add(organisation)
        return organisation

    def result(self, title: str, abstract: str = "", *, patent: str = "", **values: Any) -> int:
        """A published result of the university, marked dirty; returns its id."""
        row = Result(
            **{
                "organisation_id": self.university.id,
                "title": title,
                "abstract": abstract,
                "industry_code": "pumps",
                "state": ListingState.PUBLISHED.value,
                "published_at": AT,
                "created_at": AT,
                "updated_at": AT,
                **values,
            }
        )
        self.session.add(row)
        self.session.flush()
        assert row.id is not None
        if patent:
            self.session.add(ResultIp(result_id=row.id, kind="invention", number=patent))
            self.session.flush()
        mark_dirty(self.session, "result", row.id)
        return row.id

    def demand(self, title: str, difficulty: str = "", **values: Any) -> int:
        """A published demand of the firm, marked dirty; returns its id."""
        row = Demand(
            **{
                "organisation_id": self.firm.id,
                "title": title,
                "difficulty": difficulty,
                "industry_code": "pumps",
                "state": ListingState.PUBLISHED.value,
                "published_at": AT,
                "created_at": AT,
                "updated_at": AT,
                **values,
            }
        )
        self.session.add(row)
        self.session.flush()
        assert row.id is not None
        mark_dirty(self.session, "demand", row.id)
        return row.id
