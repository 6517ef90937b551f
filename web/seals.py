"""Signatures over published figures, by the key that signs the market's receipts.

What is signed is a context of its own, so that no receipt passes for a figure, and the fingerprint in hex.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from auctions.receipts import key_id

CONTEXT = b"techmart figure v1\n"


class FigureSeal:
    """Signs fingerprints with a private key (32 bytes); used from any thread."""

    def __init__(self, private_key: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private_key)
        self.public_key = self._key.public_key().public_bytes_raw()
        self.key_id = key_id(self.public_key)

    def __call__(self, sha256: str) -> tuple[str, str]:
        """The signature over a fingerprint, base64, and the id of the key."""
        return base64.b64encode(self._key.sign(CONTEXT + sha256.encode("ascii"))).decode(), self.key_id


def verify(sha256: str, signature: str, public_key: bytes) -> bool:
    """Whether a key (32 bytes) signed a fingerprint. Never raises for bad input."""
    try:
        signed = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signed, CONTEXT + sha256.encode("ascii"))
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True
