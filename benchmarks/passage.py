"""Changes of Postgres on their way into a log, watched from inside a process of its own, so that its memory says
something. `python -m benchmarks.passage bulk|streamed|alone|backlog URL ROWS FOLDER` prints one line of JSON. The log
lies in the folder; whoever starts this removes it, also when this is killed.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import uvloop

from benchmarks.database import TITLE
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
    """How many rows a second went through, what CPU of this process each took in µs, and what else was seen."""

    rate: float
    cpu: float
    before: Watched | None = None
    meanwhile: Watched | None = None


async def bulk(url: str, rows: int, folder: Path, *, streamed: bool = False) -> Passage:
    """One transaction into the log. streamed: the server sends it while it is open, and it waits here."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(running(url, folder))
        watch = await stack.enter_async_context(Watch(node, APP))
        writer = await _writer(stack, url)
        await _insert(writer, min(rows, WARM_ROWS))
        await _commit(node, writer, min(rows, WARM_ROWS))
        gc.freeze()  # as the server does
        watch.begin()
        await asyncio.sleep(QUIET_SECONDS if rows >= WARM_ROWS else 0.1)
        before = watch.end()
        if streamed:
            watch.begin()
        await _insert(writer, rows)
        if not streamed:
            watch.begin()
        wall, cpu = await _commit(node, writer, rows)
        return Passage(rows / wall, cpu * 1e6 / rows, before, watch.end())


async def _insert(writer: psycopg.Connection[Any], rows: int) -> None:
    await asyncio.to_thread(writer.execute, ONE_TRANSACTION, [TITLE, rows])


async def _commit(node: Node, writer: psycopg.Connection[Any], rows: int) -> tuple[float, float]:
    """Commit, and wait until all is in the log; seconds by the clock and of CPU."""
    due = _captured(node) + rows
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.to_thread(writer.commit)
    await _until(lambda: _captured(node) >= due)
    return time.perf_counter() - began, time.process_time() - cpu


def _captured(node: Node) -> float:
    """Changes whose messages are in the log."""
    samples = (sample for metric in node.metrics.captured.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))


async def alone(url: str, rows: int, folder: Path) -> Passage:
    """One transaction through the source alone: read, decoded, assembled, acknowledged."""
    source = PostgresSource(url, ["tasks"], name=NAME)
    await source.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(source.close)
        writer = await _writer(stack, url)
        await asyncio.to_thread(writer.execute, ONE_TRANSACTION, [TITLE, rows])
        began, cpu = time.perf_counter(), time.process_time()
        committing = asyncio.create_task(asyncio.to_thread(writer.commit))
        seen = 0
        async for transaction in source.transactions():
            seen += len(transaction.changes)
            await source.acknowledge(transaction.checkpoint)
            if seen >= rows:
                break
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        await committing
    return Passage(rows / wall, cpu * 1e6 / rows)


async def backlog(url: str, rows: int, folder: Path) -> Passage:
    """Transactions of one row that wait in the slot when the node starts."""
    source = PostgresSource(url, ["tasks"], name=NAME)
    await source.open()  # makes the slot
    await source.close()
    async with AsyncExitStack() as stack:
        writer = await _writer(stack, url)
        writer.autocommit = True
        await asyncio.to_thread(writer.execute, MANY.format(rows=rows, title=TITLE))
        began, cpu = time.perf_counter(), time.process_time()
        node = await stack.enter_async_context(running(url, folder))
        await _until(lambda: _captured(node) >= rows)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        return Passage(rows / wall, cpu * 1e6 / rows)


PASSES: dict[str, Callable[[str, int, Path], Coroutine[Any, Any, Passage]]] = {
    "bulk": bulk,
    "streamed": partial(bulk, streamed=True),
    "alone": alone,
    "backlog": backlog,
}


@asynccontextmanager
async def running(url: str, folder: Path) -> AsyncIterator[Node]:
    """A node with an sqlite engine whose one source is this database."""
    infos = await asyncio.to_thread(read_infos, url, ["tasks"])
    router = ChangeRouter([RULE], {name: info.columns for name, info in infos.items()})
    settings = AppSettings(id=APP, keys={"key": "secret"})
    node = Node([settings], SqliteEngine(folder / "log.db"), by_name=lambda name: DEFAULT_OPTIONS)
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
        while not condition():  # noqa: ASYNC110  # it is a number of the node's, which tells nobody
            await asyncio.sleep(STEP_SECONDS)


def main() -> None:
    """Do one pass and print what was found."""
    what, url, rows, folder = sys.argv[1:]
    print(msgspec.json.encode(uvloop.run(PASSES[what](url, int(rows), Path(folder)))).decode())


if __name__ == "__main__":
    main()
