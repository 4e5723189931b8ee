"""The Postgres that scenarios run on: a server of their own on the load's core, databases in it, slots read by SQL."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.machine import OUTPUT, pinned
from tests.fixtures.fix_postgres import NEWEST, Cluster, Database, end_clusters, own_cluster

SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "256MB"}
"""No disk in the figures. A commit is still written before it is told to anybody, as by default."""

TASKS = (
    """
    CREATE TABLE tasks (
      id bigserial PRIMARY KEY,
      project_id int NOT NULL,
      title text NOT NULL,
      done bool NOT NULL DEFAULT false,
      created timestamptz NOT NULL DEFAULT now()
    )
    """,
    "ALTER TABLE tasks REPLICA IDENTITY FULL",
)
"""The table that is captured."""

TITLE = "~tide~" + "x" * 40

SLOT = "by_sql"


def start_postgres(stack: ExitStack, **settings: str) -> Cluster:
    """A server with a folder of its own; both end with the stack."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    stack.callback(end_clusters)  # the files that clusters are copied from
    folder = stack.enter_context(tempfile.TemporaryDirectory(dir=OUTPUT, ignore_cleanup_errors=True))
    with pinned(server=False):
        return stack.enter_context(own_cluster(NEWEST, Path(folder), **{**SETTINGS, **settings}))


@contextmanager
def fresh_database(cluster: Cluster) -> Iterator[Database]:
    """A database with the table; it goes with its slots."""
    database = Database(cluster)
    try:
        database.run(*TASKS)
        yield database
    finally:
        database.drop()


class SlotBySql:
    """A slot of its own, read by calling `pg_logical_slot_get_changes` (test_decoding). Ends with the stack."""

    def __init__(self, stack: ExitStack, database: Database) -> None:
        self._connection: psycopg.Connection[Any] = stack.enter_context(database.connect())
        self._connection.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", [SLOT])

    def read(self) -> int:
        """Take all that there is: how many changed rows."""
        # Columns with the position, the transaction and the change as text, as those who poll read them.
        found = self._connection.execute("SELECT * FROM pg_logical_slot_get_changes(%s, NULL, NULL)", [SLOT])
        return sum(text.startswith("table") for _, _, text in found)

    def rate(self, *, at_least: int) -> float:
        """Rows a second of one call that must find so many."""
        began = time.perf_counter()
        seen = self.read()
        assert seen >= at_least, f"the slot told {seen} of {at_least} rows"
        return seen / (time.perf_counter() - began)
