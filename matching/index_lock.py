"""Which process may change an index that lies on a server, told by PostgreSQL.

An advisory lock lives as long as its connection: it is freed when the process ends, however it ends. With
SQLite there is one machine, and the lock on the spare's own directory does.
"""

import contextlib
import threading
import zlib

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from market.db import Database


class AdvisoryLock:
    """A lock by name among all processes of one database."""

    def __init__(self, db: Database, name: str) -> None:
        self._db = db
        self._number = zlib.crc32(name.encode())
        self._holding: Connection | None = None
        self._guard = threading.Lock()

    def acquire(self) -> bool:
        """Whether this process holds the lock, tried without waiting. A lock whose connection has died is lost."""
        with self._guard:
            if self._holding is not None:
                try:
                    self._holding.execute(sa.select(1))
                except SQLAlchemyError:
                    self._drop()
                else:
                    return True
            connection = self._db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                got = connection.execute(sa.select(sa.func.pg_try_advisory_lock(self._number))).scalar_one()
            except SQLAlchemyError:
                connection.invalidate()
                connection.close()
                raise
            if got:
                self._holding = connection
            else:
                connection.close()
            return bool(got)

    def release(self) -> None:
        """Give it away; nothing happens if it is not held."""
        with self._guard:
            if self._holding is not None:
                # Said before the connection goes: the server may notice its end later than the next one asks.
                with contextlib.suppress(SQLAlchemyError):
                    self._holding.execute(sa.select(sa.func.pg_advisory_unlock(self._number)))
                self._drop()

    def _drop(self) -> None:
        """Close the connection for good: one that went back to the pool would keep the lock."""
        connection, self._holding = self._holding, None
        if connection is not None:
            connection.invalidate()
            connection.close()
