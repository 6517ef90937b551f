"""Hashing passwords with Argon2.

It takes tens of milliseconds and 64 MiB on purpose, so it never happens while a write transaction is
open, and at most a few happen at a time.
"""

from __future__ import annotations

import functools
import secrets
import threading

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError

UNUSABLE = "!"
"""Stored for a person who has not chosen a password yet; nothing matches it."""

_hasher = PasswordHash.recommended()
_at_a_time = threading.BoundedSemaphore(4)


def hash_password(password: str) -> str:
    """What is stored of a password."""
    with _at_a_time:
        return _hasher.hash(password)


@functools.cache
def _decoy() -> str:
    return hash_password(secrets.token_urlsafe())


def verify(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether a password matches, and a newer hash to store when the stored one has grown weak.

    Nobody's password (None) takes as long as somebody's, so that time does not tell who has an account.
    """
    decoy = _decoy()
    known = stored is not None and stored != UNUSABLE
    with _at_a_time:
        try:
            matches, newer = _hasher.verify_and_update(password, stored if known else decoy)  # type: ignore[arg-type]
        except UnknownHashError:
            return False, None
    return (matches, newer) if known else (False, None)
