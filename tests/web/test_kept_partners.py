"""Partners that are kept between requests are never older than the index."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from market.clock import FixedClock
from market.db import Database, t
from market.listings.models import Result
from matching.documents import Key, Kind, load
from matching.embedded.index import TantivyIndex
from matching.indexer import reindex
from tests import factories
from tests.conftest import NOW
from web.matches import KeptPartners

MINUTE = dt.timedelta(minutes=1)


def test_partners_are_found_anew_when_the_index_changes(
    sqlite_database: Database, tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    import web.matches

    market = factories.fill(sqlite_database, NOW, results_=30, demands_=5, lots_=0)
    index = TantivyIndex(tmp_path / "index")
    assert index.acquire()
    reindex(sqlite_database, index)
    kept, demand = KeptPartners(most=2), market.demands[0]
    found = web.matches.partners_for
    looks: list[int] = []

    def counted(kind: Kind, row_id: int, *rest: object, **named: object) -> object:
        looks.append(row_id)
        return found(kind, row_id, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(web.matches, "partners_for", counted)

    def shown(row_id: int = demand, later: dt.timedelta = dt.timedelta(0)) -> list[int]:
        with sqlite_database.read() as session:
            view = kept.get(Kind.DEMAND, row_id, session, index, "en", NOW + later)
        return [one.card.id for one in view.partners]

    first = shown()
    assert first
    assert shown() == first
    assert len(looks) == 1

    with sqlite_database.write() as session:
        session.execute(sa.update(t(Result)).where(t(Result).c.id == first[0]).values(state="withdrawn"))
    index.apply([], [Key(Kind.RESULT, first[0])])
    assert first[0] not in shown()
    with sqlite_database.write() as session:
        session.execute(sa.update(t(Result)).where(t(Result).c.id == first[0]).values(state="published"))
    with sqlite_database.read() as session:
        index.apply(load(session, [Key(Kind.RESULT, first[0])]).values())
    assert first[0] in shown()

    looks.clear()
    shown(later=MINUTE)
    assert looks == [demand], "no older than a minute"
    for other in market.demands[1:4]:
        shown(other, MINUTE)
    shown(later=MINUTE)
    assert looks[-1] == demand, "only the last few are kept"
    index.close()
