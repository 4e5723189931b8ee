"""Keeps the changes of transactions that are still open, as the server streams them: in memory, then in a file.

Nothing in here is told to anybody before its transaction has committed. It decodes nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from struct import Struct
from typing import IO, Final

from tidings.errors import SourceError

MEMORY_BYTES: Final = 4 << 20
"""Of one transaction in memory; beyond, it lies in a temporary file."""

SPOOL_BYTES: Final = 1 << 30
"""Of all open transactions together. Beyond, the server keeps them itself: we ask it not to stream."""

_RECORD: Final = Struct(">II")


class SpoolFull(SourceError):
    """More is streamed than we keep."""


class Spool:
    """The open transactions of one stream, by their number."""

    def __init__(self, most: int = SPOOL_BYTES) -> None:
        self._most = most
        self._size = 0
        self._open: dict[int, _Streamed] = {}

    def add(self, xid: int, subxid: int, payload: bytes) -> None:
        """Keep one message of a transaction. Raises SpoolFull."""
        self._size += len(payload)
        if self._size > self._most:
            raise SpoolFull(
                f"open transactions are larger than {self._most} bytes; the server keeps them instead"
            )
        streamed = self._open.get(xid)
        if streamed is None:
            streamed = self._open[xid] = _Streamed()
        streamed.add(subxid, payload)

    def abort(self, xid: int, subxid: int) -> None:
        """Forget a subtransaction, or the whole."""
        streamed = self._open.get(xid)
        if streamed is None:
            return
        if xid == subxid:
            self.drop(xid)
        else:
            streamed.aborted.add(subxid)

    def replay(self, xid: int) -> Iterator[tuple[bool, bytes]]:
        """What was kept, in order: whether it holds, and the message. A table's form is told in aborted ones too."""
        streamed = self._open.get(xid)
        if streamed is not None:
            yield from streamed.messages()

    def drop(self, xid: int) -> None:
        """Let go of a transaction."""
        streamed = self._open.pop(xid, None)
        if streamed is not None:
            self._size -= streamed.size
            streamed.file.close()

    def close(self) -> None:
        """Let go of all."""
        for xid in list(self._open):
            self.drop(xid)


class _Streamed:
    def __init__(self) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115  # closed by drop
        self.aborted: set[int] = set()
        self.size = 0

    def add(self, subxid: int, payload: bytes) -> None:
        self.file.write(_RECORD.pack(subxid, len(payload)))
        self.file.write(payload)
        self.size += len(payload)

    def messages(self) -> Iterator[tuple[bool, bytes]]:
        self.file.seek(0)
        while head := self.file.read(_RECORD.size):
            subxid, size = _RECORD.unpack(head)
            yield subxid not in self.aborted, self.file.read(size)
