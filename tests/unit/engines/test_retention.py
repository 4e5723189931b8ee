"""Retention as a decision: which message is the newest that must go."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tidings.engines.retention import NEVER, Mark, due, is_over, raise_floor
from tidings.hub.channel import Retention

START = Mark(0, 0, 0)


def marks(*sizes: int, at: int = 0) -> list[Mark]:
    """Messages with offsets 10, 20, … of these sizes."""
    return [Mark(10 * (n + 1), n + 1, sum(sizes[: n + 1]), at) for n in range(len(sizes))]


def test_count_drops_the_oldest() -> None:
    found = marks(1, 1, 1, 1)
    assert raise_floor(found, START, found[-1], Retention(count=3), 0) is found[0]
    assert raise_floor(found, START, found[-1], Retention(count=4), 0) is START
    assert raise_floor(found, START, found[-1], Retention(count=0), 0) is found[-1]


def test_bytes_drop_the_oldest_but_never_the_newest() -> None:
    found = marks(5, 5, 5)
    assert raise_floor(found, START, found[-1], Retention(bytes=10), 0) is found[0]
    assert raise_floor(found, START, found[-1], Retention(bytes=1), 0) is found[1]


def test_age_drops_what_is_as_old_as_the_bound() -> None:
    found = [Mark(10, 1, 1, 1_000), Mark(20, 2, 2, 2_000)]
    assert raise_floor(found, START, found[-1], Retention(age=5), 6_000) is found[0]
    assert raise_floor(found, START, found[-1], Retention(age=5), 5_999) is START
    assert raise_floor(found, START, found[-1], Retention(age=5), 7_000) is found[1]


def test_due_is_the_moment_at_which_age_drops() -> None:
    assert due(1_000, Retention(age=5)) == 6_000
    assert due(1_000, Retention(age=math.inf)) == NEVER


def test_slack_allows_a_share_on_top_and_none_for_small_bounds() -> None:
    keep = Retention(count=32, bytes=10**9)
    assert not is_over(Mark(0, 34, 0), START, keep, slack=16)
    assert is_over(Mark(0, 35, 0), START, keep, slack=16)
    assert is_over(Mark(0, 33, 0), START, keep)
    assert is_over(Mark(0, 6, 0), START, Retention(count=5), slack=16)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 8), st.integers(0, 40))
def test_after_dropping_nothing_is_over(sizes: list[int], count: int, size: int) -> None:
    found, keep = marks(*sizes), Retention(count=count, bytes=size, age=math.inf)
    floor = raise_floor(found, START, found[-1], keep, 10)
    assert not is_over(found[-1], floor, keep)
    before = next((mark for mark in reversed(found) if mark < floor), START)
    assert floor is START or is_over(found[-1], before, keep)
