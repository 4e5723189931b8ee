"""Reads a client's WebSocket frames (RFC 6455 5), sans I/O, failing at the first wrong byte. Holds no transport.

Nothing is built before its size is known and within bounds; what is pinned is never more than one message.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final

from websockets.exceptions import ProtocolError
from websockets.frames import Close

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover
    from websockets.utils import apply_mask

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

_KNOWN: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_MAX_CONTROL: Final = 125

PROTOCOL_ERROR: Final = 1002
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009

Event = tuple[int, str | bytes]
"""Opcode and payload: text as str, everything else as bytes; a close's payload is as it came."""


class FrameError(Exception):
    """The client broke the protocol or passed a limit. `code` is the close code that says so."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code} {reason}")


class FrameReader:
    """The state of one connection's reading.

    message_bytes: the most bytes in one message, all its fragments together.
    fragments: the most frames in one message.
    """

    __slots__ = (
        "_decoder",
        "_fin",
        "_frames",
        "_kind",
        "_left",
        "_mask",
        "_message",
        "_rest",
        "fragments",
        "message_bytes",
    )

    def __init__(self, message_bytes: int, fragments: int) -> None:
        self.message_bytes = message_bytes
        self.fragments = fragments
        self._rest = b""  # an unfinished head, or an unfinished control frame: never more than 14 + 125 bytes
        self._kind = 0  # TEXT or BINARY while a message is under way
        self._message: bytearray | None = None  # its payload so far, unmasked
        self._frames = 0  # how many frames it has so far
        self._decoder: codecs.IncrementalDecoder | None = None  # sees each byte of a text as it comes
        self._left = 0  # payload bytes still to come of the data frame under way
        self._fin = False
        self._mask = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Read bytes; yields what they complete, in order. Raises FrameError, after which nothing more may be fed."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at, end = 0, len(data)
        while at < end:
            if self._left:
                at = self._take(data, at)
                if not self._left and self._fin:
                    yield self._finish()
                continue
            start = self._payload_start(data, at)
            if start == 0:
                self._rest = data[at:]
                return
            opcode, length = data[at] & 15, self._length(data, at)
            stop = start + length
            if opcode >= CLOSE:
                if stop > end:
                    self._rest = data[at:]
                    return
                yield opcode, _control(opcode, apply_mask(data[start:stop], data[start - 4 : start]))
                at = stop
            elif opcode and data[at] & 0x80 and stop <= end:
                yield opcode, _whole(opcode, apply_mask(data[start:stop], data[start - 4 : start]))
                at = stop
            else:
                self._begin(opcode, length, fin=data[at] >= 0x80, mask=data[start - 4 : start])
                at = start
                if not length and self._fin:
                    yield self._finish()

    def _payload_start(self, data: bytes, at: int) -> int:
        """Check a frame's head; where its payload starts, or 0 while the head is unfinished."""
        first = data[at]
        opcode = first & 15
        if first & 0x70:
            raise FrameError(PROTOCOL_ERROR, "reserved bits must be 0")
        if opcode not in _KNOWN:
            raise FrameError(PROTOCOL_ERROR, "invalid opcode")
        if opcode >= CLOSE:
            if first < 0x80:
                raise FrameError(PROTOCOL_ERROR, "fragmented control frame")
        elif (opcode == CONTINUATION) != bool(self._kind):
            text = "expected a continuation frame" if opcode else "unexpected continuation frame"
            raise FrameError(PROTOCOL_ERROR, text)
        if len(data) - at < 2:
            return 0
        second = data[at + 1]
        if second < 0x80:
            raise FrameError(PROTOCOL_ERROR, "incorrect masking")
        length = second & 0x7F
        if opcode >= CLOSE and length > _MAX_CONTROL:
            raise FrameError(PROTOCOL_ERROR, "control frame too long")
        start = at + (6 if length < 126 else 8 if length == 126 else 14)
        if len(data) < start - 4:
            return 0
        if opcode < CLOSE:
            self._bound(self._length(data, at))
        return start if len(data) >= start else 0

    def _bound(self, length: int) -> None:
        """Refuse a data frame by its announced length, before a byte of it is kept."""
        held = 0 if self._message is None else len(self._message)
        if held + length > self.message_bytes:
            raise FrameError(TOO_BIG, f"message above {self.message_bytes} bytes")
        if self._frames >= self.fragments:
            raise FrameError(TOO_BIG, f"message in more than {self.fragments} fragments")

    @staticmethod
    def _length(data: bytes, at: int) -> int:
        length = data[at + 1] & 0x7F
        if length == 126:
            return int.from_bytes(data[at + 2 : at + 4], "big")
        if length == 127:
            return int.from_bytes(data[at + 2 : at + 10], "big")
        return length

    def _begin(self, opcode: int, length: int, *, fin: bool, mask: bytes) -> None:
        """A frame that is a fragment, or has not wholly come yet."""
        if self._message is None:
            self._message = bytearray()
        if opcode:
            self._kind = opcode
            self._decoder = _Utf8() if opcode == TEXT else None
        self._frames += 1
        self._left, self._fin, self._mask = length, fin, mask

    def _take(self, data: bytes, at: int) -> int:
        """Take what there is of the payload under way."""
        piece = data[at : at + self._left]
        size = len(piece)
        plain = apply_mask(piece, self._mask)
        turn = size & 3
        if turn:
            self._mask = self._mask[turn:] + self._mask[:turn]
        self._left -= size
        if self._decoder is not None:
            try:
                self._decoder.decode(plain)
            except UnicodeDecodeError as error:
                raise FrameError(INVALID_DATA, "invalid UTF-8") from error
        assert self._message is not None
        self._message += plain
        return at + size

    def _finish(self) -> Event:
        """The message under way is whole."""
        kind, message = self._kind, self._message
        assert message is not None
        self._kind = self._frames = 0
        self._message = self._decoder = None
        self._fin = False
        return kind, _whole(kind, bytes(message))


_Utf8 = codecs.getincrementaldecoder("utf-8")


def _whole(kind: int, payload: bytes) -> str | bytes:
    if kind != TEXT:
        return payload
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise FrameError(INVALID_DATA, "invalid UTF-8") from error


def _control(opcode: int, payload: bytes) -> bytes:
    """Check a close frame's code and reason (RFC 6455 5.5.1, 7.4); other control frames carry anything."""
    if opcode == CLOSE:
        try:
            Close.parse(payload)
        except ProtocolError as error:
            raise FrameError(PROTOCOL_ERROR, str(error)) from error
        except UnicodeDecodeError as error:
            raise FrameError(INVALID_DATA, "invalid UTF-8 in the reason") from error
    return payload
