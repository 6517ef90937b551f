"""What the checker found about lots' journals, kept while the journals do not grow; and the checker itself,
as a file that anybody can run."""

from __future__ import annotations

import functools
import io
import threading
import zipfile
from collections import OrderedDict
from pathlib import Path

import auctions.verify
from auctions import proof, queries
from auctions.verify import Report
from market.db import Database

MOST = 256
"""Reports kept; one is small unless a journal is full of violations."""


class KeptReports:
    """The memory of one process; used from any thread. One journal is checked at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working = threading.Lock()
        self._reports: OrderedDict[tuple[int, str], Report] = OrderedDict()

    def report(self, db: Database, lot_id: int, head_hash: str) -> Report:
        """The report on a lot's journal whose head has this hash; the journal is streamed, never whole.

        Raises NotFound.
        """
        found = self._kept(lot_id, head_hash)
        if found is not None:
            return found
        with self._working:
            found = self._kept(lot_id, head_hash)
            if found is None:
                with db.read() as session:
                    found, _ = proof.check(queries.export_journal(session, lot_id))
                self._keep(lot_id, head_hash, found)
        return found

    def _kept(self, lot_id: int, head_hash: str) -> Report | None:
        with self._lock:
            found = self._reports.get((lot_id, head_hash))
            if found is not None:
                self._reports.move_to_end((lot_id, head_hash))
            return found

    def _keep(self, lot_id: int, head_hash: str, report: Report) -> None:
        # Under what was asked for: a journal that was tampered with has another head, and is checked once too.
        with self._lock:
            self._reports[lot_id, head_hash] = report
            while len(self._reports) > MOST:
                self._reports.popitem(last=False)


START = "import sys\n\nfrom auctions.verify import main\n\nsys.exit(main(sys.argv[1:]))\n"


@functools.cache
def checker_archive() -> bytes:
    """The checker as one file that Python runs (`python3 checker.pyz FILE`): its sources and no others.

    The same sources give the same bytes.
    """
    files = {"__main__.py": START, "auctions/__init__.py": ""}
    verify = Path(auctions.verify.__file__)
    for path in [verify, *sorted((verify.parent / "checker").rglob("*.py"))]:
        files[f"auctions/{path.relative_to(verify.parent).as_posix()}"] = path.read_text(encoding="utf-8")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()
