"""Atom feeds (RFC 4287) of what a search finds: built as a tree, so that no text can break the form."""

from __future__ import annotations

import datetime as dt
import hashlib
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response

from market.clock import UTC
from web.render import iso
from web.searching import storable

ATOM = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"
MINTED = "2026"
"""Year in which we held the host name: the date part of our tag URIs (RFC 4151). Never change it."""
NEVER = dt.datetime(1970, 1, 1, tzinfo=UTC)
"""When a feed without entries was last changed."""


@dataclass(frozen=True)
class FeedEntry:
    """One entry. `name` makes its id and never changes; `link` is absolute."""

    name: str
    title: str
    link: str
    author: str
    category: str
    summary: str
    published: dt.datetime
    updated: dt.datetime


@dataclass(frozen=True)
class Feed:
    """A feed. `name` makes its id: equal searches have equal ids. Links are absolute."""

    name: str
    title: str
    subtitle: str
    language: str
    publisher: str
    own_link: str
    page_link: str
    entries: tuple[FeedEntry, ...]

    @property
    def updated(self) -> dt.datetime:
        """When its newest change was made."""
        return max((entry.updated for entry in self.entries), default=NEVER)


def tag_uri(base_url: str, name: str) -> str:
    """A permanent identifier under the market's host (RFC 4151)."""
    return f"tag:{urlsplit(base_url).hostname},{MINTED}:{name}"


def document(feed: Feed, base_url: str) -> bytes:
    """The feed as XML. The same feed gives the same bytes."""
    ET.register_namespace("", ATOM)
    root = ET.Element(
        f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": _language_tag(feed.language)}
    )
    _text(root, "id", tag_uri(base_url, feed.name))
    _text(root, "title", feed.title)
    _text(root, "subtitle", feed.subtitle)
    _text(root, "updated", iso(feed.updated))
    _link(root, "self", feed.own_link, MEDIA_TYPE)
    _link(root, "alternate", feed.page_link, "text/html")
    _author(root, feed.publisher)
    for entry in feed.entries:
        node = ET.SubElement(root, f"{{{ATOM}}}entry")
        _text(node, "id", tag_uri(base_url, entry.name))
        _text(node, "title", entry.title)
        _text(node, "published", iso(entry.published))
        _text(node, "updated", iso(entry.updated))
        _link(node, "alternate", entry.link, "text/html")
        _author(node, entry.author)
        if entry.category:
            ET.SubElement(node, f"{{{ATOM}}}category", {"term": storable(entry.category)})
        _text(node, "summary", entry.summary)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def answer(feed: Feed, base_url: str, asked: Headers, lasts_s: int) -> Response:
    """The feed, or 304 for a reader that has it. Caches may keep it for `lasts_s` seconds."""
    body = document(feed, base_url)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": etag,
        "Last-Modified": format_datetime(feed.updated, usegmt=True),
        "Cache-Control": f"public, max-age={lasts_s}",
        "Vary": "Accept-Language, Cookie",
    }
    if _has(asked, etag, feed.updated):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=f"{MEDIA_TYPE}; charset=utf-8", headers=headers)


def _has(asked: Headers, etag: str, updated: dt.datetime) -> bool:
    """Whether the reader has what we would send (RFC 9110, section 13.2.2: the tag's word comes first)."""
    tags = asked.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    try:
        since = parsedate_to_datetime(asked.get("if-modified-since", ""))
    except (ValueError, OverflowError):
        return False
    return since.tzinfo is not None and updated.replace(microsecond=0) <= since


def _language_tag(language: str) -> str:
    return "zh-Hans-CN" if language == "zh-Hans" else language


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{ATOM}}}{name}").text = storable(text)


def _link(parent: ET.Element, relation: str, address: str, kind: str) -> None:
    ET.SubElement(parent, f"{{{ATOM}}}link", {"rel": relation, "type": kind, "href": address})


def _author(parent: ET.Element, name: str) -> None:
    ET.SubElement(ET.SubElement(parent, f"{{{ATOM}}}author"), f"{{{ATOM}}}name").text = storable(name)
