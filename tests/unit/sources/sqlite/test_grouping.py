"""Groups of rows are cut at the same places again, however often the reader dies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidings.sources.sqlite.grouping import SINGLES, Group, Grouping


def test_one_row_alone_needs_no_note() -> None:
    assert Grouping(0, [], 0).next(1, 1) == Group(1, 1, single=True)


def test_several_rows_need_a_note() -> None:
    assert Grouping(0, [], 0).next(1, 5) == Group(1, 5, note=True)


def test_a_noted_group_is_told_again_as_it_was() -> None:
    assert Grouping(0, [(1, 5)], 9).next(1, 9) == Group(1, 5)
    assert Grouping(3, [(1, 5)], 9).next(4, 9) == Group(4, 5)


def test_rows_that_may_have_been_told_alone_are_told_alone_after_a_restart() -> None:
    grouping = Grouping(10, [], 1000)
    assert grouping.next(11, 1000).single
    assert grouping.next(10 + SINGLES, 1000).single
    assert grouping.next(11 + SINGLES, 1000) == Group(11 + SINGLES, 1000, note=True)


def test_singles_are_bounded_until_the_acknowledgement_is_written() -> None:
    grouping = Grouping(0, [], 0)
    assert grouping.may_be_single(SINGLES)
    assert grouping.next(SINGLES + 1, SINGLES + 1).note
    grouping.acknowledged(SINGLES)
    assert grouping.next(SINGLES + 1, SINGLES + 1).single


def test_rows_before_a_noted_group_were_told_alone() -> None:
    assert Grouping(0, [(3, 5)], 5).next(1, 5).single


@given(st.lists(st.tuples(st.sampled_from("wrkan"), st.integers(1, 90)), max_size=60))
def test_a_row_always_begins_the_same_group(steps: list[tuple[str, int]]) -> None:
    """w: rows are written. r: groups are read. k: the reader is killed. a: the acknowledgement is written.

    n: killed between the note and telling. A group is known by its first row; told twice, it ends at the same row.
    """
    top = last = written = 0
    notes: list[tuple[int, int]] = []
    told: dict[int, int] = {}
    grouping = Grouping(0, [], 0)
    for step, count in steps:
        if step == "w":
            top += count if count > 45 else 1
        elif step == "a":
            written = last
            notes = [each for each in notes if each[1] > written]
            grouping.acknowledged(written)
        elif step == "k":
            last, grouping = written, Grouping(written, notes, top)
        for _ in range(count if step == "r" else (1 if step == "n" else 0)):
            if last >= top:
                break
            group = grouping.next(last + 1, top)
            end = last + 1 if group.single else group.last
            if group.note:
                notes = [*notes, (group.first, group.last)]
                grouping.noted(group)
            if step == "n":
                last, grouping = written, Grouping(written, notes, top)
                break
            assert told.setdefault(last + 1, end) == end
            last = end
