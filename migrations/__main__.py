"""Write a migration from what changed in the row classes: `python -m migrations "what changes"`.

Works on a scratch SQLite database brought up by the migrations there are; read what it wrote, and try
it on both databases (`tests/market/test_migrations.py`).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from market.db import Database
from migrations import config, upgrade


def main() -> None:
    """Write the next migration, numbered."""
    message = " ".join(sys.argv[1:]).strip()
    if not message:
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'scratch.db'}")
        upgrade(database)
        settings = config(database)
        script = ScriptDirectory.from_config(settings)
        number = len(list(script.walk_revisions())) + 1
        command.revision(settings, message, autogenerate=True, rev_id=f"{number:04d}")
        database.dispose()


main()
