"""The pump: append before acknowledging, nothing twice after a crash, nothing given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

import pytest
from msgspec.structs import replace

from tests.unit.node.builders import APP
from tidings.changes import Change, Checkpoint, Gap, Transaction
from tidings.engines.base import DeclaredGap, Published
from tidings.engines.memory import MemoryEngine
from tidings.errors import EngineUnavailable, SourceError
from tidings.messages import Message
from tidings.node import pump as module
from tidings.node.metrics import Metrics
from tidings.node.pump import CHUNK, TOGETHER, Pump
from tidings.sources.base import ProgressOf, SourceHealth, no_progress
from tidings.sources.postgres import assembler as of_postgres
from tidings.sources.router import ChangeRouter
from tidings.sources.rules import Rule
from tidings.sources.sqlite import rows as of_sqlite

ROUTER = ChangeRouter([Rule(table="t", channel="row-{id}", insert="made", data={"id": "id"})], {"t": ("id",)})


def transaction(number: int, rows: int = 1, gap: Gap | None = None) -> Transaction:
    changes = tuple(
        Change(table="t", kind="insert", key=("id",), new={"id": f"{number}-{row}"}) for row in range(rows)
    )
    return Transaction(checkpoint=Checkpoint(number), changes=changes, gap=gap)


class ListSource:
    """A source that tells a list, from after the last one acknowledged, as often as it is asked."""

    name = "list"
    generation = "g"

    def __init__(self, *given: Transaction | Exception) -> None:
        self.given = list(given)
        self.acknowledged: list[int] = []

    def key(self, checkpoint: Checkpoint) -> str:
        return f"list:g:{checkpoint.value}"

    async def open(self, progress: ProgressOf = no_progress) -> Mapping[str, Sequence[str]]:
        return {"t": ("id",)}

    async def transactions(self) -> AsyncGenerator[Transaction, None]:
        for one in list(self.given):
            if isinstance(one, Exception):
                self.given.remove(one)
                raise one
            if one.checkpoint.value > max(self.acknowledged, default=0):
                yield one
        await asyncio.Event().wait()

    async def acknowledge(self, checkpoint: Checkpoint) -> None:
        self.acknowledged.append(checkpoint.value)

    async def close(self) -> None:
        return None

    def health(self) -> SourceHealth:
        return SourceHealth(ok=True, lag=0)


class Bench:
    def __init__(self) -> None:
        self.engine = MemoryEngine()
        self.heard: list[Message | DeclaredGap] = []
        self.engine.broker.listen(lambda app, items: self.heard.extend(items))

    async def run(self, source: ListSource, *, until: int) -> None:
        pump = Pump(APP, source, ROUTER, self.engine.broker, Metrics())
        await pump.open()
        task = asyncio.create_task(pump.run())
        try:
            async with asyncio.timeout(10):
                while max(source.acknowledged, default=0) < until:
                    await asyncio.sleep(0.001)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def channels(self) -> list[str]:
        return [item.channel if isinstance(item, Message) else f"gap {item.pattern}" for item in self.heard]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.engine.open()
    yield bench
    await bench.engine.close()


async def test_a_transaction_is_acknowledged_after_its_messages_are_in_the_log(bench: Bench) -> None:
    source = ListSource(transaction(1), transaction(2, rows=3))
    await bench.run(source, until=2)
    assert bench.channels == ["row-1-0", "row-2-0", "row-2-1", "row-2-2"]


async def test_a_crash_before_the_acknowledgement_repeats_nothing(bench: Bench) -> None:
    source = ListSource(transaction(1, rows=2))
    await bench.run(source, until=1)
    source.acknowledged.clear()  # as if the process had died between appending and acknowledging
    await bench.run(source, until=1)
    assert bench.channels == ["row-1-0", "row-1-1"]


async def test_a_huge_transaction_goes_in_chunks_and_in_order(bench: Bench) -> None:
    await bench.run(ListSource(transaction(1, rows=2 * CHUNK + 7)), until=1)
    assert bench.channels == [f"row-1-{row}" for row in range(2 * CHUNK + 7)]


async def test_a_log_that_is_unavailable_is_tried_until_it_is_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", (0.001,))
    publish, failures = bench.engine.broker.publish, [1, 2, 3]

    async def flaky(*given: object, **named: object) -> Published:
        if failures:
            failures.pop()
            raise EngineUnavailable("not now")
        return await publish(*given, **named)  # type: ignore[arg-type]

    bench.engine.broker.publish = flaky  # type: ignore[method-assign]
    await bench.run(ListSource(transaction(1)), until=1)
    assert bench.channels == ["row-1-0"]


async def test_a_source_that_fails_is_asked_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", (0.001,))
    await bench.run(ListSource(transaction(1), SourceError("gone"), transaction(2)), until=2)
    assert bench.channels == ["row-1-0", "row-2-0"]


async def test_a_gap_is_declared_before_what_follows_also_in_an_empty_log(bench: Bench) -> None:
    gap = Gap("replaced")
    await bench.run(ListSource(transaction(1, gap=gap), transaction(2, gap=gap)), until=2)
    assert bench.channels == ["gap row-*", "row-1-0", "gap row-*", "row-2-0"]


async def test_the_first_capture_of_a_database_is_no_gap_while_the_log_is_empty(bench: Bench) -> None:
    first = Gap("source", first=True)
    await bench.run(ListSource(transaction(1, gap=first), transaction(2, gap=first)), until=2)
    assert bench.channels == ["row-1-0", "gap row-*", "row-2-0"]


def counting(bench: Bench) -> list[int]:
    """How many messages each step has, as they are appended."""
    publishes: list[int] = []
    publish = bench.engine.broker.publish

    async def counted(app: object, messages: Sequence[Message], **named: object) -> Published:
        publishes.append(len(messages))
        return await publish(app, messages, **named)  # type: ignore[arg-type]

    bench.engine.broker.publish = counted  # type: ignore[method-assign]
    return publishes


async def test_commits_that_wait_together_are_appended_together(bench: Bench) -> None:
    publishes = counting(bench)
    source = ListSource(*(transaction(number) for number in range(1, CHUNK + 11)))
    await bench.run(source, until=CHUNK + 10)
    assert sum(publishes) == CHUNK + 10
    assert len(publishes) < 10
    assert max(publishes) <= TOGETHER
    assert bench.channels == [f"row-{number}-0" for number in range(1, CHUNK + 11)]


async def test_a_page_of_a_source_stays_whole(bench: Bench) -> None:
    """Where a change is one message: else a reader would see half of a small commit."""
    assert max(of_postgres.PAGE_CHANGES, of_sqlite.PAGE_CHANGES) <= CHUNK
    publishes = counting(bench)
    await bench.run(ListSource(transaction(1), transaction(2, rows=CHUNK), transaction(3)), until=3)
    assert publishes == [1, CHUNK, 1]


async def test_what_the_log_has_is_not_appended_again_however_the_commits_are_grouped(bench: Bench) -> None:
    await bench.run(ListSource(transaction(1), transaction(2, rows=2)), until=2)
    await bench.run(ListSource(transaction(1)), until=1)
    await bench.run(ListSource(transaction(2, rows=2), transaction(3)), until=3)
    assert bench.channels == ["row-1-0", "row-2-0", "row-2-1", "row-3-0"]


async def test_seals_reach_the_log_though_commits_without_any_follow_in_the_batch(bench: Bench) -> None:
    sealed = replace(transaction(1), seals={"t": "1"})
    await bench.run(ListSource(sealed, transaction(2)), until=2)
    kept = await bench.engine.broker.progress(APP, "list")
    assert kept is not None
    assert (kept.checkpoint, kept.seals) == (Checkpoint(2), {"t": "1"})


async def test_seals_alone_are_stored_at_a_checkpoint_that_is_there_already(bench: Bench) -> None:
    await bench.run(ListSource(transaction(1)), until=1)
    news = Transaction(checkpoint=Checkpoint(1), seals={"t": "2"})
    await bench.run(ListSource(news, transaction(2)), until=2)
    kept = await bench.engine.broker.progress(APP, "list")
    assert kept is not None
    assert kept.seals == {"t": "2"}


async def test_seals_of_what_is_covered_do_not_come_back(bench: Bench) -> None:
    await bench.run(ListSource(replace(transaction(2), seals={"t": "new"})), until=2)
    repeated = ListSource(replace(transaction(1), seals={"t": "old"}), transaction(3))
    await bench.run(repeated, until=3)
    kept = await bench.engine.broker.progress(APP, "list")
    assert kept is not None
    assert kept.seals == {"t": "new"}
