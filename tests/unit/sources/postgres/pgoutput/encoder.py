"""Writes pgoutput's messages, as the manual describes them. For round trips: the other way of `decoder.py`."""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack

from tidings.sources.postgres.pgoutput import messages as logical
from tidings.sources.postgres.pgoutput.messages import UNCHANGED, LogicalMessage, Value
from tidings.sources.postgres.pgoutput.wire import EPOCH_MS


def name(text: str) -> bytes:
    return text.encode() + b"\0"


def schema(text: str) -> bytes:
    return name("" if text == "pg_catalog" else text)


def time(ms: int) -> int:
    return (ms - EPOCH_MS) * 1000


def row(values: Iterable[Value]) -> bytes:
    parts = list(values)
    return pack(">h", len(parts)) + b"".join(
        b"n" if part is None else b"u" if part is UNCHANGED else b"t" + pack(">I", len(part)) + part
        for part in parts
    )


def encode(message: LogicalMessage) -> bytes:
    """Changes of a stream carry the transaction that made them."""
    match message:
        case logical.Begin(lsn, at, xid):
            return b"B" + pack(">QqI", lsn, time(at), xid)
        case logical.Commit(lsn, end, at):
            return b"C\0" + pack(">QQq", lsn, end, time(at))
        case logical.Origin(lsn, text):
            return b"O" + pack(">Q", lsn) + name(text)
        case logical.StreamStart(xid, first):
            return b"S" + pack(">IB", xid, first)
        case logical.StreamStop():
            return b"E"
        case logical.StreamCommit(xid, lsn, end, at):
            return b"c" + pack(">IBQQq", xid, 0, lsn, end, time(at))
        case logical.StreamAbort(xid, subxid, None, None):
            return b"A" + pack(">II", xid, subxid)
        case logical.StreamAbort(xid, subxid, int(lsn), int(at)):
            return b"A" + pack(">IIQq", xid, subxid, lsn, time(at))
        case logical.BeginPrepare(lsn, end, at, xid, gid):
            return b"b" + pack(">QQqI", lsn, end, time(at), xid) + name(gid)
        case logical.RollbackPrepared(prepare_end, end, prepared, at, xid, gid):
            return b"r\0" + pack(">QQqqI", prepare_end, end, time(prepared), time(at), xid) + name(gid)
        case logical.Prepare() | logical.CommitPrepared() | logical.StreamPrepare():
            letter = {logical.Prepare: b"P", logical.CommitPrepared: b"K", logical.StreamPrepare: b"p"}
            fields = pack(">QQqI", message.lsn, message.end_lsn, time(message.time), message.xid)
            return letter[type(message)] + b"\0" + fields + name(message.gid)
        case _:
            kind, body = change(message)
            within: int | None = getattr(message, "xid", None)
            return kind + (b"" if within is None else pack(">I", within)) + body


def change(message: LogicalMessage) -> tuple[bytes, bytes]:
    match message:
        case logical.Relation(_, id, space, table, identity, columns):
            head = pack(">I", id) + schema(space) + name(table) + identity.encode() + pack(">h", len(columns))
            return b"R", head + b"".join(
                pack(">B", c.key) + name(c.name) + pack(">Ii", c.type, c.modifier) for c in columns
            )
        case logical.Type(_, id, space, text):
            return b"Y", pack(">I", id) + schema(space) + name(text)
        case logical.Insert(_, relation, new):
            return b"I", pack(">I", relation) + b"N" + row(new)
        case logical.Update(_, relation, old, kind, new):
            before = b"" if old is None or kind is None else kind.encode() + row(old)
            return b"U", pack(">I", relation) + before + b"N" + row(new)
        case logical.Delete(_, relation, old, kind):
            return b"D", pack(">I", relation) + kind.encode() + row(old)
        case logical.Truncate(_, relations, cascade, restart):
            flags = cascade | restart << 1
            return b"T", pack(f">IB{len(relations)}I", len(relations), flags, *relations)
        case logical.LogicalEmit(_, transactional, lsn, prefix, content):
            head = pack(">BQ", transactional, lsn) + name(prefix)
            return b"M", head + pack(">I", len(content)) + content
        case _:
            raise AssertionError(message)
