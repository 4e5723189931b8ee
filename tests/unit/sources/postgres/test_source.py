"""PostgresSource: what it promises over one short life. Its troubles have files of their own in tests/sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.changes import Checkpoint, Gap, Progress, Transaction
from tidings.errors import SourceError
from tidings.sources.base import ChangeSource, SnapshotSource, Wanted
from tidings.sources.postgres import PostgresSource, source
from tidings.sources.postgres.pgoutput.frames import Keepalive
from tidings.sources.postgres.seals import LEAVES, Found, Horizon
from tidings.sources.postgres.source import _Idle
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
    monkeypatch.setattr(source, "IDLE_SECONDS", 0.01)
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


def test_news_are_told_with_their_seals_once_the_log_is_told_up_to_there() -> None:
    one = PostgresSource("postgresql://", ["p"])
    one._keeper.begin({"p": "1"})
    commit = Transaction(checkpoint=Checkpoint(1))
    assert one._with_leaves(commit, {}) is commit
    assert one._with_leaves(commit, {9: "p"}).seals == {"p": "1", LEAVES: '{"9":"p"}'}
    found = Found(seals={"p": "2"}, horizon=Horizon(1, 1))
    one._news.append((500, one._keeper.compare(found)))
    idle = _Idle(Checkpoint(100), now=0.0)
    assert one._ripe(idle) is None
    idle.note(keepalive(500), settled=True)
    told = one._ripe(idle)
    assert told is not None
    assert told.gap is not None
    assert (told.gap.tables, told.seals) == (("p",), {"p": "2", LEAVES: '{"9":"p"}'})
    assert one._ripe(idle) is None


# ── what keepalives say


def keepalive(end: int, *, reply_now: bool = False) -> Keepalive:
    return Keepalive(end, 0, reply_now)


def test_a_position_is_noted_once_and_not_too_often() -> None:
    idle = _Idle(Checkpoint(100), now=0.0)
    idle.note(keepalive(101), settled=True)
    assert not idle.due(10.0, hurry=True)  # nothing new
    idle.note(keepalive(200), settled=True)
    assert not idle.due(0.5, hurry=False)
    assert idle.due(0.5, hurry=True)
    assert idle.due(1.0, hurry=False)
    assert idle.take(1.0) == Checkpoint(199)
    assert not idle.due(9.0, hurry=True)


def test_within_a_commit_a_keepalive_says_nothing() -> None:
    idle = _Idle(Checkpoint(100), now=0.0)
    idle.note(keepalive(200), settled=False)
    assert not idle.due(9.0, hurry=True)


def test_a_server_that_asks_is_answered_at_once() -> None:
    idle = _Idle(Checkpoint(100), now=0.0)
    idle.note(keepalive(200, reply_now=True), settled=True)
    assert idle.due(0.0, hurry=False)


def test_what_is_told_reaches_to_its_last_commit_or_as_far_as_the_server_saw_nothing_for_us() -> None:
    assert _Idle(Checkpoint(100), now=0.0).reached == 101
    idle = _Idle(Checkpoint(100, 7), now=0.0)
    assert idle.reached == 100  # the rest of that commit is to come
    idle.note(keepalive(200), settled=True)
    assert idle.reached == 200


def test_a_commit_that_was_told_in_part_is_not_called_whole() -> None:
    assert _Idle(Checkpoint(100, 7), now=0.0).told == Checkpoint(100, 7)


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
