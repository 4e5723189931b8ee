"""Pages: what the cursor alone decides, how gaps are remembered, where a page ends."""

from __future__ import annotations

import pytest

from tests.engines.harness import NEWS, SPORT, message
from tidings.engines.base import Page
from tidings.engines.pages import GAPS_MAX, Gap, add_gap, fill, quick_page, reset_reason
from tidings.ids import ChannelName
from tidings.messages import Position

HEAD = Position("0000000a", 7)


@pytest.mark.parametrize(
    ("after", "reason"), [(Position("0000000b", 7), "epoch"), (Position("0000000a", 8), "ahead")]
)
def test_a_cursor_from_elsewhere_resets_every_channel(after: Position, reason: str) -> None:
    assert quick_page([NEWS, SPORT], after, HEAD) == Page(head=HEAD, resets={NEWS: reason, SPORT: reason})


def test_a_cursor_at_the_head_needs_no_log() -> None:
    assert quick_page([NEWS], HEAD, HEAD) == Page(head=HEAD)
    assert quick_page([NEWS], Position("0000000a", 6), HEAD) is None


def test_the_floor_speaks_before_the_gaps() -> None:
    gaps = [Gap(5, "n*", "source")]
    assert reset_reason(NEWS, 2, 3, gaps) == "retention"
    assert reset_reason(NEWS, 3, 3, gaps) == "source"
    assert reset_reason(NEWS, 5, 3, gaps) is None
    assert reset_reason(SPORT, 3, 3, gaps) is None


def test_a_page_takes_at_least_one_and_says_whether_it_took_all() -> None:
    some = [message(NEWS, b"12345") for _ in range(3)]
    assert fill(some, 3, 15) == (tuple(some), True)
    assert fill(some, 2, 99) == (tuple(some[:2]), False)
    assert fill(some, 9, 14) == (tuple(some[:2]), False)
    assert fill(some, 0, 0) == (tuple(some[:1]), False)
    assert fill([], 1, 1) == ((), True)


def test_a_newer_gap_of_the_same_pattern_covers_the_older() -> None:
    assert add_gap([Gap(1, "a", "source"), Gap(2, "b", "source")], Gap(3, "a", "source")) == [
        Gap(2, "b", "source"),
        Gap(3, "a", "source"),
    ]


def test_the_two_oldest_gaps_become_one_that_covers_both() -> None:
    gaps: list[Gap] = []
    for number in range(1, 200):
        gaps = add_gap(gaps, Gap(number, f"c{number}", "source"))
        assert len(gaps) <= GAPS_MAX
    for number in range(1, 200):
        assert reset_reason(ChannelName(f"c{number}"), number - 1, 0, gaps) == "source"
    assert [gap.offset for gap in gaps] == sorted(gap.offset for gap in gaps)
    assert reset_reason(NEWS, gaps[0].offset, 0, gaps) is None
