"""What the pgoutput plug-in can say, as immutable values. Holds no bytes of the wire: `decoder.py` reads those.

Times are milliseconds since the Unix epoch, positions in the log (LSN) are integers. `xid` of a change is the
(sub)transaction that made it, told only between StreamStart and StreamStop; elsewhere it is None: the Begin before it
says it. Structs without containers are left out of the garbage collector's rounds, for they are made by the million.
"""

from __future__ import annotations

from enum import Enum
from string import ascii_letters
from typing import Final, Literal

import msgspec

from tidings.errors import SourceError

_LETTERS: Final = ascii_letters.encode()


class DecodeError(SourceError):
    """Bytes that are not what the manual describes. Says which message and where, never what it held.

    kind: the message's first byte; None when there was not even that.
    """

    def __init__(self, kind: int | None, offset: int, what: str) -> None:
        self.kind = kind
        self.offset = offset
        name = "nothing" if kind is None else f"'{kind:c}'" if kind in _LETTERS else f"0x{kind:02x}"
        super().__init__(
            f"the database sent a replication message {name} that cannot be read at byte {offset}: {what}"
        )


class Unchanged(Enum):
    """The type of `UNCHANGED`, so that a type checker can tell it from a value."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
"""A large value that an update did not touch: Postgres does not tell it. Never null."""

Value = bytes | Unchanged | None
"""A column's value in Postgres' text format; None is null."""

Identity = Literal["d", "n", "f", "i"]
"""A table's replica identity: default (primary key), nothing, full, or an index."""

OldKind = Literal["K", "O"]
"""What an old tuple holds: the key's columns alone, all others null, or the whole old row."""


class Begin(msgspec.Struct, frozen=True, gc=False):
    """final_lsn: where the transaction's commit is. time: of the commit."""

    final_lsn: int
    time: int
    xid: int


class Commit(msgspec.Struct, frozen=True, gc=False):
    """lsn: of the commit. end_lsn: the end of its record, which is what to acknowledge."""

    lsn: int
    end_lsn: int
    time: int


class Origin(msgspec.Struct, frozen=True, gc=False):
    """The transaction came from another server. lsn: of its commit there."""

    lsn: int
    name: str


class RelationColumn(msgspec.Struct, frozen=True, gc=False):
    """key: a column of the replica identity. type: its OID. modifier: of the type, such as a length; -1 for none."""

    name: str
    key: bool
    type: int
    modifier: int


class Relation(msgspec.Struct, frozen=True):
    """A table as it is from here on. Sent before its first change, and again whenever it changed."""

    xid: int | None
    id: int
    schema: str
    table: str
    identity: Identity
    columns: tuple[RelationColumn, ...]


class Type(msgspec.Struct, frozen=True, gc=False):
    """A type that is not built in, sent before the Relation that uses it. A domain comes with its base's name."""

    xid: int | None
    id: int
    schema: str
    name: str


class Insert(msgspec.Struct, frozen=True):
    """relation: the `id` of a Relation told before."""

    xid: int | None
    relation: int
    new: tuple[Value, ...]


class Update(msgspec.Struct, frozen=True):
    """old: the row before, as much as `old_kind` says; None when the identity did not change."""

    xid: int | None
    relation: int
    old: tuple[Value, ...] | None
    old_kind: OldKind | None
    new: tuple[Value, ...]


class Delete(msgspec.Struct, frozen=True):
    """old: the row before, as much as `old_kind` says."""

    xid: int | None
    relation: int
    old: tuple[Value, ...]
    old_kind: OldKind


class Truncate(msgspec.Struct, frozen=True):
    """Several tables emptied by one statement. restart: their sequences begin anew."""

    xid: int | None
    relations: tuple[int, ...]
    cascade: bool
    restart: bool


class LogicalEmit(msgspec.Struct, frozen=True, gc=False):
    """What pg_logical_emit_message wrote. Not transactional: it stands alone, between transactions."""

    xid: int | None
    transactional: bool
    lsn: int
    prefix: str
    content: bytes


class StreamStart(msgspec.Struct, frozen=True, gc=False):
    """A block of changes of a transaction that is still open. first: its first block."""

    xid: int
    first: bool


class StreamStop(msgspec.Struct, frozen=True, gc=False):
    """The end of the block."""


class StreamCommit(msgspec.Struct, frozen=True, gc=False):
    """All blocks of this transaction hold, but for the subtransactions that were aborted."""

    xid: int
    lsn: int
    end_lsn: int
    time: int


class StreamAbort(msgspec.Struct, frozen=True, gc=False):
    """Forget what `subxid` did; all of the transaction when it is `xid`. lsn, time: told to parallel readers only."""

    xid: int
    subxid: int
    lsn: int | None
    time: int | None


class _Prepared(msgspec.Struct, frozen=True, gc=False):
    """lsn: of the record that says it. end_lsn: its end. gid: the name the application gave the transaction."""

    lsn: int
    end_lsn: int
    time: int
    xid: int
    gid: str


class BeginPrepare(_Prepared, frozen=True, gc=False):
    """What Begin is, for a transaction that was prepared. lsn and time are those of the prepare."""


class Prepare(_Prepared, frozen=True, gc=False):
    """The changes since BeginPrepare are kept by the server; whether they hold is told later."""


class CommitPrepared(_Prepared, frozen=True, gc=False):
    """A prepared transaction holds. time: of this commit."""


class StreamPrepare(_Prepared, frozen=True, gc=False):
    """What Prepare is, for a transaction that was streamed."""


class RollbackPrepared(msgspec.Struct, frozen=True, gc=False):
    """A prepared transaction does not hold. prepare_end_lsn, prepare_time: of its prepare."""

    prepare_end_lsn: int
    end_lsn: int
    prepare_time: int
    time: int
    xid: int
    gid: str


LogicalMessage = (
    Begin
    | Commit
    | Origin
    | Relation
    | Type
    | Insert
    | Update
    | Delete
    | Truncate
    | LogicalEmit
    | StreamStart
    | StreamStop
    | StreamCommit
    | StreamAbort
    | BeginPrepare
    | Prepare
    | CommitPrepared
    | RollbackPrepared
    | StreamPrepare
)
