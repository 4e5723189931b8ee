"""Postgres changes by the many: one large transaction, and a slot in which many small ones wait.

Each pass runs in a process of its own over a fresh database (`passage.py`); beside it the same rows are read by calling
`pg_logical_slot_get_changes` once, which decodes them to text and does nothing more.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack

import msgspec

from benchmarks.database import SlotBySql, fresh_database, start_postgres
from benchmarks.machine import OUTPUT, ROOT, pinned
from benchmarks.passage import Passage
from benchmarks.rounds import Plan, Series
from benchmarks.table import Bound, Group, Row
from benchmarks.watch import Watched
from tests.fixtures.fix_postgres import Cluster

ROWS, TRANSACTIONS = 100_000, 20_000
ROUNDS = 3
"""At most: a pass takes seconds, most of them to make the rows."""

SECONDS = 200.0
"""Limit of one pass."""

STREAMED = "SET logical_decoding_work_mem = '64kB'"
"""Of the database: from so little on the server sends a transaction while it is open."""

INTO_LOG = "tidings, into the log"
ALONE = "the source alone, decoded"
BY_SQL = "one call of pg_logical_slot_get_changes"

HOLD_BOUND = Bound(50, 20)
GROWN_BOUND = Bound(64, 64)
LATER_BOUND = Bound(2, 2)


def bulk(plan: Plan) -> list[Group]:
    """A large transaction through all, through the source alone, and streamed while it was open."""
    rows, rounds = plan.many(ROWS), min(ROUNDS, plan.rounds)
    with ExitStack() as stack:
        cluster = start_postgres(stack)
        found = [
            {what: _pass(cluster, what, rows) for what in ("bulk", "alone", "streamed")}
            for _ in range(rounds)
        ]
    whole, alone, streamed = ([each[what] for each in found] for what in ("bulk", "alone", "streamed"))
    group = Group(
        f"One transaction of {rows:,} rows, Postgres, sqlite engine, from its commit on", "rows per second"
    )
    ours, sql = _rates(whole)
    group.rows.append(Row(INTO_LOG, ours))
    group.rows.append(Row(f"{INTO_LOG}, streamed", _rates(streamed)[0]))
    group.rows.append(Row(ALONE, _rates(alone)[0], ours.ratio(_rates(alone)[0])))
    group.rows.append(Row(BY_SQL, sql, ours.ratio(sql)))
    cpu = Group(f"One transaction of {rows:,} rows, Postgres, CPU of the process", "µs per row")
    cpu.rows.append(Row(INTO_LOG, _cpu(whole)))
    cpu.rows.append(Row(ALONE, _cpu(alone)))
    return [group, cpu, *_felt(rows, [p for p, _ in whole], [p for p, _ in streamed])]


def backlog(plan: Plan) -> list[Group]:
    """Transactions of one row that wait when the server starts."""
    count, rounds = plan.many(TRANSACTIONS), min(ROUNDS, plan.rounds)
    with ExitStack() as stack:
        cluster = start_postgres(stack)
        passes = [_pass(cluster, "backlog", count) for _ in range(rounds)]
    ours, sql = _rates(passes)
    group = Group(
        f"{count:,} transactions of one row in the slot, sqlite engine, start included",
        "transactions per second",
    )
    group.rows.append(Row(INTO_LOG, ours))
    group.rows.append(Row(BY_SQL, sql, ours.ratio(sql)))
    cpu = Group(f"{count:,} transactions of one row in the slot, CPU of the process", "µs per transaction")
    cpu.rows.append(Row(INTO_LOG, _cpu(passes)))
    return [group, cpu]


def _pass(cluster: Cluster, what: str, rows: int) -> tuple[Passage, float]:
    """One pass, and rows a second of the SQL function over the same changes."""
    with ExitStack() as stack:
        database = stack.enter_context(fresh_database(cluster))
        if what == "streamed":
            database.run(f"ALTER DATABASE {database.name} {STREAMED}")
        slot = SlotBySql(stack, database)
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=OUTPUT))
        command = [sys.executable, "-m", "benchmarks.passage", what, database.url, str(rows), folder]
        with pinned(server=True):
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=SECONDS, check=True)
        with pinned(server=False):
            rate = slot.rate(at_least=rows)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Passage), rate


def _rates(passes: list[tuple[Passage, float]]) -> tuple[Series, Series]:
    """Ours and the SQL function's."""
    return Series(tuple(p.rate for p, _ in passes)), Series(tuple(rate for _, rate in passes))


def _cpu(passes: list[tuple[Passage, float]]) -> Series:
    return Series(tuple(p.cpu for p, _ in passes))


def _felt(rows: int, whole: list[Passage], streamed: list[Passage]) -> list[Group]:
    """What others feel of it."""
    title = f"While a transaction of {rows:,} rows passes"
    hold = Group(f"{title}, longest hold of the event loop", "ms")
    grown = Group(f"{title}, resident memory more than before", "MiB")
    later = Group(f"{title}, p99 of publishes to another channel", "ms")
    hold.rows.append(
        Row("before", Series(tuple(_before(p).hold for p in whole)), note="noise of this machine")
    )
    later.rows.append(Row("before", Series(tuple(_before(p).p99 for p in whole))))
    for name, passes in (("while it passes", whole), ("the same, streamed while it is open", streamed)):
        seen = [_meanwhile(p) for p in passes]
        late = Series(tuple(each.p99 for each in seen))
        ratio = late.ratio(Series(tuple(_before(p).p99 for p in passes)))
        hold.rows.append(Row(name, Series(tuple(each.hold for each in seen)), bound=HOLD_BOUND))
        grown.rows.append(Row(name, Series(tuple(each.grown for each in seen)), bound=GROWN_BOUND))
        later.rows.append(Row(name, late, ratio, LATER_BOUND, "ratio: to before"))
    return [hold, grown, later]


def _before(passage: Passage) -> Watched:
    assert passage.before is not None, "it was watched"
    return passage.before


def _meanwhile(passage: Passage) -> Watched:
    assert passage.meanwhile is not None, "it was watched"
    return passage.meanwhile
