"""Postgres capture over sockets: from a commit to the message at a subscriber, and changes that 500 subscribers get."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import psycopg

from benchmarks.arrivals import POLL_SECONDS, Arrivals, listen, quantiles, taken
from benchmarks.database import TITLE, SlotBySql, fresh_database, start_postgres
from benchmarks.machine import pinned
from benchmarks.rounds import Plan
from benchmarks.subjects import start_tidings
from benchmarks.table import Bound, Group, Row
from tests.fixtures.fix_postgres import Database
from tidings.sources.postgres.pgoutput.decoder import Decoder
from tidings.sources.postgres.pgoutput.frames import Keepalive, read_frame, status
from tidings.sources.postgres.pgoutput.messages import Commit

COMMITS = 400

RULES = """
[[rules]]
table = "tasks"
channel = "bench-0"
insert = "task-created"
"""

OURS = "tidings"
POLLING = "polling a slot at 100 ms"
TAP = "the stream alone, decoded"
SHARES = {"p50": (0.5, Bound(1 / 20, 1 / 40)), "p99": (0.99, Bound(0.125, 1 / 15))}


def postgres(plan: Plan) -> list[Group]:
    """Rounds of commits, each seen by all three; one value of p50 and p99 a round."""
    with ExitStack() as stack, pinned(server=False):
        database = stack.enter_context(fresh_database(start_postgres(stack)))
        server = start_tidings(stack, engine="sqlite", config=RULES, arguments=["--source", database.url])
        poll = SlotBySql(stack, database)

        def polled() -> int:
            time.sleep(POLL_SECONDS)
            return poll.read()

        watchers = {
            OURS: stack.enter_context(Arrivals(listen(stack, server.port))),
            POLLING: stack.enter_context(Arrivals(polled)),
            TAP: stack.enter_context(Arrivals(_tap(stack, database))),
        }
        writer = stack.enter_context(closing(database.connect(autocommit=False)))

        def commit() -> float:
            writer.execute("INSERT INTO tasks (project_id, title) VALUES (42, %s)", [TITLE])
            sent = time.perf_counter()  # some watchers hear of it before the writer has its answer
            writer.commit()
            return sent

        taken(commit, watchers, 10)  # unseen: the first of everything
        count = max(5, plan.some(COMMITS) // plan.rounds)
        rounds = [taken(commit, watchers, count) for _ in range(plan.rounds)]
    return [_group(rounds)]


def _group(rounds: list[dict[str, list[float]]]) -> Group:
    group = Group("Commit to received, Postgres capture beside polling a slot at 100 ms", "ms")
    for name, (share, bound) in SHARES.items():
        ours, poll, tap = (quantiles(rounds, watcher, share) for watcher in (OURS, POLLING, TAP))
        group.rows.append(Row(f"{OURS}, {name}", ours))
        group.rows.append(Row(f"{POLLING}, {name}", poll, ours.ratio(poll), bound))
        group.rows.append(Row(f"{TAP}, {name}", tap, ours.ratio(tap)))
    return group


def _tap(stack: ExitStack, database: Database) -> Callable[[], int]:
    """A reader of the stream that decodes and does nothing else: what cannot be gone below."""
    database.run("CREATE PUBLICATION tap FOR TABLE tasks")
    database.rows("SELECT pg_create_logical_replication_slot('tap', 'pgoutput')")
    connection = psycopg.connect(database.url, autocommit=True, replication="database")
    pg: Any = stack.enter_context(closing(connection)).pgconn
    pg.send_query(b"START_REPLICATION SLOT tap LOGICAL 0/0 (proto_version '1', publication_names 'tap')")
    pg.get_result()
    decoder = Decoder(1)

    def wait() -> int:
        select.select([pg.socket], [], [], POLL_SECONDS)  # so that the thread sees its end
        pg.consume_input()
        commits = 0
        while (got := pg.get_copy_data(1))[0] > 0:
            frame = read_frame(got[1])
            if not isinstance(frame, Keepalive):
                commits += isinstance(decoder.decode(frame.payload), Commit)
            elif frame.reply_now:
                pg.put_copy_data(status(frame.end, frame.end, frame.end, 0))
                pg.flush()
        return commits

    return wait
