"""From the commit of a row in SQLite to the message at a subscriber, beside polling the same table every 100 ms."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.arrivals import POLL_SECONDS, Arrivals, listen, quantiles, taken
from benchmarks.machine import OUTPUT, pinned
from benchmarks.rounds import Plan
from benchmarks.subjects import start_tidings
from benchmarks.table import Group, Row

COMMITS = 400

RULES = """
[[rules]]
table = "tasks"
channel = "bench-0"
insert = "task-created"
"""

OURS = "tidings"
POLLING = "polling at 100 ms"


def capture(plan: Plan) -> list[Group]:
    """Rounds of commits, each seen by both; one value of p50 and p99 a round."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    path = OUTPUT / f"capture-{secrets.token_hex(4)}.db"
    with ExitStack() as stack, pinned(server=False):
        stack.callback(_remove, path)
        writer = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT)")
        server = start_tidings(
            stack, engine="sqlite", config=RULES, arguments=["--source", f"sqlite:///{path.resolve()}"]
        )
        watchers = {
            OURS: stack.enter_context(Arrivals(listen(stack, server.port))),
            POLLING: stack.enter_context(Arrivals(_poller(stack, path))),
        }

        def commit() -> float:
            writer.execute("INSERT INTO tasks (title) VALUES ('x')")
            return time.perf_counter()

        count = max(5, plan.some(COMMITS) // plan.rounds)
        rounds = [taken(commit, watchers, count) for _ in range(plan.rounds)]
    return [_group(rounds)]


def _remove(path: Path) -> None:
    """Remove a database with what SQLite keeps beside it."""
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def _poller(stack: ExitStack, path: Path) -> Callable[[], int]:
    """What a page would do that asks the database every 100 ms."""
    reader = stack.enter_context(closing(sqlite3.connect(path, check_same_thread=False)))
    last = 0

    def wait() -> int:
        nonlocal last
        time.sleep(POLL_SECONDS)
        (newest,) = reader.execute("SELECT coalesce(max(id), 0) FROM tasks").fetchone()
        more, last = int(newest) - last, int(newest)
        return more

    return wait


def _group(rounds: list[dict[str, list[float]]]) -> Group:
    group = Group("Commit to received, SQLite capture beside polling at 100 ms", "ms")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ours, poll = (quantiles(rounds, watcher, share) for watcher in (OURS, POLLING))
        group.rows.append(Row(f"{OURS}, {name}", ours))
        group.rows.append(Row(f"{POLLING}, {name}", poll, ours.ratio(poll)))
    return group
