"""Presence: the store says who was first and who was last; a user is one member however many sessions."""

from __future__ import annotations

import pytest

from tests.engines.harness import APP, NEWS, OTHER, SPORT, Bench
from tidings.errors import Refusal
from tidings.ids import SessionId, UserId
from tidings.presence import Joined, Left, Member

ANN = Member(UserId("ann"), b'{"name":"Ann"}')
BEN = Member(UserId("ben"))
ONE, TWO, THREE = SessionId("1.1"), SessionId("2.2"), SessionId("3.3")


async def test_the_first_session_of_a_user_is_first_and_the_last_is_last(bench: Bench) -> None:
    roster = bench.engine.presence
    assert await roster.add(APP, NEWS, ONE, ANN, max_members=9) == Joined(True, (ANN,))
    assert await roster.add(APP, NEWS, TWO, ANN, max_members=9) == Joined(False, (ANN,))
    assert await roster.add(APP, NEWS, THREE, BEN, max_members=9) == Joined(True, (ANN, BEN))
    assert await roster.user_sessions(APP, NEWS, ANN.user) == 2
    assert await roster.remove(APP, NEWS, ONE) == Left(False, ANN)
    assert await roster.remove(APP, NEWS, TWO) == Left(True, ANN)
    assert await roster.members(APP, NEWS) == (BEN,)


async def test_who_was_not_there_cannot_leave(bench: Bench) -> None:
    assert await bench.engine.presence.remove(APP, NEWS, ONE) is None
    await bench.engine.presence.add(APP, NEWS, ONE, ANN, max_members=9)
    assert await bench.engine.presence.remove(APP, NEWS, TWO) is None


async def test_coming_again_changes_the_info_and_tells_nobody(bench: Bench) -> None:
    roster = bench.engine.presence
    await roster.add(APP, NEWS, ONE, ANN, max_members=9)
    await roster.add(APP, NEWS, TWO, BEN, max_members=9)
    changed = Member(ANN.user, b'{"name":"Anna"}')
    assert await roster.add(APP, NEWS, ONE, changed, max_members=9) == Joined(False, (changed, BEN))
    assert await roster.user_sessions(APP, NEWS, ANN.user) == 1
    assert await roster.remove(APP, NEWS, ONE) == Left(True, changed)


async def test_a_full_channel_refuses_new_users_and_not_new_sessions(bench: Bench) -> None:
    roster = bench.engine.presence
    await roster.add(APP, NEWS, ONE, ANN, max_members=1)
    assert not (await roster.add(APP, NEWS, TWO, ANN, max_members=1)).first
    with pytest.raises(Refusal) as refused:
        await roster.add(APP, NEWS, THREE, BEN, max_members=1)
    assert refused.value.name == "presence_full"
    assert await roster.members(APP, NEWS) == (ANN,)
    assert await roster.remove(APP, NEWS, THREE) is None


async def test_channels_and_apps_are_apart(bench: Bench) -> None:
    roster = bench.engine.presence
    await roster.add(APP, NEWS, ONE, ANN, max_members=9)
    assert (await roster.add(APP, SPORT, ONE, ANN, max_members=9)).first
    assert (await roster.add(OTHER, NEWS, ONE, ANN, max_members=9)).first
    await roster.remove(APP, NEWS, ONE)
    assert await roster.members(APP, NEWS) == ()
    assert await roster.members(APP, SPORT) == (ANN,)
    assert await roster.user_sessions(OTHER, NEWS, ANN.user) == 1
