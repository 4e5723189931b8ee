"""What happened, as Pusher's webhook events (pusher.md 4). Pure: it signs nothing and sends nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from tidings.filters import matches
from tidings.node.occurrences import Occurrence, OccurrenceKind
from tidings.node.webhooks.settings import WebhookSettings

KINDS: Final[tuple[str, ...]] = get_args(OccurrenceKind)
"""Names of all events, in the order of the documentation."""


def wants(webhook: WebhookSettings, occurrence: Occurrence) -> bool:
    """Whether a webhook is to be told of it."""
    if webhook.events and occurrence.kind not in webhook.events:
        return False
    return not webhook.channels or any(matches(pattern, occurrence.channel) for pattern in webhook.channels)


def event_of(occurrence: Occurrence) -> bytes:
    """One event of a webhook as JSON."""
    event: dict[str, Any] = {"name": occurrence.kind, "channel": occurrence.channel}
    if occurrence.kind == "client_event":
        event["event"] = occurrence.event
        event["data"] = _data_of(occurrence.data)
        event["socket_id"] = occurrence.session
    if occurrence.kind == "subscription_count":
        event["subscription_count"] = occurrence.count
    if occurrence.user is not None:
        event["user_id"] = occurrence.user
    return msgspec.json.encode(event)


def _data_of(data: bytes | None) -> Any:
    """A client event's data: always a string, the text of its JSON where it was none (as on the wire, 1.2)."""
    if data is None:
        return None
    return msgspec.Raw(data) if data.startswith(b'"') else data.decode()


def body_of(time_ms: int, events: Iterable[bytes]) -> bytes:
    """The body of a request. time_ms: when the newest of its events was put into the queue."""
    return b'{"time_ms":%d,"events":[%b]}' % (time_ms, b",".join(events))
