"""Frames: `data` that is JSON twice over, the bounds of what is read, the frames of each kind of message."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import Refusal
from tidings.ids import ChannelName, UserId
from tidings.messages import Kind, Message, Position
from tidings.protocols.pusher.messages import (
    ENCODER,
    MAX_NUMBER,
    ClientFrame,
    MemberData,
    check_bounds,
    check_json,
    data_from_raw,
    data_from_text,
    make_frame,
    read_frame,
    read_json,
    stringified,
    text_of,
)


def message(data: bytes = b"{}", kind: Kind = "event", **fields: Any) -> Message:
    return Message(id="m1", channel=ChannelName("room"), event="said", data=data, time=0, kind=kind, **fields)


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


# ── text ↔ data

PUBLISHED = [
    "hello",
    '"hello"',
    ' "hello"',
    '"unclosed',
    "",
    " ",
    "null",
    "true",
    "1",
    "1e999",
    "-0.50",
    "9" * 100,
    '{"a": 1,  "b":[ ]}',
    ' {"a":1}\n',
    "{not json",
    '{"twice":1,"twice":2}',
    "ä €\u2028\x00\x7f",
    '"\\ud800"',
    "\\",
    "NaN",
    "\ufeff{}",
]


@pytest.mark.parametrize("text", PUBLISHED)
def test_clients_get_the_string_exactly_as_published(text: str) -> None:
    data = data_from_text(text)
    check_json(data)  # the other protocols embed it as it is
    assert json.loads(text_of(data)) == text


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    data = data_from_text(text)
    msgspec.json.decode(data)
    assert json.loads(text_of(data)) == text


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists))
def test_the_json_of_anything_but_a_string_is_kept_byte_for_byte(value: Any) -> None:
    text = json.dumps(value, indent=1)
    if isinstance(value, str):
        assert msgspec.json.decode(data_from_text(text)) == text
    elif text.count("[") <= 32:
        assert data_from_text(text) == text.encode()


def test_text_that_is_no_json_is_a_string_for_the_other_protocols() -> None:
    assert data_from_text("hello") == b'"hello"'
    assert data_from_text('"hello"') == b'"\\"hello\\""'


def test_a_data_field_may_be_a_string_or_any_other_value() -> None:
    assert data_from_raw(b'{"a":1}') == b'{"a":1}'
    assert data_from_raw(rb'"{\"a\": 1}"') == b'{"a": 1}'
    assert data_from_raw(b'"plain"') == b'"plain"'


def test_a_string_from_elsewhere_reaches_clients_as_its_text() -> None:
    assert text_of(b'"plain"') == b'"plain"'


# ── bounds


def test_nesting_is_allowed_up_to_the_limit_and_not_above() -> None:
    check_json(nested(32).encode())
    for text in (nested(33), nested(32_000), '{"a":' * 33 + "1" + "}" * 33):
        with pytest.raises(Refusal) as refused:
            check_json(text.encode())
        assert (refused.value.name, refused.value.limit) == ("too_deep", 32)


def test_brackets_within_strings_do_not_count() -> None:
    check_json(json.dumps("[" * 100).encode())
    check_json(json.dumps(['\\"' + "[" * 100, '"{']).encode())


def test_many_flat_brackets_are_not_deep() -> None:
    check_json(b"[" + b"[]," * 1000 + b"{}]")


def test_digits_are_allowed_up_to_the_limit_and_not_above() -> None:
    check_bounds(b"1" * MAX_NUMBER)
    check_json(json.dumps({"hash": "1" * 500}).encode())
    with pytest.raises(Refusal) as refused:
        check_json(b'{"n":' + b"1" * (MAX_NUMBER + 1) + b"}")
    assert refused.value.name == "bad_json"


def test_an_unclosed_string_full_of_quotes_is_scanned_once() -> None:
    hostile = b"[" * 40 + b'"' + b'\\"' * 500_000
    started = time.perf_counter()
    with pytest.raises(Refusal):
        check_bounds(hostile)
    check_bounds(b"[]" * 40 + b'"' + b'\\"' * 500_000)
    assert time.perf_counter() - started < 5  # quadratic scanning would take hours


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"nul", b"[1,]", b"NaN", b"Infinity", b"1e999", b"01", b'"\xff"', b'"\\ud800"', b'"\\udc00x"',
     b'"\xed\xa0\x80"', b'"\x01"', b"\xef\xbb\xbf{}", b"{}{}", b"{'a':1}"],
)  # fmt: skip
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        check_json(text)
    assert refused.value.name == "bad_json"


@pytest.mark.parametrize(
    "text",
    [
        '{"event":"a","event":"b"}',
        '{"event":"a","data":{"x":[{"y":1,"y":1}]}}',
        '{"event":"a","\\u0065vent":"b"}',
    ],
)
def test_an_object_that_names_a_field_twice_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="twice"):
        read_frame(text)


def test_a_frame_keeps_the_raw_bytes_of_its_data() -> None:
    frame = read_frame('{"event":"client-a","channel":"private-b","data": {"x" : 1.0}}')
    assert (frame.event, frame.channel, bytes(frame.data)) == ("client-a", "private-b", b'{"x" : 1.0}')


@pytest.mark.parametrize("text", ["[]", "1", "null", "{}", '{"event":1}', '{"event":"a","channel":7}'])
def test_json_of_another_shape_is_a_bad_message(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_json(text.encode(), ClientFrame)
    assert refused.value.name == "bad_message"


@pytest.mark.parametrize(
    "text", ['{"user_id":true}', '{"user_id":null}', '{"user_id":1.5}', '{"user_id":[]}']
)
def test_a_user_id_is_text_or_a_whole_number(text: str) -> None:
    with pytest.raises(Refusal, match="user_id"):
        read_json(text.encode(), MemberData)


# ── frames


def test_a_logged_message_carries_its_place() -> None:
    frame = ENCODER.encode(message(b'{"a": 1}', position=Position("1f2e3d4c", 7), previous=5))
    assert json.loads(frame) == {
        "event": "said",
        "channel": "room",
        "data": '{"a": 1}',
        "id": "m1",
        "position": "1f2e3d4c:7",
        "previous": 5,
    }


def test_the_first_message_of_a_channel_has_no_previous() -> None:
    assert json.loads(ENCODER.encode(message(position=Position("1f2e3d4c", 1))))["previous"] is None


def test_a_message_without_a_place_is_pushers_frame_and_nothing_more() -> None:
    assert ENCODER.encode(message()) == b'{"event":"said","channel":"room","data":"{}"}'


def test_a_client_event_names_its_sender_on_presence_channels_only() -> None:
    assert json.loads(ENCODER.encode(message(kind="client", user=UserId("7"))))["user_id"] == "7"
    assert "user_id" not in json.loads(ENCODER.encode(message(kind="client")))


def test_a_logged_event_names_no_sender() -> None:
    assert "user_id" not in json.loads(ENCODER.encode(message(user=UserId("7"))))


def test_joining_and_leaving_are_pushers_internal_events() -> None:
    joined = json.loads(ENCODER.encode(message(b'{"name":"Ada"}', "joined", user=UserId("7"))))
    left = json.loads(ENCODER.encode(message(b'{"name":"Ada"}', "left", user=UserId("7"))))
    assert joined["event"] == "pusher_internal:member_added"
    assert json.loads(joined["data"]) == {"user_id": "7", "user_info": {"name": "Ada"}}
    assert left["event"] == "pusher_internal:member_removed"
    assert json.loads(left["data"]) == {"user_id": "7"}


def test_all_sessions_share_one_group() -> None:
    assert ENCODER.key == "pusher"
    assert ENCODER.encode(message()) == ENCODER.encode(message())


def test_a_frame_without_a_channel_has_no_such_field() -> None:
    assert make_frame("a", stringified({"b": 1})) == rb'{"event":"a","data":"{\"b\":1}"}'
