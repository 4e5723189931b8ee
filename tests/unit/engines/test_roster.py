"""The roster of one process, beyond what every engine's presence must do."""

from __future__ import annotations

import pytest

from tests.engines.harness import APP, NEWS
from tidings.engines.roster import LocalRoster
from tidings.errors import Refusal
from tidings.ids import SessionId, UserId
from tidings.presence import Left, Member

ANN, BEN = Member(UserId("ann")), Member(UserId("ben"))
ONE, TWO = SessionId("1.1"), SessionId("2.2")


async def test_a_session_that_comes_again_as_another_user_gives_up_the_former() -> None:
    roster = LocalRoster()
    await roster.add(APP, NEWS, ONE, ANN, max_members=9)
    joined = await roster.add(APP, NEWS, ONE, BEN, max_members=9)
    assert joined.first
    assert joined.members == (BEN,)
    assert await roster.remove(APP, NEWS, ONE) == Left(True, BEN)


async def test_empty_channels_take_no_place() -> None:
    roster = LocalRoster()
    for session in (ONE, TWO):
        await roster.add(APP, NEWS, session, ANN, max_members=9)
    for session in (ONE, TWO):
        await roster.remove(APP, NEWS, session)
    assert roster._rooms == {}


async def test_a_refused_arrival_leaves_no_empty_channel() -> None:
    roster = LocalRoster()
    with pytest.raises(Refusal, match="limit 0"):
        await roster.add(APP, NEWS, ONE, ANN, max_members=0)
    assert roster._rooms == {}
