"""The replication connection: it begins, gives frames, says how far we are, and ends, whatever the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from tests.fixtures.fix_postgres import Database
from tidings.errors import SourceError
from tidings.sources.postgres.pgoutput.frames import Keepalive, XLogData
from tidings.sources.postgres.setup import Names
from tidings.sources.postgres.stream import SlotBusy, SlotLost, Stream

PATIENCE = 20.0


@pytest.fixture
def names(newest_postgres: Database) -> Names:
    """Publication and slot, made."""
    found = Names.of(newest_postgres.name)
    newest_postgres.run(
        "CREATE TABLE t (id int PRIMARY KEY)",
        f"CREATE PUBLICATION {found.publication} FOR TABLE t",
        f"SELECT pg_create_logical_replication_slot('{found.slot}', 'pgoutput')",
    )
    return found


@pytest.fixture
async def stream(newest_postgres: Database) -> AsyncIterator[Stream]:
    made = await Stream.connect(newest_postgres.url)
    yield made
    await made.close()


async def payloads(stream: Stream, count: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            frame = stream.next()
            if isinstance(frame, XLogData):
                found.append(frame.payload)
            elif frame is None:
                await stream.wait(1)
    return found


async def test_it_says_whom_it_is_connected_to(newest_postgres: Database, stream: Stream) -> None:
    server = await stream.identify()
    ((system,),) = newest_postgres.rows("SELECT system_identifier FROM pg_control_system()")
    assert (server.system, server.timeline) == (system & (2**64 - 1), 1)
    assert server.written


async def test_it_gives_what_is_committed(newest_postgres: Database, names: Names, stream: Stream) -> None:
    await stream.start(names, 0, streaming=True)
    newest_postgres.run("INSERT INTO t VALUES (7)")
    assert [payload[:1] for payload in await payloads(stream, 4)] == [b"B", b"R", b"I", b"C"]


async def test_what_is_confirmed_the_server_knows_at_the_latest_when_it_is_closed(
    newest_postgres: Database, names: Names, stream: Stream
) -> None:
    await stream.start(names, 0, streaming=True)
    newest_postgres.run("INSERT INTO t VALUES (7)")
    await payloads(stream, 4)
    ((end,),) = newest_postgres.rows("SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')")
    stream.confirm(int(end))
    assert stream.confirmed == int(end)
    await stream.close()
    confirmed = "SELECT pg_wal_lsn_diff(confirmed_flush_lsn, '0/0') FROM pg_replication_slots"
    sql = f"{confirmed} WHERE slot_name = '{names.slot}'"
    async with asyncio.timeout(PATIENCE):
        while int(newest_postgres.rows(sql)[0][0]) != int(end):
            await asyncio.sleep(0.01)


async def test_it_answers_when_it_is_asked(names: Names, stream: Stream) -> None:
    await stream.start(names, 0, streaming=False)
    stream.ask()
    async with asyncio.timeout(PATIENCE):
        while not isinstance(stream.next(), Keepalive):
            await stream.wait(1)


async def test_a_slot_that_is_read_is_busy(newest_postgres: Database, names: Names, stream: Stream) -> None:
    await stream.start(names, 0, streaming=True)
    second = await Stream.connect(newest_postgres.url)
    with pytest.raises(SlotBusy):
        await second.start(names, 0, streaming=True)
    await second.close()


async def test_a_slot_that_is_not_there_is_lost(stream: Stream) -> None:
    with pytest.raises(SlotLost, match="does not exist"):
        await stream.start(Names("tidings_none", "tidings_none"), 0, streaming=True)


async def test_a_broken_connection_is_an_error_of_the_source_and_can_be_closed(
    newest_postgres: Database, names: Names, stream: Stream
) -> None:
    await stream.start(names, 0, streaming=True)
    terminate = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{}'"
    newest_postgres.run(terminate.format(names.slot))
    with pytest.raises(SourceError):
        await payloads(stream, 1)
    await stream.close()
    await stream.close()


async def test_the_socket_is_watched_only_while_somebody_waits(
    newest_postgres: Database, names: Names, stream: Stream
) -> None:
    """Otherwise the loop would spin over what is there while the log cannot be written."""
    await stream.start(names, 0, streaming=True)
    newest_postgres.run("INSERT INTO t VALUES (1)")
    await payloads(stream, 4)
    assert not asyncio.get_running_loop().remove_reader(stream._socket)


async def test_a_wait_ends_when_somebody_wakes_it(names: Names, stream: Stream) -> None:
    await stream.start(names, 0, streaming=True)
    waiting = asyncio.create_task(stream.wait(PATIENCE * 2))
    await asyncio.sleep(0)
    stream.wake()
    await asyncio.wait_for(waiting, PATIENCE)


async def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    with pytest.raises(SourceError, match="for replication") as caught:
        await Stream.connect("postgresql://me:hunter2@/db?host=/nowhere")
    assert "hunter2" not in str(caught.value)


async def test_a_cancelled_beginning_leaves_no_connection(
    newest_postgres: Database, names: Names, stream: Stream
) -> None:
    starting = asyncio.create_task(stream.start(names, 0, streaming=True))
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    await stream.close()
    busy = f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{names.slot}' AND active"
    async with asyncio.timeout(PATIENCE):
        while newest_postgres.rows(busy) != [(0,)]:
            await asyncio.sleep(0.01)
    assert isinstance(stream._connection, psycopg.AsyncConnection)
    assert stream._connection.closed
