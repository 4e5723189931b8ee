"""The ordinary connection beside the stream: preparing the database, asking its catalogue, watching the slot. Blocks.

Called from threads, one call at a time. It holds what it learned: the tables with their keys.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
import psycopg
import structlog

from tidings.changes import Seals
from tidings.errors import SourceError
from tidings.nearest import no_such
from tidings.sources.postgres import setup
from tidings.sources.postgres.catalog import Table, check_server, columns_of, read_tables, with_outbox
from tidings.sources.postgres.connections import Connection, connect, first_line
from tidings.sources.postgres.continuity import Slot, end_of_records
from tidings.sources.postgres.published import read_seals
from tidings.sources.postgres.seals import Found, Horizon, is_unbroken
from tidings.sources.postgres.setup import Names
from tidings.sources.postgres.stream import PROCESS
from tidings.sources.postgres.values.types import CATALOG_SQL, TypeInfo, Types

log = structlog.get_logger("tidings.sources.postgres")

T = TypeVar("T")

_LOOK: Final = """
SELECT
  pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0'),
  (SELECT pg_wal_lsn_diff(restart_lsn, '0/0') FROM pg_replication_slots WHERE slot_name = %s),
  (SELECT safe_wal_size FROM pg_replication_slots WHERE slot_name = %s),
  (SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s)
