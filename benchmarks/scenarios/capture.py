"""From the commit of a row in SQLite to the message at a subscriber, beside polling the same table every 100 ms."""

from __future__ import annotations

import random
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.machine import OUTPUT, pinned
from benchmarks.rounds import Plan, Series
from benchmarks.subjects import start_tidings, upgrade
from benchmarks.table import Group, Row

COMMITS = 400
POLL_SECONDS = 0.1
PAUSE_SECONDS = (0.005, 0.025)
"""Between two commits, at random: so that they fall on every moment of a poll."""

PATIENCE_SECONDS = 20.0

RULES = """
[[rules]]
table = "tasks"
channel = "bench-0"
insert = "task-created"
"""


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
        ours = stack.enter_context(Arrivals(_listen(stack, server.port)))
        poll = stack.enter_context(Arrivals(_poller(stack, path)))
        rounds = [
            _round(writer, ours, poll, max(5, plan.some(COMMITS) // plan.rounds)) for _ in range(plan.rounds)
        ]
    return [_group(rounds)]


def _remove(path: Path) -> None:
    """Remove a database with what SQLite keeps beside it."""
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


class Arrivals:
    """A thread that writes down when it has seen how many rows in all. wait: blocks until it sees more."""

    def __init__(self, wait: Callable[[], int]) -> None:
        self._wait = wait
        self._seen = 0
        self._changed = threading.Condition()
        self._over = False
        self.at: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Arrivals:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()

    def until(self, count: int) -> None:
        """Wait until so many were seen. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.at) >= count, PATIENCE_SECONDS):
                raise TimeoutError(f"{len(self.at)} of {count} rows have arrived")

    def _run(self) -> None:
        while not self._over:
            more = self._wait()
            now = time.perf_counter()
            with self._changed:
                self.at += [now] * more
                self._changed.notify_all()


def _listen(stack: ExitStack, port: int) -> Callable[[], int]:
    """A subscriber over WebSocket; counts the messages in what it reads."""
    peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS))
    peer.sendall(upgrade("/ws?channel=bench-0").encode())
    data = b""
    while b'"type":"subscribed"' not in data:
        data += peer.recv(65536)
    peer.settimeout(POLL_SECONDS)  # so that the thread sees its end
    mark = b'"event":"task-created"'
    rest = b""

    def wait() -> int:
        nonlocal rest
        try:
            data = rest + peer.recv(65536)
        except TimeoutError:
            return 0
        count = data.count(mark)
        rest = data[data.rfind(mark) + len(mark) :][-len(mark) + 1 :] if count else data[-len(mark) + 1 :]
        return count

    return wait


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


def _round(
    writer: sqlite3.Connection, ours: Arrivals, poll: Arrivals, count: int
) -> tuple[list[float], list[float]]:
    """Commit so many rows; how long each took to either, in ms."""
    first = len(ours.at)
    committed = []
    for _ in range(count):
        time.sleep(random.uniform(*PAUSE_SECONDS))
        writer.execute("INSERT INTO tasks (title) VALUES ('x')")
        committed.append(time.perf_counter())
    for arrivals in (ours, poll):
        arrivals.until(first + count)
    taken = []
    for arrivals in (ours, poll):
        at = arrivals.at[first : first + count]
        taken.append([(arrived - begun) * 1e3 for arrived, begun in zip(at, committed, strict=True)])
    return taken[0], taken[1]


def _group(rounds: list[tuple[list[float], list[float]]]) -> Group:
    group = Group("Commit to received, SQLite capture beside polling at 100 ms", "ms")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ours = Series(tuple(_quantile(found, share) for found, _ in rounds))
        poll = Series(tuple(_quantile(found, share) for _, found in rounds))
        group.rows.append(Row(f"tidings, {name}", ours))
        group.rows.append(Row(f"polling at 100 ms, {name}", poll, ours.ratio(poll)))
    return group


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
