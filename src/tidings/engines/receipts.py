"""What makes a publish a repeat: idempotency keys and the progress of sources. Pure; storing is the engine's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from tidings.changes import Progress
from tidings.engines.base import MAX_KEY_LENGTH, Published
from tidings.errors import Refusal
from tidings.messages import Message, Position

DIGEST_BYTES = 16
"""Length of a digest: two different publishes under one key are then told apart for certain."""

_encode = msgspec.msgpack.Encoder().encode


def digest(messages: Sequence[Message]) -> bytes:
    """Return what identifies messages under a key: channel, event and data, each with its length."""
    content = [(message.channel, message.event, message.data) for message in messages]
    return hashlib.blake2b(_encode(content), digest_size=DIGEST_BYTES).digest()


def check_key(key: str | None) -> None:
    """Raise Refusal `bad_key` for a key that must not be stored: not 1 to 128 printable ASCII characters."""
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise Refusal("bad_key", field="key", limit=MAX_KEY_LENGTH)


def check_content(messages: Sequence[Message], progress: Progress | None) -> None:
    """Raise ValueError for a publish that would store nothing at all."""
    if not messages and progress is None:
        raise ValueError("a publish needs at least one message, or progress")


def is_covered(progress: Progress, last: Progress | None) -> bool:
    """True when what a source tells is in the log already, by the last progress that was kept there."""
    return last is not None and last.covers(progress)


class Receipt(msgspec.Struct, frozen=True):
    """What is remembered of a publish under a key. first: its first offset; the others follow without a hole."""

    digest: bytes
    first: int
    count: int

    def answer(self, digest: bytes, epoch: str) -> Published:
        """The receipt for a repeat. Raises Refusal `key_reused` when the digest is another."""
        if digest != self.digest:
            raise Refusal("key_reused", field="key")
        return Published(receipt_positions(epoch, self.first, self.count), repeated=True)


def receipt_positions(epoch: str, first: int, count: int) -> tuple[Position, ...]:
    """Neighbouring positions."""
    return tuple([Position(epoch, offset) for offset in range(first, first + count)])
