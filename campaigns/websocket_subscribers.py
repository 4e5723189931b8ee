"""Subscribers over WebSocket: plain `/ws` with a cursor of its own, and Pusher protocol 7 with the server's.

A Pusher client knows no cursor. It comes back under the same client id and drops what it has taken before, by the
`position` that frames carry beside Pusher's own fields; a repeat is therefore no duplicate there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from campaigns.subscribers import Subscriber
from campaigns.wire import DIAL_SECONDS, IDLE_SECONDS, Answer, CampaignError, WireError

CLOSE_SECONDS = 1.0
"""For the closing handshake with a server that may be dead."""

NEVER_RETRY = range(4000, 4100)
"""Close codes after which a Pusher client gives up (pusher.md 1.5): a fault must never lead there."""


class WebSocketSubscriber(Subscriber):
    """Opens a WebSocket and decodes its frames; what they mean is for the subclasses."""

    @asynccontextmanager
    async def _open(self, target: str) -> AsyncIterator[ClientConnection]:
        uri = f"ws://{self._host}:{self._port}{target}"
        try:
            async with connect(
                uri,
                open_timeout=DIAL_SECONDS,
                close_timeout=CLOSE_SECONDS,
                ping_interval=None,
                compression=None,
                proxy=None,
            ) as socket:
                yield socket
        except InvalidStatus as error:
            Answer(error.response.status_code, dict(error.response.headers.raw_items())).require()
        except ConnectionClosed as error:
            self._judge_close(error)
        except (OSError, EOFError, TimeoutError, InvalidHandshake, InvalidMessage) as error:
            raise WireError(repr(error)) from error

    async def _frames(self, socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                frame = await socket.recv()
            yield msgspec.json.decode(frame)

    def _judge_close(self, error: ConnectionClosed) -> None:
        code = error.rcvd.code if error.rcvd else 1006
        if code in NEVER_RETRY:
            raise CampaignError(f"{self.name}: closed with {error.rcvd}") from error
        raise WireError(str(error)) from error


class PlainSubscriber(WebSocketSubscriber):
    """`GET /ws`: the cursor is the position of the last message, or what `subscribed` covers."""

    transport: ClassVar[str] = "ws"

    async def follow(self) -> None:
        pairs = [("channel", channel) for channel in self.channels]
        if self.cursor:
            pairs.append(("cursor", self.cursor))
        async with self._open(f"/ws?{urlencode(pairs)}") as socket:
            waiting = set(self.channels)
            async for frame in self._frames(socket):
                self._frame(frame, waiting)

    def _frame(self, frame: dict[str, Any], waiting: set[str]) -> None:
        match frame["type"]:
            case "connected":
                self.connected()
            case "subscribed":
                self.confirm(frame["channel"], frame["cursor"])
                waiting.discard(frame["channel"])
                # A cursor is for all channels: while one is still joining, the head does not cover it.
                if not waiting:
                    self.cursor = frame["cursor"]
            case "message":
                self.take(frame)
            case "reset":
                self.reset(frame)
            case "unsubscribed" | "reply" if frame.get("ok") is not True:
                raise CampaignError(f"{self.name}: {frame}")


class PusherSubscriber(WebSocketSubscriber):
    """`GET /c/{client_id}/app/{key}`: the same client id on every connection lets the server resume."""

    transport: ClassVar[str] = "pusher"
    drops_repeats: ClassVar[bool] = True

    @property
    def _client_id(self) -> str:
        """As an application would make one: the same on every connection, and nobody else's."""
        return hashlib.sha256(f"{self._app.secret}/{self.name}".encode()).hexdigest()[:32]

    async def follow(self) -> None:
        query = urlencode({"protocol": 7, "client": "campaign", "version": "1.0", "flash": "false"})
        async with self._open(f"/c/{self._client_id}/app/{self._app.key}?{query}") as socket:
            async for frame in self._frames(socket):
                await self._frame(frame, socket)

    async def _frame(self, frame: dict[str, Any], socket: ClientConnection) -> None:
        match frame["event"]:
            case "pusher:connection_established":
                self.connected()
                for channel in self.channels:
                    await _say(socket, "pusher:subscribe", {"channel": channel, "auth": ""})
            case "pusher_internal:subscription_succeeded":
                self.confirm(frame["channel"], frame.get("cursor"))
            case "pusher:ping":
                await _say(socket, "pusher:pong", {})
            case "pusher:error" | "pusher:subscription_error":
                raise CampaignError(f"{self.name}: {frame}")
            case "tidings:reset":
                self.reset({"channels": [frame["channel"]], **msgspec.json.decode(frame["data"])})
            case event if not event.startswith(("pusher:", "pusher_internal:")):
                self.take(frame)


async def _say(socket: ClientConnection, event: str, data: dict[str, Any]) -> None:
    await socket.send(msgspec.json.encode({"event": event, "data": data}).decode())
