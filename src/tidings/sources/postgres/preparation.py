"""Making a database ready for capture before any server runs, and taking all of it out again. Blocks.

Everything that can be done is done, and everything that this role may not do is told at once, with its SQL. A table's
replica identity is touched for the tables that are asked for, and for no others. Holds no SQL of slot and publication.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tidings.errors import SourceError
from tidings.sources.postgres import setup
from tidings.sources.postgres.catalog import (
    Table,
    check_server,
    members,
    read_table,
    read_tables,
    table_names,
    usual_name,
    with_outbox,
)
from tidings.sources.postgres.connections import Connection, read_with
from tidings.sources.postgres.setup import MissingRight, Names, Step, Task

MAY_REPLICATE: Final = """
SELECT rolsuper OR rolreplication OR EXISTS (
  SELECT FROM pg_roles g WHERE g.rolname = 'rds_replication' AND pg_has_role(g.oid, 'MEMBER'))
FROM pg_roles WHERE rolname = current_user
"""
"""Amazon RDS has a group of its own for it."""


class Prepared(msgspec.Struct, frozen=True):
    """steps: what was done, or was there. missing: what whoever has the right must run. tables: what is captured.
    beside: other tables that the publication lists one by one."""

    steps: tuple[Step, ...]
    missing: tuple[MissingRight, ...]
    tables: Mapping[str, Table]
    beside: tuple[str, ...]


class _Work:
    """Steps done so far, and rights found missing."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.steps: list[Step] = []
        self.missing: list[MissingRight] = []

    def do(self, task: Task) -> None:
        """Do it, or note that it may not be done."""
        try:
            self.steps.append(setup.run(self.connection, task))
        except MissingRight as error:
            self.missing.append(error)

    def expect(self, task: Task) -> None:
        """Note what it will need, without doing it: something before it is not done yet."""
        if not task.step.sql:
            self.steps.append(task.step)
        elif not task.may:
            self.missing.append(MissingRight(task.why or task.lack, task.remedy or task.step.sql))


def tables_there(url: str) -> list[str]:
    """The tables of a database, as settings name them. Raises SourceError."""
    found: list[str] = read_with(url, table_names)
    return found


def prepare(url: str, names: Names, tables: Sequence[str], full: Sequence[str] = ()) -> Prepared:
    """Make publication and slot for these tables. full: tables whose old rows shall be told whole.

    Raises SourceError for what cannot be captured, MissingRight never: what is missing is in the answer.
    """

    def work(connection: Connection) -> Prepared:
        check_server(connection)
        work = _Work(connection)
        wanted, whole = with_outbox(connection, tables), [usual_name(name) for name in full]
        found = read_tables(connection, [name for name in wanted if name not in whole])
        for name in whole:
            found[name] = _made_full(work, name)
        tables_of = {name: found[name] for name in dict.fromkeys([*wanted, *whole])}
        ready = not work.missing  # a table that nothing identifies must not be published before it is
        for task in setup.publication_tasks(connection, names, tables_of):
            (work.do if ready else work.expect)(task)
        _slot(work, names)
        beside = [name for name in setup.members(connection, names) if name not in tables_of]
        return Prepared(tuple(work.steps), tuple(work.missing), tables_of, tuple(beside))

    done: Prepared = read_with(url, work)
    return done


def remove(url: str, names: Names) -> Iterator[Step]:
    """Take slot and publication out, step by step. Raises SourceError while somebody reads the slot, MissingRight."""

    def slot(connection: Connection) -> Step:
        there = setup.read_slot(connection, names)  # or the name is another program's
        if there is None:
            return Step(f"replication slot {names.slot} was not there")
        return setup.drop_slot(connection, names)

    def publication(connection: Connection) -> Step:
        return setup.drop_publication(connection, names)

    yield read_with(url, slot)
    yield read_with(url, publication)


def _made_full(work: _Work, name: str) -> Table:
    table = read_table(work.connection, name)
    if table is None:
        read_tables(work.connection, [name])  # says what there is instead
        raise SourceError(f"there is no table {name!r}")
    for member, is_full in members(work.connection, table):
        sql = "" if is_full else f"ALTER TABLE {member} REPLICA IDENTITY FULL"
        text = f"old rows of {member} are told whole"
        work.do(Task(Step(text, sql), why=f"this role does not own {member}"))
    return read_table(work.connection, name) or table


def _slot(work: _Work, names: Names) -> None:
    """The slot comes last: it reads the log from where it was made, and the publication must stand by then."""
    connection = work.connection
    slot = setup.read_slot(connection, names)
    if slot is not None and not slot.lost:
        work.steps.append(Step(f"replication slot {names.slot}"))
        return
    if work.missing:
        row = connection.execute(MAY_REPLICATE).fetchone()
        if row is None or not row[0]:
            work.missing.append(setup.not_replicating(connection.info.user))
        return
    try:
        if slot is not None:
            work.steps.append(setup.drop_slot(connection, names))
        work.steps.append(setup.create_slot(connection, names)[1])
    except MissingRight as error:
        work.missing.append(error)
