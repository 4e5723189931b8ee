"""What is well or wrong with a captured SQLite file, and what to do about it: reads it, then judges. Changes nothing.

Whether a reader runs is not asked: the lock that tells it can only be asked by taking it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tidings.errors import SourceError
from tidings.sources.findings import Finding, Level
from tidings.sources.sqlite.capture import MAX_BACKLOG
from tidings.sources.sqlite.driver import Database, DatabaseError, Driver
from tidings.sources.sqlite.shapes import missing_table, read_shape
from tidings.sources.sqlite.triggers import CHANGES, META, PREFIX, triggers_of
from tidings.sources.sqlite.troubles import explain

READ_MS: Final = 2_000
"""Milliseconds to wait for the application's lock."""

States = Mapping[str, str]
"""Each table: `captured`, `not captured`, `outdated`, or what is wrong with it."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """fault: why the file cannot be read; nothing else is known then. waiting: notes that are not acknowledged yet."""

    path: Path
    fault: str = ""
    writable: bool = True
    mode: str = "wal"
    tables: States = {}
    waiting: int = 0


def examine(path: Path, tables: Sequence[str], *, driver: Driver = "auto") -> Facts:
    """Look at a file. Never raises: what keeps it from being read is among the facts."""
    if not path.exists():
        return Facts(
            path=path, fault=f"there is no database {path}; correct the source's url, or create it first"
        )
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)
    try:
        db = Database(path, create=False, busy_ms=READ_MS, driver=driver)
        try:
            db.run("PRAGMA query_only = 1")
            mode = str(db.run("PRAGMA journal_mode")[0][0])
            return Facts(
                path=path, writable=writable, mode=mode, tables=_states(db, tables), waiting=_waiting(db)
            )
        finally:
            db.close()
    except DatabaseError as error:
        return Facts(path=path, fault=explain(error, path))


def judge(facts: Facts, about: str) -> list[Finding]:
    """Every finding. about: the source's name."""
    return [Finding(level, about, what, fix) for level, what, fix in _judged(facts)]


def _judged(facts: Facts) -> Iterator[tuple[Level, str, str]]:
    if facts.fault:
        yield "fail", *_split(facts.fault)
        return
    if facts.writable:
        yield "ok", f"{facts.path} can be read and written", ""
    else:
        yield (
            "fail",
            f"{facts.path} or its folder cannot be written",
            "give this user the right to write both",
        )
    if facts.mode == "wal":
        yield "ok", "journal mode is WAL", ""
    else:
        how = "PRAGMA journal_mode = WAL; once, with the sqlite3 shell"
        yield "warn", f"journal mode is {facts.mode}: readers and writers wait for each other", how
    if not facts.tables:
        yield "fail", "nothing to capture", "add [[rules]], name the source's tables, or make the outbox"
    for table, state in facts.tables.items():
        yield _table(table, state)
    if facts.waiting > MAX_BACKLOG:
        what = f"{facts.waiting} notes wait, more than are told one by one"
        yield "warn", what, "at the start of the server one gap is told instead"
    else:
        yield "ok", f"notes that wait to be read: {facts.waiting}", ""


def _table(table: str, state: str) -> tuple[Level, str, str]:
    by_itself = "`tidings serve` makes them at its start, or run tidings source add"
    if state == "captured":
        return "ok", f"{table}: its triggers are there", ""
    if state == "not captured":
        return "warn", f"{table}: it has no triggers, so its changes are not recorded", by_itself
    if state == "outdated":
        return "warn", f"{table}: its triggers are not those of its columns; a gap will be told", by_itself
    return "fail", *_split(state)


def _split(fault: str) -> tuple[str, str]:
    what, _, fix = fault.partition("; ")
    return what, fix


# ── reading


def _states(db: Database, tables: Sequence[str]) -> dict[str, str]:
    return {table: _state(db, table) for table in dict.fromkeys(tables)}


def _state(db: Database, table: str) -> str:
    try:
        shape = read_shape(db, table)
        if shape is None:
            raise missing_table(db, table)
        wanted, there = triggers_of(shape), _triggers(db)
    except SourceError as error:
        return str(error)
    if not there.keys() & wanted.keys():
        return "not captured"
    return "captured" if all(there.get(name) == sql for name, sql in wanted.items()) else "outdated"


def _triggers(db: Database) -> dict[str, str]:
    found = db.run("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    return {str(trigger): str(sql) for trigger, sql in found if str(trigger).startswith(PREFIX)}


def _waiting(db: Database) -> int:
    there = {row[0] for row in db.run("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {CHANGES, META} <= there:
        return 0
    top = db.run(f"SELECT coalesce(max(seq), 0) FROM {CHANGES}")[0][0]
    told = db.run(f"SELECT value FROM {META} WHERE name = 'acknowledged'")
    return max(0, int(top) - int(told[0][0] if told else 0))
