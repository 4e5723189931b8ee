"""Changes of Postgres on their way into a log, watched from inside a process of its own, so that its memory says
something. `python -m benchmarks.passage bulk|streamed|alone|backlog URL ROWS` prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import uvloop

from benchmarks.database import TITLE
from benchmarks.machine import OUTPUT
from benchmarks.watch import Watch, Watched
from tidings.engines.sqlite import SqliteEngine
from tidings.hub.channel import DEFAULT_OPTIONS
from tidings.ids import AppId
from tidings.node.apps import AppSettings
from tidings.node.node import Node
from tidings.sources.postgres import PostgresSource, read_infos
from tidings.sources.router import ChangeRouter
from tidings.sources.rules import Rule

APP = AppId("bench")
NAME = "bench"
RULE = Rule(
    table="tasks",
    channel="project-{project_id}",
    insert="task-created",
    deliver="full",
    keys=(("tasks", "{id}"),),
)

ONE_TRANSACTION = "INSERT INTO tasks (project_id, title) SELECT n %% 100, %s FROM generate_series(1, %s) n"
MANY = """
DO $$ BEGIN
  FOR n IN 1..{rows} LOOP
    INSERT INTO tasks (project_id, title) VALUES (n % 100, '{title}');
    COMMIT;
  END LOOP;
END $$
"""

WARM_ROWS = 1_000
QUIET_SECONDS = 1.5
STEP_SECONDS = 0.002
"""Between two looks whether all has arrived."""

PATIENCE_SECONDS = 100.0


class Passage(msgspec.Struct, frozen=True):
    """How many rows a second went through, and what else was seen before and meanwhile."""

    rate: float
    before: Watched | None = None
    meanwhile: Watched | None = None


async def bulk(url: str, rows: int, *, streamed: bool = False) -> Passage:
    """One transaction into the log. streamed: the server sends it while it is open, and it waits here."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(running(url))
        watch = await stack.enter_async_context(Watch(node, APP))
        writer = await _writer(stack, url)
        await _pass(node, writer, min(rows, WARM_ROWS))
        gc.freeze()  # as the server does
        watch.begin()
        await asyncio.sleep(QUIET_SECONDS if rows >= WARM_ROWS else 0.1)
        before = watch.end()
        seconds = await _pass(node, writer, rows, begun=watch.begin, early=streamed)
        return Passage(rows / seconds, before, watch.end())


async def _pass(
    node: Node,
    writer: psycopg.Connection[Any],
    rows: int,
    *,
    begun: Callable[[], None] = lambda: None,
    early: bool = False,
) -> float:
    """Insert, commit, and wait until all is in the log; seconds from the commit on. begun: called before the commit,
    early: before the first row."""
    due = node.engine.broker.head(APP).offset + rows
    if early:
        begun()
    await asyncio.to_thread(writer.execute, ONE_TRANSACTION, [TITLE, rows])
    if not early:
        begun()
    began = time.perf_counter()
    await asyncio.to_thread(writer.commit)
    await _until(lambda: node.engine.broker.head(APP).offset >= due + _ticks(node))
    return time.perf_counter() - began


def _ticks(node: Node) -> int:
    return 0


async def alone(url: str, rows: int) -> Passage:
    """One transaction through the source alone: read, decoded, assembled, acknowledged."""
    source = PostgresSource(url, ["tasks"], name=NAME)
    await source.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(source.close)
        writer = await _writer(stack, url)
        await asyncio.to_thread(writer.execute, ONE_TRANSACTION, [TITLE, rows])
        began = time.perf_counter()
        committing = asyncio.create_task(asyncio.to_thread(writer.commit))
        seen = 0
        async for transaction in source.transactions():
            seen += len(transaction.changes)
            await source.acknowledge(transaction.checkpoint)
            if seen >= rows:
                break
        seconds = time.perf_counter() - began
        await committing
    return Passage(rows / seconds)


async def backlog(url: str, rows: int) -> Passage:
    """Transactions of one row that wait in the slot when the node starts."""
    source = PostgresSource(url, ["tasks"], name=NAME)
    await source.open()  # makes the slot
    await source.close()
    async with AsyncExitStack() as stack:
        writer = await _writer(stack, url)
        writer.autocommit = True
        await asyncio.to_thread(writer.execute, MANY.format(rows=rows, title=TITLE))  # type: ignore[arg-type]
        began = time.perf_counter()
        node = await stack.enter_async_context(running(url))
        await _until(lambda: node.engine.broker.head(APP).offset >= rows)
        return Passage(rows / (time.perf_counter() - began))


PASSES: dict[str, Callable[[str, int], Coroutine[Any, Any, Passage]]] = {
    "bulk": bulk,
    "streamed": lambda url, rows: bulk(url, rows, streamed=True),
    "alone": alone,
    "backlog": backlog,
}


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Node]:
    """A node with an sqlite engine whose one source is this database."""
    infos = await asyncio.to_thread(read_infos, url, ["tasks"])
    router = ChangeRouter([RULE], {name: info.columns for name, info in infos.items()})
    with tempfile.TemporaryDirectory(dir=OUTPUT) as folder:
        engine = SqliteEngine(Path(folder) / "log.db")
        settings = AppSettings(id=APP, keys={"key": "secret"})
        node = Node([settings], engine, by_name=lambda name: DEFAULT_OPTIONS)
        node.add_source(APP, PostgresSource(url, ["tasks"], name=NAME), router)
        await node.start()
        try:
            yield node
        finally:
            await node.stop()


async def _writer(stack: AsyncExitStack, url: str) -> psycopg.Connection[Any]:
    writer: psycopg.Connection[Any] = await asyncio.to_thread(psycopg.connect, url)
    stack.callback(writer.close)
    return writer


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(STEP_SECONDS)


def main() -> None:
    """Do one pass and print what was found."""
    what, url, rows = sys.argv[1:]
    OUTPUT.mkdir(parents=True, exist_ok=True)
    print(msgspec.json.encode(uvloop.run(PASSES[what](url, int(rows)))).decode())


if __name__ == "__main__":
    main()
