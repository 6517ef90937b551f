"""The file: its lines, the hash chain over the stored bytes, and what was opened afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from auctions.checker.report import Report, Violation

BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError)
"""What reading something malformed may raise."""


def sha256(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def is_hash(text: Any) -> bool:
    """Whether something is a SHA-256 in lower-case hexadecimal."""
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")


def time(text: Any) -> datetime:
    """An instant. Raises ValueError for what is not one in UTC."""
    if not isinstance(text, str) or not text.endswith("Z"):
        raise ValueError("not an instant in UTC")
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)


def maybe_time(text: Any) -> datetime | None:
    """`time`, letting None through."""
    return None if text is None else time(text)


def whole(value: Any) -> int:
    """An integer. Raises TypeError for anything else, truth values too."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"not an integer: {value!r}")
    return value


def canonical(value: Any) -> bytes:
    """Canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass
class File:
    """A journal as read: the terms, the entries' bodies in order, and what was opened."""

    report: Report = field(default_factory=Report)
    terms: dict[str, Any] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    hashes: dict[int, str] = field(default_factory=dict)
    secrets: dict[int, dict[str, Any]] = field(default_factory=dict)
    openings: list[dict[str, Any]] = field(default_factory=list)
    _seq: int = 0
    _sealed: dict[int, Any] = field(default_factory=dict)

    def wrong(self, code: str, detail: str = "", seq: int | None = None) -> None:
        """Note a violation, of the present entry unless told otherwise."""
        self.report.violations.append(Violation(self._seq if seq is None else seq, code, detail))

    def read(self, lines: Iterable[str]) -> None:
        """Read every line; what is malformed is noted and left out."""
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
                {
                    "terms": self._terms,
                    "entry": self._entry,
                    "secret": self._secret,
                    "opening": self.openings.append,
                }[value["type"]](value)
            except BROKEN as error:
                self.wrong("line_malformed", f"line {number}: {error!r}")
        if not self.terms:
            self.wrong("no_terms", seq=0)

    def _terms(self, value: Mapping[str, Any]) -> None:
        if self.terms:
            self.wrong("line_malformed", "terms twice")
            return
        computed = sha256(value["terms"].encode())
        if computed != value["terms_hash"]:
            self.wrong("terms_hash", f"computed {computed}")
        self.terms = json.loads(value["terms"])
        self.report.head_hash = computed
        self.report.lot = value["lot"]

    def _entry(self, value: Mapping[str, Any]) -> None:
        if not self.terms:
            raise ValueError("an entry before the terms")
        seq = whole(value["seq"])
        if seq != self._seq + 1:
            self.wrong("seq_gap", f"{seq} after {self._seq}", seq)
        self._seq = seq
        computed = sha256(bytes.fromhex(self.report.head_hash) + value["body"].encode())
        if value["prev_hash"] != self.report.head_hash or value["hash"] != computed:
            self.wrong("broken_chain", f"computed {computed}")
        self.report.head_hash = self.hashes[seq] = value["hash"]
        self.report.entries += 1
        body = json.loads(value["body"])
        if body["seq"] != seq or body["lot"] != self.report.lot:
            self.wrong("body_mismatch")
        self._sealed[seq] = body.get("sealed")
        self.bodies.append({**body, "seq": seq})

    def _secret(self, value: Mapping[str, Any]) -> None:
        seq, text = whole(value["seq"]), value["text"]
        if self._sealed.get(seq) != sha256(text.encode()) or seq in self.secrets:
            self.wrong("secret_differs", seq=seq)
            return
        secret = json.loads(text)
        whole(secret["maximum_fen"])
        self.secrets[seq] = secret
