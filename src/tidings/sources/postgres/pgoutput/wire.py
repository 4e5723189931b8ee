"""The parts that pgoutput's messages are made of: names, rows, times, and the end. Knows no message.

Each reader takes the whole message and a place in it: so an error can say where it was, and nothing is copied twice.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from tidings.sources.postgres.pgoutput.messages import UNCHANGED, DecodeError, Value

EPOCH_MS: Final = 946_684_800_000
"""2000-01-01, from which Postgres counts microseconds, in milliseconds since the Unix epoch."""

_UINT32: Final = Struct(">I").unpack_from
_INT16: Final = Struct(">h").unpack_from
_TEXT, _NULL, _TOAST, _BINARY = b"tnub"


def read_row(data: bytes, at: int) -> tuple[tuple[Value, ...], int]:
    """A row's values and where they end, which may be past the end: the caller's next read or `ended` finds that."""
    (count,) = _INT16(data, at)
    if count < 0:
        raise DecodeError(data[0], at, "a negative number of columns")
    at += 2
    values: list[Value] = []
    for _ in range(count):
        kind = data[at]
        if kind == _TEXT:
            start = at + 5
            at = start + _UINT32(data, at + 1)[0]
            values.append(data[start:at])
        elif kind == _NULL:
            values.append(None)
            at += 1
        elif kind == _TOAST:
            values.append(UNCHANGED)
            at += 1
        elif kind == _BINARY:
            raise DecodeError(data[0], at, "a value in binary format, which was not asked for")
        else:
            raise DecodeError(data[0], at, "an unknown kind of value")
    return tuple(values), at


def ended(data: bytes, at: int) -> None:
    """The message must be over."""
    if at != len(data):
        what = "it ends too early" if at > len(data) else "bytes after its end"
        raise DecodeError(data[0], min(at, len(data)), what)


def read_name(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(0, at)
    if end < 0:
        raise DecodeError(data[0], len(data), "it ends too early")
    try:
        return data[at:end].decode(), end + 1
    except UnicodeDecodeError:
        raise DecodeError(data[0], at, "a name that is not UTF-8") from None


def read_schema(data: bytes, at: int) -> tuple[str, int]:
    name, at = read_name(data, at)
    return name or "pg_catalog", at  # to save bytes, the server leaves this name out


def no_flags(data: bytes, at: int, flags: int) -> None:
    """The manual keeps these flags for later; a meaning that we do not know must not be passed over."""
    if flags:
        raise DecodeError(data[0], at, "flags that are not known")


def to_ms(time: int) -> int:
    return time // 1000 + EPOCH_MS
