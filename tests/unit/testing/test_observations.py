"""Histories survive being written to a file and read again, and their lines can be read by a person."""

from __future__ import annotations

import msgspec
import pytest

from tidings.testing.observations import (
    Acknowledged,
    AnyObservation,
    Attempted,
    Connected,
    Delivered,
    Disconnected,
    Finished,
    Repeated,
    Reset,
    Subscribed,
    decode_lines,
    encode,
)

EVERY_KIND: list[AnyObservation] = [
    Subscribed(0.5, "c1", ("a", "b"), "e1", 7),
    Connected(0.6, "c1"),
    Attempted(1.0, "k1", "a", "m1"),
    Acknowledged(1.1, "k1", "e1", 8),
    Delivered(1.2, "c1", "a", "id1", "m1", "e1", 8, 7),
    Repeated(1.3, "c1", "a", "m1"),
    Reset(1.4, "c1", ("b",), "floor", "e1", 9),
    Disconnected(1.5, "c1"),
    Finished(1.6, "c1"),
]


def test_every_kind_survives_the_file() -> None:
    lines = [encode(observation) for observation in EVERY_KIND]
    assert decode_lines(lines) == EVERY_KIND
    assert decode_lines(b"".join(lines)) == EVERY_KIND


def test_a_line_names_what_happened() -> None:
    assert encode(Finished(2.0, "c1")) == b'{"op":"finished","at":2.0,"client":"c1"}\n'


def test_a_stranger_in_the_file_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_lines(b'{"op":"imagined","at":1}\n')
