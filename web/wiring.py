"""The only place that joins parts: from settings to a running market.

`build` makes everything a process needs and starts nothing. A serving process runs `start` and `stop` on
its event loop; background work is `web/worker.py`'s, in the same process or in one of its own.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy.engine import Connection

from auctions.bus import Bus, LocalBus
from auctions.hub import Hub
from auctions.journal import Outcome
from auctions.receipts import Signer
from auctions.redis_bus import RedisBus
from auctions.room import Services
from auctions.timekeeper import Timekeeper
from auctions.writer import Writer
from market.clock import Clock, GuardedClock, SystemClock, elapsed
from market.db import Database
from market.files.store import DiskStore, FileStore
from market.payments.bank.gateway import OfflineGateway
from market.payments.gateway import Ask, Gateway, Gateways, Method
from market.payments.models import Purpose
from market.payments.simulated import SimulatedGateway
from market.payments.stripe_gateway import StripeGateway
from market.work import enqueue
from matching.embedded.index import TantivyIndex
from matching.index import SearchIndex
from matching.index_lock import AdvisoryLock
from matching.meilisearch.client import Connection as MeilisearchConnection
from matching.meilisearch.index import MeilisearchIndex
from matching.spared_index import SparedIndex
from web import i18n
from web.alarms import AlarmBook
from web.doorkeeper import Doorkeeper
from web.limiter import SharedLimiter
from web.mail import ConsoleMailer, Mailer, SmtpMailer
from web.seals import FigureSeal
from web.settings import MailBackend, SearchEngine, Settings

log = structlog.get_logger()


@dataclass
class Parts:
    """Everything that handlers and workers use, joined."""

    settings: Settings
    clock: Clock
    db: Database
    files: FileStore
    mailer: Mailer
    limiter: MovingWindowRateLimiter
    gateways: Gateways
    index: SearchIndex
    bus: Bus
    signer: Signer
    seal: FigureSeal
    writer: Writer
    hub: Hub
    timekeeper: Timekeeper
    room: Services
    alarms: AlarmBook
    door: Doorkeeper

    @property
    def public_key(self) -> str:
        """The key that receipts are checked with, base64."""
        return base64.b64encode(self.signer.public_key).decode()

    async def start(self) -> None:
        """Start the live side of a serving process: rooms, the writer, the timekeeper."""
        await self.bus.start()
        await self.hub.start()
        self.alarms.start()
        self.writer.start()
        self.timekeeper.start()

    async def stop(self) -> None:
        """Drain and end the live side. Threads are waited for beside the loop, which their answers need."""
        await self.hub.drain()
        await asyncio.to_thread(self.timekeeper.stop)
        if not await asyncio.to_thread(self.writer.stop):
            log.error("writer.not_drained", waiting=self.writer.waiting)
        await asyncio.to_thread(self.alarms.stop)
        await self.hub.stop()
        await self.bus.stop()

    def close(self) -> None:
        """Close the index and the database's connections."""
        self.index.close()
        self.db.dispose()


def trouble(code: str, error: BaseException | None = None) -> None:
    """Something failed and will be tried again."""
    log.warning("auction.trouble", code=code, error=repr(error))


def leave_settlement(connection: Connection, lot_id: int, outcome: Outcome, now: dt.datetime) -> None:
    """Called by the writer inside the transaction that ends a lot: `web/settlement.py` does the rest."""
    state = outcome.state.value
    payload = {"lot_id": lot_id, "state": state, "forfeiting": list(outcome.forfeiting)}
    enqueue(connection, "lot.closed", payload, key=f"{lot_id}:{state}", now=now)


def make_mailer(settings: Settings) -> Mailer:
    """The mail adapter that settings name."""
    if settings.mail is MailBackend.CONSOLE:
        return ConsoleMailer(settings.mail_from)
    return SmtpMailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.mail_from,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        tls=settings.smtp_tls,
    )


