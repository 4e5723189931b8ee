"""The fuzz target's properties under hypothesis: random bytes, and JSON that nearly is a frame."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fuzz.fuzz_pusher import TARGETS, one_input, read_body, read_frame, read_published, read_user_data

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.sampled_from(
    ["pusher:subscribe", "pusher:unsubscribe", "pusher:ping", "pusher:pong", "pusher:signin", "client-a"]
)
CHANNELS = st.sampled_from(
    ["a", "private-a", "presence-a", "private-encrypted-a", "cache-a", "#a", "", "a b"]
)
PROOFS = st.sampled_from(["", "key:", "key:" + "0" * 64, ":", "other:ff", "\ud800"])
FIELDS = st.fixed_dictionaries(
    {},
    optional={"channel": CHANNELS | VALUES, "auth": PROOFS | VALUES, "channel_data": st.text() | VALUES},
)
FRAMES = st.fixed_dictionaries(
    {"event": EVENTS | VALUES},
    optional={"channel": CHANNELS | VALUES, "data": FIELDS | VALUES, "user_id": VALUES},
)
EVENT_BODIES = st.fixed_dictionaries(
    {},
    optional={
        name: st.text() | VALUES for name in ("name", "data", "channel", "channels", "socket_id", "info")
    },
)


def encoded(value: Any, *, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
@example(b'\x00{"event":"pusher:ping","data":\xed\xa0\x80}')
def test_bytes_are_understood_or_refused(data: bytes) -> None:
    one_input(data)


@settings(max_examples=400, deadline=None)
@given(FRAMES, st.booleans())
def test_frames_that_are_nearly_right_are_understood_or_refused(frame: Any, ascii_only: bool) -> None:
    read_frame(encoded(frame, ascii_only=ascii_only))


@settings(max_examples=200, deadline=None)
@given(VALUES, st.booleans())
def test_published_json_comes_back_exactly(value: Any, ascii_only: bool) -> None:
    read_published(encoded(value, ascii_only=ascii_only))


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENT_BODIES, max_size=3), st.booleans())
def test_bodies_that_are_nearly_right_are_understood_or_refused(batch: Any, ascii_only: bool) -> None:
    read_body(encoded({"batch": batch}, ascii_only=ascii_only))


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {}, optional={"id": VALUES, "user_info": VALUES, "watchlist": st.lists(VALUES) | VALUES}
    )
)
def test_user_data_that_is_nearly_right_is_understood_or_refused(value: Any) -> None:
    read_user_data(json.dumps(value))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '"' + '\\"' * 100_000, "9" * 100_000, "[" + "{}," * 50_000]
)
def test_bombs_are_refused_without_being_built(target: Any, text: str) -> None:
    target(text.encode())
