"""One channel's shelf: what it keeps, what it drops, and that it frees what it dropped."""

from __future__ import annotations

from tests.engines.harness import NEWS, message
from tidings.engines.memory.shelf import COMPACT_AT, Shelf
from tidings.hub.channel import ChannelOptions, Retention


def filled(options: ChannelOptions, count: int, data: bytes = b"1") -> Shelf:
    shelf = Shelf(options, 0)
    for number in range(1, count + 1):
        shelf.append(message(NEWS, data), number * 10, number)
    return shelf


def test_what_lies_after_an_offset() -> None:
    shelf = filled(ChannelOptions(), 5)
    assert [offset for offset, _ in shelf.after(0, 99)] == [10, 20, 30, 40, 50]
    assert [offset for offset, _ in shelf.after(20, 40)] == [30, 40]
    assert [offset for offset, _ in shelf.after(25, 99)] == [30, 40, 50]


def test_dropped_messages_leave_the_lists() -> None:
    shelf = filled(ChannelOptions(history=Retention(count=10)), 10_000)
    assert len(shelf) == 10
    assert shelf.floor.offset == 99_900
    assert len(shelf._messages) <= 2 * max(COMPACT_AT, 10) + 2
    assert sum(bool(kept.id) for kept in shelf._messages) == 10


def test_a_shelf_emptied_by_age_goes_on_counting() -> None:
    shelf = filled(ChannelOptions(history=Retention(age=1)), 3)
    shelf.trim(5_000)
    assert len(shelf) == 0
    assert (shelf.floor.offset, shelf.last, shelf.latest) == (30, 30, None)
    shelf.append(message(NEWS), 40, 6_000)
    assert [offset for offset, _ in shelf.after(30, 99)] == [40]


def test_a_latest_value_stays() -> None:
    shelf = filled(ChannelOptions(cache=True, history=Retention(age=1)), 3, b"7")
    shelf.trim(5_000)
    assert shelf.latest is not None
    assert shelf.latest.data == b"7"
