"""The ordinary connection beside the stream: preparing the database, asking its catalogue, watching the slot. Blocks.

Called from threads, one call at a time. It holds what it learned: the tables and their keys.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
import psycopg

from tidings.errors import SourceError
from tidings.nearest import no_such
from tidings.sources.postgres import setup
from tidings.sources.postgres.catalog import Table, check_server, columns_of, read_tables, with_outbox
from tidings.sources.postgres.connections import Connection, connect, first_line
from tidings.sources.postgres.continuity import Slot
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
    that were not published for a while and are again."""

    written: int
    kept_from: int | None
    safe: int | None
    status: str
    returned: tuple[str, ...] = ()


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
        self._marks: dict[str, str] = {}
        self._returned: list[str] = []
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
            self._returned.clear()  # a new slot is a gap of all
            return setup.create_slot(connection, self._names)[0]

        return self._do(make)

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
        lost = setup.unpublished(connection, self._names, self._tables)
        setup.ensure_publication(connection, self._names, self._tables)
        if setup.read_slot(connection, self._names) is not None:
            self._returned += lost
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
        lost = setup.unpublished(connection, self._names, self._tables)
        returned, self._returned = self._returned, []
        for name in lost:
            try:
                found = read_tables(connection, [name])
                setup.ensure_publication(connection, self._names, {**self._published(lost), **found})
            except SourceError:
                continue
            self._tables.update(found)
            returned.append(name)
        self.absent = tuple(name for name in lost if name not in returned)
        marks = setup.read_marks(connection, self._names)
        renewed = [name for name in self._tables if self._marks.get(name, marks.get(name)) != marks.get(name)]
        if renewed:
            there = {name: table for name, table in self._tables.items() if name not in self.absent}
            setup.ensure_publication(connection, self._names, there)
            marks = setup.read_marks(connection, self._names)
        self._marks = marks
        returned += [name for name in renewed if name in marks]
        row = connection.execute(_LOOK, [self._names.slot] * 3).fetchone()
        assert row is not None, "the query returns a row"
        written, kept, safe, status = row
        return Look(
            int(written),
            None if kept is None else int(kept),
            None if safe is None else int(safe),
            status or "",
            self._settle(connection, tuple(dict.fromkeys(returned))),
        )

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

    def _published(self, lost: Sequence[str]) -> dict[str, Table]:
        return {name: table for name, table in self._tables.items() if name not in lost}

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
