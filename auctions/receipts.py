"""Receipts: the market's signed answer to a bid, accepted or refused.

One Ed25519 signature serves a whole batch: the answers of a batch are the leaves of a Merkle tree
(RFC 6962's hashing: 0x00 before a leaf, 0x01 before a node; an odd node moves up alone), the root is
signed, and each receipt carries its leaf and the way up. A receipt can therefore be checked alone,
with nothing but the public key; and an accepted one names a seq and hash that must be found in the
journal for ever.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auctions.rules.canonical import canonical

CONTEXT = b"techmart bid receipts v1\n"
"""Signed before the root, so that no other signature by the same key can pass for a receipt's."""


def generate_key() -> bytes:
    """A new private key: 32 bytes, to be kept secret."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


class Signer:
    """Signs batches of answers with one private key (32 bytes). Used by the writer's thread alone."""

    def __init__(self, private_key: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private_key)
        self.public_key = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = key_id(self.public_key)

    def sign(self, contents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One receipt for each content, in order; the contents must be plain JSON."""
        if not contents:
            return []
        leaves = [canonical(content) for content in contents]
        paths, root = _tree([_leaf(leaf) for leaf in leaves])
        signature = base64.b64encode(self._key.sign(CONTEXT + root)).decode()
        return [
            {"v": 1, "content": leaf, "path": path, "signature": signature, "key_id": self.key_id}
            for leaf, path in zip(leaves, paths, strict=True)
        ]


def key_id(public_key: bytes) -> str:
    """The short name of a public key (32 bytes)."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def verify(receipt: Mapping[str, Any], public_key: bytes) -> dict[str, Any] | None:
    """The content of a receipt, if the key signed it; None otherwise. Never raises for bad input."""
    try:
        node = _leaf(receipt["content"])
        for side, sibling in receipt["path"]:
            other = bytes.fromhex(sibling)
            node = _node(other, node) if side == "l" else _node(node, other)
        signature = base64.b64decode(receipt["signature"], validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, CONTEXT + node)
        content = json.loads(receipt["content"])
    except (InvalidSignature, KeyError, ValueError, TypeError, AttributeError):
        return None
    return content if isinstance(content, dict) else None


def _leaf(text: str) -> bytes:
    return hashlib.sha256(b"\x00" + text.encode()).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _tree(level: list[bytes]) -> tuple[list[list[list[str]]], bytes]:
    paths: list[list[list[str]]] = [[] for _ in level]
    places = list(range(len(level)))
    while len(level) > 1:
        for leaf, place in enumerate(places):
            sibling = place ^ 1
            if sibling < len(level):
                paths[leaf].append(["l" if sibling < place else "r", level[sibling].hex()])
            places[leaf] = place // 2
        level = [
            _node(level[i], level[i + 1]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)
        ]
    return paths, level[0]