def _named(ask: Ask) -> str:
    """What a payer's page at Stripe calls a payment: what it is for, and the lot's number."""
    language = "zh-Hans" if ask.locale.startswith("zh") else "en"
    return f"{i18n.label(Purpose(ask.purpose), language)} #{ask.lot_id}"


def make_stripe(settings: Settings) -> StripeGateway:
    """The Stripe account that settings name. Asks Stripe nothing yet."""
    assert settings.stripe_key is not None
    return StripeGateway(
        settings.stripe_key.get_secret_value(),
        market=urlsplit(settings.base_url).netloc,
        methods=tuple(Method(name) for name in dict.fromkeys(settings.stripe_methods.split(","))),
        base=settings.stripe_api_base or None,
        describe=_named,
    )


def make_gateways(settings: Settings, db: Database, clock: Clock) -> Gateways:
    """The gateways that settings name, in the order in which payers are offered them.

    Stripe is known while its key is: payments that were begun there are still pursued.
    """
    makers: dict[str, Callable[[], Gateway]] = {
        "simulated": lambda: SimulatedGateway(db, clock, settings.base_url),
        "offline": lambda: OfflineGateway(db, clock),
        "stripe": lambda: make_stripe(settings),
    }
    retired = (make_stripe(settings),) if settings.stripe_key and "stripe" not in settings.gateways else ()
    return Gateways(tuple(makers[name]() for name in settings.gateways), retired)


def make_index(settings: Settings, db: Database) -> SearchIndex:
    """The search index that settings name. Asks no server yet.

    Where one machine serves, whoever holds the lock on the spare's directory may change the index on the
    server as well; with PostgreSQL the database tells which of the machines may.
    """
    embedded = TantivyIndex(settings.index_dir)
    if settings.search is SearchEngine.EMBEDDED or settings.meilisearch_url is None:
        return embedded
    key = settings.meilisearch_key.get_secret_value() if settings.meilisearch_key else None
    prefix = settings.meilisearch_prefix
    engine = MeilisearchIndex(
        MeilisearchConnection(settings.meilisearch_url, key),
        prefix,
        lock=None if db.is_sqlite else AdvisoryLock(db, f"search index {prefix}"),
        counts=embedded.rarity,
        memory=settings.index_dir / "meilisearch-confirmed",
    )
    return SparedIndex(engine, embedded)


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    monotonic: Callable[[], float] | None = None,
    db: Database | None = None,
    mailer: Mailer | None = None,
    index: SearchIndex | None = None,
) -> Parts:
    """Join the parts that settings name. Opens no socket and starts no thread.

    A given clock is guarded by `monotonic` only; the machine's is guarded against being set.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    clock = GuardedClock(SystemClock(), elapsed) if clock is None else GuardedClock(clock, monotonic)
    db = db or Database(settings.database_address)
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    key = settings.signing_key_bytes()
    signer = Signer(key)
    bus: Bus = RedisBus(redis, on_trouble=trouble) if redis else LocalBus()
    book = AlarmBook(db, clock)
    writer = Writer(db, clock, signer, bus, on_closed=leave_settlement, on_alarm=book.ring)
    book.trusted, book.trust = lambda: not writer.closings_paused, writer.trust_clock
    hub = Hub(db, bus, clock, on_trouble=trouble)
    return Parts(
        settings=settings,
        clock=clock,
        db=db,
        files=DiskStore(settings.files_dir),
        mailer=mailer or make_mailer(settings),
        limiter=SharedLimiter(redis) if redis else MovingWindowRateLimiter(MemoryStorage()),
        gateways=make_gateways(settings, db, clock),
        index=index or make_index(settings, db),
        bus=bus,
        signer=signer,
        seal=FigureSeal(key),
        writer=writer,
        hub=hub,
        timekeeper=Timekeeper(db, clock, writer, on_trouble=trouble),
        room=Services(db, clock, writer, hub),
        alarms=book,
        door=Doorkeeper(lambda: hub.limits, settings.trusted_proxies),
    )
