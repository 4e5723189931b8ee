"""What the log holds is exactly what was committed, in its order, whoever is killed: short forms of the campaign."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest

from campaigns.capture import Settings, run
from tests.fixtures.fix_postgres import MAJORS
from tests.sources.rigs import PATIENCE, PostgresRig, until
from tidings.engines.base import DeclaredGap
from tidings.engines.memory import MemoryEngine
from tidings.hub.channel import ChannelOptions, Retention
from tidings.ids import AppId
from tidings.messages import Message
from tidings.node.metrics import Metrics
from tidings.node.pump import Pump
from tidings.sources.postgres import PostgresSource, source
from tidings.sources.router import ChangeRouter
from tidings.sources.rules import Rule

APP = AppId("1001")
TAKEOVERS = 50
ALL = ChannelOptions(history=Retention(count=2**40, bytes=2**50, age=1e9))


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("work_mem", ["64kB", "64MB"], ids=["streamed", "whole"])
def test_a_log_through_kills_of_reader_and_server_is_what_was_committed(
    tmp_path: Path, major: str, work_mem: str
) -> None:
    outcome = run(Settings(300, 3, seed=int(major), major=major, work_mem=work_mem), tmp_path)
    assert outcome.verdict.counts == (0, 0, 0, 0), outcome.verdict.faults
    assert outcome.strikes.total() == 3
    assert outcome.verdict.commits > 100


# ── one log, many readers


class Node:
    """A pump with its source, as one process has them."""

    def __init__(self, rig: PostgresRig, engine: MemoryEngine) -> None:
        self.source = PostgresSource(rig.database.url, ["tasks"], name=rig.name)
        self._engine = engine
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        columns = await self.source.open(lambda: self._engine.broker.progress(APP, self.source.name))
        rules = [Rule(table="tasks", channel="all", deliver="change")]
        pump = Pump(APP, self.source, ChangeRouter(rules, columns), self._engine.broker, Metrics())
        await pump.open()
        self._task = asyncio.create_task(pump.run())

    async def die(self) -> None:
        """As abruptly as a process can end within ours: the connection is cut first, then nobody runs any more."""
        stream = self.source._stream
        if stream is not None:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(stream._socket)) as cut:
                cut.shutdown(socket.SHUT_RDWR)
        assert self._task is not None, "it was started"
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.source.close()


class Writer(threading.Thread):
    """Inserts one row after the other until told to stop."""

    def __init__(self, rig: PostgresRig) -> None:
        super().__init__(daemon=True)
        self._rig = rig
        self.enough = threading.Event()
        self.written = 0

    def run(self) -> None:
        with self._rig.database.connect() as connection:
            while not self.enough.is_set():
                connection.execute("INSERT INTO tasks VALUES (%s)", [self.written + 1])
                self.written += 1


async def test_fifty_takeovers_while_somebody_writes_lose_and_repeat_nothing(
    newest_pg: PostgresRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "STANDBY_SECONDS", 0.02)
    newest_pg.execute("CREATE TABLE tasks (id int PRIMARY KEY)")
    engine = MemoryEngine(options=lambda app, channel: ALL)
    heard: list[Message | DeclaredGap] = []
    engine.broker.listen(lambda app, items: heard.extend(items))
    await engine.open()
    writer = Writer(newest_pg)
    active, standby = Node(newest_pg, engine), Node(newest_pg, engine)
    await active.start()
    await until(lambda: active.source.health().ok)
    await standby.start()
    writer.start()
    for _ in range(TAKEOVERS):
        before = len(heard)
        await until(lambda before=before: len(heard) > before)  # type: ignore[misc]
        await active.die()
        active, standby = standby, Node(newest_pg, engine)
        await standby.start()
    writer.enough.set()
    await asyncio.to_thread(writer.join, PATIENCE)
    await until(lambda: len(heard) >= writer.written)
    await active.die()
    await standby.die()
    assert [item for item in heard if isinstance(item, DeclaredGap)] == []
    messages = [item for item in heard if isinstance(item, Message)]
    rows = [int(message.entity.id) for message in messages if message.entity is not None]
    assert rows == list(range(1, writer.written + 1))
    assert len({message.id for message in messages}) == len(messages)
    await engine.close()
