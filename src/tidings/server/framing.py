"""How a payload becomes bytes of a transport: one WebSocket frame, one HTTP chunk, or as it is. Holds no connection."""

from __future__ import annotations

from typing import Final

_TEXT: Final = 0x81
_CLOSE: Final = 0x88
_PING: Final = 0x89
_PONG: Final = 0x8A

END_OF_CHUNKS: Final = b"0\r\n\r\n"
"""The last chunk of an HTTP/1.1 body (RFC 9112 7.1)."""


class WebSocketFramer:
    """A payload as one whole, unmasked text frame (RFC 6455 5.2): a server never masks, so the bytes can be shared."""

    key: Final = "websocket"

    def frame(self, payload: bytes) -> bytes:
        """Frame one payload of UTF-8 text."""
        return _frame(_TEXT, payload)


class ChunkFramer:
    """A payload as one chunk of an HTTP/1.1 body."""

    key: Final = "chunk"

    def frame(self, payload: bytes) -> bytes:
        """Frame one payload; an empty one gives nothing, because an empty chunk would end the body."""
        return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""


class PlainFramer:
    """A payload as it is: for bodies that end with the connection, and for carriers that frame themselves."""

    key: Final = "plain"

    def frame(self, payload: bytes) -> bytes:
        """Return the payload."""
        return payload


def ping_frame(payload: bytes) -> bytes:
    """A ping with at most 125 bytes of payload."""
    return _frame(_PING, payload)


def pong_frame(payload: bytes) -> bytes:
    """A pong with at most 125 bytes of payload."""
    return _frame(_PONG, payload)


def close_frame(code: int, reason: str) -> bytes:
    """A close frame. The reason is cut to the 123 bytes that fit (RFC 6455 5.5), at a character's end."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return _frame(_CLOSE, code.to_bytes(2, "big") + text)


def split_frames(data: bytes) -> list[bytes]:
    """Take joined server frames apart again: for carriers that send message by message.

    `data` is our own writing: whole, unmasked, unfragmented text frames.
    """
    messages: list[bytes] = []
    at = 0
    while at < len(data):
        length = data[at + 1]
        at += 2
        if length == 126:
            length = int.from_bytes(data[at : at + 2], "big")
            at += 2
        elif length == 127:
            length = int.from_bytes(data[at : at + 8], "big")
            at += 8
        messages.append(data[at : at + length])
        at += length
    return messages


def _frame(head: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((head, length)) + payload
    if length < 65536:
        return bytes((head, 126, length >> 8, length & 255)) + payload
    return bytes((head, 127)) + length.to_bytes(8, "big") + payload
