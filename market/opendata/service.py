"""Publishing releases: one for each event that the public may know of, kept as it was published.

A release's number is its place in the feed. Numbers are given while the register's clock is locked, which is
kept until the commit: so they rise without gaps in the order of commits, and whoever reads on from the last
number misses nothing. What is published already is left alone, so publishing may be repeated.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from market.db import Session, t
from market.deals.models import Contract, ContractEvent, ContractSource
from market.deals.movements import tick
from market.opendata import rules
from market.opendata.models import OpenRelease
from market.parties.models import Organisation


def canonical(content: dict[str, Any]) -> bytes:
    """The bytes of a release: what is hashed, and a line of the download."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def publish(session: Session, now: dt.datetime, contract_ids: Sequence[int], prefix: str) -> int:
    """Publish what happened to contracts and has no release yet; returns how many releases were made.

    `prefix` is the publisher's OCID prefix.
    """
    at = tick(session, now)
    known = _releases(session, contract_ids)
    rows: list[dict[str, Any]] = []
    last: int = session.scalar(sa.select(sa.func.max(t(OpenRelease).c.id))) or 0
    for contract_id, facts, happened in _events(session, contract_ids):
        if rules.release_id(prefix, facts, happened) in known or not rules.is_published(
            facts.source, happened.step
        ):
            continue
        content = rules.release(prefix, facts, happened)
        rows.append(
            {
                "id": last + len(rows) + 1,
                "contract_id": contract_id,
                "ocid": content["ocid"],
                "release_id": content["id"],
                "published_at": at,
                "content": content,
                "sha256": hashlib.sha256(canonical(content)).hexdigest(),
            }
        )
    if rows:
        session.execute(sa.insert(t(OpenRelease)), rows)
    return len(rows)


def unpublished(session: Session, after_id: int, limit: int) -> list[int]:
    """The next contracts, by id, of which something may be published and nothing has been."""
    c, e, r = t(Contract).c, t(ContractEvent).c, t(OpenRelease).c
    happened = sa.exists().where(e.contract_id == c.id, e.step.in_(list(rules.RELEASED)))
    known = sa.exists().where(r.contract_id == c.id)
    statement = (
        sa.select(c.id)
        .where(c.id > after_id, c.source != ContractSource.DECLARED.value, happened, ~known)
        .order_by(c.id)
        .limit(limit)
    )
    return list(session.scalars(statement))


def _releases(session: Session, contract_ids: Sequence[int]) -> set[str]:
    r = t(OpenRelease).c
    return set(session.scalars(sa.select(r.release_id).where(r.contract_id.in_(contract_ids))))


def _events(session: Session, contract_ids: Sequence[int]) -> list[tuple[int, rules.Facts, rules.Happened]]:
    c, e = t(Contract).c, t(ContractEvent).c
    seller, buyer = t(Organisation).alias("seller"), t(Organisation).alias("buyer")
    statement = (
        sa.select(
            *(c[name] for name in _FACTS),
            *(c[f"{side}_{name}"] for side in ("seller", "buyer") for name in ("name", "nature", "region")),
            seller.c.credit_code.label("seller_code"),
            buyer.c.credit_code.label("buyer_code"),
            e.contract_id,
            e.id.label("event_id"),
            e.step,
            e.at,
            e.deal_fen_after,
        )
        .select_from(t(ContractEvent))
        .join(t(Contract), c.id == e.contract_id)
        .outerjoin(seller, seller.c.id == c.seller_id)
        .outerjoin(buyer, buyer.c.id == c.buyer_id)
        .where(e.contract_id.in_(contract_ids), e.step.in_(list(rules.RELEASED)))
        .order_by(e.id)
    )
    return [
        (
            row.contract_id,
            rules.Facts(
                **{name: getattr(row, name) for name in _FACTS},
                seller=rules.Party(
                    row.seller_name, row.seller_code or "", row.seller_nature, row.seller_region
                ),
                buyer=rules.Party(row.buyer_name, row.buyer_code or "", row.buyer_nature, row.buyer_region),
            ),
            rules.Happened(row.event_id, row.step, row.at, row.deal_fen_after),
        )
        for row in session.execute(statement)
    ]


_FACTS = (
    "local_number", "registration_number", "title", "kind", "subkind", "technical_field", "source", "trade_secret",
    "signed_on", "effective_on", "ends_on",
)  # fmt: skip
