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


def test_messages_are_written_as_their_models_are() -> None:
    at = "2026-03-02T02:00:00.000000Z"
    receipt = {"content": '{"价":"¥"}', "path": [["left", "a" * 64]], "signature": "s"}
    for message in (
        protocol.You(alias=None, can_bid=False, reason="sign_in_required"),
        protocol.Heartbeat(seq=9, hash="a" * 64, watchers=5000, server_time=at),
        protocol.Pong(sent=1234.5, server_time=at),
        protocol.Error(code="bad_message"),
        protocol.Refused(
            client_bid_id="bid-00001", code="bid_too_low", params={"minimum_fen": 10**15}, server_time=at
        ),
        protocol.Receipt(
            client_bid_id="bid-00001", seq=9, hash="a" * 64, signature="s", receipt=receipt, server_time=at
        ),
    ):
        assert protocol.encode(message) == message.model_dump_json()
