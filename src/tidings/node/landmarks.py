"""Where in the log a source's latest commits lie. Holds numbers only: who asks is a reader that wants to follow on.

A state of a table that holds all commits up to a checkpoint, and nothing after, is continued by the cursor at which the
log holds the same commits. That needs the offset of the last message of each commit, for a while.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from typing import Final

from tidings.changes import Checkpoint, Progress
from tidings.messages import Position

KEPT: Final = 20_000
"""Commits whose place is known: seconds of the busiest source. A reader needs them for as long as it takes to read."""


class Landmarks:
    """The commits of one source and one generation in one log, oldest first."""

    def __init__(self) -> None:
        self._generation = ""
        self._epoch = ""
        self._checkpoints: deque[Checkpoint] = deque()
        self._offsets: deque[int] = deque()
        self._floor: Checkpoint | None = None  # what was forgotten lies up to here
        self._base = 0  # offset of the log when nothing that is known had been written
        self._reached: Checkpoint | None = None
        self._news = asyncio.Event()

    def begin(self, generation: str, head: Position, progress: Progress | None = None) -> None:
        """Begin anew: all that the source told so far, up to `progress`, lies at or before `head`."""
        self._generation, self._epoch, self._base = generation, head.epoch, head.offset
        self._checkpoints.clear()
        self._offsets.clear()
        self._floor = self._reached = None
        if progress is not None and progress.generation == generation:
            self._reached = progress.checkpoint
        self._wake()

    def follows(self, generation: str) -> bool:
        """Whether this is the generation whose commits are known."""
        return generation == self._generation

    def passed(self, generation: str, checkpoint: Checkpoint, offset: int) -> None:
        """The last message of a commit lies at `offset`."""
        if generation != self._generation:
            return
        self._checkpoints.append(checkpoint)
        self._offsets.append(offset)
        if len(self._checkpoints) > KEPT:
            self._floor, self._base = self._checkpoints.popleft(), self._offsets.popleft()

    def reached(self, generation: str, checkpoint: Checkpoint) -> None:
        """All up to here is in the log."""
        if generation == self._generation:
            self._reached = checkpoint
            self._wake()

    async def position(self, generation: str, checkpoint: Checkpoint) -> Position | None:
        """Where the log holds all up to a checkpoint and nothing of the source after it; waits until it does.

        None when that can no longer be said: so much was written since, or the source began anew. Bounded by the
        caller's own limit of time.
        """
        while generation == self._generation and (self._reached is None or self._reached < checkpoint):
            await self._news.wait()
        if generation != self._generation or (self._floor is not None and checkpoint < self._floor):
            return None
        before = bisect_right(self._checkpoints, checkpoint)
        return Position(self._epoch, self._offsets[before - 1] if before else self._base)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
