"""What keepalives say. The rest of following is shown by whole sources: test_source.py, tests/sources."""

from __future__ import annotations

from tidings.changes import Checkpoint
from tidings.sources.postgres.following import Idle
from tidings.sources.postgres.pgoutput.frames import Keepalive


def keepalive(end: int, *, reply_now: bool = False) -> Keepalive:
    return Keepalive(end, 0, reply_now)


def test_a_position_is_noted_once_and_not_too_often() -> None:
    idle = Idle(Checkpoint(100), now=0.0)
    idle.note(keepalive(101), settled=True)
    assert not idle.due(10.0, hurry=True)  # nothing new
    idle.note(keepalive(200), settled=True)
    assert not idle.due(0.5, hurry=False)
    assert idle.due(0.5, hurry=True)
    assert idle.due(1.0, hurry=False)
    assert idle.take(1.0) == Checkpoint(199)
    assert not idle.due(9.0, hurry=True)


def test_within_a_commit_a_keepalive_says_nothing() -> None:
    idle = Idle(Checkpoint(100), now=0.0)
    idle.note(keepalive(200), settled=False)
    assert not idle.due(9.0, hurry=True)


def test_a_server_that_asks_is_answered_at_once() -> None:
    idle = Idle(Checkpoint(100), now=0.0)
    idle.note(keepalive(200, reply_now=True), settled=True)
    assert idle.due(0.0, hurry=False)


def test_what_is_told_reaches_to_its_last_commit_or_as_far_as_the_server_saw_nothing_for_us() -> None:
    assert Idle(Checkpoint(100), now=0.0).reached == 101
    idle = Idle(Checkpoint(100, 7), now=0.0)
    assert idle.reached == 100  # the rest of that commit is to come
    idle.note(keepalive(200), settled=True)
    assert idle.reached == 200


def test_a_commit_that_was_told_in_part_is_not_called_whole() -> None:
    assert Idle(Checkpoint(100, 7), now=0.0).told == Checkpoint(100, 7)
