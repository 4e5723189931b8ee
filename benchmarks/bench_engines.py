"""Durable publishes a second, beside a loop of single-row commits of the same rows in one run; and the memory engine.

    python benchmarks/bench_engines.py [--seconds 2] [--rounds 3] [--folder DIR]

The disk decides the absolute figures: read the ratios. The best of the rounds is printed, and the spread.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import uvloop

from tidings.engines.base import Engine
from tidings.engines.memory import MemoryEngine
from tidings.engines.sqlite import SqliteEngine
from tidings.engines.sqlite.rows import COLUMNS
from tidings.engines.sqlite.schema import VERSIONS
from tidings.ids import AppId, ChannelName
from tidings.messages import Message, Position

APP = AppId("bench")
DATA = b'{"taskId": 4711, "projectId": 42, "title": "' + b"x" * 104 + b'"}'
HISTORY = 1_000_000
"""Messages of the log that is opened at the end."""


def message(channel: str) -> Message:
    """A message of 150 bytes, as in the figures of fan-out."""
    return Message(
        id="0123456789abcdefghijkl", channel=ChannelName(channel), event="task-updated", data=DATA, time=1
    )


def single_commits(path: Path, seconds: float) -> float:
    """Rows a second when each is a commit of its own: the same columns, index, journal and durability."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 2)
    connection.execute(VERSIONS[0])
    insert = f"INSERT INTO messages ({COLUMNS}) VALUES (1, ?, ?, ?, ?, 1, ?, ?, 1, NULL, ?)"
    one = message("c0")
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        count += 1
        connection.execute(insert, (count, count - 1, count, count * 150, one.id, one.event, one.data))
    connection.close()
    return count / seconds


async def publishes(engine: Engine, seconds: float, flight: int, channels: int) -> float:
    """Acknowledged publishes a second with so many under way at once."""
    engine.broker.listen(lambda app, told: None)
    await engine.open()
    messages = [(message(f"c{n}"),) for n in range(channels)]
    count, end = 0, time.perf_counter() + seconds

    async def publisher() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await engine.broker.publish(APP, messages[count % channels])
            count += 1

    await asyncio.gather(*[publisher() for _ in range(flight)])
    await engine.close()
    return count / seconds


def best(what: str, measure: Callable[[], float], rounds: int) -> float:
    """Print and return the best of several measurements."""
    found = sorted(measure() for _ in range(rounds))
    print(f"  {what:58} {found[-1]:>10,.0f}/s   (from {found[0]:,.0f})")
    return found[-1]


def fill(path: Path, count: int) -> None:
    """A log of so many messages over a thousand channels, written directly."""
    connection = apsw.Connection(str(path))
    now = int(time.time() * 1000)
    rows = (
        (1 + n % 1000, n + 1, n - 999 if n > 999 else None, 1 + n // 1000, 150 * (1 + n // 1000), now, DATA)
        for n in range(count)
    )
    with connection:
        connection.execute("INSERT INTO apps (name, last, floor, serial) VALUES (?, ?, 0, 1)", (APP, count))
        connection.executemany(
            "INSERT INTO channels (app, name, floor, number, size, due) VALUES (1, ?, 0, 0, 0, ?)",
            ((f"c{n}", now + 86_400_000) for n in range(1000)),
        )
        connection.executemany(
            f"INSERT INTO messages ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 'm', 'task-updated', 1, NULL, ?)",
            rows,
        )
    connection.close()


async def reopen(path: Path) -> tuple[float, float]:
    """Seconds until a long log is open, and until its first page has been read and its first publish stands."""
    begin = time.perf_counter()
    engine = SqliteEngine(path)
    await engine.open()
    opened = time.perf_counter() - begin
    head = engine.broker.head(APP)
    page = await engine.broker.read(
        APP, [ChannelName(f"c{n}") for n in range(100)], Position(head.epoch, head.offset - 20_000)
    )
    assert len(page.messages) == 500
    await engine.broker.publish(APP, [message("c7")])
    first = time.perf_counter() - begin
    await engine.close()
    return opened, first


async def make_empty(path: Path) -> None:
    """A log without messages."""
    engine = SqliteEngine(path)
    await engine.open()
    await engine.close()


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=2.0)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--folder", default=None, help="on the disk to measure")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        measure_all(Path(folder), given.seconds, given.rounds)


def measure_all(folder: Path, seconds: float, rounds: int) -> None:
    """Every figure, one after the other."""
    paths = (folder / f"{n}.db" for n in range(10**6))
    print("durable publishes, 150 bytes each")
    base = best("APSW, one row a commit", lambda: single_commits(next(paths), seconds), rounds)
    for flight, channels in ((1, 1), (16, 1), (64, 1), (64, 1000), (256, 1)):

        def sqlite(flight: int = flight, channels: int = channels) -> float:
            return uvloop.run(publishes(SqliteEngine(next(paths)), seconds, flight, channels))

        rate = best(f"sqlite engine, {flight} in flight, {channels} channel(s)", sqlite, rounds)
        print(f"  {'':58} {rate / base:>10.1f} times")
    print("not durable")
    best("memory engine, 64 in flight", lambda: uvloop.run(publishes(MemoryEngine(), seconds, 64, 1)), rounds)
    long = folder / "long.db"
    asyncio.run(make_empty(long))
    fill(long, HISTORY)
    opened, first = asyncio.run(reopen(long))
    print(f"a log of {HISTORY:,} messages: open {opened:.3f} s, first page and publish {first:.3f} s")


if __name__ == "__main__":
    main()
