"""Receipts: the market's signed answer to a bid, accepted or refused.

One Ed25519 signature serves a whole batch: the answers of a batch are the leaves of a Merkle tree
(RFC 6962's hashing: 0x00 before a leaf, 0x01 before a node; an odd node moves up alone), the root is
signed, and each receipt carries its leaf and the way up. A receipt can therefore be checked alone,
with nothing but the public key; and an accepted one names a seq and hash that must be found in the
journal for ever.

A receipt is a JSON object: `v`, `content` (the leaf: canonical JSON text), `path`, `signature` (base64),
`key_id`. The path is base64 of steps of 33 bytes, from the leaf up: one byte that is 0 when the sibling
stands on the left and 1 when on the right, then the sibling's 32. The path of a lone leaf is empty.
"""

from __future__ import annotations

import base64
import binascii
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
VERSION = 2
_STEP = 33
_LEFT, _RIGHT = b"\x00", b"\x01"


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
            {"v": VERSION, "content": leaf, "path": path, "signature": signature, "key_id": self.key_id}
            for leaf, path in zip(leaves, paths, strict=True)
        ]


def key_id(public_key: bytes) -> str:
    """The short name of a public key (32 bytes)."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def verify(receipt: Mapping[str, Any], public_key: bytes) -> dict[str, Any] | None:
    """The content of a receipt, if the key signed it; None otherwise. Never raises for bad input."""
    try:
        node = _leaf(receipt["content"])
        path = base64.b64decode(receipt["path"], validate=True)
        for start in range(0, len(path), _STEP):
            side, sibling = path[start : start + 1], path[start + 1 : start + _STEP]
            if side not in (_LEFT, _RIGHT) or len(sibling) != _STEP - 1:
                return None
            node = _node(sibling, node) if side == _LEFT else _node(node, sibling)
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


def _tree(leaves: list[bytes]) -> tuple[list[str], bytes]:
    """The path of every leaf, in base64, and the root."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        level = levels[-1]
        above = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        levels.append(above if len(level) % 2 == 0 else [*above, level[-1]])
    paths = [""]
    for level in reversed(levels[:-1]):
        # From the root down: a node's path is the step over its sibling and then its parent's path. A step
        # is 33 bytes, 44 characters without padding, so the base64 of a whole level can be cut.
        text = binascii.b2a_base64(
            b"".join((_LEFT if place % 2 else _RIGHT) + level[place ^ 1] for place in _paired(level)),
            newline=False,
        ).decode()
        below = [text[44 * place : 44 * place + 44] + paths[place // 2] for place in _paired(level)]
        paths = below if len(level) % 2 == 0 else [*below, paths[-1]]
    return paths, levels[-1][0]


def _paired(level: list[bytes]) -> range:
    return range(len(level) - len(level) % 2)
