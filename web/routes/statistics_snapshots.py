"""A published figure: what was frozen, what a revision changed and why, the file that it can be recomputed from."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from market.db import Session
from market.money import yuan
from market.permissions import Action, require
from market.statistics import snapshots
from market.statistics.models import Vintage
from web import seals
from web.deps import PageDep, ReadTx, RowId
from web.render import Page, iso
from web.routes.statistics import csv_line

router = APIRouter()
PER_PAGE = 50
PRIVATE = {"Cache-Control": "private, no-store"}


@dataclass(frozen=True)
class SnapshotPage:
    """Context of a published figure. `contracts` is a page of them, empty for who may not read amounts."""

    snapshot: snapshots.SnapshotRow
    earlier: snapshots.SnapshotRow | None
    content: dict[str, Any]
    vintage: Vintage
    other_release: dict[str, Any] | None
    other_caliber: int | None
    """The version of the earlier figure's caliber, where it was another."""
    changes: list[snapshots.Change]
    changes_total: int
    changes_page: int
    changes_pages: int
    contracts: list[dict[str, Any]]
    lines_total: int
    lines_page: int
    lines_pages: int
    signed: bool
    own_key: bool
    """Whether the key is the one that the market signs with now."""
    public_key: str
    detail: bool


def _paged(page: Page, name: str, total: int) -> tuple[int, int]:
    number = page.request.query_params.get(name, "")
    pages = max(1, -(-total // PER_PAGE))
    return max(1, min(int(number), pages)) if re.fullmatch(r"[0-9]{1,6}", number) else 1, pages


def _slice(found: list[Any], current: int) -> list[Any]:
    return found[(current - 1) * PER_PAGE : current * PER_PAGE]


@router.get("/statistics/snapshots/{snapshot_id}.json")
def download_json(page: PageDep, session: ReadTx, snapshot_id: RowId) -> Response:
    """Everything that the fingerprint covers, with the signature: `docs/recompute_figure.py` reads it."""
    require(page.actor, Action.STATISTICS_READ_DETAIL)
    row, content = snapshots.snapshot(session, snapshot_id)
    seal = page.parts.seal
    told = {
        "id": row.id,
        "published_at": iso(row.published_at),
        "supersedes_id": row.supersedes_id,
        "reason": row.reason,
        "sha256": row.sha256,
        "signature": row.signature,
        "key_id": row.key_id,
        "public_key": _key(page) if row.key_id == seal.key_id else "",
        "content": content,
    }
    body = json.dumps(told, ensure_ascii=False, indent=1)
    return _file(body, "application/json", f"figure-{row.year}-{row.caliber_code}-{row.id}.json")


@router.get("/statistics/snapshots/{snapshot_id}.csv")
def download_csv(page: PageDep, session: ReadTx, snapshot_id: RowId) -> Response:
    """The contracts counted, with their amounts in yuan."""
    require(page.actor, Action.STATISTICS_READ_DETAIL)
    row, content = snapshots.head(session, snapshot_id)

    def table() -> Iterator[str]:
        # The mark tells spreadsheets that the file is UTF-8.
        yield "\ufeff" + csv_line(["contract_id", "local_number", "registered_on", "counted"])
        for line in snapshots.lines(session, snapshot_id, content):
            words = [str(line[name]) for name in ("contract_id", "local_number", "registered_on")]
            yield csv_line([*words, yuan(line["fen"])])

    name = f"figure-{row.year}-{row.caliber_code}-{row.id}.csv"
    return _file("".join(table()), "text/csv; charset=utf-8", name)


def _file(body: str, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **PRIVATE}
    return Response(body, media_type=media_type, headers=headers)


def _key(page: Page) -> str:
    return base64.b64encode(page.parts.seal.public_key).decode()


def _changed(
    session: Session, page: Page, row: snapshots.SnapshotRow, earlier: snapshots.SnapshotRow
) -> tuple[list[snapshots.Change], int, int, int]:
    found = snapshots.revised(session, earlier, row)
    current, pages = _paged(page, "changes", len(found))
    return snapshots.explained(session, earlier, row, _slice(found, current)), len(found), current, pages


@router.get("/statistics/snapshots/{snapshot_id}")
def show_snapshot(page: PageDep, session: ReadTx, snapshot_id: RowId) -> Response:
    """A published figure as it was frozen, and what it revised, contract by contract."""
    row, content = snapshots.head(session, snapshot_id)
    detail = page.actor.can(Action.STATISTICS_READ_DETAIL)
    earlier, before = None, content
    changed: tuple[list[snapshots.Change], int, int, int] = ([], 0, 1, 1)
    if row.supersedes_id is not None:
        earlier, before = snapshots.head(session, row.supersedes_id)
        changed = _changed(session, page, row, earlier)
    shown: list[dict[str, Any]] = []
    total, current, pages = 0, 1, 1
    if detail:
        total = snapshots.line_count(session, snapshot_id, content)
        current, pages = _paged(page, "page", total)
        shown = snapshots.lines(
            session, snapshot_id, content, limit=PER_PAGE, offset=(current - 1) * PER_PAGE
        )
    seal = page.parts.seal
    own_key = row.key_id == seal.key_id
    release, other = content["gdp_release"], before["gdp_release"]
    version = before["caliber"]["version"]
    context = SnapshotPage(
        snapshot=row,
        earlier=earlier,
        content={name: value for name, value in content.items() if name != "contracts"},
        vintage=Vintage(release["vintage"]),
        other_release=other if other["id"] != release["id"] else None,
        other_caliber=version if version != content["caliber"]["version"] else None,
        changes=changed[0],
        changes_total=changed[1],
        changes_page=changed[2],
        changes_pages=changed[3],
        contracts=shown,
        lines_total=total,
        lines_page=current,
        lines_pages=pages,
        signed=own_key and seals.verify(row.sha256, row.signature, seal.public_key),
        own_key=own_key,
        public_key=_key(page),
        detail=detail,
    )
    return page.render("statistics/snapshot.html", context)
