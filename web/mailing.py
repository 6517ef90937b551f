"""Mail as background work: handlers that render a text in its receiver's language and send it.

Texts lie in `templates/mail/<name>.txt`: the subject on the first line, an empty line, the body. Links
whose secret must not be stored (`account.link`) are made when they are sent, never before.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from jinja2 import Environment

from market.db import t
from market.parties import accounts
from market.parties.models import Person
from market.work import Claimed, Handler
from web import i18n
from web.mail import Mail
from web.render import environment
from web.wiring import Parts


@functools.cache
def _texts(language: str) -> Environment:
    return environment(language).overlay(autoescape=False)


def compose(parts: Parts, to: str, template: str, language: str, params: Mapping[str, Any]) -> Mail:
    """A message to one address. Every text knows `market_name` and `base_url` beside its own variables."""
    language = language if language in i18n.LANGUAGES else i18n.DEFAULT
    settings = parts.settings
    text = (
        _texts(language)
        .get_template(f"mail/{template}.txt")
        .render(
            **params,
            market_name=settings.name if language == "zh-Hans" else settings.name_en,
            base_url=settings.base_url.rstrip("/"),
        )
    )
    subject, _, body = text.strip().partition("\n")
    return Mail(to, " ".join(subject.split()), body.strip() + "\n")


def send_mail(parts: Parts, item: Claimed) -> None:
    """Handler of `mail.send`: {to, template, language, params}."""
    payload = item.payload
    parts.mailer.send(
        compose(parts, payload["to"], payload["template"], payload["language"], payload["params"])
    )


def send_link(parts: Parts, item: Claimed) -> None:
    """Handler of `account.link`: {email, language, template}. Sends nothing where there is no account.

    A second run makes a second link and the first stops working.
    """
    payload = item.payload
    template = payload["template"]
    lasts = accounts.INVITATION_LASTS if template == "invitation" else accounts.RESET_LASTS
    now = parts.clock.now()
    with parts.db.write() as session:
        person = session.execute(
            sa.select(t(Person).c.id, t(Person).c.name, t(Person).c.email).where(
                t(Person).c.email == payload["email"], t(Person).c.active.is_(True)
            )
        ).first()
        if person is None:
            return
        secret = accounts.new_link(session, person.id, now, lasts)
    link = f"{parts.settings.base_url.rstrip('/')}/password/reset?token={secret}"
    params = {"name": person.name, "link": link, "expires_at": now + lasts}
    parts.mailer.send(compose(parts, person.email, template, payload["language"], params))


def handlers(parts: Parts) -> dict[str, Handler]:
    """The work kinds of this module."""
    return {
        "mail.send": functools.partial(send_mail, parts),
        "account.link": functools.partial(send_link, parts),
    }
