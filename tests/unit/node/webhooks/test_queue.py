"""Order per channel, batches, retries and giving up, with a clock that is a number."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.node.webhooks.builders import APP, URL, letter
from tidings.ids import AppId
from tidings.node.webhooks import queue as module
from tidings.node.webhooks.letters import Outcome
from tidings.node.webhooks.queue import (
    FIRST_WAIT,
    IN_FLIGHT,
    LONGEST_WAIT,
    PARCEL_BYTES,
    RETRY_SECONDS,
    TOGETHER,
    Parcel,
    Queue,
)
from tidings.node.webhooks.settings import BatchSettings

YES = Outcome(delivered=True)
NO = Outcome(delivered=False, reason="answered 500")


def make(batch: BatchSettings | None = None, jitter: float = 1.0) -> Queue:
    return Queue(lambda app, url: batch, lambda: jitter)


def fill(queue: Queue, *channels: str, now: float = 0.0, first: int = 1, **given: Any) -> None:
    for number, channel in enumerate(channels, first):
        queue.add(letter(number, channel, **given), now)


def numbers(parcels: list[Parcel]) -> list[list[int]]:
    return [[one.number for one in parcel.letters] for parcel in parcels]


# ── one event a request


def test_without_batching_a_request_holds_exactly_one_event() -> None:
    queue = make()
    fill(queue, "a", "b", "c")
    assert numbers(queue.ready(0.0)) == [[1], [2], [3]]


def test_a_channel_sends_one_at_a_time_and_in_order() -> None:
    queue = make()
    fill(queue, "a", "a", "a")
    for number in (1, 2, 3):
        (parcel,) = queue.ready(0.0)
        assert queue.ready(0.0) == []
        assert numbers([parcel]) == [[number]]
        assert queue.settle(parcel, YES, 0.0)
    assert (len(queue), queue.ready(0.0), queue.next_at()) == (0, [], None)


def test_a_failing_channel_holds_back_its_own_later_events_and_no_other() -> None:
    queue = make()
    fill(queue, "bad", "bad", "good", "good")
    sent = []
    now = 0.0
    while now < 60:
        for parcel in queue.ready(now):
            (one,) = parcel.letters
            sent.append(one.number)
            queue.settle(parcel, NO if one.channel == "bad" else YES, now)
        now += 0.5
    assert [number for number in sent if number > 2] == [3, 4]
    assert set(sent) == {1, 3, 4}
    assert len(queue) == 2


def test_a_retry_has_the_same_id_and_body() -> None:
    queue = make()
    fill(queue, "a")
    (first,) = queue.ready(0.0)
    seen = (first.id, first.body)
    queue.settle(first, NO, 0.0)
    (again,) = queue.ready(FIRST_WAIT)
    assert (again.id, again.body) == seen
    assert again.tries == 1


def test_waits_double_up_to_the_longest_and_end_with_a_try_at_five_minutes() -> None:
    queue = make()
    fill(queue, "a")
    tried: list[float] = []
    done = False
    now: float | None = 0.0
    while now is not None:
        for parcel in queue.ready(now):
            tried.append(now)
            done = queue.settle(parcel, NO, now)
        now = queue.next_at()
    assert done
    waits = [after - before for before, after in pairwise(tried)]
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert max(waits) == LONGEST_WAIT
    assert tried[-1] == RETRY_SECONDS
    assert len(queue) == 0


def test_jitter_shortens_a_wait_to_its_half_at_most() -> None:
    queue = make(jitter=0.0)
    fill(queue, "a")
    queue.settle(queue.ready(0.0)[0], NO, 0.0)
    assert queue.next_at() == FIRST_WAIT / 2


def test_what_waited_behind_a_failure_for_too_long_has_one_try_of_its_own() -> None:
    queue = make()
    fill(queue, "a", "a")
    (head,) = queue.ready(0.0)
    head.until = 0.0
    assert queue.settle(head, NO, RETRY_SECONDS + 1)
    (second,) = queue.ready(RETRY_SECONDS + 1)
    assert numbers([second]) == [[2]]
    assert queue.settle(second, NO, RETRY_SECONDS + 2)
    assert len(queue) == 0


def test_after_giving_up_the_channel_goes_on() -> None:
    queue = make()
    fill(queue, "a")
    (head,) = queue.ready(0.0)
    fill(queue, "a", now=299.0, first=2)
    assert queue.settle(head, NO, RETRY_SECONDS)
    (second,) = queue.ready(RETRY_SECONDS)
    assert not queue.settle(second, NO, RETRY_SECONDS)


# ── bounds


def test_a_receiver_that_hangs_holds_a_bounded_number_of_requests() -> None:
    queue = make()
    fill(queue, *(f"c{at}" for at in range(100)))
    flying = queue.ready(0.0)
    assert len(flying) == IN_FLIGHT
    assert queue.ready(1000.0) == []
    assert queue.next_at() is None
    queue.settle(flying[0], YES, 0.0)
    assert len(queue.ready(0.0)) == 1


def test_what_follows_a_settled_request_is_of_the_same_url() -> None:
    queue = make()
    fill(queue, *(f"c{at}" for at in range(IN_FLIGHT + 1)))
    flying = queue.ready(0.0)
    fill(queue, "c", first=200, url="https://other.example/")
    assert queue.follow_up(APP, URL, 0.0) == []
    queue.settle(flying[0], YES, 0.0)
    assert numbers(queue.follow_up(APP, URL, 0.0)) == [[IN_FLIGHT + 1]]
    assert queue.follow_up(APP, "https://nobody.example/", 0.0) == []
    assert numbers(queue.ready(0.0)) == [[200]]


def test_a_receiver_that_hangs_does_not_hold_up_another() -> None:
    queue = make()
    fill(queue, *(f"c{at}" for at in range(100)))
    queue.ready(0.0)
    fill(queue, "c", first=200, url="https://other.example/")
    assert numbers(queue.ready(0.0)) == [[200]]


def test_retries_wait_for_room_too() -> None:
    queue = make()
    fill(queue, *(f"c{at}" for at in range(IN_FLIGHT)))
    flying = queue.ready(0.0)
    queue.settle(flying[0], NO, 0.0)
    fill(queue, "fresh", first=100)
    assert numbers(queue.ready(0.0)) == [[100]]
    assert queue.ready(FIRST_WAIT) == []
    queue.settle(flying[1], YES, FIRST_WAIT)
    assert queue.ready(FIRST_WAIT) == [flying[0]]


@pytest.mark.parametrize("bound", ["MAX_WAITING", "MAX_WAITING_BYTES"])
def test_what_waits_for_a_url_is_bounded(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, bound, {"MAX_WAITING": 2, "MAX_WAITING_BYTES": 20}[bound])
    queue = make()
    assert queue.has_room(APP, URL, 10)
    fill(queue, "a", "b", size=10)
    assert not queue.has_room(APP, URL, 10)
    assert queue.has_room(APP, "https://other.example/", 10)
    assert queue.has_room(AppId("2"), URL, 10)
    queue.settle(queue.ready(0.0)[0], YES, 0.0)
    assert queue.has_room(APP, URL, 10)


def test_nothing_is_left_of_what_was_delivered() -> None:
    queue = make()
    fill(queue, *(f"c{at}" for at in range(1000)))
    while parcels := queue.ready(0.0):
        for parcel in parcels:
            queue.settle(parcel, YES, 0.0)
    assert (queue._receivers, queue._active, queue._later) == ({}, {}, [])


def test_the_numbers_of_an_app_are_its_own() -> None:
    queue = make()
    fill(queue, "a", "b")
    fill(queue, "a", first=3, app=AppId("2"))
    assert (queue.waiting(APP), queue.oldest(APP)) == (2, 1001)
    assert (queue.waiting(AppId("2")), queue.oldest(AppId("2"))) == (1, 1003)
    assert (queue.waiting(AppId("3")), queue.oldest(AppId("3"))) == (0, None)


# ── batches

FULL = BatchSettings(events=3, seconds=2.0)


def test_a_batch_goes_when_it_is_full() -> None:
    queue = make(FULL)
    fill(queue, "a", "b")
    assert queue.ready(0.0) == []
    fill(queue, "a", first=3)
    (parcel,) = queue.ready(0.0)
    assert numbers([parcel]) == [[1, 2, 3]]


def test_a_batch_goes_when_it_has_waited() -> None:
    queue = make(FULL)
    fill(queue, "a", "b")
    assert queue.next_at() == 2.0
    assert numbers(queue.ready(2.0)) == [[1, 2]]


def test_a_batch_is_bounded_in_bytes_but_never_empty() -> None:
    queue = make(BatchSettings(events=100, seconds=0.0))
    fill(queue, "a", "b", "c", size=PARCEL_BYTES)
    assert numbers(queue.ready(0.0)) == [[1], [2], [3]]


def test_a_batch_that_failed_is_tried_together_once_more_then_by_channel() -> None:
    """So that an answer that was lost is met by the same id, and a bad channel holds back the others only briefly."""
    queue = make(FULL)
    fill(queue, "bad", "good", "bad")
    now, tried = 0.0, []
    delivered = set()
    while now < 30.0:
        for parcel in queue.ready(now):
            tried.append([one.number for one in parcel.letters])
            is_bad = any(one.channel == "bad" for one in parcel.letters)
            queue.settle(parcel, NO if is_bad else YES, now)
            delivered |= set() if is_bad else {one.number for one in parcel.letters}
        now += 0.5
    assert tried[:TOGETHER] == [[1, 2, 3]] * TOGETHER
    assert [1, 3] in tried
    assert delivered == {2}


def test_the_batch_size_follows_the_settings_as_they_are_now() -> None:
    sizes: list[BatchSettings | None] = [None]
    queue = Queue(lambda app, url: sizes[0], lambda: 1.0)
    fill(queue, "a", "a", "a", "a")
    (parcel,) = queue.ready(0.0)
    sizes[0] = FULL
    queue.settle(parcel, YES, 0.0)
    assert numbers(queue.ready(0.0)) == [[2, 3, 4]]


# ── whatever happens


@given(
    st.lists(st.sampled_from("abc"), max_size=30),
    st.lists(st.booleans(), max_size=60),
    st.sampled_from([None, BatchSettings(events=2, seconds=0.0), BatchSettings(events=5, seconds=3.0)]),
    st.floats(0, 1),
)
def test_every_event_is_delivered_or_given_up_once_and_in_order(
    channels: list[str], outcomes: list[bool], batch: BatchSettings | None, jitter: float
) -> None:
    queue = Queue(lambda app, url: batch, lambda: jitter)
    fill(queue, *channels)
    ended: dict[str, list[int]] = {}
    answers = iter(outcomes)
    drive(queue, lambda: next(answers, False), ended)
    assert len(queue) == 0
    for channel in set(channels):
        expected = [number for number, name in enumerate(channels, 1) if name == channel]
        assert ended[channel] == expected
    assert (queue._receivers, queue._active, queue._later) == ({}, {}, [])


def drive(queue: Queue, answer: Callable[[], bool], ended: dict[str, list[int]]) -> None:
    now: float | None = 0.0
    while now is not None:
        parcels = queue.ready(now)
        for parcel in parcels:
            if queue.settle(parcel, YES if answer() else NO, now):
                for one in parcel.letters:
                    ended.setdefault(one.channel, []).append(one.number)
        now = now if parcels else queue.next_at()
