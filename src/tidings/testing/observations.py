"""What publishers and subscribers write down while they run, and its form as lines of JSON. It judges nothing.

A history is the list of these observations in the order of `at`, the seconds of one clock. Observations of
one process are in order as they are written; those of several must be merged by `at` first.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Observation(msgspec.Struct, frozen=True, tag_field="op", tag=str.lower, gc=False):
    """Something one client did or saw at the moment `at` (seconds, any clock that never goes back)."""

    at: float


class Attempted(Observation, frozen=True, gc=False):
    """A publisher is about to send `body` to `channel` under the idempotency key `key`. Written before sending.

    Each key has one body, and each body is published under one key; a retry repeats both.
    """

    key: str
    channel: str
    body: str


class Acknowledged(Observation, frozen=True, gc=False):
    """The server said that it keeps what was published under `key`; with its place where it tells one."""

    key: str
    epoch: str | None = None
    offset: int | None = None


class Subscribed(Observation, frozen=True, gc=False):
    """From here on `client` must see everything on `channels`. Written once a channel, when the server confirms."""

    client: str
    channels: tuple[str, ...]
    epoch: str | None = None
    offset: int | None = None


class Connected(Observation, frozen=True, gc=False):
    """`client` has a connection on which messages may come."""

    client: str


class Disconnected(Observation, frozen=True, gc=False):
    """`client` noticed that its connection is gone."""

    client: str


class Delivered(Observation, frozen=True, gc=False):
    """`client` took a message: its id, its place in the log and the one before it on the channel."""

    client: str
    channel: str
    id: str
    body: str
    epoch: str
    offset: int
    previous: int | None = None


class Repeated(Observation, frozen=True, gc=False):
    """`client`, which cannot acknowledge, dropped a message at or below the last offset it knows there."""

    client: str
    channel: str
    body: str


class Reset(Observation, frozen=True, gc=False):
    """`client` was told that it may have missed messages on `channels`, and that it goes on after the position."""

    client: str
    channels: tuple[str, ...]
    reason: str
    epoch: str | None = None
    offset: int | None = None


class Finished(Observation, frozen=True, gc=False):
    """`client` has caught up: it has seen whatever was acknowledged up to now."""

    client: str


AnyObservation = (
    Attempted | Acknowledged | Subscribed | Connected | Disconnected | Delivered | Repeated | Reset | Finished
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyObservation] = msgspec.json.Decoder(AnyObservation)


def encode(observation: AnyObservation) -> bytes:
    """Return the observation as one line of JSON, newline included."""
    return _encoder.encode(observation) + b"\n"


def decode_lines(lines: bytes | Iterable[bytes]) -> list[AnyObservation]:
    """Return the observations of a history file. Raises msgspec.ValidationError for anything else."""
    return _decoder.decode_lines(lines if isinstance(lines, bytes) else b"".join(lines))
