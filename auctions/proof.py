"""Receipts beside a journal: what the command `market verify` and the public pages share.

A receipt is judged in two steps. `open_receipt` looks at it alone: is it one, and did the key sign it?
`judge` then looks for what it cites in a journal, of which only the cited places are needed: collected
while the journal streams by (`Places.passing`), or read by their keys. The rules of the journal itself are
`auctions.verify`'s, which shares no code with the engine.
"""

from __future__ import annotations

import base64
import binascii
import enum
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from auctions import receipts
from auctions.verify import Report, Violation, verify_lines


class ReceiptFinding(enum.StrEnum):
    """What is wrong with a receipt."""

    NOT_A_RECEIPT = "not_a_receipt"
    """Not the shape of one."""
    OTHER_KEY = "other_key"
    """It names another key than the one given."""
    BAD_SIGNATURE = "bad_signature"
    """The key did not sign this content: something was changed."""
    OTHER_LOT = "other_lot"
    """It is about another lot than the journal."""
    MISSING = "missing"
    """An accepted bid's entry, by its seq and hash, is not in the journal."""
    OTHER_BID = "other_bid"
    """The entry is there but tells of another bidder, amount or time."""
    UNKNOWN_HEAD = "unknown_head"
    """A refusal's hash is no entry of the journal."""
    UNKNOWN_RULE = "unknown_rule"
    """A refusal cites an entry that is not there, or that came later."""


class NotReceipts(ValueError):
    """A text in which no receipts can be found."""


def parse_key(text: str) -> bytes:
    """A public key from its base64 text. Raises ValueError for what is not 32 bytes."""
    try:
        key = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ValueError("not an Ed25519 public key")
    return key


def read_receipts(text: str) -> list[Any]:
    """The receipts in a text: one JSON object, a list of them, or one object a line.

    An answer or a frame that carries its receipt inside counts too. Raises NotReceipts.
    """
    text = text.strip().removeprefix("\ufeff")
    if not text:
        raise NotReceipts
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            whole = [orjson.loads(line) for line in text.splitlines() if line.strip()]
        except orjson.JSONDecodeError as error:
            raise NotReceipts from error
    found = whole if isinstance(whole, list) else [whole]
    if not found:
        raise NotReceipts
    return [bare(item) for item in found]


def bare(value: Any) -> Any:
    """The receipt itself, out of an answer or a frame that carries it."""
    return value["receipt"] if isinstance(value, dict) and isinstance(value.get("receipt"), dict) else value


@dataclass
class Opened:
    """A receipt looked at alone. `signed` is None where no key was given; `content` None for no receipt."""

    content: Mapping[str, Any] | None
    signed: bool | None
    findings: list[ReceiptFinding] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def open_receipt(receipt: Any, public_key: bytes | None) -> Opened:
    """Look at a receipt alone. Never raises, whatever it is given."""
    content = _content(receipt)
    if content is None:
        return Opened(None, None, [ReceiptFinding.NOT_A_RECEIPT])
    if public_key is None:
        return Opened(content, None)
    if receipts.verify(receipt, public_key) is not None:
        return Opened(content, True)
    named = receipt.get("key_id")
    other = isinstance(named, str) and named != receipts.key_id(public_key)
    return Opened(content, False, [ReceiptFinding.OTHER_KEY if other else ReceiptFinding.BAD_SIGNATURE])


_SHAPE: dict[str, type] = {"lot_id": int, "seq": int, "hash": str, "accepted": bool}


def _content(receipt: Any) -> Mapping[str, Any] | None:
    if not isinstance(receipt, dict) or not isinstance(receipt.get("content"), str):
        return None
    try:
        content = orjson.loads(receipt["content"])
    except orjson.JSONDecodeError:
        return None
    if not isinstance(content, dict):
        return None
    right = all(type(content.get(name)) is kind for name, kind in _SHAPE.items())
    return content if right else None


@dataclass
class Places:
    """The places of a journal that receipts cite: seq → (hash, body), and hash → seq."""

    lot_id: int | None = None
    by_seq: dict[int, tuple[str, str]] = field(default_factory=dict)
    by_hash: dict[str, int] = field(default_factory=dict)

    def passing(self, lines: Iterable[str], cited: Collection[Mapping[str, Any]]) -> Iterator[str]:
        """The lines, unchanged, noting the places that contents cite as they pass."""
        seqs = {content["seq"] for content in cited}
        hashes = {content["hash"] for content in cited}
        for line in lines:
            if cited:
                self._note(line, seqs, hashes)
            yield line

    def _note(self, line: str, seqs: Collection[int], hashes: Collection[str]) -> None:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            return
        if not isinstance(value, dict):
            return
        if value.get("type") == "terms" and isinstance(value.get("lot"), int):
            self.lot_id = value["lot"]
        seq, digest, body = value.get("seq"), value.get("hash"), value.get("body")
        if isinstance(seq, int) and isinstance(digest, str) and isinstance(body, str):
            self.add(seq, digest, body, seqs, hashes)

    def add(self, seq: int, digest: str, body: str, seqs: Collection[int], hashes: Collection[str]) -> None:
        """Note an entry, if one of the receipts cites it."""
        if seq in seqs:
            self.by_seq[seq] = (digest, body)
        if digest in hashes:
            self.by_hash[digest] = seq


def judge(opened: Opened, places: Places) -> None:
    """Add to a receipt's findings what the journal says against it."""
    content = opened.content
    if content is None:
        return
    if places.lot_id != content["lot_id"]:
        opened.findings.append(ReceiptFinding.OTHER_LOT)
        return
    cited = places.by_seq.get(content["seq"])
    if content["accepted"]:
        if cited is None or cited[0] != content["hash"]:
            opened.findings.append(ReceiptFinding.MISSING)
        elif not _same_bid(content, cited[1]):
            opened.findings.append(ReceiptFinding.OTHER_BID)
        return
    head = places.by_hash.get(content["hash"])
    if head is None:
        opened.findings.append(ReceiptFinding.UNKNOWN_HEAD)
    if cited is None or (head is not None and content["seq"] > head):
        opened.findings.append(ReceiptFinding.UNKNOWN_RULE)


def _same_bid(content: Mapping[str, Any], body: str) -> bool:
    """Whether an entry and a receipt agree in what both tell.

    A maximum and the price that it led to are two amounts, and an envelope's entry tells none.
    """
    names = (
        ["alias", "received_at"]
        if content.get("act") == "maximum"
        else ["alias", "received_at", "amount_fen"]
    )
    try:
        entry = json.loads(body)
        told = {name: entry[name] for name in names if name in entry}
    except (ValueError, TypeError):
        return False
    return all(
        value is None or content.get(name) is None or content[name] == value for name, value in told.items()
    )


def check(lines: Iterable[str], opened: Sequence[Opened] = ()) -> tuple[Report, Places]:
    """Check a journal as it streams, noting what receipts cite of it; `judge` comes after.

    Never raises for what the lines hold; what breaks the checker itself is the violation `unreadable`.
    """
    places = Places()
    lines = places.passing(lines, [one.content for one in opened if one.content is not None])
    try:
        return verify_lines(lines), places
    except (ArithmeticError, LookupError, RecursionError) as error:
        # Made to break it: a step of nothing, nesting without end.
        report = Report()
        report.violations.append(Violation(0, "unreadable", type(error).__name__))
        return report, places
