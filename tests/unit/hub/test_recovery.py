"""Merging history with what was held back: without gap, without repeat, in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hub.builders import message
from tidings.hub.recovery import merge


def offsets(messages: list) -> list[int]:  # type: ignore[type-arg]
    return [int(m.data) for m in messages]


def test_what_is_in_both_comes_once() -> None:
    history, held = [message(1), message(2), message(3)], [message(2), message(3), message(4)]
    assert offsets(merge(history, held, after=0)) == [1, 2, 3, 4]


def test_what_was_given_already_does_not_come_again() -> None:
    assert offsets(merge([message(4), message(5)], [message(5), message(6)], after=5)) == [6]


def test_held_messages_at_or_below_the_start_are_dropped_when_there_is_no_history() -> None:
    assert offsets(merge([], [message(3), message(4)], after=3)) == [4]


def test_ephemeral_messages_keep_their_place() -> None:
    held = [message(3), message(90, kind="client"), message(4)]
    assert offsets(merge([message(2)], held, after=1)) == [2, 3, 90, 4]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_any_split_of_the_log_gives_everything_after_the_start_once(
    log: int, page_end: int, held_from: int, after: int
) -> None:
    page_end, held_from = min(page_end, log), min(held_from, page_end)  # held began before the page was read
    history = [message(n) for n in range(after + 1, page_end + 1)]
    held = [message(n) for n in range(held_from + 1, log + 1)]
    expected = list(range(after + 1, log + 1))
    assert offsets(merge(history, held, after=after)) == expected
