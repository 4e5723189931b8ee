"""Which cursor holds all commits up to a checkpoint and none after it."""

from __future__ import annotations

import asyncio

import pytest

from tidings.changes import Checkpoint, Progress
from tidings.messages import Position
from tidings.node import landmarks as module
from tidings.node.landmarks import Landmarks

EPOCH = "0a1b2c3d"


def made(*commits: tuple[int, int], base: int = 10) -> Landmarks:
    landmarks = Landmarks()
    landmarks.begin("g", Position(EPOCH, base))
    for value, offset in commits:
        landmarks.passed("g", Checkpoint(value), offset)
        landmarks.reached("g", Checkpoint(value))
    return landmarks


@pytest.mark.parametrize(("value", "offset"), [(4, 10), (5, 20), (6, 20), (7, 30)])
async def test_a_cursor_stands_behind_the_last_commit_that_is_in(value: int, offset: int) -> None:
    landmarks = made((5, 20), (7, 30))
    assert await landmarks.position("g", Checkpoint(value)) == Position(EPOCH, offset)


async def test_what_the_log_has_not_yet_is_waited_for() -> None:
    landmarks = made((5, 20))
    waiting = asyncio.create_task(landmarks.position("g", Checkpoint(8)))
    await asyncio.sleep(0)
    assert not waiting.done()
    landmarks.reached("g", Checkpoint(7))
    await asyncio.sleep(0)
    assert not waiting.done()
    landmarks.passed("g", Checkpoint(9), 40)
    landmarks.reached("g", Checkpoint(9))
    assert await waiting == Position(EPOCH, 20)


async def test_progress_that_the_log_has_from_before_need_not_be_waited_for() -> None:
    landmarks = Landmarks()
    progress = Progress(source="s", generation="g", checkpoint=Checkpoint(5))
    landmarks.begin("g", Position(EPOCH, 10), progress)
    assert await landmarks.position("g", Checkpoint(5)) == Position(EPOCH, 10)


async def test_what_was_forgotten_or_began_anew_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    landmarks = made((5, 20), (7, 30), (9, 40), (11, 50))
    assert await landmarks.position("g", Checkpoint(6)) is None
    assert await landmarks.position("g", Checkpoint(8)) == Position(EPOCH, 30)
    assert await landmarks.position("other", Checkpoint(1)) is None
    waiting = asyncio.create_task(landmarks.position("g", Checkpoint(99)))
    await asyncio.sleep(0)
    landmarks.begin("h", Position(EPOCH, 60))
    assert await waiting is None
    assert landmarks.follows("h")


async def test_commits_of_another_generation_are_passed_over() -> None:
    landmarks = made((5, 20))
    landmarks.passed("old", Checkpoint(6), 30)
    landmarks.reached("old", Checkpoint(99))
    landmarks.reached("g", Checkpoint(6))
    assert await landmarks.position("g", Checkpoint(6)) == Position(EPOCH, 20)
