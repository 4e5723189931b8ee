"""The nouns of the webhooks: a letter, a parcel of letters, how sending it went, and what was given up.

Holds values, and how they are written down for the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from tidings.ids import AppId, ChannelName
from tidings.node.webhooks.events import body_of

LETTER: Final = "w"
DEAD: Final = "d"
LOSS: Final = "l"
STANDING: Final = "s"
"""First character of the keys under which the store keeps each kind."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one URL.

    number: rises with each letter; the order of sending per channel. id: never given twice. event: as JSON.
    time: when it was put into the queue, milliseconds since the Unix epoch.
    """

    number: int
    id: str
    app: AppId
    url: str
    channel: ChannelName
    event: bytes
    time: int

    @property
    def key(self) -> str:
        return f"{LETTER}{self.number:019d}"


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt went. reason: why it failed, in words for the owner of the app."""

    delivered: bool
    reason: str = ""


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """What was given up: a letter with the last reason, or the statement that events were lost.

    tries: attempts made. at: when, milliseconds since the Unix epoch. lost: events of which nothing was kept.
    url: empty when the loss was before it was known which webhooks wanted the events.
    """

    number: int
    app: AppId
    url: str
    reason: str
    at: int
    tries: int = 0
    letter: Letter | None = None
    lost: int = 0

    @property
    def id(self) -> str:
        return self.letter.id if self.letter is not None else f"lost-{self.number}"

    @property
    def key(self) -> str:
        return f"{DEAD if self.letter is not None else LOSS}{self.number:019d}"

    @property
    def size(self) -> int:
        """Bytes of its event."""
        return 0 if self.letter is None else len(self.letter.event)


def parcel_id(letters: Sequence[Letter]) -> str:
    """The id of a request with these letters: the same whenever the same letters go together, after a restart too."""
    if len(letters) == 1:
        return letters[0].id
    return hashlib.sha256("\n".join(letter.id for letter in letters).encode()).hexdigest()[:32]


def parcel_body(letters: Sequence[Letter]) -> bytes:
    """The body of a request with these letters: the same bytes at every attempt."""
    return body_of(max(letter.time for letter in letters), [letter.event for letter in letters])


_letters: Final = msgspec.msgpack.Decoder(Letter)
_dead: Final = msgspec.msgpack.Decoder(Dead)


def encode(kept: Letter | Dead) -> bytes:
    """A letter or dead letter as the store keeps it."""
    return msgspec.msgpack.encode(kept)


def decode_letter(value: bytes) -> Letter:
    """Raises msgspec.DecodeError for what this software never wrote."""
    return _letters.decode(value)


def decode_dead(value: bytes) -> Dead:
    """Raises msgspec.DecodeError for what this software never wrote."""
    return _dead.decode(value)
