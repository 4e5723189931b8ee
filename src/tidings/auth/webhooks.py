"""Webhooks as their receiver sees them: signature checked, then read. Receives nothing by itself.

The signature covers the raw body and nothing else (pusher.md 4), so a replayed request passes it: a receiver that must
not act twice keeps what it has seen.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tidings.errors import Refusal
from tidings.protocols.pusher.signatures import sign_webhook

MAX_BODY: Final = 10 << 20
"""Bytes that are read. A batch of webhooks is far smaller."""


class WebhookEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, by Pusher's names.

    time_ms: when the request was made, milliseconds since the Unix epoch. data: of a `client_event`, the text as the
    client sent it. Fields that the kind of event does not have are None.
    """

    name: str
    channel: str
    time_ms: int = 0
    event: str | None = None
    data: Any = None
    socket_id: str | None = None
    user_id: str | None = None
    subscription_count: int | None = None


class _Body(msgspec.Struct, frozen=True):
    time_ms: int
    events: tuple[WebhookEvent, ...]


def open_webhook(
    secrets: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> tuple[WebhookEvent, ...]:
    """Check and read one request. secrets: key to secret, all that may sign.

    Raises Refusal `not_authenticated`, `bad_signature`, `request_too_large`, `bad_json`, `bad_message`.
    """
    if len(body) > MAX_BODY:
        raise Refusal("request_too_large", field="body", limit=MAX_BODY)
    names = {name.lower(): value for name, value in headers.items()}
    key, signature = names.get("x-pusher-key"), names.get("x-pusher-signature")
    if not key or not signature:
        raise Refusal("not_authenticated", field="X-Pusher-Signature", detail="the webhook is not signed")
    if not _fits(secrets, key, body, signature):
        raise Refusal("bad_signature", field="X-Pusher-Signature", detail="it does not fit key and body")
    return _read(body)


def _fits(secrets: Mapping[str, str], key: str, body: bytes, signature: str) -> bool:
    """An unknown key costs the same work as a wrong signature."""
    secret = secrets.get(key)
    expected = sign_webhook(secret or "the secret of no app", body)
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace")) and secret is not None


def _read(body: bytes) -> tuple[WebhookEvent, ...]:
    try:
        read = msgspec.json.decode(body, type=_Body)
    except msgspec.ValidationError as error:
        raise Refusal("bad_message", field="body", detail=str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("bad_json", field="body", detail=str(error)) from error
    return tuple(msgspec.structs.replace(event, time_ms=read.time_ms) for event in read.events)
