"""Reads the messages of Postgres' plug-in pgoutput, protocol versions 1 to 4. Reads no socket and interprets no value.

The format is that of the manual's chapter "Logical Replication Message Formats". The names used there for the messages
stand in `messages.py`.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import Final

from tidings.errors import LocalProtocolError
from tidings.sources.postgres.pgoutput import transactions
from tidings.sources.postgres.pgoutput.messages import (
    DecodeError,
    Delete,
    Identity,
    Insert,
    LogicalEmit,
    LogicalMessage,
    OldKind,
    Relation,
    RelationColumn,
    Truncate,
    Type,
    Update,
    Value,
)
from tidings.sources.postgres.pgoutput.transactions import Reader
from tidings.sources.postgres.pgoutput.wire import ended, read_name, read_row, read_schema

VERSIONS: Final = range(1, 5)
"""Protocol versions: 1 since Postgres 10, 2 (streaming) since 14, 3 (two-phase) since 15, 4 (parallel) since 16."""

_UINT32: Final = Struct(">I").unpack_from
_COUNT: Final = Struct(">ch").unpack_from
_COLUMN: Final = Struct(">Ii").unpack_from
_ROW: Final = Struct(">IB").unpack_from
_TRUNCATE: Final = Struct(">IB").unpack_from
_EMIT: Final = Struct(">BQ").unpack_from

_START, _STOP = b"SE"
_KEY, _OLD, _NEW = b"KON"
_IDENTITIES: Final[dict[bytes, Identity]] = {b"d": "d", b"n": "n", b"f": "f", b"i": "i"}


class Decoder:
    """Messages of one replication stream, one after the other.

    version, parallel: what the stream was started with (`proto_version`, and `streaming 'parallel'`).
    Its only state is whether the stream is between StreamStart and StreamStop; a message that cannot be read leaves it.
    """

    def __init__(self, version: int, *, parallel: bool = False) -> None:
        if version not in VERSIONS or (parallel and version < 4):
            raise LocalProtocolError(f"no such protocol of pgoutput: version {version}, parallel {parallel}")
        self._outside = _CHANGES | transactions.ALWAYS
        if version >= 2:
            self._outside |= transactions.PARALLEL if parallel else transactions.STREAMING
        if version >= 3:
            self._outside |= transactions.TWO_PHASE
        self._inside = _CHANGES | transactions.IN_STREAM
        self._readers = self._outside

    @property
    def in_stream(self) -> bool:
        """Between StreamStart and StreamStop: changes say which transaction made them."""
        return self._readers is self._inside

    def decode(self, data: bytes) -> LogicalMessage:
        """Read one message, all of it. Raises DecodeError and nothing else."""
        try:
            kind = data[0]
            read = self._readers.get(kind)
            if read is None:
                raise DecodeError(kind, 0, "no such message, or not at this place of the stream")
            if self._readers is self._inside and kind in _CHANGES:
                message = read(data, 5, _UINT32(data, 1)[0])
            else:
                message = read(data, 1, None)
        except (StructError, IndexError):
            raise DecodeError(data[0] if data else None, len(data), "it ends too early") from None
        if kind == _START:
            self._readers = self._inside
        elif kind == _STOP:
            self._readers = self._outside
        return message


def _insert(data: bytes, at: int, xid: int | None) -> Insert:
    relation, kind = _ROW(data, at)
    if kind != _NEW:
        raise DecodeError(data[0], at + 4, "a new row was due")
    new, at = read_row(data, at + 5)
    if at != len(data):
        ended(data, at)
    return Insert(xid, relation, new)


def _update(data: bytes, at: int, xid: int | None) -> Update:
    relation, kind = _ROW(data, at)
    at += 5
    old: tuple[Value, ...] | None = None
    old_kind: OldKind | None = None
    if kind in (_KEY, _OLD):
        old_kind = "K" if kind == _KEY else "O"
        old, at = read_row(data, at)
        kind = data[at]
        at += 1
    if kind != _NEW:
        raise DecodeError(data[0], at - 1, "a new row was due")
    new, at = read_row(data, at)
    ended(data, at)
    return Update(xid, relation, old, old_kind, new)


def _delete(data: bytes, at: int, xid: int | None) -> Delete:
    relation, kind = _ROW(data, at)
    if kind not in (_KEY, _OLD):
        raise DecodeError(data[0], at + 4, "an old row was due")
    old, at = read_row(data, at + 5)
    ended(data, at)
    return Delete(xid, relation, old, "K" if kind == _KEY else "O")


def _truncate(data: bytes, at: int, xid: int | None) -> Truncate:
    count, flags = _TRUNCATE(data, at)
    if count * 4 != len(data) - at - 5:  # before anything is made for that many
        raise DecodeError(data[0], at, "another number of tables than it says")
    relations = Struct(f">{count}I").unpack_from(data, at + 5)
    return Truncate(xid, relations, bool(flags & 1), bool(flags & 2))


def _relation(data: bytes, at: int, xid: int | None) -> Relation:
    (id,) = _UINT32(data, at)
    schema, at = read_schema(data, at + 4)
    table, at = read_name(data, at)
    letter, count = _COUNT(data, at)
    identity = _IDENTITIES.get(letter)
    if identity is None:
        raise DecodeError(data[0], at, "an unknown replica identity")
    if count < 0:
        raise DecodeError(data[0], at + 1, "a negative number of columns")
    at += 3
    columns = []
    for _ in range(count):
        key = bool(data[at] & 1)
        name, at = read_name(data, at + 1)
        type_, modifier = _COLUMN(data, at)
        columns.append(RelationColumn(name, key, type_, modifier))
        at += 8
    ended(data, at)
    return Relation(xid, id, schema, table, identity, tuple(columns))


def _type(data: bytes, at: int, xid: int | None) -> Type:
    (id,) = _UINT32(data, at)
    schema, at = read_schema(data, at + 4)
    name, at = read_name(data, at)
    ended(data, at)
    return Type(xid, id, schema, name)


def _emit(data: bytes, at: int, xid: int | None) -> LogicalEmit:
    flags, lsn = _EMIT(data, at)
    prefix, at = read_name(data, at + 9)
    start = at + 4
    end = start + _UINT32(data, at)[0]
    ended(data, end)
    return LogicalEmit(xid, bool(flags & 1), lsn, prefix, data[start:end])


_CHANGES: Final[dict[int, Reader]] = {
    ord("I"): _insert,
    ord("U"): _update,
    ord("D"): _delete,
    ord("T"): _truncate,
    ord("R"): _relation,
    ord("Y"): _type,
    ord("M"): _emit,
}
"""In a stream, these begin with the number of the transaction that made them."""
