"""The socket's published schema."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from auctions import protocol

SERVER_TYPES = {
    "snapshot", "event", "events", "receipt", "refused", "you", "heartbeat", "pong", "watchers", "draining", "error",
}  # fmt: skip


def test_every_message_carries_version_and_type() -> None:
    schema = protocol.schema()
    assert set(schema["client"]["discriminator"]["mapping"]) == {"hello", "bid", "ping"}
    assert set(schema["server"]["discriminator"]["mapping"]) == SERVER_TYPES
    for side in ("client", "server"):
        for name, model in schema[side]["$defs"].items():
            if "type" in model.get("properties", {}):
                assert model["properties"]["v"]["const"] == 1, name
                assert model["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize(
    "text",
    [
        '{"v":1,"type":"bid","client_bid_id":"short","amount_fen":1}',
        '{"v":1,"type":"bid","client_bid_id":"bid-00001","amount_fen":0}',
        '{"v":1,"type":"bid","client_bid_id":"bid-00001","amount_fen":1.5}',
        '{"v":1,"type":"bid","client_bid_id":"bid 00001","amount_fen":1}',
        '{"v":1,"type":"bid","client_bid_id":"bid-00001","amount_fen":10000000000000000}',
        '{"v":1,"type":"hello","resume_after_seq":-1}',
        '{"v":1,"type":"nonsense"}',
        "[]",
    ],
)
def test_what_is_no_message(text: str) -> None:
    with pytest.raises(ValidationError):
        protocol.CLIENT.validate_json(text)


def test_close_codes_are_distinct_and_in_range() -> None:
    codes = [int(code) for code in protocol.CloseCode]
    assert len(set(codes)) == len(codes)
    assert all(code in (1011, 1012) or 4000 <= code < 5000 for code in codes)
