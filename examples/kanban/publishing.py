"""Publishing to the live server over the Pusher HTTP API, for the `client-trigger` mode. Decides nothing."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
import msgspec

from examples.kanban.live import LiveSettings, Publish

PUBLISH_TIMEOUT_SECONDS: Final = 5.0
"""The page waits for the trigger's answer; the save is long done, so giving up early costs nothing."""


def publisher(client: httpx2.AsyncClient, live: LiveSettings) -> Publish:
    """A `publish` that signs each request as pusher's server libraries do.

    client: bound to the live server's address. The callable raises httpx2.HTTPError on failure.
    """

    async def publish(channel: str, event: str, data: dict[str, Any]) -> None:
        text = msgspec.json.encode(data).decode()
        body = msgspec.json.encode({"name": event, "channels": [channel], "data": text})
        path = f"{live.path}/apps/{live.app_id}/events"
        query = signed_query(live, path, body, now=int(time.time()))
        answer = await client.post(
            f"{path}?{query}",
            content=body,
            headers={"Content-Type": "application/json"},
            timeout=PUBLISH_TIMEOUT_SECONDS,
        )
        answer.raise_for_status()

    return publish


def signed_query(live: LiveSettings, path: str, body: bytes, *, now: int) -> str:
    """The query that authenticates a POST. now: Unix time in seconds."""
    query = urlencode(
        {
            "auth_key": live.key,
            "auth_timestamp": now,
            "auth_version": "1.0",
            "body_md5": hashlib.md5(body, usedforsecurity=False).hexdigest(),
        }
    )
    signature = hmac.new(live.secret.encode(), f"POST\n{path}\n{query}".encode(), hashlib.sha256).hexdigest()
    return f"{query}&auth_signature={signature}"
