"""Mail of saved searches: what is new since the last look, once a day at most for each search.

A sweep asks the index what each search finds now, newest first, and leaves work for what its keeper was
not told of; that note, the work and the time of the look are one transaction, so a crash neither repeats
nor loses a mail. No transaction is open while the index is asked. The work is judged again when it is done:
what is no longer published is left out, and who turned the mail off meanwhile gets none.
"""

from __future__ import annotations

import functools
import hmac

import sqlalchemy as sa
import structlog
from starlette.datastructures import QueryParams

from market.db import t
from market.parties.models import Person
from market.work import Claimed, Handler
from matching import documents
from matching.documents import Key
from matching.index import DEEPEST, IndexState, Sort
from matching.saved import queries, rules, service
from matching.saved.queries import Saved
from web import searching
from web.mail import Mail
from web.mailing import compose
from web.matches import href_of
from web.settings import Settings
from web.wiring import Parts

log = structlog.get_logger()
INTERVAL = 300
"""Seconds between two looks for searches that are due."""
STEP = 100
"""Hits asked for at once."""


def token(settings: Settings, search_id: int) -> str:
    """What the link in a mail carries: the search, and a signature that only we can make."""
    return f"{search_id}.{_signature(settings, search_id)}"


def search_of(settings: Settings, given: str) -> int | None:
    """The search that a link's token names; None for what we did not make."""
    number, _, signature = given.partition(".")
    if not (number.isascii() and number.isdecimal() and len(number) < 19 and signature.isascii()):
        return None
    return int(number) if hmac.compare_digest(_signature(settings, int(number)), signature) else None


def _signature(settings: Settings, search_id: int) -> str:
    key = settings.secret_key.get_secret_value().encode()
    return hmac.new(key, f"saved-search-mail:{search_id}".encode(), "sha256").hexdigest()[:40]


def look(parts: Parts, saved: Saved) -> int:
    """Look at one search and leave its mail. Returns how many entries are new."""
    asked = searching.read(QueryParams(saved.query))
    filters = asked.filters(parts.settings.region_code)
    horizon = rules.horizon(saved.since, saved.checked_at)
    found: list[Key] = []
    for offset in range(0, DEEPEST, STEP):
        hits = parts.index.search(asked.words, filters, sort=Sort.NEWEST, offset=offset, limit=STEP)
        if hits.relaxed:
            # What holds some of the words helps who looks at a page; nobody is mailed about it.
            break
        with parts.db.read() as session:
            fresh = queries.published_since(session, (hit.key for hit in hits.hits), horizon)
        found += [hit.key for hit in hits.hits if hit.key in fresh]
        if not fresh or len(hits.hits) < STEP:
            break
    with parts.db.write() as session:
        return service.note(session, saved.id, saved.checked_at, found, parts.clock.now())


class Sweeper:
    """The sweep of one process; several may run, and each search is told by one of them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __call__(self) -> None:
        """Look at every search that is due. Does nothing while the index is not whole."""
        parts, after = self._parts, 0
        while parts.index.state is IndexState.READY:
            with parts.db.read() as session:
                due = queries.due(session, parts.clock.now() - rules.EVERY, after)
            if not due:
                return
            for saved in due:
                try:
                    look(parts, saved)
                except Exception:
                    # The next sweep tries again; the others must not wait for this one.
                    log.exception("saved_search.failed", search=saved.id)
            after = due[-1].id


def tell(parts: Parts, item: Claimed) -> None:
    """Handler of `saved_search.news`: {search_id, keys, total}."""
    keys = [Key.parse(key) for key in item.payload["keys"]]
    with parts.db.read() as session:
        saved = queries.one(session, item.payload["search_id"])
        if saved is None or not saved.alert:
            return
        c = t(Person).c
        person = session.execute(
            sa.select(c.email, c.language).where(c.id == saved.person_id, c.active.is_(True))
        ).first()
        found = documents.load(session, keys)
    shown = [found[key] for key in keys if key in found]
    if person is None or not shown:
        return
    base = parts.settings.base_url.rstrip("/")
    stop = f"{base}/searches/stop/{token(parts.settings, saved.id)}"
    params = {
        "name": saved.name,
        "total": item.payload["total"] - (len(keys) - len(shown)),
        "entries": [(one.title, one.owner_name, one.key.kind, base + href_of(one.key)) for one in shown],
        "search": f"{base}/search?{'&'.join(part for part in (saved.query, 'sort=newest') if part)}",
        "stop": stop,
    }
    mail = compose(parts, person.email, "saved_search", person.language, params)
    # RFC 2369 and RFC 8058: a mail program's own button stops it without a visit.
    headers = (("List-Unsubscribe", f"<{stop}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    parts.mailer.send(Mail(mail.to, mail.subject, mail.body, headers))


def handlers(parts: Parts) -> dict[str, Handler]:
    """The work kinds of this module."""
    return {service.NEWS: functools.partial(tell, parts)}
