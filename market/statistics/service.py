"""What officials do with figures: enter a GDP release, publish a figure frozen with its inputs.

Neither is ever edited: a restated GDP is a new release, a changed figure a new snapshot that says which
one it supersedes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from market import audit
from market.clock import local_date
from market.db import Session, t
from market.deals import movements
from market.errors import Duplicate, InvalidInput
from market.permissions import Action, Actor, require
from market.statistics import queries
from market.statistics.inputs import GdpReleaseInput, SnapshotInput
from market.statistics.models import Caliber, GdpRelease, Snapshot, SnapshotLine


def add_gdp_release(session: Session, actor: Actor, now: dt.datetime, data: GdpReleaseInput) -> int:
    """Enter a published GDP figure; returns its id.

    Raises NotAllowed, InvalidInput for a day of publication in the future or before the period ended,
    Duplicate for the same release entered before.
    """
    require(actor, Action.STATISTICS_MANAGE)
    if data.published_on > local_date(now):
        raise InvalidInput([("published_on", "published_in_future", {})])
    if data.published_on < dt.date(data.year, data.quarter * 3, 28):
        raise InvalidInput([("published_on", "published_before_period", {})])
    c = t(GdpRelease).c
    if session.scalar(
        sa.select(c.id).where(
            c.region_code == data.region_code,
            c.year == data.year,
            c.quarter == data.quarter,
            c.vintage == data.vintage.value,
            c.published_on == data.published_on,
        )
    ):
        raise Duplicate(field="published_on", value=data.published_on.isoformat())
    values = {**data.model_dump(), "vintage": data.vintage.value}
    # In the register's time: what an earlier answer did not know of is never dated before it.
    release = GdpRelease(**values, entered_at=movements.tick(session, now), entered_by=actor.person_id)
    session.add(release)
    session.flush()
    assert release.id is not None
    audit.record(session, actor, "gdp_release.entered", release.id, now, after=values)
    return release.id


Seal = Callable[[str], tuple[str, str]]
"""Signs a fingerprint: the signature in base64 and the id of the key. Keys are kept above this room."""

FORMAT = 2
"""Of the frozen content; format 1 kept the contracts in the content and not in lines of their own."""
_CHUNK = 500


def publish_snapshot(
    session: Session, actor: Actor, now: dt.datetime, data: SnapshotInput, seal: Seal | None = None
) -> int:
    """Freeze a figure as it stands now, with its contracts, caliber and GDP release; returns its id.

    Raises NotAllowed, NotFound (caliber), InvalidInput (`no_gdp` where no GDP is published,
    `revision_reason` where an earlier one is revised without saying why).
    """
    require(actor, Action.STATISTICS_MANAGE)
    counting = queries.caliber(session, data.caliber)
    # The register's lock: nothing is recorded, and no other figure published, until this one is.
    movements.tick(session, now)
    figure = queries.figure(session, counting, data.year, data.quarter, as_of=local_date(now), dimensions=())
    if figure.denominator is None:
        raise InvalidInput([("year", "no_gdp", {"year": data.year, "quarter": data.quarter})])
    previous = _previous(session, counting.code, data)
    if previous is not None and not data.reason:
        raise InvalidInput([("reason", "revision_reason", {})])
    head = head_of(figure)
    lines = [
        {
            "contract_id": one.id,
            "local_number": one.local_number,
            "registered_on": one.registered_on,
            "fen": one.fen,
        }
        for one in queries.all_contracts(session, figure)
    ]
    sha256 = fingerprint(whole(head, lines))
    signature, key_id = seal(sha256) if seal else ("", "")
    snapshot = Snapshot(
        caliber_id=counting.id,
        gdp_release_id=figure.denominator.id,
        year=data.year,
        quarter=data.quarter,
        numerator_fen=figure.numerator_fen,
        denominator_fen=figure.denominator.value_fen,
        contract_count=figure.contract_count,
        content=head,
        sha256=sha256,
        published_at=now,
        published_by=actor.person_id,
        supersedes_id=previous,
        known_at=figure.known_at,
        signature=signature,
        key_id=key_id,
        reason=data.reason if previous is not None else "",
    )
    session.add(snapshot)
    session.flush()
    assert snapshot.id is not None
    for start in range(0, len(lines), _CHUNK):
        piece = [{"snapshot_id": snapshot.id, **line} for line in lines[start : start + _CHUNK]]
        session.execute(sa.insert(t(SnapshotLine)), piece)
    audit.record(
        session,
        actor,
        "snapshot.published",
        snapshot.id,
        now,
        after={
            "caliber": counting.code,
            "year": data.year,
            "quarter": data.quarter,
            "numerator_fen": figure.numerator_fen,
            "denominator_fen": figure.denominator.value_fen,
            "sha256": snapshot.sha256,
        },
    )
    return snapshot.id


def _previous(session: Session, code: str, data: SnapshotInput) -> int | None:
    s, c = t(Snapshot).c, t(Caliber).c
    return session.scalar(
        sa.select(s.id)
        .select_from(t(Snapshot).join(t(Caliber), s.caliber_id == c.id))
        .where(c.code == code, s.year == data.year, s.quarter == data.quarter)
        .order_by(s.id.desc())
        .limit(1)
    )


def head_of(figure: queries.Figure) -> dict[str, Any]:
    """What a figure was computed from, as it is frozen; its contracts are in lines of their own."""
    release, counting = figure.denominator, figure.caliber
    assert release is not None
    return {
        "format": FORMAT,
        "caliber": {
            "code": counting.code,
            "version": counting.version,
            "name": counting.name,
            "note": counting.note,
            "measure": counting.measure.value,
            "side": counting.side.value,
            "region_code": counting.region_code,
            "states": list(counting.states),
            "dated_by": counting.dated_by.value,
            "amendments": counting.amendments.value,
        },
        "year": figure.period.year,
        "quarter": figure.period.quarter,
        "as_of": figure.as_of.isoformat(),
        "known_at": figure.known_at.isoformat(),
        "provisional": list(figure.provisional),
        "gdp_release": {
            "id": release.id,
            "vintage": release.vintage.value,
            "value_fen": release.value_fen,
            "published_on": release.published_on.isoformat(),
            "source": release.source,
        },
        "numerator_fen": figure.numerator_fen,
        "denominator_fen": release.value_fen,
        "contract_count": figure.contract_count,
        "share_percent": str(figure.percent),
    }


def whole(head: dict[str, Any], lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The frozen content with its contracts: what the fingerprint covers."""
    return {
        **head,
        "contracts": [
            {
                "id": line["contract_id"],
                "local_number": line["local_number"],
                "registered_on": line["registered_on"].isoformat(),
                "fen": line["fen"],
            }
            for line in lines
        ],
    }


def fingerprint(content: dict[str, Any]) -> str:
    """SHA-256 over the content as JSON with sorted keys, no spaces, UTF-8."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
