"""kill -9 while publishing: what was acknowledged is there, and a repeat under the same key makes one of each."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from tests.engines.harness import APP, NEWS, offset, opened
from tidings.engines.sqlite import SqliteEngine
from tidings.messages import Position

ROOT = Path(__file__).parents[4]
ROUNDS = 20
MOST = 400
"""Acknowledgements after which the writer is killed at the latest."""

WRITER = """
import asyncio, os, sys
from tests.engines.harness import APP, NEWS, message
from tidings.engines.sqlite import SqliteEngine

async def main(path, begin):
    engine = SqliteEngine(path)
    await engine.open()
    async def publisher(first):
        for number in range(first, 10**9, 16):
            published = await engine.broker.publish(APP, [message(NEWS, b"%d" % number)], key=f"k{number}")
            os.write(1, b"%d %d\\n" % (number, published.positions[0].offset))
    await asyncio.gather(*[publisher(begin + n) for n in range(16)])

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def kill_after(path: Path, begin: int, count: int) -> dict[int, int]:
    """Let a process publish numbers from `begin`, kill it; the offsets it had acknowledged, by number."""
    command = [sys.executable, "-c", WRITER, str(path), str(begin)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith(b"\n")]
    return {int(number): int(at) for number, at in whole}


async def found(engine: SqliteEngine) -> list[tuple[int, int]]:
    """Every message as number and offset."""
    cursor, entries = Position(engine.broker.head(APP).epoch, 0), list[tuple[int, int]]()
    while True:
        page = await engine.broker.read(APP, [NEWS], cursor)
        assert page.resets == {}
        entries += [(int(m.data), offset(m)) for m in page.messages]
        if page.complete:
            return entries
        assert page.messages[-1].position is not None
        cursor = page.messages[-1].position


async def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    chance, path = random.Random(20), tmp_path / "log.db"
    expected = 0
    for round_number in range(ROUNDS):
        begin = round_number * 1_000_000
        acknowledged = await asyncio.to_thread(kill_after, path, begin, chance.randrange(1, MOST))
        engine = SqliteEngine(path)
        async with opened(engine) as bench:
            kept = dict(await found(engine))
            assert acknowledged.items() <= kept.items()
            attempted = max(acknowledged) + 20
            for number in range(begin, attempted, 1 if round_number == 0 else 37):
                (at,) = await bench.say(NEWS, b"%d" % number, key=f"k{number}")
                assert at == kept.setdefault(number, at)
            entries = await found(engine)
            assert len(entries) == len({number for number, _ in entries}) == len(kept)
            assert len(entries) > expected
            expected = len(entries)
