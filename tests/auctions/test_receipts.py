"""Receipts stand alone and cannot be bent."""

from __future__ import annotations

import base64
import copy
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auctions.receipts import Signer, _tree, generate_key, key_id, verify

SIGNER = Signer(bytes(range(32)))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 64, 100])
def test_every_receipt_of_a_batch_stands_alone(size: int) -> None:
    contents = [{"seq": n, "code": None, "说明": "出价"} for n in range(size)]
    signed = SIGNER.sign(contents)
    assert [verify(receipt, SIGNER.public_key) for receipt in signed] == contents
    assert len({receipt["signature"] for receipt in signed}) == 1
    assert all(len(receipt["path"]) <= 44 * size.bit_length() for receipt in signed)


@given(size=st.integers(1, 70))
def test_the_tree_is_that_of_rfc_6962(size: int) -> None:
    leaves = [hashlib.sha256(bytes([0, n])).digest() for n in range(size)]

    def root(nodes: list[bytes]) -> bytes:
        if len(nodes) == 1:
            return nodes[0]
        split = 1 << (len(nodes) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + root(nodes[:split]) + root(nodes[split:])).digest()

    assert _tree(leaves)[1] == root(leaves)


def test_nothing_to_sign_is_nothing_signed() -> None:
    assert SIGNER.sign([]) == []


@given(
    place=st.integers(0, 4),
    bend=st.sampled_from(
        ["content", "path", "side", "no such side", "shorter", "cut", "signature", "key", "missing", "junk"]
    ),
)
def test_a_bent_receipt_is_refused(place: int, bend: str) -> None:
    receipt: Any = copy.deepcopy(SIGNER.sign([{"seq": n} for n in range(5)])[place])
    key = SIGNER.public_key
    path = bytearray(base64.b64decode(receipt["path"]))
    if bend == "content":
        receipt["content"] = receipt["content"].replace(str(place), "9")
    elif bend == "path":
        path[1:33] = bytes(32)
    elif bend == "side":
        path[0] ^= 1
    elif bend == "no such side":
        path[0] += 2
    elif bend == "shorter":
        del path[:33]
    elif bend == "cut":
        del path[-1]
    elif bend == "signature":
        receipt["signature"] = "A" + receipt["signature"][1:] if receipt["signature"][0] != "A" else "B"
    elif bend == "key":
        key = Signer(generate_key()).public_key
    elif bend == "missing":
        del receipt["path"]
    else:
        receipt = {"content": 3, "path": [[1]], "signature": None}
    if "path" in receipt and isinstance(receipt["path"], str):
        receipt["path"] = base64.b64encode(path).decode()
    assert verify(receipt, key) is None


def test_a_key_has_a_short_name() -> None:
    assert SIGNER.key_id == key_id(SIGNER.public_key)
    assert len(SIGNER.key_id) == 16
