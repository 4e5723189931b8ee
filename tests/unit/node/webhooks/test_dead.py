"""The dead-letter list: bounded, and honest about what it could not hold."""

from __future__ import annotations

import json

import msgspec

from tests.unit.node.webhooks.builders import APP, URL, letter
from tidings.ids import AppId
from tidings.node.webhooks.dead import DISPLACED, Changes, DeadLetters, row_of
from tidings.node.webhooks.letters import Dead


def dead(number: int, app: AppId = APP, size: int = 2) -> Dead:
    one = letter(number, app=app, size=size)
    return Dead(number=number, app=app, url=URL, reason="answered 500", tries=9, at=number, letter=one)


def filled(count: int) -> DeadLetters:
    letters = DeadLetters()
    for number in range(1, count + 1):
        letters.add(dead(number), number=1000 + number)
    return letters


def ids(entries: list[Dead]) -> list[str]:
    return [one.id for one in entries]


def test_pages_go_from_the_oldest_on() -> None:
    letters = filled(5)
    first, more = letters.page(APP, after=None, limit=2)
    assert (ids(first), more) == (["id1", "id2"], True)
    second, more = letters.page(APP, after="id2", limit=10)
    assert (ids(second), more) == (["id3", "id4", "id5"], False)


def test_an_app_sees_its_own_alone() -> None:
    letters = filled(2)
    other = AppId("2")
    assert letters.page(other, after=None, limit=10) == ([], False)
    assert letters.take(other, None, limit=10) == []
    letters.add(dead(9, other), number=10)
    assert letters.take(other, ["id1", "id9"], limit=10) == [dead(9, other)]
    assert letters.count(APP) == 2


def test_taking_takes_the_oldest_or_those_named() -> None:
    letters = filled(5)
    assert ids(letters.take(APP, ["id4", "nobody"], limit=10)) == ["id4"]
    assert ids(letters.take(APP, None, limit=2)) == ["id1", "id2"]
    assert ids(letters.page(APP, after=None, limit=10)[0]) == ["id3", "id5"]


def test_a_full_list_drops_its_oldest_and_says_how_many() -> None:
    letters = DeadLetters(max_dead=3)
    changes = [letters.add(dead(number), number=100 + number) for number in range(1, 8)]
    assert changes[0] == Changes([dead(1)], [])
    entries, _ = letters.page(APP, after=None, limit=10)
    assert sum(one.lost for one in entries) == 7 - sum(one.letter is not None for one in entries)
    assert [one.reason for one in entries if one.lost] == [DISPLACED]
    assert len(entries) <= 4


def test_the_list_is_bounded_in_bytes_too() -> None:
    letters = DeadLetters(max_bytes=100)
    for number in range(1, 10):
        letters.add(dead(number, size=40), number=100 + number)
    entries, _ = letters.page(APP, after=None, limit=10)
    assert sum(one.size for one in entries) <= 100
    assert [one.lost for one in entries if one.lost] == [7]


def test_losses_of_one_kind_are_one_entry_whose_count_grows() -> None:
    letters = DeadLetters()
    letters.lose(APP, URL, "full", count=2, number=1, at=5)
    letters.lose(APP, URL, "full", count=3, number=2, at=6)
    letters.lose(APP, "", "full", count=1, number=3, at=7)
    entries, _ = letters.page(APP, after=None, limit=10)
    assert [(one.id, one.lost, one.at) for one in entries] == [("lost-1", 5, 6), ("lost-3", 1, 7)]


def test_a_loss_goes_only_when_it_is_named() -> None:
    letters = filled(1)
    letters.lose(APP, URL, "full", count=2, number=7, at=5)
    assert ids(letters.take(APP, None, limit=10)) == ["id1"]
    assert letters.count(APP) == 1
    assert ids(letters.take(APP, ["lost-7"], limit=10)) == ["lost-7"]
    letters.lose(APP, URL, "full", count=1, number=8, at=6)
    assert [one.lost for one in letters.page(APP, after=None, limit=10)[0]] == [1]


def test_what_was_written_down_counts_on() -> None:
    before = DeadLetters()
    before.lose(APP, URL, "full", count=2, number=1, at=5)
    after = DeadLetters()
    after.restore(before.page(APP, after=None, limit=10)[0])
    after.lose(APP, URL, "full", count=1, number=9, at=6)
    assert [(one.id, one.lost) for one in after.page(APP, after=None, limit=10)[0]] == [("lost-1", 3)]


def test_a_row_holds_the_event_as_it_would_be_sent() -> None:
    assert json.loads(msgspec.json.encode(row_of(dead(1)))) == {
        "id": "id1",
        "url": URL,
        "reason": "answered 500",
        "tries": 9,
        "time_ms": 1,
        "event": "",
    }


def test_a_row_of_a_loss_holds_its_count() -> None:
    lost = Dead(number=5, app=APP, url="", reason="full", at=7, lost=12)
    assert row_of(lost) == {
        "id": "lost-5",
        "url": None,
        "reason": "full",
        "tries": 0,
        "time_ms": 7,
        "lost": 12,
    }
