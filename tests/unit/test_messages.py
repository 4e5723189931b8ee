"""Positions and cursors: opaque outside, exact inside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import Refusal
from tidings.ids import ChannelName
from tidings.messages import MAX_OFFSET, Message, Position, check_channel, check_event, encode_data
from tidings.protocols import queries
from tidings.protocols.pusher import names


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


def test_a_channel_that_no_listener_may_name_is_no_channel_to_send_to() -> None:
    """One alphabet: what a rule or a service may send to, every protocol may listen to."""
    for character in map(chr, range(0x250)):
        assert (check_channel(f"a{character}") is None) == (
            queries.CHANNEL_PATTERN.match(f"a{character}") is not None
        )
        assert (check_channel(f"a{character}") is None) == (
            names.CHANNEL_PATTERN.match(f"a{character}") is not None
        )


@pytest.mark.parametrize("channel", ["a", "project-42", "private-x_y=@,.;", "x" * 200])
def test_channels_that_may_be(channel: str) -> None:
    assert check_channel(channel) is None


@pytest.mark.parametrize("channel", ["", "a b", "é", "a*", "a\n", "x" * 201, "a/b", "realtime:room"])
def test_channels_that_may_not_be(channel: str) -> None:
    told = check_channel(channel)
    assert told is not None
    assert channel not in told or not channel  # what a row holds does not belong in a log


@pytest.mark.parametrize(
    "event", ["", "e" * 201, "a\tb", "pusher:a", "pusher_internal:a", "client-a", "phx_reply"]
)
def test_events_that_may_not_be(event: str) -> None:
    assert check_event(event) is not None
    assert check_event("task-created") is None


class Model:
    """A model of somebody's library, by shape."""

    def model_dump_json(self) -> str:
        return '{"id":7}'


def test_data_is_anything_that_json_can_hold_and_models_write_themselves() -> None:
    assert encode_data({"task": Model(), "n": None}) == b'{"task":{"id":7},"n":null}'
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        encode_data({"task": object()})
