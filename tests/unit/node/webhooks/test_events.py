"""What happened in Pusher's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.node.webhooks.builders import URL, occurred
from tidings.ids import SessionId
from tidings.node.occurrences import Occurrence
from tidings.node.webhooks.events import KINDS, body_of, event_of, wants
from tidings.node.webhooks.settings import WebhookSettings

CLIENT: dict[str, Any] = {"event": "client-e", "session": SessionId("1.2")}


@pytest.mark.parametrize(
    ("occurrence", "event"),
    [
        (occurred("channel_occupied"), {"name": "channel_occupied", "channel": "c"}),
        (occurred("channel_vacated"), {"name": "channel_vacated", "channel": "c"}),
        (occurred("cache_miss", "cache-c"), {"name": "cache_miss", "channel": "cache-c"}),
        (
            occurred("member_added", user="ann"),
            {"name": "member_added", "channel": "c", "user_id": "ann"},
        ),
        (
            occurred("member_removed", user="ann"),
            {"name": "member_removed", "channel": "c", "user_id": "ann"},
        ),
        (
            occurred("subscription_count", count=3),
            {"name": "subscription_count", "channel": "c", "subscription_count": 3},
        ),
        (
            occurred("client_event", data=b'{"a": [1]}', **CLIENT),
            {
                "name": "client_event",
                "channel": "c",
                "event": "client-e",
                "data": '{"a": [1]}',
                "socket_id": "1.2",
            },
        ),
        (
            occurred("client_event", "presence-c", user="ann", data=b'"a \\"text\\""', **CLIENT),
            {
                "name": "client_event",
                "channel": "presence-c",
                "event": "client-e",
                "data": 'a "text"',
                "socket_id": "1.2",
                "user_id": "ann",
            },
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Occurrence) else "",
)
def test_each_event_has_the_fields_of_the_documentation(
    occurrence: Occurrence, event: dict[str, Any]
) -> None:
    assert json.loads(event_of(occurrence)) == event


def test_there_are_seven_events() -> None:
    assert len(KINDS) == 7


def test_a_body_is_one_object_with_its_time() -> None:
    assert json.loads(body_of(5, [b'{"name":"a"}', b'{"name":"b"}'])) == {
        "time_ms": 5,
        "events": [{"name": "a"}, {"name": "b"}],
    }


def test_without_a_filter_everything_is_wanted() -> None:
    assert all(wants(WebhookSettings(url=URL), occurred(kind)) for kind in KINDS)  # type: ignore[arg-type]


def test_events_and_channels_are_filtered() -> None:
    webhook = WebhookSettings(url=URL, events=("channel_vacated",), channels=("private-*", "news"))
    assert wants(webhook, occurred("channel_vacated", "private-a"))
    assert wants(webhook, occurred("channel_vacated", "news"))
    assert not wants(webhook, occurred("channel_vacated", "newsletter"))
    assert not wants(webhook, occurred("channel_occupied", "private-a"))
