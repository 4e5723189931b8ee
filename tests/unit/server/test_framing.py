"""Frames and chunks, held against websockets' own and against HTTP's grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from tidings.server.framing import (
    ChunkFramer,
    PlainFramer,
    WebSocketFramer,
    close_frame,
    ping_frame,
    pong_frame,
    split_frames,
)

EDGES = (0, 1, 125, 126, 127, 65535, 65536, 70000)


@pytest.mark.parametrize("size", EDGES)
def test_a_text_frame_is_the_one_websockets_would_write(size: int) -> None:
    payload = b"x" * size
    assert WebSocketFramer().frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_pings_and_pongs_are_the_ones_websockets_would_write() -> None:
    assert ping_frame(b"a") == Frame(Opcode.PING, b"a").serialize(mask=False)
    assert pong_frame(b"b") == Frame(Opcode.PONG, b"b").serialize(mask=False)


def test_a_close_frame_holds_code_and_reason() -> None:
    assert close_frame(4000, "gone") == Frame(Opcode.CLOSE, b"\x0f\xa0gone").serialize(mask=False)


def test_a_long_reason_is_cut_between_characters() -> None:
    frame = close_frame(1000, "é" * 100)
    assert len(frame) <= 2 + 125
    assert frame[4:].decode() == "é" * 61


def test_a_chunk_tells_its_length_in_hexadecimal() -> None:
    assert ChunkFramer().frame(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_an_empty_payload_does_not_end_the_body() -> None:
    assert ChunkFramer().frame(b"") == b""


def test_plain_is_as_it_is() -> None:
    assert PlainFramer().frame(b"abc") == b"abc"


def test_framers_have_keys_of_their_own() -> None:
    keys = {WebSocketFramer.key, ChunkFramer.key, PlainFramer.key}
    assert len(keys) == 3


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_joined_frames_come_apart_as_they_were(messages: list[bytes]) -> None:
    joined = b"".join(WebSocketFramer().frame(payload) for payload in messages)
    assert split_frames(joined) == messages


@pytest.mark.parametrize("size", EDGES)
def test_frames_of_every_length_come_apart(size: int) -> None:
    assert split_frames(WebSocketFramer().frame(b"x" * size) * 2) == [b"x" * size] * 2
