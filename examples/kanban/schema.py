"""Tables of the kanban board, how a connection to them is opened and written through. Holds no queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

BUSY_MILLISECONDS: Final = 5_000
"""How long a writer waits for another one, such as somebody's sqlite3 shell, before it gives up."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS projects (
  id   TEXT PRIMARY KEY,
  name TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS members (
  project_id TEXT NOT NULL REFERENCES projects (id),
  user       TEXT NOT NULL,
  PRIMARY KEY (project_id, user)
);
CREATE TABLE IF NOT EXISTS statuses (
  id          TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(6)))),
  project_id  TEXT NOT NULL REFERENCES projects (id),
  name        TEXT NOT NULL,
  position    TEXT,
  version     INTEGER NOT NULL DEFAULT 1,
  updated_by  TEXT NOT NULL DEFAULT '',
  updated_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  mutation_id TEXT
);
CREATE TABLE IF NOT EXISTS tasks (
  id          TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(6)))),
  project_id  TEXT NOT NULL REFERENCES projects (id),
  status_id   TEXT NOT NULL REFERENCES statuses (id),
  title       TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  priority    TEXT NOT NULL DEFAULT 'none',
  label       TEXT NOT NULL DEFAULT '',
  assignee    TEXT,
  position    TEXT,
  version     INTEGER NOT NULL DEFAULT 1,
  updated_by  TEXT NOT NULL DEFAULT '',
  updated_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  mutation_id TEXT
);
CREATE INDEX IF NOT EXISTS statuses_of_project ON statuses (project_id);
CREATE INDEX IF NOT EXISTS tasks_of_project ON tasks (project_id);
CREATE INDEX IF NOT EXISTS tasks_of_status ON tasks (status_id, position);
CREATE TABLE IF NOT EXISTS mutations (
  id       TEXT PRIMARY KEY,
  request  TEXT NOT NULL,
  status   INTEGER NOT NULL,
  answer   BLOB NOT NULL,
  saved_at INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE INDEX IF NOT EXISTS mutations_by_age ON mutations (saved_at);
"""
"""A row written by hand needs only ids and a title: a missing position means the end of its column."""


def open_database(path: Path) -> apsw.Connection:
    """A connection ready for use by one thread at a time.

    Write-ahead logging lets readers go on while a writer commits; `synchronous = FULL` has a commit on disk
    before the answer tells of it.
    """
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


@contextmanager
def writing(connection: apsw.Connection) -> Iterator[None]:
    """A write transaction: committed when the block ends well, rolled back when it raises.

    IMMEDIATE takes the write lock first, so what the block reads still holds when it writes. A transaction that
    reads before it has the lock fails at once, without waiting, when anybody commits in between (SQLITE_BUSY_SNAPSHOT).
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # on a full disk SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def create_tables(connection: apsw.Connection) -> None:
    """Make what is missing; safe to repeat."""
    with writing(connection):
        connection.execute(SCHEMA)
