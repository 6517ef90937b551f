"""The confirmation of sale (成交确认书): from a lot's journal to a PDF.

The document is a typst template of its own (`documents/confirmation.typ`); what it says reaches it as one
JSON value, so that no text is ever taken for markup. Made on demand, and the same journal gives the same
bytes: the document's date is that of the close.
"""

from __future__ import annotations

import datetime as dt
import functools
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import segno
import typst

from auctions import lookups
from auctions.lookups import Party, Place
from auctions.queries import LotDetail
from auctions.rules.formats import RULES
from market.clock import SHANGHAI
from market.db import Session
from market.errors import NotFound, Unavailable
from market.settlements import queries as settlements
from web import i18n
from web.render import capital_numerals, local, money, url
from web.settings import Settings

TEMPLATE = Path(__file__).parent / "documents" / "confirmation.typ"
FONT_PACKAGE = "fonts-noto-cjk"
FONTS = (
    "Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC", "Songti SC", "SimSun", "Noto Sans CJK SC",
    "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei",
    "AR PL UMing CN",
)  # fmt: skip
"""Families that hold simplified Chinese, the best for a document first."""


class FontMissing(Unavailable):
    """No font on this machine holds Chinese. Params: `package`."""


@dataclass(frozen=True)
class Facts:
    """What a confirmation says."""

    lot: LotDetail
    closing: Place
    seller: Party
    winner: Party
    organiser: Party | None
    facts_hash: str = ""
    """What electronic signatures are bound to; nothing while the settlement has not begun."""


def read(session: Session, lot: LotDetail) -> Facts:
    """The facts about a sold lot. Raises NotFound when nobody won it."""
    closed = lookups.closing(session, lot.card.id)
    if closed is None or lot.winner_organisation_id is None or lot.card.hammer_fen is None:
        raise NotFound
    organiser = lot.terms.get("organiser_organisation_id")
    return Facts(
        lot,
        closed,
        lookups.party(session, lot.card.seller_organisation_id),
        lookups.party(session, lot.winner_organisation_id),
        None if organiser is None else lookups.party(session, organiser),
        settlements.facts_hash(session, lot.card.id, lot.winner_organisation_id),
    )


@functools.cache
def _fonts() -> tuple[typst.Fonts, str]:
    fonts = typst.Fonts()
    there = set(fonts.families())
    for family in FONTS:
        if family in there:
            return fonts, family
    raise FontMissing(package=FONT_PACKAGE)


def font() -> str:
    """The font that documents are set in. Raises FontMissing."""
    return _fonts()[1]


def proof_url(settings: Settings, lot_id: int, place: Place) -> str:
    """The public page that compares an entry's seq and hash with the journal."""
    return settings.base_url.rstrip("/") + url(f"/lots/{lot_id}/verify", seq=place.seq, hash=place.hash)


def qr_code(text: str) -> str:
    """A QR code as SVG, readable when a quarter of it is under a stamp."""
    out = io.BytesIO()
    segno.make(text, error="q", micro=False).save(out, kind="svg", border=0, xmldecl=False, dark="#000")
    return out.getvalue().decode()


