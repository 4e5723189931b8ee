"""What is configured of a webhook. Holds values only; what must hold between them `config.checks` knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from tidings.node.occurrences import OccurrenceKind

RESERVED_HEADERS: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "expect", "upgrade", "te"}
)
"""Headers that are ours to set: they frame the request."""

RESERVED_PREFIXES: Final = ("x-pusher-", "tidings-")
"""Headers that say who sends: a setting must not be able to contradict the signature."""


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several events in one request. What is full or has waited long enough is sent."""

    events: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 50
    """Most events in one request."""
    seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 1.0
    """Longest wait for more events."""


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A URL that is told what happens in the app."""

    url: str
    """Where to send; `https`, or `http` with `allow_private`."""
    events: tuple[OccurrenceKind, ...] = ()
    """Which events to send; empty: all."""
    channels: tuple[str, ...] = ()
    """Channels to tell of, `*` as wildcard; empty: all."""
    headers: Mapping[str, str] = {}
    """Headers to add. A value may be a reference, `env:NAME` or `file:/path`."""
    batch: BatchSettings | None = None
    """Send several events in one request; without it each request holds one event."""
    allow_private: bool = False
    """Allow plain `http`, and addresses of this computer and of private networks."""


def is_reserved(header: str) -> bool:
    """Whether a header is not for settings to set."""
    name = header.lower()
    return name in RESERVED_HEADERS or name.startswith(RESERVED_PREFIXES)
