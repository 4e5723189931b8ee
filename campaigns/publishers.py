"""Publishers over the signed Pusher HTTP API. Each repeats a publish with the same key until it is acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import time
from collections.abc import Mapping, Sequence

import msgspec

from campaigns.recorder import Recorder
from campaigns.wire import CampaignError, HttpConnection, WireError
from tidings.testing.observations import Acknowledged, Attempted
from tidings.testing.process import AppCredentials

RETRY_SECONDS = 0.05
"""Before an unacknowledged publish is sent again."""

DOUBT_SHARE = 0.05
"""Share of publishes sent once more after their acknowledgement, as if it had been lost on the way."""

GIVE_UP_SECONDS = 60.0
"""A publish that no retry gets through for so long is a failure of the campaign."""


class Publisher:
    """Publishes to random `channels`, one publish at a time, about every `interval` seconds."""

    def __init__(
        self,
        name: str,
        *,
        address: tuple[str, int],
        app: AppCredentials,
        channels: Sequence[str],
        recorder: Recorder,
        seed: int,
        interval: float,
    ) -> None:
        self.name = name
        self.retries = 0
        self.last_failure = ""
        self._host, self._port = address
        self._app = app
        self._channels = channels
        self._recorder = recorder
        self._rng = random.Random(f"{seed}/{name}")
        self._interval = interval
        self._connection: HttpConnection | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`; the last publish is finished. Raises CampaignError."""
        number = 0
        while not stop.is_set():
            number += 1
            await self.publish(self._rng.choice(self._channels), f"{self.name}-{number}")
            await asyncio.sleep(self._rng.uniform(0.0, 2 * self._interval))

    async def publish(self, channel: str, body: str) -> None:
        """Publish once, however many tries it takes. Raises CampaignError when refused or never acknowledged."""
        key = f"key-{body}"
        payload = msgspec.json.encode(
            {"name": "step", "channels": [channel], "data": msgspec.json.encode({"body": body}).decode()}
        )
        self._recorder.add(Attempted(self._recorder.now(), key, channel, body))
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                await self._insist(key, payload)
                self._recorder.add(Acknowledged(self._recorder.now(), key))
                if self._rng.random() < DOUBT_SHARE:
                    self.retries += 1
                    await self._insist(key, payload)
        except TimeoutError:
            raise CampaignError(
                f"{body} not acknowledged in {GIVE_UP_SECONDS} s: {self.last_failure}"
            ) from None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _insist(self, key: str, payload: bytes) -> None:
        while not await self._tried(key, payload):
            self.retries += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def _tried(self, key: str, payload: bytes) -> bool:
        try:
            if self._connection is None:
                self._connection = await HttpConnection.open(self._host, self._port)
            await self._post(self._connection, key, payload)
        except WireError as error:
            self.last_failure = str(error)
            self.close()
            return False
        return True

    async def _post(self, connection: HttpConnection, key: str, payload: bytes) -> None:
        path = f"/apps/{self._app.id}/events"
        query = signed_query(self._app, "POST", path, payload, timestamp=int(time.time()))
        headers = {"Host": self._host, "Content-Type": "application/json", "Idempotency-Key": key}
        answer = await connection.request("POST", f"{path}?{query}", headers, payload)
        body = await connection.body(answer)
        try:
            answer.require(200)
        except CampaignError as error:
            raise CampaignError(f"{error}: {body!r}") from None


def signed_query(
    app: AppCredentials,
    method: str,
    path: str,
    body: bytes,
    *,
    timestamp: int,
    extra: Mapping[str, str] | None = None,
) -> str:
    """Return the query of a signed request (pusher.md 3.1). `timestamp` in Unix seconds."""
    parameters = {
        **(extra or {}),
        "auth_key": app.key,
        "auth_timestamp": str(timestamp),
        "auth_version": "1.0",
        "body_md5": hashlib.md5(body).hexdigest(),
    }
    joined = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    text = f"{method}\n{path}\n{joined}"
    signature = hmac.new(app.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{joined}&auth_signature={signature}"
