"""Who leaves and comes back within three seconds was never away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.node.webhooks.builders import APP, occurred
from tidings.ids import AppId, ChannelName, UserId
from tidings.node.occurrences import OccurrenceKind
from tidings.node.webhooks.hold import (
    COUNT_SECONDS,
    HOLD_SECONDS,
    MERGE_SECONDS,
    RESTART_SECONDS,
    Hold,
    Standing,
    Subject,
    decode_subject,
    departure,
    encode_subject,
)

PAIRS: list[tuple[OccurrenceKind, OccurrenceKind, str | None]] = [
    ("channel_occupied", "channel_vacated", None),
    ("member_added", "member_removed", "ann"),
]


@pytest.mark.parametrize(("coming", "leaving", "user"), PAIRS)
def test_leaving_is_told_after_three_seconds(
    coming: OccurrenceKind, leaving: OccurrenceKind, user: str | None
) -> None:
    hold = Hold()
    assert hold.take(occurred(coming, user=user), 0.0) == [occurred(coming, user=user)]
    assert hold.take(occurred(leaving, user=user), 10.0) == []
    assert hold.next_at() == 10.0 + HOLD_SECONDS
    assert hold.due(12.99) == []
    assert hold.due(13.0) == [occurred(leaving, user=user)]
    assert hold.next_at() is None
    assert len(hold) == 0


@pytest.mark.parametrize(("coming", "leaving", "user"), PAIRS)
def test_who_comes_back_in_time_was_never_away(
    coming: OccurrenceKind, leaving: OccurrenceKind, user: str | None
) -> None:
    hold = Hold()
    hold.take(occurred(leaving, user=user), 0.0)
    assert hold.take(occurred(coming, user=user), 2.9) == []
    assert hold.due(100.0) == []


def test_who_leaves_again_is_held_anew() -> None:
    hold = Hold()
    for at in (0.0, 2.0):
        hold.take(occurred("channel_vacated"), at)
        hold.take(occurred("channel_occupied"), at + 1)
    hold.take(occurred("channel_vacated"), 4.0)
    assert hold.due(6.9) == []
    assert hold.due(7.0) == [occurred("channel_vacated")]


def test_who_comes_back_too_late_is_told_of_twice() -> None:
    hold = Hold()
    hold.take(occurred("member_removed", user="ann"), 0.0)
    assert hold.due(3.0) == [occurred("member_removed", user="ann")]
    assert hold.take(occurred("member_added", user="ann"), 3.1) == [occurred("member_added", user="ann")]


def test_another_member_channel_or_app_does_not_count_as_coming_back() -> None:
    hold = Hold()
    hold.take(occurred("member_removed", "presence-a", user="ann"), 0.0)
    for other in (
        occurred("member_added", "presence-a", user="bob"),
        occurred("member_added", "presence-b", user="ann"),
        occurred("member_added", "presence-a", user="ann", app=AppId("2")),
        occurred("channel_occupied", "presence-a"),
    ):
        assert hold.take(other, 1.0) == [other]
    assert hold.due(3.0) == [occurred("member_removed", "presence-a", user="ann")]


def test_what_happened_first_is_told_first() -> None:
    hold = Hold()
    hold.take(occurred("member_removed", user="ann"), 0.0)
    hold.take(occurred("channel_vacated"), 0.0)
    assert [one.kind for one in hold.due(3.0)] == ["member_removed", "channel_vacated"]


def test_repeated_misses_are_one_until_the_window_has_passed() -> None:
    hold = Hold()
    miss = occurred("cache_miss", "cache-a")
    assert hold.take(miss, 0.0) == [miss]
    assert [hold.take(miss, at) for at in (0.0, 1.0, MERGE_SECONDS - 0.01)] == [[], [], []]
    other = occurred("cache_miss", "cache-b")
    assert hold.take(other, 1.0) == [other]
    assert hold.take(miss, MERGE_SECONDS) == [miss]


def test_of_changing_counts_only_the_newest_is_told() -> None:
    hold = Hold()
    for count in range(1, 100):
        assert hold.take(occurred("subscription_count", count=count), 0.0) == []
    assert hold.due(COUNT_SECONDS) == [occurred("subscription_count", count=99)]


def test_client_events_are_told_at_once_and_each() -> None:
    hold = Hold()
    event = occurred("client_event", event="client-a", data=b"1")
    assert [hold.take(event, 0.0), hold.take(event, 0.0)] == [[event], [event]]


def test_memory_is_bounded_and_beyond_it_departures_are_told_at_once() -> None:
    hold = Hold(max_held=2)
    told = [hold.take(occurred("channel_vacated", f"c{at}"), 0.0) for at in range(3)]
    assert [len(one) for one in told] == [0, 0, 1]
    for at in range(10):
        hold.take(occurred("cache_miss", f"cache-{at}"), 0.0)
    assert len(hold._missed) <= 2


def test_after_a_restart_clients_have_longer_to_come_back() -> None:
    hold = Hold()
    hold.restore([occurred("channel_vacated", "a"), occurred("channel_vacated", "b")], 0.0)
    assert hold.take(occurred("channel_occupied", "a"), RESTART_SECONDS - 1) == []
    assert hold.due(RESTART_SECONDS - 0.1) == []
    assert hold.due(RESTART_SECONDS) == [occurred("channel_vacated", "b")]


@given(st.lists(st.tuples(st.sampled_from(["in", "out"]), st.sampled_from("ab"), st.floats(0, 5))))
def test_what_is_told_alternates_and_ends_with_the_truth(steps: list[tuple[str, str, float]]) -> None:
    """Whatever the flapping: in, out, in, out … for each channel, and in the end what is so."""
    hold, now = Hold(), 0.0
    inside: dict[str, bool] = {"a": False, "b": False}
    told: dict[str, list[str]] = {"a": [], "b": []}

    def note(happened: list[object]) -> None:
        for one in happened:
            told[one.channel].append(one.kind)  # type: ignore[attr-defined]

    for way, channel, later in steps:
        if inside[channel] == (way == "in"):
            continue
        inside[channel] = way == "in"
        now += later
        note([*hold.due(now)])
        kind: OccurrenceKind = "channel_occupied" if way == "in" else "channel_vacated"
        note([*hold.take(occurred(kind, channel), now)])
    note([*hold.due(now + HOLD_SECONDS)])
    for channel, kinds in told.items():
        assert kinds == (["channel_occupied", "channel_vacated"] * len(kinds))[: len(kinds)]
        assert (len(kinds) % 2 == 1) == inside[channel]


# ── standing


def test_standing_notes_who_was_told_of_and_not_yet_as_gone() -> None:
    standing = Standing()
    there = Subject(APP, "member", ChannelName("c"), UserId("ann"))
    assert standing.note(occurred("member_added", user="ann")) == (there, True)
    assert standing.note(occurred("member_added", user="ann")) is None
    assert standing.note(occurred("client_event")) is None
    assert standing.note(occurred("member_removed", user="ann")) == (there, False)
    assert standing.note(occurred("member_removed", user="ann")) is None


def test_standing_is_bounded() -> None:
    standing = Standing(max_held=1)
    assert standing.note(occurred("channel_occupied", "a")) is not None
    assert standing.note(occurred("channel_occupied", "b")) is None
    standing.note(occurred("channel_vacated", "a"))
    assert standing.note(occurred("channel_occupied", "b")) is not None


def test_a_restored_subject_leaves_like_any_other() -> None:
    standing = Standing()
    subject = Subject(APP, "channel", ChannelName("c"))
    standing.restore([subject])
    assert departure(subject, 1) == occurred("channel_vacated")
    assert standing.note(departure(subject, 1)) == (subject, False)


@pytest.mark.parametrize("user", [None, "ann", 'with "quotes"', "ünï"])
def test_a_subject_is_read_back_as_it_was(user: str | None) -> None:
    family = "channel" if user is None else "member"
    subject = Subject(APP, family, ChannelName("a;b"), None if user is None else UserId(user))
    assert decode_subject(encode_subject(subject)) == subject
