"""The judge finds each way of breaking a correct history, and passes the correct ones."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tidings.testing.history import Judge, check
from tidings.testing.observations import (
    Acknowledged,
    AnyObservation,
    Attempted,
    Connected,
    Delivered,
    Disconnected,
    Finished,
    Repeated,
    Reset,
    Subscribed,
)
from tidings.testing.verdicts import EVIDENCE_MAX, Kind, Verdict

EPOCH = "e1"


@dataclass
class World:
    """A correct server with its clients; writes what they would observe."""

    rng: random.Random
    channels: tuple[str, ...] = ("a", "b")
    observations: list[AnyObservation] = field(default_factory=list)
    heads: dict[str, int | None] = field(default_factory=dict)
    waiting: dict[str, list[Delivered]] = field(default_factory=dict)
    subscribed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    offset: int = 0
    published: int = 0
    now: float = 0.0

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    def join(self, client: str) -> None:
        channels = tuple(channel for channel in self.channels if self.rng.random() < 0.8) or ("a",)
        self.subscribed[client] = channels
        self.waiting[client] = []
        self.observations += [
            Connected(self.tick(), client),
            Subscribed(self.tick(), client, channels, EPOCH, self.offset),
        ]

    def publish(self, *, kept: bool = True, acknowledged: bool = True) -> None:
        self.published += 1
        channel, body = self.rng.choice(self.channels), f"body-{self.published}"
        self.observations.append(Attempted(self.tick(), f"key-{body}", channel, body))
        if not kept:
            return
        self.offset += self.rng.randint(1, 3)
        for client, channels in self.subscribed.items():
            if channel in channels:
                self.waiting[client].append(self.message(client, channel, body))
        self.heads[channel] = self.offset
        if acknowledged:
            self.observations.append(Acknowledged(self.tick(), f"key-{body}"))

    def message(self, client: str, channel: str, body: str) -> Delivered:
        previous = self.heads.get(channel)
        return Delivered(0.0, client, channel, f"id-{body}", body, EPOCH, self.offset, previous)

    def deliver(self, client: str) -> None:
        if self.waiting[client]:
            message = self.waiting[client].pop(0)
            self.observations.append(msgspec.structs.replace(message, at=self.tick()))

    def reconnect(self, client: str) -> None:
        self.observations += [Disconnected(self.tick(), client), Connected(self.tick(), client)]

    def reset(self, client: str) -> None:
        self.waiting[client].clear()
        channels = self.subscribed[client]
        self.observations.append(Reset(self.tick(), client, channels, "floor", EPOCH, self.offset))

    def finish(self) -> list[AnyObservation]:
        for client in self.subscribed:
            while self.waiting[client]:
                self.deliver(client)
            self.observations.append(Finished(self.tick(), client))
        return self.observations


def correct_history(rng: random.Random, steps: int = 60) -> list[AnyObservation]:
    """Two clients from the start and one that comes later, with lag, reconnects, resets and unkept publishes."""
    world = World(rng)
    world.join("c1")
    world.join("c2")
    for step in range(steps):
        if step == steps // 2:
            world.join("late")
        client = rng.choice(list(world.subscribed))
        act = rng.choices(
            ["publish", "unsure", "fail", "deliver", "reconnect", "reset"], [30, 5, 5, 50, 6, 2]
        )[0]
        match act:
            case "publish" | "unsure" | "fail":
                world.publish(kept=act != "fail", acknowledged=act == "publish")
            case "deliver":
                world.deliver(client)
            case "reconnect":
                world.reconnect(client)
            case _:
                world.reset(client)
    world.publish()
    return world.finish()


def deliveries(history: list[AnyObservation]) -> list[int]:
    return [index for index, seen in enumerate(history) if isinstance(seen, Delivered)]


def body_at(history: list[AnyObservation], index: int) -> str:
    seen = history[index]
    assert isinstance(seen, Delivered)
    return seen.body


Rng = st.integers(0, 2**32).map(random.Random)


@given(Rng)
@settings(max_examples=200, deadline=None)
def test_a_correct_history_is_clean(rng: random.Random) -> None:
    history = correct_history(rng)
    verdict = check(history)
    assert verdict.findings == ()
    assert verdict.clean
    assert verdict.deliveries == len(deliveries(history))


@given(Rng)
@settings(max_examples=200, deadline=None)
def test_a_dropped_delivery_is_lost(rng: random.Random) -> None:
    history = correct_history(rng)
    # A reset excuses the message before it; what nobody acknowledged is owed to nobody.
    reset = max((index for index, seen in enumerate(history) if isinstance(seen, Reset)), default=0)
    owed = {seen.key.removeprefix("key-") for seen in history if isinstance(seen, Acknowledged)}
    candidates = [index for index in deliveries(history) if index > reset and body_at(history, index) in owed]
    assume(candidates)
    dropped = history.pop(rng.choice(candidates))
    assert isinstance(dropped, Delivered)
    verdict = check(history)
    assert [(f.client, f.body) for f in verdict.of(Kind.LOST)] == [(dropped.client, dropped.body)]
    assert (
        verdict.counts[Kind.DUPLICATED] == verdict.counts[Kind.REORDERED] == verdict.counts[Kind.PHANTOM] == 0
    )


@given(Rng)
@settings(max_examples=200, deadline=None)
def test_a_drop_before_a_later_message_is_also_a_silent_gap(rng: random.Random) -> None:
    world = World(rng, channels=("a",))
    world.join("c1")
    for _ in range(rng.randint(3, 20)):
        world.publish()
    history = world.finish()
    gone = rng.choice(deliveries(history)[:-1])
    verdict = check(history[:gone] + history[gone + 1 :])
    assert (verdict.counts[Kind.LOST], verdict.counts[Kind.SILENT_GAP]) == (1, 1)


@given(Rng)
@settings(max_examples=200, deadline=None)
def test_a_repeated_delivery_is_a_duplicate(rng: random.Random) -> None:
    history = correct_history(rng)
    candidates = deliveries(history)
    assume(candidates)
    original = rng.choice(candidates)
    again = rng.randint(original + 1, len(history))
    verdict = check([*history[:again], history[original], *history[again:]])
    assert {kind: n for kind, n in verdict.counts.items() if n} == {Kind.DUPLICATED: 1}


@given(Rng)
@settings(max_examples=200, deadline=None)
def test_two_swapped_deliveries_are_reordered(rng: random.Random) -> None:
    history = correct_history(rng)
    by_line: dict[tuple[str, str], list[int]] = {}
    resets = {index for index, seen in enumerate(history) if isinstance(seen, Reset)}
    attempted = {seen.body: index for index, seen in enumerate(history) if isinstance(seen, Attempted)}
    for index in deliveries(history):
        seen = history[index]
        assert isinstance(seen, Delivered)
        by_line.setdefault((seen.client, seen.channel), []).append(index)
    pairs = [
        (first, second)
        for line in by_line.values()
        for first, second in pairwise(line)
        if not resets & set(range(first, second))
        # Otherwise the second would come before it was attempted: a phantom rather than a swap.
        and attempted[body_at(history, second)] < first
    ]
    assume(pairs)
    first, second = rng.choice(pairs)
    history[first], history[second] = history[second], history[first]
    verdict = check(history)
    assert verdict.counts[Kind.REORDERED] == 1
    assert verdict.counts[Kind.LOST] == verdict.counts[Kind.DUPLICATED] == verdict.counts[Kind.PHANTOM] == 0


@given(Rng)
@settings(max_examples=100, deadline=None)
def test_an_invented_delivery_is_a_phantom(rng: random.Random) -> None:
    history = correct_history(rng)
    where = rng.randint(2, len(history))
    invented = Delivered(0.5, "c1", "a", "id-x", "never attempted", EPOCH, 10_000, None)
    verdict = check([*history[:where], invented, *history[where:]])
    assert [(f.client, f.body) for f in verdict.of(Kind.PHANTOM)] == [("c1", "never attempted")]


def scene(*observations: AnyObservation) -> Verdict:
    """Judge observations after the usual beginning: c1 follows a, and m1 to m4 are attempted on it."""
    begun: list[AnyObservation] = [Subscribed(1.0, "c1", ("a",), EPOCH, 0)]
    begun += [Attempted(2.0 + n, f"k{n}", "a", f"m{n}") for n in range(1, 5)]
    return check([*begun, *observations])


def shown(
    number: int, at: float, *, client: str = "c1", previous: int | None = None, **other: object
) -> Delivered:
    seen = Delivered(at, client, "a", f"id{number}", f"m{number}", EPOCH, number * 10, previous)
    return msgspec.structs.replace(seen, **other)


def test_what_was_never_acknowledged_nor_seen_may_be_missing() -> None:
    assert scene(Finished(20.0, "c1")).clean


def test_what_anybody_saw_must_reach_all() -> None:
    verdict = scene(Subscribed(1.5, "c2", ("a",)), shown(1, 10.0), Finished(20.0, "c1"), Finished(20.0, "c2"))
    assert [(f.client, f.body) for f in verdict.of(Kind.LOST)] == [("c2", "m1")]
    assert "seen by others" in verdict.of(Kind.LOST)[0].detail


def test_what_was_attempted_before_subscribing_is_not_owed() -> None:
    verdict = scene(
        Subscribed(10.0, "late", ("a",)),
        Acknowledged(11.0, "k1"),
        shown(1, 12.0),
        Finished(13.0, "c1"),
        Finished(13.0, "late"),
    )
    assert verdict.clean


def test_a_reset_excuses_what_lies_between_the_last_message_and_its_cursor() -> None:
    verdict = scene(
        shown(1, 10.0),
        Acknowledged(11.0, "k2", EPOCH, 20),
        Reset(12.0, "c1", ("a",), "floor", EPOCH, 20),
        shown(3, 13.0, previous=20),
        Finished(20.0, "c1"),
    )
    assert verdict.clean
    assert (verdict.excused, verdict.resets) == (1, 1)


def test_a_reset_does_not_excuse_what_comes_after_its_cursor() -> None:
    verdict = scene(
        Acknowledged(11.0, "k2", EPOCH, 20),
        Reset(12.0, "c1", ("a",), "floor", EPOCH, 10),
        Finished(20.0, "c1"),
    )
    assert [f.body for f in verdict.of(Kind.LOST)] == ["m2"]


def test_a_reset_does_not_excuse_what_had_been_passed_over_before() -> None:
    verdict = scene(
        shown(2, 10.0),
        Acknowledged(11.0, "k1", EPOCH, 10),
        Reset(12.0, "c1", ("a",), "floor", EPOCH, 20),
        Finished(20.0, "c1"),
    )
    assert [f.body for f in verdict.of(Kind.LOST)] == ["m1"]


def test_a_reset_excuses_only_the_channels_it_names() -> None:
    verdict = scene(
        Acknowledged(11.0, "k1"), Reset(12.0, "c1", ("b",), "floor", EPOCH, 50), Finished(20.0, "c1")
    )
    assert [f.body for f in verdict.of(Kind.LOST)] == ["m1"]


def test_a_gap_is_told_by_previous() -> None:
    verdict = scene(shown(1, 10.0), shown(3, 11.0, previous=20))
    assert [f.body for f in verdict.of(Kind.SILENT_GAP)] == ["m3"]


def test_a_new_epoch_without_a_reset_is_a_silent_gap() -> None:
    verdict = scene(shown(1, 10.0), shown(2, 11.0, epoch="e2", offset=1))
    assert [f.body for f in verdict.of(Kind.SILENT_GAP)] == ["m2"]


def test_a_new_epoch_told_by_a_reset_is_well() -> None:
    verdict = scene(
        shown(1, 10.0), Reset(10.5, "c1", ("a",), "epoch", "e2", 0), shown(2, 11.0, epoch="e2", offset=1)
    )
    assert verdict.counts[Kind.SILENT_GAP] == verdict.counts[Kind.REORDERED] == 0


def test_two_clients_that_disagree_on_a_place_are_found() -> None:
    verdict = scene(Subscribed(1.5, "c2", ("a",)), shown(1, 10.0), shown(1, 11.0, client="c2", offset=15))
    assert [f.client for f in verdict.of(Kind.REORDERED)] == ["c2"]


def test_two_messages_at_one_place_are_found() -> None:
    verdict = scene(Subscribed(1.5, "c2", ("a",)), shown(1, 10.0), shown(2, 11.0, client="c2", offset=10))
    assert [f.body for f in verdict.of(Kind.REORDERED)] == ["m2"]


def test_one_publish_that_became_two_messages_is_a_duplicate() -> None:
    verdict = scene(Subscribed(1.5, "c2", ("a",)), shown(1, 10.0), shown(1, 11.0, client="c2", id="other"))
    assert [f.client for f in verdict.of(Kind.DUPLICATED)] == ["c2"]


def test_a_duplicate_with_a_place_of_its_own_is_not_also_a_gap() -> None:
    again = shown(1, 11.0, id="other", offset=15)
    verdict = scene(shown(1, 10.0), again, shown(2, 12.0, previous=15))
    assert (verdict.counts[Kind.DUPLICATED], verdict.counts[Kind.SILENT_GAP]) == (1, 0)


def test_one_id_for_two_publishes_is_a_phantom() -> None:
    verdict = scene(shown(1, 10.0), shown(2, 11.0, id="id1"))
    assert [f.body for f in verdict.of(Kind.PHANTOM)] == ["m2"]


def test_a_message_on_a_channel_where_it_does_not_belong_is_a_phantom() -> None:
    verdict = scene(
        Subscribed(1.5, "c2", ("b",)), shown(1, 10.0, client="c2", channel="b"), shown(2, 11.0, client="c2")
    )
    assert [f.body for f in verdict.of(Kind.PHANTOM)] == ["m1", "m2"]


def test_an_acknowledgement_of_nothing_is_a_phantom() -> None:
    assert scene(Acknowledged(9.0, "unknown")).counts[Kind.PHANTOM] == 1


def test_a_repeat_that_was_taken_before_counts_apart() -> None:
    verdict = scene(shown(1, 10.0), Repeated(11.0, "c1", "a", "m1"), Finished(20.0, "c1"))
    assert verdict.clean
    assert verdict.repeated == 1


def test_a_repeat_that_was_never_taken_hides_a_reordering() -> None:
    verdict = scene(shown(2, 10.0), Repeated(11.0, "c1", "a", "m1"))
    assert verdict.counts[Kind.REORDERED] == 1


def test_a_client_that_never_catches_up_is_not_called_well() -> None:
    verdict = scene(Acknowledged(9.0, "k1"))
    assert not verdict.clean
    assert [f.client for f in verdict.of(Kind.UNFINISHED)] == ["c1"]
    assert [f.body for f in verdict.of(Kind.LOST)] == ["m1"]


def test_a_retried_key_is_one_publish() -> None:
    verdict = scene(Attempted(9.0, "k1", "a", "m1"), Acknowledged(10.0, "k1"), Acknowledged(10.5, "k1"))
    assert (verdict.attempted, verdict.acknowledged) == (4, 1)


def test_judging_twice_does_not_count_twice() -> None:
    judge = Judge()
    judge.observe(
        [
            Subscribed(1.0, "c1", ("a",)),
            Attempted(2.0, "k", "a", "m"),
            Acknowledged(3.0, "k"),
            Finished(4.0, "c1"),
        ]
    )
    assert judge.verdict().counts == judge.verdict().counts
    assert judge.verdict().counts[Kind.LOST] == 1


def test_evidence_is_bounded_and_counts_are_exact() -> None:
    history: list[AnyObservation] = [Subscribed(0.0, "c1", ("a",))]
    history += [Delivered(1.0, "c1", "a", "i", f"m{n}", EPOCH, n) for n in range(EVIDENCE_MAX + 5)]
    verdict = check([*history, Finished(2.0, "c1")])
    assert verdict.counts[Kind.PHANTOM] == EVIDENCE_MAX + 5
    assert len(verdict.findings) == EVIDENCE_MAX


@pytest.mark.parametrize("clients", [10])
def test_a_long_history_is_judged_fast(clients: int) -> None:
    history = long_history(publishes=10_000, clients=clients)
    started = time.perf_counter()
    verdict = check(history)
    took = time.perf_counter() - started
    assert verdict.clean
    # Some 0.15 s on an idle core; the limit only catches work that grows with the square of the history.
    assert took < 5.0


def long_history(publishes: int, clients: int) -> list[AnyObservation]:
    names = [f"c{n}" for n in range(clients)]
    history: list[AnyObservation] = [Subscribed(0.0, name, ("a",), EPOCH, 0) for name in names]
    add: Callable[[AnyObservation], None] = history.append
    for n in range(1, publishes + 1):
        add(Attempted(float(n), f"k{n}", "a", f"m{n}"))
        add(Acknowledged(n + 0.1, f"k{n}"))
        for name in names:
            add(Delivered(n + 0.2, name, "a", f"i{n}", f"m{n}", EPOCH, n, n - 1 or None))
    return history + [Finished(publishes + 1.0, name) for name in names]
