"""The only place that joins parts: from settings to a running market.

`build` makes everything a process needs and starts nothing; `Parts.start` starts the background
threads, `Parts.stop` drains and ends them in the reverse order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from market.clock import Clock, SystemClock
from market.db import Database
from market.files.store import DiskStore, FileStore
from matching.index import SearchIndex
from matching.indexer import Indexer
from matching.tantivy_index import TantivyIndex
from web.mail import ConsoleMailer, Mailer, SmtpMailer
from web.settings import MailBackend, Settings, WorkerMode


@dataclass
class Parts:
    """Everything that handlers and workers use, joined."""

    settings: Settings
    clock: Clock
    db: Database
    files: FileStore
    mailer: Mailer
    limiter: MovingWindowRateLimiter
    index: SearchIndex
    indexer: Indexer
    closers: list[object] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start background work."""
        if self.settings.worker is WorkerMode.EMBEDDED:
            self.spawn("indexer", self.indexer.run)

    def spawn(self, name: str, work: Callable[[threading.Event], None]) -> None:
        """Run work in a thread of its own until `stop` sets the event that it is given."""
        thread = threading.Thread(target=work, args=(self._stopping,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Drain and end background work, then close connections."""
        self._stopping.set()
        for thread in reversed(self._threads):
            thread.join(timeout=30)
        self.index.close()
        self.db.dispose()


def build(settings: Settings, *, clock: Clock | None = None) -> Parts:
    """Join the parts that settings name. Opens no socket and starts no thread."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    mailer: Mailer = (
        SmtpMailer(
            settings.smtp_host,
            settings.smtp_port,
            settings.mail_from,
            user=settings.smtp_user,
            password=settings.smtp_password.get_secret_value(),
            tls=settings.smtp_tls,
        )
        if settings.mail is MailBackend.SMTP
        else ConsoleMailer(settings.mail_from)
    )
    db = Database(settings.database_address)
    index = TantivyIndex(settings.index_dir)
    return Parts(
        settings=settings,
        clock=clock or SystemClock(),
        db=db,
        files=DiskStore(settings.files_dir),
        mailer=mailer,
        limiter=MovingWindowRateLimiter(storage_from_string(redis) if redis else MemoryStorage()),
        index=index,
        indexer=Indexer(db, index),
    )
