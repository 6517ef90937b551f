"""One way of writing a thing down, so that its hash means something.

Canonical JSON here is: keys sorted, no spaces, UTF-8 without escapes beyond what JSON demands, no
floats. Instants are UTC with six decimals and a `Z`. Hashes are SHA-256 in lower-case hexadecimal.

Two encoders write it: orjson, five to ten times the faster, and the standard library's for what orjson
does not take (integers beyond 64 bits, string enumerations as keys). A test holds them to the same bytes.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import json
from typing import Any

import orjson

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode  # one encoder for all: making one costs more than most of our documents


def canonical(value: Any) -> str:
    """Canonical JSON text. Raises TypeError or ValueError for what has no single spelling.

    Floats are the exception: they are not looked for, because that would cost more than the encoding.
    No event, term or receipt has a field for one.
    """
    try:
        return orjson.dumps(value, option=_OPTIONS).decode()
    except orjson.JSONEncodeError:
        text = _encode(value)
    text.encode()  # half of a surrogate pair has no UTF-8: UnicodeEncodeError
    return text


def digest(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def link(prev_hash: str, body: str) -> str:
    """The hash of a journal entry: SHA-256 over the previous hash's bytes and the stored body's bytes."""
    return hashlib.sha256(bytes.fromhex(prev_hash) + body.encode()).hexdigest()


def commitment(nonce: str, value: str) -> str:
    """A promise that can be opened later: SHA-256 of `nonce:value`. The nonce keeps it from guessing."""
    return digest(f"{nonce}:{value}")


def iso(value: dt.datetime) -> str:
    """An instant as canonical text. Raises ValueError for a naive datetime."""
    if value.tzinfo is None:
        raise ValueError("naive datetime")
    return _utc_text(value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC))


@functools.lru_cache(1024)  # a batch writes the same few instants hundreds of times
def _utc_text(value: dt.datetime) -> str:
    # isoformat is ten times faster than strftime.
    return value.isoformat(timespec="microseconds")[:26] + "Z"


def instant(text: str) -> dt.datetime:
    """The instant that `iso` wrote. Raises ValueError for any other spelling."""
    if len(text) != 27 or text[26] != "Z":
        raise ValueError("not a canonical instant")
    return dt.datetime.fromisoformat(text[:26]).replace(tzinfo=dt.UTC)


def maybe_iso(value: dt.datetime | None) -> str | None:
    """`iso`, letting None through."""
    return None if value is None else iso(value)


def maybe_instant(text: str | None) -> dt.datetime | None:
    """`instant`, letting None through."""
    return None if text is None else instant(text)
