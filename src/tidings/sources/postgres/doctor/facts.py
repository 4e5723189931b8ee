"""What `tidings doctor` reads of a Postgres source before it judges. Values only."""

from __future__ import annotations

import msgspec

from tidings.sources.postgres.catalog import Table
from tidings.sources.postgres.setup import Names, Task
from tidings.sources.rules import Rule


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings want of a source. rules: those of its tables, by their place in the file.

    required: whether rules that need untold old rows are refused. behind, retained, safe: bytes, as in `Bounds`.
    """

    name: str
    names: Names
    tables: tuple[str, ...] = ()
    rules: tuple[tuple[int, Rule], ...] = ()
    required: bool = True
    behind: int = 256 << 20
    retained: int = 4 << 30
    safe: int = 64 << 20


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """The server and its bounds. version: as `server_version_num`. written: end of its log.

    slots, senders: in use, and at most. keep_mb: max_slot_wal_keep_size, -1 for no bound. idle_timeout: seconds, 0 for
    none. awaited: synchronized_standby_slots; None before Postgres 17.
    """

    shown: str
    release: str
    version: int
    standby: bool
    written: int
    wal_level: str
    slots: tuple[int, int]
    senders: tuple[int, int]
    keep_mb: int
    idle_timeout: int = 0
    awaited: str | None = None


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """Whom we connect as. sees_all: whether other roles' transactions can be seen."""

    name: str
    replicates: bool
    sees_all: bool


class TableFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A table to capture. fault: why it cannot be. selects: whether we may read its rows."""

    name: str
    table: Table | None = None
    fault: str = ""
    selects: bool = True


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """The publication. narrowed: its tables of which it leaves out rows or columns."""

    owner: str
    owned: bool
    narrowed: tuple[str, ...] = ()


class SlotFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A replication slot. reader: who reads it; empty for nobody. lost: why it can give nothing any more.

    safe: bytes that may be written before it is lost; None for no bound. failover: None before Postgres 17.
    """

    name: str
    physical: bool = False
    ours: bool = True
    reader: str = ""
    wal_status: str = "reserved"
    lost: str = ""
    confirmed: int = 0
    kept_from: int | None = None
    safe: int | None = None
    temporary: bool = False
    synced: bool = False
    two_phase: bool = False
    failover: bool | None = None


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that has written and is still open. end: SQL that ends it."""

    who: str
    seconds: float
    end: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. stream: why no replication connection could be made; empty when one could.

    tasks: what is to be done to the publication. slot: ours; None for none. slots: the others.
    """

    server: Server
    role: Role
    stream: str = ""
    tables: tuple[TableFacts, ...] = ()
    publication: Publication | None = None
    tasks: tuple[Task, ...] = ()
    slot: SlotFacts | None = None
    slots: tuple[SlotFacts, ...] = ()
    open: tuple[Open, ...] = ()
