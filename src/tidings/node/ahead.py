"""Reading a change source ahead of the log, within a bound. Holds no rule and no log: the pump takes from it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import msgspec

from tidings.changes import Progress, Transaction
from tidings.sources.base import ChangeSource

AHEAD_BYTES: Final = 4 << 20
"""Transactions read ahead of the log: a few pages of a bulk load, or some thousand small commits."""

TRANSACTION_BYTES: Final = 400
"""What a transaction weighs beside its content: so that thousands of empty ones are bounded too."""


class Read(msgspec.Struct, frozen=True):
    """A transaction, with what the source called it when it gave it: a database that is replaced changes its names."""

    transaction: Transaction
    key: str
    progress: Progress


class Ahead:
    """A task that reads, and a queue that is bounded by bytes. Use as an async context manager."""

    def __init__(self, source: ChangeSource, *, most: int = AHEAD_BYTES) -> None:
        self._source = source
        self._most = most
        self._waiting: deque[Read] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Ahead:
        self._task = asyncio.create_task(self._read())
        self._task.add_done_callback(lambda _: self._changed.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None, "it was not entered"
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # told by `next`, or of no interest any more

    async def next(self) -> Read | None:
        """The next transaction; None when the source has ended. Raises what the source raised, after all it gave."""
        while not self._waiting:
            assert self._task is not None, "it was not entered"
            if self._task.done():
                self._task.result()
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._take()

    def more(self) -> Read | None:
        """A transaction that is there already; None when there is none."""
        return self._take() if self._waiting else None

    def _take(self) -> Read:
        read = self._waiting.popleft()
        self._size -= _weight(read.transaction)
        self._changed.set()
        return read

    async def _read(self) -> None:
        stream = self._source.transactions()
        try:
            async for transaction in stream:
                self._put(transaction)
                while self._size >= self._most:
                    self._changed.clear()
                    await self._changed.wait()
        finally:
            await stream.aclose()  # now, and not when somebody collects it: it holds a connection

    def _put(self, transaction: Transaction) -> None:
        source, checkpoint = self._source, transaction.checkpoint
        progress = Progress(
            source=source.name,
            generation=source.generation,
            checkpoint=checkpoint,
            seals=transaction.seals,
        )
        self._waiting.append(Read(transaction, source.key(checkpoint), progress))
        self._size += _weight(transaction)
        self._changed.set()


def _weight(transaction: Transaction) -> int:
    return TRANSACTION_BYTES + transaction.size