"""
_AT: Final = """
SELECT pg_wal_lsn_diff(
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, '0/0')
"""


_HORIZON: Final = """
SELECT pg_snapshot_xmin(s)::text::int8, pg_snapshot_xmax(s)::text::int8 FROM pg_current_snapshot() s
"""
"""Transactions before the first have ended; those from the second on have not begun."""

# Ends with a commit of its own, so that the log is written out to disk up to here within a fraction of a second, as the
# stream tells it; what an open transaction has written waits for up to half a minute otherwise.
_FLUSH: Final = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_xact_id() END"

_GONE: Final = """
SELECT s::int8 FROM unnest(%s::int8[]) s WHERE NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = s::oid)
"""


class Elsewhere(SourceError):
    """Another server answers than the one that was met."""


NOTHING: Final = Found(seals={}, horizon=Horizon(0, 0))

CLOSE_SECONDS: Final = 5.0
"""How long closing waits for a thread that still asks the database."""


class Look(msgspec.Struct, frozen=True):
    """What the server says of our slot and publication.

    written: end of its log. kept_from: what it keeps for us begins here; None without a slot. safe: bytes that may
    still be written before the slot is lost; None for no limit. at: all that was committed before the look stands
    before this place of the log. found: of the publication.
    """

    written: int
    kept_from: int | None
    safe: int | None
    status: str
    at: int = 0
    found: Found = NOTHING


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
        self._process = ""
        self._met: Connection | None = None  # the connection that was seen to lead there
        self._tables: dict[str, Table] = {}
        self.before_slot: Seals = {}
        """The seals of the tables from which on all that is published is told."""
        self.horizon: Horizon | None = None
        """With a slot that was there before: what was open when the tables were published."""
        self.absent: tuple[str, ...] = ()
        """Tables that are gone, or not published: their changes are not told."""

    @property
    def process(self) -> str:
        """The run of the server that was met last (`Process.begun`); empty before."""
        return self._process

    @property
    def connected(self) -> bool:
        """Whether the server answers, so that what is wrong is not that."""
        return self._connection is not None and not self._connection.closed

    def meet(self, process: str) -> None:
        """Ask this run of the server from now on (`Process.begun`), over a new connection; empty: whichever answers.

        An address may lead to another server than a moment ago, whose publication and slot are others.
        """
        with self._lock:
            self._process = process
            if self._connection is not None:
                self._connection.close()

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
                self.horizon = None

        self._do(make)

    def new_slot(self, *, drop: bool) -> Slot:
        """Make the slot, an old one being taken away before. The publication must stand first."""

        def make(connection: Connection) -> Slot:
            check_server(connection)
            if drop:
                setup.drop_slot(connection, self._names)
            # Before the slot is made: what is done to the publication from here on is seen.
            self.before_slot = self._publish(connection, {})
            self.horizon = None
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

    def look(self, known: Mapping[str, str], leaves: Collection[int] = (), *, waiting: bool = False) -> Look:
        """See how the slot is, and have the tables published that are not, or not whole.

        known: the seals as they were; tables with another one are read anew. leaves: OIDs to ask whether they are
        partitions still. waiting: whether something is told when transactions have ended.
        """
        return self._do(lambda connection: self._look(connection, known, leaves, waiting=waiting))

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
        before = self._seals(connection)
        setup.ensure_publication(connection, self._names, self._tables)
        seals = self._seals(connection)
        if setup.read_slot(connection, self._names) is not None:
            seals = {name: seal for name, seal in seals.items() if is_unbroken(before.get(name), seal)}
        connection.execute(
            _FLUSH
        )  # a transaction that ends: the horizon says nothing of those that began after the last
        self.before_slot, self.horizon = seals, _horizon(connection)
        self.absent = ()
        return columns_of(self._tables)

    def _publish(self, connection: Connection, known: Mapping[str, str]) -> Seals:
        """Have the tables published whole, as many as can be: one that cannot must not hold up the others. Those that
        may have been made anew are read again. Returns the seals there are then."""
        seals = self._seals(connection)
        sound = {name for name, seal in seals.items() if is_unbroken(known.get(name), seal)}
        there = {name: table for name, table in self._tables.items() if name in sound}
        for name in [name for name in self._tables if name not in sound]:
            try:
                found = read_tables(connection, [name])
                self._tables.update(found)
                there |= found
                for step in setup.ensure_publication(connection, self._names, there):
                    if step.sql:  # whoever took the table out will want to know
                        log.warning("publication_changed", publication=self._names.publication, sql=step.sql)
            except SourceError:
                there.pop(name, None)
        seals = self._seals(connection) if len(sound) < len(self._tables) else seals
        self.absent = tuple(name for name in self._tables if name not in seals)
        return seals

    def _look(
        self, connection: Connection, known: Mapping[str, str], leaves: Collection[int], *, waiting: bool
    ) -> Look:
        seals = self._publish(connection, known)
        gone = self._gone(connection, leaves)
        ((at,),) = connection.execute(_AT).fetchall()
        if gone or waiting or not all(is_unbroken(known.get(name), seal) for name, seal in seals.items()):
            connection.execute(_FLUSH)
        horizon = _horizon(connection)
        row = connection.execute(_LOOK, [self._names.slot] * 3).fetchone()
        assert row is not None, "the query returns a row"
        written, kept, safe, status = row
        return Look(
            int(written),
            None if kept is None else int(kept),
            None if safe is None else int(safe),
            status or "",
            end_of_records(int(at)),
            Found(seals=seals, horizon=horizon, gone=gone),
        )

    def _gone(self, connection: Connection, leaves: Collection[int]) -> frozenset[int]:
        return (
            frozenset(oid for (oid,) in connection.execute(_GONE, [list(leaves)])) if leaves else frozenset()
        )

    def _seals(self, connection: Connection) -> Seals:
        return read_seals(connection, self._names.publication, self._tables)

    def _do(self, work: Callable[[Connection], T]) -> T:
        """Run something on the connection, made anew when it has gone. Raises SourceError."""
        with self._lock:
            if self._closed:
                raise SourceError("the source is closed")
            connection = self._connection
            if connection is None or connection.closed:
                connection = self._connection = connect(self._url)
            try:
                if connection is not self._met:
                    self._meet(connection)
                return work(connection)
            except psycopg.OperationalError as error:
                connection.close()
                raise SourceError(f"the database does not answer: {first_line(error)}") from error
            except psycopg.Error as error:
                raise SourceError(f"the database refused: {first_line(error)}") from error

    def _meet(self, connection: Connection) -> None:
        """What a new connection begins with. Raises Elsewhere."""
        connection.execute("SET jit = off")  # it would cost more than all our questions
        ((begun, _),) = connection.execute(PROCESS).fetchall()
        if self._process not in ("", begun):
            connection.close()
            raise Elsewhere("the address leads to another server than the one whose log is read")
        self._met = connection


def _horizon(connection: Connection) -> Horizon:
    row = connection.execute(_HORIZON).fetchone()
    assert row is not None, "the query returns a row"
    return Horizon(*row)
