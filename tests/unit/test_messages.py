"""Positions and cursors: opaque outside, exact inside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import Refusal
from tidings.ids import ChannelName
from tidings.messages import MAX_OFFSET, Message, Position


@given(st.text("0123456789abcdef", min_size=8, max_size=8), st.integers(0, MAX_OFFSET))
def test_a_cursor_comes_back_as_the_same_position(epoch: str, offset: int) -> None:
    position = Position(epoch, offset)
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "0a1b2c3d", "0a1b2c3d:", ":1", "0a1b2c3d:-1", "0a1b2c3d:01", "0A1B2C3D:1", "0a1b2c3d:1\n", "0a1b2c3d:1:2",
     "0a1b2c3d:" + "9" * 19, "0a1b2c3d:" + "9" * 400, "0a1b2c3d: 1", "0a1b2c3d:\u0661", "\ud800"],
)  # fmt: skip
def test_what_we_never_wrote_is_refused_with_its_form(cursor: str) -> None:
    with pytest.raises(Refusal, match="looks like"):
        Position.parse(cursor)


def test_positions_of_one_epoch_are_ordered_by_offset() -> None:
    assert Position("aaaaaaaa", 2) < Position("aaaaaaaa", 10)


@pytest.mark.parametrize(
    ("kind", "ephemeral"), [("event", False), ("client", True), ("joined", True), ("left", True)]
)
def test_only_events_are_logged(kind: str, ephemeral: bool) -> None:
    message = Message(id="1", channel=ChannelName("a"), event="e", data=b"1", time=0, kind=kind)  # type: ignore[arg-type]
    assert message.ephemeral is ephemeral
