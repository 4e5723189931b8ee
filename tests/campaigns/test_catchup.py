"""How long a client was behind is measured from the break to the last message it had missed."""

from __future__ import annotations

from campaigns.catchup import CatchUp, catch_ups
from tidings.testing.observations import (
    Acknowledged,
    AnyObservation,
    Attempted,
    Connected,
    Delivered,
    Disconnected,
    Reset,
    Subscribed,
)

BEFORE: list[AnyObservation] = [
    Connected(0.0, "c1"),
    Subscribed(0.1, "c1", ("a",), "e", 0),
    Subscribed(0.1, "other", ("a",), "e", 0),
]


def published(number: int, at: float) -> list[AnyObservation]:
    return [
        Attempted(at, f"k{number}", "a", f"m{number}"),
        Acknowledged(at, f"k{number}"),
        delivered("other", number, at),
    ]


def delivered(client: str, number: int, at: float) -> Delivered:
    return Delivered(at, client, "a", f"i{number}", f"m{number}", "e", number, number - 1)


def test_a_client_that_missed_nothing_is_back_when_it_is_connected() -> None:
    assert catch_ups([*BEFORE, Disconnected(1.0, "c1"), Connected(1.5, "c1")]) == [CatchUp("c1", 1.5, 0.5)]


def test_it_is_behind_until_it_has_what_was_acknowledged_before_it_came_back() -> None:
    history = [*BEFORE, Disconnected(1.0, "c1"), *published(1, 1.1), *published(2, 1.2), Connected(2.0, "c1")]
    history += [*published(3, 2.1), delivered("c1", 1, 2.2), delivered("c1", 2, 2.5), delivered("c1", 3, 9.0)]
    assert catch_ups(history) == [CatchUp("c1", 2.5, 1.5)]


def test_a_second_break_prolongs_the_first() -> None:
    history = [*BEFORE, Disconnected(1.0, "c1"), *published(1, 1.1), Connected(2.0, "c1")]
    history += [Disconnected(2.1, "c1"), Connected(3.0, "c1"), delivered("c1", 1, 3.5)]
    assert catch_ups(history) == [CatchUp("c1", 3.5, 2.5)]


def test_a_reset_ends_the_waiting() -> None:
    history = [*BEFORE, Disconnected(1.0, "c1"), *published(1, 1.1), Connected(2.0, "c1")]
    assert catch_ups([*history, Reset(2.5, "c1", ("a",), "floor")]) == [CatchUp("c1", 2.5, 1.5)]


def test_whoever_never_comes_back_has_no_catch_up() -> None:
    assert catch_ups([*BEFORE, Disconnected(1.0, "c1"), *published(1, 1.1)]) == []
