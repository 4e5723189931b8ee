"""The loop's side of the log: one hop for all of a turn, cursors gathered, and put back when the disk refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines.harness import APP, NEWS, Bench, message, opened, until
from tidings.engines.base import Held
from tidings.engines.sqlite import SqliteEngine
from tidings.engines.sqlite import log as module
from tidings.engines.sqlite.items import Group
from tidings.engines.sqlite.log import SqliteLog
from tidings.engines.sqlite.writer import Batch
from tidings.errors import EngineUnavailable
from tidings.ids import ClientId

HELD = Held(epoch="0000000a", connections=1, channels={NEWS: 1})
CLIENT = ClientId("client")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(SqliteEngine(tmp_path / "log.db")) as bench:
        yield bench


def log_of(bench: Bench) -> SqliteLog:
    assert isinstance(bench.engine, SqliteEngine)
    return bench.engine.broker


async def test_all_publishes_of_one_turn_go_over_together(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = log_of(bench)._threads
    assert threads is not None
    handed: list[int] = []
    put = threads[0].put

    def counting(batch: Batch) -> None:
        handed.append(len(batch.items))
        put(batch)

    monkeypatch.setattr(threads[0], "put", counting)
    await asyncio.gather(*[bench.say(NEWS, b"1") for _ in range(64)])
    assert handed == [64]


async def test_held_cursors_reach_the_file_by_themselves(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HOLD_SECONDS", 0.01)
    log = log_of(bench)
    log.hold(APP, CLIENT, HELD)

    async def written() -> bool:
        return not log._cursors and not log._writing

    await until(written)
    assert await log.held(APP, CLIENT) == HELD


async def test_cursors_that_were_not_written_are_kept_unless_there_are_newer(bench: Bench) -> None:
    log = log_of(bench)
    newer = Held(epoch="0000000a", connections=2, channels={})
    refused = {(APP, CLIENT): HELD, (APP, ClientId("other")): HELD}
    log._writing.append(refused)
    log.hold(APP, CLIENT, newer)
    log._take_groups([Group(cursors=[refused], written=False)], None)
    assert await log.held(APP, CLIENT) == newer
    assert await log.held(APP, ClientId("other")) == HELD
    assert log._writing == []


async def test_what_waited_is_counted_down_again(bench: Bench) -> None:
    log = log_of(bench)
    tasks = [asyncio.create_task(log.publish(APP, [message(NEWS, b"12345")])) for _ in range(9)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await bench.say(NEWS, b"1")
    assert (log._waiting, log._waiting_bytes, log._reads) == (0, 0, 0)


async def test_settled_cursors_are_in_the_file_and_share_a_commit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(bench)
    threads = log._threads
    assert threads is not None
    handed: list[int] = []
    put = threads[0].put

    def counting(batch: Batch) -> None:
        handed.append(len(batch.cursors))
        put(batch)

    monkeypatch.setattr(threads[0], "put", counting)
    clients = [ClientId(f"c{number}") for number in range(20)]

    async def join(client: ClientId) -> None:
        log.hold(APP, client, HELD)
        await log.settle()

    await asyncio.gather(*map(join, clients))
    assert handed == [1]
    assert not log._cursors
    assert not log._writing
    assert [await log.held(APP, client) for client in clients] == [HELD] * 20
    await log.settle()  # nothing waits: at once


async def test_settling_says_when_the_disk_refuses(bench: Bench) -> None:
    log = log_of(bench)
    log.hold(APP, CLIENT, HELD)
    settling = asyncio.create_task(log.settle())
    await asyncio.sleep(0)
    refused = log._cursors
    log._writing.append(refused)
    log._settled[id(refused)], log._settling = log._settling, []
    log._cursors = {}
    log._take_groups([Group(cursors=[refused], written=False)], None)
    with pytest.raises(EngineUnavailable):
        await settling
    assert await log.held(APP, CLIENT) == HELD
