"""Reads pgoutput's messages about transactions: where they begin, end, are streamed, prepared and aborted.

Knows neither changes nor the order that messages come in: `decoder.py` does.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from tidings.sources.postgres.pgoutput.messages import (
    Begin,
    BeginPrepare,
    Commit,
    CommitPrepared,
    LogicalMessage,
    Origin,
    Prepare,
    RollbackPrepared,
    StreamAbort,
    StreamCommit,
    StreamPrepare,
    StreamStart,
    StreamStop,
)
from tidings.sources.postgres.pgoutput.wire import ended, no_flags, read_name, to_ms

Reader = Callable[[bytes, int, int | None], LogicalMessage]
"""Reads a message from the place after its first byte, and after the transaction's number where there is one."""

_BEGIN: Final = Struct(">QqI").unpack_from
_COMMIT: Final = Struct(">BQQq").unpack_from
_ORIGIN: Final = Struct(">Q").unpack_from
_STREAM_START: Final = Struct(">IB").unpack_from
_STREAM_COMMIT: Final = Struct(">IBQQq").unpack_from
_STREAM_ABORT: Final = Struct(">II").unpack_from
_ABORTED_AT: Final = Struct(">Qq").unpack_from
_BEGIN_PREPARE: Final = Struct(">QQqI").unpack_from
_PREPARED: Final = Struct(">BQQqI").unpack_from
_ROLLBACK_PREPARED: Final = Struct(">BQQqqI").unpack_from


def _begin(data: bytes, at: int, _: int | None) -> Begin:
    lsn, time, xid = _BEGIN(data, at)
    ended(data, at + 20)
    return Begin(lsn, to_ms(time), xid)


def _commit(data: bytes, at: int, _: int | None) -> Commit:
    flags, lsn, end_lsn, time = _COMMIT(data, at)
    no_flags(data, at, flags)
    ended(data, at + 25)
    return Commit(lsn, end_lsn, to_ms(time))


def _origin(data: bytes, at: int, _: int | None) -> Origin:
    (lsn,) = _ORIGIN(data, at)
    name, at = read_name(data, at + 8)
    ended(data, at)
    return Origin(lsn, name)


def _stream_start(data: bytes, at: int, _: int | None) -> StreamStart:
    xid, first = _STREAM_START(data, at)
    ended(data, at + 5)
    return StreamStart(xid, first == 1)


def _stream_stop(data: bytes, at: int, _: int | None) -> StreamStop:
    ended(data, at)
    return StreamStop()


def _stream_commit(data: bytes, at: int, _: int | None) -> StreamCommit:
    xid, flags, lsn, end_lsn, time = _STREAM_COMMIT(data, at)
    no_flags(data, at + 4, flags)
    ended(data, at + 29)
    return StreamCommit(xid, lsn, end_lsn, to_ms(time))


def _stream_abort(data: bytes, at: int, _: int | None) -> StreamAbort:
    xid, subxid = _STREAM_ABORT(data, at)
    ended(data, at + 8)
    return StreamAbort(xid, subxid, None, None)


def _parallel_abort(data: bytes, at: int, _: int | None) -> StreamAbort:
    xid, subxid = _STREAM_ABORT(data, at)
    lsn, time = _ABORTED_AT(data, at + 8)
    ended(data, at + 24)
    return StreamAbort(xid, subxid, lsn, to_ms(time))


def _begin_prepare(data: bytes, at: int, _: int | None) -> BeginPrepare:
    lsn, end_lsn, time, xid = _BEGIN_PREPARE(data, at)
    gid, at = read_name(data, at + 28)
    ended(data, at)
    return BeginPrepare(lsn, end_lsn, to_ms(time), xid, gid)


def _prepared(
    make: Callable[[int, int, int, int, str], Prepare | CommitPrepared | StreamPrepare],
) -> Reader:
    """A reader of one of the three messages that have the same fields."""

    def read(data: bytes, at: int, _: int | None) -> LogicalMessage:
        flags, lsn, end_lsn, time, xid = _PREPARED(data, at)
        no_flags(data, at, flags)
        gid, at = read_name(data, at + 29)
        ended(data, at)
        return make(lsn, end_lsn, to_ms(time), xid, gid)

    return read


def _rollback_prepared(data: bytes, at: int, _: int | None) -> RollbackPrepared:
    flags, prepare_end, end_lsn, prepared, time, xid = _ROLLBACK_PREPARED(data, at)
    no_flags(data, at, flags)
    gid, at = read_name(data, at + 37)
    ended(data, at)
    return RollbackPrepared(prepare_end, end_lsn, to_ms(prepared), to_ms(time), xid, gid)


ALWAYS: Final[dict[int, Reader]] = {ord("B"): _begin, ord("C"): _commit, ord("O"): _origin}
"""Around the changes of a transaction that is told when it is over."""

STREAMING: Final[dict[int, Reader]] = {
    ord("S"): _stream_start,
    ord("c"): _stream_commit,
    ord("A"): _stream_abort,
}
"""Around the blocks of one that is told while it is open; since version 2."""

PARALLEL: Final = STREAMING | {ord("A"): _parallel_abort}
"""The same where the stream was started with `streaming 'parallel'`; since version 4."""

IN_STREAM: Final[dict[int, Reader]] = {ord("O"): _origin, ord("E"): _stream_stop}
"""Within a block."""

TWO_PHASE: Final[dict[int, Reader]] = {
    ord("b"): _begin_prepare,
    ord("P"): _prepared(Prepare),
    ord("K"): _prepared(CommitPrepared),
    ord("r"): _rollback_prepared,
    ord("p"): _prepared(StreamPrepare),
}
"""For transactions that are prepared first; since version 3."""
