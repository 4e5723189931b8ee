"""PostgresSource: what it promises over one short life. Its troubles have files of their own in tests/sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.changes import Checkpoint, Gap, Progress, Transaction
from tidings.errors import SourceError
from tidings.sources.base import ChangeSource, SnapshotSource, Wanted
from tidings.sources.postgres import PostgresSource, following, source
from tidings.sources.postgres.stream import Stream, StreamFailed

PATIENCE = 20.0
TABLE = "CREATE TABLE t (id int PRIMARY KEY)"


@pytest.fixture
async def made(newest_postgres: Database) -> AsyncIterator[PostgresSource]:
    newest_postgres.run(TABLE)
    one = PostgresSource(newest_postgres.url, ["t"], name=newest_postgres.name)
    yield one
    await one.close()


async def take(stream: AsyncIterator[Transaction]) -> Transaction:
    return await asyncio.wait_for(anext(stream), PATIENCE)


def progress_of(source: PostgresSource, told: Transaction) -> Progress:
    """What the log has after this transaction."""
    return Progress(
        source=source.name, generation=source.generation, checkpoint=told.checkpoint, seals=told.seals
    )


def test_it_is_what_the_ports_ask_for() -> None:
    one: ChangeSource = PostgresSource("postgresql://", ["t"])
    assert isinstance(one, SnapshotSource)


@pytest.mark.parametrize("name", ["", "a b", "x" * 49, "a:b", "é"])
def test_a_name_that_cannot_stand_in_ids_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match="not allowed"):
        PostgresSource("postgresql://", name=name)


async def test_keys_are_of_name_generation_and_place(made: PostgresSource) -> None:
    await made.open()
    stream = made.transactions()
    first = await take(stream)
    assert first.gap == Gap("source", first=True)
    key = made.key(Checkpoint(0x1F, 3))
    assert key == f"{made.name}:{made.generation}:1f.3"
    assert len(made.key(Checkpoint(2**64 - 1))) <= 128
    await stream.aclose()


async def test_a_first_capture_begins_when_it_is_opened(
    made: PostgresSource, newest_postgres: Database
) -> None:
    await made.open()
    newest_postgres.run("INSERT INTO t VALUES (1)")
    stream = made.transactions()
    assert (await take(stream)).gap is not None
    assert [change.row for change in (await take(stream)).changes] == [{"id": 1}]
    await stream.aclose()


async def test_an_idle_database_is_noted_so_that_the_server_may_forget(
    made: PostgresSource, newest_postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "IDLE_SECONDS", 0.01)
    await made.open()
    stream = made.transactions()
    gap = await take(stream)
    await made.acknowledge(gap.checkpoint)
    newest_postgres.run("CREATE TABLE other AS SELECT 1 AS x")
    noted = await take(stream)
    assert (noted.changes, noted.gap) == ((), None)
    assert noted.checkpoint > gap.checkpoint
    await stream.aclose()


async def test_another_process_that_read_on_meanwhile_is_seen_before_anything_is_told(
    made: PostgresSource, newest_postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Race: the log is asked, another reader appends and dies, and only then is the slot ours."""
    monkeypatch.setattr(source, "RETRY_SECONDS", (0.001, 0.001))
    told: list[Progress | None] = []

    async def progress() -> Progress | None:
        return told[-1] if told else None

    await made.open(progress)
    stream = made.transactions()
    gap = await take(stream)
    told.append(progress_of(made, gap))
    await stream.aclose()
    newest_postgres.run("INSERT INTO t VALUES (1)")
    asked = 0
    stale = told[-1]
    stream = made.transactions()
    first = await take(stream)
    told.append(progress_of(made, first).upon(told[-1]))
    await stream.aclose()

    async def late() -> Progress | None:
        nonlocal asked
        asked += 1
        return stale if asked == 1 else told[-1]

    made._progress = late
    newest_postgres.run("INSERT INTO t VALUES (2)")
    stream = made.transactions()
    assert [change.row for change in (await take(stream)).changes] == [{"id": 2}]
    assert asked == 4
    await stream.aclose()


async def test_a_snapshot_stands_at_a_checkpoint_that_is_reached_soon(
    made: PostgresSource, newest_postgres: Database
) -> None:
    await made.open()
    newest_postgres.run("INSERT INTO t VALUES (1)")
    stream = made.transactions()
    reached = (await take(stream)).checkpoint
    found = await made.snapshot([Wanted(table="t")], most=10)
    assert found.rows == ((b'{"id": 1}',),)
    assert found.generation == made.generation
    while reached < found.checkpoint:
        transaction = await take(stream)
        await made.acknowledge(transaction.checkpoint)
        reached = transaction.checkpoint
    with pytest.raises(SourceError, match="no table"):
        await made.snapshot([Wanted(table="none")], most=1)
    await stream.aclose()


async def test_a_closed_source_ends_its_transactions(made: PostgresSource) -> None:
    await made.open()
    stream = made.transactions()
    await take(stream)
    waiting = asyncio.create_task(take(stream))
    await asyncio.sleep(0)
    await made.close()
    with pytest.raises((StopAsyncIteration, RuntimeError)):
        await waiting


async def test_a_source_that_is_closed_while_it_connects_ends_its_transactions(
    made: PostgresSource, newest_postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nobody follows yet who could be stopped, and with nothing to tell first the generator does not return."""
    await made.open()
    stream = made.transactions()
    known = progress_of(made, await take(stream))
    await stream.aclose()
    begun, starts, goes_on = Stream.start, asyncio.Event(), asyncio.Event()

    async def start(self: Stream, *given: object, streaming: bool) -> None:
        await begun(self, *given, streaming=streaming)  # type: ignore[arg-type]
        starts.set()
        await goes_on.wait()

    async def progress() -> Progress:
        return known

    monkeypatch.setattr(Stream, "start", start)
    await made.open(progress)
    waiting = asyncio.create_task(take(made.transactions()))
    await asyncio.wait_for(starts.wait(), PATIENCE)
    await made.close()
    goes_on.set()
    with pytest.raises(StopAsyncIteration):
        await waiting


@pytest.mark.parametrize(("failures", "gap"), [(3, None), (6, "cannot tell its own log")])
async def test_a_place_that_cannot_be_read_is_tried_without_streaming_and_then_passed_as_a_gap(
    made: PostgresSource,
    newest_postgres: Database,
    monkeypatch: pytest.MonkeyPatch,
    failures: int,
    gap: str | None,
) -> None:
    await made.open()
    stream = made.transactions()
    first = await take(stream)
    known = progress_of(made, first)
    await stream.aclose()

    async def progress() -> Progress:
        return known

    await made.open(progress)
    begun, streamed = Stream.start, []

    async def start(self: Stream, *given: object, streaming: bool) -> None:
        streamed.append(streaming)
        if len(streamed) <= failures:
            raise StreamFailed("the server cannot tell its own log")
        await begun(self, *given, streaming=streaming)  # type: ignore[arg-type]

    monkeypatch.setattr(source, "RETRY_SECONDS", (0.001, 0.001))
    monkeypatch.setattr(Stream, "start", start)
    newest_postgres.run("INSERT INTO t VALUES (1)")
    stream = made.transactions()
    told = await take(stream)
    assert streamed == [True] * 3 + [False] * (failures - 2)
    if gap is None:
        assert [change.row for change in told.changes] == [{"id": 1}]
    else:
        assert told.gap is not None
        assert gap in told.gap.reason
    await stream.aclose()
