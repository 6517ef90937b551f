"""Receipts stand alone and cannot be bent."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auctions.receipts import Signer, generate_key, key_id, verify

SIGNER = Signer(bytes(range(32)))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 64, 100])
def test_every_receipt_of_a_batch_stands_alone(size: int) -> None:
    contents = [{"seq": n, "code": None, "说明": "出价"} for n in range(size)]
    signed = SIGNER.sign(contents)
    assert [verify(receipt, SIGNER.public_key) for receipt in signed] == contents
    assert len({receipt["signature"] for receipt in signed}) == 1
    assert all(len(receipt["path"]) <= size.bit_length() for receipt in signed)


def test_nothing_to_sign_is_nothing_signed() -> None:
    assert SIGNER.sign([]) == []


@given(
    place=st.integers(0, 4),
    bend=st.sampled_from(["content", "path", "side", "signature", "key", "missing", "junk"]),
)
def test_a_bent_receipt_is_refused(place: int, bend: str) -> None:
    receipt: Any = copy.deepcopy(SIGNER.sign([{"seq": n} for n in range(5)])[place])
    key = SIGNER.public_key
    if bend == "content":
        receipt["content"] = receipt["content"].replace(str(place), "9")
    elif bend == "path":
        receipt["path"][0][1] = "00" * 32
    elif bend == "side":
        receipt["path"][0][0] = "r" if receipt["path"][0][0] == "l" else "l"
    elif bend == "signature":
        receipt["signature"] = "A" + receipt["signature"][1:] if receipt["signature"][0] != "A" else "B"
    elif bend == "key":
        key = Signer(generate_key()).public_key
    elif bend == "missing":
        del receipt["path"]
    else:
        receipt = {"content": 3, "path": [[1]], "signature": None}
    assert verify(receipt, key) is None


def test_a_key_has_a_short_name() -> None:
    assert SIGNER.key_id == key_id(SIGNER.public_key)
    assert len(SIGNER.key_id) == 16
