"""The ordinary connection beside the stream: preparing the database, asking its catalogue, watching the slot. Blocks.

Called from threads, one call at a time. It holds what it learned: the tables and their keys.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
import psycopg

from tidings.changes import Marks
from tidings.errors import SourceError
from tidings.nearest import no_such
from tidings.sources.postgres import setup
from tidings.sources.postgres.catalog import Table, check_server, columns_of, read_tables, with_outbox
from tidings.sources.postgres.connections import Connection, connect, first_line
from tidings.sources.postgres.continuity import Slot, is_continued
from tidings.sources.postgres.setup import Names
from tidings.sources.postgres.values.types import CATALOG_SQL, TypeInfo, Types

T = TypeVar("T")

_LOOK: Final = """
SELECT
  pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0'),
  (SELECT pg_wal_lsn_diff(restart_lsn, '0/0') FROM pg_replication_slots WHERE slot_name = %s),
  (SELECT safe_wal_size FROM pg_replication_slots WHERE slot_name = %s),
  (SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s)
"""


_HORIZON: Final = """
SELECT pg_snapshot_xmin(s)::text::int8, pg_snapshot_xmax(s)::text::int8 FROM pg_current_snapshot() s
"""
"""Transactions before the first have ended; those from the second on have not begun."""

CLOSE_SECONDS: Final = 5.0
"""How long closing waits for a thread that still asks the database."""


class Look(msgspec.Struct, frozen=True):
    """What the server says of our slot. written: end of its log. kept_from: what it keeps for us begins here; None
    without a slot. safe: bytes that may still be written before the slot is lost; None for no limit. returned: tables
    that were not published whole for a while and are again. marks: to be kept from now on; None while they are what
    they were."""

    written: int
    kept_from: int | None
    safe: int | None
    status: str
    returned: tuple[str, ...] = ()
    marks: Marks | None = None


class Desk:
    """tables: the names to capture, as settings have them."""

    def __init__(self, url: str, names: Names, tables: Sequence[str], types: Types) -> None:
        self._url = url
        self._names = names
        self._wanted = tables
        self._types = types
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._closed = False
        self._tables: dict[str, Table] = {}
        self._marks: Marks = {}  # of what is told; a table that is not in it is told as one that has returned
        self._kept: Marks | None = None  # as they stand in the log
        self._unsettled: list[tuple[int, tuple[str, ...]]] = []
        self.absent: tuple[str, ...] = ()
        """Tables that are gone, or not published: their changes are not told."""

    @property
    def connected(self) -> bool:
        """Whether the server answers, so that what is wrong is not that."""
        return self._connection is not None and not self._connection.closed

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        self._closed = True
        held = self._lock.acquire(timeout=CLOSE_SECONDS)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if held:
            self._lock.release()

    def prepare(self) -> Mapping[str, Sequence[str]]:
        """See that all can be captured, and make the publication. Returns the columns that changes tell."""
        return self._do(self._prepare)

    def slot(self) -> Slot | None:
        """The slot as it is."""
        return self._do(lambda connection: setup.read_slot(connection, self._names))

    def first_slot(self) -> None:
        """Make the slot if there is none."""

        def make(connection: Connection) -> None:
            if setup.read_slot(connection, self._names) is None:
                setup.create_slot(connection, self._names)

        self._do(make)

    def new_slot(self, *, drop: bool) -> Slot:
        """Make the slot, an old one being taken away before. The publication must stand first."""

        def make(connection: Connection) -> Slot:
            self._prepare_present(connection)
            if drop:
                setup.drop_slot(connection, self._names)
            self._marks = self._marks_now(
                connection
            )  # before the slot: what is done to them from here on is seen
            return setup.create_slot(connection, self._names)[0]

        return self._do(make)

    def resume(self, marks: Marks | None) -> None:
        """Compare with what the log has from now on. What has no mark there is told as one that has returned."""
        with self._lock:
            self._marks = dict(marks or {})
            self._kept = marks
            self._unsettled.clear()

    def anew(self) -> Marks:
        """Begin with the tables as they were found before the slot was made. Returns their marks, to be kept with a gap
        of all."""
        with self._lock:
            self._kept = dict(self._marks)
            self._unsettled.clear()
            return self._kept

    def again(self, marks: Marks | None) -> Marks:
        """Begin with the tables as they are now. Returns their marks, to be kept with a gap of all: those that the log
        knew differently are told a second time when the transactions that are open now have ended."""

        def begin(connection: Connection) -> Marks:
            self._prepare_present(connection)
            self._kept = None
            self._unsettled.clear()
            self._marks = self._marks_now(connection)
            known = marks or {}
            self._settle(
                connection,
                tuple(name for name, mark in self._marks.items() if not is_continued(known.get(name), mark)),
            )
            return self._to_keep() or {}

        return self._do(begin)

    def learn_types(self, oids: Iterable[int]) -> None:
        """Look types up. One that was dropped meanwhile stays unknown: its values are told as text."""
        wanted = list(oids)

        def learn(connection: Connection) -> None:
            found = [TypeInfo.from_row(row) for row in connection.execute(CATALOG_SQL, [wanted])]
            there = {info.oid for info in found}
            gone = [TypeInfo(oid, "unknown") for oid in wanted if oid not in there]
            self._types.add([*found, *gone])

        self._do(learn)

    def look(self) -> Look:
        """See how the slot is, and have the tables published that are not any more."""
        return self._do(self._look)

    def key_of(self, name: str) -> Sequence[str] | None:
        """A table's primary key, as it was when the tables were read. Does not ask."""
        table = self._tables.get(name)
        return None if table is None else table.key

    def fresh(self, names: Sequence[str]) -> Mapping[str, Table]:
        """Captured tables as they are now. Raises SourceError for one that is not captured, or gone."""
        for name in names:
            if name not in self._tables:
                raise SourceError(no_such("table", name, self._tables))
        return self._do(lambda connection: read_tables(connection, names))

    def _prepare(self, connection: Connection) -> Mapping[str, Sequence[str]]:
        check_server(connection)
        self._tables = read_tables(connection, with_outbox(connection, self._wanted))
        before = self._marks_now(connection)
        setup.ensure_publication(connection, self._names, self._tables)
        self._marks = self._marks_now(connection)
        if setup.read_slot(connection, self._names) is not None:
            self._marks = {
                name: mark for name, mark in self._marks.items() if is_continued(before.get(name), mark)
            }
        self.absent = ()
        return columns_of(self._tables)

    def _prepare_present(self, connection: Connection) -> None:
        """As much as can be captured: one table that is gone must not hold up the others."""
        check_server(connection)
        found: dict[str, Table] = {}
        for name in self._tables:
            try:
                found |= read_tables(connection, [name])
            except SourceError:
                continue
        setup.ensure_publication(connection, self._names, found)
        self.absent = tuple(name for name in self._tables if name not in found)
        self._tables |= found

    def _look(self, connection: Connection) -> Look:
        self._publish_missing(connection)
        marks = self._marks_now(connection)
        returned = tuple(
            name for name, mark in marks.items() if not is_continued(self._marks.get(name), mark)
        )
        if returned:  # it may be that only some kinds of change are published
            there = {name: table for name, table in self._tables.items() if name not in self.absent}
            setup.ensure_publication(connection, self._names, there)
            marks = self._marks_now(connection)
        self._marks = marks
        told = self._settle(connection, returned)
        row = connection.execute(_LOOK, [self._names.slot] * 3).fetchone()
        assert row is not None, "the query returns a row"
        written, kept, safe, status = row
        return Look(
            int(written),
            None if kept is None else int(kept),
            None if safe is None else int(safe),
            status or "",
            told,
            self._to_keep(),
        )

    def _publish_missing(self, connection: Connection) -> None:
        """Have the tables published that are not any more, but those that are gone."""
        lost = setup.unpublished(connection, self._names, self._tables)
        absent = []
        for name in lost:
            try:
                found = read_tables(connection, [name])
                there = {name: table for name, table in self._tables.items() if name not in lost}
                setup.ensure_publication(connection, self._names, {**there, **found})
                self._tables.update(found)
            except SourceError:
                absent.append(name)
        self.absent = tuple(absent)

    def _marks_now(self, connection: Connection) -> Marks:
        """The marks of the captured tables, in their order."""
        found = setup.read_marks(connection, self._names)
        return {name: found[name] for name in self._tables if name in found}

    def _to_keep(self) -> Marks | None:
        """The marks, if they are not those in the log. A table that is still to be told of a second time has none, so
        that a crash before that cannot keep it from being told."""
        waiting = {name for _, names in self._unsettled for name in names}
        settled = {name: mark for name, mark in self._marks.items() if name not in waiting}
        if settled == self._kept:
            return None
        self._kept = settled
        return settled

    def _settle(self, connection: Connection, returned: tuple[str, ...]) -> tuple[str, ...]:
        """What was published anew is told now, and again when the transactions that were open then have ended: what
        those wrote before, the server does not tell, however late they commit."""
        row = connection.execute(_HORIZON).fetchone()
        assert row is not None, "the query returns a row"
        ended, begun = row
        settled = [names for horizon, names in self._unsettled if horizon <= ended]
        self._unsettled = [(horizon, names) for horizon, names in self._unsettled if horizon > ended]
        if returned and ended < begun:
            self._unsettled.append((begun, returned))
        return tuple(dict.fromkeys(name for names in (returned, *settled) for name in names))

    def _do(self, work: Callable[[Connection], T]) -> T:
        """Run something on the connection, made anew when it has gone. Raises SourceError."""
        with self._lock:
            if self._closed:
                raise SourceError("the source is closed")
            if not self.connected:
                self._connection = connect(self._url)
            connection = self._connection
            assert connection is not None, "it was made just now"
            try:
                return work(connection)
            except psycopg.OperationalError as error:
                connection.close()
                raise SourceError(f"the database does not answer: {first_line(error)}") from error
            except psycopg.Error as error:
                raise SourceError(f"the database refused: {first_line(error)}") from error
