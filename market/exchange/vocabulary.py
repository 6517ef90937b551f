"""The words that rows may use for organisations and industries here, added to those of the languages."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from market.db import Session, t
from market.exchange.mapping import Vocabulary, folded
from market.parties.models import Organisation
from market.taxonomy.models import Industry


def with_places(session: Session, words: Vocabulary, organisations: frozenset[int] | None) -> Vocabulary:
    """`words` with the industries in use, and the organisations of `organisations` (None: all)."""
    i, o = t(Industry).c, t(Organisation).c
    industries: dict[str, str] = {}
    for row in session.execute(sa.select(i.code, i.name, i.name_en).where(i.active.is_(True))):
        for word in (row.code, row.name, row.name_en):
            if word:
                industries[word] = row.code
                industries.setdefault(folded(word), row.code)
    statement = sa.select(o.id, o.credit_code, o.name, o.name_en)
    if organisations is not None:
        statement = statement.where(o.id.in_(sorted(organisations)))
    known: dict[str, int] = {}
    for place in session.execute(statement):
        known[place.credit_code] = place.id
        for name in {place.name, place.name_en} - {""}:
            known[name] = place.id if known.get(name, place.id) == place.id else 0
    return replace(words, industries=industries, organisations=known)
