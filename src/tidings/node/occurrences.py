"""What happens in an app that its owner may want to hear of (webhooks). Values only; who listens is not known here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from tidings.ids import AppId, ChannelName, SessionId, UserId

OccurrenceKind = Literal[
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
]
"""The names are Pusher's (pusher.md 4)."""


class Occurrence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened. time: milliseconds since the Unix epoch. data: raw JSON bytes of a client event."""

    kind: OccurrenceKind
    app: AppId
    channel: ChannelName
    time: int
    user: UserId | None = None
    session: SessionId | None = None
    event: str | None = None
    data: bytes | None = None
    count: int | None = None


Observer = Callable[[Occurrence], None]
"""Called on the event loop, in order of what happened. Must not raise and must not wait."""
