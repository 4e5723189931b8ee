"""Idempotency keys: what tells a repeat from a reuse."""

from __future__ import annotations

import pytest

from tests.engines.harness import NEWS, SPORT, message
from tidings.engines.receipts import Receipt, check_key, digest
from tidings.errors import Refusal
from tidings.messages import Position


def test_the_digest_sees_channel_event_data_and_nothing_else() -> None:
    same = digest([message(NEWS, b"1")])
    assert same == digest([message(NEWS, b"1")])
    others = [
        [message(SPORT, b"1")],
        [message(NEWS, b"2")],
        [message(NEWS, b"1", event="e")],
        [message(NEWS, b"1"), message(NEWS, b"1")],
    ]
    assert same not in [digest(other) for other in others]


def test_the_digest_knows_where_one_field_ends() -> None:
    assert digest([message(NEWS, b"b", event="a")]) != digest([message(NEWS, b"", event="ab")])


def test_a_repeat_gets_the_first_positions() -> None:
    answer = Receipt(b"d", 5, 2).answer(b"d", "0000000a")
    assert answer.positions == (Position("0000000a", 5), Position("0000000a", 6))
    assert answer.repeated


def test_a_reuse_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        Receipt(b"d", 5, 2).answer(b"e", "0000000a")
    assert refused.value.name == "key_reused"


@pytest.mark.parametrize("key", [None, "a", "x" * 128, "with space ~"])
def test_allowed_keys(key: str | None) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["", "x" * 193, "tab\t", "\x7f", "\u00e9"])
def test_keys_that_are_not_allowed(key: str) -> None:
    with pytest.raises(Refusal):
        check_key(key)
