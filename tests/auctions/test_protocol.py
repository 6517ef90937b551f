"""The socket's published schema."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from auctions import protocol
from auctions.answers import Answer
from auctions.room import answer_message, answer_text
from market.money import MAX_FEN

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


PLAIN = '{"v":1,"type":"bid","client_bid_id":"bid-00001","amount_fen":%s}'


@given(
    st.one_of(
        st.from_regex(protocol._PLAIN_BID, fullmatch=True),
        st.builds(
            lambda head, id_, amount, tail: (
                f'{head}"type":"bid","client_bid_id":"{id_}","amount_fen":{amount}{tail}'
            ),
            st.sampled_from(["{", '{"v":1,', '{"v":2,', '{"v": 1,', '{"v":1,"v":1,', '{"act":"bid",']),
            st.text(st.sampled_from('aZ9_-ä\\"٣\n'), min_size=6, max_size=66),
            st.one_of(st.integers(-2, 10**19), st.sampled_from(["01", "1.0", "1e3", "null", '"1"', "٣"])),
            st.sampled_from(["}", " }", "}\n", ',"act":"bid"}', ',"extra":{}}', ',"amount_fen":2}']),
        ),
    )
)
@example(PLAIN % MAX_FEN)
@example(PLAIN % (MAX_FEN + 1))
def test_a_plain_bid_is_read_as_the_model_reads_it(text: str) -> None:
    plain = protocol.plain_bid(text)
    if plain is not None:
        assert protocol.CLIENT.validate_json(text) == protocol.Bid(
            client_bid_id=plain.client_bid_id, amount_fen=plain.amount_fen
        )


def test_a_plain_bid_is_known_as_one() -> None:
    assert protocol.plain_bid(PLAIN % MAX_FEN) == ("bid-00001", MAX_FEN)
    assert protocol.plain_bid(PLAIN % 1) == ("bid-00001", 1)
    assert protocol.plain_bid(PLAIN.replace('"v":1,', "") % 7) == ("bid-00001", 7)
    for text in (
        PLAIN % 0,
        PLAIN % (MAX_FEN + 1),
        PLAIN % "1 ",
        PLAIN % 1 + " ",
        PLAIN.replace("bid-00001", "a" * 65) % 1,
    ):
        assert protocol.plain_bid(text) is None


def test_an_answer_is_written_as_its_model_is() -> None:
    receipt = {"v": 2, "content": '{"价":"¥"}', "path": "", "signature": "s", "key_id": "k"}
    for answer in (
        Answer(3, True, 9, "a" * 64, receipt=receipt),
        Answer(3, False, 9, "a" * 64, "bid_too_low", {"minimum_fen": 10**15}, receipt),
        Answer(3, False, 0, "", "no_such_lot"),
    ):
        at = "2026-03-02T02:00:00.000000Z"
        assert answer_text("bid-00001", answer, at) == protocol.encode(
            answer_message("bid-00001", answer, at)
        )


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
