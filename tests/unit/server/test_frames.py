"""The reader of client frames: RFC 6455 clause by clause, and side by side with websockets' own parser."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side

from tests.fixtures.fix_server import client_frame
from tidings.server.frames import Event, FrameError, FrameReader

LIMIT = 1000
FRAGMENTS = 4


def read(data: bytes, *, step: int | None = None) -> tuple[list[Event], int | None]:
    """Feed all, in steps of `step` bytes; the events, and the close code it failed with."""
    reader = FrameReader(LIMIT, FRAGMENTS)
    events: list[Event] = []
    try:
        for at in range(0, len(data), step or max(len(data), 1)):
            events.extend(reader.feed(data[at : at + (step or len(data))]))
    except FrameError as error:
        return events, error.code
    return events, None


@pytest.mark.parametrize("step", [None, 1, 2, 3, 7])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 300, LIMIT])
def test_a_text_comes_whole_however_it_is_cut(size: int, step: int | None) -> None:
    assert read(client_frame(1, b"x" * size), step=step) == ([(1, "x" * size)], None)


@pytest.mark.parametrize("step", [None, 1, 5])
def test_fragments_are_joined_and_control_frames_come_between(step: int | None) -> None:
    data = (
        client_frame(1, "grü".encode()[:3], fin=False)
        + client_frame(9, b"ping")
        + client_frame(0, "grü".encode()[3:], fin=False)
        + client_frame(0, b"ss")
        + client_frame(2, b"\x00\xff")
    )
    assert read(data, step=step) == ([(9, b"ping"), (1, "grüss"), (2, b"\x00\xff")], None)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(1, b"a", masked=False), 1002),
        (client_frame(1, b"a", rsv=4), 1002),
        (client_frame(1, b"a", rsv=2), 1002),
        (client_frame(1, b"a", rsv=1), 1002),
        (client_frame(3, b"a"), 1002),
        (client_frame(7), 1002),
        (client_frame(11), 1002),
        (client_frame(15), 1002),
        (client_frame(9, b"x" * 126), 1002),
        (client_frame(8, b"x" * 126), 1002),
        (client_frame(9, b"x", fin=False), 1002),
        (client_frame(0, b"x"), 1002),
        (client_frame(1, b"x", fin=False) + client_frame(1, b"y"), 1002),
        (client_frame(8, b"\x03"), 1002),
        (client_frame(8, b"\x03\xec"), 1002),
        (client_frame(8, b"\x03\xee"), 1002),
        (client_frame(8, b"\x00\x00"), 1002),
        (client_frame(8, b"\x13\x88"), 1002),
        (client_frame(8, b"\x03\xe8\xff"), 1007),
        (client_frame(1, b"\xff"), 1007),
        (client_frame(1, b"\xed\xa0\x80"), 1007),
        (client_frame(1, b"\xe2\x82"), 1007),
        (client_frame(1, b"\xe2\x82", fin=False) + client_frame(0, b""), 1007),
        (client_frame(1, b"x" * (LIMIT + 1)), 1009),
        (client_frame(2, b"x" * LIMIT, fin=False) + client_frame(0, b"y"), 1009),
        (client_frame(1, b"", fin=False) + client_frame(0, b"", fin=False) * 3 + client_frame(0), 1009),
    ],
)
@pytest.mark.parametrize("step", [None, 1])
def test_a_broken_rule_has_its_close_code(data: bytes, code: int, step: int | None) -> None:
    assert read(data, step=step) == ([], code)


@pytest.mark.parametrize("length", [2**31, 2**32, 2**62, 2**63, 2**64 - 1])
def test_an_announced_length_is_refused_before_a_byte_of_it_came(length: int) -> None:
    assert read(b"\x82\xff" + length.to_bytes(8, "big")) == ([], 1009)


def test_bad_text_is_noticed_before_its_frame_is_whole() -> None:
    frame = client_frame(1, b"ok\xff" + b"x" * 100)
    assert read(frame[:12]) == ([], 1007)


def test_what_came_before_the_fault_is_still_given() -> None:
    assert read(client_frame(1, b"a") + client_frame(3)) == ([(1, "a")], 1002)


def test_a_message_of_as_many_fragments_as_allowed_is_read() -> None:
    data = client_frame(1, b"a", fin=False) + client_frame(0, b"b", fin=False) * 2 + client_frame(0, b"c")
    assert read(data) == ([(1, "abbc")], None)


def test_a_frame_in_single_bytes_pins_its_payload_and_little_more() -> None:
    reader = FrameReader(1 << 20, 4)
    frame = client_frame(2, b"x" * 50_000)
    for at in range(len(frame) - 1):
        assert not list(reader.feed(frame[at : at + 1]))
    assert reader._message is not None
    assert reader._message.__sizeof__() < 70_000
    assert list(reader.feed(frame[-1:])) == [(2, b"x" * 50_000)]


def theirs(data: bytes) -> tuple[list[tuple[int, bytes]], int | None]:
    """What websockets reads: frames, and its close code."""
    protocol = Protocol(Side.SERVER, max_size=LIMIT)
    protocol.receive_data(data)
    frames = [frame for frame in protocol.events_received() if isinstance(frame, TheirFrame)]
    code = protocol.close_sent.code if protocol.parser_exc and protocol.close_sent else None
    return [(int(frame.opcode), bytes(frame.data)) for frame in frames], code


pieces = st.tuples(
    st.sampled_from([0, 1, 1, 2, 8, 9, 10, 3]),
    st.one_of(st.binary(max_size=140), st.text(max_size=40).map(str.encode)),
    st.booleans(),
    st.sampled_from([0, 0, 0, 0, 0, 0, 4]),
    st.sampled_from([True, True, True, True, False]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=6), st.integers(1, 50))
def test_side_by_side_with_websockets(frames: list[tuple[int, bytes, bool, int, bool]], step: int) -> None:
    """Same verdict on every sequence; where texts are bad ours speaks up, theirs leaves that to the caller."""
    data = b"".join(client_frame(op, p, fin=fin, rsv=rsv, masked=m) for op, p, fin, rsv, m in frames)
    events, code = read(data, step=step)
    expected, their_code = theirs(data)
    controls = [(op, payload) for op, payload in events if op >= 8]
    if code == 1007:
        return
    if (8 in [op for op, _ in controls]) or (8 in [op for op, _ in expected]):
        return
    if code == 1009:
        return
    assert code == their_code
    assert controls == [(op, payload) for op, payload in expected if op >= 8]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(1, 64))
def test_no_bytes_whatever_raise_anything_but_a_frame_error(data: bytes, step: int) -> None:
    read(data, step=step)


def test_mutated_conversations_raise_nothing_but_frame_errors() -> None:
    rng = random.Random(7)
    clean = b"".join(client_frame(Opcode.TEXT, b"hello %d" % at) for at in range(20))
    for _ in range(2000):
        data = bytearray(clean)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        read(bytes(data), step=rng.choice([None, 1, 3, 17]))
