"""Reading ahead: in order, within a bound, and what the source raised comes after all that it gave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tidings.changes import Checkpoint, Transaction
from tidings.errors import SourceError
from tidings.node.ahead import TRANSACTION_BYTES, Ahead


class Told:
    """A source that tells so many transactions, then raises or ends. given: how many it was asked for so far."""

    name = "told"
    generation = "g"

    def __init__(self, count: int, *, size: int = 0, error: Exception | None = None) -> None:
        self.count = count
        self.size = size
        self.error = error
        self.given = 0
        self.closed = False

    def key(self, checkpoint: Checkpoint) -> str:
        return f"{self.generation}:{checkpoint.value}"

    async def transactions(self) -> AsyncGenerator[Transaction, None]:
        try:
            for number in range(1, self.count + 1):
                self.given = number
                yield Transaction(checkpoint=Checkpoint(number), size=self.size)
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


def ahead_of(source: Any, most: int = 1 << 20) -> Ahead:
    return Ahead(source, most=most)


async def test_what_is_there_already_is_taken_without_waiting() -> None:
    async with ahead_of(Told(3)) as ahead:
        first = await ahead.next()
        assert first is not None
        assert (first.key, first.progress.checkpoint) == ("g:1", Checkpoint(1))
        rest = [ahead.more(), ahead.more(), ahead.more()]
        assert [read.transaction.checkpoint.value for read in rest if read is not None] == [2, 3]
        assert await ahead.next() is None


async def test_no_more_is_read_than_the_bound() -> None:
    source = Told(100, size=1000)
    async with ahead_of(source, most=3 * (1000 + TRANSACTION_BYTES)) as ahead:
        await ahead.next()
        for _ in range(20):
            await asyncio.sleep(0)
        assert source.given <= 5
        for _ in range(99):
            assert await ahead.next() is not None
        assert await ahead.next() is None


async def test_what_the_source_raises_comes_after_all_it_gave() -> None:
    async with ahead_of(Told(2, error=SourceError("gone"))) as ahead:
        assert await ahead.next() is not None
        assert await ahead.next() is not None
        with pytest.raises(SourceError, match="gone"):
            await ahead.next()


async def test_leaving_closes_the_source_at_once() -> None:
    source = Told(100, size=1 << 20)
    async with ahead_of(source, most=1) as ahead:
        await ahead.next()
        assert not source.closed
    assert source.closed


async def test_the_name_of_a_transaction_is_asked_when_it_is_given() -> None:
    source = Told(2)
    async with ahead_of(source) as ahead:
        await ahead.next()
        source.generation = "later"
        second = ahead.more()
        assert second is not None
        assert second.key == "g:2"