def document(facts: Facts, settings: Settings, key_id: str, language: str) -> dict[str, Any]:
    """Everything that the template sets, as plain JSON."""

    def say(key: str, **params: Any) -> str:
        return i18n.term(f"confirmation.{key}", language, params)

    lot, closing, terms = facts.lot, facts.closing, facts.lot.terms
    card, kind = lot.card, terms["organiser_type"]
    hammer = card.hammer_fen
    assert hammer is not None
    chinese = language == "zh-Hans"
    market = settings.name if chinese else settings.name_en
    organiser = facts.organiser or Party(market, "")
    alias = closing.data["winner"]
    link = proof_url(settings, card.id, closing)
    at = closing.at.astimezone(SHANGHAI)

    def named(party: Party) -> str:
        return (
            f"{party.name}\n{say('credit_code', code=party.credit_code)}" if party.credit_code else party.name
        )

    rows = [
        (say("lot"), card.title + (f"\n{lot.sale_title}" if lot.sale_title else "")),
        (say("number"), say("number_value", lot=card.id, seq=closing.seq)),
        (say(f"seller.{kind}"), named(facts.seller)),
        (say(f"winner.{kind}"), f"{named(facts.winner)}\n{say('bidder', n=alias)}"),
        (say(f"organiser.{kind}"), named(organiser)),
        (say("manner"), i18n.term(f"Format.{terms['format']}", language)),
        *_royalty(closing, say),
        (say("terms"), _terms_in_short(facts, say)),
        (say("opened_at"), say("beijing", at=local(card.opens_at, "%Y-%m-%d %H:%M:%S"))),
        (say("closed_at"), say("beijing", at=local(closing.at, "%Y-%m-%d %H:%M:%S"))),
    ]
    return {
        "lang": "zh" if chinese else "en",
        "region": "cn" if chinese else "gb",
        "font": [font()],
        "market": market,
        "title": say(f"title.{kind}"),
        "mark": say("demo") if settings.demo else "",
        "intro": say(f"intro.{kind}"),
        "rows": rows,
        "price": {
            "label": say("hammer"),
            "figures": money(hammer) if hammer % 100 else f"{money(hammer)}.00",
            "capital_label": say("capital"),
            "capital": capital_numerals(hammer),
        },
        "closing": say(f"duty.{kind}"),
        "signatures": [
            {"role": say(f"winner.{kind}"), "name": facts.winner.name},
            {"role": say(f"seller.{kind}"), "name": facts.seller.name},
            {"role": say(f"organiser.{kind}"), "name": organiser.name},
        ],
        "sign": {"seal": say("seal"), "signature": say("signature"), "date": say("date")},
        "proof": {
            "title": say("proof"),
            "text": say("proof_text"),
            "rows": [
                (say("seq"), str(closing.seq)),
                (say("hash"), closing.hash),
                (say("head_hash"), lot.head_hash),
                (say("terms_hash"), lot.terms_hash),
                (say("key_id"), key_id),
                *([(say("facts_hash"), facts.facts_hash)] if facts.facts_hash else []),
            ],
            "site": urlsplit(settings.base_url).netloc,
        },
        "qr": qr_code(link),
        "date": [at.year, at.month, at.day, at.hour, at.minute, at.second],
    }


def _royalty(closing: Place, say: Any) -> list[tuple[str, str]]:
    """What is paid beside the price, where the format has it: basis points as percent."""
    share = closing.data.get("detail", {}).get("royalty_bp")
    if share is None:
        return []
    return [(say("royalty"), say("percent", percent=f"{share // 100}.{share % 100:02d}"))]


def _terms_in_short(facts: Facts, say: Any) -> str:
    terms = facts.lot.terms
    reserve = facts.closing.data.get("reserve_fen")
    parts = [say("start", amount=money(terms["start_fen"]))]
    if RULES[terms["format"]].STEPS and len(terms["steps"]) == 1:
        parts.append(say("step", amount=money(terms["steps"][0][1])))
    if terms["deposit_fen"]:
        parts.append(say("deposit", amount=money(terms["deposit_fen"])))
    parts.append(say("no_reserve") if reserve is None else say("reserve", amount=money(reserve)))
    if terms["format"] != "sealed":
        parts.append(say("bids", n=facts.lot.card.bid_count))
    return say("joint", space=" ").join(parts)


def make(facts: Facts, settings: Settings, key_id: str, language: str) -> bytes:
    """The PDF. Raises FontMissing."""
    return typeset(TEMPLATE, document(facts, settings, key_id, language), facts.closing.at)


def typeset(template: Path, data: dict[str, Any], at: dt.datetime) -> bytes:
    """A template of `documents/` with its data as a PDF/A dated `at`. Raises FontMissing."""
    fonts, _ = _fonts()
    compiler = typst.Compiler(
        template,
        root=template.parent,
        font_paths=fonts,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
    )
    made = compiler.compile(format="pdf", pdf_standards="a-2u", timestamp=int(at.timestamp()))
    assert isinstance(made, bytes)
    return made
