"""The frames of a replication connection around pgoutput's messages, and positions in the log as text. No I/O.

The manual's chapter "Streaming Replication Protocol" describes them: the server sends `w` (data) and `k` (keepalive),
we send `r` (how far we are).
"""

from __future__ import annotations

import re
from struct import Struct
from struct import error as StructError
from typing import Final

import msgspec

from tidings.sources.postgres.pgoutput.messages import DecodeError
from tidings.sources.postgres.pgoutput.wire import EPOCH_MS

_DATA: Final = Struct(">cQQq")
_KEEPALIVE: Final = Struct(">cQqB")
_STATUS: Final = Struct(">cQQQqB")
_LSN: Final = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})", re.ASCII)


class XLogData(msgspec.Struct, frozen=True, gc=False):
    """One message of the plug-in. start: where it stands in the log. end: the end of the server's log just then."""

    start: int
    end: int
    time: int
    payload: bytes


class Keepalive(msgspec.Struct, frozen=True, gc=False):
    """end: how far the server has sent us all there was for us. reply_now: it is about to give us up."""

    end: int
    time: int
    reply_now: bool


def read_frame(data: bytes | memoryview) -> XLogData | Keepalive:
    """Read one frame; the payload is a copy. Raises DecodeError and nothing else."""
    kind = data[0] if data else None
    try:
        if kind == ord("w"):
            _, start, end, time = _DATA.unpack_from(data)
            return XLogData(start, end, time // 1000 + EPOCH_MS, bytes(data[_DATA.size :]))
        if kind == ord("k"):
            _, end, time, reply = _KEEPALIVE.unpack(data)
            return Keepalive(end, time // 1000 + EPOCH_MS, reply == 1)
    except StructError:
        raise DecodeError(kind, len(data), "it has another length than it must") from None
    raise DecodeError(kind, 0, "no such frame")


def status(written: int, flushed: int, applied: int, now_ms: int, *, reply_now: bool = False) -> bytes:
    """The frame that says how far we are; the server may forget its log up to `flushed`.

    reply_now: ask for a keepalive.
    """
    return _STATUS.pack(b"r", written, flushed, applied, (now_ms - EPOCH_MS) * 1000, reply_now)


def parse_lsn(text: str) -> int:
    """A position as Postgres writes it, such as 0/16B3748. Raises ValueError."""
    found = _LSN.fullmatch(text)
    if found is None:
        raise ValueError("a position in the log is two hexadecimal numbers around a slash, such as 0/16B3748")
    return int(found[1], 16) << 32 | int(found[2], 16)


def format_lsn(lsn: int) -> str:
    """A position as Postgres writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
