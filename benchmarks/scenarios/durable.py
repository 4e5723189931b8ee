"""Durable publishes a second of the sqlite engine, beside a loop that commits the same rows one by one."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path

import uvloop

from benchmarks.bench_engines import publishes, single_commits
from benchmarks.machine import OUTPUT
from benchmarks.rounds import Plan, interleaved
from benchmarks.table import Bound, Group, Row
from tidings.engines.sqlite import SqliteEngine

SECONDS = 0.8
IN_FLIGHT = 64
BOUND = Bound(10, 30, more=True)
LOOP = "APSW, one row a commit"
ENGINE = f"sqlite engine, {IN_FLIGHT} in flight"


def durable(plan: Plan) -> list[Group]:
    """Both on the same disk: that of the checkout."""
    seconds = max(0.05, SECONDS * plan.scale)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUTPUT) as folder:
        paths = (Path(folder) / f"{n}.db" for n in count())
        series = interleaved(
            {
                LOOP: lambda: single_commits(next(paths), seconds),
                ENGINE: lambda: uvloop.run(publishes(SqliteEngine(next(paths)), seconds, IN_FLIGHT, 1)),
            },
            plan.rounds,
        )
    group = Group("Publishes that are on disk when they are acknowledged", "per second")
    group.rows.append(Row(LOOP, series[LOOP]))
    group.rows.append(
        Row(ENGINE, series[ENGINE], series[ENGINE].ratio(series[LOOP]), BOUND, "ratio: to the loop")
    )
    return [group]
