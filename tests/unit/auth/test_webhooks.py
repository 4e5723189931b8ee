"""Webhooks as their receiver reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidings.auth.webhooks import MAX_BODY, WebhookEvent, open_webhook
from tidings.errors import Refusal
from tidings.protocols.pusher.signatures import sign_webhook

SECRETS = {"new": "s2", "old": "s1"}
EVENTS: list[dict[str, Any]] = [
    {"name": "channel_occupied", "channel": "a"},
    {"name": "member_added", "channel": "presence-a", "user_id": "7"},
    {"name": "client_event", "channel": "private-a", "event": "client-x", "data": "{}", "socket_id": "1.2"},
    {"name": "subscription_count", "channel": "a", "subscription_count": 3},
    {"name": "cache_miss", "channel": "cache-a", "of_a_later_version": True},
]
BODY = json.dumps({"time_ms": 17, "events": EVENTS}).encode()


def signed(body: bytes = BODY, key: str = "new", secret: str = "s2") -> dict[str, str]:
    return {"x-pusher-KEY": key, "X-Pusher-Signature": sign_webhook(secret, body)}


def test_every_kind_of_event_is_read() -> None:
    events = open_webhook(SECRETS, signed(), BODY)
    assert [event.name for event in events] == [event["name"] for event in EVENTS]
    assert {event.time_ms for event in events} == {17}
    assert events[1] == WebhookEvent(name="member_added", channel="presence-a", time_ms=17, user_id="7")
    assert (events[2].event, events[2].socket_id, events[3].subscription_count) == ("client-x", "1.2", 3)


def test_both_keys_hold_while_they_change() -> None:
    assert open_webhook(SECRETS, signed(key="old", secret="s1"), BODY)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({}, "not_authenticated"),
        ({"X-Pusher-Key": "new"}, "not_authenticated"),
        (signed(key="old"), "bad_signature"),
        (signed(key="nobody"), "bad_signature"),
        (signed(key="nobody", secret="the secret of no app"), "bad_signature"),
        (signed(secret="s1"), "bad_signature"),
        ({"X-Pusher-Key": "new", "X-Pusher-Signature": "ä"}, "bad_signature"),
        (signed(BODY + b" "), "bad_signature"),
    ],
)
def test_what_is_not_signed_by_us_is_not_read(headers: dict[str, str], name: str) -> None:
    with pytest.raises(Refusal) as refused:
        open_webhook(SECRETS, headers, BODY)
    assert refused.value.name == name


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"\xff", "bad_json"),
        (b"[]", "bad_message"),
        (b'{"time_ms":1,"events":[{"name":1}]}', "bad_message"),
        (b" " * (MAX_BODY + 1), "request_too_large"),
    ],
)
def test_a_signed_body_that_is_no_webhook_is_told(body: bytes, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        open_webhook(SECRETS, signed(body), body)
    assert refused.value.name == name
