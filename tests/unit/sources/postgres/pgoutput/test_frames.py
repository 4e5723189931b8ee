"""Replication frames, and positions in the log as text."""

from __future__ import annotations

from contextlib import suppress
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.sources.postgres.pgoutput.frames import (
    Keepalive,
    XLogData,
    format_lsn,
    parse_lsn,
    read_frame,
    status,
)
from tidings.sources.postgres.pgoutput.messages import DecodeError
from tidings.sources.postgres.pgoutput.wire import EPOCH_MS

DATA = b"w" + pack(">QQq", 1, 2, 3_999) + b"payload"
KEEPALIVE = b"k" + pack(">QqB", 1, 2_000, 1)


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_data_is_read(kind: type[bytes]) -> None:
    frame = read_frame(kind(DATA))
    assert frame == XLogData(1, 2, EPOCH_MS + 3, b"payload")
    assert isinstance(frame, XLogData)
    assert type(frame.payload) is bytes


@pytest.mark.parametrize("asked", [False, True])
def test_a_keepalive_may_ask_for_an_answer(asked: bool) -> None:
    assert read_frame(KEEPALIVE[:-1] + bytes([asked])) == Keepalive(1, EPOCH_MS + 2, asked)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        *(DATA[:end] for end in range(1, 25)),
        *(KEEPALIVE[:end] for end in range(1, 18)),
        KEEPALIVE + b"\0",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        read_frame(data)


@given(st.binary(max_size=40))
def test_made_up_frames_are_read_or_refused(data: bytes) -> None:
    with suppress(DecodeError):
        assert isinstance(read_frame(data), XLogData | Keepalive)


@pytest.mark.parametrize("now", [False, True])
def test_status_says_how_far_we_are(now: bool) -> None:
    frame = status(1, 2, 3, EPOCH_MS + 5, reply_now=now)
    assert unpack(">cQQQqB", frame) == (b"r", 1, 2, 3, 5_000, now)


@pytest.mark.parametrize(
    ("text", "lsn"),
    [
        ("0/0", 0),
        ("0/16B3748", 0x16B3748),
        ("16/B374D848", 0x16B374D848),
        ("FFFFFFFF/FFFFFFFF", 2**64 - 1),
    ],
)
def test_positions_as_text(text: str, lsn: int) -> None:
    assert parse_lsn(text) == lsn
    assert format_lsn(lsn) == text


@given(st.integers(0, 2**64 - 1))
def test_positions_come_back(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


@pytest.mark.parametrize(
    "text", ["", "0", "0/", "/0", "0/123456789", "0x1/2", "g/0", "0/0\n", " 0/0", "\u0661/0"]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        parse_lsn(text)
